/*
 * stat_settings.c - the views settings and file_settings
 *
 * Runs in: backend. Cursors: setting (rows of the table, then those beside it); line of a file. settings shows what is in
 * force in this process, which follows the others within a turn; file_settings reads the files now, by the readers of
 * a reload, and changes nothing. Values of passwords are never shown, places in files to super users alone.
 * Spec: shell-and-service.md 12.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "backend/conn_int.h"
#include "backend/stat_int.h"
#include "ottla/common/conf_entries.h"
#include "ottla/common/strbuf.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"

#define HIDDEN        STRVIEW("[hidden]")
#define COMMAND_LINE  "command line"
#define ENVIRONMENT   "environment"
#define ENUM_TEXT_MAX 4096

/* ---- settings ---------------------------------------------------------------------------------- */

enum {
    S_NODE_ID,
    S_NAME,
    S_SETTING,
    S_UNIT,
    S_CATEGORY,
    S_SHORT_DESC,
    S_EXTRA_DESC,
    S_CONTEXT,
    S_VARTYPE,
    S_SOURCE,
    S_MIN_VAL,
    S_MAX_VAL,
    S_ENUMVALS,
    S_BOOT_VAL,
    S_RESET_VAL,
    S_SOURCEFILE,
    S_SOURCELINE,
    S_PENDING_RESTART,
    S_CLUSTER_VALUE,
    S_CLUSTER_SOURCE,
};

static const StatColumn setting_columns[] = {
    [S_NODE_ID] = {"node_id", STAT_INTEGER},
    [S_NAME] = {"name", STAT_TEXT},
    [S_SETTING] = {"setting", STAT_TEXT},
    [S_UNIT] = {"unit", STAT_TEXT},
    [S_CATEGORY] = {"category", STAT_TEXT},
    [S_SHORT_DESC] = {"short_desc", STAT_TEXT},
    [S_EXTRA_DESC] = {"extra_desc", STAT_TEXT},
    [S_CONTEXT] = {"context", STAT_TEXT},
    [S_VARTYPE] = {"vartype", STAT_TEXT},
    [S_SOURCE] = {"source", STAT_TEXT},
    [S_MIN_VAL] = {"min_val", STAT_TEXT},
    [S_MAX_VAL] = {"max_val", STAT_TEXT},
    [S_ENUMVALS] = {"enumvals", STAT_TEXT},
    [S_BOOT_VAL] = {"boot_val", STAT_TEXT},
    [S_RESET_VAL] = {"reset_val", STAT_TEXT},
    [S_SOURCEFILE] = {"sourcefile", STAT_TEXT},
    [S_SOURCELINE] = {"sourceline", STAT_INTEGER},
    [S_PENDING_RESTART] = {"pending_restart", STAT_BOOLEAN},
    [S_CLUSTER_VALUE] = {"cluster_value", STAT_TEXT},
    [S_CLUSTER_SOURCE] = {"cluster_source", STAT_TEXT},
};

static StrView
context_of(ConfChange change)
{
    switch (change) {
    case CONF_CHANGE_START:
        return STRVIEW("startup");
    case CONF_CHANGE_RELOAD:
        return STRVIEW("reload");
    case CONF_CHANGE_BROKER:
    case CONF_CHANGE_CLUSTER:
    case CONF_CHANGE_DYNAMIC:
    case CONF_CHANGE_TOPIC:
    case CONF_CHANGE_GROUP:
    case CONF_CHANGE_SUBSCRIPTION:
        break;
    }
    return STRVIEW("dynamic");
}

static StrView
vartype_of(const ConfRow *row)
{
    switch (row->type) {
    case CONF_TYPE_BOOLEAN:
        return STRVIEW("bool");
    case CONF_TYPE_INT:
    case CONF_TYPE_SHORT:
    case CONF_TYPE_LONG:
        return STRVIEW("integer");
    case CONF_TYPE_DOUBLE:
        return STRVIEW("real");
    case CONF_TYPE_LIST:
        return STRVIEW("list");
    case CONF_TYPE_PASSWORD:
        return STRVIEW("password");
    case CONF_TYPE_STRING:
    case CONF_TYPE_CLASS:
        break;
    }
    return row->values != NULL ? STRVIEW("enum") : STRVIEW("string");
}

