/*
 * pager.c - results longer than the screen go through a pager
 *
 * What is printed is held until it is known to fill the screen; from then on it flows into the pager, else it
 * goes to the terminal in the end. So a long result is never held whole, and nobody counts its lines before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pager_int.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "child_int.h"
#include "ottla/print/print.h"

/* A screen cannot be larger: struct winsize. */
#define SCREEN_MAX 65535

typedef struct Paged {
    StrBuf held;
    const char *command;
    int64_t rows; /* of the screen: as many lines want the pager; 0: the first byte does */
    int64_t columns;
    int64_t lines; /* that what is held takes */
    int64_t line_bytes;
    int64_t pid;
    FILE *pager; /* NULL: not begun */
    bool plain;  /* the pager could not be begun */
} Paged;

/* Is there a program of this name? */
static bool
in_path(const char *program)
{
    const char *path = getenv("PATH");
    char file[4096];

    while (path != NULL && *path != '\0') {
        int len = (int)strcspn(path, ":");

        if (len > 0 && len < 3000) {
            (void)snprintf(file, sizeof file, "%.*s/%s", len, path, program);
            if (access(file, X_OK) == 0)
                return true;
        }
        path += len;
        path += *path == ':';
    }
    return false;
}

/* What the user wants, or what there is; NULL: none. */
static const char *
pager_command(void)
{
    const char *command = getenv("OTTLA_PAGER");

    if (command == NULL)
        command = getenv("PAGER");
    if (command == NULL)
        command = in_path("less") ? "less" : in_path("more") ? "more" : "";
    return command[strspn(command, " \t\r\n")] == '\0' ? NULL : command;
}

static bool
write_all(FILE *out, const char *bytes, size_t len)
{
    return len == 0 || fwrite(bytes, 1, len, out) == len;
}

static void
begin_pager(Paged *p)
{
    p->pager = child_open(p->command, false, &p->pid);
    p->plain = p->pager == NULL;
    (void)write_all(p->plain ? stdout : p->pager, p->held.ptr,
                    p->held.len); /* the next write tells */
    strbuf_release(&p->held);
}

/* Lines that the bytes take on the screen; escapes and wide characters make it an estimate. */
static void
count_lines(Paged *p, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            p->lines += 1 + (p->line_bytes > 0 ? (p->line_bytes - 1) / p->columns : 0);
            p->line_bytes = 0;
        } else if ((bytes[i] & 0xc0) != 0x80) {
            p->line_bytes++;
        }
    }
}

static ssize_t
paged_write(void *cookie, const char *bytes, size_t len)
{
    Paged *p = cookie;
    FILE *to = p->plain ? stdout : p->pager;

    if (to == NULL) {
        count_lines(p, bytes, len);
        strbuf_add(&p->held, bytes, len);
        if (strbuf_failed(&p->held))
            return 0;
        if (p->lines + p->line_bytes / p->columns >= p->rows)
            begin_pager(p);
        return (ssize_t)len;
    }
    return write_all(to, bytes, len) ? (ssize_t)len : 0;
}

static int
paged_close(void *cookie)
{
    Paged *p = cookie;

    if (p->pager != NULL)
        (void)child_close(p->pager, p->pid); /* how a pager ends is its user's business */
    else if (!p->plain)
        (void)write_all(stdout, p->held.ptr, p->held.len); /* output_check tells */
    strbuf_release(&p->held);
    free(p);
    return 0;
}

FILE *
pager_open(Shell *shell)
{
    static const cookie_io_functions_t functions = {.write = paged_write, .close = paged_close};
    const char *command = pager_command();
    struct winsize size = {.ws_row = 0};
    Paged *p;
    FILE *out;

    if (shell->pset.pager == PRINT_OFF || command == NULL || shell->out.file != stdout ||
        !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return stdout;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return stdout;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    p->command = command;
    p->columns = size.ws_col;
    p->rows = size.ws_row > shell->pset.pager_min_lines ? size.ws_row : shell->pset.pager_min_lines;
    if (shell->pset.pager == PRINT_AUTO)
        p->rows = 0;
    /* more does not fit below the number of lines, but for combining characters */
    strbuf_init(&p->held, (size_t)SCREEN_MAX * SCREEN_MAX, NULL);
    fflush(stdout);
    out = fopencookie(p, "w", functions);
    if (out == NULL) {
        free(p);
        return stdout;
    }
    return out;
}

void
pager_close(Shell *shell, FILE *out)
{
    (void)shell;
    if (out == stdout)
        fflush(out);
    else
        fclose(out); /* a pager that was left early is no fault */
}

int
pager_print(Shell *shell, const PrintTable *table, const PrintOptions *options)
{
    PrintSwitch before = shell->pset.pager;
    int min_lines = shell->pset.pager_min_lines;
    FILE *out;
    int rc;

    /* \g (pager=off) counts for this result */
    shell->pset.pager = options->pager;
    shell->pset.pager_min_lines = options->pager_min_lines;
    out = pager_open(shell);
    shell->pset.pager = before;
    shell->pset.pager_min_lines = min_lines;
    rc = print_table(table, options, out);
    pager_close(shell, out);
    if (rc == OT_E_NO_MEMORY)
        return shell_error(shell, FAULT_NO_MEMORY, "the result does not fit into memory");
    return 0;
}
