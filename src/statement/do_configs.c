/*
 * do_configs.c - settings of topics, brokers, groups and subscriptions: read, changed; loggers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_incremental_alter_configs.h"

/* The node that a resource is asked at: a broker by its id is that broker. */
static int
resource_node(Exec *x, int8_t type, StrView name, int32_t *ret)
{
    *ret = CLIENT_HERE;
    if ((type == RESOURCE_BROKER || type == RESOURCE_LOGGER) && name.len > 0 &&
        !text_to_int32(name, ret))
        return fault_set(x->f, FAULT_BAD_PARAMETER, "\"%.*s\" is no broker id", (int)name.len,
                         name.ptr);
    return 0;
}

int
configs_read(Exec *x, int8_t type, StrView name, bool documentation,
             DescribeConfigsResponseResult *ret)
{
    DescribeConfigsRequest request;
    DescribeConfigsRequestResource resource;
    DescribeConfigsResponse response;
    int32_t node;

    if (resource_node(x, type, name, &node) != 0)
        return -1;
    describe_configs_request_init(&request);
    describe_configs_request_resource_init(&resource);
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys_count = -1; /* all */
    request.resources = &resource;
    request.resources_count = 1;
    request.include_synonyms = true;
    request.include_documentation =
        documentation && client_version(x->client, node, API_DescribeConfigs) >= 3;
    if (exec_read(x, node, API_DescribeConfigs, &request, &response) != 0)
        return -1;
    if (response.results_count != 1)
        return fault_set(x->f, FAULT_BAD_REPLY,
                         "the answer to DescribeConfigs is not about what was asked");
    *ret = response.results[0];
    if (ret->error_code == 0)
        return 0;
    return fault_kafka(x->f, ret->error_code, node, "could not read settings of \"%.*s\": %.*s",
                       (int)name.len, name.ptr,
                       ret->error_message.len > 0 ? (int)ret->error_message.len
                                                  : (int)strlen(fault_kafka_text(ret->error_code)),
                       ret->error_message.len > 0 ? ret->error_message.ptr
                                                  : fault_kafka_text(ret->error_code));
}

/* ---- changes ---- */

int
configs_of_statement(Exec *x, ConfScope scope, ConfigChange **ret, int32_t *ret_count)
{
    const Statement *s = x->s;
    int8_t operation = statement_has(s, ITEM_SET)        ? 0
                       : statement_has(s, ITEM_RESET)    ? 1
                       : statement_has(s, ITEM_APPEND)   ? 2
                       : statement_has(s, ITEM_SUBTRACT) ? 3
                                                         : 0;
    ConfigChange *changes =
        exec_alloc(x, (size_t)statement_count_of(s, ITEM_CONFIG), sizeof *changes);

    *ret_count = 0;
    if (changes == NULL)
        return -1;
    for (int32_t i = statement_find(s, ITEM_CONFIG, 0); i >= 0;
         i = statement_find(s, ITEM_CONFIG, i + 1)) {
        ConfigChange *c = &changes[*ret_count];

        for (int32_t j = 0; j < *ret_count; j++) {
            if (strview_equal(changes[j].name, s->items[i].text))
                return exec_bad_value(x, &s->items[i], "setting \"%.*s\" is named twice",
                                      (int)c->name.len, c->name.ptr);
        }
        *c = (ConfigChange){.name = s->items[i].text, .operation = operation};
        (*ret_count)++;
        if (operation == 1)
            continue;
        if (operation == 0 && s->items[i + 1].quote == QUOTE_NONE &&
            text_equal_nocase(s->items[i + 1].text, STRVIEW("DEFAULT"))) {
            c->operation = 1;
            continue;
        }
        c->value = value_for_config(scope, c->name, s->items[i + 1].text, x->arena);
        if (c->value.ptr == NULL)
            return fault_set(x->f, FAULT_NO_MEMORY, "out of memory");
    }
    *ret = changes;
    return 0;
}

