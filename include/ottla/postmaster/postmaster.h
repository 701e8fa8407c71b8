/*
 * postmaster.h - the supervisor: from settings to the exit code
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_POSTMASTER_H
#define OTTLA_POSTMASTER_POSTMASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/limits.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/region.h"
#include "ottla/postmaster/accept_policy.h"
#include "ottla/postmaster/children.h"
#include "ottla/postmaster/datadir.h"
#include "ottla/postmaster/listen.h"
#include "ottla/postmaster/pm_state.h"
#include "ottla/postmaster/process_kinds.h"

/* Exit codes of ottlad (shell-and-service.md 13). */
enum {
    EXIT_CODE_CLEAN = 0,
    EXIT_CODE_FATAL = 1,     /* fatal at start, crash limit, immediate stop */
    EXIT_CODE_QUIT = 2,      /* a child after SIGQUIT; never seen from outside */
    EXIT_CODE_INTERNAL = 70, /* a broken promise of our own code in the supervisor */
    EXIT_CODE_LOCKED = 75,   /* another process holds a directory */
    EXIT_CODE_ACCESS = 77,   /* permission or ownership of the data directory */
    EXIT_CODE_CONFIG = 78,
};

#define ADDRESS_LIMITS_MAX \
    LIMIT_ADDRESS_LIMITS /* entries of max.connections.per.ip.overrides, by address */

/* One entry of max.connections.per.ip.overrides. */
typedef struct AddressLimit {
    ClientAddress address;
    int32_t max;
} AddressLimit;

/* What may change while connections are accepted. */
typedef struct AcceptLimits {
    AcceptRules rules; /* max.connections, max.connection.creation.rate; by node, by listener */
    int32_t max_per_address; /* max.connections.per.ip; INT32_MAX: no limit */
    AddressLimit addresses[ADDRESS_LIMITS_MAX];
    int address_count;
} AcceptLimits;

/* Everything the supervisor is told. Strings belong to the caller and stay valid. */
typedef struct PmSettings {
    DatadirSettings dir;
    ListenerSettings listeners; /* unix_dir is worked out from socket_dir */
    ListenOptions listen;
    ShmLimits limits; /* log_dirs is worked out */
    PmConfig machine; /* worker_count is worked out */
    AcceptLimits accept;
    const char *instance;    /* NULL: last part of DIR */
    const char *socket_dir;  /* of the Unix socket; NULL: DIR; "": no Unix socket */
    bool huge_pages;         /* under the metadata image */
    const char *user;        /* --user */
    const char *config_file; /* named in the first line; NULL: none */
    int startup_per_dir;     /* num.recovery.threads.per.data.dir */
    int spare_backends;      /* backend.spare */
    bool update_titles;
    /*
     * SIGHUP: reads the configuration anew into *settings (accept, update_titles count). 0, or a code
     * with a text when nothing was applied, or the number of bad values that were left out; has logged
     * the rest itself. NULL: nothing to read.
     */
    int (*reload)(struct PmSettings *settings, ErrInfo *err);
    /* The same without reading: conf.h says something else now. NULL: nothing follows. */
    void (*refresh)(struct PmSettings *settings);
} PmSettings;

/* Settings of a node without configuration in data_dir; the seam for tests. */
void pm_settings_default(const char *data_dir, PmSettings *ret);

/*
 * Runs the node in the foreground until it ends and returns the exit code. mains: what the children
 * run. Returns in the supervisor only: children leave by exit.
 */
int postmaster_run(PmSettings *settings, const KindMains *mains);

#endif
