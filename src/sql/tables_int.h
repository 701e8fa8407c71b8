/*
 * tables_int.h - the tables that are built in
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_TABLES_INT_H
#define OTTLA_SQL_TABLES_INT_H

#include "sql/table_int.h"

#define CONFIG_SOURCE_TOPIC 1 /* of DescribeConfigs: set for the topic itself */

extern const SqlTable table_topics, table_partitions, table_replicas, table_reassignments;
extern const SqlTable table_configs, table_client_metrics;
extern const SqlTable table_groups, table_group_members, table_group_offsets, table_group_lag;
extern const SqlTable table_brokers, table_log_dirs, table_quorum, table_features, table_apis;
extern const SqlTable table_errors;
extern const SqlTable table_acls, table_effective_rights, table_users, table_quotas, table_tokens;
extern const SqlTable table_producers;
extern const SqlTable table_all_nodes;

#endif
