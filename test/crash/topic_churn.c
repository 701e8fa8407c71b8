/*
 * topic_churn.c - a client that creates and deletes topics all the time, while the node is killed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "topic_churn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_topics.h"
#include "ottla/protocol/msg_metadata.h"
#include "ottla/protocol/msg_produce.h"

#define TOPICS_MAX     400000 /* more than the longest run makes */
#define LIVE_MAX       12
#define NAMES          16 /* given again and again: a new topic lies where a deleted one is being removed */
#define PARTITIONS_MAX 3
#define NAME_PREFIX    "churn-"

typedef enum TopicState {
    TOPIC_NONE,
    TOPIC_CREATING, /* asked for, not acknowledged: may be there or not */
    TOPIC_CREATED,
    TOPIC_DELETING, /* the same of its deletion */
    TOPIC_DELETED,
} TopicState;

typedef struct ChurnTopic {
    TopicState state;
    int32_t partitions;
    bool id_known; /* not when the acknowledgement was lost */
    Uuid id;
} ChurnTopic;

struct Churn {
    RandomSeq seq;
    int32_t count; /* topics[0 .. count) were asked for, or left out: their name was in use */
    ChurnTopic topics[TOPICS_MAX];
};

Churn *
churn_new(uint64_t seed)
{
    Churn *churn = mmap(NULL, sizeof *churn, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (churn == MAP_FAILED) {
        return NULL;
    }
    churn->seq = (RandomSeq){seed};
    return churn;
}

static StrView
topic_name(int32_t number, char ret[32])
{
    int len = snprintf(ret, 32, NAME_PREFIX "%d", number % NAMES);
    return (StrView){ret, len};
}

/* The last topic that got this number's name; -1: none. */
static int32_t
last_of_name(const Churn *churn, int32_t number)
{
    int32_t last = churn->count - 1;
    while (last >= 0 &&
           (last % NAMES != number % NAMES || churn->topics[last].state == TOPIC_NONE)) {
        last--;
    }
    return last;
}

/* The last topic of a name; -1: not ours. */
static int32_t
topic_number(const Churn *churn, StrView name)
{
    char text[32] = "";
    int number;
    if (name.len >= (int32_t)sizeof text) {
        return -1;
    }
    memcpy(text, name.ptr, (size_t)name.len);
    return sscanf(text, NAME_PREFIX "%d", &number) == 1 && number >= 0 && number < NAMES
               ? last_of_name(churn, number)
               : -1;
}

/* The next number whose name is free: there are more names than topics at a time. */
static int32_t
next_number(Churn *churn)
{
    int32_t last = last_of_name(churn, churn->count);
    while (last >= 0 && churn->topics[last].state != TOPIC_DELETED) {
        churn->count++;
        last = last_of_name(churn, churn->count);
    }
    return churn->count++;
}

/* What is wrong with a topic that the node says is there; NULL: nothing. */
static const char *
check_present(const ChurnTopic *mine, const MetadataResponseTopic *theirs)
{
    if (mine->state == TOPIC_DELETED) {
        return "a deleted topic is back";
    }
    if (theirs->error_code != 0) {
        return "a topic has an error";
    }
    if (theirs->partitions_count != mine->partitions) {
        return "a topic has another number of partitions";
    }
    if (mine->id_known && memcmp(&mine->id, &theirs->topic_id, sizeof mine->id) != 0) {
        return "a topic has another id";
    }
    return NULL;
}

const char *
churn_check(const Churn *churn, WireClient *client, WireResult *ret_result)
{
    static bool present[TOPICS_MAX];
    MetadataRequest request;
    MetadataResponse response;
    metadata_request_init(&request);
    request.topics_count = -1; /* all */
    request.allow_auto_topic_creation = false;
    *ret_result = wire_client_call(client, &(WireCall){3, 12, &metadata_request_desc, &request,
                                                       &metadata_response_desc, &response});
    if (*ret_result != WIRE_OK) {
        return NULL;
    }
    memset(present, 0, sizeof present);
    for (int32_t i = 0; i < response.topics_count; i++) {
        int32_t number = topic_number(churn, response.topics[i].name);
        if (number >= 0) {
            const char *wrong = check_present(&churn->topics[number], &response.topics[i]);
            if (wrong != NULL) {
                return wrong;
            }
            present[number] = true;
        }
    }
    for (int32_t i = 0; i < churn->count; i++) {
        if (churn->topics[i].state == TOPIC_CREATED && !present[i]) {
            return "a created topic is missing";
        }
    }
    return NULL;
}

/* The connection broke: on the next one, everything acknowledged must be true. False: the test is over. */
static bool
churn_broke(const Churn *churn, WireClient *client, ClientState *me, WireResult result)
{
    while (result != WIRE_OK) {
        if (!client_broke(client, me, result)) {
            return false;
        }
        const char *wrong = churn_check(churn, client, &result);
        if (wrong != NULL) {
            client_fail(me, wrong, churn->count);
        }
    }
    atomic_u32_add(&me->resent, 1);
    return true;
}

/* Creates a topic, however often the node dies meanwhile. False: the test is over. */
static bool
create_one(Churn *churn, int32_t number, WireClient *client, ClientState *me)
{
    char name[32];
    ChurnTopic *topic = &churn->topics[number];
    topic->partitions = 1 + (int32_t)random_seq_below(&churn->seq, PARTITIONS_MAX);
    topic->state = TOPIC_CREATING;
    for (bool again = false;; again = true) {
        CreateTopicsRequestTopic wish;
        CreateTopicsRequest request;
        CreateTopicsResponse response;
        create_topics_request_topic_init(&wish);
        create_topics_request_init(&request);
        wish.name = topic_name(number, name);
        wish.num_partitions = topic->partitions;
        wish.replication_factor = 1;
        request.topics = &wish;
        request.topics_count = 1;
        request.timeout_ms = 10000;
        WireResult result =
            wire_client_call(client, &(WireCall){19, 7, &create_topics_request_desc, &request,
                                                 &create_topics_response_desc, &response});
        if (result != WIRE_OK) {
            if (!churn_broke(churn, client, me, result)) {
                return false;
            }
            continue;
        }
        int16_t error = response.topics[0].error_code;
        if (error == 0 || (error == KERR_TOPIC_ALREADY_EXISTS && again)) {
            topic->id_known = error == 0;
            topic->id = response.topics[0].topic_id;
            topic->state = TOPIC_CREATED;
            return true;
        }
        if (!is_transient(error)) {
            client_fail(me, "create error", error);
        }
        wait_ms(5);
    }
}

/* One record to partition 0, so that the topic has a folder. False: the test is over. */
static bool
write_one(const Churn *churn, int32_t number, WireClient *client, ClientState *me)
{
    char name[32];
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchRecord record = {.timestamp = 1000, .value = {(const uint8_t *)"x", 1}};
    BytesView batch = {0};
    Arena *arena = arena_new(1 << 12, 0);
    BatchBuilder *builder = batch_builder_new(&options, arena);
    if (batch_builder_add(builder, &record, NULL) != 0 ||
        batch_builder_finish(builder, &batch, NULL) != 0) {
        abort();
    }
    ProduceRequestPartition partition = {.records = records_in_memory(batch.ptr, batch.len)};
    ProduceRequestTopic topic = {
        .name = topic_name(number, name), .partition_data = &partition, .partition_data_count = 1};
    ProduceRequest request = {.transactional_id = WIRE_NULL_STRING,
                              .acks = -1,
                              .timeout_ms = 10000,
                              .topic_data = &topic,
                              .topic_data_count = 1};
    bool on = true, written = false, again = false;
    while (on && !written) {
        ProduceResponse response;
        WireResult result =
            wire_client_call(client, &(WireCall){0, 9, &produce_request_desc, &request,
                                                 &produce_response_desc, &response});
        if (result != WIRE_OK) {
            on = churn_broke(churn, client, me, result);
            again = true;
            continue;
        }
        int16_t error = response.responses[0].partition_responses[0].error_code;
        written = error == 0;
        if (written && !again && response.responses[0].partition_responses[0].base_offset != 0) {
            client_fail(me, "a new topic holds records already", number);
        }
        if (!written && !is_transient(error)) {
            client_fail(me, "produce error of a new topic", error);
        }
        wait_ms(written ? 0 : 5);
    }
    arena_free(arena);
    return on;
}

static bool
delete_one(Churn *churn, int32_t number, WireClient *client, ClientState *me)
{
    char name[32];
    ChurnTopic *topic = &churn->topics[number];
    topic->state = TOPIC_DELETING;
    for (bool again = false;; again = true) {
        DeleteTopicsRequestTopic wish;
        DeleteTopicsRequest request;
        DeleteTopicsResponse response;
        delete_topics_request_topic_init(&wish);
        delete_topics_request_init(&request);
        wish.name = topic_name(number, name);
        request.topics = &wish;
        request.topics_count = 1;
        request.timeout_ms = 10000;
        WireResult result =
            wire_client_call(client, &(WireCall){20, 6, &delete_topics_request_desc, &request,
                                                 &delete_topics_response_desc, &response});
        if (result != WIRE_OK) {
            if (!churn_broke(churn, client, me, result)) {
                return false;
            }
            continue;
        }
        int16_t error = response.responses[0].error_code;
        if (error == 0 || (error == KERR_UNKNOWN_TOPIC_OR_PARTITION && again)) {
            topic->state = TOPIC_DELETED;
            return true;
        }
        if (error == KERR_UNKNOWN_TOPIC_OR_PARTITION || !is_transient(error)) {
            client_fail(me, "delete error", error);
        }
        wait_ms(5);
    }
}

void
churn_main(Churn *churn, ClientState *me)
{
    WireClient client;
    int32_t live[LIVE_MAX];
    uint64_t live_count = 0;
    wire_client_init(&client, server_port);
    if (!client_connect(&client, me)) {
        return;
    }
    while (atomic_u32_load(&shared->stop) == 0 && churn->count < TOPICS_MAX - NAMES) {
        if (live_count < random_seq_below(&churn->seq, LIVE_MAX) + 1) {
            int32_t number = next_number(churn);
            live[live_count++] = number;
            if (!create_one(churn, number, &client, me) || !write_one(churn, number, &client, me)) {
                return;
            }
        } else {
            uint64_t victim = random_seq_below(&churn->seq, live_count);
            int32_t number = live[victim];
            live[victim] = live[--live_count];
            if (!delete_one(churn, number, &client, me)) {
                return;
            }
        }
        atomic_i64_add(&me->done, 1);
        wait_ms(2);
    }
}

void
churn_report(const Churn *churn, int *ret_created, int *ret_deleted)
{
    *ret_created = *ret_deleted = 0;
    printf("# live topics:");
    for (int32_t i = 0; i < churn->count; i++) {
        *ret_created += churn->topics[i].state >= TOPIC_CREATED;
        *ret_deleted += churn->topics[i].state == TOPIC_DELETED;
        if (churn->topics[i].state == TOPIC_CREATED) {
            printf(" " NAME_PREFIX "%d", i % NAMES);
        }
    }
    printf("\n");
}
