/* The table of tasks and the turn of things: what changed is marked, a turn lets every marked task take its steps, then the disk is asked
 * once for all of them. */
#include "agent/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/worker_inside.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { STEPS_COUNT = 64 }; /* of one task in one turn: no way through its states is as long */

uint64_t worker_now(const struct worker *worker)
{
    return clock_monotonic_ns(&worker->options.clock);
}

struct container_node worker_node(const struct worker *worker)
{
    return (struct container_node){worker->node_id, worker->hostname, worker->architecture, worker->os};
}

struct entry *worker_entry(const struct worker *worker, const char *task_id)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(worker->entries, task_id, entry);
    return entry;
}

void worker_mark(struct entry *entry)
{
    if (entry->is_dirty)
        return;
    entry->is_dirty = true;
    DL_APPEND2(entry->worker->dirty, entry, dirty_prev, dirty_next);
    worker_schedule(entry->worker);
}

static void unmark(struct entry *entry)
{
    if (!entry->is_dirty)
        return;
    entry->is_dirty = false;
    DL_DELETE2(entry->worker->dirty, entry, dirty_prev, dirty_next);
}

struct operation *worker_begin(struct entry *entry, enum task_effect effect)
{
    struct operation *operation = mem_alloc(sizeof *operation);
    *operation = (struct operation){.worker = entry->worker, .entry = entry, .effect = effect};
    DL_APPEND(entry->worker->operations, operation);
    return operation;
}

struct entry *worker_end(struct operation *operation)
{
    struct entry *entry = operation->entry;
    if (operation->worker)
        DL_DELETE(operation->worker->operations, operation);
    free(operation);
    return entry;
}

/* --- entries --- */

static void free_entry(struct entry *entry)
{
    const struct image_source *images = &entry->worker->options.images;
    if (entry->image_id)
        images->unpin(images->self, entry->image_id);
    task_end(&entry->task);
    docker__swarmkit__v1__task__free_unpacked(entry->proto, NULL);
    if (entry->again)
        docker__swarmkit__v1__task__free_unpacked(entry->again, NULL);
    if (entry->status)
        docker__swarmkit__v1__task_status__free_unpacked(entry->status, NULL);
    free(entry->ports);
    free(entry->image_id);
    cJSON_Delete(entry->health_json);
    free(entry);
}

static void take_out(struct entry *entry)
{
    struct worker *worker = entry->worker;
    unmark(entry);
    worker_leave_line(entry, false);
    if (entry->container_id[0])
        HASH_DELETE(hh_container, worker->by_container, entry);
    HASH_DEL(worker->entries, entry);
}

/* @proto and @status are taken. */
struct entry *worker_add_entry(struct worker *worker, Task *proto, TaskStatus *status, bool is_new)
{
    struct entry *entry = mem_alloc(sizeof *entry);
    *entry = (struct entry){.worker = worker, .proto = proto, .status = status, .status_due_ns = NEVER_NS};
    if (!entry->status) {
        const TaskStatus empty = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
        uint8_t none[1];
        size_t size = docker__swarmkit__v1__task_status__pack(&empty, none);
        entry->status = docker__swarmkit__v1__task_status__unpack(NULL, size, none);
    }
    task_begin(&entry->task, (int)entry->status->state, (int)proto->desired_state, entry->status->message, entry->status->err, is_new,
               worker_now(worker));
    if (entry->status->runtime_status_case == DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER && !is_new) {
        entry->task.exit_code = entry->status->container->exit_code;
        if (id_is_safe(entry->status->container->container_id))
            worker_set_container(entry, entry->status->container->container_id);
    }
    entry->is_acknowledged = task_state(&entry->task) > TASK_ASSIGNED;
    entry->stop_after_ns = worker_read_stop_after(proto);
    HASH_ADD_KEYPTR(hh, worker->entries, proto->id, strlen(proto->id), entry);
    worker_mark(entry);
    return entry;
}

