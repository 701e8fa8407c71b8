/*
 * h_log_dirs.c - DescribeLogDirs: log directories of this node, and the sizes of logs in them
 *
 * Runs in: backend. Spec: admin-and-security.md 2.10. A log that nobody has opened yet has no known
 * size and counts as empty: asking for sizes opens nothing. A log that moves comes twice: where it is, and as
 * the future one where it grows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "backend/dispatch_int.h"
#include "backend/log_dirs_int.h"
#include "backend/meta_int.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_describe_log_dirs.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/move_wish.h"
#include "ottla/storage/plog.h"

/* A replica that was asked for and is here. Its name is the image's: for as long as the pin. */
typedef struct Found {
    StrView topic;
    PartitionRef ref;
    int32_t partition;
    int32_t dir;
    bool is_future;
    MoveFuture future;
} Found;

typedef struct Search {
    Request *rq;
    const Image *image;
    Found *list;
    int32_t count;
    int32_t room;
} Search;

static int
compare_found(const void *pa, const void *pb)
{
    const Found *a = pa, *b = pb;
    int32_t common = a->topic.len < b->topic.len ? a->topic.len : b->topic.len;
    int order;

    if (a->dir != b->dir)
        return a->dir < b->dir ? -1 : 1;
    order = memcmp(a->topic.ptr, b->topic.ptr, (size_t)common);
    if (order == 0)
        order = (a->topic.len > b->topic.len) - (a->topic.len < b->topic.len);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

/* Sorts, and keeps each replica once. */
static void
tidy(Search *s)
{
    int32_t n = 0;

    if (s->count > 1)
        qsort(s->list, (size_t)s->count, sizeof *s->list, compare_found);
    for (int32_t i = 0; i < s->count; i++)
        if (n == 0 || compare_found(&s->list[n - 1], &s->list[i]) != 0)
            s->list[n++] = s->list[i];
    s->count = n;
}

static void
add(Search *s, Found found)
{
    /* The list has room for everything twice: what is too much are repetitions. */
    if (s->count == s->room)
        tidy(s);
    s->list[s->count++] = found;
}

static void
look_at(Search *s, const ImageTopic *topic, int32_t partition)
{
    const PartitionSlot *slot;
    ImagePartition p;
    Found found;

    if (!image_topic_partition(topic, partition, &p))
        return;
    slot = pslot_find(p.ref);
    if (slot == NULL)
        return;
    found = (Found){.topic = image_topic_name(topic),
                    .ref = p.ref,
                    .partition = partition,
                    .dir = pslot_dir(slot)};
    add(s, found);
    found.is_future = move_wish_future(slot, &found.future);
    found.dir = found.future.dir;
    if (found.is_future)
        add(s, found);
}

/* False: no memory. */
static bool
search(Search *s, const DescribeLogDirsRequest *in)
{
    int64_t wanted = in->topics_count < 0 ? INT32_MAX : 0, most = image_partition_count(s->image);

    for (int32_t i = 0; i < in->topics_count; i++)
        wanted += 2 * (int64_t)in->topics[i].partitions_count; /* the log and its future one */
    s->room = (int32_t)(wanted < 4 * most ? wanted : 4 * most) + 2;
    request_grow(s->rq, sizeof *s->list * (size_t)s->room);
    s->list = arena_calloc(s->rq->arena, (size_t)s->room, sizeof *s->list);
    if (s->list == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const ImageTopic *topic = image_topic_by_name(s->image, in->topics[i].topic);

        for (int32_t k = 0; topic != NULL && k < in->topics[i].partitions_count; k++)
            look_at(s, topic, in->topics[i].partitions[k]);
    }
    if (in->topics_count < 0)
        for (const ImageTopic *t = image_topic_after(s->image, WIRE_NULL_STRING); t != NULL;
             t = image_topic_after(s->image, image_topic_name(t)))
            for (int32_t p = 0; p < image_topic_partition_count(t); p++)
                look_at(s, t, p);
    tidy(s);
    return true;
}

/* How far the copy is behind the log; -1: nobody has opened that. */
static int64_t
future_lag(const Found *found)
{
    PlogOffsets offsets;

    if (!plog_offsets_peek(found->ref, &offsets))
        return -1;
    return offsets.log_end_offset > found->future.end_offset
               ? offsets.log_end_offset - found->future.end_offset
               : 0;
}

/* A log that nobody has used since the start is opened: what it has on the disk counts. */
static int64_t
size_of(const Found *found)
{
    PlogOffsets offsets;

    if (found->is_future)
        return found->future.bytes;
    if (!plog_offsets_peek(found->ref, &offsets) && plog_offsets(found->ref, &offsets, NULL) != 0)
        return 0; /* failed, or recovered now */
    return plog_size_bytes(found->ref);
}

/* The topics of one directory: list[0] to list[count - 1]. False: no memory. */
static bool
put_topics(Request *rq, const Found *list, int32_t count, DescribeLogDirsResponseResult *out)
{
    DescribeLogDirsResponsePartition *parts = arena_calloc(rq->arena, (size_t)count, sizeof *parts);
    int32_t topics = 0;

    for (int32_t i = 0; i < count; i++)
        topics += i == 0 || !strview_equal(list[i].topic, list[i - 1].topic);
    out->topics = arena_calloc(rq->arena, (size_t)topics, sizeof *out->topics);
    if (parts == NULL || out->topics == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        DescribeLogDirsResponseTopic *topic;

        if (i == 0 || !strview_equal(list[i].topic, list[i - 1].topic)) {
            topic = &out->topics[out->topics_count++];
            describe_log_dirs_response_topic_init(topic);
            topic->name = meta_copy(rq->arena, list[i].topic);
            topic->partitions = &parts[i];
            if (topic->name.ptr == NULL)
                return false;
        }
        topic = &out->topics[out->topics_count - 1];
        describe_log_dirs_response_partition_init(&parts[i]);
        parts[i].partition_index = list[i].partition;
        parts[i].partition_size = size_of(&list[i]);
        parts[i].is_future_key = list[i].is_future;
        if (list[i].is_future)
            parts[i].offset_lag = future_lag(&list[i]);
        topic->partitions_count++;
    }
    return true;
}

bool
log_dir_is_cordoned(const Image *image, int dir)
{
    const ImageBroker *self = image_broker(image, node_info.node_id);
    Uuid id = logdir_uuid(dir);

    for (int32_t i = 0; self != NULL && i < self->cordoned_log_dir_count; i++)
        if (uuid_equal(self->cordoned_log_dirs[i], id))
            return true;
    return false;
}

/* What the image says of all directories. */
static bool
put_dirs(Search *s, DescribeLogDirsResponse *out)
{
    int32_t first = 0, next;

    request_grow(s->rq, (size_t)s->count *
                            (sizeof(DescribeLogDirsResponsePartition) +
                             sizeof(DescribeLogDirsResponseTopic) + 2 * LIMIT_TOPIC_NAME_LEN));
    for (int dir = 0; dir < logdir_count(); dir++, first = next) {
        DescribeLogDirsResponseResult *r = &out->results[dir];

        describe_log_dirs_response_result_init(r);
        for (next = first; next < s->count && s->list[next].dir == dir;)
            next++;
        r->log_dir = strview_from(logdir_path(dir));
        r->is_cordoned = s->rq->head.api_version >= 5 && log_dir_is_cordoned(s->image, dir);
        if (logdir_state(dir) == LOGDIR_FAILED)
            r->error_code = KERR_KAFKA_STORAGE_ERROR;
        else if (!put_topics(s->rq, s->list + first, next - first, r))
            return false;
    }
    out->results_count = logdir_count();
    return true;
}

ReqResult
h_describe_log_dirs_start(Request *rq)
{
    DescribeLogDirsRequest in;
    DescribeLogDirsResponse out;
    Search s = {.rq = rq};
    ImagePin pin;
    bool ok;

    if (!request_read(rq, &describe_log_dirs_request_desc, &in))
        return REQ_CLOSE;
    describe_log_dirs_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)logdir_count(), sizeof *out.results);
    if (out.results == NULL)
        return request_close(rq, "no memory for a list of log directories");
    pin = image_pin();
    s.image = pin.image;
    ok = search(&s, &in) && put_dirs(&s, &out);
    image_unpin(&pin);
    if (!ok)
        return request_close(rq, "no memory for a list of log directories");
    for (int dir = 0; rq->head.api_version >= 4 && dir < logdir_count(); dir++) {
        LogDirUsage usage;

        logdir_usage(dir, &usage);
        out.results[dir].total_bytes = usage.total_bytes;
        out.results[dir].usable_bytes = usage.usable_bytes;
    }
    return request_respond(rq, &describe_log_dirs_response_desc, &out);
}
