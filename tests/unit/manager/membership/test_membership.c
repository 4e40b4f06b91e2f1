/* Managers come and go, over real TLS: the leader calls back before it takes anyone in, and lets nobody go whom the quorum needs. */
#include "manager/membership/membership.h"
#include "tests/unit/raft/node_world.h"

static struct membership *memberships[WORLD_MEMBERS];
static bool is_serving[WORLD_MEMBERS];

/* The owner's glue, without authorisation: that is manager/access's. Both ends of it may go first. */
struct question {
    struct grpc_call *call; /* NULL: who asked is gone */
    size_t at;
    bool is_asked;
};

static void free_if_over(struct question *question)
{
    if (question->call == NULL && !question->is_asked)
        free(question);
}

static void joined(void *ctx, const Docker__Swarmkit__V1__JoinResponse *response, const struct error *err)
{
    struct question *question = ctx;
    question->is_asked = false;
    if (question->call && err)
        grpc_call_finish_error(question->call, err);
    else if (question->call)
        grpc_call_reply(question->call, &response->base);
    free_if_over(question);
}

static void on_join(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct question *question = ctx;
    char seen_at[GRPC_ADDRESS_SIZE_CHARS];
    const Docker__Swarmkit__V1__JoinRequest *request = (const void *)message;
    grpc_call_peer_address(call, seen_at);
    question->is_asked = true;
    membership_join(memberships[question->at], grpc_call_peer(call)->common_name, request->addr, seen_at, joined, question);
}

static void on_join_over(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct question *question = ctx;
    (void)call;
    (void)status;
    question->call = NULL;
    free_if_over(question);
}

static void serve_join(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_join, .on_done = on_join_over};
    struct question *question = mem_alloc(sizeof *question);
    question->call = call;
    question->at = *(size_t *)ctx;
    grpc_call_accept(call, &handlers, question);
}

/* Its server answers before it is a member: Health, and on members the joins. */
static size_t numbers[WORLD_MEMBERS] = {0, 1, 2, 3};

static int open_member(struct world_member *member, const struct raft_node_options *options, struct error *err)
{
    struct replica *replica;
    size_t at = (size_t)(member - member->world->members);
    int failed =
        replica_open(&(struct replica_options){.raft = *options, .events = {.on_removed = world_removed, .ctx = member}}, &replica, err);
    if (failed < 0)
        return failed;
    member->replica = replica;
    member->node = replica_raft(replica);
    is_serving[at] = true;
    memberships[at] = membership_new(&(struct membership_options){.loop = options->loop,
                                                                  .clock = options->clock,
                                                                  .random = options->random,
                                                                  .replica = replica,
                                                                  .credentials = options->credentials});
    return 0;
}

static bool anyone_may(void *ctx, struct grpc_call *call)
{
    (void)ctx;
    (void)call;
    return true;
}

static void serve_health(struct grpc_server *server, size_t at)
{
    static struct membership_health healths[sizeof is_serving / sizeof is_serving[0]];
    healths[at] = (struct membership_health){.is_serving = &is_serving[at], .may_call = anyone_may};
    membership_serve_health(server, &healths[at]);
}

static void serve_member(struct world_member *member)
{
    size_t at = (size_t)(member - member->world->members);
    serve_health(member->server, at);
    grpc_server_handle(member->server, METHOD(RaftMembership, Join), serve_join, &numbers[at]);
}

static void close_member(struct world_member *member)
{
    size_t at = (size_t)(member - member->world->members);
    membership_free(memberships[at]);
    memberships[at] = NULL;
    replica_close(member->replica, world_closed, member);
    member->replica = NULL;
}

static int setup(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    world_init(world);
    world->open = open_member;
    world->close = close_member;
    world->serve = serve_member;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_deinit(*state);
    free(*state);
    return 0;
}

static struct world_member *leader(struct world *world)
{
    for (size_t i = 0; i < WORLD_MEMBERS; i++)
        if (world->members[i].is_up && replica_is_leading(world->members[i].replica))
            return &world->members[i];
    return NULL;
}

struct admission {
    bool done;
    uint64_t raft_id;
    size_t count;
    char node_ids[100];
    struct error err;
};

