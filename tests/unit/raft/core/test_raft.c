/* tests/unit/raft/core/test_raft.c – a member's beginning, its failures, and what it refuses to be told. */
#include "tests/unit/raft/core/fixture.h"

static struct raft_config sound(struct raft_memory_storage *storage, struct random_seeded *seed)
{
    random_seeded_init(seed, 1);
    return (struct raft_config){.id = 1,
                                .election_ticks = 10,
                                .heartbeat_ticks = 1,
                                .storage = raft_memory_storage_table(storage),
                                .random = random_from_seeded(seed),
                                .inflight_most_count = 1};
}

static void a_configuration_that_cannot_be_is_refused(void **state)
{
    struct raft_memory_storage storage;
    struct random_seeded seed;
    struct raft *raft = NULL;
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_config config = sound(&storage, &seed);
    config.id = RAFT_NOBODY;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "id");
    config.id = RAFT_APPLY_THREAD;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "id");
    config = sound(&storage, &seed);
    config.heartbeat_ticks = 0;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "heartbeat");
    config.heartbeat_ticks = 10;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "longer than a heartbeat");
    config = sound(&storage, &seed);
    config.election_ticks = RAFT_ELECTION_TICKS_COUNT + 1;
    assert_fails(raft_new(&raft, &config, err), ERR_LIMIT, "at most");
    config = sound(&storage, &seed);
    config.inflight_most_count = 0;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "at least one append");
    config = sound(&storage, &seed);
    config.inflight_most_bytes = 1;
    config.message_most_bytes = 2;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "one message");
    config = sound(&storage, &seed);
    config.read_mode = RAFT_READ_LEASE;
    assert_fails(raft_new(&raft, &config, err), ERR_INVALID, "check_quorum");
    config = sound(&storage, &seed);
    config.storage_stall_ticks = RAFT_STALL_TICKS_COUNT + 1;
    assert_fails(raft_new(&raft, &config, err), ERR_LIMIT, "stall");
    assert_null(raft);
    raft_free(NULL);
    raft_memory_storage_deinit(&storage);
}

static int no_state(void *self, struct raft_hard_state *hard, struct raft_conf_state *conf, struct error *err)
{
    (void)self;
    (void)hard;
    (void)conf;
    return error_set(err, ERR_IO, "the disk is gone");
}

static void storage_that_contradicts_itself_is_refused(void **state)
{
    struct raft_memory_storage storage;
    struct random_seeded seed;
    struct raft *raft = NULL;
    (void)state;
    raft_memory_storage_init(&storage);
    struct raft_config config = sound(&storage, &seed);
    config.storage.initial_state = no_state;
    assert_fails(raft_new(&raft, &config, err), ERR_IO, "initial state: the disk is gone");
    config = sound(&storage, &seed);
    raft_memory_storage_set_hard_state(&storage, &(struct raft_hard_state){.term = 1, .commit = 9});
    assert_fails(raft_new(&raft, &config, err), ERR_CORRUPT, "the log lost entries");
    raft_memory_storage_set_hard_state(&storage, &(struct raft_hard_state){.term = 1});
    config.applied = 3;
    assert_fails(raft_new(&raft, &config, err), ERR_CORRUPT, "the state machine is at 3");
    config.applied = 0;
    raft_ids_add(&storage.snapshot.conf.voters, 1);
    raft_ids_add(&storage.snapshot.conf.learners_next, 1);
    assert_fails(raft_new(&raft, &config, err), ERR_CORRUPT, "membership");
    raft_memory_storage_deinit(&storage);
}

