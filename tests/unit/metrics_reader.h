/* tests/unit/metrics_reader.h – a strict reader of Prometheus' text format 0.0.4 as we write it: what it takes, Prometheus takes; it also
 * asks for what promtool's linter does (HELP for each family, counters that end in _total, whole histograms). */
#ifndef SKEP_TESTS_UNIT_METRICS_READER_H
#define SKEP_TESTS_UNIT_METRICS_READER_H

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "tests/unit/test.h"

struct metrics_line {
    char name[128], type[16]; /* the family's */
    char labels[512];         /* as written, without le */
    char le[32];
    double value;
};

struct metrics_reader {
    const char *at;
    char *why;
    size_t why_size;
    char family[128], helped[128], type[16];
    char seen[200][128]; /* families */
    size_t seen_count;
    char *samples[4096]; /* name and labels */
    size_t sample_count;
    double bucket, bucket_le; /* of the histogram under way */
    bool has_infinite;
    char bucket_labels[512];
};

static inline bool metrics_refuse(struct metrics_reader *reader, const char *why)
{
    snprintf(reader->why, reader->why_size, "%s, before: %.60s", why, reader->at);
    return false;
}

static inline bool metrics_word(struct metrics_reader *reader, char *out, size_t size, bool takes_colon)
{
    size_t length = 0;
    if (!isalpha((unsigned char)*reader->at) && *reader->at != '_')
        return metrics_refuse(reader, "a name begins otherwise");
    while (isalnum((unsigned char)*reader->at) || *reader->at == '_' || (takes_colon && *reader->at == ':')) {
        if (length + 1 >= size)
            return metrics_refuse(reader, "a long name");
        out[length++] = *reader->at++;
    }
    out[length] = '\0';
    return true;
}

static inline bool metrics_take(struct metrics_reader *reader, const char *text)
{
    if (strncmp(reader->at, text, strlen(text)) != 0)
        return metrics_refuse(reader, text);
    reader->at += strlen(text);
    return true;
}

static inline bool metrics_quoted(struct metrics_reader *reader, char *out, size_t size)
{
    size_t length = 0;
    for (; *reader->at && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\n')
            return metrics_refuse(reader, "a line ends in a label");
        if (length + 3 > size)
            return metrics_refuse(reader, "a long label");
        out[length++] = *reader->at;
        if (*reader->at != '\\')
            continue;
        reader->at++;
        if (*reader->at != '\\' && *reader->at != '"' && *reader->at != 'n')
            return metrics_refuse(reader, "an escape that is none");
        out[length++] = *reader->at;
    }
    out[length] = '\0';
    return metrics_take(reader, "\"");
}

static inline bool metrics_labels(struct metrics_reader *reader, struct metrics_line *line)
{
    size_t length = 0;
    char name[64], value[300];
    line->labels[0] = line->le[0] = '\0';
    if (*reader->at != '{')
        return true;
    do {
        reader->at++;
        if (!metrics_word(reader, name, sizeof name, false) || !metrics_take(reader, "=\"") || !metrics_quoted(reader, value, sizeof value))
            return false;
        char find[80];
        snprintf(find, sizeof find, ",%s=\"", name);
        if (strstr(line->labels, find) || (strcmp(name, "le") == 0 && *line->le))
            return metrics_refuse(reader, "a label twice");
        if (strcmp(name, "le") == 0)
            snprintf(line->le, sizeof line->le, "%.31s", value);
        else
            length += (size_t)snprintf(line->labels + length, sizeof line->labels - length, ",%s=\"%s\"", name, value);
        if (length + 1 >= sizeof line->labels)
            return metrics_refuse(reader, "many labels");
    } while (*reader->at == ',');
    return metrics_take(reader, "}");
}

static inline bool metrics_number(struct metrics_reader *reader, double *out)
{
    static const char *const words[] = {"NaN", "+Inf", "-Inf"};
    char *end;
    for (size_t i = 0; i < 3; i++)
        if (text_starts(reader->at, words[i])) {
            *out = strtod(words[i], NULL);
            return metrics_take(reader, words[i]);
        }
    if (!isdigit((unsigned char)*reader->at) && *reader->at != '-')
        return metrics_refuse(reader, "no number");
    *out = strtod(reader->at, &end);
    reader->at = end;
    return true;
}

static inline bool metrics_end_histogram(struct metrics_reader *reader)
{
    return *reader->bucket_labels == '\0' || metrics_refuse(reader, "a histogram without a count");
}

