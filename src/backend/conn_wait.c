/*
 * conn_wait.c - a connection that has nothing to do: until when, what others see meanwhile, what it gives back
 *
 * Runs in: backend. Never: begins a request.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_state_int.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

#include "backend/settings_int.h"
#include "ottla/common/clock.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"

#define STACK_NEAR_BYTES 1024          /* below a frame: what its own calls use */
#define STACK_DEEP_BYTES 131072        /* as deep as requests go */
#define IDLE_TRIM_US     (1000 * 1000) /* so long idle: give back what is not needed */
#define TRIM_AGAIN_US    (5000 * 1000) /* what a commit has to cover first: looked at again */
#define TITLE_EVERY_US   (500 * 1000)
#define IDLE_OPEN_FILES  32 /* what the next requests need most likely */

void
conn_set_title(ConnTitle title)
{
    const char *user = my_conn.conn.principal + sizeof "User:" - 1;
    const char *slash = my_conn.client_id[0] == '\0' ? "" : "/";
    int64_t ms = (my_conn.conn.muted_until_us - my_conn.now_us) / 1000;
    const char *blank = "";
    SlotTopic topic = {0};
    char what[32];

    if (title.throttled)
        snprintf(what, sizeof what, "throttled %lldms", (long long)ms);
    else if (title.api == NULL)
        snprintf(what, sizeof what, "idle");
    else
        snprintf(what, sizeof what, "%s waiting", title.api);
    if (title.api != NULL && !title.throttled && slot_read_topic(my_slot_index, &topic))
        blank = " ";
    title_set("%s %s %s%s%.64s %s%s%.80s", my_conn.conn.endpoint->name, my_conn.conn.peer, user,
              slash, my_conn.client_id, what, blank, topic.name);
    my_conn.title = title;
    my_conn.title.client_is_new = false;
    my_conn.title_due_us = INT64_MAX;
    my_conn.title_next_us = my_conn.now_us + TITLE_EVERY_US;
}

/*
 * To write a title takes as long as to serve a small request: a connection that was shown a moment ago is shown
 * anew when that moment is over, and meanwhile goes on with what it does.
 */
static void
want_title(ConnTitle title)
{
    if (title.api == my_conn.title.api && title.throttled == my_conn.title.throttled &&
        !my_conn.title.client_is_new)
        my_conn.title_due_us = INT64_MAX;
    else if (my_conn.now_us >= my_conn.title_next_us)
        conn_set_title(title);
    else
        my_conn.title_due_us = my_conn.title_next_us;
}

/* When an idle connection gives back what it does not need. */
static int64_t
trim_due_us(void)
{
    int64_t due = my_conn.active_us + IDLE_TRIM_US;

    return due > my_conn.trim_again_us ? due : my_conn.trim_again_us;
}

/* What is waited for, for ps and the shell; when to wake up at the latest. */
static int64_t
prepare_wait(WaitEvent *ret_event)
{
    const PendingSlot *head = pending_head(&my_conn.pending);
    int64_t idle_us = setting_idle_us();
    int64_t deadline = idle_us < 0 ? INT64_MAX : my_conn.active_us + idle_us;
    const char *api = NULL;
    ActivityState state;

    *ret_event = WAIT_EV_CLIENT_READ;
    slot_note_rates(my_conn.now_us);
    if (my_conn.conn.software_is_new)
        conn_show_client();
    if (conn_is_muted() && my_conn.conn.muted_until_us < deadline)
        deadline = my_conn.conn.muted_until_us;
    if (head == NULL) {
        state = conn_is_muted() ? ACTIVITY_THROTTLED : ACTIVITY_IDLE;
        if (conn_is_muted())
            *ret_event = WAIT_EV_QUOTA_THROTTLE;
        if (!my_conn.trimmed && trim_due_us() < deadline)
            deadline = trim_due_us();
    } else if (head->state == PENDING_READY) {
        state = ACTIVITY_SENDING;
        *ret_event = WAIT_EV_CLIENT_WRITE;
    } else {
        state = ACTIVITY_WAITING;
        *ret_event = head->rq->wait_event;
        api = head->rq->head.api->name;
    }
    slot_set_progress(state, &my_conn.moved, my_conn.now_us);
    want_title((ConnTitle){.api = api, .throttled = head == NULL && conn_is_muted()});
    if (my_conn.title_due_us < deadline)
        deadline = my_conn.title_due_us;
    if (my_conn.conn.idle != NULL && my_conn.conn.idle_at_us < deadline)
        deadline = my_conn.conn.idle_at_us;
    if (fd_cache_hold_deadline_us() < deadline)
        deadline = fd_cache_hold_deadline_us();
    for (int i = 0; i < my_conn.pending.count; i++) {
        const PendingSlot *slot = pending_at(&my_conn.pending, i);

        if (slot->state == PENDING_RUNNING && slot->rq->deadline_us < deadline)
            deadline = slot->rq->deadline_us;
    }
    if (my_conn.gate_wait) {
        *ret_event = WAIT_EV_REQUEST_MEMORY;
        if (my_conn.gate_retry_us < deadline)
            deadline = my_conn.gate_retry_us;
    }
    return deadline;
}

