/*
 * shard_load.c - reads a partition of __consumer_offsets into a shard
 *
 * Runs in: coordinator. Spec: groups-and-transactions.md 1.4.
 * From log start to log end, in chunks of offsets.load.buffer.size, a slice of a few milliseconds a turn, so that
 * the other shards are served meanwhile. The end is where a read finds nothing: compaction may have taken the
 * last offsets away. Before records are applied the place is marked in shared memory, so that a successor knows
 * which shard its predecessors died of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/coordinator/shared.h"

#define RECOVERY_POLL_US (10 * INT64_C(1000)) /* another process opens the log */
#define DECODE_CHUNK     65536

void
host_load_release(Host *host)
{
    free(host->load.buffer);
    host->load = (HostLoad){0};
}

static void
fail(Worker *w, Host *host, const ErrInfo *err)
{
    log_msg(LL_ERROR, COORDINATOR_LOG, "groups cannot be read: %s; partition=%d offset=%lld",
            err->text, (int)host->partition, (long long)host->load.offset);
    host_fail(w, host, KERR_NOT_COORDINATOR, host_next_backoff(host));
}

/* The log is opened, the shard is made. False: not yet, or not at all. */
static bool
begin(Worker *w, Host *host)
{
    PlogOffsets offsets;
    ErrInfo err = {0};
    int rc = plog_offsets(host->ref, &offsets, &err);

    if (rc == OT_E_NOT_LEADER_OR_FOLLOWER) {
        host->retry_us = w->now_us + RECOVERY_POLL_US;
        return false;
    }
    if (rc != 0) {
        fail(w, host, &err);
        return false;
    }
    host->load = (HostLoad){.offset = offsets.log_start_offset, .begin_us = w->now_us};
    host->shard = shard_new(host->partition, &w->memory, random_u64());
    ot_assert(host->shard != NULL);
    return true;
}

/* One chunk of the log; *ret_end: there is no more. */
static int
read_chunk(Host *host, bool *ret_end, ErrInfo *err)
{
    HostLoad *load = &host->load;
    PlogReadArgs args = {.fetch_offset = load->offset,
                         .bound = PLOG_BOUND_LEO,
                         .max_bytes = conf_int32(CONF_OFFSETS_LOAD_BUFFER_SIZE),
                         .min_one_batch = true};
    PlogReadResult res = {0};
    int rc = plog_read(host->ref, &args, &res, err);
    ssize_t got;

    load->len = 0;
    load->at = 0;
    *ret_end = rc == 0 && res.slice.len == 0;
    if (rc != 0 || *ret_end)
        return rc;
    if (load->room < (size_t)res.slice.len) {
        free(load->buffer);
        load->room = (size_t)res.slice.len;
        load->buffer = malloc(load->room);
        ot_assert(load->buffer != NULL);
    }
    got = vfs_pread(res.slice.fd, load->buffer, (size_t)res.slice.len, res.slice.pos, err);
    plog_slice_release(&res.slice);
    if (got < 0)
        return (int)got;
    load->len = (size_t)got;
    return 0;
}

/* The end of a transaction, if it is one. */
static void
apply_marker(Host *host, const uint8_t *batch, const Record *record)
{
    int16_t type;

    if (control_record_type(record->key, &type) &&
        (type == CONTROL_ABORT || type == CONTROL_COMMIT))
        shard_end_transaction(host->shard, batch_producer_id(batch), type == CONTROL_COMMIT);
}

static int
apply_records(Host *host, BytesView bytes, RecordIter *iter, ErrInfo *err)
{
    bool control = batch_is_control(bytes.ptr);
    RecordStatus status;
    Record record;

    while ((status = record_iter_next(iter, &record)) == RECORD_OK) {
        ReplayRecord replay = {.key = record.key,
                               .value = record.value,
                               .offset = record.offset,
                               .timestamp_ms = record.timestamp,
                               .producer_id = batch_is_transactional(bytes.ptr)
                                                  ? batch_producer_id(bytes.ptr)
                                                  : BATCH_NO_PRODUCER_ID};
        int rc = 0;

        if (record.offset < host->load.offset)
            continue; /* below the log start, in the batch that holds it */
        host->load.records++;
        if (control)
            apply_marker(host, bytes.ptr, &record);
        else
            rc = shard_replay(host->shard, &replay, err);
        if (rc != 0)
            return rc;
    }
    return status == RECORD_END ? 0 : err_set(err, OT_E_CORRUPT, "%s", record_iter_reason(iter));
}

