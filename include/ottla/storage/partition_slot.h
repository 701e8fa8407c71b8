/*
 * partition_slot.h - the partition table: one slot of shared memory per hosted partition
 *
 * A slot holds identity, settings, leader epoch, the append lock, the published tuple, the roots of
 * the segment list and of the producer state, and the head of the wait list. Who may change what:
 *
 *   identity, settings, leader epoch, role   controller process (pslot_alloc, pslot_set_*, pslot_retire)
 *   tuple, roots, everything else            holder of the append lock
 *   state                                    see PslotState
 *
 * Crash rule: a backend that dies with the append lock held leaves a whole published tuple; the next
 * owner repairs from it (plog_lock). Death of the controller rebuilds the region.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PARTITION_SLOT_H
#define OTTLA_STORAGE_PARTITION_SLOT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/common/topic_settings.h"
#include "ottla/common/view.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/plock.h"
#include "ottla/ipc/region.h"
#include "ottla/ipc/twocopy.h"
#include "ottla/ipc/waitlist.h"

#define PSLOT_NONE (-1)

/* How a slot is named across time: valid while the slot's generation is this one. */
typedef struct PartitionRef {
    int32_t slot; /* PSLOT_NONE: no partition */
    uint32_t generation;
} PartitionRef;

#define PARTITION_REF_NONE ((PartitionRef){PSLOT_NONE, 0})

typedef enum PslotState {
    PSLOT_FREE,     /* controller: to UNOPENED (pslot_alloc) */
    PSLOT_UNOPENED, /* append lock: to OPEN or FAILED (plog_open_locked) */
    PSLOT_OPEN,
    PSLOT_FAILED,   /* cannot be opened, or a file of it failed: 56 until restart */
    PSLOT_DELETING, /* controller (pslot_retire); retention: to FREE once the folder is renamed */
    PSLOT_STATE_COUNT
} PslotState;

/*
 * What readers of a log need, published as a whole (design.md 4 "The tuple"). Offsets are log
 * offsets, *_pos are byte positions in the segment named beside them.
 *
 *   T1  log_start <= lso <= high_watermark <= log_end (lso < log_start only inside a transaction
 *       that DeleteRecords cut, as in Kafka)
 *   T2  the bytes [0, active_size) of the active segment are whole batches, all offsets < log_end
 *   T3  index_count entries of the offset index exist: index_flushed in the file, the rest in the
 *       hot chunk; the same for the time index
 *   T4  the inactive segments are seg_count entries from the chunk seg_head, entry seg_first on
 */
typedef struct PlogTuple {
    int64_t log_end; /* LEO: the next offset to assign */
    int64_t high_watermark;
    int64_t first_unstable; /* first offset of the earliest open transaction; -1: none */
    int64_t log_start;
    int64_t recovery_point; /* every file below it is on disk (S7); moved by checkpoints */

    int64_t active_base;          /* base offset of the active segment */
    int64_t max_timestamp;        /* largest of the active segment; -1: none */
    int64_t max_timestamp_offset; /* last offset of the batch that holds it */
    int64_t first_timestamp;      /* maxTimestamp of its first batch; -1: none (6.7) */
    int64_t created_ms;           /* wall clock of its creation or loading */
    int64_t last_time_entry;      /* timestamp of the last time index entry; -1: none */
    int32_t active_size;          /* published bytes of its .log */
    int32_t hw_pos; /* position of high_watermark in the active segment; -1: not known */
    int32_t index_count;
    int32_t index_flushed;
    int32_t time_count;
    int32_t time_flushed;
    int32_t txn_index_size; /* bytes of its .txnindex; 0: no file */
    int32_t bytes_since_index;
    int32_t jitter_ms; /* of this segment (6.7) */

    int32_t last_epoch; /* latest entry of the leader-epoch file; -1: none */
    int64_t last_epoch_start;

    uint32_t seg_head; /* first chunk of inactive segments; 0: none */
    uint32_t seg_tail;
    uint32_t hot_chunk; /* recent index entries; 0: none */
    int32_t seg_first;  /* entries of seg_head that are gone */
    int32_t seg_count;
    uint32_t pad;
} PlogTuple;

