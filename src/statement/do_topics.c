/*
 * do_topics.c - CREATE, ALTER, DROP and TRUNCATE TOPIC
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "exec_int.h"
#include "offsets_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_records.h"
#include "ottla/protocol/msg_delete_topics.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_metadata.h"

/* ---- lists of replicas ---- */

/* REPLICAS ((1,2),(3)): an array per partition. */
typedef struct ReplicaLists {
    int32_t **lists;
    int32_t *counts;
    int32_t count;
} ReplicaLists;

static int
replica_lists(Exec *x, ReplicaLists *ret)
{
    const Statement *s = x->s;
    int32_t at = 0;

    ret->count = statement_count_of(s, ITEM_LIST);
    if (ret->count == 0)
        return 0;
    ret->lists = exec_alloc(x, (size_t)ret->count, sizeof *ret->lists);
    ret->counts =
        ret->lists == NULL ? NULL : exec_alloc(x, (size_t)ret->count, sizeof *ret->counts);
    if (ret->counts == NULL)
        return -1;
    for (int32_t i = statement_find(s, ITEM_LIST, 0); i >= 0;
         i = statement_find(s, ITEM_LIST, i + 1)) {
        int32_t end = i + 1;

        while (end < s->count && s->items[end].name == ITEM_REPLICAS)
            end++;
        ret->counts[at] = end - i - 1;
        ret->lists[at] = exec_alloc(x, (size_t)ret->counts[at], sizeof **ret->lists);
        if (ret->lists[at] == NULL)
            return -1;
        for (int32_t j = i + 1; j < end; j++) {
            if (!text_to_int32(s->items[j].text, &ret->lists[at][j - i - 1]))
                return exec_bad_value(x, &s->items[j], "broker id is out of range");
        }
        at++;
    }
    return 0;
}

/* ---- CREATE TOPIC ---- */

typedef struct NewTopic {
    int32_t partitions;
    int16_t factor;
    ReplicaLists replicas;
    CreateTopicsRequestConfig *configs;
    int32_t config_count;
} NewTopic;

/* What LIKE takes from another topic: numbers, unless given, and its own settings. */
static int
take_like(Exec *x, NewTopic *topic, const DescribeConfigsResponseResult *like)
{
    Items one = {.noun = "topic"};
    MetadataResponse metadata;
    const MetadataResponseTopic *found;

    if (items_add(x, &one, statement_text_of(x->s, ITEM_SOURCE), -1,
                  x->s->items[statement_find(x->s, ITEM_SOURCE, 0)].pos) == NULL ||
        exec_metadata(x, &one, &metadata) != 0)
        return -1;
    found = metadata.topics_count == 1 ? &metadata.topics[0] : NULL;
    if (found == NULL || found->error_code != 0 || found->partitions_count == 0)
        return fault_kafka(
            x->f, found == NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION : found->error_code, -1,
            "could not look at topic \"%.*s\"", (int)one.list[0].name.len, one.list[0].name.ptr);
    if (topic->replicas.count == 0) {
        if (topic->partitions < 0)
            topic->partitions = found->partitions_count;
        if (topic->factor < 0)
            topic->factor = (int16_t)found->partitions[0].replica_nodes_count;
    }
    for (int32_t i = 0; i < like->configs_count; i++) {
        const DescribeConfigsResponseResourceResult *c = &like->configs[i];

        if (c->config_source != CONF_SOURCE_TOPIC || c->is_sensitive)
            continue;
        create_topics_request_config_init(&topic->configs[topic->config_count]);
        topic->configs[topic->config_count].name = c->name;
        topic->configs[topic->config_count++].value = c->value;
    }
    return 0;
}

/* WITH (...), over what LIKE gave. */
static int
take_with(Exec *x, NewTopic *topic)
{
    const Statement *s = x->s;

    for (int32_t i = statement_find(s, ITEM_CONFIG, 0); i >= 0;
         i = statement_find(s, ITEM_CONFIG, i + 1)) {
        const StatementItem *value = &s->items[i + 1];
        int32_t at = 0;

        if (value->quote == QUOTE_NONE && text_equal_nocase(value->text, STRVIEW("DEFAULT")))
            continue;
        while (at < topic->config_count &&
               !strview_equal(topic->configs[at].name, s->items[i].text))
            at++;
        create_topics_request_config_init(&topic->configs[at]);
        topic->configs[at].name = s->items[i].text;
        topic->configs[at].value =
            value_for_config(CONF_SCOPE_TOPIC, s->items[i].text, value->text, x->arena);
        if (at == topic->config_count)
            topic->config_count++;
    }
    return 0;
}

