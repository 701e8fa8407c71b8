/*
 * serve_walk.c - what the statistics ask: the worker's shards, its groups, their offsets, page by page
 *
 * Runs in: coordinator. An answer tells what is in memory now: it waits for no log. As a list that lacks groups
 * is worse than none, a shard that loads makes it 14.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/worker_int.h"
#include "ottla/groups/walk.h"

static StrView
state_name(HostState state)
{
    switch (state) {
    case HOST_LOADING:
        return STRVIEW("loading");
    case HOST_ACTIVE:
        return STRVIEW("active");
    case HOST_FAILED:
        return STRVIEW("failed");
    case HOST_NONE:
        break;
    }
    return STRVIEW("none");
}

static void
tell_shard(const Host *host, GroupWalkResponseShard *to)
{
    group_walk_response_shard_init(to);
    to->partition = host->partition;
    to->state = state_name(host->state);
    to->load_us = host->load_us;
    to->loaded_records = host->state == HOST_LOADING ? host->load.records : host->load_records;
    if (host->shard != NULL) {
        ShardCounts counts = shard_counts(host->shard);

        to->groups = counts.groups;
        to->members = counts.members;
        to->offsets = counts.offsets;
        to->bytes = counts.bytes;
    }
}

/* The first host of the worker at or above a partition. */
static int32_t
first_host(const Worker *w, int32_t partition)
{
    int32_t i = 0;

    while (i < w->host_count && w->hosts[i].partition < partition)
        i++;
    return i;
}

/* False: no memory. Those that others lead are left out. */
static bool
walk_shards(const Worker *w, const Served *s, int32_t from, GroupWalkResponse *out)
{
    out->shards = arena_calloc(s->arena, WALK_PAGE_GROUPS, sizeof *out->shards);
    if (out->shards == NULL)
        return false;
    for (int32_t i = first_host(w, from); i < w->host_count; i++) {
        if (out->shards_count == WALK_PAGE_GROUPS) {
            out->next.shard = w->hosts[i].partition;
            break;
        }
        if (w->hosts[i].state != HOST_NONE)
            tell_shard(&w->hosts[i], &out->shards[out->shards_count++]);
    }
    return true;
}

/* One shard. False: the page is full, and its end is told. */
static bool
walk_one(Worker *w, const Host *host, GroupWalk *walk, const GroupWalkRequest *in)
{
    bool here = in->only || in->place.shard == host->partition;
    GroupWalkRequestPlace begin;
    GroupEnv env;
    bool over;

    group_walk_request_place_init(&begin);
    env_begin(w, &env);
    over = in->only ? shard_walk_group(host->shard, &env, walk, &in->place)
                    : shard_walk(host->shard, &env, walk, here ? &in->place : &begin);
    env_end(w);
    if (!over)
        walk->out->next.shard = host->partition;
    return over;
}

/* 0, or the code for the whole request. */
static int16_t
walk_groups(Worker *w, const Served *s, GroupWalkResponse *out)
{
    const GroupWalkRequest *in = s->in;
    GroupWalk walk;

    group_walk_begin(&walk, s->arena, in->what == WALK_OFFSETS, out);
    if (in->only) {
        const Host *host = host_of_group(w, in->place.group_id);

        if (host_status(host) != 0)
            return host_status(host);
        (void)walk_one(w, host, &walk, in);
        return walk.failed ? KERR_UNKNOWN_SERVER_ERROR : 0;
    }
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_LOADING)
            return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    for (int32_t i = first_host(w, in->place.shard); i < w->host_count; i++)
        if (w->hosts[i].state == HOST_ACTIVE && !walk_one(w, &w->hosts[i], &walk, in))
            break;
    return walk.failed ? KERR_UNKNOWN_SERVER_ERROR : 0;
}

void
serve_walk(Worker *w, Served *s)
{
    const GroupWalkRequest *in = s->in;
    GroupWalkResponse out;
    int16_t code = 0;

    group_walk_response_init(&out);
    if (in->what != WALK_SHARDS)
        code = walk_groups(w, s, &out);
    else if (!walk_shards(w, s, in->place.shard, &out))
        code = KERR_UNKNOWN_SERVER_ERROR;
    if (code != 0)
        serve_status(s, code);
    else
        answer_release(
            answer_new(s->cookie, 0, &group_walk_response_desc, s->head.api_version, &out));
}
