/*
 * fd_cache.h - the process's open partition files, bounded, least recently used goes first
 *
 * Private to each process. An entry is found by (slot, slot generation, segment base, kind) and valid
 * while the slot's file_generation is the one it was opened under. An entry that is pinned (a slice is
 * queued for sendfile) is never closed; when stale it is closed at its release.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_FD_CACHE_H
#define OTTLA_STORAGE_FD_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/storage/partition_slot.h"

/*
 * max_open  descriptors kept at most; 0: a quarter of RLIMIT_NOFILE, at most 32,768
 * Called once per process before the first use; a forked child starts with an empty cache of its own
 * and closes what it inherited (fd_cache_reset).
 */
void fd_cache_init(int max_open);

/*
 * An idle process closes all but the newest ones. False: some above the number are still needed, pinned or not
 * covered by a commit yet; to be tried again later.
 */
bool fd_cache_trim(int keep);

/* Closes everything that is not pinned. */
void fd_cache_reset(void);

/*
 * Closes descriptors of partitions whose files changed since (deleted segments, deleted topics), so
 * that an idle process does not keep disk space. Cheap when nothing changed anywhere: one shared word.
 * Every process calls it whenever it wakes up.
 */
void fd_cache_sweep(void);

/*
 * A pinned descriptor of a file that was put aside keeps its space when that is unlinked: until the
 * deadline, twice the delay after which deleted segments are unlinked (at least 3 s more than it). INT64_MAX: none.
 * At the deadline holds_space says whether a file that is unlinked is still held; who pins it then lets
 * go (a connection whose client does not read is closed).
 */
int64_t fd_cache_hold_deadline_us(void);
bool fd_cache_holds_space(int64_t now_us);

/*
 * This open descriptor could not be read when an answer was half sent: from now on every process reads
 * what it is about to promise of that log (plog_read). The partition, or NULL if it is gone.
 */
const PartitionSlot *fd_cache_note_unreadable(int fd);

/* Somebody's files vanished: raises the word that fd_cache_sweep compares. */
void fd_cache_announce(void);

/* Descriptors kept at most: whoever pins many at once keeps well below it. */
int fd_cache_limit(void);

/* Open descriptors in the cache, for tests and statistics. */
int fd_cache_count(void);

#endif
