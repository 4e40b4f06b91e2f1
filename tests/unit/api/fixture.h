/* tests/unit/api/fixture.h – an API over an emulated host, with a node and an image store that only say what they were asked.
 *
 * For unit tests and for tests/helpers/api_fixture.c, which the docker commands are pointed at. */
#ifndef SKEP_TESTS_UNIT_API_FIXTURE_H
#define SKEP_TESTS_UNIT_API_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "api/api.h"
#include "api/timer.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/emulated/hcs_emulated.h"

#define FIXTURE_WEB_ID   "a1b2c3d4e5f6000000000000000000000000000000000000000000000000beef"
#define FIXTURE_JOB_ID   "a1b2c3ffffff000000000000000000000000000000000000000000000000beef"
#define FIXTURE_IDLE_ID  "b0b0c3ffffff000000000000000000000000000000000000000000000000beef"
#define FIXTURE_IMAGE_ID "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define FIXTURE_TOKEN    "SWMTKN-1-fixture"

/* struct node as the API's table sees it. */
struct node {
    struct api_fixture *fixture;
    enum node_local_state state;
    struct api_timer *timer;
    node_phase_cb on_phase;
    node_done_cb on_done;
    void *ctx;
    const char *id; /* NULL: as a worker's */
    unsigned step, abandoned;
    bool never_answers;
    char last_remote[64], last_availability[16];
};

struct image_job {
    struct api_fixture *fixture;
    struct api_timer *timer;
    image_progress_cb on_progress;
    image_pulled_cb on_pulled;
    image_done_cb on_done;
    void (*on_drained)(void *ctx);
    void *ctx;
    size_t received;
    unsigned step;
    char name[128];
    bool is_whole;
};

struct image_store {
    struct api_fixture *fixture;
    unsigned cancelled;
    size_t last_loaded_bytes;
    char last_auth[128];
};

struct api_fixture {
    uv_loop_t loop;
    struct clock clock;
    struct random_seeded seed;
    struct hcs *hcs;
    struct node node;
    struct image_store store;
    struct image_store *real_store; /* in place of @store, where the helper was given a directory */
    struct api_swarm swarm;         /* all NULL unless the test has managers */
    struct api_telemetry telemetry; /* the same */
    struct api *api;
    unsigned pending;
    struct api_timer *alive; /* the emulated host's own timer does not keep the loop going */
    const char *health;
};

/* --- the node --- */

static void fixture_node_info(const struct node *node, struct node_info *out)
{
    static const struct node_manager managers[] = {{"manager1id0000000000000000", "10.0.0.5:2377"}};
    *out = (struct node_info){
        .state = node->state, .error = "", .node_id = "", .node_addr = "", .cluster_id = "", .role = "worker", .availability = "active"};
    if (node->state == NODE_INACTIVE)
        return;
    out->node_id = node->id ? node->id : "node1id000000000000000000";
    out->node_addr = "10.0.0.7";
    out->managers = managers;
    out->manager_count = 1;
}

static void fixture_join_step(void *ctx)
{
    struct node *node = ctx;
    static const char *const phases[] = {"reading the join token", "requesting a certificate", "opening a session"};
    if (node->never_answers && node->step >= 1)
        return;
    if (node->step < sizeof phases / sizeof *phases) {
        if (node->on_phase)
            node->on_phase(node->ctx, phases[node->step]);
        node->step++;
        return;
    }
    api_timer_free(node->timer);
    node->timer = NULL;
    node->state = NODE_ACTIVE;
    if (node->on_done)
        node->on_done(node->ctx, NULL);
}

static int fixture_join(struct node *node, const struct node_join_request *request, node_phase_cb on_phase, node_done_cb on_done, void *ctx,
                        struct error *err)
{
    if (node->state != NODE_INACTIVE)
        return error_set(err, ERR_EXISTS, "in a swarm");
    if (!text_equal(request->token, FIXTURE_TOKEN))
        return error_set(err, ERR_TOKEN, "invalid join token");
    snprintf(node->last_remote, sizeof node->last_remote, "%s", request->remotes[0]);
    snprintf(node->last_availability, sizeof node->last_availability, "%s", request->availability ? request->availability : "");
    node->state = NODE_PENDING;
    node->on_phase = on_phase;
    node->on_done = on_done;
    node->ctx = ctx;
    node->step = 0;
    node->timer = api_timer_new(&node->fixture->loop, 20, 20, fixture_join_step, node);
    return 0;
}

