/*
 * progress.c - how long moves of partitions will take, by what a session saw of them before
 *
 * Pure. A move whose bytes became fewer began anew, and so does its count.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/progress_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct Move {
    char *topic; /* NULL: this one and those behind are free */
    int32_t partition;
    int64_t first_done; /* at the first look */
    int64_t first_ms;
    int64_t last_done;
    int64_t last_ms;
} Move;

struct Progress {
    Move moves[PROGRESS_MAX];
};

/* That of the look; else a free one, or the one not seen for longest. */
static Move *
find(Progress *p, const ProgressLook *look)
{
    Move *oldest = &p->moves[0];

    for (int i = 0; i < PROGRESS_MAX; i++) {
        Move *m = &p->moves[i];

        if (m->topic == NULL)
            return m;
        if (m->partition == look->partition && strview_equal(strview_from(m->topic), look->topic))
            return m;
        if (m->last_ms < oldest->last_ms)
            oldest = m;
    }
    free(oldest->topic);
    oldest->topic = NULL;
    return oldest;
}

/* ms, without what would not fit. */
static int64_t
left_ms(const Move *m, const ProgressLook *look)
{
    int64_t came = look->done - m->first_done;
    int64_t took_ms = look->now_ms - m->first_ms;
    double ms;

    if (look->done >= look->total)
        return 0;
    if (came <= 0 || took_ms <= 0)
        return -1;
    ms = (double)(look->total - look->done) / (double)came * (double)took_ms;
    return ms < 9e18 ? (int64_t)ms : -1;
}

int64_t
progress_look(Progress **p, const ProgressLook *look)
{
    int64_t left;
    Move *m;

    if (*p == NULL)
        *p = calloc(1, sizeof **p);
    if (*p == NULL)
        return -1;
    m = find(*p, look);
    if (m->topic == NULL) {
        m->topic = strndup(look->topic.ptr, (size_t)look->topic.len);
        if (m->topic == NULL)
            return -1;
        m->partition = look->partition;
        m->first_done = m->last_done = INT64_MAX;
    }
    if (look->done < m->last_done) {
        m->first_done = look->done;
        m->first_ms = look->now_ms;
    }
    left = left_ms(m, look);
    m->last_done = look->done;
    m->last_ms = look->now_ms;
    return left;
}

void
progress_free(Progress *p)
{
    for (int i = 0; p != NULL && i < PROGRESS_MAX; i++)
        free(p->moves[i].topic);
    free(p);
}
