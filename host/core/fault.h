/* SPDX-License-Identifier: MIT */
/*
 * Named points at which a test can make a process die or stop; nothing at all in builds without SHMX_FAULTS.
 *
 * The environment variable SHMX_FAULT says what to do: "POINT:ACTION[:N]", for example "w8:kill:3" kills the process
 * when it comes by w8 for the third time. Actions: kill, term, stop, abort, exit.
 *
 * The first letter of a point is the role of the process that it is meant for: m (main), w (a worker), s (the
 * supervisor). Code that several roles run can have points for each of them. Every worker comes by a w point, those that
 * replace the dead too: when SHMX_FAULT_MARK names a file, nothing happens and nothing is counted while it does not
 * exist, and only the process that removes it acts. So a test chooses when the fault may happen, and it happens once;
 * the number of the process is then in the file with .done added to its name.
 *
 * A limit that is out of reach of a test can be lower in one: SHMX_FAULT_NUMBER is the number in the environment variable.
 */
#ifndef SHMX_CORE_FAULT_H
#define SHMX_CORE_FAULT_H

#ifdef SHMX_FAULTS
void shmx_fault_role(char role);
void shmx_fault(const char *point);
#define SHMX_FAULT_ROLE(role) shmx_fault_role(role)
#define SHMX_FAULT(point)     shmx_fault(point)
unsigned shmx_fault_number(const char *variable, unsigned otherwise);
#define SHMX_FAULT_NUMBER(variable, otherwise) shmx_fault_number(variable, otherwise)
#else
#define SHMX_FAULT_ROLE(role)                  ((void)0)
#define SHMX_FAULT(point)                      ((void)0)
#define SHMX_FAULT_NUMBER(variable, otherwise) (otherwise)
#endif

#endif
