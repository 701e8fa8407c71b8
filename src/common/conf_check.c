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
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"

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

bool
conf_list_next(StrView *rest, StrView *ret)
{
    const char *comma;
    int32_t len;

    if (rest->ptr == NULL)
        return false;
    comma = memchr(rest->ptr, ',', (size_t)rest->len);
    len = comma == NULL ? rest->len : (int32_t)(comma - rest->ptr);
    *ret = text_trim((StrView){rest->ptr, len});
    if (comma == NULL) {
        /* An empty list has no item, not an empty one; behind a comma there is always one. */
        *rest = (StrView){NULL, 0};
        return true;
    }
    rest->ptr += len + 1;
    rest->len -= len + 1;
    return true;
}

StrView
conf_list_begin(StrView list)
{
    StrView text = text_trim(list);

    return text.len == 0 ? (StrView){NULL, 0} : text;
}

static int
check_list(const ConfRow *row, StrView value, ErrInfo *err)
{
    StrView rest = conf_list_begin(value), item;

    if (rest.ptr == NULL && row->nonempty)
        return refuse(row, value, err, "must not be empty");
    while (conf_list_next(&rest, &item)) {
        if (item.len == 0)
            return refuse(row, value, err, "an item is empty");
        if (!is_allowed(row, item))
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
    for (int32_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* "*" alone, or "partition:broker" items; empty items are let through, as in Kafka. */
bool
conf_check_throttle(StrView value)
{
    StrView rest = conf_list_begin(value), item;

    if (strview_equal(text_trim(value), STRVIEW("*")))
        return true;
    while (conf_list_next(&rest, &item)) {
        const char *colon = item.len == 0 ? NULL : memchr(item.ptr, ':', (size_t)item.len);
        int32_t left = colon == NULL ? 0 : (int32_t)(colon - item.ptr);

        if (item.len == 0)
            continue;
        if (colon == NULL || !is_digits((StrView){item.ptr, left}) ||
            !is_digits((StrView){colon + 1, item.len - left - 1}))
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

/* As Kafka decides, which looks at single bytes and knows no brackets. */
static bool
is_host_text(StrView host)
{
    for (int32_t i = 0; i < host.len; i++)
        if (!((host.ptr[i] >= 'a' && host.ptr[i] <= 'z') ||
              (host.ptr[i] >= 'A' && host.ptr[i] <= 'Z') ||
              (host.ptr[i] >= '0' && host.ptr[i] <= '9') || strchr("-%._:", host.ptr[i]) != NULL))
            return false;
    return true;
}

StrView
conf_ipcounts_begin(StrView list)
{
    while (list.len > 0 && strchr(", ", list.ptr[list.len - 1]) != NULL)
        list.len--;
    return conf_list_begin(list);
}

bool
conf_ipcount(StrView item, StrView *ret_host, int32_t *ret_count)
{
    const char *colon = item.len == 0 ? NULL : memrchr(item.ptr, ':', (size_t)item.len);

    if (colon == NULL || colon - item.ptr > LIMIT_HOST_LEN)
        return false;
    *ret_host = text_trim((StrView){item.ptr, (int32_t)(colon - item.ptr)});
    return is_host_text(*ret_host) &&
           text_to_int32(
               text_trim((StrView){colon + 1, (int32_t)(item.ptr + item.len - colon - 1)}),
               ret_count);
}

bool
conf_check_ipcounts(StrView value)
{
    StrView item, host;
    int32_t count, items = 0;

    for (StrView rest = conf_ipcounts_begin(value); conf_list_next(&rest, &item);)
        if (!conf_ipcount(item, &host, &count) || ++items > LIMIT_ADDRESS_LIMITS)
            return false;
    return true;
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

/* An item and where it stands in its list. */
typedef struct ListItem {
    StrView text;
    int32_t place;
    bool again; /* an equal one stands before it */
} ListItem;

static int
compare_texts(const void *a, const void *b)
{
    const ListItem *x = a, *y = b;
    int32_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = len == 0 ? 0 : memcmp(x->text.ptr, y->text.ptr, (size_t)len);

    if (order == 0)
        order = (x->text.len > y->text.len) - (x->text.len < y->text.len);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int
compare_places(const void *a, const void *b)
{
    const ListItem *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

/* The items of a list, trimmed, as "a,b"; once each where the row says so. */
static StrView
canonical_list(const ConfRow *row, StrView value, Arena *arena)
{
    ListItem *items = arena_calloc(arena, (size_t)value.len / 2 + 2, sizeof *items);
    StrView rest = conf_list_begin(value), item;
    int32_t count = 0;
    StrBuf out;

    if (items == NULL)
        return (StrView){NULL, 0};
    while (conf_list_next(&rest, &item)) {
        /* The room does for single letters with their commas; empty items say nothing. */
        if (item.len > 0) {
            items[count] = (ListItem){.text = item, .place = count};
            count++;
        }
    }
    if (row->nodup) {
        qsort(items, (size_t)count, sizeof *items, compare_texts);
        for (int32_t i = 1; i < count; i++)
            items[i].again = strview_equal(items[i].text, items[i - 1].text);
        qsort(items, (size_t)count, sizeof *items, compare_places);
    }
    strbuf_init(&out, LIMIT_CONFIG_VALUE_LEN, arena);
    for (int32_t i = 0; i < count; i++) {
        if (items[i].again)
            continue;
        if (out.len > 0)
            strbuf_add_char(&out, ',');
        strbuf_add_view(&out, items[i].text);
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
        return canonical_list(row, text, arena);
    case CONF_TYPE_STRING:
    case CONF_TYPE_CLASS:
    case CONF_TYPE_PASSWORD:
        return text;
    }
    ot_unreachable();
}
