/*
 * metadata_view.c - the metadata image as a group core sees it
 *
 * Runs in: coordinator. Never: holds its pin across a write, a read or a wait.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/metadata_view_int.h"

static bool
fill(const ImageTopic *topic, GroupTopic *ret)
{
    if (topic == NULL)
        return false;
    *ret = (GroupTopic){.name = image_topic_name(topic),
                        .id = image_topic_id(topic),
                        .partition_count = image_topic_partition_count(topic)};
    return true;
}

static const Image *
image_in(void *ctx)
{
    const MetadataView *view = ctx;

    return view->pin.image;
}

static bool
by_name(void *ctx, StrView name, GroupTopic *ret)
{
    return image_in(ctx) != NULL && fill(image_topic_by_name(image_in(ctx), name), ret);
}

static bool
by_id(void *ctx, Uuid id, GroupTopic *ret)
{
    return image_in(ctx) != NULL && fill(image_topic_by_id(image_in(ctx), id), ret);
}

static bool
after(void *ctx, StrView name, GroupTopic *ret)
{
    return image_in(ctx) != NULL && fill(image_topic_after(image_in(ctx), name), ret);
}

static bool
group_config(void *ctx, StrView group, StrView key, StrView *ret_value)
{
    return image_in(ctx) != NULL &&
           image_config(image_in(ctx), IMAGE_CONFIG_GROUP, group, key, ret_value);
}

void
metadata_view_begin(MetadataView *view)
{
    view->pin = image_pin();
    view->metadata = (GroupMetadata){
        .version = view->pin.image == NULL ? 0 : image_generation(view->pin.image),
        .ctx = view,
        .by_name = by_name,
        .by_id = by_id,
        .after = after,
        .group_config = group_config,
    };
}

void
metadata_view_end(MetadataView *view)
{
    image_unpin(&view->pin);
}
