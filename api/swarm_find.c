/* api/swarm_find.c – see swarm_call.h: requests by the names of their fields, and objects by what a person calls them. */
#include <string.h>

#include "api/swarm/shape.h"
#include "api/swarm_call.h"

/* --- fields --- */

void *swarm_request(struct swarm_call *sc, enum method_id method)
{
    return shape_new(method_list[method].request, sc->arena);
}

void swarm_set(ProtobufCMessage *message, const char *field, const void *value)
{
    memcpy((char *)message + shape_field(message->descriptor, field)->offset, &value, sizeof value);
}

void swarm_set_version(struct swarm_call *sc, ProtobufCMessage *message, const char *field, uint64_t index)
{
    Docker__Swarmkit__V1__Version *version = shape_new(&docker__swarmkit__v1__version__descriptor, sc->arena);
    version->index = index;
    swarm_set(message, field, version);
}

const ProtobufCMessage *swarm_part(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCMessage *part;
    memcpy(&part, (const char *)message + shape_field(message->descriptor, field)->offset, sizeof part);
    return part;
}

size_t swarm_parts(const ProtobufCMessage *message, const char *field, ProtobufCMessage *const **parts)
{
    const ProtobufCFieldDescriptor *list = shape_field(message->descriptor, field);
    size_t count;
    memcpy(parts, (const char *)message + list->offset, sizeof *parts);
    memcpy(&count, (const char *)message + list->quantifier_offset, sizeof count);
    return count;
}

const char *swarm_id(const ProtobufCMessage *object)
{
    const char *id = "";
    if (object)
        memcpy(&id, (const char *)object + shape_field(object->descriptor, "id")->offset, sizeof id);
    return id;
}

/* --- objects by id, by name, by the beginning of an id --- */

static const struct {
    const char *noun;
    enum method_id get, list;
} kinds[] = {
#define X(kind, noun, get, list) {noun, get, list},
    SWARM_KINDS(X)
#undef X
};

static const char *noun_of(enum swarm_kind kind)
{
    return kinds[kind].noun;
}

static const char *field_of(struct swarm_call *sc, enum swarm_kind kind, const char *ending)
{
    return arena_format(sc->arena, "%s%s", noun_of(kind), ending);
}

enum { BY_ID, BY_NAME, BY_BEGINNING };

static void find_by(struct swarm_call *sc, int step);

static void looked_up(struct swarm_call *sc, const ProtobufCMessage *message)
{
    ProtobufCMessage *const *parts;
    const char *noun = noun_of(sc->find.kind);
    size_t count = swarm_parts(message, field_of(sc, sc->find.kind, "s"), &parts);
    if (count == 1)
        sc->find.on_found(sc, parts[0]);
    else if (count > 1)
        swarm_fail(sc, 400, "%s %s is ambiguous (%zu matches found)", noun, sc->find.text, count);
    else if (sc->find.step == BY_NAME)
        find_by(sc, BY_BEGINNING);
    else
        swarm_fail(sc, 404, "%s %s not found", noun, sc->find.text);
}

/* What is no id at all is refused as invalid, and may still be a name. */
static void got(struct swarm_call *sc, const struct control_answer *answer)
{
    const ProtobufCMessage *object = answer->response ? swarm_part(answer->response, noun_of(sc->find.kind)) : NULL;
    if (object)
        sc->find.on_found(sc, object);
    else if (answer->response || answer->err->code == ERR_NOT_FOUND || answer->err->code == ERR_INVALID)
        find_by(sc, BY_NAME);
    else
        swarm_refuse(sc, answer);
}

static void find_by(struct swarm_call *sc, int step)
{
    enum method_id method = step == BY_ID ? kinds[sc->find.kind].get : kinds[sc->find.kind].list;
    ProtobufCMessage *request = swarm_request(sc, method);
    sc->find.step = step;
    if (step == BY_ID) {
        swarm_set(request, field_of(sc, sc->find.kind, "_id"), sc->find.text);
        swarm_try(sc, method, request, got);
        return;
    }
    ProtobufCMessage *filters = shape_new(shape_field(request->descriptor, "filters")->descriptor, sc->arena);
    const ProtobufCFieldDescriptor *list = shape_field(filters->descriptor, step == BY_NAME ? "names" : "id_prefixes");
    const char *const *texts = arena_copy(sc->arena, &sc->find.text, sizeof sc->find.text);
    const size_t count = 1;
    memcpy((char *)filters + list->offset, &texts, sizeof texts);
    memcpy((char *)filters + list->quantifier_offset, &count, sizeof count);
    swarm_set(request, "filters", filters);
    swarm_ask(sc, method, request, looked_up);
}

void swarm_find(struct swarm_call *sc, enum swarm_kind kind, const char *text, swarm_message_fn *on_found)
{
    sc->find.kind = kind;
    sc->find.text = text;
    sc->find.on_found = on_found;
    find_by(sc, BY_ID);
}

void swarm_find_named(struct swarm_call *sc, enum swarm_kind kind, swarm_message_fn *on_found)
{
    swarm_find(sc, kind, sc->call->params[0], on_found);
}

/* --- removal --- */

struct removal {
    enum method_id method;
    int status;
};

static void removed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const struct removal *removal = sc->own;
    (void)message;
    swarm_answer_nothing(sc, removal->status);
}

static void found_to_remove(struct swarm_call *sc, const ProtobufCMessage *object)
{
    const struct removal *removal = sc->own;
    ProtobufCMessage *request = swarm_request(sc, removal->method);
    swarm_set(request, field_of(sc, sc->find.kind, "_id"), swarm_id(object));
    swarm_ask(sc, removal->method, request, removed);
}

void swarm_remove(struct api_call *call, enum swarm_kind kind, enum method_id method, int status)
{
    struct swarm_call *sc = swarm_call_new(call);
    sc->own = arena_copy(sc->arena, &(struct removal){method, status}, sizeof(struct removal));
    swarm_find_named(sc, kind, found_to_remove);
}
