/*
 * do_cluster.c - leaders elected, brokers forgotten, features, voters, tokens, client metrics, transactions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include <openssl/evp.h>

#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_add_raft_voter.h"
#include "ottla/protocol/msg_create_delegation_token.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_elect_leaders.h"
#include "ottla/protocol/msg_expire_delegation_token.h"
#include "ottla/protocol/msg_remove_raft_voter.h"
#include "ottla/protocol/msg_renew_delegation_token.h"
#include "ottla/protocol/msg_unregister_broker.h"
#include "ottla/protocol/msg_update_features.h"

/* Bytes of a token's key, decoded. */
#define HMAC_MAX 256

/* A failure that the server may have words for. */
static int
failed(Exec *x, int16_t error, StrView message, const char *what)
{
    if (message.len > 0)
        return fault_kafka(x->f, error, -1, "could not %s: %.*s", what, (int)message.len,
                           message.ptr);
    return fault_kafka(x->f, error, -1, "could not %s: %s", what, fault_kafka_text(error));
}

/* ---- ELECT ---- */

static int
fill_election(Exec *x, const Items *items, ElectLeadersRequest *request)
{
    ElectLeadersRequestTopicPartitions *topics =
        exec_alloc(x, (size_t)items->count, sizeof *topics);
    int32_t *partitions = exec_alloc(x, (size_t)items->count, sizeof *partitions);
    int32_t used = 0;

    if (topics == NULL || partitions == NULL)
        return -1;
    request->topic_partitions = topics;
    request->topic_partitions_count = 0;
    for (int32_t i = 0; i < items->count; i++) {
        ElectLeadersRequestTopicPartitions *t = request->topic_partitions_count == 0
                                                    ? NULL
                                                    : &topics[request->topic_partitions_count - 1];

        if (!items->list[i].pending)
            continue;
        if (t == NULL || !strview_equal(t->topic, items->list[i].name)) {
            t = &topics[request->topic_partitions_count++];
            elect_leaders_request_topic_partitions_init(t);
            t->topic = items->list[i].name;
            t->partitions = &partitions[used];
        }
        partitions[used++] = items->list[i].partition;
        t->partitions_count++;
    }
    return 0;
}

/* Items of count 0 stand for all partitions: the answer says which were looked at. */
static int
send_election(Exec *x, Items *items, void *arg)
{
    bool all = *(const bool *)arg;
    ElectLeadersRequest request;
    ElectLeadersResponse response;
    int rc;

    elect_leaders_request_init(&request);
    request.election_type = statement_has(x->s, ITEM_UNCLEAN) ? 1 : 0;
    request.timeout_ms = 30000;
    request.topic_partitions_count = -1; /* all */
    if (!all && fill_election(x, items, &request) != 0)
        return -1;
    rc = exec_change(x, CLIENT_HERE, API_ElectLeaders, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0)
        return failed(x, response.error_code, (StrView){0}, "elect leaders");
    for (int32_t i = 0; i < response.replica_election_results_count; i++) {
        const ElectLeadersResponseReplicaElectionResult *t = &response.replica_election_results[i];

        for (int32_t j = 0; j < t->partition_result_count; j++) {
            const ElectLeadersResponsePartitionResult *p = &t->partition_result[j];
            Item *item = all ? items_add(x, items, t->topic, p->partition_id, -1)
                             : items_find(items, t->topic, p->partition_id);

            if (item != NULL)
                item_done(x, item, p->error_code, p->error_message, CLIENT_HERE);
            else if (all)
                return -1;
        }
    }
    return 0;
}

int
do_elect(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "elect a leader for",
                                  .skip = {KERR_ELECTION_NOT_NEEDED},
                                  .skip_text = "has the right leader",
                                  .skip_on = true};
    bool all = statement_has(x->s, ITEM_ALL);
    Items items = {.noun = "topic"};
    int32_t done;
    int rc;

    if (statement_has(x->s, ITEM_UNCLEAN) &&
        exec_confirm(x, "An unclean election may lose acknowledged records. Elect?") != 0)
        return -1;
    if (!all && partitions_named(x, 0, &items) != 0)
        return -1;
    rc = all ? send_election(x, &items, &all) : items_run(x, &items, send_election, &all);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ELECT LEADER %" PRId32, done);
    return 0;
}

