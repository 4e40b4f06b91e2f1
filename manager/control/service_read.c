/* manager/control/service_read.c – services are looked at: one, many, and how far they are. */
#include "manager/control/inside.h"

static const ProtobufCMessage *read_get_service(const struct control *control, const Docker__Swarmkit__V1__GetServiceRequest *request,
                                                struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetServiceResponse *response = message_in(arena, DESCRIPTOR(get_service_response));

    if (form_check_id(request->service_id, err) < 0)
        return NULL;
    const Docker__Swarmkit__V1__Service *service = store_service(control->store, request->service_id);
    if (service == NULL) {
        error_set(err, ERR_NOT_FOUND, "service %s not found", request->service_id);
        return NULL;
    }
    response->service = message_again(arena, &service->base);
    if (request->insert_defaults && service->spec)
        response->service->spec = service_with_defaults(service->spec, arena);
    return &response->base;
}

CONTROL_READ(get_service, GetService)

static const ProtobufCMessage *read_list_services(const struct control *control, const Docker__Swarmkit__V1__ListServicesRequest *request,
                                                  struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListServicesResponse *response = message_in(arena, DESCRIPTOR(list_services_response));
    const Docker__Swarmkit__V1__ListServicesRequest__Filters *filters = request->filters;
    struct filter filter = {0};
    struct filter_list runtimes = {0};
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    (void)err;
    FILTER_READ(filters, arena, &filter);
    if (filters)
        runtimes = (struct filter_list){filters->runtimes, filters->n_runtimes};
    response->services = filter_room(control, STORE_SERVICE, arena);
    store_find(control->store, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL) {
        Docker__Swarmkit__V1__Service *service = (void *)(uintptr_t)message;
        if (!filter_passes(&filter, store_message_name(STORE_SERVICE, message), service->id,
                           store_message_annotations(STORE_SERVICE, message)))
            continue;
        const char *runtime = runtimes.count && service->spec ? filter_runtime(service->spec->task, arena) : NULL;
        if (runtimes.count == 0 || (runtime && filter_has(runtimes, runtime)))
            response->services[response->n_services++] = service;
    }
    return &response->base;
}

CONTROL_READ(list_services, ListServices)

/* --- statuses --- */

typedef Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus service_status;

/* How many tasks a service asks for. False: as many as there are nodes for, which its tasks tell. */
static bool is_counted(const Docker__Swarmkit__V1__ServiceSpec *spec, uint64_t *desired)
{
    if (spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED)
        *desired = spec->replicated->replicas;
    else if (spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB)
        *desired = spec->replicated_job->max_concurrent;
    else
        return false;
    return true;
}

static void count_task(const Docker__Swarmkit__V1__Task *task, const Docker__Swarmkit__V1__JobStatus *job, bool is_global,
                       service_status *status)
{
    Docker__Swarmkit__V1__TaskState state = task->status ? task->status->state : DOCKER__SWARMKIT__V1__TASK_STATE__NEW;

    if (job) { /* tasks of earlier times do not count */
        uint64_t iteration = job->job_iteration ? job->job_iteration->index : 0;
        if (task->job_iteration == NULL || task->job_iteration->index != iteration)
            return;
        status->completed_tasks += state == DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE;
    }
    status->running_tasks += state == DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    if (!is_global)
        return;
    if (task->desired_state == DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING ||
        (task->desired_state == DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE && state != DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE))
        status->desired_tasks++;
}

/* A service that is gone may still have tasks; one that never was has none. */
static service_status *status_of(const struct control *control, char *id, struct arena *arena)
{
    service_status *status = message_in(arena, DESCRIPTOR(list_service_statuses_response__service_status));
    const Docker__Swarmkit__V1__Service *service = store_service(control->store, id);
    const Docker__Swarmkit__V1__Task *task;
    struct store_cursor cursor;
    bool is_global = false;

    status->service_id = id;
    if (service && service->spec)
        is_global = !is_counted(service->spec, &status->desired_tasks);
    store_find(control->store, STORE_TASK, STORE_BY_SERVICE, id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        count_task(task, service ? service->job_status : NULL, is_global, status);
    return status;
}

static const ProtobufCMessage *read_list_service_statuses(const struct control *control,
                                                          const Docker__Swarmkit__V1__ListServiceStatusesRequest *request,
                                                          struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListServiceStatusesResponse *response = message_in(arena, DESCRIPTOR(list_service_statuses_response));

    if (request->n_services > CONTROL_STATUSES_COUNT) {
        error_set(err, ERR_INVALID, "%zu services in one question for statuses: more than %d", request->n_services, CONTROL_STATUSES_COUNT);
        return NULL;
    }
    response->statuses = arena_alloc(arena, request->n_services * sizeof *response->statuses);
    for (size_t i = 0; i < request->n_services; i++)
        response->statuses[response->n_statuses++] = status_of(control, request->services[i], arena);
    return &response->base;
}

CONTROL_READ(list_service_statuses, ListServiceStatuses)
