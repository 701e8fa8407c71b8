/*
 * h_metadata.c - Metadata: brokers, topics and partitions, creation of topics on demand
 *
 * Runs in: backend. Spec: log.md 14.4; admin-and-security.md 2.6; observed.md 6.
 * The answer is built and encoded under one pin of the image, so that it shows one moment and
 * copies no name. A topic to be created is sent to the controller first; whatever comes of it, this
 * answer says 3 and the client asks again, as with Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/forward_int.h"
#include "backend/internal_topics_int.h"
#include "backend/meta_int.h"
#include "backend/named_int.h"
#include "backend/names_int.h"
#include "backend/settings_int.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_metadata.h"

#define CREATE_VERSION     7
#define CREATE_WAIT_US     (5 * 1000 * 1000)
#define CREATE_TIMEOUT_MS  5000
#define METADATA_LOG_TOPIC "__cluster_metadata"

/* Arena bytes of a partition and a topic: in the struct and encoded, with a few replicas. */
#define PARTITION_BYTES (sizeof(MetadataResponsePartition) + 96)
#define TOPIC_BYTES     (sizeof(MetadataResponseTopic) + 320)
#define REPLICA_BYTES   16

typedef struct MetadataWork {
    Request *rq;
    MetadataRequest in;
    bool all;     /* every topic */
    Named *names; /* else: sorted, each once (by serial: index into in.topics) */
    int32_t count;
    bool *creating; /* by place in names: was sent to the controller */
    MboxCall call;
} MetadataWork;

/* ---- the answer ----------------------------------------------------------------------------------- */

/* The image outlives the encoding, which only reads. */
static int32_t *
unconst(const int32_t *list)
{
    return (int32_t *)(uintptr_t)list;
}

static void
put_partition(const MetadataWork *work, const Image *image, const ImagePartition *part,
              MetadataResponsePartition *out)
{
    Request *rq = work->rq;
    int16_t fault = meta_leader_fault(image, part->leader, meta_listener(rq->conn));

    metadata_response_partition_init(out);
    if (fault == KERR_LISTENER_NOT_FOUND && rq->head.api_version < 6)
        fault = KERR_LEADER_NOT_AVAILABLE;
    out->error_code = fault;
    out->partition_index = part->partition;
    out->leader_id = fault == 0 ? part->leader : -1;
    if (rq->head.api_version >= 7)
        out->leader_epoch = part->leader_epoch;
    out->replica_nodes = unconst(part->replicas);
    out->replica_nodes_count = part->replica_count;
    out->isr_nodes = unconst(part->isr);
    out->isr_nodes_count = part->isr_count;
    if (rq->head.api_version >= 5)
        out->offline_replicas = meta_offline(image, part, rq->arena, &out->offline_replicas_count);
}

static bool
put_topic(const MetadataWork *work, const Image *image, const ImageTopic *topic,
          MetadataResponseTopic *out)
{
    int32_t count = image_topic_partition_count(topic);

    out->name = image_topic_name(topic);
    out->topic_id = image_topic_id(topic);
    out->is_internal = image_topic_is_internal(topic);
    request_grow(work->rq, TOPIC_BYTES + (size_t)count * PARTITION_BYTES);
    out->partitions = arena_calloc(work->rq->arena, (size_t)count, sizeof *out->partitions);
    if (out->partitions == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        ImagePartition part;

        if (!image_topic_partition(topic, i, &part))
            continue;
        request_grow(work->rq, (size_t)part.replica_count * REPLICA_BYTES);
        put_partition(work, image, &part, &out->partitions[out->partitions_count++]);
    }
    return true;
}

static MetadataResponseTopic *
new_topic(const MetadataWork *work, MetadataResponse *out)
{
    MetadataResponseTopic *topic = &out->topics[out->topics_count++];

    metadata_response_topic_init(topic);
    if (work->in.include_topic_authorized_operations)
        topic->topic_authorized_operations = META_TOPIC_OPERATIONS;
    return topic;
}

/* A topic that was asked for by name or id. */
static bool
put_named(MetadataWork *work, const Image *image, int32_t i, MetadataResponse *out)
{
    const Named *named = &work->names[i];
    MetadataResponseTopic *to = new_topic(work, out);
    bool by_id = !uuid_is_zero(named->id);
    const ImageTopic *topic =
        by_id ? image_topic_by_id(image, named->id) : image_topic_by_name(image, named->topic);

    if (topic != NULL && !work->creating[i])
        return put_topic(work, image, topic, to);
    work->rq->failed = true;
    to->topic_id = named->id;
    if (by_id) {
        to->error_code = KERR_UNKNOWN_TOPIC_ID;
        to->name = WIRE_NULL_STRING;
        to->topic_authorized_operations = META_NO_OPERATIONS;
        return true;
    }
    to->name = name_echo(work->rq->arena, named->topic);
    if (named->topic.ptr == NULL) {
        to->error_code = KERR_INVALID_REQUEST; /* neither name nor id */
    } else if (!name_is_legal_topic(named->topic)) {
        to->error_code = KERR_INVALID_TOPIC_EXCEPTION;
    } else {
        to->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        to->is_internal = topic_name_is_internal(named->topic);
    }
    return true;
}

