/* tests/sim/cluster/cluster.h – a whole cluster in one process, in virtual time, from one seed: what the simulator's files share.
 *
 * It stands on the Raft simulator (tests/sim/raft/sim.h): that has the queue of events, the managers' Raft cores on their logs and disks in
 * memory, the network between them, and what goes wrong with all of it. Here each Raft node is a manager, with what a manager is made of;
 * beside the managers are agents on emulated hosts, and clients that ask for services.
 *
 *     plan.c        what a seed decides before it begins: managers, hosts, images, rates
 *     loop.c        libuv's timers and base/turn.h in virtual time, so that the real owners of both run here
 *     raft_node.c   raft/node.h on the simulator's nodes, so that the real manager/replica runs here
 *     manager.c     a manager's life, and what a leader's parts ask of it
 *     wire.c        agent/session_wire.h: connections that are slow, silent or broken
 *     serve.c       the managers' end of them: the dispatcher's calls
 *     records.c     agent/task_store.h in memory that outlives the agent's process
 *     agent.c       an agent's life on its emulated host
 *     services.c    what clients ask for
 *     clients.c     who asks, and the ledger of what was acknowledged
 *     witness.c     every change of the store, held against the rules
 *     hosts.c       what runs on the hosts, held against the rules
 *     settle.c      after the faults: is it all as desired?
 *     faults.c      what goes wrong beside Raft's own faults
 *     mutants.c     which rule of base/mutant.h is taken away */
#ifndef SKEP_TESTS_SIM_CLUSTER_CLUSTER_H
#define SKEP_TESTS_SIM_CLUSTER_CLUSTER_H

#include <inttypes.h>
#include <uv.h>

#include "agent/session_driver.h"
#include "agent/session_wire.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/isolation.h"
#include "manager/control/control.h"
#include "manager/dispatcher/dispatcher.h"
#include "manager/leader/leader.h"
#include "manager/replica/replica.h"
#include "tests/sim/raft/sim.h"

enum {
    CLUSTER_MANAGERS_COUNT = 5,
    CLUSTER_AGENTS_COUNT = 8,
    CLUSTER_CLIENTS_COUNT = 3,
    CLUSTER_SERVICES_COUNT = 8, /* in one run, of all clients */
    CLUSTER_IMAGES_COUNT = 6,
    CLUSTER_IMAGE_BAD = 5, /* its containers fail at once */
};

/* When the wall clocks begin. Monotonic ones begin at 1000 s. */
#define CLUSTER_WALL_NS  INT64_C(1790000000000000000)
#define CLUSTER_BEGAN_NS (1000 * NS_PER_S)

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Service Service;
typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;
typedef Docker__Swarmkit__V1__Node Node;

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

struct cluster;

/* --- loop.c --- */

/* The loop of one process; it stays where it is when the process has another life. */
struct loop {
    uv_loop_t uv;
    struct cluster *cluster;
    unsigned number;  /* in cluster->loops */
    unsigned manager; /* whose; 0: an agent's */
    uint64_t life;
    struct loop_timer *timers;
    size_t timers_count, timers_capacity;
    struct turn **wanted;
    size_t wanted_count, wanted_capacity;
    struct loop_closing *closing;
    size_t closing_count, closing_capacity;
    bool is_run_due;
};

void loop_begin(struct loop *loop);
void loop_drain(struct loop *loop); /* what is being closed is closed now; nothing of this life comes any more */
void loop_deinit(struct loop *loop);

/* --- manager.c, raft_node.c --- */

/* One process of a manager: everything but the Raft core and its log, which struct sim_node has. */
struct manager_process {
    struct cluster *cluster;
    unsigned id;
    struct loop loop;
    bool is_up, is_dying;
    bool is_begun; /* its parts work */
    struct random_seeded seeded;
    struct replica *replica;
    struct raft_node *raft;
    struct leader *leader;
    struct control *control;
};

void manager_begin(struct manager_process *manager);
void manager_end(struct manager_process *manager);
bool manager_leads(const struct manager_process *manager);
struct dispatcher *manager_dispatcher(struct manager_process *manager); /* NULL: it does not lead */
unsigned manager_leader_known(const struct manager_process *manager);   /* 0: none */

void raft_node_ready(struct raft_node *node, const struct raft_ready *ready);
void raft_node_entry(struct raft_node *node, const struct raft_entry *entry); /* applied: whoever proposed it is told */
void raft_node_serve_reads(struct raft_node *node);
void raft_node_apply(struct raft_node *node, const struct raft_entry *entry);
void raft_node_image(struct raft_node *node, struct buf *out);
int raft_node_restore(struct raft_node *node, struct bytes image, uint64_t index, struct error *err);

/* --- wire.c, serve.c --- */

struct wire_message; /* on its way */
struct served;

