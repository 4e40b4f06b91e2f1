/* The life of services where everything that moves tasks takes part: orchestrator, allocator, enforcer, the dispatcher, and hosts that run
 * what they are told; only the scheduler is a simple one. What is looked at is above all what really runs on the hosts. */
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/cluster.h"

#define DOWN_S (DISPATCHER_MISSED_COUNT * 6) /* a host that is cut off is down by then */

static void watch(struct cluster *cluster, const char *service_id, int least_running, int most_copies)
{
    cluster->watched = service_id;
    cluster->least_running = least_running;
    cluster->most_copies = most_copies;
}

static const char *update_message(const struct cluster *cluster, const char *service_id)
{
    const service_type *service = swarm_service(&cluster->swarm, service_id);
    return service->update_status ? service->update_status->message : "";
}

static void configure(struct spec *spec, int action)
{
    spec->spec.update = &spec->update;
    spec->spec.rollback = &spec->rollback;
    spec->update.parallelism = spec->rollback.parallelism = 1;
    message_set_duration(&spec->update_delay, 2 * (int64_t)NS_PER_S);
    spec->update.delay = &spec->update_delay;
    spec->update.failure_action = (Docker__Swarmkit__V1__UpdateConfig__FailureAction)action;
}

static void from_creation_to_removal(void **state)
{
    (void)state;
    struct cluster cluster;
    struct spec spec;
    cluster_begin(&cluster, 3);
    spec_init(&spec, "web", 3);
    configure(&spec, DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__ROLLBACK);

    swarm_create(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 2);
    assert_int_equal(cluster_containers(&cluster, "web", "image:1"), 3);
    assert_int_equal(swarm_count(&cluster.swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);

    watch(&cluster, "web", 3, 1); /* none stops for it that more are wanted */
    spec.replicated.replicas = 6;
    swarm_update(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 2);
    assert_int_equal(cluster_containers(&cluster, "web", "image:1"), 6);

    watch(&cluster, "web", 4, 1);
    spec.replicated.replicas = 4;
    swarm_update(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 2);
    assert_int_equal(cluster_containers(&cluster, "web", "image:1"), 4);
    assert_int_equal(swarm_count(&cluster.swarm, "web", -1, -1), 4);

    watch(&cluster, "web", 3, 1); /* one after the other, and never two of a slot */
    spec.container.image = word("image:2");
    swarm_update(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 4);
    assert_true(cluster_containers(&cluster, "web", "image:1") > 0);
    assert_string_equal(update_message(&cluster, "web"), "update in progress");
    cluster_pass_s(&cluster, 30);
    assert_int_equal(cluster_containers(&cluster, "web", "image:2"), 4);
    assert_int_equal(cluster_containers(&cluster, "web", NULL), 4);
    assert_string_equal(update_message(&cluster, "web"), "update completed");

    spec.container.image = word("image:bad");
    swarm_update(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 60);
    assert_int_equal(cluster_containers(&cluster, "web", "image:2"), 4);
    assert_int_equal(cluster_containers(&cluster, "web", NULL), 4);
    assert_string_equal(update_message(&cluster, "web"), "rollback completed");
    assert_string_equal(swarm_service(&cluster.swarm, "web")->spec->task->container->image, "image:2");

    watch(&cluster, NULL, 0, 0);
    swarm_remove(&cluster.swarm, "web");
    cluster_pass_s(&cluster, 2);
    assert_int_equal(cluster_containers(&cluster, "web", NULL), 0);
    assert_int_equal(swarm_count(&cluster.swarm, "web", -1, -1), 0);
    for (unsigned i = 0; i < cluster.hosts_count; i++)
        assert_null(cluster.hosts[i].containers);
    cluster_end(&cluster);
}

/* --- a host goes away and comes back --- */

struct outage {
    struct cluster cluster;
    struct spec spec;
    char old[ID_SIZE_CHARS + 1]; /* the task on n0 */
    uint64_t slot;
};

static void begin_outage(struct outage *outage, const char *lost_after, const char *keep)
{
    cluster_begin(&outage->cluster, 3);
    spec_init(&outage->spec, "web", 3);
    if (lost_after)
        spec_label(&outage->spec, LABEL_LOST_AFTER, lost_after);
    if (keep)
        spec_label(&outage->spec, LABEL_KEEP, keep);
    swarm_create(&outage->cluster.swarm, &outage->spec);
    cluster_pass_s(&outage->cluster, 2);
    const task_type *task = swarm_task_on(&outage->cluster.swarm, "web", "n0", STATE(RUNNING));
    snprintf(outage->old, sizeof outage->old, "%s", task->id);
    outage->slot = task->slot;
    watch(&outage->cluster, "web", 3, 2);
    cluster_cut(&outage->cluster, "n0");
    cluster_pass_s(&outage->cluster, DOWN_S);
    assert_int_equal(store_node(outage->cluster.swarm.world.store, "n0")->status->state, NODE_STATE(DOWN));
}

static bool runs_old(const struct outage *outage)
{
    return cluster_runs(&outage->cluster, outage->old);
}

/* Settled: what is wanted runs, once, and nothing else. */
static void assert_one_copy(struct outage *outage, bool is_old)
{
    struct swarm *swarm = &outage->cluster.swarm;
    assert_int_equal(cluster_containers(&outage->cluster, "web", NULL), 3);
    assert_int_equal(cluster_copies(&outage->cluster, "web", outage->slot), 1);
    assert_int_equal(swarm_count(swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    assert_int_equal(runs_old(outage), is_old);
}

static void a_lost_hosts_tasks_are_replaced_and_stopped_when_it_is_back(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, NULL, NULL);
    cluster_pass_s(&outage.cluster, 6);
    assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 2); /* nobody can tell it to stop */
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 2);
    assert_one_copy(&outage, false);
    assert_int_equal(store_task(outage.cluster.swarm.world.store, outage.old)->status->state, STATE(SHUTDOWN));
    cluster_pass_s(&outage.cluster, 600);
    assert_one_copy(&outage, false);
    cluster_end(&outage.cluster);
}

