/*
 * decide_configs.c - IncrementalAlterConfigs, AlterConfigs
 *
 * Resources are independent of each other; the settings of one change together or not at all. Order
 * of checks: what the request says twice or nothing of, the name of the resource, its list operations,
 * the values that would result, whether it exists. Then one bound for the whole request.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_configs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"

#define MIN_ISR "min.insync.replicas"

/* One request. */
typedef struct Alteration {
    const DecideContext *c;
    RecordList *records;
    ConfigItem *items;
    int32_t count;
    bool validate_only;
    bool no_memory;
    TopicDefaults defaults; /* made when first needed */
    bool has_defaults;
} Alteration;

Verdict
config_refuse(const DecideContext *c, int16_t code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return (Verdict){code, arena_printf(c->arena, "%s", text)};
}

static int
compare_texts(StrView a, StrView b)
{
    return image_key_compare((BytesView){(const uint8_t *)a.ptr, a.len},
                             (BytesView){(const uint8_t *)b.ptr, b.len});
}

/* ---- is the request fit? ---- */

static int
compare_items(const void *a, const void *b)
{
    const ConfigItem *const *x = a, *const *y = b;

    if ((*x)->type != (*y)->type)
        return (*x)->type < (*y)->type ? -1 : 1;
    return compare_texts((*x)->name, (*y)->name);
}

static int
compare_wishes(const void *a, const void *b)
{
    const ConfigWish *x = a, *y = b;

    return compare_texts(x->name, y->name);
}

static bool
mark_repeated(Alteration *a)
{
    ConfigItem **sorted = arena_calloc(a->c->arena, (size_t)a->count + 1, sizeof *sorted);

    if (sorted == NULL)
        return false;
    for (int32_t i = 0; i < a->count; i++)
        sorted[i] = &a->items[i];
    qsort(sorted, (size_t)a->count, sizeof *sorted, compare_items);
    for (int32_t i = 1; i < a->count; i++)
        if (compare_items(&sorted[i - 1], &sorted[i]) == 0)
            sorted[i - 1]->repeated = sorted[i]->repeated = true;
    return true;
}

/* What can be said without knowing the resource. Sorts the wishes. */
static Verdict
check_form(const DecideContext *c, ConfigItem *item)
{
    if (item->repeated)
        return config_refuse(c, KERR_INVALID_REQUEST, "each resource may come once only");
    qsort(item->wishes, (size_t)item->count, sizeof *item->wishes, compare_wishes);
    for (int32_t i = 0; i < item->count; i++) {
        const ConfigWish *w = &item->wishes[i];

        if (i > 0 && compare_wishes(w - 1, w) == 0)
            return config_refuse(c, KERR_INVALID_REQUEST, "%.*s comes more than once",
                                 (int)w->name.len, w->name.ptr);
        if (w->op < 0 || w->op >= CONFIG_OP_COUNT)
            return config_refuse(c, KERR_INVALID_REQUEST, "there is no operation %d", (int)w->op);
        if (w->value.ptr == NULL && w->op != CONFIG_OP_DELETE)
            return config_refuse(c, KERR_INVALID_REQUEST, "%.*s has no value", (int)w->name.len,
                                 w->name.ptr);
        if (item->name.len + w->name.len + 3 > IMAGE_CONFIG_LOOKUP_MAX)
            return config_refuse(c, KERR_INVALID_REQUEST, "a name is too long");
    }
    return (Verdict){0, NULL};
}

static bool
is_this_node(const DecideContext *c, StrView name)
{
    char text[16];

    snprintf(text, sizeof text, "%d", (int)c->node_id);
    return strview_equal(name, strview_from(text));
}

/* The kind of resource, and a name that one of the kind can have. */
static Verdict
check_resource(const DecideContext *c, const ConfigItem *item)
{
    const char *fault;

    switch (item->type) {
    case IMAGE_CONFIG_TOPIC:
        if (item->name.len == 0)
            return config_refuse(c, KERR_INVALID_REQUEST, "there are no settings of all topics");
        fault = topic_name_fault(item->name);
        if (fault != NULL)
            return (Verdict){KERR_INVALID_TOPIC_EXCEPTION, fault};
        return (Verdict){0, NULL};
    case IMAGE_CONFIG_BROKER:
        if (item->name.len > 0 && !is_this_node(c, item->name))
            return config_refuse(c, KERR_INVALID_REQUEST,
                                 "settings of a node are changed at that node; this is %d",
                                 (int)c->node_id);
        return (Verdict){0, NULL};
    case RESOURCE_BROKER_LOGGER:
        if (item->replace)
            return config_refuse(c, KERR_INVALID_REQUEST,
                                 "levels are changed by IncrementalAlterConfigs alone");
        if (!is_this_node(c, item->name))
            return config_refuse(c, KERR_INVALID_REQUEST,
                                 "levels of a node are changed at that node; this is %d",
                                 (int)c->node_id);
        return (Verdict){0, NULL};
    case IMAGE_CONFIG_CLIENT_METRICS:
    case IMAGE_CONFIG_GROUP:
        if (item->name.len == 0)
            return config_refuse(c, KERR_INVALID_REQUEST, "the resource has no name");
        return (Verdict){0, NULL};
    default:
        return config_refuse(c, KERR_INVALID_REQUEST, "there are no resources of type %d",
                             (int)item->type);
    }
}

