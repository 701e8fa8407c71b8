/*
 * image_int.h - the inside of the metadata image: shared layout, allocator, map, builder
 *
 * Only the controller process calls what takes an ImageWriter; what takes a const Image is read by
 * everybody.
 *
 *   I1  a node reached from a published root never changes and is not reused while a live process
 *       pins a generation that reaches it
 *   I2  a node is changed in place only while the generation that made it is not published
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_IMAGE_INT_H
#define OTTLA_CONTROLLER_IMAGE_INT_H

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/controller/image.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/ipc/atomics.h"

/* Published roots that may be pinned at once; a pin older than that stops publication. */
#define IMAGE_ROOT_RING 8192
#define IMAGE_SLOTS_MAX 32768

/* ---- maps ------------------------------------------------------------------------------------ */

/* A node of a balanced tree ordered by memcmp of keys, shorter first when one begins the other. */
typedef struct MapNode {
    uint64_t born; /* generation that made it */
    struct MapNode *left;
    struct MapNode *right;
    const uint8_t *key; /* lies in the value */
    void *value;
    int32_t key_len;
    int32_t height;
} MapNode;

static_assert(sizeof(MapNode) <= 64, "a map node is one cache line");

typedef enum ImageMap {
    MAP_TOPIC_NAME, /* ImageTopic */
    MAP_TOPIC_ID,   /* the same ImageTopic */
    MAP_BROKER,     /* BrokerObject; key: id, sign bit flipped, big-endian */
    MAP_CONTROLLER, /* ImageEntry from here on; value: the record as it stands in a log */
    MAP_CONFIG,     /* key: image_config_key; value: text */
    MAP_FEATURE,    /* key: name; value: 2 bytes */
    MAP_QUOTA,      /* key: image_quota_key; value: 8 bytes of a double */
    MAP_ACL,        /* key: id; value: record */
    MAP_SCRAM,      /* key: mechanism, name; value: record */
    MAP_TOKEN,      /* key: token id; value: record */
    MAP_ALIKE,      /* names with '.' or '_'; key: name with '_' for '.', zero, name; no value */
    MAP_COUNT
} ImageMap;

/* Everything of a generation. Copied into the ring when published. */
struct Image {
    uint64_t generation;
    int64_t offset; /* last record applied; -1: none */
    int32_t epoch;  /* of that record */
    int32_t controller_id;
    int64_t timestamp; /* of its batch */
    int64_t next_producer_id;
    int32_t zk_migration_state; /* -1: no such record */
    int64_t partition_count;
    int32_t counts[MAP_COUNT];
    int32_t quota_counts[QUOTA_KEY_COUNT]; /* entities that have this key set */
    int32_t quota_odd_ips; /* keys set for an ip that is not written as connections are shown */
    int32_t quota_hosts;   /* those of them that name a host */
    uint64_t quota_host_serial; /* changes of these */
    bool has_producer_ids;
    MapNode *maps[MAP_COUNT];
};

struct ImageTopic {
    uint64_t born;
    Uuid id;
    uint64_t settings;   /* handle of topic_settings_new; 0: none yet */
    MapNode *partitions; /* PartitionObject; key: index, big-endian */
    int32_t partition_count;
    int32_t name_len;
    char name[];
};

typedef struct PartitionObject {
    uint64_t born;
    uint32_t bytes;
    uint8_t key[4];
    ImagePartition p; /* lists lie behind the struct */
} PartitionObject;

typedef struct BrokerObject {
    uint64_t born;
    uint32_t bytes;
    uint8_t key[4];
    ImageBroker b; /* lists and strings lie behind the struct */
} BrokerObject;

typedef struct ImageEntry {
    uint64_t born;
    uint32_t bytes;
    int32_t key_len;
    int32_t value_len; /* -1: null */
    uint8_t data[];    /* key, value */
} ImageEntry;

static inline BytesView
entry_key(const ImageEntry *e)
{
    return (BytesView){e->data, e->key_len};
}

static inline BytesView
entry_value(const ImageEntry *e)
{
    return (BytesView){e->value_len < 0 ? NULL : e->data + e->key_len,
                       e->value_len < 0 ? 0 : e->value_len};
}

int image_key_compare(BytesView a, BytesView b);

/* The node with this key, or NULL. */
const MapNode *image_map_find(const MapNode *root, BytesView key);

/* The first node with a key > key (or_equal: >= key), or NULL. */
const MapNode *map_after(const MapNode *root, BytesView key, bool or_equal);

/* Is there a topic that differs from the name only in '.' and '_'? */
bool image_topic_alike(const Image *image, StrView name, StrView *ret_other);

/* Key of MAP_ALIKE; 0: the name has neither. ret has room for two names and a zero. */
#define IMAGE_ALIKE_KEY_MAX (2 * LIMIT_TOPIC_NAME_LEN + 1)
int32_t image_alike_key(StrView name, uint8_t *ret);

void image_put_be32(uint8_t at[4], uint32_t value);

