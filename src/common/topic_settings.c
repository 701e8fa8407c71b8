/*
 * topic_settings.c - the settings of one topic, from its overrides and the broker's values
 *
 * Runs in: controller (checks, resolution), tools. Never: logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/topic_settings.h"

#include "ottla/common/assert.h"
#include "ottla/common/compress.h"
#include "ottla/common/log.h"

/* Texts of all topic settings in force; null where there is none. */
typedef TopicDefaults Texts;

static StrView
text_of(const Texts *texts, ConfId id)
{
    return texts->texts[id - TCONF_FIRST];
}

static int64_t
int_of(const Texts *texts, ConfId id)
{
    return conf_text_int64(&conf_rows[id], text_of(texts, id));
}

static int
check_one(const ConfPair *pair, int *ret_id, ErrInfo *err)
{
    int id = conf_find(CONF_SCOPE_TOPIC, pair->name);
    const char *nearest;
    char shown[80];

    if (id < 0) {
        nearest = conf_nearest(CONF_SCOPE_TOPIC, pair->name);
        return err_set(err, OT_E_INVALID_CONFIG, "unknown topic setting \"%s\"%s%s%s",
                       log_escape(pair->name, shown, sizeof shown),
                       nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
                       nearest == NULL ? "" : "\"?");
    }
    *ret_id = id;
    return conf_check(&conf_rows[id], pair->value, err);
}

void
topic_defaults_init(TopicDefaults *ret, const ConfLookup *lookup, Arena *arena)
{
    for (int id = TCONF_FIRST; id <= TCONF_LAST; id++) {
        ConfValue value = conf_resolve_default((ConfId)id, lookup, arena);

        /* A broker's value may lie outside the topic's bounds: log.retention.hours knows none. */
        if (value.text.ptr == NULL || conf_check(&conf_rows[id], value.text, NULL) < 0)
            value.text = strview_from(conf_rows[id].default_text);
        ret->texts[id - TCONF_FIRST] = value.text;
    }
}

int
topic_settings_check(const ConfPair *overrides, int count, const TopicDefaults *defaults,
                     ErrInfo *err)
{
    Texts texts = *defaults;

    for (int i = 0; i < count; i++) {
        int id = -1;
        int rc = check_one(&overrides[i], &id, err);

        if (rc != 0)
            return rc;
        texts.texts[id - TCONF_FIRST] = overrides[i].value;
    }
    if (int_of(&texts, TCONF_MIN_COMPACTION_LAG_MS) > int_of(&texts, TCONF_MAX_COMPACTION_LAG_MS))
        return err_set(err, OT_E_INVALID_CONFIG,
                       "min.compaction.lag.ms is above max.compaction.lag.ms");
    if (int_of(&texts, TCONF_REMOTE_STORAGE_ENABLE) != 0 &&
        !conf_bool(CONF_REMOTE_LOG_STORAGE_SYSTEM_ENABLE))
        return err_set(err, OT_E_INVALID_CONFIG,
                       "remote.storage.enable needs remote.log.storage.system.enable");
    return 0;
}

static int8_t
compression_of(StrView text)
{
    static const char *const names[CODEC_COUNT] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};

    text = text_trim(text);
    for (int i = 0; i < CODEC_COUNT; i++) {
        if (strview_equal(text, strview_from(names[i])))
            return (int8_t)i;
    }
    ot_assert(strview_equal(text, STRVIEW("producer")));
    return TOPIC_COMPRESSION_PRODUCER;
}

static int8_t
durability_of(StrView text)
{
    if (strview_equal(text, STRVIEW("disk")))
        return TOPIC_DURABILITY_DISK;
    return strview_equal(text, STRVIEW("memory")) ? TOPIC_DURABILITY_MEMORY : TOPIC_DURABILITY_AUTO;
}

