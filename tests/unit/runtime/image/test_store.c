/* The store as the daemon uses it, with the real tool: archives loaded from a file and from a stream, found, listed, removed, collected. */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <uv.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/image/image.h"
#include "tests/unit/runtime/image/tool/tar.h"

struct world {
    uv_loop_t loop;
    char *dir, *tool;
    struct image_store *store;
    bool is_done, is_closed;
    unsigned done_count, line_count, drained_count;
    struct error err;
    char *result, *lines, *image_id;
};

/* Where the two systems' tools and images differ. */
#ifdef _WIN32
#define SEPARATOR    '\\'
#define EXE          ".exe"
#define OS           "windows"
#define OTHER_OS     "linux"
#define IN_LAYER     "Files/" /* below it is what the container sees */
#define ALWAYS_FAILS "C:\\windows\\system32\\find.exe"
#else
#define SEPARATOR    '/'
#define EXE          ""
#define OS           "linux"
#define OTHER_OS     "windows"
#define IN_LAYER     ""
#define ALWAYS_FAILS "/bin/false"
#endif

/* skep-image stands one directory above the tests. */
static char *tool_path(void)
{
    char path[4096];
    size_t size = sizeof path;
    assert_int_equal(uv_exepath(path, &size), 0);
    *strrchr(path, SEPARATOR) = '\0';
    *strrchr(path, SEPARATOR) = '\0';
    return mem_format("%s/skep-image" EXE, path);
}

static void open_store(struct world *world)
{
    struct image_store_options options = {.loop = &world->loop, .dir = world->dir, .tool_path = world->tool};
    assert_ok(image_store_open(&options, &world->store, err));
}

static int set_up(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    char template[] = "/tmp/skep-store-XXXXXX";
    uv_loop_init(&world->loop);
    world->dir = mem_format("%s/images", mkdtemp(template));
    world->tool = tool_path();
    open_store(world);
    *state = world;
    return 0;
}

static void on_closed(void *ctx)
{
    ((struct world *)ctx)->is_closed = true;
}

static void close_store(struct world *world)
{
    world->is_closed = false;
    image_store_close(world->store, on_closed, world);
    while (!world->is_closed)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    close_store(world);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    *strrchr(world->dir, '/') = '\0';
    assert_ok(file_remove_tree(world->dir, err));
    free(world->dir);
    free(world->tool);
    free(world->result);
    free(world->lines);
    free(world->image_id);
    free(world);
    return 0;
}

/* --- an archive as `docker save` writes it ------------------------------------------------------------------------------------------- */

/* Windows' lowest layer is a base layer, by what makes one: hcs.md §5. */
static void put_layer(struct buf *out, const char *text)
{
#ifdef _WIN32
    static const char *const directories[] = {"Files", "Files/Windows", "Files/Windows/System32", "Files/Windows/System32/config",
                                              "Files/etc"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        put_header(out, directories[i], '5', 0, NULL);
    put_file(out, "Files/Windows/System32/config/SYSTEM", bytes_of_string("regf"));
    put_file(out, "Files/Windows/System32/config/SOFTWARE", bytes_of_string("regf"));
#endif
    put_file(out, IN_LAYER "etc/motd", bytes_of_string(text));
    put_end(out);
}

static void make_saved(struct buf *out, const char *name, const char *text)
{
    cleanup_buf struct buf layer = {0};
    uint8_t hash[SHA256_SIZE_BYTES];
    char hex[2 * SHA256_SIZE_BYTES + 1];
    put_layer(&layer, text);
    sha256(buf_bytes(&layer), hash);
    encode_hex(bytes_of(hash, sizeof hash), hex);
    cleanup_free char *config =
        mem_format("{\"os\":\"" OS
                   "\",\"architecture\":\"amd64\",\"created\":\"2024-01-02T03:04:05Z\",\"config\":{\"Cmd\":[\"sh\"],\"Env\":[\"A=%s\"],"
                   "\"Labels\":{\"k\":\"v\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
                   text, hex);
    cleanup_free char *manifest = mem_format("[{\"Config\":\"c.json\",\"RepoTags\":[\"%s\"],\"Layers\":[\"l/layer.tar\"]}]", name);
    put_file(out, "l/layer.tar", buf_bytes(&layer));
    put_file(out, "c.json", bytes_of_string(config));
    put_file(out, "manifest.json", bytes_of_string(manifest));
    put_end(out);
}

/* --- jobs ---------------------------------------------------------------------------------------------------------------------------- */

static void on_line(void *ctx, const char *line)
{
    struct world *world = ctx;
    char *joined = mem_format("%s%s\n", world->lines ? world->lines : "", line);
    free(world->lines);
    world->lines = joined;
    world->line_count++;
}

static void note_end(struct world *world, const struct error *err)
{
    world->is_done = true;
    world->done_count++;
    world->err = err ? *err : (struct error){0};
}

static void on_done(void *ctx, const struct error *err, const struct cJSON *result)
{
    struct world *world = ctx;
    note_end(world, err);
    free(world->result);
    world->result = result ? json_print(result) : NULL;
}

static void on_pulled(void *ctx, const struct error *err, const struct image *image)
{
    struct world *world = ctx;
    note_end(world, err);
    free(world->image_id);
    world->image_id = image ? mem_string(image->id) : NULL;
}

static void wait_for(struct world *world)
{
    while (!world->is_done)
        uv_run(&world->loop, UV_RUN_ONCE);
    world->is_done = false;
}

static void load(struct world *world, const char *name, const char *text)
{
    cleanup_buf struct buf archive = {0};
    struct image_job *job;
    make_saved(&archive, name, text);
    assert_ok(image_load(world->store, NULL, on_line, on_done, world, &job, err));
    image_load_write(job, buf_bytes(&archive), NULL);
    image_load_end(job);
    wait_for(world);
    if (world->err.code)
        fail_msg("load %s: %s", name, world->err.message);
}

/* --- tests --------------------------------------------------------------------------------------------------------------------------- */

static void streamed_archive_is_loaded_and_found(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0};
    load(world, "team/app:1", "hello");
    assert_non_null(strstr(world->lines, "Loaded image: team/app:1\\n"));
    assert_ok(image_find(world->store, "team/app:1", NULL, &image, err));
    assert_string_equal(image.repo_tags.items[0], "team/app:1");
    assert_string_equal(image.config.cmd.items[0], "sh");
    assert_string_equal(image.config.labels[0].value, "v");
    assert_int_equal(image.layer_count, 1);
    cleanup_free char *motd = mem_format("%s/" IN_LAYER "etc/motd", image.layers[0].path);
    cleanup_buf struct buf text = {0};
    assert_ok(file_read(motd, 100, &text, err));
    assert_string_equal((char *)text.data, "hello");
}

