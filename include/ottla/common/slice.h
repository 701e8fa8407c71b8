/*
 * slice.h - how long this process wants a core when it gets one
 *
 * The scheduler of Linux (6.12 and later) takes a wish: who asks for a short slice gets a core soon after it wakes, before
 * those with longer ones, and not more of it in all. What answers somebody who waits asks for short slices; what moves
 * many bytes keeps the system's, so that it does not push the others aside. A wish: where it is refused or unknown
 * everything works as before. A forked child has that of its parent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_SLICE_H
#define OTTLA_COMMON_SLICE_H

void slice_ask_short(void);
void slice_ask_default(void);

#endif
