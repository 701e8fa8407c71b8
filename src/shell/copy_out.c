/*
 * copy_out.c - \copy TOPIC TO: messages or batches into files and commands
 *
 * Batches (FORMAT segment) of several partitions go into a file each, NAME.PARTITION; those of one into NAME.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "child_int.h"
#include "ottla/protocol/batch.h"
#include "ottla/sql/headers.h"

FILE *
copy_open(Shell *shell, const CopyOrder *order, const char *suffix, int64_t *ret_pid, Fault *f)
{
    FILE *file = NULL;
    char name[COPY_WORD_MAX + 32];

    *ret_pid = 0;
    switch (order->place) {
    case COPY_STANDARD:
        return shell->out.file;
    case COPY_PROCESS:
        return order->from ? stdin : stdout;
    case COPY_PROGRAM:
        file = child_open(order->target, order->from, ret_pid);
        break;
    case COPY_FILE:
        (void)snprintf(name, sizeof name, "%s%s", order->target, suffix);
        file = fopen(name, order->from ? "re" : "we");
        if (file == NULL)
            (void)fault_set(f, errno == ENOENT ? FAULT_NO_FILE : FAULT_FILE, "%s: %s", name,
                            strerror(errno));
        return file;
    }
    if (file == NULL)
        (void)fault_set(f, FAULT_FILE, "%s: %s", order->target, strerror(errno));
    return file;
}

int
copy_close(const CopyOrder *order, FILE *file, int64_t pid, Fault *f)
{
    int status;

    if (order->place == COPY_STANDARD || order->place == COPY_PROCESS) {
        if (order->from || fflush(file) == 0 || errno == EPIPE)
            return 0;
        return fault_set(f, FAULT_FILE, "could not write: %s", strerror(errno));
    }
    if (order->place == COPY_FILE) {
        bool bad = ferror(file) != 0;

        if (fclose(file) == 0 && !bad)
            return 0;
        return fault_set(f, FAULT_FILE, "%s: %s", order->target, strerror(errno));
    }
    status = child_close(file, pid);
    if (status == 0)
        return 0;
    return fault_set(f, "38000", "the command ended with exit code %d", status);
}

/* ---- lines ---- */

static const char csv_names[] = "partition,offset,timestamp_ms,key,value,headers\n";

static void
add_csv(StrBuf *to, const ClientRecord *r)
{
    StrBuf headers;

    strbuf_printf(to, "%d,%" PRId64 ",", r->partition, r->record.offset);
    if (r->record.timestamp >= 0)
        strbuf_printf(to, "%" PRId64, r->record.timestamp);
    strbuf_add_char(to, ',');
    copy_add_csv(to, r->record.key);
    strbuf_add_char(to, ',');
    copy_add_csv(to, r->record.value);
    strbuf_add_char(to, ',');
    if (r->record.header_count > 0) {
        strbuf_init(&headers, STREAM_MESSAGE_BYTES_MAX, NULL);
        headers_to_json(r->record.headers, &headers);
        copy_add_csv(to, (BytesView){(const uint8_t *)headers.ptr, (int32_t)headers.len});
        strbuf_release(&headers);
    }
    strbuf_add_char(to, '\n');
}

static void
add_json(StrBuf *to, const ClientRecord *r)
{
    strbuf_printf(to, "{\"partition\":%d,\"offset\":%" PRId64, r->partition, r->record.offset);
    if (r->record.timestamp >= 0)
        strbuf_printf(to, ",\"timestamp_ms\":%" PRId64, r->record.timestamp);
    strbuf_add_cstr(to, ",\"key\":");
    copy_add_json(to, r->record.key);
    strbuf_add_cstr(to, ",\"value\":");
    copy_add_json(to, r->record.value);
    if (r->record.header_count > 0) {
        strbuf_add_cstr(to, ",\"headers\":");
        headers_to_json(r->record.headers, to);
    }
    strbuf_add_cstr(to, "}\n");
}

static void
add_raw(StrBuf *to, const ClientRecord *r)
{
    if (r->record.value.len > 0)
        strbuf_add(to, r->record.value.ptr, (size_t)r->record.value.len);
    strbuf_add_char(to, '\n');
}

/* 1: nobody reads any more. */
static int
put(FILE *file, const void *bytes, size_t len, Fault *f)
{
    if (fwrite(bytes, 1, len, file) == len)
        return 0;
    return errno == EPIPE ? 1 : fault_set(f, FAULT_FILE, "could not write: %s", strerror(errno));
}

