/* Placement preferences: nodes form a tree by the values of labels, one level a preference, and each task goes down the branches that have
 * the fewest of the service. A branch that is full leaves the tree, and the others share what it cannot take. Below the last level the
 * choice is as without preferences. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "manager/scheduler/inside.h"

struct branch {
    const char *value; /* kept: equal pointers are equal values */
    uint32_t parent;
    uint32_t tasks;       /* of the service, on all its nodes */
    uint64_t load, nodes; /* active tasks of any service, and nodes: the emptier of two equals is first */
    uint32_t *children;   /* a heap, by tasks; the full ones are taken out */
    uint32_t child_count;
    struct sched_pool pool; /* of a leaf */
};

struct tree {
    struct branch *branches; /* the first is the root */
    uint32_t count, capacity;
    uint32_t *slots; /* (parent, value) → branch, plus one; open addressing */
    uint32_t slot_count;
    uint32_t *leaves; /* of each node, by index */
};

static uint32_t slot_of(const struct tree *tree, uint32_t parent, const char *value)
{
    uintptr_t pointer = (uintptr_t)value;
    uint32_t mask = tree->slot_count - 1, i = (uint32_t)sched_hash(&pointer, sizeof pointer, parent) & mask;
    while (tree->slots[i] != 0 &&
           (tree->branches[tree->slots[i] - 1].parent != parent || tree->branches[tree->slots[i] - 1].value != value))
        i = (i + 1) & mask;
    return i;
}

static void grow_slots(struct tree *tree)
{
    free(tree->slots);
    tree->slot_count = tree->slot_count ? 2 * tree->slot_count : 64;
    tree->slots = mem_array(tree->slot_count, sizeof *tree->slots);
    for (uint32_t i = 1; i < tree->count; i++)
        tree->slots[slot_of(tree, tree->branches[i].parent, tree->branches[i].value)] = i + 1;
}

static uint32_t new_branch(struct tree *tree, uint32_t parent, const char *value)
{
    SCHED_GROW(tree->branches, tree->count, tree->capacity);
    tree->branches[tree->count] = (struct branch){.value = value, .parent = parent};
    return tree->count++;
}

static uint32_t need_branch(struct tree *tree, uint32_t parent, const char *value)
{
    if (2 * (tree->count + 1) > tree->slot_count)
        grow_slots(tree);
    uint32_t slot = slot_of(tree, parent, value);
    if (tree->slots[slot] == 0) {
        uint32_t branch = new_branch(tree, parent, value);
        tree->slots[slot] = branch + 1;
        tree->branches[parent].child_count++;
    }
    return tree->slots[slot] - 1;
}

static const char *label_of(const struct scheduler *s, const struct sched_node *node, const struct sched_preference *preference)
{
    const struct constraint_node *facts = &node->facts.node;
    const struct constraint_label *labels = preference->is_engine ? facts->engine_labels : facts->labels;
    size_t count = preference->is_engine ? facts->engine_label_count : facts->label_count;
    for (size_t i = 0; i < count; i++)
        if (labels[i].key == preference->label) /* both are kept */
            return labels[i].value;
    return sched_strings_find(&s->strings, "");
}

/* Every node counts in its branches, also one that takes no tasks now. */
static void add_node(struct scheduler *s, struct tree *tree, const struct sched_group *group, const struct sched_node *node)
{
    uint32_t branch = 0, tasks = sched_presence_count(&group->service->presence, node->index);
    for (size_t level = 0;; level++) {
        tree->branches[branch].tasks += tasks;
        tree->branches[branch].load += s->loads[node->index].active_count;
        tree->branches[branch].nodes++;
        if (level == group->preference_count)
            break;
        branch = need_branch(tree, branch, label_of(s, node, &group->preferences[level]));
    }
    tree->leaves[node->index] = branch;
}

/* The heap of a branch's children. */

static bool is_before(const struct tree *tree, uint32_t a, uint32_t b)
{
    const struct branch *x = &tree->branches[a], *y = &tree->branches[b];
    if (x->tasks != y->tasks)
        return x->tasks < y->tasks;
    return x->load * y->nodes < y->load * x->nodes;
}

static void sift_down(struct tree *tree, struct branch *branch, uint32_t i)
{
    uint32_t moved = branch->children[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= branch->child_count)
            break;
        if (child + 1 < branch->child_count && is_before(tree, branch->children[child + 1], branch->children[child]))
            child++;
        if (!is_before(tree, branch->children[child], moved))
            break;
        branch->children[i] = branch->children[child];
        i = child;
    }
    branch->children[i] = moved;
}

