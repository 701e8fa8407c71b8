/*
 * decide_configs.h - what the decisions about settings share: a resource, its wishes, its rules
 *
 * IncrementalAlterConfigs and AlterConfigs become items with sorted wishes; an item's settings before
 * and after its wishes are put side by side, a check of its kind looks at the result, and what
 * differs becomes records. Spec: admin-and-security.md 4.3 to 4.5; observed.md 8.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_DECIDE_CONFIGS_H
#define OTTLA_CONTROLLER_DECIDE_CONFIGS_H

#include "controller/decide.h"
#include "ottla/common/topic_settings.h"

#define RESOURCE_BROKER_LOGGER 8 /* of requests alone; the others are IMAGE_CONFIG_* */

typedef enum ConfigOp {
    CONFIG_OP_SET,
    CONFIG_OP_DELETE,
    CONFIG_OP_APPEND,
    CONFIG_OP_SUBTRACT,
    CONFIG_OP_COUNT
} ConfigOp;

/* A wanted change of one setting. */
typedef struct ConfigWish {
    StrView name;
    int8_t op; /* ConfigOp */
    StrView value;
} ConfigWish;

/* One resource of a request. */
typedef struct ConfigItem {
    int8_t type;
    StrView name;
    ConfigWish *wishes; /* by name once the item was found fit */
    int32_t count;
    bool replace; /* AlterConfigs: what is not named goes back to its default */
    bool repeated;
    Verdict verdict;
} ConfigItem;

/* Settings of a resource, by name. */
typedef struct ConfigSet {
    ConfPair *pairs;
    int32_t count;
} ConfigSet;

/* An item whose settings change from one set to another. */
typedef struct ConfigCase {
    const DecideContext *c;
    const ConfigItem *item;
    const TopicDefaults *defaults; /* of topics; NULL for other items */
    ConfigSet before;
    ConfigSet after;
} ConfigCase;

/* ---- decide_configs_sets.c ---- */

/* What the image holds. False: no memory. */
bool config_set_load(const DecideContext *c, const ConfigItem *item, ConfigSet *ret);

/* Null: not in it. */
StrView config_set_find(const ConfigSet *set, StrView name);

/* Fills after from before and the wishes; refuses list operations on what is no list. */
Verdict config_set_apply(ConfigCase *k);

/* ---- rules: is the result one that may stand? ---- */

Verdict check_node_settings(const ConfigCase *k);     /* decide_configs_nodes.c */
Verdict check_listener_settings(const ConfigCase *k); /* decide_configs_listeners.c */
Verdict check_group_settings(const ConfigCase *k);    /* decide_configs_groups.c */
Verdict check_metrics_settings(const ConfigCase *k);  /* decide_configs_metrics.c */

/* A number of processes: not by more than half or double at once. decide_configs_nodes.c */
Verdict config_check_workers(const ConfigCase *k, const char *name, int64_t now, int64_t then);

/* Of a name listener.name.*: is it of a listener that this node has for clients and brokers? */
bool config_listener_is_own(const DecideContext *c, StrView name);

/* ... can it be set for one node only? All but bounds on connections and workers. */
bool config_listener_needs_node(StrView name);

/* Levels of log lines: fit wishes go to c->levels. decide_configs_loggers.c */
Verdict decide_levels(const DecideContext *c, const ConfigItem *item, bool validate_only);

/* A verdict with a text made in the arena. */
Verdict config_refuse(const DecideContext *c, int16_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
