/*
 * stat_workers.c - the views workers, brokers and shmem: what the node is made of
 *
 * Runs in: backend. Cursors: process slot, behind the last the logger; none; row of the shared region.
 * Spec: shell-and-service.md 6.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/meta_int.h"
#include "backend/proc_usage_int.h"
#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/version.h"
#include "ottla/controller/image.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/region.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"

/* ---- workers ------------------------------------------------------------------------------------- */

enum {
    W_NODE_ID,
    W_PID,
    W_KIND,
    W_INDEX,
    W_STATE,
    W_ACTIVITY,
    W_STARTED,
    W_RESTARTS,
    W_LAST_ERROR,
    W_WAIT_EVENT_TYPE,
    W_WAIT_EVENT,
    W_CPU_MS,
    W_RSS_BYTES,
    W_PROGRESS,
};

static const StatColumn worker_columns[] = {
    [W_NODE_ID] = {"node_id", STAT_INTEGER},
    [W_PID] = {"pid", STAT_INTEGER},
    [W_KIND] = {"kind", STAT_TEXT},
    [W_INDEX] = {"index", STAT_INTEGER},
    [W_STATE] = {"state", STAT_TEXT},
    [W_ACTIVITY] = {"activity", STAT_TEXT},
    [W_STARTED] = {"started", STAT_INTEGER},
    [W_RESTARTS] = {"restarts", STAT_INTEGER},
    [W_LAST_ERROR] = {"last_error", STAT_TEXT},
    [W_WAIT_EVENT_TYPE] = {"wait_event_type", STAT_TEXT},
    [W_WAIT_EVENT] = {"wait_event", STAT_TEXT},
    [W_CPU_MS] = {"cpu_ms", STAT_INTEGER},
    [W_RSS_BYTES] = {"rss_bytes", STAT_INTEGER},
    [W_PROGRESS] = {"progress", STAT_TEXT},
};

/* How its predecessors in the same place ended; text lasts until the row ends. */
static void
put_deaths(StatScan *scan, ProcKind kind, int32_t instance, char text[96])
{
    ControlDeaths deaths;
    const char *name;

    control_read_deaths(kind, instance, &deaths);
    stat_integer(scan, W_RESTARTS, deaths.count);
    if (deaths.count == 0)
        return;
    name = deaths.exited ? NULL : sigabbrev_np(deaths.code);
    if (deaths.exited)
        snprintf(text, 96, "ended with exit code %d", deaths.code);
    else
        snprintf(text, 96, "died by signal %d: SIG%s", deaths.code, name == NULL ? "?" : name);
    stat_text(scan, W_LAST_ERROR, strview_from(text));
}

/* What there is to tell of a kind beside its title, as JSON. */
static void
put_progress(StatScan *scan, ProcKind kind, int32_t instance, char text[96])
{
    text[0] = '\0';
    if (kind == PROC_STARTUP)
        snprintf(text, 96, "{\"recovered\":%u,\"logs\":%u}",
                 atomic_u32_load(&shared_page->recovery_done),
                 atomic_u32_load(&shared_page->recovery_total));
    else if (kind == PROC_CONTROLLER)
        snprintf(text, 96, "{\"epoch\":%d,\"offset\":%" PRId64 "}",
                 (int)atomic_i32_load(&shared_page->controller_epoch),
                 atomic_i64_load(&shared_page->metadata_offset));
    else if (kind == PROC_CHECKPOINTER && instance >= 0 && instance < 64)
        snprintf(text, 96, "{\"commits\":%" PRIu64 "}",
                 atomic_u64_load(&shared_page->commit_serial[instance]));
    if (text[0] != '\0')
        stat_text(scan, W_PROGRESS, strview_from(text));
}

static void
put_usage(StatScan *scan, pid_t pid)
{
    int64_t value;

    if (stat_wants(scan, W_CPU_MS) && proc_cpu_ms(pid, &value))
        stat_integer(scan, W_CPU_MS, value);
    if (stat_wants(scan, W_RSS_BYTES) && proc_rss_bytes(pid, &value))
        stat_integer(scan, W_RSS_BYTES, value);
}

