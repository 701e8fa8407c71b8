/*
 * plog_int.h - what the files of src/storage share about one partition's log
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_INT_H
#define OTTLA_STORAGE_PLOG_INT_H

#include "ottla/common/vfs.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/plog.h"
#include "ottla/storage/segment_format.h"
#include "ottla/storage/segment_scan.h"
#include "storage/pools_int.h"

#define FILE_MODE 0640

/* Names a partition in pool owner words: (slot + 1) << 32 | generation. */
uint64_t pslot_owner_word(const PartitionSlot *slot);

/* ---- names (segment_file.c) ------------------------------------------------------------------- */

void plog_folder_path(const PartitionSlot *slot, char ret[LIMIT_PATH_BYTES]);
void plog_file_path(const PartitionSlot *slot, int64_t base, SegmentFile kind,
                    char ret[LIMIT_PATH_BYTES]);

/* ---- descriptors (fd_cache.c) ------------------------------------------------------------------ */

struct FileRef {
    int fd;
    int32_t pins;
    int32_t slot;
    uint32_t generation;
    uint32_t file_generation;
    SegmentFile kind;
    int64_t base;
    int64_t written_end; /* log offset up to which this process wrote it; 0: it did not */
    FileRef *hash_next;
    FileRef *lru_prev;
    FileRef *lru_next;
    bool detached;    /* stale, not found any more; closed at its last release */
    int64_t close_us; /* monotonic: detached and pinned, it keeps the space of a file until then */
};

/*
 * The pinned descriptor of a segment file, opened when needed. create: make the file if it is missing
 * (writers). OT_E_NOT_FOUND: not there: look at the tuple again.
 */
int fd_cache_get(const PartitionSlot *slot, int64_t base, SegmentFile kind, bool create,
                 FileRef **ret, ErrInfo *err);
void fd_cache_put(FileRef *file);

/*
 * This process wrote what ends at this offset of the log: the descriptor is kept until that is durable,
 * as long as there is room (design.md 6).
 */
void fd_cache_note_written(FileRef *file, int64_t end_offset);

/* ---- index files (segment_index.c) ------------------------------------------------------------ */

/* A segment as a reader sees it: from the tuple or from the list. */
typedef struct SegmentView {
    int64_t base;
    int64_t end_offset; /* base of the next segment; LEO for the active one */
    int64_t max_timestamp;
    int64_t max_timestamp_offset;
    int32_t size;
    bool active;
    int32_t list_index; /* of an inactive one */
} SegmentView;

/*
 * Largest entry with offset <= target; {0, 0} relative when there is none. The tuple is the one the
 * view was taken from.
 */
int offset_index_find(const PartitionSlot *slot, const PlogTuple *tuple, const SegmentView *seg,
                      int64_t target, IndexEntry *ret, ErrInfo *err);

/* Largest entry with timestamp <= target; offset_rel 0 and timestamp -1 when there is none. */
int time_index_find(const PartitionSlot *slot, const PlogTuple *tuple, const SegmentView *seg,
                    int64_t target, TimeEntry *ret, ErrInfo *err);

/*
 * Makes room for one more entry of each kind. Before anything of an append is in tuple, the lock
 * holder's private copy: it may be published as it is.
 */
int index_prepare(PartitionSlot *slot, PlogTuple *tuple, ErrInfo *err);

/* What the tuple was for failed, and it is not published: gives back the chunk that index_prepare took for it. */
void index_drop(PartitionSlot *slot, const PlogTuple *tuple);

/* Appends entries of the active segment after index_prepare. */
int index_append(PartitionSlot *slot, PlogTuple *tuple, IndexEntry entry, ErrInfo *err);
int time_index_append(PartitionSlot *slot, PlogTuple *tuple, TimeEntry entry, ErrInfo *err);

/* Brings the hot entries into the files; the chunk stays. */
int index_flush(PartitionSlot *slot, PlogTuple *tuple, ErrInfo *err);

/* ---- segments of a tuple (plog_read.c) --------------------------------------------------------- */

/*
 * The segment that holds an offset in [log start, LEO], from a tuple read together with
 * list_generation. False: the list changed, start again.
 */
bool plog_segment_of(const PartitionSlot *slot, const PlogTuple *tuple, int64_t offset,
                     SegmentView *ret);
