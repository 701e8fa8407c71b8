/*
 * topic_settings.h - the settings of one topic, ready for use
 *
 * Flat, so that it can lie in shared memory. Made by the controller from the topic's overrides over
 * the broker's values; admin-and-security.md 4.3, log.md 16.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_TOPIC_SETTINGS_H
#define OTTLA_COMMON_TOPIC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/conf.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"

#define TOPIC_COMPRESSION_PRODUCER (-1) /* compression_type: keep what the producer chose */

typedef enum TopicTimestampType {
    TOPIC_CREATE_TIME,
    TOPIC_LOG_APPEND_TIME,
} TopicTimestampType;

/* What an acks=all answer waits for beside the in-sync replicas. */
typedef enum TopicDurability {
    TOPIC_DURABILITY_AUTO, /* the disk while one replica is in sync */
    TOPIC_DURABILITY_DISK,
    TOPIC_DURABILITY_MEMORY,
} TopicDurability;

typedef struct TopicSettings {
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    int64_t retention_ms;    /* -1: for ever */
    int64_t retention_bytes; /* negative: no limit */
    int64_t file_delete_delay_ms;
    int64_t flush_messages;
    int64_t flush_ms;
    int64_t delete_retention_ms;
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    double min_cleanable_dirty_ratio;
    int32_t segment_bytes; /* internal.segment.bytes when that is set */
    int32_t segment_index_bytes;
    int32_t index_interval_bytes;
    int32_t max_message_bytes;
    int32_t min_insync_replicas;
    int32_t compression_gzip_level;
    int32_t compression_lz4_level;
    int32_t compression_zstd_level;
    int8_t compression_type; /* TOPIC_COMPRESSION_PRODUCER or a Codec (compress.h) */
    int8_t timestamp_type;   /* TopicTimestampType */
    int8_t durability;       /* TopicDurability */
    bool cleanup_delete;
    bool cleanup_compact;
    bool preallocate;
    bool unclean_leader_election;
} TopicSettings;

/* One override of a topic; value null counts as not set. */
typedef struct ConfPair {
    StrView name;
    StrView value;
} ConfPair;

/* What the broker's values give a topic without overrides. Some texts lie in the lookup's memory or the arena. */
typedef struct TopicDefaults {
    StrView texts[TCONF_LAST - TCONF_FIRST + 1]; /* null: no value */
} TopicDefaults;

void topic_defaults_init(TopicDefaults *ret, const ConfLookup *lookup, Arena *arena);

/*
 * Are these overrides valid, each alone and all together? OT_E_INVALID_CONFIG: unknown name, bad value,
 * or values that contradict each other, with the broker's for those not given.
 */
int topic_settings_check(const ConfPair *overrides, int count, const TopicDefaults *defaults,
                         ErrInfo *err) __attribute__((warn_unused_result));

/*
 * The settings in force. Overrides that are not valid (a newer node wrote them) count as not set;
 * the number of those is returned.
 */
int topic_settings_resolve(const ConfPair *overrides, int count, const TopicDefaults *defaults,
                           TopicSettings *ret);

#endif
