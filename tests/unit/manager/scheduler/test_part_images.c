/* tests/unit/manager/scheduler/test_part_images.c – what images are for, from objects in the store to where tasks go. */
#include "google/protobuf/any.pb-c.h"
#include "manager/scheduler/image_facts.h"
#include "tests/unit/manager/scheduler/part_fixture.h"

typedef Docker__Swarmkit__V1__Resource Resource;

static void put_resource(struct trial *trial, const char *id, const char *kind, const char *type, const char *payload)
{
    const Resource *old = store_resource(trial->world.store, id);
    Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    annotations.name = swarm_copy(&trial->make, id);
    any.type_url = swarm_copy(&trial->make, type);
    any.value = (ProtobufCBinaryData){strlen(payload), (uint8_t *)swarm_copy(&trial->make, payload)};
    resource.id = swarm_copy(&trial->make, id);
    resource.kind = swarm_copy(&trial->make, kind);
    resource.annotations = &annotations;
    resource.payload = &any;
    if (old == NULL) {
        do_create(&trial->world, &resource);
        return;
    }
    resource.meta = old->meta;
    do_update(&trial->world, &resource);
}

/* The image is for Windows of this build; NULL: for linux. */
static void put_facts(struct trial *trial, const char *id, const char *image, const char *build)
{
    const struct scheduler_platform windows = {"windows", "amd64", build}, linux_platform = {"linux", "amd64", ""};
    const struct image_facts facts = {.image = image, .platforms = build ? &windows : &linux_platform, .count = 1};
    cleanup_buf struct buf payload = {0};
    assert_ok(image_facts_print(&facts, &payload, err));
    put_resource(trial, id, IMAGE_FACTS_KIND, IMAGE_FACTS_TYPE, (const char *)payload.data);
}

static void put_windows(struct trial *trial, const char *id, const char *build)
{
    Node *made = node_make(&trial->make, id);
    made->description->platform->os = swarm_copy(&trial->make, "windows");
    engine_label(&trial->make, made, "skep.isolation.process", "true");
    engine_label(&trial->make, made, "skep.isolation.hyperv", "false");
    engine_label(&trial->make, made, "skep.isolation.default", "process");
    engine_label(&trial->make, made, "skep.os.build", build);
    put_node(trial, made);
}

static void put_of_image(struct trial *trial, const char *id, const char *image)
{
    Task *made = task_make(&trial->make, id, id);
    made->spec->container->image = swarm_copy(&trial->make, image);
    put_task(trial, made);
}

static void tasks_go_where_their_image_runs(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_facts(&trial, "f1", "old:1", "10.0.17763.1");
    put_windows(&trial, "new", "20348.1");
    put_windows(&trial, "old", "17763.1");
    put_node(&trial, node_make(&trial.make, "linux"));
    for (size_t i = 0; i < 3; i++)
        put_of_image(&trial, arena_format(&trial.make.arena, "t%zu", i), "old:1");
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "old"), 3);
    const Docker__Swarmkit__V1__Annotations *annotations = task_of(&trial, "t0")->annotations;
    assert_int_equal(annotations->n_labels, 1);
    assert_string_equal(annotations->labels[0]->value, "process");
    trial_end(&trial);
}

/* Facts come after the task was refused on others, change, and go. */
static void facts_are_followed(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_windows(&trial, "w", "17763.1");
    put_facts(&trial, "f1", "app:9", "10.0.20348.1");
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(
        task_of(&trial, "t1")->status->err,
        "no suitable node (unsupported platform on 1 node): w: isolation default: process isolation needs an image of the same build: "
        "the image is 10.0.20348.1, the host 10.0.17763.1; hyperv isolation is not offered here");
    const struct scheduler_explanation *why = scheduler_part_explain(scheduler_of(&trial), "t1");
    assert_int_equal(why->refusals[0].filter, SCHEDULER_FILTER_PLATFORM);
    put_facts(&trial, "f1", "app:9", "10.0.17763.5");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "w");

    put_facts(&trial, "f1", "app:9", NULL);
    put_of_image(&trial, "t2", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "(nowhere)");
    do_remove(&trial.world, STORE_RESOURCE, "f1"); /* unknown: it goes by its placement */
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "w");
    trial_end(&trial);
}

/* Whichever was stored last counts, for this leader and for the next. */
static void of_two_the_newer_counts(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_windows(&trial, "w", "17763.1");
    put_facts(&trial, "f1", "app:9", NULL);
    put_facts(&trial, "f2", "app:9", "10.0.17763.1");
    put_facts(&trial, "f1", "app:9", NULL); /* f1 is the newer one now, and first in the list */
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    trial_stop_part(&trial);
    trial_start_part(&trial);
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    put_facts(&trial, "f1", "other:1", NULL); /* it speaks of another image from now on */
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "w");
    put_of_image(&trial, "t2", "other:1");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "(nowhere)");
    trial_end(&trial);
}

