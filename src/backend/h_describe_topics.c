/*
 * h_describe_topics.c - DescribeTopicPartitions: topics in name order, page by page
 *
 * Runs in: backend. Spec: admin-and-security.md 2.7; observed.md 6, 9. Built and encoded under one
 * pin of the image.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/named_int.h"
#include "backend/names_int.h"
#include "backend/settings_int.h"
#include "ottla/protocol/msg_describe_topic_partitions.h"

#define PARTITION_BYTES (sizeof(DescribeTopicPartitionsResponsePartition) + 128)
#define TOPIC_BYTES     (sizeof(DescribeTopicPartitionsResponseTopic) + 320)
#define REPLICA_BYTES   24

typedef struct Listing {
    Request *rq;
    const Image *image;
    DescribeTopicPartitionsRequest in;
    Named *names; /* sorted, each once; none: all topics */
    int32_t count;
    int32_t left; /* partitions that still fit into the answer */
    int32_t room; /* topics that fit into out.topics */
    DescribeTopicPartitionsResponse out;
    DescribeTopicPartitionsResponseCursor next;
} Listing;

static int32_t *
unconst(const int32_t *list)
{
    return (int32_t *)(uintptr_t)list; /* the encoding only reads */
}

static void
put_partition(Listing *list, const ImagePartition *part,
              DescribeTopicPartitionsResponsePartition *out)
{
    static int32_t none[1];

    describe_topic_partitions_response_partition_init(out);
    request_grow(list->rq, PARTITION_BYTES + (size_t)part->replica_count * REPLICA_BYTES);
    out->error_code = meta_leader_fault(list->image, part->leader, meta_listener(list->rq->conn));
    out->partition_index = part->partition;
    out->leader_id = out->error_code == 0 ? part->leader : -1;
    out->leader_epoch = part->leader_epoch;
    out->replica_nodes = unconst(part->replicas);
    out->replica_nodes_count = part->replica_count;
    out->isr_nodes = unconst(part->isr);
    out->isr_nodes_count = part->isr_count;
    out->eligible_leader_replicas = part->elr_count > 0 ? unconst(part->elr) : none;
    out->eligible_leader_replicas_count = part->elr_count > 0 ? part->elr_count : 0;
    out->last_known_elr = part->last_known_elr_count > 0 ? unconst(part->last_known_elr) : none;
    out->last_known_elr_count = part->last_known_elr_count > 0 ? part->last_known_elr_count : 0;
    out->offline_replicas =
        meta_offline(list->image, part, list->rq->arena, &out->offline_replicas_count);
}

/* A place for one more topic; NULL: no memory. */
static DescribeTopicPartitionsResponseTopic *
new_topic(Listing *list)
{
    DescribeTopicPartitionsResponseTopic *topic;

    request_grow(list->rq, TOPIC_BYTES);
    if (list->out.topics_count == list->room) {
        int32_t room = list->room == 0 ? 8 : list->room * 2;
        DescribeTopicPartitionsResponseTopic *grown;

        request_grow(list->rq, (size_t)room * sizeof *grown);
        grown = arena_calloc(list->rq->arena, (size_t)room, sizeof *grown);
        if (grown == NULL)
            return NULL;
        if (list->room > 0)
            memcpy(grown, list->out.topics, (size_t)list->room * sizeof *grown);
        list->out.topics = grown;
        list->room = room;
    }
    topic = &list->out.topics[list->out.topics_count++];
    describe_topic_partitions_response_topic_init(topic);
    topic->topic_authorized_operations = META_TOPIC_OPERATIONS;
    return topic;
}

static void
set_next(Listing *list, StrView topic, int32_t partition)
{
    describe_topic_partitions_response_cursor_init(&list->next);
    list->next.topic_name = topic;
    list->next.partition_index = partition;
    list->out.next_cursor = &list->next;
}

/* One topic from a partition on; sets the cursor when the page is full. False: no memory. */
static bool
put_topic(Listing *list, const ImageTopic *topic)
{
    StrView name = image_topic_name(topic);
    int32_t count = image_topic_partition_count(topic);
    DescribeTopicPartitionsResponseTopic *to = new_topic(list);
    int32_t start = 0, here;

    if (to == NULL)
        return false;
    if (list->in.cursor != NULL && strview_equal(list->in.cursor->topic_name, name))
        start = list->in.cursor->partition_index;
    here = start >= count ? 0 : count - start;
    if (here > list->left)
        here = list->left;
    to->name = name;
    to->topic_id = image_topic_id(topic);
    to->is_internal = image_topic_is_internal(topic);
    request_grow(list->rq, (size_t)here * PARTITION_BYTES);
    to->partitions = arena_calloc(list->rq->arena, (size_t)here, sizeof *to->partitions);
    if (to->partitions == NULL)
        return false;
    for (int32_t i = 0; i < here; i++) {
        ImagePartition part;

        if (image_topic_partition(topic, start + i, &part))
            put_partition(list, &part, &to->partitions[to->partitions_count++]);
    }
    list->left -= here;
    if (here > 0 && start + here < count)
        set_next(list, name, start + here);
    return true;
}

