/*
 * plog.h - one partition's log: append, read, look up, open, repair
 *
 * Readers take no lock: they copy the published tuple and read files up to what it names. Writers
 * hold the partition's append lock (plog_lock), the only lock ever held over a write. References are
 * PartitionRef; a stale one yields OT_E_UNKNOWN_TOPIC_OR_PARTITION everywhere.
 *
 * Runs in: backend (append, read), startup (open), checkpointer (flush, snapshots), retention (delete).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_H
#define OTTLA_STORAGE_PLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"
#include "ottla/storage/partition_slot.h"

/* ---- offsets ------------------------------------------------------------------------------------- */

typedef struct PlogOffsets {
    int64_t log_start_offset;
    int64_t last_stable_offset;
    int64_t high_watermark;
    int64_t log_end_offset;
    int64_t durable_offset;
    int32_t leader_epoch; /* of the metadata, not of the last batch */
} PlogOffsets;

/*
 * The offsets as published together. Opens the log if nobody did (plog_ensure_open): blocks for that.
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION; OT_E_NOT_LEADER_OR_FOLLOWER: being recovered now; OT_E_KAFKA_STORAGE_ERROR: failed.
 */
int plog_offsets(PartitionRef ref, PlogOffsets *ret, ErrInfo *err);

/* The same without opening; false when the log is not open (all zero then). */
bool plog_offsets_peek(PartitionRef ref, PlogOffsets *ret);

/*
 * Bytes of all .log files of an open log, as published; never opens or waits. 0: not open, deleted.
 * The walk costs O(segments).
 */
int64_t plog_size_bytes(PartitionRef ref);

/* How far a reader may see. */
typedef enum PlogBound {
    PLOG_BOUND_LEO, /* followers, replica id -2 */
    PLOG_BOUND_HW,  /* read_uncommitted */
    PLOG_BOUND_LSO, /* read_committed */
} PlogBound;

int64_t plog_bound_offset(const PlogOffsets *offsets, PlogBound bound);

/* ---- reading (log.md 12) ------------------------------------------------------------------------ */

typedef struct FileRef FileRef; /* a pinned entry of the process's descriptor cache */

/* Bytes of one segment file, ready for sendfile; len 0: nothing, no file. */
typedef struct PlogSlice {
    FileRef *file; /* pinned until plog_slice_release */
    int fd;
    int32_t len;
    int64_t pos;
} PlogSlice;

/* NULL-safe, sets the slice empty. Each slice of len > 0 is released exactly once. */
void plog_slice_release(PlogSlice *slice);

/* Where a read started: what a waiting fetch remembers to count the bytes that came since. */
typedef struct PlogPosition {
    int64_t offset;
    int64_t segment_base;
    int32_t pos;
} PlogPosition;

typedef struct PlogReadArgs {
    int64_t fetch_offset;
    PlogBound bound;
    int32_t max_bytes;  /* >= 0 */
    bool min_one_batch; /* the first batch is returned whole even if larger than max_bytes */
} PlogReadArgs;

typedef struct PlogReadResult {
    PlogOffsets offsets; /* of the same publication as the slice */
    PlogPosition start;
    PlogSlice slice;
    /*
     * Offsets and positions for the aborted list: the slice holds no offset >= upper_bound
     * (log.md 8.7); only set when something was read.
     */
    int64_t upper_bound;
} PlogReadResult;

/*
 * Finds the batch that holds fetch_offset and gives the bytes from its start: whole segment bytes up
 * to the bound and max_bytes, never beyond the segment it started in; the last batch may be cut, the
 * first one is not: if it is larger than max_bytes, there is nothing (as in Kafka since KIP-74), or all
 * of it with min_one_batch.
 * OT_E_OFFSET_OUT_OF_RANGE: below the log start or above LEO (ret->offsets is filled all the same).
 * An offset at or above the bound but not above LEO: success, empty slice.
 * OT_E_KAFKA_STORAGE_ERROR: the file cannot be read. OT_E_NOT_LEADER_OR_FOLLOWER: being recovered.
 */
int plog_read(PartitionRef ref, const PlogReadArgs *args, PlogReadResult *ret, ErrInfo *err);

