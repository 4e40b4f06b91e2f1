/* tests/unit/manager/ca/test_part.c – who is signed when, with the cluster's own key. */
#include "manager/ca/part.h"

#include "tests/unit/manager/ca/leader.h"

static int set_up(void **state)
{
    struct leader *leader = mem_alloc(sizeof *leader);
    leader_begin(leader, 0);
    *state = leader;
    return 0;
}

static int tear_down(void **state)
{
    leader_end(*state);
    free(*state);
    return 0;
}

static void node_that_came_with_a_token_is_signed(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_true(leader->part.deadline_ns(leader->part.self) == PART_NEVER);
    applicant_deinit(&applicant);
}

static void node_is_signed_for_the_role_and_the_time_that_is_asked_for(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&leader->root);
    node_message *node = leader_node("n1", STATE(RENEW), &applicant);
    struct certificate got;
    message_set_duration(cluster->spec->ca_config->node_cert_expiry, 2 * HOUR_NS);
    node->certificate->role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    leader_put(leader, cluster);
    leader_put(leader, node);
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_ok(
        certificate_read(message_bytes(leader_seen(leader, "n1")->certificate->certificate), buf_bytes(&leader->root.cert_pem), &got, err));
    assert_int_equal(got.role, CERTIFICATE_MANAGER);
    assert_true(got.not_after_wall_ns == now() + 2 * HOUR_NS);
    certificate_deinit(&got);
    applicant_deinit(&applicant);
}

static void node_that_is_not_accepted_waits_until_it_is(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    node_message *node = leader_node("n1", STATE(PENDING), &applicant);
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING;
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, node);
    leader_pass(leader, 60000);
    assert_state(leader, "n1", PENDING);
    node = MESSAGE_COPY(leader_seen(leader, "n1"));
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    put_again(leader, &node->base);
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

static void request_at_fault_is_refused_with_the_reason(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(RENEW), NULL));
    leader_put(leader, leader_node("n2", STATE(RENEW), &applicant));
    leader_pass(leader, 0);
    assert_state(leader, "n1", FAILED);
    assert_non_null(strstr(leader_seen(leader, "n1")->certificate->status->err, "certificate request"));
    assert_certified(leader, "n2", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

static void many_are_signed_in_batches(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    char id[16];
    leader_put(leader, cluster_of(&leader->root));
    for (int i = 0; i < 120; i++) {
        snprintf(id, sizeof id, "n%d", i);
        leader_put(leader, leader_node(id, STATE(PENDING), &applicant));
    }
    int before = leader->world.entries_count;
    leader_pass(leader, 0);
    assert_int_equal(leader->world.entries_count - before, 3); /* of CA_SIGN_BATCH_COUNT at most */
    for (int i = 0; i < 120; i++) {
        snprintf(id, sizeof id, "n%d", i);
        assert_state(leader, id, ISSUED);
        if (i % 40 == 39)
            assert_certified(leader, id, &applicant, &leader->root);
    }
    applicant_deinit(&applicant);
}

/* Three objects of half a megabyte do not go into one entry of the log. */
static void large_nodes_are_signed_fewer_at_a_time(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cleanup_free char *text = mem_alloc(500001);
    memset(text, 'x', 500000);
    leader_put(leader, cluster_of(&leader->root));
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        node_message *node = leader_node(id, STATE(PENDING), &applicant);
        node->description = MESSAGE_NEW(Docker__Swarmkit__V1__NodeDescription, docker__swarmkit__v1__node_description);
        message_set_string(&node->description->hostname, text);
        leader_put(leader, node);
    }
    leader_pass(leader, 0);
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        assert_certified(leader, id, &applicant, &leader->root);
    }
    applicant_deinit(&applicant);
}

static void nodes_wait_for_the_cluster_to_have_a_root(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 60000);
    assert_state(leader, "n1", PENDING);
    leader_put(leader, cluster_of(&leader->root));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

static void nodes_that_nobody_can_sign_are_tried_later_and_when_the_cluster_changes(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&leader->root);
    message_set_bytes(&cluster->root_ca->ca_key, bytes_of(NULL, 0));
    leader_put(leader, cluster);
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    assert_state(leader, "n1", PENDING);
    assert_true(leader->part.deadline_ns(leader->part.self) == leader->now_ns + CA_SIGN_RETRY_MS * NS_PER_MS);
    leader_pass(leader, 3 * CA_SIGN_RETRY_MS);
    assert_state(leader, "n1", PENDING);
    cluster = MESSAGE_COPY(leader_cluster(leader));
    message_set_bytes(&cluster->root_ca->ca_key, buf_bytes(&leader->root.key_pem));
    put_again(leader, &cluster->base);
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

