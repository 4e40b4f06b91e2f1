/* tests/unit/api/test_docker_services.c – services over HTTP, from a real control. */
#include "tests/unit/api/swarm_fixture.h"

static const Docker__Swarmkit__V1__Service *stored(struct swarm *s, const char *name)
{
    struct store_cursor cursor;
    store_find(s->asked.world.store, STORE_SERVICE, STORE_BY_NAME, name, &cursor);
    return (const void *)store_next(&cursor);
}

static void create(struct swarm *s, const char *body)
{
    swarm_post(s, "/services/create", body, 201, "{\"ID\":\"");
}

static void service_is_created_and_shown(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/v1.41/services/create", WEB_BODY("web", ""), 201, "{\"ID\":\"");
    assert_false(swarm_has(s, "Warnings"));
    const Docker__Swarmkit__V1__Service *web = stored(s, "web");
    assert_non_null(web);
    assert_int_equal(web->spec->replicated->replicas, 2);
    assert_true(swarm_has(s, web->id));
    swarm_get(s, "/services/web", 200, "\"Image\":\"busybox:1\"");
    swarm_get(s, "/services/web?insertDefaults=true", 200, "\"Parallelism\":1");
    swarm_get(s, "/services/web?insertDefaults=0", 200, "\"Name\":\"web\"");
    assert_false(swarm_has(s, "Parallelism"));
    swarm_get(s, "/services/web?insertDefaults=maybe", 400, "invalid value for insertDefaults: maybe");
    swarm_get(s, "/services/none", 404, "{\"message\":\"service none not found\"");
    swarm_get(s, "/services/none?insertDefaults=1", 404, "service none not found");
    cleanup_free char *path = mem_format("/services/%.6s", web->id);
    swarm_get(s, path, 200, "\"Name\":\"web\"");
}

static void service_without_a_name_gets_one(void **state)
{
    struct swarm *s = *state;
    struct store_cursor cursor;
    create(s, "{\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"}}}");
    store_find(s->asked.world.store, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    const Docker__Swarmkit__V1__Service *made = (const void *)store_next(&cursor);
    assert_non_null(made);
    assert_non_null(strchr(made->spec->annotations->name, '_'));
}

static void old_clients_are_warned_of_images_that_are_not_pinned(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/v1.29/services/create", WEB_BODY("web", ""), 201, "\"Warnings\":[\"unable to pin image busybox:1 to digest");
    swarm_post(s, "/v1.29/services/create",
               "{\"Name\":\"pinned\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox@sha256:"
               "1111111111111111111111111111111111111111111111111111111111111111\"}}}",
               201, "\"ID\"");
    assert_false(swarm_has(s, "Warnings"));
}

static void service_that_cannot_be_is_refused(void **state)
{
    struct swarm *s = *state;
    create(s, WEB_BODY("web", ""));
    swarm_post(s, "/services/create", WEB_BODY("web", ""), 409, "AlreadyExists desc = name conflicts with an existing object");
    swarm_post(s, "/services/create", WEB_BODY("-bad-", ""), 400, "InvalidArgument desc = name must be valid as a DNS name component");
    swarm_post(s, "/services/create", "{\"Name\":\"x\",\"TaskTemplate\":{}}", 400, "Spec.TaskTemplate.ContainerSpec: needed");
    swarm_post(s, "/services/create", "{\"Name\":", 400, "the request's body: not JSON");
    swarm_post(s, "/services/create", "", 400, "got EOF while reading request body");
    swarm_post(s, "/services/create", "{\"Name\":7}", 400, "Name: not a text");
    swarm_post(s, "/services/create", WEB_BODY("x", ",\"Mounts\":[{\"Type\":\"x\"}]"), 400, "Mounts[0].Type");
    assert_null(stored(s, "x"));
}

