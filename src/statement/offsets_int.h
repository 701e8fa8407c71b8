/*
 * offsets_int.h - offsets of partitions and of groups: asked, chosen, committed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_OFFSETS_INT_H
#define OTTLA_STATEMENT_OFFSETS_INT_H

#include "exec_int.h"

#define OFFSETS_END   (-1) /* as a time: the high watermark */
#define OFFSETS_START (-2)

/*
 * The offset of a time in each partition, each leader asked once: ret[i] belongs to item i. -1: all records are older.
 * *ret may be arena memory of items->count numbers.
 */
int offsets_at(Exec *x, const Items *partitions, int64_t timestamp, int64_t *ret);

/*
 * What a group has committed. Items given: ret[i] belongs to item i, -1: nothing. None given (count 0): they are
 * filled with all that there is, in the order of the server.
 */
int offsets_committed(Exec *x, StrView group, Items *partitions, int64_t **ret);

/* Commits each item's number. EXEC_PLANNED as exec_change. */
int offsets_commit(Exec *x, StrView group, Items *partitions);

#endif
