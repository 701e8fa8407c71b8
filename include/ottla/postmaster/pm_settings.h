/*
 * pm_settings.h - the supervisor's settings out of the settings table
 *
 * Runs in: supervisor, ottlad --check.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_PM_SETTINGS_H
#define OTTLA_POSTMASTER_PM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/conf.h"
#include "ottla/postmaster/postmaster.h"

/*
 * Fills ret, its reload hook included, from conf.h, which has been loaded, and the command line's data_dir and port (0: as set).
 * OT_E_CONFIG: settings that contradict each other.
 */
int pm_settings_load(const char *data_dir, bool auto_format, uint16_t port, PmSettings *ret,
                     ErrInfo *err);

/* Errors, warnings and changes of a report as lines of the log; unused settings in one. */
void pm_settings_log_report(const ConfReport *report);

#endif
