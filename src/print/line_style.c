/*
 * line_style.c - what lines of tables are drawn with: ascii, old-ascii, unicode
 *
 * The unicode style is put together from three choices (border, columns, header), each of single or
 * double lines; where two meet, the character for that crossing stands. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

static const LineStyle ascii_style = {
    .rules = {{"-", "+", "+", "+"},
              {"-", "+", "+", "+"},
              {"-", "+", "+", "+"},
              {"", "|", "|", "|"}},
    .middle_newline = "|",
    .middle_wrapped = "|",
    .middle_blank = "|",
    .header_left = " ",
    .header_right = "+",
    .newline_left = " ",
    .newline_right = "+",
    .wrapped_left = ".",
    .wrapped_right = ".",
    .marks_right = true,
};

static const LineStyle old_ascii_style = {
    .rules = {{"-", "+", "+", "+"},
              {"-", "+", "+", "+"},
              {"-", "+", "+", "+"},
              {"", "|", "|", "|"}},
    .middle_newline = ":",
    .middle_wrapped = ";",
    .middle_blank = " ",
    .header_left = "+",
    .header_right = " ",
    .newline_left = " ",
    .newline_right = " ",
    .wrapped_left = " ",
    .wrapped_right = " ",
};

/* Indexed by double_border. */
static const Rule corners_top[2] = {{"─", "┌", NULL, "┐"}, {"═", "╔", NULL, "╗"}};
static const Rule corners_bottom[2] = {{"─", "└", NULL, "┘"}, {"═", "╚", NULL, "╝"}};

/* Where a column's line meets the border, by [double_column][double_border]. */
static const char *const meets_top[2][2] = {{"┬", "╤"}, {"╥", "╦"}};
static const char *const meets_bottom[2][2] = {{"┴", "╧"}, {"╨", "╩"}};

/* Where the header's line meets the border, by [double_header][double_border], and a column's line. */
static const char *const meets_left[2][2] = {{"├", "╟"}, {"╞", "╠"}};
static const char *const meets_right[2][2] = {{"┤", "╢"}, {"╡", "╣"}};
static const char *const crosses[2][2] = {{"┼", "╪"},
                                          {"╫", "╬"}}; /* [double_column][double_header] */

static const char *const vertical[2] = {"│", "║"};

static void
unicode_style_get(const PrintOptions *o, LineStyle *ret)
{
    int border = o->double_border, column = o->double_column, header = o->double_header;

    *ret = (LineStyle){
        .header_left = " ",
        .header_right = "↵",
        .newline_left = " ",
        .newline_right = "↵",
        .wrapped_left = "…",
        .wrapped_right = "…",
        .marks_right = true,
    };
    ret->rules[RULE_TOP] = corners_top[border];
    ret->rules[RULE_TOP].middle = meets_top[column][border];
    ret->rules[RULE_BOTTOM] = corners_bottom[border];
    ret->rules[RULE_BOTTOM].middle = meets_bottom[column][border];
    ret->rules[RULE_MIDDLE] = (Rule){corners_top[header].dash, meets_left[header][border],
                                     crosses[column][header], meets_right[header][border]};
    ret->rules[RULE_DATA] = (Rule){"", vertical[border], vertical[column], vertical[border]};
    ret->middle_newline = ret->middle_wrapped = ret->middle_blank = vertical[column];
}

void
line_style_get(const PrintOptions *options, LineStyle *ret)
{
    switch (options->line_style) {
    case PRINT_LINES_ASCII:
        *ret = ascii_style;
        break;
    case PRINT_LINES_OLD_ASCII:
        *ret = old_ascii_style;
        break;
    case PRINT_LINES_UNICODE:
    case PRINT_LINES_COUNT:
        unicode_style_get(options, ret);
        break;
    }
}
