/*
 * open_epochs.c - the epochs of a log that is opened: out of their file, or of the batches
 *
 * Runs in: whoever opens the log, as plog_open.c; append lock held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/open_int.h"

/*
 * The file is renamed without a flush: a loss of power may leave none, an empty one, or half of it. Every
 * batch names its epoch.
 */
static bool
epochs_are_lost(const LogLoad *load, int code)
{
    int64_t first;

    if (code == OT_E_NOT_FOUND || code == OT_E_CORRUPT)
        return true;
    if (code != 0 || load->clean || load->segment_count == 0 || load->segments[0].size == 0)
        return false;
    first = load->segments[0].base;
    if (first < load->slot->start_log_start)
        first = load->slot->start_log_start;
    return load->epoch_count == 0 || load->epochs[0].start_offset > first;
}

int
load_epochs(LogLoad *load, ErrInfo *err)
{
    int rc = epoch_file_load(load->folder, &load->epochs, &load->epoch_count, err);

    load->epochs_lost = epochs_are_lost(load, rc);
    load->epoch_room = load->epoch_count;
    return load->epochs_lost ? 0 : rc;
}

int
load_rebuild_epochs(LogLoad *load, ErrInfo *err)
{
    int32_t i;
    int rc = 0;

    load->epoch_count = 0;
    load->epochs_changed = true;
    for (i = 0; i < load->segment_count && rc == 0; i++)
        rc = segment_collect_epochs(load, &load->segments[i], err);
    return rc;
}

int
load_settle_epochs(LogLoad *load, int64_t log_start, int64_t log_end, ErrInfo *err)
{
    int32_t count = epochs_truncate_end(load->epochs, load->epoch_count, log_end);

    load->epochs_changed |= count != load->epoch_count;
    if (count > 0 && load->epochs[0].start_offset < log_start) {
        count = epochs_truncate_start(load->epochs, count, log_start);
        load->epochs_changed = true;
    }
    load->epoch_count = count;
    if (!load->epochs_changed || load->read_only)
        return 0;
    return epoch_file_store(load->folder, load->epochs, load->epoch_count, err);
}
