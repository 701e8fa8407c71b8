/*
 * print_aligned.c - columns under one another: formats aligned and wrapped, not expanded
 *
 * All cells are measured first; wrapped then narrows the columns that are widest beside what they hold on
 * average, until the table fits. One row is printed line by line: a cell goes on in the next line behind a
 * line feed or where it was cut, and marks at the edges of its column say which.
 *
 * Runs in: print_table(). Invariants:
 *   A1  a line of a row has the width of the table, but for blanks at its end
 *   A2  every line that is printed takes at least one character from some cell, or ends one of its lines
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <stdlib.h>

/* Why a cell goes on in the next line. */
typedef enum Mark { MARK_NONE, MARK_NEWLINE, MARK_WRAPPED } Mark;

typedef struct Column {
    int64_t width; /* as printed */
    int64_t widest;
    int64_t header_width;
    int64_t average;
    CellLines cell; /* of the row (or header) that is being printed */
    int64_t line;   /* of the cell, that comes next; cell.count: none is left */
    size_t pos;     /* ... from this byte */
    Mark mark;
} Column;

typedef struct Aligned {
    Printer *p;
    LineStyle style;
    int border;
    int32_t count;
    Column *columns;
    int64_t width; /* of a line */
} Aligned;

static bool
has_line(const Column *c)
{
    return c->line < c->cell.count;
}

/* Between the columns and at both ends. */
static int64_t
frame_width(const Aligned *a)
{
    if (a->border == 0)
        return a->count;
    if (a->border == 1)
        return (int64_t)a->count * 3 - (a->count > 0 ? 1 : 0);
    return (int64_t)a->count * 3 + 1;
}

static void
measure(Aligned *a)
{
    int64_t rows = print_table_rows(a->p->table);

    a->width = frame_width(a);
    for (int32_t i = 0; i < a->count; i++) {
        Column *c = &a->columns[i];
        int64_t sum = 0;

        c->header_width = c->widest = cell_size(a->p->table->columns[i].name).width;
        for (int64_t row = 0; row < rows; row++) {
            int64_t width = cell_size(cell_text(a->p, row, i)).width;

            sum += width;
            if (width > c->widest)
                c->widest = width;
        }
        c->average = rows > 0 ? sum / rows : 0;
        c->width = c->widest;
        a->width += c->width;
    }
}

static int64_t
headers_width(const Aligned *a)
{
    int64_t width = frame_width(a);

    for (int32_t i = 0; i < a->count; i++)
        width += a->columns[i].header_width;
    return width;
}

/* How much a column deserves to be cut; wide ones a little more. */
static double
waste_of(const Column *c)
{
    return (double)c->width / (double)c->average + (double)c->widest * 0.01;
}

/* Takes columns of the screen away, one by one, where they are missed least. */
static void
narrow(Aligned *a, int64_t target)
{
    while (a->width > target) {
        Column *worst = NULL;
        double most = 0, second = 0;
        int64_t steps;

        for (int32_t i = 0; i < a->count; i++) {
            Column *c = &a->columns[i];
            double waste;

            if (c->average == 0 || c->width <= c->header_width)
                continue;
            waste = waste_of(c);
            if (waste > most) {
                second = most;
                most = waste;
                worst = c;
            } else if (waste > second) {
                second = waste;
            }
        }
        if (worst == NULL)
            return;
        /* as many at once as surely leave it the worst one */
        steps = (int64_t)((most - second) * (double)worst->average) - 1;
        if (steps > a->width - target)
            steps = a->width - target;
        if (steps > worst->width - worst->header_width)
            steps = worst->width - worst->header_width;
        if (steps < 1)
            steps = 1;
        worst->width -= steps;
        a->width -= steps;
    }
}

