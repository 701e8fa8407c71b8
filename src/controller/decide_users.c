/*
 * decide_users.c - AlterUserScramCredentials
 *
 * Spec: admin-and-security.md 6.1, observed.md 11. A user may come once in a request, whatever is asked
 * for him. What is stored are the keys that follow from the salted password, never the password.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "controller/decide.h"
#include "ottla/common/text.h"
#include "ottla/controller/image_users.h"

/* From this metadata.version on the log may hold credentials. */
#define SCRAM_METADATA_VERSION 11

/* One deletion or upsertion. */
typedef struct UserChange {
    StrView user;
    int8_t mechanism;
    const AlterUserScramCredentialsRequestScramCredentialUpsertion *upsert; /* NULL: a deletion */
} UserChange;

static int
compare_users(const void *a, const void *b)
{
    const UserChange *x = a, *y = b;

    return image_key_compare((BytesView){(const uint8_t *)x->user.ptr, x->user.len},
                             (BytesView){(const uint8_t *)y->user.ptr, y->user.len});
}

static bool
has_credential(const DecideContext *c, const UserChange *change)
{
    ScramCredential found;

    return image_scram(c->image, (ScramMechanism)change->mechanism, change->user, &found);
}

static Verdict
check(const DecideContext *c, const UserChange *change)
{
    if (image_feature(c->image, STRVIEW("metadata.version")) < SCRAM_METADATA_VERSION)
        return (Verdict){KERR_UNSUPPORTED_VERSION, "the metadata.version knows no credentials"};
    if (change->user.len == 0)
        return (Verdict){KERR_UNACCEPTABLE_CREDENTIAL, "the name of the user is empty"};
    if (!text_is_utf8(change->user)) /* would be another user to a reader that repairs it */
        return (Verdict){KERR_UNACCEPTABLE_CREDENTIAL, "the name of the user is not UTF-8"};
    if (change->mechanism <= SCRAM_UNKNOWN || change->mechanism >= SCRAM_COUNT)
        return (Verdict){KERR_UNSUPPORTED_SASL_MECHANISM, "the SCRAM mechanism is not known"};
    if (change->upsert == NULL)
        return has_credential(c, change)
                   ? (Verdict){0, NULL}
                   : (Verdict){KERR_RESOURCE_NOT_FOUND, "the user has no such credential"};
    if (change->upsert->iterations < SCRAM_ITERATIONS_MIN)
        return (Verdict){KERR_UNACCEPTABLE_CREDENTIAL, "too few iterations: at least 4096"};
    if (change->upsert->iterations > SCRAM_ITERATIONS_MAX)
        return (Verdict){KERR_UNACCEPTABLE_CREDENTIAL, "too many iterations: at most 16384"};
    if (change->upsert->salt.len > SCRAM_SALT_MAX)
        return (Verdict){KERR_UNACCEPTABLE_CREDENTIAL, "the salt is longer than 32767 bytes"};
    return (Verdict){0, NULL};
}

static void
remove_credential(const UserChange *change, RecordList *records)
{
    RemoveUserScramCredentialRecord record;

    remove_user_scram_credential_record_init(&record);
    record.name = change->user;
    record.mechanism = change->mechanism;
    record_list_add(records, &remove_user_scram_credential_record_desc, 0, &record);
}

/* False: no keys follow from the salted password. */
static bool
store_credential(const UserChange *change, RecordList *records)
{
    UserScramCredentialRecord record;
    ScramKeys keys;

    if (change->upsert->salted_password.len == 0 ||
        !scram_keys((ScramMechanism)change->mechanism, change->upsert->salted_password, &keys))
        return false;
    user_scram_credential_record_init(&record);
    record.name = change->user;
    record.mechanism = change->mechanism;
    record.salt = change->upsert->salt;
    record.stored_key = (BytesView){keys.stored_key, keys.key_len};
    record.server_key = (BytesView){keys.server_key, keys.key_len};
    record.iterations = change->upsert->iterations;
    record_list_add(records, &user_scram_credential_record_desc, 0, &record);
    return true;
}

static Verdict
change_one(const DecideContext *c, const UserChange *change, RecordList *records)
{
    Verdict verdict = check(c, change);

    if (verdict.code != 0 || records->count > DECIDE_RECORDS_MAX)
        return verdict;
    if (change->upsert == NULL)
        remove_credential(change, records);
    else if (!store_credential(change, records))
        verdict.code = KERR_UNKNOWN_SERVER_ERROR;
    return verdict;
}

/* All that is asked for, by user. NULL: no memory. */
static UserChange *
collect(const DecideContext *c, const AlterUserScramCredentialsRequest *in, int32_t *ret_count)
{
    int32_t n = 0, count = in->deletions_count + in->upsertions_count;
    UserChange *list = arena_calloc(c->arena, (size_t)count + 1, sizeof *list);

    if (list == NULL)
        return NULL;
    for (int32_t i = 0; i < in->deletions_count; i++)
        list[n++] =
            (UserChange){.user = in->deletions[i].name, .mechanism = in->deletions[i].mechanism};
    for (int32_t i = 0; i < in->upsertions_count; i++)
        list[n++] = (UserChange){.user = in->upsertions[i].name,
                                 .mechanism = in->upsertions[i].mechanism,
                                 .upsert = &in->upsertions[i]};
    qsort(list, (size_t)count, sizeof *list, compare_users);
    *ret_count = count;
    return list;
}

int
decide_alter_scram(const DecideContext *c, const AlterUserScramCredentialsRequest *in,
                   RecordList *records, AlterUserScramCredentialsResponse *ret)
{
    int32_t count = 0;
    UserChange *list = collect(c, in, &count);

    alter_user_scram_credentials_response_init(ret);
    ret->results = arena_calloc(c->arena, (size_t)count + 1, sizeof *ret->results);
    if (list == NULL || ret->results == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0, next; i < count; i = next) {
        AlterUserScramCredentialsResponseResult *r = &ret->results[ret->results_count++];
        Verdict verdict = {KERR_DUPLICATE_RESOURCE, "the user comes more than once"};

        for (next = i + 1; next < count && compare_users(&list[i], &list[next]) == 0;)
            next++;
        if (next == i + 1)
            verdict = change_one(c, &list[i], records);
        alter_user_scram_credentials_response_result_init(r);
        r->user = list[i].user;
        r->error_code = verdict.code;
        r->error_message = strview_from(verdict.text);
    }
    if (records->count > DECIDE_RECORDS_MAX) {
        record_list_cut(records, 0);
        for (int32_t i = 0; i < ret->results_count; i++) {
            ret->results[i].error_code = KERR_POLICY_VIOLATION;
            ret->results[i].error_message = strview_from(DECIDE_TOO_MANY_RECORDS);
        }
    }
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
