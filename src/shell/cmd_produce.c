/*
 * cmd_produce.c - \produce: lines become messages; by librdkafka
 *
 * Lines come from files, or from where the command stands: the terminal, the script, standard input; there a line "\." ends
 * them. With a transactional id all of them are one transaction.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_int.h"

#include <errno.h>
#include <stdlib.h>

#include "data_int.h"
#include "interrupt_int.h"
#include "kafka_lib_int.h"
#include "ottla/common/text.h"

#define PRODUCE_SETTINGS_MAX 50
#define PRODUCE_FILES_MAX    100
#define PRODUCE_LINE_MAX     ((size_t)100 << 20)
#define PRODUCE_WAIT_MS      100
#define TRANSACTION_MS       30000
#define TRANSACTION_PIECE_MS 500
#define TRANSACTION_PAUSE_MS 100

typedef struct Produce {
    CommandCall *call;
    const KafkaLib *lib;
    rd_kafka_t *rk;
    char *topic;
    char *key;           /* of all; NULL: none */
    char *key_delimiter; /* NULL: lines have no keys */
    char *delimiter;     /* NULL: a line feed */
    char *tee;
    FILE *tee_file;
    char *transaction; /* its id; NULL: none */
    char *settings[PRODUCE_SETTINGS_MAX];
    int setting_count;
    char *files[PRODUCE_FILES_MAX];
    int file_count;
    rd_kafka_headers_t *headers; /* of all; NULL: none */
    int32_t partition;
    bool null_when_empty;
    int64_t sent;
    int64_t written;
    int64_t failed;
    rd_kafka_resp_err_t first_error;
} Produce;

/* ---- arguments ---- */

/* -1: reported. */
static int
too_many(Produce *p, const char *option, int most)
{
    (void)command_fail(p->call, "more than %d times %s", most, option);
    return -1;
}

/* "name=value" becomes another name of a setting. */
static int
add_setting(Produce *p, const char *option, const char *name, const char *value)
{
    char *pair;

    if (p->setting_count == PRODUCE_SETTINGS_MAX)
        return too_many(p, option, PRODUCE_SETTINGS_MAX);
    if (asprintf(&pair, "%s=%s", name, value) < 0) {
        (void)command_fail(p->call, "no memory");
        return -1;
    }
    p->settings[p->setting_count++] = pair;
    return 0;
}

static int
take_codec(Produce *p, const char *option)
{
    char *value = NULL;
    int status = stream_take_text(p->call, option, &value);

    if (status == 0)
        status = add_setting(p, option, "compression.codec", value);
    free(value);
    return status;
}

static int
take_partitioner(Produce *p, const char *option)
{
    static const char *const names[][2] = {
        {"murmur2", "murmur2_random"}, {"random", "random"}, {"consistent", "consistent_random"}};
    char *value = NULL;

    if (stream_take_text(p->call, option, &value) != 0)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i][0]) == 0) {
            free(value);
            return add_setting(p, option, "partitioner", names[i][1]);
        }
    }
    (void)command_fail(p->call, "there is no partitioner %s; there are murmur2, random, consistent",
                       value);
    free(value);
    return -1;
}

static int
take_header(Produce *p, const char *option)
{
    char *pair = NULL;
    char *equals;

    if (stream_take_text(p->call, option, &pair) != 0)
        return -1;
    equals = strchr(pair, '=');
    if (p->headers == NULL)
        p->headers = p->lib->headers_new(8);
    if (equals == NULL) /* null */
        (void)p->lib->header_add(p->headers, pair, -1, NULL, 0);
    else
        (void)p->lib->header_add(p->headers, pair, equals - pair, equals + 1,
                                 (ssize_t)strlen(equals + 1));
    free(pair);
    return 0;
}

static int
take_partition(Produce *p, const char *option)
{
    char *text = NULL;
    bool good;

    if (stream_take_text(p->call, option, &text) != 0)
        return -1;
    good = text_to_int32(strview_from(text), &p->partition) && p->partition >= -1;
    if (!good)
        (void)command_fail(p->call, "\"%s\" is no partition", text);
    free(text);
    return good ? 0 : -1;
}

