/*
 * stat_connections.c - the view connections_by: how many connections there are, by listener, user, client and library
 *
 * Runs in: backend. Cursor: place among the groups, which are made anew for each page: connections that came or went
 * in between move them. Rates are those since a moment 10 to 20 s ago, or since the connection began.
 * Spec: shell-and-service.md 6.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"

enum {
    N_NODE_ID,
    N_LISTENER,
    N_PRINCIPAL,
    N_CLIENT_ID,
    N_SOFTWARE,
    N_COUNT,
    N_RATE_IN,
    N_RATE_OUT
};

static const StatColumn columns[] = {
    [N_NODE_ID] = {"node_id", STAT_INTEGER},  [N_LISTENER] = {"listener", STAT_TEXT},
    [N_PRINCIPAL] = {"principal", STAT_TEXT}, [N_CLIENT_ID] = {"client_id", STAT_TEXT},
    [N_SOFTWARE] = {"software", STAT_TEXT},   [N_COUNT] = {"count", STAT_INTEGER},
    [N_RATE_IN] = {"rate_in", STAT_REAL},     [N_RATE_OUT] = {"rate_out", STAT_REAL},
};

typedef struct Entry {
    char principal[SLOT_TEXT_MAX];
    char client_id[SLOT_TEXT_MAX];
    char software[SLOT_SOFTWARE_MAX];
    int64_t listener;
    double rate_in, rate_out; /* bytes a second */
} Entry;

static int
compare(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int order = x->listener < y->listener ? -1 : x->listener > y->listener;

    if (order == 0)
        order = strcmp(x->principal, y->principal);
    if (order == 0)
        order = strcmp(x->client_id, y->client_id);
    return order != 0 ? order : strcmp(x->software, y->software);
}

static void
find_rates(int32_t index, const SlotClient *client, Entry *entry)
{
    const ProcSlot *slot = slot_at(index);
    int64_t now_us = clock_mono_us();
    int64_t age_us = (clock_wall_ms() - client->connected_ms) * 1000;
    uint64_t in = atomic_u64_load_relaxed(&slot->counters[SLOT_COUNT_BYTES_IN]);
    uint64_t out = atomic_u64_load_relaxed(&slot->counters[SLOT_COUNT_BYTES_OUT]);
    SlotRates rates;

    if (slot_read_rates(index, &rates) && rates.older.at_us != 0) {
        age_us = now_us - rates.older.at_us;
        in -= rates.older.bytes_in;
        out -= rates.older.bytes_out;
    }
    if (age_us < 1000)
        age_us = 1000;
    entry->rate_in = (double)in * 1e6 / (double)age_us;
    entry->rate_out = (double)out * 1e6 / (double)age_us;
}

/* All connections, sorted by what they are grouped by. *ret_count; NULL: no memory. */
static Entry *
gather(StatScan *scan, int32_t *ret_count)
{
    int32_t room = 0, count = 0, end = slot_backend_count();
    Entry *entries;

    for (int32_t i = slot_skip_unused(0); i < end; i = slot_skip_unused(i + 1))
        room++;
    request_grow(scan->rq, (size_t)room * sizeof *entries);
    entries = arena_calloc(scan->rq->arena, (size_t)room, sizeof *entries);
    for (int32_t i = slot_skip_unused(0); entries != NULL && i < end && count < room;
         i = slot_skip_unused(i + 1)) {
        Entry *entry = &entries[count];
        SlotClient client;

        if (slot_state(i) != SLOT_RUNNING || !slot_read_client(i, &client) ||
            client.connected_ms == 0)
            continue;
        memcpy(entry->principal, client.principal, sizeof entry->principal);
        memcpy(entry->client_id, client.client_id, sizeof entry->client_id);
        memcpy(entry->software, client.software, sizeof entry->software);
        entry->listener = client.listener;
        find_rates(i, &client, entry);
        count++;
    }
    if (entries != NULL)
        qsort(entries, (size_t)count, sizeof *entries, compare);
    *ret_count = count;
    return entries;
}

static void
put_text(StatScan *scan, int32_t column, const char *text)
{
    if (text[0] != '\0')
        stat_text(scan, column, strview_from(text));
}

static void
put_group(StatScan *scan, const Entry *first, int32_t count)
{
    double in = 0, out = 0;

    for (int32_t i = 0; i < count; i++) {
        in += first[i].rate_in;
        out += first[i].rate_out;
    }
    stat_integer(scan, N_NODE_ID, node_info.node_id);
    if (first->listener >= 0 && first->listener < node_listeners.count)
        put_text(scan, N_LISTENER, node_listeners.rows[first->listener].name);
    put_text(scan, N_PRINCIPAL, first->principal);
    put_text(scan, N_CLIENT_ID, first->client_id);
    put_text(scan, N_SOFTWARE, first->software);
    stat_integer(scan, N_COUNT, count);
    stat_real(scan, N_RATE_IN, in);
    stat_real(scan, N_RATE_OUT, out);
    stat_end(scan);
}

static int64_t
scan_connections(StatScan *scan, int64_t cursor)
{
    int32_t count = 0;
    Entry *entries = gather(scan, &count);
    int64_t group = 0;

    scan->failed |= entries == NULL && count > 0;
    for (int32_t i = 0, next; entries != NULL && i < count; i = next, group++) {
        for (next = i + 1; next < count && compare(&entries[i], &entries[next]) == 0; next++)
            ;
        if (group < cursor)
            continue;
        if (!stat_look(scan))
            return group;
        put_group(scan, &entries[i], next - i);
    }
    return STAT_END;
}

const StatView stat_connections_view = {.name = "connections_by",
                                        .columns = columns,
                                        .column_count = sizeof columns / sizeof columns[0],
                                        .scan = scan_connections};
