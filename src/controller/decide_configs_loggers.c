/*
 * decide_configs_loggers.c - levels of log lines: BROKER_LOGGER in IncrementalAlterConfigs
 *
 * Levels are memory of this node and end with it; they become no records. The names are components of
 * log lines (common/log.h), the levels Kafka's.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_configs.h"
#include "ottla/common/log.h"

typedef struct LevelName {
    const char *name;
    LogLevel level;
} LevelName;

static const LevelName level_names[] = {{"FATAL", LL_FATAL},  {"ERROR", LL_ERROR},
                                        {"WARN", LL_WARNING}, {"INFO", LL_INFO},
                                        {"DEBUG", LL_DEBUG1}, {"TRACE", LL_DEBUG5}};

static bool
level_of(StrView name, LogLevel *ret)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strview_equal(name, strview_from(level_names[i].name))) {
            *ret = level_names[i].level;
            return true;
        }
    return false;
}

static Verdict
check_wish(const DecideContext *c, const ConfigWish *wish, LevelChanges *ret)
{
    LogLevel level = LL_COUNT;
    int category = log_category_find(wish->name);

    if (wish->op == CONFIG_OP_APPEND || wish->op == CONFIG_OP_SUBTRACT)
        return config_refuse(c, KERR_INVALID_REQUEST, "a level is no list");
    if (category < 0)
        return config_refuse(c, KERR_INVALID_CONFIG, "there is no logger %.*s", (int)wish->name.len,
                             wish->name.ptr);
    if (wish->op == CONFIG_OP_DELETE && category == 0)
        return config_refuse(c, KERR_INVALID_REQUEST,
                             "the level of the root logger cannot be deleted");
    if (wish->op == CONFIG_OP_SET && !level_of(wish->value, &level))
        return config_refuse(c, KERR_INVALID_CONFIG,
                             "the level of %.*s must be one of FATAL, ERROR, WARN, INFO, DEBUG, "
                             "TRACE",
                             (int)wish->name.len, wish->name.ptr);
    ret->any = true;
    ret->changed[category] = true;
    ret->to[category] = (uint8_t)level;
    return (Verdict){0, NULL};
}

Verdict
decide_levels(const DecideContext *c, const ConfigItem *item, bool validate_only)
{
    LevelChanges changes = *c->levels;

    for (int32_t i = 0; i < item->count; i++) {
        Verdict v = check_wish(c, &item->wishes[i], &changes);

        if (v.code != 0)
            return v;
    }
    if (!validate_only)
        *c->levels = changes;
    return (Verdict){0, NULL};
}
