/*
 * producer_pool.c - producer entries of all partitions in one pool, a search tree per partition
 *
 * The tree is a digital search tree with four children per node over the mixed producer id: no
 * rebalancing, so adding is one store and removing two, and any descendant may take the place of a
 * removed node.
 *
 * Crash rule: an entry's owner word names its partition, its valid word says that id and state are
 * whole, its state is kept twice. Links are never trusted after a death: the repair makes them anew
 * from the owner words (producer_relink). producer_end of the slot, stored last, says which batches
 * the entries cover.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/pool.h"
#include "ottla/storage/plog.h"
#include "storage/plog_int.h"
#include "storage/pools_int.h"

#define CHILDREN        4
#define LEVELS          32   /* two bits of the mixed id each */
#define OTHERS_TO_TRY   8    /* partitions asked for a victim when the sample has none */
#define SAMPLE          32   /* entries looked at for a victim when the pool is full */
#define PROBES_WHEN_LOW 4096 /* words looked at for a free entry when hardly any is left */

struct ProducerEntry {
    int64_t producer_id;
    AtomicU32 valid;
    uint32_t child[CHILDREN]; /* entry + 1; 0: none */
    uint32_t pad;
    TwoCopy head;
    ProducerState copies[2];
};

typedef struct ProducerPoolHead {
    AtomicU32 high; /* entries ever taken: bound of scans */
} ProducerPoolHead;

static ProducerPoolHead *head;
static Pool *pool;
static ProducerEntry *entries;

size_t
producer_pool_shm_size(const ShmLimits *limits)
{
    return CACHE_LINE_BYTES + region_round(pool_size((uint32_t)limits->producer_entries)) +
           (size_t)limits->producer_entries * sizeof(ProducerEntry);
}

void
producer_pool_shm_init(void *base, const ShmLimits *limits)
{
    uint32_t n = (uint32_t)limits->producer_entries;

    head = base;
    pool = (Pool *)(void *)((char *)base + CACHE_LINE_BYTES);
    entries = (ProducerEntry *)(void *)((char *)pool + region_round(pool_size(n)));
    pool_init(pool, n);
}

static ProducerEntry *
entry_at(uint32_t link)
{
    ot_assert(link > 0 && link <= pool->count);
    return &entries[link - 1];
}

static uint32_t
entry_link(const ProducerEntry *entry)
{
    return (uint32_t)(entry - entries) + 1;
}

/* The mixed id; a bijection, so that different ids part at some level. */
static uint64_t
path_of(int64_t producer_id)
{
    return hash_u64((uint64_t)producer_id);
}

static unsigned
branch_at(uint64_t path, int level)
{
    return (unsigned)(path >> (2 * level)) & (CHILDREN - 1);
}

/* Where the entry hangs or would hang. */
static uint32_t *
find_link(PartitionSlot *slot, int64_t producer_id)
{
    uint64_t path = path_of(producer_id);
    uint32_t *link = &slot->producer_root;
    int level;

    for (level = 0; *link != 0 && entry_at(*link)->producer_id != producer_id; level++) {
        ot_assert(level < LEVELS);
        link = &entry_at(*link)->child[branch_at(path, level)];
    }
    return link;
}

ProducerEntry *
producer_find(const PartitionSlot *slot, int64_t producer_id)
{
    uint64_t path = path_of(producer_id);
    uint32_t link = slot->producer_root;
    int level;

    for (level = 0; link != 0; level++) {
        ProducerEntry *e = entry_at(link);

        if (e->producer_id == producer_id)
            return e;
        ot_assert(level < LEVELS);
        link = e->child[branch_at(path, level)];
    }
    return NULL;
}

int64_t
producer_entry_id(const ProducerEntry *entry)
{
    return entry->producer_id;
}

void
producer_get(const ProducerEntry *entry, ProducerState *ret)
{
    (void)twocopy_read(&entry->head, entry->copies, sizeof *ret, ret);
}

void
producer_put(ProducerEntry *entry, const ProducerState *state)
{
    twocopy_write(&entry->head, entry->copies, state, sizeof *state);
}

