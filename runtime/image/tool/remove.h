/* runtime/image/tool/remove.h – the removal of an unpacked layer, whole or half done. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_REMOVE_H
#define SKEP_RUNTIME_IMAGE_TOOL_REMOVE_H

#include "base/error.h"

/* As file_remove_tree(). A layer of Windows is removed by Windows itself (HcsDestroyLayer): its files belong to others than us, and what it
 * was set up with may be in use. */
int layer_remove(const char *path, struct error *err);

#endif
