/*
 * do_quotas.c - ALTER QUOTA
 *
 * Spec: admin-and-security.md 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "acls_int.h"
#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_alter_client_quotas.h"
#include "ottla/protocol/msg_describe_client_quotas.h"

enum { MATCH_EXACT, MATCH_DEFAULT };

/* The entity that the statement names: user, client-id, both, or ip; a null name is the default. */
static int
entity_named(Exec *x, AlterClientQuotasRequestEntityData ret[2])
{
    const Statement *s = x->s;
    int count = 0;

    for (int32_t i = 0; i + 1 < s->count && count < 2; i++) {
        StatementItemName name = (StatementItemName)s->items[i].name;
        const StatementItem *value = &s->items[i + 1];

        if (name != ITEM_USERS && name != ITEM_CLIENT && name != ITEM_IP)
            continue;
        alter_client_quotas_request_entity_data_init(&ret[count]);
        ret[count].entity_type = name == ITEM_USERS    ? STRVIEW("user")
                                 : name == ITEM_CLIENT ? STRVIEW("client-id")
                                                       : STRVIEW("ip");
        ret[count++].entity_name = value->name == ITEM_DEFAULT ? (StrView){0} : value->text;
        i++; /* the value of CLIENT is called like the word before it */
    }
    return count;
}

static int
quotas_read(Exec *x, const DescribeClientQuotasRequestComponentData *components, int32_t count,
            bool strict, DescribeClientQuotasResponse *ret)
{
    DescribeClientQuotasRequest request;

    describe_client_quotas_request_init(&request);
    request.components = exec_alloc(x, (size_t)count, sizeof *request.components);
    if (request.components == NULL)
        return -1;
    memcpy(request.components, components, (size_t)count * sizeof *components);
    request.components_count = count;
    request.strict = strict;
    if (exec_read(x, CLIENT_HERE, API_DescribeClientQuotas, &request, ret) != 0)
        return -1;
    if (ret->error_code != 0)
        return fault_kafka(x->f, ret->error_code, -1, "could not read quotas: %s",
                           fault_kafka_text(ret->error_code));
    return 0;
}

/* RESET ALL: every key that the entity has. */
static int
ops_of_all(Exec *x, const AlterClientQuotasRequestEntityData *entity, int count,
           AlterClientQuotasRequestEntryData *ret)
{
    DescribeClientQuotasRequestComponentData components[2];
    DescribeClientQuotasResponse response;

    for (int i = 0; i < count; i++) {
        describe_client_quotas_request_component_data_init(&components[i]);
        components[i].entity_type = entity[i].entity_type;
        components[i].match_type = entity[i].entity_name.ptr == NULL ? MATCH_DEFAULT : MATCH_EXACT;
        components[i].match = entity[i].entity_name;
    }
    if (quotas_read(x, components, count, true, &response) != 0)
        return -1;
    if (response.entries_count <= 0) /* null is none */
        return 0;
    ret->ops = exec_alloc(x, (size_t)response.entries[0].values_count, sizeof *ret->ops);
    if (ret->ops == NULL)
        return -1;
    for (int32_t i = 0; i < response.entries[0].values_count; i++) {
        alter_client_quotas_request_op_data_init(&ret->ops[ret->ops_count]);
        ret->ops[ret->ops_count].key = response.entries[0].values[i].key;
        ret->ops[ret->ops_count++].remove = true;
    }
    return 0;
}

/* SET (key = value), RESET (key). */
static int
ops_named(Exec *x, AlterClientQuotasRequestEntryData *ret)
{
    const Statement *s = x->s;
    bool set = statement_has(s, ITEM_SET);

    ret->ops = exec_alloc(x, (size_t)statement_count_of(s, ITEM_QUOTA), sizeof *ret->ops);
    if (ret->ops == NULL)
        return -1;
    for (int32_t i = statement_find(s, ITEM_QUOTA, 0); i >= 0;
         i = statement_find(s, ITEM_QUOTA, i + 1)) {
        AlterClientQuotasRequestOpData *op = &ret->ops[ret->ops_count++];
        const StatementItem *value = &s->items[i + 1];
        int64_t rate;

        alter_client_quotas_request_op_data_init(op);
        op->key = s->items[i].text;
        op->remove = !set || (value->quote == QUOTE_NONE &&
                              text_equal_nocase(value->text, STRVIEW("DEFAULT")));
        if (op->remove)
            continue;
        if (op->key.len > 10 && memcmp(op->key.ptr + op->key.len - 10, "_byte_rate", 10) == 0 &&
            value_rate(value->text, &rate))
            op->value = (double)rate;
        else if (!text_to_double(value->text, &op->value))
            return exec_bad_value(x, value, "\"%.*s\" is no value for quota \"%.*s\"",
                                  (int)value->text.len, value->text.ptr, (int)op->key.len,
                                  op->key.ptr);
    }
    return 0;
}

