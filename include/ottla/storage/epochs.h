/*
 * epochs.h - the leader epochs of a log: which epoch began at which offset (log.md 7.3)
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_EPOCHS_H
#define OTTLA_STORAGE_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>

/* Both rise strictly from entry to entry. */
typedef struct EpochEntry {
    int32_t epoch;
    int64_t start_offset;
} EpochEntry;

/*
 * Notes that an epoch begins at an offset; list has room for count + 1. Returns the new count.
 * The same epoch again at or after its start changes nothing; else what it contradicts goes first.
 */
int32_t epochs_assign(EpochEntry *list, int32_t count, EpochEntry add);

/* Drops entries that begin at or after end_offset. Returns the new count. */
int32_t epochs_truncate_end(const EpochEntry *list, int32_t count, int64_t end_offset);

/* Drops entries that lie wholly before start_offset; the last of them then begins there. */
int32_t epochs_truncate_start(EpochEntry *list, int32_t count, int64_t start_offset);

/*
 * Where the records of an epoch end: ret->epoch is the largest known epoch <= the asked one and
 * ret->start_offset its end; both -1: undefined.
 */
EpochEntry epochs_end_offset(const EpochEntry *list, int32_t count, int32_t epoch, int64_t log_end);

/* Epoch of the record at an offset, -1: unknown. */
int32_t epochs_of_offset(const EpochEntry *list, int32_t count, int64_t offset);

#endif
