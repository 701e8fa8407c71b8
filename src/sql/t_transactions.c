/*
 * t_transactions.c - transactions that coordinators know: ListTransactions, DescribeTransactions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "ottla/common/clock.h"
#include "ottla/common/strbuf.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_transactions.h"
#include "ottla/protocol/msg_list_transactions.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))
#define AT_ONCE     100 /* transactions of one description request */

enum {
    TXN_ID,
    TXN_STATE,
    TXN_COORDINATOR,
    TXN_PRODUCER,
    TXN_EPOCH,
    TXN_TIMEOUT,
    TXN_STARTED,
    TXN_STARTED_MS,
    TXN_AGE,
    TXN_PARTITIONS
};

static const SqlColumnDef txn_columns[] = {
    [TXN_ID] = {"transactional_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [TXN_STATE] = {"state", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [TXN_COORDINATOR] = {"coordinator", SQL_DECL_INTEGER, 0},
    [TXN_PRODUCER] = {"producer_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [TXN_EPOCH] = {"producer_epoch", SQL_DECL_INTEGER, 0},
    [TXN_TIMEOUT] = {"timeout_ms", SQL_DECL_MILLIS, 0},
    [TXN_STARTED] = {"started", SQL_DECL_TIME, 0},
    [TXN_STARTED_MS] = {"started_ms", SQL_DECL_INTEGER, 0},
    [TXN_AGE] = {"age_ms", SQL_DECL_MILLIS, 0},
    [TXN_PARTITIONS] = {"partitions", SQL_DECL_JSON, 0},
};

#define TXN_DESCRIBED                                                                            \
    (BIT(TXN_EPOCH) | BIT(TXN_TIMEOUT) | BIT(TXN_STARTED) | BIT(TXN_STARTED_MS) | BIT(TXN_AGE) | \
     BIT(TXN_PARTITIONS))

static const SqlCallDef txn_calls[] = {{"ListTransactions", 0},
                                       {"DescribeTransactions", TXN_DESCRIBED}};

/* {"orders":[0,1]} */
static void
set_partitions(SqlScan *scan, SqlValue *row,
               const DescribeTransactionsResponseTransactionState *txn)
{
    StrBuf text;

    if (!scan_uses(scan, TXN_PARTITIONS))
        return;
    strbuf_init(&text, 1 << 20, scan->arena);
    strbuf_add_char(&text, '{');
    for (int32_t i = 0; i < txn->topics_count; i++) {
        strbuf_add_cstr(&text, i == 0 ? "" : ",");
        strbuf_add_json(&text, txn->topics[i].topic);
        for (int32_t p = 0; p < txn->topics[i].partitions_count; p++)
            strbuf_printf(&text, "%s%" PRId32, p == 0 ? ":[" : ",", txn->topics[i].partitions[p]);
        strbuf_add_cstr(&text, txn->topics[i].partitions_count == 0 ? ":[]" : "]");
    }
    strbuf_add_char(&text, '}');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, TXN_PARTITIONS, strbuf_view(&text));
}

static void
set_description(SqlScan *scan, SqlValue *row,
                const DescribeTransactionsResponseTransactionState *txn)
{
    row_int(scan, row, TXN_EPOCH, txn->producer_epoch);
    row_int(scan, row, TXN_TIMEOUT, txn->transaction_timeout_ms);
    if (txn->transaction_start_time_ms >= 0) {
        row_time(scan, row, TXN_STARTED, txn->transaction_start_time_ms);
        row_int(scan, row, TXN_STARTED_MS, txn->transaction_start_time_ms);
        row_int(scan, row, TXN_AGE, clock_wall_ms() - txn->transaction_start_time_ms);
    }
    set_partitions(scan, row, txn);
}

/* Descriptions of some, in any order; *ret stays empty where they are not looked at. */
static int
describe_some(SqlScan *scan, Client *client, int32_t node,
              const ListTransactionsResponseTransactionState *listed, int32_t count,
              DescribeTransactionsResponse *ret, Fault *f)
{
    ClientCall call = client_call_to(node, API_DescribeTransactions);
    DescribeTransactionsRequest request;

    *ret = (DescribeTransactionsResponse){.transaction_states_count = 0};
    if ((scan->used & TXN_DESCRIBED) == 0)
        return 0;
    describe_transactions_request_init(&request);
    request.transactional_ids =
        arena_calloc(scan->sql->arena, (size_t)count + 1, sizeof *request.transactional_ids);
    if (request.transactional_ids == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    for (int32_t i = 0; i < count; i++)
        request.transactional_ids[request.transactional_ids_count++] = listed[i].transactional_id;
    return client_call(client, &call, &request, ret, scan->sql->arena, f);
}

typedef struct TxnNode {
    SqlScan *scan;
    Client *client;
    int32_t node;
} TxnNode;

static int
add_some(const TxnNode *at, const ListTransactionsResponseTransactionState *listed, int32_t count,
         Fault *f)
{
    SqlScan *scan = at->scan;
    DescribeTransactionsResponse described;

    if (describe_some(scan, at->client, at->node, listed, count, &described, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        SqlValue *row;

        if (!scan_admits(scan, TXN_ID, listed[i].transactional_id))
            continue;
        row = scan_row(scan);
        if (row == NULL)
            return 0;
        row_text(scan, row, TXN_ID, listed[i].transactional_id);
        row_text(scan, row, TXN_STATE, listed[i].transaction_state);
        row_int(scan, row, TXN_COORDINATOR, at->node);
        row_int(scan, row, TXN_PRODUCER, listed[i].producer_id);
        for (int32_t d = 0; d < described.transaction_states_count; d++)
            if (described.transaction_states[d].error_code == 0 &&
                strview_equal(described.transaction_states[d].transactional_id,
                              listed[i].transactional_id))
                set_description(scan, row, &described.transaction_states[d]);
    }
    return 0;
}

static int
scan_node(const TxnNode *at, Fault *f)
{
    ClientCall call = client_call_to(at->node, API_ListTransactions);
    const SqlKey *producers = scan_key(at->scan, TXN_PRODUCER);
    ListTransactionsRequest request;
    ListTransactionsResponse response;

    list_transactions_request_init(&request);
    if (producers != NULL) {
        request.producer_id_filters =
            arena_calloc(at->scan->sql->arena, (size_t)producers->count + 1,
                         sizeof *request.producer_id_filters);
        if (request.producer_id_filters == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "out of memory");
        for (int32_t i = 0; i < producers->count; i++)
            request.producer_id_filters[request.producer_id_filters_count++] =
                producers->values[i].integer;
    }
    if (client_call(at->client, &call, &request, &response, at->scan->sql->arena, f) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(f, response.error_code, at->node, NULL);
    for (int32_t i = 0; i < response.transaction_states_count; i += AT_ONCE) {
        int32_t left = response.transaction_states_count - i;

        if (add_some(at, &response.transaction_states[i], left < AT_ONCE ? left : AT_ONCE, f) != 0)
            return -1;
    }
    return 0;
}

static int
scan_transactions(SqlScan *scan, Fault *f)
{
    TxnNode at = {.scan = scan, .client = sql_client(scan->sql, f)};
    const DescribeClusterResponse *cluster;

    if (at.client == NULL)
        return -1;
    if (client_version(at.client, CLIENT_HERE, API_ListTransactions) < 0)
        return fault_set(f, FAULT_NOT_SUPPORTED,
                         client_info(at.client)->is_ottla
                             ? "table \"transactions\" comes with the feature \"transactions\""
                             : "the server lists no transactions");
    if (cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        at.node = cluster->brokers[i].broker_id;
        if (!cluster->brokers[i].is_fenced && scan_node(&at, f) != 0)
            return -1;
    }
    return scan_end(scan, f);
}

const SqlTable table_transactions = {.name = "transactions",
                                     .help = "transactions that coordinators know",
                                     SQL_COLUMNS(txn_columns),
                                     SQL_CALLS(txn_calls),
                                     .scan = scan_transactions};
