/*
 * moves.c - carries out a plan: shown, submitted in batches, throttled, waited for; moves cancelled
 *
 * Spec: admin-and-security.md 2.9. Throttles are four settings: which replicas, on the topics; how fast, on the brokers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "moves_int.h"

#include <inttypes.h>
#include <string.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_alter_partition_reassignments.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_elect_leaders.h"
#include "ottla/protocol/msg_list_partition_reassignments.h"

/* Bytes of a list of throttled replicas; a setting cannot be longer. */
#define THROTTLED_LIST_MAX 32000

#define LEADER_REPLICAS   STRVIEW("leader.replication.throttled.replicas")
#define FOLLOWER_REPLICAS STRVIEW("follower.replication.throttled.replicas")
#define LEADER_RATE       STRVIEW("leader.replication.throttled.rate")
#define FOLLOWER_RATE     STRVIEW("follower.replication.throttled.rate")

/* ---- showing ---- */

static const char *
list_text(Exec *x, const int32_t *ids, int32_t count)
{
    StrBuf out;

    strbuf_init(&out, 4096, x->arena);
    for (int32_t i = 0; i < count; i++)
        strbuf_printf(&out, "%s%" PRId32, i > 0 ? "," : "", ids[i]);
    return out.ptr;
}

static int
show(Exec *x, const Plan *plan, int32_t *ret_changed)
{
    PrintTable table;

    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("topic"), 'l');
    print_table_add_column(&table, STRVIEW("partition"), 'r');
    print_table_add_column(&table, STRVIEW("before"), 'l');
    print_table_add_column(&table, STRVIEW("after"), 'l');
    *ret_changed = 0;
    for (int32_t i = 0; i < plan->partition_count; i++) {
        const PlanPartition *p = &plan->partitions[i];

        if (!plan_changed(p))
            continue;
        print_table_add_cell(&table, p->topic);
        print_table_add_int(&table, p->partition);
        print_table_add_text(&table, list_text(x, p->before, p->before_count));
        print_table_add_text(&table, list_text(x, p->after, p->after_count));
        (*ret_changed)++;
    }
    return x->s->explain || *ret_changed == 0 ? 0 : exec_table(x, &table);
}

/* ---- submitting ---- */

/* Items' data is a PlanPartition; none: cancel. */
static int
send_moves(Exec *x, Items *items, void *arg)
{
    AlterPartitionReassignmentsRequest request;
    AlterPartitionReassignmentsResponse response;
    AlterPartitionReassignmentsRequestTopic *topics =
        exec_alloc(x, (size_t)items->count, sizeof *topics);
    AlterPartitionReassignmentsRequestPartition *partitions =
        exec_alloc(x, (size_t)items->count, sizeof *partitions);
    int32_t used = 0;
    int rc;

    (void)arg;
    if (topics == NULL || partitions == NULL)
        return -1;
    alter_partition_reassignments_request_init(&request);
    request.topics = topics;
    for (int32_t i = 0; i < items->count; i++) {
        const Item *item = &items->list[i];
        const PlanPartition *p = item->data;
        AlterPartitionReassignmentsRequestTopic *t =
            request.topics_count == 0 ? NULL : &topics[request.topics_count - 1];
        int32_t *replicas =
            p == NULL ? NULL : exec_alloc(x, (size_t)p->after_count, sizeof *replicas);

        if (!item->pending)
            continue;
        if (t == NULL || !strview_equal(t->name, item->name)) {
            t = &topics[request.topics_count++];
            alter_partition_reassignments_request_topic_init(t);
            t->name = item->name;
            t->partitions = &partitions[used];
        }
        alter_partition_reassignments_request_partition_init(&partitions[used]);
        partitions[used].partition_index = item->partition;
        if (p != NULL) {
            if (replicas == NULL)
                return -1;
            memcpy(replicas, p->after, (size_t)p->after_count * sizeof *replicas);
            partitions[used].replicas = replicas;
            partitions[used].replicas_count = p->after_count;
        }
        used++;
        t->partitions_count++;
    }
    rc = exec_change(x, CLIENT_HERE, API_AlterPartitionReassignments, &request, &response);
    if (rc != 0)
        return rc;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not move replicas: %s",
                           fault_kafka_text(response.error_code));
    for (int32_t i = 0; i < response.responses_count; i++) {
        const AlterPartitionReassignmentsResponseReassignableTopicResponse *t =
            &response.responses[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            Item *item = items_find(items, t->name, t->partitions[j].partition_index);

            if (item != NULL)
                item_done(x, item, t->partitions[j].error_code, t->partitions[j].error_message,
                          CLIENT_HERE);
        }
    }
    return 0;
}

