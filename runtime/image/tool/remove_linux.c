/* runtime/image/tool/remove_linux.c – see remove.h. */
#include "base/file.h"
#include "runtime/image/tool/remove.h"

int layer_remove(const char *path, struct error *err)
{
    return file_remove_tree(path, err);
}
