/*
 * controller_int.h - what starting and turning share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_CONTROLLER_INT_H
#define OTTLA_CONTROLLER_CONTROLLER_INT_H

#include "controller/broker_life.h"
#include "controller/controller.h"
#include "controller/decide.h"
#include "controller/quota_hosts.h"

/* Records of one turn, cut into batches. */
typedef struct Turn {
    Arena *arena;
    RecordList records; /* of all decisions */
    ChangeList changes;
    int32_t *batch_ends; /* indexes into records */
    int32_t batch_count, batch_room;
    bool sealed; /* the last batch takes no more */
    LevelChanges levels;
    HostList *hosts; /* that its requests name, the last first */
    int64_t now_ms;
} Turn;

void turn_begin(Turn *turn, Arena *arena, int64_t now_ms);

/* Offset that the next record of the turn gets. */
int64_t turn_next_offset(const Controller *c, const Turn *turn);

/*
 * Applies the records of one decision to the image being built and adds them to the turn: to the
 * last batch when they fit, else to a new one.
 */
int turn_add(Controller *c, Turn *turn, const RecordList *records, ErrInfo *err);

/*
 * Appends, flushes, publishes. OT_E_NO_SPACE: nothing happened, the turn is undone. Other errors: the
 * process must end.
 */
int turn_commit(Controller *c, Turn *turn, ErrInfo *err);

/* Undoes what turn_add did. */
void turn_undo(Controller *c);

/* What decisions see of the node and its image. lookup: node_values_lookup, as long as the context. */
void controller_context(Controller *c, Turn *turn, const ConfLookup *lookup, DecideContext *ret);

/* Takes the reserve of the metadata folder, at the start or when there may be space again. */
void controller_take_reserve(Controller *c);

/* Adds the records by which this broker registers, is unfenced, and leads what it may lead. */
int controller_register_broker(Controller *c, Turn *turn, ErrInfo *err);

/* The tokens that the asker may take for new and deleted partitions; false: it is not limited. */
bool mutation_meter_for(Controller *c, const ControllerRequest *request, MutationMeter *ret);

/* The request was decided: what it took is shown in the table of quotas. */
void mutation_meter_show(const MutationMeter *meter);

/* What this node says of itself when it registers; dirs: room for LOGDIRS_MAX, outlives it. */
void controller_self(const Controller *c, Uuid *dirs, BrokerSelf *ret);

/*
 * Makes the registration say which log directories are cordoned, when the settings say otherwise: a
 * turn of its own.
 */
int controller_follow_cordons(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err);

/*
 * Makes the metadata say in which directories of this node logs are, when some were moved or found elsewhere:
 * turns of their own. Cheap when none was. On a full disk later.
 */
int controller_follow_dirs(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err);

#endif
