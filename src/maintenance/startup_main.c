/*
 * startup_main.c - worker process: opens and recovers partition logs after a start, then exits
 *
 * Several run side by side; each takes the next partition of the table. Logs that a backend needed
 * first are open already. Never: serves anybody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/maintenance/startup_main.h"

#include <stdbool.h>
#include <stdlib.h>

#include "ottla/common/log.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/plog.h"

#define STARTUP_OPEN_FILES 64 /* nothing is read twice here */

/* True: somebody wants us to stop, or the supervisor is gone. */
static bool
stop_wanted(void)
{
    (void)mainloop_wait(0, WAIT_EV_STARTUP_MAIN); /* only the interrupts matter */
    return interrupt_pending(INTERRUPT_TERMINATE) || interrupt_pending(INTERRUPT_ORPHANED) ||
           interrupt_pending(INTERRUPT_FINISH);
}

static void
open_one(int32_t index)
{
    PartitionSlot *slot = pslot_at(index);
    ErrInfo err = {0};

    if (pslot_state(slot) != PSLOT_UNOPENED)
        return;
    /* A failure is in the slot's state now, and was logged where it was seen. */
    (void)plog_ensure_open(pslot_ref(slot), &err);
}

_Noreturn void
startup_main(int instance, const void *start)
{
    (void)instance; /* the partitions share one cursor */
    (void)start;
    fd_cache_init(STARTUP_OPEN_FILES);
    for (;;) {
        int32_t high = pslot_high();
        int32_t index = pslot_take_open_index();

        if (index >= high)
            break;
        atomic_u32_store(&shared_page->recovery_total, (uint32_t)high);
        if (stop_wanted())
            exit(interrupt_pending(INTERRUPT_ORPHANED) ? 1 : 0);
        title_set("recovering log %d of %d", (int)index + 1, (int)high);
        open_one(index);
        (void)atomic_u32_add(&shared_page->recovery_done, 1);
    }
    exit(0);
}
