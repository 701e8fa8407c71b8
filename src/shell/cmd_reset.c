/*
 * cmd_reset.c - \reset: ALTER GROUP ... RESET OFFSETS in fewer words
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

/* \reset GROUP REST: the rest is that of the statement ("ALL TOPICS TO EARLIEST DRY RUN"). */
CommandResult
cmd_reset(CommandCall *call)
{
    const char *rest = command_rest(call);
    StrView text = strview_from(rest);
    CommandResult result;
    int32_t name_len = 0;
    StrBuf statement;

    while (name_len < text.len && (unsigned char)text.ptr[name_len] > ' ')
        name_len++;
    if (name_len == 0 || name_len == text.len)
        return command_fail(call,
                            "a group and where to is expected: \\reset app ALL TOPICS TO EARLIEST");
    if (text.ptr[text.len - 1] == ';')
        text.len--;
    strbuf_init(&statement, SHELL_STATEMENT_BYTES_MAX, NULL);
    strbuf_printf(&statement, "ALTER GROUP %.*s RESET OFFSETS%.*s", name_len, text.ptr,
                  text.len - name_len, text.ptr + name_len);
    if (strbuf_failed(&statement))
        result = command_fail(call, "the statement is too long");
    else
        result = shell_send(call->shell, strbuf_view(&statement)) ? COMMAND_DONE : COMMAND_FAILED;
    strbuf_release(&statement);
    return result;
}
