/*
 * group_figures.c - how many groups there are, and how far they are behind: asked of the coordinators
 *
 * Runs in: exporter. Two walks over the coordinators' pages: groups, then their offsets; the second ends when
 * as many lags are known as are told. A log is read, without any lock, only where a group is behind in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/metrics/group_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/clock.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/group_pages.h"
#include "ottla/coordinator/lag.h"
#include "ottla/coordinator/requests.h"
#include "ottla/coordinator/shared.h"
#include "ottla/storage/plog.h"

#define CHUNK_BYTES   65536
#define FIGURES_BYTES ((size_t)64 << 20) /* lags and their names; what does not fit is dropped */
#define SCRATCH_BYTES ((size_t)16 << 20) /* a batch that must be decoded for its timestamp */
#define PATIENCE_US   (3 * INT64_C(1000000)) /* for a page */
#define GATHERING_US  (8 * INT64_C(1000000)) /* for all of them: Prometheus waits 10 s */

/* Figures and the memory of their texts. */
typedef struct FigureSet {
    GroupFigures figures;
    Arena *arena;
} FigureSet;

struct GroupGather {
    FigureSet whole, next; /* the last one; the one under way */
    GroupPages pages;
    GroupPlace place;
    Arena *scratch;
    int64_t begun_us, deadline_us;
    int32_t lag_max;
    bool under_way;
    bool pages_open;
    bool offsets; /* the second walk */
};

GroupGather *
group_gather_new(void)
{
    GroupGather *g = calloc(1, sizeof *g);

    if (g != NULL && (g->scratch = arena_new(CHUNK_BYTES, SCRATCH_BYTES)) == NULL) {
        free(g);
        g = NULL;
    }
    return g;
}

/* Begins one of the two walks. False: no memory. */
static bool
begin_walk(GroupGather *g, bool offsets)
{
    if (g->pages_open)
        group_pages_end(&g->pages);
    g->offsets = offsets;
    g->place = (GroupPlace){0};
    group_walk_request_place_init(&g->place.place);
    g->pages_open = group_pages_init(&g->pages, offsets ? WALK_OFFSETS : WALK_GROUPS,
                                     (StrView){NULL, 0}, PATIENCE_US);
    return g->pages_open;
}

void
group_gather_begin(GroupGather *g, int64_t now_us, int32_t lag_max)
{
    if (g->under_way)
        return;
    g->begun_us = now_us;
    g->deadline_us = now_us + GATHERING_US;
    g->lag_max = lag_max;
    g->next = (FigureSet){.arena = arena_new(CHUNK_BYTES, FIGURES_BYTES)};
    g->under_way = g->next.arena != NULL && begin_walk(g, false);
    if (!g->under_way) {
        arena_free(g->next.arena);
        g->next.arena = NULL;
    }
}

/* ---- groups ------------------------------------------------------------------------------------- */

static bool
same_text(const char *kept, StrView text)
{
    int32_t len = (int32_t)strlen(kept);

    return len == (text.len < FIGURES_TEXT_MAX ? text.len : FIGURES_TEXT_MAX - 1) &&
           memcmp(kept, text.ptr, (size_t)len) == 0;
}

static void
keep_text(char ret[FIGURES_TEXT_MAX], StrView text)
{
    (void)snprintf(ret, FIGURES_TEXT_MAX, "%.*s", (int)text.len, text.ptr == NULL ? "" : text.ptr);
}

static void
count_group(GroupFigures *figures, const GroupWalkResponseGroup *group)
{
    GroupStateFigure *at = figures->states;
    const GroupStateFigure *end = at + figures->state_count;

    while (at < end &&
           !(same_text(at->protocol, group->type) && same_text(at->state, group->state)))
        at++;
    if (at == end) {
        if (figures->state_count == FIGURES_STATES_MAX)
            return; /* there are fewer */
        figures->state_count++;
        keep_text(at->protocol, group->type);
        keep_text(at->state, group->state);
    }
    at->count++;
}

/* ---- lag ---------------------------------------------------------------------------------------- */

/* The log that an offset is about; false: none of this node, or the topic of that name is another one. */
static bool
find_log(StrView topic, const GroupWalkResponsePartition *in, PartitionRef *ret)
{
    ImagePin pin = image_pin();
    const ImageTopic *found =
        image_of(&pin) == NULL ? NULL : image_topic_by_name(image_of(&pin), topic);
    ImagePartition p;
    bool ours = found != NULL && image_topic_partition(found, in->partition, &p) &&
                p.ref.slot != PSLOT_NONE &&
                (uuid_is_zero(in->topic_id) || uuid_equal(image_topic_id(found), in->topic_id));

    if (ours)
        *ret = p.ref;
    image_unpin(&pin);
    return ours;
}

