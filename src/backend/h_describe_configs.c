/*
 * h_describe_configs.c - DescribeConfigs, ListConfigResources: read from the image
 *
 * Runs in: backend. Spec: admin-and-security.md 4.2; observed.md 8.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/config_entries_int.h"
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_list_config_resources.h"

#define RESOURCE_BROKER_LOGGER 8

/* All settings of many topics, and all names of resources: far more than a real answer takes. */
#define ANSWER_BYTES (256 << 20)

/* ---- DescribeConfigs ---- */

static void
refuse(DescribeConfigsResponseResult *out, int16_t code, const char *text)
{
    out->error_code = code;
    out->error_message = strview_from(text);
}

static bool
is_this_node(const ConfigQuery *q, StrView name)
{
    return strview_equal(name, strview_from(q->values.node_id));
}

static bool
is_known_type(int8_t type)
{
    return type == IMAGE_CONFIG_TOPIC || type == IMAGE_CONFIG_BROKER ||
           type == RESOURCE_BROKER_LOGGER || type == IMAGE_CONFIG_CLIENT_METRICS ||
           type == IMAGE_CONFIG_GROUP;
}

/* The entries of a resource, or its error; all of one kind. */
static ConfigEntries
describe_one(ConfigQuery *q, const DescribeConfigsRequestResource *in,
             DescribeConfigsResponseResult *out)
{
    StrView name = in->resource_name;
    ConfigEntries none = {NULL, 0};

    switch (in->resource_type) {
    case IMAGE_CONFIG_TOPIC:
        if (!name_is_legal_topic(name)) {
            refuse(out, KERR_INVALID_TOPIC_EXCEPTION, "The topic name is not a legal one.");
            return none;
        }
        if (image_topic_by_name(q->image, name) == NULL) {
            refuse(out, KERR_UNKNOWN_TOPIC_OR_PARTITION, "");
            return none;
        }
        return config_entries_topic(q, name);
    case IMAGE_CONFIG_BROKER:
        if (name.len == 0)
            return config_entries_all_nodes(q);
        if (is_this_node(q, name))
            return config_entries_node(q);
        refuse(out, KERR_INVALID_REQUEST, "The settings of a node are described by that node.");
        return none;
    case RESOURCE_BROKER_LOGGER:
        if (is_this_node(q, name))
            return config_entries_loggers(q);
        refuse(out, KERR_INVALID_REQUEST, "The loggers of a node are described by that node.");
        return none;
    default:
        if (name.len == 0) {
            refuse(out, KERR_INVALID_REQUEST, "The resource has no name.");
            return none;
        }
        return in->resource_type == IMAGE_CONFIG_GROUP ? config_entries_group(q, name)
                                                       : config_entries_metrics(q, name);
    }
}

static void
describe_all(ConfigQuery *q, const DescribeConfigsRequest *in, DescribeConfigsResponse *out)
{
    bool known = true;

    for (int32_t i = 0; i < in->resources_count; i++)
        known &= is_known_type(in->resources[i].resource_type);
    for (int32_t i = 0; i < in->resources_count && !q->no_memory; i++) {
        const DescribeConfigsRequestResource *r = &in->resources[i];
        DescribeConfigsResponseResult *to = &out->results[out->results_count++];
        ConfigEntries entries = {NULL, 0};

        describe_configs_response_result_init(to);
        to->resource_type = r->resource_type;
        to->resource_name = name_echo(q->arena, r->resource_name);
        to->error_message = STRVIEW("");
        config_query_keys(q, r->configuration_keys, r->configuration_keys_count);
        if (known)
            entries = describe_one(q, r, to);
        else
            refuse(to, KERR_INVALID_REQUEST, "A resource of the request is of no known type.");
        to->configs = entries.list;
        to->configs_count = entries.count;
    }
}

ReqResult
h_describe_configs_start(Request *rq)
{
    DescribeConfigsRequest in;
    DescribeConfigsResponse out;
    ConfigQuery q;
    ImagePin pin;

    if (!request_read(rq, &describe_configs_request_desc, &in))
        return REQ_CLOSE;
    request_grow(rq, ANSWER_BYTES);
    describe_configs_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)in.resources_count + 1, sizeof *out.results);
    if (out.results == NULL)
        return request_close(rq, "no memory for a description of settings");
    pin = image_pin();
    config_query_init(&q, rq->arena, pin.image, node_info.node_id);
    q.synonyms = in.include_synonyms;
    q.documentation = in.include_documentation;
    describe_all(&q, &in, &out);
    image_unpin(&pin);
    if (q.no_memory)
        return request_close(rq, "no memory for a description of settings");
    for (int32_t i = 0; i < out.results_count; i++)
        rq->failed |= out.results[i].error_code != 0;
    return request_respond(rq, &describe_configs_response_desc, &out);
}