static StrView
unit_of(TextUnit unit)
{
    switch (unit) {
    case TEXT_UNIT_BYTES:
        return STRVIEW("B");
    case TEXT_UNIT_US:
        return STRVIEW("us");
    case TEXT_UNIT_MS:
        return STRVIEW("ms");
    case TEXT_UNIT_SECONDS:
        return STRVIEW("s");
    case TEXT_UNIT_MINUTES:
        return STRVIEW("min");
    case TEXT_UNIT_HOURS:
        return STRVIEW("h");
    case TEXT_UNIT_NONE:
        break;
    }
    return (StrView){NULL, 0};
}

static void
put_view(StatScan *scan, int32_t column, StrView text)
{
    if (text.ptr != NULL)
        stat_text(scan, column, text);
}

static void
put_value(StatScan *scan, int32_t column, StrView text, bool hidden)
{
    put_view(scan, column, text.ptr != NULL && hidden ? HIDDEN : text);
}

/* The part of a name before its first dot: what it is about, more or less. */
static StrView
category_of(const char *name)
{
    return (StrView){name, (int32_t)strcspn(name, ".")};
}

/* The first sentence of the help, and the others. */
static void
put_help(StatScan *scan, const char *help)
{
    const char *end = strstr(help, ". ");

    if (end == NULL) {
        stat_text(scan, S_SHORT_DESC, strview_from(help));
        return;
    }
    stat_text(scan, S_SHORT_DESC, (StrView){help, (int32_t)(end + 1 - help)});
    stat_text(scan, S_EXTRA_DESC, strview_from(end + 2));
}

/* "FILE:LINE", or one of the other sources; NULL: the default. */
static void
put_place(StatScan *scan, const char *place)
{
    const char *colon = place == NULL ? NULL : strrchr(place, ':');
    int64_t line;

    if (place == NULL || strcmp(place, COMMAND_LINE) == 0 || strcmp(place, ENVIRONMENT) == 0) {
        stat_text(scan, S_SOURCE,
                  place == NULL                      ? STRVIEW("default")
                  : strcmp(place, COMMAND_LINE) == 0 ? STRVIEW(COMMAND_LINE)
                                                     : STRVIEW("environment variable"));
        return;
    }
    stat_text(scan, S_SOURCE, STRVIEW("configuration file"));
    if (colon == NULL || !conn_is_super(scan->rq->conn) ||
        !text_to_int64(strview_from(colon + 1), &line))
        return;
    stat_text(scan, S_SOURCEFILE, (StrView){place, (int32_t)(colon - place)});
    stat_integer(scan, S_SOURCELINE, line);
}

/* Bounds and allowed values; texts are made in buffers that last until the row ends. */
typedef struct BoundTexts {
    char min[32], max[32];
    StrBuf values;
} BoundTexts;

static void
put_bounds(StatScan *scan, const ConfRow *row, BoundTexts *texts)
{
    bool real = row->type == CONF_TYPE_DOUBLE;

    if (row->has_min) {
        if (real)
            snprintf(texts->min, sizeof texts->min, "%.17g", row->real_min);
        else
            snprintf(texts->min, sizeof texts->min, "%lld", (long long)row->int_min);
        stat_text(scan, S_MIN_VAL, strview_from(texts->min));
    }
    if (row->has_max) {
        if (real)
            snprintf(texts->max, sizeof texts->max, "%.17g", row->real_max);
        else
            snprintf(texts->max, sizeof texts->max, "%lld", (long long)row->int_max);
        stat_text(scan, S_MAX_VAL, strview_from(texts->max));
    }
    if (row->values == NULL)
        return;
    for (const char *const *value = row->values; *value != NULL; value++) {
        if (texts->values.len > 0)
            strbuf_add_char(&texts->values, ',');
        strbuf_add_cstr(&texts->values, *value);
    }
    if (!strbuf_failed(&texts->values))
        stat_text(scan, S_ENUMVALS, strbuf_view(&texts->values));
}

