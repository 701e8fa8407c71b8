/*
 * complete_sql.c - SELECT and its kin for completion: tables, columns, keywords by the word before
 *
 * SQL has no grammar here: the keyword in front tells whether a table or a column is wanted, the tables that stand in
 * the statement whose columns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "complete_int.h"

#include <ctype.h>

#include "ottla/common/text.h"

#define WORDS_MAX 400

static const char keywords[] = "ALL AND AS ASC AVG BETWEEN BY CASE CAST COUNT CROSS DESC DISTINCT "
                               "ELSE END ESCAPE EXCEPT EXISTS FROM GLOB GROUP "
                               "HAVING IN INNER INTERSECT IS JOIN LEFT LIKE LIMIT MAX MIN NATURAL "
                               "NOT NULL OFFSET ON OR ORDER OUTER SELECT SUM THEN "
                               "UNION USING VALUES WHEN WHERE WITH";

/* Behind these, tables; behind all others, columns and keywords. */
static const char *const before_table[] = {"FROM", "JOIN", "INTO", "TABLE", "UPDATE"};

/* Columns whose values are names of the cluster: col = 'here. */
static const struct {
    const char *column;
    NameKind kind;
} valued[] = {
    {"topic", NAMES_TOPICS},    {"messages", NAMES_TOPICS},   {"group_id", NAMES_GROUPS},
    {"node_id", NAMES_BROKERS}, {"broker_id", NAMES_BROKERS},
};

typedef struct SqlText {
    StrView words[WORDS_MAX]; /* names, keywords, and signs of one byte */
    int count;
    char quote; /* that is open at the end */
} SqlText;

static bool
is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80) != 0;
}

/* Cuts the text into words; strings are left out, but for one that is open. */
static void
read_words(StrView text, SqlText *ret)
{
    int32_t i = 0;

    ret->count = 0;
    ret->quote = '\0';
    while (i < text.len) {
        int32_t begin = i;
        char c = text.ptr[i];

        if (c == '\'' || c == '"') {
            const char *end = memchr(text.ptr + i + 1, c, (size_t)(text.len - i - 1));

            if (end == NULL) {
                ret->quote = c;
                i = text.len;
            } else {
                i = (int32_t)(end + 1 - text.ptr);
            }
        } else if (is_name_byte(c)) {
            while (i < text.len && is_name_byte(text.ptr[i]))
                i++;
        } else {
            i++;
            if (isspace((unsigned char)c))
                continue;
        }
        if (ret->count == WORDS_MAX) { /* the last ones matter */
            memmove(ret->words, ret->words + 1, sizeof ret->words - sizeof ret->words[0]);
            ret->count--;
        }
        ret->words[ret->count++] = (StrView){text.ptr + begin, i - begin};
    }
}

static bool
word_is(const SqlText *t, int index, const char *word)
{
    return index >= 0 && index < t->count && text_equal_nocase(t->words[index], strview_from(word));
}

static bool
stands_before_table(const SqlText *t, int index)
{
    for (size_t i = 0; i < sizeof before_table / sizeof before_table[0]; i++) {
        if (word_is(t, index, before_table[i]))
            return true;
    }
    return false;
}

/* Is the word at this index in a list of tables? FROM a, b */
static bool
wants_table(const SqlText *t, int index)
{
    while (word_is(t, index - 1, ",")) {
        index -= 2;
        if (index > 0 && !word_is(t, index - 1, ",") && !stands_before_table(t, index - 1))
            index--; /* "a x, b": with a short name */
    }
    return stands_before_table(t, index - 1);
}

static void
on_table(void *arg, const char *table, const char *column, const char *declared)
{
    (void)column, (void)declared;
    complete_add_cstr(arg, table);
}

static void
on_column(void *arg, const char *table, const char *column, const char *declared)
{
    (void)table, (void)declared;
    if (column != NULL)
        complete_add_cstr(arg, column);
}

typedef struct Columns {
    Sql *sql;
    Completions *c;
} Columns;

static void
on_table_columns(void *arg, const char *table, const char *column, const char *declared)
{
    Columns *all = arg;

    (void)column, (void)declared;
    sql_columns(all->sql, table, on_column, all->c);
}

/* Of the tables that the statement names; of all when it names none yet. */
static void
add_columns(Sql *sql, const SqlText *t, Completions *c)
{
    bool found = false;

    for (int i = 1; i < t->count; i++) {
        char name[128];

        if (!wants_table(t, i) || !is_name_byte(t->words[i].ptr[0]) || t->words[i].len > 127 ||
            (i == t->count - 1 && c->typed.len > 0))
            continue;
        (void)snprintf(name, sizeof name, "%.*s", t->words[i].len, t->words[i].ptr);
        sql_columns(sql, name, on_column, c);
        found = true;
    }
    if (!found)
        sql_tables(sql, on_table_columns, &(Columns){sql, c});
}

/* topic = 'or: the name before the sign says of what. */
static void
add_values(Shell *shell, const SqlText *t, Completions *c)
{
    int at = t->count - 2;

    while (at >= 0 && (word_is(t, at, "=") || word_is(t, at, "(") || word_is(t, at, ",") ||
                       word_is(t, at, "in") || t->words[at].ptr[0] == '\''))
        at--;
    for (size_t i = 0; i < sizeof valued / sizeof valued[0]; i++) {
        if (word_is(t, at, valued[i].column))
            complete_add_names(shell, c, valued[i].kind);
    }
}

void
complete_sql(Shell *shell, StrView text, Completions *c)
{
    SqlText *t = c->arena == NULL ? NULL : arena_alloc(c->arena, sizeof *t);
    Fault f;
    Sql *sql;
    bool in_word;

    c->typed = (StrView){text.ptr + text.len, 0};
    if (t == NULL)
        return;
    read_words(text, t);
    in_word =
        t->count > 0 && text.len > 0 && (t->quote != '\0' || is_name_byte(text.ptr[text.len - 1]));
    if (in_word)
        c->typed = t->words[t->count - 1];
    if (t->quote == '\'') {
        add_values(shell, t, c);
        return;
    }
    sql = shell_sql(shell, &f);
    if (sql == NULL)
        return;
    if (wants_table(t, in_word ? t->count - 1 : t->count)) {
        sql_tables(sql, on_table, c);
        return;
    }
    add_columns(sql, t, c);
    for (const char *word = keywords; *word != '\0';) {
        int32_t len = (int32_t)strcspn(word, " ");
        char keyword[16];

        (void)snprintf(keyword, sizeof keyword, "%.*s", len, word);
        if (c->typed.len > 0)
            complete_add_keyword(c, keyword);
        word += len;
        word += *word == ' ';
    }
}
