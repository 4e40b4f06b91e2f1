/* tests/sim/cluster/clients.c – who asks a manager for services and drains nodes, and the ledger of what was acknowledged. Each service has
 * one client, who asks for one thing at a time; an answer may be lost after what was asked has taken effect. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

#define TIMEOUT_US UINT64_C(20000000)
enum { ROLLBACK = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__ROLLBACK };
enum { ASK_CREATE, ASK_UPDATE, ASK_REMOVE, ASK_NODE };

/* One question on its way, and its answer. */
struct asking {
    struct cluster *cluster;
    unsigned client, manager;
    uint64_t attempt;
    int what, service, node, availability;
    char zone; /* the label that the node gets; 0: as it is */
    struct wish wish;
    char service_id[ID_SIZE_CHARS + 1]; /* answered to a creation */
    struct error err;                   /* code 0: done */
};

static void act(struct sim *sim, struct sim_event *event);

static void again(struct client *client, struct cluster *cluster, uint64_t after_us)
{
    cluster_push(cluster, (struct sim_event){.fn = act, .a = client->number}, after_us);
}

/* --- the ledger --- */

struct service_entry *clients_service(struct cluster *cluster, const char *name)
{
    for (unsigned i = 0; i < cluster->services_count; i++)
        if (text_equal(cluster->services[i].name, name))
            return &cluster->services[i];
    return NULL;
}

/* What was acknowledged last, or any that was asked for since, whatever became of it. */
bool clients_may_have(const struct service_entry *entry, unsigned generation)
{
    if (entry->is_acknowledged && entry->wish.generation == generation)
        return true;
    for (size_t i = 0; i < entry->attempts_count; i++)
        if (entry->attempts[i].generation == generation)
            return true;
    return false;
}

void clients_rolled_back(struct service_entry *entry)
{
    entry->wish = entry->previous;
    entry->is_acknowledged = true;
}

static void forget_attempt(struct service_entry *entry, unsigned generation)
{
    for (size_t i = 0; i < entry->attempts_count; i++)
        if (entry->attempts[i].generation == generation) {
            entry->attempts[i] = entry->attempts[--entry->attempts_count];
            return;
        }
}

static void acknowledge_service(struct cluster *cluster, struct service_entry *entry, const struct asking *asking)
{
    if (asking->what == ASK_REMOVE) {
        entry->is_removed = true;
        if (entry->is_in_store)
            sim_violated(cluster->sim, "what is acknowledged was done", "%s was removed, and is there", entry->name);
        return;
    }
    bool is_undone = asking->wish.action == ROLLBACK && entry->previous.generation == asking->wish.generation;
    if (is_undone) { /* rolled back by the time the answer came */
        forget_attempt(entry, asking->wish.generation);
        return;
    }
    entry->is_acknowledged = true;
    entry->wish = asking->wish;
    entry->attempts_count = 0;
    if (asking->what == ASK_CREATE)
        snprintf(entry->id, sizeof entry->id, "%s", asking->service_id);
    if (!entry->is_in_store || entry->generation_in_store != asking->wish.generation)
        sim_violated(cluster->sim, "what is acknowledged was done", "%s: wish %u was answered, wish %u is there", entry->name,
                     asking->wish.generation, entry->is_in_store ? entry->generation_in_store : 0);
}

static void acknowledge_node(struct cluster *cluster, const struct asking *asking)
{
    struct node_entry *entry = &cluster->nodes[asking->node];

    entry->availability = asking->availability;
    entry->attempts_count = 0;
}

static void forget_node_attempt(struct node_entry *entry, int availability)
{
    for (size_t i = 0; i < entry->attempts_count; i++)
        if (entry->attempts[i] == availability) {
            entry->attempts[i] = entry->attempts[--entry->attempts_count];
            return;
        }
}

/* An error that says for certain that nothing was done. */
static bool is_refusal(const struct error *err)
{
    return err->code != ERR_CANCELED && err->code != ERR_DEADLINE;
}

static void refused(struct cluster *cluster, const struct asking *asking)
{
    if (!is_refusal(&asking->err))
        return;
    if (asking->what == ASK_NODE)
        forget_node_attempt(&cluster->nodes[asking->node], asking->availability);
    else if (asking->what != ASK_REMOVE)
        forget_attempt(&cluster->services[asking->service], asking->wish.generation);
}

