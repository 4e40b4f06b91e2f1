/* tests/unit/manager/images/test_part.c – what a leader asks registries and writes, in virtual time, with a registry that the test is. */
#include "manager/images/part.h"

#include "base/arena.h"
#include "base/text.h"
#include "google/protobuf/any.pb-c.h"
#include "manager/scheduler/image_facts.h"
#include "tests/unit/manager/store/fixture.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { QUESTIONS = 64 };

struct question {
    image_answer_cb on_done; /* NULL: answered or cancelled */
    void *ctx;
    char reference[80], auth[32];
    bool is_cancelled;
};

struct trial {
    struct world world;
    struct random_seeded seed;
    struct part part;
    uint64_t now_ns;
    bool is_woken;
    struct question questions[QUESTIONS];
    size_t asked;
    int refuses; /* start() does, with this code */
    char awaited[80];
    size_t awaits, releases;
};

static uint64_t trial_monotonic(void *self)
{
    return ((struct trial *)self)->now_ns;
}

static int64_t trial_wall(void *self)
{
    return ((struct trial *)self)->world.wall_ns;
}

static void trial_wake(void *self)
{
    ((struct trial *)self)->is_woken = true;
}

static int start(void *self, const char *reference, const char *auth, image_answer_cb on_done, void *ctx, void **call, struct error *err)
{
    struct trial *t = self;
    if (t->refuses)
        return error_set(err, t->refuses, "not now");
    assert_true(t->asked < QUESTIONS);
    struct question *question = &t->questions[t->asked++];
    *question = (struct question){.on_done = on_done, .ctx = ctx};
    snprintf(question->reference, sizeof question->reference, "%s", reference);
    snprintf(question->auth, sizeof question->auth, "%s", auth);
    *call = question;
    return 0;
}

static void cancel(void *self, void *call)
{
    struct question *question = call;
    (void)self;
    assert_non_null(question->on_done);
    question->on_done = NULL;
    question->is_cancelled = true;
}

static void on_awaited(void *ctx, const char *reference, bool is_awaited)
{
    struct trial *t = ctx;
    if (is_awaited) {
        t->awaits++;
        snprintf(t->awaited, sizeof t->awaited, "%s", reference);
    } else {
        t->releases++;
    }
}

static void start_part(struct trial *t)
{
    const struct images_part_options options = {.host = {.store = t->world.store,
                                                         .clock = {trial_monotonic, trial_wall, t},
                                                         .random = random_from_seeded(&t->seed),
                                                         .wake = trial_wake,
                                                         .self = t},
                                                .asker = {start, cancel, t},
                                                .on_awaited = on_awaited,
                                                .ctx = t};
    t->part = images_part_new(&options);
    t->is_woken = true;
}

static void begin(struct trial *t)
{
    memset(t, 0, sizeof *t);
    world_begin(&t->world);
    random_seeded_init(&t->seed, 5);
    t->now_ns = 1000 * NS_PER_S;
    start_part(t);
}

static void end(struct trial *t)
{
    world_settle(&t->world);
    t->part.free(t->part.self);
    for (size_t i = 0; i < t->asked; i++)
        assert_null(t->questions[i].on_done); /* answered, or cancelled */
    world_end(&t->world);
}

/* Until nothing moves at this instant. */
static void rest(struct trial *t)
{
    for (unsigned i = 0; t->is_woken || t->part.deadline_ns(t->part.self) <= t->now_ns || t->world.is_woken || t->world.fn; i++) {
        if (i > 1000)
            fail_msg("the part does not come to rest");
        t->is_woken = false;
        t->part.step(t->part.self, t->now_ns);
        world_settle(&t->world);
    }
}

/* What is due meanwhile happens at its time. */
static void pass_ms(struct trial *t, uint64_t ms)
{
    uint64_t end_ns = t->now_ns + ms * NS_PER_MS;
    rest(t);
    while (t->now_ns < end_ns) {
        uint64_t at = t->part.deadline_ns(t->part.self);
        t->now_ns = at < end_ns ? at : end_ns;
        rest(t);
    }
}

/* --- services --- */