static int
read_running(Exec *x, ListPartitionReassignmentsResponse *ret)
{
    ListPartitionReassignmentsRequest request;

    list_partition_reassignments_request_init(&request);
    request.topics_count = -1; /* all */
    if (exec_read(x, CLIENT_HERE, API_ListPartitionReassignments, &request, ret) != 0)
        return -1;
    if (ret->error_code != 0)
        return fault_kafka(x->f, ret->error_code, -1, "could not list running moves: %s",
                           fault_kafka_text(ret->error_code));
    return 0;
}

/* Replicas of a running move that will stay: all but those that are being removed. */
static void
take_target(const ListPartitionReassignmentsResponsePartition *running, PlanPartition *p)
{
    int32_t count = 0;

    for (int32_t i = 0; i < running->replicas_count; i++) {
        bool leaves = false;

        for (int32_t j = 0; j < running->removing_replicas_count && !leaves; j++)
            leaves = running->removing_replicas[j] == running->replicas[i];
        if (!leaves && count < PLAN_REPLICAS_MAX)
            p->before[count++] = running->replicas[i];
    }
    p->before_count = count;
}

int
moves_take_running(Exec *x, Plan *plan)
{
    ListPartitionReassignmentsResponse running;

    if (read_running(x, &running) != 0)
        return -1;
    for (int32_t i = 0; i < running.topics_count; i++) {
        const ListPartitionReassignmentsResponseTopic *t = &running.topics[i];

        for (int32_t j = 0; j < plan->partition_count; j++) {
            PlanPartition *p = &plan->partitions[j];

            for (int32_t k = 0; k < t->partitions_count; k++) {
                if (t->partitions[k].partition_index == p->partition &&
                    strview_equal(t->name, p->topic))
                    take_target(&t->partitions[k], p);
            }
        }
    }
    return 0;
}

/* Until none of the items is being moved; an answer a second. */
static int
wait_for(Exec *x, Items *items)
{
    for (;;) {
        ListPartitionReassignmentsResponse running;
        ArenaMark mark = arena_mark(x->arena);
        int32_t left = 0;

        if (read_running(x, &running) != 0)
            return -1;
        for (int32_t i = 0; i < running.topics_count; i++) {
            for (int32_t j = 0; j < running.topics[i].partitions_count; j++)
                left += items_find(items, running.topics[i].name,
                                   running.topics[i].partitions[j].partition_index) != NULL;
        }
        arena_release(x->arena, mark);
        if (x->env->progress != NULL) {
            char text[128];

            (void)snprintf(text, sizeof text, "%" PRId32 " of %" PRId32 " partitions moved",
                           items->count - left, items->count);
            x->env->progress(x->env->arg, left > 0 ? text : NULL);
        }
        if (left == 0)
            return 0;
        if (client_backoff(x->client, 10, INT64_MAX, x->f) < 0)
            return -1;
    }
}

