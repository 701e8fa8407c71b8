/*
 * quota_hosts.c - addresses of the hosts whose names have quotas
 *
 * Runs in: controller (table, child), everybody (quota_host_find). The table is private and sorted by the hashes of
 * names; what has an address is published after each change, whole.
 *
 * Crash rule: two-copy; the controller's death is a crash cycle anyway, and the names are asked for anew.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/quota_hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "controller/quota_hosts.h"
#include "ottla/common/clock.h"
#include "ottla/common/hash.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/controller/image_quotas.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/twocopy.h"

/* Names without an answer are asked for again, less and less often. */
#define AGAIN_MIN_US (5 * INT64_C(1000000))
#define AGAIN_MAX_US (300 * INT64_C(1000000))

typedef struct SharedHost {
    uint64_t hash;
    IpAddress address;
} SharedHost;

typedef struct SharedHosts {
    uint64_t count;
    SharedHost rows[QUOTA_HOSTS_MAX]; /* sorted by hash */
} SharedHosts;

static_assert(sizeof(SharedHosts) % 8 == 0 && sizeof(SharedHost) % 8 == 0, "copied by words");

typedef struct HostRegion {
    uint64_t seed;
    TwoCopy head;
    SharedHosts copies[2];
} HostRegion;

static HostRegion *region;

typedef struct Host {
    uint64_t hash;
    bool answered;
    KnownHost known;
} Host;

typedef struct HostTable {
    int32_t count;
    Host rows[QUOTA_HOSTS_MAX];
} HostTable;

static HostTable *table;  /* NULL: no name has a quota */
static uint64_t followed; /* serial of the image that it holds the names of */
static NameChild child = NAME_CHILD_NONE;
static HostTable *asked; /* what the child asks for: a copy, because table changes meanwhile */
static int64_t again_us; /* when to ask for what has no answer; INT64_MAX: nothing to ask for */
static int64_t pause_us = AGAIN_MIN_US;

size_t
quota_hosts_shm_size(const ShmLimits *limits)
{
    (void)limits;
    return sizeof(HostRegion);
}

void
quota_hosts_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    region = base;
    random_bytes(&region->seed, sizeof region->seed);
}

/* ---- readers ---- */

