/*
 * conf.h - the settings: what exists, what is valid, what is set, and from where
 *
 * src/common/settings.txt has a row per setting of Kafka's and of ours; ids, rows and defaults are
 * generated from it. The supervisor loads the values before the first fork and children inherit
 * them: nobody else changes them, but a reload in each process. Dynamic values (from the metadata
 * log) lie over them: each process puts those of its node here (controller/live_conf.h); who
 * resolves one with its source passes a ConfLookup that finds them.
 *
 * Texts are checked exactly as Kafka checks them (conf_check); units and on/off are a convenience of
 * ottla.conf and -c alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CONF_H
#define OTTLA_COMMON_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/conf_table.h"
#include "ottla/common/err.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "ottla/common/view.h"

typedef enum ConfScope {
    CONF_SCOPE_BROKER,
    CONF_SCOPE_TOPIC,
    CONF_SCOPE_GROUP,
    CONF_SCOPE_METRICS, /* client metrics subscription */
    CONF_SCOPE_COUNT
} ConfScope;

/* With the numbers of DescribeConfigs. */
typedef enum ConfType {
    CONF_TYPE_BOOLEAN = 1,
    CONF_TYPE_STRING = 2,
    CONF_TYPE_INT = 3,
    CONF_TYPE_SHORT = 4,
    CONF_TYPE_LONG = 5,
    CONF_TYPE_DOUBLE = 6,
    CONF_TYPE_LIST = 7,
    CONF_TYPE_CLASS = 8,
    CONF_TYPE_PASSWORD = 9,
} ConfType;

/* With the numbers of DescribeConfigs. */
typedef enum ConfSource {
    CONF_SOURCE_TOPIC = 1,
    CONF_SOURCE_DYNAMIC_BROKER = 2,
    CONF_SOURCE_DYNAMIC_CLUSTER = 3,
    CONF_SOURCE_STATIC = 4,
    CONF_SOURCE_DEFAULT = 5,
    CONF_SOURCE_LOGGER = 6,
    CONF_SOURCE_METRICS = 7,
    CONF_SOURCE_GROUP = 8,
} ConfSource;

typedef enum ConfChange {
    CONF_CHANGE_START,   /* read when the node starts */
    CONF_CHANGE_RELOAD,  /* and when the files are read again */
    CONF_CHANGE_BROKER,  /* and by request, for one node */
    CONF_CHANGE_CLUSTER, /* and by request, for one node or all */
    CONF_CHANGE_DYNAMIC, /* only by request */
    CONF_CHANGE_TOPIC,
    CONF_CHANGE_GROUP,
    CONF_CHANGE_SUBSCRIPTION,
} ConfChange;

typedef struct ConfSynonym {
    ConfId id;
    int64_t factor; /* its unit in that of the row: 3600000 for hours that give milliseconds */
} ConfSynonym;

typedef struct ConfRow {
    const char *name;
    ConfScope scope;
    ConfType type;
    TextUnit unit;
    const char *default_text; /* NULL: null */
    ConfChange change;
    const char *used_by; /* "later": a feature that does not exist yet; "none": without effect */
    bool has_min, has_max, or_minus_one;
    int64_t int_min, int_max;
    double real_min, real_max;
    const char *const *values; /* allowed ones, NULL behind the last; NULL: any */
    bool values_nocase;
    bool nodup, nonempty, nullable, nonnull;
    bool internal, ours;
    bool (*check)(StrView value); /* further test; NULL: none */
    const ConfSynonym *synonyms; /* broker settings that give the default, the first set one wins */
    int synonym_count;
    const char *help;
} ConfRow;

extern const ConfRow conf_rows[CONF_ID_COUNT];

/* Password or unknown settings are never shown. */
static inline bool
conf_is_sensitive(const ConfRow *row)
{
    return row->type == CONF_TYPE_PASSWORD;
}

/* ---- names ---- */

/* Exact name. -1: none. */
int conf_find(ConfScope scope, StrView name);

/* Any case, '_' for '.': the names of ottla.conf and -c. -1: none. */
int conf_find_loose(StrView name);

/* The known name that is nearest to an unknown one; NULL: none is near. */
const char *conf_nearest(ConfScope scope, StrView name);

/* ---- values ---- */

/*
 * Is the text valid for this row, as Kafka decides? A null value is one only where the default is null.
 * OT_E_INVALID_CONFIG with a text that names setting, value and what is allowed.
 */
int conf_check(const ConfRow *row, StrView value, ErrInfo *err) __attribute__((warn_unused_result));

/* Check hooks that rows of settings.txt name. */
bool conf_check_throttle(StrView value);
bool conf_check_offsetreset(StrView value);
bool conf_check_ipcounts(StrView value);

/*
 * An item "HOST:COUNT" of max.connections.per.ip.overrides; false: it is none. As in Kafka a host may be empty
 * (this machine), a count negative (as 0), and empty items at the end of the list count for nothing.
 */
StrView conf_ipcounts_begin(StrView list); /* for conf_list_next */
bool conf_ipcount(StrView item, StrView *ret_host, int32_t *ret_count);

/*
 * A valid text as DescribeConfigs shows it: trimmed, numbers in plain form, list items trimmed and once.
 * The result lies in the arena; ptr NULL: no memory.
 */
StrView conf_canonical(const ConfRow *row, StrView value, Arena *arena);

/* Numbers of valid texts. Booleans are 0 and 1. */
int64_t conf_text_int64(const ConfRow *row, StrView value);
double conf_text_double(const ConfRow *row, StrView value);

