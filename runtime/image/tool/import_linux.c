/* runtime/image/tool/import_linux.c – see import.h. */
#include "runtime/image/tool/import.h"

int layers_import(struct task *task, const struct image_strings *diff_ids, struct error *err)
{
    (void)task, (void)diff_ids, (void)err;
    return 0;
}
