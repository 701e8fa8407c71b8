/*
 * cmd_io.c - \echo, \qecho, \warn, \o, \i, \ir, \cd, \!: output, input, the system
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <errno.h>
#include <pwd.h>

#include "child_int.h"
#include "interrupt_int.h"
#include "output_int.h"

/* The words with a blank between them; -n as the first word: no line end. */
static CommandResult
echo(CommandCall *call, FILE *file)
{
    bool first = true;
    bool end = true;
    const char *word;

    while ((word = command_word(call)) != NULL) {
        if (first && end && strcmp(word, "-n") == 0) {
            end = false;
            continue;
        }
        fprintf(file, "%s%s", first ? "" : " ", word);
        first = false;
    }
    if (end)
        fputc('\n', file);
    fflush(file);
    if (file == stdout)
        output_check(call->shell);
    return COMMAND_DONE;
}

CommandResult
cmd_echo(CommandCall *call)
{
    return echo(call, stdout);
}

CommandResult
cmd_qecho(CommandCall *call)
{
    return echo(call, call->shell->out.file);
}

CommandResult
cmd_warn(CommandCall *call)
{
    return echo(call, stderr);
}

/* "~/x" and "~user/x"; to be freed, NULL: no memory. */
static char *
expand_tilde(const char *path)
{
    const char *rest = path + strcspn(path, "/");
    const char *home = NULL;
    char *joined;

    if (path[0] == '~' && rest == path + 1) {
        home = getenv("HOME");
    } else if (path[0] == '~') {
        char *user = strndup(path + 1, (size_t)(rest - path - 1));
        const struct passwd *entry = user == NULL ? NULL : getpwnam(user);

        home = entry == NULL ? NULL : entry->pw_dir;
        free(user);
    }
    if (home == NULL)
        return strdup(path);
    return asprintf(&joined, "%s%s", home, rest) < 0 ? NULL : joined;
}

CommandResult
cmd_o(CommandCall *call)
{
    const char *word = command_pipe_word(call);
    char *target = word == NULL ? NULL : word[0] == '|' ? strdup(word) : expand_tilde(word);
    int rc;

    if (call->bad)
        return COMMAND_FAILED;
    rc = output_change(call->shell, target);
    free(target);
    return rc == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

static CommandResult
include(CommandCall *call, bool relative)
{
    const char *word = command_word(call);
    char *path;
    int code;

    if (word == NULL)
        return command_fail(call, "missing required argument");
    path = expand_tilde(word);
    if (path == NULL)
        return command_fail(call, "no memory");
    code = shell_run_file(call->shell, path, relative);
    free(path);
    return code == SHELL_EXIT_OK ? COMMAND_DONE : COMMAND_FAILED;
}

CommandResult
cmd_i(CommandCall *call)
{
    return include(call, false);
}

CommandResult
cmd_ir(CommandCall *call)
{
    return include(call, true);
}

CommandResult
cmd_cd(CommandCall *call)
{
    const char *word = command_word(call);
    const char *home = getenv("HOME");
    char *path = word != NULL ? expand_tilde(word) : home != NULL ? strdup(home) : NULL;
    CommandResult result = COMMAND_DONE;

    if (path == NULL)
        result = command_fail(call, "there is no home directory");
    else if (chdir(path) != 0)
        result =
            command_fail(call, "could not change directory to \"%s\": %s", path, strerror(errno));
    free(path);
    return result;
}

/* \! [COMMAND]; without one an interactive shell. */
CommandResult
cmd_system(CommandCall *call)
{
    const char *command = command_rest(call);
    const char *own = getenv("SHELL");
    char text[16];
    int rc;

    if (command == NULL)
        command = own != NULL && own[0] != '\0' ? own : "/bin/sh";
    rc = child_run(command);
    interrupt_clear(call->shell->client); /* Ctrl-C was meant for the command */
    (void)snprintf(text, sizeof text, "%d", rc);
    variables_state(call->shell->vars, "SHELL_EXIT_CODE", text);
    variables_state(call->shell->vars, "SHELL_ERROR", rc == 0 ? "false" : "true");
    if (rc < 0 || rc == 127)
        return command_fail(call, "failed");
    return COMMAND_DONE;
}
