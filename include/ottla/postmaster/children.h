/*
 * children.h - the supervisor's private table of living children and counted addresses
 *
 * Private memory: no child can damage it, and what it says about pids is the truth. Slots are given
 * away here: client connections from the TCP listeners leave the last CHILDREN_RESERVED_SLOTS backend
 * slots to the Unix socket.
 *
 * Runs in: supervisor.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_CHILDREN_H
#define OTTLA_POSTMASTER_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/common/err.h"
#include "ottla/common/net.h"
#include "ottla/ipc/proc_kind.h"

#define CHILDREN_RESERVED_SLOTS 64
#define CHILDREN_LISTENERS_MAX  16

/* An address without port; 16 bytes, IPv4 as mapped; all zero: not counted (Unix socket). */
typedef struct ClientAddress {
    uint8_t b[16];
} ClientAddress;

typedef struct Child {
    pid_t pid; /* 0: the slot is free */
    ProcKind kind;
    int instance; /* of a worker; listener of a backend */
    int32_t slot;
    uint32_t generation; /* of its slot */
    int64_t started_us;  /* monotonic */
    bool connected;      /* a backend that serves a connection: counts for its listener */
    ClientAddress address;
} Child;

typedef struct Children Children;

/* Room for every slot. NULL: no memory. */
Children *children_new(int32_t backend_slots, int32_t worker_slots);
void children_free(Children *children);

/*
 * A free slot for a backend (reserved: may take the last ones) or a worker. The slot stays free
 * until children_add. OT_E_FULL: none.
 */
int32_t children_free_slot(const Children *children, ProcKind kind, bool reserved);

/* Enters a child; its slot was free. */
void children_add(Children *children, const Child *child);

/* NULL: no child of ours (or gone already). The pointer is valid until children_remove. */
const Child *children_find(const Children *children, pid_t pid);

/* A spare backend got its connection: from now on it counts for its listener and address. */
void children_assign(Children *children, pid_t pid, int instance, const ClientAddress *address);

/* Forgets a child that was reaped. */
void children_remove(Children *children, pid_t pid);

int32_t children_count(const Children *children);
int32_t children_count_kind(const Children *children, ProcKind kind);

/* Living backends from one address. */
int32_t children_count_address(const Children *children, const ClientAddress *address);

/* Living backends that serve a connection of the listener. */
int32_t children_count_listener(const Children *children, int listener);

/* The n-th living child in no particular order, n < children_count. */
const Child *children_at(const Children *children, int32_t n);

/* The address of a peer as it is counted. */
ClientAddress client_address_of(const NetAddress *peer);

#endif
