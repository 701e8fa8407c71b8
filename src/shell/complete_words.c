/*
 * complete_words.c - `ottla --complete WORDS`: completion of the command line for bash
 *
 * Options, their values, and the text of -c by the engine that Tab asks inside. Whatever goes wrong, nothing is
 * said; whatever takes longer than 300 ms ends the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "complete_int.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

#include "options_int.h"

#define WORDS_MAX   1000
#define WORD_MAX    4096
#define TIME_MAX_US 300000

typedef struct Line {
    Shell *shell;
    char *words[WORDS_MAX + 1]; /* in front of the one at the cursor */
    int count;
    char current[WORD_MAX];
    size_t
        known; /* bytes of current that the caller has as words of their own: not to be printed */
    const char *partial; /* in current: what is completed */
} Line;

static void
on_time(int number)
{
    (void)number;
    _exit(0);
}

/* ---- what the caller has ----------------------------------------------------------------------- */

/* bash cuts words at these, and makes them words. */
static bool
is_glue(const char *word)
{
    return word[0] != '\0' && word[1] == '\0' && strchr(":=@", word[0]) != NULL;
}

/* Puts together what bash cut. False: too long, or no memory. */
static bool
join(Line *line, int count, char **words)
{
    StrBuf text;
    bool glued = false;

    strbuf_init(&text, WORD_MAX - 1, NULL);
    for (int i = 0; i < count; i++) {
        const char *word = words[i];

        if (i > 0 && !is_glue(word) && !glued) {
            line->words[line->count] = strdup(text.ptr);
            if (line->words[line->count++] == NULL)
                break;
            strbuf_clear(&text);
        }
        line->known = text.len;
        strbuf_add_cstr(&text, word);
        glued = is_glue(word);
        if (glued)
            line->known = text.len;
    }
    if (strbuf_failed(&text))
        text.len = 0;
    memcpy(line->current, text.ptr, text.len);
    strbuf_release(&text);
    return line->count == 0 || line->words[line->count - 1] != NULL;
}

