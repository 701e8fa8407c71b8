/*
 * image_build.h - changes to the image being built, one object at a time
 *
 * Runs in: controller. Every function either does its change or, with OT_E_FULL (arena full) or an
 * error of its own, leaves the generation fit for image_abort() only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_IMAGE_BUILD_H
#define OTTLA_CONTROLLER_IMAGE_BUILD_H

#include "controller/image_int.h"

/* OT_E_EXISTS: the name or the id is taken. */
int build_topic(ImageWriter *w, StrView name, Uuid id) __attribute__((warn_unused_result));

/* With its partitions; its settings stay. OT_E_NOT_FOUND. */
int build_remove_topic(ImageWriter *w, Uuid id) __attribute__((warn_unused_result));

/* Adds or replaces; what p points at is copied. OT_E_NOT_FOUND: no such topic. */
int build_partition(ImageWriter *w, Uuid topic_id, const ImagePartition *p)
    __attribute__((warn_unused_result));

/* Handle of the topic's shared settings record. OT_E_NOT_FOUND. */
int build_topic_settings(ImageWriter *w, Uuid topic_id, uint64_t handle)
    __attribute__((warn_unused_result));

/* Adds or replaces; deep copy. */
int build_broker(ImageWriter *w, const ImageBroker *broker) __attribute__((warn_unused_result));

/* OT_E_NOT_FOUND. */
int build_remove_broker(ImageWriter *w, int32_t id) __attribute__((warn_unused_result));

/* Adds or replaces in one of the maps of entries; value may be null. */
int build_entry(ImageWriter *w, ImageMap map, BytesView key, BytesView value)
    __attribute__((warn_unused_result));

/* OT_E_NOT_FOUND. */
int build_remove_entry(ImageWriter *w, ImageMap map, BytesView key)
    __attribute__((warn_unused_result));

#endif
