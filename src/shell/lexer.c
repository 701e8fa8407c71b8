/*
 * lexer.c - cuts input into statements and backslash commands, puts variables in
 *
 * The value of a variable takes its place in the line and is read again, so that it may hold several
 * statements; quoted forms (:'name', :"name") go to the statement as they are. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lexer_int.h"

#include "lexer_vars_int.h"

void
lexer_init(Lexer *lexer, const LexEnv *env)
{
    *lexer = (Lexer){.env = *env};
    strbuf_init(&lexer->line, LEX_LINE_BYTES_MAX, NULL);
}

void
lexer_fini(Lexer *lexer)
{
    strbuf_release(&lexer->line);
}

void
lexer_reset(Lexer *lexer)
{
    lexer->quote = 0;
    lexer->comment_depth = 0;
    lexer->paren_depth = 0;
}

void
lexer_clear(Lexer *lexer)
{
    lexer_reset(lexer);
    strbuf_clear(&lexer->line);
    lexer->pos = 0;
    lexer->expansions_count = 0;
}

bool
lexer_start_line(Lexer *lexer, StrView line)
{
    strbuf_clear(&lexer->line);
    lexer->pos = 0;
    lexer->expansions_count = 0;
    lexer->expansions_line = 0;
    strbuf_add_view(&lexer->line, line);
    if (strbuf_failed(&lexer->line)) {
        strbuf_clear(&lexer->line);
        return false;
    }
    return true;
}

/* The byte at a distance from here; 0 behind the end. */
static char
peek(const Lexer *lexer, size_t distance)
{
    size_t at = lexer->pos + distance;

    return at < lexer->line.len ? lexer->line.ptr[at] : '\0';
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Takes bytes over into the statement. */
static void
take(Lexer *lexer, StrBuf *statement, size_t len)
{
    strbuf_add(statement, lexer->line.ptr + lexer->pos, len);
    lexer->pos += len;
}

bool
lexer_line_is_done(const Lexer *lexer)
{
    for (size_t i = lexer->pos; i < lexer->line.len; i++)
        if (!is_blank(lexer->line.ptr[i]))
            return false;
    return true;
}

char
lexer_open(const Lexer *lexer)
{
    if (lexer->quote != 0)
        return lexer->quote == 'E' ? '\'' : lexer->quote;
    if (lexer->comment_depth > 0)
        return '*';
    return lexer->paren_depth > 0 ? '(' : '\0';
}

/* ---- quotes and comments ---------------------------------------------------------------------- */

/* Up to and with the end of the quote, or to the end of the line. */
static void
scan_quote(Lexer *lexer, StrBuf *statement)
{
    char end = lexer->quote == 'E' ? '\'' : lexer->quote;
    size_t tag_len = lexer->quote == '$' ? strlen(lexer->tag) : 0;

    while (lexer->pos < lexer->line.len) {
        char c = peek(lexer, 0);

        if (lexer->quote == 'E' && c == '\\' && lexer->pos + 1 < lexer->line.len) {
            take(lexer, statement, 2);
        } else if (c != end) {
            take(lexer, statement, 1);
        } else if (tag_len > 0) {
            if (lexer->line.len - lexer->pos >= tag_len &&
                memcmp(lexer->line.ptr + lexer->pos, lexer->tag, tag_len) == 0) {
                take(lexer, statement, tag_len);
                lexer->quote = 0;
                return;
            }
            take(lexer, statement, 1);
        } else if (peek(lexer, 1) == end) {
            take(lexer, statement, 2);
        } else {
            take(lexer, statement, 1);
            lexer->quote = 0;
            return;
        }
    }
}

static void
scan_comment(Lexer *lexer, StrBuf *statement)
{
    while (lexer->pos < lexer->line.len && lexer->comment_depth > 0) {
        bool opens = peek(lexer, 0) == '/' && peek(lexer, 1) == '*';
        bool closes = peek(lexer, 0) == '*' && peek(lexer, 1) == '/';
        size_t len = opens || closes ? 2 : 1;

        lexer->comment_depth += opens - closes;
        if (lexer->comment_hidden)
            lexer->pos += len;
        else
            take(lexer, statement, len);
    }
}

/* Does a $tag$ begin here? Not behind a word: that may hold dollar signs. */
static bool
begin_dollar_quote(Lexer *lexer, StrBuf *statement)
{
    size_t len = 1;

    if (lexer->pos > 0 && is_word(lexer->line.ptr[lexer->pos - 1]))
        return false;
    if (peek(lexer, 1) >= '0' && peek(lexer, 1) <= '9')
        return false;
    while (is_word(peek(lexer, len)) && len <= LEX_TAG_BYTES_MAX)
        len++;
    if (peek(lexer, len) != '$')
        return false;
    len++;
    memcpy(lexer->tag, lexer->line.ptr + lexer->pos, len);
    lexer->tag[len] = '\0';
    lexer->quote = '$';
    take(lexer, statement, len);
    return true;
}

/* Is the quote here one of E'...'? */
static bool
is_escape_quote(const Lexer *lexer)
{
    size_t at = lexer->pos;

    if (at == 0 || (lexer->line.ptr[at - 1] != 'E' && lexer->line.ptr[at - 1] != 'e'))
        return false;
    return at == 1 || !is_word(lexer->line.ptr[at - 2]);
}

/* ---- statements ------------------------------------------------------------------------------- */

static void
skip_line_comment(Lexer *lexer, StrBuf *statement)
{
    size_t len = 0;

    while (lexer->pos + len < lexer->line.len && peek(lexer, len) != '\n')
        len++;
    if (statement->len > 0)
        take(lexer, statement, len);
    else
        lexer->pos += len;
}

/* A backslash in a statement: "\;" and "\:" stand for the second byte. True: a command begins. */
static bool
scan_backslash(Lexer *lexer, StrBuf *statement)
{
    lexer->pos++;
    if (peek(lexer, 0) != ';' && peek(lexer, 0) != ':')
        return true;
    take(lexer, statement, 1);
    return false;
}

/* One piece outside quotes and comments. False: the scan ends with *ret_end. */
static bool
scan_plain(Lexer *lexer, StrBuf *statement, LexEnd *ret_end)
{
    char c = peek(lexer, 0);
    char next = peek(lexer, 1);

    if (is_blank(c) && statement->len == 0) {
        lexer->pos++;
    } else if (c == '-' && next == '-') {
        skip_line_comment(lexer, statement);
    } else if (c == '/' && next == '*') {
        lexer->comment_hidden = statement->len == 0;
        lexer->comment_depth = 1;
        if (lexer->comment_hidden)
            lexer->pos += 2;
        else
            take(lexer, statement, 2);
    } else if (c == '\'' || c == '"') {
        lexer->quote = c == '\'' && is_escape_quote(lexer) ? 'E' : c;
        take(lexer, statement, 1);
    } else if (c == '$') {
        if (!begin_dollar_quote(lexer, statement))
            take(lexer, statement, 1);
    } else if (c == ';' && lexer->paren_depth == 0) {
        lexer->pos++;
        *ret_end = LEX_END_STATEMENT;
        return false;
    } else if (c == '\\') {
        *ret_end = LEX_END_COMMAND;
        return !scan_backslash(lexer, statement);
    } else if (c == ':') {
        if (!lexer_expand(lexer, statement))
            take(lexer, statement, next == ':' || next == '=' ? 2 : 1);
    } else {
        if (c == '(')
            lexer->paren_depth++;
        else if (c == ')' && lexer->paren_depth > 0)
            lexer->paren_depth--;
        take(lexer, statement, 1);
    }
    return true;
}

LexEnd
lexer_scan(Lexer *lexer, StrBuf *statement)
{
    LexEnd end = LEX_END_LINE;

    while (lexer->pos < lexer->line.len) {
        if (lexer->quote != 0)
            scan_quote(lexer, statement);
        else if (lexer->comment_depth > 0)
            scan_comment(lexer, statement);
        else if (!scan_plain(lexer, statement, &end))
            return end;
    }
    return LEX_END_LINE;
}
