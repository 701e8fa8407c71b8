/*
 * start.c - from settings to a node that is ready to fork: user, directories, sockets, region
 *
 * Runs in: supervisor, before the first fork. The order is the contract: nothing of the node is
 * opened before privileges are gone; locks come before sockets, so that a second start never
 * removes the Unix socket of the first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/slice.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/coordinator/requests.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/postmaster/launch.h"
#include "ottla/postmaster/privileges.h"
#include "ottla/storage/logdir_state.h"
#include "postmaster_int.h"
#include "regions_int.h"

#define STARTUP_MAX              64   /* processes that recover logs, of all directories */
#define DESCRIPTORS_BESIDE_SLOTS 1024 /* files of the supervisor and of one busy backend */
#define CONTROLLER_PORT          9093 /* named in VotersRecord when the first listener has no port */

void
pm_settings_default(const char *data_dir, PmSettings *ret)
{
    *ret = (PmSettings){
        .dir = {.data_dir = data_dir, .node_id = -1, .auto_format = true},
        .listen = {.backlog = LISTEN_BACKLOG,
                   .send_buffer = -1,
                   .receive_buffer = -1,
                   .local = {.mode = 0777, .group = NET_GROUP_KEEP}},
        .machine = {.smart_timeout_ms = 30000,
                    .backend_timeout_ms = 10000,
                    .restart_after_crash = true,
                    .crash_cycles_max = PM_CRASH_CYCLES_MAX},
        .accept = {.max_per_address = INT32_MAX},
        .startup_per_dir = 1,
        .update_titles = true,
    };
    ret->accept.rules = (AcceptRules){.node = {INT32_MAX, INT32_MAX}, .spans = rate_spans(11, 1)};
    for (int i = 0; i < ACCEPT_LISTENERS_MAX; i++)
        ret->accept.rules.listeners[i] = (AcceptBound){INT32_MAX, INT32_MAX};
    shm_limits_default(&ret->limits);
}

static void
name_instance(const Postmaster *pm)
{
    const char *name = pm->settings->instance;
    const char *slash = strrchr(pm->dir.path, '/');

    if (name == NULL)
        name = slash == NULL || slash[1] == '\0' ? "main" : slash + 1;
    snprintf(node_info.instance, sizeof node_info.instance, "%.*s",
             (int)sizeof node_info.instance - 1, name);
}

/*
 * Disks and name servers may be slow while directories and sockets are opened, and there is no loop yet: an order to
 * stop then ends the process at once. Nothing was begun that the next start does not take over.
 */
static void
let_orders_end(bool yes)
{
    sigset_t orders;

    sigemptyset(&orders);
    sigaddset(&orders, SIGTERM);
    sigaddset(&orders, SIGINT);
    sigprocmask(yes ? SIG_UNBLOCK : SIG_BLOCK, &orders, NULL);
}

