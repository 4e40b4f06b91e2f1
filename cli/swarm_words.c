/* cli/swarm_words.c – see swarm_words.h. */
#include "cli/swarm_words.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

int swarm_print_join_command(struct cli *cli, bool is_worker, struct error *err)
{
    cleanup_json cJSON *swarm = NULL, *info = NULL, *node = NULL;
    if (cli_get_json(cli, API_PREFIX "/swarm", &swarm, err) < 0 || cli_get_json(cli, API_PREFIX "/info", &info, err) < 0)
        return err->code;
    cleanup_free char *path = cli_path_of("nodes", json_string(json_object(info, "Swarm"), "NodeID", ""), "");
    if (cli_get_json(cli, path, &node, err) < 0)
        return err->code;
    const char *addr = json_string(json_object(node, "ManagerStatus"), "Addr", NULL);
    if (addr)
        fprintf(cli->out, "To add a %s to this swarm, run the following command:\n\n    skep join --token %s %s\n\n",
                is_worker ? "worker" : "manager", json_string(json_object(swarm, "JoinTokens"), is_worker ? "Worker" : "Manager", ""),
                addr);
    return 0;
}

int swarm_print_unlock_key(struct cli *cli, bool is_quiet, bool *is_there, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    if (cli_get_json(cli, API_PREFIX "/swarm/unlockkey", &json, err) < 0)
        return err->code;
    const char *key = json_string(json, "UnlockKey", "");
    if (is_there)
        *is_there = *key != '\0';
    if (*key && is_quiet)
        fprintf(cli->out, "%s\n", key);
    else if (*key)
        fprintf(cli->out,
                "To unlock a swarm manager after it restarts, run the `skep unlock`\ncommand and provide the following key:\n\n    %s\n\n"
                "Remember to store this key in a password manager, since without it you\nwill not be able to restart the manager.\n",
                key);
    if (*key)
        mem_wipe(cJSON_GetObjectItemCaseSensitive(json, "UnlockKey")->valuestring, strlen(key));
    return 0;
}

int swarm_update(struct cli *cli, const char *flag, int (*change)(const struct options *options, cJSON *spec, struct error *err),
                 const struct options *options, struct error *err)
{
    cleanup_json cJSON *swarm = NULL;
    if (cli_get_json(cli, API_PREFIX "/swarm", &swarm, err) < 0)
        return err->code;
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(swarm, "Spec");
    if (!cJSON_IsObject(spec))
        return error_set(err, ERR_PEER, "the daemon's answer has no Spec of the swarm");
    int code = change ? change(options, spec, err) : 0;
    if (code < 0)
        return code;
    cleanup_free char *path =
        mem_format(API_PREFIX "/swarm/update?version=%" PRId64 "%s%s%s", json_int(json_object(swarm, "Version"), "Index", 0),
                   flag ? "&" : "", flag ? flag : "", flag ? "=true" : "");
    return cli_send_json(cli, "POST", path, spec, NULL, err);
}
