/*
 * do_transactions.c - transactions whose producers are gone: found, ended
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "exec_int.h"
#include "ottla/common/clock.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_producers.h"
#include "ottla/protocol/msg_init_producer_id.h"
#include "ottla/protocol/msg_list_transactions.h"
#include "ottla/protocol/msg_write_txn_markers.h"

/* An open transaction younger than the longest that a broker lets be is none that hangs. */
#define HANGING_AFTER_MS INT64_C(900000)

static int
read_producers(Exec *x, StrView topic, int32_t partition, int32_t leader,
               DescribeProducersResponsePartition *ret)
{
    DescribeProducersRequest request;
    DescribeProducersRequestTopic t;
    DescribeProducersResponse response;

    describe_producers_request_init(&request);
    describe_producers_request_topic_init(&t);
    t.name = topic;
    t.partition_indexes = &partition;
    t.partition_indexes_count = 1;
    request.topics = &t;
    request.topics_count = 1;
    if (exec_read(x, leader, API_DescribeProducers, &request, &response) != 0)
        return -1;
    if (response.topics_count != 1 || response.topics[0].partitions_count != 1)
        return fault_set(x->f, FAULT_BAD_REPLY,
                         "the answer to DescribeProducers is not about what was asked");
    *ret = response.topics[0].partitions[0];
    if (ret->error_code != 0)
        return fault_kafka(x->f, ret->error_code, leader,
                           "could not look at producers of topic \"%.*s\": %s", (int)topic.len,
                           topic.ptr, fault_kafka_text(ret->error_code));
    return 0;
}

/* ---- ABORT TRANSACTION ---- */

/* By its id: who begins anew with it ends what was open, and shuts the old producer out. */
static int
abort_by_id(Exec *x, StrView id)
{
    for (int attempt = 1;; attempt++) {
        InitProducerIdRequest request;
        InitProducerIdResponse response;
        int32_t node;
        int rc;

        if (client_coordinator(x->client, 1, id, &node, x->f) != 0)
            return -1;
        init_producer_id_request_init(&request);
        request.transactional_id = id;
        request.transaction_timeout_ms = 60000;
        rc = exec_change(x, node, API_InitProducerId, &request, &response);
        if (rc != 0)
            return rc;
        if (response.error_code == 0)
            break;
        rc = exec_again(x, response.error_code, attempt);
        if (rc == 1)
            continue;
        return rc < 0 ? -1
                      : fault_kafka(x->f, response.error_code, node,
                                    "could not abort transaction \"%.*s\": %s", (int)id.len, id.ptr,
                                    fault_kafka_text(response.error_code));
    }
    exec_tag(x, "ABORT TRANSACTION");
    return 0;
}

/* By a marker in the log: for transactions that no coordinator knows. */
static int
abort_by_marker(Exec *x)
{
    StrView topic = statement_text_of(x->s, ITEM_TOPIC);
    int32_t partition = (int32_t)statement_number_of(x->s, ITEM_PARTITION, 0), leader;
    int64_t producer = statement_number_of(x->s, ITEM_PRODUCER, -1);
    DescribeProducersResponsePartition found;
    WriteTxnMarkersRequest request;
    WriteTxnMarkersRequestWritableTxnMarker marker;
    WriteTxnMarkersRequestTopic t;
    WriteTxnMarkersResponse response;
    int rc;

    if (client_leader(x->client, topic, partition, &leader, x->f) != 0 ||
        read_producers(x, topic, partition, leader, &found) != 0)
        return -1;
    write_txn_markers_request_init(&request);
    write_txn_markers_request_writable_txn_marker_init(&marker);
    write_txn_markers_request_topic_init(&t);
    t.name = topic;
    t.partition_indexes = &partition;
    t.partition_indexes_count = 1;
    marker.producer_id = -1;
    for (int32_t i = 0; i < found.active_producers_count; i++) {
        const DescribeProducersResponseProducerState *p = &found.active_producers[i];

        if (p->producer_id != producer || p->current_txn_start_offset < 0)
            continue;
        marker.producer_id = producer;
        marker.producer_epoch = (int16_t)p->producer_epoch;
        marker.coordinator_epoch = p->coordinator_epoch < 0 ? 0 : p->coordinator_epoch;
    }
    if (marker.producer_id < 0)
        return fault_set(x->f, "42704", "producer %" PRId64 " has no open transaction there",
                         producer);
    marker.topics = &t;
    marker.topics_count = 1;
    request.markers = &marker;
    request.markers_count = 1;
    rc = exec_change(x, leader, API_WriteTxnMarkers, &request, &response);
    if (rc != 0)
        return rc;
    if (response.markers_count == 1 && response.markers[0].topics_count == 1 &&
        response.markers[0].topics[0].partitions_count == 1 &&
        response.markers[0].topics[0].partitions[0].error_code != 0)
        return fault_kafka(x->f, response.markers[0].topics[0].partitions[0].error_code, leader,
                           "could not abort the transaction");
    exec_tag(x, "ABORT TRANSACTION");
    return 0;
}