void worker_forget(struct entry *entry)
{
    struct worker *worker = entry->worker;
    Task *again = steal(&entry->again);
    worker_stop_health(entry);
    if (worker->options.listener.on_forgotten)
        worker->options.listener.on_forgotten(worker->options.listener.ctx, entry->proto->id);
    worker->stats.forgotten++;
    take_out(entry);
    free_entry(entry);
    if (again)
        worker_accept(worker, again);
    worker_schedule(worker);
}

/* --- records --- */

static void on_record(void *ctx, const struct task_record *record)
{
    struct worker *worker = ctx;
    Task *proto = docker__swarmkit__v1__task__unpack(NULL, record->task.size, record->task.data);
    TaskStatus *status = docker__swarmkit__v1__task_status__unpack(NULL, record->status.size, record->status.data);
    if (!proto || !status || !text_equal(proto->id, record->task_id) || !id_is_safe(record->task_id)) {
        log_error(ROOM, "the record of task %s cannot be read and is dropped: the manager sends the task again", record->task_id);
        if (proto)
            docker__swarmkit__v1__task__free_unpacked(proto, NULL);
        if (status)
            docker__swarmkit__v1__task_status__free_unpacked(status, NULL);
        task_store_delete(worker->store, record->task_id);
        return;
    }
    struct entry *entry = worker_add_entry(worker, proto, status, false);
    if (!record->is_assigned)
        task_leave(&entry->task);
}

static void free_worker(struct worker *worker)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next) {
        take_out(entry);
        free_entry(entry);
    }
    worker_free_strangers(worker);
    if (worker->holds_images && !worker->is_observed)
        worker->options.images.hold(worker->options.images.self, false);
    pulls_free(worker->pulls);
    free((char *)worker->options.state_dir);
    free(worker->node_id);
    free(worker->hostname);
    free(worker->architecture);
    free(worker->os);
    free(worker);
}

static void on_timer(uv_timer_t *timer);

int worker_new(const struct worker_options *options, struct worker **out, struct error *err)
{
    struct worker *worker = mem_alloc(sizeof *worker);
    const struct task_store_listener listener = {worker_on_written, worker};
    const struct pull_listener pull_listener = {worker_pull_progress, worker_pull_done};
    cleanup_free char *path = mem_format("%s/worker.db", options->state_dir);
    worker->options = *options;
    worker->options.state_dir = mem_string(options->state_dir);
    worker->pulls = pulls_new(&options->images, &pull_listener);
    worker->listener = (struct hcs_listener){.on_event = worker_on_event, .ctx = worker};
    worker->wake_ns = NEVER_NS;
    worker->lost_ns = worker_now(worker);
    worker->removed_deadline_ns = NEVER_NS;
    worker_set_node(worker, "", "", "", "");
    int result = task_store_open(path, options->loop, &listener, &worker->store, err);
    if (result < 0) {
        free_worker(worker);
        return result;
    }
    result = task_store_each(worker->store, on_record, worker, err);
    if (result < 0) {
        task_store_close(worker->store, NULL, NULL);
        free_worker(worker);
        return result;
    }
    if (options->loop) {
        uv_timer_init(options->loop, &worker->timer);
        worker->timer.data = worker;
        worker->has_timer = true;
    }
    worker->options.images.hold(worker->options.images.self, true); /* until it is seen which images have containers here */
    worker->holds_images = true;
    *out = worker;
    return 0;
}

static void set_text(char **place, const char *text)
{
    char *fresh = mem_string(text ? text : "");
    free(*place);
    *place = fresh;
}

void worker_set_node(struct worker *worker, const char *node_id, const char *hostname, const char *architecture, const char *os)
{
    set_text(&worker->node_id, node_id);
    set_text(&worker->hostname, hostname);
    set_text(&worker->architecture, architecture);
    set_text(&worker->os, os);
}

void worker_start(struct worker *worker, const struct assignments *assignments)
{
    worker->assignments = assignments;
    worker->is_started = true;
    hcs_subscribe(worker->options.hcs, &worker->listener);
    worker_schedule(worker);
}

