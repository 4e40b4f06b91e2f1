/* manager/scheduler/part.c – see part.h. A step reads the store to its end before anything is decided: what the scheduler knows is then
 * what the store has, but for the tasks about which decisions are on their way. */
#include "manager/scheduler/part.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/scheduler/decisions.h"
#include "manager/scheduler/image_table.h"

struct scheduler_part {
    struct part_host host;
    struct store_watcher *watcher; /* NULL: nothing was listed yet */
    struct scheduler *scheduler;
    struct image_table images;
    struct decisions decisions;
    bool is_blind; /* the scheduler is new, and decisions of the one before are on their way: what they take of nodes is not in it yet */
    uint64_t now_ns;
    uint64_t changed_ns;    /* since when there is something new to decide on; PART_NEVER: there is nothing */
    uint64_t run_ns;        /* decide then; PART_NEVER: no need */
    bool has_more;          /* decide at once: the last run stopped half-way */
    uint64_t tell_ns;       /* some are to be told why they wait, even if nothing changes */
    uint64_t hold_until_ns; /* the store refused: nothing is decided before */
    struct scheduler_refused refused;
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- feeding --- */

/* What comes together is decided together: wait until it is quiet, and not for long. */
static void note_change(struct scheduler_part *part)
{
    if (part->changed_ns == PART_NEVER)
        part->changed_ns = part->now_ns;
    part->run_ns = earlier(part->now_ns + SCHEDULER_COLLECT_MS * NS_PER_MS, part->changed_ns + SCHEDULER_COLLECT_MOST_MS * NS_PER_MS);
}

/* @message: NULL where it is gone. */
static void feed_node(struct scheduler_part *part, const char *id, const void *message)
{
    struct error err = {0};

    if (message == NULL)
        scheduler_node_remove(part->scheduler, id);
    else if (scheduler_node_set(part->scheduler, message, &err) < 0)
        log_warn("scheduler", "this node gets no tasks: %s", err.message);
}

static void feed_task(struct scheduler_part *part, const char *id, const void *message)
{
    struct error err = {0};

    if (message == NULL)
        scheduler_task_remove(part->scheduler, id);
    else if (scheduler_task_set(part->scheduler, message, &err) < 0)
        log_warn("scheduler", "this task is not scheduled: %s", err.message);
}

/* @is_there: else @object is what was removed. */
static void take(struct scheduler_part *part, struct store_object *object, bool is_there)
{
    const char *id = store_object_id(object);

    if (object->kind == STORE_NODE)
        feed_node(part, id, is_there ? object->message : NULL);
    else if (object->kind == STORE_TASK && !decisions_hold_back(&part->decisions, id))
        feed_task(part, id, is_there ? object->message : NULL);
    else if (object->kind == STORE_RESOURCE && is_there)
        image_table_set(&part->images, part->scheduler, object);
    else if (object->kind == STORE_RESOURCE)
        image_table_remove(&part->images, part->scheduler, id);
    else
        return;
    note_change(part);
}

static void take_all(struct scheduler_part *part, enum store_kind kind)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(part->host.store, kind, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        take(part, store_get_object(part->host.store, kind, store_message_id(kind, message)), true);
}

/* Everything anew, as a new leader does. */
static void list(struct scheduler_part *part)
{
    scheduler_free(part->scheduler);
    part->scheduler = scheduler_new();
    image_table_clear(&part->images);
    part->is_blind = part->decisions.writes > 0;
    part->tell_ns = PART_NEVER;
    take_all(part, STORE_RESOURCE);
    take_all(part, STORE_NODE);
    take_all(part, STORE_TASK);
    note_change(part);
}

static void on_ready(void *ctx)
{
    part_wake(&((struct scheduler_part *)ctx)->host);
}

static void follow(struct scheduler_part *part)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    if (part->watcher == NULL) {
        part->watcher = store_watch(part->host.store, on_ready, part);
        list(part);
    }
    while ((result = store_watch_next(part->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            log_info("scheduler", "%s", err.message);
            list(part);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            take(part, commit->changes[i].object, commit->changes[i].action != STORE_REMOVE);
    }
}

static void settle_task(void *ctx, const char *task_id)
{
    struct scheduler_part *part = ctx;
    feed_task(part, task_id, store_task(part->host.store, task_id));
}

/* What became of the decisions that have landed: also those that were void are fed, and tried again. */
static void settle(struct scheduler_part *part)
{
    if (decisions_settle(&part->decisions, settle_task, part) > 0)
        note_change(part);
    if (part->decisions.writes == 0)
        part->is_blind = false;
    if (part->decisions.has_failed)
        part->hold_until_ns = part->now_ns + SCHEDULER_RETRY_MS * NS_PER_MS;
    part->decisions.has_failed = false;
}

/* --- deciding --- */

/* Else what is on its way wakes the part when it lands. */
static bool may_run(const struct scheduler_part *part)
{
    return !part->is_blind && part->decisions.writes < SCHEDULER_WRITES_COUNT;
}

static void count_refusals(struct scheduler_part *part, const struct scheduler_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct scheduler_explanation *explanation = result->decisions[i].explanation;
        bool has_seen[SCHEDULER_FILTER_COUNT] = {0};
        if (result->decisions[i].kind != SCHEDULER_REFUSE)
            continue;
        part->refused.tasks++;
        for (size_t k = 0; k < explanation->refusal_count; k++)
            has_seen[explanation->refusals[k].filter] = true;
        for (size_t k = 0; k < SCHEDULER_FILTER_COUNT; k++)
            part->refused.by_filter[k] += has_seen[k];
    }
}

static void run(struct scheduler_part *part)
{
    struct scheduler_result result = scheduler_run(part->scheduler, (int64_t)part->now_ns, SCHEDULER_RUN_COUNT);

    part->changed_ns = part->run_ns = PART_NEVER;
    part->has_more = result.has_more;
    part->tell_ns = result.due_ns == INT64_MAX ? PART_NEVER : (uint64_t)result.due_ns;
    count_refusals(part, &result);
    decisions_send(&part->decisions, result.decisions, result.count);
}

/* --- the part --- */

static uint64_t due_ns(const struct scheduler_part *part)
{
    uint64_t due_ns = part->has_more ? part->now_ns : earlier(part->run_ns, part->tell_ns);
    return due_ns < part->hold_until_ns ? part->hold_until_ns : due_ns;
}

static void step(void *self, uint64_t now_ns)
{
    struct scheduler_part *part = self;

    part->now_ns = now_ns;
    follow(part);
    settle(part);
    if (may_run(part) && due_ns(part) <= now_ns)
        run(part);
}

static uint64_t deadline_ns(const void *self)
{
    const struct scheduler_part *part = self;
    return may_run(part) ? due_ns(part) : PART_NEVER;
}

static void free_part(void *self)
{
    struct scheduler_part *part = self;

    decisions_deinit(&part->decisions);
    store_unwatch(part->watcher);
    image_table_clear(&part->images);
    scheduler_free(part->scheduler);
    free(part);
}

struct part scheduler_part_new(const struct part_host *host)
{
    struct scheduler_part *part = mem_alloc(sizeof *part);

    part->host = *host;
    part->scheduler = scheduler_new();
    part->changed_ns = part->run_ns = part->tell_ns = PART_NEVER;
    decisions_init(&part->decisions, &part->host);
    return (struct part){.name = "scheduler", .step = step, .deadline_ns = deadline_ns, .free = free_part, .self = part};
}

void scheduler_part_await(struct scheduler_part *part, const char *reference, bool is_awaited)
{
    scheduler_image_await(part->scheduler, reference, is_awaited);
    if (!is_awaited)
        note_change(part);
    part_wake(&part->host);
}

const struct scheduler_explanation *scheduler_part_explain(struct scheduler_part *part, const char *task_id)
{
    return scheduler_explain(part->scheduler, task_id);
}

struct scheduler_counts scheduler_part_count(const struct scheduler_part *part)
{
    return scheduler_count(part->scheduler);
}

struct scheduler_refused scheduler_part_refused(const struct scheduler_part *part)
{
    return part->refused;
}
