/* api/human.c – see human.h. */
#include "api/human.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"

/* Above each bound in hours the next larger unit is named; docker's own thresholds. */
static void long_duration(int64_t ns, char out[HUMAN_SIZE])
{
    static const struct {
        int64_t below_hours, unit_hours;
        const char *unit;
    } units[] = {
        {48, 1, "hours"}, {24 * 14, 24, "days"}, {24 * 60, 24 * 7, "weeks"}, {24 * 365 * 2, 24 * 30, "months"}, {0, 24 * 365, "years"}};
    int64_t minutes = ns / (60 * (int64_t)NS_PER_S), hours = (minutes + 30) / 60;
    if (hours == 1) {
        snprintf(out, HUMAN_SIZE, "About an hour");
        return;
    }
    size_t i = 0;
    while (units[i].below_hours != 0 && hours >= units[i].below_hours)
        i++;
    snprintf(out, HUMAN_SIZE, "%" PRId64 " %s", hours / units[i].unit_hours, units[i].unit);
}

void human_duration(int64_t ns, char out[HUMAN_SIZE])
{
    int64_t seconds = ns / (int64_t)NS_PER_S;
    if (seconds < 1)
        snprintf(out, HUMAN_SIZE, "Less than a second");
    else if (seconds == 1)
        snprintf(out, HUMAN_SIZE, "1 second");
    else if (seconds < 60)
        snprintf(out, HUMAN_SIZE, "%" PRId64 " seconds", seconds);
    else if (seconds < 120)
        snprintf(out, HUMAN_SIZE, "About a minute");
    else if (seconds < 3600)
        snprintf(out, HUMAN_SIZE, "%" PRId64 " minutes", seconds / 60);
    else
        long_duration(ns, out);
}

/* 999.6 with three digits would print as 1e+03: the next unit takes over where rounding does. */
static void scaled(double bytes, double step, int digits, const char *const *units, char out[HUMAN_SIZE])
{
    int unit = 0;
    for (; bytes >= step - 0.5 && unit < 5; unit++)
        bytes /= step;
    snprintf(out, HUMAN_SIZE, "%.*g%s", digits, bytes, units[unit]);
}

void human_size(double bytes, char out[HUMAN_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    scaled(bytes, 1000, 3, units, out);
}

void human_size_binary(double bytes, char out[HUMAN_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    scaled(bytes, 1024, 4, units, out);
}
