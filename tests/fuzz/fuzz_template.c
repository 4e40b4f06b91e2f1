/* Templates come from services and payloads: any text must end in an expansion or a clear error, within its bounds. */
#include <stdlib.h>

#include "agent/template.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int lookup(void *self, const char *name, struct buf *out, struct error *err)
{
    (void)self;
    if (name[0] == 'x')
        return error_set(err, ERR_NOT_FOUND, "no");
    buf_append_string(out, name);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct template_pair labels[] = {{"a", "1"}, {"b", ""}};
    const struct template_context context = {.service_name = "s",
                                             .service_labels = labels,
                                             .service_label_count = 2,
                                             .task_slot = "1",
                                             .secret = lookup,
                                             .config = lookup,
                                             .env = lookup};
    cleanup_buf struct buf out = {0};
    struct error err = {0};
    int result = template_expand(bytes_of(data, size), &context, &out, &err);
    if (result == 0 && out.size > TEMPLATE_OUTPUT_BYTES + size)
        abort();
    if (result < 0 && err.message[0] == '\0')
        abort();
    return 0;
}
