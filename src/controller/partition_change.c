/*
 * partition_change.c - one change of one partition: elections, reassignments, ISR and ELR in one place
 *
 * Spec: cluster.md 3.8 to 3.10 (KIP-966, KIP-455).
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/partition_change.h"

#include <string.h>

#include "controller/features.h"
#include "ottla/common/text.h"

/* From this metadata.version on replicas have directories; below that one an ISR that shrinks bumps the
   leader epoch. */
#define DIRECTORIES_METADATA_VERSION 17
#define NO_BUMP_METADATA_VERSION     12

/* ---- lists of brokers ---- */

bool
ids_contain(const int32_t *ids, int32_t count, int32_t id)
{
    for (int32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

int32_t *
ids_without(Arena *arena, const int32_t *ids, int32_t count, const int32_t *others,
            int32_t other_count, int32_t *ret_count)
{
    int32_t *left = arena_calloc(arena, (size_t)count + 1, sizeof *left);
    int32_t n = 0;

    for (int32_t i = 0; left != NULL && i < count; i++)
        if (!ids_contain(others, other_count, ids[i]))
            left[n++] = ids[i];
    *ret_count = n;
    return left;
}

static bool
same_ids(const int32_t *a, int32_t a_count, const int32_t *b, int32_t b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, sizeof *a * (size_t)a_count) == 0);
}

static bool
all_in(const int32_t *ids, int32_t count, const int32_t *others, int32_t other_count)
{
    for (int32_t i = 0; i < count; i++)
        if (!ids_contain(others, other_count, ids[i]))
            return false;
    return true;
}

/* ---- settings of the topic ---- */

/* The topic's value, or what the brokers' settings give; ptr NULL: none. */
static StrView
topic_setting(const DecideContext *c, StrView topic, ConfId id)
{
    StrView value;

    if (image_config(c->image, IMAGE_CONFIG_TOPIC, topic, strview_from(conf_rows[id].name), &value))
        return value;
    return conf_resolve_default(id, c->dynamic, c->arena).text;
}

bool
topic_allows_unclean(const DecideContext *c, StrView topic)
{
    StrView value = topic_setting(c, topic, TCONF_UNCLEAN_LEADER_ELECTION_ENABLE);

    return value.ptr != NULL && text_equal_nocase(text_trim(value), STRVIEW("true"));
}

static int32_t
min_isr_of(const PartitionChange *ch)
{
    StrView value = topic_setting(ch->c, ch->topic, TCONF_MIN_INSYNC_REPLICAS);
    int32_t min = 1;

    if (value.ptr == NULL || !text_to_int32(text_trim(value), &min))
        min = 1;
    return min < ch->wanted.replica_count ? min : ch->wanted.replica_count;
}

/* ---- reassignment ---- */

/* Ends a running one when all that shall stay are in the ISR. */
static bool
complete_reassignment(PartitionChange *ch)
{
    ImagePartition *w = &ch->wanted;
    int32_t isr_count, replica_count;
    int32_t *isr, *replicas;

    if (w->removing_count == 0 && w->adding_count == 0)
        return true;
    isr =
        ids_without(ch->c->arena, w->isr, w->isr_count, w->removing, w->removing_count, &isr_count);
    replicas = ids_without(ch->c->arena, w->replicas, w->replica_count, w->removing,
                           w->removing_count, &replica_count);
    if (isr == NULL || replicas == NULL)
        return false;
    if (isr_count == 0 || replica_count == 0 || !all_in(replicas, replica_count, isr, isr_count))
        return true;
    w->isr = isr;
    w->isr_count = isr_count;
    w->replicas = replicas;
    w->replica_count = replica_count;
    w->removing_count = w->adding_count = 0;
    return true;
}

/* ---- eligible leader replicas ---- */

static bool
has_elr(const PartitionChange *ch)
{
    return image_feature(ch->c->image, STRVIEW("eligible.leader.replicas.version")) >= 1;
}

/* Who left the ISR while it is too small, but has all that was committed. */
static bool
populate_elr(PartitionChange *ch)
{
    ImagePartition *w = &ch->wanted;
    const ImagePartition *old = &ch->old;
    int32_t *elr, n = 0;

    w->elr_count = w->last_known_elr_count = 0;
    if (!has_elr(ch) || w->isr_count >= min_isr_of(ch))
        return true;
    elr = arena_calloc(ch->c->arena, (size_t)(old->elr_count + old->isr_count) + 1, sizeof *elr);
    if (elr == NULL)
        return false;
    for (int32_t i = 0; i < old->elr_count + old->isr_count; i++) {
        int32_t id = i < old->elr_count ? old->elr[i] : old->isr[i - old->elr_count];

        if (!ids_contain(w->isr, w->isr_count, id) && !ids_contain(elr, n, id) &&
            ids_contain(w->replicas, w->replica_count, id))
            elr[n++] = id;
    }
    w->elr = elr;
    w->elr_count = n;
    return true;
}

