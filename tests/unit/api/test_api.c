/* tests/unit/api/test_api.c – the whole API over a real socket and an emulated host, asked by hand. */
#include "tests/unit/api/asker.h"

static void ping_says_who_answers(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/_ping", 200, "\r\n\r\nOK");
    assert_true(asker_has(a, "Api-Version: 1.50\r\n") && asker_has(a, "Ostype: linux\r\n") &&
                asker_has(a, "Docker-Experimental: false\r\n"));
    asker_ask(a, "HEAD", "/_ping", "", 200, "Swarm: inactive");
    assert_false(asker_has(a, "\r\n\r\nOK"));
}

static void strictness(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/nothing", 404, "{\"message\":\"page not found\"}");
    asker_get(a, "/v1.41/nothing", 404, "page not found");
    asker_ask(a, "PUT", "/info", "", 404, "page not found");
    asker_get(a, "/v1.20/info", 400, "client version 1.20 is too old");
    asker_get(a, "/v1.60/info", 400, "client version 1.60 is too new");
    asker_get(a, "/info?a=%zz", 400, "a broken escape");
    asker_ask(a, "POST", "/swarm/join", "{\"JoinToken\":", 400, "the request's body: not JSON at byte");
    asker_ask(a, "POST", "/swarm/join", "[]", 400, "JSON object");
    asker_ask(a, "POST", "/swarm/join", "", 400, "JSON object");
    asker_ask(a, "POST", "/swarm/join", "{\"JoinToken\":\"x\"}", 400, "at least 1 RemoteAddr is required to join");
    asker_get(a, "/containers/json?filters=nonsense", 400, "filters");
    asker_get(a, "/containers/json?filters=%7B%22x%22%3A%5B%22y%22%5D%7D", 400, "invalid filter 'x'");
    asker_get(a, "/containers/json?limit=x", 400, "x");
    asker_get(a, "/events?since=yesterday", 400, "since: not a time: yesterday");
}

static void too_large_a_body_is_413(void **state)
{
    struct asker *a = *state;
    asker_send(a, "POST /swarm/join HTTP/1.1\r\nHost: d\r\nContent-Length: 5000000\r\n\r\n");
    asker_wait_for(a, "HTTP/1.1 413");
}

