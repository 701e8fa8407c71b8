/*
 * waitlist.c - who waits for the progress of which partition
 *
 * Runs in: backends and workers (waiters and notifiers). The append lock mentioned is that of the
 * partition whose list it is; exactly its holder walks the list and takes nodes out.
 * Never: waits, or touches another partition's list.
 *
 * A node's state word is generation << 32 | flags. Its life:
 *
 *   0                      free: its waiter may use it for any list
 *   LINKED [| WANTED]      in the list named by list_id, or about to be pushed
 *   LINKED | UNLINKING     its list's lock holder is taking it out; then 0
 *
 * Invariants, cited in the tests:
 *   N1  a node in a list is LINKED; it becomes free only after it has left the list
 *   N2  only the lock holder of a list changes next of a node in it
 *   N3  a node is pushed by its owner alone, when it was free: it is in one list at most
 *   N4  generation is compared whenever a node or bit is believed; what is stale counts as unwanted
 *
 * Crash argument, by who dies and where.
 *   Owner, between LINKED and the push: the node is LINKED and in no list. Nobody walks into it. Its
 *     generation is over; the slot's next owner finds it by wait_stale_list when it runs out of
 *     nodes, and the sweep of that list frees it. (A session whose server dies is renewed.)
 *   Lock holder, before a bit: the append was published, the waiter not told: rescan. Between bit
 *     and latch: the same. After UNLINKING, before or after the node left the list: list->unlinking
 *     names it; the next lock holder finishes (finish_unlinking).
 *   Anybody in the list: a dead owner's node is recognised by its generation and taken out by the next
 *     notifier; until then it costs one look.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/waitlist.h"

#include "ottla/common/assert.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/shared_page.h"

enum {
    NODE_LINKED = 1,
    NODE_WANTED = 2,
    NODE_UNLINKING = 4,
};

typedef struct WaitNode {
    AtomicU64 state;
    AtomicU32 next; /* node + 1; 0: last */
    AtomicU32 list_id;
    AtomicU32 mask;
    AtomicU32 key;
    AtomicU32 serial; /* the owner's: counts its uses, part of the name given out */
    uint32_t spare;
} WaitNode;

static_assert(sizeof(WaitNode) == 32, "two nodes to a cache line");

/* What lies at the front of each waiter's bits. */
typedef struct Waiter {
    alignas(CACHE_LINE_BYTES) AtomicU32 generation; /* 0: never claimed */
    AtomicU32 overflow;      /* 1: interest was dropped: everything must be looked at */
    AtomicU64 target;        /* slot_ref_pack of whom to wake; 0: nobody */
    AtomicI64 idle_since_us; /* of sessions: since when nobody serves it; 0: served */
    AtomicI32 next_free;     /* the owner's: where to search for a free node */
    AtomicU32 seen_epoch;    /* the owner's: rescan_epoch up to which it has looked at everything */
} Waiter;

static Waiter *waiters;
static char *ready_base; /* sets of slots, then of sessions */
static WaitNode *nodes;
static int32_t slot_waiters; /* backends and workers */
static int32_t session_waiters;
static _Thread_local uint64_t steps;

static size_t
waiter_bytes(const ShmLimits *limits)
{
    return ((size_t)limits->backend_slots + (size_t)limits->worker_slots +
            (size_t)limits->fetch_sessions) *
           sizeof(Waiter);
}

static size_t
ready_bytes(const ShmLimits *limits)
{
    return ((size_t)limits->backend_slots + (size_t)limits->worker_slots) *
               ready_size(WAIT_NODES_PER_SLOT) +
           (size_t)limits->fetch_sessions * ready_size(WAIT_NODES_PER_SESSION);
}

static size_t
node_total(const ShmLimits *limits)
{
    return ((size_t)limits->backend_slots + (size_t)limits->worker_slots) * WAIT_NODES_PER_SLOT +
           (size_t)limits->fetch_sessions * WAIT_NODES_PER_SESSION;
}