/* Role of this node for the partition, as the metadata says. */
typedef enum PslotRole {
    PSLOT_ROLE_NONE, /* hosted, no leader known */
    PSLOT_ROLE_LEADER,
    PSLOT_ROLE_FOLLOWER,
} PslotRole;

/* How far the log is on the disk; counts only for the partition it names. */
typedef struct DurableMark {
    uint64_t generation; /* of the slot */
    int64_t offset;
} DurableMark;

/* Names in a partition's folder that the next commit has to make durable. */
enum {
    NEW_NAMES_FILES = 1,  /* files were made or renamed in the folder */
    NEW_NAMES_FOLDER = 2, /* the folder itself is new */
};

/* What is counted of a partition since it was given to this node, beside bytes_appended. */
typedef enum PslotCount {
    PSLOT_COUNT_RECORDS_IN,
    PSLOT_COUNT_PRODUCES,
    PSLOT_COUNT_PRODUCES_FAILED,
    PSLOT_COUNT_BYTES_OUT,
    PSLOT_COUNT_FETCHES, /* that handed out records */
    PSLOT_COUNT_FETCHES_FAILED,
    PSLOT_COUNT_BYTES_REJECTED, /* too large for the topic */
    PSLOT_COUNT_COUNT
} PslotCount;

/* Written by the controller process as one 64-bit word each where readers need them together. */
typedef struct PartitionSlot {
    /* --- first cache lines: what every append and fetch touches --- */
    AtomicU32 generation; /* odd or even, no matter; changes at alloc and retire */
    AtomicU32 state;      /* PslotState */
    TwoCopy tuple_head;   /* of tuple below */
    AtomicU64 leadership; /* leader epoch << 32 | isr size << 16 | replica count << 8 | role */
    AtomicU64 settings;   /* index of the settings record << 32 | serial */
    AtomicU32
        file_generation; /* changes when files vanished or were renamed: cached fds are stale */
    AtomicU32 list_generation; /* changes when chunks were recycled: list readers start again */
    PLock append_lock;
    WaitList waiters;
    PlogTuple tuple[2];

    /* --- append lock holder --- */
    AtomicI64 producer_end; /* producer state covers [log start, producer_end): stored last */
    uint32_t producer_root; /* pool entry; 0: none */
    uint32_t producer_count;
    AtomicI64 repair_at_us; /* a repair lacked something: the next try, monotonic; 0: none is due */
    AtomicU32 opening;      /* a process is inside plog_open_locked (informational) */
    AtomicU32 has_aborted;  /* some segment has a .txnindex */
    AtomicU32 unreadable;   /* a file could not be read on its way to a client; anybody stores it */
    /* Of the newest producer snapshot file that is not of a roll alone; -1: none. */
    int64_t snapshot_offset;
    /* The state at this offset is that of no producer, no file needed; 0: not known. Anybody loads it. */
    AtomicI64 producerless_end;

    /* --- commits (plog_commit.h) --- */
    AtomicU32 commit_due; /* 1: to be committed within flush.ms */
    AtomicU32 new_names;  /* NEW_NAMES_*: append lock sets, checkpointer takes */
    TwoCopy durable_head; /* of durable below; checkpointer */
    DurableMark durable[2];
    AtomicU32
        durable_guard; /* index of the slot + 1 of the checkpointer that writes the mark; two meet while a log is moved */

    /* --- a move to another directory (plog_move.h) --- */
    AtomicU64 wanted_dir;  /* PslotWish; append lock, or the names lock of that directory */
    AtomicI64 future_end;  /* end offset of the copy; retention */
    AtomicI64 future_size; /* bytes of its .log files */
    AtomicU32
        left_dir; /* directory + 1 whose checkpoints name the log until those of the new one do */

    /* --- identity and what the checkpoint files said; controller process --- */
    Uuid topic_id;
    int32_t partition;
    AtomicI32 log_dir; /* pslot_dir; append lock */
    int32_t
        named_dir; /* as the metadata says, as far as the controller saw to it; -1: none of ours */
    int64_t start_recovery_point;
    int64_t start_log_start;
    int64_t start_high_watermark;
    AtomicU64 bytes_appended; /* statistics, from here on */
    AtomicU64 counts[PSLOT_COUNT_COUNT];
    uint64_t bytes_begun;   /* of them, when the last checkpoint began; append lock */
    AtomicU32 changed;      /* on the list of partitions that retention has to judge anew */
    AtomicI32 changed_next; /* slot + 1 of the next; 0: last */
    AtomicI32 retired_next; /* the same in the list of retired slots, then of free ones */
    uint8_t topic_len;
    bool has_folder; /* append lock: the partition's folder exists */
    char topic[LIMIT_TOPIC_NAME_LEN + 1];
} PartitionSlot;

