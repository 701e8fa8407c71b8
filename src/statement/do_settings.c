/*
 * do_settings.c - settings shown; ALTER SYSTEM; variables of the shell
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "dump_int.h"
#include "exec_int.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_ottla_control.h"

static const char *
source_text(int8_t source)
{
    static const char *const texts[] = {
        [CONF_SOURCE_TOPIC] = "topic",
        [CONF_SOURCE_DYNAMIC_BROKER] = "broker",
        [CONF_SOURCE_DYNAMIC_CLUSTER] = "cluster",
        [CONF_SOURCE_STATIC] = "file",
        [CONF_SOURCE_DEFAULT] = "default",
        [CONF_SOURCE_LOGGER] = "logger",
        [CONF_SOURCE_METRICS] = "client metrics",
        [CONF_SOURCE_GROUP] = "group",
    };

    return source >= 1 && source <= CONF_SOURCE_GROUP ? texts[source] : "unknown";
}

/* ---- SHOW CONFIG ---- */

int
do_show_config(Exec *x)
{
    const Statement *s = x->s;
    int8_t type = statement_has(s, ITEM_TOPIC)     ? RESOURCE_TOPIC
                  : statement_has(s, ITEM_GROUP)   ? RESOURCE_GROUP
                  : statement_has(s, ITEM_METRICS) ? RESOURCE_CLIENT_METRICS
                  : statement_has(s, ITEM_LOGGER)  ? RESOURCE_LOGGER
                                                   : RESOURCE_BROKER;
    StatementItemName named = type == RESOURCE_TOPIC            ? ITEM_TOPIC
                              : type == RESOURCE_GROUP          ? ITEM_GROUP
                              : type == RESOURCE_CLIENT_METRICS ? ITEM_METRICS
                                                                : ITEM_BROKER;
    StrView name = statement_has(s, ITEM_DEFAULT) ? STRVIEW("") : statement_text_of(s, named);
    bool all = statement_has(s, ITEM_ALL);
    DescribeConfigsResponseResult result;
    PrintTable table;

    if (configs_read(x, type, name, false, &result) != 0) {
        int32_t at = statement_find(s, named, 0);

        x->f->position = at >= 0 ? s->items[at].pos : -1;
        return -1;
    }
    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("name"), 'l');
    print_table_add_column(&table, STRVIEW("value"), 'l');
    print_table_add_column(&table, STRVIEW("source"), 'l');
    for (int32_t i = 0; i < result.configs_count; i++) {
        const DescribeConfigsResponseResourceResult *c = &result.configs[i];

        if (!all && c->config_source == CONF_SOURCE_DEFAULT)
            continue;
        print_table_add_cell(&table, c->name);
        print_table_add_cell(&table, c->value);
        print_table_add_text(&table, source_text(c->config_source));
    }
    return exec_table(x, &table);
}

/* ---- SHOW name ---- */

/* A value with its best unit ("7d"), in the arena. */
static StrView
value_for_people(Exec *x, const DescribeConfigsResponseResourceResult *c, bool raw)
{
    int row = conf_find(CONF_SCOPE_BROKER, c->name);
    char text[TEXT_QUANTITY_MAX];
    int64_t number;

    if (c->is_sensitive)
        return STRVIEW("[hidden]");
    if (raw || row < 0 || conf_rows[row].unit == TEXT_UNIT_NONE || c->value.ptr == NULL ||
        !text_to_int64(c->value, &number) || number < 0)
        return c->value;
    text_from_quantity(number, conf_rows[row].unit, text);
    return strview_from(exec_text(x, "%s", text));
}

/* A value of the file that the cluster's metadata lies over. */
static void
tell_hidden(Exec *x, const DescribeConfigsResponseResourceResult *c)
{
    if (c->config_source != CONF_SOURCE_DYNAMIC_BROKER &&
        c->config_source != CONF_SOURCE_DYNAMIC_CLUSTER)
        return;
    for (int32_t i = 0; i < c->synonyms_count; i++) {
        if (c->synonyms[i].source == CONF_SOURCE_STATIC) {
            exec_notice(x, "NOTICE",
                        "\"%.*s\" is set by cluster metadata, the value of the file is ignored",
                        (int)c->name.len, c->name.ptr);
            return;
        }
    }
}

