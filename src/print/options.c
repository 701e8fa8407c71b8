/*
 * options.c - how results are printed: what \pset sets
 *
 * A row of the table per option: its kind says how a value is read and written, its functions what is said
 * about it. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/options.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

#define BORDER_MAX     3
#define COLUMNS_MAX    100000
#define MIN_LINES_MAX  1000000
#define NAME_COLUMN    24 /* of the list of all options */
#define ENUM_WORDS_MAX 12

typedef enum OptionKind {
    KIND_SWITCH,  /* a bool */
    KIND_ZERO,    /* a bool that is only ever set */
    KIND_ENUM,    /* one of words, by any beginning that means one alone */
    KIND_STYLE,   /* a bool: single or double */
    KIND_NUMBER,  /* 0 to max */
    KIND_TEXT,    /* stays when no value is given */
    KIND_UNSET,   /* is unset when no value is given */
    KIND_CSV_SEP, /* one byte */
} OptionKind;

typedef struct OptionRow {
    const char *name;
    const char *alias;
    OptionKind kind;
    size_t offset;      /* in PrintOptions */
    size_t zero_offset; /* of KIND_TEXT: the flag that a text clears; 0: none */
    int max;
    const char *words;  /* of KIND_ENUM in the order of the values; for completion of others */
    const char *plural; /* of KIND_ENUM and KIND_STYLE, in "allowed ... are" */
    const char *says;   /* before the value when it is shown */
} OptionRow;

#define AT(field) offsetof(PrintOptions, field)
#define ON_OFF    "on off"

static const OptionRow rows[] = {
    {"border", NULL, KIND_NUMBER, AT(border), 0, BORDER_MAX, "0 1 2 3", NULL, "Border style is "},
    {"columns", NULL, KIND_NUMBER, AT(columns), 0, COLUMNS_MAX, "", NULL, "Target width is "},
    {"csv_fieldsep", NULL, KIND_CSV_SEP, AT(csv_sep), 0, 0, "", NULL,
     "Field separator for CSV is "},
    {"expanded", "x", KIND_ENUM, AT(expanded), 0, 0, "off on auto", NULL, "Expanded display is "},
    {"fieldsep", "f", KIND_TEXT, AT(field_sep), AT(field_sep_zero), 0, "", NULL,
     "Field separator is "},
    {"fieldsep_zero", NULL, KIND_ZERO, AT(field_sep_zero), 0, 0, "", NULL, "Field separator is "},
    {"footer", NULL, KIND_SWITCH, AT(row_count), 0, 0, ON_OFF, NULL, "Default footer is "},
    {"format", NULL, KIND_ENUM, AT(format), 0, 0,
     "aligned asciidoc csv html json jsonl markdown unaligned wrapped", "formats",
     "Output format is "},
    {"linestyle", NULL, KIND_ENUM, AT(line_style), 0, 0, "ascii old-ascii unicode", "line styles",
     "Line style is "},
    {"null", NULL, KIND_TEXT, AT(null_text), 0, 0, "", NULL, "Null display is "},
    {"numericlocale", NULL, KIND_SWITCH, AT(numeric_locale), 0, 0, ON_OFF, NULL,
     "Locale-adjusted numeric output is "},
    {"pager", NULL, KIND_ENUM, AT(pager), 0, 0, "off on always", NULL, "Pager "},
    {"pager_min_lines", NULL, KIND_NUMBER, AT(pager_min_lines), 0, MIN_LINES_MAX, "", NULL,
     "Pager won't be used for less than "},
    {"recordsep", "R", KIND_TEXT, AT(record_sep), AT(record_sep_zero), 0, "", NULL,
     "Record separator is "},
    {"recordsep_zero", NULL, KIND_ZERO, AT(record_sep_zero), 0, 0, "", NULL,
     "Record separator is "},
    {"tableattr", "T", KIND_UNSET, AT(table_attr), 0, 0, "", NULL, "Table attributes "},
    {"title", "C", KIND_UNSET, AT(title), 0, 0, "", NULL, "Title is "},
    {"tuples_only", "t", KIND_SWITCH, AT(tuples_only), 0, 0, ON_OFF, NULL, "Tuples only is "},
    {"unicode_border_linestyle", NULL, KIND_STYLE, AT(double_border), 0, 0, "single double",
     "Unicode border line styles", "Unicode border line style is "},
    {"unicode_column_linestyle", NULL, KIND_STYLE, AT(double_column), 0, 0, "single double",
     "Unicode column line styles", "Unicode column line style is "},
    {"unicode_header_linestyle", NULL, KIND_STYLE, AT(double_header), 0, 0, "single double",
     "Unicode header line styles", "Unicode header line style is "},
    {"units", NULL, KIND_ENUM, AT(units), 0, 0, "auto human raw", "units", "Units are "},
};