static void fixture_join_abandon(struct node *node, void *ctx)
{
    if (node->ctx != ctx)
        return;
    node->abandoned++;
    node->on_phase = NULL;
    node->on_done = NULL;
}

static void fixture_left(void *ctx)
{
    struct node *node = ctx;
    api_timer_free(node->timer);
    node->timer = NULL;
    node->state = NODE_INACTIVE;
    node->on_done(node->ctx, NULL);
}

static int fixture_leave(struct node *node, bool force, node_done_cb on_done, void *ctx, struct error *err)
{
    (void)force;
    if (node->state == NODE_INACTIVE)
        return error_set(err, ERR_PRECONDITION, "in no swarm");
    node->on_done = on_done;
    node->ctx = ctx;
    api_timer_free(node->timer);
    node->timer = api_timer_new(&node->fixture->loop, 10, 0, fixture_left, node);
    return 0;
}

/* --- the images --- */

static const char *const fixture_tags[] = {"busybox:1.36", "busybox:latest"};
static const char *const fixture_digests[] = {"busybox@sha256:2222222222222222222222222222222222222222222222222222222222222222"};
static const struct image_label fixture_labels[] = {{"maintainer", "skep"}};

static void fixture_fill_image(struct image *image)
{
    *image = (struct image){.id = FIXTURE_IMAGE_ID,
                            .repo_tags = {fixture_tags, 2},
                            .repo_digests = {fixture_digests, 1},
                            .os = "linux",
                            .architecture = "amd64",
                            .variant = "",
                            .os_version = "",
                            .created = "2026-11-20T10:00:00Z",
                            .size_bytes = 4261502,
                            .config = {.labels = fixture_labels, .label_count = 1},
                            .config_json = "{\"config\":{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":\"layers\","
                                           "\"diff_ids\":[\"sha256:33\"]}}"};
}

static int fixture_image_find(struct image_store *store, const char *reference, const struct image_platform *platform, struct image *out,
                              struct error *err)
{
    (void)store;
    (void)platform;
    if (!text_starts(reference, "busybox") && !text_starts(reference, "sha256:1111") && !text_starts(reference, "1111"))
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", reference);
    fixture_fill_image(out);
    return 0;
}

static int fixture_image_list(struct image_store *store, struct image **out, size_t *count, struct error *err)
{
    (void)store;
    (void)err;
    *count = 2;
    *out = mem_array(2, sizeof **out);
    fixture_fill_image(&(*out)[0]);
    fixture_fill_image(&(*out)[1]);
    (*out)[1].id = "sha256:4444444444444444444444444444444444444444444444444444444444444444";
    (*out)[1].repo_tags = (struct image_strings){0};
    (*out)[1].repo_digests = (struct image_strings){0};
    return 0;
}

static void fixture_job_end(struct image_job *job)
{
    api_timer_free(job->timer);
    job->fixture->pending--;
    free(job);
}

static struct image_job *fixture_job(struct image_store *store, void (*step)(void *ctx))
{
    struct image_job *job = mem_alloc(sizeof *job);
    job->fixture = store->fixture;
    job->fixture->pending++;
    job->timer = api_timer_new(&store->fixture->loop, 10, 10, step, job);
    return job;
}

static void fixture_pull_step(void *ctx)
{
    struct image_job *job = ctx;
    static const char *const lines[] = {
        "{\"status\":\"Pulling from library/busybox\",\"id\":\"1.36\"}",
        "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"a2abf6c4d29d\"}",
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1000000,\"total\":2000000},\"id\":\"a2abf6c4d29d\"}",
        "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"a2abf6c4d29d\"}",
        "{\"status\":\"Status: Downloaded newer image for busybox:1.36\"}",
    };
    if (text_starts(job->name, "absent")) {
        struct error err;
        error_set(&err, ERR_NOT_FOUND, "manifest for %s not found: manifest unknown", job->name);
        job->on_pulled(job->ctx, &err, NULL);
        fixture_job_end(job);
        return;
    }
    if (job->step < sizeof lines / sizeof *lines) {
        job->on_progress(job->ctx, lines[job->step++]);
        return;
    }
    struct image image;
    fixture_fill_image(&image);
    job->on_pulled(job->ctx, NULL, &image);
    fixture_job_end(job);
}

