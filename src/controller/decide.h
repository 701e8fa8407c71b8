/*
 * decide.h - decisions of the active controller: image and request to records and response
 *
 * They read the image being built, the settings and a seeded generator; they change nothing.
 * Records of one decision are one atomic batch. Order of checks and codes: cluster.md 3.7 and
 * observed.md 6.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_DECIDE_H
#define OTTLA_CONTROLLER_DECIDE_H

#include "controller/meta_batch.h"
#include "controller/mutation_quota.h"
#include "controller/records.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/controller/quota_hosts.h"
#include "ottla/protocol/msg_allocate_producer_ids.h"
#include "ottla/protocol/msg_alter_client_quotas.h"
#include "ottla/protocol/msg_alter_configs.h"
#include "ottla/protocol/msg_alter_partition_reassignments.h"
#include "ottla/protocol/msg_alter_user_scram_credentials.h"
#include "ottla/protocol/msg_assign_replicas_to_dirs.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_topics.h"
#include "ottla/protocol/msg_incremental_alter_configs.h"
#include "ottla/protocol/msg_describe_quorum.h"
#include "ottla/protocol/msg_elect_leaders.h"
#include "ottla/protocol/msg_unregister_broker.h"
#include "ottla/protocol/msg_update_features.h"

/* Records that one request may make (Kafka's bound on a user's operation). */
#define DECIDE_RECORDS_MAX      10000
#define DECIDE_TOO_MANY_RECORDS "one request may make at most 10000 records"
#define DECIDE_NO_TOKENS        "the client makes or deletes too many partitions: controller_mutation_rate"

/* Producer ids given out at once. */
#define PRODUCER_ID_BLOCK 1000

/* Levels of log lines that requests want; they are no records. */
typedef struct LevelChanges {
    bool any;
    bool changed[LOG_CATEGORY_COUNT];
    uint8_t to[LOG_CATEGORY_COUNT]; /* LogLevel; LL_COUNT: as without a request */
} LevelChanges;
/* The metadata log as its leader knows it. */
typedef struct QuorumFacts {
    Uuid directory_id; /* of this node's metadata directory */
    int32_t leader_epoch;
    int64_t high_watermark;
    int64_t log_end;
    int64_t now_ms;                 /* wall clock */
    const VoterEndpoint *endpoints; /* of this voter */
    int32_t endpoint_count;
} QuorumFacts;

/* What a decision may look at. */
typedef struct DecideContext {
    int16_t api_version; /* of the request */
    const Image *image;  /* with everything decided before in this turn */
    Arena *arena;
    RandomSeq *random;
    const ConfLookup *dynamic; /* settings of brokers in the image */
    int32_t node_id;
    int32_t num_partitions; /* of the settings */
    int32_t replication_factor;
    int32_t min_insync_replicas;
    bool delete_enabled;
    int64_t partitions_left; /* free slots of the partition table */
    MutationMeter *meter;    /* tokens of who asks; NULL: not limited */
    QuorumFacts quorum;
    /* Chooses the directory of a new replica on this node; zero: leave it to the broker. */
    Uuid (*pick_directory)(void *arg);
    void *pick_arg;
    bool (*has_log_dir)(StrView path);     /* is it one of this node? NULL: not asked */
    const struct ListenerTable *listeners; /* of this node; NULL: not asked */
    const KnownHost *hosts; /* names that have an address, as ControllerRequest has them */
    int32_t host_count;
    LevelChanges *levels; /* filled; put into force when the turn's records are on disk */
} DecideContext;

/* What becomes of an item of a request. */
typedef struct Verdict {
    int16_t code; /* 0: fine */
    const char *text;
} Verdict;

/*
 * Each fills the response (its memory in the arena) and appends to records what must be written, nothing
 * when the request only validates. OT_E_NO_MEMORY: nothing was decided.
 */
int decide_create_topics(const DecideContext *c, const CreateTopicsRequest *in, RecordList *records,
                         CreateTopicsResponse *ret);
