/*
 * split_int.h - the statements of a text that holds several ("\;")
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_SPLIT_INT_H
#define OTTLA_SHELL_SPLIT_INT_H

#include <stdint.h>

#include "ottla/common/view.h"

/*
 * The statements between the semicolons that stand outside of quotes, comments, parentheses and the body of a trigger, as
 * they stand in the text; none that is empty. A text without semicolon is one, whatever it is. To be freed; NULL: no
 * memory.
 */
StrView *split_statements(StrView text, int32_t *ret_count);

#endif
