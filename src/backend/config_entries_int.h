/*
 * config_entries_int.h - the settings of one resource, as DescribeConfigs lists them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_CONFIG_ENTRIES_INT_H
#define OTTLA_BACKEND_CONFIG_ENTRIES_INT_H

#include "backend/request_int.h"
#include "ottla/common/conf.h"
#include "ottla/controller/live_conf.h"
#include "ottla/protocol/msg_describe_configs.h"

typedef DescribeConfigsResponseResourceResult ConfigEntry;

/* Entries of one resource; they may be shared between resources and are not changed. */
typedef struct ConfigEntries {
    ConfigEntry *list;
    int32_t count;
} ConfigEntries;

/* What one request asks. All texts of entries lie in the arena or are static: none needs the pin. */
typedef struct ConfigQuery {
    Arena *arena;
    const Image *image;
    int32_t node_id;
    bool synonyms;
    bool documentation;
    const StrView *keys; /* sorted; NULL: all */
    int32_t keys_count;
    NodeValues values;
    ConfLookup lookup;
    bool no_memory; /* sticky: the entries are not whole */

    /* What a resource of this scope has without settings of its own; made when first needed. */
    ConfigEntry *base[CONF_SCOPE_COUNT];
} ConfigQuery;

/* keys: sorted here; NULL with count -1 or 0: all. The image stays pinned while the query is used. */
void config_query_init(ConfigQuery *q, Arena *arena, const Image *image, int32_t node_id);
void config_query_keys(ConfigQuery *q, StrView *keys, int32_t count);

ConfigEntries config_entries_topic(ConfigQuery *q, StrView name);
ConfigEntries config_entries_group(ConfigQuery *q, StrView name);
ConfigEntries config_entries_metrics(ConfigQuery *q, StrView name);
ConfigEntries config_entries_node(ConfigQuery *q);      /* this one */
ConfigEntries config_entries_all_nodes(ConfigQuery *q); /* what is set for all, nothing else */
ConfigEntries config_entries_loggers(ConfigQuery *q);

#endif
