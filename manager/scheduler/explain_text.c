/* Refusals in words: SwarmKit's one line, and for each reason what was wanted, what was there and what would help. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "manager/scheduler/explain.h"

typedef struct scheduler_refusal Refusal;

static const struct {
    const char *word, *before, *behind;
} filters[] = {
#define X(name, word, before, behind) {word, before, behind},
    SCHEDULER_FILTERS(X)
#undef X
};

const char *scheduler_filter_name(enum scheduler_filter filter)
{
    return filter < SCHEDULER_FILTER_COUNT ? filters[filter].word : "none";
}

/* A text of one refusal. */
static const char *text(struct scheduler *s, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
static const char *text(struct scheduler *s, const char *format, ...)
{
    char room[SCHEDULER_REFUSAL_SIZE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(room, sizeof room, format, args);
    va_end(args);
    return arena_string(&s->arena, room);
}

static const char *name_of(const struct sched_node *node)
{
    return *node->facts.node.hostname ? node->facts.node.hostname : node->id;
}

/* Amounts. */

/* "1.5": up to three decimals, none for nothing. */
static const char *number(struct scheduler *s, double value)
{
    char room[48];
    (void)snprintf(room, sizeof room, "%.3f", value);
    size_t length = strlen(room);
    while (length > 0 && room[length - 1] == '0')
        room[--length] = '\0';
    if (length > 0 && room[length - 1] == '.')
        room[length - 1] = '\0';
    return arena_string(&s->arena, room);
}

static const char *memory(struct scheduler *s, int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while ((value >= 1024 || value <= -1024) && unit < 4) {
        value /= 1024;
        unit++;
    }
    return text(s, "%s %s", number(s, value), units[unit]);
}

static const char *amount(struct scheduler *s, uint32_t which, int64_t value)
{
    if (which == SCHED_LACKS_CPU)
        return text(s, "%s CPU", number(s, (double)value / 1e9));
    if (which == SCHED_LACKS_MEMORY)
        return memory(s, value);
    return text(s, "%" PRId64, value);
}

/* One function for each filter: what was wanted, what was there, what would help. */

static void say_ready(struct scheduler *s, const struct sched_reason *reason, Refusal *out)
{
    const char *name = name_of(reason->named[0]);
    out->wanted = "ready, and availability active";
    switch ((enum sched_unready)reason->miss.which) {
    case SCHED_PAUSED:
    case SCHED_DRAINED:
        out->got = reason->miss.which == SCHED_PAUSED ? "availability pause" : "availability drain";
        out->help = text(s, "docker node update --availability active %s", name);
        break;
    case SCHED_DOWN:
        out->got = "down";
        out->help = text(s, "bring %s back: its managers hear nothing of it", name);
        break;
    case SCHED_DISCONNECTED:
        out->got = "disconnected";
        out->help = text(s, "wait until %s has a session again", name);
        break;
    case SCHED_UNHEARD:
        out->got = "not heard of yet";
        out->help = text(s, "wait until %s has reported", name);
        break;
    }
}

static int64_t needed(const struct sched_group *group, uint32_t which)
{
    return which == SCHED_LACKS_CPU      ? group->cpu
           : which == SCHED_LACKS_MEMORY ? group->memory
                                         : group->generics[which - SCHED_LACKS_GENERIC].amount;
}

static void say_resource(struct scheduler *s, const struct sched_group *group, const struct sched_reason *reason, Refusal *out)
{
    uint32_t which = reason->miss.which;
    const struct sched_node *nearest = reason->named[0];
    int64_t need = needed(group, which), got = reason->miss.got;
    const char *what = which == SCHED_LACKS_CPU      ? "cpu"
                       : which == SCHED_LACKS_MEMORY ? "memory"
                                                     : group->generics[which - SCHED_LACKS_GENERIC].kind;
    int64_t total = which == SCHED_LACKS_CPU ? nearest->cpu_total : which == SCHED_LACKS_MEMORY ? nearest->memory_total : INT64_MAX;
    const char *need_text = amount(s, which, need), *got_text = amount(s, which, got), *lack = amount(s, which, need - got);
    if (strcmp(need_text, got_text) == 0) { /* so near that rounding hides it */
        need_text = text(s, "%" PRId64, need);
        got_text = text(s, "%" PRId64, got);
    }
    out->wanted = text(s, "%s: %s", what, need_text);
    out->got = text(s, "%s%s free", reason->node_count > 1 ? "at most " : "", got_text);
    if (total < need || which >= SCHED_LACKS_GENERIC)
        out->help =
            got > 0 ? text(s, "reserve at most %s, or add a node with %s", got_text, need_text) : text(s, "add a node with %s", need_text);
    else if (got > 0)
        out->help = text(s, "free %s on %s, or reserve at most %s", lack, name_of(nearest), got_text);
    else
        out->help = text(s, "free %s on %s", lack, name_of(nearest));
}

static void say_plugin(struct scheduler *s, const struct sched_reason *reason, Refusal *out)
{
    out->wanted = text(s, "%s plugin %s", reason->miss.a, reason->miss.b);
    out->got = "not there";
    out->help = text(s, "install it on %s", name_of(reason->named[0]));
}

static void say_constraint(struct scheduler *s, const struct sched_group *group, const struct sched_reason *reason, Refusal *out)
{
    if (reason->miss.which == UINT32_MAX) {
        out->wanted = "constraints that can be read";
        out->got = "one that cannot";
        out->help = "correct the service's constraints";
        return;
    }
    const struct constraint *constraint = &group->rules->constraints.items[reason->miss.which];
    const char *name = name_of(reason->named[0]);
    out->wanted = text(s, "%s", constraint->text);
    out->got = text(s, "\"%s\"", reason->miss.a);
    if (constraint->key == CONSTRAINT_UNKNOWN)
        out->help = "no node has such a key: the constraint never holds";
    else if (constraint->key == CONSTRAINT_NODE_LABEL && constraint->is_negated)
        out->help = text(s, "docker node update --label-rm %s %s", constraint->label, name);
    else if (constraint->key == CONSTRAINT_NODE_LABEL)
        out->help = text(s, "docker node update --label-add %s=%s %s", constraint->label, constraint->value, name);
    else if (constraint->key == CONSTRAINT_ENGINE_LABEL)
        out->help = text(s, "change the engine's label on %s, or the constraint", name);
    else
        out->help = "add a node for which it holds, or change the constraint";
}

/* "windows/amd64 10.0.20348.2113" */
static const char *platform(struct scheduler *s, const char *os, const char *architecture, const char *version)
{
    return text(s, "%s/%s%s%s", *os ? os : "any", *architecture ? isolation_architecture_normal(architecture) : "any", *version ? " " : "",
                version);
}

static const char *platforms(struct scheduler *s, const struct scheduler_platform *list, size_t count)
{
    const char *all = "";
    for (size_t i = 0; i < count && strlen(all) < SCHEDULER_REFUSAL_SIZE_BYTES / 2; i++)
        all = text(s, "%s%s%s", all, i == 0 ? "" : ", ", platform(s, list[i].os, list[i].architecture, list[i].os_version));
    return all;
}

static void say_platform(struct scheduler *s, const struct sched_group *group, const struct sched_reason *reason, Refusal *out)
{
    const struct sched_rules *rules = group->rules;
    const struct sched_facts *facts = &reason->named[0]->facts;
    struct isolation_verdict verdict = {0};
    char why[SCHEDULER_REFUSAL_SIZE_BYTES] = "";
    bool is_placement = sched_rules_judge(rules, facts, &verdict, why, sizeof why);
    bool is_isolation = !is_placement && verdict.failed == ISOLATION_KIND;
    if (!is_placement && facts->reports_isolation)
        out->rule = text(s, "%s", why);
    enum isolation wish = rules->wish != ISOLATION_DEFAULT ? rules->wish : facts->preferred;
    const char *under = is_isolation ? text(s, " under %s", isolation_name(wish)) : "";

    if (is_placement || rules->image_count == 0)
        out->wanted = text(s, "%s%s%s", rules->platform_count > 0 ? "platform " : "", platforms(s, rules->platforms, rules->platform_count),
                           rules->platform_count > 0 ? under : text(s, "isolation %s", isolation_name(wish)));
    else
        out->wanted = text(s, "image %s%s", platforms(s, rules->images, rules->image_count), under);
    out->got =
        text(s, "host %s%s", facts->has_platform ? platform(s, facts->node.os, facts->node.architecture, facts->os_version) : "unknown",
             !facts->reports_isolation                       ? ""
             : facts->offers_process && facts->offers_hyperv ? ", with process and hyperv"
             : facts->offers_process                         ? ", with process"
             : facts->offers_hyperv                          ? ", with hyperv"
                                                             : ", without isolation");
    if (is_isolation && verdict.hyperv_would_work)
        out->help = "would run with isolation hyperv";
    else
        out->help = is_placement ? "add a node of a platform that the image is for" : text(s, "%s", why);
}

static void say_port(struct scheduler *s, const struct sched_reason *reason, Refusal *out)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    uint32_t protocol = reason->miss.which >> 16;
    out->wanted = text(s, "port %u/%s", reason->miss.which & 0xffff, protocol < 3 ? protocols[protocol] : "?");
    out->got = "in use by another task";
    out->help = text(s, "publish another port, or stop what holds it on %s", name_of(reason->named[0]));
}

static void say(struct scheduler *s, const struct sched_group *group, const struct sched_reason *reason, Refusal *out)
{
    *out = (Refusal){.filter = reason->miss.filter, .node_count = reason->node_count, .wanted = "", .got = "", .rule = "", .help = ""};
    for (size_t i = 0; i < reason->named_count; i++)
        out->nodes[out->named_count++] = text(s, "%s", name_of(reason->named[i]));
    switch (reason->miss.filter) {
    case SCHEDULER_FILTER_READY:
        say_ready(s, reason, out);
        break;
    case SCHEDULER_FILTER_RESOURCE:
        say_resource(s, group, reason, out);
        break;
    case SCHEDULER_FILTER_PLUGIN:
        say_plugin(s, reason, out);
        break;
    case SCHEDULER_FILTER_CONSTRAINT:
        say_constraint(s, group, reason, out);
        break;
    case SCHEDULER_FILTER_PLATFORM:
        say_platform(s, group, reason, out);
        break;
    case SCHEDULER_FILTER_HOST_PORT:
        say_port(s, reason, out);
        break;
    case SCHEDULER_FILTER_MAX_REPLICAS:
        out->wanted = text(s, "at most %" PRIu64 " tasks of the service on a node", group->max_replicas);
        out->got = "as many there";
        out->help = text(s, "docker service update --replicas-max-per-node %" PRIu64, group->max_replicas + 1);
        break;
    case SCHEDULER_FILTER_VOLUMES:
        out->wanted = "a cluster volume";
        out->got = "no CSI plugin";
        break;
    case SCHEDULER_FILTER_COUNT:
        break;
    }
}

uint32_t sched_text_hash(const char *refusal)
{
    return (uint32_t)sched_hash(refusal, strlen(refusal), 0);
}

uint32_t sched_refusal_hash(enum scheduler_filter filter)
{
    char room[SCHEDULER_REFUSAL_SIZE_BYTES];
    const char *behind = filters[filter].behind;
    (void)snprintf(room, sizeof room, "%s%s%s", filters[filter].before, behind ? "1 node" : "", behind ? behind : "");
    return sched_text_hash(room);
}

/* SwarmKit's line: most frequent first, and of equals in the order of the filters. */
static const char *counts_text(struct scheduler *s, const uint32_t counts[])
{
    uint32_t left[SCHEDULER_FILTER_COUNT];
    const char *all = "";
    memcpy(left, counts, sizeof left);
    for (;;) {
        size_t most = 0;
        for (size_t i = 1; i < SCHEDULER_FILTER_COUNT; i++)
            if (left[i] > left[most])
                most = i;
        uint32_t n = left[most];
        if (n == 0)
            return all;
        left[most] = 0;
        const char *glue = *all ? "; " : "";
        if (filters[most].behind)
            all = arena_format(&s->arena, "%s%s%s%u node%s%s", all, glue, filters[most].before, n, n == 1 ? "" : "s", filters[most].behind);
        else
            all = arena_format(&s->arena, "%s%s%s", all, glue, filters[most].before);
    }
}

/* "web1, web2: isolation process: …": what no other line of the task would say. Of several kinds of host the first few. */
static const char *rules_text(struct scheduler *s, const Refusal *refusals, size_t count)
{
    const char *all = "";
    size_t told = 0;
    for (size_t i = 0; i < count && told < SCHEDULER_REFUSAL_NODES_COUNT; i++) {
        const Refusal *refusal = &refusals[i];
        if (!*refusal->rule)
            continue;
        all = arena_format(&s->arena, "%s%s", all, told++ ? " | " : ": ");
        for (size_t k = 0; k < refusal->named_count; k++)
            all = arena_format(&s->arena, "%s%s%s", all, k == 0 ? "" : ", ", refusal->nodes[k]);
        all = arena_format(&s->arena, "%s%s: %s", all, refusal->node_count > refusal->named_count ? ", …" : "", refusal->rule);
    }
    return all;
}

struct scheduler_explanation *sched_explanation_of(struct scheduler *s, const struct sched_group *group,
                                                   const struct sched_reasons *reasons, bool is_group)
{
    struct scheduler_explanation *explanation = arena_alloc(&s->arena, sizeof *explanation);
    Refusal *refusals = arena_alloc(&s->arena, (reasons->count + 1) * sizeof *refusals);
    const char *counts = counts_text(s, reasons->counts);

    for (size_t i = 0; i < reasons->count; i++)
        say(s, group, &reasons->items[i], &refusals[i]);
    const char *rules = rules_text(s, refusals, reasons->count);
    *explanation = (struct scheduler_explanation){.text = arena_format(&s->arena, "%s%s", counts, rules),
                                                  .refusals = refusals,
                                                  .refusal_count = reasons->count,
                                                  .node_count = reasons->node_count,
                                                  .left_out_count = reasons->left_out_count};
    if (is_group)
        explanation->text = *counts ? arena_format(&s->arena, "no suitable node (%s)%s", counts, rules) : "no suitable node";
    return explanation;
}

void scheduler_explanation_print(const struct scheduler_explanation *explanation, struct buf *out)
{
    size_t end = out->size + SCHEDULER_EXPLANATION_BYTES;
    buf_append_format(out, "%s\n", explanation->text);
    for (size_t i = 0; i < explanation->refusal_count; i++) {
        const Refusal *refusal = &explanation->refusals[i];
        size_t before = out->size;
        buf_append_format(out, "  %s: %u node%s (", scheduler_filter_name(refusal->filter), refusal->node_count,
                          refusal->node_count == 1 ? "" : "s");
        for (size_t k = 0; k < refusal->named_count; k++)
            buf_append_format(out, "%s%s", k == 0 ? "" : ", ", refusal->nodes[k]);
        buf_append_format(out, "%s): wanted %s; got %s%s%s\n", refusal->node_count > refusal->named_count ? ", …" : "", refusal->wanted,
                          refusal->got, *refusal->help ? "; " : "", refusal->help);
        if (out->size > end - 64) { /* room for the last line */
            out->size = before;
            out->data[before] = '\0';
            buf_append_format(out, "  … and %zu more reasons\n", explanation->refusal_count - i);
            return;
        }
    }
    if (explanation->left_out_count > 0)
        buf_append_format(out, "  … and %u more nodes\n", explanation->left_out_count);
}