/* @room has a place for each branch. */
static void hang_children(struct tree *tree, uint32_t *room)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        tree->branches[i].children = room;
        room += tree->branches[i].child_count;
        tree->branches[i].child_count = 0;
    }
    for (uint32_t i = 1; i < tree->count; i++) {
        struct branch *parent = &tree->branches[tree->branches[i].parent];
        parent->children[parent->child_count++] = i;
    }
    for (uint32_t i = 0; i < tree->count; i++)
        for (uint32_t k = tree->branches[i].child_count / 2; k-- > 0;)
            sift_down(tree, &tree->branches[i], k);
}

/* The pools of the leaves, from the nodes that may take a task. */

static void add_candidates(struct scheduler *s, struct tree *tree, const struct sched_group *group, const uint32_t *nodes, size_t count)
{
    struct sched_candidate *room = sched_candidates(s, count + 1);
    for (size_t i = 0; i < count; i++)
        tree->branches[tree->leaves[nodes[i]]].pool.count++;
    for (uint32_t i = 0; i < tree->count; i++) {
        tree->branches[i].pool.items = room;
        room += tree->branches[i].pool.count;
        tree->branches[i].pool.count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct sched_pool *pool = &tree->branches[tree->leaves[nodes[i]]].pool;
        pool->items[pool->count++] = (struct sched_candidate){sched_candidate_key(s, group, nodes[i]), nodes[i]};
    }
    for (uint32_t i = 0; i < tree->count; i++)
        sched_pool_build(&tree->branches[i].pool);
}

/* Those that fit of all, or of the hinted ones, each once; freed by the caller. */
static uint32_t *fitting_nodes(struct scheduler *s, struct sched_group *group, size_t *count)
{
    bool is_for_all = group->is_for_all;
    size_t total = is_for_all ? s->order.count : group->hint_count;
    uint32_t *nodes = mem_array(total + 1, sizeof *nodes);
    uint8_t *has = mem_alloc(s->node_limit + 1);
    *count = 0;
    for (size_t i = 0; i < total; i++) {
        uint32_t node = is_for_all ? s->order.nodes[i] : group->hints[i];
        if (has[node] || !sched_fits(s, group, node))
            continue;
        has[node] = 1;
        nodes[(*count)++] = node;
    }
    free(has);
    return nodes;
}

/* One task below @index. The depth is bounded by SCHEDULER_PREFERENCES_COUNT. */
static bool place_below(struct scheduler *s, struct tree *tree, struct sched_group *group, uint32_t index)
{
    struct branch *branch = &tree->branches[index];
    if (branch->child_count == 0)
        return sched_pool_place(s, group, &branch->pool);
    while (branch->child_count > 0) {
        uint32_t child = branch->children[0];
        bool is_placed = place_below(s, tree, group, child);
        if (is_placed) {
            tree->branches[child].tasks++;
            tree->branches[child].load++;
        } else {
            branch->children[0] = branch->children[--branch->child_count];
        }
        if (branch->child_count > 0)
            sift_down(tree, branch, 0);
        if (is_placed)
            return true;
    }
    return false;
}

static void plant(struct scheduler *s, struct tree *tree, struct sched_group *group)
{
    tree->leaves = mem_array(s->node_limit + 1, sizeof *tree->leaves);
    new_branch(tree, 0, NULL);
    for (uint32_t i = 0; i < s->node_limit; i++)
        if (s->nodes[i] && s->nodes[i]->is_known)
            add_node(s, tree, group, s->nodes[i]);
}

bool sched_spread(struct scheduler *s, struct sched_group *group)
{
    struct tree tree = {0};
    size_t count;
    bool is_full = false;

    uint32_t *nodes = fitting_nodes(s, group, &count);
    if (count > 0)
        plant(s, &tree, group);
    uint32_t *children = mem_array((size_t)tree.count + 1, sizeof *children);
    if (count > 0) {
        hang_children(&tree, children);
        add_candidates(s, &tree, group, nodes, count);
    }
    while (group->pending && s->budget > 0 && !is_full)
        is_full = count == 0 || !place_below(s, &tree, group, 0);
    free(children);
    free(nodes);
    free(tree.leaves);
    free(tree.slots);
    free(tree.branches);
    return is_full || !group->pending;
}
