/*
 * decide_quotas.c - AlterClientQuotas
 *
 * Spec: admin-and-security.md 5.1, observed.md 8. A part that an entity names twice counts as named
 * last; an entity or a key that comes twice is refused.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "controller/decide.h"
#include "ottla/common/ip_text.h"
#include "ottla/common/text.h"

/* How far a value of a whole-number key may be from a whole number. */
#define WHOLE_EPSILON 1e-6

/* What one entry of the request asks for. */
typedef struct Alteration {
    const AlterClientQuotasRequestEntryData *in;
    bool is_host;          /* an ip that is the name of a host */
    ImageQuotaPart *parts; /* sorted by type, each type once */
    int32_t part_count;
    int32_t serial; /* in the request */
} Alteration;

static const Verdict fine;

static Verdict
refuse(const char *text)
{
    return (Verdict){KERR_INVALID_REQUEST, text};
}

static BytesView
bytes_of(StrView text)
{
    return (BytesView){(const uint8_t *)text.ptr, text.len};
}

/* ---- entities ---- */

/* A part with its place in the request. */
typedef struct Placed {
    ImageQuotaPart part;
    int32_t serial;
} Placed;

static int
compare_placed(const void *a, const void *b)
{
    const Placed *x = a, *y = b;
    int order = image_key_compare(bytes_of(x->part.type), bytes_of(y->part.type));

    return order != 0 ? order : (x->serial > y->serial) - (x->serial < y->serial);
}