/* ---- election ---- */

static bool
directory_is_online(const PartitionChange *ch, const ImageBroker *broker)
{
    const ImagePartition *old = &ch->old;

    for (int32_t i = 0; i < old->replica_count && i < old->directory_count; i++) {
        if (old->replicas[i] != broker->id)
            continue;
        if (uuid_equal(old->directories[i], directory_lost))
            return false;
        if (uuid_is_zero(old->directories[i]) ||
            uuid_equal(old->directories[i], directory_unassigned) || broker->log_dir_count == 0)
            return true;
        for (int32_t k = 0; k < broker->log_dir_count; k++)
            if (uuid_equal(broker->log_dirs[k], old->directories[i]))
                return true;
        return false;
    }
    return true; /* a new replica */
}

static bool
is_acceptable(const PartitionChange *ch, int32_t id)
{
    return id != ch->leaving && id >= 0 && broker_is_active(ch->c->image, id) &&
           directory_is_online(ch, image_broker(ch->c->image, id));
}

/* In the ISR, or in the ELR while the ISR is empty, and acceptable. */
static bool
is_valid(const PartitionChange *ch, int32_t id)
{
    const ImagePartition *w = &ch->wanted;
    bool in_sync = w->isr_count > 0 ? ids_contain(w->isr, w->isr_count, id)
                                    : ids_contain(w->elr, w->elr_count, id);

    return in_sync && is_acceptable(ch, id);
}

typedef struct Elected {
    int32_t leader;
    bool unclean;
} Elected;

static Elected
elect(const PartitionChange *ch)
{
    const ImagePartition *w = &ch->wanted;
    const ImagePartition *old = &ch->old;

    if (ch->mode == ELECT_PREFERRED && w->replica_count > 0 && is_valid(ch, w->replicas[0]))
        return (Elected){w->replicas[0], false};
    if (is_valid(ch, old->leader))
        return (Elected){old->leader, false};
    for (int32_t i = 0; i < w->replica_count; i++)
        if (is_valid(ch, w->replicas[i]))
            return (Elected){w->replicas[i], false};
    if (has_elr(ch) && w->isr_count == 0 && w->elr_count == 0 && old->last_known_elr_count == 1 &&
        is_acceptable(ch, old->last_known_elr[0]))
        return (Elected){old->last_known_elr[0], true};
    for (int32_t i = 0; ch->mode == ELECT_UNCLEAN && i < w->replica_count; i++)
        if (is_acceptable(ch, w->replicas[i]))
            return (Elected){w->replicas[i], true};
    return (Elected){-1, false};
}

/* ISR, ELR and recovery state that follow from the election. */
static bool
install_leader(PartitionChange *ch, Elected elected)
{
    ImagePartition *w = &ch->wanted;
    int32_t *isr;

    w->leader = elected.leader;
    if (!elected.unclean && !(elected.leader >= 0 && w->isr_count == 0))
        return true;
    isr = arena_calloc(ch->c->arena, 1, sizeof *isr);
    if (isr == NULL)
        return false;
    isr[0] = elected.leader;
    w->isr = isr;
    w->isr_count = 1;
    if (elected.unclean) {
        w->recovery_state = 1;
        w->elr_count = 0;
        return true;
    }
    w->elr = ids_without(ch->c->arena, w->elr, w->elr_count, isr, 1, &w->elr_count);
    return w->elr != NULL;
}

/* Who led last, when nobody is in the ISR any more. */
static bool
note_last_leader(PartitionChange *ch)
{
    ImagePartition *w = &ch->wanted;
    const ImagePartition *old = &ch->old;
    int32_t *last;

    w->last_known_elr_count = 0;
    if (!has_elr(ch) || w->leader >= 0 || w->isr_count > 0)
        return true;
    w->last_known_elr = old->last_known_elr;
    w->last_known_elr_count = old->last_known_elr_count;
    if (old->leader < 0)
        return true;
    last = arena_calloc(ch->c->arena, 1, sizeof *last);
    if (last == NULL)
        return false;
    last[0] = old->leader;
    w->last_known_elr = last;
    w->last_known_elr_count = 1;
    return true;
}

/* ---- directories ---- */

/* Parallel to the replicas wanted: where they are, new ones where their broker places them. */
static bool
follow_directories(PartitionChange *ch)
{
    ImagePartition *w = &ch->wanted;
    const ImagePartition *old = &ch->old;
    Uuid *list;

    if (same_ids(w->replicas, w->replica_count, old->replicas, old->replica_count))
        return true; /* as they are, or as the caller wants them */
    list = arena_calloc(ch->c->arena, (size_t)w->replica_count + 1, sizeof *list);
    if (list == NULL)
        return false;
    for (int32_t i = 0; i < w->replica_count; i++) {
        list[i] = decide_directory(ch->c, w->replicas[i]);
        for (int32_t k = 0; k < old->replica_count && k < old->directory_count; k++)
            if (old->replicas[k] == w->replicas[i])
                list[i] = old->directories[k];
    }
    w->directories = list;
    w->directory_count = w->replica_count;
    return true;
}