/* ---- giving back -------------------------------------------------------------------------------- */

/* Takes a leaf below an entry out of the tree; 0: it is a leaf itself. */
static uint32_t
detach_leaf(ProducerEntry *entry)
{
    uint32_t *link = NULL;
    ProducerEntry *e = entry;
    uint32_t leaf;
    int level;

    for (level = 0; level <= LEVELS; level++) {
        uint32_t *next = NULL;
        int i;

        for (i = 0; i < CHILDREN && next == NULL; i++) {
            if (e->child[i] != 0)
                next = &e->child[i];
        }
        if (next == NULL)
            break;
        link = next;
        e = entry_at(*next);
    }
    if (link == NULL)
        return 0;
    leaf = *link;
    *link = 0;
    return leaf;
}

/* Takes an entry out of the tree; valid goes last, so that a relink never takes half an entry. */
static void
unlink_entry(PartitionSlot *slot, ProducerEntry *entry)
{
    uint32_t *link = find_link(slot, entry->producer_id);
    uint32_t leaf = detach_leaf(entry);

    ot_assert(*link == entry_link(entry));
    if (leaf != 0)
        memcpy(entry_at(leaf)->child, entry->child, sizeof entry->child);
    *link = leaf;
    slot->producer_count--;
    atomic_u32_store(&entry->valid, 0);
}

/* Gives an unlinked entry back. */
static void
entry_free(ProducerEntry *entry, uint64_t owner)
{
    atomic_u32_store(&entry->valid, 0);
    (void)pool_free(pool, entry_link(entry) - 1, owner); /* false cannot be: we hold the lock */
}

void
producer_remove(PartitionSlot *slot, ProducerEntry *entry)
{
    unlink_entry(slot, entry);
    entry_free(entry, pslot_owner_word(slot));
}

/* ---- eviction ----------------------------------------------------------------------------------- */

/* A producer that may go. */
typedef struct Victim {
    ProducerEntry *entry; /* NULL: none */
    uint64_t owner;
    int64_t timestamp;
} Victim;

/* An entry of a producer without an open transaction. Needs no lock: who takes the victim looks again. */
static bool
may_go(ProducerEntry *entry, Victim *ret)
{
    ProducerState state;

    ret->owner = pool_owner(pool, entry_link(entry) - 1);
    if (ret->owner == 0 || atomic_u32_load(&entry->valid) == 0)
        return false;
    producer_get(entry, &state);
    ret->entry = entry;
    ret->timestamp = state.last_timestamp;
    return state.txn_first_offset < 0;
}

/* The lock of another partition, unless a repair of it failed: its links may lead anywhere. */
static bool
lock_other(PartitionSlot *slot)
{
    if (!plog_try_lock_quiet(slot))
        return false;
    if (pslot_state(slot) == PSLOT_OPEN)
        return true;
    plock_unlock(&slot->append_lock);
    return false;
}

/* The victim's entry, made the own one of mine, whose lock we hold; 0: it cannot be had. */
static uint32_t
take_victim(const PartitionSlot *mine, const Victim *victim)
{
    PartitionSlot *slot = pslot_at((int32_t)(victim->owner >> 32) - 1);
    Victim again;
    bool taken;

    if (slot != mine && !lock_other(slot))
        return 0;
    taken = pslot_owner_word(slot) == victim->owner && may_go(victim->entry, &again) &&
            again.owner == victim->owner &&
            producer_find(slot, victim->entry->producer_id) == victim->entry;
    if (taken) {
        unlink_entry(slot, victim->entry);
        taken = pool_transfer(pool, entry_link(victim->entry) - 1, victim->owner,
                              pslot_owner_word(mine));
        ot_assert(taken); /* we hold both locks */
    }
    if (slot != mine)
        plock_unlock(&slot->append_lock);
    return taken ? entry_link(victim->entry) : 0;
}

/* Of how many of the sample the partition is the owner. */
static int
share_of(const Victim *sample, int count, uint64_t owner)
{
    int share = 0;

    for (int i = 0; i < count; i++)
        share += sample[i].owner == owner;
    return share;
}

