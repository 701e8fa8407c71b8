/*
 * grammar_table.c - the statements: a row of grammar each
 *
 * How grammars are written: grammar_int.h. Rows whose first words are the same stand together, the one to be tried
 * first above. Line feeds and blanks are those of \h. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grammar_int.h"

/* clang-format off */
#define TOPIC_PAIRS  "( { <config:TOPIC_CONFIG> = <value:CONFIG_VALUE> },... )"
#define CHANGES(want)                                                                              \
    "SET @set ( { <config:" want "> = <value:CONFIG_VALUE> },... )\n"                               \
    "  | RESET ALL @reset @all\n"                                                                   \
    "  | RESET @reset ( <config:" want ">,... )\n"                                                  \
    "  | APPEND @append ( { <config:" want "> = <value:CONFIG_VALUE> },... )\n"                     \
    "  | SUBTRACT @subtract ( { <config:" want "> = <value:CONFIG_VALUE> },... )"
#define REPLICA_LISTS "( { ( @list <replicas:BROKER>,... ) },... )"
#define GRANTEES "{ EVERYONE @everyone | <principal:PRINCIPAL> },... [ FROM HOST <host:VALUE>,... ]"
#define RESOURCE_NAMES "{ ALL @all | PREFIX <prefix:STRING> | <name:RESOURCE_NAME> },..."
#define RESOURCES                                                                                  \
    "{ CLUSTER @cluster\n"                                                                          \
    "     | { TOPIC @topics | GROUP @groups | TRANSACTIONAL ID @transactional | USER @users"        \
    " | DELEGATION TOKEN @token }\n"                                                                \
    "         " RESOURCE_NAMES " }"
#define OPERATIONS "{ ALL @operation | <operation:OPERATION> },..."
#define TOPIC_PARTITIONS "{ [ TOPIC ] <topic:TOPIC> [ PARTITION <partition:PARTITION>,... ] },..."
#define PASSWORD                                                                                   \
    "[ WITH ] [ ENCRYPTED ] PASSWORD @prompt [ PROMPT | <password:STRING> ]\n"                      \
    "    [ MECHANISM { ALL | <mechanism:MECHANISM> }\n"                                             \
    "    | ITERATIONS <iterations:COUNT> ]*"

