/*
 * regex.c - regular expressions on keys and values of messages: PCRE2 with limits, since the bytes are anybody's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "regex_int.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STEPS_MAX 1000000
#define DEPTH_MAX 1000

struct Regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

Regex *
regex_new(const char *pattern, Fault *f)
{
    Regex *regex = calloc(1, sizeof *regex);
    PCRE2_UCHAR message[200];
    PCRE2_SIZE at;
    int error;

    if (regex == NULL) {
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for a pattern");
        return NULL;
    }
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), 0, &error, &at, NULL);
    if (regex->code == NULL) {
        (void)pcre2_get_error_message(error, message, sizeof message); /* at least cut */
        (void)fault_set(f, FAULT_BAD_PARAMETER, "the pattern \"%s\" cannot be read: %s", pattern,
                        (const char *)message);
        regex_free(regex);
        return NULL;
    }
    regex->data = pcre2_match_data_create(1, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (regex->data == NULL || regex->limits == NULL) {
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for a pattern");
        regex_free(regex);
        return NULL;
    }
    (void)pcre2_set_match_limit(regex->limits, STEPS_MAX); /* these cannot fail */
    (void)pcre2_set_depth_limit(regex->limits, DEPTH_MAX);
    return regex;
}

void
regex_free(Regex *regex)
{
    if (regex == NULL)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->data);
    pcre2_match_context_free(regex->limits);
    free(regex);
}

bool
regex_matches(const Regex *regex, BytesView bytes)
{
    return bytes.ptr != NULL && pcre2_match(regex->code, bytes.ptr, (PCRE2_SIZE)bytes.len, 0, 0,
                                            regex->data, regex->limits) >= 0;
}
