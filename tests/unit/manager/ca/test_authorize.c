/* tests/unit/manager/ca/test_authorize.c – the texts are those that dockerd's agents look for. */
#include "manager/ca/authorize.h"

#include "tests/unit/manager/ca/world.h"

#define REFUSED(who) "Permission denied: unauthorized " who " role: rpc error: code = PermissionDenied desc = "

static const char *const worker_units[] = {"swarm-worker"}, *const manager_units[] = {"swarm-manager"},
                         *const both_units[] = {"swarm-worker", "swarm-manager"}, *const odd_units[] = {"boss"};

static struct ca_papers papers(const char *node_id, const char *cluster_id, const char *const *units, size_t count)
{
    return (struct ca_papers){node_id, cluster_id, units, count};
}

static cluster_message *cluster_without(const char *removed_id)
{
    cluster_message *cluster = MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
    cluster->blacklisted_certificates = mem_array(1, sizeof *cluster->blacklisted_certificates);
    cluster->n_blacklisted_certificates = 1;
    cluster->blacklisted_certificates[0] = MESSAGE_NEW(Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry,
                                                       docker__swarmkit__v1__cluster__blacklisted_certificates_entry);
    message_set_string(&cluster->blacklisted_certificates[0]->key, removed_id);
    return cluster;
}

static void peer_is_who_its_certificate_says(void **state)
{
    (void)state;
    struct ca_papers worker = papers("w", CLUSTER_ID, worker_units, 1), manager = papers("m", CLUSTER_ID, manager_units, 1),
                     both = papers("b", CLUSTER_ID, both_units, 2);
    const char *id;
    assert_ok(ca_authorize(&(struct ca_caller){.papers = &worker}, CLUSTER_ID, NULL, METHOD_NODE, &id, err));
    assert_string_equal(id, "w");
    assert_ok(ca_authorize(&(struct ca_caller){.papers = &manager}, CLUSTER_ID, NULL, METHOD_NODE, &id, err));
    assert_string_equal(id, "m");
    assert_ok(ca_authorize(&(struct ca_caller){.papers = &both}, CLUSTER_ID, NULL, METHOD_MANAGER, &id, err));
    assert_string_equal(id, "b");
    assert_ok(ca_authorize(&(struct ca_caller){0}, CLUSTER_ID, NULL, METHOD_ANYONE, &id, err));
    assert_null(id);
}

static void peer_is_refused_in_swarmkit_s_words(void **state)
{
    (void)state;
    struct ca_papers worker = papers("w", CLUSTER_ID, worker_units, 1), stranger = papers("s", "other", manager_units, 1),
                     nowhere = papers("s", NULL, worker_units, 1), odd = papers("o", CLUSTER_ID, odd_units, 1),
                     none = papers("o", CLUSTER_ID, NULL, 0);
    cluster_message *cluster = cluster_without("w");
    const struct {
        const struct ca_papers *papers;
        const cluster_message *cluster;
        enum method_callers callers;
        const char *message;
    } cases[] = {
        {NULL, NULL, METHOD_NODE, REFUSED("peer") "no client certificates in request"},
        {&worker, NULL, METHOD_MANAGER, REFUSED("peer") "Permission denied: remote certificate not part of OUs: [swarm-manager]"},
        {&odd, NULL, METHOD_NODE, REFUSED("peer") "Permission denied: remote certificate not part of OUs: [swarm-worker swarm-manager]"},
        {&none, NULL, METHOD_NODE, REFUSED("peer") "Permission denied: remote certificate not part of OUs: [swarm-worker swarm-manager]"},
        {&stranger, NULL, METHOD_NODE, REFUSED("peer") "Permission denied: remote certificate not part of organization: " CLUSTER_ID},
        {&nowhere, NULL, METHOD_NODE, REFUSED("peer") "Permission denied: remote certificate not part of organization: " CLUSTER_ID},
        {&worker, cluster, METHOD_NODE, REFUSED("peer") "Permission denied: node w was removed from swarm"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *id = "unset";
        struct error err = {0};
        int failed =
            ca_authorize(&(struct ca_caller){.papers = cases[i].papers}, CLUSTER_ID, cases[i].cluster, cases[i].callers, &id, &err);
        assert_int_equal(failed, ERR_PERMISSION);
        assert_string_equal(err.message, cases[i].message);
        assert_null(id);
    }
    assert_int_equal(error_grpc_status(ERR_PERMISSION), 7);
    message_free(&cluster->base);
}

/* A follower hands on the call of a worker. */
static void manager_may_call_for_another(void **state)
{
    (void)state;
    struct ca_papers manager = papers("m", CLUSTER_ID, manager_units, 1);
    struct ca_caller caller = {.papers = &manager, .is_forwarded = true, .forwarded = papers("w", CLUSTER_ID, worker_units, 1)};
    const char *id;
    assert_ok(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err));
    assert_string_equal(id, "w");
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_MANAGER, &id, err), ERR_PERMISSION,
                 "Permission denied: unauthorized forwarded role, expecting: [swarm-manager]");
    caller.forwarded.cluster_id = "other";
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err), ERR_PERMISSION, "organization mismatch");
    caller.forwarded = papers("", "", NULL, 0); /* as for a caller that showed no certificate */
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err), ERR_PERMISSION,
                 "Permission denied: missing information in forwarded request");
    assert_null(id);
}

/* Trap 25: anyone can send the metadata. */
static void only_managers_are_believed_about_others(void **state)
{
    (void)state;
    struct ca_papers worker = papers("w", CLUSTER_ID, worker_units, 1), stranger = papers("m", "other", manager_units, 1);
    struct ca_caller caller = {.papers = &worker, .is_forwarded = true, .forwarded = papers("m", CLUSTER_ID, manager_units, 1)};
    const char *id;
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_MANAGER, &id, err), ERR_PERMISSION,
                 REFUSED("forwarder") "Permission denied: remote certificate not part of OUs: [swarm-manager]");
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err), ERR_PERMISSION, REFUSED("forwarder"));
    caller.papers = &stranger;
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err), ERR_PERMISSION, REFUSED("forwarder"));
    caller.papers = NULL;
    assert_fails(ca_authorize(&caller, CLUSTER_ID, NULL, METHOD_NODE, &id, err), ERR_PERMISSION,
                 REFUSED("forwarder") "no client certificates in request");
    assert_null(id);
}

static void removed_node_is_refused_by_whatever_way_it_comes(void **state)
{
    (void)state;
    struct ca_papers manager = papers("m", CLUSTER_ID, manager_units, 1);
    struct ca_caller caller = {.papers = &manager, .is_forwarded = true, .forwarded = papers("w", CLUSTER_ID, worker_units, 1)};
    cluster_message *without_worker = cluster_without("w"), *without_manager = cluster_without("m");
    const char *id;
    assert_fails(ca_authorize(&caller, CLUSTER_ID, without_worker, METHOD_NODE, &id, err), ERR_PERMISSION, "node w was removed from swarm");
    assert_fails(ca_authorize(&caller, CLUSTER_ID, without_manager, METHOD_NODE, &id, err), ERR_PERMISSION,
                 "node m was removed from swarm");
    message_free(&without_worker->base);
    message_free(&without_manager->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_is_who_its_certificate_says),
        cmocka_unit_test(peer_is_refused_in_swarmkit_s_words),
        cmocka_unit_test(manager_may_call_for_another),
        cmocka_unit_test(only_managers_are_believed_about_others),
        cmocka_unit_test(removed_node_is_refused_by_whatever_way_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
