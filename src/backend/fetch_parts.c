/*
 * fetch_parts.c - the partitions that a fetch request names itself
 *
 * Runs in: backend. Never: resolves or reads them (fetch_read.c).
 * Of a partition listed twice the last entry counts, in the place of the first, as in Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"

void
fetch_part_set(FetchPart *part, const FetchRequestPartition *from)
{
    part->partition = from->partition;
    part->fetch_offset = from->fetch_offset;
    part->max_bytes = from->partition_max_bytes;
    part->current_leader_epoch = from->current_leader_epoch;
    part->last_fetched_epoch = from->last_fetched_epoch;
}

int32_t
fetch_named_count(const FetchRequest *req)
{
    int64_t count = 0;

    for (int32_t t = 0; t < req->topics_count; t++)
        count += req->topics[t].partitions_count > 0 ? req->topics[t].partitions_count : 0;
    return count > INT32_MAX ? INT32_MAX : (int32_t)count;
}

/* ---- finding entries of the same partition ------------------------------------------------------ */

typedef struct PartFinder {
    int32_t *rows; /* index of a read + 1; 0: empty */
    uint32_t mask;
    const FetchRead *reads;
} PartFinder;

static bool
finder_init(PartFinder *f, int32_t count, const FetchRead *reads, Arena *arena)
{
    f->reads = reads;
    f->mask = 15;
    while (f->mask < (uint32_t)count * 2)
        f->mask = f->mask * 2 + 1;
    f->rows = arena_calloc(arena, (size_t)f->mask + 1, sizeof *f->rows);
    return f->rows != NULL;
}

static bool
topic_same(const FetchTopic *a, const FetchTopic *b)
{
    if (a->by_id)
        return uuid_equal(a->id, b->id);
    return a->name_len == b->name_len && memcmp(a->name, b->name, (size_t)a->name_len) == 0;
}

static uint64_t
topic_hash(const FetchTopic *t, int32_t partition)
{
    uint64_t h = t->by_id ? hash_bytes(t->id.b, sizeof t->id.b, 0)
                          : hash_bytes(t->name, (size_t)t->name_len, 0);

    return hash_u64(h ^ (uint32_t)partition);
}

/* The row of this partition: names an earlier read, or is empty. */
static int32_t *
finder_row(const PartFinder *f, const FetchTopic *topic, int32_t partition)
{
    uint32_t at = (uint32_t)topic_hash(topic, partition) & f->mask;

    while (f->rows[at] != 0) {
        const FetchRead *r = &f->reads[f->rows[at] - 1];

        if (r->part->partition == partition && topic_same(r->topic, topic))
            break;
        at = (at + 1) & f->mask;
    }
    return &f->rows[at];
}

/* ---- the list ----------------------------------------------------------------------------------- */

static bool
topic_set(FetchTopic *topic, const FetchRequestTopic *from, bool by_id, Arena *arena)
{
    *topic = (FetchTopic){.id = from->topic_id, .by_id = by_id};
    if (by_id)
        return true;
    topic->name = arena_strdup(arena, from->topic);
    topic->name_len = from->topic.len;
    return topic->name != NULL;
}

bool
fetch_own_parts(const FetchRequest *req, bool by_id, Arena *arena, FetchPartList *ret)
{
    size_t most = (size_t)fetch_named_count(req);
    FetchTopic *topics = arena_calloc(arena, (size_t)req->topics_count + 1, sizeof *topics);
    FetchPart *parts = arena_calloc(arena, most + 1, sizeof *parts);
    FetchRead *reads = arena_calloc(arena, most + 1, sizeof *reads);
    int32_t count = 0;
    PartFinder finder;

    if (topics == NULL || parts == NULL || reads == NULL ||
        !finder_init(&finder, (int32_t)most, reads, arena))
        return false;
    for (int32_t t = 0; t < req->topics_count; t++) {
        const FetchRequestTopic *from = &req->topics[t];

        if (!topic_set(&topics[t], from, by_id, arena))
            return false;
        for (int32_t p = 0; p < from->partitions_count; p++) {
            int32_t *row = finder_row(&finder, &topics[t], from->partitions[p].partition);

            if (*row == 0) {
                parts[count] = (FetchPart){.told_high_watermark = -1,
                                           .told_log_start = -1,
                                           .node = WAIT_NODE_NONE,
                                           .ref = PARTITION_REF_NONE};
                reads[count] = (FetchRead){
                    .part = &parts[count], .topic = &topics[t], .index = count, .slice.fd = -1};
                *row = ++count;
            }
            fetch_part_set(reads[*row - 1].part, &from->partitions[p]);
        }
    }
    *ret = (FetchPartList){reads, count};
    return true;
}
