/* runtime/image/tool/main.c – skep-image: one job, from the daemon's JSON on standard input or from a person's arguments. */
#include <curl/curl.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/defaults.h"
#include "runtime/image/layout.h"
#include "runtime/image/platform.h"
#include "runtime/image/tool/confine.h"
#include "runtime/image/tool/report.h"
#include "runtime/image/tool/streams.h"
#include "runtime/image/tool/task.h"

static const char help[] =
    "Usage: skep-image COMMAND [OPTION]... [ARGUMENT]...\n"
    "\n"
    "Keeps Skep's store of images. skepd runs it for every job; by hand it works on any store.\n"
    "\n"
    "  pull REFERENCE          fetch an image from its registry and unpack it\n"
    "  resolve REFERENCE       ask its registry what the name stands for, and for which platforms; nothing is fetched\n"
    "  load [FILE]             take the images of a `docker save` or OCI archive (default: standard input)\n"
    "  list                    what is there\n"
    "  tag REFERENCE NAME      give an image another name\n"
    "  remove REFERENCE        take a name away; with the last one the image goes\n"
    "  gc [--all]              remove images without a name (--all: every image) and all content that none needs\n"
    "  verify                  read everything again and compare digests\n"
    "  job                     do one job: JSON on standard input, JSON lines on standard output\n"
    "\n"
    "  --store DIR             the store (default /var/lib/skep/images; on Windows %ProgramData%\\skep\\images)\n"
    "  --platform OS/ARCH[/VARIANT][:OSVERSION]   for what host (default: this one)\n"
    "  --insecure-registry R   HOST[:PORT] or ADDRESS/BITS that may speak http or show any certificate; may be repeated\n"
    "  --certs-dir DIR         DIR/HOST:PORT/ca.crt is trusted for that registry (default /etc/docker/certs.d; on Windows\n"
    "                          %ProgramData%\\docker\\certs.d, and HOSTPORT without the colon)\n"
    "  --auth-stdin            read the credentials, as in X-Registry-Auth, from standard input\n"
    "  --in-use ID             an image that gc must keep; may be repeated\n"
    "  --force                 remove: also when it has several names\n"
    "  --json                  print JSON lines, as for skepd\n"
    "  -h, --help              this text\n"
    "      --version           the version\n"
    "\n"
    "Exit status: 0 done; 64 wrong arguments; 65 damaged or refused data; 66 not found; 69 registry not reachable; 74 input or output\n"
    "error; 77 not permitted.\n";

#define REPEATED_COUNT 64

struct arguments {
    struct task *task;
    const char *insecure[REPEATED_COUNT], *in_use[REPEATED_COUNT];
    bool auth_stdin, as_json;
};

static int add(struct image_strings *list, const char **place, const char *value, struct error *err)
{
    if (list->count == REPEATED_COUNT)
        return error_set(err, ERR_LIMIT, "an option is given more than %d times", REPEATED_COUNT);
    place[list->count++] = value;
    list->items = place;
    return 0;
}

static int parse_platform(struct task *task, const char *text, struct error *err)
{
    char *copy = arena_string(&task->arena, text), *version = strchr(copy, ':');
    if (version)
        *version++ = '\0';
    char *architecture = strchr(copy, '/');
    if (!architecture || architecture == copy || architecture[1] == '\0')
        return error_set(err, ERR_INVALID, "not a platform: %s (wanted is OS/ARCH, like linux/amd64)", text);
    *architecture++ = '\0';
    char *variant = strchr(architecture, '/');
    if (variant)
        *variant++ = '\0';
    task->platform = (struct image_platform){copy, architecture, variant, version};
    return 0;
}

static int take_option(struct arguments *arguments, int option, struct error *err)
{
    struct task *task = arguments->task;
    switch (option) {
    case 's':
        task->dir = optarg;
        return 0;
    case 'p':
        return parse_platform(task, optarg, err);
    case 'i':
        return add(&task->insecure_registries, arguments->insecure, optarg, err);
    case 'u':
        return add(&task->in_use, arguments->in_use, optarg, err);
    case 'c':
        task->certs_dir = optarg;
        return 0;
    case 'a':
        task->all = true;
        return 0;
    case 'f':
        task->force = true;
        return 0;
    case 'A':
        arguments->auth_stdin = true;
        return 0;
    case 'j':
        arguments->as_json = true;
        return 0;
    default:
        return error_set(err, ERR_INVALID, "see skep-image --help");
    }
}

static int read_all(FILE *from, size_t max_bytes, struct buf *out, struct error *err)
{
    out->limit = max_bytes;
    for (;;) {
        char room[4096];
        size_t got = fread(room, 1, sizeof room, from);
        if (got == 0)
            return ferror(from) ? error_set(err, ERR_IO, "standard input cannot be read") : 0;
        int failed = buf_append_checked(out, room, got, err);
        mem_wipe(room, sizeof room);
        if (failed < 0)
            return error_wrap(err, "standard input");
    }
}

