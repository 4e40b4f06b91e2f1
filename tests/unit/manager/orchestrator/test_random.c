/* Hundreds of random events from a seed: services scaled and updated to images that fail, jobs begun anew, nodes lost, drained, paused,
 * added and removed, tasks killed, leaders changing, a store that refuses. All along no task moves backwards, no slot is wanted twice, and
 * no job runs more at once than it may; and when it is quiet again, what is asked for runs on nodes that are up, once, jobs are complete,
 * and history is bounded. SKEP_SEEDS=first-last runs others. */
#include "base/hash.h"
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/fixture.h"

#define NODES      5
#define SERVICES   6
#define JOB        4 /* these two places are jobs */
#define GLOBAL_JOB 5
#define EVENTS     150
#define CONCURRENT 3
#define TOTAL      6
#define HISTORY    5 /* a cluster without an object: TASK_HISTORY_DEFAULT_COUNT */

#define ACTION(name) DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__##name

struct seen {
    UT_hash_handle hh;
    int state, desired;
    char id[ID_SIZE_CHARS + 1];
};

struct play {
    struct swarm swarm;
    struct random_seeded seed;
    struct random random;
    struct spec specs[SERVICES];
    struct seen *seen;
    uint64_t number;
};

static const char *const names[SERVICES] = {"plain", "careful", "patient", "global", "job", "global-job"};

static uint64_t chance(struct play *play, uint64_t bound)
{
    return random_below(&play->random, bound);
}

static int fate(struct swarm *swarm, const task_type *task)
{
    struct play *play = (struct play *)(void *)swarm; /* its first member */
    bool is_bad = strcmp(task->spec->container->image, "image:bad") == 0;
    if (task->job_iteration && chance(play, 3) == 0)
        return STATE(COMPLETE);
    return is_bad && chance(play, 2) == 0 ? STATE(FAILED) : 0;
}

/* --- invariants --- */

static void check_task(struct play *play, const task_type *task)
{
    struct seen *seen;
    int state = (int)task->status->state, desired = (int)task->desired_state;
    HASH_FIND_STR(play->seen, task->id, seen);
    if (!seen) {
        seen = mem_alloc(sizeof *seen);
        snprintf(seen->id, sizeof seen->id, "%s", task->id);
        HASH_ADD_STR(play->seen, id, seen);
    }
    if (state < seen->state || desired < seen->desired)
        fail_msg("seed %llu: task %s went from state %d, desired %d, to %d, %d", (unsigned long long)play->number, task->id, seen->state,
                 seen->desired, state, desired);
    seen->state = state;
    seen->desired = desired;
}

static bool is_same_slot(const task_type *a, const task_type *b)
{
    bool is_global = strncmp(a->service_id, "global", 6) == 0;
    return strcmp(a->service_id, b->service_id) == 0 && a->slot == b->slot && (!is_global || strcmp(a->node_id, b->node_id) == 0);
}

/* An update that starts first, and one that keeps the old copy, may want two for a while. */
static int most_wanted(const task_type *task)
{
    return strcmp(task->service_id, "careful") == 0 ? 3 : strcmp(task->service_id, "patient") == 0 ? 2 : 1;
}

static bool is_wanted(const struct play *play, const task_type *task)
{
    const service_type *service = store_service(play->swarm.world.store, task->service_id);
    if (task->job_iteration == NULL)
        return task->desired_state <= STATE(RUNNING);
    return task->desired_state <= STATE(COMPLETE) && task->status->state != STATE(COMPLETE) &&
           task->job_iteration->index == service->job_status->job_iteration->index;
}

static size_t all_tasks(const struct play *play, const task_type **out, size_t most)
{
    struct store_cursor cursor;
    const task_type *task;
    size_t count = 0;
    store_find(play->swarm.world.store, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL && count < most)
        out[count++] = task;
    assert_true(count < most);
    return count;
}