static int
new_topic(Exec *x, NewTopic *ret)
{
    DescribeConfigsResponseResult like = {0};
    int64_t factor = statement_number_of(x->s, ITEM_FACTOR, -1);
    int32_t at = statement_find(x->s, ITEM_FACTOR, 0);

    ret->partitions = (int32_t)statement_number_of(x->s, ITEM_PARTITIONS, -1);
    if (factor > INT16_MAX)
        return exec_bad_value(x, &x->s->items[at], "replication factor is out of range");
    ret->factor = (int16_t)factor;
    if (replica_lists(x, &ret->replicas) != 0)
        return -1;
    if (statement_has(x->s, ITEM_SOURCE) &&
        configs_read(x, RESOURCE_TOPIC, statement_text_of(x->s, ITEM_SOURCE), false, &like) != 0) {
        x->f->position = x->s->items[statement_find(x->s, ITEM_SOURCE, 0)].pos;
        return -1;
    }
    ret->configs =
        exec_alloc(x, (size_t)(like.configs_count + statement_count_of(x->s, ITEM_CONFIG)),
                   sizeof *ret->configs);
    if (ret->configs == NULL)
        return -1;
    if (statement_has(x->s, ITEM_SOURCE) && take_like(x, ret, &like) != 0)
        return -1;
    return take_with(x, ret);
}

static int
send_create(Exec *x, Items *items, void *arg)
{
    const NewTopic *topic = arg;
    CreateTopicsRequest request;
    CreateTopicsResponse response;
    CreateTopicsRequestAssignment *assignments =
        exec_alloc(x, (size_t)topic->replicas.count, sizeof *assignments);
    int rc;

    create_topics_request_init(&request);
    request.topics = exec_alloc(x, (size_t)items->count, sizeof *request.topics);
    if (request.topics == NULL || assignments == NULL)
        return -1;
    for (int32_t i = 0; i < topic->replicas.count; i++) {
        create_topics_request_assignment_init(&assignments[i]);
        assignments[i].partition_index = i;
        assignments[i].broker_ids = topic->replicas.lists[i];
        assignments[i].broker_ids_count = topic->replicas.counts[i];
    }
    for (int32_t i = 0; i < items->count; i++) {
        CreateTopicsRequestTopic *t = &request.topics[request.topics_count];

        if (!items->list[i].pending)
            continue;
        create_topics_request_topic_init(t);
        t->name = items->list[i].name;
        t->num_partitions = topic->partitions;
        t->replication_factor = topic->factor;
        t->assignments = assignments;
        t->assignments_count = topic->replicas.count;
        t->configs = topic->configs;
        t->configs_count = topic->config_count;
        request.topics_count++;
    }
    request.validate_only = x->validate;
    rc = exec_change(x, CLIENT_HERE, API_CreateTopics, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.topics_count; i++) {
        Item *item = items_find(items, response.topics[i].name, -1);

        if (item != NULL)
            item_done(x, item, response.topics[i].error_code, response.topics[i].error_message,
                      CLIENT_HERE);
    }
    return 0;
}

int
do_create_topic(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "create",
                                  .skip = {KERR_TOPIC_ALREADY_EXISTS},
                                  .skip_text = "already exists",
                                  .skip_on = statement_has(x->s, ITEM_IF)};
    Items items = {.noun = "topic"};
    NewTopic topic = {0};
    int32_t done;
    int rc;

    for (int32_t i = statement_find(x->s, ITEM_TOPIC, 0); i >= 0;
         i = statement_find(x->s, ITEM_TOPIC, i + 1)) {
        if (items_add(x, &items, x->s->items[i].text, -1, x->s->items[i].pos) == NULL)
            return -1;
    }
    if (new_topic(x, &topic) != 0)
        return -1;
    rc = items_run(x, &items, send_create, &topic);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0) {
        if (items.count == 1 && items.list[0].error == KERR_TOPIC_ALREADY_EXISTS)
            fault_hint(x->f, "Use CREATE TOPIC IF NOT EXISTS, or ALTER TOPIC ... ADD PARTITIONS.");
        return -1;
    }
    if (x->validate)
        exec_notice(x, "NOTICE", "validated only, nothing was created");
    exec_tag(x, "CREATE TOPIC");
    return 0;
}

