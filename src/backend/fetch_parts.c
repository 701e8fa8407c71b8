/*
 * fetch_parts.c - the partitions of a pass: those a request names, or the hot ones of a session
 *
 * Runs in: backend. Never: resolves or reads them (fetch_read.c).
 * A request's topics and partitions are not decoded as a whole: an entry holds their positions in the
 * body, and they are read again each time (4 ns), so that naming very many costs little memory.
 * Of a partition listed twice the last entry counts, in the place of the first, as in Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"
#include "ottla/controller/image.h"
#include "ottla/storage/fd_cache.h"

#define NO_TOPIC UINT32_MAX

void
fetch_part_set(FetchPart *part, const FetchRequestPartition *from)
{
    part->partition = from->partition;
    part->fetch_offset = from->fetch_offset;
    part->max_bytes = from->partition_max_bytes;
    part->current_leader_epoch = from->current_leader_epoch;
    part->last_fetched_epoch = from->last_fetched_epoch;
}

/* ---- the request's bytes ------------------------------------------------------------------------- */

void
fetch_walk_init(FetchWalk *walk, const Request *rq)
{
    FetchRequest head;

    *walk = (FetchWalk){.arena = rq->arena, .version = rq->head.api_version};
    wire_reader_init(&walk->reader, rq->body.ptr, (size_t)rq->body.len, rq->arena);
    fetch_request_read_head(&walk->reader, walk->version, &head);
    walk->topics_left = head.topics_count;
}

static uint32_t
walk_pos(const FetchWalk *walk)
{
    return (uint32_t)(walk->reader.pos - walk->reader.begin);
}

/* The end of a topic and the head of the next. False: no more. */
static bool
walk_topic(FetchWalk *walk)
{
    if (walk->in_topic)
        fetch_request_topic_read_tail(&walk->reader, walk->version, &walk->topic);
    walk->in_topic = walk->topics_left > 0 && walk->reader.err == 0;
    if (!walk->in_topic)
        return false;
    walk->topics_left--;
    walk->topic_pos = walk_pos(walk);
    fetch_request_topic_read_head(&walk->reader, walk->version, &walk->topic);
    walk->parts_left = walk->topic.partitions_count;
    return walk->reader.err == 0;
}

bool
fetch_walk_next(FetchWalk *walk)
{
    ArenaMark mark = arena_mark(walk->arena);
    bool there = true;

    while (there && walk->parts_left <= 0)
        there = walk_topic(walk);
    if (there) {
        walk->parts_left--;
        walk->part_pos = walk_pos(walk);
        fetch_request_partition_read(&walk->reader, walk->version, &walk->part);
    }
    arena_release(walk->arena, mark); /* unknown tags: nobody asks for them */
    walk->topic.unknown_tags = NULL;
    walk->part.unknown_tags = NULL;
    return there && walk->reader.err == 0;
}

bool
fetch_request_parse(Request *rq, FetchRequest *ret, int32_t *ret_count)
{
    int16_t version = rq->head.api_version;
    int32_t count = 0;
    WireReader head;
    FetchWalk walk;

    wire_reader_init(&head, rq->body.ptr, (size_t)rq->body.len, rq->arena);
    fetch_request_read_head(&head, version, ret);
    fetch_walk_init(&walk, rq);
    while (fetch_walk_next(&walk))
        count++; /* each has its bytes: no more than the body's */
    fetch_request_read_tail(&walk.reader, version, ret);
    *ret_count = count;
    return request_read_ended(rq, &fetch_request_desc, &walk.reader);
}

/* The topic at a position of the body. */
static FetchKey
topic_at(const FetchList *list, uint32_t pos)
{
    FetchRequestTopic topic;
    WireReader r;

    wire_reader_init(&r, list->body.ptr + pos, (size_t)list->body.len - pos, NULL);
    fetch_request_topic_read_head(&r, list->version, &topic);
    return (FetchKey){.id = topic.topic_id, .name = topic.topic, .by_id = list->version >= 13};
}

