/*
 * test_outq.c - answers of memory and files through a socket that takes little at a time
 *
 * Proves the invariant of outq.c: whatever the cuts, the reader sees the bytes in order, once.
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

#include "backend/outq_int.h"
#include "ottla/common/err.h"

#define MEM_BYTES  300000
#define FILE_BYTES 390000
#define ROUNDS     3

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

/* Takes at most room bytes that are there. */
static size_t
drain(int sock, uint8_t *into, size_t room)
{
    ssize_t n = recv(sock, into, room, MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

static void
test_mixed_answer(void **state)
{
    static uint8_t big[MEM_BYTES], got[ROUNDS * (MEM_BYTES + FILE_BYTES)];
    Arena *arena = arena_new(4096, 0);
    OutMsg msg;
    OutCount count = {0};
    OutStatus status;
    int sv[2], small = 8192, fd = file_of("0123456789", FILE_BYTES / 10 + 1);
    size_t used = 0;

    (void)state;
    memset(big, 'm', sizeof big);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fcntl(sv[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(outmsg_init(&msg, 2 * ROUNDS, arena), 0);
    for (int i = 0; i < ROUNDS; i++) {
        outmsg_add_mem(&msg, big, sizeof big);
        outmsg_add_mem(&msg, "", 0);
        outmsg_add_file(&msg, fd, 5, FILE_BYTES);
        outmsg_add_file(&msg, fd, 5, 0);
    }
    assert_int_equal(msg.bytes_left, sizeof got);
    do {
        status = outmsg_send(&msg, sv[0], false, &count);
        assert_int_not_equal(status, OUT_BROKEN);
        assert_int_equal(msg.bytes_left + count.bytes, sizeof got);
        used += drain(sv[1], got + used, sizeof got - used < 3001 ? sizeof got - used : 3001);
    } while (status != OUT_SENT);
    while (used < sizeof got) {
        size_t n = drain(sv[1], got + used, sizeof got - used);

        assert_int_not_equal(n, 0);
        used += n;
    }
    assert_int_equal(count.bytes, sizeof got);
    assert_int_equal(count.file_bytes, ROUNDS * FILE_BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t *at = got + (size_t)i * (MEM_BYTES + FILE_BYTES);

        assert_memory_equal(at, big, sizeof big);
        assert_memory_equal(at + MEM_BYTES, "56789", 5);
        assert_memory_equal(at + MEM_BYTES + FILE_BYTES - 10, "5678901234", 10);
    }
    close(sv[0]);
    close(sv[1]);
    close(fd);
    arena_free(arena);
}

static void
test_short_file_and_gone_client(void **state)
{
    Arena *arena = arena_new(4096, 0);
    OutMsg msg;
    OutCount count = {0};
    int fd = file_of("x", 10), sv[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    fcntl(sv[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(outmsg_init(&msg, 2, arena), 0);
    outmsg_add_file(&msg, fd, 0, 11);
    assert_int_equal(outmsg_send(&msg, sv[0], false, &count), OUT_UNREADABLE);
    close(sv[1]);
    assert_int_equal(outmsg_init(&msg, 1, arena), 0);
    outmsg_add_mem(&msg, "abc", 3);
    assert_int_equal(outmsg_send(&msg, sv[0], false, &count), OUT_BROKEN);
    close(sv[0]);
    close(fd);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_answer),
        cmocka_unit_test(test_short_file_and_gone_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
