/*
 * do_users.c - CREATE, ALTER and DROP USER: SCRAM credentials
 *
 * The password never leaves this process: what is sent is its salted hash.
 * Spec: admin-and-security.md 6.1; RFC 5802.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "acls_int.h"
#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/random.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_alter_user_scram_credentials.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"

#define ITERATIONS   8192
#define SALT_BYTES   18
#define PASSWORD_MAX 1024

/* Kafka's numbers. */
static const struct {
    int8_t number;
    const char *name;
    int32_t bytes;
} mechanisms[] = {{1, "SCRAM-SHA-256", 32}, {2, "SCRAM-SHA-512", 64}};

#define MECHANISM_COUNT 2

/* What the server has of a user: bits 1 << number. A user who is not there has none. */
static int
user_mechanisms(Exec *x, StrView user, unsigned *ret)
{
    DescribeUserScramCredentialsRequest request;
    DescribeUserScramCredentialsRequestUserName name;
    DescribeUserScramCredentialsResponse response;

    describe_user_scram_credentials_request_init(&request);
    describe_user_scram_credentials_request_user_name_init(&name);
    name.name = user;
    request.users = &name;
    request.users_count = 1;
    *ret = 0;
    if (exec_read(x, CLIENT_HERE, API_DescribeUserScramCredentials, &request, &response) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(x->f, response.error_code, -1, "could not look at user \"%.*s\"",
                           (int)user.len, user.ptr);
    for (int32_t i = 0; i < response.results_count; i++) {
        const DescribeUserScramCredentialsResponseResult *r = &response.results[i];

        for (int32_t j = 0; j < r->credential_infos_count && r->error_code == 0; j++) {
            if (r->credential_infos[j].mechanism >= 1 &&
                r->credential_infos[j].mechanism <= MECHANISM_COUNT)
                *ret |= 1U << r->credential_infos[j].mechanism;
        }
    }
    return 0;
}

/* The mechanisms that the statement names: bits; all without one. */
static int
mechanisms_named(Exec *x, unsigned *ret)
{
    int32_t at = statement_find(x->s, ITEM_MECHANISM, 0);

    *ret = 1U << 1 | 1U << 2;
    if (at < 0)
        return 0;
    for (int i = 0; i < MECHANISM_COUNT; i++) {
        if (text_equal_nocase(x->s->items[at].text, strview_from(mechanisms[i].name))) {
            *ret = 1U << mechanisms[i].number;
            return 0;
        }
    }
    (void)exec_bad_value(x, &x->s->items[at], "unknown mechanism \"%.*s\"",
                         (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    fault_hint(x->f, "Mechanisms are SCRAM-SHA-256, SCRAM-SHA-512 and ALL.");
    return -1;
}

/* ---- CREATE and ALTER ---- */

static int
send_upsert(Exec *x, Items *items, void *arg)
{
    AlterUserScramCredentialsRequest request;
    AlterUserScramCredentialsResponse response;
    int rc;

    alter_user_scram_credentials_request_init(&request);
    request.upsertions = arg;
    request.upsertions_count = 1;
    rc = exec_change(x, CLIENT_HERE, API_AlterUserScramCredentials, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.results_count; i++)
        item_done(x, &items->list[0], response.results[i].error_code,
                  response.results[i].error_message, CLIENT_HERE);
    return 0;
}

/* The same user may stand in a request once only: a request per mechanism. */
static int
put_credential(Exec *x, const StatementItem *user, int which, StrView password)
{
    const ItemsVerdict verdict = {.verb = "set the password of"};
    AlterUserScramCredentialsRequestScramCredentialUpsertion upsertion;
    int32_t iterations = (int32_t)statement_number_of(x->s, ITEM_ITERATIONS, ITERATIONS), done;
    uint8_t salt[SALT_BYTES], salted[64];
    Items items = {.noun = "user"};
    int rc;

    random_bytes(salt, sizeof salt);
    if (PKCS5_PBKDF2_HMAC(password.ptr, password.len, salt, sizeof salt,
                          iterations < 1 ? 1 : iterations, which == 0 ? EVP_sha256() : EVP_sha512(),
                          mechanisms[which].bytes, salted) != 1)
        return fault_set(x->f, FAULT_INTERNAL, "could not derive a key from the password");
    alter_user_scram_credentials_request_scram_credential_upsertion_init(&upsertion);
    upsertion.name = user->text;
    upsertion.mechanism = mechanisms[which].number;
    upsertion.iterations = iterations;
    upsertion.salt = (BytesView){salt, sizeof salt};
    upsertion.salted_password = (BytesView){salted, mechanisms[which].bytes};
    if (x->s->explain) /* a plan is shown and kept; it shall not hold what a login needs */
        upsertion.salted_password.len = 0;
    if (items_add(x, &items, user->text, -1, user->pos) == NULL)
        return -1;
    rc = items_run(x, &items, send_upsert, &upsertion);
    OPENSSL_cleanse(salted, sizeof salted);
    if (rc < 0)
        return rc;
    return rc == EXEC_PLANNED ? 0 : items_report(x, &items, &verdict, &done);
}

int
do_create_user(Exec *x)
{
    const StatementItem *user = &x->s->items[statement_find(x->s, ITEM_USER, 0)];
    bool create = x->s->kind == STATEMENT_CREATE_USER;
    StrView password = statement_text_of(x->s, ITEM_PASSWORD);
    char typed[PASSWORD_MAX] = "";
    unsigned have, named;
    int rc = 0;

    if (mechanisms_named(x, &named) != 0 || user_mechanisms(x, user->text, &have) != 0)
        return -1;
    if (create ? have != 0 : have == 0) {
        (void)fault_set(x->f, create ? "42710" : "42704", "user \"%.*s\" %s", (int)user->text.len,
                        user->text.ptr, create ? "already exists" : "does not exist");
        x->f->position = user->pos;
        return -1;
    }
    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was changed");
    } else {
        if (password.ptr == NULL) {
            if (x->env->password == NULL)
                return fault_set(x->f, FAULT_SYNTAX,
                                 "a password must be given here: PASSWORD 'text'");
            if (x->env->password(x->env->arg,
                                 exec_text(x, "%.*s", (int)user->text.len, user->text.ptr), typed,
                                 sizeof typed, x->f) != 0)
                return -1;
            password = strview_from(typed);
        }
        for (int i = 0; i < MECHANISM_COUNT && rc == 0; i++) {
            if ((named >> mechanisms[i].number & 1) != 0)
                rc = put_credential(x, user, i, password);
        }
        OPENSSL_cleanse(typed, sizeof typed);
    }
    if (rc == 0)
        exec_tag(x, create ? "CREATE USER" : "ALTER USER");
    return rc;
}

/* ---- DROP ---- */

static int
send_delete(Exec *x, Items *items, void *arg)
{
    int which = *(const int *)arg;
    AlterUserScramCredentialsRequest request;
    AlterUserScramCredentialsResponse response;
    int rc;

    alter_user_scram_credentials_request_init(&request);
    request.deletions = exec_alloc(x, (size_t)items->count, sizeof *request.deletions);
    if (request.deletions == NULL)
        return -1;
    for (int32_t i = 0; i < items->count; i++) {
        AlterUserScramCredentialsRequestScramCredentialDeletion *d =
            &request.deletions[request.deletions_count];

        if (!items->list[i].pending)
            continue;
        alter_user_scram_credentials_request_scram_credential_deletion_init(d);
        d->name = items->list[i].name;
        d->mechanism = mechanisms[which].number;
        request.deletions_count++;
    }
    rc = exec_change(x, CLIENT_HERE, API_AlterUserScramCredentials, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.results_count; i++) {
        Item *item = items_find(items, response.results[i].user, -1);

        if (item != NULL)
            item_done(x, item, response.results[i].error_code, response.results[i].error_message,
                      CLIENT_HERE);
    }
    return 0;
}

/* All users that have this mechanism. */
static int
drop_mechanism(Exec *x, const Items *users, const unsigned *have, int which)
{
    const ItemsVerdict verdict = {.verb = "drop"};
    Items some = {.noun = "user"};
    int32_t done;
    int rc;

    for (int32_t i = 0; i < users->count; i++) {
        if ((have[i] >> mechanisms[which].number & 1) != 0 &&
            items_add(x, &some, users->list[i].name, -1, users->list[i].pos) == NULL)
            return -1;
    }
    rc = items_run(x, &some, send_delete, &which);
    if (rc < 0)
        return -1;
    return rc == EXEC_PLANNED ? 0 : items_report(x, &some, &verdict, &done);
}

int
do_drop_user(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "drop",
                                  .skip = {KERR_RESOURCE_NOT_FOUND},
                                  .skip_text = "does not exist",
                                  .skip_on = statement_has(x->s, ITEM_IF)};
    Items users = {0};
    unsigned named, *have;
    int32_t done;

    if (mechanisms_named(x, &named) != 0 ||
        names_expand(x, ITEM_USER, NAMES_USERS, verdict.skip_on, &users) != 0 ||
        names_confirm(x, "Drop", &users) != 0)
        return -1;
    have = exec_alloc(x, (size_t)users.count, sizeof *have);
    if (have == NULL)
        return -1;
    for (int32_t i = 0; i < users.count; i++) {
        if (user_mechanisms(x, users.list[i].name, &have[i]) != 0)
            return -1;
        have[i] &= named;
        item_done(x, &users.list[i], have[i] == 0 ? KERR_RESOURCE_NOT_FOUND : 0, (StrView){0},
                  CLIENT_HERE);
    }
    if (items_report(x, &users, &verdict, &done) != 0)
        return -1;
    for (int which = 0; which < MECHANISM_COUNT && !x->validate; which++) {
        if (drop_mechanism(x, &users, have, which) != 0)
            return -1;
    }
    for (int32_t i = 0; i < users.count && statement_has(x->s, ITEM_CASCADE) && !x->validate; i++) {
        if (acls_drop_of(x, users.list[i].name) != 0 || quotas_drop_of(x, users.list[i].name) != 0)
            return -1;
    }
    if (x->validate)
        exec_notice(x, "NOTICE", "validated only, nothing was dropped");
    exec_tag(x, "DROP USER");
    return 0;
}
