/*
 * banned.h - calls that have a better one here; made compile errors that name it
 *
 * The makefile includes it before every source file of src/ (not in tests). It pulls in the system
 * headers that declare the calls, so that only later uses are caught.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_BANNED_H
#define OTTLA_COMMON_BANNED_H

#include <alloca.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define OT_BANNED(call, instead) ot_banned_##call##_use_##instead

#undef strcpy
#define strcpy(a, b) OT_BANNED(strcpy, strbuf)
#undef strcat
#define strcat(a, b) OT_BANNED(strcat, strbuf)
#undef strncpy
#define strncpy(a, b, n) OT_BANNED(strncpy, snprintf)
#undef strncat
#define strncat(a, b, n) OT_BANNED(strncat, strbuf)
#undef sprintf
#define sprintf(...) OT_BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(a, b, c) OT_BANNED(vsprintf, vsnprintf)
#undef strtok
#define strtok(a, b) OT_BANNED(strtok, strview)
#undef atoi
#define atoi(a) OT_BANNED(atoi, parse_int64)
#undef atol
#define atol(a) OT_BANNED(atol, parse_int64)
#undef atoll
#define atoll(a) OT_BANNED(atoll, parse_int64)
#undef alloca
#define alloca(a) OT_BANNED(alloca, arena_alloc)
#undef localtime
#define localtime(a) OT_BANNED(localtime, clock_format)
#undef gmtime
#define gmtime(a) OT_BANNED(gmtime, clock_format)
#undef ctime
#define ctime(a) OT_BANNED(ctime, clock_format)
#undef asctime
#define asctime(a) OT_BANNED(asctime, clock_format)
#undef time
#define time(a) OT_BANNED(time, clock_wall_ms)
#undef gettimeofday
#define gettimeofday(a, b) OT_BANNED(gettimeofday, clock_wall_ms)
#undef rand
#define rand() OT_BANNED(rand, random_u64)
#undef random
#define random() OT_BANNED(random, random_u64)
#undef sleep
#define sleep(a) OT_BANNED(sleep, latch_wait)
#undef usleep
#define usleep(a) OT_BANNED(usleep, latch_wait)
#undef tmpnam
#define tmpnam(a) OT_BANNED(tmpnam, mkstemp)
#undef system
#define system(a) OT_BANNED(system, fork)
#undef popen
#define popen(a, b) OT_BANNED(popen, fork)

#ifdef OT_BAN_MALLOC
#undef malloc
#define malloc(a) OT_BANNED(malloc, arena_alloc)
#undef calloc
#define calloc(a, b) OT_BANNED(calloc, arena_calloc)
#undef realloc
#define realloc(a, b) OT_BANNED(realloc, arena_alloc)
#undef strdup
#define strdup(a) OT_BANNED(strdup, arena_strdup)
#endif

#endif
