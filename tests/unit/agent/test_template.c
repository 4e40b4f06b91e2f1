/* tests/unit/agent/test_template.c */
#include "agent/template.h"

#include "base/limits.h"
#include "tests/unit/test.h"

static int secret(void *self, const char *target, struct buf *out, struct error *err)
{
    (void)self;
    if (strcmp(target, "password") != 0)
        return error_set(err, ERR_NOT_FOUND, "secret target %s not found", target);
    buf_append_string(out, "hunter2");
    return 0;
}

static int env(void *self, const char *name, struct buf *out, struct error *err)
{
    (void)self;
    (void)err;
    if (strcmp(name, "HOME") == 0)
        buf_append_string(out, "/root");
    return 0;
}

static const struct template_pair labels[] = {{"b", "2"}, {"a", "1"}, {"com.example.tier", "gold"}};
static const struct template_context context = {.service_id = "s1",
                                                .service_name = "web",
                                                .service_labels = labels,
                                                .service_label_count = 3,
                                                .node_id = "n1",
                                                .node_hostname = "host",
                                                .node_architecture = "x86_64",
                                                .node_os = "linux",
                                                .task_id = "t1",
                                                .task_name = "web.2.t1",
                                                .task_slot = "2",
                                                .secret = secret,
                                                .env = env};

static void expands(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"plain } text {", "plain } text {"},
        {"{{.Service.ID}}/{{.Service.Name}}", "s1/web"},
        {"{{ .Node.Hostname }}-{{.Node.Platform.OS}}-{{.Node.Platform.Architecture}}", "host-linux-x86_64"},
        {"{{.Task.Name}}.{{.Task.Slot}} {{$.Task.ID}}", "web.2.t1.2 t1"},
        {"{{index .Service.Labels \"com.example.tier\"}}", "gold"},
        {"{{index .Service.Labels `nope`}}", ""},
        {"{{.Service.Labels.a}}{{.Service.Labels}}", "1map[a:1 b:2 com.example.tier:gold]"},
        {"{{join \"-\" .Service.Name .Task.Slot \"x\"}}", "web-2-x"},
        {"{{print 1 2 \"a\" true}}{{print \"a\" \"b\"}}", "1 2atrueab"},
        {"{{printf \"%s=%q %05d|%-4s|%%\" .Service.Name \"a\\\"b\" 42 \"ab\"}}", "web=\"a\\\"b\" 00042|ab  |%"},
        {"{{.Service.Name | printf \"%s-%s\" \"x\"}}", "x-web"},
        {"{{if eq .Task.Slot \"2\"}}two{{else}}other{{end}}", "two"},
        {"{{if eq .Task.Slot \"1\"}}one{{else if eq .Task.Slot \"2\"}}two{{else}}other{{end}}!", "two!"},
        {"{{if index .Service.Labels \"no\"}}x{{else}}y{{end}}", "y"},
        {"{{if not (eq .Node.ID \"n1\")}}{{.Service.Labels.missing}}{{end}}ok", "ok"},
        {"a {{- .Service.ID -}} b", "as1b"},
        {"{{/* nothing */}}x{{- /* y */ -}} z", "xz"},
        {"{{and .Service.ID .Node.ID}} {{or \"\" .Task.ID}} {{len .Service.Name}} {{ne 1 2}}", "n1 t1 3 true"},
        {"{{secret \"password\"}}{{env \"HOME\"}}{{env \"NONE\"}}", "hunter2/root"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_buf struct buf out = {0};
        assert_ok(template_expand(bytes_of_string(rows[i][0]), &context, &out, err));
        assert_string_equal(out.data ? (const char *)out.data : "", rows[i][1]);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *message;
    } rows[] = {
        {"{{.Service.Labels.missing}}", ERR_NOT_FOUND, "map has no entry for key \"missing\""},
        {"a\n{{.Service.Nam}}", ERR_INVALID, "template: line 2: there is no field Nam"},
        {"{{.Service}}", ERR_INVALID, "whole object"},
        {"{{", ERR_INVALID, "command is missing"},
        {"{{.Service.ID", ERR_INVALID, "no \"}}\""},
        {"{{if true}}x", ERR_INVALID, "{{end}} is missing"},
        {"{{end}}", ERR_INVALID, "without {{if}}"},
        {"{{else}}", ERR_INVALID, "without {{if}}"},
        {"{{range .Service.Labels}}{{end}}", ERR_INVALID, "{{range}} is not supported"},
        {"{{nosuch 1}}", ERR_INVALID, "function \"nosuch\" not defined"},
        {"{{config \"x\"}}", ERR_INVALID, "function \"config\" not defined"},
        {"{{secret \"x\"}}", ERR_NOT_FOUND, "secret target x not found"},
        {"{{printf \"%s\"}}", ERR_INVALID, "fewer arguments"},
        {"{{printf \"%p\" 1}}", ERR_INVALID, "%p is not supported"},
        {"{{printf \"%999s\" \"a\"}}", ERR_INVALID, "width"},
        {"{{printf \"a\" 1}}", ERR_INVALID, "more arguments"},
        {"{{.Service.ID .Node.ID}}", ERR_INVALID, "only a function"},
        {"{{\"abc}}", ERR_INVALID, "unterminated string"},
        {"{{`abc}}", ERR_INVALID, "unterminated raw string"},
        {"{{$x}}", ERR_INVALID, "variables are not supported"},
        {"{{1.5}}", ERR_INVALID, "not a number"},
        {"{{/* x", ERR_INVALID, "unclosed comment"},
        {"{{((((((((((((((((((((((((((((((((((((((((1", ERR_LIMIT, "nested deeper"},
        {"{{join 1}}", ERR_INVALID, "join: wants"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_buf struct buf out = {0};
        assert_fails(template_expand(bytes_of_string(rows[i].text), &context, &out, err), rows[i].code, rows[i].message);
    }
}

static int big(void *self, const char *target, struct buf *out, struct error *err)
{
    (void)self;
    (void)target;
    (void)err;
    memset(buf_reserve(out, MIB / 2), 'x', MIB / 2);
    out->size += MIB / 2;
    return 0;
}

static void output_is_bounded(void **state)
{
    struct template_context greedy = context;
    cleanup_buf struct buf text = {0}, out = {0}, quiet = {0};
    (void)state;
    greedy.secret = big;
    for (int i = 0; i < 100; i++)
        buf_append_string(&text, "{{secret \"a\"}}");
    assert_fails(template_expand(buf_bytes(&text), &greedy, &out, err), ERR_LIMIT, "makes more than");
    buf_clear(&text);
    for (int i = 0; i < 100; i++)
        buf_append_string(&text, "{{if secret \"a\"}}{{end}}");
    assert_fails(template_expand(buf_bytes(&text), &greedy, &quiet, err), ERR_LIMIT, "makes more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expands), cmocka_unit_test(refuses), cmocka_unit_test(output_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
