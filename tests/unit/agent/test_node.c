/* tests/unit/agent/test_node.c – the node without a manager: what it refuses, and what it says while nobody answers. With real managers it
 * is judged in tests/interop. */
#include "agent/node.h"

#include <stdlib.h>

#include "agent/node_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "runtime/emulated/hcs_emulated.h"
#include "tests/unit/agent/fake_ca.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-test-node-XXXXXX";
static uv_loop_t loop;
static struct hcs *hcs;
static struct node *node;
static struct buf phases;
static int done_count;
static struct error done_error;

static bool is_told_locked; /* by whoever opens it */

static void open_node(void)
{
    cleanup_free char *run_dir = mem_format("%s/run", dir);
    struct node_options options = {
        .loop = &loop,
        .clock = clock_system(),
        .random = random_system(),
        .state_dir = dir,
        .run_dir = run_dir,
        .hostname = "host1",
        .default_isolation = "process",
        .hcs = hcs,
        .images = image_source_emulated(),
        .is_locked = is_told_locked,
    };
    assert_ok(node_new(&options, &node, err));
}

static int set_up(void **state)
{
    (void)state;
    uv_fs_t req;
    if (uv_fs_mkdtemp(NULL, &req, "/tmp/skep-test-node-XXXXXX", NULL) < 0)
        return -1;
    memcpy(dir, req.path, sizeof dir);
    uv_fs_req_cleanup(&req);
    uv_loop_init(&loop);
    struct hcs_emulated_options options = {.random = random_system()};
    assert_ok(hcs_emulated_new(&options, uv_hrtime(), 0, &hcs, err));
    hcs_emulated_run_on(hcs, &loop);
    done_count = 0;
    done_error = (struct error){0};
    open_node();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (node)
        node_free(node, NULL, NULL);
    hcs_close(hcs, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    buf_deinit(&phases);
    return file_remove_tree(dir, NULL);
}

static void on_phase(void *ctx, const char *phase)
{
    (void)ctx;
    buf_append_format(&phases, "%s\n", phase);
}

static void on_done(void *ctx, const struct error *err)
{
    (void)ctx;
    done_count++;
    done_error = err ? *err : (struct error){0};
}

/* Well formed, of no cluster. */
#define TOKEN "SWMTKN-1-3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl-1awxwuwd3z9j1z3puu7rcgdbx"

static int join(const char *token, const char *remote, const char *availability, struct error *err)
{
    const char *remotes[] = {remote};
    struct node_join_request request = {.token = token, .remotes = remotes, .remote_count = 1, .availability = availability};
    return node_join(node, &request, on_phase, on_done, node, err);
}

static enum node_local_state state_now(void)
{
    struct node_info info;
    node_info(node, &info);
    return info.state;
}

static void outside_a_swarm_there_is_nothing_to_tell_or_to_leave(void **state)
{
    (void)state;
    struct node_info info;
    node_info(node, &info);
    assert_int_equal(info.state, NODE_INACTIVE);
    assert_string_equal(info.node_id, "");
    assert_string_equal(info.error, "");
    assert_int_equal(info.manager_count, 0);
    assert_fails(node_leave(node, false, on_done, NULL, err), ERR_PRECONDITION, "not part of a swarm");
    assert_null(node_container_health(node, "c1"));
}

static void a_request_that_cannot_be_is_refused_at_once(void **state)
{
    (void)state;
    assert_fails(join("SWMTKN-1-short", "127.0.0.1:1", NULL, err), ERR_TOKEN, "join: ");
    assert_fails(join(TOKEN, "127.0.0.1:1", "asleep", err), ERR_INVALID, "must be one of active, pause, drain");
    assert_fails(join(TOKEN, "127.0.0.1:99999", NULL, err), ERR_INVALID, "127.0.0.1:99999");
    assert_int_equal(state_now(), NODE_INACTIVE);
    assert_int_equal(done_count, 0);
}

static void a_join_that_nobody_answers_can_be_taken_back(void **state)
{
    (void)state;
    assert_ok(join(TOKEN, "127.0.0.1:1", "drain", err));
    assert_int_equal(state_now(), NODE_PENDING);
    assert_fails(join(TOKEN, "127.0.0.1:1", NULL, err), ERR_EXISTS, "another join is under way");
    while (strstr(phases.data ? (char *)phases.data : "", "refused") == NULL)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(done_count, 0);
    assert_ok(node_leave(node, false, on_done, node, err));
    assert_int_equal(done_count, 2); /* the join's, given up; the leave's */
    assert_int_equal(state_now(), NODE_INACTIVE);
}

static void whoever_goes_away_hears_nothing_more(void **state)
{
    (void)state;
    assert_ok(join(TOKEN, "127.0.0.1:1", NULL, err));
    node_join_abandon(node, NULL); /* somebody else's: no change */
    node_join_abandon(node, node);
    buf_clear(&phases);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(phases.size, 0);
    assert_int_equal(done_count, 0);
    assert_int_equal(state_now(), NODE_PENDING);
}

/* --- as a member, of a cluster whose managers are away --- */

static bool is_node_freed;

static void on_node_freed(void *ctx)
{
    (void)ctx;
    is_node_freed = true;
    node = NULL;
}

static void close_node(void)
{
    is_node_freed = false;
    node_free(node, on_node_freed, NULL);
    while (!is_node_freed)
        uv_run(&loop, UV_RUN_ONCE);
}

static void get_key_and_request(struct buf *key, struct buf *request)
{
    assert_ok(certificate_make_key(key, err));
    assert_ok(certificate_make_request(buf_bytes(key), request, err));
}

/* A join that was refused leaves its key behind, for the next one: no cluster knows of it. */
static void a_key_that_no_cluster_knows_is_nothing_to_leave(void **state)
{
    (void)state;
    struct identity_join pending = {.is_pending = true};
    get_key_and_request(&pending.key_pem, &pending.request_pem);
    assert_ok(identity_store_join(node->identity, &pending, err));
    buf_deinit(&pending.key_pem);
    buf_deinit(&pending.request_pem);
    assert_fails(node_leave(node, false, on_done, NULL, err), ERR_PRECONDITION, "not part of a swarm");
    assert_false(node->identity->join.is_pending);
}

/* Between two runs of the node. */
static void become_member(void)
{
    struct identity *identity;
    struct authority authority;
    struct clock clock = clock_system();
    int64_t from_wall_ns = clock_wall_ns(&clock) - 3600000000000;
    cleanup_buf struct buf key = {0}, request = {0}, chain = {0};
    authority_init(&authority, from_wall_ns);
    get_key_and_request(&key, &request);
    authority_issue(&authority, buf_bytes(&request), FAKE_CA_NODE, "swarm-worker", "cluster1", from_wall_ns, 7 * DAY_S, &chain);
    assert_ok(identity_open(dir, &identity, err));
    assert_ok(identity_store(identity, buf_bytes(&authority.root_pem), buf_bytes(&chain), buf_bytes(&key), err));
    assert_ok(remotes_observe(&identity->remotes, "m1", "127.0.0.1:1", 1, err));
    assert_ok(identity_store_remotes(identity, err));
    identity_free(identity);
    authority_deinit(&authority);
}

static bool has_file(const char *name)
{
    cleanup_free char *path = mem_format("%s/%s", dir, name);
    return file_exists(path);
}

/* As the loop is about to wait: the worker is being closed at the end of a leave, and the daemon is told to stop. */
static void stop_when_leaving_ends(uv_prepare_t *prepare)
{
    if (node->life.state != LIFE_LEAVING || node->session || !node->worker)
        return;
    uv_close((uv_handle_t *)prepare, NULL);
    node_free(node, on_node_freed, NULL);
}

static void stopping_at_the_end_of_a_leave_ends_both(void **state)
{
    (void)state;
    uv_prepare_t prepare;
    close_node();
    become_member();
    open_node();
    assert_int_equal(state_now(), NODE_PENDING);
    uv_prepare_init(&loop, &prepare);
    uv_prepare_start(&prepare, stop_when_leaving_ends);
    is_node_freed = false;
    assert_ok(node_leave(node, true, on_done, node, err));
    while (!is_node_freed)
        uv_run(&loop, UV_RUN_ONCE);
    assert_false(has_file("node/node.crt"));
    assert_int_equal(done_count, 0); /* nobody is left to be told */
}

static void wait_state(enum node_local_state state, unsigned seconds)
{
    uint64_t end_ns = uv_hrtime() + seconds * NS_PER_S;
    uv_timer_t *tick = peer_tick(&loop);
    while (state_now() != state && uv_hrtime() < end_ns)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)tick, peer_tick_closed);
    if (state_now() != state)
        fail_msg("the node is %s, not %s", node_local_state_text(state_now()), node_local_state_text(state));
}

