/* tests/unit/agent/test_description.c – what a manager reads about this node. */
#include "agent/description.h"

#include "base/arena.h"
#include "proto/swarmkit/types.pb-c.h"
#include "runtime/hcs.h"
#include "tests/unit/test.h"

typedef Docker__Swarmkit__V1__NodeDescription Description;

static const struct host_facts linux_host = {.os = "linux", .architecture = "x86_64", .nano_cpus = 2000000000, .memory_bytes = 4294967296};

static const char *label(const Description *d, const char *key)
{
    for (size_t i = 0; i < d->engine->n_labels; i++)
        if (strcmp(d->engine->labels[i]->key, key) == 0)
            return d->engine->labels[i]->value;
    return NULL;
}

static struct description_inputs inputs_of(const struct host_facts *host)
{
    return (struct description_inputs){.host = host, .hostname = "host1", .has_process = true, .default_isolation = "process"};
}

static void it_says_what_is_here_and_no_more(void **state)
{
    const char *labels[] = {"zone=a", "zone=b", "nonsense", "=x", "rack=r=1", "skep.version=forged"};
    struct description_inputs in = inputs_of(&linux_host);
    cleanup_arena struct arena arena = {0};
    Description *d;
    (void)state;
    in.labels = labels;
    in.label_count = sizeof labels / sizeof labels[0];
    d = description_build(&in, &arena);
    assert_string_equal(d->hostname, "host1");
    assert_string_equal(d->platform->os, "linux");
    assert_string_equal(d->platform->architecture, "x86_64");
    assert_int_equal(d->resources->nano_cpus, 2000000000);
    assert_int_equal(d->resources->memory_bytes, 4294967296);
    assert_string_equal(d->engine->engine_version, SKEP_VERSION "+skep");
    assert_string_equal(label(d, "zone"), "b");
    assert_string_equal(label(d, "rack"), "r=1");
    assert_string_equal(label(d, "skep.version"), SKEP_VERSION);
    assert_string_equal(label(d, "skep.isolation.process"), "true");
    assert_string_equal(label(d, "skep.isolation.hyperv"), "false");
    assert_string_equal(label(d, "skep.isolation.default"), "process");
    assert_null(label(d, "skep.os.build"));
    assert_null(label(d, "nonsense"));
    assert_int_equal(d->engine->n_labels, 6);
    for (size_t i = 0; i < d->engine->n_plugins; i++)
        assert_string_not_equal(d->engine->plugins[i]->name, "overlay");
    assert_int_equal(d->engine->n_plugins, 5);
    assert_null(d->tls_info);
}

static void a_windows_host_names_its_build(void **state)
{
    const struct host_facts windows = {.os = "windows", .architecture = "x86_64", .os_build = "20348.2322"};
    struct description_inputs in = inputs_of(&windows);
    cleanup_arena struct arena arena = {0};
    Description *d;
    (void)state;
    in.has_hyperv = true;
    d = description_build(&in, &arena);
    assert_string_equal(label(d, "skep.os.build"), "20348.2322");
    assert_string_equal(label(d, "skep.isolation.hyperv"), "true");
    for (size_t i = 0; i < d->engine->n_plugins; i++)
        assert_string_not_equal(d->engine->plugins[i]->name, "bridge");
}

static void an_emulated_host_is_what_it_pretends(void **state)
{
    const struct hcs_host windows = {.back_end = "emulated", .os = "windows", .architecture = "amd64", .os_version = "10.0.20348.2322"};
    const struct hcs_host arm = {.back_end = "emulated", .os = "linux", .architecture = "arm64"};
    const struct hcs_host real = {.back_end = "linux", .os = "windows", .architecture = "arm64", .os_version = "10.0.1"};
    struct host_facts facts = linux_host;
    (void)state;
    host_facts_pretend(&facts, &real);
    assert_memory_equal(&facts, &linux_host, sizeof facts);
    host_facts_pretend(&facts, &windows);
    assert_string_equal(facts.os, "windows");
    assert_string_equal(facts.os_build, "20348.2322");
    assert_string_equal(facts.architecture, "x86_64"); /* as uname has it */
    host_facts_pretend(&facts, &arm);
    assert_string_equal(facts.os, "linux");
    assert_string_equal(facts.os_build, "");
    assert_string_equal(facts.architecture, "aarch64");
}

static void equality_is_of_content_not_of_order(void **state)
{
    const char *one[] = {"a=1", "b=2"}, *other[] = {"b=2", "a=0", "a=1"}, *third[] = {"a=1", "b=3"};
    struct description_inputs in = inputs_of(&linux_host);
    cleanup_arena struct arena arena = {0};
    Description *a, *b, *c;
    (void)state;
    in.labels = one;
    in.label_count = 2;
    a = description_build(&in, &arena);
    in.labels = other;
    in.label_count = 3;
    b = description_build(&in, &arena);
    in.labels = third;
    in.label_count = 2;
    c = description_build(&in, &arena);
    assert_true(description_equal(a, b));
    assert_false(description_equal(a, c));
}

static void this_host_has_facts(void **state)
{
    struct host_facts facts;
    (void)state;
    assert_ok(host_facts_read(&facts, err));
    assert_true(facts.nano_cpus >= 1000000000);
    assert_true(facts.memory_bytes > 64 * 1024 * 1024);
    assert_true(strlen(facts.architecture) > 2);
}

static void it_carries_what_a_root_rotation_compares(void **state)
{
    struct description_inputs in = inputs_of(&linux_host);
    cleanup_arena struct arena arena = {0};
    Description *before, *after;
    (void)state;
    in.root_pem = bytes_of_string("root");
    in.issuer_subject_der = bytes_of_string("subject");
    in.issuer_public_key_der = bytes_of_string("old key");
    before = description_build(&in, &arena);
    assert_memory_equal(before->tls_info->trust_root.data, "root", 4);
    assert_memory_equal(before->tls_info->cert_issuer_subject.data, "subject", 7);
    assert_int_equal(before->tls_info->cert_issuer_public_key.len, 7);
    in.issuer_public_key_der = bytes_of_string("new key");
    after = description_build(&in, &arena);
    assert_false(description_equal(before, after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_is_here_and_no_more),         cmocka_unit_test(a_windows_host_names_its_build),
        cmocka_unit_test(equality_is_of_content_not_of_order),      cmocka_unit_test(this_host_has_facts),
        cmocka_unit_test(it_carries_what_a_root_rotation_compares), cmocka_unit_test(an_emulated_host_is_what_it_pretends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
