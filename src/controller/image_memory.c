/*
 * image_memory.c - memory of the image: pieces, generations, publication, taking back
 *
 * Runs in: controller (everything but pins), everybody (pins are image.c).
 * The allocator's own books are private memory of the controller process; only pieces are shared.
 * A crash of the controller rebuilds the region, so nothing here survives its process.
 *
 * Order of publication: the ring entry, then newest [P1]. Order of a reader: pin, then newest
 * again [P2]. All of these words are sequentially consistent, so either the reader sees the new
 * generation and pins again, or image_oldest_pin() sees the pin before anything is taken back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "controller/image_int.h"
#include "ottla/common/assert.h"
#include "ottla/ipc/slot.h"

#define RECLAIM_BYTES (256 * 1024) /* waiting bytes from which taking back is worth a scan */
#define NODE_ROOM     256          /* nodes that one change of a map can never need */

ImageShared *image_shared;

size_t
image_shm_size(const ShmLimits *limits)
{
    return sizeof(ImageShared) + limits->image_bytes;
}

void
image_shm_init(void *base, const ShmLimits *limits)
{
    ot_assert(limits->backend_slots + limits->worker_slots <= IMAGE_SLOTS_MAX);
    image_shared = base;
    image_shared->arena_bytes = limits->image_bytes;
}

/* ---- size classes: steps of 16 up to 512, then four per doubling ---- */

static int
class_of(size_t bytes, size_t *ret_size)
{
    size_t step = 128;
    int class = 32;

    if (bytes <= 512) {
        *ret_size = bytes == 0 ? 16 : (bytes + 15) & ~(size_t)15;
        return (int)(*ret_size / 16) - 1;
    }
    for (size_t base = 512;; base *= 2, step *= 2)
        for (size_t i = 1; i <= 4; i++, class ++) {
            if (class >= IMAGE_CLASS_COUNT)
                return -1;
            if (bytes <= base + i * step) {
                *ret_size = base + i * step;
                return class;
            }
        }
}

static void
free_piece(ImageWriter *w, void *ptr, size_t bytes)
{
    size_t size;
    int class = class_of(bytes, &size);
    FreePiece *piece = ptr;

    ot_assert(class >= 0 && w->used >= size);
    piece->next = w->free[class];
    w->free[class] = piece;
    w->used -= size;
    if (size == sizeof(MapNode))
        w->free_nodes++;
}

