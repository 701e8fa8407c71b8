/*
 * consumer_protocol_int.h - what consumers put into the opaque bytes of classic groups
 *
 * Protocol type "consumer": metadata is a subscription, an assignment names partitions; both begin with an
 * int16 version. Higher versions only add at the end, so that the known beginning of any version can be read. What
 * is read are views into the bytes; arrays lie in the arena.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_CONSUMER_PROTOCOL_INT_H
#define OTTLA_GROUPS_CONSUMER_PROTOCOL_INT_H

#include "ottla/groups/env.h"
#include "ottla/protocol/msg_group_records.h"

#define CONSUMER_PROTOCOL_TYPE STRVIEW("consumer")

/*
 * The subscribed topics, as they stand there; the rest of the bytes is not looked at.
 * OT_E_MALFORMED: the bytes cannot be read so far; OT_E_NO_MEMORY.
 */
int protocol_read_topics(BytesView bytes, Arena *arena, StrView **ret, int32_t *ret_count)
    __attribute__((warn_unused_result));

/* All of a subscription. Errors as protocol_read_topics. */
int protocol_read_subscription(BytesView bytes, Arena *arena, ConsumerProtocolSubscription *ret)
    __attribute__((warn_unused_result));

/* Empty bytes are an assignment of nothing. Errors as protocol_read_topics. */
int protocol_read_assignment(BytesView bytes, Arena *arena, ConsumerProtocolAssignment *ret)
    __attribute__((warn_unused_result));

/* The version that stands in front, held within what is known; -1: there is none. */
int16_t protocol_version(BytesView bytes);

/* The bytes, in the out's arena; ptr NULL: no memory, and the out has failed. */
BytesView protocol_write_assignment(GroupOut *out, int16_t version,
                                    const ConsumerProtocolAssignment *assignment);

#endif