/* --- the turn --- */

static uint64_t entry_wake_ns(const struct entry *entry)
{
    uint64_t task_wake = task_wake_ns(&entry->task), health_wake = health_wake_ns(&entry->health);
    uint64_t wake_ns = task_wake < health_wake ? task_wake : health_wake;
    wake_ns = wake_ns < entry->status_due_ns ? wake_ns : entry->status_due_ns;
    return wake_ns < worker_stop_ns(entry) ? wake_ns : worker_stop_ns(entry);
}

static void drive(struct entry *entry, uint64_t now_ns)
{
    struct worker *worker = entry->worker;
    worker_stop_if_lost(entry, now_ns);
    bool is_unwanted = entry->task.is_leaving || entry->task.desired >= TASK_NUMBER_SHUTDOWN;
    unmark(entry);
    if (is_unwanted && entry->line_effect != TASK_DO_REMOVE)
        worker_leave_line(entry, true);
    for (unsigned steps = 0;; steps++) {
        enum task_effect effect = task_next(&entry->task, now_ns);
        if (effect == TASK_DO_NOTHING)
            break;
        assert(steps < STEPS_COUNT);
        worker_carry_out(entry, effect);
    }
    worker_step_health(entry, now_ns);
    worker_tell_overdue(entry, now_ns);
    uint64_t wake_ns = entry_wake_ns(entry);
    if (wake_ns < worker->wake_ns)
        worker->wake_ns = wake_ns;
}

static void mark_due(struct worker *worker, uint64_t now_ns)
{
    struct entry *entry = NULL, *next = NULL;
    if (now_ns < worker->wake_ns)
        return;
    worker->wake_ns = NEVER_NS;
    HASH_ITER (hh, worker->entries, entry, next) {
        uint64_t wake_ns = entry_wake_ns(entry);
        if (wake_ns <= now_ns)
            worker_mark(entry);
        else if (wake_ns < worker->wake_ns)
            worker->wake_ns = wake_ns;
    }
}

static void check_removed(struct worker *worker, uint64_t now_ns)
{
    bool is_empty = worker->is_observed && !worker->entries && !worker->strangers;
    struct error err = {0};
    if (!worker->on_removed || (!is_empty && now_ns < worker->removed_deadline_ns))
        return;
    if (!is_empty)
        error_set(&err, ERR_DEADLINE, "%u tasks and %u containers could not be removed in time", HASH_CNT(hh, worker->entries),
                  HASH_CNT(hh, worker->strangers));
    void (*done)(void *ctx, const struct error *err) = worker->on_removed;
    worker->on_removed = NULL;
    worker->removed_deadline_ns = NEVER_NS;
    done(worker->removed_ctx, is_empty ? NULL : &err);
}

static void turn(struct worker *worker)
{
    uint64_t now_ns = worker_now(worker);
    if (!worker->is_started || worker->is_closing)
        return;
    if (now_ns >= worker->check_ns && !worker->is_checking)
        worker_check(worker);
    if (worker->is_observed) {
        mark_due(worker, now_ns);
        struct entry *last = worker->dirty ? worker->dirty->dirty_prev : NULL; /* those marked from here on are the next turn's */
        for (bool is_last = !last; !is_last;) {
            struct entry *entry = worker->dirty;
            is_last = entry == last;
            drive(entry, now_ns);
        }
        worker_serve_line(worker);
        pulls_step(worker->pulls, now_ns);
    }
    if (worker->reports_all) {
        worker->reports_all = false;
        worker_report_known(worker);
    }
    task_store_commit(worker->store);
    task_store_pump(worker->store);
    check_removed(worker, now_ns);
}

