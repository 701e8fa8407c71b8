/*
 * decide_configs_sets.c - settings of a resource before and after the wishes of a request
 *
 * Both sets and the wishes are in the order of the image, so one pass merges them.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/common/assert.h"
#include "ottla/common/strbuf.h"

static int
compare_names(StrView a, StrView b)
{
    return image_key_compare((BytesView){(const uint8_t *)a.ptr, a.len},
                             (BytesView){(const uint8_t *)b.ptr, b.len});
}

bool
config_set_load(const DecideContext *c, const ConfigItem *item, ConfigSet *ret)
{
    StrView key = {NULL, 0}, value;
    int32_t room = 0;

    *ret = (ConfigSet){NULL, 0};
    while (image_config_after(c->image, item->type, item->name, key, &key, &value)) {
        if (ret->count == room) {
            ConfPair *wider;

            room = room == 0 ? 16 : room * 2;
            wider = arena_calloc(c->arena, (size_t)room, sizeof *wider);
            if (wider == NULL)
                return false;
            if (ret->count > 0)
                memcpy(wider, ret->pairs, (size_t)ret->count * sizeof *wider);
            ret->pairs = wider;
        }
        ret->pairs[ret->count++] = (ConfPair){key, value};
    }
    return true;
}

StrView
config_set_find(const ConfigSet *set, StrView name)
{
    int32_t low = 0, high = set->count - 1;

    while (low <= high) {
        int32_t middle = low + (high - low) / 2;
        int order = compare_names(name, set->pairs[middle].name);

        if (order == 0)
            return set->pairs[middle].value;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return (StrView){NULL, 0};
}

/* ---- lists ---- */

/* The row that says what kind a setting is; NULL: none, or none that counts here. */
static const ConfRow *
row_of(int8_t type, StrView name)
{
    int id = type == IMAGE_CONFIG_TOPIC    ? conf_find(CONF_SCOPE_TOPIC, name)
             : type == IMAGE_CONFIG_BROKER ? conf_broker_row(name)
             : type == IMAGE_CONFIG_GROUP  ? conf_find(CONF_SCOPE_GROUP, name)
                                           : -1; /* Kafka's controller knows no lists of metrics */

    return id < 0 ? NULL : &conf_rows[id];
}

/* The list that an operation starts from: the one that is set, else the one that holds without. */
static StrView
list_before(const ConfigCase *k, const ConfRow *row, StrView set)
{
    if (set.ptr != NULL)
        return set;
    if (k->item->type == IMAGE_CONFIG_BROKER)
        return conf_resolve_static((ConfId)(row - conf_rows)).text;
    return conf_resolve_default((ConfId)(row - conf_rows), NULL, k->c->arena).text;
}

/* Part of a list or of what is to be added to or taken from it. */
typedef struct Part {
    StrView text;
    int32_t place;
    bool wished;
    bool out;
} Part;

/* Parts as Kafka cuts them here: blanks stay, an empty list has none, an empty wish is one. */
static int32_t
cut(StrView list, bool wished, Part *parts, int32_t count)
{
    const char *at = list.ptr, *end = list.ptr + list.len;

    if (list.len == 0 && !wished)
        return count;
    for (;;) {
        const char *comma = at == end ? NULL : memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;

        parts[count] = (Part){{at, (int32_t)(stop - at)}, count, wished, false};
        count++;
        if (comma == NULL)
            return count;
        at = comma + 1;
    }
}