static inline bool metrics_comment(struct metrics_reader *reader)
{
    char name[128], type[16];
    if (text_starts(reader->at, "# HELP ")) {
        reader->at += strlen("# HELP ");
        if (!metrics_word(reader, reader->helped, sizeof reader->helped, true) || !metrics_take(reader, " "))
            return false;
        while (*reader->at && *reader->at != '\n')
            reader->at++;
        return metrics_take(reader, "\n");
    }
    if (!metrics_end_histogram(reader) || !metrics_take(reader, "# TYPE ") || !metrics_word(reader, name, sizeof name, true) ||
        !metrics_take(reader, " ") || !metrics_word(reader, type, sizeof type, false) || !metrics_take(reader, "\n"))
        return false;
    if (strcmp(type, "counter") != 0 && strcmp(type, "gauge") != 0 && strcmp(type, "histogram") != 0)
        return metrics_refuse(reader, "a type of ours that is none");
    if (strcmp(name, reader->helped) != 0)
        return metrics_refuse(reader, "no help");
    if ((strcmp(type, "counter") == 0) != text_ends(name, "_total") && !text_starts(name, "swarm_manager_"))
        return metrics_refuse(reader, "counters, and only they, end in _total");
    for (size_t i = 0; i < reader->seen_count; i++)
        if (strcmp(reader->seen[i], name) == 0)
            return metrics_refuse(reader, "a family twice");
    snprintf(reader->seen[reader->seen_count++], sizeof reader->seen[0], "%s", name);
    snprintf(reader->family, sizeof reader->family, "%s", name);
    snprintf(reader->type, sizeof reader->type, "%s", type);
    return true;
}

/* Buckets in order, none below the one before, the last +Inf and equal to the count. */
static inline bool metrics_bucket(struct metrics_reader *reader, const struct metrics_line *line, const char *suffix)
{
    bool is_first = *reader->bucket_labels == '\0';
    char labels[513];
    snprintf(labels, sizeof labels, "|%.511s", line->labels);
    if (strcmp(suffix, "_bucket") == 0) {
        double le = strtod(line->le, NULL);
        if (!*line->le)
            return metrics_refuse(reader, "a bucket without le");
        if (!is_first && (strncmp(labels, reader->bucket_labels, sizeof reader->bucket_labels - 1) != 0 || le <= reader->bucket_le ||
                          line->value < reader->bucket))
            return metrics_refuse(reader, "buckets out of order");
        snprintf(reader->bucket_labels, sizeof reader->bucket_labels, "%.511s", labels);
        reader->bucket_le = le;
        reader->bucket = line->value;
        reader->has_infinite = strcmp(line->le, "+Inf") == 0;
        return true;
    }
    if (*line->le)
        return metrics_refuse(reader, "le where no bucket is");
    if (strcmp(suffix, "_sum") == 0)
        return !is_first || metrics_refuse(reader, "a sum before its buckets");
    if (strcmp(suffix, "_count") != 0)
        return metrics_refuse(reader, "no part of a histogram");
    if (is_first || !reader->has_infinite || line->value > reader->bucket || line->value < reader->bucket)
        return metrics_refuse(reader, "a count that is not that of +Inf");
    *reader->bucket_labels = '\0';
    return true;
}

static inline bool metrics_sample_line(struct metrics_reader *reader)
{
    struct metrics_line line;
    const char *begin = reader->at;
    if (!metrics_word(reader, line.name, sizeof line.name, true) || !metrics_labels(reader, &line))
        return false;
    char *key = mem_string_n(begin, (size_t)(reader->at - begin));
    for (size_t i = 0; i < reader->sample_count; i++)
        if (strcmp(reader->samples[i], key) == 0) {
            free(key);
            return metrics_refuse(reader, "a sample twice");
        }
    reader->samples[reader->sample_count++] = key;
    if (!metrics_take(reader, " ") || !metrics_number(reader, &line.value) || !metrics_take(reader, "\n"))
        return false;
    if (!text_starts(line.name, reader->family) || !*reader->family)
        return metrics_refuse(reader, "a sample of another family");
    const char *suffix = line.name + strlen(reader->family);
    if (strcmp(reader->type, "histogram") == 0)
        return metrics_bucket(reader, &line, suffix);
    if (*suffix || *line.le)
        return metrics_refuse(reader, "a sample of another family");
    return strcmp(reader->type, "counter") != 0 || line.value >= 0 || metrics_refuse(reader, "a counter below zero");
}

/* Is @text whole and well formed? Else @why. */
static inline bool metrics_read(const char *text, char *why, size_t why_size)
{
    struct metrics_reader *reader = mem_alloc(sizeof *reader);
    bool is_good = true;
    reader->at = text;
    reader->why = why;
    reader->why_size = why_size;
    while (is_good && *reader->at)
        is_good = reader->sample_count == 4096 || reader->seen_count == 200 ? metrics_refuse(reader, "too much for this reader")
                  : *reader->at == '#'                                      ? metrics_comment(reader)
                                                                            : metrics_sample_line(reader);
    is_good = is_good && metrics_end_histogram(reader);
    for (size_t i = 0; i < reader->sample_count; i++)
        free(reader->samples[i]);
    free(reader);
    return is_good;
}

static inline void metrics_check(const char *text)
{
    char why[256];
    if (!metrics_read(text, why, sizeof why))
        fail_msg("not as Prometheus wants it: %s", why);
}

/* The value of the sample that is written so ("a{b=\"c\"}"); fails where there is none. */
static inline double metrics_value_of(const char *text, const char *sample)
{
    size_t length = strlen(sample);
    for (const char *at = text; (at = strstr(at, sample)) != NULL; at += length)
        if ((at == text || at[-1] == '\n') && at[length] == ' ')
            return strtod(at + length, NULL);
    fail_msg("no sample %s in:\n%s", sample, text);
    return 0;
}

#endif
