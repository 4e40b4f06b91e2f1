/* manager/control/service_check.c – is the spec of a service one that can be? What can be told without looking at other objects. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "google/protobuf/any.pb-c.h"
#include "manager/control/inside.h"
#include "manager/orchestrator/labels.h"

#define CPU_MIN_NANO     INT64_C(1000000)
#define MEMORY_MIN_BYTES INT64_C(4 * 1024 * 1024)

/* The shortest text that reads as the same number, as Go prints it. */
static void print_number(double number, char out[32])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}

static int check_resources(const Docker__Swarmkit__V1__Resources *resources, struct error *err)
{
    char cpus[32];

    if (resources == NULL)
        return 0;
    if (resources->nano_cpus != 0 && resources->nano_cpus < CPU_MIN_NANO) {
        print_number((double)resources->nano_cpus / 1e9, cpus);
        return error_set(err, ERR_INVALID, "invalid cpu value %s: Must be at least 0.001", cpus);
    }
    if (resources->memory_bytes != 0 && resources->memory_bytes < MEMORY_MIN_BYTES)
        return error_set(err, ERR_INVALID, "invalid memory value %" PRId64 ": Must be at least 4MiB", resources->memory_bytes);
    return 0;
}

static int check_not_negative(const struct Google__Protobuf__Duration *duration, const char *what, struct error *err)
{
    int64_t ns;
    int failed = form_read_duration(duration, what, &ns, err);

    if (failed == 0 && ns < 0)
        failed = error_set(err, ERR_INVALID, "%s cannot be negative", what);
    return failed;
}

static int check_restart(const Docker__Swarmkit__V1__RestartPolicy *restart, struct error *err)
{
    if (restart == NULL)
        return 0;
    int failed = check_not_negative(restart->delay, "TaskSpec: restart-delay", err);
    return failed < 0 ? failed : check_not_negative(restart->window, "TaskSpec: restart-window", err);
}

static int check_update(const Docker__Swarmkit__V1__UpdateConfig *update, struct error *err)
{
    if (update == NULL)
        return 0;
    int failed = check_not_negative(update->delay, "TaskSpec: update-delay", err);
    if (failed == 0)
        failed = check_not_negative(update->monitor, "TaskSpec: update-monitor", err);
    if (failed == 0 && !(update->max_failure_ratio >= 0 && update->max_failure_ratio <= 1)) /* what is no number neither */
        failed = error_set(err, ERR_INVALID, "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
    return failed;
}

static int check_placement(const struct control *control, const Docker__Swarmkit__V1__Placement *placement, struct refusal *refusal)
{
    if (placement == NULL)
        return 0;
    int failed = control->rules.check_constraints(control->rules.self, placement->constraints, placement->n_constraints, &refusal->err);
    if (failed < 0)
        refusal->grpc_status = GRPC_UNKNOWN; /* SwarmKit passes them on as they are */
    return failed;
}

static int check_generic(const Docker__Swarmkit__V1__GenericRuntimeSpec *generic, struct error *err)
{
    char kind[16];
    size_t length = 0;

    if (strlen(generic->kind) < 3)
        return error_set(err, ERR_INVALID, "Generic runtime: Invalid name \"%s\"", generic->kind);
    for (; generic->kind[length] && length + 1 < sizeof kind; length++)
        kind[length] = (char)tolower((unsigned char)generic->kind[length]);
    kind[length] = 0;
    if (strcmp(kind, "container") == 0 || strcmp(kind, "attachment") == 0)
        return error_set(err, ERR_INVALID, "Generic runtime: \"%s\" is a reserved name", generic->kind);
    if (generic->payload == NULL)
        return error_set(err, ERR_INVALID, "Generic runtime is missing payload");
    if (text_empty(generic->payload->type_url))
        return error_set(err, ERR_INVALID, "Generic runtime is missing payload type");
    if (generic->payload->value.len == 0)
        return error_set(err, ERR_INVALID, "Generic runtime has an empty payload");
    return 0;
}

static int check_runtime(const struct control *control, const Docker__Swarmkit__V1__TaskSpec *task, struct error *err)
{
    switch (task->runtime_case) {
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER:
        return service_check_container(control, task, err);
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC:
        return check_generic(task->generic, err);
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT:
        return error_set(err, ERR_UNSUPPORTED, "RuntimeSpec: unimplemented runtime in service spec");
    default:
        return error_set(err, ERR_INVALID, "TaskSpec: missing runtime");
    }
}

static int check_task(const struct control *control, const Docker__Swarmkit__V1__TaskSpec *task, struct refusal *refusal)
{
    struct error *err = &refusal->err;
    int failed = 0;

    if (task == NULL)
        return error_set(err, ERR_INVALID, "TaskSpec: missing runtime");
    if (task->resources) {
        failed = check_resources(task->resources->limits, err);
        if (failed == 0)
            failed = check_resources(task->resources->reservations, err);
    }
    if (failed == 0)
        failed = check_restart(task->restart, err);
    if (failed == 0)
        failed = check_placement(control, task->placement, refusal);
    if (failed == 0 && task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER)
        failed = service_check_references(task->container, err);
    return failed < 0 ? failed : check_runtime(control, task, err);
}

static int check_count(uint64_t count, const char *negative, struct error *err)
{
    if (count > INT64_MAX)
        return error_set(err, ERR_INVALID, "%s", negative);
    if (count > SERVICE_TASKS_COUNT)
        return error_set(err, ERR_INVALID, "%" PRIu64 " tasks in one service: more than %d", count, SERVICE_TASKS_COUNT);
    return 0;
}

static int check_mode(const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    int failed;

    switch (spec->mode_case) {
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED:
        return check_count(spec->replicated->replicas, "Number of replicas must be non-negative", err);
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB:
        failed = check_count(spec->replicated_job->max_concurrent, "Maximum concurrent jobs must not be negative", err);
        if (failed == 0)
            failed = check_count(spec->replicated_job->total_completions, "Total completed jobs must not be negative", err);
        return failed;
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL:
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB:
        return 0;
    default:
        return error_set(err, ERR_INVALID, "Unrecognized service mode");
    }
}

bool service_is_job(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    return spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB ||
           spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
}

static int check_updates(const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    if (service_is_job(spec))
        return spec->update ? error_set(err, ERR_INVALID, "Jobs may not have an update config") : 0;
    int failed = check_update(spec->update, err);
    return failed < 0 ? failed : check_update(spec->rollback, err);
}

int service_check(const struct control *control, const Docker__Swarmkit__V1__ServiceSpec *spec, struct refusal *refusal)
{
    struct error *err = &refusal->err;

    if (spec == NULL)
        return form_refuse(err);
    int failed = form_check_name(spec->annotations, err);
    if (failed == 0)
        failed = labels_check(spec, err);
    if (failed == 0)
        failed = check_task(control, spec->task, refusal);
    if (failed == 0)
        failed = check_mode(spec, err);
    if (failed == 0)
        failed = check_updates(spec, err);
    return failed < 0 ? failed : service_check_endpoint(spec->endpoint, err);
}
