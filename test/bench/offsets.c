/*
 * offsets.c - what committed offsets cost a coordinator: memory for one, and how fast the log is read again
 *
 * Prints one line: bytes per offset as the shard counts them and as the process grew, records replayed in a second (best
 * of three), milliseconds to fetch everything of a group of 10,000. One process; the records lie in memory.
 *
 * Usage: offsets [COUNT]    (1,000,000)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/groups/shard.h"
#include "ottla/protocol/msg_group_records.h"

#include "bench_kit.h"

#define COUNT      1000000
#define TOPICS     10   /* of a group */
#define PARTITIONS 1000 /* of a topic */
#define PER_GROUP  (TOPICS * PARTITIONS)
#define ROUNDS     3

typedef struct Log {
    ReplayRecord *records;
    int32_t count;
} Log;

static bool
by_name(void *ctx, StrView name, GroupTopic *ret)
{
    (void)ctx;
    *ret = (GroupTopic){.name = name, .id = {{1}}, .partition_count = PARTITIONS};
    return true;
}

/* In an order that no table likes: partitions of all groups in turn. */
static Log
make_log(int32_t count, Arena *arena)
{
    Log log = {.records = calloc((size_t)count, sizeof *log.records), .count = count};
    GroupOut out;

    ot_assert(log.records != NULL);
    group_out_init(&out, arena);
    for (int32_t i = 0; i < count; i++) {
        int32_t groups = (count + PER_GROUP - 1) / PER_GROUP, at = i / groups;
        char group[32], topic[32];
        OffsetCommitKey key = {.partition = at % PARTITIONS};
        OffsetCommitValue value;

        (void)snprintf(group, sizeof group, "group-%d", i % groups);
        (void)snprintf(topic, sizeof topic, "topic-%d", at / PARTITIONS);
        key.group = strview_from(group);
        key.topic = strview_from(topic);
        offset_commit_value_init(&value);
        value.offset = i;
        value.topic_id = (Uuid){{1}};
        group_record(&out, &offset_commit_key_desc, &key, &offset_commit_value_desc, 4, &value);
        ot_assert(!out.failed);
        log.records[i] = (ReplayRecord){
            .key = out.records->key, .value = out.records->value, .offset = i, .producer_id = -1};
        group_out_forget_records(&out);
    }
    return log;
}

static double
resident_bytes(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (in == NULL || fscanf(in, "%*d %ld", &pages) != 1)
        die("cannot read statm");
    (void)fclose(in); /* only read */
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static GroupShard *
load(const Log *log, GroupMemory *memory, double *best_us)
{
    GroupShard *shard = shard_new(0, memory, 99);
    double begin = now_us(), spent;

    for (int32_t i = 0; i < log->count; i++)
        ot_assert(shard_replay(shard, &log->records[i], NULL) == 0);
    spent = now_us() - begin;
    if (*best_us == 0 || spent < *best_us)
        *best_us = spent;
    return shard;
}

static double
fetch_all_us(GroupShard *shard, Arena *arena)
{
    const GroupMetadata metadata = {.by_name = by_name};
    GroupOut out;
    GroupEnv env = {.metadata = &metadata, .out = &out};
    OffsetFetchRequestGroup request;
    OffsetFetchResponseGroup response;
    double begin;

    arena_reset(arena);
    group_out_init(&out, arena);
    offset_fetch_request_group_init(&request);
    request.group_id = STRVIEW("group-0");
    request.topics_count = -1;
    begin = now_us();
    shard_offset_fetch(shard, &env, 9, false, &request, &response);
    ot_assert(response.error_code == 0 && response.topics_count > 0);
    return now_us() - begin;
}

int
main(int argc, char **argv)
{
    int32_t count = argc > 1 ? (int32_t)strtol(argv[1], NULL, 10) : COUNT;
    GroupMemory memory = {.limit = (size_t)1 << 40};
    Arena *records = arena_new(1 << 20, 0), *arena = arena_new(1 << 20, 0);
    GroupShard *shard = NULL;
    double best_us = 0, before, grown;
    Log log;

    if (count <= 0 || records == NULL || arena == NULL)
        die("usage: offsets [COUNT]");
    log = make_log(count, records);
    before = resident_bytes();
    shard = load(&log, &memory, &best_us);
    grown = resident_bytes() - before;
    for (int i = 1; i < ROUNDS; i++) {
        shard_free(shard);
        shard = load(&log, &memory, &best_us);
    }
    printf("%d offsets: %.1f bytes each (%.1f resident), %.2f M records/s, %.2f ms for all of a "
           "group\n",
           count, (double)shard_counts(shard).bytes / count, grown / count, count / best_us,
           fetch_all_us(shard, arena) / 1000);
    shard_free(shard);
    free(log.records);
    arena_free(records);
    arena_free(arena);
    return 0;
}
