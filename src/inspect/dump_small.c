/*
 * dump_small.c - prints indexes, producer snapshots, checkpoints and the other small files
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/dump_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/vfs.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/producer_state.h"
#include "ottla/storage/segment_format.h"

#define SMALL_FILE_MAX (256 << 20) /* more is no index or checkpoint of any node */

void
dump_options_init(DumpOptions *options)
{
    static const volatile sig_atomic_t never;

    *options = (DumpOptions){.to_offset = INT64_MAX,
                             .from_time = INT64_MIN,
                             .to_time = INT64_MAX,
                             .limit = INT64_MAX,
                             .stopped = &never};
}

bool
dump_row_done(const Dump *d)
{
    return row_out_end(d->out) && ++d->result->rows < d->options->limit;
}

/* ---- indexes ------------------------------------------------------------------------------------ */

/* Prints one entry; false: it does not rise above the one before it. */
typedef bool (*EntryPrinter)(const Dump *d, const uint8_t *at, int64_t *last);

static bool
print_index_entry(const Dump *d, const uint8_t *at, int64_t *last)
{
    IndexEntry e = index_entry_decode(at);
    bool rises = e.offset_rel > *last && e.pos >= 0;

    *last = e.offset_rel;
    row_out_int(d->out, "offset", d->name.base + e.offset_rel);
    row_out_int(d->out, "position", e.pos);
    return rises;
}

static bool
print_time_entry(const Dump *d, const uint8_t *at, int64_t *last)
{
    TimeEntry e = time_entry_decode(at);
    bool rises = e.timestamp > *last && e.offset_rel >= 0;

    *last = e.timestamp;
    row_out_int(d->out, "timestamp", e.timestamp);
    row_out_int(d->out, "offset", d->name.base + e.offset_rel);
    return rises;
}

static bool
print_txn_entry(const Dump *d, const uint8_t *at, int64_t *last)
{
    TxnEntry e = txn_entry_decode(at);
    bool rises = e.last_offset > *last && e.version == TXN_ENTRY_VERSION;

    *last = e.last_offset;
    row_out_int(d->out, "version", e.version);
    row_out_int(d->out, "producerId", e.producer_id);
    row_out_int(d->out, "firstOffset", e.first_offset);
    row_out_int(d->out, "lastOffset", e.last_offset);
    row_out_int(d->out, "lastStableOffset", e.last_stable_offset);
    return rises;
}

static bool
is_zero(const uint8_t *at, int32_t len)
{
    for (int32_t i = 0; i < len; i++)
        if (at[i] != 0)
            return false;
    return true;
}

/* An index of a running Kafka is longer than its entries, and zero behind them. */
static int
dump_entries(const Dump *d, BytesView file, int32_t entry_bytes, EntryPrinter print)
{
    int64_t last = -1;
    int32_t pos = 0;
    bool go_on = true;

    for (; go_on && pos + entry_bytes <= file.len; pos += entry_bytes) {
        if (is_zero(file.ptr + pos, file.len - pos) && entry_bytes != TXN_ENTRY_BYTES)
            break;
        row_out_begin(d->out, "");
        if (!print(d, file.ptr + pos, &last))
            d->result->damaged++;
        go_on = dump_row_done(d);
    }
    if (go_on && pos < file.len && is_zero(file.ptr + pos, file.len - pos)) {
        row_out_remark(d->out, "%" PRId32 " unused bytes", file.len - pos);
    } else if (go_on && pos < file.len) {
        row_out_remark(d->out, "%" PRId32 " bytes behind the last entry", file.len - pos);
        d->result->damaged++;
    }
    return 0;
}

/* ---- producer snapshot -------------------------------------------------------------------------- */

static int
dump_producers(const Dump *d, BytesView file)
{
    ErrInfo why = {0};
    int32_t count;

    if (producer_snapshot_check(file, &count, &why) != 0) {
        row_out_remark(d->out, "%s", why.text);
        d->result->damaged++;
        return 0;
    }
    for (int32_t i = 0; i < count; i++) {
        ProducerState state;
        ProducerBatch batch = {.last_offset = -1, .timestamp = -1, .last_sequence = -1};
        int64_t id;

        producer_snapshot_get(file, i, &id, &state);
        if (state.batch_count > 0)
            batch = state.batches[state.batch_count - 1];
        row_out_begin(d->out, "");
        row_out_int(d->out, "producerId", id);
        row_out_int(d->out, "producerEpoch", state.epoch);
        row_out_int(d->out, "coordinatorEpoch", state.coordinator_epoch);
        row_out_optional(d->out, "currentTxnFirstOffset", state.txn_first_offset >= 0,
                         state.txn_first_offset);
        row_out_int(d->out, "lastTimestamp", state.last_timestamp);
        if (state.batch_count > 0) {
            row_out_int(d->out, "firstSequence", producer_first_sequence(&batch));
            row_out_int(d->out, "lastSequence", batch.last_sequence);
            row_out_int(d->out, "lastOffset", batch.last_offset);
            row_out_int(d->out, "offsetDelta", batch.offset_delta);
            row_out_int(d->out, "timestamp", batch.timestamp);
        }
        if (!dump_row_done(d))
            break;
    }
    return 0;
}

/* ---- text files --------------------------------------------------------------------------------- */

