/* A log whose group is lost becomes that of a group of one. */
#include "raft/alone.h"

#include "raft/conf_change.h"
#include "tests/unit/raft/log/fixture.h"

static int make(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    fixture_init(f, 1);
    *state = f;
    return fixture_open(f, NULL);
}

static int drop(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

static struct raft_entry change_of(uint64_t index, uint64_t term, enum raft_conf_change_type type, uint64_t id)
{
    struct raft_conf_change change = {.is_v1 = true};
    struct raft_entry entry;
    raft_conf_change_add(&change, type, id);
    assert_ok(raft_conf_change_encode(&change, &entry, err));
    raft_conf_change_deinit(&change);
    entry.index = index;
    entry.term = term;
    return entry;
}

static void append(struct fixture *f, struct raft_entry entry, const struct raft_hard_state *hard)
{
    assert_ok(raft_log_append(f->log, hard, &entry, 1, err));
    raft_payload_release(entry.payload);
}

/* Voters 1, 2, 3 and a learner 4; 5 came and went. */
static void fill(struct fixture *f)
{
    append(f, change_of(1, 1, RAFT_ADD_VOTER, 1), &(struct raft_hard_state){1, 1, 0});
    append(f, change_of(2, 1, RAFT_ADD_VOTER, 2), NULL);
    append(f, change_of(3, 1, RAFT_ADD_VOTER, 3), NULL);
    append(f, change_of(4, 1, RAFT_ADD_LEARNER, 4), NULL);
    append(f, change_of(5, 1, RAFT_ADD_VOTER, 5), NULL);
    append(f, change_of(6, 1, RAFT_REMOVE_MEMBER, 5), NULL);
    assert_ok(append_range(f->log, 7, 10, 1, &(struct raft_hard_state){3, 2, 8}, err));
    assert_ok(raft_log_flush(f->log, err));
    assert_ok(fixture_close(f, err));
}

static void assert_removal(const struct raft_log_state *state, uint64_t index, uint64_t id)
{
    struct raft_conf_change change;
    const struct raft_entry *entry = &state->entries[index - state->entries[0].index];
    assert_int_equal(entry->index, index);
    assert_int_equal(entry->term, 3);
    assert_ok(raft_conf_change_decode(entry, &change, err));
    assert_int_equal(change.count, 1);
    assert_int_equal(change.changes[0].type, RAFT_REMOVE_MEMBER);
    assert_int_equal(change.changes[0].id, id);
    raft_conf_change_deinit(&change);
}

static void the_others_are_removed_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    size_t removed;
    fill(f);
    assert_ok(raft_log_make_alone(&f->options, 1, &removed, err));
    assert_int_equal(removed, 3);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 13);
    assert_int_equal(f->state.hard.commit, 13);
    assert_int_equal(f->state.hard.term, 3);
    assert_removal(&f->state, 11, 2);
    assert_removal(&f->state, 12, 3);
    assert_removal(&f->state, 13, 4);
    assert_ok(fixture_close(f, err));
    assert_ok(raft_log_make_alone(&f->options, 1, &removed, err));
    assert_int_equal(removed, 0);
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 13);
}

static void who_is_no_voter_is_refused_and_nothing_changes(void **state)
{
    struct fixture *f = *state;
    size_t removed;
    fill(f);
    assert_fails(raft_log_make_alone(&f->options, 4, &removed, err), ERR_PRECONDITION, "member 4 is no voter");
    assert_fails(raft_log_make_alone(&f->options, 5, &removed, err), ERR_PRECONDITION, "no voter");
    assert_ok(fixture_open(f, err));
    assert_int_equal(f->state.last_index, 10);
    assert_int_equal(f->state.hard.commit, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_others_are_removed_and_nothing_is_lost, make, drop),
        cmocka_unit_test_setup_teardown(who_is_no_voter_is_refused_and_nothing_changes, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