static void containers_are_found_by_id_name_and_prefix(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/containers/" FIXTURE_WEB_ID "/json", 200, "\"Name\":\"/web.1.x\"");
    asker_get(a, "/containers/web.1.x/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    asker_get(a, "/containers/%2Fweb.1.x/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    asker_get(a, "/containers/a1b2c3d/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    asker_get(a, "/containers/a1b2c3/json", 400, "multiple IDs or names found with provided prefix: a1b2c3");
    asker_get(a, "/containers/nosuch/json", 404, "{\"message\":\"No such container: nosuch\"}");
    asker_get(a, "/containers/job.1.y/json", 200, "\"ExitCode\":3");
    asker_get(a, "/containers/idle.1.z/json", 200, "\"Health\":{\"Status\":\"healthy\"");
}

static void lists_are_filtered(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/v1.41/containers/json", 200, FIXTURE_IDLE_ID);
    assert_false(asker_has(a, FIXTURE_WEB_ID));
    asker_get(a, "/containers/json?all=1&filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D", 200, FIXTURE_WEB_ID);
    assert_false(asker_has(a, FIXTURE_JOB_ID) || asker_has(a, FIXTURE_IDLE_ID));
    asker_get(a, "/containers/json?filters=%7B%22exited%22%3A%5B%223%22%5D%7D", 200, FIXTURE_JOB_ID);
    assert_false(asker_has(a, FIXTURE_WEB_ID));
    asker_get(a, "/containers/json?all=1&filters=%7B%22ancestor%22%3A%5B%22nothing%22%5D%7D", 200, "[]");
    asker_get(a, "/containers/json?filters=%7B%22label%22%3A%5B%22tier%3Didle.1.z%22%5D%2C%22health%22%3A%5B%22healthy%22%5D%7D", 200,
              FIXTURE_IDLE_ID);
    asker_get(a, "/containers/json?limit=1", 200, FIXTURE_IDLE_ID);
}

static void logs_are_framed_unless_from_a_terminal(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/containers/web.1.x/logs?stdout=1", 200, "hello from web\n");
    assert_true(asker_has(a, "application/vnd.docker.multiplexed-stream"));
    asker_get(a, "/v1.41/containers/web.1.x/logs?stdout=1", 200, "application/vnd.docker.raw-stream");
    asker_get(a, "/containers/idle.1.z/logs?stderr=1", 200, "application/vnd.docker.raw-stream");
    asker_get(a, "/containers/web.1.x/logs", 400, "Bad parameters: you must choose at least one stream");
    asker_get(a, "/containers/web.1.x/logs?stdout=1&since=soon", 400, "since: not a time: soon");
    asker_get(a, "/containers/nosuch/logs?stdout=1", 404, "No such container: nosuch");
}

static void followed_log_ends_with_its_client(void **state)
{
    struct asker *a = *state;
    asker_send(a, "GET /containers/idle.1.z/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n");
    asker_wait_for(a, "Transfer-Encoding: chunked");
    asker_hang_up(a); /* fixture_stop aborts when something is left open */
}

static void followed_log_ends_at_its_last_instant(void **state)
{
    struct asker *a = *state;
    cleanup_free char *path = mem_format("/containers/idle.1.z/logs?stdout=1&follow=1&until=%lld",
                                         (long long)(clock_wall_ns(&a->fixture.clock) / (int64_t)NS_PER_S + 1));
    asker_get(a, path, 200, "0\r\n\r\n");
}

static void stats_once_have_two_samples(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/containers/idle.1.z/stats?stream=0&one-shot=1", 200, "\"preread\":\"0001-01-01T00:00:00Z\"");
    asker_get(a, "/containers/idle.1.z/stats?stream=0", 200, "\"precpu_stats\"");
    assert_false(asker_has(a, "\"preread\":\"0001"));
    asker_get(a, "/containers/job.1.y/stats?stream=0", 200, "\"memory_stats\":{}");
    asker_get(a, "/containers/nosuch/stats", 404, "No such container");
    asker_send(a, "GET /containers/idle.1.z/stats HTTP/1.1\r\nHost: d\r\n\r\n");
    asker_wait_for(a, "\"name\":\"/idle.1.z\"");
}

static void events_are_kept_and_followed(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/events?since=1&until=1700000000", 200, "0\r\n\r\n");
    asker_send(a, "GET /events?since=1&filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\nHost: d\r\n\r\n");
    asker_wait_for(a, "\"exitCode\":\"3\"");
    hcs_system_terminate(a->fixture.hcs, FIXTURE_IDLE_ID, fixture_op_done, &a->fixture);
    a->fixture.pending++;
    asker_wait_for(a, "\"Action\":\"die\",\"Actor\":{\"ID\":\"" FIXTURE_IDLE_ID);
    const struct api_event_attribute attribute = {"name", "me"};
    api_publish(a->fixture.api, &(struct api_event){"node", "update", "n1", &attribute, 1});
    for (int i = 0; i < 5; i++)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_false(asker_has(a, "\"Type\":\"node\""));
}

static void ring_keeps_the_newest_events(void **state)
{
    struct asker *a = *state;
    for (int i = 0; i < API_EVENTS_BACKLOG_COUNT + 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        api_publish(a->fixture.api, &(struct api_event){"node", "update", id, NULL, 0});
    }
    cleanup_free char *path =
        mem_format("/events?since=1&until=%lld", (long long)(clock_wall_ns(&a->fixture.clock) / (int64_t)NS_PER_S + 1));
    asker_get(a, path, 200, "\"ID\":\"n265\"");
    assert_true(asker_has(a, "\"ID\":\"n20\""));
    assert_false(asker_has(a, "\"ID\":\"n9\"")); /* and n10 where no container ended meanwhile */
}

