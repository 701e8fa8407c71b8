/*
 * print_expanded.c - a record under the other: formats aligned and wrapped, expanded
 *
 * Names to the left, values to the right of one line each; a value goes on in the next line behind a line
 * feed or where it was cut.
 *
 * Runs in: print_table().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <inttypes.h>

typedef struct Expanded {
    Printer *p;
    LineStyle style;
    int border;
    bool old_ascii;
    int64_t name_width;
    bool name_lines; /* some name has several lines */
    int64_t value_width;
    bool value_marks; /* some value has several lines, or will be cut */
    CellLines name;
    CellLines value;
} Expanded;

static void
measure(Expanded *e)
{
    const PrintTable *t = e->p->table;
    int64_t rows = print_table_rows(t);

    for (int32_t i = 0; i < t->column_count; i++) {
        CellSize name = cell_size(t->columns[i].name);

        if (name.width > e->name_width)
            e->name_width = name.width;
        e->name_lines |= name.lines > 1;
        for (int64_t row = 0; row < rows; row++) {
            CellSize value = cell_size(cell_text(e->p, row, i));

            if (value.width > e->value_width)
                e->value_width = value.width;
            e->value_marks |= value.lines > 1;
        }
    }
}

/* What stands beside names and values in a line, without marks of values. */
static int64_t
frame_width(const Expanded *e)
{
    if (e->border == 0)
        return 1 + (e->name_lines ? 1 : 0);
    if (e->border == 1)
        return 3 + (e->name_lines && e->old_ascii ? 1 : 0);
    return 7;
}

/* What the line above a record needs for its number. */
static int64_t
record_line_width(const Expanded *e)
{
    static const int64_t around[] = {9, 12, 15};
    int64_t rows = print_table_rows(e->p->table), digits = 0;

    if (e->p->options->tuples_only)
        return 0;
    for (; rows > 0; rows /= 10)
        digits++;
    return digits + around[e->border];
}

/* How wide values may be, so that lines fit; never less than three. */
static void
wrap(Expanded *e)
{
    const PrintOptions *o = e->p->options;
    int64_t screen = o->columns > 0 ? o->columns : o->screen_columns;
    bool can_mark = e->border < 2 && !e->old_ascii;

    for (int pass = 0; pass < 2; pass++) {
        int64_t beside = e->name_width + frame_width(e) + (e->value_marks && can_mark ? 1 : 0);
        int64_t record = record_line_width(e), wanted = beside + e->value_width;
        int64_t least = beside + 3, width;

        if (wanted < record)
            wanted = record;
        if (least < record)
            least = record;
        width = screen == 0 || screen >= wanted ? wanted : screen < least ? least : screen;
        if (width - beside < e->value_width && !e->value_marks && can_mark) {
            e->value_marks = true; /* which takes a column itself */
            continue;
        }
        e->value_width = width - beside;
        return;
    }
}

/* Prints text where a line was to go; returns what is left of the line's length. */
static int64_t
left_after(int64_t taken, int64_t of)
{
    return taken > of ? 0 : of - taken;
}

/* The line above a record (number > 0), or between and below them. */
static void
print_rule(Expanded *e, int64_t number, int64_t name_width, RuleKind kind)
{
    Printer *p = e->p;
    const Rule *rule = &e->style.rules[kind];
    const char *dash = e->border > 0 ? rule->dash : " ";
    char text[48] = "";
    int64_t taken = 0, joint = e->border > 0 ? 3 : 1;

    if (e->border == 2)
        put_cstr(p, rule->left);
    if (e->border > 0)
        put_cstr(p, rule->dash);
    if (number > 0)
        taken = snprintf(text, sizeof text,
                         e->border == 0 ? "* Record %" PRId64 : "[ RECORD %" PRId64 " ]", number);
    put_cstr(p, text);
    if (e->border != 2)
        taken++;
    put_times(p, dash, left_after(taken, name_width));
    taken = left_after(name_width, taken);
    for (int64_t i = taken; i < joint; i++)
        put_cstr(p, i == 1 ? rule->middle : dash);
    put_times(p, dash, left_after(left_after(joint, taken), e->value_width));
    if (e->border == 2) {
        put_cstr(p, rule->dash);
        put_cstr(p, rule->right);
    }
    put_char(p, '\n');
}

/* One line of a name, with what stands to both sides of it. */
static void
print_name_line(Expanded *e, int64_t line)
{
    Printer *p = e->p;
    bool more = line + 1 < e->name.count;

    if (line >= e->name.count) {
        int64_t blank = e->name_width + e->border;

        if (e->border < 2 && e->name_lines && e->old_ascii)
            blank++;
        if (e->border == 0 && e->name_lines && !e->old_ascii)
            blank++;
        put_spaces(p, blank > 0 ? blank : 1);
        return;
    }
    if (e->border == 2 || (e->name_lines && e->old_ascii))
        put_cstr(p, line > 0 ? e->style.header_left : " ");
    put_view(p, cell_lines_rest(&e->name, line, 0));
    put_spaces(p, e->name_width - e->name.lines[line].width);
    if (e->border > 0 || (e->name_lines && !e->old_ascii))
        put_cstr(p, more ? e->style.header_right : " ");
}

