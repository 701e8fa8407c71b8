/*
 * region.c - maps the shared region and carves it by a table
 *
 * Runs in: supervisor, before the first fork; tests.
 * Never: touches memory that an init function does not touch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/region.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/proc_kind.h"

void
shm_limits_default(ShmLimits *ret)
{
    *ret = (ShmLimits){
        .max_partitions = 100000,
        .backend_slots = 16384,
        .worker_slots = PROC_WORKERS_MAX,
        .mailbox_workers = MBOX_WORKER_COUNT,
        .fetch_sessions = 1000,
        .log_dirs = 1,
        .producer_entries = 1000000,
        .segment_entries = 4000000,
        .image_bytes = (size_t)512 << 20,
        .bulk_bytes = (size_t)256 << 20,
        .settings_bytes = (size_t)8 << 20,
    };
}

size_t
region_round(size_t size)
{
    if (size > SIZE_MAX - CACHE_LINE_BYTES)
        return SIZE_MAX;
    return (size + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
}

/*
 * Where the next row begins: large ones at a page, so that their untouched pages stay untouched, very large
 * ones where a page of page tables begins, so that what a process touches of their head needs one.
 */
static size_t
row_start(size_t end, size_t size)
{
    size_t align = size >= REGION_LARGE_ROW ? REGION_SPAN
                   : size >= REGION_PAGE    ? REGION_PAGE
                                            : CACHE_LINE_BYTES;

    return (end + align - 1) & ~(align - 1);
}

/* What was mapped last; children inherit it. */
static Region mapped;
static const RegionRow *mapped_rows;

/* Lays the rows out one behind the other. False: more than REGION_BYTES_MAX. */
static bool
lay_out(const RegionRow *rows, int count, const ShmLimits *limits, Region *ret)
{
    size_t end = 0;

    ret->rows = count;
    for (int i = 0; i < count; i++) {
        size_t size = rows[i].size(limits);

        ret->row_size[i] = size;
        ret->row_offset[i] = row_start(end, size);
        if (size > REGION_BYTES_MAX || ret->row_offset[i] + size > REGION_BYTES_MAX) {
            ret->size = SIZE_MAX;
            return false;
        }
        end = ret->row_offset[i] + size;
    }
    ret->size = (end + REGION_PAGE - 1) & ~(size_t)(REGION_PAGE - 1);
    if (ret->size == 0)
        ret->size = REGION_PAGE;
    return true;
}

/* The row that takes most: what the operator should look at first. */
static int
largest_row(const RegionRow *rows, int count, const ShmLimits *limits)
{
    int best = 0;
    size_t best_size = 0;

    for (int i = 0; i < count; i++) {
        size_t size = rows[i].size(limits);

        if (size > best_size) {
            best = i;
            best_size = size;
        }
    }
    return best;
}

/* Maps at a multiple of REGION_SPAN, so that alignments of rows hold for addresses. MAP_FAILED with errno. */
static void *
map_aligned(size_t size)
{
    char *wide = mmap(NULL, size + REGION_SPAN, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t skip;
    char *base;

    if (wide == MAP_FAILED)
        return MAP_FAILED;
    skip = REGION_SPAN - (uintptr_t)wide % REGION_SPAN;
    base = mmap(wide + skip, size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (base == MAP_FAILED) {
        int saved = errno;

        ot_assert(munmap(wide, size + REGION_SPAN) == 0);
        errno = saved;
        return MAP_FAILED;
    }
    ot_assert(munmap(wide, skip) == 0); /* skip is never 0 */
    if (skip < REGION_SPAN)
        ot_assert(munmap(base + size, REGION_SPAN - skip) == 0);
    return base;
}

int
region_map(const RegionRow *rows, int count, const ShmLimits *limits, Region *ret, ErrInfo *err)
{
    Region region = {0};

    ot_assert(count > 0 && count <= REGION_ROWS_MAX);
    if (!lay_out(rows, count, limits, &region)) {
        const RegionRow *row = &rows[largest_row(rows, count, limits)];

        return err_set(err, OT_E_CONFIG,
                       "shared memory: above %zu MiB, most of it \"%s\" (%zu MiB): lower "
                       "max.partitions, backend.slots or producer.state.entries",
                       REGION_BYTES_MAX >> 20, row->name, row->size(limits) >> 20);
    }
    region.base = map_aligned(region.size);
    if (region.base == MAP_FAILED) {
        const RegionRow *row = &rows[largest_row(rows, count, limits)];

        return err_set_errno(err, OT_E_CONFIG, errno,
                             "shared memory: %zu MiB refused, most of it \"%s\" (%zu MiB): lower "
                             "max.partitions or backend.slots",
                             region.size >> 20, row->name, row->size(limits) >> 20);
    }
    *ret = region;
    mapped = region;
    mapped_rows = rows;
    for (int i = 0; i < count; i++)
        rows[i].init(region.row_size[i] == 0 ? NULL : (char *)region.base + region.row_offset[i],
                     limits);
    return 0;
}

int
region_advise_huge(const Region *region, int row, ErrInfo *err)
{
    uintptr_t begin = (uintptr_t)region->base + region->row_offset[row];
    uintptr_t end = (begin + region->row_size[row]) & ~(uintptr_t)(REGION_SPAN - 1);

    begin = (begin + REGION_SPAN - 1) & ~(uintptr_t)(REGION_SPAN - 1);
    if (begin < end && madvise((void *)begin, end - begin, MADV_HUGEPAGE) != 0)
        return err_set_errno(err, OT_E_UNSUPPORTED, errno, "no huge pages");
    return 0;
}

void
region_unmap(Region *region)
{
    if (region->base != NULL)
        ot_assert(munmap(region->base, region->size) == 0);
    if (mapped.base == region->base)
        mapped = (Region){0};
    *region = (Region){0};
}

bool
region_part(int index, RegionPart *ret)
{
    if (mapped.base == NULL || index < 0 || index >= mapped.rows)
        return false;
    ret->row = &mapped_rows[index];
    ret->at = (const char *)mapped.base + mapped.row_offset[index];
    ret->offset = mapped.row_offset[index];
    ret->size = mapped.row_size[index];
    return true;
}
