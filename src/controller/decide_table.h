/*
 * decide_table.h - which requests the controller decides, and by what
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_DECIDE_TABLE_H
#define OTTLA_CONTROLLER_DECIDE_TABLE_H

#include "controller/decide.h"

/* Everything a request may be, read and decided; the largest decides the size of the frame. */
typedef union DecideRequest {
    CreateTopicsRequest create_topics;
    DeleteTopicsRequest delete_topics;
    CreatePartitionsRequest create_partitions;
    AllocateProducerIdsRequest producer_ids;
    AlterClientQuotasRequest alter_client_quotas;
    IncrementalAlterConfigsRequest incremental_alter_configs;
    AlterConfigsRequest alter_configs;
    AlterUserScramCredentialsRequest alter_scram;
    UpdateFeaturesRequest update_features;
    UnregisterBrokerRequest unregister_broker;
    ElectLeadersRequest elect_leaders;
    AlterPartitionReassignmentsRequest alter_reassignments;
    DescribeQuorumRequest describe_quorum;
} DecideRequest;

typedef union DecideResponse {
    CreateTopicsResponse create_topics;
    DeleteTopicsResponse delete_topics;
    CreatePartitionsResponse create_partitions;
    AllocateProducerIdsResponse producer_ids;
    AlterClientQuotasResponse alter_client_quotas;
    IncrementalAlterConfigsResponse incremental_alter_configs;
    AlterConfigsResponse alter_configs;
    AlterUserScramCredentialsResponse alter_scram;
    UpdateFeaturesResponse update_features;
    UnregisterBrokerResponse unregister_broker;
    ElectLeadersResponse elect_leaders;
    AlterPartitionReassignmentsResponse alter_reassignments;
    DescribeQuorumResponse describe_quorum;
} DecideResponse;

/* One API. run is as the decide_ functions of decide.h. */
typedef struct DecideRow {
    const MessageDesc *request;
    const MessageDesc *response;
    int (*run)(const DecideContext *c, const DecideRequest *in, RecordList *records,
               DecideResponse *out);
} DecideRow;

/*
 * Is it decided on a full disk, too? What makes room (deletes, settings), and what keeps producers going,
 * lives on the reserve of the metadata folder; the rest gets 56.
 */
bool decide_on_reserve(const DecideRow *row);

/* NULL: the controller does not decide this API in this version. */
const DecideRow *decide_row(int16_t api_key, int16_t version);

#endif
