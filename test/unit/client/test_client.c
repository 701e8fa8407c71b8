/*
 * test_client.c - calls, and servers that answer wrongly: a fault each time, and the next call works again
 *
 * The server is a process of its own on a TCP port; a word of shared memory tells it what to do with the next
 * DescribeCluster. Everything else it answers well.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/clock.h"
#include "ottla/common/net.h"
#include "ottla/common/random.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_describe_cluster.h"
#include "ottla/protocol/msg_find_coordinator.h"
#include "ottla/protocol/msg_metadata.h"
#include "ottla/protocol/msg_ottla_stat.h"

typedef enum Mode {
    MODE_GOOD,
    MODE_SHORT,       /* a size below a header */
    MODE_HUGE,        /* a size nobody would send */
    MODE_NEGATIVE,    /* a size below zero */
    MODE_CORRELATION, /* the answer to another request */
    MODE_CUT,         /* a body that ends early */
    MODE_COUNT_LIE,   /* a count that the bytes cannot hold */
    MODE_CLOSE,       /* no answer, closed */
    MODE_CLOSE_MID,   /* half an answer, closed */
    MODE_SILENCE,
    MODE_HALF_SILENCE, /* half an answer, then nothing */
    MODE_FLIP,         /* a good answer with some bytes changed */
    MODE_LATER,        /* retriable errors from FindCoordinator */
} Mode;

typedef enum Greeting {
    GREET_GOOD,
    GREET_OLD,      /* knows ApiVersions 0 to 2: error 35 first */
    GREET_STUBBORN, /* error 35 for ever */
    GREET_HTTP,
    GREET_SILENCE,
    GREET_GARBAGE,
    GREET_CLOSE,
    GREET_STAT_CLOSE,     /* an Ottla that ends the connection when it is asked for a view, */
    GREET_STAT_SILENCE,   /* says nothing then, */
    GREET_METADATA_CLOSE, /* or has a version and ends the connection behind its metadata */
    GREET_HOST,           /* broker 8 is in a directory, the cluster's id steers a terminal */
} Greeting;

typedef struct Orders {
    volatile int mode;
    volatile int greeting;
    volatile uint64_t seed;
    volatile int later; /* answers with an error that are left */
    volatile int seen;  /* requests beside ApiVersions */
} Orders;

static Orders *orders;
static pid_t server_pid;
static uint16_t server_port;

/* ---- the server ---- */

static void
send_all(int fd, const void *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
        _exit(0);
}

