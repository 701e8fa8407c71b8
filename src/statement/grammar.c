/*
 * grammar.c - reads the grammars, and matches the words of a statement with them
 *
 * Grammars are our own text: what is wrong in one is an assertion. The matcher recurses over a grammar's nesting,
 * never over the input's length. Pure, but that the table is read at the first use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grammar_int.h"

#include <ctype.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"
#include "values_int.h"

#define NODES_MAX 4096
#define ROWS_MAX  128
#define ONCE_MAX  64 /* alternatives of a group whose members stand once each */

typedef enum NodeType {
    NODE_KEYWORD,
    NODE_SIGN,
    NODE_VALUE,
    NODE_NOTE,
    NODE_SEQUENCE,
    NODE_CHOICE,
    NODE_OPTION,     /* its child or nothing */
    NODE_COMMA_LIST, /* its child once or more */
    NODE_REPEAT,     /* its child once or more */
    NODE_ONCE,       /* a choice: its alternatives in any order, each at most once */
} NodeType;

/* Forms of values. */
typedef enum Form {
    FORM_WORD,
    FORM_NAME,
    FORM_NUMBER, /* with sign */
    FORM_COUNT,  /* from 0 to 2^31-1 */
    FORM_VALUE,
    FORM_STRING,
} Form;

typedef struct Node {
    char text[32]; /* keyword or sign */
    int16_t child; /* first one; -1: none */
    int16_t next;  /* the next of its parent; -1: none */
    uint8_t type;  /* NodeType */
    uint8_t item;  /* StatementItemName */
    uint8_t want;  /* StatementWant */
} Node;

static Node nodes[NODES_MAX];
static int16_t node_count;
static int16_t roots[ROWS_MAX];

#define X(name) #name,
static const char *const item_names[] = {STATEMENT_ITEM_TABLE(X)};
#undef X
#define X(name, form, text) {#name, FORM_##form, text},
static const struct {
    const char *name;
    Form form;
    const char *text;
} wants[] = {STATEMENT_WANT_TABLE(X)};
#undef X

/* ---- reading grammars ---- */

typedef struct Source {
    const char *at;
} Source;

static int16_t read_choice(Source *s);

static int16_t
new_node(NodeType type)
{
    ot_assert(node_count < NODES_MAX);
    nodes[node_count] = (Node){.type = (uint8_t)type, .child = -1, .next = -1};
    return node_count++;
}

static void
skip(Source *s)
{
    while (*s->at == ' ' || *s->at == '\n')
        s->at++;
}

static void
read_word(Source *s, char ret[32])
{
    int n = 0;

    while (isalnum((unsigned char)*s->at) || *s->at == '_' || *s->at == '-') {
        ot_assert(n < 31);
        ret[n++] = *s->at++;
    }
    ret[n] = '\0';
    ot_assert(n > 0);
}

static uint8_t
item_of(const char *word)
{
    for (int i = 0; i < ITEM_COUNT; i++) {
        if (strcasecmp(item_names[i], word) == 0)
            return (uint8_t)i;
    }
    ot_unreachable();
}

static uint8_t
want_of(const char *word)
{
    for (int i = 0; i < WANT_KINDS; i++) {
        if (strcmp(wants[i].name, word) == 0)
            return (uint8_t)i;
    }
    ot_unreachable();
}

static int16_t
read_atom(Source *s)
{
    char word[32];
    char c = *s->at;
    int16_t n;

    if (c == '[' || c == '{') {
        s->at++;
        n = read_choice(s);
        skip(s);
        ot_assert(*s->at == (c == '[' ? ']' : '}'));
        s->at++;
        if (c == '{')
            return n;
        int16_t option = new_node(NODE_OPTION);

        nodes[option].child = n;
        return option;
    }
    if (c == '<') {
        s->at++;
        n = new_node(NODE_VALUE);
        read_word(s, word);
        nodes[n].item = item_of(word);
        ot_assert(*s->at == ':');
        s->at++;
        read_word(s, word);
        nodes[n].want = want_of(word);
        ot_assert(*s->at == '>');
        s->at++;
        return n;
    }
    if (c == '@') {
        s->at++;
        n = new_node(NODE_NOTE);
        read_word(s, word);
        nodes[n].item = item_of(word);
        return n;
    }
    if (isupper((unsigned char)c)) {
        n = new_node(NODE_KEYWORD);
        read_word(s, nodes[n].text);
        return n;
    }
    ot_assert(c == '(' || c == ')' || c == ',' || c == '=');
    n = new_node(NODE_SIGN);
    nodes[n].text[0] = c;
    s->at++;
    return n;
}

