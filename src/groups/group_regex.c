/*
 * group_regex.c - regular expressions that subscribe to topics
 *
 * Runs in: coordinator; tests. The pattern and the names come from clients. RE2's \z is PCRE2's, too; Unicode is on,
 * as both servers see names as text. No JIT: its limits of matching cannot be counted in steps.
 *
 * Spec: groups-and-transactions.md 4.7, design.md 11. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/group_regex_int.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define COMPILED_BYTES_MAX 65536 /* "(a{1000}){1000}" is short, too */
#define HEAP_KB_MAX        512   /* of backtracking points */
#define DEPTH_MAX          20000
#define NESTED_MAX         100 /* parentheses in each other */

struct GroupRegex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *match;
    size_t bytes;
};

/*
 * What the common scanner takes for RE2's and PCRE2 reads as something else: "{,3}" is text in RE2 and in this
 * version of PCRE2; "\Q" and octal escapes mean the same. Escapes it refuses never come here: \C \G \K \R \X
 * \Z \h \N \H \V \v... of which \v alone is RE2's (vertical tab) and must not become PCRE2's set of blanks.
 * "(*VERB)" is no operand in RE2 ("*" repeats nothing), which the scanner refuses.
 */
static char *
translate(StrView pattern, size_t *ret_len)
{
    char *text = malloc((size_t)pattern.len * 4 + 1);
    size_t len = 0;

    if (text == NULL)
        return NULL;
    for (int32_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];

        if (c == '\\' && i + 1 < pattern.len && pattern.ptr[i + 1] == 'v') {
            memcpy(text + len, "\\x0b", 4);
            len += 4;
            i++;
        } else if (c == '\\' && i + 1 < pattern.len && pattern.ptr[i + 1] == 'Q') {
            /* Quoted text, as it is, behind backslashes where it needs them. */
            for (i += 2; i < pattern.len; i++) {
                if (pattern.len - i >= 2 && pattern.ptr[i] == '\\' && pattern.ptr[i + 1] == 'E') {
                    i++;
                    break;
                }
                if (strchr("\\^$.[]|()?*+{}-", pattern.ptr[i]) != NULL && pattern.ptr[i] != '\0')
                    text[len++] = '\\';
                text[len++] = pattern.ptr[i];
            }
        } else if (c == '\\' && i + 1 < pattern.len) {
            text[len++] = c;
            text[len++] = pattern.ptr[++i];
        } else {
            text[len++] = c;
        }
    }
    *ret_len = len;
    return text;
}

static pcre2_code *
compile(StrView pattern, const char **ret_fault)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *code = NULL;
    size_t len;
    char *text;
    int err;
    PCRE2_SIZE at;

    if (context == NULL)
        return NULL;
    text = translate(pattern, &len);
    if (text != NULL) {
        (void)pcre2_set_parens_nest_limit(context, NESTED_MAX); /* cannot fail */
        code =
            pcre2_compile((PCRE2_SPTR)text, len,
                          PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
                              PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
                          &err, &at, context);
        if (code == NULL && err != PCRE2_ERROR_NOMEMORY)
            *ret_fault = "it cannot be compiled";
    }
    free(text);
    pcre2_compile_context_free(context);
    return code;
}

GroupRegex *
group_regex_new(StrView pattern, const char **ret_fault)
{
    GroupRegex *regex;

    *ret_fault = NULL;
    if (pattern.len > GROUP_REGEX_BYTES_MAX) {
        *ret_fault = "it is too long";
        return NULL;
    }
    *ret_fault = regex_syntax_fault(pattern);
    if (*ret_fault != NULL)
        return NULL;
    regex = calloc(1, sizeof *regex);
    if (regex == NULL)
        return NULL;
    regex->code = compile(pattern, ret_fault);
    if (regex->code != NULL) {
        regex->data = pcre2_match_data_create(1, NULL);
        regex->match = pcre2_match_context_create(NULL);
    }
    if (regex->data == NULL || regex->match == NULL) {
        group_regex_free(regex);
        return NULL;
    }
    (void)pcre2_set_heap_limit(regex->match, HEAP_KB_MAX); /* these two cannot fail */
    (void)pcre2_set_depth_limit(regex->match, DEPTH_MAX);
    if (pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &regex->bytes) != 0 ||
        regex->bytes > COMPILED_BYTES_MAX) {
        *ret_fault = "it is too large when compiled";
        group_regex_free(regex);
        return NULL;
    }
    return regex;
}

void
group_regex_free(GroupRegex *regex)
{
    if (regex == NULL)
        return;
    pcre2_match_context_free(regex->match);
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);
    free(regex);
}

RegexMatch
group_regex_match(const GroupRegex *regex, StrView name, uint32_t steps_max)
{
    int rc;

    (void)pcre2_set_match_limit(regex->match, steps_max); /* cannot fail */
    rc = pcre2_match(regex->code, (PCRE2_SPTR)name.ptr, (PCRE2_SIZE)name.len, 0, 0, regex->data,
                     regex->match);
    if (rc >= 0)
        return REGEX_YES;
    return rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT ||
                   rc == PCRE2_ERROR_HEAPLIMIT
               ? REGEX_LIMIT
               : REGEX_NO;
}
