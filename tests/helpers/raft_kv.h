/* tests/helpers/raft_kv.h – a key-value map as a Raft state machine, and the gRPC call by which a client proposes to it.
 *
 * An entry that begins with 'k' is "kKEY VALUE"; any other is counted and forgotten (a benchmark's load). */
#ifndef SKEP_TESTS_HELPERS_RAFT_KV_H
#define SKEP_TESTS_HELPERS_RAFT_KV_H

#include <inttypes.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "raft/node.h"

/* Unary: a BytesValue is proposed; answered, with an empty one, when it is committed and applied at the leader. */
static const struct method __attribute__((unused))
kv_propose_method = {"/skep.test.Kv/Propose", &google__protobuf__bytes_value__descriptor, &google__protobuf__bytes_value__descriptor,
                     METHOD_UNARY, METHOD_MANAGER};

struct kv_pair {
    char *key, *value;
    UT_hash_handle hh;
};

struct kv {
    struct raft_node *node; /* for the members in an image: where raft_node_open() puts it; may be NULL */
    struct kv_pair *pairs;
    uint64_t applied_count, applied_index, restored_count;
    uint32_t crc; /* over all entries in order: equal members have equal ones */
    struct buf incoming;
};

static inline void kv_clear(struct kv *kv)
{
    struct kv_pair *pair, *next;
    HASH_ITER (hh, kv->pairs, pair, next) {
        HASH_DEL(kv->pairs, pair);
        free(pair->key);
        free(pair->value);
        free(pair);
    }
}

static inline void kv_deinit(struct kv *kv)
{
    kv_clear(kv);
    buf_deinit(&kv->incoming);
}

static inline const char *kv_get(const struct kv *kv, const char *key)
{
    struct kv_pair *pair;
    HASH_FIND_STR(kv->pairs, key, pair);
    return pair ? pair->value : NULL;
}

static inline void kv_put(struct kv *kv, const char *key, size_t key_size, const char *value, size_t value_size)
{
    struct kv_pair *pair;
    HASH_FIND(hh, kv->pairs, key, key_size, pair);
    if (!pair) {
        pair = mem_alloc(sizeof *pair);
        pair->key = mem_string_n(key, key_size);
        HASH_ADD_KEYPTR(hh, kv->pairs, pair->key, key_size, pair);
    }
    free(pair->value);
    pair->value = mem_string_n(value, value_size);
}

static inline void kv_apply(void *self, const struct raft_entry *entries, size_t count)
{
    struct kv *kv = self;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *data = entries[i].payload->data;
        size_t size = entries[i].payload->size;
        const uint8_t *space = data[0] == 'k' ? memchr(data, ' ', size) : NULL;
        if (space)
            kv_put(kv, (const char *)data + 1, (size_t)(space - data) - 1, (const char *)space + 1, size - (size_t)(space - data) - 1);
        kv->crc = crc32c(kv->crc, data, size);
        kv->applied_count++;
        kv->applied_index = entries[i].index;
    }
}

struct kv_image {
    struct buf bytes;
    size_t at;
};

static inline int kv_image_open(void *self, void **out, struct error *err)
{
    (void)err;
    struct kv *kv = self;
    struct kv_image *image = mem_alloc(sizeof *image);
    struct kv_pair *pair, *next;
    buf_append_format(&image->bytes, "s %" PRIu64 " %" PRIu64 " %u\n", kv->applied_count, kv->applied_index, kv->crc);
    const struct raft_book *book = kv->node ? raft_node_book(kv->node) : NULL;
    for (size_t i = 0; book && i < book->count; i++)
        buf_append_format(&image->bytes, "m %" PRIx64 " %s %s\n", book->members[i].id, book->members[i].node_id, book->members[i].address);
    HASH_ITER (hh, kv->pairs, pair, next)
        buf_append_format(&image->bytes, "k %s %s\n", pair->key, pair->value);
    *out = image;
    return 0;
}

static inline int kv_image_read(void *self, void *ctx, struct buf *out, struct error *err)
{
    (void)self;
    (void)err;
    struct kv_image *image = ctx;
    size_t left = image->bytes.size - image->at, part = left > RAFT_SNAPSHOT_CHUNK_BYTES ? RAFT_SNAPSHOT_CHUNK_BYTES : left;
    buf_append(out, image->bytes.data + image->at, part);
    image->at += part;
    return 0;
}

static inline void kv_image_close(void *self, void *ctx)
{
    (void)self;
    struct kv_image *image = ctx;
    buf_deinit(&image->bytes);
    free(image);
}

static inline void kv_restore_begin(void *self)
{
    struct kv *kv = self;
    kv_clear(kv);
    buf_clear(&kv->incoming);
}

static inline int kv_restore_add(void *self, struct bytes part, struct error *err)
{
    (void)err;
    struct kv *kv = self;
    buf_append(&kv->incoming, part.data, part.size);
    return 0;
}

static inline int kv_restore_end(void *self, uint64_t index, struct error *err)
{
    (void)err;
    (void)index;
    struct kv *kv = self;
    kv->restored_count++;
    char *line = (char *)kv->incoming.data, *save = NULL;
    for (line = line ? strtok_r(line, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        char *key = line + 2, *space = strchr(key, ' ');
        if (!space)
            continue;
        if (*line == 's') {
            sscanf(key, "%" SCNu64 " %" SCNu64 " %u", &kv->applied_count, &kv->applied_index, &kv->crc);
        } else if (*line == 'k') {
            kv_put(kv, key, (size_t)(space - key), space + 1, strlen(space + 1));
        } else if (*line == 'r' && kv->node) {
            raft_node_put_removed(kv->node, strtoull(key, NULL, 16));
        } else if (*line == 'm' && kv->node) {
            char node_id[128] = "", address[128] = "";
            struct raft_member member = {.node_id = node_id, .address = address};
            if (sscanf(key, "%" SCNx64 " %127s %127s", &member.id, node_id, address) == 3)
                raft_node_put_member(kv->node, &member, NULL);
        }
    }
    buf_clear(&kv->incoming);
    return 0;
}

static inline struct raft_machine kv_machine(struct kv *kv)
{
    return (struct raft_machine){.apply = kv_apply,
                                 .image_open = kv_image_open,
                                 .image_read = kv_image_read,
                                 .image_close = kv_image_close,
                                 .restore_begin = kv_restore_begin,
                                 .restore_add = kv_restore_add,
                                 .restore_end = kv_restore_end,
                                 .self = kv};
}

#endif
