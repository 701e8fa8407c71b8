/*
 * complete.c - what may stand at the cursor: finds out what is being written, and collects words
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "complete_int.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/stat.h>

#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/text.h"
#include "ottla/statement/parse.h"

/* ---- the words --------------------------------------------------------------------------------- */

void
completions_init(Completions *c)
{
    *c = (Completions){.arena = arena_new((size_t)256 << 10, COMPLETE_BYTES_MAX)};
    if (c->arena != NULL)
        c->words = arena_calloc(c->arena, COMPLETIONS_MAX, sizeof *c->words);
}

void
completions_release(Completions *c)
{
    arena_free(c->arena);
    *c = (Completions){0};
}

static bool
begins_with(StrView word, StrView beginning, bool nocase)
{
    StrView head = {word.ptr, beginning.len};

    return word.len >= beginning.len &&
           (beginning.len == 0 ||
            (nocase ? text_equal_nocase(head, beginning)
                    : memcmp(word.ptr, beginning.ptr, (size_t)beginning.len) == 0));
}

static void
add(Completions *c, const char *word)
{
    if (word != NULL && c->words != NULL && c->count < COMPLETIONS_MAX)
        c->words[c->count++] = word;
}

void
complete_add(Completions *c, StrView word)
{
    if (c->arena != NULL && begins_with(word, c->typed, false) && word.len > 0 &&
        memchr(word.ptr, '\0', (size_t)word.len) == NULL)
        add(c, arena_strdup(c->arena, word));
}

void
complete_add_cstr(Completions *c, const char *word)
{
    complete_add(c, strview_from(word));
}

void
complete_add_list(Completions *c, const char *words)
{
    while (*words != '\0') {
        int32_t len = (int32_t)strcspn(words, " ");

        complete_add(c, (StrView){words, len});
        words += len;
        words += *words == ' ';
    }
}

void
complete_add_keyword(Completions *c, const char *word)
{
    char *copy;

    if (c->arena == NULL || !begins_with(strview_from(word), c->typed, true))
        return;
    copy = arena_strdup(c->arena, strview_from(word));
    for (char *p = copy; p != NULL && *p != '\0'; p++)
        *p = (char)(c->upper ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
    add(c, copy);
}

/* Can it stand in a statement without quotes? */
static bool
is_plain_name(StrView name)
{
    if (name.len == 0 || isdigit((unsigned char)name.ptr[0]) || name.ptr[0] == '.' ||
        name.ptr[0] == '-')
        return false;
    for (int32_t i = 0; i < name.len; i++) {
        unsigned char ch = (unsigned char)name.ptr[i];

        if (!(isalnum(ch) && ch < 0x80) && ch != '_' && ch != '.' && ch != '-')
            return false;
    }
    return true;
}

/* Names may hold anything, this reaches a terminal. */
static bool
is_printable(StrView name)
{
    for (int32_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    }
    return name.len > 0 && text_is_utf8(name);
}

void
complete_add_name(Completions *c, StrView name)
{
    char quote = c->typed.len > 0 ? c->typed.ptr[0] : '\0';
    StrBuf text;

    if (c->arena == NULL || !is_printable(name))
        return;
    if (quote != '"' && quote != '\'') {
        if (is_plain_name(name)) {
            complete_add(c, name);
            return;
        }
        quote = '"';
    }
    strbuf_init(&text, 1 << 16, c->arena);
    strbuf_add_char(&text, quote);
    for (int32_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == quote)
            strbuf_add_char(&text, quote);
        strbuf_add_char(&text, name.ptr[i]);
    }
    strbuf_add_char(&text, quote);
    if (!strbuf_failed(&text))
        complete_add(c, strbuf_view(&text));
}

static int
compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
completions_sort(Completions *c)
{
    int32_t kept = 0;

    if (c->count == 0)
        return;
    qsort(c->words, (size_t)c->count, sizeof *c->words, compare_words);
    for (int32_t i = 0; i < c->count; i++) {
        if (kept == 0 || strcmp(c->words[kept - 1], c->words[i]) != 0)
            c->words[kept++] = c->words[i];
    }
    c->count = kept;
}

/* ---- words of the shell itself ----------------------------------------------------------------- */