/*
 * Bytes between a remembered position and the bound now, for minBytes. *ret_full: the bound lies in a
 * later segment (the fetch is to be answered at once). *ret_truncated: offset is above the bound now.
 */
typedef struct PlogAvailable {
    int64_t bytes;
    bool full;
    bool truncated;
} PlogAvailable;
int plog_available(PartitionRef ref, const PlogPosition *start, PlogBound bound, PlogAvailable *ret,
                   ErrInfo *err);

/* One aborted transaction for a read_committed fetch (8.7). */
typedef struct PlogAborted {
    int64_t producer_id;
    int64_t first_offset;
} PlogAborted;

/*
 * Transactions whose marker is at or after fetch_offset and that begin below upper_bound, from the
 * .txnindex files; array in the arena. Logs without aborted transactions cost no system call.
 */
int plog_aborted(PartitionRef ref, int64_t fetch_offset, int64_t upper_bound, Arena *arena,
                 PlogAborted **ret, int32_t *ret_count, ErrInfo *err);

/* ---- lookups (log.md 14.1, 14.2) ------------------------------------------------------------ */

typedef struct PlogFound {
    int64_t offset;       /* -1: not found */
    int64_t timestamp;    /* -1: not found */
    int32_t leader_epoch; /* of the batch; -1 unknown */
} PlogFound;

/* First record in offset order with timestamp >= target and offset >= log start (no bound applied). */
int plog_find_by_timestamp(PartitionRef ref, int64_t target_ms, Arena *arena, PlogFound *ret,
                           ErrInfo *err);

/* What lies between an offset and the high watermark. */
typedef struct PlogBehind {
    int64_t bytes; /* from the batch that holds the offset on; exact to one index interval */
    int64_t
        timestamp; /* of the first record at or above it, as its batch says; -1: none, or not to be had */
} PlogBehind;

/*
 * For readers that lag: an offset below the log start counts as that, one at or above the high watermark has nothing
 * before it. Reads one batch, into the arena where it must be decoded; too large for it: no timestamp. O(segments).
 */
int plog_behind(PartitionRef ref, int64_t offset, Arena *arena, PlogBehind *ret, ErrInfo *err);

/* The first record that holds the largest timestamp of the log (ListOffsets -3). */
int plog_find_max_timestamp(PartitionRef ref, Arena *arena, PlogFound *ret, ErrInfo *err);

/* ListOffsets -2: log start offset and the epoch of the first cache entry if it covers it, else -1. */
int plog_find_earliest(PartitionRef ref, PlogFound *ret, ErrInfo *err);

/* endOffsetFor (7.3): *ret_epoch -1 and *ret_end -1: undefined. */
typedef struct PlogEpochEnd {
    int32_t epoch;
    int64_t end_offset;
} PlogEpochEnd;
int plog_epoch_end_offset(PartitionRef ref, int32_t epoch, PlogEpochEnd *ret, ErrInfo *err);

/* ---- producers (log.md 8.1, 14.5) ---------------------------------------------------------- */

typedef struct PlogProducer {
    int64_t producer_id;
    int32_t epoch;
    int32_t last_sequence; /* -1: none */
    int64_t last_timestamp;
    int32_t coordinator_epoch;
    int64_t txn_start_offset; /* -1: none */
} PlogProducer;

/* All producers that the partition remembers, in no order; takes the append lock. */
int plog_producers(PartitionRef ref, Arena *arena, PlogProducer **ret, int32_t *ret_count,
                   ErrInfo *err);

/* ---- the append lock ------------------------------------------------------------------------------- */

#define PLOG_LOCK_WAIT_MS 10000 /* then 7, nothing appended (design.md 4) */

/*
 * Takes the append lock, repairs what a dead owner left (the six steps of design.md 4), opens the log
 * if nobody did. The slot stays valid until plog_unlock. Never hold two.
 * OT_E_REQUEST_TIMED_OUT: not free within the deadline. OT_E_UNKNOWN_TOPIC_OR_PARTITION: stale.
 * OT_E_KAFKA_STORAGE_ERROR: the log cannot be opened, or waits for its repair, which lacked a descriptor or memory
 * and is tried again. On failure nothing is held.
 */
