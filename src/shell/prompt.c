/*
 * prompt.c - prompts with their escapes
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prompt_int.h"

#include <wchar.h>

/* Bytes by which the line editor knows what takes no room. */
#define MARK_BEGIN '\001'
#define MARK_END   '\002'

typedef struct Walk {
    const char *at;
    const char *end;
} Walk;

static int
digit_of(const Walk *walk, int base)
{
    char c = walk->at < walk->end ? *walk->at : ' ';
    int value = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : 99;

    return value < base ? value : -1;
}

/* %0x1b or %033; at the first digit. */
static void
add_code(Walk *walk, StrBuf *out)
{
    int base = 8;
    int value = 0;

    if (walk->end - walk->at > 2 && walk->at[0] == '0' && (walk->at[1] | 0x20) == 'x') {
        base = 16;
        walk->at += 2;
    }
    for (int i = 0; i < 3 && digit_of(walk, base) >= 0; i++, walk->at++)
        value = value * base + digit_of(walk, base);
    if ((value & 0xff) != 0)
        strbuf_add_char(out, (char)(value & 0xff));
}

/* What stands before the next `closing`, which is passed; the whole rest when there is none. */
static StrView
up_to(Walk *walk, char closing)
{
    const char *begin = walk->at;
    const char *found = memchr(begin, closing, (size_t)(walk->end - begin));
    const char *end = found == NULL ? walk->end : found;

    walk->at = found == NULL ? walk->end : found + 1;
    return (StrView){begin, (int32_t)(end - begin)};
}

static void
add_command(Walk *walk, const PromptEnv *env, StrBuf *out)
{
    StrView text = up_to(walk, '`');
    StrBuf command;

    strbuf_init(&command, PROMPT_BYTES_MAX, NULL);
    strbuf_add_view(&command, text);
    if (!strbuf_failed(&command))
        env->run(env->arg, command.ptr, out);
    strbuf_release(&command);
    if (out->len > 0 && out->ptr[out->len - 1] == '\n')
        strbuf_truncate(out, out->len - 1);
}

/* Behind a percent sign; something follows. */
static void
add_escape(Walk *walk, const PromptEnv *env, StrBuf *out)
{
    char c = *walk->at;
    const char *value;

    if (c >= '0' && c <= '7') {
        add_code(walk, out);
        return;
    }
    walk->at++;
    switch (c) {
    case '%':
        strbuf_add_char(out, '%');
        break;
    case 'w':
        for (int i = 0; i < env->width; i++)
            strbuf_add_char(out, ' ');
        break;
    case '[':
    case ']':
        if (env->marks)
            strbuf_add_char(out, c == '[' ? MARK_BEGIN : MARK_END);
        break;
    case ':':
        value = env->variable(env->arg, up_to(walk, ':'));
        strbuf_add_cstr(out, value == NULL ? "" : value);
        break;
    case '`':
        add_command(walk, env, out);
        break;
    default:
        if (!env->field(env->arg, c, out))
            strbuf_add_char(out, c);
    }
}

void
prompt_expand(StrView format, const PromptEnv *env, StrBuf *out)
{
    Walk walk = {format.ptr, format.ptr + format.len};

    while (walk.at < walk.end) {
        char c = *walk.at++;

        if (c == '%' && walk.at < walk.end)
            add_escape(&walk, env, out);
        else
            strbuf_add_char(out, c);
    }
}

int
prompt_width(StrView prompt)
{
    mbstate_t state = {0};
    bool hidden = false;
    int columns = 0;

    for (int32_t i = 0; i < prompt.len;) {
        wchar_t wide;
        size_t len = mbrtowc(&wide, prompt.ptr + i, (size_t)(prompt.len - i), &state);

        if (len == 0 || len > (size_t)(prompt.len - i)) { /* no character of the locale */
            memset(&state, 0, sizeof state);
            wide = (unsigned char)prompt.ptr[i];
            len = 1;
        }
        if (wide == MARK_BEGIN || wide == MARK_END)
            hidden = wide == MARK_BEGIN;
        else if (wide == L'\n')
            columns = 0;
        else if (!hidden)
            columns += wcwidth(wide) > 0 ? wcwidth(wide) : 0;
        i += (int32_t)len;
    }
    return columns;
}
