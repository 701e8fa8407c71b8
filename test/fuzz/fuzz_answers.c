/*
 * fuzz_answers.c - any bytes as the answers that the client gets, under statements and queries that ask for them
 *
 * The functions here that stand in the place of net.c are the server: what the client writes is read as requests, and what
 * it reads are answers out of the input. An input is
 *   flags     FUZZ_OTTLA: has OttlaStat and OttlaControl. FUZZ_STRANGER: also the answers that open a connection are
 *             in the input, but for ApiVersions. FUZZ_VERSIONS: this one, too
 *   age       so many versions below the highest are offered, where there are as many
 *   question  its place in the list below
 *   answers   two bytes of length and the body each, in the order of the requests; behind them connections end
 * Claims: nothing is read beyond an answer, no undefined behaviour; the question ends, with rows or with a fault that
 * says something; what it gives can be read, and notices steer no terminal; every table of the catalogue is asked.
 *
 * Corpus: test/fuzz/corpus/answers, made by test/fuzz/seed_answers.pl, which has this program ask a node: with
 * OTTLA_FUZZ_RECORD="PORT FILE" requests go there, and FILE becomes the input with the answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/net.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_metadata.h"
#include "ottla/protocol/msg_ottla_stat.h"
#include "ottla/sql/sql.h"
#include "ottla/statement/statement.h"

#define PEERS_MAX  1024   /* descriptors */
#define TIMEOUT_MS "40ms" /* below the first pause before something is asked again */
#define NODE_ID    1
#define METADATA_VERSION_MIN \
    4 /* older ones would create topics that are asked for: the client has no use for them */
