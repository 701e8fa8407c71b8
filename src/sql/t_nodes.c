/*
 * t_nodes.c - brokers, their directories, the quorum, features, APIs, producers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_describe_producers.h"
#include "ottla/protocol/msg_describe_quorum.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))

/* ---- brokers ---- */

enum {
    BROKER_NODE,
    BROKER_HOST,
    BROKER_PORT,
    BROKER_LISTENER,
    BROKER_RACK,
    BROKER_CONTROLLER,
    BROKER_ROLES,
    BROKER_FENCED,
    BROKER_LEADERS,
    BROKER_REPLICAS,
    BROKER_SIZE,
    BROKER_VERSION,
    BROKER_EPOCH,
    BROKER_INCARNATION,
    BROKER_UPTIME
};

static const SqlColumnDef broker_columns[] = {
    [BROKER_NODE] = {"node_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [BROKER_HOST] = {"host", SQL_DECL_TEXT, 0},
    [BROKER_PORT] = {"port", SQL_DECL_INTEGER, 0},
    [BROKER_LISTENER] = {"listener", SQL_DECL_TEXT, 0},
    [BROKER_RACK] = {"rack", SQL_DECL_TEXT, 0},
    [BROKER_CONTROLLER] = {"is_controller", SQL_DECL_BOOLEAN, 0},
    [BROKER_ROLES] = {"roles", SQL_DECL_TEXT, 0},
    [BROKER_FENCED] = {"fenced", SQL_DECL_BOOLEAN, 0},
    [BROKER_LEADERS] = {"leaders", SQL_DECL_INTEGER, 0},
    [BROKER_REPLICAS] = {"replicas", SQL_DECL_INTEGER, 0},
    [BROKER_SIZE] = {"size_bytes", SQL_DECL_BYTES, 0},
    [BROKER_VERSION] = {"version", SQL_DECL_TEXT, 0},
    [BROKER_EPOCH] = {"epoch", SQL_DECL_INTEGER, 0},
    [BROKER_INCARNATION] = {"incarnation", SQL_DECL_TEXT, 0},
    [BROKER_UPTIME] = {"uptime_ms", SQL_DECL_MILLIS, 0},
};

#define BROKER_OWN \
    (BIT(BROKER_VERSION) | BIT(BROKER_EPOCH) | BIT(BROKER_INCARNATION) | BIT(BROKER_UPTIME))

static const SqlCallDef broker_calls[] = {
    {"DescribeCluster", 0},
    {"DescribeQuorum", BIT(BROKER_CONTROLLER) | BIT(BROKER_ROLES)},
    {"Metadata", BIT(BROKER_LEADERS) | BIT(BROKER_REPLICAS)},
    {"DescribeLogDirs", BIT(BROKER_SIZE)},
    {"OttlaStat", BROKER_OWN | BIT(BROKER_LISTENER)}};

static int
ask_quorum(Sql *sql, DescribeQuorumResponse *ret, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeQuorum);
    DescribeQuorumRequestPartition partition;
    DescribeQuorumRequestTopic topic;
    DescribeQuorumRequest request;
    const DescribeQuorumResponsePartition *answer;

    if (client == NULL)
        return -1;
    describe_quorum_request_init(&request);
    describe_quorum_request_topic_init(&topic);
    describe_quorum_request_partition_init(&partition);
    topic.topic_name = STRVIEW("__cluster_metadata");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.topics = &topic;
    request.topics_count = 1;
    if (client_call(client, &call, &request, ret, sql->arena, f) != 0)
        return -1;
    if (ret->error_code != 0)
        return fault_kafka(f, ret->error_code, -1, NULL);
    if (ret->topics_count != 1 || ret->topics[0].partitions_count != 1)
        return fault_set(f, FAULT_BAD_REPLY,
                         "an answer to DescribeQuorum without the metadata log");
    answer = &ret->topics[0].partitions[0];
    return answer->error_code == 0 ? 0 : fault_kafka(f, answer->error_code, -1, NULL);
}

