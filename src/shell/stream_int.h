/*
 * stream_int.h - what the commands that read or write messages share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_STREAM_INT_H
#define OTTLA_SHELL_STREAM_INT_H

#include "commands_int.h"
#include "ottla/client/consume.h"
#include "stream_format_int.h"

#define STREAM_MESSAGE_BYTES_MAX ((size_t)1 << 30) /* of one message as text */

/* A record of a scan as a message; headers lie in the arena. False: no memory. */
bool stream_message_of(const Shell *shell, StrView topic, const ClientRecord *record, Arena *arena,
                       StreamMessage *ret);

/* Writes bytes to where output goes. False: nobody reads any more, or it failed (reported). */
bool stream_write(Shell *shell, FILE *file, const char *bytes, size_t len);

/* True when the reader of a pipe is gone. */
bool stream_reader_gone(FILE *file);

/* Where a group is in a topic: a start for each partition, CLIENT_NO_BOUND where it has committed nothing. malloc'ed. */
int stream_stored(Shell *shell, const char *group, StrView topic, int32_t **ret_partitions,
                  int64_t **ret_starts, int32_t *ret_count, Fault *f);

/*
 * The argument of an option of one letter: what stands behind it in its word, or the next word. malloc'ed, in the place of
 * what *to was. 0, or -1: reported.
 */
int stream_take_text(CommandCall *call, const char *option, char **to);

/* The same for a delimiter, with escapes. A zero byte is refused. */
int stream_take_delimiter(CommandCall *call, const char *option, char **to);

/* Reports the fault of a command, unless it was interrupted. */
CommandResult stream_end(CommandCall *call, int status, const Fault *f);

#endif
