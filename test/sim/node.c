/*
 * node.c - a node in one process: the steps of its start, its work and its stop, on a folder of files
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/decide.h"
#include "controller/one_node.h"
#include "maintenance/checkpoint_int.h"
#include "maintenance/folders_int.h"
#include "maintenance/moves_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/image.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/logdirs.h"
#include "postmaster/regions_int.h"

#define OPEN_FILES     32 /* few, so that descriptors are closed and opened again */
#define MOVE_TURNS     40 /* of the worker that moves logs, in a step */
#define SEGMENT_BYTES  2000
#define INDEX_INTERVAL 300

Controller node_controller;

static Region region;
static uint32_t starts;
static char meta_dir[256];
static Moves moves;
static int64_t moves_us; /* the clock of the moves, which never wait here */
static const Uuid meta_dir_id = {{8, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}};

static bool
complain(const char *what, const ErrInfo *err)
{
    printf("# %s: %s\n", what, err->text);
    return false;
}

void
node_format(const char *root)
{
    char path[512];
    ErrInfo err = {0};
    int rc = 0;

    for (int dir = 0; rc == 0 && dir < NODE_DIRS; dir++) {
        (void)snprintf(path, sizeof path, "%s/log%d", root, dir);
        rc = vfs_mkdirs(path, 0750, &err);
    }
    (void)snprintf(path, sizeof path, "%s/meta", root);
    if (rc == 0)
        rc = vfs_mkdirs(path, 0750, &err);
    if (rc == 0)
        rc = one_node_format(path, meta_dir_id, NODE_NOW_MS, &err);
    if (rc != 0)
        (void)complain("format", &err);
    ot_assert(rc == 0);
}

static void
map(void)
{
    ShmLimits limits;
    ErrInfo err = {0};
    int rc;

    shm_limits_default(&limits);
    limits.max_partitions = 64;
    limits.backend_slots = 16;
    limits.fetch_sessions = 2;
    limits.producer_entries = 300;
    limits.segment_entries = 2000;
    limits.image_bytes = (size_t)4 << 20;
    rc = regions_map(&limits, &region, &err);
    if (rc != 0)
        (void)complain("region", &err);
    ot_assert(rc == 0);
    /* Processes of a new life remember nothing; in this one, what is remembered must not seem to fit. */
    for (int32_t i = 0; i < pslot_table_size(); i++)
        atomic_u32_store(&pslot_at(i)->generation, starts * 1000);
    starts++;
}

static ControllerSettings
controller_settings(bool clean)
{
    return (ControllerSettings){
        .metadata_dir = meta_dir,
        .log = {.segment_bytes = 3000,
                .segment_ms = 604800000,
                .max_retention_bytes = 8000,
                .max_retention_ms = 604800000},
        .snapshot_bytes = 2500,
        .node_id = 1,
        .metadata_dir_id = meta_dir_id,
        .incarnation_id = random_uuid(),
        .listeners = &one_node_listeners,
        .min_insync_replicas = 1,
        .logs_may_be_short = !clean,
    };
}

static int
add_dirs(const char *root, ErrInfo *err)
{
    Uuid id = {{9, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}};
    int rc = 0;

    for (int dir = 0; rc == 0 && dir < NODE_DIRS; dir++) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/log%d", root, dir);
        id.b[15] = (uint8_t)(15 + dir);
        rc = logdir_add(path, id, err);
        rc = rc < 0 ? rc : 0;
    }
    return rc;
}

/* *ret_clean: all of them were closed in order. */
static int
take_markers(bool *ret_clean, ErrInfo *err)
{
    int rc = 0;

    *ret_clean = true;
    for (int dir = 0; rc == 0 && dir < NODE_DIRS; dir++) {
        int64_t epoch;
        bool clean;

        rc = logdir_take_clean_marker(dir, &clean, &epoch, err);
        if (rc == 0)
            logdir_set_clean(dir, clean);
        *ret_clean = *ret_clean && rc == 0 && clean;
    }
    return rc;
}

/* The controller between requests: it follows logs that moved. */
static bool
controller_idles(void)
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    int rc = controller_turn(&node_controller, NULL, 0, arena, NODE_NOW_MS, &err);

    arena_free(arena);
    return rc == 0 || complain("controller", &err);
}

bool
node_start(const char *root)
{
    ControllerSettings settings;
    ErrInfo err = {0};
    bool clean;

    (void)snprintf(meta_dir, sizeof meta_dir, "%s/meta", root);
    if (add_dirs(root, &err) != 0)
        return complain("log directory", &err);
    map();
    fd_cache_init(OPEN_FILES);
    if (take_markers(&clean, &err) != 0)
        return complain("clean marker", &err);
    settings = controller_settings(clean);
    if (controller_start(&node_controller, &settings, NODE_NOW_MS, &err) != 0)
        return complain("controller", &err);
    if (!controller_idles())
        return false;
    for (int dir = 0; dir < NODE_DIRS; dir++)
        folders_set_strays_aside(dir);
    moves_init(&moves);
    return true;
}

bool
node_move_logs(void)
{
    bool left_folder;

    for (int turn = 0; turn < MOVE_TURNS; turn++) {
        moves_us += 10 * MOVE_HELD_MAX_US;
        if (moves_turn(&moves, moves_us, &left_folder) == INT64_MAX)
            break;
        if (!controller_idles())
            return false;
    }
    return true;
}

