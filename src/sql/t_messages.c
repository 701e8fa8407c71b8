/*
 * t_messages.c - table messages: the records of a topic, fetched as they are looked at
 *
 * What a statement says of topic, partition, offset, timestamp_ms and LIMIT decides what is fetched; where the log ended when
 * the cursor opened is where it ends. Rows are given one at a time and hold views into what was fetched.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/clock.h"
#include "ottla/common/text.h"
#include "sql/messages_int.h"
#include "sql/tables_int.h"

#define WAIT_MAX_MS    (24 * 3600 * 1000)
#define FOLLOW_WAIT_MS 250 /* of one fetch while it waits for more */

static const SqlColumnDef message_columns[] = {
    [M_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY | SQL_COLUMN_REQUIRED | SQL_COLUMN_ONE},
    [M_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [M_OFFSET] = {"offset", SQL_DECL_INTEGER, SQL_COLUMN_KEY | SQL_COLUMN_RANGE},
    [M_TIMESTAMP] = {"timestamp", SQL_DECL_TIME, 0},
    [M_TIMESTAMP_MS] = {"timestamp_ms", SQL_DECL_INTEGER, SQL_COLUMN_KEY | SQL_COLUMN_RANGE},
    [M_TIMESTAMP_TYPE] = {"timestamp_type", SQL_DECL_TEXT, 0},
    [M_KEY] = {"key", SQL_DECL_ANY, 0},
    [M_VALUE] = {"value", SQL_DECL_ANY, 0},
    [M_KEY_SIZE] = {"key_size", SQL_DECL_INTEGER, 0},
    [M_VALUE_SIZE] = {"value_size", SQL_DECL_INTEGER, 0},
    [M_HEADERS] = {"headers", SQL_DECL_JSON, 0},
    [M_LEADER_EPOCH] = {"leader_epoch", SQL_DECL_INTEGER, 0},
    [M_PRODUCER_ID] = {"producer_id", SQL_DECL_INTEGER, 0},
    [M_PRODUCER_EPOCH] = {"producer_epoch", SQL_DECL_INTEGER, 0},
    [M_SEQUENCE] = {"sequence", SQL_DECL_INTEGER, 0},
    [M_TRANSACTIONAL] = {"transactional", SQL_DECL_BOOLEAN, 0},
    [M_CONTROL] = {"control", SQL_DECL_BOOLEAN, 0},
    [M_COMPRESSION] = {"compression", SQL_DECL_TEXT, 0},
    [M_BATCH_BASE_OFFSET] = {"batch_base_offset", SQL_DECL_INTEGER, 0},
    [M_CRC_OK] = {"crc_ok", SQL_DECL_BOOLEAN, 0},
    [M_ARG_TOPIC] = {"arg_topic", SQL_DECL_TEXT,
                     SQL_COLUMN_KEY | SQL_COLUMN_REQUIRED | SQL_COLUMN_ONE | SQL_COLUMN_HIDDEN},
    [M_ARG_PARTITION] = {"arg_partition", SQL_DECL_INTEGER,
                         SQL_COLUMN_KEY | SQL_COLUMN_ONE | SQL_COLUMN_HIDDEN},
    [M_ARG_ISOLATION] = {"arg_isolation", SQL_DECL_TEXT,
                         SQL_COLUMN_KEY | SQL_COLUMN_ONE | SQL_COLUMN_HIDDEN},
    [M_MAX_WAIT_MS] = {"max_wait_ms", SQL_DECL_INTEGER,
                       SQL_COLUMN_KEY | SQL_COLUMN_ONE | SQL_COLUMN_HIDDEN},
    [M_MAX_BYTES] = {"max_bytes", SQL_DECL_INTEGER,
                     SQL_COLUMN_KEY | SQL_COLUMN_ONE | SQL_COLUMN_HIDDEN},
};

static const SqlCallDef message_calls[] = {{"Metadata", 0}, {"ListOffsets", 0}, {"Fetch", 0}};

/* One opening of the table. */
typedef struct Reading {
    ClientScan *scan;
    Messages *messages;
    StrView topic; /* the keys', as the next two */
    StrView isolation;
    int64_t partition_arg; /* -1: none */
    int64_t wait_ms;
    int64_t max_bytes;
    int64_t
        until_ms; /* clock_mono_ms until which more is waited for; 0: it ends where the log ended */
    int64_t offset_min;
    int64_t offset_max;
    int64_t time_min;
    int64_t time_max;
    int64_t given;
} Reading;

/* ---- what is asked for ---- */

/* The only value of a key; NULL: no constraint. */
static const SqlValue *
key_value(const SqlScan *scan, int32_t column)
{
    const SqlKey *key = scan_key(scan, column);

    return key == NULL || key->count == 0 ? NULL : &key->values[0];
}

/* The bounds that EQ, IN, <, <=, >, >= set on an integer column together. */
static void
bounds_of(const SqlScan *scan, int32_t column, int64_t *ret_min, int64_t *ret_max)
{
    int64_t min = CLIENT_NO_BOUND;
    int64_t max = CLIENT_NO_BOUND;

    for (int32_t i = 0; i < scan->key_count; i++) {
        const SqlKey *key = &scan->keys[i];
        int64_t lowest = INT64_MAX;
        int64_t highest = INT64_MIN;

        if (key->column != column)
            continue;
        for (int32_t k = 0; k < key->count; k++) {
            int64_t value = key->values[k].integer;

            lowest = value < lowest ? value : lowest;
            highest = value > highest ? value : highest;
        }
        if (key->op == SQL_OP_GT && lowest < INT64_MAX)
            lowest++;
        if (key->op == SQL_OP_LT && highest > INT64_MIN)
            highest--;
        if (key->op == SQL_OP_EQ || key->op == SQL_OP_GT || key->op == SQL_OP_GE)
            min = min == CLIENT_NO_BOUND || lowest > min ? lowest : min;
        if (key->op == SQL_OP_EQ || key->op == SQL_OP_LT || key->op == SQL_OP_LE)
            max = max == CLIENT_NO_BOUND || highest < max ? highest : max;
    }
    *ret_min = min;
    *ret_max = max;
}

/* A hidden argument that is a number; without it `missing`. */
static int
number_arg(const SqlScan *scan, MessagesColumn column, int64_t missing, int64_t *ret, Fault *f)
{
    const SqlValue *value = key_value(scan, column);

    *ret = value == NULL ? missing : value->integer;
    if (value != NULL && *ret < 0)
        return fault_set(f, FAULT_BAD_PARAMETER, "%s of messages is a number from 0",
                         message_columns[column].name);
    return 0;
}

/* *ret_none: constraints that nothing can meet. */
static int
take_topic(const SqlScan *scan, Reading *r, bool *ret_none, Fault *f)
{
    const SqlValue *topic = key_value(scan, M_TOPIC);
    const SqlValue *arg = key_value(scan, M_ARG_TOPIC);

    if (topic == NULL && arg == NULL) {
        (void)fault_set(f, FAULT_SYNTAX, "messages of which topic?");
        fault_hint(f, "SELECT ... FROM messages('orders'), or add WHERE topic = 'orders'.");
        return -1;
    }
    *ret_none = topic != NULL && arg != NULL && !strview_equal(topic->bytes, arg->bytes);
    r->topic = topic != NULL ? topic->bytes : arg->bytes;
    return 0;
}

/* The partitions wanted; *ret NULL: all. */
static int
take_partitions(const SqlScan *scan, const Reading *r, Arena *arena, ClientScanOptions *o, Fault *f)
{
    const SqlKey *key = scan_key(scan, M_PARTITION);
    int32_t *partitions;

    if (key == NULL && r->partition_arg < 0)
        return 0;
    partitions = arena_alloc(arena, (size_t)(key == NULL ? 1 : key->count) * sizeof *partitions);
    if (partitions == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for partitions");
    o->partitions = partitions;
    for (int32_t i = 0; key != NULL && i < key->count; i++) {
        int64_t wanted = key->values[i].integer;

        if (wanted >= 0 && wanted <= INT32_MAX &&
            (r->partition_arg < 0 || r->partition_arg == wanted))
            partitions[o->partition_count++] = (int32_t)wanted;
    }
    if (key == NULL && r->partition_arg <= INT32_MAX)
        partitions[o->partition_count++] = (int32_t)r->partition_arg;
    return 0;
}

static int
take_isolation(const SqlScan *scan, Reading *r, ClientScanOptions *o, Fault *f)
{
    const SqlValue *value = key_value(scan, M_ARG_ISOLATION);

    r->isolation = value == NULL ? (StrView){NULL, 0} : value->bytes;
    if (value == NULL || text_equal_nocase(r->isolation, STRVIEW("read_committed")))
        return 0;
    if (!text_equal_nocase(r->isolation, STRVIEW("read_uncommitted"))) {
        (void)fault_set(f, FAULT_BAD_PARAMETER, "no isolation level \"%.*s\"", value->bytes.len,
                        value->bytes.ptr);
        fault_hint(f, "It is read_committed or read_uncommitted.");
        return -1;
    }
    o->uncommitted = true;
    return 0;
}

/* What the keys mean for a scan. *ret_none: no row can fit. */
static int
take_keys(SqlScan *scan, Reading *r, ClientScanOptions *o, bool *ret_none, Fault *f)
{
    if (take_topic(scan, r, ret_none, f) != 0 || take_isolation(scan, r, o, f) != 0 ||
        number_arg(scan, M_ARG_PARTITION, -1, &r->partition_arg, f) != 0 ||
        number_arg(scan, M_MAX_WAIT_MS, 0, &r->wait_ms, f) != 0 ||
        number_arg(scan, M_MAX_BYTES, 0, &r->max_bytes, f) != 0 ||
        take_partitions(scan, r, scan->arena, o, f) != 0)
        return -1;
    bounds_of(scan, M_OFFSET, &r->offset_min, &r->offset_max);
    bounds_of(scan, M_TIMESTAMP_MS, &r->time_min, &r->time_max);
    o->topic = r->topic;
    o->offset_min = r->offset_min < 0 ? CLIENT_NO_BOUND : r->offset_min;
    o->offset_max = r->offset_max;
    o->timestamp_min = r->time_min;
    o->timestamp_max = r->time_max;
    o->partition_bytes = r->max_bytes;
    o->limit = scan->limit == INT64_MAX ? 0 : scan->limit;
    if (r->wait_ms > WAIT_MAX_MS)
        r->wait_ms = WAIT_MAX_MS;
    if (r->wait_ms > 0) {
        o->follow = true;
        o->max_wait_ms = (int32_t)(r->wait_ms < FOLLOW_WAIT_MS ? r->wait_ms : FOLLOW_WAIT_MS);
    }
    *ret_none = *ret_none || scan->limit == 0 ||
                (o->partitions != NULL && o->partition_count == 0) ||
                (r->offset_max != CLIENT_NO_BOUND && r->offset_max < 0);
    return 0;
}

static int
scan_messages(SqlScan *scan, Fault *f)
{
    Messages *m = messages_state(scan->sql, f);
    Client *client = m == NULL ? NULL : sql_client(scan->sql, f);
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    Reading *r = client == NULL ? NULL : calloc(1, sizeof *r);
    bool none = false;

    scan->state = r;
    if (client == NULL)
        return -1;
    if (r == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a table");
    r->messages = m;
    if (m->read_statement != scan->sql->statement) {
        m->read_statement = scan->sql->statement;
        m->read = 0;
    }
    if (take_keys(scan, r, &o, &none, f) != 0)
        return -1;
    if (r->wait_ms > 0)
        r->until_ms = clock_mono_ms() + r->wait_ms;
    return none ? 0 : client_scan_open(client, &o, &r->scan, f);
}

static void
close_messages(SqlScan *scan)
{
    Reading *r = scan->state;

    if (r != NULL)
        client_scan_close(r->scan);
    free(r);
    scan->state = NULL;
}

/* ---- rows ---- */

/* Exactly what the constraints say: LIMIT counts on it. */
static bool
fits(const SqlScan *scan, const Reading *r, const Record *record)
{
    if (r->time_min != CLIENT_NO_BOUND && record->timestamp < r->time_min)
        return false;
    if (r->time_max != CLIENT_NO_BOUND && record->timestamp > r->time_max)
        return false;
    if (r->offset_max != CLIENT_NO_BOUND && record->offset > r->offset_max)
        return false;
    return scan_admits_int(scan, M_OFFSET, record->offset) &&
           scan_admits_int(scan, M_TIMESTAMP_MS, record->timestamp);
}

static void
put_value(SqlScan *scan, SqlValue *row, int32_t column, SqlFormat format, BytesView bytes)
{
    if (scan->slot_of[column] >= 0 &&
        !messages_value(scan, format, bytes, &row[scan->slot_of[column]]))
        scan->no_memory = true;
}

static void
put_optional(const SqlScan *scan, SqlValue *row, int32_t column, int64_t value)
{
    if (value >= 0)
        row_int(scan, row, column, value);
}

static void
put_batch(const SqlScan *scan, SqlValue *row, const ClientRecord *from)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const uint8_t *batch = from->batch;
    int codec = batch_codec(batch);

    row_text(scan, row, M_TIMESTAMP_TYPE,
             from->append_time ? STRVIEW("LogAppendTime") : STRVIEW("CreateTime"));
    put_optional(scan, row, M_LEADER_EPOCH, batch_leader_epoch(batch));
    put_optional(scan, row, M_PRODUCER_ID, batch_producer_id(batch));
    put_optional(scan, row, M_PRODUCER_EPOCH, batch_producer_epoch(batch));
    put_optional(scan, row, M_SEQUENCE, from->sequence);
    row_bool(scan, row, M_TRANSACTIONAL, batch_is_transactional(batch));
    row_bool(scan, row, M_CONTROL, batch_is_control(batch));
    row_text(scan, row, M_COMPRESSION,
             codec <= BATCH_CODEC_LAST ? strview_from(codecs[codec]) : STRVIEW("unknown"));
    row_int(scan, row, M_BATCH_BASE_OFFSET, batch_base_offset(batch));
    row_bool(scan, row, M_CRC_OK, from->crc_ok);
}

/* The arguments, so that comparisons with them hold. */
static void
put_arguments(const SqlScan *scan, const Reading *r, SqlValue *row)
{
    row_text(scan, row, M_ARG_TOPIC, r->topic);
    put_optional(scan, row, M_ARG_PARTITION, r->partition_arg);
    row_text(scan, row, M_ARG_ISOLATION, r->isolation);
    row_int(scan, row, M_MAX_WAIT_MS,
            key_value(scan, M_MAX_WAIT_MS) == NULL ? 0 : key_value(scan, M_MAX_WAIT_MS)->integer);
    row_int(scan, row, M_MAX_BYTES, r->max_bytes);
}

static void
put_row(SqlScan *scan, const Reading *r, const ClientRecord *from)
{
    SqlValue *row = scan_row(scan);
    const SqlEnv *env = scan->sql->env;

    if (row == NULL)
        return;
    row_text(scan, row, M_TOPIC, r->topic);
    row_int(scan, row, M_PARTITION, from->partition);
    row_int(scan, row, M_OFFSET, from->record.offset);
    if (scan_uses(scan, M_TIMESTAMP))
        row_time(scan, row, M_TIMESTAMP, from->record.timestamp);
    put_optional(scan, row, M_TIMESTAMP_MS, from->record.timestamp);
    put_value(scan, row, M_KEY, env->key_format, from->record.key);
    put_value(scan, row, M_VALUE, env->value_format, from->record.value);
    if (from->record.key.ptr != NULL)
        row_int(scan, row, M_KEY_SIZE, from->record.key.len);
    if (from->record.value.ptr != NULL)
        row_int(scan, row, M_VALUE_SIZE, from->record.value.len);
    if (scan->slot_of[M_HEADERS] >= 0 &&
        !messages_headers(scan->arena, from->record.headers, &row[scan->slot_of[M_HEADERS]]))
        scan->no_memory = true;
    put_batch(scan, row, from);
    put_arguments(scan, r, row);
}

/* Counts a message that was read. */
static int
count_read(const SqlScan *scan, Messages *m, Fault *f)
{
    int64_t most = scan->sql->env->scan_limit;

    if (most > 0 && m->read >= most) {
        (void)fault_set(f, FAULT_LIMIT, "the statement reads more than %lld messages",
                        (long long)most);
        fault_hint(f, "Ask for fewer by partition, offset, timestamp_ms or LIMIT, or raise "
                      "SCAN_LIMIT (0: no limit).");
        return -1;
    }
    m->read++;
    return 0;
}

static int
next_message(SqlScan *scan, Fault *f)
{
    Reading *r = scan->state;

    while (r->scan != NULL && r->given < scan->limit) {
        ClientRecord record;
        int got = client_scan_next(r->scan, &record, f);

        if (got < 0)
            return -1;
        if (scan->sql->interrupted)
            return fault_set(f, FAULT_CANCELED, "canceled on user's request");
        if (got == 0) {
            if (r->until_ms == 0 || clock_mono_ms() >= r->until_ms)
                break;
            continue;
        }
        if (count_read(scan, r->messages, f) != 0)
            return -1;
        if (!fits(scan, r, &record.record))
            continue;
        r->given++;
        put_row(scan, r, &record);
        break;
    }
    return 0;
}

const SqlTable table_messages = {
    .name = "messages",
    .help = "the messages of a topic; INSERT writes some",
    SQL_COLUMNS(message_columns),
    SQL_CALLS(message_calls),
    .rows_of = SQL_ROWS_PARTITIONS,
    .rows_guess = 1000,
    .scan = scan_messages,
    .next = next_message,
    .close = close_messages,
    .order_column = M_OFFSET,
    .order_key = M_PARTITION,
    .order_key_too = M_ARG_PARTITION,
    .insert = messages_insert,
    .flush = messages_flush,
    .forget = messages_forget,
};
