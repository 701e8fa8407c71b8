/*
 * h_alter_client_quotas.c - AlterClientQuotas: hosts that it names are looked up, then the controller decides
 *
 * Runs in: backend. A child asks (ipc/name_child.h); the connection waits, and can be ended meanwhile. What has no
 * answer in time counts as a name that has no address, as in Kafka when the resolver gives up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/forward_int.h"
#include "ottla/common/log.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/slot.h"
#include "ottla/protocol/msg_alter_client_quotas.h"

/* For all names of a request: a resolver's own patience with one of them, about. */
#define LOOKUP_US (20 * INT64_C(1000000))

/* The one request that asks; in its arena. */
typedef struct Asking {
    NameChild child;
    int32_t count;
    bool answered[QUOTA_HOSTS_MAX];
    KnownHost hosts[QUOTA_HOSTS_MAX]; /* sorted */
} Asking;

static Asking *asking; /* NULL: nothing is asked for */

static int
compare_hosts(const void *a, const void *b)
{
    return strcmp(((const KnownHost *)a)->name, ((const KnownHost *)b)->name);
}

static const char *
host_name(int index)
{
    return asking->hosts[index].name;
}

/* The names of a request, each once. More than the table takes are not asked for, so they are refused. */
static void
collect(Asking *to, const AlterClientQuotasRequest *in)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < in->entries_count; i++)
        for (int32_t k = 0; k < in->entries[i].entity_count && to->count < QUOTA_HOSTS_MAX; k++) {
            const AlterClientQuotasRequestEntityData *part = &in->entries[i].entity[k];

            if (!strview_equal(part->entity_type, STRVIEW("ip")) ||
                !ip_text_is_host(part->entity_name))
                continue;
            memcpy(to->hosts[to->count].name, part->entity_name.ptr,
                   (size_t)part->entity_name.len); /* zeroed before */
            to->count++;
        }
    qsort(to->hosts, (size_t)to->count, sizeof to->hosts[0], compare_hosts);
    for (int32_t i = 0; i < to->count; i++)
        if (i == 0 || compare_hosts(&to->hosts[kept - 1], &to->hosts[i]) != 0)
            to->hosts[kept++] = to->hosts[i];
    to->count = kept;
}

static bool
names_hosts(const AlterClientQuotasRequest *in)
{
    for (int32_t i = 0; i < in->entries_count; i++)
        for (int32_t k = 0; k < in->entries[i].entity_count; k++)
            if (strview_equal(in->entries[i].entity[k].entity_type, STRVIEW("ip")) &&
                ip_text_is_host(in->entries[i].entity[k].entity_name))
                return true;
    return false;
}

/* What is read wakes the requests that wait. */
static void
on_pipe(int fd, uint32_t events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    latch_set_index(my_slot_index);
}

static void
stop_asking(void)
{
    if (asking->child.pipe_fd >= 0) {
        mainloop_remove(asking->child.pipe_fd);
        name_child_stop(&asking->child, true);
    }
    asking = NULL;
}

/* With those that have an address. */
static ReqResult
hand_over(Request *rq)
{
    const Asking *done = asking;
    KnownHost *hosts = asking->hosts;
    int32_t count = 0;

    stop_asking();
    for (int32_t i = 0; i < done->count; i++)
        if (done->answered[i])
            hosts[count++] = hosts[i];
    return forward_send(rq, hosts, count);
}

ReqResult
h_alter_client_quotas_start(Request *rq)
{
    static LogRate rate;
    ErrInfo err = {0};
    ReqResult ret;
    const AlterClientQuotasRequest *in = forward_read(rq, &ret);

    if (in == NULL)
        return ret;
    if (!names_hosts(in))
        return forward_send(rq, NULL, 0);
    request_grow(rq, sizeof *asking);
    asking = arena_calloc(rq->arena, 1, sizeof *asking);
    if (asking == NULL)
        return request_close(rq, "no memory for names of hosts");
    collect(asking, in);
    if (name_child_start(&asking->child, host_name, asking->count, &err) == 0 &&
        mainloop_add(asking->child.pipe_fd, EPOLLIN, on_pipe, NULL) == 0) {
        rq->deadline_us = rq->now_us + LOOKUP_US;
        rq->wait_event = WAIT_EV_NAME_LOOKUP;
        return REQ_PENDING;
    }
    log_limited(&rate, 1, LL_WARNING, "backend", "hosts that get quotas are not looked up: %s",
                err.code != 0 ? err.text : strerror(errno));
    return hand_over(rq);
}

ReqResult
h_alter_client_quotas_finish(Request *rq)
{
    NameFinding finding;
    NameTaken taken;

    if (asking == NULL)
        return forward_finish(rq);
    while ((taken = name_child_take(&asking->child, &finding)) == NAME_TAKEN)
        if (finding.index < asking->count)
            asking->answered[finding.index] =
                quota_host_choose(&finding, &asking->hosts[finding.index].address);
    if (taken == NAME_WAITING && !rq->cancelled && rq->now_us < rq->deadline_us)
        return REQ_PENDING;
    return hand_over(rq);
}

void
h_alter_client_quotas_drop(Request *rq)
{
    if (asking == NULL)
        forward_drop(rq);
    else
        stop_asking();
}