/* "a b" as a file of several words is not escaped: what is offered can be typed as it stands. */
void
complete_add_files(Completions *c)
{
    StrView typed = c->typed;
    const char *slash;
    char *folder, *path;
    int quote = typed.len > 0 && (typed.ptr[0] == '\'' || typed.ptr[0] == '"');
    int32_t head;
    struct dirent *entry;
    DIR *dir;

    if (c->arena == NULL)
        return;
    slash = memrchr(typed.ptr, '/', (size_t)typed.len);
    head = slash == NULL ? quote : (int32_t)(slash + 1 - typed.ptr); /* quote and folder */
    folder = arena_printf(c->arena, "%.*s", head - quote, typed.ptr + quote);
    dir = folder == NULL ? NULL : opendir(folder[0] == '\0' ? "." : folder);
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL && c->count < COMPLETIONS_MAX) {
        struct stat st;
        bool is_folder;

        if (entry->d_name[0] == '.' && (typed.len == head || typed.ptr[head] != '.'))
            continue;
        path = arena_printf(c->arena, "%s%s", folder, entry->d_name);
        is_folder = path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        path = arena_printf(c->arena, "%.*s%s%s", head, typed.ptr, entry->d_name,
                            is_folder ? "/" : "");
        if (path == NULL || !begins_with(strview_from(path), typed, false) ||
            !is_printable(strview_from(entry->d_name)))
            continue;
        add(c, path);
        c->no_space |= is_folder;
    }
    closedir(dir);
}

void
complete_add_variables(Shell *shell, Completions *c)
{
    const char *name, *value;

    for (int i = 0; variables_at(shell->vars, i, &name, &value); i++)
        complete_add_cstr(c, name);
}

/* :name, :'name', :"name", :{?name} */
static void
add_references(Shell *shell, Completions *c)
{
    const char *begin = ":", *end = "", *name, *value;

    if (c->typed.len > 1) {
        switch (c->typed.ptr[1]) {
        case '\'':
            begin = ":'", end = "'";
            break;
        case '"':
            begin = ":\"", end = "\"";
            break;
        case '{':
            begin = ":{?", end = "}";
            break;
        }
    }
    for (int i = 0; variables_at(shell->vars, i, &name, &value); i++) {
        char *word = c->arena == NULL ? NULL : arena_printf(c->arena, "%s%s%s", begin, name, end);

        if (word != NULL)
            complete_add_cstr(c, word);
    }
}

void
complete_add_configs(Completions *c, int scope)
{
    for (int id = 0; id < CONF_ID_COUNT; id++) {
        const ConfRow *row = &conf_rows[id];

        if ((scope < 0 || (int)row->scope == scope) && !row->internal)
            complete_add_cstr(c, row->name);
    }
}

/* In quotes when they were begun. */
static void
add_value(Completions *c, const char *value)
{
    char *quoted;

    if (c->typed.len == 0 || c->typed.ptr[0] != '\'') {
        complete_add_cstr(c, value);
        return;
    }
    quoted = c->arena == NULL ? NULL : arena_printf(c->arena, "'%s'", value);
    if (quoted != NULL)
        complete_add_cstr(c, quoted);
}

static void
add_config_values(Completions *c, StrView config)
{
    static const ConfScope scopes[] = {CONF_SCOPE_TOPIC, CONF_SCOPE_GROUP, CONF_SCOPE_BROKER,
                                       CONF_SCOPE_METRICS};

    for (int i = 0; i < 4; i++) {
        int id = conf_find(scopes[i], config);

        if (id < 0)
            continue;
        if (conf_rows[id].type == CONF_TYPE_BOOLEAN) {
            add_value(c, "true");
            add_value(c, "false");
        }
        for (const char *const *v = conf_rows[id].values; v != NULL && *v != NULL; v++)
            add_value(c, *v);
        return;
    }
}

/* ---- statements of ours ------------------------------------------------------------------------ */

typedef struct Hints {
    Shell *shell;
    Completions *c;
    StrView text;
    bool pass;        /* false: find out where the word begins; true: collect */
    const char *sign; /* "(" and the like, for when nothing else is to be had */
} Hints;

