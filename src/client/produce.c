/*
 * produce.c - a producer: partitions, batches in the making, sequence numbers, results
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: sends batches (that is produce_send.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/produce.h"

#include <stdlib.h>
#include <string.h>

#include "client/producer_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/hash.h"
#include "ottla/common/random.h"
#include "ottla/protocol/msg_init_producer_id.h"

#define ARENA_CHUNK_BYTES ((size_t)1 << 20)

/* ---- partitions for keys ---- */

int32_t
client_partition_for(BytesView key, int32_t n)
{
    return (int32_t)(hash_murmur2(key.ptr, (size_t)key.len) & 0x7fffffff) % n;
}

/* ---- opening and closing ---- */

int
client_producer_open(Client *c, const ClientProducerOptions *options, ClientProducer **ret,
                     Fault *f)
{
    ClientProducer *p = calloc(1, sizeof *p);

    if (p != NULL) {
        p->c = c;
        p->options = *options;
        if (p->options.batch_bytes <= 0)
            p->options.batch_bytes = PRODUCER_BATCH_BYTES;
        p->producer_id = BATCH_NO_PRODUCER_ID;
        p->sticky = random_u64();
        p->arena = arena_new(ARENA_CHUNK_BYTES, PRODUCER_ARENA_MAX_BYTES);
        p->answers = arena_new((size_t)64 << 10, PRODUCER_ARENA_MAX_BYTES);
    }
    if (p == NULL || p->arena == NULL || p->answers == NULL) {
        client_producer_close(p);
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a producer");
    }
    *ret = p;
    return 0;
}

void
client_producer_discard(ClientProducer *p)
{
    for (ProducerPart *part = p->parts; part != NULL; part = part->next) {
        /* Sequence numbers of what was not sent are not to be missed: begin anew. */
        if (part->builder != NULL || part->head != NULL)
            p->producer_id = BATCH_NO_PRODUCER_ID;
        part->builder = NULL;
        part->building = part->head = part->tail = NULL;
    }
    p->entry_count = 0;
    p->waiting_bytes = 0;
    p->sticky = random_u64();
    arena_reset(p->arena);
}

void
client_producer_close(ClientProducer *p)
{
    if (p == NULL)
        return;
    while (p->parts != NULL) {
        ProducerPart *part = p->parts;

        p->parts = part->next;
        free(part->topic);
        free(part);
    }
    free(p->entries);
    arena_free(p->arena);
    arena_free(p->answers);
    free(p);
}

bool
client_producer_full(const ClientProducer *p)
{
    return p->waiting_bytes >= PRODUCER_FULL_BYTES || p->entry_count >= PRODUCER_FULL_RECORDS;
}

/* ---- identity ---- */

static int
need_identity(ClientProducer *p, Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_InitProducerId);
    int64_t deadline_ms = client_deadline(p->c);
    InitProducerIdRequest request;
    InitProducerIdResponse response;

    if (p->producer_id != BATCH_NO_PRODUCER_ID)
        return 0;
    init_producer_id_request_init(&request);
    request.transactional_id = WIRE_NULL_STRING;
    request.transaction_timeout_ms = INT32_MAX; /* as Java's clients without transactions say */
    for (int attempt = 1;; attempt++) {
        int more;

        arena_reset(p->answers);
        if (client_call(p->c, &call, &request, &response, p->answers, f) != 0)
            return -1;
        if (response.error_code == KERR_NONE)
            break;
        (void)fault_kafka(f, response.error_code, client_info(p->c)->node_id, "no producer id: %s",
                          fault_kafka_text(response.error_code));
        if (!client_retryable(response.error_code, NULL))
            return -1;
        more = client_backoff(p->c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
    p->producer_id = response.producer_id;
    p->producer_epoch = response.producer_epoch;
    for (ProducerPart *part = p->parts; part != NULL; part = part->next)
        part->sequence = 0;
    return 0;
}

BatchBuilderOptions
producer_batch_options(const ClientProducer *p, int32_t sequence)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;

    options.producer_id = p->producer_id;
    options.producer_epoch = p->producer_epoch;
    options.base_sequence = sequence;
    options.attributes = (int16_t)p->options.codec;
    return options;
}

/* ---- partitions ---- */

static uint64_t
bucket_of(StrView topic, int32_t partition)
{
    return hash_str(topic, (uint64_t)(uint32_t)partition) % PRODUCER_BUCKETS;
}

ProducerPart *
producer_part(const ClientProducer *p, StrView topic, int32_t partition)
{
    ProducerPart *part = p->buckets[bucket_of(topic, partition)];

    while (part != NULL &&
           (part->partition != partition || !strview_equal(strview_from(part->topic), topic)))
        part = part->same_bucket;
    return part;
}

/* As producer_part; it is made if it is not there. */
static ProducerPart *
need_part(ClientProducer *p, StrView topic, int32_t partition, Fault *f)
{
    uint64_t bucket = bucket_of(topic, partition);
    ProducerPart *part = producer_part(p, topic, partition);

    if (part != NULL)
        return part;
    part = p->part_count < PRODUCER_PARTS_MAX ? calloc(1, sizeof *part) : NULL;
    if (part != NULL)
        part->topic = strndup(topic.ptr, (size_t)topic.len);
    if (part == NULL || part->topic == NULL) {
        free(part);
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for another partition");
        return NULL;
    }
    part->partition = partition;
    part->floor = -1;
    part->same_bucket = p->buckets[bucket];
    p->buckets[bucket] = part;
    part->next = p->parts;
    p->parts = part;
    p->part_count++;
    return part;
}