size_t
waiter_shm_size(const ShmLimits *limits)
{
    return waiter_bytes(limits) + ready_bytes(limits) + node_total(limits) * sizeof(WaitNode);
}

void
waiter_shm_init(void *base, const ShmLimits *limits)
{
    ot_assert(node_total(limits) < INT32_MAX);
    waiters = base;
    ready_base = (char *)base + waiter_bytes(limits);
    nodes = (WaitNode *)(void *)(ready_base + ready_bytes(limits));
    slot_waiters = limits->backend_slots + limits->worker_slots;
    session_waiters = limits->fetch_sessions;
    steps = 0;
}

WaiterId
wait_session_waiter(int32_t session)
{
    ot_assert(session >= 0 && session < session_waiters);
    return slot_waiters + session;
}

static Waiter *
waiter_at(WaiterId id)
{
    ot_assert(id >= 0 && id < slot_waiters + session_waiters);
    return &waiters[id];
}

int32_t
wait_node_count(WaiterId waiter)
{
    return waiter < slot_waiters ? WAIT_NODES_PER_SLOT : WAIT_NODES_PER_SESSION;
}

static ReadySet *
ready_of(WaiterId id)
{
    size_t offset;

    if (id < slot_waiters)
        offset = (size_t)id * ready_size(WAIT_NODES_PER_SLOT);
    else
        offset = (size_t)slot_waiters * ready_size(WAIT_NODES_PER_SLOT) +
                 (size_t)(id - slot_waiters) * ready_size(WAIT_NODES_PER_SESSION);
    return (ReadySet *)(void *)(ready_base + offset);
}

/* Index in the node table of a waiter's first node. */
static uint32_t
first_node(WaiterId id)
{
    if (id < slot_waiters)
        return (uint32_t)id * WAIT_NODES_PER_SLOT;
    return (uint32_t)slot_waiters * WAIT_NODES_PER_SLOT +
           (uint32_t)(id - slot_waiters) * WAIT_NODES_PER_SESSION;
}

static WaiterId
waiter_of_node(uint32_t index)
{
    uint32_t of_slots = (uint32_t)slot_waiters * WAIT_NODES_PER_SLOT;

    if (index < of_slots)
        return (WaiterId)(index / WAIT_NODES_PER_SLOT);
    return slot_waiters + (WaiterId)((index - of_slots) / WAIT_NODES_PER_SESSION);
}

/*
 * The name of a node given out is serial << 12 | number: a name kept beyond the node's use, when the
 * node serves something else of the same waiter, then names nothing.
 */
#define NODE_NUMBER_BITS 12
#define NODE_SERIAL_MASK 0x7ffffu

static_assert(WAIT_NODES_PER_SESSION <= 1 << NODE_NUMBER_BITS, "numbers fit their part of a name");

static WaitNode *
own_node(WaiterId waiter, int32_t number)
{
    ot_assert(number >= 0 && number < wait_node_count(waiter));
    return &nodes[first_node(waiter) + (uint32_t)number];
}

static int32_t
node_name(const WaitNode *node, int32_t number)
{
    return (int32_t)(atomic_u32_load_relaxed(&node->serial) << NODE_NUMBER_BITS | (uint32_t)number);
}

/* The node with this name, or NULL when it serves something else by now. */
static WaitNode *
named_node(WaiterId waiter, int32_t name)
{
    int32_t number = name & ((1 << NODE_NUMBER_BITS) - 1);
    WaitNode *node;

    if (name < 0 || number >= wait_node_count(waiter))
        return NULL;
    node = own_node(waiter, number);
    return node_name(node, number) == name ? node : NULL;
}

static uint64_t
node_state(uint32_t generation, uint32_t flags)
{
    return (uint64_t)generation << 32 | flags;
}

