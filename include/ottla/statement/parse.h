/*
 * parse.h - Ottla statements as text: what is one, what it says, what may follow
 *
 * One table of grammars (src/statement/grammar_table.c) serves parsing, errors with their place, completion and \h.
 * What a statement says is a flat list of items in the order of the text: each value and each word that matters.
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_PARSE_H
#define OTTLA_STATEMENT_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

/* Statements; each has one row in the table or more. */
typedef enum StatementKind {
    STATEMENT_CREATE_TOPIC,
    STATEMENT_ALTER_TOPIC,
    STATEMENT_DROP_TOPIC,
    STATEMENT_TRUNCATE_TOPIC,
    STATEMENT_SHOW_LIST,
    STATEMENT_DESCRIBE,
    STATEMENT_SHOW_CONFIG,
    STATEMENT_SHOW_SETTING,
    STATEMENT_ALTER_CONFIG,
    STATEMENT_ALTER_LOGGER,
    STATEMENT_ALTER_SYSTEM,
    STATEMENT_SET,
    STATEMENT_RESET_OFFSETS,
    STATEMENT_DELETE_OFFSETS,
    STATEMENT_REMOVE_MEMBER,
    STATEMENT_DROP_GROUP,
    STATEMENT_CREATE_USER,
    STATEMENT_ALTER_USER,
    STATEMENT_DROP_USER,
    STATEMENT_GRANT_SET,
    STATEMENT_GRANT,
    STATEMENT_REVOKE,
    STATEMENT_REVOKE_ALL,
    STATEMENT_CREATE_TOKEN,
    STATEMENT_RENEW_TOKEN,
    STATEMENT_EXPIRE_TOKEN,
    STATEMENT_ALTER_QUOTA,
    STATEMENT_REASSIGN,
    STATEMENT_CANCEL_REASSIGN,
    STATEMENT_SET_THROTTLE,
    STATEMENT_ELECT,
    STATEMENT_ABORT_TRANSACTION,
    STATEMENT_FIND_HANGING,
    STATEMENT_UNREGISTER,
    STATEMENT_ADD_VOTER,
    STATEMENT_REMOVE_VOTER,
    STATEMENT_FEATURE,
    STATEMENT_CREATE_METRICS,
    STATEMENT_DROP_METRICS,
    STATEMENT_PRODUCE,
    STATEMENT_EXPLAIN_RETENTION,
    STATEMENT_EXPLAIN_REPLICA,
    STATEMENT_EXPLAIN, /* of a statement: \h knows it; what is parsed is the statement with explain set */
    STATEMENT_COUNT
} StatementKind;

/* Names of items: in grammars as they stand here in lower case. */
#define STATEMENT_ITEM_TABLE(X) \
    X(TOPIC)                    \
    X(GROUP)                    \
    X(USER)                     \
    X(BROKER)                   \
    X(PARTITION)                \
    X(PARTITIONS)               \
    X(TOTAL)                    \
    X(FACTOR)                   \
    X(REPLICAS)                 \
    X(LIST)                     \
    X(SOURCE)                   \
    X(CONFIG)                   \
    X(VALUE)                    \
    X(IF)                       \
    X(VALIDATE)                 \
    X(DRY)                      \
    X(SET)                      \
    X(RESET)                    \
    X(ALL)                      \
    X(APPEND)                   \
    X(SUBTRACT)                 \
    X(REASSIGN)                 \
    X(MOVE)                     \
    X(DIRECTORY)                \
    X(ID)                       \
    X(OFFSET)                   \
    X(TIMESTAMP)                \
    X(TOPICS)                   \
    X(GROUPS)                   \
    X(USERS)                    \
    X(ACLS)                     \
    X(BROKERS)                  \
    X(QUOTAS)                   \
    X(TRANSACTIONS)             \
    X(REASSIGNMENTS)            \
    X(QUORUM)                   \
    X(FEATURES)                 \
    X(ACTIVITY)                 \
    X(WORKERS)                  \
    X(CLUSTER)                  \
    X(TRANSACTION)              \
    X(METRICS)                  \
    X(LOGGER)                   \
    X(DEFAULT)                  \
    X(SETTING)                  \
    X(RAW)                      \
    X(HELP)                     \
    X(LEVEL)                    \
    X(TIMEZONE)                 \
    X(VARIABLE)                 \
    X(EARLIEST)                 \
    X(LATEST)                   \
    X(CURRENT)                  \
    X(DURATION)                 \
    X(SHIFT)                    \
    X(FILE)                     \
    X(MEMBER)                   \
    X(INSTANCE)                 \
    X(PASSWORD)                 \
    X(PROMPT)                   \
    X(MECHANISM)                \
    X(ITERATIONS)               \
    X(CASCADE)                  \
    X(DENY)                     \
    X(GRANT)                    \
    X(OPERATION)                \
    X(NAME)                     \
    X(PREFIX)                   \
    X(TRANSACTIONAL)            \
    X(IDEMPOTENT)               \
    X(TOKEN)                    \
    X(PRINCIPAL)                \
    X(EVERYONE)                 \
    X(HOST)                     \
    X(PRODUCER)                 \
    X(CONSUMER)                 \
    X(RENEWER)                  \
    X(LIFETIME)                 \
    X(HMAC)                     \
    X(CLIENT)                   \
    X(IP)                       \
    X(QUOTA)                    \
    X(DRAIN)                    \
    X(BALANCE)                  \
    X(THROTTLE)                 \
    X(BATCH)                    \
    X(WAIT)                     \
    X(PLAN)                     \
    X(NONE)                     \
    X(PREFERRED)                \
    X(UNCLEAN)                  \
    X(FEATURE)                  \
    X(UPGRADE)                  \
    X(DOWNGRADE)                \
    X(UNSAFE)                   \
    X(PATTERN)                  \
    X(KEY)                      \
    X(HEADER)

