/*
 * verify_state.c - leader epochs and producer snapshots against what the batches say
 *
 * The walk keeps the state of every producer that it met. A snapshot may lack producers (expired) and
 * have others (their batches were deleted); those that both have must agree.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "inspect/verify_int.h"
#include "ottla/common/hash.h"
#include "ottla/common/vfs.h"

#define BOOK_SLOTS_FIRST 64
#define SNAPSHOT_MAX     (1 << 30)

/* ---- producers ------------------------------------------------------------------------------------ */

typedef struct BookEntry {
    int64_t id; /* -1: free */
    ProducerState state;
} BookEntry;

struct ProducerBook {
    BookEntry *slots;
    size_t size; /* a power of two */
    size_t count;
};

static BookEntry *
new_slots(size_t size)
{
    BookEntry *slots = calloc(size, sizeof *slots);

    for (size_t i = 0; slots != NULL && i < size; i++)
        slots[i].id = -1;
    return slots;
}

ProducerBook *
producer_book_new(void)
{
    ProducerBook *book = calloc(1, sizeof *book);

    if (book != NULL) {
        book->size = BOOK_SLOTS_FIRST;
        book->slots = new_slots(book->size);
        if (book->slots == NULL) {
            free(book);
            book = NULL;
        }
    }
    return book;
}

void
producer_book_free(ProducerBook *book)
{
    if (book == NULL)
        return;
    free(book->slots);
    free(book);
}

static BookEntry *
slot_of(BookEntry *slots, size_t size, int64_t id)
{
    size_t at = hash_u64((uint64_t)id) & (size - 1);

    while (slots[at].id != -1 && slots[at].id != id)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static bool
grow(ProducerBook *book)
{
    BookEntry *wider = new_slots(book->size * 2);

    if (wider == NULL)
        return false;
    for (size_t i = 0; i < book->size; i++)
        if (book->slots[i].id != -1)
            *slot_of(wider, book->size * 2, book->slots[i].id) = book->slots[i];
    free(book->slots);
    book->slots = wider;
    book->size *= 2;
    return true;
}

ProducerState *
producer_book_find(ProducerBook *book, int64_t producer_id, bool make)
{
    BookEntry *e = slot_of(book->slots, book->size, producer_id);

    if (e->id != -1)
        return &e->state;
    if (!make || producer_id < 0)
        return NULL;
    if (book->count * 2 >= book->size) {
        if (!grow(book))
            return NULL;
        e = slot_of(book->slots, book->size, producer_id);
    }
    *e = (BookEntry){producer_id, PRODUCER_STATE_EMPTY};
    book->count++;
    return &e->state;
}

int64_t
producer_book_first_open(const ProducerBook *book)
{
    int64_t first = -1;

    for (size_t i = 0; i < book->size; i++) {
        const BookEntry *e = &book->slots[i];

        if (e->id != -1 && e->state.txn_first_offset >= 0 &&
            (first < 0 || e->state.txn_first_offset < first))
            first = e->state.txn_first_offset;
    }
    return first;
}

/* ---- snapshots ------------------------------------------------------------------------------------ */

static void
compare_producer(PartitionCheck *p, Place place, int64_t id, const ProducerState *stored)
{
    const ProducerState *seen = producer_book_find(p->producers, id, false);

    if (producer_last_offset(stored) >= place.offset)
        verify_report(p->v, SEVERITY_DAMAGE, place,
                      "producer %" PRId64 " wrote last at %" PRId64 ", behind the snapshot", id,
                      producer_last_offset(stored));
    else if (seen != NULL && producer_last_offset(seen) >= 0 && producer_last_offset(stored) >= 0 &&
             (seen->epoch != stored->epoch ||
              producer_last_offset(seen) != producer_last_offset(stored) ||
              producer_last_sequence(seen) != producer_last_sequence(stored)))
        verify_report(p->v, SEVERITY_DAMAGE, place,
                      "producer %" PRId64 ": epoch %d, sequence %" PRId32 " at %" PRId64
                      " here, epoch %d, sequence %" PRId32 " at %" PRId64 " in the log",
                      id, (int)stored->epoch, producer_last_sequence(stored),
                      producer_last_offset(stored), (int)seen->epoch, producer_last_sequence(seen),
                      producer_last_offset(seen));
}

static int
check_snapshot(PartitionCheck *p, int64_t offset, ErrInfo *err)
{
    ArenaMark mark = arena_mark(p->arena);
    char path[LIMIT_PATH_BYTES];
    Place place = {path, offset, -1};
    ErrInfo why = {0};
    BytesView file;
    int32_t count;
    int rc;

    verify_segment_path(path, p->folder, offset, ".snapshot");
    rc = vfs_read_file(path, SNAPSHOT_MAX, p->arena, &file, err);
    if (rc == 0 && producer_snapshot_check(file, &count, &why) != 0) {
        verify_report(p->v, SEVERITY_DAMAGE, place, "%s", why.text);
    } else if (rc == 0) {
        for (int32_t i = 0; i < count; i++) {
            ProducerState stored;
            int64_t id;

            producer_snapshot_get(file, i, &id, &stored);
            compare_producer(p, place, id, &stored);
        }
    }
    arena_release(p->arena, mark);
    return rc;
}

int
check_snapshots_until(PartitionCheck *p, int64_t offset, ErrInfo *err)
{
    int rc = 0;

    while (rc == 0 && p->snapshot_next < p->snapshot_count &&
           p->snapshots[p->snapshot_next] <= offset)
        rc = check_snapshot(p, p->snapshots[p->snapshot_next++], err);
    return rc;
}

/* ---- epochs --------------------------------------------------------------------------------------- */

void
check_epoch(SegmentCheck *s, const WalkedBatch *batch)
{
    PartitionCheck *p = s->p;
    int32_t epoch = batch_leader_epoch(batch->header);
    int64_t offset = batch_base_offset(batch->header);
    Place place = {s->path, offset, batch->pos};
    int32_t noted;

    if (epoch < p->last_epoch)
        verify_report(p->v, SEVERITY_DAMAGE, place,
                      "leader epoch goes back from %" PRId32 " to %" PRId32, p->last_epoch, epoch);
    p->last_epoch = epoch > p->last_epoch ? epoch : p->last_epoch;
    if (epoch < 0 || p->epoch_count == 0 || offset < p->epochs[0].start_offset)
        return;
    noted = epochs_of_offset(p->epochs, p->epoch_count, offset);
    if (noted != epoch)
        verify_report(p->v, s->last && !p->dir->clean ? SEVERITY_NOTE : SEVERITY_DAMAGE, place,
                      "leader epoch %" PRId32 ", but " LEADER_EPOCH_FILE " says %" PRId32, epoch,
                      noted);
}
