/*
 * postmaster.c - the supervisor's loop: signals and deaths become events, actions are performed
 *
 * Runs in: supervisor alone. Decides nothing: pm_state.c does. Never: takes a shared lock, follows a
 * pointer out of shared memory, parses what comes from outside but its configuration, or waits for a
 * child. A dead child's slot gets one store (DEAD and its generation) before anything else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/postmaster.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/server_log.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/postmaster/launch.h"
#include "ottla/postmaster/notify.h"
#include "ottla/postmaster/obituary.h"
#include "ottla/storage/logdir_state.h"
#include "own_memory_int.h"
#include "postmaster_int.h"
#include "resolver.h"

#define STATUS_PERIOD_US 10000000
#define STARTING_POLL_US 20000 /* should the controller's signal be lost: look again */
#define NAMES_PATIENCE_US \
    30000000 /* of a start, for addresses of listeners that requests have added */
#define EXTEND_START_US 30000000 /* asked from systemd while starting, each STATUS_PERIOD_US */

static int
exit_code_of(int code)
{
    switch (code) {
    case OT_E_BUSY:
        return EXIT_CODE_LOCKED;
    case OT_E_PERMISSION:
        return EXIT_CODE_ACCESS;
    case OT_E_CONFIG:
        return EXIT_CODE_CONFIG;
    default:
        return EXIT_CODE_FATAL;
    }
}

/* ---- actions ---- */

static int
launch_worker(Postmaster *pm, ProcKind kind, int instance)
{
    Child child = {.kind = kind, .instance = instance, .started_us = clock_mono_us()};
    ErrInfo err;

    child.slot = children_free_slot(pm->children, kind, true);
    ot_assert(child.slot >= 0); /* workers never exceed PROC_WORKERS_MAX (pm_init) */
    const LaunchOrder order = {
        .kind = kind,
        .instance = instance,
        .slot = child.slot,
        .main = pm->mains->main[kind],
        .close_inherited = accept_close_inherited,
    };
    child.pid = launch_child(&order, &child.generation, &err);
    if (child.pid < 0) {
        log_msg(LL_ERROR, "supervisor", "cannot start a %s: %s", process_kinds[kind].name,
                err.text);
        return child.pid;
    }
    children_add(pm->children, &child);
    log_msg(LL_DEBUG1, "supervisor", "started a %s; pid=%d instance=%d slot=%d",
            process_kinds[kind].name, (int)child.pid, instance, child.slot);
    return 0;
}

/* PROC_KIND_COUNT: everybody. */
static void
signal_children(const Postmaster *pm, ProcKind kind, int signal_number)
{
    for (int32_t i = 0; i < children_count(pm->children); i++) {
        const Child *child = children_at(pm->children, i);
        if (kind == PROC_KIND_COUNT || child->kind == kind)
            (void)kill(child->pid, signal_number); /* it may be dead and not reaped yet */
    }
}

static void
describe_listeners(char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (int i = 0; i < node_listeners.count && len < size; i++) {
        const Listener *row = &node_listeners.rows[i];
        if (row->fd_count == 0)
            continue;
        const char *comma = len > 0 ? "," : "";
        if (row->is_unix)
            len +=
                (size_t)snprintf(ret + len, size - len, "%s%s://%s", comma, row->name, row->host);
        else
            len += (size_t)snprintf(ret + len, size - len, "%s%s://%s:%u", comma, row->name,
                                    row->host, row->port);
    }
}

static void
format_ready_status(const Postmaster *pm, char *ret, size_t size)
{
    uint32_t done = atomic_u32_load(&shared_page->recovery_done);
    uint32_t total = atomic_u32_load(&shared_page->recovery_total);
    int len = snprintf(ret, size,
                       "Ready; node %d, %d partitions (%d leader), %d clients, %d under-replicated",
                       node_info.node_id, atomic_i32_load(&shared_page->partitions),
                       atomic_i32_load(&shared_page->partitions_led), accept_client_count(pm),
                       atomic_i32_load(&shared_page->partitions_under_replicated));

    if (done < total && len > 0 && (size_t)len < size)
        snprintf(ret + len, size - (size_t)len, ", %u of %u logs recovered", done, total);
}

