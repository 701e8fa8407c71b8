/*
 * dump.c - statements that recreate what a cluster has
 *
 * Everything is read by requests of Kafka's; the order of the statements is one in which they can be run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/statement/dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dump_int.h"
#include "exec_int.h"
#include "offsets_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_acls.h"
#include "ottla/protocol/msg_describe_client_quotas.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"
#include "ottla/protocol/msg_list_config_resources.h"
#include "ottla/protocol/msg_metadata.h"

#define DUMP_ARENA_BYTES ((size_t)2 << 30)

/* Topics whose settings one request asks for. */
#define DUMP_TOPICS_AT_ONCE 500

/* Does the setting belong to the object itself, so that it must be said? */
static bool
is_own(const DescribeConfigsResponseResourceResult *c, int8_t source)
{
    return c->config_source == source && !c->is_sensitive && c->value.ptr != NULL;
}

/* "( a = 1, b = 2 )" after `before`; nothing when there are none. */
static int
add_pairs(StrBuf *out, const DescribeConfigsResponseResult *have, int8_t source, const char *before)
{
    int count = 0;

    for (int32_t i = 0; i < have->configs_count; i++) {
        if (!is_own(&have->configs[i], source))
            continue;
        strbuf_add_cstr(out, count++ == 0 ? before : ", ");
        dump_name(out, have->configs[i].name);
        strbuf_add_cstr(out, " = ");
        dump_value(out, have->configs[i].value);
    }
    if (count > 0)
        strbuf_add_char(out, ')');
    return count;
}

/* ---- topics ---- */

static void
add_topic(StrBuf *out, const MetadataResponseTopic *topic,
          const DescribeConfigsResponseResult *configs)
{
    strbuf_add_cstr(out, "CREATE TOPIC ");
    dump_name(out, topic->name);
    strbuf_printf(out, " PARTITIONS %" PRId32 " REPLICATION FACTOR %" PRId32,
                  topic->partitions_count,
                  topic->partitions_count > 0 ? topic->partitions[0].replica_nodes_count : 1);
    (void)add_pairs(out, configs, CONF_SOURCE_TOPIC, " WITH ("); /* none is fine */
    strbuf_add_cstr(out, ";\n");
}

static int
compare_topics(const void *a, const void *b)
{
    const MetadataResponseTopic *x = a, *y = b;
    int32_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = len == 0 ? 0 : memcmp(x->name.ptr, y->name.ptr, (size_t)len);

    return order != 0 ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* Some topics, one behind the other; internal ones are left out: they are made when they are needed. */
static int
dump_some_topics(Exec *x, const MetadataResponseTopic *topics, int32_t count, StrBuf *out)
{
    DescribeConfigsRequest request;
    DescribeConfigsResponse response;

    describe_configs_request_init(&request);
    request.resources = exec_alloc(x, (size_t)count, sizeof *request.resources);
    if (request.resources == NULL)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        DescribeConfigsRequestResource *r = &request.resources[request.resources_count++];

        describe_configs_request_resource_init(r);
        r->resource_type = RESOURCE_TOPIC;
        r->resource_name = topics[i].name;
        r->configuration_keys_count = -1; /* all */
    }
    if (exec_read(x, CLIENT_HERE, API_DescribeConfigs, &request, &response) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < response.results_count; j++) {
            const DescribeConfigsResponseResult *r =
                &response.results[(i + j) % response.results_count];

            if (!strview_equal(r->resource_name, topics[i].name))
                continue;
            if (r->error_code == 0)
                add_topic(out, &topics[i], r);
            else if (r->error_code != KERR_UNKNOWN_TOPIC_OR_PARTITION) /* gone in between */
                return fault_kafka(
                    x->f, r->error_code, -1, "could not read settings of topic \"%.*s\": %s",
                    (int)topics[i].name.len, topics[i].name.ptr, fault_kafka_text(r->error_code));
            break;
        }
    }
    return 0;
}

