/*
 * mutation_quota.h - tokens of who makes and deletes partitions (admin-and-security.md 5.4, KIP-599)
 *
 * Private memory of the controller: a crash cycle fills all buckets. A table has a bound; a bucket that
 * is full again is as good as none, so its place can be given away.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_MUTATION_QUOTA_H
#define OTTLA_CONTROLLER_MUTATION_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/rate.h"
#include "ottla/common/view.h"

/* Accounts that can be in debt at once; more are not held to their quota. */
#define MUTATION_BUCKETS 1024
#define MUTATION_PROBES  8

typedef struct MutationBucket {
    uint64_t account; /* 0: free */
    double limit;     /* when it was last charged */
    TokenBucket tokens;
} MutationBucket;

typedef struct MutationQuotas {
    uint64_t seed; /* of hashes: nobody outside can aim at a place */
    MutationBucket buckets[MUTATION_BUCKETS];
} MutationQuotas;

/* Who asks, as the quota that applies counts: null is not counted by. */
typedef struct MutationAccount {
    StrView user;
    StrView client_id;
} MutationAccount;

/* The tokens that one request may take. */
typedef struct MutationMeter {
    MutationBucket *bucket; /* NULL: not limited */
    double limit;           /* partitions a second */
    bool strict;         /* without tokens nothing is done; else it is done and the client waits */
    int32_t throttle_ms; /* what the answer says */
    MutationAccount account; /* whose; views of the request */
    int64_t taken;           /* tokens, by this request */
} MutationMeter;

/* Finds the account's bucket with the tokens of now. The meter's limit, above 0, and strict are set. */
void mutation_meter_open(MutationQuotas *quotas, const MutationAccount *account,
                         const RateSpans *spans, int64_t now_us, MutationMeter *meter);

/*
 * Takes a token for each of so many partitions. False (strict only): tokens are owed, nothing was
 * taken. Whoever owes none may take more than there are. Sets throttle_ms as Kafka does: strict when
 * it refuses, else when tokens are owed. meter NULL: true.
 */
bool mutation_charge(MutationMeter *meter, int64_t partitions);

/* Do requests of this API and version fail without tokens? */
bool mutation_is_strict(int16_t api_key, int16_t api_version);

#endif
