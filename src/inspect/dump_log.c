/*
 * dump_log.c - prints the batches and records of a .log or metadata snapshot
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <limits.h>
#include <time.h>

#include "inspect/dump_int.h"
#include "ottla/common/text.h"

#define FOLLOW_PAUSE_NS  200000000 /* how often a followed file is looked at */
#define DUMP_ARENA_BYTES (64 * 1024)

typedef struct LogDump {
    const Dump *d;
    LogWalk walk;
    LogContent content;
    bool json_payload;
    DumpStats *stats; /* NULL: rows */
    StrBuf key, value;
    bool enough; /* the limit is reached, or what follows lies behind the range */
} LogDump;

const char *
dump_codec_name(int codec)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

    return codec <= BATCH_CODEC_LAST ? names[codec] : "unknown";
}

static const char *
timestamp_name(const uint8_t *header)
{
    return batch_has_append_time(header) ? "LogAppendTime" : "CreateTime";
}

static bool
batch_is_wanted(LogDump *l, const uint8_t *header)
{
    const DumpOptions *o = l->d->options;

    if (batch_base_offset(header) > o->to_offset)
        l->enough = true;
    return batch_last_offset(header) >= o->from_offset &&
           batch_base_offset(header) <= o->to_offset &&
           batch_max_timestamp(header) >= o->from_time &&
           (o->to_time == INT64_MAX || batch_base_timestamp(header) <= o->to_time);
}

static bool
record_is_wanted(const LogDump *l, const Record *record)
{
    const DumpOptions *o = l->d->options;

    return record->offset >= o->from_offset && record->offset <= o->to_offset &&
           record->timestamp >= o->from_time && record->timestamp <= o->to_time;
}

static void
print_batch(LogDump *l, const WalkedBatch *batch)
{
    const uint8_t *h = batch->header;
    RowOut *out = l->d->out;

    row_out_begin(out, "");
    row_out_int(out, "baseOffset", batch_base_offset(h));
    row_out_int(out, "lastOffset", batch_last_offset(h));
    row_out_int(out, "count", batch_record_count(h));
    row_out_int(out, "baseSequence", batch_base_sequence(h));
    row_out_int(out, "lastSequence", batch_last_sequence(h));
    row_out_int(out, "producerId", batch_producer_id(h));
    row_out_int(out, "producerEpoch", batch_producer_epoch(h));
    row_out_int(out, "partitionLeaderEpoch", batch_leader_epoch(h));
    row_out_bool(out, "isTransactional", batch_is_transactional(h));
    row_out_bool(out, "isControl", batch_is_control(h));
    row_out_optional(out, "deleteHorizonMs", batch_has_delete_horizon(h), batch_base_timestamp(h));
    row_out_int(out, "position", batch->pos);
    row_out_int(out, timestamp_name(h), batch_max_timestamp(h));
    row_out_int(out, "size", batch->size);
    row_out_int(out, "magic", batch_magic(h));
    row_out_text(out, "compresscodec", strview_from(dump_codec_name(batch_codec(h))));
    row_out_int(out, "crc", batch_crc(h));
    row_out_bool(out, "isvalid", batch->crc_ok);
    l->enough |= !dump_row_done(l->d);
}

/* ---- records ------------------------------------------------------------------------------------ */

static void
add_headers(LogDump *l, BytesView headers)
{
    RecordHeader header;
    StrBuf *text = &l->value;
    bool first = true;

    if (!l->d->out->json) {
        StrBuf names;

        strbuf_init(&names, INT_MAX, NULL);
        strbuf_add_char(&names, '[');
        for (; record_header_next(&headers, &header); first = false) {
            if (!first)
                strbuf_add_char(&names, ',');
            strbuf_add_view(&names, header.key);
        }
        strbuf_add_char(&names, ']');
        row_out_text(l->d->out, "headerKeys", strbuf_view(&names));
        strbuf_release(&names);
        return;
    }
    strbuf_clear(text);
    strbuf_add_char(text, '[');
    for (; record_header_next(&headers, &header); first = false) {
        strbuf_add_cstr(text, first ? "{\"key\":" : ",{\"key\":");
        json_add_string(text, header.key);
        strbuf_add_cstr(text, ",\"value\":");
        if (header.value.ptr == NULL)
            strbuf_add_cstr(text, "null");
        else
            json_add_string(text, (StrView){(const char *)header.value.ptr, header.value.len});
        strbuf_add_char(text, '}');
    }
    strbuf_add_char(text, ']');
    row_out_json(l->d->out, "headers", (StrView){text->ptr, (int32_t)text->len});
}