static void
announce_ready(Postmaster *pm, bool first)
{
    char listeners[512];
    char address[LISTENER_HOST_MAX + 16];
    char status[128];
    int64_t took_ms = (clock_mono_us() - pm->phase_us) / 1000;

    datadir_set_status(&pm->dir, "ready");
    format_ready_status(pm, status, sizeof status);
    if (!first) {
        log_msg(LL_LOG, "supervisor", "node recovered after a crash; cycle=%d took_ms=%lld",
                pm->crash_cycles, (long long)took_ms);
        notify_status("%s", status);
        return;
    }
    describe_listeners(listeners, sizeof listeners);
    log_event(LL_LOG, "supervisor", LOG_EVENT_READY,
              "ready; listeners=%s cluster_id=%s node_id=%d clean_start=%s recovery_ms=%lld",
              listeners, node_info.cluster_id, node_info.node_id,
              node_info.clean_start ? "yes" : "no", (long long)took_ms);
    listen_first_address(&node_listeners, address, sizeof address);
    printf("ready %s\n", address);
    fflush(stdout);
    notify_ready(status);
}

static void
announce_stopping(Postmaster *pm)
{
    log_event(LL_LOG, "supervisor", LOG_EVENT_STOPPING, "stopping; state=%s clients=%d",
              pm_state_name(pm->machine.state), accept_client_count(pm));
    notify_stopping("Stopping");
    datadir_set_status(&pm->dir, "stopping");
}

static void
announce_crash(Postmaster *pm)
{
    pm->crash_cycles++;
    pm->phase_us = clock_mono_us();
    log_event(LL_ERROR, "supervisor", LOG_EVENT_CRASH,
              "stopping all processes after a crash; cycle=%d clients=%d", pm->crash_cycles,
              accept_client_count(pm));
    notify_status("Recovering after a crash (cycle %d)", pm->crash_cycles);
    datadir_set_status(&pm->dir, "recovery");
}

/* Settings that were changed reach the machine; there is a checkpointer per log directory. */
static void
take_settings(Postmaster *pm)
{
    PmConfig *config = &pm->settings->machine;

    postmaster_count_startup(pm->settings, config->worker_count[PROC_CHECKPOINTER]);
    pm_reconfigure(&pm->machine, config);
}

/* The settings table says something else now, or more addresses of names in it are known. */
static void
apply_settings(Postmaster *pm)
{
    relisten_follow(pm);
    pm->settings->refresh(pm->settings); /* bounds of listeners: of the table that is now */
    take_settings(pm);
    accept_review(pm, clock_mono_us());
}

static void
on_names(void *arg)
{
    Postmaster *pm = arg;

    if (pm->settings->refresh != NULL)
        apply_settings(pm);
}

static void
reload(Postmaster *pm)
{
    ErrInfo err = {0};
    char status[256];
    int skipped = 0;

    notify_reloading();
    resolver_expire();
    if (pm->settings->reload != NULL)
        skipped = pm->settings->reload(pm->settings, &err);
    if (pm->settings->reload == NULL)
        snprintf(status, sizeof status, "Reloaded; nothing to read");
    else if (skipped < 0)
        snprintf(status, sizeof status, "Reload failed, nothing applied: %.200s", err.text);
    else if (skipped > 0)
        snprintf(status, sizeof status, "Reloaded, but for %d bad values; all else was applied",
                 skipped);
    else
        snprintf(status, sizeof status, "Reloaded");
    log_msg(skipped != 0 ? LL_ERROR : LL_LOG, "supervisor", "%s", status);
    control_tell_reload(status);
    if (err.code >= 0) {
        pm->reloads_done++;
        title_enable_updates(pm->settings->update_titles);
        take_settings(pm);
        node_settings_announce();
        signal_children(pm, PROC_KIND_COUNT, SIGHUP);
        collector_reload(pm);
        collector_follow(pm);
        accept_review(pm, clock_mono_us());
        resolver_run(on_names, pm);
    }
    notify_ready(status);
}

void
postmaster_follow_settings(Postmaster *pm)
{
    if (!live_conf_follow())
        return;
    collector_tell_levels();
    if (pm->settings->refresh == NULL)
        return;
    resolver_expire();
    apply_settings(pm);
    resolver_run(on_names, pm);
}

