/*
 * stat_walk.c - gathers what the views of groups show, page by page, and keeps it a while
 *
 * Runs in: backend. One request at a time gathers (requests of a connection that are not Produce run alone).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/stat_walk_int.h"

#include <malloc.h>
#include <string.h>

#include "backend/conn_int.h"
#include "backend/route_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"

#define TABLES_MAX        2
#define TABLE_CHUNK_BYTES 65536
#define TABLE_TEXT_BYTES \
    ((size_t)4 << 20) /* so much: the page that passes it is the last of the table */
#define TABLE_ARENA_BYTES \
    ((size_t)64 << 20) /* one group's page of longest ids on top, with its rows */
#define NUMBER_MAX INT32_MAX

static StatTable tables[TABLES_MAX];
static uint32_t last_number;
static int64_t uses;

/* What is under way for a request. */
typedef struct Gathering {
    StatTable *table;
    GroupPages pages;
} Gathering;

static void
forget(StatTable *table)
{
    arena_free(table->arena);
    *table = (StatTable){0};
}

/* Nobody asked for a while. */
static void
forget_all(void)
{
    for (int i = 0; i < TABLES_MAX; i++)
        forget(&tables[i]);
    malloc_trim(0); /* an idle connection gave back what it had before this */
}

static bool
same_ask(const StatWalkAsk *a, const StatWalkAsk *b)
{
    return a->kind == b->kind && a->costly == b->costly &&
           (a->only.ptr == NULL) == (b->only.ptr == NULL) && strview_equal(a->only, b->only);
}

/* The table that a cursor means; NULL: it is gone, or was asked for something else. */
static StatTable *
find_table(const StatWalkAsk *ask, int64_t cursor, int64_t now_us)
{
    for (int i = 0; i < TABLES_MAX; i++) {
        StatTable *t = &tables[i];

        if (t->number == 0 || !same_ask(&t->ask, ask))
            continue;
        if (cursor == 0 ? t->first && now_us - t->gathered_us < WALK_KEEP_US
                        : cursor >> 32 == t->number)
            return t;
    }
    return NULL;
}

/* An empty table in the place of what was used longest ago; NULL: no memory. place: where it begins; NULL: at the beginning. */
static StatTable *
new_table(const StatWalkAsk *ask, const GroupPlace *place, int64_t now_us)
{
    StatTable *t = &tables[0];
    Arena *arena = arena_new(TABLE_CHUNK_BYTES, TABLE_ARENA_BYTES);
    GroupPlace at = {0};
    const char *only;

    if (arena == NULL)
        return NULL;
    group_walk_request_place_init(&at.place);
    if (place != NULL) {
        at = *place;
        at.place.group_id.ptr = arena_strdup(arena, at.place.group_id);
        at.place.topic.ptr = arena_strdup(arena, at.place.topic);
    }
    for (int i = 1; i < TABLES_MAX; i++)
        if (tables[i].used < t->used)
            t = &tables[i];
    only = ask->only.ptr == NULL ? NULL : arena_strdup(arena, ask->only);
    if ((ask->only.ptr != NULL && only == NULL) ||
        (place != NULL && (at.place.group_id.ptr == NULL || at.place.topic.ptr == NULL))) {
        arena_free(arena);
        return NULL;
    }
    forget(t);
    last_number = last_number >= NUMBER_MAX ? 1 : last_number + 1;
    *t = (StatTable){.number = last_number,
                     .ask = *ask,
                     .arena = arena,
                     .first = place == NULL,
                     .gathered_us = now_us,
                     .place = at};
    t->ask.only = (StrView){only, ask->only.len};
    return t;
}

static StatReady
fail(StatScan *scan, int16_t code, const char *why)
{
    scan->code = code;
    scan->why = why;
    return STAT_FAILED;
}

static StatReady
fail_with(StatScan *scan, int16_t code)
{
    switch (code) {
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
        return fail(scan, code, "groups are being loaded");
    case KERR_COORDINATOR_NOT_AVAILABLE:
        return fail(scan, code, "a coordinator did not answer");
    default:
        return fail(scan, code, "groups cannot be shown");
    }
}

/* A group that is asked for alone has one worker; one that is coordinated elsewhere, or nowhere, none: no rows. */
static void
begin_place(const StatWalkAsk *ask, GroupPlace *place)
{
    MboxWorker worker;

    if (ask->only.ptr == NULL)
        return;
    place->worker = MBOX_COORDINATORS_MAX;
    if (route_worker(ask->only, &worker) == 0)
        place->worker = (int32_t)(worker - MBOX_COORDINATOR_FIRST);
    place->place.group_id = ask->only;
}

static GroupWalkWhat
what_of(const StatWalkAsk *ask)
{
    if (ask->kind == STAT_WALK_SHARDS)
        return WALK_SHARDS;
    return ask->kind == STAT_WALK_LAG || ask->costly ? WALK_OFFSETS : WALK_GROUPS;
}

