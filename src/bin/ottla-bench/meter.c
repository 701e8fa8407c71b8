/*
 * meter.c - what was measured: sums, histograms, progress, the report
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bin/ottla-bench/bench_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/strbuf.h"

static const struct {
    const char *name; /* in JSON behind "p" */
    int32_t per_million;
} quantiles[] = {{"50", 500000}, {"75", 750000},   {"90", 900000},   {"95", 950000},
                 {"99", 990000}, {"99.9", 999000}, {"99.99", 999900}};

#define QUANTILES ((int)(sizeof quantiles / sizeof quantiles[0]))

void
meter_init(Meter *m, const BenchOptions *options, bool has_latency)
{
    memset(m, 0, sizeof *m);
    m->options = options;
    m->has_latency = has_latency;
    pthread_mutex_init(&m->lock, NULL);
}

void
meter_begin(Meter *m, int64_t now_us)
{
    m->begin_us = m->end_us = m->interval_us = now_us + m->options->warmup_us;
    m->next_us = m->begin_us + m->options->progress_us;
}

void
meter_add(Meter *m, int64_t now_us, int64_t latency_us, int64_t bytes)
{
    pthread_mutex_lock(&m->lock);
    if (now_us >= m->begin_us) {
        m->records++;
        m->bytes += bytes;
        m->interval_records++;
        m->interval_bytes += bytes;
        if (m->has_latency) {
            hdr_add(&m->total, latency_us);
            hdr_add(&m->interval, latency_us);
        }
        if (now_us > m->end_us)
            m->end_us = now_us;
    }
    pthread_mutex_unlock(&m->lock);
}

void
meter_fail(Meter *m, const char *why)
{
    pthread_mutex_lock(&m->lock);
    if (m->failed++ == 0)
        (void)snprintf(m->first_fault, sizeof m->first_fault, "%s", why);
    pthread_mutex_unlock(&m->lock);
}

static double
per_second(int64_t amount, int64_t us)
{
    return us > 0 ? (double)amount * 1e6 / (double)us : 0;
}

static double
ms(int64_t us)
{
    return (double)us / 1e3;
}

void
meter_progress(Meter *m, int64_t now_us)
{
    char latency[128] = "";

    if (m->options->progress_us == 0 || now_us < m->next_us)
        return;
    pthread_mutex_lock(&m->lock);
    if (m->has_latency)
        (void)snprintf(latency, sizeof latency, ", ms p50 %.3f p99 %.3f max %.3f",
                       ms(hdr_percentile(&m->interval, 500000)),
                       ms(hdr_percentile(&m->interval, 990000)), ms(m->interval.max));
    fprintf(stderr, "progress: %.1f s, %.1f records/s, %.2f MB/s%s, %lld failed\n",
            (double)(now_us - m->begin_us) / 1e6,
            per_second(m->interval_records, now_us - m->interval_us),
            per_second(m->interval_bytes, now_us - m->interval_us) / 1e6, latency,
            (long long)m->failed);
    m->interval = (Hdr){0};
    m->interval_records = m->interval_bytes = 0;
    m->interval_us = now_us;
    while (m->next_us <= now_us)
        m->next_us += m->options->progress_us;
    pthread_mutex_unlock(&m->lock);
}

/* ---- the report ---------------------------------------------------------------------------------- */

static const char *const verbs[BENCH_MODE_COUNT] = {[BENCH_PRODUCE] = "produced",
                                                    [BENCH_CONSUME] = "consumed",
                                                    [BENCH_LATENCY] = "produced and consumed"};
static const char *const names[BENCH_MODE_COUNT] = {
    [BENCH_PRODUCE] = "produce", [BENCH_CONSUME] = "consume", [BENCH_LATENCY] = "latency"};

/* CPU time of this program: beside a throughput it says what the client itself costs. */
static double
cpu_seconds(void)
{
    struct rusage use;

    if (getrusage(RUSAGE_SELF, &use) != 0)
        return 0;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void
report_text(const Meter *m, int64_t took_us)
{
    printf("records %s: %lld\n", verbs[m->options->mode], (long long)m->records);
    printf("failed: %lld%s%s\n", (long long)m->failed, m->failed > 0 ? ", first: " : "",
           m->first_fault);
    if (m->options->mode == BENCH_LATENCY)
        printf("missing: %lld\n", (long long)m->missing);
    printf("time: %.3f s\n", (double)took_us / 1e6);
    printf("rate: %.1f records/s, %.2f MB/s\n", per_second(m->records, took_us),
           per_second(m->bytes, took_us) / 1e6);
    if (m->options->rate > 0)
        printf("scheduled: %lld records/s\n", (long long)m->options->rate);
    printf("cpu of this program: %.2f s\n", cpu_seconds());
    if (!m->has_latency || m->total.count == 0)
        return;
    printf("latency, ms: mean %.3f, min %.3f, max %.3f\n",
           ms(m->total.sum) / (double)m->total.count, ms(m->total.min), ms(m->total.max));
    for (int i = 0; i < QUANTILES; i++)
        printf("  p%-6s %12.3f\n", quantiles[i].name,
               ms(hdr_percentile(&m->total, quantiles[i].per_million)));
}

static void
report_json(const Meter *m, int64_t took_us)
{
    StrBuf out;

    strbuf_init(&out, 1 << 20, NULL);
    strbuf_printf(&out, "{\"mode\":\"%s\",\"topic\":", names[m->options->mode]);
    strbuf_add_json(&out, strview_from(m->options->topic));
    strbuf_printf(&out,
                  ",\"records\":%lld,\"bytes\":%lld,\"failed\":%lld,\"seconds\":%.6f,"
                  "\"records_per_second\":%.1f,\"bytes_per_second\":%.1f,\"cpu_seconds\":%.3f",
                  (long long)m->records, (long long)m->bytes, (long long)m->failed,
                  (double)took_us / 1e6, per_second(m->records, took_us),
                  per_second(m->bytes, took_us), cpu_seconds());
    if (m->failed > 0) {
        strbuf_add_cstr(&out, ",\"first_fault\":");
        strbuf_add_json(&out, strview_from(m->first_fault));
    }
    if (m->options->mode == BENCH_LATENCY)
        strbuf_printf(&out, ",\"missing\":%lld", (long long)m->missing);
    if (m->options->rate > 0)
        strbuf_printf(&out, ",\"scheduled_per_second\":%lld", (long long)m->options->rate);
    if (m->has_latency && m->total.count > 0) {
        strbuf_printf(&out, ",\"latency_us\":{\"mean\":%.1f,\"min\":%lld",
                      (double)m->total.sum / (double)m->total.count, (long long)m->total.min);
        for (int i = 0; i < QUANTILES; i++)
            strbuf_printf(&out, ",\"p%s\":%lld", quantiles[i].name,
                          (long long)hdr_percentile(&m->total, quantiles[i].per_million));
        strbuf_printf(&out, ",\"max\":%lld}", (long long)m->total.max);
    }
    strbuf_add_cstr(&out, "}\n");
    fputs(out.ptr, stdout);
    strbuf_release(&out);
}

int
meter_report(Meter *m)
{
    int64_t took_us = m->end_us - m->begin_us;

    if (m->options->json)
        report_json(m, took_us);
    else
        report_text(m, took_us);
    return m->failed > 0 || m->missing > 0 || bench_stopped ? EXIT_FAILED : 0;
}
