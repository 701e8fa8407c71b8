/*
 * live_conf.c - settings of nodes take effect while the node runs
 *
 * Runs in: every process. Crash rule of the region: two copies, one writer (the controller); whatever instant
 * it dies at, the supervisor reads a whole one, and believes nothing in it that conf_live_put does not
 * take.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/live_conf.h"

#include <stdio.h>
#include <string.h>

#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/own_page.h"
#include "ottla/common/strbuf.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/twocopy.h"
#include "ottla/storage/partition_slot.h"

#define TEXTS_BYTES (128 * 1024 - 8) /* a value is at most a quarter of it, and two may be long */

/* "name\0value\0", one after the other. */
typedef struct LiveTexts {
    int32_t len;
    int32_t pad;
    char bytes[TEXTS_BYTES];
} LiveTexts;

static_assert(sizeof(LiveTexts) % 8 == 0, "copied by words");

typedef struct LiveConf {
    TwoCopy head;
    LiveTexts copies[2];
} LiveConf;

static LiveConf *shared;
/* shared_page->config_generation as taken over last; 0 in a new process. */
static OWN_PAGE uint32_t seen_generation;
static OWN_PAGE uint32_t followed; /* the same, by the supervisor; 0 with a new region */

size_t
live_conf_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the supervisor needs few settings, however large the node */
    return sizeof *shared;
}

void
live_conf_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    shared = base;
    followed = 0; /* its controller counts anew, and may come to a number that we know */
}

/* ---- every process ---- */

static StrView
find_value(void *arg, ConfSource source, const char *name)
{
    const NodeValues *values = arg;
    StrView value;
    StrView resource =
        source == CONF_SOURCE_DYNAMIC_BROKER ? strview_from(values->node_id) : STRVIEW("");

    if (!image_config(values->image, IMAGE_CONFIG_BROKER, resource, strview_from(name), &value))
        return (StrView){NULL, 0};
    return value;
}

ConfLookup
node_values_lookup(NodeValues *values, const Image *image, int32_t node_id)
{
    values->image = image;
    snprintf(values->node_id, sizeof values->node_id, "%d", (int)node_id);
    return (ConfLookup){find_value, values};
}

static void
put_resource(const Image *image, const char *resource)
{
    StrView key = {NULL, 0}, value;

    while (
        image_config_after(image, IMAGE_CONFIG_BROKER, strview_from(resource), key, &key, &value))
        conf_live_put(key, value);
}

/* Those of all nodes first: one's own weigh more. */
static void
take_over(void)
{
    ImagePin pin = image_pin();
    NodeValues values;

    conf_live_clear();
    if (pin.image != NULL) {
        (void)node_values_lookup(&values, pin.image, node_info.node_id); /* for the name */
        put_resource(pin.image, "");
        put_resource(pin.image, values.node_id);
    }
    image_unpin(&pin);
}

static void
say_taken(void)
{
    log_msg(LL_DEBUG1, "settings", "what requests have set is taken over");
}

bool
live_conf_refresh(void)
{
    uint32_t now = atomic_u32_load(&shared_page->config_generation);
    bool files;

    (void)interrupt_take(INTERRUPT_RELOAD); /* it woke us; the word says whether it counts */
    files = node_settings_follow();
    if (now == seen_generation)
        return files;
    seen_generation = now;
    take_over();
    node_settings_apply();
    say_taken();
    return true;
}

/* ---- supervisor ---- */

/* Settings that the supervisor acts upon while the node runs. */
static const ConfId supervisor_settings[] = {
    CONF_LISTENERS,
    CONF_LISTENER_SECURITY_PROTOCOL_MAP,
    CONF_MAX_CONNECTIONS,
    CONF_MAX_CONNECTIONS_PER_IP,
    CONF_MAX_CONNECTIONS_PER_IP_OVERRIDES,
    CONF_MAX_CONNECTION_CREATION_RATE,
    CONF_NUM_RECOVERY_THREADS_PER_DATA_DIR,
};

static bool
is_for_supervisor(StrView name)
{
    int id = conf_broker_row(name);

    for (size_t i = 0; i < sizeof supervisor_settings / sizeof supervisor_settings[0]; i++)
        if (id == (int)supervisor_settings[i])
            return true;
    return false;
}