/* ---- ALTER TOPIC ... PARTITIONS ---- */

static int
send_partitions(Exec *x, Items *items, void *arg)
{
    const ReplicaLists *lists = arg;
    CreatePartitionsRequest request;
    CreatePartitionsResponse response;
    CreatePartitionsRequestAssignment *assignments =
        exec_alloc(x, (size_t)lists->count, sizeof *assignments);
    int rc;

    create_partitions_request_init(&request);
    request.topics = exec_alloc(x, (size_t)items->count, sizeof *request.topics);
    if (request.topics == NULL || assignments == NULL)
        return -1;
    for (int32_t i = 0; i < lists->count; i++) {
        create_partitions_request_assignment_init(&assignments[i]);
        assignments[i].broker_ids = lists->lists[i];
        assignments[i].broker_ids_count = lists->counts[i];
    }
    for (int32_t i = 0; i < items->count; i++) {
        CreatePartitionsRequestTopic *t = &request.topics[request.topics_count];

        if (!items->list[i].pending)
            continue;
        create_partitions_request_topic_init(t);
        t->name = items->list[i].name;
        t->count = (int32_t)items->list[i].number;
        t->assignments = assignments;
        t->assignments_count =
            lists->count > 0 ? lists->count : -1; /* null: the controller chooses */
        request.topics_count++;
    }
    request.timeout_ms = 60000;
    request.validate_only = x->validate;
    rc = exec_change(x, CLIENT_HERE, API_CreatePartitions, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.results_count; i++) {
        Item *item = items_find(items, response.results[i].name, -1);

        if (item != NULL)
            item_done(x, item, response.results[i].error_code, response.results[i].error_message,
                      CLIENT_HERE);
    }
    return 0;
}

