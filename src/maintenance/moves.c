/*
 * moves.c - logs that are to be in another log directory: a few moved at a time, in slices
 *
 * Runs in: retention, between its other jobs, so that none of them waits for more than a slice. What is done next
 * decides move_queue.c. A move that fails is given up: the log goes on where it is, the copy is removed, a line
 * says why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "moves_int.h"

#include "folders_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/move_wish.h"
#include "ottla/storage/plog.h"

#define SLICE_MAX (INT64_C(4) << 20)
#define SLICE_MIN (INT64_C(64) << 10)

static int64_t
slice_bytes(int64_t bytes_per_second)
{
    if (bytes_per_second >= SLICE_MAX)
        return SLICE_MAX;
    return bytes_per_second < SLICE_MIN ? SLICE_MIN : bytes_per_second;
}

static int32_t
limit(void)
{
    int32_t wanted = conf_is_set(CONF_NUM_REPLICA_ALTER_LOG_DIRS_THREADS)
                         ? conf_int32(CONF_NUM_REPLICA_ALTER_LOG_DIRS_THREADS)
                         : logdir_count();

    if (wanted < 1)
        return 1;
    return wanted < MOVES_MAX ? wanted : MOVES_MAX;
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

    return slot != NULL && pslot_wish(slot).word == plog_move_wish(move).word;
}

static bool
goes_on(const Moves *m, int32_t index)
{
    for (int32_t i = 0; i < MOVES_MAX; i++)
        if (m->on[i].move != NULL && plog_move_ref(m->on[i].move).slot == index)
            return true;
    return false;
}

static bool
is_under_repair(const PartitionSlot *slot, int dir)
{
    return logdir_state(dir) == LOGDIR_REPAIRING ||
           logdir_state(pslot_dir(slot)) == LOGDIR_REPAIRING;
}

/*
 * The next log with a wish that has no place, each in its turn; PSLOT_NONE: none that can begin. *ret_later: there are some
 * that cannot yet.
 */
static int32_t
find_wish(Moves *m, bool *ret_later)
{
    int32_t high = pslot_high();

    *ret_later = false;
    for (int32_t n = 0; n < high; n++) {
        int32_t i = (int32_t)(((int64_t)m->cursor + n) % high);
        const PartitionSlot *slot = pslot_at(i);
        int dir = is_hosted(slot) ? pslot_wanted_dir(slot) : -1;

        if (dir < 0 || goes_on(m, i))
            continue;
        if (!is_under_repair(slot, dir)) {
            m->cursor = i + 1;
            return i;
        }
        *ret_later = true;
    }
    return PSLOT_NONE;
}

/* ---- a move ------------------------------------------------------------------------------------- */

static void
end_move(Moves *m, int32_t place)
{
    plog_move_end(m->on[place].move);
    m->on[place].move = NULL;
    move_queue_remove(&m->queue, place);
}

/* The copy goes at once, because it may be what fills the disk. */
static void
give_up(PartitionRef ref, PslotWish wish, const ErrInfo *err)
{
    const PartitionSlot *slot = pslot_at(ref.slot);
    char folder[LIMIT_PATH_BYTES];

    if (!move_wish_drop(ref, wish, folder))
        return; /* nobody wants it any more */
    if (folder[0] != '\0' && !folders_remove(folder))
        folders_note_deleted(folder, clock_mono_ms());
    log_msg(LL_ERROR, "retention",
            "log cannot be moved and stays where it is: %s; topic=%s partition=%d target=%s",
            err->text, slot->topic, (int)slot->partition, logdir_path(wish.dir));
}

static void
begin_move(Moves *m, int32_t index, int64_t now_us)
{
    const PartitionSlot *slot = pslot_at(index);
    PartitionRef ref = pslot_ref(slot);
    PslotWish wish = pslot_wish(slot);
    PlogMove *move = NULL;
    ErrInfo err = {0};
    int32_t place;
    int rc;

    if (wish.dir < 0 || !pslot_is_current(ref))
        return;
    rc = plog_move_begin(ref, wish, &move, &err);
    if (rc == OT_E_NOT_LEADER_OR_FOLLOWER) { /* it is being recovered */
        move_queue_look_later(&m->queue, now_us);
        return;
    }
    if (rc != 0) {
        give_up(ref, wish, &err);
        return;
    }
    place = move_queue_add(&m->queue);
    m->on[place] = (MoveOn){move, now_us};
    log_msg(LL_LOG, "retention", "log moves; topic=%s partition=%d from=%s to=%s", slot->topic,
            (int)slot->partition, logdir_path(pslot_dir(slot)), logdir_path(wish.dir));
}

