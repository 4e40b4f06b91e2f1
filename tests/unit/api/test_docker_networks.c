/* tests/unit/api/test_docker_networks.c – the swarm's networks and a manager's own over HTTP. */
#include "tests/unit/api/swarm_fixture.h"

/* One that a swarm of Docker's left behind. */
static void add_overlay(struct swarm *s)
{
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Driver driver = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    annotations.name = CONSTANT("meadow");
    driver.name = CONSTANT("overlay");
    spec.annotations = &annotations;
    network.id = CONSTANT("o1verlay");
    network.spec = &spec;
    network.driver_state = &driver;
    do_create(&s->asked.world, &network);
}

static void networks_are_the_swarms_and_the_nodes(void **state)
{
    struct swarm *s = *state;
    add_overlay(s);
    swarm_get(s, "/networks", 200, "\"Name\":\"meadow\"");
    cleanup_json cJSON *json = swarm_json(s);
    assert_int_equal(cJSON_GetArraySize(json), 4); /* the stand-ins of host and bridge are not among them */
    assert_true(swarm_has(s, "\"Name\":\"bridge\"") && swarm_has(s, "\"Name\":\"host\"") && swarm_has(s, "\"Driver\":\"null\""));
    swarm_get(s, "/networks?filters=%7B%22scope%22%3A%5B%22swarm%22%5D%7D", 200, "\"Name\":\"meadow\"");
    assert_false(swarm_has(s, "\"Name\":\"bridge\""));
    swarm_get(s, "/networks?filters=%7B%22driver%22%3A%5B%22host%22%5D%7D", 200, "\"Name\":\"host\"");
    assert_false(swarm_has(s, "meadow") || swarm_has(s, "\"Name\":\"bridge\""));
    swarm_get(s, "/networks?filters=%7B%22type%22%3A%5B%22custom%22%5D%7D", 200, "meadow");
    assert_false(swarm_has(s, "\"Name\":\"host\""));
    swarm_get(s, "/networks?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D", 200, "\r\n\r\n[]");
    swarm_get(s, "/networks?filters=%7B%22foo%22%3A%5B%22true%22%5D%7D", 400, "nvalid filter 'foo'");
    s->refuses = ERR_UNAVAILABLE;
    swarm_get(s, "/networks", 200, "\"Name\":\"host\""); /* what the node knows alone */
}

static void network_is_found_in_its_scope(void **state)
{
    struct swarm *s = *state;
    add_overlay(s);
    swarm_get(s, "/networks/meadow", 200, "\"Id\":\"o1verlay\"");
    swarm_get(s, "/networks/o1v", 200, "\"Name\":\"meadow\"");
    swarm_get(s, "/networks/meadow?scope=local", 404, "network meadow not found");
    swarm_get(s, "/networks/host", 200, "\"Scope\":\"local\"");
    cleanup_json cJSON *own = swarm_json(s);
    cleanup_free char *by_id = mem_format("/networks/%s", json_string(own, "Id", "")), *beginning = mem_string_n(by_id, 22);
    assert_int_equal(strlen(json_string(own, "Id", "")), 64);
    swarm_get(s, by_id, 200, "\"Name\":\"host\"");
    swarm_get(s, beginning, 200, "\"Name\":\"host\"");
    /* `docker service create --network host` takes this id. */
    swarm_get(s, "/networks/host?scope=swarm", 200, network_id(&s->asked, "host"));
    assert_true(swarm_has(s, "\"Scope\":\"swarm\""));
    swarm_get(s, "/networks/none?scope=swarm", 404, "network none not found");
    swarm_get(s, "/networks/nothing", 404, "{\"message\":\"network nothing not found\"");
}

static void overlay_is_not_there_yet(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/networks/create", "{\"Name\":\"n\",\"Driver\":\"overlay\"}", 501,
               "network n: this cluster cannot create overlay networks yet");
    swarm_post(s, "/networks/create", "{\"Name\":\"n\",\"Driver\":\"overlay\",\"Internal\":7}", 400, "Internal");
    swarm_post(s, "/networks/create", "{\"Name\":\"n\",\"Driver\":\"bridge\"}", 501, "does not make any of its own");
    s->is_worker = true;
    swarm_post(s, "/networks/create", "{\"Name\":\"n\",\"Driver\":\"overlay\"}", 501, "does not do POST");
    swarm_get(s, "/networks", 200, "\r\n\r\n[]");
    swarm_get(s, "/networks/host", 404, "network host not found");
}

static void networks_are_removed(void **state)
{
    struct swarm *s = *state;
    add_overlay(s);
    swarm_ask_for(s, "DELETE", "/networks/meadow", "", 204, "");
    swarm_ask_for(s, "DELETE", "/networks/meadow", "", 404, "network meadow not found");
    swarm_ask_for(s, "DELETE", "/networks/host", "", 403, "host is a pre-defined network and cannot be removed");
    s->is_worker = true;
    swarm_ask_for(s, "DELETE", "/networks/host", "", 404, "network host not found");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(networks_are_the_swarms_and_the_nodes),
        T(network_is_found_in_its_scope),
        T(overlay_is_not_there_yet),
        T(networks_are_removed),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
