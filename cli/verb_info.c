/* cli/verb_info.c – `skep info` and `skep version`. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/human.h"
#include "base/text.h"
#include "cli/command.h"

static const struct option_spec specs[] = {
    {"format", 'f', OPTION_TEXT, "string", "\"json\": print the daemon's answer as it is"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int check_format(const struct options *options, bool *is_json, struct error *err)
{
    const char *format = option_text(options, "format", "");
    *is_json = text_equal(format, "json") || text_equal(format, "{{json .}}");
    if (*format && !*is_json)
        return error_set(err, ERR_INVALID, "--format %s: only json is understood here", format);
    return 0;
}

static void print_json_line(struct cli *cli, const cJSON *json)
{
    cleanup_free char *text = json_print(json);
    fprintf(cli->out, "%s\n", text);
}

/* --- info --- */

static void print_list(FILE *out, const char *title, const cJSON *list, const char *indent)
{
    const cJSON *item;
    if (cJSON_GetArraySize(list) > 0 && *title)
        fprintf(out, "%s\n", title);
    cJSON_ArrayForEach (item, list) {
        if (cJSON_IsString(item))
            fprintf(out, "%s%s\n", indent, item->valuestring);
    }
}

static void print_swarm(FILE *out, const cJSON *swarm)
{
    const cJSON *manager;
    const char *error = json_string(swarm, "Error", "");
    fprintf(out, " Swarm: %s\n", json_string(swarm, "LocalNodeState", "unknown"));
    if (*error)
        fprintf(out, "  Error: %s\n", error);
    if (text_empty(json_string(swarm, "NodeID", "")))
        return;
    fprintf(out, "  NodeID: %s\n  Node Address: %s\n", json_string(swarm, "NodeID", ""), json_string(swarm, "NodeAddr", ""));
    if (json_bool(swarm, "ControlAvailable", false))
        fprintf(out, "  Is Manager: true\n  ClusterID: %s\n  Managers: %" PRId64 "\n  Nodes: %" PRId64 "\n",
                json_string(json_object(swarm, "Cluster"), "ID", ""), json_int(swarm, "Managers", 0), json_int(swarm, "Nodes", 0));
    print_list(out, "", json_array(swarm, "Warnings"), "  ");
    if (json_array(swarm, "RemoteManagers"))
        fputs("  Manager Addresses:\n", out);
    cJSON_ArrayForEach (manager, json_array(swarm, "RemoteManagers"))
        fprintf(out, "   %s\n", json_string(manager, "Addr", ""));
}

static void print_info(FILE *out, const cJSON *info)
{
    char memory[HUMAN_SIZE];
    human_size_binary((double)json_int(info, "MemTotal", 0), memory);
    fprintf(out, " Containers: %" PRId64 "\n  Running: %" PRId64 "\n  Paused: %" PRId64 "\n  Stopped: %" PRId64 "\n Images: %" PRId64 "\n",
            json_int(info, "Containers", 0), json_int(info, "ContainersRunning", 0), json_int(info, "ContainersPaused", 0),
            json_int(info, "ContainersStopped", 0), json_int(info, "Images", 0));
    fprintf(out, " Server Version: %s\n", json_string(info, "ServerVersion", ""));
    print_swarm(out, json_object(info, "Swarm"));
    fprintf(out, " Runtime: %s\n", json_string(info, "DefaultRuntime", ""));
    if (!text_empty(json_string(info, "Isolation", "")))
        fprintf(out, " Default Isolation: %s\n", json_string(info, "Isolation", ""));
    if (!text_empty(json_string(info, "CgroupVersion", "")))
        fprintf(out, " Cgroup Version: %s\n", json_string(info, "CgroupVersion", ""));
    fprintf(out, " Kernel Version: %s\n Operating System: %s\n OSType: %s\n Architecture: %s\n CPUs: %" PRId64 "\n Total Memory: %s\n",
            json_string(info, "KernelVersion", ""), json_string(info, "OperatingSystem", ""), json_string(info, "OSType", ""),
            json_string(info, "Architecture", ""), json_int(info, "NCPU", 0), memory);
    fprintf(out, " Name: %s\n Root Dir: %s\n", json_string(info, "Name", ""), json_string(info, "DockerRootDir", ""));
    print_list(out, " Labels:", json_array(info, "Labels"), "  ");
}

static int run_info(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_json cJSON *info = NULL;
    bool is_json;
    if (check_format(options, &is_json, err) < 0 || cli_get_json(cli, API_PREFIX "/info", &info, err) < 0)
        return err->code;
    if (is_json) {
        print_json_line(cli, info);
        return 0;
    }
    print_info(cli->out, info);
    print_list(cli->err_out, "", json_array(info, "Warnings"), "");
    return 0;
}

const struct command command_info = {"info", "", "Display information about this node", specs, 0, 0, .run = run_info};

/* --- version --- */

static int run_version(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_json cJSON *version = NULL;
    bool is_json;
    if (check_format(options, &is_json, err) < 0)
        return err->code;
    if (!is_json)
        fprintf(cli->out, "Client:\n Version:      %s\n API version:  %s\n\n", SKEP_VERSION, &API_PREFIX[2]);
    fflush(cli->out);
    if (cli_get_json(cli, API_PREFIX "/version", &version, err) < 0)
        return err->code;
    if (is_json)
        print_json_line(cli, version);
    else
        fprintf(cli->out, "Server:\n Version:      %s\n API version:  %s (minimum version %s)\n OS/Arch:      %s/%s\n Kernel:       %s\n",
                json_string(version, "Version", ""), json_string(version, "ApiVersion", ""), json_string(version, "MinAPIVersion", ""),
                json_string(version, "Os", ""), json_string(version, "Arch", ""), json_string(version, "KernelVersion", ""));
    return 0;
}

const struct command command_version = {"version", "", "Show the versions of command and daemon", specs, 0, 0, .run = run_version};