static void put_service(struct trial *t, const char *id, const char *image, const char *before, const char *auth)
{
    const Docker__Swarmkit__V1__Service *old = store_service(t->world.store, id);
    Docker__Swarmkit__V1__Service made = *service(id, id);
    Docker__Swarmkit__V1__ServiceSpec spec = *made.spec, previous = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__TaskSpec task_spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT, previous_task = task_spec;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT, previous_container = container;
    Docker__Swarmkit__V1__ContainerSpec__PullOptions pull = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__PULL_OPTIONS__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    container.image = (char *)(uintptr_t)image;
    pull.registry_auth = (char *)(uintptr_t)(auth ? auth : "");
    container.pull_options = &pull;
    task_spec.runtime_case = previous_task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task_spec.container = &container;
    spec.task = &task_spec;
    made.spec = &spec;
    if (before) {
        previous_container.image = (char *)(uintptr_t)before;
        previous_task.container = &previous_container;
        previous.task = &previous_task;
        made.previous_spec = &previous;
    }
    version.index = t->world.index + 1; /* as control does: newer than all there is */
    made.spec_version = &version;
    if (old) {
        made.meta = old->meta;
        do_update(&t->world, &made);
    } else {
        do_create(&t->world, &made);
    }
    rest(t);
}

static void remove_service(struct trial *t, const char *id)
{
    do_remove(&t->world, STORE_SERVICE, id);
    rest(t);
}

/* --- answers --- */

static struct question *last_question(struct trial *t)
{
    assert_true(t->asked > 0);
    return &t->questions[t->asked - 1];
}

static void answer(struct trial *t, struct question *question, const char *digest, const char *build)
{
    const struct image_answer_platform platforms[] = {{"unknown", "unknown", "", ""}, {"windows", "amd64", "", build}};
    const struct image_answer good = {"application/vnd.oci.image.index.v1+json", digest, 100, platforms, 2};
    image_answer_cb on_done = question->on_done;
    assert_non_null(on_done);
    question->on_done = NULL;
    on_done(question->ctx, NULL, &good);
    assert_true(t->is_woken);
    rest(t);
}

static void answer_badly(struct trial *t, struct question *question, int code)
{
    struct error err = {0};
    image_answer_cb on_done = question->on_done;
    assert_non_null(on_done);
    question->on_done = NULL;
    error_set(&err, code, "registry r: connection refused");
    on_done(question->ctx, &err, NULL);
    rest(t);
}

/* "app:1 sha256:… windows/amd64/10.0.1" of every object, in order. */
static const char *facts_of(const struct trial *t, struct arena *arena)
{
    const char *all = "";
    const Docker__Swarmkit__V1__Resource *resource;
    struct store_cursor cursor;
    store_find(t->world.store, STORE_RESOURCE, STORE_BY_RESOURCE_KIND, IMAGE_FACTS_KIND, &cursor);
    while ((resource = (const void *)store_next(&cursor)) != NULL) {
        struct image_facts facts;
        assert_ok(image_facts_read(resource, &facts, err));
        all = arena_format(arena, "%s%s%s %.8s", all, *all ? "; " : "", facts.image, facts.digest);
        for (size_t i = 0; i < facts.count; i++)
            all = arena_format(arena, "%s %s/%s/%s", all, facts.platforms[i].os, facts.platforms[i].architecture,
                               facts.platforms[i].os_version);
        image_facts_deinit(&facts);
    }
    return all;
}

#define assert_facts(t, text)                                                                                                              \
    do {                                                                                                                                   \
        cleanup_arena struct arena arena_of_facts = {0};                                                                                   \
        assert_string_equal(facts_of(t, &arena_of_facts), text);                                                                           \
    } while (0)

/* --- behaviours --- */

static void what_a_registry_says_is_written(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, "c2VjcmV0");
    assert_int_equal(t.asked, 1);
    assert_string_equal(t.questions[0].reference, "app:1");
    assert_string_equal(t.questions[0].auth, "c2VjcmV0");
    assert_int_equal(t.awaits, 1);
    assert_string_equal(t.awaited, "app:1");
    assert_int_equal(t.releases, 0);
    answer(&t, last_question(&t), DIGEST_A, "10.0.20348.1");
    assert_facts(&t, "app:1 sha256:a windows/amd64/10.0.20348.1");
    assert_int_equal(t.releases, 1);
    put_service(&t, "other", "app:1@" DIGEST_A, NULL, NULL);
    assert_int_equal(t.asked, 2);
    answer(&t, last_question(&t), DIGEST_A, "10.0.20348.1");
    pass_ms(&t, 7200 * 1000);
    assert_int_equal(t.asked, 2);
    end(&t);
}

