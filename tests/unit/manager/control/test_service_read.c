/* Services looked at: one with and without defaults, lists through each filter, statuses of every mode. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;
static struct web web;
static char id[STORE_KEY_SIZE_BYTES];

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    web_init(&web, "web");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static void service_is_got_as_it_is_stored(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetServiceRequest request = DOCKER__SWARMKIT__V1__GET_SERVICE_REQUEST__INIT;
    assert_refused(&asked, GetService, &request, ERR_INVALID, 3, "invalid argument");
    request.service_id = CONSTANT("s9");
    assert_refused(&asked, GetService, &request, ERR_NOT_FOUND, 5, "service s9 not found");
    request.service_id = CONSTANT(web_create(&asked, &web, id));
    const Docker__Swarmkit__V1__GetServiceResponse *response = do_call(&asked, GetService, &request);
    assert_true(message_equal(&response->service->base, &store_service(asked.world.store, id)->base));
}

static void defaults_fill_what_nobody_said(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetServiceRequest request = DOCKER__SWARMKIT__V1__GET_SERVICE_REQUEST__INIT;
    request.service_id = CONSTANT(web_create(&asked, &web, id));
    request.insert_defaults = true;
    const Docker__Swarmkit__V1__ServiceSpec *spec = do_call(&asked, GetService, &request)->service->spec;
    assert_int_equal(spec->task->container->stop_grace_period->seconds, 10);
    assert_non_null(spec->task->container->pull_options);
    assert_non_null(spec->task->container->dns_config);
    assert_non_null(spec->task->resources);
    assert_non_null(spec->task->placement);
    assert_int_equal(spec->task->restart->condition, DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY);
    assert_int_equal(spec->task->restart->delay->seconds, 5);
    assert_int_equal(spec->update->parallelism, 1);
    assert_int_equal(spec->update->monitor->seconds, 5);
    assert_int_equal(spec->update->failure_action, DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__PAUSE);
    assert_int_equal(spec->rollback->order, DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__STOP_FIRST);
    assert_null(store_service(asked.world.store, id)->spec->update); /* what is stored stays as it was asked for */
}

static void defaults_leave_what_was_said(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetServiceRequest request = DOCKER__SWARMKIT__V1__GET_SERVICE_REQUEST__INIT;
    Docker__Swarmkit__V1__RestartPolicy restart = DOCKER__SWARMKIT__V1__RESTART_POLICY__INIT;
    Docker__Swarmkit__V1__UpdateConfig update = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__INIT;
    struct Google__Protobuf__Duration three = duration_of(3, 0);
    restart.condition = DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE;
    update.monitor = &three;
    web.task.restart = &restart;
    web.spec.update = &update;
    web.container.stop_grace_period = &three;
    request.service_id = CONSTANT(web_create(&asked, &web, id));
    request.insert_defaults = true;
    const Docker__Swarmkit__V1__ServiceSpec *spec = do_call(&asked, GetService, &request)->service->spec;
    assert_int_equal(spec->task->restart->condition, DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE);
    assert_int_equal(spec->task->restart->delay->seconds, 5);
    assert_int_equal(spec->update->parallelism, 0); /* all at once: it was said, by saying the rest */
    assert_int_equal(spec->update->monitor->seconds, 3);
    assert_int_equal(spec->task->container->stop_grace_period->seconds, 3);
}

/* --- lists --- */

