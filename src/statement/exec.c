/*
 * exec.c - runs a statement: dispatch, sending, EXPLAIN
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "exec_int.h"
#include "grammar_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/clock.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/json.h"

/* Memory of one statement: answers of a large cluster are its largest part. */
#define EXEC_ARENA_BYTES ((size_t)1 << 30)

/* Bytes of one request that EXPLAIN shows. */
#define EXPLAIN_JSON_MAX 65536

static int (*const runs[STATEMENT_COUNT])(Exec *x) = {
    [STATEMENT_CREATE_TOPIC] = do_create_topic,
    [STATEMENT_ALTER_TOPIC] = do_alter_topic,
    [STATEMENT_DROP_TOPIC] = do_drop_topic,
    [STATEMENT_TRUNCATE_TOPIC] = do_truncate_topic,
    [STATEMENT_SHOW_LIST] = do_show_list,
    [STATEMENT_DESCRIBE] = do_describe,
    [STATEMENT_SHOW_CONFIG] = do_show_config,
    [STATEMENT_SHOW_SETTING] = do_show_setting,
    [STATEMENT_ALTER_CONFIG] = do_alter_config,
    [STATEMENT_ALTER_LOGGER] = do_alter_logger,
    [STATEMENT_ALTER_SYSTEM] = do_alter_system,
    [STATEMENT_SET] = do_set,
    [STATEMENT_RESET_OFFSETS] = do_reset_offsets,
    [STATEMENT_DELETE_OFFSETS] = do_delete_offsets,
    [STATEMENT_REMOVE_MEMBER] = do_remove_member,
    [STATEMENT_DROP_GROUP] = do_drop_group,
    [STATEMENT_CREATE_USER] = do_create_user,
    [STATEMENT_ALTER_USER] = do_create_user,
    [STATEMENT_DROP_USER] = do_drop_user,
    [STATEMENT_GRANT_SET] = do_grant_set,
    [STATEMENT_GRANT] = do_grant,
    [STATEMENT_REVOKE] = do_revoke,
    [STATEMENT_REVOKE_ALL] = do_revoke_all,
    [STATEMENT_CREATE_TOKEN] = do_token,
    [STATEMENT_RENEW_TOKEN] = do_token,
    [STATEMENT_EXPIRE_TOKEN] = do_token,
    [STATEMENT_ALTER_QUOTA] = do_alter_quota,
    [STATEMENT_REASSIGN] = do_reassign,
    [STATEMENT_CANCEL_REASSIGN] = do_cancel_reassign,
    [STATEMENT_SET_THROTTLE] = do_set_throttle,
    [STATEMENT_ELECT] = do_elect,
    [STATEMENT_ABORT_TRANSACTION] = do_abort_transaction,
    [STATEMENT_FIND_HANGING] = do_find_hanging,
    [STATEMENT_UNREGISTER] = do_unregister,
    [STATEMENT_ADD_VOTER] = do_voter,
    [STATEMENT_REMOVE_VOTER] = do_voter,
    [STATEMENT_FEATURE] = do_feature,
    [STATEMENT_CREATE_METRICS] = do_metrics,
    [STATEMENT_DROP_METRICS] = do_metrics,
    [STATEMENT_PRODUCE] = do_produce,
    [STATEMENT_EXPLAIN_RETENTION] = do_explain_retention,
    [STATEMENT_EXPLAIN_REPLICA] = do_explain_replica,
};

/* ---- speaking ---- */

void *
exec_alloc(Exec *x, size_t count, size_t size)
{
    void *memory = arena_calloc(x->arena, count == 0 ? 1 : count, size);

    if (memory == NULL)
        (void)fault_set(x->f, FAULT_NO_MEMORY, "out of memory");
    return memory;
}

const char *
exec_text(Exec *x, const char *format, ...)
{
    StrBuf text;
    va_list args;

    strbuf_init(&text, 65536, x->arena);
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    return text.ptr;
}

void
exec_notice(Exec *x, const char *severity, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fault_clean(text);
    x->env->notice(x->env->arg, severity, text);
}

void
exec_tag(Exec *x, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(x->tag, STATEMENT_TAG_MAX, format, args);
    va_end(args);
}

int
exec_bad_value(Exec *x, const StatementItem *item, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fault_set(x->f, FAULT_BAD_PARAMETER, "%s", text);
    x->f->position = item->pos;
    return -1;
}

int
exec_not_supported(Exec *x, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fault_set(x->f, FAULT_NOT_SUPPORTED, "%s", text);
}

int
exec_table(Exec *x, const PrintTable *table)
{
    if (table->failed)
        return fault_set(x->f, FAULT_NO_MEMORY, "out of memory");
    if (x->s->explain && table != &x->plan)
        return 0; /* only how it comes about is shown */
    return x->env->table(x->env->arg, table, x->f);
}

const ClientStatCell *
exec_stat_cell(const ClientStatCell *cells, int32_t count, const char *name)
{
    for (int32_t i = 0; i < count; i++) {
        if (strview_equal(cells[i].name, strview_from(name)))
            return cells[i].null ? NULL : &cells[i];
    }
    return NULL;
}

/* ---- sending ---- */

static const char *
api_name(int16_t key)
{
    const ApiInfo *api = api_find(key);

    return api == NULL ? "an API" : api->name;
}

