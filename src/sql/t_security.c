/*
 * t_security.c - ACLs, users, quotas, delegation tokens
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/strbuf.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_acls.h"
#include "ottla/protocol/msg_describe_client_quotas.h"
#include "ottla/protocol/msg_describe_delegation_token.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"
#include "sql/rights_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))
#define ACL_ANY     1 /* of types, operations, permissions in a filter */
#define SUPER_USERS "super.users"

/* ---- acls ---- */

enum {
    ACL_TYPE,
    ACL_PATTERN,
    ACL_RESOURCE,
    ACL_PRINCIPAL,
    ACL_HOST,
    ACL_OPERATION,
    ACL_PERMISSION
};

static const SqlColumnDef acl_columns[] = {
    [ACL_TYPE] = {"resource_type", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_PATTERN] = {"pattern_type", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_RESOURCE] = {"resource_name", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_PRINCIPAL] = {"principal", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_HOST] = {"host", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_OPERATION] = {"operation", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [ACL_PERMISSION] = {"permission", SQL_DECL_TEXT, SQL_COLUMN_KEY},
};

static const SqlCallDef acl_calls[] = {{"DescribeAcls", 0}};

/* The one value that a constraint asks for; null: none, or several. */
static StrView
single(const SqlScan *scan, int32_t column)
{
    const SqlKey *key = scan_key(scan, column);

    return key == NULL || key->count != 1 ? (StrView){NULL, 0} : key->values[0].bytes;
}

/* Its number, or "any". *ret_none: a word that no ACL has. */
static int8_t
single_number(const SqlScan *scan, int32_t column, int8_t (*number)(StrView), bool *ret_none)
{
    StrView name = single(scan, column);
    int8_t n = name.ptr == NULL ? ACL_ANY : number(name);

    *ret_none = *ret_none || n < 0;
    return n;
}

int
rights_ask_acls(Sql *sql, const DescribeAclsRequest *request, DescribeAclsResponse *ret, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeAcls);

    if (client == NULL || client_call(client, &call, request, ret, sql->arena, f) != 0)
        return -1;
    return ret->error_code == 0 ? 0 : fault_kafka(f, ret->error_code, -1, NULL);
}

