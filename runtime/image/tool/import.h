/* runtime/image/tool/import.h – the last step of a pull or load: unpacked layers become such as this system runs containers on. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_IMPORT_H
#define SKEP_RUNTIME_IMAGE_TOOL_IMPORT_H

#include "runtime/image/tool/task.h"

/* Nothing on Linux. On Windows, for each layer from the lowest, unless it was done before: the base is set up, and one above is imported
 * into layers/<its chain id> (windows_layer.h, "To do"). Where the system cannot run containers (no vmcompute.dll) nothing is done, and
 * said so. ERR_IO, ERR_CORRUPT and others with what Windows said, "import layer sha256:…: …". */
int layers_import(struct task *task, const struct image_strings *diff_ids, struct error *err);

#endif
