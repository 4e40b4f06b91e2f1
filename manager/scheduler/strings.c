/* manager/scheduler/strings.c – see strings.h. The empty text is static: nobody counts it. */
#include "manager/scheduler/strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct kept {
    size_t uses_count;
    char text[];
};

static const char empty[] = "";

static const char *name(const void *item)
{
    return ((const struct kept *)item)->text;
}

static struct kept *kept_of(const char *text)
{
    return (struct kept *)((uintptr_t)text - offsetof(struct kept, text));
}

void sched_strings_init(struct sched_strings *strings)
{
    *strings = (struct sched_strings){.table = {.name = name}};
}

void sched_strings_deinit(struct sched_strings *strings)
{
    for (size_t i = 0; i < strings->table.capacity; i++)
        free(strings->table.items[i]);
    sched_table_deinit(&strings->table);
}

const char *sched_strings_find(const struct sched_strings *strings, const char *text)
{
    if (!text || !*text)
        return empty;
    const struct kept *kept = sched_table_find(&strings->table, text);
    return kept ? kept->text : NULL;
}

const char *sched_strings_keep(struct sched_strings *strings, const char *text)
{
    if (!text || !*text)
        return empty;
    struct kept *kept = sched_table_find(&strings->table, text);
    if (!kept) {
        size_t size = strlen(text) + 1;
        kept = mem_alloc(sizeof *kept + size);
        memcpy(kept->text, text, size);
        sched_table_add(&strings->table, kept);
    }
    kept->uses_count++;
    return kept->text;
}

void sched_strings_release(struct sched_strings *strings, const char *kept_text)
{
    if (!kept_text || !*kept_text)
        return;
    struct kept *kept = kept_of(kept_text);
    if (--kept->uses_count > 0)
        return;
    sched_table_remove(&strings->table, kept);
    free(kept);
}