#define JOIN_BODY "{\"JoinToken\":\"" FIXTURE_TOKEN "\",\"RemoteAddrs\":[\"10.0.0.5:2377\"],\"Availability\":\"drain\"}"

static void join_and_leave(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/swarm", 503, "Use \\\"docker swarm init\\\" or \\\"docker swarm join\\\"");
    asker_ask(a, "POST", "/swarm/leave", "", 503, "This node is not part of a swarm");
    asker_ask(a, "POST", "/swarm/join", "{\"JoinToken\":\"no\",\"RemoteAddrs\":[\"a:1\"]}", 400, "invalid join token");
    asker_ask(a, "POST", "/swarm/join", JOIN_BODY, 200, "Content-Length: 0");
    assert_string_equal(a->fixture.node.last_remote, "10.0.0.5:2377");
    assert_string_equal(a->fixture.node.last_availability, "drain");
    asker_ask(a, "POST", "/swarm/join", JOIN_BODY, 503, "This node is already part of a swarm");
    asker_get(a, "/info", 200, "\"LocalNodeState\":\"active\"");
    asker_get(a, "/nodes", 503, "Worker nodes can't be used to view or modify cluster state");
    asker_get(a, "/services/x/logs", 503, "This node is not a swarm manager");
    asker_ask(a, "POST", "/swarm/leave?force=1", "", 200, "Content-Length: 0");
    asker_get(a, "/info", 200, "\"LocalNodeState\":\"inactive\"");
}

static void join_shows_its_phases(void **state)
{
    struct asker *a = *state;
    asker_ask(a, "POST", "/swarm/join?progress=1", JOIN_BODY, 200, "{\"phase\":\"requesting a certificate\"}");
    assert_true(asker_has(a, "{\"done\":true}"));
}

static void client_that_leaves_a_join_is_forgotten(void **state)
{
    struct asker *a = *state;
    a->fixture.node.never_answers = true;
    cleanup_free char *request =
        mem_format("POST /swarm/join?progress=1 HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n" JOIN_BODY, strlen(JOIN_BODY));
    asker_send(a, request);
    asker_wait_for(a, "reading the join token");
    asker_hang_up(a);
    for (int i = 0; i < 100 && a->fixture.node.abandoned == 0; i++)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_int_equal(a->fixture.node.abandoned, 1);
}

static void images_by_version(void **state)
{
    struct asker *a = *state;
    asker_get(a, "/images/json", 200, "\"RepoTags\":[]");
    assert_false(asker_has(a, "VirtualSize"));
    asker_get(a, "/v1.41/images/json", 200, "\"RepoTags\":[\"<none>:<none>\"]");
    assert_true(asker_has(a, "\"VirtualSize\":4261502"));
    asker_get(a, "/images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D", 200, "sha256:4444");
    assert_false(asker_has(a, "busybox"));
    asker_get(a, "/images/json?filters=%7B%22reference%22%3A%5B%22nothing%22%5D%7D", 200, "[]");
    asker_get(a, "/images/busybox:1.36/json", 200, "\"Cmd\":[\"sh\"]");
    asker_get(a, "/images/a/b/c:1/json", 404, "No such image: a/b/c:1");
    asker_ask(a, "DELETE", "/images/busybox:1.36", "", 200, "[{\"Untagged\":\"busybox:1.36\"}");
    asker_ask(a, "DELETE", "/images/x", "", 404, "No such image: x");
    asker_ask(a, "POST", "/images/busybox/tag?repo=y&tag=1", "", 201, "");
    asker_ask(a, "POST", "/images/busybox/tag", "", 400, "repo is missing");
    asker_ask(a, "POST", "/images/prune", "", 200, "{\"ImagesDeleted\":null,\"SpaceReclaimed\":0}");
    asker_ask(a, "POST", "/images/prune?filters=%7B%22dangling%22%3A%7B%22false%22%3Atrue%7D%7D", "", 200, "\"SpaceReclaimed\":4096");
    asker_ask(a, "POST", "/images/prune?filters=%7B%22until%22%3A%7B%221h%22%3Atrue%7D%7D", "", 400, "until");
}

