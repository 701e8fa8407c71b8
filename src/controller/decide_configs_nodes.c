/*
 * decide_configs_nodes.c - settings of nodes: what may be changed while a node runs, and to what
 *
 * As in Kafka the whole resulting set is looked at: which settings can change at all, which for one
 * node only, whether each text is one, and whether the values that would then be in force on this
 * node go together. Refusals are INVALID_REQUEST but for the rule of min.insync.replicas. Spec:
 * admin-and-security.md 4.5; observed.md 8.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/ipc/listeners.h"

/* Processes that change in number: not by more than half or double at once. */
static const ConfId worker_counts[] = {
    CONF_BACKGROUND_THREADS,
    CONF_LOG_CLEANER_THREADS,
    CONF_NUM_IO_THREADS,
    CONF_NUM_NETWORK_THREADS,
    CONF_NUM_RECOVERY_THREADS_PER_DATA_DIR,
    CONF_NUM_REPLICA_FETCHERS,
    CONF_REMOTE_LOG_MANAGER_COPIER_THREAD_POOL_SIZE,
    CONF_REMOTE_LOG_MANAGER_EXPIRATION_THREAD_POOL_SIZE,
    CONF_REMOTE_LOG_MANAGER_FOLLOWER_THREAD_POOL_SIZE,
    CONF_REMOTE_LOG_READER_THREADS,
};

/* Stores of keys: a listener's own, never of all. */
static const ConfId listener_stores[] = {
    CONF_SSL_KEY_PASSWORD,
    CONF_SSL_KEYSTORE_CERTIFICATE_CHAIN,
    CONF_SSL_KEYSTORE_KEY,
    CONF_SSL_KEYSTORE_LOCATION,
    CONF_SSL_KEYSTORE_PASSWORD,
    CONF_SSL_KEYSTORE_TYPE,
    CONF_SSL_TRUSTSTORE_CERTIFICATES,
    CONF_SSL_TRUSTSTORE_LOCATION,
    CONF_SSL_TRUSTSTORE_PASSWORD,
    CONF_SSL_TRUSTSTORE_TYPE,
};

/* Settings of an authorizer: a broker knows nothing of them and keeps them for it, as in Kafka. */
static const ConfId of_authorizer[] = {CONF_SUPER_USERS};

/* Classes that a request may name, and that there are: no others can be loaded. */
static const struct {
    ConfId id;
    const char *name;
} classes[] = {
    {CONF_METRIC_REPORTERS, "org.apache.kafka.common.metrics.JmxReporter"},
    {CONF_PRINCIPAL_BUILDER_CLASS,
     "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"},
    {CONF_SSL_ENGINE_FACTORY_CLASS, "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory"},
};

/* A number that must lie between two others. */
typedef struct Between {
    ConfId value;
    ConfId min;
    ConfId max;
} Between;

static const Between intervals[] = {
    {CONF_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS},
    {CONF_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS},
    {CONF_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS, CONF_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
     CONF_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS},
};

#define COUNT(list) (sizeof list / sizeof list[0])

static bool
is_among(int id, const ConfId *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (id == (int)list[i])
            return true;
    return false;
}

static Verdict
refuse(const ConfigCase *k, const char *name, const char *why)
{
    return config_refuse(k->c, KERR_INVALID_REQUEST, "%s %s", name, why);
}

/* ---- each setting by itself ---- */

static bool
can_change(const ConfRow *row)
{
    return row->change == CONF_CHANGE_BROKER || row->change == CONF_CHANGE_CLUSTER ||
           row->change == CONF_CHANGE_DYNAMIC;
}

static Verdict
check_classes(const ConfigCase *k, int id, StrView value)
{
    StrView item;

    for (size_t i = 0; i < COUNT(classes); i++) {
        if (id != (int)classes[i].id)
            continue;
        if (conf_rows[id].type == CONF_TYPE_CLASS && value.len == 0)
            return refuse(k, conf_rows[id].name, "must name a class");
        for (StrView rest = conf_list_begin(value); conf_list_next(&rest, &item);)
            if (!strview_equal(item, strview_from(classes[i].name)))
                return config_refuse(k->c, KERR_INVALID_REQUEST, "%s: there is no class %.*s",
                                     conf_rows[id].name, (int)item.len, item.ptr);
    }
    return (Verdict){0, NULL};
}

