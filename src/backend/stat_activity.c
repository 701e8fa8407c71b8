/*
 * stat_activity.c - the view activity: what every process of the node does now, and for whom
 *
 * Runs in: backend. Cursor: process slot. A row is put together out of words and texts that the process wrote one
 * after another: it may show the end of one request and the topic of the next.
 * Spec: shell-and-service.md 6.1, 10.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "backend/proc_usage_int.h"
#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/text.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"
#include "ottla/protocol/apis.h"

enum {
    A_NODE_ID,
    A_PID,
    A_KIND,
    A_SLOT,
    A_GENERATION,
    A_LISTENER,
    A_PROTOCOL,
    A_PRINCIPAL,
    A_CLIENT_ID,
    A_SOFTWARE,
    A_VERSION,
    A_ADDR,
    A_PORT,
    A_CONNECTED,
    A_SESSION_EXPIRES,
    A_STATE,
    A_STATE_SINCE,
    A_WAIT_EVENT_TYPE,
    A_WAIT_EVENT,
    A_API,
    A_API_VERSION,
    A_CORRELATION_ID,
    A_REQUEST_STARTED,
    A_TOPIC,
    A_PARTITION,
    A_REQUESTS,
    A_ERRORS,
    A_BYTES_IN,
    A_BYTES_OUT,
    A_THROTTLE_MS,
    A_THROTTLED_UNTIL,
    A_CPU_MS,
    A_RSS_BYTES,
    A_TLS_VERSION,
    A_TLS_CIPHER,
};

static const StatColumn columns[] = {
    [A_NODE_ID] = {"node_id", STAT_INTEGER},
    [A_PID] = {"pid", STAT_INTEGER},
    [A_KIND] = {"backend_kind", STAT_TEXT},
    [A_SLOT] = {"slot", STAT_INTEGER},
    [A_GENERATION] = {"generation", STAT_INTEGER},
    [A_LISTENER] = {"listener", STAT_TEXT},
    [A_PROTOCOL] = {"security_protocol", STAT_TEXT},
    [A_PRINCIPAL] = {"principal", STAT_TEXT},
    [A_CLIENT_ID] = {"client_id", STAT_TEXT},
    [A_SOFTWARE] = {"client_software", STAT_TEXT},
    [A_VERSION] = {"client_version", STAT_TEXT},
    [A_ADDR] = {"client_addr", STAT_TEXT},
    [A_PORT] = {"client_port", STAT_INTEGER},
    [A_CONNECTED] = {"connected", STAT_INTEGER},
    [A_SESSION_EXPIRES] = {"session_expires", STAT_INTEGER},
    [A_STATE] = {"state", STAT_TEXT},
    [A_STATE_SINCE] = {"state_since", STAT_INTEGER},
    [A_WAIT_EVENT_TYPE] = {"wait_event_type", STAT_TEXT},
    [A_WAIT_EVENT] = {"wait_event", STAT_TEXT},
    [A_API] = {"api", STAT_TEXT},
    [A_API_VERSION] = {"api_version", STAT_INTEGER},
    [A_CORRELATION_ID] = {"correlation_id", STAT_INTEGER},
    [A_REQUEST_STARTED] = {"request_started", STAT_INTEGER},
    [A_TOPIC] = {"topic", STAT_TEXT},
    [A_PARTITION] = {"partition", STAT_INTEGER},
    [A_REQUESTS] = {"requests", STAT_INTEGER},
    [A_ERRORS] = {"errors", STAT_INTEGER},
    [A_BYTES_IN] = {"bytes_in", STAT_INTEGER},
    [A_BYTES_OUT] = {"bytes_out", STAT_INTEGER},
    [A_THROTTLE_MS] = {"throttle_ms_total", STAT_INTEGER},
    [A_THROTTLED_UNTIL] = {"throttled_until", STAT_INTEGER},
    [A_CPU_MS] = {"cpu_ms", STAT_INTEGER},
    [A_RSS_BYTES] = {"rss_bytes", STAT_INTEGER},
    [A_TLS_VERSION] = {"tls_version", STAT_TEXT},
    [A_TLS_CIPHER] = {"tls_cipher", STAT_TEXT},
};

static const char *const protocol_names[] = {
    [SECURITY_PLAINTEXT] = "PLAINTEXT",
    [SECURITY_SSL] = "SSL",
    [SECURITY_SASL_PLAINTEXT] = "SASL_PLAINTEXT",
    [SECURITY_SASL_SSL] = "SASL_SSL",
};

StrView
stat_kind_of_title(const char *title)
{
    return (StrView){title, (int32_t)strcspn(title, " ")};
}

/* A moment of the monotonic clock as a time of day. */
static int64_t
wall_ms(int64_t mono_us)
{
    return clock_wall_ms() - (clock_mono_us() - mono_us) / 1000;
}

