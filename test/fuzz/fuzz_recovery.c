/*
 * fuzz_recovery.c - any bytes as the files of a partition that is opened
 *
 * Byte 0 is flags: 1 the stop was clean, 2 the recovery point lies behind everything, 4 the checksums of
 * the log's batches are made right first, 8 there is a second segment. Then, each with its length: .index, .timeindex,
 * .txnindex, .snapshot, leader-epoch-checkpoint, the second .log; the rest is the first .log. Claims:
 *   - opening ends, whatever the files are, and never crashes;
 *   - behind an unclean stop, with nothing behind the recovery point, only whole batches with right
 *     checksums in rising order are served;
 *   - what was opened can be appended to, and opened again with what was appended.
 *
 * Kit: storage/storage_kit
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/protocol/batch_validate.h"
#include "ottla/protocol/record.h"
#include "ottla/storage/checkpoint_files.h"
#include "storage/storage_kit.h"

#define CLEAN      1
#define RECOVERED  2
#define SEAL       4
#define TWO        8
#define SECOND_LOG INT64_C(40)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every batch that is served: whole, checked, rising. The last may be cut by a limit, not here. */
static void
check_served(PartitionRef ref)
{
    PlogOffsets offsets;
    ErrInfo err;
    int64_t at;

    if (plog_offsets(ref, &offsets, &err) != 0)
        return;
    ot_assert(offsets.log_start_offset <= offsets.log_end_offset);
    for (at = offsets.log_start_offset; at < offsets.log_end_offset;) {
        PlogReadArgs args = {at, PLOG_BOUND_LEO, 1 << 20, true};
        PlogReadResult got;
        static uint8_t bytes[2 << 20];
        int64_t pos = 0, whole, before = at;

        if (plog_read(ref, &args, &got, &err) != 0 || got.slice.len == 0)
            return; /* compaction leaves gaps at the end; a file that cannot be read is told */
        ot_assert(got.slice.len <= (int32_t)sizeof bytes);
        ot_assert(pread(got.slice.fd, bytes, (size_t)got.slice.len, got.slice.pos) ==
                  got.slice.len);
        while (pos < got.slice.len) {
            BytesView left = {bytes + pos, (int32_t)(got.slice.len - pos)};

            if (batch_scan(left, left.len, &whole) != BATCH_SCAN_OK)
                break;
            ot_assert(batch_crc_of(left.ptr, (BytesView){left.ptr + BATCH_HEADER_BYTES,
                                                         (int32_t)whole - BATCH_HEADER_BYTES}) ==
                      batch_crc(left.ptr));
            ot_assert(batch_last_offset(left.ptr) >= at);
            at = batch_last_offset(left.ptr) + 1;
            pos += whole;
        }
        plog_slice_release(&got.slice);
        ot_assert(at > before); /* at least the first batch is whole */
    }
}

static void
write_files(const char *folder, FuzzInput *in, uint8_t flags)
{
    static const char *const names[] = {"00000000000000000000.index",
                                        "00000000000000000000.timeindex",
                                        "00000000000000000000.txnindex",
                                        "00000000000000000040.snapshot", "leader-epoch-checkpoint"};
    uint8_t *copy = NULL;
    BytesView log;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        BytesView piece = fuzz_piece(in);

        if (piece.len > 0)
            fuzz_write(folder, names[i], piece);
    }
    for (int second = 1; second >= 0; second--) {
        log = second ? fuzz_piece(in) : fuzz_rest(in);
        if (second && !(flags & TWO))
            continue;
        if (flags & SEAL)
            log = fuzz_sealed(log, &copy);
        fuzz_write(folder, second ? "00000000000000000040.log" : "00000000000000000000.log", log);
        free(copy);
        copy = NULL;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    uint8_t flags = fuzz_byte(&in);
    char folder[LIMIT_PATH_BYTES];
    PartitionRef ref;
    ErrInfo err;
    int64_t end;

    if (size > 1 << 16)
        return 0;
    fuzz_quiet();
    (void)fuzz_folder();
    ot_assert(kit_setup(NULL) == 0);
    kit_restart((flags & CLEAN) != 0);
    ref = kit_partition_at("t", 0, (flags & RECOVERED) ? 1000000 : 0, 0);
    plog_folder_path(pslot_at(ref.slot), folder);
    ot_assert(mkdir(folder, 0700) == 0);
    ot_assert(
        partition_metadata_store(folder, pslot_at(ref.slot)->topic_id, VFS_NOT_SYNCED, &err) == 0);
    write_files(folder, &in, flags);
    if (plog_ensure_open(ref, &err) == 0) {
        PlogAppendResult res;

        if (!(flags & (CLEAN | RECOVERED)))
            check_served(ref);
        if (kit_append(ref, &(KitBatch){.count = 3}, &res) == 0) {
            end = kit_offsets(ref).log_end_offset;
            kit_restart(false);
            ref = kit_partition("t", 0);
            ot_assert(plog_ensure_open(ref, &err) == 0);
            if (!(flags & (CLEAN | RECOVERED)))
                ot_assert(kit_offsets(ref).log_end_offset == end);
            check_served(ref);
        }
    }
    ot_assert(kit_teardown(NULL) == 0);
    return 0;
}
