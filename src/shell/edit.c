/*
 * edit.c - lines typed at the terminal: editing, history, Tab
 *
 * By libreadline, or libedit under readline's names, loaded when the first line is asked for; without both
 * lines are read as they come. Readline is fed byte by byte, as its callback interface wants it: Ctrl-C ends the wait for
 * a byte, so that nothing jumps out of a signal handler.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "edit_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "complete_int.h"
#include "history_int.h"
#include "interrupt_int.h"
#include "ottla/common/dynlib.h"

/* Where words that are completed end, for the editor; complete.c may see them longer or shorter. */
static char word_breaks[] = " \t\n()=,;";
static char our_name[] = "ottla";

/* Functions and variables of the library; those of the second group are not in every version. */
typedef struct EditLib {
    void (*callback_handler_install)(const char *prompt, void (*fn)(char *line));
    void (*callback_handler_remove)(void);
    void (*callback_read_char)(void);
    char **(*completion_matches)(const char *text, char *(*fn)(const char *text, int state));
    void (*free_line_state)(void);
    void (*cleanup_after_signal)(void);
    void (*resize_terminal)(void);
    char **(**attempted_completion_function)(const char *text, int start, int end);
    int *attempted_completion_over;
    int *completion_append_character;
    char **completer_word_break_characters;
    int *catch_signals;
    char **readline_name;
    char **line_buffer;
    int *point;
} EditLib;

typedef struct EditMore {
    void (*callback_sigcleanup)(void);
} EditMore;

typedef struct EditHistory {
    void (*add_history)(const char *line);
    void (*stifle_history)(int most);
} EditHistory;

static EditLib lib;
static EditMore more;
static EditHistory lib_history;

/* The library calls back without an argument. */
static struct {
    bool active;
    Shell *shell;
    bool done;
    bool taken; /* a line was given: even one that did not fit into memory */
    StrBuf *line;
    struct winsize size;
    Completions found;
    int next; /* of found that is handed out */
} editor;

/* ---- the library ------------------------------------------------------------------------------- */

static bool
load(const char *soname)
{
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, rl_, callback_handler_install),
        DYN_FUNCTION(lib, rl_, callback_handler_remove),
        DYN_FUNCTION(lib, rl_, callback_read_char),
        DYN_FUNCTION(lib, rl_, completion_matches),
        DYN_FUNCTION(lib, rl_, free_line_state),
        DYN_FUNCTION(lib, rl_, cleanup_after_signal),
        DYN_FUNCTION(lib, rl_, resize_terminal),
        DYN_FUNCTION(lib, rl_, attempted_completion_function),
        DYN_FUNCTION(lib, rl_, attempted_completion_over),
        DYN_FUNCTION(lib, rl_, completion_append_character),
        DYN_FUNCTION(lib, rl_, completer_word_break_characters),
        DYN_FUNCTION(lib, rl_, catch_signals),
        DYN_FUNCTION(lib, rl_, readline_name),
        DYN_FUNCTION(lib, rl_, line_buffer),
        DYN_FUNCTION(lib, rl_, point),
    };
    static const DynFunction history_functions[] = {
        DYN_FUNCTION(lib_history, , add_history),
        DYN_FUNCTION(lib_history, , stifle_history),
    };
    static const DynFunction more_functions[] = {DYN_FUNCTION(more, rl_, callback_sigcleanup)};

    if (dynlib_load(soname, functions, (int)(sizeof functions / sizeof functions[0]), NULL) != 0 ||
        dynlib_load(soname, history_functions, 2, NULL) != 0)
        return false;
    if (dynlib_load(soname, more_functions, 1, NULL) != 0)
        more.callback_sigcleanup = NULL;
    return true;
}

/* ---- Tab --------------------------------------------------------------------------------------- */

/* Hands the words out one by one; the library frees them. */
static char *
next_word(const char *text, int state)
{
    if (state == 0)
        editor.next = 0;
    (void)text;
    return editor.next < editor.found.count ? strdup(editor.found.words[editor.next++]) : NULL;
}

/*
 * The library replaces what stands from `start` to the cursor; our words stand for what begins at found.start. What
 * lies between belongs to each of them, or not.
 */
