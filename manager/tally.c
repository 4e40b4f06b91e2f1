/* manager/tally.c – see tally.h. Objects never change: what was added for one is taken away for the very same one. */
#include "manager/tally.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/message.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Service Service;

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name
#define MODE(name)  DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_##name

enum state_index {
#define X(name, text) INDEX_##name,
    TALLY_TASK_STATES(X)
#undef X
        STATES_COUNT
};

static const char *const state_names[STATES_COUNT] = {
#define X(name, text) [INDEX_##name] = (text),
    TALLY_TASK_STATES(X)
#undef X
};

/* What is told of ages: how many tasks have been in their state for longer than this. */
static const unsigned ages_s[] = {10, 60, 300, 3600, 86400};
enum { AGES_COUNT = sizeof ages_s / sizeof *ages_s };

struct tally_service {
    UT_hash_handle hh;
    uint64_t tasks, running, wanted; /* wanted: to run, or of a job to be run to its end */
    char id[];
};

struct moment_key {
    uint64_t state, wall_s;
};

struct tally_moment {
    UT_hash_handle hh;
    struct moment_key key;
    uint64_t tasks;
};

/* --- counting --- */

static struct tally_service *obtain_service(struct tally *tally, const char *id)
{
    struct tally_service *service;

    HASH_FIND_STR(tally->services, id, service);
    if (service)
        return service;
    size_t size = strlen(id) + 1;
    service = mem_alloc(sizeof *service + size);
    memcpy(service->id, id, size);
    HASH_ADD_STR(tally->services, id, service);
    return service;
}

static void count_service(struct tally *tally, const Task *task, int state, bool is_there)
{
    struct tally_service *service = obtain_service(tally, task->service_id);
    uint64_t by = is_there ? 1 : UINT64_MAX; /* one less */
    bool is_wanted = task->desired_state == STATE(RUNNING) || (task->desired_state == STATE(COMPLETE) && state != STATE(COMPLETE));

    service->tasks += by;
    service->running += state == STATE(RUNNING) ? by : 0;
    service->wanted += is_wanted ? by : 0;
    if (service->tasks > 0)
        return;
    assert(service->running == 0 && service->wanted == 0);
    HASH_DEL(tally->services, service);
    free(service);
}

static enum state_index index_of(int state)
{
    switch (state) {
#define X(name, text)                                                                                                                      \
    case STATE(name):                                                                                                                      \
        return INDEX_##name;
        TALLY_TASK_STATES(X)
#undef X
    default:
        return STATES_COUNT;
    }
}

/* The status' own time is the clock of who reported it; a status without one is as old as the object. */
static int64_t since_ns(const Task *task)
{
    int64_t changed_ns = task->meta ? message_timestamp_ns(task->meta->updated_at, 0) : 0;
    return task->status ? message_timestamp_ns(task->status->timestamp, changed_ns) : changed_ns;
}

static void count_moment(struct tally *tally, const Task *task, int state, bool is_there)
{
    struct tally_moment *moment;
    int64_t at_ns = since_ns(task);
    struct moment_key key = {index_of(state), at_ns > 0 ? (uint64_t)at_ns / NS_PER_S : 0};

    if (key.state == STATES_COUNT)
        return;
    HASH_FIND(hh, tally->moments, &key, sizeof key, moment);
    if (moment == NULL) {
        moment = mem_alloc(sizeof *moment);
        moment->key = key;
        HASH_ADD(hh, tally->moments, key, sizeof key, moment);
    }
    moment->tasks += is_there ? 1 : UINT64_MAX;
    if (moment->tasks > 0)
        return;
    HASH_DEL(tally->moments, moment);
    free(moment);
}

static void count(struct tally *tally, const void *message, bool is_there)
{
    const Task *task = message;
    int state = task->status ? (int)task->status->state : STATE(NEW);

    count_service(tally, task, state, is_there);
    count_moment(tally, task, state, is_there);
}

static void forget(struct tally *tally)
{
    struct tally_service *service, *next_service;
    struct tally_moment *moment, *next_moment;

    HASH_ITER (hh, tally->services, service, next_service) {
        HASH_DEL(tally->services, service);
        free(service);
    }
    HASH_ITER (hh, tally->moments, moment, next_moment) {
        HASH_DEL(tally->moments, moment);
        free(moment);
    }
}

