/* agent/identity.c – see identity.h. state.json is agent/identity_state.c's. */
#include "agent/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "agent/identity_state.h"
#include "base/file.h"
#include "base/guard.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define VERSION_FILE_SIZE_BYTES 64

static char *path_of(const struct identity *identity, const char *name)
{
    return mem_format("%s/%s", identity->dir, name);
}

static void wipe_buf(struct buf *buf)
{
    if (buf->data)
        mem_wipe(buf->data, buf->capacity);
    buf_deinit(buf);
}

static int change(const struct identity *identity, const char *what, struct error *err)
{
    return identity->fault ? identity->fault(identity->fault_ctx, what, err) : 0;
}

static int write_one(const struct identity *identity, const char *name, struct bytes content, int mode, struct error *err)
{
    cleanup_free char *what = mem_format("write %s", name), *path = path_of(identity, name);
    int failed = change(identity, what, err);
    return failed < 0 ? failed : file_write(path, content, mode, err);
}

static int write_guarded(const struct identity *identity, const char *name, struct bytes key_pem, struct error *err)
{
    cleanup_buf struct buf sealed = {.is_secret = true};
    int failed = guard_seal(key_pem, &sealed, err);
    return failed < 0 ? failed : write_one(identity, name, buf_bytes(&sealed), 0600, err);
}

static int remove_one(const struct identity *identity, const char *name, struct error *err)
{
    cleanup_free char *what = mem_format("remove %s", name), *path = path_of(identity, name);
    if (!file_exists(path))
        return 0;
    int failed = change(identity, what, err);
    return failed < 0 ? failed : file_remove(path, err);
}

static int rename_one(const struct identity *identity, const char *from, const char *to, struct error *err)
{
    cleanup_free char *what = mem_format("rename %s", from), *from_path = path_of(identity, from), *to_path = path_of(identity, to);
    int failed = change(identity, what, err);
    return failed < 0 ? failed : file_rename(from_path, to_path, err);
}

/* A file that need not be there. @out stays empty when it is not. */
static int read_one(const struct identity *identity, const char *name, struct buf *out, struct error *err)
{
    cleanup_free char *path = path_of(identity, name);
    if (!file_exists(path))
        return 0;
    return file_read(path, CERTIFICATE_PEM_SIZE_BYTES, out, err);
}

static int read_guarded(const struct identity *identity, const char *name, struct buf *out, struct error *err)
{
    cleanup_buf struct buf sealed = {.is_secret = true};
    int failed = read_one(identity, name, &sealed, err);
    return failed < 0 ? failed : guard_open(buf_bytes(&sealed), out, err);
}

static void set_buf(struct buf *buf, struct bytes content)
{
    buf_clear(buf);
    buf_append(buf, content.data, content.size);
}

static void set_string(char **place, const char *text)
{
    char *copy = mem_string(text_empty(text) ? NULL : text);
    free(*place);
    *place = copy;
}

/* ---- opening ---- */

static int make_directory(struct identity *identity, struct error *err)
{
    uv_fs_t req;
    int failed = change(identity, "make the directory", err);
    if (failed < 0)
        return failed;
    failed = file_make_dirs(identity->dir, 0700, err);
    if (failed < 0)
        return failed;
    failed = uv_fs_chmod(NULL, &req, identity->dir, 0700, NULL);
    uv_fs_req_cleanup(&req);
    return failed < 0 ? error_set_uv(err, failed, "make %s private", identity->dir) : 0;
}

/* A crash in the middle of a write leaves its temporary file, which may hold a key. Whether anything else is there is told in @is_empty. */
static int clean(const struct identity *identity, bool *is_empty, struct error *err)
{
    uv_fs_t req;
    uv_dirent_t entry;
    *is_empty = true;
    int result = uv_fs_scandir(NULL, &req, identity->dir, 0, NULL);
    if (result < 0) {
        uv_fs_req_cleanup(&req);
        return error_set_uv(err, result, "read %s", identity->dir);
    }
    result = 0;
    while (result == 0 && uv_fs_scandir_next(&req, &entry) != UV_EOF) {
        if (text_ends(entry.name, ".tmp"))
            result = remove_one(identity, entry.name, err);
        else
            *is_empty = false;
    }
    uv_fs_req_cleanup(&req);
    return result;
}