/* Those that lead by plan do so now; who does already, or is not in sync yet, stays as it is. */
static int
elect_preferred(Exec *x, const Items *items)
{
    ElectLeadersRequest request;
    ElectLeadersResponse response;
    ElectLeadersRequestTopicPartitions *topics =
        exec_alloc(x, (size_t)items->count, sizeof *topics);
    int32_t *partitions = exec_alloc(x, (size_t)items->count, sizeof *partitions);
    int rc;

    if (topics == NULL || partitions == NULL)
        return -1;
    elect_leaders_request_init(&request);
    request.topic_partitions = topics;
    request.topic_partitions_count = 0;
    request.timeout_ms = 30000;
    for (int32_t i = 0; i < items->count; i++) {
        ElectLeadersRequestTopicPartitions *t = request.topic_partitions_count == 0
                                                    ? NULL
                                                    : &topics[request.topic_partitions_count - 1];

        if (t == NULL || !strview_equal(t->topic, items->list[i].name)) {
            t = &topics[request.topic_partitions_count++];
            elect_leaders_request_topic_partitions_init(t);
            t->topic = items->list[i].name;
            t->partitions = &partitions[i];
        }
        partitions[i] = items->list[i].partition;
        t->partitions_count++;
    }
    rc = exec_change(x, CLIENT_HERE, API_ElectLeaders, &request, &response);
    if (rc == 0 && response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1,
                           "could not elect the preferred leaders: %s",
                           fault_kafka_text(response.error_code));
    return rc < 0 ? -1 : 0;
}

/* ---- throttles ---- */

typedef struct Throttle {
    Items topics, brokers;
} Throttle;

/* "p:b" of leaders (all that have the partition) or followers (those that will get it). */
static StrView
throttled_list(Exec *x, const Plan *plan, StrView topic, bool followers)
{
    StrBuf out;

    strbuf_init(&out, THROTTLED_LIST_MAX, x->arena);
    for (int32_t i = 0; i < plan->partition_count; i++) {
        const PlanPartition *p = &plan->partitions[i];
        const int32_t *ids = followers ? p->after : p->before;
        int32_t count = followers ? p->after_count : p->before_count;

        if (!plan_changed(p) || !strview_equal(p->topic, topic))
            continue;
        for (int32_t j = 0; j < count; j++) {
            bool old = false;

            for (int32_t k = 0; k < p->before_count && followers && !old; k++)
                old = p->before[k] == ids[j];
            if (!old)
                strbuf_printf(&out, "%s%" PRId32 ":%" PRId32, out.len > 0 ? "," : "", p->partition,
                              ids[j]);
        }
    }
    return strbuf_failed(&out) ? STRVIEW("*") : strbuf_view(&out);
}

static int
change_configs(Exec *x, Items *items, int8_t type, const char *verb)
{
    const ItemsVerdict verdict = {.verb = verb};
    ConfigsChange change = {.type = type};
    int32_t done;
    int rc;

    for (int32_t i = 0; i < items->count; i++)
        items->list[i].pending = true;
    rc = items_run(x, items, configs_send, &change);
    if (rc < 0)
        return -1;
    return rc == EXEC_PLANNED ? 0 : items_report(x, items, &verdict, &done);
}

/* Two settings of an object: set, or with null values taken away. */
static int
put_pair(Exec *x, Item *item, StrView first, StrView first_value, StrView second_value)
{
    bool topic = strview_equal(first, LEADER_REPLICAS);
    ConfigsOfItem *own = exec_alloc(x, 1, sizeof *own);
    ConfigChange *changes = own == NULL ? NULL : exec_alloc(x, 2, sizeof *changes);

    if (changes == NULL)
        return -1;
    changes[0] = (ConfigChange){first, first_value.ptr == NULL ? 1 : 0, first_value};
    changes[1] = (ConfigChange){topic ? FOLLOWER_REPLICAS : FOLLOWER_RATE,
                                second_value.ptr == NULL ? 1 : 0, second_value};
    own->changes = changes;
    own->count = 2;
    item->data = own;
    return 0;
}

