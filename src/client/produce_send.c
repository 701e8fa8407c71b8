/*
 * produce_send.c - what a producer sends: rounds of one batch for each partition, until all are written
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: sends the second batch of a partition before the first is written, so that sequences stay in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "client/producer_int.h"
#include "ottla/client/consume.h"
#include "ottla/common/clock.h"
#include "ottla/protocol/msg_produce.h"

#define PRODUCE_VERSION_MAX 12 /* later ones name topics by id */
#define ACKS_ALL            (-1)
#define REQUEST_MAX_BYTES   (16 << 20) /* of several batches together; one alone may be larger */

/* One round. */
typedef struct SendRound {
    ClientProducer *p;
    ClientRequest *requests;
    int64_t *bytes; /* by request */
    int32_t count;
    bool again;    /* something is to be tried again */
    bool progress; /* something was written */
} SendRound;

/* ---- building ---- */

static ClientRequest *
request_for(SendRound *round, int32_t node, int64_t size, Fault *f)
{
    Arena *arena = round->p->answers;
    ProduceRequest *request;
    ProduceResponse *response;

    for (int32_t k = 0; k < round->count; k++) {
        if (round->requests[k].call.node_id == node &&
            round->bytes[k] + size <= REQUEST_MAX_BYTES) {
            round->bytes[k] += size;
            return &round->requests[k];
        }
    }
    if (round->count == CLIENT_CALLS_MAX)
        return NULL; /* the next round takes the rest */
    request = arena_alloc(arena, sizeof *request);
    response = arena_alloc(arena, sizeof *response);
    if (request == NULL || response == NULL) {
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for a request");
        return NULL;
    }
    produce_request_init(request);
    request->transactional_id = WIRE_NULL_STRING;
    request->acks = ACKS_ALL;
    request->timeout_ms = round->p->c->target.request_timeout_ms;
    round->bytes[round->count] = size;
    round->requests[round->count] = (ClientRequest){
        .call = client_call_to(node, API_Produce), .request = request, .response = response};
    round->requests[round->count].call.version_max = PRODUCE_VERSION_MAX;
    round->requests[round->count].call.timeout_ms = request->timeout_ms + 5000;
    return &round->requests[round->count++];
}