/*
 * Key of a setting: type, length and name of the resource, name of the setting. ret has room for 3
 * bytes and both names. Names that do not fit IMAGE_CONFIG_LOOKUP_MAX are stored, and never asked for.
 */
#define IMAGE_CONFIG_LOOKUP_MAX 4096
int32_t image_config_key(int8_t type, StrView resource, StrView name, uint8_t *ret);

/* A part of an entity that has quotas, and the bytes of the map's key (image_quotas.c). */
#define IMAGE_QUOTA_PARTS_MAX 255

typedef struct ImageQuotaPart {
    StrView type;
    StrView name; /* null: the default */
} ImageQuotaPart;

/* parts sorted by type; room first. The key's length. */
size_t image_quota_key_room(const ImageQuotaPart *parts, int32_t count, StrView key);
int32_t image_quota_key(const ImageQuotaPart *parts, int32_t count, StrView key, uint8_t *ret);
void image_quota_read(const ImageEntry *entry, ImageQuota *ret);

static inline void
image_broker_key(int32_t id, uint8_t ret[4])
{
    image_put_be32(ret, (uint32_t)id ^ 0x80000000u);
}

/* ---- shared head ------------------------------------------------------------------------------ */

typedef struct ImageShared {
    alignas(CACHE_LINE_BYTES) AtomicU64 newest; /* published generation; 0: none */
    alignas(CACHE_LINE_BYTES) AtomicU64 pinners[IMAGE_SLOTS_MAX / 64]; /* slots that ever pinned */
    Image roots[IMAGE_ROOT_RING];
    size_t arena_bytes;
    alignas(CACHE_LINE_BYTES) uint8_t arena[];
} ImageShared;

extern ImageShared *image_shared;

/* Pins for a given slot; image_pin uses my_slot. For tests that have many readers in one process. */
const Image *image_pin_slot(int32_t slot_index);
void image_unpin_slot(int32_t slot_index);

/* ---- writer: memory --------------------------------------------------------------------------- */

#define IMAGE_CLASS_COUNT 112

typedef struct FreePiece {
    struct FreePiece *next;
} FreePiece;

typedef struct ImagePiece {
    void *ptr;
    uint32_t size;
    uint32_t pad;
    uint64_t generation; /* the first that does not reach it */
} ImagePiece;

typedef struct PieceList {
    ImagePiece *items;
    size_t count;
    size_t first; /* items before it are done with */
    size_t room;
} PieceList;

/* Private memory of the controller process. */
typedef struct ImageWriter {
    uint8_t *bump;
    uint8_t *end;
    FreePiece *free[IMAGE_CLASS_COUNT];
    int64_t free_nodes;  /* pieces in the class of MapNode */
    size_t used;         /* bytes in pieces that are taken */
    uint64_t generation; /* being built */
    uint64_t published;  /* 0: none */
    PieceList born;      /* made in this generation */
    PieceList dropped;   /* made and given up in this generation */
    PieceList retired;   /* of older generations, given up in this one */
    PieceList waiting;   /* given up in generations that are committed */
    bool no_memory;      /* a list could not grow: the generation must be aborted */
    Image now;           /* the generation being built */
    Image before;        /* the last committed one */
} ImageWriter;

/* Takes the whole arena, empty. One writer per region. */
void image_writer_init(ImageWriter *w);

/* Frees the private lists. */
void image_writer_fini(ImageWriter *w);

/* NULL: the arena is full. Cleared memory. */
void *image_alloc(ImageWriter *w, size_t bytes);

/* Gives up a piece of this size that was made in generation born. */
void image_drop(ImageWriter *w, void *ptr, size_t bytes, uint64_t born);

/* Room for the nodes that one change of a map can need; false: full. */
bool image_has_node_room(ImageWriter *w);

/* The change ends the generation: abort undoes everything since the last commit. */
void image_commit(ImageWriter *w);
void image_abort(ImageWriter *w);

/*
 * Makes the last committed generation the one that readers see. OT_E_BUSY: a process pins a
 * generation IMAGE_ROOT_RING back; nothing was published.
 */
int image_publish(ImageWriter *w);

/* Takes back what no pinned generation reaches; O(pieces). */
void image_reclaim(ImageWriter *w);

/* Oldest generation that a live process pins, UINT64_MAX: none; who: its slot index or -1. */
uint64_t image_oldest_pin(int32_t *ret_slot, int64_t *ret_since_us);

/*
 * Kills the process that pins a generation older than the published one since before since_us
 * (design.md 4): it is stopped or lost, and memory waits for it. Its pid; 0: there is none. Never
 * the caller's own process.
 */
pid_t image_kill_old_pin(const ImageWriter *w, int64_t since_us, uint64_t *ret_generation);

/* ---- writer: maps and objects -------------------------------------------------------------------- */

/*
 * Puts a value under its key, replacing one that is there (which the caller drops). Needs
 * image_has_node_room().
 */
void map_put(ImageWriter *w, MapNode **root, BytesView key, void *value);

/* Takes a key out; the value that was there, or NULL. */
void *image_map_remove(ImageWriter *w, MapNode **root, BytesView key);

#endif
