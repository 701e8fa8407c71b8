/*
 * partition_table.c - slots of partitions and the settings records they share
 *
 * Runs in: controller (alloc, leadership, settings, retire), everybody (find, read).
 * Crash rule: what the controller writes is published by one word (generation, leadership, settings
 * handle); its death rebuilds the region. What backends write is the tuple, kept twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sched.h>
#include <string.h>
#include <time.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/partition_slot.h"

/* Another checkpointer publishes: a moment; one that is stopped in it is killed. */
#define GUARD_YIELDS     100
#define GUARD_PAUSE_NS   1000000
#define GUARD_STOPPED_US 1000000

/* Head of the region; the slots follow at the next page. */
typedef struct PartitionTable {
    AtomicI32 high;      /* slots ever used */
    AtomicU32 free_head; /* slot + 1 of the first free slot below high; 0: none */
    AtomicU32 files_epoch;
    AtomicU32 retired; /* slot + 1 of the first retired one; 0: none */
    AtomicU32 moved;
    AtomicI32 open_cursor;
    AtomicU64 burier;  /* slot_ref_pack of the retention worker */
    AtomicU32 changed; /* slot + 1 of the first changed partition; 0: none */
    AtomicU32 changed_overflow;
    AtomicU32 judge_all;
    AtomicU32 wishes;
    AtomicU32 dir_changes;
    AtomicU64 recorder; /* slot_ref_pack of the controller */
    int32_t size;
} PartitionTable;

static PartitionTable *table;
static PartitionSlot *slots;

size_t
partition_table_shm_size(const ShmLimits *limits)
{
    return REGION_PAGE + (size_t)limits->max_partitions * sizeof(PartitionSlot);
}

void
partition_table_shm_init(void *base, const ShmLimits *limits)
{
    table = base;
    slots = (PartitionSlot *)(void *)((char *)base + REGION_PAGE);
    table->size = limits->max_partitions;
}

int32_t
pslot_table_size(void)
{
    return table->size;
}

int32_t
pslot_high(void)
{
    return atomic_i32_load(&table->high);
}

PartitionSlot *
pslot_at(int32_t index)
{
    ot_assert(index >= 0 && index < table->size);
    return &slots[index];
}

int32_t
pslot_index(const PartitionSlot *slot)
{
    return (int32_t)(slot - slots);
}

PartitionRef
pslot_ref(const PartitionSlot *slot)
{
    return (PartitionRef){pslot_index(slot), atomic_u32_load(&slot->generation)};
}

PartitionSlot *
pslot_find(PartitionRef ref)
{
    if (ref.slot < 0 || ref.slot >= table->size || ref.generation == 0 ||
        atomic_u32_load(&slots[ref.slot].generation) != ref.generation)
        return NULL;
    return &slots[ref.slot];
}

bool
pslot_is_current(PartitionRef ref)
{
    return pslot_find(ref) != NULL;
}

/* ---- controller process ------------------------------------------------------------------------- */

/* One CAS by whoever pushes; the one that takes takes all, or is the only one that takes. */
static void
push(AtomicU32 *head, AtomicI32 *next, const PartitionSlot *slot)
{
    uint32_t first = atomic_u32_load(head);

    do
        atomic_i32_store(next, (int32_t)first);
    while (!atomic_u32_cas(head, &first, (uint32_t)pslot_index(slot) + 1));
}

/* A free slot; PSLOT_NONE: the table is full. */
static int32_t
take_free(void)
{
    uint32_t first = atomic_u32_load(&table->free_head);
    int32_t high = atomic_i32_load(&table->high);

    /* Nobody else takes, so that the first one's successor stays its successor. */
    while (first != 0) {
        uint32_t next = (uint32_t)atomic_i32_load(&slots[first - 1].retired_next);

        if (atomic_u32_cas(&table->free_head, &first, next))
            return (int32_t)first - 1;
    }
    return high < table->size ? high : PSLOT_NONE;
}