static void
put_worker(StatScan *scan, int32_t index)
{
    const ProcSlot *slot = slot_at(index);
    ProcKind kind = (ProcKind)atomic_u32_load(&slot->kind);
    int32_t instance = atomic_i32_load(&slot->instance);
    WaitEvent event = slot_wait_event(index);
    pid_t pid = atomic_i32_load(&slot->pid);
    char title[SLOT_TITLE_MAX], deaths[96], progress[96];

    stat_integer(scan, W_NODE_ID, node_info.node_id);
    stat_integer(scan, W_PID, pid);
    stat_integer(scan, W_INDEX, instance);
    stat_text(scan, W_STATE,
              slot_state(index) == SLOT_RUNNING ? STRVIEW("running") : STRVIEW("starting"));
    if (slot_read_title(index, title)) {
        StrView name = stat_kind_of_title(title);

        stat_text(scan, W_KIND, name);
        if (title[name.len] == ' ')
            stat_text(scan, W_ACTIVITY, strview_from(title + name.len + 1));
    }
    if (!stat_row_lives(scan))
        return;
    stat_integer(scan, W_STARTED, atomic_i64_load(&slot->started_ms));
    put_deaths(scan, kind, instance, deaths);
    put_progress(scan, kind, instance, progress);
    if (event != WAIT_EV_NONE) {
        stat_text(scan, W_WAIT_EVENT_TYPE, strview_from(wait_event_type(event)));
        stat_text(scan, W_WAIT_EVENT, strview_from(wait_event_name(event)));
    }
    put_usage(scan, pid);
    stat_end(scan);
}

/* The logger has no slot: the supervisor says who it is. */
static void
put_logger(StatScan *scan, pid_t pid)
{
    char deaths[96];

    stat_integer(scan, W_NODE_ID, node_info.node_id);
    stat_integer(scan, W_PID, pid);
    stat_integer(scan, W_INDEX, 0);
    stat_text(scan, W_STATE, STRVIEW("running"));
    stat_text(scan, W_KIND, STRVIEW("logger"));
    if (!stat_row_lives(scan))
        return;
    stat_integer(scan, W_STARTED, atomic_i64_load(&shared_page->logger_started_ms));
    put_deaths(scan, PROC_LOGGER, 0, deaths);
    stat_text(scan, W_WAIT_EVENT_TYPE, strview_from(wait_event_type(WAIT_EV_LOGGER_MAIN)));
    stat_text(scan, W_WAIT_EVENT, strview_from(wait_event_name(WAIT_EV_LOGGER_MAIN)));
    put_usage(scan, pid);
    stat_end(scan);
}

static int64_t
scan_workers(StatScan *scan, int64_t cursor)
{
    pid_t logger = (pid_t)atomic_i32_load(&shared_page->logger_pid);

    if (cursor < slot_backend_count())
        cursor = slot_backend_count();
    for (; cursor < slot_count(); cursor++) {
        if (!stat_look(scan))
            return cursor;
        if (slot_state((int32_t)cursor) != SLOT_DEAD)
            put_worker(scan, (int32_t)cursor);
    }
    if (logger != 0) {
        if (!stat_look(scan))
            return cursor;
        put_logger(scan, logger);
    }
    return STAT_END;
}

const StatView stat_workers_view = {.name = "workers",
                                    .columns = worker_columns,
                                    .column_count =
                                        sizeof worker_columns / sizeof worker_columns[0],
                                    .scan = scan_workers};

/* ---- brokers -------------------------------------------------------------------------------------- */

enum {
    B_NODE_ID,
    B_EPOCH,
    B_INCARNATION,
    B_VERSION,
    B_STARTED,
    B_UPTIME_MS,
    B_CRASH_CYCLES,
    B_LISTENER
};

static const StatColumn broker_columns[] = {
    [B_NODE_ID] = {"node_id", STAT_INTEGER},           [B_EPOCH] = {"epoch", STAT_INTEGER},
    [B_INCARNATION] = {"incarnation", STAT_TEXT},      [B_VERSION] = {"version", STAT_TEXT},
    [B_STARTED] = {"started", STAT_INTEGER},           [B_UPTIME_MS] = {"uptime_ms", STAT_INTEGER},
    [B_CRASH_CYCLES] = {"crash_cycles", STAT_INTEGER}, [B_LISTENER] = {"listener", STAT_TEXT},
};

