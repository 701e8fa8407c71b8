/*
 * conn_send.c - from answers to the socket, in the order of the requests
 *
 * Runs in: backend. Never: blocks. [C3]: conn.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_state_int.h"

#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/slice.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/storage/fd_cache.h"

#define HEAVY_BYTES    65536 /* a request that moved so many makes its connection a heavy one */
#define HEAVY_REQUESTS 64    /* lighter ones until it is none again */

/* What is told of few requests: what they waited for, and that they failed. */
static __attribute__((noinline)) void
account_parts(const Request *rq)
{
    request_stats_add_parts(rq->counts,
                            &(RequestTimes){.queue_us = rq->received_us - rq->complete_us,
                                            .remote_us = rq->remote_us,
                                            .throttle_ms = rq->throttle_ms,
                                            .failed = rq->failed});
    if (rq->failed)
        slot_count_add(SLOT_COUNT_ERRORS, 1);
}

/* Inline, as all that is done for every request's statistics: test/bench/stat_cost.pl. */
static inline void
account(const Request *rq)
{
    if (rq->counts == NULL)
        return; /* it was none */
    request_stats_add(rq->counts, my_conn.now_us - rq->complete_us, rq->frame_bytes);
    if (((rq->received_us - rq->complete_us) | rq->remote_us | rq->throttle_ms | rq->failed) != 0)
        account_parts(rq);
}

/* Also for what comes next: until when to wait. */
static void
read_clock(void)
{
    my_conn.now_us = clock_mono_us();
    my_conn.clock_fresh = true;
}

/*
 * Who answers short requests gets a core before those who move many bytes, its own process among them (slice.h): a client
 * that sends large requests must not make the others wait.
 */
static inline void
weigh(void)
{
    int64_t bytes = (int64_t)(my_conn.moved.bytes_in + my_conn.moved.bytes_out);
    bool heavy = bytes - my_conn.bytes_accounted >= HEAVY_BYTES;

    my_conn.bytes_accounted = bytes;
    if (heavy) {
        if (my_conn.heavy_left == 0)
            slice_ask_default();
        my_conn.heavy_left = HEAVY_REQUESTS;
    } else if (my_conn.heavy_left > 0 && --my_conn.heavy_left == 0) {
        slice_ask_short();
    }
}

void
conn_account(const Request *rq)
{
    read_clock();
    account(rq);
    weigh();
}

/*
 * The disk failed under an answer that is half sent: all that is left is to close the connection. The
 * next fetch is answered with an error for that partition alone.
 */
static void
report_unreadable(const OutMsg *msg)
{
    static LogRate rate;
    const PartitionSlot *slot = fd_cache_note_unreadable(msg->pieces[msg->next].fd);

    log_limited(&rate, 1, LL_ERROR, "backend",
                "a segment cannot be read, the connection is closed; topic=%s partition=%d",
                slot == NULL ? "?" : slot->topic, slot == NULL ? -1 : (int)slot->partition);
}

bool
conn_send_ready(void)
{
    bool freed = false;

    while (my_conn.pending.count > 0 && !my_conn.over) {
        const PendingSlot *head = pending_head(&my_conn.pending);
        const PendingSlot *next =
            my_conn.pending.count > 1 ? pending_at(&my_conn.pending, 1) : NULL;
        OutCount count = {0};
        OutStatus status;

        if (head->state == PENDING_LAST) {
            my_conn.over = true;
            break;
        }
        if (head->state == PENDING_RUNNING)
            break;
        if (head->rq->out.bytes_left > 0 && !my_conn.writable)
            break;
        status = outmsg_send(
            &head->rq->out, my_conn.conn.fd,
            next != NULL && next->state == PENDING_READY && next->rq->out.bytes_left > 0, &count);
        if (count.bytes > 0) {
            my_conn.active_us = my_conn.now_us;
            my_conn.moved.bytes_out += (uint64_t)count.bytes;
            stat_add(STAT_BYTES_OUT, (uint64_t)count.bytes);
            if (count.file_bytes > 0)
                stat_add(STAT_BYTES_SENDFILE, (uint64_t)count.file_bytes);
        }
        if (status == OUT_BLOCKED) {
            my_conn.writable = false;
            break;
        }
        if (status == OUT_UNREADABLE)
            report_unreadable(&head->rq->out);
        if (status == OUT_BROKEN || status == OUT_UNREADABLE) {
            my_conn.over = true;
            break;
        }
        /* As conn_account, inline: for every request, and its weight is not for statistics. */
        read_clock();
        account(head->rq);
        weigh();
        conn_box_free((RequestBox *)pending_pop(&my_conn.pending));
        freed = true;
    }
    return freed;
}