/* The partition that a record goes to. */
static int
choose_partition(ClientProducer *p, StrView topic, int32_t wanted, BytesView key, int32_t *ret,
                 Fault *f)
{
    int32_t count;

    if (client_partition_count(p->c, topic, &count, f) != 0)
        return -1;
    if (wanted >= count || wanted < CLIENT_PARTITION_ANY || count < 1) {
        (void)fault_kafka(f, KERR_UNKNOWN_TOPIC_OR_PARTITION, -1,
                          "topic \"%.*s\" has no partition %d", topic.len, topic.ptr, wanted);
        fault_detail(f, "Its partitions are 0 to %d.", count - 1);
        return -1;
    }
    if (wanted != CLIENT_PARTITION_ANY)
        *ret = wanted;
    else if (key.ptr != NULL)
        *ret = client_partition_for(key, count);
    else
        *ret = (int32_t)((p->sticky ^ hash_str(topic, 0)) % (uint64_t)count);
    return 0;
}

/* ---- records ---- */

static int
note_entry(ClientProducer *p, ProducerPart *part, int64_t timestamp, Fault *f)
{
    if (p->entry_count == p->entry_room) {
        int32_t room = p->entry_room == 0 ? 1024 : p->entry_room * 2;
        ProducerEntry *more = realloc(p->entries, (size_t)room * sizeof *more);

        if (more == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "no memory for another record");
        p->entries = more;
        p->entry_room = room;
    }
    p->entries[p->entry_count++] =
        (ProducerEntry){part, part->building, part->building->count++, timestamp};
    return 0;
}

int
producer_seal(ProducerPart *part, Fault *f)
{
    ProducerBatch *batch = part->building;
    ErrInfo err = {0};
    BytesView bytes;

    if (part->builder == NULL)
        return 0;
    if (batch_builder_finish(part->builder, &bytes, &err) != 0)
        return fault_set(f, FAULT_LIMIT, "a batch for topic \"%s\": %s", part->topic, err.text);
    memcpy(&batch->bytes, &bytes.ptr, sizeof batch->bytes); /* ours: it lies in the arena */
    batch->size = bytes.len;
    part->builder = NULL;
    part->building = NULL;
    if (part->tail == NULL)
        part->head = batch;
    else
        part->tail->next = batch;
    part->tail = batch;
    return 0;
}

static int
begin_batch(ClientProducer *p, ProducerPart *part, Fault *f)
{
    BatchBuilderOptions options = producer_batch_options(p, part->sequence);

    part->building = arena_calloc(p->arena, 1, sizeof *part->building);
    part->builder = part->building == NULL ? NULL : batch_builder_new(&options, p->arena);
    if (part->builder == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a batch");
    return 0;
}

int
client_producer_add(ClientProducer *p, StrView topic, int32_t partition, const BatchRecord *record,
                    Fault *f)
{
    BatchRecord mine = *record;
    ProducerPart *part;
    ErrInfo err = {0};
    int64_t before;
    int32_t chosen;

    if ((int64_t)record->key.len + record->value.len > PRODUCER_RECORD_MAX)
        return fault_set(f, FAULT_LIMIT, "a record of %lld bytes; at most %d",
                         (long long)record->key.len + record->value.len, PRODUCER_RECORD_MAX);
    if (mine.timestamp < 0)
        mine.timestamp = clock_wall_ms();
    if (need_identity(p, f) != 0 ||
        choose_partition(p, topic, partition, record->key, &chosen, f) != 0)
        return -1;
    part = need_part(p, topic, chosen, f);
    if (part == NULL)
        return -1;
    if (part->builder != NULL &&
        batch_builder_bytes_with(part->builder, &mine) > p->options.batch_bytes &&
        producer_seal(part, f) != 0)
        return -1;
    if (part->builder == NULL && begin_batch(p, part, f) != 0)
        return -1;
    before = batch_builder_bytes(part->builder);
    if (batch_builder_add(part->builder, &mine, &err) != 0)
        return fault_set(f, FAULT_LIMIT, "a record for topic \"%s\": %s", part->topic, err.text);
    p->waiting_bytes += batch_builder_bytes(part->builder) - before;
    part->sequence = batch_sequence_add(part->sequence, 1);
    return note_entry(p, part, mine.timestamp, f);
}

int
client_producer_add_batch(ClientProducer *p, StrView topic, int32_t partition, BytesView bytes,
                          Fault *f)
{
    ProducerBatch *batch = arena_calloc(p->arena, 1, sizeof *batch);
    ProducerPart *part;
    int32_t chosen;

    if (batch == NULL || (batch->bytes = arena_alloc(p->arena, (size_t)bytes.len)) == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a batch");
    if (choose_partition(p, topic, partition, WIRE_NULL_BYTES, &chosen, f) != 0)
        return -1;
    part = need_part(p, topic, chosen, f);
    if (part == NULL || producer_seal(part, f) != 0)
        return -1;
    memcpy(batch->bytes, bytes.ptr, (size_t)bytes.len);
    batch->size = bytes.len;
    batch->count = batch_record_count(bytes.ptr);
    batch->raw = true;
    /* A transaction that was decided elsewhere; its records are written as they are. */
    if (batch_is_transactional(batch->bytes)) {
        wire_store16(batch->bytes + BATCH_AT_ATTRIBUTES,
                     (uint16_t)(batch_attributes(batch->bytes) & ~BATCH_ATTR_TRANSACTIONAL));
        batch_seal(batch->bytes, (size_t)batch->size);
    }
    batch_set_base_offset(batch->bytes, 0);
    if (part->tail == NULL)
        part->head = batch;
    else
        part->tail->next = batch;
    part->tail = batch;
    p->waiting_bytes += bytes.len;
    return 0;
}
