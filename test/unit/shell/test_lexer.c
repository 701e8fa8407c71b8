/*
 * test_lexer.c - statements, backslash commands and variables in lines of input
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/lexer_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shell/variables_int.h"

typedef struct Bench {
    Variables *vars;
    Lexer lexer;
    StrBuf statement;
    StrBuf word;
    int runs;
} Bench;

static const char *
lookup(void *arg, StrView name)
{
    return variables_get(((Bench *)arg)->vars, name);
}

static void
run(void *arg, const char *command, StrBuf *out)
{
    ((Bench *)arg)->runs++;
    strbuf_printf(out, "<%s>\n", command);
}

static void
begin(Bench *b)
{
    b->vars = variables_new();
    b->runs = 0;
    lexer_init(&b->lexer, &(LexEnv){lookup, run, b});
    strbuf_init(&b->statement, 1 << 20, NULL);
    strbuf_init(&b->word, 1 << 20, NULL);
}

static void
end(Bench *b)
{
    variables_free(b->vars);
    lexer_fini(&b->lexer);
    strbuf_release(&b->statement);
    strbuf_release(&b->word);
}

static void
set(Bench *b, const char *name, const char *value)
{
    assert_int_equal(variables_set(b->vars, strview_from(name), strview_from(value), NULL), 0);
}

/* One line as a whole: statements ended by ';' between bars, what is left behind the last one. */
static char *
cut(Bench *b, const char *line)
{
    static char text[4096];

    text[0] = '\0';
    assert_true(lexer_start_line(&b->lexer, strview_from(line)));
    for (;;) {
        LexEnd how = lexer_scan(&b->lexer, &b->statement);
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof text - used, "%s%s", b->statement.ptr,
                       how == LEX_END_STATEMENT ? "|"
                       : how == LEX_END_COMMAND ? "\\"
                                                : "");
        if (how == LEX_END_LINE)
            break;
        strbuf_clear(&b->statement);
        if (how == LEX_END_COMMAND)
            break;
    }
    return text;
}

static void
cuts_to(Bench *b, const char *line, const char *expected)
{
    lexer_clear(&b->lexer);
    strbuf_clear(&b->statement);
    assert_string_equal(cut(b, line), expected);
}

static void
statements_end_at_semicolons(void **state)
{
    Bench b;

    (void)state;
    begin(&b);
    cuts_to(&b, "  select 1;  select 2 ;x", "select 1|select 2 |x");
    cuts_to(&b, "a (1;2);b", "a (1;2)|b");
    cuts_to(&b, "a ');' \";\" ;b", "a ');' \";\" |b");
    cuts_to(&b, "a E'\\';' ;b", "a E'\\';' |b");
    cuts_to(&b, "a nameE'\\';b", "a nameE'\\'|b"); /* no E'': the letter belongs to a name */
    cuts_to(&b, "a $x$ ; $y$ $x$;b", "a $x$ ; $y$ $x$|b");
    cuts_to(&b, "a b$x$;b", "a b$x$|b");
    cuts_to(&b, "a $1;$2", "a $1|$2");
    cuts_to(&b, "a /* ; /* ; */ ; */ ;b", "a /* ; /* ; */ ; */ |b");
    cuts_to(&b, "-- ; nothing", "");
    cuts_to(&b, "/* before */ a -- ; behind", "a -- ; behind");
    cuts_to(&b, "a \\; b;c", "a ; b|c");
    cuts_to(&b, "a \\g", "a \\");
    cuts_to(&b, ")(;", ")(;");
    end(&b);
}

static void
what_is_open_is_known(void **state)
{
    static const struct {
        const char *line;
        char open;
    } rows[] = {{"a", 0},       {"a '", '\''},     {"a E'\\'", '\''}, {"a \"", '"'},
                {"a $$ ", '$'}, {"/* /* */", '*'}, {"a (", '('},      {"a (;", '('}};
    Bench b;

    (void)state;
    begin(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lexer_clear(&b.lexer);
        strbuf_clear(&b.statement);
        (void)cut(&b, rows[i].line);
        assert_int_equal(lexer_open(&b.lexer), rows[i].open);
    }
    /* a quote goes on in the next line */
    lexer_clear(&b.lexer);
    strbuf_clear(&b.statement);
    (void)cut(&b, "a '");
    assert_string_equal(cut(&b, "; b' ; c"), "a '; b' |c");
    end(&b);
}

static void
variables_take_their_place(void **state)
{
    Bench b;

    (void)state;
    begin(&b);
    set(&b, "n", "5");
    set(&b, "text", "it's");
    set(&b, "two", "a; b");
    set(&b, "loop", "x :loop y");
    set(&b, "ping", ":pong");
    set(&b, "pong", ":ping");
    set(&b, "empty", "");
    cuts_to(&b, "limit :n;", "limit 5|");
    cuts_to(&b, "limit :n:n", "limit 55");
    cuts_to(&b, "a :'text' :\"text\" ':n' \":n\"", "a 'it''s' \"it's\" ':n' \":n\"");
    cuts_to(&b, "a :none x::n y:=z", "a :none x::n y:=z");
    cuts_to(&b, ":{?n} :{?none} :{?n", "TRUE FALSE :{?n");
    cuts_to(&b, ":two;c", "a|b|c");
    cuts_to(&b, ":loop", "x :loop y");
    cuts_to(&b, ":ping :pong", ":ping :pong");
    cuts_to(&b, "[:empty]", "[]");
    cuts_to(&b, "$$:n$$ /* :n */", "$$:n$$ /* :n */");
    end(&b);
}

