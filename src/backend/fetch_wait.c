/*
 * fetch_wait.c - the interest of fetches that wait, and what came meanwhile (log.md 12.6)
 *
 * Runs in: backend.
 * Order for waiting, everywhere: register, count, sleep (waitlist.h [W1]).
 *
 * A session keeps its nodes in its parts. Requests without a session (librdkafka, kafkajs) name the
 * same partitions again and again: their nodes are kept by the connection in a private table, so that
 * only differences to the last request touch the lists.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"

uint64_t fetch_wait_looks;

/* ---- the connection's nodes ----------------------------------------------------------------- */

#define NODE_BUCKETS (2 * WAIT_NODES_PER_SLOT)

typedef struct NodeRow {
    uint32_t list_id; /* valid while node is set */
    int32_t node;
    uint32_t serial; /* of the request that named it last */
} NodeRow;

/* Open addressing; rows are dropped only by starting anew. */
typedef struct NodeTable {
    NodeRow rows[NODE_BUCKETS];
    bool used[NODE_BUCKETS];
    int32_t count;
    int32_t named; /* by the current request */
    uint32_t serial;
} NodeTable;

static NodeTable nodes;

static NodeRow *
node_row(uint32_t list_id)
{
    uint32_t at = (uint32_t)(hash_u64(list_id) % NODE_BUCKETS);
    while (nodes.used[at] && nodes.rows[at].list_id != list_id)
        at = (at + 1) % NODE_BUCKETS;
    if (!nodes.used[at]) {
        if (nodes.count >= WAIT_NODES_PER_SLOT)
            return NULL;
        nodes.used[at] = true;
        nodes.rows[at] = (NodeRow){list_id, WAIT_NODE_NONE, 0};
        nodes.count++;
    }
    return &nodes.rows[at];
}

void
fetch_nodes_begin(void)
{
    nodes.serial++;
    nodes.named = 0;
}

/* Rows that this request did not name: unregistered, and the table is built anew without them. */
static void
nodes_forget_others(uint32_t serial)
{
    NodeRow keep[WAIT_NODES_PER_SLOT];
    int32_t count = 0;
    for (int32_t i = 0; i < NODE_BUCKETS; i++) {
        if (nodes.used[i] && nodes.rows[i].serial == serial)
            keep[count++] = nodes.rows[i];
        else if (nodes.used[i] && nodes.rows[i].node != WAIT_NODE_NONE)
            wait_unregister(my_slot_index, nodes.rows[i].node);
        nodes.used[i] = false;
    }
    nodes.count = 0;
    for (int32_t i = 0; i < count; i++) {
        NodeRow *row = node_row(keep[i].list_id);
        ot_assert(row != NULL);
        *row = keep[i];
    }
}

void
fetch_nodes_end(void)
{
    if (nodes.named != nodes.count)
        nodes_forget_others(nodes.serial);
}

void
fetch_nodes_drop(void)
{
    if (nodes.count > 0) {
        nodes.serial++;
        nodes_forget_others(nodes.serial);
    }
}

int32_t
fetch_nodes_count(void)
{
    return nodes.count;
}

/* ---- registering ---------------------------------------------------------------------------- */

static InterestResult
register_node(WaiterId waiter, const FetchPart *part, uint32_t mask_key[2], int32_t *io_node)
{
    Interest interest = {.ref = part->ref, .mask = mask_key[0], .key = mask_key[1]};

    return interest_register(waiter, &interest, io_node);
}

static uint32_t
interest_mask(PlogBound bound)
{
    return WAIT_ON_STATE | (bound == PLOG_BOUND_LEO ? WAIT_ON_LOG_END : WAIT_ON_HIGH_WATERMARK);
}

InterestResult
fetch_wait_register(WaiterId waiter, FetchPart *part, PlogBound bound, uint32_t key)
{
    return register_node(waiter, part, (uint32_t[2]){interest_mask(bound), key}, &part->node);
}

InterestResult
fetch_nodes_register(FetchPart *part, PlogBound bound, uint32_t key)
{
    NodeRow *row = part->ref.slot < 0 ? NULL : node_row((uint32_t)part->ref.slot);
    if (row == NULL)
        return part->ref.slot < 0 ? INTEREST_GONE : INTEREST_POLL;
    if (row->serial != nodes.serial) {
        row->serial = nodes.serial;
        nodes.named++;
    }
    return register_node(my_slot_index, part, (uint32_t[2]){interest_mask(bound), key}, &row->node);
}

/* ---- counting ------------------------------------------------------------------------------- */

bool
fetch_wait_count(FetchPart *part, PlogBound bound, int64_t *io_total)
{
    const PartitionSlot *slot = pslot_find(part->ref);
    PslotLeadership leadership;
    PlogAvailable now;
    int64_t bytes;

    fetch_wait_looks++;
    if (slot == NULL)
        return true;
    leadership = pslot_leadership(slot);
    if (leadership.role != PSLOT_ROLE_LEADER ||
        (part->current_leader_epoch >= 0 &&
         part->current_leader_epoch != leadership.leader_epoch) ||
        plog_available(part->ref, &part->start, bound, &now, NULL) != 0)
        return true;
    bytes = now.bytes < part->max_bytes ? now.bytes : part->max_bytes;
    *io_total += bytes - part->ready_bytes;
    part->ready_bytes = bytes;
    return now.full || now.truncated;
}