uint64_t worker_wake_ns(const struct worker *worker)
{
    uint64_t wake_ns = worker->wake_ns < worker->removed_deadline_ns ? worker->wake_ns : worker->removed_deadline_ns;
    if (!worker->is_started || worker->is_closing)
        return NEVER_NS;
    if ((worker->dirty && worker->is_observed) || worker->reports_all || (!worker->options.loop && task_store_is_busy(worker->store)))
        return 0;
    if (!worker->is_checking && worker->check_ns < wake_ns)
        wake_ns = worker->check_ns;
    return wake_ns;
}

static void arm(struct worker *worker)
{
    uint64_t wake_ns = worker_wake_ns(worker), now_ns = worker_now(worker);
    if (worker->is_closing || !worker->has_timer)
        return;
    if (wake_ns == NEVER_NS)
        uv_timer_stop(&worker->timer);
    else
        uv_timer_start(&worker->timer, on_timer, wake_ns <= now_ns ? 0 : (wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    turn(worker);
    arm(worker);
}

void worker_schedule(struct worker *worker)
{
    if (worker->has_timer && !worker->is_closing && worker->is_started)
        uv_timer_start(&worker->timer, on_timer, 0, 0);
}

void worker_tick(struct worker *worker)
{
    turn(worker);
}

/* --- what all tasks are asked --- */

void worker_drain(struct worker *worker)
{
    struct entry *entry = NULL, *next = NULL;
    worker->is_draining = true;
    HASH_ITER (hh, worker->entries, entry, next) {
        task_desire(&entry->task, TASK_NUMBER_SHUTDOWN);
        worker_mark(entry);
    }
    worker_schedule(worker);
}

size_t worker_running(const struct worker *worker)
{
    const struct entry *entry = NULL;
    size_t count = 0;
    for (entry = worker->entries; entry; entry = entry->hh.next)
        count += !task_is_final(&entry->task) || entry->is_dirty || entry->status_due_ns != NEVER_NS;
    return count;
}

void worker_report_all(struct worker *worker)
{
    worker->reports_all = true;
    worker_schedule(worker);
}

void worker_remove_all(struct worker *worker, void (*done)(void *ctx, const struct error *err), void *ctx)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next)
        worker_leave(entry);
    worker->has_complete = true;
    worker->on_removed = done;
    worker->removed_ctx = ctx;
    worker->removed_deadline_ns = worker_now(worker) + WORKER_LEAVE_MS * NS_PER_MS;
    worker->check_ns = 0;
    worker_schedule(worker);
}

/* --- the end --- */

static void finish_free(struct worker *worker)
{
    void (*on_freed)(void *ctx) = worker->on_freed;
    void *ctx = worker->freed_ctx;
    free_worker(worker);
    if (on_freed)
        on_freed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    finish_free(handle->data);
}

static void on_store_closed(void *ctx)
{
    struct worker *worker = ctx;
    if (worker->has_timer)
        uv_close((uv_handle_t *)&worker->timer, on_timer_closed);
    else
        finish_free(worker);
}

static void detach_operations(struct worker *worker)
{
    struct operation *operation = NULL, *next = NULL;
    DL_FOREACH_SAFE (worker->operations, operation, next) {
        operation->worker = NULL;
        operation->entry = NULL;
    }
    worker->operations = NULL;
}

void worker_free(struct worker *worker, void (*on_freed)(void *ctx), void *ctx)
{
    struct entry *entry = NULL, *next = NULL;
    worker->on_freed = on_freed;
    worker->freed_ctx = ctx;
    worker->is_closing = true;
    if (worker->is_started)
        hcs_unsubscribe(worker->options.hcs, &worker->listener);
    HASH_ITER (hh, worker->entries, entry, next)
        worker_stop_health(entry);
    detach_operations(worker);
    task_store_close(worker->store, on_store_closed, worker);
}

void worker_abandon(struct worker *worker)
{
    struct operation *operation = NULL, *next = NULL;
    worker->is_closing = true;
    DL_FOREACH_SAFE (worker->operations, operation, next)
        free(operation);
    task_store_abandon(worker->store);
    free_worker(worker);
}
