/*
 * print_kit.c - what tests of print share: tables of vectors/tables, printing into memory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/print/print.h"

#define TABLES "test/unit/print/vectors/tables"

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;
}

StrView
kit_unescaped(Arena *arena, StrView text)
{
    char *copy = arena_alloc(arena, (size_t)text.len + 1);
    int32_t len = 0;

    assert_non_null(copy);
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '\\') {
            c = text.ptr[++i];
            if (c == 'x') {
                c = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
                i += 2;
            } else {
                c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
            }
        }
        copy[len++] = c;
    }
    copy[len] = '\0';
    return (StrView){copy, len};
}

/* The text up to the next c, which is taken away with it. */
static StrView
piece(StrView *rest, char c)
{
    const char *end = memchr(rest->ptr, c, (size_t)rest->len);
    StrView part = {rest->ptr, end == NULL ? rest->len : (int32_t)(end - rest->ptr)};

    rest->ptr = end == NULL ? NULL : end + 1;
    rest->len = end == NULL ? 0 : rest->len - part.len - 1;
    return part;
}

static void
add_line(PrintTable *table, Arena *arena, StrView line)
{
    StrView kind = piece(&line, '\t');
    int32_t values = 0;

    if (strview_equal(kind, STRVIEW("row")) && table->column_count == 0) {
        table->empty_rows++;
        return;
    }
    for (; line.ptr != NULL; values++) {
        StrView value = piece(&line, '\t');

        if (strview_equal(kind, STRVIEW("columns")))
            print_table_add_column(
                table, kit_unescaped(arena, (StrView){value.ptr + 2, value.len - 2}), value.ptr[0]);
        else if (strview_equal(value, STRVIEW("\\N")))
            print_table_add_null(table);
        else
            print_table_add_cell(table, kit_unescaped(arena, value));
    }
    for (; strview_equal(kind, STRVIEW("row")) && values < table->column_count; values++)
        print_table_add_text(table, "");
}

void
kit_table(PrintTable *table, Arena *arena, StrView name)
{
    FILE *file = fopen(TABLES, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool ours = false, found = false;

    assert_non_null(file);
    print_table_init(table, arena, (StrView){NULL, 0});
    while ((len = getline(&line, &size, file)) > 0) {
        StrView text = {line, (int32_t)len - 1};

        if (len > 6 && strncmp(line, "table\t", 6) == 0) {
            ours = strview_equal((StrView){line + 6, text.len - 6}, name);
            found |= ours;
        } else if (ours && text.len > 0 && line[0] != '#') {
            add_line(table, arena, text);
        }
    }
    free(line);
    assert_int_equal(fclose(file), 0);
    assert_true(found);
}

void
kit_set(PrintOptions *options, const char *name, const char *value)
{
    ErrInfo err = {0};

    if (print_options_set(options, strview_from(name), strview_from(value), &err) != 0)
        fail_msg("%s=%s: %s", name, value, err.text);
}

char *
kit_printed(const PrintTable *table, const PrintOptions *options, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    assert_non_null(out);
    assert_int_equal(print_table(table, options, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}