/* What this node alone knows of itself as a broker. */
static int64_t
scan_brokers(StatScan *scan, int64_t cursor)
{
    int64_t started_ms = atomic_i64_load(&shared_page->started_ms);
    char incarnation[UUID_TEXT_LEN + 1];
    ImagePin pin;

    if (cursor > 0 || !stat_look(scan))
        return cursor > 0 ? STAT_END : cursor;
    pin = image_pin();
    if (pin.image != NULL) {
        const ImageBroker *self = image_broker(pin.image, node_info.node_id);

        if (self != NULL)
            stat_integer(scan, B_EPOCH, self->epoch);
    }
    image_unpin(&pin);
    uuid_to_text(node_info.incarnation_id, incarnation);
    stat_integer(scan, B_NODE_ID, node_info.node_id);
    stat_text(scan, B_INCARNATION, strview_from(incarnation));
    stat_text(scan, B_VERSION, STRVIEW(OT_VERSION));
    stat_integer(scan, B_STARTED, started_ms);
    stat_integer(scan, B_UPTIME_MS, clock_wall_ms() - started_ms);
    stat_integer(scan, B_CRASH_CYCLES, atomic_u32_load(&shared_page->crash_cycles));
    if (scan->rq->conn != NULL)
        stat_text(scan, B_LISTENER, meta_listener(scan->rq->conn));
    stat_end(scan);
    return STAT_END;
}

const StatView stat_brokers_view = {.name = "brokers",
                                    .columns = broker_columns,
                                    .column_count =
                                        sizeof broker_columns / sizeof broker_columns[0],
                                    .scan = scan_brokers};

/* ---- shmem ---------------------------------------------------------------------------------------- */

enum { M_NODE_ID, M_NAME, M_OFFSET, M_SIZE_BYTES, M_USED_BYTES, M_WRITER, M_READERS, M_CRASH_RULE };

static const StatColumn shmem_columns[] = {
    [M_NODE_ID] = {"node_id", STAT_INTEGER},       [M_NAME] = {"name", STAT_TEXT},
    [M_OFFSET] = {"offset", STAT_INTEGER},         [M_SIZE_BYTES] = {"size_bytes", STAT_INTEGER},
    [M_USED_BYTES] = {"used_bytes", STAT_INTEGER}, [M_WRITER] = {"writer", STAT_TEXT},
    [M_READERS] = {"readers", STAT_TEXT},          [M_CRASH_RULE] = {"crash_rule", STAT_TEXT},
};

#define PAGES_AT_A_TIME 4096

/* Bytes of the pages that exist: those that were ever written or read. -1: the kernel does not say. */
static int64_t
used_bytes(const RegionPart *part)
{
    uintptr_t at = (uintptr_t)part->at & ~(uintptr_t)(REGION_PAGE - 1);
    uintptr_t end = (uintptr_t)part->at + part->size;
    int64_t pages = 0;

    while (at < end) {
        unsigned char there[PAGES_AT_A_TIME];
        size_t count = (end - at + REGION_PAGE - 1) / REGION_PAGE;

        count = count < PAGES_AT_A_TIME ? count : PAGES_AT_A_TIME;
        if (mincore((void *)at, count * REGION_PAGE, there) != 0)
            return -1;
        for (size_t i = 0; i < count; i++)
            pages += there[i] & 1;
        at += count * REGION_PAGE;
    }
    pages *= REGION_PAGE;
    return pages < (int64_t)part->size ? pages : (int64_t)part->size;
}

static int64_t
scan_shmem(StatScan *scan, int64_t cursor)
{
    RegionPart part;

    for (; cursor < REGION_ROWS_MAX && region_part((int)cursor, &part); cursor++) {
        int64_t used;

        if (!stat_look(scan))
            return cursor;
        stat_integer(scan, M_NODE_ID, node_info.node_id);
        stat_text(scan, M_NAME, strview_from(part.row->name));
        stat_integer(scan, M_OFFSET, (int64_t)part.offset);
        stat_integer(scan, M_SIZE_BYTES, (int64_t)part.size);
        stat_text(scan, M_WRITER, strview_from(part.row->writer));
        stat_text(scan, M_READERS, strview_from(part.row->readers));
        stat_text(scan, M_CRASH_RULE, strview_from(part.row->crash_rule));
        if (!stat_row_lives(scan))
            continue;
        used = stat_wants(scan, M_USED_BYTES) ? used_bytes(&part) : -1;
        if (used >= 0)
            stat_integer(scan, M_USED_BYTES, used);
        stat_end(scan);
    }
    return STAT_END;
}

const StatView stat_shmem_view = {.name = "shmem",
                                  .columns = shmem_columns,
                                  .column_count = sizeof shmem_columns / sizeof shmem_columns[0],
                                  .scan = scan_shmem};
