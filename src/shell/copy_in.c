/*
 * copy_in.c - \copy TOPIC FROM: messages or batches out of files and commands
 *
 * What was written when a later line is refused stays: a topic is a log. ON ERROR skip leaves such lines out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy_int.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "data_int.h"
#include "interrupt_int.h"
#include "ottla/client/produce.h"
#include "ottla/common/base64.h"
#include "ottla/common/text.h"
#include "ottla/sql/headers.h"

#define LINE_ARENA_BYTES ((size_t)512 << 20)
#define BATCH_MAX_BYTES  (128 << 20)

typedef struct CopyIn {
    Shell *shell;
    const CopyOrder *order;
    ClientProducer *producer;
    StrView topic;
    sqlite3 *json; /* reads JSON */
    sqlite3_stmt *object;
    Arena *arena; /* of a line */
    CopyResult *result;
    FILE *file;
} CopyIn;

/* ---- messages ---- */

/* What a line says of a message. */
typedef struct LineMessage {
    int64_t partition; /* CLIENT_PARTITION_ANY */
    BatchRecord record;
    StrView headers; /* JSON; ptr NULL: none */
} LineMessage;

static int
add_message(CopyIn *in, LineMessage *m, Fault *f)
{
    RecordHeader *headers = NULL;

    if (m->headers.ptr != NULL && m->headers.len > 0 &&
        headers_from_json(in->json, m->headers, in->arena, &headers, &m->record.header_count, f) !=
            0)
        return -1;
    if (m->partition < CLIENT_PARTITION_ANY || m->partition > INT32_MAX)
        return fault_set(f, FAULT_BAD_PARAMETER, "no partition has the number %lld",
                         (long long)m->partition);
    m->record.headers = headers;
    if (client_producer_add(in->producer, in->topic, (int32_t)m->partition, &m->record, f) != 0)
        return -1;
    in->result->messages++;
    in->result->bytes += m->record.key.len + m->record.value.len;
    return 0;
}

/* After a line that was refused. 0: go on. */
static int
refused(CopyIn *in, int64_t line, Fault *f)
{
    static const char *const fatal[] = {FAULT_CANCELED, FAULT_CONNECTION_LOST, FAULT_CANNOT_CONNECT,
                                        FAULT_TIMEOUT, FAULT_FILE};
    bool ends = !in->order->skip_errors;

    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        ends = ends || strcmp(f->sqlstate, fatal[i]) == 0;
    if (ends) {
        if (f->detail[0] == '\0')
            fault_detail(f, "%s:%lld", in->order->target == NULL ? "stdin" : in->order->target,
                         (long long)line);
        return -1;
    }
    in->result->skipped++;
    if (in->result->skipped <= 10)
        shell_notice(in->shell, "WARNING", "line %lld skipped: %s", (long long)line, f->message);
    return 0;
}

static int
flush_when_full(CopyIn *in, Fault *f)
{
    arena_reset(in->arena);
    return client_producer_full(in->producer) ? client_producer_flush(in->producer, f) : 0;
}

/* ---- csv ---- */

typedef struct Columns {
    int32_t partition, timestamp, key, value, headers; /* -1: there is none */
} Columns;

static int32_t
find_column(const CopyLine *names, const char *name)
{
    for (int32_t i = 0; i < names->count && name[0] != '\0'; i++) {
        if (strcmp(names->fields[i].text.ptr, name) == 0)
            return i;
    }
    return -1;
}

/* The columns by the first line, else as \copy TO writes them. */
static int
read_names(CopyIn *in, CopyLine *line, Columns *ret, Fault *f)
{
    const CopyOrder *order = in->order;
    int got;

    *ret = (Columns){0, 2, 3, 4, 5};
    if (!order->header)
        return 1;
    got = copy_read_csv(in->file, line, f);
    if (got <= 0)
        return got;
    *ret = (Columns){find_column(line, order->partition_column), find_column(line, "timestamp_ms"),
                     find_column(line, order->key_column), find_column(line, order->value_column),
                     find_column(line, "headers")};
    if (ret->value >= 0)
        return 1;
    (void)fault_set(f, "22P04", "the first line names no column \"%s\"", order->value_column);
    fault_hint(
        f,
        "WITH (VALUE column) says which one has the values, HEADER off that there are no names.");
    return -1;
}