static void info_error_has(const char *text)
{
    struct node_info info;
    node_info(node, &info);
    if (!strstr(info.error, text))
        fail_msg("\"%s\" says nothing of %s", info.error, text);
}

/* The certificate is stored, then the tasks' database cannot be opened. */
static void join_with_a_broken_database(struct fake_ca *ca)
{
    cleanup_free char *path = mem_format("%s/worker.db", dir);
    uv_fs_t request;
    assert_int_equal(uv_fs_mkdir(NULL, &request, path, 0700, NULL), 0);
    uv_fs_req_cleanup(&request);
    fake_ca_start(ca, &loop);
    assert_ok(join(ca->token, ca->address, NULL, err));
    while (done_count == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_non_null(strstr(done_error.message, "worker.db"));
    assert_non_null(strstr(done_error.message, "`skep leave`"));
    assert_int_equal(state_now(), NODE_ERROR);
    info_error_has("worker.db");
    assert_true(has_file("node/node.crt"));
    assert_fails(join(ca->token, ca->address, NULL, err), ERR_EXISTS, "already part of a swarm");
}

static void on_ca_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void end_of_fake_ca(struct fake_ca *ca)
{
    bool is_stopped = false;
    close_node();
    grpc_server_stop(ca->server, 0, on_ca_stopped, &is_stopped);
    while (!is_stopped)
        uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < 20; i++) /* its streams close after it */
        uv_run(&loop, UV_RUN_NOWAIT);
    fake_ca_deinit(ca);
}