static void
fill(const Texts *texts, TopicSettings *ret)
{
    StrView rest = conf_list_begin(text_of(texts, TCONF_CLEANUP_POLICY)), policy;

    *ret = (TopicSettings){
        .segment_ms = int_of(texts, TCONF_SEGMENT_MS),
        .segment_jitter_ms = int_of(texts, TCONF_SEGMENT_JITTER_MS),
        .timestamp_before_max_ms = int_of(texts, TCONF_MESSAGE_TIMESTAMP_BEFORE_MAX_MS),
        .timestamp_after_max_ms = int_of(texts, TCONF_MESSAGE_TIMESTAMP_AFTER_MAX_MS),
        .retention_ms = int_of(texts, TCONF_RETENTION_MS),
        .retention_bytes = int_of(texts, TCONF_RETENTION_BYTES),
        .file_delete_delay_ms = int_of(texts, TCONF_FILE_DELETE_DELAY_MS),
        .flush_messages = int_of(texts, TCONF_FLUSH_MESSAGES),
        .flush_ms = int_of(texts, TCONF_FLUSH_MS),
        .delete_retention_ms = int_of(texts, TCONF_DELETE_RETENTION_MS),
        .min_compaction_lag_ms = int_of(texts, TCONF_MIN_COMPACTION_LAG_MS),
        .max_compaction_lag_ms = int_of(texts, TCONF_MAX_COMPACTION_LAG_MS),
        .min_cleanable_dirty_ratio =
            conf_text_double(&conf_rows[TCONF_MIN_CLEANABLE_DIRTY_RATIO],
                             text_of(texts, TCONF_MIN_CLEANABLE_DIRTY_RATIO)),
        .segment_bytes = (int32_t)int_of(texts, TCONF_SEGMENT_BYTES),
        .segment_index_bytes = (int32_t)int_of(texts, TCONF_SEGMENT_INDEX_BYTES),
        .index_interval_bytes = (int32_t)int_of(texts, TCONF_INDEX_INTERVAL_BYTES),
        .max_message_bytes = (int32_t)int_of(texts, TCONF_MAX_MESSAGE_BYTES),
        .min_insync_replicas = (int32_t)int_of(texts, TCONF_MIN_INSYNC_REPLICAS),
        .compression_gzip_level = (int32_t)int_of(texts, TCONF_COMPRESSION_GZIP_LEVEL),
        .compression_lz4_level = (int32_t)int_of(texts, TCONF_COMPRESSION_LZ4_LEVEL),
        .compression_zstd_level = (int32_t)int_of(texts, TCONF_COMPRESSION_ZSTD_LEVEL),
        .compression_type = compression_of(text_of(texts, TCONF_COMPRESSION_TYPE)),
        .timestamp_type = strview_equal(text_trim(text_of(texts, TCONF_MESSAGE_TIMESTAMP_TYPE)),
                                        STRVIEW("LogAppendTime"))
                              ? TOPIC_LOG_APPEND_TIME
                              : TOPIC_CREATE_TIME,
        .durability = durability_of(text_trim(text_of(texts, TCONF_ACKS_DURABILITY))),
        .preallocate = int_of(texts, TCONF_PREALLOCATE) != 0,
        .unclean_leader_election = int_of(texts, TCONF_UNCLEAN_LEADER_ELECTION_ENABLE) != 0,
    };
    if (text_of(texts, TCONF_INTERNAL_SEGMENT_BYTES).ptr != NULL)
        ret->segment_bytes = (int32_t)int_of(texts, TCONF_INTERNAL_SEGMENT_BYTES);
    while (conf_list_next(&rest, &policy)) {
        ret->cleanup_delete |= strview_equal(policy, STRVIEW("delete"));
        ret->cleanup_compact |= strview_equal(policy, STRVIEW("compact"));
    }
}

int
topic_settings_resolve(const ConfPair *overrides, int count, const TopicDefaults *defaults,
                       TopicSettings *ret)
{
    Texts texts = *defaults;
    int bad = 0;

    for (int i = 0; i < count; i++) {
        int id;

        if (overrides[i].value.ptr == NULL)
            continue;
        if (check_one(&overrides[i], &id, NULL) == 0)
            texts.texts[id - TCONF_FIRST] = overrides[i].value;
        else
            bad++;
    }
    fill(&texts, ret);
    return bad;
}
