/* What a member answers to whoever calls it: SwarmKit's three methods and our own, over a real connection, from peers that err or lie. */
#include <dirent.h>

#include "proto/message.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "raft/wire.h"
#include "tests/unit/raft/node_world.h"

#define TERM 5 /* that the liar claims to lead */

/* One call of the liar's. */
struct attempt {
    struct grpc_call *call; /* NULL: over */
    int code;
    char message[512], address[64]; /* of the answer to ResolveAddress */
};

struct trial {
    struct world world;
    struct world_member *victim;      /* member 1; 2 is its only peer, and nobody is there */
    struct grpc_channel *channels[5]; /* to it, with the certificates of node1 to node4, and a worker's */
    struct tls_credentials *worker;
    struct papers worker_papers;
};

enum { AS_WORKER = 4 };

static int setup(void **state)
{
    struct trial *trial = mem_alloc(sizeof *trial);
    struct world *world = &trial->world;
    world_init(world);
    world_addresses(world, WORLD_MEMBERS);
    trial->victim = &world->members[0];
    trial->worker_papers = papers_make(
        &world->authority,
        &(struct papers_options){.role = "swarm-worker", .name = "node9", .from_wall_ns = WORLD_NOW_NS - INT64_C(3600000000000)});
    trial->worker = peer_credentials(&world->wall_ns, &trial->worker_papers, &world->authority);
    *state = trial;
    return 0;
}

static int teardown(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 5; i++)
        if (trial->channels[i])
            grpc_channel_close(trial->channels[i]);
    run_for(&trial->world.loop, 20);
    world_deinit(&trial->world);
    tls_credentials_free(trial->worker);
    papers_deinit(&trial->worker_papers);
    free(trial);
    return 0;
}

/* Of two members; the second is the liar. Elections are left to chance and come to nothing: nobody answers. */
static void begin(struct trial *trial, bool is_bootstrap)
{
    struct world *world = &trial->world;
    world_start(world, 0, 2, is_bootstrap);
    for (int i = 0; i < 5; i++) {
        struct tls_credentials *credentials = i == AS_WORKER ? trial->worker : world->members[i].credentials;
        assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &world->loop,
                                                                  .clock = peer_clock(&world->wall_ns),
                                                                  .random = random_system(),
                                                                  .address = trial->victim->address,
                                                                  .credentials = credentials,
                                                                  .server_name = "swarm-manager"},
                                   &trial->channels[i], err));
    }
}

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct attempt *attempt = ctx;
    if (grpc_call_method(call) == METHOD(Raft, ResolveAddress))
        snprintf(attempt->address, sizeof attempt->address, "%s", ((Docker__Swarmkit__V1__ResolveAddressResponse *)message)->addr);
}

static void on_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    (void)call, (void)packed, (void)ctx;
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    (void)call;
    struct attempt *attempt = ctx;
    attempt->call = NULL;
    attempt->code = status->code;
    snprintf(attempt->message, sizeof attempt->message, "%s", status->message);
}

static void start(struct trial *trial, int as, const struct method *method, struct attempt *attempt)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_done = on_done};
    static const struct grpc_call_handlers raw = {.on_bytes = on_bytes, .on_done = on_done}; /* no descriptor describes that one */
    *attempt = (struct attempt){.code = -1};
    attempt->call = grpc_call_start(trial->channels[as], method, NULL, method == &raft_stream_method ? &raw : &handlers, attempt);
}

static void finish(struct trial *trial, struct attempt *attempt)
{
    if (attempt->call)
        grpc_call_send_end(attempt->call);
    run_until(&trial->world.loop, !attempt->call);
}

#define assert_answer(attempt, want, text)                                                                                                 \
    do {                                                                                                                                   \
        if ((attempt)->code != (want) || !strstr((attempt)->message, (text)))                                                              \
            fail_msg("%s: %s; not %s: %s", grpc_code_name((attempt)->code), (attempt)->message, grpc_code_name(want), (text));             \
    } while (0)