static void member_that_cannot_open_its_tasks_can_leave(void **state)
{
    (void)state;
    struct fake_ca ca;
    join_with_a_broken_database(&ca);
    assert_ok(node_leave(node, false, on_done, node, err));
    assert_int_equal(done_count, 2);
    assert_int_equal(done_error.code, 0);
    assert_int_equal(state_now(), NODE_INACTIVE);
    assert_false(has_file("node/node.crt"));
    assert_fails(node_leave(node, false, on_done, NULL, err), ERR_PRECONDITION, "not part of a swarm");
    end_of_fake_ca(&ca);
}

static void member_that_cannot_open_its_tasks_tries_again(void **state)
{
    (void)state;
    struct fake_ca ca;
    cleanup_free char *path = mem_format("%s/worker.db", dir);
    join_with_a_broken_database(&ca);
    assert_ok(file_remove_tree(path, err));
    wait_state(NODE_PENDING, 10);
    assert_int_equal(node->life.state, LIFE_OPENING);
    info_error_has("");
    end_of_fake_ca(&ca);
}

/* --- locked --- */

static const uint8_t the_lock[IDENTITY_LOCK_SIZE_BYTES] = {3}, another_lock[IDENTITY_LOCK_SIZE_BYTES] = {4};

static void become_locked_member(void)
{
    close_node();
    become_member();
    open_node();
    assert_ok(node_set_lock(node, the_lock, err));
    close_node();
    open_node();
    assert_int_equal(state_now(), NODE_LOCKED);
}

