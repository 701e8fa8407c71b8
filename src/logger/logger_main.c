/*
 * logger_main.c - the process that writes the log lines of all others into files
 *
 * Runs in: logger. Never: touches shared memory but the page of levels, or keeps somebody waiting: others lose lines,
 * counted, before they wait.
 * What it has to say itself goes into the same file, and to its stderr, which is that of the node's start, while it has
 * none or cannot write to it.
 * Spec: shell-and-service.md 9, 11.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/logger/logger_main.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/title.h"
#include "ottla/logger/log_file.h"

#define BATCH_BYTES  65536 /* lines are written together, up to here */
#define BATCHES_MAX  16    /* between two looks at signals */
#define LOOK_MS      60000 /* at the clock, which somebody may set */
#define DISK_WORD_MS 60000 /* a disk that is full is spoken of this often */

typedef struct Logger {
    const LoggerStart *start;
    LogFileRules rules;
    LogFile file;
    uint32_t levels[LOG_CATEGORY_COUNT]; /* set by request, as they are in force here */
    int signals;
    uint64_t lost;        /* lines that the disk did not take since the last one that it did */
    int64_t next_word_ms; /* about that */
    bool ended;
    char batch[BATCH_BYTES];
} Logger;

/* What it says itself goes to fd. */
static void
speak_to(int fd)
{
    log_set_style(&(LogStyle){.fd = fd < 0 ? STDERR_FILENO : fd,
                              .line_prefix = conf_str(CONF_LOG_LINE_PREFIX)});
}

static bool
read_rules(const Logger *l, LogFileRules *ret)
{
    const char *directory = conf_str(CONF_LOG_DIRECTORY);
    bool relative = directory[0] != '/';
    int len = snprintf(ret->directory, sizeof ret->directory, "%s%s%s",
                       relative ? l->start->data_dir : "", relative ? "/" : "", directory);

    ret->age_ms = conf_int64(CONF_LOG_ROTATION_AGE);
    ret->size = conf_int64(CONF_LOG_ROTATION_SIZE);
    ret->truncate = conf_bool(CONF_LOG_TRUNCATE_ON_ROTATION);
    if (len >= (int)sizeof ret->directory)
        return false;
    return snprintf(ret->pattern, sizeof ret->pattern, "%s", conf_str(CONF_LOG_FILENAME)) <
           (int)sizeof ret->pattern;
}

/* What came of opening a file, another one or the same anew. */
static void
take_file(Logger *l, int rc, const ErrInfo *err)
{
    if (rc == 0) {
        speak_to(l->file.fd);
        title_set("%s", l->file.path);
        log_msg(LL_DEBUG1, "logger", "log lines go to a file; path=%s", l->file.path);
        return;
    }
    log_msg(LL_ERROR, "logger", "log file cannot be opened, lines go %s: %s",
            l->file.fd < 0 ? "to stderr" : "on into the present one", err->text);
    if (l->file.fd >= 0)
        (void)log_file_settle(&l->file);
}

static void
rotate(Logger *l, LogFileWhy why)
{
    ErrInfo err = {0};

    take_file(l, log_file_rotate(&l->file, &l->rules, why, clock_wall_ms(), &err), &err);
}

static void
apply_levels(const Logger *l)
{
    node_settings_apply_levels(l->start->levels == NULL ? NULL : l->start->levels->words);
}

/* Nobody wakes the logger for them: they count from its next line on, and it looks before it says one. */
static void
follow_levels(Logger *l)
{
    bool changed = false;

    for (int i = 0; l->start->levels != NULL && i < LOG_CATEGORY_COUNT; i++) {
        uint32_t word = atomic_u32_load(&l->start->levels->words[i]);

        changed = changed || word != l->levels[i];
        l->levels[i] = word;
    }
    if (changed)
        apply_levels(l);
}

static void
take_settings(Logger *l)
{
    static LogFileRules rules; /* too large for the stack */
    ConfReport report;
    ErrInfo err = {0};

    conf_report_init(&report);
    (void)!conf_reload(node_settings_sources(), &report); /* the supervisor judged, and told */
    conf_report_release(&report);
    speak_to(l->file.fd);
    apply_levels(l);
    if (!read_rules(l, &rules)) {
        log_msg(LL_ERROR, "logger", "log.directory or log.filename is too long");
        return;
    }
    bool moved = strcmp(rules.directory, l->rules.directory) != 0 ||
                 strcmp(rules.pattern, l->rules.pattern) != 0;
    l->rules = rules;
    l->file.due_ms = log_file_due(&l->rules, clock_wall_ms());
    if (moved || l->file.fd < 0)
        rotate(l, LOG_FILE_ORDER);
    else
        take_file(l, log_file_reopen(&l->file, &err), &err);
}

