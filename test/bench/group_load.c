/*
 * group_load.c - many consumer groups at once, a connection for each member
 *
 *     group_load classic PORT GROUPS MEMBERS PARTITIONS DELAY_MS SECONDS
 *     group_load consumer PORT GROUPS MEMBERS PARTITIONS 0 SECONDS
 *     group_load commits PORT GROUPS 1 PARTITIONS RATE SECONDS
 *     group_load echo COUNT INTERVAL_MS SECONDS
 *
 * classic, consumer: all members connect, then join at once; the group's topic has PARTITIONS. Prints the ms
 * until every group was settled: classic: synced, from the end of the initial delay (DELAY_MS, the node's
 * group.initial.rebalance.delay.ms; the members' rebalance timeout is the same, so that newcomers do not prolong it);
 * consumer: all at one epoch and each partition owned, from the last join. Then, for SECONDS, the heartbeats of
 * all, spread over their interval (3 s, or what the node says): count, p50 and p99 in us, and rebalances in
 * that time. Ends with an error when a partition is owned by none or by two.
 * commits: RATE OffsetCommits a second, open load, of GROUPS without members, each of one of PARTITIONS; p50 and p99 in us.
 * echo: COUNT connections to another process that sends back what it gets, 100 bytes each INTERVAL_MS: the floor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ottla/common/errlist.h"
#include "ottla/common/slice.h"
#include "ottla/protocol/msg_consumer_group_heartbeat.h"
#include "ottla/protocol/msg_find_coordinator.h"
#include "ottla/protocol/msg_heartbeat.h"
#include "ottla/protocol/msg_join_group.h"
#include "ottla/protocol/msg_metadata.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_sync_group.h"

#include "bench_kit.h"
#include "many_conns.h"
#include "wire_requests.h"

#define KEY_COMMIT      8
#define KEY_METADATA    3
#define KEY_FIND        10
#define KEY_JOIN        11
#define KEY_HEARTBEAT   12
#define KEY_SYNC        14
#define KEY_CONSUMER    68
#define HEARTBEAT_US    3e6
#define SESSION_MS      45000
#define PATIENCE_US     120e6 /* until all groups must be settled */
#define COMMIT_CONNS    64
#define ECHO_BYTES      100
#define MEMBER_ID_BYTES 100

typedef struct Group {
    char id[32];
    double first_join_us, last_join_us, settled_us;
    int32_t members_settled;
    int32_t owned; /* partitions owned by all members together */
    int32_t rebalances;
} Group;

typedef struct Member {
    ManyConn conn; /* first: the one is the other */
    Group *group;
    char id[MEMBER_ID_BYTES];
    int32_t epoch; /* or generation */
    bool settled;
    bool must_tell; /* consumer: what it owns changed */
    double interval_us;
    int32_t *partitions;
    int32_t partition_count;
} Member;

static struct {
    uint16_t port;
    bool consumer;
    int32_t groups, members, partitions;
    double delay_us, seconds;
    char topic[32];
    Uuid topic_id;
    Group *group;
    Member *member;
    int32_t settled_groups;
    bool steady; /* latencies count now */
    double *latencies;
    size_t answers, room;
    uint8_t *owner_seen; /* by partition: at the end */
} me;

static void
count_latency(double us)
{
    if (!me.steady) {
        return;
    }
    if (me.answers == me.room) {
        me.room = me.room == 0 ? 65536 : me.room * 2;
        me.latencies = realloc(me.latencies, me.room * sizeof *me.latencies);
        if (me.latencies == NULL) {
            die("no memory");
        }
    }
    me.latencies[me.answers++] = us;
}

static void
print_latencies(void)
{
    sort_figures(me.latencies, me.answers);
    printf("%zu %.0f %.0f", me.answers, percentile(me.latencies, me.answers, 0.5),
           percentile(me.latencies, me.answers, 0.99));
}

static void
refuse(const char *what, int16_t error)
{
    char text[96];
    snprintf(text, sizeof text, "%s was refused: error %d", what, (int)error);
    die(text);
}

