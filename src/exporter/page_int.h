/*
 * page_int.h - what /metrics answers: the text of all samples, shared by those who asked at the same time
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_EXPORTER_PAGE_INT_H
#define OTTLA_EXPORTER_PAGE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/prom_text_int.h"

#define PAGES_MAX      4 /* alive at once, for slow readers; more are asked to come again */
#define PAGE_BYTES_MAX ((size_t)96 << 20) /* no page is longer */
#define PAGE_SERIES_MAX \
    ((size_t)64 << 20) /* behind it samples of topics, partitions and groups are dropped */

typedef struct Page {
    StrBuf text;
    PromFormat format;
    int64_t built_us; /* monotonic */
    int32_t readers;  /* answers that are being sent from it */
} Page;

/* What a page is made of beside shared memory. */
typedef struct PageInput {
    const GroupFigures *groups; /* NULL: not known */
    bool per_partition;
    int64_t now_us;
} PageInput;

/*
 * The page of a format if it is young enough, with one reader more; NULL: build one.
 */
Page *page_find(PromFormat format, int64_t now_us);

/* Builds one in the place of one that nobody reads, without readers. False: all are being read, or no memory. */
bool page_build(PromFormat format, const PageInput *in);

/* A reader is through. */
void page_release(Page *page);

/* Gives back the memory of what nobody reads and is old. True: some is left. */
bool pages_sweep(int64_t now_us);

#endif
