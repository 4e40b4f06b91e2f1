/* cli/verb_raft.c – `skep raft dump|check|repair`: a manager's log, looked at while the manager is stopped. Alone among the verbs it speaks
 * to no daemon. */
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "raft/log/inspect.h"

static const struct option_spec specs[] = {
    {"data", 0, OPTION_SWITCH, NULL, "dump: print the bytes of entries too, in hex"},
    {"force", 0, OPTION_SWITCH, NULL, "repair: cut at the first damage; without it only say what would be done"},
    {"key-file", 0, OPTION_TEXT, "file", "Keys of an encrypted log: lines of a number and 64 hex digits"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

enum { KEY_FILE_SIZE_BYTES = 4096, NUMBER_SIZE_CHARS = 10 };

/* No message repeats a part of a line: it may be a part of a key. */
static int add_key(struct raft_keys *keys, const char *line, struct error *err)
{
    uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    int64_t id;
    const char *space = strchr(line, ' ');

    if (!space || space - line > NUMBER_SIZE_CHARS || strlen(space + 1) != 2 * RAFT_KEY_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "a line is a number, a space and 64 hex digits");
    cleanup_free char *number = mem_string_n(line, (size_t)(space - line));
    int failed = text_parse_i64(number, 1, UINT32_MAX, &id, err);
    if (failed == 0)
        failed = decode_hex(space + 1, 2 * RAFT_KEY_SIZE_BYTES, bytes, err);
    if (failed == 0)
        failed = raft_keys_add(keys, (uint32_t)id, bytes, err);
    if (failed == 0)
        keys->current = (uint32_t)id; /* the last one: what a repair writes is under it */
    mem_wipe(bytes, sizeof bytes);
    return failed;
}

static int read_keys(const char *path, struct raft_keys *keys, struct error *err)
{
    cleanup_buf struct buf text = {.is_secret = true};
    char *rest, *line;

    int failed = file_read(path, KEY_FILE_SIZE_BYTES, &text, err);
    if (failed < 0)
        return failed;
    for (line = strtok_r((char *)text.data, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        failed = add_key(keys, line, err);
        if (failed < 0) {
            error_wrap(err, "%s", path);
            return failed;
        }
    }
    return keys->count > 0 ? 0 : error_set(err, ERR_INVALID, "%s: no key in it: a line is a number, a space and 64 hex digits", path);
}

static int run(struct cli *cli, const struct options *options, struct error *err)
{
    const char *what = options->words.items[0], *key_file = option_text(options, "key-file", NULL);
    struct raft_keys keys = {0};
    struct raft_disk disk = raft_disk_host();
    const struct raft_inspect_options inspect = {
        .disk = &disk, .dir = options->words.items[1], .keys = &keys, .with_data = option_switch(options, "data")};

    int failed = key_file ? read_keys(key_file, &keys, err) : 0;
    if (failed == 0 && text_equal(what, "dump"))
        failed = raft_inspect_dump(&inspect, cli->out, err);
    else if (failed == 0 && text_equal(what, "check"))
        failed = raft_inspect_check(&inspect, cli->out, err);
    else if (failed == 0 && text_equal(what, "repair"))
        failed = raft_inspect_repair(&inspect, option_switch(options, "force"), cli->out, err);
    else if (failed == 0)
        failed = error_set(err, ERR_INVALID, "\"skep raft %s\": it is dump, check or repair.\nSee 'skep raft --help'.", what);
    raft_keys_deinit(&keys);
    return failed;
}

const struct command command_raft = {"raft",    "dump|check|repair DIR", "Look at a stopped manager's raft log, or mend it", specs, 2, 2,
                                     .run = run};
