/*
 * loop.c - the main loop: lines become statements and backslash commands, and are run
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input_int.h"

#include <errno.h>
#include <inttypes.h>

#include "child_int.h"
#include "commands_int.h"
#include "edit_int.h"
#include "interrupt_int.h"
#include "ottla/common/text.h"
#include "prompt_fields_int.h"
#include "send_int.h"

/* What a line, or the whole input, came to. */
typedef enum Went {
    WENT_ON,
    WENT_WRONG, /* something failed and was reported; whether that stops depends on the input */
    WENT_OUT,   /* \q */
} Went;

/* ---- what the lexer asks for ------------------------------------------------------------------- */

static const char *
lookup(void *arg, StrView name)
{
    return variables_get(((Shell *)arg)->vars, name);
}

static void
run_backtick(void *arg, const char *command, StrBuf *out)
{
    Shell *shell = arg;
    int rc = child_capture(command, out);
    char text[16];

    if (rc < 0)
        (void)shell_error(shell, FAULT_FILE, "%s: %s", command, strerror(errno));
    (void)snprintf(text, sizeof text, "%d", rc);
    variables_state(shell->vars, "SHELL_EXIT_CODE", text);
    variables_state(shell->vars, "SHELL_ERROR", rc == 0 ? "false" : "true");
}

/* ---- one line ---------------------------------------------------------------------------------- */

static bool
at_terminal(const Shell *shell, const Input *input)
{
    return shell->interactive && input->kind == INPUT_TERMINAL;
}

/* Runs what is in the buffer; it becomes the previous statement. */
static Went
send_statement(Shell *shell, Input *input)
{
    StrBuf sent = shell->statement;
    bool good;

    if (!cond_active(&input->conds)) {
        if (at_terminal(shell, input))
            shell_notice(shell, "WARNING",
                         "query ignored; use \\endif or Ctrl-C to exit current \\if block");
        return WENT_ON;
    }
    if (strbuf_failed(&sent)) {
        (void)shell_error(shell, FAULT_LIMIT, "the statement is too long");
        strbuf_clear(&shell->statement);
        return WENT_WRONG;
    }
    if (sent.len == 0)
        return WENT_ON;
    shell->statement = shell->previous;
    shell->previous = sent;
    strbuf_clear(&shell->statement);
    strbuf_clear(&shell->previous_command);
    good = shell_send(shell, strbuf_view(&shell->previous));
    return good ? WENT_ON : WENT_WRONG;
}

static Went
run_command(Shell *shell, Input *input)
{
    CommandResult result = command_dispatch(shell, &input->lexer, &input->conds);
    StrBuf edited;

    switch (result) {
    case COMMAND_DONE:
        return WENT_ON;
    case COMMAND_FAILED:
        return WENT_WRONG;
    case COMMAND_SEND:
        return send_statement(shell, input);
    case COMMAND_QUIT:
        return WENT_OUT;
    case COMMAND_EDITED:
        break;
    }
    edited = shell->statement;
    strbuf_init(&shell->statement, SHELL_STATEMENT_BYTES_MAX, NULL);
    lexer_reset(&input->lexer);
    if (!lexer_start_line(&input->lexer, strbuf_view(&edited)))
        (void)shell_error(shell, FAULT_LIMIT, "the statement is too long");
    strbuf_release(&edited);
    return WENT_ON;
}

static bool
stops_at_error(const Shell *shell, const Input *input)
{
    return input->stop_at_error ||
           (!at_terminal(shell, input) && variables_on(shell->vars, "ON_ERROR_STOP"));
}

/* The line end that was put into the statement, when nothing came behind it; one in quotes stays. */
static void
drop_line_end(Shell *shell, const Input *input)
{
    StrBuf *statement = &shell->statement;
    char open = lexer_open(&input->lexer);

    if (statement->len > 0 && statement->ptr[statement->len - 1] == '\n' && open != '\'' &&
        open != '"' && open != '$')
        strbuf_truncate(statement, statement->len - 1);
}

/* Everything in the line that was started. An error ends it only where errors stop the input. */
static Went
run_line(Shell *shell, Input *input)
{
    Went went = WENT_ON;

    while (went != WENT_OUT && !shell->quit && !shell->lost) {
        LexEnd end = lexer_scan(&input->lexer, &shell->statement);
        Went step = WENT_ON;

        if (end == LEX_END_COMMAND) {
            drop_line_end(shell, input);
            step = run_command(shell, input);
            send_plan_clear(&shell->plan); /* of a \g that sent nothing */
        }
        if (end == LEX_END_STATEMENT)
            step = send_statement(shell, input);
        if (end == LEX_END_LINE && variables_on(shell->vars, "SINGLELINE") &&
            lexer_open(&input->lexer) == 0 && shell->statement.len > 0)
            step = send_statement(shell, input);
        if (end == LEX_END_STATEMENT)
            lexer_reset(&input->lexer);
        if (step != WENT_ON)
            went = step;
        if (end == LEX_END_LINE || (step == WENT_WRONG && stops_at_error(shell, input)))
            break;
        if (shell_interrupted())
            break;
    }
    return went;
}

