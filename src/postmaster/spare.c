/*
 * spare.c - backends forked before their connection is there, so that nobody waits for a fork
 *
 * Runs in: supervisor (keeps backend.spare of them, hands a connection over by SCM_RIGHTS), spare
 * backend (waits for it, then is a backend like any other). A spare has its slot and counts as a backend
 * for the state machine, but not as a connection. It ends when the supervisor closes its socket;
 * signals that come before its connection stay pending until its main loop reads them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/backend/backend_main.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/own_page.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/title.h"
#include "ottla/postmaster/launch.h"
#include "postmaster_int.h"

#define SPARES_PER_TURN 2 /* forks between two looks at signals and sockets */

/* One idle backend; private to the supervisor. */
typedef struct Spare {
    pid_t pid;
    int fd; /* our end; what is written there starts it */
} Spare;

static OWN_PAGE Spare spares[SPARES_MAX];
static OWN_PAGE int spare_count;

/* Told to end, not buried yet: they are no clients either. */
static OWN_PAGE pid_t leaving[SPARES_MAX];
static OWN_PAGE int leaving_count;

/* What the child needs; lies on the stack of the fork. */
typedef struct SpareStart {
    int fd;
    KindMain main;
} SpareStart;

/* Takes the message with its descriptor. False: the supervisor wants us no more. */
static bool
receive_start(int fd, BackendStart *ret)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {ret, sizeof *ret};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    if (got != (ssize_t)sizeof *ret || head == NULL || head->cmsg_type != SCM_RIGHTS)
        return false;
    memcpy(&ret->fd, CMSG_DATA(head), sizeof ret->fd);
    return true;
}

/* Main function of a spare: waits for its connection, for the end of it or of the supervisor. */
static void
spare_main(int instance, const void *arg)
{
    const SpareStart *spare = arg;
    BackendStart start;
    struct pollfd fds[2] = {{.fd = spare->fd, .events = POLLIN},
                            {.fd = launch_death_fd(), .events = POLLIN}};

    (void)instance; /* the listener is in the message */
    title_set("spare");
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    if (fds[0].revents == 0)
        _exit(EXIT_CODE_FATAL); /* the supervisor is dead */
    if (!receive_start(spare->fd, &start))
        _exit(EXIT_CODE_CLEAN);
    vfs_close(spare->fd);
    spare->main(start.listener, &start);
}

static int
fork_spare(Postmaster *pm, ErrInfo *err)
{
    Child child = {.kind = PROC_BACKEND, .started_us = clock_mono_us()};
    int pair[2];

    child.slot = children_free_slot(pm->children, PROC_BACKEND, false);
    if (child.slot < 0)
        return child.slot;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set_errno(err, OT_E_LIMIT, errno, "socket pair of a spare backend");
    const SpareStart start = {.fd = pair[1], .main = pm->mains->main[PROC_BACKEND]};
    spares[spare_count] = (Spare){.fd = pair[0]}; /* so that the child closes our end */
    spare_count++;
    const LaunchOrder order = {
        .kind = PROC_BACKEND,
        .slot = child.slot,
        .start = &start,
        .main = spare_main,
        .close_inherited = accept_close_inherited,
    };
    child.pid = launch_child(&order, &child.generation, err);
    vfs_close(pair[1]);
    if (child.pid < 0) {
        vfs_close(pair[0]);
        spare_count--;
        return child.pid;
    }
    spares[spare_count - 1].pid = child.pid;
    children_add(pm->children, &child);
    postmaster_feed(pm, &(PmEvent){.type = PM_EV_CONNECTED, .kind = PROC_BACKEND});
    return 0;
}

void
spare_refill(Postmaster *pm)
{
    static LogRate failures;
    ErrInfo err = {0};
    int rc = 0;

    for (int i = 0; rc == 0 && i < SPARES_PER_TURN && spare_wanted(pm) > 0; i++)
        rc = fork_spare(pm, &err);
    if (rc < 0 && rc != OT_E_FULL)
        log_limited(&failures, 1, LL_WARNING, "supervisor", "no spare backend: %s", err.text);
    pm->spares_blocked = rc < 0;
}

int
spare_wanted(const Postmaster *pm)
{
    int target =
        pm->settings->spare_backends < SPARES_MAX ? pm->settings->spare_backends : SPARES_MAX;

    if (!pm->accepting || pm->spares_blocked)
        return 0;
    return target - spare_count;
}

int
spare_living(void)
{
    return spare_count + leaving_count;
}

static void
forget(int index)
{
    vfs_close(spares[index].fd);
    spares[index] = spares[--spare_count];
}

pid_t
spare_hand_over(const BackendStart *start)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    BackendStart copy = *start;
    struct iovec iov = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof start->fd);
    memcpy(CMSG_DATA(head), &start->fd, sizeof start->fd);
    while (spare_count > 0) {
        int oldest = 0;
        pid_t pid = spares[oldest].pid;
        ssize_t sent = sendmsg(spares[oldest].fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        forget(oldest);
        if (sent == (ssize_t)sizeof copy)
            return pid;
    }
    return 0;
}

void
spare_buried(pid_t pid)
{
    for (int i = 0; i < spare_count; i++) {
        if (spares[i].pid == pid) {
            forget(i);
            return;
        }
    }
    for (int i = 0; i < leaving_count; i++) {
        if (leaving[i] == pid) {
            leaving[i] = leaving[--leaving_count];
            return;
        }
    }
}

void
spare_close_all(void)
{
    while (spare_count > 0) {
        if (leaving_count < SPARES_MAX)
            leaving[leaving_count++] = spares[spare_count - 1].pid;
        forget(spare_count - 1);
    }
}
