/* Promotion, demotion, and quorum. */
#include "manager/orchestrator/roles.h"

#include "tests/unit/manager/orchestrator/fixture.h"

#define ROLE(name) DOCKER__SWARMKIT__V1__NODE_ROLE__##name

/* A Raft group that does at once what it is asked, answers when told to. */
struct group {
    struct roles_member members[8];
    size_t count;
    uint64_t own_id;
    int removals, transfers;
    bool refuses, is_silent;
    void (*fn)(void *ctx, const struct error *err);
    void *ctx;
};

static size_t members(void *self, struct roles_member *out)
{
    struct group *group = self;
    memcpy(out, group->members, group->count * sizeof *out);
    return group->count;
}

static uint64_t own_id(void *self)
{
    return ((struct group *)self)->own_id;
}

static void drop(struct group *group, uint64_t raft_id)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i].raft_id == raft_id)
            group->members[i] = group->members[--group->count];
}

static void remove_member(void *self, uint64_t raft_id, void (*fn)(void *ctx, const struct error *err), void *ctx)
{
    struct group *group = self;
    group->removals++;
    if (!group->refuses)
        drop(group, raft_id);
    group->fn = fn;
    group->ctx = ctx;
}

static void transfer(void *self, void (*fn)(void *ctx, const struct error *err), void *ctx)
{
    struct group *group = self;
    group->transfers++;
    group->fn = fn;
    group->ctx = ctx;
}

static void answer(struct swarm *swarm, struct group *group, bool is_well)
{
    struct error err = {.code = ERR_UNAVAILABLE, .message = "nobody takes it"};
    void (*fn)(void *ctx, const struct error *err) = group->fn;
    group->fn = NULL;
    if (fn)
        fn(group->ctx, is_well ? NULL : &err);
    if (swarm)
        swarm_run(swarm);
}

static void begin(struct swarm *swarm, struct group *group, unsigned managers, unsigned workers)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};
    *group = (struct group){.count = managers, .own_id = 1};
    swarm_begin(swarm, managers + workers);
    for (unsigned i = 0; i < managers; i++) {
        node_type message = *store_node(swarm->world.store, names[i]);
        Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
        spec.desired_role = ROLE(MANAGER);
        message.spec = &spec;
        message.role = ROLE(MANAGER);
        do_update(&swarm->world, &message);
        group->members[i] = (struct roles_member){.raft_id = i + 1, .node_id = names[i], .is_reachable = true};
    }
    struct roles_group table = {.members = members, .own_id = own_id, .remove = remove_member, .transfer = transfer, .self = group};
    swarm->parts[swarm->parts_count++] = roles_new(&swarm->host, &table);
    swarm_run(swarm);
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
    assert_int_equal(group.removals, 0);
    swarm_end(&swarm);
}

static void a_demoted_manager_leaves_the_group_first(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    want(&swarm, "n2", ROLE(WORKER));
    assert_int_equal(group.removals, 1);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER)); /* until Raft has said so */
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.removals, 1);
    swarm_end(&swarm);
}

