/*
 * fuzz_complete.c - any bytes as what stands before the cursor when Tab is pressed
 *
 * The input: the lines above, then the line. Claims: it ends; the word that is replaced lies in the line; what is offered can be
 * shown by a terminal, and is in order, each word once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"
#include "shell/complete_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Shell shell;

static void
check_words(const Completions *c, int32_t line_len)
{
    ot_assert(c->start >= 0 && c->start <= line_len);
    for (int32_t i = 0; i < c->count; i++) {
        ot_assert(i == 0 || strcmp(c->words[i - 1], c->words[i]) < 0);
        ot_assert(c->words[i][0] != '\0');
        /* what was typed may be in front of it, whatever that is */
        for (const char *p = c->words[i]; *p != '\0' && c->typed.len == 0; p++)
            ot_assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    BytesView before = fuzz_piece(&in), line = fuzz_rest(&in);
    Completions c;

    if (size > 1 << 12)
        return 0;
    fuzz_quiet();
    if (shell.vars == NULL) {
        shell.vars = variables_new();
        ot_assert(shell.vars != NULL);
        print_options_init(&shell.pset);
    }
    completions_init(&c);
    complete_line(&shell, (StrView){(const char *)before.ptr, before.len},
                  (StrView){line.ptr == NULL ? "" : (const char *)line.ptr, line.len}, 1000, &c);
    check_words(&c, line.len);
    completions_release(&c);
    return 0;
}