static void
list_add(ImageWriter *w, PieceList *list, ImagePiece piece)
{
    if (list->first > 0 && list->first == list->count)
        list->first = list->count = 0;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 1024 : list->room * 2;
        ImagePiece *items = realloc(list->items, room * sizeof *items);

        /* A piece that is forgotten is lost until the next start; a born one must not be. */
        if (items == NULL) {
            w->no_memory = true;
            return;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = piece;
}

void
image_writer_init(ImageWriter *w)
{
    static_assert(sizeof(MapNode) % 16 == 0, "a node fills its class");

    *w = (ImageWriter){.bump = image_shared->arena, .generation = 1};
    w->end = w->bump + image_shared->arena_bytes;
    w->now = (Image){.generation = 1, .offset = -1, .controller_id = -1, .zk_migration_state = -1};
    w->before = w->now;
    w->before.generation = 0;
    memset(w->free, 0, sizeof w->free);
}

void
image_writer_fini(ImageWriter *w)
{
    free(w->born.items);
    free(w->dropped.items);
    free(w->retired.items);
    free(w->waiting.items);
    *w = (ImageWriter){0};
}

void *
image_alloc(ImageWriter *w, size_t bytes)
{
    size_t size;
    int class = class_of(bytes, &size);
    void *ptr;

    if (class < 0)
        return NULL;
    if (w->free[class] != NULL) {
        ptr = w->free[class];
        w->free[class] = w->free[class]->next;
        if (size == sizeof(MapNode))
            w->free_nodes--;
    } else if ((size_t)(w->end - w->bump) >= size) {
        ptr = w->bump;
        w->bump += size;
    } else {
        return NULL;
    }
    w->used += size;
    memset(ptr, 0, size);
    list_add(w, &w->born, (ImagePiece){ptr, (uint32_t)bytes, 0, w->generation});
    return ptr;
}

void
image_drop(ImageWriter *w, void *ptr, size_t bytes, uint64_t born)
{
    ImagePiece piece = {ptr, (uint32_t)bytes, 0, w->generation};

    list_add(w, born == w->generation ? &w->dropped : &w->retired, piece);
}

bool
image_has_node_room(ImageWriter *w)
{
    return !w->no_memory &&
           w->free_nodes + (w->end - w->bump) / (int64_t)sizeof(MapNode) >= NODE_ROOM;
}

/* ---- generations ---- */

void
image_commit(ImageWriter *w)
{
    size_t bytes = 0;

    ot_assert(!w->no_memory);
    for (size_t i = 0; i < w->dropped.count; i++)
        free_piece(w, w->dropped.items[i].ptr, w->dropped.items[i].size);
    for (size_t i = 0; i < w->retired.count; i++)
        list_add(w, &w->waiting, w->retired.items[i]);
    w->no_memory = false; /* pieces that could not be noted are lost, nothing else */
    w->born.count = w->dropped.count = w->retired.count = 0;
    w->before = w->now;
    w->generation++;
    w->now.generation = w->generation;
    for (size_t i = w->waiting.first; i < w->waiting.count && bytes < RECLAIM_BYTES; i++)
        bytes += w->waiting.items[i].size;
    if (bytes >= RECLAIM_BYTES)
        image_reclaim(w);
}

void
image_abort(ImageWriter *w)
{
    for (size_t i = 0; i < w->born.count; i++)
        free_piece(w, w->born.items[i].ptr, w->born.items[i].size);
    w->born.count = w->dropped.count = w->retired.count = 0;
    w->no_memory = false;
    w->now = w->before;
    w->now.generation = w->generation;
}

uint64_t
image_oldest_pin(int32_t *ret_slot, int64_t *ret_since_us)
{
    uint64_t oldest = UINT64_MAX;
    int32_t slots = slot_count();

    *ret_slot = SLOT_NONE;
    *ret_since_us = 0;
    for (int32_t word = 0; word * 64 < slots; word++) {
        uint64_t bits = atomic_u64_load_seq(&image_shared->pinners[word]);

        for (; bits != 0; bits &= bits - 1) {
            int32_t index = word * 64 + __builtin_ctzll(bits);
            uint64_t pin = atomic_u64_load_seq(&slot_at(index)->image_pin);

            if (pin == 0 || pin >= oldest || slot_state(index) == SLOT_DEAD)
                continue;
            oldest = pin;
            *ret_slot = index;
            *ret_since_us = atomic_i64_load_relaxed(&slot_at(index)->image_pin_since_us);
        }
    }
    return oldest;
}

pid_t
image_kill_old_pin(const ImageWriter *w, int64_t since_us, uint64_t *ret_generation)
{
    int32_t slot, again;
    int64_t since;
    uint64_t oldest = image_oldest_pin(&slot, &since);
    pid_t pid;
    int pidfd;

    *ret_generation = oldest;
    if (slot < 0 || slot == my_slot_index || oldest >= w->published || since > since_us)
        return 0;
    pid = atomic_i32_load(&slot_at(slot)->pid);
    pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd < 0)
        return 0;
    /* It may have ended and its number be another's by now: the pin tells, and pidfd is one process. */
    if (image_oldest_pin(&again, &since) != oldest || again != slot || since > since_us ||
        pidfd_send_signal(pidfd, SIGKILL, NULL, 0) != 0)
        pid = 0;
    (void)close(pidfd);
    return pid;
}

int
image_publish(ImageWriter *w)
{
    uint64_t generation = w->before.generation;
    int32_t slot;
    int64_t since;

    ot_assert(generation > w->published);
    if (generation > IMAGE_ROOT_RING &&
        image_oldest_pin(&slot, &since) <= generation - IMAGE_ROOT_RING)
        return OT_E_BUSY;
    image_shared->roots[generation % IMAGE_ROOT_RING] = w->before;
    atomic_u64_store_seq(&image_shared->newest, generation); /* [P1] */
    w->published = generation;
    return 0;
}

void
image_reclaim(ImageWriter *w)
{
    int32_t slot;
    int64_t since;
    uint64_t oldest = image_oldest_pin(&slot, &since);
    PieceList *list = &w->waiting;

    /* A piece given up in generation g is reached by g - 1 and before: by nobody once all see g. */
    if (oldest > w->published)
        oldest = w->published == 0 ? w->before.generation : w->published;
    while (list->first < list->count && list->items[list->first].generation <= oldest) {
        free_piece(w, list->items[list->first].ptr, list->items[list->first].size);
        list->first++;
    }
    if (list->first == list->count) {
        list->first = list->count = 0;
    } else if (list->first > list->count / 2) {
        memmove(list->items, list->items + list->first,
                (list->count - list->first) * sizeof *list->items);
        list->count -= list->first;
        list->first = 0;
    }
}
