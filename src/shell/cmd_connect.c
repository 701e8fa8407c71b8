/*
 * cmd_connect.c - \c, \conninfo: which node one speaks to
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <inttypes.h>

#include "ottla/protocol/apis.h"

/* \c topic NAME: the topic of \tail and \produce. */
static CommandResult
choose_topic(CommandCall *call)
{
    const char *name = command_word(call);
    size_t size = sizeof call->shell->topic;

    if (name == NULL) {
        call->shell->topic[0] = '\0';
        return COMMAND_DONE;
    }
    if (strlen(name) >= size)
        return command_fail(call, "\"%s\" is too long", name);
    (void)snprintf(call->shell->topic, size, "%s", name);
    if (!variables_on(call->shell->vars, "QUIET"))
        shell_say(call->shell, "Topic is \"%s\".\n", name);
    return COMMAND_DONE;
}

static void
say_connected(Shell *shell)
{
    const ClientInfo *info = client_info(shell->client);

    if (variables_on(shell->vars, "QUIET"))
        return;
    shell_say(shell, "You are now connected to %s (node %" PRId32 ", %s) via %s.\n", info->address,
              info->node_id, variables_get(shell->vars, STRVIEW("SERVER_VERSION_NAME")),
              info->transport);
}

/*
 * A new connection; the old one stays when that fails at a terminal. A script must not go on with a
 * connection that it does not expect: it loses the old one.
 */
static CommandResult
reconnect(CommandCall *call, const char *where)
{
    Shell *shell = call->shell;
    ClientTarget *before = shell->target;
    ClientTarget *target = malloc(sizeof *target);
    Fault f;

    if (target == NULL)
        return command_fail(call, "no memory");
    if (where == NULL || strcmp(where, "-") == 0) {
        *target = *before;
    } else {
        client_target_init(target);
        target->notice = before->notice;
        target->notice_arg = before->notice_arg;
        if (client_target_parse(target, strview_from(where), &f) != 0) {
            free(target);
            shell_report(shell, &f, (StrView){NULL, 0});
            return COMMAND_FAILED;
        }
    }
    shell->target = target;
    if (shell_connect(shell, &f) == 0) {
        free(before);
        say_connected(shell);
        return COMMAND_DONE;
    }
    shell->target = before;
    free(target);
    shell_report(shell, &f, (StrView){NULL, 0});
    if (shell->interactive && shell->client != NULL)
        fputs("Previous connection kept\n", stderr);
    else if (!shell->interactive)
        shell_disconnect(shell);
    return COMMAND_FAILED;
}

CommandResult
cmd_connect(CommandCall *call)
{
    char *where = command_word_copy(call);
    CommandResult result;

    if (where != NULL && strcmp(where, "topic") == 0)
        result = choose_topic(call);
    else
        result = reconnect(call, where);
    free(where);
    return result;
}

#define VERSIONS_LINE_BYTES 56

/* ---- \conninfo --------------------------------------------------------------------------------- */

static void
add(PrintTable *table, const char *name, const char *value)
{
    print_table_add_text(table, name);
    print_table_add_text(table, value[0] == '\0' ? NULL : value);
}

static void
add_number(PrintTable *table, const char *name, int64_t value)
{
    print_table_add_text(table, name);
    print_table_printf(table, "%" PRId64, value);
}

/* "Produce 13, Fetch 17 ...": the highest version that both sides know; in lines that a screen holds. */
static void
add_versions(PrintTable *table, Client *client, const ClientInfo *info)
{
    StrBuf text;
    size_t line = 0;

    strbuf_init(&text, 65536, NULL);
    for (int32_t i = 0; i < info->api_count; i++) {
        const ApiInfo *api = api_find(info->apis[i].key);
        int16_t version = client_version(client, CLIENT_HERE, info->apis[i].key);
        bool full;

        if (api == NULL || version < 0)
            continue;
        full = text.len - line > VERSIONS_LINE_BYTES;
        if (text.len > 0)
            strbuf_add_cstr(&text, full ? ",\n" : ", ");
        if (full)
            line = text.len;
        strbuf_printf(&text, "%s %d", api->name, version);
    }
    if (!strbuf_failed(&text))
        add(table, "Versions", text.ptr);
    strbuf_release(&text);
}

CommandResult
cmd_conninfo(CommandCall *call)
{
    Shell *shell = call->shell;
    char principal[CLIENT_PRINCIPAL_MAX];
    const ClientInfo *info;
    PrintTable table;
    Arena *arena;
    int rc;

    if (shell->client == NULL) {
        shell_say(shell, "You are currently not connected.\n");
        return COMMAND_DONE;
    }
    arena = arena_new(16384, 0);
    if (arena == NULL)
        return command_fail(call, "no memory");
    info = client_info(shell->client);
    print_table_init(&table, arena, STRVIEW("Connection Information"));
    print_table_add_column(&table, STRVIEW("Parameter"), 'l');
    print_table_add_column(&table, STRVIEW("Value"), 'l');
    add(&table, "Address", info->address);
    add(&table, "Host", info->host);
    add_number(&table, "Port", info->port);
    add(&table, "Transport", info->transport);
    add(&table, "Mechanism", "none");
    add(&table, "User", info->user);
    add(&table, "Principal", client_principal(shell->client, principal) ? principal : "unknown");
    add_number(&table, "Node", info->node_id);
    add(&table, "Cluster", info->cluster_id);
    add(&table, "Server", variables_get(shell->vars, STRVIEW("SERVER_VERSION_NAME")));
    add(&table, "Client id", info->client_id);
    add_number(&table, "Bytes sent", client_bytes_out(shell->client));
    add_number(&table, "Bytes received", client_bytes_in(shell->client));
    add_versions(&table, shell->client, info);
    rc = shell_print(shell, &table);
    arena_free(arena);
    return rc == 0 ? COMMAND_DONE : COMMAND_FAILED;
}
