/* tests/unit/proto/test_methods.c */
#include "proto/methods.h"

#include "tests/unit/test.h"

static void every_method_is_found_by_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        assert_ptr_equal(method_find(method_list[i].path), &method_list[i]);
        assert_non_null(method_list[i].request);
        assert_non_null(method_list[i].response);
    }
    assert_null(method_find("/docker.swarmkit.v1.Dispatcher/Nothing"));
}

static void the_ones_that_matter_are_as_the_wire_has_them(void **state)
{
    (void)state;
    assert_string_equal(METHOD(Dispatcher, Session)->path, "/docker.swarmkit.v1.Dispatcher/Session");
    assert_int_equal(METHOD(Dispatcher, Session)->streams, METHOD_SERVER_STREAM);
    assert_int_equal(METHOD(LogBroker, PublishLogs)->streams, METHOD_CLIENT_STREAM);
    assert_int_equal(METHOD(Dispatcher, Heartbeat)->streams, METHOD_UNARY);
    assert_int_equal(METHOD(NodeCA, IssueNodeCertificate)->callers, METHOD_ANYONE);
    assert_int_equal(METHOD(Dispatcher, Heartbeat)->callers, METHOD_NODE);
    assert_int_equal(METHOD(Raft, StreamRaftMessage)->callers, METHOD_MANAGER);
    assert_string_equal(METHOD(Dispatcher, Heartbeat)->response->short_name, "HeartbeatResponse");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_is_found_by_its_path),
        cmocka_unit_test(the_ones_that_matter_are_as_the_wire_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
