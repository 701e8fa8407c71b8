/*
 * metadata_view_int.h - the metadata image as a group core sees it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_METADATA_VIEW_INT_H
#define OTTLA_COORDINATOR_METADATA_VIEW_INT_H

#include "ottla/controller/image.h"
#include "ottla/groups/env.h"

typedef struct MetadataView {
    ImagePin pin;
    GroupMetadata metadata; /* for GroupEnv; valid between begin and end */
} MetadataView;

/* Pins the newest image: only while code runs. */
void metadata_view_begin(MetadataView *view);
void metadata_view_end(MetadataView *view);

#endif
