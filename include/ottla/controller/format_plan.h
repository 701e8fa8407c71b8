/*
 * format_plan.h - what a new node's metadata begins with: levels of features, credentials, its quorum
 *
 * Filled from the options of ottla-initdb, which are those of Kafka's "storage format" (cluster.md 1.4). Levels and
 * their defaults for a release are Kafka 4.3.1's.
 *
 * Runs in: ottla-initdb; the supervisor formats without a plan.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_FORMAT_PLAN_H
#define OTTLA_CONTROLLER_FORMAT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/security/scram.h"

#define FORMAT_FEATURES_MAX 16
#define FORMAT_SCRAM_MAX    64  /* credentials; more are made by requests */
#define FORMAT_NAME_MAX     256 /* bytes of a user's name */
#define FORMAT_SALT_MAX     64

typedef struct FormatCredential {
    char name[FORMAT_NAME_MAX];
    ScramMechanism mechanism;
    int32_t iterations;
    int32_t salt_len;
    uint8_t salt[FORMAT_SALT_MAX];
    ScramKeys keys;
} FormatCredential;

typedef struct FormatPlan {
    int16_t levels[FORMAT_FEATURES_MAX]; /* by row of the table of features */
    bool given[FORMAT_FEATURES_MAX];     /* by --feature */
    bool released;                       /* by --release-version */
    FormatCredential credentials[FORMAT_SCRAM_MAX];
    int credential_count;
    bool no_voters; /* no quorum is written: controllers elsewhere have it */
    /* The only voter when its directory id is given: that of the metadata directory. */
    bool has_voter_directory;
    Uuid voter_directory;
} FormatPlan;

/* The levels of a fresh node. */
void format_plan_init(FormatPlan *plan);

/* All failures are OT_E_CONFIG with a text for whoever gave the option. */
int format_plan_feature(FormatPlan *plan, StrView name, int16_t level, ErrInfo *err)
    __attribute__((warn_unused_result));

/* "4.2" or "4.2-IV1": metadata.version, and the others' levels of that release unless they are given. */
int format_plan_release(FormatPlan *plan, StrView release, ErrInfo *err)
    __attribute__((warn_unused_result));

/* SCRAM-SHA-256=[name=alice,password=secret,iterations=8192,salt="base64",saltedpassword="base64"] */
int format_plan_scram(FormatPlan *plan, StrView text, ErrInfo *err)
    __attribute__((warn_unused_result));

/* The whole, when every option was taken. */
int format_plan_check(const FormatPlan *plan, ErrInfo *err) __attribute__((warn_unused_result));

/* "4.3-IV0" of the plan's metadata.version. */
const char *format_plan_version(const FormatPlan *plan);

#endif
