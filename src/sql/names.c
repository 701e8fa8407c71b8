/*
 * names.c - numbers of the protocol as the words that Kafka's tools print
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/tables_int.h"

#include "ottla/common/text.h"

static const char *const resources[] = {
    "unknown", "any", "topic", "group", "cluster", "transactional_id", "delegation_token", "user"};
static const char *const patterns[] = {"unknown", "any", "match", "literal", "prefixed"};
static const char *const operations[] = {"unknown",
                                         "any",
                                         "all",
                                         "read",
                                         "write",
                                         "create",
                                         "delete",
                                         "alter",
                                         "describe",
                                         "cluster_action",
                                         "describe_configs",
                                         "alter_configs",
                                         "idempotent_write",
                                         "create_tokens",
                                         "describe_tokens",
                                         "two_phase_commit"};
static const char *const permissions[] = {"unknown", "any", "deny", "allow"};
static const char *const config_sources[] = {"unknown",        "topic",          "broker",
                                             "broker default", "static broker",  "default",
                                             "broker logger",  "client metrics", "group"};
static const char *const config_types[] = {"unknown", "boolean", "string", "int",   "short",
                                           "long",    "double",  "list",   "class", "password"};
static const char *const mechanisms[] = {"unknown", "SCRAM-SHA-256", "SCRAM-SHA-512"};

#define COUNT(array)           ((int)(sizeof(array) / sizeof(array)[0]))
#define NAME_IN(array, n)      ((n) >= 0 && (n) < COUNT(array) ? (array)[n] : "unknown")
#define NUMBER_IN(array, name) number_in(array, COUNT(array), name)

static int8_t
number_in(const char *const *names, int count, StrView name)
{
    for (int i = 0; i < count; i++)
        if (text_equal_nocase(strview_from(names[i]), name))
            return (int8_t)i;
    return -1;
}

const char *
name_of_resource(int8_t type)
{
    return NAME_IN(resources, type);
}

const char *
name_of_pattern(int8_t type)
{
    return NAME_IN(patterns, type);
}

const char *
name_of_operation(int8_t operation)
{
    return NAME_IN(operations, operation);
}

const char *
name_of_permission(int8_t permission)
{
    return NAME_IN(permissions, permission);
}

const char *
name_of_config_source(int8_t source)
{
    return NAME_IN(config_sources, source);
}

const char *
name_of_config_type(int8_t type)
{
    return NAME_IN(config_types, type);
}

const char *
name_of_mechanism(int8_t mechanism)
{
    return NAME_IN(mechanisms, mechanism);
}

const char *
name_of_config_resource(int8_t type)
{
    switch (type) {
    case 2:
        return "topic";
    case 4:
        return "broker";
    case 8:
        return "logger";
    case 16:
        return "client_metrics";
    case 32:
        return "group";
    default:
        return "unknown";
    }
}

int8_t
number_of_resource(StrView name)
{
    return NUMBER_IN(resources, name);
}

int8_t
number_of_pattern(StrView name)
{
    return NUMBER_IN(patterns, name);
}

int8_t
number_of_operation(StrView name)
{
    return NUMBER_IN(operations, name);
}

int8_t
number_of_permission(StrView name)
{
    return NUMBER_IN(permissions, name);
}