static int
by_text(const void *a, const void *b)
{
    const Part *x = a, *y = b;
    int order = compare_names(x->text, y->text);

    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int
by_place(const void *a, const void *b)
{
    const Part *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

/* Equal parts [from, to), those of the list first: what stays? */
static void
settle_run(Part *parts, int32_t from, int32_t to, ConfigOp op)
{
    int32_t listed = 0, wished;

    while (from + listed < to && !parts[from + listed].wished)
        listed++;
    wished = to - from - listed;
    for (int32_t i = from; i < to; i++) {
        if (op == CONFIG_OP_SUBTRACT)
            parts[i].out = parts[i].wished || i - from < wished;
        else
            parts[i].out = parts[i].wished && i > from;
    }
}

/* The list with the parts of the wish that it lacks, or without one of each; null: too long. */
static StrView
change_list(const DecideContext *c, StrView list, const ConfigWish *wish)
{
    size_t room = (size_t)list.len + (size_t)wish->value.len + 2;
    Part *parts = arena_calloc(c->arena, room, sizeof *parts);
    int32_t count;
    bool first = true;
    StrBuf out;

    if (parts == NULL)
        return (StrView){NULL, 0};
    count = cut(wish->value, true, parts, cut(list, false, parts, 0));
    qsort(parts, (size_t)count, sizeof *parts, by_text);
    for (int32_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strview_equal(parts[to].text, parts[from].text);)
            to++;
        settle_run(parts, from, to, (ConfigOp)wish->op);
    }
    qsort(parts, (size_t)count, sizeof *parts, by_place);
    strbuf_init(&out, 2 * LIMIT_CONFIG_VALUE_LEN + 2, c->arena);
    for (int32_t i = 0; i < count; i++) {
        if (parts[i].out)
            continue;
        if (!first)
            strbuf_add_char(&out, ',');
        strbuf_add_view(&out, parts[i].text);
        first = false;
    }
    if (strbuf_failed(&out))
        return (StrView){NULL, 0};
    return out.len == 0 ? STRVIEW("") : strbuf_view(&out);
}

/* ---- one wish ---- */

static Verdict
apply_wish(const ConfigCase *k, const ConfigWish *wish, StrView set, StrView *ret)
{
    const ConfRow *row = row_of(k->item->type, wish->name);

    switch ((ConfigOp)wish->op) {
    case CONFIG_OP_SET:
        *ret = wish->value;
        return (Verdict){0, NULL};
    case CONFIG_OP_DELETE:
        *ret = (StrView){NULL, 0};
        return (Verdict){0, NULL};
    case CONFIG_OP_APPEND:
    case CONFIG_OP_SUBTRACT:
        break;
    case CONFIG_OP_COUNT:
        ot_unreachable();
    }
    if (row == NULL || row->type != CONF_TYPE_LIST)
        return config_refuse(k->c, KERR_INVALID_CONFIG,
                             "nothing can be added to or taken from %.*s: it is no list",
                             (int)wish->name.len, wish->name.ptr);
    set = list_before(k, row, set);
    *ret = change_list(k->c, set, wish);
    if (ret->ptr == NULL)
        return config_refuse(k->c, KERR_INVALID_CONFIG, "the list %.*s is too long",
                             (int)wish->name.len, wish->name.ptr);
    return (Verdict){0, NULL};
}

static void
keep(ConfigSet *set, StrView name, StrView value)
{
    if (value.ptr != NULL)
        set->pairs[set->count++] = (ConfPair){name, value};
}

Verdict
config_set_apply(ConfigCase *k)
{
    const ConfigItem *item = k->item;
    ConfigSet *after = &k->after;
    int32_t b = 0, w = 0;

    *after =
        (ConfigSet){arena_calloc(k->c->arena, (size_t)k->before.count + (size_t)item->count + 1,
                                 sizeof *after->pairs),
                    0};
    if (after->pairs == NULL)
        return (Verdict){KERR_UNKNOWN_SERVER_ERROR, NULL};
    while (b < k->before.count || w < item->count) {
        const ConfPair *old = b < k->before.count ? &k->before.pairs[b] : NULL;
        const ConfigWish *wish = w < item->count ? &item->wishes[w] : NULL;
        int order = old == NULL ? 1 : wish == NULL ? -1 : compare_names(old->name, wish->name);
        StrView value = order > 0 ? (StrView){NULL, 0} : old->value;
        Verdict v;

        b += order <= 0;
        if (order < 0) {
            if (!item->replace)
                keep(after, old->name, value);
            continue;
        }
        w++;
        v = apply_wish(k, wish, value, &value);
        if (v.code != 0)
            return v;
        keep(after, wish->name, value);
    }
    return (Verdict){0, NULL};
}