/* The next of two texts, each with its zero; false: the bytes are used up, or damaged. */
static bool
next_text(const LiveTexts *texts, int32_t *at, StrView *ret)
{
    const char *start = texts->bytes + *at;
    const char *end = *at < texts->len ? memchr(start, '\0', (size_t)(texts->len - *at)) : NULL;

    if (end == NULL)
        return false;
    *ret = (StrView){start, (int32_t)(end - start)};
    *at += ret->len + 1;
    return true;
}

bool
live_conf_follow(void)
{
    static LiveTexts texts;
    uint32_t now = atomic_u32_load(&shared_page->config_generation);
    int32_t at = 0;
    StrView name, value;

    if (now == followed || now == 0) /* 0: a new region, whose controller will say */
        return false;
    followed = now;
    (void)twocopy_read(&shared->head, shared->copies, sizeof texts, &texts);
    if (texts.len < 0 || texts.len > TEXTS_BYTES)
        return false;
    conf_live_clear();
    while (next_text(&texts, &at, &name) && next_text(&texts, &at, &value))
        conf_live_put(name, value);
    node_settings_apply();
    say_taken();
    return true;
}

/* ---- controller ---- */

static void
add_text(LiveTexts *texts, StrView text)
{
    memcpy(texts->bytes + texts->len, text.ptr, (size_t)text.len);
    texts->len += text.len;
    texts->bytes[texts->len++] = '\0';
}

static void
add_resource(LiveTexts *texts, const Image *image, const char *resource)
{
    StrView key = {NULL, 0}, value;

    while (
        image_config_after(image, IMAGE_CONFIG_BROKER, strview_from(resource), key, &key, &value)) {
        if (!is_for_supervisor(key))
            continue;
        if (key.len + value.len + 2 > TEXTS_BYTES - texts->len)
            log_msg(LL_WARNING, "controller", "no room to hand %.*s to the supervisor",
                    (int)key.len, key.ptr);
        else {
            add_text(texts, key);
            add_text(texts, value);
        }
    }
}

static void
name_idle(StrBuf *names, const Image *image, const char *resource)
{
    StrView key = {NULL, 0}, value;

    while (
        image_config_after(image, IMAGE_CONFIG_BROKER, strview_from(resource), key, &key, &value)) {
        int id = conf_broker_row(key);

        if (id < 0 || (strcmp(conf_rows[id].used_by, "later") != 0 &&
                       strcmp(conf_rows[id].used_by, "none") != 0))
            continue;
        if (names->len > 0)
            strbuf_add_cstr(names, ", ");
        strbuf_add_escaped(names, key);
    }
}

/* Settings that requests set and that come to nothing: said when there are others than before. */
static void
report_idle(const Image *image, const char *node)
{
    static LogRate rate;
    static StrBuf said;
    StrBuf names;

    strbuf_init(&names, LOG_LINE_MAX, NULL);
    name_idle(&names, image, "");
    name_idle(&names, image, node);
    if (names.len > 0 && !strview_equal(strbuf_view(&names), strbuf_view(&said)))
        log_limited(&rate, 1, LL_WARNING, "settings",
                    "set by request, but nothing acts on them yet: %.*s", (int)names.len,
                    names.ptr);
    strbuf_release(&said);
    said = names;
}

void
live_conf_announce(const Image *image)
{
    static LiveTexts texts;
    NodeValues values;

    if (shared == NULL || shared_page == NULL)
        return;                                                  /* a test without either */
    (void)node_values_lookup(&values, image, node_info.node_id); /* for the name */
    texts.len = 0;
    add_resource(&texts, image, "");
    add_resource(&texts, image, values.node_id);
    report_idle(image, values.node_id);
    twocopy_write(&shared->head, shared->copies, &texts, sizeof texts);
    if (atomic_u32_add(&shared_page->config_generation, 1) + 1 == 0)
        (void)atomic_u32_add(&shared_page->config_generation, 1); /* 0 means never */
    node_wake_supervisor();
    pslot_wake_burier(); /* nothing else wakes retention until its next check */
}