/* Nobody lives: a new region. Failure ends the node; systemd starts it anew. */
static void
rebuild(Postmaster *pm)
{
    ErrInfo err;

    ot_assert(children_count(pm->children) == 0);
    logdirs_carry_failures();
    server_log_leave();
    region_unmap(&pm->region);
    if (postmaster_map_region(pm, &err) == 0) {
        collector_publish(pm);
        collector_tell_levels();
        return;
    }
    log_msg(LL_FATAL, "supervisor", "shared memory cannot be built anew: %s", err.text);
    pm->exiting = true;
    pm->exit_code = EXIT_CODE_FATAL;
}

static void
perform(Postmaster *pm, const PmAction *action)
{
    switch (action->type) {
    case PM_ACT_LAUNCH:
        if (launch_worker(pm, action->kind, action->instance) < 0)
            postmaster_feed(pm, &(PmEvent){.type = PM_EV_LAUNCH_FAILED,
                                           .kind = action->kind,
                                           .instance = action->instance,
                                           .death = PM_DEATH_GAVE_UP});
        break;
    case PM_ACT_SIGNAL_KIND:
        signal_children(pm, action->kind, action->value);
        break;
    case PM_ACT_SIGNAL_ALL:
        signal_children(pm, PROC_KIND_COUNT, action->value);
        break;
    case PM_ACT_ACCEPT_ON:
        accept_on(pm);
        break;
    case PM_ACT_ACCEPT_OFF:
        accept_off(pm);
        break;
    case PM_ACT_CLOSE_LISTENERS:
        accept_off(pm);
        spare_close_all();
        for (int i = 0; i < node_listeners.count; i++)
            for (int k = 0; k < node_listeners.rows[i].fd_count; k++)
                mainloop_remove(node_listeners.rows[i].fds[k]);
        listen_close(&node_listeners);
        break;
    case PM_ACT_NOTIFY_READY:
        announce_ready(pm, true);
        break;
    case PM_ACT_NOTIFY_RECOVERED:
        announce_ready(pm, false);
        break;
    case PM_ACT_NOTIFY_STOPPING:
        announce_stopping(pm);
        break;
    case PM_ACT_RELOAD:
        reload(pm);
        break;
    case PM_ACT_RESCAN:
        shared_page_raise_rescan();
        signal_children(pm, PROC_KIND_COUNT, LATCH_SIGNAL);
        break;
    case PM_ACT_CRASHED:
        announce_crash(pm);
        break;
    case PM_ACT_REBUILD:
        rebuild(pm);
        break;
    case PM_ACT_EXIT:
        pm->exiting = true;
        pm->exit_code = action->value;
        break;
    case PM_ACT_TYPE_COUNT:
        ot_unreachable();
    }
}

void
postmaster_feed(Postmaster *pm, const PmEvent *event)
{
    PmEvent stamped = *event;
    PmActions actions;
    PmState before = pm->machine.state;

    stamped.now_ms = clock_mono_ms();
    pm_step(&pm->machine, &stamped, &actions);
    if (pm->machine.state != before)
        log_msg(LL_DEBUG1, "supervisor", "%s: %s to %s", pm_event_name(event->type),
                pm_state_name(before), pm_state_name(pm->machine.state));
    for (int i = 0; i < actions.count && !pm->exiting; i++)
        perform(pm, &actions.list[i]);
    if (pm->region.base != NULL)
        atomic_u32_store(&shared_page->node_state, (uint32_t)pm->machine.state);
}

/* ---- deaths ---- */

static uint64_t
cpu_us_of(const struct rusage *used)
{
    return (uint64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000 +
           (uint64_t)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
}

static void
bury(Postmaster *pm, pid_t pid, int status, const struct rusage *used)
{
    const Child *found = children_find(pm->children, pid);

    if (collector_buried(pm, pid, status))
        return;
    if (found == NULL)
        return; /* inherited by exec from whoever was this pid before */
    const Child child = *found;
    PmExit how = {.kind = child.kind,
                  .exited = WIFEXITED(status),
                  .code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)};

    slot_mark_dead(child.slot, child.generation);
    children_remove(pm->children, pid);
    if (child.kind == PROC_BACKEND)
        stat_add(STAT_BACKEND_CPU_US, cpu_us_of(used));
    how.panicked = obituary_panicked(&child);
    PmDeath death = pm_classify_exit(&how);
    bool expected = pm->machine.state == PM_CRASH_WAIT || pm->machine.state == PM_STOP_IMMEDIATE;
    if (!expected || how.panicked)
        obituary_log(&child, &how, death);
    if (child.kind != PROC_BACKEND && death != PM_DEATH_ROUTINE)
        control_tell_death(child.kind, child.instance, how.exited, how.code);
    if (child.kind == PROC_BACKEND) {
        spare_buried(pid);
        pm->spares_blocked = false;
        atomic_u32_store(&shared_page->backends, (uint32_t)accept_client_count(pm));
        if (death == PM_DEATH_ALONE || death == PM_DEATH_CRASH)
            stat_add(STAT_BACKEND_CRASHES, 1);
    }
    postmaster_feed(pm, &(PmEvent){.type = PM_EV_DEATH,
                                   .kind = child.kind,
                                   .instance = child.kind == PROC_BACKEND ? 0 : child.instance,
                                   .death = death});
}

