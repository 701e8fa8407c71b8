/*
 * batch_validate.c - the checks on a client's batch, in Kafka's order
 *
 * Runs in: backend (Produce), coordinator (its own records). Pure.
 * Never: takes a lock, knows offsets of the log, changes what the client sent.
 *
 * One pass over the records with one checksum is all that an unchanged batch costs. Codes follow
 * the recordings of Kafka 4.3.1; where Kafka stores what no consumer can read (offset deltas that
 * do not count up, record lengths that are off), the batch is refused instead.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/batch_validate.h"

#include "batch_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/record.h"

#define API_VERSION_WITH_ZSTD 7
#define ERRORS_FIRST          16

/* ---- The request as a whole ---- */

void
produce_screen_init(ProduceScreen *screen)
{
    *screen = (ProduceScreen){.producer_id = BATCH_NO_PRODUCER_ID,
                              .producer_epoch = BATCH_NO_PRODUCER_EPOCH};
}

/*
 * What Kafka's reader of a memory buffer finds at its start. It looks at the length as soon as
 * 12 bytes are there and at the magic before it asks whether all bytes are; batch_scan(), which
 * follows the reader of files, needs 17 bytes for anything.
 */
typedef enum Found {
    FOUND_NOTHING, /* the end, or a torn batch */
    FOUND_BATCH,
    FOUND_CORRUPT,
} Found;

static Found
look(const uint8_t *at, int64_t left)
{
    if (left < BATCH_OVERHEAD_BYTES) {
        return FOUND_NOTHING;
    }
    if (batch_length(at) < BATCH_LENGTH_MIN) {
        return FOUND_CORRUPT;
    }
    if (left < BATCH_PREFIX_BYTES) {
        return FOUND_NOTHING;
    }
    if (batch_magic(at) < 0 || batch_magic(at) > BATCH_MAGIC) {
        return FOUND_CORRUPT;
    }
    return batch_size(at) <= left ? FOUND_BATCH : FOUND_NOTHING;
}

void
produce_screen_add(ProduceScreen *screen, BytesView records)
{
    const uint8_t *batch = records.ptr;
    Found found = look(batch, records.len);

    if (found == FOUND_CORRUPT && screen->code == 0 && !screen->transactional) {
        screen->code = KERR_CORRUPT_MESSAGE;
        screen->text = batch_length(batch) < BATCH_LENGTH_MIN
                           ? "A batch of the request has a length that no batch can have."
                           : "A batch of the request has an unknown format.";
        if (batch_length(batch) >= BATCH_LENGTH_MIN)
            screen->fault = BATCH_FAULT_MAGIC;
    }
    if (found != FOUND_BATCH || batch_magic(batch) != BATCH_MAGIC ||
        batch_size(batch) < BATCH_HEADER_BYTES || !batch_is_transactional(batch)) {
        return;
    }
    if (!screen->transactional) {
        screen->transactional = true;
        screen->producer_id = batch_producer_id(batch);
        screen->producer_epoch = batch_producer_epoch(batch);
    } else if (screen->producer_id != batch_producer_id(batch) ||
               screen->producer_epoch != batch_producer_epoch(batch)) {
        screen->producers_differ = true;
    }
}

/* ---- One partition, steps c to g ---- */

static void
refuse(BatchVerdict *verdict, int16_t code, bool real_log_start, const char *reason)
{
    verdict->code = code;
    verdict->real_log_start = real_log_start;
    verdict->reason = reason;
}

