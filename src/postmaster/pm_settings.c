/*
 * pm_settings.c - from the settings table to what the supervisor wants to know
 *
 * Runs in: supervisor, at start and on SIGHUP. Strings are copied once: a reload throws away those
 * of the table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/pm_settings.h"

#include <ctype.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/conf.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/text.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/node_settings.h"
#include "resolver.h"

#define STARTUP_WORKERS_MAX 16 /* recovery is bound by disks and cores, not by processes */

/* A copy that stays; NULL when the setting is not set, so that the default of its user counts. */
static const char *
copy_if_set(ConfId id)
{
    const char *text = conf_is_set(id) ? conf_str(id) : NULL;

    return text == NULL ? NULL : strdup(text);
}

static int
read_ids(PmSettings *ret, ErrInfo *err)
{
    int32_t node_id = conf_is_set(CONF_NODE_ID) ? conf_int32(CONF_NODE_ID) : -1;
    int32_t broker_id = conf_is_set(CONF_BROKER_ID) ? conf_int32(CONF_BROKER_ID) : -1;

    if (node_id >= 0 && broker_id >= 0 && node_id != broker_id)
        return err_set(err, OT_E_CONFIG, "node.id is %d, but broker.id is %d", node_id, broker_id);
    ret->dir.node_id = node_id >= 0 ? node_id : broker_id;
    return 0;
}

static int
read_socket_mode(PmSettings *ret, ErrInfo *err)
{
    const char *text = conf_str(CONF_UNIX_SOCKET_PERMISSIONS);
    unsigned mode = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '7' && mode <= 0777; p++)
        mode = mode * 8 + (unsigned)(*p - '0');
    if (p == text || *p != '\0' || mode > 0777)
        return err_set(err, OT_E_CONFIG, "unix.socket.permissions: \"%s\" is not octal up to 0777",
                       text);
    ret->listen.local.mode = (mode_t)mode;
    return 0;
}

/* A name, or a number of a group that has none. */
static int
read_socket_group(PmSettings *ret, ErrInfo *err)
{
    const char *text = conf_str(CONF_UNIX_SOCKET_GROUP);
    const struct group *group;
    int32_t number;

    ret->listen.local.group = NET_GROUP_KEEP;
    if (text == NULL || *text == '\0')
        return 0;
    group = getgrnam(text);
    if (group != NULL)
        ret->listen.local.group = group->gr_gid;
    else if (text_to_int32(strview_from(text), &number) && number >= 0)
        ret->listen.local.group = (gid_t)number;
    else
        return err_set(err, OT_E_CONFIG, "unix.socket.group: there is no group \"%s\"", text);
    return 0;
}

/* "host:count,host:count"; a host that is not resolved yet is left out until it is (resolver.h). */
static void
read_overrides(AcceptLimits *limits)
{
    const char *text = conf_str(CONF_MAX_CONNECTIONS_PER_IP_OVERRIDES);
    StrView item, name;

    limits->address_count = 0;
    for (StrView rest = conf_ipcounts_begin(strview_from(text)); conf_list_next(&rest, &item);) {
        NetAddress addresses[NET_ADDRESSES_MAX];
        char host[LIMIT_HOST_LEN + 1];
        int32_t bound;
        int found;

        ot_assert(conf_ipcount(item, &name, &bound)); /* its check has seen to it */
        snprintf(host, sizeof host, "%.*s", (int)name.len, name.ptr);
        found = resolver_lookup(host[0] == '\0' ? "localhost" : host, addresses);
        for (int k = 0; k < found && limits->address_count < ADDRESS_LIMITS_MAX; k++)
            limits->addresses[limits->address_count++] =
                (AddressLimit){client_address_of(&addresses[k]), bound};
    }
}

/* A bound that a listener may have of its own; without one it has none. */
static int32_t
listener_bound(const Listener *row, ConfId id)
{
    char name[LISTENER_NAME_MAX + 64];
    const char *text;
    int n = snprintf(name, sizeof name, "listener.name.%s.%s", row->name, conf_rows[id].name);

    for (int i = 0; i < n; i++) /* Kafka's form of the prefix */
        name[i] = (char)tolower((unsigned char)name[i]);
    text = conf_extra_find(name);
    if (text == NULL || conf_check(&conf_rows[id], strview_from(text), NULL) != 0)
        return INT32_MAX;
    return (int32_t)conf_text_int64(&conf_rows[id], strview_from(text));
}

/* Bounds of single listeners are read when the table of listeners is there: again at its end. */
static void
read_rules(AcceptRules *rules)
{
    rules->reserved = conf_int32(CONF_SUPERUSER_RESERVED_CONNECTIONS);
    rules->node = (AcceptBound){conf_int32(CONF_MAX_CONNECTIONS),
                                conf_int32(CONF_MAX_CONNECTION_CREATION_RATE)};
    rules->spans =
        rate_spans(conf_int32(CONF_QUOTA_WINDOW_NUM), conf_int32(CONF_QUOTA_WINDOW_SIZE_SECONDS));
    for (int i = 0; i < ACCEPT_LISTENERS_MAX; i++)
        rules->listeners[i] = (AcceptBound){INT32_MAX, INT32_MAX};
    for (int i = 0; i < node_listeners.count; i++) {
        const Listener *row = &node_listeners.rows[i];

        rules->listeners[i] = (AcceptBound){listener_bound(row, CONF_MAX_CONNECTIONS),
                                            listener_bound(row, CONF_MAX_CONNECTION_CREATION_RATE)};
    }
}

