/* manager/ca/tool/main.c – skep-external-ca: one job of manager/ca/external_job.h, from standard input to standard output. skepd runs it
 * for every question to an external CA, so that the daemon neither maps libcurl nor meets what strangers answer. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "manager/ca/tool/post.h"

static int read_all(struct buf *out, struct error *err)
{
    char block[4096];
    size_t size;
    while ((size = fread(block, 1, sizeof block, stdin)) > 0)
        if (buf_append_checked(out, block, size, err) < 0)
            return err->code;
    return ferror(stdin) ? error_set(err, ERR_IO, "the job cannot be read") : 0;
}

int main(int argc, char **argv)
{
    struct error err;
    struct external_job job;
    cleanup_json cJSON *document = NULL;
    cleanup_buf struct buf text = {.is_secret = true, .limit = CA_EXTERNAL_JOB_BYTES};
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("skep-external-ca " SKEP_VERSION);
        return 0;
    }
    if (argc > 1) {
        fputs("Usage: skep-external-ca < JOB\nAsks an external certificate authority for skepd.\n", stderr);
        return strcmp(argv[1], "--help") == 0 ? 0 : error_exit_code(ERR_INVALID);
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bool is_read = read_all(&text, &err) == 0 && external_job_parse(buf_bytes(&text), &job, &document, &err) == 0;
    char *answer = is_read ? external_work(&job) : external_answer_print(&err, NULL, NULL);
    puts(answer);
    free(answer);
    curl_global_cleanup();
    return fflush(stdout) == 0 ? 0 : error_exit_code(ERR_IO);
}