/* Name and arguments, each in brackets. */
static char *
command(Bench *b, const char *line, LexArg kind)
{
    static char text[4096];
    LexFound found;

    lexer_clear(&b->lexer);
    strbuf_clear(&b->statement);
    assert_true(lexer_start_line(&b->lexer, strview_from(line)));
    assert_int_equal(lexer_scan(&b->lexer, &b->statement), LEX_END_COMMAND);
    lexer_command_name(&b->lexer, &b->word);
    (void)snprintf(text, sizeof text, "%s", b->word.ptr);
    while ((found = lexer_argument(&b->lexer, kind, &b->word)) == LEX_FOUND) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "[%s]", b->word.ptr);
    }
    if (found == LEX_UNTERMINATED)
        return strcat(text, "!");
    lexer_end_command(&b->lexer);
    return text;
}

static void
commands_have_arguments(void **state)
{
    Bench b;

    (void)state;
    begin(&b);
    set(&b, "v", "x y");
    assert_string_equal(command(&b, "\\d", LEX_ARG_WORD), "d");
    assert_string_equal(command(&b, "\\d+ a  b ", LEX_ARG_WORD), "d+[a][b]");
    assert_string_equal(command(&b, "\\echo 'a ''b'' \\t\\x41\\101\\n' c'd'e ''", LEX_ARG_WORD),
                        "echo[a 'b' \tAA\n][cde][]");
    assert_string_equal(command(&b, "\\echo \"a b\"c", LEX_ARG_WORD), "echo[\"a b\"c]");
    assert_string_equal(command(&b, "\\echo :v :'v' :\"v\" :{?v} ':v' :no", LEX_ARG_WORD),
                        "echo[x y]['x y'][\"x y\"][TRUE][:v][:no]");
    assert_string_equal(command(&b, "\\echo a`b :v`c", LEX_ARG_WORD), "echo[a<b x y>c]");
    assert_string_equal(command(&b, "\\echo 'a", LEX_ARG_WORD), "echo!");
    assert_string_equal(command(&b, "\\echo \"a", LEX_ARG_WORD), "echo!");
    assert_string_equal(command(&b, "\\echo `a", LEX_ARG_WORD), "echo!");
    assert_string_equal(command(&b, "\\o |cat -n \\x :v ", LEX_ARG_PIPE), "o[|cat -n \\x :v]");
    assert_string_equal(command(&b, "\\! ls 'a", LEX_ARG_REST), "![ls 'a]");
    assert_string_equal(command(&b, "\\!ls", LEX_ARG_REST), "![ls]");
    end(&b);
}

static void
commands_end_at_backslashes(void **state)
{
    Bench b;

    (void)state;
    begin(&b);
    assert_string_equal(command(&b, "\\dg app \\watch 2", LEX_ARG_WORD), "dg[app]");
    assert_int_equal(lexer_scan(&b.lexer, &b.statement), LEX_END_COMMAND);
    lexer_command_name(&b.lexer, &b.word);
    assert_string_equal(b.word.ptr, "watch");
    assert_string_equal(command(&b, "\\x \\\\ select 1;", LEX_ARG_WORD), "x");
    assert_int_equal(lexer_scan(&b.lexer, &b.statement), LEX_END_STATEMENT);
    assert_string_equal(b.statement.ptr, "select 1");
    end(&b);
}

static void
skipped_arguments_run_nothing(void **state)
{
    Bench b;

    (void)state;
    begin(&b);
    assert_true(lexer_start_line(&b.lexer, STRVIEW("\\set x `rm -r` 'a b' :n \\else")));
    assert_int_equal(lexer_scan(&b.lexer, &b.statement), LEX_END_COMMAND);
    lexer_command_name(&b.lexer, &b.word);
    lexer_skip_arguments(&b.lexer, false);
    assert_int_equal(b.runs, 0);
    assert_int_equal(lexer_scan(&b.lexer, &b.statement), LEX_END_COMMAND);
    lexer_command_name(&b.lexer, &b.word);
    assert_string_equal(b.word.ptr, "else");
    assert_true(lexer_line_is_done(&b.lexer));
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_at_semicolons),
        cmocka_unit_test(what_is_open_is_known),
        cmocka_unit_test(variables_take_their_place),
        cmocka_unit_test(commands_have_arguments),
        cmocka_unit_test(commands_end_at_backslashes),
        cmocka_unit_test(skipped_arguments_run_nothing),
    };
    return cmocka_run_group_tests_name("lexer", tests, NULL, NULL);
}
