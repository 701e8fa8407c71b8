/*
 * do_produce.c - PRODUCE INTO: one record, by way of the table messages
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "dump_int.h"
#include "exec_int.h"

/* [["name","value"], ...] */
static void
add_headers(Exec *x, StrBuf *out)
{
    const Statement *s = x->s;
    StrBuf json;
    const char *before = "[";

    strbuf_init(&json, STATEMENT_JSON_MAX, x->arena);
    for (int32_t i = statement_find(s, ITEM_HEADER, 0); i >= 0;
         i = statement_find(s, ITEM_HEADER, i + 1)) {
        strbuf_printf(&json, "%s[", before);
        strbuf_add_json(&json, s->items[i].text);
        strbuf_add_char(&json, ',');
        strbuf_add_json(&json, s->items[i + 1].text);
        strbuf_add_char(&json, ']');
        before = ",";
    }
    strbuf_add_char(&json, ']');
    dump_literal(out, strbuf_view(&json));
}

int
do_produce(Exec *x)
{
    const Statement *s = x->s;
    bool partition = statement_has(s, ITEM_PARTITION), headers = statement_has(s, ITEM_HEADER);
    StrView key = statement_text_of(s, ITEM_KEY);
    StrBuf sql;

    strbuf_init(&sql, STATEMENT_JSON_MAX, x->arena);
    strbuf_printf(&sql, "INSERT INTO messages(topic, %skey, %svalue) VALUES (",
                  partition ? "partition, " : "", headers ? "headers, " : "");
    dump_literal(&sql, statement_text_of(s, ITEM_TOPIC));
    if (partition)
        strbuf_printf(&sql, ", %" PRId64, statement_number_of(s, ITEM_PARTITION, 0));
    strbuf_add_cstr(&sql, ", ");
    if (key.ptr == NULL)
        strbuf_add_cstr(&sql, "NULL");
    else
        dump_literal(&sql, key);
    strbuf_add_cstr(&sql, ", ");
    if (headers) {
        add_headers(x, &sql);
        strbuf_add_cstr(&sql, ", ");
    }
    dump_literal(&sql, s->items[s->count - 1].text); /* VALUE stands last */
    strbuf_add_char(&sql, ')');
    if (strbuf_failed(&sql))
        return fault_set(x->f, FAULT_LIMIT, "the record is too large for a statement");
    if (s->explain) {
        print_table_printf(&x->plan, "Change: Produce to the leader of the partition");
        print_table_printf(&x->plan, "  %s", sql.ptr);
        return EXEC_PLANNED;
    }
    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was produced");
        exec_tag(x, "PRODUCE 0");
        return 0;
    }
    if (x->env->query == NULL)
        return exec_not_supported(x, "queries are not available here");
    if (x->env->query(x->env->arg, strbuf_view(&sql), x->f) != 0)
        return -1;
    exec_tag(x, "PRODUCE 1");
    return 0;
}
