/*
 * decide_deletes.c - DeleteTopics, by names or ids
 *
 * A topic that is named in two ways is refused once, under all that is known of it; what comes
 * twice in the same way is refused before anybody looks whether it exists (observed.md 6).
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "controller/decide.h"
#include "ottla/common/assert.h"

/* One thing to delete. */
typedef struct Item {
    StrView name; /* null: by id */
    Uuid id;
    bool by_name;
    bool twice;   /* comes more than once in this way */
    bool settled; /* answered */
} Item;

typedef struct Deletion {
    const DecideContext *c;
    RecordList *records;
    DeleteTopicsResponse *out;
    Item *items;
    int32_t count;
} Deletion;

static void
answer(Deletion *d, StrView name, Uuid id, int16_t code, const char *text)
{
    DeleteTopicsResponseTopic *t = &d->out->responses[d->out->responses_count++];

    delete_topics_response_topic_init(t);
    t->name = name;
    t->topic_id = id;
    t->error_code = code;
    t->error_message = strview_from(text);
}

static const Uuid no_id;

static int
compare_names(const void *a, const void *b)
{
    const Item *x = a, *y = b;

    if (x->by_name != y->by_name)
        return x->by_name ? -1 : 1;
    if (!x->by_name)
        return memcmp(x->id.b, y->id.b, sizeof x->id.b);
    return image_key_compare((BytesView){(const uint8_t *)x->name.ptr, x->name.len},
                             (BytesView){(const uint8_t *)y->name.ptr, y->name.len});
}

static int
compare_ids(const void *a, const void *b)
{
    const Item *x = a, *y = b;

    if (x->settled != y->settled)
        return x->settled ? 1 : -1;
    return memcmp(x->id.b, y->id.b, sizeof x->id.b);
}

/* Items that name something; the others are answered at once. Answers have room for all. */
static void
collect(Deletion *d, const DeleteTopicsRequest *in)
{
    if (d->c->api_version < 6) {
        for (int32_t i = 0; i < in->topic_names_count; i++)
            d->items[d->count++] = (Item){.name = in->topic_names[i], .by_name = true};
        return;
    }
    for (int32_t i = 0; i < in->topics_count; i++) {
        bool has_name = in->topics[i].name.ptr != NULL;
        bool has_id = !uuid_is_zero(in->topics[i].topic_id);

        if (has_name == has_id)
            answer(d, in->topics[i].name, in->topics[i].topic_id, KERR_INVALID_REQUEST,
                   "either a name or an id is needed, not both");
        else
            d->items[d->count++] = (Item){
                .name = in->topics[i].name, .id = in->topics[i].topic_id, .by_name = has_name};
    }
}

/* Refuses what comes twice, and finds the ids and names of the rest. */
static void
resolve(Deletion *d)
{
    qsort(d->items, (size_t)d->count, sizeof *d->items, compare_names);
    for (int32_t i = 0, next; i < d->count; i = next) {
        Item *item = &d->items[i];
        const ImageTopic *topic;

        for (next = i + 1; next < d->count && compare_names(item, &d->items[next]) == 0; next++)
            d->items[next].settled = true;
        if (next > i + 1) {
            item->settled = true;
            answer(d, item->name, item->by_name ? no_id : item->id, KERR_INVALID_REQUEST,
                   "the topic comes more than once in the request");
            continue;
        }
        topic = item->by_name ? image_topic_by_name(d->c->image, item->name)
                              : image_topic_by_id(d->c->image, item->id);
        if (topic == NULL) {
            item->settled = true;
            answer(d, item->name, item->id,
                   item->by_name ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_UNKNOWN_TOPIC_ID,
                   "there is no such topic");
            continue;
        }
        item->name = image_topic_name(topic);
        item->id = image_topic_id(topic);
    }
}

static void
delete_rest(Deletion *d)
{
    qsort(d->items, (size_t)d->count, sizeof *d->items, compare_ids);
    for (int32_t i = 0, next; i < d->count && !d->items[i].settled; i = next) {
        Item *item = &d->items[i];
        RemoveTopicRecord record;

        for (next = i + 1;
             next < d->count && !d->items[next].settled && uuid_equal(d->items[next].id, item->id);)
            next++;
        if (next > i + 1) {
            answer(d, item->name, item->id, KERR_INVALID_REQUEST,
                   "the topic comes by name and by id");
            continue;
        }
        if (d->records->count == DECIDE_RECORDS_MAX) {
            answer(d, item->name, item->id, KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS);
            continue;
        }
        if (!mutation_charge(d->c->meter, image_topic_partition_count(
                                              image_topic_by_id(d->c->image, item->id)))) {
            answer(d, item->name, item->id, KERR_THROTTLING_QUOTA_EXCEEDED, DECIDE_NO_TOKENS);
            continue;
        }
        remove_topic_record_init(&record);
        record.topic_id = item->id;
        record_list_add(d->records, &remove_topic_record_desc, 0, &record);
        answer(d, item->name, item->id, 0, NULL);
    }
}

/* All items get the same answer, as they came. */
static void
refuse_all(Deletion *d, int16_t code, const char *text)
{
    d->out->responses_count = 0;
    for (int32_t i = 0; i < d->count; i++)
        answer(d, d->items[i].name, d->items[i].id, code, text);
}

int
decide_delete_topics(const DecideContext *c, const DeleteTopicsRequest *in, RecordList *records,
                     DeleteTopicsResponse *ret)
{
    int32_t count = c->api_version < 6 ? in->topic_names_count : in->topics_count;
    Deletion d = {.c = c, .records = records, .out = ret};

    ot_assert(records->count == 0);
    delete_topics_response_init(ret);
    d.items = arena_calloc(c->arena, (size_t)count + 1, sizeof *d.items);
    ret->responses = arena_calloc(c->arena, (size_t)count + 1, sizeof *ret->responses);
    if (d.items == NULL || ret->responses == NULL)
        return OT_E_NO_MEMORY;
    collect(&d, in);
    if (!c->delete_enabled)
        refuse_all(&d, c->api_version < 3 ? KERR_INVALID_REQUEST : KERR_TOPIC_DELETION_DISABLED,
                   "deletion of topics is disabled: delete.topic.enable");
    else if (in->timeout_ms <= 0)
        refuse_all(&d, KERR_REQUEST_TIMED_OUT, NULL);
    else {
        resolve(&d);
        delete_rest(&d);
    }
    ret->throttle_time_ms = c->meter == NULL ? 0 : c->meter->throttle_ms;
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
