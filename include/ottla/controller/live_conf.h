/*
 * live_conf.h - settings of nodes take effect while the node runs
 *
 * Dynamic settings lie in the metadata image. When they have changed the controller raises one word of
 * the shared page; when the files were read anew the supervisor raises another. Every process compares
 * both once a turn of its main loop, and only then takes the values over, so that conf_int64() and the
 * like give what is in force. Whoever uses a setting asks at the time of use and keeps nothing.
 *
 * The supervisor follows no pointer into shared memory: what it needs is written for it as texts, kept
 * twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_LIVE_CONF_H
#define OTTLA_CONTROLLER_LIVE_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "ottla/common/conf.h"
#include "ottla/controller/image.h"
#include "ottla/ipc/region.h"

/* Finds the dynamic settings of a node in an image; arg of the lookup. */
typedef struct NodeValues {
    const Image *image;
    char node_id[16];
} NodeValues;

/* values outlives the lookup, the image's pin both. */
ConfLookup node_values_lookup(NodeValues *values, const Image *image, int32_t node_id);

size_t live_conf_shm_size(const ShmLimits *limits);
void live_conf_shm_init(void *base, const ShmLimits *limits);

/*
 * Every process but the supervisor, once a turn of its main loop, outside of pins: takes over what has changed.
 * True: something has; texts that conf_str gave before are no longer valid then.
 */
bool live_conf_refresh(void);

/* Supervisor, once a turn: the same, for the settings it acts upon. */
bool live_conf_follow(void);

/*
 * Controller, when an image with changed settings of nodes was published, or levels of log lines were set: all processes
 * take them over at their next turn, the supervisor at once.
 */
void live_conf_announce(const Image *image);

#endif
