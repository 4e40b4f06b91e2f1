/* tests/fuzz/fuzz_windows_answers.c – what HCS says: properties, lists of them, how a process and a system ended, what a guest can, which
 * credential guards there are. The first byte chooses. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "runtime/windows/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(char kind, const char *text)
{
    cleanup_arena struct arena arena = {0};
    struct windows_answer answer, *all = NULL;
    struct windows_process_status status;
    struct error err = {0};
    size_t count = 0;

    if (kind == 'p' && windows_read_properties(text, &arena, &answer, &err) == 0 && (!answer.id || !answer.owner || !answer.runtime_id))
        abort();
    if (kind == 's' && windows_read_systems(text, &arena, &all, &count, &err) == 0 && count > 0 && !all[count - 1].id)
        abort();
    if (kind == 'e') {
        status = windows_read_process_status(text);
        if (status.exit_code < -1 || status.exit_code > UINT32_MAX)
            abort();
    }
    if (kind == 'g') {
        windows_read_guest(text);
        cJSON_Delete(windows_read_guards(text));
    }
    if (kind == 'x')
        free(windows_read_exit(text, "it ended"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf text = {0};

    if (size == 0)
        return 0;
    buf_append(&text, data + 1, size - 1);
    cleanup_free char *line = buf_steal_string(&text);
    read_all((char)data[0], line);
    return 0;
}
