/*
 * node_settings.h - the settings as every process of the node sees them: read again on SIGHUP
 *
 * The supervisor reads and judges the files first and signals its children only when all is well;
 * each child then reads the same files by itself. What conf.h says is valid in every process.
 * Children call node_settings_follow through live_conf_refresh() (controller/live_conf.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_NODE_SETTINGS_H
#define OTTLA_IPC_NODE_SETTINGS_H

#include "ottla/common/conf.h"
#include "ottla/ipc/atomics.h"

/* Supervisor, before conf_load: the sources; strings are kept by pointer, paths are absolute. */
void node_settings_remember(const ConfArgs *args);

/* The files they come from, to be read once more; strings as above. */
const ConfArgs *node_settings_sources(void);

/*
 * Puts the settings about logging and titles into force, levels that requests set over those of the
 * files; after conf_load, and whenever settings have changed.
 */
void node_settings_apply(void);

/*
 * The levels of log lines alone: those of the files, under the requested ones, which are words as SharedPage.log_levels
 * has them; NULL: none. For who has no shared memory.
 */
void node_settings_apply_levels(const AtomicU32 *requested);

/*
 * Supervisor: reads the files anew and applies them; report says what happened. OT_E_CONFIG: nothing
 * has changed. Pointers that conf_str gave before are no longer valid.
 */
int node_settings_reread(ConfReport *report);

/* Supervisor, with each new region: its children have the settings that it has, whatever was counted before. */
void node_settings_begin_region(void);

/* Supervisor, when that went well: every child is to follow. */
void node_settings_announce(void);

/* Child: reads the files when the supervisor has announced new ones since; true: it did. */
bool node_settings_follow(void);

#endif
