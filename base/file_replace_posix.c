/* base/file_replace_posix.c – see file.h: rename(2) is all of it. */
#include <uv.h>

#include "base/file.h"

int file_replace(const char *from, const char *to)
{
    uv_fs_t req;
    int failed = uv_fs_rename(NULL, &req, from, to, NULL);
    uv_fs_req_cleanup(&req);
    return failed;
}