void
batch_precheck(int16_t api_version, BytesView records, BatchVerdict *ret)
{
    const uint8_t *batch = records.ptr;
    int64_t size;

    *ret = (BatchVerdict){0};
    switch (look(batch, records.len)) {
    case FOUND_NOTHING:
        refuse(ret, KERR_INVALID_RECORD, false, "no whole batch");
        return;
    case FOUND_CORRUPT:
        refuse(ret, KERR_CORRUPT_MESSAGE, false, "bad length or format of the batch");
        if (batch_length(batch) >= BATCH_LENGTH_MIN)
            ret->fault = BATCH_FAULT_MAGIC;
        return;
    case FOUND_BATCH:
        break;
    }
    if (batch_magic(batch) != BATCH_MAGIC) {
        refuse(ret, KERR_INVALID_RECORD, false, "old message format");
        ret->fault = BATCH_FAULT_MAGIC;
        return;
    }
    size = batch_size(batch);
    /* Below 61 bytes the codec cannot be read; batch_validate() refuses such a batch. */
    if (api_version < API_VERSION_WITH_ZSTD && size >= BATCH_HEADER_BYTES) {
        if (batch_codec(batch) == BATCH_CODEC_ZSTD) {
            refuse(ret, KERR_UNSUPPORTED_COMPRESSION_TYPE, false, "zstd below version 7");
            return;
        }
        if (batch_codec(batch) > BATCH_CODEC_LAST) {
            refuse(ret, KERR_UNKNOWN_SERVER_ERROR, false, "unknown codec");
            ret->failed_request = true;
            return;
        }
    }
    switch (look(batch + size, records.len - size)) {
    case FOUND_NOTHING:
        return;
    case FOUND_CORRUPT:
        refuse(ret, KERR_CORRUPT_MESSAGE, false, "garbage behind the batch");
        return;
    case FOUND_BATCH:
        refuse(ret, KERR_INVALID_RECORD, false, "more than one batch");
        return;
    }
}

/* ---- One partition, steps l to q: the header ---- */

static void
check_header(const BatchRules *rules, BytesView bytes, BatchVerdict *ret)
{
    const uint8_t *batch = bytes.ptr;
    bool client = rules->origin == BATCH_FROM_CLIENT;

    if (client && batch_base_offset(batch) != 0) {
        refuse(ret, KERR_INVALID_RECORD, true, "base offset is not 0");
        ret->fault = BATCH_FAULT_OFFSET;
    } else if (bytes.len > rules->max_message_bytes) {
        refuse(ret, KERR_MESSAGE_TOO_LARGE, false, "larger than max.message.bytes");
    } else if (bytes.len < BATCH_HEADER_BYTES || !batch_crc_ok(batch, (size_t)bytes.len)) {
        refuse(ret, KERR_CORRUPT_MESSAGE, false, "checksum differs");
        ret->fault = BATCH_FAULT_CRC;
    } else if (batch_codec(batch) > BATCH_CODEC_LAST) {
        refuse(ret, KERR_UNKNOWN_SERVER_ERROR, true, "unknown codec");
    } else if (batch_record_count(batch) <= 0 ||
               (int64_t)batch_last_offset_delta(batch) + 1 != batch_record_count(batch)) {
        /* The coordinator's own batches count up, too: offsets are given by count. */
        refuse(ret, KERR_INVALID_RECORD, true, "record count and last offset delta do not agree");
        ret->fault = BATCH_FAULT_OFFSET;
    } else if (client && batch_is_control(batch)) {
        refuse(ret, KERR_INVALID_RECORD, true, "control batch from a client");
        ret->fault = BATCH_FAULT_OFFSET;
    } else if (client && batch_has_producer_id(batch) && batch_base_sequence(batch) < 0) {
        refuse(ret, KERR_INVALID_RECORD, true, "producer id without a sequence");
        ret->fault = BATCH_FAULT_OFFSET;
    }
}

/* ---- One partition, steps r to t: the records ---- */

/* What the pass over the records collects. */
typedef struct Pass {
    const BatchRules *rules;
    Arena *arena;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t first_timestamp;
    int32_t max_timestamp_delta;
    int32_t errors_room;
    BatchTee *tee;        /* makes the payload anew meanwhile; NULL: it stays, or is plain */
    bool stay;            /* no record needs to change, whatever the codec */
    bool append_time_bit; /* as the client sent it */
    bool bad_timestamp;
    bool any_error;
} Pass;

static void
add_error(Pass *pass, BatchVerdict *ret, int32_t index, const char *text)
{
    pass->any_error = true;
    if (ret->error_count == RECORD_ERRORS_MAX || text == NULL) {
        return;
    }
    if (ret->error_count == pass->errors_room) {
        int32_t room = pass->errors_room == 0 ? ERRORS_FIRST : pass->errors_room * 2;
        BatchRecordError *bigger = arena_alloc(pass->arena, (size_t)room * sizeof *bigger);

        if (bigger == NULL) {
            return;
        }
        if (ret->error_count > 0) {
            memcpy(bigger, ret->errors, (size_t)ret->error_count * sizeof *bigger);
        }
        ret->errors = bigger;
        pass->errors_room = room;
    }
    ret->errors[ret->error_count++] = (BatchRecordError){index, text};
}