static void
add_want(Hints *h, const StatementHint *hint)
{
    Completions *c = h->c;

    switch (hint->want) {
    case WANT_KEYWORD:
        if (!isalpha((unsigned char)hint->keyword[0]))
            h->sign = hint->keyword;
        else
            complete_add_keyword(c, hint->keyword);
        break;
    case WANT_TOPIC:
        complete_add_names(h->shell, c, NAMES_TOPICS);
        break;
    case WANT_GROUP:
        complete_add_names(h->shell, c, NAMES_GROUPS);
        break;
    case WANT_USER:
    case WANT_PRINCIPAL:
        complete_add_names(h->shell, c, NAMES_USERS);
        break;
    case WANT_RESOURCE_NAME:
        complete_add_names(h->shell, c, NAMES_TOPICS);
        complete_add_names(h->shell, c, NAMES_GROUPS);
        break;
    case WANT_BROKER:
        complete_add_names(h->shell, c, NAMES_BROKERS);
        break;
    case WANT_TRANSACTION:
        complete_add_names(h->shell, c, NAMES_TRANSACTIONS);
        break;
    case WANT_METRICS:
        complete_add_names(h->shell, c, NAMES_METRICS);
        break;
    case WANT_TOPIC_CONFIG:
        complete_add_configs(c, CONF_SCOPE_TOPIC);
        break;
    case WANT_BROKER_CONFIG:
    case WANT_SETTING:
        complete_add_configs(c, CONF_SCOPE_BROKER);
        break;
    case WANT_GROUP_CONFIG:
        complete_add_configs(c, CONF_SCOPE_GROUP);
        break;
    case WANT_METRICS_CONFIG:
        complete_add_configs(c, CONF_SCOPE_METRICS);
        break;
    case WANT_ANY_CONFIG:
        complete_add_configs(c, -1);
        break;
    case WANT_CONFIG_VALUE:
        add_config_values(c, hint->context);
        break;
    case WANT_VARIABLE:
        complete_add_variables(h->shell, c);
        break;
    case WANT_LEVEL:
        complete_add_list(c, "FATAL ERROR WARN INFO DEBUG TRACE");
        break;
    case WANT_MECHANISM:
        complete_add_list(c, "SCRAM-SHA-256 SCRAM-SHA-512");
        break;
    case WANT_QUOTA:
        complete_add_list(c, "producer_byte_rate consumer_byte_rate request_percentage "
                             "controller_mutation_rate connection_creation_rate");
        break;
    case WANT_FEATURE:
        complete_add_list(c, "metadata.version kraft.version transaction.version group.version "
                             "share.version eligible.leader.replicas.version");
        break;
    case WANT_FILE:
        if (c->typed.len > 0)
            complete_add_files(c);
        break;
    case WANT_NEW_NAME:
    case WANT_CLIENT:
    case WANT_PARTITION:
    case WANT_NUMBER:
    case WANT_COUNT:
    case WANT_LOGGER:
    case WANT_OPERATION:
    case WANT_VALUE:
    case WANT_STRING:
    case WANT_PATTERN:
    case WANT_KINDS:
        break;
    }
}

static void
on_hint(void *arg, const StatementHint *hint)
{
    Hints *h = arg;

    if (h->pass)
        add_want(h, hint);
}

/* Words by the grammar. text: the statement up to the cursor, which is byte `at` of the line. */
static void
complete_statement(Shell *shell, StrView text, int32_t at, Completions *c)
{
    Hints h = {.shell = shell, .c = c, .text = text};
    int32_t start = statement_complete(text, text.len, on_hint, &h);

    c->typed = (StrView){text.ptr + start, text.len - start};
    c->start = at - c->typed.len;
    h.pass = true;
    (void)statement_complete(text, text.len, on_hint, &h); /* as before */
    if (c->count == 0 && h.sign != NULL && c->typed.len == 0) {
        complete_add_cstr(c, h.sign);
        c->no_space = h.sign[0] == '(';
    }
}

/* ---- what is being written --------------------------------------------------------------------- */

typedef struct Context {
    int32_t statement; /* where the statement that the cursor stands in begins */
    int32_t command;   /* behind the backslash of the command that it stands in; -1: none */
    char quote;        /* that is open */
} Context;

/* Behind a comment that begins here, or the same place. */
static int32_t
skip_comment(StrView text, int32_t i)
{
    const char *end;

    if (i + 1 >= text.len)
        return i;
    if (text.ptr[i] == '-' && text.ptr[i + 1] == '-') {
        end = memchr(text.ptr + i, '\n', (size_t)(text.len - i));
        return end == NULL ? text.len : (int32_t)(end - text.ptr);
    }
    if (text.ptr[i] == '/' && text.ptr[i + 1] == '*') {
        end = memmem(text.ptr + i + 2, (size_t)(text.len - i - 2), "*/", 2);
        return end == NULL ? text.len : (int32_t)(end + 2 - text.ptr);
    }
    return i;
}

static Context
look_at(StrView text, int32_t line_start)
{
    Context ctx = {.command = -1};

    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (ctx.quote != '\0') {
            if (c == ctx.quote)
                ctx.quote = '\0';
            continue;
        }
        if (i >= line_start && c == '\\') {
            ctx.command = i + 1;
            if (i + 1 < text.len && text.ptr[i + 1] == '\\') {
                ctx.command = -1; /* "\\" ends a command */
                ctx.statement = i + 2;
                i++;
            }
        } else if (c == '\'' || c == '"') {
            ctx.quote = c;
        } else if (ctx.command < 0) {
            int32_t behind = skip_comment(text, i);

            if (behind > i)
                i = behind - 1;
            else if (c == ';')
                ctx.statement = i + 1;
        }
    }
    return ctx;
}

