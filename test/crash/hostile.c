/*
 * hostile.c - connections that send what no client should: only they may suffer
 *
 *     hostile PORT SUPERVISOR_PID CORPUS ROUNDS SEED
 *
 * The attacks stand in hostile_frames.c, hostile_bombs.c and hostile_fetch.c. It proves (design.md 2, promise 4, and section
 * 4 "Requests"; TAP on stdout):
 *
 *   - every such connection is answered or closed within ANSWER_US; none is stuck
 *   - a witness on its own connection gets its answers all the while, in time, and is never broken
 *   - the memory of a backend stays below process base + 1 MiB + api_memory_bytes() of its request
 *   - in the end no backend is left but the witness's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ottla/common/clock.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_api_versions.h"

#define WITNESS_MAX       4096
#define WITNESS_MEDIAN_US 50000 /* on a machine that does other things, too */
#define WITNESS_MOST_US   5000000

WireClient witness;

void
give_up(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(3);
}

void
pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

/* ---- the witness -------------------------------------------------------------------------------- */

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
    printf("# seed %s\n", argv[5]);
    wire_client_init(&witness, (uint16_t)strtol(argv[1], NULL, 10));
    if (!wire_client_connect(&witness) || !witness_lives())
        give_up("the witness is not served");
    node_watch((pid_t)strtol(argv[2], NULL, 10));

    attack_by_frames(argv[3], (int)strtol(argv[4], NULL, 10), strtoull(argv[5], NULL, 0));
    attack_by_bombs();
    attack_by_fetches();

    check(witness_lives(), "the witness was never broken");
    check_latency();
    check(all_gone(), "all other backends are gone");
    printf("# %ld connections\n", connections);
    return tap_end();
}
