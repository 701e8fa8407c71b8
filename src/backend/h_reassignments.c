/*
 * h_reassignments.c - ListPartitionReassignments: partitions on their way to other brokers
 *
 * Runs in: backend; answers from its own image. Spec: admin-and-security.md 2.9.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "ottla/protocol/msg_list_partition_reassignments.h"

typedef ListPartitionReassignmentsResponse Response;
typedef ListPartitionReassignmentsResponseTopic TopicAnswer;
typedef ListPartitionReassignmentsResponsePartition PartitionAnswer;

typedef struct Listing {
    Request *rq;
    Response *out;
    int32_t room; /* topics that fit into the answer */
    bool no_memory;
} Listing;

static int32_t *
copy_ids(Listing *l, const int32_t *ids, int32_t count)
{
    int32_t *copy;

    request_grow(l->rq, sizeof *copy * ((size_t)count + 4));
    copy = arena_calloc(l->rq->arena, (size_t)count, sizeof *copy);
    if (copy == NULL)
        l->no_memory = true;
    else if (count > 0)
        memcpy(copy, ids, sizeof *copy * (size_t)count);
    return copy;
}

/* The answer's entry for a topic, a new one at the first of its partitions. */
static TopicAnswer *
topic_entry(Listing *l, const ImageTopic *topic, TopicAnswer *now)
{
    int32_t partitions = image_topic_partition_count(topic);
    Response *out = l->out;

    if (now != NULL)
        return now;
    if (out->topics_count == l->room) {
        int32_t room = l->room == 0 ? 16 : 2 * l->room;
        TopicAnswer *wider;

        request_grow(l->rq, sizeof *wider * (size_t)room);
        wider = arena_calloc(l->rq->arena, (size_t)room, sizeof *wider);
        if (wider == NULL) {
            l->no_memory = true;
            return NULL;
        }
        if (out->topics_count > 0)
            memcpy(wider, out->topics, sizeof *wider * (size_t)out->topics_count);
        out->topics = wider;
        l->room = room;
    }
    now = &out->topics[out->topics_count++];
    list_partition_reassignments_response_topic_init(now);
    now->name = image_topic_name(topic);
    request_grow(l->rq, sizeof *now->partitions * (size_t)partitions);
    now->partitions = arena_calloc(l->rq->arena, (size_t)partitions, sizeof *now->partitions);
    l->no_memory = l->no_memory || now->partitions == NULL;
    return now;
}

static TopicAnswer *
list_partition(Listing *l, const ImageTopic *topic, int32_t index, TopicAnswer *entry)
{
    ImagePartition p;
    PartitionAnswer *to;

    if (l->no_memory || !image_topic_partition(topic, index, &p) ||
        (p.adding_count == 0 && p.removing_count == 0))
        return entry;
    entry = topic_entry(l, topic, entry);
    if (l->no_memory || entry->partitions_count == image_topic_partition_count(topic))
        return entry; /* a partition named twice: the rest is not worth more memory */
    to = &entry->partitions[entry->partitions_count++];
    list_partition_reassignments_response_partition_init(to);
    to->partition_index = index;
    to->replicas = copy_ids(l, p.replicas, p.replica_count);
    to->replicas_count = p.replica_count;
    to->adding_replicas = copy_ids(l, p.adding, p.adding_count);
    to->adding_replicas_count = p.adding_count;
    to->removing_replicas = copy_ids(l, p.removing, p.removing_count);
    to->removing_replicas_count = p.removing_count;
    return entry;
}

static void
list_all(Listing *l, const Image *image)
{
    for (const ImageTopic *t = image_topic_after(image, WIRE_NULL_STRING); t != NULL;
         t = image_topic_after(image, image_topic_name(t))) {
        TopicAnswer *entry = NULL;

        for (int32_t i = 0; i < image_topic_partition_count(t); i++)
            entry = list_partition(l, t, i, entry);
    }
}

/* Topics and partitions that do not exist, or do not move, are left out. */
static void
list_named(Listing *l, const Image *image, const ListPartitionReassignmentsRequest *in)
{
    for (int32_t i = 0; i < in->topics_count; i++) {
        const ListPartitionReassignmentsRequestTopic *from = &in->topics[i];
        const ImageTopic *topic = image_topic_by_name(image, from->name);
        TopicAnswer *entry = NULL;

        for (int32_t k = 0; topic != NULL && k < from->partition_indexes_count; k++)
            entry = list_partition(l, topic, from->partition_indexes[k], entry);
    }
}

ReqResult
h_list_reassignments_start(Request *rq)
{
    ListPartitionReassignmentsRequest in;
    Response out;
    Listing listing = {.rq = rq, .out = &out};
    ReqResult result;
    ImagePin pin;

    if (!request_read(rq, &list_partition_reassignments_request_desc, &in))
        return REQ_CLOSE;
    list_partition_reassignments_response_init(&out);
    out.error_message = WIRE_NULL_STRING;
    pin = image_pin();
    if (in.topics_count < 0)
        list_all(&listing, pin.image);
    else
        list_named(&listing, pin.image, &in);
    request_grow(rq, arena_bytes(rq->arena)); /* the encoded form is no larger than the structs */
    result = listing.no_memory
                 ? request_close(rq, "no memory for a list of reassignments")
                 : request_respond(rq, &list_partition_reassignments_response_desc, &out);
    image_unpin(&pin);
    return result;
}
