/*
 * do_moves.c - statements that move replicas: what is asked, planned, shown
 *
 * The plan is made here from the cluster's metadata (plan.c) and handed to moves.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "exec_int.h"
#include "moves_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_alter_replica_log_dirs.h"
#include "ottla/protocol/msg_metadata.h"

/* Bytes of a plan in a file. */
#define PLAN_FILE_MAX (64 << 20)

/* ---- the cluster as it is ---- */

static int
load_partition(Exec *x, const MetadataResponseTopic *topic, const MetadataResponsePartition *from,
               PlanPartition *to)
{
    if (from->replica_nodes_count > PLAN_REPLICAS_MAX)
        return fault_set(
            x->f, FAULT_LIMIT, "partition %" PRId32 " of topic \"%.*s\" has more than %d replicas",
            from->partition_index, (int)topic->name.len, topic->name.ptr, PLAN_REPLICAS_MAX);
    *to = (PlanPartition){.topic = topic->name,
                          .partition = from->partition_index,
                          .before_count = from->replica_nodes_count};
    if (from->replica_nodes_count > 0)
        memcpy(to->before, from->replica_nodes,
               (size_t)from->replica_nodes_count * sizeof to->before[0]);
    return 0;
}

/* Everything; partitions of topics that are not chosen (NULL: all are) are fixed. */
static int
load(Exec *x, Items *chosen, Plan *plan)
{
    MetadataResponse metadata;
    size_t count = 0;

    if (exec_metadata(x, NULL, &metadata) != 0)
        return -1;
    if (metadata.brokers_count > PLAN_BROKERS_MAX)
        return fault_set(x->f, FAULT_LIMIT, "more than %d brokers", PLAN_BROKERS_MAX);
    for (int32_t i = 0; i < metadata.topics_count; i++)
        count += (size_t)metadata.topics[i].partitions_count;
    *plan = (Plan){.brokers = exec_alloc(x, (size_t)metadata.brokers_count, sizeof *plan->brokers)};
    plan->partitions =
        plan->brokers == NULL ? NULL : exec_alloc(x, count, sizeof *plan->partitions);
    if (plan->partitions == NULL)
        return -1;
    for (int32_t i = 0; i < metadata.brokers_count; i++)
        plan->brokers[plan->broker_count++] =
            (PlanBroker){.id = metadata.brokers[i].node_id, .rack = metadata.brokers[i].rack};
    for (int32_t i = 0; i < metadata.topics_count; i++) {
        const MetadataResponseTopic *t = &metadata.topics[i];
        const Item *item = chosen == NULL ? NULL : items_find(chosen, t->name, -1);

        for (int32_t j = 0; j < t->partitions_count; j++) {
            PlanPartition *p = &plan->partitions[plan->partition_count++];

            if (load_partition(x, t, &t->partitions[j], p) != 0)
                return -1;
            p->fixed = chosen != NULL && item == NULL;
        }
    }
    for (int32_t i = 0; chosen != NULL && i < chosen->count; i++) {
        bool found = false;

        for (int32_t j = 0; j < metadata.topics_count && !found; j++)
            found = strview_equal(metadata.topics[j].name, chosen->list[i].name);
        if (!found) {
            (void)fault_set(x->f, "42P01", "topic \"%.*s\" does not exist",
                            (int)chosen->list[i].name.len, chosen->list[i].name.ptr);
            x->f->position = chosen->list[i].pos;
            return -1;
        }
    }
    if (moves_take_running(x, plan) != 0)
        return -1;
    plan_init(plan);
    return 0;
}

static PlanBroker *
broker_named(Exec *x, const Plan *plan, const StatementItem *item)
{
    int32_t id = -1;

    if (text_to_int32(item->text, &id)) {
        for (int32_t i = 0; i < plan->broker_count; i++) {
            if (plan->brokers[i].id == id)
                return &plan->brokers[i];
        }
    }
    (void)fault_set(x->f, "42704", "broker %.*s does not exist", (int)item->text.len,
                    item->text.ptr);
    x->f->position = item->pos;
    return NULL;
}

static int
stuck(Exec *x, const Plan *plan, int32_t at)
{
    (void)fault_set(x->f, FAULT_BAD_PARAMETER,
                    "too few brokers for partition %" PRId32 " of topic \"%.*s\"",
                    plan->partitions[at].partition, (int)plan->partitions[at].topic.len,
                    plan->partitions[at].topic.ptr);
    fault_hint(x->f, "Each replica of a partition needs a broker of its own.");
    return -1;
}

/* ---- REASSIGN FROM ---- */

