/*
 * open_int.h - what the steps of opening a log share
 *
 * plog_open.c calls them in the order of this page: whose folder it is, its files, epochs, segments, producers.
 * All of them need the append lock; a failure leaves a LogLoad that can only be thrown away, and files that a
 * new attempt can make sense of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_OPEN_INT_H
#define OTTLA_STORAGE_OPEN_INT_H

#include "storage/plog_int.h"

#define FOLDER_FILES_MAX 1000000 /* names in a partition folder */

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
    bool epochs_lost; /* their file says nothing: they come from the batches */
    bool epochs_changed;
    bool clean;
    bool read_only; /* the directory is: what would be tidied up stays */
    bool repair;    /* the directory is: what is verified is written again and flushed */
    int64_t recovery_point;
    int64_t scanned_from; /* offset of the first batch that recovery read, -1: none */
} LogLoad;

/* ---- the folder (plog_folder.c) ------------------------------------------------------------------ */

/*
 * Whose folder stands at the partition's place? *ret_mine false: none of ours is there (any more); what stood there
 * was set aside. One without partition.metadata and without segments was left by a death between two steps of its
 * making, and is ours. Waits for who still works on a deleted topic's log there; OT_E_AGAIN: in vain.
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION: the partition is deleted.
 */
int plog_claim_folder(PartitionSlot *slot, bool *ret_mine, ErrInfo *err);

/* ---- files (open_files.c) ------------------------------------------------------------------------ */

/* Removes what a broker died over, finishes what it had replaced, then fills segments and snapshots. */
int load_files(LogLoad *load, ErrInfo *err);

/* ---- epochs (open_epochs.c) ---------------------------------------------------------------------- */

/* Reads the file of epochs, or says in epochs_lost that it is of no use. */
int load_epochs(LogLoad *load, ErrInfo *err);

/* Epochs that were lost, out of the headers of the whole log; after load_segments. */
int load_rebuild_epochs(LogLoad *load, ErrInfo *err);

/* Cuts them to what the log holds, and writes the file when it says something else. */
int load_settle_epochs(LogLoad *load, int64_t log_start, int64_t log_end, ErrInfo *err);

/* ---- segments (open_segments.c) ------------------------------------------------------------------ */

/*
 * Removes the segments below the log start, before anything is made of the others: nobody flushed what is
 * deleted, and damage in it must not cut the log.
 */
int load_remove_old_segments(LogLoad *load, ErrInfo *err);

/* Trusts, looks at or recovers each; removes those behind a cut or a hole. */
int load_segments(LogLoad *load, ErrInfo *err);

/* Removes the segments from an index on. */
int load_remove_segments(LogLoad *load, int32_t first, ErrInfo *err);

/* Offset behind the last batch. */
int64_t load_end_offset(const LogLoad *load);

/* ---- one segment (segment_recover.c) ------------------------------------------------------------- */

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

/* ---- producers (open_producers.c) ---------------------------------------------------------------- */

/*
 * Removes snapshots above the end of the log, or of no segment's base but for the newest: they are of no use (9.4
 * step 8). Nor is one below the first segment: what came between it and the log is not there to be replayed.
 */
int load_prune_snapshots(LogLoad *load, int64_t log_end, ErrInfo *err);

/*
 * The newest snapshot that is whole and not above what was flushed before the recovery point was
 * written (or was read by recovery from its start), then the batches behind it.
 * None at all after a clean stop: nothing to remember (8.8). A checkpoint that says that there are no
 * producers is as good as an empty snapshot.
 */
int load_producers(LogLoad *load, PlogTuple *t, ErrInfo *err);

#endif