/* The cached signer is of one root only. */
static void another_root_signs_from_the_next_node_on(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    struct ca_root next = root_at(now());
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    cluster_message *cluster = MESSAGE_COPY(leader_cluster(leader));
    message_set_bytes(&cluster->root_ca->ca_cert, buf_bytes(&next.cert_pem));
    message_set_bytes(&cluster->root_ca->ca_key, buf_bytes(&next.key_pem));
    put_again(leader, &cluster->base);
    leader_put(leader, leader_node("n2", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_certified(leader, "n2", &applicant, &next);
    ca_root_deinit(&next);
    applicant_deinit(&applicant);
}

/* Another request comes into the log before the part's writer has its turn. */
static void what_the_transaction_sees_is_signed(void **state)
{
    struct leader *leader = *state;
    struct applicant first = applicant_new(), second = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(RENEW), &first));
    node_message *node = MESSAGE_COPY(leader_seen(leader, "n1"));
    struct write_of write = {.change = UPDATE, .message = &node->base};
    message_set_bytes(&node->certificate->csr, buf_bytes(&second.request_pem));
    ask(&leader->world, &write);
    leader_step(leader);
    leader_pass(leader, 0);
    assert_int_equal(write.err.code, 0);
    assert_certified(leader, "n1", &second, &leader->root);
    message_free(&node->base);
    applicant_deinit(&first);
    applicant_deinit(&second);
}

static void removed_node_is_forgotten(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&leader->root);
    message_set_bytes(&cluster->root_ca->ca_key, bytes_of(NULL, 0));
    leader_put(leader, cluster);
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    do_remove(&leader->world, STORE_NODE, "n1");
    leader_pass(leader, 0);
    assert_true(leader->part.deadline_ns(leader->part.self) == PART_NEVER);
    applicant_deinit(&applicant);
}

static void part_that_was_left_behind_lists_anew(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_end(leader);
    leader_begin(leader, 5);
    leader_pass(leader, 0);
    leader_put(leader, cluster_of(&leader->root));
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        leader_put(leader, leader_node(id, STATE(PENDING), &applicant));
    }
    leader_pass(leader, 0);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        assert_certified(leader, id, &applicant, &leader->root);
    }
    applicant_deinit(&applicant);
}

/* Its own write is still with the log when it goes. */
static void next_leader_goes_on(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_step(leader);
    world_run(&leader->world);
    assert_non_null(leader->world.fn);
    leader_lead_no_more(leader);
    world_lose(&leader->world, ERR_CANCELED);
    assert_state(leader, "n1", PENDING);
    leader_lead(leader, true);
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

static void write_that_has_its_turn_after_the_part_does_nothing(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_step(leader);
    leader_lead_no_more(leader);
    world_settle(&leader->world);
    assert_state(leader, "n1", PENDING);
    applicant_deinit(&applicant);
}

static void failed_write_is_tried_again(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    leader_put(leader, cluster_of(&leader->root));
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader->world.refuses = ERR_UNAVAILABLE;
    leader_pass(leader, CA_SIGN_RETRY_MS - 1);
    assert_state(leader, "n1", PENDING);
    leader->world.refuses = 0;
    leader_pass(leader, 1);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(node_that_came_with_a_token_is_signed),
        TEST(node_is_signed_for_the_role_and_the_time_that_is_asked_for),
        TEST(node_that_is_not_accepted_waits_until_it_is),
        TEST(request_at_fault_is_refused_with_the_reason),
        TEST(many_are_signed_in_batches),
        TEST(large_nodes_are_signed_fewer_at_a_time),
        TEST(nodes_wait_for_the_cluster_to_have_a_root),
        TEST(nodes_that_nobody_can_sign_are_tried_later_and_when_the_cluster_changes),
        TEST(another_root_signs_from_the_next_node_on),
        TEST(what_the_transaction_sees_is_signed),
        TEST(removed_node_is_forgotten),
        TEST(part_that_was_left_behind_lists_anew),
        TEST(next_leader_goes_on),
        TEST(write_that_has_its_turn_after_the_part_does_nothing),
        TEST(failed_write_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
