/* tests/unit/api/test_swarm_call.c – what is true of every call about the swarm: who may ask, who goes away, and who is not answered. */
#include "api/swarm_call.h"
#include "tests/unit/api/swarm_fixture.h"

static void run_until(struct swarm *s, const unsigned *count, unsigned wanted)
{
    for (int i = 0; i < 1000 && *count < wanted; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_int_equal(*count, wanted);
}

static void worker_refers_to_a_manager(void **state)
{
    struct swarm *s = *state;
    static const char *const paths[] = {"/swarm",   "/nodes",   "/nodes/x",   "/services", "/services/x", "/services/x/logs", "/tasks",
                                        "/tasks/x", "/secrets", "/secrets/x", "/configs",  "/configs/x",  "/swarm/unlockkey"};
    static const char *const posts[] = {"/services/create", "/services/x/update", "/secrets/create", "/nodes/x/update", "/swarm/update"};
    s->is_worker = true;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        swarm_get(s, paths[i], 503, "Worker nodes can't be used to view or modify cluster state");
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++)
        swarm_post(s, posts[i], "{}", 503, "Worker nodes can't be used");
    s->asker.fixture.node.state = NODE_INACTIVE;
    swarm_get(s, "/nodes", 503, "Use \\\"docker swarm init\\\" or \\\"docker swarm join\\\"");
    assert_int_equal(s->calls, 0);
}

static void what_no_manager_has_is_not_found(void **state)
{
    struct swarm *s = *state;
    swarm_get(s, "/nodes/x/y", 404, "page not found");
    swarm_ask_for(s, "PUT", "/services", "", 404, "page not found");
    s->is_worker = true;
    swarm_get(s, "/nodes/x/y", 503, "This node is not a swarm manager");
}

static void refusals_have_dockerds_statuses(void **state)
{
    struct swarm *s = *state;
    static const struct {
        int code, status;
        const char *name;
    } refusals[] = {{ERR_INVALID, 400, "InvalidArgument"},     {ERR_NOT_FOUND, 404, "NotFound"},
                    {ERR_EXISTS, 409, "AlreadyExists"},        {ERR_PRECONDITION, 400, "FailedPrecondition"},
                    {ERR_PERMISSION, 403, "PermissionDenied"}, {ERR_UNAVAILABLE, 503, "Unavailable"},
                    {ERR_UNSUPPORTED, 501, "Unimplemented"},   {ERR_INTERNAL, 500, "Internal"}};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        s->refuses = refusals[i].code;
        cleanup_free char *text = mem_format("{\"message\":\"rpc error: code = %s desc = the swarm has no leader\"", refusals[i].name);
        swarm_get(s, "/nodes", refusals[i].status, text);
    }
    s->refuses = ERR_UNAVAILABLE;
    swarm_get(s, "/nodes/x", 503, "Unavailable"); /* one question, not three */
    assert_int_equal(s->calls, sizeof refusals / sizeof *refusals + 1);
}

static void client_who_goes_is_not_waited_for(void **state)
{
    struct swarm *s = *state;
    s->never_answers = true;
    asker_send(&s->asker, "GET /nodes HTTP/1.1\r\nHost: d\r\n\r\n");
    run_until(s, &s->calls, 1);
    asker_hang_up(&s->asker);
    run_until(s, &s->abandoned, 1);
}

static void managers_who_do_not_answer_are_not_waited_for(void **state)
{
    struct swarm *s = *state;
    s->never_answers = true;
    asker_send(&s->asker, "GET /nodes HTTP/1.1\r\nHost: d\r\n\r\n");
    run_until(s, &s->calls, 1);
    swarm_deadline(s->questions->ctx, 1); /* instead of its own */
    asker_wait_for(&s->asker, "HTTP/1.1 504 ");
    asker_wait_for(&s->asker, "did not answer in time");
    assert_int_equal(s->abandoned, 1);
}

/* Its body is a secret, and goes with it: what is left would be seen as a leak. */
static void client_who_goes_in_the_middle_of_a_write_is_forgotten(void **state)
{
    struct swarm *s = *state;
    static const char body[] = "{\"Name\":\"jar\",\"Data\":\"aG9uZXk=\"}";
    cleanup_free char *request =
        mem_format("POST /secrets/create HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    s->never_answers = true;
    asker_send(&s->asker, request);
    run_until(s, &s->calls, 1);
    asker_hang_up(&s->asker);
    run_until(s, &s->abandoned, 1);
}

static void api_that_ends_abandons_its_questions(void **state)
{
    struct swarm *s = *state;
    s->never_answers = true;
    asker_send(&s->asker, "GET /services?status=1 HTTP/1.1\r\nHost: d\r\n\r\n");
    run_until(s, &s->calls, 1); /* the teardown checks the rest */
}

static void answer_that_comes_after_the_client_went_is_let_go(void **state)
{
    struct swarm *s = *state;
    static const char body[] = WEB_BODY("web", "");
    cleanup_free char *request =
        mem_format("POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    asker_send(&s->asker, request);
    run_until(s, &s->calls, 1);
    asker_hang_up(&s->asker);
    for (int i = 0; i < 1000 && s->questions != NULL; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_null(s->questions);
}

static void two_clients_are_answered_each(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/secrets/create", "{\"Name\":\"jar\",\"Data\":\"YQ==\"}", 201, "\"ID\"");
    asker_send(&s->asker, "GET /secrets HTTP/1.1\r\nHost: d\r\n\r\nGET /nodes HTTP/1.1\r\nHost: d\r\n\r\n"); /* one after the other */
    asker_wait_for(&s->asker, "\"Name\":\"jar\"");
    asker_wait_for(&s->asker, "\"Hostname\":\"hive\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(worker_refers_to_a_manager),
        T(what_no_manager_has_is_not_found),
        T(refusals_have_dockerds_statuses),
        T(client_who_goes_is_not_waited_for),
        T(managers_who_do_not_answer_are_not_waited_for),
        T(client_who_goes_in_the_middle_of_a_write_is_forgotten),
        T(api_that_ends_abandons_its_questions),
        T(answer_that_comes_after_the_client_went_is_let_go),
        T(two_clients_are_answered_each),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
