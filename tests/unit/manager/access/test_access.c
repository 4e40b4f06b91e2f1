/* The authorisation matrix as a table: every kind of caller × every kind of method, and the claims of those who pass calls on. */
#include "manager/access/access.h"

#include "tests/unit/test.h"

#define CLUSTER   "cluster1"
#define PEER      "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = "
#define FORWARDER "Permission denied: unauthorized forwarder role: rpc error: code = PermissionDenied desc = "

struct claims {
    const char *pairs[12][2];
};

static const char *claimed(void *self, const char *name, size_t index)
{
    const struct claims *claims = self;
    for (size_t i = 0; claims && i < 12 && claims->pairs[i][0]; i++)
        if (strcmp(claims->pairs[i][0], name) == 0 && index-- == 0)
            return claims->pairs[i][1];
    return NULL;
}

static bool was_removed(void *ctx, const char *node_id)
{
    (void)ctx;
    return strcmp(node_id, "removed") == 0;
}

static const struct access_rules rules = {.cluster_id = CLUSTER, .was_removed = was_removed};

static int check(const struct tls_identity *peer, enum method_callers callers, const struct claims *claims, struct access_caller *out,
                 struct error *err)
{
    struct access_call call = {
        .callers = callers, .peer = peer, .peer_address = "10.0.0.7:53186", .metadata = claimed, .self = (void *)(uintptr_t)claims};
    return access_check(&rules, &call, out, err);
}