#define X(name) ITEM_##name,
typedef enum StatementItemName { STATEMENT_ITEM_TABLE(X) ITEM_COUNT } StatementItemName;
#undef X

/* How an item's text stood in the statement. */
typedef enum StatementQuote {
    QUOTE_NONE,   /* bare word */
    QUOTE_STRING, /* '...': where names are asked for, a pattern */
    QUOTE_IDENT,  /* "...": exactly this name */
} StatementQuote;

typedef struct StatementItem {
    StrView text; /* without quotes; in the statement or the arena */
    int32_t pos;
    uint8_t name;  /* StatementItemName */
    uint8_t quote; /* StatementQuote */
} StatementItem;

typedef struct Statement {
    StatementKind kind;
    bool explain; /* EXPLAIN stood before it */
    StatementItem *items;
    int32_t count;
    StrView text;
} Statement;

typedef struct StatementError {
    int32_t position; /* byte in the statement */
    char message[256];
    char hint[512]; /* "": none */
} StatementError;

/*
 * Reads one statement, with or without its semicolon. 0, or -1: *ret_error says what is wrong where.
 * The items lie in the arena; texts without quotes point into `text`.
 */
int statement_parse(StrView text, Arena *arena, Statement *ret, StatementError *ret_error)
    __attribute__((warn_unused_result));

/* Does the text begin like one of ours? EXPLAIN does unless SELECT, WITH, VALUES or QUERY follows. */
bool statement_knows(StrView text);

/* The first item of this name at or behind index `from`; -1: none. */
int32_t statement_find(const Statement *s, StatementItemName name, int32_t from);
static inline bool
statement_has(const Statement *s, StatementItemName name)
{
    return statement_find(s, name, 0) >= 0;
}

/* The text of the first item of this name; null: none. */
StrView statement_text_of(const Statement *s, StatementItemName name);

/* The number of the first item of this name, which the parser has checked; otherwise: none. */
int64_t statement_number_of(const Statement *s, StatementItemName name, int64_t otherwise);

/* How many items of this name there are. */
int32_t statement_count_of(const Statement *s, StatementItemName name);

/* ---- completion and help ---- */

/* What a word may be. */
#define STATEMENT_WANT_TABLE(X)                               \
    X(KEYWORD, WORD, "keyword")                               \
    X(TOPIC, NAME, "topic name")                              \
    X(GROUP, NAME, "group id")                                \
    X(USER, NAME, "user name")                                \
    X(PRINCIPAL, NAME, "user name")                           \
    X(NEW_NAME, NAME, "name")                                 \
    X(RESOURCE_NAME, NAME, "name")                            \
    X(CLIENT, NAME, "client id")                              \
    X(BROKER, COUNT, "broker id")                             \
    X(PARTITION, COUNT, "partition number")                   \
    X(NUMBER, NUMBER, "number")                               \
    X(COUNT, COUNT, "number")                                 \
    X(TOPIC_CONFIG, NAME, "config name")                      \
    X(BROKER_CONFIG, NAME, "config name")                     \
    X(GROUP_CONFIG, NAME, "config name")                      \
    X(METRICS_CONFIG, NAME, "config name")                    \
    X(ANY_CONFIG, NAME, "config name")                        \
    X(CONFIG_VALUE, VALUE, "value")                           \
    X(SETTING, NAME, "setting name")                          \
    X(VARIABLE, NAME, "variable name")                        \
    X(LOGGER, NAME, "logger name")                            \
    X(LEVEL, NAME, "log level")                               \
    X(METRICS, NAME, "name of a client metrics subscription") \
    X(TRANSACTION, NAME, "transactional id")                  \
    X(FEATURE, NAME, "feature name")                          \
    X(OPERATION, WORD, "operation")                           \
    X(QUOTA, NAME, "quota name")                              \
    X(MECHANISM, NAME, "mechanism")                           \
    X(VALUE, VALUE, "value")                                  \
    X(STRING, STRING, "quoted string")                        \
    X(PATTERN, STRING, "quoted pattern")                      \
    X(FILE, STRING, "quoted file name")

#define X(name, form, text) WANT_##name,
typedef enum StatementWant { STATEMENT_WANT_TABLE(X) WANT_KINDS } StatementWant;
#undef X

/* One thing that may stand at a place. */
typedef struct StatementHint {
    StatementWant want;
    const char *keyword; /* WANT_KEYWORD: the word or sign; else NULL */
    StrView context; /* WANT_CONFIG_VALUE: the name before it; its first byte lies in the text */
} StatementHint;

/*
 * What may stand at byte `pos` of an unfinished statement, instead of the word that ends there. Returns where
 * that word begins (pos: there is none). fn may be called several times with equal hints of different kinds.
 */
int32_t statement_complete(StrView text, int32_t pos, void (*fn)(void *arg, const StatementHint *h),
                           void *arg);

/*
 * \h: what is known of all statements whose name begins with the given words, in any case; of all when there are
 * none. Appends command, description and syntax as psql does. False: there is none of this name.
 */
bool statement_help(StrView words, StrBuf *out);

/* Names of the statements, sorted, each once: for \h without argument. Returns their number, at most `most`. */
#define STATEMENT_NAMES_MAX 96
int32_t statement_names(const char *ret[], int32_t most);

#endif
