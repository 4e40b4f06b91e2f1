/* tests/unit/manager/scheduler/test_constraint.c – what is a constraint, and on which node it holds. */
#include "manager/scheduler/constraint.h"

#include "tests/unit/manager/scheduler/swarm.h"

static void reads_and_refuses_in_swarmkits_words(void **state)
{
    static const struct {
        const char *text, *want; /* the constraint without its spaces, or the error */
        bool is_valid;
    } rows[] = {
        {"node.id==abc", "node.id==abc", true},
        {"  node.hostname  !=  web 1 ", "node.hostname!=web 1", true},
        {"NODE.Labels.Zone == East", "NODE.Labels.Zone==East", true},
        {"node.ip==10.0.0.0/8", "node.ip==10.0.0.0/8", true},
        {"_x==a*b.?+[c]\\^$|(d)", "_x==a*b.?+[c]\\^$|(d)", true},
        {"node.labels.a-b_c.d9==:-_", "node.labels.a-b_c.d9==:-_", true},
        {"a.b==c!=d", "value 'c!=d' is invalid", false}, /* == is looked for first */
        {"node.id=abc", "constraint expected one operator from ==, !=", false},
        {"", "constraint expected one operator from ==, !=", false},
        {"node.id>abc", "constraint expected one operator from ==, !=", false},
        {"==abc", "key '' is invalid", false},
        {"a==b", "key 'a' is invalid", false},
        {"1node==b", "key '1node' is invalid", false},
        {"node id==b", "key 'node id' is invalid", false},
        {"node.id.été==b", "key 'node.id.été' is invalid", false},
        {"node.id==", "value '' is invalid", false},
        {"node.id==  ", "value '' is invalid", false},
        {"node.id===x", "value '=x' is invalid", false},
        {"node.id==a,b", "value 'a,b' is invalid", false},
        {"node.id==a@b", "value 'a@b' is invalid", false},
        {"node.id==a\vb", "value 'a\vb' is invalid", false},
        {"node.id==a\tb", "node.id==a\tb", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_arena struct arena arena = {0};
        struct constraints constraints;
        struct error error = {0};
        char *text = arena_string(&arena, rows[i].text);
        int result = constraints_parse(&text, 1, &arena, &constraints, &error);
        assert_int_equal(result, rows[i].is_valid ? 0 : ERR_INVALID);
        assert_string_equal(result == 0 ? constraints.items[0].text : error.message, rows[i].want);
    }
}

static void is_bounded(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct constraints constraints;
    char *long_one = arena_alloc(&arena, CONSTRAINT_SIZE_CHARS + 2), **many = arena_alloc(&arena, (CONSTRAINTS_COUNT + 1) * sizeof *many);
    (void)state;
    memset(long_one, 'a', CONSTRAINT_SIZE_CHARS + 1);
    memcpy(long_one, "node.id==", 9);
    assert_fails(constraints_parse(&long_one, 1, &arena, &constraints, err), ERR_LIMIT, "more than 4096 characters");
    assert_fails(constraints_parse(many, CONSTRAINTS_COUNT + 1, &arena, &constraints, err), ERR_LIMIT, "1025 constraints");
    assert_ok(constraints_parse(NULL, 0, &arena, &constraints, err));
    assert_int_equal(constraints.count, 0);
}

static Node *full_node(struct swarm *swarm)
{
    Node *node = node_make(swarm, "node1");
    node->description->hostname = swarm_copy(swarm, "Web1");
    node->status->addr = swarm_copy(swarm, "10.1.2.3");
    node->role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    node_label(swarm, node, "zone", "East");
    node_label(swarm, node, "Zone", "West");
    engine_label(swarm, node, "disk", "ssd");
    return node;
}

static void holds_where_it_should(void **state)
{
    static const struct {
        const char *text;
        bool holds, holds_on_bare; /* on a node with everything, and on one that said nothing of itself */
    } rows[] = {
        {"node.id == NODE1", true, false},
        {"node.id != node1", false, true},
        {"node.hostname == web1", true, false},
        {"node.hostname != web1", false, true},
        {"node.hostname == web", false, false},
        {"node.hostname == web*", false, false}, /* no globs */
        {"node.role == manager", true, false},
        {"node.role == MANAGER", true, false},
        {"node.role != manager", false, true},
        {"node.role == worker", false, true},
        {"node.platform.os == Linux", true, false},
        {"node.platform.os != windows", true, true},
        {"node.platform.arch == x86_64", true, false},
        {"node.platform.arch == amd64", false, false}, /* the raw string */
        {"node.labels.zone == east", true, false},
        {"NODE.LABELS.zone == east", true, false},
        {"node.labels.Zone == east", false, false}, /* the label's own case counts */
        {"node.labels.Zone == WEST", true, false},
        {"node.labels.none != x", true, true}, /* a missing label is the empty text */
        {"node.labels.none == x", false, false},
        {"engine.labels.disk == ssd", true, false},
        {"engine.labels.disk != ssd", false, true},
        {"engine.labels.zone == east", false, false},
        {"node.labels. == x", false, false}, /* no key of SwarmKit's never holds */
        {"node.labels. != x", false, false},
        {"node.color == x", false, false},
        {"node.color != x", false, false},
        {"node.ip == 10.1.2.3", true, false},
        {"node.ip != 10.1.2.3", false, true},
        {"node.ip == 10.1.2.4", false, false},
        {"node.ip == 10.1.0.0/16", true, false},
        {"node.ip != 10.1.0.0/16", false, true},
        {"node.ip == 10.2.0.0/16", false, false},
        {"node.ip != 10.2.0.0/16", true, true},
        {"node.ip == 10.1.2.3/33", false, false}, /* malformed: neither way */
        {"node.ip != 10.1.2.3/33", false, false},
        {"node.ip != nonsense", false, false},
    };
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    struct constraint_node full, bare;
    Node *empty = MAKE(&swarm, Node, docker__swarmkit__v1__node);
    constraint_node_read(full_node(&swarm), &swarm.arena, &full);
    constraint_node_read(empty, &swarm.arena, &bare);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct constraints constraints;
        char *text = swarm_copy(&swarm, rows[i].text);
        assert_ok(constraints_parse(&text, 1, &swarm.arena, &constraints, err));
        if (constraints_hold(&constraints, &full, NULL) != rows[i].holds ||
            constraints_hold(&constraints, &bare, NULL) != rows[i].holds_on_bare)
            fail_msg("%s: on the full node %d, on the bare one %d", rows[i].text, constraints_hold(&constraints, &full, NULL),
                     constraints_hold(&constraints, &bare, NULL));
    }
    swarm_deinit(&swarm);
}

static void names_the_first_that_fails(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    struct constraint_node node;
    struct constraints constraints;
    size_t failed = 99;
    char *texts[] = {swarm_copy(&swarm, "node.role==manager"), swarm_copy(&swarm, "node.labels.zone==north"), swarm_copy(&swarm, "x.y==z")};
    constraint_node_read(full_node(&swarm), &swarm.arena, &node);
    assert_ok(constraints_parse(texts, 3, &swarm.arena, &constraints, err));
    assert_false(constraints_hold(&constraints, &node, &failed));
    assert_int_equal(failed, 1);
    assert_string_equal(constraint_value_of(&constraints.items[1], &node), "East");
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_refuses_in_swarmkits_words),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(holds_where_it_should),
        cmocka_unit_test(names_the_first_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
