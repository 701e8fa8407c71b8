/*
 * meta_batch.c - batches of the metadata log: data records, control records
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/meta_batch.h"

#include "ottla/common/assert.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/msg_raft_records.h"

static BatchBuilder *
begin(const MetaBatchAt *at, int16_t attributes, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;

    options.base_offset = at->base_offset;
    options.leader_epoch = at->epoch;
    options.attributes = attributes;
    options.max_bytes = META_BATCH_BYTES_MAX;
    return batch_builder_new(&options, arena);
}

int
meta_data_batch(const MetaBatchAt *at, const BytesView *records, int32_t count, Arena *arena,
                BytesView *ret, ErrInfo *err)
{
    BatchBuilder *builder = begin(at, 0, arena);
    int rc = builder == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory for a batch") : 0;

    for (int32_t i = 0; rc == 0 && i < count; i++) {
        BatchRecord record = {.timestamp = at->now_ms, .value = records[i]};

        rc = batch_builder_add(builder, &record, err);
    }
    return rc != 0 ? rc : batch_builder_finish(builder, ret, err);
}

int
meta_control_batch(const MetaBatchAt *at, const MetaControl *records, int32_t count, Arena *arena,
                   BytesView *ret, ErrInfo *err)
{
    BatchBuilder *builder = begin(at, BATCH_ATTR_CONTROL, arena);
    int rc = builder == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory for a batch") : 0;

    for (int32_t i = 0; rc == 0 && i < count; i++) {
        uint8_t key[4];
        BatchRecord record = {
            .timestamp = at->now_ms, .key = {key, sizeof key}, .value = records[i].value};

        if (records[i].value.ptr == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for a control record");
        control_record_key(records[i].type, key);
        rc = batch_builder_add(builder, &record, err);
    }
    return rc != 0 ? rc : batch_builder_finish(builder, ret, err);
}

/* ---- control records ---- */

static BytesView
encode(const MessageDesc *desc, const void *msg, Arena *arena)
{
    WireSizer size = {0};
    WireWriter writer;
    uint8_t *bytes;

    desc->size(&size, 0, msg);
    ot_assert(size.err == 0);
    bytes = arena_alloc(arena, size.bytes);
    if (bytes == NULL)
        return WIRE_NULL_BYTES;
    wire_writer_init(&writer, bytes, size.bytes);
    desc->write(&writer, 0, msg);
    return (BytesView){bytes, (int32_t)size.bytes};
}

BytesView
meta_leader_change(int32_t node_id, Arena *arena)
{
    LeaderChangeMessageVoter voter = {.voter_id = node_id};
    LeaderChangeMessage msg;

    leader_change_message_init(&msg);
    msg.leader_id = node_id;
    msg.voters = msg.granting_voters = &voter;
    msg.voters_count = msg.granting_voters_count = 1;
    return encode(&leader_change_message_desc, &msg, arena);
}

BytesView
meta_kraft_version(int16_t level, Arena *arena)
{
    KRaftVersionRecord msg;

    k_raft_version_record_init(&msg);
    msg.k_raft_version = level;
    return encode(&k_raft_version_record_desc, &msg, arena);
}

BytesView
meta_snapshot_header(int64_t timestamp, Arena *arena)
{
    SnapshotHeaderRecord msg;

    snapshot_header_record_init(&msg);
    msg.last_contained_log_timestamp = timestamp;
    return encode(&snapshot_header_record_desc, &msg, arena);
}

BytesView
meta_snapshot_footer(Arena *arena)
{
    SnapshotFooterRecord msg;

    snapshot_footer_record_init(&msg);
    return encode(&snapshot_footer_record_desc, &msg, arena);
}

BytesView
meta_voters(const VoterSet *set, Arena *arena)
{
    VotersRecordEndpoint endpoints[VOTER_ENDPOINTS_MAX];
    VotersRecordVoter voter;
    VotersRecord msg;

    ot_assert(set->count == 1 && set->endpoint_count <= VOTER_ENDPOINTS_MAX);
    voters_record_init(&msg);
    voters_record_voter_init(&voter);
    for (int32_t i = 0; i < set->endpoint_count; i++) {
        voters_record_endpoint_init(&endpoints[i]);
        endpoints[i].name = set->endpoints[i].listener;
        endpoints[i].host = set->endpoints[i].host;
        endpoints[i].port = set->endpoints[i].port;
    }
    voter.voter_id = set->voter.node_id;
    voter.voter_directory_id = set->voter.directory_id;
    voter.endpoints = endpoints;
    voter.endpoints_count = set->endpoint_count;
    voter.k_raft_version_feature.min_supported_version = 0;
    voter.k_raft_version_feature.max_supported_version = 1;
    msg.voters = &voter;
    msg.voters_count = 1;
    return encode(&voters_record_desc, &msg, arena);
}

int
meta_voters_parse(BytesView value, Arena *arena, VoterSet *ret, ErrInfo *err)
{
    VotersRecord msg;
    WireReader r;

    wire_reader_init(&r, value.ptr, (size_t)value.len, arena);
    voters_record_read(&r, 0, &msg);
    if (r.err != 0 || msg.voters_count < 1 || msg.voters[0].endpoints_count > VOTER_ENDPOINTS_MAX)
        return err_set(err, OT_E_CORRUPT, "a voters record cannot be read");
    *ret = (VoterSet){.count = msg.voters_count,
                      .voter = {msg.voters[0].voter_id, msg.voters[0].voter_directory_id},
                      .endpoint_count = msg.voters[0].endpoints_count};
    for (int32_t i = 0; i < ret->endpoint_count; i++)
        ret->endpoints[i] =
            (VoterEndpoint){msg.voters[0].endpoints[i].name, msg.voters[0].endpoints[i].host,
                            msg.voters[0].endpoints[i].port};
    return 0;
}

int
meta_kraft_version_parse(BytesView value, int16_t *ret, ErrInfo *err)
{
    KRaftVersionRecord msg;
    WireReader r;

    wire_reader_init(&r, value.ptr, (size_t)value.len, NULL);
    k_raft_version_record_read(&r, 0, &msg);
    if (r.err != 0 || msg.k_raft_version < 0 || msg.k_raft_version > 1)
        return err_set(err, OT_E_UNSUPPORTED_VERSION, "kraft.version of the metadata log");
    *ret = msg.k_raft_version;
    return 0;
}
