/* What the runtime has against what the worker knows: at the start, now and then, and on every event. */
#include <stdlib.h>
#include <string.h>

#include "agent/worker_inside.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/text.h"

static struct task_observation observation_of(const struct hcs_properties *properties)
{
    static const enum task_container containers[] = {
        [HCS_CREATED] = TASK_CONTAINER_CREATED,
        [HCS_RUNNING] = TASK_CONTAINER_RUNNING,
        [HCS_PAUSED] = TASK_CONTAINER_RUNNING,
        [HCS_STOPPED] = TASK_CONTAINER_STOPPED,
    };
    return (struct task_observation){.container = containers[properties->state],
                                     .was_started = properties->started_wall_ns != 0,
                                     .exit_code = properties->exit_code,
                                     .is_oom_killed = properties->is_oom_killed,
                                     .error = properties->error};
}

static const cJSON *skep_of(const struct hcs_properties *properties)
{
    return json_object(properties->document, "Skep");
}

static void keep_ports(struct entry *entry, const struct hcs_properties *properties)
{
    free(entry->ports);
    entry->port_count = properties->port_count;
    entry->ports = mem_array(properties->port_count + 1, sizeof *entry->ports);
    for (size_t i = 0; i < properties->port_count; i++) {
        entry->ports[i] = properties->ports[i];
        entry->ports[i].protocol = text_equal(properties->ports[i].protocol, "udp") ? "udp" : "tcp";
    }
}

void worker_observe_properties(struct entry *entry, const struct hcs_properties *properties)
{
    const struct task_observation seen = observation_of(properties);
    const cJSON *skep = skep_of(properties);
    struct error ignored = {0};
    entry->pid = properties->pid;
    keep_ports(entry, properties);
    if (!entry->health_json)
        entry->health_json = cJSON_Duplicate(json_object(skep, "Health"), true);
    worker_pin(entry, json_string(json_object(skep, "Image"), "Id", NULL), &ignored); /* it may try again with the next look */
    task_observe(&entry->task, &seen, worker_now(entry->worker));
    worker_mark(entry);
}

/* --- containers without a task --- */

/* One that is in no list any more. */
static void free_stranger(struct worker *worker, struct stranger *stranger)
{
    const struct image_source *images = &worker->options.images;
    if (stranger->image_id)
        images->unpin(images->self, stranger->image_id);
    free(stranger->task_id);
    free(stranger->error);
    free(stranger->image_id);
    cJSON_Delete(stranger->health_json);
    free(stranger);
}

static void free_list(struct worker *worker, struct stranger **list)
{
    struct stranger *stranger = *list;
    HASH_CLEAR(hh, *list); /* which leaves their chain as it is */
    while (stranger) {
        struct stranger *next = stranger->hh.next;
        free_stranger(worker, stranger);
        stranger = next;
    }
}

void worker_free_strangers(struct worker *worker)
{
    free_list(worker, &worker->strangers);
}

static void note_stranger(struct worker *worker, const struct hcs_properties *properties, const char *task_id)
{
    struct stranger *stranger = mem_alloc(sizeof *stranger);
    (void)snprintf(stranger->id, sizeof stranger->id, "%s", properties->id);
    stranger->task_id = mem_string(task_id);
    stranger->seen = observation_of(properties);
    stranger->seen.error = stranger->error = mem_string(properties->error);
    const struct image_source *images = &worker->options.images;
    const char *image_id = json_string(json_object(skep_of(properties), "Image"), "Id", "");
    struct error ignored = {0};
    if (!text_empty(image_id) && images->pin(images->self, image_id, &ignored) == 0)
        stranger->image_id = mem_string(image_id);
    stranger->health_json = cJSON_Duplicate(json_object(skep_of(properties), "Health"), true);
    stranger->pid = properties->pid;
    HASH_ADD_STR(worker->strangers, id, stranger);
}

/* A task whose record was lost, assigned again: its container is still here. */
void worker_adopt_stranger(struct entry *entry)
{
    struct worker *worker = entry->worker;
    struct stranger *stranger = NULL, *next = NULL;
    struct error ignored = {0};
    HASH_ITER (hh, worker->strangers, stranger, next) {
        if (!text_equal(stranger->task_id, entry->proto->id) || stranger->is_leaving)
            continue;
        worker_set_container(entry, stranger->id);
        worker_pin(entry, stranger->image_id, &ignored); /* cannot fail: the stranger has it pinned */
        entry->pid = stranger->pid;
        entry->health_json = steal(&stranger->health_json);
        task_observe(&entry->task, &stranger->seen, worker_now(worker));
        HASH_DEL(worker->strangers, stranger);
        free_stranger(worker, stranger);
        worker->stats.adopted++;
        return;
    }
}

static void on_stranger_removed(void *ctx, const struct error *err)
{
    struct operation *operation = ctx;
    struct worker *worker = operation->worker;
    (void)worker_end(operation);
    if (!worker)
        return;
    if (err)
        log_error(ROOM, "a container without a task could not be removed: %s", err->message);
    worker->check_ns = err ? worker_now(worker) + TASK_RETRY_MAX_MS * NS_PER_MS : 0; /* look what is left */
    worker_schedule(worker);
}

