/* Stores on real Raft members over TLS on loopback: the same everywhere, through restarts, changes of leader and images. */
#include "manager/replica/replica.h"
#include "tests/unit/raft/node_world.h"

struct seen {
    int leading, following;
    bool is_leading;
};
static struct seen seen[WORLD_MEMBERS];

static void on_leading(void *ctx, bool is_leading)
{
    struct world_member *member = ctx;
    struct seen *mine = &seen[member - member->world->members];
    assert_true(mine->is_leading != is_leading); /* it alternates */
    mine->is_leading = is_leading;
    *(is_leading ? &mine->leading : &mine->following) += 1;
}

static int open_replica(struct world_member *member, const struct raft_node_options *options, struct error *err)
{
    struct replica *replica;
    struct replica_options own = {.raft = *options, .events = {.on_leading = on_leading, .ctx = member}};
    int failed = replica_open(&own, &replica, err);
    if (failed < 0)
        return failed;
    member->replica = replica;
    member->node = replica_raft(replica);
    return 0;
}

static void close_replica(struct world_member *member)
{
    replica_close(member->replica, world_closed, member);
    member->replica = NULL;
}

static int setup(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    world_init(world);
    world->open = open_replica;
    world->close = close_replica;
    memset(seen, 0, sizeof seen);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_deinit(*state);
    free(*state);
    return 0;
}

struct job {
    const char *id, *hostname;
    bool done;
    struct error err;
};

static int put_node(struct store_tx *tx, void *ctx, struct error *err)
{
    struct job *job = ctx;
    const Docker__Swarmkit__V1__Node *old = store_tx_node(tx, job->id);
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    if (old)
        node = *old;
    node.id = (char *)(uintptr_t)job->id;
    node.description = &description;
    description.hostname = (char *)(uintptr_t)job->hostname;
    return old ? store_tx_update(tx, &node.base, err) : store_tx_create(tx, &node.base, err);
}

static void put_done(void *ctx, const struct error *err)
{
    struct job *job = ctx;
    job->done = true;
    if (err)
        job->err = *err;
}

static struct world_member *writer(struct world *world)
{
    for (size_t i = 0; i < WORLD_MEMBERS; i++)
        if (world->members[i].is_up && replica_is_leading(world->members[i].replica))
            return &world->members[i];
    return NULL;
}

static void put(struct world *world, const char *id, const char *hostname)
{
    struct job job;
    do { /* leadership may change on a busy machine */
        job = (struct job){id, hostname, false, {0}};
        run_until(&world->loop, writer(world));
        assert_ok(replica_update(writer(world)->replica, put_node, put_done, &job, err));
        run_until(&world->loop, job.done);
    } while (job.err.code == ERR_CANCELED || job.err.code == ERR_UNAVAILABLE);
    assert_string_equal(job.err.message, "");
}

static bool all_have(struct world *world, size_t count, const char *id, const char *hostname)
{
    for (size_t i = 0; i < count; i++) {
        if (!world->members[i].is_up)
            continue;
        const Docker__Swarmkit__V1__Node *node = store_node(replica_store(world->members[i].replica), id);
        if (!node || strcmp(node->description->hostname, hostname) != 0)
            return false;
    }
    return true;
}

static void what_the_leader_writes_is_at_all_managers(void **state)
{
    struct world *world = *state;
    struct job job = {"n2", "beta", false, {0}};
    world_begin(world, 3);
    put(world, "n1", "alpha");
    put(world, "n1", "omega");
    run_until(&world->loop, all_have(world, 3, "n1", "omega"));
    struct world_member *leader = writer(world), *other = &world->members[leader->id % 3];
    assert_fails(replica_update(other->replica, put_node, put_done, &job, err), ERR_UNAVAILABLE, leader->address);
    const Docker__Swarmkit__V1__Node *a = store_node(replica_store(leader->replica), "n1");
    const Docker__Swarmkit__V1__Node *b = store_node(replica_store(other->replica), "n1");
    assert_int_equal(a->meta->version->index, b->meta->version->index);
    assert_int_equal(store_version(replica_store(leader->replica)), store_version(replica_store(other->replica)));
}

static void a_restarted_manager_has_what_it_had(void **state)
{
    struct world *world = *state;
    world_begin(world, 1);
    put(world, "n1", "alpha");
    put(world, "n2", "beta");
    world_stop(world, 0);
    assert_int_equal(seen[0].following, 1);
    world_start(world, 0, 1, true);
    put(world, "n1", "omega"); /* it writes on what it has read */
    assert_true(all_have(world, 1, "n1", "omega"));
    assert_true(all_have(world, 1, "n2", "beta"));
}

static void the_next_leader_goes_on_where_the_last_one_was(void **state)
{
    struct world *world = *state;
    world_begin(world, 3);
    put(world, "n1", "alpha");
    size_t old = writer(world)->id - 1;
    world_stop(world, old);
    put(world, "n1", "beta");
    put(world, "n2", "gamma");
    world_start(world, old, 3, true);
    run_until(&world->loop, all_have(world, 3, "n1", "beta") && all_have(world, 3, "n2", "gamma"));
}

static void who_waits_is_told_when_leadership_goes(void **state)
{
    struct world *world = *state;
    struct job jobs[20];
    world_begin(world, 3);
    put(world, "n0", "alpha");
    run_until(&world->loop, all_have(world, 3, "n0", "alpha"));
    struct world_member *old = writer(world);
    static const char *const ids[20] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
    assert_ok(raft_node_transfer(old->node, old->id % 3 + 1, err));
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct job){ids[i], "host", false, {0}};
        assert_ok(replica_update(old->replica, put_node, put_done, &jobs[i], err));
    }
    run_until(&world->loop, writer(world) && writer(world) != old);
    for (int i = 0; i < 20; i++) {
        run_until(&world->loop, jobs[i].done);
        if (jobs[i].err.code == 0)
            run_until(&world->loop, all_have(world, 3, ids[i], "host"));
    }
    put(world, "n9", "omega");
    run_until(&world->loop, all_have(world, 3, "n9", "omega"));
}

static void a_fresh_manager_is_sent_an_image(void **state)
{
    struct world *world = *state;
    char id[16];
    struct world_result result = {0};
    world->tail_keep = 5;
    world->snapshot_interval = 40;
    world_begin(world, 3);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "n%d", i);
        put(world, id, "host");
    }
    struct world_member *fresh = &world->members[3];
    run_until(&world->loop, writer(world) && world_status(writer(world)).first_index > 1);
    world_start(world, 3, 3, false);
    assert_ok(raft_node_add_member(writer(world)->node, &(struct raft_member){4, fresh->name, fresh->address}, false, world_proposed,
                                   &result, err));
    run_until(&world->loop, result.done);
    assert_int_equal(result.err.code, 0);
    run_until(&world->loop, store_count(replica_store(fresh->replica), STORE_NODE, STORE_ALL, NULL) == 100);
    put(world, "n100", "late");
    run_until(&world->loop, all_have(world, 4, "n100", "late"));
    world_stop(world, 3); /* and starts from that image */
    world_start(world, 3, 3, false);
    run_until(&world->loop, all_have(world, 4, "n100", "late") && all_have(world, 4, "n0", "host"));
    assert_non_null(raft_book_find(raft_node_book(fresh->node), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_leader_writes_is_at_all_managers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_manager_has_what_it_had, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_leader_goes_on_where_the_last_one_was, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_told_when_leadership_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fresh_manager_is_sent_an_image, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