#define ROW_COUNT ((int)(sizeof rows / sizeof rows[0]))

void
print_options_init(PrintOptions *options)
{
    *options = (PrintOptions){
        .format = PRINT_ALIGNED,
        .pager = PRINT_ON,
        .row_count = true,
        .border = 1,
        .csv_sep = ',',
        .field_sep = "|",
        .record_sep = "\n",
    };
}

static const OptionRow *
row_find(StrView name, ErrInfo *err)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        if (strview_equal(name, strview_from(rows[i].name)) ||
            (rows[i].alias != NULL && strview_equal(name, strview_from(rows[i].alias))))
            return &rows[i];
    }
    (void)err_set(err, OT_E_NOT_FOUND, "unknown option: %.*s", name.len, name.ptr);
    return NULL;
}

/* ---- values of one kind ---- */

static bool *
bool_of(PrintOptions *o, size_t offset)
{
    return (bool *)((char *)o + offset);
}

static int *
int_of(PrintOptions *o, size_t offset)
{
    return (int *)((char *)o + offset);
}

/* Enums of the options are read and written as the ints they are. */
static_assert(sizeof(PrintFormat) == sizeof(int) && sizeof(PrintSwitch) == sizeof(int) &&
                  sizeof(PrintLineStyle) == sizeof(int) && sizeof(PrintUnits) == sizeof(int),
              "an enum of the options is an int");

static char *
text_of(const PrintOptions *o, size_t offset)
{
    return (char *)(uintptr_t)((const char *)o + offset);
}

static bool
begins(const char *word, int32_t word_len, StrView text)
{
    return text.len > 0 && text.len <= word_len &&
           text_equal_nocase(text, (StrView){word, text.len});
}

/* psql's words for yes and no, and what begins like one of them. */
static bool
read_bool(StrView text, bool *ret)
{
    static const struct {
        const char *word;
        int32_t least;
        bool value;
    } words[] = {{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
                 {"on", 2, true},   {"off", 2, false},   {"1", 1, true},   {"0", 1, false}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text.len >= words[i].least &&
            begins(words[i].word, (int32_t)strlen(words[i].word), text)) {
            *ret = words[i].value;
            return true;
        }
    }
    return false;
}

/* The words of a list and their number. */
static int
split_words(const char *list, StrView ret[ENUM_WORDS_MAX])
{
    int count = 0;

    while (*list != '\0') {
        size_t len = strcspn(list, " ");

        ot_assert(count < ENUM_WORDS_MAX);
        ret[count++] = (StrView){list, (int32_t)len};
        list += len;
        list += *list == ' ';
    }
    return count;
}

static int
refuse_words(const OptionRow *row, StrView value, ErrInfo *err)
{
    StrView words[ENUM_WORDS_MAX];
    int count = split_words(row->words, words);
    char list[160];
    size_t used = 0;

    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i > 0 ? ", " : "",
                                 words[i].len, words[i].ptr);
    if (row->plural != NULL)
        return err_set(err, OT_E_INVALID, "allowed %s are %s", row->plural, list);
    return err_set(err, OT_E_INVALID,
                   "unrecognized value \"%.*s\" for \"%s\"; available values are: %s", value.len,
                   value.ptr, row->name, list);
}

static int
set_enum(PrintOptions *o, const OptionRow *row, StrView value, ErrInfo *err)
{
    StrView words[ENUM_WORDS_MAX];
    int count = split_words(row->words, words), match = -1;
    bool on;

    for (int i = 0; i < count; i++) {
        if (text_equal_nocase(words[i], value)) {
            match = i;
            break;
        }
        if (!begins(words[i].ptr, words[i].len, value))
            continue;
        /* expanded and pager know yes and no besides; there "o" is neither */
        if (match >= 0)
            return err_set(err, OT_E_INVALID,
                           "ambiguous abbreviation \"%.*s\" matches both \"%.*s\" and \"%.*s\"",
                           value.len, value.ptr, words[match].len, words[match].ptr, words[i].len,
                           words[i].ptr);
        match = i;
    }
    if (match < 0 && row->plural == NULL && read_bool(value, &on))
        match = on ? PRINT_ON : PRINT_OFF;
    if (match < 0)
        return refuse_words(row, value, err);
    *int_of(o, row->offset) = match;
    return 0;
}

static int
set_style(PrintOptions *o, const OptionRow *row, StrView value, ErrInfo *err)
{
    if (begins("single", 6, value))
        *bool_of(o, row->offset) = false;
    else if (begins("double", 6, value))
        *bool_of(o, row->offset) = true;
    else
        return refuse_words(row, value, err);
    return 0;
}

