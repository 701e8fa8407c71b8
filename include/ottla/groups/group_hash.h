/*
 * group_hash.h - which partition of an internal topic a key belongs to
 *
 * Java's String.hashCode, over the UTF-16 units that a Java server would decode the bytes to: what is no UTF-8 becomes
 * U+FFFD there, and so here. Spec: groups-and-transactions.md 1.1. pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_GROUP_HASH_H
#define OTTLA_GROUPS_GROUP_HASH_H

#include <stdint.h>

#include "ottla/common/view.h"

int32_t java_string_hash(StrView text);

/* Length of the text for Java: in UTF-16 units. */
int32_t java_string_units(StrView text);

/* The partition of group ids, transactional ids and share keys; partitions > 0. */
int32_t group_partition_of(StrView id, int32_t partitions);

#endif
