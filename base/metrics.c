/* base/metrics.c – see metrics.h. */
#include "base/metrics.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const double histogram_latencies_s[HISTOGRAM_LATENCIES_COUNT] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};

void histogram_init(struct histogram *histogram, const double *bounds, size_t count)
{
    assert(count <= HISTOGRAM_BOUNDS_COUNT);
    *histogram = (struct histogram){.bounds = bounds, .bound_count = count};
}

void histogram_observe_many(struct histogram *histogram, double value, uint64_t times)
{
    size_t i = 0;

    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->counts[i] += times;
    histogram->sum += value * (double)times;
}

void histogram_observe(struct histogram *histogram, double value)
{
    histogram_observe_many(histogram, value, 1);
}

/* --- pieces of a line --- */

/* The length of the UTF-8 character that @text begins with; 0: it begins with none. */
static size_t character_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *text < 0x80 ? 1 : *text >= 0xf0 && *text < 0xf8 ? 4 : *text >= 0xe0 ? 3 : *text >= 0xc0 ? 2 : 0;
    uint32_t code = *text & (length == 4 ? 7 : length == 3 ? 15 : 31);

    if (*text >= 0xf8)
        return 0;
    if (length < 2)
        return length;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) /* the end of the string is none either */
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

static void write_escaped(struct buf *out, const char *text, bool is_label)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at) {
        size_t length = character_length(at);
        if (length == 0)
            buf_append_string(out, "?");
        else if (*at == '\\')
            buf_append_string(out, "\\\\");
        else if (*at == '\n')
            buf_append_string(out, "\\n");
        else if (*at == '"' && is_label)
            buf_append_string(out, "\\\"");
        else
            buf_append(out, at, length);
        at += length ? length : 1;
    }
}

static void write_value(struct buf *out, double value)
{
    if (__builtin_isnan(value)) /* mingw-w64's macros would try it as a float, too */
        buf_append_string(out, " NaN\n");
    else if (__builtin_isinf(value))
        buf_append_string(out, value > 0 ? " +Inf\n" : " -Inf\n");
    else
        buf_append_format(out, " %.15g\n", value); /* whole numbers up to 10^15 as they are, and 0.1 as 0.1 */
}

/* "{a="x",b="y"", open: the caller may add one more and closes it with end_labels(). */
static size_t write_labels(struct buf *out, va_list labels)
{
    size_t count = 0;

    for (const char *name; (name = va_arg(labels, const char *)) != NULL; count++) {
        const char *value = va_arg(labels, const char *);
        buf_append_format(out, "%c%s=\"", count ? ',' : '{', name);
        write_escaped(out, value ? value : "", true);
        buf_append_string(out, "\"");
    }
    return count;
}

static const char *open_family(const struct metrics *metrics)
{
    assert(metrics->family_count > 0);
    return metrics->families[metrics->family_count - 1];
}

/* --- families --- */

void metrics_family(struct metrics *metrics, enum metrics_type type, const char *name, const char *help)
{
    static const char *const types[] = {[METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

    assert(metrics->family_count < METRICS_FAMILIES_COUNT);
    for (size_t i = 0; i < metrics->family_count; i++)
        assert(strcmp(metrics->families[i], name) != 0);
    metrics->families[metrics->family_count++] = name;
    metrics->type = type;
    buf_append_format(metrics->out, "# HELP %s ", name);
    write_escaped(metrics->out, help, false);
    buf_append_format(metrics->out, "\n# TYPE %s %s\n", name, types[type]);
}

void metrics_sample(struct metrics *metrics, double value, ...)
{
    va_list labels;

    assert(metrics->type != METRICS_HISTOGRAM);
    buf_append_string(metrics->out, open_family(metrics));
    va_start(labels, value);
    if (write_labels(metrics->out, labels) > 0)
        buf_append_string(metrics->out, "}");
    va_end(labels);
    write_value(metrics->out, value);
}

static void write_histogram_line(struct metrics *metrics, const char *suffix, const char *bound, double value, va_list labels)
{
    struct buf *out = metrics->out;
    size_t count;

    buf_append_format(out, "%s%s", open_family(metrics), suffix);
    count = write_labels(out, labels);
    if (bound)
        buf_append_format(out, "%cle=\"%s\"}", count ? ',' : '{', bound);
    else if (count > 0)
        buf_append_string(out, "}");
    write_value(out, value);
}

void metrics_histogram(struct metrics *metrics, const struct histogram *histogram, ...)
{
    va_list labels, copy;
    uint64_t total = 0;

    assert(metrics->type == METRICS_HISTOGRAM);
    va_start(labels, histogram);
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        char bound[32] = "+Inf";
        if (i < histogram->bound_count)
            snprintf(bound, sizeof bound, "%g", histogram->bounds[i]);
        total += histogram->counts[i];
        va_copy(copy, labels);
        write_histogram_line(metrics, "_bucket", bound, (double)total, copy);
        va_end(copy);
    }
    va_copy(copy, labels);
    write_histogram_line(metrics, "_sum", NULL, histogram->sum, copy);
    va_end(copy);
    write_histogram_line(metrics, "_count", NULL, (double)total, labels);
    va_end(labels);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *help, double value)
{
    metrics_family(metrics, METRICS_GAUGE, name, help);
    metrics_sample(metrics, value, NULL);
}

void metrics_counter(struct metrics *metrics, const char *name, const char *help, double value)
{
    metrics_family(metrics, METRICS_COUNTER, name, help);
    metrics_sample(metrics, value, NULL);
}
