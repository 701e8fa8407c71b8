/*
 * launch.c - fork, and the first steps of every child
 *
 * Runs in: supervisor (launch_child), child (child_main). The steps of the child are ordered: first
 * what makes it die with its supervisor, then the descriptors it must not keep, then its slot (the
 * panic hook works from there on), then title and main loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/launch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/log.h"
#include "ottla/common/log_pipe.h"
#include "ottla/common/own_page.h"
#include "ottla/common/slice.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/postmaster/postmaster.h"

static OWN_PAGE int death_pipe[2] = {-1, -1};

int
launch_init(ErrInfo *err)
{
    ot_assert(death_pipe[0] < 0);
    if (pipe2(death_pipe, O_CLOEXEC) != 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "death pipe");
    return 0;
}

int
launch_death_fd(void)
{
    return death_pipe[0];
}

/* The supervisor may be protected from the kernel's killer; its children are not. */
static void
set_oom_score(const KindRow *row)
{
    const char *base_text = getenv("OTTLA_OOM_ADJUST_VALUE");
    int32_t base;
    char value[16];

    if (base_text == NULL || !text_to_int32(strview_from(base_text), &base))
        return;
    int len = snprintf(value, sizeof value, "%d", base + row->oom_score_adj);
    int fd = vfs_open("/proc/self/oom_score_adj", O_WRONLY, 0, NULL);
    if (fd < 0)
        return;
    (void)!write(fd, value, (size_t)len); /* raising is always allowed; lowering may not be */
    vfs_close(fd);
}

static _Noreturn void
child_main(const LaunchOrder *order, uint32_t generation, pid_t supervisor)
{
    const KindRow *row = &process_kinds[order->kind];
    ErrInfo err;

    /*
     * SIGKILL: nothing an orphan may still do is of use to anybody, but it holds the lock of the directory; and one
     * that is stopped, waits for a lock or is deep in a recovery looks at no pipe. A supervisor that died before
     * prctl leaves us another parent.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != supervisor)
        _exit(EXIT_CODE_FATAL);
    log_never_wait(false);
    mainloop_fini();
    vfs_close(death_pipe[1]);
    death_pipe[1] = -1;
    log_pipe_close_reader();
    if (order->close_inherited != NULL)
        order->close_inherited();
    set_oom_score(row);
    if (row->background)
        slice_ask_default();
    slot_claim(order->slot, generation, order->kind, order->instance);
    title_begin(row->name);
    log_set_identity(&(LogIdentity){
        .instance = node_info.instance, .kind = row->name, .node_id = node_info.node_id});
    if (mainloop_init(death_pipe[0], &err) < 0) {
        log_msg(LL_FATAL, row->name, "cannot start: %s", err.text);
        _exit(EXIT_CODE_FATAL);
    }
    order->main(order->instance, order->start);
    ot_unreachable();
}

pid_t
launch_child(const LaunchOrder *order, uint32_t *ret_generation, ErrInfo *err)
{
    pid_t supervisor = getpid();
    uint32_t generation = slot_prepare(order->slot);

    ot_assert(order->main != NULL && death_pipe[0] >= 0);
    pid_t pid = fork();
    if (pid == 0)
        child_main(order, generation, supervisor);
    if (pid < 0) {
        int saved = errno;
        slot_mark_dead(order->slot, generation);
        return err_set_errno(err, OT_E_LIMIT, saved, "fork of a %s",
                             process_kinds[order->kind].name);
    }
    *ret_generation = generation;
    return pid;
}