/*
 * Of some entries at random, the oldest of the partition that most of them belong to: who fills the pool loses
 * his own, and a producer that is active stays among many that are not. Costs the same however many there are.
 */
static uint32_t
evict_sampled(const PartitionSlot *mine)
{
    RandomSeq seq = {random_u64()};
    Victim sample[SAMPLE];
    const Victim *best = NULL;
    int best_share = 0;
    int count = 0;

    for (int i = 0; i < SAMPLE; i++)
        count += may_go(&entries[random_seq_below(&seq, pool->count)], &sample[count]);
    for (int i = 0; i < count; i++) {
        int share = share_of(sample, count, sample[i].owner);

        if (share < best_share || (share == best_share && sample[i].timestamp >= best->timestamp))
            continue;
        best_share = share;
        best = &sample[i];
    }
    return best == NULL ? 0 : take_victim(mine, best);
}

static void
consider_oldest(ProducerEntry *entry, void *arg)
{
    Victim *oldest = arg;
    Victim v;

    if (may_go(entry, &v) && (oldest->entry == NULL || v.timestamp < oldest->timestamp))
        *oldest = v;
}

/* The oldest of a partition, by a look at all of its producers. */
static uint32_t
evict_oldest_of(const PartitionSlot *mine, PartitionSlot *slot)
{
    Victim oldest = {.entry = NULL};

    if (slot->producer_count == 0 || (slot != mine && !lock_other(slot)))
        return 0;
    producer_each(slot, consider_oldest, &oldest);
    if (slot != mine)
        plock_unlock(&slot->append_lock);
    return oldest.entry == NULL ? 0 : take_victim(mine, &oldest);
}

/* For pools full of open transactions: a search that finds what there is. */
static uint32_t
evict_searched(PartitionSlot *mine)
{
    int32_t high = pslot_high();
    uint32_t start = atomic_u32_load(&head->high) * 2654435761u;
    uint32_t link = evict_oldest_of(mine, mine);
    int tries = 0;

    for (int32_t i = 0; i < high && tries < OTHERS_TO_TRY && link == 0; i++) {
        PartitionSlot *slot = pslot_at((int32_t)((start + (uint32_t)i) % (uint32_t)high));

        tries += slot != mine && slot->producer_count > 0;
        if (slot != mine)
            link = evict_oldest_of(mine, slot);
    }
    return link;
}

/* ---- taking ------------------------------------------------------------------------------------- */

static uint32_t
entry_alloc(const PartitionSlot *slot)
{
    bool low = pool->count - atomic_u32_load(&pool->taken) <= PROBES_WHEN_LOW;
    uint32_t i = pool_alloc(pool, pslot_owner_word(slot), low ? PROBES_WHEN_LOW : 0);
    uint32_t high = atomic_u32_load(&head->high);

    if (i == POOL_NONE)
        return 0;
    while (high < i + 1 && !atomic_u32_cas(&head->high, &high, i + 1))
        ;
    return i + 1;
}

/* A fresh entry, or 0. Evicts when the pool is full. */
static uint32_t
entry_obtain(PartitionSlot *slot)
{
    static LogRate rate;
    uint32_t link = entry_alloc(slot);

    if (link != 0)
        return link;
    link = evict_sampled(slot);
    if (link == 0)
        link = evict_searched(slot);
    if (link == 0)
        return 0;
    stat_add(STAT_PRODUCERS_EVICTED, 1);
    log_limited(&rate, 1, LL_WARNING, "storage",
                "producer.state.entries are all in use: old producers are forgotten; entries=%u",
                pool->count);
    return link;
}

ProducerEntry *
producer_obtain(PartitionSlot *slot, int64_t producer_id)
{
    static const ProducerState empty = {.last_timestamp = -1,
                                        .txn_first_offset = -1,
                                        .coordinator_epoch = -1,
                                        .epoch = BATCH_NO_PRODUCER_EPOCH};
    ProducerEntry *e = producer_find(slot, producer_id);
    uint32_t link;

    if (e != NULL)
        return e;
    link = entry_obtain(slot);
    if (link == 0)
        return NULL;
    e = entry_at(link);
    e->producer_id = producer_id;
    memset(e->child, 0, sizeof e->child);
    producer_put(e, &empty);
    atomic_u32_store(&e->valid, 1);
    *find_link(slot, producer_id) = link;
    slot->producer_count++;
    return e;
}

