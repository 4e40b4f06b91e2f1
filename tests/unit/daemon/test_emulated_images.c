/* tests/unit/daemon/test_emulated_images.c – images of a host that only pretends, over a registry that the test is. */
#include "daemon/emulated_images.h"

#include "tests/unit/test.h"

static struct registry {
    image_answer_cb on_done;
    void *ctx;
    unsigned cancelled;
} registry;

static struct pulled {
    unsigned count;
    int code;
    char os_version[32];
} pulled;

static int start(void *self, const char *reference, const char *auth, image_answer_cb on_done, void *ctx, void **call, struct error *err)
{
    (void)self, (void)auth;
    if (reference[0] == '?')
        return error_set(err, ERR_INVALID, "invalid reference format");
    registry.on_done = on_done;
    registry.ctx = ctx;
    *call = &registry;
    return 0;
}

static void cancel(void *self, void *call)
{
    (void)self;
    assert_ptr_equal(call, &registry);
    registry.cancelled++;
}

static void on_pulled(void *ctx, const struct error *err, const struct image *image)
{
    (void)ctx;
    pulled.count++;
    pulled.code = err ? err->code : 0;
    snprintf(pulled.os_version, sizeof pulled.os_version, "%s", image ? image->os_version : "");
}

static struct emulated_images *begin(void)
{
    const struct image_asker asker = {start, cancel, NULL};
    registry = (struct registry){0};
    pulled = (struct pulled){0};
    return emulated_images_new(&asker, &(struct image_platform){.os = "windows", .architecture = "amd64", .os_version = "10.0.20348.1"});
}

static void pull(struct image_source *source, const char *reference, const struct image_answer_platform *platforms, size_t count)
{
    const struct image_answer answer = {"", "", 0, platforms, count};
    void *job;
    assert_ok(source->pull(source->self, reference, NULL, NULL, on_pulled, NULL, &job, err));
    registry.on_done(registry.ctx, NULL, &answer);
}

static void an_index_gives_the_best_for_this_host(void **state)
{
    static const struct image_answer_platform index[] = {
        {"linux", "amd64", "", ""}, {"windows", "amd64", "", "10.0.26100.1"}, {"windows", "amd64", "", "10.0.17763.9"}};
    struct emulated_images *images = begin();
    struct image_source source = emulated_images_source(images);
    cleanup_image struct image image = {0};
    (void)state;
    assert_fails(source.find(source.self, "app:1", &image, err), ERR_NOT_FOUND, "No such image: app:1");
    pull(&source, "app:1", index, 3);
    assert_string_equal(pulled.os_version, "10.0.17763.9");
    assert_ok(source.find(source.self, "app:1", &image, err));
    assert_string_equal(image.os, "windows");
    assert_int_equal(image.layer_count, 1);
    pull(&source, "app:1", index, 1); /* it was replaced: one alone is taken as it is, for the rule to refuse */
    image_deinit(&image);
    assert_ok(source.find(source.self, "app:1", &image, err));
    assert_string_equal(image.os, "linux");
    emulated_images_free(images);
}

static void what_cannot_be_had_is_a_failed_pull(void **state)
{
    static const struct image_answer_platform index[] = {{"linux", "amd64", "", ""}, {"windows", "amd64", "", "10.0.26100.1"}};
    struct emulated_images *images = begin();
    struct image_source source = emulated_images_source(images);
    struct error refusal = {.code = ERR_UNAVAILABLE};
    void *job;
    (void)state;
    pull(&source, "app:1", index, 2);
    assert_int_equal(pulled.code, ERR_NOT_FOUND);
    assert_fails(source.pull(source.self, "?", NULL, NULL, on_pulled, NULL, &job, err), ERR_INVALID, "invalid reference");
    assert_ok(source.pull(source.self, "app:2", NULL, NULL, on_pulled, NULL, &job, err));
    registry.on_done(registry.ctx, &refusal, NULL);
    assert_int_equal(pulled.code, ERR_UNAVAILABLE);
    assert_ok(source.pull(source.self, "app:3", NULL, NULL, on_pulled, NULL, &job, err));
    source.cancel(source.self, job);
    assert_int_equal(registry.cancelled, 1);
    assert_int_equal(pulled.count, 2);
    emulated_images_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_gives_the_best_for_this_host),
        cmocka_unit_test(what_cannot_be_had_is_a_failed_pull),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