int
configs_reset_all(Exec *x, int8_t type, Item *item)
{
    int8_t own = type == RESOURCE_TOPIC            ? CONF_SOURCE_TOPIC
                 : type == RESOURCE_GROUP          ? CONF_SOURCE_GROUP
                 : type == RESOURCE_CLIENT_METRICS ? CONF_SOURCE_METRICS
                 : item->name.len > 0              ? CONF_SOURCE_DYNAMIC_BROKER
                                                   : CONF_SOURCE_DYNAMIC_CLUSTER;
    DescribeConfigsResponseResult have;
    ConfigsOfItem *all;
    ConfigChange *changes;

    if (configs_read(x, type, item->name, false, &have) != 0) {
        x->f->position = item->pos;
        return -1;
    }
    all = exec_alloc(x, 1, sizeof *all);
    changes = all == NULL ? NULL : exec_alloc(x, (size_t)have.configs_count, sizeof *changes);
    if (changes == NULL)
        return -1;
    for (int32_t i = 0; i < have.configs_count; i++) {
        if (have.configs[i].config_source == own)
            changes[all->count++] = (ConfigChange){.name = have.configs[i].name, .operation = 1};
    }
    all->changes = changes;
    item->data = all;
    if (all->count == 0)
        item->pending = false; /* nothing to do */
    return 0;
}

static int
fill_resource(Exec *x, IncrementalAlterConfigsRequestAlterConfigsResource *resource,
              const ConfigsChange *change, const Item *item)
{
    const ConfigsOfItem *own = item->data;
    const ConfigChange *changes = own != NULL ? own->changes : change->changes;
    int32_t count = own != NULL ? own->count : change->count;

    incremental_alter_configs_request_alter_configs_resource_init(resource);
    resource->resource_type = change->type;
    resource->resource_name = item->name;
    resource->configs = exec_alloc(x, (size_t)count, sizeof *resource->configs);
    if (resource->configs == NULL)
        return -1;
    resource->configs_count = count;
    for (int32_t i = 0; i < count; i++) {
        incremental_alter_configs_request_alterable_config_init(&resource->configs[i]);
        resource->configs[i].name = changes[i].name;
        resource->configs[i].config_operation = changes[i].operation;
        resource->configs[i].value = changes[i].value;
    }
    return 0;
}

/* Those that go to the node of the first pending one. */
static int
send_one_node(Exec *x, Items *items, const ConfigsChange *change, int32_t node)
{
    IncrementalAlterConfigsRequest request;
    IncrementalAlterConfigsResponse response;
    int rc;

    incremental_alter_configs_request_init(&request);
    request.resources = exec_alloc(x, (size_t)items->count, sizeof *request.resources);
    if (request.resources == NULL)
        return -1;
    request.validate_only = x->validate;
    for (int32_t i = 0; i < items->count; i++) {
        int32_t its_node;

        if (!items->list[i].pending)
            continue;
        if (resource_node(x, change->type, items->list[i].name, &its_node) != 0)
            return -1;
        if (its_node == node && fill_resource(x, &request.resources[request.resources_count++],
                                              change, &items->list[i]) != 0)
            return -1;
    }
    rc = exec_change(x, node, API_IncrementalAlterConfigs, &request, &response);
    if (rc < 0)
        return rc;
    for (int32_t i = 0; i < request.resources_count && rc == EXEC_PLANNED; i++)
        item_done(x, items_find(items, request.resources[i].resource_name, -1), 0, (StrView){0},
                  node);
    for (int32_t i = 0; i < response.responses_count && rc == 0; i++) {
        Item *item = items_find(items, response.responses[i].resource_name, -1);

        if (item != NULL)
            item_done(x, item, response.responses[i].error_code,
                      response.responses[i].error_message, node);
    }
    return 0;
}

