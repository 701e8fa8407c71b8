/*
 * values_int.h - values in statements: units, times, patterns, operations
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_VALUES_INT_H
#define OTTLA_STATEMENT_VALUES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/conf.h"
#include "ottla/common/view.h"

/* Kafka's number of an operation of ACLs, written in any case, with or without '_'; 0: none. ALL is 2. */
int acl_operation_of(StrView word);

/* The keyword of an operation from 2 on; NULL behind the last one. */
const char *acl_operation_name(int operation);

/*
 * A value as the server takes it: numbers of settings that have a unit in base units (7d: 604800000), booleans as
 * true and false. A setting that is not known goes by the end of its name (.ms, .bytes, ...). What cannot be
 * converted stays as it is, for the server to refuse. ptr NULL: no memory.
 */
StrView value_for_config(ConfScope scope, StrView name, StrView text, Arena *arena);

/* Bytes per second: 10MB, 10MB/s, 1048576. False: none, or not positive. */
bool value_rate(StrView text, int64_t *ret);

/* 15min, 1.5h, 90 s, 1000 (ms), or ISO 8601: P1D, PT1H30M, P2W. False: none, or negative. */
bool value_duration_ms(StrView text, int64_t *ret);

/*
 * Milliseconds since 1970: a number (of seconds below 10^11, else ms), a date, date and time with 'T' or a blank,
 * with fraction, with Z or +hh[:mm] or without zone, or -DURATION before now.
 * zone_name: what counts without zone: UTC, a name as TZ has it, NULL or local: the zone of the process. False: none of
 * these.
 */
bool value_timestamp_ms(StrView text, int64_t now_ms, const char *zone_name, int64_t *ret);

/* '*' any bytes, '?' one, '\' takes the next as it is. */
bool glob_matches(StrView pattern, StrView text);
bool glob_is(StrView text);

#endif
