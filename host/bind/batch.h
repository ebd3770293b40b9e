/* SPDX-License-Identifier: MIT */
/*
 * Batches: how pool:map gives a worker many elements in one task.
 *
 * A batch is a task whose function is shmx.core.run_batch and whose arguments are f and some elements, scalars all of them.
 * The worker calls f for one element after the other and returns the results, scalars too. The batch ends early when it
 * takes long or its results become large, and with the first element that fails or has a result that is no scalar. The
 * elements behind that one have not run, and are main's again. So nobody can tell a batch from that many tasks, as long as
 * f finds its upvalues in each call as if they had just arrived.
 *
 * A batch returns how many elements went well, their results and, if an element ended it: how ("value", "failed" or
 * "refused"), with what value, and perhaps a traceback.
 */
#ifndef SHMX_BIND_BATCH_H
#define SHMX_BIND_BATCH_H

#include <lua.h>
#include <stdbool.h>

#define SHMX_BATCH_RUN "shmx.run_batch" /* in the registry: run_batch */

enum { SHMX_BATCH_ELEMENTS = 4096, SHMX_BATCH_BYTES = 64 << 10 };

/* True when the value on the top can be an element of a batch, or the result of one. */
bool shmx_batch_takes(lua_State *L);

/* Adds to the module on the top: run_batch(f, ...), for workers; is_batchable(f) -> boolean, whether one closure of f can
 * serve several elements; take_batch(task, results, first) -> count, how, value, traceback, which moves the results of a
 * batch that is done into results[first] and on; new_list(n), an empty table with room for n values; and, for workers that
 * run several elements by themselves, fail_element(error) -> how, value: an element has ended so. */
void shmx_batch_open(lua_State *L);

#endif