static void pull_streams_its_progress(void **state)
{
    struct asker *a = *state;
    asker_ask(a, "POST", "/images/create?fromImage=busybox&tag=1.36", "", 200, "\"status\":\"Pull complete\"");
    asker_ask(a, "POST", "/images/create?fromImage=absent&tag=1", "", 404, "manifest for absent:1 not found");
    asker_ask(a, "POST", "/images/create?fromImage=UPPER", "", 400, "invalid reference format");
    asker_ask(a, "POST", "/images/create", "", 400, "fromImage is missing");
    asker_ask(a, "POST", "/images/create?fromSrc=-", "", 501, "fromImage");
}

static void client_that_leaves_a_pull_cancels_it(void **state)
{
    struct asker *a = *state;
    asker_send(a, "POST /images/create?fromImage=busybox HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nX-Registry-Auth: e30=\r\n\r\n");
    asker_wait_for(a, "Pulling from");
    asker_hang_up(a);
    for (int i = 0; i < 100 && a->fixture.store.cancelled == 0; i++)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_int_equal(a->fixture.store.cancelled, 1);
    assert_string_equal(a->fixture.store.last_auth, "e30=");
}

static void archive_is_streamed_into_the_job(void **state)
{
    struct asker *a = *state;
    cleanup_free char *archive = mem_alloc(300001);
    memset(archive, 'x', 300000);
    asker_ask(a, "POST", "/images/load?quiet=1", archive, 200, "Loaded image: busybox:latest");
    assert_int_equal(a->fixture.store.last_loaded_bytes, 300000);
}

static void what_tasks_do_is_refused_clearly(void **state)
{
    struct asker *a = *state;
    asker_ask(a, "POST", "/containers/create", "{}", 501, "made and ended by swarm tasks only");
    asker_ask(a, "POST", "/containers/web.1.x/start", "", 501, "swarm tasks");
    asker_ask(a, "DELETE", "/containers/web.1.x", "", 501, "swarm tasks");
    asker_get(a, "/containers/web.1.x/top", 501, "does not do GET");
    asker_get(a, "/networks/x", 404, "network x not found");
    asker_get(a, "/volumes", 200, "{\"Volumes\":[],\"Warnings\":null}");
    asker_get(a, "/system/df", 200, "\"LayersSize\":8523004");
    asker_get(a, "/version", 200, "\"MinAPIVersion\":\"1.24\"");
}

static void address_in_use_is_refused(void **state)
{
    struct asker *a = *state;
    cleanup_free char *address = mem_format(TEST_API_PIPES "skep-test-api-%d", (int)uv_os_getpid());
    assert_fails(api_listen(a->fixture.api, address, NULL, err), ERR_EXISTS, "another daemon listens");
    assert_fails(api_listen(a->fixture.api, "tcp://0.0.0.0:2375", NULL, err), ERR_INVALID, "tcp://0.0.0.0:2375: only ");
    assert_fails(api_listen(a->fixture.api, "unix://relative", NULL, err), ERR_INVALID, "unix://relative: only ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, asker_setup, asker_teardown)
    const struct CMUnitTest tests[] = {
        T(ping_says_who_answers),
        T(strictness),
        T(too_large_a_body_is_413),
        T(containers_are_found_by_id_name_and_prefix),
        T(lists_are_filtered),
        T(logs_are_framed_unless_from_a_terminal),
        T(followed_log_ends_with_its_client),
        T(followed_log_ends_at_its_last_instant),
        T(stats_once_have_two_samples),
        T(events_are_kept_and_followed),
        T(ring_keeps_the_newest_events),
        T(join_and_leave),
        T(join_shows_its_phases),
        T(client_that_leaves_a_join_is_forgotten),
        T(images_by_version),
        T(pull_streams_its_progress),
        T(client_that_leaves_a_pull_cancels_it),
        T(archive_is_streamed_into_the_job),
        T(what_tasks_do_is_refused_clearly),
        T(address_in_use_is_refused),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