/* One entry of "partitions" of kafka-reassign-partitions' file. */
static int
take_entry(Exec *x, const json_t *entry, PlanPartition *to)
{
    const char *topic = json_string_value(json_object_get(entry, "topic"));
    const json_t *partition = json_object_get(entry, "partition"),
                 *replicas = json_object_get(entry, "replicas");
    size_t count = json_array_size(replicas);

    if (topic == NULL || !json_is_integer(partition) || json_integer_value(partition) < 0 ||
        json_integer_value(partition) > INT32_MAX || count == 0 || count > PLAN_REPLICAS_MAX)
        return fault_set(x->f, FAULT_BAD_PARAMETER,
                         "the plan has an entry without topic, partition or a list of replicas");
    *to = (PlanPartition){.topic = strview_from(exec_text(x, "%s", topic)),
                          .partition = (int32_t)json_integer_value(partition),
                          .after_count = (int32_t)count};
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(replicas, i);

        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return fault_set(x->f, FAULT_BAD_PARAMETER,
                             "the plan has a replica that is no broker id");
        to->after[i] = (int32_t)json_integer_value(id);
    }
    return 0;
}

/* What the entries are now, as far as it is known. */
static void
take_before(const Plan *now, Plan *plan)
{
    for (int32_t i = 0; i < plan->partition_count; i++) {
        PlanPartition *p = &plan->partitions[i];

        for (int32_t j = 0; j < now->partition_count; j++) {
            const PlanPartition *have = &now->partitions[(i + j) % now->partition_count];

            if (have->partition != p->partition || !strview_equal(have->topic, p->topic))
                continue;
            p->before_count = have->before_count;
            memcpy(p->before, have->before, sizeof p->before);
            break;
        }
    }
}

static int
take_file(Exec *x, Plan *plan)
{
    const StatementItem *item = &x->s->items[statement_find(x->s, ITEM_FILE, 0)];
    const char *path = exec_text(x, "%.*s", (int)item->text.len, item->text.ptr);
    Plan now;
    BytesView bytes;
    json_error_t error;
    json_t *root, *list;
    int rc = 0;

    if (vfs_read_file(path, PLAN_FILE_MAX, x->arena, &bytes, NULL) != 0) {
        (void)fault_set(x->f, FAULT_NO_FILE, "could not read file \"%s\"", path);
        x->f->position = item->pos;
        return -1;
    }
    if (load(x, NULL, &now) != 0)
        return -1;
    root = json_loadb((const char *)bytes.ptr, (size_t)bytes.len, 0, &error);
    list = json_object_get(root, "partitions");
    if (!json_is_array(list)) {
        (void)exec_bad_value(x, item, "%s:%d: %s", path, root == NULL ? error.line : 1,
                             root == NULL ? error.text : "no list of partitions");
        json_decref(root);
        return -1;
    }
    *plan = now;
    plan->partition_count = 0;
    plan->partitions = exec_alloc(x, json_array_size(list), sizeof *plan->partitions);
    if (plan->partitions == NULL)
        rc = -1;
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++)
        rc = take_entry(x, json_array_get(list, i), &plan->partitions[plan->partition_count++]);
    json_decref(root);
    if (rc == 0)
        take_before(&now, plan);
    return rc;
}

/* ---- REASSIGN ---- */

/* Brokers that are not in (b, ...) are barred. */
static int
bar_others(Exec *x, Plan *plan)
{
    for (int32_t i = 0; i < plan->broker_count; i++)
        plan->brokers[i].barred = true;
    for (int32_t i = statement_find(x->s, ITEM_REPLICAS, 0); i >= 0;
         i = statement_find(x->s, ITEM_REPLICAS, i + 1)) {
        PlanBroker *b = broker_named(x, plan, &x->s->items[i]);

        if (b == NULL)
            return -1;
        b->barred = false;
    }
    return 0;
}

int
do_reassign(Exec *x)
{
    const Statement *s = x->s;
    bool named = statement_has(s, ITEM_TOPIC);
    Items topics = {0};
    Plan plan;
    int32_t at;

    if (statement_has(s, ITEM_FILE))
        return take_file(x, &plan) != 0 ? -1 : moves_run(x, &plan, "REASSIGN");
    if (named && names_expand(x, ITEM_TOPIC, NAMES_TOPICS, false, &topics) != 0)
        return -1;
    if (load(x, named ? &topics : NULL, &plan) != 0)
        return -1;
    if (statement_has(s, ITEM_REPLICAS) && bar_others(x, &plan) != 0)
        return -1;
    if (statement_has(s, ITEM_DRAIN)) {
        PlanBroker *b = broker_named(x, &plan, &s->items[statement_find(s, ITEM_BROKER, 0)]);

        if (b == NULL)
            return -1;
        b->barred = true;
    }
    if (!plan_clear_barred(&plan, &at))
        return stuck(x, &plan, at);
    if (!statement_has(s, ITEM_DRAIN))
        plan_balance(&plan);
    plan_spread_leaders(&plan);
    return moves_run(x, &plan, "REASSIGN");
}