/* ---- lines --------------------------------------------------------------------------------------- */

static void
write_to_stderr(const char *lines, size_t len)
{
    while (len > 0) {
        ssize_t sent = write(STDERR_FILENO, lines, len);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return; /* nobody can be told */
        lines += sent;
        len -= (size_t)sent;
    }
}

static void
count_lost(Logger *l, const char *lines, size_t len, const ErrInfo *err)
{
    int64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < len; i++)
        l->lost += lines[i] == '\n';
    if (now_ms < l->next_word_ms)
        return;
    l->next_word_ms = now_ms + DISK_WORD_MS;
    speak_to(STDERR_FILENO);
    log_msg(LL_ERROR, "logger", "log lines are lost: %s", err->text);
    speak_to(l->file.fd);
}

/* Room again: whoever reads the file learns first what is missing there. */
static void
tell_lost(Logger *l)
{
    uint64_t lost = l->lost;

    if (lost == 0)
        return;
    l->lost = 0;
    log_msg(LL_WARNING, "logger", "log lines were lost, the disk did not take them; lines=%" PRIu64,
            lost);
    if (!log_file_settle(&l->file))
        l->lost = lost;
}

static void
put_lines(Logger *l, size_t len)
{
    ErrInfo err = {0};
    LogFileWhy why;

    if (len == 0)
        return;
    if (l->file.fd < 0) {
        write_to_stderr(l->batch, len);
        return;
    }
    tell_lost(l);
    if (log_file_append(&l->file, l->batch, len, &err) != 0)
        count_lost(l, l->batch, len, &err);
    why = log_file_wanted(&l->file, &l->rules, clock_wall_ms());
    if (why != LOG_FILE_BEGIN)
        rotate(l, why);
}

/* Packets that are there, as many as a batch takes: a packet is whole lines. The number of bytes. */
static size_t
gather(Logger *l)
{
    size_t used = 0;

    while (used + PIPE_BUF <= sizeof l->batch) {
        ssize_t got = read(l->start->pipe_fd, l->batch + used, PIPE_BUF);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            l->ended = true;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    return used;
}

static void
drain(Logger *l)
{
    for (int i = 0; i < BATCHES_MAX && !l->ended; i++) {
        size_t len = gather(l);

        put_lines(l, len);
        if (len + PIPE_BUF <= sizeof l->batch)
            break; /* no more were there */
    }
}

/* ---- the loop ------------------------------------------------------------------------------------ */

static void
begin(Logger *l, const LoggerStart *start)
{
    sigset_t set;

    l->start = start;
    l->file = LOG_FILE_NONE;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, LATCH_SIGNAL);
    l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    /* Others end first, whoever wants the node to end; it goes when nobody is left who could say something. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    speak_to(-1);
    apply_levels(l);
    if (!read_rules(l, &l->rules))
        log_msg(LL_ERROR, "logger", "log.directory or log.filename is too long");
    rotate(l, LOG_FILE_BEGIN);
}

static void
take_signals(Logger *l)
{
    struct signalfd_siginfo info;
    bool settings = false, order = false;

    while (read(l->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        settings |= info.ssi_signo == SIGHUP;
        order |= info.ssi_signo != SIGHUP;
    }
    if (settings)
        take_settings(l);
    if (order)
        rotate(l, LOG_FILE_ORDER);
}

/* Until the next file is due, at most LOOK_MS. */
static int
patience_ms(const Logger *l)
{
    int64_t left_ms = l->file.due_ms - clock_wall_ms();

    return left_ms < 0 ? 0 : left_ms < LOOK_MS ? (int)left_ms : LOOK_MS;
}

void
logger_main(int instance, const void *start)
{
    static Logger logger;
    Logger *l = &logger;

    (void)instance;
    begin(l, start);
    while (!l->ended) {
        struct pollfd look[] = {{.fd = l->start->pipe_fd, .events = POLLIN},
                                {.fd = l->signals, .events = POLLIN}};

        (void)poll(look, 2, patience_ms(l));
        follow_levels(l);
        take_signals(l);
        drain(l);
        if (log_file_wanted(&l->file, &l->rules, clock_wall_ms()) == LOG_FILE_AGE)
            rotate(l, LOG_FILE_AGE);
    }
    tell_lost(l);
    exit(EXIT_SUCCESS);
}