static void a_host_that_is_back_in_time_loses_nothing(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "new");
    watch(&outage.cluster, "web", 3, 1);
    cluster_pass_s(&outage.cluster, 50);
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 60);
    assert_one_copy(&outage, true);
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", -1, -1), 3); /* no task was made for it */
    cluster_end(&outage.cluster);
}

static void too_late_with_keep_new_the_substitute_stays(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "new");
    cluster_pass_s(&outage.cluster, 70);
    assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 2);
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 2);
    assert_one_copy(&outage, false);
    cluster_end(&outage.cluster);
}

static void too_late_with_keep_old_the_old_copy_stays(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "old");
    cluster_pass_s(&outage.cluster, 70);
    assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 2);
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 2);
    assert_true(runs_old(&outage));
    cluster_pass_s(&outage.cluster, LOST_SETTLE_MS / 1000 + 1);
    assert_one_copy(&outage, true);
    cluster_pass_s(&outage.cluster, 600);
    assert_one_copy(&outage, true);
    cluster_end(&outage.cluster);
}

static void an_old_copy_that_died_meanwhile_is_not_kept(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "old");
    cluster_pass_s(&outage.cluster, 70);
    watch(&outage.cluster, "web", 2, 2);
    cluster_reboot(&outage.cluster, "n0");
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 20);
    assert_one_copy(&outage, false);
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", -1, -1), 4); /* the substitute was enough */
    cluster_end(&outage.cluster);
}

static void leaders_change_while_a_host_is_away(void **state)
{
    (void)state;
    static const char *const keeps[] = {"new", "old"};
    for (unsigned i = 0; i < 2; i++) {
        struct outage outage;
        begin_outage(&outage, "1m", keeps[i]);
        cluster_change_leader(&outage.cluster);
        cluster_pass_s(&outage.cluster, 20);
        assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 1); /* still awaited */
        cluster_pass_s(&outage.cluster, 50);
        assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 2);
        cluster_change_leader(&outage.cluster);
        cluster_pass_s(&outage.cluster, 20);
        assert_int_equal(cluster_copies(&outage.cluster, "web", outage.slot), 2);
        cluster_mend(&outage.cluster, "n0");
        cluster_pass_s(&outage.cluster, 20);
        assert_one_copy(&outage, i == 1);
        cluster_end(&outage.cluster);
    }
}

/* An update finds two copies: the one that is kept is of the new spec, wherever it runs. */
static void an_update_meets_a_host_that_is_away(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "old");
    cluster_pass_s(&outage.cluster, 70);
    watch(&outage.cluster, "web", 2, 2);
    outage.spec.container.image = word("image:2");
    swarm_update(&outage.cluster.swarm, &outage.spec);
    cluster_pass_s(&outage.cluster, 120);
    assert_string_equal(update_message(&outage.cluster, "web"), "update completed");
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 20);
    assert_int_equal(cluster_containers(&outage.cluster, "web", "image:2"), 3);
    assert_one_copy(&outage, false);
    cluster_end(&outage.cluster);
}

