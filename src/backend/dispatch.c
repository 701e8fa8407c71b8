/*
 * dispatch.c - from a frame to its handler: one row per API that is served
 *
 * Called by conn.c for each frame. Never: starts the handler (conn.c does, when its turn has come).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"

#include "backend/conn_int.h"
#include "ottla/common/err.h"

static const Handler handlers[] = {
    {API_Produce, h_produce_start, h_produce_finish, h_produce_drop},
    {API_Fetch, h_fetch_start, h_fetch_finish, h_fetch_drop},
    {API_ListOffsets, h_list_offsets_start, NULL, NULL},
    {API_Metadata, h_metadata_start, h_metadata_finish, h_metadata_drop},
    {API_OffsetCommit, h_offset_commit_start, h_offset_commit_finish, h_offset_commit_drop},
    {API_OffsetFetch, h_offset_fetch_start, h_offset_fetch_finish, h_offset_fetch_drop},
    {API_FindCoordinator, h_find_coordinator_start, h_find_coordinator_finish,
     h_find_coordinator_drop},
    {API_JoinGroup, h_groups_start, h_groups_finish, h_groups_drop},
    {API_Heartbeat, h_groups_start, h_groups_finish, h_groups_drop},
    {API_LeaveGroup, h_groups_start, h_groups_finish, h_groups_drop},
    {API_SyncGroup, h_groups_start, h_groups_finish, h_groups_drop},
    {API_DescribeGroups, h_group_lists_start, h_group_lists_finish, h_group_lists_drop},
    {API_ListGroups, h_list_groups_start, h_list_groups_finish, h_list_groups_drop},
    {API_SaslHandshake, h_sasl_start, NULL, NULL},
    {API_ApiVersions, h_api_versions_start, NULL, NULL},
    {API_CreateTopics, forward_start, forward_finish, forward_drop},
    {API_DeleteTopics, forward_start, forward_finish, forward_drop},
    {API_DeleteRecords, h_delete_records_start, NULL, NULL},
    {API_InitProducerId, h_init_producer_id_start, h_init_producer_id_finish,
     h_init_producer_id_drop},
    {API_OffsetForLeaderEpoch, h_offset_for_leader_epoch_start, NULL, NULL},
    {API_DescribeAcls, h_acls_start, NULL, NULL},
    {API_CreateAcls, h_acls_start, NULL, NULL},
    {API_DeleteAcls, h_acls_start, NULL, NULL},
    {API_DescribeConfigs, h_describe_configs_start, NULL, NULL},
    {API_AlterConfigs, forward_start, forward_finish, forward_drop},
    {API_AlterReplicaLogDirs, h_alter_log_dirs_start, NULL, NULL},
    {API_DescribeLogDirs, h_describe_log_dirs_start, NULL, NULL},
    {API_SaslAuthenticate, h_sasl_start, NULL, NULL},
    {API_CreatePartitions, forward_start, forward_finish, forward_drop},
    {API_CreateDelegationToken, h_tokens_start, NULL, NULL},
    {API_RenewDelegationToken, h_tokens_start, NULL, NULL},
    {API_ExpireDelegationToken, h_tokens_start, NULL, NULL},
    {API_DescribeDelegationToken, h_tokens_start, NULL, NULL},
    {API_DeleteGroups, h_group_lists_start, h_group_lists_finish, h_group_lists_drop},
    {API_ElectLeaders, forward_start, forward_finish, forward_drop},
    {API_IncrementalAlterConfigs, forward_start, forward_finish, forward_drop},
    {API_AlterPartitionReassignments, forward_start, forward_finish, forward_drop},
    {API_ListPartitionReassignments, h_list_reassignments_start, NULL, NULL},
    {API_OffsetDelete, h_offset_delete_start, h_offset_delete_finish, h_offset_delete_drop},
    {API_DescribeClientQuotas, h_describe_client_quotas_start, NULL, NULL},
    {API_AlterClientQuotas, h_alter_client_quotas_start, h_alter_client_quotas_finish,
     h_alter_client_quotas_drop},
    {API_DescribeUserScramCredentials, h_describe_users_start, NULL, NULL},
    {API_AlterUserScramCredentials, forward_start, forward_finish, forward_drop},
    {API_DescribeQuorum, forward_start, forward_finish, forward_drop},
    {API_UpdateFeatures, forward_start, forward_finish, forward_drop},
    {API_DescribeCluster, h_describe_cluster_start, NULL, NULL},
    {API_DescribeProducers, h_describe_producers_start, NULL, NULL},
    {API_UnregisterBroker, forward_start, forward_finish, forward_drop},
    {API_ConsumerGroupHeartbeat, h_groups_start, h_groups_finish, h_groups_drop},
    {API_ConsumerGroupDescribe, h_group_lists_start, h_group_lists_finish, h_group_lists_drop},
    {API_GetTelemetrySubscriptions, h_telemetry_start, NULL, NULL},
    {API_PushTelemetry, h_telemetry_start, NULL, NULL},
    {API_ListConfigResources, h_list_config_resources_start, NULL, NULL},
    {API_DescribeTopicPartitions, h_describe_topic_partitions_start, NULL, NULL},
    {API_OttlaStat, h_ottla_stat_start, h_ottla_stat_finish, h_ottla_stat_drop},
    {API_OttlaControl, h_ottla_control_start, h_ottla_control_finish, NULL},
};

const Handler *
dispatch_find(int16_t api_key)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].api_key == api_key)
            return &handlers[i];
    return NULL;
}

int
dispatch_request(Request *rq, BytesView frame, ErrInfo *err)
{
    RequestHead *head = &rq->head;
    WireReader r;

    wire_reader_init(&r, frame.ptr, (size_t)frame.len, NULL);
    if (frame_read_head(&r, head) < 0) {
        if (r.err == OT_E_INVALID_REQUEST)
            return err_set(err, r.err, "no API has the key %d",
                           frame.len < 2 ? -1 : (int16_t)wire_load16(frame.ptr));
        return err_set(err, r.err, "request header is cut off at %s", r.err_field);
    }
    rq->body = (BytesView){r.pos, (int32_t)wire_left(&r)};
    rq->handler = dispatch_find(head->api->key);
    if (rq->handler == NULL || (head->api->where & API_ON_BROKER) == 0 ||
        (head->api->state == API_STATE_PRIVATE && !conn_is_own(rq->conn)))
        return err_set(err, OT_E_INVALID_REQUEST, "%s is not served", head->api->name);
    if (!api_serves(head->api, head->api_version) && head->api->key != API_ApiVersions)
        return err_set(err, OT_E_UNSUPPORTED_VERSION, "%s version %d is not served",
                       head->api->name, head->api_version);
    return 0;
}
