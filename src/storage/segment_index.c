/*
 * segment_index.c - offset and time index of a segment: entries, lookups, the hot tail
 *
 * Index files hold exactly their entries, are written by pwrite and read by pread, never mapped, so
 * that nobody meets a truncated page. The newest entries of an active segment wait in a shared chunk
 * (HotChunk) and go to the files twenty at a time; lookups look there first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/assert.h"
#include "storage/plog_int.h"

#define WINDOW_BYTES 4096 /* read at once while searching a file */

/* ---- searching a file --------------------------------------------------------------------------- */

/* Key of an entry: relative offset, or timestamp. */
typedef int64_t (*KeyOf)(const uint8_t *entry);

static int64_t
index_key(const uint8_t *entry)
{
    return (int32_t)wire_load32(entry);
}

static int64_t
time_key(const uint8_t *entry)
{
    return (int64_t)wire_load64(entry);
}

typedef struct FileSearch {
    int fd;
    int32_t entry_bytes;
    int32_t count;
    KeyOf key_of;
} FileSearch;

/* Number of entries of a window with key <= target. */
static int32_t
count_not_above(const FileSearch *s, const uint8_t *window, int32_t n, int64_t target)
{
    int32_t low = 0;
    int32_t high = n;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;

        if (s->key_of(window + (size_t)mid * (size_t)s->entry_bytes) <= target)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/*
 * Copies the largest entry with key <= target. The first window read is the last of the file: most
 * lookups end there.
 */
static int
search_file(const FileSearch *s, int64_t target, uint8_t *ret_entry, bool *ret_found, ErrInfo *err)
{
    int32_t per_window = WINDOW_BYTES / s->entry_bytes;
    int32_t low = 0;
    int32_t high = s->count;
    int32_t start = high - per_window;
    uint8_t window[WINDOW_BYTES];

    *ret_found = false;
    while (low < high) {
        int32_t n;
        int32_t below;
        int rc;

        if (start < low)
            start = low;
        n = high - start < per_window ? high - start : per_window;
        rc = vfs_pread_full(s->fd, window, (size_t)n * (size_t)s->entry_bytes,
                            (int64_t)start * s->entry_bytes, err);
        if (rc != 0)
            return rc;
        below = count_not_above(s, window, n, target);
        if (below > 0) {
            memcpy(ret_entry, window + (size_t)(below - 1) * (size_t)s->entry_bytes,
                   (size_t)s->entry_bytes);
            *ret_found = true;
        }
        if (below == n)
            low = start + n;
        else if (below > 0)
            return 0;
        else
            high = start;
        start = low + (high - low) / 2 - per_window / 2;
    }
    return 0;
}

/* Opens an index file; a missing one has no entries. */
static int
open_index(const PartitionSlot *slot, const SegmentView *seg, SegmentFile kind, FileRef **ret,
           ErrInfo *err)
{
    int rc = fd_cache_get(slot, seg->base, kind, false, ret, err);

    if (rc == OT_E_NOT_FOUND) {
        *ret = NULL;
        return 0;
    }
    return rc;
}

/* Entries in the file of a segment: published ones, or all of an inactive segment. */
static int
entry_count(FileRef *file, const SegmentView *seg, int32_t published, int32_t entry_bytes,
            int32_t *ret, ErrInfo *err)
{
    int64_t size;

    if (seg->active) {
        *ret = published;
        return 0;
    }
    size = vfs_size(file->fd, err);
    if (size < 0)
        return (int)size;
    *ret = (int32_t)(size / entry_bytes);
    return 0;
}

static int
search_segment(const PartitionSlot *slot, const SegmentView *seg, SegmentFile kind,
               int32_t published, int64_t target, uint8_t *ret_entry, bool *ret_found, ErrInfo *err)
{
    FileSearch s = {.entry_bytes = kind == SEGMENT_INDEX ? INDEX_ENTRY_BYTES : TIME_ENTRY_BYTES,
                    .key_of = kind == SEGMENT_INDEX ? index_key : time_key};
    FileRef *file = NULL;
    int rc;

    *ret_found = false;
    if (seg->active && published == 0)
        return 0;
    rc = open_index(slot, seg, kind, &file, err);
    if (rc != 0 || file == NULL)
        return rc;
    s.fd = file->fd;
    rc = entry_count(file, seg, published, s.entry_bytes, &s.count, err);
    if (rc == 0)
        rc = search_file(&s, target, ret_entry, ret_found, err);
    fd_cache_put(file);
    return rc;
}

/* ---- lookups ------------------------------------------------------------------------------------ */

/*
 * The hot entries are copied first and believed only if the tuple still names them: index_flushed and
 * hot chunk of a later publication differ once they were recycled.
 */
static bool
copy_hot(const PartitionSlot *slot, const PlogTuple *tuple, HotChunk *ret)
{
    PlogTuple now;

    shared_copy_out(ret, hot_at(tuple->hot_chunk), sizeof *ret);
    fence_acquire();
    (void)pslot_read_tuple(slot, &now);
    return now.active_base == tuple->active_base && now.hot_chunk == tuple->hot_chunk &&
           now.index_flushed == tuple->index_flushed && now.time_flushed == tuple->time_flushed;
}

/* False: nothing in the hot chunk answers it; look into the file. */
static bool
find_hot_index(const PartitionSlot *slot, const PlogTuple *tuple, int64_t rel, IndexEntry *ret)
{
    int32_t n = tuple->index_count - tuple->index_flushed;
    HotChunk hot;

    if (tuple->hot_chunk == 0 || n <= 0 || n > HOT_INDEX_ENTRIES || !copy_hot(slot, tuple, &hot))
        return false;
    while (n > 0 && hot.index[n - 1].offset_rel > rel)
        n--;
    if (n == 0)
        return false;
    *ret = hot.index[n - 1];
    return true;
}

int
offset_index_find(const PartitionSlot *slot, const PlogTuple *tuple, const SegmentView *seg,
                  int64_t target, IndexEntry *ret, ErrInfo *err)
{
    uint8_t entry[INDEX_ENTRY_BYTES];
    int64_t rel = target - seg->base;
    bool found;
    int rc;

    *ret = (IndexEntry){0, 0};
    if (seg->active && find_hot_index(slot, tuple, rel, ret))
        return 0;
    rc = search_segment(slot, seg, SEGMENT_INDEX, tuple->index_flushed, rel, entry, &found, err);
    if (rc != 0 || !found)
        return rc;
    *ret = index_entry_decode(entry);
    /* An index is advisory: one that points outside is as good as none. */
    if (ret->pos < 0 || ret->pos >= seg->size || ret->offset_rel < 0)
        *ret = (IndexEntry){0, 0};
    return 0;
}

static bool
find_hot_time(const PartitionSlot *slot, const PlogTuple *tuple, int64_t target, TimeEntry *ret)
{
    int32_t n = tuple->time_count - tuple->time_flushed;
    HotChunk hot;

    if (tuple->hot_chunk == 0 || n <= 0 || n > HOT_TIME_ENTRIES || !copy_hot(slot, tuple, &hot))
        return false;
    while (n > 0 && hot.time[n - 1].timestamp > target)
        n--;
    if (n == 0)
        return false;
    *ret = hot.time[n - 1];
    return true;
}

int
time_index_find(const PartitionSlot *slot, const PlogTuple *tuple, const SegmentView *seg,
                int64_t target, TimeEntry *ret, ErrInfo *err)
{
    uint8_t entry[TIME_ENTRY_BYTES];
    bool found;
    int rc;

    *ret = (TimeEntry){.timestamp = -1};
    if (seg->active && find_hot_time(slot, tuple, target, ret))
        return 0;
    rc = search_segment(slot, seg, SEGMENT_TIMEINDEX, tuple->time_flushed, target, entry, &found,
                        err);
    if (rc != 0 || !found)
        return rc;
    *ret = time_entry_decode(entry);
    if (ret->offset_rel < 0)
        *ret = (TimeEntry){.timestamp = -1};
    return 0;
}

/* ---- appending ---------------------------------------------------------------------------------- */

static int
write_entries(PartitionSlot *slot, const PlogTuple *tuple, SegmentFile kind, const uint8_t *bytes,
              size_t size, int64_t pos, ErrInfo *err)
{
    FileRef *file;
    int rc = fd_cache_get(slot, tuple->active_base, kind, true, &file, err);

    if (rc != 0)
        return rc;
    rc = vfs_pwrite(file->fd, bytes, size, pos, err);
    fd_cache_put(file);
    return rc;
}

int
index_flush(PartitionSlot *slot, PlogTuple *tuple, ErrInfo *err)
{
    int32_t n_index = tuple->index_count - tuple->index_flushed;
    int32_t n_time = tuple->time_count - tuple->time_flushed;
    uint8_t bytes[HOT_INDEX_ENTRIES * TIME_ENTRY_BYTES];
    const HotChunk *hot;
    int32_t i;
    int rc = 0;

    if (tuple->hot_chunk == 0 || (n_index == 0 && n_time == 0))
        return 0;
    ot_assert(n_index <= HOT_INDEX_ENTRIES && n_time <= HOT_TIME_ENTRIES);
    hot = hot_at(tuple->hot_chunk);
    for (i = 0; i < n_index; i++)
        index_entry_encode(bytes + i * INDEX_ENTRY_BYTES, hot->index[i]);
    if (n_index > 0)
        rc = write_entries(slot, tuple, SEGMENT_INDEX, bytes, (size_t)n_index * INDEX_ENTRY_BYTES,
                           (int64_t)tuple->index_flushed * INDEX_ENTRY_BYTES, err);
    if (rc != 0)
        return rc;
    for (i = 0; i < n_time; i++)
        time_entry_encode(bytes + i * TIME_ENTRY_BYTES, hot->time[i]);
    if (n_time > 0)
        rc = write_entries(slot, tuple, SEGMENT_TIMEINDEX, bytes, (size_t)n_time * TIME_ENTRY_BYTES,
                           (int64_t)tuple->time_flushed * TIME_ENTRY_BYTES, err);
    if (rc != 0)
        return rc;
    tuple->index_flushed = tuple->index_count;
    tuple->time_flushed = tuple->time_count;
    return 0;
}

/*
 * A flush empties the chunk for reuse. Readers of the published tuple may still look at it, so the
 * flushed counts are published before anything is stored over the old entries (pairs with copy_hot).
 */
int
index_prepare(PartitionSlot *slot, PlogTuple *tuple, ErrInfo *err)
{
    int32_t n_index = tuple->index_count - tuple->index_flushed;
    int32_t n_time = tuple->time_count - tuple->time_flushed;
    int rc;

    if (tuple->hot_chunk == 0) {
        tuple->hot_chunk = hot_alloc(slot);
        return 0;
    }
    if (n_index < HOT_INDEX_ENTRIES && n_time < HOT_TIME_ENTRIES)
        return 0;
    rc = index_flush(slot, tuple, err);
    if (rc != 0)
        return rc;
    pslot_publish_tuple(slot, tuple);
    fence_release();
    return 0;
}

void
index_drop(PartitionSlot *slot, const PlogTuple *tuple)
{
    PlogTuple published;

    (void)pslot_read_tuple(slot, &published); /* the serial does not matter under the lock */
    if (tuple->hot_chunk != published.hot_chunk)
        hot_free(slot, tuple->hot_chunk);
}

int
index_append(PartitionSlot *slot, PlogTuple *tuple, IndexEntry entry, ErrInfo *err)
{
    int rc;

    if (tuple->hot_chunk == 0) {
        uint8_t bytes[INDEX_ENTRY_BYTES];

        index_entry_encode(bytes, entry);
        rc = write_entries(slot, tuple, SEGMENT_INDEX, bytes, sizeof bytes,
                           (int64_t)tuple->index_count * INDEX_ENTRY_BYTES, err);
        if (rc != 0)
            return rc;
        tuple->index_flushed++;
    } else {
        shared_copy_in(&hot_at(tuple->hot_chunk)->index[tuple->index_count - tuple->index_flushed],
                       &entry, sizeof entry);
    }
    tuple->index_count++;
    return 0;
}

int
time_index_append(PartitionSlot *slot, PlogTuple *tuple, TimeEntry entry, ErrInfo *err)
{
    int rc;

    if (tuple->hot_chunk == 0) {
        uint8_t bytes[TIME_ENTRY_BYTES];

        time_entry_encode(bytes, entry);
        rc = write_entries(slot, tuple, SEGMENT_TIMEINDEX, bytes, sizeof bytes,
                           (int64_t)tuple->time_count * TIME_ENTRY_BYTES, err);
        if (rc != 0)
            return rc;
        tuple->time_flushed++;
    } else {
        shared_copy_in(&hot_at(tuple->hot_chunk)->time[tuple->time_count - tuple->time_flushed],
                       &entry, sizeof entry);
    }
    tuple->time_count++;
    tuple->last_time_entry = entry.timestamp;
    return 0;
}
