/*
 * limits.h - every bound that is no setting, with its unit and reason
 *
 * Bounds that belong to one module stand in its header; here are those that several must agree on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LIMITS_H
#define OTTLA_COMMON_LIMITS_H

#include <assert.h>

/* Kafka's longest topic name, so that "name-partition" plus a suffix fits into a file name. */
#define LIMIT_TOPIC_NAME_LEN 249

/* Partitions that one CreateTopics or CreatePartitions may add (the controller's batch of records). */
#define LIMIT_PARTITIONS_PER_CHANGE 10000

/* Kafka's strings have 16-bit lengths. */
#define LIMIT_STRING_LEN 32767

/* Longest value of a topic, broker or group setting. */
#define LIMIT_CONFIG_VALUE_LEN 32767

/* Entries of max.connections.per.ip.overrides: the supervisor looks at them for each connection. */
#define LIMIT_ADDRESS_LIMITS 64

/* Bytes of a host name. */
#define LIMIT_HOST_LEN 255

/* Produce requests of one connection that may be pending (design.md 4). */
#define LIMIT_PENDING_PRODUCES 16

/* Memory of a backend beside the request itself, and the request size that needs no node-wide budget. */
#define LIMIT_BACKEND_BASE_BYTES  (1 << 20)
#define LIMIT_SMALL_REQUEST_BYTES (1 << 20)

/* Log directories of a node. */
#define LIMIT_LOG_DIRS 64

/* Paths: a log directory, a partition folder and a file name, with the zero byte. */
#define LIMIT_PATH_BYTES      4096
#define LIMIT_LOG_DIR_BYTES   3072
#define LIMIT_FILE_NAME_BYTES 256

/* Files of settings. */
#define LIMIT_CONF_FILE_BYTES    (4 << 20)
#define LIMIT_CONF_LINE_BYTES    65536
#define LIMIT_CONF_INCLUDE_DEPTH 10
#define LIMIT_CONF_ERRORS        100

/* Small state files of a partition or node: checkpoints, properties. */
#define LIMIT_STATE_FILE_BYTES (64 << 20)

/* A zstd window that we are ready to hold while decoding: what the format recommends all decoders take. */
#define LIMIT_ZSTD_WINDOW_LOG 27

static_assert(LIMIT_LOG_DIR_BYTES + LIMIT_TOPIC_NAME_LEN + 2 * LIMIT_FILE_NAME_BYTES <
                  LIMIT_PATH_BYTES,
              "a path in a partition folder fits");

#endif
