/* Subscriptions, each with the logs it reads and the stream it writes. Work is done in pump() only; everything else takes note and asks
 * for one. */
#include "agent/log_publisher.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "proto/swarmkit/logbroker.pb-c.h"

typedef Docker__Swarmkit__V1__SubscriptionMessage Subscription;
typedef Docker__Swarmkit__V1__LogSelector Selector;
typedef Docker__Swarmkit__V1__LogSubscriptionOptions Options;
typedef Docker__Swarmkit__V1__PublishLogsMessage Publish;
typedef Docker__Swarmkit__V1__LogMessage LogMessage;

/* One task's log, read for one subscription. */
struct pull {
    struct pull *prev, *next;
    struct publication *publication;
    char *task_id, *service_id;
    void *reader;      /* NULL once the log has ended; the entry stays until the task is forgotten, so that it is not taken up again */
    bool is_waiting;   /* for on_ready */
    bool is_forgotten; /* the task is gone: so is this when the log has ended */
};

struct publication {
    struct publication *prev, *next;
    struct log_publisher *publisher;
    Subscription *message; /* its id, selector and options */
    struct log_read_options read_options;
    struct pull *pulls;
    void *stream;
    bool is_writable, is_closing, is_finished;
};

struct log_publisher {
    struct log_source source;
    struct log_sink sink;
    char *node_id;
    void (*want_pump)(void *ctx);
    void *ctx;
    struct publication *list;
    size_t publication_count, reader_count;
    struct log_publisher_stats stats;
};

/* A batch under construction. */
struct batch {
    struct arena arena;
    LogMessage *messages[LOG_BATCH_COUNT];
    size_t count, size_bytes;
};

static void want_pump(struct log_publisher *p)
{
    p->want_pump(p->ctx);
}

/* Which tasks. */

static bool contains(char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(ids[i], id))
            return true;
    return false;
}

static bool selects(const Selector *selector, const struct log_task *task, const char *node_id)
{
    return selector && (contains(selector->task_ids, selector->n_task_ids, task->task_id) ||
                        (!text_empty(task->service_id) && contains(selector->service_ids, selector->n_service_ids, task->service_id)) ||
                        contains(selector->node_ids, selector->n_node_ids, node_id));
}

