/*
 * fn_node.c - SQL functions that tell the connected node to do something: OttlaControl
 *
 * They work in a statement of its own alone, not in views and triggers, and for super users.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_ottla_control.h"
#include "sql/sql_int.h"

enum { ORDER_RELOAD, ORDER_TERMINATE, ORDER_CANCEL };

static void
give_fault(sqlite3_context *context, const Fault *f)
{
    (void)sql_keep_fault(sqlite3_user_data(context), f); /* the text is for SQLite alone */
    sqlite3_result_error(context, f->message, -1);
}

/* Sends the order and gives 1, or what the node says of it. */
static void
give_order(sqlite3_context *context, const OttlaControlRequest *request)
{
    Sql *sql = sqlite3_user_data(context);
    ClientCall call = client_call_to(CLIENT_HERE, API_OttlaControl);
    OttlaControlResponse response;
    Fault f;
    Client *client;

    fault_clear(&f);
    client = sql_client(sql, &f);
    if (client != NULL && !client_info(client)->is_ottla) {
        fault_set(&f, FAULT_NOT_SUPPORTED, "this needs a node of Ottla");
        fault_detail(&f, "The server is %s.", client_info(client)->server_name);
        fault_hint(&f, "Kafka has no API for it.");
    } else if (client != NULL &&
               client_call(client, &call, request, &response, sql->arena, &f) == 0) {
        if (response.error_code == 0) {
            sqlite3_result_int(context, 1);
            return;
        }
        fault_kafka(&f, response.error_code, client_info(client)->node_id, "%.*s",
                    response.message.len, response.message.ptr == NULL ? "" : response.message.ptr);
    }
    give_fault(context, &f);
}

static void
fn_reload(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    OttlaControlRequest request;

    (void)argc, (void)argv;
    ottla_control_request_init(&request);
    request.order = ORDER_RELOAD;
    give_order(context, &request);
}

static int
take_generation(void *arg, const ClientStatCell *cells, int32_t count)
{
    if (count == 1 && !cells[0].null)
        *(int64_t *)arg = cells[0].number;
    return 0;
}

/* The generation tells this process from a later one with its number. */
static void
end_backend(sqlite3_context *context, int8_t order, sqlite3_value *pid)
{
    static const char *const columns[] = {"generation"};
    Sql *sql = sqlite3_user_data(context);
    char number[24];
    ClientStatFilter filter = {.column = "pid"};
    ClientStatQuery query = {.view = "activity",
                             .columns = columns,
                             .column_count = 1,
                             .filters = &filter,
                             .filter_count = 1};
    OttlaControlRequest request;
    int64_t generation = -1;
    Fault f;
    Client *client;

    fault_clear(&f);
    (void)snprintf(number, sizeof number, "%lld", (long long)sqlite3_value_int64(pid));
    filter.value = strview_from(number);
    client = sql_client(sql, &f);
    if (client == NULL ||
        client_stat(client, CLIENT_HERE, &query, take_generation, &generation, &f) != 0) {
        give_fault(context, &f);
        return;
    }
    if (generation < 0) { /* as PostgreSQL: no such backend is no error */
        sqlite3_result_int(context, 0);
        return;
    }
    ottla_control_request_init(&request);
    request.order = order;
    request.pid = (int32_t)sqlite3_value_int64(pid);
    request.generation = generation;
    give_order(context, &request);
}

static void
fn_terminate(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_INTEGER)
        end_backend(context, ORDER_TERMINATE, argv[0]);
}

static void
fn_cancel(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_INTEGER)
        end_backend(context, ORDER_CANCEL, argv[0]);
}

int
functions_node_register(Sql *sql)
{
    static const struct {
        const char *name;
        int argc;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"reload", 0, fn_reload},
        {"terminate_backend", 1, fn_terminate},
        {"cancel_backend", 1, fn_cancel},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function_v2(sql->db, functions[i].name, functions[i].argc,
                                        SQLITE_UTF8 | SQLITE_DIRECTONLY, sql, functions[i].fn, NULL,
                                        NULL, NULL);
    return rc;
}
