/*
 * fd_cache.c - the process's open partition files
 *
 * Hash table with chains plus one list in order of use. Private memory: dies with its process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/fd_cache.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/hash.h"
#include "ottla/common/own_page.h"
#include "ottla/common/vfs.h"
#include "storage/plog_int.h"

#define OPEN_MAX_DEFAULT  32768
#define OPEN_MIN          16
#define BUCKETS_MIN       256
#define VICTIMS_LOOKED_AT 16   /* descriptors from which the one to be closed is chosen */
#define HELD_MIN_MS       3000 /* for a slow reader when files are unlinked at once */

static OWN_PAGE struct {
    int max_open;
    int count;
    uint32_t bucket_mask;
    FileRef **buckets;
    FileRef *newest;
    FileRef *oldest;
    FileRef *held; /* out of the cache, but pinned */
    uint32_t swept_epoch;
} cache;

void
fd_cache_init(int max_open)
{
    struct rlimit limit;

    if (max_open <= 0) {
        max_open = OPEN_MAX_DEFAULT;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < (rlim_t)max_open)
            max_open = (int)(limit.rlim_cur / 4);
    }
    fd_cache_reset();
    cache.max_open = max_open < OPEN_MIN ? OPEN_MIN : max_open;
}

static uint32_t
bucket_of(int32_t slot, int64_t base, SegmentFile kind)
{
    uint64_t key = (uint64_t)(uint32_t)slot << 32 ^ (uint64_t)base << 3 ^ (uint64_t)kind;

    return (uint32_t)hash_u64(key) & cache.bucket_mask;
}

/* ---- lists -------------------------------------------------------------------------------------- */

static void
lru_unlink(FileRef *f)
{
    if (f->lru_prev != NULL)
        f->lru_prev->lru_next = f->lru_next;
    else
        cache.newest = f->lru_next;
    if (f->lru_next != NULL)
        f->lru_next->lru_prev = f->lru_prev;
    else
        cache.oldest = f->lru_prev;
    f->lru_prev = NULL;
    f->lru_next = NULL;
}

static void
lru_push(FileRef *f)
{
    f->lru_prev = NULL;
    f->lru_next = cache.newest;
    if (cache.newest != NULL)
        cache.newest->lru_prev = f;
    cache.newest = f;
    if (cache.oldest == NULL)
        cache.oldest = f;
}

static void
hash_unlink(FileRef *f)
{
    FileRef **at = &cache.buckets[bucket_of(f->slot, f->base, f->kind)];

    while (*at != f)
        at = &(*at)->hash_next;
    *at = f->hash_next;
}

/* ---- files out of the cache that an answer still needs ------------------------------------------ */

/*
 * When the file may have been without a name for as long as readers are given: it is renamed now, unlinked
 * after the delay, and whoever still reads it then has the same time once more.
 */
static int64_t
hold_deadline_us(const FileRef *f)
{
    const PartitionSlot *slot = pslot_at(f->slot);
    int64_t delay_ms = conf_int64(CONF_LOG_SEGMENT_DELETE_DELAY_MS);
    int64_t grace_ms;
    int64_t deadline;
    TopicSettings s;

    if (atomic_u32_load(&slot->generation) == f->generation) {
        pslot_settings(slot, &s);
        delay_ms = s.file_delete_delay_ms;
    }
    grace_ms = delay_ms < HELD_MIN_MS ? HELD_MIN_MS : delay_ms;
    if (__builtin_add_overflow(delay_ms, grace_ms, &deadline) ||
        __builtin_mul_overflow(deadline, 1000, &deadline) ||
        __builtin_add_overflow(deadline, clock_mono_us(), &deadline))
        return INT64_MAX;
    return deadline;
}

static void
hold(FileRef *f)
{
    f->close_us = hold_deadline_us(f);
    f->lru_prev = NULL;
    f->lru_next = cache.held;
    if (cache.held != NULL)
        cache.held->lru_prev = f;
    cache.held = f;
}

static void
drop_held(FileRef *f)
{
    if (f->lru_prev != NULL)
        f->lru_prev->lru_next = f->lru_next;
    else
        cache.held = f->lru_next;
    if (f->lru_next != NULL)
        f->lru_next->lru_prev = f->lru_prev;
    vfs_close(f->fd);
    free(f);
}

