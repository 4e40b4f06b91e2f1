/* Promotion, demotion, and quorum. */
#include "manager/orchestrator/roles.h"

#include "tests/unit/manager/orchestrator/fixture.h"

#define ROLE(name) DOCKER__SWARMKIT__V1__NODE_ROLE__##name

/* A Raft group that takes out at once whom it is asked to, and answers when told to. */
struct group {
    struct roles_member members[8];
    size_t count;
    int leaves;    /* how often it was asked */
    int refuses;   /* a code that it answers with */
    bool is_stuck; /* it takes the wish, and takes nobody out */
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
};

static size_t members(void *self, struct roles_member out[MANAGERS_COUNT])
{
    struct group *group = self;
    memcpy(out, group->members, group->count * sizeof *out);
    return group->count;
}

static void drop(struct group *group, uint64_t raft_id)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i].raft_id == raft_id)
            group->members[i] = group->members[--group->count];
}

static int leave(void *self, uint64_t raft_id, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx, struct error *err)
{
    struct group *group = self;
    group->leaves++;
    if (group->refuses)
        return error_set(err, group->refuses, "refused");
    if (!group->is_stuck)
        drop(group, raft_id);
    group->fn = fn;
    group->ctx = ctx;
    return 0;
}

static void answer(struct swarm *swarm, struct group *group, int code)
{
    struct error err = {.code = code, .message = "the proposal was lost"};
    void (*fn)(void *ctx, uint64_t index, const struct error *err) = group->fn;
    group->fn = NULL;
    assert_non_null(fn);
    fn(group->ctx, 7, code ? &err : NULL);
    if (swarm)
        swarm_run(swarm);
}

static void add_part(struct swarm *swarm, struct group *group)
{
    struct roles_group table = {.members = members, .leave = leave, .self = group};
    swarm->parts[swarm->parts_count++] = roles_new(&swarm->host, &table);
    swarm_run(swarm);
}

static void begin(struct swarm *swarm, struct group *group, unsigned managers, unsigned workers)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};
    *group = (struct group){.count = managers};
    swarm_begin(swarm, managers + workers);
    for (unsigned i = 0; i < managers; i++) {
        node_type message = *store_node(swarm->world.store, names[i]);
        Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
        spec.desired_role = ROLE(MANAGER);
        message.spec = &spec;
        message.role = ROLE(MANAGER);
        do_update(&swarm->world, &message);
        group->members[i] = (struct roles_member){.raft_id = i + 1, .node_id = names[i]};
    }
    add_part(swarm, group);
}

static void want(struct swarm *swarm, const char *id, int role)
{
    node_type message = *store_node(swarm->world.store, id);
    Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
    spec.desired_role = (Docker__Swarmkit__V1__NodeRole)role;
    message.spec = &spec;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

static int role_of(const struct swarm *swarm, const char *id)
{
    return (int)store_node(swarm->world.store, id)->role;
}

static void a_promoted_node_gets_its_role_at_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 1, 1);
    want(&swarm, "n1", ROLE(MANAGER));
    assert_int_equal(role_of(&swarm, "n1"), ROLE(MANAGER));
    assert_int_equal(group.leaves, 0);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 0);
    swarm_end(&swarm);
}

static void a_demoted_manager_leaves_the_group_first(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    want(&swarm, "n2", ROLE(WORKER));
    assert_int_equal(group.leaves, 1);
    assert_int_equal(group.count, 2);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER)); /* until Raft has said so */
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 1);
    swarm_end(&swarm);
}

static void one_that_never_joined_is_demoted_at_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 1, 1);
    want(&swarm, "n1", ROLE(MANAGER));
    want(&swarm, "n1", ROLE(WORKER));
    assert_int_equal(role_of(&swarm, "n1"), ROLE(WORKER));
    assert_int_equal(group.leaves, 0);
    swarm_end(&swarm);
}