static struct attempt send_bytes(struct trial *trial, int as, const struct method *method, struct bytes packed)
{
    struct attempt attempt;
    start(trial, as, method, &attempt);
    assert_ok(grpc_call_send_bytes(attempt.call, packed, err));
    finish(trial, &attempt);
    return attempt;
}

static struct attempt say(struct trial *trial, int as, const struct method *method, const struct raft_message *message)
{
    cleanup_buf struct buf out = {0};
    raft_wire_wrap(message, &out);
    return send_bytes(trial, as, method, buf_bytes(&out));
}

#define UNARY_METHOD  METHOD(Raft, ProcessRaftMessage)
#define STREAM_METHOD METHOD(Raft, StreamRaftMessage)

static uint64_t term_of(struct trial *trial)
{
    return world_status(trial->victim).term;
}

/* --- ResolveAddress --- */

static struct attempt resolve(struct trial *trial, int as, uint64_t id)
{
    Docker__Swarmkit__V1__ResolveAddressRequest request = DOCKER__SWARMKIT__V1__RESOLVE_ADDRESS_REQUEST__INIT;
    struct attempt attempt;
    request.raft_id = id;
    start(trial, as, METHOD(Raft, ResolveAddress), &attempt);
    assert_ok(grpc_call_send(attempt.call, &request.base, err));
    finish(trial, &attempt);
    return attempt;
}

static void an_address_is_told_to_managers_and_only_of_members(void **state)
{
    struct trial *trial = *state;
    begin(trial, true);
    struct attempt attempt = resolve(trial, 1, 2);
    assert_answer(&attempt, GRPC_OK, "");
    assert_string_equal(attempt.address, trial->world.members[1].address);
    attempt = resolve(trial, 3, 1); /* a stranger among managers asks for the one he speaks to */
    assert_string_equal(attempt.address, trial->victim->address);
    static const uint64_t nobody[] = {0, 3, UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        attempt = resolve(trial, 1, nobody[i]);
        assert_answer(&attempt, GRPC_NOT_FOUND, "not found");
    }
    assert_ok(raft_node_put_member(trial->victim->node, &(struct raft_member){3, "node3", ""}, err));
    attempt = resolve(trial, 1, 3); /* known, but not where */
    assert_answer(&attempt, GRPC_NOT_FOUND, "member 3 not found");
    raft_node_put_removed(trial->victim->node, 2);
    attempt = resolve(trial, 2, 2);
    assert_answer(&attempt, GRPC_NOT_FOUND, "member 2 not found");
    attempt = resolve(trial, AS_WORKER, 1);
    assert_answer(&attempt, GRPC_PERMISSION_DENIED, "not part of OUs: [swarm-manager]");
    attempt = send_bytes(trial, 1, METHOD(Raft, ResolveAddress), bytes_of("\x08", 1));
    assert_true(attempt.code != GRPC_OK);
}

/* --- one message --- */

static void a_message_is_taken_from_whom_it_names(void **state)
{
    struct trial *trial = *state;
    const struct method *const methods[] = {UNARY_METHOD, STREAM_METHOD};
    begin(trial, true);
    for (uint64_t i = 0; i < 2; i++) {
        struct raft_message beat = {.type = RAFT_MESSAGE_HEARTBEAT, .to = 1, .from = 2, .term = 100 + i};
        struct attempt attempt = say(trial, 2, methods[i], &beat); /* node3 in member 2's name */
        assert_answer(&attempt, GRPC_PERMISSION_DENIED, "not that of the member in whose name");
        attempt = say(trial, AS_WORKER, methods[i], &beat);
        assert_answer(&attempt, GRPC_PERMISSION_DENIED, "not part of OUs: [swarm-manager]");
        run_for(&trial->world.loop, 30);
        assert_true(term_of(trial) < 100 + i);
        attempt = say(trial, 1, methods[i], &beat);
        assert_answer(&attempt, GRPC_OK, "");
        run_until(&trial->world.loop, term_of(trial) == 100 + i && world_status(trial->victim).leader == 2);
    }
}