int plog_lock(PartitionRef ref, PartitionSlot **ret, ErrInfo *err);

/* The same without opening or waiting (maintenance): OT_E_AGAIN when somebody holds it, or a repair is due. */
int plog_try_lock(PartitionRef ref, PartitionSlot **ret, ErrInfo *err);
void plog_unlock(PartitionSlot *slot);

/*
 * The lock alone, whatever the state of the slot (deleted, not open, not repaired): for its list of waiters. Repairs
 * if it can.
 * False: not free within PLOG_LOCK_WAIT_MS.
 */
bool plog_lock_plain(PartitionSlot *slot);

/*
 * Makes the log readable if it is not (first need opens). Cheap when open.
 * OT_E_NOT_LEADER_OR_FOLLOWER: another process recovers it now. OT_E_KAFKA_STORAGE_ERROR.
 */
int plog_ensure_open(PartitionRef ref, ErrInfo *err);

/* ---- appending (log.md 7.2, 8.2) ------------------------------------------------------------- */

typedef enum PlogOrigin {
    PLOG_ORIGIN_CLIENT,
    PLOG_ORIGIN_COORDINATOR,
} PlogOrigin;

typedef struct PlogAppendArgs {
    Batch *batch; /* of batch_validate; patched in place (base offset, leader epoch, append time) */
    PlogOrigin origin;
    int32_t leader_epoch;
    int64_t now_ms;  /* wall clock, taken under the lock */
    bool hw_follows; /* the only replica: HW moves in the same publication */
} PlogAppendArgs;

/* Bytes of a segment that are complete, so that their write-back may begin; len 0: none. */
typedef struct PlogFilled {
    int64_t segment_base;
    int32_t pos;
    int32_t len;
} PlogFilled;

/* A copy of a log's producers on its way to a file. */
typedef struct PlogSnapshot PlogSnapshot;

typedef struct PlogAppendResult {
    int64_t base_offset;
    int64_t last_offset;
    int64_t log_append_time_ms; /* -1 unless LogAppendTime; a duplicate: its batch's maxTimestamp */
    int64_t log_start_offset;
    bool duplicate; /* nothing was written */
    bool rolled;
    PlogFilled filled;      /* for plog_write_early */
    PlogSnapshot *snapshot; /* for plog_store_roll; NULL: none */
} PlogAppendResult;

/*
 * Appends one validated batch at the end and gives it its offsets. Needs the append lock. Blocks for
 * one write, seldom for a roll, which takes memory for a snapshot; no fsync.
 * OT_E_RECORD_LIST_TOO_LARGE, OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER, OT_E_INVALID_PRODUCER_EPOCH,
 * OT_E_INVALID_TXN_STATE, OT_E_NOT_ENOUGH_REPLICAS (no room for a producer): nothing written.
 * OT_E_KAFKA_STORAGE_ERROR: nothing published; the file is cut back, or the log dir is offline now.
 */
int plog_append(PartitionSlot *slot, const PlogAppendArgs *args, PlogAppendResult *ret,
                ErrInfo *err);

/*
 * Begins the write-back of what an append filled, if somebody waits for the disk in that directory:
 * the next commit need not carry it then. Without the append lock; may block while the disk is busy.
 */
void plog_write_early(PartitionRef ref, const PlogFilled *filled);

#define PLOG_ROLL_LOCK_US (200 * 1000)

/*
 * After plog_unlock: the snapshot of a roll gets its file; takes the copy back, NULL: nothing. Waits PLOG_ROLL_LOCK_US at
 * most for the append lock, under which only a name is given. Without it, or when the write fails, there is none.
 */
void plog_store_roll(PartitionRef ref, PlogSnapshot *s);

/*
 * Raises the log start offset (DeleteRecords); -1 means HW. At or below the current start: success
 * without a change. OT_E_OFFSET_OUT_OF_RANGE: above HW or below -1. Needs the append lock.
 */
int plog_delete_records_locked(PartitionSlot *slot, int64_t offset, int64_t *ret_log_start,
                               ErrInfo *err);

/* ---- maintenance ---------------------------------------------------------------------------------- */

