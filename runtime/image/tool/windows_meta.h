/* runtime/image/tool/windows_meta.h – what the archive of a Windows layer says of an entry beyond what Linux knows. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_WINDOWS_META_H
#define SKEP_RUNTIME_IMAGE_TOOL_WINDOWS_META_H

#include <stdbool.h>

#include "base/buf.h"

struct windows_ea {
    const char *name; /* checked: no more than WINDOWS_EA_NAME_SIZE_BYTES */
    struct bytes value;
};

/* FILE_ATTRIBUTE_…, as they stand in archives and backup streams. */
enum windows_attribute {
    WINDOWS_ATTRIBUTE_READ_ONLY = 0x1,
    WINDOWS_ATTRIBUTE_HIDDEN = 0x2,
    WINDOWS_ATTRIBUTE_SYSTEM = 0x4,
    WINDOWS_ATTRIBUTE_DIRECTORY = 0x10,
    WINDOWS_ATTRIBUTE_ARCHIVE = 0x20,
    WINDOWS_ATTRIBUTE_NORMAL = 0x80,
    WINDOWS_ATTRIBUTE_REPARSE_POINT = 0x400,
};

struct windows_time {
    bool is_known;
    int64_t s;
    long ns;
};

/* Borrowed from whoever read it, until the next entry. */
struct windows_meta {
    bool has_attributes;
    uint32_t attributes;
    struct bytes descriptor; /* a self-relative security descriptor; empty: none */
    const char *sddl;        /* the same as text, of older writers; NULL: none, or the above counts */
    bool is_junction;        /* of a link: a mount point, not a symbolic link */
    const struct windows_ea *eas;
    size_t ea_count;
    const char *path, *link; /* as the pax header spells them; NULL: it does not */
    struct windows_time created, accessed, changed;
};

#endif
