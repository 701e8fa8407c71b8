/*
 * audit.c - a line for each request that changed something (log.admin): who, from where, what
 *
 * Runs in: backend. One line per request, of bounded length, however many things it names. It says the names of
 * things and of settings, never a value. Answers are the source: what was refused is counted, not named. What was given
 * up while the controller or a coordinator had it may still happen; it is named with a question mark.
 * Spec: shell-and-service.md 11.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/audit_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend/conn_int.h"
#include "backend/names_int.h"
#include "backend/settings_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/log.h"
#include "ottla/controller/image.h"
#include "ottla/protocol/msg_alter_client_quotas.h"
#include "ottla/protocol/msg_alter_configs.h"
#include "ottla/protocol/msg_alter_partition_reassignments.h"
#include "ottla/protocol/msg_alter_replica_log_dirs.h"
#include "ottla/protocol/msg_alter_user_scram_credentials.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_groups.h"
#include "ottla/protocol/msg_delete_records.h"
#include "ottla/protocol/msg_delete_topics.h"
#include "ottla/protocol/msg_elect_leaders.h"
#include "ottla/protocol/msg_incremental_alter_configs.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_offset_delete.h"
#include "ottla/protocol/msg_ottla_control.h"
#include "ottla/protocol/msg_unregister_broker.h"
#include "ottla/protocol/msg_update_features.h"

#define TEXT_MAX \
    1000 /* of what was changed; with the names of its client a line keeps below LOG_LINE_MAX */
#define NAME_ROOM 260  /* of one name: every topic's */
#define LOOK_MAX  1000 /* things of a request that are looked through for the settings of one */

#define ENTITY_MAX 3 /* parts of what a quota is for: a user and a client, or an address */

/* A consumer without a group commits again and again: this many lines a minute of one connection. */
#define COMMITS_PER_MINUTE 10
#define MINUTE_US          INT64_C(60000000)

typedef struct Audit {
    const Request *rq;
    StrView group;                  /* that all is about; null: none */
    char topic[NAME_TOPIC_MAX + 1]; /* of the last thing; "": it is in none */
    int32_t partition;
    int32_t done, unknown, refused;
    size_t used;
    bool full;
    bool settings; /* some of the last thing's are named */
    char text[TEXT_MAX];
} Audit;

/* ---- what was changed ------------------------------------------------------------------------- */