static int16_t
read_item(Source *s)
{
    int16_t atom = read_atom(s), outer;
    NodeType type;

    skip(s);
    if (strncmp(s->at, ",...", 4) == 0) {
        type = NODE_COMMA_LIST;
        s->at += 4;
    } else if (strncmp(s->at, "...", 3) == 0) {
        type = NODE_REPEAT;
        s->at += 3;
    } else if (*s->at == '*') {
        type = NODE_ONCE;
        s->at++;
        ot_assert(nodes[atom].type == NODE_OPTION && nodes[nodes[atom].child].type == NODE_CHOICE);
        atom = nodes[atom].child;
    } else {
        return atom;
    }
    outer = new_node(type);
    nodes[outer].child = atom;
    return outer;
}

static bool
at_end_of_sequence(Source *s)
{
    skip(s);
    return *s->at == '\0' || *s->at == ']' || *s->at == '}' || *s->at == '|';
}

static int16_t
read_sequence(Source *s)
{
    int16_t sequence = new_node(NODE_SEQUENCE), last = -1;

    while (!at_end_of_sequence(s)) {
        int16_t n = read_item(s);

        if (last < 0)
            nodes[sequence].child = n;
        else
            nodes[last].next = n;
        last = n;
    }
    ot_assert(last >= 0);
    return sequence;
}

static int16_t
read_choice(Source *s)
{
    int16_t choice = new_node(NODE_CHOICE), last = -1;

    for (;;) {
        int16_t n = read_sequence(s);

        if (last < 0)
            nodes[choice].child = n;
        else
            nodes[last].next = n;
        last = n;
        if (*s->at != '|')
            return choice;
        s->at++;
    }
}

static void
read_grammars(void)
{
    if (node_count > 0)
        return;
    ot_assert(grammar_row_count <= ROWS_MAX);
    for (int32_t i = 0; i < grammar_row_count; i++) {
        Source s = {grammar_rows[i].grammar};

        if (grammar_rows[i].kind == STATEMENT_EXPLAIN)
            continue; /* not one of its own */
        roots[i] = read_choice(&s);
        ot_assert(*s.at == '\0');
    }
}

/* ---- matching ---- */

typedef struct Matcher {
    const Tokens *tokens;
    int32_t at;
    Arena *arena;
    Statement *out;
    int32_t room;
    Expected *expected;
    bool no_memory;
} Matcher;

static bool match(Matcher *m, int16_t index);

bool
grammar_word_equal(StrView text, const char *word)
{
    return text_equal_nocase(text, strview_from(word));
}

/* The name before a value: of a setting, a quota, a variable. */
static StrView
name_before(const Statement *s)
{
    for (int32_t i = s->count - 1; i >= 0; i--) {
        uint8_t name = s->items[i].name;

        if (name == ITEM_CONFIG || name == ITEM_QUOTA || name == ITEM_SETTING ||
            name == ITEM_VARIABLE)
            return s->items[i].text;
    }
    return (StrView){0};
}

static bool
missed(Matcher *m, const Node *n)
{
    Expected *e = m->expected;
    StatementHint hint = {.want = WANT_KEYWORD, .keyword = n->text};

    if (n->type == NODE_VALUE) {
        hint.want = (StatementWant)n->want;
        hint.keyword = NULL;
        if (hint.want == WANT_CONFIG_VALUE)
            hint.context = name_before(m->out);
    }
    if (m->at < e->token)
        return false;
    if (m->at > e->token) {
        e->token = m->at;
        e->count = 0;
    }
    for (int32_t i = 0; i < e->count; i++) {
        const StatementHint *h = &e->list[i];

        if (h->want == hint.want &&
            (h->keyword == NULL ? hint.keyword == NULL
                                : hint.keyword != NULL && strcmp(h->keyword, hint.keyword) == 0))
            return false;
    }
    if (e->count < EXPECTED_MAX)
        e->list[e->count++] = hint;
    return false;
}