/* ---- ALTER TOPIC ---- */

static int
move_directory(Exec *x, const Items *topics)
{
    AlterReplicaLogDirsRequest request;
    AlterReplicaLogDirsRequestAlterReplicaLogDir dir;
    AlterReplicaLogDirsResponse response;
    int32_t partition = (int32_t)statement_number_of(x->s, ITEM_PARTITION, 0);
    int32_t node = (int32_t)statement_number_of(x->s, ITEM_BROKER, -1);
    int rc;

    alter_replica_log_dirs_request_init(&request);
    alter_replica_log_dirs_request_alter_replica_log_dir_init(&dir);
    dir.path = statement_text_of(x->s, ITEM_DIRECTORY);
    dir.topics = exec_alloc(x, (size_t)topics->count, sizeof *dir.topics);
    if (dir.topics == NULL)
        return -1;
    for (int32_t i = 0; i < topics->count; i++) {
        alter_replica_log_dirs_request_topic_init(&dir.topics[i]);
        dir.topics[i].name = topics->list[i].name;
        dir.topics[i].partitions = &partition;
        dir.topics[i].partitions_count = 1;
    }
    dir.topics_count = topics->count;
    request.dirs = &dir;
    request.dirs_count = 1;
    if (x->validate)
        return exec_not_supported(x, "moves between directories cannot be tried");
    rc = exec_change(x, node, API_AlterReplicaLogDirs, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.results_count; i++) {
        for (int32_t j = 0; j < response.results[i].partitions_count; j++) {
            int16_t error = response.results[i].partitions[j].error_code;

            if (error != 0)
                return fault_kafka(x->f, error, node,
                                   "could not move partition %" PRId32 " of topic \"%.*s\": %s",
                                   partition, (int)response.results[i].topic_name.len,
                                   response.results[i].topic_name.ptr, fault_kafka_text(error));
        }
    }
    exec_tag(x, "ALTER TOPIC");
    return 0;
}

/* REASSIGN [PARTITION p, ...] TO (b, ...): the same for all that are named. */
static int
reassign_to(Exec *x, Plan *plan)
{
    const Statement *s = x->s;
    int32_t after[PLAN_REPLICAS_MAX], count = 0;

    for (int32_t i = statement_find(s, ITEM_REPLICAS, 0); i >= 0;
         i = statement_find(s, ITEM_REPLICAS, i + 1)) {
        const PlanBroker *b = broker_named(x, plan, &s->items[i]);

        if (b == NULL)
            return -1;
        if (count == PLAN_REPLICAS_MAX)
            return exec_bad_value(x, &s->items[i], "more than %d replicas", PLAN_REPLICAS_MAX);
        after[count++] = b->id;
    }
    for (int32_t i = 0; i < plan->partition_count; i++) {
        PlanPartition *p = &plan->partitions[i];
        bool named = !statement_has(s, ITEM_PARTITION);

        for (int32_t j = statement_find(s, ITEM_PARTITION, 0); j >= 0 && !named;
             j = statement_find(s, ITEM_PARTITION, j + 1)) {
            int32_t number = -1;

            named = text_to_int32(s->items[j].text, &number) && number == p->partition;
        }
        if (p->fixed || !named)
            continue;
        memcpy(p->after, after, sizeof after);
        p->after_count = count;
    }
    return 0;
}

int
do_topic_places(Exec *x, const Items *topics)
{
    Items chosen = *topics;
    int64_t factor = statement_number_of(x->s, ITEM_FACTOR, 0);
    Plan plan;
    int32_t at;

    if (statement_has(x->s, ITEM_MOVE))
        return move_directory(x, topics);
    if (load(x, &chosen, &plan) != 0)
        return -1;
    if (statement_has(x->s, ITEM_REASSIGN))
        return reassign_to(x, &plan) != 0 ? -1 : moves_run(x, &plan, "ALTER TOPIC");
    if (factor < 1 || factor > PLAN_REPLICAS_MAX)
        return exec_bad_value(x, &x->s->items[statement_find(x->s, ITEM_FACTOR, 0)],
                              "replication factor must be from 1 to %d", PLAN_REPLICAS_MAX);
    if (!plan_set_factor(&plan, (int32_t)factor, &at))
        return stuck(x, &plan, at);
    plan_spread_leaders(&plan);
    return moves_run(x, &plan, "ALTER TOPIC");
}
