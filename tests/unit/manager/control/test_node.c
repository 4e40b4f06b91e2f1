/* Nodes: listed through each filter, drained, promoted, demoted within the quorum, and removed with all that goes with it. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    bootstrap(&asked);
    asked.members[0] = (struct member_of){"m1", 77, true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

/* A node with a wish, and a role that it has. */
static void put(const char *id, const char *hostname, bool is_manager, int state)
{
    Docker__Swarmkit__V1__Node *one = node(id, hostname);
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    status.state = (Docker__Swarmkit__V1__NodeStatus__State)state;
    one->status = &status;
    one->role = one->spec->desired_role = is_manager ? DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER : DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    one->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    certificate.certificate = (ProtobufCBinaryData){16, (uint8_t *)CONSTANT("until 1790000100")};
    one->certificate = &certificate;
    do_create(&asked.world, one);
}

#define READY DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY
#define DOWN  DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN

static void manager_is_shown_with_its_place_in_the_group(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetNodeRequest request = DOCKER__SWARMKIT__V1__GET_NODE_REQUEST__INIT;
    assert_refused(&asked, GetNode, &request, ERR_INVALID, 3, "invalid argument");
    request.node_id = CONSTANT("n9");
    assert_refused(&asked, GetNode, &request, ERR_NOT_FOUND, 5, "node n9 not found");
    request.node_id = CONSTANT("m1");
    const Docker__Swarmkit__V1__GetNodeResponse *response = do_call(&asked, GetNode, &request);
    assert_int_equal(response->node->manager_status->raft_id, 77);
    assert_string_equal(response->node->manager_status->addr, "10.0.0.1:2377");
    assert_true(response->node->manager_status->leader);
    assert_int_equal(response->node->manager_status->reachability, DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__REACHABLE);
    assert_null(store_node(asked.world.store, "m1")->manager_status);
    put("n1", "one", false, READY);
    request.node_id = CONSTANT("n1");
    assert_null(do_call(&asked, GetNode, &request)->node->manager_status);
}

