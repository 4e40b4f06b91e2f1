/* cli/verb_init.c – `skep init`: begin a swarm with this node as its manager. */
#include <stdlib.h>

#include "base/text.h"
#include "cli/json_edit.h"
#include "cli/swarm_flags.h"
#include "cli/swarm_words.h"

static const struct option_spec specs[] = {
    {"advertise-addr", 0, OPTION_TEXT, "string", "Advertised address (format: \"<ip|interface>[:port]\")"},
    {"availability", 0, OPTION_TEXT, "string", "Availability of the node (\"active\", \"pause\", \"drain\") (default \"active\")"},
    {"data-path-addr", 0, OPTION_TEXT, "string", "Address or interface to use for data path traffic"},
    {"data-path-port", 0, OPTION_TEXT, "uint32", "Port number to use for data path traffic (1024 - 49151)"},
    {"default-addr-pool", 0, OPTION_LIST, "ipNetSlice", "Default address pool in CIDR format"},
    {"default-addr-pool-mask-length", 0, OPTION_TEXT, "uint32", "Default address pool subnet mask length (default 24)"},
    {"force-new-cluster", 0, OPTION_SWITCH, NULL, "Force create a new cluster from current state"},
    {"listen-addr", 0, OPTION_TEXT, "node-addr", "Listen address (format: \"<ip|interface>[:port]\") (default 0.0.0.0:2377)"},
    SWARM_FLAGS,
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int fill_body(const struct options *options, cJSON *body, struct error *err)
{
    const struct option_values *pools = option_list(options, "default-addr-pool");
    edit_set_string(body, "ListenAddr", option_text(options, "listen-addr", "0.0.0.0:2377"));
    edit_set_string(body, "AdvertiseAddr", option_text(options, "advertise-addr", ""));
    edit_set_string(body, "DataPathAddr", option_text(options, "data-path-addr", ""));
    edit_set_string_of(body, "Availability", options, "availability");
    edit_set_bool(body, "ForceNewCluster", option_switch(options, "force-new-cluster"));
    edit_set_bool(body, "AutoLockManagers", option_switch(options, "autolock"));
    for (size_t i = 0; i < pools->count; i++)
        cJSON_AddItemToArray(edit_list(body, "DefaultAddrPool"), cJSON_CreateString(pools->items[i]));
    int code = edit_set_int_of(body, "DataPathPort", options, "data-path-port", 0, err);
    if (code < 0 || (code = edit_set_int_of(body, "SubnetSize", options, "default-addr-pool-mask-length", 0, err)) < 0)
        return code;
    return swarm_flags_apply(options, edit_object(body, "Spec"), err);
}

static int run(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_json cJSON *body = cJSON_CreateObject(), *node_id = NULL;
    if (fill_body(options, body, err) < 0 || cli_send_json(cli, "POST", API_PREFIX "/swarm/init", body, &node_id, err) < 0)
        return err->code;
    fprintf(cli->out, "Swarm initialized: current node (%s) is now a manager.\n\n", cJSON_IsString(node_id) ? node_id->valuestring : "");
    if (swarm_print_join_command(cli, true, err) < 0)
        return err->code;
    fputs("To add a manager to this swarm, run 'skep join-token manager' and follow the instructions.\n", cli->out);
    if (!option_switch(options, "autolock"))
        return 0;
    fputc('\n', cli->out);
    return swarm_print_unlock_key(cli, false, NULL, err);
}

const struct command command_init = {"init", "", "Begin a swarm, with this node as its manager", specs, 0, 0, .run = run};