static void a_group_begins_from_a_list_of_peers(void **state)
{
    struct net net;
    struct raft_peer peers[] = {{1, bytes_of_string("one")}, {2, bytes_of_string("two")}, {3, bytes_of(NULL, 0)}};
    struct raft_snapshot nothing = {0};
    (void)state;
    net_begin(&net, 3, NULL);
    for (uint64_t id = 1; id <= 3; id++) {
        raft_snapshot_deinit(&net.members[id].storage.snapshot);
        net.members[id].storage.snapshot = nothing;
        net_restart(&net, id);
        assert_int_equal(net_raft(&net, id)->tracker.count, 0);
        assert_ok(raft_bootstrap(net_raft(&net, id), peers, 3, err));
    }
    net_pump(&net);
    net_elect(&net, 2);
    assert_int_equal(net_commit(&net, 1), 4);
    assert_int_equal(net_raft(&net, 1)->term, 2);
    assert_int_equal(net.members[3].applied.count, 4);
    struct raft_conf_change change;
    assert_ok(raft_conf_change_decode(&net.members[3].applied.items[1], &change, err));
    assert_int_equal(change.changes[0].id, 2);
    assert_memory_equal(change.context->data, "two", 3);
    raft_conf_change_deinit(&change);
    assert_fails(raft_bootstrap(net_raft(&net, 1), peers, 3, err), ERR_PRECONDITION, "empty log");
    assert_fails(raft_bootstrap(net_raft(&net, 1), peers, 0, err), ERR_INVALID, "1 to");
    net_end(&net);
}

static void a_group_does_not_begin_with_an_impossible_peer(void **state)
{
    struct net net;
    struct raft_peer peer = {RAFT_APPEND_THREAD, bytes_of(NULL, 0)};
    (void)state;
    net_begin(&net, 1, NULL);
    assert_fails(raft_bootstrap(net_raft(&net, 1), &peer, 1, err), ERR_INVALID, "id of a thread");
    net_end(&net);
}

static int no_entries(void *self, uint64_t low, uint64_t high, uint64_t size_bytes, struct raft_entries *out, struct error *err)
{
    (void)self;
    (void)low;
    (void)high;
    (void)size_bytes;
    (void)out;
    return error_set(err, ERR_IO, "the disk is gone");
}

static void a_log_that_cannot_be_read_stops_the_core_for_good(void **state)
{
    struct net net;
    struct raft_ready *ready;
    struct raft_conf_change change = {0};
    (void)state;
    net_begin(&net, 2, NULL);
    net_elect(&net, 1);
    net_isolate(&net, 2);
    net_propose(&net, 1, "x");
    struct raft *raft = net_raft(&net, 1);
    raft->log.storage.entries = no_entries;
    raft_progress_become_probe(raft_tracker_find(&raft->tracker, 2));
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT_RESPONSE, .from = 2, .to = 1, .term = 1}, err), ERR_IO,
                 "read entries from the log: the disk is gone");
    assert_fails(raft_tick(raft, err), ERR_IO, "the disk is gone");
    assert_fails(raft_campaign(raft, err), ERR_IO, "the disk is gone");
    assert_fails(raft_ready(raft, &ready, err), ERR_IO, "the disk is gone");
    assert_fails(raft_advance(raft, err), ERR_IO, "the disk is gone");
    assert_fails(raft_apply_conf_change(raft, &change, NULL, err), ERR_IO, "the disk is gone");
    assert_int_equal(raft_tick(raft, NULL), ERR_IO);
    net_end(&net);
}

static void what_cannot_come_from_a_peer_is_refused(void **state)
{
    static const enum raft_message_type local[] = {
        RAFT_MESSAGE_HUP,
        RAFT_MESSAGE_BEAT,
        RAFT_MESSAGE_UNREACHABLE,
        RAFT_MESSAGE_SNAPSHOT_STATUS,
        RAFT_MESSAGE_CHECK_QUORUM,
        RAFT_MESSAGE_STORAGE_APPEND,
        RAFT_MESSAGE_STORAGE_APPLY_RESPONSE,
        (enum raft_message_type)99,
    };
    static const enum raft_message_type termless[] = {
        RAFT_MESSAGE_APPEND,    RAFT_MESSAGE_VOTE,        RAFT_MESSAGE_PRE_VOTE,      RAFT_MESSAGE_SNAPSHOT,
        RAFT_MESSAGE_HEARTBEAT, RAFT_MESSAGE_TIMEOUT_NOW, RAFT_MESSAGE_VOTE_RESPONSE, RAFT_MESSAGE_APPEND_RESPONSE,
    };
    struct net net;
    (void)state;
    net_begin(&net, 3, NULL);
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        assert_fails(net_step(&net, (struct raft_message){.type = local[i], .from = 2, .to = 1, .term = 1}, err), ERR_INVALID,
                     "does not come from a peer");
    for (size_t i = 0; i < sizeof termless / sizeof termless[0]; i++)
        assert_fails(net_step(&net, (struct raft_message){.type = termless[i], .from = 2, .to = 1}, err), ERR_INVALID, "without a term");
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_APPEND, .from = RAFT_APPEND_THREAD, .to = 1, .term = 1}, err),
                 ERR_INVALID, "does not come from a thread");
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE_RESPONSE, .from = 9, .to = 1, .term = 1}, err),
                 ERR_NOT_FOUND, "no member");
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_HEARTBEAT, .from = 1, .to = 1, .term = 1}, err), ERR_INVALID,
                 "from 1 cannot be");
    assert_fails(net_step(&net, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .to = 1, .term = 1}, err), ERR_INVALID,
                 "from 0 cannot be");
    assert_int_equal(net_raft(&net, 1)->term, 0);
    net_end(&net);
}