/* A number; nothing is `missing`. */
static int
number_of(CopyLine *line, int32_t column, int64_t missing, int64_t *ret, Fault *f)
{
    *ret = missing;
    if (column < 0 || column >= line->count || line->fields[column].text.len == 0)
        return 0;
    if (text_to_int64(strbuf_view(&line->fields[column].text), ret) && *ret >= 0)
        return 0;
    return fault_set(f, "22P04", "\"%.100s\" is no number", line->fields[column].text.ptr);
}

static int
bytes_of(CopyLine *line, int32_t column, BytesView *ret, Fault *f)
{
    *ret = (BytesView){NULL, 0};
    if (column < 0 || column >= line->count)
        return 0;
    if (copy_field_bytes(&line->fields[column], ret))
        return 0;
    return fault_set(f, "22P04", "digits behind \\x that are not hexadecimal");
}

static int
take_csv(CopyIn *in, CopyLine *line, const Columns *at, Fault *f)
{
    LineMessage m = {.partition = CLIENT_PARTITION_ANY};

    if (line->count <= at->value)
        return fault_set(f, "22P04", "%d fields only", line->count);
    if (number_of(line, at->partition, CLIENT_PARTITION_ANY, &m.partition, f) != 0 ||
        number_of(line, at->timestamp, BATCH_NO_TIMESTAMP, &m.record.timestamp, f) != 0 ||
        bytes_of(line, at->key, &m.record.key, f) != 0 ||
        bytes_of(line, at->value, &m.record.value, f) != 0)
        return -1;
    if (at->headers >= 0 && at->headers < line->count)
        m.headers = strbuf_view(&line->fields[at->headers].text);
    return add_message(in, &m, f);
}

