/* tests/unit/raft/log/model.h – what a log may hold after a crash: the state as of any record from the last acknowledged one to the last
 * appended one, and nothing else. A random workload that keeps the model beside the log. */
#ifndef SKEP_TESTS_RAFT_LOG_MODEL_H
#define SKEP_TESTS_RAFT_LOG_MODEL_H

#include "tests/unit/raft/log/fixture.h"

enum { MODEL_INDEXES = 1024 };

struct model_state {
    struct raft_hard_state hard;
    uint64_t snapshot_index, floor, last; /* entries from @floor on are known */
    uint64_t terms[MODEL_INDEXES];
};

struct model {
    struct model_state *states; /* one per record */
    size_t count, acknowledged; /* the index of the one that must have survived at least */
    uint64_t term;
};

static inline void model_init(struct model *model)
{
    *model = (struct model){.states = mem_array(1, sizeof *model->states), .count = 1, .term = 1};
    model->states[0].floor = 1;
}

static inline void model_deinit(struct model *model)
{
    free(model->states);
}

static inline struct model_state *model_last(struct model *model)
{
    return &model->states[model->count - 1];
}

static inline struct model_state *model_push(struct model *model)
{
    if ((model->count & (model->count - 1)) == 0)
        model->states = mem_resize(model->states, 2 * model->count * sizeof *model->states);
    model->states[model->count] = model->states[model->count - 1];
    return &model->states[model->count++];
}

static inline int model_append(struct model *model, struct raft_log *log, uint64_t first, uint64_t last, uint64_t term,
                               const struct raft_hard_state *hard, struct error *err)
{
    struct raft_hard_state before = model_last(model)->hard;
    if (hard && (hard->term != before.term || hard->vote != before.vote))
        model_push(model)->hard = (struct raft_hard_state){hard->term, hard->vote, first <= last ? before.commit : hard->commit};
    if (first <= last) {
        struct model_state *state = model_push(model);
        for (uint64_t i = first; i <= last; i++)
            state->terms[i] = term;
        state->last = last;
    }
    if (hard && hard->commit != model_last(model)->hard.commit)
        model_push(model)->hard = *hard;
    return first <= last ? append_range(log, first, last, term, hard, err) : raft_log_append(log, hard, NULL, 0, err);
}

static inline int model_flush(struct model *model, struct raft_log *log, struct error *err)
{
    int failed = raft_log_flush(log, err);
    if (failed == 0)
        model->acknowledged = model->count - 1;
    return failed;
}

static inline int model_snapshot(struct model *model, struct raft_log *log, uint64_t index, uint64_t term, bool is_install,
                                 struct error *err)
{
    struct raft_snapshot meta;
    int failed = write_snapshot(log, index, term, 700, &meta, err);
    if (failed < 0)
        return failed;
    struct model_state *state = model_push(model);
    state->snapshot_index = index;
    if (state->hard.commit < index)
        state->hard.commit = index;
    if (is_install) {
        state->floor = index + 1;
        state->last = index;
    }
    return raft_log_append_snapshot(log, &meta, is_install, err);
}

static inline int model_append_some(struct model *model, struct raft_log *log, const struct random *random, struct error *err)
{
    const struct model_state *now = model_last(model);
    struct raft_hard_state hard = now->hard;
    uint64_t first = now->last + 1, count = random_below(random, 9);

    if (random_below(random, 4) == 0)
        model->term++;
    if (count > 0 && now->last > hard.commit && random_below(random, 3) == 0) {
        first = hard.commit + 1 + random_below(random, now->last - hard.commit);
        model->term++; /* only a newer leader replaces */
    }
    hard.vote = model->term != hard.term ? random_below(random, 4) : hard.vote;
    hard.term = model->term;
    uint64_t last = count > 0 ? first + count - 1 : now->last;
    hard.commit += random_below(random, last - hard.commit + 1);
    return model_append(model, log, count > 0 ? first : 1, count > 0 ? last : 0, model->term, &hard, err);
}

static inline int model_snapshot_some(struct model *model, struct raft_log *log, const struct random *random, struct error *err)
{
    const struct model_state *now = model_last(model);
    bool is_install = random_below(random, 3) == 0;
    uint64_t index = is_install ? now->last + 1 + random_below(random, 9) : now->hard.commit;
    if (index <= now->snapshot_index || (!is_install && index < now->floor))
        return 0;
    int failed = model_snapshot(model, log, index, is_install ? model->term : now->terms[index], is_install, err);
    if (failed == 0)
        failed = model_flush(model, log, err);
    return failed < 0 ? failed : raft_log_compact(log, err);
}

/* Until @flushes are done, or something fails. */
static inline int model_run(struct model *model, struct raft_log *log, const struct random *random, int flushes, struct error *err)
{
    for (int i = 0; i < flushes && model_last(model)->last < MODEL_INDEXES - 64; i++) {
        int failed = 0;
        for (uint64_t n = 1 + random_below(random, 3); failed == 0 && n > 0; n--)
            failed = model_append_some(model, log, random, err);
        if (failed == 0)
            failed = model_flush(model, log, err);
        if (failed == 0 && random_below(random, 8) == 0)
            failed = model_snapshot_some(model, log, random, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static inline bool model_is(const struct model_state *state, const struct raft_log_state *got)
{
    if (memcmp(&state->hard, &got->hard, sizeof got->hard) != 0 || state->last != got->last_index ||
        state->snapshot_index != got->snapshot.index || got->first_index > got->snapshot.index + 1)
        return false;
    for (uint64_t i = got->first_index > state->floor ? got->first_index : state->floor; i <= got->last_index; i++)
        if (got->entries[i - got->first_index].term != state->terms[i])
            return false;
    return true;
}

/* Which of the states that are allowed between @from and @to this is; fails the test when it is none. */
static inline size_t model_find(const struct model *model, const struct raft_log_state *got, size_t from, size_t to, const char *where)
{
    for (size_t i = from; i <= to; i++) {
        if (!model_is(&model->states[i], got))
            continue;
        for (uint64_t k = got->first_index; k <= got->last_index; k++)
            assert_entry(got, k, got->entries[k - got->first_index].term);
        return i;
    }
    const struct model_state *want = &model->states[from];
    fail_msg(
        "%s: recovered last %llu, term %llu, commit %llu, snapshot %llu; acknowledged last %llu, term %llu, commit %llu, snapshot %llu",
        where, (unsigned long long)got->last_index, (unsigned long long)got->hard.term, (unsigned long long)got->hard.commit,
        (unsigned long long)got->snapshot.index, (unsigned long long)want->last, (unsigned long long)want->hard.term,
        (unsigned long long)want->hard.commit, (unsigned long long)want->snapshot_index);
    return 0;
}

/* From now on what was found is the only truth. */
static inline void model_restart_from(struct model *model, size_t at)
{
    model->states[0] = model->states[at];
    model->count = 1;
    model->acknowledged = 0;
}

#endif
