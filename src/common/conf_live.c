/*
 * conf_live.c - dynamic values of this node, over those of the files
 *
 * Runs in: every process that calls live_conf_refresh(). Few are ever set, so they lie in a short
 * list; a byte per setting says where. An idle connection pays for what is set, not for the table.
 * Never: decides what a request may set (that is the controller).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "conf_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/own_page.h"

#define LIVE_MAX  UINT8_MAX /* settings that can change at all are fewer */
#define LIVE_STEP 8         /* the list grows by so many */

typedef struct LiveExtra {
    char *name;
    char *value;
} LiveExtra;

static OWN_PAGE ConfSetting *live;
static OWN_PAGE uint8_t live_at[CONF_LAST + 1]; /* 1 + index into live; 0: not set */
static OWN_PAGE int live_count;
static OWN_PAGE int live_room;
static OWN_PAGE LiveExtra *extras;
static OWN_PAGE int extra_count;

static char *
copy_of(StrView text)
{
    char *copy = malloc((size_t)text.len + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text.ptr, (size_t)text.len);
    copy[text.len] = '\0';
    return copy;
}

void
conf_live_clear(void)
{
    if (live_count > 0)
        memset(live_at, 0, sizeof live_at);
    while (live_count > 0)
        free(live[--live_count].text);
    free(live);
    live = NULL;
    live_room = 0;
    while (extra_count > 0) {
        extra_count--;
        free(extras[extra_count].name);
        free(extras[extra_count].value);
    }
    free(extras);
    extras = NULL;
}

/* Room for one more. False: no memory. */
static bool
grow_live(void)
{
    ConfSetting *wider;

    ot_assert(live_count < LIVE_MAX);
    if (live_count < live_room)
        return true;
    wider = realloc(live, (size_t)(live_room + LIVE_STEP) * sizeof *wider);
    if (wider == NULL)
        return false;
    live = wider;
    live_room += LIVE_STEP;
    return true;
}

static void
put_row(int id, StrView value)
{
    ConfSetting setting = conf_parse(&conf_rows[id], value);

    setting.text = copy_of(text_trim(value));
    if (setting.text == NULL)
        return; /* the file's value stays in force */
    if (live_at[id] == 0) {
        if (!grow_live()) {
            free(setting.text);
            return; /* as above */
        }
        live_at[id] = (uint8_t)++live_count;
    } else {
        free(live[live_at[id] - 1].text);
    }
    live[live_at[id] - 1] = setting;
}

static void
put_extra(StrView name, StrView value)
{
    LiveExtra extra = {copy_of(name), copy_of(text_trim(value))};
    LiveExtra *wider = NULL;

    for (int i = 0; i < extra_count; i++)
        if (strview_equal(strview_from(extras[i].name), name)) {
            free(extra.name);
            if (extra.value == NULL)
                return;
            free(extras[i].value);
            extras[i].value = extra.value;
            return;
        }
    if (extra.name != NULL && extra.value != NULL && extra_count < CONF_EXTRAS_MAX)
        wider = realloc(extras, (size_t)(extra_count + 1) * sizeof *wider);
    if (wider == NULL) {
        free(extra.name);
        free(extra.value);
        return;
    }
    extras = wider;
    extras[extra_count++] = extra;
}

static bool
can_change(const ConfRow *row)
{
    return row->change == CONF_CHANGE_BROKER || row->change == CONF_CHANGE_CLUSTER ||
           row->change == CONF_CHANGE_DYNAMIC;
}

void
conf_live_put(StrView name, StrView value)
{
    int id = conf_find(CONF_SCOPE_BROKER, name);
    int listener = id >= 0 ? -1 : conf_listener_row(name);

    if (id >= 0 && can_change(&conf_rows[id]) && value.ptr != NULL &&
        conf_check(&conf_rows[id], value, NULL) == 0)
        put_row(id, value);
    else if (listener >= 0 && value.ptr != NULL &&
             conf_check(&conf_rows[listener], value, NULL) == 0)
        put_extra(name, value);
}

const ConfSetting *
conf_live_find(ConfId id)
{
    return live_at[id] == 0 ? NULL : &live[live_at[id] - 1];
}

const char *
conf_live_str(ConfId id)
{
    const ConfSetting *setting = conf_live_find(id);

    return setting == NULL ? NULL : setting->text;
}

const char *
conf_live_extra(const char *name)
{
    for (int i = 0; i < extra_count; i++)
        if (strcmp(extras[i].name, name) == 0)
            return extras[i].value;
    return NULL;
}
