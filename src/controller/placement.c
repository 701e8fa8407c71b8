/*
 * placement.c - where the replicas of new partitions go: striped over racks, then over brokers
 *
 * Every rack has two rings, unfenced and fenced brokers, each sorted by id and entered at a random
 * place. The leader comes from the rack whose turn it is, the followers from the racks behind it.
 * After as many partitions as there are unfenced brokers everything is shuffled, so that the second
 * replicas of one leader do not all meet on the same broker.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "controller/decide.h"
#include "ottla/common/assert.h"

/* One ring; an iteration begins one place behind where the last one began. */
typedef struct Ring {
    int32_t *ids;
    int32_t count;
    int32_t start;     /* of the next iteration */
    int32_t at;        /* next in this iteration */
    int32_t left;      /* not yet given in this iteration */
    int64_t iteration; /* that at and left belong to */
} Ring;

typedef struct Rack {
    StrView name;
    Ring unfenced;
    Ring fenced;
} Rack;

struct Placer {
    Rack *racks;
    int32_t rack_count;
    int32_t rack_offset;
    int32_t broker_count;
    int32_t unfenced_count;
    int64_t iteration;
    int32_t since_shuffle;
    RandomSeq *random;
};

static int
compare_brokers(const void *a, const void *b)
{
    const PlacementBroker *x = a, *y = b;
    int diff = image_key_compare((BytesView){(const uint8_t *)x->rack.ptr, x->rack.len},
                                 (BytesView){(const uint8_t *)y->rack.ptr, y->rack.len});

    return diff != 0 ? diff : (x->id > y->id) - (x->id < y->id);
}

static int32_t
below(RandomSeq *random, int32_t bound)
{
    return bound <= 1 ? 0 : (int32_t)random_seq_below(random, (uint64_t)bound);
}

static void
ring_add(Ring *ring, int32_t *room, int32_t id)
{
    if (ring->count == 0)
        ring->ids = room;
    ring->ids[ring->count++] = id;
}

Placer *
placer_new(const PlacementBroker *brokers, int32_t count, RandomSeq *random, Arena *arena)
{
    Placer *p = arena_calloc(arena, 1, sizeof *p);
    PlacementBroker *sorted = arena_calloc(arena, (size_t)count + 1, sizeof *sorted);
    int32_t *ids = arena_calloc(arena, 2 * ((size_t)count + 1), sizeof *ids);
    Rack *rack = NULL;

    if (p == NULL || sorted == NULL || ids == NULL)
        return NULL;
    p->racks = arena_calloc(arena, (size_t)count + 1, sizeof *p->racks);
    if (p->racks == NULL)
        return NULL;
    p->random = random;
    p->broker_count = count;
    for (int32_t i = 0; i < count; i++)
        sorted[i] = brokers[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_brokers);
    for (int32_t i = 0; i < count; i++) {
        const PlacementBroker *b = &sorted[i];
        bool same = rack != NULL && (rack->name.ptr == NULL) == (b->rack.ptr == NULL) &&
                    (b->rack.ptr == NULL || strview_equal(rack->name, b->rack));

        if (!same) {
            rack = &p->racks[p->rack_count++];
            rack->name = b->rack;
        }
        ring_add(b->fenced ? &rack->fenced : &rack->unfenced, b->fenced ? ids + count + i : ids + i,
                 b->id);
        p->unfenced_count += !b->fenced;
    }
    for (int32_t i = 0; i < p->rack_count; i++) {
        p->racks[i].unfenced.start = below(random, p->racks[i].unfenced.count);
        p->racks[i].fenced.start = below(random, p->racks[i].fenced.count);
    }
    p->rack_offset = below(random, p->rack_count);
    return p;
}

const char *
placer_fault(const Placer *p, int32_t replicas)
{
    if (replicas < 1)
        return "the replication factor must be above 0";
    if (p->unfenced_count == 0)
        return "all brokers are fenced or shutting down";
    if (replicas > p->broker_count)
        return "the replication factor is larger than the number of registered brokers";
    return NULL;
}