static int fixture_image_pull(struct image_store *store, const struct image_pull_request *request, image_progress_cb on_progress,
                              image_pulled_cb on_done, void *ctx, struct image_job **out, struct error *err)
{
    if (text_starts(request->reference, "UPPER"))
        return error_set(err, ERR_INVALID, "invalid reference format: repository name must be lowercase");
    struct image_job *job = fixture_job(store, fixture_pull_step);
    snprintf(job->name, sizeof job->name, "%s", request->reference);
    snprintf(store->last_auth, sizeof store->last_auth, "%s", request->registry_auth ? request->registry_auth : "");
    job->on_progress = on_progress;
    job->on_pulled = on_done;
    job->ctx = ctx;
    *out = job;
    return 0;
}

/* Takes what waits once a turn, and is done when the archive is whole. */
static void fixture_load_step(void *ctx)
{
    struct image_job *job = ctx;
    if (job->on_drained) {
        void (*on_drained)(void *ctx) = job->on_drained;
        job->on_drained = NULL;
        on_drained(job->ctx);
    }
    if (!job->is_whole)
        return;
    job->fixture->store.last_loaded_bytes = job->received;
    job->on_progress(job->ctx, "{\"stream\":\"Loaded image: busybox:latest\\n\"}");
    cleanup_json cJSON *result = cJSON_Parse("{\"images\":[{\"name\":\"busybox:latest\",\"id\":\"" FIXTURE_IMAGE_ID "\"}]}");
    job->on_done(job->ctx, NULL, result);
    fixture_job_end(job);
}

static int fixture_image_load(struct image_store *store, const char *path, image_progress_cb on_progress, image_done_cb on_done, void *ctx,
                              struct image_job **out, struct error *err)
{
    (void)path;
    (void)err;
    struct image_job *job = fixture_job(store, fixture_load_step);
    job->on_progress = on_progress;
    job->on_done = on_done;
    job->ctx = ctx;
    *out = job;
    return 0;
}

static size_t fixture_load_write(struct image_job *job, struct bytes piece, void (*on_drained)(void *ctx))
{
    job->received += piece.size;
    job->on_drained = on_drained;
    return IMAGE_LOAD_QUEUE_BYTES + 1;
}

static void fixture_load_end(struct image_job *job)
{
    job->is_whole = true;
}

static void fixture_removed(void *ctx)
{
    struct image_job *job = ctx;
    cleanup_json cJSON *result = cJSON_Parse("[{\"Untagged\":\"busybox:1.36\"},{\"Deleted\":\"" FIXTURE_IMAGE_ID "\"}]");
    job->on_done(job->ctx, NULL, result);
    fixture_job_end(job);
}

static int fixture_image_remove(struct image_store *store, const char *reference, bool force, image_done_cb on_done, void *ctx,
                                struct image_job **out, struct error *err)
{
    (void)force;
    if (!text_starts(reference, "busybox"))
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", reference);
    struct image_job *job = fixture_job(store, fixture_removed);
    job->on_done = on_done;
    job->ctx = ctx;
    *out = job;
    return 0;
}

static int fixture_image_tag(struct image_store *store, const char *reference, const char *new_name, image_done_cb on_done, void *ctx,
                             struct image_job **out, struct error *err)
{
    (void)new_name;
    return fixture_image_remove(store, reference, false, on_done, ctx, out, err);
}

static void fixture_collected(void *ctx)
{
    struct image_job *job = ctx;
    cleanup_json cJSON *result = cJSON_Parse(job->is_whole ? "{\"deleted\":[\"" FIXTURE_IMAGE_ID "\"],\"reclaimedBytes\":4096}"
                                                           : "{\"deleted\":[],\"reclaimedBytes\":0}");
    job->on_done(job->ctx, NULL, result);
    fixture_job_end(job);
}

static int fixture_image_gc(struct image_store *store, enum image_gc_scope scope, image_done_cb on_done, void *ctx, struct image_job **out,
                            struct error *err)
{
    (void)err;
    struct image_job *job = fixture_job(store, fixture_collected);
    job->is_whole = scope == IMAGE_GC_UNUSED;
    job->on_done = on_done;
    job->ctx = ctx;
    *out = job;
    return 0;
}

static void fixture_image_deinit(struct image *image)
{
    arena_deinit(&image->arena);
}

static void fixture_cancel(struct image_job *job)
{
    job->fixture->store.cancelled++;
    fixture_job_end(job);
}

/* --- the containers --- */

static void fixture_op_done(void *ctx, const struct error *err)
{
    struct api_fixture *f = ctx;
    if (err)
        fprintf(stderr, "fixture: %s\n", err->message);
    f->pending--;
}

