/*
 * rc_int.h - files that are read at the start of a session
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_RC_INT_H
#define OTTLA_SHELL_RC_INT_H

#include "shell_int.h"

/*
 * The system's file, then the user's: $OTTLARC, else ~/.ottlarc; of the latter two the one with the version
 * behind its name is preferred. Errors in them are shown and end nothing.
 */
void rc_read(Shell *shell);

#endif