static void image_is_found_by_id_and_its_start(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0}, again = {0};
    load(world, "app:1", "x");
    assert_ok(image_find(world->store, "app:1", NULL, &image, err));
    cleanup_free char *start = mem_string_n(image.id + 7, 12);
    assert_ok(image_find(world->store, start, NULL, &again, err));
    assert_string_equal(again.id, image.id);
    image_deinit(&again);
    assert_ok(image_find(world->store, image.id, NULL, &again, err));
    image_deinit(&again);
    assert_fails(image_find(world->store, "nothing", NULL, &again, err), ERR_NOT_FOUND, "No such image: nothing:latest");
    struct image_platform other = {.os = OTHER_OS, .architecture = "amd64"};
    assert_fails(image_find(world->store, "app:1", &other, &again, err), ERR_NOT_FOUND, "for " OTHER_OS "/amd64");
}

static void name_that_moves_leaves_the_old_image_nameless_until_collected(void **state)
{
    struct world *world = *state;
    struct image *images;
    size_t count;
    struct image_job *job;
    load(world, "app:1", "old");
    load(world, "app:1", "new");
    assert_ok(image_list(world->store, &images, &count, err));
    assert_int_equal(count, 2);
    size_t named = images[0].repo_tags.count + images[1].repo_tags.count;
    assert_int_equal(named, 1);
    for (size_t i = 0; i < count; i++)
        image_deinit(&images[i]);
    free(images);
    assert_ok(image_gc(world->store, IMAGE_GC_NAMELESS, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, 0);
    assert_ok(image_list(world->store, &images, &count, err));
    assert_int_equal(count, 1);
    image_deinit(&images[0]);
    free(images);
}

static void pinned_image_survives_collection_and_removal(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0}, again = {0};
    struct image_job *job;
    load(world, "app:1", "x");
    assert_ok(image_find(world->store, "app:1", NULL, &image, err));
    assert_ok(image_pin(world->store, image.id, err));
    assert_ok(image_gc(world->store, IMAGE_GC_UNUSED, on_done, world, &job, err));
    wait_for(world);
    assert_ok(image_remove(world->store, "app:1", false, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, ERR_PRECONDITION);
    assert_ok(image_remove(world->store, "app:1", true, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, 0);
    assert_ok(image_find(world->store, image.id, NULL, &again, err));
    image_unpin(world->store, image.id);
    assert_ok(image_gc(world->store, IMAGE_GC_NAMELESS, on_done, world, &job, err));
    wait_for(world);
    image_deinit(&again);
    assert_fails(image_find(world->store, image.id, NULL, &again, err), ERR_NOT_FOUND, "No such image");
    cleanup_free char *path = mem_string(image.layers[0].path);
    assert_false(file_exists(path));
}

/* What is pinned counts when the removal starts, not when it was asked for; a hold keeps it waiting. */
static void removal_knows_what_was_pinned_while_it_waited(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0}, again = {0};
    struct image_job *job;
    load(world, "app:1", "x");
    assert_ok(image_find(world->store, "app:1", NULL, &image, err));
    image_hold(world->store);
    world->is_done = false;
    assert_ok(image_remove(world->store, "app:1", true, on_done, world, &job, err));
    assert_ok(image_pin(world->store, image.id, err));
    for (int i = 0; i < 20; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_false(world->is_done);
    image_unhold(world->store);
    wait_for(world);
    assert_int_equal(world->err.code, 0);
    assert_ok(image_find(world->store, image.id, NULL, &again, err));
    assert_true(file_exists(image.layers[0].path));
}

static void image_that_went_after_it_was_found_is_not_pinned(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0};
    struct image_job *job;
    load(world, "app:1", "x");
    assert_ok(image_find(world->store, "app:1", NULL, &image, err));
    assert_ok(image_remove(world->store, "app:1", false, on_done, world, &job, err));
    wait_for(world);
    assert_fails(image_pin(world->store, image.id, err), ERR_NOT_FOUND, "No such image");
    assert_fails(image_pin(world->store, "sha256:../../x", err), ERR_NOT_FOUND, "No such image");
}

/* Found, pinned and let go over and over while removals run: never is something promised that then goes. */
static void pins_and_removals_never_meet(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    unsigned kept = 0, gone = 0;
    for (int round = 0; round < 12; round++) {
        cleanup_image struct image image = {0};
        struct error why = {0};
        int pinned = ERR_AGAIN;
        load(world, "app:1", "x");
        assert_ok(image_find(world->store, "app:1", NULL, &image, err));
        assert_ok(image_remove(world->store, "app:1", true, on_done, world, &job, err));
        for (int turn = 0; !world->is_done; turn++) {
            if (turn >= round && pinned == ERR_AGAIN)
                pinned = image_pin(world->store, image.id, &why);
            uv_run(&world->loop, UV_RUN_ONCE);
        }
        world->is_done = false;
        if (pinned == ERR_AGAIN)
            pinned = image_pin(world->store, image.id, &why);
        assert_true(pinned == 0 || pinned == ERR_NOT_FOUND);
        assert_int_equal(file_exists(image.layers[0].path), pinned == 0);
        kept += pinned == 0;
        gone += pinned != 0;
        if (pinned == 0)
            image_unpin(world->store, image.id);
    }
    assert_true(kept > 0 && gone > 0);
}

/* Without a name and without a registry to have it from again: only a person may give that up. */
static void superseded_collection_keeps_what_was_loaded(void **state)
{
    struct world *world = *state;
    struct image *images;
    size_t count;
    struct image_job *job;
    load(world, "app:1", "old");
    load(world, "app:1", "new");
    assert_ok(image_gc(world->store, IMAGE_GC_SUPERSEDED, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, 0);
    assert_ok(image_list(world->store, &images, &count, err));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        image_deinit(&images[i]);
    free(images);
}

static void tag_gives_a_second_name_and_remove_takes_one(void **state)
{
    struct world *world = *state;
    cleanup_image struct image image = {0};
    struct image_job *job;
    load(world, "app:1", "x");
    assert_ok(image_tag(world->store, "app:1", "other", on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, 0);
    assert_ok(image_remove(world->store, "app:1", false, on_done, world, &job, err));
    wait_for(world);
    assert_string_equal(world->result, "[{\"Untagged\":\"app:1\"}]");
    assert_ok(image_find(world->store, "other", NULL, &image, err));
}

static void archive_that_is_none_is_refused_with_the_reason(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    assert_ok(image_load(world->store, NULL, on_line, on_done, world, &job, err));
    image_load_write(job, bytes_of_string("this is no archive"), NULL);
    image_load_end(job);
    wait_for(world);
    assert_int_equal(world->err.code, ERR_CORRUPT);
    assert_non_null(strstr(world->err.message, "image archive"));
}

static void missing_tool_is_named(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    close_store(world);
    free(world->tool);
    world->tool = mem_string("/nowhere/skep-image");
    open_store(world);
    assert_ok(image_load(world->store, "/x.tar", on_line, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, ERR_INTERNAL);
    assert_non_null(strstr(world->err.message, "/nowhere/skep-image"));
}

static void tool_that_crashes_is_a_failed_job(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    close_store(world);
    free(world->tool);
    world->tool = mem_string(ALWAYS_FAILS);
    open_store(world);
    assert_ok(image_load(world->store, "/x.tar", on_line, on_done, world, &job, err));
    wait_for(world);
    assert_int_equal(world->err.code, ERR_INTERNAL);
    assert_non_null(strstr(world->err.message, "status 1"));
}

static void canceled_job_calls_nobody(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    assert_ok(image_load(world->store, NULL, on_line, on_done, world, &job, err));
    image_job_cancel(job);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->done_count, 0);
}

static void second_daemon_is_kept_out(void **state)
{
    struct world *world = *state;
    struct image_store *second;
    struct image_store_options options = {.loop = &world->loop, .dir = world->dir};
    assert_fails(image_store_open(&options, &second, err), ERR_AGAIN, "in use");
}

static void pull_from_nowhere_names_the_host_and_is_shared(void **state)
{
    struct world *world = *state;
    struct image_job *first, *second;
    struct image_pull_request request = {.reference = "127.0.0.1:1/app"};
    assert_ok(image_pull(world->store, &request, on_line, on_pulled, world, &first, err));
    assert_ok(image_pull(world->store, &request, NULL, on_pulled, world, &second, err));
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->done_count, 2);
    assert_int_equal(world->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(world->err.message, "127.0.0.1:1"));
    assert_int_equal(world->line_count, 0); /* nothing is shown before there is a manifest */
}

static void question_to_nowhere_names_the_host_and_is_shared(void **state)
{
    struct world *world = *state;
    struct image_job *first, *second, *third;
    assert_ok(image_resolve(world->store, "127.0.0.1:1/app", NULL, on_done, world, &first, err));
    assert_ok(image_resolve(world->store, "127.0.0.1:1/app", "", on_done, world, &second, err));
    assert_ok(image_resolve(world->store, "127.0.0.1:1/app", "e30=", on_done, world, &third, err)); /* as somebody else */
    image_job_cancel(third);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->done_count, 2);
    assert_int_equal(world->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(world->err.message, "127.0.0.1:1"));
    assert_fails(image_resolve(world->store, "UPPER", NULL, on_done, world, &first, err), ERR_INVALID, "must be lowercase");
    assert_fails(image_resolve(world->store, "app", "no base64", on_done, world, &first, err), ERR_INVALID, "not base64");
}

/* Four loads that get nothing to load keep their places; a question has one of its own. */
static void questions_do_not_wait_behind_pulls(void **state)
{
    struct world *world = *state;
    struct image_job *loads[IMAGE_JOBS_PARALLEL_COUNT + 1], *question;
    for (size_t i = 0; i < IMAGE_JOBS_PARALLEL_COUNT + 1; i++)
        assert_ok(image_load(world->store, NULL, NULL, on_done, world, &loads[i], err));
    assert_ok(image_resolve(world->store, "127.0.0.1:1/app", NULL, on_done, world, &question, err));
    wait_for(world);
    assert_int_equal(world->err.code, ERR_UNAVAILABLE);
    for (size_t i = 0; i < IMAGE_JOBS_PARALLEL_COUNT + 1; i++)
        image_job_cancel(loads[i]);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->done_count, 1);
}

