/*
 * names_int.h - topic names as clients send them: legal, internal, echoed
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_NAMES_INT_H
#define OTTLA_BACKEND_NAMES_INT_H

#include <stdbool.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

#define NAME_TOPIC_MAX 249 /* bytes of a topic name */

/* A name that a topic may have: 1 to 249 of [a-zA-Z0-9._-], neither "." nor "..". */
bool name_is_legal_topic(StrView name);

/* One of Kafka's own topics, which clients do not write (log.md 14.4). */
bool name_is_internal_topic(StrView name);

/*
 * The name for an answer: itself when it is UTF-8, else a copy in the arena in which every byte
 * sequence that is none became U+FFFD, as Kafka's decoder does. NULL view when the arena is full.
 */
StrView name_echo(Arena *arena, StrView name);

/* A word of ApiVersions: letters, digits, dashes and dots, beginning and ending with neither. */
bool name_is_legal_software(StrView word);

#endif
