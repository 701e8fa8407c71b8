/*
 * controller.c - turns: many decisions, one append, one publication
 *
 * Runs in: controller. The order of a turn: decide and apply (unpublished), slots, append, flush,
 * commit the generation, slots told, publish, answer. A failure before the flush undoes all of it:
 * the generation is thrown away and slots go back. A request that does not fit (arena, slots) makes
 * the turn start again with one request at a time, so that it fails alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/broker_life.h"
#include "controller/controller_int.h"
#include "controller/decide_table.h"
#include "controller/features.h"
#include "controller/removed.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/conf.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/storage/reserve.h"

/* Milliseconds that a publication waits for a reader that lost its processor with a very old pin. */
#define PUBLISH_TRIES 30000

/* ---- turns ---- */

void
turn_begin(Turn *turn, Arena *arena, int64_t now_ms)
{
    *turn = (Turn){.arena = arena, .now_ms = now_ms};
    record_list_init(&turn->records, arena);
    change_list_init(&turn->changes, arena);
}

int64_t
turn_next_offset(const Controller *c, const Turn *turn)
{
    return c->log.end_offset + turn->records.count;
}

static bool
extend_batches(Turn *turn, int32_t added, int64_t added_bytes)
{
    int32_t first = turn->batch_count < 2 ? 0 : turn->batch_ends[turn->batch_count - 2];

    /* Small decisions share a batch, as appends in Kafka's accumulator do [C3]. */
    if (!turn->sealed && turn->batch_count > 0 &&
        turn->records.count - first <= DECIDE_RECORDS_MAX &&
        turn->records.bytes <= TURN_BYTES_MAX && added < DECIDE_RECORDS_MAX / 2 &&
        added_bytes < META_BATCH_BYTES_MAX / 4) {
        turn->batch_ends[turn->batch_count - 1] = turn->records.count;
        return true;
    }
    turn->sealed = false;
    if (turn->batch_count == turn->batch_room) {
        int32_t room = turn->batch_room == 0 ? 16 : turn->batch_room * 2;
        int32_t *wider = arena_calloc(turn->arena, (size_t)room, sizeof *wider);

        if (wider == NULL)
            return false;
        if (turn->batch_count > 0)
            memcpy(wider, turn->batch_ends, (size_t)turn->batch_count * sizeof *wider);
        turn->batch_ends = wider;
        turn->batch_room = room;
    }
    turn->batch_ends[turn->batch_count++] = turn->records.count;
    return true;
}

int
turn_add(Controller *c, Turn *turn, const RecordList *records, ErrInfo *err)
{
    ChangeList *changes = &turn->changes;
    int32_t first_change = changes->count;
    ChangeList fresh;
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < records->count; i++) {
        record_list_add_raw(&turn->records, records->items[i]);
        rc = record_apply(&c->image, &c->apply, records->items[i], c->scratch, changes, err);
    }
    if (rc == 0) {
        fresh = *changes;
        fresh.items += first_change;
        fresh.count -= first_change;
        rc = hosting_prepare(&c->hosting, &c->image, &fresh, err);
    }
    arena_reset(c->scratch);
    if (rc == 0 && (turn->records.no_memory || changes->no_memory ||
                    !extend_batches(turn, records->count, records->bytes)))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for a turn of the controller");
    return rc;
}

void
turn_undo(Controller *c)
{
    hosting_undo(&c->hosting);
    image_abort(&c->image);
}

static int
build_batches(Controller *c, Turn *turn, BytesView *batches, ErrInfo *err)
{
    int32_t first = 0;
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < turn->batch_count; i++) {
        MetaBatchAt at = {c->log.end_offset + first, c->quorum.epoch, turn->now_ms};

        rc = meta_data_batch(&at, turn->records.items + first, turn->batch_ends[i] - first,
                             turn->arena, &batches[i], err);
        first = turn->batch_ends[i];
    }
    return rc;
}

static bool
changes_node_settings(const ChangeList *changes)
{
    for (int32_t i = 0; i < changes->count; i++)
        if (changes->items[i].kind == CHANGE_NODE_SETTINGS)
            return true;
    return false;
}