static void check(struct play *play)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000), running = 0;
    for (size_t i = 0; i < count; i++) {
        int wanted = 0;
        char key[STORE_SLOT_KEY_SIZE];
        struct store_cursor cursor;
        const task_type *other;
        check_task(play, tasks[i]);
        if (!is_wanted(play, tasks[i]))
            continue;
        bool is_of_job = strcmp(tasks[i]->service_id, names[JOB]) == 0;
        if (is_of_job && (++running > CONCURRENT || tasks[i]->slot >= TOTAL))
            fail_msg("seed %llu: %zu tasks of the job at once, one in slot %llu", (unsigned long long)play->number, running,
                     (unsigned long long)tasks[i]->slot);
        store_slot_key(tasks[i]->service_id, tasks[i]->slot, key);
        store_find(play->swarm.world.store, STORE_TASK, STORE_BY_SLOT, key, &cursor);
        while ((other = (const void *)store_next(&cursor)) != NULL)
            wanted += is_wanted(play, other) && is_same_slot(tasks[i], other);
        if (wanted > most_wanted(tasks[i]))
            fail_msg("seed %llu: %d tasks are wanted in slot %llu of %s", (unsigned long long)play->number, wanted,
                     (unsigned long long)tasks[i]->slot, tasks[i]->service_id);
    }
}

/* Every step of the swarm is looked at. */
static void run(struct play *play)
{
    unsigned steps = 0;
    do {
        check(play);
        if (steps++ > 2000)
            fail_msg("seed %llu: the swarm does not come to rest", (unsigned long long)play->number);
    } while (swarm_step(&play->swarm));
    check(play);
}

static void pass(struct play *play, uint64_t ns)
{
    uint64_t end = play->swarm.now_ns + ns;
    run(play);
    while (play->swarm.now_ns < end) {
        uint64_t at = swarm_deadline(&play->swarm);
        at = at < end ? at : end;
        play->swarm.world.wall_ns += (int64_t)(at - play->swarm.now_ns);
        play->swarm.now_ns = at;
        run(play);
    }
}

/* --- events --- */

static void set_node(struct play *play, const char *id, int state, int availability)
{
    node_type message = *store_node(play->swarm.world.store, id);
    Docker__Swarmkit__V1__NodeStatus status = *message.status;
    Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
    if (state >= 0)
        status.state = (Docker__Swarmkit__V1__NodeStatus__State)state;
    if (availability >= 0)
        spec.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)availability;
    message.status = &status;
    message.spec = &spec;
    do_update(&play->swarm.world, &message);
}

static void set_lost(struct play *play, const char *id, bool is_lost)
{
    char text[16];
    snprintf(text, sizeof text, " %s ", id);
    char *at = strstr(play->swarm.lost_nodes, text);
    if (is_lost && !at)
        strncat(play->swarm.lost_nodes, text, sizeof play->swarm.lost_nodes - strlen(play->swarm.lost_nodes) - 1);
    if (!is_lost && at)
        memmove(at, at + strlen(text), strlen(at + strlen(text)) + 1);
    set_node(play, id, is_lost ? NODE_STATE(DOWN) : NODE_STATE(READY), -1);
}

static const char *any_node(struct play *play)
{
    static char id[8];
    snprintf(id, sizeof id, "n%u", (unsigned)chance(play, NODES));
    return store_node(play->swarm.world.store, id) ? id : NULL;
}

static void orphan(struct play *play, const char *node_id)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000);
    for (size_t i = 0; i < count; i++) {
        task_type message = *tasks[i];
        Docker__Swarmkit__V1__TaskStatus status = *message.status;
        if (strcmp(message.node_id, node_id) != 0 || status.state >= STATE(COMPLETE) || !store_task(play->swarm.world.store, message.id))
            continue;
        status.state = STATE(ORPHANED);
        message.status = &status;
        do_update(&play->swarm.world, &message);
    }
}

static void change_service(struct play *play, unsigned at, const char *image)
{
    struct spec *spec = &play->specs[at];
    if (image)
        spec->container.image = word(image);
    else
        spec->replicated.replicas = chance(play, 8);
    swarm_change(&play->swarm, spec);
}

static void kill_a_task(struct play *play)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000);
    if (count == 0)
        return;
    task_type message = *tasks[chance(play, count)];
    Docker__Swarmkit__V1__TaskStatus status = *message.status;
    if (status.state < STATE(ASSIGNED) || status.state > STATE(RUNNING) || swarm_is_lost(&play->swarm, message.node_id))
        return;
    status.state = STATE(FAILED);
    message.status = &status;
    do_update(&play->swarm.world, &message);
}

