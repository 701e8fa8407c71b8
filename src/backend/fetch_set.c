/*
 * fetch_set.c - the partitions of one fetch session: a set in shared memory
 *
 * Runs in: backend, under the session's lock.
 * Never: takes locks, reads clocks or files, wakes anybody.
 * Invariants:
 *   F1  part_count parts of [0, part_high) are in use; each is in exactly one bucket chain
 *   F2  the hot list holds exactly the parts in use that are marked hot, hot_count of them
 *   F3  a topic cell is in use while at least one part names it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_set_int.h"

#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"

/* A topic's cell in a chunk: the name lies behind the struct. */
typedef struct TopicCell {
    FetchTopic topic;
    int32_t hash_next; /* also links free cells */
    int32_t uses;      /* parts that name it */
    char name[LIMIT_TOPIC_NAME_LEN];
} TopicCell;

_Static_assert(sizeof(TopicCell) <= FETCH_TOPIC_BYTES, "a topic's cell fits");

static uint8_t *
chunk_at(const FetchChunks *chunks, uint32_t chunk_plus_one)
{
    ot_assert(chunk_plus_one > 0);
    return chunks->base + (size_t)(chunk_plus_one - 1) * FETCH_CHUNK_BYTES;
}

FetchPart *
fetch_set_part(const FetchSet *set, const FetchChunks *chunks, int32_t index)
{
    ot_assert(index >= 0 && index < set->part_high);
    uint8_t *chunk = chunk_at(chunks, set->part_chunks[index / FETCH_PARTS_PER_CHUNK]);
    void *part = chunk + (size_t)(index % FETCH_PARTS_PER_CHUNK) * sizeof(FetchPart);
    return part;
}

static TopicCell *
topic_cell(const FetchSet *set, const FetchChunks *chunks, int32_t topic)
{
    ot_assert(topic >= 0 && topic < set->topic_high);
    uint8_t *chunk = chunk_at(chunks, set->topic_chunks[topic / FETCH_TOPICS_PER_CHUNK]);
    void *cell = chunk + (size_t)(topic % FETCH_TOPICS_PER_CHUNK) * FETCH_TOPIC_BYTES;
    return cell;
}

FetchTopic *
fetch_set_topic(const FetchSet *set, const FetchChunks *chunks, int32_t topic)
{
    return &topic_cell(set, chunks, topic)->topic;
}

void
fetch_set_init(FetchSet *set, uint64_t owner)
{
    *set = (FetchSet){
        .owner = owner, .part_free = FETCH_NONE, .topic_free = FETCH_NONE, .hot_first = FETCH_NONE};
}

void
fetch_set_fini(FetchSet *set, const FetchChunks *chunks)
{
    for (size_t i = 0; i < FETCH_PART_CHUNKS && set->part_chunks[i] != 0; i++)
        pool_free(chunks->pool, set->part_chunks[i] - 1, set->owner);
    for (size_t i = 0; i < FETCH_TOPIC_CHUNKS && set->topic_chunks[i] != 0; i++)
        pool_free(chunks->pool, set->topic_chunks[i] - 1, set->owner);
    fetch_set_init(set, set->owner);
}

static uint32_t
topic_bucket(const FetchKey *key)
{
    uint64_t h = key->by_id ? hash_bytes(key->id.b, sizeof key->id.b, 0)
                            : hash_bytes(key->name.ptr, (size_t)key->name.len, 1);
    return (uint32_t)(h % FETCH_TOPIC_BUCKETS);
}

static bool
topic_is(const FetchTopic *topic, const FetchKey *key)
{
    if (topic->by_id != key->by_id)
        return false;
    return key->by_id ? uuid_equal(topic->id, key->id)
                      : topic->name_len == key->name.len &&
                            memcmp(topic->name, key->name.ptr, (size_t)key->name.len) == 0;
}

static int32_t
topic_find(const FetchSet *set, const FetchChunks *chunks, const FetchKey *key)
{
    int32_t topic = set->topic_buckets[topic_bucket(key)] - 1;
    while (topic >= 0) {
        const TopicCell *cell = topic_cell(set, chunks, topic);
        if (topic_is(&cell->topic, key))
            return topic;
        topic = cell->hash_next;
    }
    return FETCH_NONE;
}

static uint32_t
part_bucket(int32_t topic, int32_t partition)
{
    uint64_t both = (uint64_t)(uint32_t)topic << 32 | (uint32_t)partition;
    return (uint32_t)(hash_bytes(&both, sizeof both, 2) % FETCH_PART_BUCKETS);
}

