/* api/swarm_call.h – a call of the API about the swarm: it asks the managers, one question after the other, until the client has its
 * answer.
 *
 *     static void listed(struct swarm_call *sc, const ProtobufCMessage *message)
 *     {
 *         const Docker__Swarmkit__V1__ListNodesResponse *response = (const void *)message;
 *         …
 *         swarm_answer(sc, 200, json);
 *     }
 *
 *     void docker_nodes_list(struct api_call *call)
 *     {
 *         struct swarm_call *sc = swarm_call_new(call);
 *         Docker__Swarmkit__V1__ListNodesRequest *request = swarm_request(sc, METHOD_Control_ListNodes);
 *         swarm_ask(sc, METHOD_Control_ListNodes, &request->base, listed);
 *     }
 *
 * Each step ends with the next question, or with an answer, behind which there is no swarm_call any more. What the managers refuse is
 * answered in dockerd's words without the handler; so is the deadline; and a client who goes away ends it. Private to the room. */
#ifndef SKEP_API_SWARM_CALL_H
#define SKEP_API_SWARM_CALL_H

#include "api/call.h"
#include "api/swarm/body.h"
#include "api/timer.h"

struct swarm_call;
typedef void swarm_step_fn(struct swarm_call *sc);
typedef void swarm_message_fn(struct swarm_call *sc, const ProtobufCMessage *message); /* borrowed until the function returns */
typedef void swarm_control_fn(struct swarm_call *sc, const struct control_answer *answer);

/* What has an id, a name, and ids that it is the only one to begin with. */
#define SWARM_KINDS(X)                                                                                                                     \
    X(NODE, "node", METHOD_Control_GetNode, METHOD_Control_ListNodes)                                                                      \
    X(SERVICE, "service", METHOD_Control_GetService, METHOD_Control_ListServices)                                                          \
    X(TASK, "task", METHOD_Control_GetTask, METHOD_Control_ListTasks)                                                                      \
    X(SECRET, "secret", METHOD_Control_GetSecret, METHOD_Control_ListSecrets)                                                              \
    X(CONFIG, "config", METHOD_Control_GetConfig, METHOD_Control_ListConfigs)                                                              \
    X(NETWORK, "network", METHOD_Control_GetNetwork, METHOD_Control_ListNetworks)

enum swarm_kind {
#define X(kind, noun, get, list) SWARM_##kind,
    SWARM_KINDS(X)
#undef X
};

/* In the arena of its exchange. */
struct swarm_call {
    struct api_call *call;
    struct arena *arena; /* the exchange's */
    unsigned version;    /* the minor of 1.NN */
    cJSON *body;         /* the request's, wiped with the call; NULL where none was read */
    void *own;           /* the handler's, in the arena */

    /* swarm_call.c's own */
    struct api_timer *deadline;
    ProtobufCMessage *secret, *kept;
    bool is_waiting;
    swarm_control_fn *on_control;
    swarm_message_fn *on_message;
    struct {
        enum swarm_kind kind;
        const char *text;
        int step;
        swarm_message_fn *on_found;
    } find;
};

/* --- its life --- */

struct swarm_call *swarm_call_new(struct api_call *call);

/* The same when the request's body has come; one that cannot be read is answered. A body may hold secrets: it is wiped. */
void swarm_call_read(struct api_call *call, swarm_step_fn *on_body);

/* A moment until which all must be done, anew. It begins with API_SWARM_TIMEOUT_MS. */
void swarm_deadline(struct swarm_call *sc, uint64_t ms);

/* Answers, which end it. */
void swarm_answer(struct swarm_call *sc, int status, cJSON *json); /* taken, and wiped */
void swarm_answer_nothing(struct swarm_call *sc, int status);
void swarm_fail(struct swarm_call *sc, int status, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));
void swarm_error(struct swarm_call *sc, const struct error *err);              /* of ours */
void swarm_refuse(struct swarm_call *sc, const struct control_answer *answer); /* the managers' */
void swarm_end(struct swarm_call *sc);                                         /* without an answer */

/* --- questions --- */

/* All that is in @request, which is the arena's, is wiped with the call, or when another is named so: secrets. */
void swarm_is_secret(struct swarm_call *sc, ProtobufCMessage *request);
/* A copy of an answer for the steps to come; one at a time, freed with the call. */
const void *swarm_keep(struct swarm_call *sc, const ProtobufCMessage *message);

/* @request: swarm_request() of that method. */
void swarm_ask(struct swarm_call *sc, enum method_id method, const ProtobufCMessage *request, swarm_message_fn *on_message);
/* The same for who goes on after a refusal, too. */
void swarm_try(struct swarm_call *sc, enum method_id method, const ProtobufCMessage *request, swarm_control_fn *on_control);

/* The object whose id, name, or only id that begins so, is @text, in this order: as dockerd finds it. 404 or 400 where there is none. */
void swarm_find(struct swarm_call *sc, enum swarm_kind kind, const char *text, swarm_message_fn *on_found);
/* The one that the path names. */
void swarm_find_named(struct swarm_call *sc, enum swarm_kind kind, swarm_message_fn *on_found);

/* Something else than call() is asked of the swarm with @sc as its ctx; and has answered. */
void swarm_wait(struct swarm_call *sc);
void swarm_told(struct swarm_call *sc);

/* --- requests, field by field as the .proto files name them --- */

void *swarm_request(struct swarm_call *sc, enum method_id method);               /* empty, in the arena */
void swarm_set(ProtobufCMessage *message, const char *field, const void *value); /* a text or a message, borrowed */
void swarm_set_version(struct swarm_call *sc, ProtobufCMessage *message, const char *field, uint64_t index);
const ProtobufCMessage *swarm_part(const ProtobufCMessage *message, const char *field);
size_t swarm_parts(const ProtobufCMessage *message, const char *field, ProtobufCMessage *const **parts);
const char *swarm_id(const ProtobufCMessage *object); /* "" for NULL */

/* Remove the object that the path names, with @method, and answer with @status. */
void swarm_remove(struct api_call *call, enum swarm_kind kind, enum method_id method, int status);

/* A manager runs here. */
bool swarm_is_manager(const struct api *api);

#endif