static int
set_number(PrintOptions *o, const OptionRow *row, StrView value, ErrInfo *err)
{
    int32_t number;

    if (!text_to_int32(value, &number) || number < 0 || number > row->max)
        return err_set(err, OT_E_INVALID, "%s must be a number from 0 to %d, not \"%.*s\"",
                       row->name, row->max, value.len, value.ptr);
    *int_of(o, row->offset) = number;
    return 0;
}

static int
set_text(PrintOptions *o, const OptionRow *row, StrView value, ErrInfo *err)
{
    char *text = text_of(o, row->offset);

    if (value.len >= PRINT_TEXT_MAX)
        return err_set(err, OT_E_INVALID, "the value of %s is longer than %d bytes", row->name,
                       PRINT_TEXT_MAX - 1);
    if (value.len > 0 && memchr(value.ptr, '\0', (size_t)value.len) != NULL)
        return err_set(err, OT_E_INVALID, "the value of %s holds a zero byte", row->name);
    if (value.len > 0)
        memcpy(text, value.ptr, (size_t)value.len);
    text[value.len] = '\0';
    if (row->zero_offset > 0)
        *bool_of(o, row->zero_offset) = false;
    return 0;
}

static int
set_csv_sep(PrintOptions *o, StrView value, ErrInfo *err)
{
    if (value.len != 1 || (value.ptr[0] & 0x80) != 0 || value.ptr[0] == '\0')
        return err_set(err, OT_E_INVALID, "csv_fieldsep must be a single one-byte character");
    if (strchr("\"\n\r", value.ptr[0]) != NULL)
        return err_set(err, OT_E_INVALID,
                       "csv_fieldsep cannot be a double quote, a newline, or a carriage return");
    o->csv_sep = value.ptr[0];
    return 0;
}

/* "\pset NAME" without a value. */
static void
set_nothing(PrintOptions *o, const OptionRow *row)
{
    bool *flag = bool_of(o, row->offset);
    int *number = int_of(o, row->offset);

    if (row->kind == KIND_SWITCH)
        *flag = !*flag;
    else if (row->kind == KIND_ZERO)
        *flag = true;
    else if (row->offset == AT(pager))
        *number = *number == PRINT_ON ? PRINT_OFF : PRINT_ON;
    else if (row->offset == AT(expanded))
        *number = *number == PRINT_OFF ? PRINT_ON : PRINT_OFF;
    else if (row->kind == KIND_UNSET)
        *text_of(o, row->offset) = '\0';
}

int
print_options_set(PrintOptions *options, StrView name, StrView value, ErrInfo *err)
{
    const OptionRow *row = row_find(name, err);
    int rc = 0;

    if (row == NULL)
        return OT_E_NOT_FOUND;
    if (value.ptr == NULL || row->kind == KIND_ZERO) {
        set_nothing(options, row);
    } else {
        switch (row->kind) {
        case KIND_SWITCH:
            if (!read_bool(value, bool_of(options, row->offset)))
                rc = err_set(err, OT_E_INVALID,
                             "unrecognized value \"%.*s\" for \"%s\": Boolean expected", value.len,
                             value.ptr, row->name);
            break;
        case KIND_ZERO:
            break;
        case KIND_ENUM:
            rc = set_enum(options, row, value, err);
            break;
        case KIND_STYLE:
            rc = set_style(options, row, value, err);
            break;
        case KIND_NUMBER:
            rc = set_number(options, row, value, err);
            break;
        case KIND_TEXT:
        case KIND_UNSET:
            rc = set_text(options, row, value, err);
            break;
        case KIND_CSV_SEP:
            rc = set_csv_sep(options, value, err);
            break;
        }
    }
    if (rc == 0 && row->offset == AT(title))
        options->has_title = value.ptr != NULL;
    return rc;
}

/* ---- what is said about an option ---- */

static StrView
word_of(const OptionRow *row, int index)
{
    StrView words[ENUM_WORDS_MAX];
    int count = split_words(row->words, words);

    ot_assert(index >= 0 && index < count);
    return words[index];
}

