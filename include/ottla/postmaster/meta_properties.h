/*
 * meta_properties.h - the file meta.properties of a log or metadata directory
 *
 * Its presence means "formatted" (cluster.md 1.3). Written by one function, read by one function.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_META_PROPERTIES_H
#define OTTLA_POSTMASTER_META_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/ipc/node.h"

#define META_PROPERTIES_FILE "meta.properties"
#define META_PROPERTIES_MAX  4096 /* bytes of the file; Kafka writes some 120 */

typedef struct MetaProperties {
    int version;
    char cluster_id[NODE_CLUSTER_ID_MAX];
    int32_t node_id;
    bool has_directory_id;
    Uuid directory_id;
} MetaProperties;

/* Pure: the text of a file. OT_E_CORRUPT: version, a missing or unreadable value; err names it. */
int meta_properties_parse(StrView text, MetaProperties *ret, ErrInfo *err);

/* Pure: the file's text, zero-terminated; its length. */
int meta_properties_print(const MetaProperties *props, char ret[META_PROPERTIES_MAX]);

/* Reads DIR/meta.properties. OT_E_NOT_FOUND: not formatted. */
int meta_properties_load(const char *dir, MetaProperties *ret, ErrInfo *err);

/* Replaces it durably. */
int meta_properties_store(const char *dir, const MetaProperties *props, ErrInfo *err);

#endif
