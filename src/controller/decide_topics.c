/*
 * decide_topics.c - CreateTopics
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/decide.h"
#include "controller/image_build.h"
#include "ottla/common/assert.h"
#include "ottla/common/topic_settings.h"

/* ---- names ---- */

const char *
topic_name_fault(StrView name)
{
    if (name.len == 0)
        return "the topic name is empty";
    if (strview_equal(name, STRVIEW(".")) || strview_equal(name, STRVIEW("..")))
        return "the topic name cannot be \".\" or \"..\"";
    if (name.len > LIMIT_TOPIC_NAME_LEN)
        return "the topic name is longer than 249 characters";
    for (int32_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return "the topic name has characters other than ASCII letters, digits, '.', '_', '-'";
    }
    return NULL;
}

/* ---- one request ---- */

typedef struct Creation {
    const DecideContext *c;
    const CreateTopicsRequest *in;
    RecordList *records;
    CreateTopicsResponse *out;
    Placer *placer;      /* made when first needed */
    ConfValue *defaults; /* of all topic settings, made when first needed */
    TopicDefaults base;  /* their texts, for checks */
    bool has_base;
    int64_t partitions; /* that the topics so far make */
    bool
        *oversized; /* parallel to the request's topics: more partitions than any request may ask */
    bool *collides; /* the same: differs from an earlier one in '.' and '_' only */
    bool no_memory;
} Creation;

static void
fail(CreateTopicsResponseTopic *t, int16_t code, const char *text)
{
    t->error_code = code;
    t->error_message = strview_from(text);
    t->topic_id = (Uuid){{0}};
    t->num_partitions = -1;
    t->replication_factor = -1;
    t->configs_count = 0;
}

static const char *
say(Creation *cr, const char *text, StrView name)
{
    const char *line = arena_printf(cr->c->arena, "%s: \"%.*s\"", text, (int)name.len, name.ptr);

    if (line == NULL)
        cr->no_memory = true;
    return line;
}

/* ---- settings of a new topic ---- */

/* The pairs to write: of a name that comes twice, the last. */
static int
effective_configs(Creation *cr, const CreateTopicsRequestTopic *in, ConfPair **ret)
{
    ConfPair *pairs = arena_calloc(cr->c->arena, (size_t)in->configs_count + 1, sizeof *pairs);
    int count = 0;

    *ret = pairs;
    if (pairs == NULL) {
        cr->no_memory = true;
        return 0;
    }
    for (int32_t i = 0; i < in->configs_count; i++) {
        int at = 0;

        while (at < count && !strview_equal(pairs[at].name, in->configs[i].name))
            at++;
        pairs[at] = (ConfPair){in->configs[i].name, in->configs[i].value};
        count = at == count ? count + 1 : count;
    }
    return count;
}

static bool
check_configs(Creation *cr, const ConfPair *pairs, int count, CreateTopicsResponseTopic *t)
{
    ErrInfo err = {0};
    const char *text;

    for (int i = 0; i < count; i++)
        if (pairs[i].value.ptr == NULL) {
            fail(t, KERR_INVALID_CONFIG, say(cr, "a setting has no value", pairs[i].name));
            return false;
        }
    if (count == 0) /* defaults that contradict each other are no fault of this topic's */
        return true;
    if (!cr->has_base) {
        topic_defaults_init(&cr->base, cr->c->dynamic, cr->c->arena);
        cr->has_base = true;
    }
    if (topic_settings_check(pairs, count, &cr->base, &err) == 0)
        return true;
    text = arena_printf(cr->c->arena, "%s", err.text);
    if (text == NULL)
        cr->no_memory = true;
    fail(t, KERR_INVALID_CONFIG, text);
    return false;
}

static void
add_configs(Creation *cr, StrView topic, const ConfPair *pairs, int count)
{
    for (int i = 0; i < count; i++) {
        ConfigRecord record;

        config_record_init(&record);
        record.resource_type = IMAGE_CONFIG_TOPIC;
        record.resource_name = topic;
        record.name = pairs[i].name;
        record.value = pairs[i].value;
        record_list_add(cr->records, &config_record_desc, 0, &record);
    }
}

