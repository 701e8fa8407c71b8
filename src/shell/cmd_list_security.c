/*
 * cmd_list_security.c - \da \du \dq: ACLs, users, quotas
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

#include "ottla/common/text.h"

/* ACLs that decide about a topic: of its name, of all names, of prefixes of it. */
static void
where_topic(List *list, const char *topic)
{
    StrBuf literal;

    strbuf_init(&literal, 4096, NULL);
    strbuf_add_char(&literal, '\'');
    for (const char *p = topic; *p != '\0'; p++)
        strbuf_printf(&literal, *p == '\'' ? "''" : "%c", *p);
    strbuf_add_char(&literal, '\'');
    list_equal(list, "resource_type", "topic");
    list_where(list,
               "(pattern_type = 'literal' AND resource_name IN (%s, '*')\n"
               "    OR pattern_type = 'prefixed' AND substr(%s, 1, length(resource_name)) = "
               "resource_name)",
               literal.ptr, literal.ptr);
    strbuf_release(&literal);
}

static void
where_user(List *list, const char *user)
{
    StrBuf principal;

    strbuf_init(&principal, 4096, NULL);
    strbuf_printf(&principal, "%s%s", strchr(user, ':') == NULL ? "User:" : "", user);
    list_where(list, "principal IN ('User:*', '");
    for (const char *p = principal.ptr; *p != '\0'; p++)
        strbuf_printf(&list->sql, *p == '\'' ? "''" : "%c", *p);
    list_add(list, "')");
    strbuf_release(&principal);
}

/* \da [PATTERN], \da TOPIC t, \da USER u */
CommandResult
cmd_list_acls(CommandCall *call)
{
    char *first = command_word_copy(call);
    bool topic = first != NULL && text_equal_nocase(strview_from(first), STRVIEW("topic"));
    bool user = first != NULL && text_equal_nocase(strview_from(first), STRVIEW("user"));
    const char *name = topic || user ? command_word(call) : NULL;
    CommandResult result;
    List list;

    list_begin(&list, call);
    list_add(
        &list,
        "principal AS \"Principal\", permission AS \"Permission\", operation AS \"Operation\",\n"
        "  resource_type AS \"Resource\", resource_name AS \"Name\", pattern_type AS \"Pattern\","
        " host AS \"Host\"\nFROM acls");
    if (name == NULL)
        list_pattern(&list, "resource_name", first);
    else if (topic)
        where_topic(&list, name);
    else
        where_user(&list, name);
    list_add(&list, "\nORDER BY 4, 5, 1, 2, 3, 7");
    result = list_run(&list, "List of access control lists");
    free(first);
    return result;
}

/* Does the cluster have ACLs? Without an authorizer their count is not asked for. */
static bool
has_authorizer(CommandCall *call)
{
    Arena *arena = list_arena(call);
    PrintTable table;
    List list;
    Fault f;
    bool has;

    if (arena == NULL)
        return false;
    list_begin(&list, call);
    list_add(&list, "count(*) FROM acls WHERE principal = 'User:'");
    has = list_fetch(&list, arena, &table, &f) == 0;
    arena_free(arena);
    return has;
}

CommandResult
cmd_list_users(CommandCall *call)
{
    char *pattern = command_word_copy(call);
    CommandResult result;
    List list;

    list_begin(&list, call);
    list_add(&list, "u.name AS \"User\", group_concat(u.mechanism, ', ') AS \"Mechanisms\","
                    " max(u.iterations) AS \"Iterations\",\n"
                    "  CASE max(u.is_super) WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END AS \"Super\"");
    if (call->plus) {
        if (has_authorizer(call))
            list_add(&list,
                     ",\n  (SELECT count(*) FROM acls a WHERE a.principal = 'User:' || u.name)"
                     " AS \"ACLs\"");
        list_add(&list, ",\n  (SELECT group_concat(q.key || '=' || q.value, ', ') FROM quotas q"
                        " WHERE q.user = u.name) AS \"Quotas\"");
    }
    list_add(&list, "\nFROM users u");
    list_pattern(&list, "u.name", pattern);
    list_add(&list, "\nGROUP BY u.name\nORDER BY 1");
    result = list_run(&list, "List of users");
    free(pattern);
    return result;
}

CommandResult
cmd_list_quotas(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list,
             "user AS \"User\", client_id AS \"Client\", ip AS \"Address\", key AS \"Quota\","
             " value AS \"Value\"\nFROM quotas");
    list_pattern(&list, "coalesce(user, client_id, ip)", pattern);
    list_add(&list, "\nORDER BY 1, 2, 3, 4");
    return list_run(&list, "List of quotas");
}
