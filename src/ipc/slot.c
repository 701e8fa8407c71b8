/*
 * slot.c - process slots: life, generation, and what a process shows of itself
 *
 * Runs in: every process; the supervisor calls slot_prepare, slot_mark_dead, slot_read_panic alone.
 * Never: frees or sweeps what a dead process held; its generation has ended, that is all.
 *
 * Crash argument. State word: two writers, never at once: the supervisor before the fork and after
 * the reaping, the child in between; single stores. Texts and activity: two copies (twocopy.h); a
 * death in between leaves the record before. Counters: one addition. Panic text: written by the
 * dying process, read after its death, always cut at its end. Everything else: single words of the
 * owner that count only while the state word carries the owner's generation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/slot.h"

#include <string.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/own_page.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/waitlist.h"

ProcSlot *my_slot OWN_PAGE;
int32_t my_slot_index OWN_PAGE = SLOT_NONE;
uint32_t my_generation OWN_PAGE;
uint64_t slot_shown_topic OWN_PAGE;
int64_t slot_rates_due_us OWN_PAGE;

static ProcSlot *slots;
static int32_t backend_slots;
static int32_t all_slots;

size_t
proc_slot_shm_size(const ShmLimits *limits)
{
    return ((size_t)limits->backend_slots + (size_t)limits->worker_slots) * sizeof(ProcSlot);
}

void
proc_slot_shm_init(void *base, const ShmLimits *limits)
{
    slots = base;
    backend_slots = limits->backend_slots;
    all_slots = limits->backend_slots + limits->worker_slots;
    my_slot = NULL;
    my_slot_index = SLOT_NONE;
    my_generation = 0;
}

int32_t
slot_backend_count(void)
{
    return backend_slots;
}

int32_t
slot_count(void)
{
    return all_slots;
}

int32_t
slot_skip_unused(int32_t index)
{
    int32_t used =
        shared_page == NULL ? backend_slots : atomic_i32_load(&shared_page->backend_slots_used);

    return index >= used && index < backend_slots ? backend_slots : index;
}

ProcSlot *
slot_at(int32_t index)
{
    ot_assert(index >= 0 && index < all_slots);
    return &slots[index];
}

static uint64_t
state_word(uint32_t generation, SlotState state)
{
    return (uint64_t)generation << 8 | (uint64_t)state;
}

uint32_t
slot_generation(int32_t index)
{
    return (uint32_t)(atomic_u64_load(&slot_at(index)->state) >> 8);
}

SlotState
slot_state(int32_t index)
{
    return (SlotState)(atomic_u64_load(&slot_at(index)->state) & 0xff);
}

uint32_t
slot_prepare(int32_t index)
{
    ProcSlot *slot = slot_at(index);
    uint32_t generation = slot_generation(index) + 1;

    ot_assert(slot_state(index) == SLOT_DEAD);
    if (shared_page != NULL && index < backend_slots &&
        index >= atomic_i32_load(&shared_page->backend_slots_used))
        atomic_i32_store(&shared_page->backend_slots_used, index + 1); /* one writer */
    if (generation == 0)                                               /* wrapped: 0 is nobody's */
        generation = 1;
    atomic_i32_store(&slot->pid, 0);
    atomic_u64_store_seq(&slot->state, state_word(generation, SLOT_STARTING));
    return generation;
}

void
slot_mark_dead(int32_t index, uint32_t generation)
{
    atomic_u64_store_seq(&slot_at(index)->state, state_word(generation, SLOT_DEAD));
}