static int
throttle_set(Exec *x, const Plan *plan, Throttle *t)
{
    const StatementItem *asked = &x->s->items[statement_find(x->s, ITEM_THROTTLE, 0)];
    StrView rate_text;
    int64_t rate;

    if (!value_rate(asked->text, &rate))
        return exec_bad_value(x, asked, "\"%.*s\" is no rate", (int)asked->text.len,
                              asked->text.ptr);
    rate_text = strview_from(exec_text(x, "%" PRId64, rate));
    t->topics.noun = "topic";
    t->brokers.noun = "broker";
    for (int32_t i = 0; i < plan->partition_count; i++) {
        StrView topic = plan->partitions[i].topic;
        Item *item;

        if (!plan_changed(&plan->partitions[i]) || items_find(&t->topics, topic, -1) != NULL)
            continue;
        item = items_add(x, &t->topics, topic, -1, -1);
        if (item == NULL ||
            put_pair(x, item, LEADER_REPLICAS, throttled_list(x, plan, topic, false),
                     throttled_list(x, plan, topic, true)) != 0)
            return -1;
    }
    for (int32_t i = 0; i < plan->broker_count; i++) {
        Item *item = items_add(x, &t->brokers,
                               strview_from(exec_text(x, "%" PRId32, plan->brokers[i].id)), -1, -1);

        if (item == NULL || put_pair(x, item, LEADER_RATE, rate_text, rate_text) != 0)
            return -1;
    }
    if (change_configs(x, &t->brokers, RESOURCE_BROKER, "throttle") != 0)
        return -1;
    return change_configs(x, &t->topics, RESOURCE_TOPIC, "throttle");
}

static int
throttle_remove(Exec *x, Throttle *t)
{
    for (int32_t i = 0; i < t->topics.count; i++) {
        if (put_pair(x, &t->topics.list[i], LEADER_REPLICAS, (StrView){0}, (StrView){0}) != 0)
            return -1;
    }
    for (int32_t i = 0; i < t->brokers.count; i++) {
        if (put_pair(x, &t->brokers.list[i], LEADER_RATE, (StrView){0}, (StrView){0}) != 0)
            return -1;
    }
    if (t->topics.count > 0 &&
        change_configs(x, &t->topics, RESOURCE_TOPIC, "take the throttle from") != 0)
        return -1;
    return t->brokers.count == 0
               ? 0
               : change_configs(x, &t->brokers, RESOURCE_BROKER, "take the throttle from");
}

/* ---- running ---- */

static int
run_batches(Exec *x, Items *all, int64_t batch, bool wait)
{
    const ItemsVerdict verdict = {.verb = "move"};

    for (int32_t from = 0; from < all->count;) {
        int32_t count = batch > 0 && batch < all->count - from ? (int32_t)batch : all->count - from,
                done;
        Items some = {.list = all->list + from, .count = count, .noun = "topic"};
        int rc = items_run(x, &some, send_moves, NULL);

        if (rc < 0 || (rc == 0 && items_report(x, &some, &verdict, &done) != 0))
            return -1;
        from += count;
        if (rc == 0 && (wait || from < all->count) && wait_for(x, &some) != 0)
            return -1;
    }
    return 0;
}

int
moves_run(Exec *x, const Plan *plan, const char *tag)
{
    bool throttle = statement_has(x->s, ITEM_THROTTLE), wait = statement_has(x->s, ITEM_WAIT);
    Items items = {.noun = "topic"};
    Throttle throttles = {0};
    int32_t changed;
    int rc;

    if (show(x, plan, &changed) != 0)
        return -1;
    if (changed == 0)
        exec_notice(x, "NOTICE", "all replicas are where they should be");
    exec_tag(x, "%s", tag);
    if (changed == 0)
        return 0;
    if (statement_has(x->s, ITEM_PLAN) || x->validate) {
        exec_notice(x, "NOTICE", "plan only, nothing was moved");
        return 0;
    }
    for (int32_t i = 0; i < plan->partition_count; i++) {
        const PlanPartition *p = &plan->partitions[i];
        Item *item = plan_changed(p) ? items_add(x, &items, p->topic, p->partition, -1) : NULL;

        if (plan_changed(p) && item == NULL)
            return -1;
        if (item != NULL)
            item->data = p;
    }
    if (throttle && throttle_set(x, plan, &throttles) != 0)
        return -1;
    rc = run_batches(x, &items, statement_number_of(x->s, ITEM_BATCH, 0), wait);
    if (rc == 0 && wait)
        rc = elect_preferred(x, &items);
    if (throttle && wait && (rc == 0 || exec_confirm(x, "Take the throttles away again?") == 0)) {
        Fault first = *x->f;
        int removed = throttle_remove(x, &throttles);

        if (rc != 0)
            *x->f = first;
        rc = rc != 0 ? rc : removed;
    } else if (throttle && rc == 0) {
        exec_notice(x, "NOTICE", "throttles stay until SET REASSIGN THROTTLE NONE");
    }
    return rc;
}