static void
fit_words(int start, const char *line)
{
    Completions *c = &editor.found;
    int ahead = start - c->start;

    for (int32_t i = 0; i < c->count && ahead != 0; i++) {
        if (ahead > 0) {
            int len = (int)strlen(c->words[i]);

            c->words[i] += ahead < len ? ahead : len;
        } else {
            const char *joined =
                arena_printf(c->arena, "%.*s%s", -ahead, line + start, c->words[i]);

            c->words[i] = joined == NULL ? "" : joined;
        }
    }
}

static char **
attempt(const char *text, int start, int end)
{
    const char *line = *lib.line_buffer;
    char **matches;

    *lib.attempted_completion_over = 1; /* no names of files where we know none */
    completions_init(&editor.found);
    complete_line(editor.shell, strbuf_view(&editor.shell->statement), (StrView){line, end},
                  COMPLETE_TERMINAL_MS, &editor.found);
    fit_words(start, line);
    *lib.completion_append_character = editor.found.no_space ? '\0' : ' ';
    matches = editor.found.count == 0 ? NULL : lib.completion_matches(text, next_word);
    completions_release(&editor.found);
    return matches;
}

/* ---- lines ------------------------------------------------------------------------------------- */

void
edit_begin(Shell *shell)
{
    if (shell->no_editing || (!load("libreadline.so.8") && !load("libedit.so.2"))) {
        history_load(shell, NULL);
        return;
    }
    editor.active = true;
    editor.shell = shell;
    *lib.readline_name = our_name;
    *lib.catch_signals = 0;
    *lib.attempted_completion_function = attempt;
    *lib.completer_word_break_characters = word_breaks;
    lib_history.stifle_history((int)variables_number(shell->vars, "HISTSIZE", 500));
    history_load(shell, lib_history.add_history);
}

void
edit_end(Shell *shell)
{
    history_save(shell);
    history_free();
}

bool
edit_is_active(const Shell *shell)
{
    (void)shell;
    return editor.active;
}

/* A whole line, or NULL at the end of the input. */
static void
on_line(char *line)
{
    editor.done = true;
    editor.taken = line != NULL;
    if (line != NULL)
        strbuf_add_cstr(editor.line, line);
    free(line);
    lib.callback_handler_remove(); /* else the prompt would be shown again at once */
}

/* True: there is something to read, or the terminal is gone. False: interrupted. */
static bool
wait_for_byte(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t mask, before;
    int got = 0;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &mask,
                      &before); /* it comes while ppoll waits, or was seen already */
    while (!shell_interrupted() && got == 0) {
        got = ppoll(&fd, 1, NULL, &before);
        if (got < 0 && errno == EINTR)
            got = 0;
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return !shell_interrupted();
}

static void
follow_size(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
        (size.ws_col == editor.size.ws_col && size.ws_row == editor.size.ws_row))
        return;
    if (editor.size.ws_col != 0)
        lib.resize_terminal();
    editor.size = size;
}

static InputGot
give_up(void)
{
    if (more.callback_sigcleanup != NULL)
        more.callback_sigcleanup(); /* what Tab or Ctrl-R were about */
    lib.free_line_state();
    lib.callback_handler_remove();
    lib.cleanup_after_signal();
    return INPUT_INTERRUPTED;
}

InputGot
edit_line(Shell *shell, Input *input, const char *prompt, StrBuf *line)
{
    if (!editor.active) {
        fputs(prompt, stdout);
        fflush(stdout);
        return input_file_line(input, line);
    }
    (void)shell;
    editor.done = false;
    editor.line = line;
    fflush(stdout);
    lib.callback_handler_install(prompt, on_line);
    while (!editor.done) {
        if (!wait_for_byte())
            return give_up();
        follow_size();
        lib.callback_read_char();
    }
    if (!editor.taken)
        return INPUT_END;
    return strbuf_failed(line) ? INPUT_TOO_LONG : INPUT_LINE;
}

void
edit_remember(Shell *shell, StrView text)
{
    bool taken = history_add(shell, text);
    char *copy;

    if (!taken || !editor.active)
        return;
    copy = strndup(text.ptr, (size_t)text.len);
    if (copy != NULL)
        lib_history.add_history(copy);
    free(copy);
}