#define RECORD_ENV    "OTTLA_FUZZ_RECORD"
#define FUZZ_OTTLA    1
#define FUZZ_STRANGER 2
#define FUZZ_VERSIONS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seeds name them by place: new ones go to the end. */
static const char *const questions[] = {
    "SELECT * FROM topics",
    "SELECT * FROM topics WHERE topic IN ('orders', 'nope')",
    "SELECT * FROM partitions",
    "SELECT * FROM replicas",
    "SELECT * FROM reassignments",
    "SELECT * FROM configs",
    "SELECT * FROM configs WHERE resource_type = 'topic' AND resource_name = 'orders'",
    "SELECT * FROM groups",
    "SELECT * FROM groups WHERE group_id = 'app'",
    "SELECT * FROM group_members",
    "SELECT * FROM group_offsets",
    "SELECT * FROM group_lag",
    "SELECT * FROM brokers",
    "SELECT * FROM log_dirs",
    "SELECT * FROM quorum",
    "SELECT * FROM features",
    "SELECT * FROM apis",
    "SELECT * FROM acls",
    "SELECT * FROM effective_rights WHERE principal = 'User:a' AND resource_type = 'topic' AND "
    "resource_name = 'orders'",
    "SELECT * FROM users",
    "SELECT * FROM quotas",
    "SELECT * FROM tokens",
    "SELECT * FROM producers",
    "SELECT * FROM transactions",
    "SELECT * FROM client_metrics",
    "SELECT * FROM errors",
    "SELECT * FROM offsets_at('1000')",
    "SELECT * FROM all_nodes('requests')",
    "SELECT * FROM messages('orders')",
    "SELECT * FROM messages('orders', 0, 'read_uncommitted') WHERE offset >= 1 LIMIT 5",
    "SELECT max(offset), count(DISTINCT key), max(headers) FROM messages WHERE topic = 'orders' "
    "GROUP BY partition",
    "SELECT * FROM last_produced",
    "INSERT INTO messages(topic, key, value) VALUES ('orders', 'a', 'b'), ('orders', 'c', 'd')",
    "SELECT * FROM processes",
    "SELECT * FROM segments WHERE active = 1",
    "SELECT * FROM requests",
    "SELECT * FROM topics NATURAL JOIN partitions NATURAL LEFT JOIN group_lag",
    "SHOW TOPICS",
    "DESCRIBE TOPIC orders",
    "DESCRIBE GROUP app",
    "DESCRIBE BROKER 1",
    "DESCRIBE CLUSTER",
    "DESCRIBE USER",
    "SHOW ALL",
    "SHOW log.retention.ms",
    "SHOW CONFIG FOR TOPIC orders ALL",
    "SHOW CONFIG FOR BROKER 1",
    "SHOW CONFIG FOR LOGGER ON 1",
    "SHOW CONFIG FOR CLIENT METRICS m",
    "CREATE TOPIC other PARTITIONS 2 WITH (retention.ms = 7d)",
    "ALTER TOPIC orders ADD PARTITIONS 2",
    "ALTER TOPIC orders PARTITIONS TO 9",
    "ALTER TOPIC orders SET (retention.bytes = 1GB, segment.ms = DEFAULT)",
    "ALTER TOPIC orders REPLICATION FACTOR 2",
    "ALTER TOPIC orders REASSIGN PARTITION 0 TO (1)",
    "ALTER TOPIC orders MOVE PARTITION 0 ON BROKER 1 TO DIRECTORY '/d'",
    "DROP TOPIC IF EXISTS other, 'tmp-*'",
    "TRUNCATE TOPIC orders PARTITION 0 BEFORE OFFSET 1",
    "TRUNCATE TOPIC orders BEFORE TIMESTAMP 2025-01-01T00:00:00+01:00",
    "ALTER BROKER 1 SET (log.retention.ms = 1h)",
    "ALTER LOGGER root ON BROKER 1 SET LEVEL DEBUG",
    "ALTER SYSTEM SET log.retention.ms = 7d",
    "SET REASSIGN THROTTLE 10MB",
    "ALTER GROUP app RESET OFFSETS FOR TOPIC orders TO EARLIEST",
    "ALTER GROUP app RESET OFFSETS ALL TOPICS TO SHIFT BY -5",
    "ALTER GROUP app RESET OFFSETS TO TIMESTAMP '2025-01-01'",
    "ALTER GROUP app DELETE OFFSETS FOR TOPIC orders PARTITION 1",
    "ALTER GROUP app REMOVE MEMBER ALL",
    "DROP GROUP IF EXISTS app",
    "CREATE USER alice PASSWORD 'x' MECHANISM SCRAM-SHA-256 ITERATIONS 4096",
    "DROP USER IF EXISTS alice CASCADE",
    "GRANT CONSUMER ON TOPIC orders GROUP app TO alice",
    "REVOKE ALL FROM alice",
    "DENY WRITE ON CLUSTER TO alice",
    "CREATE TOKEN FOR 'User:x' RENEWERS (a, b) LIFETIME '1d'",
    "RENEW TOKEN 'aGFsbG8=' LIFETIME 1d",
    "EXPIRE TOKEN 'aGFsbG8='",
    "ALTER QUOTA FOR USER u CLIENT DEFAULT SET (producer_byte_rate = 1MB)",
    "ALTER QUOTA FOR CLIENT c RESET (ALL)",
    "REASSIGN TOPIC orders TO BROKERS (1) PLAN ONLY",
    "REASSIGN BROKER 1 DRAIN",
    "REASSIGN BALANCE TOPIC orders",
    "CANCEL REASSIGN ALL",
    "ELECT PREFERRED LEADER FOR ALL",
    "ABORT TRANSACTION 'x'",
    "ABORT TRANSACTION ON orders PARTITION 0 PRODUCER 77",
    "FIND HANGING TRANSACTIONS ON BROKER 1 OLDER THAN '15min'",
    "UNREGISTER BROKER 3",
    "UPGRADE FEATURE group.version TO 1",
    "CREATE CLIENT METRICS m WITH (metrics = '*', interval.ms = 10s)",
    "DROP CLIENT METRICS m",
    "PRODUCE INTO orders PARTITION 1 KEY k HEADER h = v VALUE 'x'",
    "EXPLAIN RETENTION FOR TOPIC orders PARTITION 0",
    "EXPLAIN REPLICA FOR TOPIC orders PARTITION 0 ON BROKER 1",
};
#define QUESTION_COUNT (sizeof questions / sizeof questions[0])

/* ---- the server ---- */

typedef struct Peer {
    uint8_t *in; /* malloc'ed, as out */
    size_t in_len;
    uint8_t *out;
    size_t out_len;
    size_t out_at;
    bool ended;
} Peer;