#define IDENTITY(variable, id, o, ...)                                                                                                     \
    const char *variable##_units[] = {__VA_ARGS__};                                                                                        \
    const struct tls_identity variable = {.common_name = (id),                                                                             \
                                          .organization = (o),                                                                             \
                                          .units = variable##_units,                                                                       \
                                          .unit_count = sizeof variable##_units / sizeof variable##_units[0]}

static void everyone_may_what_the_table_says(void **state)
{
    (void)state;
    IDENTITY(worker, "w1", CLUSTER, "swarm-worker");
    IDENTITY(manager, "m1", CLUSTER, "swarm-manager");
    IDENTITY(stranger, "w1", "cluster2", "swarm-worker");
    IDENTITY(strange_manager, "m1", "cluster2", "swarm-manager");
    IDENTITY(removed, "removed", CLUSTER, "swarm-worker");
    IDENTITY(removed_manager, "removed", CLUSTER, "swarm-manager");
    IDENTITY(ca, "swarm-ca", CLUSTER, "swarm-ca");
    IDENTITY(both, "b1", CLUSTER, "swarm-worker", "swarm-manager");
    IDENTITY(nowhere, "w1", "", "swarm-worker");
    const struct tls_identity no_role = {.common_name = "w1", .organization = CLUSTER};
    const struct {
        const char *who;
        const struct tls_identity *peer;
        const char *node, *manager; /* NULL: may; else the refusal */
        const char *seen_as;        /* by a method for anyone */
    } table[] = {
        {"nobody", NULL, "no client certificates in request", "no client certificates in request", ""},
        {"a worker", &worker, NULL, "remote certificate not part of OUs: [swarm-manager]", "w1"},
        {"a manager", &manager, NULL, NULL, "m1"},
        {"another cluster's worker", &stranger, "remote certificate not part of organization: cluster1",
         "remote certificate not part of OUs: [swarm-manager]", ""},
        {"another cluster's manager", &strange_manager, "remote certificate not part of organization: cluster1",
         "remote certificate not part of organization: cluster1", ""},
        {"a removed worker", &removed, "node removed was removed from swarm", "remote certificate not part of OUs: [swarm-manager]", ""},
        {"a removed manager", &removed_manager, "node removed was removed from swarm", "node removed was removed from swarm", ""},
        {"another role", &ca, "remote certificate not part of OUs: [swarm-worker swarm-manager]",
         "remote certificate not part of OUs: [swarm-manager]", ""},
        {"one of two roles", &both, NULL, NULL, "b1"},
        {"one without a cluster", &nowhere, "remote certificate not part of organization: cluster1",
         "remote certificate not part of OUs: [swarm-manager]", ""},
        {"one without a role", &no_role, "remote certificate not part of OUs: [swarm-worker swarm-manager]",
         "remote certificate not part of OUs: [swarm-manager]", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct access_caller caller;
        assert_ok(check(table[i].peer, METHOD_ANYONE, NULL, &caller, err));
        assert_string_equal(caller.node_id, table[i].seen_as);
        const enum method_callers kinds[] = {METHOD_NODE, METHOD_MANAGER};
        for (int kind = 0; kind < 2; kind++) {
            const char *refusal = kind ? table[i].manager : table[i].node;
            if (refusal) {
                assert_fails(check(table[i].peer, kinds[kind], NULL, &caller, err), ERR_PERMISSION, refusal);
                assert_fails(check(table[i].peer, kinds[kind], NULL, &caller, err), ERR_PERMISSION, PEER);
            } else {
                assert_ok(check(table[i].peer, kinds[kind], NULL, &caller, err));
                assert_string_equal(caller.node_id, table[i].peer->common_name);
                assert_string_equal(caller.address, "10.0.0.7:53186");
                assert_false(caller.is_forwarded);
            }
        }
    }
}

static void only_a_manager_speaks_for_others(void **state)
{
    (void)state;
    IDENTITY(worker, "w1", CLUSTER, "swarm-worker");
    IDENTITY(manager, "m1", CLUSTER, "swarm-manager");
    IDENTITY(strange_manager, "m1", "cluster2", "swarm-manager");
    IDENTITY(removed_manager, "removed", CLUSTER, "swarm-manager");
    const struct claims of_worker = {{{"forwarded_cert", "true"},
                                      {"forwarded_cert_cn", "w2"},
                                      {"forwarded_cert_org", CLUSTER},
                                      {"forwarded_cert_ou", "swarm-worker"},
                                      {"remote_addr", "10.0.0.9:4000"},
                                      {"redirect", "10.0.0.9:4000"}}};
    const struct claims of_manager = {{{"forwarded_cert", "true"},
                                       {"forwarded_cert_cn", "m2"},
                                       {"forwarded_cert_org", CLUSTER},
                                       {"forwarded_cert_ou", "swarm-other"},
                                       {"forwarded_cert_ou", "swarm-manager"}}};
    const struct claims of_removed = {{{"forwarded_cert", "true"},
                                       {"forwarded_cert_cn", "removed"},
                                       {"forwarded_cert_org", CLUSTER},
                                       {"forwarded_cert_ou", "swarm-worker"}}};
    const struct claims of_stranger = {{{"forwarded_cert", "true"},
                                        {"forwarded_cert_cn", "w2"},
                                        {"forwarded_cert_org", "cluster2"},
                                        {"forwarded_cert_ou", "swarm-worker"}}};
    const struct claims of_other = {
        {{"forwarded_cert", "true"}, {"forwarded_cert_cn", "w2"}, {"forwarded_cert_org", CLUSTER}, {"forwarded_cert_ou", "swarm-other"}}};
    const struct claims of_nobody = {{{"forwarded_cert", "true"}, {"forwarded_cert_cn", ""}, {"forwarded_cert_org", ""}}};
    const struct claims not_forwarded = {
        {{"forwarded_cert_cn", "m2"}, {"forwarded_cert_org", CLUSTER}, {"forwarded_cert_ou", "swarm-manager"}}};
    struct access_caller caller;

    assert_ok(check(&manager, METHOD_NODE, &of_worker, &caller, err));
    assert_string_equal(caller.node_id, "w2");
    assert_string_equal(caller.address, "10.0.0.9:4000");
    assert_true(caller.is_forwarded && !caller.is_manager);
    assert_fails(check(&manager, METHOD_MANAGER, &of_worker, &caller, err), ERR_PERMISSION,
                 "Permission denied: unauthorized forwarded role, expecting: [swarm-manager]");
    assert_ok(check(&manager, METHOD_MANAGER, &of_manager, &caller, err));
    assert_string_equal(caller.node_id, "m2");
    assert_true(caller.is_manager);
    assert_fails(check(&manager, METHOD_NODE, &of_removed, &caller, err), ERR_PERMISSION, "node removed was removed from swarm");
    assert_fails(check(&manager, METHOD_NODE, &of_stranger, &caller, err), ERR_PERMISSION,
                 "Permission denied: organization mismatch, expecting: cluster1");
    assert_fails(check(&manager, METHOD_NODE, &of_other, &caller, err), ERR_PERMISSION,
                 "Permission denied: unauthorized forwarded role, expecting: [swarm-worker swarm-manager]");
    assert_fails(check(&manager, METHOD_NODE, &of_nobody, &caller, err), ERR_PERMISSION, "missing information in forwarded request");
    assert_ok(check(&manager, METHOD_ANYONE, &of_nobody, &caller, err));
    assert_string_equal(caller.node_id, "");

    assert_fails(check(&worker, METHOD_NODE, &of_manager, &caller, err), ERR_PERMISSION,
                 FORWARDER "Permission denied: remote certificate not part of OUs: [swarm-manager]");
    assert_fails(check(&worker, METHOD_ANYONE, &of_manager, &caller, err), ERR_PERMISSION, FORWARDER);
    assert_fails(check(NULL, METHOD_MANAGER, &of_manager, &caller, err), ERR_PERMISSION, FORWARDER "no client certificates in request");
    assert_fails(check(&strange_manager, METHOD_NODE, &of_worker, &caller, err), ERR_PERMISSION,
                 FORWARDER "Permission denied: remote certificate not part of organization: cluster1");
    assert_fails(check(&removed_manager, METHOD_NODE, &of_worker, &caller, err), ERR_PERMISSION,
                 FORWARDER "Permission denied: node removed was removed from swarm");
    assert_ok(check(&worker, METHOD_NODE, &not_forwarded, &caller, err)); /* the claim is not made: the certificate counts */
    assert_string_equal(caller.node_id, "w1");
}

static const char *find(const struct grpc_metadatum *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return list[i].value;
    return NULL;
}

static void what_is_passed_on_says_who_called_and_only_once(void **state)
{
    (void)state;
    IDENTITY(worker, "w1", CLUSTER, "swarm-worker");
    struct grpc_metadatum list[ACCESS_FORWARD_MOST];
    struct access_caller caller;
    struct access_call call = {.callers = METHOD_NODE, .peer = &worker, .peer_address = "10.0.0.7:53186", .metadata = claimed};
    assert_ok(access_check(&rules, &call, &caller, err));
    size_t count = access_forward_metadata(&call, &caller, list);
    assert_string_equal(find(list, count, "redirect"), "10.0.0.7:53186");
    assert_string_equal(find(list, count, "forwarded_cert"), "true");
    assert_string_equal(find(list, count, "forwarded_cert_cn"), "w1");
    assert_string_equal(find(list, count, "forwarded_cert_org"), CLUSTER);
    assert_string_equal(find(list, count, "forwarded_cert_ou"), "swarm-worker");
    assert_string_equal(find(list, count, "remote_addr"), "10.0.0.7:53186");
    assert_ok(access_may_forward(&call, err));

    call.peer = NULL;
    call.callers = METHOD_ANYONE;
    assert_ok(access_check(&rules, &call, &caller, err));
    count = access_forward_metadata(&call, &caller, list);
    assert_string_equal(find(list, count, "forwarded_cert_cn"), ""); /* there all the same */
    assert_string_equal(find(list, count, "forwarded_cert_org"), "");
    assert_null(find(list, count, "forwarded_cert_ou"));

    const struct claims once = {{{"redirect", "10.0.0.1:1"}}};
    call.self = (void *)(uintptr_t)&once;
    assert_fails(access_may_forward(&call, err), ERR_LIMIT, "more than one redirect to leader from: [10.0.0.1:1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_may_what_the_table_says),
        cmocka_unit_test(only_a_manager_speaks_for_others),
        cmocka_unit_test(what_is_passed_on_says_who_called_and_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
