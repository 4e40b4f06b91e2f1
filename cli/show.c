/* cli/show.c – see show.h. */
#include "cli/show.h"

#include <stdlib.h>

#include "base/mem.h"

enum { INDENT = 4 };

static void new_line(struct buf *out, int depth)
{
    buf_append_format(out, "\n%*s", depth * INDENT, "");
}

/* The length of the text in quotes that begins at @at. */
static size_t quoted_length(const char *at)
{
    size_t length = 1;
    while (at[length] && at[length] != '"')
        length += at[length] == '\\' && at[length + 1] ? 2 : 1;
    return length + (at[length] == '"');
}

/* One line of JSON as docker lays it out: a member a line. */
static void lay_out(const char *json, struct buf *out)
{
    int depth = 0;
    for (size_t length; *json; json += length) {
        bool opens = *json == '{' || *json == '[', closes = *json == '}' || *json == ']';
        length = *json == '"' ? quoted_length(json) : 1;
        if (closes)
            new_line(out, --depth);
        buf_append(out, json, length);
        if (opens && (json[1] == '}' || json[1] == ']'))
            buf_append(out, &json[length++], 1);
        else if (opens)
            new_line(out, ++depth);
        else if (*json == ',')
            new_line(out, depth);
        else if (*json == ':')
            buf_append(out, " ", 1);
    }
}

int show_each(struct cli *cli, const struct options *options, int (*get)(struct cli *cli, const char *name, cJSON **out, struct error *err),
              struct error *err)
{
    cleanup_json cJSON *list = cJSON_CreateArray();
    int code = 0;
    for (size_t i = 0; i < options->words.count; i++) {
        struct error cause = {0};
        cJSON *object = NULL;
        if (get(cli, options->words.items[i], &object, &cause) == 0)
            cJSON_AddItemToArray(list, object);
        else if (code == 0)
            code = error_set(err, cause.code, "%s", cause.message);
        else
            fprintf(cli->err_out, "%s\n", cause.message);
    }
    cleanup_free char *text = json_print(list);
    cleanup_buf struct buf out = {0};
    lay_out(text, &out);
    buf_append(&out, "\n", 1);
    cli_write(cli, &out);
    return code;
}
