/*
 * ctl_int.h - what the files of ottlactl share: the order, and the instance that it is about
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BIN_CTL_INT_H
#define OTTLA_BIN_CTL_INT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_DONE        0
#define CTL_FAILED      1
#define CTL_NOT_RUNNING 3 /* of status */
#define CTL_NO_DATA     4 /* of status */

/* The command line. */
typedef struct Order {
    const char *data_dir;
    const char *log_file; /* -l; NULL: the server writes where we write */
    const char *options;  /* -o; NULL: none, at a restart those it had */
    const char *program;  /* -p; NULL: the ottlad beside us */
    int stop_signal;      /* -m */
    int32_t patience_s;   /* -t */
    bool wait;
    bool silent;
} Order;

/* What DIR/ottlad.pid and its lock say. */
typedef struct Instance {
    bool running; /* its supervisor lives and holds the lock */
    bool orphans; /* the supervisor is dead, but processes of it hold the lock still */
    pid_t pid;    /* 0: the file has none */
    bool ready;
} Instance;

/* Fills ret; false: DIR is no directory that can be looked into, why in ret_why. */
bool instance_look(const char *data_dir, Instance *ret, const char **ret_why);

/* The command line of a process, its words behind one another as in /proc; the number of bytes, 0: not to be had. */
size_t instance_command_line(pid_t pid, char *ret, size_t size);

/* Is there such a process, other than one that has ended and is not reaped yet? */
bool instance_process_lives(pid_t pid);

/* The logger among its children; 0: it has none. */
pid_t instance_logger(pid_t supervisor);

/* The unit of systemd that the process belongs to; false: none of ottlad's. */
bool instance_unit(pid_t pid, char ret[NAME_MAX + 1]);

/* The commands; each prints what it does, as pg_ctl does, and returns the exit code. */
int control_start(const Order *order);
int control_stop(const Order *order);
int control_restart(const Order *order);
int control_reload(const Order *order);
int control_status(const Order *order);

#endif
