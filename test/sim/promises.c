/*
 * promises.c - what the node has promised to its clients, and whether it holds after a loss of power
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "promises.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "ottla/common/assert.h"
#include "ottla/controller/image.h"

/* ---- lists -------------------------------------------------------------------------------------- */

void
rises_add(Rises *r, int64_t when, int64_t value)
{
    if (r->count > 0 && r->items[r->count - 1].value >= value)
        return;
    if (r->count == r->room) {
        r->room = r->room == 0 ? 16 : r->room * 2;
        r->items = realloc(r->items, (size_t)r->room * sizeof *r->items);
        ot_assert(r->items != NULL);
    }
    r->items[r->count].when = when;
    r->items[r->count++].value = value;
}

int64_t
rises_at(const Rises *r, int64_t when)
{
    int32_t i = r->count;

    while (i > 0 && r->items[i - 1].when > when)
        i--;
    return i == 0 ? 0 : r->items[i - 1].value;
}

/* What holds now held at the beginning of what comes. */
static void
rises_restart(Rises *r, int64_t value)
{
    r->count = 0;
    if (value > 0)
        rises_add(r, 0, value);
}

SimTopic *
promises_new_topic(Promises *p, const char *name)
{
    for (size_t i = 0; i < sizeof p->topics / sizeof p->topics[0]; i++) {
        SimTopic *t = &p->topics[i];

        if (t->name[0] != '\0')
            continue;
        *t = (SimTopic){.created = NEVER, .delete_begun = NEVER, .deleted = NEVER};
        t->create_begun = disk_now();
        (void)strncpy(t->name, name, sizeof t->name - 1);
        return t;
    }
    return NULL;
}

static void
free_topic(SimTopic *t)
{
    for (int i = 0; i < SIM_PARTITIONS; i++) {
        free(t->parts[i].batches);
        free(t->parts[i].durable.items);
        free(t->parts[i].start.items);
        free(t->parts[i].start_asked.items);
    }
    *t = (SimTopic){0};
}

void
promises_free(Promises *p)
{
    for (size_t i = 0; i < sizeof p->topics / sizeof p->topics[0]; i++)
        free_topic(&p->topics[i]);
    free(p->producer_ids.items);
    *p = (Promises){0};
}

SimBatch *
promises_add_batch(SimPartition *part)
{
    if (part->count == part->room) {
        part->room = part->room == 0 ? 32 : part->room * 2;
        part->batches = realloc(part->batches, (size_t)part->room * sizeof *part->batches);
        ot_assert(part->batches != NULL);
    }
    return &part->batches[part->count++];
}

int64_t
batch_end(const SimBatch *batch)
{
    return batch->base + batch->what.count;
}

int64_t
promises_log_end(const SimPartition *part)
{
    int64_t end = part->count == 0 ? 0 : batch_end(&part->batches[part->count - 1]);

    return end < part->start_now ? part->start_now : end;
}

const SimBatch *
promises_last_of(const SimPartition *part, int64_t producer_id)
{
    for (int32_t i = part->count - 1; i >= 0; i--) {
        if (part->batches[i].what.producer_id == producer_id)
            return &part->batches[i];
    }
    return NULL;
}

/* Requests with acks=all whose answer may leave now. */
static void
note_answers(SimPartition *part, PartitionRef ref)
{
    for (int32_t i = 0; i < part->count; i++) {
        SimBatch *b = &part->batches[i];
        bool waits = b->wait.for_hw || b->wait.for_disk;
        ErrInfo err = {0};

        if (waits && replica_check_wait(ref, &b->wait, &err) != 0)
            b->wait = (ReplicaWait){0}; /* answered with an error: nothing is promised */
        else if (waits && !b->wait.for_hw && !b->wait.for_disk)
            rises_add(&part->durable, disk_now(), batch_end(b));
    }
}

void
promises_note_durable(Promises *p)
{
    for (size_t i = 0; i < sizeof p->topics / sizeof p->topics[0]; i++) {
        SimTopic *t = &p->topics[i];

        for (int32_t n = 0; t->name[0] != '\0' && t->deleted == NEVER && n < t->partitions; n++) {
            PartitionRef ref = node_partition(t->name, n);
            PlogOffsets o;

            if (ref.slot == PSLOT_NONE || !plog_offsets_peek(ref, &o))
                continue;
            rises_add(&t->parts[n].durable, disk_now(), o.durable_offset);
            note_answers(&t->parts[n], ref);
        }
    }
}

