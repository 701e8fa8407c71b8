/*
 * frame_int.h - where a frame begins and ends: pure
 *
 * A frame is an int32 size and so many bytes. The buffer of the connection takes small frames
 * whole; a larger one gets a buffer of its own as soon as its size is known.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FRAME_INT_H
#define OTTLA_BACKEND_FRAME_INT_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_SIZE_BYTES 4

typedef enum FrameStatus {
    FRAME_PARTIAL, /* more bytes are needed before anything can be said or taken */
    FRAME_WHOLE,   /* the frame lies in the buffer */
    FRAME_LARGE,   /* it does not fit the buffer: it needs one of its own */
    FRAME_BAD,     /* size below 0 or above the limit: the connection ends */
} FrameStatus;

/*
 * Looks at the bytes at the front of the connection's buffer.
 *
 * have      bytes there
 * room      bytes the buffer can hold in all
 * max_size  socket.request.max.bytes
 * ret_size  of the frame without its four size bytes; set unless FRAME_PARTIAL before them
 */
FrameStatus frame_look(const uint8_t *bytes, size_t have, size_t room, int32_t max_size,
                       int32_t *ret_size);

/*
 * The API key at the front of a frame's bytes; -1 when fewer than two are there. Tells Produce from
 * the rest before the request may begin.
 */
int frame_api_key(const uint8_t *frame, int32_t size);

#endif
