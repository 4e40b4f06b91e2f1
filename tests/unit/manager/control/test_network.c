/* Networks: the predefined ones are shown and stay; none is made yet; what a cluster of Docker's left behind can go. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    bootstrap(&asked);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static void put(const char *id, const char *name, bool is_ingress)
{
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    annotations.name = CONSTANT(name);
    spec.annotations = &annotations;
    spec.ingress = is_ingress;
    network.id = CONSTANT(id);
    network.spec = &spec;
    do_create(&asked.world, &network);
}

static void predefined_networks_are_shown(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListNetworksRequest list = DOCKER__SWARMKIT__V1__LIST_NETWORKS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListNetworksRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_NETWORKS_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__GetNetworkRequest get = DOCKER__SWARMKIT__V1__GET_NETWORK_REQUEST__INIT;
    assert_int_equal(do_call(&asked, ListNetworks, &list)->n_networks, 2);
    char *names[] = {CONSTANT("host")};
    filters.names = names;
    filters.n_names = 1;
    list.filters = &filters;
    const Docker__Swarmkit__V1__ListNetworksResponse *response = do_call(&asked, ListNetworks, &list);
    assert_int_equal(response->n_networks, 1);
    assert_string_equal(response->networks[0]->spec->driver_config->name, "host");
    get.network_id = network_id(&asked, "bridge");
    assert_string_equal(do_call(&asked, GetNetwork, &get)->network->spec->annotations->name, "bridge");
    get.network_id = CONSTANT("n9");
    assert_refused(&asked, GetNetwork, &get, ERR_NOT_FOUND, 5, "network n9 not found");
    get.network_id = CONSTANT("");
    assert_refused(&asked, GetNetwork, &get, ERR_INVALID, 3, "invalid argument");
}

static void creation_says_what_works(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__CreateNetworkRequest request = DOCKER__SWARMKIT__V1__CREATE_NETWORK_REQUEST__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    assert_refused(&asked, CreateNetwork, &request, ERR_INVALID, 3, "invalid argument");
    request.spec = &spec;
    assert_refused(&asked, CreateNetwork, &request, ERR_INVALID, 3, "meta: name must be provided");
    spec.annotations = &annotations;
    annotations.name = CONSTANT("over");
    assert_refused(&asked, CreateNetwork, &request, ERR_UNSUPPORTED, 12,
                   "network over: this cluster cannot create overlay networks yet; attach services to the network host or bridge");
    spec.ingress = true;
    assert_refused(&asked, CreateNetwork, &request, ERR_UNSUPPORTED, 12, "cannot create ingress networks yet");
    spec.attachable = true;
    assert_refused(&asked, CreateNetwork, &request, ERR_INVALID, 3, "ingress network cannot be attachable");
    spec.attachable = false;
    label.key = CONSTANT("com.docker.swarm.predefined");
    annotations.labels = labels;
    annotations.n_labels = 1;
    assert_refused(&asked, CreateNetwork, &request, ERR_PERMISSION, 7,
                   "label com.docker.swarm.predefined is for internally created predefined networks and cannot be applied by users");
}

static void predefined_networks_stay(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveNetworkRequest request = DOCKER__SWARMKIT__V1__REMOVE_NETWORK_REQUEST__INIT;
    char text[128];
    assert_refused(&asked, RemoveNetwork, &request, ERR_INVALID, 3, "invalid argument");
    request.network_id = CONSTANT("n9");
    assert_refused(&asked, RemoveNetwork, &request, ERR_NOT_FOUND, 5, "network n9 not found");
    request.network_id = network_id(&asked, "host");
    snprintf(text, sizeof text, "network %s (host) is a swarm predefined network and cannot be removed", request.network_id);
    assert_refused(&asked, RemoveNetwork, &request, ERR_PRECONDITION, 9, text);
}

static void old_networks_go_when_nobody_uses_them(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveNetworkRequest request = DOCKER__SWARMKIT__V1__REMOVE_NETWORK_REQUEST__INIT;
    Docker__Swarmkit__V1__NetworkAttachmentConfig attachment = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_CONFIG__INIT,
                                                  *list[] = {&attachment};
    put("o1", "over", false);
    Docker__Swarmkit__V1__Service *one = service("s1", "web");
    attachment.target = CONSTANT("o1");
    one->spec->networks = list;
    one->spec->n_networks = 1;
    do_create(&asked.world, one);
    Docker__Swarmkit__V1__Task *its = task("t1", "s1", 1, "n1", DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING);
    its->spec->networks = list;
    its->spec->n_networks = 1;
    do_create(&asked.world, its);
    request.network_id = CONSTANT("o1");
    assert_refused(&asked, RemoveNetwork, &request, ERR_PRECONDITION, 9, "network o1 is in use by service s1");
    do_remove(&asked.world, STORE_SERVICE, "s1");
    assert_refused(&asked, RemoveNetwork, &request, ERR_PRECONDITION, 9, "network o1 is in use by task t1");
    Docker__Swarmkit__V1__Task stopped = copy_of(asked.world.store, task, "t1");
    stopped.desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN;
    do_update(&asked.world, &stopped);
    (void)do_call(&asked, RemoveNetwork, &request);
    assert_null(store_network(asked.world.store, "o1"));
}

static void old_ingress_goes_when_nothing_is_published_on_it(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveNetworkRequest request = DOCKER__SWARMKIT__V1__REMOVE_NETWORK_REQUEST__INIT;
    Docker__Swarmkit__V1__EndpointSpec endpoint = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__INIT;
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, *ports[] = {&port};
    put("i1", "ingress", true);
    Docker__Swarmkit__V1__Service *one = service("s1", "web");
    endpoint.ports = ports;
    endpoint.n_ports = 1;
    one->spec->endpoint = &endpoint;
    do_create(&asked.world, one);
    request.network_id = CONSTANT("i1");
    assert_refused(&asked, RemoveNetwork, &request, ERR_PRECONDITION, 9,
                   "ingress network cannot be removed because service s1 depends on it");
    do_remove(&asked.world, STORE_SERVICE, "s1");
    (void)do_call(&asked, RemoveNetwork, &request);
    assert_null(store_network(asked.world.store, "i1"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(predefined_networks_are_shown),
        test(creation_says_what_works),
        test(predefined_networks_stay),
        test(old_networks_go_when_nobody_uses_them),
        test(old_ingress_goes_when_nothing_is_published_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
