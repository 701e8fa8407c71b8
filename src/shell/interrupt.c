/*
 * interrupt.c - Ctrl-C: what the signal reaches, and waits that it ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "interrupt_int.h"

#include <poll.h>
#include <signal.h>

#include "ottla/common/clock.h"

static volatile sig_atomic_t pending;
static Client *volatile told_client;
static Sql *volatile told_sql;

static void
on_interrupt(int number)
{
    (void)number;
    pending = 1;
    if (told_client != NULL)
        client_interrupt(told_client);
    if (told_sql != NULL)
        sql_interrupt(told_sql);
}

void
interrupt_init(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL); /* cannot fail for these numbers */
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

void
interrupt_target(Client *client, Sql *sql)
{
    sigset_t mask, before;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &mask, &before);
    told_client = client;
    told_sql = sql;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

bool
shell_interrupted(void)
{
    return pending != 0;
}

void
interrupt_clear(Client *client)
{
    pending = 0;
    if (client != NULL)
        client_interrupt_reset(client);
    if (told_sql != NULL)
        sql_interrupt_reset(told_sql);
}

bool
interrupt_wait_ms(int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    sigset_t mask, before;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &mask, &before);
    while (pending == 0) {
        int64_t left = until - clock_mono_ms();
        struct timespec wait = {left / 1000, left % 1000 * 1000000};

        if (left <= 0)
            break;
        (void)ppoll(NULL, 0, &wait, &before); /* the signal comes here alone */
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pending != 0;
}