/* Names that are no setting are kept for whoever knows them. */
static Verdict
check_one(const ConfigCase *k, const ConfPair *pair)
{
    int id = conf_find(CONF_SCOPE_BROKER, pair->name), behind = conf_broker_row(pair->name);
    ErrInfo err = {0};

    if (id >= 0 && !can_change(&conf_rows[id]) &&
        !is_among(id, of_authorizer, COUNT(of_authorizer)))
        return refuse(k, conf_rows[id].name, "cannot be changed while the node runs");
    if (is_among(id, listener_stores, COUNT(listener_stores)))
        return refuse(k, conf_rows[id].name,
                      "can be changed for a listener only: listener.name.NAME. in front of it");
    if (behind >= 0 &&
        (id >= 0 || can_change(&conf_rows[behind]) || config_listener_is_own(k->c, pair->name)) &&
        conf_check(&conf_rows[behind], pair->value, &err) != 0)
        return config_refuse(k->c, KERR_INVALID_REQUEST, "%s", err.text);
    if (k->item->name.len == 0 && (id >= 0 ? conf_rows[id].change == CONF_CHANGE_BROKER
                                           : config_listener_needs_node(pair->name)))
        return config_refuse(k->c, KERR_INVALID_REQUEST,
                             "%.*s cannot be set for all nodes: name the node it is for",
                             (int)pair->name.len, pair->name.ptr);
    return check_classes(k, behind, pair->value);
}

/* ---- what would be in force on this node ---- */

/* Finds the dynamic values that there would be: those of one resource are replaced. */
static StrView
find_future(void *arg, ConfSource source, const char *name)
{
    const ConfigCase *k = arg;
    bool own = k->item->name.len > 0;

    if ((source == CONF_SOURCE_DYNAMIC_BROKER) == own)
        return config_set_find(&k->after, strview_from(name));
    return k->c->dynamic == NULL ? (StrView){NULL, 0}
                                 : k->c->dynamic->find(k->c->dynamic->arg, source, name);
}

static int64_t
number_of(ConfId id, const ConfLookup *lookup)
{
    StrView text = conf_resolve_broker(id, lookup).text;

    return conf_text_int64(&conf_rows[id], text);
}

Verdict
config_check_workers(const ConfigCase *k, const char *name, int64_t now, int64_t then)
{
    if (then == now)
        return (Verdict){0, NULL};
    if (then < 1)
        return refuse(k, name, "must be at least 1");
    if (then < now / 2)
        return config_refuse(k->c, KERR_INVALID_REQUEST,
                             "%s must be at least half of what it is, %" PRId64, name, now);
    if (then > now * 2)
        return config_refuse(k->c, KERR_INVALID_REQUEST,
                             "%s must be at most double of what it is, %" PRId64, name, now);
    return (Verdict){0, NULL};
}

static Verdict
check_worker_counts(const ConfigCase *k, const ConfLookup *future)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        const char *name = conf_rows[worker_counts[i]].name;
        int64_t now = number_of(worker_counts[i], k->c->dynamic);
        int64_t then = number_of(worker_counts[i], future);

        Verdict v = config_check_workers(k, name, now, then);

        if (v.code != 0)
            return v;
    }
    return (Verdict){0, NULL};
}

static Verdict
check_times(const ConfigCase *k, const ConfLookup *future)
{
    static const struct {
        ConfId id;
        int64_t least;
        bool negative; /* any negative number means "no limit" */
    } rows[] = {{CONF_LOG_ROLL_MS, 1, false},
                {CONF_LOG_ROLL_JITTER_MS, 0, false},
                {CONF_LOG_RETENTION_MS, 1, true}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        StrView text = conf_resolve_broker(rows[i].id, future).text;
        int64_t value =
            text.ptr == NULL ? rows[i].least : conf_text_int64(&conf_rows[rows[i].id], text);

        if (value < rows[i].least && !(rows[i].negative && value < 0))
            return config_refuse(k->c, KERR_INVALID_REQUEST, "%s must be at least %" PRId64 "%s",
                                 conf_rows[rows[i].id].name, rows[i].least,
                                 rows[i].negative ? ", or -1" : "");
    }
    for (size_t i = 0; i < COUNT(intervals); i++) {
        int64_t value = number_of(intervals[i].value, future);

        if (value < number_of(intervals[i].min, future) ||
            value > number_of(intervals[i].max, future))
            return config_refuse(k->c, KERR_INVALID_REQUEST, "%s must lie between %s and %s",
                                 conf_rows[intervals[i].value].name,
                                 conf_rows[intervals[i].min].name,
                                 conf_rows[intervals[i].max].name);
    }
    return (Verdict){0, NULL};
}

static Verdict
check_memory_and_connections(const ConfigCase *k, const ConfLookup *future)
{
    int64_t cleaners = number_of(CONF_LOG_CLEANER_THREADS, future);
    StrView overrides = conf_resolve_broker(CONF_MAX_CONNECTIONS_PER_IP_OVERRIDES, future).text;

    if (cleaners > 0 &&
        number_of(CONF_LOG_CLEANER_DEDUPE_BUFFER_SIZE, future) / cleaners <= 1 << 20)
        return refuse(k, "log.cleaner.dedupe.buffer.size",
                      "must be more than 1 MiB for each of log.cleaner.threads");
    if (number_of(CONF_MAX_CONNECTIONS_PER_IP, future) == 0 && text_trim(overrides).len == 0)
        return refuse(k, "max.connections.per.ip",
                      "may be 0 only beside max.connections.per.ip.overrides");
    return (Verdict){0, NULL};
}