static void what_is_not_for_it_is_dropped_in_peace(void **state)
{
    struct trial *trial = *state;
    const struct method *const methods[] = {UNARY_METHOD, STREAM_METHOD};
    struct raft_payload *honey = raft_payload_new(bytes_of_string("kstolen honey"));
    struct raft_entry entry = {0, 0, RAFT_ENTRY_NORMAL, honey};
    const struct {
        int as;
        struct raft_message message;
    } cases[] = {
        {1, {.type = RAFT_MESSAGE_HEARTBEAT, .to = 4, .from = 2, .term = 100}},                          /* another's */
        {2, {.type = RAFT_MESSAGE_VOTE, .to = 1, .from = 3, .term = 100, .index = 100, .log_term = 99}}, /* a stranger's */
        {2, {.type = RAFT_MESSAGE_PRE_VOTE, .to = 1, .from = 3, .term = 100, .index = 100, .log_term = 99}},
        {1, {.type = RAFT_MESSAGE_PROPOSE, .to = 1, .from = 2, .entries = &entry, .entries_count = 1}},
    };
    begin(trial, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int k = 0; k < 2; k++) {
            struct attempt attempt = say(trial, cases[i].as, methods[k], &cases[i].message);
            assert_answer(&attempt, GRPC_OK, "");
        }
    run_for(&trial->world.loop, 50);
    assert_true(term_of(trial) < 100);
    assert_null(kv_get(&trial->victim->kv, "stolen"));
    raft_payload_release(honey);
}

static void a_removed_member_hears_that_it_was_removed(void **state)
{
    struct trial *trial = *state;
    const struct method *const methods[] = {UNARY_METHOD, STREAM_METHOD, &raft_stream_method};
    static const enum raft_message_type types[] = {RAFT_MESSAGE_HEARTBEAT, RAFT_MESSAGE_VOTE, RAFT_MESSAGE_APPEND, RAFT_MESSAGE_SNAPSHOT};
    begin(trial, true);
    raft_node_put_removed(trial->victim->node, 3);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 4; i++) {
            struct raft_snapshot snapshot = {.index = 100, .term = TERM};
            struct raft_message message = {.type = types[i], .to = 1, .from = 3, .term = 100};
            message.snapshot = types[i] == RAFT_MESSAGE_SNAPSHOT ? &snapshot : NULL;
            struct attempt attempt = say(trial, 2, methods[k], &message);
            assert_answer(&attempt, GRPC_NOT_FOUND, RAFT_REMOVED_TEXT);
        }
    assert_true(term_of(trial) < 100);
}

