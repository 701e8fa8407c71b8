/*
 * stat_partitions.c - the views partitions and segments: what the partition table and the logs say
 *
 * Runs in: backend. Never: takes a lock, opens a log. A partition that is deleted meanwhile is left out.
 * Cursors: slot of the table; for segments slot * SEGMENTS_MAX + place of the segment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/wire.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/plog.h"
#include "ottla/storage/plog_retention.h"

#define SEGMENTS_MAX  (INT64_C(1) << 31)
#define SEGMENTS_STEP 32 /* read at once */
#define LIST_TRIES    16 /* while the list of a log changes */

/* Who has a slot, copied so that it stays true to itself. */
typedef struct Owner {
    PartitionRef ref;
    PslotState state;
    int32_t partition;
    int32_t log_dir;
    Uuid topic_id;
    StrView topic; /* into name */
    char name[LIMIT_TOPIC_NAME_LEN + 1];
} Owner;

/* False: nobody has it, or the owner changes right now. */
static bool
owner_of(int32_t index, Owner *ret)
{
    const PartitionSlot *slot = pslot_at(index);

    ret->ref = pslot_ref(slot);
    ret->state = pslot_state(slot);
    if (ret->state == PSLOT_FREE || ret->state == PSLOT_DELETING)
        return false;
    memcpy(ret->name, slot->topic, sizeof ret->name);
    ret->name[LIMIT_TOPIC_NAME_LEN] = '\0';
    ret->topic = strview_from(ret->name);
    ret->topic_id = slot->topic_id;
    ret->partition = slot->partition;
    ret->log_dir = pslot_dir(slot);
    fence_acquire();
    return pslot_is_current(ret->ref);
}

/* ---- partitions --------------------------------------------------------------------------------- */

enum {
    P_NODE_ID,
    P_TOPIC,
    P_PARTITION,
    P_TOPIC_ID,
    P_DIRECTORY,
    P_STATE,
    P_ROLE,
    P_LEADER_EPOCH,
    P_N_REPLICAS,
    P_N_ISR,
    P_START_OFFSET,
    P_END_OFFSET,
    P_HIGH_WATERMARK,
    P_LAST_STABLE_OFFSET,
    P_DURABLE_OFFSET,
    P_MAX_TIMESTAMP,
    P_SIZE_BYTES,
    P_SEGMENTS,
    P_PRODUCERS,
};

static const StatColumn partition_columns[] = {
    [P_NODE_ID] = {"node_id", STAT_INTEGER},
    [P_TOPIC] = {"topic", STAT_TEXT},
    [P_PARTITION] = {"partition", STAT_INTEGER},
    [P_TOPIC_ID] = {"topic_id", STAT_TEXT},
    [P_DIRECTORY] = {"directory", STAT_TEXT},
    [P_STATE] = {"state", STAT_TEXT},
    [P_ROLE] = {"role", STAT_TEXT},
    [P_LEADER_EPOCH] = {"leader_epoch", STAT_INTEGER},
    [P_N_REPLICAS] = {"n_replicas", STAT_INTEGER},
    [P_N_ISR] = {"n_isr", STAT_INTEGER},
    [P_START_OFFSET] = {"start_offset", STAT_INTEGER},
    [P_END_OFFSET] = {"end_offset", STAT_INTEGER},
    [P_HIGH_WATERMARK] = {"high_watermark", STAT_INTEGER},
    [P_LAST_STABLE_OFFSET] = {"last_stable_offset", STAT_INTEGER},
    [P_DURABLE_OFFSET] = {"durable_offset", STAT_INTEGER},
    [P_MAX_TIMESTAMP] = {"max_timestamp", STAT_INTEGER},
    [P_SIZE_BYTES] = {"size_bytes", STAT_INTEGER},
    [P_SEGMENTS] = {"segments", STAT_INTEGER},
    [P_PRODUCERS] = {"producers", STAT_INTEGER},
};

static StrView
state_name(PslotState state)
{
    switch (state) {
    case PSLOT_UNOPENED:
        return STRVIEW("unopened");
    case PSLOT_OPEN:
        return STRVIEW("open");
    case PSLOT_FAILED:
        return STRVIEW("failed");
    case PSLOT_FREE:
    case PSLOT_DELETING:
    case PSLOT_STATE_COUNT:
        break;
    }
    return STRVIEW("deleted");
}

static StrView
role_name(PslotRole role)
{
    switch (role) {
    case PSLOT_ROLE_LEADER:
        return STRVIEW("leader");
    case PSLOT_ROLE_FOLLOWER:
        return STRVIEW("follower");
    case PSLOT_ROLE_NONE:
        break;
    }
    return STRVIEW("none");
}

