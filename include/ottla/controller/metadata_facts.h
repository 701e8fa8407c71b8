/*
 * metadata_facts.h - what a metadata directory says at a glance: how far its log goes, which features it has
 *
 * Reads the newest snapshot and the log behind it, as a start does, and changes nothing; a server may be running on it.
 *
 * Runs in: ottla-controldata.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_METADATA_FACTS_H
#define OTTLA_CONTROLLER_METADATA_FACTS_H

#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/controller/format_plan.h"

typedef struct MetadataFeature {
    const char *name;
    int16_t level; /* -1: none is finalized */
} MetadataFeature;

typedef struct MetadataFacts {
    int64_t end_offset;
    int32_t epoch;           /* of the last batch; 0: the log is empty */
    int64_t snapshot_offset; /* of the newest; -1: there is none */
    int32_t snapshot_epoch;
    int32_t snapshot_count;
    int64_t torn_bytes; /* behind the last whole batch: a server cuts them off */
    int32_t feature_count;
    MetadataFeature features[FORMAT_FEATURES_MAX];
} MetadataFacts;

/* OT_E_NOT_FOUND: there is no metadata log. OT_E_CORRUPT: it cannot be read. */
int metadata_facts_load(const char *metadata_dir, MetadataFacts *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