static void services_are_listed_by_filters(void **state)
{
    struct swarm *s = *state;
    swarm_get(s, "/services", 200, "\r\n\r\n[]");
    create(s, WEB_BODY("web", ""));
    create(s, "{\"Name\":\"everywhere\",\"Labels\":{\"tier\":\"edge\"},\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"}},"
              "\"Mode\":{\"Global\":{}}}");
    swarm_get(s, "/services", 200, "\"Name\":\"web\"");
    assert_true(swarm_has(s, "\"Name\":\"everywhere\"") && !swarm_has(s, "ServiceStatus"));
    swarm_get(s, "/services?filters=%7B%22mode%22%3A%7B%22global%22%3Atrue%7D%7D", 200, "\"Name\":\"everywhere\"");
    assert_false(swarm_has(s, "\"Name\":\"web\""));
    swarm_get(s, "/services?filters=%7B%22label%22%3A%5B%22tier%3Dedge%22%5D%7D", 200, "\"Name\":\"everywhere\"");
    assert_false(swarm_has(s, "\"Name\":\"web\""));
    swarm_get(s, "/services?filters=%7B%22name%22%3A%5B%22we%22%5D%7D", 200, "\"Name\":\"web\"");
    assert_false(swarm_has(s, "\"Name\":\"everywhere\""));
    swarm_get(s, "/services?filters=%7B%22foo%22%3A%5B%22a%22%5D%7D", 400, "nvalid filter 'foo'");
    swarm_get(s, "/services?status=perhaps", 400, "invalid value for status: perhaps");
}

/* The statuses go to the services that are left over by the filters. */
static void statuses_are_given_to_who_asks(void **state)
{
    struct swarm *s = *state;
    create(s, "{\"Name\":\"everywhere\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"}},\"Mode\":{\"Global\":{}}}");
    create(s, WEB_BODY("web", ""));
    Docker__Swarmkit__V1__Task *running = task("t1", stored(s, "web")->id, 1, "m1", 512);
    running->status->state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    do_create(&s->asked.world, running);
    swarm_get(s, "/services?status=true", 200, "\"ServiceStatus\":{\"RunningTasks\":1,\"DesiredTasks\":2,\"CompletedTasks\":0}");
    assert_true(swarm_has(s, "\"ServiceStatus\":{\"RunningTasks\":0,\"DesiredTasks\":0,\"CompletedTasks\":0}"));
    swarm_get(s, "/services?status=1&filters=%7B%22mode%22%3A%5B%22replicated%22%5D%7D", 200, "{\"RunningTasks\":1,\"DesiredTasks\":2");
    assert_false(swarm_has(s, "\"DesiredTasks\":0"));
    swarm_get(s, "/v1.40/services?status=true", 200, "\"Name\":\"web\"");
    assert_false(swarm_has(s, "ServiceStatus"));
}

static void service_is_updated_and_rolled_back(void **state)
{
    struct swarm *s = *state;
    create(s, WEB_BODY("web", ""));
    swarm_update(s, "/services/web", "", WEB_BODY("web", ",\"Env\":[\"A=b\"]"), 200, "\r\n\r\n{\"Warnings\":null}");
    assert_string_equal(stored(s, "web")->spec->task->container->env[0], "A=b");
    assert_non_null(stored(s, "web")->previous_spec);
    swarm_update(s, "/services/web", "&rollback=previous", WEB_BODY("web", ""), 200, "");
    assert_int_equal(stored(s, "web")->spec->task->container->n_env, 0);
    swarm_update(s, "/services/web", "&rollback=sideways", WEB_BODY("web", ""), 400, "unrecognized rollback option sideways");
    swarm_update(s, "/services/web", "", WEB_BODY("other", ""), 501, "renaming services is not supported");
    swarm_post(s, "/services/web/update?version=1", WEB_BODY("web", ""), 500, "rpc error: code = Unknown desc = update out of sequence");
    swarm_post(s, "/services/web/update?version=x", WEB_BODY("web", ""), 400, "invalid service version 'x'");
    swarm_post(s, "/services/none/update?version=1", WEB_BODY("none", ""), 404, "service none not found");
    cleanup_free char *old = mem_format("/v1.29/services/web/update?version=%u", swarm_version_of(s, "/services/web"));
    swarm_post(s, old, WEB_BODY("web", ""), 200, "{\"Warnings\":[\"unable to pin image");
}

