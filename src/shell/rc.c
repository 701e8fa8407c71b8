/*
 * rc.c - files that are read at the start of a session
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rc_int.h"

#include <limits.h>

#include "input_int.h"
#include "ottla/common/version.h"

#define SYSTEM_FILE "/etc/ottla/ottlarc"

static bool
read_file(Shell *shell, const char *path)
{
    const char *before = variables_on(shell->vars, "ON_ERROR_STOP") ? "on" : "off";

    if (access(path, R_OK) != 0)
        return false;
    variables_state(shell->vars, "ON_ERROR_STOP", "off"); /* errors there are shown, not fatal */
    (void)shell_run_file(shell, path, false);
    if (!variables_on(shell->vars, "ON_ERROR_STOP"))
        variables_state(shell->vars, "ON_ERROR_STOP", before);
    return true;
}

void
rc_read(Shell *shell)
{
    const char *own = getenv("OTTLARC");
    const char *home = getenv("HOME");
    char path[PATH_MAX], versioned[PATH_MAX];
    int len;

    (void)read_file(shell, SYSTEM_FILE); /* need not be there */
    if (own != NULL && own[0] != '\0')
        len = snprintf(path, sizeof path, "%s", own);
    else
        len = snprintf(path, sizeof path, "%s/.ottlarc", home == NULL ? "" : home);
    if (len >= (int)sizeof path || (home == NULL && own == NULL))
        return;
    len = snprintf(versioned, sizeof versioned, "%s-%s", path, OT_VERSION);
    if (len >= (int)sizeof versioned || !read_file(shell, versioned))
        (void)read_file(shell, path);
}
