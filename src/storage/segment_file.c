/*
 * segment_file.c - names of partition folders and segment files
 *
 * Spec: log.md 5.1, 5.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "storage/plog_int.h"

#define BASE_DIGITS 20

static const char *const suffixes[SEGMENT_FILE_COUNT] = {
    [SEGMENT_LOG] = ".log",
    [SEGMENT_INDEX] = ".index",
    [SEGMENT_TIMEINDEX] = ".timeindex",
    [SEGMENT_TXNINDEX] = ".txnindex",
    [SEGMENT_SNAPSHOT] = ".snapshot",
};

void
plog_folder_path(const PartitionSlot *slot, char ret[LIMIT_PATH_BYTES])
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s-%" PRId32, logdir_path(pslot_dir(slot)),
                     slot->topic, slot->partition);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

void
plog_file_path(const PartitionSlot *slot, int64_t base, SegmentFile kind,
               char ret[LIMIT_PATH_BYTES])
{
    int n =
        snprintf(ret, LIMIT_PATH_BYTES, "%s/%s-%" PRId32 "/%020" PRId64 "%s",
                 logdir_path(pslot_dir(slot)), slot->topic, slot->partition, base, suffixes[kind]);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

bool
segment_name_parse(StrView name, int64_t *ret_base, SegmentFile *ret_kind, StrView *ret_tail)
{
    int64_t base = 0;
    int kind;
    int i;

    if (name.len <= BASE_DIGITS)
        return false;
    for (i = 0; i < BASE_DIGITS; i++) {
        int digit = name.ptr[i] - '0';

        if (digit < 0 || digit > 9 || base > (INT64_MAX - digit) / 10)
            return false;
        base = base * 10 + digit;
    }
    for (kind = 0; kind < SEGMENT_FILE_COUNT; kind++) {
        int32_t len = (int32_t)strlen(suffixes[kind]);

        if (name.len < BASE_DIGITS + len ||
            memcmp(name.ptr + BASE_DIGITS, suffixes[kind], (size_t)len) != 0)
            continue;
        *ret_tail = (StrView){name.ptr + BASE_DIGITS + len, name.len - BASE_DIGITS - len};
        if (ret_tail->len > 0 && ret_tail->ptr[0] != '.')
            continue;
        *ret_base = base;
        *ret_kind = (SegmentFile)kind;
        return true;
    }
    return false;
}
