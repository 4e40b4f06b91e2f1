/* tests/unit/runtime/linux/test_logs.c – rotation, with a pipe in conmon's place. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-logs-XXXXXX";
static struct linux_host host = {.state_dir = dir, .run_dir = dir};
static struct linux_system *s;
static int control;

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    s = linux_system_new(&host, "c1");
    s->base.state = HCS_RUNNING;
    s->document.log.is_kept = true;
    s->document.log.max_size_bytes = 10;
    s->document.log.max_files = 2;
    cleanup_free char *bundle = mem_format("%s/bundle", s->run_dir), *log_dir = mem_format("%s/log", s->dir),
                      *pipe = mem_format("%s/ctl", bundle);
    assert_ok(file_make_dirs(bundle, 0700, err));
    assert_ok(file_make_dirs(log_dir, 0700, err));
    assert_int_equal(mkfifo(pipe, 0600), 0);
    control = open(pipe, O_RDONLY | O_NONBLOCK);
    return control < 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(control);
    HASH_DEL(host.base.systems, &s->base);
    linux_system_free(s);
    return file_remove_tree(dir, NULL);
}

static bool conmon_is_told(void)
{
    char text[16] = "";
    return read(control, text, sizeof text - 1) > 0 && strcmp(text, "2 0 0\n") == 0;
}

static void a_log_that_is_too_large_is_renamed_and_conmon_told(void **state)
{
    cleanup_free char *old = mem_format("%s.1", s->log_path);

    (void)state;
    assert_ok(file_write_volatile(s->log_path, bytes_of_string("short"), 0600, err));
    linux_logs_rotate(&host);
    assert_false(conmon_is_told());
    assert_ok(file_write_volatile(s->log_path, bytes_of_string("longer than ten"), 0600, err));
    linux_logs_rotate(&host);
    assert_true(conmon_is_told());
    assert_true(file_exists(old));
    assert_false(file_exists(s->log_path));
}

/* As a daemon leaves it that is killed between the two. */
static void conmon_is_told_again_when_there_is_no_log(void **state)
{
    cleanup_free char *old = mem_format("%s.1", s->log_path);

    (void)state;
    assert_false(file_exists(s->log_path));
    linux_logs_rotate(&host);
    assert_true(conmon_is_told());
    assert_true(file_exists(old));
    s->base.state = HCS_STOPPED;
    linux_logs_rotate(&host);
    assert_false(conmon_is_told());
    s->base.state = HCS_RUNNING;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_is_too_large_is_renamed_and_conmon_told),
        cmocka_unit_test(conmon_is_told_again_when_there_is_no_log),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
