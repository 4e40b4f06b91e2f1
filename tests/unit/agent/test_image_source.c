/* tests/unit/agent/test_image_source.c */
#include "agent/image_source.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void emulated_host_has_every_image_under_an_id_of_its_own(void **state)
{
    (void)state;
    struct image_source source = image_source_emulated();
    struct image web, same, other;
    assert_ok(source.find(source.self, "web:1", &web, err));
    assert_ok(source.find(source.self, "web:1", &same, err));
    assert_ok(source.find(source.self, "web:2", &other, err));
    assert_int_equal(strlen(web.id), strlen("sha256:") + 64);
    assert_string_equal(web.id, same.id);
    assert_string_not_equal(web.id, other.id);
    assert_int_equal(web.layer_count, 1);
    assert_int_equal(web.config.cmd.count, 1);
    image_deinit(&web);
    image_deinit(&same);
    image_deinit(&other);
}

static void emulated_host_pulls_nothing(void **state)
{
    (void)state;
    struct image_source source = image_source_emulated();
    void *job = &source;
    assert_fails(source.pull(source.self, "web:1", NULL, NULL, NULL, NULL, &job, err), ERR_UNSUPPORTED, "web:1");
    assert_null(job);
    assert_ok(source.pin(source.self, "x", err));
    source.hold(source.self, true);
    source.hold(source.self, false);
    source.unpin(source.self, "x");
    source.cancel(source.self, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_host_has_every_image_under_an_id_of_its_own),
        cmocka_unit_test(emulated_host_pulls_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