/* Where a value goes on. At its end the place stays where the last part ended, which psql's marks follow. */
typedef struct ValuePlace {
    int64_t line;
    size_t pos;
    bool done;
} ValuePlace;

/* What fits of a value, its mark and the right border. */
static void
print_value_part(Expanded *e, ValuePlace *at)
{
    Printer *p = e->p;
    int64_t width;
    StrView rest = cell_lines_rest(&e->value, at->line, at->pos);
    StrView part = cut_to_width(rest, e->value_width, &width);
    const char *mark = NULL;

    put_cstr(p, at->pos == 0 ? " " : e->style.wrapped_left);
    put_view(p, part);
    at->pos += (size_t)part.len;
    if (part.len < rest.len) {
        mark = e->style.wrapped_right;
    } else if (at->line + 1 < e->value.count) {
        mark = e->style.newline_right;
        at->line++;
        at->pos = 0;
    } else {
        at->done = true;
    }
    if (e->border == 2 || (mark != NULL && e->value_marks && !e->old_ascii)) {
        put_spaces(p, e->value_width - width);
        put_cstr(p, mark == NULL ? " " : mark);
    }
    if (e->border == 2)
        put_cstr(p, e->style.rules[RULE_DATA].right);
    put_char(p, '\n');
}

static void
print_field(Expanded *e)
{
    Printer *p = e->p;
    ValuePlace at = {0, 0, false};

    for (int64_t line = 0; line < e->name.count || !at.done; line++) {
        if (e->border == 2)
            put_cstr(p, e->style.rules[RULE_DATA].left);
        print_name_line(e, line);
        if (e->border > 0)
            put_cstr(p, at.pos > 0    ? e->style.middle_wrapped
                        : at.line > 0 ? e->style.middle_newline
                                      : e->style.rules[RULE_DATA].middle);
        if (!at.done) {
            print_value_part(e, &at);
        } else if (e->border < 2) {
            put_char(p, '\n');
        } else {
            put_spaces(p, e->value_width + 2);
            put_cstr(p, e->style.rules[RULE_DATA].right);
            put_char(p, '\n');
        }
    }
}

static void
print_records(Expanded *e)
{
    const PrintTable *t = e->p->table;
    int64_t rows = print_table_rows(t);
    int64_t name_width = e->name_width;
    bool tuples_only = e->p->options->tuples_only;

    if (e->border < 2 && e->name_lines && e->old_ascii)
        name_width++;
    for (int64_t row = 0; row < rows && t->column_count > 0; row++) {
        if (!tuples_only || row > 0 || e->border == 2)
            print_rule(e, tuples_only ? 0 : row + 1, name_width, row == 0 ? RULE_TOP : RULE_MIDDLE);
        for (int32_t i = 0; i < t->column_count; i++) {
            if (!cell_lines_set(&e->name, t->columns[i].name) ||
                !cell_lines_set(&e->value, cell_text(e->p, row, i))) {
                e->p->no_memory = true;
                return;
            }
            print_field(e);
        }
    }
    if (e->border == 2)
        print_rule(e, 0, e->name_width, RULE_BOTTOM);
}

static void
print_footers(Expanded *e, bool with_count)
{
    int32_t count = printed_footers(e->p, with_count);

    if (count > 0 && !with_count && e->border < 2)
        put_char(e->p, '\n');
    for (int32_t i = 0; i < count; i++) {
        put_view(e->p, printed_footer(e->p, i));
        put_char(e->p, '\n');
    }
    put_char(e->p, '\n');
}

void
print_aligned_expanded(Printer *p)
{
    Expanded e = {.p = p, .old_ascii = p->options->line_style == PRINT_LINES_OLD_ASCII};
    StrView title = printed_title(p);

    e.border = p->options->border > 2 ? 2 : p->options->border;
    line_style_get(p->options, &e.style);
    if (p->table->cell_count == 0) {
        print_footers(&e, true);
        return;
    }
    measure(&e);
    if (p->options->format == PRINT_WRAPPED)
        wrap(&e);
    if (title.ptr != NULL) {
        put_view(p, title);
        put_char(p, '\n');
    }
    cell_lines_init(&e.name);
    cell_lines_init(&e.value);
    print_records(&e);
    cell_lines_release(&e.name);
    cell_lines_release(&e.value);
    print_footers(&e, false);
}