static int
dump_topics(Exec *x, const Items *named, StrBuf *out)
{
    MetadataResponse metadata;
    int32_t count = 0;

    if (exec_metadata(x, named, &metadata) != 0)
        return -1;
    for (int32_t i = 0; i < metadata.topics_count; i++) {
        MetadataResponseTopic *t = &metadata.topics[i];

        if (named != NULL && t->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
            return fault_kafka(x->f, t->error_code, -1, "topic \"%.*s\" does not exist",
                               (int)t->name.len, t->name.ptr);
        if (named != NULL && t->error_code != 0)
            return fault_kafka(x->f, t->error_code, -1, "topic \"%.*s\": %s", (int)t->name.len,
                               t->name.ptr, fault_kafka_text(t->error_code));
        if (named != NULL || !t->is_internal)
            metadata.topics[count++] = *t;
    }
    if (count > 1)
        qsort(metadata.topics, (size_t)count, sizeof *metadata.topics, compare_topics);
    for (int32_t i = 0; i < count; i += DUMP_TOPICS_AT_ONCE) {
        int32_t some = count - i < DUMP_TOPICS_AT_ONCE ? count - i : DUMP_TOPICS_AT_ONCE;

        if (dump_some_topics(x, &metadata.topics[i], some, out) != 0)
            return -1;
    }
    return 0;
}

/* ---- settings of brokers, groups, subscriptions ---- */

static int
dump_object(Exec *x, int8_t type, StrView name, int8_t source, const char *before, StrBuf *out)
{
    DescribeConfigsResponseResult have;
    StrBuf pairs;

    if (configs_read(x, type, name, false, &have) != 0)
        return -1;
    strbuf_init(&pairs, STATEMENT_JSON_MAX, x->arena);
    if (add_pairs(&pairs, &have, source, type == RESOURCE_CLIENT_METRICS ? " WITH (" : " SET (") ==
        0)
        return 0;
    strbuf_add_cstr(out, before);
    if (name.len > 0 && type == RESOURCE_BROKER)
        strbuf_add_view(out, name);
    else if (name.len > 0)
        dump_name(out, name);
    strbuf_add_view(out, strbuf_view(&pairs));
    strbuf_add_cstr(out, ";\n");
    return 0;
}

static int
dump_brokers(Exec *x, StrBuf *out)
{
    const ClientBroker *brokers;
    int32_t count, nodes[256];

    if (dump_object(x, RESOURCE_BROKER, STRVIEW(""), CONF_SOURCE_DYNAMIC_CLUSTER,
                    "ALTER BROKER DEFAULT", out) != 0 ||
        client_brokers(x->client, &brokers, &count, x->f) != 0)
        return -1;
    count = count > 256 ? 256 : count;
    for (int32_t i = 0; i < count; i++)
        nodes[i] = brokers[i].node_id;
    for (int32_t i = 0; i < count; i++) {
        if (dump_object(x, RESOURCE_BROKER, strview_from(exec_text(x, "%" PRId32, nodes[i])),
                        CONF_SOURCE_DYNAMIC_BROKER, "ALTER BROKER ", out) != 0)
            return -1;
    }
    return 0;
}

/* Groups and client metrics that have settings; servers that cannot list them are taken to have none. */
static int
dump_resources(Exec *x, int8_t type, int8_t source, const char *before, StrBuf *out)
{
    ListConfigResourcesRequest request;
    ListConfigResourcesResponse response;

    if (client_version(x->client, CLIENT_HERE, API_ListConfigResources) < 1)
        return 0;
    list_config_resources_request_init(&request);
    request.resource_types = &type;
    request.resource_types_count = 1;
    if (exec_read(x, CLIENT_HERE, API_ListConfigResources, &request, &response) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1,
                           "could not list objects with settings: %s",
                           fault_kafka_text(response.error_code));
    for (int32_t i = 0; i < response.config_resources_count; i++) {
        if (dump_object(x, type, response.config_resources[i].resource_name, source, before, out) !=
            0)
            return -1;
    }
    return 0;
}

/* ---- users ---- */

static int
dump_users(Exec *x, StrBuf *out)
{
    DescribeUserScramCredentialsRequest request;
    DescribeUserScramCredentialsResponse response;

    describe_user_scram_credentials_request_init(&request);
    request.users_count = -1; /* all */
    if (exec_read(x, CLIENT_HERE, API_DescribeUserScramCredentials, &request, &response) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not list users: %s",
                           fault_kafka_text(response.error_code));
    if (response.results_count > 0)
        strbuf_add_cstr(out, "-- A cluster does not tell passwords: give them here.\n");
    for (int32_t i = 0; i < response.results_count; i++) {
        const DescribeUserScramCredentialsResponseResult *r = &response.results[i];
        bool both = r->credential_infos_count == 2 &&
                    r->credential_infos[0].iterations == r->credential_infos[1].iterations;

        for (int32_t j = 0; j < r->credential_infos_count && (j == 0 || !both); j++) {
            strbuf_printf(out, "-- %s USER ", j == 0 ? "CREATE" : "ALTER");
            dump_name(out, r->user);
            strbuf_printf(out, " PASSWORD '...' MECHANISM %s ITERATIONS %" PRId32 ";\n",
                          both                                    ? "ALL"
                          : r->credential_infos[j].mechanism == 1 ? "SCRAM-SHA-256"
                                                                  : "SCRAM-SHA-512",
                          r->credential_infos[j].iterations);
        }
    }
    return 0;
}

/* ---- access control lists ---- */

static const char *
type_words(int8_t type)
{
    static const char *const words[] = {
        NULL, NULL, "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL ID", "DELEGATION TOKEN", "USER"};

    return type >= 2 && type <= 7 ? words[type] : NULL;
}

static void
add_acl(StrBuf *out, const DescribeAclsResponseResource *r,
        const DescribeAclsResponseAclDescription *acl)
{
    const char *operation = acl_operation_name(acl->operation),
               *type = type_words(r->resource_type);

    if (operation == NULL || type == NULL) {
        strbuf_printf(out, "-- an access control list of a newer server: type %d, operation %d\n",
                      r->resource_type, acl->operation);
        return;
    }
    strbuf_printf(out, "%s %s ON %s", acl->permission_type == 2 ? "DENY" : "GRANT", operation,
                  type);
    if (r->pattern_type == 4) {
        strbuf_add_cstr(out, " PREFIX ");
        dump_literal(out, r->resource_name);
    } else if (strcmp(type, "CLUSTER") != 0) {
        strbuf_add_char(out, ' ');
        if (strview_equal(r->resource_name, STRVIEW("*")))
            strbuf_add_cstr(out, "ALL");
        else
            dump_name(out, r->resource_name);
    }
    strbuf_add_cstr(out, " TO ");
    if (strview_equal(acl->principal, STRVIEW("User:*")))
        strbuf_add_cstr(out, "EVERYONE");
    else
        dump_literal(out, acl->principal);
    if (!strview_equal(acl->host, STRVIEW("*"))) {
        strbuf_add_cstr(out, " FROM HOST ");
        dump_literal(out, acl->host);
    }
    strbuf_add_cstr(out, ";\n");
}

static int
dump_acls(Exec *x, StrBuf *out)
{
    DescribeAclsRequest request;
    DescribeAclsResponse response;

    describe_acls_request_init(&request);
    request.resource_type_filter = 1; /* any, as all of these */
    request.pattern_type_filter = 1;
    request.operation = 1;
    request.permission_type = 1;
    request.resource_name_filter = request.principal_filter = request.host_filter = (StrView){0};
    if (exec_read(x, CLIENT_HERE, API_DescribeAcls, &request, &response) != 0)
        return -1;
    if (response.error_code == KERR_SECURITY_DISABLED) {
        strbuf_add_cstr(out, "-- The cluster has no authorizer, and so no access control lists.\n");
        return 0;
    }
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not list access control lists: %s",
                           fault_kafka_text(response.error_code));
    for (int32_t i = 0; i < response.resources_count; i++) {
        for (int32_t j = 0; j < response.resources[i].acls_count; j++)
            add_acl(out, &response.resources[i], &response.resources[i].acls[j]);
    }
    return 0;
}

