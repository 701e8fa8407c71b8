/*
 * serve_many.c - requests that name several groups: each is asked of its shard, the answers become one
 *
 * Runs in: coordinator. The answer leaves when every shard that took part is safe as far as it was then. Where
 * one of them is not safe in time, or is dropped meanwhile, its groups get that code; of a list of all groups, the whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/msg_delete_groups.h"
#include "ottla/protocol/msg_list_groups.h"

/* Shards that took part in one message, and which of them each result is of. */
typedef struct Joint {
    Host **hosts;
    int32_t count;
    int32_t *partitions; /* by result; -1: none said it */
    int32_t results;
    int32_t at; /* the result under way */
} Joint;

/* results 0: what fails fails the whole. */
static bool
joint_init(Worker *w, const Served *s, int32_t results, Joint *ret)
{
    *ret = (Joint){
        .hosts = arena_calloc(s->arena, (size_t)w->host_count + 1, sizeof *ret->hosts),
        .partitions = arena_calloc(s->arena, (size_t)results + 1, sizeof *ret->partitions),
        .results = results,
    };
    for (int32_t i = 0; ret->partitions != NULL && i < results; i++)
        ret->partitions[i] = -1;
    return ret->hosts != NULL && ret->partitions != NULL;
}

/* The host has said the result under way. */
static void
joint_add(Joint *joint, Host *host)
{
    joint->partitions[joint->at] = host->partition;
    for (int32_t i = 0; i < joint->count; i++)
        if (joint->hosts[i] == host)
            return;
    joint->hosts[joint->count++] = host;
}

/* Answers; waits for each shard that took part and is still there. */
static void
joint_answer(Worker *w, const Joint *joint, Answer *answer, GroupReplyWhen when)
{
    answer_set_parts(answer, joint->partitions, joint->results);
    for (int32_t i = 0; i < joint->count; i++) {
        Host *host = joint->hosts[i];

        if (host->state == HOST_ACTIVE)
            answer_wait(w, host, answer, when);
        else /* dropped over it */
            answer_except(answer, host->partition, KERR_COORDINATOR_NOT_AVAILABLE);
    }
    answer_release(answer);
}

static void
no_memory(const Served *s)
{
    serve_status(s, KERR_UNKNOWN_SERVER_ERROR);
}

/*
 * A request that changes nothing and asks several shards. One view of the metadata for all, until the answer is
 * encoded: names in it lie there.
 */
typedef struct Reading {
    Worker *worker;
    GroupEnv env; /* what it allocates is the request's */
    Joint joint;
} Reading;

static bool
reading_begin(Worker *w, const Served *s, int32_t results, Reading *ret)
{
    ret->worker = w;
    env_begin(w, &ret->env);
    w->out.arena = s->arena;
    return joint_init(w, s, results, &ret->joint);
}

/* ok: nothing failed so far. */
static void
reading_answer(const Served *s, Reading *reading, bool ok, const MessageDesc *desc, const void *out)
{
    Worker *w = reading->worker;
    Answer *answer;

    if (!ok || w->out.failed) {
        env_end(w);
        no_memory(s);
        return;
    }
    answer = answer_new(s->cookie, 0, desc, s->head.api_version, out);
    env_end(w);
    if (desc == &offset_fetch_response_desc)
        answer->late_status = KERR_NOT_COORDINATOR;
    joint_answer(w, &reading->joint, answer, REPLY_REPLICATED);
}

/* ---- OffsetFetch --------------------------------------------------------------------------------- */

