/* tests/unit/api/test_docker_secrets.c – secrets and configs over HTTP, from a real control: what is said of one is asked of both. */
#include "tests/unit/api/swarm_fixture.h"

static const char *const nouns[] = {"secret", "config"};

/* @pattern with the noun in the place of each '@'; the last four are good. */
static const char *of(const char *pattern, const char *noun)
{
    static char texts[4][256];
    static unsigned next;
    char *out = texts[next++ % 4];
    size_t used = 0;
    for (; *pattern; pattern++) {
        size_t length = *pattern == '@' ? strlen(noun) : 1;
        assert_true(used + length < sizeof texts[0]);
        memcpy(out + used, *pattern == '@' ? noun : pattern, length);
        used += length;
    }
    out[used] = '\0';
    return out;
}

static void create(struct swarm *s, const char *noun, const char *name)
{
    cleanup_free char *body = mem_format("{\"Name\":\"%s\",\"Labels\":{\"of\":\"%s\"},\"Data\":\"aG9uZXk=\"}", name, name);
    swarm_post(s, of("/@s/create", noun), body, 201, "{\"ID\":\"");
}

static void payload_is_created_and_shown(void **state)
{
    struct swarm *s = *state;
    for (int i = 0; i < 2; i++) {
        create(s, nouns[i], "jar");
        swarm_get(s, of("/@s/jar", nouns[i]), 200, "\"Labels\":{\"of\":\"jar\"}");
        assert_true(swarm_has(s, "aG9uZXk=") == (i == 1)); /* a secret's data is never shown */
        swarm_get(s, of("/@s", nouns[i]), 200, "\"Name\":\"jar\"");
        swarm_get(s, of("/@s/none", nouns[i]), 404, of("{\"message\":\"@ none not found\"", nouns[i]));
    }
}

static void payloads_are_filtered(void **state)
{
    struct swarm *s = *state;
    for (int i = 0; i < 2; i++) {
        swarm_get(s, of("/@s", nouns[i]), 200, "\r\n\r\n[]");
        create(s, nouns[i], "jar");
        create(s, nouns[i], "pot");
        swarm_get(s, of("/@s?filters=%7B%22name%22%3A%5B%22ja%22%5D%7D", nouns[i]), 200, "\"Name\":\"jar\"");
        assert_false(swarm_has(s, "\"Name\":\"pot\""));
        swarm_get(s, of("/@s?filters=%7B%22label%22%3A%7B%22of%3Dpot%22%3Atrue%7D%7D", nouns[i]), 200, "\"Name\":\"pot\"");
        assert_false(swarm_has(s, "\"Name\":\"jar\""));
        swarm_get(s, of("/@s?filters=%7B%22foo%22%3A%5B%22a%22%5D%7D", nouns[i]), 400, "nvalid filter 'foo'");
    }
}

static void payload_that_cannot_be_is_refused(void **state)
{
    struct swarm *s = *state;
    for (int i = 0; i < 2; i++) {
        create(s, nouns[i], "jar");
        swarm_post(s, of("/@s/create", nouns[i]), "{\"Name\":\"jar\",\"Data\":\"YQ==\"}", 409,
                   of("AlreadyExists desc = @ jar already exists", nouns[i]));
        swarm_post(s, of("/@s/create", nouns[i]), "{\"Name\":\"new\",\"Data\":\"!\"}", 400, "Data");
        swarm_post(s, of("/@s/create", nouns[i]), "{\"Name\":\"\",\"Data\":\"YQ==\"}", 400, "InvalidArgument desc = ");
        swarm_post(s, of("/@s/create", nouns[i]), "{\"Name\"", 400, "the request's body: not JSON");
    }
    swarm_post(s, "/v1.36/secrets/create", "{\"Name\":\"t\",\"Data\":\"YQ==\",\"Templating\":{\"Name\":\"golang\"}}", 400, "templating");
}

static void only_labels_of_a_payload_change(void **state)
{
    struct swarm *s = *state;
    for (int i = 0; i < 2; i++) {
        create(s, nouns[i], "jar");
        swarm_update(s, of("/@s/jar", nouns[i]), "", "{\"Name\":\"jar\",\"Labels\":{\"of\":\"glass\"}}", 200, "Content-Length: 0");
        swarm_get(s, of("/@s/jar", nouns[i]), 200, "\"Labels\":{\"of\":\"glass\"}");
        swarm_update(s, of("/@s/jar", nouns[i]), "", "{\"Name\":\"jar\",\"Data\":\"YQ==\"}", 400, "only updates to Labels are allowed");
        swarm_post(s, of("/@s/jar/update?version=1", nouns[i]), "{\"Name\":\"jar\"}", 500, "update out of sequence");
        swarm_post(s, of("/@s/jar/update?version=-1", nouns[i]), "{\"Name\":\"jar\"}", 400, of("invalid @ version '-1'", nouns[i]));
        swarm_post(s, of("/@s/none/update?version=1", nouns[i]), "{\"Name\":\"none\"}", 404, of("@ none not found", nouns[i]));
    }
}

static void payload_in_use_is_not_removed(void **state)
{
    struct swarm *s = *state;
    for (int i = 0; i < 2; i++) {
        create(s, nouns[i], "jar");
        swarm_get(s, of("/@s/jar", nouns[i]), 200, "\"ID\"");
        cleanup_json cJSON *json = swarm_json(s);
        const char *member = i == 0 ? "Secrets" : "Configs", *named = i == 0 ? "SecretName" : "ConfigName";
        cleanup_free char *body =
            mem_format("{\"Name\":\"%s-user\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\",\"%s\":[{\"File\":{\"Name\":"
                       "\"jar\",\"UID\":\"0\",\"GID\":\"0\",\"Mode\":292},\"%.6sID\":\"%s\",\"%s\":\"jar\"}]}}}",
                       nouns[i], member, member, json_string(json, "ID", ""), named);
        swarm_post(s, "/services/create", body, 201, "\"ID\"");
        swarm_ask_for(s, "DELETE", of("/@s/jar", nouns[i]), "", 400, "is in use by the following service");
        create(s, nouns[i], "pot");
        swarm_ask_for(s, "DELETE", of("/@s/pot", nouns[i]), "", 204, "");
        swarm_ask_for(s, "DELETE", of("/@s/pot", nouns[i]), "", 404, of("@ pot not found", nouns[i]));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(payload_is_created_and_shown),    T(payloads_are_filtered),         T(payload_that_cannot_be_is_refused),
        T(only_labels_of_a_payload_change), T(payload_in_use_is_not_removed),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