/*
 * A list item by item, trimmed:
 *     for (StrView rest = conf_list_begin(list), item; conf_list_next(&rest, &item);)
 * An empty list has no item; between two commas there is an empty one.
 */
StrView conf_list_begin(StrView list);
bool conf_list_next(StrView *rest, StrView *ret);

/* ---- the node's own values: requests, command line, files, environment, defaults ---- */

int64_t conf_int64(ConfId id);
int32_t conf_int32(ConfId id);
bool conf_bool(ConfId id);
double conf_double(ConfId id);
const char *conf_str(ConfId id); /* NULL: null */
bool conf_is_set(ConfId id);     /* by a file, an argument or the environment; not by a request */

/* Where it was set: "ottla.conf:12", "command line"; NULL when it is the default. */
const char *conf_place(ConfId id);

/*
 * Settings beside the table: listener.name.* and log.level.*, and unknown ones of .properties files.
 * conf_extra_find: NULL when not set. By index: false behind the last.
 */
const char *conf_extra_find(const char *name);
const char *conf_static_extra(const char *name); /* without what requests set */
bool conf_extra_at(int index, const char **ret_name, const char **ret_value);

typedef struct ConfArgs {
    const char *file; /* ottla.conf; NULL: none; not there: fine unless file_required */
    bool file_required;
    const char *auto_file;  /* ottla.auto.conf; NULL or not there: none */
    const char *properties; /* --properties FILE; NULL: none; must be there. Read before `file` */
    const char *const *assignments; /* "name=value" of -c, the last wins */
    int assignment_count;
    bool environment; /* read OTTLA_CONF_<NAME> */
} ConfArgs;

typedef struct ConfReport {
    StrBuf errors;   /* a line each: "FILE:LINE: message" */
    StrBuf warnings; /* as errors */
    StrBuf changes;  /* reload: "NAME: OLD -> NEW (PLACE)", "NAME needs a restart, still OLD" */
    StrBuf later;    /* set by somebody, but for features that do not exist yet: "a, b, c" */
    int error_count;
    int skipped_count; /* of the errors, those of single values: a reload goes on without them */
    int warning_count;
} ConfReport;

void conf_report_init(ConfReport *report);
void conf_report_release(ConfReport *report);

/*
 * Reads everything and, if there was no error, makes it the node's values. Order of precedence: -c,
 * ottla.auto.conf, ottla.conf and what it includes, --properties, environment, default.
 * OT_E_CONFIG: errors are in the report, nothing has changed. Before the first call: the defaults.
 */
int conf_load(const ConfArgs *args, ConfReport *report) __attribute__((warn_unused_result));

/*
 * As conf_load in a running node: settings that need a restart keep their values, the report says so. A bad
 * value of a known setting leaves what is in force (skipped_count of the report); every other error changes
 * nothing at all.
 */
int conf_reload(const ConfArgs *args, ConfReport *report) __attribute__((warn_unused_result));

/*
 * A server.properties as the text of an ottla.conf: comments come along, names that are not known become comments. What it
 * refers to by providers is filled in. OT_E_CONFIG: the report says why.
 */
int conf_convert_properties(const char *path, StrBuf *out, ConfReport *report)
    __attribute__((warn_unused_result));

/* Do the files say something else since the last reload, which a restart would put into force? */
bool conf_pending_restart(ConfId id);

/* Back to the defaults; for tests. */
void conf_reset(void);

/*
 * Dynamic values of this node over those of the files: from conf_live_put on the functions above give
 * them. Names that are no setting that can change while the node runs, and texts that conf_check
 * refuses, are left out; a later value of a name replaces an earlier one. Texts are copied; what
 * conf_str gave for a live value before conf_live_clear is gone.
 */
void conf_live_clear(void);
void conf_live_put(StrView name, StrView value);
const char *conf_live_str(ConfId id);          /* NULL: no dynamic value */
const char *conf_live_extra(const char *name); /* listener.name.* set by request; NULL: not set */

/* ---- values with dynamic ones over them ---- */

/*
 * Finds dynamic values: for one node (source 2) or all (source 3). A null view: not set. May be NULL.
 */
typedef struct ConfLookup {
    StrView (*find)(void *arg, ConfSource source, const char *name);
    void *arg;
} ConfLookup;

typedef struct ConfValue {
    StrView text; /* null: null; in static memory, the lookup's, or the arena */
    ConfSource source;
    const char *name; /* of the setting that gave it: the row's, or a synonym's */
} ConfValue;

/* A broker setting without its dynamic values. */
ConfValue conf_resolve_static(ConfId id);

/* A broker setting: dynamic for the node, dynamic for all, static, default. */
ConfValue conf_resolve_broker(ConfId id, const ConfLookup *lookup);

/*
 * The value that a topic or group setting has without an override of its own. Values of synonyms with
 * another unit are converted into the arena. Text null and no memory look alike only for such synonyms.
 */
ConfValue conf_resolve_default(ConfId id, const ConfLookup *lookup, Arena *arena);

/*
 * Everything that gives the named setting of nodes a value, from what is in force down to the default;
 * listener.name.* and names that are no setting, too. Texts as they were given. Returns their number.
 */
#define CONF_SYNONYMS_MAX 16
int conf_synonyms(const char *name, const ConfLookup *lookup, ConfValue ret[CONF_SYNONYMS_MAX]);

/* The row behind a name in force for nodes, listener.name.* without its prefix; -1: none. */
int conf_broker_row(StrView name);

#endif
