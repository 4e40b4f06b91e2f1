/* tests/unit/proto/test_message_compact.c – a copy in one piece has everything, and nothing in common with the original. */
#include <stdlib.h>

#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "tests/unit/test.h"

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void every_kind_of_field_is_copied(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
    Docker__Swarmkit__V1__TaskSpec spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__ContainerSpec__LabelsEntry label = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__LABELS_ENTRY__INIT, *labels[] = {&label};
    Docker__Swarmkit__V1__SecretReference secret = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *secrets[] = {&secret, &secret};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    char *env[] = {text("A=1"), text(""), text("B=2")};
    label.key = text("k");
    label.value = text("v");
    file.name = text("key");
    file.mode = 0444;
    secret.secret_id = text("secret1");
    secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE; /* a oneof */
    secret.file = &file;
    container.image = text("nginx");
    container.labels = labels;
    container.n_labels = 1;
    container.env = env;
    container.n_env = 3;
    container.secrets = secrets;
    container.n_secrets = 2;
    spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    spec.container = &container;
    task.id = text("t1");
    task.spec = &spec;
    size_t size = 0;
    Docker__Swarmkit__V1__Task *copy = (Docker__Swarmkit__V1__Task *)(void *)message_compact(&task.base, &size);
    assert_true(message_equal(&task.base, &copy->base));
    assert_in_range(size, sizeof task + sizeof spec + sizeof container, 4096);
    assert_ptr_not_equal(copy->spec, task.spec);
    assert_ptr_not_equal(copy->id, task.id);
    assert_in_range((uintptr_t)copy->spec->container->secrets[1]->file->name, (uintptr_t)copy, (uintptr_t)copy + size - 1);
    memset(&container, 0x5a, sizeof container);
    assert_string_equal(copy->spec->container->image, "nginx");
    assert_string_equal(copy->spec->container->env[2], "B=2");
    free(copy);
}

static void numbers_and_bytes_and_unknown_fields_are_copied(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__JoinResponse join = DOCKER__SWARMKIT__V1__JOIN_RESPONSE__INIT;
    uint64_t removed[] = {1, UINT64_MAX, 3};
    join.raft_id = 7;
    join.removed_members = removed;
    join.n_removed_members = 3;
    Docker__Swarmkit__V1__JoinResponse *copy = (Docker__Swarmkit__V1__JoinResponse *)(void *)message_compact(&join.base, NULL);
    removed[1] = 0;
    assert_true(copy->removed_members[1] == UINT64_MAX);
    free(copy);

    const uint8_t newer[] = {0x0a, 1, 'a', 0x2a, 3, 0, 1, 2, 0xf2, 0x07, 2, 'h', 'i'}; /* RootCA, and field 126 */
    Docker__Swarmkit__V1__SessionMessage *session = NULL, *session_copy;
    assert_ok(MESSAGE_UNPACK(Docker__Swarmkit__V1__SessionMessage, docker__swarmkit__v1__session_message, bytes_of(newer, sizeof newer),
                             100, &session, err));
    session_copy = (Docker__Swarmkit__V1__SessionMessage *)(void *)message_compact(&session->base, NULL);
    message_free(&session->base);
    cleanup_buf struct buf packed = {0};
    message_pack(&session_copy->base, &packed);
    assert_true(bytes_equal(buf_bytes(&packed), bytes_of(newer, sizeof newer)));
    free(session_copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_field_is_copied),
        cmocka_unit_test(numbers_and_bytes_and_unknown_fields_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
