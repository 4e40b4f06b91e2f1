/* tests/unit/runtime/linux/test_accounts.c */
#include "runtime/linux/accounts.h"

#include "tests/unit/test.h"

#define PASSWD "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken line\nweb:x:1000:1001:web:/home/web:/bin/sh\nbad:x:99999999999:0::/:\n"
#define GROUP  "root:x:0:\nweb:x:1001:\nextra:x:1002:other,web\nlate:x:1003:we"

static int find(const char *user, struct account *out, struct error *err)
{
    return account_find(user, NULL, bytes_of_string(PASSWD), bytes_of_string(GROUP), out, err);
}

static void names_and_numbers_are_looked_up(void **state)
{
    struct account a;

    (void)state;
    assert_ok(find("", &a, err));
    assert_int_equal(a.uid, 0);
    assert_string_equal(a.home, "/root");
    assert_ok(find("web", &a, err));
    assert_int_equal(a.uid, 1000);
    assert_int_equal(a.gid, 1001);
    assert_int_equal(a.group_count, 1);
    assert_int_equal(a.groups[0], 1002);
    assert_string_equal(a.home, "/home/web");
    assert_ok(find("1000:extra", &a, err));
    assert_int_equal(a.gid, 1002);
    assert_int_equal(a.group_count, 0);
}

static void lines_that_end_early_are_taken_as_docker_takes_them(void **state)
{
    struct account a;

    (void)state;
    assert_ok(account_find("app:grp", NULL, bytes_of_string("x:x:1\napp:x:1000:1001"), bytes_of_string("g:x\ngrp:x:5"), &a, err));
    assert_int_equal(a.uid, 1000);
    assert_int_equal(a.gid, 5);
    assert_string_equal(a.home, "/");
    assert_ok(account_find("app", NULL, bytes_of_string("app:x:1000:1001:::\n"), bytes_of_string("grp:x:5\nmore:x:6:app\n"), &a, err));
    assert_int_equal(a.gid, 1001);
    assert_int_equal(a.group_count, 1);
    assert_int_equal(a.groups[0], 6);
    assert_fails(account_find("x", NULL, bytes_of_string("x:x:1\n"), bytes_of_string(""), &a, err), ERR_INVALID, "unable to find user x");
}

static void a_number_nobody_has_stands_for_itself(void **state)
{
    struct account a;

    (void)state;
    assert_ok(find("4242:4343", &a, err));
    assert_int_equal(a.uid, 4242);
    assert_int_equal(a.gid, 4343);
    assert_string_equal(a.home, "/");
}

static void a_name_nobody_has_is_an_error(void **state)
{
    struct account a;

    (void)state;
    assert_fails(find("ghost", &a, err), ERR_INVALID, "unable to find user ghost: no matching entries in passwd file");
    assert_fails(find("web:ghost", &a, err), ERR_INVALID, "unable to find group ghost");
    assert_fails(find("bad", &a, err), ERR_INVALID, "unable to find user bad");
    assert_fails(find("99999999999", &a, err), ERR_INVALID, "unable to find user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_looked_up),
        cmocka_unit_test(lines_that_end_early_are_taken_as_docker_takes_them),
        cmocka_unit_test(a_number_nobody_has_stands_for_itself),
        cmocka_unit_test(a_name_nobody_has_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
