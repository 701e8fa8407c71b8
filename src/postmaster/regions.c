/*
 * regions.c - the table of the product's shared regions, out of the list in ipc/regions.h
 *
 * Runs in: supervisor, before the first fork and in each crash cycle.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "regions_int.h"

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
