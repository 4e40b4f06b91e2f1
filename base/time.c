/* base/time.c – see time.h. Days are counted by the proleptic Gregorian calendar, without the C library's time zones. */
#include "base/time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Days from 1970-01-01 to the first of March of year 0 and back: the usual era arithmetic of 400-year cycles. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void time_format_rfc3339(int64_t wall_ns, char out[TIME_RFC3339_SIZE])
{
    int64_t seconds = wall_ns / (int64_t)NS_PER_S, fraction = wall_ns % (int64_t)NS_PER_S;
    if (fraction < 0) {
        fraction += (int64_t)NS_PER_S;
        seconds--;
    }
    int64_t days = seconds / 86400, second = seconds % 86400, year;
    if (second < 0) {
        second += 86400;
        days--;
    }
    int month, day;
    date_from_days(days, &year, &month, &day);
    snprintf(out, TIME_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, month, day, (int)(second / 3600),
             (int)(second / 60 % 60), (int)(second % 60), (int)fraction);
}

static bool digits(const char **text, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

/* ".5" at most nine digits deep; none at all is no fraction. */
static bool fraction_ns(const char **text, int64_t *ns)
{
    *ns = 0;
    if (**text != '.')
        return true;
    int64_t unit = 100000000;
    const char *start = ++*text;
    for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        *ns += unit * (**text - '0');
    return *text != start;
}

static bool literal(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool parse_rfc3339(const char *text, int64_t *wall_ns)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour, minute, second, offset_hour = 0, offset_minute = 0, sign = 1;
    int64_t fraction;
    const char *c = text;
    if (!digits(&c, 4, &year) || !literal(&c, '-') || !digits(&c, 2, &month) || !literal(&c, '-') || !digits(&c, 2, &day) ||
        (*c != 'T' && *c != 't' && *c != ' '))
        return false;
    c++;
    if (!digits(&c, 2, &hour) || !literal(&c, ':') || !digits(&c, 2, &minute) || !literal(&c, ':') || !digits(&c, 2, &second) ||
        !fraction_ns(&c, &fraction))
        return false;
    if (*c == '+' || *c == '-') {
        sign = *c++ == '-' ? -1 : 1;
        if (!digits(&c, 2, &offset_hour) || !literal(&c, ':') || !digits(&c, 2, &offset_minute))
            return false;
    } else if (*c == 'Z' || *c == 'z') {
        c++;
    } else {
        return false;
    }
    /* int64 nanoseconds span 1677-09-21 to 2262-04-11 */
    if (*c != '\0' || year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] || hour > 23 ||
        minute > 59 || second > 60 || offset_hour > 23 || offset_minute > 59)
        return false;
    int64_t seconds = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    seconds -= sign * (offset_hour * 3600 + offset_minute * 60);
    *wall_ns = seconds * (int64_t)NS_PER_S + fraction;
    return true;
}

static bool parse_seconds(const char *text, int64_t *wall_ns)
{
    int64_t seconds = 0, fraction;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++) {
        seconds = seconds * 10 + (*c - '0');
        if (seconds > INT64_MAX / (int64_t)NS_PER_S - 1)
            return false;
    }
    if (c == text || !fraction_ns(&c, &fraction) || *c != '\0')
        return false;
    *wall_ns = seconds * (int64_t)NS_PER_S + fraction;
    return true;
}

int time_parse(const char *text, int64_t *wall_ns, struct error *err)
{
    if (text && (parse_rfc3339(text, wall_ns) || parse_seconds(text, wall_ns)))
        return 0;
    return error_set(err, ERR_INVALID, "not a time: %s (write 2026-11-23T22:00:00Z, or seconds since 1970)", text ? text : "(nothing)");
}

static int64_t unit_ns(const char **text)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"µs", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strncmp(*text, units[i].name, strlen(units[i].name)) == 0 && !(strcmp(units[i].name, "m") == 0 && (*text)[1] == 's')) {
            *text += strlen(units[i].name);
            return units[i].ns;
        }
    return 0;
}

static bool duration_part(const char **text, int64_t *ns)
{
    int64_t whole = 0, fraction = 0, scale = 1;
    const char *start = *text;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        if (whole > INT64_MAX / 10 - 10)
            return false;
        whole = whole * 10 + (**text - '0');
    }
    size_t digit_count = (size_t)(*text - start);
    if (literal(text, '.'))
        for (; **text >= '0' && **text <= '9'; (*text)++, digit_count++)
            if (scale < 1000000000) {
                fraction = fraction * 10 + (**text - '0');
                scale *= 10;
            }
    int64_t unit = digit_count == 0 ? 0 : unit_ns(text);
    if (unit == 0 || whole > (INT64_MAX / 2) / unit)
        return false;
    *ns += whole * unit + (int64_t)((double)fraction * ((double)unit / (double)scale));
    return *ns >= 0;
}

int time_parse_duration(const char *text, int64_t *ns, struct error *err)
{
    const char *c = text ? text : "";
    int64_t total = 0;
    bool negative = *c == '-';
    if (*c == '-' || *c == '+')
        c++;
    bool good = strcmp(c, "0") == 0 || *c != '\0';
    while (good && *c != '\0' && strcmp(c, "0") != 0)
        good = duration_part(&c, &total);
    if (!good)
        return error_set(err, ERR_INVALID, "not a duration: %s (write 90s, 1m30s or 300ms)", text ? text : "(nothing)");
    *ns = negative ? -total : total;
    return 0;
}

void time_format_duration(int64_t ns, char out[TIME_DURATION_SIZE])
{
    uint64_t rest = ns < 0 ? (uint64_t)0 - (uint64_t)ns : (uint64_t)ns;
    const char *sign = ns < 0 ? "-" : "";
    if (rest == 0) {
        snprintf(out, TIME_DURATION_SIZE, "0s");
        return;
    }
    uint64_t unit = rest < NS_PER_US ? 1 : rest < NS_PER_MS ? NS_PER_US : rest < NS_PER_S ? NS_PER_MS : NS_PER_S;
    const char *name = unit == 1 ? "ns" : unit == NS_PER_US ? "µs" : unit == NS_PER_MS ? "ms" : "s";
    uint64_t hours = rest / (3600 * NS_PER_S), minutes = rest / (60 * NS_PER_S) % 60;
    uint64_t whole = unit == NS_PER_S ? rest / NS_PER_S % 60 : rest / unit, fraction = rest % unit;
    char large[24] = "", small[16] = "";
    if (hours > 0)
        snprintf(large, sizeof large, "%" PRIu64 "h%" PRIu64 "m", hours, minutes);
    else if (minutes > 0)
        snprintf(large, sizeof large, "%" PRIu64 "m", minutes);
    if (fraction > 0) {
        int width = unit == NS_PER_S ? 9 : unit == NS_PER_MS ? 6 : 3;
        int length = snprintf(small, sizeof small, ".%0*" PRIu64, width, fraction);
        while (small[length - 1] == '0')
            small[--length] = '\0';
    }
    snprintf(out, TIME_DURATION_SIZE, "%s%s%" PRIu64 "%s%s", sign, large, whole, small, name);
}
