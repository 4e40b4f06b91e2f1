/* The arithmetic of membership changes: a draft is made, changed, checked, and takes the tracker's place, or is thrown away. */
#include "raft/core/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define U(value) ((unsigned long long)(value))

struct draft {
    struct raft_conf_state conf;
    struct raft_progress *progress; /* by id; windows are shared with the tracker until the draft replaces it */
    size_t count;
    uint64_t last_index;
    const struct raft_tracker *tracker;
};

static void begin(struct draft *draft, const struct raft_tracker *tracker, uint64_t last_index)
{
    *draft = (struct draft){.last_index = last_index, .tracker = tracker, .count = tracker->count};
    raft_conf_state_copy(&draft->conf, &tracker->conf);
    draft->progress = mem_array(tracker->count + 1, sizeof *draft->progress);
    if (tracker->count > 0)
        memcpy(draft->progress, tracker->progress, tracker->count * sizeof *draft->progress);
}

static void throw_away(struct draft *draft)
{
    raft_conf_state_deinit(&draft->conf);
    free(draft->progress);
}

static size_t place_of(const struct draft *draft, uint64_t id)
{
    size_t place = 0;

    while (place < draft->count && draft->progress[place].id < id)
        place++;
    return place;
}

static struct raft_progress *find(const struct draft *draft, uint64_t id)
{
    size_t place = place_of(draft, id);
    return place < draft->count && draft->progress[place].id == id ? &draft->progress[place] : NULL;
}

/* A window that no longer is in the draft goes with the tracker's old array. */
static void replace(struct raft_tracker *tracker, struct draft *draft)
{
    for (size_t i = 0; i < tracker->count; i++) {
        const struct raft_progress *kept = find(draft, tracker->progress[i].id);
        if (!kept || kept->window.ring != tracker->progress[i].window.ring)
            raft_inflights_deinit(&tracker->progress[i].window);
    }
    free(tracker->progress);
    raft_conf_state_deinit(&tracker->conf);
    tracker->progress = draft->progress;
    tracker->count = draft->count;
    tracker->conf = draft->conf;
}

/* Its log is guessed to end where ours does; it counts as active, or check_quorum might depose a leader before the first answer. */
static void add_progress(struct draft *draft, uint64_t id, bool is_learner)
{
    size_t place = place_of(draft, id);

    draft->progress = mem_resize(draft->progress, (draft->count + 1) * sizeof *draft->progress);
    memmove(draft->progress + place + 1, draft->progress + place, (draft->count - place) * sizeof *draft->progress);
    draft->count++;
    draft->progress[place] = (struct raft_progress){
        .id = id, .next = draft->last_index > 1 ? draft->last_index : 1, .is_recently_active = true, .is_learner = is_learner};
    raft_inflights_init(&draft->progress[place].window, draft->tracker->inflight_most_count, draft->tracker->inflight_most_bytes);
}

static void drop_progress(struct draft *draft, uint64_t id)
{
    size_t place = place_of(draft, id);

    draft->count--;
    memmove(draft->progress + place, draft->progress + place + 1, (draft->count - place) * sizeof *draft->progress);
}

static void take_out(struct draft *draft, uint64_t id)
{
    raft_ids_remove(&draft->conf.voters, id);
    raft_ids_remove(&draft->conf.learners, id);
    raft_ids_remove(&draft->conf.learners_next, id);
}

static void make_voter(struct draft *draft, uint64_t id)
{
    struct raft_progress *progress = find(draft, id);

    if (progress)
        progress->is_learner = false;
    else
        add_progress(draft, id, false);
    take_out(draft, id);
    raft_ids_add(&draft->conf.voters, id);
}

/* A voter of the outgoing majority stays one until the joint configuration is left, and becomes a learner then. */
static void make_learner(struct draft *draft, uint64_t id)
{
    struct raft_progress *progress = find(draft, id);

    if (progress && progress->is_learner)
        return;
    take_out(draft, id);
    if (raft_ids_has(&draft->conf.voters_outgoing, id)) {
        raft_ids_add(&draft->conf.learners_next, id);
        return;
    }
    raft_ids_add(&draft->conf.learners, id);
    if (progress)
        progress->is_learner = true;
    else
        add_progress(draft, id, true);
}