int decide_delete_topics(const DecideContext *c, const DeleteTopicsRequest *in, RecordList *records,
                         DeleteTopicsResponse *ret);
int decide_create_partitions(const DecideContext *c, const CreatePartitionsRequest *in,
                             RecordList *records, CreatePartitionsResponse *ret);
int decide_producer_ids(const DecideContext *c, const AllocateProducerIdsRequest *in,
                        RecordList *records, AllocateProducerIdsResponse *ret);
int decide_alter_client_quotas(const DecideContext *c, const AlterClientQuotasRequest *in,
                               RecordList *records, AlterClientQuotasResponse *ret);
int decide_alter_scram(const DecideContext *c, const AlterUserScramCredentialsRequest *in,
                       RecordList *records, AlterUserScramCredentialsResponse *ret);
int decide_incremental_alter_configs(const DecideContext *c,
                                     const IncrementalAlterConfigsRequest *in, RecordList *records,
                                     IncrementalAlterConfigsResponse *ret);
int decide_alter_configs(const DecideContext *c, const AlterConfigsRequest *in, RecordList *records,
                         AlterConfigsResponse *ret);

/* Why a name cannot be a topic's; NULL: it can. */
const char *topic_name_fault(StrView name);
int decide_update_features(const DecideContext *c, const UpdateFeaturesRequest *in,
                           RecordList *records, UpdateFeaturesResponse *ret);
int decide_unregister_broker(const DecideContext *c, const UnregisterBrokerRequest *in,
                             RecordList *records, UnregisterBrokerResponse *ret);
int decide_elect_leaders(const DecideContext *c, const ElectLeadersRequest *in, RecordList *records,
                         ElectLeadersResponse *ret);
int decide_alter_reassignments(const DecideContext *c, const AlterPartitionReassignmentsRequest *in,
                               RecordList *records, AlterPartitionReassignmentsResponse *ret);
int decide_assign_directories(const DecideContext *c, const AssignReplicasToDirsRequest *in,
                              RecordList *records, AssignReplicasToDirsResponse *ret);
int decide_describe_quorum(const DecideContext *c, const DescribeQuorumRequest *in,
                           RecordList *records, DescribeQuorumResponse *ret);

/* ---- shared by topics and partitions ---- */

/* Active: registered, not fenced, not in controlled shutdown. */
bool broker_is_active(const Image *image, int32_t id);

/*
 * Checks a list of replicas that a client gave: every broker registered, none twice, as many as
 * wanted (-1: any number above 0). NULL: fine; else why not.
 */
const char *assignment_fault(const DecideContext *c, const int32_t *ids, int32_t count,
                             int32_t wanted);

/*
 * Adds the PartitionRecord of a new partition. False: no replica is active.
 */
bool decide_add_partition(const DecideContext *c, RecordList *records, Uuid topic_id,
                          int32_t partition, const int32_t *replicas, int32_t count);

/* ---- placement: placement.c ---- */

typedef struct PlacementBroker {
    int32_t id;
    StrView rack; /* null: none */
    bool fenced;
} PlacementBroker;

typedef struct Placer Placer;

/*
 * Striped placement over racks and brokers (cluster.md 3.7). brokers: registered ones that are not
 * shutting down. NULL: no memory.
 */
Placer *placer_new(const PlacementBroker *brokers, int32_t count, RandomSeq *random, Arena *arena);

/* Why this many replicas cannot be placed; NULL: they can. */
const char *placer_fault(const Placer *placer, int32_t replicas);

/* The next partition's replicas, first one the preferred leader; placer_fault said NULL. */
void placer_next(Placer *placer, int32_t replicas, int32_t *ret_ids);

/* Kafka's reserved directories of a replica: its broker places it; in some directory that failed. */
extern const Uuid directory_unassigned;
extern const Uuid directory_lost;

/* The directory of a new replica of a broker. */
Uuid decide_directory(const DecideContext *c, int32_t broker_id);

/* A placer for the image's brokers. */
Placer *placer_for(const DecideContext *c);

#endif
