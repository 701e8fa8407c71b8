/*
 * control.h - what a backend asks of the supervisor: read the settings again, end or cancel another backend
 *
 * A word in the slot of the asking process: an order, then its answer in the same place. The supervisor looks at
 * the words of its living children when control_serial of the shared page has changed, does what is asked, puts the
 * answer into the word and wakes the process. Words alone: nothing that a child can damage by dying.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_CONTROL_H
#define OTTLA_IPC_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/ipc/plock.h"
#include "ottla/ipc/proc_kind.h"
#include "ottla/ipc/region.h"

typedef enum ControlState {
    CONTROL_NOTHING,
    /* Orders. */
    CONTROL_RELOAD,
    CONTROL_TERMINATE, /* as SIGTERM: what was begun is finished, then the connection ends */
    CONTROL_CANCEL,    /* as SIGINT: its waits end */
    /* Answers. */
    CONTROL_DONE,
    CONTROL_FAILED,     /* of a reload: nothing was applied */
    CONTROL_NO_PROCESS, /* no child has that pid and generation */
    CONTROL_NO_BACKEND, /* it is another kind of process */
    CONTROL_STATE_COUNT
} ControlState;

/* An order with whom it is about. */
typedef struct ControlOrder {
    ControlState what;
    pid_t pid; /* of terminate and cancel */
    uint32_t generation;
} ControlOrder;

/* Backend: asks; one order at a time. The latch is set when there is an answer. */
void control_ask(const ControlOrder *order);

/* Backend: the answer, CONTROL_NOTHING while there is none. */
ControlState control_answer(void);

/* Supervisor: is there an order in the slot of this living child? */
bool control_take(int32_t slot, ControlOrder *ret);

/* Supervisor: answers it; the caller signals the process. */
void control_reply(int32_t slot, const ControlOrder *order, ControlState answer);

#define CONTROL_TEXT_MAX 256

/* What the last reload has come to. Multiple of 8. */
typedef struct ControlReload {
    int64_t at_ms; /* wall clock; 0: none yet */
    char text[CONTROL_TEXT_MAX];
} ControlReload;

/* Supervisor, at the end of a reload; anybody. */
void control_tell_reload(const char *text);
void control_read_reload(ControlReload *ret);

/* How workers of one kind and instance have ended since the region was made. */
typedef struct ControlDeaths {
    uint32_t count;
    bool exited; /* the last one: by itself, with this code; else by this signal */
    int32_t code;
} ControlDeaths;

/* Supervisor, when a worker has died that is started again; anybody. */
void control_tell_death(ProcKind kind, int32_t instance, bool exited, int32_t code);
void control_read_deaths(ProcKind kind, int32_t instance, ControlDeaths *ret);

size_t control_shm_size(const ShmLimits *limits);
void control_shm_init(void *base, const ShmLimits *limits);

/* Backend: makes the changes of ottla.auto.conf one at a time. False: another has it for too long. */
bool control_lock_auto_file(int64_t deadline_us) __attribute__((warn_unused_result));
void control_unlock_auto_file(void);

/* For statistics. */
const PLock *control_auto_file_lock(void);

#endif
