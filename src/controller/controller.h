/*
 * controller.h - the controller of a node: log, quorum, image and slots put together
 *
 * Runs in: controller. One turn takes the requests that wait, decides them one after the other on
 * the image being built, appends all their records at once, flushes, publishes once and answers.
 *
 *   C1  what a published image says is on disk
 *   C2  an answer leaves when the image that holds its effect is published
 *   C3  records of one request are in one batch
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_CONTROLLER_H
#define OTTLA_CONTROLLER_CONTROLLER_H

#include "controller/hosting.h"
#include "controller/metalog.h"
#include "controller/mutation_quota.h"
#include "controller/records.h"
#include "ottla/common/random.h"
#include "ottla/controller/requests.h"
#include "ottla/ipc/listeners.h"
#include "ottla/raft/quorum.h"

/* Bytes of records after which a turn ends and appends. */
#define TURN_BYTES_MAX    (4 * 1024 * 1024)
#define TURN_REQUESTS_MAX 256

typedef struct ControllerSettings {
    const char *metadata_dir;
    MetaLogSettings log;
    int64_t snapshot_bytes;       /* metadata.log.max.record.bytes.between.snapshots */
    int64_t snapshot_interval_ms; /* 0: never by time */
    int32_t node_id;
    Uuid metadata_dir_id;
    Uuid incarnation_id;
    StrView rack;
    const ListenerTable *listeners;
    int32_t min_insync_replicas; /* goes into a new cluster's defaults */
    bool logs_may_be_short;      /* the node was not stopped in order */
} ControllerSettings;

typedef struct Controller {
    ControllerSettings settings;
    MetaLog log;
    Quorum quorum;
    ImageWriter image;
    ApplyState apply;
    Hosting hosting;
    RandomSeq random;
    MutationQuotas mutations;
    Arena *arena;   /* texts of the voter set */
    Arena *scratch; /* a record while it is applied: apart from what a turn keeps */
    VoterSet voters;
    bool voters_from_format; /* the set stems from the 0-0 checkpoint alone */
    bool saw_data;           /* some data record was ever written */
    int16_t kraft_version;
    int64_t last_snapshot_ms;
    uint32_t dir_changes; /* moves of logs that the metadata followed; dirs_followed: any yet */
    bool dirs_followed;
    bool full; /* no space: the reserve of the folder is given up, most changes are refused */
} Controller;

/*
 * Reads the log, becomes leader of the next epoch and active controller, registers this broker, publishes
 * the first image. now_ms: wall clock.
 * Any error: the node must not go on; nothing was written when the log could not be understood.
 */
int controller_start(Controller *c, const ControllerSettings *settings, int64_t now_ms,
                     ErrInfo *err);

/* Gives memory and descriptors back. */
void controller_stop(Controller *c);

/* A request of a turn and its answer. */
typedef struct TurnItem {
    ControllerRequest request;
    int16_t status;
    BytesView body; /* in the turn's arena */
} TurnItem;

/*
 * Makes the registration name the endpoints that the node listens on now, when they are others: a turn of its own.
 * 0 also when it has to be tried again, as each turn does. Else the process must end.
 */
int controller_follow_listeners(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err);

/*
 * Decides, appends, publishes. Fills the answers of all items. On a full disk changes are refused with
 * 56, but for those that make room or keep producers going; tried again with each turn.
 * An error: the metadata folder failed, the process must end.
 */
int controller_turn(Controller *c, TurnItem *items, int32_t count, Arena *arena, int64_t now_ms,
                    ErrInfo *err);

/* Writes a snapshot when bytes or time ask for one, and deletes old files. */
int controller_housekeep(Controller *c, int64_t now_ms, ErrInfo *err);

/* Writes a snapshot of the published image now. OT_E_EXISTS: there is one of this offset. */
int controller_snapshot(Controller *c, int64_t now_ms, ErrInfo *err);

#endif
