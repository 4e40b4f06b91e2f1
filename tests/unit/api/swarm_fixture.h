/* tests/unit/api/swarm_fixture.h – the API of a manager: a real control on a store in memory behind its socket.
 *
 *     struct swarm *s = *state;
 *     swarm_get(s, "/nodes", 200, "\"ID\":\"m1\"");
 *     swarm_ask_for(s, "POST", "/services/create", body, 201, "\"ID\"");
 *
 * Nothing is committed before the loop has gone round once, so that every write is answered later. */
#ifndef SKEP_TESTS_UNIT_API_SWARM_FIXTURE_H
#define SKEP_TESTS_UNIT_API_SWARM_FIXTURE_H

#include <utlist.h>

#include "tests/unit/api/asker.h"
#include "tests/unit/manager/control/fixture.h"

/* A question on its way through the control: who asked may have gone by the time it is answered. */
struct question {
    struct swarm *swarm;
    control_done_fn *done;
    void *ctx;
    struct question *prev, *next;
};

struct swarm {
    struct asker asker;
    struct asked asked;
    struct api_timer *settling;
    struct question *questions;
    unsigned calls, abandoned;
    bool is_worker;     /* no manager runs here */
    bool never_answers; /* what is asked is lost */
    int refuses;        /* an error code that every question is answered with */
    /* init, unlock and unlock_key, as they are to answer and as they were asked */
    int init_code, unlock_code;
    const char *unlock_key;
    char listen_addr[64], advertise_addr[64], pool[64], key[64];
    uint32_t subnet_size, data_path_port;
    bool was_forced, was_locked, answers_init_later;
    int availability;
    void *late_ctx;
    api_init_done *late_init;
    /* who reads logs, and what was asked for */
    struct log_reader reader;
    Docker__Swarmkit__V1__SubscribeLogsRequest *logs_request;
    bool is_read;
    unsigned logs_closed, logs_writable;
};

static inline bool swarm_fixture_is_manager(void *self)
{
    const struct swarm *s = self;
    return !s->is_worker && s->asker.fixture.node.state == NODE_ACTIVE;
}

static inline void swarm_fixture_answered(void *ctx, const struct control_answer *answer)
{
    struct question *question = ctx;
    DL_DELETE(question->swarm->questions, question);
    if (question->done)
        question->done(question->ctx, answer);
    free(question);
}

static inline void swarm_fixture_settle(void *ctx)
{
    struct swarm *s = ctx;
    api_timer_free(s->settling);
    s->settling = NULL;
    world_settle(&s->asked.world);
}

static inline void swarm_fixture_call(void *self, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx)
{
    struct swarm *s = self;
    struct question *question = mem_alloc(sizeof *question);
    *question = (struct question){.swarm = s, .done = done, .ctx = ctx};
    DL_APPEND(s->questions, question);
    s->calls++;
    if (s->never_answers)
        return;
    if (s->refuses) {
        struct error err = {.code = s->refuses, .message = "the swarm has no leader"};
        swarm_fixture_answered(question, &(struct control_answer){.err = &err, .grpc_status = error_grpc_status(s->refuses)});
        return;
    }
    if (s->settling == NULL)
        s->settling = api_timer_new(&s->asker.fixture.loop, 0, 0, swarm_fixture_settle, s);
    assert_true(control_call(s->asked.control, method, request, swarm_fixture_answered, question));
}

static inline void swarm_fixture_abandon(void *self, void *ctx)
{
    struct swarm *s = self;
    struct question *question;
    s->abandoned++;
    if (s->late_ctx == ctx)
        s->late_ctx = NULL;
    DL_FOREACH (s->questions, question)
        if (question->ctx == ctx)
            question->done = NULL;
}

static inline int swarm_fixture_init(void *self, const struct api_init_request *request, api_init_done *done, void *ctx, struct error *err)
{
    struct swarm *s = self;
    snprintf(s->listen_addr, sizeof s->listen_addr, "%s", request->listen_addr);
    snprintf(s->advertise_addr, sizeof s->advertise_addr, "%s", request->advertise_addr);
    snprintf(s->pool, sizeof s->pool, "%s", request->address_pool_count > 0 ? request->address_pools[0] : "");
    s->subnet_size = request->subnet_size;
    s->data_path_port = request->data_path_port;
    s->was_forced = request->force_new_cluster;
    s->was_locked = request->autolock;
    s->availability = request->availability;
    if (s->init_code)
        return error_set(err, s->init_code, "listen at %s: it is in use", request->listen_addr);
    if (!s->is_worker && !s->was_forced)
        return error_set(err, ERR_EXISTS, "in a swarm");
    s->late_ctx = ctx;
    s->late_init = done;
    s->is_worker = false;
    s->asker.fixture.node.state = NODE_ACTIVE;
    if (!s->answers_init_later)
        done(ctx, "m1", NULL);
    return 0;
}

static inline int swarm_fixture_unlock(void *self, const char *key, api_unlock_done *done, void *ctx, struct error *err)
{
    struct swarm *s = self;
    snprintf(s->key, sizeof s->key, "%s", key);
    if (s->unlock_code)
        return error_set(err, s->unlock_code, "swarm could not be unlocked: invalid key provided");
    s->asker.fixture.node.state = NODE_ACTIVE;
    s->is_worker = false;
    done(ctx, NULL);
    return 0;
}