static int
read_csv(CopyIn *in, Fault *f)
{
    CopyLine *line = malloc(sizeof *line);
    Columns at;
    int got;

    if (line == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory");
    copy_line_init(line);
    got = read_names(in, line, &at, f);
    while (got == 1 && (got = copy_read_csv(in->file, line, f)) == 1) {
        if (take_csv(in, line, &at, f) != 0 && refused(in, line->line, f) != 0)
            got = -1;
        else if (flush_when_full(in, f) != 0)
            got = -1;
    }
    copy_line_release(line);
    free(line);
    return got < 0 ? -1 : 0;
}

/* ---- lines: JSON, raw ---- */

/* A key or value: text, number, {"base64":...}, null. Column `at` is its type, then itself, then its base64. */
static int
json_bytes(CopyIn *in, int at, BytesView *ret, Fault *f)
{
    const char *type = (const char *)sqlite3_column_text(in->object, at);
    const char *base64 = (const char *)sqlite3_column_text(in->object, at + 2);
    StrView text = {(const char *)sqlite3_column_text(in->object, at + 1), 0};
    StrBuf bytes;

    *ret = (BytesView){NULL, 0};
    if (type == NULL || strcmp(type, "null") == 0)
        return 0;
    text.len = text.ptr == NULL ? 0 : sqlite3_column_bytes(in->object, at + 1);
    if (base64 == NULL) {
        ret->ptr = (const uint8_t *)arena_strdup(in->arena, text.ptr == NULL ? STRVIEW("") : text);
        ret->len = text.len;
        return ret->ptr != NULL ? 0 : fault_set(f, FAULT_NO_MEMORY, "no memory for a line");
    }
    strbuf_init(&bytes, COPY_FIELD_BYTES, in->arena);
    if (!base64_decode(&bytes, strview_from(base64)) || strbuf_failed(&bytes))
        return fault_set(f, "22P04", "base64 that cannot be read");
    *ret = (BytesView){(const uint8_t *)bytes.ptr, (int32_t)bytes.len};
    return 0;
}

static int
take_json(CopyIn *in, StrView line, Fault *f)
{
    LineMessage m = {.partition = CLIENT_PARTITION_ANY, .record.timestamp = BATCH_NO_TIMESTAMP};
    int status;

    (void)sqlite3_reset(in->object); /* tells of the last line once more */
    if (sqlite3_bind_text(in->object, 1, line.ptr, line.len, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(in->object) != SQLITE_ROW || sqlite3_column_int(in->object, 0) == 0)
        return fault_set(f, "22P04", "no JSON object");
    if (sqlite3_column_type(in->object, 1) == SQLITE_INTEGER)
        m.partition = sqlite3_column_int64(in->object, 1);
    if (sqlite3_column_type(in->object, 2) == SQLITE_INTEGER)
        m.record.timestamp = sqlite3_column_int64(in->object, 2);
    m.headers.ptr = (const char *)sqlite3_column_text(in->object, 3);
    m.headers.len = m.headers.ptr == NULL ? 0 : sqlite3_column_bytes(in->object, 3);
    status = json_bytes(in, 4, &m.record.key, f);
    if (status == 0)
        status = json_bytes(in, 7, &m.record.value, f);
    return status != 0 ? -1 : add_message(in, &m, f);
}

static int
take_raw(CopyIn *in, StrView line, Fault *f)
{
    LineMessage m = {.partition = CLIENT_PARTITION_ANY, .record.timestamp = BATCH_NO_TIMESTAMP};

    m.record.value = (BytesView){(const uint8_t *)line.ptr, line.len};
    if (in->order->partition_count == 1)
        m.partition = in->order->partitions[0];
    return add_message(in, &m, f);
}

static int
read_lines(CopyIn *in, Fault *f)
{
    char *text = NULL;
    size_t room = 0;
    int status = 0;

    for (int64_t number = 1; status == 0; number++) {
        ssize_t len = getline(&text, &room, in->file);

        if (len < 0)
            break;
        if (text[len - 1] == '\n')
            len--;
        if ((size_t)len > COPY_FIELD_BYTES * 2)
            status = fault_set(f, FAULT_LIMIT, "line %lld is too long", (long long)number);
        else if (in->order->format == COPY_RAW)
            status = take_raw(in, (StrView){text, (int32_t)len}, f);
        else if (len > 0)
            status = take_json(in, (StrView){text, (int32_t)len}, f);
        if (status != 0)
            status = refused(in, number, f);
        if (status == 0)
            status = flush_when_full(in, f);
    }
    if (status == 0 && ferror(in->file))
        status = fault_set(f, FAULT_FILE, "could not read: %s", strerror(errno));
    free(text);
    return status;
}

/* ---- batches ---- */

/* One batch into the buffer. 1: there is one. 0: the end. */
static int
read_batch(CopyIn *in, uint8_t **buffer, size_t *room, BytesView *ret, Fault *f)
{
    uint8_t head[BATCH_PREFIX_BYTES];
    size_t got = fread(head, 1, sizeof head, in->file);
    int64_t size;

    if (got == 0 && !ferror(in->file))
        return 0;
    if (got != sizeof head || batch_magic(head) != BATCH_MAGIC)
        return fault_set(f, "22P04", "no batch where one should begin");
    size = batch_size(head);
    if (size < BATCH_HEADER_BYTES || size > BATCH_MAX_BYTES)
        return fault_set(f, "22P04", "a batch of %lld bytes", (long long)size);
    if ((size_t)size > *room) {
        uint8_t *more = realloc(*buffer, (size_t)size);

        if (more == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "no memory for a batch");
        *buffer = more;
        *room = (size_t)size;
    }
    memcpy(*buffer, head, sizeof head);
    got = (size_t)size - sizeof head;
    if (fread(*buffer + sizeof head, 1, got, in->file) != got)
        return fault_set(f, "22P04", "the last batch is cut off");
    if (!batch_crc_ok(*buffer, (size_t)size))
        return fault_set(f, FAULT_CORRUPT, "a batch whose checksum does not fit");
    *ret = (BytesView){*buffer, (int32_t)size};
    return 1;
}

static int
read_batches(CopyIn *in, int32_t partition, Fault *f)
{
    uint8_t *buffer = NULL;
    size_t room = 0;
    BytesView batch;
    int got;

    while ((got = read_batch(in, &buffer, &room, &batch, f)) == 1) {
        if (batch_is_control(batch.ptr) || batch_record_count(batch.ptr) == 0) {
            in->result->skipped++; /* markers of transactions mean nothing here */
            continue;
        }
        if (client_producer_add_batch(in->producer, in->topic, partition, batch, f) != 0 ||
            flush_when_full(in, f) != 0) {
            got = -1;
            break;
        }
        in->result->messages += batch_record_count(batch.ptr);
        in->result->bytes += batch.len;
    }
    free(buffer);
    return got;
}

/* ---- all ---- */

static int
read_format(CopyIn *in, int32_t partition, Fault *f)
{
    switch (in->order->format) {
    case COPY_CSV:
        return read_csv(in, f);
    case COPY_SEGMENT:
        return read_batches(in, partition, f);
    case COPY_JSONL:
    case COPY_RAW:
        break;
    }
    return read_lines(in, f);
}

/* STDIN: the lines behind the command; batches are all that follows. */
static int
read_data(CopyIn *in, int32_t partition, Fault *f)
{
    bool bytes = in->order->format == COPY_SEGMENT;
    DataLines data;
    int status;

    if (!bytes)
        data_begin(&data, in->shell);
    in->file = bytes ? data_bytes(in->shell) : data_stream(&data);
    if (in->file != NULL)
        status = read_format(in, partition, f);
    else
        status = bytes ? fault_set(f, FAULT_NOT_SUPPORTED, "batches cannot be typed")
                       : fault_set(f, FAULT_NO_MEMORY, "no memory");
    if (!bytes && in->file != NULL)
        (void)fclose(in->file); /* there is nothing to close behind it */
    if (!bytes)
        data_end(&data);
    if (status == 0 && shell_interrupted())
        status = fault_set(f, FAULT_CANCELED, "canceled on user's request");
    return status == 0 ? client_producer_flush(in->producer, f) : -1;
}

static int
read_file(CopyIn *in, const char *suffix, int32_t partition, Fault *f)
{
    int64_t pid;
    Fault closing;
    int status;

    if (in->order->place == COPY_STANDARD)
        return read_data(in, partition, f);
    in->file = copy_open(in->shell, in->order, suffix, &pid, f);
    if (in->file == NULL)
        return -1;
    status = read_format(in, partition, f);
    if (copy_close(in->order, in->file, pid, &closing) != 0 && status == 0) {
        *f = closing;
        status = -1;
    }
    return status == 0 ? client_producer_flush(in->producer, f) : -1;
}

/* Batches: NAME into one partition, else NAME.0, NAME.1 ... into theirs. */
static int
read_segments(CopyIn *in, Fault *f)
{
    int32_t count;
    int32_t found = 0;

    if (read_file(in, "", in->order->partition_count == 1 ? in->order->partitions[0] : 0, f) == 0)
        return 0;
    if (in->order->place != COPY_FILE || strcmp(f->sqlstate, FAULT_NO_FILE) != 0)
        return -1;
    if (client_partition_count(in->shell->client, in->topic, &count, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        char suffix[16];

        (void)snprintf(suffix, sizeof suffix, ".%d", i);
        if (read_file(in, suffix, i, f) == 0)
            found++;
        else if (strcmp(f->sqlstate, FAULT_NO_FILE) != 0)
            return -1;
    }
    return found > 0
               ? 0
               : fault_set(f, FAULT_NO_FILE, "neither %s nor %s.0 ... %s.%d is there",
                           in->order->target, in->order->target, in->order->target, count - 1);
}

static int
prepare(CopyIn *in, Fault *f)
{
    static const char question[] =
        "SELECT json_type(?1) = 'object', json_extract(?1, '$.partition'), "
        "coalesce(json_extract(?1, '$.timestamp_ms'), json_extract(?1, '$.ts')), "
        "json_extract(?1, '$.headers'), "
        "json_type(?1, '$.key'), json_extract(?1, '$.key'), json_extract(?1, '$.key.base64'), "
        "json_type(?1, '$.value'), json_extract(?1, '$.value'), json_extract(?1, '$.value.base64')";

    if (sqlite3_open(":memory:", &in->json) != SQLITE_OK ||
        sqlite3_prepare_v2(in->json, question, -1, &in->object, NULL) != SQLITE_OK)
        return fault_set(f, FAULT_NO_MEMORY, "no memory to read JSON");
    in->arena = arena_new(65536, LINE_ARENA_BYTES);
    return in->arena != NULL ? 0 : fault_set(f, FAULT_NO_MEMORY, "no memory");
}

int
copy_in(Shell *shell, const CopyOrder *order, CopyResult *result, Fault *f)
{
    ClientProducerOptions options = {.codec = 0};
    CopyIn in = {
        .shell = shell, .order = order, .topic = strview_from(order->topic), .result = result};
    int status = prepare(&in, f);

    if (status == 0)
        status = client_producer_open(shell->client, &options, &in.producer, f);
    if (status == 0)
        status = order->format == COPY_SEGMENT ? read_segments(&in, f) : read_file(&in, "", 0, f);
    client_producer_close(in.producer);
    (void)sqlite3_finalize(in.object); /* its results were looked at */
    (void)sqlite3_close(in.json);
    arena_free(in.arena);
    return status;
}