/* ---- what would result ---- */

static Verdict
check_topic_settings(const ConfigCase *k)
{
    ErrInfo err = {0};

    if (topic_settings_check(k->after.pairs, k->after.count, k->defaults, &err) == 0)
        return (Verdict){0, NULL};
    return config_refuse(k->c, KERR_INVALID_CONFIG, "%s", err.text);
}

static Verdict
check_result(const ConfigCase *k)
{
    switch (k->item->type) {
    case IMAGE_CONFIG_TOPIC:
        return check_topic_settings(k);
    case IMAGE_CONFIG_BROKER:
        return check_node_settings(k);
    case IMAGE_CONFIG_GROUP:
        return check_group_settings(k);
    default:
        return check_metrics_settings(k);
    }
}

static const TopicDefaults *
defaults_of(Alteration *a)
{
    if (!a->has_defaults)
        topic_defaults_init(&a->defaults, a->c->dynamic, a->c->arena);
    a->has_defaults = true;
    return &a->defaults;
}

/* ---- records ---- */

static void
add_record(Alteration *a, const ConfigItem *item, StrView name, StrView value)
{
    ConfigRecord record;

    config_record_init(&record);
    record.resource_type = item->type;
    record.resource_name = item->name;
    record.name = name;
    record.value = value;
    record_list_add(a->records, &config_record_desc, 0, &record);
}

/* Who is in the ISR by right depends on this setting, and so does who may lead without being in it. */
static void
clear_eligible_leaders(Alteration *a, const ConfigItem *item)
{
    ClearElrRecord record;

    if (image_feature(a->c->image, STRVIEW("eligible.leader.replicas.version")) < 1 ||
        (item->type == IMAGE_CONFIG_BROKER && item->name.len > 0))
        return;
    clear_elr_record_init(&record);
    if (item->type == IMAGE_CONFIG_TOPIC)
        record.topic_name = item->name;
    record_list_add(a->records, &clear_elr_record_desc, 0, &record);
}

static bool
is_wished(const ConfigItem *item, StrView name)
{
    ConfigWish wanted = {.name = name};

    return item->count > 0 && bsearch(&wanted, item->wishes, (size_t)item->count,
                                      sizeof *item->wishes, compare_wishes) != NULL;
}

/*
 * What differs. Wishes for nodes are always written: the same path again may mean a file that is
 * to be read again.
 */
static void
write_changes(Alteration *a, const ConfigCase *k)
{
    const ConfigItem *item = k->item;
    bool min_isr = false;

    for (int32_t i = 0; i < item->count; i++) {
        StrView name = item->wishes[i].name;
        StrView value = config_set_find(&k->after, name);
        StrView old = config_set_find(&k->before, name);

        if (item->type != IMAGE_CONFIG_BROKER &&
            (value.ptr == NULL ? old.ptr == NULL : old.ptr != NULL && strview_equal(value, old)))
            continue;
        add_record(a, item, name, value);
        min_isr |= strview_equal(name, STRVIEW(MIN_ISR));
    }
    for (int32_t i = 0; item->replace && i < k->before.count; i++) {
        StrView name = k->before.pairs[i].name;

        if (is_wished(item, name))
            continue;
        add_record(a, item, name, (StrView){NULL, 0});
        min_isr |= strview_equal(name, STRVIEW(MIN_ISR));
    }
    if (min_isr && (item->type == IMAGE_CONFIG_TOPIC || item->type == IMAGE_CONFIG_BROKER))
        clear_eligible_leaders(a, item);
}

/* ---- one resource, one request ---- */