/* ---- quotas ---- */

static void
add_entity(StrBuf *out, const DescribeClientQuotasResponseEntryData *entry, const char *type,
           const char *word)
{
    for (int32_t i = 0; i < entry->entity_count; i++) {
        if (!strview_equal(entry->entity[i].entity_type, strview_from(type)))
            continue;
        strbuf_printf(out, " %s ", word);
        if (entry->entity[i].entity_name.ptr == NULL)
            strbuf_add_cstr(out, "DEFAULT");
        else if (strcmp(type, "ip") == 0)
            dump_literal(out, entry->entity[i].entity_name);
        else
            dump_name(out, entry->entity[i].entity_name);
    }
}

static int
dump_quotas(Exec *x, StrBuf *out)
{
    DescribeClientQuotasRequest request;
    DescribeClientQuotasResponse response;

    describe_client_quotas_request_init(&request);
    if (exec_read(x, CLIENT_HERE, API_DescribeClientQuotas, &request, &response) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not list quotas: %s",
                           fault_kafka_text(response.error_code));
    for (int32_t i = 0; i < response.entries_count; i++) {
        const DescribeClientQuotasResponseEntryData *e = &response.entries[i];

        strbuf_add_cstr(out, "ALTER QUOTA FOR");
        add_entity(out, e, "user", "USER");
        add_entity(out, e, "client-id", "CLIENT");
        add_entity(out, e, "ip", "IP");
        for (int32_t j = 0; j < e->values_count; j++) {
            strbuf_add_cstr(out, j == 0 ? " SET (" : ", ");
            dump_name(out, e->values[j].key);
            strbuf_printf(out, " = %.17g", e->values[j].value);
        }
        strbuf_add_cstr(out, ");\n");
    }
    return 0;
}