/* ---- ListConfigResources ---- */

typedef struct Listing {
    Arena *arena;
    ListConfigResourcesResponse out;
    int32_t room;
    bool no_memory;
} Listing;

static void
add_resource(Listing *l, int8_t type, StrView name)
{
    ListConfigResourcesResponseConfigResource *r;

    if (l->out.config_resources_count == l->room) {
        int32_t room = l->room == 0 ? 64 : l->room * 2;

        r = arena_calloc(l->arena, (size_t)room, sizeof *r);
        if (r == NULL) {
            l->no_memory = true;
            return;
        }
        if (l->room > 0)
            memcpy(r, l->out.config_resources, (size_t)l->room * sizeof *r);
        l->out.config_resources = r;
        l->room = room;
    }
    r = &l->out.config_resources[l->out.config_resources_count++];
    list_config_resources_response_config_resource_init(r);
    r->resource_type = type;
    r->resource_name = meta_copy(l->arena, name);
    l->no_memory |= r->resource_name.ptr == NULL;
}

static void
add_with_settings(Listing *l, const Image *image, int8_t type)
{
    StrView name = {NULL, 0};

    while (!l->no_memory && image_config_next_resource(image, type, name, &name))
        add_resource(l, type, name);
}

static void
add_type(Listing *l, const Image *image, int8_t type)
{
    char id[16];

    switch (type) {
    case IMAGE_CONFIG_TOPIC:
        for (const ImageTopic *t = image_topic_after(image, (StrView){NULL, 0});
             t != NULL && !l->no_memory; t = image_topic_after(image, image_topic_name(t)))
            add_resource(l, type, image_topic_name(t));
        break;
    case IMAGE_CONFIG_BROKER:
    case RESOURCE_BROKER_LOGGER:
        for (const ImageBroker *b = image_broker_after(image, INT32_MIN); b != NULL;
             b = image_broker_after(image, b->id)) {
            snprintf(id, sizeof id, "%d", (int)b->id);
            add_resource(l, type, strview_from(id));
        }
        break;
    default: /* groups and subscriptions exist here by their settings alone */
        add_with_settings(l, image, type);
        break;
    }
}

ReqResult
h_list_config_resources_start(Request *rq)
{
    static const int8_t types[] = {IMAGE_CONFIG_TOPIC, IMAGE_CONFIG_BROKER, RESOURCE_BROKER_LOGGER,
                                   IMAGE_CONFIG_CLIENT_METRICS, IMAGE_CONFIG_GROUP};
    Listing l = {.arena = rq->arena};
    ListConfigResourcesRequest in;
    bool wanted[INT8_MAX + 1] = {false};
    ImagePin pin;

    if (!request_read(rq, &list_config_resources_request_desc, &in))
        return REQ_CLOSE;
    request_grow(rq, ANSWER_BYTES);
    list_config_resources_response_init(&l.out);
    for (int32_t i = 0; i < in.resource_types_count; i++) {
        if (!is_known_type(in.resource_types[i])) {
            rq->failed = true;
            l.out.error_code = KERR_UNSUPPORTED_VERSION;
            return request_respond(rq, &list_config_resources_response_desc, &l.out);
        }
        wanted[in.resource_types[i]] = true;
    }
    if (rq->head.api_version == 0) /* which knew subscriptions alone */
        wanted[IMAGE_CONFIG_CLIENT_METRICS] = true;
    pin = image_pin();
    for (size_t i = 0; i < sizeof types; i++)
        if (wanted[types[i]] || (rq->head.api_version > 0 && in.resource_types_count <= 0))
            add_type(&l, pin.image, types[i]);
    image_unpin(&pin);
    if (l.no_memory)
        return request_close(rq, "no memory for a list of resources");
    return request_respond(rq, &list_config_resources_response_desc, &l.out);
}