static void a_member_that_raft_does_not_know_has_left(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = ERR_NOT_FOUND;
    want(&swarm, "n2", ROLE(WORKER));
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void a_failed_removal_is_tried_again(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.is_stuck = true;
    want(&swarm, "n2", ROLE(WORKER));
    answer(&swarm, &group, ERR_CANCELED);
    swarm_pass_ms(&swarm, ROLES_INTERVAL_MS - 1);
    assert_int_equal(group.leaves, 1);
    group.is_stuck = false;
    swarm_pass_ms(&swarm, 1);
    assert_int_equal(group.leaves, 2);
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void no_answer_is_not_waited_for_forever(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.is_stuck = true;
    want(&swarm, "n2", ROLE(WORKER));
    void (*late)(void *ctx, uint64_t index, const struct error *err) = group.fn;
    void *late_ctx = group.ctx;
    group.is_stuck = false;
    swarm_pass_ms(&swarm, ROLES_CHANGE_MS);
    assert_int_equal(group.leaves, 2);
    late(late_ctx, 7, NULL); /* comes after all, and means nothing */
    swarm_run(&swarm);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void quorum_is_kept_and_the_demotion_waits(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = ERR_PRECONDITION;
    want(&swarm, "n2", ROLE(WORKER));
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 1 + 60000 / ROLES_INTERVAL_MS);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    group.refuses = 0;
    swarm_pass_ms(&swarm, ROLES_INTERVAL_MS);
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

/* This manager is the one: leadership goes first, and it is the successor that takes it out. */
static void a_demoted_leader_hands_over(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = ERR_AGAIN;
    want(&swarm, "n0", ROLE(WORKER));
    assert_int_equal(group.leaves, 1);
    assert_int_equal(group.count, 3);
    assert_int_equal(role_of(&swarm, "n0"), ROLE(MANAGER));
    swarm_pass_ms(&swarm, ROLES_INTERVAL_MS); /* nobody took it: again */
    assert_int_equal(group.leaves, 2);
    swarm_stop_parts(&swarm);
    group.refuses = 0;
    swarm_start_parts(&swarm);
    add_part(&swarm, &group);
    assert_int_equal(group.count, 2);
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n0"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void a_deleted_manager_leaves_the_group(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 1);
    do_remove(&swarm.world, STORE_NODE, "n3");
    swarm_run(&swarm);
    assert_int_equal(group.leaves, 0);
    do_remove(&swarm.world, STORE_NODE, "n1");
    swarm_run(&swarm);
    assert_int_equal(group.leaves, 1);
    answer(&swarm, &group, 0);
    assert_int_equal(group.count, 2);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 1);
    swarm_end(&swarm);
}

static void members_whose_node_was_deleted_under_another_leader_leave(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    swarm_stop_parts(&swarm);
    do_remove(&swarm.world, STORE_NODE, "n1");
    group.members[group.count++] = (struct roles_member){.raft_id = 9, .node_id = ""}; /* nobody knows whose it is */
    swarm_start_parts(&swarm);
    add_part(&swarm, &group);
    assert_int_equal(group.leaves, 0); /* it may be made yet */
    swarm_pass_ms(&swarm, ROLES_INTERVAL_MS);
    assert_int_equal(group.leaves, 1);
    answer(&swarm, &group, 0);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 1);
    assert_int_equal(group.count, 3);
    swarm_end(&swarm);
}

static void a_new_clusters_first_manager_stays(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group = {.count = 1, .members = {{.raft_id = 1, .node_id = "m"}}};
    swarm_begin(&swarm, 0);
    add_part(&swarm, &group);
    node_type *message = node("m", "m");
    message->spec->desired_role = message->role = ROLE(MANAGER);
    do_create(&swarm.world, message);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 0);
    swarm_end(&swarm);
}

static void a_wish_taken_back_is_dropped(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = ERR_PRECONDITION;
    want(&swarm, "n2", ROLE(WORKER));
    want(&swarm, "n2", ROLE(MANAGER));
    group.refuses = 0;
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.leaves, 1);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    swarm_end(&swarm);
}

static void a_role_that_the_store_refused_is_written_later(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 1, 1);
    node_type message = *store_node(swarm.world.store, "n1");
    Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
    spec.desired_role = ROLE(MANAGER);
    message.spec = &spec;
    do_update(&swarm.world, &message);
    swarm.world.refuses = ERR_UNAVAILABLE;
    struct part *part = &swarm.parts[swarm.parts_count - 1];
    part->step(part->self, swarm.now_ns);
    world_settle(&swarm.world);
    swarm.world.refuses = 0;
    swarm_run(&swarm);
    assert_int_equal(role_of(&swarm, "n1"), ROLE(WORKER));
    swarm_pass_ms(&swarm, ROLES_INTERVAL_MS);
    assert_int_equal(role_of(&swarm, "n1"), ROLE(MANAGER));
    swarm_end(&swarm);
}

static void the_next_leader_goes_on_and_late_answers_do_no_harm(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.is_stuck = true;
    want(&swarm, "n2", ROLE(WORKER));
    swarm_stop_parts(&swarm);
    answer(NULL, &group, 0);
    group.is_stuck = false;
    swarm_start_parts(&swarm);
    add_part(&swarm, &group);
    assert_int_equal(group.leaves, 2);
    answer(&swarm, &group, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promoted_node_gets_its_role_at_once),
        cmocka_unit_test(a_demoted_manager_leaves_the_group_first),
        cmocka_unit_test(one_that_never_joined_is_demoted_at_once),
        cmocka_unit_test(a_member_that_raft_does_not_know_has_left),
        cmocka_unit_test(a_failed_removal_is_tried_again),
        cmocka_unit_test(no_answer_is_not_waited_for_forever),
        cmocka_unit_test(quorum_is_kept_and_the_demotion_waits),
        cmocka_unit_test(a_demoted_leader_hands_over),
        cmocka_unit_test(a_deleted_manager_leaves_the_group),
        cmocka_unit_test(members_whose_node_was_deleted_under_another_leader_leave),
        cmocka_unit_test(a_new_clusters_first_manager_stays),
        cmocka_unit_test(a_wish_taken_back_is_dropped),
        cmocka_unit_test(a_role_that_the_store_refused_is_written_later),
        cmocka_unit_test(the_next_leader_goes_on_and_late_answers_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
