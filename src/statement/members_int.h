/*
 * members_int.h - who is in a group, of whichever protocol
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_MEMBERS_INT_H
#define OTTLA_STATEMENT_MEMBERS_INT_H

#include "exec_int.h"

typedef struct Member {
    StrView member_id;
    StrView client_id;
    StrView host;
} Member;

typedef struct MemberList {
    StrView state;
    Member *list;
    int32_t count;
    bool exists;
} MemberList;

/* A group that does not exist has no members and the state "Dead". */
int members_read(Exec *x, StrView group, MemberList *ret);

/* 55006: the group is in use, and by whom. Returns -1. */
int members_fault(Exec *x, StrView group, int32_t pos);

#endif
