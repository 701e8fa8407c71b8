/*
 * load_kills.c - who dies under the load: backends of clients, workers, whole nodes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load_kills.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
any_failed(void)
{
    for (int i = 0; i <= CHURN; i++) {
        if (atomic_u32_load(&shared->clients[i].failed) != 0) {
            return true;
        }
    }
    return false;
}

/* The command line of a process, blanks for zero bytes; false: it is gone. */
static bool
process_title(const char *pid, char ret[512])
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, ret, 511);
    close(fd);
    if (got <= 0) {
        return false;
    }
    for (ssize_t i = 0; i < got; i++) {
        ret[i] = ret[i] == '\0' ? ' ' : ret[i];
    }
    ret[got] = '\0';
    return true;
}

static pid_t
process_parent(const char *pid)
{
    char path[300], text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    if (fgets(text, sizeof text, f) != NULL && strrchr(text, ')') != NULL) {
        (void)sscanf(strrchr(text, ')') + 1, " %*c %d", &parent);
    }
    fclose(f);
    return parent;
}

/* A child of the supervisor whose title contains a text; 0: none. With several, one at random. */
static pid_t
find_child(pid_t supervisor, const char *text, RandomSeq *seq)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;
    uint64_t seen = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char title[512];
        if (isdigit((unsigned char)entry->d_name[0]) &&
            process_parent(entry->d_name) == supervisor && process_title(entry->d_name, title) &&
            strstr(title, text) != NULL && random_seq_below(seq, ++seen) == 0) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

/* Kills the backend of a random client. False: it had none just now. */
static bool
kill_backend(pid_t supervisor, RandomSeq *seq)
{
    ClientState *victim = &shared->clients[random_seq_below(seq, CLIENTS)];
    uint32_t port = atomic_u32_load(&victim->port);
    char text[32];
    snprintf(text, sizeof text, ":%u ", port);
    pid_t pid = port == 0 ? 0 : find_child(supervisor, text, seq);
    if (pid == 0) {
        return false;
    }
    atomic_u32_add(&victim->expected, 1);
    if (kill(pid, SIGKILL) != 0) {
        atomic_u32_add(&victim->expected, (uint32_t)-1);
        return false;
    }
    int64_t deadline = now_ms() + SETTLE_MS;
    while (atomic_u32_load(&victim->breaks) < atomic_u32_load(&victim->expected) &&
           now_ms() < deadline) {
        wait_ms(1);
    }
    return true;
}

static bool
kill_worker(pid_t supervisor, RandomSeq *seq)
{
    static const char *const kinds[] = {": controller", ": checkpointer", ": retention"};
    pid_t pid = find_child(supervisor, kinds[random_seq_below(seq, 3)], seq);
    return pid != 0 && kill(pid, SIGKILL) == 0;
}

static bool
kill_coordinator(pid_t supervisor, RandomSeq *seq)
{
    pid_t pid = find_child(supervisor, ": coordinator", seq);
    return pid != 0 && kill(pid, SIGKILL) == 0;
}

static uint32_t
total_breaks(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < CLIENTS; i++) {
        sum += atomic_u32_load(&shared->clients[i].breaks);
    }
    return sum;
}

/* The same of each client: whether it has moved on from a state of before. */
typedef bool (*Moved)(const ClientState *now, const ClientState *before);

static bool
has_worked(const ClientState *now, const ClientState *before)
{
    return atomic_i64_load(&now->done) > atomic_i64_load(&before->done) + BATCH_RECORDS;
}

static bool
has_broken(const ClientState *now, const ClientState *before)
{
    return atomic_u32_load(&now->breaks) > atomic_u32_load(&before->breaks);
}

/* False: one of them has not, or gave up. */
static bool
wait_for_each(Moved moved, const ClientState before[CLIENTS])
{
    int64_t deadline = now_ms() + SETTLE_MS;
    for (int i = 0; i < CLIENTS; i++) {
        while (!moved(&shared->clients[i], &before[i])) {
            if (any_failed() || now_ms() > deadline) {
                printf("# client %d does not go on\n", i);
                return false;
            }
            wait_ms(10);
        }
    }
    return true;
}

static void
remember(ClientState ret[CLIENTS])
{
    memcpy(ret, shared->clients, CLIENTS * sizeof *ret);
}

/* All start again after a worker's death; a coordinator's breaks nobody's connection. */
static bool
kill_and_look(pid_t supervisor, bool coordinator, RandomSeq *seq)
{
    ClientState before[CLIENTS];
    uint32_t breaks;
    remember(before);
    breaks = total_breaks();
    if (!(coordinator ? kill_coordinator(supervisor, seq) : kill_worker(supervisor, seq)) ||
        (!coordinator && !wait_for_each(has_broken, before))) {
        return false;
    }
    remember(before);
    if (!wait_for_each(has_worked, before)) {
        return false;
    }
    if (coordinator && total_breaks() != breaks) {
        printf("# a coordinator's death broke %u connections\n", total_breaks() - breaks);
        return false;
    }
    return true;
}

/* Progress of all writers together. */
static int64_t
total_done(void)
{
    int64_t sum = 0;
    for (int i = 0; i < WRITERS; i++) {
        sum += atomic_i64_load(&shared->clients[i].done);
    }
    return sum;
}

/* Has the caller kill the node and start it. False: it gave up. */
static bool
kill_node(void)
{
    char line[64];
    printf("kill\n");
    fflush(stdout);
    return fgets(line, sizeof line, stdin) != NULL;
}

/* The next one when work has gone on; false: it has not, or a client gave up. */
static bool
wait_for_work(void)
{
    int64_t before = total_done(), deadline = now_ms() + SETTLE_MS;
    while (total_done() < before + 20 * BATCH_RECORDS) {
        if (any_failed() || now_ms() > deadline) {
            return false;
        }
        wait_ms(10);
    }
    return true;
}

int
kill_many(pid_t supervisor, Mode mode, int kills, RandomSeq *seq)
{
    int done = 0;
    while (done < kills && !any_failed()) {
        if (mode == MODE_BACKENDS) {
            done += kill_backend(supervisor, seq);
            wait_ms((int)random_seq_below(seq, 10));
        } else if (mode == MODE_WORKERS) {
            if (!kill_and_look(supervisor, done % 2 == 0, seq)) {
                break;
            }
            done++;
            wait_ms((int)random_seq_below(seq, 10));
        } else {
            if (!kill_node() || !wait_for_work()) {
                break;
            }
            done++;
            wait_ms((int)random_seq_below(seq, 150));
        }
    }
    return done;
}
