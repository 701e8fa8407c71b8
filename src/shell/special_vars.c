/*
 * special_vars.c - the variables that mean something: rows, and what may be put into them
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "variables_int.h"

#include "ottla/common/text.h"

#define CHOICES_ECHO   "none all queries errors"
#define CHOICES_FORMAT "auto text hex base64 json"

/* Sorted by name, as \? variables prints them. */
const SpecialVar special_vars[] = {
    {"AUTOCOMMIT", SPECIAL_BOOL, "on", "on", "cannot be off: every statement stands alone"},
    {"CLUSTER_ID", SPECIAL_FACT, NULL, NULL, "id of the cluster"},
    {"COMP_KEYWORD_CASE", SPECIAL_CHOICE, "lower upper preserve-lower preserve-upper",
     "preserve-upper", "letter case of completed keywords"},
    {"CONFIRM", SPECIAL_BOOL, NULL, "off",
     "asks before statements that destroy (on at a terminal)"},
    {"ECHO", SPECIAL_CHOICE, CHOICES_ECHO, "none", "which input is written to standard output"},
    {"ECHO_HIDDEN", SPECIAL_SWITCH, "noexec", "off",
     "shows the SQL and the requests behind backslash commands; noexec: only shows them"},
    {"ERROR", SPECIAL_FACT, NULL, NULL, "true after a statement that failed, else false"},
    {"FETCH_COUNT", SPECIAL_NUMBER, NULL, "0", "rows printed at a time; 0: all at once"},
    {"HISTCONTROL", SPECIAL_CHOICE, "none ignorespace ignoredups ignoreboth", "none",
     "which lines the history leaves out"},
    {"HISTFILE", SPECIAL_TEXT, NULL, NULL, "file of the history"},
    {"HISTSIZE", SPECIAL_NUMBER, NULL, "500", "lines of the history"},
    {"HOST", SPECIAL_FACT, NULL, NULL, "the host, or the directory of the socket"},
    {"IGNOREEOF", SPECIAL_NUMBER, NULL, "0", "how often Ctrl-D is ignored at a terminal"},
    {"KAFKA_ERROR", SPECIAL_FACT, NULL, NULL, "name of the Kafka error of the last statement"},
    {"KEY_FORMAT", SPECIAL_CHOICE, CHOICES_FORMAT, "auto", "how keys of messages are shown"},
    {"LAST_ERROR_MESSAGE", SPECIAL_FACT, NULL, NULL, "text of the last error"},
    {"LAST_ERROR_SQLSTATE", SPECIAL_FACT, NULL, NULL, "code of the last error"},
    {"MESSAGE_FORMAT", SPECIAL_TEXT, NULL, NULL, "how \\tail and \\consume print a message"},
    {"NODE_ID", SPECIAL_FACT, NULL, NULL, "id of the node"},
    {"ON_ERROR_STOP", SPECIAL_BOOL, NULL, "off", "a script ends at its first error"},
    {"PORT", SPECIAL_FACT, NULL, NULL, "port of the connection"},
    {"PROMPT1", SPECIAL_TEXT, NULL, "%I%R%# ", "the prompt"},
    {"PROMPT2", SPECIAL_TEXT, NULL, "%I%R%# ", "the prompt when a statement goes on"},
    {"PROMPT3", SPECIAL_TEXT, NULL, ">> ", "the prompt for messages of \\copy and \\produce"},
    {"QUIET", SPECIAL_BOOL, NULL, "off", "no greeting, no tags"},
    {"ROW_COUNT", SPECIAL_FACT, NULL, NULL, "rows of the last statement"},
    {"SCAN_LIMIT", SPECIAL_NUMBER, NULL, "1000000",
     "messages that one query may read; 0: any number"},
    {"SERVER_VERSION_NAME", SPECIAL_FACT, NULL, NULL, "name and version of the server"},
    {"SERVER_VERSION_NUM", SPECIAL_FACT, NULL, NULL, "its version as a number: 0.1.2 is 102"},
    {"SHOW_ALL_RESULTS", SPECIAL_BOOL, NULL, "on",
     "of statements sent together (\\\\;) every result is shown, not only the last"},
    {"SINGLELINE", SPECIAL_BOOL, NULL, "off", "the end of a line ends a statement, as -S"},
    {"SINGLESTEP", SPECIAL_BOOL, NULL, "off", "asks before each statement, as -s"},
    {"SQLSTATE", SPECIAL_FACT, NULL, NULL, "code of the last statement; 00000: no error"},
    {"TIMEZONE", SPECIAL_TEXT, NULL, "local", "zone of the times that are shown"},
    {"USER", SPECIAL_FACT, NULL, NULL, "who one is: as it was given, else as the node says"},
    {"VALIDATE_ONLY", SPECIAL_BOOL, NULL, "off", "statements that change something are only tried"},
    {"VALUE_FORMAT", SPECIAL_CHOICE, CHOICES_FORMAT, "auto", "how values of messages are shown"},
    {"VERBOSITY", SPECIAL_CHOICE, "terse default verbose sqlstate", "default",
     "how much is printed of an error"},
    {"VERSION", SPECIAL_FACT, NULL, NULL, "version of this program"},
};
const int special_vars_count = (int)(sizeof special_vars / sizeof special_vars[0]);

