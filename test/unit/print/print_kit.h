/*
 * print_kit.h - what tests of print share: tables of vectors/tables, printing into memory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_PRINT_KIT_H
#define OTTLA_TEST_PRINT_KIT_H

#include <stddef.h>

#include "ottla/common/arena.h"
#include "ottla/print/options.h"
#include "ottla/print/table.h"

/* A line's escapes (\n \t \r \\ \xNN) made into bytes, into the arena. */
StrView kit_unescaped(Arena *arena, StrView text);

/* The table of that name of test/unit/print/vectors/tables. */
void kit_table(PrintTable *table, Arena *arena, StrView name);

/* Sets an option that is there with a value that it takes. */
void kit_set(PrintOptions *options, const char *name, const char *value);

/* What print_table prints, zero-terminated; the caller frees it. */
char *kit_printed(const PrintTable *table, const PrintOptions *options, size_t *ret_len);

#endif