/* What the predecessor left. Nobody else writes these words while the slot is STARTING. */
static void
clear_leftovers(ProcSlot *slot)
{
    static const SlotTopic no_topic;
    static const SlotClient no_client;
    static const SlotRates no_rates;
    static const SlotTitle no_title;

    for (int i = 0; i < SLOT_HELP_CELLS; i++)
        atomic_u64_store_relaxed(&slot->help[i], 0);
    atomic_u32_store_relaxed(&slot->latch_sleeps, 0);
    atomic_u64_store_relaxed(&slot->image_pin, 0);
    atomic_i64_store_relaxed(&slot->image_pin_since_us, 0);
    atomic_u32_store_relaxed(&slot->critical, 0);
    atomic_u32_store_relaxed(&slot->wait_event, WAIT_EV_NONE);
    atomic_u32_store_relaxed(&slot->activity_state, ACTIVITY_STARTING);
    atomic_u32_store_relaxed(&slot->cancel_serial, 0);
    atomic_i64_store_relaxed(&slot->progress_us, clock_mono_us());
    atomic_i64_store_relaxed(&slot->waiting_since_us, 0);
    atomic_i64_store_relaxed(&slot->state_since_us, clock_mono_us());
    atomic_i64_store_relaxed(&slot->throttled_until_us, 0);
    atomic_u64_store_relaxed(&slot->request, UINT64_MAX); /* API -1 */
    atomic_i64_store_relaxed(&slot->request_since_us, 0);
    atomic_u64_store_relaxed(&slot->lock_wanted, 0);
    atomic_u32_store_relaxed(&slot->sleep_event, WAIT_EV_NONE);
    atomic_u64_store_relaxed(&slot->control, 0);
    for (int i = 0; i < SLOT_COUNT_COUNT; i++)
        atomic_u64_store_relaxed(&slot->counters[i], 0);
    if (twocopy_serial(&slot->topic_head) != 0)
        twocopy_write(&slot->topic_head, slot->topic, &no_topic, sizeof no_topic);
    if (twocopy_serial(&slot->client_head) != 0)
        twocopy_write(&slot->client_head, slot->client, &no_client, sizeof no_client);
    if (twocopy_serial(&slot->rates_head) != 0)
        twocopy_write(&slot->rates_head, slot->rates, &no_rates, sizeof no_rates);
    if (twocopy_serial(&slot->title_head) != 0)
        twocopy_write(&slot->title_head, slot->title, &no_title, sizeof no_title);
    if (slot->panic[0] != '\0')
        memset(slot->panic, 0, sizeof slot->panic);
}

void
slot_claim(int32_t index, uint32_t generation, ProcKind kind, int32_t instance)
{
    ProcSlot *slot = slot_at(index);

    ot_assert(slot_generation(index) == generation && slot_state(index) == SLOT_STARTING);
    my_slot = slot;
    my_slot_index = index;
    my_generation = generation;
    slot_shown_topic = 0;
    slot_rates_due_us = 0;
    stats_claim(index);
    ot_panic_hook = slot_panic;
    clear_leftovers(slot);
    atomic_u32_store_relaxed(&slot->kind, (uint32_t)kind);
    atomic_i32_store_relaxed(&slot->instance, instance);
    atomic_i64_store_relaxed(&slot->started_ms, clock_wall_ms());
    mbox_begin();
    atomic_u32_store_seq(&slot->latch_set, 1); /* the first wait looks at everything */
    atomic_i32_store(&slot->pid, getpid());
    atomic_u64_store_seq(&slot->state, state_word(generation, SLOT_RUNNING));
}

bool
slot_is_alive(int32_t index, uint32_t generation)
{
    uint64_t word;

    if (index < 0 || index >= all_slots)
        return false;
    word = atomic_u64_load_seq(&slots[index].state);
    return (uint32_t)(word >> 8) == generation && (word & 0xff) != SLOT_DEAD;
}

uint64_t
slot_ref_pack(SlotRef ref)
{
    if (ref.index < 0)
        return 0;
    return (uint64_t)((uint32_t)ref.index + 1) << 32 | ref.generation;
}

SlotRef
slot_ref_unpack(uint64_t word)
{
    return (SlotRef){(int32_t)(uint32_t)(word >> 32) - 1, (uint32_t)word};
}

SlotRef
slot_ref_self(void)
{
    return (SlotRef){my_slot_index, my_generation};
}

bool
slot_ref_alive(uint64_t word)
{
    SlotRef ref = slot_ref_unpack(word);

    return slot_is_alive(ref.index, ref.generation);
}

/* Copies printable ASCII, others as '?'; fills the rest with zeros. */
static void
copy_printable(char *dst, size_t size, const char *src, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
    memset(dst + n, 0, size - n);
}

void
slot_set_title(const char *text)
{
    alignas(8) SlotTitle title;

    if (my_slot == NULL)
        return;
    copy_printable(title.text, sizeof title.text, text, strlen(text));
    twocopy_write(&my_slot->title_head, my_slot->title, &title, sizeof title);
}

void
slot_publish_topic(uint64_t key, const char *name, int32_t partition)
{
    SlotTopic topic = {.partition = partition};

    slot_shown_topic = key;
    if (my_slot == NULL)
        return;
    slot_text_set(topic.name, sizeof topic.name, strview_from(name));
    twocopy_write(&my_slot->topic_head, my_slot->topic, &topic, sizeof topic);
}

void
slot_set_client(const SlotClient *client)
{
    if (my_slot != NULL)
        twocopy_write(&my_slot->client_head, my_slot->client, client, sizeof *client);
}

