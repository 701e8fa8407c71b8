/*
 * node_settings.c - where the settings came from, and how they are read again
 *
 * Runs in: supervisor (start, SIGHUP), children (SIGHUP).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/node_settings.h"

#include <string.h>

#include "ottla/common/log.h"
#include "ottla/ipc/title.h"

#define CATEGORY_PREFIX "log.level."

static ConfArgs sources;

void
node_settings_remember(const ConfArgs *args)
{
    sources = *args;
}

static void
apply_log_style(void)
{
    const char *destination = conf_str(CONF_LOG_DESTINATION);
    const char *prefix = conf_str(CONF_LOG_LINE_PREFIX);
    bool priorities = conf_bool(CONF_LOG_SD_PREFIX);
    LogStyle style = {.fd = 2, .priority_prefix = priorities, .line_prefix = prefix};

    if (destination == NULL || strcmp(destination, "auto") == 0)
        style = log_style_auto(prefix, priorities);
    log_set_style(&style);
}

void
node_settings_apply(void)
{
    const char *name;
    const char *value;
    LogLevel level;

    apply_log_style();
    if (log_level_from_name(strview_from(conf_str(CONF_LOG_MIN_MESSAGES)), &level))
        log_set_threshold(level);
    for (int i = 0; conf_extra_at(i, &name, &value); i++)
        if (strncmp(name, CATEGORY_PREFIX, sizeof CATEGORY_PREFIX - 1) == 0 &&
            log_level_from_name(text_trim(strview_from(value)), &level))
            (void)log_set_category(name + sizeof CATEGORY_PREFIX - 1,
                                   level); /* full: the rest not */
    title_enable_updates(conf_bool(CONF_UPDATE_PROCESS_TITLE));
}

int
node_settings_reread(ConfReport *report)
{
    ConfReport own;
    int rc;

    conf_report_init(&own);
    rc = conf_reload(&sources, report != NULL ? report : &own);
    conf_report_release(&own);
    /* Also after a failure: the prefix is kept by pointer. */
    node_settings_apply();
    return rc;
}
