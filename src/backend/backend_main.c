/*
 * backend_main.c - a backend from its fork to its exit
 *
 * Runs in: backend. The launcher has claimed the slot and made the main loop; the connection itself
 * is conn.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/backend/backend_main.h"

#include <malloc.h>

#include "backend/conn_int.h"
#include "ottla/common/assert.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/fd_cache.h"

/* Frames of a megabyte come and go: keep that much at the top of the heap instead of faulting it in
   for each. An idle connection gives it back (conn_wait.c). */
#define KEEP_HEAP_BYTES (4 << 20)

_Noreturn void
backend_main(const BackendStart *start)
{
    ot_assert(my_slot != NULL);
    mallopt(M_MMAP_THRESHOLD, KEEP_HEAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEEP_HEAP_BYTES);
    fd_cache_init(0);
    conn_serve(start);
    exit(interrupt_pending(INTERRUPT_ORPHANED) ? 1 : 0);
}
