/*
 * h_client_quotas.c - DescribeClientQuotas
 *
 * Runs in: backend; answers from its own image. Spec: admin-and-security.md 5.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/protocol/msg_describe_client_quotas.h"

/* Kafka's numbers. */
#define MATCH_EXACT     0
#define MATCH_DEFAULT   1
#define MATCH_SPECIFIED 2

/* A filter, at most one component per type. */
typedef struct Filter {
    bool has[QUOTA_PART_COUNT];
    int8_t match[QUOTA_PART_COUNT];
    StrView name[QUOTA_PART_COUNT];
    int32_t count;
    bool strict;
} Filter;

typedef struct Fault {
    int16_t code; /* 0: none */
    const char *text;
} Fault;

static Fault
read_component(const DescribeClientQuotasRequestComponentData *in, Filter *filter)
{
    QuotaPart part;

    if (in->entity_type.len == 0)
        return (Fault){KERR_INVALID_REQUEST, "The type of an entity is empty."};
    if (!quota_part_find(in->entity_type, &part))
        return (Fault){KERR_UNSUPPORTED_VERSION, "The type of an entity is not known."};
    if (filter->has[part])
        return (Fault){KERR_INVALID_REQUEST, "A type comes more than once."};
    if (in->match_type < MATCH_EXACT || in->match_type > MATCH_SPECIFIED)
        return (Fault){KERR_INVALID_REQUEST, "The match type is not known."};
    if ((in->match_type == MATCH_EXACT) != (in->match.ptr != NULL))
        return (Fault){KERR_INVALID_REQUEST, "A name goes with an exact match, and no other."};
    filter->has[part] = true;
    filter->match[part] = in->match_type;
    filter->name[part] = in->match;
    filter->count++;
    return (Fault){0, NULL};
}

static Fault
read_filter(const DescribeClientQuotasRequest *in, Filter *filter)
{
    Fault fault = {0, NULL};

    *filter = (Filter){.strict = in->strict};
    for (int32_t i = 0; fault.code == 0 && i < in->components_count; i++)
        fault = read_component(&in->components[i], filter);
    if (fault.code == 0 && filter->has[QUOTA_IP] && filter->count > 1)
        return (Fault){KERR_INVALID_REQUEST, "An ip goes with no other type."};
    return fault;
}

static bool
matches(const Filter *filter, BytesView entity)
{
    int32_t count = image_quota_part_count(entity), met = 0;

    for (int32_t i = 0; i < count; i++) {
        StrView type, name;
        QuotaPart part;

        image_quota_part(entity, i, &type, &name);
        if (!quota_part_find(type, &part) || !filter->has[part])
            continue;
        if ((filter->match[part] == MATCH_EXACT && !strview_equal(name, filter->name[part])) ||
            (filter->match[part] == MATCH_DEFAULT && name.ptr != NULL))
            return false;
        met++;
    }
    return met == filter->count && (!filter->strict || count == met);
}

/* Values and entities that match: the memory of an answer is known before it is filled. */
typedef struct Tally {
    int32_t entities;
    int32_t values;
    int32_t parts;
} Tally;

static bool
same_entity(BytesView a, BytesView b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, (size_t)a.len) == 0;
}

static Tally
count_matches(const Image *image, const Filter *filter)
{
    BytesView last = {NULL, 0};
    Tally tally = {0};
    bool match = false;
    ImageQuota q;

    for (bool more = image_quota_first(image, &q); more; more = image_quota_next(image, &q)) {
        if (last.ptr == NULL || !same_entity(last, q.entity)) {
            match = matches(filter, q.entity);
            tally.entities += match;
            tally.parts += match ? image_quota_part_count(q.entity) : 0;
            last = q.entity;
        }
        tally.values += match;
    }
    return tally;
}

/* The lists of all entries lie behind one another in two arrays. */
static bool
fill(Request *rq, const Image *image, const Filter *filter, DescribeClientQuotasResponse *out)
{
    Tally tally = count_matches(image, filter);
    DescribeClientQuotasResponseEntityData *parts;
    DescribeClientQuotasResponseValueData *values;
    DescribeClientQuotasResponseEntryData *entry = NULL;
    BytesView last = {NULL, 0};
    bool match = false;
    ImageQuota q;

    /* Names of users are longer on the wire than in these structs, hence the last term. */
    request_grow(rq, (size_t)tally.entities * 2 * sizeof *out->entries +
                         (size_t)tally.values * 2 * sizeof *values +
                         (size_t)tally.parts * (2 * sizeof *parts + QUOTA_NAME_MAX));
    out->entries = arena_calloc(rq->arena, (size_t)tally.entities + 1, sizeof *out->entries);
    parts = arena_calloc(rq->arena, (size_t)tally.parts + 1, sizeof *parts);
    values = arena_calloc(rq->arena, (size_t)tally.values + 1, sizeof *values);
    if (out->entries == NULL || parts == NULL || values == NULL)
        return false;
    out->entries_count = 0;
    for (bool more = image_quota_first(image, &q); more; more = image_quota_next(image, &q)) {
        if (last.ptr == NULL || !same_entity(last, q.entity)) {
            last = q.entity;
            match = matches(filter, q.entity);
            if (match) {
                entry = &out->entries[out->entries_count++];
                describe_client_quotas_response_entry_data_init(entry);
                entry->entity = parts;
                entry->entity_count = image_quota_part_count(q.entity);
                entry->values = values;
                parts += entry->entity_count;
                for (int32_t i = 0; i < entry->entity_count; i++)
                    image_quota_part(q.entity, i, &entry->entity[i].entity_type,
                                     &entry->entity[i].entity_name);
            }
        }
        if (match) {
            values->key = q.key;
            values->value = q.value;
            values++;
            entry->values_count++;
        }
    }
    return true;
}

ReqResult
h_describe_client_quotas_start(Request *rq)
{
    DescribeClientQuotasRequest in;
    DescribeClientQuotasResponse out;
    ReqResult result;
    Filter filter;
    ImagePin pin;
    Fault fault;

    if (!request_read(rq, &describe_client_quotas_request_desc, &in))
        return REQ_CLOSE;
    describe_client_quotas_response_init(&out);
    fault = read_filter(&in, &filter);
    if (fault.code != 0) {
        rq->failed = true;
        out.error_code = fault.code;
        out.error_message = strview_from(fault.text);
        out.entries = NULL;
        out.entries_count = -1; /* null */
        return request_respond(rq, &describe_client_quotas_response_desc, &out);
    }
    out.error_message = WIRE_EMPTY_STRING;
    pin = image_pin();
    if (fill(rq, pin.image, &filter, &out))
        result = request_respond(rq, &describe_client_quotas_response_desc, &out);
    else
        result = request_close(rq, "no memory for a list of quotas");
    image_unpin(&pin);
    return result;
}
