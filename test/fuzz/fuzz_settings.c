/*
 * fuzz_settings.c - any bytes as ottla.conf, server.properties, or an assignment of -c
 *
 * Byte 0 chooses. Claims: loading ends with a report or with values, and never crashes; an error changes
 * nothing; every value that was accepted is one that its row allows, and reads back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted is allowed. */
static void
check_values(void)
{
    for (int id = 0; id < CONF_ID_COUNT; id++) {
        const ConfRow *row = &conf_rows[id];
        ErrInfo err;

        if (row->scope != CONF_SCOPE_BROKER || !conf_is_set((ConfId)id))
            continue;
        ot_assert(conf_check(row, conf_resolve_broker((ConfId)id, NULL).text, &err) == 0);
        ot_assert(conf_place((ConfId)id) != NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    uint8_t how = fuzz_byte(&in) % 3;
    const char *folder = fuzz_folder();
    BytesView bytes = fuzz_rest(&in);
    char path[256], *assignment = NULL;
    const char *assignments[1];
    ConfReport report;
    ConfArgs args = {0};

    if (size > 1 << 14)
        return 0;
    fuzz_quiet();
    conf_reset();
    conf_report_init(&report);
    (void)snprintf(path, sizeof path, "%s/file", folder);
    if (how == 2) {
        assignment = strndup(bytes.len > 0 ? (const char *)bytes.ptr : "", (size_t)bytes.len);
        ot_assert(assignment != NULL);
        assignments[0] = assignment;
        args.assignments = assignments;
        args.assignment_count = 1;
    } else {
        fuzz_write(folder, "file", bytes);
        if (how == 0)
            args.file = path;
        else
            args.properties = path;
    }
    if (conf_load(&args, &report) == 0) {
        ot_assert(report.error_count == 0);
        check_values();
        conf_report_release(&report);
        conf_report_init(&report);
        ot_assert(conf_reload(&args, &report) == 0);
    } else {
        ot_assert(report.error_count > 0);
        for (int id = 0; id < CONF_ID_COUNT; id++)
            ot_assert(conf_rows[id].scope != CONF_SCOPE_BROKER || !conf_is_set((ConfId)id));
    }
    conf_report_release(&report);
    free(assignment);
    return 0;
}
