/*
 * messages_write.c - INSERT INTO messages, and last_produced: where the messages went
 *
 * Messages of a statement are collected and written when it ends, or in between when they are many. What a failed
 * statement had not sent yet is forgotten; what was written stays, as in any log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/sql/headers.h"
#include "sql/messages_int.h"
#include "sql/tables_int.h"

#define PRODUCED_MAX 1000000 /* that last_produced remembers of one statement */

Messages *
messages_state(Sql *sql, Fault *f)
{
    if (sql->messages == NULL)
        sql->messages = calloc(1, sizeof(Messages));
    if (sql->messages == NULL)
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for messages");
    return sql->messages;
}

static void
forget_produced(Messages *m)
{
    const char *last = NULL;

    for (int32_t i = 0; i < m->produced_count; i++) {
        if (m->produced[i].topic != last)
            free(m->produced[i].topic);
        last = m->produced[i].topic;
    }
    m->produced_count = 0;
    m->produced_lost = false;
}

void
messages_forget(Sql *sql)
{
    Messages *m = sql->messages;

    if (m == NULL)
        return;
    forget_produced(m);
    client_producer_close(m->producer);
    free(m->produced);
    free(m);
    sql->messages = NULL;
}

/* Remembers where a message went. */
static void
note_produced(void *arg, const ClientProduced *produced)
{
    Messages *m = arg;
    struct Produced *to;
    char *topic = NULL;

    if (m->produced_count == m->produced_room && m->produced_room < PRODUCED_MAX) {
        int32_t room = m->produced_room == 0 ? 256 : m->produced_room * 2;
        struct Produced *more = realloc(m->produced, (size_t)room * sizeof *more);

        if (more != NULL) {
            m->produced = more;
            m->produced_room = room;
        }
    }
    if (m->produced_count < m->produced_room) {
        const struct Produced *last =
            m->produced_count == 0 ? NULL : &m->produced[m->produced_count - 1];

        topic = last != NULL && strview_equal(strview_from(last->topic), produced->topic)
                    ? last->topic
                    : strndup(produced->topic.ptr, (size_t)produced->topic.len);
    }
    if (topic == NULL) {
        m->produced_lost = true;
        return;
    }
    to = &m->produced[m->produced_count++];
    to->topic = topic;
    to->partition = produced->partition;
    to->offset = produced->offset;
    to->timestamp_ms = produced->timestamp_ms;
}

/* The producer of this session's client, with nothing of an earlier statement in it. */
static ClientProducer *
need_producer(Sql *sql, Messages *m, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientProducerOptions options = {.produced = note_produced, .arg = m};

    if (client == NULL)
        return NULL;
    if (m->producer != NULL && m->session != client_info(client)->session) {
        client_producer_close(m->producer);
        m->producer = NULL;
    }
    if (m->written_statement != sql->statement) {
        m->written_statement = sql->statement;
        forget_produced(m);
        if (m->producer != NULL)
            client_producer_discard(m->producer);
    }
    if (m->producer == NULL) {
        m->session = client_info(client)->session;
        if (client_producer_open(client, &options, &m->producer, f) != 0)
            m->producer = NULL;
    }
    return m->producer;
}

/* ---- values ---- */

/* Text and blobs as they are, numbers as text. */
static BytesView
bytes_of(Arena *arena, const SqlValue *value)
{
    char *text = NULL;

    switch (value->type) {
    case SQL_TEXT:
    case SQL_BLOB:
        return (BytesView){(const uint8_t *)value->bytes.ptr, value->bytes.len};
    case SQL_INTEGER:
        text = arena_printf(arena, "%lld", (long long)value->integer);
        break;
    case SQL_REAL:
        text = arena_printf(arena, "%.17g", value->real);
        break;
    case SQL_NULL:
    case SQL_TYPE_COUNT:
        break;
    }
    return (BytesView){(const uint8_t *)text, text == NULL ? 0 : (int32_t)strlen(text)};
}

/* Columns that the log gives cannot be written. */
static int
refuse_others(const SqlValue *values, Fault *f)
{
    static const uint8_t given[] = {
        M_OFFSET,      M_TIMESTAMP_TYPE,    M_KEY_SIZE, M_VALUE_SIZE,    M_LEADER_EPOCH,
        M_PRODUCER_ID, M_PRODUCER_EPOCH,    M_SEQUENCE, M_TRANSACTIONAL, M_CONTROL,
        M_COMPRESSION, M_BATCH_BASE_OFFSET, M_CRC_OK};

    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (values[given[i]].type == SQL_NULL)
            continue;
        (void)fault_set(f, FAULT_NOT_SUPPORTED, "column \"%s\" of messages is given by the log",
                        table_messages.columns[given[i]].name);
        fault_hint(f, "INSERT takes topic, partition, key, value, headers, timestamp_ms.");
        return -1;
    }
    return 0;
}