/* Whether a message gets from one end to the other now. @manager 0: between agents and nobody. */
bool wire_is_cut(const struct cluster *cluster, unsigned agent, unsigned manager);
uint64_t wire_delay_us(struct cluster *cluster);
void wire_manager_ended(struct cluster *cluster, unsigned manager); /* its connections break */
void wire_manager_message(struct cluster *cluster, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                          const ProtobufCMessage *message); /* of a stream or an answer: on its way to the agent */
void wire_manager_finish(struct cluster *cluster, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                         const struct error *err); /* code 0: a clean end */
void wire_end_all(struct cluster *cluster);

/* A call has arrived at @manager, which forwards it to the leader it knows. */
void serve_call(struct cluster *cluster, unsigned manager, unsigned agent, uint64_t connection, enum wire_call kind, uint32_t call,
                struct bytes request);
void serve_cancel(struct cluster *cluster, unsigned agent, uint64_t connection, int kind); /* -1: all of the connection */
void serve_free(struct cluster *cluster);

/* --- records.c --- */

struct records; /* an agent's worker.db */
struct records *records_new(void);
void records_free(struct records *records);
void records_refuse(struct records *records, bool is_refusing); /* its disk takes nothing */

/* --- agent.c --- */

struct host_kind {
    const char *name, *os, *architecture, *os_version;
    bool offers_hyperv, prefers_hyperv;
};

/* A container that was seen running. */
struct seen_container {
    char id[CONTAINER_ID_SIZE_CHARS + 1];
    char task_id[ID_SIZE_CHARS + 1], service_id[ID_SIZE_CHARS + 1];
    char image[64];
    uint64_t slot;
    int hyperv;           /* its document's isolation */
    uint64_t since_us;    /* it runs since */
    uint64_t unwanted_us; /* … and should not since; UINT64_MAX: it should */
    bool is_running;
};

struct agent {
    struct cluster *cluster;
    unsigned number; /* from 0 */
    char node_id[32], hostname[16];
    const struct host_kind *kind;
    struct loop loop;
    struct random_seeded seeded, host_seeded;
    struct records *records;
    struct hcs *hcs;
    struct worker *worker;
    struct session_driver *driver;
    struct remotes remotes;
    struct session_wire *wire; /* its driver's */
    bool is_up, is_in_session, is_pump_due;
    uint64_t pump_us; /* the next pump that is in the queue; UINT64_MAX: none */
    uint64_t life;
    uint64_t disturbed_us; /* when it was last down, out of session, or its host was hurt: its deadlines count from then */
    uint64_t broken_us;    /* likewise, but for sessions: until then it may not have stopped what it should */
    struct pending_pull *pulls;
    struct seen_container *seen;
    size_t seen_count, seen_capacity;
    unsigned sessions;
};

void agent_begin(struct agent *agent);
void agent_crash(struct agent *agent, uint64_t down_us);
void agent_deinit(struct agent *agent);
void agent_pump(struct agent *agent); /* something was told to it: do what is due, and look again when the next is */
void agent_pump_soon(struct agent *agent);
void agent_disturbed(struct agent *agent);
struct agent *agent_of_loop(const uv_loop_t *loop);

/* --- services.c, clients.c --- */

enum service_mode { MODE_REPLICATED, MODE_GLOBAL, MODE_JOB, MODE_GLOBAL_JOB };

/* What a client wants of one service: a spec is made of it, and found again in it by its generation. */
struct wish {
    enum service_mode mode;
    unsigned replicas, image, generation;
    unsigned cpu_tenths;
    enum isolation isolation;
    const char *constraint; /* NULL: none */
    int restart;            /* RestartPolicy.RestartCondition; -1: nothing is said */
    unsigned restart_attempts;
    unsigned restart_delay_ms;
    int action;                    /* UpdateConfig.FailureAction */
    unsigned ratio_percent;        /* of failures that an update may have */
    bool starts_first, is_guarded; /* is_guarded: skep.stop-after and skep.lost-after */
    bool waits_for_lost;           /* skep.lost-after alone */
    unsigned parallelism, lasts_s; /* lasts_s: of a job */
};

enum { ATTEMPTS_COUNT = 24 };

/* One service, from outside. Attempts: what was asked and not answered since the last answer. */
struct service_entry {
    char name[16], id[ID_SIZE_CHARS + 1];
    unsigned client;
    bool is_wished, is_acknowledged; /* once asked for; once answered */
    bool may_be_removed, is_removed; /* asked for; answered */
    struct wish wish;                /* as acknowledged, or the first one asked for */
    struct wish attempts[ATTEMPTS_COUNT];
    size_t attempts_count;
    bool is_in_store; /* as the witness has it */
    unsigned generation_in_store;
    struct wish previous; /* of the spec before that: what a roll-back goes back to; generation 0: none */
};