/* -1: all of the ring were given in this iteration. */
static int32_t
ring_take(Ring *ring, int64_t iteration)
{
    int32_t id;

    if (ring->count == 0)
        return -1;
    if (ring->iteration != iteration) {
        ring->iteration = iteration;
        ring->at = ring->start;
        ring->left = ring->count;
        ring->start = (ring->start + 1) % ring->count;
    }
    if (ring->left == 0)
        return -1;
    id = ring->ids[ring->at];
    ring->at = (ring->at + 1) % ring->count;
    ring->left--;
    return id;
}

static void
shuffle_ids(RandomSeq *random, Ring *ring)
{
    for (int32_t i = ring->count - 1; i > 0; i--) {
        int32_t other = below(random, i + 1), id = ring->ids[i];

        ring->ids[i] = ring->ids[other];
        ring->ids[other] = id;
    }
}

static void
shuffle(Placer *p)
{
    for (int32_t i = p->rack_count - 1; i > 0; i--) {
        int32_t other = below(p->random, i + 1);
        Rack rack = p->racks[i];

        p->racks[i] = p->racks[other];
        p->racks[other] = rack;
    }
    for (int32_t i = 0; i < p->rack_count; i++) {
        shuffle_ids(p->random, &p->racks[i].unfenced);
        shuffle_ids(p->random, &p->racks[i].fenced);
    }
}

void
placer_next(Placer *p, int32_t replicas, int32_t *ret_ids)
{
    int32_t got = 0, rack, leader_rack = -1;
    bool skip_leader = true;

    ot_assert(placer_fault(p, replicas) == NULL);
    if (p->since_shuffle == p->unfenced_count && p->unfenced_count > 1) {
        shuffle(p);
        p->since_shuffle = 0;
    }
    p->since_shuffle++;
    p->iteration++;
    rack = p->rack_offset;
    for (int32_t i = 0; i < p->rack_count && got == 0; i++, rack = (rack + 1) % p->rack_count) {
        int32_t id = ring_take(&p->racks[rack].unfenced, p->iteration);

        if (id >= 0) {
            ret_ids[got++] = id;
            leader_rack = rack;
        }
    }
    ot_assert(got == 1);
    /* Ends: every round over the racks gives a broker while any is left. */
    rack = p->rack_offset;
    while (got < replicas) {
        int32_t id = -1;

        if (rack == leader_rack && skip_leader && p->rack_count > 1) {
            skip_leader = false;
        } else {
            id = ring_take(&p->racks[rack].unfenced, p->iteration);
            if (id < 0)
                id = ring_take(&p->racks[rack].fenced, p->iteration);
        }
        if (id >= 0)
            ret_ids[got++] = id;
        rack = (rack + 1) % p->rack_count;
    }
    p->rack_offset = (p->rack_offset + 1) % p->rack_count;
}

Placer *
placer_for(const DecideContext *c)
{
    int32_t count = image_broker_count(c->image), n = 0;
    PlacementBroker *brokers = arena_calloc(c->arena, (size_t)count + 1, sizeof *brokers);

    if (brokers == NULL)
        return NULL;
    for (const ImageBroker *b = image_broker_after(c->image, INT32_MIN); b != NULL;
         b = image_broker_after(c->image, b->id)) {
        /* A broker whose directories all take no new replicas is left out. */
        bool cordoned = b->cordoned_log_dir_count > 0 && b->log_dir_count > 0 &&
                        b->cordoned_log_dir_count >= b->log_dir_count;

        if (!b->in_controlled_shutdown && !cordoned)
            brokers[n++] = (PlacementBroker){b->id, b->rack, b->fenced};
    }
    return placer_new(brokers, n, c->random, c->arena);
}

/* ---- directories ---- */

const Uuid directory_unassigned = {{[15] = 1}};
const Uuid directory_lost = {{[15] = 2}};

Uuid
decide_directory(const DecideContext *c, int32_t broker_id)
{
    const ImageBroker *b = image_broker(c->image, broker_id);

    if (b == NULL || b->log_dir_count == 0)
        return (Uuid){{0}}; /* chosen already, not known here */
    if (b->log_dir_count == 1)
        return b->log_dirs[0];
    if (broker_id == c->node_id && c->pick_directory != NULL)
        return c->pick_directory(c->pick_arg);
    return directory_unassigned;
}