static bool
put_brokers(const MetadataWork *work, const Image *image, MetadataResponse *out)
{
    StrView listener = meta_listener(work->rq->conn);
    int32_t count = image_broker_count(image);

    request_grow(work->rq, (size_t)count * (sizeof *out->brokers + 320));
    out->brokers = arena_calloc(work->rq->arena, (size_t)count, sizeof *out->brokers);
    if (out->brokers == NULL)
        return false;
    for (const ImageBroker *b = image_broker_after(image, INT32_MIN); b != NULL;
         b = image_broker_after(image, b->id)) {
        const ImageEndpoint *endpoint = image_broker_endpoint(b, listener);
        MetadataResponseBroker *to = &out->brokers[out->brokers_count];

        if (b->fenced || endpoint == NULL)
            continue;
        metadata_response_broker_init(to);
        to->node_id = b->id;
        to->host = endpoint->host;
        to->port = endpoint->port;
        to->rack = b->rack;
        out->brokers_count++;
    }
    return true;
}

static bool
put_topics(MetadataWork *work, const Image *image, MetadataResponse *out)
{
    int32_t count = work->all ? image_topic_count(image) : work->count;

    request_grow(work->rq, (size_t)count * TOPIC_BYTES);
    out->topics = arena_calloc(work->rq->arena, (size_t)count, sizeof *out->topics);
    if (out->topics == NULL)
        return false;
    if (work->all) {
        for (const ImageTopic *topic = image_topic_after(image, (StrView){NULL, 0}); topic != NULL;
             topic = image_topic_after(image, image_topic_name(topic)))
            if (!put_topic(work, image, topic, new_topic(work, out)))
                return false;
        return true;
    }
    for (int32_t i = 0; i < count; i++)
        if (!put_named(work, image, i, out))
            return false;
    return true;
}

static ReqResult
answer(MetadataWork *work)
{
    Request *rq = work->rq;
    ImagePin pin = image_pin();
    MetadataResponse out;
    ReqResult result;

    metadata_response_init(&out);
    out.cluster_id = strview_from(node_info.cluster_id);
    out.controller_id = image_controller_id(pin.image);
    if (work->in.include_cluster_authorized_operations)
        out.cluster_authorized_operations = META_CLUSTER_OPERATIONS;
    if (put_brokers(work, pin.image, &out) && put_topics(work, pin.image, &out)) {
        /* room for the encoded form, no larger than the structs */
        request_grow(rq, arena_bytes(rq->arena));
        result = request_respond(rq, &metadata_response_desc, &out);
    } else {
        result = request_close(rq, "no memory for a Metadata answer");
    }
    image_unpin(&pin);
    return result;
}

/* ---- what is asked for ----------------------------------------------------------------------------- */

/* Versions 10 and 11 have ids in the table, but refuse them. */
static bool
is_refused(const Request *rq, const MetadataRequest *in)
{
    if (rq->head.api_version < 10 || rq->head.api_version > 11)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++)
        if (in->topics[i].name.ptr == NULL || !uuid_is_zero(in->topics[i].topic_id))
            return true;
    return false;
}

static ReqResult
answer_refused(Request *rq, const MetadataRequest *in)
{
    MetadataResponse out;

    rq->failed = true;
    metadata_response_init(&out);
    out.topics = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.topics);
    if (out.topics == NULL)
        return request_close(rq, "no memory for a Metadata answer");
    for (int32_t i = 0; i < in->topics_count; i++) {
        MetadataResponseTopic *topic = &out.topics[out.topics_count++];

        metadata_response_topic_init(topic);
        topic->error_code = KERR_INVALID_REQUEST;
        topic->name = in->topics[i].name.ptr == NULL ? WIRE_EMPTY_STRING
                                                     : name_echo(rq->arena, in->topics[i].name);
        topic->topic_id = in->topics[i].topic_id;
    }
    return request_respond(rq, &metadata_response_desc, &out);
}

