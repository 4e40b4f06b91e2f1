/* tests/unit/base/test_crc32c.c */
#include "base/crc32c.h"

#include "base/random.h"
#include "tests/unit/test.h"

static void the_published_values_come_out(void **state)
{
    (void)state;
    uint8_t bytes[32]; /* RFC 3720, B.4 */
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    assert_int_equal(crc32c_table(0, "123456789", 9), 0xe3069283);
}

static void table_and_instruction_agree_in_any_pieces(void **state)
{
    (void)state;
    struct random_seeded seeded;
    random_seeded_init(&seeded, 5);
    struct random random = random_from_seeded(&seeded);
    uint8_t bytes[300];
    for (int round = 0; round < 1000; round++) {
        random_fill(&random, bytes, sizeof bytes);
        size_t from = random_below(&random, 16), size = random_below(&random, 280), cut = random_below(&random, size + 1);
        uint32_t whole = crc32c_table(0, bytes + from, size);
        assert_int_equal(crc32c(0, bytes + from, size), whole);
        assert_int_equal(crc32c(crc32c(0, bytes + from, cut), bytes + from + cut, size - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_values_come_out),
        cmocka_unit_test(table_and_instruction_agree_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