static uint32_t
state_generation(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

uint64_t
wait_steps(void)
{
    return steps;
}

static uint32_t
rescan_epoch(void)
{
    return shared_page == NULL ? 0 : atomic_u32_load_seq(&shared_page->rescan_epoch);
}

/* ---- the owner's side -------------------------------------------------------------------------- */

void
wait_claim(WaiterId waiter, uint32_t generation)
{
    Waiter *w = waiter_at(waiter);

    ot_assert(generation != 0);
    atomic_u32_store_seq(&w->generation, generation); /* from here on old nodes are unwanted [N4] */
    atomic_u64_store(&w->target,
                     waiter < slot_waiters ? slot_ref_pack((SlotRef){waiter, generation}) : 0);
    atomic_i64_store(&w->idle_since_us, 0);
    atomic_u32_store(&w->overflow, 0);
    atomic_i32_store_relaxed(&w->next_free, 0);
    atomic_u32_store_relaxed(&w->seen_epoch, rescan_epoch());
    ready_clear(ready_of(waiter), wait_node_count(waiter));
}

/*
 * The waiter, as its owner uses it: that of our slot is claimed when it is a predecessor's still. Until
 * then it is like that of a dead slot that nobody took: is_wanted compares with the living generation.
 */
static Waiter *
own_waiter(WaiterId waiter)
{
    Waiter *w = waiter_at(waiter);

    if (waiter == my_slot_index && atomic_u32_load_relaxed(&w->generation) != my_generation)
        wait_claim(waiter, my_generation);
    return w;
}

static void
wake_now(uint64_t target)
{
    if (target != 0)
        latch_set(slot_ref_unpack(target));
}

uint32_t
wait_renew(WaiterId waiter)
{
    uint32_t generation = atomic_u32_load(&waiter_at(waiter)->generation) + 1;
    uint64_t target = atomic_u64_load_seq(&waiter_at(waiter)->target);

    ot_assert(waiter >= slot_waiters);
    if (generation == 0)
        generation = 1;
    wait_claim(waiter, generation);
    wake_now(target);
    return generation;
}

void
wait_attach(WaiterId waiter)
{
    Waiter *w = waiter_at(waiter);

    if (waiter < slot_waiters)
        return;
    atomic_i64_store(&w->idle_since_us, 0);
    atomic_u64_store_seq(&w->target, slot_ref_pack(slot_ref_self()));
}

void
wait_detach(WaiterId waiter, int64_t now_us)
{
    Waiter *w = waiter_at(waiter);

    if (waiter < slot_waiters)
        return;
    atomic_u64_store_seq(&w->target, 0);
    atomic_i64_store(&w->idle_since_us, now_us > 0 ? now_us : 1);
}

/*
 * A free node of the waiter, or WAIT_NODE_NONE. next_free is a hint that makes it one look as long
 * as nodes are plenty.
 */
static int32_t
find_free_node(WaiterId waiter)
{
    Waiter *w = waiter_at(waiter);
    int32_t count = wait_node_count(waiter);
    int32_t start = atomic_i32_load_relaxed(&w->next_free);

    for (int32_t i = 0; i < count; i++) {
        int32_t node = start + i < count ? start + i : start + i - count;

        if (atomic_u64_load(&own_node(waiter, node)->state) == 0) {
            atomic_i32_store_relaxed(&w->next_free, node + 1 < count ? node + 1 : 0);
            return node;
        }
    }
    return WAIT_NODE_NONE;
}

/* Links a free node. [N3]; next before head, so a walker never finds a node without its rest. */
static void
push_node(WaiterId waiter, int32_t number, const WaitInterest *interest, uint32_t generation)
{
    WaitNode *node = own_node(waiter, number);
    uint32_t id = first_node(waiter) + (uint32_t)number + 1;
    uint32_t head = atomic_u32_load(&interest->list->head);

    atomic_u32_store_relaxed(&node->serial,
                             (atomic_u32_load_relaxed(&node->serial) + 1) & NODE_SERIAL_MASK);
    atomic_u32_store_relaxed(&node->list_id, interest->list_id);
    atomic_u32_store_relaxed(&node->mask, interest->mask);
    atomic_u32_store_relaxed(&node->key, interest->key);
    atomic_u64_store(&node->state, node_state(generation, NODE_LINKED | NODE_WANTED));
    do {
        atomic_u32_store(&node->next, head);
    } while (!atomic_u32_cas(&interest->list->head, &head, id));
}

/* The node used before is still linked to this list: wants it again. False: it is not. */
static bool
renew_node(WaiterId waiter, int32_t name, const WaitInterest *interest, uint32_t generation)
{
    WaitNode *node = named_node(waiter, name);
    uint64_t linked = node_state(generation, NODE_LINKED);
    uint64_t wanted = node_state(generation, NODE_LINKED | NODE_WANTED);
    uint64_t seen;

    if (node == NULL)
        return false;
    seen = atomic_u64_load(&node->state);
    if ((seen != linked && seen != wanted) ||
        atomic_u32_load_relaxed(&node->list_id) != interest->list_id)
        return false;
    atomic_u32_store(&node->mask, interest->mask);
    atomic_u32_store(&node->key, interest->key);
    /* Also when it seems wanted: the CAS proves that no lock holder is taking it out. */
    return atomic_u64_cas(&node->state, &seen, wanted);
}

int
wait_register(WaiterId waiter, const WaitInterest *interest, int32_t *io_node)
{
    uint32_t generation = atomic_u32_load(&own_waiter(waiter)->generation);

    ot_assert(generation != 0 && interest->mask != 0);
    if (!renew_node(waiter, *io_node, interest, generation)) {
        int32_t number;

        /* The node of before stays to be taken out where it hangs; it may be free already. */
        wait_unregister(waiter, *io_node);
        *io_node = WAIT_NODE_NONE;
        number = find_free_node(waiter);
        if (number == WAIT_NODE_NONE) {
            stat_add(STAT_WAIT_NODES_FULL, 1);
            return OT_E_LIMIT;
        }
        push_node(waiter, number, interest, generation);
        *io_node = node_name(own_node(waiter, number), number);
    }
    fence_full(); /* [W1] registered before the caller looks */
    return 0;
}

void
wait_unregister(WaiterId waiter, int32_t node)
{
    uint32_t generation = atomic_u32_load(&own_waiter(waiter)->generation);
    uint64_t wanted = node_state(generation, NODE_LINKED | NODE_WANTED);
    WaitNode *n = named_node(waiter, node);

    /* Otherwise it is unwanted, free, or on its way out already. */
    if (n != NULL)
        (void)atomic_u64_cas(&n->state, &wanted, node_state(generation, NODE_LINKED));
}

bool
wait_is_registered(WaiterId waiter, int32_t node, uint32_t list_id)
{
    uint32_t generation = atomic_u32_load(&own_waiter(waiter)->generation);
    const WaitNode *n = named_node(waiter, node);

    return n != NULL &&
           atomic_u64_load(&n->state) == node_state(generation, NODE_LINKED | NODE_WANTED) &&
           atomic_u32_load_relaxed(&n->list_id) == list_id;
}

bool
wait_stale_list(WaiterId waiter, uint32_t *ret_list_id)
{
    uint32_t generation = atomic_u32_load(&own_waiter(waiter)->generation);
    int32_t count = wait_node_count(waiter);

    for (int32_t i = 0; i < count; i++) {
        const WaitNode *node = own_node(waiter, i);
        uint64_t state = atomic_u64_load(&node->state);

        if (state == 0 || state == node_state(generation, NODE_LINKED | NODE_WANTED))
            continue;
        *ret_list_id = atomic_u32_load_relaxed(&node->list_id);
        return true;
    }
    return false;
}

/* ---- the lock holder's side -------------------------------------------------------------------- */

/* Takes a node out of the list it is in; its state is UNLINKING. False: it is not in the list. */
static bool
cut_out(WaitList *list, uint32_t id)
{
    uint32_t next = atomic_u32_load(&nodes[id - 1].next);
    uint32_t head = id;
    uint32_t prev;

    if (atomic_u32_cas(&list->head, &head, next))
        return true;
    /* Others push at the head only, so from any head on the walk is stable. [N2] */
    for (prev = head; prev != 0; prev = atomic_u32_load(&nodes[prev - 1].next)) {
        steps++;
        if (atomic_u32_load(&nodes[prev - 1].next) == id) {
            atomic_u32_store(&nodes[prev - 1].next, next);
            return true;
        }
    }
    return false;
}

/*
 * Takes an unwanted node out and frees it. seen: its state, in which it was found unwanted. False:
 * its owner wants it again.
 */
static bool
unlink_node(WaitList *list, uint32_t id, uint64_t seen)
{
    WaitNode *node = &nodes[id - 1];
    uint64_t going = (seen & ~(uint64_t)NODE_WANTED) | NODE_UNLINKING;

    atomic_u32_store_seq(&list->unlinking, id);
    if (!atomic_u64_cas(&node->state, &seen, going)) {
        atomic_u32_store(&list->unlinking, 0);
        return false;
    }
    ot_assert(cut_out(list, id));
    atomic_u64_store(&node->state, 0); /* [N1]: the owner may push it elsewhere from here on */
    atomic_u32_store(&list->unlinking, 0);
    return true;
}

/* What a dead holder left: a node marked UNLINKING that may or may not be in the list still. */
static void
finish_unlinking(WaitList *list, uint32_t list_id)
{
    uint32_t id = atomic_u32_load(&list->unlinking);
    WaitNode *node;

    if (id == 0)
        return;
    node = &nodes[id - 1];
    /* Free or pushed anew by now: then the holder died after its last step but one. */
    if ((atomic_u64_load(&node->state) & NODE_UNLINKING) != 0 &&
        atomic_u32_load(&node->list_id) == list_id &&
        (atomic_u64_load(&node->state) & NODE_UNLINKING) != 0) { /* not another list's */
        (void)cut_out(list, id);
        atomic_u64_store(&node->state, 0);
    }
    atomic_u32_store(&list->unlinking, 0);
}

/*
 * Does anybody want this node? drop: its session was idle too long, or who waited for it is dead, which
 * the session must learn. Who attaches this moment sees the overflow or is seen as the target.
 */
static bool
is_wanted(WaiterId id, uint64_t state, int64_t now_us, bool *ret_drop)
{
    const Waiter *w = &waiters[id];
    uint32_t generation = state_generation(state);
    uint64_t target;
    int64_t idle;

    *ret_drop = false;
    if ((state & NODE_WANTED) == 0 || atomic_u32_load(&w->generation) != generation)
        return false;
    if (id < slot_waiters)
        return slot_is_alive(id, generation);
    target = atomic_u64_load(&w->target);
    idle = atomic_i64_load(&w->idle_since_us);
    if (target == 0 ? idle == 0 || now_us - idle < WAIT_IDLE_DROP_US : slot_ref_alive(target))
        return true;
    *ret_drop = true;
    return false;
}

/* Tells one waiter. Bit first, then whom to wake: who attaches in between looks at the bits. */
static void
tell(WaiterId id, uint32_t node_index, WakeBatch *batch)
{
    (void)ready_set(ready_of(id), (int32_t)(node_index - first_node(id)));
    wake_batch_add(batch, atomic_u64_load_seq(&waiters[id].target));
}

void
wait_notify(WaitList *list, uint32_t list_id, uint32_t events, int64_t now_us, WakeBatch *batch)
{
    uint32_t id;
    uint32_t next;

    fence_full(); /* [W1] published before the list is read */
    finish_unlinking(list, list_id);
    for (id = atomic_u32_load_seq(&list->head); id != 0; id = next) {
        WaitNode *node = &nodes[id - 1];
        WaiterId owner = waiter_of_node(id - 1);
        uint64_t state = atomic_u64_load(&node->state);
        bool drop;

        steps++;
        next = atomic_u32_load(&node->next);
        if (is_wanted(owner, state, now_us, &drop)) {
            if ((atomic_u32_load(&node->mask) & events) != 0)
                tell(owner, id - 1, batch);
            continue;
        }
        if (drop) /* before the node goes: a session that comes back must see it */
            atomic_u32_store_seq(&waiters[owner].overflow, 1);
        if (!unlink_node(list, id, state))
            tell(owner, id - 1, batch); /* wanted again this moment */
        else if (drop) /* it came back since we looked, registered, and may sleep already */
            wake_batch_add(batch, atomic_u64_load_seq(&waiters[owner].target));
    }
}

bool
wait_list_in_use(const WaitList *list)
{
    fence_full(); /* [W1] */
    return atomic_u32_load_seq(&list->head) != 0;
}

void
wait_sweep_locked(WaitList *list, uint32_t list_id, WaiterId waiter)
{
    uint32_t id;
    uint32_t next;

    finish_unlinking(list, list_id);
    for (id = atomic_u32_load_seq(&list->head); id != 0; id = next) {
        uint64_t state = atomic_u64_load(&nodes[id - 1].state);
        WaiterId owner = waiter_of_node(id - 1);
        bool drop;

        steps++;
        next = atomic_u32_load(&nodes[id - 1].next);
        if (is_wanted(owner, state, 0, &drop))
            continue;
        if (drop) /* as in wait_notify */
            atomic_u32_store_seq(&waiters[owner].overflow, 1);
        if (unlink_node(list, id, state) && drop) /* else it is wanted again and stays */
            wake_now(atomic_u64_load_seq(&waiters[owner].target));
    }
    if (waiter < 0)
        return;
    /* All unwanted nodes of this list are out of it now: what still says LINKED was never pushed. */
    for (int32_t i = 0; i < wait_node_count(waiter); i++) {
        WaitNode *node = own_node(waiter, i);
        uint64_t state = atomic_u64_load(&node->state);

        if (state != 0 && atomic_u32_load(&node->list_id) == list_id &&
            state_generation(state) != atomic_u32_load(&waiters[waiter].generation))
            atomic_u64_store(&node->state, 0);
    }
}

/* ---- taking what is ready ---------------------------------------------------------------------- */

void
wait_begin_take(WaitTake *take, WaiterId waiter, bool rescan)
{
    Waiter *w = own_waiter(waiter);
    uint32_t epoch = rescan_epoch();
    /* A death while nobody looked: its wake-up of a session that rested must not be lost either. */
    bool everything = rescan || atomic_u32_load_relaxed(&w->seen_epoch) != epoch;

    atomic_u32_store_relaxed(&w->seen_epoch, epoch);
    if (atomic_u32_load_seq(&w->overflow) != 0 && atomic_u32_swap(&w->overflow, 0) != 0)
        everything = true;
    take->waiter = waiter;
    take->everything = everything;
    ready_begin(&take->cursor, ready_of(waiter), wait_node_count(waiter), everything);
}

bool
wait_next(WaitTake *take, int32_t *ret_node, uint32_t *ret_key)
{
    uint32_t generation = atomic_u32_load(&waiter_at(take->waiter)->generation);

    for (;;) {
        int32_t number = ready_next(&take->cursor);
        const WaitNode *node;

        if (number < 0)
            return false;
        node = own_node(take->waiter, number);
        /* A bit of an earlier generation, or of a node given up meanwhile. [N4] */
        if (atomic_u64_load(&node->state) != node_state(generation, NODE_LINKED | NODE_WANTED))
            continue;
        *ret_node = node_name(node, number);
        *ret_key = atomic_u32_load(&node->key);
        return true;
    }
}

void
wait_end_take(WaitTake *take)
{
    ready_put_back(&take->cursor);
}
