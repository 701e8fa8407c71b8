/*
 * open_producers.c - the producers of a log that is opened: snapshot and replay
 *
 * Runs in: whoever opens the log, as plog_open.c; append lock held.
 * Spec: log.md 8.8, 9.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log.h"
#include "storage/open_int.h"

static int
remove_snapshot(const LogLoad *load, int64_t offset, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    if (load->read_only)
        return 0;
    plog_file_path(load->slot, offset, SEGMENT_SNAPSHOT, path);
    rc = vfs_unlink(path, err);
    return rc == OT_E_NOT_FOUND ? 0 : rc;
}

static bool
is_segment_base(const LogLoad *load, int64_t offset)
{
    int32_t i;

    for (i = 0; i < load->segment_count; i++) {
        if (load->segments[i].base == offset)
            return true;
    }
    return false;
}

int
load_prune_snapshots(LogLoad *load, int64_t log_end, ErrInfo *err)
{
    int64_t first = load->segment_count == 0 ? 0 : load->segments[0].base;
    int32_t kept = 0;
    int32_t i;
    int rc = 0;

    for (i = 0; i < load->snapshot_count && rc == 0; i++) {
        int64_t offset = load->snapshots[i];
        bool newest = i + 1 == load->snapshot_count || load->snapshots[i + 1] > log_end;

        if (offset >= first && offset <= log_end && (newest || is_segment_base(load, offset)))
            load->snapshots[kept++] = offset;
        else
            rc = remove_snapshot(load, offset, err);
    }
    load->snapshot_count = kept;
    return rc;
}

int
load_producers(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    bool scanned = load->scanned_from >= 0;
    int64_t trusted =
        load->scanned_from > load->recovery_point ? load->scanned_from : load->recovery_point;
    int64_t most = scanned ? trusted : t->log_end;
    int64_t from = t->log_start < t->active_base ? t->log_start : t->active_base;
    int64_t producerless = atomic_i64_load(&load->slot->producerless_end);
    int32_t i;
    int rc = load_prune_snapshots(load, t->log_end, err);

    if (rc != 0)
        return rc;
    if (producerless > most) { /* of a log that was longer */
        producerless = 0;
        atomic_i64_store(&load->slot->producerless_end, 0);
    }
    load->slot->snapshot_offset = -1;
    from = load->segment_count > 0 ? load->segments[0].base : from;
    for (i = load->snapshot_count - 1; i >= 0; i--) {
        if (load->snapshots[i] > most)
            continue;
        if (load->snapshots[i] < producerless) {
            load->slot->snapshot_offset = load->snapshots[i];
            break;
        }
        rc = plog_snapshot_load(load->slot, load->snapshots[i], err);
        if (rc == 0) {
            load->slot->snapshot_offset = load->snapshots[i];
            from = load->snapshots[i];
            break;
        }
        producer_remove_all(load->slot);
        if (rc != OT_E_CORRUPT && rc != OT_E_NOT_FOUND)
            return rc;
        log_msg(LL_WARNING, "storage",
                "producer snapshot is damaged and removed; topic=%s partition=%d offset=%lld",
                load->slot->topic, (int)load->slot->partition, (long long)load->snapshots[i]);
        rc = remove_snapshot(load, load->snapshots[i], err);
        if (rc != 0)
            return rc;
    }
    t->first_unstable = producer_first_unstable(load->slot);
    if (load->snapshot_count == 0 && load->clean)
        return 0;
    if (from < producerless)
        from = producerless;
    return plog_replay_producers(load->slot, t, from, scanned ? trusted : INT64_MAX, err);
}