static int
timestamp_of(Sql *sql, const SqlValue *values, int64_t *ret, Fault *f)
{
    const SqlValue *ms = &values[M_TIMESTAMP_MS];
    const SqlValue *text = &values[M_TIMESTAMP];

    *ret = BATCH_NO_TIMESTAMP;
    if (ms->type == SQL_INTEGER && ms->integer >= 0)
        *ret = ms->integer;
    else if (ms->type != SQL_NULL)
        return fault_set(f, FAULT_BAD_PARAMETER, "timestamp_ms is a number of milliseconds");
    else if (text->type == SQL_TEXT && time_from_text(sql, text->bytes, ret))
        return 0;
    else if (text->type != SQL_NULL)
        return fault_set(f, FAULT_BAD_PARAMETER, "timestamp cannot be read");
    return 0;
}

static int
partition_of(const SqlValue *value, int32_t *ret, Fault *f)
{
    *ret = CLIENT_PARTITION_ANY;
    if (value->type == SQL_NULL)
        return 0;
    if (value->type != SQL_INTEGER || value->integer < 0 || value->integer > INT32_MAX)
        return fault_set(f, FAULT_BAD_PARAMETER, "partition is a number from 0, or NULL for any");
    *ret = (int32_t)value->integer;
    return 0;
}

/* Takes one row of an INSERT; memory of the arena is given back by the caller. */
static int
add_message(Sql *sql, ClientProducer *producer, Arena *arena, const SqlValue *values, Fault *f)
{
    const SqlValue *topic = &values[values[M_TOPIC].type == SQL_NULL ? M_ARG_TOPIC : M_TOPIC];
    BatchRecord record = {.offset_gap = 0};
    RecordHeader *headers = NULL;
    int32_t partition;

    if (topic->type != SQL_TEXT || topic->bytes.len == 0) {
        (void)fault_set(f, "23502", "a message needs a topic");
        fault_hint(f, "INSERT INTO messages(topic, key, value) VALUES ('orders', 'k', 'v');");
        return -1;
    }
    if (refuse_others(values, f) != 0 || partition_of(&values[M_PARTITION], &partition, f) != 0 ||
        timestamp_of(sql, values, &record.timestamp, f) != 0)
        return -1;
    if (values[M_HEADERS].type == SQL_TEXT) {
        if (headers_from_json(sql->db, values[M_HEADERS].bytes, arena, &headers,
                              &record.header_count, f) != 0)
            return -1;
    } else if (values[M_HEADERS].type != SQL_NULL) {
        return fault_set(f, FAULT_BAD_PARAMETER, "headers are a JSON text");
    }
    record.headers = headers;
    record.key = bytes_of(arena, &values[M_KEY]);
    record.value = bytes_of(arena, &values[M_VALUE]);
    return client_producer_add(producer, topic->bytes, partition, &record, f);
}

int
messages_insert(Sql *sql, const SqlValue *values, int64_t *ret_rowid, Fault *f)
{
    Messages *m = messages_state(sql, f);
    ClientProducer *producer = m == NULL ? NULL : need_producer(sql, m, f);
    ArenaMark mark = arena_mark(sql->arena);
    int status;

    if (producer == NULL)
        return -1;
    status = add_message(sql, producer, sql->arena, values, f);
    arena_release(sql->arena, mark);
    *ret_rowid = 0; /* known when it is written */
    if (status == 0 && client_producer_full(producer))
        return client_producer_flush(producer, f);
    return status;
}

int
messages_flush(Sql *sql, Fault *f)
{
    Messages *m = sql->messages;
    int status;

    if (m == NULL || m->producer == NULL || m->written_statement != sql->statement)
        return 0;
    status = client_producer_flush(m->producer, f);
    if (m->produced_count > 0)
        sqlite3_set_last_insert_rowid(sql->db, m->produced[m->produced_count - 1].offset);
    return status;
}

/* ---- last_produced ---- */

enum { P_TOPIC, P_PARTITION, P_OFFSET, P_TIMESTAMP_MS };

static const SqlColumnDef produced_columns[] = {
    [P_TOPIC] = {"topic", SQL_DECL_TEXT, 0},
    [P_PARTITION] = {"partition", SQL_DECL_INTEGER, 0},
    [P_OFFSET] = {"offset", SQL_DECL_INTEGER, 0},
    [P_TIMESTAMP_MS] = {"timestamp_ms", SQL_DECL_INTEGER, 0}};

static int
scan_produced(SqlScan *scan, Fault *f)
{
    const Messages *m = scan->sql->messages;

    for (int32_t i = 0; m != NULL && i < m->produced_count; i++) {
        const struct Produced *from = &m->produced[i];
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        row_text(scan, row, P_TOPIC, strview_from(from->topic));
        row_int(scan, row, P_PARTITION, from->partition);
        if (from->offset >= 0)
            row_int(scan, row, P_OFFSET, from->offset);
        row_int(scan, row, P_TIMESTAMP_MS, from->timestamp_ms);
    }
    if (m != NULL && m->produced_lost)
        return fault_set(f, FAULT_LIMIT,
                         "only the first %d messages of the statement are remembered",
                         m->produced_count);
    return scan_end(scan, f);
}

const SqlTable table_last_produced = {
    .name = "last_produced",
    .help = "where the messages of the last INSERT went",
    SQL_COLUMNS(produced_columns),
    .order_column = -1,
    .order_key = -1,
    .scan = scan_produced,
};
