/*
 * send_int.h - shared by the parts that run a statement: send.c, send_sql.c, send_statement.c
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_SEND_INT_H
#define OTTLA_SHELL_SEND_INT_H

#include "shell_int.h"

/* One statement on its way. */
typedef struct Sending {
    Shell *shell;
    Arena *arena; /* of its results */
    char tag[SQL_TAG_MAX];
    bool hidden;       /* of several statements another one's result is shown */
    bool is_query;     /* its tag is not printed: the result speaks for itself */
    bool print_failed; /* and that was reported */
    bool reported;     /* its fault was reported by a command that it ran */
    int tables;        /* results delivered */
    int64_t rows;      /* in them */
    PrintTable cells;  /* of \gexec */
} Sending;

/* Prints, or does what \gset and \gexec want. -1: *f. */
int send_deliver(Sending *sending, const PrintTable *table, Fault *f);

/* Back to printing, as it is without \g and its kin. */
void send_plan_clear(ResultPlan *plan);

/* By its first keyword: SQL, or a statement of our own? EXPLAIN is what follows it. */
bool send_is_sql(Shell *shell, StrView text);

int send_sql(Sending *sending, StrView text, Fault *f);
int send_statement_text(Sending *sending, StrView text, Fault *f);

#endif