static void a_failed_removal_is_tried_again(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = true;
    want(&swarm, "n2", ROLE(WORKER));
    answer(&swarm, &group, false);
    assert_int_equal(group.removals, 1);
    group.refuses = false;
    swarm_pass_s(&swarm, 5);
    assert_int_equal(group.removals, 2);
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void no_answer_is_not_waited_for_forever(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = true;
    want(&swarm, "n2", ROLE(WORKER));
    void (*late)(void *ctx, const struct error *err) = group.fn;
    void *late_ctx = group.ctx;
    group.refuses = false;
    swarm_pass_s(&swarm, 5);
    assert_int_equal(group.removals, 2);
    late(late_ctx, NULL); /* comes after all, and means nothing */
    swarm_run(&swarm);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void quorum_is_kept(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.members[1].is_reachable = false;
    want(&swarm, "n2", ROLE(WORKER));
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.removals, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    group.members[1].is_reachable = true;
    swarm_pass_s(&swarm, 5);
    assert_int_equal(group.removals, 1);
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void a_leader_hands_over_instead_of_removing_itself(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    want(&swarm, "n0", ROLE(WORKER));
    assert_int_equal(group.transfers, 1);
    assert_int_equal(group.removals, 0);
    answer(&swarm, &group, false); /* it cannot: then it goes all the same */
    assert_int_equal(group.removals, 1);
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n0"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void a_deleted_manager_leaves_the_group(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    do_remove(&swarm.world, STORE_NODE, "n1");
    swarm_run(&swarm);
    assert_int_equal(group.removals, 1);
    answer(&swarm, &group, true);
    assert_int_equal(group.count, 2);
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.removals, 1);
    swarm_end(&swarm);
}

static void a_wish_taken_back_is_dropped(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.members[1].is_reachable = false;
    want(&swarm, "n2", ROLE(WORKER));
    want(&swarm, "n2", ROLE(MANAGER));
    group.members[1].is_reachable = true;
    swarm_pass_s(&swarm, 60);
    assert_int_equal(group.removals, 0);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(MANAGER));
    swarm_end(&swarm);
}

static void the_next_leader_goes_on_and_late_answers_do_no_harm(void **state)
{
    (void)state;
    struct swarm swarm;
    struct group group;
    begin(&swarm, &group, 3, 0);
    group.refuses = true;
    want(&swarm, "n2", ROLE(WORKER));
    swarm_stop_parts(&swarm);
    answer(NULL, &group, true);
    swarm_start_parts(&swarm);
    struct roles_group table = {.members = members, .own_id = own_id, .remove = remove_member, .transfer = transfer, .self = &group};
    swarm.parts[swarm.parts_count++] = roles_new(&swarm.host, &table);
    group.refuses = false;
    swarm_run(&swarm);
    assert_int_equal(group.removals, 2);
    answer(&swarm, &group, true);
    assert_int_equal(role_of(&swarm, "n2"), ROLE(WORKER));
    swarm_end(&swarm);
}

static void refusals_name_what_is_missing(void **state)
{
    (void)state;
    struct roles_member three[] = {{1, "a", true}, {2, "b", false}, {3, "c", true}};
    assert_fails(roles_check_demotion(1, three, 1, "a", err), ERR_PRECONDITION, "attempting to demote the last manager of the swarm");
    assert_fails(roles_check_demotion(3, three, 3, "x", err), ERR_NOT_FOUND, "x");
    assert_fails(roles_check_demotion(3, three, 3, "a", err), ERR_PRECONDITION,
                 "can't remove member from the raft: this would result in a loss of quorum");
    assert_fails(roles_check_removal(three, 3, 3, err), ERR_PRECONDITION, "not reachable: b");
    assert_ok(roles_check_demotion(3, three, 3, "b", err)); /* the one that is away may go */
    assert_fails(roles_check_removal(three, 1, 1, err), ERR_PRECONDITION, "quorum");
    three[1].is_reachable = true;
    assert_ok(roles_check_removal(three, 3, 1, err));
    assert_ok(roles_check_removal(three, 2, 1, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promoted_node_gets_its_role_at_once),
        cmocka_unit_test(a_demoted_manager_leaves_the_group_first),
        cmocka_unit_test(a_failed_removal_is_tried_again),
        cmocka_unit_test(no_answer_is_not_waited_for_forever),
        cmocka_unit_test(quorum_is_kept),
        cmocka_unit_test(a_leader_hands_over_instead_of_removing_itself),
        cmocka_unit_test(a_deleted_manager_leaves_the_group),
        cmocka_unit_test(a_wish_taken_back_is_dropped),
        cmocka_unit_test(the_next_leader_goes_on_and_late_answers_do_no_harm),
        cmocka_unit_test(refusals_name_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