static void remove_member(struct draft *draft, uint64_t id)
{
    if (!find(draft, id))
        return;
    take_out(draft, id);
    if (!raft_ids_has(&draft->conf.voters_outgoing, id))
        drop_progress(draft, id);
}

static int apply(struct draft *draft, const struct raft_conf_change_single *changes, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].id == RAFT_NOBODY)
            continue;
        if (changes[i].id == RAFT_APPEND_THREAD || changes[i].id == RAFT_APPLY_THREAD)
            return error_set(err, ERR_INVALID, "%llu is the id of a thread and cannot be a member's", U(changes[i].id));
        switch (changes[i].type) {
        case RAFT_ADD_VOTER:
            make_voter(draft, changes[i].id);
            break;
        case RAFT_ADD_LEARNER:
            make_learner(draft, changes[i].id);
            break;
        case RAFT_REMOVE_MEMBER:
            remove_member(draft, changes[i].id);
            break;
        case RAFT_UPDATE_MEMBER:
            break;
        default:
            return error_set(err, ERR_INVALID, "unexpected conf type %d", (int)changes[i].type);
        }
        if (draft->count > RAFT_MEMBERS_COUNT)
            return error_set(err, ERR_LIMIT, "a group has at most %d members", RAFT_MEMBERS_COUNT);
    }
    if (draft->conf.voters.count == 0)
        return error_set(err, ERR_PRECONDITION, "removed all voters");
    return 0;
}

/* How many voters were added and removed in all. */
static size_t voters_changed(const struct raft_ids *before, const struct raft_ids *after)
{
    size_t changed = 0;

    for (size_t i = 0; i < before->count; i++)
        changed += !raft_ids_has(after, before->items[i]);
    for (size_t i = 0; i < after->count; i++)
        changed += !raft_ids_has(before, after->items[i]);
    return changed;
}

static int change_simply(struct draft *draft, const struct raft_conf_change_single *changes, size_t count, struct error *err)
{
    if (draft->conf.voters_outgoing.count > 0)
        return error_set(err, ERR_PRECONDITION, "can't apply simple config change in joint config");
    int result = apply(draft, changes, count, err);
    if (result < 0)
        return result;
    if (voters_changed(&draft->tracker->conf.voters, &draft->conf.voters) > 1) /* then two majorities need not meet: §4.1 */
        return error_set(err, ERR_PRECONDITION, "more than one voter changed without entering joint config");
    return 0;
}

static int enter_joint(struct draft *draft, bool auto_leave, const struct raft_conf_change_single *changes, size_t count, struct error *err)
{
    if (draft->conf.voters_outgoing.count > 0)
        return error_set(err, ERR_PRECONDITION, "config is already joint");
    if (draft->conf.voters.count == 0)
        return error_set(err, ERR_PRECONDITION, "can't make a zero-voter config joint");
    for (size_t i = 0; i < draft->conf.voters.count; i++)
        raft_ids_add(&draft->conf.voters_outgoing, draft->conf.voters.items[i]);
    draft->conf.auto_leave = auto_leave;
    return apply(draft, changes, count, err);
}

static int leave_joint(struct draft *draft, struct error *err)
{
    struct raft_conf_state *conf = &draft->conf;

    if (conf->voters_outgoing.count == 0)
        return error_set(err, ERR_PRECONDITION, "can't leave a non-joint config");
    for (size_t i = 0; i < conf->learners_next.count; i++) {
        raft_ids_add(&conf->learners, conf->learners_next.items[i]);
        find(draft, conf->learners_next.items[i])->is_learner = true;
    }
    for (size_t i = 0; i < conf->voters_outgoing.count; i++) {
        uint64_t id = conf->voters_outgoing.items[i];
        if (!raft_ids_has(&conf->voters, id) && !raft_ids_has(&conf->learners, id))
            drop_progress(draft, id);
    }
    conf->learners_next.count = conf->voters_outgoing.count = 0;
    conf->auto_leave = false;
    return 0;
}

