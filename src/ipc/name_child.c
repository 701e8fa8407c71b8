/*
 * name_child.c - a child that asks for the addresses of host names, so that its parent waits for nobody
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/name_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/vfs.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"

static_assert(sizeof(NameFinding) <= PIPE_BUF, "pipes take a finding whole");

static _Noreturn void
ask(int fd, pid_t parent, NameAt name_at, int count)
{
    NameFinding finding;

    my_slot = NULL; /* it is the parent's */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    title_begin("resolver");
    if (dup2(fd, 3) != 3 || close_range(4, ~0U, 0) != 0)
        _exit(1);
    for (int i = 0; i < count; i++) {
        NetAddress addresses[NET_ADDRESSES_MAX];
        const char *name = name_at(i);
        int found;

        if (name == NULL)
            continue;
        found = net_resolve(name, 0, false, addresses, NULL);
        memset(&finding, 0, sizeof finding);
        finding.index = i;
        finding.count = found < 0 ? 0 : found;
        memcpy(finding.addresses, addresses, sizeof addresses[0] * (size_t)finding.count);
        if (write(3, &finding, sizeof finding) != (ssize_t)sizeof finding)
            _exit(1);
    }
    _exit(0);
}

int
name_child_start(NameChild *c, NameAt name_at, int count, ErrInfo *err)
{
    pid_t parent = getpid();
    pid_t child;
    int fds[2];

    *c = NAME_CHILD_NONE;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set(err, OT_E_SYSTEM, "pipe of a resolver: %s", strerror(errno));
    child = fork();
    if (child == 0) {
        (void)fcntl(fds[1], F_SETFL, 0); /* blocking */
        ask(fds[1], parent, name_at, count);
    }
    vfs_close(fds[1]);
    if (child < 0) {
        vfs_close(fds[0]);
        return err_set(err, OT_E_SYSTEM, "fork of a resolver: %s", strerror(errno));
    }
    c->pipe_fd = fds[0];
    c->child_fd = pidfd_open(child, 0);
    return 0;
}

NameTaken
name_child_take(const NameChild *c, NameFinding *ret)
{
    ssize_t got = c->pipe_fd < 0 ? 0 : read(c->pipe_fd, ret, sizeof *ret);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return NAME_WAITING;
    if (got != (ssize_t)sizeof *ret || ret->index < 0 || ret->count < 0 ||
        ret->count > NET_ADDRESSES_MAX)
        return NAME_END;
    return NAME_TAKEN;
}

void
name_child_forget(NameChild *c)
{
    vfs_close(c->pipe_fd);
    vfs_close(c->child_fd);
    *c = NAME_CHILD_NONE;
}

void
name_child_stop(NameChild *c, bool reap)
{
    siginfo_t info;

    /* Over already, perhaps, or reaped like any child. */
    if (c->child_fd >= 0) {
        (void)pidfd_send_signal(c->child_fd, SIGKILL, NULL, 0);
        while (reap && waitid(P_PIDFD, (id_t)c->child_fd, &info, WEXITED) != 0 && errno == EINTR) {
        }
    }
    name_child_forget(c);
}
