/*
 * settings.c - the settings that backends look at, by what they mean here
 *
 * Runs in: backend.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/settings_int.h"

#include <unistd.h>

#include "ottla/common/conf.h"

int32_t
setting_request_max(void)
{
    return conf_int32(CONF_SOCKET_REQUEST_MAX_BYTES);
}

int64_t
setting_queued_bytes(void)
{
    int64_t set = conf_int64(CONF_QUEUED_MAX_REQUEST_BYTES);

    return set > 0 ? set : (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4;
}

int64_t
setting_idle_us(void)
{
    int64_t ms = conf_int64(CONF_CONNECTIONS_MAX_IDLE_MS);

    if (ms < 0)
        return -1;
    return ms > INT64_MAX / 2000 ? -1 : ms * 1000;
}

bool
setting_auto_create(void)
{
    return conf_bool(CONF_AUTO_CREATE_TOPICS_ENABLE);
}

int32_t
setting_partitions_per_page(void)
{
    return conf_int32(CONF_MAX_REQUEST_PARTITION_SIZE_LIMIT);
}

bool
setting_log_connections(void)
{
    return conf_bool(CONF_LOG_CONNECTIONS);
}

bool
setting_log_disconnections(void)
{
    return conf_bool(CONF_LOG_DISCONNECTIONS);
}

bool
setting_log_admin(void)
{
    return conf_bool(CONF_LOG_ADMIN);
}