static int
show_one(Exec *x, const StatementItem *item, const DescribeConfigsResponseResult *have)
{
    int loose = conf_find_loose(item->text);
    StrView name = loose >= 0 ? strview_from(conf_rows[loose].name) : item->text;
    PrintTable table;

    for (int32_t i = 0; i < have->configs_count; i++) {
        const DescribeConfigsResponseResourceResult *c = &have->configs[i];

        if (!strview_equal(c->name, name))
            continue;
        tell_hidden(x, c);
        print_table_init(&table, x->arena, (StrView){0});
        print_table_add_column(&table, c->name, 'l');
        if (statement_has(x->s, ITEM_HELP))
            print_table_add_column(&table, STRVIEW("description"), 'l');
        print_table_add_cell(&table, value_for_people(x, c, statement_has(x->s, ITEM_RAW)));
        if (statement_has(x->s, ITEM_HELP))
            print_table_add_cell(&table, c->documentation);
        return exec_table(x, &table);
    }
    (void)fault_set(x->f, "42704", "unrecognized setting \"%.*s\"", (int)item->text.len,
                    item->text.ptr);
    x->f->position = item->pos;
    if (conf_nearest(CONF_SCOPE_BROKER, item->text) != NULL)
        fault_hint(x->f, "Perhaps you meant \"%s\".", conf_nearest(CONF_SCOPE_BROKER, item->text));
    return -1;
}

int
do_show_setting(Exec *x)
{
    int32_t at = statement_find(x->s, ITEM_SETTING, 0);
    const char *node = exec_text(x, "%" PRId32, client_info(x->client)->node_id);
    bool help = statement_has(x->s, ITEM_HELP);
    DescribeConfigsResponseResult have;
    PrintTable table;

    if (configs_read(x, RESOURCE_BROKER, strview_from(node), help, &have) != 0)
        return -1;
    if (at >= 0)
        return show_one(x, &x->s->items[at], &have);
    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("name"), 'l');
    print_table_add_column(&table, STRVIEW("setting"), 'l');
    if (help)
        print_table_add_column(&table, STRVIEW("description"), 'l');
    for (int32_t i = 0; i < have.configs_count; i++) {
        print_table_add_cell(&table, have.configs[i].name);
        print_table_add_cell(&table,
                             value_for_people(x, &have.configs[i], statement_has(x->s, ITEM_RAW)));
        if (help)
            print_table_add_cell(&table, have.configs[i].documentation);
    }
    return exec_table(x, &table);
}

/* ---- SHOW lists, DESCRIBE: the shell's own commands ---- */

static int
run_command(Exec *x, const char *command, StrView argument)
{
    if (x->env->command == NULL)
        return exec_not_supported(x, "\\%s is not available here", command);
    return x->env->command(x->env->arg, command, argument, x->f);
}

static int
run_query(Exec *x, const char *query)
{
    if (x->env->query == NULL)
        return exec_not_supported(x, "queries are not available here");
    if (x->s->explain) { /* SQL has its own */
        x->explained = true;
        query = exec_text(x, "EXPLAIN %s", query);
    }
    return x->env->query(x->env->arg, strview_from(query), x->f);
}

/* A text as an SQL literal. */
static const char *
literal(Exec *x, StrView text)
{
    StrBuf out;

    strbuf_init(&out, 65536, x->arena);
    dump_literal(&out, text);
    return out.ptr;
}

int
do_show_list(Exec *x)
{
    static const struct {
        StatementItemName name;
        const char *command; /* or: */
        const char *select, *key, *order;
    } lists[] = {
        {ITEM_TOPICS, "l", NULL, NULL, NULL},
        {ITEM_GROUPS, "dg", NULL, NULL, NULL},
        {ITEM_USERS, "du", NULL, NULL, NULL},
        {ITEM_ACLS, "da", NULL, NULL, NULL},
        {ITEM_BROKERS, "db", NULL, NULL, NULL},
        {ITEM_QUOTAS, "dq", NULL, NULL, NULL},
        {ITEM_TRANSACTIONS, "dG", NULL, NULL, NULL},
        {ITEM_REASSIGNMENTS, "dR", NULL, NULL, NULL},
        {ITEM_QUORUM, "dk", NULL, NULL, NULL},
        {ITEM_FEATURES, NULL, "SELECT name, min_supported, max_supported, finalized FROM features",
         "name", "name"},
        {ITEM_ACTIVITY, "ds", NULL, NULL, NULL},
        {ITEM_WORKERS, "dw", NULL, NULL, NULL},
    };
    static const char *const tables[] = {"topics",  "groups",   "users",        "acls",
                                         "brokers", "quotas",   "transactions", "reassignments",
                                         "quorum",  "features", "activity",     "workers"};
    int32_t pattern = statement_find(x->s, ITEM_PATTERN, 0);
    size_t i = 0;
    const char *where = "";

    while (!statement_has(x->s, lists[i].name))
        i++;
    if (x->s->explain) /* the command reads this table first of all */
        return run_query(x, exec_text(x, "SELECT * FROM %s", tables[i]));
    if (lists[i].command != NULL && (pattern < 0 || i < 8))
        return run_command(x, lists[i].command,
                           pattern < 0 ? (StrView){0} : x->s->items[pattern].text);
    if (lists[i].command != NULL)
        return exec_bad_value(x, &x->s->items[pattern],
                              "this list has no names to compare with a pattern");
    if (pattern >= 0)
        where = exec_text(x, " WHERE glob_match(%s, %s)", literal(x, x->s->items[pattern].text),
                          lists[i].key);
    return run_query(x, exec_text(x, "%s%s ORDER BY %s", lists[i].select, where, lists[i].order));
}