/* The coordinator of this group is not ready yet: the same again, soon. */
static bool
comes_later(Member *m, int16_t error, double now)
{
    if (error != KERR_COORDINATOR_LOAD_IN_PROGRESS && error != KERR_COORDINATOR_NOT_AVAILABLE &&
        error != KERR_NOT_COORDINATOR) {
        return false;
    }
    if (me.steady) {
        refuse("a coordinator", error);
    }
    many_due(&m->conn, now + 1e5);
    return true;
}

static void
must_read(const WireReader *body)
{
    if (body->err != 0) {
        die("an answer that cannot be read");
    }
}

/* ---- before the load ------------------------------------------------------------------------------- */

/* The topic, and a coordinator that is ready. */
static void
prepare(void)
{
    WireClient client;
    wire_client_init(&client, me.port);
    if (!wire_client_connect(&client)) {
        die("nobody listens");
    }
    int error = wire_create_topic(&client, me.topic, me.partitions);
    if (error != 0 && error != KERR_TOPIC_ALREADY_EXISTS) {
        die("the topic cannot be made");
    }
    double end = now_us() + PATIENCE_US;
    for (;;) {
        StrView key = STRVIEW("group-load-0");
        FindCoordinatorRequest request;
        FindCoordinatorResponse response;
        find_coordinator_request_init(&request);
        request.coordinator_keys = &key;
        request.coordinator_keys_count = 1;
        if (wire_client_call(&client,
                             &(WireCall){KEY_FIND, 4, &find_coordinator_request_desc, &request,
                                         &find_coordinator_response_desc, &response}) != WIRE_OK ||
            response.coordinators_count != 1) {
            die("no answer about coordinators");
        }
        if (response.coordinators[0].error_code == 0) {
            break;
        }
        if (now_us() > end) {
            refuse("FindCoordinator", response.coordinators[0].error_code);
        }
        (void)poll(NULL, 0, 20);
    }
    MetadataRequestTopic topic;
    MetadataRequest request;
    MetadataResponse response;
    metadata_request_init(&request);
    metadata_request_topic_init(&topic);
    topic.name = strview_from(me.topic);
    request.topics = &topic;
    request.topics_count = 1;
    if (wire_client_call(&client, &(WireCall){KEY_METADATA, 12, &metadata_request_desc, &request,
                                              &metadata_response_desc, &response}) != WIRE_OK ||
        response.topics_count != 1 || response.topics[0].error_code != 0) {
        die("the topic is not there");
    }
    me.topic_id = response.topics[0].topic_id;
    wire_client_close(&client);
}

static void
group_is_settled(Group *group, double now)
{
    if (group->settled_us == 0) {
        me.settled_groups++;
    }
    group->settled_us = now;
}

static bool
all_settled(void)
{
    return me.settled_groups == me.groups;
}

/* ---- classic members --------------------------------------------------------------------------------- */

static void
classic_join(Member *m)
{
    static const uint8_t metadata[64];
    JoinGroupRequestProtocol protocol;
    JoinGroupRequest request;
    join_group_request_init(&request);
    join_group_request_protocol_init(&protocol);
    protocol.name = STRVIEW("range");
    protocol.metadata = (BytesView){metadata, sizeof metadata};
    request.group_id = strview_from(m->group->id);
    request.session_timeout_ms = SESSION_MS;
    request.rebalance_timeout_ms = (int32_t)(me.delay_us / 1e3);
    request.member_id = strview_from(m->id);
    request.protocol_type = STRVIEW("load");
    request.protocols = &protocol;
    request.protocols_count = 1;
    many_send(&m->conn, KEY_JOIN, 9, &join_group_request_desc, &request);
    if (m->id[0] != '\0') {
        m->group->last_join_us = m->conn.sent_us;
        if (m->group->first_join_us == 0) {
            m->group->first_join_us = m->conn.sent_us;
        }
    }
}

