/* runtime/windows/encode_process.c – processes, signals, queries, changes of a running system. hcs.md §3.6–§3.8, §8.4. */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/windows/encode_parts.h"

/* --- the command line --- */

/* Backslashes are themselves unless a quote follows them: then each is doubled, and the quote gets one more. */
static void append_argument(struct buf *line, const char *arg)
{
    size_t backslashes = 0;

    if (arg[0] && arg[strcspn(arg, " \t\n\v\"")] == '\0') {
        buf_append_string(line, arg);
        return;
    }
    buf_append_string(line, "\"");
    for (; *arg; arg++) {
        if (*arg == '\\') {
            backslashes++;
            continue;
        }
        for (size_t i = 0; i < (*arg == '"' ? 2 * backslashes + 1 : backslashes); i++)
            buf_append_string(line, "\\");
        backslashes = 0;
        buf_append(line, arg, 1);
    }
    for (size_t i = 0; i < 2 * backslashes; i++)
        buf_append_string(line, "\\");
    buf_append_string(line, "\"");
}

char *windows_command_line(const struct document_strings *args)
{
    cleanup_buf struct buf line = {0};

    for (size_t i = 0; i < args->count; i++) {
        if (i > 0)
            buf_append_string(&line, " ");
        append_argument(&line, args->items[i]);
    }
    return buf_steal_string(&line);
}

/* The first is a command line as it is; what was put behind it are arguments like others. */
static char *command_line_and(const struct document_strings *args)
{
    cleanup_buf struct buf line = {0};

    for (size_t i = 0; i < args->count; i++) {
        if (i > 0)
            buf_append_string(&line, " ");
        if (i > 0)
            append_argument(&line, args->items[i]);
        else
            buf_append_string(&line, args->items[i]);
    }
    return buf_steal_string(&line);
}

/* --- processes --- */

/* Windows' names do not know case: a later one replaces an earlier one however it is written. */
static void set_variable(cJSON *environment, const struct document_pair *pair)
{
    cJSON *old = cJSON_GetObjectItem(environment, pair->key);

    if (old)
        cJSON_Delete(cJSON_DetachItemViaPointer(environment, old));
    if (pair->value[0]) /* an empty value is no variable on Windows */
        json_add_string(environment, pair->key, pair->value);
}

static void add_environment(const struct document_pairs *pairs, cJSON *environment)
{
    for (size_t i = 0; pairs && i < pairs->count; i++)
        set_variable(environment, &pairs->items[i]);
}

int windows_encode_process(const struct document_process *process, const struct document_process *environment_of, bool is_command_line,
                           cJSON **out, struct error *err)
{
    cleanup_free char *line = is_command_line ? command_line_and(&process->args) : windows_command_line(&process->args);
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *environment;

    if (strlen(line) > 32766)
        return error_set(err, ERR_LIMIT, "the command line has %zu characters: Windows takes 32766", strlen(line));
    json_add_string(json, "CommandLine", line);
    if (process->user[0])
        json_add_string(json, "User", process->user);
    json_add_string(json, "WorkingDirectory", process->working_dir);
    environment = cJSON_AddObjectToObject(json, "Environment");
    add_environment(environment_of ? &environment_of->environment : NULL, environment);
    add_environment(&process->environment, environment);
    if (!environment->child)
        cJSON_DeleteItemFromObject(json, "Environment");
    if (process->has_tty)
        cJSON_AddBoolToObject(json, "EmulateConsole", true);
    if (process->has_stdin)
        cJSON_AddBoolToObject(json, "CreateStdInPipe", true);
    cJSON_AddBoolToObject(json, "CreateStdOutPipe", true);
    if (!process->has_tty)
        cJSON_AddBoolToObject(json, "CreateStdErrPipe", true);
    if (process->has_tty) {
        cJSON *size = cJSON_AddArrayToObject(json, "ConsoleSize"); /* the height comes first */
        cJSON_AddItemToArray(size, cJSON_CreateNumber(24));
        cJSON_AddItemToArray(size, cJSON_CreateNumber(80));
    }
    *out = steal(&json);
    return 0;
}

int windows_signal_name(const char *signal, const char **out, struct error *err)
{
    static const struct {
        const char *ours, *hcs;
    } names[] = {{"TERM", "CtrlShutdown"},
                 {"15", "CtrlShutdown"},
                 {"KILL", NULL},
                 {"9", NULL},
                 {"INT", "CtrlC"},
                 {"2", "CtrlC"},
                 {"BREAK", "CtrlBreak"},
                 {"QUIT", "CtrlBreak"},
                 {"3", "CtrlBreak"},
                 {"CtrlC", "CtrlC"},
                 {"CtrlClose", "CtrlClose"},
                 {"CtrlBreak", "CtrlBreak"},
                 {"CtrlLogOff", "CtrlLogOff"},
                 {"CtrlShutdown", "CtrlShutdown"}};
    const char *name = strncasecmp(signal, "SIG", 3) == 0 ? signal + 3 : signal;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i].ours) == 0) {
            *out = names[i].hcs;
            return 0;
        }
    return error_set(err, ERR_INVALID,
                     "Invalid signal: %s: Windows knows TERM, KILL, INT and the console events CtrlC, CtrlBreak, CtrlClose, "
                     "CtrlLogOff, CtrlShutdown",
                     signal);
}

/* --- queries, requests --- */

static cJSON *with_list(const char *key, const char *const *items)
{
    cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, key);

    for (; *items; items++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*items));
    return json;
}

cJSON *windows_encode_query(const char *const *property_types)
{
    return with_list("PropertyTypes", property_types);
}

cJSON *windows_encode_owner_query(const char *owner)
{
    return with_list("Owners", (const char *const[]){owner, NULL});
}

cJSON *windows_encode_signal(const char *name)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Signal", name);
    return json;
}

cJSON *windows_encode_console_size(unsigned height, unsigned width)
{
    cJSON *json = cJSON_CreateObject(), *size;

    json_add_string(json, "Operation", "ConsoleSize");
    size = cJSON_AddObjectToObject(json, "ConsoleSize");
    json_add_int(size, "Height", height);
    json_add_int(size, "Width", width);
    return json;
}

cJSON *windows_encode_close_stdin(void)
{
    cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Operation", "CloseHandle");
    json_add_string(cJSON_AddObjectToObject(json, "CloseHandle"), "Handle", "StdIn");
    return json;
}

int windows_check_modify(const cJSON *request, const struct windows_schema *schema, enum windows_form form, struct error *err)
{
    const char *path = json_string(request, "ResourcePath", ""), *type = json_string(request, "RequestType", "");

    if (strcmp(type, "Update") != 0)
        return error_set(err, ERR_UNSUPPORTED, "RequestType: \"%s\": only Update is offered", type);
    if (strcmp(path, "Container/Memory/SizeInMB") != 0 && strcmp(path, "Container/Processor/Maximum") != 0)
        return error_set(err, ERR_UNSUPPORTED, "ResourcePath: \"%s\" cannot be changed on a running container of Windows", path);
    if (form == WINDOWS_FORM_1)
        return error_set(
            err, ERR_UNSUPPORTED,
            "%s: a container in HCS's schema 1 (hyperv isolation, or a host before build 17763) cannot be changed while it runs", path);
    if (strcmp(path, "Container/Processor/Maximum") == 0 && !schema->has_processor_update)
        return error_set(err, ERR_UNSUPPORTED, "%s: needs a host of build 19042 or later", path);
    return 0;
}