static bool
note(Matcher *m, uint8_t name, const Token *token)
{
    Statement *s = m->out;

    if (s->count == m->room) {
        int32_t room = m->room == 0 ? 16 : 2 * m->room;
        StatementItem *items = arena_calloc(m->arena, (size_t)room, sizeof *items);

        if (items == NULL) {
            m->no_memory = true;
            return false;
        }
        if (s->count > 0)
            memcpy(items, s->items, (size_t)s->count * sizeof *items);
        s->items = items;
        m->room = room;
    }
    s->items[s->count++] = (StatementItem){
        .text = token->text,
        .pos = token->pos,
        .name = name,
        .quote = token->kind == TOKEN_STRING  ? QUOTE_STRING
                 : token->kind == TOKEN_IDENT ? QUOTE_IDENT
                                              : QUOTE_NONE,
    };
    return true;
}

static bool
is_name(StrView text)
{
    char c = text.ptr[0];

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* Lists of resources go on with the next type behind a comma: bare, these words are no names there. */
static bool
is_resource_word(StrView text)
{
    static const char *const words[] = {"TOPIC",      "GROUP",   "USER", "TRANSACTIONAL",
                                        "DELEGATION", "CLUSTER", "TO",   "FROM"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (grammar_word_equal(text, words[i]))
            return true;
    }
    return false;
}

static bool
fits(const Token *t, StatementWant want)
{
    int64_t number;

    switch (wants[want].form) {
    case FORM_WORD:
        return t->kind == TOKEN_WORD && (want != WANT_OPERATION || acl_operation_of(t->text) > 0);
    case FORM_NAME:
        return (t->kind == TOKEN_WORD && is_name(t->text) &&
                (want != WANT_RESOURCE_NAME || !is_resource_word(t->text))) ||
               t->kind == TOKEN_IDENT || (t->kind == TOKEN_STRING && t->text.len > 0);
    case FORM_NUMBER:
        return t->kind == TOKEN_WORD && text_to_int64(t->text, &number);
    case FORM_COUNT:
        return t->kind == TOKEN_WORD && text_to_int64(t->text, &number) && number >= 0 &&
               number <= INT32_MAX;
    case FORM_VALUE:
        return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING || t->kind == TOKEN_IDENT;
    case FORM_STRING:
        return t->kind == TOKEN_STRING;
    }
    ot_unreachable();
}

static bool
match_terminal(Matcher *m, const Node *n)
{
    const Token *t = &m->tokens->list[m->at];
    bool fit;

    switch (n->type) {
    case NODE_KEYWORD:
        fit = t->kind == TOKEN_WORD && grammar_word_equal(t->text, n->text);
        break;
    case NODE_SIGN:
        fit = t->kind == TOKEN_PUNCT && t->text.ptr[0] == n->text[0];
        break;
    default:
        fit = fits(t, (StatementWant)n->want);
        break;
    }
    if (!fit)
        return missed(m, n);
    if (n->type == NODE_VALUE && !note(m, n->item, t))
        return false;
    m->at++;
    return true;
}

static bool
match_sequence(Matcher *m, const Node *n)
{
    for (int16_t child = n->child; child >= 0; child = nodes[child].next) {
        if (!match(m, child))
            return false;
    }
    return true;
}

/* Tries; a failure leaves things as they were. */
static bool
try_match(Matcher *m, int16_t index)
{
    int32_t at = m->at, count = m->out->count;

    if (match(m, index))
        return true;
    m->at = at;
    m->out->count = count;
    return false;
}

static bool
match_choice(Matcher *m, const Node *n)
{
    for (int16_t child = n->child; child >= 0; child = nodes[child].next) {
        if (try_match(m, child))
            return true;
    }
    return false;
}

static bool
match_comma_list(Matcher *m, const Node *n)
{
    static const Node comma = {.type = NODE_SIGN, .text = ","};

    if (!match(m, n->child))
        return false;
    for (;;) {
        int32_t at = m->at;

        if (!match_terminal(m, &comma))
            return true;
        if (!try_match(m, n->child)) {
            m->at = at;
            return true;
        }
    }
}

static bool
match_once(Matcher *m, const Node *n)
{
    uint64_t used = 0;
    bool more = true;

    while (more) {
        int bit = 0;

        more = false;
        for (int16_t child = nodes[n->child].child; child >= 0; child = nodes[child].next, bit++) {
            ot_assert(bit < ONCE_MAX);
            if ((used >> bit & 1) == 0 && try_match(m, child)) {
                used |= UINT64_C(1) << bit;
                more = true;
                break;
            }
        }
    }
    return true;
}

static bool
match(Matcher *m, int16_t index)
{
    const Node *n = &nodes[index];

    if (m->no_memory)
        return false;
    switch ((NodeType)n->type) {
    case NODE_KEYWORD:
    case NODE_SIGN:
    case NODE_VALUE:
        return match_terminal(m, n);
    case NODE_NOTE:
        /* the word that was passed last: an error of this part points at it */
        return note(m, n->item, &m->tokens->list[m->at > 0 ? m->at - 1 : 0]);
    case NODE_SEQUENCE:
        return match_sequence(m, n);
    case NODE_CHOICE:
        return match_choice(m, n);
    case NODE_OPTION:
        (void)try_match(m, n->child); /* nothing is fine */
        return true;
    case NODE_COMMA_LIST:
        return match_comma_list(m, n);
    case NODE_REPEAT:
        if (!match(m, n->child))
            return false;
        while (try_match(m, n->child))
            continue;
        return true;
    case NODE_ONCE:
        return match_once(m, n);
    }
    ot_unreachable();
}

bool
grammar_match(int32_t row, const Tokens *tokens, int32_t first, Arena *arena, Statement *ret,
              Expected *expected)
{
    static const Node semicolon = {.type = NODE_SIGN, .text = ";"};
    Matcher m = {.tokens = tokens, .at = first, .arena = arena, .expected = expected};
    Statement out = {.kind = grammar_rows[row].kind};

    read_grammars();
    if (out.kind == STATEMENT_EXPLAIN)
        return false;
    m.out = &out;
    if (!match(&m, roots[row]))
        return false;
    if (tokens->list[m.at].kind != TOKEN_END)
        return missed(&m, &semicolon);
    (void)missed(&m, &semicolon); /* an end is one of the things that may follow here */
    out.text = ret->text;
    *ret = out;
    return true;
}

/* ---- showing ---- */

/* At the '<' of a value; returns where its '>' is. */
static const char *
show_value(const char *at, StrBuf *out)
{
    const char *colon = strchr(at, ':'), *end = strchr(at, '>');
    StrView name = {at + 1, (int32_t)(colon - at) - 1};
    char want[32] = "";
    Form form;

    ot_assert(end != NULL && end - colon - 1 < (int)sizeof want);
    memcpy(want, colon + 1, (size_t)(end - colon) - 1);
    form = wants[want_of(want)].form;
    if (want_of(want) == WANT_BROKER)
        strbuf_add_cstr(out, "broker");
    else if (want_of(want) == WANT_COUNT || want_of(want) == WANT_NUMBER)
        strbuf_add_cstr(out, "n");
    else if (form == FORM_STRING)
        strbuf_printf(out, "'%.*s'", (int)name.len, name.ptr);
    else
        strbuf_add_view(out, name);
    return end;
}

void
grammar_show(const char *grammar, StrBuf *out)
{
    for (const char *c = grammar; *c != '\0'; c++) {
        if (*c == '@') {
            while (isalnum((unsigned char)c[1]) || c[1] == '_')
                c++;
            if (c[1] == ' ')
                c++;
        } else if (*c == '<') {
            c = show_value(c, out);
        } else if (*c == '*') {
            strbuf_add_cstr(out, " ...");
        } else if (*c == ',' && strncmp(c, ",...", 4) == 0) {
            strbuf_add_cstr(out, " [, ...]");
            c += 3;
        } else {
            strbuf_add_char(out, *c);
        }
    }
}

const char *
grammar_want_text(StatementWant want)
{
    return wants[want].text;
}

const char *
grammar_name(StatementKind kind)
{
    for (int32_t i = 0; i < grammar_row_count; i++) {
        if (grammar_rows[i].kind == kind)
            return grammar_rows[i].name;
    }
    ot_unreachable();
}
