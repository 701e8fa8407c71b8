/*
 * fuzz_files.c - any bytes as one of the small files of a node
 *
 * Byte 0 chooses the file. Claims: reading ends with an error or a value, and never crashes; what was read
 * can be written, and reads the same again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/postmaster/meta_properties.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/control_file.h"
#include "ottla/storage/producer_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
epochs(const char *folder, BytesView bytes)
{
    EpochEntry *first, *again;
    int32_t count, count_again;
    ErrInfo err;

    fuzz_write(folder, LEADER_EPOCH_FILE, bytes);
    if (epoch_file_load(folder, &first, &count, &err) != 0)
        return;
    for (int32_t i = 1; i < count; i++)
        ot_assert(first[i - 1].epoch < first[i].epoch);
    ot_assert(epoch_file_store(folder, first, count, &err) == 0);
    ot_assert(epoch_file_load(folder, &again, &count_again, &err) == 0);
    ot_assert(count == count_again);
    for (int32_t i = 0; i < count; i++)
        ot_assert(first[i].epoch == again[i].epoch &&
                  first[i].start_offset == again[i].start_offset);
    free(first);
    free(again);
}

static void
partition_metadata(const char *folder, BytesView bytes)
{
    Uuid first, again;
    ErrInfo err;

    fuzz_write(folder, PARTITION_METADATA_FILE, bytes);
    if (partition_metadata_load(folder, &first, &err) != 0)
        return;
    ot_assert(partition_metadata_store(folder, first, VFS_NOT_SYNCED, &err) == 0);
    ot_assert(partition_metadata_load(folder, &again, &err) == 0);
    ot_assert(uuid_equal(first, again));
}

static void
offset_checkpoint(const char *folder, BytesView bytes)
{
    OffsetCheckpoint *first, *again;
    OffsetCheckpointWriter *writer;
    OffsetCheckpointEntry entry;
    ErrInfo err;

    fuzz_write(folder, CHECKPOINT_RECOVERY_POINT, bytes);
    if (offset_checkpoint_load(folder, CHECKPOINT_RECOVERY_POINT, &first, &err) != 0)
        return;
    writer = offset_checkpoint_writer_new();
    ot_assert(writer != NULL);
    for (size_t i = 0; offset_checkpoint_at(first, i, &entry); i++)
        ot_assert(offset_checkpoint_add(writer, &entry) == 0);
    ot_assert(offset_checkpoint_store(writer, folder, CHECKPOINT_RECOVERY_POINT, &err) == 0);
    offset_checkpoint_writer_free(writer);
    ot_assert(offset_checkpoint_load(folder, CHECKPOINT_RECOVERY_POINT, &again, &err) == 0);
    ot_assert(offset_checkpoint_count(first) == offset_checkpoint_count(again));
    for (size_t i = 0; offset_checkpoint_at(first, i, &entry); i++) {
        int64_t offset;

        ot_assert(offset_checkpoint_find(again, entry.topic, entry.partition, &offset));
        ot_assert(offset == entry.offset);
    }
    offset_checkpoint_free(first);
    offset_checkpoint_free(again);
}

static void
meta_properties(BytesView bytes)
{
    MetaProperties first, again;
    char text[META_PROPERTIES_MAX];
    ErrInfo err;
    int len;

    if (meta_properties_parse((StrView){(const char *)bytes.ptr, bytes.len}, &first, &err) != 0 ||
        first.version != 1 || !first.has_directory_id) /* others are never written */
        return;
    len = meta_properties_print(&first, text);
    ot_assert(meta_properties_parse((StrView){text, len}, &again, &err) == 0);
    ot_assert(first.node_id == again.node_id);
    ot_assert(strcmp(first.cluster_id, again.cluster_id) == 0);
    ot_assert(again.has_directory_id && uuid_equal(first.directory_id, again.directory_id));
}

static void
control_file(const char *folder, BytesView bytes)
{
    static ControlFile first, again;
    char path[256];
    ErrInfo err;

    fuzz_write(folder, CONTROL_FILE, bytes);
    (void)snprintf(path, sizeof path, "%s/%s", folder, CONTROL_FILE);
    if (control_file_load(path, &first, &err) != 0)
        return;
    ot_assert(control_file_store(path, &first, &err) == 0);
    ot_assert(control_file_load(path, &again, &err) == 0);
    ot_assert(first.count == again.count);
    ot_assert(first.node.state == again.node.state);
    ot_assert(first.node.checkpoint_ms == again.node.checkpoint_ms);
}

static void
producer_snapshot(BytesView bytes)
{
    int32_t count;
    ErrInfo err;

    if (producer_snapshot_check(bytes, &count, &err) != 0)
        return;
    for (int32_t i = 0; i < count; i++) {
        int64_t producer_id;
        ProducerState entry;

        producer_snapshot_get(bytes, i, &producer_id, &entry);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    uint8_t what = fuzz_byte(&in) % 6;
    const char *folder = fuzz_folder();
    BytesView bytes = fuzz_rest(&in);

    if (size > 1 << 16)
        return 0;
    fuzz_quiet();
    switch (what) {
    case 0:
        epochs(folder, bytes);
        break;
    case 1:
        partition_metadata(folder, bytes);
        break;
    case 2:
        offset_checkpoint(folder, bytes);
        break;
    case 3:
        meta_properties(bytes);
        break;
    case 4:
        control_file(folder, bytes);
        break;
    default:
        producer_snapshot(bytes);
        break;
    }
    return 0;
}
