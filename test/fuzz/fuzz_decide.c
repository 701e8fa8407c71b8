/*
 * fuzz_decide.c - any bytes as messages between a backend and the controller, and as what they ask for
 *
 * Byte 0 chooses the API of those the controller decides, byte 1 the version, byte 2 flags; the rest is the
 * body. Claims: what cannot be read is refused; a decision never crashes, makes at most
 * DECIDE_RECORDS_MAX records and a bound, all of which can be applied to the image, and an answer that can be encoded.
 * The same bytes as a whole message of the mailbox are decoded or refused.
 *
 * Kit: controller/one_node controller/controller_kit controller/decide_kit
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdlib.h>

#include "controller/decide_kit.h"
#include "controller/decide_table.h"
#include "ottla/common/assert.h"
#include "ottla/controller/requests.h"
#include "ottla/protocol/apis.h"

#define RECORDS_BESIDES 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_message(BytesView bytes)
{
    ControllerRequest request;
    ControllerReply reply;
    BytesView again;

    (void)controller_reply_decode(bytes, &reply); /* only read */
    if (!controller_request_decode(bytes, &request))
        return;
    again = controller_request_encode(&request, decide_arena);
    ot_assert(again.ptr != NULL && again.len == bytes.len);
}

static void
check_answer(const DecideRow *row, int16_t version, const DecideResponse *out)
{
    WireSizer size = {0};
    uint8_t *bytes;
    WireWriter w;

    row->response->size(&size, version, out);
    ot_assert(size.err == 0);
    bytes = malloc(size.bytes + 1);
    ot_assert(bytes != NULL);
    wire_writer_init(&w, bytes, size.bytes);
    row->response->write(&w, version, out);
    ot_assert(w.pos == w.end);
    free(bytes);
}

static void
check_decision(uint8_t api, uint8_t version_byte, BytesView body)
{
    const DecideRow *row = NULL;
    DecideRequest in;
    DecideResponse out;
    int16_t version;
    WireReader r;

    for (int key = 0, n = 0; key <= API_KEY_MAX && row == NULL; key++) {
        const ApiInfo *info = api_find((int16_t)key);

        if (info != NULL && decide_row((int16_t)key, info->offer_hi) != NULL && n++ == api % 16)
            row = decide_row((int16_t)key, info->offer_hi);
    }
    if (row == NULL)
        return;
    version = (int16_t)(row->request->versions.lo +
                        version_byte % (row->request->versions.hi - row->request->versions.lo + 1));
    wire_reader_init(&r, body.ptr, (size_t)body.len, decide_arena);
    row->request->read(&r, version, &in);
    if (r.err != 0)
        return;
    decide_context.api_version = version;
    if (row->run(&decide_context, &in, &decide_records, &out) != 0)
        return;
    ot_assert(decide_records.count <= DECIDE_RECORDS_MAX + RECORDS_BESIDES);
    check_answer(row, version, &out);
    decide_apply();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    uint8_t api = fuzz_byte(&in), version = fuzz_byte(&in);

    if (size > 1 << 14)
        return 0;
    fuzz_quiet();
    ot_assert(decide_setup(NULL) == 0);
    check_message((BytesView){data, (int32_t)size});
    check_decision(api, version, fuzz_rest(&in));
    ot_assert(decide_teardown(NULL) == 0);
    return 0;
}