static inline void swarm_fixture_unlock_key(void *self, api_unlock_key_done *done, void *ctx)
{
    struct swarm *s = self;
    struct error err = {.code = ERR_UNAVAILABLE, .message = "no leader"};
    done(ctx, s->unlock_key, s->unlock_key ? NULL : &err);
}

static inline int swarm_fixture_logs_open(void *self, const Docker__Swarmkit__V1__SubscribeLogsRequest *request,
                                          const struct log_reader *reader, void **logs, struct error *err)
{
    struct swarm *s = self;
    if (s->refuses)
        return error_set(err, s->refuses, "the swarm has no leader");
    if (s->logs_request)
        message_free(&s->logs_request->base);
    s->logs_request = MESSAGE_COPY(request);
    s->reader = *reader;
    s->is_read = true;
    *logs = s;
    return 0;
}

static inline void swarm_fixture_logs_writable(void *self, void *logs)
{
    struct swarm *s = self;
    assert_ptr_equal(logs, s);
    s->logs_writable++;
}

static inline void swarm_fixture_logs_close(void *self, void *logs)
{
    struct swarm *s = self;
    assert_ptr_equal(logs, s);
    s->is_read = false;
    s->logs_closed++;
}

/* The manager m1 "hive", its cluster c1 and the nodes' networks. */
static inline int swarm_setup(void **state)
{
    struct swarm *s = mem_alloc(sizeof *s);
    begin(&s->asked);
    bootstrap(&s->asked);
    s->asked.members[0] = (struct member_of){"m1", 1, true};
    Docker__Swarmkit__V1__Node manager = copy_of(s->asked.world.store, node, "m1");
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    description.hostname = CONSTANT("hive");
    manager.description = &description;
    do_update(&s->asked.world, &manager);
    s->unlock_key = "";
    asker_start(&s->asker, &(struct api_swarm){.self = s,
                                               .is_manager = swarm_fixture_is_manager,
                                               .call = swarm_fixture_call,
                                               .abandon = swarm_fixture_abandon,
                                               .init = swarm_fixture_init,
                                               .unlock = swarm_fixture_unlock,
                                               .unlock_key = swarm_fixture_unlock_key,
                                               .logs_open = swarm_fixture_logs_open,
                                               .logs_writable = swarm_fixture_logs_writable,
                                               .logs_close = swarm_fixture_logs_close});
    s->asker.fixture.node.state = NODE_ACTIVE;
    s->asker.fixture.node.id = "m1";
    *state = s;
    return 0;
}

static inline int swarm_teardown(void **state)
{
    struct swarm *s = *state;
    struct question *question, *next;
    api_timer_free(s->settling);
    asker_stop(&s->asker);
    end(&s->asked);
    assert_false(s->is_read); /* nor who brings it logs */
    if (s->logs_request)
        message_free(&s->logs_request->base);
    DL_FOREACH_SAFE (s->questions, question, next) {
        assert_null(question->done); /* the API forgot none of its questions */
        free(question);
    }
    free(s);
    return 0;
}

static inline void swarm_ask_for(struct swarm *s, const char *method, const char *path, const char *body, int status, const char *text)
{
    asker_ask(&s->asker, method, path, body, status, text);
}

static inline void swarm_get(struct swarm *s, const char *path, int status, const char *text)
{
    asker_get(&s->asker, path, status, text);
}

static inline void swarm_post(struct swarm *s, const char *path, const char *body, int status, const char *text)
{
    asker_ask(&s->asker, "POST", path, body, status, text);
}

static inline bool swarm_has(const struct swarm *s, const char *text)
{
    return asker_has(&s->asker, text);
}

/* The JSON of the last answer; freed with cJSON_Delete(). */
static inline cJSON *swarm_json(const struct swarm *s)
{
    const char *text = (const char *)s->asker.answer.data, *body = strstr(text, "\r\n\r\n");
    cJSON *json = body ? cJSON_Parse(body + 4) : NULL;
    if (json == NULL)
        fail_msg("no JSON in: %s", text);
    return json;
}

/* The Version.Index of the object at @path. */
static inline unsigned swarm_version_of(struct swarm *s, const char *path)
{
    swarm_get(s, path, 200, "\"Version\"");
    cleanup_json cJSON *json = swarm_json(s);
    return (unsigned)json_int(json_object(json, "Version"), "Index", 0);
}

/* POST @path?version=…, with the version that the object at @object has. */
static inline void swarm_update(struct swarm *s, const char *object, const char *query, const char *body, int status, const char *text)
{
    cleanup_free char *path = mem_format("%s/update?version=%u%s", object, swarm_version_of(s, object), query);
    swarm_post(s, path, body, status, text);
}

#define WEB_BODY(name, more)                                                                                                               \
    "{\"Name\":\"" name "\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"busybox:1\"" more                                             \
    "}},\"Mode\":{\"Replicated\":{\"Replicas\":2}}}"

#endif
