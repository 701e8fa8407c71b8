/*
 * conf.c - the node's own values of the settings
 *
 * Runs in: supervisor (load, reload), all processes (read). Never: logs; a caller prints the report.
 * Invariants:
 *   C1  a value in force has passed conf_check of its row
 *   C2  a load that found an error changes nothing; a reload that found bad values alone, nothing of these
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/limits.h"

/* All values of one load; children of the supervisor inherit the present one. */
static ConfSet *present;

static int64_t default_numbers[CONF_LAST + 1];
static double default_reals[CONF_LAST + 1];
static bool defaults_parsed;

static void
parse_defaults(void)
{
    if (defaults_parsed)
        return; /* nor is anything written: the page stays the parent's */
    for (int id = CONF_FIRST; id <= CONF_LAST; id++) {
        const ConfRow *row = &conf_rows[id];
        StrView text = strview_from(row->default_text);

        if (row->default_text == NULL)
            continue;
        if (row->type == CONF_TYPE_DOUBLE)
            default_reals[id] = conf_text_double(row, text);
        else if (conf_is_number(row))
            default_numbers[id] = conf_text_int64(row, text);
    }
    defaults_parsed = true;
}

/* What files, arguments and environment set, or NULL. */
static const ConfSetting *
static_of(ConfId id)
{
    ot_assert(id >= CONF_FIRST && id <= CONF_LAST);
    return present != NULL && present->settings[id].text != NULL ? &present->settings[id] : NULL;
}

/* The value in force, or NULL when it is the default. */
static const ConfSetting *
setting_of(ConfId id)
{
    const ConfSetting *live = conf_live_find(id);

    return live != NULL ? live : static_of(id);
}

const char *
conf_str(ConfId id)
{
    const ConfSetting *setting = setting_of(id);

    return setting != NULL ? setting->text : conf_rows[id].default_text;
}

int64_t
conf_int64(ConfId id)
{
    const ConfSetting *setting = setting_of(id);

    ot_assert(conf_is_number(&conf_rows[id]));
    parse_defaults();
    return setting != NULL ? setting->number : default_numbers[id];
}

int32_t
conf_int32(ConfId id)
{
    ot_assert(conf_rows[id].type != CONF_TYPE_LONG);
    return (int32_t)conf_int64(id);
}

bool
conf_bool(ConfId id)
{
    ot_assert(conf_rows[id].type == CONF_TYPE_BOOLEAN);
    return conf_int64(id) != 0;
}

double
conf_double(ConfId id)
{
    const ConfSetting *setting = setting_of(id);

    ot_assert(conf_rows[id].type == CONF_TYPE_DOUBLE);
    parse_defaults();
    return setting != NULL ? setting->real : default_reals[id];
}

bool
conf_is_set(ConfId id)
{
    return static_of(id) != NULL;
}

const char *
conf_place(ConfId id)
{
    const ConfSetting *setting = static_of(id);

    return setting == NULL ? NULL : setting->place;
}

const char *
conf_extra_find(const char *name)
{
    const char *live = conf_live_extra(name);

    return live != NULL ? live : conf_static_extra(name);
}

const char *
conf_static_extra(const char *name)
{
    for (int i = present == NULL ? 0 : present->extra_count; i-- > 0;) {
        if (strcmp(present->extras[i].name, name) == 0)
            return present->extras[i].value;
    }
    return NULL;
}

bool
conf_extra_at(int index, const char **ret_name, const char **ret_value)
{
    if (present == NULL || index < 0 || index >= present->extra_count)
        return false;
    *ret_name = present->extras[index].name;
    *ret_value = present->extras[index].value;
    return true;
}

/* ---- names ---- */

static void
scope_range(ConfScope scope, int *ret_first, int *ret_last)
{
    static const int first[CONF_SCOPE_COUNT] = {CONF_FIRST, TCONF_FIRST, GCONF_FIRST, MCONF_FIRST};
    static const int last[CONF_SCOPE_COUNT] = {CONF_LAST, TCONF_LAST, GCONF_LAST, MCONF_LAST};

    *ret_first = first[scope];
    *ret_last = last[scope];
}