/* In one copy, which may change meanwhile: then the answer is not used. */
static bool
look(const SharedHosts *copy, uint64_t hash, IpAddress *ret)
{
    uint64_t low = 0, high;

    shared_copy_out(&high, &copy->count, sizeof high);
    if (high > QUOTA_HOSTS_MAX)
        high = QUOTA_HOSTS_MAX;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        SharedHost row;

        shared_copy_out(&row, &copy->rows[middle], sizeof row);
        if (row.hash == hash) {
            *ret = row.address;
            return true;
        }
        if (row.hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool
quota_host_find(StrView name, IpAddress *ret)
{
    uint64_t word, again;
    bool found;

    if (region == NULL || !ip_text_is_host(name))
        return false;
    again = twocopy_serial(&region->head);
    do {
        word = again;
        found = look(&region->copies[word & 1], hash_str(name, region->seed), ret);
        fence_acquire();
        again = twocopy_serial(&region->head);
    } while (again != word);
    return found;
}

bool
quota_host_choose(const NameFinding *finding, IpAddress *ret)
{
    char text[NET_TEXT_MAX];
    int best = 0;

    if (finding->count == 0)
        return false;
    while (best < finding->count && finding->addresses[best].storage.ss_family != AF_INET)
        best++;
    net_host_text(&finding->addresses[best == finding->count ? 0 : best], text);
    return ip_text_parse(strview_from(text), ret);
}

/* ---- the controller's table ---- */

static int
compare_rows(const void *a, const void *b)
{
    const Host *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

static Host *
row_of(HostTable *from, const char *name)
{
    Host key = {.hash = hash_str(strview_from(name), region->seed)};

    return from == NULL ? NULL
                        : bsearch(&key, from->rows, (size_t)from->count, sizeof key, compare_rows);
}

static void
publish(void)
{
    SharedHosts *copy = twocopy_begin(&region->head, region->copies, sizeof region->copies[0]);
    uint64_t count = 0;

    for (int32_t i = 0; table != NULL && i < table->count; i++) {
        const Host *host = &table->rows[i];
        SharedHost row = {host->hash, host->known.address};

        if (host->answered)
            shared_copy_in(&copy->rows[count++], &row, sizeof row);
    }
    shared_copy_in(&copy->count, &count, sizeof count);
    twocopy_publish(&region->head);
}

/* With the next tick. */
static void
ask_soon(void)
{
    pause_us = AGAIN_MIN_US;
    again_us = 0;
}

static void
add_name(void *arg, StrView name)
{
    HostTable *to = arg;
    Host *row = &to->rows[to->count];

    if (to->count == QUOTA_HOSTS_MAX)
        return; /* of a foreign log: our own has no more */
    to->count++;
    row->hash = hash_str(name, region->seed);
    memcpy(row->known.name, name.ptr, (size_t)name.len);
    row->known.name[name.len] = '\0';
}

static void
learn(HostTable *to, const HostList *found)
{
    for (; found != NULL; found = found->next)
        for (int32_t i = 0; i < found->count; i++) {
            Host *row = row_of(to, found->rows[i].name);

            if (row == NULL || row->answered) /* the last one's counts */
                continue;
            row->known.address = found->rows[i].address;
            row->answered = true;
        }
}

void
quota_hosts_follow(const Image *image, const HostList *found)
{
    uint64_t serial = image_quota_host_serial(image);
    HostTable *next = NULL;
    bool open = false;

    if (region == NULL || (serial == followed && found == NULL))
        return;
    if (image_quota_host_count(image) > 0) {
        next = calloc(1, sizeof *next);
        if (next == NULL)
            return; /* with the next turn */
        image_quota_hosts(image, add_name, next);
        qsort(next->rows, (size_t)next->count, sizeof next->rows[0], compare_rows);
        learn(next, found);
    }
    for (int32_t i = 0; next != NULL && i < next->count; i++) {
        Host *row = &next->rows[i];
        const Host *before = row_of(table, row->known.name);

        if (!row->answered && before != NULL) {
            row->known.address = before->known.address;
            row->answered = before->answered;
        }
        open |= !row->answered;
    }
    free(table);
    table = next;
    followed = serial;
    publish();
    if (open)
        ask_soon();
}

/* ---- asking ---- */

static const char *
asked_name(int index)
{
    return asked->rows[index].known.name;
}

/* How many names have no answer, and one of them. */
static int32_t
open_names(const char **ret_one)
{
    int32_t count = 0;

    *ret_one = "";
    for (int32_t i = 0; table != NULL && i < table->count; i++)
        if (!table->rows[i].answered) {
            *ret_one = table->rows[i].known.name;
            count++;
        }
    return count;
}

/* The child is at its end: what has no answer yet is asked for later. */
static void
finish(void)
{
    static LogRate rate;
    const char *open;
    int32_t count;

    mainloop_remove(child.pipe_fd);
    name_child_stop(&child, true);
    free(asked);
    asked = NULL;
    count = open_names(&open);
    if (count == 0)
        return;
    log_limited(&rate, 1, LL_WARNING, "controller",
                "no address of %s: its quota limits nobody; names=%d", open, (int)count);
    again_us = clock_mono_us() + pause_us;
    pause_us = pause_us * 2 < AGAIN_MAX_US ? pause_us * 2 : AGAIN_MAX_US;
}

static void
on_finding(int fd, uint32_t events, void *arg)
{
    NameFinding finding;
    NameTaken taken = name_child_take(&child, &finding);
    Host *row;

    (void)fd;
    (void)events; /* readable, or its end */
    (void)arg;
    if (taken == NAME_WAITING)
        return;
    if (taken == NAME_END || finding.index >= asked->count) {
        finish();
        return;
    }
    row = row_of(table, asked->rows[finding.index].known.name);
    if (row == NULL || row->answered) /* gone, or somebody was faster */
        return;
    row->answered = quota_host_choose(&finding, &row->known.address);
    if (row->answered)
        publish();
}

/* A child for all that has no answer. */
static void
ask(void)
{
    static LogRate rate;
    ErrInfo err = {0};

    asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        return;
    for (int32_t i = 0; table != NULL && i < table->count; i++)
        if (!table->rows[i].answered)
            asked->rows[asked->count++] = table->rows[i];
    if (asked->count > 0 && name_child_start(&child, asked_name, asked->count, &err) == 0) {
        if (mainloop_add(child.pipe_fd, EPOLLIN, on_finding, NULL) == 0)
            return;
        name_child_stop(&child, true);
        (void)err_set(&err, OT_E_SYSTEM, "epoll: %s", strerror(errno));
    }
    if (err.code != 0)
        log_limited(&rate, 1, LL_WARNING, "controller",
                    "hosts that have quotas are not looked up: %s", err.text);
    free(asked);
    asked = NULL;
}

int64_t
quota_hosts_tick(int64_t now_us)
{
    const char *open;

    if (asked != NULL)
        return INT64_MAX; /* the pipe says when it is over */
    if (now_us < again_us)
        return again_us;
    again_us = INT64_MAX;
    if (open_names(&open) == 0)
        return INT64_MAX;
    ask();
    if (asked == NULL)
        again_us = now_us + AGAIN_MIN_US;
    return again_us;
}

void
quota_hosts_stop(void)
{
    if (child.pipe_fd >= 0) {
        mainloop_remove(child.pipe_fd);
        name_child_stop(&child, true);
    }
    free(asked);
    free(table);
    asked = table = NULL;
    followed = 0;
    again_us = 0;
}