void
node_kill(void)
{
    for (int i = 0; i < MOVES_MAX; i++)
        plog_move_end(moves.on[i].move); /* closes files */
    moves = (Moves){0};
    controller_stop(&node_controller);
    fd_cache_reset();
    region_unmap(&region);
    logdirs_clear();
}

bool
node_stop(void)
{
    CheckpointReport report;
    ErrInfo err = {0};

    for (int dir = 0; dir < NODE_DIRS; dir++)
        if (checkpoint_final(dir, 1, &report, &err) != 0)
            return complain("final checkpoint", &err);
    node_kill();
    return true;
}

const Image *
node_image(void)
{
    return &node_controller.image.before;
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* One turn of its own; false: the controller failed. */
static bool
turn(TurnItem *item, Arena *arena)
{
    ErrInfo err = {0};

    return controller_turn(&node_controller, item, 1, arena, NODE_NOW_MS, &err) == 0 ||
           complain("controller", &err);
}

/* The answer's body, ptr NULL: the controller failed. */
static BytesView
ask(const MessageDesc *desc, int16_t version, const void *msg, Arena *arena)
{
    TurnItem item = one_node_item(desc, version, msg, arena);

    return turn(&item, arena) ? item.body : (BytesView){NULL, 0};
}

int
node_create_topic(const char *name, int32_t partitions, Uuid *ret_id)
{
    Arena *arena = arena_new(65536, 0);
    TurnItem item = one_node_create_item(name, partitions, arena);
    int code = turn(&item, arena) ? one_node_created(&item, arena, ret_id) : -1;

    arena_free(arena);
    return code;
}

int
node_delete_topic(const char *name)
{
    Arena *arena = arena_new(65536, 0);
    DeleteTopicsRequestTopic topic;
    DeleteTopicsRequest request;
    DeleteTopicsResponse response;
    BytesView body;
    WireReader r;
    int code = -1;

    delete_topics_request_init(&request);
    delete_topics_request_topic_init(&topic);
    topic.name = strview_from(name);
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = 1000;
    body = ask(&delete_topics_request_desc, 6, &request, arena);
    if (body.ptr != NULL) {
        wire_reader_init(&r, body.ptr, (size_t)body.len, arena);
        delete_topics_response_read(&r, 6, &response);
        ot_assert(r.err == 0 && response.responses_count == 1);
        code = response.responses[0].error_code;
    }
    arena_free(arena);
    return code;
}

int64_t
node_producer_ids(void)
{
    Arena *arena = arena_new(65536, 0);
    AllocateProducerIdsRequest request;
    AllocateProducerIdsResponse response;
    BytesView body;
    WireReader r;
    int64_t next = -1;

    allocate_producer_ids_request_init(&request);
    request.broker_id = 1;
    request.broker_epoch = image_broker(node_image(), 1)->epoch;
    body = ask(&allocate_producer_ids_request_desc, 0, &request, arena);
    if (body.ptr != NULL) {
        wire_reader_init(&r, body.ptr, (size_t)body.len, arena);
        allocate_producer_ids_response_read(&r, 0, &response);
        ot_assert(r.err == 0);
        if (response.error_code == 0)
            next = response.producer_id_start + response.producer_id_len;
    }
    arena_free(arena);
    return next;
}

/* ---- partitions --------------------------------------------------------------------------------- */

/* What no setting allows: segments of a few batches. */
static void
make_small(PartitionSlot *slot)
{
    TopicSettings settings;
    uint64_t handle;

    pslot_settings(slot, &settings);
    if (settings.segment_bytes == SEGMENT_BYTES)
        return;
    settings.segment_bytes = SEGMENT_BYTES;
    settings.index_interval_bytes = INDEX_INTERVAL;
    handle = topic_settings_new(&settings);
    ot_assert(handle != 0);
    pslot_set_settings(slot, handle);
}

PartitionRef
node_partition(const char *topic, int32_t partition)
{
    const ImageTopic *found = image_topic_by_name(node_image(), strview_from(topic));
    PartitionSlot *slot;
    ImagePartition p;

    if (found == NULL || !image_topic_partition(found, partition, &p))
        return PARTITION_REF_NONE;
    slot = pslot_find(p.ref);
    ot_assert(slot != NULL);
    make_small(slot);
    return p.ref;
}

void
node_batch(const NodeBatch *what, Arena *arena, Batch *ret)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    uint8_t *value = arena_calloc(arena, 1, (size_t)what->value_bytes);
    BatchBuilder *builder;
    ErrInfo err = {0};
    BytesView bytes;

    if (what->producer_id != 0) {
        options.producer_id = what->producer_id;
        options.producer_epoch = what->epoch;
        options.base_sequence = what->sequence;
    }
    builder = batch_builder_new(&options, arena);
    ot_assert(builder != NULL && value != NULL);
    for (int i = 0; i < what->count; i++) {
        BatchRecord record = {.timestamp = what->timestamp + i,
                              .value = {value, what->value_bytes}};

        ot_assert(batch_builder_add(builder, &record, &err) == 0);
    }
    ot_assert(batch_builder_finish(builder, &bytes, &err) == 0);
    batch_from_bytes(bytes, ret);
}
