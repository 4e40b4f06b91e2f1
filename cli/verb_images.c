/* cli/verb_images.c – `skep images`: what is stored here, a row for each name. */
#include <stdlib.h>

#include "api/http_text.h"
#include "api/human.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/table.h"

static const struct option_spec specs[] = {
    {"all", 'a', OPTION_SWITCH, NULL, "Show all images (there are no hidden ones here)"},
    {"digests", 0, OPTION_SWITCH, NULL, "Show digests"},
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: reference, label, dangling"},
    {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.Repository}}:{{.Tag}}'"},
    {"no-trunc", 0, OPTION_SWITCH, NULL, "Don't truncate output"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only show image IDs"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static const struct table_column columns[] = {
    {"Repository", "REPOSITORY"}, {"Tag", "TAG"},   {"Digest", NULL},    {"ID", "IMAGE ID"},
    {"CreatedSince", "CREATED"},  {"Size", "SIZE"}, {"CreatedAt", NULL},
};
static const struct table_column columns_with_digests[] = {
    {"Repository", "REPOSITORY"}, {"Tag", "TAG"},   {"Digest", "DIGEST"}, {"ID", "IMAGE ID"},
    {"CreatedSince", "CREATED"},  {"Size", "SIZE"}, {"CreatedAt", NULL},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns, SHORT_ID_CHARS = 12 };

struct listing {
    struct table table;
    bool is_whole, is_quiet;
    int64_t now_wall_ns;
};

static const char *first_digest(const cJSON *image)
{
    const cJSON *digest = cJSON_GetArrayItem(json_array(image, "RepoDigests"), 0);
    const char *at = cJSON_IsString(digest) ? strchr(digest->valuestring, '@') : NULL;
    return at ? at + 1 : "<none>";
}

static void add_row(struct listing *listing, const cJSON *image, const char *name)
{
    const char *id = json_string(image, "Id", ""), *colon = strrchr(name, ':');
    const char *hex = text_starts(id, "sha256:") && !listing->is_whole ? id + 7 : id;
    int64_t created_ns = json_int(image, "Created", 0) * (int64_t)NS_PER_S;
    char ago[HUMAN_SIZE], size[HUMAN_SIZE], created[TIME_RFC3339_SIZE];
    if (colon && strchr(colon, '/'))
        colon = NULL;
    human_duration(listing->now_wall_ns - created_ns, ago);
    human_size((double)json_int(image, "Size", 0), size);
    time_format_rfc3339(created_ns, created);
    cleanup_free char *repository = mem_string_n(name, colon ? (size_t)(colon - name) : strlen(name)), *since = mem_format("%s ago", ago);
    cleanup_free char *shown_id = mem_string_n(hex, listing->is_whole || strlen(hex) < SHORT_ID_CHARS ? strlen(hex) : SHORT_ID_CHARS);
    const char *const cells[COLUMNS_COUNT] = {
        repository, colon ? colon + 1 : "<none>", first_digest(image), shown_id, created_ns > 0 ? since : "N/A", size, created};
    table_add(&listing->table, cells);
}

static void add_image(struct listing *listing, const cJSON *image)
{
    const cJSON *tags = json_array(image, "RepoTags"), *tag;
    if (listing->is_quiet || cJSON_GetArraySize(tags) == 0) {
        add_row(listing, image, "<none>");
        return;
    }
    cJSON_ArrayForEach (tag, tags) {
        if (cJSON_IsString(tag))
            add_row(listing, image, tag->valuestring);
    }
}

static int build_path(const struct options *options, struct buf *path, struct error *err)
{
    struct option_values filters = *option_list(options, "filter");
    cleanup_free char *reference = NULL;
    if (options->words.count > 0 && filters.count < OPTION_VALUES_COUNT) {
        reference = mem_format("reference=%s", options->words.items[0]);
        filters.items[filters.count++] = reference;
    }
    buf_append_string(path, API_PREFIX "/images/json?all=0");
    return cli_append_filters(&filters, path, err);
}

static int run(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0}, out = {0};
    cleanup_json cJSON *images = NULL;
    struct clock clock = clock_system();
    const cJSON *image;
    struct listing listing = {.is_whole = option_switch(options, "no-trunc"), .is_quiet = option_switch(options, "quiet")};
    const char *format = listing.is_quiet ? "{{.ID}}" : option_text(options, "format", NULL);
    if (build_path(options, &path, err) < 0 || cli_get_json(cli, (const char *)path.data, &images, err) < 0)
        return err->code;
    listing.now_wall_ns = clock_wall_ns(&clock);
    table_init(&listing.table, option_switch(options, "digests") ? columns_with_digests : columns, COLUMNS_COUNT);
    cJSON_ArrayForEach (image, images)
        add_image(&listing, image);
    int code = table_print(&listing.table, format, &out, err);
    cli_write(cli, &out);
    table_deinit(&listing.table);
    return code;
}

const struct command command_images = {"images", "[REPOSITORY[:TAG]]", "List the images on this node", specs, 0, 1, .run = run};