static int
alter_partitions(Exec *x, Items *topics)
{
    const ItemsVerdict verdict = {.verb = "add partitions to"};
    int64_t total = statement_number_of(x->s, ITEM_TOTAL, -1);
    ReplicaLists lists = {0};
    int32_t done;
    int rc;

    if (replica_lists(x, &lists) != 0)
        return -1;
    if (total < 0) {
        Items partitions = {0};

        if (partitions_of(x, topics, &partitions) != 0)
            return -1;
        for (int32_t i = 0; i < partitions.count; i++)
            items_find(topics, partitions.list[i].name, -1)->number++;
    }
    for (int32_t i = 0; i < topics->count; i++) {
        Item *t = &topics->list[i];

        t->number = total >= 0 ? total : t->number + statement_number_of(x->s, ITEM_PARTITIONS, 0);
        if (t->number > INT32_MAX)
            return fault_set(x->f, FAULT_BAD_PARAMETER, "number of partitions is out of range");
    }
    rc = items_run(x, topics, send_partitions, &lists);
    if (rc != 0)
        return rc;
    if (items_report(x, topics, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER TOPIC");
    return 0;
}

/* ---- ALTER TOPIC ... SET, RESET, APPEND, SUBTRACT ---- */

static int
alter_configs(Exec *x, Items *topics)
{
    const ItemsVerdict verdict = {.verb = "change"};
    ConfigChange *changes = NULL;
    ConfigsChange change = {.type = RESOURCE_TOPIC};
    int32_t done;
    int rc;

    if (configs_of_statement(x, CONF_SCOPE_TOPIC, &changes, &change.count) != 0)
        return -1;
    change.changes = changes;
    if (statement_has(x->s, ITEM_ALL) && names_confirm(x, "Reset all settings of", topics) != 0)
        return -1;
    rc = items_run(x, topics, configs_send, &change);
    if (rc != 0)
        return rc;
    if (items_report(x, topics, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER TOPIC");
    return 0;
}

int
do_alter_topic(Exec *x)
{
    Items topics = {0};

    if (names_expand(x, ITEM_TOPIC, NAMES_TOPICS, false, &topics) != 0)
        return -1;
    if (statement_has(x->s, ITEM_PARTITIONS) || statement_has(x->s, ITEM_TOTAL))
        return alter_partitions(x, &topics);
    if (statement_has(x->s, ITEM_REASSIGN) || statement_has(x->s, ITEM_FACTOR) ||
        statement_has(x->s, ITEM_MOVE))
        return do_topic_places(x, &topics);
    return alter_configs(x, &topics);
}

/* ---- DROP TOPIC ---- */

static int
send_drop(Exec *x, Items *items, void *arg)
{
    DeleteTopicsRequest request;
    DeleteTopicsResponse response;
    ClientCall call = client_call_to(CLIENT_HERE, API_DeleteTopics);
    int rc;

    (void)arg;
    delete_topics_request_init(&request);
    request.topic_names = exec_alloc(x, (size_t)items->count, sizeof *request.topic_names);
    if (request.topic_names == NULL)
        return -1;
    for (int32_t i = 0; i < items->count; i++) {
        if (items->list[i].pending)
            request.topic_names[request.topic_names_count++] = items->list[i].name;
    }
    request.timeout_ms = 60000;
    call.version_max = 5; /* the last one of plain names */
    rc = exec_change_at(x, call, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.responses_count; i++) {
        Item *item = items_find(items, response.responses[i].name, -1);

        if (item != NULL)
            item_done(x, item, response.responses[i].error_code,
                      response.responses[i].error_message, CLIENT_HERE);
    }
    return 0;
}

static int
send_drop_ids(Exec *x, Items *items, void *arg)
{
    DeleteTopicsRequest request;
    DeleteTopicsResponse response;
    int rc;

    (void)arg;
    delete_topics_request_init(&request);
    request.topics = exec_alloc(x, (size_t)items->count, sizeof *request.topics);
    if (request.topics == NULL)
        return -1;
    for (int32_t i = 0; i < items->count; i++) {
        if (!items->list[i].pending)
            continue;
        delete_topics_request_topic_init(&request.topics[request.topics_count]);
        (void)uuid_from_text(items->list[i].name,
                             &request.topics[request.topics_count++].topic_id); /* it is one */
    }
    request.timeout_ms = 60000;
    rc = exec_change(x, CLIENT_HERE, API_DeleteTopics, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.responses_count; i++) {
        char text[UUID_TEXT_LEN + 1];
        Item *item;

        uuid_to_text(response.responses[i].topic_id, text);
        item = items_find(items, strview_from(text), -1);
        if (item != NULL)
            item_done(x, item, response.responses[i].error_code,
                      response.responses[i].error_message, CLIENT_HERE);
    }
    return 0;
}

static int
ids_given(Exec *x, Items *ret)
{
    ret->noun = "topic id";
    for (int32_t i = statement_find(x->s, ITEM_ID, 0); i >= 0;
         i = statement_find(x->s, ITEM_ID, i + 1)) {
        const StatementItem *item = &x->s->items[i];
        Uuid id;

        if (!uuid_from_text(item->text, &id))
            return exec_bad_value(x, item, "\"%.*s\" is no topic id", (int)item->text.len,
                                  item->text.ptr);
        if (items_add(x, ret, item->text, -1, item->pos) == NULL)
            return -1;
    }
    return 0;
}

int
do_drop_topic(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "drop",
                                  .skip = {KERR_UNKNOWN_TOPIC_OR_PARTITION, KERR_UNKNOWN_TOPIC_ID},
                                  .skip_text = "does not exist",
                                  .skip_on = statement_has(x->s, ITEM_IF)};
    bool by_id = statement_has(x->s, ITEM_ID);
    Items topics = {0};
    int32_t done;
    int rc;

    if ((by_id ? ids_given(x, &topics)
               : names_expand(x, ITEM_TOPIC, NAMES_TOPICS, verdict.skip_on, &topics)) != 0 ||
        names_confirm(x, "Drop", &topics) != 0)
        return -1;
    if (x->validate) { /* DeleteTopics has no such mode: that they exist is what can be said */
        Items partitions = {0};

        if (!by_id && !verdict.skip_on && partitions_of(x, &topics, &partitions) != 0)
            return -1;
        exec_notice(x, "NOTICE", "validated only, nothing was dropped");
        exec_tag(x, "DROP TOPIC");
        return 0;
    }
    rc = items_run(x, &topics, by_id ? send_drop_ids : send_drop, NULL);
    if (rc != 0)
        return rc;
    if (items_report(x, &topics, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "DROP TOPIC");
    return 0;
}

/* ---- TRUNCATE TOPIC ---- */

/* One partition; its leader is asked for by itself, as each of them may be elsewhere. */
static int
send_delete_records(Exec *x, Items *items, void *arg)
{
    (void)arg;
    for (int32_t i = 0; i < items->count; i++) {
        Item *item = &items->list[i];
        DeleteRecordsRequest request;
        DeleteRecordsRequestTopic topic;
        DeleteRecordsRequestPartition partition;
        DeleteRecordsResponse response;
        int32_t leader;
        int rc;

        if (!item->pending)
            continue;
        delete_records_request_init(&request);
        delete_records_request_topic_init(&topic);
        delete_records_request_partition_init(&partition);
        partition.partition_index = item->partition;
        partition.offset = item->number;
        topic.name = item->name;
        topic.partitions = &partition;
        topic.partitions_count = 1;
        request.topics = &topic;
        request.topics_count = 1;
        request.timeout_ms = 30000;
        if (client_leader(x->client, item->name, item->partition, &leader, x->f) != 0)
            return -1;
        rc = exec_change(x, leader, API_DeleteRecords, &request, &response);
        if (rc < 0)
            return rc;
        if (rc == EXEC_PLANNED)
            item->pending = false;
        else if (response.topics_count == 1 && response.topics[0].partitions_count == 1)
            item_done(x, item, response.topics[0].partitions[0].error_code, (StrView){0}, leader);
        else
            return fault_set(x->f, FAULT_BAD_REPLY,
                             "the answer to DeleteRecords is not about what was asked");
    }
    return x->s->explain ? EXEC_PLANNED : 0;
}

static int
truncate_targets(Exec *x, Items *partitions)
{
    int32_t at = statement_find(x->s, ITEM_TIMESTAMP, 0);
    int64_t timestamp = 0, *offsets;

    if (at >= 0 &&
        !value_timestamp_ms(x->s->items[at].text, clock_wall_ms(), x->env->timezone, &timestamp))
        return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no time",
                              (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    offsets = exec_alloc(x, (size_t)partitions->count, sizeof *offsets);
    if (offsets == NULL || (at >= 0 && offsets_at(x, partitions, timestamp, offsets) != 0))
        return -1;
    for (int32_t i = 0; i < partitions->count;
         i++) /* -1, the high watermark, where all records are older */
        partitions->list[i].number =
            at >= 0 ? offsets[i] : statement_number_of(x->s, ITEM_OFFSET, -1);
    return 0;
}

int
do_truncate_topic(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "truncate"};
    Items topics = {0}, all = {0}, chosen = {.noun = "topic"};
    int32_t done;
    int rc;

    if (names_expand(x, ITEM_TOPIC, NAMES_TOPICS, false, &topics) != 0 ||
        names_confirm(x, "Delete the records of", &topics) != 0 ||
        partitions_of(x, &topics, &all) != 0)
        return -1;
    for (int32_t i = statement_find(x->s, ITEM_PARTITION, 0); i >= 0;
         i = statement_find(x->s, ITEM_PARTITION, i + 1)) {
        int32_t partition = -1;

        for (int32_t t = 0; t < topics.count; t++) {
            if (!text_to_int32(x->s->items[i].text, &partition) ||
                items_find(&all, topics.list[t].name, partition) == NULL)
                return exec_bad_value(x, &x->s->items[i], "topic \"%.*s\" has no partition %.*s",
                                      (int)topics.list[t].name.len, topics.list[t].name.ptr,
                                      (int)x->s->items[i].text.len, x->s->items[i].text.ptr);
            if (items_add(x, &chosen, topics.list[t].name, partition, x->s->items[i].pos) == NULL)
                return -1;
        }
    }
    if (chosen.count == 0)
        chosen = all;
    if (truncate_targets(x, &chosen) != 0)
        return -1;
    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was deleted");
        exec_tag(x, "TRUNCATE TOPIC");
        return 0;
    }
    rc = items_run(x, &chosen, send_delete_records, NULL);
    if (rc != 0)
        return rc;
    if (items_report(x, &chosen, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "TRUNCATE TOPIC");
    return 0;
}