/* ---- offsets of groups ---- */

static int
dump_offsets(Exec *x, StrBuf *out)
{
    StrView *groups;
    int32_t count;

    if (names_all(x, NAMES_GROUPS, &groups, &count) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        Items partitions = {.noun = "topic"};
        int64_t *offsets;

        if (offsets_committed(x, groups[i], &partitions, &offsets) != 0)
            return -1;
        for (int32_t j = 0; j < partitions.count; j++) {
            strbuf_add_cstr(out, "ALTER GROUP ");
            dump_name(out, groups[i]);
            strbuf_add_cstr(out, " RESET OFFSETS FOR TOPIC ");
            dump_name(out, partitions.list[j].name);
            strbuf_printf(out, " PARTITION %" PRId32 " TO OFFSET %" PRId64 ";\n",
                          partitions.list[j].partition, offsets[j]);
        }
    }
    return 0;
}

/* ---- all ---- */

typedef int (*DumpPart)(Exec *x, StrBuf *out);

static int
dump_all_topics(Exec *x, StrBuf *out)
{
    return dump_topics(x, NULL, out);
}

static int
dump_groups(Exec *x, StrBuf *out)
{
    return dump_resources(x, RESOURCE_GROUP, CONF_SOURCE_GROUP, "ALTER GROUP ", out);
}

static int
dump_metrics(Exec *x, StrBuf *out)
{
    return dump_resources(x, RESOURCE_CLIENT_METRICS, CONF_SOURCE_METRICS, "CREATE CLIENT METRICS ",
                          out);
}

static int
dump_all(Exec *x, StrBuf *out)
{
    static const struct {
        const char *title;
        DumpPart fn;
    } parts[] = {
        {"Topics", dump_all_topics},
        {"Settings of brokers", dump_brokers},
        {"Settings of groups", dump_groups},
        {"Client metrics", dump_metrics},
        {"Users", dump_users},
        {"Access control lists", dump_acls},
        {"Quotas", dump_quotas},
        {"Committed offsets: what the logs do not hold yet is moved to what they hold",
         dump_offsets},
    };

    strbuf_printf(out, "-- Objects of cluster %s\n", client_info(x->client)->cluster_id);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t before = out->len, title;

        strbuf_printf(out, "\n-- %s\n", parts[i].title);
        title = out->len;
        if (parts[i].fn(x, out) != 0)
            return -1;
        if (out->len == title)
            strbuf_truncate(out, before);
    }
    return 0;
}

int
statement_dump(const StatementEnv *env, StatementDump what, StrView topic, StrBuf *out, Fault *f)
{
    static const Statement none;
    Exec x = {.env = env, .s = &none, .client = *env->client, .f = f};
    Items one = {.noun = "topic"};
    int rc = -1;

    fault_clear(f);
    if (x.client == NULL)
        return fault_set(f, FAULT_CONNECTION_LOST, "not connected");
    x.arena = arena_new(1 << 16, DUMP_ARENA_BYTES);
    if (x.arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    x.deadline_ms = client_deadline(x.client);
    switch (what) {
    case STATEMENT_DUMP_TOPIC:
        rc = items_add(&x, &one, topic, -1, -1) == NULL ? -1 : dump_topics(&x, &one, out);
        break;
    case STATEMENT_DUMP_ALL:
        rc = dump_all(&x, out);
        break;
    case STATEMENT_DUMP_USERS:
        rc = dump_users(&x, out);
        break;
    case STATEMENT_DUMP_ACLS:
        rc = dump_acls(&x, out);
        break;
    case STATEMENT_DUMP_QUOTAS:
        rc = dump_quotas(&x, out);
        break;
    }
    arena_free(x.arena);
    if (rc == 0 && strbuf_failed(out))
        return fault_set(f, FAULT_NO_MEMORY, "the statements do not fit into memory");
    return rc;
}
