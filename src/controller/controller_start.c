/*
 * controller_start.c - from files to an active controller
 *
 * The order: read everything (nothing is written before all of it could be applied), quorum, open the
 * log for writing, epoch, leader-change batch, bootstrap records of a new cluster, slots, registration
 * of this broker, first publication.
 *
 * Runs in: controller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/bootstrap.h"
#include "controller/broker_life.h"
#include "controller/controller_int.h"
#include "controller/decide.h"
#include "controller/features.h"
#include "controller/removed.h"
#include "ottla/common/assert.h"
#include "ottla/common/random.h"
#include "ottla/protocol/batch.h"
#include "ottla/storage/reserve.h"

#define RECORDS_PER_COMMIT 20000 /* of a replay: bounds the garbage of one generation */

/* ---- replay ---- */

typedef struct Replay {
    Controller *c;
    Arena *scratch;
    int64_t records; /* since the last commit of the image */
    RemovedTopics *removed;
    bool voters_in_log;
} Replay;

static int
replay_control(Replay *replay, const Record *record, ErrInfo *err)
{
    Controller *c = replay->c;
    int type;

    if (record->key.len != 4)
        return err_set(err, OT_E_CORRUPT, "a control record has a key of %d bytes",
                       (int)record->key.len);
    type = record->key.ptr[2] << 8 | record->key.ptr[3];
    switch (type) {
    case CONTROL_LEADER_CHANGE:
    case CONTROL_SNAPSHOT_HEADER:
    case CONTROL_SNAPSHOT_FOOTER:
        return 0;
    case CONTROL_KRAFT_VERSION:
        if (meta_kraft_version_parse(record->value, &c->kraft_version, err) != 0)
            return OT_E_UNSUPPORTED_VERSION;
        return record_apply_kraft_version(&c->image, c->kraft_version);
    case CONTROL_KRAFT_VOTERS:
        return meta_voters_parse(record->value, c->arena, &c->voters, err);
    default:
        return err_set(err, OT_E_UNSUPPORTED_VERSION, "control record type %d is not known", type);
    }
}

static int
replay_record(Replay *replay, BytesView batch, const Record *record, ErrInfo *err)
{
    Controller *c = replay->c;

    if (batch_is_control(batch.ptr))
        return replay_control(replay, record, err);
    c->saw_data = true;
    removed_note(replay->removed, record->value);
    replay->records++;
    return record_apply(&c->image, &c->apply, record->value, replay->scratch, NULL, err);
}

