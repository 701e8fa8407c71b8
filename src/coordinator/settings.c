/*
 * settings.c - what the settings table says about groups
 *
 * Runs in: coordinator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "coordinator/worker_int.h"
#include "ottla/common/conf.h"
#include "ottla/controller/image.h"

static bool
list_names(const char *list, const char *word)
{
    for (StrView rest = conf_list_begin(strview_from(list)), item; conf_list_next(&rest, &item);)
        if (strview_equal(item, strview_from(word)))
            return true;
    return false;
}

static MigrationPolicy
migration_policy(void)
{
    const char *text = conf_str(CONF_GROUP_CONSUMER_MIGRATION_POLICY);

    return strcasecmp(text, "disabled") == 0    ? MIGRATION_DISABLED
           : strcasecmp(text, "upgrade") == 0   ? MIGRATION_UPGRADE
           : strcasecmp(text, "downgrade") == 0 ? MIGRATION_DOWNGRADE
                                                : MIGRATION_BIDIRECTIONAL;
}

/* Those that exist here, in the order of the setting; Kafka's class names end in them. */
static void
read_assignors(GroupSettings *ret)
{
    const char *list = conf_str(CONF_GROUP_CONSUMER_ASSIGNORS);

    ret->assignor_count = 0;
    for (StrView rest = conf_list_begin(strview_from(list)), item; conf_list_next(&rest, &item);) {
        if (ret->assignor_count == ASSIGNOR_COUNT)
            break;
        if (strview_equal(item, STRVIEW("uniform")) ||
            strview_equal(item,
                          STRVIEW("org.apache.kafka.coordinator.group.assignor.UniformAssignor")))
            ret->assignors[ret->assignor_count++] = ASSIGNOR_UNIFORM;
        else if (strview_equal(
                     item, STRVIEW("org.apache.kafka.coordinator.group.assignor.RangeAssignor")) ||
                 strview_equal(item, STRVIEW("range")))
            ret->assignors[ret->assignor_count++] = ASSIGNOR_RANGE;
    }
    if (ret->assignor_count == 0)
        ret->assignors[ret->assignor_count++] = ASSIGNOR_UNIFORM;
}

static bool
consumer_is_enabled(void)
{
    ImagePin pin = image_pin();
    bool finalized = pin.image != NULL && image_feature(pin.image, STRVIEW("group.version")) >= 1;

    image_unpin(&pin);
    return finalized &&
           list_names(conf_str(CONF_GROUP_COORDINATOR_REBALANCE_PROTOCOLS), "consumer");
}

void
coordinator_settings(GroupSettings *ret)
{
    *ret = (GroupSettings){
        .min_session_timeout_ms = conf_int32(CONF_GROUP_MIN_SESSION_TIMEOUT_MS),
        .max_session_timeout_ms = conf_int32(CONF_GROUP_MAX_SESSION_TIMEOUT_MS),
        .initial_rebalance_delay_ms = conf_int32(CONF_GROUP_INITIAL_REBALANCE_DELAY_MS),
        .max_size = conf_int32(CONF_GROUP_MAX_SIZE),
        .consumer_session_timeout_ms = conf_int32(CONF_GROUP_CONSUMER_SESSION_TIMEOUT_MS),
        .consumer_min_session_timeout_ms = conf_int32(CONF_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS),
        .consumer_max_session_timeout_ms = conf_int32(CONF_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS),
        .consumer_heartbeat_interval_ms = conf_int32(CONF_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS),
        .consumer_min_heartbeat_interval_ms =
            conf_int32(CONF_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS),
        .consumer_max_heartbeat_interval_ms =
            conf_int32(CONF_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS),
        .consumer_assignment_interval_ms = conf_int32(CONF_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS),
        .consumer_min_assignment_interval_ms =
            conf_int32(CONF_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS),
        .consumer_max_assignment_interval_ms =
            conf_int32(CONF_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS),
        .consumer_max_size = conf_int32(CONF_GROUP_CONSUMER_MAX_SIZE),
        .consumer_regex_refresh_interval_ms =
            conf_int32(CONF_GROUP_CONSUMER_REGEX_REFRESH_INTERVAL_MS),
        .migration_policy = migration_policy(),
        .consumer_enabled = consumer_is_enabled(),
        .offset_metadata_max_bytes = conf_int32(CONF_OFFSET_METADATA_MAX_BYTES),
        .offsets_retention_ms =
            (int64_t)conf_int32(CONF_OFFSETS_RETENTION_MINUTES) * 60 * INT64_C(1000),
        .max_member_metadata_bytes = conf_int32(CONF_GROUP_MAX_MEMBER_METADATA_BYTES),
        .slice_steps = GROUP_SLICE_STEPS,
        .max_batch_bytes = INT32_MAX, /* the shard's, when it is asked */
    };
    read_assignors(ret);
}