static void
reap(Postmaster *pm)
{
    int32_t bound = children_count(pm->children) + 2; /* and the logger */

    for (int32_t i = 0; i < bound && !pm->exiting; i++) {
        struct rusage used;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &used);
        if (pid <= 0)
            break;
        bury(pm, pid, status, &used);
    }
    accept_review(pm, clock_mono_us());
}

/* ---- the loop ---- */

/* A worker that systemd should hear of when it hangs turned its main loop lately. */
static bool
workers_turn(const Postmaster *pm, int64_t now_us)
{
    for (int32_t i = 0; i < children_count(pm->children); i++) {
        const Child *child = children_at(pm->children, i);
        if (child->kind != PROC_CHECKPOINTER && child->kind != PROC_CONTROLLER)
            continue;
        int64_t turned_us = atomic_i64_load(&slot_at(child->slot)->progress_us);
        if (turned_us < child->started_us)
            turned_us = child->started_us;
        if (now_us - turned_us > pm->watchdog_half_us) {
            log_msg(LL_ERROR, "supervisor",
                    "%s has not turned for %lld ms: the watchdog is not fed; pid=%d",
                    process_kinds[child->kind].name, (long long)((now_us - turned_us) / 1000),
                    (int)child->pid);
            return false;
        }
    }
    return true;
}

/*
 * Feeds systemd's watchdog, then asks the watched workers for a turn: a latch signal costs an idle
 * one a turn, and shows at the next round whether it still turns.
 */
static void
feed_watchdog(Postmaster *pm, int64_t now_us)
{
    if (pm->next_watchdog_us == INT64_MAX || now_us < pm->next_watchdog_us)
        return;
    pm->next_watchdog_us = now_us + pm->watchdog_third_us;
    if (workers_turn(pm, now_us))
        notify_watchdog();
    signal_children(pm, PROC_CHECKPOINTER, LATCH_SIGNAL);
    signal_children(pm, PROC_CONTROLLER, LATCH_SIGNAL);
}

static void
tell_status(Postmaster *pm, int64_t now_us)
{
    char status[128];

    if (now_us < pm->next_status_us)
        return;
    pm->next_status_us = now_us + STATUS_PERIOD_US;
    if (pm->machine.state == PM_RUN) {
        format_ready_status(pm, status, sizeof status);
        notify_status("%s", status);
    } else if (pm->machine.state == PM_STARTING) {
        notify_status("Loading metadata");
        notify_extend_start(EXTEND_START_US);
    }
}

static int64_t
next_deadline_us(const Postmaster *pm, int64_t now_us)
{
    int64_t at_us = pm->next_status_us;
    int64_t machine_ms = pm_next_deadline(&pm->machine);

    if (machine_ms < INT64_MAX / 1000 && machine_ms * 1000 < at_us)
        at_us = machine_ms * 1000;
    if (pm->next_watchdog_us < at_us)
        at_us = pm->next_watchdog_us;
    if (accept_next_review_us(pm, now_us) < at_us)
        at_us = accept_next_review_us(pm, now_us);
    if (pm->machine.state == PM_STARTING && now_us + STARTING_POLL_US < at_us)
        at_us = now_us + STARTING_POLL_US;
    if (collector_next_us(pm) < at_us)
        at_us = collector_next_us(pm);
    if (spare_wanted(pm) > 0 && pm->refill_us < at_us)
        at_us = pm->refill_us; /* often now: one more turn, after what is waiting already */
    return at_us;
}

