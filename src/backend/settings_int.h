/*
 * settings_int.h - the settings that backends look at, by what they mean here
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_SETTINGS_INT_H
#define OTTLA_BACKEND_SETTINGS_INT_H

#include <stdbool.h>
#include <stdint.h>

/* socket.request.max.bytes */
int32_t setting_request_max(void);

/* queued.max.request.bytes; a quarter of the machine's memory when it is not set. */
int64_t setting_queued_bytes(void);

/* connections.max.idle.ms in microseconds; -1: never. */
int64_t setting_idle_us(void);

/* auto.create.topics.enable */
bool setting_auto_create(void);

/* max.request.partition.size.limit: partitions in one answer of DescribeTopicPartitions */
int32_t setting_partitions_per_page(void);

/* log.connections, log.disconnections */
bool setting_log_connections(void);
bool setting_log_disconnections(void);

/* log.admin */
bool setting_log_admin(void);

#endif
