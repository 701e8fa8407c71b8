/*
 * prompt_int.h - prompts with their escapes
 *
 * Pure: what an escape stands for comes from the caller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_PROMPT_INT_H
#define OTTLA_SHELL_PROMPT_INT_H

#include <stdbool.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

#define PROMPT_BYTES_MAX 8192

typedef struct PromptEnv {
    /* Appends what %LETTER stands for; false: there is no such escape, it is printed as it is. */
    bool (*field)(void *arg, char letter, StrBuf *out);
    const char *(*variable)(void *arg, StrView name);
    void (*run)(void *arg, const char *command, StrBuf *out);
    void *arg;
    bool marks; /* %[ and %] become the bytes that tell the line editor what takes no room */
    int width;  /* columns of the first prompt's last line, for %w */
} PromptEnv;

/*
 * Appends the prompt of a format. Here: %% %w %[ %] %:name: %`command` %012 (octal) %0x1b; all other
 * escapes are the caller's.
 */
void prompt_expand(StrView format, const PromptEnv *env, StrBuf *out);

/* Columns that the last line of a prompt takes, without what stands between marks. */
int prompt_width(StrView prompt);

#endif
