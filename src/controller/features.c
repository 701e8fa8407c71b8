/*
 * features.c - features that this version offers, and their levels on a new directory
 *
 * design.md 7: offered and finalized exactly as Kafka 4.3.1 does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/features.h"

#include <string.h>

/* In the order of a fresh node's records; kraft.version lives in a control record. */
const FeatureRow feature_rows[FEATURE_COUNT] = {
    {"metadata.version", 7, 30, 30},  {"eligible.leader.replicas.version", 0, 1, 1},
    {"group.version", 0, 1, 1},       {"kraft.version", 0, 1, 1},
    {"share.version", 0, 1, 1},       {"streams.version", 0, 1, 1},
    {"transaction.version", 0, 2, 2},
};

/* Levels of metadata.version that brought new records or fields. */
static const int16_t metadata_changes[] = {7, 8, 11, 13, 14, 15, 17, 23, 30};

const FeatureRow *
feature_find(StrView name)
{
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (strview_equal(name, strview_from(feature_rows[i].name)))
            return &feature_rows[i];
    return NULL;
}

bool
feature_metadata_changed(int16_t to, int16_t from)
{
    for (size_t i = 0; i < sizeof metadata_changes / sizeof metadata_changes[0]; i++)
        if (metadata_changes[i] > to && metadata_changes[i] <= from)
            return true;
    return false;
}

void
features_bootstrap(const int16_t *levels, RecordList *ret)
{
    for (int i = 0; i < FEATURE_COUNT; i++) {
        int16_t level = levels == NULL ? feature_rows[i].fresh : levels[i];
        FeatureLevelRecord record;

        if (strcmp(feature_rows[i].name, "kraft.version") == 0 || level == 0)
            continue;
        feature_level_record_init(&record);
        record.name = strview_from(feature_rows[i].name);
        record.feature_level = level;
        record_list_add(ret, &feature_level_record_desc, 0, &record);
    }
}

int
features_check(const Image *image, ErrInfo *err)
{
    StrView name = WIRE_NULL_STRING;
    int16_t level;

    while (image_feature_after(image, name, &name, &level)) {
        const FeatureRow *row = feature_find(name);

        if (row == NULL || level < row->min || level > row->max)
            return err_set(err, OT_E_UNSUPPORTED_VERSION,
                           "the metadata log has feature %.*s at level %d, which this version does "
                           "not support",
                           (int)name.len, name.ptr, level);
    }
    return 0;
}