int64_t
fd_cache_hold_deadline_us(void)
{
    int64_t least = INT64_MAX;
    const FileRef *f;

    for (f = cache.held; f != NULL; f = f->lru_next) {
        if (f->close_us < least)
            least = f->close_us;
    }
    return least;
}

bool
fd_cache_holds_space(int64_t now_us)
{
    FileRef *f;

    for (f = cache.held; f != NULL; f = f->lru_next) {
        if (f->close_us > now_us)
            continue;
        if (vfs_is_unlinked(f->fd))
            return true;
        f->close_us = hold_deadline_us(f); /* another segment of the partition went, not this one */
    }
    return false;
}

/* Does the file hold what this process wrote and no commit covers? */
static bool
is_uncovered(const FileRef *f)
{
    const PartitionSlot *slot = pslot_at(f->slot);
    PlogTuple t;

    if (f->written_end == 0 || atomic_u32_load(&slot->generation) != f->generation)
        return false;
    (void)pslot_read_tuple(slot, &t); /* its recovery point is all that counts here */
    return pslot_durable(slot, &t) < f->written_end;
}

/* Out of the cache; closed now or, when pinned, at its release. */
static void
detach(FileRef *f)
{
    if (is_uncovered(f))
        logdir_give_descriptor_up(pslot_dir(pslot_at(f->slot)));
    hash_unlink(f);
    lru_unlink(f);
    cache.count--;
    f->detached = true;
    if (f->pins == 0) {
        vfs_close(f->fd);
        free(f);
    } else {
        hold(f);
    }
}

static bool
grow(void)
{
    uint32_t old_count = cache.buckets == NULL ? 0 : cache.bucket_mask + 1;
    uint32_t count = old_count == 0 ? BUCKETS_MIN : old_count * 2;
    FileRef **old = cache.buckets;
    FileRef **fresh = calloc(count, sizeof(FileRef *));
    uint32_t i;

    if (fresh == NULL)
        return old != NULL; /* longer chains, else nothing works */
    cache.buckets = fresh;
    cache.bucket_mask = count - 1;
    for (i = 0; i < old_count; i++) {
        FileRef *f = old[i];

        while (f != NULL) {
            FileRef *next = f->hash_next;
            FileRef **at = &cache.buckets[bucket_of(f->slot, f->base, f->kind)];

            f->hash_next = *at;
            *at = f;
            f = next;
        }
    }
    free(old);
    return true;
}

/* ---- the cache ---------------------------------------------------------------------------------- */

/* The oldest that may go: of the first few the one that a commit covers. NULL: all are pinned. */
static FileRef *
choose_victim(void)
{
    FileRef *fallback = NULL;
    FileRef *f;
    int looked = 0;

    for (f = cache.oldest; f != NULL; f = f->lru_prev) {
        if (f->pins != 0)
            continue;
        if (fallback == NULL)
            fallback = f;
        if (looked++ == VICTIMS_LOOKED_AT)
            break;
        if (!is_uncovered(f))
            return f;
    }
    return fallback;
}

/* Closes unpinned descriptors until there is room for one more. */
static void
make_room(void)
{
    FileRef *f;

    while (cache.count >= cache.max_open && (f = choose_victim()) != NULL)
        detach(f);
}

bool
fd_cache_trim(int keep)
{
    FileRef *f = cache.oldest;
    bool all = true;

    while (cache.count > keep && f != NULL) {
        FileRef *prev = f->lru_prev;

        if (f->pins == 0 && !is_uncovered(f))
            detach(f);
        else
            all = false;
        f = prev;
    }
    return all;
}

static bool
is_stale(const FileRef *f)
{
    const PartitionSlot *slot = pslot_at(f->slot);

    return atomic_u32_load(&slot->generation) != f->generation ||
           atomic_u32_load(&slot->file_generation) != f->file_generation;
}

static FileRef *
find(int32_t slot, int64_t base, SegmentFile kind)
{
    FileRef *f = cache.buckets == NULL ? NULL : cache.buckets[bucket_of(slot, base, kind)];

    while (f != NULL && (f->slot != slot || f->base != base || f->kind != kind))
        f = f->hash_next;
    return f;
}