static void
raise_descriptor_limit(const Postmaster *pm)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)pm->settings->limits.backend_slots + DESCRIPTORS_BESIDE_SLOTS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_msg(LL_WARNING, "supervisor", "limit of open files not raised: %s", strerror(errno));
    if (limit.rlim_max < wanted)
        log_msg(LL_WARNING, "supervisor",
                "limit of open files is low: %llu, wanted %llu (LimitNOFILE=, ulimit -n)",
                (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

static int
open_directories(Postmaster *pm, ErrInfo *err)
{
    PmSettings *settings = pm->settings;
    RunAs as;
    int rc = privileges_choose(settings->user, settings->dir.data_dir, &as, err);

    if (rc == 0)
        rc = datadir_prepare(&settings->dir, as.change ? (int)as.uid : -1,
                             as.change ? (int)as.gid : -1, &pm->dir, err);
    if (rc == 0)
        rc = privileges_drop(&as, err);
    if (rc == 0) {
        name_instance(pm);
        rc = datadir_open(&pm->dir, &settings->dir, err);
    }
    return rc;
}

/* The table without the Unix socket, whose folder is not known yet; says who the voter is. */
static int
parse_listeners(Postmaster *pm, ErrInfo *err)
{
    ListenerSettings *wanted = &pm->settings->listeners;
    DatadirSettings *dir = &pm->settings->dir;

    if (gethostname(pm->hostname, sizeof pm->hostname - 1) == 0 && pm->hostname[0] != '\0')
        wanted->hostname = pm->hostname;
    wanted->unix_dir = NULL;
    int rc = listeners_parse(wanted, &node_listeners, err);
    for (int i = 0; rc == 0 && i < node_listeners.count; i++) {
        const Listener *row = &node_listeners.rows[i];
        if (!row->is_controller || dir->voter_listener != NULL)
            continue;
        snprintf(pm->voter_listener, sizeof pm->voter_listener, "%s", row->name);
        snprintf(pm->voter_host, sizeof pm->voter_host, "%s", row->advertised_host);
        dir->voter_listener = pm->voter_listener;
        dir->voter_host = pm->voter_host;
        dir->voter_port = row->advertised_port != 0 ? row->advertised_port : CONTROLLER_PORT;
    }
    return rc;
}

static int
open_sockets(Postmaster *pm, ErrInfo *err)
{
    PmSettings *settings = pm->settings;

    settings->listeners.unix_dir =
        settings->socket_dir == NULL ? pm->dir.path : settings->socket_dir;
    int rc = listeners_parse(&settings->listeners, &node_listeners, err);

    if (rc == 0)
        rc = listen_open(&node_listeners, &settings->listen, err);
    if (rc < 0)
        return rc;
    if (settings->refresh != NULL)
        settings->refresh(settings); /* bounds of single listeners */
    node_info.port = node_listeners.rows[0].port;
    for (int i = 0; i < node_listeners.count; i++) {
        Listener *row = &node_listeners.rows[i];
        if (!row->is_controller)
            continue;
        if (row->port == 0)
            row->port = (uint16_t)(node_info.port + 1);
        if (row->advertised_port == 0)
            row->advertised_port = row->port;
        if (node_info.controller_port == 0)
            node_info.controller_port = row->advertised_port;
    }
    return 0;
}

static int
write_pid_file(Postmaster *pm, ErrInfo *err)
{
    const PidFileInfo info = {
        .port = node_info.port,
        .socket_dir = pm->settings->listeners.unix_dir,
        .listen_address = node_listeners.rows[0].host,
    };

    return datadir_write_pid_file(&pm->dir, &info, err);
}

int
postmaster_map_region(Postmaster *pm, ErrInfo *err)
{
    ShmLimits limits = pm->settings->limits;

    limits.worker_slots = PROC_WORKERS_MAX;
    limits.log_dirs = logdir_count();
    int rc = regions_map(&limits, &pm->region, err);
    if (rc < 0)
        return rc;
    node_settings_begin_region();
    if (pm->settings->huge_pages)
        regions_advise_huge(&pm->region);
    node_info.incarnation_id = random_uuid();
    atomic_i64_store(&shared_page->started_ms, clock_wall_ms());
    atomic_i64_store(&shared_page->stats_reset_ms, clock_wall_ms());
    atomic_u32_store(&shared_page->crash_cycles, (uint32_t)pm->crash_cycles);
    atomic_u32_store(&shared_page->clean_start, pm->crash_cycles == 0 && node_info.clean_start);
    datadir_publish_clean(pm->crash_cycles == 0);
    return 0;
}

void
postmaster_count_startup(PmSettings *settings, int log_dirs)
{
    int64_t wanted = (int64_t)settings->startup_per_dir * log_dirs;

    settings->machine.worker_count[PROC_STARTUP] = wanted > STARTUP_MAX ? STARTUP_MAX : (int)wanted;
}

static int
make_table(Postmaster *pm, ErrInfo *err)
{
    PmConfig *config = &pm->settings->machine;

    config->worker_count[PROC_CONTROLLER] = 1;
    config->worker_count[PROC_CHECKPOINTER] = logdir_count();
    config->worker_count[PROC_RETENTION] = 1;
    config->worker_count[PROC_COORDINATOR] = coordinator_worker_count();
    config->worker_count[PROC_EXPORTER] = 1;
    config->startup_max = STARTUP_MAX;
    postmaster_count_startup(pm->settings, logdir_count());
    for (int kind = 0; kind < PROC_KIND_COUNT; kind++)
        if (pm->mains->main[kind] == NULL)
            config->worker_count[kind] = 0;
    pm_init(&pm->machine, config);
    pm->children = children_new(pm->settings->limits.backend_slots, PROC_WORKERS_MAX);
    return pm->children == NULL
               ? err_set(err, OT_E_NO_MEMORY, "no memory for the table of children")
               : 0;
}

int
postmaster_start(Postmaster *pm, ErrInfo *err)
{
    int rc;

    node_info.supervisor_pid = getpid();
    log_set_identity(&(LogIdentity){.instance = NULL, .kind = "supervisor", .node_id = -1});
    log_event(LL_LOG, "supervisor", LOG_EVENT_STARTED,
              "ottlad %s starting; pid=%d data_dir=%s config_file=%s", OT_VERSION, (int)getpid(),
              pm->settings->dir.data_dir,
              pm->settings->config_file == NULL ? "none" : pm->settings->config_file);
    raise_descriptor_limit(pm);
    latch_block_signals();
    let_orders_end(true);
    rc = parse_listeners(pm, err);
    if (rc == 0)
        rc = open_directories(pm, err);
    if (rc == 0) {
        log_set_identity(&(LogIdentity){
            .instance = node_info.instance, .kind = "supervisor", .node_id = node_info.node_id});
        rc = open_sockets(pm, err);
    }
    if (rc == 0)
        rc = write_pid_file(pm, err);
    let_orders_end(false);
    if (rc == 0)
        rc = postmaster_map_region(pm, err);
    if (rc == 0)
        rc = make_table(pm, err);
    if (rc == 0)
        rc = launch_init(err);
    if (rc == 0)
        rc = mainloop_init(-1, err);
    slice_ask_short(); /* for all children, but those that nobody waits for */
    return rc;
}