/* Everything but what outlives a partition: generation, wait list, lock. */
static void
slot_reset(PartitionSlot *slot, const PslotIdentity *id)
{
    PlogTuple empty = {.first_unstable = -1,
                       .max_timestamp = -1,
                       .max_timestamp_offset = -1,
                       .first_timestamp = -1,
                       .last_time_entry = -1,
                       .hw_pos = 0,
                       .last_epoch = -1};

    twocopy_write(&slot->tuple_head, slot->tuple, &empty, sizeof empty);
    atomic_i64_store(&slot->producer_end, 0);
    slot->producer_root = 0;
    slot->producer_count = 0;
    atomic_i64_store(&slot->repair_at_us, 0);
    slot->snapshot_offset = -1;
    atomic_i64_store(&slot->producerless_end, id->producerless_end);
    slot->topic_id = id->topic_id;
    slot->partition = id->partition;
    atomic_i32_store(&slot->log_dir, id->log_dir);
    slot->named_dir = id->named_dir;
    atomic_u64_store(&slot->wanted_dir, 0);
    atomic_u32_store(&slot->left_dir, 0);
    slot->start_recovery_point = id->recovery_point;
    slot->start_log_start = id->log_start_offset;
    slot->start_high_watermark = id->high_watermark;
    slot->has_folder = false;
    atomic_u32_store(&slot->has_aborted, 0);
    atomic_u32_store(&slot->unreadable, 0);
    atomic_u32_store(&slot->opening, 0);
    atomic_u32_store(&slot->commit_due, 0); /* its timer may be another directory's */
    slot->topic_len = (uint8_t)id->topic.len;
    memcpy(slot->topic, id->topic.ptr, (size_t)id->topic.len);
    slot->topic[id->topic.len] = '\0';
    atomic_u64_store(&slot->bytes_appended, 0);
    slot->bytes_begun = 0;
    for (int i = 0; i < PSLOT_COUNT_COUNT; i++)
        atomic_u64_store(&slot->counts[i], 0);
    atomic_u64_store(&slot->leadership, 0);
    atomic_u64_store(&slot->settings, id->settings);
}

void
pslot_count(PartitionRef ref, PslotCount which, uint64_t amount)
{
    PartitionSlot *slot = pslot_find(ref);

    ot_assert(which < PSLOT_COUNT_COUNT);
    if (slot != NULL)
        atomic_u64_count(&slot->counts[which], amount);
}

/* 0 is never a generation in use, so that a zeroed reference is stale. */
static void
next_generation(PartitionSlot *slot)
{
    uint32_t next = atomic_u32_load(&slot->generation) + 1;

    atomic_u32_store(&slot->generation, next == 0 ? 1 : next);
}

/* ---- counts for STATUS: the controller is the only one who gives slots and roles ----------------- */

static bool
is_hosted(const PartitionSlot *slot)
{
    return pslot_state(slot) != PSLOT_FREE && pslot_state(slot) != PSLOT_DELETING;
}

static void
count_partition(const PartitionSlot *slot, int32_t by)
{
    if (shared_page != NULL && is_hosted(slot))
        atomic_i32_add(&shared_page->partitions, by);
}

static void
count_leadership(const PartitionSlot *slot, int32_t by)
{
    PslotLeadership now = pslot_leadership(slot);

    if (shared_page == NULL || !is_hosted(slot) || now.role != PSLOT_ROLE_LEADER)
        return;
    atomic_i32_add(&shared_page->partitions_led, by);
    if (now.isr_count < now.replica_count)
        atomic_i32_add(&shared_page->partitions_under_replicated, by);
}

int
pslot_alloc(const PslotIdentity *id, PartitionRef *ret, ErrInfo *err)
{
    PartitionSlot *slot;
    int32_t i;

    if (id->topic.len < 1 || id->topic.len > LIMIT_TOPIC_NAME_LEN || id->log_dir < 0 ||
        id->log_dir >= logdir_count() || id->partition < 0)
        return err_set(err, OT_E_INVALID, "partition identity is not valid");
    i = take_free();
    if (i == PSLOT_NONE)
        return err_set(err, OT_E_LIMIT, "max.partitions (%d) is reached", (int)table->size);
    slot = &slots[i];
    if (!slot->append_lock.initialized)
        plock_init(&slot->append_lock, PLOCK_RANK_APPEND);
    slot_reset(slot, id);
    next_generation(slot);
    atomic_u32_store(&slot->state, PSLOT_UNOPENED);
    count_partition(slot, 1);
    if (i == atomic_i32_load(&table->high))
        atomic_i32_store(&table->high, i + 1);
    *ret = pslot_ref(slot);
    return 0;
}

