/*
 * wait_events.c - names of wait events
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/wait_events.h"

#include <stddef.h>

typedef struct WaitEventRow {
    const char *type;
    const char *name;
} WaitEventRow;

static const WaitEventRow rows[WAIT_EV_COUNT] = {
#define WAIT_EVENT_ROW(constant, event_type, event_name) [constant] = {event_type, event_name},
    WAIT_EVENT_ROWS(WAIT_EVENT_ROW)
#undef WAIT_EVENT_ROW
};

const char *
wait_event_name(WaitEvent event)
{
    return (unsigned)event < WAIT_EV_COUNT ? rows[event].name : NULL;
}

const char *
wait_event_type(WaitEvent event)
{
    return (unsigned)event < WAIT_EV_COUNT ? rows[event].type : NULL;
}
