/*
 * cmd_vars.c - \set, \unset, \prompt, \getenv, \setenv, \timing, \encoding, \restrict: what the session remembers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <errno.h>

#include "terminal_int.h"

static CommandResult
set(CommandCall *call, const char *name, StrView value)
{
    ErrInfo err;

    if (variables_set(call->shell->vars, strview_from(name), value, &err) != 0)
        return command_fail(call, "%s", err.text);
    return COMMAND_DONE;
}

static CommandResult
list_variables(CommandCall *call)
{
    const char *name, *value;

    for (int i = 0; variables_at(call->shell->vars, i, &name, &value); i++)
        shell_say(call->shell, "%s = '%s'\n", name, value);
    return COMMAND_DONE;
}

/* \set NAME [VALUE...]: the words one behind the other. */
CommandResult
cmd_set(CommandCall *call)
{
    char *name = command_word_copy(call);
    CommandResult result = COMMAND_FAILED;
    const char *word;
    StrBuf value;

    if (name == NULL)
        return list_variables(call);
    strbuf_init(&value, VARIABLE_VALUE_BYTES_MAX, NULL);
    while ((word = command_word(call)) != NULL)
        strbuf_add_cstr(&value, word);
    if (strbuf_failed(&value))
        result = command_fail(call, "the value is too long");
    else if (!call->bad)
        result = set(call, name, strbuf_view(&value));
    strbuf_release(&value);
    free(name);
    return result;
}

CommandResult
cmd_unset(CommandCall *call)
{
    const char *name = command_word(call);

    if (name == NULL)
        return command_fail(call, "missing required argument");
    return set(call, name, (StrView){NULL, 0});
}

/* \prompt [TEXT] NAME */
CommandResult
cmd_prompt(CommandCall *call)
{
    char *first = command_word_copy(call);
    char *second = command_word_copy(call);
    CommandResult result;
    StrBuf typed;

    strbuf_init(&typed, VARIABLE_VALUE_BYTES_MAX, NULL);
    if (first == NULL)
        result = command_fail(call, "missing required argument");
    else if (!terminal_ask(second == NULL ? "" : first, true, &typed))
        result = command_fail(call, "nothing was typed");
    else
        result = set(call, second == NULL ? first : second, strbuf_view(&typed));
    strbuf_release(&typed);
    free(first);
    free(second);
    return result;
}

/* \getenv VARIABLE ENVIRONMENT; without such an environment variable nothing changes. */
CommandResult
cmd_getenv(CommandCall *call)
{
    char *name = command_word_copy(call);
    const char *environment = name == NULL ? NULL : command_word(call);
    CommandResult result = COMMAND_DONE;

    if (environment == NULL)
        result = command_fail(call, "missing required argument");
    else if (getenv(environment) != NULL)
        result = set(call, name, strview_from(getenv(environment)));
    free(name);
    return result;
}

CommandResult
cmd_setenv(CommandCall *call)
{
    char *name = command_word_copy(call);
    const char *value = name == NULL ? NULL : command_word(call);
    CommandResult result = COMMAND_DONE;

    if (name == NULL)
        result = command_fail(call, "missing required argument");
    else if (name[0] == '\0' || strchr(name, '=') != NULL)
        result = command_fail(call, "environment variable name must not contain \"=\"");
    else if ((value == NULL ? unsetenv(name) : setenv(name, value, 1)) != 0)
        result = command_fail(call, "%s", strerror(errno));
    free(name);
    return result;
}

CommandResult
cmd_timing(CommandCall *call)
{
    const char *word = command_word(call);
    bool on = !call->shell->timing;

    if (word != NULL && !variable_parse_bool(strview_from(word), &on))
        return command_fail(call, "unrecognized value \"%s\": a boolean is expected", word);
    call->shell->timing = on;
    if (!variables_on(call->shell->vars, "QUIET"))
        shell_say(call->shell, "Timing is %s.\n", on ? "on" : "off");
    return COMMAND_DONE;
}

/* Everything here is UTF-8. */
CommandResult
cmd_encoding(CommandCall *call)
{
    const char *word = command_word(call);

    if (word == NULL)
        shell_say(call->shell, "UTF8\n");
    else if (strcasecmp(word, "utf8") != 0 && strcasecmp(word, "utf-8") != 0)
        return command_fail(call, "%s: the shell speaks UTF8 only", word);
    return COMMAND_DONE;
}

/* ---- scripts of others: nothing but statements and \unrestrict with the same key ---------------- */

CommandResult
cmd_restrict(CommandCall *call)
{
    char *key = command_word_copy(call);

    if (key == NULL || key[0] == '\0') {
        free(key);
        return command_fail(call, "missing required argument");
    }
    free(call->shell->restricted);
    call->shell->restricted = key;
    return COMMAND_DONE;
}

CommandResult
cmd_unrestrict(CommandCall *call)
{
    const char *key = command_word(call);

    if (key == NULL)
        return command_fail(call, "missing required argument");
    if (call->shell->restricted == NULL)
        return command_fail(call, "not currently in restricted mode");
    if (strcmp(key, call->shell->restricted) != 0)
        return command_fail(call, "wrong key");
    free(call->shell->restricted);
    call->shell->restricted = NULL;
    return COMMAND_DONE;
}
