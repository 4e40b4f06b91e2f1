/* daemon/image_asker.c – see image_asker.h. */
#include "daemon/image_asker.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/image/image.h"

struct question {
    struct image_job *job;
    image_answer_cb on_done;
    void *ctx;
};

/* @out->platforms is the caller's to free. */
static void read_answer(const struct cJSON *result, struct image_answer *out)
{
    const cJSON *list = json_array(result, "platforms"), *item;
    struct image_answer_platform *platforms = mem_array((size_t)cJSON_GetArraySize(list) + 1, sizeof *platforms);
    *out = (struct image_answer){.media_type = json_string(result, "mediaType", ""),
                                 .digest = json_string(result, "digest", ""),
                                 .size_bytes = json_int(result, "size", 0),
                                 .platforms = platforms};
    cJSON_ArrayForEach (item, list)
        if (out->count < IMAGE_INDEX_ENTRIES_COUNT)
            platforms[out->count++] = (struct image_answer_platform){
                .os = json_string(item, "os", ""),
                .architecture = json_string(item, "architecture", ""),
                .variant = json_string(item, "variant", ""),
                .os_version = json_string(item, "osVersion", ""),
            };
}

static void on_resolved(void *ctx, const struct error *err, const struct cJSON *result)
{
    struct question *question = ctx;
    struct image_answer answer = {0};
    if (!err)
        read_answer(result, &answer);
    question->on_done(question->ctx, err, err ? NULL : &answer);
    free((void *)(uintptr_t)answer.platforms);
    free(question);
}

static int start(void *self, const char *reference, const char *registry_auth, image_answer_cb on_done, void *ctx, void **call,
                 struct error *err)
{
    struct question *question = mem_alloc(sizeof *question);
    *question = (struct question){.on_done = on_done, .ctx = ctx};
    int failed = image_resolve(self, reference, registry_auth, on_resolved, question, &question->job, err);
    if (failed < 0)
        free(question);
    else
        *call = question;
    return failed;
}

static void cancel(void *self, void *call)
{
    struct question *question = call;
    (void)self;
    image_job_cancel(question->job);
    free(question);
}

struct image_asker image_asker_of_store(struct image_store *store)
{
    return (struct image_asker){.start = start, .cancel = cancel, .self = store};
}