/* The partition at a position; its tagged fields are not looked at. */
static void
partition_at(const FetchList *list, uint32_t pos, FetchRequestPartition *ret)
{
    WireReader r;

    wire_reader_init(&r, list->body.ptr + pos, (size_t)list->body.len - pos, NULL);
    fetch_request_partition_read(&r, list->version, ret);
}

FetchKey
fetch_entry_key(const FetchList *list, const FetchEntry *entry)
{
    FetchRequestPartition part;
    FetchKey key;

    if (list->set != NULL) {
        const FetchChunks *chunks = fetch_session_chunks();
        const FetchTopic *topic = fetch_set_topic(list->set, chunks, (int32_t)entry->topic);

        return (FetchKey){.id = topic->id,
                          .name = {topic->name, topic->name_len},
                          .partition =
                              fetch_set_part(list->set, chunks, (int32_t)entry->part)->partition,
                          .by_id = topic->by_id};
    }
    key = topic_at(list, entry->topic);
    partition_at(list, entry->part, &part);
    key.partition = part.partition;
    return key;
}

/* ---- finding entries of the same partition ------------------------------------------------------ */

typedef struct EntryFinder {
    int32_t *rows; /* index of an entry + 1; 0: empty */
    uint32_t mask;
    const FetchList *list;
} EntryFinder;

static bool
finder_init(EntryFinder *f, int32_t count, const FetchList *list, Arena *arena)
{
    f->list = list;
    f->mask = 15;
    while (f->mask < (uint32_t)count * 2)
        f->mask = f->mask * 2 + 1;
    f->rows = arena_calloc(arena, (size_t)f->mask + 1, sizeof *f->rows);
    return f->rows != NULL;
}

static bool
key_same(const FetchKey *a, const FetchKey *b)
{
    if (a->partition != b->partition)
        return false;
    return a->by_id ? uuid_equal(a->id, b->id) : strview_equal(a->name, b->name);
}

static uint64_t
key_hash(const FetchKey *key)
{
    uint64_t h = key->by_id ? hash_bytes(key->id.b, sizeof key->id.b, 0)
                            : hash_bytes(key->name.ptr, (size_t)key->name.len, 0);

    return hash_u64(h ^ (uint32_t)key->partition);
}

/* The row of this partition: names an earlier entry, or is empty. */
static int32_t *
finder_row(const EntryFinder *f, const FetchKey *key)
{
    uint32_t at = (uint32_t)key_hash(key) & f->mask;

    while (f->rows[at] != 0) {
        FetchKey there = fetch_entry_key(f->list, &f->list->entries[f->rows[at] - 1]);

        if (key_same(&there, key))
            break;
        at = (at + 1) & f->mask;
    }
    return &f->rows[at];
}

/* ---- the list ----------------------------------------------------------------------------------- */

bool
fetch_list_room(FetchList *list, int32_t count, Arena *arena)
{
    int32_t most = fd_cache_limit() / 2; /* each slice pins a descriptor until it is sent */

    if (count <= list->room)
        return true;
    list->data_room = count < most ? count : most;
    list->entries = arena_alloc(arena, (size_t)count * sizeof *list->entries);
    list->data = arena_alloc(arena, (size_t)list->data_room * sizeof *list->data);
    list->room = list->entries == NULL || list->data == NULL ? 0 : count;
    return list->room > 0;
}

bool
fetch_own_list(const Request *rq, int32_t count, FetchList *ret)
{
    int32_t kept_room = count < FETCH_KEPT_MAX ? count : FETCH_KEPT_MAX;
    EntryFinder finder;
    ArenaMark mark;
    FetchWalk walk;

    *ret = (FetchList){.body = rq->body, .version = rq->head.api_version, .kept_room = kept_room};
    if (count == 0)
        return true;
    ret->kept = arena_alloc(rq->arena, (size_t)kept_room * sizeof *ret->kept);
    if (ret->kept == NULL || !fetch_list_room(ret, count, rq->arena))
        return false;
    mark = arena_mark(rq->arena);
    if (!finder_init(&finder, count, ret, rq->arena))
        return false;
    fetch_walk_init(&walk, rq);
    while (fetch_walk_next(&walk)) {
        FetchKey key = {.id = walk.topic.topic_id,
                        .name = walk.topic.topic,
                        .partition = walk.part.partition,
                        .by_id = walk.version >= 13};
        int32_t *row = finder_row(&finder, &key);

        if (*row == 0) {
            ot_assert(ret->count < count);
            ret->entries[ret->count] = (FetchEntry){.topic = walk.topic_pos, .data = -1};
            *row = ++ret->count;
        }
        ret->entries[*row - 1].part = walk.part_pos;
    }
    arena_release(rq->arena, mark);
    return true;
}