static void
add_control(LogDump *l, const Record *record)
{
    RowOut *out = l->d->out;
    int32_t coordinator_epoch;
    const char *name;
    int16_t type;

    if (!control_record_type(record->key, &type)) {
        row_out_text(out, "controlType", STRVIEW("malformed"));
        l->d->result->damaged++;
        return;
    }
    if (type == CONTROL_ABORT || type == CONTROL_COMMIT) {
        row_out_text(out, "endTxnMarker",
                     type == CONTROL_ABORT ? STRVIEW("ABORT") : STRVIEW("COMMIT"));
        if (control_end_txn_epoch(record->value, &coordinator_epoch))
            row_out_int(out, "coordinatorEpoch", coordinator_epoch);
        return;
    }
    strbuf_clear(&l->value);
    name = control_decode(record, &l->value);
    if (name == NULL)
        row_out_int(out, "controlType", type);
    else
        row_out_json(out, name, (StrView){l->value.ptr, (int32_t)l->value.len});
}

static bool
looks_like_json(BytesView bytes)
{
    StrView text = text_trim((StrView){(const char *)bytes.ptr, bytes.len});

    return text.len >= 2 && ((text.ptr[0] == '{' && text.ptr[text.len - 1] == '}') ||
                             (text.ptr[0] == '[' && text.ptr[text.len - 1] == ']'));
}

static void
add_payload(LogDump *l, const char *name, BytesView bytes)
{
    if (l->json_payload && l->d->out->json && bytes.ptr != NULL && looks_like_json(bytes))
        row_out_json(l->d->out, name, (StrView){(const char *)bytes.ptr, bytes.len});
    else
        row_out_bytes(l->d->out, name, bytes);
}

static void
add_contents(LogDump *l, const Record *record)
{
    const char *why;

    if (l->content == LOG_CONTENT_PLAIN) {
        add_payload(l, "key", record->key);
        add_payload(l, "payload", record->value);
        return;
    }
    strbuf_clear(&l->key);
    strbuf_clear(&l->value);
    if (!record_decode(l->content, record, &l->key, &l->value, &why)) {
        row_out_text(l->d->out, "undecodable", strview_from(why));
        row_out_bytes(l->d->out, "key", record->key);
        row_out_bytes(l->d->out, "payload", record->value);
        l->d->result->damaged++;
        return;
    }
    if (record->key.ptr != NULL)
        row_out_json(l->d->out, "key", (StrView){l->key.ptr, (int32_t)l->key.len});
    row_out_json(l->d->out, "payload", (StrView){l->value.ptr, (int32_t)l->value.len});
}

static void
print_record(LogDump *l, const uint8_t *header, const Record *record)
{
    RowOut *out = l->d->out;
    int32_t sequence = batch_base_sequence(header);

    row_out_begin(out, "| ");
    row_out_int(out, "offset", record->offset);
    row_out_int(out, timestamp_name(header), record->timestamp);
    row_out_int(out, "keySize", record->key.ptr == NULL ? -1 : record->key.len);
    row_out_int(out, "valueSize", record->value.ptr == NULL ? -1 : record->value.len);
    row_out_int(out, "sequence",
                sequence < 0 ? sequence : batch_sequence_add(sequence, record->offset_delta));
    add_headers(l, record->headers);
    if (batch_is_control(header))
        add_control(l, record);
    else
        add_contents(l, record);
    l->enough |= !dump_row_done(l->d);
}

