/* tests/unit/daemon/test_host_linux.c */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/host.h"
#include "daemon/supervisor.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-test-host-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static void a_directory_is_private_and_held_by_one_process(void **state)
{
    (void)state;
    cleanup_free char *claimed = mem_format("%s/a/state", dir);
    assert_ok(host_claim_directory(claimed, err));
    struct stat status;
    assert_int_equal(stat(claimed, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        char self[32];
        snprintf(self, sizeof self, "(process %ld)", (long)getppid());
        int got = host_claim_directory(claimed, &error);
        _exit(got == ERR_EXISTS && strstr(error.message, self) && strstr(error.message, claimed) ? 0 : 1);
    }
    int result;
    waitpid(child, &result, 0);
    assert_int_equal(result, 0);
}

static void a_directory_below_a_file_is_refused_by_name(void **state)
{
    (void)state;
    cleanup_free char *file = mem_format("%s/file", dir);
    cleanup_free char *below = mem_format("%s/file/state", dir);
    assert_ok(file_write(file, bytes_of_string("x"), 0600, err));
    assert_fails(host_claim_directory(below, err), ERR_IO, "file");
}

static void a_group_is_there_or_not(void **state)
{
    (void)state;
    assert_true(host_has_group("root"));
    assert_false(host_has_group("no-such-group"));
}

static void the_supervisor_hears_what_it_is_told(void **state)
{
    (void)state;
    cleanup_free char *path = mem_format("%s/notify", dir);
    int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    supervisor_tell(SUPERVISOR_READY);
    char got[32] = "";
    assert_int_equal(recv(server, got, sizeof got - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    close(server);
    supervisor_tell(SUPERVISOR_STOPPING);
    unsetenv("NOTIFY_SOCKET");
    supervisor_tell(SUPERVISOR_READY);
}

static void memory_that_is_given_back_comes_again_when_wanted(void **state)
{
    (void)state;
    cleanup_free char *text = mem_format("%s/kept", dir);
    host_trim_memory();
    assert_non_null(strstr(text, "/kept"));
    host_trim_memory();
}

static void what_the_process_takes_is_known(void **state)
{
    (void)state;
    struct host_usage before, after;
    struct timespec now;
    host_usage(&before);
    assert_in_range(before.resident_bytes, 100 * KIB, before.virtual_bytes);
    assert_in_range(before.open_handles_count, 3, before.open_handles_most_count);
    assert_true(before.cpu_s > 0);
    clock_gettime(CLOCK_REALTIME, &now);
    assert_true(before.started_wall_s <= (double)now.tv_sec + 1 && before.started_wall_s > (double)now.tv_sec - 600);
    int one = dup(2);
    host_usage(&after);
    close(one);
    assert_int_equal(after.open_handles_count, before.open_handles_count + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_is_private_and_held_by_one_process),
        cmocka_unit_test(a_directory_below_a_file_is_refused_by_name),
        cmocka_unit_test(a_group_is_there_or_not),
        cmocka_unit_test(the_supervisor_hears_what_it_is_told),
        cmocka_unit_test(memory_that_is_given_back_comes_again_when_wanted),
        cmocka_unit_test(what_the_process_takes_is_known),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
