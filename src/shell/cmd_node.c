/*
 * cmd_node.c - \kill, \cancel: what a node is asked to do to one of its backends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_ottla_control.h"

/* Numbers of orders, as in the table of the message. */
enum { ORDER_TERMINATE = 1, ORDER_CANCEL = 2 };

static int
take_generation(void *arg, const ClientStatCell *cells, int32_t count)
{
    int64_t *generation = arg;

    if (count > 0 && !cells[0].null)
        *generation = cells[0].number;
    return 1;
}

/* The generation makes sure that it is the process that was seen, not a later one of the same number. */
static int
find_generation(Shell *shell, const char *pid, int64_t *ret, Fault *f)
{
    static const char *const columns[] = {"generation"};
    const ClientStatFilter filter = {"pid", strview_from(pid)};
    const ClientStatQuery query = {"activity", columns, 1, &filter, 1};

    *ret = -1;
    if (client_stat(shell->client, CLIENT_HERE, &query, take_generation, ret, f) != 0)
        return -1;
    if (*ret < 0)
        return fault_set(f, "42704", "the node has no backend with pid %s", pid);
    return 0;
}

static int
send_order(Shell *shell, int8_t order, int32_t pid, int64_t generation, Fault *f)
{
    const ClientCall call = client_call_to(CLIENT_HERE, API_OttlaControl);
    Arena *arena = arena_new(4096, 0);
    OttlaControlRequest request;
    OttlaControlResponse response;
    int rc = -1;

    if (arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory");
    ottla_control_request_init(&request);
    request.order = order;
    request.pid = pid;
    request.generation = generation;
    if (client_call(shell->client, &call, &request, &response, arena, f) != 0)
        rc = -1;
    else if (response.error_code == 0)
        rc = 0;
    else if (response.message.ptr != NULL)
        rc = fault_kafka(f, response.error_code, -1, "%.*s", response.message.len,
                         response.message.ptr);
    else
        rc = fault_kafka(f, response.error_code, -1, NULL);
    arena_free(arena);
    return rc;
}

static CommandResult
order(CommandCall *call, int8_t what, const char *tag)
{
    Shell *shell = call->shell;
    const char *word = command_word(call);
    int64_t generation;
    int32_t pid;
    Fault f;

    if (word == NULL || !text_to_int32(strview_from(word), &pid) || pid <= 0)
        return command_fail(call, "a process number is expected (SELECT pid FROM activity)");
    if (!shell_wake_connection(shell))
        return COMMAND_FAILED;
    if (shell->client == NULL)
        return command_fail(call, "you are currently not connected");
    if (find_generation(shell, word, &generation, &f) != 0 ||
        send_order(shell, what, pid, generation, &f) != 0) {
        shell_report(shell, &f, (StrView){NULL, 0});
        (void)shell_check_connection(shell); /* the next one looks again */
        return COMMAND_FAILED;
    }
    if (!variables_on(shell->vars, "QUIET"))
        shell_say(shell, "%s\n", tag);
    return COMMAND_DONE;
}

CommandResult
cmd_kill(CommandCall *call)
{
    return order(call, ORDER_TERMINATE, "KILL");
}

CommandResult
cmd_cancel(CommandCall *call)
{
    return order(call, ORDER_CANCEL, "CANCEL");
}
