/*
 * file_kind.c - what a file of a data directory is, by its name
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/inspect/file_kind.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/text.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/reserve.h"
#include "ottla/storage/segment_format.h"

#define OFFSET_DIGITS 20
#define EPOCH_DIGITS  10

static bool
ends_with(StrView name, const char *suffix)
{
    int32_t len = (int32_t)strlen(suffix);

    return name.len > len && memcmp(name.ptr + name.len - len, suffix, (size_t)len) == 0;
}

/* 20 digits, a dash, 10 digits, .checkpoint */
static bool
parse_metadata_snapshot(StrView name, FileName *ret)
{
    if (name.len != OFFSET_DIGITS + 1 + EPOCH_DIGITS + 11 || name.ptr[OFFSET_DIGITS] != '-' ||
        !ends_with(name, ".checkpoint") ||
        !text_to_int64((StrView){name.ptr, OFFSET_DIGITS}, &ret->base) ||
        !text_to_int32((StrView){name.ptr + OFFSET_DIGITS + 1, EPOCH_DIGITS}, &ret->epoch))
        return false;
    ret->kind = FILE_KIND_METADATA_SNAPSHOT;
    return true;
}

static FileKind
kind_of_fixed_name(StrView name)
{
    static const struct {
        const char *name;
        FileKind kind;
    } fixed[] = {
        {LEADER_EPOCH_FILE, FILE_KIND_EPOCHS},
        {CHECKPOINT_RECOVERY_POINT, FILE_KIND_OFFSETS},
        {CHECKPOINT_HIGH_WATERMARK, FILE_KIND_OFFSETS},
        {CHECKPOINT_LOG_START, FILE_KIND_OFFSETS},
        {CHECKPOINT_PRODUCERLESS, FILE_KIND_OFFSETS},
        {"cleaner-offset-checkpoint", FILE_KIND_OFFSETS},
        {PARTITION_METADATA_FILE, FILE_KIND_PARTITION_METADATA},
        {"bootstrap.checkpoint", FILE_KIND_METADATA_SNAPSHOT},
        {"meta.properties", FILE_KIND_META_PROPERTIES},
        {"quorum-state", FILE_KIND_QUORUM_STATE},
        {RESERVE_FILE, FILE_KIND_RESERVE},
        {RESERVE_START_FILE, FILE_KIND_RESERVE},
    };

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strview_equal(name, strview_from(fixed[i].name)))
            return fixed[i].kind;
    return FILE_KIND_OTHER;
}

static bool
is_leftover(StrView name)
{
    static const char *const suffixes[] = {".tmp", ".part", ".deleted", ".cleaned", ".swap"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends_with(name, suffixes[i]))
            return true;
    return false;
}

FileName
file_name_parse(StrView name)
{
    static const FileKind kinds[SEGMENT_FILE_COUNT] = {
        [SEGMENT_LOG] = FILE_KIND_LOG,
        [SEGMENT_INDEX] = FILE_KIND_INDEX,
        [SEGMENT_TIMEINDEX] = FILE_KIND_TIMEINDEX,
        [SEGMENT_TXNINDEX] = FILE_KIND_TXNINDEX,
        [SEGMENT_SNAPSHOT] = FILE_KIND_PRODUCER_SNAPSHOT,
    };
    FileName ret = {.kind = FILE_KIND_OTHER, .base = -1, .epoch = -1};
    SegmentFile kind;
    StrView tail;

    if (is_leftover(name))
        ret.kind = FILE_KIND_LEFTOVER;
    else if (segment_name_parse(name, &ret.base, &kind, &tail) && tail.len == 0)
        ret.kind = kinds[kind];
    else if (!parse_metadata_snapshot(name, &ret))
        ret = (FileName){.kind = kind_of_fixed_name(name), .base = -1, .epoch = -1};
    return ret;
}

StrView
file_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strview_from(slash == NULL ? path : slash + 1);
}

bool
file_partition_of(const char *path, StrView *ret_topic, int32_t *ret_partition)
{
    static char name[PARTITION_DIR_NAME_MAX];
    PartitionDirKind kind;
    char *full = realpath(path, NULL); /* "cd t-0; ottla-logdump 0.log" */
    const char *from, *end;
    bool found = false;

    if (full == NULL)
        return false;
    end = strrchr(full, '/');
    for (from = end; from != NULL && from > full && from[-1] != '/';)
        from--;
    if (end != NULL && end > from && (size_t)(end - from) < sizeof name) {
        memcpy(name, from, (size_t)(end - from));
        name[end - from] = '\0';
        found = partition_dir_parse(name, ret_topic, ret_partition, &kind);
    }
    free(full);
    return found;
}
