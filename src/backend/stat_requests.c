/*
 * stat_requests.c - the view requests: how often each version of each API was asked, and how long it took
 *
 * Runs in: backend. Cursor: row of request_stats.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "backend/stat_int.h"
#include "ottla/common/err.h"
#include "ottla/common/strbuf.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/protocol/apis.h"

#define ERRORS_TEXT_MAX 8192 /* of all errors that there are */

enum {
    Q_NODE_ID,
    Q_API,
    Q_VERSION,
    Q_COUNT,
    Q_ERRORS,
    Q_P50,
    Q_P95,
    Q_P99,
    Q_TOTAL,
    Q_QUEUE,
    Q_LOCAL,
    Q_REMOTE,
    Q_THROTTLE,
};

static const StatColumn columns[] = {
    [Q_NODE_ID] = {"node_id", STAT_INTEGER},
    [Q_API] = {"api", STAT_TEXT},
    [Q_VERSION] = {"api_version", STAT_INTEGER},
    [Q_COUNT] = {"count", STAT_INTEGER},
    [Q_ERRORS] = {"errors", STAT_TEXT},
    [Q_P50] = {"p50_ms", STAT_REAL},
    [Q_P95] = {"p95_ms", STAT_REAL},
    [Q_P99] = {"p99_ms", STAT_REAL},
    [Q_TOTAL] = {"total_ms", STAT_REAL},
    [Q_QUEUE] = {"queue_ms", STAT_REAL},
    [Q_LOCAL] = {"local_ms", STAT_REAL},
    [Q_REMOTE] = {"remote_ms", STAT_REAL},
    [Q_THROTTLE] = {"throttle_ms", STAT_INTEGER},
};

static double
ms(double us)
{
    return us / 1000;
}

/* {"NAME":count, ...} */
static void
put_errors(StatScan *scan, int16_t api_key, StrBuf *text)
{
    strbuf_add_char(text, '{');
    for (int code = -1; code < REQUEST_STATS_CODES - 1; code++) {
        uint64_t count = code == 0 ? 0 : request_stats_errors(api_key, (int16_t)code);

        if (count == 0)
            continue;
        strbuf_printf(text, "%s\"%s\":%" PRIu64, text->len > 1 ? "," : "", err_name(-1000 - code),
                      count);
    }
    strbuf_add_char(text, '}');
    if (!strbuf_failed(text))
        stat_text(scan, Q_ERRORS, strbuf_view(text));
}

static void
put_times(StatScan *scan, const RequestStats *stats)
{
    uint64_t elsewhere = stats->queue_us + stats->remote_us;
    uint64_t local = stats->total_us > elsewhere ? stats->total_us - elsewhere : 0;

    stat_real(scan, Q_P50, ms(request_stats_quantile(stats, 0.5)));
    stat_real(scan, Q_P95, ms(request_stats_quantile(stats, 0.95)));
    stat_real(scan, Q_P99, ms(request_stats_quantile(stats, 0.99)));
    stat_real(scan, Q_TOTAL, ms((double)stats->total_us));
    stat_real(scan, Q_QUEUE, ms((double)stats->queue_us));
    stat_real(scan, Q_LOCAL, ms((double)local));
    stat_real(scan, Q_REMOTE, ms((double)stats->remote_us));
    stat_integer(scan, Q_THROTTLE, (int64_t)stats->throttle_ms);
}

static void
put_row(StatScan *scan, const RequestStats *stats)
{
    const ApiInfo *api = stats->api_key < 0 ? NULL : api_find(stats->api_key);
    StrBuf text;

    stat_integer(scan, Q_NODE_ID, node_info.node_id);
    if (stats->api_key >= 0) {
        stat_text(scan, Q_API, strview_from(api == NULL ? "unknown" : api->name));
        stat_integer(scan, Q_VERSION, stats->api_version);
    }
    if (!stat_row_lives(scan))
        return;
    stat_integer(scan, Q_COUNT, (int64_t)stats->count);
    put_times(scan, stats);
    strbuf_init(&text, ERRORS_TEXT_MAX, NULL);
    if (stats->api_key >= 0 && stat_wants(scan, Q_ERRORS))
        put_errors(scan, stats->api_key, &text);
    stat_end(scan);
    strbuf_release(&text);
}

static int64_t
scan_requests(StatScan *scan, int64_t cursor)
{
    for (; cursor < REQUEST_STATS_ROWS; cursor++) {
        RequestStats stats;

        if (!stat_look(scan))
            return cursor;
        if (request_stats_read((int32_t)cursor, &stats))
            put_row(scan, &stats);
    }
    return STAT_END;
}

const StatView stat_requests_view = {.name = "requests",
                                     .columns = columns,
                                     .column_count = sizeof columns / sizeof columns[0],
                                     .scan = scan_requests};