struct node_entry {
    int availability; /* as acknowledged */
    int attempts[ATTEMPTS_COUNT];
    size_t attempts_count;
};

struct client {
    unsigned number;
    bool is_waiting;
    uint64_t attempt;
    int service, node; /* what it is about; -1: nothing */
    int what;
    struct wish wish;
    int availability;
    uint64_t began_us;
};

struct wish services_draw(struct cluster *cluster, enum service_mode mode);
void services_change(struct cluster *cluster, struct wish *wish);
ServiceSpec *services_spec(const struct cluster *cluster, const char *name, const struct wish *wish, struct arena *arena);
unsigned services_generation(const ServiceSpec *spec);                                    /* 0: not one of ours */
const struct wish *services_wish(const struct service_entry *entry, unsigned generation); /* NULL: nobody asked for it */

void clients_start(struct cluster *cluster);
struct service_entry *clients_service(struct cluster *cluster, const char *name);
void clients_rolled_back(struct service_entry *entry); /* what was acknowledged failed, and is undone as it asked for */
bool clients_may_have(const struct service_entry *entry, unsigned generation);

/* --- plan.c --- */

struct image_kind {
    const char *name, *os, *architecture, *os_version;
    bool has_facts; /* in the store */
};

struct cluster_plan {
    unsigned managers_count, agents_count, clients_count;
    const struct host_kind *hosts[CLUSTER_AGENTS_COUNT];
    bool uses_images; /* of Windows too */
    bool has_zones;   /* nodes are labelled, and labelled anew */
    unsigned wire_delay_us, wire_late_percent, wire_break_percent, loss_percent;
    unsigned host_fault_percent, exit_percent, agent_crash_percent, cut_percent, drain_percent, disk_percent;
    unsigned bad_percent; /* of updates go to the bad image */
    bool hurries;         /* nodes are drained and taken back in quick succession */
    uint64_t fault_us, think_us;
    uint64_t pull_us, operation_us;
};

extern const struct image_kind cluster_images[CLUSTER_IMAGES_COUNT];
void plan_make(struct cluster *cluster);
const struct image_kind *plan_image(const char *reference); /* NULL: none of ours */

/* --- witness.c, hosts.c, settle.c, faults.c --- */

void witness_begin(struct cluster *cluster);
void witness_entry(struct cluster *cluster, const struct raft_entry *entry); /* the first time that anyone applies it */
void witness_restart(struct cluster *cluster);
void witness_end(struct cluster *cluster);

bool rule_allows(const struct agent *agent, const struct image_kind *image, enum isolation wish, enum isolation *out);
void hosts_look(struct agent *agent); /* at what runs there, after each of its steps */
void hosts_check(struct cluster *cluster);
size_t hosts_running(const struct cluster *cluster, const char *service_id); /* on all hosts */

bool settle_needs_hand(const struct cluster *cluster, const struct service_entry *entry); /* it fails for ever, or waits for a person */
bool settle_is_done(struct cluster *cluster, char *why, size_t size);
void cluster_faults_begin(struct cluster *cluster);
void cluster_faults_end(struct cluster *cluster);

/* --- all of it --- */

struct cluster {
    struct sim *sim;
    struct cluster_plan plan;
    struct clock clock;
    struct loop *loops[CLUSTER_MANAGERS_COUNT + CLUSTER_AGENTS_COUNT + 1];
    unsigned loops_count;
    struct manager_process managers[CLUSTER_MANAGERS_COUNT + 1]; /* by id, from 1 */
    struct agent agents[CLUSTER_AGENTS_COUNT];
    struct client clients[CLUSTER_CLIENTS_COUNT];
    struct service_entry services[CLUSTER_SERVICES_COUNT];
    unsigned services_count, generations;
    struct node_entry nodes[CLUSTER_AGENTS_COUNT];
    uint64_t attempts, acknowledged;
    struct served *served;
    uint64_t connections;                                          /* numbers given so far */
    bool is_cut[CLUSTER_AGENTS_COUNT][CLUSTER_MANAGERS_COUNT + 1]; /* between agents and managers, both ways */
    struct store *witness;
    uint64_t witness_index;
    struct store_watcher *watcher;
    uint64_t quiet_us; /* all is as desired since; UINT64_MAX: it is not */
    char unsettled[300];
};

extern struct cluster *cluster_now; /* of the run that is under way: for those whom nobody gives a context */
struct cluster *cluster_of(struct sim *sim);
uint64_t cluster_now_ns(const struct cluster *cluster);
uint64_t cluster_below(struct cluster *cluster, uint64_t bound);
bool cluster_chance(struct cluster *cluster, unsigned percent);
void cluster_push(struct cluster *cluster, struct sim_event event, uint64_t after_us); /* kind CALL */
void cluster_say(const struct cluster *cluster, const char *who, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));

#endif