/*
 * A checkpoint of one partition, in steps, so that many partitions share one flush of the disk:
 *
 *   begin    index entries (append lock for a moment) and a producer snapshot at LEO into their files
 *   flush    fdatasync of what begin named and of the folder; or one syncfs for many
 *   publish  the durable offset, and the recovery point (append lock for a moment)
 *   (the caller wakes who waits and writes the checkpoint files)
 *   retire   snapshots that the new one replaces are removed
 */
typedef struct PlogCheckpoint {
    PartitionRef ref;
    int dir;              /* where the log is at begin */
    int64_t from;         /* recovery point before */
    int64_t target;       /* LEO at begin: recovery point and durable afterwards */
    int64_t old_snapshot; /* to be removed in the end; -1: none */
    bool skip;            /* nothing to flush */
    uint64_t bytes;       /* appended at begin */
    bool later;           /* so little is new that the next full one is early enough */
} PlogCheckpoint;

typedef enum PlogCheckpointKind {
    PLOG_CHECKPOINT_EARLY, /* of logs with PLOG_EARLY_BYTES or more that are new */
    PLOG_CHECKPOINT_FULL,
    PLOG_CHECKPOINT_FINAL, /* the ordered stop: forced time index entry (log.md 9.2) */
} PlogCheckpointKind;

#define PLOG_EARLY_BYTES (1 << 20)

/*
 * begin takes the slot's dirty mark back.
 * OT_E_AGAIN: the append lock is held too long; OT_E_UNKNOWN_TOPIC_OR_PARTITION: deleted or not open;
 * OT_E_KAFKA_STORAGE_ERROR.
 */
int plog_checkpoint_begin(PartitionRef ref, PlogCheckpointKind kind, PlogCheckpoint *ret,
                          ErrInfo *err);

/* What is done between the steps of something long, so that nobody waits for all of it. */
typedef struct PlogServe {
    void (*serve)(void *arg);
    void *arg;
} PlogServe;

/*
 * Before the flush, where others wait for the disk: writes the .log files back in slices, so that the
 * flush is short, and serves between them. OT_E_KAFKA_STORAGE_ERROR as plog_checkpoint_flush.
 */
int plog_checkpoint_write_back(const PlogCheckpoint *cp, const PlogServe *between, ErrInfo *err);

/*
 * File by file. OT_E_KAFKA_STORAGE_ERROR: a flush failed, the directory is FAILED, never tried again
 * (log.md 9.1). OT_E_AGAIN: this process lacks descriptors or memory: plog_checkpoint_undo.
 */
int plog_checkpoint_flush(const PlogCheckpoint *cp, ErrInfo *err);

/* It was not flushed: the partition is dirty as before. */
void plog_checkpoint_undo(const PlogCheckpoint *cp);

/* Every file below it is on the disk. An open log that belongs to the caller's directory. */
int64_t plog_recovery_point(PartitionRef ref);

/* False: durable, but the recovery point stays; the append lock is held too long. */
bool plog_checkpoint_publish(const PlogCheckpoint *cp);
void plog_checkpoint_retire(const PlogCheckpoint *cp);

#define PLOG_EXPIRE_MAX 16384 /* producers dropped under one hold of the append lock */

/*
 * Drops producers without open transaction and older than the limit (8.4), in one walk over all of the partition.
 * Returns how many; PLOG_EXPIRE_MAX: there may be more.
 */
int32_t plog_expire_producers(PartitionRef ref, int64_t now_ms, int64_t expiration_ms);

/*
 * A retired slot: renames the folder to -delete, gives back pool entries, wakes the waiters, makes the
 * slot FREE. ret_folder: the folder's path now, "": there was none. OT_E_AGAIN: its lock is held.
 */
int plog_bury(int32_t slot_index, char ret_folder[LIMIT_PATH_BYTES], ErrInfo *err);

/* ---- regions ----------------------------------------------------------------------------------------- */

size_t segment_pool_shm_size(const ShmLimits *limits);
void segment_pool_shm_init(void *base, const ShmLimits *limits);
size_t producer_pool_shm_size(const ShmLimits *limits);
void producer_pool_shm_init(void *base, const ShmLimits *limits);

#endif
