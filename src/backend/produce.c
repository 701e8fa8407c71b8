/*
 * produce.c - the parts of a Produce request and the assembly of its answer
 *
 * Called by h_produce.c. Never: looks at a batch, takes a lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/produce_int.h"

#include "backend/named_int.h"
#include "backend/names_int.h"
#include "ottla/common/assert.h"
#include "ottla/ipc/waitlist.h"

/* All partitions of the request, sorted; *ret_count of them. */
static Named *
sort_named(Request *rq, const ProduceRequest *in, int32_t *ret_count)
{
    bool by_id = rq->head.api_version >= 13;
    int64_t total = 0;
    int32_t n = 0;
    Named *list;

    for (int32_t t = 0; t < in->topic_data_count; t++)
        total += in->topic_data[t].partition_data_count;
    list = arena_calloc(rq->arena, (size_t)total, sizeof *list);
    if (list == NULL)
        return NULL;
    for (int32_t t = 0; t < in->topic_data_count; t++)
        for (int32_t p = 0; p < in->topic_data[t].partition_data_count; p++) {
            const ProduceRequestTopic *topic = &in->topic_data[t];

            list[n] = (Named){.topic = by_id ? (StrView){NULL, 0} : topic->name,
                              .id = by_id ? topic->topic_id : (Uuid){{0}},
                              .partition = topic->partition_data[p].index,
                              .serial = n,
                              .topic_in = topic,
                              .in = &topic->partition_data[p]};
            n++;
        }
    named_sort(list, n);
    *ret_count = n;
    return list;
}

static void
part_init(ProducePart *part, const Named *named, ProduceResponsePartition *out)
{
    part->topic = named->topic_in;
    part->in = named->in;
    part->out = out;
    produce_response_partition_init(out);
    out->index = named->partition;
    out->base_offset = -1;
}

ProduceWork *
produce_work_new(Request *rq, const ProduceRequest *in)
{
    ProduceWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    int32_t count = 0;
    Named *list = sort_named(rq, in, &count);
    ProduceResponsePartition *outs;
    ProduceResponseTopic *topic = NULL;

    if (work == NULL || list == NULL)
        return NULL;
    work->rq = rq;
    work->acks = in->acks;
    work->wait_node = WAIT_NODE_NONE;
    produce_response_init(&work->out);
    work->parts = arena_calloc(rq->arena, (size_t)count, sizeof *work->parts);
    outs = arena_calloc(rq->arena, (size_t)count, sizeof *outs);
    work->out.responses = arena_calloc(rq->arena, (size_t)count, sizeof *work->out.responses);
    if (work->parts == NULL || outs == NULL || work->out.responses == NULL)
        return NULL;
    for (int32_t i = 0; i < count; i++) {
        if (!named_repeated_next(list, i, count)) { /* else a later one counts */
            if (topic == NULL) {
                topic = &work->out.responses[work->out.responses_count++];
                produce_response_topic_init(topic);
                topic->name = name_echo(rq->arena, list[i].topic);
                topic->topic_id = list[i].id;
                topic->partition_responses = &outs[work->count];
            }
            part_init(&work->parts[work->count], &list[i], &outs[work->count]);
            topic->partition_responses_count++;
            work->count++;
        }
        if (!named_same_topic_next(list, i, count))
            topic = NULL;
    }
    return work;
}

void
produce_fail(ProducePart *part, int16_t code)
{
    ot_assert(code != 0);
    part->done = true;
    part->out->error_code = code;
    part->out->base_offset = -1;
    part->out->log_append_time_ms = -1;
    part->out->log_start_offset = -1;
}

void
produce_fail_all(ProduceWork *work, int16_t code, const char *text)
{
    for (int32_t i = 0; i < work->count; i++) {
        produce_fail(&work->parts[i], code);
        work->parts[i].out->error_message = strview_from(text);
    }
}

void
produce_record_errors(ProduceWork *work, ProducePart *part, const BatchVerdict *verdict)
{
    ProduceResponseRecordError *list;

    if (verdict->error_count == 0)
        return;
    list = arena_calloc(work->rq->arena, (size_t)verdict->error_count, sizeof *list);
    if (list == NULL)
        return;
    for (int32_t i = 0; i < verdict->error_count; i++) {
        produce_response_record_error_init(&list[i]);
        list[i].batch_index = verdict->errors[i].index;
        list[i].batch_index_error_message = strview_from(verdict->errors[i].text);
    }
    part->out->record_errors = list;
    part->out->record_errors_count = verdict->error_count;
}

static int32_t
codec_level(const TopicSettings *topic)
{
    switch (topic->compression_type) {
    case BATCH_CODEC_GZIP:
        return topic->compression_gzip_level;
    case BATCH_CODEC_LZ4:
        return topic->compression_lz4_level;
    case BATCH_CODEC_ZSTD:
        return topic->compression_zstd_level;
    default:
        return 0; /* the others have none */
    }
}

void
produce_rules(const TopicSettings *topic, int64_t now_ms, BatchRules *ret)
{
    *ret = (BatchRules){
        .origin = BATCH_FROM_CLIENT,
        .now_ms = now_ms,
        .timestamp_before_max_ms = topic->timestamp_before_max_ms,
        .timestamp_after_max_ms = topic->timestamp_after_max_ms,
        .max_message_bytes = topic->max_message_bytes,
        .segment_bytes = topic->segment_bytes,
        .append_time = topic->timestamp_type == TOPIC_LOG_APPEND_TIME,
        .compacted = topic->cleanup_compact,
        .target_codec = topic->compression_type, /* -1 keeps the producer's in both */
        .level = codec_level(topic),
    };
}
