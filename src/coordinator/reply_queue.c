/*
 * reply_queue.c - answers that wait until the log of their shard is safe up to an offset
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/reply_queue_int.h"

#include <stddef.h>

#include "ottla/common/assert.h"

void
reply_queue_push(ReplyQueue *queue, QueuedReply *item)
{
    item->next = NULL;
    if (queue->last == NULL) {
        queue->first = item;
    } else {
        ot_assert(item->need >= queue->last->need);
        if (item->deadline_us < queue->last->deadline_us) /* a clock that was read earlier */
            item->deadline_us = queue->last->deadline_us;
        queue->last->next = item;
    }
    queue->last = item;
    queue->count++;
}

QueuedReply *
reply_queue_take(ReplyQueue *queue)
{
    QueuedReply *item = queue->first;

    if (item == NULL)
        return NULL;
    queue->first = item->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    item->next = NULL;
    return item;
}

QueuedReply *
reply_queue_take_safe(ReplyQueue *queue, int64_t safe)
{
    return queue->first != NULL && queue->first->need <= safe ? reply_queue_take(queue) : NULL;
}

QueuedReply *
reply_queue_take_late(ReplyQueue *queue, int64_t now_us)
{
    return queue->first != NULL && queue->first->deadline_us <= now_us ? reply_queue_take(queue)
                                                                       : NULL;
}

int64_t
reply_queue_deadline_us(const ReplyQueue *queue)
{
    return queue->first == NULL ? INT64_MAX : queue->first->deadline_us;
}
