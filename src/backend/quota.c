/*
 * quota.c - quotas of the client that this backend serves: what it uses, how long it is muted
 *
 * The limits are looked up once per request, in the image; what was used lies in quota_table.c. Time is
 * the CPU time of this process since the last answer that was charged, so what sending the last answer
 * took is paid by the next.
 *
 * Runs in: backend. Never: waits (conn.c does), keeps a pin.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/quota_int.h"

#include <string.h>

#include "backend/conn_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/own_page.h"
#include "ottla/controller/image.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/quota_table.h"
#include "ottla/ipc/slot.h"

typedef struct Limit {
    double limit;     /* a second; 0: none */
    uint64_t account; /* whose pot */
    uint8_t key;      /* QuotaKey */
    bool by_user;
    bool by_client_id;
} Limit;

/* Who pays: a request's client, or without a request an address. */
typedef struct Payer {
    const Request *rq;
    StrView address;
} Payer;

/* What limits the client of a request; in its arena. */
struct QuotaLimits {
    Limit produce; /* bytes */
    Limit fetch;   /* bytes */
    Limit time;    /* microseconds of CPU */
};

/* CPU time up to which this process was charged; 0: it is not measured. */
static OWN_PAGE int64_t charged_cpu_us;

/* ---- limits ---- */

/* The user's part of a principal "User:name". */
static StrView
user_of(const Conn *conn)
{
    const char *colon = strchr(conn->principal, ':');

    return strview_from(colon == NULL ? conn->principal : colon + 1);
}

static StrView
client_of(const Request *rq)
{
    return rq->head.client_id.ptr == NULL ? STRVIEW("") : rq->head.client_id;
}

static bool
find_limit(const Image *image, const Request *rq, QuotaKey key, Limit *ret)
{
    const StrView none = {NULL, 0};
    StrView user = user_of(rq->conn);
    StrView client = client_of(rq);
    QuotaMatch match;

    if (!image_quota_for_client(image, user, client, key, &match))
        return false;
    ret->limit = match.value;
    ret->key = (uint8_t)key;
    ret->by_user = match.by_user;
    ret->by_client_id = match.by_client_id;
    ret->account = quota_account((uint32_t)key, match.by_user ? user : none,
                                 match.by_client_id ? client : none);
    return true;
}

void
quota_begin(Request *rq)
{
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    struct QuotaLimits found = {0};
    bool any = false;

    if (image != NULL) {
        any |= find_limit(image, rq, QUOTA_PRODUCER_BYTE_RATE, &found.produce);
        any |= find_limit(image, rq, QUOTA_CONSUMER_BYTE_RATE, &found.fetch);
        any |= find_limit(image, rq, QUOTA_REQUEST_PERCENTAGE, &found.time);
    }
    image_unpin(&pin);
    found.time.limit *= QUOTA_US_PER_PERCENT;
    if (found.time.limit == 0)
        charged_cpu_us = 0;
    else if (charged_cpu_us == 0)
        charged_cpu_us = clock_cpu_us();
    if (!any)
        return;
    rq->limits = arena_alloc(rq->arena, sizeof *rq->limits);
    if (rq->limits != NULL) /* else the request fails for want of memory anyway */
        *rq->limits = found;
}

/* ---- charging ---- */

/* Whose pot it is, for those who look at it (stat_quotas.c). */
static void
note_owner(QuotaBucket *bucket, const Limit *limit, const Payer *payer)
{
    QuotaOwner owner = {.key = limit->key, .first = payer->address};

    if (payer->rq != NULL && limit->by_user)
        owner.first = user_of(payer->rq->conn);
    if (payer->rq != NULL && limit->by_client_id)
        owner.second = client_of(payer->rq);
    quota_bucket_note_owner(bucket, &owner);
}

/* Adds to the pot of a limit; how long its owner has to wait. ret_first, if any: it was empty before. */
static int32_t
charge(const Limit *limit, const Payer *payer, int64_t amount, int64_t now_us, bool *ret_first)
{
    RateSpans spans = quota_spans();
    QuotaBucket *bucket;
    RateSum sum;
    bool is_new;

    if (limit->limit == 0 || amount == 0)
        return 0;
    bucket = quota_bucket_find(limit->account, &spans, now_us, &is_new);
    if (bucket == NULL)
        return 0;
    if (is_new)
        note_owner(bucket, limit, payer);
    quota_bucket_add(bucket, &spans, amount, now_us);
    sum = quota_bucket_sum(bucket, &spans, now_us);
    if (ret_first != NULL)
        *ret_first = sum.total <= amount;
    return rate_throttle_ms(&sum, limit->limit);
}

/* Takes back what was charged at the same moment. */
static void
uncharge(const Limit *limit, int64_t amount, int64_t now_us)
{
    RateSpans spans = quota_spans();
    bool is_new; /* it was charged just now */
    QuotaBucket *bucket =
        limit->limit == 0 ? NULL : quota_bucket_find(limit->account, &spans, now_us, &is_new);

    if (bucket != NULL)
        quota_bucket_add(bucket, &spans, -amount, now_us);
}