static void add(Audit *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whole or not at all; then nothing more is taken. */
static void
add(Audit *a, const char *format, ...)
{
    size_t room = sizeof a->text - a->used;
    va_list ap;
    int len;

    if (a->full)
        return;
    va_start(ap, format);
    len = vsnprintf(a->text + a->used, room, format, ap);
    va_end(ap);
    a->full = len < 0 || (size_t)len >= room;
    if (a->full)
        a->text[a->used] = '\0';
    else
        a->used += (size_t)len;
}

/* Counts a thing by its code. True: it is to be named. */
static bool
counts(Audit *a, int16_t code)
{
    bool unknown = code == KERR_REQUEST_TIMED_OUT || code == KERR_COORDINATOR_NOT_AVAILABLE;

    if (code != 0 && !unknown) {
        a->refused++;
        return false;
    }
    if (unknown)
        a->unknown++;
    else
        a->done++;
    a->settings = false;
    a->topic[0] = '\0';
    a->partition = -1;
    if (a->used > 0)
        add(a, ", ");
    return true;
}

static void
take_topic(Audit *a, StrView name)
{
    if (name_is_legal_topic(name))
        snprintf(a->topic, sizeof a->topic, "%.*s", (int)name.len, name.ptr);
}

/* "kind name". True: its settings are to be named. */
static bool
thing(Audit *a, int16_t code, const char *kind, StrView name)
{
    char text[NAME_ROOM];

    if (!counts(a, code))
        return false;
    add(a, "%s %s%s", kind, log_escape(name, text, sizeof text), code == 0 ? "" : "?");
    if (strcmp(kind, "topic") == 0)
        take_topic(a, name);
    return true;
}

static bool
partition(Audit *a, int16_t code, StrView topic, int32_t index)
{
    char text[NAME_ROOM];

    if (!counts(a, code))
        return false;
    add(a, "%s-%d%s", log_escape(topic, text, sizeof text), (int)index, code == 0 ? "" : "?");
    take_topic(a, topic);
    a->partition = index;
    return true;
}

/* A setting of the last thing, in parentheses; one that was taken away behind a minus. */
static void
setting(Audit *a, bool removed, StrView name)
{
    char text[NAME_ROOM];

    add(a, "%s%s%s", a->settings ? "," : " (", removed ? "-" : "",
        log_escape(name, text, sizeof text));
    a->settings = true;
}

static void
settings_end(Audit *a)
{
    if (a->settings)
        add(a, ")");
}

static int32_t
looked_at(const Audit *a, int32_t count)
{
    return a->full ? 0 : count < LOOK_MAX ? count : LOOK_MAX;
}

/* The partitions of an answer, whatever its structs are called. */
#define EACH_PARTITION(a, list, name, parts, index)               \
    for (int32_t i_ = 0; i_ < (list##_count); i_++)               \
        for (int32_t k_ = 0; k_ < (list)[i_].parts##_count; k_++) \
    (void)partition(a, (list)[i_].parts[k_].error_code, (list)[i_].name, (list)[i_].parts[k_].index)

/* ---- topics ---- */

static void
list_create_topics(Audit *a, const void *request, const void *response)
{
    const CreateTopicsRequest *in = request;
    const CreateTopicsResponse *out = response;

    for (int32_t i = 0; i < out->topics_count && !in->validate_only; i++) {
        if (!thing(a, out->topics[i].error_code, "topic", out->topics[i].name))
            continue;
        for (int32_t k = 0; k < looked_at(a, in->topics_count); k++)
            if (strview_equal(in->topics[k].name, out->topics[i].name))
                for (int32_t c = 0; c < looked_at(a, in->topics[k].configs_count); c++)
                    setting(a, false, in->topics[k].configs[c].name);
        settings_end(a);
    }
}

static void
list_delete_topics(Audit *a, const void *request, const void *response)
{
    const DeleteTopicsResponse *out = response;

    (void)request; /* an id of it is a name in the answer */
    for (int32_t i = 0; i < out->responses_count; i++)
        (void)thing(a, out->responses[i].error_code, "topic", out->responses[i].name);
}

static void
list_create_partitions(Audit *a, const void *request, const void *response)
{
    const CreatePartitionsRequest *in = request;
    const CreatePartitionsResponse *out = response;

    for (int32_t i = 0; i < out->results_count && !in->validate_only; i++)
        (void)thing(a, out->results[i].error_code, "topic", out->results[i].name);
}

static void
list_delete_records(Audit *a, const void *request, const void *response)
{
    const DeleteRecordsResponse *out = response;

    (void)request; /* all of it is in the answer */
    EACH_PARTITION(a, out->topics, name, partitions, partition_index);
}

static void
list_log_dirs(Audit *a, const void *request, const void *response)
{
    const AlterReplicaLogDirsResponse *out = response;

    (void)request;
    EACH_PARTITION(a, out->results, topic_name, partitions, partition_index);
}

static void
list_elections(Audit *a, const void *request, const void *response)
{
    const ElectLeadersResponse *out = response;

    (void)request;
    EACH_PARTITION(a, out->replica_election_results, topic, partition_result, partition_id);
    if (out->replica_election_results_count == 0 && out->error_code != 0)
        (void)thing(a, out->error_code, "leaders", STRVIEW("of all partitions"));
}

static void
list_reassignments(Audit *a, const void *request, const void *response)
{
    const AlterPartitionReassignmentsResponse *out = response;

    (void)request;
    EACH_PARTITION(a, out->responses, name, partitions, partition_index);
}

/* ---- settings, quotas, users ---- */

static const char *
resource_kind(int8_t type)
{
    switch (type) {
    case 2:
        return "topic";
    case 4:
        return "broker";
    case 8:
        return "logger";
    case 16:
        return "client metrics";
    case 32:
        return "group";
    default:
        return "resource";
    }
}

static void
list_incremental(Audit *a, const void *request, const void *response)
{
    const IncrementalAlterConfigsRequest *in = request;
    const IncrementalAlterConfigsResponse *out = response;

    for (int32_t i = 0; i < out->responses_count && !in->validate_only; i++) {
        int8_t type = out->responses[i].resource_type;
        StrView name = out->responses[i].resource_name;

        if (!thing(a, out->responses[i].error_code, resource_kind(type), name))
            continue;
        for (int32_t k = 0; k < looked_at(a, in->resources_count); k++)
            if (in->resources[k].resource_type == type &&
                strview_equal(in->resources[k].resource_name, name))
                for (int32_t c = 0; c < looked_at(a, in->resources[k].configs_count); c++)
                    setting(a, in->resources[k].configs[c].config_operation == 1,
                            in->resources[k].configs[c].name);
        settings_end(a);
    }
}

static void
list_configs(Audit *a, const void *request, const void *response)
{
    const AlterConfigsRequest *in = request;
    const AlterConfigsResponse *out = response;

    for (int32_t i = 0; i < out->responses_count && !in->validate_only; i++) {
        int8_t type = out->responses[i].resource_type;
        StrView name = out->responses[i].resource_name;

        if (!thing(a, out->responses[i].error_code, resource_kind(type), name))
            continue;
        for (int32_t k = 0; k < looked_at(a, in->resources_count); k++)
            if (in->resources[k].resource_type == type &&
                strview_equal(in->resources[k].resource_name, name))
                for (int32_t c = 0; c < looked_at(a, in->resources[k].configs_count); c++)
                    setting(a, false, in->resources[k].configs[c].name);
        settings_end(a);
    }
}

/* Is it what the answer tells of? Its parts are in another order there. */
static bool
is_entity(const AlterClientQuotasRequestEntryData *in,
          const AlterClientQuotasResponseEntryData *out)
{
    int32_t found = 0;

    if (in->entity_count != out->entity_count || in->entity_count > ENTITY_MAX)
        return false;
    for (int32_t i = 0; i < in->entity_count; i++)
        for (int32_t k = 0; k < out->entity_count; k++)
            if (strview_equal(in->entity[i].entity_type, out->entity[k].entity_type) &&
                (in->entity[i].entity_name.ptr == NULL) ==
                    (out->entity[k].entity_name.ptr == NULL) &&
                strview_equal(in->entity[i].entity_name, out->entity[k].entity_name))
                found++;
    return found == in->entity_count;
}

/* "quota client-id app user -": a dash is the default. */
static void
list_quotas(Audit *a, const void *request, const void *response)
{
    const AlterClientQuotasRequest *in = request;
    const AlterClientQuotasResponse *out = response;

    for (int32_t i = 0; i < out->entries_count && !in->validate_only; i++) {
        const AlterClientQuotasResponseEntryData *entry = &out->entries[i];

        if (!counts(a, entry->error_code))
            continue;
        add(a, "quota%s", entry->error_code == 0 ? "" : "?");
        for (int32_t k = 0; k < looked_at(a, entry->entity_count); k++) {
            char type[32], name[NAME_ROOM];

            add(a, " %s %s", log_escape(entry->entity[k].entity_type, type, sizeof type),
                entry->entity[k].entity_name.ptr == NULL
                    ? "-"
                    : log_escape(entry->entity[k].entity_name, name, sizeof name));
        }
        for (int32_t k = 0; k < looked_at(a, in->entries_count); k++)
            if (is_entity(&in->entries[k], entry))
                for (int32_t c = 0; c < looked_at(a, in->entries[k].ops_count); c++)
                    setting(a, in->entries[k].ops[c].remove, in->entries[k].ops[c].key);
        settings_end(a);
    }
}

static StrView
mechanism_name(int8_t mechanism)
{
    return mechanism == 1   ? STRVIEW("SCRAM-SHA-256")
           : mechanism == 2 ? STRVIEW("SCRAM-SHA-512")
                            : STRVIEW("?");
}

static void
list_users(Audit *a, const void *request, const void *response)
{
    const AlterUserScramCredentialsRequest *in = request;
    const AlterUserScramCredentialsResponse *out = response;

    for (int32_t i = 0; i < out->results_count; i++) {
        StrView user = out->results[i].user;

        if (!thing(a, out->results[i].error_code, "user", user))
            continue;
        for (int32_t k = 0; k < looked_at(a, in->deletions_count); k++)
            if (strview_equal(in->deletions[k].name, user))
                setting(a, true, mechanism_name(in->deletions[k].mechanism));
        for (int32_t k = 0; k < looked_at(a, in->upsertions_count); k++)
            if (strview_equal(in->upsertions[k].name, user))
                setting(a, false, mechanism_name(in->upsertions[k].mechanism));
        settings_end(a);
    }
}

/* ---- the cluster ---- */

static void
list_features(Audit *a, const void *request, const void *response)
{
    const UpdateFeaturesRequest *in = request;
    const UpdateFeaturesResponse *out = response;

    for (int32_t i = 0; i < in->feature_updates_count && !in->validate_only; i++) {
        bool single = i < out->results_count && out->error_code == 0; /* up to version 1 */

        if (thing(a, single ? out->results[i].error_code : out->error_code, "feature",
                  in->feature_updates[i].feature))
            add(a, " %d", in->feature_updates[i].max_version_level);
    }
}

static void
list_unregister(Audit *a, const void *request, const void *response)
{
    const UnregisterBrokerRequest *in = request;
    const UnregisterBrokerResponse *out = response;

    if (counts(a, out->error_code))
        add(a, "broker %d%s", (int)in->broker_id, out->error_code == 0 ? "" : "?");
}

/* Orders to the node, h_ottla_control.c. */
static void
list_control(Audit *a, const void *request, const void *response)
{
    static const char *const orders[] = {"reload", "terminate", "cancel", "alter system"};
    const OttlaControlRequest *in = request;
    const OttlaControlResponse *out = response;

    if (in->validate_only || in->order < 0 ||
        in->order >= (int)(sizeof orders / sizeof orders[0]) || !counts(a, out->error_code))
        return;
    add(a, "%s%s", orders[in->order], out->error_code == 0 ? "" : "?");
    if (in->pid > 0)
        add(a, " pid %d", (int)in->pid);
    if (in->reset_all)
        add(a, " reset all");
    for (int32_t i = 0; i < looked_at(a, in->settings_count); i++)
        setting(a, in->settings[i].value.ptr == NULL, in->settings[i].name);
    settings_end(a);
}

/* ---- groups ---- */

static void
list_delete_groups(Audit *a, const void *request, const void *response)
{
    const DeleteGroupsRequest *in = request;
    const DeleteGroupsResponse *out = response;

    if (in->groups_names_count == 1)
        a->group = in->groups_names[0];
    for (int32_t i = 0; i < out->results_count; i++)
        (void)thing(a, out->results[i].error_code, "group", out->results[i].group_id);
}

static void
list_offset_delete(Audit *a, const void *request, const void *response)
{
    const OffsetDeleteRequest *in = request;
    const OffsetDeleteResponse *out = response;

    a->group = in->group_id;
    EACH_PARTITION(a, out->topics, name, partitions, partition_index);
    if (out->error_code != 0)
        (void)thing(a, out->error_code, "offsets of", in->group_id);
}

/* Late versions name topics by their ids. */
static void
list_commit(Audit *a, const void *request, const void *response)
{
    const OffsetCommitRequest *in = request;
    const OffsetCommitResponse *out = response;
    ImagePin pin = image_pin();

    a->group = in->group_id;
    for (int32_t i = 0; i < out->topics_count; i++) {
        const OffsetCommitResponseTopic *topic = &out->topics[i];
        const ImageTopic *found = topic->name.len > 0 || pin.image == NULL
                                      ? NULL
                                      : image_topic_by_id(pin.image, topic->topic_id);
        StrView name = found == NULL ? topic->name : image_topic_name(found);

        for (int32_t k = 0; k < topic->partitions_count; k++)
            (void)partition(a, topic->partitions[k].error_code, name,
                            topic->partitions[k].partition_index);
    }
    image_unpin(&pin);
}

/* ---- the line --------------------------------------------------------------------------------- */

static const struct {
    int16_t api_key;
    void (*list)(Audit *a, const void *request, const void *response);
} rows[] = {
    {API_OffsetCommit, list_commit},
    {API_CreateTopics, list_create_topics},
    {API_DeleteTopics, list_delete_topics},
    {API_DeleteRecords, list_delete_records},
    {API_AlterConfigs, list_configs},
    {API_AlterReplicaLogDirs, list_log_dirs},
    {API_CreatePartitions, list_create_partitions},
    {API_DeleteGroups, list_delete_groups},
    {API_ElectLeaders, list_elections},
    {API_IncrementalAlterConfigs, list_incremental},
    {API_AlterPartitionReassignments, list_reassignments},
    {API_OffsetDelete, list_offset_delete},
    {API_AlterClientQuotas, list_quotas},
    {API_AlterUserScramCredentials, list_users},
    {API_UpdateFeatures, list_features},
    {API_UnregisterBroker, list_unregister},
    {API_OttlaControl, list_control},
};

/* A commit of a group's member is no admin's. */
bool
audit_wants(const Request *rq)
{
    const OffsetCommitRequest *commit = rq->in;

    if (rq->in == NULL || !setting_log_admin())
        return false;
    return rq->head.api->key != API_OffsetCommit ||
           (commit->member_id.len == 0 && commit->generation_id_or_member_epoch < 0 &&
            commit->group_instance_id.len <= 0);
}

/* Our own programs commit for admins alone. */
static bool
has_room(const Request *rq, uint32_t *ret_left_out)
{
    static int64_t since_us;
    static uint32_t lines, left_out;

    *ret_left_out = 0;
    if (rq->head.api->key != API_OffsetCommit || conn_is_own(rq->conn))
        return true;
    if (lines == 0 || rq->now_us - since_us >= MINUTE_US) {
        since_us = rq->now_us;
        lines = 0;
    }
    if (lines >= COMMITS_PER_MINUTE) {
        left_out++;
        return false;
    }
    lines++;
    *ret_left_out = left_out;
    left_out = 0;
    return true;
}

/* What the journal has fields for. */
static void
name_fields(const Audit *a, char *to, size_t size)
{
    char group[128];
    size_t used = 0;

    to[0] = '\0';
    if (a->group.ptr != NULL)
        used =
            (size_t)snprintf(to, size, " group=\"%s\"", log_escape(a->group, group, sizeof group));
    if (a->done != 1 || a->unknown != 0 || a->topic[0] == '\0')
        return;
    used += (size_t)snprintf(to + used, size - used, " topic=%s", a->topic);
    if (a->partition >= 0)
        snprintf(to + used, size - used, " partition=%d", (int)a->partition);
}

/* All of it are values, quoted where they are a client's: nobody makes up a field. */
static void
write_line(const Audit *a)
{
    const Request *rq = a->rq;
    char who[CONN_PRINCIPAL_MAX], client[128], fields[128 + NAME_TOPIC_MAX + 64];
    uint32_t left_out;

    if (a->done + a->unknown == 0 || !has_room(rq, &left_out))
        return;
    name_fields(a, fields, sizeof fields);
    log_msg(LL_LOG, "request",
            "change by %s; principal=\"%s\" peer=%s client=\"%s\"%s done=%d unknown=%d refused=%d "
            "left_out=%u what=\"%s%s\"",
            rq->head.api->name, log_escape(strview_from(rq->conn->principal), who, sizeof who),
            rq->conn->peer, log_escape(rq->head.client_id, client, sizeof client), fields,
            (int)a->done, (int)a->unknown, (int)a->refused, left_out, a->text,
            a->full ? "..." : "");
}

void
audit_answer(Request *rq, const void *msg)
{
    Audit a = {.rq = rq};

    for (size_t i = 0; audit_wants(rq) && i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].api_key == rq->head.api->key) {
            rows[i].list(&a, rq->in, msg);
            write_line(&a);
        }
    rq->in = NULL;
}

void
audit_lost(Request *rq)
{
    char who[CONN_PRINCIPAL_MAX], client[128];

    if (audit_wants(rq))
        log_msg(LL_LOG, "request",
                "%s ends without an answer, what it changed is not known; principal=\"%s\" peer=%s "
                "client=\"%s\"",
                rq->head.api->name, log_escape(strview_from(rq->conn->principal), who, sizeof who),
                rq->conn->peer, log_escape(rq->head.client_id, client, sizeof client));
    rq->in = NULL;
}
