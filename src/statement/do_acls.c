/*
 * do_acls.c - GRANT, DENY and REVOKE: access control lists
 *
 * Spec: admin-and-security.md 7; the sets of GRANT PRODUCER and CONSUMER are those of Kafka's own tool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "acls_int.h"
#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_create_acls.h"
#include "ottla/protocol/msg_delete_acls.h"

/* Kafka's numbers. */
enum {
    TYPE_ANY = 1,
    TYPE_TOPIC,
    TYPE_GROUP,
    TYPE_CLUSTER,
    TYPE_TRANSACTIONAL_ID,
    TYPE_TOKEN,
    TYPE_USER
};
enum { PATTERN_ANY = 1, PATTERN_LITERAL = 3, PATTERN_PREFIXED = 4 };
enum { PERMISSION_ANY = 1, PERMISSION_DENY = 2, PERMISSION_ALLOW = 3 };
enum {
    OPERATION_ANY = 1,
    OPERATION_ALL,
    OPERATION_READ,
    OPERATION_WRITE,
    OPERATION_CREATE,
    OPERATION_DESCRIBE = 8,
    OPERATION_IDEMPOTENT_WRITE = 12
};

#define ACLS_MAX 10000 /* that one statement may touch, as the server's own bound */

typedef CreateAclsRequestAclCreation Acl;

typedef struct AclList {
    Acl *list;
    int32_t count, room;
    int8_t permission;
} AclList;

static int
add_acl(Exec *x, AclList *acls, const Acl *acl)
{
    if (acls->count == ACLS_MAX)
        return fault_set(x->f, FAULT_LIMIT, "more than %d access control lists in one statement",
                         ACLS_MAX);
    if (acls->count == acls->room) {
        int32_t room = acls->room == 0 ? 16 : 2 * acls->room;
        Acl *list = exec_alloc(x, (size_t)room, sizeof *list);

        if (list == NULL)
            return -1;
        if (acls->count > 0)
            memcpy(list, acls->list, (size_t)acls->count * sizeof *list);
        acls->list = list;
        acls->room = room;
    }
    acls->list[acls->count++] = *acl;
    return 0;
}

/* ---- to whom ---- */

static StrView
principal_of(Exec *x, const StatementItem *item)
{
    if (item->name == ITEM_EVERYONE)
        return STRVIEW("User:*");
    if (memchr(item->text.ptr, ':', (size_t)item->text.len) != NULL)
        return item->text;
    return strview_from(exec_text(x, "User:%.*s", (int)item->text.len, item->text.ptr));
}

/* One resource and operation, to all principals from all hosts of the statement. */
static int
add_for_all(Exec *x, AclList *acls, Acl acl, int operation)
{
    const Statement *s = x->s;
    int hosts = statement_count_of(s, ITEM_HOST);

    acl.operation = (int8_t)operation;
    acl.permission_type = acls->permission;
    for (int32_t i = 0; i < s->count; i++) {
        if (s->items[i].name != ITEM_PRINCIPAL && s->items[i].name != ITEM_EVERYONE)
            continue;
        acl.principal = principal_of(x, &s->items[i]);
        acl.host = STRVIEW("*");
        if (hosts == 0 && add_acl(x, acls, &acl) != 0)
            return -1;
        for (int32_t j = statement_find(s, ITEM_HOST, 0); j >= 0;
             j = statement_find(s, ITEM_HOST, j + 1)) {
            acl.host = s->items[j].text;
            if (add_acl(x, acls, &acl) != 0)
                return -1;
        }
    }
    return 0;
}

/* ---- on what ---- */

/* Walks over the resources of a statement. */
typedef struct ResourceWalk {
    int32_t at;
    int8_t type; /* of the names that follow */
} ResourceWalk;

