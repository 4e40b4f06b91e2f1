/* tests/unit/api/test_docker_distribution.c – /distribution/{name}/json over a registry that the test is. */
#include "api/call.h"
#include "tests/unit/api/asker.h"

static struct registry {
    struct api_timer *timer; /* its answer is on its way */
    image_answer_cb on_done;
    void *ctx;
    struct api_fixture *fixture;
    char reference[128], auth[64];
    int code; /* of the error that it answers with */
    const char *words;
    bool never_answers;
    unsigned cancelled;
} registry;

static void answer(void *ctx)
{
    static const struct image_answer_platform platforms[] = {{"windows", "amd64", "", "10.0.20348.2113"}, {"linux", "arm", "v7", ""}};
    const struct image_answer good = {"application/vnd.oci.image.index.v1+json", FIXTURE_IMAGE_ID, 345, platforms, 2};
    struct error err = {0};
    (void)ctx;
    api_timer_free(registry.timer);
    registry.timer = NULL;
    error_set(&err, registry.code, "%s", registry.words ? registry.words : "");
    registry.on_done(registry.ctx, registry.code ? &err : NULL, registry.code ? NULL : &good);
}

static int start(void *self, const char *reference, const char *auth, image_answer_cb on_done, void *ctx, void **call, struct error *err)
{
    if (reference[0] == 'U')
        return error_set(err, ERR_INVALID, "invalid reference format: U: repository name must be lowercase");
    registry.on_done = on_done;
    registry.ctx = ctx;
    snprintf(registry.reference, sizeof registry.reference, "%s", reference);
    snprintf(registry.auth, sizeof registry.auth, "%s", auth ? auth : "(none)");
    if (!registry.never_answers)
        registry.timer = api_timer_new(&registry.fixture->loop, 1, 0, answer, NULL);
    *call = &registry;
    (void)self;
    return 0;
}

static void cancel(void *self, void *call)
{
    (void)self;
    assert_ptr_equal(call, &registry);
    registry.cancelled++;
}

static struct asker *with_registry(void **state)
{
    struct asker *a = *state;
    registry = (struct registry){.fixture = &a->fixture};
    a->fixture.api->options.registries = (struct image_asker){start, cancel, NULL};
    return a;
}

static void platforms_are_told_as_docker_writes_them(void **state)
{
    struct asker *a = with_registry(state);
    asker_get(a, "/v1.41/distribution/reg:5000/a/b:1/json", 200,
              "{\"Descriptor\":{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"" FIXTURE_IMAGE_ID
              "\",\"size\":345},"
              "\"Platforms\":[{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.20348.2113\"},"
              "{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}]}");
    assert_string_equal(registry.reference, "reg:5000/a/b:1");
    assert_string_equal(registry.auth, "(none)");
}

static void credentials_are_passed_on(void **state)
{
    struct asker *a = with_registry(state);
    asker_send(a, "GET /distribution/a/json HTTP/1.1\r\nHost: d\r\nX-Registry-Auth: e30=\r\n\r\n");
    asker_wait_for(a, "\"Platforms\"");
    assert_string_equal(registry.auth, "e30=");
}

static void refusals_have_dockers_statuses(void **state)
{
    struct asker *a = with_registry(state);
    asker_get(a, "/distribution/UPPER/json", 400, "invalid reference format");
    asker_get(a,
              "/distribution/"
              "1111111111111111111111111111111111111111111111111111111111111111"
              "/json",
              500, "no manifest found for full image ID");
    registry.code = ERR_NOT_FOUND;
    registry.words = "manifest for a:1 not found: manifest unknown";
    asker_get(a, "/distribution/a:1/json", 404, "manifest unknown");
    registry.code = ERR_UNAUTHENTICATED;
    registry.words = "registry r: unauthorized: authentication required";
    asker_get(a, "/distribution/a:1/json", 401, "unauthorized: authentication required");
    registry.code = ERR_PERMISSION;
    registry.words = "denied: not yours";
    asker_get(a, "/distribution/a:1/json", 403, "denied");
    registry.code = ERR_UNAVAILABLE;
    registry.words = "registry r: connection refused";
    asker_get(a, "/distribution/a:1/json", 503, "connection refused");
    a->fixture.api->options.registries = (struct image_asker){0};
    asker_get(a, "/distribution/a:1/json", 501, "asks no registries");
}

static void client_that_leaves_cancels_the_question(void **state)
{
    struct asker *a = with_registry(state);
    registry.never_answers = true;
    asker_send(a, "GET /distribution/a/json HTTP/1.1\r\nHost: d\r\n\r\n");
    while (registry.reference[0] == 0)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    asker_hang_up(a);
    while (registry.cancelled == 0)
        uv_run(&a->fixture.loop, UV_RUN_ONCE);
    assert_int_equal(registry.cancelled, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, asker_setup, asker_teardown)
    const struct CMUnitTest tests[] = {
        T(platforms_are_told_as_docker_writes_them),
        T(credentials_are_passed_on),
        T(refusals_have_dockers_statuses),
        T(client_that_leaves_cancels_the_question),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
