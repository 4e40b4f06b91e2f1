/* tests/fuzz/replay_main.c – runs a fuzz target over the files and directories it is given, where libFuzzer is not linked in.
 * Fails when it was given nothing to replay: a corpus that went missing must not look like a pass. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    struct error err;
    cleanup_buf struct buf input = {0};
    if (file_read(path, 64 * MIB, &input, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    uint8_t *exact = mem_copy(input.data, input.size); /* so that a read past the end is seen */
    LLVMFuzzerTestOneInput(exact, input.size);
    free(exact);
    return 1;
}

static int replay(const char *path)
{
    uv_fs_t req;
    int count = uv_fs_scandir(NULL, &req, path, 0, NULL);
    if (count < 0) {
        uv_fs_req_cleanup(&req);
        return replay_file(path);
    }
    uv_dirent_t entry;
    int total = 0;
    while (uv_fs_scandir_next(&req, &entry) != UV_EOF) {
        cleanup_free char *child = mem_format("%s/%s", path, entry.name);
        int got = replay(child);
        if (got < 0) {
            total = -1;
            break;
        }
        total += got;
    }
    uv_fs_req_cleanup(&req);
    return total;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int got = replay(argv[i]);
        if (got < 0)
            return 1;
        total += got;
    }
    printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
