/* tests/unit/base/test_arena.c */
#include "base/arena.h"

#include <stdalign.h>

#include "tests/unit/test.h"

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    char *last = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        char *data = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)data % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(data[i], 0);
        memset(data, 'x', size);
        assert_ptr_not_equal(data, last);
        last = size ? data : last;
    }
}

static void a_request_larger_than_a_block_is_served(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    char *small = arena_string(&arena, "small");
    char *large = arena_alloc(&arena, 1000000);
    memset(large, 1, 1000000);
    assert_string_equal(small, "small");
}

static void strings_are_copied_and_formatted(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    assert_null(arena_string(&arena, NULL));
    assert_string_equal(arena_string_n(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_format(&arena, "%s.%d", "web", 3), "web.3");
    assert_memory_equal(arena_copy(&arena, "xyz", 3), "xyz", 3);
}

static void a_deinited_arena_can_be_used_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_alloc(&arena, 10);
    arena_deinit(&arena);
    arena_deinit(&arena);
    assert_string_equal(arena_string(&arena, "again"), "again");
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_request_larger_than_a_block_is_served),
        cmocka_unit_test(strings_are_copied_and_formatted),
        cmocka_unit_test(a_deinited_arena_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
