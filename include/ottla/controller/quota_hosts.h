/*
 * quota_hosts.h - addresses of the hosts whose names have quotas
 *
 * Kafka looks a name up when its quota is set, and when it is applied. So do we: the backend that hands
 * AlterClientQuotas over asks first (a name without an address is refused), and what it found travels with the
 * request and counts from the answer on. After a start a child of the controller asks for all of them, and asks again
 * for those that have no answer; until then the quota of the name limits nobody. Of several addresses the first of
 * IPv4 counts, else the first, as in Java. The region holds the addresses by the hash of the name, kept twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_QUOTA_HOSTS_H
#define OTTLA_CONTROLLER_QUOTA_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/ip_text.h"
#include "ottla/common/limits.h"
#include "ottla/ipc/name_child.h"
#include "ottla/ipc/region.h"

#define QUOTA_HOSTS_MAX 1024 /* names that have quotas, and those that one request asks for */

/* Bytes alone: it travels in messages. */
typedef struct KnownHost {
    IpAddress address;
    char name[LIMIT_HOST_LEN + 1];
} KnownHost;

size_t quota_hosts_shm_size(const ShmLimits *limits);
void quota_hosts_shm_init(void *base, const ShmLimits *limits);

/* The address of a name that has a quota. False: not known, or not yet. No system call; any process. */
bool quota_host_find(StrView name, IpAddress *ret);

/* The address that counts of what a child found. False: there is none. */
bool quota_host_choose(const NameFinding *finding, IpAddress *ret);

#endif
