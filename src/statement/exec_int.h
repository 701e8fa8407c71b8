/*
 * exec_int.h - a statement under way: how it sends, retries, tells, and counts what failed
 *
 * A function do_x runs one kind of statement. What changes something goes through exec_change, which under EXPLAIN
 * notes the request instead of sending it; what only reads goes through exec_read, which sends it always.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_EXEC_INT_H
#define OTTLA_STATEMENT_EXEC_INT_H

#include "ottla/common/arena.h"
#include "ottla/common/conf.h"
#include "ottla/statement/statement.h"
#include "values_int.h"

/* Objects that one statement may name, patterns expanded. */
#define EXEC_ITEMS_MAX 200000

/* Text made for a statement: a query, a list in JSON. */
#define STATEMENT_JSON_MAX (8 << 20)

typedef struct Exec {
    const StatementEnv *env;
    const Statement *s;
    Client *client;
    Arena *arena;
    Fault *f;
    char *tag;
    int64_t deadline_ms;
    bool validate;   /* VALIDATE ONLY, or the shell's variable */
    bool untried;    /* VALIDATE ONLY: something was not sent */
    bool explained;  /* somebody else has shown the plan */
    PrintTable plan; /* EXPLAIN: requests, a row each */
} Exec;

/* ---- sending ---- */

/* A request that only reads. 0 or -1. */
int exec_read(Exec *x, int32_t node, int16_t api, const void *request, void *response);

/* As exec_read, at most this version. */
int exec_read_at(Exec *x, ClientCall call, const void *request, void *response);

/* A request that changes something. EXEC_PLANNED: it was noted, or cannot be tried; there is no answer. */
#define EXEC_PLANNED 1
int exec_change(Exec *x, int32_t node, int16_t api, const void *request, void *response);
int exec_change_at(Exec *x, ClientCall call, const void *request, void *response);

/* After an answer with an error, attempt from 1. 1: it may pass, a moment went by, ask again. 0: not so. -1: interrupted. */
int exec_again(Exec *x, int16_t error, int attempt);

/* The node to ask for the coordinator of a group. */
int exec_group_node(Exec *x, StrView group, int32_t *ret_node);

/* Arena memory that is asked for by our own counts: fills the fault with 53200 when there is none. */
void *exec_alloc(Exec *x, size_t count, size_t size);