bool plog_segment_after(const PartitionSlot *slot, const PlogTuple *tuple, const SegmentView *seg,
                        SegmentView *ret);
bool plog_segment_at(const PartitionSlot *slot, const PlogTuple *tuple, int32_t index,
                     SegmentView *ret);

/* A consistent look at an open log; false: stale reference or not open. */
typedef struct PlogView {
    PartitionSlot *slot;
    uint32_t list_generation;
    PlogTuple tuple;
} PlogView;
int plog_view(PartitionRef ref, PlogView *ret, ErrInfo *err);
bool plog_view_valid(const PlogView *view, PartitionRef ref);

/*
 * Position of the first batch whose last offset is >= offset, at or after the segment's start.
 * *ret_found false: none in this segment.
 */
typedef struct BatchPlace {
    bool found;
    int32_t pos;
    int32_t size;
    int64_t base_offset;
    int64_t last_offset;
} BatchPlace;
int plog_place_of(const PlogView *view, const SegmentView *seg, int64_t offset, FileRef *file,
                  BatchPlace *ret, ErrInfo *err);

/* ---- opening and repair -------------------------------------------------------------------------- */

/* Append lock held, state UNOPENED: loads, recovers if needed, publishes. */
int plog_open_locked(PartitionSlot *slot, ErrInfo *err);

/*
 * Finishes the active segment and begins the next one at LEO; published by itself, so that a death
 * later leaves an empty active segment. The caller takes a snapshot, and writes it without the lock.
 * tuple is the lock holder's private copy; after a failure, which may have brought index entries into
 * their files, it is that of the published one.
 */
int plog_roll_locked(PartitionSlot *slot, PlogTuple *tuple, const TopicSettings *settings,
                     int64_t now_ms, ErrInfo *err);

/* Creates the folder at the first append. OT_E_UNKNOWN_TOPIC_OR_PARTITION: the partition is deleted. */
int plog_make_folder(PartitionSlot *slot, ErrInfo *err);

/* Lock without opening; repairs. False: somebody holds it, or the repair is put off. */
bool plog_try_lock_quiet(PartitionSlot *slot);

/* The same with some patience. */
bool plog_lock_within(PartitionSlot *slot, int64_t wait_us);

/*
 * The lock of a deleted partition, by who holds that of another one, but not the names lock: whoever works on the old
 * log comes to its end. Who holds it never waits for one that is not retired, nor for a younger one that is. False:
 * nobody let it go within 10 s.
 */
bool plog_lock_retired(PartitionSlot *retired);

/*
 * Renames the folder at a partition's place in a directory, which is not to be opened as its log: to -delete when it is
 * that of a deleted topic, or an old one of this partition, else to -stray. owner: the id in it, zero when it is not
 * known. Names lock of the directory held. OT_E_AGAIN: somebody still works on *ret_busy, the deleted topic's log.
 */
int plog_set_folder_aside(const PartitionSlot *slot, int dir, const char *folder, Uuid owner,
                          PartitionSlot **ret_busy, ErrInfo *err);

/*
 * Names lock of the partition's directory held, and its append lock. Deleted meanwhile, its place may be that of a new
 * topic's log already; before this a new one cannot get there while the append lock is held.
 */
int plog_check_place(const PartitionSlot *slot, ErrInfo *err);

/*
 * Index entries into their files, then the tuple t is published; append lock held. *ret_snapshot: the producers at LEO,
 * which plog_snapshot_store is to write; NULL: there is nothing to be written.
 */
int plog_write_state_locked(PartitionSlot *slot, PlogTuple *t, PlogCheckpointKind kind,
                            PlogSnapshot **ret_snapshot, ErrInfo *err);

/* ---- flush (plog_flush.c) ------------------------------------------------------------------------ */

/*
 * NEW_NAMES_* were made: the next commit makes them durable. After they were made and before anything
 * that needs them is published, so that who takes the word finds them.
 */
static inline void
plog_note_names(PartitionSlot *slot, uint32_t names)
{
    (void)atomic_u32_or(&slot->new_names, names);
}

/*
 * fdatasync of the .log and the kinds behind it up to last, of every segment that holds something of
 * [from, LEO). OT_E_AGAIN: the list of segments does not hold still.
 */
