/*
 * cmd_format.c - \pset and its shorthands: how results look
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#define SHOW_BYTES_MAX 65536

/* Sets one option and says so, unless quiet. value NULL: as \pset NAME alone. */
static CommandResult
set_option(CommandCall *call, const char *name, const char *value)
{
    Shell *shell = call->shell;
    CommandResult result = COMMAND_DONE;
    StrBuf text;
    ErrInfo err;

    strbuf_init(&text, SHOW_BYTES_MAX, NULL);
    if (print_options_set(&shell->pset, strview_from(name), strview_from(value), &err) != 0 ||
        print_options_show(&shell->pset, strview_from(name), &text, &err) != 0)
        result = command_fail(call, "%s", err.text);
    else if (!variables_on(shell->vars, "QUIET"))
        shell_say(shell, "%s", text.ptr);
    strbuf_release(&text);
    return result;
}

/* An option whose value is the argument of the command, if there is one. */
static CommandResult
set_by_argument(CommandCall *call, const char *name)
{
    char *value = command_word_copy(call);
    CommandResult result = call->bad ? COMMAND_FAILED : set_option(call, name, value);

    free(value);
    return result;
}

/* \pset [NAME [VALUE]] */
CommandResult
cmd_pset(CommandCall *call)
{
    char *name = command_word_copy(call);
    CommandResult result = COMMAND_DONE;
    StrBuf text;

    if (call->bad)
        return COMMAND_FAILED;
    if (name != NULL) {
        result = set_by_argument(call, name);
        free(name);
        return result;
    }
    strbuf_init(&text, SHOW_BYTES_MAX, NULL);
    print_options_show_all(&call->shell->pset, &text);
    shell_say(call->shell, "%s", text.ptr);
    strbuf_release(&text);
    return result;
}

CommandResult
cmd_expanded(CommandCall *call)
{
    return set_by_argument(call, "expanded");
}

CommandResult
cmd_tuples_only(CommandCall *call)
{
    return set_by_argument(call, "tuples_only");
}

CommandResult
cmd_title(CommandCall *call)
{
    return set_by_argument(call, "title");
}

CommandResult
cmd_field_separator(CommandCall *call)
{
    return set_by_argument(call, "fieldsep");
}

CommandResult
cmd_table_attributes(CommandCall *call)
{
    return set_by_argument(call, "tableattr");
}

/* \a and \H turn between one format and aligned. */
CommandResult
cmd_unaligned(CommandCall *call)
{
    bool aligned = call->shell->pset.format == PRINT_ALIGNED;

    return set_option(call, "format", aligned ? "unaligned" : "aligned");
}

CommandResult
cmd_html(CommandCall *call)
{
    bool html = call->shell->pset.format == PRINT_HTML;

    return set_option(call, "format", html ? "aligned" : "html");
}
