/*
 * serve_many.c - requests that name several groups: each is asked of its shard, the answers become one
 *
 * Runs in: coordinator. The answer leaves when every shard that took part is safe as far as it was then. Where
 * one of them is not safe in time, or is dropped meanwhile, its groups get that code; of a list of all groups, the whole.
 *
 * A short request may be answered with very much: it can name one large group ten thousand times. So what is gathered for
 * one answer is bounded, and what all answers hold that have not left yet; groups for which there is no room get a code.
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

/* ---- what is gathered ------------------------------------------------------------------------------ */

#define ARENA_CHUNK   65536
#define ARENA_MAX     (2 * (size_t)COORDINATOR_REPLY_MAX) /* structs of one answer */
#define HELD_MAX      ((size_t)256 << 20)                 /* answers that have not left yet */
#define ALWAYS_A_ROOM ((size_t)64 << 10)                  /* of one answer, however much is held */

typedef struct Gathering {
    Arena *arena; /* of the structs; the turn's would hold them till it ends */
    size_t room;  /* bytes that the answer may still take; 0: it is full */
    int16_t code; /* of groups for which there is no room */
} Gathering;

static bool
gather_begin(const Worker *w, Gathering *ret)
{
    size_t held = answers_bytes() + mbox_reply_bytes(w->mailbox);
    size_t left = held < HELD_MAX ? HELD_MAX - held : 0;

    *ret = (Gathering){.arena = arena_new(ARENA_CHUNK, ARENA_MAX),
                       .room = COORDINATOR_REPLY_MAX,
                       .code = KERR_UNKNOWN_SERVER_ERROR};
    if (left < ret->room) { /* another time there is more */
        ret->room = left > ALWAYS_A_ROOM ? left : ALWAYS_A_ROOM;
        ret->code = KERR_COORDINATOR_NOT_AVAILABLE;
    }
    return ret->arena != NULL;
}

/* The answer grows by what a message takes that has the result alone. False: there is no room, nor for others after it. */
static bool
gather(Worker *w, Gathering *g, const MessageDesc *desc, int16_t version, const void *alone)
{
    WireSizer size = {0};

    if (!w->out.failed)
        desc->size(&size, version, alone);
    if (w->out.failed || size.err != 0 || size.bytes > g->room) {
        w->out.failed = false; /* it is this result's alone */
        g->room = 0;
        return false;
    }
    g->room -= size.bytes;
    return true;
}

/*
 * A request that changes nothing and asks several shards. One view of the metadata for all, until the answer is
 * encoded: names in it lie there.
 */
typedef struct Reading {
    Worker *worker;
    GroupEnv env; /* what it allocates is gathered */
    Gathering g;
    Joint joint;
} Reading;

static bool
reading_begin(Worker *w, const Served *s, int32_t results, Reading *ret)
{
    ret->worker = w;
    env_begin(w, &ret->env);
    if (!gather_begin(w, &ret->g))
        return false;
    w->out.arena = ret->g.arena;
    return joint_init(w, s, results, &ret->joint);
}

static void
reading_end(Reading *reading)
{
    env_end(reading->worker);
    arena_free(reading->g.arena);
}

/* 0: the group's shard is there, and so is room; else the code of its result. */
static int16_t
reading_status(const Reading *reading, const Host *host)
{
    int16_t code = host_status(host);

    return code == 0 && reading->g.room == 0 ? reading->g.code : code;
}

/* The host's result, in a message that has it alone. False: there is no room for it. */
static bool
reading_add(Reading *reading, Host *host, const MessageDesc *desc, int16_t version,
            const void *alone)
{
    if (!gather(reading->worker, &reading->g, desc, version, alone))
        return false;
    joint_add(&reading->joint, host);
    return true;
}