static int check_version(struct identity *identity, bool is_empty, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = path_of(identity, "version");
    if (is_empty) {
        buf_append_format(&text, "%d\n", IDENTITY_VERSION);
        return write_one(identity, "version", buf_bytes(&text), 0644, err);
    }
    if (!file_exists(path))
        return error_set(err, ERR_VERSION, "%s was not made by Skep: it is not empty and has no file \"version\"; give another directory",
                         identity->dir);
    int failed = file_read(path, VERSION_FILE_SIZE_BYTES, &text, err);
    if (failed < 0)
        return failed;
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.data[--text.size] = '\0';
    int64_t version;
    if (text.size == 0 || text_parse_i64((const char *)text.data, 1, 1000000, &version, NULL) < 0)
        return error_set(err, ERR_VERSION, "%s does not say which version of Skep made %s", path, identity->dir);
    if (version != IDENTITY_VERSION)
        return error_set(
            err, ERR_VERSION,
            "%s has format %lld and this Skep reads format %d: run the version that made it, or remove the directory and join again",
            identity->dir, (long long)version, IDENTITY_VERSION);
    return 0;
}

static int load_state(struct identity *identity, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = path_of(identity, "state.json");
    if (!file_exists(path))
        return 0;
    int failed = file_read(path, CONFIG_FILE_SIZE_BYTES, &text, err);
    if (failed < 0)
        return failed;
    if (identity_state_parse(identity, buf_bytes(&text), err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}

/* The key of a pending join is of use only with its request; without the key the join starts anew. */
static int load_join_key(struct identity *identity, struct error *err)
{
    if (!identity->join.is_pending)
        return remove_one(identity, "join.key", err);
    int failed = read_guarded(identity, "join.key", &identity->join.key_pem, err);
    if (failed < 0)
        return failed;
    if (certificate_match_request(buf_bytes(&identity->join.request_pem), buf_bytes(&identity->join.key_pem), NULL) < 0) {
        log_warn("identity", "the key of the join that was broken off does not fit its request: it starts anew");
        identity_join_deinit(&identity->join);
    }
    return 0;
}

static bool key_fits(const struct keyfile *key, const struct buf *chain)
{
    return chain->size > 0 && certificate_match_key(buf_bytes(chain), buf_bytes(&key->body_pem), NULL) == 0;
}

/* Bring a pair that was being written to one of its two ends. @key is what node.key holds; afterwards .node.crt is gone. */
static int settle_pair(struct identity *identity, const struct keyfile *key, struct buf *chain, struct error *err)
{
    cleanup_buf struct buf next = {0};
    int failed = read_one(identity, ".node.crt", &next, err);
    if (failed < 0)
        return failed;
    if (!key_fits(key, chain) && key_fits(key, &next)) {
        set_buf(chain, buf_bytes(&next));
        return rename_one(identity, ".node.crt", "node.crt", err);
    }
    return remove_one(identity, ".node.crt", err);
}

/* The same as far as it goes while the key cannot be read: with no certificate yet, the first one is the only one. */
static int settle_locked_pair(struct identity *identity, struct buf *chain, struct error *err)
{
    if (chain->size > 0)
        return 0;
    int failed = read_one(identity, ".node.crt", chain, err);
    return failed < 0 || chain->size == 0 ? failed : rename_one(identity, ".node.crt", "node.crt", err);
}

static struct bytes lock_of(const struct identity *identity)
{
    return bytes_of(identity->lock, sizeof identity->lock);
}

/* What node.key holds: opened where we can, still encrypted where we cannot. */
static int read_key(const struct identity *identity, struct keyfile *key, struct error *err)
{
    cleanup_buf struct buf text = {.is_secret = true};
    *key = (struct keyfile){0};
    int failed = read_guarded(identity, "node.key", &text, err);
    if (failed < 0 || text.size == 0)
        return failed;
    failed = keyfile_parse(buf_bytes(&text), key, err);
    if (failed == 0 && key->is_encrypted && identity->has_lock)
        failed = keyfile_unlock(key, lock_of(identity), err);
    if (failed == 0)
        return 0;
    keyfile_deinit(key);
    return error_wrap(err, "%s/node.key", identity->dir);
}

static int read_certificate(struct identity *identity, struct error *err)
{
    certificate_deinit(&identity->certificate);
    if (certificate_read(buf_bytes(&identity->chain_pem), buf_bytes(&identity->root_pem), &identity->certificate, err) < 0)
        return error_wrap(err, "%s/node.crt", identity->dir);
    identity->has_certificate = true;
    return 0;
}

static int check_pair(const struct identity *identity, struct error *err)
{
    if (key_fits(&identity->key, &identity->chain_pem))
        return 0;
    return error_set(err, ERR_CORRUPT,
                     "%s/node.key does not belong to node.crt beside it: restore both from a copy, or take the node out with `skep leave "
                     "--force` and join again",
                     identity->dir);
}

static int load_pair(struct identity *identity, struct error *err)
{
    int failed = read_one(identity, "ca.crt", &identity->root_pem, err);
    if (failed == 0)
        failed = read_one(identity, "node.crt", &identity->chain_pem, err);
    if (failed == 0)
        failed = read_key(identity, &identity->key, err);
    identity->is_locked = identity->key.is_encrypted;
    if (failed == 0)
        failed = identity->is_locked ? settle_locked_pair(identity, &identity->chain_pem, err)
                                     : settle_pair(identity, &identity->key, &identity->chain_pem, err);
    if (failed < 0)
        return failed;
    if (identity->chain_pem.size == 0) {
        keyfile_deinit(&identity->key);
        identity->is_locked = false;
        return remove_one(identity, "node.key", err); /* of a node that was leaving */
    }
    if (!identity->is_locked && (failed = check_pair(identity, err)) < 0)
        return failed;
    return read_certificate(identity, err);
}

static int write_state(const struct identity *identity, struct error *err)
{
    cleanup_free char *text = identity_state_print(identity);
    return write_one(identity, "state.json", bytes_of_string(text), 0600, err);
}

static int end_join(struct identity *identity, struct error *err)
{
    identity_join_deinit(&identity->join);
    int failed = write_state(identity, err);
    return failed < 0 ? failed : remove_one(identity, "join.key", err);
}

static int load(struct identity *identity, struct error *err)
{
    bool is_empty;
    int failed = make_directory(identity, err);
    if (failed == 0)
        failed = clean(identity, &is_empty, err);
    if (failed == 0)
        failed = check_version(identity, is_empty, err);
    if (failed == 0)
        failed = load_state(identity, err);
    if (failed == 0)
        failed = load_join_key(identity, err);
    if (failed == 0)
        failed = load_pair(identity, err);
    if (failed == 0 && identity->has_certificate && identity->join.is_pending)
        failed = end_join(identity, err);
    return failed;
}

int identity_open_with(const char *state_dir, int (*fault)(void *, const char *, struct error *), void *fault_ctx, struct identity **out,
                       struct error *err)
{
    struct identity *identity = mem_alloc(sizeof *identity);
    identity->dir = mem_format("%s/node", state_dir);
    identity->fault = fault;
    identity->fault_ctx = fault_ctx;
    int failed = load(identity, err);
    if (failed < 0) {
        identity_free(identity);
        return error_wrap(err, "state directory %s", state_dir);
    }
    *out = identity;
    return 0;
}

int identity_open(const char *state_dir, struct identity **out, struct error *err)
{
    return identity_open_with(state_dir, NULL, NULL, out, err);
}

static void forget_pair(struct identity *identity)
{
    identity->has_certificate = identity->is_locked = false;
    buf_deinit(&identity->root_pem);
    buf_deinit(&identity->chain_pem);
    keyfile_deinit(&identity->key);
    certificate_deinit(&identity->certificate);
}

static void forget_lock(struct identity *identity)
{
    identity->has_lock = false;
    mem_wipe(identity->lock, sizeof identity->lock);
}

static void forget_state(struct identity *identity)
{
    remotes_deinit(&identity->remotes);
    set_string(&identity->listen_addr, NULL);
    set_string(&identity->advertise_addr, NULL);
    set_string(&identity->data_path_addr, NULL);
    identity_join_deinit(&identity->join);
}

void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    forget_pair(identity);
    forget_state(identity);
    forget_lock(identity);
    free(identity->dir);
    free(identity);
}

void identity_join_deinit(struct identity_join *join)
{
    buf_deinit(&join->root_pem);
    wipe_buf(&join->key_pem);
    buf_deinit(&join->request_pem);
    free(join->node_id);
    *join = (struct identity_join){0};
}

/* ---- storing ---- */

/* The new key with the header lines of the old one. */
static int make_keyfile(const struct identity *identity, struct bytes key_pem, struct keyfile *out, struct error *err)
{
    int failed = keyfile_parse(key_pem, out, err);
    for (size_t i = 0; failed == 0 && i < identity->key.header_count; i++)
        failed = keyfile_set_header(out, identity->key.headers[i].name, identity->key.headers[i].value, err);
    if (failed == 0 && !keyfile_header(out, "kek-version"))
        failed = keyfile_set_header(out, "kek-version", "0", err);
    if (failed < 0)
        keyfile_deinit(out);
    return failed;
}

/* As it is to lie on disk. */
static int write_key(const struct identity *identity, const struct keyfile *key, struct error *err)
{
    cleanup_buf struct buf text = {.is_secret = true}, plain = {.is_secret = true};
    struct keyfile locked = {0};
    int failed = 0;
    keyfile_print(key, &plain);
    if (identity->has_lock) {
        failed = keyfile_parse(buf_bytes(&plain), &locked, err);
        if (failed == 0)
            failed = keyfile_lock(&locked, lock_of(identity), err);
        if (failed == 0)
            keyfile_print(&locked, &text);
        keyfile_deinit(&locked);
    }
    if (failed < 0)
        return failed;
    return write_guarded(identity, "node.key", buf_bytes(identity->has_lock ? &text : &plain), err);
}

static int write_pair(struct identity *identity, struct bytes chain_pem, const struct keyfile *key, struct error *err)
{
    /* An earlier try may have broken off after its key: what is on disk is settled first, or its only fitting certificate would go. */
    struct keyfile present;
    cleanup_buf struct buf chain = {0};
    int failed = read_key(identity, &present, err);
    if (failed == 0)
        failed = read_one(identity, "node.crt", &chain, err);
    if (failed == 0)
        failed = settle_pair(identity, &present, &chain, err);
    keyfile_deinit(&present);
    if (failed == 0)
        failed = write_one(identity, ".node.crt", chain_pem, 0644, err);
    if (failed < 0)
        return failed;
    failed = write_key(identity, key, err);
    return failed < 0 ? failed : rename_one(identity, ".node.crt", "node.crt", err);
}

/* While a pair is exchanged, both the old and the new root must be trusted: a crash may leave either pair. */
static int write_both_roots(struct identity *identity, struct bytes root_pem, struct error *err)
{
    cleanup_buf struct buf both = {0};
    buf_append(&both, root_pem.data, root_pem.size);
    if (identity->has_certificate)
        buf_append(&both, identity->root_pem.data, identity->root_pem.size);
    return write_one(identity, "ca.crt", buf_bytes(&both), 0644, err);
}

static int store(struct identity *identity, struct bytes root_pem, struct bytes chain_pem, const struct keyfile *key, struct error *err)
{
    bool is_new_root = !bytes_equal(root_pem, buf_bytes(&identity->root_pem));
    bool was_in_swarm = identity->has_certificate;
    int failed = is_new_root ? write_both_roots(identity, root_pem, err) : 0;
    if (failed == 0)
        failed = write_pair(identity, chain_pem, key, err);
    if (failed < 0)
        return failed;

    /* From here on the new identity holds. What is left is tidying, which the next opening would do as well. */
    struct error later;
    if (is_new_root && was_in_swarm && write_one(identity, "ca.crt", root_pem, 0644, &later) < 0)
        log_warn("identity", "the old root CA is kept beside the new one: %s", later.message);
    if (identity->join.is_pending && end_join(identity, &later) < 0)
        log_warn("identity", "the record of the join stays behind: %s", later.message);
    return 0;
}

int identity_store(struct identity *identity, struct bytes root_pem, struct bytes chain_pem, struct bytes key_pem, struct error *err)
{
    struct keyfile key;
    struct certificate certificate;
    int failed = certificate_match_key(chain_pem, key_pem, err);
    if (failed == 0)
        failed = certificate_read(chain_pem, root_pem, &certificate, err);
    if (failed < 0)
        return error_wrap(err, "store the certificate");
    failed = make_keyfile(identity, key_pem, &key, err);
    if (failed < 0) {
        certificate_deinit(&certificate);
        return error_wrap(err, "store the key");
    }
    /* The arguments may be buffers of the join that ends here. */
    cleanup_buf struct buf root = {0}, chain = {0};
    set_buf(&root, root_pem);
    set_buf(&chain, chain_pem);
    failed = store(identity, buf_bytes(&root), buf_bytes(&chain), &key, err);
    if (failed < 0) {
        certificate_deinit(&certificate);
        keyfile_deinit(&key);
        return error_wrap(err, "store the node's identity in %s", identity->dir);
    }
    forget_pair(identity);
    set_buf(&identity->root_pem, buf_bytes(&root));
    set_buf(&identity->chain_pem, buf_bytes(&chain));
    identity->key = key;
    identity->certificate = certificate;
    identity->has_certificate = true;
    return 0;
}

int identity_store_root(struct identity *identity, struct bytes root_pem, struct error *err)
{
    cleanup_buf struct buf root = {0};
    set_buf(&root, root_pem);
    struct certificate certificate;
    int failed = certificate_read(buf_bytes(&identity->chain_pem), buf_bytes(&root), &certificate, err);
    if (failed < 0)
        return error_wrap(err, "store the new root CA");
    failed = write_one(identity, "ca.crt", buf_bytes(&root), 0644, err);
    if (failed < 0) {
        certificate_deinit(&certificate);
        return error_wrap(err, "store the new root CA");
    }
    certificate_deinit(&identity->certificate);
    identity->certificate = certificate;
    set_buf(&identity->root_pem, buf_bytes(&root));
    return 0;
}

/* ---- the lock ---- */

int identity_set_lock(struct identity *identity, const uint8_t *lock, struct error *err)
{
    uint8_t before[IDENTITY_LOCK_SIZE_BYTES];
    bool had_lock = identity->has_lock;
    bool is_same = had_lock == (lock != NULL) && (!lock || bytes_equal_constant_time(lock_of(identity), bytes_of(lock, sizeof before)));
    int failed = 0;

    assert(!identity->is_locked);
    if (is_same)
        return 0;
    memcpy(before, identity->lock, sizeof before);
    forget_lock(identity);
    identity->has_lock = lock != NULL;
    if (lock)
        memcpy(identity->lock, lock, sizeof identity->lock);
    if (identity->has_certificate && (failed = write_key(identity, &identity->key, err)) < 0) {
        identity->has_lock = had_lock;
        memcpy(identity->lock, before, sizeof before);
        error_wrap(err, "the node's key in %s", identity->dir);
    }
    mem_wipe(before, sizeof before);
    return failed;
}

int identity_unlock(struct identity *identity, const uint8_t lock[IDENTITY_LOCK_SIZE_BYTES], struct error *err)
{
    if (!identity->is_locked)
        return identity_set_lock(identity, lock, err);
    struct keyfile locked = identity->key;
    identity->has_lock = true;
    memcpy(identity->lock, lock, sizeof identity->lock);
    int failed = read_key(identity, &identity->key, err);
    if (failed == 0)
        failed = settle_pair(identity, &identity->key, &identity->chain_pem, err);
    if (failed == 0)
        failed = check_pair(identity, err);
    if (failed == 0)
        failed = read_certificate(identity, err);
    if (failed == 0) {
        keyfile_deinit(&locked);
        identity->is_locked = false;
        return 0;
    }
    keyfile_deinit(&identity->key);
    identity->key = locked;
    forget_lock(identity);
    return failed;
}

static void copy_join(struct identity_join *to, const struct identity_join *from)
{
    *to = (struct identity_join){.is_pending = true, .node_id = mem_string(from->node_id)};
    memcpy(to->ca_digest, from->ca_digest, sizeof to->ca_digest);
    set_buf(&to->root_pem, buf_bytes(&from->root_pem));
    set_buf(&to->key_pem, buf_bytes(&from->key_pem));
    set_buf(&to->request_pem, buf_bytes(&from->request_pem));
}

int identity_store_join(struct identity *identity, const struct identity_join *join, struct error *err)
{
    if (!join)
        return end_join(identity, err);
    /* The key first: a state.json without its key would be of no use. */
    bool has_key = identity->join.is_pending && bytes_equal(buf_bytes(&join->key_pem), buf_bytes(&identity->join.key_pem));
    int failed = has_key ? 0 : write_guarded(identity, "join.key", buf_bytes(&join->key_pem), err);
    if (failed < 0)
        return failed;
    struct identity_join next, before = identity->join;
    copy_join(&next, join);
    identity->join = next;
    failed = write_state(identity, err);
    if (failed < 0)
        identity->join = before;
    identity_join_deinit(failed < 0 ? &next : &before);
    return failed;
}

int identity_store_addresses(struct identity *identity, const char *listen_addr, const char *advertise_addr, const char *data_path_addr,
                             struct error *err)
{
    set_string(&identity->listen_addr, listen_addr);
    set_string(&identity->advertise_addr, advertise_addr);
    set_string(&identity->data_path_addr, data_path_addr);
    return write_state(identity, err);
}

int identity_store_remotes(struct identity *identity, struct error *err)
{
    return write_state(identity, err);
}

int identity_erase(struct identity *identity, struct error *err)
{
    static const char *const names[] = {".node.crt", "node.crt", "node.key", "join.key", "state.json", "ca.crt"};
    forget_pair(identity);
    forget_state(identity);
    forget_lock(identity);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int failed = remove_one(identity, names[i], err);
        if (failed < 0)
            return error_wrap(err, "leave the swarm");
    }
    return 0;
}
