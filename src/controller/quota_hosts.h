/*
 * quota_hosts.h - the controller's part of the hosts whose names have quotas
 *
 * Runs in: controller.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONTROLLER_QUOTA_HOSTS_H
#define CONTROLLER_QUOTA_HOSTS_H

#include "ottla/controller/image.h"
#include "ottla/controller/quota_hosts.h"

/* Addresses that came with requests of a turn, the last first. */
typedef struct HostList {
    const KnownHost *rows;
    int32_t count;
    struct HostList *next;
} HostList;

/*
 * Makes the table hold the names that the image has: with the addresses of found, else those it had. Cheap when
 * neither is new. Before the image is published, so that a quota counts with the answer.
 */
void quota_hosts_follow(const Image *image, const HostList *found);

/*
 * Each turn of the main loop: begins to ask for names that have no address, when it is time. When to call it again
 * at the latest; INT64_MAX: not by time.
 */
int64_t quota_hosts_tick(int64_t now_us);

/* The process ends, or a test: everything is forgotten. */
void quota_hosts_stop(void);

#endif