static bool
recv_all(int fd, void *to, size_t len)
{
    return len == 0 || recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

static void
answer_versions(ApiVersionsResponse *response, const RequestHead *head)
{
    static ApiVersionsResponseApiVersion apis[6];
    static const int16_t keys[6] = {API_Metadata,        API_FindCoordinator, API_ApiVersions,
                                    API_DescribeCluster, API_CreateTopics,    API_OttlaStat};

    api_versions_response_init(response);
    for (int i = 0; i < 6; i++) {
        const ApiInfo *api = api_find(keys[i]);
        api_versions_response_api_version_init(&apis[i]);
        apis[i].api_key = keys[i];
        apis[i].min_version = keys[i] == API_CreateTopics ? 90 : api->offer_lo;
        apis[i].max_version = keys[i] == API_CreateTopics ? 99 : api->offer_hi;
        if (keys[i] == API_ApiVersions && orders->greeting == GREET_OLD)
            apis[i].max_version = 2;
    }
    response->api_keys = apis;
    response->api_keys_count =
        orders->greeting >= GREET_STAT_CLOSE && orders->greeting <= GREET_METADATA_CLOSE ? 6 : 5;
    if ((orders->greeting == GREET_OLD && head->api_version > 2) ||
        orders->greeting == GREET_STUBBORN)
        response->error_code = KERR_UNSUPPORTED_VERSION;
}

/* Topic "t" has three partitions, the last without a leader; there is no other. */
static void
answer_metadata(MetadataResponse *response, WireReader *r, int16_t version)
{
    static MetadataResponseBroker brokers[2];
    static MetadataResponseTopic topic;
    static MetadataResponsePartition partitions[3];
    MetadataRequest request;

    metadata_response_init(response);
    for (int i = 0; i < 2; i++) {
        metadata_response_broker_init(&brokers[i]);
        brokers[i].node_id = 7 + i;
        brokers[i].host = STRVIEW("127.0.0.1");
        brokers[i].port = server_port;
    }
    if (orders->greeting == GREET_HOST)
        brokers[1].host = STRVIEW("/tmp");
    response->brokers = brokers;
    response->brokers_count = 2;
    response->cluster_id =
        orders->greeting == GREET_HOST ? STRVIEW("\x1b[2J") : STRVIEW("cluster-of-a-test");
    response->controller_id = 8;
    metadata_request_read(r, version, &request);
    if (request.topics_count < 1)
        return;
    metadata_response_topic_init(&topic);
    topic.name = request.topics[0].name;
    if (strview_equal(topic.name, STRVIEW("t"))) {
        for (int i = 0; i < 3; i++) {
            metadata_response_partition_init(&partitions[i]);
            partitions[i].partition_index = i;
            partitions[i].leader_id = i == 2 ? -1 : 7 + i;
        }
        topic.partitions = partitions;
        topic.partitions_count = 3;
    } else {
        topic.error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    response->topics = &topic;
    response->topics_count = 1;
}

static void
answer_coordinator(FindCoordinatorResponse *response)
{
    static FindCoordinatorResponseCoordinator found;

    find_coordinator_response_init(response);
    find_coordinator_response_coordinator_init(&found);
    found.node_id = 8;
    found.error_code = orders->later > 0 ? KERR_COORDINATOR_NOT_AVAILABLE : KERR_NONE;
    orders->later -= orders->later > 0;
    response->coordinators = &found;
    response->coordinators_count = 1;
}

/* Sends a frame in the way that was ordered. */
static void
send_spoiled(int fd, FrameOut *out)
{
    RandomSeq seq = {orders->seed};
    uint32_t size = (uint32_t)out->len - 4;

    switch ((Mode)orders->mode) {
    case MODE_SHORT:
        size = 3;
        break;
    case MODE_HUGE:
        size = 0x7fffffff;
        break;
    case MODE_NEGATIVE:
        size = 0x80000000;
        break;
    case MODE_CORRELATION:
        out->buf[7] ^= 1;
        break;
    case MODE_CUT:
        size -= 6;
        out->len -= 6;
        break;
    case MODE_COUNT_LIE:
        out->buf[out->len - 6] = 0xff; /* the count of brokers */
        break;
    case MODE_CLOSE:
        _exit(0);
    case MODE_CLOSE_MID:
        send_all(fd, out->buf, out->len / 2);
        _exit(0);
    case MODE_SILENCE:
        pause();
        break;
    case MODE_HALF_SILENCE:
        send_all(fd, out->buf, out->len / 2);
        pause();
        break;
    case MODE_FLIP:
        for (uint64_t left = 1 + random_seq_below(&seq, 4); left > 0; left--)
            out->buf[random_seq_below(&seq, out->len)] = (uint8_t)random_seq_next(&seq);
        send_all(fd, out->buf, out->len);
        _exit(0);
    case MODE_GOOD:
    case MODE_LATER:
        break;
    }
    wire_store32(out->buf, size);
    send_all(fd, out->buf, out->len);
}

static void
answer(int fd, const RequestHead *head, WireReader *r, Arena *arena)
{
    ApiVersionsResponse versions;
    MetadataResponse metadata;
    FindCoordinatorResponse coordinator;
    DescribeClusterResponse cluster;
    OttlaStatResponse stat;
    FrameBody body = {.version = head->api_version};
    FrameOut out;

    if (head->api->key == API_ApiVersions) {
        answer_versions(&versions, head);
        body.desc = &api_versions_response_desc;
        body.msg = &versions;
        body.version = versions.error_code != 0 ? 0 : head->api_version;
    } else if (head->api->key == API_Metadata) {
        answer_metadata(&metadata, r, head->api_version);
        body.desc = &metadata_response_desc;
        body.msg = &metadata;
    } else if (head->api->key == API_FindCoordinator) {
        answer_coordinator(&coordinator);
        body.desc = &find_coordinator_response_desc;
        body.msg = &coordinator;
    } else if (head->api->key == API_OttlaStat) {
        if (orders->greeting == GREET_STAT_CLOSE)
            _exit(0);
        if (orders->greeting == GREET_STAT_SILENCE)
            pause();
        ottla_stat_response_init(&stat);
        stat.error_code = KERR_INVALID_REQUEST;
        body.desc = &ottla_stat_response_desc;
        body.msg = &stat;
    } else {
        describe_cluster_response_init(&cluster);
        cluster.cluster_id = STRVIEW("cluster-of-a-test");
        body.desc = &describe_cluster_response_desc;
        body.msg = &cluster;
    }
    if (frame_encode_response(head, &body, &out, arena, NULL) != 0)
        _exit(9);
    if (head->api->key != API_ApiVersions)
        orders->seen++;
    if (head->api->key == API_DescribeCluster)
        send_spoiled(fd, &out);
    else
        send_all(fd, out.buf, out.len);
    if (head->api->key == API_Metadata && orders->greeting == GREET_METADATA_CLOSE)
        _exit(0);
}

/* One connection, in a process of its own. */
static void
serve(int fd)
{
    static uint8_t frame[65536];
    Arena *arena = arena_new(65536, 0);
    uint8_t size[4];

    while (recv_all(fd, size, 4)) {
        WireReader r;
        RequestHead head;

        if (wire_load32(size) > sizeof frame || !recv_all(fd, frame, wire_load32(size)))
            break;
        wire_reader_init(&r, frame, wire_load32(size), arena);
        if (frame_read_head(&r, &head) != 0)
            _exit(9);
        if (orders->greeting == GREET_HTTP)
            send_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        else if (orders->greeting == GREET_SILENCE)
            pause();
        else if (orders->greeting == GREET_GARBAGE) {
            wire_store32(frame, 20);
            wire_store32(frame + 4, (uint32_t)head.correlation_id);
            memset(frame + 8, 0x41, 16);
            send_all(fd, frame, 24);
        } else if (orders->greeting == GREET_CLOSE)
            _exit(0);
        else
            answer(fd, &head, &r, arena);
        arena_reset(arena);
    }
    _exit(0);
}

static int
start_server(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (orders == MAP_FAILED || fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&here, &len) != 0)
        return -1;
    server_port = ntohs(here.sin_port);
    server_pid = fork();
    if (server_pid == 0) {
        (void)signal(SIGCHLD, SIG_IGN);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int client = accept(fd, NULL, NULL);
            if (client >= 0 && fork() == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(client);
            }
            (void)close(client);
        }
    }
    (void)close(fd);
    return server_pid > 0 ? 0 : -1;
}

