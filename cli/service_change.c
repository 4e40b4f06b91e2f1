/* cli/service_change.c – see service_change.h. */
#include "cli/service_change.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/service_wait.h"

void service_print_warnings(struct cli *cli, const cJSON *reply)
{
    const cJSON *warning;
    cJSON_ArrayForEach (warning, json_array(reply, "Warnings")) {
        if (cJSON_IsString(warning))
            fprintf(cli->err_out, "%s\n", warning->valuestring);
    }
}

static int send_change(struct cli *cli, const cJSON *service, const cJSON *spec, const char *query, struct error *err)
{
    cleanup_json cJSON *reply = NULL;
    cleanup_free char *rest = mem_format("/update?version=%" PRId64 "%s", json_int(json_object(service, "Version"), "Index", 0), query);
    cleanup_free char *path = cli_path_of("services", json_string(service, "ID", ""), rest);
    int code = cli_send_json(cli, "POST", path, spec, &reply, err);
    service_print_warnings(cli, reply);
    return code;
}

int service_change(struct cli *cli, const char *name, const struct service_change *change, struct error *err)
{
    cleanup_free char *path = cli_path_of("services", name, "");
    cleanup_json cJSON *service = NULL;
    if (cli_get_json(cli, path, &service, err) < 0)
        return err->code;
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(service, "Spec");
    if (!cJSON_IsObject(spec))
        return error_set(err, ERR_PEER, "the daemon's answer has no Spec of %s", name);
    if ((change->fn && change->fn(cli, change, spec, err) < 0) || send_change(cli, service, spec, change->query, err) < 0)
        return err->code;
    fprintf(cli->out, "%s%s\n", name, change->done);
    if (option_switch(change->options, "detach"))
        return 0;
    return service_wait(cli, json_string(service, "ID", ""), option_switch(change->options, "quiet"), err);
}