static int
write_lines(const CopyOrder *order, ClientScan *scan, FILE *file, CopyResult *result, Fault *f)
{
    ClientRecord record;
    StrBuf text;
    int got;
    int status = 0;

    strbuf_init(&text, STREAM_MESSAGE_BYTES_MAX * 2, NULL);
    if (order->format == COPY_CSV && order->header)
        status = put(file, csv_names, sizeof csv_names - 1, f);
    while (status == 0 && (got = client_scan_next(scan, &record, f)) != 0) {
        if (got < 0) {
            status = -1;
            break;
        }
        strbuf_clear(&text);
        if (order->format == COPY_CSV)
            add_csv(&text, &record);
        else if (order->format == COPY_JSONL)
            add_json(&text, &record);
        else
            add_raw(&text, &record);
        status = strbuf_failed(&text)
                     ? fault_set(f, FAULT_NO_MEMORY, "a message does not fit into memory")
                     : put(file, text.ptr, text.len, f);
        result->messages += status == 0;
        result->bytes += (int64_t)text.len;
    }
    strbuf_release(&text);
    return status < 0 ? -1 : 0;
}

/* ---- batches ---- */

static int
write_batches(ClientScan *scan, FILE *file, CopyResult *result, Fault *f)
{
    ClientRecord record;
    int got;

    while ((got = client_scan_next_batch(scan, &record, f)) == 1) {
        int status = put(file, record.batch, (size_t)record.batch_size, f);

        if (status != 0)
            return status < 0 ? -1 : 0;
        result->messages += batch_record_count(record.batch);
        result->bytes += record.batch_size;
    }
    return got;
}

static ClientScanOptions
scan_options(const CopyOrder *order)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;

    o.topic = strview_from(order->topic);
    o.partitions = order->partitions;
    o.partition_count = order->partition_count;
    stream_range_apply(&order->range, &o);
    if (order->range.from == STREAM_FROM_FIRST)
        o.offset_skip = order->range.number;
    return o;
}

/* One file, from one scan. */
static int
one_file(Shell *shell, const CopyOrder *order, const ClientScanOptions *o, const char *suffix,
         CopyResult *result, Fault *f)
{
    ClientScan *scan;
    int64_t pid;
    FILE *file;
    int status;
    Fault closing;

    if (client_scan_open(shell->client, o, &scan, f) != 0)
        return -1;
    file = copy_open(shell, order, suffix, &pid, f);
    if (file == NULL) {
        client_scan_close(scan);
        return -1;
    }
    status = order->format == COPY_SEGMENT ? write_batches(scan, file, result, f)
                                           : write_lines(order, scan, file, result, f);
    client_scan_close(scan);
    if (copy_close(order, file, pid, &closing) != 0 && status == 0) {
        *f = closing;
        return -1;
    }
    return status;
}

/* A file for each partition; those of a single one have the plain name. */
static int
segment_files(Shell *shell, const CopyOrder *order, CopyResult *result, Fault *f)
{
    ClientScanOptions o = scan_options(order);
    int32_t count;
    bool single;

    if (client_partition_count(shell->client, o.topic, &count, f) != 0)
        return -1;
    single = count == 1 || order->partition_count == 1;
    if (!single && order->place != COPY_FILE) {
        (void)fault_set(f, FAULT_NOT_SUPPORTED, "batches of several partitions need files");
        fault_hint(f, "Choose one by PARTITIONS, or name a file.");
        return -1;
    }
    if (single)
        return one_file(shell, order, &o, "", result, f);
    for (int32_t i = 0; i < (order->partitions == NULL ? count : order->partition_count); i++) {
        int32_t partition = order->partitions == NULL ? i : order->partitions[i];
        char suffix[16];

        (void)snprintf(suffix, sizeof suffix, ".%d", partition);
        o.partitions = &partition;
        o.partition_count = 1;
        if (one_file(shell, order, &o, suffix, result, f) != 0)
            return -1;
    }
    return 0;
}

int
copy_out(Shell *shell, const CopyOrder *order, CopyResult *result, Fault *f)
{
    ClientScanOptions o = scan_options(order);

    if (order->format == COPY_SEGMENT)
        return segment_files(shell, order, result, f);
    return one_file(shell, order, &o, "", result, f);
}
