/*
 * items.c - objects that one statement works on: sent, sent again, and what became of each
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/errlist.h"

Item *
items_add(Exec *x, Items *items, StrView name, int32_t partition, int32_t pos)
{
    Item *item;

    if (items->count == items->room) {
        int32_t room = items->room == 0 ? 16 : 2 * items->room;
        Item *list;

        if (room > EXEC_ITEMS_MAX * 2) {
            (void)fault_set(x->f, FAULT_LIMIT, "more than %d objects in one statement",
                            EXEC_ITEMS_MAX);
            return NULL;
        }
        list = exec_alloc(x, (size_t)room, sizeof *list);
        if (list == NULL)
            return NULL;
        if (items->count > 0)
            memcpy(list, items->list, (size_t)items->count * sizeof *list);
        items->list = list;
        items->room = room;
    }
    item = &items->list[items->count++];
    *item = (Item){.name = name, .partition = partition, .pos = pos, .node = -1, .pending = true};
    return item;
}

Item *
items_find(Items *items, StrView name, int32_t partition)
{
    /* answers mostly come in the order of the request */
    for (int32_t i = 0; i < items->count; i++) {
        int32_t at = (items->last + 1 + i) % items->count;
        Item *item = &items->list[at];

        if ((partition < 0 || item->partition == partition) && strview_equal(item->name, name)) {
            items->last = at;
            return item;
        }
    }
    return NULL;
}

const char *
item_label(Exec *x, const Items *items, const Item *item)
{
    if (item->partition >= 0)
        return exec_text(x, "partition %" PRId32 " of topic \"%.*s\"", item->partition,
                         (int)item->name.len, item->name.ptr);
    return exec_text(x, "%s \"%.*s\"", items->noun, (int)item->name.len, item->name.ptr);
}

/* Clients wait for these to pass; who asks for one object by name wants to know at once. */
static bool
is_final(int16_t error)
{
    return error == KERR_UNKNOWN_TOPIC_OR_PARTITION || error == KERR_UNKNOWN_TOPIC_ID ||
           error == KERR_THROTTLING_QUOTA_EXCEEDED || error == KERR_KAFKA_STORAGE_ERROR;
}

void
item_done(Exec *x, Item *item, int16_t error, StrView message, int32_t node)
{
    bool wants_metadata = false;

    item->error = error;
    item->message = message;
    item->node = node == CLIENT_HERE ? client_info(x->client)->node_id : node;
    item->pending = error != 0 && !is_final(error) && client_retryable(error, &wants_metadata);
    if (item->pending && wants_metadata)
        client_refresh(x->client);
}

int
items_run(Exec *x, Items *items, ItemsSend send, void *arg)
{
    for (int attempt = 1;; attempt++) {
        bool pending = false;
        int rc;

        if (items->count == 0)
            return 0;
        rc = send(x, items, arg);
        if (rc != 0)
            return rc;
        for (int32_t i = 0; i < items->count && !pending; i++)
            pending = items->list[i].pending;
        if (!pending)
            return 0;
        rc = client_backoff(x->client, attempt, x->deadline_ms, x->f);
        if (rc < 0)
            return -1;
        if (rc > 0)
            break;
    }
    /* Time is over: each item has the error of its last attempt, unless no answer was about it. */
    for (int32_t i = 0; i < items->count; i++) {
        if (items->list[i].pending && items->list[i].error == 0)
            items->list[i].error = KERR_REQUEST_TIMED_OUT;
    }
    return 0;
}

/* A sentence about one that failed. */
static const char *
item_failure(Exec *x, const Items *items, const Item *item, const ItemsVerdict *v)
{
    const char *label = item_label(x, items, item);

    switch (item->error) {
    case KERR_TOPIC_ALREADY_EXISTS:
        return exec_text(x, "%s already exists", label);
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_GROUP_ID_NOT_FOUND:
    case KERR_RESOURCE_NOT_FOUND:
        return exec_text(x, "%s does not exist", label);
    case KERR_NON_EMPTY_GROUP:
        return exec_text(x, "%s is in use by its members", label);
    default:
        break;
    }
    if (item->message.len > 0)
        return exec_text(x, "could not %s %s: %.*s", v->verb, label, (int)item->message.len,
                         item->message.ptr);
    return exec_text(x, "could not %s %s: %s", v->verb, label, fault_kafka_text(item->error));
}

static bool
is_skipped(const Item *item, const ItemsVerdict *v)
{
    return v->skip_on && item->error != 0 &&
           (item->error == v->skip[0] || item->error == v->skip[1]);
}

/* Where the statement names the setting that the server's words are about; else the object itself. */
static int32_t
place_of(Exec *x, const Item *item)
{
    for (int32_t i = 0; i < x->s->count && item->message.len > 0; i++) {
        const StatementItem *s = &x->s->items[i];

        if (s->name == ITEM_CONFIG && s->text.len > 0 &&
            memmem(item->message.ptr, (size_t)item->message.len, s->text.ptr,
                   (size_t)s->text.len) != NULL)
            return i + 1 < x->s->count && x->s->items[i + 1].name == ITEM_VALUE
                       ? x->s->items[i + 1].pos
                       : s->pos;
    }
    return item->pos;
}

int
items_report(Exec *x, const Items *items, const ItemsVerdict *verdict, int32_t *ret_done)
{
    const Item *first = NULL;
    int32_t failed = 0, done = 0;

    for (int32_t i = 0; i < items->count; i++) {
        const Item *item = &items->list[i];

        if (item->error == 0) {
            done++;
        } else if (is_skipped(item, verdict)) {
            exec_notice(x, "NOTICE", "%s %s, skipping", item_label(x, items, item),
                        verdict->skip_text);
        } else {
            failed++;
            if (first == NULL)
                first = item;
        }
    }
    *ret_done = done;
    if (failed == 0)
        return 0;
    if (items->count == 1) {
        (void)fault_kafka(x->f, first->error, first->node, "%s",
                          item_failure(x, items, first, verdict));
        x->f->position = place_of(x, first);
        return -1;
    }
    for (int32_t i = 0; i < items->count; i++) {
        const Item *item = &items->list[i];

        if (item->error != 0 && !is_skipped(item, verdict))
            exec_notice(x, "WARNING", "%s: %s (%d)", item_failure(x, items, item, verdict),
                        fault_kafka_name(item->error), item->error);
    }
    (void)fault_kafka(x->f, first->error, first->node,
                      "%" PRId32 " of %" PRId32 " failed, %" PRId32 " succeeded", failed,
                      items->count, done);
    x->f->position = first->pos;
    return -1;
}