static const char *listed(const Docker__Swarmkit__V1__ListServicesRequest *request)
{
    static char names[256];
    const Docker__Swarmkit__V1__ListServicesResponse *response = do_call(&asked, ListServices, request);
    names[0] = 0;
    for (size_t i = 0; i < response->n_services; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", response->services[i]->spec->annotations->name);
    return names;
}

static void lists_go_through_every_filter(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListServicesRequest request = DOCKER__SWARMKIT__V1__LIST_SERVICES_REQUEST__INIT;
    Docker__Swarmkit__V1__ListServicesRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_SERVICES_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    Docker__Swarmkit__V1__ListServicesRequest__Filters__LabelsEntry
        wanted = DOCKER__SWARMKIT__V1__LIST_SERVICES_REQUEST__FILTERS__LABELS_ENTRY__INIT,
        *wanted_list[] = {&wanted};
    Docker__Swarmkit__V1__GenericRuntimeSpec generic = DOCKER__SWARMKIT__V1__GENERIC_RUNTIME_SPEC__INIT;
    Google__Protobuf__Any payload = GOOGLE__PROTOBUF__ANY__INIT;
    char prefix[6];
    assert_string_equal(listed(&request), "");
    web_create(&asked, &web, id);
    snprintf(prefix, sizeof prefix, "%.5s", id);
    label.key = CONSTANT("tier");
    label.value = CONSTANT("front");
    web.annotations.labels = labels;
    web.annotations.n_labels = 1;
    web.annotations.name = CONSTANT("proxy");
    (void)do_call(&asked, CreateService, &web.create);
    web.annotations.n_labels = 0;
    web.annotations.name = CONSTANT("plug");
    web.task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC;
    web.task.generic = &generic;
    generic.kind = CONSTANT("Plugin");
    generic.payload = &payload;
    payload.type_url = CONSTANT("t");
    payload.value = (ProtobufCBinaryData){1, (uint8_t *)CONSTANT("x")};
    (void)do_call(&asked, CreateService, &web.create);

    assert_string_equal(listed(&request), "web proxy plug");
    request.filters = &filters;
    assert_string_equal(listed(&request), "web proxy plug");
    char *names[] = {CONSTANT("web"), CONSTANT("plug")}, *wrong_case[] = {CONSTANT("WEB")};
    filters.names = names;
    filters.n_names = 2;
    assert_string_equal(listed(&request), "web plug");
    char *prefixes[] = {CONSTANT("p")};
    filters.name_prefixes = prefixes;
    filters.n_name_prefixes = 1;
    assert_string_equal(listed(&request), "plug"); /* both filters hold */
    filters.n_names = 0;
    assert_string_equal(listed(&request), "proxy plug");
    filters.n_name_prefixes = 0;
    filters.names = wrong_case;
    filters.n_names = 1;
    assert_string_equal(listed(&request), "");
    filters.n_names = 0;
    char *ids[] = {prefix};
    filters.id_prefixes = ids;
    filters.n_id_prefixes = 1;
    assert_string_equal(listed(&request), "web");
    filters.n_id_prefixes = 0;
    wanted.key = CONSTANT("tier");
    filters.labels = wanted_list;
    filters.n_labels = 1;
    assert_string_equal(listed(&request), "proxy");
    wanted.value = CONSTANT("front");
    assert_string_equal(listed(&request), "proxy");
    wanted.value = CONSTANT("back");
    assert_string_equal(listed(&request), "");
    filters.n_labels = 0;
    char *runtimes[] = {CONSTANT("plugin")};
    filters.runtimes = runtimes;
    filters.n_runtimes = 1;
    assert_string_equal(listed(&request), "plug");
    runtimes[0] = CONSTANT("container");
    assert_string_equal(listed(&request), "web proxy");
}

/* --- statuses --- */

static void put_task(const char *task_id, const char *service_id, int desired, int actual, int64_t iteration)
{
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__Task *one = task(task_id, service_id, 1, "n1", desired);
    one->status->state = (Docker__Swarmkit__V1__TaskState)actual;
    version.index = (uint64_t)iteration;
    one->job_iteration = iteration < 0 ? NULL : &version;
    do_create(&asked.world, one);
}

static void assert_status(const Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus *status, const char *service_id,
                          uint64_t desired, uint64_t running, uint64_t completed)
{
    assert_string_equal(status->service_id, service_id);
    assert_int_equal(status->desired_tasks, desired);
    assert_int_equal(status->running_tasks, running);
    assert_int_equal(status->completed_tasks, completed);
}

#define RUNNING  DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING
#define COMPLETE DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE
#define SHUTDOWN DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN
#define NEW      DOCKER__SWARMKIT__V1__TASK_STATE__NEW

static void statuses_count_by_mode(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListServiceStatusesRequest request = DOCKER__SWARMKIT__V1__LIST_SERVICE_STATUSES_REQUEST__INIT;
    Docker__Swarmkit__V1__ReplicatedJob job = DOCKER__SWARMKIT__V1__REPLICATED_JOB__INIT;
    Docker__Swarmkit__V1__GlobalService global = DOCKER__SWARMKIT__V1__GLOBAL_SERVICE__INIT;
    Docker__Swarmkit__V1__GlobalJob global_job = DOCKER__SWARMKIT__V1__GLOBAL_JOB__INIT;
    char replicated_id[STORE_KEY_SIZE_BYTES], global_id[STORE_KEY_SIZE_BYTES], job_id[STORE_KEY_SIZE_BYTES], both_id[STORE_KEY_SIZE_BYTES];
    web_create(&asked, &web, replicated_id);
    web.annotations.name = CONSTANT("everywhere");
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL;
    web.spec.global = &global;
    web_create(&asked, &web, global_id);
    web.annotations.name = CONSTANT("once");
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    web.spec.replicated_job = &job;
    job.max_concurrent = 4;
    web_create(&asked, &web, job_id);
    web.annotations.name = CONSTANT("once-everywhere");
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    web.spec.global_job = &global_job;
    web_create(&asked, &web, both_id);

    put_task("t1", replicated_id, RUNNING, RUNNING, -1);
    put_task("t2", replicated_id, SHUTDOWN, RUNNING, -1);
    put_task("t3", replicated_id, RUNNING, NEW, -1);
    put_task("t4", global_id, RUNNING, RUNNING, -1);
    put_task("t5", global_id, RUNNING, NEW, -1);
    put_task("t6", global_id, SHUTDOWN, SHUTDOWN, -1);
    put_task("t7", job_id, COMPLETE, COMPLETE, 0);
    put_task("t8", job_id, COMPLETE, RUNNING, 0);
    put_task("te", job_id, COMPLETE, RUNNING, 0);
    put_task("t9", job_id, COMPLETE, COMPLETE, 1); /* of another time */
    put_task("ta", job_id, COMPLETE, COMPLETE, -1);
    put_task("tb", both_id, COMPLETE, COMPLETE, 0);
    put_task("tc", both_id, COMPLETE, RUNNING, 0);
    put_task("td", "gone", RUNNING, RUNNING, -1);

    char *ids[] = {replicated_id, global_id, job_id, both_id, CONSTANT("gone"), CONSTANT("never"), CONSTANT("")};
    request.services = ids;
    request.n_services = 7;
    const Docker__Swarmkit__V1__ListServiceStatusesResponse *response = do_call(&asked, ListServiceStatuses, &request);
    assert_int_equal(response->n_statuses, 7);
    assert_status(response->statuses[0], replicated_id, 2, 2, 0);
    assert_status(response->statuses[1], global_id, 2, 1, 0);
    assert_status(response->statuses[2], job_id, 4, 2, 1);
    assert_status(response->statuses[3], both_id, 1, 1, 1);
    assert_status(response->statuses[4], "gone", 0, 1, 0);
    assert_status(response->statuses[5], "never", 0, 0, 0);
    assert_status(response->statuses[6], "", 0, 0, 0);
}

static void statuses_have_a_most(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListServiceStatusesRequest request = DOCKER__SWARMKIT__V1__LIST_SERVICE_STATUSES_REQUEST__INIT;
    static char *ids[CONTROL_STATUSES_COUNT + 1];
    for (size_t i = 0; i <= CONTROL_STATUSES_COUNT; i++)
        ids[i] = CONSTANT("x");
    request.services = ids;
    request.n_services = CONTROL_STATUSES_COUNT + 1;
    assert_refused(&asked, ListServiceStatuses, &request, ERR_INVALID, 3, "more than 65536");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(service_is_got_as_it_is_stored), test(defaults_fill_what_nobody_said), test(defaults_leave_what_was_said),
        test(lists_go_through_every_filter),  test(statuses_count_by_mode),         test(statuses_have_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
