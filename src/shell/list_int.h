/*
 * list_int.h - backslash commands that list things: a query over the catalogue, shown by -E
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_LIST_INT_H
#define OTTLA_SHELL_LIST_INT_H

#include "commands_int.h"
#include "ottla/common/strbuf.h"

/* A query that is being put together. Failure (no memory) is told by list_run. */
typedef struct List {
    CommandCall *call;
    StrBuf sql;
    bool where; /* it has a WHERE already */
} List;

/* Begins with "SELECT ". */
void list_begin(List *list, CommandCall *call);

void list_add(List *list, const char *text);

/* " WHERE " or " AND ", and the condition. */
void list_where(List *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The column fits a pattern of the section on patterns of ottla(1); NULL: any does. A plain name becomes "= 'name'". */
void list_pattern(List *list, const char *column, const char *pattern);

/* The column is the text. */
void list_equal(List *list, const char *column, const char *text);

/* Is it a name, and not a pattern? */
bool list_is_name(const char *pattern);

/* Prints what the query gives under the title; the list is released. */
CommandResult list_run(List *list, const char *title);

/*
 * What the query gives, not printed. 0; 1: it was only shown (-E); -1: a fault. The table lies in the arena;
 * the list is released.
 */
int list_fetch(List *list, Arena *arena, PrintTable *ret, Fault *f);

/* The cell as a zero-terminated text of the arena; "" for null. */
const char *list_cell(const PrintTable *table, int64_t row, int32_t column);

/* An arena for one command, freed by arena_free; NULL: told. */
Arena *list_arena(CommandCall *call);

/* Reports the fault; COMMAND_FAILED. */
CommandResult list_fault(CommandCall *call, const Fault *f);

#endif
