/*
 * systemd_lib.c - the functions of libsystemd that Ottla uses, loaded when one is needed first
 *
 * Runs in: supervisor; processes that write to the journal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/systemd_lib.h"

#include "ottla/common/dynlib.h"

#define SONAME "libsystemd.so.0"

const SystemdLib *
systemd_lib(ErrInfo *err)
{
    static SystemdLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, sd_, notify),
        DYN_FUNCTION(lib, sd_, watchdog_enabled),
        DYN_FUNCTION(lib, sd_, listen_fds_with_names),
        DYN_FUNCTION(lib, sd_, is_socket),
        DYN_FUNCTION(lib, sd_, journal_sendv),
    };
    static enum { UNTRIED, LOADED, FAILED } state;

    if (state == UNTRIED)
        state = dynlib_load(SONAME, functions, sizeof functions / sizeof functions[0], err) == 0
                    ? LOADED
                    : FAILED;
    else if (state == FAILED)
        (void)err_set(err, OT_E_UNSUPPORTED, "%s could not be loaded", SONAME);
    return state == LOADED ? &lib : NULL;
}
