/*
 * server_log.c - the last lines that the processes of this node have logged
 *
 * Runs in: every process, the supervisor too: it writes, and reads nothing.
 * Crash argument. A place's word is 0 while its line is written, and names the line when it is whole; who dies in
 * between leaves 0, which readers skip. A writer that was stopped for as long as it takes to log 10,000 lines writes
 * into another one's: a checksum over the line finds such mixtures.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/server_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/crc32c.h"
#include "ottla/ipc/atomics.h"

/* What is copied: the line and its checksum. Multiple of 8. */
typedef struct Stored {
    ServerLogLine line;
    uint32_t crc;
    uint32_t pad;
} Stored;

typedef struct Place {
    AtomicU64 word; /* serial of its line + 1; 0: it is being written */
    Stored stored;
} Place;

typedef struct ServerLog {
    alignas(CACHE_LINE_BYTES) AtomicU64 next; /* serial */
    alignas(CACHE_LINE_BYTES)
        AtomicU64 lost; /* lines that nobody took elsewhere, and that were not told of yet */
    Place places[SERVER_LOG_LINES];
} ServerLog;

static_assert(sizeof(Stored) % 8 == 0, "copied by words");
static_assert(sizeof(Place) <= 512, "10,000 lines take 5 MB");

static ServerLog *ring; /* NULL: lines are not kept */

size_t
server_log_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the same for every node */
    return sizeof(ServerLog);
}

static void
add_loss(void)
{
    (void)atomic_u64_add(&ring->lost, 1);
}

static uint64_t
take_losses(void)
{
    /* Each line logged asks, so a look comes before the swap. */
    return atomic_u64_load(&ring->lost) > 0 ? atomic_u64_swap(&ring->lost, 0) : 0;
}

void
server_log_shm_init(void *base, const ShmLimits *limits)
{
    static const LogLosses losses = {add_loss, take_losses};

    (void)limits;
    ring = base;
    log_set_keeper(server_log_keep);
    log_set_losses(&losses);
}

void
server_log_leave(void)
{
    log_set_keeper(NULL);
    log_set_losses(NULL);
    ring = NULL;
}

/* Adds a text behind those that are there; where it begins, 0: it is none, or there is no room. */
static int32_t
add_text(ServerLogLine *line, size_t *used, const char *text)
{
    size_t at = *used;
    size_t room = sizeof line->text - at;
    size_t len = text == NULL ? 0 : strlen(text);

    if (text == NULL || room < 2)
        return 0;
    len = len < room - 1 ? len : room - 1;
    memcpy(line->text + at, text, len);
    *used = at + len + 1; /* the rest is zero */
    return (int32_t)at;
}

static void
fill(ServerLogLine *line, const LogEntry *entry)
{
    const char *kind = entry->identity->kind;
    size_t skip = strlen(entry->component) + 2; /* "component: " */
    size_t used = 0;

    *line =
        (ServerLogLine){.ts_ms = clock_wall_ms(), .pid = getpid(), .level = (int32_t)entry->level};
    snprintf(line->kind, sizeof line->kind, "%s", kind == NULL ? "" : kind);
    snprintf(line->category, sizeof line->category, "%s", entry->component);
    (void)add_text(line, &used, strlen(entry->text) > skip ? entry->text + skip : "");
    line->detail = add_text(line, &used, entry->more->detail);
    line->hint = add_text(line, &used, entry->more->hint);
}

void
server_log_keep(const LogEntry *entry)
{
    Stored stored = {.pad = 0};
    uint64_t serial;
    Place *place;

    if (ring == NULL)
        return;
    fill(&stored.line, entry);
    stored.crc = crc32c(&stored.line, sizeof stored.line);
    serial = atomic_u64_add(&ring->next, 1);
    place = &ring->places[serial % SERVER_LOG_LINES];
    atomic_u64_store_relaxed(&place->word, 0);
    fence_release(); /* the word is 0 before a byte changes; pairs with the fence in server_log_read */
    shared_copy_in(&place->stored, &stored, sizeof stored);
    atomic_u64_store(&place->word, serial + 1);
}

void
server_log_range(uint64_t *ret_first, uint64_t *ret_end)
{
    uint64_t end = ring == NULL ? 0 : atomic_u64_load(&ring->next);

    *ret_end = end;
    *ret_first = end > SERVER_LOG_LINES ? end - SERVER_LOG_LINES : 0;
}

bool
server_log_read(uint64_t serial, ServerLogLine *ret)
{
    const Place *place;
    Stored stored;

    if (ring == NULL)
        return false;
    place = &ring->places[serial % SERVER_LOG_LINES];
    if (atomic_u64_load(&place->word) != serial + 1)
        return false;
    shared_copy_out(&stored, &place->stored, sizeof stored);
    fence_acquire();
    if (atomic_u64_load_relaxed(&place->word) != serial + 1 ||
        crc32c(&stored.line, sizeof stored.line) != stored.crc)
        return false;
    *ret = stored.line;
    return true;
}
