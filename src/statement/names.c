/*
 * names.c - which objects a statement means: patterns looked up, lists shown, questions asked
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"
#include "ottla/protocol/msg_list_groups.h"
#include "ottla/protocol/msg_metadata.h"

static const char *const nouns[] = {"topic", "group", "user"};

/* ---- what there is ---- */

/* A list of names in the arena. */
typedef struct Names {
    StrView *list;
    int32_t count;
} Names;

int
exec_metadata(Exec *x, const Items *topics, MetadataResponse *ret)
{
    MetadataRequest request;

    metadata_request_init(&request);
    request.allow_auto_topic_creation = false;
    request.topics_count = -1; /* all */
    if (topics != NULL) {
        request.topics = exec_alloc(x, (size_t)topics->count, sizeof *request.topics);
        if (request.topics == NULL)
            return -1;
        for (int32_t i = 0; i < topics->count; i++) {
            metadata_request_topic_init(&request.topics[i]);
            request.topics[i].name = topics->list[i].name;
        }
        request.topics_count = topics->count;
    }
    return exec_read(x, CLIENT_HERE, API_Metadata, &request, ret);
}

static int
all_topics(Exec *x, Names *ret)
{
    MetadataResponse response;

    if (exec_metadata(x, NULL, &response) != 0)
        return -1;
    ret->list = exec_alloc(x, (size_t)response.topics_count, sizeof *ret->list);
    if (ret->list == NULL)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++)
        ret->list[ret->count++] = response.topics[i].name;
    return 0;
}

static int
all_groups(Exec *x, Names *ret)
{
    const ClientBroker *brokers;
    int32_t broker_count, nodes[256];

    if (client_brokers(x->client, &brokers, &broker_count, x->f) != 0)
        return -1;
    if (broker_count > (int32_t)(sizeof nodes / sizeof nodes[0]))
        broker_count = (int32_t)(sizeof nodes / sizeof nodes[0]);
    for (int32_t i = 0; i < broker_count; i++)
        nodes[i] = brokers[i].node_id; /* good until the next call only */
    for (int32_t i = 0; i < broker_count; i++) {
        ListGroupsRequest request;
        ListGroupsResponse response;
        StrView *list;

        int again = 0;

        list_groups_request_init(&request);
        for (int attempt = 1; attempt == 1 || again == 1; attempt++) {
            if (exec_read(x, nodes[i], API_ListGroups, &request, &response) != 0)
                return -1;
            again = response.error_code == 0 ? 0 : exec_again(x, response.error_code, attempt);
        }
        if (again < 0)
            return -1;
        if (response.error_code != 0)
            return fault_kafka(x->f, response.error_code, nodes[i], "could not list groups");
        list = exec_alloc(x, (size_t)(ret->count + response.groups_count), sizeof *list);
        if (list == NULL)
            return -1;
        if (ret->count > 0)
            memcpy(list, ret->list, (size_t)ret->count * sizeof *list);
        ret->list = list;
        for (int32_t j = 0; j < response.groups_count; j++)
            ret->list[ret->count++] = response.groups[j].group_id;
    }
    return 0;
}

static int
all_users(Exec *x, Names *ret)
{
    DescribeUserScramCredentialsRequest request;
    DescribeUserScramCredentialsResponse response;

    describe_user_scram_credentials_request_init(&request);
    request.users_count = -1; /* all */
    if (exec_read(x, CLIENT_HERE, API_DescribeUserScramCredentials, &request, &response) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not list users");
    ret->list = exec_alloc(x, (size_t)response.results_count, sizeof *ret->list);
    if (ret->list == NULL)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++)
        ret->list[ret->count++] = response.results[i].user;
    return 0;
}

