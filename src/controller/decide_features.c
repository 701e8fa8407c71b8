/*
 * decide_features.c - UpdateFeatures: finalized levels go up and down
 *
 * Spec: cluster.md 3.3, admin-and-security.md 3. All or nothing; of a feature that comes twice the last
 * counts. A level that does not change makes no record.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "controller/decide.h"
#include "controller/features.h"

/* Kafka's numbers. */
#define UPGRADE          1
#define SAFE_DOWNGRADE   2
#define UNSAFE_DOWNGRADE 3

#define METADATA_VERSION "metadata.version"
#define KRAFT_VERSION    "kraft.version"
#define ELR_VERSION      "eligible.leader.replicas.version"
#define MIN_ISR          "min.insync.replicas"

typedef struct Update {
    StrView feature;
    int16_t level;
    int8_t type;
    int32_t serial; /* in the request */
} Update;

static int
compare_updates(const void *a, const void *b)
{
    const Update *x = a, *y = b;
    int order = image_key_compare((BytesView){(const uint8_t *)x->feature.ptr, x->feature.len},
                                  (BytesView){(const uint8_t *)y->feature.ptr, y->feature.len});

    return order != 0 ? order : (x->serial > y->serial) - (x->serial < y->serial);
}

/* Why not, in the arena; an empty text stands for no memory, NULL for fine. */
static const char *
why(const DecideContext *c, const Update *u, const char *text)
{
    const char *line = arena_printf(c->arena, "feature %.*s at level %d: %s", (int)u->feature.len,
                                    u->feature.ptr, u->level, text);

    return line == NULL ? "" : line;
}

/* Does every registered broker support the level? */
static const char *
broker_fault(const DecideContext *c, const Update *u)
{
    for (const ImageBroker *b = image_broker_after(c->image, INT32_MIN); b != NULL;
         b = image_broker_after(c->image, b->id)) {
        int16_t min = 0, max = 0;
        const char *text;

        for (int32_t i = 0; i < b->feature_count; i++)
            if (strview_equal(b->features[i].name, u->feature)) {
                min = b->features[i].min;
                max = b->features[i].max;
            }
        if (u->level >= min && u->level <= max)
            continue;
        text =
            arena_printf(c->arena, "broker %" PRId32 " supports levels %d to %d", b->id, min, max);
        return text == NULL ? "" : why(c, u, text);
    }
    return NULL;
}

/* Levels of other features that the new level needs, as they are or as this request makes them. */
static const char *
dependency_fault(const DecideContext *c, const Update *u, const Update *all, int32_t count)
{
    int16_t metadata = image_feature(c->image, STRVIEW(METADATA_VERSION));

    if (!strview_equal(u->feature, STRVIEW(ELR_VERSION)) || u->level == 0)
        return NULL;
    for (int32_t i = 0; i < count; i++)
        if (strview_equal(all[i].feature, STRVIEW(METADATA_VERSION)))
            metadata = all[i].level;
    return metadata >= FEATURE_ELR_METADATA_VERSION
               ? NULL
               : why(c, u, "it needs metadata.version at level 23 or above");
}

/* Why an update is refused; NULL: it is not. */
static const char *
fault_of(const DecideContext *c, const Update *u, const Update *all, int32_t count)
{
    int16_t now = image_feature(c->image, u->feature);
    const FeatureRow *row = feature_find(u->feature);
    const char *fault;

    if (u->type < UPGRADE || u->type > UNSAFE_DOWNGRADE)
        return why(c, u, "the type of the update is not known");
    if (u->level < 0)
        return why(c, u, "a level is not below 0");
    if (row == NULL)
        return why(c, u, "the controller does not know the feature");
    if (u->level < row->min || u->level > row->max)
        return why(c, u, "the controller does not support the level");
    fault = broker_fault(c, u);
    if (fault != NULL)
        return fault;
    if (u->level < now && u->type == UPGRADE)
        return why(c, u, "the level is lower than now, and the update is no downgrade");
    if (u->level > now && u->type != UPGRADE)
        return why(c, u, "the level is higher than now, and the update is a downgrade");
    if (strview_equal(u->feature, STRVIEW(KRAFT_VERSION)) && u->level != now)
        return why(c, u, "this level does not change while the cluster runs");
    if (strview_equal(u->feature, STRVIEW(METADATA_VERSION)) && u->level < now &&
        feature_metadata_changed(u->level, now))
        return u->type == UNSAFE_DOWNGRADE
                   ? why(c, u, "an unsafe downgrade of the metadata is not supported")
                   : why(c, u, "records of the metadata log would be lost");
    return dependency_fault(c, u, all, count);
}

/* ---- effects of single features ---- */

