/*
 * rights_int.h - who may do what
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_RIGHTS_INT_H
#define OTTLA_SQL_RIGHTS_INT_H

#include "ottla/protocol/msg_describe_acls.h"
#include "sql/sql_int.h"

int rights_ask_acls(Sql *sql, const DescribeAclsRequest *request, DescribeAclsResponse *ret,
                    Fault *f);

/* A setting of the node of the connection; null: it has none of the name, or we may not see it. */
int rights_ask_setting(Sql *sql, const char *name, StrView *ret, Fault *f);

/* Is the principal in the list of super.users (User:a;User:b)? */
bool rights_is_super(StrView list, StrView principal);

#endif
