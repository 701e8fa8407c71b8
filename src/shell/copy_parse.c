/*
 * copy_parse.c - the words behind \copy
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy_int.h"

#include <ctype.h>
#include <stdlib.h>

#include "ottla/common/text.h"

typedef struct Words {
    Shell *shell;
    const char *at;
    char word[COPY_WORD_MAX];
    bool quoted; /* it stood in quotes: no keyword */
    Fault *f;
} Words;

/* The next word, quoted text, or one of ( ) , into w->word. False: the end, or a fault (then *f has a code). */
static bool
next_word(Words *w)
{
    size_t len = 0;
    bool closed = false;
    char quote;

    while (isspace((unsigned char)*w->at))
        w->at++;
    w->word[0] = '\0';
    w->quoted = *w->at == '\'' || *w->at == '"';
    if (*w->at == '\0')
        return false;
    if (strchr("(),", *w->at) != NULL) {
        w->word[0] = *w->at++;
        w->word[1] = '\0';
        return true;
    }
    quote = w->quoted ? *w->at++ : '\0';
    while (*w->at != '\0') {
        if (quote != '\0' && *w->at == quote) {
            w->at++;
            closed = *w->at != quote;
            if (closed)
                break;
        } else if (quote == '\0' &&
                   (isspace((unsigned char)*w->at) || strchr("(),", *w->at) != NULL)) {
            break;
        }
        if (len == sizeof w->word - 1) {
            (void)fault_set(w->f, FAULT_SYNTAX, "a word of more than %d bytes", COPY_WORD_MAX - 1);
            return false;
        }
        w->word[len++] = *w->at++;
    }
    w->word[len] = '\0';
    if (quote != '\0' && !closed) {
        (void)fault_set(w->f, FAULT_SYNTAX, "unterminated quoted string");
        return false;
    }
    return true;
}

static bool
is_word(const Words *w, const char *keyword)
{
    return !w->quoted && text_equal_nocase(strview_from(w->word), strview_from(keyword));
}

static int
expected(Words *w, const char *what)
{
    if (w->f->sqlstate[0] != '\0')
        return -1;
    if (w->word[0] == '\0')
        return fault_set(w->f, FAULT_SYNTAX, "%s is expected at the end", what);
    return fault_set(w->f, FAULT_SYNTAX, "%s is expected, not \"%s\"", what, w->word);
}

/* ---- the parts ---- */

/* (SELECT ...), up to the parenthesis that closes it. w->at is behind the first one. */
static int
take_select(Words *w, CopyOrder *ret)
{
    const char *begin = w->at;
    int depth = 1;
    char quote = '\0';

    for (; *w->at != '\0' && depth > 0; w->at++) {
        if (quote != '\0')
            quote = *w->at == quote ? '\0' : quote;
        else if (*w->at == '\'' || *w->at == '"')
            quote = *w->at;
        else
            depth += *w->at == '(' ? 1 : *w->at == ')' ? -1 : 0;
    }
    if (depth > 0)
        return fault_set(w->f, FAULT_SYNTAX, "the parenthesis of the query is not closed");
    ret->select = strndup(begin, (size_t)(w->at - begin - 1));
    return ret->select != NULL ? 0 : fault_set(w->f, FAULT_NO_MEMORY, "no memory");
}

static int
take_place(Words *w, CopyOrder *ret)
{
    if (!next_word(w))
        return expected(w, "a file, PROGRAM, STDIN, STDOUT, PSTDIN or PSTDOUT");
    if (is_word(w, "STDIN") || is_word(w, "STDOUT") || is_word(w, "PSTDIN") ||
        is_word(w, "PSTDOUT")) {
        bool in = is_word(w, "STDIN") || is_word(w, "PSTDIN");

        ret->place = w->word[0] == 'P' || w->word[0] == 'p' ? COPY_PROCESS : COPY_STANDARD;
        if (in != ret->from)
            return fault_set(w->f, FAULT_SYNTAX, "%s %s", ret->from ? "FROM" : "TO", w->word);
        return 0;
    }
    ret->place = COPY_FILE;
    if (is_word(w, "PROGRAM")) {
        ret->place = COPY_PROGRAM;
        if (!next_word(w))
            return expected(w, "a command");
    }
    ret->target = strdup(w->word);
    return ret->target != NULL ? 0 : fault_set(w->f, FAULT_NO_MEMORY, "no memory");
}

static int
take_format(Words *w, CopyOrder *ret)
{
    static const char *const names[] = {"csv", "jsonl", "raw", "segment"};

    for (int i = 0; i < 4 && next_word(w); i = 4) {
        for (int k = 0; k < 4; k++) {
            if (text_equal_nocase(strview_from(w->word), strview_from(names[k]))) {
                ret->format = (CopyFormat)k;
                return 0;
            }
        }
    }
    return expected(w, "csv, jsonl, raw or segment");
}

static int
take_partition(Words *w, CopyOrder *ret)
{
    int32_t partition;

    if (!text_to_int32(strview_from(w->word), &partition) || partition < 0)
        return expected(w, "the number of a partition");
    if (ret->partitions == NULL)
        ret->partitions = calloc(COPY_PARTITIONS_MAX, sizeof *ret->partitions);
    if (ret->partitions == NULL || ret->partition_count == COPY_PARTITIONS_MAX)
        return fault_set(w->f, FAULT_LIMIT, "too many partitions");
    ret->partitions[ret->partition_count++] = partition;
    return 0;
}

/* PARTITIONS 3, PARTITIONS (0, 2) */
static int
take_partitions(Words *w, CopyOrder *ret)
{
    if (!next_word(w))
        return expected(w, "partitions");
    if (strcmp(w->word, "(") != 0)
        return take_partition(w, ret);
    do {
        if (!next_word(w) || take_partition(w, ret) != 0)
            return expected(w, "the number of a partition");
        if (!next_word(w))
            return expected(w, "a parenthesis");
    } while (strcmp(w->word, ",") == 0);
    return strcmp(w->word, ")") == 0 ? 0 : expected(w, "a parenthesis");
}

