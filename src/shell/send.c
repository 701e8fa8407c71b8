/*
 * send.c - runs a statement: where it goes, what becomes of its result, what is said about it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "send_int.h"

#include <errno.h>
#include <inttypes.h>

#include "interrupt_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/text.h"
#include "output_int.h"
#include "split_int.h"
#include "terminal_int.h"

/* ---- before ------------------------------------------------------------------------------------ */

/* -s: shall it be run? */
static bool
single_step(StrView text)
{
    StrBuf typed;
    bool good;

    strbuf_init(&typed, 4096, NULL);
    printf("***(Single step mode: verify command)******************************************\n"
           "%.*s\n"
           "***(press return to proceed or enter x and return to cancel)*******************\n",
           text.len, text.ptr);
    fflush(stdout);
    good = terminal_ask("", true, &typed) && (typed.len == 0 || typed.ptr[0] != 'x');
    strbuf_release(&typed);
    return good;
}

static bool
begin(Shell *shell, StrView text)
{
    if (variables_on(shell->vars, "SINGLESTEP") && !single_step(text))
        return false;
    if (variables_is(shell->vars, "ECHO", "queries")) {
        printf("%.*s\n", text.len, text.ptr);
        fflush(stdout);
    }
    output_log_statement(shell, text);
    return shell_wake_connection(shell);
}

/* ---- what becomes of a result ------------------------------------------------------------------ */

/* \gset: the one row into variables. */
static int
set_variables(Shell *shell, const PrintTable *table, Fault *f)
{
    const char *prefix = shell->plan.prefix == NULL ? "" : shell->plan.prefix;
    int64_t rows = print_table_rows(table);

    if (rows != 1)
        return fault_set(f, FAULT_BAD_PARAMETER, "%s rows returned for \\gset",
                         rows == 0 ? "no" : "several");
    for (int32_t i = 0; i < table->column_count; i++) {
        char name[VARIABLE_NAME_BYTES_MAX + 1];
        ErrInfo err;
        int len = snprintf(name, sizeof name, "%s%.*s", prefix, table->columns[i].name.len,
                           table->columns[i].name.ptr);

        if (len >= (int)sizeof name)
            return fault_set(f, FAULT_BAD_PARAMETER, "the name of column %d is too long", i + 1);
        if (special_var_find(strview_from(name)) != NULL) {
            shell_notice(shell, "WARNING",
                         "attempt to \\gset into specially treated variable \"%s\" ignored", name);
            continue;
        }
        if (variables_set(shell->vars, strview_from(name), print_table_cell(table, 0, i), &err) !=
            0)
            return fault_set(f, FAULT_BAD_PARAMETER, "%s", err.text);
    }
    return 0;
}

/* \gexec: each cell is a statement; stops at the first failure when scripts do. */
static void
run_cells(Shell *shell, const PrintTable *table)
{
    int64_t rows = print_table_rows(table);

    for (int64_t row = 0; row < rows; row++) {
        for (int32_t i = 0; i < table->column_count; i++) {
            StrView cell = print_table_cell(table, row, i);

            if (cell.ptr == NULL || shell_interrupted() || shell->quit || shell->lost)
                continue;
            if (variables_is(shell->vars, "ECHO", "all"))
                shell_say(shell, "%.*s\n", cell.len, cell.ptr);
            if (!shell_send(shell, cell) && variables_on(shell->vars, "ON_ERROR_STOP"))
                return;
        }
    }
}

static int
print_result(Shell *shell, const PrintTable *table)
{
    ResultPlan *plan = &shell->plan;
    PrintOptions options = plan->has_options ? plan->options : shell->pset;
    PrintTable titled = *table;

    if (plan->title[0] != '\0')
        titled.title = strview_from(plan->title);
    return shell_print_with(shell, &titled, &options);
}

int
send_deliver(Sending *sending, const PrintTable *table, Fault *f)
{
    Shell *shell = sending->shell;

    sending->rows += print_table_rows(table);
    sending->tables++;
    if (table->failed)
        return fault_set(f, FAULT_NO_MEMORY, "the result does not fit into memory");
    if (sending->hidden)
        return 0;
    switch (shell->plan.way) {
    case RESULT_SET:
        return set_variables(shell, table, f);
    case RESULT_EXEC:
        sending->cells = *table;
        return 0;
    case RESULT_PRINT:
    case RESULT_DESCRIBE:
        break;
    }
    sending->print_failed = print_result(shell, table) != 0;
    return 0;
}

/* ---- one statement ----------------------------------------------------------------------------- */