int
conf_find(ConfScope scope, StrView name)
{
    int low, high;

    scope_range(scope, &low, &high);
    /* The rows of a scope are sorted by name. */
    while (low <= high) {
        int middle = low + (high - low) / 2;
        const char *other = conf_rows[middle].name;
        size_t len = strlen(other);
        size_t common = len < (size_t)name.len ? len : (size_t)name.len;
        int order = memcmp(name.ptr, other, common);

        if (order == 0)
            order = (size_t)name.len < len ? -1 : (size_t)name.len > len;
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

static char
loose(char c)
{
    return c == '_' ? '.' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int
conf_find_loose(StrView name)
{
    for (int id = CONF_FIRST; id <= CONF_LAST; id++) {
        const char *other = conf_rows[id].name;
        int32_t i = 0;

        while (i < name.len && other[i] != '\0' && loose(name.ptr[i]) == loose(other[i]))
            i++;
        if (i == name.len && other[i] == '\0')
            return id;
    }
    return -1;
}

const char *
conf_nearest(ConfScope scope, StrView name)
{
    int limit = name.len / 4 < 2 ? 2 : name.len / 4, best = limit + 1, first, last;
    const char *nearest = NULL;

    scope_range(scope, &first, &last);
    for (int id = first; id <= last; id++) {
        int distance = text_distance(name, strview_from(conf_rows[id].name), limit);

        if (distance < best) {
            best = distance;
            nearest = conf_rows[id].name;
        }
    }
    return nearest;
}

/* ---- loading ---- */

void
conf_report_init(ConfReport *report)
{
    *report = (ConfReport){0};
    strbuf_init(&report->errors, 1 << 20, NULL);
    strbuf_init(&report->warnings, 1 << 20, NULL);
    strbuf_init(&report->changes, 1 << 20, NULL);
    strbuf_init(&report->later, 1 << 20, NULL);
}

void
conf_report_release(ConfReport *report)
{
    strbuf_release(&report->errors);
    strbuf_release(&report->warnings);
    strbuf_release(&report->changes);
    strbuf_release(&report->later);
}

static void
free_set(ConfSet *set)
{
    if (set == NULL)
        return;
    arena_free(set->arena);
    free(set);
}

static void
name_later(const ConfSet *set, ConfReport *report)
{
    for (int id = CONF_FIRST; id <= CONF_LAST; id++) {
        const ConfRow *row = &conf_rows[id];

        if (set->settings[id].text == NULL ||
            (strcmp(row->used_by, "later") != 0 && strcmp(row->used_by, "none") != 0))
            continue;
        if (report->later.len > 0)
            strbuf_add_cstr(&report->later, ", ");
        strbuf_add_cstr(&report->later, row->name);
    }
    for (int i = 0; i < set->extra_count; i++) {
        int row = conf_listener_row(strview_from(set->extras[i].name));

        if (strncmp(set->extras[i].name, "listener.name.", 14) != 0 ||
            (row >= 0 && strcmp(conf_rows[row].used_by, "later") != 0))
            continue;
        if (report->later.len > 0)
            strbuf_add_cstr(&report->later, ", ");
        strbuf_add_cstr(&report->later, set->extras[i].name);
    }
}

/* Reads all sources into a new set; NULL: no memory, which the report says. */
static ConfSet *
read_all(const ConfArgs *args, ConfReport *report)
{
    ConfSet *set = calloc(1, sizeof *set);
    ConfReader reader = {.set = set, .report = report};

    if (set == NULL || (set->arena = arena_new(16384, 64 << 20)) == NULL) {
        free(set);
        conf_error(&reader, "no memory for the settings");
        return NULL;
    }
    if (args->environment)
        conf_read_environment(&reader);
    if (args->properties != NULL)
        conf_read_properties(&reader, args->properties);
    if (args->file != NULL)
        conf_read_file(&reader, args->file, args->file_required);
    if (args->auto_file != NULL)
        conf_read_file(&reader, args->auto_file, false);
    for (int i = 0; i < args->assignment_count; i++)
        conf_read_assignment(&reader, args->assignments[i]);
    return set;
}

int
conf_load(const ConfArgs *args, ConfReport *report)
{
    ConfSet *set = read_all(args, report);

    parse_defaults();
    if (set != NULL)
        conf_check_together(&(ConfReader){.set = set, .report = report});
    if (report->error_count > 0) {
        free_set(set);
        return OT_E_CONFIG;
    }
    name_later(set, report);
    free_set(present);
    present = set;
    return 0;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Keeps the value in force under the new set's ownership. */
static void
keep_present(ConfSet *set, int id)
{
    const ConfSetting *before = static_of((ConfId)id);

    set->settings[id] = before == NULL ? (ConfSetting){0} : *before;
    conf_adopt(set, id);
}

/* What the new set says of one setting, compared with what is in force. */
static void
compare_setting(ConfSet *set, int id, ConfReport *report)
{
    const ConfRow *row = &conf_rows[id];
    const ConfSetting *before = static_of((ConfId)id);
    const char *old = before != NULL ? before->text : row->default_text;
    const char *new = set->settings[id].text != NULL ? set->settings[id].text : row->default_text;
    const char *shown_old = conf_is_sensitive(row) ? "[hidden]" : old == NULL ? "null" : old;
    const char *shown_new = conf_is_sensitive(row) ? "[hidden]" : new == NULL ? "null" : new;
    const char *place = set->settings[id].place == NULL ? "default" : set->settings[id].place;

    if (same_text(old, new))
        return;
    if (row->change == CONF_CHANGE_START) {
        strbuf_printf(&report->changes, "%s needs a restart, still %s\n", row->name, shown_old);
        keep_present(set, id);
        set->pending[id] = true;
        return;
    }
    strbuf_printf(&report->changes, "%s: %s -> %s (%s)\n", row->name, shown_old, shown_new, place);
    if (conf_live_find((ConfId)id) != NULL) {
        strbuf_printf(&report->warnings,
                      "%s is set by a request to the cluster: the value of %s is not in force\n",
                      row->name, place);
        report->warning_count++;
    }
}

static const ConfExtra *
extra_of(const ConfSet *set, const char *name)
{
    for (int i = set == NULL ? 0 : set->extra_count; i-- > 0;)
        if (strcmp(set->extras[i].name, name) == 0)
            return &set->extras[i];
    return NULL;
}

/* Settings beside the table; their values may be passwords of listeners. */
static void
compare_extra(const ConfExtra *before, const ConfExtra *after, ConfReport *report)
{
    const char *name = after != NULL ? after->name : before->name;
    int row = conf_listener_row(strview_from(name));
    bool hidden =
        strncmp(name, "log.level.", 10) != 0 && (row < 0 || conf_is_sensitive(&conf_rows[row]));

    if (before != NULL && after != NULL && strcmp(before->value, after->value) == 0)
        return;
    strbuf_printf(&report->changes, "%s: %s -> %s (%s)\n", name,
                  before == NULL ? "null"
                  : hidden       ? "[hidden]"
                                 : before->value,
                  after == NULL ? "null"
                  : hidden      ? "[hidden]"
                                : after->value,
                  after == NULL ? "default" : after->place);
}

static void
compare_extras(const ConfSet *set, ConfReport *report)
{
    for (int i = 0; i < set->extra_count; i++)
        compare_extra(extra_of(present, set->extras[i].name), &set->extras[i], report);
    for (int i = 0; present != NULL && i < present->extra_count; i++)
        if (extra_of(set, present->extras[i].name) == NULL)
            compare_extra(&present->extras[i], NULL, report);
}

int
conf_reload(const ConfArgs *args, ConfReport *report)
{
    ConfSet *set = read_all(args, report);

    for (int id = CONF_FIRST; set != NULL && id <= CONF_LAST; id++)
        if (set->skipped[id])
            keep_present(set, id);
    if (set != NULL)
        conf_check_together(&(ConfReader){.set = set, .report = report});
    if (set == NULL || report->error_count > report->skipped_count) {
        free_set(set);
        return OT_E_CONFIG;
    }
    for (int id = CONF_FIRST; id <= CONF_LAST; id++)
        compare_setting(set, id, report);
    compare_extras(set, report);
    name_later(set, report);
    free_set(present);
    present = set;
    return 0;
}

bool
conf_pending_restart(ConfId id)
{
    ot_assert(id >= CONF_FIRST && id <= CONF_LAST);
    return present != NULL && present->pending[id];
}

void
conf_reset(void)
{
    free_set(present);
    present = NULL;
    conf_live_clear();
}

/* ---- with dynamic values ---- */

ConfValue
conf_resolve_static(ConfId id)
{
    const ConfSetting *setting = static_of(id);

    return (ConfValue){strview_from(setting != NULL ? setting->text : conf_rows[id].default_text),
                       setting != NULL ? CONF_SOURCE_STATIC : CONF_SOURCE_DEFAULT,
                       conf_rows[id].name};
}

ConfValue
conf_resolve_broker(ConfId id, const ConfLookup *lookup)
{
    const ConfRow *row = &conf_rows[id];
    ConfValue value = conf_resolve_static(id);

    for (int source = CONF_SOURCE_DYNAMIC_BROKER;
         lookup != NULL && lookup->find != NULL && source <= CONF_SOURCE_DYNAMIC_CLUSTER;
         source++) {
        StrView text = lookup->find(lookup->arg, (ConfSource)source, row->name);

        if (text.ptr != NULL && conf_check(row, text, NULL) == 0)
            return (ConfValue){text, (ConfSource)source, row->name};
    }
    return value;
}

ConfValue
conf_resolve_default(ConfId id, const ConfLookup *lookup, Arena *arena)
{
    const ConfRow *row = &conf_rows[id];

    for (int i = 0; i < row->synonym_count; i++) {
        const ConfSynonym *synonym = &row->synonyms[i];
        ConfValue value = conf_resolve_broker(synonym->id, lookup);
        int64_t number;

        if (value.text.ptr == NULL || value.source == CONF_SOURCE_DEFAULT)
            continue;
        if (synonym->factor == 1 && conf_check(row, value.text, NULL) == 0)
            return value;
        if (!conf_is_number(row))
            break;
        /* A broker's value knows fewer bounds; whatever is below 0 means "no limit". */
        number = conf_text_int64(&conf_rows[synonym->id], value.text);
        number = number < 0                             ? -1
                 : number > INT64_MAX / synonym->factor ? INT64_MAX
                                                        : number * synonym->factor;
        value.text = strview_from(arena_printf(arena, "%" PRId64, number));
        return value;
    }
    return (ConfValue){strview_from(row->default_text), CONF_SOURCE_DEFAULT, row->name};
}