/* What an open log says; a log that nobody opened yet says nothing. */
static void
put_offsets(StatScan *scan, const PartitionSlot *slot, PartitionRef ref)
{
    PlogOffsets offsets;
    PlogTuple t;

    if (!plog_offsets_peek(ref, &offsets))
        return;
    (void)pslot_read_tuple(slot, &t); /* validity is checked by whoever uses the row */
    stat_integer(scan, P_START_OFFSET, offsets.log_start_offset);
    stat_integer(scan, P_END_OFFSET, offsets.log_end_offset);
    stat_integer(scan, P_HIGH_WATERMARK, offsets.high_watermark);
    stat_integer(scan, P_LAST_STABLE_OFFSET, offsets.last_stable_offset);
    stat_integer(scan, P_DURABLE_OFFSET, offsets.durable_offset);
    stat_integer(scan, P_SEGMENTS, (int64_t)t.seg_count + 1);
    stat_integer(scan, P_PRODUCERS, slot->producer_count);
    if (t.max_timestamp >= 0)
        stat_integer(scan, P_MAX_TIMESTAMP, t.max_timestamp);
    if (stat_wants(scan, P_SIZE_BYTES))
        stat_integer(scan, P_SIZE_BYTES, plog_size_bytes(ref));
}

static void
put_partition(StatScan *scan, const Owner *o)
{
    const PartitionSlot *slot = pslot_at(o->ref.slot);
    PslotLeadership leadership = pslot_leadership(slot);
    char topic_id[UUID_TEXT_LEN + 1];

    uuid_to_text(o->topic_id, topic_id);
    stat_integer(scan, P_NODE_ID, node_info.node_id);
    stat_text(scan, P_TOPIC, o->topic);
    stat_integer(scan, P_PARTITION, o->partition);
    stat_text(scan, P_TOPIC_ID, strview_from(topic_id));
    stat_text(scan, P_DIRECTORY, strview_from(logdir_path(o->log_dir)));
    stat_text(scan, P_STATE, state_name(o->state));
    stat_text(scan, P_ROLE, role_name(leadership.role));
    stat_integer(scan, P_LEADER_EPOCH, leadership.leader_epoch);
    stat_integer(scan, P_N_REPLICAS, leadership.replica_count);
    stat_integer(scan, P_N_ISR, leadership.isr_count);
    put_offsets(scan, slot, o->ref);
    stat_end(scan);
}

static int64_t
scan_partitions(StatScan *scan, int64_t cursor)
{
    for (; cursor < pslot_high(); cursor++) {
        Owner o;

        if (!stat_look(scan))
            return cursor;
        if (owner_of((int32_t)cursor, &o) && stat_may_pass(scan, P_TOPIC, o.topic))
            put_partition(scan, &o);
    }
    return STAT_END;
}

const StatView stat_partitions_view = {.name = "partitions",
                                       .columns = partition_columns,
                                       .column_count =
                                           sizeof partition_columns / sizeof partition_columns[0],
                                       .scan = scan_partitions};

/* ---- segments ----------------------------------------------------------------------------------- */

enum {
    S_NODE_ID,
    S_TOPIC,
    S_PARTITION,
    S_BASE_OFFSET,
    S_NEXT_OFFSET,
    S_SIZE_BYTES,
    S_INDEX_BYTES,
    S_FIRST_TIMESTAMP,
    S_MIN_TIMESTAMP,
    S_MAX_TIMESTAMP,
    S_ACTIVE,
    S_DELETABLE,
    S_DELETABLE_FROM,
    S_DELETABLE_REASON,
    S_PATH,
};

static const StatColumn segment_columns[] = {
    [S_NODE_ID] = {"node_id", STAT_INTEGER},
    [S_TOPIC] = {"topic", STAT_TEXT},
    [S_PARTITION] = {"partition", STAT_INTEGER},
    [S_BASE_OFFSET] = {"base_offset", STAT_INTEGER},
    [S_NEXT_OFFSET] = {"next_offset", STAT_INTEGER},
    [S_SIZE_BYTES] = {"size_bytes", STAT_INTEGER},
    [S_INDEX_BYTES] = {"index_bytes", STAT_INTEGER},
    [S_FIRST_TIMESTAMP] = {"first_timestamp", STAT_INTEGER},
    [S_MIN_TIMESTAMP] = {"min_timestamp", STAT_INTEGER},
    [S_MAX_TIMESTAMP] = {"max_timestamp", STAT_INTEGER},
    [S_ACTIVE] = {"active", STAT_BOOLEAN},
    [S_DELETABLE] = {"deletable", STAT_BOOLEAN},
    [S_DELETABLE_FROM] = {"deletable_from", STAT_INTEGER},
    [S_DELETABLE_REASON] = {"deletable_reason", STAT_TEXT},
    [S_PATH] = {"path", STAT_TEXT},
};

/* Path of a segment's file by its suffix. */
static void
segment_path(const Owner *o, int64_t base, const char *suffix, char ret[LIMIT_PATH_BYTES])
{
    snprintf(ret, LIMIT_PATH_BYTES, "%s/%s-%d/%020lld%s", logdir_path(o->log_dir), o->name,
             (int)o->partition, (long long)base, suffix);
}