/* A copy with its zero; NULL: not set, or no memory. */
static const char *
text_of(const ConfigCase *k, ConfId id, const ConfLookup *lookup)
{
    StrView text = conf_resolve_broker(id, lookup).text;

    return text.ptr == NULL ? NULL : arena_printf(k->c->arena, "%.*s", (int)text.len, text.ptr);
}

/* What the node would listen on. */
static int
parse_listeners(const ConfigCase *k, const ConfLookup *lookup, ListenerTable *ret, ErrInfo *err)
{
    const ListenerSettings settings = {
        .listeners = text_of(k, CONF_LISTENERS, lookup),
        .advertised = text_of(k, CONF_ADVERTISED_LISTENERS, lookup),
        .protocol_map = text_of(k, CONF_LISTENER_SECURITY_PROTOCOL_MAP, lookup),
        .controller_names = text_of(k, CONF_CONTROLLER_LISTENER_NAMES, lookup),
        .inter_broker_name = text_of(k, CONF_INTER_BROKER_LISTENER_NAME, lookup),
        .unix_dir = "/", /* it takes a row */
    };

    return listeners_parse(&settings, ret, err);
}

/* As in Kafka it is the settings that are compared, not what they have come to. */
static Verdict
check_listeners(const ConfigCase *k, const ConfLookup *future)
{
    ListenerTable *before = arena_alloc(k->c->arena, sizeof *before);
    ListenerTable *after = arena_alloc(k->c->arena, sizeof *after);
    ErrInfo err = {0};

    if (before == NULL || after == NULL)
        return config_refuse(k->c, KERR_UNKNOWN_SERVER_ERROR, "no memory for the listeners");
    if (parse_listeners(k, future, after, &err) != 0 ||
        (parse_listeners(k, k->c->dynamic, before, NULL) == 0 &&
         listeners_check_change(before, after, text_of(k, CONF_ADVERTISED_LISTENERS, k->c->dynamic),
                                &err) != 0))
        return config_refuse(k->c, KERR_INVALID_REQUEST, "%s", err.text);
    return (Verdict){0, NULL};
}

/* Only what a request names is judged: a node that was started by -p listens elsewhere than its settings say. */
static bool
changes(const ConfigCase *k, ConfId id)
{
    return !strview_equal(config_set_find(&k->before, strview_from(conf_rows[id].name)),
                          config_set_find(&k->after, strview_from(conf_rows[id].name)));
}

static Verdict
check_places(const ConfigCase *k, const ConfLookup *future)
{
    StrView dirs = conf_resolve_broker(CONF_CORDONED_LOG_DIRS, future).text, dir;

    if (strview_equal(text_trim(dirs), STRVIEW("*")) || k->c->has_log_dir == NULL)
        return (Verdict){0, NULL};
    for (StrView rest = conf_list_begin(dirs); conf_list_next(&rest, &dir);)
        if (!k->c->has_log_dir(dir))
            return refuse(k, "cordoned.log.dirs", "names what is no log directory of this node");
    return (Verdict){0, NULL};
}

/* ---- the rule of eligible leaders ---- */

static Verdict
check_min_isr(const ConfigCase *k)
{
    static const StrView name = {"min.insync.replicas", 19};
    bool wished = false;

    if (image_feature(k->c->image, STRVIEW("eligible.leader.replicas.version")) < 1)
        return (Verdict){0, NULL};
    for (int32_t i = 0; i < k->item->count; i++)
        wished |= strview_equal(k->item->wishes[i].name, name);
    if (k->item->name.len > 0)
        return wished ? config_refuse(k->c, KERR_INVALID_CONFIG,
                                      "min.insync.replicas cannot be changed for one node while "
                                      "leaders may be elected out of the ISR's last members")
                      : (Verdict){0, NULL};
    if (config_set_find(&k->after, name).ptr == NULL &&
        (wished || config_set_find(&k->before, name).ptr != NULL))
        return config_refuse(k->c, KERR_INVALID_CONFIG,
                             "min.insync.replicas of all nodes cannot be taken away while "
                             "leaders may be elected out of the ISR's last members");
    return (Verdict){0, NULL};
}

Verdict
check_node_settings(const ConfigCase *k)
{
    union {
        const ConfigCase *in;
        void *out;
    } arg = {k};
    ConfLookup future = {find_future, arg.out};
    Verdict v = {0, NULL};

    for (int32_t i = 0; v.code == 0 && i < k->after.count; i++)
        v = check_one(k, &k->after.pairs[i]);
    if (v.code == 0)
        v = check_worker_counts(k, &future);
    if (v.code == 0)
        v = check_listener_settings(k);
    if (v.code == 0)
        v = check_times(k, &future);
    if (v.code == 0)
        v = check_memory_and_connections(k, &future);
    if (v.code == 0)
        v = check_places(k, &future);
    if (v.code == 0 &&
        (changes(k, CONF_LISTENERS) || changes(k, CONF_LISTENER_SECURITY_PROTOCOL_MAP)))
        v = check_listeners(k, &future);
    return v.code == 0 ? check_min_isr(k) : v;
}