/* A setting of a broker, or of all brokers when the name is empty; value null takes it away. */
static void
put_broker_config(RecordList *records, StrView broker, StrView value)
{
    ConfigRecord record;

    config_record_init(&record);
    record.resource_type = IMAGE_CONFIG_BROKER;
    record.resource_name = broker;
    record.name = STRVIEW(MIN_ISR);
    record.value = value;
    record_list_add(records, &config_record_desc, 0, &record);
}

/* With ELR the smallest ISR is one for all brokers, and said in the metadata (cluster.md 3.2). */
static void
turn_elr_on(const DecideContext *c, RecordList *records)
{
    const char *fresh = arena_printf(c->arena, "%" PRId32, c->min_insync_replicas);
    StrView value;

    if (fresh == NULL)
        records->no_memory = true;
    else if (!image_config(c->image, IMAGE_CONFIG_BROKER, STRVIEW(""), STRVIEW(MIN_ISR), &value))
        put_broker_config(records, STRVIEW(""), strview_from(fresh));
    for (const MapNode *node = map_after(c->image->maps[MAP_CONFIG], (BytesView){NULL, 0}, true);
         node != NULL; node = map_after(c->image->maps[MAP_CONFIG],
                                        (BytesView){node->key, node->key_len}, false)) {
        StrView broker = {(const char *)node->key + 3, node->key[1] << 8 | node->key[2]};
        StrView name = {broker.ptr + broker.len, node->key_len - 3 - broker.len};

        if (node->key[0] == IMAGE_CONFIG_BROKER && broker.len > 0 &&
            strview_equal(name, STRVIEW(MIN_ISR)))
            put_broker_config(records, broker, WIRE_NULL_STRING);
    }
}

static void
apply_update(const DecideContext *c, const Update *u, RecordList *records)
{
    FeatureLevelRecord record;

    if (u->level == image_feature(c->image, u->feature))
        return;
    feature_level_record_init(&record);
    record.name = u->feature;
    record.feature_level = u->level;
    record_list_add(records, &feature_level_record_desc, 0, &record);
    if (strview_equal(u->feature, STRVIEW(ELR_VERSION)) && u->level > 0)
        turn_elr_on(c, records);
}

/* ---- the request ---- */

/* The updates by feature, each once; NULL: no memory. */
static Update *
collect(const DecideContext *c, const UpdateFeaturesRequest *in, int32_t *ret_count)
{
    int32_t count = in->feature_updates_count, n = 0;
    Update *list = arena_calloc(c->arena, (size_t)count + 1, sizeof *list);

    if (list == NULL)
        return NULL;
    for (int32_t i = 0; i < count; i++) {
        const UpdateFeaturesRequestFeatureUpdateKey *from = &in->feature_updates[i];
        int8_t type = from->upgrade_type;

        if (c->api_version == 0)
            type = from->allow_downgrade ? SAFE_DOWNGRADE : UPGRADE;
        list[i] = (Update){from->feature, from->max_version_level, type, i};
    }
    qsort(list, (size_t)count, sizeof *list, compare_updates);
    for (int32_t i = 0; i < count; i++)
        if (i + 1 == count || !strview_equal(list[i].feature, list[i + 1].feature))
            list[n++] = list[i];
    *ret_count = n;
    return list;
}

static int
answer_fine(const DecideContext *c, const UpdateFeaturesRequest *in, UpdateFeaturesResponse *ret)
{
    if (c->api_version >= 2)
        return 0;
    ret->results =
        arena_calloc(c->arena, (size_t)in->feature_updates_count + 1, sizeof *ret->results);
    if (ret->results == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->feature_updates_count; i++) {
        UpdateFeaturesResponseResult *r = &ret->results[ret->results_count++];

        update_features_response_result_init(r);
        r->feature = in->feature_updates[i].feature;
        r->error_message = STRVIEW("The feature has the level that was asked for.");
    }
    return 0;
}

int
decide_update_features(const DecideContext *c, const UpdateFeaturesRequest *in, RecordList *records,
                       UpdateFeaturesResponse *ret)
{
    int32_t count = 0;
    Update *list = collect(c, in, &count);

    update_features_response_init(ret);
    ret->error_message = WIRE_NULL_STRING;
    if (list == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        const char *fault = fault_of(c, &list[i], list, count);

        if (fault == NULL)
            continue;
        ret->error_code = KERR_INVALID_UPDATE_VERSION;
        ret->error_message = strview_from(fault);
        return fault[0] == '\0' ? OT_E_NO_MEMORY : 0;
    }
    if (c->api_version == 0 || !in->validate_only)
        for (int32_t i = 0; i < count; i++)
            apply_update(c, &list[i], records);
    return records->no_memory ? OT_E_NO_MEMORY : answer_fine(c, in, ret);
}
