/* manager/scheduler/rules.h – the wishes of a task whose answer on a node does not change while tasks come and go: plugins, constraints,
 * platform, Windows build and isolation. Equal wishes are one struct, and its answers are kept, a byte per node. */
#ifndef SKEP_MANAGER_SCHEDULER_RULES_H
#define SKEP_MANAGER_SCHEDULER_RULES_H

#include "manager/scheduler/constraint.h"
#include "manager/scheduler/scheduler.h"

struct Docker__Swarmkit__V1__Task;
struct scheduler;
struct sched_group;

struct sched_plugin {
    const char *type, *name; /* "Volume", "rexray/ebs:latest"; kept */
};

/* What a node says of itself. Strings are kept. */
struct sched_facts {
    struct constraint_node node;
    bool has_platform, has_engine, has_log_plugins;
    struct sched_plugin *plugins;
    size_t plugin_count;
    bool reports_isolation; /* a Skep node; one of Docker goes by its platform alone */
    bool offers_process, offers_hyperv;
    enum isolation preferred;
    const char *os_version; /* "10.0.20348.2113", or "" */
};

/* What an image is for. Known by its groups, and by scheduler_image_set(). */
struct sched_image {
    const char *reference;                /* kept */
    struct scheduler_platform *platforms; /* strings kept; none: not known */
    size_t platform_count;
    bool is_awaited; /* what it is for is about to be known */
    struct sched_group *groups;
};

struct sched_rules {
    char *key; /* the wishes as text: equal keys are equal rules */
    size_t use_count;
    struct arena arena; /* holds what follows */
    char **constraint_texts;
    size_t constraint_count;
    struct constraints constraints;
    bool is_malformed; /* the constraints: then no node will do */
    char **volume_plugins, **network_plugins;
    size_t volume_plugin_count, network_plugin_count;
    char *log_plugin;                     /* "" where any will do */
    struct scheduler_platform *platforms; /* of the placement; os_version is "" */
    size_t platform_count;
    struct scheduler_platform *images;
    size_t image_count;
    enum isolation wish;

    uint8_t *verdicts; /* by node; 0: not asked yet */
    size_t verdict_count;
};

/* A verdict: the first filter that fails (SCHEDULER_FILTER_COUNT: none) plus one, and the isolation that was chosen. */
static inline enum scheduler_filter sched_verdict_filter(uint8_t verdict)
{
    return (enum scheduler_filter)((verdict & 15) - 1);
}
static inline enum isolation sched_verdict_isolation(uint8_t verdict)
{
    return (enum isolation)(verdict >> 4);
}

/* The rules of a task and its image (may be NULL), counted once more. */
struct sched_rules *sched_rules_of(struct scheduler *s, const struct Docker__Swarmkit__V1__Task *task, const struct sched_image *image);

/* The same for another knowledge of the image. */
struct sched_rules *sched_rules_with_image(struct scheduler *s, const struct sched_rules *rules, const struct sched_image *image);

void sched_rules_let_go(struct scheduler *s, struct sched_rules *rules);
void sched_rules_free(struct scheduler *s, struct sched_rules *rules);

uint8_t sched_rules_ask(struct scheduler *s, struct sched_rules *rules, uint32_t node); /* its answer is kept afterwards */
void sched_rules_forget_node(struct scheduler *s, uint32_t node);                       /* its facts changed */

/* One volume, network or log plugin that is missing; @type is "Volume", "Network" or "Log". False: none is. */
bool sched_rules_missing_plugin(const struct sched_rules *rules, const struct sched_facts *facts, const char **type, const char **name);

/* Would the host of these facts run the best of the images? Where not, @why says why not and @verdict what the rule says. */
bool sched_rules_judge(const struct sched_rules *rules, const struct sched_facts *facts, struct isolation_verdict *verdict, char *why,
                       size_t size);

#endif
