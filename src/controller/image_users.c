/*
 * image_users.c - reading SCRAM credentials
 *
 * Runs in: everybody. The key of MAP_SCRAM is {mechanism, name}, the value the record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/image_users.h"

#include <string.h>

#include "controller/image_int.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/msg_metadata_records.h"
#include "ottla/protocol/record_frame.h"

static void
read_entry(const ImageEntry *entry, ScramCredential *ret)
{
    BytesView bytes = entry_value(entry);
    UserScramCredentialRecord record;
    WireReader r;
    int16_t version;
    const MessageDesc *desc;

    wire_reader_init(&r, bytes.ptr, (size_t)bytes.len, NULL); /* the record has no lists */
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    ot_assert(desc == &user_scram_credential_record_desc);
    user_scram_credential_record_read(&r, version, &record);
    /* An error can only be a tag that this version does not know: it would need memory, comes behind
       the fields and says nothing here. */
    *ret = (ScramCredential){.user = record.name,
                             .mechanism = (ScramMechanism)record.mechanism,
                             .iterations = record.iterations,
                             .salt = record.salt,
                             .stored_key = record.stored_key,
                             .server_key = record.server_key};
}

/* False: too long to be there. */
static bool
make_key(ScramMechanism mechanism, StrView user, uint8_t *bytes, BytesView *ret)
{
    if (user.len > SCRAM_USER_MAX)
        return false;
    bytes[0] = (uint8_t)mechanism;
    if (user.len > 0)
        memcpy(bytes + 1, user.ptr, (size_t)user.len);
    *ret = (BytesView){bytes, user.len + 1};
    return true;
}

bool
image_scram(const Image *image, ScramMechanism mechanism, StrView user, ScramCredential *ret)
{
    uint8_t bytes[SCRAM_USER_MAX + 1];
    const MapNode *node;
    BytesView key;

    if (!make_key(mechanism, user, bytes, &key))
        return false;
    node = image_map_find(image->maps[MAP_SCRAM], key);
    if (node != NULL)
        read_entry(node->value, ret);
    return node != NULL;
}

bool
image_scram_after(const Image *image, ScramMechanism mechanism, StrView after, ScramCredential *ret)
{
    uint8_t bytes[SCRAM_USER_MAX + 1];
    const MapNode *node;
    BytesView key;

    if (!make_key(mechanism, after, bytes, &key))
        return false;
    node = map_after(image->maps[MAP_SCRAM], key, after.ptr == NULL);
    if (node == NULL || node->key[0] != (uint8_t)mechanism)
        return false;
    read_entry(node->value, ret);
    return true;
}