/* Begins to gather into a new table. */
static StatReady
begin(StatScan *scan, const StatWalkAsk *ask, const GroupPlace *place)
{
    Gathering *g = arena_calloc(scan->rq->arena, 1, sizeof *g);
    StatTable *t = g == NULL ? NULL : new_table(ask, place, scan->rq->now_us);

    if (t == NULL)
        return fail(scan, KERR_UNKNOWN_SERVER_ERROR, "no memory for a table of groups");
    if (place == NULL)
        begin_place(&t->ask, &t->place);
    g->table = t;
    if (!group_pages_init(&g->pages, what_of(ask), t->ask.only,
                          route_deadline_us(scan->rq) - scan->rq->now_us)) {
        forget(t);
        return fail(scan, KERR_UNKNOWN_SERVER_ERROR, "no memory for a page of groups");
    }
    scan->gathering = g;
    return STAT_WAIT;
}

static void
end(StatScan *scan, bool good)
{
    Gathering *g = scan->gathering;

    if (!good)
        forget(g->table);
    group_pages_end(&g->pages);
    scan->gathering = NULL;
}

/* Keeps where the next table begins, whose texts go with the last page. */
static bool
keep_place(StatTable *t)
{
    GroupWalkRequestPlace *at = &t->place.place;

    at->group_id.ptr = arena_strdup(t->arena, at->group_id);
    at->topic.ptr = arena_strdup(t->arena, at->topic);
    return at->group_id.ptr != NULL && at->topic.ptr != NULL;
}

/* A group's total is made of all its pages: the table does not end within one. */
static bool
may_end(const StatTable *t)
{
    bool within = t->ask.kind == STAT_WALK_GROUPS && t->place.place.topic.len > 0;

    return !within && (stat_table_is_full(t) || arena_bytes(t->arena) >= TABLE_TEXT_BYTES);
}

/* What came into the table. READY: it ends here. */
static StatReady
take_page(StatScan *scan)
{
    Gathering *g = scan->gathering;
    StatTable *t = g->table;

    if (!stat_table_take(t, &g->pages.page, g->pages.arena) || (may_end(t) && !keep_place(t))) {
        end(scan, false);
        return fail(scan, KERR_UNKNOWN_SERVER_ERROR, "no memory for a table of groups");
    }
    if (!may_end(t))
        return STAT_WAIT;
    end(scan, true);
    return STAT_READY;
}

static StatReady
go_on(StatScan *scan)
{
    StatReady ready = STAT_WAIT;

    while (ready == STAT_WAIT) {
        Gathering *g = scan->gathering;
        StatTable *t = g->table;
        GroupPagesTurn turn = {.now_us = scan->rq->now_us, .cancelled = scan->rq->cancelled};
        int16_t code;

        switch (group_pages_next(&g->pages, turn, &t->place, &code)) {
        case GROUP_PAGES_WAIT:
            scan->rq->deadline_us = g->pages.deadline_us;
            return STAT_WAIT;
        case GROUP_PAGES_OVER:
            if (code ==
                KERR_NOT_COORDINATOR) /* lost meanwhile: as groups of others, it is left out */
                code = 0;
            end(scan, code == 0);
            if (code != 0)
                return fail_with(scan, code);
            t->whole = true;
            return STAT_READY;
        case GROUP_PAGES_PAGE:
            ready = take_page(scan);
            break;
        }
    }
    return ready;
}

StatReady
stat_walk_prepare(StatScan *scan, const StatWalkAsk *ask, int64_t *cursor)
{
    Request *rq = scan->rq;
    StatReady ready = STAT_READY;
    StatTable *t;

    if (scan->gathering != NULL) {
        t = ((Gathering *)scan->gathering)->table;
        ready = go_on(scan);
    } else {
        t = find_table(ask, *cursor, rq->now_us);
        if (t == NULL && *cursor != 0)
            return fail(scan, KERR_INVALID_REQUEST,
                        "the cursor is none of ours, or its page is gone");
        if (t == NULL || (*cursor != 0 && (int32_t)*cursor >= t->count && !t->whole)) {
            ready = begin(scan, ask, t == NULL ? NULL : &t->place);
            if (ready != STAT_WAIT)
                return ready;
            t = ((Gathering *)scan->gathering)->table;
            *cursor = 0;
            ready = go_on(scan);
        }
    }
    if (ready != STAT_READY)
        return ready;
    t->used = ++uses;
    scan->work = t;
    *cursor = (uint32_t)*cursor < (uint32_t)t->count ? (uint32_t)*cursor : (uint32_t)t->count;
    if (rq->conn != NULL && rq->conn->idle == NULL) {
        rq->conn->idle = forget_all;
        rq->conn->idle_at_us = rq->now_us + WALK_KEEP_US;
    }
    return STAT_READY;
}

void
stat_walk_drop(StatScan *scan)
{
    if (scan->gathering != NULL)
        end(scan, false);
}

int64_t
stat_walk_cursor(const StatTable *table, int32_t row)
{
    if (row >= table->count && table->whole)
        return STAT_END;
    return (int64_t)table->number << 32 | row;
}
