/* manager/tally.c – see tally.h. */
#include "manager/tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Service Service;

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name
#define MODE(name)  DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_##name

static const char *const state_names[] = {
#define X(name, text) [TALLY_##name] = (text),
    TALLY_TASK_STATES(X)
#undef X
};

static const unsigned ages_s[TALLY_AGES_COUNT] = {
#define X(seconds) (seconds),
    TALLY_AGES(X)
#undef X
};

/* --- services --- */

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

/* What a service asks for by number; else its tasks tell. As ListServiceStatuses: manager/control/service_read.c. */
static uint64_t asked_for(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    if (spec->mode_case == MODE(REPLICATED) && spec->replicated)
        return spec->replicated->replicas;
    return spec->mode_case == MODE(REPLICATED_JOB) && spec->replicated_job ? spec->replicated_job->max_concurrent : 0;
}

static void add_service(struct tally *tally, const Service *service)
{
    size_t size = strlen(service->id) + 1;
    struct tally_service *entry = mem_alloc(sizeof *entry + size);

    memcpy(entry->id, service->id, size);
    entry->name = mem_string(store_message_name(STORE_SERVICE, &service->base));
    entry->mode = service->spec ? mode_name(service->spec) : "replicated";
    entry->desired = service->spec ? asked_for(service->spec) : 0;
    entry->is_job = service->job_status != NULL;
    entry->iteration = service->job_status && service->job_status->job_iteration ? service->job_status->job_iteration->index : 0;
    entry->is_told = HASH_COUNT(tally->services) < METRICS_SERVICES_COUNT;
    HASH_ADD_STR(tally->services, id, entry);
}

static void count_for_service(struct tally_service *service, const Task *task, int state)
{
    if (service->is_job && (task->job_iteration == NULL || task->job_iteration->index != service->iteration))
        return;
    service->running += state == STATE(RUNNING);
    if (strncmp(service->mode, "global", strlen("global")) == 0 &&
        (task->desired_state == STATE(RUNNING) || (task->desired_state == STATE(COMPLETE) && state != STATE(COMPLETE))))
        service->desired++;
}

/* --- ages --- */

static enum tally_state state_index(int state)
{
    switch (state) {
#define X(name, text)                                                                                                                      \
    case STATE(name):                                                                                                                      \
        return TALLY_##name;
        TALLY_TASK_STATES(X)
#undef X
    default:
        return TALLY_STATES_COUNT;
    }
}

/* The status' own time is its node's clock. */
static void count_age(struct tally *tally, const Task *task, int state, int64_t wall_ns)
{
    enum tally_state at = state_index(state);
    int64_t since_ns = task->status ? message_timestamp_ns(task->status->timestamp, wall_ns) : wall_ns;
    double age_s = since_ns < wall_ns ? metrics_seconds((uint64_t)(wall_ns - since_ns)) : 0;

    if (at == TALLY_STATES_COUNT)
        return;
    tally->oldest_s[at] = age_s > tally->oldest_s[at] ? age_s : tally->oldest_s[at];
    for (size_t i = 0; i < TALLY_AGES_COUNT; i++)
        tally->older[at][i] += age_s > ages_s[i];
}

/* --- looking --- */

static void look_at_tasks(struct tally *tally, const struct store *store, int64_t wall_ns)
{
    struct tally_service *service = NULL; /* the last task's: most tasks follow one of the same */
    struct store_cursor cursor;
    const Task *task;

    store_find(store, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL) {
        int state = task->status ? (int)task->status->state : STATE(NEW);
        count_age(tally, task, state, wall_ns);
        if (service == NULL || strcmp(service->id, task->service_id) != 0)
            HASH_FIND_STR(tally->services, task->service_id, service);
        if (service)
            count_for_service(service, task, state);
    }
}

static void add_up_others(struct tally *tally)
{
    for (const struct tally_service *service = tally->services; service; service = service->hh.next) {
        if (service->is_told)
            continue;
        tally->others++;
        tally->others_desired += service->desired;
        tally->others_running += service->running;
    }
}

void tally_take(struct tally *tally, const struct store *store, const struct clock *clock)
{
    uint64_t now_ns = clock_monotonic_ns(clock);
    struct store_cursor cursor;
    const Service *service;

    if (tally->is_taken && now_ns - tally->taken_ns < METRICS_TALLY_MS * NS_PER_MS)
        return;
    tally_deinit(tally);
    store_find(store, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    while ((service = (const void *)store_next(&cursor)) != NULL)
        add_service(tally, service);
    look_at_tasks(tally, store, clock_wall_ns(clock));
    add_up_others(tally);
    tally->is_taken = true;
    tally->taken_ns = now_ns;
    tally->took_ns = clock_monotonic_ns(clock) - now_ns;
}

void tally_deinit(struct tally *tally)
{
    struct tally_service *service, *next;

    HASH_ITER (hh, tally->services, service, next) {
        HASH_DEL(tally->services, service);
        free(service->name);
        free(service);
    }
    *tally = (struct tally){0};
}

/* --- telling --- */

static void tell_services(const struct tally *tally, struct metrics *metrics)
{
    const struct tally_service *service;

    metrics_family(metrics, METRICS_GAUGE, "skep_service_tasks_desired", "Tasks that the service is to have running.");
    for (service = tally->services; service; service = service->hh.next)
        if (service->is_told)
            metrics_sample(metrics, (double)service->desired, "service_id", service->id, "service_name", service->name, "mode",
                           service->mode, NULL);
    metrics_family(metrics, METRICS_GAUGE, "skep_service_tasks_running", "Tasks of the service that are running.");
    for (service = tally->services; service; service = service->hh.next)
        if (service->is_told)
            metrics_sample(metrics, (double)service->running, "service_id", service->id, "service_name", service->name, "mode",
                           service->mode, NULL);
    metrics_gauge(metrics, "skep_services_not_told", "Services beyond the number that is told one by one.", (double)tally->others);
    metrics_gauge(metrics, "skep_services_not_told_tasks_desired", "Tasks that those services are to have running.",
                  (double)tally->others_desired);
    metrics_gauge(metrics, "skep_services_not_told_tasks_running", "Tasks of those services that are running.",
                  (double)tally->others_running);
}

static void tell_ages(const struct tally *tally, struct metrics *metrics)
{
    char text[16];

    metrics_family(metrics, METRICS_GAUGE, "skep_tasks_older", "Tasks that have been in their state for more than so many seconds.");
    for (size_t state = 0; state < TALLY_STATES_COUNT; state++)
        for (size_t age = 0; age < TALLY_AGES_COUNT; age++) {
            snprintf(text, sizeof text, "%u", ages_s[age]);
            metrics_sample(metrics, (double)tally->older[state][age], "state", state_names[state], "than", text, NULL);
        }
    metrics_family(metrics, METRICS_GAUGE, "skep_tasks_oldest_seconds",
                   "For how long the task has been in its state that has been longest.");
    for (size_t state = 0; state < TALLY_STATES_COUNT; state++)
        metrics_sample(metrics, tally->oldest_s[state], "state", state_names[state], NULL);
}

void tally_tell(const struct tally *tally, struct metrics *metrics)
{
    tell_services(tally, metrics);
    tell_ages(tally, metrics);
    metrics_gauge(metrics, "skep_tally_seconds", "How long the last look through all tasks took.", metrics_seconds(tally->took_ns));
}
