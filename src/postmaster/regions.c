/*
 * regions.c - the table of the product's shared regions, out of the list in ipc/regions.h
 *
 * Runs in: supervisor, before the first fork and in each crash cycle.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "regions_int.h"

#include "ottla/common/log.h"
#include "ottla/ipc/regions.h"

#define DECLARE(name, writer, readers, crash_rule)   \
    size_t name##_shm_size(const ShmLimits *limits); \
    void name##_shm_init(void *base, const ShmLimits *limits);
SHM_REGIONS(DECLARE)

#define ROW(name, writer, readers, crash_rule) \
    {#name, name##_shm_size, name##_shm_init, writer, readers, crash_rule},
static const RegionRow rows[] = {SHM_REGIONS(ROW)};

int
regions_map(const ShmLimits *limits, Region *ret, ErrInfo *err)
{
    return region_map(rows, (int)(sizeof rows / sizeof rows[0]), limits, ret, err);
}

void
regions_advise_huge(const Region *region)
{
    ErrInfo err = {0};

    for (int i = 0; i < region->rows; i++)
        if (rows[i].init == image_shm_init && region_advise_huge(region, i, &err) != 0)
            log_msg(LL_WARNING, "supervisor", "huge_pages has no effect: %s", err.text);
}