static void admitted(void *ctx, uint64_t raft_id, const struct raft_member *members, size_t count, const struct error *err)
{
    struct admission *admission = ctx;
    admission->done = true;
    admission->raft_id = raft_id;
    admission->count = count;
    for (size_t i = 0; i < count; i++)
        strcat(strcat(admission->node_ids, i ? " " : ""), members[i].node_id);
    if (err)
        admission->err = *err;
}

static struct membership_asking *begin_to_ask(struct world *world, size_t at, const char *whom, const char *address, struct admission *out)
{
    struct membership_asking *asking;
    *out = (struct admission){0};
    assert_ok(membership_ask_to_join(&(struct membership_join_options){.loop = &world->loop,
                                                                       .clock = peer_clock(&world->wall_ns),
                                                                       .random = random_system(),
                                                                       .credentials = world->members[at].credentials,
                                                                       .manager = whom,
                                                                       .address = address},
                                     admitted, out, &asking, err));
    return asking;
}

static void ask(struct world *world, size_t at, struct world_member *whom, const char *address, struct admission *out)
{
    begin_to_ask(world, at, whom->address, address, out);
    run_until(&world->loop, out->done);
}

/* A server that serves Health alone, as a joiner has it before it joins. */
static struct grpc_server *waiting_room(struct world *world, size_t at)
{
    struct world_member *member = &world->members[at];
    struct grpc_server *server = grpc_server_new(
        &(struct grpc_server_options){.loop = &world->loop, .clock = peer_clock(&world->wall_ns), .credentials = member->credentials});
    serve_health(server, at);
    assert_ok(grpc_server_listen(server, member->address, err));
    return server;
}

static void stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void one_that_can_be_called_back_becomes_a_member(void **state)
{
    struct world *world = *state;
    struct admission admission;
    bool is_stopped = false;
    char any[64];
    world_begin(world, 1);
    run_until(&world->loop, leader(world));
    is_serving[1] = true;
    struct grpc_server *room = waiting_room(world, 1);
    snprintf(any, sizeof any, "0.0.0.0:%s", strrchr(world->members[1].address, ':') + 1);
    /* called from 127.0.0.1, which is not where it listens: an address that the leader cannot call back */
    ask(world, 1, leader(world), any, &admission);
    assert_int_equal(admission.err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(admission.err.message, "using its advertised address: 127.0.0.1:"));
    ask(world, 1, leader(world), world->members[1].address, &admission);
    assert_string_equal(admission.err.message, "");
    assert_int_equal(admission.count, 2);
    assert_non_null(strstr(admission.node_ids, "node1"));
    assert_non_null(strstr(admission.node_ids, "node2"));
    uint64_t id = admission.raft_id;
    ask(world, 1, leader(world), world->members[1].address, &admission); /* asked again: the same */
    if (admission.err.code == 0) /* with one of two there the leader may have stepped down meanwhile */
        assert_true(admission.raft_id == id);
    grpc_server_stop(room, 0, stopped, &is_stopped);
    run_until(&world->loop, is_stopped);
    world->members[1].id = id; /* it begins as a member */
    world_start(world, 1, 1, false);
    run_until(&world->loop, leader(world) && world_status(&world->members[1]).applied > 0);
    world->members[1].id = 2;
}

