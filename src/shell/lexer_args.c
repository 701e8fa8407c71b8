/*
 * lexer_args.c - what stands behind a backslash: the name of a command and its arguments
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lexer_int.h"
#include "lexer_vars_int.h"

static char
peek(const Lexer *lexer, size_t distance)
{
    size_t at = lexer->pos + distance;

    return at < lexer->line.len ? lexer->line.ptr[at] : '\0';
}

static bool
at_end(const Lexer *lexer)
{
    return lexer->pos >= lexer->line.len;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip_blanks(Lexer *lexer)
{
    while (!at_end(lexer) && is_blank(peek(lexer, 0)))
        lexer->pos++;
}

/* "\!ls" needs no blank; every other name ends at a blank or a backslash. */
void
lexer_command_name(Lexer *lexer, StrBuf *ret)
{
    strbuf_clear(ret);
    while (!at_end(lexer) && !is_blank(peek(lexer, 0)) && peek(lexer, 0) != '\\') {
        strbuf_add_char(ret, peek(lexer, 0));
        lexer->pos++;
        if (ret->len == 1 && ret->ptr[0] == '!')
            break;
    }
}

/* ---- quotes ----------------------------------------------------------------------------------- */

static int
digit_of(char c, int base)
{
    int value = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : 99;

    return value < base ? value : -1;
}

/* Up to so many digits; the byte 0 cannot be in a text and is dropped. */
static void
add_number(Lexer *lexer, StrBuf *ret, int base, int digits_max)
{
    int value = 0;

    for (int i = 0; i < digits_max && digit_of(peek(lexer, 0), base) >= 0; i++) {
        value = value * base + digit_of(peek(lexer, 0), base);
        lexer->pos++;
    }
    if ((value & 0xff) != 0)
        strbuf_add_char(ret, (char)(value & 0xff));
}

/* Behind a backslash in quotes. */
static void
add_escape(Lexer *lexer, StrBuf *ret)
{
    static const char letters[] = "ntbrf";
    static const char meanings[] = "\n\t\b\r\f";
    char c = peek(lexer, 0);
    const char *at = c == '\0' ? NULL : strchr(letters, c);

    if (at != NULL) {
        strbuf_add_char(ret, meanings[at - letters]);
        lexer->pos++;
    } else if (c == 'x' && digit_of(peek(lexer, 1), 16) >= 0) {
        lexer->pos++;
        add_number(lexer, ret, 16, 2);
    } else if (digit_of(c, 8) >= 0) {
        add_number(lexer, ret, 8, 3);
    } else if (!at_end(lexer)) {
        strbuf_add_char(ret, c);
        lexer->pos++;
    }
}

/* At the opening quote. False: it is not closed. */
static bool
scan_single(Lexer *lexer, StrBuf *ret)
{
    for (lexer->pos++; !at_end(lexer);) {
        char c = peek(lexer, 0);

        lexer->pos++;
        if (c == '\\') {
            add_escape(lexer, ret);
        } else if (c != '\'') {
            strbuf_add_char(ret, c);
        } else if (peek(lexer, 0) == '\'') {
            strbuf_add_char(ret, '\'');
            lexer->pos++;
        } else {
            return true;
        }
    }
    return false;
}

/* Double quotes stay around what they quote: they mean something to whoever reads a name. */
static bool
scan_double(Lexer *lexer, StrBuf *ret)
{
    strbuf_add_char(ret, '"');
    for (lexer->pos++; !at_end(lexer);) {
        char c = peek(lexer, 0);

        lexer->pos++;
        strbuf_add_char(ret, c);
        if (c == '"')
            return true;
    }
    return false;
}

/* run: false only looks for the end. */
static bool
scan_backtick(Lexer *lexer, StrBuf *ret, bool run)
{
    StrBuf command;
    size_t before = ret->len;
    bool closed = false;

    strbuf_init(&command, LEX_LINE_BYTES_MAX, NULL);
    for (lexer->pos++; !at_end(lexer) && !closed; lexer->pos++) {
        char c = peek(lexer, 0);

        if (c == '`')
            closed = true;
        else if (c != ':' || !run || !lexer_expand_argument(lexer, &command))
            strbuf_add_char(&command, c);
        else
            lexer->pos--; /* the loop goes on behind it */
    }
    if (closed && run && !strbuf_failed(&command)) {
        lexer->env.run(lexer->env.arg, command.ptr, ret);
        if (ret->len > before && ret->ptr[ret->len - 1] == '\n')
            strbuf_truncate(ret, ret->len - 1);
    }
    strbuf_release(&command);
    return closed;
}

/* ---- arguments -------------------------------------------------------------------------------- */

static LexFound
take_rest(Lexer *lexer, StrBuf *ret)
{
    size_t end = lexer->line.len;

    while (end > lexer->pos && is_blank(lexer->line.ptr[end - 1]))
        end--;
    strbuf_add(ret, lexer->line.ptr + lexer->pos, end - lexer->pos);
    lexer->pos = lexer->line.len;
    return ret->len > 0 ? LEX_FOUND : LEX_NONE;
}

static LexFound
unterminated(Lexer *lexer)
{
    lexer->pos = lexer->line.len;
    return LEX_UNTERMINATED;
}

/* evaluate: variables and backticks count. */
static LexFound
scan_word(Lexer *lexer, StrBuf *ret, bool evaluate)
{
    LexFound found = LEX_NONE;

    while (!at_end(lexer) && !is_blank(peek(lexer, 0)) && peek(lexer, 0) != '\\') {
        char c = peek(lexer, 0);
        bool closed = true;

        found = LEX_FOUND;
        if (c == '\'')
            closed = scan_single(lexer, ret);
        else if (c == '"')
            closed = scan_double(lexer, ret);
        else if (c == '`')
            closed = scan_backtick(lexer, ret, evaluate);
        else if (c != ':' || !evaluate || !lexer_expand_argument(lexer, ret)) {
            strbuf_add_char(ret, c);
            lexer->pos++;
        }
        if (!closed)
            return unterminated(lexer);
    }
    return found;
}

LexFound
lexer_argument(Lexer *lexer, LexArg kind, StrBuf *ret)
{
    strbuf_clear(ret);
    skip_blanks(lexer);
    if (kind == LEX_ARG_REST || (kind == LEX_ARG_PIPE && peek(lexer, 0) == '|'))
        return take_rest(lexer, ret);
    return scan_word(lexer, ret, true);
}

void
lexer_skip_arguments(Lexer *lexer, bool rest_of_line)
{
    StrBuf word;

    if (rest_of_line) {
        lexer->pos = lexer->line.len;
        return;
    }
    strbuf_init(&word, LEX_LINE_BYTES_MAX, NULL);
    do {
        strbuf_clear(&word);
        skip_blanks(lexer);
    } while (scan_word(lexer, &word, false) == LEX_FOUND);
    strbuf_release(&word);
}

void
lexer_end_command(Lexer *lexer)
{
    skip_blanks(lexer);
    if (peek(lexer, 0) == '\\' && peek(lexer, 1) == '\\')
        lexer->pos += 2;
}
