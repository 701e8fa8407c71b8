/*
 * test_region.c - the region is carved as the table says, costs what is touched, refuses too much
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/waitlist.h"

static size_t sizes[3] = {100, 5000, 0};
static void *bases[3];

static size_t
size_0(const ShmLimits *limits)
{
    (void)limits;
    return sizes[0];
}

static size_t
size_1(const ShmLimits *limits)
{
    (void)limits;
    return sizes[1];
}

static size_t
size_2(const ShmLimits *limits)
{
    (void)limits;
    return sizes[2];
}

static void
init_0(void *base, const ShmLimits *limits)
{
    (void)limits;
    bases[0] = base;
}

static void
init_1(void *base, const ShmLimits *limits)
{
    (void)limits;
    bases[1] = base;
}

static void
init_2(void *base, const ShmLimits *limits)
{
    (void)limits;
    bases[2] = base;
}

static const RegionRow rows[3] = {
    {"small", size_0, init_0, "", "", ""},
    {"large", size_1, init_1, "", "", ""},
    {"none", size_2, init_2, "", "", ""},
};

static void
rows_are_aligned_and_apart(void **state)
{
    ShmLimits limits;
    Region region = {0};

    (void)state;
    shm_limits_default(&limits);
    assert_int_equal(region_map(rows, 3, &limits, &region, NULL), 0);
    assert_int_equal((uintptr_t)bases[0] % CACHE_LINE_BYTES, 0);
    assert_int_equal((uintptr_t)bases[1] % REGION_PAGE, 0);
    assert_true((char *)bases[1] >= (char *)bases[0] + sizes[0]);
    assert_null(bases[2]);
    assert_true((char *)bases[1] + sizes[1] <= (char *)region.base + region.size);
    memset(bases[0], 1, sizes[0]);
    memset(bases[1], 1, sizes[1]);
    region_unmap(&region);
    assert_null(region.base);
    region_unmap(&region);
}

static void
too_much_is_refused_with_its_name(void **state)
{
    ShmLimits limits;
    Region region = {0};
    ErrInfo err = {0};

    (void)state;
    shm_limits_default(&limits);
    sizes[1] = REGION_BYTES_MAX;
    assert_int_equal(region_map(rows, 3, &limits, &region, &err), OT_E_CONFIG);
    assert_non_null(strstr(err.text, "\"large\""));
    assert_null(region.base);
    sizes[1] = 5000;
}

/* Pages of the mapping that have memory. */
static size_t
resident_pages(const Region *region)
{
    static unsigned char map[REGION_BYTES_MAX / REGION_PAGE];
    size_t pages = region->size / REGION_PAGE;
    size_t count = 0;

    assert_int_equal(mincore(region->base, region->size, map), 0);
    for (size_t i = 0; i < pages; i++)
        count += map[i] & 1;
    return count;
}

static void
default_limits_cost_nothing_untouched(void **state)
{
    ShmLimits limits;
    size_t pages;

    (void)state;
    shm_limits_default(&limits);
    kit_map(&limits);
    pages = resident_pages(&kit_region);
    printf("# %zu MiB virtual, %zu pages touched by init\n", kit_region.size >> 20, pages);
    assert_true(kit_region.size < (size_t)1500 << 20);
    assert_true(pages < 32);
    kit_become(5);
    pages = resident_pages(&kit_region) - pages;
    printf("# %zu pages touched by one process\n", pages);
    assert_true(pages < 16);
    kit_teardown(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_aligned_and_apart),
        cmocka_unit_test(too_much_is_refused_with_its_name),
        cmocka_unit_test(default_limits_cost_nothing_untouched),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
