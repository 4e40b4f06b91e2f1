/* api/swarm/shape.h – how a message of SwarmKit's and Docker's JSON of it mirror each other, as a table that is read in both directions.
 *
 * A shape is a list of members, in the order in which Docker prints them, ended by an empty one. A member names the JSON's member and the
 * message's field (as in the .proto file); what kind of thing it is, is the field's type:
 *
 *     string, bool, numbers          as they are; a 64-bit number keeps all its digits
 *     enum                           a text of @names
 *     bytes                          base64, or text with SHAPE_AS_TEXT
 *     Duration                       nanoseconds
 *     Timestamp                      RFC 3339 as Go prints it (only written)
 *     BoolValue, Int64Value          as bool and number; what is absent is not the same as zero
 *     message                        an object, by the member's own @shape
 *     repeated string, message       a list
 *     map<string, string>            an object; its keys are sorted when written
 *
 * A member of a oneof excludes its others. What is zero, empty or absent is left out of the JSON unless a flag says otherwise, and a null
 * in JSON is as good as absent: those are Go's rules, which Docker's clients live by.
 *
 * Reading names the place of what it refuses: "Spec.TaskTemplate.ContainerSpec.Mounts[2].Target: not a text". */
#ifndef SKEP_API_SWARM_SHAPE_H
#define SKEP_API_SWARM_SHAPE_H

#include <cjson/cJSON.h>
#include <limits.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    SHAPE_ALWAYS = 1 << 0,       /* in JSON also at zero; a message that is absent, as an empty one */
    SHAPE_NULL = 1 << 1,         /* in JSON as null where it is absent */
    SHAPE_OMIT_ZERO = 1 << 2,    /* a Duration that is a plain number for Docker: zero is as good as absent */
    SHAPE_MADE = 1 << 3,         /* the message always has it, also when the JSON has not */
    SHAPE_KEEP = 1 << 4,         /* reading a zero leaves what the message has: for specs that are merged */
    SHAPE_INLINE = 1 << 5,       /* the members of this message stand in the object around it; the message always has it */
    SHAPE_AS_TEXT = 1 << 6,      /* bytes that are a text in JSON */
    SHAPE_ONLY_READ = 1 << 7,    /* never written: secrets, and what a hook writes */
    SHAPE_ONLY_WRITTEN = 1 << 8, /* never read */
    SHAPE_BARE = 1 << 9,         /* in JSON as {} where the message is absent, whatever its members say */
};

#define SHAPE_NO_FALLBACK INT_MIN

/* An enum's texts; ended by NULL. Letter case does not matter when read. */
struct shape_name {
    const char *text;
    int value;
};

const char *shape_name_of(const struct shape_name *names, int value); /* "" for a value that has none */

struct shape_place;

/* The object that is being read, for hooks. @json is NULL where it is absent and read as an empty one. */
struct shape_source {
    const cJSON *json;
    const struct shape_place *place;
    unsigned api_version; /* the minor of 1.NN */
    struct arena *arena;
};

struct shape_member {
    const char *json;
    const char *field; /* NULL with @shape: members of this message, in an object @json of their own, or (NULL) in this one */
    unsigned flags;    /* SHAPE_… */
    unsigned since;    /* the first minor API version that has it; clients of older ones neither see nor set it */
    const struct shape_member *shape; /* of the message */
    const struct shape_name *names;   /* of the enum */
    int fallback;                     /* the enum's value for "" and absent; SHAPE_NO_FALLBACK: refused */
    uint64_t absent;                  /* a number's value where the JSON has none */

    bool (*wanted)(const ProtobufCMessage *message); /* of a list: which are written; NULL: all */
    /* A member with no field and no shape is only hooks; a list of members may end with one that checks what was read. */
    void (*write)(const ProtobufCMessage *message, unsigned api_version, cJSON *object);
    int (*read)(const struct shape_source *source, ProtobufCMessage *message, struct error *err);
};

/* An object, or @shape's members added to one. @message NULL: as an empty message of @descriptor. */
cJSON *shape_write(const struct shape_member *shape, const ProtobufCMessage *message, unsigned api_version);
void shape_write_into(const struct shape_member *shape, const ProtobufCMessage *message, unsigned api_version, cJSON *object);

/* Read the object @json into @message, which is initialised; what it points to is made in @arena. @root begins the place in errors.
 * ERR_INVALID, or ERR_LIMIT beyond SWARM_JSON_MEMBERS_COUNT and SWARM_JSON_ITEMS_COUNT. */
int shape_read(const struct shape_member *shape, const cJSON *json, const char *root, unsigned api_version, struct arena *arena,
               ProtobufCMessage *message, struct error *err);

/* A new message, initialised, in @arena. */
void *shape_new(const ProtobufCMessageDescriptor *descriptor, struct arena *arena);

/* The field of that name, which must exist. */
const ProtobufCFieldDescriptor *shape_field(const ProtobufCMessageDescriptor *descriptor, const char *name);
bool shape_is_end(const struct shape_member *member);
bool shape_is_map(const ProtobufCFieldDescriptor *field);

/* For hooks: a member of the object (NULL where absent or null), its place in front of an error, a whole number between bounds which stays
 * as it is where the member is absent. */
const cJSON *shape_get(const struct shape_source *source, const char *name);
int shape_refuse(const struct shape_source *source, const char *name, struct error *err, int code, const char *format, ...)
    __attribute__((format(SKEP_PRINTF, 5, 6)));
int shape_get_i64(const struct shape_source *source, const char *name, int64_t *out, struct error *err);

/* Writing by hand. Text that is not UTF-8 is repaired. */
cJSON *shape_text(const char *text);
cJSON *shape_u64(uint64_t value);
cJSON *shape_base64(ProtobufCBinaryData data);
cJSON *shape_texts(char *const *texts, size_t count);
cJSON *shape_map(size_t count, void *const *entries); /* of any map<string, string> */

#define SHAPE_QUOTE_SIZE 80
/* A text of someone else's for an error: cut, without control characters. Returns @out. */
const char *shape_quote(const char *text, char out[SHAPE_QUOTE_SIZE]);

#endif
