/*
 * resolver.c - addresses of host names, asked for by a child
 *
 * Runs in: supervisor. The child is ipc/name_child.c's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/name_child.h"

/* What is known of a name. */
typedef struct Known {
    char host[LIMIT_HOST_LEN + 1]; /* "": a free row */
    bool used;                     /* looked up since the last expiry */
    bool answered;                 /* count says something */
    bool fresh;                    /* since the last expiry */
    int count;
    NetAddress addresses[NET_ADDRESSES_MAX];
} Known;

static Known table[RESOLVER_NAMES_MAX];
static NameChild child = {-1, -1};
static void (*on_found)(void *arg);
static void *on_found_arg;

static Known *
row_of(const char *host)
{
    Known *free_row = NULL;

    for (int i = 0; i < RESOLVER_NAMES_MAX; i++) {
        if (strcmp(table[i].host, host) == 0)
            return &table[i];
        if (table[i].host[0] == '\0' && free_row == NULL)
            free_row = &table[i];
    }
    if (free_row != NULL)
        snprintf(free_row->host, sizeof free_row->host, "%s", host);
    return free_row;
}

int
resolver_lookup(const char *host, NetAddress ret[NET_ADDRESSES_MAX])
{
    int count = net_parse_address(host, ret);
    Known *row;

    if (count > 0)
        return count;
    row = strlen(host) > LIMIT_HOST_LEN ? NULL : row_of(host);
    if (row == NULL) {
        log_msg(LL_WARNING, "supervisor", "host name not looked up, there are more than %d: %s",
                RESOLVER_NAMES_MAX, host);
        return 0;
    }
    row->used = true;
    if (!row->answered)
        return RESOLVER_ASKED;
    memcpy(ret, row->addresses, sizeof ret[0] * (size_t)row->count);
    return row->count;
}

/* Names keep their addresses until there are new ones. */
void
resolver_expire(void)
{
    for (int i = 0; i < RESOLVER_NAMES_MAX; i++)
        table[i].used = table[i].fresh = false;
}

static bool
is_open(const Known *row)
{
    return row->host[0] != '\0' && row->used && !row->fresh;
}

/* ---- the child ---- */

static const char *
open_name(int index)
{
    return is_open(&table[index]) ? table[index].host : NULL;
}

/* ---- the supervisor ---- */

static void
stop_child(void)
{
    if (child.pipe_fd < 0)
        return;
    mainloop_remove(child.pipe_fd);
    name_child_stop(&child, false);
}

bool
resolver_is_asking(void)
{
    return child.pipe_fd >= 0;
}

void
resolver_close_inherited(void)
{
    name_child_forget(&child);
}

static void
take(const NameFinding *finding)
{
    Known *row;

    if (finding->index >= RESOLVER_NAMES_MAX)
        return;
    row = &table[finding->index];
    if (finding->count == 0)
        log_msg(LL_WARNING, "supervisor", "no address of %s", row->host);
    row->fresh = true;
    if (finding->count == 0 && row->answered)
        return; /* a name server that fails takes nothing back */
    row->answered = true;
    row->count = finding->count;
    memcpy(row->addresses, finding->addresses, sizeof row->addresses);
}

static void
on_pipe(int fd, uint32_t events, void *arg)
{
    NameFinding finding;
    NameTaken taken = name_child_take(&child, &finding);

    (void)fd;
    (void)events; /* readable, or its end */
    (void)arg;
    if (taken == NAME_WAITING)
        return;
    if (taken == NAME_END) {
        stop_child();
        return;
    }
    take(&finding);
    on_found(on_found_arg);
}

void
resolver_run(void (*found)(void *arg), void *arg)
{
    ErrInfo err = {0};
    bool any = false;

    stop_child();
    for (int i = 0; i < RESOLVER_NAMES_MAX; i++) {
        if (!table[i].used)
            table[i] = (Known){.count = 0};
        any |= is_open(&table[i]);
    }
    if (!any)
        return;
    on_found = found;
    on_found_arg = arg;
    if (name_child_start(&child, open_name, RESOLVER_NAMES_MAX, &err) != 0)
        log_msg(LL_WARNING, "supervisor", "host names are not looked up: %s", err.text);
    else if (mainloop_add(child.pipe_fd, EPOLLIN, on_pipe, NULL) != 0) {
        log_msg(LL_WARNING, "supervisor", "host names are not looked up: %s", strerror(errno));
        name_child_stop(&child, false);
    }
}