/* Each partition becomes a topic of its own in the request: one batch for each, and their order does not matter. */
static int
add_part(SendRound *round, ProducerPart *part, Fault *f)
{
    ProducerBatch *batch = part->head;
    ProduceRequest *request;
    ProduceRequestTopic *topics;
    ProduceRequestPartition *data;
    ClientRequest *rq;
    int32_t node;
    int32_t n;

    if (client_leader(round->p->c, strview_from(part->topic), part->partition, &node, f) != 0)
        return -1;
    fault_clear(f);
    rq = request_for(round, node, batch->size, f);
    if (rq == NULL)
        return f->sqlstate[0] == '\0' ? 0 : -1;
    memcpy(&request, &rq->request, sizeof request);
    n = request->topic_data_count;
    topics = request->topic_data;
    if ((n & (n - 1)) == 0) { /* room doubles */
        topics = arena_calloc(round->p->answers, n == 0 ? 1 : (size_t)n * 2, sizeof *topics);
        if (topics != NULL && n > 0)
            memcpy(topics, request->topic_data, (size_t)n * sizeof *topics);
    }
    data = arena_alloc(round->p->answers, sizeof *data);
    if (topics == NULL || data == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a request");
    produce_request_topic_init(&topics[n]);
    produce_request_partition_init(data);
    data->index = part->partition;
    data->records = records_in_memory(batch->bytes, batch->size);
    topics[n].name = strview_from(part->topic);
    topics[n].partition_data = data;
    topics[n].partition_data_count = 1;
    request->topic_data = topics;
    request->topic_data_count = n + 1;
    return 0;
}

/* ---- answers ---- */

/* The batch is written: the next one of its partition follows. */
static void
written(SendRound *round, ProducerPart *part, int64_t base_offset, int64_t append_time)
{
    ProducerBatch *batch = part->head;

    batch->done = true;
    batch->base_offset = base_offset;
    batch->append_time = append_time;
    part->head = batch->next;
    if (part->head == NULL)
        part->tail = NULL;
    round->progress = true;
}

/* Takes the producer of another log out of a raw batch, so that the node does not compare sequences. */
static void
strip_producer(ProducerBatch *batch)
{
    wire_store64(batch->bytes + BATCH_AT_PRODUCER_ID, (uint64_t)BATCH_NO_PRODUCER_ID);
    wire_store16(batch->bytes + BATCH_AT_PRODUCER_EPOCH, (uint16_t)BATCH_NO_PRODUCER_EPOCH);
    wire_store32(batch->bytes + BATCH_AT_BASE_SEQUENCE, (uint32_t)BATCH_NO_SEQUENCE);
    batch_seal(batch->bytes, (size_t)batch->size);
}

/* Adds the records [from, to) of a batch to a new one. */
static ProducerBatch *
copy_records(ClientProducer *p, const ProducerBatch *batch, int32_t from, int32_t to)
{
    BytesView bytes = {batch->bytes, batch->size};
    int32_t sequence = batch_sequence_add(batch_base_sequence(batch->bytes), from);
    BatchBuilderOptions options = producer_batch_options(p, sequence);
    ProducerBatch *part = arena_calloc(p->arena, 1, sizeof *part);
    RecordIter *iter = record_iter_open(bytes, p->arena);
    BatchBuilder *builder = batch_builder_new(&options, p->arena);
    bool good = part != NULL && iter != NULL && builder != NULL;

    for (int32_t i = 0; good && i < to; i++) {
        Record record;
        RecordHeader *headers;
        BytesView rest;

        good = record_iter_next(iter, &record) == RECORD_OK;
        if (!good || i < from)
            continue;
        headers = arena_calloc(p->arena, (size_t)record.header_count + 1, sizeof *headers);
        rest = record.headers;
        for (int32_t k = 0; headers != NULL && k < record.header_count; k++)
            (void)record_header_next(&rest, &headers[k]);
        good = headers != NULL &&
               batch_builder_add(builder,
                                 &(BatchRecord){.timestamp = record.timestamp,
                                                .key = record.key,
                                                .value = record.value,
                                                .headers = headers,
                                                .header_count = record.header_count},
                                 NULL) == 0;
    }
    record_iter_close(iter);
    if (!good || batch_builder_finish(builder, &bytes, NULL) != 0)
        return NULL;
    memcpy(&part->bytes, &bytes.ptr, sizeof part->bytes);
    part->size = bytes.len;
    part->count = to - from;
    return part;
}

/* A batch that is too large for its topic becomes two; results find theirs by split_at. */
static bool
split(ClientProducer *p, ProducerPart *part)
{
    ProducerBatch *batch = part->head;
    ProducerBatch *first;
    ProducerBatch *second;

    if (batch->count < 2 || batch->raw)
        return false;
    first = copy_records(p, batch, 0, batch->count / 2);
    second = copy_records(p, batch, batch->count / 2, batch->count);
    if (first == NULL || second == NULL)
        return false;
    second->next = batch->next;
    second->split = batch->split;
    second->split_at = second->count;
    batch->split_at = first->count;
    batch->split = second;
    batch->bytes = first->bytes;
    batch->size = first->size;
    batch->count = first->count;
    batch->next = second;
    if (part->tail == batch)
        part->tail = second;
    return true;
}

static bool
foreign_sequence(int16_t error)
{
    return error == KERR_OUT_OF_ORDER_SEQUENCE_NUMBER || error == KERR_DUPLICATE_SEQUENCE_NUMBER ||
           error == KERR_INVALID_PRODUCER_EPOCH || error == KERR_UNKNOWN_PRODUCER_ID;
}

/* What a node says of one batch. */
static int
take_partition(SendRound *round, ProducerPart *part, const ProduceResponsePartition *from,
               int32_t node, Fault *f)
{
    ProducerBatch *batch = part->head;
    bool producer = batch->raw && batch_has_producer_id(batch->bytes);
    int16_t error = from->error_code;
    bool wants_metadata;

    if (producer && (foreign_sequence(error) ||
                     (error == KERR_NONE && part->floor >= 0 && from->base_offset < part->floor))) {
        strip_producer(batch);
        round->again = true;
        return 0;
    }
    if (error == KERR_NONE || (error == KERR_DUPLICATE_SEQUENCE_NUMBER && !batch->raw)) {
        if (from->base_offset >= 0)
            part->floor = from->base_offset + batch_last_offset_delta(batch->bytes) + 1;
        written(round, part, from->base_offset, from->log_append_time_ms);
        return 0;
    }
    if (error == KERR_MESSAGE_TOO_LARGE && split(round->p, part)) {
        round->progress = true;
        return 0;
    }
    if (from->error_message.ptr != NULL && from->error_message.len > 0)
        (void)fault_kafka(f, error, node, "cannot write to topic \"%s\" partition %d: %.*s",
                          part->topic, part->partition, from->error_message.len,
                          from->error_message.ptr);
    else
        (void)fault_kafka(f, error, node, "cannot write to topic \"%s\" partition %d: %s",
                          part->topic, part->partition, fault_kafka_text(error));
    if (!client_retryable(error, &wants_metadata))
        return -1;
    if (wants_metadata)
        client_refresh(round->p->c);
    round->again = true;
    return 0;
}

/* No answer at all: an idempotent batch may be sent again, unless the user has had enough. */
static int
no_answer(SendRound *round, const ClientRequest *rq, Fault *f)
{
    const char *state = rq->fault.sqlstate;

    *f = rq->fault;
    if (strcmp(state, FAULT_CANNOT_CONNECT) != 0 && strcmp(state, FAULT_CONNECTION_LOST) != 0 &&
        strcmp(state, FAULT_TIMEOUT) != 0)
        return -1;
    client_refresh(round->p->c);
    round->again = true;
    return 0;
}

static int
take_answers(SendRound *round, Fault *f)
{
    for (int32_t k = 0; k < round->count; k++) {
        const ClientRequest *rq = &round->requests[k];
        const ProduceResponse *response = rq->response;

        if (rq->status != 0) {
            if (no_answer(round, rq, f) != 0)
                return -1;
            continue;
        }
        for (int32_t i = 0; i < response->responses_count; i++) {
            const ProduceResponseTopic *topic = &response->responses[i];

            for (int32_t j = 0; j < topic->partition_responses_count; j++) {
                ProducerPart *part =
                    producer_part(round->p, topic->name, topic->partition_responses[j].index);

                if (part == NULL || part->head == NULL)
                    continue;
                if (take_partition(round, part, &topic->partition_responses[j], rq->call.node_id,
                                   f) != 0)
                    return -1;
            }
        }
    }
    return 0;
}

/* ---- rounds ---- */

/* Where a log ends before the first raw batch: an answer below it means that the node took the batch for a repetition. */
static int
need_floor(ClientProducer *p, ProducerPart *part, Fault *f)
{
    ClientOffset end = {.partition = part->partition};
    ClientOffsetsQuery latest = {strview_from(part->topic), CLIENT_OFFSET_LATEST, false};

    if (part->floor >= 0 || !part->head->raw || !batch_has_producer_id(part->head->bytes))
        return 0;
    if (client_offsets(p->c, &latest, &end, 1, f) != 0)
        return -1;
    part->floor = end.offset;
    return 0;
}

/* 1: all is written. */
static int
one_round(SendRound *round, Fault *f)
{
    ClientProducer *p = round->p;
    bool waiting = false;

    round->count = 0;
    round->again = round->progress = false;
    arena_reset(p->answers);
    round->requests = arena_calloc(p->answers, CLIENT_CALLS_MAX, sizeof *round->requests);
    round->bytes = arena_calloc(p->answers, CLIENT_CALLS_MAX, sizeof *round->bytes);
    if (round->requests == NULL || round->bytes == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a request");
    for (ProducerPart *part = p->parts; part != NULL; part = part->next) {
        if (part->head == NULL)
            continue;
        waiting = true;
        if (need_floor(p, part, f) != 0 || add_part(round, part, f) != 0)
            return -1;
    }
    if (!waiting)
        return 1;
    if (client_call_many(p->c, round->requests, round->count, p->answers, f) != 0 &&
        strcmp(f->sqlstate, FAULT_CANCELED) == 0)
        return -1;
    return take_answers(round, f);
}

static int
send_all(ClientProducer *p, Fault *f)
{
    SendRound round = {.p = p};
    int64_t deadline_ms = client_deadline(p->c);
    int attempt = 0;

    for (ProducerPart *part = p->parts; part != NULL; part = part->next) {
        if (producer_seal(part, f) != 0)
            return -1;
    }
    for (;;) {
        int status = one_round(&round, f);
        int more;

        if (status != 0)
            return status < 0 ? -1 : 0;
        if (round.progress) {
            attempt = 0;
            deadline_ms = client_deadline(p->c);
        }
        if (!round.again && round.progress)
            continue;
        if (!round.again)
            return fault_set(f, FAULT_BAD_REPLY, "an answer to Produce that leaves batches out");
        more = client_backoff(p->c, ++attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}

/* Tells where the records went that were written. */
static void
give_results(ClientProducer *p)
{
    for (int32_t i = 0; p->options.produced != NULL && i < p->entry_count; i++) {
        const ProducerEntry *entry = &p->entries[i];
        const ProducerBatch *batch = entry->batch;
        int32_t delta = entry->delta;
        ClientProduced produced;

        while (batch->split != NULL && delta >= batch->split_at) {
            delta -= batch->split_at;
            batch = batch->split;
        }
        if (!batch->done)
            continue;
        produced = (ClientProduced){
            .topic = strview_from(entry->part->topic),
            .partition = entry->part->partition,
            .offset = batch->base_offset < 0 ? -1 : batch->base_offset + delta,
            .timestamp_ms = batch->append_time >= 0 ? batch->append_time : entry->timestamp};
        p->options.produced(p->options.arg, &produced);
    }
}

int
client_producer_flush(ClientProducer *p, Fault *f)
{
    int status = send_all(p, f);

    give_results(p);
    client_producer_discard(p);
    return status;
}