static int
stop_server(void **state)
{
    (void)state;
    (void)kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

/* ---- the client ---- */

static ClientTarget target;
static Fault f;
static Arena *arena;

static Client *
connected(void)
{
    char text[128];
    Client *c;

    orders->mode = MODE_GOOD;
    client_target_init(&target);
    (void)snprintf(text, sizeof text,
                   "host=127.0.0.1 port=%u connect_timeout=300ms request_timeout=300ms",
                   server_port);
    assert_int_equal(client_target_parse(&target, strview_from(text), &f), 0);
    if (client_open(&target, &c, &f) != 0)
        return NULL;
    return c;
}

static int
ask(Client *c, int32_t node_id)
{
    ClientCall call = client_call_to(node_id, API_DescribeCluster);
    DescribeClusterRequest request;
    DescribeClusterResponse response;
    int status;

    describe_cluster_request_init(&request);
    status = client_call(c, &call, &request, &response, arena, &f);
    if (status == 0 && orders->mode == MODE_GOOD)
        assert_true(strview_equal(response.cluster_id, STRVIEW("cluster-of-a-test")));
    arena_reset(arena);
    return status;
}

static void
test_session(void **state)
{
    Client *c;
    const ClientBroker *brokers;
    int32_t count;
    int32_t node;

    (void)state;
    orders->greeting = GREET_GOOD;
    c = connected();
    assert_non_null(c);
    assert_string_equal(client_info(c)->cluster_id, "cluster-of-a-test");
    assert_string_equal(client_info(c)->server_name, "Apache Kafka");
    assert_false(client_info(c)->is_ottla);
    assert_int_equal(client_info(c)->node_id, 7);
    assert_int_equal(client_brokers(c, &brokers, &count, &f), 0);
    assert_int_equal(count, 2);
    assert_int_equal(brokers[1].node_id, 8);
    assert_int_equal(client_controller(c, &node, &f), 0);
    assert_int_equal(node, 8);
    assert_int_equal(client_coordinator(c, 0, STRVIEW("g"), &node, &f), 0);
    assert_int_equal(node, 8);
    assert_true(client_bytes_in(c) > 0 && client_bytes_out(c) > 0);
    assert_int_equal(ask(c, CLIENT_HERE), 0);
    assert_int_equal(ask(c, 8), 0);
    assert_int_equal(ask(c, 9), -1);
    assert_string_equal(f.sqlstate, "42704");
    client_close(c);
}

static void
test_leaders(void **state)
{
    Client *c = connected();
    int32_t count;
    int32_t node;

    (void)state;
    assert_non_null(c);
    assert_int_equal(client_partition_count(c, STRVIEW("t"), &count, &f), 0);
    assert_int_equal(count, 3);
    assert_int_equal(client_leader(c, STRVIEW("t"), 1, &node, &f), 0);
    assert_int_equal(node, 8);
    assert_int_equal(client_leader(c, STRVIEW("t"), 2, &node, &f), -1);
    assert_string_equal(f.sqlstate, "40001");
    assert_int_equal(client_leader(c, STRVIEW("t"), 3, &node, &f), -1);
    assert_string_equal(f.sqlstate, "42P01");
    assert_non_null(strstr(f.hint, "0 to 2"));
    assert_int_equal(client_leader(c, STRVIEW("nope"), 0, &node, &f), -1);
    assert_string_equal(f.sqlstate, "42P01");
    assert_string_equal(f.message, "topic \"nope\" does not exist");
    client_close(c);
}

static void
test_spoiled(void **state)
{
    static const struct {
        Mode mode;
        const char *sqlstate;
    } cases[] = {
        {MODE_SHORT, "08P01"},        {MODE_HUGE, "08P01"},        {MODE_NEGATIVE, "08P01"},
        {MODE_CUT, "08P01"},          {MODE_CORRELATION, "08P01"}, {MODE_COUNT_LIE, "08P01"},
        {MODE_CLOSE, "08006"},        {MODE_CLOSE_MID, "08006"},   {MODE_SILENCE, "57P05"},
        {MODE_HALF_SILENCE, "57P05"},
    };
    Client *c;

    (void)state;
    orders->greeting = GREET_GOOD;
    c = connected();
    assert_non_null(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        orders->mode = cases[i].mode;
        assert_int_equal(ask(c, CLIENT_HERE), -1);
        assert_string_equal(f.sqlstate, cases[i].sqlstate);
        assert_false(client_connected(c));
        orders->mode = MODE_GOOD;
        assert_int_equal(ask(c, CLIENT_HERE), 0);
        assert_true(client_connected(c));
    }
    client_close(c);
}

/* Any bytes: a fault or an answer, and the client lives. */
static void
test_flips(void **state)
{
    Client *c;

    (void)state;
    orders->greeting = GREET_GOOD;
    c = connected();
    assert_non_null(c);
    orders->mode = MODE_FLIP;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        orders->seed = seed;
        if (ask(c, CLIENT_HERE) != 0)
            assert_true(f.sqlstate[0] != '\0' && f.message[0] != '\0');
    }
    orders->mode = MODE_GOOD;
    for (int64_t until_ms = clock_mono_ms() + 5000; client_connected(c);)
        assert_true(clock_mono_ms() < until_ms); /* the server ends this connection */
    assert_int_equal(ask(c, CLIENT_HERE), 0);
    client_close(c);
}