static int64_t timestamp_ns(const Google__Protobuf__Timestamp *since)
{
    int64_t ns;

    if (!since || (since->seconds == 0 && since->nanos == 0))
        return INT64_MIN;
    if (__builtin_mul_overflow(since->seconds, (int64_t)NS_PER_S, &ns) || __builtin_add_overflow(ns, since->nanos, &ns))
        return since->seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

/* The wire's tail: 0 is everything, -(n + 1) the last n lines. From the start (positive) no manager asks; it is read as everything. */
static struct log_read_options read_options_of(const Options *options)
{
    struct log_read_options read = {.want_stdout = true, .want_stderr = true, .tail_lines = -1, .since_wall_ns = INT64_MIN};

    if (!options)
        return read;
    if (options->n_streams > 0)
        read.want_stdout = read.want_stderr = false;
    for (size_t i = 0; i < options->n_streams; i++) {
        read.want_stdout = read.want_stdout || options->streams[i] == DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDOUT;
        read.want_stderr = read.want_stderr || options->streams[i] == DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR;
    }
    read.follow = options->follow;
    if (options->tail < 0)
        read.tail_lines = -(options->tail + 1);
    read.since_wall_ns = timestamp_ns(options->since);
    return read;
}

/* Pulls. */

static void pull_ready(void *ctx)
{
    struct pull *pull = ctx;
    pull->is_waiting = false;
    want_pump(pull->publication->publisher);
}

static void end_pull(struct pull *pull)
{
    struct log_publisher *p = pull->publication->publisher;

    if (!pull->reader)
        return;
    p->source.close(p->source.self, pull->reader);
    pull->reader = NULL;
    p->reader_count--;
}

static bool has_pull(const struct publication *publication, const char *task_id)
{
    const struct pull *pull;

    DL_FOREACH (publication->pulls, pull)
        if (strcmp(pull->task_id, task_id) == 0)
            return true;
    return false;
}

static int open_reader(struct publication *publication, struct pull *pull, const struct log_read_options *options, struct error *err)
{
    struct log_publisher *p = publication->publisher;

    if (p->reader_count >= LOG_READERS_COUNT)
        return error_set(err, ERR_LIMIT, "%d logs are being read already", LOG_READERS_COUNT);
    int result = p->source.open(p->source.self, pull->task_id, options, pull_ready, pull, &pull->reader, err);
    if (result == 0)
        p->reader_count++;
    return result;
}

static void free_pull(struct pull *pull)
{
    free(pull->task_id);
    free(pull->service_id);
    free(pull);
}

static void add_pull(struct publication *publication, const struct log_task *task, const struct log_read_options *options)
{
    struct error err = {0};
    struct pull *pull;

    if (has_pull(publication, task->task_id))
        return;
    pull = mem_alloc(sizeof *pull);
    pull->publication = publication;
    pull->task_id = mem_string(task->task_id);
    pull->service_id = mem_string(task->service_id ? task->service_id : "");
    if (open_reader(publication, pull, options, &err) < 0) {
        if (err.code != ERR_NOT_FOUND) { /* a task without output is nothing special */
            publication->publisher->stats.failures++;
            log_with(LOG_WARN, "logs", LOG_FIELDS({"task", task->task_id}, {"subscription", publication->message->id}),
                     "this task's log is left out: %s", err.message);
        }
        free_pull(pull);
        return;
    }
    DL_APPEND(publication->pulls, pull);
}

/* Publications. */

static struct publication *find(const struct log_publisher *p, const char *id)
{
    struct publication *publication;

    DL_FOREACH (p->list, publication)
        if (strcmp(publication->message->id, id) == 0)
            return publication;
    return NULL;
}

static void end_pulls(struct publication *publication)
{
    struct pull *pull;

    DL_FOREACH (publication->pulls, pull)
        end_pull(pull);
}

static void drop(struct publication *publication)
{
    struct pull *pull, *next;

    end_pulls(publication);
    DL_FOREACH_SAFE (publication->pulls, pull, next)
        free_pull(pull);
    DL_DELETE(publication->publisher->list, publication);
    publication->publisher->publication_count--;
    docker__swarmkit__v1__subscription_message__free_unpacked(publication->message, NULL);
    free(publication);
}

static void consider_task(void *ctx, const struct log_task *task)
{
    struct publication *publication = ctx;

    if (selects(publication->message->selector, task, publication->publisher->node_id))
        add_pull(publication, task, &publication->read_options);
}

static int check(const struct log_publisher *p, const Subscription *message, struct error *err)
{
    const Selector *selector = message->selector;

    if (text_empty(message->id) || strlen(message->id) > ID_ASSIGNED_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "log subscription: without an id, or with one that is too long");
    if (p->publication_count >= LOG_SUBSCRIPTIONS_COUNT)
        return error_set(err, ERR_LIMIT, "log subscription %s: %d are served already", message->id, LOG_SUBSCRIPTIONS_COUNT);
    if (selector && selector->n_task_ids + selector->n_service_ids + selector->n_node_ids > LOG_SELECTOR_COUNT)
        return error_set(err, ERR_LIMIT, "log subscription %s: selects by more than %d ids", message->id, LOG_SELECTOR_COUNT);
    return 0;
}

static int begin(struct log_publisher *p, const Subscription *message, struct error *err)
{
    struct publication *publication = mem_alloc(sizeof *publication);
    int result = p->sink.open(p->sink.self, publication, &publication->stream, err);

    if (result < 0) {
        free(publication);
        return error_wrap(err, "log subscription %s", message->id);
    }
    publication->publisher = p;
    publication->message = (Subscription *)message_copy(&message->base);
    publication->read_options = read_options_of(message->options);
    publication->is_writable = true;
    DL_APPEND(p->list, publication);
    p->publication_count++;
    p->stats.subscriptions++;
    p->source.tasks(p->source.self, consider_task, publication);
    want_pump(p);
    return 0;
}

int log_publisher_subscription(struct log_publisher *publisher, const Subscription *message, struct error *err)
{
    struct publication *publication = text_empty(message->id) ? NULL : find(publisher, message->id);

    if (message->close) {
        if (publication) {
            publication->is_closing = true;
            end_pulls(publication);
            want_pump(publisher);
        }
        return 0;
    }
    if (publication)
        return 0;
    int result = check(publisher, message, err);
    return result < 0 ? result : begin(publisher, message, err);
}

void log_publisher_task_started(struct log_publisher *publisher, const struct log_task *task)
{
    struct publication *publication;

    DL_FOREACH (publisher->list, publication) {
        struct log_read_options options = publication->read_options;
        options.tail_lines = -1; /* it began after the subscription: nothing of it is old */
        if (options.follow && !publication->is_closing && selects(publication->message->selector, task, publisher->node_id)) {
            add_pull(publication, task, &options);
            want_pump(publisher);
        }
    }
}

static void drop_pull(struct publication *publication, struct pull *pull)
{
    DL_DELETE(publication->pulls, pull);
    free_pull(pull);
}

void log_publisher_task_forgotten(struct log_publisher *publisher, const char *task_id)
{
    struct publication *publication;
    struct pull *pull, *next;

    DL_FOREACH (publisher->list, publication)
        DL_FOREACH_SAFE (publication->pulls, pull, next) {
            if (strcmp(pull->task_id, task_id) != 0)
                continue;
            pull->is_forgotten = true;
            if (!pull->reader)
                drop_pull(publication, pull);
        }
}

/* Batches. */

static void add_attrs(struct batch *batch, LogMessage *message, const struct log_entry *entry)
{
    if (entry->attr_count == 0)
        return;
    message->n_attrs = entry->attr_count;
    message->attrs = arena_alloc(&batch->arena, entry->attr_count * sizeof(Docker__Swarmkit__V1__LogAttr *));
    for (size_t i = 0; i < entry->attr_count; i++) {
        message->attrs[i] = arena_alloc(&batch->arena, sizeof *message->attrs[i]);
        docker__swarmkit__v1__log_attr__init(message->attrs[i]);
        message->attrs[i]->key = arena_string(&batch->arena, entry->attrs[i].key);
        message->attrs[i]->value = arena_string(&batch->arena, entry->attrs[i].value);
    }
}

static Google__Protobuf__Timestamp *timestamp_of(struct batch *batch, int64_t wall_ns)
{
    Google__Protobuf__Timestamp *timestamp = arena_alloc(&batch->arena, sizeof *timestamp);
    int64_t nanos = wall_ns % (int64_t)NS_PER_S;

    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = wall_ns / (int64_t)NS_PER_S - (nanos < 0);
    timestamp->nanos = (int32_t)(nanos < 0 ? nanos + (int64_t)NS_PER_S : nanos);
    return timestamp;
}

static void add_entry(struct batch *batch, const struct pull *pull, const struct log_entry *entry)
{
    struct log_publisher *p = pull->publication->publisher;
    LogMessage *message = arena_alloc(&batch->arena, sizeof *message);

    docker__swarmkit__v1__log_message__init(message);
    message->context = arena_alloc(&batch->arena, sizeof *message->context);
    docker__swarmkit__v1__log_context__init(message->context);
    message->context->node_id = p->node_id;
    message->context->service_id = pull->service_id;
    message->context->task_id = pull->task_id;
    message->timestamp = timestamp_of(batch, entry->wall_ns);
    message->stream = (Docker__Swarmkit__V1__LogStream)entry->stream;
    message->data = (ProtobufCBinaryData){entry->data.size, arena_copy(&batch->arena, entry->data.data, entry->data.size)};
    add_attrs(batch, message, entry);
    batch->messages[batch->count++] = message;
    batch->size_bytes += entry->data.size;
    p->stats.entries++;
    p->stats.bytes += entry->data.size;
}

static bool is_full(const struct batch *batch)
{
    return batch->count == LOG_BATCH_COUNT || batch->size_bytes >= LOG_BATCH_BYTES;
}

/* Read one log until the batch is full, or it has no more for now, or it has ended. */
static void fill_from(struct batch *batch, struct pull *pull)
{
    struct log_publisher *p = pull->publication->publisher;

    while (!is_full(batch)) {
        struct error err = {0};
        struct log_entry entry = {0};
        int result = p->source.read(p->source.self, pull->reader, &entry, &err);
        if (result == LOG_READ_ENTRY && entry.data.size > LOG_ENTRY_SIZE_BYTES)
            result = error_set(&err, ERR_LIMIT, "an entry has %zu bytes, at most %u", entry.data.size, LOG_ENTRY_SIZE_BYTES);
        if (result == LOG_READ_ENTRY) {
            add_entry(batch, pull, &entry);
            continue;
        }
        if (result == LOG_READ_WAIT) {
            pull->is_waiting = true;
            return;
        }
        if (result < 0) {
            p->stats.failures++;
            log_with(LOG_WARN, "logs", LOG_FIELDS({"task", pull->task_id}), "this task's log ends here: %s", err.message);
        }
        end_pull(pull);
        return;
    }
}

static void send_message(struct publication *publication, LogMessage **messages, size_t count, bool is_close)
{
    Publish publish = DOCKER__SWARMKIT__V1__PUBLISH_LOGS_MESSAGE__INIT;
    struct log_sink *sink = &publication->publisher->sink;
    cleanup_buf struct buf packed = {0};

    publish.subscription_id = publication->message->id;
    publish.messages = messages;
    publish.n_messages = count;
    publish.close = is_close;
    size_t size = docker__swarmkit__v1__publish_logs_message__get_packed_size(&publish);
    docker__swarmkit__v1__publish_logs_message__pack(&publish, buf_reserve(&packed, size));
    packed.size = size;
    publication->is_writable = sink->send(sink->self, publication->stream, buf_bytes(&packed));
}

static bool can_read(const struct publication *publication)
{
    const struct pull *pull;

    DL_FOREACH (publication->pulls, pull)
        if (pull->reader && !pull->is_waiting)
            return true;
    return false;
}

static bool is_drained(const struct publication *publication)
{
    const struct pull *pull;

    if (publication->is_closing)
        return true;
    if (publication->read_options.follow)
        return false;
    DL_FOREACH (publication->pulls, pull)
        if (pull->reader)
            return false;
    return true;
}

/* One batch from this publication's logs. The log that filled it goes to the end of the line, so that a busy task does not hide others. */
static void publish_batch(struct publication *publication)
{
    struct batch batch = {.count = 0};
    struct pull *pull, *next;

    DL_FOREACH_SAFE (publication->pulls, pull, next) {
        if (pull->reader && !pull->is_waiting)
            fill_from(&batch, pull);
        if (is_full(&batch)) {
            DL_DELETE(publication->pulls, pull);
            DL_APPEND(publication->pulls, pull);
            break;
        }
    }
    if (batch.count > 0)
        send_message(publication, batch.messages, batch.count, false);
    arena_deinit(&batch.arena);
    DL_FOREACH_SAFE (publication->pulls, pull, next) /* only now: the batch has borrowed their ids */
        if (pull->is_forgotten && !pull->reader)
            drop_pull(publication, pull);
}

static void finish(struct publication *publication)
{
    struct log_sink *sink = &publication->publisher->sink;

    end_pulls(publication);
    send_message(publication, NULL, 0, true);
    publication->is_finished = true;
    sink->finish(sink->self, publication->stream);
}

/* Something to do for it, and room to do it? */
static bool is_ready(const struct publication *publication)
{
    return !publication->is_finished && publication->is_writable && (is_drained(publication) || can_read(publication));
}

bool log_publisher_pump(struct log_publisher *publisher)
{
    struct publication *publication, *next;
    bool more = false;

    DL_FOREACH_SAFE (publisher->list, publication, next) {
        if (is_ready(publication) && !is_drained(publication))
            publish_batch(publication);
        if (is_ready(publication) && is_drained(publication))
            finish(publication);
        more = more || is_ready(publication);
    }
    return more;
}

void log_publisher_writable(struct log_publisher *publisher, void *publication)
{
    ((struct publication *)publication)->is_writable = true;
    want_pump(publisher);
}

void log_publisher_ended(struct log_publisher *publisher, void *publication, int grpc_status, const char *grpc_message)
{
    struct publication *ended = publication;

    if (grpc_status != 0) {
        publisher->stats.failures++;
        log_with(LOG_WARN, "logs", LOG_FIELDS({"subscription", ended->message->id}), "the manager ended this log stream: %s",
                 text_empty(grpc_message) ? "no reason given" : grpc_message);
    }
    drop(ended);
}

void log_publisher_session_down(struct log_publisher *publisher)
{
    struct publication *publication, *next;

    DL_FOREACH_SAFE (publisher->list, publication, next) {
        publisher->sink.cancel(publisher->sink.self, publication->stream);
        drop(publication);
    }
}

struct log_publisher *log_publisher_new(const struct log_publisher_options *options)
{
    struct log_publisher *p = mem_alloc(sizeof *p);

    p->source = options->source;
    p->sink = options->sink;
    p->node_id = mem_string(options->node_id);
    p->want_pump = options->want_pump;
    p->ctx = options->ctx;
    return p;
}

void log_publisher_free(struct log_publisher *publisher)
{
    if (!publisher)
        return;
    log_publisher_session_down(publisher);
    free(publisher->node_id);
    free(publisher);
}

const struct log_publisher_stats *log_publisher_stats(const struct log_publisher *publisher)
{
    return &publisher->stats;
}

size_t log_publisher_active_count(const struct log_publisher *publisher)
{
    return publisher->publication_count;
}
