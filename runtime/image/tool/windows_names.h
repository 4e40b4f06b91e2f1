/* runtime/image/tool/windows_names.h – the names of a Windows layer: which of them Windows can hold, and which were there before. Pure.
 *
 * Windows' file systems do not tell "a" from "A", and its programs cannot open "nul.txt" or "x. ": an archive made elsewhere may have such
 * names, and what they would become depends on who unpacks. They are refused. So are two entries whose names differ only in case, also as
 * parts of a path; and entries below a file or a link, since what a link leads to is not the layer's. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_WINDOWS_NAMES_H
#define SKEP_RUNTIME_IMAGE_TOOL_WINDOWS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/image/tool/path.h"

#define WINDOWS_NAMES_ROOT 0u

struct windows_names;

enum windows_name_kind { WINDOWS_NAME_NONE, WINDOWS_NAME_DIRECTORY, WINDOWS_NAME_FILE, WINDOWS_NAME_LINK };

/* @upper_case: of one unit of UTF-16, as the file system does it. */
struct windows_names *windows_names_new(uint16_t (*upper_case)(uint16_t unit));
void windows_names_free(struct windows_names *names); /* NULL is nothing */

/* One part of a path. ERR_INVALID, naming it and what is wrong with it. */
int windows_name_check(const char *part, struct error *err);

/* Note that @part in the directory @parent is a @kind from now on. @was is what it was before; @id is a directory's for its own parts.
 * ERR_INVALID: another spelling of it is there, or it was a directory and is to be something else, or the other way round; ERR_LIMIT beyond
 * IMAGE_LAYER_ENTRIES_COUNT. */
int windows_names_enter(struct windows_names *names, uint32_t parent, const char *part, enum windows_name_kind kind, uint32_t *id,
                        enum windows_name_kind *was, struct error *err);

/* What it is; nothing is noted. Another spelling is not found. */
enum windows_name_kind windows_names_look(const struct windows_names *names, uint32_t parent, const char *part, uint32_t *id);

#endif