/* ---- one partition after a loss ----------------------------------------------------------------- */

typedef struct Check {
    const SimTopic *topic;
    SimPartition *part;
    PartitionRef ref;
    PlogOffsets o;
    RandomSeq *random;
    int32_t number;
} Check;

#define REQUIRE(c, condition, ...)                                                     \
    do {                                                                               \
        if (!(condition)) {                                                            \
            printf("# %s-%d: start %" PRId64 " durable %" PRId64 " end %" PRId64 "\n", \
                   (c)->topic->name, (int)(c)->number, (c)->o.log_start_offset,        \
                   (c)->o.durable_offset, (c)->o.log_end_offset);                      \
            sim_fail(__VA_ARGS__);                                                     \
        }                                                                              \
    } while (0)

/* What could not have been written when the power failed was not. */
static void
forget_later(SimPartition *part, int64_t moment)
{
    while (part->count > 0 && part->batches[part->count - 1].begun >= moment)
        part->count--;
}

static void
check_offsets(const Check *c, int64_t moment, bool nothing_lost)
{
    int64_t durable = rises_at(&c->part->durable, moment);
    int64_t start = rises_at(&c->part->start, moment);
    int64_t start_most = rises_at(&c->part->start_asked, moment);
    int64_t end_most = c->part->count == 0 ? 0 : batch_end(&c->part->batches[c->part->count - 1]);
    const PlogOffsets *o = &c->o;

    if (end_most < start_most)
        end_most = start_most;
    REQUIRE(c, o->log_start_offset >= start, "log start %" PRId64 " was promised", start);
    /* A first segment that nobody was promised may be lost with its name. */
    REQUIRE(c, o->log_start_offset <= start_most || durable <= start_most,
            "log start beyond %" PRId64 ", asked for", start_most);
    REQUIRE(c, o->log_end_offset >= durable, "records below %" PRId64 " were promised", durable);
    REQUIRE(c, o->log_end_offset <= end_most, "the log goes beyond %" PRId64 ", written", end_most);
    REQUIRE(c, !nothing_lost || o->log_end_offset == end_most,
            "killed, and records below %" PRId64 " lost", end_most);
    REQUIRE(c, o->log_start_offset <= o->log_end_offset, "log start beyond the end");
    REQUIRE(c, o->high_watermark == o->log_end_offset, "high watermark is not the end");
    REQUIRE(c, o->durable_offset <= o->log_end_offset, "durable offset beyond the end");
}

static SimBatch *
find_batch(const SimPartition *part, int64_t offset)
{
    for (int32_t i = 0; i < part->count; i++) {
        if (part->batches[i].base <= offset && offset < batch_end(&part->batches[i]))
            return &part->batches[i];
    }
    return NULL;
}

/* The batches of a slice are what was written; returns the next offset. */
static int64_t
check_slice(const Check *c, const PlogSlice *slice, int64_t next, bool whole)
{
    uint8_t *bytes = malloc((size_t)slice->len);
    int64_t pos = 0;

    ot_assert(bytes != NULL);
    REQUIRE(c, pread(slice->fd, bytes, (size_t)slice->len, slice->pos) == slice->len,
            "a published slice cannot be read");
    while (pos < slice->len) {
        const SimBatch *wanted = find_batch(c->part, next);
        int64_t size = 0;
        BatchScan what = batch_scan((BytesView){bytes + pos, slice->len - (int32_t)pos},
                                    slice->len - pos, &size);

        if (what == BATCH_SCAN_END && !whole)
            break;
        REQUIRE(c, what == BATCH_SCAN_OK, "no batch at offset %" PRId64, next);
        REQUIRE(c, batch_crc_ok(bytes + pos, (size_t)size), "bad checksum at %" PRId64, next);
        REQUIRE(c, wanted != NULL && batch_base_offset(bytes + pos) == wanted->base,
                "offset %" PRId64 " does not follow", next);
        REQUIRE(c,
                batch_crc(bytes + pos) == wanted->crc &&
                    batch_leader_epoch(bytes + pos) == wanted->leader_epoch,
                "another batch at %" PRId64, next);
        next = batch_end(wanted);
        pos += size;
    }
    free(bytes);
    return next;
}