/* A printf into the arena; "" when there is no memory. */
const char *exec_text(Exec *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

void exec_notice(Exec *x, const char *severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the command tag. */
void exec_tag(Exec *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 22023 at an item of the statement. Returns -1. */
int exec_bad_value(Exec *x, const StatementItem *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Lets the shell print a table. */
int exec_table(Exec *x, const PrintTable *table);

/* 0A000: needs something that this cluster does not have. Returns -1. */
int exec_not_supported(Exec *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The cell of a column of a view; NULL: it is null, or there is no such column. */
const ClientStatCell *exec_stat_cell(const ClientStatCell *cells, int32_t count, const char *name);

/* ---- objects that a statement names ---- */

typedef struct Item {
    StrView name;
    int32_t partition; /* -1: none */
    int32_t pos;       /* in the statement */
    int32_t node;      /* who answered; -1: nobody yet */
    int16_t error;     /* 0: done */
    bool pending;      /* still to be sent */
    StrView message;   /* of the server; null: none */
    int64_t number;    /* what the statement needs: an offset, say */
    const void *data;
} Item;

typedef struct Items {
    Item *list;
    int32_t count;
    int32_t room;
    int32_t last;     /* found last */
    const char *noun; /* "topic" */
    bool globbed;     /* a pattern stood for some of them */
} Items;

/* Adds one; NULL: no memory, with the fault. The pointer is good until the next. */
Item *items_add(Exec *x, Items *items, StrView name, int32_t partition, int32_t pos);

/* The item of this name and partition, -1: any. NULL: none. */
Item *items_find(Items *items, StrView name, int32_t partition);

/* "topic "a"", or "partition 3 of topic "a"". */
const char *item_label(Exec *x, const Items *items, const Item *item);

/*
 * Sends the pending ones until none is pending, no error of theirs is worth trying again, or time is over. send tells
 * each pending item's result by item_done; EXEC_PLANNED ends it. 0, EXEC_PLANNED, or -1.
 */
typedef int (*ItemsSend)(Exec *x, Items *items, void *arg);
int items_run(Exec *x, Items *items, ItemsSend send, void *arg);
void item_done(Exec *x, Item *item, int16_t error, StrView message, int32_t node);

/*
 * One failure alone is the error; of several each is a WARNING, then there is one error with counts. skip: errors that
 * IF [NOT] EXISTS turns into a NOTICE (two at most, 0: none); skip_text says what is the case ("does not exist").
 * verb: "create". *ret_done: those that succeeded, without skipped ones.
 */
typedef struct ItemsVerdict {
    const char *verb;
    int16_t skip[2];
    const char *skip_text;
    bool skip_on;
} ItemsVerdict;
int items_report(Exec *x, const Items *items, const ItemsVerdict *verdict, int32_t *ret_done);

/* Which objects patterns are looked up among. */
typedef enum NamesKind { NAMES_TOPICS, NAMES_GROUPS, NAMES_USERS } NamesKind;

/*
 * The objects that the items of this name give, patterns expanded, each once, sorted where a pattern was. A pattern
 * that fits nothing: 42P01 or 42704, or a notice when missing_ok.
 */
int names_expand(Exec *x, StatementItemName name, NamesKind kind, bool missing_ok, Items *ret);

/* All that there are, sorted. */
int names_all(Exec *x, NamesKind kind, StrView **ret, int32_t *ret_count);

/* Shows what a pattern stood for, and asks. verb: "Drop". 0, or -1: no. */
int names_confirm(Exec *x, const char *verb, const Items *items);

/* Asks about something that is no list. */
int exec_confirm(Exec *x, const char *question);

/*
 * Topics with partitions as "t PARTITION 0,1, u" names them from item index `from` on: an item per partition, all
 * partitions of a topic where none is named.
 */
int partitions_named(Exec *x, int32_t from, Items *ret);

/* All partitions of the given topics. */
int partitions_of(Exec *x, const Items *topics, Items *ret);

/* All partitions that there are; number is the leader, -1: none. */
int partitions_of_cluster(Exec *x, Items *ret);

/* Metadata of the topics named, or of all (names NULL), with an error per topic. */
struct MetadataResponse;
int exec_metadata(Exec *x, const Items *topics, struct MetadataResponse *ret);

/* ---- settings ---- */

/* Kafka's types of resources. */
#define RESOURCE_TOPIC          2
#define RESOURCE_BROKER         4
#define RESOURCE_LOGGER         8
#define RESOURCE_CLIENT_METRICS 16
#define RESOURCE_GROUP          32

struct DescribeConfigsResponseResult;

/* What DescribeConfigs says of one object; faults of the object are faults. */
int configs_read(Exec *x, int8_t type, StrView name, bool documentation,
                 struct DescribeConfigsResponseResult *ret);

/* One change of one setting; value null: the setting's own default again. */
typedef struct ConfigChange {
    StrView name;
    int8_t operation; /* 0 set, 1 delete, 2 append, 3 subtract */
    StrView value;
} ConfigChange;

/* The changes that the statement's SET, RESET, APPEND, SUBTRACT ask for; RESET ALL gives none. */
int configs_of_statement(Exec *x, ConfScope scope, ConfigChange **ret, int32_t *ret_count);

/* Makes an item one whose every own setting is taken away; it is no longer pending when it has none. */
int configs_reset_all(Exec *x, int8_t type, Item *item);

/* Sends changes to the items, each an object of one type; at brokers each to its node. */
typedef struct ConfigsChange {
    int8_t type;
    const ConfigChange *changes; /* of every item, unless its data is a ConfigsOfItem */
    int32_t count;
} ConfigsChange;
typedef struct ConfigsOfItem {
    const ConfigChange *changes;
    int32_t count;
} ConfigsOfItem;
int configs_send(Exec *x, Items *items, void *configs_change);

/* ---- kinds of statements ---- */

int do_create_topic(Exec *x);
int do_alter_topic(Exec *x);
int do_drop_topic(Exec *x);
int do_truncate_topic(Exec *x);
int do_show_list(Exec *x);
int do_describe(Exec *x);
int do_show_config(Exec *x);
int do_show_setting(Exec *x);
int do_alter_config(Exec *x);
int do_alter_logger(Exec *x);
int do_alter_system(Exec *x);
int do_set(Exec *x);
int do_reset_offsets(Exec *x);
int do_delete_offsets(Exec *x);
int do_remove_member(Exec *x);
int do_drop_group(Exec *x);
int do_create_user(Exec *x);
int do_drop_user(Exec *x);
int do_grant_set(Exec *x);
int do_grant(Exec *x);
int do_revoke(Exec *x);
int do_revoke_all(Exec *x);
int do_token(Exec *x);
int do_alter_quota(Exec *x);
int do_reassign(Exec *x);
int do_cancel_reassign(Exec *x);
int do_set_throttle(Exec *x);
int do_elect(Exec *x);
int do_abort_transaction(Exec *x);
int do_find_hanging(Exec *x);
int do_unregister(Exec *x);
int do_voter(Exec *x);
int do_feature(Exec *x);
int do_metrics(Exec *x);
int do_produce(Exec *x);
int do_explain_retention(Exec *x);
int do_explain_replica(Exec *x);

/* Takes replicas' places from ALTER TOPIC ... REASSIGN, REPLICATION FACTOR and MOVE PARTITION. */
int do_topic_places(Exec *x, const Items *topics);

#endif
