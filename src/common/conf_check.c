/*
 * conf_check.c - is a text valid for a setting, and what does it mean?
 *
 * Decides as Kafka's ConfigDef does: trim, parse by type, then the row's own rules.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/conf.h"

#include <inttypes.h>
#include <stdio.h>

#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"

#define LIST_ITEMS_MAX LIMIT_CONFIG_LIST_COUNT

/* "setting = "value": what", the value escaped and never shown for passwords. */
static int
refuse(const ConfRow *row, StrView value, ErrInfo *err, const char *what)
{
    char shown[80];

    if (conf_is_sensitive(row))
        return err_set(err, OT_E_INVALID_CONFIG, "%s = [hidden]: %s", row->name, what);
    return err_set(err, OT_E_INVALID_CONFIG, "%s = \"%s\": %s", row->name,
                   log_escape(value, shown, sizeof shown), what);
}

static int
refuse_range(const ConfRow *row, StrView value, ErrInfo *err)
{
    char range[120], low[TEXT_DOUBLE_MAX], high[TEXT_DOUBLE_MAX];

    if (row->type == CONF_TYPE_DOUBLE) {
        text_from_double(row->real_min, low);
        text_from_double(row->real_max, high);
    } else {
        snprintf(low, sizeof low, "%" PRId64, row->int_min);
        snprintf(high, sizeof high, "%" PRId64, row->int_max);
    }
    snprintf(range, sizeof range, row->has_max ? "must be %s to %s%s" : "must be at least %s%.0s%s",
             low, high, row->or_minus_one ? ", or -1" : "");
    return refuse(row, value, err, range);
}

static int
check_int(const ConfRow *row, StrView value, ErrInfo *err)
{
    int64_t number;
    int64_t limit = row->type == CONF_TYPE_SHORT ? INT16_MAX
                    : row->type == CONF_TYPE_INT ? INT32_MAX
                                                 : INT64_MAX;

    if (!text_to_int64(value, &number) || number > limit || number < -limit - 1) {
        return refuse(row, value, err,
                      row->type == CONF_TYPE_SHORT ? "not a 16-bit number"
                      : row->type == CONF_TYPE_INT ? "not a 32-bit number"
                                                   : "not a 64-bit number");
    }
    if (row->or_minus_one && number == -1)
        return 0;
    if ((row->has_min && number < row->int_min) || (row->has_max && number > row->int_max))
        return refuse_range(row, value, err);
    return 0;
}

static int
check_double(const ConfRow *row, StrView value, ErrInfo *err)
{
    double number;

    if (!text_to_double(value, &number))
        return refuse(row, value, err, "not a number");
    /* As in Kafka, NaN is neither below nor above anything. */
    if ((row->has_min && number < row->real_min) || (row->has_max && number > row->real_max))
        return refuse_range(row, value, err);
    return 0;
}

static bool
is_allowed(const ConfRow *row, StrView value)
{
    if (row->values == NULL)
        return true;
    for (const char *const *allowed = row->values; *allowed != NULL; allowed++) {
        if (row->values_nocase ? text_equal_nocase(value, strview_from(*allowed))
                               : strview_equal(value, strview_from(*allowed)))
            return true;
    }
    return false;
}

static int
refuse_value(const ConfRow *row, StrView value, ErrInfo *err)
{
    char what[160] = "must be one of";
    size_t len = strlen(what);

    for (const char *const *allowed = row->values; *allowed != NULL && len < sizeof what; allowed++)
        len += (size_t)snprintf(what + len, sizeof what - len, "%s %s",
                                allowed == row->values ? "" : ",", *allowed);
    return refuse(row, value, err, what);
}

int
conf_list_items(StrView list, StrView *ret, int max)
{
    StrView rest = text_trim(list);
    int count = 0;

    if (rest.len == 0)
        return 0;
    for (;;) {
        const char *comma = memchr(rest.ptr, ',', (size_t)rest.len);
        int32_t len = comma == NULL ? rest.len : (int32_t)(comma - rest.ptr);

        if (count == max)
            return max + 1;
        ret[count++] = text_trim((StrView){rest.ptr, len});
        if (comma == NULL)
            return count;
        rest.ptr += len + 1;
        rest.len -= len + 1;
    }
}

static int
check_list(const ConfRow *row, StrView value, ErrInfo *err)
{
    StrView items[LIST_ITEMS_MAX];
    int count = conf_list_items(value, items, LIST_ITEMS_MAX);

    if (count > LIST_ITEMS_MAX)
        return refuse(row, value, err, "too many items");
    if (count == 0 && row->nonempty)
        return refuse(row, value, err, "must not be empty");
    for (int i = 0; i < count; i++) {
        if (items[i].len == 0)
            return refuse(row, value, err, "an item is empty");
        if (!is_allowed(row, items[i]))
            return refuse_value(row, value, err);
    }
    return 0;
}

int
conf_check(const ConfRow *row, StrView value, ErrInfo *err)
{
    StrView text;

    if (value.ptr == NULL) {
        if (row->default_text == NULL || row->nullable)
            return 0;
        return err_set(err, OT_E_INVALID_CONFIG, "%s must not be null", row->name);
    }
    if (value.len > LIMIT_CONFIG_VALUE_LEN)
        return refuse(row, (StrView){value.ptr, 20}, err, "longer than 32767 bytes");
    text = text_trim(value);
    if (row->check != NULL)
        return row->check(text) ? 0 : refuse(row, text, err, "not in the form that is asked for");
    switch (row->type) {
    case CONF_TYPE_BOOLEAN:
        if (text_equal_nocase(text, STRVIEW("true")) || text_equal_nocase(text, STRVIEW("false")))
            return 0;
        return refuse(row, text, err, "must be true or false");
    case CONF_TYPE_INT:
    case CONF_TYPE_SHORT:
    case CONF_TYPE_LONG:
        return check_int(row, text, err);
    case CONF_TYPE_DOUBLE:
        return check_double(row, text, err);
    case CONF_TYPE_LIST:
        return check_list(row, text, err);
    case CONF_TYPE_STRING:
    case CONF_TYPE_CLASS:
    case CONF_TYPE_PASSWORD:
        if (!is_allowed(row, text))
            return refuse_value(row, text, err);
        return row->nonempty && text.len == 0 ? refuse(row, text, err, "must not be empty") : 0;
    }
    ot_unreachable();
}