/* All settings of the topic, as DescribeConfigs would answer them. */
static void
describe_configs(Creation *cr, const ConfPair *pairs, int count, CreateTopicsResponseTopic *t)
{
    Arena *arena = cr->c->arena;
    int all = TCONF_LAST - TCONF_FIRST + 1, n = 0;
    CreateTopicsResponseConfig *list = arena_calloc(arena, (size_t)all, sizeof *list);

    if (cr->defaults == NULL) {
        cr->defaults = arena_calloc(arena, (size_t)all, sizeof *cr->defaults);
        for (int i = 0; cr->defaults != NULL && i < all; i++)
            cr->defaults[i] =
                conf_resolve_default((ConfId)(TCONF_FIRST + i), cr->c->dynamic, arena);
    }
    if (list == NULL || cr->defaults == NULL) {
        cr->no_memory = true;
        return;
    }
    for (int i = 0; i < all; i++) {
        const ConfRow *row = &conf_rows[TCONF_FIRST + i];
        StrView name = strview_from(row->name), value = cr->defaults[i].text;
        int8_t source = (int8_t)cr->defaults[i].source;

        if (row->internal)
            continue;
        /* Ottla's own ones when they matter: so that an answer is Kafka's as long as it can be. */
        for (int k = 0; k < count; k++)
            if (strview_equal(pairs[k].name, name)) {
                value = conf_canonical(row, pairs[k].value, arena);
                source = CONF_SOURCE_TOPIC;
            }
        if (row->ours && source != CONF_SOURCE_TOPIC)
            continue;
        create_topics_response_config_init(&list[n]);
        list[n].name = name;
        list[n].value = conf_is_sensitive(row) ? WIRE_NULL_STRING : value;
        list[n].config_source = source;
        list[n].is_sensitive = conf_is_sensitive(row);
        n++;
    }
    t->configs = list;
    t->configs_count = n;
}

/* ---- partitions of a new topic ---- */

static int
compare_assignments(const void *a, const void *b)
{
    const CreateTopicsRequestAssignment *x = a, *y = b;

    return (x->partition_index > y->partition_index) - (x->partition_index < y->partition_index);
}

bool
broker_is_active(const Image *image, int32_t id)
{
    const ImageBroker *b = image_broker(image, id);

    return b != NULL && !b->fenced && !b->in_controlled_shutdown;
}

const char *
assignment_fault(const DecideContext *c, const int32_t *ids, int32_t count, int32_t wanted)
{
    if (count == 0)
        return "a partition is given no brokers";
    for (int32_t i = 0; i < count; i++) {
        if (image_broker(c->image, ids[i]) == NULL)
            return "a partition is given a broker that is not registered";
        for (int32_t k = 0; k < i; k++)
            if (ids[k] == ids[i])
                return "a partition is given the same broker twice";
    }
    if (wanted >= 0 && count != wanted)
        return "the partitions are given different numbers of brokers";
    return NULL;
}

bool
decide_add_partition(const DecideContext *c, RecordList *records, Uuid topic_id, int32_t partition,
                     const int32_t *replicas, int32_t count)
{
    int32_t *isr = arena_calloc(c->arena, (size_t)count, sizeof *isr);
    Uuid *directories = arena_calloc(c->arena, (size_t)count, sizeof *directories);
    ImagePartition p = {.partition = partition,
                        .replicas = replicas,
                        .replica_count = count,
                        .isr = isr,
                        .directories = directories,
                        .directory_count = count};
    PartitionRecord record;

    if (isr == NULL || directories == NULL) {
        records->no_memory = true;
        return true;
    }
    for (int32_t i = 0; i < count; i++) {
        if (broker_is_active(c->image, replicas[i]))
            isr[p.isr_count++] = replicas[i];
        directories[i] = decide_directory(c, replicas[i]);
    }
    if (p.isr_count == 0)
        return false;
    p.leader = isr[0];
    partition_to_record(&p, topic_id, &record);
    record_list_add(records, &partition_record_desc,
                    partition_record_version(image_feature(c->image, STRVIEW("metadata.version"))),
                    &record);
    return true;
}

