/*
 * complete_int.h - what may stand at the cursor: words for Tab and for completion in bash
 *
 * Keywords come from the grammar of statements, names from the cluster, by calls that end after a bounded time and are
 * remembered for ten seconds; a connection that is gone is not opened again for them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_COMPLETE_INT_H
#define OTTLA_SHELL_COMPLETE_INT_H

#include "shell_int.h"

/* How long the names of one completion may take altogether. */
#define COMPLETE_TERMINAL_MS 400
#define COMPLETE_BASH_MS     200

#define COMPLETIONS_MAX    5000
#define COMPLETE_KEEP_MS   10000
#define COMPLETE_BYTES_MAX ((size_t)64 << 20)

typedef struct Completions {
    Arena *arena;
    const char **words; /* COMPLETIONS_MAX of them, zero-terminated */
    int32_t count;
    int32_t
        start; /* byte of the line where the word begins that they stand for; may be before the line: negative */
    StrView typed;       /* that word, as far as it is there */
    bool no_space;       /* nothing ends behind the word: more is to be typed */
    bool upper;          /* case of keywords that are added */
    int64_t deadline_ms; /* clock_mono_ms: names are asked for until then */
} Completions;

/* Without memory there are no words. */
void completions_init(Completions *c);
void completions_release(Completions *c);

/* In order, each word once. */
void completions_sort(Completions *c);

/*
 * before  lines of the statement above, null or empty: none
 * line    up to the cursor
 * ret     was initialised; its words are sorted, each once
 */
void complete_line(Shell *shell, StrView before, StrView line, int64_t budget_ms, Completions *ret);

/* `ottla --complete WORDS`: the command line up to and with the word at the cursor. Prints words, one a line. */
void complete_words(Shell *shell, int count, char **words);

/* ---- adding words: those that begin with what is typed ---- */

/* As it is, case matters. */
void complete_add(Completions *c, StrView word);
void complete_add_cstr(Completions *c, const char *word);
void complete_add_list(Completions *c, const char *words); /* blanks between them */

/* In any case; in the case that COMP_KEYWORD_CASE asks for. */
void complete_add_keyword(Completions *c, const char *word);

/* A name, in quotes where it needs them or they were typed. */
void complete_add_name(Completions *c, StrView name);

/* ---- kinds of words ---- */

typedef enum NameKind {
    NAMES_TOPICS,
    NAMES_BROKERS,
    NAMES_GROUPS,
    NAMES_USERS,
    NAMES_TRANSACTIONS,
    NAMES_METRICS,
    NAMES_KINDS,
} NameKind;

/* complete_names.c: of the cluster. */
void complete_add_names(Shell *shell, Completions *c, NameKind kind);

/* complete.c */
void complete_add_files(Completions *c);
void complete_add_variables(Shell *shell, Completions *c);
void complete_add_configs(Completions *c, int scope); /* ConfScope; -1: all */

/* complete_sql.c: text is one statement up to the cursor. */
void complete_sql(Shell *shell, StrView text, Completions *c);

/* complete_command.c: text begins behind the backslash. */
void complete_command(Shell *shell, StrView text, Completions *c);

#endif