static void a_tag_is_asked_again_when_its_service_changes(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    answer(&t, last_question(&t), DIGEST_A, "10.0.17763.1");
    put_service(&t, "web", "app:1", "app:1", NULL);
    assert_int_equal(t.asked, 2);
    int before = t.world.entries_count;
    answer(&t, last_question(&t), DIGEST_A, "10.0.17763.1");
    assert_int_equal(t.world.entries_count, before); /* no news, no write */
    put_service(&t, "web", "app:1", "app:1", NULL);
    answer(&t, last_question(&t), DIGEST_B, "10.0.20348.1");
    assert_facts(&t, "app:1 sha256:b windows/amd64/10.0.20348.1");
    assert_int_equal(t.asked, 3);
    assert_int_equal(t.awaits, 1); /* the older facts hold meanwhile */
    end(&t);
}

static void a_digest_is_asked_once(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app@" DIGEST_A, NULL, NULL);
    answer(&t, last_question(&t), DIGEST_A, "10.0.17763.1");
    put_service(&t, "web", "app@" DIGEST_A, "app@" DIGEST_A, NULL);
    put_service(&t, "more", "app@" DIGEST_A, NULL, NULL);
    assert_int_equal(t.asked, 1);
    end(&t);
}

static void what_no_service_uses_is_removed(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    answer(&t, last_question(&t), DIGEST_A, "1");
    put_service(&t, "web", "app:2", "app:1", NULL); /* a rollback would want the older one */
    answer(&t, last_question(&t), DIGEST_B, "2");
    assert_facts(&t, "app:1 sha256:a windows/amd64/1; app:2 sha256:b windows/amd64/2");
    put_service(&t, "web", "app:2", "app:2", NULL);
    answer(&t, last_question(&t), DIGEST_B, "2");
    assert_facts(&t, "app:2 sha256:b windows/amd64/2");
    remove_service(&t, "web");
    assert_facts(&t, "");
    end(&t);
}

/* Told by a client of the control API, say. */
static void put_foreign(struct trial *t, const char *image)
{
    const struct scheduler_platform platform = {"linux", "amd64", ""};
    const struct image_facts facts = {.image = image, .platforms = &platform, .count = 1};
    Docker__Swarmkit__V1__Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    cleanup_buf struct buf payload = {0};
    assert_ok(image_facts_print(&facts, &payload, err));
    annotations.name = (char *)(uintptr_t) "by-hand";
    any.type_url = (char *)(uintptr_t)IMAGE_FACTS_TYPE;
    any.value = (ProtobufCBinaryData){payload.size, payload.data};
    resource.id = (char *)(uintptr_t) "foreign1";
    resource.kind = (char *)(uintptr_t)IMAGE_FACTS_KIND;
    resource.annotations = &annotations;
    resource.payload = &any;
    do_create(&t->world, &resource);
    rest(t);
}

static void what_others_wrote_is_left_alone(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_foreign(&t, "app:1");
    put_service(&t, "web", "app:1", NULL, NULL);
    put_service(&t, "web", "app:1", "app:1", NULL);
    assert_int_equal(t.asked, 0);
    remove_service(&t, "web");
    assert_facts(&t, "app:1  linux/amd64/");
    end(&t);
}

static void a_silent_registry_is_asked_later_and_later(void **state)
{
    static struct trial t;
    uint64_t waited_ms = 0;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    answer_badly(&t, last_question(&t), ERR_UNAVAILABLE);
    assert_int_equal(t.releases, 1); /* nothing waits for it any longer */
    pass_ms(&t, IMAGE_ASK_RETRY_MS - 1);
    assert_int_equal(t.asked, 1);
    pass_ms(&t, 1);
    assert_int_equal(t.asked, 2);
    answer_badly(&t, last_question(&t), ERR_NOT_FOUND);
    pass_ms(&t, 2 * IMAGE_ASK_RETRY_MS - 1);
    assert_int_equal(t.asked, 2);
    pass_ms(&t, 1);
    assert_int_equal(t.asked, 3);
    assert_int_equal(t.awaits, 1);
    for (int i = 0; i < 12; i++) {
        answer_badly(&t, last_question(&t), ERR_UNAVAILABLE);
        waited_ms = (t.part.deadline_ns(t.part.self) - t.now_ns) / NS_PER_MS;
        assert_true(waited_ms <= IMAGE_ASK_RETRY_MOST_MS);
        pass_ms(&t, waited_ms);
        assert_int_equal(t.asked, 4 + i);
    }
    assert_int_equal(waited_ms, IMAGE_ASK_RETRY_MOST_MS);
    answer(&t, last_question(&t), DIGEST_A, "1");
    assert_facts(&t, "app:1 sha256:a windows/amd64/1");
    end(&t);
}

