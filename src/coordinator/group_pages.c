/*
 * group_pages.c - groups of this node, page by page, from all its coordinator workers
 *
 * Runs in: backend, exporter.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/group_pages.h"

#include "ottla/common/errlist.h"
#include "ottla/coordinator/requests.h"

#define PAGE_CHUNK_BYTES 65536
#define PAGE_ARENA_BYTES \
    ((size_t)64 << 20) /* a page of the longest ids there are, encoded and decoded */

bool
group_pages_init(GroupPages *pages, GroupWalkWhat what, StrView only, int64_t patience_us)
{
    *pages = (GroupPages){.what = what,
                          .only = only,
                          .patience_us = patience_us,
                          .arena = arena_new(PAGE_CHUNK_BYTES, PAGE_ARENA_BYTES)};
    return pages->arena != NULL;
}

void
group_pages_end(GroupPages *pages)
{
    if (pages->under_way)
        mbox_cancel(&pages->call);
    pages->under_way = false;
    arena_free(pages->arena);
    pages->arena = NULL;
}

/* The request's body, in the arena; ptr NULL: no memory. */
static BytesView
encode(const GroupPages *pages, const GroupWalkRequestPlace *place)
{
    GroupWalkRequest in = {
        .what = (int8_t)pages->what, .only = pages->only.ptr != NULL, .place = *place};
    WireSizer size = {0};
    uint8_t *bytes = NULL;
    WireWriter w;

    group_walk_request_size(&size, 0, &in);
    if (size.err == 0)
        bytes = arena_alloc(pages->arena, size.bytes);
    if (bytes == NULL)
        return (BytesView){NULL, 0};
    wire_writer_init(&w, bytes, size.bytes);
    group_walk_request_write(&w, 0, &in);
    return (BytesView){bytes, (int32_t)size.bytes};
}

/* Texts of the place lie in the arena of the page before: they are encoded into the new one. */
static int16_t
ask(GroupPages *pages, int64_t now_us, const GroupPlace *place)
{
    Arena *arena = arena_new(PAGE_CHUNK_BYTES, PAGE_ARENA_BYTES);
    CoordinatorRequest request = {.api_key = COORDINATOR_WALK_KEY};
    MboxWorker worker = (MboxWorker)(MBOX_COORDINATOR_FIRST + place->worker);
    Arena *old = pages->arena;
    BytesView message;
    ErrInfo err;

    if (arena == NULL)
        return KERR_UNKNOWN_SERVER_ERROR;
    pages->arena = arena;
    request.body = encode(pages, &place->place);
    arena_free(old);
    if (request.body.ptr == NULL)
        return KERR_UNKNOWN_SERVER_ERROR;
    if (!mbox_worker_is_open(worker))
        return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    message = coordinator_request_encode(&request, arena);
    pages->call = (MboxCall){0};
    if (message.ptr == NULL || mbox_submit(&pages->call, worker, message, arena, &err) != 0)
        return KERR_UNKNOWN_SERVER_ERROR;
    pages->under_way = true;
    pages->deadline_us = now_us + pages->patience_us;
    return 0;
}

static int16_t
read_page(GroupPages *pages)
{
    CoordinatorReply reply;
    WireReader r;

    if (!coordinator_reply_decode((BytesView){pages->call.reply, (int32_t)pages->call.reply_size},
                                  &reply))
        return KERR_UNKNOWN_SERVER_ERROR;
    if (reply.status != 0)
        return reply.status;
    wire_reader_init(&r, reply.body.ptr, (size_t)reply.body.len, pages->arena);
    group_walk_response_read(&r, 0, &pages->page);
    return r.err != 0 ? KERR_UNKNOWN_SERVER_ERROR : 0;
}

static void
move_on(const GroupPages *pages, GroupPlace *place)
{
    const GroupWalkResponsePlace *next = &pages->page.next;

    if (next->shard < 0) {
        place->worker = pages->only.ptr != NULL ? MBOX_COORDINATORS_MAX : place->worker + 1;
        group_walk_request_place_init(&place->place);
        place->place.group_id = pages->only.ptr != NULL ? pages->only : STRVIEW("");
        return;
    }
    place->place = (GroupWalkRequestPlace){.shard = next->shard,
                                           .group_serial = next->group_serial,
                                           .group_id = next->group_id,
                                           .topic = next->topic,
                                           .partition = next->partition};
}

GroupPagesStatus
group_pages_next(GroupPages *pages, GroupPagesTurn turn, GroupPlace *place, int16_t *ret_code)
{
    *ret_code = 0;
    if (!pages->under_way) {
        if (place->worker >= coordinator_worker_count())
            return GROUP_PAGES_OVER;
        *ret_code = ask(pages, turn.now_us, place);
        if (*ret_code != 0)
            return GROUP_PAGES_OVER;
    }
    switch (mbox_poll(&pages->call)) {
    case MBOX_WAITING:
        if (!turn.cancelled && turn.now_us < pages->deadline_us)
            return GROUP_PAGES_WAIT;
        mbox_cancel(&pages->call);
        *ret_code = KERR_COORDINATOR_NOT_AVAILABLE;
        break;
    case MBOX_DONE:
        *ret_code = read_page(pages);
        break;
    case MBOX_NO_WORKER:
        *ret_code = KERR_COORDINATOR_NOT_AVAILABLE;
        break;
    case MBOX_NO_MEMORY:
        *ret_code = KERR_UNKNOWN_SERVER_ERROR;
        break;
    }
    pages->under_way = false;
    if (*ret_code != 0)
        return GROUP_PAGES_OVER;
    move_on(pages, place);
    return GROUP_PAGES_PAGE;
}
