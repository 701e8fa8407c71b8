/*
 * decide_configs_groups.c - settings of groups: within what the node allows, and in step with each other
 *
 * A group need not exist to have settings. Those that are not set are the node's.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_configs.h"

/* Bounds are settings of the node; CONF_ID_COUNT: none. */
typedef struct GroupBound {
    ConfId id;
    ConfId min;
    ConfId max;
} GroupBound;

static const GroupBound bounds[] = {
    {GCONF_CONSUMER_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS},
    {GCONF_CONSUMER_HEARTBEAT_INTERVAL_MS, CONF_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
     CONF_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS},
    {GCONF_CONSUMER_SESSION_TIMEOUT_MS, CONF_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
     CONF_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS},
    {GCONF_SHARE_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS},
    {GCONF_SHARE_DELIVERY_COUNT_LIMIT, CONF_GROUP_SHARE_MIN_DELIVERY_COUNT_LIMIT,
     CONF_GROUP_SHARE_MAX_DELIVERY_COUNT_LIMIT},
    {GCONF_SHARE_HEARTBEAT_INTERVAL_MS, CONF_GROUP_SHARE_MIN_HEARTBEAT_INTERVAL_MS,
     CONF_GROUP_SHARE_MAX_HEARTBEAT_INTERVAL_MS},
    {GCONF_SHARE_PARTITION_MAX_RECORD_LOCKS, CONF_GROUP_SHARE_MIN_PARTITION_MAX_RECORD_LOCKS,
     CONF_GROUP_SHARE_MAX_PARTITION_MAX_RECORD_LOCKS},
    {GCONF_SHARE_RECORD_LOCK_DURATION_MS, CONF_GROUP_SHARE_MIN_RECORD_LOCK_DURATION_MS,
     CONF_GROUP_SHARE_MAX_RECORD_LOCK_DURATION_MS},
    {GCONF_SHARE_SESSION_TIMEOUT_MS, CONF_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS,
     CONF_GROUP_SHARE_MAX_SESSION_TIMEOUT_MS},
    {GCONF_STREAMS_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS},
    {GCONF_STREAMS_HEARTBEAT_INTERVAL_MS, CONF_GROUP_STREAMS_MIN_HEARTBEAT_INTERVAL_MS,
     CONF_GROUP_STREAMS_MAX_HEARTBEAT_INTERVAL_MS},
    {GCONF_STREAMS_NUM_STANDBY_REPLICAS, CONF_ID_COUNT, CONF_GROUP_STREAMS_MAX_STANDBY_REPLICAS},
    {GCONF_STREAMS_SESSION_TIMEOUT_MS, CONF_GROUP_STREAMS_MIN_SESSION_TIMEOUT_MS,
     CONF_GROUP_STREAMS_MAX_SESSION_TIMEOUT_MS},
};

/* A session outlasts a heartbeat. */
static const ConfId sessions[][2] = {
    {GCONF_CONSUMER_SESSION_TIMEOUT_MS, GCONF_CONSUMER_HEARTBEAT_INTERVAL_MS},
    {GCONF_SHARE_SESSION_TIMEOUT_MS, GCONF_SHARE_HEARTBEAT_INTERVAL_MS},
    {GCONF_STREAMS_SESSION_TIMEOUT_MS, GCONF_STREAMS_HEARTBEAT_INTERVAL_MS},
};

static int64_t
value_of(const ConfigCase *k, ConfId id)
{
    StrView text = config_set_find(&k->after, strview_from(conf_rows[id].name));

    if (text.ptr == NULL)
        text = conf_resolve_default(id, k->c->dynamic, k->c->arena).text;
    return conf_text_int64(&conf_rows[id], text);
}

static int64_t
bound_of(const ConfigCase *k, ConfId id)
{
    return conf_text_int64(&conf_rows[id], conf_resolve_broker(id, k->c->dynamic).text);
}

Verdict
check_group_settings(const ConfigCase *k)
{
    ErrInfo err = {0};

    for (int32_t i = 0; i < k->after.count; i++) {
        const ConfPair *pair = &k->after.pairs[i];
        int id = conf_find(CONF_SCOPE_GROUP, pair->name);

        if (id < 0)
            return config_refuse(k->c, KERR_INVALID_CONFIG, "groups have no setting %.*s",
                                 (int)pair->name.len, pair->name.ptr);
        if (conf_check(&conf_rows[id], pair->value, &err) != 0)
            return config_refuse(k->c, KERR_INVALID_CONFIG, "%s", err.text);
    }
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const GroupBound *b = &bounds[i];
        int64_t value = value_of(k, b->id);

        if (b->min != CONF_ID_COUNT && value < bound_of(k, b->min))
            return config_refuse(k->c, KERR_INVALID_CONFIG, "%s must be at least %s",
                                 conf_rows[b->id].name, conf_rows[b->min].name);
        if (value > bound_of(k, b->max))
            return config_refuse(k->c, KERR_INVALID_CONFIG, "%s must be at most %s",
                                 conf_rows[b->id].name, conf_rows[b->max].name);
    }
    for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++)
        if (value_of(k, sessions[i][0]) <= value_of(k, sessions[i][1]))
            return config_refuse(k->c, KERR_INVALID_CONFIG, "%s must be above %s",
                                 conf_rows[sessions[i][0]].name, conf_rows[sessions[i][1]].name);
    return (Verdict){0, NULL};
}