/* Still connecting, and with its question on its way. */
static void one_that_gives_up_hears_no_more(void **state)
{
    struct world *world = *state;
    struct admission admission;
    world_begin(world, 1);
    run_until(&world->loop, leader(world));
    for (int turns = 0; turns < 40; turns += 4) {
        struct membership_asking *asking = begin_to_ask(world, 1, leader(world)->address, world->members[1].address, &admission);
        for (int i = 0; i < turns && !admission.done; i++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        if (admission.done) /* nobody is at its address, as was found out already */
            break;
        membership_ask_cancel(asking);
        for (int i = 0; i < 10; i++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        assert_false(admission.done);
    }
}

static void one_that_lost_its_log_comes_back_as_another(void **state)
{
    struct world *world = *state;
    struct admission admission;
    bool is_stopped = false;
    world_begin(world, 3);
    run_until(&world->loop, leader(world));
    struct world_member *first = leader(world), *lost = &world->members[first->id % 3];
    size_t at = (size_t)(lost - world->members);
    run_until(&world->loop, world_status(lost).applied == world_status(first).applied);
    world_stop(world, at);
    is_serving[at] = true;
    struct grpc_server *room = waiting_room(world, at);
    ask(world, at, first, lost->address, &admission);
    assert_string_equal(admission.err.message, "");
    assert_true(admission.raft_id != lost->id);
    assert_int_equal(admission.count, 3);
    assert_false(raft_ids_has(&world_status(first).conf->voters, lost->id));
    assert_true(raft_ids_has(&world_status(first).conf->voters, admission.raft_id));
    grpc_server_stop(room, 0, stopped, &is_stopped);
    run_until(&world->loop, is_stopped);
}

static void one_that_cannot_is_refused(void **state)
{
    struct world *world = *state;
    struct admission admission;
    bool is_stopped = false;
    world_begin(world, 1);
    run_until(&world->loop, leader(world));
    ask(world, 1, leader(world), world->members[1].address, &admission);
    assert_int_equal(admission.err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(admission.err.message, "could not connect to prospective new cluster member"));
    assert_non_null(strstr(admission.err.message, world->members[1].address));
    ask(world, 1, leader(world), "nonsense", &admission);
    assert_int_equal(admission.err.code, ERR_INVALID);
    assert_non_null(strstr(admission.err.message, "invalid address nonsense in raft join request"));
    is_serving[1] = false; /* it listens, and is not ready */
    struct grpc_server *room = waiting_room(world, 1);
    ask(world, 1, leader(world), world->members[1].address, &admission);
    assert_non_null(strstr(admission.err.message, "does not serve yet"));
    grpc_server_stop(room, 0, stopped, &is_stopped);
    run_until(&world->loop, is_stopped);
    assert_int_equal(world_status(&world->members[0]).conf->voters.count, 1);
}

static void a_follower_does_not_decide(void **state)
{
    struct world *world = *state;
    struct admission admission;
    world_begin(world, 3);
    run_until(&world->loop, leader(world));
    struct world_member *follower = &world->members[leader(world)->id % 3];
    ask(world, 3, follower, world->members[3].address, &admission);
    assert_int_equal(admission.err.code, ERR_PRECONDITION);
    assert_non_null(strstr(admission.err.message, "node lost leader status"));
}

static void nobody_leaves_whom_the_quorum_needs(void **state)
{
    struct world *world = *state;
    struct world_result result = {0};
    world_begin(world, 3);
    run_until(&world->loop, leader(world));
    struct world_member *first = leader(world), *second = &world->members[first->id % 3], *third = &world->members[second->id % 3];
    struct membership *membership = memberships[first->id - 1];
    run_until(&world->loop, membership_may_leave(membership, third->id, NULL) == 0); /* all are heard from */
    assert_fails(membership_may_leave(membership, 99, err), ERR_NOT_FOUND, "not a member");
    world_stop(world, second->id - 1);
    run_until(&world->loop, membership_may_leave(membership, third->id, NULL) == ERR_PRECONDITION);
    assert_fails(membership_may_leave(membership, third->id, err), ERR_PRECONDITION, second->name);
    assert_ok(membership_leave(membership, second->id, world_proposed, &result, err)); /* the lost one may go */
    run_until(&world->loop, result.done);
    assert_int_equal(result.err.code, 0);
    assert_int_equal(world_status(first).conf->voters.count, 2);
    /* one that does not know yet that the other is gone would not stand */
    run_until(&world->loop, world_status(third).applied == world_status(first).applied);
    assert_fails(membership_leave(membership, first->id, world_proposed, &result, err), ERR_AGAIN, "leadership goes to member");
    run_until(&world->loop, leader(world) == third);
    result = (struct world_result){0};
    assert_ok(membership_leave(memberships[third->id - 1], first->id, world_proposed, &result, err));
    run_until(&world->loop, result.done && first->is_removed);
    run_until(&world->loop, membership_may_leave(memberships[third->id - 1], third->id, NULL) == ERR_PRECONDITION);
    assert_fails(membership_may_leave(memberships[third->id - 1], third->id, err), ERR_PRECONDITION, "last manager");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_can_be_called_back_becomes_a_member, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_gives_up_hears_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_lost_its_log_comes_back_as_another, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_follower_does_not_decide, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_leaves_whom_the_quorum_needs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