/* The one group of versions 1 to 7. */
static bool
old_group(const Served *s, const OffsetFetchRequest *in, OffsetFetchRequestGroup *ret)
{
    offset_fetch_request_group_init(ret);
    ret->group_id = in->group_id;
    if (in->topics_count < 0) { /* null: everything that the group has committed */
        ret->topics = NULL;
        ret->topics_count = -1;
        return true;
    }
    ret->topics = arena_calloc(s->arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    if (ret->topics == NULL)
        return false;
    ret->topics_count = in->topics_count;
    for (int32_t i = 0; i < in->topics_count; i++) {
        offset_fetch_request_group_topic_init(&ret->topics[i]);
        ret->topics[i].name = in->topics[i].name;
        ret->topics[i].partition_indexes = in->topics[i].partition_indexes;
        ret->topics[i].partition_indexes_count = in->topics[i].partition_indexes_count;
    }
    return true;
}

static bool
old_topic(const Served *s, const OffsetFetchResponseGroupTopic *from, int16_t code,
          OffsetFetchResponseTopic *ret)
{
    offset_fetch_response_topic_init(ret);
    ret->name = from->name;
    ret->partitions =
        arena_calloc(s->arena, (size_t)from->partitions_count + 1, sizeof *ret->partitions);
    if (ret->partitions == NULL)
        return false;
    ret->partitions_count = from->partitions_count;
    for (int32_t p = 0; p < from->partitions_count; p++) {
        const OffsetFetchResponseGroupPartition *in = &from->partitions[p];
        OffsetFetchResponsePartition *out = &ret->partitions[p];

        offset_fetch_response_partition_init(out);
        out->partition_index = in->partition_index;
        out->committed_offset = in->committed_offset;
        out->committed_leader_epoch = in->committed_leader_epoch;
        out->metadata = in->metadata;
        out->error_code = in->error_code != 0 ? in->error_code : code;
    }
    return true;
}

/* The answer of versions 1 to 7 out of that of its one group; version 1 has no code at the top. */
static bool
old_response(const Served *s, OffsetFetchResponse *out)
{
    const OffsetFetchResponseGroup *group = out->groups;
    int16_t code = s->head.api_version == 1 ? group->error_code : 0;

    out->error_code = group->error_code;
    out->topics = arena_calloc(s->arena, (size_t)group->topics_count + 1, sizeof *out->topics);
    if (out->topics == NULL)
        return false;
    out->topics_count = group->topics_count;
    for (int32_t t = 0; t < group->topics_count; t++)
        if (!old_topic(s, &group->topics[t], code, &out->topics[t]))
            return false;
    out->groups = NULL;
    out->groups_count = 0;
    return true;
}

static void
fetch_group(const Served *s, Reading *reading, const OffsetFetchRequestGroup *group,
            OffsetFetchResponseGroup *ret)
{
    const OffsetFetchRequest *in = s->in;
    Host *host = host_of_group(reading->worker, group->group_id);

    offset_fetch_response_group_init(ret);
    ret->group_id = group->group_id;
    ret->error_code = host_status(host);
    if (ret->error_code != 0)
        return;
    shard_offset_fetch(host->shard, &reading->env, s->head.api_version, in->require_stable, group,
                       ret);
    joint_add(&reading->joint, host);
}

void
serve_offset_fetch(Worker *w, Served *s)
{
    OffsetFetchRequest *in = s->in;
    bool old = s->head.api_version <= 7, ok;
    OffsetFetchRequestGroup one;
    OffsetFetchResponse out;
    Reading r;

    offset_fetch_response_init(&out);
    out.groups_count = old ? 1 : in->groups_count;
    out.groups = arena_calloc(s->arena, (size_t)out.groups_count + 1, sizeof *out.groups);
    ok = reading_begin(w, s, out.groups_count, &r) && out.groups != NULL &&
         (!old || old_group(s, in, &one));
    for (r.joint.at = 0; ok && r.joint.at < out.groups_count; r.joint.at++)
        fetch_group(s, &r, old ? &one : &in->groups[r.joint.at], &out.groups[r.joint.at]);
    if (ok && old && r.joint.count == 0) { /* nothing but a code, as the backend would say it */
        env_end(w);
        serve_status(s, out.groups[0].error_code);
        return;
    }
    ok = ok && (!old || old_response(s, &out));
    reading_answer(s, &r, ok, &offset_fetch_response_desc, &out);
}

/* ---- DescribeGroups, ConsumerGroupDescribe ---------------------------------------------------------- */

void
serve_describe_groups(Worker *w, Served *s)
{
    const DescribeGroupsRequest *in = s->in;
    DescribeGroupsResponse out;
    Reading reading;
    bool ok;

    describe_groups_response_init(&out);
    out.groups = arena_calloc(s->arena, (size_t)in->groups_count + 1, sizeof *out.groups);
    ok = reading_begin(w, s, in->groups_count, &reading) && out.groups != NULL;
    out.groups_count = in->groups_count;
    for (int32_t i = 0; ok && i < in->groups_count; i++) {
        Host *host = host_of_group(w, in->groups[i]);

        describe_groups_response_group_init(&out.groups[i]);
        out.groups[i].group_id = in->groups[i];
        out.groups[i].error_code = host_status(host);
        if (out.groups[i].error_code != 0)
            continue;
        shard_describe_classic(host->shard, &reading.env, s->head.api_version, in->groups[i],
                               &out.groups[i]);
        reading.joint.at = i;
        joint_add(&reading.joint, host);
    }
    reading_answer(s, &reading, ok, &describe_groups_response_desc, &out);
}

void
serve_consumer_describe(Worker *w, Served *s)
{
    const ConsumerGroupDescribeRequest *in = s->in;
    ConsumerGroupDescribeResponse out;
    Reading reading;
    bool ok;

    consumer_group_describe_response_init(&out);
    out.groups = arena_calloc(s->arena, (size_t)in->group_ids_count + 1, sizeof *out.groups);
    ok = reading_begin(w, s, in->group_ids_count, &reading) && out.groups != NULL;
    out.groups_count = in->group_ids_count;
    for (int32_t i = 0; ok && i < in->group_ids_count; i++) {
        Host *host = host_of_group(w, in->group_ids[i]);

        consumer_group_describe_response_group_init(&out.groups[i]);
        out.groups[i].group_id = in->group_ids[i];
        out.groups[i].error_code = host_status(host);
        if (out.groups[i].error_code != 0)
            continue;
        shard_describe_consumer(host->shard, &reading.env, in->group_ids[i], &out.groups[i]);
        reading.joint.at = i;
        joint_add(&reading.joint, host);
    }
    reading_answer(s, &reading, ok, &consumer_group_describe_response_desc, &out);
}

/* ---- DeleteGroups ------------------------------------------------------------------------------------ */

static int16_t
delete_group(Worker *w, Joint *joint, StrView group_id)
{
    Host *host = host_of_group(w, group_id);
    int16_t code = host_status(host);
    GroupEnv env;

    if (code != 0)
        return code;
    env_begin(w, &env);
    code = shard_delete_group(host->shard, &env, group_id);
    env_end(w);
    host_take_out(w, host);
    joint_add(joint, host);
    return code;
}

/* The backend names each group once. */
void
serve_delete_groups(Worker *w, Served *s)
{
    const DeleteGroupsRequest *in = s->in;
    DeleteGroupsResponse out;
    Joint joint;

    delete_groups_response_init(&out);
    out.results = arena_calloc(s->arena, (size_t)in->groups_names_count + 1, sizeof *out.results);
    if (out.results == NULL || !joint_init(w, s, in->groups_names_count, &joint)) {
        no_memory(s);
        return;
    }
    for (int32_t i = 0; i < in->groups_names_count; i++) {
        DeleteGroupsResponseResult *result = &out.results[out.results_count];

        delete_groups_response_result_init(result);
        result->group_id = in->groups_names[i];
        joint.at = i;
        result->error_code = delete_group(w, &joint, in->groups_names[i]);
        out.results_count++;
    }
    joint_answer(w, &joint,
                 answer_new(s->cookie, 0, &delete_groups_response_desc, s->head.api_version, &out),
                 REPLY_COMMITTED);
}

/* ---- ListGroups --------------------------------------------------------------------------------------- */

typedef struct Lister {
    const Served *s;
    ListGroupsResponse out;
    int32_t room;
    bool no_memory;
    uint32_t states; /* that are wanted: bits by place in the tables */
    uint32_t types;
} Lister;

static const char *const states[] = {"Empty",
                                     "PreparingRebalance",
                                     "CompletingRebalance",
                                     "Assigning",
                                     "Reconciling",
                                     "Stable",
                                     "Dead",
                                     NULL};
static const char *const types[] = {"classic", "consumer", NULL};

static StrView
trimmed(StrView text)
{
    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ') {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ')
        text.len--;
    return text;
}

