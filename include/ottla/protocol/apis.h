/*
 * apis.h - the APIs: one row each, and what may be asked about them
 *
 * The dispatcher, ApiVersions, the memory gate, quotas and statistics all read this table. A new API
 * begins to work when its row says NOW; ApiVersions lists exactly those. Pure.
 *
 * Columns of a row
 *   key, Name        Name is Kafka's; tables are messages/<name>.txt
 *   offer lo, hi     what ApiVersions says, as Kafka 4.3 does
 *   serve lo         first version that really works; lower ones close the connection (Produce only:
 *                    old clients probe for version 0 and never use it)
 *   flexible         first flexible version, API_NEVER: none
 *   where            BROKER, CONTROLLER listeners, or BOTH
 *   auth             BEFORE: allowed on a connection that is not authenticated yet
 *   memory           how many times its size a request may take, decoded (api_memory_bytes); covers
 *                    what real clients send, a hostile one gets OT_E_NO_MEMORY (message_memory_ratio)
 *   throttle         whose quota pays: PRODUCE and FETCH by bytes, MUTATION by partitions, REQUEST
 *                    by time alone; NONE: cluster members, exempt
 *   state            NOW, LATER (not built yet), QUIET (answered, not offered), PRIVATE (ours: offered to
 *                    our own programs alone)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_APIS_H
#define OTTLA_PROTOCOL_APIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_NEVER   INT16_MAX
#define API_KEY_MAX 92

#define API_PRIVATE_MIN 20000 /* keys of our own begin here, far above Kafka's */
#define API_PRIVATE_MAX 20001

