/*
 * hostile.c - connections that send what no client should: only they may suffer
 *
 *     hostile PORT SUPERVISOR_PID CORPUS ROUNDS SEED
 *
 * Sizes that lie, frames cut off, other protocols, counts beyond the buffer, mutated and random frames,
 * silence, dribbled bytes, a reader that never reads, a fetch of everything. It proves (design.md 2, promise 4, and section
 * 4 "Requests"; TAP on stdout):
 *
 *   - every such connection is answered or closed within ANSWER_MS; none is stuck
 *   - a witness on its own connection gets its answers all the while, in time, and is never broken
 *   - the memory of a backend stays below process base + 1 MiB + api_memory_bytes() of its request
 *   - in the end no backend is left but the witness's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_api_versions.h"

#define ANSWER_MS         20000
#define REQUEST_MAX       104857600   /* socket.request.max.bytes by default */
#define BASE_SLACK        (512 << 10) /* allocator and stack */
#define CORPUS_MAX        1024
#define FRAME_MAX         (1 << 20)
#define SILENT_COUNT      1000
#define WITNESS_MAX       4096
#define WITNESS_MEDIAN_US 50000 /* on a machine that does other things, too */
#define WITNESS_MOST_US   5000000

typedef struct Sample {
    uint8_t *bytes;
    size_t len;
} Sample;

static uint16_t server_port;
static pid_t supervisor;
static RandomSeq seq;
WireClient witness;
static Sample corpus[CORPUS_MAX];
static int corpus_count;
static int64_t base_bytes; /* private memory of a backend that answered one small request */
static int tests, failures;
static long connections;

/* ---- TAP ---------------------------------------------------------------------------------------- */

void
check(bool good, const char *what)
{
    tests++;
    failures += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", tests, what);
    fflush(stdout);
}