/* What calls deeper than this one have used of the stack; nothing below a frame is ever read again. */
static __attribute__((noinline)) void
give_back_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = (here - STACK_NEAR_BYTES) & ~(uintptr_t)4095;

    /* It may begin above that: then what is mapped of it is given back all the same. */
    (void)madvise((void *)(end - STACK_DEEP_BYTES), STACK_DEEP_BYTES, MADV_DONTNEED);
}

/* An idle connection keeps a few files, a piece of a frame if there is one, and nothing else. */
static void
trim(void)
{
    conn_read_trim();
    malloc_trim(0);
    give_back_stack();
    my_conn.trimmed = fd_cache_trim(IDLE_OPEN_FILES);
    my_conn.trim_again_us = my_conn.now_us + TRIM_AGAIN_US;
}

static void
take_interrupts(void)
{
    if (interrupt_pending(INTERRUPT_ORPHANED))
        my_conn.over = true; /* nobody is left to flush or to decide what requests wait for */
    if (interrupt_take(INTERRUPT_TERMINATE)) {
        my_conn.stopping = true;
        conn_finish_waiting((FinishWhy){.cancel = true});
    }
    if (interrupt_take(INTERRUPT_CANCEL))
        conn_finish_waiting((FinishWhy){.cancel = true});
}

void
conn_wait_turn(void)
{
    int64_t idle_us = setting_idle_us();
    bool was_hung_up = my_conn.hung_up;
    WaitEvent event;
    int64_t deadline;
    uint32_t why;

    if (!my_conn.clock_fresh)
        my_conn.now_us = clock_mono_us();
    my_conn.clock_fresh = false;
    deadline = prepare_wait(&event);
    why = mainloop_wait_from(my_conn.now_us, deadline, event);
    my_conn.now_us = mainloop_turned_us();
    (void)live_conf_refresh(); /* settings are asked for when they are used */
    if (my_conn.gone && conn_is_muted())
        my_conn.over = true; /* what it still sent is not begun: nobody is left to be told */
    fd_cache_sweep();
    if (why & WOKE_INTERRUPT)
        take_interrupts();
    if ((why & (WOKE_LATCH | WOKE_RESCAN | WOKE_DEADLINE)) && my_conn.pending.count > 0)
        conn_finish_waiting(
            (FinishWhy){.woken = (why & WOKE_LATCH) != 0, .rescan = (why & WOKE_RESCAN) != 0});
    if (my_conn.gate_wait &&
        ((why & (WOKE_LATCH | WOKE_RESCAN)) || my_conn.now_us >= my_conn.gate_retry_us))
        my_conn.gate_wait = false;
    if (my_conn.hung_up && !was_hung_up)
        conn_finish_waiting((FinishWhy){.cancel = true}); /* its waits are dropped, as in Kafka */
    if (my_conn.conn.idle != NULL && my_conn.now_us >= my_conn.conn.idle_at_us) {
        my_conn.conn.idle();
        my_conn.conn.idle = NULL;
    }
    if (fd_cache_holds_space(my_conn.now_us)) {
        snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason,
                 "the client does not take records whose segment is deleted");
        my_conn.over = true;
    } else if (idle_us >= 0 && my_conn.now_us >= my_conn.active_us + idle_us) {
        snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason, "idle for %lld ms",
                 (long long)(idle_us / 1000));
        stat_add(STAT_CONNECTIONS_EXPIRED, 1);
        my_conn.over = true;
    } else if (my_conn.pending.count == 0 && !my_conn.trimmed && my_conn.now_us >= trim_due_us()) {
        trim();
    }
}
