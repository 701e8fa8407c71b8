/*
 * image.h - the metadata image: what every process knows about topics, partitions, brokers, settings
 *
 * The controller process writes it, everybody reads it without locks. It is a tree of immutable nodes
 * in shared memory: a change copies the path to the root, a new root is published under the next
 * generation. A reader pins the generation it looks at; nodes that only older generations reach are
 * taken back when no live process pins them.
 *
 * Pins are held only while code runs: never across a wait, a socket write or a file read. All views
 * and pointers obtained from an image end with its pin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_IMAGE_H
#define OTTLA_CONTROLLER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/view.h"
#include "ottla/ipc/region.h"
#include "ottla/storage/partition_slot.h"

typedef struct Image Image;
typedef struct ImageTopic ImageTopic;

/* ---- region ---------------------------------------------------------------------------------- */

size_t image_shm_size(const ShmLimits *limits);
void image_shm_init(void *base, const ShmLimits *limits);

/* ---- pinning --------------------------------------------------------------------------------- */

typedef struct ImagePin {
    const Image *image; /* NULL: nothing was published yet */
    bool inner;         /* inside another pin of this process, whose generation it shares */
} ImagePin;

/*
 * Pins the newest generation for this process (my_slot) and never waits. Pins nest: an inner one
 * sees the outer one's image.
 */
ImagePin image_pin(void);
void image_unpin(ImagePin *pin);

/* The pinned image; NULL before the first publication (READY comes after it). */
static inline const Image *
image_of(const ImagePin *pin)
{
    return pin->image;
}

/* Grows with each publication. */
uint64_t image_generation(const Image *image);

/* Offset of the last metadata record in this image: the "finalized features epoch" of ApiVersions. */
int64_t image_offset(const Image *image);

/* ---- topics ---------------------------------------------------------------------------------- */

/* NULL: no such topic. */
const ImageTopic *image_topic_by_name(const Image *image, StrView name);
const ImageTopic *image_topic_by_id(const Image *image, Uuid id);

/* The topic with the smallest name > after (bytewise); after null: the first one. NULL: none. */
const ImageTopic *image_topic_after(const Image *image, StrView after);

/* The topic with the smallest name >= from. */
const ImageTopic *image_topic_from(const Image *image, StrView from);

int32_t image_topic_count(const Image *image);
int64_t image_partition_count(const Image *image); /* of all topics */

StrView image_topic_name(const ImageTopic *topic);
Uuid image_topic_id(const ImageTopic *topic);
int32_t image_topic_partition_count(const ImageTopic *topic);

/* __consumer_offsets, __transaction_state, __share_group_state. */
bool image_topic_is_internal(const ImageTopic *topic);
bool topic_name_is_internal(StrView name);

/* What the metadata says about one partition. The lists live as long as the pin. */
typedef struct ImagePartition {
    PartitionRef ref; /* PARTITION_REF_NONE: this node hosts no replica */
    int32_t partition;
    int32_t leader; /* -1: none */
    int32_t leader_epoch;
    int32_t partition_epoch;
    const int32_t *replicas;
    const int32_t *isr;
    const int32_t *removing;
    const int32_t *adding;
    const int32_t *elr;
    const int32_t *last_known_elr;
    const Uuid *directories; /* parallel to replicas */
    int32_t replica_count;
    int32_t isr_count;
    int32_t removing_count;
    int32_t adding_count;
    int32_t elr_count;
    int32_t last_known_elr_count;
    int32_t directory_count;
    int8_t recovery_state; /* 0 recovered, 1 recovering */
} ImagePartition;

/* False: no such partition; *ret is untouched then. O(log partitions). */
bool image_topic_partition(const ImageTopic *topic, int32_t partition, ImagePartition *ret);

/*
 * Resolves a slot's identity again after a wait: true when the topic with this id still has the
 * partition.
 */
bool image_partition_by_id(const Image *image, Uuid topic_id, int32_t partition,
                           ImagePartition *ret);

/* ---- brokers ---------------------------------------------------------------------------------- */

typedef struct ImageEndpoint {
    StrView name;
    StrView host;
    uint16_t port;
    int16_t security_protocol; /* 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL */
} ImageEndpoint;

typedef struct ImageFeatureRange {
    StrView name;
    int16_t min;
    int16_t max;
} ImageFeatureRange;

typedef struct ImageBroker {
    int32_t id;
    int64_t epoch;
    Uuid incarnation_id;
    StrView rack; /* null: none */
    bool fenced;
    bool in_controlled_shutdown;
    const ImageEndpoint *endpoints;
    int32_t endpoint_count;
    const Uuid *log_dirs;
    int32_t log_dir_count;
    const Uuid *cordoned_log_dirs; /* NULL with count -1: not known */
    int32_t cordoned_log_dir_count;
    const ImageFeatureRange *features;
    int32_t feature_count;
    bool is_migrating_zk_broker;
} ImageBroker;

/* NULL: not registered. */
const ImageBroker *image_broker(const Image *image, int32_t id);

/* The registered broker with the smallest id > after; start with INT32_MIN. NULL: none. */
const ImageBroker *image_broker_after(const Image *image, int32_t after);

int32_t image_broker_count(const Image *image);

/* Alive: registered and not fenced. Metadata and DescribeCluster list these. */
bool image_broker_is_alive(const Image *image, int32_t id);

/* The endpoint of a listener name, or NULL. */
const ImageEndpoint *image_broker_endpoint(const ImageBroker *broker, StrView listener);

/* Who decides: node id of the active controller as a client is told (a live broker), -1: none. */
int32_t image_controller_id(const Image *image);

/* ---- settings --------------------------------------------------------------------------------- */

/* Numbers of ConfigRecord.resourceType. */
#define IMAGE_CONFIG_TOPIC          2
#define IMAGE_CONFIG_BROKER         4
#define IMAGE_CONFIG_CLIENT_METRICS 16
#define IMAGE_CONFIG_GROUP          32

/* The dynamic value of one setting of a resource (name "" of BROKER: cluster default); false: none. */
bool image_config(const Image *image, int8_t type, StrView resource, StrView key,
                  StrView *ret_value);

/* The setting of the resource with the smallest key > after (null: the first). False: none left. */
bool image_config_after(const Image *image, int8_t type, StrView resource, StrView after,
                        StrView *ret_key, StrView *ret_value);

/*
 * The resource of this type that has settings and stands behind `after` (null: the first), in an order of
 * the image's own. False: none left.
 */
bool image_config_next_resource(const Image *image, int8_t type, StrView after, StrView *ret);

/* ---- features, producer ids ------------------------------------------------------------------------ */

/* Finalized level; 0: not finalized. kraft.version is here too. */
int16_t image_feature(const Image *image, StrView name);

/* The finalized feature (level > 0) with the smallest name > after (null: the first). */
bool image_feature_after(const Image *image, StrView after, StrView *ret_name, int16_t *ret_level);

/* The first producer id not given out in a block yet. */
int64_t image_next_producer_id(const Image *image);

#endif
