/*
 * roll.h - when a segment is full
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_ROLL_H
#define OTTLA_STORAGE_ROLL_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/topic_settings.h"

/* What a batch meets at the end of the log. */
typedef struct RollQuestion {
    int64_t active_base;
    int64_t first_timestamp; /* maxTimestamp of the segment's first batch, -1: none */
    int64_t created_ms;
    int64_t now_ms;
    int64_t batch_last_offset;
    int64_t batch_max_timestamp;
    int32_t active_size;
    int32_t batch_size;
    int32_t index_count;
    int32_t time_count;
    int32_t jitter_ms;
} RollQuestion;

/* Whether the batch begins a new segment (6.7). An empty segment never ends. */
bool roll_needed(const TopicSettings *s, const RollQuestion *q);

/* The jitter of a new segment, from a random number. */
int32_t roll_jitter_ms(const TopicSettings *s, uint64_t random);

#endif
