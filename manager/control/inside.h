/* manager/control/inside.h – what the methods share: a call's way from its request to its answer. */
#ifndef SKEP_MANAGER_CONTROL_INSIDE_H
#define SKEP_MANAGER_CONTROL_INSIDE_H

#include "base/arena.h"
#include "manager/control/control.h"

#define GRPC_UNKNOWN 2 /* what an error becomes that SwarmKit passes on without a code */

#define DESCRIPTOR(lower) (&docker__swarmkit__v1__##lower##__descriptor)

struct control {
    struct store *store;
    struct random random;
    struct control_rules rules;
    struct control_members members;
    struct control_authority authority;
    size_t calls_count; /* writes not answered yet */
};

/* A refusal on its way: @grpc_status is 0 where the error's own code says it. */
struct refusal {
    struct error err;
    int grpc_status;
};

/* --- answers --- */

void control_answer(control_done_fn *done, void *ctx, const ProtobufCMessage *response, const struct refusal *refusal);

/* A read: fills @refusal and returns NULL, or the response, in @arena and the store. */
#define CONTROL_READ(lower, Method)                                                                                                        \
    void control_##lower(struct control *control, const Docker__Swarmkit__V1__##Method##Request *request, control_done_fn *done,           \
                         void *ctx)                                                                                                        \
    {                                                                                                                                      \
        cleanup_arena struct arena arena = {0};                                                                                            \
        struct refusal refusal = {0};                                                                                                      \
        const ProtobufCMessage *response = read_##lower(control, request, &arena, &refusal.err);                                           \
        control_answer(done, ctx, response, &refusal);                                                                                     \
    }

/* --- writes --- */

struct call;
typedef int call_write_fn(struct call *call, struct store_tx *tx, struct error *err);
typedef const ProtobufCMessage *call_answer_fn(struct call *call,
                                               struct arena *arena); /* after the commit; NULL: what it is about is gone */

struct call {
    struct control *control;
    control_done_fn *done;
    void *ctx;
    ProtobufCMessage *request; /* a copy */
    call_write_fn *write;
    call_answer_fn *answer;
    char id[STORE_KEY_SIZE_BYTES]; /* of the object that it is about */
    int grpc_status;               /* of a failure, where the code does not say it; set anew by each turn of write() */
    bool is_unfinished;            /* write() has more to do, in another transaction */
    /* UpdateCluster */
    struct store_object *held;
    Docker__Swarmkit__V1__RootCA *root_ca;
};

struct call *call_new(struct control *control, const ProtobufCMessage *request, const char *id, control_done_fn *done, void *ctx);
void call_update(struct call *call, call_write_fn *write, call_answer_fn *answer); /* queues it */
void call_refuse(struct call *call, const struct error *err);                      /* ends it */

/* store_tx_create() and so on, which note what SwarmKit would answer with. Of an update @version is the client's. */
int call_put_new(struct call *call, struct store_tx *tx, ProtobufCMessage *message, struct error *err);
int call_put(struct call *call, struct store_tx *tx, ProtobufCMessage *message, struct error *err);

/* A write of one object that is checked first: check_…() without the store, write_…() and answer_…() as above. @id is in the request, or
 * made where it is NULL. */