int raft_tracker_change(struct raft_tracker *tracker, enum raft_change_kind how, bool auto_leave,
                        const struct raft_conf_change_single *changes, size_t count, uint64_t last_index, struct error *err)
{
    struct draft draft;
    int result;

    begin(&draft, tracker, last_index);
    if (how == RAFT_CHANGE_SIMPLE)
        result = change_simply(&draft, changes, count, err);
    else if (how == RAFT_CHANGE_ENTER_JOINT)
        result = enter_joint(&draft, auto_leave, changes, count, err);
    else
        result = leave_joint(&draft, err);
    if (result < 0)
        throw_away(&draft);
    else
        replace(tracker, &draft);
    return result;
}

static void add_all(struct raft_conf_change *list, enum raft_conf_change_type type, const struct raft_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        raft_conf_change_add(list, type, ids->items[i]);
}

static int restore_singly(struct raft_tracker *tracker, const struct raft_conf_change *list, uint64_t last_index, struct error *err)
{
    int result = 0;

    for (size_t i = 0; i < list->count && result == 0; i++)
        result = raft_tracker_change(tracker, RAFT_CHANGE_SIMPLE, false, &list->changes[i], 1, last_index, err);
    return result;
}

static bool conf_equals(const struct raft_conf_state *a, const struct raft_conf_state *b)
{
    return raft_ids_equal(&a->voters, &b->voters) && raft_ids_equal(&a->voters_outgoing, &b->voters_outgoing) &&
           raft_ids_equal(&a->learners, &b->learners) && raft_ids_equal(&a->learners_next, &b->learners_next) &&
           a->auto_leave == b->auto_leave;
}

/* Lists that came over the wire need not be sorted. */
static void sort_conf(struct raft_conf_state *to, const struct raft_conf_state *from)
{
    const struct raft_ids *in[] = {&from->voters, &from->learners, &from->voters_outgoing, &from->learners_next};
    struct raft_ids *out[] = {&to->voters, &to->learners, &to->voters_outgoing, &to->learners_next};

    *to = (struct raft_conf_state){.auto_leave = from->auto_leave};
    for (size_t list = 0; list < 4; list++)
        for (size_t i = 0; i < in[list]->count; i++)
            raft_ids_add(out[list], in[list]->items[i]);
}

/* The outgoing majority is built first, one by one, and the rest is what entering the joint configuration from there changes. */
int raft_tracker_restore(struct raft_tracker *tracker, const struct raft_conf_state *conf, uint64_t last_index, struct error *err)
{
    struct raft_conf_change outgoing = {0}, incoming = {0};
    struct raft_conf_state sorted = {0};
    struct error cause = {0};
    int result;

    if (conf->voters.count + conf->learners.count + conf->voters_outgoing.count + conf->learners_next.count > 4 * RAFT_MEMBERS_COUNT)
        return error_set(err, ERR_LIMIT, "a group has at most %d members", RAFT_MEMBERS_COUNT);
    sort_conf(&sorted, conf);
    add_all(&outgoing, RAFT_ADD_VOTER, &sorted.voters_outgoing);
    add_all(&incoming, RAFT_REMOVE_MEMBER, &sorted.voters_outgoing);
    add_all(&incoming, RAFT_ADD_VOTER, &sorted.voters);
    add_all(&incoming, RAFT_ADD_LEARNER, &sorted.learners);
    add_all(&incoming, RAFT_ADD_LEARNER, &sorted.learners_next);
    if (sorted.voters_outgoing.count == 0) {
        result = restore_singly(tracker, &incoming, last_index, &cause);
    } else {
        result = restore_singly(tracker, &outgoing, last_index, &cause);
        if (result == 0)
            result = raft_tracker_change(tracker, RAFT_CHANGE_ENTER_JOINT, sorted.auto_leave, incoming.changes, incoming.count, last_index,
                                         &cause);
    }
    if (result == 0 && !conf_equals(&tracker->conf, &sorted))
        result = error_set(&cause, ERR_CORRUPT, "no sequence of changes leads there");
    if (result < 0)
        result = error_set(err, result == ERR_LIMIT ? ERR_LIMIT : ERR_CORRUPT, "the membership contradicts itself: %s", cause.message);
    raft_conf_state_deinit(&sorted);
    raft_conf_change_deinit(&outgoing);
    raft_conf_change_deinit(&incoming);
    return result;
}
