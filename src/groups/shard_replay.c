/*
 * shard_replay.c - records of the log become state again
 *
 * Types of groups that are not built yet (share: 10 to 15, streams: 17 to 23) and types that nobody knows are left
 * alone: they stay in the log. A type that is known and cannot be read fails the shard, whose state would be a guess.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"
#include "groups/offsets_int.h"

typedef enum RecordType {
    RECORD_LEGACY_OFFSET = 0,
    RECORD_OFFSET = 1,
    RECORD_CLASSIC_GROUP = 2,
    RECORD_CONSUMER_FIRST = 3,
    RECORD_CONSUMER_LAST = 8,
    RECORD_CONSUMER_REGEX = 16,
} RecordType;

static int
corrupt(const ReplayRecord *record, const WireReader *r, int16_t type, ErrInfo *err)
{
    return err_set(err, OT_E_CORRUPT, "record of type %d at offset %lld cannot be read%s%s",
                   (int)type, (long long)record->offset, r->err_field == NULL ? "" : ": ",
                   r->err_field == NULL ? "" : r->err_field);
}

/* Nothing is left of a group that had offsets alone, or whose record is gone. */
static void
drop_if_void(GroupShard *shard, StrView id)
{
    Group *group = shard_find_group(shard, id);

    if (!shard->loaded && group != NULL && group->classic != NULL && !group->classic->in_log &&
        group->offsets.count == 0 && group->offsets.pending_count == 0)
        shard_drop_group(shard, group);
}

/* ---- offsets ---------------------------------------------------------------------------------------------- */

static int
read_offset(const ReplayRecord *record, int16_t type, Arena *arena, OffsetValue *ret, ErrInfo *err)
{
    OffsetCommitValue value;
    WireReader r;
    int16_t version;

    wire_reader_init(&r, record->value.ptr, (size_t)record->value.len, arena);
    version = wire_read_int16(&r, "version");
    if (r.err == 0 && !message_has_version(&offset_commit_value_desc, version))
        wire_fail(&r, OT_E_UNSUPPORTED_VERSION, "version");
    if (r.err == 0)
        offset_commit_value_read(&r, version, &value);
    if (r.err != 0)
        return corrupt(record, &r, type, err);
    *ret = (OffsetValue){
        .offset = value.offset,
        .commit_ms = value.commit_timestamp,
        .expire_ms = value.expire_timestamp,
        .topic_id = value.topic_id,
        .metadata = value.metadata,
        .leader_epoch = value.leader_epoch,
    };
    return 0;
}

static int
replay_offset(GroupShard *shard, const ReplayRecord *record, int16_t type, WireReader *r,
              ErrInfo *err)
{
    OffsetCommitKey key;
    OffsetValue value;
    Group *group;
    int rc;

    offset_commit_key_read(r, 0, &key);
    if (r->err != 0)
        return corrupt(record, r, type, err);
    group = shard_find_group(shard, key.group);
    if (record->value.ptr == NULL) {
        if (group != NULL)
            offsets_apply_tombstone(shard, group, key.topic, key.partition);
        drop_if_void(shard, key.group);
        return 0;
    }
    rc = read_offset(record, type, r->arena, &value, err);
    if (rc != 0)
        return rc;
    if (group == NULL)
        group = shard_add_group_of_log(shard, key.group);
    offsets_apply(shard, group, record->producer_id, key.topic, key.partition, &value);
    return 0;
}

/* ---- groups ----------------------------------------------------------------------------------------------- */

static void
apply_classic_group(GroupShard *shard, StrView id, const GroupMetadataValue *value)
{
    Group *group = shard_find_group(shard, id);

    if (value == NULL) { /* of a group that has become another kind: nothing more to forget */
        if (group != NULL && group->classic != NULL)
            classic_replay(shard, group, NULL);
        drop_if_void(shard, id);
        return;
    }
    if (group == NULL)
        group = shard_add_group_of_log(shard, id);
    if (group->consumer != NULL) {
        consumer_detach(shard, group);
        classic_attach(shard, group);
    }
    classic_replay(shard, group, value);
}

static int
replay_classic_group(GroupShard *shard, const ReplayRecord *record, WireReader *r, ErrInfo *err)
{
    GroupMetadataKey key;
    GroupMetadataValue value;
    int16_t version;
    StrView id;

    group_metadata_key_read(r, 0, &key);
    if (r->err != 0)
        return corrupt(record, r, RECORD_CLASSIC_GROUP, err);
    id = key.group;
    if (record->value.ptr == NULL) {
        apply_classic_group(shard, id, NULL);
        return 0;
    }
    wire_reader_init(r, record->value.ptr, (size_t)record->value.len, r->arena);
    version = wire_read_int16(r, "version");
    if (r->err == 0 && !message_has_version(&group_metadata_value_desc, version))
        wire_fail(r, OT_E_UNSUPPORTED_VERSION, "version");
    if (r->err == 0)
        group_metadata_value_read(r, version, &value);
    if (r->err != 0)
        return corrupt(record, r, RECORD_CLASSIC_GROUP, err);
    apply_classic_group(shard, id, &value);
    return 0;
}

/* Every key of these begins with the group's id; the kind reads the rest. */
static int
replay_consumer_group(GroupShard *shard, const ReplayRecord *record, int16_t type, WireReader *r,
                      ErrInfo *err)
{
    WireReader ahead = *r;
    StrView id = wire_read_string(&ahead, false, false, "groupId");
    int rc;

    if (ahead.err != 0)
        return corrupt(record, &ahead, type, err);
    rc = consumer_replay(shard, type, r, record, err);
    if (rc == 0 && record->value.ptr == NULL)
        drop_if_void(shard, id);
    return rc;
}

/* ---- any record ------------------------------------------------------------------------------------------- */

static int
replay(GroupShard *shard, const ReplayRecord *record, WireReader *r, ErrInfo *err)
{
    int16_t type = wire_read_int16(r, "type");

    if (r->err != 0)
        return corrupt(record, r, -1, err);
    if (type == RECORD_LEGACY_OFFSET || type == RECORD_OFFSET)
        return replay_offset(shard, record, type, r, err);
    if (type == RECORD_CLASSIC_GROUP)
        return replay_classic_group(shard, record, r, err);
    if ((type >= RECORD_CONSUMER_FIRST && type <= RECORD_CONSUMER_LAST) ||
        type == RECORD_CONSUMER_REGEX)
        return replay_consumer_group(shard, record, type, r, err);
    return 0;
}

int
shard_replay(GroupShard *shard, const ReplayRecord *record, ErrInfo *err)
{
    WireReader r;

    if (record->key.ptr == NULL)
        return err_set(err, OT_E_CORRUPT, "record at offset %lld has no key",
                       (long long)record->offset);
    arena_reset(shard->scratch);
    wire_reader_init(&r, record->key.ptr, (size_t)record->key.len, shard->scratch);
    return replay(shard, record, &r, err);
}
