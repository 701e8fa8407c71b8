/*
 * connect.c - the connection of the session: opened, lost, opened again, and the variables that tell of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell_int.h"

#include <inttypes.h>

#include "instance_int.h"
#include "interrupt_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/version.h"
#include "terminal_int.h"

/* "0.1.2" is 102, "16.4" is 160004 as with others: two digits for each part behind the first. */
static int64_t
version_number(const char *version)
{
    int64_t number = 0;
    int parts = 0;

    while (parts < 3) {
        int64_t part = 0;

        for (; *version >= '0' && *version <= '9' && part < 1000; version++)
            part = part * 10 + (*version - '0');
        number = number * 100 + part;
        parts++;
        if (*version == '.')
            version++;
    }
    return number;
}

/* Who one is: as it was given, else as the node takes us, "User:root" as "root". May be "". */
static const char *
user_name(Client *client, char principal[CLIENT_PRINCIPAL_MAX])
{
    static const char type[] = "User:";
    const char *given = client_info(client)->user;

    if (given[0] != '\0' || !client_principal(client, principal))
        return given;
    return strncmp(principal, type, sizeof type - 1) == 0 ? principal + sizeof type - 1 : principal;
}

/* Variables HOST, PORT, NODE_ID ... of the connection; unsets them without one. */
static void
state_connection(Shell *shell)
{
    const ClientInfo *info = shell->client == NULL ? NULL : client_info(shell->client);
    char principal[CLIENT_PRINCIPAL_MAX];
    char text[256];

    if (info == NULL) {
        static const char *const names[] = {"HOST",
                                            "PORT",
                                            "USER",
                                            "NODE_ID",
                                            "CLUSTER_ID",
                                            "SERVER_VERSION_NAME",
                                            "SERVER_VERSION_NUM"};

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            variables_state(shell->vars, names[i], NULL);
        return;
    }
    variables_state(shell->vars, "HOST", info->host);
    (void)snprintf(text, sizeof text, "%u", info->port);
    variables_state(shell->vars, "PORT", text);
    variables_state(shell->vars, "USER", user_name(shell->client, principal));
    (void)snprintf(text, sizeof text, "%" PRId32, info->node_id);
    variables_state(shell->vars, "NODE_ID", text);
    variables_state(shell->vars, "CLUSTER_ID", info->cluster_id);
    (void)snprintf(text, sizeof text, "%s%s%s", info->server_name,
                   info->server_version[0] == '\0' ? "" : " ", info->server_version);
    variables_state(shell->vars, "SERVER_VERSION_NAME", text);
    (void)snprintf(text, sizeof text, "%" PRId64, version_number(info->server_version));
    variables_state(shell->vars, "SERVER_VERSION_NUM", text);
}

/* A password is wanted and not there. */
static bool
lacks_password(const Shell *shell)
{
    return shell->target->user[0] != '\0' && shell->target->password[0] == '\0' &&
           shell->ask_password >= 0;
}

static int
ask_password(Shell *shell, Fault *f)
{
    char question[CLIENT_NAME_MAX + 32];
    StrBuf typed;
    int rc = 0;

    strbuf_init(&typed, CLIENT_SECRET_MAX - 1, NULL);
    (void)snprintf(question, sizeof question, "Password for user %s: ", shell->target->user);
    if (!terminal_ask(question, false, &typed))
        rc = fault_set(f, "28P01", "no password was typed");
    else
        rc = client_target_set(shell->target, STRVIEW("password"), strbuf_view(&typed), f);
    explicit_bzero(typed.ptr, typed.len);
    strbuf_release(&typed);
    return rc;
}

int
shell_connect(Shell *shell, Fault *f)
{
    Client *client;

    if (client_target_finish(shell->target, f) != 0)
        return -1;
    if (shell->target->user[0] != '\0' && shell->ask_password > 0 && ask_password(shell, f) != 0)
        return -1;
    if (client_open(shell->target, &client, f) != 0) {
        if (strncmp(f->sqlstate, "28", 2) != 0 || !lacks_password(shell))
            return -1;
        if (ask_password(shell, f) != 0 || client_open(shell->target, &client, f) != 0)
            return -1;
    }
    shell_disconnect(shell);
    shell->client = client;
    shell->used_ms = clock_mono_ms();
    interrupt_target(client, shell->sql);
    state_connection(shell);
    return 0;
}

void
shell_disconnect(Shell *shell)
{
    Client *client = shell->client;

    shell->client = NULL;
    interrupt_target(NULL, shell->sql);
    client_close(client);
    instance_forget();
    state_connection(shell);
}

void
shell_greet(Shell *shell)
{
    const ClientInfo *info = client_info(shell->client);

    printf("ottla %s (server %s", OT_VERSION,
           variables_get(shell->vars, STRVIEW("SERVER_VERSION_NAME")));
    if (info->cluster_id[0] != '\0')
        printf(", cluster %s", info->cluster_id);
    if (info->node_id >= 0)
        printf(", node %" PRId32, info->node_id);
    printf(" via %s)\n", info->transport);
    if (!info->is_ottla)
        puts("The server is not Ottla: what needs its own views is refused (0A000).");
    puts("Type \\? for backslash commands, \\h for statements, \\q to quit.\n");
}

/* At a terminal one attempt; what failed is not done again. */
bool
shell_check_connection(Shell *shell)
{
    Fault f;

    if (shell->client == NULL || client_connected(shell->client))
        return true;
    if (!shell->interactive) {
        fputs("connection to the server was lost\n", stderr);
        shell->lost = true;
        return false;
    }
    fputs("connection lost, reconnecting ... ", stderr);
    if (client_reconnect(shell->client, &f) != 0) {
        fputs("failed\n", stderr);
        shell_report(shell, &f, (StrView){NULL, 0});
        shell_disconnect(shell);
        return false;
    }
    fputs("done\n", stderr);
    instance_forget();
    state_connection(shell);
    return true;
}

bool
shell_wake_connection(Shell *shell)
{
    bool idle = clock_mono_ms() - shell->used_ms > SHELL_IDLE_MS;
    Fault f;

    if (idle && !shell->interactive && shell->client != NULL && !client_connected(shell->client) &&
        client_reconnect(shell->client, &f) != 0)
        shell_report(shell, &f, (StrView){NULL, 0}); /* and it is the end, as any loss */
    shell->used_ms = clock_mono_ms();
    return shell_check_connection(shell);
}