static int64_t
read_from(const Check *c, int64_t offset, int32_t max_bytes, bool whole)
{
    PlogReadArgs args = {offset, PLOG_BOUND_HW, max_bytes, true};
    PlogReadResult result;
    ErrInfo err = {0};
    int64_t next;

    REQUIRE(c, plog_read(c->ref, &args, &result, &err) == 0, "read at %" PRId64 ": %s", offset,
            err.text);
    REQUIRE(c, result.slice.len > 0, "nothing to read at %" PRId64, offset);
    next = check_slice(c, &result.slice, offset, whole);
    plog_slice_release(&result.slice);
    return next;
}

static void
check_records(const Check *c)
{
    int64_t left = c->o.log_end_offset - c->o.log_start_offset;
    int64_t offset = c->o.log_start_offset;

    while (offset < c->o.log_end_offset)
        offset = read_from(c, offset, INT32_MAX, true);
    REQUIRE(c, offset == c->o.log_end_offset, "the last batch goes beyond the end");
    for (int i = 0; left > 0 && i < 4; i++) /* by the indexes */
        (void)read_from(
            c, c->o.log_start_offset + (int64_t)random_seq_below(c->random, (uint64_t)left), 1,
            false);
}

/* The first record with a timestamp not below target; -1: none, or it lies below the log start. */
static int64_t
first_not_below(const Check *c, int64_t target)
{
    for (int32_t i = 0; i < c->part->count; i++) {
        const SimBatch *b = &c->part->batches[i];

        for (int32_t r = 0; r < b->what.count; r++) {
            if (b->what.timestamp + r >= target)
                return b->base + r >= c->o.log_start_offset ? b->base + r : -1;
        }
    }
    return -1;
}

/* By the time indexes. As in Kafka, a record below the log start hides those behind it. */
static void
check_timestamps(const Check *c)
{
    Arena *arena = arena_new(65536, 0);
    const SimPartition *part = c->part;

    for (int n = 0; part->count > 0 && n < 3; n++) {
        const SimBatch *some = &part->batches[random_seq_below(c->random, (uint64_t)part->count)];
        int64_t target =
            some->what.timestamp + (int64_t)random_seq_below(c->random, (uint64_t)some->what.count);
        int64_t wanted = first_not_below(c, target);
        PlogFound found;
        ErrInfo err = {0};

        if (wanted < 0)
            continue;
        REQUIRE(c, plog_find_by_timestamp(c->ref, target, arena, &found, &err) == 0,
                "timestamp %" PRId64 ": %s", target, err.text);
        REQUIRE(c, found.offset == wanted,
                "timestamp %" PRId64 " is at %" PRId64 ", found at %" PRId64, target, wanted,
                found.offset);
    }
    arena_free(arena);
}

static void
check_epochs(const Check *c)
{
    const SimPartition *part = c->part;

    for (int32_t i = 0; i < part->count; i++) {
        const SimBatch *b = &part->batches[i];
        int64_t wanted = c->o.log_end_offset;
        PlogEpochEnd end;
        ErrInfo err = {0};

        if (b->base < c->o.log_start_offset ||
            (i > 0 && part->batches[i - 1].base >= c->o.log_start_offset &&
             part->batches[i - 1].leader_epoch == b->leader_epoch))
            continue;
        for (int32_t n = i + 1; n < part->count; n++) {
            if (part->batches[n].leader_epoch > b->leader_epoch) {
                wanted = part->batches[n].base;
                break;
            }
        }
        REQUIRE(c, plog_epoch_end_offset(c->ref, b->leader_epoch, &end, &err) == 0, "%s", err.text);
        REQUIRE(c, end.epoch == b->leader_epoch && end.end_offset == wanted,
                "epoch %d ends at %" PRId64 ", the cache says epoch %d, %" PRId64,
                (int)b->leader_epoch, wanted, (int)end.epoch, end.end_offset);
    }
}

