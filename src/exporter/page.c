/*
 * page.c - what /metrics answers: the text of all samples, shared by those who asked at the same time
 *
 * Runs in: exporter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "exporter/page_int.h"

#include <string.h>

#include "ottla/common/assert.h"

#define FRESH_US INT64_C(1000000)        /* who asks again so soon gets the same page */
#define KEEP_US  (30 * INT64_C(1000000)) /* memory of a page nobody reads */

static Page pages[PAGES_MAX];

Page *
page_find(PromFormat format, int64_t now_us)
{
    for (int i = 0; i < PAGES_MAX; i++) {
        Page *p = &pages[i];

        if (p->text.len > 0 && p->format == format && now_us - p->built_us < FRESH_US) {
            p->readers++;
            return p;
        }
    }
    return NULL;
}

/* A page on its way. */
typedef struct Building {
    MetricScan scan;
    PromWriter writer;
} Building;

static bool
always_room(void *arg)
{
    (void)arg;
    return true;
}

/* Is it one of those families that grow with what people put into the node? */
static bool
is_of_many(const MetricRow *row)
{
    static const char *const many[] = {"topic", "group", "quota"};

    for (size_t i = 0; row->label_count > 0 && i < sizeof many / sizeof many[0]; i++)
        if (strcmp(row->labels[0], many[i]) == 0)
            return true;
    return false;
}

static void
take(void *arg, const MetricSample *sample)
{
    Building *b = arg;

    if (b->writer.out->len >= PAGE_SERIES_MAX && is_of_many(sample->row))
        b->scan.series_dropped++;
    else
        prom_add(&b->writer, sample);
}

static Page *
free_page(void)
{
    Page *oldest = NULL;

    for (int i = 0; i < PAGES_MAX; i++)
        if (pages[i].readers == 0 && (oldest == NULL || pages[i].built_us < oldest->built_us))
            oldest = &pages[i];
    return oldest;
}

bool
page_build(PromFormat format, const PageInput *in)
{
    Page *p = free_page();
    MetricFacts facts;
    Building b;

    if (p == NULL)
        return false;
    if (p->text.max_len == 0)
        strbuf_init(&p->text, PAGE_BYTES_MAX, NULL);
    strbuf_clear(&p->text);
    metric_facts_find(&facts);
    b = (Building){.scan = {.facts = &facts,
                            .groups = in->groups,
                            .per_partition = in->per_partition,
                            .room = always_room,
                            .take = take,
                            .arg = &b},
                   .writer = {.out = &p->text, .format = format}};
    for (int32_t family = 0; family < METRIC_ROW_COUNT; family++) {
        if (metric_rows[family].from == METRIC_FROM_NONE)
            prom_begin(&b.writer, &metric_rows[family]); /* it may have no samples */
        (void)metrics_scan(&b.scan, family, 0); /* there is always room: it comes to the end */
    }
    prom_end(&b.writer);
    p->format = format;
    p->built_us = in->now_us;
    if (!strbuf_failed(&p->text))
        return true;
    strbuf_release(&p->text);
    return false;
}

void
page_release(Page *page)
{
    ot_assert(page->readers > 0);
    page->readers--;
}

bool
pages_sweep(int64_t now_us)
{
    bool left = false;

    for (int i = 0; i < PAGES_MAX; i++) {
        if (pages[i].readers == 0 && now_us - pages[i].built_us >= KEEP_US)
            strbuf_release(&pages[i].text);
        left |= pages[i].text.size > 0;
    }
    return left;
}