static void do_something(struct play *play)
{
    static const char *const images[] = {"image:1", "image:2", "image:bad"};
    const char *node_id = any_node(play);
    switch (chance(play, 14)) {
    case 0:
    case 1:
        change_service(play, (unsigned)chance(play, SERVICES), images[chance(play, 3)]);
        break;
    case 2:
    case 3:
        change_service(play, (unsigned)chance(play, SERVICES), NULL);
        break;
    case 4:
    case 5:
        if (node_id)
            set_lost(play, node_id, !swarm_is_lost(&play->swarm, node_id));
        break;
    case 6:
        if (node_id)
            set_node(play, node_id, -1, (int)chance(play, 3));
        break;
    case 7:
        if (node_id && chance(play, 2) == 0) {
            set_lost(play, node_id, true);
            orphan(play, node_id);
            do_remove(&play->swarm.world, STORE_NODE, node_id);
        } else if (!node_id) {
            for (unsigned i = 0; i < NODES; i++) {
                char id[8];
                snprintf(id, sizeof id, "n%u", i);
                if (!store_node(play->swarm.world.store, id)) {
                    swarm_add_node(&play->swarm, id);
                    set_lost(play, id, false);
                }
            }
        }
        break;
    case 8:
    case 9:
        kill_a_task(play);
        break;
    case 10:
        swarm_stop_parts(&play->swarm);
        swarm_start_parts(&play->swarm);
        break;
    case 11:
        play->swarm.world.refuses = ERR_UNAVAILABLE; /* what the parts decide now is refused */
        for (size_t i = 0; i < play->swarm.parts_count; i++)
            play->swarm.parts[i].step(play->swarm.parts[i].self, play->swarm.now_ns);
        world_settle(&play->swarm.world);
        play->swarm.world.refuses = 0;
        break;
    case 12:
        play->swarm.stops_slowly = !play->swarm.stops_slowly;
        break;
    default:
        break;
    }
    play->swarm.world.wall_ns += 1000;
}

/* --- the end --- */

static int count_up(const struct play *play)
{
    struct store_cursor cursor;
    const node_type *message;
    int count = 0;
    store_find(play->swarm.world.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((message = (const void *)store_next(&cursor)) != NULL)
        count += swarm_node_is_up(message);
    return count;
}

/* Of a job's present iteration. */
static int count_complete(const struct play *play, const char *name)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000);
    uint64_t iteration = swarm_service(&play->swarm, name)->job_status->job_iteration->index;
    int complete = 0;
    for (size_t i = 0; i < count; i++)
        complete += strcmp(tasks[i]->service_id, name) == 0 && tasks[i]->status->state == STATE(COMPLETE) &&
                    tasks[i]->job_iteration->index == iteration;
    return complete;
}

static int count_wanted(const struct play *play, const char *name)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000);
    int wanted = 0;
    for (size_t i = 0; i < count; i++)
        wanted += strcmp(tasks[i]->service_id, name) == 0 && is_wanted(play, tasks[i]);
    return wanted;
}

static void check_the_end(struct play *play)
{
    const task_type *tasks[2000];
    size_t count = all_tasks(play, tasks, 2000);
    for (unsigned i = 0; i < JOB; i++) {
        int want = i == 3 ? count_up(play) : (int)play->specs[i].replicated.replicas;
        int got = swarm_count(&play->swarm, names[i], STATE(RUNNING), STATE(RUNNING));
        int wanted = swarm_count(&play->swarm, names[i], STATE(RUNNING), -1) + swarm_count(&play->swarm, names[i], STATE(READY), -1);
        if (got != want || wanted != want)
            fail_msg("seed %llu: %s has %d running, %d wanted, %d asked for", (unsigned long long)play->number, names[i], got, wanted,
                     want);
    }
    for (unsigned i = JOB; i < SERVICES; i++) {
        int want = i == JOB ? TOTAL : count_up(play), got = count_complete(play, names[i]);
        if (got != want || count_wanted(play, names[i]) != 0)
            fail_msg("seed %llu: %s has %d complete, %d are wanted", (unsigned long long)play->number, names[i], got, want);
    }
    for (size_t i = 0; i < count; i++) {
        size_t in_slot = 0;
        const node_type *on = store_node(play->swarm.world.store, tasks[i]->node_id);
        if (tasks[i]->desired_state == STATE(RUNNING) && (!on || !swarm_node_is_up(on)))
            fail_msg("seed %llu: task %s is wanted on a node that is not up", (unsigned long long)play->number, tasks[i]->id);
        for (size_t j = 0; j < count; j++)
            in_slot += is_same_slot(tasks[i], tasks[j]);
        if (in_slot > HISTORY)
            fail_msg("seed %llu: %zu tasks in slot %llu of %s", (unsigned long long)play->number, in_slot,
                     (unsigned long long)tasks[i]->slot, tasks[i]->service_id);
    }
}