static void closing_ends_what_runs(void **state)
{
    struct world *world = *state;
    struct image_job *job;
    assert_ok(image_load(world->store, NULL, on_line, on_done, world, &job, err));
    close_store(world);
    assert_int_equal(world->done_count, 1);
    assert_int_equal(world->err.code, ERR_CANCELED);
    open_store(world);
}

int main(void)
{
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(streamed_archive_is_loaded_and_found),
        IN_WORLD(image_is_found_by_id_and_its_start),
        IN_WORLD(name_that_moves_leaves_the_old_image_nameless_until_collected),
        IN_WORLD(pinned_image_survives_collection_and_removal),
        IN_WORLD(removal_knows_what_was_pinned_while_it_waited),
        IN_WORLD(image_that_went_after_it_was_found_is_not_pinned),
        IN_WORLD(pins_and_removals_never_meet),
        IN_WORLD(superseded_collection_keeps_what_was_loaded),
        IN_WORLD(tag_gives_a_second_name_and_remove_takes_one),
        IN_WORLD(archive_that_is_none_is_refused_with_the_reason),
        IN_WORLD(missing_tool_is_named),
        IN_WORLD(tool_that_crashes_is_a_failed_job),
        IN_WORLD(canceled_job_calls_nobody),
        IN_WORLD(second_daemon_is_kept_out),
        IN_WORLD(pull_from_nowhere_names_the_host_and_is_shared),
        IN_WORLD(question_to_nowhere_names_the_host_and_is_shared),
        IN_WORLD(questions_do_not_wait_behind_pulls),
        IN_WORLD(closing_ends_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