/* Whether later - earlier is at most `most`, without overflow. most >= 0. */
static inline bool
apart_at_most(int64_t later, int64_t earlier, int64_t most)
{
    int64_t apart;

    if (__builtin_sub_overflow(later, earlier, &apart)) {
        return later < earlier;
    }
    return apart <= most;
}

static void
check_timestamp(Pass *pass, BatchVerdict *ret, int32_t index, int64_t timestamp)
{
    const BatchRules *rules = pass->rules;
    const char *text;

    if (!rules->append_time && timestamp != BATCH_NO_TIMESTAMP) {
        if (apart_at_most(rules->now_ms, timestamp, rules->timestamp_before_max_ms) &&
            apart_at_most(timestamp, rules->now_ms, rules->timestamp_after_max_ms)) {
            return;
        }
        text =
            ret->error_count == RECORD_ERRORS_MAX
                ? NULL
                : arena_printf(pass->arena,
                               "timestamp %lld is out of range: at most %lld ms before and "
                               "%lld ms after the broker's time %lld",
                               (long long)timestamp, (long long)rules->timestamp_before_max_ms,
                               (long long)rules->timestamp_after_max_ms, (long long)rules->now_ms);
    } else if (pass->append_time_bit) {
        text = "the producer set the timestamp type LogAppendTime, which only the broker may do";
    } else {
        return;
    }
    pass->bad_timestamp = true;
    add_error(pass, ret, index, text);
}

static void
check_records(Pass *pass, RecordIter *iter, BatchVerdict *ret)
{
    const BatchRules *rules = pass->rules;
    RecordStatus status;
    RecordSkim skim;
    int32_t index;

    for (index = 0; (status = record_iter_skim(iter, &skim)) == RECORD_OK; index++) {
        int64_t timestamp =
            (int64_t)((uint64_t)pass->base_timestamp + (uint64_t)skim.timestamp_delta);

        if (skim.offset_delta != index) {
            /* Compressed, Kafka fails; plain, it stores offsets that contradict the header. */
            refuse(ret,
                   batch_codec(ret->batch.header) != BATCH_CODEC_NONE ? KERR_UNKNOWN_SERVER_ERROR
                                                                      : KERR_INVALID_RECORD,
                   true, "offset deltas do not count up");
            ret->fault = BATCH_FAULT_OFFSET;
            return;
        }
        if (index == 0) {
            pass->first_timestamp = timestamp;
            pass->stay =
                skim.timestamp_delta == 0; /* the first is what the new header counts from */
        }
        pass->stay &= skim.attributes == 0;
        if (timestamp > pass->max_timestamp) {
            pass->max_timestamp = timestamp;
            pass->max_timestamp_delta = index;
        }
        if (rules->compacted && !skim.has_key) {
            ret->no_key_count++;
            add_error(pass, ret, index, "a compacted topic needs a key in every record");
        } else {
            check_timestamp(pass, ret, index, timestamp);
        }
    }
    switch (status) {
    case RECORD_OK:
    case RECORD_STATUS_COUNT:
        ot_unreachable();
    case RECORD_END:
        break;
    case RECORD_INVALID:
        refuse(ret, KERR_INVALID_RECORD, true, record_iter_reason(iter));
        break;
    case RECORD_GARBLED:
    case RECORD_TOO_LARGE:
        refuse(ret, KERR_UNKNOWN_SERVER_ERROR, true, record_iter_reason(iter));
        break;
    }
}

/* The whole pass. Structural faults win over record errors, which then are not listed. */
static void
walk_records(Pass *pass, BytesView bytes, BatchVerdict *ret)
{
    RecordIter *iter = record_iter_open(bytes, pass->arena);

    if (iter == NULL) {
        refuse(ret, KERR_UNKNOWN_SERVER_ERROR, true, "no memory");
        return;
    }
    if (pass->tee != NULL) {
        batch_tee_begin(pass->tee, pass->rules, iter, pass->arena);
    }
    check_records(pass, iter, ret);
    record_iter_close(iter);
    if (ret->code != 0) {
        ret->errors = NULL;
        ret->error_count = 0;
    } else if (pass->bad_timestamp) {
        refuse(ret, KERR_INVALID_TIMESTAMP, true, "timestamps out of range");
        ret->text = "Records of the batch have timestamps that the topic does not accept.";
    } else if (pass->any_error) {
        refuse(ret, KERR_INVALID_RECORD, true, "records without key");
        ret->text = "Records of the batch are not valid for the topic.";
    }
}

/* ---- What becomes of it ---- */

