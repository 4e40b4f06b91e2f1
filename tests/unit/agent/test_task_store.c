/* tests/unit/agent/test_task_store.c */
#include "agent/task_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

struct fixture {
    char dir[64], path[96], story[512];
    struct task_store *store;
    int last_code;
};

static void on_written(void *ctx, const char *task_id, enum task_write write, uint64_t sequence, const struct error *err)
{
    struct fixture *f = ctx;
    size_t length = strlen(f->story);
    snprintf(f->story + length, sizeof f->story - length, "%s:%d#%d ", task_id, (int)write, (int)sequence);
    f->last_code = err ? err->code : 0;
}

static void open_store(struct fixture *f, uv_loop_t *loop)
{
    const struct task_store_listener listener = {on_written, f};
    assert_ok(task_store_open(f->path, loop, &listener, &f->store, err));
}

static void set_up(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof f->dir, "/tmp/skep-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/worker.db", f->dir);
}

static void tear_down(struct fixture *f)
{
    assert_ok(file_remove_tree(f->dir, err));
}

static void show(void *ctx, const struct task_record *record)
{
    struct fixture *f = ctx;
    size_t length = strlen(f->story);
    snprintf(f->story + length, sizeof f->story - length, "%s=%.*s/%.*s%s ", record->task_id, (int)record->task.size,
             (const char *)record->task.data, (int)record->status.size, (const char *)record->status.data, record->is_assigned ? "" : "!");
}

static const char *content(struct fixture *f)
{
    f->story[0] = '\0';
    assert_ok(task_store_each(f->store, show, f, err));
    return f->story;
}

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

static void records_survive_and_status_is_not_overwritten(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    open_store(&f, NULL);
    task_store_put(f.store, "a", text("A"), text("1"));
    task_store_put(f.store, "b", text("B"), text("1"));
    task_store_put_status(f.store, "a", text("2"));
    task_store_put(f.store, "a", text("AA"), text("0"));
    task_store_unassign(f.store, "b");
    assert_true(task_store_is_busy(f.store));
    task_store_pump(f.store);
    assert_string_equal(f.story, "a:0#1 b:0#2 a:1#3 a:0#4 b:2#5 ");
    assert_int_equal(f.last_code, 0);
    task_store_abandon(f.store);
    open_store(&f, NULL);
    assert_string_equal(content(&f), "a=AA/2 b=B/1! ");
    task_store_delete(f.store, "b");
    task_store_close(f.store, NULL, NULL);
    open_store(&f, NULL);
    assert_string_equal(content(&f), "a=AA/2 ");
    task_store_close(f.store, NULL, NULL);
    struct stat st;
    assert_int_equal(stat(f.path, &st), 0);
    assert_true(!TEST_HAS_MODES || (st.st_mode & 0777) == 0600);
    tear_down(&f);
}

static void queued_writes_die_with_the_process(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    open_store(&f, NULL);
    task_store_put(f.store, "a", text("A"), text("1"));
    task_store_abandon(f.store);
    open_store(&f, NULL);
    assert_string_equal(content(&f), "");
    task_store_close(f.store, NULL, NULL);
    tear_down(&f);
}

static void another_schema_is_named(void **state)
{
    struct fixture f;
    sqlite3 *db = NULL;
    const struct task_store_listener listener = {on_written, &f};
    (void)state;
    set_up(&f);
    assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE x(y); PRAGMA user_version = 7", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_fails(task_store_open(f.path, NULL, &listener, &f.store, err), ERR_VERSION, "schema 7, this one reads 1");
    tear_down(&f);
}

static void second_daemon_is_refused(void **state)
{
    struct fixture f;
    struct task_store *second = NULL;
    const struct task_store_listener listener = {on_written, &f};
    (void)state;
    set_up(&f);
    open_store(&f, NULL);
    assert_fails(task_store_open(f.path, NULL, &listener, &second, err), ERR_AGAIN, "another skepd");
    task_store_close(f.store, NULL, NULL);
    tear_down(&f);
}

static void missing_directory_is_an_error(void **state)
{
    struct fixture f;
    const struct task_store_listener listener = {on_written, &f};
    (void)state;
    set_up(&f);
    assert_ok(file_remove_tree(f.dir, err));
    assert_fails(task_store_open(f.path, NULL, &listener, &f.store, err), ERR_NOT_FOUND, "worker.db");
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void commits_run_off_the_loop_in_groups(void **state)
{
    struct fixture f;
    uv_loop_t loop;
    bool is_closed = false;
    (void)state;
    set_up(&f);
    uv_loop_init(&loop);
    open_store(&f, &loop);
    for (int i = 0; i < 50; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        task_store_put(f.store, id, text("T"), text("S"));
        f.story[0] = '\0';
    }
    task_store_commit(f.store);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(task_store_stats(f.store)->commits, 1);
    assert_false(task_store_is_busy(f.store));
    task_store_put(f.store, "last", text("T"), text("S"));
    task_store_close(f.store, on_closed, &is_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    open_store(&f, NULL);
    assert_non_null(strstr(content(&f), "last="));
    task_store_close(f.store, NULL, NULL);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_survive_and_status_is_not_overwritten),
        cmocka_unit_test(queued_writes_die_with_the_process),
        cmocka_unit_test(another_schema_is_named),
        cmocka_unit_test(second_daemon_is_refused),
        cmocka_unit_test(missing_directory_is_an_error),
        cmocka_unit_test(commits_run_off_the_loop_in_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