static int
scan_acls(SqlScan *scan, Fault *f)
{
    DescribeAclsRequest request;
    DescribeAclsResponse response;
    bool none = false;

    describe_acls_request_init(&request);
    request.resource_type_filter = single_number(scan, ACL_TYPE, number_of_resource, &none);
    request.pattern_type_filter = single_number(scan, ACL_PATTERN, number_of_pattern, &none);
    request.resource_name_filter = single(scan, ACL_RESOURCE);
    request.principal_filter = single(scan, ACL_PRINCIPAL);
    request.host_filter = single(scan, ACL_HOST);
    request.operation = single_number(scan, ACL_OPERATION, number_of_operation, &none);
    request.permission_type = single_number(scan, ACL_PERMISSION, number_of_permission, &none);
    if (none)
        return 0;
    if (rights_ask_acls(scan->sql, &request, &response, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.resources_count; i++) {
        const DescribeAclsResponseResource *resource = &response.resources[i];

        for (int32_t j = 0; j < resource->acls_count; j++) {
            const DescribeAclsResponseAclDescription *acl = &resource->acls[j];
            SqlValue *row = scan_row(scan);

            if (row == NULL)
                return scan_end(scan, f);
            row_cstr(scan, row, ACL_TYPE, name_of_resource(resource->resource_type));
            row_cstr(scan, row, ACL_PATTERN, name_of_pattern(resource->pattern_type));
            row_text(scan, row, ACL_RESOURCE, resource->resource_name);
            row_text(scan, row, ACL_PRINCIPAL, acl->principal);
            row_text(scan, row, ACL_HOST, acl->host);
            row_cstr(scan, row, ACL_OPERATION, name_of_operation(acl->operation));
            row_cstr(scan, row, ACL_PERMISSION, name_of_permission(acl->permission_type));
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_acls = {.name = "acls",
                             .help = "access control lists",
                             SQL_COLUMNS(acl_columns),
                             SQL_CALLS(acl_calls),
                             .rows_guess = 10,
                             .scan = scan_acls};

/* ---- users ---- */

enum { USER_NAME, USER_MECHANISM, USER_ITERATIONS, USER_SUPER };

static const SqlColumnDef user_columns[] = {
    [USER_NAME] = {"name", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [USER_MECHANISM] = {"mechanism", SQL_DECL_TEXT, 0},
    [USER_ITERATIONS] = {"iterations", SQL_DECL_INTEGER, 0},
    [USER_SUPER] = {"is_super", SQL_DECL_BOOLEAN, 0},
};

static const SqlCallDef user_calls[] = {{"DescribeUserScramCredentials", 0},
                                        {"DescribeConfigs", BIT(USER_SUPER)}};

/* NULL with *ret_count -1: all users. */
static DescribeUserScramCredentialsRequestUserName *
wanted_users(SqlScan *scan, int32_t *ret_count)
{
    const SqlKey *key = scan_key(scan, USER_NAME);
    DescribeUserScramCredentialsRequestUserName *users =
        key == NULL ? NULL : arena_calloc(scan->sql->arena, (size_t)key->count + 1, sizeof *users);

    *ret_count = -1;
    if (users != NULL) {
        *ret_count = key->count;
        for (int32_t i = 0; i < key->count; i++) {
            describe_user_scram_credentials_request_user_name_init(&users[i]);
            users[i].name = key->values[i].bytes;
        }
    }
    return users;
}

static void
add_user(SqlScan *scan, const DescribeUserScramCredentialsResponseResult *user, StrView supers)
{
    for (int32_t i = 0; i < user->credential_infos_count; i++) {
        SqlValue *row = scan_row(scan);
        StrView principal;

        if (row == NULL)
            return;
        row_text(scan, row, USER_NAME, user->user);
        row_cstr(scan, row, USER_MECHANISM, name_of_mechanism(user->credential_infos[i].mechanism));
        row_int(scan, row, USER_ITERATIONS, user->credential_infos[i].iterations);
        if (supers.ptr == NULL)
            continue;
        principal =
            strview_from(arena_printf(scan->arena, "User:%.*s", user->user.len, user->user.ptr));
        row_bool(scan, row, USER_SUPER, rights_is_super(supers, principal));
    }
}

static int
scan_users(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeUserScramCredentials);
    DescribeUserScramCredentialsRequest request;
    DescribeUserScramCredentialsResponse response;
    StrView supers = {NULL, 0};

    if (client == NULL)
        return -1;
    describe_user_scram_credentials_request_init(&request);
    request.users = wanted_users(scan, &request.users_count);
    if (client_call(client, &call, &request, &response, scan->sql->arena, f) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(f, response.error_code, -1, NULL);
    if (scan_uses(scan, USER_SUPER) && response.results_count > 0 &&
        rights_ask_setting(scan->sql, SUPER_USERS, &supers, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++)
        if (response.results[i].error_code == 0)
            add_user(scan, &response.results[i], supers);
    return scan_end(scan, f);
}

const SqlTable table_users = {.name = "users",
                              .help = "users with SCRAM credentials",
                              SQL_COLUMNS(user_columns),
                              SQL_CALLS(user_calls),
                              .scan = scan_users};

/* ---- quotas ---- */

enum { QUOTA_USER, QUOTA_CLIENT, QUOTA_IP, QUOTA_KEY, QUOTA_VALUE };

static const SqlColumnDef quota_columns[] = {
    [QUOTA_USER] = {"user", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [QUOTA_CLIENT] = {"client_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [QUOTA_IP] = {"ip", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [QUOTA_KEY] = {"key", SQL_DECL_TEXT, 0},
    [QUOTA_VALUE] = {"value", SQL_DECL_REAL, 0},
};

static const SqlCallDef quota_calls[] = {{"DescribeClientQuotas", 0}};
static const char *const quota_entities[] = {"user", "client-id", "ip"};

#define QUOTA_DEFAULT \
    STRVIEW("<default>") /* how the tables and statements write the default entity */

/* Constraints with one value as components of the filter. */
static int32_t
quota_components(const SqlScan *scan, DescribeClientQuotasRequestComponentData components[3])
{
    int32_t count = 0;

    for (int32_t column = QUOTA_USER; column <= QUOTA_IP; column++) {
        StrView name = single(scan, column);

        if (name.ptr == NULL)
            continue;
        describe_client_quotas_request_component_data_init(&components[count]);
        components[count].entity_type = strview_from(quota_entities[column]);
        if (strview_equal(name, QUOTA_DEFAULT)) {
            components[count].match_type = 1;
            components[count].match = (StrView){NULL, 0};
        } else {
            components[count].match = name;
        }
        count++;
    }
    return count;
}

static void
add_quotas(SqlScan *scan, const DescribeClientQuotasResponseEntryData *entry)
{
    for (int32_t v = 0; v < entry->values_count; v++) {
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            return;
        for (int32_t e = 0; e < entry->entity_count; e++)
            for (int32_t column = QUOTA_USER; column <= QUOTA_IP; column++)
                if (strview_equal(entry->entity[e].entity_type,
                                  strview_from(quota_entities[column])))
                    row_text(scan, row, column,
                             entry->entity[e].entity_name.ptr == NULL
                                 ? QUOTA_DEFAULT
                                 : entry->entity[e].entity_name);
        row_text(scan, row, QUOTA_KEY, entry->values[v].key);
        row_real(scan, row, QUOTA_VALUE, entry->values[v].value);
    }
}

static int
scan_quotas(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeClientQuotas);
    DescribeClientQuotasRequestComponentData components[3];
    DescribeClientQuotasRequest request;
    DescribeClientQuotasResponse response;

    if (client == NULL)
        return -1;
    describe_client_quotas_request_init(&request);
    request.components = components;
    request.components_count = quota_components(scan, components);
    if (client_call(client, &call, &request, &response, scan->sql->arena, f) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(f, response.error_code, -1, NULL);
    for (int32_t i = 0; i < response.entries_count; i++)
        add_quotas(scan, &response.entries[i]);
    return scan_end(scan, f);
}

const SqlTable table_quotas = {.name = "quotas",
                               .help = "quotas of users, clients and addresses",
                               SQL_COLUMNS(quota_columns),
                               SQL_CALLS(quota_calls),
                               .scan = scan_quotas};

/* ---- tokens ---- */

enum {
    TOKEN_ID,
    TOKEN_OWNER,
    TOKEN_REQUESTER,
    TOKEN_RENEWERS,
    TOKEN_ISSUED,
    TOKEN_ISSUED_MS,
    TOKEN_EXPIRES,
    TOKEN_EXPIRES_MS,
    TOKEN_MAX,
    TOKEN_MAX_MS
};

static const SqlColumnDef token_columns[] = {
    [TOKEN_ID] = {"token_id", SQL_DECL_TEXT, 0},
    [TOKEN_OWNER] = {"owner", SQL_DECL_TEXT, 0},
    [TOKEN_REQUESTER] = {"requester", SQL_DECL_TEXT, 0},
    [TOKEN_RENEWERS] = {"renewers", SQL_DECL_JSON, 0},
    [TOKEN_ISSUED] = {"issued", SQL_DECL_TIME, 0},
    [TOKEN_ISSUED_MS] = {"issued_ms", SQL_DECL_INTEGER, 0},
    [TOKEN_EXPIRES] = {"expires", SQL_DECL_TIME, 0},
    [TOKEN_EXPIRES_MS] = {"expires_ms", SQL_DECL_INTEGER, 0},
    [TOKEN_MAX] = {"max", SQL_DECL_TIME, 0},
    [TOKEN_MAX_MS] = {"max_ms", SQL_DECL_INTEGER, 0},
};

static const SqlCallDef token_calls[] = {{"DescribeDelegationToken", 0}};

static StrView
principal_of(SqlScan *scan, StrView type, StrView name)
{
    char *text = arena_printf(scan->arena, "%.*s:%.*s", type.len, type.ptr, name.len, name.ptr);

    return strview_from(text);
}

static void
add_token(SqlScan *scan, const DescribeDelegationTokenResponseDescribedDelegationToken *token)
{
    SqlValue *row = scan_row(scan);
    StrView *renewers =
        arena_calloc(scan->arena, (size_t)token->renewers_count + 1, sizeof *renewers);

    if (row == NULL || renewers == NULL)
        return;
    for (int32_t i = 0; i < token->renewers_count; i++)
        renewers[i] = principal_of(scan, token->renewers[i].principal_type,
                                   token->renewers[i].principal_name);
    row_text(scan, row, TOKEN_ID, token->token_id);
    row_text(scan, row, TOKEN_OWNER,
             principal_of(scan, token->principal_type, token->principal_name));
    if (token->token_requester_principal_name.len > 0)
        row_text(scan, row, TOKEN_REQUESTER,
                 principal_of(scan, token->token_requester_principal_type,
                              token->token_requester_principal_name));
    row_strings_json(scan, row, TOKEN_RENEWERS, renewers, token->renewers_count);
    row_time(scan, row, TOKEN_ISSUED, token->issue_timestamp);
    row_int(scan, row, TOKEN_ISSUED_MS, token->issue_timestamp);
    row_time(scan, row, TOKEN_EXPIRES, token->expiry_timestamp);
    row_int(scan, row, TOKEN_EXPIRES_MS, token->expiry_timestamp);
    row_time(scan, row, TOKEN_MAX, token->max_timestamp);
    row_int(scan, row, TOKEN_MAX_MS, token->max_timestamp);
}

static int
scan_tokens(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeDelegationToken);
    DescribeDelegationTokenRequest request;
    DescribeDelegationTokenResponse response;

    if (client == NULL)
        return -1;
    describe_delegation_token_request_init(&request);
    request.owners_count = -1; /* null: of everybody */
    if (client_call(client, &call, &request, &response, scan->sql->arena, f) != 0)
        return -1;
    if (response.error_code != 0)
        return fault_kafka(f, response.error_code, -1, NULL);
    for (int32_t i = 0; i < response.tokens_count; i++)
        add_token(scan, &response.tokens[i]);
    return scan_end(scan, f);
}

const SqlTable table_tokens = {.name = "tokens",
                               .help = "delegation tokens",
                               SQL_COLUMNS(token_columns),
                               SQL_CALLS(token_calls),
                               .scan = scan_tokens};