static void bytes_that_are_no_message(void **state)
{
    struct trial *trial = *state;
    const struct method *const methods[] = {UNARY_METHOD, STREAM_METHOD, &raft_stream_method};
    static const struct {
        const char *packed;
        size_t size;
    } cases[] = {
        {"\x0a\x7f\x08", 3},                                                                  /* longer than it is */
        {"\x0a\x00", 2},                                                                      /* no type, from nobody */
        {"\x0a\x06\x08\x00\x10\x01\x18\x02", 8},                                              /* MsgHup from a peer */
        {"\x0a\x06\x08\x07\x10\x01\x18\x02", 8},                                              /* a snapshot without one */
        {"\x0a\x11\x08\x03\x10\x01\x18\x02\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 19}, /* the last term there is */
        {"\xff\xff\xff\xff", 4},
    };
    begin(trial, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int k = 0; k < 3; k++) {
            struct attempt attempt = send_bytes(trial, 1, methods[k], bytes_of(cases[i].packed, cases[i].size));
            assert_answer(&attempt, GRPC_INVALID_ARGUMENT, "raft");
        }
    struct attempt attempt = send_bytes(trial, 1, UNARY_METHOD, bytes_of(NULL, 0));
    assert_answer(&attempt, GRPC_INVALID_ARGUMENT, "without a message");
    assert_int_equal(trial->victim->failed.code, 0);
    attempt = say(trial, 1, UNARY_METHOD, &(struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .to = 1, .from = 2, .term = 100});
    assert_answer(&attempt, GRPC_OK, "");
}

/* --- membership changes of a leader that lies --- */

static struct raft_entry change_entry(uint64_t index, enum raft_conf_change_type type, uint64_t id, struct bytes context)
{
    struct raft_conf_change change = {.is_v1 = true, .context = raft_payload_new(context)};
    struct raft_entry entry;
    raft_conf_change_add(&change, type, id);
    assert_ok(raft_conf_change_encode(&change, &entry, err));
    raft_conf_change_deinit(&change);
    entry.index = index;
    entry.term = TERM;
    return entry;
}

static void contexts_that_are_malformed_change_no_address(void **state)
{
    struct trial *trial = *state;
    struct world *world = &trial->world;
    struct raft_entry entries[8];
    cleanup_buf struct buf good = {0}, long_one = {0}, nowhere = {0};
    char address[2 * RAFT_ADDRESS_SIZE_CHARS] = "";
    begin(trial, true);
    run_until(&world->loop, world_status(trial->victim).applied == 2);
    memset(address, 'a', sizeof address - 1);
    raft_member_write(&(struct raft_member){99, "node4", world->members[3].address}, &good); /* 99: another's id inside */
    raft_member_write(&(struct raft_member){3, "node3", address}, &long_one);
    raft_member_write(&(struct raft_member){3, "node3", "no address at all"}, &nowhere);
    entries[0] = change_entry(3, RAFT_UPDATE_MEMBER, 2, bytes_of_string("\xff\xff\xff junk"));
    entries[1] = change_entry(4, RAFT_ADD_LEARNER, 3, bytes_of(NULL, 0));
    entries[2] = change_entry(5, RAFT_UPDATE_MEMBER, 3, buf_bytes(&long_one));
    entries[3] = change_entry(6, RAFT_UPDATE_MEMBER, 3, buf_bytes(&nowhere));
    entries[4] = change_entry(7, RAFT_ADD_LEARNER, 4, buf_bytes(&good));
    entries[5] = (struct raft_entry){TERM, 8, RAFT_ENTRY_CONF_CHANGE, raft_payload_new(bytes_of_string("\xff not a change"))};
    entries[6] = (struct raft_entry){TERM, 9, RAFT_ENTRY_CONF_CHANGE_V2, raft_payload_new(bytes_of_string("\x12\x02\x08\x63"))};
    entries[7] = (struct raft_entry){TERM, 10, RAFT_ENTRY_NORMAL, raft_payload_new(bytes_of_string("ka 1"))};
    struct raft_message append = {.type = RAFT_MESSAGE_APPEND,
                                  .to = 1,
                                  .from = 2,
                                  .term = TERM,
                                  .index = 2,
                                  .log_term = 1,
                                  .commit = 10,
                                  .entries = entries,
                                  .entries_count = 8};
    struct attempt attempt = say(trial, 1, UNARY_METHOD, &append);
    assert_answer(&attempt, GRPC_OK, "");
    run_until(&world->loop, world_status(trial->victim).applied == 10);
    assert_string_equal(kv_get(&trial->victim->kv, "a"), "1");
    const struct raft_book *book = raft_node_book(trial->victim->node);
    assert_string_equal(raft_book_find(book, 2)->address, world->members[1].address);
    assert_null(raft_book_find(book, 99));
    assert_string_equal(raft_book_find(book, 3)->address, "no address at all"); /* which nobody can dial, and that is all */
    assert_string_equal(raft_book_find(book, 4)->address, world->members[3].address);
    assert_int_equal(world_status(trial->victim).conf->learners.count, 2);
    assert_int_equal(trial->victim->failed.code, 0);
    for (int i = 0; i < 8; i++)
        raft_payload_release(entries[i].payload);
    attempt = resolve(trial, 1, 3);
    assert_answer(&attempt, GRPC_OK, "");
}

/* --- snapshots --- */

#define IMAGE "s 7 100 99\nk a 1\n"

static uint64_t both[] = {1, 2}, others[] = {7, 8};

static struct raft_snapshot snapshot_at(uint64_t index)
{
    return (struct raft_snapshot){.index = index, .term = TERM, .conf.voters = {both, 2}};
}

static struct raft_message snapshot_message(struct raft_snapshot *snapshot)
{
    return (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .to = 1, .from = 2, .term = TERM, .snapshot = snapshot};
}

static void send_part(struct attempt *attempt, const struct raft_message *message, const char *data)
{
    cleanup_buf struct buf out = {0};
    raft_wire_wrap_part(message, bytes_of_string(data), &out);
    assert_ok(grpc_call_send_bytes(attempt->call, buf_bytes(&out), err));
}

static size_t files(struct trial *trial, const char *ending)
{
    DIR *dir = opendir(trial->victim->dir);
    struct dirent *entry;
    size_t count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        size_t size = strlen(entry->d_name), tail = strlen(ending);
        count += size >= tail && strcmp(entry->d_name + size - tail, ending) == 0;
    }
    closedir(dir);
    return count;
}