int plog_flush_segments(PartitionRef ref, int64_t from, SegmentFile last, ErrInfo *err);

/*
 * Writes the .log files that hold something of [from, LEO) back in slices, and serves between them. Makes
 * nothing durable. Errors as plog_flush_segments.
 */
int plog_write_back(PartitionRef ref, int64_t from, const PlogServe *between, ErrInfo *err);

/* fdatasync of one file. One that is missing (no such index, deleted meanwhile) has nothing to flush. */
int plog_flush_path(const char *path, ErrInfo *err);

/* partition.metadata, the epoch file, and the folders that names (NEW_NAMES_*) says. */
int plog_flush_names(const PartitionSlot *slot, uint32_t names, ErrInfo *err);

/* The durable offset moves up, unless the directory failed, or the partition is gone from it. */
void plog_publish_durable(PartitionRef ref, int dir, int64_t offset);

/* OT_E_AGAIN when the code says that this process lacks something, else the directory failed. */
int plog_flush_failed(int dir, int code, ErrInfo *err);

/* ---- other -------------------------------------------------------------------------------------- */

/* Something changed that the next checkpoint has to write down. */
void plog_mark_dirty(PartitionSlot *slot);

/*
 * Replays batches [from, LEO) into the producer state; txn_from: offset from which .txnindex entries
 * are written anew (INT64_MAX: none). Needs the append lock; tuple is the private copy.
 */
int plog_replay_producers(PartitionSlot *slot, PlogTuple *tuple, int64_t from, int64_t txn_from,
                          ErrInfo *err);

/* ---- producer snapshots (plog_snapshot.c) -------------------------------------------------------- */

typedef enum PlogSnapshotKind {
    PLOG_SNAPSHOT_ROLL,       /* where a segment begins */
    PLOG_SNAPSHOT_CHECKPOINT, /* at LEO, for a recovery point */
} PlogSnapshotKind;

/* A copy of all producers, to be written when the append lock, which is held, is let go. NULL: no memory. */
PlogSnapshot *plog_snapshot_take(const PartitionSlot *slot, int64_t offset, PlogSnapshotKind kind,
                                 ErrInfo *err) __attribute__((warn_unused_result));

/*
 * Makes its file (not flushed), unless a newer one is there, and takes the copy back; NULL: nothing. The append lock is
 * held, or taken with some patience. *ret_old: a snapshot that it replaces, if there is one.
 * OT_E_AGAIN: the append lock is held too long. OT_E_UNKNOWN_TOPIC_OR_PARTITION: deleted or not open.
 * OT_E_KAFKA_STORAGE_ERROR: as plog_write_failed.
 */
int plog_snapshot_store_locked(PartitionSlot *slot, PlogSnapshot *s, int64_t *ret_old,
                               ErrInfo *err);
int plog_snapshot_store(PartitionRef ref, PlogSnapshot *s, int64_t wait_us, int64_t *ret_old,
                        ErrInfo *err);

/* A copy that is not to be written. */
void plog_snapshot_discard(PlogSnapshot *s);

/* Loads a snapshot file into the (empty) producer state. */
int plog_snapshot_load(PartitionSlot *slot, int64_t offset, ErrInfo *err);

/* Epoch file of the partition: assigns and stores; updates tuple. */
int plog_assign_epoch(PartitionSlot *slot, PlogTuple *tuple, int32_t epoch, int64_t start,
                      ErrInfo *err);

/*
 * Time index entry for the largest timestamp of the active segment unless the last one is it: with
 * each offset index entry, and when the segment ends, so that its last entry is its maximum (6.3).
 */
int plog_force_time_entry(PartitionSlot *slot, PlogTuple *tuple, ErrInfo *err);

/* This process, or the disk, lacks something now that it may have later, a lock maybe; nothing failed. */
static inline bool
plog_is_passing(int code)
{
    return code == OT_E_NO_SPACE || code == OT_E_LIMIT || code == OT_E_NO_MEMORY ||
           code == OT_E_TIMEOUT || code == OT_E_AGAIN;
}

/* Turns a failed write into what the log dir's state and the client get (design.md 6). */
int plog_write_failed(PartitionSlot *slot, int code, ErrInfo *err);

#endif
