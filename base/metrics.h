/* base/metrics.h – numbers as Prometheus reads them: families of samples in its text format, and histograms to count in.
 *
 *     struct metrics metrics = {.out = &buf};
 *     metrics_family(&metrics, METRICS_GAUGE, "skep_nodes", "Nodes by state.");
 *     metrics_sample(&metrics, 3, "state", "ready", NULL);
 *
 * Pure. A family's HELP and TYPE are written once, and its samples follow it: what belongs to one family is told in one go. Times are in
 * seconds, sizes in bytes, counters end in _total. Source: Prometheus' text exposition format 0.0.4. */
#ifndef SKEP_BASE_METRICS_H
#define SKEP_BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* Set @out, the rest zero. Names are literals: they must live as long as this. */
struct metrics {
    struct buf *out;
    const char *families[METRICS_FAMILIES_COUNT]; /* told so far; the last one is open */
    size_t family_count;
    enum metrics_type type;
};

/* Counts of what lies between bounds. */
struct histogram {
    const double *bounds;                        /* ascending; borrowed */
    size_t bound_count;                          /* at most HISTOGRAM_BOUNDS_COUNT */
    uint64_t counts[HISTOGRAM_BOUNDS_COUNT + 1]; /* counts[i]: above bounds[i - 1], up to and with bounds[i]; the last: above all */
    double sum;
};

/* From half a millisecond to ten seconds: disks, commits, calls on a network. */
extern const double histogram_latencies_s[];
#define HISTOGRAM_LATENCIES_COUNT 14

void histogram_init(struct histogram *histogram, const double *bounds, size_t count);
void histogram_observe(struct histogram *histogram, double value);
void histogram_observe_many(struct histogram *histogram, double value, uint64_t times);

static inline double metrics_seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

void metrics_family(struct metrics *metrics, enum metrics_type type, const char *name, const char *help);

/* Of the open family. Labels as pairs of a name (a literal) and a value (any text: what Prometheus does not take in it is escaped, bytes
 * that are no UTF-8 become '?'); a NULL ends them. */
void metrics_sample(struct metrics *metrics, double value, ...) __attribute__((sentinel));
void metrics_histogram(struct metrics *metrics, const struct histogram *histogram, ...) __attribute__((sentinel));

/* Families of one sample without labels. */
void metrics_gauge(struct metrics *metrics, const char *name, const char *help, double value);
void metrics_counter(struct metrics *metrics, const char *name, const char *help, double value);

#endif
