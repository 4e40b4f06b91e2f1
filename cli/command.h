/* cli/command.h – a verb of the command: what it is called, what it takes, what it does. */
#ifndef SKEP_CLI_COMMAND_H
#define SKEP_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/options.h"

#define API_PREFIX "/v1.50"

/* What every verb is given. Messages go to @err_out, results to @out. */
struct cli {
    const char *host;
    FILE *out, *err_out;
    bool is_tty; /* @out is a terminal */
};

/* A verb, or a group of them: "node", whose commands are called "node ls" and so on. */
struct command {
    const char *name, *words, *summary; /* "logs", "CONTAINER", "Fetch the logs of a container" */
    const struct option_spec *specs;    /* NULL: a group */
    size_t words_min, words_max;
    int (*run)(struct cli *cli, const struct options *options, struct error *err);
    const struct command *const *commands; /* of a group; ended by NULL */
    bool has_rest;                         /* what is behind the first word is none of our flags */
};

extern const struct command command_config, command_image, command_images, command_info, command_init, command_join, command_join_token,
    command_leave, command_load, command_logs, command_node, command_ps, command_pull, command_raft, command_rmi, command_secret,
    command_service, command_swarm, command_unlock, command_unlock_key, command_version;

/* The whole program, testable: returns the exit code. @argv without the program's name; @default_host from SKEP_HOST or built in. */
int cli_main(int argc, char **argv, const char *default_host, FILE *out, FILE *err_out, bool is_tty);

/* GET a JSON document; freed with cJSON_Delete. */
int cli_get_json(const struct cli *cli, const char *path, cJSON **out, struct error *err);

/* Send @body (NULL: none) and read the answer into @out (NULL: it is not wanted; freed with cJSON_Delete). What is sent and what comes is
 * wiped behind: it may be a key or a secret. */
int cli_send_json(const struct cli *cli, const char *method, const char *path, const cJSON *body, cJSON **out, struct error *err);

/* API_PREFIX "/KIND/NAME", the name escaped, and what else there is to it. */
char *cli_path_of(const char *kind, const char *name, const char *rest); /* freed with free() */

/* Do it for each word: every one is tried, and the first failure decides the exit code. */
typedef int cli_word_fn(struct cli *cli, const struct options *options, const char *word, struct error *err);
int cli_each_word(struct cli *cli, const struct options *options, cli_word_fn *fn, struct error *err);

/* "label=x", "name=y" as docker's filters argument: "&filters=%7B…", appended to @path. ERR_INVALID for one without '='. */
int cli_append_filters(const struct option_values *filters, struct buf *path, struct error *err);

void cli_write(struct cli *cli, const struct buf *text);

#endif
