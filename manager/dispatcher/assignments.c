/* manager/dispatcher/assignments.c – Assignments streams: when a feed's changes go out, in which order, and when a stream is given up. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "manager/dispatcher/inside.h"

#define ROOM "dispatcher"

typedef Docker__Swarmkit__V1__Task Task;

static void make_due(struct dispatcher_assignments *stream)
{
    struct dispatcher *dispatcher = stream->node->dispatcher;

    if (stream->is_due)
        return;
    stream->is_due = true;
    DL_APPEND2(dispatcher->due_streams, stream, due_prev, due_next);
    dispatcher_wake(dispatcher);
}

void dispatcher_assignments_end(struct dispatcher_assignments *stream, int code, const char *text)
{
    if (stream->end)
        return;
    stream->end = mem_alloc(sizeof *stream->end);
    error_set(stream->end, code, "%s", text);
    make_due(stream);
}

static void on_timer(void *ctx, uint64_t now_ns)
{
    struct dispatcher_assignments *stream = ctx;

    (void)now_ns;
    if (!stream->is_blocked) {
        make_due(stream);
        return;
    }
    stream->node->dispatcher->stats.stalled++;
    dispatcher_assignments_end(stream, ERR_ABORTED, "assignments: the node takes nothing any more; begin anew");
}

/* --- life --- */

int dispatcher_assignments_open(struct dispatcher *dispatcher, const char *node_id, const char *session_id,
                                const struct dispatcher_sink *sink, uint64_t now_ns, struct dispatcher_assignments **out, struct error *err)
{
    struct dispatcher_node *node = NULL;
    int failed = dispatcher_check_running(dispatcher, err);

    dispatcher->now_ns = now_ns;
    if (failed == 0)
        failed = dispatcher_node_check_session(dispatcher, node_id, session_id, &node, err);
    if (failed < 0)
        return failed;
    struct dispatcher_assignments *stream = mem_alloc(sizeof *stream);
    *stream = (struct dispatcher_assignments){.node = node, .sink = *sink, .timer = {.fire = on_timer, .ctx = stream}};
    DL_APPEND(node->streams, stream);
    dispatcher->stats.assignments++;
    if (++node->streams_count > DISPATCHER_STREAMS_PER_NODE_COUNT)
        dispatcher_assignments_end(node->streams, ERR_ABORTED, "assignments: newer streams took this one's place");
    make_due(stream);
    *out = stream;
    return 0;
}

static void drop(struct dispatcher_assignments *stream)
{
    struct dispatcher_node *node = stream->node;

    dispatcher_timer_stop(&node->dispatcher->timers, &stream->timer);
    if (stream->is_due)
        DL_DELETE2(node->dispatcher->due_streams, stream, due_prev, due_next);
    DL_DELETE(node->streams, stream);
    node->streams_count--;
    node->dispatcher->stats.assignments--;
    dispatcher_node_forget_if_idle(node);
    dispatcher_feed_deinit(&stream->feed);
    free(stream->end);
    free(stream);
}

void dispatcher_assignments_close(struct dispatcher_assignments *stream)
{
    drop(stream);
}

void dispatcher_assignments_writable(struct dispatcher_assignments *stream)
{
    if (!stream->is_blocked)
        return;
    stream->is_blocked = false;
    dispatcher_timer_stop(&stream->node->dispatcher->timers, &stream->timer);
    make_due(stream);
}

/* --- what changes --- */

/* A change came in: it waits for others, unless there are enough. */
static void collect(struct dispatcher_assignments *stream)
{
    struct dispatcher *dispatcher = stream->node->dispatcher;

    if (stream->feed.changes_count == 0)
        return;
    if (stream->is_blocked) {
        if (stream->feed.changes_count > DISPATCHER_WAITING_COUNT)
            dispatcher_assignments_end(stream, ERR_ABORTED, "assignments: too much waits for the node; begin anew");
    } else if (stream->feed.changes_count >= DISPATCHER_CHANGES_COUNT) {
        make_due(stream);
    } else if (!dispatcher_timer_is_set(&stream->timer)) {
        dispatcher_timer_set(&dispatcher->timers, &stream->timer, dispatcher->now_ns + DISPATCHER_CHANGES_MS * NS_PER_MS);
    }
}

struct refusing {
    const struct store *store;
    char secret[ID_ASSIGNED_SIZE_CHARS], driver[ID_ASSIGNED_SIZE_CHARS]; /* "": none */
};

static void look_for_driver(void *ctx, enum store_kind kind, const char *id)
{
    struct refusing *refusing = ctx;
    const Docker__Swarmkit__V1__Secret *secret = kind == STORE_SECRET ? store_secret(refusing->store, id) : NULL;

    if (secret == NULL || secret->spec == NULL || secret->spec->driver == NULL)
        return;
    snprintf(refusing->driver, sizeof refusing->driver, "%.64s", secret->spec->driver->name);
    snprintf(refusing->secret, sizeof refusing->secret, "%.64s", secret->spec->annotations ? secret->spec->annotations->name : secret->id);
}

/* A task that needs what this manager cannot give is not sent: it could only fail at the node, without the reason. */
static bool is_refused(struct dispatcher *dispatcher, const Task *task)
{
    struct refusing refusing = {.store = dispatcher->host.store};
    char why[512];

    if (task == NULL || task->status == NULL || task->status->state != DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED)
        return false;
    dispatcher_task_needs(task, look_for_driver, &refusing);
    if (refusing.secret[0] == 0)
        return false;
    snprintf(why, sizeof why,
             "secret %s is kept by the driver %s: this manager has no secret drivers; make a secret of the same name that holds its value",
             refusing.secret, refusing.driver);
    dispatcher_refuse_task(dispatcher, task->id, why, dispatcher->now_ns);
    return true;
}