/* What a reload or a request may change. */
static void
read_changeable(PmSettings *ret)
{
    AcceptLimits limits = {.max_per_address = conf_int32(CONF_MAX_CONNECTIONS_PER_IP)};

    read_rules(&limits.rules);
    read_overrides(&limits);
    ret->accept = limits;
    ret->startup_per_dir = conf_int32(CONF_NUM_RECOVERY_THREADS_PER_DATA_DIR);
    if (ret->startup_per_dir > STARTUP_WORKERS_MAX)
        ret->startup_per_dir = STARTUP_WORKERS_MAX;
    ret->spare_backends = conf_int32(CONF_BACKEND_SPARE);
    ret->update_titles = conf_bool(CONF_UPDATE_PROCESS_TITLE);
    ret->machine.smart_timeout_ms = conf_int64(CONF_SMART_SHUTDOWN_TIMEOUT);
    ret->machine.restart_after_crash = conf_bool(CONF_RESTART_AFTER_CRASH);
    ret->machine.send_abort = conf_bool(CONF_SEND_ABORT_FOR_CRASH);
}

static void
read_limits(ShmLimits *limits)
{
    limits->max_partitions = conf_int32(CONF_MAX_PARTITIONS);
    limits->backend_slots = conf_int32(CONF_BACKEND_SLOTS);
    limits->producer_entries = conf_int32(CONF_PRODUCER_STATE_ENTRIES);
    limits->fetch_sessions = conf_int32(CONF_MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS);
    limits->bulk_bytes = (size_t)conf_int64(CONF_GROUP_BULK_BYTES);
}

/* Each line of a report as one line of the log. */
static void
log_lines(LogLevel level, const StrBuf *lines)
{
    StrView rest = strbuf_view(lines);

    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', (size_t)rest.len);
        int32_t len = end == NULL ? rest.len : (int32_t)(end - rest.ptr);
        int32_t used = end == NULL ? len : len + 1;

        log_msg(level, "settings", "%.*s", (int)len, rest.ptr);
        rest.ptr += used;
        rest.len -= used;
    }
}

void
pm_settings_log_report(const ConfReport *report)
{
    StrView later = strbuf_view(&report->later);

    log_lines(LL_ERROR, &report->errors);
    log_lines(LL_WARNING, &report->warnings);
    log_lines(LL_LOG, &report->changes);
    if (later.len > 0)
        log_msg(LL_WARNING, "settings", "kept, but nothing acts on them yet: %.*s", (int)later.len,
                later.ptr);
}

/* The reload hook: reads the files anew and logs what changed. */
static int
reload_settings(PmSettings *settings, ErrInfo *err)
{
    ConfReport report;
    int rc;

    conf_report_init(&report);
    rc = node_settings_reread(&report);
    pm_settings_log_report(&report);
    if (rc < 0)
        rc = err_set(err, OT_E_CONFIG, "%d errors in the settings", report.error_count);
    else
        read_changeable(settings);
    if (rc == 0 && report.skipped_count > 0)
        rc = report.skipped_count;
    conf_report_release(&report);
    return rc;
}

int
pm_settings_load(const char *data_dir, bool auto_format, uint16_t port, PmSettings *ret,
                 ErrInfo *err)
{
    int rc;

    pm_settings_default(data_dir, ret);
    ret->dir.auto_format = auto_format;
    ret->dir.log_dirs = copy_if_set(CONF_LOG_DIRS);
    if (ret->dir.log_dirs == NULL)
        ret->dir.log_dirs = copy_if_set(CONF_LOG_DIR);
    ret->dir.metadata_dir = copy_if_set(CONF_METADATA_LOG_DIR);
    ret->listeners.listeners = copy_if_set(CONF_LISTENERS);
    ret->listeners.advertised = copy_if_set(CONF_ADVERTISED_LISTENERS);
    ret->listeners.protocol_map = copy_if_set(CONF_LISTENER_SECURITY_PROTOCOL_MAP);
    ret->listeners.controller_names = copy_if_set(CONF_CONTROLLER_LISTENER_NAMES);
    ret->listeners.inter_broker_name = copy_if_set(CONF_INTER_BROKER_LISTENER_NAME);
    ret->listeners.port = port;
    ret->listen.backlog = conf_int32(CONF_SOCKET_LISTEN_BACKLOG_SIZE);
    ret->listen.send_buffer = conf_int32(CONF_SOCKET_SEND_BUFFER_BYTES);
    ret->listen.receive_buffer = conf_int32(CONF_SOCKET_RECEIVE_BUFFER_BYTES);
    ret->listen.congestion = copy_if_set(CONF_SOCKET_CONGESTION_CONTROL);
    ret->instance = copy_if_set(CONF_INSTANCE);
    ret->socket_dir = copy_if_set(CONF_UNIX_SOCKET_DIRECTORY);
    ret->huge_pages = conf_bool(CONF_HUGE_PAGES);
    read_limits(&ret->limits);
    ret->reload = reload_settings;
    ret->refresh = read_changeable;
    rc = read_ids(ret, err);
    if (rc == 0)
        rc = read_socket_mode(ret, err);
    if (rc == 0)
        rc = read_socket_group(ret, err);
    if (rc == 0)
        read_changeable(ret);
    return rc;
}