static void note(struct cluster *cluster, const struct asking *asking)
{
    if (asking->err.code != 0) {
        refused(cluster, asking);
        return;
    }
    cluster->acknowledged++;
    cluster->sim->ops_count++;
    if (asking->what == ASK_NODE)
        acknowledge_node(cluster, asking);
    else
        acknowledge_service(cluster, &cluster->services[asking->service], asking);
}

/* --- the answer --- */

static void answered(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);
    const struct asking *asking = event->ctx;
    struct client *client = &cluster->clients[asking->client];

    if (!client->is_waiting || client->attempt != asking->attempt)
        return;
    cluster_say(cluster, "client", "%u has its answer: %s", client->number, asking->err.code ? asking->err.message : "done");
    client->is_waiting = false;
    note(cluster, asking);
    bool hurries = asking->what == ASK_NODE && cluster->plan.hurries;
    again(client, cluster, 1 + cluster_below(cluster, hurries ? 20000 : cluster->plan.think_us));
}

/* The answer leaves, or is lost. */
static void answer(struct asking *asking)
{
    struct cluster *cluster = asking->cluster;
    bool is_lost = !cluster->sim->is_calm && cluster_chance(cluster, 2 * cluster->plan.loss_percent);

    if (is_lost || cluster->managers[asking->manager].is_dying)
        free(asking);
    else
        cluster_push(cluster, (struct sim_event){.fn = answered, .ctx = asking}, wire_delay_us(cluster));
}

static void done(void *ctx, const struct control_answer *told)
{
    struct asking *asking = ctx;

    if (told->err)
        asking->err = *told->err;
    else if (asking->what == ASK_CREATE)
        snprintf(asking->service_id, sizeof asking->service_id, "%s",
                 ((const Docker__Swarmkit__V1__CreateServiceResponse *)(const void *)told->response)->service->id);
    answer(asking);
}

/* --- at the manager --- */

static void ask_create(struct control *control, struct asking *asking)
{
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__CreateServiceRequest request = DOCKER__SWARMKIT__V1__CREATE_SERVICE_REQUEST__INIT;

    request.spec = services_spec(asking->cluster, asking->cluster->services[asking->service].name, &asking->wish, &arena);
    control_create_service(control, &request, done, asking);
}

static const Service *find_service(struct manager_process *manager, const char *name)
{
    struct store_cursor cursor;

    store_find(replica_store(manager->replica), STORE_SERVICE, STORE_BY_NAME, name, &cursor);
    return (const void *)store_next(&cursor);
}

static void not_there(struct asking *asking)
{
    error_set(&asking->err, ERR_NOT_FOUND, "there is no such service");
    answer(asking);
}

static void ask_update(struct manager_process *manager, struct asking *asking)
{
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__UpdateServiceRequest request = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__INIT;
    const Service *service = find_service(manager, asking->cluster->services[asking->service].name);

    if (!service) {
        not_there(asking);
        return;
    }
    request.service_id = service->id;
    request.service_version = service->meta->version;
    request.spec = services_spec(asking->cluster, service->spec->annotations->name, &asking->wish, &arena);
    control_update_service(manager->control, &request, done, asking);
}

static void ask_remove(struct manager_process *manager, struct asking *asking)
{
    Docker__Swarmkit__V1__RemoveServiceRequest request = DOCKER__SWARMKIT__V1__REMOVE_SERVICE_REQUEST__INIT;
    const Service *service = find_service(manager, asking->cluster->services[asking->service].name);

    if (!service) {
        not_there(asking);
        return;
    }
    request.service_id = service->id;
    control_remove_service(manager->control, &request, done, asking);
}

