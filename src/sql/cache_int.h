/*
 * cache_int.h - answers of the cluster, each asked for once per statement and shared by all tables
 *
 * All functions return 0, or -1 with the fault. What they give lives until the statement ends. A key of NULL means all;
 * names that do not exist are no faults, they are left out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_CACHE_INT_H
#define OTTLA_SQL_CACHE_INT_H

#include "ottla/protocol/msg_describe_cluster.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_describe_log_dirs.h"
#include "ottla/protocol/msg_list_partition_reassignments.h"
#include "ottla/protocol/msg_offset_fetch.h"
#include "sql/sql_int.h"

/* ---- map.c: from bytes to things ---- */

typedef struct CacheEntry {
    uint64_t hash;
    StrView key;
    void *value;
} CacheEntry;

typedef struct CacheMap {
    CacheEntry *entries;
    int32_t size; /* a power of 2, or 0 */
    int32_t count;
} CacheMap;

void *cache_map_get(const CacheMap *map, StrView key);

/* The key's bytes stay the caller's. False: no memory. */
bool cache_map_put(CacheMap *map, Arena *arena, StrView key, void *value);

/* ---- topics ---- */

typedef struct CachePartition {
    int32_t partition;
    int32_t leader; /* -1: none */
    int32_t leader_epoch;
    int16_t error;
    const int32_t *replicas;
    int32_t replica_count;
    const int32_t *isr;
    int32_t isr_count;
    const int32_t *offline;
    int32_t offline_count;
    const int32_t *elr; /* count -1: not told */
    int32_t elr_count;
    const int32_t *last_known_elr;
    int32_t last_known_elr_count;
    /* Offsets, by CacheOffset; -1: not known. */
    int64_t offsets[4];
    uint8_t asked;     /* a bit per CacheOffset */
    bool counted;      /* while partitions are being gathered, as the next */
    const void *owner; /* the CacheMember that has it */
} CachePartition;

typedef struct CacheTopic {
    StrView name;
    Uuid id;
    int16_t error;
    bool internal;
    CachePartition *partitions; /* by number, where the cluster has no holes */
    int32_t partition_count;
    const DescribeConfigsResponseResult *configs; /* NULL: not asked for, or refused */
    bool configs_asked;
    bool elr_asked;
} CacheTopic;

typedef struct CacheTopics {
    CacheTopic **topics; /* sorted by name */
    int32_t count;
} CacheTopics;

/* Metadata: of the topics of the key's values. */
int cache_topics(Sql *sql, const SqlKey *names, CacheTopics *ret, Fault *f);

/* NULL: no such topic among those that were asked for. */
CacheTopic *cache_topic(Sql *sql, StrView name);
CachePartition *cache_partition(Sql *sql, StrView topic, int32_t partition);

/* Eligible leaders by DescribeTopicPartitions, where the server has it. */
int cache_elr(Sql *sql, const CacheTopics *topics, Fault *f);

typedef enum CacheOffset {
    CACHE_OFFSET_START,
    CACHE_OFFSET_END,
    CACHE_OFFSET_STABLE,
    CACHE_OFFSET_MAX_TIMESTAMP, /* the timestamp, not its offset */
} CacheOffset;

typedef struct CachePart {
    CacheTopic *topic;
    CachePartition *partition;
} CachePart;

/* ListOffsets for those that were not asked for yet. A partition that cannot say leaves -1. */
int cache_offsets(Sql *sql, const CachePart *parts, int32_t count, CacheOffset what, Fault *f);

/*
 * ListOffsets for a timestamp, not kept: the first record that is not older. ret_offsets has a place per part; -1: there
 * is none, or the partition cannot say.
 */
int cache_offsets_at(Sql *sql, const CachePart *parts, int32_t count, int64_t timestamp,
                     int64_t *ret_offsets, Fault *f);

/* ---- nodes ---- */

/* DescribeCluster (Metadata where it is not known). */
int cache_cluster(Sql *sql, const DescribeClusterResponse **ret, Fault *f);

typedef struct CacheDirs {
    int32_t node_id;
    bool reached;
    DescribeLogDirsResponse response;
} CacheDirs;

/* DescribeLogDirs of the brokers of the key's values; a node that cannot be reached has no directories. */
int cache_dirs(Sql *sql, const SqlKey *nodes, CacheDirs **ret, int32_t *ret_count, Fault *f);

/* A log in a directory of a node. */
typedef struct CacheLog {
    const DescribeLogDirsResponseResult *dir;
    const DescribeLogDirsResponsePartition *log;
    const struct CacheLog *next; /* of the same replica: one that is being moved in */
} CacheLog;

/* The logs of a replica, that in use first; NULL: not known. cache_dirs must have been asked for. */
const CacheLog *cache_logs(Sql *sql, StrView topic, int32_t partition, int32_t node_id);

/* The size of the log in use; -1: not known. */
int64_t cache_replica_bytes(Sql *sql, StrView topic, int32_t partition, int32_t node_id);

/* ListPartitionReassignments. */
int cache_reassignments(Sql *sql, const ListPartitionReassignmentsResponse **ret, Fault *f);

/* ---- configs ---- */

/* DescribeConfigs of topics, for their columns: the same few names for all. */
int cache_topic_configs(Sql *sql, const CacheTopics *topics, Fault *f);

/* The value of a topic's setting; NULL: not told. */
const DescribeConfigsResponseResourceResult *cache_topic_config(const CacheTopic *topic,
                                                                const char *name);

/* ---- groups ---- */

typedef struct CacheMember {
    StrView member_id;
    StrView instance_id; /* null: none, as the others that are optional */
    StrView client_id;
    StrView host;
    StrView rack;
    int32_t epoch; /* -1: has none */
    StrView *subscribed;
    int32_t subscribed_count;
    StrView regex;
    struct CacheAssigned *assigned;
    int32_t assigned_count;
    struct CacheAssigned *target; /* NULL: the protocol tells none */
    int32_t target_count;
} CacheMember;

typedef struct CacheAssigned {
    StrView topic;
    const int32_t *partitions;
    int32_t count;
} CacheAssigned;

typedef struct CacheGroup {
    StrView group_id;
    StrView type; /* "classic", "consumer", "share", "streams" */
    StrView state;
    StrView protocol_type;
    StrView protocol; /* assignor */
    int32_t coordinator;
    int32_t epoch;  /* -1: none */
    int16_t error;  /* of its description */
    bool described; /* or known not to exist */
    bool exists;
    bool asked; /* these two: while it is being asked for */
    bool again;
    CacheMember *members;
    int32_t member_count;
    const OffsetFetchResponseGroup *offsets; /* NULL: not asked for, or none */
    bool offsets_asked;
} CacheGroup;

typedef struct CacheGroups {
    CacheGroup **groups; /* sorted by id */
    int32_t count;
} CacheGroups;

/* ListGroups of all brokers, or the groups of the key's values; describe: with members. */
int cache_groups(Sql *sql, const SqlKey *ids, bool describe, CacheGroups *ret, Fault *f);

/* OffsetFetch of all offsets of the groups. */
int cache_group_offsets(Sql *sql, const CacheGroups *groups, Fault *f);

#endif