static int
compare_names(const void *a, const void *b)
{
    const StrView *x = a, *y = b;
    int32_t len = x->len < y->len ? x->len : y->len;
    int order = len == 0 ? 0 : memcmp(x->ptr, y->ptr, (size_t)len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

int
names_all(Exec *x, NamesKind kind, StrView **ret, int32_t *ret_count)
{
    Names all = {0};

    if ((kind == NAMES_TOPICS   ? all_topics(x, &all)
         : kind == NAMES_GROUPS ? all_groups(x, &all)
                                : all_users(x, &all)) != 0)
        return -1;
    if (all.count > 1)
        qsort(all.list, (size_t)all.count, sizeof *all.list, compare_names);
    *ret = all.list;
    *ret_count = all.count;
    return 0;
}

/* ---- patterns ---- */

static int
expand_one(Exec *x, const StatementItem *item, const Names *all, Items *ret)
{
    int32_t before = ret->count;
    bool internal = item->text.len >= 2 && memcmp(item->text.ptr, "__", 2) == 0;

    for (int32_t i = 0; i < all->count; i++) {
        StrView name = all->list[i];

        if (!internal && name.len >= 2 && memcmp(name.ptr, "__", 2) == 0)
            continue; /* nobody means the internal ones by '*' */
        if (glob_matches(item->text, name) && items_find(ret, name, -1) == NULL &&
            items_add(x, ret, name, -1, item->pos) == NULL)
            return -1;
    }
    ret->globbed = true;
    return ret->count - before;
}

int
names_expand(Exec *x, StatementItemName name, NamesKind kind, bool missing_ok, Items *ret)
{
    Names all = {0};
    bool looked = false;

    ret->noun = nouns[kind];
    for (int32_t at = statement_find(x->s, name, 0); at >= 0;
         at = statement_find(x->s, name, at + 1)) {
        const StatementItem *item = &x->s->items[at];
        int added;

        if (item->quote != QUOTE_STRING || !glob_is(item->text)) {
            if (items_find(ret, item->text, -1) == NULL &&
                items_add(x, ret, item->text, -1, item->pos) == NULL)
                return -1;
            continue;
        }
        if (!looked) {
            if (names_all(x, kind, &all.list, &all.count) != 0)
                return -1;
            looked = true;
        }
        added = expand_one(x, item, &all, ret);
        if (added < 0)
            return -1;
        if (added > 0)
            continue;
        if (missing_ok) {
            exec_notice(x, "NOTICE", "no %s matches \"%.*s\", skipping", ret->noun,
                        (int)item->text.len, item->text.ptr);
            continue;
        }
        (void)fault_set(x->f, kind == NAMES_TOPICS ? "42P01" : "42704", "no %s matches \"%.*s\"",
                        ret->noun, (int)item->text.len, item->text.ptr);
        x->f->position = item->pos;
        return -1;
    }
    return 0;
}

/* ---- questions ---- */

static int
show_list(Exec *x, const Items *items)
{
    PrintTable table;

    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(
        &table, strview_from(exec_text(x, "%c%s", items->noun[0] - 32, items->noun + 1)), 'l');
    for (int32_t i = 0; i < items->count; i++)
        print_table_add_cell(&table, items->list[i].name);
    return exec_table(x, &table);
}

int
names_confirm(Exec *x, const char *verb, const Items *items)
{
    const char *question;

    if (x->s->explain || items->count == 0)
        return 0;
    if (items->globbed && show_list(x, items) != 0)
        return -1;
    if (!x->env->confirm_on || x->env->confirm == NULL || x->validate)
        return 0;
    if (items->count == 1)
        question = exec_text(x, "%s %s \"%.*s\"?", verb, items->noun, (int)items->list[0].name.len,
                             items->list[0].name.ptr);
    else
        question = exec_text(x, "%s %" PRId32 " %ss?", verb, items->count, items->noun);
    if (x->env->confirm(x->env->arg, question, items->count))
        return 0;
    return fault_set(x->f, FAULT_CANCELED, "nothing was done: not confirmed");
}

/* ---- partitions ---- */

int
partitions_of(Exec *x, const Items *topics, Items *ret)
{
    MetadataResponse response;

    ret->noun = "topic";
    if (topics->count == 0)
        return 0;
    if (exec_metadata(x, topics, &response) != 0)
        return -1;
    for (int32_t i = 0; i < topics->count; i++) {
        const Item *topic = &topics->list[i];
        const MetadataResponseTopic *found = NULL;

        for (int32_t j = 0; j < response.topics_count && found == NULL; j++) {
            const MetadataResponseTopic *t = &response.topics[(i + j) % response.topics_count];

            found = strview_equal(t->name, topic->name) ? t : NULL;
        }
        if (found == NULL || found->error_code != 0) {
            int16_t error = found == NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION : found->error_code;

            if (error == KERR_UNKNOWN_TOPIC_OR_PARTITION)
                (void)fault_kafka(x->f, error, -1, "topic \"%.*s\" does not exist",
                                  (int)topic->name.len, topic->name.ptr);
            else
                (void)fault_kafka(x->f, error, -1, "topic \"%.*s\": %s", (int)topic->name.len,
                                  topic->name.ptr, fault_kafka_text(error));
            x->f->position = topic->pos;
            return -1;
        }
        for (int32_t p = 0; p < found->partitions_count; p++) {
            if (items_add(x, ret, topic->name, p, topic->pos) == NULL)
                return -1;
        }
    }
    return 0;
}

int
partitions_of_cluster(Exec *x, Items *ret)
{
    MetadataResponse response;

    ret->noun = "topic";
    if (exec_metadata(x, NULL, &response) != 0)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const MetadataResponseTopic *t = &response.topics[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            Item *item = items_add(x, ret, t->name, t->partitions[j].partition_index, -1);

            if (item == NULL)
                return -1;
            item->number = t->partitions[j].leader_id;
            item->data = &t->partitions[j];
        }
    }
    return 0;
}

/* The partitions behind a topic's item; how many there were. */
static int
named_behind(Exec *x, int32_t at, Items *ret)
{
    const Statement *s = x->s;
    int count = 0;

    for (int32_t i = at + 1; i < s->count && s->items[i].name == ITEM_PARTITION; i++) {
        int32_t partition = -1;

        if (!text_to_int32(s->items[i].text, &partition))
            continue; /* the parser has seen that it is a number */
        if (items_add(x, ret, s->items[at].text, partition, s->items[i].pos) == NULL)
            return -1;
        count++;
    }
    return count;
}

int
partitions_named(Exec *x, int32_t from, Items *ret)
{
    Items whole = {.noun = "topic"};

    ret->noun = "topic";
    for (int32_t at = statement_find(x->s, ITEM_TOPIC, from); at >= 0;
         at = statement_find(x->s, ITEM_TOPIC, at + 1)) {
        int count = named_behind(x, at, ret);

        if (count < 0)
            return -1;
        if (count == 0 &&
            items_add(x, &whole, x->s->items[at].text, -1, x->s->items[at].pos) == NULL)
            return -1;
    }
    return partitions_of(x, &whole, ret);
}
