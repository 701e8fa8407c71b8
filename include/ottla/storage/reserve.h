/*
 * reserve.h - space that a directory keeps back, given up when its disk is full
 *
 * A full disk must not stop what makes room: metadata, checkpoints and deletes need a few blocks.
 * Each log directory and the metadata directory therefore hold a file of real blocks that nobody
 * reads; when a write finds no space it is given up, and taken back when there is space again.
 *
 * Callers see to it that one process at a time takes or gives up the reserve of one directory.
 * Runs in: checkpointer, backend (through logdir_state.h), controller. Never: logs, waits.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_RESERVE_H
#define OTTLA_STORAGE_RESERVE_H

#include <stdint.h>

#include "ottla/common/err.h"

#define RESERVE_FILE       ".ottla_reserve"
#define RESERVE_START_FILE ".ottla_reserve_start"

/* A 64th of the file system, within these; on what is smaller still, tests run. */
#define RESERVE_BYTES_MIN (INT64_C(64) << 10)
#define RESERVE_BYTES_MAX (INT64_C(4) << 20)

/* A start writes a new epoch and a registration: a few blocks. */
#define RESERVE_START_BYTES (INT64_C(128) << 10)

/*
 * Takes the reserve of a directory, if half as much is left beside it: so that who gets it back at a
 * disk that is full to the brim does not lose it to the next write. Nothing is done when it is held.
 * OT_E_NO_SPACE: not held, no block of it is kept. Others as vfs_open, vfs_allocate.
 */
int reserve_take(const char *dir, ErrInfo *err) __attribute__((warn_unused_result));

/* Gives it up. What cannot be given up stays: there is nothing else to try. */
void reserve_give_up(const char *dir);

/*
 * A second one, of the metadata directory, that only a start gives up: so that a node whose disk was filled to the last
 * block while it was down starts, serves reads, and can be told to delete. Taken as far as there is space.
 */
void reserve_take_start(const char *dir);
void reserve_give_up_start(const char *dir);

#endif
