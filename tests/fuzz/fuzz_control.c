/* tests/fuzz/fuzz_control.c – calls of Control, one after the other: a byte that picks the method, two that are the request's size, the
 * request. Whatever is accepted is by the rules that it was accepted by; no secret's data is ever told. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "manager/control/inside.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- a store whose log commits at once; everything is of version 10, so that a request can say so --- */

struct fuzzed {
    struct store *store;
    struct control *control;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    uint64_t index;
    uint8_t next;
    bool is_woken, is_answered;
};

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct fuzzed *fuzzed = self;
    (void)err;
    buf_append(&fuzzed->entry, entry.data, entry.size);
    fuzzed->fn = fn;
    fuzzed->ctx = ctx;
    return 0;
}

static uint64_t version(void *self)
{
    (void)self;
    return 10;
}

static void wake(void *self)
{
    ((struct fuzzed *)self)->is_woken = true;
}

static int64_t wall(void *self)
{
    (void)self;
    return INT64_C(1790000000000000000);
}

static void fill(void *self, void *data, size_t size)
{
    memset(data, ++((struct fuzzed *)self)->next, size);
}

static void settle(struct fuzzed *fuzzed)
{
    while (fuzzed->is_woken || fuzzed->fn) {
        struct error err;
        fuzzed->is_woken = false;
        store_run(fuzzed->store);
        if (fuzzed->fn == NULL)
            continue;
        void (*fn)(void *ctx, uint64_t index, const struct error *err) = fuzzed->fn;
        fuzzed->fn = NULL;
        int failed = store_apply(fuzzed->store, ++fuzzed->index, buf_bytes(&fuzzed->entry), &err);
        assert(failed == 0);
        (void)failed;
        buf_clear(&fuzzed->entry);
        fn(fuzzed->ctx, fuzzed->index, NULL);
    }
}

/* --- the parts beside it --- */

static int check_constraints(void *self, char *const *texts, size_t count, struct error *err)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        if (!strstr(texts[i], "==") && !strstr(texts[i], "!="))
            return error_set(err, ERR_INVALID, "constraint expected one operator from ==, !=");
    return 0;
}

static int check_image(void *self, const char *reference, struct error *err)
{
    (void)self;
    return strchr(reference, ' ') ? error_set(err, ERR_INVALID, "invalid reference format") : 0;
}

static bool is_dirty(void *self, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Task *task,
                     const Docker__Swarmkit__V1__Node *node)
{
    (void)self;
    (void)node;
    return !message_equal(&service->spec->task->base, (const ProtobufCMessage *)task->spec);
}

static bool find_member(void *self, const char *node_id, struct control_member *out)
{
    (void)self;
    *out = (struct control_member){.raft_id = 1, .address = "10.0.0.1:2377"};
    return node_id[0] == 'm';
}

static bool may_remove(void *self, uint64_t raft_id)
{
    (void)self;
    return raft_id == 1;
}

static void change_ca(void *self, const struct control_ca_change *change, control_ca_done_fn *done, void *ctx)
{
    (void)self;
    done(ctx, (Docker__Swarmkit__V1__RootCA *)(void *)message_copy(&change->cluster->root_ca->base), NULL);
}

static void unlock(void *self, Docker__Swarmkit__V1__Cluster *cluster, bool rotates)
{
    (void)self;
    (void)rotates;
    assert(cluster->spec->encryption_config);
}

static bool expires(void *self, struct bytes pem, int64_t *wall_ns)
{
    (void)self;
    *wall_ns = pem.size ? pem.data[0] : 0;
    return pem.size > 0;
}

/* --- what is there to begin with --- */

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static int put_objects(struct store_tx *tx, void *ctx, struct error *err)
{
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__TaskSpec task_spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__ReplicatedService replicated = DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT;
    Docker__Swarmkit__V1__ServiceSpec service_spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__SecretSpec secret_spec = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Docker__Swarmkit__V1__Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    Docker__Swarmkit__V1__ConfigSpec config_spec = DOCKER__SWARMKIT__V1__CONFIG_SPEC__INIT;
    Docker__Swarmkit__V1__Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__Extension extension = DOCKER__SWARMKIT__V1__EXTENSION__INIT;

    (void)ctx;
    annotations.name = text("a");
    certificate.certificate = (ProtobufCBinaryData){1, (uint8_t *)text("x")};
    node.id = text("n1");
    node.certificate = &certificate;
    container.image = text("busybox");
    task_spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task_spec.container = &container;
    service_spec.annotations = &annotations;
    service_spec.task = &task_spec;
    service_spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    service_spec.replicated = &replicated;
    service.id = text("s1");
    service.spec = &service_spec;
    task.id = text("t1");
    task.service_id = text("s1");
    task.node_id = text("n1");
    task.spec = &task_spec;
    secret_spec.annotations = config_spec.annotations = &annotations;
    secret_spec.data = config_spec.data = (ProtobufCBinaryData){1, (uint8_t *)text("x")};
    secret.id = text("k1");
    secret.spec = &secret_spec;
    config.id = text("c1");
    config.spec = &config_spec;
    network.id = text("o1");
    extension.id = text("e1");
    extension.annotations = &annotations;
    ProtobufCMessage *all[] = {&node.base, &service.base, &task.base, &secret.base, &config.base, &network.base, &extension.base};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int failed = store_tx_create(tx, all[i], err);
        assert(failed == 0);
        (void)failed;
    }
    return 0;
}

