/*
 * listeners_change.c - what a node listens on changes while it runs
 *
 * The judgement and the plan are pure. Crash rule of the region: two copies, one writer (the supervisor, with
 * whom the node ends); the supervisor never reads it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdalign.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/region.h"
#include "ottla/ipc/twocopy.h"

/* ---- judgement ---- */

/* A listener of clients that has a name and a port. */
static bool
is_for_clients(const Listener *row)
{
    return row->name[0] != '\0' && !row->is_unix && !row->is_controller;
}

static const Listener *
inter_broker_of(const ListenerTable *table)
{
    for (int i = 0; i < table->count; i++)
        if (table->rows[i].is_inter_broker)
            return &table->rows[i];
    return NULL;
}

/* NAME://... in a list of addresses. */
static bool
is_advertised(const char *advertised, const char *name)
{
    size_t len = strlen(name);

    if (advertised == NULL || *advertised == '\0')
        return true;
    for (const char *at = advertised; at != NULL; at = strchr(at, ',')) {
        at += strspn(at, ", \t");
        if (strncasecmp(at, name, len) == 0 && strncmp(at + len, "://", 3) == 0)
            return true;
    }
    return false;
}

static int
check_row(const Listener *row, const ListenerTable *after, const char *advertised, ErrInfo *err)
{
    const Listener *then = listeners_find(after, row->name);

    if (then == NULL || (row->is_controller && row->is_listed && !then->is_listed)) {
        if (is_for_clients(row) && !is_advertised(advertised, row->name))
            return 0;
        return err_set(err, OT_E_CONFIG,
                       row->is_controller ? "listeners: controllers talk to each other on %s"
                                          : "listeners: %s is advertised to clients and must stay",
                       row->name);
    }
    if (then->protocol != row->protocol)
        return err_set(err, OT_E_CONFIG,
                       "listener.security.protocol.map: the protocol of %s cannot change while "
                       "the node runs",
                       row->name);
    return 0;
}

int
listeners_check_change(const ListenerTable *before, const ListenerTable *after,
                       const char *advertised, ErrInfo *err)
{
    const Listener *brokers = inter_broker_of(before), *then = inter_broker_of(after);
    int rc = 0;

    ot_assert(brokers != NULL && then != NULL);
    if (strcmp(brokers->name, then->name) != 0)
        return err_set(err, OT_E_CONFIG, "listeners: brokers talk to each other on %s",
                       brokers->name);
    for (int i = 0; rc == 0 && i < before->count; i++)
        if (!before->rows[i].is_unix && before->rows[i].name[0] != '\0')
            rc = check_row(&before->rows[i], after, advertised, err);
    return rc;
}

/* ---- plan ---- */

void
listeners_plan(const ListenerTable *now, const ListenerTable *wanted, ListenerPlan *ret)
{
    *ret = (ListenerPlan){.added_count = 0};
    for (int i = 0; i < now->count; i++)
        ret->removed[i] =
            is_for_clients(&now->rows[i]) && listeners_find(wanted, now->rows[i].name) == NULL;
    for (int i = 0; i < wanted->count; i++)
        if (is_for_clients(&wanted->rows[i]) && listeners_find(now, wanted->rows[i].name) == NULL)
            ret->added[ret->added_count++] = i;
}

Listener *
listeners_new_row(ListenerTable *table)
{
    Listener *row = NULL;

    for (int i = 0; row == NULL && i < table->count; i++)
        if (table->rows[i].name[0] == '\0')
            row = &table->rows[i];
    if (row == NULL && table->count < LISTENERS_MAX)
        row = &table->rows[table->count++];
    if (row == NULL)
        return NULL;
    *row = (Listener){.fd_count = 0};
    for (int i = 0; i < LISTENER_FDS_MAX; i++)
        row->fds[i] = -1;
    return row;
}

/* ---- from the supervisor to the controller ---- */

typedef struct SharedListeners {
    alignas(8) ListenerTable table;
} SharedListeners;

static_assert(sizeof(SharedListeners) % 8 == 0, "copied by words");

typedef struct ListenersRegion {
    TwoCopy head;
    SharedListeners copies[2];
} ListenersRegion;

static ListenersRegion *shared;

size_t
listeners_shm_size(const ShmLimits *limits)
{
    (void)limits; /* one table, whatever the node */
    return sizeof *shared;
}

void
listeners_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    shared = base;
}

void
listeners_share(const ListenerTable *table)
{
    static SharedListeners copy;

    copy.table = *table;
    twocopy_write(&shared->head, shared->copies, &copy, sizeof copy);
}

bool
listeners_follow(void)
{
    static uint64_t followed;
    static SharedListeners copy;

    if (twocopy_serial(&shared->head) == followed)
        return false;
    followed = twocopy_read(&shared->head, shared->copies, sizeof copy, &copy);
    for (int i = 0; i < copy.table.count; i++) /* descriptors are the supervisor's alone */
        copy.table.rows[i].fd_count = 0;
    node_listeners = copy.table;
    return true;
}