static void cautious(struct raft_config *config)
{
    config->pre_vote = config->check_quorum = true;
    config->read_mode = RAFT_READ_LEASE;
    config->inflight_most_count = 2;
    config->message_most_bytes = 8;
}

/* Messages of every type, with any numbers, to members in every role: nothing they say may stop or abort them. */
static void garbage_does_not_stop_a_member(void **state)
{
    struct random_seeded seed;
    (void)state;
    random_seeded_init(&seed, 4711);
    struct random random = random_from_seeded(&seed);
    for (int round = 0; round < 60; round++) {
        struct net net;
        net_begin(&net, 3, round % 2 == 0 ? NULL : cautious);
        if (round % 3 > 0)
            net_elect(&net, (uint64_t)(round % 3));
        for (int i = 0; i < 300; i++) {
            struct raft_message message = {.type = (enum raft_message_type)random_below(&random, 26),
                                           .from = random_below(&random, 4),
                                           .to = 1,
                                           .term = random_below(&random, 4),
                                           .log_term = random_below(&random, 4),
                                           .index = random_below(&random, 6),
                                           .commit = random_below(&random, 8),
                                           .reject = random_below(&random, 2) == 0,
                                           .reject_hint = random_below(&random, 6)};
            message.entries_count = (size_t)random_below(&random, 3);
            message.entries = message.entries_count ? mem_array(message.entries_count, sizeof *message.entries) : NULL;
            for (size_t e = 0; e < message.entries_count; e++)
                message.entries[e] =
                    (struct raft_entry){.term = message.log_term + random_below(&random, 2),
                                        .index = message.index + 1 + e,
                                        .type = (enum raft_entry_type)(random_below(&random, 8) == 0 ? random_below(&random, 3) : 0)};
            struct error refusal = {0};
            (void)net_step(&net, message, &refusal);
            assert_ok(raft_tick(net_raft(&net, 1), err));
            struct raft_ready *ready;
            if (!raft_has_ready(net_raft(&net, 1)))
                continue;
            assert_ok(raft_ready(net_raft(&net, 1), &ready, err));
            net_write(&net.members[1], &ready->hard_state, ready->entries.items, ready->entries.count, &ready->snapshot);
            assert_ok(raft_advance(net_raft(&net, 1), err));
        }
        net_end(&net);
    }
}

static void the_status_tells_members_only_on_the_leader(void **state)
{
    struct net net;
    struct raft_status status;
    (void)state;
    net_begin(&net, 3, NULL);
    net_elect(&net, 1);
    raft_status(net_raft(&net, 1), &status);
    assert_int_equal(status.role, RAFT_LEADER);
    assert_int_equal(status.progress_count, 3);
    assert_int_equal(status.progress[2].match, 1);
    assert_int_equal(status.last_index, 1);
    raft_status(net_raft(&net, 2), &status);
    assert_int_equal(status.leader, 1);
    assert_null(status.progress);
    assert_int_equal(status.conf->voters.count, 3);
    net_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_that_cannot_be_is_refused),
        cmocka_unit_test(storage_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_group_begins_from_a_list_of_peers),
        cmocka_unit_test(a_group_does_not_begin_with_an_impossible_peer),
        cmocka_unit_test(a_log_that_cannot_be_read_stops_the_core_for_good),
        cmocka_unit_test(what_cannot_come_from_a_peer_is_refused),
        cmocka_unit_test(garbage_does_not_stop_a_member),
        cmocka_unit_test(the_status_tells_members_only_on_the_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