static int
dump_epochs(const Dump *d, const char *folder, ErrInfo *err)
{
    EpochEntry *list = NULL;
    int32_t count = 0;
    int rc = epoch_file_load(folder, &list, &count, err);

    for (int32_t i = 0; rc == 0 && i < count; i++) {
        row_out_begin(d->out, "");
        row_out_int(d->out, "epoch", list[i].epoch);
        row_out_int(d->out, "startOffset", list[i].start_offset);
        if (!dump_row_done(d))
            break;
    }
    free(list);
    return rc;
}

static int
dump_offsets(const Dump *d, const char *folder, ErrInfo *err)
{
    OffsetCheckpoint *cp = NULL;
    OffsetCheckpointEntry entry;
    int rc = offset_checkpoint_load(folder, file_base_name(d->path).ptr, &cp, err);

    for (size_t i = 0; rc == 0 && offset_checkpoint_at(cp, i, &entry); i++) {
        row_out_begin(d->out, "");
        row_out_text(d->out, "topic", entry.topic);
        row_out_int(d->out, "partition", entry.partition);
        row_out_int(d->out, "offset", entry.offset);
        if (!dump_row_done(d))
            break;
    }
    offset_checkpoint_free(cp);
    return rc;
}

static int
dump_partition_metadata(const Dump *d, const char *folder, ErrInfo *err)
{
    char text[UUID_TEXT_LEN + 1];
    Uuid id;
    int rc = partition_metadata_load(folder, &id, err);

    if (rc != 0)
        return rc;
    uuid_to_text(id, text);
    row_out_begin(d->out, "");
    row_out_int(d->out, "version", 0);
    row_out_text(d->out, "topic_id", strview_from(text));
    (void)dump_row_done(d); /* the only row */
    return 0;
}

/* Lines of a text file as they are. */
static int
dump_lines(const Dump *d, BytesView file)
{
    StrView rest = {(const char *)file.ptr, file.len};

    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', (size_t)rest.len);
        int32_t len = end == NULL ? rest.len : (int32_t)(end - rest.ptr);

        row_out_begin(d->out, "");
        row_out_text(d->out, "line", (StrView){rest.ptr, len});
        if (!dump_row_done(d))
            break;
        len += end != NULL;
        rest = (StrView){rest.ptr + len, rest.len - len};
    }
    return 0;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static int
dump_binary(const Dump *d, BytesView file)
{
    switch (d->name.kind) {
    case FILE_KIND_INDEX:
        return dump_entries(d, file, INDEX_ENTRY_BYTES, print_index_entry);
    case FILE_KIND_TIMEINDEX:
        return dump_entries(d, file, TIME_ENTRY_BYTES, print_time_entry);
    case FILE_KIND_TXNINDEX:
        return dump_entries(d, file, TXN_ENTRY_BYTES, print_txn_entry);
    case FILE_KIND_PRODUCER_SNAPSHOT:
        return dump_producers(d, file);
    default:
        return dump_lines(d, file);
    }
}

static int
dump_text(const Dump *d, const char *folder, ErrInfo *err)
{
    int rc = d->name.kind == FILE_KIND_EPOCHS    ? dump_epochs(d, folder, err)
             : d->name.kind == FILE_KIND_OFFSETS ? dump_offsets(d, folder, err)
                                                 : dump_partition_metadata(d, folder, err);

    if (rc != OT_E_CORRUPT)
        return rc;
    row_out_remark(d->out, "%s", err->text);
    d->result->damaged++;
    return 0;
}

static int
dump_small_file(const Dump *d, ErrInfo *err)
{
    int32_t folder_len = (int32_t)(file_base_name(d->path).ptr - d->path);
    char folder[LIMIT_PATH_BYTES];
    BytesView file;
    Arena *arena;
    int rc;

    if (d->name.kind == FILE_KIND_EPOCHS || d->name.kind == FILE_KIND_OFFSETS ||
        d->name.kind == FILE_KIND_PARTITION_METADATA) {
        if (snprintf(folder, sizeof folder, "%.*s", folder_len, d->path) >= (int)sizeof folder)
            return err_set(err, OT_E_LIMIT, "path is too long: %s", d->path);
        return dump_text(d, folder_len == 0 ? "." : folder, err);
    }
    arena = arena_new(SMALL_FILE_MAX / 1024, 0);
    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read %s", d->path);
    rc = vfs_read_file(d->path, SMALL_FILE_MAX, arena, &file, err);
    if (rc == 0)
        rc = dump_binary(d, file);
    arena_free(arena);
    return rc;
}

int
dump_file(const char *path, const DumpOptions *options, RowOut *out, DumpResult *result,
          ErrInfo *err)
{
    Dump d = {path, file_name_parse(file_base_name(path)), options, out, result};

    if (d.name.kind == FILE_KIND_OTHER || d.name.kind == FILE_KIND_LEFTOVER ||
        d.name.kind == FILE_KIND_RESERVE)
        return err_set(err, OT_E_UNSUPPORTED, "%s: not the name of a file that a node writes",
                       path);
    row_out_remark(out, "Dumping %s", path);
    if (d.name.kind == FILE_KIND_LOG || d.name.kind == FILE_KIND_METADATA_SNAPSHOT)
        return dump_log_file(&d, err);
    return dump_small_file(&d, err);
}
