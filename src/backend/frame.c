/*
 * frame.c - where a frame begins and ends
 *
 * Called by conn_read.c after each read. Never: reads, allocates, looks into a request.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/frame_int.h"

FrameStatus
frame_look(const uint8_t *bytes, size_t have, size_t room, int32_t max_size, int32_t *ret_size)
{
    int32_t size;

    if (have < FRAME_SIZE_BYTES)
        return FRAME_PARTIAL;
    size = (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                     (uint32_t)bytes[3]);
    *ret_size = size;
    if (size < 0 || size > max_size)
        return FRAME_BAD;
    if ((size_t)size + FRAME_SIZE_BYTES > room)
        return FRAME_LARGE;
    return have >= (size_t)size + FRAME_SIZE_BYTES ? FRAME_WHOLE : FRAME_PARTIAL;
}

int
frame_api_key(const uint8_t *frame, int32_t size)
{
    if (size < 2)
        return -1;
    return (int16_t)((uint16_t)frame[0] << 8 | (uint16_t)frame[1]);
}
