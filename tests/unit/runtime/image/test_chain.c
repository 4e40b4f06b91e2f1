/* OCI's chain ids, against what sha256sum says. */
#include "runtime/image/chain.h"

#include "tests/unit/test.h"

#define OF(digit) "sha256:" digit digit digit digit digit digit digit digit
#define A         OF("aaaaaaaa")
#define B         OF("bbbbbbbb")
#define C         OF("cccccccc")

static void a_chain_is_made_of_its_layers_in_order(void **state)
{
    (void)state;
    struct image_chain chain = {""}, other = {""};
    image_chain_add(&chain, A);
    assert_string_equal(chain.id, A);
    image_chain_add(&chain, B);
    assert_string_equal(chain.id, "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
    image_chain_add(&chain, C);
    assert_string_equal(chain.id, "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588");
    image_chain_add(&other, A);
    image_chain_add(&other, C);
    image_chain_add(&other, B);
    assert_string_not_equal(other.id, chain.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_chain_is_made_of_its_layers_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
