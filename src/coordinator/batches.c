/*
 * batches.c - units of records become as few batches as fit
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/batches_int.h"

/* What a record has beside its key and value, at most: lengths, deltas, attributes, header count. */
#define RECORD_OVERHEAD_MAX 40

void
batches_init(Batches *batches, Arena *arena, int8_t codec, int32_t max_bytes)
{
    *batches = (Batches){.arena = arena, .codec = codec, .max_bytes = max_bytes};
    batches->end = &batches->first;
}

/* The batch that is being filled goes to the list. */
static int
close_open(Batches *batches, ErrInfo *err)
{
    BuiltBatch *built;
    int rc;

    if (batches->open == NULL)
        return 0;
    built = arena_calloc(batches->arena, 1, sizeof *built);
    if (built == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a batch");
    built->records = batch_builder_count(batches->open);
    rc = batch_builder_finish(batches->open, &built->bytes, err);
    batches->open = NULL;
    if (rc != 0)
        return rc;
    *batches->end = built;
    batches->end = &built->next;
    return 0;
}

static int
open_batch(Batches *batches, ErrInfo *err)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;

    options.attributes = batches->codec;
    options.max_bytes = batches->max_bytes;
    batches->open = batch_builder_new(&options, batches->arena);
    return batches->open != NULL ? 0 : err_set(err, OT_E_NO_MEMORY, "no memory for a batch");
}

int
batches_add(Batches *batches, const GroupRecord *unit, int64_t wall_ms, ErrInfo *err)
{
    int64_t bytes = 0;
    int rc = 0;

    for (const GroupRecord *r = unit; r != NULL; r = r->next)
        bytes += (int64_t)r->key.len + r->value.len + RECORD_OVERHEAD_MAX;
    if (batches->open != NULL && batch_builder_bytes(batches->open) + bytes > batches->max_bytes)
        rc = close_open(batches, err);
    if (rc == 0 && batches->open == NULL)
        rc = open_batch(batches, err);
    for (const GroupRecord *r = unit; r != NULL && rc == 0; r = r->next) {
        BatchRecord record = {.timestamp = wall_ms, .key = r->key, .value = r->value};

        rc = batch_builder_add(batches->open, &record, err);
        batches->records++;
    }
    return rc;
}

int
batches_finish(Batches *batches, ErrInfo *err)
{
    return close_open(batches, err);
}
