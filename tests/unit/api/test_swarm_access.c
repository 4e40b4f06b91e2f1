/* tests/unit/api/test_swarm_access.c – every call about the swarm × what the node is to it: in none, on its way into one, a worker, one
 * whose certificate is of no use any more (expired, or the node was removed), a manager that is locked, and a manager. Whoever reaches the
 * socket may call all of them (its mode and group say who does); what the node may say for the swarm depends on it. */
#include "tests/unit/api/swarm_fixture.h"

#define NO_SWARM                                                                                                                           \
    "This node is not a swarm manager. Use \\\"docker swarm init\\\" or \\\"docker swarm join\\\" to connect this node to swarm and try "  \
    "again."
#define WORKER                                                                                                                             \
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager "  \
    "node or promote the current node to a manager."
#define LOCKED "Swarm is encrypted and needs to be unlocked before it can be used. Please use \\\"docker swarm unlock\\\" to unlock it."

/* What needs a manager, each as a request that one of them answers: @status and @text. */
static const struct {
    const char *method, *path, *body;
    int status;
    const char *text;
} calls[] = {
    {"GET", "/swarm", "", 200, "\"JoinTokens\""},
    {"POST", "/swarm/update?version=0", "{}", 500, "update out of sequence"},
    {"GET", "/swarm/unlockkey", "", 200, "UnlockKey"},
    {"GET", "/nodes", "", 200, "\"m1\""},
    {"GET", "/nodes/m1", "", 200, "\"m1\""},
    {"POST", "/nodes/none/update?version=1", "{}", 404, "node none not found"},
    {"DELETE", "/nodes/none", "", 404, "node none not found"},
    {"GET", "/services", "", 200, "[]"},
    {"GET", "/services/none", "", 404, "service none not found"},
    {"GET", "/services/none/logs?stdout=1", "", 404, "service none not found"},
    {"POST", "/services/create", "{}", 400, "message"},
    {"POST", "/services/none/update?version=1", "{}", 400, "ContainerSpec: needed"},
    {"DELETE", "/services/none", "", 404, "service none not found"},
    {"GET", "/tasks", "", 200, "[]"},
    {"GET", "/tasks/none", "", 404, "task none not found"},
    {"GET", "/tasks/none/logs?stdout=1", "", 404, "task none not found"},
    {"GET", "/secrets", "", 200, "[]"},
    {"GET", "/secrets/none", "", 404, "secret none not found"},
    {"POST", "/secrets/create", "{}", 400, "message"},
    {"POST", "/secrets/none/update?version=1", "{}", 404, "secret none not found"},
    {"DELETE", "/secrets/none", "", 404, "secret none not found"},
    {"GET", "/configs", "", 200, "[]"},
    {"GET", "/configs/none", "", 404, "config none not found"},
    {"POST", "/configs/create", "{}", 400, "message"},
    {"POST", "/configs/none/update?version=1", "{}", 404, "config none not found"},
    {"DELETE", "/configs/none", "", 404, "config none not found"},
    {"GET", "/nodes/m1/anything", "", 404, "page not found"},
};

static const struct {
    enum node_local_state state;
    const char *refusal; /* 503; NULL: it is a manager */
} nodes[] = {
    {NODE_INACTIVE, NO_SWARM}, {NODE_PENDING, WORKER}, {NODE_ACTIVE, WORKER},
    {NODE_ERROR, WORKER},      {NODE_LOCKED, LOCKED},  {NODE_ACTIVE, NULL},
};

static void every_call_at_every_kind_of_node(void **state)
{
    struct swarm *s = *state;

    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
            unsigned before = s->calls;
            s->asker.fixture.node.state = nodes[i].state;
            s->is_worker = nodes[i].refusal != NULL;
            if (nodes[i].refusal == NULL) {
                swarm_ask_for(s, calls[k].method, calls[k].path, calls[k].body, calls[k].status, calls[k].text);
                continue;
            }
            swarm_ask_for(s, calls[k].method, calls[k].path, calls[k].body, 503, nodes[i].refusal);
            assert_int_equal(s->calls, before); /* nobody was asked */
        }
    s->is_worker = false;
    s->asker.fixture.node.state = NODE_ACTIVE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call_at_every_kind_of_node, swarm_setup, swarm_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
