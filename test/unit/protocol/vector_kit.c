/*
 * vector_kit.c - reads the vector files of test/vectors for the tests of codecs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vector_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glob.h>

#include <cmocka.h>

#define ROOT "test/vectors"

static void
split(char *line, VectorRow *row)
{
    row->columns_count = 0;
    for (char *word = line; word != NULL;) {
        assert_true(row->columns_count < VECTOR_COLUMNS_MAX);
        row->columns[row->columns_count++] = word;
        char *tab = strchr(word, '\t');
        if (tab != NULL)
            *tab++ = '\0';
        word = tab;
    }
}

static int
each_of_file(const char *path, VectorFn *fn, void *arg)
{
    FILE *in = fopen(path, "r");
    if (in == NULL)
        fail_msg("%s cannot be opened: run the tests from the top of the tree", path);
    char *line = NULL;
    size_t room = 0;
    int rows = 0;
    for (int number = 1; getline(&line, &room, in) >= 0; number++) {
        line[strcspn(line, "\n")] = '\0';
        VectorRow row = {.file = path, .line = number};
        split(line, &row);
        if (number > 1) {
            fn(&row, arg);
            rows++;
        }
    }
    free(line);
    (void)fclose(in);
    assert_true(rows > 0);
    return rows;
}

int
vectors_each(const char *path, VectorFn *fn, void *arg)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", ROOT, path);
    return each_of_file(full, fn, arg);
}

int
vectors_each_in(const char *folder, VectorFn *fn, void *arg)
{
    char pattern[256];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/%s/*.tsv", ROOT, folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    int rows = 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        rows += each_of_file(found.gl_pathv[i], fn, arg);
    globfree(&found);
    return rows;
}

static int
digit(char c)
{
    const char *all = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(all, c);
    assert_non_null(at);
    return (int)(at - all);
}

uint8_t *
vector_bytes(const char *hex, size_t *ret_len)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len);
    assert_true(bytes != NULL || len == 0);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    *ret_len = len;
    return bytes;
}

void
vector_fail(const VectorRow *row, const char *what, const char *got, const char *want)
{
    print_error("%s:%d: %s\n  got  %.2000s\n  want %.2000s\n", row->file, row->line, what, got,
                want);
    fail();
    abort();
}
