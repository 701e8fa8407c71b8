/*
 * initdb_int.h - what the files of ottla-initdb share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BIN_INITDB_INT_H
#define OTTLA_BIN_INITDB_INT_H

#include <limits.h>
#include <stdbool.h>

#include "ottla/common/err.h"

/* What the file of settings is to say. */
typedef struct SettingsFile {
    char path[PATH_MAX];
    const char *properties;         /* --from-properties; NULL: none */
    const char *const *assignments; /* "name=value" of -c */
    int assignment_count;
    bool written; /* by us */
} SettingsFile;

/* Writes it unless it is there already; with mode 0640, durable. */
int settings_file_write(SettingsFile *file, ErrInfo *err);

#endif