static int read_auth(struct task *task, struct error *err)
{
    cleanup_buf struct buf text = {0};
    int failed = read_all(stdin, IMAGE_AUTH_SIZE_BYTES, &text, err);
    while (text.size > 0 && strchr("\r\n ", text.data[text.size - 1]))
        text.size--;
    if (failed == 0)
        task->registry_auth = mem_string_n((const char *)text.data, text.size);
    if (text.data)
        mem_wipe(text.data, text.capacity);
    return failed;
}

/* Which words a command takes behind its name. */
static int take_words(struct task *task, int count, char **words, struct error *err)
{
    static const struct {
        const char *command;
        int min, max;
    } commands[] = {{"pull", 1, 1}, {"resolve", 1, 1}, {"load", 0, 1}, {"list", 0, 0},
                    {"tag", 2, 2},  {"remove", 1, 1},  {"gc", 0, 0},   {"verify", 0, 0}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].command, task->operation) != 0)
            continue;
        if (count < commands[i].min || count > commands[i].max)
            return error_set(err, ERR_INVALID, "%s takes %d argument%s: see skep-image --help", task->operation, commands[i].max,
                             commands[i].max == 1 ? "" : "s");
        task->reference = count > 0 ? words[0] : "";
        task->name = count > 1 ? words[1] : "";
        task->path = strcmp(task->operation, "load") == 0 && count > 0 ? words[0] : NULL;
        return 0;
    }
    return error_set(err, ERR_INVALID, "no such command: %s (see skep-image --help)", task->operation);
}

static int take_arguments(struct arguments *arguments, int argc, char **argv, struct error *err)
{
    static const struct option options[] = {{"store", required_argument, NULL, 's'},
                                            {"platform", required_argument, NULL, 'p'},
                                            {"insecure-registry", required_argument, NULL, 'i'},
                                            {"certs-dir", required_argument, NULL, 'c'},
                                            {"in-use", required_argument, NULL, 'u'},
                                            {"auth-stdin", no_argument, NULL, 'A'},
                                            {"all", no_argument, NULL, 'a'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    struct task *task = arguments->task;
    task->operation = argv[1];
    task->dir = image_default_store();
    task->certs_dir = image_default_certs_dir();
    task->platform = image_platform_of_machine();
    for (int option; (option = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1;) {
        int failed = take_option(arguments, option, err);
        if (failed < 0)
            return failed;
    }
    int failed = take_words(task, argc - 1 - optind, argv + 1 + optind, err);
    return failed < 0 || !arguments->auth_stdin ? failed : read_auth(task, err);
}

static int take_job(struct task *task, struct error *err)
{
    cleanup_buf struct buf text = {0};
    int failed = read_all(stdin, IMAGE_TASK_SIZE_BYTES, &text, err);
    if (failed == 0)
        failed = image_task_parse(buf_bytes(&text), task, err);
    if (text.data)
        mem_wipe(text.data, text.capacity);
    return failed;
}

static int perform(struct task *task, struct error *err)
{
    static const struct {
        const char *operation;
        int (*perform)(struct task *task, struct error *err);
    } operations[] = {{"pull", image_task_pull}, {"resolve", image_task_resolve}, {"load", image_task_load}, {"list", image_task_list},
                      {"tag", image_task_tag},   {"remove", image_task_remove},   {"gc", image_task_gc},     {"verify", image_task_verify}};
    /* The store must be there before nothing outside it can be written. */
    int failed = image_layout_make(task->dir, err);
    if (failed == 0)
        failed = confine(task->dir, task->is_daemons, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].operation, task->operation) == 0)
            return operations[i].perform(task, err);
    return error_set(err, ERR_UNSUPPORTED, "job: no such operation: %.40s", task->operation);
}

int main(int argc, char **argv)
{
    struct task task = {0};
    struct arguments arguments = {.task = &task};
    struct error err = {0};
    streams_carry_bytes();
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("skep-image " SKEP_VERSION);
        return 0;
    }
    if (argc < 2) {
        fputs(help, stderr);
        return 64;
    }
    setlocale(LC_CTYPE, "C.UTF-8"); /* names in layers are UTF-8 whatever the caller's locale says */
    bool is_job = strcmp(argv[1], "job") == 0;
    int failed = is_job ? take_job(&task, &err) : take_arguments(&arguments, argc, argv, &err);
    report_init(is_job || arguments.as_json);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (failed == 0)
        failed = perform(&task, &err);
    image_task_deinit(&task);
    curl_global_cleanup();
    return failed < 0 ? report_failure(&err) : 0;
}