/* clang-format off */
#define API_TABLE(X) \
    /* key Name       offer lo hi, serve lo, flexible, where, auth, memory, throttle, state */ \
    X(0,  Produce,                      0, 13, 3, 9,         BROKER,     AFTER,  2, PRODUCE,  NOW)\
    X(1,  Fetch,                        4, 18, 4, 12,        BOTH,       AFTER,  5, FETCH,    NOW)\
    X(2,  ListOffsets,                  1, 11, 1, 6,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(3,  Metadata,                     0, 13, 0, 9,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(8,  OffsetCommit,                 2, 10, 2, 8,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(9,  OffsetFetch,                  1, 10, 1, 6,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(10, FindCoordinator,              0,  6, 0, 3,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(11, JoinGroup,                    0,  9, 0, 6,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(12, Heartbeat,                    0,  4, 0, 4,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(13, LeaveGroup,                   0,  5, 0, 4,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(14, SyncGroup,                    0,  5, 0, 4,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(15, DescribeGroups,               0,  6, 0, 5,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(16, ListGroups,                   0,  5, 0, 3,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(17, SaslHandshake,                0,  1, 0, API_NEVER, BOTH,       BEFORE, 2, REQUEST,  NOW)\
    X(18, ApiVersions,                  0,  4, 0, 3,         BOTH,       BEFORE, 2, REQUEST,  NOW)\
    X(19, CreateTopics,                 2,  7, 2, 5,         BOTH,       AFTER,  8, MUTATION, NOW)\
    X(20, DeleteTopics,                 1,  6, 1, 4,         BOTH,       AFTER,  8, MUTATION, NOW)\
    X(21, DeleteRecords,                0,  2, 0, 2,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(22, InitProducerId,               0,  5, 0, 2,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(23, OffsetForLeaderEpoch,         2,  4, 2, 4,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(24, AddPartitionsToTxn,           0,  5, 0, 3,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(25, AddOffsetsToTxn,              0,  4, 0, 3,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(26, EndTxn,                       0,  5, 0, 3,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(27, WriteTxnMarkers,              1,  2, 1, 1,         BROKER,     AFTER,  8, NONE,     LATER)\
    X(28, TxnOffsetCommit,              0,  5, 0, 3,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(29, DescribeAcls,                 1,  3, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(30, CreateAcls,                   1,  3, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(31, DeleteAcls,                   1,  3, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(32, DescribeConfigs,              1,  4, 1, 4,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(33, AlterConfigs,                 0,  2, 0, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(34, AlterReplicaLogDirs,          1,  2, 1, 2,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(35, DescribeLogDirs,              1,  5, 1, 2,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(36, SaslAuthenticate,             0,  2, 0, 2,         BOTH,       BEFORE, 2, REQUEST,  NOW)\
    X(37, CreatePartitions,             0,  3, 0, 2,         BOTH,       AFTER,  8, MUTATION, NOW)\
    X(38, CreateDelegationToken,        1,  3, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(39, RenewDelegationToken,         1,  2, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(40, ExpireDelegationToken,        1,  2, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(41, DescribeDelegationToken,      1,  3, 1, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(42, DeleteGroups,                 0,  2, 0, 2,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(43, ElectLeaders,                 0,  2, 0, 2,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(44, IncrementalAlterConfigs,      0,  1, 0, 1,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(45, AlterPartitionReassignments,  0,  1, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(46, ListPartitionReassignments,   0,  0, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(47, OffsetDelete,                 0,  0, 0, API_NEVER, BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(48, DescribeClientQuotas,         0,  1, 0, 1,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(49, AlterClientQuotas,            0,  1, 0, 1,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(50, DescribeUserScramCredentials, 0,  0, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(51, AlterUserScramCredentials,    0,  0, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(52, Vote,                         0,  2, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(53, BeginQuorumEpoch,             0,  1, 0, 1,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(54, EndQuorumEpoch,               0,  1, 0, 1,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(55, DescribeQuorum,               0,  2, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(56, AlterPartition,               2,  3, 2, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(57, UpdateFeatures,               0,  2, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(58, Envelope,                     0,  0, 0, 0,         CONTROLLER, AFTER,  2, NONE,     LATER)\
    X(59, FetchSnapshot,                0,  1, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(60, DescribeCluster,              0,  2, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(61, DescribeProducers,            0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(62, BrokerRegistration,           0,  4, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(63, BrokerHeartbeat,              0,  2, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(64, UnregisterBroker,             0,  0, 0, 0,         BOTH,       AFTER,  8, REQUEST,  NOW)\
    X(65, DescribeTransactions,         0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(66, ListTransactions,             0,  2, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(67, AllocateProducerIds,          0,  0, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(68, ConsumerGroupHeartbeat,       0,  1, 0, 0,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(69, ConsumerGroupDescribe,        0,  1, 0, 0,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(70, ControllerRegistration,       0,  0, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(71, GetTelemetrySubscriptions,    0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  QUIET)\
    X(72, PushTelemetry,                0,  0, 0, 0,         BROKER,     AFTER,  2, REQUEST,  QUIET)\
    X(73, AssignReplicasToDirs,         0,  0, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(74, ListConfigResources,          0,  1, 0, 0,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(75, DescribeTopicPartitions,      0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  NOW)\
    X(76, ShareGroupHeartbeat,          1,  1, 1, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(77, ShareGroupDescribe,           1,  1, 1, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(78, ShareFetch,                   1,  2, 1, 0,         BROKER,     AFTER,  8, FETCH,    LATER)\
    X(79, ShareAcknowledge,             1,  2, 1, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(80, AddRaftVoter,                 0,  1, 0, 0,         BOTH,       AFTER,  8, REQUEST,  LATER)\
    X(81, RemoveRaftVoter,              0,  0, 0, 0,         BOTH,       AFTER,  8, REQUEST,  LATER)\
    X(82, UpdateRaftVoter,              0,  0, 0, 0,         CONTROLLER, AFTER,  8, NONE,     LATER)\
    X(83, InitializeShareGroupState,    0,  0, 0, 0,         BROKER,     AFTER,  8, NONE,     LATER)\
    X(84, ReadShareGroupState,          0,  0, 0, 0,         BROKER,     AFTER,  8, NONE,     LATER)\
    X(85, WriteShareGroupState,         0,  1, 0, 0,         BROKER,     AFTER,  2, NONE,     LATER)\
    X(86, DeleteShareGroupState,        0,  0, 0, 0,         BROKER,     AFTER,  8, NONE,     LATER)\
    X(87, ReadShareGroupStateSummary,   0,  1, 0, 0,         BROKER,     AFTER,  8, NONE,     LATER)\
    X(88, StreamsGroupHeartbeat,        0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(89, StreamsGroupDescribe,         0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(90, DescribeShareGroupOffsets,    0,  1, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(91, AlterShareGroupOffsets,       0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)\
    X(92, DeleteShareGroupOffsets,      0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  LATER)

#define API_PRIVATE_TABLE(X) \
    X(20000, OttlaStat,                 0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  PRIVATE)\
    X(20001, OttlaControl,              0,  0, 0, 0,         BROKER,     AFTER,  8, REQUEST,  PRIVATE)
/* clang-format on */

#define X(key, name, lo, hi, serve_lo, flexible, where, auth, memory, throttle, state) \
    API_##name = key,
typedef enum ApiKey { API_TABLE(X) API_PRIVATE_TABLE(X) } ApiKey;
#undef X

typedef enum ApiWhere {
    API_ON_BROKER = 1,
    API_ON_CONTROLLER = 2,
    API_ON_BOTH = 3,
} ApiWhere;

typedef enum ApiThrottle {
    API_THROTTLE_NONE,
    API_THROTTLE_REQUEST,
    API_THROTTLE_PRODUCE,
    API_THROTTLE_FETCH,
    API_THROTTLE_MUTATION,
    API_THROTTLE_COUNT
} ApiThrottle;

typedef enum ApiState {
    API_STATE_LATER,
    API_STATE_NOW,
    API_STATE_QUIET,
    API_STATE_PRIVATE,
    API_STATE_COUNT
} ApiState;

typedef struct ApiInfo {
    const char *name; /* NULL: no API has this key */
    int16_t key;
    int16_t offer_lo;
    int16_t offer_hi;
    int16_t serve_lo;
    int16_t flexible_from;
    uint8_t where;    /* ApiWhere */
    uint8_t throttle; /* ApiThrottle */
    uint8_t state;    /* ApiState */
    bool before_auth;
    uint8_t memory_factor;
} ApiInfo;

/* NULL: no such API. */
const ApiInfo *api_find(int16_t key);

/*
 * Most bytes that a request of so many bytes may take beside the 1 MiB that each has: twice its size
 * (design.md 4). One that is made of many small parts is larger decoded than on the wire: it may take
 * the API's factor, up to API_DENSE_MAX_BYTES.
 */
#define API_DENSE_MAX_BYTES ((size_t)16 << 20)
size_t api_memory_bytes(const ApiInfo *api, size_t request_bytes);

/* True when a request of this version can be answered now. */
static inline bool
api_serves(const ApiInfo *api, int16_t version)
{
    return api->state != API_STATE_LATER && version >= api->serve_lo && version <= api->offer_hi;
}

#endif
