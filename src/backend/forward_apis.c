/*
 * forward_apis.c - the APIs that the controller decides, and their answers when it does not
 *
 * Runs in: backend. A row per API: its request, and the answer that carries one code everywhere a
 * code can stand, as Kafka makes it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/forward_apis_int.h"

#include "backend/names_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_alter_client_quotas.h"
#include "ottla/protocol/msg_alter_configs.h"
#include "ottla/protocol/msg_alter_partition_reassignments.h"
#include "ottla/protocol/msg_alter_user_scram_credentials.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_topics.h"
#include "ottla/protocol/msg_describe_quorum.h"
#include "ottla/protocol/msg_elect_leaders.h"
#include "ottla/protocol/msg_incremental_alter_configs.h"
#include "ottla/protocol/msg_unregister_broker.h"
#include "ottla/protocol/msg_update_features.h"

static ReqResult
no_memory(Request *rq)
{
    return request_close(rq, "no memory for the answer");
}

/* ---- topics ---- */

static ReqResult
fail_create(Request *rq, const void *msg, int16_t code)
{
    const CreateTopicsRequest *in = msg;
    CreateTopicsResponse out;

    create_topics_response_init(&out);
    out.topics = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.topics);
    if (out.topics == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->topics_count; i++) {
        CreateTopicsResponseTopic *topic = &out.topics[out.topics_count++];

        create_topics_response_topic_init(topic);
        topic->name = name_echo(rq->arena, in->topics[i].name);
        topic->error_code = code;
        topic->configs = NULL;
        topic->configs_count = rq->head.api_version >= 5 ? 0 : topic->configs_count;
    }
    return request_respond(rq, &create_topics_response_desc, &out);
}

static ReqResult
fail_delete(Request *rq, const void *msg, int16_t code)
{
    const DeleteTopicsRequest *in = msg;
    bool by_id = rq->head.api_version >= 6;
    int32_t count = by_id ? in->topics_count : in->topic_names_count;
    DeleteTopicsResponse out;

    delete_topics_response_init(&out);
    out.responses = arena_calloc(rq->arena, (size_t)count, sizeof *out.responses);
    if (out.responses == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < count; i++) {
        DeleteTopicsResponseTopic *topic = &out.responses[out.responses_count++];

        delete_topics_response_topic_init(topic);
        topic->name = name_echo(rq->arena, by_id ? in->topics[i].name : in->topic_names[i]);
        if (by_id)
            topic->topic_id = in->topics[i].topic_id;
        topic->error_code = code;
    }
    return request_respond(rq, &delete_topics_response_desc, &out);
}

static ReqResult
fail_grow(Request *rq, const void *msg, int16_t code)
{
    const CreatePartitionsRequest *in = msg;
    CreatePartitionsResponse out;

    create_partitions_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.results);
    if (out.results == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->topics_count; i++) {
        CreatePartitionsResponseResult *topic = &out.results[out.results_count++];

        create_partitions_response_result_init(topic);
        topic->name = name_echo(rq->arena, in->topics[i].name);
        topic->error_code = code;
    }
    return request_respond(rq, &create_partitions_response_desc, &out);
}

/* ---- quotas ---- */

static ReqResult
fail_quotas(Request *rq, const void *msg, int16_t code)
{
    const AlterClientQuotasRequest *in = msg;
    AlterClientQuotasResponse out;

    alter_client_quotas_response_init(&out);
    out.entries = arena_calloc(rq->arena, (size_t)in->entries_count, sizeof *out.entries);
    if (out.entries == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->entries_count; i++) {
        const AlterClientQuotasRequestEntryData *from = &in->entries[i];
        AlterClientQuotasResponseEntryData *to = &out.entries[out.entries_count++];

        alter_client_quotas_response_entry_data_init(to);
        to->error_code = code;
        to->entity = arena_calloc(rq->arena, (size_t)from->entity_count, sizeof *to->entity);
        if (to->entity == NULL)
            return no_memory(rq);
        for (int32_t k = 0; k < from->entity_count; k++) {
            to->entity[k].entity_type = name_echo(rq->arena, from->entity[k].entity_type);
            to->entity[k].entity_name = name_echo(rq->arena, from->entity[k].entity_name);
        }
        to->entity_count = from->entity_count;
    }
    return request_respond(rq, &alter_client_quotas_response_desc, &out);
}

/* ---- users ---- */

static ReqResult
fail_users(Request *rq, const void *msg, int16_t code)
{
    const AlterUserScramCredentialsRequest *in = msg;
    int32_t count = in->deletions_count + in->upsertions_count;
    AlterUserScramCredentialsResponse out;

    alter_user_scram_credentials_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)count, sizeof *out.results);
    if (out.results == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < count; i++) {
        AlterUserScramCredentialsResponseResult *to = &out.results[out.results_count++];

        alter_user_scram_credentials_response_result_init(to);
        to->user = name_echo(rq->arena, i < in->deletions_count
                                            ? in->deletions[i].name
                                            : in->upsertions[i - in->deletions_count].name);
        to->error_code = code;
    }
    return request_respond(rq, &alter_user_scram_credentials_response_desc, &out);
}

/* ---- the cluster ---- */