void
pslot_set_leadership(PartitionSlot *slot, PslotLeadership leadership)
{
    count_leadership(slot, -1);
    atomic_u64_store(&slot->leadership, (uint64_t)(uint32_t)leadership.leader_epoch << 32 |
                                            (uint64_t)leadership.isr_count << 16 |
                                            (uint64_t)leadership.replica_count << 8 |
                                            (uint64_t)leadership.role);
    count_leadership(slot, 1);
}

PslotLeadership
pslot_leadership(const PartitionSlot *slot)
{
    uint64_t word = atomic_u64_load(&slot->leadership);

    return (PslotLeadership){.leader_epoch = (int32_t)(uint32_t)(word >> 32),
                             .role = (PslotRole)(word & 0xff),
                             .replica_count = (uint8_t)(word >> 8 & 0xff),
                             .isr_count = (uint16_t)(word >> 16 & 0xffff)};
}

void
pslot_retire(PartitionSlot *slot)
{
    ot_assert(is_hosted(slot));
    count_partition(slot, -1);
    count_leadership(slot, -1);
    next_generation(slot);
    atomic_u32_store(&slot->state, PSLOT_DELETING);
    pslot_push_retired(slot);
    pslot_wake_burier();
}

bool
pslot_settle_state(PartitionSlot *slot, PslotState to)
{
    uint32_t state = atomic_u32_load(&slot->state);

    ot_assert(to == PSLOT_OPEN || to == PSLOT_FAILED);
    while (state == PSLOT_UNOPENED || state == PSLOT_OPEN) {
        if (atomic_u32_cas(&slot->state, &state, to))
            return true;
    }
    return state == (uint32_t)to;
}

void
pslot_set_burier(uint64_t packed_slot_ref)
{
    atomic_u64_store(&table->burier, packed_slot_ref);
}

void
pslot_push_retired(PartitionSlot *slot)
{
    push(&table->retired, &slot->retired_next, slot);
}

void
pslot_wake_burier(void)
{
    latch_set(slot_ref_unpack(atomic_u64_load(&table->burier)));
}

int32_t
pslot_take_retired(void)
{
    return (int32_t)atomic_u32_swap(&table->retired, 0) - 1;
}

void
pslot_note_moved(void)
{
    (void)atomic_u32_add(&table->moved, 1);
}

uint32_t
pslot_moved_count(void)
{
    return atomic_u32_load(&table->moved);
}

int32_t
pslot_take_open_index(void)
{
    return atomic_i32_add(&table->open_cursor, 1);
}

void
pslot_make_free(PartitionSlot *slot)
{
    ot_assert(pslot_state(slot) == PSLOT_DELETING);
    atomic_u32_store(&slot->state, PSLOT_FREE);
    push(&table->free_head, &slot->retired_next, slot);
}

void
pslot_note_changed(PartitionSlot *slot)
{
    uint32_t no = 0;

    if (atomic_u32_load(&slot->changed) != 0 || !atomic_u32_cas(&slot->changed, &no, 1))
        return;
    crashpoint("pslot.changed");
    push(&table->changed, &slot->changed_next, slot);
}

void
pslot_set_changed_overflow(void)
{
    atomic_u32_store(&table->changed_overflow, 1);
}

int32_t
pslot_take_changed(bool *ret_overflow)
{
    *ret_overflow = atomic_u32_swap(&table->changed_overflow, 0) != 0;
    return (int32_t)atomic_u32_swap(&table->changed, 0) - 1;
}

void
pslot_set_judge_all(void)
{
    atomic_u32_store(&table->judge_all, 1);
}

bool
pslot_take_judge_all(void)
{
    return atomic_u32_swap(&table->judge_all, 0) != 0;
}

/* ---- directories --------------------------------------------------------------------------------- */

/* generation << 32 | serial << 8 | directory + 1: a wish that comes again is another one. */
#define WISH_SERIALS UINT64_C(0xffffff00)

static_assert(LIMIT_LOG_DIRS < 255, "a directory is a byte of the wish");

PslotWish
pslot_wish(const PartitionSlot *slot)
{
    uint64_t word = atomic_u64_load(&slot->wanted_dir);
    bool current = word >> 32 == atomic_u32_load(&slot->generation);

    return (PslotWish){word, current ? (int)(word & 0xff) - 1 : -1};
}

