/*
 * fuzz_metadata.c - any bytes as the metadata log or a snapshot of a node that starts
 *
 * Byte 0 chooses: 0 the log's file, 1 its batches with right checksums, 2 a snapshot's file, 3 its batches with
 * right checksums, 4 records (each with its length) in a right batch of the log. Claims:
 *   - starting ends with an error or an active controller, and never crashes;
 *   - an image that was read can be written as a snapshot, and a node starts from that.
 *
 * Kit: controller/one_node controller/controller_kit
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "controller/controller_kit.h"
#include "controller/meta_batch.h"
#include "ottla/common/assert.h"
#include "ottla/storage/logdirs.h"

#define NOW INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A batch of the log that holds the records of the input. */
static BytesView
record_batch(FuzzInput *in, Arena *arena)
{
    BytesView records[64];
    int32_t count = 0;
    MetaBatchAt at = {0, 1, NOW};
    BytesView ret = {NULL, 0};
    ErrInfo err;

    while (in->at < in->end && count < 64)
        records[count++] = fuzz_piece(in);
    if (count == 0 || meta_data_batch(&at, records, count, arena, &ret, &err) != 0)
        return (BytesView){NULL, 0};
    return ret;
}

/* 0: the node started. */
static int
start(Controller *c, const char *folder)
{
    ControllerSettings settings = kit_settings(folder);
    ErrInfo err = {0};

    if (logdir_count() == 0)
        ot_assert(logdir_add(folder, settings.metadata_dir_id, &err) >= 0);
    return controller_start(c, &settings, NOW, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Controller c;
    FuzzInput in = {data, data + size};
    uint8_t how = fuzz_byte(&in) % 5;
    const char *folder = fuzz_folder();
    char log[512];
    Arena *arena = arena_new(65536, 0);
    uint8_t *copy = NULL;
    BytesView bytes;
    ErrInfo err;

    if (size > 1 << 16)
        return 0;
    fuzz_quiet();
    fuzz_clear(folder);
    kit_format(folder);
    (void)snprintf(log, sizeof log, "%s/__cluster_metadata-0", folder);
    bytes = how == 4 ? record_batch(&in, arena) : fuzz_rest(&in);
    if (how == 1 || how == 3)
        bytes = fuzz_sealed(bytes, &copy);
    if (how == 2 || how == 3)
        fuzz_write(log, "00000000000000000005-0000000001.checkpoint", bytes);
    else
        fuzz_write(log, "00000000000000000000.log", bytes);
    free(copy);
    arena_free(arena);
    kit_region(8 << 20, 32);
    if (start(&c, folder) == 0) {
        int rc = controller_snapshot(&c, NOW, &err);

        ot_assert(rc == 0 || rc == OT_E_EXISTS);
        controller_stop(&c);
        kit_region_end();
        kit_region(8 << 20, 32);
        ot_assert(start(&c, folder) == 0);
    }
    controller_stop(&c);
    kit_region_end();
    return 0;
}
