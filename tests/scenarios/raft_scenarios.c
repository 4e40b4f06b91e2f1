/* tests/scenarios/raft_scenarios.c – runs scenario files against our core: raft_scenarios [-q] FILE…
 *
 * Exit 0 when every command's output is what its file expects; 1 after printing each command that differs, expected and got side by side as
 * a diff; 0 with "skip: …" when a file's folder is not there.
 *
 * What is compared is what happened: messages, Ready contents, logs, states. Lines that another implementation logs ("INFO 1 became
 * follower at term 1") are dropped from both sides, at any indentation; where nothing else was expected, "ok" is. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/scenarios/languages.h"

static bool is_log_line(const char *line, size_t length)
{
    static const char *const levels[] = {"DEBUG ", "INFO ", "WARN ", "ERROR ", "FATAL "};
    size_t indent = strspn(line, " ");

    for (size_t i = 0; indent < length && i < sizeof levels / sizeof levels[0]; i++)
        if (strncmp(line + indent, levels[i], strlen(levels[i])) == 0)
            return true;
    return false;
}

/* Without log lines; always with a newline at the end. */
static void add_compared(struct buf *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (!is_log_line(text, length)) {
            buf_append(out, text, length);
            buf_append_string(out, "\n");
        }
        text += length + (text[length] == '\n');
    }
    if (out->size == 0)
        buf_append_string(out, "ok\n");
}

/* Lines that both have in front and behind are shown once, what is between as - expected and + got. */
static void print_lines(const char *mark, const char *from, const char *to)
{
    while (from < to) {
        size_t length = strcspn(from, "\n");
        printf("    %s%.*s\n", mark, (int)length, from);
        from += length + 1;
    }
}

static void print_diff(const char *expected, const char *got)
{
    const char *e = expected, *g = got, *e_end = e + strlen(e), *g_end = g + strlen(g);

    for (;;) {
        size_t length = strcspn(e, "\n") + 1;
        if (e >= e_end || g >= g_end || strncmp(e, g, length) != 0)
            break;
        e += length;
        g += length;
    }
    print_lines("  ", expected, e);
    const char *e_tail = e_end, *g_tail = g_end;
    while (e_tail > e && g_tail > g && e_tail[-1] == g_tail[-1]) {
        e_tail--;
        g_tail--;
    }
    while (e_tail > e && e_tail < e_end && e_tail[-1] != '\n') { /* back to whole lines */
        e_tail++;
        g_tail++;
    }
    while (g_tail > g && g_tail < g_end && g_tail[-1] != '\n') {
        e_tail++;
        g_tail++;
    }
    print_lines("- ", e, e_tail);
    print_lines("+ ", g, g_tail);
    print_lines("  ", e_tail, e_end);
}

struct world {
    struct group *group;
    struct membership *membership;
};

static void run_command(struct world *world, const struct script_command *command, struct buf *out)
{
    if (interaction_run(world->group, command, out) || membership_run(world->membership, command, out) || quorum_run(command, out))
        return;
    buf_append_string(out, "unknown command");
}

/* Whether the command gave what it should. */
static bool check_command(struct world *world, const char *path, const struct script_command *command)
{
    cleanup_buf struct buf out = {0};
    cleanup_buf struct buf got = {0};
    cleanup_buf struct buf expected = {0};

    run_command(world, command, &out);
    add_compared(&got, out.size > 0 ? (const char *)out.data : "");
    add_compared(&expected, command->expected);
    if (bytes_equal(buf_bytes(&got), buf_bytes(&expected)))
        return true;
    printf("%s:%d: %s\n", path, command->line, command->name);
    print_diff((const char *)expected.data, (const char *)got.data);
    return false;
}

static int run_file(const char *path, bool is_terse)
{
    struct world world = {group_new(), membership_new()};
    struct script script;
    struct script_command command;
    struct error err = {0};
    int failed = 0, ran = 0, more = script_open(&script, path, &err);

    while (more >= 0 && (more = script_next(&script, &command, &err)) == 1) {
        ran++;
        failed += !check_command(&world, path, &command);
    }
    if (more < 0)
        printf("%s: %s\n", path, err.message);
    else if (failed > 0 || !is_terse)
        printf("%s: %d of %d commands as expected\n", path, ran - failed, ran);
    script_close(&script);
    group_free(world.group);
    membership_free(world.membership);
    return more < 0 || failed > 0 ? 1 : 0;
}

/* A pattern that the shell left as it was: its folder is absent or empty. */
static bool has_folder(const char *path)
{
    cleanup_free char *folder = mem_string(path);
    char *slash = strrchr(folder, '/');
    struct stat info;

    if (strchr(path, '*') == NULL && stat(path, &info) == 0)
        return true;
    if (slash)
        *slash = '\0';
    return strchr(path, '*') == NULL && slash && stat(folder, &info) == 0;
}

int main(int argc, char **argv)
{
    bool is_terse = argc > 1 && strcmp(argv[1], "-q") == 0;
    int failed = 0, first = is_terse ? 2 : 1;

    if (first >= argc) {
        fprintf(stderr, "usage: raft_scenarios [-q] FILE…\n");
        return 64;
    }
    for (int i = first; i < argc; i++) {
        if (!has_folder(argv[i])) {
            printf("skip: %s: there is no such folder, nothing was compared\n", argv[i]);
            continue;
        }
        failed += run_file(argv[i], is_terse);
    }
    if (failed > 0)
        printf("%d of %d files differ\n", failed, argc - first);
    return failed > 0 ? 1 : 0;
}
