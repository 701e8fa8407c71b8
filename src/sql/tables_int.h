/*
 * tables_int.h - the tables that are built in, and names for numbers of the protocol
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
extern const SqlTable table_producers, table_transactions;
extern const SqlTable table_offsets_at, table_all_nodes;
extern const SqlTable table_messages, table_last_produced;

/* ---- names.c: numbers of the protocol as words; "unknown" for others. Names to numbers: -1. ---- */

const char *name_of_resource(int8_t type); /* of ACLs: TOPIC, GROUP, ... */
const char *name_of_pattern(int8_t type);
const char *name_of_operation(int8_t operation);
const char *name_of_permission(int8_t permission);
const char *name_of_config_resource(int8_t type); /* topic, broker, ... */
const char *name_of_config_source(int8_t source);
const char *name_of_config_type(int8_t type);
const char *name_of_mechanism(int8_t mechanism);

int8_t number_of_resource(StrView name);
int8_t number_of_pattern(StrView name);
int8_t number_of_operation(StrView name);
int8_t number_of_permission(StrView name);

#endif
