/* SPDX-License-Identifier: MIT */
/*
 * SLEEF, the vector mathematics library, which is loaded when the first mathematical function needs it and may be missing.
 */
#ifndef SHMX_ARRAY_SLEEF_H
#define SHMX_ARRAY_SLEEF_H

/* The address of a function of the library, such as Sleef_expd8_u10avx512f, or NULL when there is none. */
void *shmx_sleef_find(const char *name);

#endif
