/*
 * conf_synonyms.c - every value that a setting of nodes has somewhere, in the order of their weight
 *
 * What DescribeConfigs lists as synonyms. Sources come one after the other (request for the node, for
 * all, file, default), within each the names that may stand for the asked one. As in Kafka the list
 * begins with the asked name: what only weighs more elsewhere is left out (observed.md 8), and so
 * log.retention.hours is named where log.retention.ms is set, and not where it is not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf_int.h"

#define NAMES_MAX 4

/* Names that give a value in the asked one's stead, the strongest first. */
typedef struct Names {
    const char *name[NAMES_MAX];
    int id[NAMES_MAX]; /* row; -1: none */
    int count;
} Names;

static void
add_name(Names *names, const char *name, int id)
{
    if (names->count < NAMES_MAX) {
        names->name[names->count] = name;
        names->id[names->count++] = id;
    }
}

/* Settings of one meaning in several units: those of one topic setting's defaults. */
static void
add_family(Names *names, int id)
{
    for (int t = TCONF_FIRST; t <= TCONF_LAST; t++) {
        const ConfRow *row = &conf_rows[t];

        for (int i = 0; row->synonym_count > 1 && i < row->synonym_count; i++) {
            if ((int)row->synonyms[i].id != id)
                continue;
            for (int k = 0; k < row->synonym_count; k++)
                add_name(names, conf_rows[row->synonyms[k].id].name, (int)row->synonyms[k].id);
            return;
        }
    }
    add_name(names, conf_rows[id].name, id);
}

static StrView
value_of(const Names *names, int which, ConfSource source, const ConfLookup *lookup)
{
    int id = names->id[which];

    switch (source) {
    case CONF_SOURCE_DYNAMIC_BROKER:
    case CONF_SOURCE_DYNAMIC_CLUSTER:
        return lookup == NULL ? (StrView){NULL, 0}
                              : lookup->find(lookup->arg, source, names->name[which]);
    case CONF_SOURCE_STATIC:
        if (id < 0 || strcmp(conf_rows[id].name, names->name[which]) != 0)
            return strview_from(conf_static_extra(names->name[which]));
        return conf_is_set((ConfId)id) ? conf_resolve_static((ConfId)id).text : (StrView){NULL, 0};
    case CONF_SOURCE_DEFAULT:
        if (id < 0 || strcmp(conf_rows[id].name, names->name[which]) != 0 ||
            conf_rows[id].change == CONF_CHANGE_DYNAMIC) /* what only requests set has none */
            return (StrView){NULL, 0};
        return strview_from(conf_rows[id].default_text);
    case CONF_SOURCE_TOPIC:
    case CONF_SOURCE_LOGGER:
    case CONF_SOURCE_METRICS:
    case CONF_SOURCE_GROUP:
        break;
    }
    return (StrView){NULL, 0};
}

int
conf_broker_row(StrView name)
{
    int id = conf_find(CONF_SCOPE_BROKER, name);

    return id >= 0 ? id : conf_listener_row(name);
}

int
conf_synonyms(const char *name, const ConfLookup *lookup, ConfValue ret[CONF_SYNONYMS_MAX])
{
    int id = conf_find(CONF_SCOPE_BROKER, strview_from(name)), count = 0;
    Names names = {.count = 0};

    if (id >= 0) {
        add_family(&names, id);
    } else {
        id = conf_listener_row(strview_from(name));
        add_name(&names, name, id);
        if (id >= 0)
            add_name(&names, conf_rows[id].name, id);
    }
    for (int source = CONF_SOURCE_DYNAMIC_BROKER; source <= CONF_SOURCE_DEFAULT; source++) {
        for (int i = 0; i < names.count; i++) {
            StrView text = value_of(&names, i, (ConfSource)source, lookup);

            if (text.ptr == NULL || (count == 0 && strcmp(names.name[i], name) != 0))
                continue;
            ret[count++] = (ConfValue){text, (ConfSource)source, names.name[i]};
        }
    }
    return count;
}