static void assert_takes_the_next_one(struct trial *trial, uint64_t index)
{
    struct raft_snapshot snapshot = snapshot_at(index);
    struct raft_message message = snapshot_message(&snapshot);
    struct attempt attempt;
    start(trial, 1, STREAM_METHOD, &attempt);
    send_part(&attempt, &message, "s 7 100 99\n");
    send_part(&attempt, &message, "k a 1\n");
    finish(trial, &attempt);
    assert_answer(&attempt, GRPC_OK, "");
    run_until(&trial->world.loop, world_status(trial->victim).applied == index);
    assert_string_equal(kv_get(&trial->victim->kv, "a"), "1");
    assert_int_equal(files(trial, ".snap"), 1);
    assert_int_equal(files(trial, ".tmp"), 0);
}

static void parts_that_do_not_belong_together(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot first = snapshot_at(100), other_index = snapshot_at(101), other_term = snapshot_at(100);
    other_term.term = TERM - 1;
    struct raft_message message = snapshot_message(&first);
    const struct {
        struct raft_message message;
        int code;
        const char *why;
    } seconds[] = {
        {snapshot_message(&other_index), GRPC_INVALID_ARGUMENT, "is different from the previously received"},
        {snapshot_message(&other_term), GRPC_INVALID_ARGUMENT, "is different from the previously received"},
        {{.type = RAFT_MESSAGE_SNAPSHOT, .to = 1, .from = 3, .term = TERM, .snapshot = &first}, GRPC_INVALID_ARGUMENT, "different"},
        {{.type = RAFT_MESSAGE_SNAPSHOT, .to = 1, .from = 2, .term = TERM, .index = 9, .snapshot = &first},
         GRPC_INVALID_ARGUMENT,
         "different"},
        {{.type = RAFT_MESSAGE_HEARTBEAT, .to = 1, .from = 2, .term = TERM}, GRPC_INVALID_ARGUMENT, "not of type 7"},
        {{.type = RAFT_MESSAGE_SNAPSHOT, .to = 1, .from = 1, .term = TERM, .snapshot = &first}, GRPC_PERMISSION_DENIED, "in whose name"},
    };
    begin(trial, true);
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        struct attempt attempt;
        start(trial, 1, STREAM_METHOD, &attempt);
        send_part(&attempt, &message, "s 7 100 99\n");
        if (seconds[i].message.snapshot)
            send_part(&attempt, &seconds[i].message, "k a 2\n");
        else {
            cleanup_buf struct buf out = {0};
            raft_wire_wrap(&seconds[i].message, &out);
            assert_ok(grpc_call_send_bytes(attempt.call, buf_bytes(&out), err));
        }
        finish(trial, &attempt);
        assert_answer(&attempt, seconds[i].code, seconds[i].why);
        assert_int_equal(files(trial, ".snap"), 0); /* a temporary one may be about to come and go: the worker takes its time */
        assert_int_equal(world_status(trial->victim).snapshot_index, 0);
    }
    assert_takes_the_next_one(trial, 100); /* which the worker does after all of them */
}

