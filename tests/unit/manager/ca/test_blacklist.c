/* tests/unit/manager/ca/test_blacklist.c */
#include "manager/ca/blacklist.h"

#include "manager/ca/authorize.h"
#include "tests/unit/manager/ca/world.h"

#define WEEK_NS (7 * DAY_NS)

static cluster_message *cluster_new(void)
{
    return MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
}

/* dockerd's own certificate, good until 2027-02-21T22:45:00Z. */
static node_message *node_with_certificate(const char *name)
{
    cleanup_buf struct buf chain = {0};
    node_message *node = node_in(STATE(ISSUED), NULL);
    if (name)
        message_set_bytes(&node->certificate->certificate, fixture(&chain, name));
    return node;
}

static void removed_node_is_refused_until_a_week_after_its_certificate(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_new();
    node_message *node = node_with_certificate("manager-1.crt");
    static const char *const units[] = {"swarm-manager"};
    struct ca_papers papers = {NODE_ID, CLUSTER_ID, units, 1};
    struct ca_caller caller = {.papers = &papers};
    const char *id;
    int64_t end_ns = instant("2027-02-21T22:45:00Z");
    assert_ok(ca_authorize(&caller, CLUSTER_ID, cluster, METHOD_NODE, &id, err));
    ca_blacklist_add(cluster, node);
    assert_fails(ca_authorize(&caller, CLUSTER_ID, cluster, METHOD_NODE, &id, err), ERR_PERMISSION, "was removed from swarm");
    ca_blacklist_expire(cluster, end_ns + WEEK_NS);
    assert_int_equal(cluster->n_blacklisted_certificates, 1);
    assert_true(message_timestamp_ns(cluster->blacklisted_certificates[0]->value->expiry, 0) == end_ns);
    ca_blacklist_expire(cluster, end_ns + WEEK_NS + 1);
    assert_int_equal(cluster->n_blacklisted_certificates, 0);
    assert_ok(ca_authorize(&caller, CLUSTER_ID, cluster, METHOD_NODE, &id, err));
    message_free(&node->base);
    message_free(&cluster->base);
}

static void node_whose_certificate_is_not_known_is_kept_for_good(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_new();
    node_message *without = node_with_certificate(NULL), *bare = MESSAGE_NEW(node_message, docker__swarmkit__v1__node);
    message_set_string(&bare->id, "other");
    ca_blacklist_add(cluster, without);
    ca_blacklist_add(cluster, bare);
    ca_blacklist_expire(cluster, INT64_MAX);
    assert_int_equal(cluster->n_blacklisted_certificates, 2);
    message_free(&without->base);
    message_free(&bare->base);
    message_free(&cluster->base);
}

static void node_added_twice_is_there_once_with_the_later_end(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_new();
    node_message *early = node_with_certificate("manager-1.crt"), *late = node_with_certificate("manager-2.crt"),
                 *unknown = node_with_certificate(NULL);
    ca_blacklist_add(cluster, early);
    ca_blacklist_add(cluster, late);
    ca_blacklist_add(cluster, early);
    assert_int_equal(cluster->n_blacklisted_certificates, 1);
    assert_true(message_timestamp_ns(cluster->blacklisted_certificates[0]->value->expiry, 0) == instant("2027-02-21T22:46:00Z"));
    ca_blacklist_add(cluster, unknown);
    ca_blacklist_add(cluster, early);
    assert_int_equal(cluster->n_blacklisted_certificates, 1);
    assert_null(cluster->blacklisted_certificates[0]->value->expiry);
    message_free(&early->base);
    message_free(&late->base);
    message_free(&unknown->base);
    message_free(&cluster->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removed_node_is_refused_until_a_week_after_its_certificate),
        cmocka_unit_test(node_whose_certificate_is_not_known_is_kept_for_good),
        cmocka_unit_test(node_added_twice_is_there_once_with_the_later_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
