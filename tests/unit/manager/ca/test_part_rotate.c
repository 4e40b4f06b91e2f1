/* tests/unit/manager/ca/test_part_rotate.c – a root rotation from its start to its end, with agents that do as they are told. */
#include "proto/identity/token.h"
#include "tests/unit/manager/ca/leader.h"

struct rotating {
    struct leader leader;
    struct ca_root next;
    struct applicant applicant;
};

static int set_up(void **state)
{
    struct rotating *rotating = mem_alloc(sizeof *rotating);
    leader_begin(&rotating->leader, 0);
    rotating->next = root_at(now());
    rotating->applicant = applicant_new();
    leader_put(&rotating->leader, cluster_of(&rotating->leader.root));
    *state = rotating;
    return 0;
}

static int tear_down(void **state)
{
    struct rotating *rotating = *state;
    leader_end(&rotating->leader);
    ca_root_deinit(&rotating->next);
    applicant_deinit(&rotating->applicant);
    free(rotating);
    return 0;
}

static void put_nodes(struct rotating *rotating, int count)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        node_message *node = node_in(STATE(ISSUED), &rotating->leader.root);
        message_set_string(&node->id, id);
        message_set_string(&node->certificate->cn, id);
        leader_put(&rotating->leader, node);
    }
}

static void rotate(struct rotating *rotating)
{
    cluster_message *cluster = MESSAGE_COPY(leader_cluster(&rotating->leader));
    start_rotation(cluster->root_ca, &rotating->next);
    put_again(&rotating->leader, &cluster->base);
}

static int count_in(const struct leader *leader, Docker__Swarmkit__V1__IssuanceStatus__State state)
{
    const ProtobufCMessage *message;
    struct store_cursor cursor;
    int count = 0;
    store_find(leader->world.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        count += ca_issue_state((const node_message *)(const void *)message) == state;
    return count;
}

/* The agent asks for a new certificate where it was told to. False: it was not. */
static bool renew(struct rotating *rotating, const char *id)
{
    const node_message *seen = leader_seen(&rotating->leader, id);
    if (ca_issue_state(seen) != STATE(ROTATE))
        return false;
    node_message *node = MESSAGE_COPY(seen);
    ca_issue_status(node)->state = STATE(RENEW);
    message_set_bytes(&node->certificate->csr, buf_bytes(&rotating->applicant.request_pem));
    put_again(&rotating->leader, &node->base);
    return true;
}

/* And tells in its next session who issued it. */
static void report(struct rotating *rotating, const char *id, const struct ca_root *issuer)
{
    node_message *told = node_in(STATE(ISSUED), issuer), *node = MESSAGE_COPY(leader_seen(&rotating->leader, id));
    message_free(node->description ? &node->description->base : NULL);
    node->description = steal(&told->description);
    put_again(&rotating->leader, &node->base);
    message_free(&told->base);
}

static void all_nodes_renew_and_the_new_root_is_alone(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    char id[16];
    put_nodes(rotating, 40);
    cleanup_free char *old_token = mem_string(leader_cluster(leader)->root_ca->join_tokens->worker);
    rotate(rotating);
    leader_pass(leader, 0);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 30); /* at once, and then 30 more every three seconds */
    leader_pass(leader, CA_ROTATION_INTERVAL_MS - 1);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 30);
    leader_pass(leader, 1);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 40);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "n%d", i);
        assert_true(renew(rotating, id));
        leader_pass(leader, 0);
        if (i == 0)
            assert_certified(leader, id, &rotating->applicant, &leader->root); /* which is what the others trust still */
        assert_int_equal(count_of(message_bytes(leader_seen(leader, id)->certificate->certificate)), 2);
        if (i < 39)
            report(rotating, id, &rotating->next);
    }
    leader_pass(leader, 10 * CA_ROTATION_INTERVAL_MS);
    assert_non_null(leader_cluster(leader)->root_ca->root_rotation); /* one has not told yet */
    report(rotating, "n39", &rotating->next);
    leader_pass(leader, CA_ROTATION_INTERVAL_MS);
    const root_message *root_ca = leader_cluster(leader)->root_ca;
    struct token token;
    assert_null(root_ca->root_rotation);
    assert_true(bytes_equal(message_bytes(root_ca->ca_cert), buf_bytes(&rotating->next.cert_pem)));
    assert_true(bytes_equal(message_bytes(root_ca->ca_key), buf_bytes(&rotating->next.key_pem)));
    assert_string_not_equal(root_ca->join_tokens->worker, old_token);
    assert_ok(token_parse(root_ca->join_tokens->worker, &token, err));
    assert_ok(token_check_root(&token, buf_bytes(&rotating->next.cert_pem), err));
    assert_true(leader->part.deadline_ns(leader->part.self) == PART_NEVER);
    leader_put(leader, leader_node("late", STATE(PENDING), &rotating->applicant));
    leader_pass(leader, 0);
    assert_certified(leader, "late", &rotating->applicant, &rotating->next);
}

