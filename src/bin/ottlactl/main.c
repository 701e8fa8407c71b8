/*
 * main.c - ottlactl: starts, stops and looks after a server, with pg_ctl's manners
 *
 * The command line; what the commands do is control.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_int.h"
#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"

#define PATIENCE_S   60
#define COMMANDS_MAX 4 /* words beside the options: kill SIGNAL PID */

static void
print_help(void)
{
    fputs(
        "ottlactl: starts, stops and looks after a server\n"
        "\n"
        "usage: ottlactl start   [-D DIR] [-l FILE] [-o OPTIONS] [-p PROGRAM] [-W] [-t SEC] [-s]\n"
        "       ottlactl stop    [-D DIR] [-m MODE] [-W] [-t SEC] [-s]\n"
        "       ottlactl restart [-D DIR] [-m MODE] [-l FILE] [-o OPTIONS] [-W] [-t SEC] [-s]\n"
        "       ottlactl reload  [-D DIR] [-s]\n"
        "       ottlactl status  [-D DIR]\n"
        "       ottlactl kill SIGNAL PID\n"
        "       ottlactl logrotate [-D DIR] [-s]\n"
        "\n"
        "  -D DIR         data directory; without it $OTTLA_DATA\n"
        "  -l FILE        where the server's messages go; they are appended\n"
        "  -o OPTIONS     more options of ottlad, split as a shell does\n"
        "  -p PROGRAM     the ottlad to start; without it the one beside ottlactl\n"
        "  -m MODE        smart (waits for clients), fast (the default) or immediate\n"
        "  -w, -W         waits until it is done (the default), or does not\n"
        "  -t SEC         how long (60; $OTTLACTL_TIMEOUT)\n"
        "  -s             prints errors alone\n"
        "  --version, --help\n"
        "\n"
        "Signals for kill: ABRT CONT HUP INT KILL QUIT STOP TERM USR1 USR2.\n"
        "status ends with 0 when a server runs, 3 when none does, 4 without a usable data "
        "directory.\n",
        stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottlactl", what, value, CTL_FAILED);
}

static bool
mode_signal(const char *mode, int *ret)
{
    static const struct {
        const char *name;
        int number;
    } rows[] = {{"smart", SIGTERM}, {"s", SIGTERM},         {"fast", SIGINT},
                {"f", SIGINT},      {"immediate", SIGQUIT}, {"i", SIGQUIT}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(mode, rows[i].name) == 0) {
            *ret = rows[i].number;
            return true;
        }
    }
    return false;
}

static bool
read_patience(const char *text, Order *order)
{
    return text_to_int32(strview_from(text), &order->patience_s) && order->patience_s > 0;
}

/* kill SIGNAL PID: for platforms and scripts that have no better way. */
static int
send_signal(const char *name, const char *pid_text)
{
    static const struct {
        const char *name;
        int number;
    } rows[] = {{"ABRT", SIGABRT}, {"CONT", SIGCONT}, {"HUP", SIGHUP},   {"INT", SIGINT},
                {"KILL", SIGKILL}, {"QUIT", SIGQUIT}, {"STOP", SIGSTOP}, {"TERM", SIGTERM},
                {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
    int32_t pid;
    int number = 0;

    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(name, rows[i].name) == 0)
            number = rows[i].number;
    if (number == 0)
        return complain("no such signal", name);
    if (!text_to_int32(strview_from(pid_text), &pid) || pid <= 1)
        return complain("no process id", pid_text);
    if (kill(pid, number) == 0)
        return CTL_DONE;
    fprintf(stderr, "ottlactl: could not send signal %s (PID: %d): %s\n", name, pid,
            strerror(errno));
    return CTL_FAILED;
}

/* The logger itself is told; a server that writes no files has none. */
static int
rotate(const Order *order)
{
    Instance instance;
    const char *why;
    pid_t logger;

    if (!instance_look(order->data_dir, &instance, &why) || !instance.running) {
        fprintf(stderr, "ottlactl: no server is running on \"%s\"\n", order->data_dir);
        return CTL_FAILED;
    }
    logger = instance_logger(instance.pid);
    if (logger == 0) {
        fputs("ottlactl: the server writes no log files: its messages go to the journal, to syslog "
              "or to stderr\n"
              "HINT:  log.destination=file has it write some; journald rotates by itself "
              "(journalctl --rotate); a file that stderr was sent to is turned over by logrotate "
              "with copytruncate.\n",
              stderr);
        return CTL_FAILED;
    }
    if (kill(logger, SIGUSR1) != 0) {
        fprintf(stderr, "ottlactl: could not signal the logger (PID: %d): %s\n", (int)logger,
                strerror(errno));
        return CTL_FAILED;
    }
    if (!order->silent)
        printf("server signaled to rotate log file\n");
    return CTL_DONE;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, Order *order, const char *words[COMMANDS_MAX])
{
    enum { OPT_VERSION = 256, OPT_HELP };
    static const struct option longs[] = {
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "D:l:m:o:p:st:wW", longs, NULL)) != -1) {
        switch (option) {
        case 'D':
            order->data_dir = optarg;
            break;
        case 'l':
            order->log_file = optarg;
            break;
        case 'm':
            if (!mode_signal(optarg, &order->stop_signal))
                return complain("-m wants smart, fast or immediate", optarg);
            break;
        case 'o':
            order->options = optarg;
            break;
        case 'p':
            order->program = optarg;
            break;
        case 's':
            order->silent = true;
            break;
        case 't':
            if (!read_patience(optarg, order))
                return complain("-t wants a number of seconds", optarg);
            break;
        case 'w':
        case 'W':
            order->wait = option == 'w';
            break;
        case OPT_VERSION:
            printf("ottlactl %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return CTL_DONE;
        case OPT_HELP:
            print_help();
            return CTL_DONE;
        default:
            return complain("unknown option, or one without its value", NULL);
        }
    }
    for (int i = 0; i < COMMANDS_MAX; i++)
        words[i] = optind + i < argc ? argv[optind + i] : NULL;
    return words[0] == NULL ? complain("which command?", NULL) : -1;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const Order *);
    } commands[] = {{"start", control_start},     {"stop", control_stop},
                    {"restart", control_restart}, {"reload", control_reload},
                    {"status", control_status},   {"logrotate", rotate}};
    Order order = {.data_dir = getenv("OTTLA_DATA"),
                   .stop_signal = SIGINT,
                   .patience_s = PATIENCE_S,
                   .wait = true};
    const char *words[COMMANDS_MAX], *patience = getenv("OTTLACTL_TIMEOUT");
    int code;

    if (patience != NULL && *patience != '\0' && !read_patience(patience, &order))
        return complain("OTTLACTL_TIMEOUT is no number of seconds", patience);
    code = parse_options(argc, argv, &order, words);
    if (code >= 0)
        return code;
    if (strcmp(words[0], "kill") == 0) {
        if (words[1] == NULL || words[2] == NULL || words[3] != NULL)
            return complain("kill wants a signal and a process id", NULL);
        return send_signal(words[1], words[2]);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(words[0], commands[i].name) != 0)
            continue;
        if (words[1] != NULL)
            return complain("unexpected argument", words[1]);
        if (order.data_dir == NULL || order.data_dir[0] == '\0')
            return complain("no data directory: -D DIR, or the variable OTTLA_DATA", NULL);
        return commands[i].run(&order);
    }
    return complain("unknown command", words[0]);
}
