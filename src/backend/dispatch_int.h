/*
 * dispatch_int.h - from a frame to its handler
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_DISPATCH_INT_H
#define OTTLA_BACKEND_DISPATCH_INT_H

#include "backend/request_int.h"
#include "ottla/common/err.h"

/*
 * Reads the request header of a frame into rq (head, body, handler). Kafka's rules (observed.md 5,
 * log.md 15): a header that does not parse, an API or a version that is not served here closes the
 * connection; ret says why: a negative code with a text. ApiVersions of any version is found.
 */
int dispatch_request(Request *rq, BytesView frame, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Is there a handler for what the table of APIs offers? For a test that compares both. */
const Handler *dispatch_find(int16_t api_key);

/* Handlers, one file h_NAME.c each. Rows stand in dispatch.c. */
ReqResult h_api_versions_start(Request *rq);
ReqResult h_metadata_start(Request *rq);
ReqResult h_metadata_finish(Request *rq);
void h_metadata_drop(Request *rq);
ReqResult h_describe_cluster_start(Request *rq);
ReqResult h_describe_client_quotas_start(Request *rq);
ReqResult h_describe_topic_partitions_start(Request *rq);
ReqResult h_produce_start(Request *rq);
ReqResult h_produce_finish(Request *rq);
void h_produce_drop(Request *rq);
ReqResult h_fetch_start(Request *rq);
ReqResult h_fetch_finish(Request *rq);
void h_fetch_drop(Request *rq);
ReqResult h_find_coordinator_start(Request *rq);
ReqResult h_find_coordinator_finish(Request *rq);
void h_find_coordinator_drop(Request *rq);
ReqResult h_groups_start(Request *rq); /* what group_apis.c lists */
ReqResult h_groups_finish(Request *rq);
void h_groups_drop(Request *rq);
ReqResult h_group_lists_start(Request *rq); /* what group_list_apis.c lists */
ReqResult h_group_lists_finish(Request *rq);
void h_group_lists_drop(Request *rq);
ReqResult h_list_groups_start(Request *rq);
ReqResult h_list_groups_finish(Request *rq);
void h_list_groups_drop(Request *rq);
ReqResult h_offset_fetch_start(Request *rq);
ReqResult h_offset_fetch_finish(Request *rq);
void h_offset_fetch_drop(Request *rq);
ReqResult h_offset_commit_start(Request *rq);
ReqResult h_offset_commit_finish(Request *rq);
void h_offset_commit_drop(Request *rq);
ReqResult h_offset_delete_start(Request *rq);
ReqResult h_offset_delete_finish(Request *rq);
void h_offset_delete_drop(Request *rq);
ReqResult h_list_offsets_start(Request *rq);
ReqResult h_offset_for_leader_epoch_start(Request *rq);
ReqResult h_init_producer_id_start(Request *rq);
ReqResult h_init_producer_id_finish(Request *rq);
void h_init_producer_id_drop(Request *rq);
ReqResult h_delete_records_start(Request *rq);
ReqResult h_describe_producers_start(Request *rq);
ReqResult h_telemetry_start(Request *rq);
ReqResult h_describe_configs_start(Request *rq);
ReqResult h_list_config_resources_start(Request *rq);
ReqResult h_ottla_control_start(Request *rq);
ReqResult h_ottla_control_finish(Request *rq);
ReqResult h_ottla_stat_start(Request *rq);
ReqResult h_ottla_stat_finish(Request *rq);
void h_ottla_stat_drop(Request *rq);
ReqResult h_describe_users_start(Request *rq);
ReqResult h_list_reassignments_start(Request *rq);
ReqResult h_acls_start(Request *rq);
ReqResult h_tokens_start(Request *rq);
ReqResult h_sasl_start(Request *rq);
ReqResult h_describe_log_dirs_start(Request *rq);
ReqResult h_alter_log_dirs_start(Request *rq);
ReqResult h_alter_client_quotas_start(Request *rq);
ReqResult h_alter_client_quotas_finish(Request *rq);
void h_alter_client_quotas_drop(Request *rq);
ReqResult forward_start(Request *rq); /* what forward_apis.c lists */
ReqResult forward_finish(Request *rq);
void forward_drop(Request *rq);

#endif