/* What requests to the cluster have set for this node; a null view: nothing. */
static StrView
cluster_value(const ConfLookup *lookup, const char *name, ConfSource *ret_source)
{
    StrView text = lookup->find(lookup->arg, CONF_SOURCE_DYNAMIC_BROKER, name);

    *ret_source = CONF_SOURCE_DYNAMIC_BROKER;
    if (text.ptr != NULL)
        return text;
    *ret_source = CONF_SOURCE_DYNAMIC_CLUSTER;
    return lookup->find(lookup->arg, CONF_SOURCE_DYNAMIC_CLUSTER, name);
}

static void
put_cluster(StatScan *scan, const ConfLookup *lookup, const char *name, bool hidden)
{
    ConfSource source;
    StrView text = cluster_value(lookup, name, &source);

    if (text.ptr == NULL)
        return;
    put_value(scan, S_CLUSTER_VALUE, text, hidden);
    stat_text(scan, S_CLUSTER_SOURCE,
              source == CONF_SOURCE_DYNAMIC_BROKER ? STRVIEW("node") : STRVIEW("all nodes"));
}

static void
put_setting(StatScan *scan, int id, const ConfLookup *lookup)
{
    const ConfRow *row = &conf_rows[id];
    bool hidden = conf_is_sensitive(row);
    BoundTexts texts;

    stat_integer(scan, S_NODE_ID, node_info.node_id);
    stat_text(scan, S_NAME, strview_from(row->name));
    if (!stat_row_lives(scan))
        return;
    strbuf_init(&texts.values, ENUM_TEXT_MAX, NULL);
    put_value(scan, S_SETTING, strview_from(conf_str((ConfId)id)), hidden);
    put_view(scan, S_UNIT, unit_of(row->unit));
    stat_text(scan, S_CATEGORY, category_of(row->name));
    put_help(scan, row->help);
    stat_text(scan, S_CONTEXT, context_of(row->change));
    stat_text(scan, S_VARTYPE, vartype_of(row));
    if (conf_live_str((ConfId)id) != NULL)
        stat_text(scan, S_SOURCE, STRVIEW("cluster metadata"));
    else
        put_place(scan, conf_place((ConfId)id));
    put_bounds(scan, row, &texts);
    put_value(scan, S_BOOT_VAL, strview_from(row->default_text), hidden);
    put_value(scan, S_RESET_VAL, conf_resolve_static((ConfId)id).text, hidden);
    stat_boolean(scan, S_PENDING_RESTART, conf_pending_restart((ConfId)id));
    put_cluster(scan, lookup, row->name, hidden);
    stat_end(scan);
    strbuf_release(&texts.values);
}

/* listener.name.*, log.level.*, and unknown names of .properties files, whose values may be anything. */
static bool
extra_is_hidden(const char *name)
{
    int row = conf_broker_row(strview_from(name));

    if (strncmp(name, "log.level.", 10) == 0)
        return false;
    return row < 0 || conf_is_sensitive(&conf_rows[row]);
}

static void
put_extra(StatScan *scan, const char *name, const char *value, const ConfLookup *lookup)
{
    bool hidden = extra_is_hidden(name);
    const char *live = conf_live_extra(name);

    stat_integer(scan, S_NODE_ID, node_info.node_id);
    stat_text(scan, S_NAME, strview_from(name));
    put_value(scan, S_SETTING, strview_from(live == NULL ? value : live), hidden);
    stat_text(scan, S_CATEGORY, category_of(name));
    stat_text(scan, S_VARTYPE, STRVIEW("string"));
    stat_text(scan, S_SOURCE,
              live == NULL ? STRVIEW("configuration file") : STRVIEW("cluster metadata"));
    put_value(scan, S_RESET_VAL, strview_from(value), hidden);
    stat_boolean(scan, S_PENDING_RESTART, false);
    put_cluster(scan, lookup, name, hidden);
    stat_end(scan);
}

