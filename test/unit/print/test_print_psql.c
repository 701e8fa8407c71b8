/*
 * test_print_psql.c - tables look to the byte as psql printed them
 *
 * Reads what record-psql recorded (its head says how). With file names as arguments it looks at those
 * instead, for vectors made at random.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/strbuf.h"
#include "print/print_kit.h"

static const char *const recorded[] = {
    "test/unit/print/vectors/psql-aligned", "test/unit/print/vectors/psql-options",
    "test/unit/print/vectors/psql-plain", "test/unit/print/vectors/psql-wrapped"};

typedef struct Case {
    char head[512];
    Arena *arena;
    StrBuf expected;
    bool begun;
    int count;
    int different;
} Case;

/* "== TABLE OPTION=VALUE ...": the table and the options of a case. */
static void
read_head(Case *c, PrintTable *table, PrintOptions *options)
{
    char *rest = c->head + 3, *word = strsep(&rest, " ");

    kit_table(table, c->arena, strview_from(word));
    print_options_init(options);
    while ((word = strsep(&rest, " ")) != NULL) {
        char *name = strsep(&word, "=");

        kit_set(options, name, kit_unescaped(c->arena, strview_from(word)).ptr);
    }
}

static void
case_end(Case *c)
{
    PrintTable table;
    PrintOptions options;
    char head[sizeof c->head];
    size_t len;
    char *text;

    if (!c->begun)
        return;
    memcpy(head, c->head, sizeof head);
    read_head(c, &table, &options);
    text = kit_printed(&table, &options, &len);
    c->count++;
    if (len != c->expected.len || memcmp(text, c->expected.ptr, len) != 0) {
        if (++c->different <= 5)
            print_error("%s\npsql:\n%s<\nwe:\n%s<\n", head, c->expected.ptr, text);
    }
    free(text);
}

static void
check_file(const char *path)
{
    FILE *file = fopen(path, "r");
    Case c = {.arena = arena_new(1 << 16, 0)};
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    assert_non_null(file);
    strbuf_init(&c.expected, 1 << 20, NULL);
    while ((len = getline(&line, &size, file)) > 0) {
        line[--len] = '\0';
        if (strncmp(line, "== ", 3) == 0) {
            case_end(&c);
            arena_reset(c.arena);
            strbuf_clear(&c.expected);
            snprintf(c.head, sizeof c.head, "%s", line);
            c.begun = true;
        } else if (line[0] == '|' || line[0] == '.') {
            strbuf_add_view(&c.expected,
                            kit_unescaped(c.arena, (StrView){line + 1, (int32_t)len - 1}));
            if (line[0] == '|')
                strbuf_add_char(&c.expected, '\n');
        }
    }
    case_end(&c);
    free(line);
    assert_int_equal(fclose(file), 0);
    strbuf_release(&c.expected);
    arena_free(c.arena);
    if (c.different > 0)
        fail_msg("%s: %d of %d cases differ", path, c.different, c.count);
    assert_true(c.count > 0);
}

static void
as_recorded(void **state)
{
    check_file(*state);
}

int
main(int argc, char **argv)
{
    struct CMUnitTest tests[4];
    int bad = 0;

    for (int i = 1; i < argc; i++) {
        struct CMUnitTest test = {argv[i], as_recorded, NULL, NULL, argv[i]};

        bad |= _cmocka_run_group_tests(argv[i], &test, 1, NULL, NULL);
    }
    if (argc > 1)
        return bad;
    for (int i = 0; i < 4; i++)
        tests[i] = (struct CMUnitTest){recorded[i], as_recorded, NULL, NULL,
                                       (void *)(uintptr_t)recorded[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