/* The append is on disk: the image may say so [C1]. */
static int
publish(Controller *c, const Turn *turn, ErrInfo *err)
{
    QuorumActions actions;
    Image *now = &c->image.now;

    quorum_step(&c->quorum, &(QuorumEvent){QUORUM_EV_FLUSHED, c->log.end_offset}, &actions);
    ot_assert(actions.count == 0 && c->quorum.high_watermark == c->log.end_offset);
    now->offset = c->log.end_offset - 1;
    now->epoch = c->log.last_epoch;
    now->timestamp = c->log.last_timestamp;
    now->controller_id = c->settings.node_id;
    image_commit(&c->image);
    crashpoint("controller.committed");
    hosting_commit(&c->hosting, &c->image.before, &turn->changes);
    crashpoint("controller.hosted");
    quota_hosts_follow(&c->image.before, turn->hosts);
    for (int tries = 0; image_publish(&c->image) != 0; tries++) {
        if (tries == PUBLISH_TRIES)
            return err_set(err, OT_E_BUSY,
                           "a process holds on to an image %d generations old: cannot publish",
                           IMAGE_ROOT_RING);
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000},
                        NULL); /* early or not: looked at again */
    }
    crashpoint("controller.published");
    mbox_wake_coordinators();
    if (shared_page != NULL)
        atomic_i64_store(&shared_page->metadata_offset, c->log.end_offset);
    if (changes_node_settings(&turn->changes))
        live_conf_announce(&c->image.before);
    return 0;
}

/* Levels of log lines: words of the shared page that all processes look at. */
static void
apply_levels(const Controller *c, const LevelChanges *levels)
{
    if (!levels->any || shared_page == NULL)
        return;
    for (int i = 0; i < LOG_CATEGORY_COUNT; i++)
        if (levels->changed[i])
            atomic_u32_store(&shared_page->log_levels[i],
                             levels->to[i] == LL_COUNT ? 0 : levels->to[i] + 1U);
    live_conf_announce(&c->image.before);
}