static void
classic_joined(Member *m, WireReader *body, double now)
{
    static const uint8_t assignment[32];
    JoinGroupResponse response;
    join_group_response_read(body, 9, &response);
    must_read(body);
    if (response.error_code == KERR_MEMBER_ID_REQUIRED &&
        response.member_id.len < MEMBER_ID_BYTES) {
        memcpy(m->id, response.member_id.ptr, (size_t)response.member_id.len);
        m->id[response.member_id.len] = '\0';
        classic_join(m);
        return;
    }
    if (comes_later(m, response.error_code, now)) {
        return;
    }
    if (response.error_code != 0) {
        refuse("JoinGroup", response.error_code);
    }
    m->epoch = response.generation_id;
    SyncGroupRequest request;
    sync_group_request_init(&request);
    request.group_id = strview_from(m->group->id);
    request.generation_id = m->epoch;
    request.member_id = strview_from(m->id);
    request.protocol_type = STRVIEW("load");
    request.protocol_name = STRVIEW("range");
    SyncGroupRequestAssignment *list = NULL;
    if (response.members_count > 0) {
        list = calloc((size_t)response.members_count, sizeof *list);
        for (int32_t i = 0; list != NULL && i < response.members_count; i++) {
            sync_group_request_assignment_init(&list[i]);
            list[i].member_id = response.members[i].member_id;
            list[i].assignment = (BytesView){assignment, sizeof assignment};
        }
        request.assignments = list;
        request.assignments_count = response.members_count;
    }
    many_send(&m->conn, KEY_SYNC, 5, &sync_group_request_desc, &request);
    free(list);
}

static void
classic_synced(Member *m, WireReader *body, double now)
{
    SyncGroupResponse response;
    sync_group_response_read(body, 5, &response);
    must_read(body);
    if (response.error_code == KERR_REBALANCE_IN_PROGRESS) {
        m->group->rebalances++;
        classic_join(m);
        return;
    }
    if (response.error_code != 0) {
        refuse("SyncGroup", response.error_code);
    }
    if (!m->settled) {
        m->settled = true;
        if (++m->group->members_settled == me.members) {
            group_is_settled(m->group, now);
        }
    }
    m->interval_us = HEARTBEAT_US;
    many_due(&m->conn, now + m->interval_us * ((double)(m - me.member) / (me.groups * me.members)));
}

static void
classic_beat(Member *m)
{
    HeartbeatRequest request;
    heartbeat_request_init(&request);
    request.group_id = strview_from(m->group->id);
    request.generation_id = m->epoch;
    request.member_id = strview_from(m->id);
    many_send(&m->conn, KEY_HEARTBEAT, 4, &heartbeat_request_desc, &request);
}

static void
classic_beaten(Member *m, WireReader *body, double now)
{
    HeartbeatResponse response;
    heartbeat_response_read(body, 4, &response);
    must_read(body);
    count_latency(now - m->conn.sent_us);
    if (response.error_code == KERR_REBALANCE_IN_PROGRESS) {
        m->group->rebalances++;
        classic_join(m);
        return;
    }
    if (response.error_code != 0) {
        refuse("Heartbeat", response.error_code);
    }
    many_due(&m->conn, m->conn.sent_us + m->interval_us);
}

/* ---- consumer members ---------------------------------------------------------------------------------- */

static void
consumer_beat(Member *m)
{
    StrView topic = strview_from(me.topic);
    ConsumerGroupHeartbeatRequestTopicPartitions owned;
    ConsumerGroupHeartbeatRequest request;
    bool joins = m->epoch == 0;
    consumer_group_heartbeat_request_init(&request);
    consumer_group_heartbeat_request_topic_partitions_init(&owned);
    request.group_id = strview_from(m->group->id);
    request.member_id = strview_from(m->id);
    request.member_epoch = m->epoch;
    if (joins) {
        request.rebalance_timeout_ms = 60000;
        request.subscribed_topic_names = &topic;
        request.subscribed_topic_names_count = 1;
    }
    if (joins || m->must_tell) {
        owned.topic_id = me.topic_id;
        owned.partitions = m->partitions;
        owned.partitions_count = m->partition_count;
        request.topic_partitions = &owned;
        request.topic_partitions_count = m->partition_count > 0 ? 1 : 0;
        m->must_tell = false;
    }
    many_send(&m->conn, KEY_CONSUMER, 1, &consumer_group_heartbeat_request_desc, &request);
    if (joins) {
        m->group->last_join_us = m->conn.sent_us;
    }
}

