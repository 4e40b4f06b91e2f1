/* cli/verb_image_jobs.c – `skep pull` and `skep load`, with their progress. */
#include <stdlib.h>
#include <uv.h>

#include "api/http_text.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lines.h"
#include "cli/progress.h"

static int on_data(void *ctx, struct bytes data, struct error *err)
{
    return lines_add(ctx, data, err);
}

/* @request but for its sink: run it, show what it says. */
static int run_job(struct cli *cli, struct client_request *request, bool is_quiet, struct error *err)
{
    struct progress progress = {.out = cli->out, .is_tty = cli->is_tty, .is_quiet = is_quiet};
    struct lines lines = {.on_line = progress_line, .ctx = &progress};
    struct client_response response;
    request->host = cli->host;
    request->method = "POST";
    request->on_data = on_data;
    request->ctx = &lines;
    int code = client_call(request, &response, err);
    if (code == 0)
        code = lines_end(&lines, err);
    lines_deinit(&lines);
    progress_deinit(&progress);
    client_response_deinit(&response);
    return code;
}

/* --- pull --- */

static const struct option_spec pull_specs[] = {
    {"platform", 0, OPTION_TEXT, "string", "Pull for this platform, such as linux/arm64 (default: this node's)"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Suppress verbose output"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int run_pull(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0};
    const char *name = options->words.items[0], *platform = option_text(options, "platform", NULL);
    buf_append_string(&path, API_PREFIX "/images/create?fromImage=");
    http_text_encode(&path, name, false);
    if (platform) {
        buf_append_string(&path, "&platform=");
        http_text_encode(&path, platform, false);
    }
    struct client_request request = {.path = (const char *)path.data};
    int code = run_job(cli, &request, option_switch(options, "quiet"), err);
    if (code == 0)
        fprintf(cli->out, "%s\n", name);
    return code;
}

const struct command command_pull = {"pull", "NAME[:TAG|@DIGEST]", "Download an image from a registry", pull_specs, 1, 1, .run = run_pull};

/* --- load --- */

static const struct option_spec load_specs[] = {
    {"input", 'i', OPTION_TEXT, "string", "Read from tar archive file, instead of STDIN"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Suppress the load output"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int open_archive(const char *path, uv_file *file, struct error *err)
{
    uv_fs_t open;
    *file = 0;
    if (path == NULL)
        return uv_guess_handle(0) == UV_TTY ? error_set(err, ERR_INVALID, "requested load from stdin, but stdin is empty") : 0;
    int code = uv_fs_open(NULL, &open, path, UV_FS_O_RDONLY, 0, NULL);
    uv_fs_req_cleanup(&open);
    *file = code;
    return code < 0 ? error_set_uv(err, code, "open %s", path) : 0;
}

static int run_load(struct cli *cli, const struct options *options, struct error *err)
{
    const char *path = option_text(options, "input", NULL);
    bool is_quiet = option_switch(options, "quiet") || !cli->is_tty; /* as docker: into a pipe goes only what was loaded */
    struct client_request request = {.path = is_quiet ? API_PREFIX "/images/load?quiet=1" : API_PREFIX "/images/load?quiet=0",
                                     .sends_file = true};
    if (open_archive(path, &request.file, err) < 0)
        return err->code;
    int code = run_job(cli, &request, is_quiet, err);
    if (path) {
        uv_fs_t close;
        uv_fs_close(NULL, &close, request.file, NULL);
        uv_fs_req_cleanup(&close);
    }
    return code;
}

const struct command command_load = {"load", "", "Load images from a tar archive or STDIN", load_specs, 0, 0, .run = run_load};