bool
pslot_change_wish(PartitionRef ref, PslotWish was, int dir)
{
    uint64_t serial = ((was.word & WISH_SERIALS) + 0x100) & WISH_SERIALS;
    uint64_t now = (uint64_t)ref.generation << 32 | serial | (uint32_t)(dir + 1);

    if (!atomic_u64_cas(&pslot_at(ref.slot)->wanted_dir, &was.word, now))
        return false;
    (void)atomic_u32_add(&table->wishes, 1);
    pslot_wake_burier();
    return true;
}

int
pslot_wanted_dir(const PartitionSlot *slot)
{
    return pslot_wish(slot).dir;
}

int
pslot_last_wanted_dir(const PartitionSlot *slot)
{
    return (int)(atomic_u64_load(&slot->wanted_dir) & 0xff) - 1;
}

uint32_t
pslot_wishes(void)
{
    return atomic_u32_load(&table->wishes);
}

void
pslot_set_recorder(uint64_t packed_slot_ref)
{
    atomic_u64_store(&table->recorder, packed_slot_ref);
}

void
pslot_note_dir_changed(void)
{
    (void)atomic_u32_add(&table->dir_changes, 1);
    latch_set(slot_ref_unpack(atomic_u64_load(&table->recorder)));
}

uint32_t
pslot_dir_changes(void)
{
    return atomic_u32_load(&table->dir_changes);
}

uint32_t
pslot_files_epoch(void)
{
    return atomic_u32_load(&table->files_epoch);
}

void
pslot_raise_files_epoch(void)
{
    (void)atomic_u32_add(&table->files_epoch, 1);
}

/* ---- the tuple ---------------------------------------------------------------------------------- */

uint64_t
pslot_read_tuple(const PartitionSlot *slot, PlogTuple *ret)
{
    return twocopy_read(&slot->tuple_head, slot->tuple, sizeof *ret, ret);
}

void
pslot_publish_tuple(PartitionSlot *slot, const PlogTuple *tuple)
{
    ot_assert_slow(tuple->log_start <= tuple->high_watermark);
    ot_assert_slow(tuple->high_watermark <= tuple->log_end);
    ot_assert_slow(tuple->active_size >= 0 && tuple->active_base <= tuple->log_end);
    twocopy_write(&slot->tuple_head, slot->tuple, tuple, sizeof *tuple);
}

/*
 * The mark has one writer for all partitions that ever use the slot, the checkpointer of its directory; a
 * mark of another generation is void, so that the controller need not clear it.
 */
int64_t
pslot_durable(const PartitionSlot *slot, const PlogTuple *tuple)
{
    DurableMark mark;

    (void)twocopy_read(&slot->durable_head, slot->durable, sizeof mark, &mark); /* judged below */
    if (mark.generation != atomic_u32_load(&slot->generation) ||
        mark.offset < tuple->recovery_point)
        return tuple->recovery_point;
    return mark.offset;
}

/*
 * Two checkpointers meet here only around a move, for an instant; the death of either ends both. One that was stopped
 * in it is killed, or its directory would stop this one for as long as somebody likes. What it was writing is in the
 * copy that nobody reads, and it writes nothing more: its guard is ours.
 */
static void
take_durable_guard(PartitionSlot *slot)
{
    uint32_t self = (uint32_t)(my_slot_index + 1);
    int64_t kill_us = clock_mono_us() + GUARD_STOPPED_US;
    uint32_t holder = 0;

    for (int tries = 0; !atomic_u32_cas(&slot->durable_guard, &holder, self); tries++) {
        if (tries == GUARD_YIELDS)
            slot_set_lock_wanted(&slot->durable_guard);
        if (tries < GUARD_YIELDS)
            (void)sched_yield(); /* cannot fail on Linux */
        else
            (void)nanosleep(&(struct timespec){.tv_nsec = GUARD_PAUSE_NS},
                            NULL); /* looked at again */
        if (clock_mono_us() >= kill_us) {
            pid_t pid = plock_kill_if_stopped(&slot->durable_guard);

            kill_us = clock_mono_us() + GUARD_STOPPED_US;
            if (pid != 0) {
                log_msg(LL_WARNING, "storage",
                        "killed a stopped checkpointer that kept another from its work; pid=%d",
                        (int)pid);
                if (atomic_u32_cas(&slot->durable_guard, &holder, self))
                    break;
            }
        }
        holder = 0;
    }
    slot_set_lock_wanted(NULL);
}

