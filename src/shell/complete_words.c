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
#include <sys/time.h>

#include "interrupt_int.h"
#include "options_int.h"

#define WORDS_MAX   1000
#define TIME_MAX_US 300000

typedef struct Line {
    Shell *shell;
    char **words; /* words[count] is the one at the cursor */
    int count;
    const char *partial;
} Line;

static void
on_time(int number)
{
    (void)number;
    _exit(0);
}

/* The word as bash has it may begin with a quote that is not closed. */
static const char *
unquoted(const char *word)
{
    return word + (*word == '"' || *word == '\'');
}

static void
print_words(const Completions *c, const char *head, int head_len)
{
    for (int32_t i = 0; i < c->count; i++)
        printf("%.*s%s\n", head_len, head, c->words[i]);
}

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
    print_words(&c, line->partial, c.start);
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
    print_words(&c, "", 0);
    completions_release(&c);
}

/* NAME=VALUE of -P and -v. bash may have cut it at the '='. */
static void
complete_setting(const Line *line, bool print)
{
    const char *equals = strchr(line->partial, '=');
    char text[400];
    Completions c;

    /* \pset and \set know the rest */
    (void)snprintf(text, sizeof text, "%s %.*s%s%s", print ? "pset" : "set",
                   (int)strcspn(line->partial, "="), line->partial, equals == NULL ? "" : " ",
                   equals == NULL ? "" : equals + 1);
    completions_init(&c);
    complete_command(line->shell, strview_from(text), &c);
    completions_sort(&c);
    for (int32_t i = 0; i < c.count; i++)
        printf("%.*s%s%s\n", equals == NULL ? 0 : (int)(equals + 1 - line->partial), line->partial,
               c.words[i], equals == NULL ? "=" : "");
    completions_release(&c);
}

static void
complete_option(const Line *line)
{
    const struct option *o = options_long();
    size_t len = strlen(line->partial);

    for (; o->name != NULL; o++) {
        char word[64];

        (void)snprintf(word, sizeof word, "--%s%s", o->name,
                       o->has_arg == required_argument ? "=" : "");
        if (strncmp(word, line->partial, len) == 0)
            puts(word);
    }
}

/* The short name of an option that has a value, 0: none; -c, --command. */
static int
option_of(const char *word)
{
    const struct option *o = options_long();

    if (word[0] != '-' || word[1] == '\0')
        return 0;
    if (word[1] != '-')
        return word[2] == '\0' && strchr("cdfFhKLopPRTUv", word[1]) != NULL ? word[1] : 0;
    for (; o->name != NULL; o++) {
        if (strcmp(word + 2, o->name) == 0)
            return o->has_arg == required_argument ? o->val : 0;
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
take_connection(const Line *line)
{
    static char program[] = "ottla", never[] = "-w";
    char *argv[WORDS_MAX + 3] = {program, never};
    Options *options = calloc(1, sizeof *options);
    int argc = 2;

    for (int i = 0; i < line->count && argc < WORDS_MAX; i++) {
        char *word = line->words[i];
        int option = option_of(word);
        bool connects = option != 0 && (option > 255 || strchr("dhKpU", option) != NULL);

        if (option != 0 && i + 1 < line->count) {
            if (connects) {
                argv[argc++] = word;
                argv[argc++] = line->words[i + 1];
            }
            i++;
        } else if (strncmp(word, "--host=", 7) == 0 || strncmp(word, "--port=", 7) == 0 ||
                   strncmp(word, "--bootstrap-server=", 19) == 0 || word[0] != '-') {
            argv[argc++] = word;
        }
    }
    argv[argc] = NULL;
    if (options != NULL)
        options_read(argc, argv, line->shell, options);
    free(options);
}

void
complete_words(Shell *shell, int count, char **words)
{
    Line line = {shell, words, count - 1, count > 0 ? unquoted(words[count - 1]) : ""};
    struct itimerval timer = {.it_value = {.tv_usec = TIME_MAX_US}};
    const char *before = count > 1 ? words[count - 2] : "";
    int option = option_of(before);

    (void)signal(SIGALRM, on_time);
    (void)setitimer(ITIMER_REAL, &timer, NULL); /* of this kind it cannot fail */
    if (count < 1 || count > WORDS_MAX || freopen("/dev/null", "w", stderr) == NULL)
        return;
    if (strcmp(before, "=") == 0 && count > 2) /* bash cuts --name=value there */
        option = option_of(words[count - 3]);
    if (strcmp(line.partial, "=") == 0 && (option = option_of(before)) != 0)
        line.partial = "";
    take_connection(&line);
    if (option != 0)
        complete_value(&line, option);
    else if (line.partial[0] == '-')
        complete_option(&line);
}