static void
consumer_takes(Member *m, const ConsumerGroupHeartbeatResponseAssignment *assignment)
{
    int32_t count = 0;
    for (int32_t t = 0; t < assignment->topic_partitions_count; t++) {
        count += assignment->topic_partitions[t].partitions_count;
    }
    m->partitions = realloc(m->partitions, (size_t)(count + 1) * sizeof *m->partitions);
    if (m->partitions == NULL) {
        die("no memory");
    }
    m->group->owned += count - m->partition_count;
    m->partition_count = 0;
    for (int32_t t = 0; t < assignment->topic_partitions_count; t++) {
        for (int32_t i = 0; i < assignment->topic_partitions[t].partitions_count; i++) {
            m->partitions[m->partition_count++] = assignment->topic_partitions[t].partitions[i];
        }
    }
    m->must_tell = true;
    if (me.steady) {
        m->group->rebalances++;
    }
}

/* All are at one epoch, own everything, and nobody owns more than one partition above another. */
static bool
consumer_is_settled(const Group *group)
{
    const Member *first = &me.member[(group - me.group) * me.members];
    int32_t least = me.partitions / me.members;
    if (group->members_settled < me.members || group->owned != me.partitions) {
        return false;
    }
    for (int32_t i = 0; i < me.members; i++) {
        const Member *m = &first[i];
        if (m->epoch != first->epoch || m->partition_count < least ||
            m->partition_count > least + 1) {
            return false;
        }
    }
    return true;
}

static void
consumer_beaten(Member *m, WireReader *body, double now)
{
    ConsumerGroupHeartbeatResponse response;
    consumer_group_heartbeat_response_read(body, 1, &response);
    must_read(body);
    if (comes_later(m, response.error_code, now)) {
        return;
    }
    if (response.error_code != 0) {
        refuse("ConsumerGroupHeartbeat", response.error_code);
    }
    count_latency(now - m->conn.sent_us);
    bool first = m->epoch == 0;
    m->epoch = response.member_epoch;
    m->interval_us = response.heartbeat_interval_ms * 1e3;
    if (response.assignment != NULL) {
        consumer_takes(m, response.assignment);
    }
    if (!m->settled) {
        m->settled = true;
        m->group->members_settled++;
    }
    if (m->group->settled_us == 0 && consumer_is_settled(m->group)) {
        group_is_settled(m->group, now);
    }
    if (m->must_tell && !first) {
        many_due(&m->conn, now); /* as clients do: what was given or taken is told at once */
    } else {
        double spread = first ? (double)(m - me.member) / (me.groups * me.members) : 1;
        many_due(&m->conn, m->conn.sent_us + m->interval_us * spread);
    }
}

/* Each partition of each group has one owner. */
static void
check_owners(void)
{
    for (int32_t g = 0; g < me.groups; g++) {
        memset(me.owner_seen, 0, (size_t)me.partitions);
        for (int32_t i = 0; i < me.members; i++) {
            Member *m = &me.member[g * me.members + i];
            for (int32_t p = 0; p < m->partition_count; p++) {
                int32_t partition = m->partitions[p];
                if (partition < 0 || partition >= me.partitions || me.owner_seen[partition]++ > 0) {
                    die("a partition has two owners");
                }
            }
        }
        if (me.group[g].owned != me.partitions) {
            die("a partition has no owner");
        }
    }
}

/* ---- a load of groups ---------------------------------------------------------------------------------- */

static void
on_answer(ManyConn *conn, int16_t api_key, WireReader *body, double now)
{
    Member *m = (Member *)(void *)conn;
    switch (api_key) {
    case KEY_JOIN:
        classic_joined(m, body, now);
        break;
    case KEY_SYNC:
        classic_synced(m, body, now);
        break;
    case KEY_HEARTBEAT:
        classic_beaten(m, body, now);
        break;
    default:
        consumer_beaten(m, body, now);
    }
}

static void
on_due(ManyConn *conn, double now)
{
    Member *m = (Member *)(void *)conn;
    (void)now;
    if (me.consumer) {
        consumer_beat(m);
    } else if (m->epoch == 0) {
        classic_join(m);
    } else {
        classic_beat(m);
    }
}