/* The CPU time since the last charge. */
static int32_t
charge_time(const Request *rq)
{
    int64_t now_cpu_us, spent_us;
    int64_t most_ms = quota_spans().window_us / 1000;
    int32_t ms;

    if (rq->limits->time.limit == 0)
        return 0;
    now_cpu_us = clock_cpu_us();
    spent_us = now_cpu_us - charged_cpu_us;
    charged_cpu_us = now_cpu_us;
    ms = charge(&rq->limits->time, &(Payer){.rq = rq}, spent_us, rq->now_us, NULL);
    return ms < most_ms ? ms : (int32_t)most_ms;
}

/* The larger of what a request owes is what its client waits for. */
static void
throttle(Request *rq, int32_t ms)
{
    int64_t until_us = rq->now_us + (int64_t)ms * 1000;

    if (ms > rq->throttle_ms)
        rq->throttle_ms = ms;
    if (ms <= 0)
        return;
    stat_add(STAT_THROTTLES, 1);
    stat_add(STAT_THROTTLE_MS, (uint64_t)ms);
    slot_count_add(SLOT_COUNT_THROTTLE_MS, (uint64_t)ms);
    if (until_us <= rq->conn->muted_until_us)
        return;
    rq->conn->muted_until_us = until_us;
    if (my_slot != NULL)
        atomic_i64_store_relaxed(&my_slot->throttled_until_us, until_us);
}

void
quota_charge(Request *rq)
{
    int32_t ms = 0, time_ms;

    if (rq->charged)
        return;
    rq->charged = true;
    if (rq->limits != NULL && !rq->quota_exempt && rq->head.api->throttle != API_THROTTLE_NONE) {
        if (rq->head.api->throttle == API_THROTTLE_PRODUCE)
            ms =
                charge(&rq->limits->produce, &(Payer){.rq = rq}, rq->frame_bytes, rq->now_us, NULL);
        time_ms = charge_time(rq);
        ms = time_ms > ms ? time_ms : ms;
    }
    /* What the controller said of mutations is in throttle_ms already. */
    throttle(rq, ms > rq->throttle_ms ? ms : rq->throttle_ms);
}

void
quota_charge_silent(Request *rq)
{
    rq->charged = true;
    if (rq->limits == NULL)
        return;
    if (charged_cpu_us != 0)
        charged_cpu_us = clock_cpu_us();
    throttle(rq,
             charge(&rq->limits->produce, &(Payer){.rq = rq}, rq->frame_bytes, rq->now_us, NULL));
}

/* ---- Fetch ---- */

int32_t
quota_fetch_cap(const Request *rq, int32_t max_bytes)
{
    RateSpans spans;
    int64_t burst;

    if (rq->limits == NULL || rq->limits->fetch.limit == 0)
        return max_bytes;
    spans = quota_spans();
    burst = rate_burst(&spans, rq->limits->fetch.limit);
    return burst < max_bytes ? (int32_t)burst : max_bytes;
}

bool
quota_fetch(Request *rq, int64_t bytes)
{
    int32_t ms, time_ms;
    bool first = false;

    rq->charged = true;
    if (rq->limits == NULL)
        return false;
    ms = charge(&rq->limits->fetch, &(Payer){.rq = rq}, bytes, rq->now_us, &first);
    if (first)
        ms = 0; /* a batch that is larger than the quota of all windows leaves alone, at last */
    time_ms = charge_time(rq);
    if (ms == 0 && time_ms == 0)
        return false;
    uncharge(&rq->limits->fetch, bytes, rq->now_us);
    throttle(rq, ms > time_ms ? ms : time_ms);
    return true;
}

/* ---- connections ---- */

/* The address in "1.2.3.4:5" or "[::1]:5". */
static StrView
address_of(const Conn *conn)
{
    const char *end = strrchr(conn->peer, ':');
    StrView ret = {conn->peer, end == NULL ? 0 : (int32_t)(end - conn->peer)};

    if (ret.len >= 2 && ret.ptr[0] == '[' && ret.ptr[ret.len - 1] == ']')
        ret = (StrView){ret.ptr + 1, ret.len - 2};
    return ret;
}

int32_t
quota_connection_ms(const Conn *conn, int64_t now_us)
{
    StrView address = conn->endpoint->is_unix ? STRVIEW("") : address_of(conn);
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    int64_t most_ms = quota_spans().window_us / 1000;
    Limit limit = {0};
    int32_t ms;

    if (image == NULL || address.len == 0 || !image_quota_for_ip(image, address, &limit.limit))
        limit.limit = 0;
    image_unpin(&pin);
    if (limit.limit == 0)
        return 0;
    limit.key = QUOTA_CONNECTION_CREATION_RATE;
    limit.account = quota_account(QUOTA_CONNECTION_CREATION_RATE, address, (StrView){NULL, 0});
    ms = charge(&limit, &(Payer){.address = address}, 1, now_us, NULL);
    if (ms == 0)
        return 0;
    uncharge(&limit, 1, now_us); /* it is not let in, so it does not count */
    return ms < most_ms ? ms : (int32_t)most_ms;
}