static_assert(sizeof(PartitionSlot) <= 1024, "design.md 10: a hot partition costs at most 1 KiB");
static_assert(sizeof(PlogTuple) % 8 == 0, "copied by words");

/* ---- region partition_table ---------------------------------------------------------------- */

size_t partition_table_shm_size(const ShmLimits *limits);
void partition_table_shm_init(void *base, const ShmLimits *limits);

/* Slots of the table, used or not. */
int32_t pslot_table_size(void);

/* One above the highest index ever given out: the bound of every walk over all partitions. */
int32_t pslot_high(void);

/* The slot at an index in [0, pslot_table_size()). */
PartitionSlot *pslot_at(int32_t index);
int32_t pslot_index(const PartitionSlot *slot);

/*
 * The log directory (index of logdirs.h). It changes when the log is moved (plog_move.h), under the append
 * lock: who holds that is sure of it, others learn by a new file_generation that what they opened is stale.
 */
static inline int
pslot_dir(const PartitionSlot *slot)
{
    return atomic_i32_load(&slot->log_dir);
}

/* The slot, or NULL when the reference is stale (deleted, or never valid). */
PartitionSlot *pslot_find(PartitionRef ref);
PartitionRef pslot_ref(const PartitionSlot *slot);

/* Statistics; anybody. Nothing happens when the reference is stale. */
void pslot_count(PartitionRef ref, PslotCount which, uint64_t amount);

bool pslot_is_current(PartitionRef ref);

static inline PslotState
pslot_state(const PartitionSlot *slot)
{
    return (PslotState)atomic_u32_load(&slot->state);
}

/* ---- controller process ------------------------------------------------------------------------ */

typedef struct PslotIdentity {
    StrView topic; /* <= LIMIT_TOPIC_NAME_LEN */
    Uuid topic_id;
    int32_t partition;
    int32_t log_dir;        /* index of logdirs.h */
    int32_t named_dir;      /* that the metadata names; -1: none of ours */
    int64_t recovery_point; /* from the checkpoint files; 0 for a new partition */
    int64_t log_start_offset;
    int64_t high_watermark;
    int64_t producerless_end;
    uint64_t settings; /* of topic_settings_new */
} PslotIdentity;

/*
 * Takes a free slot and makes it UNOPENED with this identity, leader epoch -1 and no role. The
 * controller calls pslot_set_leadership before it publishes the image that names the slot.
 * OT_E_LIMIT: max.partitions reached. OT_E_INVALID: name too long, unknown log dir.
 */
int pslot_alloc(const PslotIdentity *id, PartitionRef *ret, ErrInfo *err);

typedef struct PslotLeadership {
    int32_t leader_epoch;
    PslotRole role;
    uint8_t replica_count;
    uint16_t isr_count;
} PslotLeadership;

void pslot_set_leadership(PartitionSlot *slot, PslotLeadership leadership);
PslotLeadership pslot_leadership(const PartitionSlot *slot);

/*
 * The partition is deleted: references become stale at once, waiters are woken by the caller
 * (rescan). The retention worker renames the folder and frees the slot.
 */
void pslot_retire(PartitionSlot *slot);

/*
 * A word that is raised whenever files of any partition vanished; fd_cache_sweep compares it.
 */
uint32_t pslot_files_epoch(void);
void pslot_raise_files_epoch(void);

/*
 * The retention worker says that it is the one to wake when a partition is retired, and takes those
 * that are: the first slot (or PSLOT_NONE), the next ones follow by slot->retired_next - 1, each read
 * before its slot is buried. What cannot be buried now is pushed again.
 */
void pslot_set_burier(uint64_t packed_slot_ref);
void pslot_wake_burier(void);
int32_t pslot_take_retired(void);
void pslot_push_retired(PartitionSlot *slot);

