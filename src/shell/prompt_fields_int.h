/*
 * prompt_fields_int.h - the prompt of the session at this moment
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_PROMPT_FIELDS_INT_H
#define OTTLA_SHELL_PROMPT_FIELDS_INT_H

#include "input_int.h"

/* Into *ret: PROMPT1, or PROMPT2 while a statement goes on. */
void shell_prompt(Shell *shell, const Input *input, StrBuf *ret);

/* PROMPT3, for messages that are typed. */
void shell_prompt_message(Shell *shell, const Input *input, StrBuf *ret);

#endif
