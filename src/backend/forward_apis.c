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
#include "ottla/protocol/msg_alter_user_scram_credentials.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_topics.h"

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

/* ---- the table ---- */

static const ForwardRow rows[] = {
    {&create_topics_request_desc, fail_create},
    {&delete_topics_request_desc, fail_delete},
    {&create_partitions_request_desc, fail_grow},
    {&alter_client_quotas_request_desc, fail_quotas},
    {&alter_user_scram_credentials_request_desc, fail_users},
};

const ForwardRow *
forward_row(int16_t api_key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].request->number == api_key)
            return &rows[i];
    return NULL;
}