static void a_removed_service_is_stopped_when_the_host_is_back(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, "1m", "old");
    watch(&outage.cluster, NULL, 0, 0);
    swarm_remove(&outage.cluster.swarm, "web");
    cluster_pass_s(&outage.cluster, 60);
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", -1, -1), 1);
    assert_true(runs_old(&outage));
    cluster_mend(&outage.cluster, "n0");
    cluster_pass_s(&outage.cluster, 2);
    assert_int_equal(cluster_containers(&outage.cluster, "web", NULL), 0);
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", -1, -1), 0);
    cluster_end(&outage.cluster);
}

static void a_host_that_never_returns_leaves_nothing_behind(void **state)
{
    (void)state;
    struct outage outage;
    begin_outage(&outage, NULL, NULL);
    cluster_pass_s(&outage.cluster, 10);
    swarm_remove(&outage.cluster.swarm, "web");
    watch(&outage.cluster, NULL, 0, 0);
    cluster_pass_s(&outage.cluster, DISPATCHER_DOWN_MS / 1000 - 60);
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", STATE(REMOVE), STATE(RUNNING)), 1);
    cluster_pass_s(&outage.cluster, 120); /* orphaned after a day */
    assert_int_equal(swarm_count(&outage.cluster.swarm, "web", -1, -1), 0);
    cluster_end(&outage.cluster);
}

/* --- nodes that are changed, and jobs --- */

static void tasks_move_with_labels_and_availability(void **state)
{
    (void)state;
    struct cluster cluster;
    struct spec spec;
    cluster_begin(&cluster, 3);
    swarm_label_node(&cluster.swarm, "n0", "east");
    spec_init(&spec, "web", 2);
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 2);
    assert_int_equal(HASH_COUNT(cluster.hosts[0].containers), 2);
    swarm_label_node(&cluster.swarm, "n1", "east");
    swarm_label_node(&cluster.swarm, "n0", "west");
    cluster_pass_s(&cluster, 7);
    assert_int_equal(cluster_containers(&cluster, "web", NULL), 2);
    assert_int_equal(swarm_count(&cluster.swarm, "web", STATE(SHUTDOWN), STATE(REJECTED)), 2);
    assert_non_null(swarm_task_on(&cluster.swarm, "web", "n1", STATE(RUNNING)));
    swarm_label_node(&cluster.swarm, "n2", "east");
    swarm_drain(&cluster.swarm, "n1", AVAILABILITY(DRAIN));
    cluster_pass_s(&cluster, 2); /* no delay of restarts */
    assert_int_equal(cluster_containers(&cluster, "web", NULL), 2);
    assert_null(swarm_task_on(&cluster.swarm, "web", "n1", STATE(RUNNING)));
    cluster_end(&cluster);
}

static void jobs_run_to_their_end(void **state)
{
    (void)state;
    struct cluster cluster;
    struct spec spec, global;
    cluster_begin(&cluster, 3);
    spec_init(&spec, "job", 0);
    spec.container.image = word("image:job");
    spec.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    spec.spec.replicated_job = &spec.replicated_job;
    spec.replicated_job.max_concurrent = 2;
    spec.replicated_job.total_completions = 7;
    spec_init(&global, "everywhere", 0);
    global.container.image = word("image:job");
    global.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    global.spec.global_job = &global.global_job;
    swarm_create(&cluster.swarm, &spec);
    swarm_create(&cluster.swarm, &global);
    cluster_pass_s(&cluster, 30);
    assert_int_equal(swarm_count(&cluster.swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 7);
    assert_int_equal(swarm_count(&cluster.swarm, "everywhere", STATE(COMPLETE), STATE(COMPLETE)), 3);
    swarm_update(&cluster.swarm, &spec);
    cluster_pass_s(&cluster, 30);
    assert_int_equal(swarm_count(&cluster.swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 14);
    assert_null(swarm_task(&cluster.swarm, "job", 7, 0));
    cluster_end(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_creation_to_removal),
        cmocka_unit_test(a_lost_hosts_tasks_are_replaced_and_stopped_when_it_is_back),
        cmocka_unit_test(a_host_that_is_back_in_time_loses_nothing),
        cmocka_unit_test(too_late_with_keep_new_the_substitute_stays),
        cmocka_unit_test(too_late_with_keep_old_the_old_copy_stays),
        cmocka_unit_test(an_old_copy_that_died_meanwhile_is_not_kept),
        cmocka_unit_test(leaders_change_while_a_host_is_away),
        cmocka_unit_test(an_update_meets_a_host_that_is_away),
        cmocka_unit_test(a_removed_service_is_stopped_when_the_host_is_back),
        cmocka_unit_test(a_host_that_never_returns_leaves_nothing_behind),
        cmocka_unit_test(tasks_move_with_labels_and_availability),
        cmocka_unit_test(jobs_run_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
