/*
 * split.c - the statements of a text that holds several ("\;")
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "split_int.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "lexer_int.h"
#include "ottla/common/text.h"

static StrView
take_word(StrView *rest)
{
    StrView word = text_trim(*rest);
    int32_t len = 0;

    while (len < word.len && strchr(" \t\r\n", word.ptr[len]) == NULL)
        len++;
    *rest = (StrView){word.ptr + len, word.len - len};
    word.len = len;
    return word;
}

/* The body of a trigger has statements of its own; SQLite knows where it ends. */
static bool
is_in_trigger(StrView piece)
{
    StrView rest = piece;
    StrView word = take_word(&rest);
    char *text;
    bool open;

    if (!text_equal_nocase(word, STRVIEW("CREATE")))
        return false;
    word = take_word(&rest);
    if (text_equal_nocase(word, STRVIEW("TEMP")) || text_equal_nocase(word, STRVIEW("TEMPORARY")))
        word = take_word(&rest);
    if (!text_equal_nocase(word, STRVIEW("TRIGGER")))
        return false;
    text = strndup(piece.ptr, (size_t)piece.len + 1); /* with its semicolon */
    open = text != NULL && sqlite3_complete(text) == 0;
    free(text);
    return open;
}

/* Up to a semicolon that ends a statement, or the end. What is scanned has no variables: it may not be changed. */
static LexEnd
scan(Lexer *lexer, StrBuf *statement)
{
    LexEnd end;

    do
        end = lexer_scan(lexer, statement);
    while (end == LEX_END_COMMAND); /* a backslash that is none of ours */
    return end;
}

static int32_t
split(Lexer *lexer, StrView text, StrView *pieces)
{
    int32_t begin = 0, count = 0;
    LexEnd end = LEX_END_STATEMENT;
    StrBuf statement;

    strbuf_init(&statement, LEX_LINE_BYTES_MAX, NULL);
    while (end == LEX_END_STATEMENT) {
        StrView piece;

        end = scan(lexer, &statement);
        piece = (StrView){text.ptr + begin,
                          (int32_t)lexer->pos - begin - (end == LEX_END_STATEMENT ? 1 : 0)};
        if (end == LEX_END_STATEMENT && is_in_trigger(piece))
            continue;
        if (statement.len > 0)
            pieces[count++] = piece;
        strbuf_clear(&statement);
        begin = (int32_t)lexer->pos;
    }
    strbuf_release(&statement);
    return count;
}

StrView *
split_statements(StrView text, int32_t *ret_count)
{
    int32_t most = 1;
    StrView *pieces;
    Lexer lexer;

    for (int32_t i = 0; i < text.len; i++)
        most += text.ptr[i] == ';';
    pieces = calloc((size_t)most, sizeof *pieces);
    if (pieces == NULL)
        return NULL;
    pieces[0] = text;
    *ret_count = 1;
    if (most == 1)
        return pieces;
    lexer_init(&lexer, &(LexEnv){.lookup = NULL});
    if (lexer_start_line(&lexer, text))
        *ret_count = split(&lexer, text, pieces);
    lexer_fini(&lexer);
    return pieces;
}
