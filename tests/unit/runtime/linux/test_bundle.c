/* tests/unit/runtime/linux/test_bundle.c – documents and the OCI configurations that come of them, as files side by side:
 * tests/fixtures/bundle/NAME.document.json and NAME.config.json. SKEP_WRITE_FIXTURES=1 writes the second ones anew: read what changed. */
#include "runtime/linux/bundle.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static cJSON *read_document(const char *name)
{
    cleanup_free char *path = mem_format("tests/fixtures/bundle/%s.document.json", name);
    cleanup_buf struct buf text = {0};
    cJSON *json = NULL;

    assert_ok(file_read(path, MIB, &text, err));
    assert_ok(json_parse(buf_bytes(&text), MIB, &json, err));
    return json;
}

/* The filter is test_seccomp's; here it is only said whether there is one. */
static void compare(const char *name, cJSON *config)
{
    cleanup_free char *path = mem_format("tests/fixtures/bundle/%s.config.json", name), *line = NULL, *printed = NULL, *got = NULL;
    cleanup_buf struct buf want = {0};
    cleanup_json cJSON *read = NULL;
    cJSON *linux_json = cJSON_GetObjectItem(config, "linux");

    if (json_array(json_object(linux_json, "seccomp"), "syscalls") && !json_object(linux_json, "seccomp")->child->next->next->next->next)
        cJSON_ReplaceItemInObject(linux_json, "seccomp", cJSON_CreateString("the default filter"));
    line = json_print(config);
    assert_ok(json_parse(bytes_of_string(line), MIB, &read, err));
    printed = cJSON_Print(read);
    got = mem_format("%s\n", printed);
    if (getenv("SKEP_WRITE_FIXTURES"))
        assert_ok(file_write_volatile(path, bytes_of_string(got), 0644, err));
    assert_ok(file_read(path, MIB, &want, err));
    buf_append(&want, "", 1);
    assert_string_equal(got, (const char *)want.data);
}

static struct bundle host_of(const struct document *document, const struct bundle_mount *mounts)
{
    return (struct bundle){.document = document,
                           .root_path = "/run/s/c1/rootfs",
                           .hostname = document->hostname[0] ? document->hostname : "c1",
                           .hosts_path = "/var/s/c1/hosts",
                           .hostname_path = "/var/s/c1/hostname",
                           .resolv_conf_path = "/var/s/c1/resolv.conf",
                           .cgroup_path = "/skep/c1",
                           .init_path = "/usr/bin/tini-static",
                           .netns_path = document->network.mode == NETWORK_HOST ? NULL : "/run/s/netns/c1",
                           .files_dir = document->file_count ? "/run/s/c1/files" : NULL,
                           .mounts = mounts,
                           .mount_count = document->mount_count,
                           .account = {.uid = 0, .gid = 0, .home = "/root"},
                           .capabilities = 0xa80425fb,
                           .cpu_count = 4};
}

static void check(const char *name, bool is_cgroup_v2, bool has_swap_limit)
{
    cleanup_json cJSON *json = read_document(name), *normal = NULL, *config = NULL;
    cleanup_arena struct arena arena = {0};
    struct document document;
    struct bundle_mount mounts[16];
    struct bundle bundle;

    assert_ok(document_normalise(json, &normal, err));
    assert_ok(document_parse(normal, &arena, &document, err));
    for (size_t i = 0; i < document.mount_count; i++)
        mounts[i] = (struct bundle_mount){document.mounts[i].type == MOUNT_TMPFS ? NULL : "/on/the/host", &document.mounts[i]};
    bundle = host_of(&document, mounts);
    bundle.is_cgroup_v2 = is_cgroup_v2;
    bundle.has_swap_limit = has_swap_limit;
    if (strcmp(document.process.user, "web") == 0) {
        bundle.account = (struct account){.uid = 1000, .gid = 1001, .groups = {1002}, .group_count = 1, .home = "/home/web"};
        bundle.apparmor_profile = "docker-default";
    }
    config = bundle_config(&bundle);
    compare(name, config);
}

static void a_document_with_nothing_in_it(void **state)
{
    (void)state;
    check("minimal", false, false);
}

static void a_document_with_everything_in_it(void **state)
{
    (void)state;
    check("full", false, true);
}

static void a_host_with_cgroups_of_version_2(void **state)
{
    (void)state;
    check("limits", true, true);
}

static void a_second_process_takes_the_first_ones_environment(void **state)
{
    cleanup_json cJSON *json = read_document("full"), *normal = NULL, *parameters = NULL, *made = NULL;
    cleanup_arena struct arena arena = {0};
    cleanup_free char *env = NULL, *args = NULL;
    struct document document;
    struct document_process process;
    struct bundle bundle;

    (void)state;
    assert_ok(document_normalise(json, &normal, err));
    assert_ok(document_parse(normal, &arena, &document, err));
    assert_ok(
        json_parse(bytes_of_string("{\"CommandArgs\":[\"ls\",\"-l\"],\"Environment\":{\"A\":\"other\"},\"WorkingDirectory\":\"/tmp\"}"),
                   MIB, &parameters, err));
    assert_ok(document_parse_process(parameters, false, &arena, &process, err));
    bundle = host_of(&document, NULL);
    made = bundle_process(&bundle, &process);
    env = json_print(json_array(made, "env"));
    args = json_print(json_array(made, "args"));
    assert_string_equal(args, "[\"ls\",\"-l\"]"); /* no init process in front */
    assert_non_null(strstr(env, "\"A=other\""));
    assert_null(strstr(env, "\"A=1\""));
    assert_non_null(strstr(env, "\"PATH=/bin\""));
    assert_string_equal(json_string(made, "cwd", ""), "/tmp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_with_nothing_in_it),
        cmocka_unit_test(a_document_with_everything_in_it),
        cmocka_unit_test(a_host_with_cgroups_of_version_2),
        cmocka_unit_test(a_second_process_takes_the_first_ones_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
