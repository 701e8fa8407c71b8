/*
 * quota_int.h - quotas of the client that this backend serves: what it uses, how long it is muted
 *
 * Spec: admin-and-security.md 5.2, 5.3. A request is charged when its answer is encoded: that says for
 * how long the client is throttled, leaves at once, and the connection starts and reads nothing for
 * that time (Conn.muted_until_us).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_QUOTA_INT_H
#define OTTLA_BACKEND_QUOTA_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/request_int.h"

/* Before start: looks up what limits this client (rq->limits, NULL: nothing). */
void quota_begin(Request *rq);

/*
 * Charges the request, unless that was done, and mutes the connection if it is over a quota.
 * rq->throttle_ms is what the answer says. The bytes of a Fetch are charged by quota_fetch alone.
 */
void quota_charge(Request *rq);

/* A Produce that is not answered pays for its bytes, not for its time. */
void quota_charge_silent(Request *rq);

/* The most bytes that one answer may have, so that it can be sent at all. */
int32_t quota_fetch_cap(const Request *rq, int32_t max_bytes);

/*
 * Charges the request and the bytes of the answer it would get. True: the client is over a quota, the
 * bytes were given back, the answer has to be empty.
 */
bool quota_fetch(Request *rq, int64_t bytes);

/*
 * Counts a connection of this peer ("host:port"). Above 0: its address opens too many; hold it for so
 * many milliseconds, then close it.
 */
int32_t quota_connection_ms(const Conn *conn, int64_t now_us);

#endif
