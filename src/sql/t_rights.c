/*
 * t_rights.c - what a principal may do with a resource, and which rule says so
 *
 * The decision is made here as the servers make it: super users, then denials, then permissions, then what is done where
 * no ACL speaks of the resource. Without a host only rules for all hosts count.
 *
 * Spec: admin-and-security.md 7.3
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "sql/rights_int.h"
#include "sql/tables_int.h"

enum {
    OP_ALL = 2,
    OP_READ,
    OP_WRITE,
    OP_CREATE,
    OP_DELETE,
    OP_ALTER,
    OP_DESCRIBE,
    OP_CLUSTER_ACTION,
    OP_DESCRIBE_CONFIGS,
    OP_ALTER_CONFIGS,
    OP_IDEMPOTENT_WRITE,
    OP_CREATE_TOKENS,
    OP_DESCRIBE_TOKENS,
    OP_TWO_PHASE_COMMIT,
    OP_END
};

#define OP(n)            (1u << OP_##n)
#define PATTERN_MATCH    2
#define PERMISSION_DENY  2
#define PERMISSION_ALLOW 3

/* Operations that a type of resource knows, by its number. */
static const uint32_t operations_of[] = {
    [2] = OP(READ) | OP(WRITE) | OP(CREATE) | OP(DELETE) | OP(ALTER) | OP(DESCRIBE) |
          OP(DESCRIBE_CONFIGS) | OP(ALTER_CONFIGS),
    [3] = OP(READ) | OP(DELETE) | OP(DESCRIBE) | OP(DESCRIBE_CONFIGS) | OP(ALTER_CONFIGS),
    [4] = OP(CREATE) | OP(ALTER) | OP(DESCRIBE) | OP(CLUSTER_ACTION) | OP(DESCRIBE_CONFIGS) |
          OP(ALTER_CONFIGS) | OP(IDEMPOTENT_WRITE),
    [5] = OP(WRITE) | OP(DESCRIBE) | OP(TWO_PHASE_COMMIT),
    [6] = OP(DESCRIBE),
    [7] = OP(CREATE_TOKENS) | OP(DESCRIBE_TOKENS),
};

enum {
    RIGHT_PRINCIPAL,
    RIGHT_HOST,
    RIGHT_TYPE,
    RIGHT_RESOURCE,
    RIGHT_OPERATION,
    RIGHT_ALLOWED,
    RIGHT_RULE
};

#define NEEDED (SQL_COLUMN_KEY | SQL_COLUMN_REQUIRED)

static const SqlColumnDef right_columns[] = {
    [RIGHT_PRINCIPAL] = {"principal", SQL_DECL_TEXT, NEEDED},
    [RIGHT_HOST] = {"host", SQL_DECL_TEXT, SQL_COLUMN_KEY | SQL_COLUMN_ONE},
    [RIGHT_TYPE] = {"resource_type", SQL_DECL_TEXT, NEEDED},
    [RIGHT_RESOURCE] = {"resource_name", SQL_DECL_TEXT, NEEDED},
    [RIGHT_OPERATION] = {"operation", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [RIGHT_ALLOWED] = {"allowed", SQL_DECL_BOOLEAN, 0},
    [RIGHT_RULE] = {"rule", SQL_DECL_TEXT, 0},
};

static const SqlCallDef right_calls[] = {{"DescribeAcls", 0}, {"DescribeConfigs", 0}};

int
rights_ask_setting(Sql *sql, const char *name, StrView *ret, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeConfigs);
    DescribeConfigsRequest request;
    DescribeConfigsRequestResource resource;
    DescribeConfigsResponse response;
    StrView key = strview_from(name);

    *ret = (StrView){NULL, 0};
    if (client == NULL)
        return -1;
    describe_configs_request_init(&request);
    describe_configs_request_resource_init(&resource);
    resource.resource_type = 4; /* broker */
    resource.resource_name =
        strview_from(arena_printf(sql->arena, "%" PRId32, client_info(client)->node_id));
    resource.configuration_keys = &key;
    resource.configuration_keys_count = 1;
    request.resources = &resource;
    request.resources_count = 1;
    if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
        return -1;
    if (response.results_count == 1 && response.results[0].error_code == 0 &&
        response.results[0].configs_count == 1)
        *ret = response.results[0].configs[0].value;
    return 0;
}