static void ask_node(struct manager_process *manager, struct asking *asking)
{
    Docker__Swarmkit__V1__UpdateNodeRequest request = DOCKER__SWARMKIT__V1__UPDATE_NODE_REQUEST__INIT;
    const Node *node = store_node(replica_store(manager->replica), asking->cluster->agents[asking->node].node_id);

    if (!node) {
        not_there(asking);
        return;
    }
    Docker__Swarmkit__V1__NodeSpec spec = *node->spec;
    Docker__Swarmkit__V1__Annotations annotations = *node->spec->annotations;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels = &label;
    char key[] = "zone", value[] = {asking->zone, 0};
    request.node_id = node->id;
    request.node_version = node->meta->version;
    request.spec = &spec;
    spec.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)asking->availability;
    if (asking->zone) {
        label.key = key;
        label.value = value;
        annotations.labels = &labels;
        annotations.n_labels = 1;
        spec.annotations = &annotations;
    }
    control_update_node(manager->control, &request, done, asking);
}

static void arrive(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);
    struct asking *asking = event->ctx;
    struct manager_process *manager = &cluster->managers[asking->manager];

    if (!manager->is_up)
        return;
    event->ctx = NULL;
    if (!manager_leads(manager)) {
        error_set(&asking->err, ERR_UNAVAILABLE, "this manager does not lead");
        answer(asking);
    } else if (asking->what == ASK_CREATE) {
        ask_create(manager->control, asking);
    } else if (asking->what == ASK_UPDATE) {
        ask_update(manager, asking);
    } else if (asking->what == ASK_REMOVE) {
        ask_remove(manager, asking);
    } else {
        ask_node(manager, asking);
    }
}

/* --- the client --- */

static unsigned choose_manager(struct cluster *cluster)
{
    unsigned leader = sim_leader(cluster->sim);

    return leader != 0 && cluster_chance(cluster, 80) ? leader : 1 + (unsigned)cluster_below(cluster, cluster->plan.managers_count);
}

static void ask(struct client *client, struct cluster *cluster, const struct asking *wanted)
{
    static const char *const words[] = {"create", "update", "remove", "set the node's availability"};
    struct asking *asking = mem_copy(wanted, sizeof *wanted);

    asking->cluster = cluster;
    asking->client = client->number;
    asking->manager = choose_manager(cluster);
    asking->attempt = ++cluster->attempts;
    client->is_waiting = true;
    client->attempt = asking->attempt;
    cluster_say(cluster, "client", "%u asks manager %u: %s %s, wish %u: %u of image %u", client->number, asking->manager,
                words[asking->what],
                asking->what == ASK_NODE ? cluster->agents[asking->node].hostname : cluster->services[asking->service].name,
                asking->wish.generation, asking->wish.replicas, asking->wish.image);
    cluster_push(cluster, (struct sim_event){.fn = arrive, .node = asking->manager, .ctx = asking}, wire_delay_us(cluster));
}

static void attempt_service(struct client *client, struct cluster *cluster, int service, int what, const struct wish *wish)
{
    struct service_entry *entry = &cluster->services[service];

    if (what != ASK_REMOVE) {
        if (entry->attempts_count == ATTEMPTS_COUNT) {
            again(client, cluster, 60000000);
            return;
        }
        entry->attempts[entry->attempts_count++] = *wish;
    }
    entry->may_be_removed = entry->may_be_removed || what == ASK_REMOVE;
    ask(client, cluster, &(struct asking){.what = what, .service = service, .wish = *wish});
}

static void create(struct client *client, struct cluster *cluster)
{
    static const enum service_mode modes[] = {MODE_REPLICATED, MODE_REPLICATED, MODE_REPLICATED, MODE_GLOBAL, MODE_JOB, MODE_GLOBAL_JOB};
    unsigned number = cluster->services_count++;
    struct service_entry *entry = &cluster->services[number];

    *entry = (struct service_entry){.client = client->number, .is_wished = true};
    snprintf(entry->name, sizeof entry->name, "service%u", number + 1);
    entry->wish = services_draw(cluster, modes[cluster_below(cluster, sizeof modes / sizeof modes[0])]);
    attempt_service(client, cluster, (int)number, ASK_CREATE, &entry->wish);
}

static int choose_service(const struct client *client, struct cluster *cluster)
{
    int own[CLUSTER_SERVICES_COUNT], count = 0;

    for (unsigned i = 0; i < cluster->services_count; i++)
        if (cluster->services[i].client == client->number && !(cluster->services[i].may_be_removed && !cluster->services[i].is_in_store))
            own[count++] = (int)i;
    return count > 0 ? own[cluster_below(cluster, (uint64_t)count)] : -1;
}

