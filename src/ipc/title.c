/*
 * title.c - process titles by libbsd, with a copy in the slot
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/title.h"

#include <bsd/unistd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "ottla/common/own_page.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"

static OWN_PAGE const char *title_kind;
static bool updates_on = true;

void
title_init(int argc, char **argv, char **environment)
{
    setproctitle_init(argc, argv, environment);
}

void
title_enable_updates(bool on)
{
    updates_on = on;
}

static void
show(char *text)
{
    for (char *p = text; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    setproctitle("-ottlad: %s: %s", node_info.instance, text); /* '-': without the program's name */
    if (my_slot != NULL)
        slot_set_title(text);
}

void
title_begin(const char *kind)
{
    char comm[16];
    char text[SLOT_TITLE_MAX];

    title_kind = kind;
    snprintf(comm, sizeof comm, "ottlad-%s", kind);
    prctl(PR_SET_NAME, comm);
    snprintf(text, sizeof text, "%s starting", kind);
    show(text);
}

void
title_set(const char *format, ...)
{
    char text[SLOT_TITLE_MAX];
    va_list args;
    int len;

    if (!updates_on || title_kind == NULL)
        return;
    len = snprintf(text, sizeof text, "%s ", title_kind);
    va_start(args, format);
    vsnprintf(text + len, sizeof text - (size_t)len, format, args);
    va_end(args);
    show(text);
}
