/*
 * ip_text.h - addresses as texts: every notation that Kafka reads, and the one that we write
 *
 * Pure.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_IP_TEXT_H
#define OTTLA_COMMON_IP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

/* Of IPv6; one of IPv4 as ::ffff:a.b.c.d, so that each address has one form. */
typedef struct IpAddress {
    uint8_t b[16];
} IpAddress;

#define IP_TEXT_MAX 64 /* bytes of the longest text with its zero */

/*
 * The address that a text means, as Java reads it: one to four decimal numbers, the last of which fills what
 * the others leave (127.1; 010.0.0.1 is 10.0.0.1); IPv6, also in brackets and with a zone, which counts for
 * nothing; "localhost", in any case: 127.0.0.1. False: none of these; no name is looked up.
 */
bool ip_text_parse(StrView text, IpAddress *ret);

/*
 * Might a text that is no address be the name of a host? Kafka asks for no name that begins like an address: with a
 * colon or in brackets, or numbers in octal or hexadecimal, which the resolver would take for an address.
 */
bool ip_text_is_host(StrView text);

/* As connections are shown: 127.0.0.1, ::1. */
void ip_text_format(const IpAddress *address, char ret[IP_TEXT_MAX]);

#endif