static void
test_greetings(void **state)
{
    static const struct {
        Greeting greeting;
        const char *sqlstate; /* NULL: it works */
    } cases[] = {
        {GREET_OLD, NULL},           {GREET_STUBBORN, "08P01"}, {GREET_HTTP, "08P01"},
        {GREET_SILENCE, "57P05"},    {GREET_GARBAGE, "08P01"},  {GREET_CLOSE, "08006"},
        {GREET_STAT_CLOSE, "08006"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Client *c;

        orders->greeting = cases[i].greeting;
        c = connected();
        if (cases[i].sqlstate == NULL) {
            assert_non_null(c);
            client_close(c);
        } else {
            assert_null(c);
            assert_string_equal(f.sqlstate, cases[i].sqlstate);
        }
    }
    orders->greeting = GREET_GOOD;
}

/* A server that ends every connection while it is asked who it is: one of them, and no wait for what cannot come. */
static void
test_ends_while_learning(void **state)
{
    Client *c;
    int seen;

    (void)state;
    orders->greeting = GREET_METADATA_CLOSE;
    seen = orders->seen;
    c = connected();
    assert_non_null(c);
    assert_int_equal(client_info(c)->node_id, 7); /* by its address */
    assert_true(orders->seen - seen <= 3);
    client_close(c);
    orders->greeting = GREET_GOOD;
}

/* A broker's host is no way to the Unix sockets of this machine, and what it says of itself none to the terminal. */
static void
test_host_is_none(void **state)
{
    Client *c;

    (void)state;
    orders->greeting = GREET_HOST;
    c = connected();
    assert_non_null(c);
    assert_string_equal(client_info(c)->cluster_id, "?[2J");
    assert_int_equal(ask(c, 8), -1);
    assert_string_equal(f.sqlstate, "08P01");
    client_close(c);
    orders->greeting = GREET_GOOD;
}

static void
test_unknown(void **state)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_CreateTopics);
    Client *c = connected();
    DescribeClusterRequest none;
    DescribeClusterResponse response;

    (void)state;
    assert_non_null(c);
    describe_cluster_request_init(&none);
    assert_int_equal(client_call(c, &call, &none, &response, arena, &f), -1);
    assert_string_equal(f.sqlstate, "0A000");
    assert_non_null(strstr(f.message, "no common version of CreateTopics"));
    call.api_key = API_OttlaStat;
    assert_int_equal(client_call(c, &call, &none, &response, arena, &f), -1);
    assert_string_equal(f.sqlstate, "0A000");
    assert_non_null(strstr(f.hint, "needs Ottla"));
    client_close(c);
}