static void
print_rule(Aligned *a, RuleKind kind)
{
    const Rule *rule = &a->style.rules[kind];
    Printer *p = a->p;

    if (a->border == 2)
        put_cstr(p, rule->left);
    if (a->border > 0)
        put_cstr(p, rule->dash);
    for (int32_t i = 0; i < a->count; i++) {
        put_times(p, rule->dash, a->columns[i].width);
        if (i + 1 == a->count)
            continue;
        if (a->border == 0) {
            put_char(p, ' ');
        } else {
            put_cstr(p, rule->dash);
            put_cstr(p, rule->middle);
            put_cstr(p, rule->dash);
        }
    }
    if (a->border > 0)
        put_cstr(p, rule->dash);
    if (a->border == 2)
        put_cstr(p, rule->right);
    put_char(p, '\n');
}

static void
print_title(Aligned *a)
{
    StrView title = printed_title(a->p);

    if (title.ptr == NULL)
        return;
    put_spaces(a->p, (a->width - cell_size(title).width) / 2);
    put_view(a->p, title);
    put_char(a->p, '\n');
}

/* One line of one header, in the middle of its column. */
static void
print_header_part(Aligned *a, int32_t i, int64_t line)
{
    Column *c = &a->columns[i];
    const LineStyle *s = &a->style;
    bool shown = line < c->cell.count, more = line + 1 < c->cell.count;

    if (a->border != 0 || (!s->marks_right && i > 0))
        put_cstr(a->p, line > 0 ? s->header_left : " ");
    if (shown) {
        int64_t blanks = c->width - c->cell.lines[line].width;

        put_spaces(a->p, blanks / 2);
        put_view(a->p, cell_lines_rest(&c->cell, line, 0));
        put_spaces(a->p, (blanks + 1) / 2);
    } else {
        put_spaces(a->p, c->width);
    }
    if (a->border != 0 || s->marks_right)
        put_cstr(a->p, more ? s->header_right : " ");
    if (a->border != 0 && i + 1 < a->count)
        put_cstr(a->p, s->rules[RULE_DATA].middle);
}

static void
print_headers(Aligned *a)
{
    int64_t lines = a->count > 0 ? 1 : 0;

    if (a->border == 2)
        print_rule(a, RULE_TOP);
    for (int32_t i = 0; i < a->count; i++) {
        Column *c = &a->columns[i];

        if (!cell_lines_set(&c->cell, a->p->table->columns[i].name)) {
            a->p->no_memory = true;
            return;
        }
        if (c->cell.count > lines)
            lines = c->cell.count;
    }
    for (int64_t line = 0; line < lines; line++) {
        if (a->border == 2)
            put_cstr(a->p, a->style.rules[RULE_DATA].left);
        for (int32_t i = 0; i < a->count; i++)
            print_header_part(a, i, line);
        if (a->border == 2)
            put_cstr(a->p, a->style.rules[RULE_DATA].right);
        put_char(a->p, '\n');
    }
    print_rule(a, RULE_MIDDLE);
}

static void
put_mark(Aligned *a, Mark mark, const char *newline, const char *wrapped)
{
    put_cstr(a->p, mark == MARK_WRAPPED ? wrapped : mark == MARK_NEWLINE ? newline : " ");
}

/* Prints what fits into the column and goes on behind it. Returns the width that was printed. */
static int64_t
print_cell_part(Aligned *a, Column *c, char align)
{
    int64_t width;
    StrView rest = cell_lines_rest(&c->cell, c->line, c->pos);
    StrView part = cut_to_width(rest, c->width, &width);

    if (width > c->width) /* one character wider than the column */
        width = c->width;
    if (align == 'r')
        put_spaces(a->p, c->width - width);
    put_view(a->p, part);
    c->pos += (size_t)part.len;
    c->mark = MARK_NONE;
    if (part.len < rest.len) {
        c->mark = MARK_WRAPPED;
    } else {
        c->line++;
        c->pos = 0;
        if (has_line(c))
            c->mark = MARK_NEWLINE;
    }
    return width;
}