/* ---- UNREGISTER BROKER ---- */

int
do_unregister(Exec *x)
{
    UnregisterBrokerRequest request;
    UnregisterBrokerResponse response;
    int rc;

    unregister_broker_request_init(&request);
    request.broker_id = (int32_t)statement_number_of(x->s, ITEM_BROKER, -1);
    if (exec_confirm(x, exec_text(x, "Unregister broker %" PRId32 "?", request.broker_id)) != 0)
        return -1;
    rc = exec_change(x, CLIENT_HERE, API_UnregisterBroker, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code == KERR_BROKER_ID_NOT_REGISTERED) {
        (void)fault_kafka(x->f, response.error_code, -1, "broker %" PRId32 " is not registered",
                          request.broker_id);
        x->f->position = x->s->items[statement_find(x->s, ITEM_BROKER, 0)].pos;
        return -1;
    }
    if (response.error_code != 0)
        return failed(x, response.error_code, response.error_message, "unregister the broker");
    exec_tag(x, "UNREGISTER BROKER");
    return 0;
}

/* ---- features ---- */

int
do_feature(Exec *x)
{
    bool upgrade = statement_has(x->s, ITEM_UPGRADE), old;
    int64_t level = statement_number_of(x->s, ITEM_LEVEL, 0);
    UpdateFeaturesRequest request;
    UpdateFeaturesRequestFeatureUpdateKey update;
    UpdateFeaturesResponse response;
    int rc;

    old = client_version(x->client, CLIENT_HERE, API_UpdateFeatures) == 0;
    if (level > INT16_MAX)
        return exec_bad_value(x, &x->s->items[statement_find(x->s, ITEM_LEVEL, 0)],
                              "level is out of range");
    update_features_request_init(&request);
    update_features_request_feature_update_key_init(&update);
    update.feature = statement_text_of(x->s, ITEM_FEATURE);
    update.max_version_level = (int16_t)level;
    if (old)
        update.allow_downgrade = !upgrade;
    else
        update.upgrade_type = upgrade ? 1 : statement_has(x->s, ITEM_UNSAFE) ? 3 : 2;
    request.feature_updates = &update;
    request.feature_updates_count = 1;
    request.validate_only = x->validate;
    rc = exec_change(x, CLIENT_HERE, API_UpdateFeatures, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0)
        return failed(x, response.error_code, response.error_message,
                      "change the level of the feature");
    if (response.results_count > 0 && response.results[0].error_code != 0)
        return failed(x, response.results[0].error_code, response.results[0].error_message,
                      "change the level of the feature");
    exec_tag(x, upgrade ? "UPGRADE FEATURE" : "DOWNGRADE FEATURE");
    return 0;
}

/* ---- voters ---- */