/* EXPLAIN: a line per request, and what a change would hold. */
static void
plan_add(Exec *x, const ClientCall *call, int16_t version, const void *change)
{
    const MessageDesc *desc = message_find_by_number(MESSAGE_REQUEST, call->api_key);
    int32_t node = call->node_id == CLIENT_HERE ? client_info(x->client)->node_id : call->node_id;
    StrBuf json;

    print_table_printf(&x->plan, "%s %s v%d to %s",
                       change == NULL ? "Read:  " : "Change:", api_name(call->api_key), version,
                       node < 0 ? "the connected node" : exec_text(x, "node %" PRId32, node));
    if (change == NULL || desc == NULL)
        return;
    strbuf_init(&json, EXPLAIN_JSON_MAX, x->arena);
    json_add_message(&json, desc, version, change);
    print_table_printf(&x->plan, "  %s%s", json.ptr, strbuf_failed(&json) ? "..." : "");
}

static int
call_out(Exec *x, const ClientCall *call, const void *request, void *response)
{
    if (client_call(x->client, call, request, response, x->arena, x->f) == 0)
        return 0;
    if (x->f->node_id < 0)
        x->f->node_id = call->node_id;
    return -1;
}

int
exec_read_at(Exec *x, ClientCall call, const void *request, void *response)
{
    if (x->s->explain) {
        int16_t version = client_version(x->client, call.node_id, call.api_key);

        plan_add(x, &call,
                 call.version_max >= 0 && version > call.version_max ? call.version_max : version,
                 NULL);
    }
    return call_out(x, &call, request, response);
}

int
exec_read(Exec *x, int32_t node, int16_t api, const void *request, void *response)
{
    return exec_read_at(x, client_call_to(node, api), request, response);
}

/* Requests that can be tried: the server judges them and does nothing. */
static bool
has_trial(const Exec *x, const ClientCall *call)
{
    switch (call->api_key) {
    case API_CreateTopics:
    case API_CreatePartitions:
    case API_IncrementalAlterConfigs:
    case API_AlterClientQuotas:
    case API_OttlaControl:
        return true;
    case API_UpdateFeatures:
        return client_version(x->client, call->node_id, call->api_key) >= 1;
    default:
        return false;
    }
}

int
exec_change_at(Exec *x, ClientCall call, const void *request, void *response)
{
    if (x->validate && !x->s->explain && !has_trial(x, &call)) {
        x->untried = true;
        return EXEC_PLANNED;
    }
    if (x->s->explain) {
        int16_t version = client_version(x->client, call.node_id, call.api_key);

        if (call.version_max >= 0 && version > call.version_max)
            version = call.version_max;
        if (version < 0)
            return exec_not_supported(x, "the server does not know %s", api_name(call.api_key));
        plan_add(x, &call, version, request);
        return EXEC_PLANNED;
    }
    return call_out(x, &call, request, response);
}

int
exec_change(Exec *x, int32_t node, int16_t api, const void *request, void *response)
{
    return exec_change_at(x, client_call_to(node, api), request, response);
}

int
exec_again(Exec *x, int16_t error, int attempt)
{
    bool wants_metadata = false;
    int rc;

    if (!client_retryable(error, &wants_metadata))
        return 0;
    if (wants_metadata)
        client_refresh(x->client);
    rc = client_backoff(x->client, attempt, x->deadline_ms, x->f);
    return rc < 0 ? -1 : rc == 0;
}

int
exec_group_node(Exec *x, StrView group, int32_t *ret_node)
{
    return client_coordinator(x->client, 0, group, ret_node, x->f);
}

int
exec_confirm(Exec *x, const char *question)
{
    if (!x->env->confirm_on || x->env->confirm == NULL || x->s->explain || x->validate)
        return 0;
    if (x->env->confirm(x->env->arg, question, 1))
        return 0;
    return fault_set(x->f, FAULT_CANCELED, "nothing was done: not confirmed");
}

/* ---- running ---- */

static int
run(Exec *x)
{
    static const char *const title = "QUERY PLAN";
    int rc;

    if (!x->s->explain) {
        rc = runs[x->s->kind](x);
        if (rc >= 0 && x->untried) {
            exec_notice(x, "NOTICE", "nothing was sent: the server cannot try this");
            if (x->tag[0] == '\0')
                exec_tag(x, "%s", grammar_name(x->s->kind));
        }
        return rc;
    }
    print_table_init(&x->plan, x->arena, (StrView){0});
    print_table_add_column(&x->plan, strview_from(title), 'l');
    rc = runs[x->s->kind](x);
    if (rc < 0 || x->explained)
        return rc;
    x->tag[0] = '\0';
    if (print_table_rows(&x->plan) == 0)
        print_table_add_text(&x->plan, "No request would be sent.");
    return exec_table(x, &x->plan);
}

int
statement_run(const StatementEnv *env, StrView text, char tag[STATEMENT_TAG_MAX], Fault *f)
{
    Arena *arena = arena_new(1 << 16, EXEC_ARENA_BYTES);
    Statement s;
    StatementError error;
    int rc = -1;

    tag[0] = '\0';
    fault_clear(f);
    if (arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    if (statement_parse(text, arena, &s, &error) != 0) {
        (void)fault_set(f, FAULT_SYNTAX, "%s", error.message);
        if (error.hint[0] != '\0')
            fault_hint(f, "%s", error.hint);
        f->position = error.position;
    } else if (*env->client == NULL && s.kind != STATEMENT_SET) {
        (void)fault_set(f, FAULT_CONNECTION_LOST, "not connected");
        fault_hint(f, "Connect with \\c.");
    } else {
        Exec x = {
            .env = env,
            .s = &s,
            .client = *env->client,
            .arena = arena,
            .f = f,
            .tag = tag,
            .validate = env->validate_only || statement_has(&s, ITEM_VALIDATE),
        };

        if (x.client != NULL)
            x.deadline_ms = client_deadline(x.client);
        rc = run(&x) < 0 ? -1 : 0;
    }
    if (rc < 0)
        tag[0] = '\0';
    arena_free(arena);
    return rc;
}
