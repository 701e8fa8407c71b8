/*
 * features.h - features that this version offers, and their levels on a new directory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_FEATURES_H
#define OTTLA_CONTROLLER_FEATURES_H

#include "controller/records.h"

typedef struct FeatureRow {
    const char *name;
    int16_t min;
    int16_t max;
    int16_t fresh; /* level on a new directory, as Kafka 4.3.1 */
} FeatureRow;

#define FEATURE_COUNT 7
extern const FeatureRow feature_rows[FEATURE_COUNT];

/* From this metadata.version on partitions may have eligible leader replicas. */
#define FEATURE_ELR_METADATA_VERSION 23

/* From this one on registrations say which log directories are cordoned. */
#define FEATURE_CORDON_METADATA_VERSION 30

/* NULL: this version does not know the feature. */
const FeatureRow *feature_find(StrView name);

/* Would records of the metadata log be lost on the way down from one metadata.version to another? */
bool feature_metadata_changed(int16_t to, int16_t from);

/*
 * The FeatureLevelRecords of a new node: metadata.version, then the others by name that are above 0. levels by row; NULL: the
 * fresh ones.
 */
void features_bootstrap(const int16_t *levels, RecordList *ret);

/*
 * Can this version serve a log with these finalized levels? OT_E_UNSUPPORTED_VERSION names the first
 * that is out of range.
 */
int features_check(const Image *image, ErrInfo *err);

#endif
