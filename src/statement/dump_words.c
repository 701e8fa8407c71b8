/*
 * dump_words.c - words of statements that are made: names, values, texts
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dump_int.h"

#include <string.h>

#include "ottla/common/text.h"

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Letters, digits and what words may hold, without the beginning of a comment. */
static bool
is_plain(StrView text)
{
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-')
            return false;
        if (c == '-' && i + 1 < text.len && text.ptr[i + 1] == '-')
            return false;
    }
    return text.len > 0;
}

/* Words that mean something where names stand. */
static bool
is_reserved(StrView name)
{
    static const char *const words[] = {
        "ALL",   "CLIENT",        "CLUSTER", "DEFAULT",   "DELEGATION", "DIRECTORY", "EVERYONE",
        "FROM",  "GROUP",         "ID",      "IF",        "PREFIX",     "TO",        "TOKEN",
        "TOPIC", "TRANSACTIONAL", "USER",    "PARTITION", "METRICS",    "BROKER"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text_equal_nocase(name, strview_from(words[i])))
            return true;
    }
    return false;
}

static void
quoted(StrBuf *out, StrView text, char quote)
{
    strbuf_add_char(out, quote);
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            strbuf_add_char(out, quote);
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add_char(out, quote);
}

void
dump_name(StrBuf *out, StrView name)
{
    if (is_plain(name) && is_letter(name.ptr[0]) && !is_reserved(name))
        strbuf_add_view(out, name);
    else
        quoted(out, name, '"');
}

void
dump_literal(StrBuf *out, StrView text)
{
    quoted(out, text, '\'');
}

void
dump_value(StrBuf *out, StrView value)
{
    int64_t number;
    bool word = is_plain(value) && is_letter(value.ptr[0]) && !is_reserved(value);

    if (word || (is_plain(value) && text_to_int64(value, &number)))
        strbuf_add_view(out, value);
    else
        quoted(out, value, '\'');
}