static bool
put_unknown(Listing *list, StrView name)
{
    DescribeTopicPartitionsResponseTopic *to = new_topic(list);

    if (to == NULL)
        return false;
    list->rq->failed = true;
    to->name = name_echo(list->rq->arena, name);
    to->error_code =
        name_is_legal_topic(name) ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_INVALID_TOPIC_EXCEPTION;
    return true;
}

/* Pages end when they are full: the next name begins the next page, whether it exists or not. */
static bool
list_named(Listing *list)
{
    for (int32_t i = 0; i < list->count && list->out.next_cursor == NULL; i++) {
        StrView name = list->names[i].topic;
        const ImageTopic *topic = image_topic_by_name(list->image, name);

        if (list->left == 0)
            set_next(list, name_echo(list->rq->arena, name), 0);
        else if (topic != NULL ? !put_topic(list, topic) : !put_unknown(list, name))
            return false;
    }
    return true;
}

static bool
list_all(Listing *list)
{
    const ImageTopic *topic = list->in.cursor == NULL
                                  ? image_topic_after(list->image, (StrView){NULL, 0})
                                  : image_topic_from(list->image, list->in.cursor->topic_name);

    while (topic != NULL && list->out.next_cursor == NULL) {
        if (list->left == 0)
            set_next(list, image_topic_name(topic), 0);
        else if (!put_topic(list, topic))
            return false;
        topic = image_topic_after(list->image, image_topic_name(topic));
    }
    return true;
}

/* The names from the cursor on. False: no memory. *ret_bad: the cursor names none of them. */
static bool
collect(Listing *list, bool *ret_bad)
{
    const DescribeTopicPartitionsRequestCursor *cursor = list->in.cursor;
    int32_t n = list->in.topics_count, from = 0;
    Named *names = arena_calloc(list->rq->arena, (size_t)n, sizeof *names);

    *ret_bad = cursor != NULL && cursor->partition_index < 0;
    if (names == NULL)
        return false;
    for (int32_t i = 0; i < n; i++)
        names[i] = (Named){.topic = list->in.topics[i].name, .serial = i};
    named_sort(names, n);
    for (int32_t i = 0; i < n; i++)
        if (!named_repeated_next(names, i, n))
            names[list->count++] = names[i];
    if (cursor != NULL && n > 0) {
        while (from < list->count && !strview_equal(names[from].topic, cursor->topic_name))
            from++;
        *ret_bad = *ret_bad || from == list->count;
    }
    list->names = names + from;
    list->count -= from;
    return true;
}

static ReqResult
answer_bad_cursor(Listing *list)
{
    list->rq->failed = true;
    for (int32_t i = 0; i < list->in.topics_count; i++) {
        DescribeTopicPartitionsResponseTopic *to = new_topic(list);

        if (to == NULL)
            return request_close(list->rq, "no memory for a DescribeTopicPartitions answer");
        to->name = name_echo(list->rq->arena, list->in.topics[i].name);
        to->error_code = KERR_INVALID_REQUEST;
        to->topic_authorized_operations = META_NO_OPERATIONS;
    }
    return request_respond(list->rq, &describe_topic_partitions_response_desc, &list->out);
}

ReqResult
h_describe_topic_partitions_start(Request *rq)
{
    Listing list = {.rq = rq};
    bool bad_cursor, ok;
    int32_t most = setting_partitions_per_page();
    ReqResult result;
    ImagePin pin;

    if (!request_read(rq, &describe_topic_partitions_request_desc, &list.in))
        return REQ_CLOSE;
    describe_topic_partitions_response_init(&list.out);
    if (!collect(&list, &bad_cursor))
        return request_close(rq, "no memory for a DescribeTopicPartitions request");
    if (bad_cursor)
        return answer_bad_cursor(&list);
    list.left = list.in.response_partition_limit;
    if (list.left > most)
        list.left = most;
    if (list.left < 1)
        list.left = 1;
    pin = image_pin();
    list.image = pin.image;
    ok = list.in.topics_count == 0 ? list_all(&list) : list_named(&list);
    request_grow(rq, arena_bytes(rq->arena)); /* the encoded form is smaller than the structs */
    result = ok ? request_respond(rq, &describe_topic_partitions_response_desc, &list.out)
                : request_close(rq, "no memory for a DescribeTopicPartitions answer");
    image_unpin(&pin);
    return result;
}