/* An answer for the whole of current; head: what stands before partial in it. */
static void print_answer(const Line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void
print_answer(const Line *line, const char *format, ...)
{
    char answer[WORD_MAX + 1024];
    size_t head = (size_t)(line->partial - line->current), len;
    va_list args;

    memcpy(answer, line->current, head);
    va_start(args, format);
    (void)vsnprintf(answer + head, sizeof answer - head, format,
                    args); /* cut: of no use to anybody */
    va_end(args);
    /* a quote at the front is bash's own */
    len = line->known > 0 ? line->known : strspn(answer, "\"'") > 0 ? 1 : 0;
    puts(answer + len);
}

static void
print_words(const Line *line, const Completions *c, int typed)
{
    for (int32_t i = 0; i < c->count; i++)
        print_answer(line, "%.*s%s", typed, line->partial, c->words[i]);
}

/* ---- what may stand there ---------------------------------------------------------------------- */

/* The text of -c: each answer is the whole text, since bash knows one word here. */
static void
complete_text_of_c(const Line *line)
{
    Completions c;
    Fault f;

    if (shell_connect(line->shell, &f) != 0)
        line->shell->client = NULL; /* keywords are known without */
    completions_init(&c);
    complete_line(line->shell, (StrView){NULL, 0}, strview_from(line->partial), COMPLETE_BASH_MS,
                  &c);
    print_words(line, &c, c.start);
    completions_release(&c);
}

static void
complete_files(const Line *line)
{
    Completions c;

    completions_init(&c);
    c.typed = strview_from(line->partial);
    complete_add_files(&c);
    completions_sort(&c);
    print_words(line, &c, 0);
    completions_release(&c);
}

/* NAME=VALUE of -P and -v. */
static void
complete_setting(const Line *line, bool print)
{
    const char *equals = strchr(line->partial, '=');
    int name = (int)strcspn(line->partial, "=");
    char text[400];
    Completions c;

    /* \pset and \set know the rest */
    (void)snprintf(text, sizeof text, "%s %.*s%s%s", print ? "pset" : "set", name, line->partial,
                   equals == NULL ? "" : " ", equals == NULL ? "" : equals + 1);
    completions_init(&c);
    complete_command(line->shell, strview_from(text), &c);
    completions_sort(&c);
    for (int32_t i = 0; i < c.count; i++)
        print_answer(line, "%.*s%s%s", equals == NULL ? 0 : name + 1, line->partial, c.words[i],
                     equals == NULL ? "=" : "");
    completions_release(&c);
}

static void
complete_option(const Line *line)
{
    size_t len = strlen(line->partial);

    for (const struct option *o = options_long(); o->name != NULL; o++) {
        char word[64];

        (void)snprintf(word, sizeof word, "--%s%s", o->name,
                       o->has_arg == required_argument ? "=" : "");
        if (strncmp(word, line->partial, len) == 0)
            print_answer(line, "%s", word);
    }
}

/* The short name of an option that has a value behind it, 0: none; of "--name=value" where it begins, else NULL. */
static int
option_of(const char *word, const char **ret_value)
{
    size_t len = strcspn(word, "=");

    *ret_value = NULL;
    if (word[0] != '-' || word[1] == '\0')
        return 0;
    if (word[1] != '-')
        return word[2] == '\0' && strchr("cdfFhKLopPRTUv", word[1]) != NULL ? word[1] : 0;
    for (const struct option *o = options_long(); o->name != NULL; o++) {
        if (strlen(o->name) != len - 2 || strncmp(word + 2, o->name, len - 2) != 0 ||
            o->has_arg != required_argument)
            continue;
        if (word[len] == '=')
            *ret_value = word + len + 1;
        return o->val;
    }
    return 0;
}

static void
complete_value(const Line *line, int option)
{
    if (option == 'c')
        complete_text_of_c(line);
    else if (option == 'P' || option == 'v')
        complete_setting(line, option == 'P');
    else if (option > 255 || strchr("fLo", option) != NULL) /* --command-config among them */
        complete_files(line);
}

/* Options of the connection that stand in front: all others would do something. */
static void
take_connection(Line *line)
{
    static char program[] = "ottla", never[] = "-w";
    char *argv[WORDS_MAX + 3] = {program, never};
    Options *options = calloc(1, sizeof *options);
    const char *value;
    int argc = 2;

    for (int i = 0; i < line->count; i++) {
        char *word = line->words[i];
        int option = option_of(word, &value);
        bool connects = option > 255 || (option != 0 && strchr("dhKpU", option) != NULL);

        if (option != 0 && value == NULL) { /* its value is the next word */
            if (connects && i + 1 < line->count) {
                argv[argc++] = word;
                argv[argc++] = line->words[i + 1];
            }
            i++;
        } else if (option != 0 ? connects : word[0] != '-') {
            argv[argc++] = word;
        }
    }
    argv[argc] = NULL;
    if (options != NULL)
        options_read(argc, argv, line->shell, options);
    free(options);
}

static void
complete_current(Line *line)
{
    const char *value, *none;
    int before = line->count > 0 ? option_of(line->words[line->count - 1], &none) : 0;
    int option = option_of(line->current, &value);

    line->partial = line->current;
    if (before != 0 && none == NULL) {
        line->partial += *line->current == '"' || *line->current == '\'';
        complete_value(line, before);
    } else if (option != 0 && value != NULL) {
        line->partial = value;
        complete_value(line, option);
    } else if (line->current[0] == '-') {
        complete_option(line);
    }
}

void
complete_words(Shell *shell, int count, char **words)
{
    struct itimerval timer = {.it_value = {.tv_usec = TIME_MAX_US}};
    static Line line; /* large */

    (void)signal(SIGALRM, on_time);
    (void)setitimer(ITIMER_REAL, &timer, NULL); /* of this kind it cannot fail */
    if (count < 1 || count > WORDS_MAX || freopen("/dev/null", "w", stderr) == NULL)
        return;
    line.shell = shell;
    if (join(&line, count, words)) {
        take_connection(&line);
        complete_current(&line);
    }
    for (int i = 0; i < line.count; i++)
        free(line.words[i]);
}
