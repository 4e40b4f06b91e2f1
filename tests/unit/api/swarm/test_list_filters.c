/* tests/unit/api/swarm/test_list_filters.c – filters= as managers take them. */
#include "tests/unit/test.h"

#include "api/swarm/list_filters.h"

static void nodes_are_filtered(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__ListNodesRequest__Filters *filters = NULL;
    assert_ok(
        swarm_node_filters("{\"name\":{\"a\":true,\"b\":true},\"id\":[\"x\"],\"label\":[\"k=v\",\"bare\",\"k=w=x\"],\"node.label\":[\"z\"],"
                           "\"role\":[\"Manager\",\"\"],\"membership\":[\"accepted\"]}",
                           &arena, &filters, err));
    assert_int_equal(filters->n_name_prefixes, 2);
    assert_string_equal(filters->name_prefixes[1], "b");
    assert_string_equal(filters->id_prefixes[0], "x");
    assert_int_equal(filters->n_names, 0);
    assert_int_equal(filters->n_labels, 2);
    assert_string_equal(filters->labels[0]->key, "k");
    assert_string_equal(filters->labels[0]->value, "w=x");
    assert_string_equal(filters->labels[1]->key, "bare");
    assert_string_equal(filters->labels[1]->value, "");
    assert_string_equal(filters->node_labels[0]->key, "z");
    assert_int_equal(filters->n_roles, 1);
    assert_int_equal(filters->roles[0], DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_int_equal(filters->memberships[0], DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    assert_fails(swarm_node_filters("{\"role\":[\"king\"]}", &arena, &filters, err), ERR_INVALID, "Invalid role filter: 'king'");
    assert_fails(swarm_node_filters("{\"membership\":[\"x\"]}", &arena, &filters, err), ERR_INVALID, "Invalid membership filter: 'x'");
    assert_fails(swarm_node_filters("{\"service\":[\"x\"]}", &arena, &filters, err), ERR_INVALID, "invalid filter 'service'");
    assert_ok(swarm_node_filters(NULL, &arena, &filters, err));
    assert_int_equal(filters->n_roles + filters->n_name_prefixes + filters->n_labels, 0);
}

static void tasks_are_filtered(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__ListTasksRequest__Filters *filters = NULL;
    assert_ok(swarm_task_filters(
        "{\"service\":[\"web\"],\"node\":[\"n\",\"m\"],\"desired-state\":[\"running\",\"SHUTDOWN\"],\"_up-to-date\":[\"true\"]}", &arena,
        &filters, err));
    assert_string_equal(filters->service_ids[0], "web");
    assert_int_equal(filters->n_node_ids, 2);
    assert_int_equal(filters->desired_states[0], DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING);
    assert_int_equal(filters->desired_states[1], DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN);
    assert_true(filters->up_to_date);
    assert_int_equal(filters->n_runtimes, 2);
    assert_string_equal(filters->runtimes[0], "container");
    assert_string_equal(filters->runtimes[1], "");
    assert_ok(swarm_task_filters("{\"runtime\":[\"plugin\"]}", &arena, &filters, err));
    assert_int_equal(filters->n_runtimes, 1);
    assert_false(filters->up_to_date);
    assert_fails(swarm_task_filters("{\"desired-state\":[\"flying\"]}", &arena, &filters, err), ERR_INVALID,
                 "Invalid desired-state filter: 'flying'");
}

static void services_are_filtered_by_mode_here(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__ListServicesRequest__Filters *filters = NULL;
    struct filters all;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__ServiceSpec spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    service.spec = &spec;
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    assert_ok(swarm_service_filters("{\"mode\":[\"global-job\",\"global\"],\"name\":[\"w\"]}", &arena, &filters, &all, err));
    assert_string_equal(filters->name_prefixes[0], "w");
    assert_string_equal(filters->runtimes[0], "container");
    assert_true(swarm_service_has_mode(&service, &all));
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    assert_false(swarm_service_has_mode(&service, &all));
    assert_ok(swarm_service_filters("", &arena, &filters, &all, err));
    assert_true(swarm_service_has_mode(&service, &all));
}

static void secrets_and_configs_are_filtered(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__ListSecretsRequest__Filters *secrets = NULL;
    Docker__Swarmkit__V1__ListConfigsRequest__Filters *configs = NULL;
    assert_ok(swarm_secret_filters("{\"names\":[\"whole\"],\"name\":[\"beginning\"],\"label\":[\"a=b\"]}", &arena, &secrets, err));
    assert_string_equal(secrets->names[0], "whole");
    assert_string_equal(secrets->name_prefixes[0], "beginning");
    assert_string_equal(secrets->labels[0]->value, "b");
    assert_ok(swarm_config_filters("{\"id\":[\"i\"]}", &arena, &configs, err));
    assert_string_equal(configs->id_prefixes[0], "i");
    assert_fails(swarm_config_filters("{\"names\":[\"a\"]}", &arena, &configs, err), ERR_INVALID, "invalid filter 'names'");
}

static void networks_are_matched_here(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct filters all;
    char id[] = "abc", name[] = "wires", overlay[] = "overlay", key[] = "a", value[] = "b";
    Docker__Swarmkit__V1__Annotations__LabelsEntry entry = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *entries[] = {&entry};
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Driver driver = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    entry.key = key;
    entry.value = value;
    annotations.name = name;
    annotations.n_labels = 1;
    annotations.labels = entries;
    spec.annotations = &annotations;
    driver.name = overlay;
    network.id = id;
    network.spec = &spec;
    network.driver_state = &driver;
    static const struct {
        const char *filters;
        bool matches;
    } cases[] = {
        {"{}", true},
        {"{\"name\":[\"ire\"]}", true},
        {"{\"name\":[\"^ire\"]}", false},
        {"{\"id\":[\"ab\"]}", true},
        {"{\"driver\":[\"bridge\"]}", false},
        {"{\"driver\":[\"bridge\",\"overlay\"]}", true},
        {"{\"scope\":[\"swarm\"]}", true},
        {"{\"scope\":[\"local\"]}", false},
        {"{\"type\":[\"builtin\"]}", false},
        {"{\"type\":[\"custom\"]}", true},
        {"{\"label\":[\"a\"]}", true},
        {"{\"label\":[\"a=b\"]}", true},
        {"{\"label\":[\"a=c\"]}", false},
        {"{\"label\":[\"a\",\"z\"]}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(swarm_network_filters(cases[i].filters, &arena, &all, err));
        if (swarm_network_matches(&network, &all) != cases[i].matches)
            fail_msg("%s", cases[i].filters);
    }
    assert_fails(swarm_network_filters("{\"type\":[\"x\"]}", &arena, &all, err), ERR_INVALID, "invalid filter: 'type'='x'");
    assert_fails(swarm_network_filters("{\"dangling\":[\"x\"]}", &arena, &all, err), ERR_INVALID, "'dangling'='x'");
    assert_fails(swarm_network_filters("{\"foo\":[\"x\"]}", &arena, &all, err), ERR_INVALID, "invalid filter 'foo'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_filtered),
        cmocka_unit_test(tasks_are_filtered),
        cmocka_unit_test(services_are_filtered_by_mode_here),
        cmocka_unit_test(secrets_and_configs_are_filtered),
        cmocka_unit_test(networks_are_matched_here),
    };
    return cmocka_run_group_tests_name("api/swarm/list_filters", tests, NULL, NULL);
}
