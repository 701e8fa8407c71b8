/*
 * stat_quotas.c - the view quota_usage: what clients have used of their quotas
 *
 * Runs in: backend. Cursor: bucket of quota_table.c. What was counted is shown against the limit that the image has now.
 * Spec: shell-and-service.md 6.1; admin-and-security.md 5.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/quota_int.h"
#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/controller/image.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/quota_table.h"

enum {
    Q_NODE_ID,
    Q_QUOTA,
    Q_USER,
    Q_CLIENT_ID,
    Q_RATE,
    Q_LIMIT,
    Q_THROTTLE_MS,
    Q_TOKENS,
    Q_SAMPLES,
    Q_IP,
};

static const StatColumn quota_columns[] = {
    [Q_NODE_ID] = {"node_id", STAT_INTEGER},
    [Q_QUOTA] = {"quota", STAT_TEXT},
    [Q_USER] = {"user", STAT_TEXT},
    [Q_CLIENT_ID] = {"client_id", STAT_TEXT},
    [Q_RATE] = {"rate", STAT_REAL},
    [Q_LIMIT] = {"limit", STAT_REAL},
    [Q_THROTTLE_MS] = {"throttle_ms", STAT_INTEGER},
    [Q_TOKENS] = {"tokens", STAT_REAL},
    [Q_SAMPLES] = {"samples", STAT_INTEGER},
    [Q_IP] = {"ip", STAT_TEXT},
};

/* What holds for this owner now. False: nothing, or who it is is not known whole. */
static bool
find_limit(const Image *image, const QuotaShown *shown, double *ret)
{
    const QuotaOwner *owner = &shown->owner;
    StrView user = owner->first.ptr == NULL ? STRVIEW("") : owner->first;
    StrView client = owner->second.ptr == NULL ? STRVIEW("") : owner->second;
    QuotaMatch match;

    if (image == NULL || shown->cut)
        return false;
    if (owner->key == QUOTA_CONNECTION_CREATION_RATE)
        return image_quota_for_ip(image, user, ret);
    /* Who shares a pot is one of those that the quota is for: any name will do where none counts. */
    if (!image_quota_for_client(image, user, client, (QuotaKey)owner->key, &match))
        return false;
    *ret = match.value;
    return match.by_user == (owner->first.ptr != NULL) &&
           match.by_client_id == (owner->second.ptr != NULL);
}

/* How long until its owner owes nothing. */
static int32_t
throttle_ms(const QuotaShown *shown, double limit)
{
    const TokenBucket tokens = {.tokens = shown->tokens};

    return shown->has_tokens ? token_bucket_throttle_ms(&tokens, shown->token_rate)
                             : rate_throttle_ms(&shown->sum, limit);
}

static void
put_usage(StatScan *scan, const Image *image, const QuotaShown *shown)
{
    double unit = shown->owner.key == QUOTA_REQUEST_PERCENTAGE ? QUOTA_US_PER_PERCENT : 1;
    bool of_ip = shown->owner.key == QUOTA_CONNECTION_CREATION_RATE;
    double limit;

    stat_integer(scan, Q_NODE_ID, node_info.node_id);
    stat_text(scan, Q_QUOTA, strview_from(quota_key_name((QuotaKey)shown->owner.key)));
    if (shown->owner.first.ptr != NULL)
        stat_text(scan, of_ip ? Q_IP : Q_USER, shown->owner.first);
    if (shown->owner.second.ptr != NULL)
        stat_text(scan, Q_CLIENT_ID, shown->owner.second);
    stat_real(scan, Q_RATE, rate_per_second(&shown->sum) / unit);
    if (find_limit(image, shown, &limit)) {
        stat_real(scan, Q_LIMIT, limit);
        stat_integer(scan, Q_THROTTLE_MS, throttle_ms(shown, limit * unit));
    }
    if (shown->has_tokens)
        stat_real(scan, Q_TOKENS, shown->tokens);
    stat_integer(scan, Q_SAMPLES, shown->samples);
    stat_end(scan);
}

static int64_t
scan_quota_usage(StatScan *scan, int64_t cursor)
{
    RateSpans spans = quota_spans();
    int64_t now_us = clock_mono_us();
    ImagePin pin = image_pin();

    for (; cursor < quota_bucket_count(); cursor++) {
        QuotaShown shown;

        if (!stat_look(scan))
            break;
        if (quota_bucket_show(cursor, &spans, now_us, &shown) &&
            (shown.sum.total > 0 || shown.missing > 0) && shown.owner.key < QUOTA_KEY_COUNT)
            put_usage(scan, image_of(&pin), &shown);
    }
    image_unpin(&pin);
    return cursor < quota_bucket_count() ? cursor : STAT_END;
}

const StatView stat_quota_usage_view = {.name = "quota_usage",
                                        .columns = quota_columns,
                                        .column_count =
                                            sizeof quota_columns / sizeof quota_columns[0],
                                        .scan = scan_quota_usage};