static void
put_text(StatScan *scan, int32_t column, const char *text)
{
    if (text[0] != '\0')
        stat_text(scan, column, strview_from(text));
}

static void
put_counter(StatScan *scan, int32_t column, const ProcSlot *slot, SlotCounter counter)
{
    stat_integer(scan, column, (int64_t)atomic_u64_load_relaxed(&slot->counters[counter]));
}

/* "1.2.3.4:5" and "[::1]:5"; the Unix socket has no address. */
static void
put_peer(StatScan *scan, const char *peer)
{
    const char *colon = strrchr(peer, ':');
    StrView host = {peer, colon == NULL ? 0 : (int32_t)(colon - peer)};
    int32_t port;

    if (colon == NULL || !text_to_int32(strview_from(colon + 1), &port))
        return;
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (StrView){host.ptr + 1, host.len - 2};
    stat_text(scan, A_ADDR, host);
    stat_integer(scan, A_PORT, port);
}

/* Whose connection it is; a spare backend has none yet. */
static void
put_client(StatScan *scan, const SlotClient *client)
{
    const Listener *listener;

    if (client->connected_ms == 0)
        return;
    stat_integer(scan, A_CONNECTED, client->connected_ms);
    put_text(scan, A_PRINCIPAL, client->principal);
    put_text(scan, A_CLIENT_ID, client->client_id);
    put_text(scan, A_SOFTWARE, client->software);
    put_text(scan, A_VERSION, client->software_version);
    put_peer(scan, client->peer);
    if (client->listener < 0 || client->listener >= node_listeners.count)
        return;
    listener = &node_listeners.rows[client->listener];
    put_text(scan, A_LISTENER, listener->name);
    if (listener->protocol >= SECURITY_PLAINTEXT && listener->protocol <= SECURITY_SASL_SSL)
        stat_text(scan, A_PROTOCOL, strview_from(protocol_names[listener->protocol]));
}

/* The request under way; topic lasts until the row ends. */
static void
put_request(StatScan *scan, int32_t index, const SlotActivity *activity, SlotTopic *topic)
{
    const ApiInfo *api = api_find(activity->api_key);

    if (activity->api_key < 0)
        return;
    stat_text(scan, A_API, strview_from(api == NULL ? "unknown" : api->name));
    stat_integer(scan, A_API_VERSION, activity->api_version);
    stat_integer(scan, A_CORRELATION_ID, activity->correlation_id);
    stat_integer(scan, A_REQUEST_STARTED, wall_ms(activity->since_us));
    if ((activity->api_key != API_Produce && activity->api_key != API_Fetch) ||
        !slot_read_topic(index, topic))
        return;
    stat_text(scan, A_TOPIC, strview_from(topic->name));
    stat_integer(scan, A_PARTITION, topic->partition);
}

/* A worker says what it waits for alone: its main loop's event is that it has nothing to do. */
static ActivityState
state_of_worker(WaitEvent event)
{
    if (event == WAIT_EV_NONE)
        return ACTIVITY_ACTIVE;
    return strcmp(wait_event_type(event), "Activity") == 0 ? ACTIVITY_IDLE : ACTIVITY_WAITING;
}

