/*
 * cmd_copy.c - \copy: a topic or a query into a file, a file into a topic
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ottla/common/clock.h"

/* A query: its result as a file of csv or JSON, through what \g does. */
static CommandResult
copy_query(CommandCall *call, const CopyOrder *order)
{
    Shell *shell = call->shell;
    const char *format = order->format == COPY_JSONL ? "jsonl" : "csv";
    StrBuf target;

    if (order->format == COPY_RAW || order->format == COPY_SEGMENT)
        return command_fail(call, "the result of a query is csv or jsonl");
    strbuf_init(&target, COPY_WORD_MAX + 2, NULL);
    if (order->place == COPY_PROGRAM)
        strbuf_add_char(&target, '|');
    if (order->target != NULL)
        strbuf_add_cstr(&target, order->target);
    shell->plan.way = RESULT_PRINT;
    free(shell->plan.target);
    shell->plan.target = order->place == COPY_STANDARD ? NULL : strdup(target.ptr);
    shell->plan.options = shell->pset;
    shell->plan.has_options = true;
    strbuf_release(&target);
    if (print_options_set(&shell->plan.options, STRVIEW("format"), strview_from(format), NULL) !=
            0 ||
        print_options_set(&shell->plan.options, STRVIEW("tuples_only"),
                          order->header ? STRVIEW("off") : STRVIEW("on"), NULL) != 0)
        return command_fail(call, "%s cannot be printed", format);
    return shell_send(shell, strview_from(order->select)) ? COMMAND_DONE : COMMAND_FAILED;
}

static void
tell(Shell *shell, const CopyOrder *order, const CopyResult *result, int64_t took_us)
{
    double seconds = (double)(took_us < 1 ? 1 : took_us) / 1e6;

    if (result->skipped > 0)
        shell_notice(shell, "NOTICE", "%" PRId64 " %s skipped", result->skipped,
                     order->format == COPY_SEGMENT ? "batches without messages" : "lines");
    if (variables_on(shell->vars, "QUIET"))
        return;
    fprintf(stderr, "%" PRId64 " messages, %" PRId64 " bytes in %.3f s, %.0f messages/s\n",
            result->messages, result->bytes, seconds, (double)result->messages / seconds);
    if (order->target == NULL && !order->from)
        return; /* the tag would stand among what was copied */
    shell_say(shell, "COPY %" PRId64 "\n", result->messages);
}

static CommandResult
copy_topic(CommandCall *call, const CopyOrder *order)
{
    Shell *shell = call->shell;
    CopyResult result = {0};
    int64_t begin_us = clock_mono_us();
    CommandResult ended;
    Fault f;
    int status;

    if (shell->client == NULL)
        return command_fail(call, "you are currently not connected");
    fault_clear(&f);
    status = order->from ? copy_in(shell, order, &result, &f) : copy_out(shell, order, &result, &f);
    ended = stream_end(call, status, &f);
    if (status == 0) {
        tell(shell, order, &result, clock_mono_us() - begin_us);
        shell_state_success(shell, result.messages);
    }
    return ended;
}

CommandResult
cmd_copy(CommandCall *call)
{
    const char *text = command_rest(call);
    CommandResult result = COMMAND_FAILED;
    CopyOrder order;
    Fault f;

    if (copy_parse(call->shell, text == NULL ? "" : text, &order, &f) != 0)
        (void)command_fail(call, "%s", f.message);
    else
        result = order.select != NULL ? copy_query(call, &order) : copy_topic(call, &order);
    copy_release(&order);
    return result;
}
