/*
 * batch_kit.h - vectors and hand-made batches for the tests of batches and records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_UNIT_PROTOCOL_BATCH_KIT_H
#define OTTLA_TEST_UNIT_PROTOCOL_BATCH_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/batch_validate.h"
#include "ottla/protocol/record.h"

#define KIT_COLUMNS_MAX 16

/* One row of a file of test/vectors/records; the first line is skipped. */
typedef struct KitRow {
    char *line;
    size_t room;
    char *column[KIT_COLUMNS_MAX];
    int count;
} KitRow;

FILE *kit_open(const char *name);

/* False at the end, which also frees the row. */
bool kit_next(FILE *file, KitRow *row);

/* "-" gives an empty view. Memory of exactly that size, so that ASan sees every byte too far. */
BytesView kit_hex(const char *hex);
void kit_free(BytesView bytes);

/* A copy of exactly len bytes. */
BytesView kit_copy(const void *bytes, size_t len);

/* A batch of any payload around a header made of options; count and delta as given. */
BytesView kit_assemble(const BatchBuilderOptions *options, BytesView payload, int32_t count,
                       int32_t last_offset_delta);

/* A good batch of count records with 100-byte values, keys, and one header. */
BytesView kit_batch(Arena *arena, int16_t attributes, int32_t count, int64_t timestamp);

/* The bytes of a literal. */
BytesView kit_text(const char *text);

/* Rules that accept what is good, with a clock of `now_ms`. */
BatchRules kit_rules(int64_t now_ms);

/* Deterministic bytes for mutation tests. */
uint64_t kit_random(uint64_t *state);

#endif
