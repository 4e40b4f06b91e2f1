/* manager/orchestrator/new_task.c – state NEW, message "created", with the service's spec, endpoint and version of now. Source:
 * swarmkit-wire §4.1, §7.4–7.6. */
#include "manager/orchestrator/new_task.h"

#include "proto/message.h"

static bool is_job(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    return spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB ||
           spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
}

static Docker__Swarmkit__V1__Driver *log_driver(const Docker__Swarmkit__V1__TaskSpec *spec, const Docker__Swarmkit__V1__Cluster *cluster)
{
    if (spec->log_driver)
        return spec->log_driver;
    return cluster && cluster->spec && cluster->spec->task_defaults ? cluster->spec->task_defaults->log_driver : NULL;
}

static void fill_from_spec(struct new_task *out, const Docker__Swarmkit__V1__Service *service)
{
    const Docker__Swarmkit__V1__ServiceSpec *spec = service->spec;

    if (spec->task)
        out->task.spec = spec->task;
    if (spec->annotations)
        out->task.service_annotations = spec->annotations;
    out->endpoint.spec = spec->endpoint;
    if (is_job(spec) && service->job_status)
        out->task.job_iteration = service->job_status->job_iteration;
}

void new_task_fill(struct new_task *out, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Cluster *cluster,
                   const char *id, uint64_t slot, const char *node_id, int64_t wall_ns)
{
    docker__swarmkit__v1__task__init(&out->task);
    docker__swarmkit__v1__task_status__init(&out->status);
    docker__swarmkit__v1__endpoint__init(&out->endpoint);
    docker__swarmkit__v1__task_spec__init(&out->spec);
    docker__swarmkit__v1__annotations__init(&out->annotations);
    docker__swarmkit__v1__annotations__init(&out->service_annotations);
    message_set_timestamp(&out->timestamp, wall_ns);
    out->status.timestamp = &out->timestamp;
    out->status.state = DOCKER__SWARMKIT__V1__TASK_STATE__NEW;
    out->status.message = (char *)(uintptr_t) "created";
    out->task.id = (char *)(uintptr_t)id;
    out->task.service_id = service->id;
    out->task.slot = slot;
    out->task.node_id = (char *)(uintptr_t)node_id;
    out->task.spec = &out->spec;
    out->task.annotations = &out->annotations;
    out->task.service_annotations = &out->service_annotations;
    out->task.status = &out->status;
    out->task.endpoint = &out->endpoint;
    out->task.spec_version = service->spec_version;
    if (service->spec)
        fill_from_spec(out, service);
    out->task.log_driver = log_driver(out->task.spec, cluster);
}
