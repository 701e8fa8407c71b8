/*
 * region.h - the one piece of memory that all processes of a node share
 *
 * Mapped once by the supervisor before the first fork, so that it lies at one address in every
 * process, and carved by a table of rows. Sizes come from the settings; untouched pages cost
 * nothing, so an init function touches only what must differ from zero. After a crash cycle the
 * supervisor unmaps and maps anew, when no child is left.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_REGION_H
#define OTTLA_IPC_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"

#define REGION_BYTES_MAX ((size_t)4 << 30) /* virtual; more is refused with the setting to lower */
#define REGION_ROWS_MAX  64
#define REGION_PAGE      4096
#define REGION_SPAN      ((size_t)2 << 20) /* what one page of page tables maps, or one huge page */
#define REGION_LARGE_ROW ((size_t)16 << 20) /* such rows begin at a multiple of REGION_SPAN */

/* What the sizes follow from; filled by the supervisor from the settings. All above zero. */
typedef struct ShmLimits {
    int32_t max_partitions;   /* max.partitions */
    int32_t backend_slots;    /* backend.slots */
    int32_t worker_slots;     /* PROC_WORKERS_MAX */
    int32_t mailbox_workers;  /* workers with a mailbox: MBOX_WORKER_COUNT */
    int32_t fetch_sessions;   /* max.incremental.fetch.session.cache.slots */
    int32_t log_dirs;         /* log.dirs */
    int64_t producer_entries; /* producer.state.entries */
    int64_t segment_entries;  /* segments of all partitions together */
    size_t image_bytes;       /* metadata image arena */
    size_t bulk_bytes;        /* group.bulk.bytes */
    size_t settings_bytes;    /* shared settings records */
} ShmLimits;

/* The product's defaults; the supervisor overwrites what the settings say. */
void shm_limits_default(ShmLimits *ret);

/*
 * One region. size: bytes for these limits, 0 when not needed. init: called once with zeroed
 * memory before any fork; keeps a process-global typed pointer for its module. The texts are for
 * README and `ottlad --regions`.
 */
typedef struct RegionRow {
    const char *name;
    size_t (*size)(const ShmLimits *limits);
    void (*init)(void *base, const ShmLimits *limits);
    const char *writer;
    const char *readers;
    const char *crash_rule;
} RegionRow;

typedef struct Region {
    void *base;  /* NULL: not mapped */
    size_t size; /* of the whole mapping */
    int rows;
    size_t row_offset[REGION_ROWS_MAX];
    size_t row_size[REGION_ROWS_MAX];
} Region;

/*
 * Maps the sum of all rows (MAP_SHARED, anonymous, NORESERVE) and calls the init functions in
 * order. Rows of REGION_LARGE_ROW and more begin at a multiple of REGION_SPAN, those of a page and more at a
 * page, smaller ones at a cache line.
 * OT_E_CONFIG: larger than REGION_BYTES_MAX or refused by the kernel; the text names the largest
 * rows. Nothing is mapped then.
 */
int region_map(const RegionRow *rows, int count, const ShmLimits *limits, Region *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Gives the memory back. No other process may use it any more. Does nothing when not mapped. */
/*
 * Asks for huge pages under one row, as far as they fit into it whole. OT_E_UNSUPPORTED: the kernel has none.
 * Before anything of the row beyond its head was touched.
 */
int region_advise_huge(const Region *region, int row, ErrInfo *err);

void region_unmap(Region *region);

/* A row of the region that this process has: what it is, and where. False: there is no such row. */
typedef struct RegionPart {
    const RegionRow *row;
    const void *at;
    size_t offset;
    size_t size;
} RegionPart;

bool region_part(int index, RegionPart *ret);

/* size rounded up to whole cache lines; SIZE_MAX stays. */
size_t region_round(size_t size);

#endif