static void put(struct dispatcher_assignments *stream, const char *id, const Task *old, const Task *task)
{
    if (stream->end || stream->sequence == 0) /* the first message is made of all there is then */
        return;
    if (!dispatcher_feed_has(&stream->feed, id) && is_refused(stream->node->dispatcher, task))
        return;
    dispatcher_feed_put(&stream->feed, id, old, task);
    collect(stream);
}

static void tell(struct dispatcher *dispatcher, const char *node_id, const char *id, const Task *old, const Task *task)
{
    struct dispatcher_node *node = dispatcher_node_find(dispatcher, node_id);
    struct dispatcher_assignments *stream;

    if (node == NULL)
        return;
    DL_FOREACH (node->streams, stream)
        put(stream, id, old, task);
}

static const Task *task_of(const struct store_object *object)
{
    return object ? (const Task *)(const void *)object->message : NULL;
}

void dispatcher_assignments_task(struct dispatcher *dispatcher, const struct store_change *change)
{
    const Task *task = task_of(change->object), *old = task_of(change->old);

    if (change->action == STORE_REMOVE) {
        tell(dispatcher, task->node_id, task->id, NULL, NULL);
        return;
    }
    if (old && strcmp(old->node_id, task->node_id) != 0)
        tell(dispatcher, old->node_id, task->id, NULL, NULL);
    if (!CLUSTER_MUTANT(DROP_CHANGE) || task->desired_state < DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN)
        tell(dispatcher, task->node_id, task->id, old, task);
}

/* --- everything --- */

static void put_all(struct dispatcher_assignments *stream)
{
    struct dispatcher *dispatcher = stream->node->dispatcher;
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(dispatcher->host.store, STORE_TASK, STORE_BY_NODE, stream->node->id, &cursor);
    while ((message = store_next(&cursor)) != NULL) {
        const Task *task = (const Task *)(const void *)message;
        if (dispatcher_feed_has(&stream->feed, task->id) || !is_refused(dispatcher, task))
            dispatcher_feed_put(&stream->feed, task->id, NULL, task);
    }
}

static void put_if_gone(void *ctx, const char *id)
{
    struct dispatcher_assignments *stream = ctx;
    const Task *task = store_task(stream->node->dispatcher->host.store, id);

    if (task == NULL || strcmp(task->node_id, stream->node->id) != 0)
        dispatcher_feed_put(&stream->feed, id, NULL, NULL);
}

void dispatcher_assignments_all_anew(struct dispatcher *dispatcher)
{
    struct dispatcher_node *node, *next;
    struct dispatcher_assignments *stream;

    HASH_ITER (hh, dispatcher->nodes, node, next)
        DL_FOREACH (node->streams, stream) {
            if (stream->end || stream->sequence == 0)
                continue;
            dispatcher_feed_each(&stream->feed, put_if_gone, stream);
            put_all(stream);
            collect(stream);
        }
}

/* --- messages --- */

static bool send_message(struct dispatcher_assignments *stream, uint64_t now_ns)
{
    struct dispatcher *dispatcher = stream->node->dispatcher;
    struct dispatcher_feed_message message;
    struct error err = {0};
    char applies_to[24] = "", results_in[24];

    dispatcher_feed_make(&stream->feed, dispatcher->host.store, stream->sequence == 0, &message);
    if (stream->sequence > 0)
        snprintf(applies_to, sizeof applies_to, "%" PRIu64, stream->sequence);
    snprintf(results_in, sizeof results_in, "%" PRIu64, stream->sequence + 1);
    message.message.applies_to = applies_to;
    message.message.results_in = results_in;
    int failed = stream->sink.send(stream->sink.ctx, &message.message.base, &err);
    if (failed == ERR_AGAIN) {
        stream->is_blocked = true;
        dispatcher_timer_set(&dispatcher->timers, &stream->timer, now_ns + DISPATCHER_STALL_MS * NS_PER_MS);
    } else if (failed < 0) {
        log_with(LOG_ERROR, ROOM, LOG_FIELDS({"node", stream->node->id}), "assignments: %s", err.message);
        dispatcher_assignments_end(stream, err.code, err.message);
    } else {
        dispatcher->stats.assignment_messages++;
        dispatcher->stats.assignment_changes += message.message.n_changes;
        dispatcher_feed_sent(&stream->feed, &message);
        stream->sequence++;
    }
    dispatcher_feed_message_deinit(&message);
    return failed == 0;
}

static void serve(struct dispatcher_assignments *stream, uint64_t now_ns)
{
    if (stream->end == NULL && !stream->is_blocked) {
        dispatcher_timer_stop(&stream->node->dispatcher->timers, &stream->timer);
        if (stream->sequence == 0)
            put_all(stream);
        while ((stream->sequence == 0 || stream->feed.changes_count > 0) && send_message(stream, now_ns))
            ;
    }
    if (stream->end == NULL)
        return;
    stream->sink.end(stream->sink.ctx, stream->end);
    drop(stream);
}

void dispatcher_assignments_flush(struct dispatcher *dispatcher, size_t most, uint64_t now_ns)
{
    for (; dispatcher->due_streams && most > 0; most--) {
        struct dispatcher_assignments *stream = dispatcher->due_streams;
        DL_DELETE2(dispatcher->due_streams, stream, due_prev, due_next);
        stream->is_due = false;
        serve(stream, now_ns);
    }
}
