/* cli/verb_image_removal.c – `skep rmi` and `skep image prune`: giving images up. */
#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"
#include "api/human.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"

static void print_removed(struct cli *cli, const cJSON *list)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, list) {
        const char *untagged = json_string(entry, "Untagged", NULL), *deleted = json_string(entry, "Deleted", NULL);
        if (untagged || deleted)
            fprintf(cli->out, "%s: %s\n", untagged ? "Untagged" : "Deleted", untagged ? untagged : deleted);
    }
}

/* --- rmi --- */

static const struct option_spec rmi_specs[] = {
    {"force", 'f', OPTION_SWITCH, NULL, "Also take an image that has several names, or the name of one in use"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int remove_one(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    cleanup_buf struct buf path = {0};
    cleanup_json cJSON *removed = NULL;
    buf_append_string(&path, API_PREFIX "/images/");
    http_text_encode(&path, name, true);
    buf_append_string(&path, option_switch(options, "force") ? "?force=1" : "?force=0");
    if (cli_send_json(cli, "DELETE", (const char *)path.data, NULL, &removed, err) < 0)
        return err->code;
    print_removed(cli, removed);
    return 0;
}

static int run_rmi(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, remove_one, err);
}

const struct command command_rmi = {"rmi", "IMAGE...", "Remove one or more images", rmi_specs, 1, OPTION_VALUES_COUNT, .run = run_rmi};

/* --- image prune --- */

static const struct option_spec image_specs[] = {
    {"all", 'a', OPTION_SWITCH, NULL, "prune: remove all images that no container uses, not just those without a name"},
    {"force", 'f', OPTION_SWITCH, NULL, "prune: do not ask (it never does; for scripts written for docker)"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int run_image(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_json cJSON *pruned = NULL;
    char size[HUMAN_SIZE];
    if (strcmp(options->words.items[0], "prune") != 0)
        return error_set(err, ERR_INVALID, "skep image: '%s' is not one of its commands: prune", options->words.items[0]);
    const char *path = option_switch(options, "all") ? API_PREFIX "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
                                                     : API_PREFIX "/images/prune";
    if (cli_send_json(cli, "POST", path, NULL, &pruned, err) < 0)
        return err->code;
    const cJSON *list = json_array(pruned, "ImagesDeleted");
    if (cJSON_GetArraySize(list) > 0)
        fputs("Deleted Images:\n", cli->out);
    print_removed(cli, list);
    human_size((double)json_int(pruned, "SpaceReclaimed", 0), size);
    fprintf(cli->out, "Total reclaimed space: %s\n", size);
    return 0;
}

const struct command command_image = {"image", "prune",         "Give back the space of images that are not needed", image_specs, 1,
                                      1,       .run = run_image};
