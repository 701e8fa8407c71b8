/*
 * shard_host.c - which partitions of __consumer_offsets a worker has, and what becomes of each
 *
 * Runs in: coordinator. Spec: groups-and-transactions.md 1.4.
 *
 *   NONE -> LOADING   the image says that this node leads the partition
 *   LOADING -> ACTIVE all of the log was read
 *   any -> FAILED     the log cannot be read or written, or the shard is ahead of it; again after a while
 *   any -> NONE       leadership is lost, the topic is deleted, the worker ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/coordinator/shared.h"
#include "ottla/groups/group_hash.h"
#include "ottla/ipc/node.h"

#define TOPIC           STRVIEW("__consumer_offsets")
#define TIMERS_PER_TURN 256
#define SLICES_PER_TURN 16
#define STEPS_US        4000 /* of all shards in a turn; who asks waits for no more */

static bool
uuid_same(Uuid a, Uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

/* NULL: not one of this worker's. */
static Host *
host_of(Worker *w, int32_t partition)
{
    if (partition < 0 || partition >= w->partitions || partition % w->workers != w->index)
        return NULL;
    return &w->hosts[partition / w->workers];
}

Host *
host_of_group(Worker *w, StrView group_id)
{
    return w->partitions == 0 ? NULL : host_of(w, group_partition_of(group_id, w->partitions));
}

int16_t
host_status(const Host *host)
{
    if (host == NULL)
        return KERR_NOT_COORDINATOR;
    switch (host->state) {
    case HOST_LOADING:
        return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    case HOST_ACTIVE:
        return 0;
    case HOST_NONE:
    case HOST_FAILED:
        return KERR_NOT_COORDINATOR;
    }
    ot_unreachable();
}

/* Parked requests and all that wait get the code; nothing of the shard is left. */
static void
drop_shard(Worker *w, Host *host, int16_t code)
{
    host_answer_all(host, code);
    if (host->shard != NULL) {
        GroupShard *shard = host->shard;
        GroupEnv env;

        env_begin(w, &env);
        shard_unload(shard, &env, code);
        env_end(w);
        host->shard = NULL;
        for (const GroupReply *r = w->out.replies; r != NULL; r = r->next) {
            Call *call = call_find(&w->calls, r->token);
            Answer *answer;

            if (call == NULL)
                continue;
            answer = answer_new(&call->cookie, r->status, r->desc, r->version, r->message);
            call_end(&w->calls, call);
            answer_release(answer);
        }
        shard_free(shard);
    }
    host_load_release(host);
}

int64_t
host_next_backoff(Host *host)
{
    host->backoff_us = host->backoff_us == 0                     ? RETRY_FAILED_US
                       : host->backoff_us * 2 > RETRY_FAILED_MAX ? RETRY_FAILED_MAX
                                                                 : host->backoff_us * 2;
    return host->backoff_us;
}

void
host_fail(Worker *w, Host *host, int16_t code, int64_t retry_us)
{
    drop_shard(w, host, code);
    host->state = HOST_FAILED;
    host->retry_us = clock_mono_us() + retry_us;
    coordinator_count_add(w->index, COORDINATOR_SHARD_FAILURES, 1);
}

void
host_close(Worker *w, Host *host)
{
    if (host->state == HOST_NONE)
        return;
    drop_shard(w, host, KERR_NOT_COORDINATOR);
    host->state = HOST_NONE;
    host->backoff_us = 0;
}

/* ---- following the image -------------------------------------------------------------------------- */

static void
host_open(Worker *w, Host *host, const ImagePartition *part)
{
    host->ref = part->ref;
    host->leader_epoch = part->leader_epoch;
    host->retry_us = 0;
    host->state = HOST_LOADING;
    if (!coordinator_load_is_deadly(w->index, host->partition, w->now_us))
        return;
    log_msg(LL_ERROR, COORDINATOR_LOG,
            "the shard is left alone: workers died while they loaded it; partition=%d",
            (int)host->partition);
    host->state = HOST_FAILED;
    host->backoff_us = RETRY_FAILED_MAX / 2;
    host->retry_us = w->now_us + host_next_backoff(host);
}

static void
follow_one(Worker *w, Host *host, const ImageTopic *topic)
{
    ImagePartition part;
    bool leads = image_topic_partition(topic, host->partition, &part) &&
                 part.leader == node_info.node_id && part.ref.slot != PSLOT_NONE;
    bool same = leads && part.ref.slot == host->ref.slot &&
                part.ref.generation == host->ref.generation &&
                part.leader_epoch <= host->leader_epoch;

    if (host->state != HOST_NONE && !same)
        host_close(w, host);
    if (host->state == HOST_NONE && leads)
        host_open(w, host, &part);
    host->metadata_due |= host->state == HOST_ACTIVE;
}

static void
close_all(Worker *w)
{
    for (int32_t i = 0; i < w->host_count; i++)
        host_close(w, &w->hosts[i]);
    free(w->hosts);
    w->hosts = NULL;
    w->host_count = 0;
    w->partitions = 0;
    w->count_changed = false;
}

/* The topic is there for the first time, or anew. */
static void
adopt_topic(Worker *w, const ImageTopic *topic)
{
    close_all(w);
    w->topic_id = image_topic_id(topic);
    w->partitions = image_topic_partition_count(topic);
    w->host_count = (w->partitions - w->index + w->workers - 1) / w->workers;
    if (w->host_count < 0)
        w->host_count = 0;
    w->hosts = calloc((size_t)w->host_count + 1, sizeof *w->hosts);
    ot_assert(w->hosts != NULL);
    for (int32_t i = 0; i < w->host_count; i++) {
        w->hosts[i].partition = i * w->workers + w->index;
        w->hosts[i].wait_node = WAIT_NODE_NONE;
        w->hosts[i].load_us = -1;
    }
}

/* More partitions: all keys have moved. Nobody is served from what was written before. */
static void
refuse_count(Worker *w, int32_t count)
{
    if (!w->count_changed)
        log_msg(LL_ERROR, COORDINATOR_LOG,
                "the number of partitions of __consumer_offsets changed from %d to %d: groups are "
                "not served; restart the node to serve them by the new number",
                (int)w->partitions, (int)count);
    w->count_changed = true;
    for (int32_t i = 0; i < w->host_count; i++)
        host_close(w, &w->hosts[i]);
}

/* What a batch may hold; all partitions share the settings of their topic. */
static void
read_topic_settings(Worker *w)
{
    for (int32_t i = 0; i < w->host_count; i++) {
        const PartitionSlot *slot =
            w->hosts[i].state == HOST_NONE ? NULL : pslot_find(w->hosts[i].ref);
        TopicSettings settings;

        if (slot == NULL)
            continue;
        pslot_settings(slot, &settings);
        w->settings.max_batch_bytes = (int32_t)(settings.max_message_bytes < settings.segment_bytes
                                                    ? settings.max_message_bytes
                                                    : settings.segment_bytes);
        return;
    }
}

void
hosts_follow(Worker *w)
{
    ImagePin pin = image_pin();
    const ImageTopic *topic;

    if (pin.image == NULL || image_generation(pin.image) == w->image_generation) {
        image_unpin(&pin);
        return;
    }
    w->image_generation = image_generation(pin.image);
    topic = image_topic_by_name(pin.image, TOPIC);
    if (topic == NULL)
        close_all(w);
    else if (w->partitions == 0 || !uuid_same(image_topic_id(topic), w->topic_id))
        adopt_topic(w, topic);
    if (topic != NULL && image_topic_partition_count(topic) != w->partitions)
        refuse_count(w, image_topic_partition_count(topic));
    else if (topic != NULL)
        for (int32_t i = 0; i < w->host_count; i++)
            follow_one(w, &w->hosts[i], topic);
    coordinator_settings(&w->settings);
    read_topic_settings(w);
    image_unpin(&pin);
}

/* ---- what is due ------------------------------------------------------------------------------------ */

/* One unit of a core's own; true: it has more. */
typedef bool (*HostStep)(Host *host, GroupEnv *env);

static bool
step_timer(Host *host, GroupEnv *env)
{
    return shard_tick(host->shard, env);
}

static bool
step_metadata(Host *host, GroupEnv *env)
{
    return shard_metadata_changed(host->shard, env);
}

static bool
step_expiry(Host *host, GroupEnv *env)
{
    return shard_expire_offsets(host->shard, env, &host->expiry);
}

/* At most `most` units, and timers only while the turn has time; of all others one. False: it has no more, or the shard was dropped. */
static bool
run_steps(Worker *w, Host *host, HostStep step, int most)
{
    bool more = true;

    for (int i = 0; i < most && more; i++) {
        GroupEnv env;

        env_begin(w, &env);
        if (env.now_us >= w->steps_until_us && (i > 0 || step == step_timer)) {
            env_end(w);
            return true;
        }
        more = step(host, &env);
        env_end(w);
        host_take_out(w, host);
        if (host->state != HOST_ACTIVE)
            return false;
    }
    return more;
}

static void
run_timers(Worker *w, Host *host)
{
    if (host->state == HOST_FAILED && w->now_us >= host->retry_us) {
        host->state = HOST_LOADING;
        host->retry_us = 0;
        return;
    }
    if (host->state != HOST_ACTIVE)
        return;
    if (shard_next_timer_us(host->shard) <= w->now_us)
        (void)run_steps(w, host, step_timer, TIMERS_PER_TURN); /* the deadline tells of more */
    if (host->state == HOST_ACTIVE && host->metadata_due)
        host->metadata_due = run_steps(w, host, step_metadata, SLICES_PER_TURN);
    if (host->state == HOST_ACTIVE && !host->expiring && w->now_us >= host->expire_us) {
        host->expiring = true;
        host->expiry = (ExpiryCursor){0};
    }
    if (host->state != HOST_ACTIVE || !host->expiring)
        return;
    host->expiring = run_steps(w, host, step_expiry, SLICES_PER_TURN);
    if (!host->expiring)
        host->expire_us = w->now_us + conf_int64(CONF_OFFSETS_RETENTION_CHECK_INTERVAL_MS) * 1000;
}

void
hosts_run_timers(Worker *w)
{
    w->steps_until_us = clock_mono_us() + STEPS_US;
    for (int32_t i = 0; i < w->host_count; i++)
        run_timers(w, &w->hosts[(w->first_host + i) % w->host_count]);
    if (w->host_count > 0) /* whoever comes last this time */
        w->first_host = (w->first_host + 1) % w->host_count;
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
host_deadline_us(const Worker *w, const Host *host)
{
    int64_t at_us = INT64_MAX;

    switch (host->state) {
    case HOST_NONE:
        return INT64_MAX;
    case HOST_FAILED:
    case HOST_LOADING:
        return host->retry_us;
    case HOST_ACTIVE:
        break;
    }
    if (host->metadata_due || host->expiring)
        return 0;
    at_us = sooner(host->expire_us, shard_next_timer_us(host->shard));
    at_us = sooner(at_us, reply_queue_deadline_us(&host->durable));
    at_us = sooner(at_us, reply_queue_deadline_us(&host->replicated));
    if (host->poll)
        at_us = sooner(at_us, w->now_us + 20 * INT64_C(1000));
    return at_us;
}
