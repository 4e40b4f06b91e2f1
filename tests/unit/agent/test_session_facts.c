/* tests/unit/agent/test_session_facts.c – what a SessionMessage tells. */
#include "agent/session_facts.h"

#include "proto/swarmkit/dispatcher.pb-c.h"
#include "tests/unit/test.h"

typedef Docker__Swarmkit__V1__SessionMessage Message;

static void an_empty_message_tells_nothing(void **state)
{
    Message m = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    struct session_facts facts;
    (void)state;
    assert_ok(session_facts_read(&m, &facts, err));
    assert_string_equal(facts.session_id, "");
    assert_string_equal(facts.node_id, "");
    assert_string_equal(facts.node_addr, "");
    assert_null(facts.node);
    assert_int_equal(facts.manager_count, 0);
    assert_int_equal(facts.root_pem.size, 0);
    session_facts_deinit(&facts);
}

static void a_node_with_holes_is_read_as_far_as_it_goes(void **state)
{
    Message m = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NetworkAttachment empty = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT__INIT, *attachments[] = {&empty};
    struct session_facts facts;
    (void)state;
    m.node = &node;
    node.id = (char *)"node1";
    node.attachments = attachments;
    node.n_attachments = 1;
    assert_ok(session_facts_read(&m, &facts, err));
    assert_string_equal(facts.node_id, "node1");
    assert_int_equal(facts.attachment_count, 1);
    assert_string_equal(facts.attachments[0].network_id, "");
    session_facts_deinit(&facts);
}

static void role_availability_and_rotation_are_told(void **state)
{
    Message m = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    Docker__Swarmkit__V1__IssuanceStatus issuance = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__INIT;
    struct session_facts facts;
    (void)state;
    m.node = &node;
    node.spec = &spec;
    node.status = &status;
    node.certificate = &certificate;
    certificate.status = &issuance;
    spec.availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    status.addr = (char *)"10.0.0.5";
    issuance.state = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ROTATE;
    assert_ok(session_facts_read(&m, &facts, err));
    assert_string_equal(session_availability_text(facts.availability), "drain");
    assert_string_equal(session_role_text(facts.desired_role), "manager");
    assert_string_equal(session_role_text(facts.role), "worker");
    assert_string_equal(facts.node_addr, "10.0.0.5");
    assert_int_equal(facts.certificate_status, 5);
    session_facts_deinit(&facts);
    assert_string_equal(session_availability_text(99), "unknown");
    assert_string_equal(session_role_text(-1), "unknown");
}

static void managers_without_an_address_are_skipped_and_too_many_refused(void **state)
{
    Message m = DOCKER__SWARMKIT__V1__SESSION_MESSAGE__INIT;
    Docker__Swarmkit__V1__WeightedPeer weighted[MANAGERS_COUNT + 1], *list[MANAGERS_COUNT + 1];
    Docker__Swarmkit__V1__Peer peer = DOCKER__SWARMKIT__V1__PEER__INIT, nowhere = DOCKER__SWARMKIT__V1__PEER__INIT;
    struct session_facts facts;
    (void)state;
    peer.addr = (char *)"10.0.0.1:2377";
    for (size_t i = 0; i < MANAGERS_COUNT + 1; i++) {
        docker__swarmkit__v1__weighted_peer__init(&weighted[i]);
        weighted[i].peer = &peer;
        weighted[i].weight = INT64_MAX;
        list[i] = &weighted[i];
    }
    m.managers = list;
    m.n_managers = 3;
    weighted[0].peer = &nowhere;
    weighted[2].peer = NULL;
    assert_ok(session_facts_read(&m, &facts, err));
    assert_int_equal(facts.manager_count, 1);
    assert_string_equal(facts.managers[0].addr, "10.0.0.1:2377");
    assert_int_equal(facts.managers[0].weight, REMOTE_WEIGHT_MAX);
    session_facts_deinit(&facts);
    weighted[0].peer = weighted[2].peer = &peer;
    m.n_managers = MANAGERS_COUNT + 1;
    assert_fails(session_facts_read(&m, &facts, err), ERR_LIMIT, "managers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_message_tells_nothing),
        cmocka_unit_test(a_node_with_holes_is_read_as_far_as_it_goes),
        cmocka_unit_test(role_availability_and_rotation_are_told),
        cmocka_unit_test(managers_without_an_address_are_skipped_and_too_many_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
