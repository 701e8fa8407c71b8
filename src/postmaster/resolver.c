/*
 * resolver.c - addresses of host names, asked for by a child
 *
 * Runs in: supervisor (table, reading the pipe), the child (one question after the other). The child holds
 * nothing of the node: no slot, no lock, no socket, and dies with the supervisor. What it writes is copied
 * with its bounds checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/title.h"

/* What is known of a name. */
typedef struct Known {
    char host[LIMIT_HOST_LEN + 1]; /* "": a free row */
    bool used;                     /* looked up since the last expiry */
    bool answered;                 /* count says something */
    bool fresh;                    /* since the last expiry */
    int count;
    NetAddress addresses[RESOLVER_ADDRESSES_MAX];
} Known;

/* One answer; smaller than PIPE_BUF, so that it comes whole. */
typedef struct Finding {
    int32_t index;
    int32_t count;
    NetAddress addresses[RESOLVER_ADDRESSES_MAX];
} Finding;

static_assert(sizeof(Finding) <= 4096, "pipes take it whole");

static Known table[RESOLVER_NAMES_MAX];
static int pipe_fd = -1;  /* of the child that asks */
static int child_fd = -1; /* its pidfd: a number may be another's by the time of a kill */
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

static _Noreturn void
ask(int fd, pid_t supervisor)
{
    Finding finding;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != supervisor)
        _exit(1);
    title_begin("resolver");
    if (dup2(fd, 3) != 3 || close_range(4, ~0U, 0) != 0)
        _exit(1);
    for (int i = 0; i < RESOLVER_NAMES_MAX; i++) {
        NetAddress addresses[NET_ADDRESSES_MAX];
        int count;

        if (!is_open(&table[i]))
            continue;
        count = net_resolve(table[i].host, 0, false, addresses, NULL);
        memset(&finding, 0, sizeof finding);
        finding.index = i;
        finding.count = count < 0                        ? 0
                        : count > RESOLVER_ADDRESSES_MAX ? RESOLVER_ADDRESSES_MAX
                                                         : count;
        memcpy(finding.addresses, addresses, sizeof addresses[0] * (size_t)finding.count);
        if (write(3, &finding, sizeof finding) != (ssize_t)sizeof finding)
            _exit(1);
    }
    _exit(0);
}

/* ---- the supervisor ---- */

static void
stop_child(void)
{
    if (pipe_fd < 0)
        return;
    mainloop_remove(pipe_fd);
    vfs_close(pipe_fd);
    pipe_fd = -1;
    if (child_fd >= 0)
        (void)pidfd_send_signal(child_fd, SIGKILL, NULL,
                                0); /* over already, or reaped like any child */
    vfs_close(child_fd);
    child_fd = -1;
}

bool
resolver_is_asking(void)
{
    return pipe_fd >= 0;
}

void
resolver_close_inherited(void)
{
    vfs_close(pipe_fd);
    vfs_close(child_fd);
    pipe_fd = child_fd = -1;
}

static void
take(const Finding *finding)
{
    Known *row;

    if (finding->index < 0 || finding->index >= RESOLVER_NAMES_MAX || finding->count < 0 ||
        finding->count > RESOLVER_ADDRESSES_MAX)
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
    Finding finding;
    ssize_t got = read(fd, &finding, sizeof finding);

    (void)events; /* readable, or its end */
    (void)arg;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got != (ssize_t)sizeof finding) {
        stop_child();
        return;
    }
    take(&finding);
    on_found(on_found_arg);
}

void
resolver_run(void (*found)(void *arg), void *arg)
{
    pid_t supervisor = getpid();
    bool any = false;
    pid_t child;
    int fds[2];

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
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        log_msg(LL_WARNING, "supervisor", "host names are not looked up: %s", strerror(errno));
        return;
    }
    child = fork();
    if (child == 0) {
        (void)fcntl(fds[1], F_SETFL, 0); /* blocking */
        ask(fds[1], supervisor);
    }
    vfs_close(fds[1]);
    if (child < 0 || mainloop_add(fds[0], EPOLLIN, on_pipe, NULL) != 0) {
        log_msg(LL_WARNING, "supervisor", "host names are not looked up: %s", strerror(errno));
        vfs_close(fds[0]);
        return;
    }
    pipe_fd = fds[0];
    child_fd = pidfd_open(child, 0);
}
