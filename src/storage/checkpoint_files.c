/*
 * checkpoint_files.c - small text files: offset checkpoints, leader epochs, partition.metadata
 *
 * Runs in: controller (load), checkpointer (store), append lock holder (epochs, metadata).
 * Never: trusts a file; a bad one is OT_E_CORRUPT, and the caller decides.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/checkpoint_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/storage/logdir_state.h"

#define FILE_MODE     0640
#define TOPIC_ID_MARK '@'

/* ---- lines and fields --------------------------------------------------------------------------- */

/* Takes the next line (without its end) off rest; false at the end of the text. */
static bool
next_line(StrView *rest, StrView *ret)
{
    const char *end;

    if (rest->len == 0)
        return false;
    end = memchr(rest->ptr, '\n', (size_t)rest->len);
    ret->ptr = rest->ptr;
    ret->len = end != NULL ? (int32_t)(end - rest->ptr) : rest->len;
    rest->ptr += end != NULL ? ret->len + 1 : ret->len;
    rest->len -= end != NULL ? ret->len + 1 : ret->len;
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Splits at white space; returns the number of fields, max + 1 when there are more. */
static int
split_fields(StrView line, StrView *fields, int max)
{
    int count = 0;
    int32_t i = 0;

    while (i < line.len) {
        int32_t start;

        while (i < line.len && is_blank(line.ptr[i]))
            i++;
        if (i == line.len)
            break;
        start = i;
        while (i < line.len && !is_blank(line.ptr[i]))
            i++;
        if (count == max)
            return max + 1;
        fields[count++] = (StrView){line.ptr + start, i - start};
    }
    return count;
}

/*
 * Reads version and count, the head of every checkpoint file. An empty file has no entries.
 */
static int
read_head(const char *path, StrView *rest, int32_t *ret_count, ErrInfo *err)
{
    StrView line;
    int64_t version;
    int64_t count;

    *ret_count = 0;
    if (!next_line(rest, &line))
        return 0;
    if (!text_to_int64(text_trim(line), &version) || version != 0)
        return err_set(err, OT_E_CORRUPT, "%s: version is not 0", path);
    if (!next_line(rest, &line) || !text_to_int64(text_trim(line), &count) || count < 0 ||
        count > rest->len + 1)
        return err_set(err, OT_E_CORRUPT, "%s: bad number of entries", path);
    *ret_count = (int32_t)count;
    return 0;
}

static void
join_path(char ret[LIMIT_PATH_BYTES], const char *folder, const char *name)
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", folder, name);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

/* ---- offset checkpoints ------------------------------------------------------------------------- */

struct OffsetCheckpoint {
    Arena *arena;
    OffsetCheckpointEntry *entries; /* sorted by topic, partition */
    Uuid *ids;                      /* sorted; NULL: the file names none */
    int32_t count;
    int32_t id_count;
};

static int
compare_key(StrView a_topic, int32_t a_partition, StrView b_topic, int32_t b_partition)
{
    int32_t common = a_topic.len < b_topic.len ? a_topic.len : b_topic.len;
    int order = common == 0 ? 0 : memcmp(a_topic.ptr, b_topic.ptr, (size_t)common);

    if (order != 0)
        return order;
    if (a_topic.len != b_topic.len)
        return a_topic.len < b_topic.len ? -1 : 1;
    return a_partition < b_partition ? -1 : a_partition > b_partition;
}

static int
compare_entries(const void *a, const void *b)
{
    const OffsetCheckpointEntry *x = a;
    const OffsetCheckpointEntry *y = b;
    int order = compare_key(x->topic, x->partition, y->topic, y->partition);

    if (order != 0)
        return order;
    return x->topic.ptr < y->topic.ptr ? -1
                                       : x->topic.ptr > y->topic.ptr; /* lines in their order */
}

/* Of a partition that comes more than once the last line counts, as in Kafka. */
static void
drop_repeated(OffsetCheckpoint *cp)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < cp->count; i++) {
        const OffsetCheckpointEntry *e = &cp->entries[i];

        if (i + 1 == cp->count ||
            compare_key(e->topic, e->partition, e[1].topic, e[1].partition) != 0)
            cp->entries[kept++] = *e;
    }
    cp->count = kept;
}