static void become_quiet(struct play *play)
{
    play->swarm.fate = NULL;
    play->swarm.jobs_complete = true;
    play->swarm.stops_slowly = false;
    if (store_count(play->swarm.world.store, STORE_NODE, STORE_ALL, NULL) == 0)
        swarm_add_node(&play->swarm, "n0");
    for (unsigned i = 0; i < NODES; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%u", i);
        if (store_node(play->swarm.world.store, id)) {
            set_lost(play, id, false);
            set_node(play, id, -1, AVAILABILITY(ACTIVE));
        }
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        play->specs[i].update.parallelism = 0;
        change_service(play, i, "image:3");
    }
    pass(play, 600 * NS_PER_S);
}

/* --- one seed --- */

static void make_services(struct play *play)
{
    for (unsigned i = 0; i < SERVICES; i++) {
        struct spec *spec = &play->specs[i];
        spec_init(spec, names[i], 3);
        spec_restart(spec, RESTART_ANY, 1 + (int64_t)chance(play, 4), 0);
        spec->spec.update = &spec->update;
        spec->update.parallelism = chance(play, 3);
        message_set_duration(&spec->update_delay, (int64_t)(chance(play, 5) * NS_PER_S));
        spec->update.delay = &spec->update_delay;
        spec->update.failure_action = (Docker__Swarmkit__V1__UpdateConfig__FailureAction)chance(play, 3);
    }
    play->specs[1].update.order = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__START_FIRST;
    spec_label(&play->specs[2], LABEL_LOST_AFTER, "20s");
    spec_label(&play->specs[2], LABEL_KEEP, "old");
    spec_global(&play->specs[3]);
    play->specs[JOB].spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    play->specs[JOB].spec.replicated_job = &play->specs[JOB].replicated_job;
    play->specs[JOB].replicated_job.max_concurrent = CONCURRENT;
    play->specs[JOB].replicated_job.total_completions = TOTAL;
    play->specs[GLOBAL_JOB].spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    play->specs[GLOBAL_JOB].spec.global_job = &play->specs[GLOBAL_JOB].global_job;
    for (unsigned i = 0; i < SERVICES; i++)
        swarm_create(&play->swarm, &play->specs[i]);
}

static void play_seed(uint64_t number)
{
    struct play *play = mem_alloc(sizeof *play);
    struct seen *seen, *next;
    play->number = number;
    swarm_begin(&play->swarm, NODES);
    random_seeded_init(&play->seed, number);
    random_seeded_init(&play->swarm.seed, number + 1000000);
    play->random = random_from_seeded(&play->seed);
    play->swarm.fate = fate;
    make_services(play);
    for (unsigned i = 0; i < EVENTS; i++) {
        do_something(play);
        if (chance(play, 3) == 0)
            run(play);
        if (chance(play, 3) == 0)
            pass(play, chance(play, 20000) * NS_PER_MS);
    }
    become_quiet(play);
    check_the_end(play);
    swarm_end(&play->swarm);
    HASH_ITER (hh, play->seen, seen, next) {
        HASH_DEL(play->seen, seen);
        free(seen);
    }
    free(play);
}

static void whatever_happens_the_swarm_comes_to_what_is_asked_for(void **state)
{
    (void)state;
    const char *seeds = getenv("SKEP_SEEDS");
    unsigned long long first = 1, last = 8;
    if (seeds && sscanf(seeds, "%llu-%llu", &first, &last) == 1)
        last = first;
    for (unsigned long long number = first; number <= last; number++)
        play_seed(number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_happens_the_swarm_comes_to_what_is_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
