/* tests/unit/api/test_api.c – the whole API over a real socket and an emulated host, asked by hand. */
#include "tests/unit/test.h"

#include "tests/unit/api/fixture.h"

struct asker {
    struct api_fixture fixture;
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct buf answer;
    char dir[64], path[96], piece[65536];
    bool is_closed, is_open;
};

static int setup(void **state)
{
    struct asker *a = mem_alloc(sizeof *a);
    uv_fs_t made;
    char address[128];
    uv_fs_mkdtemp(NULL, &made, "/tmp/skep-api-XXXXXX", NULL);
    snprintf(a->dir, sizeof a->dir, "%s", made.path);
    uv_fs_req_cleanup(&made);
    snprintf(a->path, sizeof a->path, "%s/s", a->dir);
    snprintf(address, sizeof address, "unix://%s", a->path);
    fixture_start(&a->fixture);
    assert_ok(api_listen(a->fixture.api, address, NULL, err));
    *state = a;
    return 0;
}

static void pipe_closed(uv_handle_t *handle)
{
    ((struct asker *)handle->data)->is_open = false;
}

static void hang_up(struct asker *a)
{
    if (a->is_open && !uv_is_closing((uv_handle_t *)&a->pipe))
        uv_close((uv_handle_t *)&a->pipe, pipe_closed);
    while (a->is_open)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
}

static int teardown(void **state)
{
    struct asker *a = *state;
    uv_fs_t removed;
    hang_up(a);
    fixture_stop(&a->fixture);
    assert_true(uv_fs_stat(NULL, &removed, a->path, NULL) < 0); /* the socket is gone with its daemon */
    uv_fs_req_cleanup(&removed);
    uv_fs_rmdir(NULL, &removed, a->dir, NULL);
    uv_fs_req_cleanup(&removed);
    buf_deinit(&a->answer);
    free(a);
    return 0;
}

static void give(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct asker *a = handle->data;
    (void)suggested;
    *buf = uv_buf_init(a->piece, sizeof a->piece);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct asker *a = stream->data;
    if (size > 0)
        buf_append(&a->answer, buf->base, (size_t)size);
    else if (size < 0)
        a->is_closed = true;
}

static void connected(uv_connect_t *connect, int status)
{
    struct asker *a = connect->data;
    assert_int_equal(status, 0);
    uv_read_start((uv_stream_t *)&a->pipe, give, on_read);
}

/* On a connection of its own. */
static void send_request(struct asker *a, const char *request)
{
    uv_buf_t piece = uv_buf_init((char *)request, (unsigned)strlen(request));
    hang_up(a);
    buf_clear(&a->answer);
    a->is_closed = false;
    a->is_open = true;
    uv_pipe_init(&a->fixture.loop, &a->pipe, 0);
    a->pipe.data = a->connect.data = a;
    uv_pipe_connect(&a->connect, &a->pipe, a->path, connected);
    uv_write(&a->write, (uv_stream_t *)&a->pipe, &piece, 1, NULL);
}

static bool has(const struct asker *a, const char *text)
{
    return a->answer.size > 0 && memmem(a->answer.data, a->answer.size, text, strlen(text)) != NULL; /* frames have zero bytes */
}

/* Run until @text has come; fails after five seconds. */
static void wait_for(struct asker *a, const char *text)
{
    uint64_t until = uv_hrtime() + 5 * NS_PER_S;
    while (!has(a, text)) {
        if (uv_hrtime() > until)
            fail_msg("no %s in: %s", text, a->answer.size ? (char *)a->answer.data : "(nothing)");
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    }
}

