/*
 * walks_requests.c - samples of requests: how many, how they ended, how long they took
 *
 * Runs in: exporter, backend. Items: as each walk says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "ottla/common/err.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/metrics/walks.h"
#include "ottla/protocol/apis.h"

#define OT_CODE(kafka) (-1000 - (kafka)) /* as gen_errors.pl numbers them */

/* Those that were called, and what every node has, so that it is there from the beginning. */
static bool
show_api(const ApiInfo *api, int16_t key, RequestStats *ret)
{
    if (api == NULL)
        return false;
    request_stats_api(key, ret);
    return ret->count > 0 || key == API_Produce || key == API_Fetch;
}

/* Items: API keys. */
static int64_t
take_apis(MetricScan *scan, int64_t item, void (*take)(MetricScan *, StrView, const RequestStats *))
{
    for (; item <= API_KEY_MAX; item++) {
        const ApiInfo *api = api_find((int16_t)item);
        RequestStats sum;

        if (!metric_room(scan))
            return item;
        if (show_api(api, (int16_t)item, &sum))
            take(scan, strview_from(api->name), &sum);
    }
    return METRIC_END;
}

static void
take_failed(MetricScan *scan, StrView api, const RequestStats *sum)
{
    metric_take(scan, &api, (int64_t)sum->failed);
}

int64_t
metric_walk_requests_failed(MetricScan *scan, int64_t item)
{
    return take_apis(scan, item, take_failed);
}

/* Items: rows of request_stats.h. */
int64_t
metric_walk_requests(MetricScan *scan, int64_t item)
{
    for (; item < REQUEST_STATS_ROWS; item++) {
        const ApiInfo *api;
        RequestStats stats;
        char version[8] = "";

        if (!metric_room(scan))
            return item;
        if (!request_stats_read((int32_t)item, &stats))
            continue;
        api = api_find(stats.api_key);
        if (api != NULL)
            (void)snprintf(version, sizeof version, "%d", (int)stats.api_version);
        metric_take(scan,
                    (const StrView[]){strview_from(api == NULL ? "other" : api->name),
                                      strview_from(version)},
                    (int64_t)stats.count);
    }
    return METRIC_END;
}

/* Items: API key * codes + code. Where there was no error there is no sample. */
int64_t
metric_walk_request_errors(MetricScan *scan, int64_t item)
{
    for (; item < (API_KEY_MAX + 1) * REQUEST_STATS_CODES; item++) {
        const ApiInfo *api = api_find((int16_t)(item / REQUEST_STATS_CODES));
        int16_t code = (int16_t)(item % REQUEST_STATS_CODES - 1);
        uint64_t count;

        if (api == NULL) {
            item += REQUEST_STATS_CODES - 1 - item % REQUEST_STATS_CODES;
            continue;
        }
        count = code == 0 ? 0 : request_stats_errors(api->key, code);
        if (count == 0)
            continue;
        if (!metric_room(scan))
            return item;
        metric_take(
            scan, (const StrView[]){strview_from(api->name), strview_from(err_name(OT_CODE(code)))},
            (int64_t)count);
    }
    return METRIC_END;
}

static void
take_phases(MetricScan *scan, StrView api, const RequestStats *sum)
{
    uint64_t waited_us = sum->queue_us + sum->remote_us;
    const struct {
        const char *phase;
        uint64_t us;
    } phases[] = {
        {"queue", sum->queue_us},
        {"local", sum->total_us > waited_us ? sum->total_us - waited_us : 0},
        {"remote", sum->remote_us},
        {"throttle", sum->throttle_ms * 1000},
    };

    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        metric_take(scan, (const StrView[]){api, strview_from(phases[i].phase)},
                    (int64_t)phases[i].us);
}

int64_t
metric_walk_request_phases(MetricScan *scan, int64_t item)
{
    return take_apis(scan, item, take_phases);
}

static void
take_request_bytes(MetricScan *scan, StrView api, const RequestStats *sum)
{
    metric_take_part(scan, &api, &(MetricSample){.part = "_sum", .value = (int64_t)sum->bytes});
    metric_take_part(scan, &api, &(MetricSample){.part = "_count", .value = (int64_t)sum->count});
}

int64_t
metric_walk_request_bytes(MetricScan *scan, int64_t item)
{
    return take_apis(scan, item, take_request_bytes);
}

static void
take_seconds(MetricScan *scan, StrView api, const RequestStats *sum)
{
    metric_take_histogram(scan, (const StrView[]){api, STRVIEW("total")}, sum->buckets,
                          REQUEST_STATS_BUCKETS, sum->total_us);
}

int64_t
metric_walk_request_seconds(MetricScan *scan, int64_t item)
{
    return take_apis(scan, item, take_seconds);
}

/* Counters with names, all at once. */
static int64_t
take_stats(MetricScan *scan, int64_t item, const char *const *names, const Stat *stats, int count)
{
    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int i = 0; i < count; i++)
        metric_take(scan, (const StrView[]){strview_from(names[i])}, (int64_t)stat_sum(stats[i]));
    return METRIC_END;
}

int64_t
metric_walk_delayed_expired(MetricScan *scan, int64_t item)
{
    return take_stats(scan, item, (const char *const[]){"produce", "fetch"},
                      (const Stat[]){STAT_PRODUCES_EXPIRED, STAT_FETCHES_EXPIRED}, 2);
}

int64_t
metric_walk_rejected_records(MetricScan *scan, int64_t item)
{
    return take_stats(scan, item,
                      (const char *const[]){"invalid_magic", "invalid_crc",
                                            "invalid_offset_or_sequence", "no_key_compacted_topic"},
                      (const Stat[]){STAT_REJECTED_MAGIC, STAT_REJECTED_CRC, STAT_REJECTED_OFFSET,
                                     STAT_REJECTED_NO_KEY},
                      4);
}
