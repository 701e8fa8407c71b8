/*
 * offsets_pending.c - offsets of transactions that have not ended
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_int.h"
#include "ottla/common/assert.h"

static StrView
key_of(const void *number, size_t size)
{
    return (StrView){number, (int32_t)size};
}

static PendingPartition *
find_partition(const OffsetTopic *topic, int32_t partition)
{
    MapNode *node = map_find(&topic->pending, key_of(&partition, sizeof partition));

    return node == NULL ? NULL : MAP_OWNER(node, PendingPartition, node);
}

static PendingTransaction *
find_transaction(const GroupShard *shard, int64_t producer_id)
{
    MapNode *node = map_find(&shard->transactions, key_of(&producer_id, sizeof producer_id));

    return node == NULL ? NULL : MAP_OWNER(node, PendingTransaction, node);
}

bool
pending_is(const OffsetTopic *topic, int32_t partition)
{
    return topic->pending.count > 0 && find_partition(topic, partition) != NULL;
}

static PendingPartition *
get_partition(GroupShard *shard, OffsetTopic *topic, int32_t partition)
{
    PendingPartition *p = find_partition(topic, partition);

    if (p != NULL)
        return p;
    p = gmem_new(shard->memory, sizeof *p);
    p->topic = topic;
    p->partition = partition;
    map_add(&topic->pending, &p->node, key_of(&p->partition, sizeof p->partition));
    return p;
}

static PendingTransaction *
get_transaction(GroupShard *shard, int64_t producer_id)
{
    PendingTransaction *t = find_transaction(shard, producer_id);

    if (t != NULL)
        return t;
    t = gmem_new(shard->memory, sizeof *t);
    t->producer_id = producer_id;
    map_add(&shard->transactions, &t->node, key_of(&t->producer_id, sizeof t->producer_id));
    return t;
}

static void
link_both(PendingOffset *p)
{
    p->next = p->partition->first;
    if (p->next != NULL)
        p->next->prev = p;
    p->partition->first = p;
    p->txn_next = p->transaction->first;
    if (p->txn_next != NULL)
        p->txn_next->txn_prev = p;
    p->transaction->first = p;
}

void
pending_put(GroupShard *shard, OffsetTopic *topic, int64_t producer_id, const OffsetEntry *entry)
{
    PendingPartition *partition = get_partition(shard, topic, entry->partition);
    PendingOffset *p;

    offset_note_id(topic->topic, entry->topic_id);
    for (p = partition->first; p != NULL; p = p->next)
        if (p->transaction->producer_id == producer_id) {
            offset_text_free(shard, topic->group, p->entry.metadata);
            p->entry = *entry;
            return;
        }
    p = gmem_new(shard->memory, sizeof *p);
    p->partition = partition;
    p->transaction = get_transaction(shard, producer_id);
    p->entry = *entry;
    link_both(p);
    topic->group->offsets.pending_count++;
}

/* Frees it, and what it was the last of, but for the OffsetTopic. The text of the entry is the caller's. */
static void
unlink_and_free(GroupShard *shard, PendingOffset *p)
{
    PendingPartition *partition = p->partition;
    PendingTransaction *transaction = p->transaction;

    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        partition->first = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    if (p->txn_prev != NULL)
        p->txn_prev->txn_next = p->txn_next;
    else
        transaction->first = p->txn_next;
    if (p->txn_next != NULL)
        p->txn_next->txn_prev = p->txn_prev;
    partition->topic->group->offsets.pending_count--;
    gmem_free(shard->memory, p, sizeof *p);
    if (partition->first == NULL) {
        map_remove(&partition->topic->pending, &partition->node);
        gmem_free(shard->memory, partition, sizeof *partition);
    }
    if (transaction->first == NULL) {
        map_remove(&shard->transactions, &transaction->node);
        gmem_free(shard->memory, transaction, sizeof *transaction);
    }
}

static void
drop_partition(GroupShard *shard, PendingPartition *partition)
{
    Group *group = partition->topic->group;
    PendingOffset *next;

    for (PendingOffset *p = partition->first; p != NULL; p = next) {
        next = p->next;
        offset_text_free(shard, group, p->entry.metadata);
        unlink_and_free(shard, p);
    }
}

bool
pending_drop(GroupShard *shard, OffsetTopic *topic, int32_t partition)
{
    PendingPartition *p = find_partition(topic, partition);

    if (p == NULL)
        return false;
    drop_partition(shard, p);
    return true;
}

void
pending_drop_all(GroupShard *shard, OffsetTopic *topic)
{
    uint32_t bucket = 0;
    MapNode *next, *node = map_next(&topic->pending, &bucket, NULL);

    for (; node != NULL; node = next) {
        next = map_next(&topic->pending, &bucket, node);
        drop_partition(shard, MAP_OWNER(node, PendingPartition, node));
    }
}

void
shard_end_transaction(GroupShard *shard, int64_t producer_id, bool commit)
{
    PendingTransaction *transaction = find_transaction(shard, producer_id);
    PendingOffset *next, *p = transaction == NULL ? NULL : transaction->first;

    for (; p != NULL; p = next) {
        OffsetTopic *topic = p->partition->topic;
        const OffsetEntry *there = offset_find(topic, p->entry.partition);

        next = p->txn_next;
        if (commit && (there == NULL || there->serial < p->entry.serial))
            offset_put(shard, topic, &p->entry);
        else
            offset_text_free(shard, topic->group, p->entry.metadata);
        unlink_and_free(shard, p);
        (void)offset_topic_release(shard, topic); /* stays when it holds more */
    }
}

void
pending_check(const GroupShard *shard)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&shard->transactions, &bucket, NULL); node != NULL;
         node = map_next(&shard->transactions, &bucket, node)) {
        const PendingTransaction *transaction = MAP_OWNER(node, PendingTransaction, node);

        ot_assert(transaction->first != NULL && transaction->first->txn_prev == NULL);
        for (const PendingOffset *p = transaction->first; p != NULL; p = p->txn_next) {
            ot_assert(p->transaction == transaction);
            ot_assert(find_partition(p->partition->topic, p->entry.partition) == p->partition);
            ot_assert(p->entry.serial <= shard->offset_serial);
        }
    }
}