static int
take_option(Produce *p, const char *option)
{
    if (strncmp(option, "--transactional-id", 18) == 0 &&
        (option[18] == '\0' || option[18] == '=')) {
        p->transaction = option[18] == '=' ? strdup(option + 19) : command_word_copy(p->call);
        if (p->transaction != NULL)
            return 0;
        (void)command_fail(p->call, "an argument of %s is missing", option);
        return -1;
    }
    switch (option[1]) {
    case 'K':
        return stream_take_delimiter(p->call, option, &p->key_delimiter);
    case 'D':
        if (stream_take_delimiter(p->call, option, &p->delimiter) != 0)
            return -1;
        if (p->delimiter[0] != '\0')
            return 0;
        (void)command_fail(p->call, "the delimiter of messages is empty");
        return -1;
    case 'k':
        return stream_take_text(p->call, option, &p->key);
    case 'T':
        return stream_take_text(p->call, option, &p->tee);
    case 'H':
        return take_header(p, option);
    case 'p':
        return take_partition(p, option);
    case 'P':
        return take_partitioner(p, option);
    case 'z':
        return take_codec(p, option);
    case 'X':
        if (p->setting_count == PRODUCE_SETTINGS_MAX)
            return too_many(p, option, PRODUCE_SETTINGS_MAX);
        return stream_take_text(p->call, option, &p->settings[p->setting_count++]);
    case 'Z':
        p->null_when_empty = true;
        return 0;
    case 'l':
        if (p->file_count == PRODUCE_FILES_MAX)
            return too_many(p, option, PRODUCE_FILES_MAX);
        return stream_take_text(p->call, option, &p->files[p->file_count++]);
    default:
        break;
    }
    (void)command_fail(p->call, "there is no option %s", option);
    return -1;
}

static int
take_arguments(Produce *p)
{
    const char *word;

    while ((word = command_word(p->call)) != NULL) {
        if (word[0] == '-' && word[1] != '\0') {
            char *option = strdup(word); /* its argument may be the next word */
            int status = option == NULL ? -1 : take_option(p, option);

            free(option);
            if (status != 0)
                return -1;
        } else if (p->topic == NULL) {
            p->topic = strdup(word);
        } else {
            (void)command_fail(p->call, "one topic only");
            return -1;
        }
    }
    if (p->topic == NULL && p->call->shell->topic[0] != '\0')
        p->topic = strdup(p->call->shell->topic);
    if (p->call->bad)
        return -1;
    if (p->topic != NULL)
        return 0;
    (void)command_fail(p->call, "which topic?");
    return -1;
}

/* ---- sending ---- */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    Produce *p = opaque;

    (void)rk;
    if (message->err == 0) {
        p->written++;
        return;
    }
    if (p->failed++ == 0)
        p->first_error = message->err;
}

/* One message; waits while the library's queue is full. */
static int
send_message(Produce *p, BytesView key, BytesView value, Fault *f)
{
    rd_kafka_resp_err_t error;

    do {
        rd_kafka_headers_t *headers = p->headers == NULL ? NULL : p->lib->headers_copy(p->headers);
        void *key_bytes;
        void *bytes;

        memcpy(&key_bytes, &key.ptr, sizeof key_bytes); /* copied there, never written to */
        memcpy(&bytes, &value.ptr, sizeof bytes);
        error = p->lib->producev(
            p->rk, RD_KAFKA_V_TOPIC(p->topic), RD_KAFKA_V_PARTITION(p->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key_bytes, (size_t)key.len),
            RD_KAFKA_V_VALUE(bytes, (size_t)value.len), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_END);
        if (error != 0 && headers != NULL)
            p->lib->headers_destroy(headers);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            (void)p->lib->poll(p->rk, PRODUCE_WAIT_MS);
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && !shell_interrupted());
    if (error != 0)
        return kafka_fault(p->lib, error, p->topic, f);
    p->sent++;
    (void)p->lib->poll(p->rk, 0);
    return 0;
}

/* A line, without its delimiter, becomes a message. */
static int
take_line(Produce *p, const char *line, size_t len, Fault *f)
{
    BytesView key = {(const uint8_t *)p->key, p->key == NULL ? 0 : (int32_t)strlen(p->key)};
    BytesView value;
    const char *at = NULL;

    if (p->tee_file != NULL) {
        (void)fwrite(line, 1, len, p->tee_file); /* looked at when it is closed */
        (void)fputs(p->delimiter == NULL ? "\n" : p->delimiter, p->tee_file);
    }
    if (p->key_delimiter != NULL && p->key_delimiter[0] != '\0')
        at = memmem(line, len, p->key_delimiter, strlen(p->key_delimiter));
    if (at != NULL) {
        size_t skip = (size_t)(at - line) + strlen(p->key_delimiter);

        key = (BytesView){(const uint8_t *)line, (int32_t)(at - line)};
        line += skip;
        len -= skip;
    }
    value = (BytesView){(const uint8_t *)line, (int32_t)len};
    if (p->null_when_empty && value.len == 0)
        value.ptr = NULL;
    if (p->null_when_empty && at != NULL && key.len == 0)
        key.ptr = NULL;
    return send_message(p, key, value, f);
}

/* ---- reading ---- */

