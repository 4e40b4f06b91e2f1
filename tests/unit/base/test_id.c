/* tests/unit/base/test_id.c */
#include "base/id.h"

#include "tests/unit/test.h"

static void fill_with(void *self, void *data, size_t size)
{
    memset(data, *(int *)self, size);
}

static void ids_have_25_base36_characters_whatever_the_bytes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        struct random random = {fill_with, &byte};
        char id[ID_SIZE_CHARS + 1];
        id_make(&random, id);
        assert_int_equal(strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz"), ID_SIZE_CHARS);
        assert_true(id_is_safe(id));
    }
}

static void container_ids_are_hex_and_never_start_with_12_digits(void **state)
{
    (void)state;
    struct random_seeded seeded;
    random_seeded_init(&seeded, 7);
    struct random random = random_from_seeded(&seeded);
    for (int i = 0; i < 3000; i++) {
        char id[CONTAINER_ID_SIZE_CHARS + 1];
        id_make_container(&random, id);
        assert_int_equal(strspn(id, "0123456789abcdef"), CONTAINER_ID_SIZE_CHARS);
        assert_true(strspn(id, "0123456789") < 12);
    }
}

static void only_names_that_are_safe_in_a_path_are_safe(void **state)
{
    (void)state;
    assert_true(id_is_safe("a-B_9"));
    const char *bad[] = {"", ".", "..", "a/b", "-rf", "a b", "a\nb", "0123456789012345678901234567890123456789012345678901234567890123x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(id_is_safe(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_25_base36_characters_whatever_the_bytes),
        cmocka_unit_test(container_ids_are_hex_and_never_start_with_12_digits),
        cmocka_unit_test(only_names_that_are_safe_in_a_path_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