static void ask(struct asker *a, const char *method, const char *path, const char *body, int status, const char *text)
{
    char line[32];
    cleanup_free char *request =
        mem_format("%s %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body), body);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    send_request(a, request);
    uint64_t until = uv_hrtime() + 5 * NS_PER_S;
    while (!a->is_closed && uv_hrtime() < until)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    if (!has(a, line) || !has(a, text))
        fail_msg("%s %s: no %s%s in: %s", method, path, line, text, a->answer.size ? (char *)a->answer.data : "(nothing)");
}

static void get(struct asker *a, const char *path, int status, const char *text)
{
    ask(a, "GET", path, "", status, text);
}

static void ping_says_who_answers(void **state)
{
    struct asker *a = *state;
    get(a, "/_ping", 200, "\r\n\r\nOK");
    assert_true(has(a, "Api-Version: 1.50\r\n") && has(a, "Ostype: linux\r\n") && has(a, "Docker-Experimental: false\r\n"));
    ask(a, "HEAD", "/_ping", "", 200, "Swarm: inactive");
    assert_false(has(a, "\r\n\r\nOK"));
}

static void strictness(void **state)
{
    struct asker *a = *state;
    get(a, "/nothing", 404, "{\"message\":\"page not found\"}");
    get(a, "/v1.41/nothing", 404, "page not found");
    ask(a, "PUT", "/info", "", 404, "page not found");
    get(a, "/v1.20/info", 400, "client version 1.20 is too old");
    get(a, "/v1.60/info", 400, "client version 1.60 is too new");
    get(a, "/info?a=%zz", 400, "a broken escape");
    ask(a, "POST", "/swarm/join", "{\"JoinToken\":", 400, "the request's body: not JSON at byte");
    ask(a, "POST", "/swarm/join", "[]", 400, "JSON object");
    ask(a, "POST", "/swarm/join", "", 400, "JSON object");
    ask(a, "POST", "/swarm/join", "{\"JoinToken\":\"x\"}", 400, "at least 1 RemoteAddr is required to join");
    get(a, "/containers/json?filters=nonsense", 400, "filters");
    get(a, "/containers/json?filters=%7B%22x%22%3A%5B%22y%22%5D%7D", 400, "invalid filter 'x'");
    get(a, "/containers/json?limit=x", 400, "x");
    get(a, "/events?since=yesterday", 400, "since: not a time: yesterday");
}

static void too_large_a_body_is_413(void **state)
{
    struct asker *a = *state;
    send_request(a, "POST /swarm/join HTTP/1.1\r\nHost: d\r\nContent-Length: 5000000\r\n\r\n");
    wait_for(a, "HTTP/1.1 413");
}

static void containers_are_found_by_id_name_and_prefix(void **state)
{
    struct asker *a = *state;
    get(a, "/containers/" FIXTURE_WEB_ID "/json", 200, "\"Name\":\"/web.1.x\"");
    get(a, "/containers/web.1.x/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    get(a, "/containers/%2Fweb.1.x/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    get(a, "/containers/a1b2c3d/json", 200, "\"Id\":\"" FIXTURE_WEB_ID "\"");
    get(a, "/containers/a1b2c3/json", 400, "multiple IDs or names found with provided prefix: a1b2c3");
    get(a, "/containers/nosuch/json", 404, "{\"message\":\"No such container: nosuch\"}");
    get(a, "/containers/job.1.y/json", 200, "\"ExitCode\":3");
    get(a, "/containers/idle.1.z/json", 200, "\"Health\":{\"Status\":\"healthy\"");
}

static void lists_are_filtered(void **state)
{
    struct asker *a = *state;
    get(a, "/v1.41/containers/json", 200, FIXTURE_IDLE_ID);
    assert_false(has(a, FIXTURE_WEB_ID));
    get(a, "/containers/json?all=1&filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D", 200, FIXTURE_WEB_ID);
    assert_false(has(a, FIXTURE_JOB_ID) || has(a, FIXTURE_IDLE_ID));
    get(a, "/containers/json?filters=%7B%22exited%22%3A%5B%223%22%5D%7D", 200, FIXTURE_JOB_ID);
    assert_false(has(a, FIXTURE_WEB_ID));
    get(a, "/containers/json?all=1&filters=%7B%22ancestor%22%3A%5B%22nothing%22%5D%7D", 200, "[]");
    get(a, "/containers/json?filters=%7B%22label%22%3A%5B%22tier%3Didle.1.z%22%5D%2C%22health%22%3A%5B%22healthy%22%5D%7D", 200,
        FIXTURE_IDLE_ID);
    get(a, "/containers/json?limit=1", 200, FIXTURE_IDLE_ID);
}

static void logs_are_framed_unless_from_a_terminal(void **state)
{
    struct asker *a = *state;
    get(a, "/containers/web.1.x/logs?stdout=1", 200, "hello from web\n");
    assert_true(has(a, "application/vnd.docker.multiplexed-stream"));
    get(a, "/v1.41/containers/web.1.x/logs?stdout=1", 200, "application/vnd.docker.raw-stream");
    get(a, "/containers/idle.1.z/logs?stderr=1", 200, "application/vnd.docker.raw-stream");
    get(a, "/containers/web.1.x/logs", 400, "Bad parameters: you must choose at least one stream");
    get(a, "/containers/web.1.x/logs?stdout=1&since=soon", 400, "since: not a time: soon");
    get(a, "/containers/nosuch/logs?stdout=1", 404, "No such container: nosuch");
}

static void followed_log_ends_with_its_client(void **state)
{
    struct asker *a = *state;
    send_request(a, "GET /containers/idle.1.z/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n");
    wait_for(a, "Transfer-Encoding: chunked");
    hang_up(a); /* fixture_stop aborts when something is left open */
}

static void followed_log_ends_at_its_last_instant(void **state)
{
    struct asker *a = *state;
    cleanup_free char *path = mem_format("/containers/idle.1.z/logs?stdout=1&follow=1&until=%lld",
                                         (long long)(clock_wall_ns(&a->fixture.clock) / (int64_t)NS_PER_S + 1));
    get(a, path, 200, "0\r\n\r\n");
}

static void stats_once_have_two_samples(void **state)
{
    struct asker *a = *state;
    get(a, "/containers/idle.1.z/stats?stream=0&one-shot=1", 200, "\"preread\":\"0001-01-01T00:00:00Z\"");
    get(a, "/containers/idle.1.z/stats?stream=0", 200, "\"precpu_stats\"");
    assert_false(has(a, "\"preread\":\"0001"));
    get(a, "/containers/job.1.y/stats?stream=0", 200, "\"memory_stats\":{}");
    get(a, "/containers/nosuch/stats", 404, "No such container");
    send_request(a, "GET /containers/idle.1.z/stats HTTP/1.1\r\nHost: d\r\n\r\n");
    wait_for(a, "\"name\":\"/idle.1.z\"");
}

static void events_are_kept_and_followed(void **state)
{
    struct asker *a = *state;
    get(a, "/events?since=1&until=1700000000", 200, "0\r\n\r\n");
    send_request(a, "GET /events?since=1&filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\nHost: d\r\n\r\n");
    wait_for(a, "\"exitCode\":\"3\"");
    hcs_system_terminate(a->fixture.hcs, FIXTURE_IDLE_ID, fixture_op_done, &a->fixture);
    a->fixture.pending++;
    wait_for(a, "\"Action\":\"die\",\"Actor\":{\"ID\":\"" FIXTURE_IDLE_ID);
    const struct api_event_attribute attribute = {"name", "me"};
    api_publish(a->fixture.api, &(struct api_event){"node", "update", "n1", &attribute, 1});
    for (int i = 0; i < 5; i++)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_false(has(a, "\"Type\":\"node\""));
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
    get(a, path, 200, "\"ID\":\"n265\"");
    assert_true(has(a, "\"ID\":\"n20\""));
    assert_false(has(a, "\"ID\":\"n9\"")); /* and n10 where no container ended meanwhile */
}

#define JOIN_BODY "{\"JoinToken\":\"" FIXTURE_TOKEN "\",\"RemoteAddrs\":[\"10.0.0.5:2377\"],\"Availability\":\"drain\"}"

static void join_and_leave(void **state)
{
    struct asker *a = *state;
    get(a, "/swarm", 503, "Use \\\"docker swarm init\\\" or \\\"docker swarm join\\\"");
    ask(a, "POST", "/swarm/leave", "", 503, "This node is not part of a swarm");
    ask(a, "POST", "/swarm/join", "{\"JoinToken\":\"no\",\"RemoteAddrs\":[\"a:1\"]}", 400, "invalid join token");
    ask(a, "POST", "/swarm/join", JOIN_BODY, 200, "Content-Length: 0");
    assert_string_equal(a->fixture.node.last_remote, "10.0.0.5:2377");
    assert_string_equal(a->fixture.node.last_availability, "drain");
    ask(a, "POST", "/swarm/join", JOIN_BODY, 503, "This node is already part of a swarm");
    get(a, "/info", 200, "\"LocalNodeState\":\"active\"");
    get(a, "/nodes", 503, "Worker nodes can't be used to view or modify cluster state");
    get(a, "/services/x/logs", 503, "This node is not a swarm manager");
    ask(a, "POST", "/swarm/leave?force=1", "", 200, "Content-Length: 0");
    get(a, "/info", 200, "\"LocalNodeState\":\"inactive\"");
}

static void join_shows_its_phases(void **state)
{
    struct asker *a = *state;
    ask(a, "POST", "/swarm/join?progress=1", JOIN_BODY, 200, "{\"phase\":\"requesting a certificate\"}");
    assert_true(has(a, "{\"done\":true}"));
}

static void client_that_leaves_a_join_is_forgotten(void **state)
{
    struct asker *a = *state;
    a->fixture.node.never_answers = true;
    cleanup_free char *request =
        mem_format("POST /swarm/join?progress=1 HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n" JOIN_BODY, strlen(JOIN_BODY));
    send_request(a, request);
    wait_for(a, "reading the join token");
    hang_up(a);
    for (int i = 0; i < 100 && a->fixture.node.abandoned == 0; i++)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_int_equal(a->fixture.node.abandoned, 1);
}

static void images_by_version(void **state)
{
    struct asker *a = *state;
    get(a, "/images/json", 200, "\"RepoTags\":[]");
    assert_false(has(a, "VirtualSize"));
    get(a, "/v1.41/images/json", 200, "\"RepoTags\":[\"<none>:<none>\"]");
    assert_true(has(a, "\"VirtualSize\":4261502"));
    get(a, "/images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D", 200, "sha256:4444");
    assert_false(has(a, "busybox"));
    get(a, "/images/json?filters=%7B%22reference%22%3A%5B%22nothing%22%5D%7D", 200, "[]");
    get(a, "/images/busybox:1.36/json", 200, "\"Cmd\":[\"sh\"]");
    get(a, "/images/a/b/c:1/json", 404, "No such image: a/b/c:1");
    ask(a, "DELETE", "/images/busybox:1.36", "", 200, "[{\"Untagged\":\"busybox:1.36\"}");
    ask(a, "DELETE", "/images/x", "", 404, "No such image: x");
    ask(a, "POST", "/images/busybox/tag?repo=y&tag=1", "", 201, "");
    ask(a, "POST", "/images/busybox/tag", "", 400, "repo is missing");
    ask(a, "POST", "/images/prune", "", 200, "{\"ImagesDeleted\":null,\"SpaceReclaimed\":0}");
    ask(a, "POST", "/images/prune?filters=%7B%22dangling%22%3A%7B%22false%22%3Atrue%7D%7D", "", 200, "\"SpaceReclaimed\":4096");
    ask(a, "POST", "/images/prune?filters=%7B%22until%22%3A%7B%221h%22%3Atrue%7D%7D", "", 400, "until");
}

static void pull_streams_its_progress(void **state)
{
    struct asker *a = *state;
    ask(a, "POST", "/images/create?fromImage=busybox&tag=1.36", "", 200, "\"status\":\"Pull complete\"");
    ask(a, "POST", "/images/create?fromImage=absent&tag=1", "", 404, "manifest for absent:1 not found");
    ask(a, "POST", "/images/create?fromImage=UPPER", "", 400, "invalid reference format");
    ask(a, "POST", "/images/create", "", 400, "fromImage is missing");
    ask(a, "POST", "/images/create?fromSrc=-", "", 501, "fromImage");
}

static void client_that_leaves_a_pull_cancels_it(void **state)
{
    struct asker *a = *state;
    send_request(a, "POST /images/create?fromImage=busybox HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nX-Registry-Auth: e30=\r\n\r\n");
    wait_for(a, "Pulling from");
    hang_up(a);
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
    ask(a, "POST", "/images/load?quiet=1", archive, 200, "Loaded image: busybox:latest");
    assert_int_equal(a->fixture.store.last_loaded_bytes, 300000);
}

static void what_tasks_do_is_refused_clearly(void **state)
{
    struct asker *a = *state;
    ask(a, "POST", "/containers/create", "{}", 501, "made and ended by swarm tasks only");
    ask(a, "POST", "/containers/web.1.x/start", "", 501, "swarm tasks");
    ask(a, "DELETE", "/containers/web.1.x", "", 501, "swarm tasks");
    get(a, "/containers/web.1.x/top", 501, "does not do GET");
    get(a, "/networks/x", 404, "network x not found");
    get(a, "/volumes", 200, "{\"Volumes\":[],\"Warnings\":null}");
    get(a, "/system/df", 200, "\"LayersSize\":8523004");
    get(a, "/version", 200, "\"MinAPIVersion\":\"1.24\"");
}

static void address_in_use_is_refused(void **state)
{
    struct asker *a = *state;
    cleanup_free char *address = mem_format("unix://%s", a->path);
    assert_fails(api_listen(a->fixture.api, address, NULL, err), ERR_EXISTS, "another daemon listens");
    assert_fails(api_listen(a->fixture.api, "tcp://0.0.0.0:2375", NULL, err), ERR_INVALID, "unix:///PATH");
    assert_fails(api_listen(a->fixture.api, "unix://relative", NULL, err), ERR_INVALID, "unix:///PATH");
    assert_fails(api_listen(a->fixture.api, "unix:///etc/passwd", NULL, err), ERR_EXISTS, "is no socket");
    assert_fails(api_listen(a->fixture.api, "unix:///nonexistent/dir/s", NULL, err), ERR_NOT_FOUND, "/nonexistent/dir/s");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
