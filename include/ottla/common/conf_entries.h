/*
 * conf_entries.h - the files of the settings line by line, as they are now, and ottla.auto.conf changed
 *
 * Reading changes nothing that is in force. ottla.auto.conf is written by requests of super users alone; who
 * changes it sees to it that nobody else does at the same time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CONF_ENTRIES_H
#define OTTLA_COMMON_CONF_ENTRIES_H

#include "ottla/common/conf.h"

/* A line that sets something, or that cannot be read. */
typedef struct ConfEntry {
    const char *file;
    int line;          /* from 1; 0: the file as a whole */
    StrView name;      /* as written; null: the line cannot be read */
    StrView value;     /* without quotes, as written */
    int id;            /* of its row; -1: none */
    const char *text;  /* the value as it would be in force; NULL: in none */
    const char *error; /* what is wrong with it; NULL: nothing */
    bool bad_value;    /* nothing but the value is wrong: a reload leaves it out */
} ConfEntry;

typedef void (*ConfEntryFn)(void *arg, const ConfEntry *entry);

/* Hands out what the files of args say, in the order in which they count: the last one wins. */
void conf_read_entries(const ConfArgs *args, ConfEntryFn take, void *arg);

/* What ALTER SYSTEM asks for; a null value takes the setting out. */
typedef struct ConfAutoChange {
    StrView name;
    StrView value;
} ConfAutoChange;

/* Changes of ottla.auto.conf, which are made together or not at all. */
typedef struct ConfAutoEdit {
    const ConfAutoChange *changes;
    int32_t count;
    bool reset_all; /* first takes out all there is */
} ConfAutoEdit;

/*
 * Judges the changes by the table of settings and writes the file anew, so that whatever happens it holds
 * either what it held before or all of the new; path NULL judges alone. OT_E_INVALID_CONFIG: a name or value is
 * none, or the file cannot be read; then, and when writing fails, it is as before.
 */
int conf_auto_edit(const char *path, const ConfAutoEdit *edit, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
