/* tests/unit/manager/scheduler/test_fit.c – what the constraint enforcer asks: does the node still satisfy the tasks it has? */
#include "manager/scheduler/fit.h"

#include "tests/unit/manager/scheduler/swarm.h"

static void constraints_of_a_placement(void **state)
{
    static struct swarm swarm;
    struct fit fit;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_label(&swarm, node, "zone", "east");
    Task *task = task_make(&swarm, "s", "t");
    fit_init(&fit, node);
    assert_ok(fit_constraints(&fit, NULL, err));
    assert_ok(fit_constraints(&fit, task->spec->placement, err));
    task_constraint(&swarm, task, "node.labels.zone == EAST");
    assert_ok(fit_constraints(&fit, task->spec->placement, err));
    task_constraint(&swarm, task, "node.role == manager");
    assert_fails(fit_constraints(&fit, task->spec->placement, err), ERR_PRECONDITION,
                 "node n1: constraint node.role==manager does not hold: the node has \"worker\"");
    task_constraint(&swarm, task, "nonsense");
    assert_fails(fit_constraints(&fit, task->spec->placement, err), ERR_INVALID, "constraint expected one operator");
    fit_deinit(&fit);
    swarm_deinit(&swarm);
}

static void reservations_are_taken_one_after_the_other(void **state)
{
    static struct swarm swarm;
    struct fit fit;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1"); /* 4 CPUs, 8 GiB */
    Task *a = task_make(&swarm, "s", "a"), *b = task_make(&swarm, "s", "b"), *zero = task_make(&swarm, "s", "zero");
    task_reserve(a, 3 * CPU, GB);
    task_reserve(b, CPU, 8 * GB);
    fit_init(&fit, node);
    assert_ok(fit_take(&fit, NULL, a, err));
    assert_fails(fit_take(&fit, NULL, a, err), ERR_PRECONDITION, "nano CPUs: 3000000000 reserved, 1000000000 left");
    assert_fails(fit_take(&fit, NULL, b, err), ERR_PRECONDITION, "memory: 8589934592 bytes reserved, 7516192768 left");
    task_reserve(b, CPU, 7 * GB); /* what failed has taken nothing */
    assert_ok(fit_take(&fit, NULL, b, err));
    assert_ok(fit_take(&fit, NULL, zero, err));
    fit_deinit(&fit);

    node->description = NULL; /* it described nothing yet */
    fit_init(&fit, node);
    assert_ok(fit_take(&fit, NULL, zero, err));
    assert_fails(fit_take(&fit, NULL, a, err), ERR_PRECONDITION, "0 left");
    fit_deinit(&fit);
    swarm_deinit(&swarm);
}

static void what_was_given_must_still_be_there(void **state)
{
    static struct swarm swarm;
    struct fit fit;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_generic(&swarm, node, named(&swarm, "gpu", "red"));
    node_generic(&swarm, node, discrete(&swarm, "ssd", 3));
    Task *red = task_make(&swarm, "s", "red"), *blue = task_make(&swarm, "s", "blue"), *disks = task_make(&swarm, "s", "disks");
    APPEND(&swarm, red->assigned_generic_resources, red->n_assigned_generic_resources, named(&swarm, "gpu", "red"));
    APPEND(&swarm, blue->assigned_generic_resources, blue->n_assigned_generic_resources, named(&swarm, "gpu", "blue"));
    APPEND(&swarm, disks->assigned_generic_resources, disks->n_assigned_generic_resources, discrete(&swarm, "ssd", 2));
    fit_init(&fit, node);
    assert_ok(fit_take(&fit, NULL, red, err));
    assert_fails(fit_take(&fit, NULL, blue, err), ERR_PRECONDITION, "node n1: it has no gpu \"blue\" any more");
    assert_ok(fit_take(&fit, NULL, disks, err));
    assert_fails(fit_take(&fit, NULL, disks, err), ERR_PRECONDITION, "ssd: 2 wanted, 1 left");
    fit_deinit(&fit);
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constraints_of_a_placement),
        cmocka_unit_test(reservations_are_taken_one_after_the_other),
        cmocka_unit_test(what_was_given_must_still_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