static const char *listed(const Docker__Swarmkit__V1__ListNodesRequest *request)
{
    static char ids[256];
    const Docker__Swarmkit__V1__ListNodesResponse *response = do_call(&asked, ListNodes, request);
    ids[0] = 0;
    for (size_t i = 0; i < response->n_nodes; i++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%s", i ? " " : "", response->nodes[i]->id);
    return ids;
}

static void lists_go_through_every_filter(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListNodesRequest request = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    Docker__Swarmkit__V1__ListNodesRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__ListNodesRequest__Filters__LabelsEntry wanted =
                                                                     DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__FILTERS__LABELS_ENTRY__INIT,
                                                                 *wanted_list[] = {&wanted};
    Docker__Swarmkit__V1__ListNodesRequest__Filters__NodeLabelsEntry
        node_wanted = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__FILTERS__NODE_LABELS_ENTRY__INIT,
        *node_wanted_list[] = {&node_wanted};
    put("n1", "alpha", false, READY);
    Docker__Swarmkit__V1__Node *one = node("n2", "alps");
    Docker__Swarmkit__V1__EngineDescription engine = DOCKER__SWARMKIT__V1__ENGINE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__EngineDescription__LabelsEntry engine_label = DOCKER__SWARMKIT__V1__ENGINE_DESCRIPTION__LABELS_ENTRY__INIT,
                                                         *engine_labels[] = {&engine_label};
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    engine_label.key = CONSTANT("disk");
    engine_label.value = CONSTANT("fast");
    engine.labels = engine_labels;
    engine.n_labels = 1;
    one->description->engine = &engine;
    label.key = CONSTANT("zone");
    label.value = CONSTANT("a");
    annotations.labels = labels;
    annotations.n_labels = 1;
    one->spec->annotations = &annotations;
    do_create(&asked.world, one);

    assert_string_equal(listed(&request), "m1 n1 n2");
    request.filters = &filters;
    assert_string_equal(listed(&request), "m1 n1 n2");
    char *names[] = {CONSTANT("alps")}, *prefixes[] = {CONSTANT("al")}, *ids[] = {CONSTANT("n")}, *empty[] = {CONSTANT("")};
    filters.names = names;
    filters.n_names = 1;
    assert_string_equal(listed(&request), "n2");
    filters.names = empty;
    assert_string_equal(listed(&request), ""); /* m1 never said its name: that is not the empty one */
    filters.n_names = 0;
    filters.name_prefixes = prefixes;
    filters.n_name_prefixes = 1;
    assert_string_equal(listed(&request), "n1 n2");
    filters.n_name_prefixes = 0;
    filters.id_prefixes = ids;
    filters.n_id_prefixes = 1;
    assert_string_equal(listed(&request), "n1 n2");
    filters.n_id_prefixes = 0;
    wanted.key = CONSTANT("disk");
    filters.labels = wanted_list;
    filters.n_labels = 1;
    assert_string_equal(listed(&request), "n2");
    wanted.key = CONSTANT("zone");
    assert_string_equal(listed(&request), "");
    filters.n_labels = 0;
    node_wanted.key = CONSTANT("zone");
    node_wanted.value = CONSTANT("a");
    filters.node_labels = node_wanted_list;
    filters.n_node_labels = 1;
    assert_string_equal(listed(&request), "n2");
    filters.n_node_labels = 0;
    Docker__Swarmkit__V1__NodeRole roles[] = {DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER};
    filters.roles = roles;
    filters.n_roles = 1;
    assert_string_equal(listed(&request), "m1");
    roles[0] = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    assert_string_equal(listed(&request), "n1 n2");
    filters.n_roles = 0;
    Docker__Swarmkit__V1__NodeSpec__Membership memberships[] = {DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING};
    filters.memberships = memberships;
    filters.n_memberships = 1;
    assert_string_equal(listed(&request), "n2");
}

/* --- update --- */

struct node_update {
    Docker__Swarmkit__V1__UpdateNodeRequest request;
    Docker__Swarmkit__V1__NodeSpec spec;
    Docker__Swarmkit__V1__Version version;
};

/* As Docker's API sends it: the spec as it is, membership left out. */
static Docker__Swarmkit__V1__UpdateNodeRequest *update_of(struct node_update *update, const char *id)
{
    const Docker__Swarmkit__V1__Node *stored = store_node(asked.world.store, id);
    docker__swarmkit__v1__update_node_request__init(&update->request);
    docker__swarmkit__v1__version__init(&update->version);
    update->spec = *stored->spec;
    update->spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING;
    update->version.index = stored->meta->version->index;
    update->request.node_id = stored->id;
    update->request.node_version = &update->version;
    update->request.spec = &update->spec;
    return &update->request;
}

static void drained_node_stays_accepted(void **state)
{
    (void)state;
    struct node_update update;
    put("n1", "one", false, READY);
    update_of(&update, "n1");
    update.spec.availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    update.spec.annotations = NULL;
    const Docker__Swarmkit__V1__UpdateNodeResponse *response = do_call(&asked, UpdateNode, &update.request);
    assert_int_equal(response->node->spec->availability, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN);
    assert_int_equal(response->node->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    assert_non_null(response->node->spec->annotations); /* always there, as in SwarmKit */
    assert_string_equal(response->node->description->hostname, "one");
    assert_refused(&asked, UpdateNode, &update.request, ERR_PRECONDITION, 2, "update out of sequence"); /* of the old version */
}

static void pending_node_may_be_accepted(void **state)
{
    (void)state;
    struct node_update update;
    do_create(&asked.world, node("n1", "one"));
    update_of(&update, "n1");
    (void)do_call(&asked, UpdateNode, &update.request);
    assert_int_equal(store_node(asked.world.store, "n1")->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING);
    update_of(&update, "n1");
    update.spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    (void)do_call(&asked, UpdateNode, &update.request);
    assert_int_equal(store_node(asked.world.store, "n1")->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
}

static void update_names_its_node_version_and_spec(void **state)
{
    (void)state;
    struct node_update update;
    update_of(&update, "m1")->node_version = NULL;
    assert_refused(&asked, UpdateNode, &update.request, ERR_INVALID, 3, "invalid argument");
    update_of(&update, "m1")->spec = NULL;
    assert_refused(&asked, UpdateNode, &update.request, ERR_INVALID, 3, "invalid argument");
    update_of(&update, "m1")->node_id = CONSTANT("");
    assert_refused(&asked, UpdateNode, &update.request, ERR_INVALID, 3, "invalid argument");
    update_of(&update, "m1")->node_id = CONSTANT("n9");
    assert_refused(&asked, UpdateNode, &update.request, ERR_NOT_FOUND, 5, "node n9 not found");
    update_of(&update, "m1");
    update.spec.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)9;
    assert_refused(&asked, UpdateNode, &update.request, ERR_INVALID, 3, "NodeSpec.availability has no value 9");
}

static void demotion_leaves_a_quorum(void **state)
{
    (void)state;
    struct node_update update;
    update_of(&update, "m1");
    update.spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    assert_refused(&asked, UpdateNode, &update.request, ERR_PRECONDITION, 9, "attempting to demote the last manager of the swarm");
    put("m2", "two", true, READY);
    update_of(&update, "m2");
    update.spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    assert_refused(&asked, UpdateNode, &update.request, ERR_NOT_FOUND, 5, "can't find manager in raft memberlist");
    asked.members[1] = (struct member_of){"m2", 78, false};
    asked.has_no_quorum = true;
    assert_refused(&asked, UpdateNode, &update.request, ERR_PRECONDITION, 9,
                   "can't remove member from the raft: this would result in a loss of quorum");
    asked.has_no_quorum = false;
    const Docker__Swarmkit__V1__UpdateNodeResponse *response = do_call(&asked, UpdateNode, &update.request);
    assert_int_equal(response->node->spec->desired_role, DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_int_equal(response->node->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER); /* until it is out of the group */
    update_of(&update, "m1"); /* m2 is still a member, and will not be: m1 is the last one */
    update.spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    assert_refused(&asked, UpdateNode, &update.request, ERR_PRECONDITION, 9, "attempting to demote the last manager of the swarm");
    asked.has_no_quorum = true;
    update_of(&update, "m2");
    update.spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    (void)do_call(&asked, UpdateNode, &update.request); /* promotion asks for no quorum */
}

/* --- remove --- */

static Docker__Swarmkit__V1__RemoveNodeRequest removal_of(const char *id, bool is_forced)
{
    Docker__Swarmkit__V1__RemoveNodeRequest request = DOCKER__SWARMKIT__V1__REMOVE_NODE_REQUEST__INIT;
    request.node_id = CONSTANT(id);
    request.force = is_forced;
    return request;
}

static void node_that_is_up_or_manages_is_not_removed(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("", false);
    assert_refused(&asked, RemoveNode, &request, ERR_INVALID, 3, "invalid argument");
    request = removal_of("n9", false);
    assert_refused(&asked, RemoveNode, &request, ERR_NOT_FOUND, 5, "node n9 not found");
    request = removal_of("m1", true);
    assert_refused(&asked, RemoveNode, &request, ERR_PRECONDITION, 9,
                   "node m1 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal");
    put("n1", "one", false, READY);
    request = removal_of("n1", false);
    assert_refused(&asked, RemoveNode, &request, ERR_PRECONDITION, 9, "node n1 is not down and can't be removed");
    request = removal_of("n1", true);
    (void)do_call(&asked, RemoveNode, &request);
    assert_null(store_node(asked.world.store, "n1"));
}

static const Docker__Swarmkit__V1__Cluster *cluster(void)
{
    return store_cluster(asked.world.store, "c1");
}

static void removed_nodes_certificate_is_refused_until_it_is_long_expired(void **state)
{
    (void)state;
    put("n1", "one", false, DOWN);
    put("n2", "two", false, DOWN);
    do_create(&asked.world, node("n3", "three")); /* has no certificate, no status */
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("n1", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(cluster()->n_blacklisted_certificates, 1);
    assert_string_equal(cluster()->blacklisted_certificates[0]->key, "n1");
    assert_int_equal(cluster()->blacklisted_certificates[0]->value->expiry->seconds, 1790000100);
    request = removal_of("n3", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(cluster()->n_blacklisted_certificates, 2);
    assert_null(cluster()->blacklisted_certificates[1]->value->expiry);
    asked.world.wall_ns += (100 + 7 * 86400 + 1) * (int64_t)NS_PER_S;
    put("n4", "four", false, DOWN);
    request = removal_of("n4", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(cluster()->n_blacklisted_certificates, 1); /* n4's is as old as n1's; that of n3 has no end */
    assert_string_equal(cluster()->blacklisted_certificates[0]->key, "n3");
}

static void put_tasks(const char *node_id, int count, int state, char *text)
{
    for (int i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "t%d-%s", i, node_id);
        Docker__Swarmkit__V1__Task *one = task(id, "s1", 1, node_id, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING);
        one->status->state = (Docker__Swarmkit__V1__TaskState)state;
        Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
        char *env[] = {text};
        if (text) {
            container.env = env;
            container.n_env = 1;
            one->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
            one->spec->container = &container;
        }
        do_create(&asked.world, one);
    }
}

static void removed_nodes_tasks_are_orphans(void **state)
{
    (void)state;
    put("n1", "one", false, DOWN);
    put("n2", "two", false, DOWN);
    put_tasks("n1", 1, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, NULL);
    put_tasks("n2", 1, DOCKER__SWARMKIT__V1__TASK_STATE__FAILED, NULL);
    do_create(&asked.world, task("other", "s1", 1, "m1", 0));
    int entries = asked.world.entries_count;
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("n1", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(asked.world.entries_count, entries + 1);
    const Docker__Swarmkit__V1__Task *orphan = store_task(asked.world.store, "t0-n1");
    assert_int_equal(orphan->status->state, DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED);
    assert_string_equal(orphan->status->message, "Task belonged to a node that has been deleted");
    assert_int_equal(orphan->status->timestamp->seconds, 1790000000);
    request = removal_of("n2", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(store_task(asked.world.store, "t0-n2")->status->state, DOCKER__SWARMKIT__V1__TASK_STATE__FAILED);
    assert_int_equal(store_task(asked.world.store, "other")->status->state, DOCKER__SWARMKIT__V1__TASK_STATE__NEW);
}

static void assert_all_orphans(int count)
{
    for (int i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "t%d-n1", i);
        assert_int_equal(store_task(asked.world.store, id)->status->state, DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED);
    }
}

/* More tasks than changes fit into one transaction. */
static void node_with_very_many_tasks_is_removed_in_several_steps(void **state)
{
    (void)state;
    put("n1", "one", false, DOWN);
    put_tasks("n1", 450, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, NULL);
    int entries = asked.world.entries_count;
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("n1", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(asked.world.entries_count, entries + 3);
    assert_null(store_node(asked.world.store, "n1"));
    assert_int_equal(cluster()->n_blacklisted_certificates, 1);
    assert_all_orphans(450);
}

/* As many as fit beside the cluster's change, but for the node's own removal. */
static void removal_of_the_node_needs_room_too(void **state)
{
    (void)state;
    put("n1", "one", false, DOWN);
    put_tasks("n1", STORE_ACTIONS_COUNT - 1, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, NULL);
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("n1", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_null(store_node(asked.world.store, "n1"));
    assert_all_orphans(STORE_ACTIONS_COUNT - 1);
}

/* Or more bytes. */
static void node_with_large_tasks_is_removed_in_several_steps(void **state)
{
    (void)state;
    static char text[100 * 1024];
    memset(text, 'x', sizeof text - 1);
    put("n1", "one", false, DOWN);
    put_tasks("n1", 12, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, text);
    int entries = asked.world.entries_count;
    Docker__Swarmkit__V1__RemoveNodeRequest request = removal_of("n1", false);
    (void)do_call(&asked, RemoveNode, &request);
    assert_int_equal(asked.world.entries_count, entries + 3); /* five at a time */
    assert_null(store_node(asked.world.store, "n1"));
    assert_all_orphans(12);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(manager_is_shown_with_its_place_in_the_group),
        test(lists_go_through_every_filter),
        test(drained_node_stays_accepted),
        test(pending_node_may_be_accepted),
        test(update_names_its_node_version_and_spec),
        test(demotion_leaves_a_quorum),
        test(node_that_is_up_or_manages_is_not_removed),
        test(removed_nodes_certificate_is_refused_until_it_is_long_expired),
        test(removed_nodes_tasks_are_orphans),
        test(node_with_very_many_tasks_is_removed_in_several_steps),
        test(removal_of_the_node_needs_room_too),
        test(node_with_large_tasks_is_removed_in_several_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