static Peer peers[PEERS_MAX];
static FuzzInput answers;
static uint8_t flags;
static uint8_t age;
static Arena *server_arena;
static FILE *record_file; /* NULL: answers come out of the input */
static int record_fd;

static void
append(uint8_t **bytes, size_t *len, const void *more, size_t count)
{
    *bytes = realloc(*bytes, *len + count + 1);
    ot_assert(*bytes != NULL);
    memcpy(*bytes + *len, more, count);
    *len += count;
}

/* Bytes for the client: its descriptor becomes readable, and stays it behind the end. */
static void
give(int fd, const void *bytes, size_t count)
{
    static const uint64_t one = 1;

    append(&peers[fd].out, &peers[fd].out_len, bytes, count);
    ot_assert(write(fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static void
fill_versions(ApiVersionsResponse *response)
{
    static ApiVersionsResponseApiVersion apis[API_KEY_MAX + 3];

    api_versions_response_init(response);
    response->api_keys = apis;
    for (int16_t i = 0; i < API_KEY_MAX + 3; i++) {
        int16_t key = i <= API_KEY_MAX ? i : (int16_t)(API_PRIVATE_MIN + i - API_KEY_MAX - 1);
        const ApiInfo *api = api_find(key);
        int16_t hi;

        if (api == NULL || (key >= API_PRIVATE_MIN && (flags & FUZZ_OTTLA) == 0))
            continue;
        hi = (int16_t)(api->offer_hi - age);
        if (key == API_Metadata && hi < METADATA_VERSION_MIN)
            hi = METADATA_VERSION_MIN;
        api_versions_response_api_version_init(&apis[response->api_keys_count]);
        apis[response->api_keys_count].api_key = key;
        apis[response->api_keys_count].min_version = api->offer_lo;
        apis[response->api_keys_count++].max_version = hi < api->offer_lo ? api->offer_lo : hi;
    }
}

/* Two brokers; a topic that is named has two partitions, one on each. */
static void
fill_metadata(MetadataResponse *response, const MetadataRequest *request)
{
    static MetadataResponseBroker brokers[2];
    static MetadataResponseTopic topic;
    static MetadataResponsePartition partitions[2];

    metadata_response_init(response);
    metadata_response_topic_init(&topic);
    for (int i = 0; i < 2; i++) {
        metadata_response_broker_init(&brokers[i]);
        brokers[i].node_id = NODE_ID + i;
        brokers[i].host = STRVIEW("127.0.0.1");
        brokers[i].port = 9092 + i;
        metadata_response_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].leader_id = NODE_ID + i;
    }
    response->brokers = brokers;
    response->brokers_count = 2;
    response->controller_id = NODE_ID;
    response->cluster_id = STRVIEW("cluster-of-a-test");
    topic.partitions = partitions;
    topic.partitions_count = 2;
    response->topics = &topic;
    response->topics_count = request->topics_count > 0 ? 1 : 0;
    if (request->topics_count > 0)
        topic.name = request->topics[0].name;
}

/* The view of views. */
static void
fill_columns(OttlaStatResponse *response)
{
    static StrView rows[][3] = {
        {STRVIEW("processes"), STRVIEW("pid"), STRVIEW("integer")},
        {STRVIEW("processes"), STRVIEW("kind"), STRVIEW("text")},
        {STRVIEW("processes"), STRVIEW("started"), STRVIEW("integer")},
        {STRVIEW("segments"), STRVIEW("topic"), STRVIEW("text")},
        {STRVIEW("segments"), STRVIEW("active"), STRVIEW("boolean")},
        {STRVIEW("segments"), STRVIEW("size_bytes"), STRVIEW("integer")},
        {STRVIEW("requests"), STRVIEW("api"), STRVIEW("text")},
        {STRVIEW("requests"), STRVIEW("p50_ms"), STRVIEW("real")},
    };
    static StrView texts[3][sizeof rows / sizeof rows[0]];
    static OttlaStatResponseColumn columns[3];
    static const char *const names[3] = {"view", "column", "type"};

    response->row_count = sizeof rows / sizeof rows[0];
    response->columns = columns;
    response->columns_count = 3;
    for (int i = 0; i < 3; i++) {
        ottla_stat_response_column_init(&columns[i]);
        columns[i].name = strview_from(names[i]);
        columns[i].type = CLIENT_STAT_TEXT;
        columns[i].texts = texts[i];
        columns[i].texts_count = response->row_count;
        for (int32_t row = 0; row < response->row_count; row++)
            texts[i][row] = rows[row][i];
    }
}

/* False: it is none of the questions that open a connection. */
static bool
fill_stat(OttlaStatResponse *response, const OttlaStatRequest *request)
{
    static OttlaStatResponseColumn column;
    static StrView version;
    static int64_t node_id = NODE_ID;
    bool first = request->columns_count == 1;

    ottla_stat_response_init(response);
    ottla_stat_response_column_init(&column);
    response->next_cursor = -1;
    if (strview_equal(request->view, STRVIEW("columns"))) {
        fill_columns(response);
        return true;
    }
    response->row_count = 1;
    response->columns = &column;
    response->columns_count = 1;
    if (first && strview_equal(request->columns[0], STRVIEW("node_id"))) {
        column.type = CLIENT_STAT_INTEGER;
        column.numbers = &node_id;
        column.numbers_count = 1;
        return true;
    }
    version = STRVIEW("1.0");
    column.type = CLIENT_STAT_TEXT;
    column.texts = &version;
    column.texts_count = 1;
    return first && strview_equal(request->columns[0], STRVIEW("version"));
}

/* Answers that open a connection. False: the answer comes out of the input. */
static bool
answer_opening(int fd, const RequestHead *head, WireReader *r)
{
    static union {
        ApiVersionsResponse versions;
        MetadataResponse metadata;
        OttlaStatResponse stat;
    } m;
    MetadataRequest metadata;
    OttlaStatRequest stat;
    FrameBody body = {.msg = &m, .version = head->api_version};
    FrameOut out;

    if (head->api->key == API_ApiVersions && (flags & FUZZ_VERSIONS) == 0) {
        body.desc = &api_versions_response_desc;
        fill_versions(&m.versions);
    } else if ((flags & FUZZ_STRANGER) != 0) {
        return false;
    } else if (head->api->key == API_Metadata) {
        body.desc = &metadata_response_desc;
        metadata_request_read(r, head->api_version, &metadata);
        if (record_file != NULL || metadata.topics_count < 0 || metadata.topics_count > 1)
            return false;
        fill_metadata(&m.metadata, &metadata);
    } else if (head->api->key == API_OttlaStat) {
        body.desc = &ottla_stat_response_desc;
        ottla_stat_request_read(r, head->api_version, &stat);
        if (!fill_stat(&m.stat, &stat))
            return false;
    } else {
        return false;
    }
    ot_assert(r->err == 0);
    ot_assert(frame_encode_response(head, &body, &out, server_arena, NULL) == 0);
    give(fd, out.buf, out.len);
    return true;
}

/* The answer out of the input. False: there is none left. */
static bool
answer_from_input(int fd, const RequestHead *head)
{
    size_t tags = frame_response_header_version(head->api, head->api_version) == 1 ? 1 : 0;
    uint8_t start[9] = {0};
    BytesView body;

    if (answers.at == answers.end)
        return false;
    body = fuzz_piece(&answers);
    wire_store32(start, (uint32_t)(4 + tags + (size_t)body.len));
    wire_store32(start + 4, (uint32_t)head->correlation_id);
    give(fd, start, 8 + tags);
    give(fd, body.ptr, (size_t)body.len);
    return true;
}

/* The answer of the node that is recorded. */
static bool
answer_from_node(int fd, const RequestHead *head, const uint8_t *frame, size_t len)
{
    size_t tags = frame_response_header_version(head->api, head->api_version) == 1 ? 1 : 0;
    uint8_t size[4];
    uint8_t *bytes;
    size_t body;

    if (send(record_fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len ||
        recv(record_fd, size, 4, MSG_WAITALL) != 4)
        return false;
    bytes = malloc(wire_load32(size));
    ot_assert(bytes != NULL &&
              recv(record_fd, bytes, wire_load32(size), MSG_WAITALL) == (ssize_t)wire_load32(size));
    give(fd, size, sizeof size);
    give(fd, bytes, wire_load32(size));
    body = wire_load32(size) - 4 - tags;
    body = body > UINT16_MAX ? UINT16_MAX : body;
    if (getenv("OTTLA_FUZZ_NAMES") != NULL)
        (void)fprintf(stderr, "%s %d: %zu\n", head->api->name, head->api_version, body);
    (void)fputc((int)(body >> 8), record_file);
    (void)fputc((int)(body & 0xff), record_file);
    ot_assert(fwrite(bytes + 4 + tags, 1, body, record_file) == body);
    free(bytes);
    return true;
}

static void
serve(int fd, const uint8_t *frame, size_t len)
{
    RequestHead head;
    WireReader r;

    arena_reset(server_arena);
    wire_reader_init(&r, frame + 4, len - 4, server_arena);
    ot_assert(frame_read_head(&r, &head) == 0);
    if (answer_opening(fd, &head, &r))
        return;
    if (record_file != NULL ? answer_from_node(fd, &head, frame, len)
                            : answer_from_input(fd, &head))
        return;
    peers[fd].ended = true;
    give(fd, "", 0);
}

/* ---- in the place of net.c ---- */

int
net_resolve(const char *host, uint16_t port, bool passive, NetAddress ret[NET_ADDRESSES_MAX],
            ErrInfo *err)
{
    (void)host, (void)port, (void)passive, (void)err;
    ret[0] = (NetAddress){.len = 0};
    return 1;
}

int
net_connect(const NetAddress *address, ErrInfo *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    (void)address, (void)err;
    ot_assert(fd >= 0 && fd < PEERS_MAX);
    free(peers[fd].in);
    free(peers[fd].out);
    peers[fd] = (Peer){.in = NULL};
    return fd;
}

int
net_connect_result(int fd, ErrInfo *err)
{
    (void)fd, (void)err;
    return 0;
}

void
net_set_nodelay(int fd)
{
    (void)fd;
}

void
net_address_text(const NetAddress *address, char ret[NET_TEXT_MAX])
{
    (void)address;
    (void)snprintf(ret, NET_TEXT_MAX, "peer");
}

int64_t
net_writev(int fd, const struct iovec *iov, int count)
{
    Peer *peer = &peers[fd];
    size_t at = 0;

    ot_assert(count == 1);
    append(&peer->in, &peer->in_len, iov->iov_base, iov->iov_len);
    while (peer->in_len - at >= 4 && peer->in_len - at - 4 >= wire_load32(peer->in + at)) {
        size_t len = 4 + wire_load32(peer->in + at);

        if (!peer->ended)
            serve(fd, peer->in + at, len);
        at += len;
    }
    memmove(peer->in, peer->in + at, peer->in_len - at);
    peer->in_len -= at;
    return (int64_t)iov->iov_len;
}

int64_t
net_read(int fd, void *buffer, size_t size)
{
    Peer *peer = &peers[fd];
    size_t left = peer->out_len - peer->out_at;
    uint64_t count;

    if (left == 0)
        return peer->ended ? 0 : OT_E_AGAIN;
    if (size > left)
        size = left;
    memcpy(buffer, peer->out + peer->out_at, size);
    peer->out_at += size;
    if (size < left)
        return (int64_t)size;
    peer->out_len = peer->out_at = 0;
    if (!peer->ended)
        (void)!read(fd, &count, sizeof count);
    return (int64_t)size;
}

/* ---- questions ---- */

static uint64_t seen; /* so that every byte of a result is read */

static void
look(StrView text)
{
    ot_assert(text.len <= 0 || text.ptr != NULL);
    for (int32_t i = 0; i < text.len; i++)
        seen += (uint8_t)text.ptr[i];
}

static int
take_columns(void *arg, const SqlColumn *columns, int32_t count)
{
    (void)arg;
    for (int32_t i = 0; i < count; i++)
        look(strview_from(columns[i].name));
    return 0;
}

static int
take_row(void *arg, const SqlValue *values, int32_t count)
{
    (void)arg;
    for (int32_t i = 0; i < count; i++) {
        if (values[i].type == SQL_TEXT || values[i].type == SQL_BLOB)
            look(values[i].bytes);
    }
    return 0;
}

static int
run_sql(void *arg, StrView text, Fault *f)
{
    static const SqlSink sink = {take_columns, take_row, NULL};
    char tag[SQL_TAG_MAX];

    return sql_run(arg, text, &sink, tag, f);
}

static void
take_notice(void *arg, const char *severity, const char *text)
{
    (void)arg;
    look(strview_from(severity));
    for (const char *at = text; *at != '\0'; at++)
        ot_assert((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static int
take_table(void *arg, const PrintTable *table, Fault *f)
{
    (void)arg, (void)f;
    for (int64_t row = 0; row < print_table_rows(table); row++) {
        for (int32_t i = 0; i < table->column_count; i++)
            look(print_table_cell(table, row, i));
    }
    return 0;
}

static int
give_password(void *arg, const char *user, char *ret, size_t size, Fault *f)
{
    (void)arg, (void)user, (void)f;
    (void)snprintf(ret, size, "secret");
    return 0;
}

/* Every table of the catalogue is asked by a question. */
static void
check_table(void *arg, const char *table, const char *column, const char *declared)
{
    bool asked = false;

    (void)arg, (void)column, (void)declared;
    for (size_t i = 0; i < QUESTION_COUNT; i++)
        asked = asked || strstr(questions[i], table) != NULL;
    ot_assert(asked);
}

static int
ask(Client **client, const char *question, Fault *f)
{
    const SqlEnv sql_env = {.client = client, .timezone = "UTC"};
    StatementEnv env = {.client = client,
                        .notice = take_notice,
                        .table = take_table,
                        .query = run_sql,
                        .password = give_password,
                        .timezone = "UTC"};
    char tag[STATEMENT_TAG_MAX];
    static bool checked;
    Sql *sql;
    int status;

    ot_assert(sql_open(&sql_env, &sql, f) == 0);
    if (!checked)
        sql_tables(sql, check_table, NULL);
    checked = true;
    env.arg = sql;
    status = sql_knows(strview_from(question))
                 ? run_sql(sql, strview_from(question), f)
                 : statement_run(&env, strview_from(question), tag, f);
    sql_close(sql);
    return status;
}

/* ---- recording ---- */

static void
begin_recording(const char *order, const uint8_t *data, size_t size)
{
    struct sockaddr_in node = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *path;

    ot_assert(size == 3);
    node.sin_port = htons((uint16_t)strtol(order, &path, 10));
    record_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    record_file = fopen(path + 1, "wb");
    ot_assert(record_file != NULL && record_fd >= 0 &&
              connect(record_fd, (struct sockaddr *)&node, sizeof node) == 0);
    ot_assert(fwrite(data, 1, size, record_file) == size);
}

static void
end_recording(const char *question, int status, const Fault *f)
{
    if (record_file == NULL)
        return;
    printf("# %s: %s\n", question, status == 0 ? "good" : f->message);
    ot_assert(fclose(record_file) == 0);
    (void)close(record_fd);
    record_file = NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *question;
    ClientTarget target;
    Client *client = NULL;
    Fault f = {.kafka_error = 0};
    int status;

    fuzz_quiet();
    if (server_arena == NULL) {
        server_arena = arena_new(65536, 0);
        ot_assert(server_arena != NULL && setenv("HOME", fuzz_folder(), 1) == 0);
    }
    answers = (FuzzInput){data, data + size};
    flags = fuzz_byte(&answers);
    age = fuzz_byte(&answers);
    question = questions[fuzz_byte(&answers) % QUESTION_COUNT];
    if (getenv(RECORD_ENV) != NULL)
        begin_recording(getenv(RECORD_ENV), data, size);
    client_target_init(&target);
    status = client_target_parse(&target,
                                 STRVIEW("host=127.0.0.1 port=9092 connect_timeout=" TIMEOUT_MS
                                         " request_timeout=" TIMEOUT_MS),
                                 &f);
    ot_assert(status == 0);
    status = client_open(&target, &client, &f);
    if (status == 0)
        status = ask(&client, question, &f);
    ot_assert(status == 0 || (strlen(f.sqlstate) == 5 && f.message[0] != '\0'));
    end_recording(question, status, &f);
    client_close(client);
    return 0;
}