static void post_with_auth(struct swarm *s, const char *path, const char *auth, const char *body, int status)
{
    char line[32];
    cleanup_free char *request = mem_format("POST %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", path,
                                            auth ? "X-Registry-Auth: " : "", auth ? auth : "", auth ? "\r\n" : "", strlen(body), body);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    asker_send(&s->asker, request);
    asker_wait_for(&s->asker, line);
    asker_wait_for(&s->asker, "\n");
}

static const char *auth_of(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    return spec->task->container->pull_options ? spec->task->container->pull_options->registry_auth : "";
}

static void update_with_auth(struct swarm *s, const char *query, const char *auth, int status)
{
    cleanup_free char *path = mem_format("/services/web/update?version=%u%s", swarm_version_of(s, "/services/web"), query);
    post_with_auth(s, path, auth, WEB_BODY("web", ",\"Hostname\":\"h\""), status);
}

static void registry_credentials_are_passed_on_and_kept(void **state)
{
    struct swarm *s = *state;
    post_with_auth(s, "/services/create", "Zmlyc3Q=", WEB_BODY("web", ""), 201);
    assert_string_equal(auth_of(stored(s, "web")->spec), "Zmlyc3Q=");
    swarm_get(s, "/services/web", 200, "\"Name\":\"web\"");
    assert_false(swarm_has(s, "Zmlyc3Q=")); /* never shown */
    update_with_auth(s, "&registryAuthFrom=previous-spec", NULL, 400);
    update_with_auth(s, "", "c2Vjb25k", 200);
    assert_string_equal(auth_of(stored(s, "web")->spec), "c2Vjb25k");
    update_with_auth(s, "", NULL, 200);
    assert_string_equal(auth_of(stored(s, "web")->spec), "c2Vjb25k");
    update_with_auth(s, "", "dGhpcmQ=", 200);
    update_with_auth(s, "&registryAuthFrom=previous-spec", NULL, 200);
    assert_string_equal(auth_of(stored(s, "web")->spec), "c2Vjb25k");
    update_with_auth(s, "&registryAuthFrom=elsewhere", NULL, 400);
}

static void networks_are_taken_by_name(void **state)
{
    struct swarm *s = *state;
    char *host = network_id(&s->asked, "host");
    create(s, "{\"Name\":\"web\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"},\"Networks\":[{\"Target\":\"host\"}]}}");
    assert_string_equal(stored(s, "web")->spec->task->networks[0]->target, host);
    create(s, "{\"Name\":\"old\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"}},\"Networks\":[{\"Target\":\"host\"}]}");
    assert_string_equal(stored(s, "old")->spec->networks[0]->target, host);
    swarm_post(s, "/services/create",
               "{\"Name\":\"x\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"},\"Networks\":[{\"Target\":\"none\"}]}}", 404,
               "network none not found");
    struct buf many = {0};
    buf_append_string(&many, "{\"Name\":\"x\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"},\"Networks\":[");
    for (int i = 0; i <= API_SERVICE_NETWORKS_COUNT; i++)
        buf_append_format(&many, "%s{\"Target\":\"host\"}", i ? "," : "");
    buf_append_string(&many, "]}}");
    swarm_post(s, "/services/create", (const char *)many.data, 413, "the service has 65 networks: more than 64");
    buf_deinit(&many);
}

static void service_is_removed(void **state)
{
    struct swarm *s = *state;
    create(s, WEB_BODY("web", ""));
    swarm_ask_for(s, "DELETE", "/services/web", "", 200, "Content-Length: 0");
    assert_null(stored(s, "web"));
    swarm_ask_for(s, "DELETE", "/services/web", "", 404, "service web not found");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(service_is_created_and_shown),
        T(service_without_a_name_gets_one),
        T(old_clients_are_warned_of_images_that_are_not_pinned),
        T(service_that_cannot_be_is_refused),
        T(services_are_listed_by_filters),
        T(statuses_are_given_to_who_asks),
        T(service_is_updated_and_rolled_back),
        T(registry_credentials_are_passed_on_and_kept),
        T(networks_are_taken_by_name),
        T(service_is_removed),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