static int
compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(Uuid));
}

/* The id of a topic, in a line "@ID 0 0". */
static int
add_id(OffsetCheckpoint *cp, const char *path, StrView field, int32_t room, ErrInfo *err)
{
    if (cp->ids == NULL)
        cp->ids = arena_calloc(cp->arena, (size_t)room, sizeof *cp->ids);
    if (cp->ids == NULL)
        return err_set(err, OT_E_NO_MEMORY, "%s: no memory for %d ids", path, (int)room);
    if (!uuid_from_text((StrView){field.ptr + 1, field.len - 1}, &cp->ids[cp->id_count]))
        return err_set(err, OT_E_CORRUPT, "%s: bad topic id", path);
    cp->id_count++;
    return 0;
}

static int
parse_offsets(OffsetCheckpoint *cp, const char *path, StrView text, ErrInfo *err)
{
    int32_t expected;
    int32_t lines = 0;
    StrView line;
    int rc = read_head(path, &text, &expected, err);

    if (rc != 0)
        return rc;
    cp->entries = arena_calloc(cp->arena, (size_t)expected + 1, sizeof *cp->entries);
    if (cp->entries == NULL)
        return err_set(err, OT_E_NO_MEMORY, "%s: no memory for %d entries", path, (int)expected);
    while (next_line(&text, &line)) {
        OffsetCheckpointEntry *e = &cp->entries[cp->count];
        StrView f[3];
        int n = split_fields(line, f, 3);

        if (n == 0 && text.len == 0)
            break;
        if (lines++ == expected || n != 3 || !text_to_int32(f[1], &e->partition) ||
            e->partition < 0 || !text_to_int64(f[2], &e->offset))
            return err_set(err, OT_E_CORRUPT, "%s: bad line %d", path, (int)lines + 2);
        if (f[0].ptr[0] == TOPIC_ID_MARK) {
            rc = add_id(cp, path, f[0], expected, err);
            if (rc != 0)
                return rc;
            continue;
        }
        e->topic = f[0];
        cp->count++;
    }
    if (lines != expected)
        return err_set(err, OT_E_CORRUPT, "%s: %d entries announced, %d found", path, (int)expected,
                       (int)lines);
    qsort(cp->entries, (size_t)cp->count, sizeof *cp->entries, compare_entries);
    drop_repeated(cp);
    if (cp->id_count > 0)
        qsort(cp->ids, (size_t)cp->id_count, sizeof *cp->ids, compare_ids);
    return 0;
}

int
offset_checkpoint_load(const char *folder, const char *name, OffsetCheckpoint **ret, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    Arena *arena = arena_new(65536, 0);
    OffsetCheckpoint *cp;
    BytesView text;
    int rc;

    if (arena == NULL || (cp = arena_calloc(arena, 1, sizeof *cp)) == NULL) {
        arena_free(arena);
        return err_set(err, OT_E_NO_MEMORY, "no memory for a checkpoint file");
    }
    cp->arena = arena;
    join_path(path, folder, name);
    rc = vfs_read_file(path, LIMIT_STATE_FILE_BYTES, arena, &text, err);
    if (rc == 0)
        rc = parse_offsets(cp, path, (StrView){(const char *)text.ptr, text.len}, err);
    else if (rc == OT_E_NOT_FOUND)
        rc = 0;
    if (rc != 0) {
        arena_free(arena);
        return rc;
    }
    *ret = cp;
    return 0;
}

bool
offset_checkpoint_at(const OffsetCheckpoint *cp, size_t index, OffsetCheckpointEntry *ret)
{
    if (index >= (size_t)cp->count)
        return false;
    *ret = cp->entries[index];
    return true;
}

void
offset_checkpoint_free(OffsetCheckpoint *cp)
{
    if (cp != NULL)
        arena_free(cp->arena);
}

