/*
 * fault.c - file calls of a node that fail when a test says so, by LD_PRELOAD
 *
 * FAULT_RULES names a file, looked at again whenever it changed, one rule a line:
 *
 *     CALL PATTERN ERROR        pwritev /tmp/x*.log EIO
 *
 * CALL is the name of the system call (fsync stands for fdatasync and syncfs, too), PATTERN a shell
 * pattern for the path (of getaddrinfo: for a host name), ERROR a name below, or "wait": the call is made once the rule is gone.
 * "=ADDRESS" makes that the answer of getaddrinfo. A rule holds until it is taken out of the file. What is called without libc, or by its 64-bit name, is not
 * seen: the node does neither.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 32
#define WAIT      (-1)
#define LOOK_NS   (2 * 1000 * 1000) /* how often who waits looks at the rules */

typedef struct Rule {
    char call[16];
    char pattern[512];
    int error; /* WAIT: no error, but not before the rule is gone */
    char answer[48];
} Rule;

static Rule rules[RULES_MAX];
static int rule_count;
static struct timespec rules_time;
static off_t rules_size = -1;

static int
error_of(const char *name)
{
    static const struct {
        const char *name;
        int error;
    } known[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}, {"wait", WAIT}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].error;
    abort();
}

static void
read_rules(void)
{
    const char *path = getenv("FAULT_RULES");
    char line[600], error[48];
    struct stat st;
    FILE *file;

    if (path == NULL || stat(path, &st) != 0)
        return;
    if (st.st_size == rules_size && st.st_mtim.tv_sec == rules_time.tv_sec &&
        st.st_mtim.tv_nsec == rules_time.tv_nsec)
        return;
    file = fopen(path, "r");
    if (file == NULL)
        return;
    rule_count = 0;
    while (rule_count < RULES_MAX && fgets(line, sizeof line, file) != NULL) {
        Rule *r = &rules[rule_count];

        if (sscanf(line, "%15s %511s %47s", r->call, r->pattern, error) == 3) {
            r->error = error[0] == '=' ? 0 : error_of(error);
            (void)snprintf(r->answer, sizeof r->answer, "%s", error[0] == '=' ? error + 1 : "");
            rule_count++;
        }
    }
    fclose(file);
    rules_time = st.st_mtim;
    rules_size = st.st_size;
}

/* The error of the first rule that fits; 0: none does. */
static int
rule_for(const char *call, const char *path)
{
    read_rules();
    for (int i = 0; i < rule_count; i++)
        if (strcmp(rules[i].call, call) == 0 && fnmatch(rules[i].pattern, path, 0) == 0)
            return rules[i].error;
    return 0;
}

/* True: the call fails, errno is set. */
static bool
fails(const char *call, const char *path)
{
    int before = errno, error;

    while ((error = rule_for(call, path)) == WAIT)
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    errno = error == 0 ? before : error;
    return error != 0;
}

static bool
fails_fd(const char *call, int fd)
{
    char link[64], path[4096];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return fails(call, path);
}

/* The function of this name behind ours; a union because ISO C knows no cast from data to code. */
#define REAL(type, name)       \
    union {                    \
        void *data;            \
        __typeof__(type) code; \
    } real = {dlsym(RTLD_NEXT, name)}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
    REAL(ssize_t(*)(int, const struct iovec *, int, off_t), "pwritev");

    return fails_fd("pwritev", fd) ? -1 : real.code(fd, iov, count, pos);
}

ssize_t
pread(int fd, void *buffer, size_t size, off_t pos)
{
    REAL(ssize_t(*)(int, void *, size_t, off_t), "pread");

    return fails_fd("pread", fd) ? -1 : real.code(fd, buffer, size, pos);
}

ssize_t
sendfile(int out, int in, off_t *pos, size_t size)
{
    REAL(ssize_t(*)(int, int, off_t *, size_t), "sendfile");

    return fails_fd("sendfile", in) ? -1 : real.code(out, in, pos, size);
}

#define FLUSH(name)                                        \
    int name(int fd)                                       \
    {                                                      \
        REAL(int (*)(int), #name);                         \
                                                           \
        return fails_fd("fsync", fd) ? -1 : real.code(fd); \
    }

FLUSH(fsync)
FLUSH(fdatasync)
FLUSH(syncfs)

int
rename(const char *from, const char *to)
{
    REAL(int (*)(const char *, const char *), "rename");

    return fails("rename", to) ? -1 : real.code(from, to);
}

int
open(const char *path, int flags, ...)
{
    REAL(int (*)(const char *, int, mode_t), "open");
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if ((flags & (O_CREAT | O_TMPFILE)) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    return fails("open", path) ? -1 : real.code(path, flags, mode);
}

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
            struct addrinfo **ret)
{
    REAL(int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **),
         "getaddrinfo");

    if (host != NULL && (hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0) &&
        fails("getaddrinfo", host))
        return EAI_FAIL;
    for (int i = 0; host != NULL && i < rule_count; i++)
        if (rules[i].answer[0] != '\0' && strcmp(rules[i].call, "getaddrinfo") == 0 &&
            fnmatch(rules[i].pattern, host, 0) == 0)
            return real.code(rules[i].answer, service, hints, ret);
    return real.code(host, service, hints, ret);
}