int
do_describe(Exec *x)
{
    const Statement *s = x->s;

    if (s->explain)
        return run_query(x, statement_has(s, ITEM_TOPICS)         ? "SELECT * FROM partitions"
                            : statement_has(s, ITEM_GROUPS)       ? "SELECT * FROM group_members"
                            : statement_has(s, ITEM_USERS)        ? "SELECT * FROM users"
                            : statement_has(s, ITEM_TRANSACTIONS) ? "SELECT * FROM transactions"
                                                                  : "SELECT * FROM brokers");
    if (statement_has(s, ITEM_TOPICS))
        return run_command(x, "d", statement_text_of(s, ITEM_TOPIC));
    if (statement_has(s, ITEM_GROUPS))
        return run_command(x, "dg", statement_text_of(s, ITEM_GROUP));
    if (statement_has(s, ITEM_USERS))
        return run_command(x, "du+", statement_text_of(s, ITEM_USER));
    if (statement_has(s, ITEM_TRANSACTIONS))
        return run_command(x, "dG", statement_text_of(s, ITEM_TRANSACTION));
    if (statement_has(s, ITEM_BROKER))
        return run_query(x, exec_text(x, "SELECT * FROM brokers WHERE node_id = %.*s",
                                      (int)statement_text_of(s, ITEM_BROKER).len,
                                      statement_text_of(s, ITEM_BROKER).ptr));
    if (statement_has(s, ITEM_BROKERS))
        return run_command(x, "db", (StrView){0});
    if (run_command(x, "dk", (StrView){0}) != 0)
        return -1;
    return run_command(x, "db", (StrView){0});
}

/* ---- SET ---- */

int
do_set(Exec *x)
{
    StrView name = statement_has(x->s, ITEM_TIMEZONE) ? STRVIEW("TIMEZONE")
                                                      : statement_text_of(x->s, ITEM_VARIABLE);

    if (x->s->explain)
        return 0;
    if (x->env->set == NULL)
        return exec_not_supported(x, "there are no variables here");
    if (x->env->set(x->env->arg, name, statement_text_of(x->s, ITEM_VALUE), x->f) != 0)
        return -1;
    exec_tag(x, "SET");
    return 0;
}

/* ---- ALTER SYSTEM ---- */

#define ORDER_SETTINGS 3

/* The name as the node knows it, and the value as its file may hold it: with its unit. */
static void
fill_setting(const Statement *s, OttlaControlRequestSetting *ret)
{
    const StatementItem *item = &s->items[statement_find(s, ITEM_SETTING, 0)];
    int row = conf_find_loose(item->text);

    ottla_control_request_setting_init(ret);
    ret->name = row >= 0 ? strview_from(conf_rows[row].name) : item->text;
    if (!statement_has(s, ITEM_RESET))
        ret->value = statement_text_of(s, ITEM_VALUE);
}

int
do_alter_system(Exec *x)
{
    bool all = statement_has(x->s, ITEM_ALL);
    OttlaControlRequest request;
    OttlaControlRequestSetting setting;
    OttlaControlResponse response;
    int rc;

    if (client_version(x->client, CLIENT_HERE, API_OttlaControl) < 0) {
        (void)exec_not_supported(
            x, "ALTER SYSTEM needs a node of Ottla, and a super user or the Unix socket");
        fault_hint(x->f, "ALTER BROKER changes what Kafka lets change while a broker runs.");
        return -1;
    }
    if (all && exec_confirm(x, "Take all settings out of ottla.auto.conf?") != 0)
        return -1;
    ottla_control_request_init(&request);
    request.order = ORDER_SETTINGS;
    request.reset_all = all;
    request.validate_only = x->validate;
    if (!all) {
        fill_setting(x->s, &setting);
        request.settings = &setting;
        request.settings_count = 1;
    }
    rc = exec_change(x, CLIENT_HERE, API_OttlaControl, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0) {
        int32_t at =
            statement_find(x->s, statement_has(x->s, ITEM_VALUE) ? ITEM_VALUE : ITEM_SETTING, 0);

        (void)fault_kafka(x->f, response.error_code, client_info(x->client)->node_id, "%.*s",
                          response.message.len > 0
                              ? (int)response.message.len
                              : (int)strlen(fault_kafka_text(response.error_code)),
                          response.message.len > 0 ? response.message.ptr
                                                   : fault_kafka_text(response.error_code));
        x->f->position = at >= 0 ? x->s->items[at].pos : -1;
        return -1;
    }
    for (int32_t i = 0; i < response.needs_restart_count; i++)
        exec_notice(x, "NOTICE", "\"%.*s\" takes effect at the next start",
                    (int)response.needs_restart[i].len, response.needs_restart[i].ptr);
    if (x->validate)
        exec_notice(x, "NOTICE", "validated only, nothing was written");
    exec_tag(x, "ALTER SYSTEM");
    return 0;
}