static void a_second_message_on_a_call_for_one(void **state)
{
    struct trial *trial = *state;
    struct raft_message beat = {.type = RAFT_MESSAGE_HEARTBEAT, .to = 1, .from = 2, .term = TERM};
    struct raft_snapshot snapshot = snapshot_at(100);
    struct raft_message message = snapshot_message(&snapshot);
    cleanup_buf struct buf out = {0};
    struct attempt attempt;
    begin(trial, true);
    raft_wire_wrap(&beat, &out);
    start(trial, 1, STREAM_METHOD, &attempt);
    assert_ok(grpc_call_send_bytes(attempt.call, buf_bytes(&out), err));
    send_part(&attempt, &message, IMAGE);
    finish(trial, &attempt);
    assert_answer(&attempt, GRPC_INVALID_ARGUMENT, "not of type 7");
    start(trial, 1, UNARY_METHOD, &attempt); /* a snapshot needs a stream: it is not taken */
    send_part(&attempt, &message, IMAGE);
    finish(trial, &attempt);
    run_for(&trial->world.loop, 50);
    assert_int_equal(files(trial, ".snap"), 0);
    assert_int_equal(world_status(trial->victim).snapshot_index, 0);
    assert_takes_the_next_one(trial, 100);
}

static void a_snapshot_that_is_cut_off_leaves_nothing(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot snapshot = snapshot_at(100);
    struct raft_message message = snapshot_message(&snapshot);
    struct attempt attempt;
    begin(trial, false); /* one that knows nothing yet */
    start(trial, 1, STREAM_METHOD, &attempt);
    send_part(&attempt, &message, IMAGE);
    run_until(&trial->world.loop, files(trial, ".tmp") == 1);
    grpc_call_cancel(attempt.call);
    run_until(&trial->world.loop, !attempt.call && files(trial, ".tmp") == 0);
    assert_int_equal(files(trial, ".snap"), 0);
    assert_takes_the_next_one(trial, 100);
}

static void a_snapshot_that_never_ends_holds_nobody_up_for_long(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot snapshot = snapshot_at(100);
    struct raft_message message = snapshot_message(&snapshot);
    struct attempt stuck, second;
    begin(trial, true);
    start(trial, 1, STREAM_METHOD, &stuck);
    send_part(&stuck, &message, IMAGE);
    run_until(&trial->world.loop, files(trial, ".tmp") == 1);
    start(trial, 1, STREAM_METHOD, &second);
    send_part(&second, &message, IMAGE);
    finish(trial, &second);
    assert_answer(&second, GRPC_UNAVAILABLE, "coming in already");
    trial->world.ahead_ns += (RAFT_SNAPSHOT_STALL_MS - 2000) * UINT64_C(1000000);
    send_part(&stuck, &message, ""); /* says something, but brings nothing */
    run_for(&trial->world.loop, 100);
    assert_non_null(stuck.call);
    trial->world.ahead_ns += 3000 * UINT64_C(1000000);
    run_until(&trial->world.loop, !stuck.call);
    assert_answer(&stuck, GRPC_DEADLINE_EXCEEDED, "does not go on");
    assert_takes_the_next_one(trial, 100);
}

static void a_newer_leaders_snapshot_goes_before(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot snapshot = snapshot_at(100), newer = snapshot_at(200);
    struct raft_message message = snapshot_message(&snapshot), overtaking = snapshot_message(&newer);
    struct attempt old, attempt;
    overtaking.from = 3;
    overtaking.term = TERM + 1;
    begin(trial, true);
    start(trial, 1, STREAM_METHOD, &old);
    send_part(&old, &message, IMAGE);
    run_until(&trial->world.loop, files(trial, ".tmp") == 1);
    start(trial, 2, STREAM_METHOD, &attempt);
    send_part(&attempt, &overtaking, IMAGE);
    finish(trial, &attempt);
    assert_answer(&attempt, GRPC_OK, "");
    run_until(&trial->world.loop, !old.call && world_status(trial->victim).applied == 200);
    assert_answer(&old, GRPC_ABORTED, "newer leader");
    run_until(&trial->world.loop, files(trial, ".tmp") == 0);
    assert_int_equal(files(trial, ".snap"), 1);
}

