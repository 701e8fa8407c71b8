/*
 * control.c - start, stop, restart, reload, status
 *
 * A server that is started here becomes the leader of a session of its own, so that no signal of this terminal reaches it. All
 * else is a signal to the process that ottlad.pid names, and a look at that file until it says what was wanted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_int.h"
#include "ottla/common/clock.h"

#define LOOK_MS         50
#define COMMAND_MAX     131072 /* bytes of a command line; Linux gives one argument as many */
#define WORDS_MAX       4096
#define DOT_EVERY_MS    1000
#define DELETED         " (deleted)" /* behind the path of a program that was replaced */
#define EXIT_NO_PROGRAM 127

static void say(const Order *order, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For people; -s keeps it quiet. */
static void
say(const Order *order, const char *format, ...)
{
    va_list args;

    if (order->silent)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    fflush(stdout);
}

static int
fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("ottlactl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CTL_FAILED;
}

/* The instance, or -1 and a word about it. */
static int
look(const Order *order, Instance *ret)
{
    const char *why;

    if (instance_look(order->data_dir, ret, &why))
        return 0;
    fail("data directory \"%s\": %s", order->data_dir, why);
    return -1;
}

/* A pause between two looks, and a dot a second. */
static void
pause_and_dot(const Order *order, int64_t *dot_ms)
{
    (void)poll(NULL, 0, LOOK_MS);
    if (clock_mono_ms() < *dot_ms)
        return;
    say(order, ".");
    *dot_ms += DOT_EVERY_MS;
}

/* ---- start ---- */

/* What is to be executed: by a shell, which splits -o, or word by word. */
typedef struct Command {
    char program[PATH_MAX];
    char here[PATH_MAX];     /* working directory; "": ours */
    char log_file[PATH_MAX]; /* "": where we write */
    char *words[WORDS_MAX + 1];
    char text[COMMAND_MAX];
} Command;

/* In single quotes for a shell; false: no room. */
static bool
add_quoted(char *text, size_t size, const char *word)
{
    size_t len = strlen(text);

    if (len + 3 >= size)
        return false;
    text[len++] = '\'';
    for (; *word != '\0'; word++) {
        if (len + 6 >= size)
            return false;
        if (*word == '\'') {
            memcpy(text + len, "'\\''", 4);
            len += 4;
        } else {
            text[len++] = *word;
        }
    }
    memcpy(text + len, "' ", 3);
    return true;
}

/* The ottlad beside this program, or where packages put it. */
static bool
find_program(const Order *order, char ret[PATH_MAX])
{
    static const char *const places[] = {"ottlad", "../lib/ottla/bin/ottlad"};
    char own[PATH_MAX];
    ssize_t len;

    if (order->program != NULL)
        return (size_t)snprintf(ret, PATH_MAX, "%s", order->program) < PATH_MAX;
    len = readlink("/proc/self/exe", own, sizeof own - 1);
    while (len > 0 && own[len - 1] != '/')
        len--;
    for (size_t i = 0; len > 0 && i < sizeof places / sizeof places[0]; i++) {
        int made = snprintf(ret, PATH_MAX, "%.*s%s", (int)len, own, places[i]);

        if (made < PATH_MAX && access(ret, X_OK) == 0)
            return true;
    }
    return false;
}

/* exec PROGRAM -D DIR OPTIONS, by a shell. */
static int
make_command(const Order *order, Command *c)
{
    static char name[] = "sh", option[] = "-c";
    const char *options = order->options == NULL ? "" : order->options;
    size_t len;

    if (!find_program(order, c->program))
        return fail("no program \"ottlad\" is beside ottlactl; -p names it");
    memcpy(c->text, "exec ", 6);
    if (!add_quoted(c->text, sizeof c->text, c->program) ||
        (len = strlen(c->text)) + 4 >= sizeof c->text)
        return fail("the command line is too long");
    memcpy(c->text + len, "-D ", 4);
    if (!add_quoted(c->text, sizeof c->text, order->data_dir) ||
        (len = strlen(c->text)) + strlen(options) >= sizeof c->text)
        return fail("the command line is too long");
    snprintf(c->text + len, sizeof c->text - len, "%s", options);
    snprintf(c->program, sizeof c->program, "/bin/sh");
    c->words[0] = name;
    c->words[1] = option;
    c->words[2] = c->text;
    c->words[3] = NULL;
    return CTL_DONE;
}

/* The target of a link of /proc/PID, "" when it cannot be read or is no path. */
static void
read_link(pid_t pid, const char *name, char ret[PATH_MAX])
{
    char path[64];
    ssize_t len;
    size_t end = sizeof DELETED - 1;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    len = readlink(path, ret, PATH_MAX - 1);
    ret[len < 0 || ret[0] != '/' ? 0 : len] = '\0';
    if (strlen(ret) > end && strcmp(ret + strlen(ret) - end, DELETED) == 0)
        ret[strlen(ret) - end] = '\0';
}

/* The command line that a running server has, to be repeated when it is gone. */
static int
copy_command(pid_t pid, Command *c)
{
    size_t size = instance_command_line(pid, c->text, sizeof c->text);
    struct stat st;
    int count = 0;

    for (size_t at = 0; at < size && count < WORDS_MAX; at += strlen(c->text + at) + 1)
        c->words[count++] = c->text + at;
    c->words[count] = NULL;
    read_link(pid, "exe", c->program);
    read_link(pid, "cwd", c->here);
    if (instance_logger(pid) != 0) /* the server's is a pipe */
        pid = instance_logger(pid);
    read_link(pid, "fd/2", c->log_file);
    if (c->log_file[0] != '\0' && (stat(c->log_file, &st) != 0 || !S_ISREG(st.st_mode)))
        c->log_file[0] = '\0';
    if (count == 0 || c->program[0] == '\0')
        return fail("how process %d was started cannot be found out; stop it, and start it with -o",
                    (int)pid);
    return CTL_DONE;
}

/* In the child: nothing of our terminal, then the server. Returns only as a failure. */
static _Noreturn void
become_server(const Command *c)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = c->log_file[0] == '\0'
                  ? -1
                  : open(c->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    (void)setsid();
    if (c->log_file[0] != '\0' && log < 0) {
        fail("log file \"%s\": %s", c->log_file, strerror(errno));
        _exit(EXIT_NO_PROGRAM);
    }
    if (null >= 0)
        (void)dup2(null, 0);
    if (log >= 0) {
        (void)dup2(log, 1);
        (void)dup2(log, 2);
    }
    if (c->here[0] != '\0' && chdir(c->here) != 0) {
        fail("%s: %s", c->here, strerror(errno));
        _exit(EXIT_NO_PROGRAM);
    }
    execv(c->program, c->words);
    fail("%s: %s", c->program, strerror(errno));
    _exit(EXIT_NO_PROGRAM);
}

/* Until the pid file of this process says "ready". */
static int
wait_ready(const Order *order, pid_t pid)
{
    int64_t now_ms = clock_mono_ms(), dot_ms = now_ms;
    int64_t give_up_ms = now_ms + order->patience_s * INT64_C(1000);
    Instance instance;
    const char *why;
    int status;

    say(order, "waiting for server to start...");
    while (clock_mono_ms() < give_up_ms) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            say(order, " stopped waiting\n");
            return fail("could not start server (exit code %d)\nExamine the log output.",
                        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        if (instance_look(order->data_dir, &instance, &why) && instance.ready &&
            instance.pid == pid) {
            say(order, " done\nserver started\n");
            return CTL_DONE;
        }
        pause_and_dot(order, &dot_ms);
    }
    say(order, " stopped waiting\n");
    return fail("server did not start in time");
}

static int
launch(const Order *order, Command *c)
{
    pid_t pid;

    if (order->log_file != NULL)
        snprintf(c->log_file, sizeof c->log_file, "%s", order->log_file);
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        return fail("could not start server: %s", strerror(errno));
    if (pid == 0)
        become_server(c);
    if (order->wait)
        return wait_ready(order, pid);
    say(order, "server starting\n");
    return CTL_DONE;
}

int
control_start(const Order *order)
{
    static Command command;
    Instance instance;
    const char *why;

    /* A directory that is not there yet is made by the server. */
    if (instance_look(order->data_dir, &instance, &why) && instance.running)
        return fail("another server runs on \"%s\" (PID: %d)", order->data_dir, (int)instance.pid);
    if (make_command(order, &command) != CTL_DONE)
        return CTL_FAILED;
    return launch(order, &command);
}

/* ---- stop, restart ---- */

/* Until nobody holds the pid file any more, and the process is gone, which lets go of its files a moment earlier. */
static int
wait_stopped(const Order *order, pid_t pid)
{
    int64_t now_ms = clock_mono_ms(), dot_ms = now_ms;
    int64_t give_up_ms = now_ms + order->patience_s * INT64_C(1000);
    Instance instance;
    const char *why;

    say(order, "waiting for server to shut down...");
    while (clock_mono_ms() < give_up_ms) {
        bool held = instance_look(order->data_dir, &instance, &why) &&
                    (instance.running || instance.orphans);

        if (!held && !instance_process_lives(pid)) {
            say(order, " done\nserver stopped\n");
            return CTL_DONE;
        }
        pause_and_dot(order, &dot_ms);
    }
    say(order, " failed\n");
    fail("server does not shut down");
    if (order->stop_signal == SIGTERM)
        fputs("HINT:  \"-m fast\" does not wait for clients to leave.\n", stderr);
    return CTL_FAILED;
}

static int
stop_instance(const Order *order, const Instance *instance)
{
    if (kill(instance->pid, order->stop_signal) != 0)
        return fail("could not send stop signal (PID: %d): %s", (int)instance->pid,
                    strerror(errno));
    if (order->wait)
        return wait_stopped(order, instance->pid);
    say(order, "server shutting down\n");
    return CTL_DONE;
}

static int
complain_not_running(const Order *order)
{
    fail("no server is running on \"%s\"", order->data_dir);
    return CTL_FAILED;
}

int
control_stop(const Order *order)
{
    Instance instance;

    if (look(order, &instance) < 0)
        return CTL_FAILED;
    return instance.running ? stop_instance(order, &instance) : complain_not_running(order);
}

int
control_restart(const Order *order)
{
    static Command command;
    Order stop = *order;
    Instance instance;
    char unit[NAME_MAX + 1];
    int rc;

    if (look(order, &instance) < 0)
        return CTL_FAILED;
    if (!instance.running) {
        fail("no server is running on \"%s\"; starting it anyway", order->data_dir);
        return control_start(order);
    }
    if (instance_unit(instance.pid, unit)) {
        fail("this server is kept by systemd as %s", unit);
        fprintf(stderr, "HINT:  systemctl restart %s\n", unit);
        return CTL_FAILED;
    }
    rc = order->options == NULL && order->program == NULL ? copy_command(instance.pid, &command)
                                                          : make_command(order, &command);
    if (rc != CTL_DONE)
        return rc;
    stop.wait = true;
    rc = stop_instance(&stop, &instance);
    return rc == CTL_DONE ? launch(order, &command) : rc;
}

/* ---- reload, status ---- */

int
control_reload(const Order *order)
{
    Instance instance;

    if (look(order, &instance) < 0)
        return CTL_FAILED;
    if (!instance.running)
        return complain_not_running(order);
    if (kill(instance.pid, SIGHUP) != 0)
        return fail("could not send reload signal (PID: %d): %s", (int)instance.pid,
                    strerror(errno));
    say(order, "server signaled\n");
    return CTL_DONE;
}

int
control_status(const Order *order)
{
    static char command[COMMAND_MAX];
    Instance instance;
    const char *why;
    char unit[NAME_MAX + 1];
    size_t len;

    if (!instance_look(order->data_dir, &instance, &why)) {
        fail("data directory \"%s\": %s", order->data_dir, why);
        return CTL_NO_DATA;
    }
    if (instance.orphans) {
        say(order, "ottlactl: no server running; processes of the one before are still ending\n");
        return CTL_NOT_RUNNING;
    }
    if (!instance.running) {
        say(order, "ottlactl: no server running\n");
        return CTL_NOT_RUNNING;
    }
    say(order, "ottlactl: server is running (PID: %d)%s\n", (int)instance.pid,
        instance.ready ? "" : "; it is not ready");
    len = instance_command_line(instance.pid, command, sizeof command);
    for (size_t i = 0; i + 1 < len; i++)
        if ((unsigned char)command[i] < ' ' || command[i] == 0x7f)
            command[i] = command[i] == '\0' ? ' ' : '?';
    if (len > 0)
        say(order, "%s\n", command);
    if (instance_unit(instance.pid, unit))
        say(order, "kept by systemd as %s\n", unit);
    return CTL_DONE;
}