static int
send_entries(Exec *x, AlterClientQuotasRequestEntryData *entries, int32_t count)
{
    AlterClientQuotasRequest request;
    AlterClientQuotasResponse response;
    int rc;

    alter_client_quotas_request_init(&request);
    request.entries = entries;
    request.entries_count = count;
    request.validate_only = x->validate;
    rc = exec_change(x, CLIENT_HERE, API_AlterClientQuotas, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.entries_count; i++) {
        const AlterClientQuotasResponseEntryData *e = &response.entries[i];
        const char *text = fault_kafka_text(e->error_code);

        if (e->error_code != 0)
            return fault_kafka(x->f, e->error_code, -1, "could not change quotas: %.*s",
                               e->error_message.len > 0 ? (int)e->error_message.len
                                                        : (int)strlen(text),
                               e->error_message.len > 0 ? e->error_message.ptr : text);
    }
    return 0;
}

int
do_alter_quota(Exec *x)
{
    AlterClientQuotasRequestEntityData entity[2];
    AlterClientQuotasRequestEntryData entry;
    int rc;

    alter_client_quotas_request_entry_data_init(&entry);
    entry.entity = entity;
    entry.entity_count = entity_named(x, entity);
    rc = statement_has(x->s, ITEM_ALL) ? ops_of_all(x, entity, entry.entity_count, &entry)
                                       : ops_named(x, &entry);
    if (rc != 0)
        return rc;
    if (entry.ops_count > 0) {
        rc = send_entries(x, &entry, 1);
        if (rc != 0)
            return rc;
    }
    exec_tag(x, "ALTER QUOTA");
    return 0;
}

int
quotas_drop_of(Exec *x, StrView user)
{
    DescribeClientQuotasRequestComponentData component;
    DescribeClientQuotasResponse response;
    AlterClientQuotasRequestEntryData *entries;

    describe_client_quotas_request_component_data_init(&component);
    component.entity_type = STRVIEW("user");
    component.match_type = MATCH_EXACT;
    component.match = user;
    if (quotas_read(x, &component, 1, false, &response) != 0)
        return -1;
    if (response.entries_count <= 0) /* null is none */
        return 0;
    entries = exec_alloc(x, (size_t)response.entries_count, sizeof *entries);
    if (entries == NULL)
        return -1;
    for (int32_t i = 0; i < response.entries_count; i++) {
        const DescribeClientQuotasResponseEntryData *from = &response.entries[i];
        AlterClientQuotasRequestEntryData *to = &entries[i];

        alter_client_quotas_request_entry_data_init(to);
        to->entity = exec_alloc(x, (size_t)from->entity_count, sizeof *to->entity);
        to->ops =
            to->entity == NULL ? NULL : exec_alloc(x, (size_t)from->values_count, sizeof *to->ops);
        if (to->ops == NULL)
            return -1;
        for (int32_t j = 0; j < from->entity_count; j++) {
            alter_client_quotas_request_entity_data_init(&to->entity[j]);
            to->entity[j].entity_type = from->entity[j].entity_type;
            to->entity[to->entity_count++].entity_name = from->entity[j].entity_name;
        }
        for (int32_t j = 0; j < from->values_count; j++) {
            alter_client_quotas_request_op_data_init(&to->ops[j]);
            to->ops[j].key = from->values[j].key;
            to->ops[to->ops_count++].remove = true;
        }
    }
    return send_entries(x, entries, response.entries_count) < 0 ? -1 : 0;
}