static bool
is_digits(StrView text)
{
    uint64_t ignored;

    return text_to_uint64(text, &ignored);
}

/* "*", or "partition:broker" items; empty items are let through, as in Kafka. */
bool
conf_check_throttle(StrView value)
{
    StrView items[LIST_ITEMS_MAX];
    int count = conf_list_items(value, items, LIST_ITEMS_MAX);

    if (count > LIST_ITEMS_MAX)
        return false;
    if (count > 0 && strview_equal(items[0], STRVIEW("*")))
        return true;
    for (int i = 0; i < count; i++) {
        const char *colon = memchr(items[i].ptr, ':', (size_t)items[i].len);
        int32_t left = colon == NULL ? 0 : (int32_t)(colon - items[i].ptr);

        if (items[i].len == 0)
            continue;
        if (colon == NULL || !is_digits((StrView){items[i].ptr, left}) ||
            !is_digits((StrView){colon + 1, items[i].len - left - 1}))
            return false;
    }
    return true;
}

/* An ISO 8601 duration of days and less, "P1DT2H3M4.5S", each part once and in order. */
static bool
is_duration(StrView text)
{
    const char *units = "DHMS", *unit = units;
    bool in_time = false, any = false;
    int32_t at = 1;

    if (text.len < 3 || (text.ptr[0] != 'P' && text.ptr[0] != 'p'))
        return false;
    while (at < text.len) {
        int32_t start = at;
        const char *found;

        if (!in_time && (text.ptr[at] == 'T' || text.ptr[at] == 't')) {
            in_time = true;
            at++;
            unit = units + 1;
            if (at == text.len)
                return false;
            continue;
        }
        while (at < text.len &&
               (text.ptr[at] == '.' || (text.ptr[at] >= '0' && text.ptr[at] <= '9')))
            at++;
        if (at == start || at == text.len)
            return false;
        found = strchr(unit, text.ptr[at] & ~0x20);
        if (found == NULL || (*found != 'D') != in_time)
            return false;
        if (memchr(text.ptr + start, '.', (size_t)(at - start)) != NULL && *found != 'S')
            return false;
        unit = found + 1;
        any = true;
        at++;
    }
    return any;
}

bool
conf_check_offsetreset(StrView value)
{
    static const char prefix[] = "by_duration:";
    int32_t len = (int32_t)sizeof prefix - 1;

    if (strview_equal(value, STRVIEW("latest")) || strview_equal(value, STRVIEW("earliest")))
        return true;
    return value.len > len && memcmp(value.ptr, prefix, (size_t)len) == 0 &&
           is_duration((StrView){value.ptr + len, value.len - len});
}

int64_t
conf_text_int64(const ConfRow *row, StrView value)
{
    int64_t number = 0;

    value = text_trim(value);
    if (row->type == CONF_TYPE_BOOLEAN)
        return text_equal_nocase(value, STRVIEW("true"));
    /* Valid by contract. */
    ot_assert(text_to_int64(value, &number));
    return number;
}

double
conf_text_double(const ConfRow *row, StrView value)
{
    double number = 0;

    ot_assert(row->type == CONF_TYPE_DOUBLE && text_to_double(value, &number));
    return number;
}

/* The items of a list once each, as "a,b". */
static StrView
canonical_list(StrView value, Arena *arena)
{
    StrView items[LIST_ITEMS_MAX];
    int count = conf_list_items(value, items, LIST_ITEMS_MAX);
    StrBuf out;

    strbuf_init(&out, LIMIT_CONFIG_VALUE_LEN, arena);
    for (int i = 0; i < count && i < LIST_ITEMS_MAX; i++) {
        bool seen = items[i].len == 0;

        for (int j = 0; j < i && !seen; j++)
            seen = strview_equal(items[i], items[j]);
        if (seen)
            continue;
        if (out.len > 0)
            strbuf_add_char(&out, ',');
        strbuf_add_view(&out, items[i]);
    }
    return strbuf_failed(&out) ? (StrView){NULL, 0} : strbuf_view(&out);
}

StrView
conf_canonical(const ConfRow *row, StrView value, Arena *arena)
{
    char number[TEXT_DOUBLE_MAX];
    StrView text;

    if (value.ptr == NULL)
        return value;
    text = text_trim(value);
    switch (row->type) {
    case CONF_TYPE_BOOLEAN:
        return text_equal_nocase(text, STRVIEW("true")) ? STRVIEW("true") : STRVIEW("false");
    case CONF_TYPE_INT:
    case CONF_TYPE_SHORT:
    case CONF_TYPE_LONG:
        snprintf(number, sizeof number, "%" PRId64, conf_text_int64(row, text));
        return strview_from(arena_strdup(arena, strview_from(number)));
    case CONF_TYPE_DOUBLE:
        text_from_double(conf_text_double(row, text), number);
        return strview_from(arena_strdup(arena, strview_from(number)));
    case CONF_TYPE_LIST:
        return canonical_list(text, arena);
    case CONF_TYPE_STRING:
    case CONF_TYPE_CLASS:
    case CONF_TYPE_PASSWORD:
        return text;
    }
    ot_unreachable();
}
