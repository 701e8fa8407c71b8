/*
 * instance_int.h - what the prompt says of the node: its name, and whether it obeys
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_INSTANCE_INT_H
#define OTTLA_SHELL_INSTANCE_INT_H

#include "shell_int.h"

/* Name of the instance; of a foreign cluster its id; "ottla" without a connection. */
const char *instance_name(Shell *shell);

/* A super user, as far as that is known. */
bool instance_is_super(Shell *shell);

/* The connection is another one: what was known is forgotten. */
void instance_forget(void);

#endif
