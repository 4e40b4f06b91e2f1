/* cli/verb_cluster.c – the swarm as a whole, from one of its managers: `skep join-token`, `skep unlock`, `skep unlock-key`,
 * `skep swarm update`. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/host.h"
#include "cli/json_edit.h"
#include "cli/swarm_flags.h"
#include "cli/swarm_words.h"

/* --- join-token --- */

static const struct option_spec token_specs[] = {
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display token"},
    {"rotate", 0, OPTION_SWITCH, NULL, "Rotate join token"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int print_token(struct cli *cli, bool is_worker, struct error *err)
{
    cleanup_json cJSON *swarm = NULL;
    if (cli_get_json(cli, API_PREFIX "/swarm", &swarm, err) < 0)
        return err->code;
    fprintf(cli->out, "%s\n", json_string(json_object(swarm, "JoinTokens"), is_worker ? "Worker" : "Manager", ""));
    return 0;
}

static int run_join_token(struct cli *cli, const struct options *options, struct error *err)
{
    const char *role = options->words.items[0];
    bool is_worker = text_equal(role, "worker"), is_quiet = option_switch(options, "quiet");
    if (!is_worker && !text_equal(role, "manager"))
        return error_set(err, ERR_INVALID, "unknown role %s: it is worker or manager", role);
    if (option_switch(options, "rotate")) {
        if (swarm_update(cli, is_worker ? "rotateWorkerToken" : "rotateManagerToken", NULL, NULL, err) < 0)
            return err->code;
        if (!is_quiet)
            fprintf(cli->out, "Successfully rotated %s join token.\n\n", role);
    }
    return is_quiet ? print_token(cli, is_worker, err) : swarm_print_join_command(cli, is_worker, err);
}

const struct command command_join_token = {"join-token", "worker|manager", "Manage join tokens", token_specs, 1, 1, .run = run_join_token};

/* --- unlock-key, unlock --- */

static const struct option_spec key_specs[] = {
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display token"},
    {"rotate", 0, OPTION_SWITCH, NULL, "Rotate unlock key"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int must_be_locking(const struct options *options, cJSON *spec, struct error *err)
{
    (void)options;
    if (json_bool(json_object(spec, "EncryptionConfig"), "AutoLockManagers", false))
        return 0;
    return error_set(err, ERR_PRECONDITION, "cannot rotate because autolock is not turned on");
}

static int run_unlock_key(struct cli *cli, const struct options *options, struct error *err)
{
    bool is_quiet = option_switch(options, "quiet");
    if (option_switch(options, "rotate")) {
        if (swarm_update(cli, "rotateManagerUnlockKey", must_be_locking, NULL, err) < 0)
            return err->code;
        if (!is_quiet)
            fputs("Successfully rotated manager unlock key.\n\n", cli->out);
    }
    bool is_there;
    if (swarm_print_unlock_key(cli, is_quiet, &is_there, err) < 0)
        return err->code;
    return is_there ? 0 : error_set(err, ERR_PRECONDITION, "no unlock key is set");
}

const struct command command_unlock_key = {"unlock-key",         "", "Show or rotate the key of locked managers", key_specs, 0, 0,
                                           .run = run_unlock_key};

static const struct option_spec unlock_specs[] = {
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

enum { KEY_LINE_SIZE_CHARS = 256 };

/* The first line of standard input; not shown where it is typed. */
static int read_key(struct cli *cli, char line[KEY_LINE_SIZE_CHARS], struct error *err)
{
    bool is_typed = cli_host_is_typed();
    if (is_typed) {
        fputs("Please enter unlock key: ", cli->err_out);
        fflush(cli->err_out);
        cli_host_echo(false);
    }
    const char *read = fgets(line, KEY_LINE_SIZE_CHARS, stdin);
    if (is_typed) {
        cli_host_echo(true);
        fputc('\n', cli->err_out);
    }
    if (read == NULL)
        return error_set(err, ERR_INVALID, "the unlock key is needed: give it on standard input");
    line[strcspn(line, "\r\n")] = '\0';
    return 0;
}

static int run_unlock(struct cli *cli, const struct options *options, struct error *err)
{
    char line[KEY_LINE_SIZE_CHARS];
    cleanup_json cJSON *body = cJSON_CreateObject();
    (void)options;
    if (read_key(cli, line, err) < 0)
        return err->code;
    edit_set_string(body, "UnlockKey", line);
    int code = cli_send_json(cli, "POST", API_PREFIX "/swarm/unlock", body, NULL, err);
    mem_wipe(line, sizeof line);
    mem_wipe(cJSON_GetObjectItemCaseSensitive(body, "UnlockKey")->valuestring, strlen(json_string(body, "UnlockKey", "")));
    return code;
}

const struct command command_unlock = {"unlock",         "", "Unlock this manager, with the key on standard input", unlock_specs, 0, 0,
                                       .run = run_unlock};

/* --- swarm update --- */

static const struct option_spec update_specs[] = {
    SWARM_FLAGS,
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static bool is_anything_given(const struct options *options)
{
    for (const struct option_spec *spec = options->specs; spec->name; spec++)
        if (option_given(options, spec->name))
            return true;
    return false;
}

static int run_update(struct cli *cli, const struct options *options, struct error *err)
{
    if (!is_anything_given(options))
        return error_set(err, ERR_INVALID, "nothing to update: see 'skep swarm update --help'");
    if (swarm_update(cli, NULL, swarm_flags_apply, options, err) < 0)
        return err->code;
    fputs("Swarm updated.\n", cli->out);
    if (!option_switch(options, "autolock"))
        return 0;
    fputc('\n', cli->out);
    return swarm_print_unlock_key(cli, false, NULL, err);
}

static const struct command update = {"swarm update", "", "Update the swarm", update_specs, 0, 0, .run = run_update};
static const struct command *const swarm_commands[] = {&update, NULL};

const struct command command_swarm = {.name = "swarm", .summary = "Manage the swarm as a whole", .commands = swarm_commands};