/* Writable if possible: the same descriptor serves appends and fetches. */
static int
open_file(const char *path, int dir, bool create, ErrInfo *err)
{
    int fd;

    if (logdir_is_put_aside(dir))
        return vfs_open(path, O_RDONLY, 0, err);
    fd = vfs_open(path, O_RDWR | (create ? O_CREAT : 0), FILE_MODE, err);

    if (fd == OT_E_PERMISSION && !create)
        fd = vfs_open(path, O_RDONLY, 0, err);
    return fd;
}

static int
insert(const PartitionSlot *slot, int64_t base, SegmentFile kind, bool create, FileRef **ret,
       ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    FileRef *f;
    FileRef **at;

    make_room();
    if ((cache.buckets == NULL || (uint32_t)cache.count > cache.bucket_mask) && !grow())
        return err_set(err, OT_E_NO_MEMORY, "no memory for the descriptor cache");
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the descriptor cache");
    f->slot = pslot_index(slot);
    f->generation = atomic_u32_load(&slot->generation);
    f->file_generation = atomic_u32_load(&slot->file_generation);
    f->base = base;
    f->kind = kind;
    plog_file_path(slot, base, kind, path);
    f->fd = open_file(path, pslot_dir(slot), create, err);
    if (f->fd < 0) {
        int code = f->fd;

        free(f);
        return code;
    }
    at = &cache.buckets[bucket_of(f->slot, base, kind)];
    f->hash_next = *at;
    *at = f;
    lru_push(f);
    cache.count++;
    *ret = f;
    return 0;
}

int
fd_cache_get(const PartitionSlot *slot, int64_t base, SegmentFile kind, bool create, FileRef **ret,
             ErrInfo *err)
{
    FileRef *f;
    int rc;

    if (cache.max_open == 0)
        fd_cache_init(0);
    f = find(pslot_index(slot), base, kind);
    if (f != NULL && is_stale(f)) {
        detach(f);
        f = NULL;
    }
    if (f == NULL) {
        rc = insert(slot, base, kind, create, &f, err);
        if (rc != 0)
            return rc;
    } else if (cache.newest != f) {
        lru_unlink(f);
        lru_push(f);
    }
    f->pins++;
    *ret = f;
    return 0;
}

/* The entry with this descriptor in a list. */
static FileRef *
find_fd(FileRef *list, int fd)
{
    while (list != NULL && list->fd != fd)
        list = list->lru_next;
    return list;
}

const PartitionSlot *
fd_cache_note_unreadable(int fd)
{
    FileRef *f = find_fd(cache.newest, fd);
    PartitionSlot *slot;

    if (f == NULL)
        f = find_fd(cache.held, fd);
    if (f == NULL)
        return NULL;
    slot = pslot_at(f->slot);
    if (atomic_u32_load(&slot->generation) != f->generation)
        return NULL;
    atomic_u32_store(&slot->unreadable, 1);
    return slot;
}

void
fd_cache_note_written(FileRef *file, int64_t end_offset)
{
    file->written_end = end_offset;
}

void
fd_cache_put(FileRef *file)
{
    if (file == NULL)
        return;
    ot_assert(file->pins > 0);
    if (--file->pins == 0 && file->detached)
        drop_held(file);
}

void
plog_slice_release(PlogSlice *slice)
{
    if (slice == NULL || slice->file == NULL)
        return;
    fd_cache_put(slice->file);
    *slice = (PlogSlice){.fd = -1};
}

void
fd_cache_reset(void)
{
    FileRef *f = cache.oldest;

    while (f != NULL) {
        FileRef *prev = f->lru_prev;

        detach(f);
        f = prev;
    }
}

void
fd_cache_sweep(void)
{
    FileRef *f = cache.oldest;
    uint32_t epoch;

    if (f == NULL)
        return; /* nothing is open: not even the word is looked at */
    epoch = pslot_files_epoch();
    if (epoch == cache.swept_epoch)
        return;
    cache.swept_epoch = epoch;
    while (f != NULL) {
        FileRef *prev = f->lru_prev;

        if (is_stale(f))
            detach(f);
        f = prev;
    }
}

void
fd_cache_announce(void)
{
    pslot_raise_files_epoch();
}

int
fd_cache_limit(void)
{
    if (cache.max_open == 0)
        fd_cache_init(0);
    return cache.max_open;
}

int
fd_cache_count(void)
{
    return cache.count;
}
