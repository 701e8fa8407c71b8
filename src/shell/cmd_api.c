/*
 * cmd_api.c - \api: a request given as JSON, its answer as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/json.h"

#define ANSWER_TEXT_MAX ((size_t)1 << 30)

/* What stands behind \api. */
typedef struct ApiWords {
    StrView name;
    int32_t version; /* -1: none given */
    StrView json;    /* "{}": none given */
} ApiWords;

static StrView
next_word(StrView *rest)
{
    StrView word = text_trim(*rest);
    int32_t len = 0;

    while (len < word.len && (unsigned char)word.ptr[len] > ' ')
        len++;
    *rest = (StrView){word.ptr + len, word.len - len};
    return (StrView){word.ptr, len};
}

static void
split(StrView rest, ApiWords *ret)
{
    StrView behind;
    StrView word;

    *ret = (ApiWords){.name = next_word(&rest), .version = -1};
    behind = rest;
    word = next_word(&behind);
    if (word.len > 1 && word.ptr[0] == 'v' &&
        text_to_int32((StrView){word.ptr + 1, word.len - 1}, &ret->version))
        rest = behind;
    ret->json = text_trim(rest);
    if (ret->json.len == 0)
        ret->json = STRVIEW("{}");
}

/* By name, in any case, or by number. */
static const ApiInfo *
find(StrView name)
{
    int32_t number;

    if (text_to_int32(name, &number))
        return number < 0 || number > INT16_MAX ? NULL : api_find((int16_t)number);
    for (int32_t key = 0; key <= API_PRIVATE_MAX; key++) {
        const ApiInfo *api;

        if (key == API_KEY_MAX + 1)
            key = API_PRIVATE_MIN;
        api = api_find((int16_t)key);
        if (api != NULL && text_equal_nocase(name, strview_from(api->name)))
            return api;
    }
    return NULL;
}

/* ---- the list ----------------------------------------------------------------------------------- */

static CommandResult
list(CommandCall *call, const ClientInfo *info)
{
    Arena *arena = arena_new(16384, 0);
    PrintTable table;
    int rc;

    if (arena == NULL)
        return command_fail(call, "no memory");
    print_table_init(&table, arena, STRVIEW("APIs of the server"));
    print_table_add_column(&table, STRVIEW("Key"), 'r');
    print_table_add_column(&table, STRVIEW("Name"), 'l');
    print_table_add_column(&table, STRVIEW("First"), 'r');
    print_table_add_column(&table, STRVIEW("Last"), 'r');
    print_table_add_column(&table, STRVIEW("Used"), 'r');
    for (int32_t i = 0; i < info->api_count; i++) {
        const ApiInfo *api = api_find(info->apis[i].key);
        int16_t used = client_version(call->shell->client, CLIENT_HERE, info->apis[i].key);

        print_table_add_int(&table, info->apis[i].key);
        print_table_add_text(&table, api == NULL ? NULL : api->name);
        print_table_add_int(&table, info->apis[i].lo);
        print_table_add_int(&table, info->apis[i].hi);
        if (used >= 0)
            print_table_add_int(&table, used);
        else
            print_table_add_null(&table);
    }
    rc = shell_print(call->shell, &table);
    arena_free(arena);
    return rc == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

/* ---- a call ------------------------------------------------------------------------------------- */

/* The version that was asked for, or the highest; -1: *f says that there is none. */
static int16_t
choose_version(Shell *shell, const ApiInfo *api, int32_t asked, Fault *f)
{
    const ClientInfo *info = client_info(shell->client);
    int16_t highest = client_version(shell->client, CLIENT_HERE, api->key);

    for (int32_t i = 0; i < info->api_count && asked >= 0; i++)
        if (info->apis[i].key == api->key && asked >= info->apis[i].lo && asked <= highest)
            return (int16_t)asked;
    if (asked < 0 && highest >= 0)
        return highest;
    (void)fault_set(f, FAULT_NOT_SUPPORTED, "the server and this program have no %s in common",
                    asked < 0 ? api->name : "such version of it");
    return -1;
}

static int
call_api(Shell *shell, const ApiWords *words, const ApiInfo *api, Arena *arena, Fault *f)
{
    const MessageDesc *request_desc = message_find_by_number(MESSAGE_REQUEST, api->key);
    const MessageDesc *response_desc = message_find_by_number(MESSAGE_RESPONSE, api->key);
    int16_t version = choose_version(shell, api, words->version, f);
    ClientRequest request;
    ErrInfo err;
    StrBuf text;
    void *body;

    if (version < 0)
        return -1;
    if (request_desc == NULL || response_desc == NULL)
        return fault_set(f, FAULT_NOT_SUPPORTED, "there is no description of %s", api->name);
    body = arena_calloc(arena, 1, request_desc->body->bytes);
    request = (ClientRequest){.call = client_call_to(CLIENT_HERE, api->key), .request = body};
    request.call.version_max = version;
    request.response = arena_calloc(arena, 1, response_desc->body->bytes);
    if (body == NULL || request.response == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory");
    if (json_read_message((JsonText){words->json, version}, request_desc, body, arena, &err) != 0)
        return fault_set(f, FAULT_SYNTAX, "%s", err.text);
    if (client_call_many(shell->client, &request, 1, arena, f) != 0)
        return -1;
    if (request.status != 0) {
        *f = request.fault;
        return -1;
    }
    strbuf_init(&text, ANSWER_TEXT_MAX, arena);
    json_add_message(&text, response_desc, request.version, request.response);
    if (strbuf_failed(&text))
        return fault_set(f, FAULT_NO_MEMORY, "the answer does not fit into memory");
    shell_say(shell, "%s\n", text.ptr);
    return 0;
}

/* \api [NAME [vN] [JSON]] */
CommandResult
cmd_api(CommandCall *call)
{
    Shell *shell = call->shell;
    const char *rest = command_rest(call);
    CommandResult result = COMMAND_DONE;
    const ApiInfo *api;
    ApiWords words;
    Arena *arena;
    Fault f;

    if (!shell_wake_connection(shell))
        return COMMAND_FAILED;
    if (shell->client == NULL)
        return command_fail(call, "you are currently not connected");
    if (rest == NULL)
        return list(call, client_info(shell->client));
    split(strview_from(rest), &words);
    api = find(words.name);
    if (api == NULL)
        return command_fail(call, "there is no API \"%.*s\"; \\api lists them", words.name.len,
                            words.name.ptr);
    arena = arena_new(65536, SHELL_RESULT_BYTES_MAX);
    if (arena == NULL)
        return command_fail(call, "no memory");
    if (call_api(shell, &words, api, arena, &f) != 0) {
        shell_report(shell, &f, (StrView){NULL, 0});
        (void)shell_check_connection(shell); /* the next one looks again */
        result = COMMAND_FAILED;
    }
    arena_free(arena);
    return result;
}