static void
groups_load(void)
{
    size_t members = (size_t)me.groups * (size_t)me.members;
    me.group = calloc((size_t)me.groups, sizeof *me.group);
    me.member = calloc(members, sizeof *me.member);
    me.owner_seen = calloc((size_t)me.partitions, 1);
    if (me.group == NULL || me.member == NULL || me.owner_seen == NULL) {
        die("no memory");
    }
    prepare();
    many_init(members, (ManyHandlers){on_answer, on_due});
    for (size_t i = 0; i < members; i++) {
        Member *m = &me.member[i];
        m->group = &me.group[i / (size_t)me.members];
        snprintf(m->group->id, sizeof m->group->id, "%s-%d-%zu",
                 me.consumer ? "consumer" : "classic", (int)getpid(), i / (size_t)me.members);
        if (me.consumer) {
            snprintf(m->id, sizeof m->id, "member-%06zu-%d", i, (int)getpid());
        }
        many_connect(&m->conn, me.port);
    }
    double begin = now_us();
    for (size_t i = 0; i < members; i++) {
        many_due(&me.member[i].conn, begin);
    }
    many_run(begin + PATIENCE_US, all_settled);
    if (!all_settled()) {
        die("not all groups settled");
    }
    me.steady = true;
    many_run(now_us() + me.seconds * 1e6, NULL);
    double worst = 0;
    int32_t rebalances = 0;
    for (int32_t g = 0; g < me.groups; g++) {
        Group *group = &me.group[g];
        double from = me.consumer ? group->last_join_us : group->first_join_us + me.delay_us;
        worst = group->settled_us - from > worst ? group->settled_us - from : worst;
        rebalances += group->rebalances;
    }
    if (me.consumer) {
        check_owners();
    }
    printf("%.1f ", worst / 1e3);
    print_latencies();
    printf(" %d\n", (int)rebalances);
}

/* ---- commits ------------------------------------------------------------------------------------------ */

static struct {
    double next_us, gap_us;
    uint64_t count;
    ManyConn *free[COMMIT_CONNS];
    int32_t free_count;
    double born[COMMIT_CONNS]; /* when each one's commit was due */
    ManyConn conns[COMMIT_CONNS];
} commits;

/* Open load: what is due goes out as connections come free, and its time counts from when it was due. */
static void
commit_due(double now)
{
    while (commits.free_count > 0 && commits.next_us <= now) {
        ManyConn *conn = commits.free[--commits.free_count];
        OffsetCommitRequestPartition partition;
        OffsetCommitRequestTopic topic;
        OffsetCommitRequest request;
        char group[32];
        uint64_t n = commits.count++;
        snprintf(group, sizeof group, "commit-load-%d", (int)(n % (uint64_t)me.groups));
        offset_commit_request_init(&request);
        offset_commit_request_topic_init(&topic);
        offset_commit_request_partition_init(&partition);
        partition.partition_index = (int32_t)(n / (uint64_t)me.groups % (uint64_t)me.partitions);
        partition.committed_offset = (int64_t)n;
        partition.committed_metadata = STRVIEW("");
        topic.name = strview_from(me.topic);
        topic.partitions = &partition;
        topic.partitions_count = 1;
        request.group_id = strview_from(group);
        request.topics = &topic;
        request.topics_count = 1;
        commits.born[conn - commits.conns] = commits.next_us;
        commits.next_us += commits.gap_us;
        many_send(conn, KEY_COMMIT, 8, &offset_commit_request_desc, &request);
    }
    if (commits.free_count > 0) {
        many_due(commits.free[0], commits.next_us);
    }
}

static void
commit_answered(ManyConn *conn, int16_t api_key, WireReader *body, double now)
{
    OffsetCommitResponse response;
    (void)api_key;
    offset_commit_response_read(body, 8, &response);
    must_read(body);
    if (response.topics_count != 1 || response.topics[0].partitions_count != 1) {
        die("an answer about another commit");
    }
    if (response.topics[0].partitions[0].error_code != 0) {
        refuse("OffsetCommit", response.topics[0].partitions[0].error_code);
    }
    count_latency(now - commits.born[conn - commits.conns]);
    commits.free[commits.free_count++] = conn;
    commit_due(now);
}

static void
commit_timer(ManyConn *conn, double now)
{
    (void)conn;
    commit_due(now);
}

static void
commits_load(double rate)
{
    prepare();
    slice_ask_short(); /* as acks, which it is compared with */
    many_init(COMMIT_CONNS, (ManyHandlers){commit_answered, commit_timer});
    for (int i = 0; i < COMMIT_CONNS; i++) {
        many_connect(&commits.conns[i], me.port);
        commits.free[commits.free_count++] = &commits.conns[i];
    }
    commits.gap_us = 1e6 / rate;
    commits.next_us = now_us();
    many_due(commits.free[0], commits.next_us);
    many_run(now_us() + 1e6, NULL); /* files are made, processes run */
    me.steady = true;
    many_run(now_us() + me.seconds * 1e6, NULL);
    print_latencies();
    printf("\n");
}