static bool
next_resource(const Statement *s, ResourceWalk *walk, Acl *ret)
{
    for (; walk->at < s->count; walk->at++) {
        const StatementItem *item = &s->items[walk->at];

        create_acls_request_acl_creation_init(ret);
        ret->resource_type = walk->type;
        ret->resource_pattern_type = PATTERN_LITERAL;
        switch ((StatementItemName)item->name) {
        case ITEM_TOPICS:
            walk->type = TYPE_TOPIC;
            break;
        case ITEM_GROUPS:
            walk->type = TYPE_GROUP;
            break;
        case ITEM_TRANSACTIONAL:
            walk->type = TYPE_TRANSACTIONAL_ID;
            break;
        case ITEM_USERS:
            walk->type = TYPE_USER;
            break;
        case ITEM_TOKEN:
            walk->type = TYPE_TOKEN;
            break;
        case ITEM_CLUSTER:
            ret->resource_type = TYPE_CLUSTER;
            ret->resource_name = STRVIEW("kafka-cluster");
            walk->at++;
            return true;
        case ITEM_ALL:
            ret->resource_name = STRVIEW("*");
            walk->at++;
            return true;
        case ITEM_PREFIX:
            ret->resource_pattern_type = PATTERN_PREFIXED;
            ret->resource_name = item->text;
            walk->at++;
            return true;
        case ITEM_NAME:
            ret->resource_name = item->text;
            walk->at++;
            return true;
        default:
            break;
        }
    }
    return false;
}

/* GRANT op ON resource: every combination. */
static int
combine(Exec *x, AclList *acls, int all_means)
{
    const Statement *s = x->s;
    ResourceWalk walk = {0};
    Acl acl;

    while (next_resource(s, &walk, &acl)) {
        for (int32_t i = statement_find(s, ITEM_OPERATION, 0); i >= 0;
             i = statement_find(s, ITEM_OPERATION, i + 1)) {
            int operation = acl_operation_of(s->items[i].text);

            if (add_for_all(x, acls, acl, operation == OPERATION_ALL ? all_means : operation) != 0)
                return -1;
        }
    }
    return 0;
}

/* What producers and consumers need, as Kafka's tool gives it. */
static int
combine_set(Exec *x, AclList *acls)
{
    const Statement *s = x->s;
    bool producer = statement_has(s, ITEM_PRODUCER);
    int32_t id = statement_find(s, ITEM_TRANSACTIONAL, 0);
    ResourceWalk walk = {.at = statement_find(s, ITEM_TOPICS, 0)};
    Acl acl;

    while (next_resource(s, &walk, &acl)) {
        int first = producer ? OPERATION_WRITE : OPERATION_READ;
        bool topic = acl.resource_type == TYPE_TOPIC;

        if (add_for_all(x, acls, acl, topic ? first : OPERATION_READ) != 0 ||
            (topic && add_for_all(x, acls, acl, OPERATION_DESCRIBE) != 0) ||
            (topic && producer && add_for_all(x, acls, acl, OPERATION_CREATE) != 0))
            return -1;
    }
    create_acls_request_acl_creation_init(&acl);
    acl.resource_pattern_type = PATTERN_LITERAL;
    if (id >= 0) {
        acl.resource_type = TYPE_TRANSACTIONAL_ID;
        acl.resource_name = s->items[id].text;
        if (add_for_all(x, acls, acl, OPERATION_WRITE) != 0 ||
            add_for_all(x, acls, acl, OPERATION_DESCRIBE) != 0)
            return -1;
    }
    if (statement_has(s, ITEM_IDEMPOTENT)) {
        acl.resource_type = TYPE_CLUSTER;
        acl.resource_name = STRVIEW("kafka-cluster");
        return add_for_all(x, acls, acl, OPERATION_IDEMPOTENT_WRITE);
    }
    return 0;
}

/* ---- sending ---- */

static int
acls_create(Exec *x, const AclList *acls, const char *tag)
{
    CreateAclsRequest request;
    CreateAclsResponse response;
    int32_t failed = 0;
    int rc;

    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was changed");
        exec_tag(x, "%s %" PRId32, tag, acls->count);
        return 0;
    }
    create_acls_request_init(&request);
    request.creations = acls->list;
    request.creations_count = acls->count;
    rc = exec_change(x, CLIENT_HERE, API_CreateAcls, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.results_count; i++) {
        const CreateAclsResponseResult *r = &response.results[i];

        if (r->error_code == 0)
            continue;
        if (failed++ == 0)
            (void)fault_kafka(
                x->f, r->error_code, -1, "%s failed: %.*s", tag,
                r->error_message.len > 0 ? (int)r->error_message.len
                                         : (int)strlen(fault_kafka_text(r->error_code)),
                r->error_message.len > 0 ? r->error_message.ptr : fault_kafka_text(r->error_code));
    }
    if (failed > 0)
        return -1;
    exec_tag(x, "%s %" PRId32, tag, acls->count);
    return 0;
}