static Verdict
alter_one(Alteration *a, ConfigItem *item)
{
    ConfigCase k = {.c = a->c, .item = item};
    Verdict v = check_form(a->c, item);

    if (v.code == 0)
        v = check_resource(a->c, item);
    if (v.code != 0)
        return v;
    if (item->type == RESOURCE_BROKER_LOGGER)
        return decide_levels(a->c, item, a->validate_only);
    if (item->type == IMAGE_CONFIG_TOPIC)
        k.defaults = defaults_of(a);
    if (!config_set_load(a->c, item, &k.before)) {
        a->no_memory = true;
        return v;
    }
    v = config_set_apply(&k);
    if (v.code == 0)
        v = check_result(&k);
    if (v.code == 0 && item->type == IMAGE_CONFIG_TOPIC &&
        image_topic_by_name(a->c->image, item->name) == NULL)
        v = config_refuse(a->c, KERR_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
    if (v.code == 0)
        write_changes(a, &k);
    return v;
}

static int
alter_all(Alteration *a)
{
    ot_assert(a->records->count == 0);
    if (!mark_repeated(a))
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a->count && a->records->count <= DECIDE_RECORDS_MAX; i++)
        a->items[i].verdict = alter_one(a, &a->items[i]);
    if (a->no_memory || a->records->no_memory)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; a->records->count > DECIDE_RECORDS_MAX && i < a->count; i++)
        if (a->items[i].verdict.code == 0 && a->items[i].type != RESOURCE_BROKER_LOGGER)
            a->items[i].verdict = (Verdict){KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS};
    if (a->validate_only || a->records->count > DECIDE_RECORDS_MAX)
        record_list_cut(a->records, 0);
    return 0;
}

/* ---- the two requests ---- */

static bool
make_items(Alteration *a, int32_t count)
{
    a->count = count;
    a->items = arena_calloc(a->c->arena, (size_t)count + 1, sizeof *a->items);
    return a->items != NULL;
}

static bool
make_wishes(Alteration *a, ConfigItem *item, int32_t count)
{
    item->count = count;
    item->wishes = arena_calloc(a->c->arena, (size_t)count + 1, sizeof *item->wishes);
    return item->wishes != NULL;
}

int
decide_incremental_alter_configs(const DecideContext *c, const IncrementalAlterConfigsRequest *in,
                                 RecordList *records, IncrementalAlterConfigsResponse *ret)
{
    Alteration a = {.c = c, .records = records, .validate_only = in->validate_only};
    int rc;

    incremental_alter_configs_response_init(ret);
    ret->responses =
        arena_calloc(c->arena, (size_t)in->resources_count + 1, sizeof *ret->responses);
    if (ret->responses == NULL || !make_items(&a, in->resources_count))
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a.count; i++) {
        const IncrementalAlterConfigsRequestAlterConfigsResource *r = &in->resources[i];

        a.items[i] = (ConfigItem){.type = r->resource_type, .name = r->resource_name};
        if (!make_wishes(&a, &a.items[i], r->configs_count))
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < r->configs_count; k++)
            a.items[i].wishes[k] = (ConfigWish){r->configs[k].name, r->configs[k].config_operation,
                                                r->configs[k].value};
    }
    rc = alter_all(&a);
    for (int32_t i = 0; rc == 0 && i < a.count; i++) {
        IncrementalAlterConfigsResponseAlterConfigsResourceResponse *out =
            &ret->responses[ret->responses_count++];

        incremental_alter_configs_response_alter_configs_resource_response_init(out);
        out->error_code = a.items[i].verdict.code;
        out->error_message = strview_from(a.items[i].verdict.text);
        out->resource_type = a.items[i].type;
        out->resource_name = a.items[i].name;
    }
    return rc;
}

int
decide_alter_configs(const DecideContext *c, const AlterConfigsRequest *in, RecordList *records,
                     AlterConfigsResponse *ret)
{
    Alteration a = {.c = c, .records = records, .validate_only = in->validate_only};
    int rc;

    alter_configs_response_init(ret);
    ret->responses =
        arena_calloc(c->arena, (size_t)in->resources_count + 1, sizeof *ret->responses);
    if (ret->responses == NULL || !make_items(&a, in->resources_count))
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a.count; i++) {
        const AlterConfigsRequestResource *r = &in->resources[i];

        a.items[i] =
            (ConfigItem){.type = r->resource_type, .name = r->resource_name, .replace = true};
        if (!make_wishes(&a, &a.items[i], r->configs_count))
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < r->configs_count; k++)
            a.items[i].wishes[k] =
                (ConfigWish){r->configs[k].name, CONFIG_OP_SET, r->configs[k].value};
    }
    rc = alter_all(&a);
    for (int32_t i = 0; rc == 0 && i < a.count; i++) {
        AlterConfigsResponseResourceResponse *out = &ret->responses[ret->responses_count++];

        alter_configs_response_resource_response_init(out);
        out->error_code = a.items[i].verdict.code;
        out->error_message = strview_from(a.items[i].verdict.text);
        out->resource_type = a.items[i].type;
        out->resource_name = a.items[i].name;
    }
    return rc;
}
