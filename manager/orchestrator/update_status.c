/* manager/orchestrator/update_status.c – the states and texts of an update as Docker shows them, and the roll-back of a spec. Source:
 * swarmkit-wire §7.5. */
#include "manager/orchestrator/update_status.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/message.h"

struct request {
    struct orchestrator *orchestrator;
    struct view_service *service; /* kept by service->writes */
    enum update_write what;
    uint64_t spec_version;
    char task_id[STORE_KEY_SIZE_BYTES];
    char message[STORE_KEY_SIZE_BYTES + 80];
};

static void start(Docker__Swarmkit__V1__UpdateStatus *status, Google__Protobuf__Timestamp *now)
{
    docker__swarmkit__v1__update_status__init(status);
    status->state = UPDATE_STATUS(UPDATING);
    status->message = (char *)(uintptr_t) "update in progress";
    status->started_at = now;
}

static void complete(Docker__Swarmkit__V1__UpdateStatus *status, Google__Protobuf__Timestamp *now)
{
    bool is_rollback = status->state == UPDATE_STATUS(ROLLBACK_STARTED);

    status->state = is_rollback ? UPDATE_STATUS(ROLLBACK_COMPLETED) : UPDATE_STATUS(COMPLETED);
    status->message = (char *)(uintptr_t)(is_rollback ? "rollback completed" : "update completed");
    status->completed_at = now;
}

static void pause_update(Docker__Swarmkit__V1__UpdateStatus *status, struct request *request)
{
    bool is_rollback = status->state == UPDATE_STATUS(ROLLBACK_STARTED);

    status->state = is_rollback ? UPDATE_STATUS(ROLLBACK_PAUSED) : UPDATE_STATUS(PAUSED);
    snprintf(request->message, sizeof request->message, "update paused due to failure or early termination of task %s",
             request->task_id); /* "update" also of a rollback, as Docker's */
    status->message = request->message;
}

static void roll_back(Docker__Swarmkit__V1__Service *service, Docker__Swarmkit__V1__UpdateStatus *status, struct request *request,
                      Google__Protobuf__Timestamp *now)
{
    docker__swarmkit__v1__update_status__init(status);
    status->state = UPDATE_STATUS(ROLLBACK_STARTED);
    snprintf(request->message, sizeof request->message, "update rolled back due to failure or early termination of task %s",
             request->task_id);
    status->message = request->message;
    status->started_at = now;
    service->spec = service->previous_spec;
    service->spec_version = service->previous_spec_version;
    service->previous_spec = NULL;
    service->previous_spec_version = NULL;
}

static int write_status(struct store_tx *tx, void *ctx, struct error *err)
{
    struct request *request = ctx;
    const Docker__Swarmkit__V1__Service *old = store_tx_service(tx, request->service->id);
    Docker__Swarmkit__V1__UpdateStatus status = DOCKER__SWARMKIT__V1__UPDATE_STATUS__INIT;
    Google__Protobuf__Timestamp now;

    if (old == NULL || version_index(old->spec_version) != request->spec_version)
        return 0;
    if ((old->update_status == NULL) != (request->what == UPDATE_WRITE_START))
        return 0;
    Docker__Swarmkit__V1__Service service = *old;
    if (old->update_status)
        status = *old->update_status;
    message_set_timestamp(&now, store_tx_wall_ns(tx));
    service.update_status = &status;
    if (request->what == UPDATE_WRITE_START)
        start(&status, &now);
    else if (request->what == UPDATE_WRITE_COMPLETE)
        complete(&status, &now);
    else if (request->what == UPDATE_WRITE_ROLL_BACK && old->previous_spec)
        roll_back(&service, &status, request, &now);
    else
        pause_update(&status, request);
    return store_tx_update(tx, &service.base, err);
}

static void done(void *ctx, const struct error *err)
{
    struct request *request = ctx;
    struct orchestrator *orchestrator = request->orchestrator;

    if (err) {
        log_warn("orchestrator", "service %s: the state of its update was not written: %s", request->service->id, err->message);
        orchestrator->has_failed = true;
    }
    request->service->writes--;
    view_mark_service(&orchestrator->view, request->service);
    orchestrator->writes--;
    part_wake(&orchestrator->host);
    free(request);
}

void update_status_write(struct orchestrator *orchestrator, struct view_service *service, enum update_write what, const char *task_id)
{
    struct request *request = mem_alloc(sizeof *request);

    *request = (struct request){.orchestrator = orchestrator,
                                .service = service,
                                .what = what,
                                .spec_version = version_index(service_message(service)->spec_version)};
    snprintf(request->task_id, sizeof request->task_id, "%s", task_id);
    service->writes++;
    orchestrator->writes++;
    store_update(orchestrator->host.store, write_status, done, request);
}
