/*
 * load_client.c - what the clients of the crash load share: a connection that outlives the node
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load_client.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ottla/common/errlist.h"

Shared *shared;
uint16_t server_port;

int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
wait_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

void
client_fail(ClientState *me, const char *what, int64_t number)
{
    fprintf(stderr, "# client %d: %s %lld\n", (int)(me - shared->clients), what, (long long)number);
    atomic_u32_store(&me->failed, 1);
    _exit(1);
}

bool
client_connect(WireClient *client, ClientState *me)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    while (!wire_client_connect(client)) {
        if (atomic_u32_load(&shared->stop) != 0) {
            return false;
        }
        if (now_ms() > deadline) {
            client_fail(me, "cannot connect for ms:", SETTLE_MS);
        }
        wait_ms(10);
    }
    atomic_u32_store(&me->port, client->local_port);
    return true;
}

bool
client_broke(WireClient *client, ClientState *me, WireResult result)
{
    if (result == WIRE_SILENCE) {
        client_fail(me, "no answer in seconds:", WIRE_ANSWER_SECONDS);
    }
    atomic_u32_store(&me->port, 0);
    atomic_u32_add(&me->breaks, 1);
    return client_connect(client, me);
}

bool
is_transient(int16_t error)
{
    return error == KERR_COORDINATOR_LOAD_IN_PROGRESS || error == KERR_NOT_LEADER_OR_FOLLOWER ||
           error == KERR_LEADER_NOT_AVAILABLE || error == KERR_REQUEST_TIMED_OUT ||
           error == KERR_UNKNOWN_TOPIC_OR_PARTITION || error == KERR_COORDINATOR_NOT_AVAILABLE;
}
