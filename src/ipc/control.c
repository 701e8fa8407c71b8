/*
 * control.c - what a backend asks of the supervisor
 *
 * Runs in: backend (ask), supervisor (take, reply).
 * Crash argument. The word of an order has two writers, never at once: the backend while it holds no order, the
 * supervisor, by CAS, while it does. A backend that dies takes its order along: the slot's next owner clears the word,
 * and an answer that comes late fails its CAS. What a reload came to is kept twice. The lock of ottla.auto.conf
 * protects a file that is replaced as a whole: who finds its last owner dead has nothing to repair.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/control.h"

#include <stdio.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/plock.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"

#define PID_BITS 24 /* the kernel's numbers end at 2^22 */

/* Of one kind and instance; two words, the last death may be newer than the count. */
typedef struct DeathRow {
    AtomicU64 who; /* kind << 32 | instance, + 1; 0: nobody's */
    AtomicU32 count;
    AtomicU32 last; /* code << 1 | exited */
} DeathRow;

typedef struct Control {
    DeathRow deaths[PROC_WORKERS_MAX];
    TwoCopy reload_head;
    ControlReload reload[2];
    PLock auto_file;
} Control;

static_assert(sizeof(ControlReload) % 8 == 0, "copied by words");
static_assert(CONTROL_STATE_COUNT <= 256, "a byte");

static Control *control;

size_t
control_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the same for every node */
    return sizeof(Control);
}

void
control_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    control = base;
    plock_init(&control->auto_file, PLOCK_RANK_AUTO_FILE);
}

static uint64_t
word_of(const ControlOrder *order)
{
    return (uint64_t)order->generation << 32 |
           (uint64_t)((uint32_t)order->pid & ((1u << PID_BITS) - 1)) << 8 | (uint64_t)order->what;
}

static bool
is_order(uint64_t word)
{
    ControlState state = (ControlState)(word & 0xff);

    return state == CONTROL_RELOAD || state == CONTROL_TERMINATE || state == CONTROL_CANCEL;
}

void
control_ask(const ControlOrder *order)
{
    ot_assert(my_slot != NULL && order->what >= CONTROL_RELOAD && order->what <= CONTROL_CANCEL);
    atomic_u64_store_seq(&my_slot->control, word_of(order));
    (void)atomic_u32_add(&shared_page->control_serial, 1);
    node_wake_supervisor();
}

ControlState
control_answer(void)
{
    uint64_t word = atomic_u64_load_seq(&my_slot->control);

    return is_order(word) ? CONTROL_NOTHING : (ControlState)(word & 0xff);
}

bool
control_take(int32_t slot, ControlOrder *ret)
{
    uint64_t word = atomic_u64_load_seq(&slot_at(slot)->control);

    if (!is_order(word))
        return false;
    ret->what = (ControlState)(word & 0xff);
    ret->pid = (pid_t)(word >> 8 & ((1u << PID_BITS) - 1));
    ret->generation = (uint32_t)(word >> 32);
    return true;
}

void
control_reply(int32_t slot, const ControlOrder *order, ControlState answer)
{
    uint64_t word = word_of(order);

    if (!atomic_u64_cas(&slot_at(slot)->control, &word, (uint64_t)answer))
        return; /* another order by now, or another owner */
    atomic_u32_store_seq(&slot_at(slot)->latch_set, 1);
}

void
control_tell_reload(const char *text)
{
    ControlReload reload = {.at_ms = clock_wall_ms()};

    snprintf(reload.text, sizeof reload.text, "%s", text);
    twocopy_write(&control->reload_head, control->reload, &reload, sizeof reload);
}

void
control_read_reload(ControlReload *ret)
{
    if (twocopy_read(&control->reload_head, control->reload, sizeof *ret, ret) == 0)
        *ret = (ControlReload){0};
    ret->text[sizeof ret->text - 1] = '\0';
}

static DeathRow *
death_row(ProcKind kind, int32_t instance, bool make)
{
    uint64_t who = ((uint64_t)kind << 32 | (uint32_t)instance) + 1;

    for (int i = 0; i < PROC_WORKERS_MAX; i++) {
        DeathRow *row = &control->deaths[i];
        uint64_t there = atomic_u64_load(&row->who);

        if (there == 0 && make)
            atomic_u64_store(&row->who, who);
        if (there == who || (there == 0 && make))
            return row;
        if (there == 0)
            break;
    }
    return NULL;
}

void
control_tell_death(ProcKind kind, int32_t instance, bool exited, int32_t code)
{
    DeathRow *row = death_row(kind, instance, true);

    if (row == NULL)
        return;
    atomic_u32_store(&row->last, (uint32_t)code << 1 | exited);
    (void)atomic_u32_add(&row->count, 1);
}

void
control_read_deaths(ProcKind kind, int32_t instance, ControlDeaths *ret)
{
    const DeathRow *row = death_row(kind, instance, false);
    uint32_t last = row == NULL ? 0 : atomic_u32_load(&row->last);

    *ret = (ControlDeaths){.count = row == NULL ? 0 : atomic_u32_load(&row->count),
                           .exited = (last & 1) != 0,
                           .code = (int32_t)(last >> 1)};
}

bool
control_lock_auto_file(int64_t deadline_us)
{
    switch (plock_lock(&control->auto_file, deadline_us, WAIT_EV_SETTINGS_FILE)) {
    case PLOCK_OWNER_DIED:
        plock_consistent(&control->auto_file);
        return true;
    case PLOCK_OK:
        return true;
    case PLOCK_TIMEOUT:
        break;
    }
    return false;
}

void
control_unlock_auto_file(void)
{
    plock_unlock(&control->auto_file);
}

const PLock *
control_auto_file_lock(void)
{
    return &control->auto_file;
}