/* The voters' texts point into the batch: keep them. */
static int
keep_voters(Controller *c, ErrInfo *err)
{
    for (int32_t i = 0; i < c->voters.endpoint_count; i++) {
        VoterEndpoint *e = &c->voters.endpoints[i];
        char *listener = arena_strdup(c->arena, e->listener),
             *host = arena_strdup(c->arena, e->host);

        if (listener == NULL || host == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for the voter set");
        e->listener.ptr = listener;
        e->host.ptr = host;
    }
    return 0;
}

static int
replay_batch(void *arg, BytesView batch, bool from_snapshot, ErrInfo *err)
{
    Replay *replay = arg;
    Controller *c = replay->c;
    ArenaMark mark = arena_mark(replay->scratch);
    RecordIter *iter = record_iter_open(batch, replay->scratch);
    RecordStatus status = RECORD_OK;
    Record record;
    int rc = iter == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory to read a batch") : 0;

    while (rc == 0 && (status = record_iter_next(iter, &record)) == RECORD_OK)
        rc = replay_record(replay, batch, &record, err);
    if (rc == 0 && status != RECORD_END)
        rc = err_set(err, OT_E_CORRUPT, "a batch of the metadata log cannot be read: %s",
                     record_iter_reason(iter));
    record_iter_close(iter);
    if (rc == 0 && batch_is_control(batch.ptr))
        rc = keep_voters(c, err);
    if (rc != 0)
        err_prefix(err, "%s at offset %" PRId64, from_snapshot ? "snapshot" : "metadata log",
                   batch_base_offset(batch.ptr));
    arena_release(replay->scratch, mark);
    if (rc == 0 && !from_snapshot)
        c->voters_from_format = false;
    if (rc == 0 && replay->records > RECORDS_PER_COMMIT && !c->apply.in_transaction) {
        image_commit(&c->image);
        replay->records = 0;
    }
    return rc;
}

static int
replay_all(Controller *c, RemovedTopics *removed, ErrInfo *err)
{
    Replay replay = {.c = c, .scratch = arena_new(256 * 1024, 0), .removed = removed};
    MetaReader reader = {replay_batch, &replay};
    int rc;

    if (replay.scratch == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read the metadata log");
    c->voters_from_format = true;
    rc = metalog_replay(&c->log, &reader, err);
    arena_free(replay.scratch);
    if (rc == 0)
        rc = features_check(&c->image.now, err);
    return rc;
}

/* ---- leadership ---- */

static VoterSet
own_voters(const Controller *c)
{
    const ControllerSettings *s = &c->settings;
    VoterSet set = {.count = 1, .voter = {s->node_id, s->metadata_dir_id}};

    for (int i = 0; i < s->listeners->count; i++) {
        const Listener *l = &s->listeners->rows[i];

        if (l->is_controller && set.endpoint_count < VOTER_ENDPOINTS_MAX)
            set.endpoints[set.endpoint_count++] = (VoterEndpoint){
                strview_from(l->name), strview_from(l->advertised_host), l->advertised_port};
    }
    return set;
}

static bool
same_voters(const VoterSet *a, const VoterSet *b)
{
    if (a->endpoint_count != b->endpoint_count)
        return false;
    for (int32_t i = 0; i < a->endpoint_count; i++)
        if (!strview_equal(a->endpoints[i].listener, b->endpoints[i].listener) ||
            !strview_equal(a->endpoints[i].host, b->endpoints[i].host) ||
            a->endpoints[i].port != b->endpoints[i].port)
            return false;
    return true;
}

/* The batch that opens the epoch; with the voter set when that is new or ours changed (2.7). */
static int
append_leader_change(Controller *c, int64_t now_ms, ErrInfo *err)
{
    MetaBatchAt at = {c->log.end_offset, c->quorum.epoch, now_ms};
    Arena *arena = arena_new(8192, 0);
    VoterSet own = own_voters(c);
    MetaControl records[3];
    int32_t count = 0;
    BytesView batch;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a batch");
    records[count++] =
        (MetaControl){CONTROL_LEADER_CHANGE, meta_leader_change(c->settings.node_id, arena)};
    if (c->kraft_version > 0 && (c->voters_from_format || !same_voters(&own, &c->voters))) {
        c->voters = own;
        records[count++] =
            (MetaControl){CONTROL_KRAFT_VERSION, meta_kraft_version(c->kraft_version, arena)};
        records[count++] = (MetaControl){CONTROL_KRAFT_VOTERS, meta_voters(&own, arena)};
    }
    rc = meta_control_batch(&at, records, count, arena, &batch, err);
    if (rc == 0)
        rc = metalog_append(&c->log, &batch, 1, now_ms, err);
    if (rc == 0)
        rc = keep_voters(c, err);
    arena_free(arena);
    return rc;
}

static int
perform(Controller *c, const QuorumActions *actions, int64_t now_ms, ErrInfo *err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < actions->count; i++)
        switch (actions->items[i].kind) {
        case QUORUM_STORE_STATE:
            rc = metalog_store_quorum_state(&c->log, &actions->items[i].state,
                                            c->kraft_version > 0 ? 1 : 0, err);
            break;
        case QUORUM_BEGIN_EPOCH:
            rc = metalog_begin_epoch(&c->log, c->quorum.epoch, err);
            break;
        case QUORUM_APPEND_LEADER_CHANGE:
            rc = append_leader_change(c, now_ms, err);
            break;
        }
    return rc;
}

/* What is on disk about elections, and with it the way to leadership. */
static int
load_quorum(Controller *c, ErrInfo *err)
{
    QuorumStart start = {.self = {c->settings.node_id, c->settings.metadata_dir_id},
                         .voter = c->voters.voter,
                         .voter_count = c->voters.count,
                         .log_epoch = c->log.last_epoch,
                         .log_end = c->log.end_offset};
    int rc = metalog_load_quorum_state(&c->log, &start.stored, err);

    if (rc == OT_E_NOT_FOUND)
        quorum_state_init(&start.stored);
    else if (rc != 0)
        return rc;
    if (c->voters.count == 0) { /* a static quorum names its voters in the settings: this node */
        start.voter_count = 1;
        start.voter = start.self;
    }
    return quorum_start(&c->quorum, &start, err);
}

static int
lead(Controller *c, int64_t now_ms, ErrInfo *err)
{
    QuorumActions actions;
    int rc;

    quorum_step(&c->quorum, &(QuorumEvent){QUORUM_EV_ELECTION, c->log.end_offset}, &actions);
    rc = perform(c, &actions, now_ms, err);
    if (rc != 0)
        return rc;
    quorum_step(&c->quorum, &(QuorumEvent){QUORUM_EV_FLUSHED, c->log.end_offset}, &actions);
    ot_assert(c->quorum.role == QUORUM_LEADER);
    return 0;
}

/* ---- first records ---- */

static int
abort_open_transaction(Controller *c, Turn *turn, ErrInfo *err)
{
    AbortTransactionRecord record;
    RecordList list;

    abort_transaction_record_init(&record);
    record.reason = STRVIEW("the controller changed");
    record_list_init(&list, turn->arena);
    record_list_add(&list, &abort_transaction_record_desc, 0, &record);
    return turn_add(c, turn, &list, err);
}

/* A list of any length in steps that fit batches. */
static int
add_in_steps(Controller *c, Turn *turn, const RecordList *all, ErrInfo *err)
{
    int rc = 0;

    for (int32_t at = 0; rc == 0 && at < all->count;) {
        RecordList step = {.items = all->items + at,
                           .count = all->count - at < DECIDE_RECORDS_MAX / 2 - 1
                                        ? all->count - at
                                        : DECIDE_RECORDS_MAX / 2 - 1};

        for (int32_t i = 0; i < step.count; i++)
            step.bytes += step.items[i].len;
        rc = turn_add(c, turn, &step, err);
        at += step.count;
    }
    return all->no_memory ? err_set(err, OT_E_NO_MEMORY, "no memory for records") : rc;
}

void
controller_self(const Controller *c, Uuid *dirs, BrokerSelf *ret)
{
    int count = 0;

    for (int i = 0; i < logdir_count(); i++)
        if (logdir_id_is_known(i))
            dirs[count++] = logdir_uuid(i);
    *ret =
        (BrokerSelf){.node_id = c->settings.node_id,
                     .incarnation_id = c->settings.incarnation_id,
                     .rack = c->settings.rack,
                     .log_dirs = dirs,
                     .log_dir_count = count,
                     .listeners = c->settings.listeners,
                     .metadata_version = image_feature(&c->image.now, STRVIEW("metadata.version")),
                     .logs_may_be_short = c->settings.logs_may_be_short};
}

int
controller_register_broker(Controller *c, Turn *turn, ErrInfo *err)
{
    Uuid dirs[LOGDIRS_MAX];
    RecordList list;
    BrokerSelf self;
    int64_t epoch = turn_next_offset(c, turn);
    int rc;

    controller_self(c, dirs, &self);
    record_list_init(&list, turn->arena);
    life_register_broker(&self, epoch, &list);
    life_unfence(&self, epoch, &list);
    rc = add_in_steps(c, turn, &list, err);
    if (rc != 0)
        return rc;
    record_list_init(&list, turn->arena);
    life_take_partitions(&self, &c->image.now, &list);
    return add_in_steps(c, turn, &list, err);
}

static int
register_self(Controller *c, Turn *turn, ErrInfo *err)
{
    Uuid dirs[LOGDIRS_MAX];
    RecordList list;
    BrokerSelf self;
    int rc;

    controller_self(c, dirs, &self);
    record_list_init(&list, turn->arena);
    life_register_controller(&self, random_uuid(), &list);
    rc = add_in_steps(c, turn, &list, err);
    return rc != 0 ? rc : controller_register_broker(c, turn, err);
}

static int
first_records(Controller *c, Turn *turn, ErrInfo *err)
{
    RecordList list;
    int rc = 0;

    if (c->apply.in_transaction)
        rc = abort_open_transaction(c, turn, err);
    if (rc == 0 && !c->saw_data) {
        record_list_init(&list, turn->arena);
        rc = bootstrap_records(c->settings.metadata_dir, c->settings.min_insync_replicas, &list,
                               err);
        if (rc == 0)
            rc = add_in_steps(c, turn, &list, err);
        turn->sealed = true; /* the transaction is a batch of its own, as Kafka writes it */
    }
    if (rc == 0)
        rc = hosting_start(&c->hosting, &c->image, err);
    return rc != 0 ? rc : register_self(c, turn, err);
}

/* ---- start and stop ---- */

static int
start_once(Controller *c, const ControllerSettings *settings, int64_t now_ms, ErrInfo *err)
{
    Arena *arena = arena_new(64 * 1024, 0);
    RemovedTopics removed = {0};
    Turn turn;
    int rc;

    *c = (Controller){.settings = *settings, .last_snapshot_ms = now_ms};
    c->random.state = random_u64();
    c->mutations.seed = random_u64();
    c->arena = arena_new(4096, 0);
    c->scratch = arena_new(65536, 0);
    image_writer_init(&c->image);
    hosting_init(&c->hosting, settings->node_id);
    rc = metalog_open(&c->log, settings->metadata_dir, &settings->log, err);
    if (rc == 0 && (arena == NULL || c->arena == NULL || c->scratch == NULL))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for the controller");
    if (rc == 0)
        rc = replay_all(c, &removed, err);
    if (rc == 0)
        rc = load_quorum(c, err);
    if (rc == 0)
        rc = metalog_make_writable(&c->log, err);
    if (rc == 0)
        rc = lead(c, now_ms, err);
    if (rc == 0) {
        turn_begin(&turn, arena, now_ms);
        rc = first_records(c, &turn, err);
        if (rc == 0)
            rc = turn_commit(c, &turn, err);
        if (rc == 0)
            rc = controller_follow_cordons(c, arena, now_ms, err);
    }
    arena_free(arena);
    if (rc != 0)
        removed.count = 0;
    removed_rename_folders(&removed, &c->image.before);
    if (rc != 0)
        controller_stop(c);
    return rc;
}

int
controller_start(Controller *c, const ControllerSettings *settings, int64_t now_ms, ErrInfo *err)
{
    int rc = start_once(c, settings, now_ms, err);

    if (rc == OT_E_NO_SPACE) { /* a new epoch takes a few blocks: those of the reserve */
        reserve_give_up(c->log.folder);
        rc = start_once(c, settings, now_ms, err);
    }
    if (rc == OT_E_NO_SPACE) { /* somebody filled the disk to the last block */
        reserve_give_up_start(c->log.folder);
        rc = start_once(c, settings, now_ms, err);
    }
    if (rc == 0) {
        controller_take_reserve(c);
        reserve_take_start(c->log.folder); /* what is left of it, for the next start */
    }
    return rc;
}

void
controller_stop(Controller *c)
{
    metalog_close(&c->log);
    hosting_fini(&c->hosting);
    image_writer_fini(&c->image);
    arena_free(c->arena);
    arena_free(c->scratch);
    c->arena = c->scratch = NULL;
}
