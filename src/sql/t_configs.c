/*
 * t_configs.c - settings of topics, brokers, groups, loggers, client metrics: DescribeConfigs
 *
 * Without a constraint on the type all resources are asked for, but for loggers and for groups that have no settings
 * of their own. Brokers answer for themselves. The cluster-wide settings of brokers are those of the broker with the
 * empty name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_list_config_resources.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))
#define AT_ONCE     500 /* resources of one request */

enum {
    TYPE_TOPIC = 2,
    TYPE_BROKER = 4,
    TYPE_LOGGER = 8,
    TYPE_CLIENT_METRICS = 16,
    TYPE_GROUP = 32
};

enum {
    CONF_TYPE,
    CONF_RESOURCE,
    CONF_NAME,
    CONF_VALUE,
    CONF_SOURCE,
    CONF_IS_DEFAULT,
    CONF_READ_ONLY,
    CONF_SENSITIVE,
    CONF_VALUE_TYPE,
    CONF_SYNONYMS,
    CONF_DOCUMENTATION
};

static const SqlColumnDef conf_columns[] = {
    [CONF_TYPE] = {"resource_type", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [CONF_RESOURCE] = {"resource_name", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [CONF_NAME] = {"name", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [CONF_VALUE] = {"value", SQL_DECL_TEXT, 0},
    [CONF_SOURCE] = {"source", SQL_DECL_TEXT, 0},
    [CONF_IS_DEFAULT] = {"is_default", SQL_DECL_BOOLEAN, 0},
    [CONF_READ_ONLY] = {"read_only", SQL_DECL_BOOLEAN, 0},
    [CONF_SENSITIVE] = {"sensitive", SQL_DECL_BOOLEAN, 0},
    [CONF_VALUE_TYPE] = {"type", SQL_DECL_TEXT, 0},
    [CONF_SYNONYMS] = {"synonyms", SQL_DECL_JSON, 0},
    [CONF_DOCUMENTATION] = {"documentation", SQL_DECL_TEXT, 0},
};

static const SqlCallDef conf_calls[] = {
    {"Metadata", 0}, {"DescribeCluster", 0}, {"ListConfigResources", 0}, {"DescribeConfigs", 0}};

/* Where a value comes from that nobody set: 5 is Kafka's default, 4 the file of the node. */
static bool
is_default(int8_t source)
{
    return source == 5;
}

static void
set_synonyms(SqlScan *scan, SqlValue *row, const DescribeConfigsResponseResourceResult *config)
{
    StrBuf text;

    if (!scan_uses(scan, CONF_SYNONYMS))
        return;
    strbuf_init(&text, 1 << 20, scan->arena);
    strbuf_add_char(&text, '[');
    for (int32_t i = 0; i < config->synonyms_count; i++) {
        strbuf_add_cstr(&text, i == 0 ? "{\"name\":" : ",{\"name\":");
        strbuf_add_json(&text, config->synonyms[i].name);
        strbuf_add_cstr(&text, ",\"value\":");
        strbuf_add_json(&text, config->synonyms[i].value);
        strbuf_add_cstr(&text, ",\"source\":");
        strbuf_add_json(&text, strview_from(name_of_config_source(config->synonyms[i].source)));
        strbuf_add_char(&text, '}');
    }
    strbuf_add_char(&text, ']');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, CONF_SYNONYMS, strbuf_view(&text));
}

static void
add_result(SqlScan *scan, const DescribeConfigsResponseResult *result)
{
    for (int32_t i = 0; i < result->configs_count; i++) {
        const DescribeConfigsResponseResourceResult *config = &result->configs[i];
        SqlValue *row;

        if (!scan_admits(scan, CONF_NAME, config->name))
            continue;
        row = scan_row(scan);
        if (row == NULL)
            return;
        row_cstr(scan, row, CONF_TYPE, name_of_config_resource(result->resource_type));
        row_text(scan, row, CONF_RESOURCE, result->resource_name);
        row_text(scan, row, CONF_NAME, config->name);
        row_text(scan, row, CONF_VALUE, config->value);
        row_cstr(scan, row, CONF_SOURCE, name_of_config_source(config->config_source));
        row_bool(scan, row, CONF_IS_DEFAULT, is_default(config->config_source));
        row_bool(scan, row, CONF_READ_ONLY, config->read_only);
        row_bool(scan, row, CONF_SENSITIVE, config->is_sensitive);
        row_cstr(scan, row, CONF_VALUE_TYPE, name_of_config_type(config->config_type));
        set_synonyms(scan, row, config);
        if (config->documentation.len > 0)
            row_text(scan, row, CONF_DOCUMENTATION, config->documentation);
    }
}

/* Names that are asked for; NULL: all settings. */
static StrView *
wanted_names(SqlScan *scan, int32_t *ret_count)
{
    const SqlKey *key = scan_key(scan, CONF_NAME);
    StrView *names =
        key == NULL ? NULL : arena_calloc(scan->sql->arena, (size_t)key->count + 1, sizeof *names);

    *ret_count = -1; /* null */
    if (names != NULL) {
        *ret_count = key->count;
        for (int32_t i = 0; i < key->count; i++)
            names[i] = key->values[i].bytes;
    }
    return names;
}

/* One type, up to AT_ONCE names, one node. */
static int
ask_some(SqlScan *scan, int32_t node, int8_t type, const StrView *names, int32_t count, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall call = client_call_to(node, API_DescribeConfigs);
    DescribeConfigsRequest request;
    DescribeConfigsResponse response;
    int32_t key_count;
    StrView *keys = wanted_names(scan, &key_count);

    if (client == NULL)
        return -1;
    describe_configs_request_init(&request);
    request.resources =
        arena_calloc(scan->sql->arena, (size_t)count + 1, sizeof *request.resources);
    if (request.resources == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    request.resources_count = count;
    request.include_synonyms = scan_uses(scan, CONF_SYNONYMS);
    request.include_documentation = scan_uses(scan, CONF_DOCUMENTATION);
    for (int32_t i = 0; i < count; i++) {
        describe_configs_request_resource_init(&request.resources[i]);
        request.resources[i].resource_type = type;
        request.resources[i].resource_name = names[i];
        request.resources[i].configuration_keys = keys;
        request.resources[i].configuration_keys_count = key_count;
    }
    if (client_call(client, &call, &request, &response, scan->sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++) {
        const DescribeConfigsResponseResult *result = &response.results[i];

        if (result->error_code == 0)
            add_result(scan, result);
        else if (scan_key(scan, CONF_RESOURCE) != NULL && scan_key(scan, CONF_TYPE) != NULL &&
                 result->error_code != 3) /* one that does not exist has no rows */
            return fault_kafka(f, result->error_code, node, "%s \"%.*s\": %.*s",
                               name_of_config_resource(type), result->resource_name.len,
                               result->resource_name.ptr,
                               result->error_message.len > 0 ? result->error_message.len : 0,
                               result->error_message.ptr);
    }
    return 0;
}

/* Names that the statement gives for the resource; NULL: none. */
static StrView *
given_resources(SqlScan *scan, int32_t *ret_count)
{
    const SqlKey *key = scan_key(scan, CONF_RESOURCE);
    StrView *names =
        key == NULL ? NULL : arena_calloc(scan->sql->arena, (size_t)key->count + 1, sizeof *names);

    *ret_count = 0;
    for (int32_t i = 0; names != NULL && i < key->count; i++)
        names[(*ret_count)++] = key->values[i].bytes;
    return names;
}

static int
scan_topic_configs(SqlScan *scan, Fault *f)
{
    CacheTopics topics;
    StrView *names;
    int32_t count = 0;

    if (cache_topics(scan->sql, scan_key(scan, CONF_RESOURCE), &topics, f) != 0)
        return -1;
    names = arena_calloc(scan->sql->arena, AT_ONCE, sizeof *names);
    if (names == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    for (int32_t i = 0; i <= topics.count; i++) {
        if (count > 0 && (i == topics.count || count == AT_ONCE)) {
            if (ask_some(scan, CLIENT_HERE, TYPE_TOPIC, names, count, f) != 0)
                return -1;
            count = 0;
        }
        if (i < topics.count)
            names[count++] = topics.topics[i]->name;
    }
    return 0;
}

/* Each broker answers for itself; "" is the default of all. */
static int
scan_broker_configs(SqlScan *scan, int8_t type, Fault *f)
{
    const DescribeClusterResponse *cluster;
    StrView whole = STRVIEW("");

    if (cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        char text[16];
        StrView name;

        (void)snprintf(text, sizeof text, "%" PRId32, cluster->brokers[i].broker_id);
        name = (StrView){arena_strdup(scan->sql->arena, strview_from(text)), (int32_t)strlen(text)};
        if (name.ptr == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "out of memory");
        if (!cluster->brokers[i].is_fenced && scan_admits(scan, CONF_RESOURCE, name) &&
            ask_some(scan, cluster->brokers[i].broker_id, type, &name, 1, f) != 0)
            return -1;
    }
    if (type == TYPE_BROKER && scan_admits(scan, CONF_RESOURCE, whole))
        return ask_some(scan, CLIENT_HERE, type, &whole, 1, f);
    return 0;
}

/* Groups and subscriptions of client metrics: those that have settings, or those that are named. */
static int
scan_listed_configs(SqlScan *scan, int8_t type, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_ListConfigResources);
    ListConfigResourcesRequest request;
    ListConfigResourcesResponse response;
    int32_t count;
    StrView *names = given_resources(scan, &count);

    if (client == NULL)
        return -1;
    if (names == NULL) {
        int16_t version = client_version(client, CLIENT_HERE, API_ListConfigResources);

        if (version < 0 || (version == 0 && type != TYPE_CLIENT_METRICS))
            return 0; /* the server cannot list them */
        list_config_resources_request_init(&request);
        if (version > 0) {
            request.resource_types = &type;
            request.resource_types_count = 1;
        }
        if (client_call(client, &call, &request, &response, scan->sql->arena, f) != 0)
            return -1;
        if (response.error_code != 0)
            return fault_kafka(f, response.error_code, -1, NULL);
        names = arena_calloc(scan->sql->arena, (size_t)response.config_resources_count + 1,
                             sizeof *names);
        for (int32_t i = 0; names != NULL && i < response.config_resources_count; i++)
            names[count++] = response.config_resources[i].resource_name;
    }
    for (int32_t at = 0; names != NULL && at < count; at += AT_ONCE)
        if (ask_some(scan, CLIENT_HERE, type, names + at,
                     count - at < AT_ONCE ? count - at : AT_ONCE, f) != 0)
            return -1;
    return 0;
}

static bool
wants_type(const SqlScan *scan, int8_t type)
{
    if (scan_key(scan, CONF_TYPE) == NULL)
        return type != TYPE_LOGGER;
    return scan_admits(scan, CONF_TYPE, strview_from(name_of_config_resource(type)));
}

static int
scan_configs(SqlScan *scan, Fault *f)
{
    if (wants_type(scan, TYPE_TOPIC) && scan_topic_configs(scan, f) != 0)
        return -1;
    if (wants_type(scan, TYPE_BROKER) && scan_broker_configs(scan, TYPE_BROKER, f) != 0)
        return -1;
    if (wants_type(scan, TYPE_LOGGER) && scan_broker_configs(scan, TYPE_LOGGER, f) != 0)
        return -1;
    if (wants_type(scan, TYPE_GROUP) && scan_listed_configs(scan, TYPE_GROUP, f) != 0)
        return -1;
    if (wants_type(scan, TYPE_CLIENT_METRICS) &&
        scan_listed_configs(scan, TYPE_CLIENT_METRICS, f) != 0)
        return -1;
    return scan_end(scan, f);
}

const SqlTable table_configs = {.name = "configs",
                                .help =
                                    "settings of topics, brokers, groups, loggers, client metrics",
                                SQL_COLUMNS(conf_columns),
                                SQL_CALLS(conf_calls),
                                .rows_of = SQL_ROWS_TOPICS,
                                .rows_guess = 35,
                                .scan = scan_configs};

/* ---- client_metrics ---- */

enum { METRIC_NAME, METRIC_METRICS, METRIC_INTERVAL, METRIC_MATCH };

static const SqlColumnDef metric_columns[] = {
    [METRIC_NAME] = {"name", SQL_DECL_TEXT, 0},
    [METRIC_METRICS] = {"metrics", SQL_DECL_TEXT, 0},
    [METRIC_INTERVAL] = {"interval_ms", SQL_DECL_MILLIS, 0},
    [METRIC_MATCH] = {"match", SQL_DECL_TEXT, 0},
};

static const SqlCallDef metric_calls[] = {{"ListConfigResources", 0}, {"DescribeConfigs", 0}};

static void
add_subscription(SqlScan *scan, const DescribeConfigsResponseResult *result)
{
    SqlValue *row = scan_row(scan);

    if (row == NULL)
        return;
    row_text(scan, row, METRIC_NAME, result->resource_name);
    for (int32_t i = 0; i < result->configs_count; i++) {
        const DescribeConfigsResponseResourceResult *config = &result->configs[i];
        int64_t ms;

        if (strview_equal(config->name, STRVIEW("metrics")))
            row_text(scan, row, METRIC_METRICS, config->value);
        else if (strview_equal(config->name, STRVIEW("match")))
            row_text(scan, row, METRIC_MATCH, config->value);
        else if (strview_equal(config->name, STRVIEW("interval.ms")) &&
                 text_to_int64(config->value, &ms))
            row_int(scan, row, METRIC_INTERVAL, ms);
    }
}

static int
scan_client_metrics(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall list = client_call_to(CLIENT_HERE, API_ListConfigResources);
    ClientCall describe = client_call_to(CLIENT_HERE, API_DescribeConfigs);
    ListConfigResourcesRequest request;
    ListConfigResourcesResponse names;
    DescribeConfigsRequest body;
    DescribeConfigsResponse response;
    int8_t type = TYPE_CLIENT_METRICS;

    if (client == NULL)
        return -1;
    list_config_resources_request_init(&request);
    if (client_version(client, CLIENT_HERE, API_ListConfigResources) > 0) {
        request.resource_types = &type;
        request.resource_types_count = 1;
    }
    if (client_call(client, &list, &request, &names, scan->sql->arena, f) != 0)
        return -1;
    if (names.error_code != 0)
        return fault_kafka(f, names.error_code, -1, NULL);
    if (names.config_resources_count == 0)
        return 0;
    describe_configs_request_init(&body);
    body.resources = arena_calloc(scan->sql->arena, (size_t)names.config_resources_count,
                                  sizeof *body.resources);
    if (body.resources == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    for (int32_t i = 0; i < names.config_resources_count; i++) {
        describe_configs_request_resource_init(&body.resources[i]);
        body.resources[i].resource_type = type;
        body.resources[i].resource_name = names.config_resources[i].resource_name;
        body.resources[i].configuration_keys_count = -1;
    }
    body.resources_count = names.config_resources_count;
    if (client_call(client, &describe, &body, &response, scan->sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++)
        if (response.results[i].error_code == 0)
            add_subscription(scan, &response.results[i]);
    return scan_end(scan, f);
}

const SqlTable table_client_metrics = {.name = "client_metrics",
                                       .help = "subscriptions of client metrics",
                                       SQL_COLUMNS(metric_columns),
                                       SQL_CALLS(metric_calls),
                                       .scan = scan_client_metrics};
