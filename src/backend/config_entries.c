/*
 * config_entries.c - the settings of one resource, as DescribeConfigs lists them
 *
 * Runs in: backend. Spec: admin-and-security.md 4.2, observed.md 8. Settings of topics, groups and
 * subscriptions differ from one resource to the next in what is set for it alone; the rest is made
 * once a request and shared.
 *
 * Ottla's own settings are listed where they are set, or asked for by name, so that tools see Kafka's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/config_entries_int.h"

#include <stdlib.h>

#include "backend/meta_int.h"
#include "ottla/common/log.h"

/* ---- what is asked ---- */

static int
compare_keys(const void *a, const void *b)
{
    const StrView *x = a, *y = b;
    int32_t len = x->len < y->len ? x->len : y->len;
    int order = len == 0 ? 0 : memcmp(x->ptr, y->ptr, (size_t)len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

void
config_query_init(ConfigQuery *q, Arena *arena, const Image *image, int32_t node_id)
{
    *q = (ConfigQuery){.arena = arena, .image = image, .node_id = node_id};
    q->lookup = node_values_lookup(&q->values, image, node_id);
}

void
config_query_keys(ConfigQuery *q, StrView *keys, int32_t count)
{
    q->keys = count > 0 ? keys : NULL;
    q->keys_count = count;
    if (count > 0)
        qsort(keys, (size_t)count, sizeof *keys, compare_keys);
}

/* named: by name, not because all are. */
static bool
is_asked(const ConfigQuery *q, StrView name, bool *ret_named)
{
    *ret_named = q->keys != NULL &&
                 bsearch(&name, q->keys, (size_t)q->keys_count, sizeof name, compare_keys) != NULL;
    return q->keys == NULL || *ret_named;
}

/* ---- texts ---- */

static StrView
copy(ConfigQuery *q, StrView text)
{
    StrView made = meta_copy(q->arena, text);

    q->no_memory |= text.ptr != NULL && made.ptr == NULL;
    return made;
}

static StrView
canonical(ConfigQuery *q, const ConfRow *row, StrView text)
{
    StrView made;

    if (text.ptr == NULL || conf_check(row, text, NULL) != 0)
        return copy(q, text);
    made = conf_canonical(row, text, q->arena);
    q->no_memory |= made.ptr == NULL;
    return copy(q, made);
}

/* Help, and a word where nothing comes of the setting. */
static StrView
documentation(ConfigQuery *q, const ConfRow *row)
{
    const char *note = strcmp(row->used_by, "later") == 0
                           ? " Accepted and kept; nothing acts on it yet."
                       : strcmp(row->used_by, "none") == 0 ? " Accepted and kept, without effect."
                                                           : NULL;
    const char *text = row->help;

    if (!q->documentation)
        return (StrView){NULL, 0};
    if (note != NULL)
        text = arena_printf(q->arena, "%s%s", row->help, note);
    q->no_memory |= text == NULL;
    return strview_from(text);
}

static bool
can_change(const ConfRow *row)
{
    return row->change != CONF_CHANGE_START && row->change != CONF_CHANGE_RELOAD;
}

/* ---- entries ---- */

/* row NULL: a name that is no setting, and so might be a secret. */
static ConfigEntry
make_entry(ConfigQuery *q, const ConfRow *row, StrView name)
{
    ConfigEntry e;

    describe_configs_response_resource_result_init(&e);
    e.name = name;
    e.is_sensitive = row == NULL || conf_is_sensitive(row);
    e.read_only = row == NULL || !can_change(row);
    e.config_type = row == NULL ? 0 : (int8_t)row->type;
    e.config_source = CONF_SOURCE_DEFAULT;
    e.documentation = row == NULL ? (StrView){NULL, 0} : documentation(q, row);
    return e;
}

static void
set_value(ConfigEntry *e, StrView value)
{
    e->value = e->is_sensitive ? (StrView){NULL, 0} : value;
}

/* The source of what is in force, and the list when it was asked for. */
static void
set_synonyms(ConfigQuery *q, ConfigEntry *e, const ConfValue *values, int count)
{
    if (count > 0)
        e->config_source = (int8_t)values[0].source;
    if (!q->synonyms || count == 0)
        return;
    e->synonyms = arena_calloc(q->arena, (size_t)count, sizeof *e->synonyms);
    if (e->synonyms == NULL) {
        q->no_memory = true;
        return;
    }
    for (int i = 0; i < count; i++) {
        DescribeConfigsResponseSynonym *s = &e->synonyms[e->synonyms_count++];

        describe_configs_response_synonym_init(s);
        s->name = copy(q, strview_from(values[i].name));
        s->value = e->is_sensitive ? (StrView){NULL, 0} : copy(q, values[i].text);
        s->source = (int8_t)values[i].source;
    }
}

/* ---- topics, groups, subscriptions ---- */

static const struct {
    int first, last;
    int8_t type; /* of the image's resources */
    ConfSource source;
} scopes[CONF_SCOPE_COUNT] = {
    [CONF_SCOPE_TOPIC] = {TCONF_FIRST, TCONF_LAST, IMAGE_CONFIG_TOPIC, CONF_SOURCE_TOPIC},
    [CONF_SCOPE_GROUP] = {GCONF_FIRST, GCONF_LAST, IMAGE_CONFIG_GROUP, CONF_SOURCE_GROUP},
    [CONF_SCOPE_METRICS] = {MCONF_FIRST, MCONF_LAST, IMAGE_CONFIG_CLIENT_METRICS,
                            CONF_SOURCE_METRICS},
};

/* Everything beneath what a resource sets itself. */
static int
inherited(const ConfigQuery *q, const ConfRow *row, ConfValue ret[CONF_SYNONYMS_MAX])
{
    if (row->synonym_count > 0)
        return conf_synonyms(conf_rows[row->synonyms[0].id].name, &q->lookup, ret);
    if (row->scope != CONF_SCOPE_GROUP)
        return 0;
    ret[0] = (ConfValue){strview_from(row->default_text), CONF_SOURCE_DEFAULT, row->name};
    return 1;
}

static ConfigEntry *
base_of(ConfigQuery *q, ConfScope scope)
{
    int count = scopes[scope].last - scopes[scope].first + 1;

    if (q->base[scope] != NULL)
        return q->base[scope];
    q->base[scope] = arena_calloc(q->arena, (size_t)count, sizeof *q->base[scope]);
    for (int i = 0; q->base[scope] != NULL && i < count; i++) {
        const ConfRow *row = &conf_rows[scopes[scope].first + i];
        ConfigEntry *e = &q->base[scope][i];
        ConfValue values[CONF_SYNONYMS_MAX];

        *e = make_entry(q, row, strview_from(row->name));
        set_value(e, canonical(q, row,
                               conf_resolve_default((ConfId)(scopes[scope].first + i), &q->lookup,
                                                    q->arena)
                                   .text));
        set_synonyms(q, e, values, inherited(q, row, values));
    }
    q->no_memory |= q->base[scope] == NULL;
    return q->base[scope];
}

/* The entry of a setting that the resource has itself. */
static ConfigEntry
own_entry(ConfigQuery *q, const ConfRow *row, const ConfigEntry *base, StrView text)
{
    ConfValue values[CONF_SYNONYMS_MAX + 1];
    ConfigEntry e = *base;

    set_value(&e, canonical(q, row, text));
    e.synonyms = NULL;
    e.synonyms_count = 0;
    values[0] = (ConfValue){e.value, scopes[row->scope].source, row->name};
    set_synonyms(q, &e, values, 1 + inherited(q, row, values + 1));
    return e;
}

static ConfigEntries
entries_of(ConfigQuery *q, ConfScope scope, StrView resource)
{
    const ConfigEntry *base = base_of(q, scope);
    int count = scopes[scope].last - scopes[scope].first + 1;
    ConfigEntries ret = {.count = 0};

    ret.list = arena_calloc(q->arena, (size_t)count, sizeof *ret.list);
    q->no_memory |= ret.list == NULL;
    for (int i = 0; !q->no_memory && i < count; i++) {
        const ConfRow *row = &conf_rows[scopes[scope].first + i];
        StrView text;
        bool named, set = image_config(q->image, scopes[scope].type, resource,
                                       strview_from(row->name), &text);

        if (!is_asked(q, strview_from(row->name), &named))
            continue;
        if (set)
            ret.list[ret.count++] = own_entry(q, row, &base[i], text);
        else if (!row->internal &&
                 (!row->ours || named || base[i].config_source != CONF_SOURCE_DEFAULT))
            ret.list[ret.count++] = base[i];
    }
    return ret;
}

ConfigEntries
config_entries_topic(ConfigQuery *q, StrView name)
{
    return entries_of(q, CONF_SCOPE_TOPIC, name);
}

ConfigEntries
config_entries_group(ConfigQuery *q, StrView name)
{
    return entries_of(q, CONF_SCOPE_GROUP, name);
}

ConfigEntries
config_entries_metrics(ConfigQuery *q, StrView name)
{
    return entries_of(q, CONF_SCOPE_METRICS, name);
}

/* ---- nodes ---- */

/* Entries of nodes as they come. */
typedef struct NodeList {
    ConfigQuery *q;
    ConfigEntries out;
    int32_t room;
} NodeList;

static void
add_entry(NodeList *l, const ConfigEntry *e)
{
    if (l->out.count == l->room) {
        int32_t room = l->room == 0 ? 512 : l->room * 2;
        ConfigEntry *wider = arena_calloc(l->q->arena, (size_t)room, sizeof *wider);

        if (wider == NULL) {
            l->q->no_memory = true;
            return;
        }
        if (l->out.count > 0)
            memcpy(wider, l->out.list, (size_t)l->out.count * sizeof *wider);
        l->out.list = wider;
        l->room = room;
    }
    l->out.list[l->out.count++] = *e;
}

/* A setting in force on this node by any name that is known or was given. */
static void
add_node_entry(NodeList *l, const char *name)
{
    ConfigQuery *q = l->q;
    int exact = conf_find(CONF_SCOPE_BROKER, strview_from(name));
    int id = conf_broker_row(strview_from(name));
    ConfigEntry e = make_entry(q, id < 0 ? NULL : &conf_rows[id], strview_from(name));
    ConfValue values[CONF_SYNONYMS_MAX];
    int count = conf_synonyms(name, &q->lookup, values);

    if (exact >= 0)
        set_value(&e, canonical(q, &conf_rows[exact],
                                conf_resolve_broker((ConfId)exact, &q->lookup).text));
    else if (count > 0)
        set_value(&e, id < 0 ? (StrView){NULL, 0} : canonical(q, &conf_rows[id], values[0].text));
    e.read_only |= exact < 0; /* Kafka says so of names with a listener in front */
    set_synonyms(q, &e, values, count);
    add_entry(l, &e);
}

/* Listed without being asked for by name? */
static bool
is_listed(const ConfigQuery *q, int id)
{
    const ConfRow *row = &conf_rows[id];
    ConfValue value = conf_resolve_broker((ConfId)id, &q->lookup);

    if (value.source != CONF_SOURCE_DEFAULT)
        return true;
    return !row->internal && !row->ours && row->change != CONF_CHANGE_DYNAMIC;
}

/* Names beside the table that requests set. first: no other resource has been looked at. */
static void
add_unknown(NodeList *l, const char *resource, const char *other)
{
    StrView key = {NULL, 0}, value, ignored;
    bool named;

    while (image_config_after(l->q->image, IMAGE_CONFIG_BROKER, strview_from(resource), key, &key,
                              &value)) {
        char *name;

        if (conf_find(CONF_SCOPE_BROKER, key) >= 0 || !is_asked(l->q, key, &named) ||
            (other != NULL &&
             image_config(l->q->image, IMAGE_CONFIG_BROKER, strview_from(other), key, &ignored)))
            continue;
        name = arena_strdup(l->q->arena, key);
        if (name == NULL) {
            l->q->no_memory = true;
            return;
        }
        add_node_entry(l, name);
    }
}

/* Names beside the table that the files set, and no request. */
static void
add_static_unknown(NodeList *l)
{
    const char *name, *value;
    StrView ignored;
    bool named;

    for (int i = 0; conf_extra_at(i, &name, &value); i++) {
        StrView key = strview_from(name);

        if (is_asked(l->q, key, &named) &&
            !image_config(l->q->image, IMAGE_CONFIG_BROKER, STRVIEW(""), key, &ignored) &&
            !image_config(l->q->image, IMAGE_CONFIG_BROKER, strview_from(l->q->values.node_id), key,
                          &ignored))
            add_node_entry(l, name);
    }
}

ConfigEntries
config_entries_node(ConfigQuery *q)
{
    NodeList l = {.q = q};
    bool named;

    for (int id = CONF_FIRST; id <= CONF_LAST; id++)
        if (is_asked(q, strview_from(conf_rows[id].name), &named) &&
            ((named && !conf_rows[id].internal) || is_listed(q, id)))
            add_node_entry(&l, conf_rows[id].name);
    add_unknown(&l, q->values.node_id, NULL);
    add_unknown(&l, "", q->values.node_id);
    add_static_unknown(&l);
    return l.out;
}

ConfigEntries
config_entries_all_nodes(ConfigQuery *q)
{
    NodeList l = {.q = q};
    StrView key = {NULL, 0}, value;
    bool named;

    while (image_config_after(q->image, IMAGE_CONFIG_BROKER, STRVIEW(""), key, &key, &value)) {
        int id = conf_broker_row(key);
        ConfigEntry e;
        ConfValue values[1];
        char *name;

        if (!is_asked(q, key, &named))
            continue;
        name = arena_strdup(q->arena, key);
        q->no_memory |= name == NULL;
        e = make_entry(q, id < 0 ? NULL : &conf_rows[id], strview_from(name));
        e.read_only |= conf_find(CONF_SCOPE_BROKER, key) < 0;
        set_value(&e, copy(q, value));
        values[0] = (ConfValue){value, CONF_SOURCE_DYNAMIC_CLUSTER, name};
        set_synonyms(q, &e, values, 1);
        add_entry(&l, &e);
    }
    return l.out;
}

/* ---- levels of log lines ---- */

/* By Kafka's names; those between are told as the next coarser one. */
static const char *
level_name(LogLevel level)
{
    return level >= LL_FATAL     ? "FATAL"
           : level >= LL_ERROR   ? "ERROR"
           : level >= LL_WARNING ? "WARN"
           : level >= LL_INFO    ? "INFO"
           : level >= LL_DEBUG1  ? "DEBUG"
                                 : "TRACE";
}

ConfigEntries
config_entries_loggers(ConfigQuery *q)
{
    NodeList l = {.q = q};
    bool named;

    for (int i = 0; i < LOG_CATEGORY_COUNT; i++) {
        ConfigEntry e;

        if (!is_asked(q, strview_from(log_category_name(i)), &named))
            continue;
        e = make_entry(q, NULL, strview_from(log_category_name(i)));
        e.is_sensitive = e.read_only = false;
        e.config_source = CONF_SOURCE_LOGGER;
        set_value(&e, strview_from(level_name(log_category_level(i))));
        add_entry(&l, &e);
    }
    return l.out;
}
