/* tests/unit/manager/test_member.c */
#include "manager/member.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char dir[64];
static struct random chance;
static const uint8_t lock[SEALED_KEY_SIZE_BYTES] = {1}, other[SEALED_KEY_SIZE_BYTES] = {2};

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/skep-member-XXXXXX");
    chance = random_system();
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static struct member make(int keys)
{
    struct member member = {.raft_id = 0x5f0c, .address = mem_string("10.0.0.7:2377"), .is_joined = true};
    for (int i = 0; i < keys; i++)
        assert_ok(member_make_key(&member, &chance, err));
    return member;
}

static struct buf content(void)
{
    struct buf text = {0};
    cleanup_free char *path = mem_format("%s/member.json", dir);
    assert_ok(file_read(path, MEMBER_FILE_SIZE_BYTES, &text, err));
    return text;
}

static void put(const char *text)
{
    cleanup_free char *path = mem_format("%s/member.json", dir);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

static void assert_same(const struct member *a, const struct member *b)
{
    assert_int_equal(a->raft_id, b->raft_id);
    assert_string_equal(a->address, b->address);
    assert_int_equal(a->is_joined, b->is_joined);
    assert_int_equal(a->keys.count, b->keys.count);
    assert_int_equal(a->keys.current, b->keys.current);
    for (size_t i = 0; i < a->keys.count; i++)
        assert_memory_equal(raft_keys_find(&b->keys, a->keys.items[i].id)->bytes, a->keys.items[i].bytes, RAFT_KEY_SIZE_BYTES);
}

static void member_is_found_again_in_clear_and_sealed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct member member = make(3), again;
        const uint8_t *with = i == 0 ? NULL : lock;
        assert_ok(member_write(dir, &member, with, &chance, err));
        assert_ok(member_read(dir, with, &again, err));
        assert_same(&member, &again);
        assert_int_equal(again.is_sealed, with != NULL);
        member_deinit(&again);
        if (with == NULL) {
            assert_ok(member_read(dir, lock, &again, err)); /* the change to it was broken off */
            assert_false(again.is_sealed);
            member_deinit(&again);
        }
        member_deinit(&member);
    }
}

static void sealed_keys_are_not_to_be_seen(void **state)
{
    (void)state;
    struct member member = make(2);
    assert_ok(member_write(dir, &member, lock, &chance, err));
    cleanup_buf struct buf text = content();
    for (size_t i = 0; i < member.keys.count; i++) {
        cleanup_buf struct buf clear = {.is_secret = true};
        encode_base64(bytes_of(member.keys.items[i].bytes, RAFT_KEY_SIZE_BYTES), &clear);
        assert_null(strstr((const char *)text.data, (const char *)clear.data));
    }
    assert_non_null(strstr((const char *)text.data, "\"sealed\""));
    assert_null(strstr((const char *)text.data, "\"key\""));
    member_deinit(&member);
}

static void without_the_right_lock_sealed_keys_stay_closed(void **state)
{
    (void)state;
    struct member member = make(1), again;
    assert_ok(member_write(dir, &member, lock, &chance, err));
    assert_fails(member_read(dir, NULL, &again, err), ERR_PERMISSION, "this manager is locked");
    assert_null(again.address);
    assert_fails(member_read(dir, other, &again, err), ERR_PERMISSION, "member.json: key 1: sealed under another key");
    member_deinit(&member);
}

/* A key's number is bound to it: what the log has under one number is never opened as another. */
static void sealed_keys_cannot_change_places(void **state)
{
    (void)state;
    struct member member = make(1), again;
    assert_ok(member_write(dir, &member, lock, &chance, err));
    cleanup_buf struct buf text = content();
    char *id = strstr((char *)text.data, "\"id\":1");
    assert_non_null(id);
    id[5] = '2';
    put((const char *)text.data);
    assert_fails(member_read(dir, lock, &again, err), ERR_PERMISSION, "key 2");
    member_deinit(&member);
}

static void damaged_file_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"", ERR_CORRUPT, "no JSON object"},
        {"{\"version\":2,\"raftId\":\"1\"}", ERR_VERSION, "of version 2"},
        {"{\"version\":1,\"raftId\":\"0\"}", ERR_CORRUPT, "raftId"},
        {"{\"version\":1,\"raftId\":\"1\",\"keys\":[{\"id\":0}]}", ERR_CORRUPT, "the number 0"},
        {"{\"version\":1,\"raftId\":\"1\",\"keys\":[{\"id\":1}]}", ERR_CORRUPT, "key 1"},
        {"{\"version\":1,\"raftId\":\"1\",\"keys\":[{\"id\":1,\"key\":\"AAAA\"}]}", ERR_CORRUPT, "key 1 is not one of 32 bytes"},
        {"{\"version\":1,\"raftId\":\"1\",\"keys\":[{\"id\":1,\"sealed\":\"AAAA\"}]}", ERR_CORRUPT, "key 1 is not one of 32 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct member member;
        put(cases[i].text);
        assert_fails(member_read(dir, lock, &member, err), cases[i].code, cases[i].message);
        assert_fails(member_read(dir, lock, &member, err), cases[i].code, "member.json");
        assert_int_equal(member.raft_id, 0);
    }
}

static void keys_beyond_the_limit_are_not_made(void **state)
{
    (void)state;
    struct member member = make(RAFT_KEYS_COUNT);
    assert_fails(member_make_key(&member, &chance, err), ERR_LIMIT, "keys");
    assert_int_equal(member.keys.current, RAFT_KEYS_COUNT);
    member_deinit(&member);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(member_is_found_again_in_clear_and_sealed), T(sealed_keys_are_not_to_be_seen),  T(without_the_right_lock_sealed_keys_stay_closed),
        T(sealed_keys_cannot_change_places),          T(damaged_file_is_refused_by_name), T(keys_beyond_the_limit_are_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
