/*
 * cmd_history.c - \s: the statements that were typed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "commands_int.h"
#include "history_int.h"
#include "output_int.h"
#include "pager_int.h"

/* \s [FILE] */
CommandResult
cmd_history(CommandCall *call)
{
    const char *target = command_word(call);
    FILE *out;

    if (call->bad)
        return COMMAND_FAILED;
    if (target == NULL) {
        out = pager_open(call->shell);
        history_write(out);
        pager_close(call->shell, out);
        return COMMAND_DONE;
    }
    out = fopen(target, "we");
    if (out == NULL)
        return command_fail(call, "%s: %s", target, strerror(errno));
    history_write(out);
    if (fclose(out) != 0)
        return command_fail(call, "%s: %s", target, strerror(errno));
    return COMMAND_DONE;
}
