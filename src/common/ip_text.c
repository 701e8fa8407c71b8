/*
 * ip_text.c - addresses as texts: every notation that Kafka reads, and the one that we write
 *
 * Pure.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/ip_text.h"

#include <arpa/inet.h>
#include <string.h>

#include "ottla/common/limits.h"
#include "ottla/common/text.h"

#define IPV4_TEXT_MAX 15 /* longer ones Java takes for names */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* "a", "a.b", "a.b.c" or "a.b.c.d", decimal, leading zeros and all. */
static bool
parse_v4(StrView text, IpAddress *ret)
{
    uint64_t parts[4] = {0};
    uint32_t address = 0;
    int count = 1;
    bool digits = false;

    if (text.len > IPV4_TEXT_MAX)
        return false;
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= '0' && c <= '9') {
            parts[count - 1] = parts[count - 1] * 10 + (uint64_t)(c - '0'); /* at most 15 digits */
            digits = true;
        } else if (c == '.' && digits && count < 4) {
            count++;
            digits = false;
        } else {
            return false;
        }
    }
    if (!digits)
        return false;
    for (int i = 0; i < count - 1; i++) {
        if (parts[i] > UINT8_MAX)
            return false;
        address |= (uint32_t)parts[i] << (24 - 8 * i);
    }
    if (parts[count - 1] > UINT32_MAX >> 8 * (count - 1))
        return false;
    address = htonl(address | (uint32_t)parts[count - 1]);
    memcpy(ret->b, mapped, sizeof mapped);
    memcpy(ret->b + sizeof mapped, &address, sizeof address);
    return true;
}

/* "::1", "[::1]", "fe80::1%2". */
static bool
parse_v6(StrView text, IpAddress *ret)
{
    char copy[IP_TEXT_MAX];
    const char *zone;

    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = (StrView){text.ptr + 1, text.len - 2};
    zone = text.len == 0 ? NULL : memchr(text.ptr, '%', (size_t)text.len);
    if (zone != NULL) {
        if (zone + 1 == text.ptr + text.len)
            return false;
        text.len = (int32_t)(zone - text.ptr);
    }
    if (text.len == 0 || text.len >= IP_TEXT_MAX || memchr(text.ptr, 0, (size_t)text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, (size_t)text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, ret->b) == 1;
}

bool
ip_text_parse(StrView text, IpAddress *ret)
{
    if (text_equal_nocase(text, STRVIEW("localhost")))
        text = STRVIEW("127.0.0.1");
    return parse_v4(text, ret) || parse_v6(text, ret);
}

/* Numbers with points between them, of any base. */
static bool
is_numeric(StrView text)
{
    char copy[LIMIT_HOST_LEN + 1];
    struct in_addr address;

    memcpy(copy, text.ptr, (size_t)text.len);
    copy[text.len] = '\0';
    return inet_aton(copy, &address) != 0;
}

bool
ip_text_is_host(StrView text)
{
    IpAddress address;

    if (text.ptr == NULL || text.len == 0 || text.len > LIMIT_HOST_LEN ||
        ip_text_parse(text, &address))
        return false;
    for (int32_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] <= ' ' || text.ptr[i] == ':' || text.ptr[i] == '[' ||
            text.ptr[i] == '%' || text.ptr[i] == 0x7f)
            return false;
    return !is_numeric(text);
}

void
ip_text_format(const IpAddress *address, char ret[IP_TEXT_MAX])
{
    bool v4 = memcmp(address->b, mapped, sizeof mapped) == 0;

    ret[0] = '\0';
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, address->b + (v4 ? sizeof mapped : 0), ret,
                    IP_TEXT_MAX); /* the room is enough */
}