int
do_abort_transaction(Exec *x)
{
    if (client_version(x->client, CLIENT_HERE, API_WriteTxnMarkers) < 0 &&
        client_version(x->client, CLIENT_HERE, API_EndTxn) < 0)
        return exec_not_supported(x, "this server has no transactions yet");
    if (exec_confirm(x, "Abort the transaction?") != 0)
        return -1;
    if (statement_has(x->s, ITEM_TRANSACTION))
        return abort_by_id(x, statement_text_of(x->s, ITEM_TRANSACTION));
    return abort_by_marker(x);
}

/* ---- FIND HANGING TRANSACTIONS ---- */

/* Does some coordinator know a transaction of this producer? */
static int
is_known(Exec *x, int64_t producer, bool *ret)
{
    const ClientBroker *brokers;
    int32_t count, nodes[256];

    *ret = false;
    if (client_version(x->client, CLIENT_HERE, API_ListTransactions) < 0)
        return 0;
    if (client_brokers(x->client, &brokers, &count, x->f) != 0)
        return -1;
    count = count > 256 ? 256 : count;
    for (int32_t i = 0; i < count; i++)
        nodes[i] = brokers[i].node_id;
    for (int32_t i = 0; i < count && !*ret; i++) {
        ListTransactionsRequest request;
        ListTransactionsResponse response;

        list_transactions_request_init(&request);
        request.producer_id_filters = &producer;
        request.producer_id_filters_count = 1;
        if (exec_read(x, nodes[i], API_ListTransactions, &request, &response) != 0)
            return -1;
        for (int32_t j = 0; j < response.transaction_states_count; j++)
            *ret = *ret || strview_equal(response.transaction_states[j].transaction_state,
                                         STRVIEW("Ongoing"));
    }
    return 0;
}

static int
add_hanging(Exec *x, const Item *item, const DescribeProducersResponsePartition *found,
            int64_t after_ms, PrintTable *table)
{
    int64_t now_ms = clock_wall_ms();

    for (int32_t i = 0; i < found->active_producers_count; i++) {
        const DescribeProducersResponseProducerState *p = &found->active_producers[i];
        bool known;

        if (p->current_txn_start_offset < 0 || now_ms - p->last_timestamp < after_ms)
            continue;
        if (is_known(x, p->producer_id, &known) != 0)
            return -1;
        if (known)
            continue;
        print_table_add_cell(table, item->name);
        print_table_add_int(table, item->partition);
        print_table_add_int(table, p->producer_id);
        print_table_add_int(table, p->producer_epoch);
        print_table_add_int(table, p->current_txn_start_offset);
        print_table_add_int(table, now_ms - p->last_timestamp);
    }
    return 0;
}

int
do_find_hanging(Exec *x)
{
    int64_t broker = statement_number_of(x->s, ITEM_BROKER, -1), after_ms = HANGING_AFTER_MS;
    int32_t at = statement_find(x->s, ITEM_DURATION, 0);
    Items partitions = {0};
    PrintTable table;

    if (at >= 0 && !value_duration_ms(x->s->items[at].text, &after_ms))
        return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no duration",
                              (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    if (partitions_of_cluster(x, &partitions) != 0)
        return -1;
    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("topic"), 'l');
    print_table_add_column(&table, STRVIEW("partition"), 'r');
    print_table_add_column(&table, STRVIEW("producer_id"), 'r');
    print_table_add_column(&table, STRVIEW("epoch"), 'r');
    print_table_add_column(&table, STRVIEW("start_offset"), 'r');
    print_table_add_column(&table, STRVIEW("silent_for"), 'r');
    print_table_column_unit(&table, PRINT_UNIT_MS);
    for (int32_t i = 0; i < partitions.count; i++) {
        const Item *item = &partitions.list[i];
        DescribeProducersResponsePartition found;

        /* number: the leader, -1: none just now */
        if (item->number < 0 || (broker >= 0 && item->number != broker))
            continue;
        if (read_producers(x, item->name, item->partition, (int32_t)item->number, &found) != 0 ||
            add_hanging(x, item, &found, after_ms, &table) != 0)
            return -1;
    }
    return exec_table(x, &table);
}
