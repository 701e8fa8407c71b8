/*
 * cmd_flow.c - \if, \elif, \else, \endif, \q: which input counts
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#define WORDS_MAX 64

static CommandResult
outcome(CommandCall *call, int rc, const ErrInfo *err)
{
    if (rc == 0)
        return COMMAND_DONE;
    (void)shell_error(call->shell, FAULT_SYNTAX, "%s", err->text);
    return COMMAND_FAILED;
}

/* What the statement and the parentheses were when the branch began. */
static void
keep_statement(CommandCall *call)
{
    CondLevel *top = cond_top(call->conds);

    if (top != NULL) {
        top->statement_len = call->shell->statement.len;
        top->paren_depth = call->lexer->paren_depth;
    }
}

/* What a branch that did not count put into the statement goes. */
static void
drop_statement(CommandCall *call)
{
    const CondLevel *top = cond_top(call->conds);

    if (top == NULL || cond_active(call->conds) || call->shell->statement.len < top->statement_len)
        return;
    strbuf_truncate(&call->shell->statement, top->statement_len);
    call->lexer->paren_depth = top->paren_depth;
}

/* The value of the expression in the rest of the arguments; an error counts as false. */
static bool
expression(CommandCall *call, CommandResult *ret)
{
    StrView words[WORDS_MAX];
    char *copies[WORDS_MAX];
    int count = 0;
    bool value = false;
    ErrInfo err;

    while (count < WORDS_MAX && (copies[count] = command_word_copy(call)) != NULL) {
        words[count] = strview_from(copies[count]);
        count++;
    }
    if (!call->bad && cond_value(words, count, &value, &err) != 0) {
        (void)shell_error(call->shell, FAULT_SYNTAX, "\\%s: %s", call->name, err.text);
        *ret = COMMAND_FAILED;
    }
    for (int i = 0; i < count; i++)
        free(copies[i]);
    return value;
}

CommandResult
cmd_if(CommandCall *call)
{
    CommandResult result = COMMAND_DONE;
    bool value = false;
    ErrInfo err;
    int rc;

    if (cond_active(call->conds))
        value = expression(call, &result);
    else
        lexer_skip_arguments(call->lexer, false);
    rc = cond_if(call->conds, value, &err);
    keep_statement(call);
    return rc == 0 ? result : outcome(call, rc, &err);
}

CommandResult
cmd_elif(CommandCall *call)
{
    CommandResult result = COMMAND_DONE;
    bool value = false;
    ErrInfo err;
    int rc;

    drop_statement(call);
    if (cond_wants_elif(call->conds))
        value = expression(call, &result);
    else
        lexer_skip_arguments(call->lexer, false);
    rc = cond_elif(call->conds, value, &err);
    if (rc == 0)
        keep_statement(call);
    return rc == 0 ? result : outcome(call, rc, &err);
}

CommandResult
cmd_else(CommandCall *call)
{
    ErrInfo err;
    int rc;

    drop_statement(call);
    rc = cond_else(call->conds, &err);
    if (rc == 0)
        keep_statement(call);
    return outcome(call, rc, &err);
}

CommandResult
cmd_endif(CommandCall *call)
{
    ErrInfo err;

    drop_statement(call);
    return outcome(call, cond_endif(call->conds, &err), &err);
}

CommandResult
cmd_quit(CommandCall *call)
{
    (void)call;
    return COMMAND_QUIT;
}
