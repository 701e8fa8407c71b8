/*
 * send_statement.c - statements of our own: what the shell lends to those who run them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "send_int.h"

#include "commands_int.h"
#include "ottla/common/text.h"
#include "ottla/statement/statement.h"
#include "terminal_int.h"

/* SQL, unless it begins like a statement of ours; what nobody knows is answered by the parser of those. */
bool
send_is_sql(Shell *shell, StrView text)
{
    (void)shell;
    return !statement_knows(text) && sql_knows(text);
}

/* ---- what is lent ------------------------------------------------------------------------------ */

static void
notice(void *arg, const char *severity, const char *text)
{
    const Sending *sending = arg;

    if (strcmp(severity, "NOTICE") != 0 || !variables_on(sending->shell->vars, "QUIET"))
        shell_notice(sending->shell, severity, "%s", text);
}

static int
take_table(void *arg, const PrintTable *table, Fault *f)
{
    return send_deliver(arg, table, f);
}

/* yes or no, or for many objects their number; without a terminal: true. */
static bool
ask_whether(Shell *shell, const char *question, int64_t count)
{
    char text[700], number[24];
    StrBuf typed;
    bool good;

    if (!shell->interactive)
        return true;
    (void)snprintf(number, sizeof number, "%lld", (long long)count);
    if (count > SHELL_CONFIRM_COUNT)
        (void)snprintf(text, sizeof text, "%s Type the number of objects (%s) to go on: ", question,
                       number);
    else
        (void)snprintf(text, sizeof text, "%s (yes/no) ", question);
    strbuf_init(&typed, 256, NULL);
    good = terminal_ask(text, true, &typed) &&
           (count > SHELL_CONFIRM_COUNT ? strcmp(typed.ptr, number) == 0
                                        : strcasecmp(typed.ptr, "yes") == 0);
    strbuf_release(&typed);
    return good;
}

static bool
confirm(void *arg, const char *question, int32_t count)
{
    return ask_whether(((Sending *)arg)->shell, question, count);
}

/* The name of a backslash command and its one argument, quoted. */
static int
command(void *arg, const char *name, StrView argument, Fault *f)
{
    Sending *sending = arg;
    StrBuf text;
    int rc = 0;

    if (sending->hidden)
        return 0; /* it only shows */
    strbuf_init(&text, 65536, NULL);
    strbuf_add_cstr(&text, name);
    if (argument.ptr != NULL) {
        strbuf_add_cstr(&text, " '");
        for (int32_t i = 0; i < argument.len; i++) {
            if (argument.ptr[i] == '\'' || argument.ptr[i] == '\\')
                strbuf_add_char(&text, argument.ptr[i]);
            strbuf_add_char(&text, argument.ptr[i]);
        }
        strbuf_add_char(&text, '\'');
    }
    if (strbuf_failed(&text))
        rc = fault_set(f, FAULT_LIMIT, "the name is too long");
    else if (command_repeat(sending->shell, text.ptr) != COMMAND_DONE) {
        *f = sending->shell->last_fault;
        sending->reported = true;
        rc = -1;
    }
    sending->is_query = true;
    strbuf_release(&text);
    return rc;
}

static int
query(void *arg, StrView sql, Fault *f)
{
    return send_sql(arg, sql, f);
}

static int
set(void *arg, StrView name, StrView value, Fault *f)
{
    const Sending *sending = arg;
    char upper[VARIABLE_NAME_BYTES_MAX + 1];
    int32_t len = name.len < VARIABLE_NAME_BYTES_MAX ? name.len : VARIABLE_NAME_BYTES_MAX;
    ErrInfo err;

    for (int32_t i = 0; i < len; i++)
        upper[i] =
            (char)(name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? name.ptr[i] - 32 : name.ptr[i]);
    if (special_var_find((StrView){upper, len}) != NULL) /* in statements case does not count */
        name = (StrView){upper, len};
    if (variables_set(sending->shell->vars, name, value, &err) != 0)
        return fault_set(f, FAULT_BAD_PARAMETER, "%s", err.text);
    return 0;
}

static int
password(void *arg, const char *user, char *ret, size_t size, Fault *f)
{
    (void)arg;
    return shell_new_password(user, ret, size, f);
}

static void
progress(void *arg, const char *text)
{
    (void)arg;
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s", text == NULL ? "" : text);
    fflush(stderr);
}

int
send_statement_text(Sending *sending, StrView text, Fault *f)
{
    Shell *shell = sending->shell;
    const StatementEnv env = {
        .client = &shell->client,
        .arg = sending,
        .notice = notice,
        .table = take_table,
        .confirm = confirm,
        .command = command,
        .query = query,
        .set = set,
        .password = shell->interactive || shell->asks_password ? password : NULL,
        .progress = progress,
        .validate_only = variables_on(shell->vars, "VALIDATE_ONLY"),
        .confirm_on = shell->interactive && variables_on(shell->vars, "CONFIRM"),
        .timezone = variables_get(shell->vars, STRVIEW("TIMEZONE")),
    };

    if (shell->plan.way == RESULT_DESCRIBE)
        return fault_set(f, FAULT_NOT_SUPPORTED, "\\gdesc describes statements of SQL only");
    return statement_run(&env, text, sending->tag, f);
}