void
fetch_list_release(FetchList *list)
{
    for (int32_t i = 0; i < list->data_count; i++)
        plog_slice_release(&list->data[i].slice);
    list->data_count = 0;
}

/* ---- going through it --------------------------------------------------------------------------- */

void
fetch_cursor_init(FetchCursor *cursor, const FetchList *list)
{
    *cursor = (FetchCursor){.list = list, .topic_pos = NO_TOPIC};
}

static void
look_of_session(const FetchList *list, FetchLook *ret)
{
    const FetchChunks *chunks = fetch_session_chunks();

    ret->part = fetch_set_part(list->set, chunks, (int32_t)ret->entry->part);
    ret->topic = fetch_set_topic(list->set, chunks, (int32_t)ret->entry->topic);
    ret->key = fetch_entry_key(list, ret->entry);
    ret->known = ret->part->ref.slot >= 0;
}

static void
look_of_request(FetchCursor *cursor, FetchLook *ret)
{
    const FetchList *list = cursor->list;
    FetchRequestPartition from;

    if (cursor->topic_pos != ret->entry->topic) {
        cursor->topic_pos = ret->entry->topic;
        cursor->topic = topic_at(list, ret->entry->topic);
    }
    ret->key = cursor->topic;
    ret->known = list->seen && !ret->entry->unknown;
    if (ret->known && cursor->kept < list->kept_count) {
        const FetchKept *kept = &list->kept[cursor->kept++];

        ret->part = &list->kept[cursor->kept - 1].part;
        ret->key.partition = ret->part->partition;
        if (ret->key.by_id)
            ret->key.name = kept->name;
        return;
    }
    partition_at(list, ret->entry->part, &from);
    ret->key.partition = from.partition;
    ret->part = &ret->own;
    if (!list->seen && list->kept_count < list->kept_room) {
        list->kept[list->kept_count].name = (StrView){NULL, 0};
        ret->part = &list->kept[list->kept_count].part;
    }
    *ret->part = (FetchPart){.node = WAIT_NODE_NONE, .ref = PARTITION_REF_NONE};
    fetch_part_set(ret->part, &from);
}

bool
fetch_cursor_next(FetchCursor *cursor, FetchLook *ret)
{
    if (cursor->next == cursor->list->count)
        return false;
    ret->entry = &cursor->list->entries[cursor->next++];
    ret->topic = NULL;
    ret->leader = ret->leader_epoch = -1;
    if (cursor->list->set != NULL)
        look_of_session(cursor->list, ret);
    else
        look_of_request(cursor, ret);
    return true;
}

void
fetch_keep_names(FetchList *list, Arena *arena)
{
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    FetchKey before = {0};
    FetchCursor cursor;
    FetchLook look;

    fetch_cursor_init(&cursor, list);
    while (image != NULL && cursor.kept < list->kept_count && fetch_cursor_next(&cursor, &look)) {
        const ImageTopic *topic;

        if (look.entry->unknown || !look.key.by_id || look.key.name.len > 0)
            continue;
        if (before.name.len == 0 || !uuid_equal(before.id, look.key.id)) {
            topic = image_topic_by_id(image, look.key.id);
            before = look.key;
            before.name = (StrView){NULL, 0};
            if (topic != NULL)
                before.name.ptr = arena_strdup(arena, image_topic_name(topic));
            if (before.name.ptr != NULL)
                before.name.len = image_topic_name(topic).len;
        }
        list->kept[cursor.kept - 1].name = before.name;
    }
    image_unpin(&pin);
}