/* ---- the record ---- */

static bool
put_ids(const int32_t *wanted, int32_t wanted_count, const int32_t *old, int32_t old_count,
        int32_t **ret, int32_t *ret_count)
{
    if (same_ids(wanted, wanted_count, old, old_count))
        return false;
    *ret = record_ids(wanted);
    *ret_count = wanted_count;
    return true;
}

static bool
put_directories(const PartitionChange *ch, int16_t metadata_version, PartitionChangeRecord *r)
{
    const ImagePartition *w = &ch->wanted, *old = &ch->old;
    union {
        const Uuid *in;
        Uuid *out;
    } same = {w->directories};

    if (metadata_version < DIRECTORIES_METADATA_VERSION ||
        (w->directory_count == old->directory_count &&
         (w->directory_count == 0 || memcmp(w->directories, old->directories,
                                            sizeof(Uuid) * (size_t)w->directory_count) == 0)))
        return false;
    r->directories = same.out;
    r->directories_count = w->directory_count;
    return true;
}

/* Does a replica of before have to be fenced off, or an ISR that shrank in an old log? */
static bool
needs_epoch_bump(const PartitionChange *ch, int16_t metadata_version)
{
    const ImagePartition *w = &ch->wanted, *old = &ch->old;

    return !all_in(old->replicas, old->replica_count, w->replicas, w->replica_count) ||
           (metadata_version < NO_BUMP_METADATA_VERSION &&
            !all_in(old->isr, old->isr_count, w->isr, w->isr_count));
}

static bool
fill_record(const PartitionChange *ch, int16_t mv, PartitionChangeRecord *r)
{
    const ImagePartition *w = &ch->wanted, *old = &ch->old;
    bool changed = false;

    partition_change_record_init(r);
    r->partition_id = old->partition;
    r->topic_id = ch->topic_id;
    changed |= put_ids(w->replicas, w->replica_count, old->replicas, old->replica_count,
                       &r->replicas, &r->replicas_count);
    changed |= put_ids(w->removing, w->removing_count, old->removing, old->removing_count,
                       &r->removing_replicas, &r->removing_replicas_count);
    changed |= put_ids(w->adding, w->adding_count, old->adding, old->adding_count,
                       &r->adding_replicas, &r->adding_replicas_count);
    /* Without ELR the last member of the ISR stays in it. */
    if (w->isr_count > 0 || has_elr(ch))
        changed |= put_ids(w->isr, w->isr_count, old->isr, old->isr_count, &r->isr, &r->isr_count);
    if (mv >= FEATURE_ELR_METADATA_VERSION) {
        changed |= put_ids(w->elr, w->elr_count, old->elr, old->elr_count,
                           &r->eligible_leader_replicas, &r->eligible_leader_replicas_count);
        changed |= put_ids(w->last_known_elr, w->last_known_elr_count, old->last_known_elr,
                           old->last_known_elr_count, &r->last_known_elr, &r->last_known_elr_count);
    }
    changed |= put_directories(ch, mv, r);
    if (w->recovery_state != old->recovery_state) {
        r->leader_recovery_state = w->recovery_state;
        changed = true;
    }
    if (w->leader != old->leader || needs_epoch_bump(ch, mv)) {
        r->leader = w->leader;
        changed = true;
    }
    return changed;
}

PartitionChange
partition_change_begin(const DecideContext *c, const ImageTopic *topic, const ImagePartition *now)
{
    PartitionChange ch = {.c = c,
                          .topic_id = image_topic_id(topic),
                          .topic = image_topic_name(topic),
                          .old = *now,
                          .wanted = *now,
                          .leaving = NO_BROKER};

    if (topic_allows_unclean(c, ch.topic))
        ch.mode = ELECT_UNCLEAN;
    return ch;
}

bool
partition_change_end(PartitionChange *ch, RecordList *records)
{
    int16_t mv = image_feature(ch->c->image, STRVIEW("metadata.version"));
    PartitionChangeRecord record;

    if (!complete_reassignment(ch) || !populate_elr(ch) || !install_leader(ch, elect(ch)) ||
        !note_last_leader(ch) || !follow_directories(ch)) {
        records->no_memory = true;
        return true;
    }
    if (!fill_record(ch, mv, &record))
        return false;
    record_list_add(records, &partition_change_record_desc, partition_record_version(mv), &record);
    return true;
}