/* Leaders and replicas of a broker. */
static void
count_partitions(const CacheTopics *topics, int32_t broker, int64_t *ret_leaders,
                 int64_t *ret_replicas)
{
    *ret_leaders = *ret_replicas = 0;
    for (int32_t i = 0; i < topics->count; i++) {
        for (int32_t p = 0; p < topics->topics[i]->partition_count; p++) {
            const CachePartition *partition = &topics->topics[i]->partitions[p];

            *ret_leaders += partition->leader == broker;
            for (int32_t r = 0; r < partition->replica_count; r++)
                *ret_replicas += partition->replicas[r] == broker;
        }
    }
}

static int64_t
dir_bytes(const CacheDirs *dirs)
{
    int64_t bytes = 0;

    for (int32_t d = 0; d < dirs->response.results_count; d++)
        for (int32_t t = 0; t < dirs->response.results[d].topics_count; t++)
            for (int32_t p = 0; p < dirs->response.results[d].topics[t].partitions_count; p++)
                bytes += dirs->response.results[d].topics[t].partitions[p].partition_size;
    return bytes;
}

typedef struct OwnWords {
    SqlScan *scan;
    SqlValue *row;
    StrView listener;
} OwnWords;

/* What a node of ours says of itself: epoch, incarnation, version, uptime_ms. */
static int
take_own_words(void *arg, const ClientStatCell *cells, int32_t count)
{
    OwnWords *own = arg;
    SqlScan *scan = own->scan;

    if (count < 4)
        return 0;
    if (!cells[0].null)
        row_int(scan, own->row, BROKER_EPOCH, cells[0].number);
    if (!cells[1].null)
        row_cstr(scan, own->row, BROKER_INCARNATION, arena_strdup(scan->arena, cells[1].text));
    if (!cells[2].null)
        row_cstr(scan, own->row, BROKER_VERSION,
                 arena_printf(scan->arena, "Ottla %.*s", cells[2].text.len, cells[2].text.ptr));
    if (!cells[3].null)
        row_int(scan, own->row, BROKER_UPTIME, cells[3].number);
    return 0;
}

/* Others are known by what their greeting told, if it is the node of the connection. A node that cannot be asked is not known. */
static int
set_own_words(SqlScan *scan, SqlValue *row, Client *client, int32_t node, Fault *f)
{
    static const char *const columns[] = {"epoch", "incarnation", "version", "uptime_ms"};
    const ClientInfo *info = client_info(client);
    ClientStatQuery query = {.view = "brokers", .columns = columns, .column_count = 4};
    OwnWords own = {.scan = scan, .row = row};
    Fault ignored;

    if ((scan->used & BROKER_OWN) == 0)
        return 0;
    if (node == info->node_id && info->server_name[0] != '\0')
        row_cstr(scan, row, BROKER_VERSION,
                 arena_printf(scan->arena, "%s%s%s", info->server_name,
                              info->server_version[0] == '\0' ? "" : " ", info->server_version));
    if (!info->is_ottla || client_stat(client, node, &query, take_own_words, &own, &ignored) == 0 ||
        strcmp(ignored.sqlstate, FAULT_CANCELED) != 0)
        return 0;
    *f = ignored;
    return -1;
}

/* The listener that addresses are of, as the node of the connection says. */
static int
take_listener(void *arg, const ClientStatCell *cells, int32_t count)
{
    OwnWords *own = arg;
    const char *name =
        count < 1 || cells[0].null ? NULL : arena_strdup(own->scan->arena, cells[0].text);

    if (name != NULL)
        own->listener = (StrView){name, cells[0].text.len};
    return 0;
}

/* Null where nobody says. */
static int
ask_listener(SqlScan *scan, StrView *ret, Fault *f)
{
    static const char *const columns[] = {"listener"};
    Client *client = *scan->sql->env->client;
    ClientStatQuery query = {.view = "brokers", .columns = columns, .column_count = 1};
    OwnWords own = {.scan = scan};
    Fault ignored;

    if (client_info(client)->is_ottla &&
        client_stat(client, CLIENT_HERE, &query, take_listener, &own, &ignored) != 0 &&
        strcmp(ignored.sqlstate, FAULT_CANCELED) == 0)
        return *f = ignored, -1;
    *ret = own.listener;
    return 0;
}

