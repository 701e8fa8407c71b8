/*
 * cmd_buffer.c - \p, \r, \w, \e, \g and its kin: the statement in the making
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "child_int.h"
#include "ottla/common/text.h"
#include "output_int.h"

/* What is in the buffer, else the last statement that was sent. */
static StrView
current(const Shell *shell)
{
    return strbuf_view(shell->statement.len > 0 ? &shell->statement : &shell->previous);
}

CommandResult
cmd_print_buffer(CommandCall *call)
{
    StrView text = current(call->shell);

    if (text.len > 0)
        shell_say(call->shell, "%.*s\n", text.len, text.ptr);
    else if (!variables_on(call->shell->vars, "QUIET"))
        shell_say(call->shell, "Query buffer is empty.\n");
    return COMMAND_DONE;
}

CommandResult
cmd_reset_buffer(CommandCall *call)
{
    strbuf_clear(&call->shell->statement);
    lexer_reset(call->lexer);
    if (!variables_on(call->shell->vars, "QUIET"))
        shell_say(call->shell, "Query buffer reset (cleared).\n");
    return COMMAND_DONE;
}

CommandResult
cmd_write_buffer(CommandCall *call)
{
    const char *target = command_pipe_word(call);
    StrView text = current(call->shell);
    Output output;

    if (target == NULL)
        return command_fail(call, "missing required argument");
    if (output_open(call->shell, target, &output) != 0)
        return COMMAND_FAILED;
    if (text.len > 0)
        fprintf(output.file, "%.*s\n", text.len, text.ptr);
    output_close(&output);
    return COMMAND_DONE;
}

/* ---- \g and its kin ----------------------------------------------------------------------------- */

/* An empty buffer means the last statement once more. */
static CommandResult
send(CommandCall *call)
{
    Shell *shell = call->shell;

    if (call->bad)
        return COMMAND_FAILED;
    if (shell->statement.len == 0)
        strbuf_add_view(&shell->statement, strbuf_view(&shell->previous));
    lexer_reset(call->lexer);
    return COMMAND_SEND;
}

/* "(name=value" ... "name=value)": a word of it; *ret_last: the parenthesis is closed. */
static CommandResult
take_option(CommandCall *call, char *word, bool *ret_last)
{
    size_t len = strlen(word);
    char *equals;
    ErrInfo err;

    *ret_last = len > 0 && word[len - 1] == ')';
    if (*ret_last)
        word[len - 1] = '\0';
    if (word[0] == '\0')
        return COMMAND_DONE;
    equals = strchr(word, '=');
    if (equals != NULL)
        *equals = '\0';
    if (print_options_set(&call->shell->plan.options, strview_from(word),
                          equals == NULL ? (StrView){NULL, 0} : strview_from(equals + 1),
                          &err) != 0)
        return command_fail(call, "%s", err.text);
    return COMMAND_DONE;
}

/* *word is the first one, with its parenthesis; what follows the closing one is left. */
static CommandResult
take_options(CommandCall *call, const char *first)
{
    CommandResult result = COMMAND_DONE;
    bool last = false;
    char *word = strdup(first + 1);

    while (word != NULL && !last && result == COMMAND_DONE) {
        result = take_option(call, word, &last);
        free(word);
        word = last || result != COMMAND_DONE ? NULL : command_word_copy(call);
    }
    if (result == COMMAND_DONE && !last)
        return command_fail(call, "missing right parenthesis");
    return result;
}

static CommandResult
go(CommandCall *call, bool expanded)
{
    ResultPlan *plan = &call->shell->plan;
    const char *word = command_pipe_word(call);

    plan->options = call->shell->pset;
    plan->has_options = expanded;
    if (expanded)
        plan->options.expanded = PRINT_ON;
    if (word != NULL && word[0] == '(') {
        plan->has_options = true;
        if (take_options(call, word) != COMMAND_DONE)
            return COMMAND_FAILED;
        word = command_pipe_word(call);
    }
    if (word != NULL)
        plan->target = strdup(word);
    return send(call);
}

CommandResult
cmd_g(CommandCall *call)
{
    return go(call, false);
}

CommandResult
cmd_gx(CommandCall *call)
{
    return go(call, true);
}

CommandResult
cmd_gset(CommandCall *call)
{
    call->shell->plan.way = RESULT_SET;
    call->shell->plan.prefix = command_word_copy(call);
    return send(call);
}