/* Whoever opens a log found a deleted topic's folder in its place and renamed it to -delete. */
void pslot_note_moved(void);
uint32_t pslot_moved_count(void);

/*
 * Changed partitions: their log, start offset or settings changed since retention judged them. Note:
 * append lock holder, or the controller for settings; cheap when noted already. Take: retention; the
 * first slot (or PSLOT_NONE), the next ones follow by slot->changed_next - 1, each read before its
 * slot's changed word is cleared. *ret_overflow: entries may be missing (who noted died), look at every
 * slot.
 */
void pslot_note_changed(PartitionSlot *slot);
void pslot_set_changed_overflow(void);
int32_t pslot_take_changed(bool *ret_overflow);

/* Controller: settings of all partitions may have changed, retention judges every log at its next check. */
void pslot_set_judge_all(void);
bool pslot_take_judge_all(void);

/*
 * The wish that a partition's log be moved to another directory (move_wish.h). No two wishes of a slot are the same
 * word, so who compares it knows whether another one came between.
 */
typedef struct PslotWish {
    uint64_t word;
    int dir; /* -1: none */
} PslotWish;

PslotWish pslot_wish(const PartitionSlot *slot);
int pslot_wanted_dir(const PartitionSlot *slot); /* -1: none */

/* Whatever the slot's generation: of a retired one, too. */
int pslot_last_wanted_dir(const PartitionSlot *slot);

/*
 * Replaces it; dir -1: by none. False: it is not that one any more. Raises the count by which the worker knows
 * that it has to look at all slots, and wakes it.
 */
bool pslot_change_wish(PartitionRef ref, PslotWish was, int dir)
    __attribute__((warn_unused_result));
uint32_t pslot_wishes(void);

/*
 * A log lies in another directory than the metadata says (pslot_dir, named_dir): raises a count and wakes the
 * controller, which named itself.
 */
void pslot_set_recorder(uint64_t packed_slot_ref);
void pslot_note_dir_changed(void);
uint32_t pslot_dir_changes(void);

/* Startup workers share the walk over all partitions: each index goes to one of them. */
int32_t pslot_take_open_index(void);

/*
 * Append lock holder: the log is OPEN, or FAILED. False: the controller retired the slot meanwhile, which
 * stays so: the burial finds it as it is.
 */
bool pslot_settle_state(PartitionSlot *slot, PslotState to);

/* Retention, after the burial, append lock held: the slot may be allocated again. */
void pslot_make_free(PartitionSlot *slot);

/* ---- settings records (region topic_settings) ---------------------------------------------- */

size_t topic_settings_shm_size(const ShmLimits *limits);
void topic_settings_shm_init(void *base, const ShmLimits *limits);

/*
 * Controller process: stores a record that all partitions of a topic (or of many) share and returns its
 * handle (0: no record free). topic_settings_set changes it in place: whoever reads next sees the new
 * values. A slot may be moved to another record; a record is freed when no slot names it.
 */
uint64_t topic_settings_new(const TopicSettings *settings);
void topic_settings_set(uint64_t handle, const TopicSettings *settings);
void topic_settings_free(uint64_t handle);
void pslot_set_settings(PartitionSlot *slot, uint64_t handle);

/* Copies the settings in force; anybody, no lock. */
void pslot_settings(const PartitionSlot *slot, TopicSettings *ret);

/* ---- the tuple ------------------------------------------------------------------------------------ */

/* Copies the published tuple; never waits. Returns the publication serial it belongs to. */
uint64_t pslot_read_tuple(const PartitionSlot *slot, PlogTuple *ret);

/*
 * Everything below it is on the disk: the recovery point, or what commits reached since. Never waits.
 * May be ahead of a tuple that was read before.
 */
int64_t pslot_durable(const PartitionSlot *slot, const PlogTuple *tuple);

/*
 * Checkpointer of the slot's directory: the partition that ref names is durable up to offset, or further. Waits for
 * another one that is at it; one that is stopped there for a second is killed.
 */
void pslot_publish_durable(PartitionRef ref, int64_t offset);

/* Append lock holder: makes a tuple the published one. */
void pslot_publish_tuple(PartitionSlot *slot, const PlogTuple *tuple);

#endif