/* The value as \pset alone shows it; texts in quotes that \pset reads again. */
static void
add_value(const PrintOptions *o, const OptionRow *row, StrBuf *out)
{
    const char *text = text_of(o, row->offset);
    int number = 0;

    switch (row->kind) {
    case KIND_SWITCH:
    case KIND_ZERO:
        strbuf_add_cstr(out, *(const bool *)text ? "on" : "off");
        break;
    case KIND_STYLE:
        strbuf_add_cstr(out, *(const bool *)text ? "double" : "single");
        break;
    case KIND_ENUM:
    case KIND_NUMBER:
        memcpy(&number, text, sizeof number);
        /* psql shows these two as numbers it has for them */
        if (row->kind == KIND_NUMBER || row->offset == AT(pager))
            strbuf_printf(out, "%d", number);
        else
            strbuf_add_view(out, word_of(row, number));
        break;
    case KIND_UNSET:
        if (*text == '\0')
            break;
        __attribute__((fallthrough));
    case KIND_TEXT:
    case KIND_CSV_SEP:
        strbuf_add_char(out, '\'');
        if (row->zero_offset > 0 && *(const bool *)text_of(o, row->zero_offset))
            text = ""; /* the line below tells what it is */
        for (int i = 0; i < (row->kind == KIND_CSV_SEP ? 1 : PRINT_TEXT_MAX) && text[i] != '\0';
             i++) {
            if (text[i] == '\n')
                strbuf_add_cstr(out, "\\n");
            else if (text[i] == '\'')
                strbuf_add_cstr(out, "\\'");
            else
                strbuf_add_char(out, text[i]);
        }
        strbuf_add_char(out, '\'');
        break;
    }
}

static void
say_enum(const PrintOptions *o, const OptionRow *row, StrBuf *out)
{
    static const char *const expanded[] = {"off", "on", "used automatically"};
    static const char *const pager[] = {"usage is off", "is used for long output",
                                        "is always used"};
    int value;

    memcpy(&value, text_of(o, row->offset), sizeof value);
    if (row->offset == AT(expanded))
        strbuf_add_cstr(out, expanded[value]);
    else if (row->offset == AT(pager))
        strbuf_add_cstr(out, pager[value]);
    else
        strbuf_add_view(out, word_of(row, value));
}

static void
say_text(const PrintOptions *o, const OptionRow *row, StrBuf *out)
{
    const char *text = text_of(o, row->offset);

    if (row->kind == KIND_CSV_SEP)
        strbuf_printf(out, "\"%c\"", *text);
    else if (row->zero_offset > 0 && *(const bool *)text_of(o, row->zero_offset))
        strbuf_add_cstr(out, "zero byte");
    else if (row->offset == AT(record_sep) && strcmp(text, "\n") == 0)
        strbuf_add_cstr(out, "<newline>");
    else if (row->offset == AT(title) ? !o->has_title : row->kind == KIND_UNSET && *text == '\0')
        strbuf_add_cstr(out, "unset");
    else
        strbuf_printf(out, "%s\"%s\"", row->offset == AT(table_attr) ? "are " : "", text);
}

static void
say(const PrintOptions *o, const OptionRow *row, StrBuf *out)
{
    const char *at = text_of(o, row->offset);
    int number = 0;

    strbuf_add_cstr(out, row->says);
    switch (row->kind) {
    case KIND_SWITCH:
        strbuf_add_cstr(out, *(const bool *)at ? "on" : "off");
        break;
    case KIND_ZERO:
        strbuf_add_cstr(out, "zero byte");
        break;
    case KIND_STYLE:
        strbuf_add_cstr(out, *(const bool *)at ? "\"double\"" : "\"single\"");
        break;
    case KIND_NUMBER:
        memcpy(&number, at, sizeof number);
        if (row->offset == AT(columns) && number == 0)
            strbuf_add_cstr(out, "unset");
        else
            strbuf_printf(out, "%d", number);
        if (row->offset == AT(pager_min_lines))
            strbuf_add_cstr(out, number == 1 ? " line" : " lines");
        break;
    case KIND_ENUM:
        say_enum(o, row, out);
        break;
    case KIND_TEXT:
    case KIND_UNSET:
    case KIND_CSV_SEP:
        say_text(o, row, out);
        break;
    }
    strbuf_add_cstr(out, ".\n");
}

int
print_options_show(const PrintOptions *options, StrView name, StrBuf *out, ErrInfo *err)
{
    const OptionRow *row = row_find(name, err);

    if (row == NULL)
        return OT_E_NOT_FOUND;
    /* a separator that is zero is told as such, one that is not by its text */
    if (row->kind == KIND_ZERO && !*(const bool *)text_of(options, row->offset))
        row--;
    say(options, row, out);
    return 0;
}

void
print_options_show_all(const PrintOptions *options, StrBuf *out)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        strbuf_printf(out, "%-*s ", NAME_COLUMN, rows[i].name);
        add_value(options, &rows[i], out);
        strbuf_add_char(out, '\n');
    }
}

const char *
print_option_name(int index)
{
    return index >= 0 && index < ROW_COUNT ? rows[index].name : NULL;
}

const char *
print_option_values(int index)
{
    return index >= 0 && index < ROW_COUNT ? rows[index].words : NULL;
}
