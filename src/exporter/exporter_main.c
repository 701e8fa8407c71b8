/*
 * exporter_main.c - worker process: metrics over HTTP
 *
 * Waits for scrapes; when one comes asks the coordinators for the figures of groups, if those it has are old,
 * builds the page, and answers all who wait. Reads shared memory only and writes nothing that others rely
 * on: its death touches nobody, and it is started again alone. Without metrics.listen it does nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/exporter/exporter_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/http_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"
#include "exporter/page_int.h"

#define OPEN_FILES      16
#define FIGURES_KEEP_US (10 * INT64_C(1000000)) /* lag is as old as that, at most (design.md 11) */
#define RETRY_US        (10 * INT64_C(1000000)) /* an address that is in use, or does not exist yet */
#define IDLE_US         (30 * INT64_C(1000000)) /* memory of pages is looked at so often */
#define LAG_MAX         500000                  /* whatever the setting says */

typedef struct Exporter {
    char wanted[HTTP_ADDRESS_MAX]; /* metrics.listen; "": nowhere */
    int64_t retry_us;              /* when opening is tried again; INT64_MAX: not */
    GroupGather *gather;
    bool wants[PROM_FORMAT_COUNT]; /* a page of this format is waited for */
    bool gathering;
    int64_t sweep_us;
    int64_t now_us; /* of this turn: a page that was built in it is new, however long that took */
} Exporter;

static void
take_interrupts(void)
{
    if (interrupt_take(INTERRUPT_TERMINATE) || interrupt_take(INTERRUPT_FINISH))
        exit(0);
    if (interrupt_pending(INTERRUPT_ORPHANED))
        exit(1);
}

/* ---- what the server asks ------------------------------------------------------------------------ */

static Page *
give_page(void *arg, PromFormat format)
{
    Exporter *e = arg;
    Page *page = page_find(format, e->now_us);

    if (page == NULL)
        e->wants[format] = true;
    return page;
}

/* Ready for clients: what a load balancer or an orchestrator asks. */
static bool
is_healthy(void *arg)
{
    (void)arg;
    return atomic_u32_load(&shared_page->controller_active) != 0 &&
           atomic_u32_load(&shared_page->shutdown_mode) == SHUTDOWN_NONE;
}

/* ---- where it listens ---------------------------------------------------------------------------- */

static void
open_server(Exporter *e)
{
    const HttpSource source = {.page = give_page, .healthy = is_healthy, .arg = e};
    bool first = e->retry_us == INT64_MAX;
    ErrInfo err = {0};
    int rc;

    e->retry_us = INT64_MAX;
    if (e->wanted[0] == '\0') {
        title_set("off");
        return;
    }
    rc = http_open(e->wanted, &source, &err);
    if (rc == 0) {
        title_set("%s", http_address());
        log_msg(LL_INFO, "exporter", "serving metrics; address=%s", http_address());
        return;
    }
    if (first) /* said once, not with every try */
        log_msg(LL_WARNING, "exporter", "metrics are not served: %s; metrics.listen=%s", err.text,
                e->wanted);
    title_set("cannot listen on %s", e->wanted);
    e->retry_us =
        rc == OT_E_CONFIG || rc == OT_E_UNSUPPORTED ? INT64_MAX : clock_mono_us() + RETRY_US;
}

static void
follow_settings(Exporter *e)
{
    const char *now = conf_str(CONF_METRICS_LISTEN);

    if (now == NULL)
        now = "";
    if (strcmp(now, e->wanted) == 0)
        return;
    if (http_is_open())
        http_close();
    (void)snprintf(e->wanted, sizeof e->wanted, "%s", now);
    e->retry_us = INT64_MAX;
    open_server(e);
}

/* ---- a scrape ------------------------------------------------------------------------------------- */

static int32_t
lag_max(void)
{
    int32_t set = conf_int32(CONF_METRICS_GROUP_LAG_MAX);

    return set < LAG_MAX ? set : LAG_MAX;
}

/* Begins to gather when somebody waits and what is known of groups is old. True: wait for it. */
static bool
gather(Exporter *e)
{
    int64_t now_us = e->now_us;
    int64_t begun_us = group_gather_begun_us(e->gather);

    if (!e->gathering && (begun_us == 0 || now_us - begun_us >= FIGURES_KEEP_US)) {
        group_gather_begin(e->gather, now_us, lag_max());
        e->gathering = true;
    }
    e->gathering = e->gathering && group_gather_step(e->gather, now_us);
    return e->gathering;
}

static void
serve_waiting(Exporter *e)
{
    PageInput in = {.per_partition = conf_bool(CONF_METRICS_PER_PARTITION), .now_us = e->now_us};
    bool whole = true;

    if (http_waiting() == 0 || gather(e))
        return;
    in.groups = group_gather_figures(e->gather);
    for (int i = 0; i < PROM_FORMAT_COUNT; i++) {
        if (e->wants[i])
            whole &= page_build((PromFormat)i, &in);
        e->wants[i] = false;
    }
    http_resume(!whole);
    e->sweep_us = e->now_us + IDLE_US;
}

/* ---- loop --------------------------------------------------------------------------------------- */

static int64_t
next_deadline_us(const Exporter *e, int64_t now_us)
{
    int64_t next = http_deadline_us(now_us);
    int64_t gather_us = e->gathering ? group_gather_deadline_us(e->gather) : INT64_MAX;

    if (gather_us < next)
        next = gather_us;
    if (e->retry_us < next)
        next = e->retry_us;
    return e->sweep_us < next ? e->sweep_us : next;
}

/* Memory of pages goes back; then there is nothing to wake up for. */
static void
sweep(Exporter *e)
{
    if (e->now_us < e->sweep_us)
        return;
    e->sweep_us = pages_sweep(e->now_us) ? e->now_us + IDLE_US : INT64_MAX;
}

_Noreturn void
exporter_main(int instance, const void *start)
{
    Exporter e = {.retry_us = INT64_MAX, .sweep_us = INT64_MAX, .gather = group_gather_new()};

    (void)instance; /* there is one */
    (void)start;
    if (e.gather == NULL) {
        log_msg(LL_ERROR, "exporter", "no memory");
        exit(1);
    }
    fd_cache_init(OPEN_FILES);
    title_set("off");
    for (;;) {
        e.now_us = clock_mono_us();
        take_interrupts();
        (void)live_conf_refresh(); /* settings are asked for when they are used */
        follow_settings(&e);
        if (e.retry_us <= e.now_us)
            open_server(&e);
        fd_cache_sweep();
        http_turn(e.now_us);
        serve_waiting(&e);
        sweep(&e);
        (void)mainloop_wait(next_deadline_us(&e, clock_mono_us()), WAIT_EV_EXPORTER_MAIN);
    }
}