/* How old the first record is that was not consumed. */
static int64_t
find_age(GroupGather *g, PartitionRef ref, const Lag *lag)
{
    ArenaMark mark = arena_mark(g->scratch);
    int64_t ms = LAG_UNKNOWN;
    PlogBehind behind;

    if (lag->records == 0)
        return 0;
    if (plog_behind(ref, lag->from, g->scratch, &behind, NULL) == 0)
        ms = lag_ms(lag->records, behind.timestamp, clock_wall_ms());
    arena_release(g->scratch, mark);
    return ms;
}

static StrView
keep_name(GroupGather *g, StrView name)
{
    const char *copy = arena_strdup(g->next.arena, name);

    return (StrView){copy, copy == NULL ? 0 : name.len};
}

static void
take_offset(GroupGather *g, StrView group, StrView topic, const GroupWalkResponsePartition *in)
{
    GroupFigures *f = &g->next.figures;
    PlogOffsets offsets;
    PartitionRef ref;
    Lag lag;

    if (f->lag_count >= g->lag_max || !find_log(topic, in, &ref) ||
        !plog_offsets_peek(ref, &offsets))
        return;
    lag = lag_of(in->committed, offsets.log_start_offset, offsets.high_watermark);
    if (lag.records < 0)
        return;
    if (f->lags == NULL)
        f->lags = arena_calloc(g->next.arena, (size_t)g->lag_max, sizeof *f->lags);
    if (f->lags == NULL)
        return;
    f->lags[f->lag_count++] = (GroupLagFigure){.group = group,
                                               .topic = topic,
                                               .partition = in->partition,
                                               .records = lag.records,
                                               .ms = find_age(g, ref, &lag)};
}

static void
take_offsets(GroupGather *g, const GroupWalkResponseGroup *in)
{
    StrView group = keep_name(g, in->group_id);

    for (int32_t t = 0; t < in->topics_count && group.ptr != NULL; t++) {
        StrView topic = keep_name(g, in->topics[t].name);

        for (int32_t p = 0; topic.ptr != NULL && p < in->topics[t].partitions_count; p++)
            take_offset(g, group, topic, &in->topics[t].partitions[p]);
    }
}

/* ---- the walks ---------------------------------------------------------------------------------- */

static int64_t
offsets_in_all(void)
{
    int64_t sum = 0;

    for (int32_t w = 0; w < coordinator_worker_count(); w++)
        sum += coordinator_count(w, COORDINATOR_OFFSETS);
    return sum;
}

static void
finish(GroupGather *g)
{
    GroupFigures *f = &g->next.figures;
    int64_t all = offsets_in_all();

    if (g->pages_open)
        group_pages_end(&g->pages);
    f->lag_dropped = f->lag_count >= g->lag_max && all > f->lag_count ? all - f->lag_count : 0;
    arena_free(g->whole.arena);
    g->whole = g->next;
    g->next = (FigureSet){0};
    g->pages_open = g->under_way = false;
}

/* The walk is over, or a worker does not answer: what has come is all of it. True: it goes on with the other walk. */
static bool
next_walk(GroupGather *g)
{
    if (!g->offsets && g->lag_max > 0 && begin_walk(g, true))
        return true;
    finish(g);
    return false;
}

bool
group_gather_step(GroupGather *g, int64_t now_us)
{
    while (g->under_way) {
        GroupPagesTurn turn = {.now_us = now_us, .cancelled = now_us >= g->deadline_us};
        int16_t code;

        switch (group_pages_next(&g->pages, turn, &g->place, &code)) {
        case GROUP_PAGES_WAIT:
            return true;
        case GROUP_PAGES_OVER:
            if (turn.cancelled)
                finish(g);
            else
                (void)next_walk(g);
            break;
        case GROUP_PAGES_PAGE:
            for (int32_t i = 0; i < g->pages.page.groups_count; i++) {
                if (g->offsets)
                    take_offsets(g, &g->pages.page.groups[i]);
                else if (!g->pages.page.groups[i].continued)
                    count_group(&g->next.figures, &g->pages.page.groups[i]);
            }
            if (g->offsets && g->next.figures.lag_count >= g->lag_max)
                finish(g);
            break;
        }
    }
    return false;
}

int64_t
group_gather_deadline_us(const GroupGather *g)
{
    if (!g->under_way)
        return INT64_MAX;
    return g->pages.under_way && g->pages.deadline_us < g->deadline_us ? g->pages.deadline_us
                                                                       : g->deadline_us;
}

const GroupFigures *
group_gather_figures(const GroupGather *g)
{
    return g->whole.arena == NULL ? NULL : &g->whole.figures;
}

int64_t
group_gather_begun_us(const GroupGather *g)
{
    return g->begun_us;
}