static int32_t
part_find(const FetchSet *set, const FetchChunks *chunks, int32_t topic, int32_t partition)
{
    int32_t index = set->part_buckets[part_bucket(topic, partition)] - 1;
    while (index >= 0) {
        const FetchPart *part = fetch_set_part(set, chunks, index);
        if (part->topic == topic && part->partition == partition)
            return index;
        index = part->hash_next;
    }
    return FETCH_NONE;
}

int32_t
fetch_set_find(const FetchSet *set, const FetchChunks *chunks, const FetchKey *key)
{
    int32_t topic = topic_find(set, chunks, key);
    return topic < 0 ? FETCH_NONE : part_find(set, chunks, topic, key->partition);
}

/* Makes sure that the chunk of a new index exists. */
static bool
chunk_ensure(const FetchSet *set, const FetchChunks *chunks, uint32_t *chunk)
{
    if (*chunk == 0) {
        uint32_t taken = pool_alloc(chunks->pool, set->owner, 0);
        if (taken == POOL_NONE)
            return false;
        *chunk = taken + 1;
    }
    return true;
}

static int32_t
topic_add(FetchSet *set, const FetchChunks *chunks, const FetchKey *key)
{
    int32_t topic = set->topic_free;
    if (key->name.len > LIMIT_TOPIC_NAME_LEN)
        return FETCH_NONE;
    if (topic >= 0) {
        set->topic_free = topic_cell(set, chunks, topic)->hash_next;
    } else {
        topic = set->topic_high;
        if (topic / FETCH_TOPICS_PER_CHUNK >= FETCH_TOPIC_CHUNKS ||
            !chunk_ensure(set, chunks, &set->topic_chunks[topic / FETCH_TOPICS_PER_CHUNK]))
            return FETCH_NONE;
        set->topic_high++;
    }
    TopicCell *cell = topic_cell(set, chunks, topic);
    uint32_t bucket = topic_bucket(key);
    *cell =
        (TopicCell){.topic = {.by_id = key->by_id}, .hash_next = set->topic_buckets[bucket] - 1};
    cell->topic.name = cell->name;
    if (key->by_id) {
        cell->topic.id = key->id;
    } else {
        memcpy(cell->name, key->name.ptr, (size_t)key->name.len);
        cell->topic.name_len = key->name.len;
    }
    set->topic_buckets[bucket] = topic + 1;
    return topic;
}

static void
topic_drop(FetchSet *set, const FetchChunks *chunks, int32_t topic)
{
    TopicCell *cell = topic_cell(set, chunks, topic);
    FetchKey key = {.id = cell->topic.id,
                    .name = {cell->topic.name, cell->topic.name_len},
                    .by_id = cell->topic.by_id};
    int32_t *bucket = &set->topic_buckets[topic_bucket(&key)];
    if (*bucket - 1 == topic) {
        *bucket = cell->hash_next + 1;
    } else {
        TopicCell *before = topic_cell(set, chunks, *bucket - 1);
        while (before->hash_next != topic)
            before = topic_cell(set, chunks, before->hash_next);
        before->hash_next = cell->hash_next;
    }
    cell->hash_next = set->topic_free;
    set->topic_free = topic;
}

static int32_t
part_take(FetchSet *set, const FetchChunks *chunks)
{
    int32_t index = set->part_free;
    if (index >= 0) {
        set->part_free = fetch_set_part(set, chunks, index)->hash_next;
        return index;
    }
    index = set->part_high;
    if (index >= FETCH_SESSION_PARTS_MAX ||
        !chunk_ensure(set, chunks, &set->part_chunks[index / FETCH_PARTS_PER_CHUNK]))
        return FETCH_NONE;
    set->part_high++;
    return index;
}

int32_t
fetch_set_add(FetchSet *set, const FetchChunks *chunks, const FetchKey *key)
{
    int32_t topic = topic_find(set, chunks, key);
    if (topic >= 0) {
        int32_t there = part_find(set, chunks, topic, key->partition);
        if (there >= 0)
            return there;
    } else {
        topic = topic_add(set, chunks, key);
        if (topic < 0)
            return FETCH_NONE;
    }
    int32_t index = part_take(set, chunks);
    if (index < 0) {
        if (topic_cell(set, chunks, topic)->uses == 0)
            topic_drop(set, chunks, topic);
        return FETCH_NONE;
    }
    uint32_t bucket = part_bucket(topic, key->partition);
    FetchPart *part = fetch_set_part(set, chunks, index);
    *part = (FetchPart){.topic = topic,
                        .partition = key->partition,
                        .order = set->next_order++,
                        .told_high_watermark = -1,
                        .told_log_start = -1,
                        .ref = PARTITION_REF_NONE,
                        .node = WAIT_NODE_NONE,
                        .hash_next = set->part_buckets[bucket] - 1,
                        .in_use = true};
    set->part_buckets[bucket] = index + 1;
    set->part_count++;
    topic_cell(set, chunks, topic)->uses++;
    fetch_set_heat(set, chunks, index);
    return index;
}