/* Sent again, the last batch of each producer is a repetition. */
static void
check_producers(const Check *c)
{
    Arena *arena = arena_new(65536, 0);

    for (int64_t id = 1; id <= SIM_PRODUCERS; id++) {
        const SimBatch *last = promises_last_of(c->part, id);
        ReplicaAppendResult result;
        ReplicaAppendArgs args = {.acks = -1};
        ErrInfo err = {0};
        Batch batch;
        int rc;

        if (last == NULL || last->base < c->o.log_start_offset)
            continue;
        node_batch(&last->what, arena, &batch);
        args.batch = &batch;
        rc = replica_append(c->ref, &args, &result, &err);
        REQUIRE(c, rc == 0, "the last batch of producer %" PRId64 ", sequence %d, again: %s", id,
                (int)last->what.sequence, err.text);
        REQUIRE(c, result.log.duplicate && result.log.base_offset == last->base,
                "the last batch of producer %" PRId64 " was taken a second time", id);
    }
    arena_free(arena);
}

/* What holds from now on is what survived. */
static void
begin_anew(SimPartition *part, const PlogOffsets *o, int64_t moment)
{
    while (part->count > 0 && batch_end(&part->batches[part->count - 1]) > o->log_end_offset)
        part->count--;
    for (int32_t i = 0; i < part->count; i++) {
        part->batches[i].begun = -1;
        part->batches[i].wait = (ReplicaWait){0};
    }
    rises_restart(&part->durable, rises_at(&part->durable, moment));
    rises_restart(&part->start, rises_at(&part->start, moment));
    rises_restart(&part->start_asked, o->log_start_offset);
}

static void
check_partition(Check *c, int64_t moment, bool nothing_lost)
{
    SimPartition *part = c->part;
    ErrInfo err = {0};

    forget_later(part, moment);
    REQUIRE(c, plog_offsets(c->ref, &c->o, &err) == 0, "log cannot be opened: %s", err.text);
    check_offsets(c, moment, nothing_lost);
    if (!nothing_lost)
        begin_anew(part, &c->o, moment);
    part->start_now = c->o.log_start_offset;
    check_records(c);
    check_timestamps(c);
    check_epochs(c);
    check_producers(c);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static void
check_topic(SimTopic *t, int64_t moment, bool nothing_lost, RandomSeq *random)
{
    const ImageTopic *found = image_topic_by_name(node_image(), strview_from(t->name));
    bool there = found != NULL && uuid_equal(image_topic_id(found), t->id);

    if (t->create_begun >= moment && there)
        sim_fail("topic %s is there before it was asked for", t->name);
    if (t->created <= moment && t->delete_begun >= moment && !there)
        sim_fail("topic %s was promised", t->name);
    if (t->deleted <= moment && there)
        sim_fail("topic %s is there, its deletion was promised", t->name);
    if (!there && !nothing_lost)
        free_topic(t);
    if (!there)
        return;
    if (!nothing_lost) {
        t->create_begun = t->created = -1;
        t->delete_begun = t->deleted = NEVER;
    }
    for (int32_t i = 0; i < t->partitions; i++) {
        Check c = {.topic = t, .part = &t->parts[i], .random = random, .number = i};

        c.ref = node_partition(t->name, i);
        check_partition(&c, moment, nothing_lost);
    }
}

static bool
is_known(const Promises *p, const ImageTopic *topic)
{
    for (size_t i = 0; i < sizeof p->topics / sizeof p->topics[0]; i++) {
        if (p->topics[i].name[0] != '\0' && uuid_equal(p->topics[i].id, image_topic_id(topic)))
            return true;
    }
    return false;
}

void
promises_check(Promises *p, int64_t moment, bool nothing_lost, RandomSeq *random)
{
    int64_t ids = rises_at(&p->producer_ids, moment);

    for (size_t i = 0; i < sizeof p->topics / sizeof p->topics[0]; i++) {
        if (p->topics[i].name[0] != '\0')
            check_topic(&p->topics[i], moment, nothing_lost, random);
    }
    for (const ImageTopic *t = image_topic_after(node_image(), (StrView){NULL, 0}); t != NULL;
         t = image_topic_after(node_image(), image_topic_name(t))) {
        if (!is_known(p, t))
            sim_fail("topic %.*s was never created", (int)image_topic_name(t).len,
                     image_topic_name(t).ptr);
    }
    if (image_next_producer_id(node_image()) < ids)
        sim_fail("producer ids below %" PRId64 " were given out", ids);
    if (!nothing_lost)
        rises_restart(&p->producer_ids, ids);
}
