/*
 * image_quotas.h - quotas of clients as the metadata image holds them
 *
 * An entity is a set of parts, each a name or the default: {user}, {client-id}, {user, client-id},
 * {ip}. Spec: admin-and-security.md 5.1, 5.2. All views live as long as the pin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_IMAGE_QUOTAS_H
#define OTTLA_CONTROLLER_IMAGE_QUOTAS_H

#include "ottla/controller/image.h"

typedef enum QuotaKey {
    QUOTA_PRODUCER_BYTE_RATE,       /* bytes a second */
    QUOTA_CONSUMER_BYTE_RATE,       /* bytes a second */
    QUOTA_REQUEST_PERCENTAGE,       /* of one processor */
    QUOTA_CONTROLLER_MUTATION_RATE, /* partitions a second */
    QUOTA_CONNECTION_CREATION_RATE, /* connections a second, of an ip */
    QUOTA_KEY_COUNT
} QuotaKey;

/* By Kafka's name. False: no such key. */
bool quota_key_find(StrView name, QuotaKey *ret);
const char *quota_key_name(QuotaKey key);

/* In the order of their names: "client-id", "ip", "user". */
typedef enum QuotaPart { QUOTA_CLIENT_ID, QUOTA_IP, QUOTA_USER, QUOTA_PART_COUNT } QuotaPart;

bool quota_part_find(StrView name, QuotaPart *ret);

/* Longest name of a user, client or ip that may have a quota, in bytes. */
#define QUOTA_NAME_MAX 1024

typedef struct QuotaEntity {
    bool has[QUOTA_PART_COUNT];
    StrView name[QUOTA_PART_COUNT]; /* where has: null is the default of the part */
} QuotaEntity;

/* Is this key set for exactly this entity? O(log quotas). */
bool image_quota(const Image *image, const QuotaEntity *entity, QuotaKey key, double *ret_value);

/* Entities that have the key set. With 0 nothing need be measured (5.2). */
int32_t image_quota_count(const Image *image, QuotaKey key);

/* Quotas of ips that are names of hosts. */
int32_t image_quota_host_count(const Image *image);

/* Changes with every change of one of them. */
uint64_t image_quota_host_serial(const Image *image);

/* Visits these names, in the order of the map. */
void image_quota_hosts(const Image *image, void (*visit)(void *arg, StrView name), void *arg);

/* What applies to a client, and to whom the use is charged. */
typedef struct QuotaMatch {
    double value;
    int level;         /* 1 to 8 of the table in 5.2 */
    bool by_user;      /* the account is the user's ... */
    bool by_client_id; /* ... and, or, the client-id's */
} QuotaMatch;

/* The first of the levels 1 to 8 that has the key. False: unlimited. The value is more than 0. */
bool image_quota_for_client(const Image *image, StrView user, StrView client_id, QuotaKey key,
                            QuotaMatch *ret);

/*
 * connection_creation_rate of an address (in any notation, or by the name of a host that has it: quota_hosts.h), or of the
 * default ip. Of several entities that mean the
 * same address it is the one written as connections are shown, else the first in the order of their texts. O(log
 * quotas); O(ips) while one is written otherwise. False: unlimited.
 */
bool image_quota_for_ip(const Image *image, StrView ip, double *ret_value);

/* ---- walking ------------------------------------------------------------------------------------ */

/* One value of one entity. */
typedef struct ImageQuota {
    BytesView entity; /* the same bytes for all values of one entity */
    StrView key;
    double value;
    BytesView map_key;
} ImageQuota;

/* The first value, or the one after *q, all values of an entity in a row. False: none is left. */
bool image_quota_first(const Image *image, ImageQuota *ret);
bool image_quota_next(const Image *image, ImageQuota *q);

/* The parts of an encoded entity, sorted by type; unknown types are there, too. */
int32_t image_quota_part_count(BytesView entity);
void image_quota_part(BytesView entity, int32_t index, StrView *ret_type, StrView *ret_name);

#endif
