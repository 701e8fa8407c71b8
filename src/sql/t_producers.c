/*
 * t_producers.c - producers that partitions remember, and the errors of the protocol
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_producers.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

/* ---- producers ---- */

enum {
    PROD_TOPIC,
    PROD_PARTITION,
    PROD_ID,
    PROD_EPOCH,
    PROD_SEQUENCE,
    PROD_TIMESTAMP,
    PROD_TIMESTAMP_MS,
    PROD_COORDINATOR_EPOCH,
    PROD_TXN_START
};

static const SqlColumnDef prod_columns[] = {
    [PROD_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [PROD_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [PROD_ID] = {"producer_id", SQL_DECL_INTEGER, 0},
    [PROD_EPOCH] = {"epoch", SQL_DECL_INTEGER, 0},
    [PROD_SEQUENCE] = {"last_sequence", SQL_DECL_INTEGER, 0},
    [PROD_TIMESTAMP] = {"last_timestamp", SQL_DECL_TIME, 0},
    [PROD_TIMESTAMP_MS] = {"last_timestamp_ms", SQL_DECL_INTEGER, 0},
    [PROD_COORDINATOR_EPOCH] = {"coordinator_epoch", SQL_DECL_INTEGER, 0},
    [PROD_TXN_START] = {"txn_start_offset", SQL_DECL_INTEGER, 0},
};

static const SqlCallDef prod_calls[] = {{"Metadata", 0}, {"DescribeProducers", 0}};

static void
add_producers(SqlScan *scan, StrView topic, const DescribeProducersResponsePartition *partition)
{
    for (int32_t i = 0; i < partition->active_producers_count; i++) {
        const DescribeProducersResponseProducerState *p = &partition->active_producers[i];
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            return;
        row_text(scan, row, PROD_TOPIC, topic);
        row_int(scan, row, PROD_PARTITION, partition->partition_index);
        row_int(scan, row, PROD_ID, p->producer_id);
        row_int(scan, row, PROD_EPOCH, p->producer_epoch);
        if (p->last_sequence >= 0)
            row_int(scan, row, PROD_SEQUENCE, p->last_sequence);
        row_time(scan, row, PROD_TIMESTAMP, p->last_timestamp);
        if (p->last_timestamp >= 0)
            row_int(scan, row, PROD_TIMESTAMP_MS, p->last_timestamp);
        if (p->coordinator_epoch >= 0)
            row_int(scan, row, PROD_COORDINATOR_EPOCH, p->coordinator_epoch);
        if (p->current_txn_start_offset >= 0)
            row_int(scan, row, PROD_TXN_START, p->current_txn_start_offset);
    }
}

/* What one leader has: a request with all its partitions. */
static int
ask_leader(SqlScan *scan, Client *client, const CacheTopics *topics, int32_t leader, Fault *f)
{
    ClientCall call = client_call_to(leader, API_DescribeProducers);
    DescribeProducersRequest request;
    DescribeProducersResponse response;
    Arena *arena = scan->sql->arena;

    describe_producers_request_init(&request);
    request.topics = arena_calloc(arena, (size_t)topics->count + 1, sizeof *request.topics);
    if (request.topics == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    for (int32_t i = 0; i < topics->count; i++) {
        const CacheTopic *topic = topics->topics[i];
        DescribeProducersRequestTopic *to = &request.topics[request.topics_count];

        describe_producers_request_topic_init(to);
        to->name = topic->name;
        to->partition_indexes =
            arena_calloc(arena, (size_t)topic->partition_count + 1, sizeof *to->partition_indexes);
        if (to->partition_indexes == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "out of memory");
        for (int32_t p = 0; p < topic->partition_count; p++)
            if (topic->partitions[p].leader == leader &&
                scan_admits_int(scan, PROD_PARTITION, topic->partitions[p].partition))
                to->partition_indexes[to->partition_indexes_count++] =
                    topic->partitions[p].partition;
        request.topics_count += to->partition_indexes_count > 0;
    }
    if (request.topics_count == 0)
        return 0;
    if (client_call(client, &call, &request, &response, arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++)
        for (int32_t p = 0; p < response.topics[i].partitions_count; p++)
            if (response.topics[i].partitions[p].error_code == 0)
                add_producers(scan, response.topics[i].name, &response.topics[i].partitions[p]);
    return 0;
}

static int
scan_producers(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    const DescribeClusterResponse *cluster;
    CacheTopics topics;

    if (client == NULL || cache_topics(scan->sql, scan_key(scan, PROD_TOPIC), &topics, f) != 0 ||
        cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count; i++)
        if (!cluster->brokers[i].is_fenced &&
            ask_leader(scan, client, &topics, cluster->brokers[i].broker_id, f) != 0)
            return -1;
    return scan_end(scan, f);
}

const SqlTable table_producers = {
    .name = "producers",
    .help = "idempotent and transactional producers that partitions remember",
    SQL_COLUMNS(prod_columns),
    SQL_CALLS(prod_calls),
    .rows_of = SQL_ROWS_PARTITIONS,
    .scan = scan_producers};

/* ---- errors ---- */

enum { ERROR_NUMBER, ERROR_NAME, ERROR_RETRYABLE, ERROR_SQLSTATE, ERROR_TEXT };

static const SqlColumnDef error_columns[] = {
    [ERROR_NUMBER] = {"number", SQL_DECL_INTEGER, 0},
    [ERROR_NAME] = {"name", SQL_DECL_TEXT, 0},
    [ERROR_RETRYABLE] = {"retryable", SQL_DECL_BOOLEAN, 0},
    [ERROR_SQLSTATE] = {"sqlstate", SQL_DECL_TEXT, 0},
    [ERROR_TEXT] = {"text", SQL_DECL_TEXT, 0},
};

#define ERROR_NUMBER_MAX 1000 /* Kafka's numbers have no holes so far, and end far below */

static int
scan_errors(SqlScan *scan, Fault *f)
{
    for (int n = -1; n < ERROR_NUMBER_MAX; n++) {
        const char *name = fault_kafka_name((int16_t)n);
        SqlValue *row;

        if (strcmp(name, "UNKNOWN") == 0)
            continue;
        row = scan_row(scan);
        if (row == NULL)
            break;
        row_int(scan, row, ERROR_NUMBER, n);
        row_cstr(scan, row, ERROR_NAME, name);
        row_bool(scan, row, ERROR_RETRYABLE, client_retryable((int16_t)n, NULL));
        row_cstr(scan, row, ERROR_SQLSTATE, n == 0 ? "00000" : fault_sqlstate_of((int16_t)n));
        row_cstr(scan, row, ERROR_TEXT, fault_kafka_text((int16_t)n));
    }
    return scan_end(scan, f);
}

const SqlTable table_errors = {.name = "errors",
                               .help = "errors of the protocol",
                               SQL_COLUMNS(error_columns),
                               .rows_guess = 13,
                               .scan = scan_errors};