static void fixture_add_container(struct api_fixture *f, const char *id, const char *name, const char *args, bool has_tty)
{
    cleanup_free char *text =
        mem_format("{\"Owner\":\"skep\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"GuestOs\":{\"HostName\":\"h\"},"
                   "\"Storage\":{\"Layers\":[{\"Id\":\"l\",\"Path\":\"/"
                   "l\"}]}},\"Skep\":{\"Name\":\"%s\",\"Labels\":{\"com.docker.swarm.task.id\":\"t\","
                   "\"tier\":\"%s\"},\"Image\":{\"Reference\":\"busybox:1.36\",\"Id\":\"" FIXTURE_IMAGE_ID "\"},\"Isolation\":\"process\","
                   "\"Process\":{\"CommandArgs\":%s,\"WorkingDirectory\":\"/\",\"Environment\":{\"A\":\"b\"},\"EmulateConsole\":%s},"
                   "\"Network\":{\"Mode\":\"bridge\",\"Ports\":[{\"Protocol\":\"tcp\",\"TargetPort\":80,\"PublishedPort\":8080}]}}}",
                   name, name, args, has_tty ? "true" : "false");
    cleanup_json cJSON *document = cJSON_Parse(text);
    f->pending += 2;
    hcs_system_create(f->hcs, id, document, NULL, 0, fixture_op_done, f);
    hcs_system_start(f->hcs, id, fixture_op_done, f);
}

static const char *fixture_health(void *self, const char *id)
{
    struct api_fixture *f = self;
    return text_equal(id, FIXTURE_IDLE_ID) ? f->health : NULL;
}

static void fixture_nothing(void *ctx)
{
    (void)ctx;
}

static struct api_images fixture_images(struct api_fixture *f)
{
    return (struct api_images){&f->store,          fixture_image_find, fixture_image_list, fixture_image_pull,
                               fixture_image_load, fixture_load_write, fixture_load_end,   fixture_image_remove,
                               fixture_image_tag,  fixture_image_gc,   fixture_cancel,     fixture_image_deinit};
}

/* A loop with an emulated host on it. */
static void fixture_prepare(struct api_fixture *f)
{
    struct error err;
    *f = (struct api_fixture){.clock = clock_system()};
    uv_loop_init(&f->loop);
    random_seeded_init(&f->seed, 1);
    const struct hcs_emulated_options emulated = {.random = random_from_seeded(&f->seed)};
    if (hcs_emulated_new(&emulated, clock_monotonic_ns(&f->clock), clock_wall_ns(&f->clock), &f->hcs, &err) < 0)
        abort();
    hcs_emulated_run_on(f->hcs, &f->loop);
    f->alive = api_timer_new(&f->loop, 10, 10, fixture_nothing, f);
    f->node.fixture = f;
    f->store.fixture = f;
    f->health = "healthy";
}

/* Containers "web" that wrote a line and ended, "job" that ended with 3, "idle" that runs on; and the API over them. */
static void fixture_serve(struct api_fixture *f, const struct api_images *images)
{
    const struct api_options options = {
        .loop = &f->loop,
        .clock = f->clock,
        .node = {&f->node, fixture_node_info, fixture_join, fixture_join_abandon, fixture_leave},
        .images = *images,
        .swarm = f->swarm,
        .telemetry = f->telemetry,
        .hcs = f->hcs,
        .state_dir = "/var/lib/skep",
        .hostname = "fixture",
        .default_isolation = "process",
        .health = fixture_health,
        .health_self = f,
    };
    f->api = api_new(&options);
    fixture_add_container(f, FIXTURE_WEB_ID, "web.1.x", "[\"echo\",\"hello\",\"from web\"]", false);
    fixture_add_container(f, FIXTURE_JOB_ID, "job.1.y", "[\"exit\",\"3\"]", false);
    fixture_add_container(f, FIXTURE_IDLE_ID, "idle.1.z", "[\"sleep\",\"100000\"]", true);
    while (f->pending > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void fixture_start(struct api_fixture *f)
{
    fixture_prepare(f);
    struct api_images images = fixture_images(f);
    fixture_serve(f, &images);
}

static void fixture_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void fixture_stop(struct api_fixture *f)
{
    bool api_closed = false, hcs_closed = false;
    api_free(f->api, fixture_closed, &api_closed);
    api_timer_free(f->node.timer);
    while (!api_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    if (f->real_store) {
        bool store_closed = false;
        image_store_close(f->real_store, fixture_closed, &store_closed);
        while (!store_closed)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    hcs_close(f->hcs, fixture_closed, &hcs_closed);
    while (!hcs_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    api_timer_free(f->alive);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        abort(); /* a handle was left open */
}

#endif