/* Reads up to the delimiter. false: the end. */
static bool
read_piece(FILE *file, const char *delimiter, StrBuf *to)
{
    size_t len = strlen(delimiter);
    int c;

    strbuf_clear(to);
    while ((c = getc_unlocked(file)) != EOF) {
        strbuf_add_char(to, (char)c);
        if (to->len >= len && memcmp(to->ptr + to->len - len, delimiter, len) == 0) {
            strbuf_truncate(to, to->len - len);
            return true;
        }
    }
    return to->len > 0;
}

static int
read_file(Produce *p, const char *path, Fault *f)
{
    FILE *file = fopen(path, "re");
    StrBuf piece;
    int status = 0;

    if (file == NULL)
        return fault_set(f, FAULT_NO_FILE, "%s: %s", path, strerror(errno));
    strbuf_init(&piece, PRODUCE_LINE_MAX, NULL);
    while (status == 0 && !shell_interrupted() &&
           read_piece(file, p->delimiter == NULL ? "\n" : p->delimiter, &piece)) {
        status = strbuf_failed(&piece)
                     ? fault_set(f, FAULT_LIMIT, "%s: a message is too long", path)
                     : take_line(p, piece.ptr, piece.len, f);
    }
    if (status == 0 && ferror(file))
        status = fault_set(f, FAULT_FILE, "%s: could not be read", path);
    strbuf_release(&piece);
    (void)fclose(file);
    return status;
}

/* Cuts a line of the input at the delimiters of messages, if there is one. */
static int
take_input_line(Produce *p, StrView line, Fault *f)
{
    size_t len = p->delimiter == NULL ? 0 : strlen(p->delimiter);

    while (len > 0) {
        const char *at = memmem(line.ptr, (size_t)line.len, p->delimiter, len);
        int32_t skip;

        if (at == NULL)
            break;
        if (take_line(p, line.ptr, (size_t)(at - line.ptr), f) != 0)
            return -1;
        skip = (int32_t)(at - line.ptr) + (int32_t)len;
        line = (StrView){line.ptr + skip, line.len - skip};
        if (line.len == 0)
            return 0;
    }
    return take_line(p, line.ptr, (size_t)line.len, f);
}

/* The lines behind the command. */
static int
read_input(Produce *p, Fault *f)
{
    InputGot got = INPUT_LINE;
    DataLines data;
    StrBuf line;
    int status = 0;

    data_begin(&data, p->call->shell);
    strbuf_init(&line, PRODUCE_LINE_MAX, NULL);
    while (status == 0 && !shell_interrupted() &&
           ((got = data_line(&data, &line)) == INPUT_LINE || got == INPUT_TOO_LONG))
        status = got == INPUT_LINE ? take_input_line(p, strbuf_view(&line), f)
                                   : fault_set(f, FAULT_LIMIT, "a line is too long");
    data_end(&data);
    strbuf_release(&line);
    return status;
}

/* ---- all ---- */

