/* manager/control/service.c – services are created, updated, rolled back and removed. What becomes of their tasks is the orchestrators'. */
#include <stdlib.h>

#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/control/inside.h"
#include "manager/orchestrator/allocator.h"
#include "proto/message.h"

/* What SwarmKit always sends, also where a client left it out. @spec is unpacked. */
static void complete_update(Docker__Swarmkit__V1__UpdateConfig *update)
{
    if (update == NULL || update->delay)
        return;
    update->delay = mem_alloc(sizeof *update->delay);
    google__protobuf__duration__init(update->delay);
}

static void complete(Docker__Swarmkit__V1__ServiceSpec *spec)
{
    complete_update(spec->update);
    complete_update(spec->rollback);
}

static int check_others(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, const char *service_id, struct error *err)
{
    int failed = service_check_networks(tx, spec, err);

    if (failed == 0)
        failed = service_check_ports(tx, spec, service_id, err);
    return failed < 0 ? failed : service_check_existence(tx, spec, err);
}

/* --- create --- */

static int check_create_service(const struct control *control, const Docker__Swarmkit__V1__CreateServiceRequest *request,
                                struct refusal *refusal)
{
    return service_check(control, request->spec, refusal);
}

static int write_create_service(struct call *call, struct store_tx *tx, struct error *err)
{
    Docker__Swarmkit__V1__ServiceSpec *spec = CALL_REQUEST(call, CreateService)->spec;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT, iteration = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__JobStatus job = DOCKER__SWARMKIT__V1__JOB_STATUS__INIT;
    Docker__Swarmkit__V1__Endpoint endpoint;
    Google__Protobuf__Timestamp now;

    complete(spec);
    int failed = check_others(tx, spec, "", err);
    if (failed < 0)
        return failed;
    service.id = call->id;
    service.spec = spec;
    service.spec_version = &version;
    service.endpoint = allocator_endpoint(spec, &endpoint);
    if (service_is_job(spec)) {
        message_set_timestamp(&now, store_tx_wall_ns(tx));
        job.job_iteration = &iteration;
        job.last_execution = &now;
        service.job_status = &job;
    }
    return call_put_new(call, tx, &service.base, err);
}

static const ProtobufCMessage *answer_create_service(struct call *call, struct arena *arena)
{
    const Docker__Swarmkit__V1__Service *service = store_service(call->control->store, call->id);
    Docker__Swarmkit__V1__CreateServiceResponse *response = message_in(arena, DESCRIPTOR(create_service_response));

    response->service = (Docker__Swarmkit__V1__Service *)(uintptr_t)service;
    return service ? &response->base : NULL;
}

CONTROL_WRITE(create_service, CreateService, NULL)

/* --- update --- */

static int check_update_service(const struct control *control, const Docker__Swarmkit__V1__UpdateServiceRequest *request,
                                struct refusal *refusal)
{
    int failed = form_check_id(request->service_id, &refusal->err);

    if (failed == 0 && request->service_version == NULL)
        failed = form_refuse(&refusal->err);
    return failed < 0 ? failed : service_check(control, request->spec, refusal);
}

static bool has_same_networks(Docker__Swarmkit__V1__NetworkAttachmentConfig *const *a, size_t a_count,
                              Docker__Swarmkit__V1__NetworkAttachmentConfig *const *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!message_equal(&a[i]->base, &b[i]->base))
            return false;
    return true;
}

static bool has_same_task_networks(const Docker__Swarmkit__V1__ServiceSpec *a, const Docker__Swarmkit__V1__ServiceSpec *b)
{
    return has_same_networks(a->task->networks, a->task->n_networks, b->task->networks, b->task->n_networks);
}

/* Those beside the task's, as things were once done: they change only together with the task's. */
static bool has_same_old_networks(const Docker__Swarmkit__V1__ServiceSpec *a, const Docker__Swarmkit__V1__ServiceSpec *b)
{
    return has_same_networks(a->networks, a->n_networks, b->networks, b->n_networks);
}

static bool has_same_endpoint(const Docker__Swarmkit__V1__ServiceSpec *a, const Docker__Swarmkit__V1__ServiceSpec *b)
{
    return message_equal((const ProtobufCMessage *)a->endpoint, (const ProtobufCMessage *)b->endpoint); /* either may be NULL */
}

/* What no update changes. */
static int check_kept(const Docker__Swarmkit__V1__ServiceSpec *old, const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    if (old->mode_case != spec->mode_case)
        return error_set(err, ERR_UNSUPPORTED, "service mode change is not allowed");
    if (strcmp(old->annotations ? old->annotations->name : "", spec->annotations->name) != 0)
        return error_set(err, ERR_UNSUPPORTED, "renaming services is not supported");
    return 0;
}

