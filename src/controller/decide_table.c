/*
 * decide_table.c - which requests the controller decides, and by what: a row per API
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_table.h"

#include "ottla/protocol/msg_alter_configs.h"
#include "ottla/protocol/msg_incremental_alter_configs.h"

/* decide_name as a function of rows: name_run. */
#define RUN_OF(name)                                                                            \
    static int name##_run(const DecideContext *c, const DecideRequest *in, RecordList *records, \
                          DecideResponse *out)                                                  \
    {                                                                                           \
        return decide_##name(c, &in->name, records, &out->name);                                \
    }

RUN_OF(create_topics)
RUN_OF(delete_topics)
RUN_OF(create_partitions)
RUN_OF(producer_ids)
RUN_OF(alter_client_quotas)
RUN_OF(alter_scram)
RUN_OF(incremental_alter_configs)
RUN_OF(alter_configs)
RUN_OF(update_features)
RUN_OF(unregister_broker)
RUN_OF(elect_leaders)
RUN_OF(alter_reassignments)
RUN_OF(describe_quorum)

static const DecideRow rows[] = {
    {&create_topics_request_desc, &create_topics_response_desc, create_topics_run},
    {&delete_topics_request_desc, &delete_topics_response_desc, delete_topics_run},
    {&create_partitions_request_desc, &create_partitions_response_desc, create_partitions_run},
    {&allocate_producer_ids_request_desc, &allocate_producer_ids_response_desc, producer_ids_run},
    {&alter_client_quotas_request_desc, &alter_client_quotas_response_desc,
     alter_client_quotas_run},
    {&alter_user_scram_credentials_request_desc, &alter_user_scram_credentials_response_desc,
     alter_scram_run},
    {&incremental_alter_configs_request_desc, &incremental_alter_configs_response_desc,
     incremental_alter_configs_run},
    {&alter_configs_request_desc, &alter_configs_response_desc, alter_configs_run},
    {&update_features_request_desc, &update_features_response_desc, update_features_run},
    {&unregister_broker_request_desc, &unregister_broker_response_desc, unregister_broker_run},
    {&elect_leaders_request_desc, &elect_leaders_response_desc, elect_leaders_run},
    {&alter_partition_reassignments_request_desc, &alter_partition_reassignments_response_desc,
     alter_reassignments_run},
    {&describe_quorum_request_desc, &describe_quorum_response_desc, describe_quorum_run},
};

/* Incremental and whole changes of settings are among them: a shorter retention makes room. */
static const MessageDesc *const on_reserve[] = {
    &delete_topics_request_desc,
    &allocate_producer_ids_request_desc,
    &incremental_alter_configs_request_desc,
    &alter_configs_request_desc,
};

bool
decide_on_reserve(const DecideRow *row)
{
    for (size_t i = 0; i < sizeof on_reserve / sizeof on_reserve[0]; i++)
        if (on_reserve[i] == row->request)
            return true;
    return false;
}

const DecideRow *
decide_row(int16_t api_key, int16_t version)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].request->number == api_key && message_has_version(rows[i].request, version))
            return &rows[i];
    return NULL;
}
