/*
 * output.c - where results go: the screen, a file, the input of a command
 *
 * Errors of our own never go here, but to stderr (report.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "output_int.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "child_int.h"
#include "ottla/print/print.h"
#include "pager_int.h"

int
output_open(Shell *shell, const char *target, Output *ret)
{
    Output opened = {stdout, 0, false};

    if (target != NULL && target[0] == '|') {
        opened.close = true;
        opened.file = child_open(target + 1, false, &opened.pid);
    } else if (target != NULL && target[0] != '\0') {
        opened.close = true;
        opened.file = fopen(target, "we");
    }
    if (opened.file == NULL)
        return shell_error(shell, FAULT_FILE, "%s: %s", target, strerror(errno));
    *ret = opened;
    return 0;
}

void
output_close(Output *output)
{
    if (!output->close)
        fflush(output->file);
    else if (output->pid != 0)
        (void)child_close(output->file, output->pid); /* its exit code is its own business */
    else
        fclose(output->file);
    *output = (Output){stdout, 0, false};
}

int
output_change(Shell *shell, const char *target)
{
    Output opened;

    if (output_open(shell, target, &opened) != 0)
        return -1;
    output_close(&shell->out);
    shell->out = opened;
    return 0;
}

void
output_check(Shell *shell)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int why;

    if (shell->quit || (fflush(stdout) == 0 && !ferror(stdout)))
        return;
    why = errno;
    shell->quit = true;
    shell->stdout_gone = poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
    if (!shell->stdout_gone) {
        shell->write_failed = true;
        (void)shell_error(shell, FAULT_FILE, "could not write to standard output: %s",
                          strerror(why));
    }
}

/* Columns of the screen that output goes to; 0: it is none. */
static int
screen_columns(const Shell *shell)
{
    struct winsize size;

    if (shell->out.file != stdout || !isatty(STDOUT_FILENO) ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

/* To a file or command of its own, without a pager. */
static int
print_plainly(Shell *shell, const PrintTable *table, const PrintOptions *options, FILE *file)
{
    if (print_table(table, options, file) == 0)
        return 0;
    if (table->failed)
        return shell_error(shell, FAULT_NO_MEMORY, "the result does not fit into memory");
    if (errno != EPIPE)
        return shell_error(shell, FAULT_FILE, "could not write the result: %s", strerror(errno));
    return -1;
}

int
shell_print_with(Shell *shell, const PrintTable *table, const PrintOptions *options)
{
    PrintOptions with = *options;
    int rc;

    with.screen_columns = screen_columns(shell);
    if (shell->out.file == stdout && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        rc = pager_print(shell, table, &with);
    else
        rc = print_plainly(shell, table, &with, shell->out.file);
    if (shell->log != NULL && rc == 0) {
        rc = print_plainly(shell, table, &with, shell->log);
        fflush(shell->log);
    }
    if (shell->out.file == stdout)
        output_check(shell);
    else
        fflush(shell->out.file);
    return rc;
}

int
shell_print(Shell *shell, const PrintTable *table)
{
    return shell_print_with(shell, table, &shell->pset);
}

void
shell_say(Shell *shell, const char *format, ...)
{
    FILE *files[] = {shell->out.file, shell->log};

    for (int i = 0; i < 2 && files[i] != NULL; i++) {
        va_list args;

        va_start(args, format);
        vfprintf(files[i], format, args);
        va_end(args);
        fflush(files[i]);
    }
    output_check(shell);
}

void
output_log_statement(Shell *shell, StrView text)
{
    if (shell->log == NULL)
        return;
    fprintf(shell->log, "********* QUERY **********\n%.*s\n**************************\n\n",
            text.len, text.ptr);
    fflush(shell->log);
}
