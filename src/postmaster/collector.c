/*
 * collector.c - the logger from the supervisor's side: started, started again, awaited at the end
 *
 * Runs in: supervisor; the first steps of the logger. It is a child apart from all others: it has no slot, the state machine
 * does not know it, it lives through crashes of the rest and ends by itself when nobody holds its pipe. Once it was wanted
 * it stays, whatever log.destination says later: some process may still be writing into the pipe.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/log_pipe.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/server_log.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/logger/logger_main.h"
#include "postmaster_int.h"

#define PAUSE_US        1000000 /* between two starts */
#define END_PATIENCE_MS 5000    /* of a stop, with a disk that takes no lines */

static LoggerLevels *levels; /* NULL: no memory, the logger has those of the files */

static bool
is_configured(const Postmaster *pm)
{
    return pm->mains->main[PROC_LOGGER] != NULL &&
           strcmp(conf_str(CONF_LOG_DESTINATION), "file") == 0;
}

/* The child: nothing of the node stays with it but the pipe. pm is not there any more (own_memory.c). */
static _Noreturn void
become_logger(KindMain run, Region region, const LoggerStart *start)
{
    LoggerStart mine = *start;

    my_slot = NULL;
    ot_panic_hook = NULL;
    server_log_leave();
    shared_page = NULL;
    region_unmap(&region); /* or it would keep the pages of one that was replaced */
    if (levels != NULL)    /* for safety alone: refused, it does not write there either */
        (void)mprotect(levels, sizeof *levels, PROT_READ);
    log_never_wait(false);
    mine.pipe_fd = log_pipe_become_reader();
    if (mine.pipe_fd < 0)
        _exit(EXIT_CODE_FATAL);
    title_begin(process_kinds[PROC_LOGGER].name);
    log_set_identity(&(LogIdentity){.instance = node_info.instance,
                                    .kind = process_kinds[PROC_LOGGER].name,
                                    .node_id = node_info.node_id});
    run(0, &mine);
    ot_unreachable();
}

static void
launch(Postmaster *pm)
{
    static LoggerStart start; /* too large for the stack */
    KindMain run = pm->mains->main[PROC_LOGGER];
    Region region = pm->region;

    snprintf(start.data_dir, sizeof start.data_dir, "%s", pm->dir.path);
    start.levels = levels;
    collector_tell_levels();
    pm->logger_launched_us = clock_mono_us();
    pid_t pid = fork();
    if (pid == 0)
        become_logger(run, region, &start);
    if (pid < 0) {
        log_msg(LL_ERROR, "supervisor", "cannot start a logger: %s", strerror(errno));
        return;
    }
    pm->logger_pid = pid;
    pm->logger_started_ms = clock_wall_ms();
    collector_publish(pm);
}

void
collector_publish(const Postmaster *pm)
{
    atomic_i64_store(&shared_page->logger_started_ms, pm->logger_started_ms);
    atomic_i32_store(&shared_page->logger_pid, (int32_t)pm->logger_pid);
}

void
collector_tell_levels(void)
{
    for (int i = 0; levels != NULL && i < LOG_CATEGORY_COUNT; i++)
        atomic_u32_store(&levels->words[i], atomic_u32_load(&shared_page->log_levels[i]));
}

void
collector_begin(Postmaster *pm)
{
    ErrInfo err = {0};

    if (pm->mains->main[PROC_LOGGER] == NULL)
        return;
    if (log_pipe_open(&err) < 0) {
        log_msg(LL_ERROR, "supervisor", "log lines cannot go to files, they go to stderr: %s",
                err.text);
        return;
    }
    levels = mmap(NULL, sizeof *levels, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (levels == MAP_FAILED)
        levels = NULL;
    if (is_configured(pm))
        log_msg(LL_LOG, "supervisor", "log lines from here on go to files; directory=%s",
                conf_str(CONF_LOG_DIRECTORY));
    node_settings_apply();
    collector_follow(pm);
}

int64_t
collector_next_us(const Postmaster *pm)
{
    if (!pm->logger_wanted || pm->logger_pid != 0)
        return INT64_MAX;
    return pm->logger_launched_us + PAUSE_US;
}

void
collector_follow(Postmaster *pm)
{
    if (is_configured(pm) && !pm->logger_wanted) {
        pm->logger_wanted = true;
        launch(pm);
    } else if (clock_mono_us() >= collector_next_us(pm)) {
        launch(pm);
    }
}

void
collector_reload(const Postmaster *pm)
{
    if (pm->logger_pid != 0)
        (void)kill(pm->logger_pid, SIGHUP);
}

bool
collector_buried(Postmaster *pm, pid_t pid, int status)
{
    bool exited = WIFEXITED(status);
    int code = exited ? WEXITSTATUS(status) : WTERMSIG(status);

    if (pm->logger_pid == 0 || pid != pm->logger_pid)
        return false;
    pm->logger_pid = 0;
    collector_publish(pm);
    control_tell_death(PROC_LOGGER, 0, exited, code);
    log_msg(LL_WARNING, "supervisor", "logger ended by %s %d, it is started again; pid=%d",
            exited ? "exit code" : "signal", code, (int)pid);
    return true;
}

void
collector_end(Postmaster *pm)
{
    struct pollfd look = {.events = POLLIN};

    if (!pm->logger_wanted)
        return;
    log_set_style(&(LogStyle){.fd = STDERR_FILENO, .line_prefix = conf_str(CONF_LOG_LINE_PREFIX)});
    log_pipe_close();
    if (pm->logger_pid == 0)
        return;
    look.fd = pidfd_open(pm->logger_pid, 0);
    if (look.fd < 0)
        return;
    if (poll(&look, 1, END_PATIENCE_MS) == 0)
        log_msg(LL_WARNING, "supervisor",
                "logger has not written all lines yet, left alone; pid=%d", (int)pm->logger_pid);
    vfs_close(look.fd);
}
