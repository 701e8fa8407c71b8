/*
 * fuzz_print.c - any bytes as cells of a table, printed with any options
 *
 * The input: options (name and value in turn), then a shape, then cells. Claims: what is refused leaves the options as they were;
 * printing ends, and its length is bounded; the aligned format with a border draws lines of one
 * width, whatever the cells hold; nothing but line feeds, tabs and what can be seen reaches a terminal by it; json and jsonl are UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"
#include "ottla/print/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static StrView
as_text(BytesView bytes)
{
    return (StrView){(const char *)bytes.ptr, bytes.len};
}

static void
set_options(FuzzInput *in, PrintOptions *o)
{
    int count = fuzz_byte(in) % 8;

    print_options_init(o);
    for (int i = 0; i < count; i++) {
        const char *name = print_option_name(fuzz_byte(in) % 22);
        BytesView value = fuzz_piece(in);
        PrintOptions before = *o;

        if (print_options_set(o, strview_from(name), as_text(value), NULL) != 0)
            ot_assert(memcmp(&before, o, sizeof before) == 0);
    }
    if (o->columns > 1000)
        o->columns = 1000;
}

static void
fill(FuzzInput *in, PrintTable *t, Arena *arena)
{
    static const char aligns[] = {'l', 'r', 'c'};
    uint8_t shape = fuzz_byte(in);
    int columns = shape % 6;
    BytesView title = fuzz_piece(in);

    print_table_init(t, arena, (shape & 0x80) != 0 ? as_text(title) : (StrView){NULL, 0});
    for (int i = 0; i < columns; i++) {
        uint8_t kind = fuzz_byte(in);

        print_table_add_column(t, as_text(fuzz_piece(in)), aligns[kind % 3]);
        print_table_column_unit(t, (PrintUnit)((kind >> 2) % 4));
        if ((kind & 0x80) != 0)
            print_table_column_json(t);
    }
    t->empty_rows = shape % 3;
    while (columns > 0 && in->at < in->end) {
        if (fuzz_byte(in) == 'N')
            print_table_add_null(t);
        else
            print_table_add_cell(t, as_text(fuzz_piece(in)));
    }
    while (columns > 0 && t->cell_count % columns != 0)
        print_table_add_text(t, "");
    if ((shape & 0x40) != 0)
        print_table_add_footer(t, "footer of %d", columns);
}

/* The lines between the title and the footers have one width. */
static void
check_frame(const PrintTable *t, const PrintOptions *o)
{
    PrintOptions plain = *o;
    char *framed = NULL;
    size_t len;
    FILE *out = open_memstream(&framed, &len);
    int64_t width = -1;

    ot_assert(out != NULL);
    plain.format = o->format == PRINT_WRAPPED ? PRINT_WRAPPED : PRINT_ALIGNED;
    plain.expanded = PRINT_OFF;
    plain.border = 2;
    plain.tuples_only = true; /* neither title nor footers */
    ot_assert(print_table(t, &plain, out) == 0);
    ot_assert(fclose(out) == 0);
    for (char *rest = framed, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        int64_t w = print_width(strview_from(line));

        /* one character may be wider than a column that was narrowed to less */
        ot_assert(width < 0 || w == width || plain.format == PRINT_WRAPPED);
        width = w;
        for (const char *c = line; *c != '\0'; c++)
            ot_assert((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    free(framed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    Arena *arena = arena_new(1 << 14, 0);
    PrintOptions o;
    PrintTable t;
    char *text = NULL;
    size_t len;
    FILE *out;

    if (size > 4096) {
        arena_free(arena);
        return 0;
    }
    set_options(&in, &o);
    fill(&in, &t, arena);
    out = open_memstream(&text, &len);
    ot_assert(out != NULL);
    ot_assert(print_table(&t, &o, out) == 0);
    ot_assert(fclose(out) == 0);
    ot_assert(len < (64 << 20));
    if (o.format == PRINT_JSON || o.format == PRINT_JSONL)
        ot_assert(text_is_utf8((StrView){text, (int32_t)len}));
    if (o.null_text[0] == '\0')
        check_frame(&t, &o);
    free(text);
    arena_free(arena);
    return 0;
}
