/*
 * walks_quotas.c - samples about quotas: what clients use of them
 *
 * Runs in: exporter, backend. Item: bucket of ipc/quota_table.h. A name that is known in part is left out: two such would be one series.
 * Spec: admin-and-security.md 12.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/clock.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/ipc/quota_table.h"
#include "ottla/metrics/walks.h"

#define PPM 1000000 /* the row's unit */

enum { L_QUOTA, L_USER, L_CLIENT_ID, L_IP, L_COUNT };

/* One bucket, if the family shows it; room for it is there. */
typedef void TakeBucket(MetricScan *scan, const QuotaShown *shown);

static void
take_usage(MetricScan *scan, const QuotaShown *shown)
{
    bool of_ip = shown->owner.key == QUOTA_CONNECTION_CREATION_RATE;
    double unit = shown->owner.key == QUOTA_REQUEST_PERCENTAGE ? QUOTA_US_PER_PERCENT : 1;
    StrView labels[L_COUNT] = {0};

    if (shown->sum.total <= 0 || shown->owner.key >= QUOTA_KEY_COUNT)
        return;
    labels[L_QUOTA] = strview_from(quota_key_name((QuotaKey)shown->owner.key));
    labels[of_ip ? L_IP : L_USER] = shown->owner.first;
    labels[L_CLIENT_ID] = shown->owner.second;
    metric_take(scan, labels, (int64_t)(rate_per_second(&shown->sum) / unit * PPM));
}

static void
take_tokens(MetricScan *scan, const QuotaShown *shown)
{
    if (shown->has_tokens && (shown->sum.total > 0 || shown->missing > 0))
        metric_take(scan, (const StrView[]){shown->owner.first, shown->owner.second},
                    (int64_t)(shown->tokens * PPM));
}

static int64_t
walk_buckets(MetricScan *scan, int64_t item, TakeBucket *take)
{
    RateSpans spans = quota_spans();
    int64_t now_us = clock_mono_us();

    for (; item < quota_bucket_count(); item++) {
        QuotaShown shown;

        if (!quota_bucket_show(item, &spans, now_us, &shown) || shown.cut)
            continue;
        if (!metric_room(scan))
            return item;
        take(scan, &shown);
    }
    return METRIC_END;
}

int64_t
metric_walk_quota_usage(MetricScan *scan, int64_t item)
{
    return walk_buckets(scan, item, take_usage);
}

int64_t
metric_walk_quota_tokens(MetricScan *scan, int64_t item)
{
    return walk_buckets(scan, item, take_tokens);
}