static void change_service(struct client *client, struct cluster *cluster, int number)
{
    struct service_entry *entry = &cluster->services[number];
    struct wish wish = entry->wish;

    if (entry->may_be_removed || (cluster_chance(cluster, 15) && !cluster->sim->is_calm)) {
        attempt_service(client, cluster, number, ASK_REMOVE, &wish);
        return;
    }
    if (!entry->is_acknowledged && !entry->is_in_store) { /* nobody knows whether it was created */
        wish.generation = ++cluster->generations;
        attempt_service(client, cluster, number, ASK_CREATE, &wish);
        return;
    }
    if (entry->is_in_store && services_wish(entry, entry->generation_in_store))
        wish = *services_wish(entry, entry->generation_in_store);
    services_change(cluster, &wish);
    attempt_service(client, cluster, number, ASK_UPDATE, &wish);
}

static void set_node(struct client *client, struct cluster *cluster, int node, int availability)
{
    struct node_entry *entry = &cluster->nodes[node];

    if (entry->attempts_count == ATTEMPTS_COUNT) {
        again(client, cluster, 60000000);
        return;
    }
    entry->attempts[entry->attempts_count++] = availability;
    char zone = cluster->plan.has_zones && !cluster->sim->is_calm ? (char)('a' + cluster_below(cluster, 2)) : 0;
    ask(client, cluster, &(struct asking){.what = ASK_NODE, .node = node, .availability = availability, .zone = zone});
}

/* Only one client sees to the nodes, so that what is acknowledged is what is there. */
static int node_to_change(struct client *client, struct cluster *cluster)
{
    if (client->number != 0)
        return -1;
    unsigned percent = cluster->plan.hurries ? 90 : cluster->plan.drain_percent;
    if (!cluster->sim->is_calm)
        return cluster_chance(cluster, percent) ? (int)cluster_below(cluster, cluster->plan.agents_count) : -1;
    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        if (cluster->nodes[i].availability != 0 || cluster->nodes[i].attempts_count > 0)
            return (int)i;
    return -1;
}

/* When the faults have ended: what was begun is brought to an end, what fails is mended, and nothing new is asked. */
static int service_to_end(const struct client *client, const struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->services_count; i++) {
        const struct service_entry *entry = &cluster->services[i];
        bool is_open = settle_needs_hand(cluster, entry) || entry->attempts_count > 0 || (entry->may_be_removed && !entry->is_removed);
        if (entry->client == client->number && is_open && !(entry->may_be_removed && !entry->is_in_store))
            return (int)i;
    }
    return -1;
}

static void act(struct sim *sim, struct sim_event *event)
{
    struct cluster *cluster = cluster_of(sim);
    struct client *client = &cluster->clients[event->a];

    if (event->b != 0 && (!client->is_waiting || client->attempt != event->b))
        return; /* answered meanwhile */
    if (event->b != 0)
        client->is_waiting = false;
    if (client->is_waiting)
        return;
    int node = node_to_change(client, cluster);
    if (node >= 0) {
        int availability = sim->is_calm ? 0 : (int)cluster_below(cluster, 3);
        set_node(client, cluster, node, availability);
    } else if (sim->is_calm) {
        int service = service_to_end(client, cluster);
        if (service >= 0)
            change_service(client, cluster, service);
        else
            again(client, cluster, 2000000);
    } else {
        int service = choose_service(client, cluster);
        bool may_create = cluster->services_count < CLUSTER_SERVICES_COUNT;
        if (may_create && (service < 0 || cluster_chance(cluster, 40)))
            create(client, cluster);
        else if (service >= 0)
            change_service(client, cluster, service);
        else
            again(client, cluster, 2000000);
    }
    if (client->is_waiting)
        cluster_push(cluster, (struct sim_event){.fn = act, .a = client->number, .b = client->attempt}, TIMEOUT_US);
}

void clients_start(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->plan.clients_count; i++) {
        cluster->clients[i].number = i;
        again(&cluster->clients[i], cluster, 2000000 + cluster_below(cluster, 6000000));
    }
}

void sim_clients_event(struct sim *sim, struct sim_event *event)
{
    (void)sim, (void)event;
}
