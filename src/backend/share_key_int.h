/*
 * share_key_int.h - keys of share coordinators: group:topic id:partition
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_SHARE_KEY_INT_H
#define OTTLA_BACKEND_SHARE_KEY_INT_H

#include <stdbool.h>

#include "ottla/common/view.h"

/*
 * Three parts between two colons: a group that is not blank, a topic id in Kafka's text form, and a number
 * of 32 bits, with a sign if it likes (observed.md 12).
 */
bool share_key_is_legal(StrView key);

#endif
