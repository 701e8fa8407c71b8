/*
 * stat_node.c - the views log_dirs and processes
 *
 * Runs in: backend. Cursors: log directory, process slot.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "backend/stat_int.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/plog.h"

/* ---- log_dirs ----------------------------------------------------------------------------------- */

enum {
    D_NODE_ID,
    D_DIRECTORY,
    D_DIR_UUID,
    D_STATE,
    D_FAILURE,
    D_ERROR,
    D_TOTAL_BYTES,
    D_USABLE_BYTES,
    D_USED_BYTES,
    D_PARTITIONS,
    D_FULL,
};

static const StatColumn log_dir_columns[] = {
    [D_NODE_ID] = {"node_id", STAT_INTEGER},
    [D_DIRECTORY] = {"directory", STAT_TEXT},
    [D_DIR_UUID] = {"dir_uuid", STAT_TEXT},
    [D_STATE] = {"state", STAT_TEXT},
    [D_FAILURE] = {"failure", STAT_TEXT},
    [D_ERROR] = {"error", STAT_TEXT},
    [D_TOTAL_BYTES] = {"total_bytes", STAT_INTEGER},
    [D_USABLE_BYTES] = {"usable_bytes", STAT_INTEGER},
    [D_USED_BYTES] = {"used_bytes", STAT_INTEGER},
    [D_PARTITIONS] = {"partitions", STAT_INTEGER},
    [D_FULL] = {"full", STAT_INTEGER},
};

/* Partitions of a directory and the bytes of their logs: a walk over the table, made only when asked for. */
static void
put_usage(StatScan *scan, int dir)
{
    bool want_bytes = stat_wants(scan, D_USED_BYTES);
    int64_t bytes = 0;
    int64_t count = 0;

    if (!want_bytes && !stat_wants(scan, D_PARTITIONS))
        return;
    for (int32_t i = 0; i < pslot_high(); i++) {
        const PartitionSlot *slot = pslot_at(i);
        PslotState state = pslot_state(slot);

        if (state == PSLOT_FREE || state == PSLOT_DELETING || pslot_dir(slot) != dir)
            continue;
        count++;
        if (want_bytes)
            bytes += plog_size_bytes(pslot_ref(slot));
    }
    stat_integer(scan, D_USED_BYTES, bytes);
    stat_integer(scan, D_PARTITIONS, count);
}

static void
put_log_dir(StatScan *scan, int dir)
{
    char why[LOGDIR_FAILURE_TEXT_BYTES];
    LogDirFailure failure = logdir_failure(dir, why);
    char uuid[UUID_TEXT_LEN + 1];
    LogDirUsage usage;

    uuid_to_text(logdir_uuid(dir), uuid);
    logdir_usage(dir, &usage);
    stat_integer(scan, D_NODE_ID, node_info.node_id);
    stat_text(scan, D_DIRECTORY, strview_from(logdir_path(dir)));
    stat_text(scan, D_DIR_UUID, strview_from(uuid));
    stat_text(scan, D_STATE, strview_from(logdir_state_name(logdir_state(dir))));
    if (failure != LOGDIR_FAILURE_NONE) {
        stat_text(scan, D_FAILURE, strview_from(logdir_failure_name(failure)));
        stat_text(scan, D_ERROR, strview_from(why));
    }
    if (usage.total_bytes >= 0)
        stat_integer(scan, D_TOTAL_BYTES, usage.total_bytes);
    if (usage.usable_bytes >= 0)
        stat_integer(scan, D_USABLE_BYTES, usage.usable_bytes);
    stat_integer(scan, D_FULL, (int64_t)logdir_full_count(dir));
    put_usage(scan, dir);
    stat_end(scan);
}

static int64_t
scan_log_dirs(StatScan *scan, int64_t cursor)
{
    for (; cursor < logdir_count(); cursor++) {
        if (!stat_look(scan))
            return cursor;
        put_log_dir(scan, (int)cursor);
    }
    return STAT_END;
}

const StatView stat_log_dirs_view = {.name = "log_dirs",
                                     .columns = log_dir_columns,
                                     .column_count =
                                         sizeof log_dir_columns / sizeof log_dir_columns[0],
                                     .scan = scan_log_dirs};

/* ---- processes ---------------------------------------------------------------------------------- */

enum {
    A_NODE_ID,
    A_PID,
    A_SLOT,
    A_GENERATION,
    A_STATE,
    A_TITLE,
    A_WAIT_EVENT_TYPE,
    A_WAIT_EVENT,
    A_STARTED,
    A_REQUESTS,
    A_ERRORS,
    A_BYTES_IN,
    A_BYTES_OUT,
};

static const StatColumn process_columns[] = {
    [A_NODE_ID] = {"node_id", STAT_INTEGER},
    [A_PID] = {"pid", STAT_INTEGER},
    [A_SLOT] = {"slot", STAT_INTEGER},
    [A_GENERATION] = {"generation", STAT_INTEGER},
    [A_STATE] = {"state", STAT_TEXT},
    [A_TITLE] = {"title", STAT_TEXT},
    [A_WAIT_EVENT_TYPE] = {"wait_event_type", STAT_TEXT},
    [A_WAIT_EVENT] = {"wait_event", STAT_TEXT},
    [A_STARTED] = {"started", STAT_INTEGER},
    [A_REQUESTS] = {"requests", STAT_INTEGER},
    [A_ERRORS] = {"errors", STAT_INTEGER},
    [A_BYTES_IN] = {"bytes_in", STAT_INTEGER},
    [A_BYTES_OUT] = {"bytes_out", STAT_INTEGER},
};

static void
put_counter(StatScan *scan, int32_t column, const ProcSlot *slot, SlotCounter counter)
{
    stat_integer(scan, column, (int64_t)atomic_u64_load_relaxed(&slot->counters[counter]));
}

static void
put_process(StatScan *scan, int32_t index)
{
    const ProcSlot *slot = slot_at(index);
    SlotState state = slot_state(index);
    WaitEvent event = slot_wait_event(index);
    char title[SLOT_TITLE_MAX];

    stat_integer(scan, A_NODE_ID, node_info.node_id);
    stat_integer(scan, A_PID, atomic_i32_load(&slot->pid));
    stat_integer(scan, A_SLOT, index);
    stat_integer(scan, A_GENERATION, slot_generation(index));
    stat_text(scan, A_STATE, state == SLOT_RUNNING ? STRVIEW("running") : STRVIEW("starting"));
    if (slot_read_title(index, title))
        stat_text(scan, A_TITLE, strview_from(title));
    if (event != 0 && wait_event_name(event) != NULL) {
        stat_text(scan, A_WAIT_EVENT_TYPE, strview_from(wait_event_type(event)));
        stat_text(scan, A_WAIT_EVENT, strview_from(wait_event_name(event)));
    }
    stat_integer(scan, A_STARTED, atomic_i64_load(&slot->started_ms));
    put_counter(scan, A_REQUESTS, slot, SLOT_COUNT_REQUESTS);
    put_counter(scan, A_ERRORS, slot, SLOT_COUNT_ERRORS);
    put_counter(scan, A_BYTES_IN, slot, SLOT_COUNT_BYTES_IN);
    put_counter(scan, A_BYTES_OUT, slot, SLOT_COUNT_BYTES_OUT);
    stat_end(scan);
}

static int64_t
scan_processes(StatScan *scan, int64_t cursor)
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

const StatView stat_processes_view = {.name = "processes",
                                      .columns = process_columns,
                                      .column_count =
                                          sizeof process_columns / sizeof process_columns[0],
                                      .scan = scan_processes};