typedef struct BrokerScan {
    SqlScan *scan;
    StrView listener;
    const DescribeClusterResponse *cluster;
    CacheTopics topics;
    CacheDirs *dirs;
    int32_t dir_count;
    DescribeQuorumResponse response;
    const DescribeQuorumResponsePartition *quorum; /* NULL: not known */
} BrokerScan;

static bool
is_voter(const DescribeQuorumResponsePartition *quorum, int32_t node)
{
    for (int32_t i = 0; i < quorum->current_voters_count; i++)
        if (quorum->current_voters[i].replica_id == node)
            return true;
    return false;
}

static int
add_broker(BrokerScan *b, const DescribeClusterResponseBroker *broker, Fault *f)
{
    SqlScan *scan = b->scan;
    SqlValue *row = scan_row(scan);
    int64_t leaders, replicas;

    if (row == NULL)
        return 0;
    row_int(scan, row, BROKER_NODE, broker->broker_id);
    row_text(scan, row, BROKER_HOST, broker->host);
    row_int(scan, row, BROKER_PORT, broker->port);
    row_text(scan, row, BROKER_LISTENER, b->listener);
    row_text(scan, row, BROKER_RACK, broker->rack);
    if (b->quorum != NULL) {
        row_bool(scan, row, BROKER_CONTROLLER, broker->broker_id == b->quorum->leader_id);
        row_cstr(scan, row, BROKER_ROLES,
                 is_voter(b->quorum, broker->broker_id) ? "broker,controller" : "broker");
    }
    row_bool(scan, row, BROKER_FENCED, broker->is_fenced);
    count_partitions(&b->topics, broker->broker_id, &leaders, &replicas);
    row_int(scan, row, BROKER_LEADERS, leaders);
    row_int(scan, row, BROKER_REPLICAS, replicas);
    for (int32_t d = 0; d < b->dir_count; d++)
        if (b->dirs[d].node_id == broker->broker_id && b->dirs[d].reached)
            row_int(scan, row, BROKER_SIZE, dir_bytes(&b->dirs[d]));
    return broker->is_fenced
               ? 0
               : set_own_words(scan, row, *scan->sql->env->client, broker->broker_id, f);
}

static int
scan_brokers(SqlScan *scan, Fault *f)
{
    BrokerScan b = {.scan = scan};

    if (cache_cluster(scan->sql, &b.cluster, f) != 0)
        return -1;
    if (scan_uses(scan, BROKER_CONTROLLER) || scan_uses(scan, BROKER_ROLES)) {
        /* Brokers of KRaft name any broker as controller; the quorum knows the leader, if we may ask. */
        Fault ignored;

        if (ask_quorum(scan->sql, &b.response, &ignored) == 0)
            b.quorum = &b.response.topics[0].partitions[0];
        else if (strcmp(ignored.sqlstate, FAULT_CANCELED) == 0)
            return *f = ignored, -1;
    }
    if (scan_uses(scan, BROKER_LISTENER) && ask_listener(scan, &b.listener, f) != 0)
        return -1;
    if ((scan_uses(scan, BROKER_LEADERS) || scan_uses(scan, BROKER_REPLICAS)) &&
        cache_topics(scan->sql, NULL, &b.topics, f) != 0)
        return -1;
    if (scan_uses(scan, BROKER_SIZE) &&
        cache_dirs(scan->sql, scan_key(scan, BROKER_NODE), &b.dirs, &b.dir_count, f) != 0)
        return -1;
    for (int32_t i = 0; i < b.cluster->brokers_count; i++)
        if (scan_admits_int(scan, BROKER_NODE, b.cluster->brokers[i].broker_id) &&
            add_broker(&b, &b.cluster->brokers[i], f) != 0)
            return -1;
    return scan_end(scan, f);
}

const SqlTable table_brokers = {.name = "brokers",
                                .help = "brokers of the cluster",
                                SQL_COLUMNS(broker_columns),
                                SQL_CALLS(broker_calls),
                                .scan = scan_brokers};