void
slot_publish_rates(int64_t now_us)
{
    SlotRates rates;

    slot_rates_due_us = now_us + SLOT_RATE_US;
    if (my_slot == NULL)
        return;
    rates.older =
        (*(const SlotRates *)twocopy_current(&my_slot->rates_head, my_slot->rates, sizeof rates))
            .newer;
    rates.newer.at_us = now_us;
    rates.newer.bytes_in = atomic_u64_load_relaxed(&my_slot->counters[SLOT_COUNT_BYTES_IN]);
    rates.newer.bytes_out = atomic_u64_load_relaxed(&my_slot->counters[SLOT_COUNT_BYTES_OUT]);
    twocopy_write(&my_slot->rates_head, my_slot->rates, &rates, sizeof rates);
}

void
slot_text_set(char *dst, size_t size, StrView text)
{
    copy_printable(dst, size, text.ptr, (size_t)text.len);
}

void
slot_read_activity(int32_t index, SlotActivity *ret)
{
    const ProcSlot *slot = slot_at(index);
    uint64_t word = atomic_u64_load_relaxed(&slot->request);

    *ret = (SlotActivity){.since_us = atomic_i64_load_relaxed(&slot->request_since_us),
                          .api_key = (int16_t)(word >> 48),
                          .api_version = (int16_t)(word >> 32),
                          .correlation_id = (int32_t)(uint32_t)word};
}

WaitEvent
slot_wait_event(int32_t index)
{
    const ProcSlot *slot = slot_at(index);
    uint32_t event = atomic_u32_load(&slot->latch_sleeps) != 0
                         ? atomic_u32_load_relaxed(&slot->sleep_event)
                         : atomic_u32_load_relaxed(&slot->wait_event);

    return event < WAIT_EV_COUNT ? (WaitEvent)event : WAIT_EV_NONE;
}

void
slot_set_lock_wanted(const void *lock)
{
    if (my_slot == NULL)
        return;
    if (lock != NULL)
        atomic_i64_store_relaxed(&my_slot->lock_wanted_us, clock_mono_us());
    atomic_u64_store(&my_slot->lock_wanted, (uint64_t)(uintptr_t)lock);
}

const char *
activity_name(ActivityState state)
{
    static const char *const names[ACTIVITY_COUNT] = {
        [ACTIVITY_STARTING] = "starting",
        [ACTIVITY_TLS] = "tls",
        [ACTIVITY_AUTHENTICATING] = "authenticating",
        [ACTIVITY_IDLE] = "idle",
        [ACTIVITY_ACTIVE] = "active",
        [ACTIVITY_WAITING] = "waiting",
        [ACTIVITY_THROTTLED] = "throttled",
        [ACTIVITY_SENDING] = "sending",
        [ACTIVITY_CLOSING] = "closing",
        [ACTIVITY_DISABLED] = "disabled",
    };

    ot_assert(state < ACTIVITY_COUNT);
    return names[state];
}

ActivityState
slot_activity_state(int32_t index)
{
    const ProcSlot *slot = slot_at(index);
    ActivityState state = (ActivityState)atomic_u32_load(&slot->activity_state);

    if (state >= ACTIVITY_COUNT)
        return ACTIVITY_STARTING;
    if (state != ACTIVITY_IDLE && state != ACTIVITY_WAITING && state != ACTIVITY_SENDING)
        return state;
    return atomic_u32_load(&slot->latch_sleeps) != 0 ? state : ACTIVITY_ACTIVE;
}

bool
slot_read_topic(int32_t index, SlotTopic *ret)
{
    const ProcSlot *slot = slot_at(index);

    return twocopy_read(&slot->topic_head, slot->topic, sizeof *ret, ret) != 0 &&
           ret->name[0] != '\0';
}

bool
slot_read_client(int32_t index, SlotClient *ret)
{
    const ProcSlot *slot = slot_at(index);

    return twocopy_read(&slot->client_head, slot->client, sizeof *ret, ret) != 0;
}

bool
slot_read_rates(int32_t index, SlotRates *ret)
{
    const ProcSlot *slot = slot_at(index);

    return twocopy_read(&slot->rates_head, slot->rates, sizeof *ret, ret) != 0;
}

bool
slot_read_title(int32_t index, char ret[SLOT_TITLE_MAX])
{
    const ProcSlot *slot = slot_at(index);
    alignas(8) SlotTitle title;
    uint64_t serial = twocopy_read(&slot->title_head, slot->title, sizeof title, &title);

    memcpy(ret, title.text, SLOT_TITLE_MAX);
    ret[SLOT_TITLE_MAX - 1] = '\0';
    return serial != 0;
}

void
slot_read_panic(int32_t index, char ret[SLOT_PANIC_MAX])
{
    memcpy(ret, slot_at(index)->panic, SLOT_PANIC_MAX);
    ret[SLOT_PANIC_MAX - 1] = '\0';
}

void
slot_panic(const char *text)
{
    if (my_slot == NULL)
        return;
    copy_printable(my_slot->panic, sizeof my_slot->panic, text, strlen(text));
}
