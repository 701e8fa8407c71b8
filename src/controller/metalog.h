/*
 * metalog.h - the files of __cluster_metadata-0: segments, indexes, epochs, quorum-state, snapshots
 *
 * Runs in: controller. Never: knows what a record means.
 *
 *   M1  appended batches are on disk when metalog_append returns; a failed append leaves none of them
 *   M2  nothing in the folder is changed before metalog_make_writable()
 *   M3  a snapshot has its final name only when it is whole and on disk
 *   M4  log bytes are deleted only below a snapshot that is on disk; the newest one stays
 *   M5  behind the first append all bytes that were read at the start are on disk, also those that a
 *       flush lost in the run before (settings.renew)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_METALOG_H
#define OTTLA_CONTROLLER_METALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/meta_batch.h"
#include "ottla/common/limits.h"
#include "ottla/raft/quorum_state.h"
#include "ottla/storage/epochs.h"

#define METALOG_FOLDER "__cluster_metadata-0"

typedef struct SnapshotId {
    int64_t offset; /* exclusive */
    int32_t epoch;  /* of the record before it */
} SnapshotId;

typedef struct MetaSnapshot {
    SnapshotId id;
    int64_t bytes;
} MetaSnapshot;

typedef struct MetaSegment {
    int64_t base;
    int64_t size;
} MetaSegment;

typedef struct MetaLogSettings {
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t max_retention_bytes;
    int64_t max_retention_ms;
    bool
        renew; /* the log could not be flushed in the run before: metalog_make_writable() mends that */
} MetaLogSettings;

typedef struct MetaLog {
    char folder[LIMIT_PATH_BYTES];
    MetaLogSettings settings;
    Arena *arena; /* lists below; grows with files, not with records */

    MetaSegment *segments; /* ascending; the last is written to */
    int32_t segment_count, segment_room;
    MetaSnapshot *snapshots; /* ascending; that of offset 0 included */
    int32_t snapshot_count, snapshot_room;
    EpochEntry *epochs;
    int32_t epoch_count, epoch_room;

    int64_t end_offset;
    int32_t last_epoch; /* of the last record; 0: none */
    int64_t last_timestamp;
    int64_t cut_bytes; /* torn tail of the last segment, found by replay */
    int64_t bytes_since_snapshot;

    /* The active segment; fds are -1 before metalog_make_writable. */
    int log_fd, index_fd, time_fd;
    int64_t index_entries, time_entries;
    int64_t bytes_since_index;
    int64_t max_timestamp, max_timestamp_offset; /* of the segment */
    int64_t last_time_entry;
    int64_t first_timestamp; /* of its first batch; -1: none */
} MetaLog;

/* Looks at the folder DIR/__cluster_metadata-0. OT_E_NOT_FOUND: it is missing. Reads names only. */
int metalog_open(MetaLog *log, const char *metadata_dir, const MetaLogSettings *settings,
                 ErrInfo *err);
void metalog_close(MetaLog *log);

/* What is called for each batch of the newest snapshot, then of the log behind it. */
typedef struct MetaReader {
    /* from_snapshot: offsets in it count from 0 */
    int (*batch)(void *arg, BytesView batch, bool from_snapshot, ErrInfo *err);
    void *arg;
} MetaReader;

/*
 * Reads the newest whole snapshot and the log behind it. The first batch that is torn or fails its
 * checksum ends the log. An error of the callback ends the walk.
 * OT_E_CORRUPT: an unreadable snapshot, a gap between segments, log start above 0 without a snapshot.
 */
int metalog_replay(MetaLog *log, const MetaReader *reader, ErrInfo *err);

/* Reads a file of batches such as bootstrap.checkpoint. OT_E_NOT_FOUND; OT_E_CORRUPT: it is not whole. */
int metalog_read_checkpoint(const char *path, const MetaReader *reader, ErrInfo *err);

/*
 * Cuts the torn tail, removes left-overs of killed snapshots, opens the active segment (makes it,
 * and partition.metadata, when there is none), completes indexes and epochs.
 */
int metalog_make_writable(MetaLog *log, ErrInfo *err);

/*
 * Appends whole batches whose base offsets continue end_offset, and flushes. Rolls before it when
 * the segment is full or old.
 * OT_E_NO_SPACE: nothing was appended. Other errors: the folder failed; the process must end.
 */
int metalog_append(MetaLog *log, const BytesView *batches, int32_t count, int64_t now_ms,
                   ErrInfo *err);

/* Notes that an epoch begins at the log's end; durable. */
int metalog_begin_epoch(MetaLog *log, int32_t epoch, ErrInfo *err);

/* OT_E_NOT_FOUND: no such file. OT_E_CORRUPT: unreadable; the node must not start. */
int metalog_load_quorum_state(const MetaLog *log, QuorumState *ret, ErrInfo *err);
int metalog_store_quorum_state(const MetaLog *log, const QuorumState *state, int data_version,
                               ErrInfo *err);

/* ---- snapshots --------------------------------------------------------------------------------- */

typedef struct SnapshotWriter SnapshotWriter;

typedef struct SnapshotFacts {
    SnapshotId id;
    int64_t last_timestamp; /* of the last record in it */
    int64_t now_ms;
    int16_t kraft_version;
    VoterSet voters; /* when kraft_version is 1 */
} SnapshotFacts;

/* Starts FOLDER/OFFSET-EPOCH-RANDOM.checkpoint.part. NULL: err. */
SnapshotWriter *snapshot_begin(const char *folder, const SnapshotFacts *facts, ErrInfo *err);

/* One data record; its bytes are copied. */
int snapshot_add(SnapshotWriter *w, BytesView record, ErrInfo *err);

/* Writes the footer, flushes, renames. The writer is gone in any case. ret_bytes may be NULL. */
int snapshot_finish(SnapshotWriter *w, int64_t *ret_bytes, ErrInfo *err);

/* Removes what was written; NULL is fine. */
void snapshot_abandon(SnapshotWriter *w);

/* Also used for the file bootstrap.checkpoint: another path than the id says; NULL: that of the id. */
SnapshotWriter *snapshot_begin_as(const char *path, const SnapshotFacts *facts, ErrInfo *err);

/* Tells the log of a finished snapshot. */
int metalog_add_snapshot(MetaLog *log, SnapshotId id, int64_t bytes, ErrInfo *err);

/* Deletes old snapshots and the segments below them, as the settings allow (cluster.md 2.10). */
int metalog_clean(MetaLog *log, int64_t now_ms, ErrInfo *err);

void metalog_snapshot_path(const char *folder, SnapshotId id, char ret[LIMIT_PATH_BYTES]);

#endif