void
pslot_publish_durable(PartitionRef ref, int64_t offset)
{
    PartitionSlot *slot = pslot_at(ref.slot);
    DurableMark mark = {.generation = ref.generation, .offset = offset};
    const DurableMark *last;

    take_durable_guard(slot);
    crashpoint("pslot.durable");
    last = twocopy_current(&slot->durable_head, slot->durable, sizeof *last);
    if (last->generation != mark.generation || last->offset < offset)
        twocopy_write(&slot->durable_head, slot->durable, &mark, sizeof mark);
    atomic_u32_store(&slot->durable_guard, 0);
}

/* ---- settings records --------------------------------------------------------------------------- */

/*
 * A handle is serial << 32 | index + 1. The controller changes a record in its other copy. Readers copy
 * the record and look at the slot's word again: a record is given to others only after all slots of
 * its topic name another one, so an unchanged word means a record of this topic.
 */
typedef struct SettingsRecord {
    TwoCopy head; /* of copies */
    TopicSettings copies[2];
    uint32_t in_use;
} SettingsRecord;

static_assert(sizeof(TopicSettings) % 8 == 0, "copied by words");

typedef struct SettingsPool {
    uint32_t count;
    uint32_t high;
    uint32_t hint;
    uint32_t serial;
} SettingsPool;

static SettingsPool *settings_pool;
static SettingsRecord *settings_records;

size_t
topic_settings_shm_size(const ShmLimits *limits)
{
    /* one per topic with settings of its own, one for all others, some for a turn that moves topics */
    return REGION_PAGE + ((size_t)limits->max_partitions + 1024) * sizeof(SettingsRecord);
}

void
topic_settings_shm_init(void *base, const ShmLimits *limits)
{
    settings_pool = base;
    settings_pool->count = (uint32_t)limits->max_partitions + 1024;
    settings_records = (SettingsRecord *)(void *)((char *)base + REGION_PAGE);
}

uint64_t
topic_settings_new(const TopicSettings *settings)
{
    SettingsPool *p = settings_pool;
    uint32_t i = p->hint;

    while (i < p->high && settings_records[i].in_use)
        i++;
    if (i == p->count) {
        for (i = 0; i < p->count && settings_records[i].in_use; i++)
            ;
        if (i == p->count)
            return 0;
    }
    if (i >= p->high)
        p->high = i + 1;
    p->hint = i + 1 < p->count ? i + 1 : 0;
    settings_records[i].in_use = 1;
    twocopy_write(&settings_records[i].head, settings_records[i].copies, settings,
                  sizeof *settings);
    p->serial++;
    return (uint64_t)p->serial << 32 | (i + 1);
}

void
topic_settings_set(uint64_t handle, const TopicSettings *settings)
{
    SettingsRecord *record = &settings_records[(uint32_t)handle - 1];

    ot_assert((uint32_t)handle != 0 && (uint32_t)handle <= settings_pool->high && record->in_use);
    twocopy_write(&record->head, record->copies, settings, sizeof *settings);
}

void
pslot_set_settings(PartitionSlot *slot, uint64_t handle)
{
    atomic_u64_store(&slot->settings, handle);
    fence_release(); /* before the old record's next use; pairs with the fence in pslot_settings */
    pslot_note_changed(slot);
}

void
topic_settings_free(uint64_t handle)
{
    uint32_t i = (uint32_t)handle;

    if (i == 0)
        return;
    ot_assert(i <= settings_pool->high && settings_records[i - 1].in_use);
    settings_records[i - 1].in_use = 0;
    if (i - 1 < settings_pool->hint)
        settings_pool->hint = i - 1;
}

void
pslot_settings(const PartitionSlot *slot, TopicSettings *ret)
{
    uint64_t word = atomic_u64_load(&slot->settings);

    for (;;) {
        uint64_t again;
        uint32_t i = (uint32_t)word;

        ot_assert(i != 0 && i <= settings_pool->count);
        (void)twocopy_read(&settings_records[i - 1].head, settings_records[i - 1].copies,
                           sizeof *ret, ret);
        fence_acquire();
        again = atomic_u64_load_relaxed(&slot->settings);
        if (again == word)
            return;
        word = atomic_u64_load(&slot->settings);
    }
}
