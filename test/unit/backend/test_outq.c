/*
 * test_outq.c - answers of memory and files through a socket that takes little at a time
 *
 * Proves O1, O2 of outq.c and the framing of request.c: whatever the cuts, the reader sees the
 * bytes in order, and every descriptor is given back exactly once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/request_int.h"
#include "ottla/common/err.h"

static int released;

static void
count_release(void *owner, int fd)
{
    (void)fd;
    released++;
    *(int *)owner += 1;
}

static int
file_of(const char *text, size_t times)
{
    FILE *f = tmpfile();
    int fd;

    assert_non_null(f);
    for (size_t i = 0; i < times; i++)
        fputs(text, f);
    fflush(f);
    fd = dup(fileno(f));
    fclose(f);
    return fd;
}

static size_t
drain(int sock, uint8_t *into, size_t room)
{
    ssize_t n = recv(sock, into, room, MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

static void
test_mixed_answer(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Request rq = {.arena = arena, .correlation_id = 77, .flexible = true};
    static uint8_t big[300000], got[2000000];
    int sv[2], fd, owner = 0, small = 8192;
    size_t used = 0;
    int64_t sent, total = 0;
    OutStatus status;

    (void)state;
    released = 0;
    memset(big, 'm', sizeof big);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fcntl(sv[0], F_SETFL, O_NONBLOCK);
    fd = file_of("0123456789", 40000);

    assert_int_equal(response_begin(&rq), 0);
    for (int i = 0; i < 3; i++) {
        OutPiece slice = {.fd = fd, .pos = 5, .len = 390000, .release = count_release, .owner = &owner};

        assert_int_equal(response_add_mem(&rq, big, sizeof big), 0);
        assert_int_equal(response_add_mem(&rq, "", 0), 0);
        assert_int_equal(response_add_file(&rq, &slice), 0);
        slice.len = 0; /* an empty slice is given back at once */
        assert_int_equal(response_add_file(&rq, &slice), 0);
        assert_int_equal(owner, i + 1);
    }
    assert_int_equal(response_end(&rq), REQ_DONE);
    do {
        status = outmsg_send(&rq.out, sv[0], false, &sent);
        assert_int_not_equal(status, OUT_BROKEN);
        total += sent;
        used += drain(sv[1], got + used, 3001 < sizeof got - used ? 3001 : sizeof got - used);
    } while (status != OUT_SENT);
    while (used < (size_t)total)
        used += drain(sv[1], got + used, sizeof got - used);
    assert_int_equal(owner, 6);
    assert_int_equal(total, 9 + 3 * (300000 + 390000));
    assert_int_equal(got[0] << 24 | got[1] << 16 | got[2] << 8 | got[3], total - 4);
    assert_int_equal(got[7], 77);
    for (int i = 0; i < 3; i++) {
        const uint8_t *at = got + 9 + i * (300000 + 390000);

        assert_memory_equal(at, big, sizeof big);
        assert_memory_equal(at + sizeof big, "56789", 5);
        assert_memory_equal(at + sizeof big + 389990, "5678901234", 10);
    }
    close(sv[0]);
    close(sv[1]);
    close(fd);
    arena_free(arena);
}

static void
test_drop_gives_back(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Request rq = {.arena = arena};
    int fd = file_of("x", 10), owner = 0;
    OutPiece slice = {.fd = fd, .len = 10, .release = count_release, .owner = &owner};

    (void)state;
    assert_int_equal(response_begin(&rq), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(response_add_file(&rq, &slice), 0);
    assert_int_equal(owner, 0);
    response_discard(&rq);
    assert_int_equal(owner, 20);
    assert_int_equal(rq.out.bytes_left, 0);
    close(fd);
    arena_free(arena);
}

static void
test_short_file_and_gone_client(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Request rq = {.arena = arena};
    int fd = file_of("x", 10), owner = 0, sv[2];
    OutPiece slice = {.fd = fd, .len = 11, .release = count_release, .owner = &owner};
    int64_t sent;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    assert_int_equal(response_begin(&rq), 0);
    assert_int_equal(response_add_file(&rq, &slice), 0);
    assert_int_equal(response_end(&rq), REQ_DONE);
    assert_int_equal(outmsg_send(&rq.out, sv[0], false, &sent), OUT_BROKEN);
    outmsg_drop(&rq.out);
    assert_int_equal(owner, 1);
    close(sv[1]);
    assert_non_null(response_body(&rq, 3));
    assert_int_equal(outmsg_send(&rq.out, sv[0], false, &sent), OUT_BROKEN);
    close(sv[0]);
    close(fd);
    arena_free(arena);
}

static void
test_arena_is_full(void **state)
{
    Arena *arena = arena_new(4096, 4096);
    Request rq = {.arena = arena};
    int owner = 0, rc = 0, count = 0;
    OutPiece slice = {.fd = 0, .len = 10, .release = count_release, .owner = &owner};

    (void)state;
    assert_null(response_body(&rq, 100000));
    assert_int_equal(response_begin(&rq), 0);
    while (rc == 0 && count < 100000) {
        rc = response_add_file(&rq, &slice);
        count++;
    }
    assert_int_equal(rc, OT_E_MEMORY);
    assert_int_equal(owner, 1); /* the one refused */
    response_discard(&rq);
    assert_int_equal(owner, count);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_answer),
        cmocka_unit_test(test_drop_gives_back),
        cmocka_unit_test(test_short_file_and_gone_client),
        cmocka_unit_test(test_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