int
configs_send(Exec *x, Items *items, void *configs_change)
{
    ConfigsChange *change = configs_change;
    bool reset_all = statement_has(x->s, ITEM_RESET) && statement_has(x->s, ITEM_ALL);
    int32_t sent_to = INT32_MIN;

    for (int32_t i = 0; i < items->count && reset_all; i++) {
        if (items->list[i].data == NULL && configs_reset_all(x, change->type, &items->list[i]) != 0)
            return -1;
    }
    for (int32_t i = 0; i < items->count; i++) {
        int32_t node;

        if (!items->list[i].pending)
            continue;
        if (resource_node(x, change->type, items->list[i].name, &node) != 0)
            return -1;
        if (node == sent_to)
            continue; /* failed just now; items_run comes again */
        sent_to = node;
        if (send_one_node(x, items, change, node) != 0)
            return -1;
    }
    return x->s->explain ? EXEC_PLANNED : 0;
}

/* ---- ALTER BROKER, GROUP, CLIENT METRICS ---- */

int
do_alter_config(Exec *x)
{
    static const struct {
        StatementItemName name;
        int8_t type;
        ConfScope scope;
        const char *noun, *tag;
    } kinds[] = {
        {ITEM_DEFAULT, RESOURCE_BROKER, CONF_SCOPE_BROKER, "broker default", "ALTER BROKER"},
        {ITEM_BROKER, RESOURCE_BROKER, CONF_SCOPE_BROKER, "broker", "ALTER BROKER"},
        {ITEM_GROUP, RESOURCE_GROUP, CONF_SCOPE_GROUP, "group", "ALTER GROUP"},
        {ITEM_METRICS, RESOURCE_CLIENT_METRICS, CONF_SCOPE_METRICS, "client metrics",
         "ALTER CLIENT METRICS"},
    };
    const ItemsVerdict verdict = {.verb = "change settings of"};
    ConfigChange *changes = NULL;
    size_t kind = 0;
    ConfigsChange change;
    Items items = {0};
    const StatementItem *item;
    int32_t done;
    int rc;

    while (!statement_has(x->s, kinds[kind].name))
        kind++;
    item = &x->s->items[statement_find(x->s, kinds[kind].name, 0)];
    change = (ConfigsChange){.type = kinds[kind].type};
    items.noun = kinds[kind].noun;
    if (configs_of_statement(x, kinds[kind].scope, &changes, &change.count) != 0 ||
        items_add(x, &items, kind == 0 ? STRVIEW("") : item->text, -1, item->pos) == NULL)
        return -1;
    change.changes = changes;
    if (statement_has(x->s, ITEM_ALL) && names_confirm(x, "Reset all settings of", &items) != 0)
        return -1;
    rc = items_run(x, &items, configs_send, &change);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "%s", kinds[kind].tag);
    return 0;
}

/* ---- ALTER LOGGER ---- */

/* The brokers that the statement names, or all. */
static int
brokers_named(Exec *x, Items *ret)
{
    const ClientBroker *brokers;
    int32_t count;

    ret->noun = "broker";
    for (int32_t i = statement_find(x->s, ITEM_BROKER, 0); i >= 0;
         i = statement_find(x->s, ITEM_BROKER, i + 1)) {
        if (items_add(x, ret, x->s->items[i].text, -1, x->s->items[i].pos) == NULL)
            return -1;
    }
    if (!statement_has(x->s, ITEM_ALL))
        return 0;
    if (client_brokers(x->client, &brokers, &count, x->f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        if (items_add(x, ret, strview_from(exec_text(x, "%" PRId32, brokers[i].node_id)), -1, 0) ==
            NULL)
            return -1;
    }
    return 0;
}

int
do_alter_logger(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "change loggers of"};
    ConfigChange one = {.name = statement_text_of(x->s, ITEM_LOGGER),
                        .operation = statement_has(x->s, ITEM_RESET) ? 1 : 0};
    StrView level = statement_text_of(x->s, ITEM_LEVEL);
    ConfigsChange change = {.type = RESOURCE_LOGGER, .changes = &one, .count = 1};
    Items items = {0};
    int32_t done;
    int rc;

    if (level.ptr != NULL) {
        char *upper = arena_strdup(x->arena, level);

        for (char *c = upper; c != NULL && *c != '\0'; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        one.value = strview_from(upper);
    }
    if (brokers_named(x, &items) != 0)
        return -1;
    rc = items_run(x, &items, configs_send, &change);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER LOGGER");
    return 0;
}