static bool
same_word(StrView text, const char *word)
{
    return (size_t)text.len == strlen(word) &&
           (text.len == 0 || strncasecmp(text.ptr, word, (size_t)text.len) == 0);
}

/*
 * Which of the words a filter has, as bits; no filter has all. Filters may be very long, and groups very many: nobody
 * compares each with each.
 */
static uint32_t
words_in(const char *const *words, const StrView *filter, int32_t count, bool trim)
{
    uint32_t bits = count <= 0 ? UINT32_MAX : 0;

    for (int32_t i = 0; i < count; i++) {
        StrView text = trim ? trimmed(filter[i]) : filter[i];

        for (int k = 0; words[k] != NULL; k++)
            if (same_word(text, words[k]))
                bits |= UINT32_C(1) << k;
    }
    return bits;
}

static bool
has_word(const char *const *words, uint32_t bits, const char *word)
{
    for (int k = 0; words[k] != NULL; k++)
        if (strcmp(words[k], word) == 0)
            return (bits >> k & 1) != 0;
    ot_unreachable(); /* the tables have all that a shard says */
}

static bool
list_one(void *ctx, const GroupListing *one)
{
    Lister *l = ctx;
    ListGroupsResponseGroup *group;

    if (!has_word(states, l->states, one->state) || !has_word(types, l->types, one->type))
        return true;
    if (l->out.groups_count == l->room) {
        int32_t room = l->room == 0 ? 64 : l->room * 2;
        ListGroupsResponseGroup *list = arena_calloc(l->s->arena, (size_t)room, sizeof *list);

        l->no_memory = list == NULL;
        if (list == NULL)
            return false;
        if (l->room > 0)
            memcpy(list, l->out.groups, (size_t)l->room * sizeof *list);
        l->out.groups = list;
        l->room = room;
    }
    group = &l->out.groups[l->out.groups_count++];
    list_groups_response_group_init(group);
    group->group_id = one->group_id;
    group->protocol_type = one->protocol_type;
    group->group_state = strview_from(one->state);
    group->group_type = strview_from(one->type);
    return true;
}

void
serve_list_groups(Worker *w, Served *s)
{
    const ListGroupsRequest *in = s->in;
    Lister l = {.s = s};
    Joint joint;

    list_groups_response_init(&l.out);
    l.states = words_in(states, in->states_filter, in->states_filter_count, true);
    l.types = words_in(types, in->types_filter, in->types_filter_count, false);
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_LOADING) { /* a part of the list would be wrong */
            serve_status(s, KERR_COORDINATOR_LOAD_IN_PROGRESS);
            return;
        }
    if (!joint_init(w, s, 0, &joint)) {
        no_memory(s);
        return;
    }
    for (int32_t i = 0; i < w->host_count && !l.no_memory; i++) {
        Host *host = &w->hosts[i];
        GroupEnv env;

        if (host->state != HOST_ACTIVE)
            continue;
        env_begin(w, &env);
        w->out.arena = s->arena;
        shard_list(host->shard, &env, list_one, &l);
        env_end(w);
        joint_add(&joint, host);
    }
    if (l.no_memory)
        no_memory(s);
    else
        joint_answer(
            w, &joint,
            answer_new(s->cookie, 0, &list_groups_response_desc, s->head.api_version, &l.out),
            REPLY_REPLICATED);
}
