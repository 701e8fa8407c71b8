/*
 * catalogue.c - the tables that there are: those built in, and what to say of others
 *
 * The views that a node of ours shows of itself join them when they are first asked for (t_views.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/text.h"
#include "sql/sql_int.h"
#include "sql/tables_int.h"

static const SqlTable *const built_in[] = {
    &table_topics,       &table_partitions,     &table_replicas,      &table_reassignments,
    &table_configs,      &table_groups,         &table_group_members, &table_group_offsets,
    &table_group_lag,    &table_brokers,        &table_log_dirs,      &table_quorum,
    &table_features,     &table_apis,           &table_acls,          &table_effective_rights,
    &table_users,        &table_quotas,         &table_tokens,        &table_producers,
    &table_transactions, &table_client_metrics, &table_errors,        &table_offsets_at,
    &table_all_nodes,    &table_messages,       &table_last_produced,
};

/* Tables that others have or will have: what is said where they are missing. */
typedef struct Absent {
    const char *name;
    const char *feature; /* NULL: a view of a node of ours; else the feature that brings it */
} Absent;

static const Absent absent[] = {
    {"hba_rules", "security"},
    {"client_instances", "client metrics"},
    {"activity", NULL},
    {"workers", NULL},
    {"connections_by", NULL},
    {"requests", NULL},
    {"locks", NULL},
    {"quota_usage", NULL},
    {"shmem", NULL},
    {"settings", NULL},
    {"file_settings", NULL},
    {"server_log", NULL},
    {"metrics", NULL},
    {"segments", NULL},
    {"processes", NULL},
    {"coordinators", NULL},
    {"coordinator_shards", NULL},
    {"rebalances", NULL},
    {"node_brokers", NULL},
    {"node_partitions", NULL},
    {"node_groups", NULL},
    {"node_group_lag", NULL},
    {"node_log_dirs", NULL},
};

int
catalogue_register(Sql *sql, Fault *f)
{
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        if (module_register(sql, built_in[i], f) != 0)
            return -1;
    return 0;
}

const SqlTable *
catalogue_find(const Sql *sql, StrView name)
{
    for (int32_t i = 0; i < sql->table_count; i++)
        if (text_equal_nocase(strview_from(sql->tables[i]->name), name))
            return sql->tables[i];
    return NULL;
}

/* The table whose name is nearly that one. */
static const char *
nearest_table(const Sql *sql, StrView name)
{
    const char *best = NULL;
    int best_distance = name.len < 5 ? 2 : 3;

    for (int32_t i = 0; i < sql->table_count; i++) {
        int distance = text_distance(name, strview_from(sql->tables[i]->name), best_distance);

        if (distance < best_distance) {
            best = sql->tables[i]->name;
            best_distance = distance;
        }
    }
    return best;
}

static int
tell_absent(Sql *sql, const Absent *a, Fault *f)
{
    const ClientInfo *info = sql->env->client == NULL || *sql->env->client == NULL
                                 ? NULL
                                 : client_info(*sql->env->client);

    if (a->feature != NULL) {
        fault_set(f, FAULT_NOT_SUPPORTED, "table \"%s\" comes with the feature \"%s\"", a->name,
                  a->feature);
    } else if (info == NULL) {
        (void)sql_client(sql, f); /* is a fault here */
    } else if (!info->is_ottla) {
        fault_set(f, FAULT_NOT_SUPPORTED, "table \"%s\" needs a node of Ottla", a->name);
        fault_detail(f, "The server is %s%s%s.", info->server_name,
                     info->server_version[0] == '\0' ? "" : " ", info->server_version);
        fault_hint(f, "It shows what a node knows of itself; Kafka has no API for that.");
    } else {
        fault_set(f, FAULT_NOT_SUPPORTED, "the node has no view \"%s\"", a->name);
        fault_hint(f, "Its version of Ottla may be older than the shell's: SELECT DISTINCT view "
                      "FROM columns.");
    }
    return -1;
}

int
catalogue_missing(Sql *sql, StrView name, Fault *f)
{
    StrView bare = name;
    const char *nearest;

    if (name.len > 5 && text_equal_nocase((StrView){name.ptr, 5}, STRVIEW("main.")))
        bare = (StrView){name.ptr + 5, name.len - 5};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (text_equal_nocase(bare, strview_from(absent[i].name)))
            return tell_absent(sql, &absent[i], f);
    fault_set(f, "42P01", "table \"%.*s\" does not exist", name.len, name.ptr);
    nearest = nearest_table(sql, bare);
    if (nearest != NULL)
        fault_hint(f, "Perhaps you meant \"%s\".", nearest);
    else
        fault_hint(f, "\\? tables lists them; the messages of a topic are in table messages.");
    return -1;
}
