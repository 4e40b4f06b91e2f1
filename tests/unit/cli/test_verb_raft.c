/* tests/unit/cli/test_verb_raft.c – `skep raft` as a person runs it: words in, text and an exit code out, over a log on the host's disk. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/command.h"
#include "raft/log/log.h"
#include "tests/unit/test.h"

struct trial {
    char dir[64];
    char *log, *keys;
    FILE *out, *err_out;
    char *said, *complained;
    size_t said_size, complained_size;
};

static int make(void **state)
{
    struct trial *t = mem_alloc(sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/skep-verb-raft-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    t->log = mem_format("%s/raft", t->dir);
    t->keys = mem_format("%s/keys", t->dir);
    t->out = open_memstream(&t->said, &t->said_size);
    t->err_out = open_memstream(&t->complained, &t->complained_size);
    *state = t;
    return 0;
}

static int drop(void **state)
{
    struct trial *t = *state;
    fclose(t->out);
    fclose(t->err_out);
    free(t->said);
    free(t->complained);
    assert_ok(file_remove_tree(t->dir, err));
    free(t->log);
    free(t->keys);
    free(t);
    return 0;
}

/* What it prints is that of this call alone. */
static int skep(struct trial *t, const char *const *words)
{
    char *argv[12];
    int argc = 0;
    rewind(t->out);
    rewind(t->err_out);
    for (; words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    argv[argc] = NULL;
    int code = cli_main(argc, argv, "unix:///nowhere", t->out, t->err_out, false);
    fputc(0, t->out);
    fputc(0, t->err_out);
    fflush(t->out);
    fflush(t->err_out);
    return code;
}

#define assert_exit(t, want, ...)                                                                                                          \
    do {                                                                                                                                   \
        int got_ = skep((t), (const char *const[]){"raft", __VA_ARGS__, NULL});                                                            \
        if (got_ != (want))                                                                                                                \
            fail_msg("exit code %d, not %d: %s", got_, (want), (t)->complained);                                                           \
    } while (0)

static void assert_text(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("\"%s\" is not in:\n%s", wanted, text);
}

/* Entries 1 to 30 in three flushes, closed in order; under key 1, of bytes 0x11, where @is_sealed. */
static void write_log(struct trial *t, bool is_sealed)
{
    struct raft_keys keys = {.count = is_sealed, .current = is_sealed, .items = {{.id = 1}}};
    struct raft_log_options options = {.dir = t->log, .keys = &keys, .segment_size_bytes = RAFT_SEGMENT_SIZE_MIN_BYTES};
    struct raft_log_state state = {0};
    struct raft_log *log;
    memset(keys.items[0].bytes, 0x11, RAFT_KEY_SIZE_BYTES);
    assert_ok(raft_log_open(&options, &log, &state, err));
    raft_log_state_deinit(&state);
    for (uint64_t first = 1; first <= 21; first += 10) {
        struct raft_entry entries[10];
        for (uint64_t i = 0; i < 10; i++)
            entries[i] = (struct raft_entry){2, first + i, RAFT_ENTRY_NORMAL, raft_payload_new(bytes_of_string("honey"))};
        assert_ok(raft_log_append(log, &(struct raft_hard_state){2, 0xab, first + 9}, entries, 10, err));
        for (int i = 0; i < 10; i++)
            raft_payload_release(entries[i].payload);
        assert_ok(raft_log_flush(log, err));
    }
    assert_ok(raft_log_close(log, err));
}

static char *first_segment(const struct trial *t)
{
    return mem_format("%s/0000000000000001.seg", t->log);
}

/* One byte of the first flush's records. */
static void damage(struct trial *t)
{
    cleanup_free char *path = first_segment(t);
    FILE *file = fopen(path, "r+be");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096 + 200, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_not_equal(byte, EOF);
    assert_int_equal(fseek(file, 4096 + 200, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 0x40, file), byte ^ 0x40);
    assert_int_equal(fclose(file), 0);
}

static void write_keys(struct trial *t, const char *text)
{
    FILE *file = fopen(t->keys, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

static void a_sound_log_is_shown_and_found_whole(void **state)
{
    struct trial *t = *state;
    write_log(t, false);
    assert_exit(t, 0, "check", t->log);
    assert_text(t->said, "entries 1 to 30, term 2 vote ab commit 30");
    assert_text(t->said, "closed in order");
    assert_exit(t, 0, "dump", t->log);
    assert_text(t->said, "EntryNormal 5 bytes");
    assert_null(strstr(t->said, "686f6e6579")); /* "honey", not asked for */
    assert_exit(t, 0, "dump", "--data", t->log);
    assert_text(t->said, "686f6e6579");
    assert_exit(t, 0, "repair", "--force", t->log);
    assert_text(t->said, "nothing to mend");
    assert_string_equal(t->complained, "");
}

static void what_is_no_log_is_said_to_be_none(void **state)
{
    struct trial *t = *state;
    static const char *const verbs[] = {"dump", "check", "repair"};
    for (int i = 0; i < 3; i++) {
        assert_exit(t, 66, verbs[i], t->log);
        assert_text(t->complained, t->log);
        assert_exit(t, 66, verbs[i], t->dir);
        assert_text(t->complained, "holds no raft log");
        assert_string_equal(t->said, "");
    }
    write_keys(t, "not a directory");
    assert_int_not_equal(skep(t, (const char *const[]){"raft", "check", t->keys, NULL}), 0);
    assert_text(t->complained, t->keys);
    struct stat about;
    assert_int_not_equal(stat(t->log, &about), 0); /* looking makes nothing */
}

static void words_that_make_no_sense(void **state)
{
    struct trial *t = *state;
    assert_exit(t, 64, "mend", t->dir);
    assert_text(t->complained, "it is dump, check or repair");
    assert_exit(t, 64, "check");
    assert_text(t->complained, "requires exactly 2 arguments");
    assert_exit(t, 64, "check", t->dir, "twice");
    assert_exit(t, 64, "check", "--loudly", t->dir);
    assert_exit(t, 0, "--help");
    assert_text(t->said, "dump|check|repair DIR");
}

static void a_damaged_log_is_refused_and_mended_only_by_force(void **state)
{
    struct trial *t = *state;
    write_log(t, false);
    damage(t);
    assert_exit(t, 65, "check", t->log);
    assert_text(t->complained, "0000000000000001.seg at ");
    assert_exit(t, 65, "dump", t->log);
    assert_exit(t, 70, "repair", t->log);
    assert_text(t->complained, "nothing was changed");
    assert_exit(t, 65, "check", t->log); /* nor was it */
    assert_exit(t, 0, "repair", "--force", t->log);
    assert_text(t->said, "What this means for the quorum");
    assert_exit(t, 0, "check", t->log);
}

static void an_encrypted_log_needs_its_own_key(void **state)
{
    struct trial *t = *state;
    write_log(t, true);
    assert_exit(t, 0, "check", t->log);
    assert_text(t->said, "their key was not given");
    write_keys(t, "1 " ONES "\n");
    assert_exit(t, 0, "check", "--key-file", t->keys, t->log);
    assert_text(t->said, "entries 1 to 30");
    write_keys(t, "2 " TWOS "\r\n1 " ONES "\r\n");
    assert_exit(t, 0, "dump", "--data", "--key-file", t->keys, t->log);
    assert_text(t->said, "686f6e6579");
    write_keys(t, "1 " TWOS "\n");
    assert_exit(t, 77, "check", "--key-file", t->keys, t->log);
    assert_text(t->complained, "the key given under that number is not the one");
    assert_exit(t, 77, "repair", "--force", "--key-file", t->keys, t->log);
    damage(t);
    assert_exit(t, 65, "check", t->log); /* seen without a key */
    assert_exit(t, 77, "repair", "--force", t->log);
    assert_text(t->complained, "--key-file");
}

static void key_files_that_are_none(void **state)
{
    struct trial *t = *state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no key in it"},
        {"\n\r\n", "no key in it"},
        {"1", "a number, a space and 64 hex digits"},
        {"1 abcdef", "a number, a space and 64 hex digits"},
        {"1 " ONES "1", "a number, a space and 64 hex digits"},
        {ONES " " ONES, "a number, a space and 64 hex digits"},
        {"0 " ONES, "is not between 1 and"},
        {"-3 " ONES, "is not between 1 and"},
        {"4294967296 " ONES, "is not between 1 and"},
        {"one " ONES, "not a whole number"},
        {"1 x111111111111111111111111111111111111111111111111111111111111111", "not a hex digit at position 0"},
        {"1 " ONES "\n1 " TWOS, "known with other bytes"},
    };
    write_log(t, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_keys(t, cases[i].text);
        assert_exit(t, 64, "check", "--key-file", t->keys, t->log);
        assert_text(t->complained, cases[i].why);
        assert_text(t->complained, t->keys);
        assert_null(strstr(t->complained, "11111111")); /* no part of a key in a message */
        assert_string_equal(t->said, "");
    }
    FILE *file = fopen(t->keys, "w");
    for (int i = 0; i < 5000; i++)
        fputc('1', file);
    fclose(file);
    assert_exit(t, 65, "check", "--key-file", t->keys, t->log);
    assert_text(t->complained, "larger than");
    assert_exit(t, 66, "check", "--key-file", "/nowhere/keys", t->log);
}

static void a_log_in_use_is_left_alone(void **state)
{
    struct trial *t = *state;
    struct raft_log_options options = {.dir = t->log, .segment_size_bytes = RAFT_SEGMENT_SIZE_MIN_BYTES};
    struct raft_log_state log_state = {0};
    struct raft_log *log;
    assert_ok(raft_log_open(&options, &log, &log_state, err));
    raft_log_state_deinit(&log_state);
    assert_exit(t, 75, "check", t->log);
    assert_text(t->complained, "stop the manager first");
    assert_exit(t, 75, "repair", "--force", t->log);
    assert_ok(raft_log_close(log, err));
    assert_exit(t, 0, "check", t->log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
        TEST(a_sound_log_is_shown_and_found_whole),
        TEST(what_is_no_log_is_said_to_be_none),
        TEST(words_that_make_no_sense),
        TEST(a_damaged_log_is_refused_and_mended_only_by_force),
        TEST(an_encrypted_log_needs_its_own_key),
        TEST(key_files_that_are_none),
        TEST(a_log_in_use_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