static bool
manual_partitions(Creation *cr, const CreateTopicsRequestTopic *in, CreateTopicsResponseTopic *t)
{
    const CreateTopicsRequestAssignment *list = in->assignments;
    int32_t wanted = -1;

    if (in->num_partitions != -1 || in->replication_factor != -1) {
        fail(t, KERR_INVALID_REQUEST,
             "with assignments, partition count and replication factor must be -1");
        return false;
    }
    qsort(in->assignments, (size_t)in->assignments_count, sizeof *in->assignments,
          compare_assignments);
    for (int32_t i = 0; i < in->assignments_count; i++) {
        const char *fault;

        if (list[i].partition_index != i) {
            fail(t, KERR_INVALID_REPLICA_ASSIGNMENT,
                 "the partitions are not numbered from 0 without gaps, each once");
            return false;
        }
        fault = assignment_fault(cr->c, list[i].broker_ids, list[i].broker_ids_count, wanted);
        if (fault != NULL) {
            fail(t, KERR_INVALID_REPLICA_ASSIGNMENT, fault);
            return false;
        }
        wanted = list[i].broker_ids_count;
        if (!decide_add_partition(cr->c, cr->records, t->topic_id, i, list[i].broker_ids,
                                  list[i].broker_ids_count)) {
            fail(t, KERR_INVALID_REPLICA_ASSIGNMENT, "no broker of a partition is active");
            return false;
        }
    }
    t->num_partitions = in->assignments_count;
    t->replication_factor = (int16_t)wanted;
    return true;
}

static bool
placed_partitions(Creation *cr, const CreateTopicsRequestTopic *in, CreateTopicsResponseTopic *t)
{
    int32_t partitions = in->num_partitions, factor = in->replication_factor;
    const char *fault;

    if (factor == 0 || factor < -1) {
        fail(t, KERR_INVALID_REPLICATION_FACTOR, "the replication factor must be above 0, or -1");
        return false;
    }
    if (partitions == 0 || partitions < -1) {
        fail(t, KERR_INVALID_PARTITIONS, "the number of partitions must be above 0, or -1");
        return false;
    }
    partitions = partitions == -1 ? cr->c->num_partitions : partitions;
    factor = factor == -1 ? cr->c->replication_factor : factor;
    if (cr->placer == NULL)
        cr->placer = placer_for(cr->c);
    if (cr->placer == NULL) {
        cr->no_memory = true;
        return false;
    }
    fault = placer_fault(cr->placer, factor);
    if (fault != NULL) {
        fail(t, KERR_INVALID_REPLICATION_FACTOR, fault);
        return false;
    }
    for (int32_t i = 0; i < partitions; i++) {
        int32_t *ids = arena_calloc(cr->c->arena, (size_t)factor, sizeof *ids);

        if (ids == NULL) {
            cr->no_memory = true;
            return false;
        }
        placer_next(cr->placer, factor, ids);
        if (!decide_add_partition(cr->c, cr->records, t->topic_id, i, ids, factor)) {
            fail(t, KERR_INVALID_REPLICATION_FACTOR, "no broker of a partition is active");
            return false;
        }
    }
    t->num_partitions = partitions;
    t->replication_factor = (int16_t)factor;
    return true;
}

/* ---- one topic ---- */

static bool
check_name(Creation *cr, StrView name, CreateTopicsResponseTopic *t)
{
    const char *fault = topic_name_fault(name);
    StrView other;

    if (strview_equal(name, STRVIEW("__cluster_metadata"))) {
        fail(t, KERR_INVALID_REQUEST, "the metadata log cannot be created as a topic");
        return false;
    }
    if (fault != NULL) {
        fail(t, KERR_INVALID_TOPIC_EXCEPTION, fault);
        return false;
    }
    if (image_topic_by_name(cr->c->image, name) != NULL) {
        fail(t, KERR_TOPIC_ALREADY_EXISTS, say(cr, "the topic exists already", name));
        return false;
    }
    if (image_topic_alike(cr->c->image, name, &other)) {
        fail(t, KERR_INVALID_TOPIC_EXCEPTION,
             say(cr, "the name collides with another topic's, '.' and '_' being alike", other));
        return false;
    }
    return true;
}

