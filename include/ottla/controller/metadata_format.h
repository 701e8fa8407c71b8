/*
 * metadata_format.h - what formatting puts into directories before their meta.properties
 *
 * The same files that `kafka-storage format --standalone` of Kafka 4.3.1 writes (cluster.md 1.4). Every
 * function may be repeated after a kill: it replaces what it finds.
 *
 * Runs in: supervisor, before the first fork.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_METADATA_FORMAT_H
#define OTTLA_CONTROLLER_METADATA_FORMAT_H

#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/controller/format_plan.h"

/*
 * DIR/bootstrap.checkpoint with features and credentials of the plan, or those of a fresh node (NULL): in every log and
 * metadata directory.
 */
int metadata_format_bootstrap(const char *dir, const FormatPlan *plan, ErrInfo *err)
    __attribute__((warn_unused_result));

typedef struct MetadataVoter {
    int32_t node_id;
    Uuid directory_id;    /* of the metadata directory */
    const char *listener; /* "CONTROLLER" */
    const char *host;
    uint16_t port;
    int64_t now_ms; /* wall clock */
} MetadataVoter;

/*
 * DIR/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint: a dynamic quorum whose only
 * voter is this node. Metadata directory only.
 */
int metadata_format_quorum(const char *dir, const MetadataVoter *voter, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
