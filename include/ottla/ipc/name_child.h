/*
 * name_child.h - a child that asks for the addresses of host names, so that its parent waits for nobody
 *
 * Runs in: who wants to know (supervisor, controller, backend). The child asks one name after the other and writes
 * each finding into a pipe. It holds nothing of the node, no slot, lock or socket, and dies with its parent. What
 * it writes is copied with its bounds checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_NAME_CHILD_H
#define OTTLA_IPC_NAME_CHILD_H

#include <stdbool.h>

#include "ottla/common/net.h"

/* What is known of one name. */
typedef struct NameFinding {
    int index; /* as given to name_at */
    int count; /* 0: it has no address */
    NetAddress addresses[NET_ADDRESSES_MAX];
} NameFinding;

typedef struct NameChild {
    int pipe_fd;  /* -1: nobody is asking; readable when there is something for name_child_take */
    int child_fd; /* its pidfd: a number may be another's by the time of a kill */
} NameChild;

#define NAME_CHILD_NONE ((NameChild){-1, -1})

/* The index-th name; NULL: not to be asked for. Called in the child. */
typedef const char *(*NameAt)(int index);

/*
 * Forks a child that asks for the names 0 to count - 1. OT_E_SYSTEM: it could not be made; the reason is in err.
 */
int name_child_start(NameChild *c, NameAt name_at, int count, ErrInfo *err)
    __attribute__((warn_unused_result));

typedef enum NameTaken {
    NAME_TAKEN,   /* *ret is the next finding; there may be more */
    NAME_WAITING, /* none is there yet */
    NAME_END,     /* there will be no more: name_child_stop */
} NameTaken;

/* The next finding, without waiting. */
NameTaken name_child_take(const NameChild *c, NameFinding *ret);

/* Ends the child, if there is one. reap: the process has no other way to collect its children; takes a moment. */
void name_child_stop(NameChild *c, bool reap);

/* In a fork of the parent: the descriptors that it inherited are closed; the child goes on for the parent. */
void name_child_forget(NameChild *c);

#endif