/* help, quit and exit alone in a line. True: that was it. */
static bool
run_word(StrView line, Went *ret)
{
    StrView word = text_trim(line);

    if (word.len > 0 && word.ptr[word.len - 1] == ';')
        word = text_trim((StrView){word.ptr, word.len - 1});
    if (text_equal_nocase(word, STRVIEW("help"))) {
        puts("You are using ottla, the shell of Ottla.\n"
             "Type:  \\copyright for the licence\n"
             "       \\h for help with statements\n"
             "       \\? for help with backslash commands\n"
             "       \\g or end with a semicolon to run a statement\n"
             "       \\q to quit");
        return true;
    }
    if (text_equal_nocase(word, STRVIEW("quit")) || text_equal_nocase(word, STRVIEW("exit"))) {
        *ret = WENT_OUT;
        return true;
    }
    return false;
}

/* The same words while a statement goes on are a part of it, but hardly meant so. */
static void
hint_at_word(StrView line)
{
    StrView word = text_trim(line);

    if (text_equal_nocase(word, STRVIEW("help")))
        puts("Use \\? for help or press control-C to clear the input buffer.");
    else if (text_equal_nocase(word, STRVIEW("quit")) || text_equal_nocase(word, STRVIEW("exit")))
        puts("Use \\q to quit.");
}

static Went
take_line(Shell *shell, Input *input, const StrBuf *line)
{
    Went went = WENT_ON;

    input->line++;
    if (at_terminal(shell, input) && shell->statement.len == 0 && lexer_open(&input->lexer) == 0) {
        if (run_word(strbuf_view(line), &went))
            return went;
    } else if (at_terminal(shell, input)) {
        hint_at_word(strbuf_view(line));
    }
    if (!at_terminal(shell, input) && input->kind == INPUT_FILE &&
        variables_is(shell->vars, "ECHO", "all"))
        shell_say(shell, "%s\n", line->ptr);
    if (shell->statement.len > 0)
        strbuf_add_char(&shell->statement, '\n');
    if (!lexer_start_line(&input->lexer, strbuf_view(line))) {
        (void)shell_error(shell, FAULT_LIMIT, "the line is too long");
        return WENT_WRONG;
    }
    went = run_line(shell, input);
    drop_line_end(shell, input);
    return went;
}

/* For the history: the lines of a statement stand together. */
static void
remember_line(Shell *shell, const Input *input, const StrBuf *line)
{
    if (shell->typed.len > 0)
        strbuf_add_char(&shell->typed, '\n');
    strbuf_add_view(&shell->typed, strbuf_view(line));
    if (shell->statement.len > 0 || lexer_open(&input->lexer) != 0)
        return;
    if (!strbuf_failed(&shell->typed))
        edit_remember(shell, strbuf_view(&shell->typed));
    strbuf_clear(&shell->typed);
}

/* ---- the input as a whole ---------------------------------------------------------------------- */

/* Ctrl-C at the prompt: what was typed is forgotten, one \if is left. */
static void
forget_input(Shell *shell, Input *input)
{
    interrupt_clear(shell->client);
    lexer_clear(&input->lexer);
    strbuf_clear(&shell->statement);
    strbuf_clear(&shell->typed);
    if (input->conds.depth > 0) {
        input->conds.depth--;
        shell_notice(shell, "WARNING", "\\if: escaped");
    }
    putchar('\n');
}

/* Ctrl-D at a terminal: is that the end? */
static bool
is_the_end(Shell *shell, Input *input)
{
    if (!at_terminal(shell, input))
        return true;
    if (++input->eof_count <= variables_number(shell->vars, "IGNOREEOF", 0)) {
        puts("Use \"\\q\" to leave ottla.");
        return false;
    }
    puts(variables_on(shell->vars, "QUIET") ? "" : "\\q");
    return true;
}

/* The last statement of a file or string needs no semicolon. */
static Went
finish(Shell *shell, Input *input)
{
    Went went = WENT_ON;

    if (!at_terminal(shell, input) && shell->statement.len > 0 && !shell->quit && !shell->lost)
        went = send_statement(shell, input);
    return went;
}

static int
code_of(const Shell *shell, const Input *input, bool wrong, bool open_if)
{
    bool stop = !at_terminal(shell, input) && variables_on(shell->vars, "ON_ERROR_STOP");

    if (shell->stdout_gone)
        return SHELL_EXIT_OK;
    if (shell->write_failed)
        return SHELL_EXIT_FAILURE;
    if (shell->lost)
        return SHELL_EXIT_LOST;
    if (input->stop_at_error)
        return wrong || open_if ? SHELL_EXIT_FAILURE : SHELL_EXIT_OK;
    if ((wrong || open_if) && stop)
        return SHELL_EXIT_STOPPED;
    return open_if && !at_terminal(shell, input) ? SHELL_EXIT_FAILURE : SHELL_EXIT_OK;
}

