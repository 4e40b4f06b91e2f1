/* tests/unit/manager/ca/test_external_call.c – skep-external-ca against a server on the loop of this process. */
#include "manager/ca/external_call.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/proto/peer.h"

struct world {
    uv_loop_t loop;
    struct authority authority, other;
    struct papers server_papers, manager_papers;
    struct tls_credentials *credentials;
    uv_tcp_t listener;
    struct tls_stream *stream;
    int connections;
    int64_t wall_ns;
    char url[64];

    const char *answer; /* all of it, with its head; NULL: none ever comes */
    struct buf request;
    char peer[64]; /* who the client said it is */

    struct ca_external_call *call;
    bool is_done, has_no_papers;
    struct error err;
    struct buf certificate;
};

static void on_data(void *ctx, struct bytes data)
{
    struct world *world = ctx;
    buf_append(&world->request, data.data, data.size);
    const struct tls_identity *peer = tls_stream_peer(world->stream);
    if (peer)
        snprintf(world->peer, sizeof world->peer, "%s", peer->common_name);
    char *length = strstr((char *)world->request.data, "Content-Length: "), *body = strstr((char *)world->request.data, "\r\n\r\n");
    if (!world->answer || !length || !body || strlen(body + 4) < strtoul(length + 16, NULL, 10))
        return;
    tls_stream_write(world->stream, bytes_of_string(world->answer));
    tls_stream_close(steal(&world->stream));
}

static void on_end(void *ctx, const struct error *err)
{
    struct world *world = ctx;
    (void)err;
    tls_stream_close(steal(&world->stream));
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct world *world = listener->data;
    assert_int_equal(status, 0);
    uv_tcp_t *socket = mem_alloc(sizeof *socket);
    uv_tcp_init(&world->loop, socket);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)socket), 0);
    struct tls_options options = {.credentials = world->credentials, .is_server = true};
    struct tls_handlers handlers = {.on_ready = nothing, .on_data = on_data, .on_drained = nothing, .on_end = on_end, .ctx = world};
    world->connections++;
    world->stream = tls_stream_new((uv_stream_t *)socket, &options, &handlers);
}

static int set_up(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    struct clock clock = clock_system();
    struct sockaddr_in address;
    int size = sizeof address;
    uv_loop_init(&world->loop);
    world->wall_ns = clock_wall_ns(&clock);
    authority_init(&world->authority, world->wall_ns - INT64_C(3600000000000));
    authority_init(&world->other, world->wall_ns - INT64_C(3600000000000));
    int64_t from_ns = world->wall_ns - INT64_C(60000000000);
    world->server_papers = papers_make(&world->authority, &(struct papers_options){.role = "localhost", .from_wall_ns = from_ns});
    world->manager_papers = papers_make(&world->authority, &(struct papers_options){.name = "manager1", .from_wall_ns = from_ns});
    world->credentials = peer_credentials(&world->wall_ns, &world->server_papers, &world->authority);
    uv_tcp_init(&world->loop, &world->listener);
    world->listener.data = world;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&world->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&world->listener, 4, on_connection), 0);
    uv_tcp_getsockname(&world->listener, (struct sockaddr *)&address, &size);
    snprintf(world->url, sizeof world->url, "https://localhost:%u/sign", ntohs(address.sin_port));
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->stream)
        tls_stream_close(world->stream);
    uv_close((uv_handle_t *)&world->listener, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0); /* nothing was left open */
    tls_credentials_free(world->credentials);
    papers_deinit(&world->server_papers);
    papers_deinit(&world->manager_papers);
    authority_deinit(&world->authority);
    authority_deinit(&world->other);
    buf_deinit(&world->request);
    buf_deinit(&world->certificate);
    free(world);
    return 0;
}

static void on_done(void *ctx, const struct error *err, struct bytes cert_pem)
{
    struct world *world = ctx;
    assert_false(world->is_done);
    world->is_done = true;
    world->call = NULL;
    if (err)
        world->err = *err;
    buf_append(&world->certificate, cert_pem.data, cert_pem.size);
}

/* skep-external-ca stands one directory above the tests. */
static const char *tool_path(void)
{
    static char path[1024];
    cleanup_free char *found = file_beside_program("../skep-external-ca");
    snprintf(path, sizeof path, "%s", found);
    return path;
}