static int
acls_delete(Exec *x, DeleteAclsRequestFilter *filters, int32_t count, int32_t *ret_removed)
{
    DeleteAclsRequest request;
    DeleteAclsResponse response;
    int rc;

    *ret_removed = 0;
    delete_acls_request_init(&request);
    request.filters = filters;
    request.filters_count = count;
    rc = exec_change(x, CLIENT_HERE, API_DeleteAcls, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.filter_results_count; i++) {
        const DeleteAclsResponseFilterResult *r = &response.filter_results[i];

        if (r->error_code != 0)
            return fault_kafka(x->f, r->error_code, -1, "REVOKE failed: %s",
                               fault_kafka_text(r->error_code));
        *ret_removed += r->matching_acls_count;
    }
    return 0;
}

static int
acls_revoke(Exec *x, const AclList *acls)
{
    DeleteAclsRequestFilter *filters = exec_alloc(x, (size_t)acls->count, sizeof *filters);
    int32_t removed;
    int rc;

    if (filters == NULL)
        return -1;
    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was changed");
        exec_tag(x, "REVOKE 0");
        return 0;
    }
    for (int32_t i = 0; i < acls->count; i++) {
        delete_acls_request_filter_init(&filters[i]);
        filters[i].resource_type_filter = acls->list[i].resource_type;
        filters[i].resource_name_filter = acls->list[i].resource_name;
        filters[i].pattern_type_filter = acls->list[i].resource_pattern_type;
        filters[i].principal_filter = acls->list[i].principal;
        filters[i].host_filter = acls->list[i].host;
        filters[i].operation = acls->list[i].operation;
        filters[i].permission_type = acls->list[i].permission_type;
    }
    rc = acls_delete(x, filters, acls->count, &removed);
    if (rc != 0)
        return rc;
    if (removed == 0)
        exec_notice(x, "NOTICE", "nothing of this had been granted or denied");
    exec_tag(x, "REVOKE %" PRId32, removed);
    return 0;
}

int
do_grant(Exec *x)
{
    bool deny = statement_has(x->s, ITEM_DENY);
    AclList acls = {.permission = deny ? PERMISSION_DENY : PERMISSION_ALLOW};

    return combine(x, &acls, OPERATION_ALL) != 0 ? -1
                                                 : acls_create(x, &acls, deny ? "DENY" : "GRANT");
}

int
do_grant_set(Exec *x)
{
    AclList acls = {.permission = PERMISSION_ALLOW};

    if (combine_set(x, &acls) != 0)
        return -1;
    return statement_has(x->s, ITEM_RESET) ? acls_revoke(x, &acls) : acls_create(x, &acls, "GRANT");
}

int
do_revoke(Exec *x)
{
    AclList acls = {.permission =
                        statement_has(x->s, ITEM_DENY) ? PERMISSION_DENY : PERMISSION_ALLOW};

    return combine(x, &acls, OPERATION_ANY) != 0 ? -1 : acls_revoke(x, &acls);
}

/* Everything of one principal. */
static int
drop_principal(Exec *x, StrView principal, int32_t *ret_removed)
{
    DeleteAclsRequestFilter filter;

    delete_acls_request_filter_init(&filter);
    filter.resource_type_filter = TYPE_ANY;
    filter.resource_name_filter = (StrView){0};
    filter.pattern_type_filter = PATTERN_ANY;
    filter.principal_filter = principal;
    filter.host_filter = (StrView){0};
    filter.operation = OPERATION_ANY;
    filter.permission_type = PERMISSION_ANY;
    return acls_delete(x, &filter, 1, ret_removed);
}

int
do_revoke_all(Exec *x)
{
    const Statement *s = x->s;
    int32_t total = 0;
    int rc = 0;

    if (exec_confirm(x, "Revoke everything that was granted or denied?") != 0)
        return -1;
    for (int32_t i = 0; i < s->count && rc >= 0; i++) {
        int32_t removed = 0;

        if (s->items[i].name != ITEM_PRINCIPAL && s->items[i].name != ITEM_EVERYONE)
            continue;
        if (!x->validate)
            rc = drop_principal(x, principal_of(x, &s->items[i]), &removed);
        total += removed;
    }
    exec_tag(x, "REVOKE %" PRId32, total);
    return rc;
}

int
acls_drop_of(Exec *x, StrView user)
{
    int32_t removed;
    int rc = drop_principal(x, strview_from(exec_text(x, "User:%.*s", (int)user.len, user.ptr)),
                            &removed);

    if (rc < 0 && x->f->kafka_error == KERR_SECURITY_DISABLED) {
        fault_clear(x->f);
        return 0;
    }
    return rc < 0 ? -1 : 0;
}