static void
take_signals(Postmaster *pm)
{
    static const struct {
        Interrupt flag;
        PmEventType event;
        ShutdownMode mode;
    } rows[] = {
        {INTERRUPT_QUIT, PM_EV_IMMEDIATE, SHUTDOWN_IMMEDIATE},
        {INTERRUPT_CANCEL, PM_EV_FAST, SHUTDOWN_FAST},
        {INTERRUPT_TERMINATE, PM_EV_SMART, SHUTDOWN_SMART},
        {INTERRUPT_RELOAD, PM_EV_RELOAD, SHUTDOWN_NONE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !pm->exiting; i++) {
        if (!interrupt_take(rows[i].flag))
            continue;
        if (atomic_u32_load(&shared_page->shutdown_mode) < (uint32_t)rows[i].mode)
            atomic_u32_store(&shared_page->shutdown_mode, (uint32_t)rows[i].mode);
        postmaster_feed(pm, &(PmEvent){.type = rows[i].event});
    }
}

static void
run_loop(Postmaster *pm)
{
    while (!pm->exiting) {
        int64_t now_us = clock_mono_us();
        (void)mainloop_wait(next_deadline_us(pm, now_us), WAIT_EV_SUPERVISOR_MAIN);
        take_signals(pm);
        if (interrupt_take(INTERRUPT_CHILD))
            reap(pm);
        if (!pm->exiting)
            orders_follow(pm);
        postmaster_follow_settings(pm);
        now_us = clock_mono_us();
        if (!pm->exiting && pm->machine.state == PM_STARTING &&
            atomic_u32_load(&shared_page->controller_active) != 0) {
            postmaster_follow_settings(pm); /* ready: with all listeners that requests have added */
            if (!relisten_waits() || now_us - pm->phase_us >= NAMES_PATIENCE_US)
                postmaster_feed(pm, &(PmEvent){.type = PM_EV_CONTROLLER_ACTIVE});
        }
        if (!pm->exiting && now_us / 1000 >= pm_next_deadline(&pm->machine))
            postmaster_feed(pm, &(PmEvent){.type = PM_EV_TICK});
        if (!pm->exiting)
            accept_review(pm, now_us);
        if (spare_wanted(pm) > 0 && now_us >= pm->refill_us)
            spare_refill(pm);
        collector_follow(pm);
        tell_status(pm, now_us);
        feed_watchdog(pm, now_us);
    }
}

static int
fail_start(Postmaster *pm, int code, const ErrInfo *err)
{
    const char *hint = NULL;

    if (code == OT_E_EXISTS)
        hint = "ss -ltnp shows which process listens there";
    else if (code == OT_E_PERMISSION)
        hint = "chown the directory, start as its owner, or give --user";
    const LogMore more = {.hint = hint};
    log_more(LL_FATAL, "supervisor", &more, "cannot start: %s", err->text);
    notify_failed(errno, err->text);
    listen_close(&node_listeners);
    if (pm->dir.pid_fd >= 0)
        datadir_remove_pid_file(&pm->dir);
    return exit_code_of(code);
}

int
postmaster_run(PmSettings *settings, const KindMains *mains)
{
    Postmaster *pm = own_memory_take(sizeof *pm); /* until the end of the process */
    ErrInfo err = {0};

    if (pm == NULL) {
        log_msg(LL_FATAL, "supervisor", "cannot start: no memory");
        return EXIT_CODE_FATAL;
    }
    *pm = (Postmaster){.settings = settings,
                       .mains = mains,
                       .phase_us = clock_mono_us(),
                       .next_status_us = clock_mono_us() + STATUS_PERIOD_US,
                       .next_watchdog_us = INT64_MAX};
    pm->dir.pid_fd = -1;
    obituary_watch_self();
    log_never_wait(true);
    int rc = postmaster_start(pm, &err);
    if (rc < 0)
        return fail_start(pm, rc, &err);
    collector_begin(pm);
    title_enable_updates(settings->update_titles);
    if (notify_watchdog_period(&pm->watchdog_half_us, &pm->watchdog_third_us))
        pm->next_watchdog_us = clock_mono_us();
    resolver_run(on_names, pm);
    postmaster_feed(pm, &(PmEvent){.type = PM_EV_BEGIN});
    run_loop(pm);
    log_msg(LL_LOG, "supervisor", "stopped; exit_code=%d", pm->exit_code);
    if (pm->exit_code == EXIT_CODE_CLEAN)
        datadir_remove_pid_file(&pm->dir);
    collector_end(pm);
    return pm->exit_code;
}