/* ---- CANCEL REASSIGN ---- */

int
do_cancel_reassign(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "cancel moves of"};
    Items items = {.noun = "topic"};
    int32_t done;
    int rc;

    if (statement_has(x->s, ITEM_ALL)) {
        ListPartitionReassignmentsResponse running;

        if (read_running(x, &running) != 0)
            return -1;
        for (int32_t i = 0; i < running.topics_count; i++) {
            for (int32_t j = 0; j < running.topics[i].partitions_count; j++) {
                if (items_add(x, &items, running.topics[i].name,
                              running.topics[i].partitions[j].partition_index, -1) == NULL)
                    return -1;
            }
        }
    } else if (partitions_named(x, 0, &items) != 0) {
        return -1;
    }
    rc = items_run(x, &items, send_moves, NULL);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "CANCEL REASSIGN %" PRId32, done);
    return 0;
}

/* ---- SET REASSIGN THROTTLE ---- */

/* Topics that have one of the two lists. */
static int
throttled_topics(Exec *x, Items *ret)
{
    StrView keys[] = {LEADER_REPLICAS, FOLLOWER_REPLICAS};
    Items partitions = {0}, topics = {.noun = "topic"};
    DescribeConfigsRequest request;
    DescribeConfigsResponse response;

    if (partitions_of_cluster(x, &partitions) != 0)
        return -1;
    for (int32_t i = 0; i < partitions.count; i++) {
        if (partitions.list[i].partition == 0 &&
            items_add(x, &topics, partitions.list[i].name, -1, -1) == NULL)
            return -1;
    }
    if (topics.count == 0)
        return 0;
    describe_configs_request_init(&request);
    request.resources = exec_alloc(x, (size_t)topics.count, sizeof *request.resources);
    if (request.resources == NULL)
        return -1;
    for (int32_t i = 0; i < topics.count; i++) {
        DescribeConfigsRequestResource *r = &request.resources[request.resources_count++];

        describe_configs_request_resource_init(r);
        r->resource_type = RESOURCE_TOPIC;
        r->resource_name = topics.list[i].name;
        r->configuration_keys = keys;
        r->configuration_keys_count = 2;
    }
    if (exec_read(x, CLIENT_HERE, API_DescribeConfigs, &request, &response) != 0)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++) {
        bool set = false;

        for (int32_t j = 0; j < response.results[i].configs_count; j++)
            set = set || response.results[i].configs[j].config_source == CONF_SOURCE_TOPIC;
        if (set && items_add(x, ret, response.results[i].resource_name, -1, -1) == NULL)
            return -1;
    }
    return 0;
}

int
do_set_throttle(Exec *x)
{
    bool none = statement_has(x->s, ITEM_NONE);
    Throttle t = {.topics = {.noun = "topic"}, .brokers = {.noun = "broker"}};
    const ClientBroker *brokers;
    StrView text = {0};
    int32_t count;
    int64_t rate;

    if (!none) {
        const StatementItem *asked = &x->s->items[statement_find(x->s, ITEM_THROTTLE, 0)];

        if (!value_rate(asked->text, &rate))
            return exec_bad_value(x, asked, "\"%.*s\" is no rate", (int)asked->text.len,
                                  asked->text.ptr);
        text = strview_from(exec_text(x, "%" PRId64, rate));
    }
    if (client_brokers(x->client, &brokers, &count, x->f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        Item *item = items_add(x, &t.brokers,
                               strview_from(exec_text(x, "%" PRId32, brokers[i].node_id)), -1, -1);

        if (item == NULL || put_pair(x, item, LEADER_RATE, text, text) != 0)
            return -1;
    }
    if (none && throttled_topics(x, &t.topics) != 0)
        return -1;
    if ((none ? throttle_remove(x, &t)
              : change_configs(x, &t.brokers, RESOURCE_BROKER, "throttle")) != 0)
        return -1;
    exec_tag(x, "SET REASSIGN THROTTLE");
    return 0;
}
