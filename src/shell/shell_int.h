/*
 * shell_int.h - the session: what every part of the shell may see and use
 *
 * One Shell exists in the process. Parts take it as their first argument; what belongs to one part alone
 * stands in its own header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_SHELL_INT_H
#define OTTLA_SHELL_SHELL_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cond_int.h"
#include "lexer_int.h"
#include "ottla/client/client.h"
#include "ottla/common/strbuf.h"
#include "ottla/print/options.h"
#include "ottla/print/table.h"
#include "ottla/sql/sql.h"
#include "variables_int.h"

/* Exit codes (4.1 of the specification). */
#define SHELL_EXIT_OK      0
#define SHELL_EXIT_FAILURE 1
#define SHELL_EXIT_LOST    2
#define SHELL_EXIT_STOPPED 3

#define SHELL_STATEMENT_BYTES_MAX (64 << 20)
#define SHELL_RESULT_BYTES_MAX    ((size_t)4 << 30)
#define SHELL_IDLE_MS             60000 /* servers close what is not used for some minutes */
#define SHELL_INPUT_DEPTH_MAX     64

/* More objects than this, and their number has to be typed instead of "yes". */
#define SHELL_CONFIRM_COUNT 20

/* Where a result goes when not to the screen: set by \g, \gset, \gexec for one statement. */
typedef enum ResultWay {
    RESULT_PRINT,
    RESULT_SET,      /* into variables */
    RESULT_EXEC,     /* each cell is a statement */
    RESULT_DESCRIBE, /* columns only, the statement does not run */
} ResultWay;

typedef struct ResultPlan {
    ResultWay way;
    char *target;     /* file or |command of \g; NULL: as usual. malloc'ed */
    char *prefix;     /* of \gset. malloc'ed */
    char title[128];  /* of \watch; "": none */
    bool has_options; /* \g (...), \gx: options below count */
    PrintOptions options;
} ResultPlan;

/* A place that output goes to; see output_int.h. */
typedef struct Output {
    FILE *file;
    int64_t pid; /* of a command; 0: a file or stdout */
    bool close;  /* not stdout */
} Output;

struct Input;

typedef struct Shell {
    /* connection */
    ClientTarget *target;
    Client *client; /* NULL: not connected */
    Sql *sql;
    SqlEnv sql_env;
    int ask_password;                      /* -1 never (-w), 0 when needed, 1 always (-W) */
    int64_t used_ms;                       /* when the connection was used last, clock_mono_ms */
    bool asks_password;                    /* by \password: a script may be asked, too */
    char topic[LEX_TAG_BYTES_MAX * 4 + 1]; /* \c topic NAME; "" none */

    /* what the user set */
    Variables *vars;
    PrintOptions pset;
    bool timing;
    bool in_transaction; /* one of \produce is open */
    bool no_editing;     /* -n */
    char *restricted;    /* key of \restrict; NULL: none */

    /* input and output */
    bool interactive;    /* stdin and stdout are terminals, and the shell reads from stdin */
    struct Input *input; /* the innermost one; NULL: none */
    int input_depth;
    Output out;        /* \o */
    FILE *log;         /* -L; NULL: none */
    bool quit;         /* \q, or the output is gone */
    bool stdout_gone;  /* a pipe whose reader has gone */
    bool write_failed; /* stdout failed otherwise, and that was said */

    /* statements */
    StrBuf statement; /* the query buffer */
    StrBuf typed;     /* its lines as they were typed, for the history */
    StrBuf previous;  /* the last one that was sent */
    StrBuf
        previous_command; /* the last backslash command with its arguments that \watch may repeat; "" when a statement came after */
    ResultPlan plan;
    Fault last_fault; /* for \errverbose */
    StrBuf last_text; /* statement of last_fault */
    bool lost;        /* a connection was lost in a script */
    int64_t prompt_columns;
} Shell;

/* ---- connect.c: connections ---- */

/* Opens what shell->target says, asks for a password when that is missing. -1: reported nothing, *f says why. */
int shell_connect(Shell *shell, Fault *f) __attribute__((warn_unused_result));

/* Closes the connection that there is. */
void shell_disconnect(Shell *shell);

void shell_greet(Shell *shell);

/*
 * After a failure: is the connection still there? Interactive: one attempt to connect again.
 * Scripts: the end. False: there was one, and now there is none.
 */
bool shell_check_connection(Shell *shell);

/* The same before a statement; a connection that nobody has used for a while is opened again without a word. */
bool shell_wake_connection(Shell *shell);

/* ---- report.c: errors and notices, always on stderr ---- */

/* Prints a fault with its place in the text (null: none), sets the variables of errors. */
void shell_report(Shell *shell, const Fault *f, StrView text);

/* An error that the shell itself found: SQLSTATE and text. Returns -1. */
int shell_error(Shell *shell, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "FILE:LINE: NOTICE:  text"; level is the word. */
void shell_notice(Shell *shell, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints a fault again with everything that is known (\errverbose). */
void shell_report_verbose(Shell *shell);

/* ERROR, SQLSTATE, ROW_COUNT after a statement that went well. */
void shell_state_success(Shell *shell, int64_t rows);

/* ---- send.c: statements ---- */

/*
 * Runs a statement, or those that a text holds ("\;"), and shows results as shell->plan says, which is used up. False: one
 * failed and was reported, those behind it were not run.
 */
bool shell_send(Shell *shell, StrView text);

/*
 * Runs SQL on behalf of a backslash command and fills the table, whose arena is given. Shows the text first when
 * ECHO_HIDDEN wants it. 1: only to be shown (noexec), nothing is in the table. -1: *f.
 */
int shell_query(Shell *shell, const char *sql, PrintTable *ret, Fault *f)
    __attribute__((warn_unused_result));

/* Settings of the SQL session from the variables; called before each use of it. NULL: *f says why. */
Sql *shell_sql(Shell *shell, Fault *f);

/* ---- output.c ---- */

/* Prints a table to where output goes now; -1: the output failed (reported, unless it is a closed pipe). */
int shell_print(Shell *shell, const PrintTable *table);
int shell_print_with(Shell *shell, const PrintTable *table, const PrintOptions *options);

/* A line of text there, as tags are. */
void shell_say(Shell *shell, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- questions ---- */

/* Asks for a new password, twice, without echo. */
int shell_new_password(const char *user, char *ret, size_t size, Fault *f)
    __attribute__((warn_unused_result));

#endif
