/*
 * format_plan.c - what a new node's metadata begins with, out of options
 *
 * Runs in: ottla-initdb. Never: writes; metadata_format.c does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/format_plan.h"

#include <stdio.h>
#include <string.h>

#include "controller/features.h"
#include "ottla/common/base64.h"
#include "ottla/common/random.h"
#include "ottla/common/text.h"

static_assert(FEATURE_COUNT <= FORMAT_FEATURES_MAX, "a level for each feature");

#define SCRAM_METADATA_VERSION 11 /* the first whose log may hold credentials */
#define SALT_BYTES             26 /* of a salt that is made, as Kafka's tools make them */

/* The names of metadata.version by level, from the first that can be finalized. */
#define VERSION_FIRST 7
static const char *const versions[] = {
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"};
#define VERSION_COUNT ((int)(sizeof versions / sizeof versions[0]))

/* From which metadata.version on a new directory has which level of another feature. */
static const struct {
    const char *name;
    int16_t from;
    int16_t level;
} defaults[] = {
    {"group.version", 22, 1},
    {"transaction.version", 24, 2},
    {"eligible.leader.replicas.version", 26, 1},
    {"share.version", 28, 1},
    {"streams.version", 29, 1},
};

static int
row_of(StrView name)
{
    const FeatureRow *row = feature_find(name);

    return row == NULL ? -1 : (int)(row - feature_rows);
}

static int16_t
level_of(const FormatPlan *plan, const char *name)
{
    return plan->levels[row_of(strview_from(name))];
}

void
format_plan_init(FormatPlan *plan)
{
    *plan = (FormatPlan){0};
    for (int i = 0; i < FEATURE_COUNT; i++)
        plan->levels[i] = feature_rows[i].fresh;
}

int
format_plan_feature(FormatPlan *plan, StrView name, int16_t level, ErrInfo *err)
{
    int row = row_of(name);

    if (row < 0)
        return err_set(err, OT_E_CONFIG, "there is no feature \"%.*s\"", (int)name.len, name.ptr);
    if (plan->given[row])
        return err_set(err, OT_E_CONFIG, "feature %s is given twice", feature_rows[row].name);
    if (level < feature_rows[row].min || level > feature_rows[row].max)
        return err_set(err, OT_E_CONFIG, "feature %s has levels from %d to %d, not %d",
                       feature_rows[row].name, feature_rows[row].min, feature_rows[row].max, level);
    plan->levels[row] = level;
    plan->given[row] = true;
    return 0;
}

int
format_plan_release(FormatPlan *plan, StrView release, ErrInfo *err)
{
    int found = -1, metadata = row_of(STRVIEW("metadata.version"));

    /* "3.7" is the last of its release. */
    for (int i = 0; i < VERSION_COUNT; i++) {
        StrView name = strview_from(versions[i]);
        StrView alone = {name.ptr, (int32_t)strcspn(name.ptr, "-")};

        if (strview_equal(release, name) || strview_equal(release, alone))
            found = i;
    }
    if (found < 0)
        return err_set(err, OT_E_CONFIG, "there is no release \"%.*s\"; known are %s to %s",
                       (int)release.len, release.ptr, versions[0], versions[VERSION_COUNT - 1]);
    if (plan->given[metadata])
        return err_set(err, OT_E_CONFIG,
                       "--release-version and --feature metadata.version exclude each other");
    plan->released = true;
    plan->levels[metadata] = (int16_t)(VERSION_FIRST + found);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        int row = row_of(strview_from(defaults[i].name));

        if (!plan->given[row])
            plan->levels[row] = plan->levels[metadata] >= defaults[i].from ? defaults[i].level : 0;
    }
    return 0;
}

const char *
format_plan_version(const FormatPlan *plan)
{
    return versions[level_of(plan, "metadata.version") - VERSION_FIRST];
}

/* ---- credentials ---- */

/* The fields between the brackets, while they are read. */
typedef struct ScramFields {
    StrView name, password, salt, salted, iterations;
} ScramFields;

static StrView
unquoted(StrView text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return (StrView){text.ptr + 1, text.len - 2};
    return text;
}

static int
take_field(StrView field, ScramFields *fields, ErrInfo *err)
{
    static const char *const names[] = {"name", "password", "salt", "saltedpassword", "iterations"};
    StrView *const places[] = {&fields->name, &fields->password, &fields->salt, &fields->salted,
                               &fields->iterations};
    const char *equal = memchr(field.ptr, '=', (size_t)field.len);
    StrView name = {field.ptr, equal == NULL ? field.len : (int32_t)(equal - field.ptr)};

    for (size_t i = 0; equal != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (!strview_equal(text_trim(name), strview_from(names[i])))
            continue;
        *places[i] = unquoted((StrView){equal + 1, field.len - name.len - 1});
        return 0;
    }
    return err_set(err, OT_E_CONFIG,
                   "a credential has name, password or saltedpassword, salt and iterations");
}

static int
read_fields(StrView text, ScramFields *ret, ErrInfo *err)
{
    int rc = 0;

    *ret = (ScramFields){0};
    while (rc == 0 && text.len > 0) {
        const char *comma = memchr(text.ptr, ',', (size_t)text.len);
        int32_t len = comma == NULL ? text.len : (int32_t)(comma - text.ptr);

        rc = take_field(text_trim((StrView){text.ptr, len}), ret, err);
        len += comma != NULL;
        text.ptr += len;
        text.len -= len;
    }
    return rc;
}

