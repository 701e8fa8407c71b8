/*
 * moves.c - logs that are to be in another log directory: moved one after the other, in slices
 *
 * Runs in: retention, between its other jobs, so that none of them waits for more than a slice.
 * A move that fails is given up: the log goes on where it is, the copy is removed, a line says why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "moves_int.h"

#include "folders_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/plog.h"

#define SLICE_MAX (INT64_C(4) << 20)
#define SLICE_MIN (INT64_C(64) << 10)
#define RETRY_US  (1000 * 1000) /* a log that is being recovered, a directory under repair */
#define LOCK_US   (1 * 1000)    /* an append lock that was held */

/* ---- the rate ----------------------------------------------------------------------------------- */

static int64_t
slice_bytes(int64_t bytes_per_second)
{
    if (bytes_per_second >= SLICE_MAX)
        return SLICE_MAX;
    return bytes_per_second < SLICE_MIN ? SLICE_MIN : bytes_per_second;
}

/* What was copied has to last for so long. */
static int64_t
pause_us(int64_t copied, int64_t bytes_per_second)
{
    return copied * 1000000 / bytes_per_second;
}

/* ---- wishes ------------------------------------------------------------------------------------- */

static bool
is_hosted(const PartitionSlot *slot)
{
    return pslot_state(slot) != PSLOT_FREE && pslot_state(slot) != PSLOT_DELETING;
}

static bool
still_wanted(const PlogMove *move)
{
    const PartitionSlot *slot = pslot_find(plog_move_ref(move));

    return slot != NULL && pslot_wanted_dir(slot) == plog_move_target(move);
}

/* The first log that is not where it shall be; PSLOT_NONE: none. */
static int32_t
find_wish(void)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high; i++) {
        const PartitionSlot *slot = pslot_at(i);
        int dir = is_hosted(slot) ? pslot_wanted_dir(slot) : -1;

        if (dir >= 0 && dir != pslot_dir(slot))
            return i;
        if (dir >= 0)
            pslot_unwant_dir(pslot_ref(slot), dir); /* it stays where it is */
    }
    return PSLOT_NONE;
}

/* ---- a move ------------------------------------------------------------------------------------- */

static void
end_move(Moves *m)
{
    char folder[LIMIT_PATH_BYTES];

    plog_move_end(m->now, folder);
    m->now = NULL;
    if (folder[0] != '\0' && !folders_remove(folder)) {
        /* The next start finds it. */
    }
}

static void
give_up(PartitionRef ref, int dir, const ErrInfo *err)
{
    const PartitionSlot *slot = pslot_at(ref.slot);

    if (pslot_is_current(ref))
        log_msg(LL_ERROR, "retention",
                "log cannot be moved and stays where it is: %s; topic=%s partition=%d target=%s",
                err->text, slot->topic, (int)slot->partition, logdir_path(dir));
    pslot_unwant_dir(ref, dir);
}

/* Returns when to go on. */
static int64_t
begin_move(Moves *m, int32_t index, int64_t now_us)
{
    const PartitionSlot *slot = pslot_at(index);
    PartitionRef ref = pslot_ref(slot);
    int dir = pslot_wanted_dir(slot);
    ErrInfo err = {0};
    int rc;

    if (dir < 0 || !pslot_is_current(ref))
        return now_us;
    if (logdir_state(dir) == LOGDIR_REPAIRING || logdir_state(pslot_dir(slot)) == LOGDIR_REPAIRING)
        return now_us + RETRY_US;
    rc = plog_move_begin(ref, dir, &m->now, &err);
    if (rc == OT_E_NOT_LEADER_OR_FOLLOWER)
        return now_us + RETRY_US;
    if (rc != 0) {
        give_up(ref, dir, &err);
        return now_us;
    }
    m->begin_us = now_us;
    log_msg(LL_LOG, "retention", "log moves; topic=%s partition=%d from=%s to=%s", slot->topic,
            (int)slot->partition, logdir_path(pslot_dir(slot)), logdir_path(dir));
    return now_us;
}

static void
report_moved(const Moves *m)
{
    const PartitionSlot *slot = pslot_at(plog_move_ref(m->now).slot);

    log_msg(LL_LOG, "retention", "log has moved; topic=%s partition=%d to=%s bytes=%lld ms=%lld",
            slot->topic, (int)slot->partition, logdir_path(plog_move_target(m->now)),
            (long long)plog_move_bytes(m->now), (long long)(clock_mono_us() - m->begin_us) / 1000);
}

/* Copies; switches when little is left. Returns when to go on. */
static int64_t
go_on(Moves *m, int64_t now_us, bool *ret_left_folder)
{
    int64_t rate = conf_int64(CONF_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND);
    PartitionRef ref = plog_move_ref(m->now);
    int dir = plog_move_target(m->now);
    char old[LIMIT_PATH_BYTES] = "";
    int64_t copied = 0, left;
    ErrInfo err = {0};
    int rc;

    if (rate <= 0)
        return now_us + RETRY_US; /* nothing, until the setting changes */
    rc = plog_move_copy(m->now, slice_bytes(rate), &copied, &left, &err);
    if (rc == 0 && left > PLOG_MOVE_LAST_BYTES)
        return now_us + pause_us(copied, rate);
    if (rc == 0)
        rc = plog_move_finish(m->now, old, &err);
    if (rc == OT_E_AGAIN)
        return now_us + LOCK_US + pause_us(copied, rate);
    if (rc == 0)
        report_moved(m);
    end_move(m);
    if (rc != 0)
        give_up(ref, dir, &err);
    *ret_left_folder = old[0] != '\0';
    if (*ret_left_folder)
        folders_note_deleted(old, clock_mono_ms());
    return now_us;
}

int64_t
moves_turn(Moves *m, int64_t now_us, bool *ret_left_folder)
{
    uint32_t wishes = pslot_wishes();
    int32_t index;

    *ret_left_folder = false;
    m->looking |= wishes != m->seen;
    m->seen = wishes;
    if (m->now != NULL && !still_wanted(m->now))
        end_move(m); /* elsewhere, nowhere, or the topic is deleted */
    if (m->now == NULL && !m->looking)
        return INT64_MAX;
    if (now_us < m->next_us)
        return m->next_us;
    if (m->now != NULL) {
        m->next_us = go_on(m, now_us, ret_left_folder);
        return m->next_us;
    }
    index = find_wish();
    m->looking = index != PSLOT_NONE;
    if (!m->looking)
        return INT64_MAX;
    m->next_us = begin_move(m, index, now_us);
    return m->next_us;
}

/* ---- after a start ------------------------------------------------------------------------------ */

/* A copy that the last run left: what it was to become is wanted still. */
static void
take_up(int dir, const char *folder, const FolderOwner *owner)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high && owner->known; i++) {
        const PartitionSlot *slot = pslot_at(i);

        if (is_hosted(slot) && slot->partition == owner->partition &&
            uuid_equal(slot->topic_id, owner->topic_id) && pslot_dir(slot) != dir)
            pslot_want_dir(pslot_ref(slot), dir);
    }
    (void)folders_remove(folder); /* else the next start finds it again */
}

void
moves_init(Moves *m)
{
    *m = (Moves){.looking = true};
    for (int dir = 0; dir < logdir_count(); dir++)
        if (logdir_state(dir) != LOGDIR_FAILED)
            folders_find_futures(dir, take_up);
}
