/* tests/unit/runtime/image/test_lookup.c */
#include "runtime/image/lookup.h"

#include "tests/unit/test.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000"

static struct image_record records_of[] = {
    {.name = "docker.io/library/web:1",
     .served = "sha256:" ZEROS "0000c1",
     .repository = "docker.io/library/web",
     .manifest = "sha256:" ZEROS "0000b1",
     .config = "sha256:aaaa01" ZEROS},
    {.name = "", .served = "", .repository = "", .manifest = "sha256:" ZEROS "0000b2", .config = "sha256:aaaa02" ZEROS},
    {.name = "docker.io/library/same:1",
     .served = "",
     .repository = "",
     .manifest = "sha256:" ZEROS "0000b2",
     .config = "sha256:aaaa02" ZEROS},
};
static const struct image_records records = {.items = records_of, .count = 3};

static bool is_named(size_t at, const char *text)
{
    struct image_reference reference;
    assert_ok(image_reference_parse(text, &reference, err));
    cleanup_free char *full = image_reference_full(&reference);
    return image_record_is_named(&records_of[at], &reference, full);
}

static int find(const char *text)
{
    int at = 0;
    assert_ok(image_records_find_id(&records, text, &at, err));
    return at;
}

static void name_is_compared_in_full_and_a_digest_with_both(void **state)
{
    (void)state;
    assert_true(is_named(0, "web:1"));
    assert_false(is_named(0, "web:2"));
    assert_true(is_named(0, "web@sha256:" ZEROS "0000c1"));
    assert_true(is_named(0, "docker.io/library/web@sha256:" ZEROS "0000b1"));
    assert_false(is_named(0, "other@sha256:" ZEROS "0000b1"));
}

static void id_is_found_by_its_start_and_by_its_manifest(void **state)
{
    (void)state;
    assert_int_equal(find("aaaa01"), 0);
    assert_int_equal(find("sha256:aaaa01"), 0);
    assert_true(find("aaaa02") > 0);
    assert_int_equal(find("sha256:" ZEROS "0000b1"), 0);
    assert_int_equal(find("sha256:" ZEROS "0000c1"), 0);
}

static void start_of_several_ids_is_ambiguous_and_no_id_is_nothing(void **state)
{
    (void)state;
    int at = 0;
    assert_fails(image_records_find_id(&records, "aaaa", &at, err), ERR_INVALID, "several images start with aaaa");
    assert_int_equal(find("bbbb"), -1);
    assert_int_equal(find(""), -1);
    assert_int_equal(find("AAAA01"), -1);
    assert_int_equal(find("web:1"), -1);
}

static void what_is_not_there_is_said_as_docker_says_it(void **state)
{
    (void)state;
    const struct image_platform platform = {.os = "windows", .architecture = "amd64"};
    assert_fails(image_not_found("docker.io/library/web:2", NULL, err), ERR_NOT_FOUND, "No such image: web:2");
    assert_fails(image_not_found("web:2", &platform, err), ERR_NOT_FOUND, "No such image: web:2 for windows/amd64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_compared_in_full_and_a_digest_with_both),
        cmocka_unit_test(id_is_found_by_its_start_and_by_its_manifest),
        cmocka_unit_test(start_of_several_ids_is_ambiguous_and_no_id_is_nothing),
        cmocka_unit_test(what_is_not_there_is_said_as_docker_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
