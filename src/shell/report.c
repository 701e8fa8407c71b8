/*
 * report.c - errors and notices as psql prints them, and the variables that remember them
 *
 * Everything here goes to stderr, never to where results go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdarg.h>

#include "input_int.h"
#include "place_int.h"
#include "shell_int.h"

/* "FILE:LINE: " inside a file, nothing elsewhere. */
static void
print_where(const Shell *shell)
{
    if (shell->input != NULL && shell->input->shown_name != NULL)
        fprintf(stderr, "%s:%" PRId64 ": ", shell->input->shown_name, shell->input->line);
}

static void
print_place(const Fault *f, StrView text)
{
    StrBuf place;

    if (text.ptr == NULL || f->position < 0)
        return;
    strbuf_init(&place, 4096, NULL);
    place_add(&place, text, f->position);
    fputs(place.ptr, stderr);
    strbuf_release(&place);
}

static void
print_fault(const Fault *f, StrView text, const char *verbosity)
{
    bool terse = strcmp(verbosity, "terse") == 0;
    bool verbose = strcmp(verbosity, "verbose") == 0;

    if (strcmp(verbosity, "sqlstate") == 0) {
        fprintf(stderr, "ERROR:  %s\n", f->sqlstate);
        return;
    }
    fputs("ERROR:  ", stderr);
    if (verbose)
        fprintf(stderr, "%s: ", f->sqlstate);
    fputs(f->message, stderr);
    if (terse && f->position >= 0)
        fprintf(stderr, " at character %" PRId32, f->position + 1);
    fputc('\n', stderr);
    if (terse)
        return;
    print_place(f, text);
    if (f->detail[0] != '\0')
        fprintf(stderr, "DETAIL:  %s\n", f->detail);
    if (f->hint[0] != '\0')
        fprintf(stderr, "HINT:  %s\n", f->hint);
}

void
shell_report(Shell *shell, const Fault *f, StrView text)
{
    const char *verbosity = variables_get(shell->vars, STRVIEW("VERBOSITY"));

    fflush(stdout);
    print_where(shell);
    print_fault(f, text, verbosity);
    if (f != &shell->last_fault)
        shell->last_fault = *f;
    strbuf_clear(&shell->last_text);
    strbuf_add_view(&shell->last_text, text);
    variables_state(shell->vars, "ERROR", "true");
    variables_state(shell->vars, "SQLSTATE", f->sqlstate);
    variables_state(shell->vars, "LAST_ERROR_SQLSTATE", f->sqlstate);
    variables_state(shell->vars, "LAST_ERROR_MESSAGE", f->message);
    variables_state(shell->vars, "KAFKA_ERROR",
                    f->kafka_error == 0 ? "NONE" : fault_kafka_name(f->kafka_error));
    variables_state(shell->vars, "ROW_COUNT", "0");
}

void
shell_report_verbose(Shell *shell)
{
    StrView text = strbuf_view(&shell->last_text);

    if (shell->last_fault.sqlstate[0] == '\0') {
        puts("There is no previous error.");
        return;
    }
    print_fault(&shell->last_fault, text.len > 0 ? text : (StrView){NULL, 0}, "verbose");
    if (shell->last_fault.kafka_error != 0)
        fprintf(stderr, "KAFKA:  %s (%d): %s\n", fault_kafka_name(shell->last_fault.kafka_error),
                shell->last_fault.kafka_error, fault_kafka_text(shell->last_fault.kafka_error));
}

int
shell_error(Shell *shell, const char *sqlstate, const char *format, ...)
{
    char text[sizeof((Fault *)NULL)->message];
    Fault f;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    (void)fault_set(&f, sqlstate, "%s", text);
    shell_report(shell, &f, (StrView){NULL, 0});
    return -1;
}

void
shell_notice(Shell *shell, const char *level, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    print_where(shell);
    fprintf(stderr, "%s:  ", level);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void
shell_state_success(Shell *shell, int64_t rows)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%" PRId64, rows);
    variables_state(shell->vars, "ERROR", "false");
    variables_state(shell->vars, "SQLSTATE", "00000");
    variables_state(shell->vars, "KAFKA_ERROR", "NONE");
    variables_state(shell->vars, "ROW_COUNT", number);
}