static void
look(Moves *m, int64_t now_us)
{
    bool later;
    int32_t index = find_wish(m, &later);

    if (index != PSLOT_NONE)
        begin_move(m, index, now_us);
    else if (later)
        move_queue_look_later(&m->queue, now_us);
    else
        move_queue_looked(&m->queue);
}

static void
report_moved(const MoveOn *on)
{
    const PartitionSlot *slot = pslot_at(plog_move_ref(on->move).slot);

    log_msg(LL_LOG, "retention", "log has moved; topic=%s partition=%d to=%s bytes=%lld ms=%lld",
            slot->topic, (int)slot->partition, logdir_path(plog_move_wish(on->move).dir),
            (long long)plog_move_bytes(on->move),
            (long long)(clock_mono_us() - on->begin_us) / 1000);
}

/* Copies; switches when little is left. */
static void
slice(Moves *m, int32_t place, int64_t now_us, bool *ret_left_folder)
{
    MoveCopied copied = {0, conf_int64(CONF_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND)};
    PlogMove *move = m->on[place].move;
    PartitionRef ref = plog_move_ref(move);
    PslotWish wish = plog_move_wish(move);
    char old[LIMIT_PATH_BYTES] = "";
    int64_t left = INT64_MAX;
    ErrInfo err = {0};
    int rc = 0;

    if (copied.bytes_per_second > 0)
        rc = plog_move_copy(move, slice_bytes(copied.bytes_per_second), &copied.bytes, &left, &err);
    if (rc == 0 && left > PLOG_MOVE_LAST_BYTES) {
        move_queue_served(&m->queue, place, &copied, now_us);
        return;
    }
    if (rc == 0)
        rc = plog_move_finish(move, old, &err);
    if (rc == OT_E_AGAIN) {
        move_queue_held(&m->queue, place, &copied, now_us);
        return;
    }
    if (rc == 0)
        report_moved(&m->on[place]);
    end_move(m, place);
    if (rc != 0)
        give_up(ref, wish, &err);
    *ret_left_folder = old[0] != '\0';
    if (*ret_left_folder)
        folders_note_deleted(old, clock_mono_ms());
}

int64_t
moves_turn(Moves *m, int64_t now_us, bool *ret_left_folder)
{
    uint32_t wishes = pslot_wishes();
    MoveChoice choice;

    *ret_left_folder = false;
    if (wishes != m->seen)
        move_queue_look(&m->queue, now_us);
    m->seen = wishes;
    for (int32_t i = 0; i < MOVES_MAX; i++)
        if (m->on[i].move != NULL && !still_wanted(m->on[i].move))
            end_move(m, i); /* elsewhere, nowhere, or the topic is deleted */
    choice = move_queue_choose(&m->queue, limit(), now_us);
    switch (choice.action) {
    case MOVE_ACTION_WAIT:
        return choice.until_us;
    case MOVE_ACTION_LOOK:
        look(m, now_us);
        return now_us;
    case MOVE_ACTION_SLICE:
        slice(m, choice.place, now_us, ret_left_folder);
        return now_us;
    }
    ot_unreachable();
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
            uuid_equal(slot->topic_id, owner->topic_id)) {
            move_wish_take_up(pslot_ref(slot), dir, folder);
            return;
        }
    }
    (void)folders_remove(folder); /* else the next start finds it again */
}

void
moves_init(Moves *m)
{
    *m = (Moves){0};
    move_queue_look(&m->queue, 0);
    for (int dir = 0; dir < logdir_count(); dir++)
        if (logdir_state(dir) != LOGDIR_FAILED)
            folders_find_futures(dir, take_up);
}