static void begin(struct fuzzed *fuzzed)
{
    struct random random = {.fill = fill, .self = fuzzed};
    Docker__Swarmkit__V1__RootCA root_ca = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;

    *fuzzed = (struct fuzzed){0};
    fuzzed->store = store_new(&(struct store_options){
        .log = {propose, version, wake, fuzzed}, .clock = {.wall_ns = wall, .self = fuzzed}, .random = random, .history_count = 2});
    fuzzed->control = control_new(&(struct control_options){
        .host = {.store = fuzzed->store, .random = random},
        .rules = {.check_constraints = check_constraints, .check_image = check_image, .is_dirty = is_dirty},
        .members = {.find = find_member, .may_remove = may_remove},
        .authority = {.change = change_ca, .unlock = unlock, .expires = expires},
    });
    control_bootstrap(fuzzed->control, &(struct control_bootstrap_options){.cluster_id = "C1", .node_id = "m1", .root_ca = &root_ca}, NULL,
                      NULL);
    store_update(fuzzed->store, put_objects, NULL, NULL);
    settle(fuzzed);
}

/* --- what must hold --- */

static void check_service(const struct control *control, const Docker__Swarmkit__V1__Service *service)
{
    struct refusal refusal = {0};
    int failed = service_check(control, service->spec, &refusal);

    assert(failed == 0);
    assert(service_is_job(service->spec) == (service->job_status != NULL));
    (void)failed;
}

static void check_payload(const Docker__Swarmkit__V1__Annotations *annotations, size_t size, size_t most)
{
    int failed = form_check_payload_name(annotations, NULL);

    assert(failed == 0);
    assert(size > 0 && size < most);
    (void)failed;
    (void)size;
    (void)most;
}

static void check_object(const struct control *control, enum store_kind kind, const ProtobufCMessage *message)
{
    int failed = form_check(message, NULL);

    assert(failed == 0);
    (void)failed;
    if (kind == STORE_SERVICE) {
        check_service(control, (const void *)message);
    } else if (kind == STORE_SECRET) {
        const Docker__Swarmkit__V1__Secret *secret = (const void *)message;
        check_payload(secret->spec->annotations, secret->spec->data.len, CONTROL_SECRET_SIZE_BYTES);
    } else if (kind == STORE_CONFIG) {
        const Docker__Swarmkit__V1__Config *config = (const void *)message;
        check_payload(config->spec->annotations, config->spec->data.len, CONTROL_CONFIG_SIZE_BYTES);
    } else if (kind == STORE_CLUSTER) {
        const Docker__Swarmkit__V1__ClusterSpec *spec = ((const Docker__Swarmkit__V1__Cluster *)(const void *)message)->spec;
        assert(strcmp(spec->annotations->name, "default") == 0);
        assert(spec->orchestration && spec->raft && spec->dispatcher && spec->ca_config && spec->task_defaults);
        (void)spec;
    }
}

static void check_all(const struct fuzzed *fuzzed)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    for (unsigned kind = 0; kind < STORE_KINDS_COUNT; kind++) {
        store_find(fuzzed->store, (enum store_kind)kind, STORE_ALL, NULL, &cursor);
        while ((message = store_next(&cursor)) != NULL)
            check_object(fuzzed->control, (enum store_kind)kind, message);
    }
}

static void on_answer(void *ctx, const struct control_answer *answer)
{
    struct fuzzed *fuzzed = ctx;
    cleanup_buf struct buf packed = {0};

    assert(!fuzzed->is_answered);
    fuzzed->is_answered = true;
    assert((answer->response == NULL) == (answer->err != NULL));
    assert(answer->response ? answer->grpc_status == 0 : answer->grpc_status > 0 && answer->err->code < 0 && answer->err->message[0]);
    if (answer->response == NULL)
        return;
    message_pack(answer->response, &packed); /* all of it can be read */
    if (answer->response->descriptor == DESCRIPTOR(list_secrets_response)) {
        const Docker__Swarmkit__V1__ListSecretsResponse *response = (const void *)answer->response;
        for (size_t i = 0; i < response->n_secrets; i++)
            assert(response->secrets[i]->spec->data.len == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzzed fuzzed;

    begin(&fuzzed);
    while (size >= 3) {
        enum method_id method = (enum method_id)(METHOD_Control_GetNode + data[0]);
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;
        length = length < size - 3 ? length : size - 3;
        ProtobufCMessage *request;
        if (method <= METHOD_Control_RemoveVolume &&
            message_unpack(method_list[method].request, bytes_of(data + 3, length), GRPC_MESSAGE_SIZE_BYTES, &request, NULL) == 0) {
            fuzzed.is_answered = false;
            bool is_control = control_call(fuzzed.control, method, request, on_answer, &fuzzed);
            assert(is_control);
            (void)is_control;
            settle(&fuzzed);
            assert(fuzzed.is_answered);
            message_free(request);
            check_all(&fuzzed);
        }
        data += 3 + length;
        size -= 3 + length;
    }
    control_free(fuzzed.control);
    store_free(fuzzed.store);
    buf_deinit(&fuzzed.entry);
    return 0;
}
