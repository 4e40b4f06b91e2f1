/* manager/orchestrator/labels.c – durations and words out of labels. */
#include "manager/orchestrator/labels.h"

#include <string.h>

#include "base/limits.h"
#include "base/time.h"

const char *label_value(const Docker__Swarmkit__V1__Annotations *annotations, const char *key)
{
    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (strcmp(annotations->labels[i]->key, key) == 0)
            return annotations->labels[i]->value;
    return NULL;
}

static int read_duration(const Docker__Swarmkit__V1__Annotations *annotations, const char *key, uint64_t *out_ns, struct error *err)
{
    const char *value = label_value(annotations, key);
    int64_t ns = 0;

    if (value == NULL || value[0] == 0)
        return 0;
    if (time_parse_duration(value, &ns, err) < 0)
        return error_wrap(err, "label %s", key);
    if (ns < 0 || ns > (int64_t)LABEL_DURATION_S * 1000000000)
        return error_set(err, ERR_INVALID, "label %s: \"%.32s\" is not between 0s and %ds", key, value, LABEL_DURATION_S);
    *out_ns = (uint64_t)ns;
    return 0;
}

static int read_keep(const Docker__Swarmkit__V1__Annotations *annotations, bool *keeps_old, struct error *err)
{
    const char *value = label_value(annotations, LABEL_KEEP);

    if (value == NULL || value[0] == 0 || strcmp(value, "new") == 0)
        return 0;
    if (strcmp(value, "old") != 0)
        return error_set(err, ERR_INVALID, "label " LABEL_KEEP ": \"%.32s\" is neither new nor old", value);
    *keeps_old = true;
    return 0;
}

int labels_check(const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    struct service_labels unused;
    int failed = read_duration(spec->annotations, LABEL_LOST_AFTER, &unused.lost_after_ns, err);

    if (failed == 0)
        failed = read_duration(spec->annotations, LABEL_STOP_AFTER, &unused.stop_after_ns, err);
    return failed < 0 ? failed : read_keep(spec->annotations, &unused.keeps_old, err);
}

struct service_labels labels_read(const Docker__Swarmkit__V1__Service *service)
{
    const Docker__Swarmkit__V1__Annotations *annotations = service->spec ? service->spec->annotations : NULL;
    struct service_labels labels = {0};
    struct error unused = {0};

    read_duration(annotations, LABEL_LOST_AFTER, &labels.lost_after_ns, &unused);
    read_duration(annotations, LABEL_STOP_AFTER, &labels.stop_after_ns, &unused);
    read_keep(annotations, &labels.keeps_old, &unused);
    return labels;
}
