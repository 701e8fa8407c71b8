/*
 * scan.c - the words of a statement: comments, quotes, names with dots and hyphens
 *
 * Pure. Every byte is hostile: each loop goes forward in the text, and what is built is no longer than it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/strbuf.h"

typedef struct Scanner {
    StrView text;
    int32_t pos;
    bool partial;
    Arena *arena;
    Tokens tokens;
    int32_t room;
    StatementError *error;
} Scanner;

static char
char_at(const Scanner *s, int32_t pos)
{
    return pos < s->text.len ? s->text.ptr[pos] : '\0';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
fail(Scanner *s, int32_t pos, const char *what)
{
    s->error->position = pos;
    (void)snprintf(s->error->message, sizeof s->error->message, "%s", what);
    return false;
}

static bool
put(Scanner *s, TokenKind kind, StrView text, int32_t start)
{
    Tokens *t = &s->tokens;

    if (t->count == s->room) {
        int32_t room = s->room == 0 ? 64 : 2 * s->room;
        Token *list = arena_calloc(s->arena, (size_t)room, sizeof *list);

        if (list == NULL)
            return fail(s, start, "statement is too large");
        if (t->count > 0)
            memcpy(list, t->list, (size_t)t->count * sizeof *list);
        t->list = list;
        s->room = room;
    }
    t->list[t->count++] = (Token){text, start, s->pos, (uint8_t)kind, false};
    return true;
}

/* Behind blanks and comments; comments of the second kind nest. */
static bool
skip_blanks(Scanner *s)
{
    for (;;) {
        while (s->pos < s->text.len && is_blank(s->text.ptr[s->pos]))
            s->pos++;
        if (char_at(s, s->pos) == '-' && char_at(s, s->pos + 1) == '-') {
            while (s->pos < s->text.len && s->text.ptr[s->pos] != '\n')
                s->pos++;
        } else if (char_at(s, s->pos) == '/' && char_at(s, s->pos + 1) == '*') {
            int32_t start = s->pos, depth = 0;

            do {
                if (s->pos >= s->text.len)
                    return s->partial || fail(s, start, "unterminated /* comment");
                if (char_at(s, s->pos) == '/' && char_at(s, s->pos + 1) == '*') {
                    depth++;
                    s->pos += 2;
                } else if (char_at(s, s->pos) == '*' && char_at(s, s->pos + 1) == '/') {
                    depth--;
                    s->pos += 2;
                } else {
                    s->pos++;
                }
            } while (depth > 0);
        } else {
            return true;
        }
    }
}

