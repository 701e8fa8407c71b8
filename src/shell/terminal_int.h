/*
 * terminal_int.h - questions asked at the terminal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_TERMINAL_INT_H
#define OTTLA_SHELL_TERMINAL_INT_H

#include <stdbool.h>

#include "ottla/common/strbuf.h"

/*
 * Shows the text and reads a line from the terminal of the process, or from stdin when it has none. echo: what is
 * typed is seen. False: end of input, interrupted, or no memory; *ret is empty.
 */
bool terminal_ask(const char *text, bool echo, StrBuf *ret);

#endif