void
fetch_set_remove(FetchSet *set, const FetchChunks *chunks, int32_t index)
{
    FetchPart *part = fetch_set_part(set, chunks, index);
    ot_assert(part->in_use);
    fetch_set_cool(set, chunks, index);
    int32_t *bucket = &set->part_buckets[part_bucket(part->topic, part->partition)];
    if (*bucket - 1 == index) {
        *bucket = part->hash_next + 1;
    } else {
        FetchPart *before = fetch_set_part(set, chunks, *bucket - 1);
        while (before->hash_next != index)
            before = fetch_set_part(set, chunks, before->hash_next);
        before->hash_next = part->hash_next;
    }
    if (--topic_cell(set, chunks, part->topic)->uses == 0)
        topic_drop(set, chunks, part->topic);
    part->in_use = false;
    part->hash_next = set->part_free;
    set->part_free = index;
    set->part_count--;
}

void
fetch_set_heat(FetchSet *set, const FetchChunks *chunks, int32_t index)
{
    FetchPart *part = fetch_set_part(set, chunks, index);
    if (part->hot)
        return;
    part->hot = true;
    part->hot_prev = FETCH_NONE;
    part->hot_next = set->hot_first;
    if (set->hot_first >= 0)
        fetch_set_part(set, chunks, set->hot_first)->hot_prev = index;
    set->hot_first = index;
    set->hot_count++;
}

void
fetch_set_cool(FetchSet *set, const FetchChunks *chunks, int32_t index)
{
    FetchPart *part = fetch_set_part(set, chunks, index);
    if (!part->hot)
        return;
    if (part->hot_prev >= 0)
        fetch_set_part(set, chunks, part->hot_prev)->hot_next = part->hot_next;
    else
        set->hot_first = part->hot_next;
    if (part->hot_next >= 0)
        fetch_set_part(set, chunks, part->hot_next)->hot_prev = part->hot_prev;
    part->hot = false;
    set->hot_count--;
}

void
fetch_set_heat_all(FetchSet *set, const FetchChunks *chunks)
{
    for (int32_t i = 0; i < set->part_high; i++)
        if (fetch_set_part(set, chunks, i)->in_use)
            fetch_set_heat(set, chunks, i);
}

void
fetch_set_move_to_end(FetchSet *set, const FetchChunks *chunks, int32_t index)
{
    fetch_set_part(set, chunks, index)->order = set->next_order++;
}

/* qsort has no argument for the comparison; a backend has one thread. */
static const FetchSet *sort_set;
static const FetchChunks *sort_chunks;

static int
by_order(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    int64_t left = fetch_set_part(sort_set, sort_chunks, *x)->order;
    int64_t right = fetch_set_part(sort_set, sort_chunks, *y)->order;
    return (left > right) - (left < right);
}

void
fetch_set_hot_sorted(const FetchSet *set, const FetchChunks *chunks, int32_t *ret)
{
    int32_t count = 0;
    for (int32_t i = set->hot_first; i >= 0; i = fetch_set_part(set, chunks, i)->hot_next) {
        ot_assert(count < set->hot_count);
        ret[count++] = i;
    }
    ot_assert(count == set->hot_count);
    sort_set = set;
    sort_chunks = chunks;
    qsort(ret, (size_t)count, sizeof *ret, by_order);
}

void
fetch_set_check(const FetchSet *set, const FetchChunks *chunks)
{
    int32_t used = 0, hot = 0, chained = 0, listed = 0;
    for (int32_t i = 0; i < set->part_high; i++) {
        const FetchPart *part = fetch_set_part(set, chunks, i);
        used += part->in_use;
        hot += part->in_use && part->hot;
        ot_assert(!part->in_use || topic_cell(set, chunks, part->topic)->uses > 0);
    }
    for (int32_t b = 0; b < FETCH_PART_BUCKETS; b++)
        for (int32_t i = set->part_buckets[b] - 1; i >= 0;
             i = fetch_set_part(set, chunks, i)->hash_next)
            chained++;
    for (int32_t i = set->hot_first; i >= 0; i = fetch_set_part(set, chunks, i)->hot_next)
        listed++;
    ot_assert(used == set->part_count && chained == used); /* F1 */
    ot_assert(hot == set->hot_count && listed == hot);     /* F2 */
}