#define TABLE_ROWS (CONF_LAST - CONF_FIRST + 1)

static int64_t
scan_settings_with(StatScan *scan, int64_t cursor, const ConfLookup *lookup)
{
    const char *name, *value;

    for (; cursor < TABLE_ROWS; cursor++) {
        if (!stat_look(scan))
            return cursor;
        if (!conf_rows[CONF_FIRST + cursor].internal)
            put_setting(scan, CONF_FIRST + (int)cursor, lookup);
    }
    for (; cursor - TABLE_ROWS < INT32_MAX &&
           conf_extra_at((int)(cursor - TABLE_ROWS), &name, &value);
         cursor++) {
        if (!stat_look(scan))
            return cursor;
        put_extra(scan, name, value, lookup);
    }
    return STAT_END;
}

static StrView
find_nothing(void *arg, ConfSource source, const char *name)
{
    (void)arg;
    (void)source;
    (void)name;
    return (StrView){NULL, 0};
}

/* The image is pinned for a page: it takes no lock and reads no file. */
static int64_t
scan_settings(StatScan *scan, int64_t cursor)
{
    ConfLookup lookup = {.find = find_nothing};
    ImagePin pin = image_pin();
    NodeValues values;

    if (pin.image != NULL)
        lookup = node_values_lookup(&values, pin.image, node_info.node_id);
    cursor = scan_settings_with(scan, cursor, &lookup);
    image_unpin(&pin);
    return cursor;
}

const StatView stat_settings_view = {.name = "settings",
                                     .columns = setting_columns,
                                     .column_count =
                                         sizeof setting_columns / sizeof setting_columns[0],
                                     .scan = scan_settings};

/* ---- file_settings ------------------------------------------------------------------------------ */

enum { F_NODE_ID, F_SOURCEFILE, F_SOURCELINE, F_SEQNO, F_NAME, F_SETTING, F_APPLIED, F_ERROR };

static const StatColumn file_columns[] = {
    [F_NODE_ID] = {"node_id", STAT_INTEGER},
    [F_SOURCEFILE] = {"sourcefile", STAT_TEXT},
    [F_SOURCELINE] = {"sourceline", STAT_INTEGER},
    [F_SEQNO] = {"seqno", STAT_INTEGER},
    [F_NAME] = {"name", STAT_TEXT},
    [F_SETTING] = {"setting", STAT_TEXT},
    [F_APPLIED] = {"applied", STAT_BOOLEAN},
    [F_ERROR] = {"error", STAT_TEXT},
};

#define EXTRAS_MAX 512 /* names beside the table that are told apart; the readers take no more */

/* What a first pass over the files finds out: which line of a setting counts, and whether any would. */
typedef struct FileLines {
    StatScan *scan;
    int64_t cursor;
    int64_t seqno;
    bool refused;             /* a reload would apply nothing */
    bool full;                /* the page is */
    int64_t last[TABLE_ROWS]; /* by setting: the last line that sets it, from 1 */
    struct {
        StrView name; /* in the request's arena */
        int64_t last;
    } extras[EXTRAS_MAX];
    int extra_count;
} FileLines;

static int64_t *
last_of_extra(FileLines *lines, StrView name)
{
    StrView copy;

    for (int i = 0; i < lines->extra_count; i++)
        if (strview_equal(lines->extras[i].name, name))
            return &lines->extras[i].last;
    copy = lines->extra_count == EXTRAS_MAX
               ? (StrView){NULL, 0}
               : strview_from(arena_strdup(lines->scan->rq->arena, name));
    if (copy.ptr == NULL)
        return NULL;
    lines->extras[lines->extra_count].name = copy;
    return &lines->extras[lines->extra_count++].last;
}