static struct operation *begin_alone(struct worker *worker)
{
    struct operation *operation = mem_alloc(sizeof *operation);
    operation->worker = worker;
    DL_APPEND(worker->operations, operation);
    return operation;
}

void worker_remove_strangers(struct worker *worker)
{
    struct stranger *stranger = NULL, *next = NULL;
    HASH_ITER (hh, worker->strangers, stranger, next) {
        if (stranger->is_leaving)
            continue;
        log_with(LOG_INFO, ROOM, LOG_FIELDS({"container", stranger->id}, {"task", stranger->task_id}), "removed: its task is not assigned");
        stranger->is_leaving = true;
        worker->stats.disturbed++;
        hcs_system_remove(worker->options.hcs, stranger->id, true, on_stranger_removed, begin_alone(worker));
    }
}

/* --- looking at all of them --- */

static struct entry *entry_of_container(const struct worker *worker, const char *id)
{
    struct entry *entry = NULL;
    HASH_FIND(hh_container, worker->by_container, id, strlen(id), entry);
    return entry;
}

/* The entry a container belongs to: by its id, or at the start by its label. */
static struct entry *match(struct worker *worker, const struct hcs_properties *properties, const char **task_id)
{
    struct entry *entry = entry_of_container(worker, properties->id);
    *task_id = json_string(json_object(skep_of(properties), "Labels"), CONTAINER_LABEL_TASK, NULL);
    if (entry || !*task_id)
        return entry;
    entry = worker_entry(worker, *task_id);
    if (!entry || entry->container_id[0])
        return NULL;
    worker_set_container(entry, properties->id);
    return entry;
}

static void take_in(struct worker *worker, const struct hcs_properties *properties)
{
    const char *task_id = NULL;
    struct entry *entry = CLUSTER_MUTANT(FORGET_CONTAINERS) && !worker->is_observed ? NULL : match(worker, properties, &task_id);
    if (!entry && task_id && !CLUSTER_MUTANT(FORGET_CONTAINERS))
        note_stranger(worker, properties, task_id);
    if (!entry)
        return;
    worker->stats.adopted += !worker->is_observed;
    entry->is_seen = true;
    worker_observe_properties(entry, properties);
}

/* Not in the list: at the start it is gone; later something may be under way. */
static void miss(struct worker *worker, struct entry *entry)
{
    const struct task_observation none = {.container = TASK_CONTAINER_NONE};
    if (!worker->is_observed)
        task_observe(&entry->task, &none, worker_now(worker));
    else if (entry->task.doing == TASK_DO_NOTHING && entry->container_id[0] && entry->task.container != TASK_CONTAINER_NONE)
        task_suspect(&entry->task);
    worker_mark(entry);
}

static void on_enumerated(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct operation *operation = ctx;
    struct worker *worker = operation->worker;
    struct entry *entry = NULL, *next = NULL;
    (void)worker_end(operation);
    if (!worker)
        return;
    worker->is_checking = false;
    worker->check_ns = worker_now(worker) + (err ? TASK_RETRY_MIN_MS : WORKER_CHECK_MS) * NS_PER_MS;
    worker_schedule(worker);
    if (err) {
        log_warn(ROOM, "the runtime does not say what it runs: %s", err->message);
        return;
    }
    struct stranger *before = steal(&worker->strangers);
    HASH_ITER (hh, worker->entries, entry, next)
        entry->is_seen = false;
    for (size_t i = 0; i < count; i++)
        take_in(worker, &systems[i]);
    free_list(worker, &before); /* after those that are here now were noted: their images stay pinned all the while */
    HASH_ITER (hh, worker->entries, entry, next)
        if (!entry->is_seen)
            miss(worker, entry);
    if (!worker->is_observed && worker->stats.adopted)
        log_info(ROOM, "found %zu containers of %u tasks", worker->stats.adopted, HASH_CNT(hh, worker->entries));
    if (!worker->is_observed)
        worker->options.images.hold(worker->options.images.self, false);
    worker->is_observed = true;
    if (worker->has_complete)
        worker_remove_strangers(worker);
}

void worker_check(struct worker *worker)
{
    worker->is_checking = true;
    hcs_system_enumerate(worker->options.hcs, CONTAINER_OWNER, on_enumerated, begin_alone(worker));
}

void worker_on_event(void *ctx, const struct hcs_event *event)
{
    struct worker *worker = ctx;
    struct entry *entry = entry_of_container(worker, event->properties->id);
    if (!entry)
        return;
    if (event->type == HCS_EVENT_REMOVED && entry->task.doing != TASK_DO_REMOVE)
        task_suspect(&entry->task);
    else if (event->type != HCS_EVENT_REMOVED && event->type != HCS_EVENT_CREATED)
        worker_observe_properties(entry, event->properties);
    worker_mark(entry);
}