/* ---- log_dirs ---- */

enum {
    DIR_BROKER,
    DIR_DIRECTORY,
    DIR_ERROR,
    DIR_TOTAL,
    DIR_USABLE,
    DIR_USED,
    DIR_PARTITIONS,
    DIR_CORDONED
};

static const SqlColumnDef dir_columns[] = {
    [DIR_BROKER] = {"broker_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [DIR_DIRECTORY] = {"directory", SQL_DECL_TEXT, 0},
    [DIR_ERROR] = {"error", SQL_DECL_TEXT, 0},
    [DIR_TOTAL] = {"total_bytes", SQL_DECL_BYTES, 0},
    [DIR_USABLE] = {"usable_bytes", SQL_DECL_BYTES, 0},
    [DIR_USED] = {"used_bytes", SQL_DECL_BYTES, 0},
    [DIR_PARTITIONS] = {"partitions", SQL_DECL_INTEGER, 0},
    [DIR_CORDONED] = {"cordoned", SQL_DECL_BOOLEAN, 0},
};

static const SqlCallDef dir_calls[] = {{"DescribeCluster", 0}, {"DescribeLogDirs", 0}};

static int
scan_log_dirs(SqlScan *scan, Fault *f)
{
    CacheDirs *dirs;
    int32_t count;

    if (cache_dirs(scan->sql, scan_key(scan, DIR_BROKER), &dirs, &count, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        for (int32_t d = 0; dirs[i].reached && d < dirs[i].response.results_count; d++) {
            const DescribeLogDirsResponseResult *dir = &dirs[i].response.results[d];
            SqlValue *row = scan_row(scan);
            int64_t used = 0, partitions = 0;

            if (row == NULL)
                return scan_end(scan, f);
            for (int32_t t = 0; t < dir->topics_count; t++) {
                partitions += dir->topics[t].partitions_count;
                for (int32_t p = 0; p < dir->topics[t].partitions_count; p++)
                    used += dir->topics[t].partitions[p].partition_size;
            }
            row_int(scan, row, DIR_BROKER, dirs[i].node_id);
            row_text(scan, row, DIR_DIRECTORY, dir->log_dir);
            if (dir->error_code != 0)
                row_cstr(scan, row, DIR_ERROR, fault_kafka_name(dir->error_code));
            if (dir->total_bytes >= 0)
                row_int(scan, row, DIR_TOTAL, dir->total_bytes);
            if (dir->usable_bytes >= 0)
                row_int(scan, row, DIR_USABLE, dir->usable_bytes);
            row_int(scan, row, DIR_USED, used);
            row_int(scan, row, DIR_PARTITIONS, partitions);
            row_bool(scan, row, DIR_CORDONED, dir->is_cordoned);
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_log_dirs = {.name = "log_dirs",
                                 .help = "log directories of the brokers",
                                 SQL_COLUMNS(dir_columns),
                                 SQL_CALLS(dir_calls),
                                 .scan = scan_log_dirs};

/* ---- quorum ---- */

enum {
    QUORUM_NODE,
    QUORUM_ROLE,
    QUORUM_DIRECTORY,
    QUORUM_LOG_END,
    QUORUM_LAG,
    QUORUM_LAST_FETCH,
    QUORUM_LAST_FETCH_MS,
    QUORUM_CAUGHT_UP,
    QUORUM_CAUGHT_UP_MS,
    QUORUM_LEADER,
    QUORUM_EPOCH,
    QUORUM_HIGH_WATERMARK
};

static const SqlColumnDef quorum_columns[] = {
    [QUORUM_NODE] = {"node_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [QUORUM_ROLE] = {"role", SQL_DECL_TEXT, 0},
    [QUORUM_DIRECTORY] = {"directory_id", SQL_DECL_TEXT, 0},
    [QUORUM_LOG_END] = {"log_end_offset", SQL_DECL_INTEGER, 0},
    [QUORUM_LAG] = {"lag", SQL_DECL_INTEGER, 0},
    [QUORUM_LAST_FETCH] = {"last_fetch", SQL_DECL_TIME, 0},
    [QUORUM_LAST_FETCH_MS] = {"last_fetch_ms", SQL_DECL_INTEGER, 0},
    [QUORUM_CAUGHT_UP] = {"last_caught_up", SQL_DECL_TIME, 0},
    [QUORUM_CAUGHT_UP_MS] = {"last_caught_up_ms", SQL_DECL_INTEGER, 0},
    [QUORUM_LEADER] = {"leader_id", SQL_DECL_INTEGER, 0},
    [QUORUM_EPOCH] = {"epoch", SQL_DECL_INTEGER, 0},
    [QUORUM_HIGH_WATERMARK] = {"high_watermark", SQL_DECL_INTEGER, 0},
};

static const SqlCallDef quorum_calls[] = {{"DescribeQuorum", 0}};

static void
add_quorum_node(SqlScan *scan, const DescribeQuorumResponsePartition *quorum,
                const DescribeQuorumResponseReplicaState *node, const char *role,
                int64_t leader_end)
{
    SqlValue *row = scan_row(scan);

    if (row == NULL)
        return;
    row_int(scan, row, QUORUM_NODE, node->replica_id);
    row_cstr(scan, row, QUORUM_ROLE, node->replica_id == quorum->leader_id ? "leader" : role);
    row_uuid(scan, row, QUORUM_DIRECTORY, node->replica_directory_id);
    if (node->log_end_offset >= 0) {
        row_int(scan, row, QUORUM_LOG_END, node->log_end_offset);
        if (leader_end >= 0)
            row_int(scan, row, QUORUM_LAG, leader_end - node->log_end_offset);
    }
    row_time(scan, row, QUORUM_LAST_FETCH, node->last_fetch_timestamp);
    row_time(scan, row, QUORUM_CAUGHT_UP, node->last_caught_up_timestamp);
    if (node->last_fetch_timestamp >= 0)
        row_int(scan, row, QUORUM_LAST_FETCH_MS, node->last_fetch_timestamp);
    if (node->last_caught_up_timestamp >= 0)
        row_int(scan, row, QUORUM_CAUGHT_UP_MS, node->last_caught_up_timestamp);
    row_int(scan, row, QUORUM_LEADER, quorum->leader_id);
    row_int(scan, row, QUORUM_EPOCH, quorum->leader_epoch);
    if (quorum->high_watermark >= 0)
        row_int(scan, row, QUORUM_HIGH_WATERMARK, quorum->high_watermark);
}

static int
scan_quorum(SqlScan *scan, Fault *f)
{
    DescribeQuorumResponse response;
    const DescribeQuorumResponsePartition *quorum;
    int64_t leader_end = -1;

    if (ask_quorum(scan->sql, &response, f) != 0)
        return -1;
    quorum = &response.topics[0].partitions[0];
    for (int32_t i = 0; i < quorum->current_voters_count; i++)
        if (quorum->current_voters[i].replica_id == quorum->leader_id)
            leader_end = quorum->current_voters[i].log_end_offset;
    for (int32_t i = 0; i < quorum->current_voters_count; i++)
        add_quorum_node(scan, quorum, &quorum->current_voters[i], "follower", leader_end);
    for (int32_t i = 0; i < quorum->observers_count; i++)
        add_quorum_node(scan, quorum, &quorum->observers[i], "observer", leader_end);
    return scan_end(scan, f);
}

const SqlTable table_quorum = {.name = "quorum",
                               .help = "the metadata quorum: voters and observers",
                               SQL_COLUMNS(quorum_columns),
                               SQL_CALLS(quorum_calls),
                               .scan = scan_quorum};

/* ---- features, apis ---- */

enum { FEATURE_NAME, FEATURE_MIN, FEATURE_MAX, FEATURE_FINALIZED, FEATURE_EPOCH };

static const SqlColumnDef feature_columns[] = {
    [FEATURE_NAME] = {"name", SQL_DECL_TEXT, 0},
    [FEATURE_MIN] = {"min_supported", SQL_DECL_INTEGER, 0},
    [FEATURE_MAX] = {"max_supported", SQL_DECL_INTEGER, 0},
    [FEATURE_FINALIZED] = {"finalized", SQL_DECL_INTEGER, 0},
    [FEATURE_EPOCH] = {"epoch", SQL_DECL_INTEGER, 0},
};

static const SqlCallDef versions_calls[] = {{"ApiVersions", 0}};

static int
ask_versions(Sql *sql, int32_t node, ApiVersionsResponse *ret, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(node, API_ApiVersions);
    ApiVersionsRequest request;

    if (client == NULL)
        return -1;
    api_versions_request_init(&request);
    request.client_software_name = STRVIEW("ottla");
    request.client_software_version = STRVIEW("sql");
    if (client_call(client, &call, &request, ret, sql->arena, f) != 0)
        return -1;
    return ret->error_code == 0 ? 0 : fault_kafka(f, ret->error_code, node, NULL);
}

static int
scan_features(SqlScan *scan, Fault *f)
{
    ApiVersionsResponse response;

    if (ask_versions(scan->sql, CLIENT_HERE, &response, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.supported_features_count; i++) {
        const ApiVersionsResponseSupportedFeature *feature = &response.supported_features[i];
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        row_text(scan, row, FEATURE_NAME, feature->name);
        row_int(scan, row, FEATURE_MIN, feature->min_version);
        row_int(scan, row, FEATURE_MAX, feature->max_version);
        row_int(scan, row, FEATURE_FINALIZED, 0);
        for (int32_t j = 0; j < response.finalized_features_count; j++)
            if (strview_equal(response.finalized_features[j].name, feature->name))
                row_int(scan, row, FEATURE_FINALIZED,
                        response.finalized_features[j].max_version_level);
        if (response.finalized_features_epoch >= 0)
            row_int(scan, row, FEATURE_EPOCH, response.finalized_features_epoch);
    }
    return scan_end(scan, f);
}

const SqlTable table_features = {
    .name = "features",
    .help = "levels of features: supported by the node, finalized in the cluster",
    SQL_COLUMNS(feature_columns),
    SQL_CALLS(versions_calls),
    .scan = scan_features};

enum { APIS_NODE, APIS_KEY, APIS_NAME, APIS_MIN, APIS_MAX };

static const SqlColumnDef apis_columns[] = {
    [APIS_NODE] = {"node_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [APIS_KEY] = {"key", SQL_DECL_INTEGER, 0},
    [APIS_NAME] = {"name", SQL_DECL_TEXT, 0},
    [APIS_MIN] = {"min_version", SQL_DECL_INTEGER, 0},
    [APIS_MAX] = {"max_version", SQL_DECL_INTEGER, 0},
};

static void
add_apis(SqlScan *scan, int32_t node, const ApiVersionsResponse *response)
{
    for (int32_t i = 0; i < response->api_keys_count; i++) {
        const ApiVersionsResponseApiVersion *api = &response->api_keys[i];
        const ApiInfo *info = api_find(api->api_key);
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            return;
        row_int(scan, row, APIS_NODE, node);
        row_int(scan, row, APIS_KEY, api->api_key);
        row_cstr(scan, row, APIS_NAME, info == NULL ? NULL : info->name);
        row_int(scan, row, APIS_MIN, api->min_version);
        row_int(scan, row, APIS_MAX, api->max_version);
    }
}

/* Of all brokers, or those that are asked for. */
static int
scan_apis(SqlScan *scan, Fault *f)
{
    const DescribeClusterResponse *cluster;

    if (cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        int32_t node = cluster->brokers[i].broker_id;
        ApiVersionsResponse response;

        if (cluster->brokers[i].is_fenced || !scan_admits_int(scan, APIS_NODE, node))
            continue;
        if (ask_versions(scan->sql, node, &response, f) != 0)
            return -1;
        add_apis(scan, node, &response);
    }
    return scan_end(scan, f);
}

const SqlTable table_apis = {.name = "apis",
                             .help = "APIs and versions that each node serves",
                             SQL_COLUMNS(apis_columns),
                             SQL_CALLS(versions_calls),
                             .rows_guess = 10,
                             .scan = scan_apis};
