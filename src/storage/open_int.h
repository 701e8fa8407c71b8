/*
 * open_int.h - what loading a log and recovering a segment share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_OPEN_INT_H
#define OTTLA_STORAGE_OPEN_INT_H

#include "storage/plog_int.h"

/* One segment while its log is opened. */
typedef struct LoadedSegment {
    int64_t base;
    int64_t size;
    int64_t max_timestamp; /* -1: none */
    int64_t max_timestamp_offset;
    int64_t first_timestamp; /* of its first batch; set by a scan from the start only */
    int64_t last_time_entry;
    int64_t end_offset; /* behind its last batch; base if it is empty; set by a scan */
    int32_t index_count;
    int32_t time_count;
    int32_t bytes_since_index;
    bool has_index;
    bool has_time_index;
    bool has_txn_index;
    bool has_log;
} LoadedSegment;

/* A log on its way from files to tuple. */
typedef struct LogLoad {
    PartitionSlot *slot;
    Arena *arena;
    TopicSettings settings;
    char folder[LIMIT_PATH_BYTES];
    LoadedSegment *segments; /* ascending */
    int32_t segment_count;
    int64_t *snapshots; /* end offsets, ascending */
    int32_t snapshot_count;
    EpochEntry *epochs; /* malloc'ed */
    int32_t epoch_count;
    int64_t epoch_room;
    bool epochs_changed;
    bool clean;
    bool repair; /* the directory is: what is verified is written again and flushed */
    int64_t recovery_point;
    int64_t scanned_from; /* offset of the first batch that recovery read, -1: none */
} LogLoad;

/*
 * Recovers one segment: finds the end of its whole batches with right checksums, cuts what follows,
 * makes its indexes anew from the last entry that can be trusted, extends the epochs. *ret_cut: bytes
 * were cut. OT_E_UNSUPPORTED: batches of an old format (never cut).
 */
int segment_recover(LogLoad *load, LoadedSegment *seg, int64_t from_offset, bool *ret_cut,
                    ErrInfo *err);

/* Adds the epochs of all batches of a segment that was looked at already; headers only. */
int segment_collect_epochs(LogLoad *load, const LoadedSegment *seg, ErrInfo *err);

/*
 * End offset of a segment closed in order: from its last index entry on, headers only. *ret_ok false:
 * what is there is not what a clean end looks like.
 */
int segment_find_end(const LogLoad *load, LoadedSegment *seg, bool *ret_ok, ErrInfo *err);

#endif
