/*
 * decide_configs_listeners.c - settings of single listeners: listener.name.NAME.*
 *
 * As in Kafka such a name may be of a listener that this node does not have: it is kept, and only what can
 * be changed while a node runs is looked at. Those of its own are judged as when it reads them; a
 * name in capitals is nobody's. Classes of logins are Kafka's own ones: others cannot be loaded here, so those of every
 * JVM (java.lang.String), which Kafka takes, are refused, too.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/ipc/listeners.h"

#define PREFIX        "listener.name."
#define KAFKA_CLASSES "org.apache.kafka.common.security."

/* What may be the same for a listener of this name on all nodes. */
static const ConfId for_all_nodes[] = {CONF_MAX_CONNECTIONS, CONF_MAX_CONNECTION_CREATION_RATE,
                                       CONF_NUM_NETWORK_THREADS};

/* Settings of a class that a listener may have per mechanism, too: listener.name.NAME.MECHANISM.* */
static const ConfId login_classes[] = {
    CONF_SASL_CLIENT_CALLBACK_HANDLER_CLASS,
    CONF_SASL_LOGIN_CALLBACK_HANDLER_CLASS,
    CONF_SASL_LOGIN_CLASS,
    CONF_SASL_OAUTHBEARER_JWT_RETRIEVER_CLASS,
    CONF_SASL_OAUTHBEARER_JWT_VALIDATOR_CLASS,
    CONF_SASL_SERVER_CALLBACK_HANDLER_CLASS,
};

#define COUNT(list) (sizeof list / sizeof list[0])

static bool
has_prefix(StrView text, const char *prefix)
{
    size_t len = strlen(prefix);

    return (size_t)text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

/* "NAME.rest" at its first dot; false: there is none. */
static bool
split(StrView text, StrView *ret_name, StrView *ret_rest)
{
    const char *dot = text.len == 0 ? NULL : memchr(text.ptr, '.', (size_t)text.len);

    if (dot == NULL)
        return false;
    *ret_name = (StrView){text.ptr, (int32_t)(dot - text.ptr)};
    *ret_rest = (StrView){dot + 1, text.len - ret_name->len - 1};
    return true;
}

static bool
split_listener(StrView name, StrView *ret_listener, StrView *ret_rest)
{
    const int32_t len = (int32_t)sizeof PREFIX - 1;

    return has_prefix(name, PREFIX) &&
           split((StrView){name.ptr + len, name.len - len}, ret_listener, ret_rest);
}

/* The own listener that a name begins with, and what is behind it; a listener's name may hold dots. */
static const Listener *
find_own(const DecideContext *c, StrView name, StrView *ret_rest)
{
    const int32_t len = (int32_t)sizeof PREFIX - 1;

    for (int i = 0; c->listeners != NULL && has_prefix(name, PREFIX) && i < c->listeners->count;
         i++) {
        const Listener *row = &c->listeners->rows[i];
        int32_t n = (int32_t)strlen(row->name), same = 0;

        if (n == 0 || row->is_unix || row->is_controller || name.len <= len + n + 1 ||
            name.ptr[len + n] != '.')
            continue;
        while (same < n && name.ptr[len + same] == tolower((unsigned char)row->name[same]))
            same++;
        if (same < n)
            continue;
        *ret_rest = (StrView){name.ptr + len + n + 1, name.len - len - n - 1};
        return row;
    }
    return NULL;
}

bool
config_listener_is_own(const DecideContext *c, StrView name)
{
    StrView rest;

    return find_own(c, name, &rest) != NULL;
}

bool
config_listener_needs_node(StrView name)
{
    StrView listener, rest;
    int id;

    if (!split_listener(name, &listener, &rest))
        return false;
    id = conf_find(CONF_SCOPE_BROKER, rest);
    for (size_t i = 0; i < COUNT(for_all_nodes); i++)
        if (id == (int)for_all_nodes[i])
            return false;
    return true;
}

/* With or without a mechanism in front. */
static bool
is_login_class(StrView rest)
{
    StrView mechanism, behind;
    bool any = split(rest, &mechanism, &behind);

    for (size_t i = 0; i < COUNT(login_classes); i++) {
        StrView name = strview_from(conf_rows[login_classes[i]].name);

        if (strview_equal(rest, name) || (any && strview_equal(behind, name)))
            return true;
    }
    return false;
}

static Verdict
check_workers(const ConfigCase *k, StrView name, StrView value)
{
    const ConfRow *row = &conf_rows[CONF_NUM_NETWORK_THREADS];
    StrView before = config_set_find(&k->before, name);

    if (before.ptr == NULL)
        before = conf_resolve_broker(CONF_NUM_NETWORK_THREADS, k->c->dynamic).text;
    return config_check_workers(k, row->name, conf_text_int64(row, before),
                                conf_text_int64(row, value));
}

/* One setting of a listener of ours; its text is one already. */
static Verdict
check_own(const ConfigCase *k, const ConfPair *pair, StrView rest)
{
    int id = conf_find(CONF_SCOPE_BROKER, rest);

    if (id == CONF_MAX_CONNECTIONS && conf_text_int64(&conf_rows[id], pair->value) == 0)
        return config_refuse(k->c, KERR_INVALID_REQUEST,
                             "max.connections of a listener must be at least 1");
    if (id == CONF_NUM_NETWORK_THREADS)
        return check_workers(k, pair->name, pair->value);
    if (is_login_class(rest) && !has_prefix(pair->value, KAFKA_CLASSES))
        return config_refuse(k->c, KERR_INVALID_REQUEST, "%.*s: there is no class %.*s",
                             (int)rest.len, rest.ptr, (int)pair->value.len, pair->value.ptr);
    return (Verdict){0, NULL};
}

Verdict
check_listener_settings(const ConfigCase *k)
{
    for (int32_t i = 0; i < k->after.count; i++) {
        const ConfPair *pair = &k->after.pairs[i];
        StrView rest;

        if (find_own(k->c, pair->name, &rest) != NULL) {
            Verdict v = check_own(k, pair, rest);

            if (v.code != 0)
                return v;
        }
    }
    return (Verdict){0, NULL};
}
