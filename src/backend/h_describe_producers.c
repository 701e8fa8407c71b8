/*
 * h_describe_producers.c - DescribeProducers: what partitions remember of their producers
 *
 * Runs in: backend. Spec: log.md 14.5; observed.md 2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "ottla/common/err.h"
#include "ottla/protocol/msg_describe_producers.h"
#include "ottla/storage/plog.h"

#define PRODUCER_ANSWER_BYTES 256 /* in the arena for each: as found, as answered, as encoded */

static int16_t
list_producers(Request *rq, PartitionRef ref, DescribeProducersResponsePartition *out)
{
    PlogProducer *found;
    int32_t count;
    ErrInfo err;
    const PartitionSlot *slot = pslot_find(ref);
    int rc;

    if (ref.slot == PSLOT_NONE)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    if (slot == NULL)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    request_grow(rq, (size_t)slot->producer_count * PRODUCER_ANSWER_BYTES);
    rc = plog_producers(ref, rq->arena, &found, &count, &err);
    if (rc < 0)
        return err_to_kafka(rc);
    out->active_producers = arena_calloc(rq->arena, (size_t)count, sizeof *out->active_producers);
    if (out->active_producers == NULL)
        return KERR_UNKNOWN_SERVER_ERROR;
    out->active_producers_count = count;
    for (int32_t i = 0; i < count; i++) {
        DescribeProducersResponseProducerState *state = &out->active_producers[i];

        describe_producers_response_producer_state_init(state);
        state->producer_id = found[i].producer_id;
        state->producer_epoch = found[i].epoch;
        state->last_sequence = found[i].last_sequence;
        state->last_timestamp = found[i].last_timestamp;
        state->coordinator_epoch = found[i].coordinator_epoch;
        state->current_txn_start_offset = found[i].txn_start_offset;
    }
    return 0;
}

/* Faults of the topic go to each of its partitions, with a text; those of a partition have none. */
static void
answer_one(Request *rq, StrView topic, int32_t index, DescribeProducersResponsePartition *out)
{
    ImagePin pin = image_pin();
    bool known = image_topic_by_name(pin.image, topic) != NULL;
    MetaPartition meta;
    bool found = meta_find(pin.image, topic, index, &meta);

    image_unpin(&pin);
    describe_producers_response_partition_init(out);
    out->partition_index = index;
    if (!name_is_legal_topic(topic)) {
        out->error_code = KERR_INVALID_TOPIC_EXCEPTION;
        out->error_message = STRVIEW("The topic name is not valid.");
    } else if (!known) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        out->error_message = STRVIEW("The topic does not exist.");
    } else if (!found) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    } else {
        out->error_code = list_producers(rq, meta.ref, out);
    }
    rq->failed = rq->failed || out->error_code != 0;
}

ReqResult
h_describe_producers_start(Request *rq)
{
    DescribeProducersRequest in;
    DescribeProducersResponse out;

    if (!request_read(rq, &describe_producers_request_desc, &in))
        return REQ_CLOSE;
    describe_producers_response_init(&out);
    out.topics = arena_calloc(rq->arena, (size_t)in.topics_count, sizeof *out.topics);
    if (out.topics == NULL)
        return request_close(rq, "no memory for a DescribeProducers request");
    for (int32_t t = 0; t < in.topics_count; t++) {
        const DescribeProducersRequestTopic *topic = &in.topics[t];
        DescribeProducersResponseTopic *to = &out.topics[out.topics_count++];
        size_t count = (size_t)topic->partition_indexes_count;

        describe_producers_response_topic_init(to);
        to->name = name_echo(rq->arena, topic->name);
        to->partitions = arena_calloc(rq->arena, count, sizeof *to->partitions);
        if (to->partitions == NULL)
            return request_close(rq, "no memory for a DescribeProducers request");
        for (int32_t p = 0; p < topic->partition_indexes_count; p++)
            answer_one(rq, topic->name, topic->partition_indexes[p],
                       &to->partitions[to->partitions_count++]);
    }
    return request_respond(rq, &describe_producers_response_desc, &out);
}