static int
apply_batch(Host *host, BytesView bytes, Arena *arena, ErrInfo *err)
{
    RecordIter *iter;
    int rc;

    if (!batch_crc_ok(bytes.ptr, (size_t)bytes.len))
        return err_set(err, OT_E_CORRUPT, "a batch has a wrong checksum");
    iter = record_iter_open(bytes, arena);
    if (iter == NULL)
        return err_set(err, OT_E_CORRUPT, "a batch cannot be decoded; codec=%d",
                       batch_codec(bytes.ptr));
    rc = apply_records(host, bytes, iter, err);
    record_iter_close(iter);
    return rc;
}

/* Batches of the buffer until its end or until_us. */
static int
apply_chunk(Worker *w, Host *host, int64_t until_us, ErrInfo *err)
{
    HostLoad *load = &host->load;
    Arena *arena = arena_new(DECODE_CHUNK, 0);
    int rc = 0;

    ot_assert(arena != NULL);
    do {
        BytesView left = {load->buffer + load->at, (int32_t)(load->len - load->at)};
        int64_t size;
        BatchScan scan = batch_scan(left, left.len, &size);

        if (scan == BATCH_SCAN_END) {
            load->at = load->len; /* a piece: the next read begins with it */
            break;
        }
        if (scan != BATCH_SCAN_OK) {
            rc = err_set(err, OT_E_CORRUPT, "no batch of format 2");
            break;
        }
        coordinator_mark_loading(w->index, host->partition, load->offset);
        crashpoint("coordinator.mid_load");
        left.len = (int32_t)size;
        rc = apply_batch(host, left, arena, err);
        arena_reset(arena);
        load->at += (size_t)size;
        load->offset = batch_next_offset(left.ptr);
    } while (rc == 0 && load->at < load->len && clock_mono_us() < until_us);
    coordinator_mark_loading(w->index, -1, 0);
    arena_free(arena);
    return rc;
}

static void
become_active(Worker *w, Host *host)
{
    host->state = HOST_ACTIVE;
    host->backoff_us = 0;
    host->expire_us = w->now_us + conf_int64(CONF_OFFSETS_RETENTION_CHECK_INTERVAL_MS) * 1000;
    host->expiring = false;
    host->metadata_due = false;
    host->load_us = clock_mono_us() - host->load.begin_us;
    host->load_records = host->load.records;
    coordinator_count_add(w->index, COORDINATOR_LOADS, 1);
    coordinator_count_add(w->index, COORDINATOR_LOAD_US, host->load_us);
    coordinator_count_add(w->index, COORDINATOR_LOADED_RECORDS, host->load.records);
    log_msg(host->load.records > 0 ? LL_LOG : LL_DEBUG1, COORDINATOR_LOG,
            "groups are served; partition=%d epoch=%d records=%lld groups=%lld ms=%lld",
            (int)host->partition, (int)host->leader_epoch, (long long)host->load.records,
            (long long)shard_counts(host->shard).groups,
            (long long)((clock_mono_us() - host->load.begin_us) / 1000));
    host_load_release(host);
}

/* All was read: timers are set, and offsets of topics that are gone go, too, before anybody asks. */
static void
settle(Worker *w, Host *host, int64_t until_us)
{
    bool more;

    do {
        GroupEnv env;

        env_begin(w, &env);
        if (!host->load.settling) {
            PlogOffsets offsets = {0};

            host->load.settling = true;
            (void)plog_offsets_peek(host->ref, &offsets);
            host->next_offset = host->committed = offsets.log_end_offset;
            shard_loaded(host->shard, &env);
            more = true;
        } else {
            more = shard_metadata_changed(host->shard, &env);
        }
        env_end(w);
        host_take_out(w, host);
        if (host->state == HOST_LOADING)
            host_flush(w, host);
    } while (more && host->state == HOST_LOADING && clock_mono_us() < until_us);
    if (!more && host->state == HOST_LOADING)
        become_active(w, host);
}

void
host_load(Worker *w, Host *host, int64_t until_us)
{
    ErrInfo err = {0};
    bool end = host->load.settling;
    int rc = 0;

    if (w->now_us < host->retry_us || (host->shard == NULL && !begin(w, host)))
        return;
    while (rc == 0 && !end && clock_mono_us() < until_us) {
        if (host->load.at == host->load.len)
            rc = read_chunk(host, &end, &err);
        if (rc == 0 && !end)
            rc = apply_chunk(w, host, until_us, &err);
    }
    if (rc != 0)
        fail(w, host, &err);
    else if (end)
        settle(w, host, until_us);
}