/* The bytes of a text in base64; their number, 0: it is none, or they are too many. */
static int32_t
from_base64(StrView text, uint8_t *ret, size_t room)
{
    StrBuf bytes;
    int32_t len = 0;

    strbuf_init(&bytes, room, NULL);
    if (base64_decode(&bytes, text) && !strbuf_failed(&bytes)) {
        len = (int32_t)bytes.len;
        memcpy(ret, bytes.ptr, bytes.len);
    }
    strbuf_release(&bytes);
    return len;
}

static int
read_salt(const ScramFields *fields, FormatCredential *c, ErrInfo *err)
{
    if (fields->salt.ptr == NULL) {
        if (fields->salted.ptr != NULL)
            return err_set(err, OT_E_CONFIG, "saltedpassword needs the salt");
        random_bytes(c->salt, SALT_BYTES);
        c->salt_len = SALT_BYTES;
        return 0;
    }
    c->salt_len = from_base64(fields->salt, c->salt, sizeof c->salt);
    return c->salt_len > 0 ? 0
                           : err_set(err, OT_E_CONFIG, "the salt is no base64 of 1 to %d bytes",
                                     FORMAT_SALT_MAX);
}

static int
make_keys(const ScramFields *fields, FormatCredential *c, ErrInfo *err)
{
    uint8_t salted[SCRAM_KEY_MAX];
    BytesView view = {salted, 0};

    if (fields->salted.ptr != NULL)
        view.len = from_base64(fields->salted, salted, sizeof salted);
    else
        view.len = scram_salt_password(c->mechanism, fields->password,
                                       (BytesView){c->salt, c->salt_len}, c->iterations, salted);
    if (view.len <= 0)
        return err_set(err, OT_E_CONFIG, "no salted password");
    return scram_keys(c->mechanism, view, &c->keys)
               ? 0
               : err_set(err, OT_E_CONFIG, "the keys of a credential cannot be computed here");
}

int
format_plan_scram(FormatPlan *plan, StrView text, ErrInfo *err)
{
    static const char *const mechanisms[SCRAM_COUNT] = {"", "SCRAM-SHA-256=[", "SCRAM-SHA-512=["};
    FormatCredential *c = &plan->credentials[plan->credential_count];
    ScramFields fields;
    int rc = 0;

    if (plan->credential_count == FORMAT_SCRAM_MAX)
        return err_set(err, OT_E_CONFIG, "more than %d credentials", FORMAT_SCRAM_MAX);
    *c = (FormatCredential){.iterations = SCRAM_ITERATIONS_MIN};
    for (int i = SCRAM_UNKNOWN + 1; i < SCRAM_COUNT; i++) {
        int32_t len = (int32_t)strlen(mechanisms[i]);

        if (text.len <= len || memcmp(text.ptr, mechanisms[i], (size_t)len) != 0 ||
            text.ptr[text.len - 1] != ']')
            continue;
        c->mechanism = (ScramMechanism)i;
        rc = read_fields((StrView){text.ptr + len, text.len - len - 1}, &fields, err);
    }
    if (c->mechanism == SCRAM_UNKNOWN)
        return err_set(err, OT_E_CONFIG,
                       "a credential is written MECHANISM=[name=...,password=...] with "
                       "SCRAM-SHA-256 or SCRAM-SHA-512");
    if (rc < 0)
        return rc;
    if (fields.name.len <= 0 || fields.name.len >= FORMAT_NAME_MAX)
        return err_set(err, OT_E_CONFIG, "a credential needs a name");
    if ((fields.password.ptr == NULL) == (fields.salted.ptr == NULL))
        return err_set(err, OT_E_CONFIG, "a credential needs password or saltedpassword, not both");
    if (fields.iterations.ptr != NULL &&
        (!text_to_int32(fields.iterations, &c->iterations) ||
         c->iterations < SCRAM_ITERATIONS_MIN || c->iterations > SCRAM_ITERATIONS_MAX))
        return err_set(err, OT_E_CONFIG, "iterations go from %d to %d", SCRAM_ITERATIONS_MIN,
                       SCRAM_ITERATIONS_MAX);
    snprintf(c->name, sizeof c->name, "%.*s", (int)fields.name.len, fields.name.ptr);
    rc = read_salt(&fields, c, err);
    if (rc == 0)
        rc = make_keys(&fields, c, err);
    if (rc == 0)
        plan->credential_count++;
    return rc;
}

int
format_plan_check(const FormatPlan *plan, ErrInfo *err)
{
    int16_t metadata = level_of(plan, "metadata.version");

    if (plan->released && plan->given[row_of(STRVIEW("metadata.version"))])
        return err_set(err, OT_E_CONFIG,
                       "--release-version and --feature metadata.version exclude each other");
    if (level_of(plan, "eligible.leader.replicas.version") > 0 &&
        metadata < FEATURE_ELR_METADATA_VERSION)
        return err_set(err, OT_E_CONFIG,
                       "eligible.leader.replicas.version needs metadata.version %d",
                       FEATURE_ELR_METADATA_VERSION);
    if (level_of(plan, "kraft.version") == 0)
        return err_set(err, OT_E_CONFIG,
                       "kraft.version is 1: the set of voters is kept in the metadata log");
    if (plan->credential_count > 0 && metadata < SCRAM_METADATA_VERSION)
        return err_set(err, OT_E_CONFIG, "credentials need metadata.version %d",
                       SCRAM_METADATA_VERSION);
    return 0;
}
