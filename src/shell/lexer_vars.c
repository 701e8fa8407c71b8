/*
 * lexer_vars.c - variables in input: :name, :'name', :"name", :{?name}
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lexer_vars_int.h"

#include "variables_int.h"

/* A reference to a variable, as it stands in the line. */
typedef struct Reference {
    StrView name;
    size_t len; /* of all of it, with the colon */
    char form;  /* 0, '\'', '"', '?' */
} Reference;

static bool
is_name_byte(char c)
{
    return variable_name_is_valid((StrView){&c, 1});
}

/* At the colon. False: none. */
static bool
find_reference(const Lexer *lexer, Reference *ret)
{
    const char *line = lexer->line.ptr;
    size_t at = lexer->pos + 1;
    size_t end = lexer->line.len;
    size_t first;
    char closing = '\0';

    *ret = (Reference){.form = '\0'};
    if (at < end && (line[at] == '\'' || line[at] == '"')) {
        ret->form = closing = line[at];
        at++;
    } else if (at + 1 < end && line[at] == '{' && line[at + 1] == '?') {
        ret->form = '?';
        closing = '}';
        at += 2;
    }
    first = at;
    while (at < end && is_name_byte(line[at]) && at - first < VARIABLE_NAME_BYTES_MAX)
        at++;
    if (at == first)
        return false;
    ret->name = (StrView){line + first, (int32_t)(at - first)};
    if (closing != '\0') {
        if (at >= end || line[at] != closing)
            return false;
        at++;
    }
    ret->len = at - lexer->pos;
    return true;
}

static void
add_quoted(StrBuf *out, const char *value, char quote)
{
    strbuf_add_char(out, quote);
    for (; *value != '\0'; value++) {
        if (*value == quote)
            strbuf_add_char(out, quote);
        strbuf_add_char(out, *value);
    }
    strbuf_add_char(out, quote);
}

/* Are we inside the value of this variable? Its own name in it would never end. */
static bool
is_open(Lexer *lexer, StrView name)
{
    int kept = 0;

    for (int i = 0; i < lexer->expansions_count; i++)
        if (lexer->expansions[i].end > lexer->pos)
            lexer->expansions[kept++] = lexer->expansions[i];
    lexer->expansions_count = kept;
    for (int i = 0; i < kept; i++)
        if (strncmp(lexer->expansions[i].name, name.ptr,
                    name.len < 63 ? (size_t)name.len : (size_t)63) == 0 &&
            lexer->expansions[i].name[name.len < 63 ? name.len : 63] == '\0')
            return true;
    return false;
}

/* Replaces the reference by the value, in the line. */
static bool
put_into_line(Lexer *lexer, const Reference *ref, const char *value)
{
    size_t value_len = strlen(value);
    size_t rest = lexer->line.len - lexer->pos - ref->len;
    LexExpansion *open;

    if (is_open(lexer, ref->name) || lexer->expansions_count == LEX_EXPANSIONS_MAX ||
        lexer->expansions_line >= LEX_EXPANSIONS_LINE_MAX ||
        lexer->line.len + value_len > LEX_LINE_BYTES_MAX)
        return false;
    lexer->expansions_line++;
    for (int i = 0; i < lexer->expansions_count; i++)
        lexer->expansions[i].end += value_len - ref->len;
    open = &lexer->expansions[lexer->expansions_count++];
    open->end = lexer->pos + value_len;
    (void)snprintf(open->name, sizeof open->name, "%.*s", ref->name.len, ref->name.ptr);
    for (size_t grow = ref->len; grow < value_len; grow++)
        strbuf_add_char(&lexer->line, ' ');
    if (strbuf_failed(&lexer->line))
        return false;
    memmove(lexer->line.ptr + lexer->pos + value_len, lexer->line.ptr + lexer->pos + ref->len,
            rest);
    memcpy(lexer->line.ptr + lexer->pos, value, value_len);
    strbuf_truncate(&lexer->line, lexer->pos + value_len + rest);
    return true;
}

static bool
expand(Lexer *lexer, StrBuf *out, bool again)
{
    Reference ref;
    const char *value;

    if (lexer->env.lookup == NULL || !find_reference(lexer, &ref))
        return false;
    value = lexer->env.lookup(lexer->env.arg, ref.name);
    if (ref.form == '?') {
        strbuf_add_cstr(out, value != NULL ? "TRUE" : "FALSE");
    } else if (value == NULL) {
        return false;
    } else if (ref.form != '\0') {
        add_quoted(out, value, ref.form);
    } else if (again) {
        return put_into_line(lexer, &ref, value);
    } else {
        strbuf_add_cstr(out, value);
    }
    lexer->pos += ref.len;
    return true;
}

bool
lexer_expand(Lexer *lexer, StrBuf *out)
{
    return expand(lexer, out, true);
}

bool
lexer_expand_argument(Lexer *lexer, StrBuf *out)
{
    return expand(lexer, out, false);
}
