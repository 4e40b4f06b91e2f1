/* runtime/image/tool/nt_file_windows.h – files opened one part of a path at a time, each relative to the directory before and never through
 * a link: what the Win32 functions, which take whole paths, cannot promise. All return a number of GetLastError(), ERROR_SUCCESS for
 * success. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_NT_FILE_WINDOWS_H
#define SKEP_RUNTIME_IMAGE_TOOL_NT_FILE_WINDOWS_H

#include <stdbool.h>
#include <windows.h>

enum nt_open {
    NT_DIRECTORY,      /* there already, or made */
    NT_WALK,           /* a directory or link to one that is there already */
    NT_NEW_DIRECTORY,  /* made: an error when something is there */
    NT_NEW_FILE,       /* likewise */
    NT_FILE,           /* there already, to be linked to */
    NT_OVERWRITE_FILE, /* there already, or made; empty */
    NT_REMOVE,         /* there already, a file or an empty directory, to be deleted */
};

/* @name: one part, in UTF-8; with ":stream" behind it that stream. @with_security: also owner, access lists and attributes are to be
 * written, for which the process needs its privileges. */
DWORD nt_open(HANDLE directory, const char *name, enum nt_open how, bool with_security, HANDLE *out);

DWORD nt_link(HANDLE file, HANDLE directory, const char *name);
DWORD nt_write(HANDLE file, const void *data, size_t size);
DWORD nt_set_security(HANDLE file, const void *descriptor); /* self-relative */
DWORD nt_set_eas(HANDLE file, const void *chain, size_t size);
DWORD nt_set_reparse(HANDLE file, const void *data, size_t size);

unsigned short nt_upper_case(unsigned short unit);

#endif
