/*
 * instance.c - what the prompt says of the node: its name, and whether it obeys
 *
 * Asked once for each connection, when a prompt first wants it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "instance_int.h"

#include <stdio.h>

static struct {
    bool asked;
    bool is_super;
    char name[64];
} known;

/* The directory of logs in its usual place, NAME/log: the name of the data directory is that of the instance. */
static int
take_folder(void *arg, const ClientStatCell *cells, int32_t count)
{
    static const StrView usual = {"/log", 4};
    StrView text = count > 0 ? cells[0].text : (StrView){NULL, 0};
    const char *slash;

    (void)arg;
    if (text.len <= usual.len ||
        !strview_equal((StrView){text.ptr + text.len - usual.len, usual.len}, usual))
        return 0;
    text.len -= usual.len;
    slash = memrchr(text.ptr, '/', (size_t)text.len);
    if (slash != NULL)
        text = (StrView){slash + 1, (int32_t)(text.ptr + text.len - slash - 1)};
    if (text.len > 0)
        (void)snprintf(known.name, sizeof known.name, "%.*s", text.len, text.ptr);
    return 1;
}

static void
ask(Shell *shell)
{
    static const char *const columns[] = {"directory"};
    const ClientStatQuery query = {"log_dirs", columns, 1, NULL, 0};
    const ClientInfo *info = client_info(shell->client);
    Fault f;

    known.asked = true;
    known.is_super = true; /* until logins and permissions say who is */
    (void)snprintf(known.name, sizeof known.name, "%s", info->is_ottla ? "ottla" : "kafka");
    if (info->is_ottla &&
        client_stat(shell->client, CLIENT_HERE, &query, take_folder, NULL, &f) != 0)
        return; /* the word above stays */
}

const char *
instance_name(Shell *shell)
{
    if (shell->client == NULL)
        return "ottla";
    if (!known.asked)
        ask(shell);
    return known.name;
}

bool
instance_is_super(Shell *shell)
{
    if (shell->client == NULL)
        return false;
    if (!known.asked)
        ask(shell);
    return known.is_super;
}

void
instance_forget(void)
{
    known.asked = false;
}
