/*
 * statement.h - runs one statement of the shell against a cluster
 *
 * The shell lends its connection and its ways to speak to people; everything else is here. What statements there are and how
 * they are written: parse.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_STATEMENT_H
#define OTTLA_STATEMENT_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/client/client.h"
#include "ottla/client/fault.h"
#include "ottla/print/table.h"
#include "ottla/statement/parse.h"

#define STATEMENT_TAG_MAX 64

/* What the shell lends. Functions get arg; those marked "may be NULL" need not be there. */
typedef struct StatementEnv {
    Client **client; /* the session's connection; *client NULL: there is none */
    void *arg;

    /* severity: NOTICE, WARNING. One line without line feed. */
    void (*notice)(void *arg, const char *severity, const char *text);

    /* A result, which the shell prints as it prints all. 0, or -1 with the fault. */
    int (*table)(void *arg, const PrintTable *table, Fault *f);

    /*
     * Asks before something is done that cannot be taken back; only called when confirm_on. count: how many objects;
     * above 20 the number is to be typed. May be NULL: yes.
     */
    bool (*confirm)(void *arg, const char *question, int32_t count);

    /* Runs a backslash command ("dg") with one argument, null: none, as if it had been typed. May be NULL. */
    int (*command)(void *arg, const char *command, StrView argument, Fault *f);

    /* Runs a query over the catalogue and prints its result. May be NULL. */
    int (*query)(void *arg, StrView sql, Fault *f);

    /* SET name = value: a variable of the shell, TIMEZONE among them. May be NULL. */
    int (*set)(void *arg, StrView name, StrView value, Fault *f);

    /* Asks for a new password, twice, without echo; it is zero-terminated. May be NULL: not interactive. */
    int (*password)(void *arg, const char *user, char *ret, size_t size, Fault *f);

    /* How far a long statement is, each second; NULL text: it has ended. May be NULL. */
    void (*progress)(void *arg, const char *text);

    bool validate_only; /* changes are only tried, as with VALIDATE ONLY */
    bool confirm_on;
    const char
        *timezone; /* of times without zone: UTC, local (NULL, too), or a name as TZ has it */
} StatementEnv;

/*
 * Runs one statement. tag is what psql prints behind it ("CREATE TOPIC"), "" when a result was shown instead. 0, or -1
 * with the fault, whose position is a byte in the text.
 */
int statement_run(const StatementEnv *env, StrView text, char tag[STATEMENT_TAG_MAX], Fault *f)
    __attribute__((warn_unused_result));

#endif
