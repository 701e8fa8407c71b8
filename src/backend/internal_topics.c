/*
 * internal_topics.c - the topics that coordinators keep their state in, and how they are made
 *
 * Runs in: backend. Spec: groups-and-transactions.md 1.2; design.md 11 "Internal topics". A
 * replication factor or minimum of in-sync replicas that was not configured follows the number of
 * live brokers, so that a single node has coordinators; one that was is obeyed, even where no topic comes of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/internal_topics_int.h"

#include "backend/forward_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/conf.h"

#define CREATE_TIMEOUT_MS  5000
#define REPLICAS_BY_ITSELF 3 /* where nothing is configured and there are brokers enough */
#define IN_SYNC_BY_ITSELF  2

typedef struct InternalRow {
    const char *name;
    ConfId partitions;
    ConfId replicas;
    ConfId segment_bytes;
    ConfId min_in_sync; /* when has_min_in_sync */
    bool has_min_in_sync;
    struct {
        ConfId id;
        const char *value;
    } fixed[3]; /* settings that are always the same */
} InternalRow;

static const InternalRow rows[INTERNAL_TOPIC_COUNT] = {
    [INTERNAL_OFFSETS] = {.name = "__consumer_offsets",
                          .partitions = CONF_OFFSETS_TOPIC_NUM_PARTITIONS,
                          .replicas = CONF_OFFSETS_TOPIC_REPLICATION_FACTOR,
                          .segment_bytes = CONF_OFFSETS_TOPIC_SEGMENT_BYTES,
                          .fixed = {{TCONF_CLEANUP_POLICY, "compact"},
                                    {TCONF_COMPRESSION_TYPE, "producer"}}},
    [INTERNAL_TRANSACTIONS] = {.name = "__transaction_state",
                               .partitions = CONF_TRANSACTION_STATE_LOG_NUM_PARTITIONS,
                               .replicas = CONF_TRANSACTION_STATE_LOG_REPLICATION_FACTOR,
                               .segment_bytes = CONF_TRANSACTION_STATE_LOG_SEGMENT_BYTES,
                               .min_in_sync = CONF_TRANSACTION_STATE_LOG_MIN_ISR,
                               .has_min_in_sync = true,
                               .fixed = {{TCONF_CLEANUP_POLICY, "compact"},
                                         {TCONF_COMPRESSION_TYPE, "uncompressed"},
                                         {TCONF_UNCLEAN_LEADER_ELECTION_ENABLE, "false"}}},
    [INTERNAL_SHARE_STATE] = {.name = "__share_group_state",
                              .partitions = CONF_SHARE_COORDINATOR_STATE_TOPIC_NUM_PARTITIONS,
                              .replicas = CONF_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR,
                              .segment_bytes = CONF_SHARE_COORDINATOR_STATE_TOPIC_SEGMENT_BYTES,
                              .min_in_sync = CONF_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR,
                              .has_min_in_sync = true,
                              .fixed = {{TCONF_CLEANUP_POLICY, "delete"},
                                        {TCONF_COMPRESSION_TYPE, "producer"},
                                        {TCONF_RETENTION_MS, "-1"}}},
};

StrView
internal_topic_name(InternalTopic which)
{
    ot_assert(which < INTERNAL_TOPIC_COUNT);
    return strview_from(rows[which].name);
}

bool
internal_topic_find(StrView name, InternalTopic *ret)
{
    for (int i = 0; i < INTERNAL_TOPIC_COUNT; i++)
        if (strview_equal(name, internal_topic_name((InternalTopic)i))) {
            *ret = (InternalTopic)i;
            return true;
        }
    return false;
}

static int32_t
live_brokers(const Image *image)
{
    int32_t count = 0;

    for (const ImageBroker *b = image_broker_after(image, INT32_MIN); b != NULL;
         b = image_broker_after(image, b->id))
        count += !b->fenced;
    return count;
}

static int32_t
given_or(ConfId id, int32_t by_itself, int32_t most)
{
    if (conf_is_set(id))
        return conf_int32(id);
    return by_itself < most ? by_itself : most < 1 ? 1 : most;
}

static bool
put_config(CreateTopicsRequestTopic *topic, ConfId id, const char *value)
{
    CreateTopicsRequestConfig *config = &topic->configs[topic->configs_count++];

    ot_assert(topic->configs_count <= INTERNAL_TOPIC_CONFIGS_MAX);
    create_topics_request_config_init(config);
    config->name = strview_from(conf_rows[id].name);
    config->value = strview_from(value);
    return value != NULL;
}

bool
internal_topic_describe(InternalTopic which, const Image *image, Arena *arena,
                        CreateTopicsRequestTopic *ret)
{
    const InternalRow *row = &rows[which];
    int32_t brokers = live_brokers(image);
    int32_t replicas = given_or(row->replicas, REPLICAS_BY_ITSELF, brokers);
    bool ok = true;

    create_topics_request_topic_init(ret);
    ret->name = internal_topic_name(which);
    ret->num_partitions = conf_int32(row->partitions);
    ret->replication_factor = (int16_t)replicas;
    ret->configs = arena_calloc(arena, INTERNAL_TOPIC_CONFIGS_MAX, sizeof *ret->configs);
    if (ret->configs == NULL)
        return false;
    for (int i = 0; i < 3 && row->fixed[i].value != NULL; i++)
        ok &= put_config(ret, row->fixed[i].id, row->fixed[i].value);
    ok &= put_config(ret, TCONF_SEGMENT_BYTES,
                     arena_printf(arena, "%d", conf_int32(row->segment_bytes)));
    if (row->has_min_in_sync)
        ok &= put_config(
            ret, TCONF_MIN_INSYNC_REPLICAS,
            arena_printf(arena, "%d", given_or(row->min_in_sync, IN_SYNC_BY_ITSELF, replicas)));
    return ok;
}

bool
internal_topic_begin_create(Request *rq, MboxCall *call, InternalTopic which)
{
    CreateTopicsRequestTopic topic;
    CreateTopicsRequest create;
    ImagePin pin = image_pin();
    bool ok = internal_topic_describe(which, pin.image, rq->arena, &topic);

    image_unpin(&pin);
    create_topics_request_init(&create);
    create.timeout_ms = CREATE_TIMEOUT_MS;
    create.topics = &topic;
    create.topics_count = 1;
    return ok && forward_begin_message(rq, call, &create_topics_request_desc,
                                       INTERNAL_TOPIC_CREATE_VERSION, &create);
}