static void count_all(struct tally *tally)
{
    struct store_cursor cursor;
    const ProtobufCMessage *task;

    forget(tally);
    store_find(tally->store, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((task = store_next(&cursor)) != NULL)
        count(tally, task, true);
}

/* --- following --- */

static void take(struct tally *tally, const struct store_change *change)
{
    if (change->kind != STORE_TASK)
        return;
    if (change->action == STORE_REMOVE) {
        count(tally, change->object->message, false);
        return;
    }
    if (change->old)
        count(tally, change->old->message, false);
    count(tally, change->object->message, true);
}

/* At each commit: what changed is at hand then. */
static void on_ready(void *ctx)
{
    struct tally *tally = ctx;
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    while ((result = store_watch_next(tally->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            log_info("metrics", "%s", err.message);
            count_all(tally);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            take(tally, &commit->changes[i]);
    }
}

void tally_follow(struct tally *tally, struct store *store)
{
    if (tally->watcher) {
        on_ready(tally);
        return;
    }
    tally->store = store;
    tally->watcher = store_watch(store, on_ready, tally);
    count_all(tally);
}

void tally_end(struct tally *tally)
{
    store_unwatch(tally->watcher);
    forget(tally);
    *tally = (struct tally){0};
}

/* --- telling --- */

static const char *mode_name(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    switch (spec->mode_case) {
    case MODE(GLOBAL):
        return "global";
    case MODE(REPLICATED_JOB):
        return "replicated-job";
    case MODE(GLOBAL_JOB):
        return "global-job";
    default:
        return "replicated";
    }
}

/* By number; where a service asks for a task on each node, its tasks tell. As ListServiceStatuses: manager/control/service_read.c. */
static uint64_t asked_for(const Service *service, const struct tally_service *counted)
{
    const Docker__Swarmkit__V1__ServiceSpec *spec = service->spec;

    if (spec && spec->mode_case == MODE(REPLICATED) && spec->replicated)
        return spec->replicated->replicas;
    if (spec && spec->mode_case == MODE(REPLICATED_JOB) && spec->replicated_job)
        return spec->replicated_job->max_concurrent;
    return counted ? counted->wanted : 0;
}

struct told {
    uint64_t services, desired, running; /* beyond those that are told one by one */
};

static struct told tell_services(const struct tally *tally, bool wants_desired, struct metrics *metrics)
{
    struct told others = {0};
    struct store_cursor cursor;
    const Service *service;

    store_find(tally->store, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    for (size_t i = 0; (service = (const void *)store_next(&cursor)) != NULL; i++) {
        const struct tally_service *counted;
        HASH_FIND_STR(tally->services, service->id, counted);
        uint64_t desired = asked_for(service, counted), running = counted ? counted->running : 0;
        if (i < METRICS_SERVICES_COUNT) {
            metrics_sample(metrics, (double)(wants_desired ? desired : running), "service_id", service->id, "service_name",
                           store_message_name(STORE_SERVICE, &service->base), "mode", service->spec ? mode_name(service->spec) : "", NULL);
            continue;
        }
        others.services++;
        others.desired += desired;
        others.running += running;
    }
    return others;
}

static void tell_all_services(const struct tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_GAUGE, "skep_service_tasks_desired", "Tasks that the service is to have running.");
    tell_services(tally, true, metrics);
    metrics_family(metrics, METRICS_GAUGE, "skep_service_tasks_running", "Tasks of the service that are running.");
    const struct told others = tell_services(tally, false, metrics);
    metrics_gauge(metrics, "skep_services_not_told", "Services beyond the number that is told one by one.", (double)others.services);
    metrics_gauge(metrics, "skep_services_not_told_tasks_desired", "Tasks that those services are to have running.",
                  (double)others.desired);
    metrics_gauge(metrics, "skep_services_not_told_tasks_running", "Tasks of those services that are running.", (double)others.running);
}

static void tell_ages(const struct tally *tally, int64_t wall_ns, struct metrics *metrics)
{
    uint64_t older[STATES_COUNT][AGES_COUNT] = {0}, oldest_s[STATES_COUNT] = {0}, now_s = (uint64_t)wall_ns / NS_PER_S;
    char text[16];

    for (const struct tally_moment *moment = tally->moments; moment; moment = moment->hh.next) {
        uint64_t age_s = moment->key.wall_s < now_s ? now_s - moment->key.wall_s : 0; /* a node's clock may run ahead */
        uint64_t *most = &oldest_s[moment->key.state];
        *most = age_s > *most ? age_s : *most;
        for (size_t i = 0; i < AGES_COUNT; i++)
            older[moment->key.state][i] += age_s > ages_s[i] ? moment->tasks : 0;
    }
    metrics_family(metrics, METRICS_GAUGE, "skep_tasks_older", "Tasks that have been in their state for more than so many seconds.");
    for (size_t state = 0; state < STATES_COUNT; state++)
        for (size_t age = 0; age < AGES_COUNT; age++) {
            snprintf(text, sizeof text, "%u", ages_s[age]);
            metrics_sample(metrics, (double)older[state][age], "state", state_names[state], "than", text, NULL);
        }
    metrics_family(metrics, METRICS_GAUGE, "skep_tasks_oldest_seconds",
                   "For how long the task has been in its state that has been longest.");
    for (size_t state = 0; state < STATES_COUNT; state++)
        metrics_sample(metrics, (double)oldest_s[state], "state", state_names[state], NULL);
}

void tally_tell(const struct tally *tally, int64_t wall_ns, struct metrics *metrics)
{
    tell_all_services(tally, metrics);
    tell_ages(tally, wall_ns, metrics);
}
