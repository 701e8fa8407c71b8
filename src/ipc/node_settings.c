/*
 * node_settings.c - where the settings came from, and how they are read again
 *
 * Runs in: supervisor (start, SIGHUP), children (SIGHUP).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/node_settings.h"

#include <string.h>

#include "ottla/common/log_pipe.h"
#include "ottla/common/log_sink.h"
#include "ottla/common/own_page.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/title.h"

#define CATEGORY_PREFIX "log.level."

static ConfArgs sources;
static OWN_PAGE uint32_t
    read_generation; /* of the files that were read last; children inherit it */

void
node_settings_remember(const ConfArgs *args)
{
    sources = *args;
}

const ConfArgs *
node_settings_sources(void)
{
    return &sources;
}

static void
apply_log_style(void)
{
    const char *destination = conf_str(CONF_LOG_DESTINATION);
    bool collected = log_pipe_use(strcmp(destination, "file") == 0);
    bool in_journal = log_stderr_is_journal();
    bool journal =
        strcmp(destination, "journal") == 0 || (strcmp(destination, "auto") == 0 && in_journal);
    /* Lines on stderr that the journal reads, because nothing else takes them, keep their priority. */
    LogStyle style = {.fd = 2,
                      .collected = collected,
                      .priority_prefix =
                          !collected && (conf_bool(CONF_LOG_SD_PREFIX) || (journal && in_journal)),
                      .line_prefix = conf_str(CONF_LOG_LINE_PREFIX)};

    if (journal && log_journal_found()) {
        style.sink = log_journal_write;
        style.sink_takes = log_journal_takes;
    } else if (strcmp(destination, "syslog") == 0) {
        style.sink = log_syslog_write;
        style.sink_takes = log_syslog_takes;
    } else if (strcmp(destination, "json") == 0) {
        style.sink = log_json_write;
    }
    if (journal && in_journal)
        style.line_prefix = LOG_PREFIX_JOURNAL;
    log_set_style(&style);
}

/* What requests set weighs more than the files, until the node starts anew. */
static void
apply_requested_levels(const AtomicU32 *words)
{
    for (int i = 0; words != NULL && i < LOG_CATEGORY_COUNT; i++) {
        uint32_t word = atomic_u32_load(&words[i]);

        if (word == 0 || word > LL_COUNT)
            continue;
        if (i == 0)
            log_set_threshold((LogLevel)(word - 1));
        else
            (void)log_set_category(log_category_name(i), (LogLevel)(word - 1)); /* there is room */
    }
}

void
node_settings_apply_levels(const AtomicU32 *requested)
{
    const char *name;
    const char *value;
    LogLevel level;

    log_reset_categories();
    if (log_level_from_name(strview_from(conf_str(CONF_LOG_MIN_MESSAGES)), &level))
        log_set_threshold(level);
    for (int i = 0; conf_extra_at(i, &name, &value); i++)
        if (strncmp(name, CATEGORY_PREFIX, sizeof CATEGORY_PREFIX - 1) == 0 &&
            log_level_from_name(text_trim(strview_from(value)), &level))
            (void)log_set_category(name + sizeof CATEGORY_PREFIX - 1,
                                   level); /* full: the rest not */
    apply_requested_levels(requested);
}

void
node_settings_apply(void)
{
    apply_log_style();
    node_settings_apply_levels(shared_page == NULL ? NULL : shared_page->log_levels);
    title_enable_updates(conf_bool(CONF_UPDATE_PROCESS_TITLE));
}

int
node_settings_reread(ConfReport *report)
{
    int rc = conf_reload(&sources, report);

    /* Also after a failure: the prefix is kept by pointer. */
    node_settings_apply();
    return rc;
}

void
node_settings_begin_region(void)
{
    read_generation = 0;
}

void
node_settings_announce(void)
{
    read_generation = atomic_u32_add(&shared_page->reload_generation, 1) + 1;
}

bool
node_settings_follow(void)
{
    uint32_t now = atomic_u32_load(&shared_page->reload_generation);
    ConfReport report;

    if (now == read_generation)
        return false;
    read_generation = now;
    conf_report_init(&report);
    (void)node_settings_reread(&report); /* the supervisor judged the files, and told */
    conf_report_release(&report);
    return true;
}
