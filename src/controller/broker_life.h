/*
 * broker_life.h - the records by which this node registers itself and takes its partitions
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_BROKER_LIFE_H
#define OTTLA_CONTROLLER_BROKER_LIFE_H

#include "controller/records.h"
#include "ottla/ipc/listeners.h"

typedef struct BrokerSelf {
    int32_t node_id;
    Uuid incarnation_id;
    StrView rack; /* null: none */
    const Uuid *log_dirs;
    int32_t log_dir_count;
    const ListenerTable *listeners;
    int16_t metadata_version;
    bool logs_may_be_short; /* unclean start: epochs of led partitions are raised */
} BrokerSelf;

/* The incarnation of the controller; a new one at each start. */
void life_register_controller(const BrokerSelf *self, Uuid incarnation_id, RecordList *ret);

/* Registration, fenced, under the epoch that is the next offset of the log; and the end of the fence. */
void life_register_broker(const BrokerSelf *self, int64_t broker_epoch, RecordList *ret);
void life_unfence(const BrokerSelf *self, int64_t broker_epoch, RecordList *ret);

/* Does the registration name other endpoints than this node listens on? */
bool life_endpoints_differ(const BrokerSelf *self, const ImageBroker *registered);

/* The same registration with the endpoints of now: same epoch and incarnation, fenced or not as it is. */
void life_register_again(const BrokerSelf *self, const ImageBroker *registered, RecordList *ret);

/* Which directories take no new replicas (metadata.version 30). dirs is shared with the record. */
void life_cordon(const ImageBroker *self, const Uuid *dirs, int32_t count, RecordList *ret);

/*
 * Leadership of the partitions that only this node can serve now: those without a living leader for
 * which it is a valid or the last known one, and after an unclean start those it led (a new epoch
 * lets clients notice that the end of the log may be another one).
 */
void life_take_partitions(const BrokerSelf *self, const Image *image, RecordList *ret);

#endif
