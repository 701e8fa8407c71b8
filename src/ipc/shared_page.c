/*
 * shared_page.c - atomic words between the supervisor and everybody
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/shared_page.h"

#include "ottla/common/clock.h"

SharedPage *shared_page;

size_t
shared_page_shm_size(const ShmLimits *limits)
{
    (void)limits; /* one page, whatever the node */
    return sizeof(SharedPage);
}

void
shared_page_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    shared_page = base;
    atomic_i64_store(&shared_page->started_ms, clock_wall_ms());
}

void
shared_page_raise_rescan(void)
{
    (void)atomic_u32_add(&shared_page->rescan_epoch, 1);
}