static void
print_timing(int64_t us)
{
    double ms = (double)us / 1000.0;
    int64_t seconds = us / 1000000;

    if (us < 1000000)
        printf("Time: %.3f ms\n", ms);
    else if (seconds < 3600)
        printf("Time: %.3f ms (%02d:%06.3f)\n", ms, (int)(seconds / 60),
               (double)(us % 60000000) / 1e6);
    else
        printf("Time: %.3f ms (%02" PRId64 ":%02d:%06.3f)\n", ms, seconds / 3600,
               (int)(seconds / 60 % 60), (double)(us % 60000000) / 1e6);
    fflush(stdout);
}

/* The count at the end of a tag: "INSERT 3". */
static int64_t
rows_of_tag(const char *tag)
{
    const char *blank = strrchr(tag, ' ');
    int64_t rows;

    return blank != NULL && text_to_int64(strview_from(blank + 1), &rows) ? rows : 0;
}

/* Runs it; results are delivered on the way. */
static int
run(Sending *sending, StrView text, Fault *f)
{
    Shell *shell = sending->shell;
    int rc;

    interrupt_target(shell->client, shell->sql);
    if (shell_interrupted()) /* since the prompt */
        return fault_set(f, FAULT_CANCELED, "canceled on user's request");
    if (send_is_sql(shell, text))
        rc = send_sql(sending, text, f);
    else
        rc = send_statement_text(sending, text, f);
    interrupt_target(shell->client, shell->sql);
    shell->used_ms = clock_mono_ms();
    return rc;
}

static void
failed(Shell *shell, const Fault *f, StrView text)
{
    shell_report(shell, f, text);
    if (variables_is(shell->vars, "ECHO", "errors"))
        fprintf(stderr, "STATEMENT:  %.*s\n", text.len, text.ptr);
    (void)shell_check_connection(shell); /* the next one looks again */
}

void
send_plan_clear(ResultPlan *plan)
{
    free(plan->target);
    free(plan->prefix);
    *plan = (ResultPlan){.way = RESULT_PRINT};
}

/* One of the statements of a text. */
static int
send_piece(Sending *sending, StrView text, StrView piece)
{
    Shell *shell = sending->shell;
    Fault f;
    int rc;

    fault_clear(&f);
    if (sending->arena == NULL)
        rc = fault_set(&f, FAULT_NO_MEMORY, "no memory");
    else
        rc = run(sending, piece, &f);
    if (rc != 0 && sending->reported) {
        shell_check_connection(shell);
    } else if (rc != 0) {
        if (f.position >= 0)
            f.position += (int32_t)(piece.ptr - text.ptr);
        failed(shell, &f, text);
    } else {
        int64_t rows = sending->tables > 0 ? sending->rows : rows_of_tag(sending->tag);

        shell_state_success(shell, rows);
        if (sending->tag[0] != '\0' && !sending->is_query && !sending->hidden &&
            !variables_on(shell->vars, "QUIET"))
            shell_say(shell, "%s\n", sending->tag);
    }
    return rc == 0 && !sending->print_failed ? 0 : -1;
}

/* Does the plan want one result, and that of the last statement? */
static bool
wants_last(const Shell *shell)
{
    return shell->plan.way == RESULT_SET || shell->plan.way == RESULT_EXEC ||
           !variables_on(shell->vars, "SHOW_ALL_RESULTS");
}

/* Everything of shell_send but the choice of the output. The first statement that fails is the last one. */
static bool
send_to_output(Shell *shell, StrView text)
{
    bool last_only = wants_last(shell);
    Sending sending = {.shell = shell};
    int64_t began = clock_mono_us();
    int32_t count = 1;
    StrView *pieces = split_statements(text, &count);
    int rc = 0;

    if (shell->plan.way == RESULT_DESCRIBE && pieces != NULL) {
        pieces[0] = text; /* several are refused */
        count = 1;
    }
    for (int32_t i = 0; i < count && rc == 0; i++) {
        arena_free(sending.arena);
        sending =
            (Sending){.shell = shell,
                      .hidden = last_only && i + 1 < count,
                      .arena = pieces == NULL ? NULL : arena_new(1 << 16, SHELL_RESULT_BYTES_MAX)};
        rc = send_piece(&sending, text, pieces == NULL ? text : pieces[i]);
    }
    if (shell->timing)
        print_timing(clock_mono_us() - began);
    if (rc == 0 && sending.cells.column_count > 0) {
        send_plan_clear(&shell->plan);
        run_cells(shell, &sending.cells);
    }
    arena_free(sending.arena);
    free(pieces);
    return rc == 0;
}

bool
shell_send(Shell *shell, StrView text)
{
    Output before = shell->out;
    bool redirected = shell->plan.target != NULL;
    bool good = false;

    if (!begin(shell, text)) {
        send_plan_clear(&shell->plan);
        return false;
    }
    if (!redirected || output_open(shell, shell->plan.target, &shell->out) == 0) {
        good = send_to_output(shell, text);
        if (redirected)
            output_close(&shell->out);
    }
    shell->out = before;
    send_plan_clear(&shell->plan);
    output_check(shell);
    return good;
}