/* Bytes of the index files as they lie there. */
static int64_t
index_bytes(const Owner *o, int64_t base)
{
    static const char *const suffixes[] = {".index", ".timeindex", ".txnindex"};
    char path[LIMIT_PATH_BYTES];
    int64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        segment_path(o, base, suffixes[i], path);
        if (vfs_stat(path, &st, NULL) == 0)
            bytes += st.st_size;
    }
    return bytes;
}

/*
 * What the first batch of a segment says. The least timestamp is known only where the node gave them: those of
 * producers come in any order, and no index has them.
 */
static void
put_first_timestamps(StatScan *scan, const char *path)
{
    uint8_t head[BATCH_HEADER_BYTES];
    int fd = vfs_open(path, O_RDONLY | O_CLOEXEC, 0, NULL);
    bool appended;
    int64_t first;

    if (fd >= 0 && vfs_pread_full(fd, head, sizeof head, 0, NULL) == 0 &&
        head[BATCH_AT_MAGIC] == BATCH_MAGIC) {
        appended = (wire_load16(head + BATCH_AT_ATTRIBUTES) & BATCH_ATTR_APPEND_TIME) != 0;
        first = (int64_t)wire_load64(head +
                                     (appended ? BATCH_AT_MAX_TIMESTAMP : BATCH_AT_BASE_TIMESTAMP));
        if (first >= 0)
            stat_integer(scan, S_FIRST_TIMESTAMP, first);
        if (first >= 0 && appended)
            stat_integer(scan, S_MIN_TIMESTAMP, first);
    }
    vfs_close(fd);
}

static void
put_segment(StatScan *scan, const Owner *o, const PlogSegment *seg)
{
    char reason[RETENTION_TEXT_MAX];
    char path[LIMIT_PATH_BYTES];

    segment_path(o, seg->base_offset, ".log", path);
    stat_integer(scan, S_NODE_ID, node_info.node_id);
    stat_text(scan, S_TOPIC, o->topic);
    stat_integer(scan, S_PARTITION, o->partition);
    stat_integer(scan, S_BASE_OFFSET, seg->base_offset);
    stat_integer(scan, S_NEXT_OFFSET, seg->end_offset);
    stat_integer(scan, S_SIZE_BYTES, seg->bytes);
    if (stat_wants(scan, S_INDEX_BYTES))
        stat_integer(scan, S_INDEX_BYTES, index_bytes(o, seg->base_offset));
    if (seg->bytes > 0 &&
        (stat_wants(scan, S_FIRST_TIMESTAMP) || stat_wants(scan, S_MIN_TIMESTAMP)))
        put_first_timestamps(scan, path);
    if (seg->max_timestamp >= 0)
        stat_integer(scan, S_MAX_TIMESTAMP, seg->max_timestamp);
    stat_boolean(scan, S_ACTIVE, seg->active);
    stat_boolean(scan, S_DELETABLE, retention_goes(seg->verdict.reason));
    if (seg->verdict.due_ms != RETENTION_NEVER)
        stat_integer(scan, S_DELETABLE_FROM, seg->verdict.due_ms);
    stat_text(scan, S_DELETABLE_REASON, strview_from(retention_text(&seg->verdict, reason)));
    stat_text(scan, S_PATH, strview_from(path));
    stat_end(scan);
}

/* Segments of one log from first on. Returns the place behind the last one shown, -1 when there is no more. */
static int64_t
put_segments(StatScan *scan, const Owner *o, int32_t first)
{
    PlogSegment segments[SEGMENTS_STEP];
    int64_t now_ms = clock_wall_ms();
    int32_t count = SEGMENTS_STEP;

    while (count == SEGMENTS_STEP) {
        int rc = OT_E_AGAIN;

        for (int tries = 0; tries < LIST_TRIES && rc == OT_E_AGAIN; tries++)
            rc = plog_segments(o->ref, now_ms, first, segments, SEGMENTS_STEP, &count, NULL);
        if (rc != 0)
            return -1;
        for (int32_t i = 0; i < count; i++, first++) {
            if (!stat_look(scan))
                return first;
            put_segment(scan, o, &segments[i]);
        }
    }
    return -1;
}

static int64_t
scan_segments(StatScan *scan, int64_t cursor)
{
    while (cursor / SEGMENTS_MAX < pslot_high()) {
        int64_t index = cursor / SEGMENTS_MAX;
        Owner o;

        if (!stat_look(scan))
            return cursor;
        if (owner_of((int32_t)index, &o) && o.state == PSLOT_OPEN &&
            stat_may_pass(scan, S_TOPIC, o.topic)) {
            int64_t place = put_segments(scan, &o, (int32_t)(cursor % SEGMENTS_MAX));

            if (place >= 0)
                return index * SEGMENTS_MAX + place;
        }
        cursor = (index + 1) * SEGMENTS_MAX;
    }
    return STAT_END;
}

const StatView stat_segments_view = {.name = "segments",
                                     .columns = segment_columns,
                                     .column_count =
                                         sizeof segment_columns / sizeof segment_columns[0],
                                     .scan = scan_segments};