/* Does a reference to a variable end at the cursor? Then where it begins, else -1. */
static int32_t
reference_start(StrView text)
{
    int32_t i = text.len;

    while (i > 0 && (isalnum((unsigned char)text.ptr[i - 1]) || text.ptr[i - 1] == '_'))
        i--;
    if (i > 0 && (text.ptr[i - 1] == '\'' || text.ptr[i - 1] == '"'))
        i--;
    else if (i > 1 && text.ptr[i - 1] == '?' && text.ptr[i - 2] == '{')
        i -= 2;
    if (i == 0 || text.ptr[i - 1] != ':' || (i > 1 && text.ptr[i - 2] == ':'))
        return -1;
    return i - 1;
}

/* Letters of keywords as COMP_KEYWORD_CASE says; "preserve" goes by what is typed, and falls back. */
static bool
wants_upper(const Shell *shell, StrView line)
{
    const char *how = variables_get(shell->vars, STRVIEW("COMP_KEYWORD_CASE"));
    char last = line.len > 0 ? line.ptr[line.len - 1] : ' ';

    if (how == NULL || strcmp(how, "upper") == 0)
        return true;
    if (strcmp(how, "lower") == 0)
        return false;
    if (isalpha((unsigned char)last)) {
        int32_t i = line.len;

        while (i > 0 && (isalnum((unsigned char)line.ptr[i - 1]) || line.ptr[i - 1] == '_'))
            i--;
        return isupper((unsigned char)line.ptr[i]) != 0;
    }
    return strcmp(how, "preserve-upper") == 0;
}

/* Has the first word of the statement been ended by a blank? */
static bool
has_first_word(StrView text)
{
    StrView t = text_trim(text);

    for (int32_t i = 0; i < t.len; i++) {
        if (isspace((unsigned char)t.ptr[i]) || t.ptr[i] == '(')
            return true;
    }
    return t.len > 0 && t.ptr + t.len != text.ptr + text.len;
}

/* Blanks and comments before a statement are none of its words. */
static StrView
without_front(StrView text)
{
    int32_t i = 0, behind;

    for (;;) {
        while (i < text.len && isspace((unsigned char)text.ptr[i]))
            i++;
        behind = skip_comment(text, i);
        if (behind == i)
            return (StrView){text.ptr + i, text.len - i};
        i = behind;
    }
}

static void
complete_text(Shell *shell, StrView text, int32_t line_start, Completions *c)
{
    static const char *const sql[] = {"SELECT",      "WITH",   "VALUES", "INSERT INTO",
                                      "CREATE TEMP", "PRAGMA", "ATTACH", "EXPLAIN"};
    Context ctx = look_at(text, line_start);
    int32_t at = text.len - line_start, reference = reference_start(text);
    StrView statement;

    if (reference >= 0 && (ctx.quote == '\0' || reference + 1 < text.len)) {
        c->typed = (StrView){text.ptr + reference, text.len - reference};
        c->start = reference - line_start;
        add_references(shell, c);
        if (c->count > 0)
            return;
    }
    if (ctx.command >= 0) {
        statement = (StrView){text.ptr + ctx.command, text.len - ctx.command};
        complete_command(shell, statement, c);
        c->start = at - c->typed.len;
        return;
    }
    statement = (StrView){text.ptr + ctx.statement, text.len - ctx.statement};
    statement = without_front(statement);
    if (!has_first_word(statement)) {
        complete_statement(shell, statement, at, c);
        for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++)
            complete_add_keyword(c, sql[i]);
    } else if (statement_knows(statement)) {
        complete_statement(shell, statement, at, c);
    } else {
        complete_sql(shell, statement, c);
        c->start = at - c->typed.len;
    }
}

void
complete_line(Shell *shell, StrView before, StrView line, int64_t budget_ms, Completions *ret)
{
    StrBuf text;
    int32_t line_start;

    if (ret->arena == NULL)
        return;
    ret->deadline_ms = clock_mono_ms() + budget_ms;
    ret->upper = wants_upper(shell, line);
    ret->start = line.len;
    strbuf_init(&text, COMPLETE_BYTES_MAX / 4, ret->arena);
    if (before.len > 0) {
        strbuf_add_view(&text, before);
        strbuf_add_char(&text, '\n');
    }
    line_start = (int32_t)text.len;
    strbuf_add_view(&text, line);
    if (strbuf_failed(&text))
        return;
    complete_text(shell, strbuf_view(&text), line_start, ret);
    if (ret->start < 0) { /* a word that begins in a line above cannot be replaced */
        ret->count = 0;
        ret->start = line.len;
    }
    completions_sort(ret);
}
