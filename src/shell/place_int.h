/*
 * place_int.h - shows the place of an error in a statement
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_PLACE_INT_H
#define OTTLA_SHELL_PLACE_INT_H

#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

/* Columns of a line that is shown; of a longer one a part. */
#define PLACE_COLUMNS 60

/*
 * Appends "LINE n: text" and a caret below the byte at the position. Tabs become blanks; of a line that is
 * longer than PLACE_COLUMNS the part around the place is shown, with "..." where it was cut.
 */
void place_add(StrBuf *out, StrView text, int64_t position);

#endif
