/* NEW becomes PENDING where nothing is needed; what needs more waits and says why. */
#include "tests/unit/manager/orchestrator/fixture.h"

static void add_network(struct swarm *swarm, const char *id, const char *name, const char *driver)
{
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Driver config = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    annotations.name = word(name);
    config.name = word(driver);
    spec.annotations = &annotations;
    spec.driver_config = &config;
    network.id = word(id);
    network.spec = &spec;
    do_create(&swarm->world, &network);
    swarm_run(swarm);
}

static void use_network(struct spec *spec, const char *target)
{
    spec->network.target = word(target);
    spec->networks[0] = &spec->network;
    spec->task.networks = spec->networks;
    spec->task.n_networks = 1;
}

static void use_port(struct spec *spec, int mode)
{
    spec->port.target_port = 80;
    spec->port.published_port = 8080;
    spec->port.publish_mode = (Docker__Swarmkit__V1__PortConfig__PublishMode)mode;
    spec->ports[0] = &spec->port;
    spec->endpoint.ports = spec->ports;
    spec->endpoint.n_ports = 1;
    spec->spec.endpoint = &spec->endpoint;
}

#define INGRESS DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS
#define HOST    DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST

static void tasks_on_the_nodes_own_network_pass(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    add_network(&swarm, "net1", "host", "host");
    spec_init(&spec, "web", 1);
    use_network(&spec, "net1");
    swarm_create(&swarm, &spec);
    const task_type *task = swarm_task(&swarm, "web", 1, 0);
    assert_int_equal(task->status->state, STATE(RUNNING));
    assert_int_equal(task->n_networks, 1);
    assert_string_equal(task->networks[0]->network->id, "net1");
    assert_int_equal(task->networks[0]->n_addresses, 0);
    swarm_end(&swarm);
}

static void ports_of_the_nodes_pass_and_show_in_the_endpoint(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    use_port(&spec, HOST);
    swarm_create(&swarm, &spec);
    const task_type *task = swarm_task(&swarm, "web", 1, 0);
    assert_int_equal(task->status->state, STATE(RUNNING));
    assert_int_equal(task->endpoint->ports[0]->published_port, 8080);
    assert_int_equal(swarm_service(&swarm, "web")->endpoint->n_ports, 1);
    assert_int_equal(swarm_service(&swarm, "web")->endpoint->ports[0]->target_port, 80);
    swarm_end(&swarm);
}

static void an_ingress_port_waits_and_says_why(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    use_port(&spec, INGRESS);
    swarm_create(&swarm, &spec);
    const task_type *task = swarm_task(&swarm, "web", 1, 0);
    assert_int_equal(task->status->state, STATE(NEW));
    assert_non_null(strstr(task->status->err, "port 80 with mode=host"));
    use_port(&spec, HOST); /* what waits leaves with the spec that it was for */
    swarm_remove(&swarm, "web");
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(RUNNING)), 1);
    swarm_end(&swarm);
}

static void a_network_that_comes_later_is_noticed(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    use_network(&spec, "bridge");
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_task(&swarm, "web", 1, 0)->status->state, STATE(NEW));
    assert_string_equal(swarm_task(&swarm, "web", 1, 0)->status->err, "network bridge not found");
    add_network(&swarm, "net1", "bridge", "bridge"); /* by its name, too */
    assert_int_equal(swarm_task(&swarm, "web", 1, 0)->status->state, STATE(RUNNING));
    assert_string_equal(swarm_task(&swarm, "web", 1, 0)->status->err, "");
    swarm_end(&swarm);
}

static const Docker__Swarmkit__V1__Network *network_of(void *ctx, const char *id)
{
    return store_network(ctx, id);
}

static void services_can_be_refused_beforehand(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 0);
    add_network(&swarm, "net1", "bridge", "bridge");
    add_network(&swarm, "net2", "blue", "overlay");
    spec_init(&spec, "web", 1);
    assert_ok(allocator_check(&spec.spec, network_of, swarm.world.store, err));
    use_port(&spec, INGRESS);
    assert_fails(allocator_check(&spec.spec, network_of, swarm.world.store, err), ERR_UNSUPPORTED, "port 80");
    use_port(&spec, HOST);
    use_network(&spec, "net1");
    assert_ok(allocator_check(&spec.spec, network_of, swarm.world.store, err));
    use_network(&spec, "net2");
    assert_fails(allocator_check(&spec.spec, network_of, swarm.world.store, err), ERR_UNSUPPORTED, "overlay network blue");
    use_network(&spec, "net3");
    assert_fails(allocator_check(&spec.spec, network_of, swarm.world.store, err), ERR_NOT_FOUND, "net3");
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_on_the_nodes_own_network_pass), cmocka_unit_test(ports_of_the_nodes_pass_and_show_in_the_endpoint),
        cmocka_unit_test(an_ingress_port_waits_and_says_why),  cmocka_unit_test(a_network_that_comes_later_is_noticed),
        cmocka_unit_test(services_can_be_refused_beforehand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