/* Returns the state that is shown. */
static ActivityState
put_state(StatScan *scan, int32_t index, WaitEvent event)
{
    const ProcSlot *slot = slot_at(index);
    ActivityState state = slot_activity_state(index);
    int64_t since_us =
        atomic_i64_load(state == ACTIVITY_ACTIVE ? &slot->request_since_us : &slot->state_since_us);

    if (slot_state(index) == SLOT_STARTING)
        state = ACTIVITY_STARTING;
    else if (atomic_u32_load(&slot->kind) != PROC_BACKEND) {
        state = state_of_worker(event);
        since_us = atomic_i64_load(state == ACTIVITY_ACTIVE ? &slot->progress_us
                                                            : &slot->waiting_since_us);
    }
    stat_text(scan, A_STATE, strview_from(activity_name(state)));
    stat_integer(scan, A_STATE_SINCE, wall_ms(since_us));
    if (event != WAIT_EV_NONE) {
        stat_text(scan, A_WAIT_EVENT_TYPE, strview_from(wait_event_type(event)));
        stat_text(scan, A_WAIT_EVENT, strview_from(wait_event_name(event)));
    }
    return state;
}

static bool
serves_request(ActivityState state)
{
    return state == ACTIVITY_ACTIVE || state == ACTIVITY_WAITING || state == ACTIVITY_SENDING;
}

static void
put_counts(StatScan *scan, const ProcSlot *slot)
{
    int64_t until_us = atomic_i64_load_relaxed(&slot->throttled_until_us);

    put_counter(scan, A_REQUESTS, slot, SLOT_COUNT_REQUESTS);
    put_counter(scan, A_ERRORS, slot, SLOT_COUNT_ERRORS);
    put_counter(scan, A_BYTES_IN, slot, SLOT_COUNT_BYTES_IN);
    put_counter(scan, A_BYTES_OUT, slot, SLOT_COUNT_BYTES_OUT);
    put_counter(scan, A_THROTTLE_MS, slot, SLOT_COUNT_THROTTLE_MS);
    if (until_us > clock_mono_us())
        stat_integer(scan, A_THROTTLED_UNTIL, wall_ms(until_us));
}

/* What only the kernel knows. */
static void
put_usage(StatScan *scan, pid_t pid)
{
    int64_t value;

    if (stat_wants(scan, A_CPU_MS) && proc_cpu_ms(pid, &value))
        stat_integer(scan, A_CPU_MS, value);
    if (stat_wants(scan, A_RSS_BYTES) && proc_rss_bytes(pid, &value))
        stat_integer(scan, A_RSS_BYTES, value);
}

static void
put_process(StatScan *scan, int32_t index)
{
    const ProcSlot *slot = slot_at(index);
    WaitEvent event = slot_wait_event(index);
    pid_t pid = atomic_i32_load(&slot->pid);
    char title[SLOT_TITLE_MAX];
    SlotActivity activity = {.api_key = -1};
    SlotClient client = {0};
    SlotTopic topic;
    ActivityState state;

    stat_integer(scan, A_NODE_ID, node_info.node_id);
    stat_integer(scan, A_PID, pid);
    stat_integer(scan, A_SLOT, index);
    stat_integer(scan, A_GENERATION, slot_generation(index));
    if (!stat_row_lives(scan))
        return;
    if (slot_read_title(index, title))
        stat_text(scan, A_KIND, stat_kind_of_title(title));
    if (slot_read_client(index, &client))
        put_client(scan, &client);
    state = put_state(scan, index, event);
    slot_read_activity(index, &activity);
    if (serves_request(state) && atomic_u32_load(&slot->kind) == PROC_BACKEND)
        put_request(scan, index, &activity, &topic);
    put_counts(scan, slot);
    if (stat_row_lives(scan)) {
        put_usage(scan, pid);
        stat_end(scan);
    }
}

static int64_t
scan_activity(StatScan *scan, int64_t cursor)
{
    if (cursor > slot_count())
        return STAT_END;
    for (cursor = slot_skip_unused((int32_t)cursor); cursor < slot_count();
         cursor = slot_skip_unused((int32_t)cursor + 1)) {
        if (!stat_look(scan))
            return cursor;
        if (slot_state((int32_t)cursor) != SLOT_DEAD)
            put_process(scan, (int32_t)cursor);
    }
    return STAT_END;
}

const StatView stat_activity_view = {.name = "activity",
                                     .columns = columns,
                                     .column_count = sizeof columns / sizeof columns[0],
                                     .scan = scan_activity};
