/*
 * roll.c - when a segment is full
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/roll.h"

#define INDEX_ENTRY_BYTES 8
#define TIME_ENTRY_BYTES  12

/* Entries that the indexes of a segment may hold (log.md 6.6, 6.7). */
static int32_t
index_max(const TopicSettings *s)
{
    return s->segment_index_bytes / INDEX_ENTRY_BYTES;
}

static int32_t
time_index_max(const TopicSettings *s)
{
    return s->segment_index_bytes / TIME_ENTRY_BYTES;
}

/* Time that the segment has been open for, by message time if there is one. */
static bool
waited_too_long(const TopicSettings *s, const RollQuestion *q)
{
    int64_t limit = s->segment_ms;

    if (s->cleanup_compact && s->max_compaction_lag_ms < limit)
        limit = s->max_compaction_lag_ms;
    limit -= q->jitter_ms;
    if (q->first_timestamp >= 0)
        return q->batch_max_timestamp - q->first_timestamp > limit;
    return q->now_ms - q->created_ms > limit;
}

bool
roll_needed(const TopicSettings *s, const RollQuestion *q)
{
    if (q->active_size == 0)
        return false;
    if (q->active_size > s->segment_bytes - q->batch_size)
        return true;
    if (waited_too_long(s, q))
        return true;
    if (q->index_count >= index_max(s) || q->time_count >= time_index_max(s) - 1)
        return true;
    return q->batch_last_offset - q->active_base > INT32_MAX;
}

int32_t
roll_jitter_ms(const TopicSettings *s, uint64_t random)
{
    int64_t bound = s->segment_jitter_ms < s->segment_ms ? s->segment_jitter_ms : s->segment_ms;

    if (bound <= 0)
        return 0;
    if (bound > INT32_MAX)
        bound = INT32_MAX;
    return (int32_t)(random % (uint64_t)bound);
}