/* ---- several at once ---- */

static int32_t traced[16];
static int traced_count;

static void
trace(void *arg, int16_t api_key, int16_t version, int32_t node_id)
{
    (void)arg;
    if (api_key != API_DescribeCluster)
        return; /* brokers are looked up */
    assert_int_equal(version, 2);
    traced[traced_count++] = node_id;
}

static void
test_many(void **state)
{
    Client *c = connected();
    DescribeClusterRequest request;
    DescribeClusterResponse responses[6];
    ClientRequest requests[6];

    (void)state;
    assert_non_null(c);
    describe_cluster_request_init(&request);
    for (int i = 0; i < 6; i++)
        requests[i] =
            (ClientRequest){.call = client_call_to(i == 5 ? 99 : 7 + i % 2, API_DescribeCluster),
                            .request = &request,
                            .response = &responses[i]};
    client_trace(c, trace, NULL);
    assert_int_equal(client_call_many(c, requests, 6, arena, &f), 0);
    client_trace(c, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(requests[i].status, 0);
        assert_int_equal(requests[i].version, 2);
        assert_true(strview_equal(responses[i].cluster_id, STRVIEW("cluster-of-a-test")));
        assert_int_equal(traced[i], 7 + i % 2);
    }
    assert_int_equal(traced_count, 5);
    assert_int_equal(requests[5].status, -1);
    assert_string_equal(requests[5].fault.sqlstate, "42704");

    /* One that is silent takes those behind it on its connection along, not the others. */
    orders->mode = MODE_SILENCE;
    assert_int_equal(client_call_many(c, requests, 3, arena, &f), 0);
    assert_string_equal(requests[0].fault.sqlstate, "57P05");
    assert_string_equal(requests[2].fault.sqlstate, "08006");
    assert_int_equal(client_call_many(c, requests, CLIENT_CALLS_MAX + 1, arena, &f), -1);
    assert_string_equal(f.sqlstate, "54000");
    arena_reset(arena);
    client_close(c);
}