int
turn_commit(Controller *c, Turn *turn, ErrInfo *err)
{
    BytesView *batches = arena_calloc(turn->arena, (size_t)turn->batch_count + 1, sizeof *batches);
    int64_t begin_us;
    int rc;

    if (turn->batch_count == 0) {
        apply_levels(c, &turn->levels);
        return 0;
    }
    if (batches == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for a turn of the controller");
    else
        rc = build_batches(c, turn, batches, err);
    begin_us = clock_mono_us();
    if (rc == 0)
        rc = metalog_append(&c->log, batches, turn->batch_count, turn->now_ms, err);
    if (rc != 0) {
        turn_undo(c);
        return rc;
    }
    stat_add_time(STAT_TIME_METADATA_COMMITTED, clock_mono_us() - begin_us);
    c->saw_data = true;
    rc = publish(c, turn, err);
    apply_levels(c, &turn->levels);
    return rc;
}

/* ---- requests ---- */

static void
encode_body(TurnItem *item, const MessageDesc *desc, const void *msg, Arena *arena)
{
    int16_t version = item->request.api_version;
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes = NULL;

    desc->size(&size, version, msg);
    if (size.err == 0 && size.bytes <= INT32_MAX)
        bytes = arena_alloc(arena, size.bytes);
    if (bytes == NULL) {
        item->status = KERR_UNKNOWN_SERVER_ERROR;
        return;
    }
    wire_writer_init(&w, bytes, size.bytes);
    desc->write(&w, version, msg);
    item->status = 0;
    item->body = (BytesView){bytes, (int32_t)size.bytes};
}

void
controller_context(Controller *c, Turn *turn, const ConfLookup *lookup, DecideContext *ret)
{
    *ret = (DecideContext){.image = &c->image.now,
                           .arena = turn->arena,
                           .random = &c->random,
                           .dynamic = lookup,
                           .node_id = c->settings.node_id,
                           .num_partitions = conf_int32(CONF_NUM_PARTITIONS),
                           .replication_factor = conf_int32(CONF_DEFAULT_REPLICATION_FACTOR),
                           .min_insync_replicas = c->settings.min_insync_replicas,
                           .delete_enabled = conf_bool(CONF_DELETE_TOPIC_ENABLE),
                           .quorum = {.directory_id = c->settings.metadata_dir_id,
                                      .leader_epoch = c->quorum.epoch,
                                      .high_watermark = c->quorum.high_watermark,
                                      .log_end = c->log.end_offset,
                                      .now_ms = turn->now_ms,
                                      .endpoints = c->voters.endpoints,
                                      .endpoint_count = c->voters.endpoint_count},
                           .partitions_left = pslot_table_size() - c->hosting.slots_used,
                           .pick_directory = hosting_pick_directory,
                           .pick_arg = &c->hosting,
                           .has_log_dir = hosting_has_log_dir,
                           .listeners = c->settings.listeners,
                           .levels = &turn->levels};
}

/* Names that the request says an address of: known when what it decides is published. */
static bool
add_hosts(Turn *turn, const ControllerRequest *request)
{
    HostList *list;

    if (request->host_count == 0)
        return true;
    list = arena_calloc(turn->arena, 1, sizeof *list);
    if (list == NULL)
        return false;
    *list = (HostList){request->hosts, request->host_count, turn->hosts};
    turn->hosts = list;
    return true;
}

/*
 * 0: the item is answered, with or without effect. Else the turn is spoiled. Tokens are not given back: who
 * is decided again by itself, because a turn did not fit, pays twice.
 */
static int
decide(Controller *c, Turn *turn, TurnItem *item, ErrInfo *err)
{
    const DecideRow *row = decide_row(item->request.api_key, item->request.api_version);
    NodeValues values;
    ConfLookup lookup = node_values_lookup(&values, &c->image.now, c->settings.node_id);
    DecideContext context;
    MutationMeter meter;
    RecordList records;
    DecideRequest in;
    DecideResponse out;
    WireReader r;
    int rc;

    item->body = WIRE_NULL_BYTES;
    item->status = KERR_UNSUPPORTED_VERSION;
    if (row == NULL)
        return 0;
    wire_reader_init(&r, item->request.body.ptr, (size_t)item->request.body.len, turn->arena);
    row->request->read(&r, item->request.api_version, &in);
    if (c->full && !decide_on_reserve(row)) {
        item->status = KERR_KAFKA_STORAGE_ERROR;
        return 0;
    }
    item->status = r.err == OT_E_NO_MEMORY ? KERR_UNKNOWN_SERVER_ERROR : KERR_INVALID_REQUEST;
    if (r.err != 0)
        return 0;
    hosting_forget_picks(&c->hosting);
    controller_context(c, turn, &lookup, &context);
    context.api_version = item->request.api_version;
    context.hosts = item->request.hosts;
    context.host_count = item->request.host_count;
    if (mutation_meter_for(c, &item->request, &meter))
        context.meter = &meter;
    record_list_init(&records, turn->arena);
    rc = row->run(&context, &in, &records, &out);
    if (context.meter != NULL)
        mutation_meter_show(&meter);
    if (rc != 0) {
        item->status = KERR_UNKNOWN_SERVER_ERROR;
        return 0;
    }
    encode_body(item, row->response, &out, turn->arena);
    /* An answer that cannot be sent must not have happened. */
    if (item->status != 0 || records.count == 0)
        return 0;
    return add_hosts(turn, &item->request) ? turn_add(c, turn, &records, err) : OT_E_NO_MEMORY;
}

/* The same, and its time is counted. */
static int
decide_timed(Controller *c, Turn *turn, TurnItem *item, ErrInfo *err)
{
    int64_t begin_us = clock_mono_us();
    int rc = decide(c, turn, item, err);

    stat_add_time(STAT_TIME_CONTROLLER_DECIDED, clock_mono_us() - begin_us);
    return rc;
}

static void
fail_item(TurnItem *item, int16_t status)
{
    item->status = status;
    item->body = WIRE_NULL_BYTES;
}

/* What the client is told when a change did not come about: no room is told as no time. */
static int16_t
status_of(int rc)
{
    switch (rc) {
    case OT_E_NO_SPACE:
        return KERR_KAFKA_STORAGE_ERROR;
    case OT_E_FULL:
    case OT_E_LIMIT:
        return KERR_REQUEST_TIMED_OUT;
    default:
        return KERR_UNKNOWN_SERVER_ERROR;
    }
}

/* Failures after which the process lives on. */
static bool
is_survivable(int rc)
{
    return rc == OT_E_NO_SPACE || rc == OT_E_FULL || rc == OT_E_LIMIT || rc == OT_E_NO_MEMORY ||
           rc == OT_E_MESSAGE_TOO_LARGE;
}

/* ---- a full disk -------------------------------------------------------------------------------- */

/* Gives the reserve up; what lives on it may be tried again. False: it was given up before. */
static bool
become_full(Controller *c)
{
    if (c->full)
        return false;
    reserve_give_up(c->log.folder);
    c->full = true;
    return true;
}

void
controller_take_reserve(Controller *c)
{
    /* Without one for another reason (a read-only disk) the next append says more. */
    c->full = reserve_take(c->log.folder, NULL) == OT_E_NO_SPACE;
    if (!c->full)
        reserve_take_start(c->log.folder);
}

/* One request by itself. */
static int
turn_alone(Controller *c, TurnItem *item, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    Turn turn;
    int rc;

    turn_begin(&turn, arena, now_ms);
    rc = decide_timed(c, &turn, item, err);
    if (rc != 0)
        turn_undo(c);
    else
        rc = turn_commit(c, &turn, err);
    if (rc != 0 && is_survivable(rc)) {
        fail_item(item, status_of(rc));
        rc = 0;
    }
    return rc;
}

static int
run_turn(Controller *c, TurnItem *items, int32_t count, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    ArenaMark mark = arena_mark(arena);
    Turn turn;
    int rc = 0;

    if (c->full)
        controller_take_reserve(c);
    turn_begin(&turn, arena, now_ms);
    for (int32_t i = 0; rc == 0 && i < count; i++)
        rc = decide_timed(c, &turn, &items[i], err);
    if (rc == 0) {
        rc = turn_commit(c, &turn, err);
        if (rc == 0 || !is_survivable(rc))
            return rc;
    } else {
        turn_undo(c);
        if (!is_survivable(rc))
            return rc;
    }
    if (rc == OT_E_NO_SPACE && !become_full(c)) {
        for (int32_t i = 0; i < count; i++)
            fail_item(&items[i], status_of(rc));
        return 0;
    }
    arena_release(arena, mark);
    rc = 0;
    for (int32_t i = 0; rc == 0 && i < count; i++)
        rc = turn_alone(c, &items[i], arena, now_ms, err);
    return rc;
}

/* Somebody unregistered this node: it lives, so it registers again (cluster.md 3.6). */
static int
rejoin(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    Turn turn;
    int rc;

    turn_begin(&turn, arena, now_ms);
    rc = controller_register_broker(c, &turn, err);
    if (rc != 0) {
        turn_undo(c);
        return rc;
    }
    return turn_commit(c, &turn, err);
}

int
controller_follow_cordons(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    const Image *image = &c->image.before;
    const ImageBroker *self = image_broker(image, c->settings.node_id);
    Uuid dirs[LOGDIRS_MAX];
    int32_t count = hosting_cordoned(image, c->settings.node_id, dirs);
    RecordList records;
    Turn turn;
    int rc;

    if (self == NULL ||
        image_feature(image, STRVIEW("metadata.version")) < FEATURE_CORDON_METADATA_VERSION ||
        (self->cordoned_log_dir_count == count &&
         (count == 0 ||
          memcmp(self->cordoned_log_dirs, dirs, sizeof dirs[0] * (size_t)count) == 0)))
        return 0;
    turn_begin(&turn, arena, now_ms);
    record_list_init(&records, arena);
    life_cordon(self, dirs, count, &records);
    rc = turn_add(c, &turn, &records, err);
    if (rc != 0)
        turn_undo(c);
    else
        rc = turn_commit(c, &turn, err);
    if (rc == 0)
        hosting_cordon(&c->hosting, dirs, count);
    return rc;
}

int
controller_follow_listeners(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    const ImageBroker *registered = image_broker(&c->image.before, c->settings.node_id);
    Uuid dirs[LOGDIRS_MAX];
    RecordList records;
    BrokerSelf self;
    Turn turn;
    int rc;

    controller_self(c, dirs, &self);
    if (registered == NULL || !life_endpoints_differ(&self, registered))
        return 0;
    turn_begin(&turn, arena, now_ms);
    record_list_init(&records, arena);
    life_register_again(&self, registered, &records);
    rc = turn_add(c, &turn, &records, err);
    if (rc != 0)
        turn_undo(c);
    else
        rc = turn_commit(c, &turn, err);
    return is_survivable(rc) ? 0 : rc;
}

int
controller_turn(Controller *c, TurnItem *items, int32_t count, Arena *arena, int64_t now_ms,
                ErrInfo *err)
{
    int rc = run_turn(c, items, count, arena, now_ms, err);

    if (rc == 0 && image_broker(&c->image.before, c->settings.node_id) == NULL)
        rc = rejoin(c, arena, now_ms, err);
    if (rc == 0)
        rc = controller_follow_cordons(c, arena, now_ms, err);
    if (rc == 0)
        rc = controller_follow_listeners(c, arena, now_ms, err);
    if (rc == 0)
        rc = controller_follow_dirs(c, arena, now_ms, err);
    return is_survivable(rc) ? 0 : rc; /* the next turn tries again */
}

/* ---- snapshots ---- */

typedef struct SnapshotSink {
    SnapshotWriter *writer;
    ErrInfo *err;
} SnapshotSink;

static int
sink_record(void *arg, BytesView record)
{
    SnapshotSink *sink = arg;

    return snapshot_add(sink->writer, record, sink->err);
}

int
controller_snapshot(Controller *c, int64_t now_ms, ErrInfo *err)
{
    const Image *image = &c->image.before;
    SnapshotFacts facts = {.id = {image->offset + 1, image->epoch},
                           .last_timestamp = image->timestamp,
                           .now_ms = now_ms,
                           .kraft_version = c->kraft_version,
                           .voters = c->voters};
    SnapshotSink sink = {.err = err};
    ErrInfo why = {0};
    Arena *scratch;
    int64_t bytes;
    int rc;

    for (int32_t i = 0; i < c->log.snapshot_count; i++)
        if (c->log.snapshots[i].id.offset == facts.id.offset)
            return OT_E_EXISTS;
    scratch = arena_new(256 * 1024, 0);
    if (scratch == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a snapshot");
    sink.writer = snapshot_begin(c->log.folder, &facts, &why);
    if (sink.writer == NULL) {
        arena_free(scratch);
        return err_set(err, why.code, "%s", why.text);
    }
    rc = image_to_records(image, scratch, sink_record, &sink);
    arena_free(scratch);
    if (rc != 0) {
        snapshot_abandon(sink.writer);
        return rc;
    }
    rc = snapshot_finish(sink.writer, &bytes, err);
    if (rc == 0)
        rc = metalog_add_snapshot(&c->log, facts.id, bytes, err);
    if (rc == 0)
        c->log.bytes_since_snapshot = 0;
    return rc;
}

/* By bytes or by time, but not while it would forget whose folders are still to be renamed. */
static bool
snapshot_is_due(const Controller *c, int64_t now_ms)
{
    const ControllerSettings *s = &c->settings;

    return (c->log.bytes_since_snapshot >= s->snapshot_bytes ||
            (s->snapshot_interval_ms > 0 && c->log.bytes_since_snapshot > 0 &&
             now_ms - c->last_snapshot_ms >= s->snapshot_interval_ms)) &&
           !removed_are_pending();
}

int
controller_housekeep(Controller *c, int64_t now_ms, ErrInfo *err)
{
    int rc = 0;

    if (now_ms < c->last_snapshot_ms)
        c->last_snapshot_ms = now_ms; /* the clock was set back: the interval begins anew */
    if (snapshot_is_due(c, now_ms)) {
        c->last_snapshot_ms = now_ms;
        rc = controller_snapshot(c, now_ms, err);
        if (rc == OT_E_EXISTS)
            rc = 0;
    }
    return rc != 0 ? rc : metalog_clean(&c->log, now_ms, err);
}