/* The topics asked for, each once. If any id is given, plain names do not count. */
static bool
collect(MetadataWork *work)
{
    const MetadataRequest *in = &work->in;
    bool by_id = false;
    int32_t n = 0, kept = 0;
    Named *list;

    if (in->topics_count < 0 || (work->rq->head.api_version == 0 && in->topics_count == 0)) {
        work->all = true;
        return true;
    }
    list = arena_calloc(work->rq->arena, (size_t)in->topics_count, sizeof *list);
    work->creating = arena_calloc(work->rq->arena, (size_t)in->topics_count, sizeof(bool));
    if (list == NULL || work->creating == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++)
        by_id = by_id || !uuid_is_zero(in->topics[i].topic_id);
    for (int32_t i = 0; i < in->topics_count; i++) {
        if (by_id && uuid_is_zero(in->topics[i].topic_id))
            continue;
        list[n] = (Named){.topic = by_id ? (StrView){NULL, 0} : in->topics[i].name,
                          .id = in->topics[i].topic_id,
                          .serial = n};
        n++;
    }
    named_sort(list, n);
    for (int32_t i = 0; i < n; i++)
        if (!named_repeated_next(list, i, n))
            list[kept++] = list[i];
    work->names = list;
    work->count = kept;
    return true;
}

/* Marks the names that are to be created; their number. */
static int32_t
choose_new(MetadataWork *work)
{
    ImagePin pin;
    int32_t count = 0;

    if (work->all || !work->in.allow_auto_topic_creation || !setting_auto_create())
        return 0;
    pin = image_pin();
    for (int32_t i = 0; i < work->count; i++) {
        StrView name = work->names[i].topic;

        work->creating[i] = uuid_is_zero(work->names[i].id) && name_is_legal_topic(name) &&
                            !strview_equal(name, STRVIEW(METADATA_LOG_TOPIC)) &&
                            image_topic_by_name(pin.image, name) == NULL;
        count += work->creating[i];
    }
    image_unpin(&pin);
    return count;
}

/* A topic as the settings say; those of coordinators have settings of their own. */
static bool
describe_new(const MetadataWork *work, StrView name, CreateTopicsRequestTopic *ret)
{
    InternalTopic which;
    ImagePin pin;
    bool ok;

    if (!internal_topic_find(name, &which)) {
        create_topics_request_topic_init(ret);
        ret->name = name;
        ret->num_partitions = -1;
        ret->replication_factor = -1;
        return true;
    }
    pin = image_pin();
    ok = internal_topic_describe(which, pin.image, work->rq->arena, ret);
    image_unpin(&pin);
    return ok;
}

static bool
send_creation(MetadataWork *work, int32_t count)
{
    CreateTopicsRequest create;

    create_topics_request_init(&create);
    create.timeout_ms = CREATE_TIMEOUT_MS;
    create.topics = arena_calloc(work->rq->arena, (size_t)count, sizeof *create.topics);
    if (create.topics == NULL)
        return false;
    for (int32_t i = 0; i < work->count; i++) {
        CreateTopicsRequestTopic *topic = &create.topics[create.topics_count];

        if (!work->creating[i])
            continue;
        if (!describe_new(work, work->names[i].topic, topic))
            return false;
        create.topics_count++;
    }
    return forward_begin_message(work->rq, &work->call, &create_topics_request_desc, CREATE_VERSION,
                                 &create);
}

/* ---- the handler --------------------------------------------------------------------------------------- */

ReqResult
h_metadata_start(Request *rq)
{
    MetadataWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    int32_t new_count;

    if (work == NULL)
        return request_close(rq, "no memory for a Metadata request");
    if (!request_read(rq, &metadata_request_desc, &work->in))
        return REQ_CLOSE;
    if (is_refused(rq, &work->in))
        return answer_refused(rq, &work->in);
    work->rq = rq;
    rq->state = work;
    if (!collect(work))
        return request_close(rq, "no memory for the topics of a Metadata request");
    new_count = choose_new(work);
    if (new_count == 0 || !send_creation(work, new_count))
        return answer(work);
    rq->deadline_us = rq->now_us + CREATE_WAIT_US;
    rq->wait_event = WAIT_EV_CONTROLLER_REPLY;
    return REQ_PENDING;
}

ReqResult
h_metadata_finish(Request *rq)
{
    MetadataWork *work = rq->state;

    ForwardReply reply = forward_poll(rq, &work->call);

    if (reply.waiting)
        return REQ_PENDING;
    if (reply.status == 0 &&
        reply.body.len >= 4) /* what the creation owes is first in its answer */
        rq->throttle_ms = (int32_t)wire_load32(reply.body.ptr);
    return answer(work);
}

void
h_metadata_drop(Request *rq)
{
    MetadataWork *work = rq->state;

    mbox_cancel(&work->call);
}
