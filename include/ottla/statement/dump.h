/*
 * dump.h - statements that recreate what a cluster has: \sf and ottla-dumpall
 *
 * What a cluster does not tell (passwords) stands there as a comment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_DUMP_H
#define OTTLA_STATEMENT_DUMP_H

#include "ottla/statement/statement.h"

/* Bytes of all statements. */
#define STATEMENT_DUMP_MAX ((size_t)1 << 30)

typedef enum StatementDump {
    STATEMENT_DUMP_TOPIC, /* the one that is named */
    STATEMENT_DUMP_ALL, /* topics, settings, users, access control lists, quotas, offsets of groups */
    STATEMENT_DUMP_USERS,
    STATEMENT_DUMP_ACLS,
    STATEMENT_DUMP_QUOTAS,
} StatementDump;

/* Appends the statements, each on lines of its own. topic: of STATEMENT_DUMP_TOPIC. 0, or -1 with the fault. */
int statement_dump(const StatementEnv *env, StatementDump what, StrView topic, StrBuf *out,
                   Fault *f) __attribute__((warn_unused_result));

#endif
