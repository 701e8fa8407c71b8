/*
 * quorum_state.c - the text of the file quorum-state: read strictly, written as Kafka does
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/raft/quorum_state.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

void
quorum_state_init(QuorumState *ret)
{
    *ret = (QuorumState){.leader_id = QUORUM_NODE_NONE, .voted_id = QUORUM_NODE_NONE};
}

/* ---- reading: objects of numbers, strings and one list of objects with one number ---- */

typedef struct Scan {
    const char *pos;
    const char *end;
    bool bad;
} Scan;

static void
skip_blanks(Scan *s)
{
    while (s->pos < s->end && strchr(" \t\r\n", *s->pos) != NULL && *s->pos != '\0')
        s->pos++;
}

static bool
take(Scan *s, char c)
{
    skip_blanks(s);
    if (s->pos >= s->end || *s->pos != c)
        return false;
    s->pos++;
    return true;
}

static void
need(Scan *s, char c)
{
    if (!take(s, c))
        s->bad = true;
}

/* Names and ids have no escapes; a backslash is a fault. */
static StrView
scan_string(Scan *s)
{
    const char *begin;

    need(s, '"');
    begin = s->pos;
    while (s->pos < s->end && *s->pos != '"' && *s->pos != '\\' && (unsigned char)*s->pos >= 0x20)
        s->pos++;
    if (s->bad || s->pos >= s->end || *s->pos != '"') {
        s->bad = true;
        return (StrView){"", 0};
    }
    s->pos++;
    return (StrView){begin, (int32_t)(s->pos - 1 - begin)};
}

static int64_t
scan_number(Scan *s)
{
    const char *begin;
    int64_t value = 0;

    skip_blanks(s);
    begin = s->pos;
    if (s->pos < s->end && *s->pos == '-')
        s->pos++;
    while (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9')
        s->pos++;
    if (!text_to_int64((StrView){begin, (int32_t)(s->pos - begin)}, &value))
        s->bad = true;
    return value;
}

static int32_t
scan_int32(Scan *s)
{
    int64_t value = scan_number(s);

    if (value < INT32_MIN || value > INT32_MAX)
        s->bad = true;
    return (int32_t)value;
}

static void
scan_voters(Scan *s, QuorumState *state)
{
    need(s, '[');
    if (take(s, ']'))
        return;
    do {
        need(s, '{');
        if (!strview_equal(scan_string(s), STRVIEW("voterId")) ||
            state->voter_count == QUORUM_VOTERS_MAX) {
            s->bad = true;
            return;
        }
        need(s, ':');
        state->voters[state->voter_count++] = scan_int32(s);
        need(s, '}');
    } while (!s->bad && take(s, ','));
    need(s, ']');
}

enum {
    SAW_LEADER = 1,
    SAW_EPOCH = 2,
    SAW_VOTED = 4,
    SAW_VERSION = 8,
    SAW_DIRECTORY = 16,
};

/* One member; unknown names are a fault, as in Kafka. */
static int
scan_member(Scan *s, QuorumState *state, int32_t *ret_version)
{
    StrView name = scan_string(s), text;

    need(s, ':');
    if (strview_equal(name, STRVIEW("leaderId"))) {
        state->leader_id = scan_int32(s);
        return SAW_LEADER;
    }
    if (strview_equal(name, STRVIEW("leaderEpoch"))) {
        state->leader_epoch = scan_int32(s);
        return SAW_EPOCH;
    }
    if (strview_equal(name, STRVIEW("votedId"))) {
        state->voted_id = scan_int32(s);
        return SAW_VOTED;
    }
    if (strview_equal(name, STRVIEW("data_version"))) {
        *ret_version = scan_int32(s);
        return SAW_VERSION;
    }
    if (strview_equal(name, STRVIEW("votedDirectoryId"))) {
        text = scan_string(s);
        if (!uuid_from_text(text, &state->voted_directory_id))
            s->bad = true;
        return SAW_DIRECTORY;
    }
    if (strview_equal(name, STRVIEW("clusterId")))
        (void)scan_string(s); /* always empty: the id is that of meta.properties */
    else if (strview_equal(name, STRVIEW("appliedOffset")))
        (void)scan_number(s); /* never used by Kafka either */
    else if (strview_equal(name, STRVIEW("currentVoters")))
        scan_voters(s, state);
    else
        s->bad = true;
    return 0;
}

int
quorum_state_parse(StrView text, QuorumState *ret, ErrInfo *err)
{
    Scan s = {text.ptr, text.ptr + text.len, false};
    QuorumState state;
    int32_t version = -1;
    int seen = 0, wanted = SAW_LEADER | SAW_EPOCH | SAW_VOTED | SAW_VERSION;

    quorum_state_init(&state);
    need(&s, '{');
    do
        seen |= scan_member(&s, &state, &version);
    while (!s.bad && take(&s, ','));
    need(&s, '}');
    skip_blanks(&s);
    if (s.bad || s.pos != s.end)
        return err_set(err, OT_E_CORRUPT, "not a quorum state, at byte %" PRId32,
                       (int32_t)(s.pos - text.ptr));
    if ((seen & SAW_VERSION) == 0 || version < 0 || version > 1)
        return err_set(err, OT_E_CORRUPT, "data_version %" PRId32 " is not known", version);
    if (version == 1)
        wanted |= SAW_DIRECTORY;
    if ((seen & wanted) != wanted || state.leader_epoch < 0 || state.leader_id < -1 ||
        state.voted_id < -1)
        return err_set(err, OT_E_CORRUPT, "a field is missing or out of range");
    *ret = state;
    return 0;
}

int
quorum_state_print(const QuorumState *state, int data_version, char ret[QUORUM_STATE_MAX])
{
    char voted[UUID_TEXT_LEN + 1];
    int len;

    ot_assert(data_version == 0 || data_version == 1);
    if (data_version == 1) {
        uuid_to_text(state->voted_directory_id, voted);
        return snprintf(ret, QUORUM_STATE_MAX,
                        "{\"leaderId\":%" PRId32 ",\"leaderEpoch\":%" PRId32 ",\"votedId\":%" PRId32
                        ",\"votedDirectoryId\":\"%s\",\"data_version\":1}",
                        state->leader_id, state->leader_epoch, state->voted_id, voted);
    }
    len = snprintf(ret, QUORUM_STATE_MAX,
                   "{\"clusterId\":\"\",\"leaderId\":%" PRId32 ",\"leaderEpoch\":%" PRId32
                   ",\"votedId\":%" PRId32 ",\"appliedOffset\":0,\"currentVoters\":[",
                   state->leader_id, state->leader_epoch, state->voted_id);
    for (int32_t i = 0; i < state->voter_count; i++)
        len += snprintf(ret + len, (size_t)(QUORUM_STATE_MAX - len), "%s{\"voterId\":%" PRId32 "}",
                        i == 0 ? "" : ",", state->voters[i]);
    return len + snprintf(ret + len, (size_t)(QUORUM_STATE_MAX - len), "],\"data_version\":0}");
}