/* What stands between a column and the next one. */
static const char *
divider(const Aligned *a, const Column *next)
{
    if (next->mark == MARK_WRAPPED)
        return a->style.middle_wrapped;
    if (next->mark == MARK_NEWLINE)
        return a->style.middle_newline;
    return has_line(next) ? a->style.rules[RULE_DATA].middle : a->style.middle_blank;
}

/* One line of a row. True: the row goes on. */
static bool
print_row_line(Aligned *a)
{
    Printer *p = a->p;
    bool more = false;

    if (a->border == 2)
        put_cstr(p, a->style.rules[RULE_DATA].left);
    for (int32_t i = 0; i < a->count; i++) {
        Column *c = &a->columns[i];
        char align = p->table->columns[i].align;
        bool last = i + 1 == a->count;
        int64_t printed =
            c->width; /* nothing to fill up, unless a cell was printed from the left */
        bool fill = a->border == 2 || !last;

        if (a->border != 0)
            put_mark(a, c->mark, a->style.newline_left, a->style.wrapped_left);
        if (has_line(c)) {
            printed = print_cell_part(a, c, align);
            if (align == 'r')
                printed = c->width;
            more = more || has_line(c);
        } else {
            c->mark = MARK_NONE;
            printed = 0;
        }
        if (fill || c->mark != MARK_NONE)
            put_spaces(p, c->width - printed);
        if (fill || c->mark != MARK_NONE)
            put_mark(a, c->mark, a->style.newline_right, a->style.wrapped_right);
        if (a->border != 0 && !last)
            put_cstr(p, divider(a, c + 1));
    }
    if (a->border == 2)
        put_cstr(p, a->style.rules[RULE_DATA].right);
    put_char(p, '\n');
    return more;
}

static void
print_rows(Aligned *a)
{
    int64_t rows = print_table_rows(a->p->table);

    for (int64_t row = 0; row < rows && a->count > 0; row++) {
        for (int32_t i = 0; i < a->count; i++) {
            Column *c = &a->columns[i];

            c->line = 0;
            c->pos = 0;
            c->mark = MARK_NONE;
            if (!cell_lines_set(&c->cell, cell_text(a->p, row, i))) {
                a->p->no_memory = true;
                return;
            }
        }
        while (print_row_line(a))
            continue;
    }
}

static void
print_footers(Aligned *a)
{
    int32_t count = printed_footers(a->p, true);

    for (int32_t i = 0; i < count; i++) {
        put_view(a->p, printed_footer(a->p, i));
        put_char(a->p, '\n');
    }
    put_char(a->p, '\n');
}

/* Measures, narrows. True: expanded auto wants records instead. */
static bool
lay_out(Aligned *a)
{
    const PrintOptions *o = a->p->options;
    int64_t screen = o->columns > 0 ? o->columns : o->screen_columns;
    int64_t headers;

    measure(a);
    headers = headers_width(a);
    if (o->format == PRINT_WRAPPED && screen > 0 && screen >= headers)
        narrow(a, screen);
    return o->expanded == PRINT_AUTO && screen > 0 && a->count > 1 &&
           (screen < headers || screen < a->width);
}

void
print_aligned(Printer *p)
{
    Aligned a = {.p = p, .count = p->table->column_count};

    a.border = p->options->border > 2 ? 2 : p->options->border;
    line_style_get(p->options, &a.style);
    a.columns = calloc((size_t)a.count + 1, sizeof *a.columns);
    if (a.columns == NULL) {
        p->no_memory = true;
        return;
    }
    for (int32_t i = 0; i < a.count; i++)
        cell_lines_init(&a.columns[i].cell);
    if (lay_out(&a)) {
        print_aligned_expanded(p);
    } else {
        print_title(&a);
        if (!p->options->tuples_only)
            print_headers(&a);
        print_rows(&a);
        if (a.border == 2)
            print_rule(&a, RULE_BOTTOM);
        print_footers(&a);
    }
    for (int32_t i = 0; i < a.count; i++)
        cell_lines_release(&a.columns[i].cell);
    free(a.columns);
}