static void
create_one(Creation *cr, const CreateTopicsRequestTopic *in, CreateTopicsResponseTopic *t)
{
    int32_t first = cr->records->count;
    ConfPair *pairs;
    TopicRecord record;
    int count;
    bool ok;

    if (!check_name(cr, in->name, t))
        return;
    count = effective_configs(cr, in, &pairs);
    if (cr->no_memory || !check_configs(cr, pairs, count, t))
        return;
    t->topic_id = random_uuid();
    topic_record_init(&record);
    record.name = in->name;
    record.topic_id = t->topic_id;
    record_list_add(cr->records, &topic_record_desc, 0, &record);
    add_configs(cr, in->name, pairs, count);
    ok = in->assignments_count > 0 ? manual_partitions(cr, in, t) : placed_partitions(cr, in, t);
    if (ok && cr->partitions + t->num_partitions > cr->c->partitions_left) {
        fail(t, KERR_POLICY_VIOLATION, "the node has no room for more partitions: max.partitions");
        ok = false;
    }
    if (ok && !mutation_charge(cr->c->meter, t->num_partitions)) {
        fail(t, KERR_THROTTLING_QUOTA_EXCEEDED, DECIDE_NO_TOKENS);
        ok = false;
    }
    if (!ok) {
        record_list_cut(cr->records, first);
        return;
    }
    cr->partitions += t->num_partitions;
    describe_configs(cr, pairs, count, t);
}

/* ---- the request ---- */

static int
compare_topics(const void *a, const void *b)
{
    const CreateTopicsRequestTopic *const *x = a, *const *y = b;

    return image_key_compare((BytesView){(const uint8_t *)(*x)->name.ptr, (*x)->name.len},
                             (BytesView){(const uint8_t *)(*y)->name.ptr, (*y)->name.len});
}

/* Partitions that a topic asks for, as far as one can say without looking further. */
static int64_t
asked(const Creation *cr, const CreateTopicsRequestTopic *in)
{
    if (in->assignments_count > 0)
        return in->assignments_count;
    return in->num_partitions == -1 ? cr->c->num_partitions
           : in->num_partitions > 0 ? in->num_partitions
                                    : 0;
}

/*
 * Partitions that the request asks for, without those topics that are refused alone: where the sum does not
 * fit 32 bits (Kafka stumbles over that), topics that no request could make.
 */
static int64_t
total_asked(Creation *cr)
{
    int64_t sum = 0, rest = 0;

    for (int32_t i = 0; i < cr->in->topics_count; i++)
        sum += asked(cr, &cr->in->topics[i]);
    if (cr->in->topics_count == 1 || sum <= INT32_MAX)
        return sum;
    for (int32_t i = 0; i < cr->in->topics_count; i++) {
        cr->oversized[i] = asked(cr, &cr->in->topics[i]) > DECIDE_RECORDS_MAX;
        rest += cr->oversized[i] ? 0 : asked(cr, &cr->in->topics[i]);
    }
    return rest;
}