/* ok: nothing failed so far. */
static void
reading_answer(const Served *s, Reading *reading, bool ok, const MessageDesc *desc, const void *out)
{
    Worker *w = reading->worker;
    Answer *answer = NULL;

    if (ok && !w->out.failed)
        answer = answer_new(s->cookie, 0, desc, s->head.api_version, out);
    reading_end(reading);
    if (answer == NULL) {
        no_memory(s);
        return;
    }
    if (desc == &offset_fetch_response_desc)
        answer->late_status = KERR_NOT_COORDINATOR;
    joint_answer(w, &reading->joint, answer, REPLY_REPLICATED);
}

/* ---- OffsetFetch --------------------------------------------------------------------------------- */

#define GROUPS_VERSION 8 /* from it on requests name several groups */

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
    int16_t version = s->head.api_version < GROUPS_VERSION ? GROUPS_VERSION : s->head.api_version;
    Host *host = host_of_group(reading->worker, group->group_id);
    OffsetFetchResponse alone;

    offset_fetch_response_group_init(ret);
    ret->group_id = group->group_id;
    ret->error_code = reading_status(reading, host);
    if (ret->error_code != 0)
        return;
    shard_offset_fetch(host->shard, &reading->env, s->head.api_version, in->require_stable, group,
                       ret);
    offset_fetch_response_init(&alone);
    alone.groups = ret;
    alone.groups_count = 1;
    if (reading_add(reading, host, &offset_fetch_response_desc, version, &alone))
        return;
    offset_fetch_response_group_init(ret);
    ret->group_id = group->group_id;
    ret->error_code = reading->g.code;
}

void
serve_offset_fetch(Worker *w, Served *s)
{
    OffsetFetchRequest *in = s->in;
    bool old = s->head.api_version < GROUPS_VERSION, ok;
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
        reading_end(&r);
        serve_status(s, out.groups[0].error_code);
        return;
    }
    ok = ok && (!old || old_response(s, &out));
    reading_answer(s, &r, ok, &offset_fetch_response_desc, &out);
}

/* ---- DescribeGroups, ConsumerGroupDescribe ---------------------------------------------------------- */

static void
describe_group(const Served *s, Reading *reading, StrView group_id,
               DescribeGroupsResponseGroup *ret)
{
    Host *host = host_of_group(reading->worker, group_id);
    DescribeGroupsResponse alone;

    describe_groups_response_group_init(ret);
    ret->group_id = group_id;
    ret->error_code = reading_status(reading, host);
    if (ret->error_code != 0)
        return;
    shard_describe_classic(host->shard, &reading->env, s->head.api_version, group_id, ret);
    describe_groups_response_init(&alone);
    alone.groups = ret;
    alone.groups_count = 1;
    if (reading_add(reading, host, &describe_groups_response_desc, s->head.api_version, &alone))
        return;
    describe_groups_response_group_init(ret);
    ret->group_id = group_id;
    ret->error_code = reading->g.code;
}

void
serve_describe_groups(Worker *w, Served *s)
{
    const DescribeGroupsRequest *in = s->in;
    DescribeGroupsResponse out;
    Reading r;
    bool ok;

    describe_groups_response_init(&out);
    out.groups = arena_calloc(s->arena, (size_t)in->groups_count + 1, sizeof *out.groups);
    ok = reading_begin(w, s, in->groups_count, &r) && out.groups != NULL;
    out.groups_count = in->groups_count;
    for (r.joint.at = 0; ok && r.joint.at < in->groups_count; r.joint.at++)
        describe_group(s, &r, in->groups[r.joint.at], &out.groups[r.joint.at]);
    reading_answer(s, &r, ok, &describe_groups_response_desc, &out);
}

static void
describe_consumer(const Served *s, Reading *reading, StrView group_id,
                  ConsumerGroupDescribeResponseGroup *ret)
{
    Host *host = host_of_group(reading->worker, group_id);
    ConsumerGroupDescribeResponse alone;

    consumer_group_describe_response_group_init(ret);
    ret->group_id = group_id;
    ret->error_code = reading_status(reading, host);
    if (ret->error_code != 0)
        return;
    shard_describe_consumer(host->shard, &reading->env, group_id, ret);
    consumer_group_describe_response_init(&alone);
    alone.groups = ret;
    alone.groups_count = 1;
    if (reading_add(reading, host, &consumer_group_describe_response_desc, s->head.api_version,
                    &alone))
        return;
    consumer_group_describe_response_group_init(ret);
    ret->group_id = group_id;
    ret->error_code = reading->g.code;
}

