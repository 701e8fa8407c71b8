/*
 * shell.c - the session from its first to its last moment
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/shell/shell.h"

#include <errno.h>
#include <locale.h>

#include "complete_int.h"
#include "edit_int.h"
#include "input_int.h"
#include "interrupt_int.h"
#include "options_int.h"
#include "ottla/common/version.h"
#include "output_int.h"
#include "rc_int.h"

/* What reading a target leaves out: told when it matters, or to those who want to know all. */
static void
on_notice(void *arg, bool important, const char *text)
{
    Shell *shell = arg;

    if (important)
        shell_notice(shell, "WARNING", "%s", text);
    else if (variables_is(shell->vars, "VERBOSITY", "verbose"))
        shell_notice(shell, "NOTICE", "%s", text);
}

static bool
init(Shell *shell)
{
    *shell = (Shell){.out = {stdout, 0, false}};
    shell->vars = variables_new();
    shell->target = malloc(sizeof *shell->target);
    strbuf_init(&shell->statement, SHELL_STATEMENT_BYTES_MAX, NULL);
    strbuf_init(&shell->previous, SHELL_STATEMENT_BYTES_MAX, NULL);
    strbuf_init(&shell->previous_command, SHELL_STATEMENT_BYTES_MAX, NULL);
    strbuf_init(&shell->typed, SHELL_STATEMENT_BYTES_MAX, NULL);
    strbuf_init(&shell->last_text, SHELL_STATEMENT_BYTES_MAX, NULL);
    print_options_init(&shell->pset);
    if (shell->vars == NULL || shell->target == NULL)
        return false;
    client_target_init(shell->target);
    shell->target->notice = on_notice;
    shell->target->notice_arg = shell;
    variables_state(shell->vars, "VERSION", "ottla " OT_VERSION);
    shell_state_success(shell, 0);
    return true;
}

static void
fini(Shell *shell)
{
    interrupt_target(NULL, NULL);
    sql_close(shell->sql);
    client_close(shell->client);
    output_close(&shell->out);
    if (shell->log != NULL)
        fclose(shell->log);
    variables_free(shell->vars);
    if (shell->target != NULL)
        explicit_bzero(shell->target->password, sizeof shell->target->password);
    free(shell->target);
    free(shell->restricted);
    strbuf_release(&shell->statement);
    strbuf_release(&shell->previous);
    strbuf_release(&shell->previous_command);
    strbuf_release(&shell->typed);
    strbuf_release(&shell->last_text);
}

/* The code is that of the last one; an error ends them all only with ON_ERROR_STOP. */
static int
run_actions(Shell *shell, const Options *options)
{
    int code = SHELL_EXIT_OK;

    if (options->list)
        code = shell_run_string(shell, "\\l");
    for (int i = 0; i < options->action_count && !shell->quit; i++) {
        const Action *action = &options->actions[i];

        code = action->kind == ACTION_STRING ? shell_run_string(shell, action->text)
                                             : shell_run_file(shell, action->text, false);
        if (code == SHELL_EXIT_LOST ||
            (code != SHELL_EXIT_OK && variables_on(shell->vars, "ON_ERROR_STOP")))
            break;
    }
    return code;
}

static int
run_stdin(Shell *shell)
{
    Input input = {.kind = shell->interactive ? INPUT_TERMINAL : INPUT_FILE, .file = stdin};
    int code;

    if (shell->interactive) {
        if (!variables_on(shell->vars, "QUIET"))
            shell_greet(shell);
        edit_begin(shell);
    }
    code = shell_run_input(shell, &input);
    if (shell->interactive)
        edit_end(shell);
    return code;
}

static int
run(Shell *shell, const Options *options)
{
    bool actions = options->list || options->action_count > 0;
    Fault f;

    shell->interactive = !actions && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (shell->interactive && !options->confirm_given)
        variables_state(shell->vars, "CONFIRM", "on");
    if (shell_connect(shell, &f) != 0) {
        shell_report(shell, &f, (StrView){NULL, 0});
        return SHELL_EXIT_LOST;
    }
    if (!options->no_rc)
        rc_read(shell);
    return actions ? run_actions(shell, options) : run_stdin(shell);
}

int
shell_main(int argc, char **argv)
{
    static Options options; /* large */
    static Shell shell;
    int code = SHELL_EXIT_FAILURE;

    (void)setlocale(LC_ALL, ""); /* without it: C */
    interrupt_init();
    if (!init(&shell)) {
        fputs("ottla: no memory\n", stderr);
    } else if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
        complete_words(&shell, argc - 2, argv + 2);
        code = SHELL_EXIT_OK;
    } else {
        options_read(argc, argv, &shell, &options);
        code = options.ended ? options.exit_code : run(&shell, &options);
    }
    fini(&shell);
    if (fflush(stdout) != 0 && errno != EPIPE && code == SHELL_EXIT_OK && !shell.stdout_gone)
        code = SHELL_EXIT_FAILURE;
    return code;
}