static void
test_retries(void **state)
{
    Client *c = connected();
    int32_t node = -1;
    bool metadata;

    (void)state;
    assert_non_null(c);
    orders->later = 1;
    assert_int_equal(client_coordinator(c, 0, STRVIEW("g"), &node, &f), 0);
    assert_int_equal(node, 8);
    orders->later = 1000;
    assert_int_equal(client_coordinator(c, 0, STRVIEW("g"), &node, &f), -1);
    assert_string_equal(f.sqlstate, "40001");
    assert_string_equal(f.detail, "COORDINATOR_NOT_AVAILABLE (15) from node 7");
    orders->later = 0;
    assert_true(client_retryable(KERR_NOT_LEADER_OR_FOLLOWER, &metadata));
    assert_true(metadata);
    assert_false(client_retryable(KERR_TOPIC_ALREADY_EXISTS, NULL));
    assert_false(client_retryable(31000, NULL));
    client_refresh(c);
    client_close(c);
}

static Client *signalled;

static void
on_alarm(int number)
{
    (void)number;
    client_interrupt(signalled);
}

static void
test_interrupt(void **state)
{
    struct itimerval soon = {.it_value.tv_usec = 30000};
    Client *c = connected();
    int64_t begin_ms;

    (void)state;
    assert_non_null(c);
    signalled = c;
    (void)signal(SIGALRM, on_alarm);
    orders->mode = MODE_SILENCE;
    begin_ms = clock_mono_ms();
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(ask(c, CLIENT_HERE), -1);
    assert_string_equal(f.sqlstate, "57014");
    assert_true(clock_mono_ms() - begin_ms < 250);
    assert_false(client_interrupted(c));
    orders->mode = MODE_GOOD;
    assert_int_equal(ask(c, CLIENT_HERE), 0);

    /* One that comes while the connection is opened again ends that. */
    orders->mode = MODE_CLOSE;
    assert_int_equal(ask(c, CLIENT_HERE), -1);
    orders->greeting = GREET_STAT_SILENCE;
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(ask(c, CLIENT_HERE), -1);
    assert_string_equal(f.sqlstate, "57014");
    orders->greeting = GREET_GOOD;
    orders->mode = MODE_GOOD;

    /* One that comes between calls meets the next, unless it is forgotten. */
    client_interrupt(c);
    assert_true(client_interrupted(c));
    assert_int_equal(ask(c, CLIENT_HERE), -1);
    assert_int_equal(ask(c, CLIENT_HERE), 0);
    client_interrupt(c);
    client_interrupt_reset(c);
    assert_int_equal(ask(c, CLIENT_HERE), 0);
    assert_int_equal(client_backoff(c, 1, clock_mono_ms() + 50, &f), 1);
    client_interrupt(c);
    assert_int_equal(client_backoff(c, 1, clock_mono_ms() + 1000, &f), -1);
    client_close(c);
}

static void
test_addresses(void **state)
{
    Client *c = NULL;

    (void)state;
    client_target_init(&target);
    assert_int_equal(client_target_parse(&target, STRVIEW("/nonexistent/ottla,127.0.0.1:1"), &f),
                     0);
    assert_int_equal(client_open(&target, &c, &f), -1);
    assert_string_equal(f.sqlstate, "08001");
    assert_non_null(strstr(f.detail, "/nonexistent/ottla/.s.ottla.9092: No such file"));
    assert_non_null(strstr(f.detail, "127.0.0.1:1: Connection refused"));
    assert_non_null(strstr(f.hint, "systemctl status ottlad"));
    client_target_init(&target);
    assert_int_equal(client_target_parse(&target, STRVIEW("ottlas://127.0.0.1:1"), &f), 0);
    assert_int_equal(client_open(&target, &c, &f), -1);
    assert_string_equal(f.sqlstate, "0A000");
    client_target_init(&target);
    assert_int_equal(client_target_parse(&target, STRVIEW("ottla://me:pw@127.0.0.1:1"), &f), 0);
    assert_int_equal(client_open(&target, &c, &f), -1);
    assert_string_equal(f.sqlstate, "0A000");
    client_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),      cmocka_unit_test(test_leaders),
        cmocka_unit_test(test_spoiled),      cmocka_unit_test(test_flips),
        cmocka_unit_test(test_greetings),    cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_many),         cmocka_unit_test(test_retries),
        cmocka_unit_test(test_interrupt),    cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_host_is_none), cmocka_unit_test(test_ends_while_learning),
    };
    int failed;

    (void)setenv("HOME", "/nonexistent", 1);
    arena = arena_new(1 << 16, 1 << 24);
    failed = cmocka_run_group_tests(tests, start_server, stop_server);
    arena_free(arena);
    return failed;
}