static void what_cannot_be_read_is_as_if_it_were_not_there(void **state)
{
    static struct trial trial;
    static const char *const facts = "{\"image\":\"app:9\",\"platforms\":[{\"os\":\"linux\"}]}";
    (void)state;
    trial_begin(&trial);
    put_windows(&trial, "w", "17763.1");
    put_resource(&trial, "r1", "another.kind", IMAGE_FACTS_TYPE, facts);
    put_resource(&trial, "r2", IMAGE_FACTS_KIND, "skep.image/2", facts);
    put_resource(&trial, "r3", IMAGE_FACTS_KIND, IMAGE_FACTS_TYPE, "{\"image\":\"app:9\"}");
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "w");
    put_resource(&trial, "r3", IMAGE_FACTS_KIND, IMAGE_FACTS_TYPE, facts);
    put_of_image(&trial, "t2", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "(nowhere)");
    put_resource(&trial, "r3", IMAGE_FACTS_KIND, IMAGE_FACTS_TYPE, "no document");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "w");
    trial_end(&trial);
}

/* Left behind: what is not there any more is not remembered, newer than what is left though it was. */
static void a_new_list_forgets(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin_with(&trial, 1);
    put_windows(&trial, "w", "17763.1");
    put_facts(&trial, "f1", "app:9", "10.0.17763.1");
    put_facts(&trial, "f2", "app:9", NULL);
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    do_remove(&trial.world, STORE_RESOURCE, "f2");
    put_facts(&trial, "f3", "other:1", NULL);
    put_facts(&trial, "f4", "another:1", NULL);
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "w");
    trial_end(&trial);
}

/* What an image is for decides among Windows' builds: tasks wait a moment for it, preassigned ones too. */
static void tasks_wait_for_what_is_awaited(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_windows(&trial, "new", "20348.1");
    trial_pass_ms(&trial, 20);
    scheduler_part_await(scheduler_of(&trial), "app:9", true);
    put_of_image(&trial, "t1", "app:9");
    Task *fixed = task_make(&trial.make, "t2", "t2");
    fixed->spec->container->image = swarm_copy(&trial.make, "app:9");
    fixed->node_id = swarm_copy(&trial.make, "new");
    put_task(&trial, fixed);
    put_of_image(&trial, "t3", "other:1");
    trial_pass_ms(&trial, 5000);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    assert_string_equal(place_of(&trial, "t2"), "(nowhere)");
    assert_string_equal(place_of(&trial, "t3"), "new");
    assert_string_equal(task_of(&trial, "t1")->status->err, ""); /* nothing is refused yet */
    put_windows(&trial, "old", "17763.1");
    trial_pass_ms(&trial, 100);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    put_facts(&trial, "f1", "app:9", "10.0.17763.1");
    scheduler_part_await(scheduler_of(&trial), "app:9", false);
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "old");
    assert_non_null(strstr(task_of(&trial, "t2")->status->err, "the image is 10.0.17763.1, the host 10.0.20348.1"));
    trial_end(&trial);
}

static void what_never_comes_is_awaited_no_more(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_windows(&trial, "w", "20348.1");
    trial_pass_ms(&trial, 20);
    scheduler_part_await(scheduler_of(&trial), "app:9", true);
    scheduler_part_await(scheduler_of(&trial), "nobody:1", true);
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 100);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    scheduler_part_await(scheduler_of(&trial), "app:9", false);
    scheduler_part_await(scheduler_of(&trial), "nobody:1", false);
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "w");
    trial_end(&trial);
}

/* There no build decides. */
static void without_windows_nothing_waits(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "linux"));
    trial_pass_ms(&trial, 20);
    scheduler_part_await(scheduler_of(&trial), "app:9", true);
    put_of_image(&trial, "t1", "app:9");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "linux");
    trial_end(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_go_where_their_image_runs),
        cmocka_unit_test(facts_are_followed),
        cmocka_unit_test(of_two_the_newer_counts),
        cmocka_unit_test(what_cannot_be_read_is_as_if_it_were_not_there),
        cmocka_unit_test(a_new_list_forgets),
        cmocka_unit_test(tasks_wait_for_what_is_awaited),
        cmocka_unit_test(what_never_comes_is_awaited_no_more),
        cmocka_unit_test(without_windows_nothing_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
