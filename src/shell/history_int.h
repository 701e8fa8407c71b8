/*
 * history_int.h - statements that were typed, from session to session
 *
 * Entries are statements as they were typed, line feeds and all. The file holds an entry a line, oldest first; sessions
 * that run side by side only append to it. What has the word PASSWORD in it is kept nowhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_HISTORY_INT_H
#define OTTLA_SHELL_HISTORY_INT_H

#include "shell_int.h"

/* Reads the file; fn is told each entry, oldest first. */
void history_load(Shell *shell, void (*fn)(const char *entry));

/* One more, unless HISTCONTROL or its text keep it out. True: it was taken. */
bool history_add(Shell *shell, StrView text);

/* Appends what came in this session to the file, and cuts that to HISTSIZE entries. */
void history_save(Shell *shell);

/* All entries, oldest first (\s). */
void history_write(FILE *out);

void history_free(void);

#endif
