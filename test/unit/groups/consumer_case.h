/*
 * consumer_case.h - steps of a case with one consumer group, "g"
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_CONSUMER_CASE_H
#define TEST_CONSUMER_CASE_H

#include "consumer_kit.h"

#define G "g"

#define BEAT(expected, member, epoch, ...) \
    assert_string_equal(ck_beat(ck, G, member, epoch, (Say){__VA_ARGS__}), expected)
#define JOIN(expected, member, ...) BEAT(expected, member, 0, .join = true, __VA_ARGS__)

#endif
