/*
 * cmd_watch.c - \watch: a statement or a command again and again
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <sys/wait.h>
#include <time.h>

#include "child_int.h"
#include "interrupt_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/text.h"

#define INTERVAL_SECONDS_MAX (7 * 86400)

/* How soon the end of a pager is noticed. */
#define LOOK_MS 100

typedef struct Watch {
    double seconds;
    int64_t times;    /* 0: for ever */
    int64_t rows_min; /* fewer rows end it; 0: none do */
} Watch;

/* [SEC] [i=SEC] [c=N] [m=MIN] */
static CommandResult
parse(CommandCall *call, Watch *watch)
{
    const char *word;

    while ((word = command_word(call)) != NULL) {
        const char *value = word[0] != '\0' && word[1] == '=' ? word + 2 : word;
        char what = value == word ? 'i' : word[0];
        bool good = false;

        if (what == 'i')
            good = text_to_double(strview_from(value), &watch->seconds) && watch->seconds >= 0 &&
                   watch->seconds <= INTERVAL_SECONDS_MAX;
        else if (what == 'c')
            good = text_to_int64(strview_from(value), &watch->times) && watch->times > 0;
        else if (what == 'm')
            good = text_to_int64(strview_from(value), &watch->rows_min) && watch->rows_min > 0;
        if (!good)
            return command_fail(call, "\"%s\" is not an interval, i=SECONDS, c=TIMES or m=ROWS",
                                word);
    }
    return call->bad ? COMMAND_FAILED : COMMAND_DONE;
}

/* "Sat 21 Nov 2026 21:36:22 UTC (every 2s)" */
static void
add_title(Shell *shell, const Watch *watch)
{
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    char when[64];
    struct tm tm;

    if (localtime_r(&seconds, &tm) == NULL ||
        strftime(when, sizeof when, "%a %d %b %Y %H:%M:%S %Z", &tm) == 0)
        when[0] = '\0';
    (void)snprintf(shell->plan.title, sizeof shell->plan.title, "%s (every %gs)", when,
                   watch->seconds);
}

static bool
run_once(Shell *shell, const Watch *watch, StrView statement, const char *command)
{
    add_title(shell, watch);
    if (command == NULL)
        return shell_send(shell, statement);
    shell_say(shell, "%s\n\n", shell->plan.title);
    shell->plan.title[0] = '\0';
    return command_repeat(shell, command) == COMMAND_DONE;
}

/* ---- the pager of all results ------------------------------------------------------------------ */

/* No result has a pager of its own; all go into that of OTTLA_WATCH_PAGER, if there is one. */
static void
pager_begin(Shell *shell, Output *ret_before, PrintSwitch *ret_pager)
{
    const char *command = getenv("OTTLA_WATCH_PAGER");
    Output pager = {.close = true};

    *ret_before = shell->out;
    *ret_pager = shell->pset.pager;
    shell->pset.pager = PRINT_OFF;
    if (command == NULL || command[strspn(command, " \t\r\n")] == '\0' || !shell->interactive ||
        shell->out.file != stdout)
        return;
    pager.file = child_open(command, false, &pager.pid);
    if (pager.file != NULL)
        shell->out = pager;
}

static void
pager_end(Shell *shell, const Output *before, PrintSwitch pager)
{
    shell->pset.pager = pager;
    if (shell->out.file == before->file)
        return;
    (void)child_close(shell->out.file,
                      shell->out.pid); /* how a pager ends is its user's business */
    shell->out = *before;
}

/* The user has left the pager. */
static bool
pager_is_gone(const Shell *shell)
{
    siginfo_t info = {.si_pid = 0};

    return shell->out.pid != 0 &&
           (waitid(P_PID, (id_t)shell->out.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid != 0);
}

/* False: the user wants no more. */
static bool
wait_ms(const Shell *shell, int64_t ms)
{
    while (ms > 0 && shell->out.pid != 0 && !pager_is_gone(shell)) {
        int64_t piece = ms < LOOK_MS ? ms : LOOK_MS;

        if (interrupt_wait_ms(piece))
            return false;
        ms -= piece;
    }
    return !pager_is_gone(shell) && !interrupt_wait_ms(ms > 0 ? ms : 0);
}

/* The result that the user gets, once the loop has ended by itself or by Ctrl-C. */
static bool
watch_it(Shell *shell, const Watch *watch, StrView statement, const char *command)
{
    for (int64_t i = 0; watch->times == 0 || i < watch->times; i++) {
        int64_t began = clock_mono_ms();
        int64_t wait;

        if (!run_once(shell, watch, statement, command))
            return shell_interrupted();
        if (shell->quit || shell->lost || shell_interrupted())
            break;
        if (command == NULL && watch->rows_min > 0 &&
            variables_number(shell->vars, "ROW_COUNT", 0) < watch->rows_min)
            break;
        if (i + 1 == watch->times)
            break;
        wait = (int64_t)(watch->seconds * 1000) - (clock_mono_ms() - began);
        if (!wait_ms(shell, wait))
            break;
    }
    return true;
}

CommandResult
cmd_watch(CommandCall *call)
{
    Shell *shell = call->shell;
    Watch watch = {.seconds = 2};
    char *command = NULL, *statement = NULL;
    PrintSwitch pager;
    Output before;
    StrBuf *from = shell->statement.len > 0 ? &shell->statement : &shell->previous;
    bool good;

    if (parse(call, &watch) != COMMAND_DONE)
        return COMMAND_FAILED;
    if (shell->statement.len == 0 && shell->previous_command.len > 0)
        command = strdup(shell->previous_command.ptr);
    else if (from->len > 0)
        statement = strdup(from->ptr);
    if (command == NULL && statement == NULL)
        return command_fail(call, "there is nothing to repeat");
    if (from == &shell->statement && command == NULL) { /* it is sent now */
        strbuf_clear(&shell->previous);
        strbuf_add_view(&shell->previous, strbuf_view(from));
        strbuf_clear(&shell->statement);
        lexer_reset(call->lexer);
    }
    pager_begin(shell, &before, &pager);
    good = watch_it(shell, &watch, strview_from(statement), command);
    pager_end(shell, &before, pager);
    interrupt_clear(shell->client);
    shell->plan.title[0] = '\0';
    free(command);
    free(statement);
    return good ? COMMAND_DONE : COMMAND_FAILED;
}