void
serve_consumer_describe(Worker *w, Served *s)
{
    const ConsumerGroupDescribeRequest *in = s->in;
    ConsumerGroupDescribeResponse out;
    Reading r;
    bool ok;

    consumer_group_describe_response_init(&out);
    out.groups = arena_calloc(s->arena, (size_t)in->group_ids_count + 1, sizeof *out.groups);
    ok = reading_begin(w, s, in->group_ids_count, &r) && out.groups != NULL;
    out.groups_count = in->group_ids_count;
    for (r.joint.at = 0; ok && r.joint.at < in->group_ids_count; r.joint.at++)
        describe_consumer(s, &r, in->group_ids[r.joint.at], &out.groups[r.joint.at]);
    reading_answer(s, &r, ok, &consumer_group_describe_response_desc, &out);
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

#define LISTED_BYTES 16 /* of a group, beside its texts */

typedef struct Lister {
    ListGroupsResponse out;
    Gathering g;
    int32_t room;
    bool full;       /* a part of the list would be wrong: the whole gets a code */
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
    size_t bytes = LISTED_BYTES + (size_t)one->group_id.len + (size_t)one->protocol_type.len +
                   strlen(one->state) + strlen(one->type);
    ListGroupsResponseGroup *group;

    if (!has_word(states, l->states, one->state) || !has_word(types, l->types, one->type))
        return true;
    l->full = bytes > l->g.room || l->out.groups_count == l->room;
    if (l->full)
        return false;
    l->g.room -= bytes;
    group = &l->out.groups[l->out.groups_count++];
    list_groups_response_group_init(group);
    group->group_id = one->group_id;
    group->protocol_type = one->protocol_type;
    group->group_state = strview_from(one->state);
    group->group_type = strview_from(one->type);
    return true;
}

/* Room for all groups there are. */
static bool
list_init(const Worker *w, Lister *l)
{
    int64_t groups = 0;

    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_ACTIVE)
            groups += shard_counts(w->hosts[i].shard).groups;
    l->room = groups < INT32_MAX ? (int32_t)groups : INT32_MAX;
    l->out.groups = arena_alloc(l->g.arena, (size_t)l->room * sizeof *l->out.groups);
    return l->out.groups != NULL;
}

void
serve_list_groups(Worker *w, Served *s)
{
    const ListGroupsRequest *in = s->in;
    Lister l = {0};
    Joint joint;

    list_groups_response_init(&l.out);
    l.states = words_in(states, in->states_filter, in->states_filter_count, true);
    l.types = words_in(types, in->types_filter, in->types_filter_count, false);
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_LOADING) { /* a part of the list would be wrong */
            serve_status(s, KERR_COORDINATOR_LOAD_IN_PROGRESS);
            return;
        }
    if (!joint_init(w, s, 0, &joint) || !gather_begin(w, &l.g)) {
        no_memory(s);
        return;
    }
    l.full = !list_init(w, &l);
    for (int32_t i = 0; i < w->host_count && !l.full; i++) {
        Host *host = &w->hosts[i];
        GroupEnv env;

        if (host->state != HOST_ACTIVE)
            continue;
        env_begin(w, &env);
        shard_list(host->shard, &env, list_one, &l);
        env_end(w);
        joint_add(&joint, host);
    }
    if (l.full)
        serve_status(s, l.g.code);
    else
        joint_answer(
            w, &joint,
            answer_new(s->cookie, 0, &list_groups_response_desc, s->head.api_version, &l.out),
            REPLY_REPLICATED);
    arena_free(l.g.arena);
}
