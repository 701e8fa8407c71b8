/*
 * complete_names.c - names of the cluster for completion: asked for in bounded time, remembered for ten seconds
 *
 * A question that failed or came late is not asked again for as long: Tab is never slow twice. A connection that is gone
 * stays gone, so that nobody waits for it here. Only the node that is connected is asked, for the same reason: of groups and
 * transactions it knows those that it coordinates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "complete_int.h"

#include <inttypes.h>

#include "ottla/common/clock.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"
#include "ottla/protocol/msg_list_config_resources.h"
#include "ottla/protocol/msg_list_groups.h"
#include "ottla/protocol/msg_list_transactions.h"
#include "ottla/protocol/msg_metadata.h"

#define CACHE_BYTES_MAX  ((size_t)16 << 20)
#define ANSWER_BYTES_MAX ((size_t)256 << 20)

typedef struct NameList {
    Arena *arena; /* of the names; NULL: never asked */
    StrView *names;
    int32_t count;
    int32_t size;
    int64_t asked_ms; /* clock_mono_ms */
} NameList;

static struct {
    const Client *client; /* whose names they are */
    int64_t connected_ms;
    NameList lists[NAMES_KINDS];
} cache;

static void
keep(NameList *list, StrView name)
{
    char *copy;

    if (name.ptr == NULL)
        return;
    if (list->count == list->size) {
        int32_t size = list->size == 0 ? 64 : list->size * 2;
        StrView *more = arena_calloc(list->arena, (size_t)size, sizeof *more);

        if (more == NULL)
            return; /* as many as fit */
        if (list->count > 0)
            memcpy(more, list->names, (size_t)list->count * sizeof *more);
        list->names = more;
        list->size = size;
    }
    copy = arena_strdup(list->arena, name);
    if (copy != NULL)
        list->names[list->count++] = (StrView){copy, name.len};
}

/* ---- questions --------------------------------------------------------------------------------- */

typedef struct Question {
    Client *client;
    int64_t deadline_ms;
    Arena *arena; /* of the answer */
} Question;

static int
ask(Question *q, int16_t api, const void *request, void *response)
{
    ClientCall call = client_call_to(CLIENT_HERE, api);
    Fault f;

    call.timeout_ms = q->deadline_ms - clock_mono_ms();
    if (call.timeout_ms <= 0)
        return -1;
    return client_call(q->client, &call, request, response, q->arena, &f);
}

/* One answer has both. */
static void
ask_metadata(Question *q, NameList *topics, NameList *brokers)
{
    MetadataRequest request;
    MetadataResponse response;

    metadata_request_init(&request);
    request.allow_auto_topic_creation = false;
    request.topics = NULL; /* all */
    request.topics_count = -1;
    if (ask(q, API_Metadata, &request, &response) != 0)
        return;
    for (int32_t i = 0; i < response.topics_count; i++)
        keep(topics, response.topics[i].name);
    for (int32_t i = 0; i < response.brokers_count; i++) {
        char id[16];
        int len = snprintf(id, sizeof id, "%" PRId32, response.brokers[i].node_id);

        keep(brokers, (StrView){id, len});
    }
}

static void
ask_groups(Question *q, NameList *list)
{
    ListGroupsRequest request;
    ListGroupsResponse response;

    list_groups_request_init(&request);
    if (ask(q, API_ListGroups, &request, &response) != 0)
        return;
    for (int32_t i = 0; i < response.groups_count; i++)
        keep(list, response.groups[i].group_id);
}

static void
ask_users(Question *q, NameList *list)
{
    DescribeUserScramCredentialsRequest request;
    DescribeUserScramCredentialsResponse response;

    describe_user_scram_credentials_request_init(&request);
    request.users = NULL; /* all */
    request.users_count = -1;
    if (ask(q, API_DescribeUserScramCredentials, &request, &response) != 0)
        return;
    for (int32_t i = 0; i < response.results_count; i++)
        keep(list, response.results[i].user);
}

static void
ask_transactions(Question *q, NameList *list)
{
    ListTransactionsRequest request;
    ListTransactionsResponse response;

    list_transactions_request_init(&request);
    if (ask(q, API_ListTransactions, &request, &response) != 0)
        return;
    for (int32_t i = 0; i < response.transaction_states_count; i++)
        keep(list, response.transaction_states[i].transactional_id);
}

static void
ask_metrics(Question *q, NameList *list)
{
    ListConfigResourcesRequest request;
    ListConfigResourcesResponse response;

    list_config_resources_request_init(&request); /* version 0 knows client metrics alone */
    if (ask(q, API_ListConfigResources, &request, &response) != 0)
        return;
    for (int32_t i = 0; i < response.config_resources_count; i++) {
        if (response.config_resources[i].resource_type == 16)
            keep(list, response.config_resources[i].resource_name);
    }
}

/* ---- the cache --------------------------------------------------------------------------------- */

/* Empty, from now on asked for. False: no memory. */
static bool
begin(NameList *list)
{
    arena_free(list->arena);
    *list = (NameList){.arena = arena_new((size_t)64 << 10, CACHE_BYTES_MAX),
                       .asked_ms = clock_mono_ms()};
    return list->arena != NULL;
}

static void
refill(Shell *shell, const Completions *c, NameKind kind)
{
    Question q = {.client = shell->client, .deadline_ms = c->deadline_ms};
    NameList *lists = cache.lists, *list = &lists[kind];

    if (!begin(list))
        return;
    q.arena = arena_new((size_t)64 << 10, ANSWER_BYTES_MAX);
    if (q.arena == NULL)
        return;
    switch (kind) {
    case NAMES_TOPICS:
    case NAMES_BROKERS:
        if (begin(&lists[kind == NAMES_TOPICS ? NAMES_BROKERS : NAMES_TOPICS]))
            ask_metadata(&q, &lists[NAMES_TOPICS], &lists[NAMES_BROKERS]);
        break;
    case NAMES_GROUPS:
        ask_groups(&q, list);
        break;
    case NAMES_USERS:
        ask_users(&q, list);
        break;
    case NAMES_TRANSACTIONS:
        ask_transactions(&q, list);
        break;
    case NAMES_METRICS:
        ask_metrics(&q, list);
        break;
    case NAMES_KINDS:
        break;
    }
    arena_free(q.arena);
}

/* Names of another connection are of no use. */
static void
forget_others(Shell *shell)
{
    int64_t connected = client_info(shell->client)->connected_ms;

    if (cache.client == shell->client && cache.connected_ms == connected)
        return;
    for (int kind = 0; kind < NAMES_KINDS; kind++) {
        arena_free(cache.lists[kind].arena);
        cache.lists[kind] = (NameList){0};
    }
    cache.client = shell->client;
    cache.connected_ms = connected;
}

void
complete_add_names(Shell *shell, Completions *c, NameKind kind)
{
    const NameList *list = &cache.lists[kind];

    if (shell->client == NULL)
        return;
    forget_others(shell);
    if ((list->arena == NULL || clock_mono_ms() - list->asked_ms > COMPLETE_KEEP_MS) &&
        client_connected(shell->client))
        refill(shell, c, kind);
    for (int32_t i = 0; i < list->count; i++) {
        if (kind == NAMES_BROKERS)
            complete_add(c, list->names[i]);
        else
            complete_add_name(c, list->names[i]);
    }
}