static void locked_node_waits_for_its_lock(void **state)
{
    (void)state;
    struct bytes chain, key;
    become_locked_member();
    info_error_has("Swarm is encrypted and needs to be unlocked");
    assert_fails(node_papers(node, &chain, &key, err), ERR_PRECONDITION, "its key is locked");
    assert_fails(join(TOKEN, "127.0.0.1:1", NULL, err), ERR_EXISTS, "already part of a swarm");
    assert_fails(node_unlock(node, another_lock, err), ERR_PERMISSION, "node.key");
    assert_int_equal(state_now(), NODE_LOCKED);
    assert_null(node->worker);
    assert_ok(node_unlock(node, the_lock, err));
    assert_int_equal(state_now(), NODE_PENDING); /* on its way into session */
    assert_non_null(node->worker);
    assert_ok(node_papers(node, &chain, &key, err));
    assert_fails(node_unlock(node, the_lock, err), ERR_PRECONDITION, "swarm is not locked");
    assert_ok(node_set_lock(node, NULL, err));
    close_node();
    open_node();
    assert_int_equal(state_now(), NODE_PENDING);
}

/* A crash left the key in clear, while others of its files are locked. */
static void node_that_is_told_that_it_is_locked_waits_too(void **state)
{
    (void)state;
    close_node();
    become_member();
    is_told_locked = true;
    open_node();
    is_told_locked = false;
    assert_int_equal(state_now(), NODE_LOCKED);
    assert_ok(node_unlock(node, the_lock, err));
    assert_int_equal(state_now(), NODE_PENDING);
    close_node();
    open_node();
    assert_int_equal(state_now(), NODE_LOCKED);
}

static void locked_node_leaves_by_force_alone(void **state)
{
    (void)state;
    become_locked_member();
    assert_fails(node_leave(node, false, on_done, node, err), ERR_UNAVAILABLE, "Please unlock it first or use `--force`");
    assert_int_equal(done_count, 0);
    assert_ok(node_leave(node, true, on_done, node, err));
    while (done_count == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(done_error.code, 0);
    assert_int_equal(state_now(), NODE_INACTIVE);
    assert_false(has_file("node/node.key") || has_file("node/node.crt"));
}

static void resumed_join_goes_on_until_a_manager_answers(void **state)
{
    (void)state;
    struct identity *identity;
    struct identity_join pending = {.is_pending = true, .node_id = mem_string(FAKE_CA_NODE)};
    close_node();
    get_key_and_request(&pending.key_pem, &pending.request_pem);
    buf_append_string(&pending.root_pem, "root");
    assert_ok(identity_open(dir, &identity, err));
    assert_ok(identity_store_join(identity, &pending, err));
    assert_ok(remotes_observe(&identity->remotes, "m1", "127.0.0.1:1", 1, err));
    assert_ok(identity_store_remotes(identity, err));
    identity_free(identity);
    identity_join_deinit(&pending);
    open_node();
    assert_int_equal(node->life.state, LIFE_JOINING);
    while (node->life.state == LIFE_JOINING)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(state_now(), NODE_PENDING);
    info_error_has("127.0.0.1:1");
    uint64_t begun_ns = uv_hrtime();
    while (node->life.state == LIFE_OUTSIDE && uv_hrtime() < begun_ns + 20 * NS_PER_S)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(node->life.state, LIFE_JOINING);
    assert_ok(node_leave(node, false, on_done, node, err));
    assert_int_equal(state_now(), NODE_INACTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outside_a_swarm_there_is_nothing_to_tell_or_to_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_no_cluster_knows_is_nothing_to_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_that_cannot_be_is_refused_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_join_that_nobody_answers_can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_goes_away_hears_nothing_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_at_the_end_of_a_leave_ends_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(member_that_cannot_open_its_tasks_can_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(member_that_cannot_open_its_tasks_tries_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(locked_node_waits_for_its_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(node_that_is_told_that_it_is_locked_waits_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(locked_node_leaves_by_force_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumed_join_goes_on_until_a_manager_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
