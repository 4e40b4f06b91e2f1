/* tests/unit/runtime/windows/test_codes.c */
#include "runtime/windows/codes.h"

#include "tests/unit/test.h"

static void both_spellings_are_one_condition(void **state)
{
    (void)state;
    assert_true(windows_is_hcs(0x80370101, HCS_E_IMAGE_MISMATCH));
    assert_true(windows_is_hcs(0xC0370101, HCS_E_IMAGE_MISMATCH));
    assert_false(windows_is_hcs(0x80070101, HCS_E_IMAGE_MISMATCH));
    assert_true(windows_is_timeout(0xC0370103));
    assert_true(windows_is_timeout(0x80370118));
    assert_true(windows_is_timeout(0x800705B4));
    assert_true(windows_is_gone(0x8037010E));
    assert_true(windows_is_gone(0x80070490));
    assert_true(windows_is_stopped(0xC0370110));
    assert_true(windows_is_stopped(0x8037011F));
    assert_true(windows_is_lost(0x8037011E));
    assert_true(windows_is_no_device(0x80070015));
    assert_false(windows_is_no_device(0x80070005));
}

static void a_message_names_code_meaning_and_what_to_do(void **state)
{
    static const struct {
        uint32_t code;
        int error;
        const char *says;
    } rows[] = {
        {0xC0370101, ERR_UNSUPPORTED, "0xc0370101 (HCS_E_IMAGE_MISMATCH): the image's build of Windows does not fit this host; use hyperv"},
        {0x80370102, ERR_UNSUPPORTED, "enable the Hyper-V feature"},
        {0x80370103, ERR_UNAVAILABLE, "0x80370103: the operation is pending"},
        {0x80370105, ERR_PRECONDITION, "HCS_E_INVALID_STATE"},
        {0xC0370106, ERR_PEER, "HCS_E_UNEXPECTED_EXIT"},
        {0x80370109, ERR_UNAVAILABLE, "HCS_E_CONNECTION_TIMEOUT): the utility VM's guest did not answer in time"},
        {0x8037010D, ERR_INTERNAL, "HCS_E_INVALID_JSON"},
        {0x8037010E, ERR_NOT_FOUND, "HCS_E_SYSTEM_NOT_FOUND"},
        {0x8037010F, ERR_EXISTS, "HCS_E_SYSTEM_ALREADY_EXISTS"},
        {0x80370112, ERR_CORRUPT, "pull it again"},
        {0x80370118, ERR_DEADLINE, "HCS_E_OPERATION_TIMEOUT"},
        {0x8037011B, ERR_PERMISSION, "Hyper-V Administrators"},
        {0x8037011E, ERR_UNAVAILABLE, "the service vmcompute died"},
        {0x80070005, ERR_PERMISSION, "ERROR_ACCESS_DENIED"},
        {0x80070020, ERR_AGAIN, "in use by another process"},
        {0x8007052E, ERR_INVALID, "ContainerAdministrator"},
        {0x80070070, ERR_NO_SPACE, "no space left"},
        {0xC0351000, ERR_UNSUPPORTED, "no hypervisor is present"},
        {0x803B0013, ERR_EXISTS, "the published port is taken"},
        {0x803B0001, ERR_NOT_FOUND, "HCN_E_NETWORK_NOT_FOUND"},
        {0x80004001, ERR_UNSUPPORTED, "E_NOTIMPL"},
        {0x8ABCDEF0, ERR_PEER, "0x8abcdef0: a code without a public meaning"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_fails(windows_error(err, "start", rows[i].code, NULL), rows[i].error, rows[i].says);
        assert_fails(windows_error(err, "start", rows[i].code, NULL), rows[i].error, "start: Windows answered 0x");
    }
}

static void what_hcs_said_itself_is_in_the_message(void **state)
{
    static const char result[] =
        "{\"Error\":-2143878899,\"ErrorMessage\":\"The document is bad.\\r\\n\",\"ErrorEvents\":[{\"Message\":\"member "
        "X\",\"Provider\":\"p\"},{\"Message\":\"in line 3\"}]}";

    (void)state;
    assert_fails(windows_error(err, "create", 0x8037010D, result), ERR_INTERNAL, ": The document is bad.; member X; in line 3");
    assert_fails(windows_error(err, "create", 0x8037010D, "no json"), ERR_INTERNAL, "HCS refused our document");
}

static void a_command_that_cannot_be_run_has_dockers_exit_code(void **state)
{
    (void)state;
    assert_int_equal(windows_exit_code_of(0x80070002), 127);
    assert_int_equal(windows_exit_code_of(0x80070003), 127);
    assert_int_equal(windows_exit_code_of(0x8007010B), 126);
    assert_int_equal(windows_exit_code_of(0x8007052E), 126);
    assert_int_equal(windows_exit_code_of(0x80370101), 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_are_one_condition),
        cmocka_unit_test(a_message_names_code_meaning_and_what_to_do),
        cmocka_unit_test(what_hcs_said_itself_is_in_the_message),
        cmocka_unit_test(a_command_that_cannot_be_run_has_dockers_exit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
