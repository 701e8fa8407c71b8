/*
 * later.c - stands in for a library that comes with the next commits: the running of statements
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/statement/statement.h"

int
statement_run(const StatementEnv *env, StrView text, char tag[STATEMENT_TAG_MAX], Fault *f)
{
    (void)env, (void)text, (void)tag;
    return fault_set(f, FAULT_NOT_SUPPORTED, "statements are not built in yet");
}
