/*
 * latch.c - waking another process, one or many
 *
 * Runs in: every process with a slot; wakers need none.
 * Never: waits, or fails: who cannot be signalled is dead or dying.
 *
 * Crash argument. A latch is two words: latch_set, stored by wakers, taken by the owner; latch_sleeps,
 * the owner's. A waker killed between setting the latch and the signal leaves a set latch and a
 * sleeping owner, whom later wakers then pass by: the supervisor raises rescan_epoch and signals all,
 * and a sleeper also wakes for its deadline. A help cell is one word, put by CAS into a free cell and
 * taken by swap: a helper killed in between strands its sleepers in the same way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/latch.h"

#include <signal.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/counters.h"

void
latch_block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, LATCH_SIGNAL);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    ot_assert(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    ot_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ot_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
}

/*
 * Sets the latch; true when the owner sleeps and nobody else set it before. [L1]: the swap and the
 * load are sequentially consistent, as are the stores and the load in latch_begin_sleep.
 */
static bool
mark_set(ProcSlot *slot)
{
    if (atomic_u32_load_seq(&slot->latch_set) != 0)
        return false;
    return atomic_u32_swap(&slot->latch_set, 1) == 0 &&
           atomic_u32_load_seq(&slot->latch_sleeps) != 0;
}

static void
send_signal(const ProcSlot *slot)
{
    pid_t pid = atomic_i32_load(&slot->pid);

    if (pid <= 0)
        return;
    (void)kill(pid, LATCH_SIGNAL); /* gone meanwhile, or its number is another's, who ignores it */
    stat_add(STAT_WAKE_SIGNALS, 1);
}

void
latch_set(SlotRef ref)
{
    if (slot_is_alive(ref.index, ref.generation))
        latch_set_index(ref.index);
}

void
latch_set_index(int32_t slot_index)
{
    ProcSlot *slot = slot_at(slot_index);

    if (mark_set(slot))
        send_signal(slot);
}

void
wake_batch_add(WakeBatch *batch, uint64_t packed_ref)
{
    if (packed_ref == 0 || (batch->count > 0 && batch->refs[batch->count - 1] == packed_ref))
        return;
    if (batch->count == WAKE_BATCH_MAX)
        wake_batch_flush(batch);
    batch->refs[batch->count++] = packed_ref;
}

/* Tells a process that was signalled of one more sleeper. False: its cells are full. */
static bool
hand_over(ProcSlot *helper, uint64_t packed_ref)
{
    for (int i = 0; i < SLOT_HELP_CELLS; i++) {
        uint64_t none = 0;

        if (atomic_u64_load_relaxed(&helper->help[i]) == 0 &&
            atomic_u64_cas(&helper->help[i], &none, packed_ref))
            return true;
    }
    return false;
}

/*
 * Help cells are filled before the helper is signalled, so it finds them when it runs; a helper that
 * runs earlier (another waker) may leave some to be found at its next turn, which the signal causes.
 */
void
wake_batch_flush(WakeBatch *batch)
{
    uint64_t sleepers[WAKE_BATCH_MAX];
    int count = 0;
    int next;

    for (int i = 0; i < batch->count; i++) {
        SlotRef ref = slot_ref_unpack(batch->refs[i]);

        if (slot_is_alive(ref.index, ref.generation) && mark_set(slot_at(ref.index)))
            sleepers[count++] = batch->refs[i];
    }
    batch->count = 0;
    next = count < WAKE_FANOUT ? count : WAKE_FANOUT;
    for (int i = 0; i < count && i < WAKE_FANOUT; i++) {
        ProcSlot *helper = slot_at(slot_ref_unpack(sleepers[i]).index);

        for (int k = 0; k < SLOT_HELP_CELLS && next < count; k++) {
            if (!hand_over(helper, sleepers[next]))
                break;
            next++;
        }
        send_signal(helper);
    }
    for (; next < count; next++)
        send_signal(slot_at(slot_ref_unpack(sleepers[next]).index));
}

void
latch_help(void)
{
    for (int i = 0; i < SLOT_HELP_CELLS; i++) {
        SlotRef ref;

        if (atomic_u64_load_relaxed(&my_slot->help[i]) == 0)
            continue;
        ref = slot_ref_unpack(atomic_u64_swap(&my_slot->help[i], 0));
        /* Its latch is set already; what it lacks is the signal. */
        if (ref.index >= 0 && slot_is_alive(ref.index, ref.generation))
            send_signal(slot_at(ref.index));
    }
}

bool
latch_reset(void)
{
    if (atomic_u32_load_relaxed(&my_slot->latch_set) == 0)
        return false;
    return atomic_u32_swap(&my_slot->latch_set, 0) != 0;
}

bool
latch_begin_sleep(void)
{
    atomic_u32_store_seq(&my_slot->latch_sleeps, 1);
    return atomic_u32_load_seq(&my_slot->latch_set) == 0; /* [L1] */
}

void
latch_end_sleep(void)
{
    atomic_u32_store(&my_slot->latch_sleeps, 0);
}