static int64_t *
last_of(FileLines *lines, const ConfEntry *entry)
{
    return entry->id >= 0 ? &lines->last[entry->id - CONF_FIRST]
                          : last_of_extra(lines, entry->name);
}

static void
survey(void *arg, const ConfEntry *entry)
{
    FileLines *lines = arg;
    int64_t *last;

    lines->seqno++;
    lines->refused |= entry->error != NULL && !entry->bad_value;
    if (entry->name.ptr == NULL)
        return;
    last = last_of(lines, entry);
    if (last != NULL)
        *last = lines->seqno;
}

static bool
entry_is_hidden(const ConfEntry *entry)
{
    char name[256];

    if (entry->id >= 0)
        return conf_is_sensitive(&conf_rows[entry->id]);
    snprintf(name, sizeof name, "%.*s", (int)(entry->name.len < 255 ? entry->name.len : 255),
             entry->name.ptr);
    return extra_is_hidden(name);
}

/* Why a line does not count although it is right; NULL: it counts. */
static const char *
why_not(FileLines *lines, const ConfEntry *entry)
{
    const int64_t *last = last_of(lines, entry);
    const char *now, *place;

    if (last != NULL && *last != lines->seqno)
        return ""; /* a later line wins: that is no fault */
    if (entry->id < 0)
        return NULL;
    place = conf_place((ConfId)entry->id);
    if (place != NULL && strcmp(place, COMMAND_LINE) == 0)
        return "the command line weighs more";
    now = conf_resolve_static((ConfId)entry->id).text.ptr;
    if (conf_rows[entry->id].change == CONF_CHANGE_START &&
        (now == NULL || entry->text == NULL || strcmp(now, entry->text) != 0))
        return "needs a restart";
    return NULL;
}

static void
put_line(void *arg, const ConfEntry *entry)
{
    FileLines *lines = arg;
    StatScan *scan = lines->scan;
    const char *fault = entry->error;
    bool applied = false;

    if (lines->full || ++lines->seqno <= lines->cursor)
        return;
    if (!stat_look(scan)) {
        lines->full = true;
        lines->cursor = lines->seqno - 1;
        return;
    }
    if (fault == NULL) {
        fault = why_not(lines, entry);
        applied = fault == NULL && !lines->refused;
    }
    stat_integer(scan, F_NODE_ID, node_info.node_id);
    if (conn_is_super(scan->rq->conn)) {
        stat_text(scan, F_SOURCEFILE, strview_from(entry->file));
        stat_integer(scan, F_SOURCELINE, entry->line);
    }
    stat_integer(scan, F_SEQNO, lines->seqno);
    if (entry->name.ptr != NULL) {
        stat_text(scan, F_NAME,
                  entry->id >= 0 ? strview_from(conf_rows[entry->id].name) : entry->name);
        put_value(scan, F_SETTING, entry->value, entry_is_hidden(entry));
    }
    stat_boolean(scan, F_APPLIED, applied);
    if (fault != NULL && fault[0] != '\0')
        stat_text(scan, F_ERROR, strview_from(fault));
    stat_end(scan);
}

/* The files are read anew for each page: lines that came or went in between move the pages. */
static int64_t
scan_file_settings(StatScan *scan, int64_t cursor)
{
    FileLines *lines;

    request_grow(scan->rq, sizeof *lines + (size_t)EXTRAS_MAX * 256);
    lines = arena_calloc(scan->rq->arena, 1, sizeof *lines);
    scan->failed |= lines == NULL;
    if (lines == NULL)
        return STAT_END;
    lines->scan = scan;
    lines->cursor = cursor;
    conf_read_entries(node_settings_sources(), survey, lines);
    lines->seqno = 0;
    conf_read_entries(node_settings_sources(), put_line, lines);
    return lines->full ? lines->cursor : STAT_END;
}

const StatView stat_file_settings_view = {.name = "file_settings",
                                          .columns = file_columns,
                                          .column_count =
                                              sizeof file_columns / sizeof file_columns[0],
                                          .scan = scan_file_settings};