const GrammarRow grammar_rows[] = {
    {STATEMENT_ABORT_TRANSACTION, "ABORT TRANSACTION",
     "ABORT TRANSACTION { ON <topic:TOPIC> PARTITION <partition:PARTITION> PRODUCER <producer:NUMBER>"
     " | <transaction:TRANSACTION> }",
     "end a transaction whose producer is gone"},
    {STATEMENT_ADD_VOTER, "ADD VOTER",
     "ADD VOTER <broker:BROKER> DIRECTORY <directory:STRING> [ ON <host:VALUE> ]",
     "add a controller to the metadata quorum"},

    {STATEMENT_ALTER_CONFIG, "ALTER BROKER",
     "ALTER { BROKER DEFAULT @default | BROKER <broker:BROKER> }\n"
     "  { " CHANGES("BROKER_CONFIG") " }\n"
     "  [ VALIDATE ONLY @validate ]",
     "change dynamic settings of a broker or of all"},
    {STATEMENT_ALTER_CONFIG, "ALTER CLIENT METRICS",
     "ALTER CLIENT METRICS <metrics:METRICS>\n"
     "  { " CHANGES("METRICS_CONFIG") " }\n"
     "  [ VALIDATE ONLY @validate ]",
     "change a client metrics subscription"},
    {STATEMENT_RESET_OFFSETS, "ALTER GROUP",
     "ALTER GROUP <group:GROUP> RESET OFFSETS @reset\n"
     "    [ [ FOR ] ALL TOPICS @all | FOR TOPIC " TOPIC_PARTITIONS " ]\n"
     "    TO { EARLIEST @earliest | LATEST @latest | CURRENT @current | OFFSET <offset:NUMBER>\n"
     "       | TIMESTAMP <timestamp:VALUE> | DURATION <duration:VALUE> | SHIFT BY <shift:NUMBER>\n"
     "       | FILE <file:FILE> }\n"
     "    [ DRY RUN @dry ]",
     "change offsets, members or settings of a group"},
    {STATEMENT_DELETE_OFFSETS, "ALTER GROUP",
     "ALTER GROUP <group:GROUP> DELETE OFFSETS FOR TOPIC " TOPIC_PARTITIONS,
     "forget committed offsets of a group"},
    {STATEMENT_REMOVE_MEMBER, "ALTER GROUP",
     "ALTER GROUP <group:GROUP> REMOVE MEMBER { ALL @all | INSTANCE <instance:STRING> | <member:VALUE> }",
     "remove members from a group"},
    {STATEMENT_ALTER_CONFIG, "ALTER GROUP",
     "ALTER GROUP <group:GROUP>\n"
     "  { " CHANGES("GROUP_CONFIG") " }\n"
     "  [ VALIDATE ONLY @validate ]",
     "change settings of a group"},
    {STATEMENT_ALTER_LOGGER, "ALTER LOGGER",
     "ALTER LOGGER <logger:LOGGER> ON { ALL @all | BROKER <broker:BROKER>,... }\n"
     "    { SET LEVEL <level:LEVEL> | RESET @reset }",
     "change what a broker logs"},
    {STATEMENT_ALTER_QUOTA, "ALTER QUOTA",
     "ALTER QUOTA FOR\n"
     "    { USER @users { DEFAULT @default | <user:USER> }"
     " [ CLIENT @client { DEFAULT @default | <client:CLIENT> } ]\n"
     "    | CLIENT @client { DEFAULT @default | <client:CLIENT> }\n"
     "    | IP @ip { DEFAULT @default | <host:VALUE> } }\n"
     "    { SET @set ( { <quota:QUOTA> = <value:CONFIG_VALUE> },... )\n"
     "    | RESET @reset { ALL @all | ( ALL @all ) | ( <quota:QUOTA>,... ) } }\n"
     "    [ VALIDATE ONLY @validate ]",
     "change what a user, client or address may use"},
    {STATEMENT_ALTER_SYSTEM, "ALTER SYSTEM",
     "ALTER SYSTEM { SET <setting:SETTING> { = | TO } <value:CONFIG_VALUE>\n"
     "             | RESET ALL @reset @all | RESET @reset <setting:SETTING> }",
     "change a setting of the connected node in ottla.auto.conf"},
    {STATEMENT_ALTER_TOPIC, "ALTER TOPIC",
     "ALTER TOPIC <topic:TOPIC>,...\n"
     "  { ADD PARTITIONS <partitions:COUNT> [ REPLICAS " REPLICA_LISTS " ]\n"
     "  | PARTITIONS TO <total:COUNT> [ REPLICAS " REPLICA_LISTS " ]\n"
     "  | " CHANGES("TOPIC_CONFIG") "\n"
     "  | REASSIGN @reassign [ PARTITION <partition:PARTITION>,... ] TO ( <replicas:BROKER>,... )\n"
     "  | REPLICATION FACTOR <factor:COUNT>\n"
     "  | MOVE @move PARTITION <partition:PARTITION> ON BROKER <broker:BROKER>"
     " TO DIRECTORY <directory:STRING> }\n"
     "  [ VALIDATE ONLY @validate ]",
     "change partitions, settings or places of topics"},
    {STATEMENT_ALTER_USER, "ALTER USER",
     "ALTER USER <user:USER> " PASSWORD,
     "change the password of a user"},

    {STATEMENT_CANCEL_REASSIGN, "CANCEL REASSIGN",
     "CANCEL REASSIGN { ALL @all | TOPIC " TOPIC_PARTITIONS " }",
     "stop moving replicas"},
    {STATEMENT_CREATE_METRICS, "CREATE CLIENT METRICS",
     "CREATE CLIENT METRICS <metrics:NEW_NAME> WITH"
     " ( { <config:METRICS_CONFIG> = <value:CONFIG_VALUE> },... )",
     "ask clients for their metrics"},
    {STATEMENT_CREATE_TOKEN, "CREATE TOKEN",
     "CREATE TOKEN [ FOR <user:PRINCIPAL> ] [ RENEWERS ( <renewer:PRINCIPAL>,... ) ] [ LIFETIME <lifetime:VALUE> ]",
     "make a delegation token"},
    {STATEMENT_CREATE_TOPIC, "CREATE TOPIC",
     "CREATE TOPIC [ IF NOT EXISTS @if ] <topic:NEW_NAME>,...\n"
     "    [ PARTITIONS <partitions:COUNT>\n"
     "    | REPLICATION FACTOR <factor:COUNT>\n"
     "    | REPLICAS " REPLICA_LISTS "\n"
     "    | LIKE <source:TOPIC>\n"
     "    | WITH " TOPIC_PAIRS "\n"
     "    | VALIDATE ONLY @validate ]*",
     "make topics"},
    {STATEMENT_CREATE_USER, "CREATE USER",
     "CREATE USER <user:NEW_NAME> " PASSWORD,
     "give a user a password"},

    {STATEMENT_GRANT, "DENY",
     "DENY @deny " OPERATIONS "\n  ON { " RESOURCES " },...\n  TO " GRANTEES,
     "forbid operations"},
    {STATEMENT_DESCRIBE, "DESCRIBE",
     "DESCRIBE { TOPIC @topics [ <topic:TOPIC> ] | GROUP @groups [ <group:GROUP> ]"
     " | BROKER @brokers [ <broker:BROKER> ]\n"
     "         | USER @users [ <user:USER> ] | TRANSACTION @transactions [ <transaction:TRANSACTION> ]"
     " | CLUSTER @cluster }",
     "tell everything about one object"},
    {STATEMENT_FEATURE, "DOWNGRADE FEATURE",
     "DOWNGRADE @downgrade FEATURE <feature:FEATURE> TO <level:COUNT> [ UNSAFE @unsafe ] [ VALIDATE ONLY @validate ]",
     "lower the level of a feature"},
    {STATEMENT_DROP_METRICS, "DROP CLIENT METRICS",
     "DROP CLIENT METRICS [ IF EXISTS @if ] <metrics:METRICS>,...",
     "end client metrics subscriptions"},
    {STATEMENT_DROP_GROUP, "DROP GROUP",
     "DROP GROUP [ IF EXISTS @if ] <group:GROUP>,...",
     "remove groups with their offsets"},
    {STATEMENT_DROP_TOPIC, "DROP TOPIC",
     "DROP TOPIC [ IF EXISTS @if ] { ID <id:STRING>,... | <topic:TOPIC>,... }",
     "remove topics with their records"},
    {STATEMENT_DROP_USER, "DROP USER",
     "DROP USER [ IF EXISTS @if ] <user:USER>,... [ MECHANISM <mechanism:MECHANISM> | CASCADE @cascade ]*",
     "take a user's password away"},

    {STATEMENT_ELECT, "ELECT LEADER",
     "ELECT { PREFERRED @preferred | UNCLEAN @unclean } LEADER FOR { ALL @all | TOPIC " TOPIC_PARTITIONS " }",
     "choose leaders anew"},
    {STATEMENT_EXPIRE_TOKEN, "EXPIRE TOKEN",
     "EXPIRE TOKEN <hmac:STRING> [ LIFETIME <lifetime:VALUE> ]",
     "end a delegation token"},
    {STATEMENT_EXPLAIN, "EXPLAIN",
     "EXPLAIN statement",
     "show the requests that a statement would send"},
    {STATEMENT_EXPLAIN_REPLICA, "EXPLAIN REPLICA",
     "EXPLAIN REPLICA FOR TOPIC <topic:TOPIC> PARTITION <partition:PARTITION> [ ON BROKER <broker:BROKER> ]",
     "tell what an acknowledgement and the high watermark wait for"},
    {STATEMENT_EXPLAIN_RETENTION, "EXPLAIN RETENTION",
     "EXPLAIN RETENTION FOR TOPIC <topic:TOPIC> [ PARTITION <partition:PARTITION> ]",
     "tell why each segment is still there and when it goes"},
    {STATEMENT_FIND_HANGING, "FIND HANGING TRANSACTIONS",
     "FIND HANGING TRANSACTIONS [ ON BROKER <broker:BROKER> ] [ OLDER THAN <duration:VALUE> ]",
     "look for transactions that nobody will end"},

    {STATEMENT_GRANT_SET, "GRANT PRODUCER",
     "GRANT PRODUCER @producer [ IDEMPOTENT @idempotent | TRANSACTIONAL <transactional:NEW_NAME> ]\n"
     "    ON TOPIC @topics " RESOURCE_NAMES " TO " GRANTEES,
     "allow all that a producer needs"},
    {STATEMENT_GRANT_SET, "GRANT CONSUMER",
     "GRANT CONSUMER @consumer ON TOPIC @topics " RESOURCE_NAMES "\n"
     "    [ , ] GROUP @groups " RESOURCE_NAMES " TO " GRANTEES,
     "allow all that a consumer needs"},
    {STATEMENT_GRANT, "GRANT",
     "GRANT " OPERATIONS "\n  ON { " RESOURCES " },...\n  TO " GRANTEES,
     "allow operations"},

    {STATEMENT_PRODUCE, "PRODUCE",
     "PRODUCE INTO <topic:TOPIC> [ PARTITION <partition:PARTITION> ] [ KEY <key:VALUE> ]\n"
     "    [ HEADER { <header:NEW_NAME> = <value:VALUE> },... ] VALUE <value:VALUE>",
     "append one record to a topic"},

    {STATEMENT_REASSIGN, "REASSIGN",
     "REASSIGN { FROM <file:FILE> | TOPIC <topic:TOPIC>,... TO BROKERS ( <replicas:BROKER>,... )\n"
     "         | BROKER <broker:BROKER> DRAIN @drain\n"
     "         | BALANCE @balance [ TOPIC <topic:TOPIC>,... ] }\n"
     "    [ THROTTLE <throttle:VALUE> | BATCH <batch:COUNT> | WAIT @wait | PLAN ONLY @plan ]*",
     "move replicas to other brokers"},
    {STATEMENT_REMOVE_VOTER, "REMOVE VOTER",
     "REMOVE VOTER <broker:BROKER> DIRECTORY <directory:STRING>",
     "remove a controller from the metadata quorum"},
    {STATEMENT_RENEW_TOKEN, "RENEW TOKEN",
     "RENEW TOKEN <hmac:STRING> [ LIFETIME <lifetime:VALUE> ]",
     "prolong a delegation token"},
    {STATEMENT_REVOKE_ALL, "REVOKE",
     "REVOKE ALL FROM { EVERYONE @everyone | <principal:PRINCIPAL> },...",
     "take back everything that a user was granted or denied"},
    {STATEMENT_GRANT_SET, "REVOKE",
     "REVOKE @reset PRODUCER @producer [ IDEMPOTENT @idempotent | TRANSACTIONAL <transactional:NEW_NAME> ]\n"
     "    ON TOPIC @topics " RESOURCE_NAMES " FROM " GRANTEES,
     "take back what GRANT PRODUCER gave"},
    {STATEMENT_GRANT_SET, "REVOKE",
     "REVOKE @reset CONSUMER @consumer ON TOPIC @topics " RESOURCE_NAMES "\n"
     "    [ , ] GROUP @groups " RESOURCE_NAMES " FROM " GRANTEES,
     "take back what GRANT CONSUMER gave"},
    {STATEMENT_REVOKE, "REVOKE",
     "REVOKE [ GRANT @grant | DENY @deny ] " OPERATIONS "\n  ON { " RESOURCES " },...\n  FROM " GRANTEES,
     "take back what was granted or denied"},

    {STATEMENT_SET_THROTTLE, "SET REASSIGN THROTTLE",
     "SET REASSIGN THROTTLE { NONE @none | <throttle:VALUE> }",
     "limit what moving replicas may use"},
    {STATEMENT_SET, "SET",
     "SET { TIMEZONE @timezone [ = | TO ] <value:VALUE> | <variable:VARIABLE> { = | TO } <value:CONFIG_VALUE> }",
     "change a variable of the shell"},
    {STATEMENT_SHOW_CONFIG, "SHOW CONFIG",
     "SHOW CONFIG FOR { TOPIC <topic:TOPIC> | BROKER DEFAULT @default | BROKER <broker:BROKER>\n"
     "                | GROUP <group:GROUP> | LOGGER @logger ON <broker:BROKER> | CLIENT METRICS <metrics:METRICS> }"
     " [ ALL @all ]",
     "show the settings of an object and where they come from"},
    {STATEMENT_SHOW_LIST, "SHOW",
     "SHOW { TOPICS @topics | GROUPS @groups | USERS @users | ACLS @acls | BROKERS @brokers | QUOTAS @quotas\n"
     "     | TRANSACTIONS @transactions | REASSIGNMENTS @reassignments | QUORUM @quorum | FEATURES @features\n"
     "     | ACTIVITY @activity | WORKERS @workers } [ LIKE <pattern:PATTERN> ]",
     "list objects"},
    {STATEMENT_SHOW_SETTING, "SHOW",
     "SHOW { ALL @all | <setting:SETTING> } [ RAW @raw ] [ WITH HELP @help ]",
     "show settings of the connected node"},

    {STATEMENT_TRUNCATE_TOPIC, "TRUNCATE TOPIC",
     "TRUNCATE TOPIC <topic:TOPIC>,... [ PARTITION <partition:PARTITION>,... ]\n"
     "    [ BEFORE { OFFSET <offset:NUMBER> | TIMESTAMP <timestamp:VALUE> } ]",
     "delete the records of a topic, or the older ones"},
    {STATEMENT_UNREGISTER, "UNREGISTER BROKER",
     "UNREGISTER BROKER <broker:BROKER>",
     "forget a broker that is gone"},
    {STATEMENT_FEATURE, "UPGRADE FEATURE",
     "UPGRADE @upgrade FEATURE <feature:FEATURE> TO <level:COUNT> [ VALIDATE ONLY @validate ]",
     "raise the level of a feature"},
};
/* clang-format on */

const int32_t grammar_row_count = (int32_t)(sizeof grammar_rows / sizeof grammar_rows[0]);