static void a_change_of_the_service_is_worth_a_try(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    answer_badly(&t, last_question(&t), ERR_PERMISSION);
    put_service(&t, "web", "app:1", "app:1", "bmV3");
    assert_int_equal(t.asked, 2);
    assert_string_equal(last_question(&t)->auth, "bmV3");
    answer(&t, last_question(&t), DIGEST_A, "1");
    end(&t);
}

static void nothing_waits_longer_than_a_moment(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    pass_ms(&t, IMAGE_ASK_HOLD_MS - 1);
    assert_int_equal(t.releases, 0);
    pass_ms(&t, 1);
    assert_int_equal(t.releases, 1);
    assert_false(t.questions[0].is_cancelled);
    pass_ms(&t, IMAGE_ASK_TIMEOUT_MS - IMAGE_ASK_HOLD_MS);
    assert_true(t.questions[0].is_cancelled);
    pass_ms(&t, IMAGE_ASK_RETRY_MS);
    assert_int_equal(t.asked, 2);
    end(&t);
}

static void few_are_asked_at_once(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    for (int i = 0; i < 5; i++) {
        char name[16], image[16];
        snprintf(name, sizeof name, "s%d", i);
        snprintf(image, sizeof image, "app:%d", i);
        put_service(&t, name, image, NULL, NULL);
    }
    assert_int_equal(t.asked, IMAGE_ASKS_COUNT);
    assert_int_equal(t.awaits, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(t.asked > i);
        answer(&t, &t.questions[i], DIGEST_A, "1");
    }
    assert_int_equal(store_count(t.world.store, STORE_RESOURCE, STORE_ALL, NULL), 5);
    end(&t);
}

static void a_removed_service_needs_no_answer(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    remove_service(&t, "web");
    assert_true(t.questions[0].is_cancelled);
    assert_int_equal(t.releases, 1);
    pass_ms(&t, 2 * IMAGE_ASK_RETRY_MS);
    assert_int_equal(t.asked, 1);
    assert_facts(&t, "");
    end(&t);
}

static void the_next_leader_goes_on(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    put_service(&t, "api", "api:1", NULL, NULL);
    answer(&t, &t.questions[0], DIGEST_A, "1");
    t.part.free(t.part.self); /* leadership is lost while one is asked about */
    assert_true(t.questions[1].is_cancelled);
    start_part(&t);
    rest(&t);
    assert_int_equal(t.asked, 3);
    assert_string_equal(last_question(&t)->reference, "api:1");
    answer(&t, last_question(&t), DIGEST_B, "2");
    do_remove(&t.world, STORE_SERVICE, "web");
    t.part.free(t.part.self);
    start_part(&t);
    rest(&t);
    assert_facts(&t, "api:1 sha256:b windows/amd64/2");
    end(&t);
}

static void a_failed_write_is_made_up_for(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    put_service(&t, "web", "app:1", NULL, NULL);
    t.world.refuses = ERR_UNAVAILABLE;
    answer(&t, last_question(&t), DIGEST_A, "1");
    t.world.refuses = 0;
    assert_facts(&t, "");
    pass_ms(&t, SCHEDULER_RETRY_MS);
    assert_int_equal(t.asked, 2);
    answer(&t, last_question(&t), DIGEST_A, "1");
    assert_facts(&t, "app:1 sha256:a windows/amd64/1");
    end(&t);
}

static void without_a_way_to_registries_nothing_is_asked(void **state)
{
    static struct trial t;
    (void)state;
    begin(&t);
    t.refuses = ERR_LIMIT;
    put_service(&t, "web", "app:1", NULL, NULL);
    assert_int_equal(t.asked, 0);
    assert_int_equal(t.awaits, t.releases);
    t.refuses = 0;
    pass_ms(&t, IMAGE_ASK_RETRY_MS);
    assert_int_equal(t.asked, 1);
    answer_badly(&t, last_question(&t), ERR_UNAVAILABLE);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_registry_says_is_written),
        cmocka_unit_test(a_tag_is_asked_again_when_its_service_changes),
        cmocka_unit_test(a_digest_is_asked_once),
        cmocka_unit_test(what_no_service_uses_is_removed),
        cmocka_unit_test(what_others_wrote_is_left_alone),
        cmocka_unit_test(a_silent_registry_is_asked_later_and_later),
        cmocka_unit_test(a_change_of_the_service_is_worth_a_try),
        cmocka_unit_test(nothing_waits_longer_than_a_moment),
        cmocka_unit_test(few_are_asked_at_once),
        cmocka_unit_test(a_removed_service_needs_no_answer),
        cmocka_unit_test(the_next_leader_goes_on),
        cmocka_unit_test(a_failed_write_is_made_up_for),
        cmocka_unit_test(without_a_way_to_registries_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