#define CONTROL_WRITE(lower, Method, object_id)                                                                                            \
    void control_##lower(struct control *control, const Docker__Swarmkit__V1__##Method##Request *request, control_done_fn *done,           \
                         void *ctx)                                                                                                        \
    {                                                                                                                                      \
        struct refusal refusal = {0};                                                                                                      \
        if (form_check(&request->base, &refusal.err) < 0 || check_##lower(control, request, &refusal) < 0)                                 \
            control_answer(done, ctx, NULL, &refusal);                                                                                     \
        else                                                                                                                               \
            call_update(call_new(control, &request->base, object_id, done, ctx), write_##lower, answer_##lower);                           \
    }

#define CALL_REQUEST(call, Method) ((Docker__Swarmkit__V1__##Method##Request *)(void *)(call)->request)

/* --- messages --- */

void *message_in(struct arena *arena, const ProtobufCMessageDescriptor *descriptor); /* initialised */
void *message_again(struct arena *arena, const ProtobufCMessage *message);           /* a shallow copy */

/* --- form.c: what no field may hold, whatever it means --- */

/* Texts are UTF-8, enumerations have known values, all through @message. ERR_INVALID. */
int form_check(const ProtobufCMessage *message, struct error *err);
int form_check_id(const char *id, struct error *err);                                         /* given, and not longer than ids are */
int form_check_name(const Docker__Swarmkit__V1__Annotations *annotations, struct error *err); /* of services and networks */
int form_check_payload_name(const Docker__Swarmkit__V1__Annotations *annotations, struct error *err); /* of secrets and configs */
/* As Go reads a duration: within its range. ERR_INVALID naming @what. NULL is 0. */
struct Google__Protobuf__Duration;
int form_read_duration(const struct Google__Protobuf__Duration *duration, const char *what, int64_t *ns, struct error *err);

/* SwarmKit's word for what is left out. */
static inline int form_refuse(struct error *err)
{
    return error_set(err, ERR_INVALID, "invalid argument");
}

/* --- filter.c --- */

/* What the filters of all lists have. A filter without values lets everything pass. */
struct filter_list {
    char *const *items;
    size_t count;
};

struct filter_label {
    const char *key, *value;
};

struct filter_labels {
    struct filter_label *items;
    size_t count;
};

struct filter {
    struct filter_list names, name_prefixes, id_prefixes;
    struct filter_labels labels;
};

bool filter_has(struct filter_list list, const char *text);
bool filter_has_prefix(struct filter_list list, const char *text);

/* Each wanted label is there, with the wanted value or with any where that is "". */
bool filter_annotations(struct filter_labels wanted, const Docker__Swarmkit__V1__Annotations *annotations);
bool filter_engine(struct filter_labels wanted, const Docker__Swarmkit__V1__EngineDescription *engine);

/* All filters hold, names in their case. */
bool filter_passes(const struct filter *filter, const char *name, const char *id, const Docker__Swarmkit__V1__Annotations *annotations);
/* Any of names and prefixes holds, in any case, and all labels: as secrets, configs and resources are listed. */
bool filter_passes_any(const struct filter *filter, const char *name, const char *id, const Docker__Swarmkit__V1__Annotations *annotations);

/* Out of any list's Filters message, which may be NULL. */
#define FILTER_LABELS(entries, entry_count, arena, out)                                                                                    \
    do {                                                                                                                                   \
        (out)->count = (entry_count);                                                                                                      \
        (out)->items = arena_alloc((arena), (entry_count) * sizeof *(out)->items);                                                         \
        for (size_t filter_i = 0; filter_i < (entry_count); filter_i++)                                                                    \
            (out)->items[filter_i] = (struct filter_label){(entries)[filter_i]->key, (entries)[filter_i]->value};                          \
    } while (0)

#define FILTER_READ(filters, arena, out)                                                                                                   \
    do {                                                                                                                                   \
        if ((filters) == NULL)                                                                                                             \
            break;                                                                                                                         \
        (out)->names = (struct filter_list){(filters)->names, (filters)->n_names};                                                         \
        (out)->name_prefixes = (struct filter_list){(filters)->name_prefixes, (filters)->n_name_prefixes};                                 \
        (out)->id_prefixes = (struct filter_list){(filters)->id_prefixes, (filters)->n_id_prefixes};                                       \
        FILTER_LABELS((filters)->labels, (filters)->n_labels, (arena), &(out)->labels);                                                    \
    } while (0)

/* Room for every object of a kind. */
void *filter_room(const struct control *control, enum store_kind kind, struct arena *arena);

/* "container", "attachment", or a generic one's kind in lower case; NULL: none. In @arena. */
const char *filter_runtime(const Docker__Swarmkit__V1__TaskSpec *spec, struct arena *arena);

/* --- services --- */

int service_check(const struct control *control, const Docker__Swarmkit__V1__ServiceSpec *spec, struct refusal *refusal);
int service_check_container(const struct control *control, const Docker__Swarmkit__V1__TaskSpec *task, struct error *err);
int service_check_references(const Docker__Swarmkit__V1__ContainerSpec *container, struct error *err); /* secrets and configs */
int service_check_endpoint(const Docker__Swarmkit__V1__EndpointSpec *endpoint, struct error *err);
bool service_is_job(const Docker__Swarmkit__V1__ServiceSpec *spec);

/* Against what is in the store. @service_id: itself, or "". */
int service_check_networks(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err);
int service_check_ports(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, const char *service_id, struct error *err);
int service_check_existence(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err);

/* @spec with what SwarmKit takes where nothing is given. */
Docker__Swarmkit__V1__ServiceSpec *service_with_defaults(const Docker__Swarmkit__V1__ServiceSpec *spec, struct arena *arena);

/* --- networks --- */

#define NETWORK_PREDEFINED_LABEL "com.docker.swarm.predefined"
bool network_is_predefined(const Docker__Swarmkit__V1__Network *network);

/* --- clusters --- */

#define CLUSTER_NAME         "default"
#define CLUSTER_POOL_DEFAULT "10.0.0.0/8"
void cluster_expire_blacklist(Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns); /* moves the list's entries; frees none */

#endif