static int
each_record(LogDump *l, const WalkedBatch *batch, ErrInfo *err)
{
    Arena *arena = arena_new(DUMP_ARENA_BYTES, 0);
    RecordIter *iter = NULL;
    RecordStatus status = RECORD_OK;
    BytesView bytes;
    Record record;
    int rc = arena == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory for records")
                           : log_walk_load(&l->walk, batch, &bytes, err);

    if (rc == 0) {
        iter = record_iter_open(bytes, arena);
        if (iter == NULL)
            status = RECORD_GARBLED;
    }
    while (rc == 0 && iter != NULL && !l->enough) {
        status = record_iter_next(iter, &record);
        if (status != RECORD_OK)
            break;
        if (!record_is_wanted(l, &record))
            continue;
        if (l->stats != NULL)
            dump_stats_add_record(l->stats, &record);
        else
            print_record(l, batch->header, &record);
    }
    if (rc == 0 && status != RECORD_OK && status != RECORD_END) {
        row_out_remark(l->d->out, "| records cannot be read: %s",
                       iter == NULL ? "unknown codec" : record_iter_reason(iter));
        l->d->result->damaged++;
    }
    record_iter_close(iter);
    arena_free(arena);
    return rc;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static int
one_batch(LogDump *l, const WalkedBatch *batch, ErrInfo *err)
{
    if (!batch->crc_ok)
        l->d->result->damaged++;
    if (!batch_is_wanted(l, batch->header))
        return 0;
    if (l->stats != NULL)
        dump_stats_add_batch(l->stats, batch);
    else
        print_batch(l, batch);
    if (l->enough || !batch->crc_ok || !(l->d->options->records || l->stats != NULL))
        return 0;
    return each_record(l, batch, err);
}

static void
end_of_batches(LogDump *l, BatchScan what)
{
    int64_t rest = l->walk.size - l->walk.scan.pos;

    if (rest == 0 || l->enough)
        return;
    if (what == BATCH_SCAN_OLD_FORMAT)
        row_out_remark(l->d->out, "Batches of an old format from position %" PRId64 " on in %s",
                       l->walk.scan.pos, l->d->path);
    else
        row_out_remark(l->d->out, "Found %" PRId64 " invalid bytes at the end of %s", rest,
                       l->d->path);
    l->d->result->damaged++;
}

static void
pause_a_moment(void)
{
    struct timespec pause = {0, FOLLOW_PAUSE_NS};

    nanosleep(&pause, NULL); /* a signal ends it early: the caller looks at its flag */
}

static int
walk_batches(LogDump *l, ErrInfo *err)
{
    const DumpOptions *o = l->d->options;
    BatchScan what;
    int rc = 0;

    while (!l->enough) {
        WalkedBatch batch;

        rc = log_walk_next(&l->walk, &what, &batch, err);
        if (rc != 0)
            return rc;
        if (what == BATCH_SCAN_OK) {
            rc = one_batch(l, &batch, err);
            if (rc != 0)
                return rc;
        } else if (!o->follow || what == BATCH_SCAN_OLD_FORMAT || *o->stopped != 0) {
            end_of_batches(l, what);
            return 0;
        } else {
            fflush(l->d->out->to);
            pause_a_moment();
            rc = log_walk_refresh(&l->walk, err);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

static LogContent
choose_content(const Dump *d)
{
    StrView topic;
    int32_t partition;

    if (d->options->decode == DUMP_DECODE_CONTENT)
        return d->options->content;
    if (d->options->decode != DUMP_DECODE_AUTO)
        return LOG_CONTENT_PLAIN;
    if (d->name.kind == FILE_KIND_METADATA_SNAPSHOT)
        return LOG_CONTENT_METADATA;
    return file_partition_of(d->path, &topic, &partition) ? log_content_of_topic(topic)
                                                          : LOG_CONTENT_PLAIN;
}

int
dump_log_file(const Dump *d, ErrInfo *err)
{
    LogDump l = {.d = d,
                 .content = choose_content(d),
                 .json_payload = d->options->decode == DUMP_DECODE_JSON};
    int rc = log_walk_open(&l.walk, d->path, err);

    if (rc != 0)
        return rc;
    strbuf_init(&l.key, INT_MAX, NULL);
    strbuf_init(&l.value, INT_MAX, NULL);
    if (d->name.kind == FILE_KIND_METADATA_SNAPSHOT && d->name.base >= 0)
        row_out_remark(d->out, "Snapshot end offset: %" PRId64 ", epoch: %" PRId32, d->name.base,
                       d->name.epoch);
    else if (d->name.kind == FILE_KIND_LOG)
        row_out_remark(d->out, "Log starting offset: %" PRId64, d->name.base);
    if (d->options->statistics) {
        l.stats = dump_stats_new();
        if (l.stats == NULL)
            rc = err_set(err, OT_E_NO_MEMORY, "no memory for statistics");
    }
    if (rc == 0)
        rc = walk_batches(&l, err);
    if (rc == 0 && l.stats != NULL)
        dump_stats_print(l.stats, d);
    dump_stats_free(l.stats);
    strbuf_release(&l.key);
    strbuf_release(&l.value);
    log_walk_close(&l.walk);
    return rc;
}