const SpecialVar *
special_var_find(StrView name)
{
    for (int i = 0; i < special_vars_count; i++)
        if (strview_equal(name, strview_from(special_vars[i].name)))
            return &special_vars[i];
    return NULL;
}

/* Is the text the word, or (unique) at least `least` letters of its beginning? */
static bool
begins(StrView text, const char *word, int32_t least)
{
    StrView w = strview_from(word);

    return text.len >= least && text.len <= w.len &&
           text_equal_nocase(text, (StrView){w.ptr, text.len});
}

bool
variable_parse_bool(StrView text, bool *ret)
{
    if (begins(text, "true", 1) || begins(text, "yes", 1) || begins(text, "on", 2) ||
        begins(text, "1", 1)) {
        *ret = true;
        return true;
    }
    if (begins(text, "false", 1) || begins(text, "no", 1) || begins(text, "off", 2) ||
        begins(text, "0", 1)) {
        *ret = false;
        return true;
    }
    return false;
}

/* The word of the list that equals the text but for the case of letters; null: none. */
static StrView
find_choice(const char *choices, StrView text)
{
    while (choices != NULL && *choices != '\0') {
        int32_t len = (int32_t)strcspn(choices, " ");
        StrView word = {choices, len};

        if (text_equal_nocase(word, text))
            return word;
        choices += len + (choices[len] == ' ');
    }
    return (StrView){NULL, 0};
}

static bool
refuse(const SpecialVar *row, StrView value, const char *expected, ErrInfo *err)
{
    (void)err_set(err, OT_E_INVALID, "unrecognized value \"%.*s\" for \"%s\": %s", value.len,
                  value.ptr, row->name, expected);
    return false;
}

/* The listing of choices lies in *err already. */
static bool
refuse_choice(const SpecialVar *row, StrView value, ErrInfo *err)
{
    char expected[128];

    (void)snprintf(expected, sizeof expected, "%s%s", "available values are ", row->choices);
    return refuse(row, value, expected, err);
}

bool
special_var_check(const SpecialVar *row, StrView value, StrView *ret, ErrInfo *err)
{
    StrView word = find_choice(row->choices, value);
    int64_t number;
    bool on = true;

    *ret = value;
    switch (row->kind) {
    case SPECIAL_BOOL:
    case SPECIAL_SWITCH:
        if (word.ptr != NULL) {
            *ret = word;
            return true;
        }
        if (value.len > 0 && !variable_parse_bool(value, &on))
            return refuse(row, value, "a boolean is expected", err);
        if (!on && row->kind == SPECIAL_BOOL && row->choices != NULL)
            return refuse(row, value, "every statement stands alone", err);
        *ret = on ? STRVIEW("on") : STRVIEW("off");
        return true;
    case SPECIAL_NUMBER:
        if (!text_to_int64(value, &number) || number < 0)
            return refuse(row, value, "a number is expected", err);
        return true;
    case SPECIAL_CHOICE:
        if (word.ptr == NULL)
            return refuse_choice(row, value, err);
        *ret = word;
        return true;
    case SPECIAL_TEXT:
    case SPECIAL_FACT:
        return true;
    }
    return true;
}