void
give_up(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(3);
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

/* ---- connections -------------------------------------------------------------------------------- */

int
dial(int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        give_up("socket");
    if (receive_buffer > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        give_up("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        give_up("fcntl");
    connections++;
    return fd;
}

static uint16_t
local_port(int fd)
{
    struct sockaddr_in self;
    socklen_t size = sizeof self;

    return getsockname(fd, (struct sockaddr *)&self, &size) == 0 ? ntohs(self.sin_port) : 0;
}

bool
drain(int fd)
{
    static char sink[65536];
    ssize_t n;

    do
        n = recv(fd, sink, sizeof sink, 0);
    while (n > 0);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

bool
hear(int fd, void *bytes, size_t len)
{
    int64_t end = now_ms() + ANSWER_MS;
    uint8_t *at = bytes;

    while (len > 0 && now_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = recv(fd, at, len, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else {
            (void)poll(&p, 1, 100);
        }
    }
    return len == 0;
}

bool
push(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    int64_t end = now_ms() + ANSWER_MS;

    while (len > 0 && now_ms() < end) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        } else if (poll(&p, 1, 1000) > 0 && (p.revents & POLLIN) && !drain(fd)) {
            return false;
        }
    }
    return len == 0;
}

/* Waits for the end of the connection, dropping answers; closes it. False: it did not end. */
static bool
ends(int fd)
{
    int64_t end = now_ms() + ANSWER_MS;
    bool open = drain(fd);

    while (open && now_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        (void)poll(&p, 1, 100);
        open = drain(fd);
    }
    close(fd);
    return !open;
}

static bool
ends_after(const void *bytes, size_t len)
{
    int fd = dial(0);

    (void)push(fd, bytes, len); /* refused in the middle is fine */
    return ends(fd);
}

/* The same, but our side says that nothing more comes: waits are over then, too. */
static bool
ends_half_closed(const void *bytes, size_t len)
{
    int fd = dial(0);

    (void)push(fd, bytes, len);
    (void)shutdown(fd, SHUT_WR);
    return ends(fd);
}

static int64_t witness_us[WITNESS_MAX]; /* how long its answers took */
static int witness_count;

bool
witness_lives(void)
{
    ApiVersionsRequest request;
    ApiVersionsResponse response;
    WireCall call = {
        API_ApiVersions, 0, &api_versions_request_desc, &request, &api_versions_response_desc,
        &response};
    int64_t begin_us = clock_mono_us();
    bool lives;

    api_versions_request_init(&request);
    lives = wire_client_call(&witness, &call) == WIRE_OK && response.error_code == 0;
    if (witness_count < WITNESS_MAX)
        witness_us[witness_count++] = clock_mono_us() - begin_us;
    return lives;
}

static int
compare_us(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Whoever behaves waits for a processor like others, and for nothing else. */
static void
check_latency(void)
{
    int64_t median, most;

    qsort(witness_us, (size_t)witness_count, sizeof witness_us[0], compare_us);
    median = witness_us[witness_count / 2];
    most = witness_us[witness_count - 1];
    printf("# the witness waited %lld us at the median, %lld us at most, of %d answers\n",
           (long long)median, (long long)most, witness_count);
    check(median < WITNESS_MEDIAN_US && most < WITNESS_MOST_US, "the witness was served in time");
}

/* ---- what the node looks like ------------------------------------------------------------------- */

static size_t
slurp(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && len + 1 < room) {
        n = read(fd, text + len, room - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    text[len] = 0;
    return len;
}

/* Children of the supervisor whose title holds the text; the first of them. */
static int
count_children(const char *with, pid_t *ret_first)
{
    char list[65536], path[64], title[512];
    int count = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
    (void)slurp(path, list, sizeof list);
    for (char *at = strtok(list, " "); at != NULL; at = strtok(NULL, " ")) {
        snprintf(path, sizeof path, "/proc/%s/cmdline", at);
        (void)slurp(path, title, sizeof title);
        if (strstr(title, with) == NULL)
            continue;
        if (count++ == 0 && ret_first != NULL)
            *ret_first = (pid_t)strtol(at, NULL, 10);
    }
    return count;
}

/* Private memory of the backend that serves this port of ours; 0: none. */
static int64_t
backend_bytes(uint16_t port)
{
    char text[32], path[64], rollup[4096];
    const char *line;
    pid_t pid = 0;

    snprintf(text, sizeof text, ":%u ", (unsigned)port);
    if (count_children(text, &pid) == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    (void)slurp(path, rollup, sizeof rollup);
    line = strstr(rollup, "Private_Dirty:");
    return line == NULL ? 0 : strtoll(line + sizeof "Private_Dirty:" - 1, NULL, 10) * 1024;
}

int64_t
peak_bytes(int fd)
{
    char text[32], path[64], status[4096];
    const char *line;
    pid_t pid = 0;

    snprintf(text, sizeof text, ":%u ", (unsigned)local_port(fd));
    if (count_children(text, &pid) == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    (void)slurp(path, status, sizeof status);
    line = strstr(status, "VmHWM:");
    return line == NULL ? 0 : strtoll(line + sizeof "VmHWM:" - 1, NULL, 10) * 1024;
}

bool
within(int fd, const ApiInfo *api, int64_t request_bytes)
{
    int64_t most =
        base_bytes + BASE_SLACK + (1 << 20) + (int64_t)api_memory_bytes(api, (size_t)request_bytes);
    int64_t end = now_ms() + ANSWER_MS;
    int64_t bytes = backend_bytes(local_port(fd));
    bool good;

    while (bytes == 0 && now_ms() < end) { /* it may just be starting */
        pause_ms(5);
        bytes = backend_bytes(local_port(fd));
    }
    good = bytes > 0 && bytes <= most;
    if (!good)
        printf("# %lld bytes of private memory, allowed %lld\n", (long long)bytes, (long long)most);
    return good;
}

/* ---- frames ------------------------------------------------------------------------------------- */

static void
read_corpus(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    if (d == NULL)
        give_up(dir);
    while ((e = readdir(d)) != NULL && corpus_count < CORPUS_MAX) {
        char path[512];
        static char bytes[FRAME_MAX];
        Sample *s = &corpus[corpus_count];

        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        s->len = slurp(path, bytes, sizeof bytes);
        if (e->d_name[0] == '.' || s->len == 0)
            continue;
        s->bytes = malloc(s->len);
        if (s->bytes == NULL)
            give_up("malloc");
        memcpy(s->bytes, bytes, s->len);
        corpus_count++;
    }
    closedir(d);
    if (corpus_count == 0)
        give_up("empty corpus");
}

static void
put_size(uint8_t *frame, uint32_t size)
{
    wire_store32(frame, size);
}

/* A frame of the corpus with its size; its length. */
static size_t
sample_frame(uint8_t *frame)
{
    const Sample *s = &corpus[random_seq_below(&seq, (uint64_t)corpus_count)];

    memcpy(frame + 4, s->bytes, s->len);
    put_size(frame, (uint32_t)s->len);
    return s->len + 4;
}

/* Changes some bytes behind the size, which stays right. */
static size_t
mutate(uint8_t *frame, size_t len)
{
    static const uint8_t nasty[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe};
    int changes = 1 + (int)random_seq_below(&seq, 8);

    for (int i = 0; i < changes && len > 5; i++) {
        size_t at = 4 + (size_t)random_seq_below(&seq, len - 4);

        switch (random_seq_below(&seq, 5)) {
        case 0:
            frame[at] ^= (uint8_t)(1u << random_seq_below(&seq, 8));
            break;
        case 1:
            frame[at] = nasty[random_seq_below(&seq, sizeof nasty)];
            break;
        case 2:
            for (size_t k = at; k < len && k < at + 4; k++)
                frame[k] = k == at ? 0x7f : 0xff;
            break;
        case 3: /* a piece is left out */
            memmove(frame + at, frame + at + 1, len - at - 1);
            len--;
            break;
        default: /* a piece twice */
            memmove(frame + at + 1, frame + at, len - at);
            len++;
            break;
        }
    }
    put_size(frame, (uint32_t)(len - 4));
    return len;
}

/* ---- the attacks -------------------------------------------------------------------------------- */

static void
attack_sizes(void)
{
    static const uint32_t sizes[] = {0xffffffffu, 0x80000000u, 0x7fffffffu, REQUEST_MAX + 1, 0, 1};
    bool ended = true;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t frame[64] = {0};

        put_size(frame, sizes[i]);
        ended = ended && ends_after(frame, sizeof frame);
    }
    check(ended, "sizes that cannot be: closed");
    check(witness_lives(), "... the witness is answered");
}

/* The largest size allowed, and no bytes: memory is promised, not taken. */
static void
attack_promises(void)
{
    int fds[6];
    uint8_t frame[2048] = {0, 0, 0, 0, 0, 0, 0, 9};
    bool small = true, ended = true;

    put_size(frame, REQUEST_MAX);
    for (size_t i = 0; i < 6; i++) {
        fds[i] = dial(0);
        (void)push(fds[i], frame, sizeof frame);
    }
    check(witness_lives(), "six frames of 100 MiB begun: the witness is answered");
    for (size_t i = 0; i < 6; i++)
        small = within(fds[i], api_find(API_Produce), (int64_t)sizeof frame) && small;
    check(small, "... and cost nothing as long as they do not come");
    for (size_t i = 0; i < 6; i++) {
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and end with their clients");
}

static void
attack_halves(void)
{
    static uint8_t frame[FRAME_MAX + 64];
    int fds[60];
    bool ended = true;

    for (size_t i = 0; i < 60; i++) {
        size_t len = sample_frame(frame);

        fds[i] = dial(0);
        (void)push(fds[i], frame, 1 + (size_t)random_seq_below(&seq, len - 1));
    }
    check(witness_lives(), "60 halves of frames and silence: the witness is answered");
    for (size_t i = 0; i < 60; i++) {
        if (i % 2 == 0) {
            close(fds[i]);
            continue;
        }
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and none is stuck");
}

static void
attack_protocols(void)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                        "SSH-2.0-OpenSSH_9.2\r\n",
                                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03tls",
                                        "EHLO localhost\r\n",
                                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff"};
    static uint8_t noise[65536];
    bool ended = true;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ended = ends_after(texts[i], strlen(texts[i])) && ended;
    check(ended, "HTTP, TLS, SSH, SMTP: closed");
    for (int round = 0; round < 50; round++) {
        size_t len = 1 + (size_t)random_seq_below(&seq, sizeof noise);

        for (size_t i = 0; i < len; i++)
            noise[i] = (uint8_t)random_seq_next(&seq);
        ended = ends_half_closed(noise, len) && ended;
    }
    check(ended, "noise: closed");
    check(witness_lives(), "... the witness is answered");
}

/* Every API in every version, whose body is nothing but the largest counts. */
static void
attack_counts(void)
{
    static const uint8_t bodies[][12] = {
        {0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
        {0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff},
        {0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00},
        {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff}}; /* no varint ends */
    bool ended = true;

    for (int16_t key = 0; key < 95; key++)
        for (int16_t version = 0; version < 19; version++)
            for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
                uint8_t frame[64];
                size_t len = 14;
                const ApiInfo *api = api_find(key);

                if (api == NULL || version > api->offer_hi)
                    continue;
                wire_store16(frame + 4, (uint16_t)key);
                wire_store16(frame + 6, (uint16_t)version);
                wire_store32(frame + 8, 1);
                wire_store16(frame + 12, 0xffff); /* no client id */
                if (version >= api->flexible_from)
                    frame[len++] = 0;
                memcpy(frame + len, bodies[i], sizeof bodies[i]);
                len += sizeof bodies[i];
                put_size(frame, (uint32_t)(len - 4));
                ended = ends_half_closed(frame, len) && ended;
            }
    check(ended, "counts beyond the buffer, in every API and version: answered or closed");
    check(witness_lives(), "... the witness is answered");
}

static void
attack_mutants(int rounds)
{
    static uint8_t frame[2 * FRAME_MAX];
    bool ended = true, lives = true;

    for (int i = 0; i < rounds; i++) {
        size_t len = mutate(frame, sample_frame(frame));

        if (random_seq_below(&seq, 8) == 0) /* and a size that is wrong, too */
            put_size(frame, (uint32_t)(len - 4 + random_seq_below(&seq, 64) - 32));
        ended = ends_half_closed(frame, len) && ended;
        if (i % 100 == 0)
            lives = witness_lives() && lives;
    }
    printf("# %d mutants of %d frames\n", rounds, corpus_count);
    check(ended, "mutated frames: answered or closed");
    check(lives && witness_lives(), "... the witness is answered");
}

/* A large request of nonsense: its memory is bounded, and it is answered or closed. */
static void
attack_large(void)
{
    static const int16_t keys[] = {API_Produce, API_Fetch, API_Metadata, API_CreateTopics};
    const size_t len = 16 << 20;
    uint8_t *frame = malloc(len + 4);
    bool small = true, ended = true;

    if (frame == NULL)
        give_up("malloc");
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        int fd = dial(0);

        memset(frame, 0, len + 4);
        put_size(frame, (uint32_t)len);
        wire_store16(frame + 4, (uint16_t)keys[k]);
        wire_store16(frame + 6, 4);
        wire_store16(frame + 12, 0xffff);
        wire_store32(frame + 14, 0x00ffffff); /* whatever it is in this API: a large count */
        if (push(fd, frame, len)) {           /* all but the last bytes */
            small = within(fd, api_find(keys[k]), (int64_t)len) && small;
            (void)push(fd, frame + len, 4);
        }
        (void)shutdown(fd, SHUT_WR);
        ended = ends(fd) && ended;
    }
    free(frame);
    check(small, "requests of 16 MiB stay within their memory");
    check(ended, "... and are answered or closed");
}

static void
attack_silence(void)
{
    int fds[SILENT_COUNT];
    bool open = true;

    for (int i = 0; i < SILENT_COUNT; i++)
        fds[i] = dial(0);
    check(witness_lives(), "1,000 silent connections: the witness is answered");
    for (int i = 0; i < SILENT_COUNT; i++) {
        open = drain(fds[i]) && open;
        close(fds[i]);
    }
    check(open, "... and they are left alone"); /* connections.max.idle.ms is far away */
}

static void
attack_dribble(void)
{
    static uint8_t frame[FRAME_MAX + 64];
    int fds[20];
    bool ended = true;
    size_t len;

    do
        len = sample_frame(frame);
    while (len < 40);
    for (int i = 0; i < 20; i++)
        fds[i] = dial(0);
    for (size_t at = 0; at < 40; at++)
        for (int i = 0; i < 20; i++)
            (void)push(fds[i], frame + at, 1);
    check(witness_lives(), "frames byte by byte: the witness is answered");
    for (int i = 0; i < 20; i++) {
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and none is stuck");
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static bool
all_gone(void)
{
    int64_t end = now_ms() + ANSWER_MS;
    int left;

    do {
        left = count_children(" 127.0.0.1:", NULL);
        if (left > 1)
            pause_ms(20);
    } while (left > 1 && now_ms() < end);
    if (left != 1)
        printf("# %d backends are left\n", left);
    return left == 1;
}

int
main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 6) {
        fprintf(stderr, "usage: hostile PORT SUPERVISOR_PID CORPUS ROUNDS SEED\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        give_up("getrlimit");
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        give_up("setrlimit");
    server_port = (uint16_t)strtol(argv[1], NULL, 10);
    supervisor = (pid_t)strtol(argv[2], NULL, 10);
    seq = (RandomSeq){strtoull(argv[5], NULL, 0)};
    printf("# seed %s\n", argv[5]);
    read_corpus(argv[3]);
    wire_client_init(&witness, server_port);
    if (!wire_client_connect(&witness) || !witness_lives())
        give_up("the witness is not served");
    base_bytes = backend_bytes(witness.local_port);
    printf("# a backend's own memory: %lld bytes\n", (long long)base_bytes);
    check(base_bytes > 0, "the witness's backend is seen");

    attack_sizes();
    attack_promises();
    attack_halves();
    attack_protocols();
    attack_counts();
    attack_mutants((int)strtol(argv[4], NULL, 10));
    attack_large();
    attack_silence();
    attack_dribble();
    attack_bombs();
    attack_deaf();
    attack_named();

    check(witness_lives(), "the witness was never broken");
    check_latency();
    check(all_gone(), "all other backends are gone");
    printf("# %ld connections\n", connections);
    printf("1..%d\n", tests);
    return failures == 0 ? 0 : 1;
}
