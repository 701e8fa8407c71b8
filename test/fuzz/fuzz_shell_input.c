/*
 * fuzz_shell_input.c - any bytes as what is typed into the shell
 *
 * Lines with statements, backslash commands and their arguments, variables (some of whose values hold variables, quotes and
 * commands) and branches. Claims: every line comes to its end; nothing of a statement is lost or made up where there
 * are no variables, comments and commands; what is open is one of the signs that prompts show; prompts and places of
 * errors take any bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "shell/cond_int.h"
#include "shell/lexer_int.h"
#include "shell/place_int.h"
#include "shell/prompt_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Values that are read again, themselves among them. */
static const char *
lookup(void *arg, StrView name)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"a", "1"}, {"b", ":a:b:c"}, {"c", "'; \\d :b"}, {"d", ""}, {"e", "x;y -- z\nw /*"}};

    (void)arg;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strview_equal(name, strview_from(rows[i].name)))
            return rows[i].value;
    return NULL;
}

static void
run(void *arg, const char *command, StrBuf *out)
{
    (void)arg;
    ot_assert(strlen(command) < 1 << 20);
    strbuf_add_cstr(out, "out\n");
}

static bool
field(void *arg, char letter, StrBuf *out)
{
    (void)arg;
    strbuf_add_char(out, letter);
    return letter != 'q';
}

static const char *
variable(void *arg, StrView name)
{
    return lookup(arg, name);
}

/* Behind a backslash: a command of \if, or any other. */
static void
read_command(Lexer *lexer, CondStack *conds, StrBuf *word)
{
    StrView words[3] = {STRVIEW("1"), STRVIEW("<"), STRVIEW("2")};
    char first;
    bool value;

    lexer_command_name(lexer, word);
    first = word->ptr[0];
    if (first == 'i')
        (void)cond_if(conds, word->len > 2, NULL);
    else if (first == 'e')
        (void)(word->len > 4 ? cond_endif(conds, NULL) : cond_elif(conds, true, NULL));
    else if (first == 's')
        (void)cond_else(conds, NULL);
    if (!cond_active(conds)) {
        lexer_skip_arguments(lexer, first == '!');
    } else {
        LexArg kind = first == '!' ? LEX_ARG_REST : first == 'o' ? LEX_ARG_PIPE : LEX_ARG_WORD;

        while (lexer_argument(lexer, kind, word) == LEX_FOUND) {
            words[1] = strbuf_view(word);
            (void)cond_value(words, 3, &value, NULL);
        }
    }
    lexer_end_command(lexer);
}

static void
read_line(Lexer *lexer, CondStack *conds, StrBuf *statement, StrView line)
{
    StrBuf word;
    bool plain = memchr(line.ptr, ':', (size_t)line.len) == NULL &&
                 memchr(line.ptr, '\\', (size_t)line.len) == NULL &&
                 memchr(line.ptr, '-', (size_t)line.len) == NULL &&
                 memchr(line.ptr, '/', (size_t)line.len) == NULL &&
                 memchr(line.ptr, ';', (size_t)line.len) == NULL && lexer->comment_depth == 0 &&
                 statement->len > 0;
    size_t before = statement->len;
    LexEnd end;

    strbuf_init(&word, 1 << 20, NULL);
    ot_assert(lexer_start_line(lexer, line));
    do {
        size_t at = lexer->pos;

        end = lexer_scan(lexer, statement);
        ot_assert(end == LEX_END_LINE || lexer->pos > at);
        if (end == LEX_END_COMMAND)
            read_command(lexer, conds, &word);
        if (end == LEX_END_STATEMENT) {
            place_add(&word, strbuf_view(statement), (int64_t)(statement->len / 2));
            strbuf_clear(statement);
        }
    } while (end != LEX_END_LINE);
    ot_assert(lexer_line_is_done(lexer));
    if (plain) {
        ot_assert(statement->len == before + (size_t)line.len);
        ot_assert(line.len == 0 ||
                  memcmp(statement->ptr + before, line.ptr, (size_t)line.len) == 0);
    }
    ot_assert(lexer_open(lexer) == '\0' || strchr("'\"$*(", lexer_open(lexer)) != NULL);
    strbuf_release(&word);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const LexEnv env = {lookup, run, NULL};
    const PromptEnv prompt = {field, variable, run, NULL, true, 3};
    const char *at = (const char *)data;
    const char *end = at + size;
    CondStack conds = {.depth = 0};
    StrBuf statement;
    Lexer lexer;

    if (size == 0 || size > 1 << 14)
        return 0;
    strbuf_init(&statement, 64 << 20, NULL);
    prompt_expand((StrView){at, (int32_t)size}, &prompt, &statement);
    (void)prompt_width(strbuf_view(&statement));
    strbuf_clear(&statement);
    lexer_init(&lexer, &env);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (stop == NULL)
            stop = end;
        if (statement.len > 0)
            strbuf_add_char(&statement, '\n');
        read_line(&lexer, &conds, &statement, (StrView){at, (int32_t)(stop - at)});
        at = stop + 1;
    }
    lexer_fini(&lexer);
    strbuf_release(&statement);
    return 0;
}