bool
offset_checkpoint_find(const OffsetCheckpoint *cp, StrView topic, int32_t partition,
                       int64_t *ret_offset)
{
    int32_t low = 0;
    int32_t high = cp == NULL ? 0 : cp->count;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        const OffsetCheckpointEntry *e = &cp->entries[mid];
        int order = compare_key(topic, partition, e->topic, e->partition);

        if (order == 0) {
            *ret_offset = e->offset;
            return true;
        }
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

size_t
offset_checkpoint_count(const OffsetCheckpoint *cp)
{
    return cp == NULL ? 0 : (size_t)cp->count;
}

struct OffsetCheckpointWriter {
    StrBuf text;
    Uuid last_id;
    int32_t count;
};

OffsetCheckpointWriter *
offset_checkpoint_writer_new(void)
{
    OffsetCheckpointWriter *w = calloc(1, sizeof *w);

    if (w != NULL)
        strbuf_init(&w->text, LIMIT_STATE_FILE_BYTES, NULL);
    return w;
}

int
offset_checkpoint_add(OffsetCheckpointWriter *w, const OffsetCheckpointEntry *entry)
{
    strbuf_add_view(&w->text, entry->topic);
    strbuf_printf(&w->text, " %" PRId32 " %" PRId64 "\n", entry->partition, entry->offset);
    w->count++;
    return strbuf_failed(&w->text) ? OT_E_NO_MEMORY : 0;
}

int
offset_checkpoint_add_id(OffsetCheckpointWriter *w, Uuid topic_id)
{
    char text[UUID_TEXT_LEN + 1];

    if (w->count > 0 && uuid_equal(w->last_id, topic_id))
        return 0;
    uuid_to_text(topic_id, text);
    strbuf_printf(&w->text, "%c%s 0 0\n", TOPIC_ID_MARK, text);
    w->last_id = topic_id;
    w->count++;
    return strbuf_failed(&w->text) ? OT_E_NO_MEMORY : 0;
}

int
offset_checkpoint_store(OffsetCheckpointWriter *w, const char *folder, const char *name,
                        ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    StrBuf whole;
    StrView bytes;
    int rc;

    join_path(path, folder, name);
    strbuf_init(&whole, LIMIT_STATE_FILE_BYTES, NULL);
    strbuf_printf(&whole, "0\n%" PRId32 "\n", w->count);
    strbuf_add_view(&whole, strbuf_view(&w->text));
    bytes = strbuf_view(&whole);
    if (strbuf_failed(&whole) || strbuf_failed(&w->text))
        rc = err_set(err, OT_E_NO_MEMORY, "%s: no memory", path);
    else
        rc = vfs_replace_file(path, (BytesView){(const uint8_t *)bytes.ptr, bytes.len}, FILE_MODE,
                              VFS_SYNCED, err);
    strbuf_release(&whole);
    return rc;
}

void
offset_checkpoint_writer_free(OffsetCheckpointWriter *w)
{
    if (w == NULL)
        return;
    strbuf_release(&w->text);
    free(w);
}

/* ---- the files of all log directories ------------------------------------------------------- */

typedef struct DirCheckpoints {
    OffsetCheckpoint *recovery_point;
    OffsetCheckpoint *log_start;
    OffsetCheckpoint *high_watermark;
    OffsetCheckpoint *producerless;
} DirCheckpoints;

struct LogDirCheckpoints {
    DirCheckpoints dirs[LOGDIRS_MAX];
};

/*
 * Damage is taken as no file, as Kafka does. What the disk does not give is another matter: the next
 * checkpoint would write over what may be whole, so there is none in a directory that failed.
 */
static OffsetCheckpoint *
load_or_empty(int dir, const char *name)
{
    OffsetCheckpoint *cp = NULL;
    ErrInfo err = {0};
    int rc = offset_checkpoint_load(logdir_path(dir), name, &cp, &err);

    if (rc == 0)
        return cp;
    if (rc == OT_E_READ)
        logdir_fail(dir, LOGDIR_FAILURE_WRITE, err.text);
    log_msg(LL_WARNING, "storage", "checkpoint file is not readable and taken as empty: %s",
            err.text);
    return NULL;
}

LogDirCheckpoints *
logdir_checkpoints_load(void)
{
    LogDirCheckpoints *all = calloc(1, sizeof *all);
    int dir;

    if (all == NULL)
        return NULL;
    for (dir = 0; dir < logdir_count(); dir++) {
        all->dirs[dir].recovery_point = load_or_empty(dir, CHECKPOINT_RECOVERY_POINT);
        all->dirs[dir].log_start = load_or_empty(dir, CHECKPOINT_LOG_START);
        all->dirs[dir].high_watermark = load_or_empty(dir, CHECKPOINT_HIGH_WATERMARK);
        all->dirs[dir].producerless = load_or_empty(dir, CHECKPOINT_PRODUCERLESS);
    }
    return all;
}

/* A negative offset in a file means nothing. */
static bool
find_offset(const OffsetCheckpoint *cp, StrView topic, int32_t partition, int64_t *ret)
{
    if (!offset_checkpoint_find(cp, topic, partition, ret))
        return false;
    if (*ret < 0)
        *ret = 0;
    return true;
}

/*
 * Are the entries of a file those of this topic, and not of one that had its name? Each file tells for itself: a start
 * may find one that is newer than the others, or alone. What a file does not tell the recovery points do; where they
 * name no topic either the directory is Kafka's.
 */
static bool
names_topic(const DirCheckpoints *d, const OffsetCheckpoint *cp, Uuid topic_id)
{
    if (cp != NULL && cp->ids == NULL)
        cp = d->recovery_point;
    if (cp == NULL || cp->ids == NULL)
        return true;
    return bsearch(&topic_id, cp->ids, (size_t)cp->id_count, sizeof topic_id, compare_ids) != NULL;
}

/* Another directory's word counts only where it names the id of the topic. */
static bool
names_ids(const DirCheckpoints *d)
{
    return d->recovery_point != NULL && d->recovery_point->ids != NULL;
}

/* What one file of a directory says, if it is more than another directory's did. False: nothing. */
static bool
join_offset(const DirCheckpoints *d, const OffsetCheckpoint *cp, const OffsetCheckpointEntry *of,
            Uuid topic_id, int64_t *io_offset)
{
    int64_t offset;

    if (!names_topic(d, cp, topic_id) || !find_offset(cp, of->topic, of->partition, &offset))
        return false;
    if (*io_offset < offset)
        *io_offset = offset;
    return true;
}

CheckpointedOffsets
logdir_checkpoints_get(const LogDirCheckpoints *all, int dir, StrView topic, int32_t partition,
                       Uuid topic_id)
{
    OffsetCheckpointEntry of = {.topic = topic, .partition = partition};
    CheckpointedOffsets ret = {.other_dir = -1};

    if (all == NULL || dir < 0 || dir >= LOGDIRS_MAX)
        return ret;
    for (int i = 0; i < logdir_count(); i++) {
        const DirCheckpoints *d = &all->dirs[i];
        bool known = false;

        if (i != dir && !names_ids(d))
            continue;
        known |= join_offset(d, d->recovery_point, &of, topic_id, &ret.recovery_point);
        known |= join_offset(d, d->log_start, &of, topic_id, &ret.log_start_offset);
        known |= join_offset(d, d->high_watermark, &of, topic_id, &ret.high_watermark);
        (void)join_offset(d, d->producerless, &of, topic_id, &ret.producerless_end);
        if (known && i != dir)
            ret.other_dir = i;
        ret.known |= known;
    }
    return ret;
}

void
logdir_checkpoints_free(LogDirCheckpoints *all)
{
    int dir;

    if (all == NULL)
        return;
    for (dir = 0; dir < LOGDIRS_MAX; dir++) {
        offset_checkpoint_free(all->dirs[dir].recovery_point);
        offset_checkpoint_free(all->dirs[dir].log_start);
        offset_checkpoint_free(all->dirs[dir].high_watermark);
        offset_checkpoint_free(all->dirs[dir].producerless);
    }
    free(all);
}

/* ---- leader-epoch-checkpoint -------------------------------------------------------------------- */

static int
parse_epochs(const char *path, StrView text, EpochEntry **ret, int32_t *ret_count, ErrInfo *err)
{
    EpochEntry *list;
    int32_t expected;
    int32_t count = 0;
    StrView line;
    int rc = read_head(path, &text, &expected, err);

    if (rc != 0)
        return rc;
    *ret = NULL;
    *ret_count = 0;
    if (expected == 0)
        return 0;
    if (expected > EPOCH_ENTRIES_MAX)
        return err_set(err, OT_E_CORRUPT, "%s: %d entries are too many", path, (int)expected);
    list = calloc((size_t)expected, sizeof *list);
    if (list == NULL)
        return err_set(err, OT_E_NO_MEMORY, "%s: no memory", path);
    while (count < expected && next_line(&text, &line)) {
        StrView f[2];
        EpochEntry *e = &list[count];

        if (split_fields(line, f, 2) != 2 || !text_to_int32(f[0], &e->epoch) || e->epoch < 0 ||
            !text_to_int64(f[1], &e->start_offset) || e->start_offset < 0 ||
            (count > 0 && (e->epoch <= e[-1].epoch || e->start_offset <= e[-1].start_offset))) {
            free(list);
            return err_set(err, OT_E_CORRUPT, "%s: bad line %d", path, (int)count + 3);
        }
        count++;
    }
    if (count != expected || text_trim(text).len != 0) {
        free(list);
        return err_set(err, OT_E_CORRUPT, "%s: %d entries announced", path, (int)expected);
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

int
epoch_file_load(const char *folder, EpochEntry **ret, int32_t *ret_count, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    Arena *arena = arena_new(4096, 0);
    BytesView text;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for leader epochs");
    join_path(path, folder, LEADER_EPOCH_FILE);
    rc = vfs_read_file(path, LIMIT_STATE_FILE_BYTES, arena, &text, err);
    if (rc == 0)
        rc = parse_epochs(path, (StrView){(const char *)text.ptr, text.len}, ret, ret_count, err);
    arena_free(arena);
    return rc;
}

int
epoch_file_store(const char *folder, const EpochEntry *entries, int32_t count, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    StrBuf text;
    StrView bytes;
    int32_t i;
    int rc;

    join_path(path, folder, LEADER_EPOCH_FILE);
    strbuf_init(&text, LIMIT_STATE_FILE_BYTES, NULL);
    strbuf_printf(&text, "0\n%" PRId32 "\n", count);
    for (i = 0; i < count; i++)
        strbuf_printf(&text, "%" PRId32 " %" PRId64 "\n", entries[i].epoch,
                      entries[i].start_offset);
    bytes = strbuf_view(&text);
    if (strbuf_failed(&text))
        rc = err_set(err, OT_E_NO_MEMORY, "%s: no memory", path);
    else
        rc = vfs_replace_file(path, (BytesView){(const uint8_t *)bytes.ptr, bytes.len}, FILE_MODE,
                              VFS_NOT_SYNCED, err);
    strbuf_release(&text);
    return rc;
}

/* ---- partition.metadata ------------------------------------------------------------------------- */

int
partition_metadata_load(const char *folder, Uuid *ret_topic_id, ErrInfo *err)
{
    static const StrView version = STRVIEW("version:");
    static const StrView topic_id = STRVIEW("topic_id:");
    char path[LIMIT_PATH_BYTES];
    Arena *arena = arena_new(1024, 65536);
    bool have_version = false;
    bool have_id = false;
    BytesView bytes;
    StrView rest;
    StrView line;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for partition.metadata");
    join_path(path, folder, PARTITION_METADATA_FILE);
    rc = vfs_read_file(path, 4096, arena, &bytes, err);
    if (rc != 0)
        goto out;
    rest = (StrView){(const char *)bytes.ptr, bytes.len};
    while (next_line(&rest, &line)) {
        StrView f[2];

        if (split_fields(line, f, 2) != 2)
            continue;
        if (strview_equal(f[0], version))
            have_version = strview_equal(f[1], STRVIEW("0"));
        else if (strview_equal(f[0], topic_id))
            have_id = uuid_from_text(f[1], ret_topic_id);
    }
    if (!have_version || !have_id)
        rc = err_set(err, OT_E_CORRUPT, "%s: not in the known format", path);
out:
    arena_free(arena);
    return rc;
}

int
partition_metadata_store(const char *folder, Uuid topic_id, VfsDurability durability, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    char text[64];
    char id[UUID_TEXT_LEN + 1];
    int len;

    join_path(path, folder, PARTITION_METADATA_FILE);
    uuid_to_text(topic_id, id);
    len = snprintf(text, sizeof text, "version: 0\ntopic_id: %s", id);
    return vfs_replace_file(path, (BytesView){(const uint8_t *)text, len}, FILE_MODE, durability,
                            err);
}