static int
open_producer(Produce *p, Fault *f)
{
    rd_kafka_conf_t *conf = kafka_conf(p->call->shell, p->lib, f);
    char error[256];
    int status;

    if (conf == NULL)
        return -1;
    p->lib->conf_set_opaque(conf, p);
    p->lib->conf_set_dr_msg_cb(conf, delivered);
    status = kafka_set(p->lib, conf, "partitioner", "murmur2_random", f);
    if (status == 0)
        status = kafka_set(p->lib, conf, "linger.ms", "5", f);
    if (status == 0 && p->transaction != NULL)
        status = kafka_set(p->lib, conf, "transactional.id", p->transaction, f);
    for (int i = 0; i < p->setting_count && status == 0; i++)
        status = kafka_set_pair(p->lib, conf, p->settings[i], f);
    p->rk = status != 0 ? NULL : p->lib->new (RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (p->rk != NULL)
        return 0;
    p->lib->conf_destroy(conf);
    return status != 0 ? -1 : fault_set(f, FAULT_BAD_PARAMETER, "%s", error);
}

static int
transaction_step(Produce *p, rd_kafka_error_t *error, const char *what, Fault *f)
{
    rd_kafka_resp_err_t code;

    if (error == NULL)
        return 0;
    code = p->lib->error_code(error);
    (void)kafka_fault(p->lib, code, what, f);
    fault_detail(f, "%s", p->lib->error_string(error));
    p->lib->error_destroy(error);
    return -1;
}

/* Finds the coordinator; in pieces, so that Ctrl-C is heard. */
static int
init_transactions(Produce *p, Fault *f)
{
    for (int left_ms = TRANSACTION_MS;; left_ms -= TRANSACTION_PIECE_MS) {
        rd_kafka_error_t *error = p->lib->init_transactions(p->rk, TRANSACTION_PIECE_MS);

        if (shell_interrupted())
            (void)fault_set(f, FAULT_CANCELED, "canceled on user's request");
        if (error == NULL)
            return shell_interrupted() ? -1 : 0;
        if (!shell_interrupted() && (left_ms <= 0 || p->lib->error_is_retriable(error) == 0))
            return transaction_step(p, error, "transaction", f);
        p->lib->error_destroy(error);
        if (interrupt_wait_ms(TRANSACTION_PAUSE_MS))
            return -1;
    }
}

static int
begin_transaction(Produce *p, Fault *f)
{
    if (p->transaction == NULL)
        return 0;
    if (init_transactions(p, f) != 0)
        return -1;
    p->call->shell->in_transaction = true;
    return transaction_step(p, p->lib->begin_transaction(p->rk), "transaction", f);
}

/* Commits, or aborts what was not wanted. */
static int
end_transaction(Produce *p, bool commit, Fault *f)
{
    Fault ignored;

    if (p->transaction == NULL || !p->call->shell->in_transaction)
        return 0;
    p->call->shell->in_transaction = false;
    if (commit)
        return transaction_step(p, p->lib->commit_transaction(p->rk, TRANSACTION_MS), "commit", f);
    (void)transaction_step(p, p->lib->abort_transaction(p->rk, TRANSACTION_MS), "abort", &ignored);
    return 0;
}

/* Waits until everything has its answer. */
static int
finish(Produce *p, Fault *f)
{
    while (p->lib->outq_len(p->rk) > 0 && !shell_interrupted())
        (void)p->lib->flush(p->rk, PRODUCE_WAIT_MS); /* a timeout is looked at above */
    if (p->failed > 0) {
        (void)kafka_fault(p->lib, p->first_error, p->topic, f);
        fault_detail(f, "%lld of %lld messages were not written.", (long long)p->failed,
                     (long long)p->sent);
        return -1;
    }
    return 0;
}

static int
produce_all(Produce *p, Fault *f)
{
    int status = open_producer(p, f);

    if (status == 0 && p->tee != NULL && (p->tee_file = fopen(p->tee, "we")) == NULL)
        status = fault_set(f, FAULT_FILE, "%s: %s", p->tee, strerror(errno));
    if (status == 0)
        status = begin_transaction(p, f);
    for (int i = 0; i < p->file_count && status == 0; i++)
        status = read_file(p, p->files[i], f);
    if (status == 0 && p->file_count == 0)
        status = read_input(p, f);
    if (status == 0)
        status = finish(p, f);
    if (end_transaction(p, status == 0 && !shell_interrupted(), f) != 0)
        status = -1;
    if (p->tee_file != NULL && fclose(p->tee_file) != 0 && status == 0)
        status = fault_set(f, FAULT_FILE, "%s: %s", p->tee, strerror(errno));
    if (p->rk != NULL) {
        (void)p->lib->purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)p->lib->flush(p->rk, PRODUCE_WAIT_MS);
        p->lib->destroy(p->rk);
    }
    return status;
}

static CommandResult
run(Produce *p)
{
    Shell *shell = p->call->shell;
    int32_t partitions;
    Fault f;
    int status;

    fault_clear(&f);
    /* Said here, a topic that does not exist is no time-out of the library. */
    status = client_partition_count(shell->client, strview_from(p->topic), &partitions, &f);
    if (status == 0)
        status = produce_all(p, &f);
    if (status == 0 && !variables_on(shell->vars, "QUIET"))
        shell_say(shell, "PRODUCE %lld\n", (long long)p->written);
    if (status == 0)
        shell_state_success(shell, p->written);
    if (shell_interrupted())
        interrupt_clear(shell->client);
    return stream_end(p->call, status, &f);
}

static void
release(Produce *p)
{
    for (int i = 0; i < p->setting_count; i++)
        free(p->settings[i]);
    for (int i = 0; i < p->file_count; i++)
        free(p->files[i]);
    if (p->headers != NULL)
        p->lib->headers_destroy(p->headers);
    free(p->topic);
    free(p->key);
    free(p->key_delimiter);
    free(p->delimiter);
    free(p->tee);
    free(p->transaction);
    free(p);
}

CommandResult
cmd_produce(CommandCall *call)
{
    Produce *p = calloc(1, sizeof *p);
    CommandResult result = COMMAND_FAILED;
    Fault f;

    if (p == NULL)
        return command_fail(call, "no memory");
    p->call = call;
    p->partition = RD_KAFKA_PARTITION_UA;
    p->lib = kafka_lib(&f);
    if (p->lib == NULL)
        result = stream_end(call, -1, &f);
    else if (take_arguments(p) == 0)
        result = call->shell->client != NULL
                     ? run(p)
                     : command_fail(call, "you are currently not connected");
    release(p);
    return result;
}