/* True: the loop goes on. */
static bool
after_line(Shell *shell, Input *input, Went went)
{
    if (went == WENT_OUT || shell->quit || shell->lost || input->single)
        return false;
    return went != WENT_WRONG || !stops_at_error(shell, input);
}

/* How a turn of the loop ended. */
typedef enum Turn { TURN_GO_ON, TURN_END, TURN_STOPPED } Turn;

/* One line. *ret_wrong is set when something failed. */
static Turn
turn(Shell *shell, Input *input, StrBuf *line, StrBuf *prompt, bool *ret_wrong)
{
    Went went = WENT_WRONG;
    InputGot got;

    if (at_terminal(shell, input)) {
        interrupt_clear(shell->client);
        shell_prompt(shell, input, prompt);
    }
    got = input_line(shell, input, prompt->ptr, line);
    if (shell_interrupted() && !at_terminal(shell, input))
        return TURN_STOPPED;
    if (got == INPUT_INTERRUPTED) {
        forget_input(shell, input);
        return TURN_GO_ON;
    }
    if (got == INPUT_END) {
        if (!is_the_end(shell, input))
            return TURN_GO_ON;
        *ret_wrong = finish(shell, input) == WENT_WRONG || *ret_wrong;
        return TURN_END;
    }
    input->eof_count = 0;
    if (got == INPUT_TOO_LONG)
        (void)shell_error(shell, FAULT_LIMIT, "the line is too long");
    else
        went = take_line(shell, input, line);
    *ret_wrong = *ret_wrong || went == WENT_WRONG;
    input->left = went == WENT_OUT;
    if (at_terminal(shell, input))
        remember_line(shell, input, line);
    else if (shell_interrupted())
        return TURN_STOPPED;
    return after_line(shell, input, went) ? TURN_GO_ON : TURN_END;
}

static int
loop(Shell *shell, Input *input)
{
    bool wrong = false, open_if;
    StrBuf line, prompt;
    Turn how;

    strbuf_init(&line, LEX_LINE_BYTES_MAX, NULL);
    strbuf_init(&prompt, 65536, NULL);
    do
        how = turn(shell, input, &line, &prompt, &wrong);
    while (how == TURN_GO_ON);
    strbuf_release(&line);
    strbuf_release(&prompt);
    if (how == TURN_STOPPED) { /* the files around it see it, too, up to the prompt */
        shell->quit = !shell->interactive;
        return SHELL_EXIT_STOPPED;
    }
    open_if = input->conds.depth > 0 && !input->left && !shell->quit && !shell->lost &&
              !(wrong && stops_at_error(shell, input));
    if (open_if)
        (void)shell_error(shell, FAULT_SYNTAX, "reached the end without a closing \\endif");
    return code_of(shell, input, wrong, open_if);
}

int
shell_run_input(Shell *shell, Input *input)
{
    StrBuf outer = shell->statement;
    int code;

    if (shell->input_depth >= SHELL_INPUT_DEPTH_MAX) {
        (void)shell_error(shell, FAULT_LIMIT, "files are read inside each other %d deep already",
                          shell->input_depth);
        return SHELL_EXIT_FAILURE;
    }
    strbuf_init(&shell->statement, SHELL_STATEMENT_BYTES_MAX, NULL);
    input->outer = shell->input;
    shell->input = input;
    shell->input_depth++;
    lexer_init(&input->lexer, &(LexEnv){lookup, run_backtick, shell});
    code = loop(shell, input);
    lexer_fini(&input->lexer);
    shell->input_depth--;
    shell->input = input->outer;
    strbuf_release(&shell->statement);
    shell->statement = outer;
    return code;
}

int
shell_run_string(Shell *shell, const char *text)
{
    Input input = {.kind = INPUT_STRING,
                   .rest = strview_from(text),
                   .stop_at_error = true,
                   .single = text[0] == '\\'};

    return shell_run_input(shell, &input);
}

/* The path of a file that is named in another one. */
static char *
path_beside(const Input *input, const char *path)
{
    const char *slash = input == NULL || input->folder_of == NULL || path[0] == '/'
                            ? NULL
                            : strrchr(input->folder_of, '/');
    char *joined;

    if (slash == NULL)
        return strdup(path);
    return asprintf(&joined, "%.*s%s", (int)(slash + 1 - input->folder_of), input->folder_of,
                    path) < 0
               ? NULL
               : joined;
}

int
shell_run_file(Shell *shell, const char *path, bool relative)
{
    Input input = {.kind = INPUT_FILE, .file = stdin, .shown_name = path};
    char *found = relative ? path_beside(shell->input, path) : strdup(path);
    int code = SHELL_EXIT_FAILURE;

    if (found != NULL && strcmp(path, "-") != 0)
        input.file = fopen(found, "re");
    if (found == NULL || input.file == NULL) {
        (void)shell_error(shell, FAULT_NO_FILE, "%s: %s", path, strerror(errno));
    } else {
        input.folder_of = input.file == stdin ? NULL : found;
        code = shell_run_input(shell, &input);
        if (input.file != stdin)
            fclose(input.file);
    }
    free(found);
    return code;
}