bool
rights_is_super(StrView list, StrView principal)
{
    int32_t begin = 0;

    for (int32_t i = 0; i <= list.len; i++) {
        if (i < list.len && list.ptr[i] != ';')
            continue;
        if (principal.len > 0 &&
            strview_equal(text_trim((StrView){list.ptr + begin, i - begin}), principal))
            return true;
        begin = i + 1;
    }
    return false;
}

/* One question: may this principal do this? */
typedef struct Question {
    SqlScan *scan;
    const DescribeAclsResponse *acls; /* that speak of the resource; NULL: there is no authorizer */
    StrView supers;
    bool without_acl; /* allow.everyone.if.no.acl.found */
    StrView principal;
    StrView host; /* null: any */
    int8_t type;
    StrView resource;
    int8_t operation;
} Question;

static bool
speaks_to(const Question *q, const DescribeAclsResponseAclDescription *acl)
{
    if (!strview_equal(acl->principal, q->principal) &&
        !strview_equal(acl->principal, STRVIEW("User:*")))
        return false;
    return strview_equal(acl->host, STRVIEW("*")) ||
           (q->host.ptr != NULL && strview_equal(acl->host, q->host));
}

/* A permission for some operations lets one describe, too. */
static bool
covers(const DescribeAclsResponseAclDescription *acl, int8_t operation, bool allow)
{
    if (acl->operation == OP_ALL || acl->operation == operation)
        return true;
    if (!allow)
        return false;
    if (operation == OP_DESCRIBE)
        return acl->operation == OP_READ || acl->operation == OP_WRITE ||
               acl->operation == OP_DELETE || acl->operation == OP_ALTER;
    return operation == OP_DESCRIBE_CONFIGS && acl->operation == OP_ALTER_CONFIGS;
}

/* The rule of this permission that decides, as text; NULL: there is none. */
static char *
find_rule(const Question *q, int8_t permission)
{
    for (int32_t i = 0; i < q->acls->resources_count; i++) {
        const DescribeAclsResponseResource *resource = &q->acls->resources[i];

        for (int32_t j = 0; j < resource->acls_count; j++) {
            const DescribeAclsResponseAclDescription *acl = &resource->acls[j];

            if (acl->permission_type == permission && speaks_to(q, acl) &&
                covers(acl, q->operation, permission == PERMISSION_ALLOW))
                return arena_printf(
                    q->scan->arena, "%s %s on %s %s \"%.*s\" to %.*s from %.*s",
                    name_of_permission(permission), name_of_operation(acl->operation),
                    name_of_pattern(resource->pattern_type),
                    name_of_resource(resource->resource_type), resource->resource_name.len,
                    resource->resource_name.ptr, acl->principal.len, acl->principal.ptr,
                    acl->host.len, acl->host.ptr);
        }
    }
    return NULL;
}

static bool
decide(const Question *q, const char **ret_rule)
{
    *ret_rule = "no authorizer";
    if (q->acls == NULL)
        return true;
    *ret_rule = "super user";
    if (rights_is_super(q->supers, q->principal))
        return true;
    *ret_rule = find_rule(q, PERMISSION_DENY);
    if (*ret_rule != NULL)
        return false;
    *ret_rule = find_rule(q, PERMISSION_ALLOW);
    if (*ret_rule != NULL)
        return true;
    if (q->acls->resources_count > 0) {
        *ret_rule = "no ACL allows it";
        return false;
    }
    *ret_rule = q->without_acl ? "no ACL speaks of the resource: allow.everyone.if.no.acl.found"
                               : "no ACL speaks of the resource";
    return q->without_acl;
}

