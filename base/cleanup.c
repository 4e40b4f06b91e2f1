/* base/cleanup.c – see cleanup.h. */
#include "base/cleanup.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

void cleanup_free_fn(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

void cleanup_json_fn(struct cJSON **json)
{
    cJSON_Delete(*json);
}
