/* What images are for. An image is kept while it is known, or while a group runs it. */
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/inside.h"

struct sched_image *sched_image_need(struct scheduler *s, const char *reference)
{
    struct sched_image *image = sched_table_find(&s->images, reference);
    if (image)
        return image;
    image = mem_alloc(sizeof *image);
    image->reference = sched_strings_keep(&s->strings, reference);
    sched_table_add(&s->images, image);
    return image;
}

static void forget_platforms(struct scheduler *s, struct sched_image *image)
{
    for (size_t i = 0; i < image->platform_count; i++) {
        sched_strings_release(&s->strings, image->platforms[i].os);
        sched_strings_release(&s->strings, image->platforms[i].architecture);
        sched_strings_release(&s->strings, image->platforms[i].os_version);
    }
    free(image->platforms);
    image->platforms = NULL;
    image->platform_count = 0;
}

void sched_image_free(struct scheduler *s, struct sched_image *image)
{
    forget_platforms(s, image);
    sched_strings_release(&s->strings, image->reference);
    free(image);
}

void sched_image_let_go(struct scheduler *s, struct sched_image *image)
{
    if (image->platform_count > 0 || image->groups || image->is_awaited)
        return;
    sched_table_remove(&s->images, image);
    sched_image_free(s, image);
}

/* Attestations and the like lie in an index as images for "unknown". */
static bool is_for_something(const struct scheduler_platform *platform)
{
    return !text_equal(platform->os, "unknown");
}

static bool is_same(const struct sched_image *image, const struct scheduler_platform *platforms, size_t count)
{
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_for_something(&platforms[i]))
            continue;
        if (k == image->platform_count || !text_equal(image->platforms[k].os, platforms[i].os ? platforms[i].os : "") ||
            !text_equal(image->platforms[k].architecture, platforms[i].architecture ? platforms[i].architecture : "") ||
            !text_equal(image->platforms[k].os_version, platforms[i].os_version ? platforms[i].os_version : ""))
            return false;
        k++;
    }
    return k == image->platform_count;
}

static void set_platforms(struct scheduler *s, struct sched_image *image, const struct scheduler_platform *platforms, size_t count)
{
    forget_platforms(s, image);
    image->platforms = mem_array(count + 1, sizeof *image->platforms);
    for (size_t i = 0; i < count; i++)
        if (is_for_something(&platforms[i]))
            image->platforms[image->platform_count++] = (struct scheduler_platform){
                sched_strings_keep(&s->strings, platforms[i].os), sched_strings_keep(&s->strings, platforms[i].architecture),
                sched_strings_keep(&s->strings, platforms[i].os_version)};
}

/* Preassigned tasks wait on their nodes: which of them are of these groups is not worth a list. */
static void touch_waiting(struct scheduler *s)
{
    for (uint32_t i = 0; i < s->node_limit; i++)
        if (s->nodes[i] && s->nodes[i]->waiting)
            sched_node_touch(s, s->nodes[i], SCHED_BIT(SCHEDULER_FILTER_PLATFORM));
}

void scheduler_image_await(struct scheduler *s, const char *reference, bool is_awaited)
{
    struct sched_image *image = is_awaited ? sched_image_need(s, reference) : sched_table_find(&s->images, reference);
    struct sched_group *group;
    if (!image || image->is_awaited == is_awaited)
        return;
    image->is_awaited = is_awaited;
    if (is_awaited)
        return;
    DL_FOREACH2(image->groups, group, image_next)
    sched_queue_all(s, group);
    if (image->groups)
        touch_waiting(s);
    sched_image_let_go(s, image);
}

int scheduler_image_set(struct scheduler *s, const char *reference, const struct scheduler_platform *platforms, size_t count,
                        struct error *err)
{
    if (count > IMAGE_INDEX_ENTRIES_COUNT)
        return error_set(err, ERR_LIMIT, "image %s: its index has %zu entries: at most %d are taken", reference, count,
                         IMAGE_INDEX_ENTRIES_COUNT);
    struct sched_image *image = sched_table_find(&s->images, reference);
    if (image ? is_same(image, platforms, count) : count == 0)
        return 0;
    bool was_known = image && image->platform_count > 0;
    if (!was_known && s->known_image_count >= SCHEDULER_IMAGES_COUNT)
        return error_set(err, ERR_LIMIT, "image %s: the platforms of %d images are known already", reference, SCHEDULER_IMAGES_COUNT);
    if (!image)
        image = sched_image_need(s, reference);
    set_platforms(s, image, platforms, count);
    s->known_image_count = s->known_image_count + (image->platform_count > 0) - was_known;
    struct sched_group *group;
    DL_FOREACH2(image->groups, group, image_next)
    {
        struct sched_rules *rules = sched_rules_with_image(s, group->rules, image);
        sched_rules_let_go(s, group->rules);
        group->rules = rules;
        sched_queue_all(s, group);
    }
    if (image->groups)
        touch_waiting(s);
    sched_image_let_go(s, image);
    return 0;
}