/* Names in which '.' counts as '_'. */
static int
compare_alike(const CreateTopicsRequestTopic *x, const CreateTopicsRequestTopic *y)
{
    for (int32_t i = 0; i < x->name.len && i < y->name.len; i++) {
        uint8_t a = (uint8_t)(x->name.ptr[i] == '.' ? '_' : x->name.ptr[i]);
        uint8_t b = (uint8_t)(y->name.ptr[i] == '.' ? '_' : y->name.ptr[i]);

        if (a != b)
            return a < b ? -1 : 1;
    }
    return (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* By name in that sense, then by place in the request. */
static int
compare_alike_placed(const void *a, const void *b)
{
    const CreateTopicsRequestTopic *const *x = a, *const *y = b;
    int order = compare_alike(*x, *y);

    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* Marks the topics whose names collide with one before them in the request, but are not the same. */
static void
mark_collisions(Creation *cr, const CreateTopicsRequestTopic **scratch)
{
    int32_t count = cr->in->topics_count, first = 0;

    for (int32_t i = 0; i < count; i++)
        scratch[i] = &cr->in->topics[i];
    qsort(scratch, (size_t)count, sizeof *scratch, compare_alike_placed);
    for (int32_t i = 1; i < count; i++) {
        if (compare_alike(scratch[first], scratch[i]) != 0)
            first = i;
        else
            cr->collides[scratch[i] - cr->in->topics] =
                !strview_equal(scratch[first]->name, scratch[i]->name);
    }
}

static void
fail_all(CreateTopicsResponse *out, int16_t code, const char *text)
{
    for (int32_t i = 0; i < out->topics_count; i++)
        if (out->topics[i].error_code == 0 || code != KERR_POLICY_VIOLATION)
            fail(&out->topics[i], code, text);
}

static void
create_all(Creation *cr, const CreateTopicsRequestTopic *const *sorted)
{
    bool refused = total_asked(cr) > DECIDE_RECORDS_MAX;

    for (int32_t i = 0, next; i < cr->in->topics_count && !cr->no_memory; i = next) {
        CreateTopicsResponseTopic *t = &cr->out->topics[cr->out->topics_count++];

        for (next = i + 1;
             next < cr->in->topics_count && strview_equal(sorted[next]->name, sorted[i]->name);)
            next++;
        create_topics_response_topic_init(t);
        t->name = sorted[i]->name;
        t->error_message = WIRE_NULL_STRING;
        /* An empty list and not null: nothing is hidden. */
        t->configs = arena_calloc(cr->c->arena, 1, sizeof *t->configs);
        if (next > i + 1)
            fail(t, KERR_INVALID_REQUEST, "the topic comes more than once in the request");
        else if (cr->oversized[sorted[i] - cr->in->topics])
            fail(t, KERR_INVALID_PARTITIONS, "too many partitions");
        else if (refused)
            fail(t, KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS);
        else if (cr->collides[sorted[i] - cr->in->topics])
            fail(t, KERR_INVALID_TOPIC_EXCEPTION,
                 "the name differs from another one of the request in '.' and '_' only");
        else
            create_one(cr, sorted[i], t);
    }
    if (cr->records->count > DECIDE_RECORDS_MAX) {
        record_list_cut(cr->records, 0);
        fail_all(cr->out, KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS);
    }
}

int
decide_create_topics(const DecideContext *c, const CreateTopicsRequest *in, RecordList *records,
                     CreateTopicsResponse *ret)
{
    Creation cr = {.c = c, .in = in, .records = records, .out = ret};
    const CreateTopicsRequestTopic **sorted =
        arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *sorted);

    ot_assert(records->count == 0);
    create_topics_response_init(ret);
    ret->topics = arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    cr.oversized = arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *cr.oversized);
    cr.collides = arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *cr.collides);
    if (sorted == NULL || ret->topics == NULL || cr.oversized == NULL || cr.collides == NULL)
        return OT_E_NO_MEMORY;
    mark_collisions(&cr, sorted);
    for (int32_t i = 0; i < in->topics_count; i++)
        sorted[i] = &in->topics[i];
    qsort(sorted, (size_t)in->topics_count, sizeof *sorted, compare_topics);
    create_all(&cr, sorted);
    if (cr.no_memory || records->no_memory)
        return OT_E_NO_MEMORY;
    if (in->timeout_ms <= 0) {
        record_list_cut(records, 0);
        fail_all(ret, KERR_REQUEST_TIMED_OUT, NULL);
    }
    if (in->validate_only)
        record_list_cut(records, 0);
    ret->throttle_time_ms = c->meter == NULL ? 0 : c->meter->throttle_ms;
    return 0;
}