static void a_snapshot_that_is_too_large(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot snapshot = snapshot_at(100);
    struct raft_message message = snapshot_message(&snapshot);
    struct attempt attempt;
    char part[101];
    memset(part, 'x', 100);
    part[100] = 0;
    trial->world.snapshot_most = 1000;
    begin(trial, true);
    start(trial, 1, STREAM_METHOD, &attempt);
    for (int i = 0; i < 200 && attempt.call; i++) {
        send_part(&attempt, &message, part);
        run_for(&trial->world.loop, 2);
    }
    run_until(&trial->world.loop, !attempt.call);
    assert_answer(&attempt, GRPC_RESOURCE_EXHAUSTED, "more than 1000 bytes");
    run_until(&trial->world.loop, files(trial, ".tmp") == 0);
    assert_takes_the_next_one(trial, 100);
    start(trial, 1, STREAM_METHOD, &attempt); /* what is here already is not written, and counted all the same */
    for (int i = 0; i < 200 && attempt.call; i++) {
        send_part(&attempt, &message, part);
        run_for(&trial->world.loop, 2);
    }
    run_until(&trial->world.loop, !attempt.call);
    assert_answer(&attempt, GRPC_RESOURCE_EXHAUSTED, "more than 1000 bytes");
}

static void a_snapshot_that_is_not_used_is_removed(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot foreign = snapshot_at(100), old = snapshot_at(100);
    struct raft_message not_ours = snapshot_message(&foreign), of_old_term = snapshot_message(&old);
    struct attempt attempt;
    foreign.conf.voters = (struct raft_ids){others, 2};
    begin(trial, true);
    attempt = say(trial, 1, UNARY_METHOD, &(struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .to = 1, .from = 2, .term = TERM});
    run_until(&trial->world.loop, term_of(trial) == TERM);
    start(trial, 1, STREAM_METHOD, &attempt);
    send_part(&attempt, &not_ours, IMAGE);
    finish(trial, &attempt);
    assert_answer(&attempt, GRPC_OK, "");
    run_until(&trial->world.loop, files(trial, ".snap") == 0);
    of_old_term.term = TERM - 1;
    start(trial, 1, STREAM_METHOD, &attempt);
    send_part(&attempt, &of_old_term, IMAGE);
    finish(trial, &attempt);
    assert_answer(&attempt, GRPC_OK, "");
    run_until(&trial->world.loop, files(trial, ".snap") == 0);
    assert_int_equal(world_status(trial->victim).snapshot_index, 0);
    assert_takes_the_next_one(trial, 100);
}

static void a_membership_that_contradicts_itself_harms_nothing(void **state)
{
    struct trial *trial = *state;
    struct raft_snapshot snapshot = snapshot_at(100);
    struct raft_message message = snapshot_message(&snapshot);
    struct attempt attempt;
    snapshot.conf.learners = (struct raft_ids){both, 2}; /* voters and learners at once */
    begin(trial, true);
    start(trial, 1, STREAM_METHOD, &attempt);
    send_part(&attempt, &message, IMAGE);
    finish(trial, &attempt);
    run_until(&trial->world.loop, files(trial, ".snap") == 0 && files(trial, ".tmp") == 0);
    assert_int_equal(trial->victim->failed.code, 0);
    assert_int_equal(world_status(trial->victim).snapshot_index, 0);
    assert_takes_the_next_one(trial, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(an_address_is_told_to_managers_and_only_of_members),
        TEST(a_message_is_taken_from_whom_it_names),
        TEST(what_is_not_for_it_is_dropped_in_peace),
        TEST(a_removed_member_hears_that_it_was_removed),
        TEST(bytes_that_are_no_message),
        TEST(contexts_that_are_malformed_change_no_address),
        TEST(parts_that_do_not_belong_together),
        TEST(a_second_message_on_a_call_for_one),
        TEST(a_snapshot_that_is_cut_off_leaves_nothing),
        TEST(a_snapshot_that_never_ends_holds_nobody_up_for_long),
        TEST(a_newer_leaders_snapshot_goes_before),
        TEST(a_snapshot_that_is_too_large),
        TEST(a_snapshot_that_is_not_used_is_removed),
        TEST(a_membership_that_contradicts_itself_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
