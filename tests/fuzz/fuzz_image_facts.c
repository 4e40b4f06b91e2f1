/* tests/fuzz/fuzz_image_facts.c – whatever lies in the store as facts about an image: read, written, read again, fed to a scheduler. */
#include <assert.h>
#include <string.h>

#include "manager/scheduler/image_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_facts facts, again;
    cleanup_buf struct buf text = {0};
    struct error err;

    if (image_facts_parse(bytes_of(data, size), &facts, &err) < 0)
        return 0;
    int result = image_facts_print(&facts, &text, &err);
    assert(result == 0);
    result = image_facts_parse(buf_bytes(&text), &again, &err);
    assert(result == 0 && strcmp(facts.image, again.image) == 0 && facts.count == again.count);
    for (size_t i = 0; i < facts.count; i++)
        assert(strcmp(facts.platforms[i].os, again.platforms[i].os) == 0 &&
               strcmp(facts.platforms[i].architecture, again.platforms[i].architecture) == 0 &&
               strcmp(facts.platforms[i].os_version, again.platforms[i].os_version) == 0);
    struct scheduler *scheduler = scheduler_new();
    result = scheduler_image_set(scheduler, facts.image, facts.platforms, facts.count, &err);
    assert(result == 0);
    (void)result;
    scheduler_free(scheduler);
    image_facts_deinit(&again);
    image_facts_deinit(&facts);
    return 0;
}
