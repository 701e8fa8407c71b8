/*
 * fetch_set_int.h - the partitions of one fetch session: a set in shared memory
 *
 * Parts are found by (topic, partition) through a hash, named by a stable index, and ordered by a
 * rising number (moving one to the end gives it the next number). Hot parts are those the next fetch
 * must look at; the others stand at their end, have been announced, and a wait node marks them ready
 * when something happens: so a fetch costs O(hot), not O(parts).
 *
 * Called with the session's lock held; knows no locks, clocks, files or processes itself. Memory is
 * chunks of a pool in shared memory, named by the set's owner word, so that a set in doubt is thrown
 * away as a whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FETCH_SET_INT_H
#define OTTLA_BACKEND_FETCH_SET_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/limits.h"
#include "ottla/common/view.h"
#include "ottla/ipc/pool.h"
#include "ottla/storage/plog.h"

#define FETCH_CHUNK_BYTES 16384
#define FETCH_SESSION_PARTS_MAX \
    16384 /* a larger fetch gets no session: answered in full each time */
#define FETCH_NONE (-1)

/* A topic as a fetch names it. */
typedef struct FetchTopic {
    Uuid id;          /* zero when asked for by name */
    char *name;       /* not terminated; of a session: room for LIMIT_TOPIC_NAME_LEN */
    int32_t name_len; /* 0 while an id is unknown */
    bool by_id;
} FetchTopic;

/* One partition to be fetched, of a session or of a single request. */
typedef struct FetchPart {
    int64_t fetch_offset;
    int64_t order;
    int64_t told_high_watermark; /* what the client was last told; -1: nothing */
    int64_t told_log_start;
    PlogPosition start;  /* where its last read began */
    int64_t ready_bytes; /* what it adds to minBytes now */
    PartitionRef ref;    /* of its last read; PARTITION_REF_NONE: unknown */
    int32_t topic;       /* index in the set, or in the request's topics */
    int32_t partition;
    int32_t max_bytes;
    int32_t current_leader_epoch;
    int32_t last_fetched_epoch;
    int32_t node;      /* wait node; WAIT_NODE_NONE: not registered */
    int32_t hash_next; /* also links free parts */
    int32_t hot_next;
    int32_t hot_prev;
    bool in_use;
    bool hot;
} FetchPart;

_Static_assert(sizeof(FetchPart) <= 128, "128 parts a chunk");

#define FETCH_PARTS_PER_CHUNK  (FETCH_CHUNK_BYTES / 128)
#define FETCH_PART_CHUNKS      (FETCH_SESSION_PARTS_MAX / FETCH_PARTS_PER_CHUNK)
#define FETCH_TOPIC_BYTES      320
#define FETCH_TOPICS_PER_CHUNK (FETCH_CHUNK_BYTES / FETCH_TOPIC_BYTES)
#define FETCH_TOPIC_CHUNKS \
    ((FETCH_SESSION_PARTS_MAX + FETCH_TOPICS_PER_CHUNK - 1) / FETCH_TOPICS_PER_CHUNK)
#define FETCH_PART_BUCKETS  2048
#define FETCH_TOPIC_BUCKETS 512

/* Where chunks come from. */
typedef struct FetchChunks {
    Pool *pool;
    uint8_t *base; /* chunk i lies at base + i * FETCH_CHUNK_BYTES */
} FetchChunks;

typedef struct FetchSet {
    uint64_t owner; /* names the set in the pool */
    int64_t next_order;
    int32_t part_count;
    int32_t part_high; /* indexes [0, part_high) were ever used */
    int32_t part_free;
    int32_t topic_high;
    int32_t topic_free;
    int32_t hot_first;
    int32_t hot_count;
    uint32_t part_chunks[FETCH_PART_CHUNKS];   /* chunk + 1; 0: none */
    uint32_t topic_chunks[FETCH_TOPIC_CHUNKS]; /* chunk + 1; 0: none */
    int32_t part_buckets[FETCH_PART_BUCKETS];  /* part + 1; 0: empty */
    int32_t topic_buckets[FETCH_TOPIC_BUCKETS];
} FetchSet;

/* An empty set; what it held before is forgotten, not given back. */
void fetch_set_init(FetchSet *set, uint64_t owner);

/* Gives all chunks back and empties the set. */
void fetch_set_fini(FetchSet *set, const FetchChunks *chunks);

/* The part with this index; index in [0, part_high). */
FetchPart *fetch_set_part(const FetchSet *set, const FetchChunks *chunks, int32_t index);
FetchTopic *fetch_set_topic(const FetchSet *set, const FetchChunks *chunks, int32_t topic);

/* What names a part. */
typedef struct FetchKey {
    Uuid id;      /* by_id */
    StrView name; /* not by_id */
    int32_t partition;
    bool by_id;
} FetchKey;

/* Index of a part, or FETCH_NONE. */
int32_t fetch_set_find(const FetchSet *set, const FetchChunks *chunks, const FetchKey *key);

/*
 * The part of this key, made at the end of the order and hot if it was not there.
 * FETCH_NONE: FETCH_SESSION_PARTS_MAX reached, no chunk free, or a name longer than any topic's.
 */
int32_t fetch_set_add(FetchSet *set, const FetchChunks *chunks, const FetchKey *key);

/* Takes a part out. Its wait node is the caller's care. */
void fetch_set_remove(FetchSet *set, const FetchChunks *chunks, int32_t index);

void fetch_set_heat(FetchSet *set, const FetchChunks *chunks, int32_t index);
void fetch_set_cool(FetchSet *set, const FetchChunks *chunks, int32_t index);
void fetch_set_heat_all(FetchSet *set, const FetchChunks *chunks);

/* Served partitions move behind the others. */
void fetch_set_move_to_end(FetchSet *set, const FetchChunks *chunks, int32_t index);

/* The hot parts in their order into ret[set->hot_count]. */
void fetch_set_hot_sorted(const FetchSet *set, const FetchChunks *chunks, int32_t *ret);

/* Asserts what must hold between the lists; for tests. */
void fetch_set_check(const FetchSet *set, const FetchChunks *chunks);

#endif