/* Three objects of half a megabyte do not go into one entry of the log. */
static void large_nodes_are_told_fewer_at_a_time(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    cleanup_free char *text = mem_alloc(500001);
    memset(text, 'x', 500000);
    put_nodes(rotating, 5);
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        node_message *node = MESSAGE_COPY(leader_seen(leader, id));
        message_set_string(&node->description->hostname, text);
        put_again(leader, &node->base);
    }
    rotate(rotating);
    leader_pass(leader, 0);
    assert_in_range(count_in(leader, STATE(ROTATE)), 2, 3);
    leader_pass(leader, 2 * CA_ROTATION_INTERVAL_MS);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 5);
}

static void node_that_is_gone_holds_nothing_up(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    put_nodes(rotating, 2);
    rotate(rotating);
    leader_pass(leader, 0);
    report(rotating, "n0", &rotating->next);
    leader_pass(leader, 10 * CA_ROTATION_INTERVAL_MS);
    assert_non_null(leader_cluster(leader)->root_ca->root_rotation);
    do_remove(&leader->world, STORE_NODE, "n1");
    leader_pass(leader, CA_ROTATION_INTERVAL_MS);
    assert_null(leader_cluster(leader)->root_ca->root_rotation);
}

static void canceled_rotation_is_looked_at_no_more(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    put_nodes(rotating, 40);
    rotate(rotating);
    leader_pass(leader, 0);
    cluster_message *cluster = MESSAGE_COPY(leader_cluster(leader));
    message_wipe_free(&cluster->root_ca->root_rotation->base);
    cluster->root_ca->root_rotation = NULL;
    put_again(leader, &cluster->base);
    leader_pass(leader, 0);
    assert_true(leader->part.deadline_ns(leader->part.self) == PART_NEVER);
    leader_pass(leader, 10 * CA_ROTATION_INTERVAL_MS);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 30);
    assert_true(renew(rotating, "n0"));
    leader_pass(leader, 0);
    assert_int_equal(count_of(message_bytes(leader_seen(leader, "n0")->certificate->certificate)), 1);
}

/* The rotation is changed between the look's being queued and its turn. */
static void look_decides_on_the_rotation_as_it_is(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    put_nodes(rotating, 1);
    report(rotating, "n0", &rotating->next);
    rotate(rotating); /* it would be over at once */
    cluster_message *cluster = MESSAGE_COPY(leader_cluster(leader));
    struct write_of write = {.change = UPDATE, .message = &cluster->base};
    message_wipe_free(&cluster->root_ca->root_rotation->base);
    cluster->root_ca->root_rotation = NULL;
    ask(&leader->world, &write);
    leader_step(leader);
    leader_pass(leader, 0);
    assert_int_equal(write.err.code, 0);
    assert_true(bytes_equal(message_bytes(leader_cluster(leader)->root_ca->ca_cert), buf_bytes(&leader->root.cert_pem)));
    message_wipe_free(&cluster->base);
}

static void next_leader_goes_on(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    put_nodes(rotating, 40);
    rotate(rotating);
    leader_step(leader);
    world_run(&leader->world);
    leader_lead_no_more(leader); /* its look is with the log */
    world_commit(&leader->world);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 30);
    leader_lead(leader, false);
    leader_pass(leader, 0);
    assert_int_equal(count_in(leader, STATE(ROTATE)), 40);
}

/* A root that has expired meanwhile: the old one stays, and it is tried again. */
static void rotation_to_a_root_that_is_not_good_does_not_end(void **state)
{
    struct rotating *rotating = *state;
    struct leader *leader = &rotating->leader;
    put_nodes(rotating, 1);
    report(rotating, "n0", &rotating->next);
    rotate(rotating);
    leader->world.wall_ns += CA_ROOT_VALIDITY_S * INT64_C(1000000000);
    leader_pass(leader, 2 * CA_ROTATION_INTERVAL_MS);
    assert_non_null(leader_cluster(leader)->root_ca->root_rotation);
    assert_true(leader->part.deadline_ns(leader->part.self) == leader->now_ns + CA_ROTATION_INTERVAL_MS * NS_PER_MS);
    leader->world.wall_ns = now();
    leader_pass(leader, CA_ROTATION_INTERVAL_MS);
    assert_null(leader_cluster(leader)->root_ca->root_rotation);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_nodes_renew_and_the_new_root_is_alone),
        TEST(large_nodes_are_told_fewer_at_a_time),
        TEST(node_that_is_gone_holds_nothing_up),
        TEST(canceled_rotation_is_looked_at_no_more),
        TEST(look_decides_on_the_rotation_as_it_is),
        TEST(next_leader_goes_on),
        TEST(rotation_to_a_root_that_is_not_good_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