/* ---- walking ------------------------------------------------------------------------------------ */

void
producer_each(const PartitionSlot *slot, void (*cb)(ProducerEntry *entry, void *arg), void *arg)
{
    uint32_t stack[LEVELS * CHILDREN + 1];
    int depth = 0;

    if (slot->producer_root != 0)
        stack[depth++] = slot->producer_root;
    while (depth > 0) {
        ProducerEntry *e = entry_at(stack[--depth]);
        int i;

        for (i = 0; i < CHILDREN; i++) {
            if (e->child[i] != 0)
                stack[depth++] = e->child[i];
        }
        cb(e, arg);
    }
}

static void
consider_unstable(ProducerEntry *entry, void *arg)
{
    int64_t *first = arg;
    ProducerState state;

    producer_get(entry, &state);
    if (state.txn_first_offset >= 0 && (*first < 0 || state.txn_first_offset < *first))
        *first = state.txn_first_offset;
}

int64_t
producer_first_unstable(const PartitionSlot *slot)
{
    int64_t first = -1;

    producer_each(slot, consider_unstable, &first);
    return first;
}

/* ---- repair ------------------------------------------------------------------------------------- */

void
producer_remove_all(PartitionSlot *slot)
{
    uint64_t slot_part = pslot_owner_word(slot) >> 32;
    uint32_t high =
        slot->producer_count == 0 && slot->producer_root == 0 ? 0 : atomic_u32_load(&head->high);
    uint32_t i;

    slot->producer_root = 0;
    slot->producer_count = 0;
    for (i = 0; i < high; i++) {
        uint64_t word = pool_owner(pool, i);

        if (word >> 32 == slot_part)
            entry_free(&entries[i], word);
    }
}

typedef struct Collected {
    ProducerEntry **entries;
    uint32_t count;
    uint32_t room;
} Collected;

static void
collect(ProducerEntry *entry, void *arg)
{
    Collected *c = arg;

    if (c->count < c->room)
        c->entries[c->count++] = entry;
}

void
producer_release_linked(PartitionSlot *slot)
{
    Collected c = {.room = slot->producer_count};
    uint32_t i;

    if (slot->producer_root == 0)
        return;
    c.entries = malloc(((size_t)c.room + 1) * sizeof(ProducerEntry *));
    if (c.entries == NULL) {
        producer_remove_all(slot);
        return;
    }
    producer_each(slot, collect, &c);
    slot->producer_root = 0;
    slot->producer_count = 0;
    for (i = 0; i < c.count; i++)
        entry_free(c.entries[i], pool_owner(pool, (uint32_t)(c.entries[i] - entries)));
    free(c.entries);
}

/* Made for a batch that was never published. */
static bool
entry_is_empty(const ProducerEntry *entry)
{
    ProducerState state;

    producer_get(entry, &state);
    return state.batch_count == 0 && state.epoch == BATCH_NO_PRODUCER_EPOCH &&
           state.coordinator_epoch < 0;
}

void
producer_relink(PartitionSlot *slot)
{
    uint64_t owner = pslot_owner_word(slot);
    uint32_t high = atomic_u32_load(&head->high);
    uint32_t i;

    slot->producer_root = 0;
    slot->producer_count = 0;
    for (i = 0; i < high; i++) {
        uint64_t word = pool_owner(pool, i);
        ProducerEntry *e = &entries[i];

        if (word >> 32 != owner >> 32)
            continue;
        if (word != owner || atomic_u32_load(&e->valid) == 0 || entry_is_empty(e)) {
            entry_free(e, word);
            continue;
        }
        memset(e->child, 0, sizeof e->child);
        *find_link(slot, e->producer_id) = i + 1;
        slot->producer_count++;
    }
}

uint32_t
producer_pool_used(void)
{
    return pool_used(pool, atomic_u32_load(&head->high));
}
