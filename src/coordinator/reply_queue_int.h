/*
 * reply_queue_int.h - answers that wait until the log of their shard is safe up to an offset
 *
 * Kept in the order in which they came, which is the order of their offsets and of their deadlines.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_REPLY_QUEUE_INT_H
#define OTTLA_COORDINATOR_REPLY_QUEUE_INT_H

#include <stdint.h>

/* One place of an answer in a queue; the caller's memory. */
typedef struct QueuedReply {
    struct QueuedReply *next;
    int64_t need; /* it may leave when everything below this offset is safe */
    int64_t deadline_us;
    void *answer;
} QueuedReply;

/* Zeroed: empty. */
typedef struct ReplyQueue {
    QueuedReply *first, *last;
    int32_t count;
} ReplyQueue;

/* need and deadline_us are not below those of the last one. */
void reply_queue_push(ReplyQueue *queue, QueuedReply *item);

/* The next one whose offset is safe; NULL: none. */
QueuedReply *reply_queue_take_safe(ReplyQueue *queue, int64_t safe);

/* The next one whose time is up; NULL: none. */
QueuedReply *reply_queue_take_late(ReplyQueue *queue, int64_t now_us);

/* The next one, whatever it waits for; NULL: none. */
QueuedReply *reply_queue_take(ReplyQueue *queue);

/* INT64_MAX: nothing waits. */
int64_t reply_queue_deadline_us(const ReplyQueue *queue);

#endif