static int
hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void
add_utf8(StrBuf *out, uint32_t code)
{
    if (code < 0x80) {
        strbuf_add_char(out, (char)code);
    } else if (code < 0x800) {
        strbuf_add_char(out, (char)(0xc0 | code >> 6));
        strbuf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        strbuf_add_char(out, (char)(0xe0 | code >> 12));
        strbuf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        strbuf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Behind a backslash of an E'' string. */
static void
take_escape(Scanner *s, StrBuf *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = char_at(s, s->pos++);
    const char *at = c == '\0' ? NULL : strchr(from, c);

    if (at != NULL) {
        strbuf_add_char(out, to[at - from]);
    } else if (c == 'x' || c == 'u') {
        int most = c == 'x' ? 2 : 4, digits = 0;
        uint32_t code = 0;

        while (digits < most && hex_value(char_at(s, s->pos)) >= 0) {
            code = code * 16 + (uint32_t)hex_value(char_at(s, s->pos++));
            digits++;
        }
        if (digits == 0)
            strbuf_add_char(out, c);
        else if (c == 'x')
            strbuf_add_char(out, (char)code);
        else
            add_utf8(out, code);
    } else if (s->pos <= s->text.len) {
        strbuf_add_char(out, c);
    }
}

/* At the opening quote; a doubled quote stands for one. */
static bool
take_quoted(Scanner *s, char quote, bool escapes, int32_t start)
{
    StrBuf out;
    bool open = true;

    strbuf_init(&out, STATEMENT_TEXT_MAX, s->arena);
    s->pos++;
    while (s->pos < s->text.len) {
        char c = s->text.ptr[s->pos++];

        if (c == quote && char_at(s, s->pos) == quote) {
            s->pos++;
        } else if (c == quote) {
            open = false;
            break;
        } else if (c == '\\' && escapes && s->pos < s->text.len) {
            take_escape(s, &out);
            continue;
        }
        strbuf_add_char(&out, c);
    }
    if (open && !s->partial)
        return fail(s, start,
                    quote == '"' ? "unterminated quoted identifier" : "unterminated quoted string");
    if (quote == '"' && out.len == 0 && !open)
        return fail(s, start, "zero-length quoted identifier");
    if (strbuf_failed(&out))
        return fail(s, start, "statement is too large");
    if (!put(s, quote == '"' ? TOKEN_IDENT : TOKEN_STRING, strbuf_view(&out), start))
        return false;
    s->tokens.list[s->tokens.count - 1].open = open;
    return true;
}

/* $tag$ text $tag$. Not at one: *ret_is says so. */
static bool
take_dollar(Scanner *s, bool *ret_is)
{
    int32_t start = s->pos, body, tag_len;

    *ret_is = false;
    body = start + 1;
    while (is_letter(char_at(s, body)) || (body > start + 1 && is_digit(char_at(s, body))))
        body++;
    if (char_at(s, body) != '$')
        return true;
    body++;
    tag_len = body - start;
    *ret_is = true;
    for (int32_t at = body; at + tag_len <= s->text.len; at++) {
        if (memcmp(s->text.ptr + at, s->text.ptr + start, (size_t)tag_len) == 0) {
            s->pos = at + tag_len;
            return put(s, TOKEN_STRING, (StrView){s->text.ptr + body, at - body}, start);
        }
    }
    if (!s->partial)
        return fail(s, start, "unterminated dollar-quoted string");
    s->pos = s->text.len;
    if (!put(s, TOKEN_STRING, (StrView){s->text.ptr + body, s->text.len - body}, start))
        return false;
    s->tokens.list[s->tokens.count - 1].open = true;
    return true;
}

/* Does a bare word begin here? A sign or a dot begins a number only. */
static bool
word_begins(const Scanner *s)
{
    char c = char_at(s, s->pos), next = char_at(s, s->pos + 1);

    if (is_letter(c) || is_digit(c))
        return true;
    if (c == '.')
        return is_digit(next);
    return (c == '-' || c == '+') &&
           (is_digit(next) || (next == '.' && is_digit(char_at(s, s->pos + 2))));
}

static bool
take_word(Scanner *s)
{
    int32_t start = s->pos++;

    while (s->pos < s->text.len) {
        char c = s->text.ptr[s->pos];

        if (c == '-' && char_at(s, s->pos + 1) == '-')
            break; /* a comment */
        if (!is_letter(c) && !is_digit(c) && strchr(".-+:%@", c) == NULL)
            break;
        s->pos++;
    }
    return put(s, TOKEN_WORD, (StrView){s->text.ptr + start, s->pos - start}, start);
}

static bool
take_token(Scanner *s)
{
    int32_t start = s->pos;
    char c = s->text.ptr[s->pos];
    bool dollar = false;

    if (c == '\0')
        return fail(s, start, "a zero byte cannot be part of a statement");
    if (c == '\'' || c == '"')
        return take_quoted(s, c, false, start);
    if ((c == 'E' || c == 'e') && char_at(s, s->pos + 1) == '\'') {
        s->pos++;
        return take_quoted(s, '\'', true, start);
    }
    if (c == '$' && (!take_dollar(s, &dollar) || dollar))
        return dollar && s->error->message[0] == '\0';
    if (word_begins(s))
        return take_word(s);
    s->pos++;
    return put(s, TOKEN_PUNCT, (StrView){s->text.ptr + start, 1}, start);
}

bool
tokens_scan(StrView text, bool partial, Arena *arena, Tokens *ret, StatementError *ret_error)
{
    Scanner s = {.text = text, .partial = partial, .arena = arena, .error = ret_error};
    int32_t end = 0;

    ret_error->message[0] = '\0';
    ret_error->hint[0] = '\0';
    ret_error->position = 0;
    if (text.len > STATEMENT_TEXT_MAX)
        return fail(&s, 0, "statement is too large");
    for (;;) {
        if (!skip_blanks(&s))
            return false;
        if (s.pos >= text.len)
            break;
        if (text.ptr[s.pos] == ';') {
            int32_t semicolon = s.pos++;

            if (!skip_blanks(&s))
                return false;
            if (s.pos < text.len)
                return fail(&s, semicolon, "more than one statement");
            break;
        }
        if (!take_token(&s))
            return false;
        end = s.pos;
    }
    s.pos = end;
    if (!put(&s, TOKEN_END, (StrView){text.ptr, 0}, end))
        return false;
    *ret = s.tokens;
    return true;
}