static void start(struct world *world, const char *const *urls, size_t count, const struct authority *trusted, const char *body)
{
    struct external_job job = {.url_count = count,
                               .roots_pem = buf_bytes(&trusted->root_pem),
                               .chain_pem = buf_bytes(&world->manager_papers.chain_pem),
                               .key_pem = buf_bytes(&world->manager_papers.key_pem),
                               .body = body};
    for (size_t i = 0; i < count; i++)
        job.urls[i] = urls[i];
    assert_ok(ca_external_call_start(&world->loop, tool_path(), &job, on_done, world, &world->call, err));
    assert_false(world->is_done);
}

static void ask(struct world *world, const char *body)
{
    const char *urls[] = {world->url};
    start(world, urls, 1, &world->authority, body);
    run_until(&world->loop, world->is_done);
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

static void certificate_comes_back_for_the_document(void **state)
{
    struct world *world = *state;
    world->answer = ANSWER("200 OK", "{\"success\":true,\"result\":{\"certificate\":\"PEM\\n\"},\"errors\":[],\"messages\":[]}");
    ask(world, "{\"certificate_request\":\"x\"}");
    assert_string_equal(world->err.message, "");
    assert_string_equal(world->certificate.data, "PEM\n");
    assert_string_equal(world->peer, "manager1"); /* mutual TLS: the manager's own certificate */
    assert_memory_equal(world->request.data, "POST /sign HTTP/1.1\r\n", 21);
    assert_non_null(strstr((char *)world->request.data, "Content-Type: application/json\r\n"));
    assert_non_null(strstr((char *)world->request.data, "\r\n\r\n{\"certificate_request\":\"x\"}"));
}

static void refusal_is_told_apart_from_what_may_pass(void **state)
{
    struct world *world = *state;
    world->answer = ANSWER("200 OK", "{\"success\":false,\"errors\":[{\"code\":5100,\"message\":\"Invalid policy\"}]}");
    ask(world, "{}");
    assert_int_equal(world->err.code, ERR_PEER);
    assert_non_null(strstr(world->err.message, "5100: Invalid policy"));
    assert_non_null(strstr(world->err.message, world->url));
}

static void other_status_may_pass(void **state)
{
    struct world *world = *state;
    world->answer = ANSWER("502 Bad Gateway", "<html>");
    ask(world, "{}");
    assert_int_equal(world->err.code, ERR_AGAIN);
    assert_non_null(strstr(world->err.message, "status 502"));
}

static void redirect_is_not_followed(void **state)
{
    struct world *world = *state;
    world->answer = "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n";
    ask(world, "{}");
    assert_int_equal(world->err.code, ERR_AGAIN);
    assert_non_null(strstr(world->err.message, "status 307"));
}

static void endless_answer_is_cut_off(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf answer = {0};
    buf_append_string(&answer, ANSWER("200 OK", ""));
    memset(buf_reserve(&answer, CA_EXTERNAL_RESPONSE_BYTES + 1), ' ', CA_EXTERNAL_RESPONSE_BYTES + 1);
    answer.size += CA_EXTERNAL_RESPONSE_BYTES + 1;
    answer.data[answer.size] = '\0';
    world->answer = (char *)answer.data;
    ask(world, "{}");
    assert_int_equal(world->err.code, ERR_LIMIT);
}

static void stranger_gets_no_document(void **state)
{
    struct world *world = *state;
    const char *urls[] = {world->url};
    world->answer = ANSWER("200 OK", "{}");
    start(world, urls, 1, &world->other, "{\"secret\":1}");
    run_until(&world->loop, world->is_done);
    assert_int_equal(world->err.code, ERR_TRUST);
    assert_int_equal(world->request.size, 0);
}

static void next_address_is_tried(void **state)
{
    struct world *world = *state;
    const char *urls[] = {"http://localhost:1/plain", "https://localhost:1/nobody", world->url};
    world->answer = ANSWER("200 OK", "{\"success\":true,\"result\":{\"certificate\":\"PEM\\n\"}}");
    start(world, urls, 3, &world->authority, "{}");
    run_until(&world->loop, world->is_done);
    assert_string_equal(world->err.message, "");
    assert_string_equal(world->certificate.data, "PEM\n");
    assert_int_equal(world->connections, 1);
}

static void reach_ends_with_the_handshake(void **state)
{
    struct world *world = *state;
    ask(world, NULL);
    assert_string_equal(world->err.message, "");
    assert_int_equal(world->certificate.size, 0);
    assert_int_equal(world->connections, 1);
    assert_int_equal(world->request.size, 0);
}

static void unreachable_is_said(void **state)
{
    struct world *world = *state;
    const char *urls[] = {"https://localhost:1/"};
    start(world, urls, 1, &world->authority, NULL);
    run_until(&world->loop, world->is_done);
    assert_int_equal(world->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(world->err.message, "https://localhost:1/"));
}

static void plain_http_is_refused(void **state)
{
    struct world *world = *state;
    const char *urls[] = {"http://localhost:1/"};
    start(world, urls, 1, &world->authority, "{}");
    run_until(&world->loop, world->is_done);
    assert_int_equal(world->err.code, ERR_INVALID);
}

/* The server takes the document and says nothing. */
static void canceled_call_ends_in_silence(void **state)
{
    struct world *world = *state;
    const char *urls[] = {world->url};
    start(world, urls, 1, &world->authority, "{}");
    run_until(&world->loop, world->request.size > 0);
    ca_external_call_cancel(world->call);
    run_until(&world->loop, !world->stream); /* the tool was ended, and with it its connection */
    assert_false(world->is_done);
}

static int papers_of(void *ctx, struct bytes *chain_pem, struct bytes *key_pem, struct error *err)
{
    struct world *world = ctx;
    if (world->has_no_papers)
        return error_set(err, ERR_PRECONDITION, "no certificate yet");
    *chain_pem = buf_bytes(&world->manager_papers.chain_pem);
    *key_pem = buf_bytes(&world->manager_papers.key_pem);
    return 0;
}

/* As the CA's part and its changes ask: they hold no papers. */
static void table_adds_the_manager_s_papers(void **state)
{
    struct world *world = *state;
    const struct ca_external_way way = {&world->loop, tool_path(), papers_of, world};
    const struct ca_asker asker = ca_external_asker(&way);
    struct external_job job = {.urls = {world->url}, .url_count = 1, .roots_pem = buf_bytes(&world->authority.root_pem), .body = "{}"};
    void *call;
    world->answer = ANSWER("200 OK", "{\"success\":true,\"result\":{\"certificate\":\"PEM\\n\"}}");
    assert_ok(asker.start(asker.self, &job, on_done, world, &call, err));
    run_until(&world->loop, world->is_done);
    assert_string_equal(world->err.message, "");
    assert_string_equal(world->peer, "manager1");
    world->has_no_papers = true;
    assert_fails(asker.start(asker.self, &job, on_done, world, &call, err), ERR_PRECONDITION, "no certificate yet");
    world->has_no_papers = world->is_done = false;
    assert_ok(asker.start(asker.self, &job, on_done, world, &call, err));
    asker.cancel(asker.self, call);
    run_for(&world->loop, 100);
    assert_false(world->is_done);
}

static void missing_tool_is_said_at_once(void **state)
{
    struct world *world = *state;
    struct external_job job = {.urls = {"https://a"}, .url_count = 1};
    assert_fails(ca_external_call_start(&world->loop, "/nowhere/skep-external-ca", &job, on_done, world, &world->call, err), ERR_INTERNAL,
                 "start /nowhere/skep-external-ca: no such file");
    assert_false(world->is_done);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(certificate_comes_back_for_the_document),
        TEST(refusal_is_told_apart_from_what_may_pass),
        TEST(other_status_may_pass),
        TEST(redirect_is_not_followed),
        TEST(endless_answer_is_cut_off),
        TEST(stranger_gets_no_document),
        TEST(next_address_is_tried),
        TEST(reach_ends_with_the_handshake),
        TEST(unreachable_is_said),
        TEST(plain_http_is_refused),
        TEST(canceled_call_ends_in_silence),
        TEST(table_adds_the_manager_s_papers),
        TEST(missing_tool_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
