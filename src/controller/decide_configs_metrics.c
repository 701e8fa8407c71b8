/*
 * decide_configs_metrics.c - settings of client metrics subscriptions (KIP-714)
 *
 * Kept and described; clients are not offered the APIs that would use them.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/common/regex_syntax.h"

/* What a client can be chosen by. */
static const char *const selectors[] = {"client_id",
                                        "client_instance_id",
                                        "client_software_name",
                                        "client_software_version",
                                        "client_source_address",
                                        "client_source_port"};

/* "selector=pattern" */
static bool
is_match(StrView item)
{
    const char *equal = item.len == 0 ? NULL : memchr(item.ptr, '=', (size_t)item.len);
    StrView name, pattern;

    if (equal == NULL)
        return false;
    name = text_trim((StrView){item.ptr, (int32_t)(equal - item.ptr)});
    pattern = text_trim((StrView){equal + 1, item.len - (int32_t)(equal - item.ptr) - 1});
    if (pattern.len == 0 || memchr(pattern.ptr, '=', (size_t)pattern.len) != NULL ||
        regex_syntax_fault(pattern) != NULL)
        return false;
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        if (strview_equal(name, strview_from(selectors[i])))
            return true;
    return false;
}

static Verdict
check_interval(const ConfigCase *k, StrView value)
{
    const ConfRow *row = &conf_rows[MCONF_INTERVAL_MS];
    ErrInfo err = {0};
    int32_t number;

    if (conf_check(row, value, &err) == 0)
        return (Verdict){0, NULL};
    /* No number is a bad value, a number outside its bounds a bad request. */
    return config_refuse(
        k->c, text_to_int32(text_trim(value), &number) ? KERR_INVALID_REQUEST : KERR_INVALID_CONFIG,
        "%s", err.text);
}

static Verdict
check_match(const ConfigCase *k, StrView value)
{
    StrView item;

    for (StrView rest = conf_list_begin(value); conf_list_next(&rest, &item);)
        if (!is_match(item))
            return config_refuse(k->c, KERR_INVALID_CONFIG,
                                 "match wants items SELECTOR=PATTERN, not \"%.*s\"", (int)item.len,
                                 item.ptr);
    return (Verdict){0, NULL};
}

Verdict
check_metrics_settings(const ConfigCase *k)
{
    ErrInfo err = {0};

    for (int32_t i = 0; i < k->after.count; i++) {
        const ConfPair *pair = &k->after.pairs[i];
        int id = conf_find(CONF_SCOPE_METRICS, pair->name);
        Verdict v = {0, NULL};

        if (id < 0)
            return config_refuse(k->c, KERR_INVALID_REQUEST, "subscriptions have no setting %.*s",
                                 (int)pair->name.len, pair->name.ptr);
        if (id == MCONF_INTERVAL_MS)
            v = check_interval(k, pair->value);
        else if (conf_check(&conf_rows[id], pair->value, &err) != 0)
            v = config_refuse(k->c, KERR_INVALID_CONFIG, "%s", err.text);
        else if (id == MCONF_MATCH)
            v = check_match(k, pair->value);
        if (v.code != 0)
            return v;
    }
    return (Verdict){0, NULL};
}
