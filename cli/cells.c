/* cli/cells.c – see cells.h. */
#include "cli/cells.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/human.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

char *cell_id(const char *id, bool is_whole)
{
    size_t length = strlen(id);
    return mem_string_n(id, is_whole || length < CELL_SHORT_ID_CHARS ? length : CELL_SHORT_ID_CHARS);
}

char *cell_ago(const char *rfc3339, int64_t now_wall_ns)
{
    char ago[HUMAN_SIZE];
    int64_t then;
    if (text_empty(rfc3339) || time_parse(rfc3339, &then, NULL) < 0 || then <= 0)
        return mem_string("");
    human_duration(now_wall_ns - then, ago);
    ago[0] = (char)tolower((unsigned char)ago[0]);
    return mem_format("%s ago", ago);
}

char *cell_pairs(const cJSON *object)
{
    struct buf text = {0};
    const cJSON *pair;
    cJSON_ArrayForEach (pair, object) {
        if (cJSON_IsString(pair))
            buf_append_format(&text, "%s%s=%s", text.size > 0 ? "," : "", pair->string, pair->valuestring);
    }
    return buf_steal_string(&text);
}

char *cell_capital(const char *word)
{
    char *copy = mem_string(word);
    copy[0] = (char)toupper((unsigned char)copy[0]);
    return copy;
}

char *cell_cut(const char *text, size_t most_chars, bool is_whole)
{
    size_t length = 0, chars = 0, fits = 0;
    for (; text[length]; length++) {
        bool is_first = ((unsigned char)text[length] & 0xc0) != 0x80;
        chars += is_first;
        if (is_first && chars == most_chars)
            fits = length;
    }
    return is_whole || chars <= most_chars ? mem_string(text) : mem_format("%.*s…", (int)fits, text);
}

const char *cell_name_of(const cJSON *list, const char *id, const char *const *path)
{
    const cJSON *object, *at;
    cJSON_ArrayForEach (object, list) {
        if (!text_equal(json_string(object, "ID", NULL), id))
            continue;
        at = object;
        for (; path[1]; path++)
            at = json_object(at, *path);
        return json_string(at, *path, id);
    }
    return id;
}