/* ---- the floor ------------------------------------------------------------------------------------------ */

typedef struct Echo {
    ManyConn conn;
    double interval_us;
} Echo;

static uint8_t echo_bytes[ECHO_BYTES + 4] = {0, 0, 0, ECHO_BYTES};

static void
echo_answered(ManyConn *conn, int16_t api_key, WireReader *body, double now)
{
    (void)api_key;
    (void)body;
    count_latency(now - conn->sent_us);
    many_due(conn, conn->sent_us + ((Echo *)(void *)conn)->interval_us);
}

static void
echo_due(ManyConn *conn, double now)
{
    (void)now;
    many_send_bytes(conn, echo_bytes, sizeof echo_bytes);
}

static void
echo_back(ManyConn *conn, int16_t api_key, WireReader *body, double now)
{
    (void)api_key;
    (void)body;
    (void)now;
    many_send_bytes(conn, echo_bytes, sizeof echo_bytes);
}

/* The address of a listener that the kernel has named. */
static struct sockaddr_un
listen_anywhere(int listener, socklen_t *ret_len)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *ret_len = sizeof at;
    if (bind(listener, (struct sockaddr *)&at, sizeof at.sun_family) != 0 ||
        listen(listener, 100) != 0 || getsockname(listener, (struct sockaddr *)&at, ret_len) != 0) {
        die("no listener");
    }
    return at;
}

static void
echo_load(size_t count, double interval_us)
{
    Echo *all = calloc(count, sizeof *all);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t parent = getpid();
    socklen_t len;
    if (all == NULL || listener < 0) {
        die("no memory");
    }
    struct sockaddr_un at = listen_anywhere(listener, &len);
    pid_t child = fork();
    if (child < 0) {
        die("no process");
    }
    bool serves = child == 0;
    many_init(count,
              serves ? (ManyHandlers){echo_back, NULL} : (ManyHandlers){echo_answered, echo_due});
    for (size_t i = 0; i < count; i++) {
        int fd = serves ? accept4(listener, NULL, NULL, SOCK_CLOEXEC)
                        : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || (!serves && connect(fd, (struct sockaddr *)&at, len) != 0)) {
            die("no socket");
        }
        many_adopt(&all[i].conn, fd);
        all[i].interval_us = interval_us;
    }
    if (serves) {
        while (getppid() == parent) {
            many_run(now_us() + 1e5, NULL);
        }
        _exit(0);
    }
    double begin = now_us();
    for (size_t i = 0; i < count; i++) {
        many_due(&all[i].conn, begin + interval_us * (double)i / (double)count);
    }
    many_run(begin + interval_us, NULL);
    me.steady = true;
    many_run(now_us() + me.seconds * 1e6, NULL);
    kill(child, SIGKILL);
    print_latencies();
    printf("\n");
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "echo") == 0) {
        me.seconds = strtod(argv[4], NULL);
        echo_load((size_t)strtol(argv[2], NULL, 10), strtod(argv[3], NULL) * 1e3);
        return 0;
    }
    if (argc != 8) {
        die("usage: group_load classic|consumer|commits PORT GROUPS MEMBERS PARTITIONS DELAY|RATE "
            "SECONDS");
    }
    me.port = (uint16_t)strtol(argv[2], NULL, 10);
    me.groups = (int32_t)strtol(argv[3], NULL, 10);
    me.members = (int32_t)strtol(argv[4], NULL, 10);
    me.partitions = (int32_t)strtol(argv[5], NULL, 10);
    snprintf(me.topic, sizeof me.topic, "group-load-%d", (int)me.partitions);
    me.seconds = strtod(argv[7], NULL);
    me.consumer = strcmp(argv[1], "consumer") == 0;
    if (strcmp(argv[1], "commits") == 0) {
        commits_load(strtod(argv[6], NULL));
    } else {
        me.delay_us = strtod(argv[6], NULL) * 1e3;
        groups_load();
    }
    return 0;
}
