/*
 * conf_int.h - a set of values in the making, shared by conf.c and the readers of its sources
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_COMMON_CONF_INT_H
#define OTTLA_SRC_COMMON_CONF_INT_H

#include "ottla/common/arena.h"
#include "ottla/common/conf.h"
#include "ottla/common/conf_entries.h"
#include "ottla/common/properties.h"

#define CONF_EXTRAS_MAX 512 /* settings beside the table */

typedef struct ConfSetting {
    char *text; /* NULL: not set */
    char *place;
    int64_t number;
    double real;
} ConfSetting;

typedef struct ConfExtra {
    char *name;
    char *value;
    char *place;
} ConfExtra;

/* All strings lie in the arena. */
typedef struct ConfSet {
    Arena *arena;
    ConfSetting settings[CONF_LAST + 1];
    bool skipped[CONF_LAST + 1]; /* its last value was bad: a reload keeps what is in force */
    bool pending[CONF_LAST + 1]; /* the files say something else, which a restart puts into force */
    ConfExtra extras[CONF_EXTRAS_MAX];
    int extra_count;
} ConfSet;

/* A file that is being read, and whoever includes it: no file may include itself. */
typedef struct ConfFrame {
    const struct ConfFrame *outer;
    uint64_t device, inode;
} ConfFrame;

/* Somebody looks on while files are read (conf_entries.c). */
typedef struct ConfWatch {
    ConfEntryFn take;
    void *arg;
    ConfEntry *entry; /* conf_put is at work on it; NULL: the line sets nothing */
    char error[512];  /* of it */
} ConfWatch;

/* Where the reader stands, and what it fills. */
typedef struct ConfReader {
    ConfSet *set;
    ConfReport *report;
    const char *file; /* NULL: not in a file */
    int line;
    int depth; /* of includes */
    const ConfFrame *frame;
    const char *what;  /* "command line", "environment" when not in a file */
    const char *place; /* instead of all that: not in messages; NULL: none */
    ConfWatch *watch;  /* NULL: nobody looks on */
    bool properties;   /* Java's rules: no units, unknown names are a warning */
} ConfReader;

static inline bool
conf_is_number(const ConfRow *row)
{
    return row->type == CONF_TYPE_BOOLEAN || row->type == CONF_TYPE_INT ||
           row->type == CONF_TYPE_SHORT || row->type == CONF_TYPE_LONG;
}

/* "FILE:LINE: message" into the report. */
void conf_error(ConfReader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conf_warning(ConfReader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The parsed form of a text that conf_check took; text and place are not set. */
ConfSetting conf_parse(const ConfRow *row, StrView value);

/* conf_live.c: the value that a request set for a setting of nodes, or NULL. */
const ConfSetting *conf_live_find(ConfId id);

/* Behind "listener.name.NAME." or "listener.name.NAME.MECHANISM.": the setting's own row; -1: not such a name. */
int conf_listener_row(StrView name);

/* One name and value from any source: find the row, convert units, check, store. */
void conf_put(ConfReader *reader, StrView name, StrView value);

/* conf_put.c: rules between settings. */
void conf_check_together(ConfReader *reader);

/* Copies the strings of a setting, which may belong to another set, into this one. */
void conf_adopt(ConfSet *set, int id);

/* conf_file.c */
void conf_read_file(ConfReader *reader, const char *path, bool required);
void conf_read_assignment(ConfReader *reader, const char *assignment);
void conf_read_environment(ConfReader *reader);

/* conf_properties.c */
void conf_read_properties(ConfReader *reader, const char *path);

/* conf_providers.c: what config.providers of a .properties file names. */
#define CONF_PROVIDERS_MAX 16

typedef struct ConfProvider {
    const char *name;
    enum {
        CONF_PROVIDER_NONE,
        CONF_PROVIDER_ENV,
        CONF_PROVIDER_FILE,
        CONF_PROVIDER_DIR,
        CONF_PROVIDER_UNKNOWN /* a class that is none of ours */
    } kind;
    const char *allowed; /* absolute paths, separated by commas; NULL: any */
} ConfProvider;

typedef struct ConfProviders {
    ConfProvider rows[CONF_PROVIDERS_MAX];
    int count;
} ConfProviders;

/* Is the name config.providers or one of its own settings? */
bool conf_providers_own(StrView name);

/* Reads them from a whole file; their mistakes are reported at their lines. */
void conf_providers_find(ConfReader *reader, BytesView bytes, ConfProviders *ret);

/*
 * The value of a pair with every ${provider:path:key} filled in, once, as Kafka does: what a provider
 * does not have, and what names none of them, stays as it is. False: a mistake was reported.
 */
bool conf_providers_fill(ConfReader *reader, const ConfProviders *providers, const Properties *pair,
                         StrBuf *ret);

#endif
