/*
 * slice.c - the wish for a short slice of a core
 *
 * Spec: design.md 10 (round trip, acks.durability=disk beside a heavy producer); doc/internals/waiting-for-the-disk.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_NS (100 * 1000) /* the shortest that the kernel takes */

/* Linux's struct sched_attr as far as slices need it; this libc has no name for it. */
typedef struct SchedAttr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} SchedAttr;

/* Policy and niceness are the operator's and stay; a real-time policy has no slices to ask for. */
static void
ask(uint64_t slice_ns)
{
    SchedAttr attr = {.size = sizeof attr};

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0 ||
        (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH))
        return;
    attr.size = sizeof attr;
    attr.runtime = slice_ns;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0); /* a wish */
}

void
slice_ask_short(void)
{
    ask(SHORT_NS);
}

void
slice_ask_default(void)
{
    ask(0);
}