static void
answer(Question *q)
{
    uint32_t operations = operations_of[q->type];

    for (q->operation = OP_READ; q->operation < OP_END; q->operation++) {
        SqlScan *scan = q->scan;
        const char *name = name_of_operation(q->operation);
        const char *rule;
        bool allowed;
        SqlValue *row;

        if ((operations & 1u << q->operation) == 0 ||
            !scan_admits(scan, RIGHT_OPERATION, strview_from(name)))
            continue;
        row = scan_row(scan);
        if (row == NULL)
            return;
        allowed = decide(q, &rule);
        row_text(scan, row, RIGHT_PRINCIPAL, q->principal);
        row_text(scan, row, RIGHT_HOST, q->host);
        row_cstr(scan, row, RIGHT_TYPE, name_of_resource(q->type));
        row_text(scan, row, RIGHT_RESOURCE, q->resource);
        row_cstr(scan, row, RIGHT_OPERATION, name);
        row_bool(scan, row, RIGHT_ALLOWED, allowed);
        row_cstr(scan, row, RIGHT_RULE, rule);
    }
}

/* ACLs that would decide about the resource: by its name, all names, prefixes of it. */
static int
ask_for_resource(Question *q, DescribeAclsResponse *acls, Fault *f)
{
    DescribeAclsRequest request;

    describe_acls_request_init(&request);
    request.resource_type_filter = q->type;
    request.pattern_type_filter = PATTERN_MATCH;
    request.resource_name_filter = q->resource;
    request.principal_filter = request.host_filter = (StrView){NULL, 0};
    request.operation = 1; /* any, as the next */
    request.permission_type = 1;
    q->acls = acls;
    if (rights_ask_acls(q->scan->sql, &request, acls, f) == 0)
        return 0;
    if (f->kafka_error != KERR_SECURITY_DISABLED)
        return -1;
    q->acls = NULL;
    fault_clear(f);
    return 0;
}

static int
scan_rights(SqlScan *scan, Fault *f)
{
    const SqlKey *principals = scan_key(scan, RIGHT_PRINCIPAL);
    const SqlKey *types = scan_key(scan, RIGHT_TYPE);
    const SqlKey *resources = scan_key(scan, RIGHT_RESOURCE);
    const SqlKey *host = scan_key(scan, RIGHT_HOST);
    Question q = {.scan = scan};
    DescribeAclsResponse acls;
    StrView without;

    if (principals == NULL || types == NULL || resources == NULL) {
        fault_set(f, FAULT_SYNTAX, "effective_rights needs a principal and a resource");
        fault_hint(f, "WHERE principal = 'User:alice' AND resource_type = 'topic' AND "
                      "resource_name = 'orders'");
        return -1;
    }
    if (rights_ask_setting(scan->sql, "super.users", &q.supers, f) != 0 ||
        rights_ask_setting(scan->sql, "allow.everyone.if.no.acl.found", &without, f) != 0)
        return -1;
    q.without_acl = strview_equal(without, STRVIEW("true"));
    if (host != NULL && host->count == 1)
        q.host = host->values[0].bytes;
    for (int32_t t = 0; t < types->count; t++) {
        q.type = number_of_resource(types->values[t].bytes);
        if (q.type < 2 || q.type >= (int8_t)(sizeof operations_of / sizeof operations_of[0]))
            continue;
        for (int32_t r = 0; r < resources->count; r++) {
            q.resource = resources->values[r].bytes;
            if (ask_for_resource(&q, &acls, f) != 0)
                return -1;
            for (int32_t p = 0; p < principals->count; p++) {
                q.principal = principals->values[p].bytes;
                answer(&q);
            }
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_effective_rights = {
    .name = "effective_rights",
    .help = "what a principal may do with a resource, and by which rule",
    SQL_COLUMNS(right_columns),
    SQL_CALLS(right_calls),
    .scan = scan_rights};