int
do_voter(Exec *x)
{
    int32_t at = statement_find(x->s, ITEM_DIRECTORY, 0);
    int32_t id = (int32_t)statement_number_of(x->s, ITEM_BROKER, -1);
    Uuid directory;
    int rc;

    if (!uuid_from_text(x->s->items[at].text, &directory))
        return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no directory id",
                              (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    if (x->s->kind == STATEMENT_REMOVE_VOTER) {
        RemoveRaftVoterRequest request;
        RemoveRaftVoterResponse response;

        remove_raft_voter_request_init(&request);
        request.cluster_id = strview_from(client_info(x->client)->cluster_id);
        request.voter_id = id;
        request.voter_directory_id = directory;
        if (client_version(x->client, CLIENT_HERE, API_RemoveRaftVoter) < 0)
            return exec_not_supported(x,
                                      "this server's metadata quorum cannot change while it runs");
        rc = exec_change(x, CLIENT_HERE, API_RemoveRaftVoter, &request, &response);
        if (rc != 0)
            return rc;
        if (response.error_code != 0)
            return failed(x, response.error_code, response.error_message, "remove the voter");
        exec_tag(x, "REMOVE VOTER");
        return 0;
    }
    AddRaftVoterRequest request;
    AddRaftVoterRequestListener listener;
    AddRaftVoterResponse response;
    StrView host = statement_text_of(x->s, ITEM_HOST), port;
    int32_t number;

    if (client_version(x->client, CLIENT_HERE, API_AddRaftVoter) < 0)
        return exec_not_supported(x, "this server's metadata quorum cannot change while it runs");
    port = host;
    while (port.len > 0 && port.ptr[0] != ':')
        port = (StrView){port.ptr + 1, port.len - 1};
    if (port.len < 2 || !text_to_int32((StrView){port.ptr + 1, port.len - 1}, &number) ||
        number < 1 || number > 65535)
        return fault_set(x->f, FAULT_BAD_PARAMETER,
                         "the controller's address is wanted: ON 'host:port'");
    add_raft_voter_request_init(&request);
    add_raft_voter_request_listener_init(&listener);
    listener.name = STRVIEW("CONTROLLER");
    listener.host = (StrView){host.ptr, host.len - port.len};
    listener.port = (uint16_t)number;
    request.cluster_id = strview_from(client_info(x->client)->cluster_id);
    request.voter_id = id;
    request.voter_directory_id = directory;
    request.timeout_ms = 30000;
    request.listeners = &listener;
    request.listeners_count = 1;
    rc = exec_change(x, CLIENT_HERE, API_AddRaftVoter, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0)
        return failed(x, response.error_code, response.error_message, "add the voter");
    exec_tag(x, "ADD VOTER");
    return 0;
}

/* ---- tokens ---- */

static int
split_principal(Exec *x, const StatementItem *item, StrView *ret_type, StrView *ret_name)
{
    const char *colon = memchr(item->text.ptr, ':', (size_t)item->text.len);

    *ret_type = STRVIEW("User");
    *ret_name = item->text;
    if (colon == NULL)
        return 0;
    *ret_type = (StrView){item->text.ptr, (int32_t)(colon - item->text.ptr)};
    *ret_name = (StrView){colon + 1, item->text.len - ret_type->len - 1};
    return ret_type->len == 0 || ret_name->len == 0
               ? exec_bad_value(x, item, "a principal is Type:name")
               : 0;
}

static int
lifetime_asked(Exec *x, int64_t otherwise, int64_t *ret)
{
    int32_t at = statement_find(x->s, ITEM_LIFETIME, 0);

    *ret = otherwise;
    if (at >= 0 && !value_duration_ms(x->s->items[at].text, ret))
        return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no duration",
                              (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    return 0;
}

static int
create_token(Exec *x)
{
    CreateDelegationTokenRequest request;
    CreateDelegationTokenResponse response;
    int32_t owner = statement_find(x->s, ITEM_USER, 0);
    unsigned char hmac[HMAC_MAX * 2];
    PrintTable table;
    int rc;

    create_delegation_token_request_init(&request);
    request.renewers =
        exec_alloc(x, (size_t)statement_count_of(x->s, ITEM_RENEWER), sizeof *request.renewers);
    if (request.renewers == NULL || lifetime_asked(x, -1, &request.max_lifetime_ms) != 0)
        return -1;
    if (owner >= 0 && split_principal(x, &x->s->items[owner], &request.owner_principal_type,
                                      &request.owner_principal_name) != 0)
        return -1;
    for (int32_t i = statement_find(x->s, ITEM_RENEWER, 0); i >= 0;
         i = statement_find(x->s, ITEM_RENEWER, i + 1)) {
        CreateDelegationTokenRequestCreatableRenewers *r =
            &request.renewers[request.renewers_count++];

        create_delegation_token_request_creatable_renewers_init(r);
        if (split_principal(x, &x->s->items[i], &r->principal_type, &r->principal_name) != 0)
            return -1;
    }
    rc = exec_change(x, CLIENT_HERE, API_CreateDelegationToken, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0)
        return failed(x, response.error_code, (StrView){0}, "make a token");
    if (response.hmac.len > HMAC_MAX)
        return fault_set(x->f, FAULT_BAD_REPLY, "a token of %" PRId32 " bytes", response.hmac.len);
    (void)EVP_EncodeBlock(hmac, response.hmac.ptr, response.hmac.len); /* cannot fail */
    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("token_id"), 'l');
    print_table_add_column(&table, STRVIEW("hmac"), 'l');
    print_table_add_column(&table, STRVIEW("expires_ms"), 'r');
    print_table_add_cell(&table, response.token_id);
    print_table_add_text(&table, (const char *)hmac);
    print_table_add_int(&table, response.expiry_timestamp_ms);
    return exec_table(x, &table);
}

/* The key that CREATE TOKEN showed. */
static int
hmac_given(Exec *x, BytesView *ret)
{
    const StatementItem *item = &x->s->items[statement_find(x->s, ITEM_HMAC, 0)];
    unsigned char *bytes = exec_alloc(x, (size_t)item->text.len + 4, 1);
    int len, padding = 0;

    if (bytes == NULL)
        return -1;
    len = EVP_DecodeBlock(bytes, (const unsigned char *)item->text.ptr, item->text.len);
    while (padding < item->text.len && padding < 2 &&
           item->text.ptr[item->text.len - 1 - padding] == '=')
        padding++;
    if (len <= padding || len - padding > HMAC_MAX)
        return exec_bad_value(x, item, "this is no token in base64");
    *ret = (BytesView){bytes, len - padding};
    return 0;
}

int
do_token(Exec *x)
{
    BytesView hmac;
    int16_t error;
    int rc;

    if (x->s->kind == STATEMENT_CREATE_TOKEN)
        return create_token(x);
    if (hmac_given(x, &hmac) != 0)
        return -1;
    if (x->s->kind == STATEMENT_RENEW_TOKEN) {
        RenewDelegationTokenRequest request;
        RenewDelegationTokenResponse response;

        renew_delegation_token_request_init(&request);
        request.hmac = hmac;
        if (lifetime_asked(x, INT64_C(86400000), &request.renew_period_ms) != 0)
            return -1;
        rc = exec_change(x, CLIENT_HERE, API_RenewDelegationToken, &request, &response);
        error = rc == 0 ? response.error_code : 0;
    } else {
        ExpireDelegationTokenRequest request;
        ExpireDelegationTokenResponse response;

        expire_delegation_token_request_init(&request);
        request.hmac = hmac;
        if (lifetime_asked(x, -1, &request.expiry_time_period_ms) != 0)
            return -1;
        rc = exec_change(x, CLIENT_HERE, API_ExpireDelegationToken, &request, &response);
        error = rc == 0 ? response.error_code : 0;
    }
    if (rc != 0)
        return rc;
    if (error != 0)
        return failed(x, error, (StrView){0}, "change the token");
    exec_tag(x, x->s->kind == STATEMENT_RENEW_TOKEN ? "RENEW TOKEN" : "EXPIRE TOKEN");
    return 0;
}

/* ---- client metrics ---- */

int
do_metrics(Exec *x)
{
    bool create = x->s->kind == STATEMENT_CREATE_METRICS, missing_ok = statement_has(x->s, ITEM_IF);
    const ItemsVerdict verdict = {.verb = create ? "create" : "drop",
                                  .skip = {KERR_RESOURCE_NOT_FOUND},
                                  .skip_text = "does not exist",
                                  .skip_on = missing_ok};
    ConfigsChange change = {.type = RESOURCE_CLIENT_METRICS};
    ConfigChange *changes = NULL;
    Items items = {.noun = "client metrics"};
    int32_t done;
    int rc;

    for (int32_t i = statement_find(x->s, ITEM_METRICS, 0); i >= 0;
         i = statement_find(x->s, ITEM_METRICS, i + 1)) {
        const StatementItem *named = &x->s->items[i];
        DescribeConfigsResponseResult have;
        bool exists = false;
        Item *item = items_add(x, &items, named->text, -1, named->pos);

        if (item == NULL || configs_read(x, change.type, named->text, false, &have) != 0)
            return -1;
        for (int32_t j = 0; j < have.configs_count; j++)
            exists = exists || have.configs[j].config_source == CONF_SOURCE_METRICS;
        if (create && exists) {
            (void)fault_set(x->f, "42710", "client metrics \"%.*s\" already exist",
                            (int)named->text.len, named->text.ptr);
            x->f->position = named->pos;
            return -1;
        }
        if (!create && configs_reset_all(x, change.type, item) != 0)
            return -1;
        if (!create && !exists)
            item->error = KERR_RESOURCE_NOT_FOUND;
    }
    if (create && configs_of_statement(x, CONF_SCOPE_METRICS, &changes, &change.count) != 0)
        return -1;
    change.changes = changes;
    rc = items_run(x, &items, configs_send, &change);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, create ? "CREATE CLIENT METRICS" : "DROP CLIENT METRICS");
    return 0;
}