CommandResult
cmd_gexec(CommandCall *call)
{
    call->shell->plan.way = RESULT_EXEC;
    return send(call);
}

CommandResult
cmd_gdesc(CommandCall *call)
{
    call->shell->plan.way = RESULT_DESCRIBE;
    return send(call);
}

/* ---- \e ---------------------------------------------------------------------------------------- */

/* Runs the editor of the user on a file. */
static CommandResult
edit(CommandCall *call, const char *path, const char *line)
{
    static const char *const names[] = {"OTTLA_EDITOR", "EDITOR", "VISUAL"};
    const char *line_argument = getenv("OTTLA_EDITOR_LINENUMBER_ARG");
    const char *editor = NULL;
    char *command;
    int rc;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && editor == NULL; i++)
        editor = getenv(names[i]);
    if (editor == NULL || editor[0] == '\0')
        editor = "vi";
    if (asprintf(&command, "exec %s %s%s '%s'", editor,
                 line == NULL            ? ""
                 : line_argument == NULL ? "+"
                                         : line_argument,
                 line == NULL ? "" : line, path) < 0)
        return command_fail(call, "no memory");
    rc = child_run(command);
    free(command);
    if (rc != 0)
        return command_fail(call, "the editor \"%s\" failed", editor);
    return COMMAND_DONE;
}

static CommandResult
read_back(CommandCall *call, const char *path)
{
    StrBuf *statement = &call->shell->statement;
    FILE *file = fopen(path, "re");
    char piece[4096];
    size_t len;

    if (file == NULL)
        return command_fail(call, "%s: %s", path, strerror(errno));
    strbuf_clear(statement);
    while ((len = fread(piece, 1, sizeof piece, file)) > 0 && !strbuf_failed(statement))
        strbuf_add(statement, piece, len);
    fclose(file);
    if (statement->len > 0 && statement->ptr[statement->len - 1] == '\n')
        strbuf_truncate(statement, statement->len - 1);
    return COMMAND_EDITED;
}

/* A file of our own with the buffer in it; its name into path, which ends with XXXXXX.sql. */
static CommandResult
write_out(CommandCall *call, char *path)
{
    int fd = mkostemps(path, 4, O_CLOEXEC);
    StrView text = current(call->shell);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return command_fail(call, "%s: %s", path, strerror(errno));
    }
    if (text.len > 0)
        fprintf(file, "%.*s\n", text.len, text.ptr);
    if (fclose(file) != 0)
        return command_fail(call, "%s: %s", path, strerror(errno));
    return COMMAND_DONE;
}

/* Did the user save anything? */
static bool
same_file(const struct stat *a, const char *path)
{
    struct stat b;

    return stat(path, &b) == 0 && a->st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b.st_mtim.tv_nsec && a->st_size == b.st_size;
}

static CommandResult
edit_buffer(CommandCall *call, const char *line)
{
    const char *folder = getenv("TMPDIR");
    CommandResult result;
    struct stat before;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/ottla.edit.XXXXXX.sql", folder == NULL ? "/tmp" : folder);
    result = write_out(call, path);
    if (result != COMMAND_DONE)
        return result;
    if (stat(path, &before) != 0)
        memset(&before, 0, sizeof before);
    result = edit(call, path, line);
    if (result == COMMAND_DONE && !same_file(&before, path))
        result = read_back(call, path);
    unlink(path);
    return result;
}

/* \e [FILE] [LINE], \e LINE */
CommandResult
cmd_edit(CommandCall *call)
{
    char *first = command_word_copy(call);
    char *second = first == NULL ? NULL : command_word_copy(call);
    CommandResult result;
    int64_t line;
    bool only_line =
        first != NULL && second == NULL && text_to_int64(strview_from(first), &line) && line > 0;

    if (second != NULL && (!text_to_int64(strview_from(second), &line) || line < 1)) {
        result = command_fail(call, "invalid line number: %s", second);
    } else if (first == NULL || only_line) {
        result = edit_buffer(call, first);
    } else if (strchr(first, '\'') != NULL) {
        result = command_fail(call, "%s: quotes in the name of a file", first);
    } else {
        result = edit(call, first, second);
        if (result == COMMAND_DONE)
            result = read_back(call, first);
    }
    free(first);
    free(second);
    return result;
}