/* What stays as it was is not judged again: a service that Docker's managers made can be scaled, though it could not be made here. */
static int check_update_of(struct store_tx *tx, const Docker__Swarmkit__V1__Service *old, const Docker__Swarmkit__V1__ServiceSpec *spec,
                           struct error *err)
{
    if (old->spec == NULL || old->spec->task == NULL)
        return error_set(err, ERR_CORRUPT, "service %s is stored without a spec; remove it", old->id);
    int failed = 0;
    if (!has_same_task_networks(old->spec, spec) || !has_same_old_networks(old->spec, spec))
        failed = service_check_networks(tx, spec, err);
    if (failed == 0 && !has_same_endpoint(old->spec, spec))
        failed = service_check_ports(tx, spec, old->id, err);
    if (failed == 0 && has_same_task_networks(old->spec, spec) && !has_same_old_networks(old->spec, spec))
        failed = error_set(err, ERR_UNSUPPORTED, "networks must be migrated to TaskSpec before being changed");
    if (failed == 0)
        failed = service_check_existence(tx, spec, err);
    return failed < 0 ? failed : check_kept(old->spec, spec, err);
}

/* The spec before becomes the spec, and the other way round. It is looked at as if it were new: what it refers to may be gone by now. */
static int roll_back(struct call *call, struct store_tx *tx, const Docker__Swarmkit__V1__Service *old,
                     Docker__Swarmkit__V1__Service *service, struct error *err)
{
    struct refusal refusal = {0};

    if (old->previous_spec == NULL)
        return error_set(err, ERR_PRECONDITION, "service %s does not have a previous spec", old->id);
    if (service_is_job(old->spec))
        return error_set(err, ERR_INVALID, "service %s is a job: jobs cannot be rolled back; update it to what it shall do", old->id);
    int failed = service_check(call->control, old->previous_spec, &refusal);
    if (failed < 0) {
        call->grpc_status = refusal.grpc_status;
        error_set(err, failed, "%s", refusal.err.message);
    } else {
        failed = check_others(tx, old->previous_spec, old->id, err);
    }
    if (failed < 0)
        return error_wrap(err, "the previous spec of service %s", old->id);
    service->spec = old->previous_spec;
    service->spec_version = old->previous_spec_version;
    service->previous_spec = old->spec;
    service->previous_spec_version = old->spec_version;
    return 0;
}

static int write_update_service(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateServiceRequest *request = CALL_REQUEST(call, UpdateService);
    const Docker__Swarmkit__V1__Service *old = store_tx_service(tx, call->id);
    Docker__Swarmkit__V1__UpdateStatus status = DOCKER__SWARMKIT__V1__UPDATE_STATUS__INIT;
    Docker__Swarmkit__V1__Version iteration = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;
    Docker__Swarmkit__V1__JobStatus job;
    Docker__Swarmkit__V1__Endpoint endpoint;
    Google__Protobuf__Timestamp now;

    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "service %s not found", call->id);
    complete(request->spec);
    int failed = check_update_of(tx, old, request->spec, err);
    if (failed < 0)
        return failed;
    Docker__Swarmkit__V1__Service service = *old;
    message_set_timestamp(&now, store_tx_wall_ns(tx));
    meta.version = request->service_version;
    service.meta = &meta;
    if (old->job_status) { /* the job is done again, from the beginning */
        job = *old->job_status;
        iteration.index = job.job_iteration ? job.job_iteration->index + 1 : 1;
        job.job_iteration = &iteration;
        job.last_execution = &now;
        service.job_status = &job;
    }
    if (request->rollback == DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS) {
        failed = roll_back(call, tx, old, &service, err);
        if (failed < 0)
            return failed;
        status.state = DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_STARTED;
        status.message = (char *)(uintptr_t) "manually requested rollback";
        status.started_at = &now;
        service.update_status = &status;
    } else {
        service.previous_spec = old->spec;
        service.previous_spec_version = old->spec_version;
        service.spec = request->spec;
        service.spec_version = request->service_version; /* of the service that was updated, not what it is now */
        service.update_status = NULL;
    }
    if (!has_same_endpoint(old->spec, service.spec)) /* what Docker's managers gave stays while nobody asks for something else */
        service.endpoint = allocator_endpoint(service.spec, &endpoint);
    return call_put(call, tx, &service.base, err);
}

static const ProtobufCMessage *answer_update_service(struct call *call, struct arena *arena)
{
    const Docker__Swarmkit__V1__Service *service = store_service(call->control->store, call->id);
    Docker__Swarmkit__V1__UpdateServiceResponse *response = message_in(arena, DESCRIPTOR(update_service_response));

    response->service = (Docker__Swarmkit__V1__Service *)(uintptr_t)service;
    return service ? &response->base : NULL;
}

CONTROL_WRITE(update_service, UpdateService, request->service_id)

/* --- remove --- */

static int check_remove_service(const struct control *control, const Docker__Swarmkit__V1__RemoveServiceRequest *request,
                                struct refusal *refusal)
{
    (void)control;
    return form_check_id(request->service_id, &refusal->err);
}

static int write_remove_service(struct call *call, struct store_tx *tx, struct error *err)
{
    if (store_tx_service(tx, call->id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "service %s not found", call->id);
    return store_tx_remove(tx, STORE_SERVICE, call->id, err);
}

static const ProtobufCMessage *answer_remove_service(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_service_response));
}

CONTROL_WRITE(remove_service, RemoveService, request->service_id)
