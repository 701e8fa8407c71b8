/*
 * dir_name.c - names of partition folders: made, cut to what a file system takes, parsed
 *
 * Contracts in checkpoint_files.h. Spec: log.md 5.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/random.h"
#include "ottla/common/text.h"
#include "ottla/storage/checkpoint_files.h"

#define DIR_NAME_BYTES 255 /* longest name of a folder, without the zero */

static const char *const kind_suffix[] = {
    [PARTITION_DIR_NORMAL] = "",
    [PARTITION_DIR_DELETE] = "-delete",
    [PARTITION_DIR_FUTURE] = "-future",
    [PARTITION_DIR_STRAY] = "-stray",
};

void
partition_dir_name(StrView topic, int32_t partition, char ret[PARTITION_DIR_NAME_MAX])
{
    ot_assert(topic.len <= LIMIT_TOPIC_NAME_LEN);
    (void)snprintf(ret, PARTITION_DIR_NAME_MAX, "%.*s-%" PRId32, (int)topic.len, topic.ptr,
                   partition);
}

static void
put_suffixed(StrView topic, int32_t partition, PartitionDirKind kind, Uuid id,
             char ret[PARTITION_DIR_NAME_MAX])
{
    char tail[64];
    int len = snprintf(tail, sizeof tail, "-%" PRId32 ".", partition);
    int topic_len = topic.len;
    size_t i;

    for (i = 0; i < sizeof id.b; i++)
        len += snprintf(tail + len, sizeof tail - (size_t)len, "%02x", id.b[i]);
    len += snprintf(tail + len, sizeof tail - (size_t)len, "%s", kind_suffix[kind]);
    if (topic_len + len > DIR_NAME_BYTES)
        topic_len = DIR_NAME_BYTES - len;
    (void)snprintf(ret, PARTITION_DIR_NAME_MAX, "%.*s%s", topic_len, topic.ptr, tail);
}

void
partition_dir_name_suffixed(StrView topic, int32_t partition, PartitionDirKind kind,
                            char ret[PARTITION_DIR_NAME_MAX])
{
    put_suffixed(topic, partition, kind, random_uuid(), ret);
}

void
partition_dir_future_name(StrView topic, int32_t partition, Uuid topic_id,
                          char ret[PARTITION_DIR_NAME_MAX])
{
    put_suffixed(topic, partition, PARTITION_DIR_FUTURE, topic_id, ret);
}

bool
partition_dir_has_future(StrView topic, int32_t partition)
{
    int tail = snprintf(NULL, 0, "-%" PRId32 ".%032d-future", partition, 0);

    return topic.len + tail <= DIR_NAME_BYTES;
}

static bool
is_topic_name(StrView name)
{
    int32_t i;

    if (name.len < 1 || name.len > LIMIT_TOPIC_NAME_LEN)
        return false;
    if (strview_equal(name, STRVIEW(".")) || strview_equal(name, STRVIEW("..")))
        return false;
    for (i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* "topic-partition", split at the last '-'. */
static bool
parse_plain(StrView name, StrView *ret_topic, int32_t *ret_partition)
{
    int32_t dash = name.len;
    StrView number;

    while (dash > 0 && name.ptr[dash - 1] != '-')
        dash--;
    if (dash < 2 || dash == name.len)
        return false;
    number = (StrView){name.ptr + dash, name.len - dash};
    if (number.ptr[0] < '0' || number.ptr[0] > '9' || !text_to_int32(number, ret_partition))
        return false;
    *ret_topic = (StrView){name.ptr, dash - 1};
    return is_topic_name(*ret_topic);
}

bool
partition_dir_parse(const char *name, StrView *ret_topic, int32_t *ret_partition,
                    PartitionDirKind *ret_kind)
{
    StrView whole = strview_from(name);
    int kind;

    for (kind = PARTITION_DIR_DELETE; kind <= PARTITION_DIR_STRAY; kind++) {
        StrView suffix = strview_from(kind_suffix[kind]);
        int32_t dot = whole.len;

        if (whole.len <= suffix.len ||
            memcmp(whole.ptr + whole.len - suffix.len, suffix.ptr, (size_t)suffix.len) != 0)
            continue;
        while (dot > 0 && whole.ptr[dot - 1] != '.')
            dot--;
        /* 32 hex digits between the dot and the suffix */
        if (dot < 2 || whole.len - suffix.len - dot != 32)
            continue;
        *ret_kind = (PartitionDirKind)kind;
        return parse_plain((StrView){whole.ptr, dot - 1}, ret_topic, ret_partition);
    }
    *ret_kind = PARTITION_DIR_NORMAL;
    return parse_plain(whole, ret_topic, ret_partition);
}