/* The entity of an entry: sorted, of each type the last. False: no memory. */
static bool
read_entity(Arena *arena, Alteration *alt)
{
    int32_t count = alt->in->entity_count;
    Placed *placed = arena_calloc(arena, (size_t)count + 1, sizeof *placed);

    alt->parts = arena_calloc(arena, (size_t)count + 1, sizeof *alt->parts);
    if (placed == NULL || alt->parts == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        placed[i] = (Placed){{alt->in->entity[i].entity_type, alt->in->entity[i].entity_name}, i};
    qsort(placed, (size_t)count, sizeof *placed, compare_placed);
    for (int32_t i = 0; i < count; i++)
        if (i + 1 == count || !strview_equal(placed[i].part.type, placed[i + 1].part.type))
            alt->parts[alt->part_count++] = placed[i].part;
    return true;
}

/* Null sorts before every name. */
static int
compare_entities(const Alteration *x, const Alteration *y)
{
    for (int32_t i = 0; i < x->part_count && i < y->part_count; i++) {
        const ImageQuotaPart *p = &x->parts[i], *q = &y->parts[i];
        int order = image_key_compare(bytes_of(p->type), bytes_of(q->type));

        if (order == 0)
            order = (p->name.ptr != NULL) - (q->name.ptr != NULL);
        if (order == 0)
            order = image_key_compare(bytes_of(p->name), bytes_of(q->name));
        if (order != 0)
            return order;
    }
    return (x->part_count > y->part_count) - (x->part_count < y->part_count);
}

static int
compare_alterations(const void *a, const void *b)
{
    const Alteration *x = a, *y = b;
    int order = compare_entities(x, y);

    return order != 0 ? order : (x->serial > y->serial) - (x->serial < y->serial);
}

static int
compare_hosts(const void *name, const void *host)
{
    return strcmp(name, ((const KnownHost *)host)->name);
}

/* Did who sent the request find an address of the name? */
static bool
is_known_host(const DecideContext *c, StrView name)
{
    char text[LIMIT_HOST_LEN + 1];

    if (!ip_text_is_host(name) || c->host_count == 0)
        return false;
    memcpy(text, name.ptr, (size_t)name.len);
    text[name.len] = '\0';
    return bsearch(text, c->hosts, (size_t)c->host_count, sizeof *c->hosts, compare_hosts) != NULL;
}

static Verdict
check_entity(const DecideContext *c, Alteration *alt, bool *ret_is_ip)
{
    IpAddress address;

    *ret_is_ip = false;
    if (alt->part_count == 0)
        return refuse("an entity needs at least one part");
    for (int32_t i = 0; i < alt->part_count; i++) {
        StrView name = alt->parts[i].name;
        QuotaPart part;

        if (!quota_part_find(alt->parts[i].type, &part))
            return refuse("the type of an entity is \"user\", \"client-id\" or \"ip\"");
        if (name.ptr != NULL && name.len == 0)
            return refuse("the name of an entity is empty");
        if (!text_is_utf8(name))
            return refuse("the name of an entity is not UTF-8");
        if (name.len > QUOTA_NAME_MAX)
            return refuse("the name of an entity is longer than 1024 bytes");
        if (part != QUOTA_IP)
            continue;
        *ret_is_ip = true;
        alt->is_host = name.ptr != NULL && is_known_host(c, name);
        if (name.ptr != NULL && !alt->is_host && !ip_text_parse(name, &address))
            return refuse("the ip of an entity is neither an address nor a host that has one");
    }
    if (*ret_is_ip && alt->part_count > 1)
        return refuse("an ip goes with no other type");
    return fine;
}

/* ---- values ---- */

static int
compare_ops(const void *a, const void *b)
{
    const AlterClientQuotasRequestOpData *const *x = a, *const *y = b;

    return image_key_compare(bytes_of((*x)->key), bytes_of((*y)->key));
}

static bool
is_whole(double value, double max)
{
    return value < max && fabs(floor(value + WHOLE_EPSILON) - value) <= WHOLE_EPSILON;
}

static Verdict
check_value(StrView name, double value, bool is_ip)
{
    QuotaKey key;

    if (!quota_key_find(name, &key) || is_ip != (key == QUOTA_CONNECTION_CREATION_RATE))
        return refuse("the entity has no quota of this name");
    if (value <= 0)
        return refuse("a quota is greater than 0");
    switch (key) {
    case QUOTA_PRODUCER_BYTE_RATE:
    case QUOTA_CONSUMER_BYTE_RATE:
        return is_whole(value, 0x1p63) || value == 0x1p63
                   ? fine
                   : refuse("this quota is a whole number of 64 bits");
    case QUOTA_CONNECTION_CREATION_RATE:
        return is_whole(value, 0x1p31) ? fine : refuse("this quota is a whole number of 32 bits");
    case QUOTA_REQUEST_PERCENTAGE:
    case QUOTA_CONTROLLER_MUTATION_RATE:
    case QUOTA_KEY_COUNT:
        break;
    }
    return fine;
}

static void
add_record(const Alteration *alt, const AlterClientQuotasRequestOpData *op, Arena *arena,
           RecordList *records)
{
    ClientQuotaRecord record;

    if (records->count > DECIDE_RECORDS_MAX)
        return; /* refused already */
    client_quota_record_init(&record);
    record.entity = arena_calloc(arena, (size_t)alt->part_count, sizeof *record.entity);
    if (record.entity == NULL) {
        records->no_memory = true;
        return;
    }
    for (int32_t i = 0; i < alt->part_count; i++) {
        record.entity[i].entity_type = alt->parts[i].type;
        record.entity[i].entity_name = alt->parts[i].name;
    }
    record.entity_count = alt->part_count;
    record.key = op->key;
    record.value = op->remove ? 0 : op->value;
    record.remove = op->remove;
    record_list_add(records, &client_quota_record_desc, 0, &record);
}

/* Its value in the image; false: none, as for keys that do not exist. */
static bool
value_now(const DecideContext *c, const Alteration *alt, StrView name, double *ret)
{
    QuotaEntity entity = {.has = {false}};
    QuotaKey key;
    QuotaPart part;

    if (!quota_key_find(name, &key))
        return false;
    for (int32_t i = 0; i < alt->part_count; i++)
        if (quota_part_find(alt->parts[i].type, &part)) {
            entity.has[part] = true;
            entity.name[part] = alt->parts[i].name;
        }
    return image_quota(c->image, &entity, key, ret);
}

static bool
is_set(const DecideContext *c, const Alteration *alt, const AlterClientQuotasRequestOpData *op)
{
    double now;

    return value_now(c, alt, op->key, &now);
}

/* Does the operation change what the image says? */
static bool
has_effect(const DecideContext *c, const Alteration *alt, const AlterClientQuotasRequestOpData *op)
{
    double now;
    bool set = value_now(c, alt, op->key, &now);

    return op->remove ? set : !set || now != op->value;
}

static Verdict
alter_one(const DecideContext *c, Alteration *alt, int32_t *more_hosts, RecordList *records)
{
    int32_t count = alt->in->ops_count;
    const AlterClientQuotasRequestOpData **ops =
        arena_calloc(c->arena, (size_t)count + 1, sizeof *ops);
    Verdict verdict;
    bool is_ip;

    if (ops == NULL) {
        records->no_memory = true;
        return fine;
    }
    for (int32_t i = 0; i < count; i++)
        ops[i] = &alt->in->ops[i];
    qsort(ops, (size_t)count, sizeof *ops, compare_ops);
    for (int32_t i = 1; i < count; i++)
        if (strview_equal(ops[i]->key, ops[i - 1]->key))
            return refuse("a quota comes more than once for the entity");
    verdict = check_entity(c, alt, &is_ip);
    for (int32_t i = 0; verdict.code == 0 && i < count; i++)
        if (!ops[i]->remove)
            verdict = check_value(ops[i]->key, ops[i]->value, is_ip);
    for (int32_t i = 0; verdict.code == 0 && alt->is_host && i < count; i++)
        if (!ops[i]->remove && !is_set(c, alt, ops[i]) &&
            image_quota_host_count(c->image) + (*more_hosts)++ >= QUOTA_HOSTS_MAX)
            verdict = (Verdict){KERR_POLICY_VIOLATION, "too many quotas of ips name hosts"};
    for (int32_t i = 0; verdict.code == 0 && i < count; i++)
        if (has_effect(c, alt, ops[i]))
            add_record(alt, ops[i], c->arena, records);
    return verdict;
}

/* ---- the request ---- */

static bool
answer(Arena *arena, const Alteration *alt, Verdict verdict, AlterClientQuotasResponse *out)
{
    AlterClientQuotasResponseEntryData *e = &out->entries[out->entries_count++];

    alter_client_quotas_response_entry_data_init(e);
    e->error_code = verdict.code;
    e->error_message = strview_from(verdict.text);
    e->entity = arena_calloc(arena, (size_t)alt->part_count + 1, sizeof *e->entity);
    if (e->entity == NULL)
        return false;
    for (int32_t i = 0; i < alt->part_count; i++) {
        e->entity[i].entity_type = alt->parts[i].type;
        e->entity[i].entity_name = alt->parts[i].name;
    }
    e->entity_count = alt->part_count;
    return true;
}

int
decide_alter_client_quotas(const DecideContext *c, const AlterClientQuotasRequest *in,
                           RecordList *records, AlterClientQuotasResponse *ret)
{
    int32_t count = in->entries_count, more_hosts = 0;
    Alteration *alts = arena_calloc(c->arena, (size_t)count + 1, sizeof *alts);

    alter_client_quotas_response_init(ret);
    ret->entries = arena_calloc(c->arena, (size_t)count + 1, sizeof *ret->entries);
    if (alts == NULL || ret->entries == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        alts[i] = (Alteration){.in = &in->entries[i], .serial = i};
        if (!read_entity(c->arena, &alts[i]))
            return OT_E_NO_MEMORY;
    }
    qsort(alts, (size_t)count, sizeof *alts, compare_alterations);
    for (int32_t i = 0, next; i < count; i = next) {
        Verdict verdict;

        for (next = i + 1; next < count && compare_entities(&alts[i], &alts[next]) == 0;)
            next++;
        verdict = next > i + 1 ? refuse("the entity comes more than once in the request")
                               : alter_one(c, &alts[i], &more_hosts, records);
        if (!answer(c->arena, &alts[i], verdict, ret))
            return OT_E_NO_MEMORY;
    }
    if (records->count > DECIDE_RECORDS_MAX) {
        record_list_cut(records, 0);
        for (int32_t i = 0; i < ret->entries_count; i++) {
            ret->entries[i].error_code = KERR_POLICY_VIOLATION;
            ret->entries[i].error_message = strview_from(DECIDE_TOO_MANY_RECORDS);
        }
    }
    if (in->validate_only)
        record_list_cut(records, 0);
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