/* Bits as the topic wants them; the others stay as the client sent them. */
static int16_t
wanted_attributes(const BatchRules *rules, int16_t attributes)
{
    return rules->append_time ? (int16_t)(attributes | BATCH_ATTR_APPEND_TIME)
                              : (int16_t)(attributes & ~BATCH_ATTR_APPEND_TIME);
}

static void
patch(const Pass *pass, BatchVerdict *ret)
{
    const BatchRules *rules = pass->rules;
    Batch *batch = &ret->batch;
    int16_t attributes = wanted_attributes(rules, batch_attributes(batch->header));

    ret->outcome = BATCH_PASSED;
    if (attributes == batch_attributes(batch->header) &&
        batch->max_timestamp == batch_max_timestamp(batch->header) && !rules->append_time) {
        return;
    }
    ret->outcome = BATCH_PATCHED;
    batch->crc_shift = batch_crc_shift(BATCH_FIXED_TAIL_BYTES + (size_t)batch->payload.len);
    batch_change(batch, attributes, batch->max_timestamp);
}

static void
reencode(const Pass *pass, BytesView bytes, BatchVerdict *ret)
{
    ReencodeStatus status;

    if (pass->tee != NULL && pass->stay) {
        status = batch_tee_finish(pass->tee, pass->rules, pass->first_timestamp, &ret->batch);
    } else {
        if (pass->tee != NULL) {
            batch_tee_fini(pass->tee);
        }
        status =
            batch_reencode(pass->rules, bytes, pass->first_timestamp, pass->arena, &ret->batch);
    }
    ret->outcome = BATCH_REENCODED;
    switch (status) {
    case REENCODE_OK:
        break;
    case REENCODE_TOO_LARGE:
        refuse(ret, KERR_MESSAGE_TOO_LARGE, false, "larger than max.message.bytes when re-encoded");
        break;
    case REENCODE_NO_MEMORY:
        refuse(ret, KERR_UNKNOWN_SERVER_ERROR, true, "no memory");
        break;
    case REENCODE_FAILED:
        refuse(ret, KERR_UNKNOWN_SERVER_ERROR, true, "re-encoding failed");
        break;
    case REENCODE_STATUS_COUNT:
        ot_unreachable();
    }
}

/* All records have passed: the batch as it will be stored. */
static void
conclude(const Pass *pass, BytesView bytes, bool new_codec, BatchVerdict *ret)
{
    const BatchRules *rules = pass->rules;

    ret->batch.append_time = rules->append_time;
    ret->batch.max_timestamp = rules->append_time ? rules->now_ms : pass->max_timestamp;
    ret->batch.max_timestamp_delta =
        rules->append_time ? batch_last_offset_delta(bytes.ptr) : pass->max_timestamp_delta;
    if (new_codec) {
        reencode(pass, bytes, ret);
    } else {
        patch(pass, ret);
    }
    if (ret->code == 0 && batch_total_bytes(&ret->batch) > rules->segment_bytes) {
        refuse(ret, KERR_RECORD_LIST_TOO_LARGE, false, "larger than segment.bytes");
    }
}

void
batch_validate(const BatchRules *rules, BytesView records, Arena *arena, BatchVerdict *ret)
{
    BytesView bytes = {records.ptr, (int32_t)batch_size(records.ptr)};
    Pass pass = {.rules = rules, .arena = arena, .max_timestamp = BATCH_NO_TIMESTAMP};
    BatchTee tee = {0};
    bool new_codec;

    ot_assert(bytes.len <= records.len && batch_magic(records.ptr) == BATCH_MAGIC);
    *ret = (BatchVerdict){0};
    check_header(rules, bytes, ret);
    if (ret->code != 0) {
        return;
    }
    batch_from_bytes(bytes, &ret->batch);
    pass.base_timestamp = batch_base_timestamp(bytes.ptr);
    pass.append_time_bit = batch_has_append_time(bytes.ptr);
    new_codec = rules->target_codec != BATCH_TARGET_PRODUCER &&
                rules->target_codec != batch_codec(bytes.ptr) && !batch_is_control(bytes.ptr);
    if (new_codec && batch_codec(bytes.ptr) != BATCH_CODEC_NONE) {
        pass.tee = &tee;
    }
    walk_records(&pass, bytes, ret);
    if (ret->code == 0) {
        conclude(&pass, bytes, new_codec, ret);
    }
    batch_tee_fini(&tee);
}
