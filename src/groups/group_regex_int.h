/*
 * group_regex_int.h - regular expressions that subscribe to topics
 *
 * What is taken is RE2's language (the Java server's engine); a scanner refuses what PCRE2 would take
 * beyond it. Matching is by backtracking, therefore bounded: a name on which the bound is hit does not match.
 *
 * Spec: groups-and-transactions.md 4.7, design.md 11. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_GROUP_REGEX_INT_H
#define OTTLA_GROUPS_GROUP_REGEX_INT_H

#include "ottla/common/view.h"

#define GROUP_REGEX_BYTES_MAX 1024
#define GROUP_REGEX_STEPS_MAX 100000 /* of matching one name */

typedef struct GroupRegex GroupRegex;

/* NULL: not an expression, and *ret_fault says why; or no memory, and *ret_fault is NULL. */
GroupRegex *group_regex_new(StrView pattern, const char **ret_fault);

void group_regex_free(GroupRegex *regex);

typedef enum RegexMatch { REGEX_NO, REGEX_YES, REGEX_LIMIT } RegexMatch;

/* Does the whole name match? REGEX_LIMIT: more than steps_max steps would be needed to say so. */
RegexMatch group_regex_match(const GroupRegex *regex, StrView name, uint32_t steps_max);

#endif