static ReqResult
fail_elections(Request *rq, const void *msg, int16_t code)
{
    const ElectLeadersRequest *in = msg;
    int32_t count = in->topic_partitions_count < 0 ? 0 : in->topic_partitions_count;
    ElectLeadersResponse out;

    elect_leaders_response_init(&out);
    out.error_code = code;
    out.replica_election_results =
        arena_calloc(rq->arena, (size_t)count, sizeof *out.replica_election_results);
    if (out.replica_election_results == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < count; i++) {
        const ElectLeadersRequestTopicPartitions *from = &in->topic_partitions[i];
        ElectLeadersResponseReplicaElectionResult *to =
            &out.replica_election_results[out.replica_election_results_count++];

        elect_leaders_response_replica_election_result_init(to);
        to->topic = name_echo(rq->arena, from->topic);
        to->partition_result =
            arena_calloc(rq->arena, (size_t)from->partitions_count, sizeof *to->partition_result);
        if (to->partition_result == NULL)
            return no_memory(rq);
        for (int32_t k = 0; k < from->partitions_count; k++) {
            elect_leaders_response_partition_result_init(&to->partition_result[k]);
            to->partition_result[k].partition_id = from->partitions[k];
            to->partition_result[k].error_code = code;
        }
        to->partition_result_count = from->partitions_count;
    }
    return request_respond(rq, &elect_leaders_response_desc, &out);
}

static ReqResult
fail_reassignments(Request *rq, const void *msg, int16_t code)
{
    const AlterPartitionReassignmentsRequest *in = msg;
    AlterPartitionReassignmentsResponse out;

    alter_partition_reassignments_response_init(&out);
    out.error_code = code;
    out.allow_replication_factor_change = in->allow_replication_factor_change;
    out.responses = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.responses);
    if (out.responses == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->topics_count; i++) {
        const AlterPartitionReassignmentsRequestTopic *from = &in->topics[i];
        AlterPartitionReassignmentsResponseReassignableTopicResponse *to =
            &out.responses[out.responses_count++];

        alter_partition_reassignments_response_reassignable_topic_response_init(to);
        to->name = name_echo(rq->arena, from->name);
        to->partitions =
            arena_calloc(rq->arena, (size_t)from->partitions_count, sizeof *to->partitions);
        if (to->partitions == NULL)
            return no_memory(rq);
        for (int32_t k = 0; k < from->partitions_count; k++) {
            alter_partition_reassignments_response_partition_init(&to->partitions[k]);
            to->partitions[k].partition_index = from->partitions[k].partition_index;
            to->partitions[k].error_code = code;
        }
        to->partitions_count = from->partitions_count;
    }
    return request_respond(rq, &alter_partition_reassignments_response_desc, &out);
}

static ReqResult
fail_features(Request *rq, const void *msg, int16_t code)
{
    UpdateFeaturesResponse out;

    (void)msg; /* one code for all */
    update_features_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &update_features_response_desc, &out);
}

static ReqResult
fail_unregister(Request *rq, const void *msg, int16_t code)
{
    UnregisterBrokerResponse out;

    (void)msg; /* one code for all */
    unregister_broker_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &unregister_broker_response_desc, &out);
}

static ReqResult
fail_quorum(Request *rq, const void *msg, int16_t code)
{
    DescribeQuorumResponse out;

    (void)msg; /* one code for all */
    describe_quorum_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &describe_quorum_response_desc, &out);
}

/* ---- settings ---- */

static ReqResult
fail_incremental(Request *rq, const void *msg, int16_t code)
{
    const IncrementalAlterConfigsRequest *in = msg;
    IncrementalAlterConfigsResponse out;

    incremental_alter_configs_response_init(&out);
    out.responses = arena_calloc(rq->arena, (size_t)in->resources_count, sizeof *out.responses);
    if (out.responses == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->resources_count; i++) {
        IncrementalAlterConfigsResponseAlterConfigsResourceResponse *to =
            &out.responses[out.responses_count++];

        incremental_alter_configs_response_alter_configs_resource_response_init(to);
        to->error_code = code;
        to->resource_type = in->resources[i].resource_type;
        to->resource_name = name_echo(rq->arena, in->resources[i].resource_name);
    }
    return request_respond(rq, &incremental_alter_configs_response_desc, &out);
}

static ReqResult
fail_configs(Request *rq, const void *msg, int16_t code)
{
    const AlterConfigsRequest *in = msg;
    AlterConfigsResponse out;

    alter_configs_response_init(&out);
    out.responses = arena_calloc(rq->arena, (size_t)in->resources_count, sizeof *out.responses);
    if (out.responses == NULL)
        return no_memory(rq);
    for (int32_t i = 0; i < in->resources_count; i++) {
        AlterConfigsResponseResourceResponse *to = &out.responses[out.responses_count++];

        alter_configs_response_resource_response_init(to);
        to->error_code = code;
        to->resource_type = in->resources[i].resource_type;
        to->resource_name = name_echo(rq->arena, in->resources[i].resource_name);
    }
    return request_respond(rq, &alter_configs_response_desc, &out);
}

/* ---- the table ---- */

static const ForwardRow rows[] = {
    {&create_topics_request_desc, fail_create},
    {&delete_topics_request_desc, fail_delete},
    {&create_partitions_request_desc, fail_grow},
    {&alter_client_quotas_request_desc, fail_quotas},
    {&alter_user_scram_credentials_request_desc, fail_users},
    {&incremental_alter_configs_request_desc, fail_incremental},
    {&alter_configs_request_desc, fail_configs},
    {&elect_leaders_request_desc, fail_elections},
    {&alter_partition_reassignments_request_desc, fail_reassignments},
    {&update_features_request_desc, fail_features},
    {&unregister_broker_request_desc, fail_unregister},
    {&describe_quorum_request_desc, fail_quorum},
};

const ForwardRow *
forward_row(int16_t api_key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].request->number == api_key)
            return &rows[i];
    return NULL;
}
