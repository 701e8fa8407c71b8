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

typedef struct Control {
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