static int
take_until(Words *w, CopyOrder *ret)
{
    if (!next_word(w))
        return expected(w, "an offset or @TIME");
    if (w->word[0] == '@') {
        ret->range.has_until_time = true;
        return stream_time_parse(w->shell, w->word + 1, &ret->range.until, w->f);
    }
    if (strcmp(w->word, "end") == 0)
        return 0;
    ret->range.has_until_offset = true;
    if (text_to_int64(strview_from(w->word), &ret->range.until) && ret->range.until >= 0)
        return 0;
    return expected(w, "an offset or @TIME");
}

/* FROM keeps what UNTIL said before. */
static int
take_from(Words *w, CopyOrder *ret)
{
    StreamRange before = ret->range;

    if (!next_word(w))
        return expected(w, "an offset or @TIME");
    if (stream_range_parse(w->shell, w->word, &ret->range, w->f) != 0)
        return -1;
    if (before.has_until_offset || before.has_until_time) {
        ret->range.has_until_offset = before.has_until_offset;
        ret->range.has_until_time = before.has_until_time;
        ret->range.until = before.until;
    }
    if (ret->range.from == STREAM_FROM_STORED)
        return fault_set(w->f, FAULT_NOT_SUPPORTED, "\\copy has no group whose offsets are stored");
    return 0;
}

static int
take_column(Words *w, char to[COPY_WORD_MAX])
{
    if (!next_word(w))
        return expected(w, "a column");
    memcpy(to, w->word, COPY_WORD_MAX);
    return 0;
}

static int
take_on_error(Words *w, CopyOrder *ret)
{
    if (!next_word(w) || (!is_word(w, "stop") && !is_word(w, "skip")))
        return expected(w, "stop or skip");
    ret->skip_errors = is_word(w, "skip");
    return 0;
}

/* HEADER, HEADER off; the word behind it is not used up when it is neither. */
static void
take_header(Words *w, CopyOrder *ret)
{
    const char *before = w->at;

    ret->header = true;
    if (!next_word(w))
        return;
    if (is_word(w, "off") || is_word(w, "false") || is_word(w, "0"))
        ret->header = false;
    else if (!is_word(w, "on") && !is_word(w, "true") && !is_word(w, "1"))
        w->at = before;
}

static int
take_option(Words *w, CopyOrder *ret)
{
    if (is_word(w, "FORMAT"))
        return take_format(w, ret);
    if (is_word(w, "FROM"))
        return take_from(w, ret);
    if (is_word(w, "UNTIL"))
        return take_until(w, ret);
    if (is_word(w, "PARTITIONS"))
        return take_partitions(w, ret);
    if (is_word(w, "PARTITION"))
        return take_column(w, ret->partition_column);
    if (is_word(w, "KEY"))
        return take_column(w, ret->key_column);
    if (is_word(w, "VALUE"))
        return take_column(w, ret->value_column);
    if (is_word(w, "ON_ERROR"))
        return take_on_error(w, ret);
    if (is_word(w, "ON") && next_word(w) && is_word(w, "ERROR"))
        return take_on_error(w, ret);
    if (is_word(w, "HEADER")) {
        take_header(w, ret);
        return 0;
    }
    return expected(w,
                    "FORMAT, FROM, UNTIL, PARTITIONS, HEADER, PARTITION, KEY, VALUE or ON ERROR");
}

/* [WITH] [( option [, option]... )] */
static int
take_options(Words *w, CopyOrder *ret)
{
    bool more = next_word(w);

    if (more && is_word(w, "WITH"))
        more = next_word(w);
    if (!more)
        return w->f->sqlstate[0] == '\0' ? 0 : -1;
    if (strcmp(w->word, "(") != 0)
        return expected(w, "WITH (");
    do {
        if (!next_word(w))
            return expected(w, "an option");
        if (take_option(w, ret) != 0)
            return -1;
        if (!next_word(w))
            return expected(w, "a parenthesis");
    } while (strcmp(w->word, ",") == 0);
    if (strcmp(w->word, ")") != 0)
        return expected(w, "a parenthesis");
    return next_word(w) ? expected(w, "the end") : 0;
}

int
copy_parse(Shell *shell, const char *text, CopyOrder *ret, Fault *f)
{
    Words w = {.shell = shell, .at = text, .f = f};

    fault_clear(f);
    memset(ret, 0, sizeof *ret);
    ret->header = true;
    (void)snprintf(ret->partition_column, COPY_WORD_MAX, "partition");
    (void)snprintf(ret->key_column, COPY_WORD_MAX, "key");
    (void)snprintf(ret->value_column, COPY_WORD_MAX, "value");
    if (!next_word(&w))
        return expected(&w, "a topic or (SELECT ...)");
    if (!w.quoted && strcmp(w.word, "(") == 0) {
        if (take_select(&w, ret) != 0)
            return -1;
    } else {
        (void)snprintf(ret->topic, sizeof ret->topic, "%s", w.word);
    }
    if (!next_word(&w) || (!is_word(&w, "TO") && !is_word(&w, "FROM")))
        return expected(&w, "TO or FROM");
    ret->from = is_word(&w, "FROM");
    if (ret->from && ret->select != NULL)
        return fault_set(f, FAULT_SYNTAX, "a query is copied TO somewhere");
    if (take_place(&w, ret) != 0)
        return -1;
    return take_options(&w, ret);
}

void
copy_release(CopyOrder *order)
{
    free(order->select);
    free(order->target);
    free(order->partitions);
}
