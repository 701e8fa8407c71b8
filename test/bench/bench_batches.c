/*
 * bench_batches.c - what it costs to judge a batch: ns per record and GB/s, beside the checksum alone
 *
 * One process, one core, best of several rounds. The plain rows are the Produce path; the budget of
 * design.md 10 counts them into "recv + CRC + pwrite".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/batch_validate.h"

#include "bench_kit.h"

#define NOW      1700000000000
#define ROUNDS   7
#define ROUND_NS 40000000.0

static const char *const codec_names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

static BytesView
make_batch(int codec, int32_t value_bytes, int32_t count, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder;
    BytesView bytes;
    uint8_t *value = malloc((size_t)value_bytes);

    options.attributes = (int16_t)codec;
    builder = batch_builder_new(&options, arena);
    ot_assert(value != NULL && builder != NULL);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < value_bytes; j++) {
            value[j] = (uint8_t)("abcdefghijklmnop"[rand() & (j % 4 == 0 ? 15 : 3)]);
        }
        ot_assert(batch_builder_add(
                      builder,
                      &(BatchRecord){.timestamp = NOW + i / 10, .value = {value, value_bytes}},
                      NULL) == 0);
    }
    ot_assert(batch_builder_finish(builder, &bytes, NULL) == 0);
    free(value);
    return bytes;
}

typedef struct Work {
    BatchRules rules;
    BytesView bytes;
    Arena *arena;
} Work;

static void
judge(Work *work)
{
    BatchVerdict verdict;

    batch_precheck(9, work->bytes, &verdict);
    ot_assert(verdict.code == 0);
    batch_validate(&work->rules, work->bytes, work->arena, &verdict);
    ot_assert(verdict.code == 0);
    arena_reset(work->arena);
}

static void
checksum(Work *work)
{
    ot_assert(batch_crc_ok(work->bytes.ptr, (size_t)work->bytes.len));
}

/* The best round's ns for one call. */
static double
measure(void (*call)(Work *), Work *work)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us() * 1e3;
        double spent;
        int calls = 0;

        do {
            call(work);
            calls++;
            spent = now_us() * 1e3 - start;
        } while (spent < ROUND_NS);
        best = spent / calls < best ? spent / calls : best;
    }
    return best;
}

static void
row(const char *what, double ns, int32_t count, int64_t plain_bytes)
{
    printf("%-46s %10.1f us  %7.1f ns/record  %6.2f GB/s\n", what, ns / 1000, ns / count,
           (double)plain_bytes / ns);
}

int
main(void)
{
    static const int32_t sizes[][2] = {{100, 1}, {100, 150}, {100, 9000}, {1024, 900}};
    Arena *arena = arena_new(1 << 20, 0);
    char what[100];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int32_t count = sizes[i][1];
        Work work = {.arena = arena_new(1 << 20, 0)};
        int64_t plain_bytes;

        work.rules = (BatchRules){.now_ms = NOW,
                                  .timestamp_before_max_ms = INT64_MAX,
                                  .timestamp_after_max_ms = 3600000,
                                  .max_message_bytes = 1 << 30,
                                  .segment_bytes = 1 << 30,
                                  .level = BATCH_LEVEL_DEFAULT,
                                  .target_codec = BATCH_TARGET_PRODUCER};
        work.bytes = make_batch(0, sizes[i][0], count, arena);
        plain_bytes = work.bytes.len;
        snprintf(what, sizeof what, "%d x %d B: checksum alone", count, sizes[i][0]);
        row(what, measure(checksum, &work), count, plain_bytes);
        snprintf(what, sizeof what, "%d x %d B: verdict, plain", count, sizes[i][0]);
        row(what, measure(judge, &work), count, plain_bytes);
        for (int codec = 1; codec <= BATCH_CODEC_LAST && count > 1; codec++) {
            work.bytes = make_batch(codec, sizes[i][0], count, arena);
            snprintf(what, sizeof what, "%d x %d B: verdict, %s", count, sizes[i][0],
                     codec_names[codec]);
            row(what, measure(judge, &work), count, plain_bytes);
            work.bytes = make_batch(0, sizes[i][0], count, arena);
            work.rules.target_codec = (int8_t)codec;
            snprintf(what, sizeof what, "%d x %d B: plain into %s", count, sizes[i][0],
                     codec_names[codec]);
            row(what, measure(judge, &work), count, plain_bytes);
            work.rules.target_codec = BATCH_TARGET_PRODUCER;
        }
        arena_free(work.arena);
        arena_reset(arena);
    }
    arena_free(arena);
    return 0;
}
