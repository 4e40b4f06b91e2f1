/* tests/sim/raft/sim.h – a Raft group in one process, in virtual time, from one seed: what the simulator's files share.
 *
 * Every node is the real core (raft/core) on the real log (raft/log) on a disk in memory, with a small key-value store; tests/sim/cluster
 * puts managers with their agents in its place, and brings functions of its own for those of clients.c and machine.c. Its append thread
 * and its apply thread are queues whose work takes virtual time; the append thread's answers leave when raft_log_flush() has returned 0 and
 * that time has passed. Everything else – the network, the disks' faults, crashes, clocks, the operator who changes the membership, the
 * clients – is an event with a time, and the seed draws it. The same seed gives the same run, to the byte.
 *
 *     main.c        the command line, many seeds on many processes, what a failure prints
 *     plan.c        what a seed decides before it begins: options, rates, which faults
 *     world.c       the queue of events, one run from beginning to end
 *     node.c        a node's life: start, stop, crash, and driving its core
 *     threads.c     a node's append and apply thread
 *     machine.c     the replicated key-value store
 *     network.c     messages and snapshot transfers
 *     faults.c      what goes wrong, and the operator
 *     clients.c     writes and reads, and the history of them
 *     ledger.c      what the whole group has agreed on: checks against it
 *     invariants.c  checks of one node after each of its steps
 *
 * Two phases. In the first everything may go wrong for `steps` ticks. Then all faults end: what stopped starts, what was cut heals, and
 * within a bounded time there must be a leader, every client must get its answers, and all members must have applied the same. Last, the
 * clients' history must be linearizable. */
#ifndef SKEP_TESTS_SIM_RAFT_SIM_H
#define SKEP_TESTS_SIM_RAFT_SIM_H

#include <stdio.h>

#include "base/random.h"
#include "raft/conf_change.h"
#include "raft/core/internal.h"
#include "raft/log/disk_memory.h"
#include "raft/log/log.h"
#include "raft/memory_storage.h"
#include "tests/sim/linearizable.h"

struct sim;

enum {
    SIM_NODES_COUNT = 30, /* ids from 1; who joins gets a new one, as in a cluster */
    SIM_CLIENTS_COUNT = 5,
    SIM_KEYS_COUNT = 4,
    SIM_TICK_US = 100000,
    SIM_ELECTION_TICKS = 10,
};
/* When the faults have ended: for a leader, and for all that waits. Long, for chance may need many elections where the one member that can
 * win has the slowest clock. */
#define SIM_SETTLE_US (UINT64_C(300) * 1000000)

#define SIM_FAULTS(X)                                                                                                                      \
    X(PARTITION)                                                                                                                           \
    X(ISOLATE)                                                                                                                             \
    X(CUT_ONE_WAY)                                                                                                                         \
    X(RING)                                                                                                                                \
    X(HEAL)                                                                                                                                \
    X(STORM)                                                                                                                               \
    X(CRASH)                                                                                                                               \
    X(STOP)                                                                                                                                \
    X(PAUSE)                                                                                                                               \
    X(STALL)                                                                                                                               \
    X(DISK_ERROR)                                                                                                                          \
    X(DISK_FULL)                                                                                                                           \
    X(FLIP)                                                                                                                                \
    X(POWER_CUT)                                                                                                                           \
    X(TRANSFER)                                                                                                                            \
    X(CAMPAIGN)                                                                                                                            \
    X(FORGET)                                                                                                                              \
    X(MEMBERS)

enum sim_fault {
#define X(name) SIM_FAULT_##name,
    SIM_FAULTS(X)
#undef X
        SIM_FAULTS_COUNT
};

/* What the seed decides before anything happens. */
struct sim_plan {
    unsigned steps; /* of the first phase, in ticks */
    unsigned voters_count;
    bool async, pre_vote, check_quorum, lease, no_forwarding, step_down_on_removal;
    unsigned stall_ticks;
    uint64_t message_bytes, committed_bytes, uncommitted_bytes;
    size_t inflight_count;
    uint64_t tail_keep;
    unsigned snapshot_every; /* applied entries between snapshots */
    unsigned drop_percent, repeat_percent, late_percent;
    bool keeps_order;            /* messages of one member to another arrive in the order they were sent */
    uint64_t delay_us;           /* a message takes up to this; a late one up to a hundred times that */
    uint64_t tick_us;            /* of the cores' clocks, about */
    size_t chunk_size;           /* of a snapshot on its way */
    uint64_t ready_us;           /* a core's ready waits up to this, for more to come together */
    uint64_t flush_us, apply_us; /* a flush and an apply take up to this */
    uint64_t think_us;           /* a client rests up to this between operations */
    uint64_t fault_us;           /* between faults, about */
    unsigned weights[SIM_FAULTS_COUNT];
    bool has_stable_leader; /* the profile says that nothing here may move the term once there is a leader: PreVote's promise */
};

struct sim_options {
    uint64_t seed;
    unsigned steps; /* 0: the profile's */
    const char *profile;
    FILE *trace; /* NULL: none */
};

/* --- machine.c: what is replicated --- */

enum sim_command_kind { SIM_PUT, SIM_APPEND };

struct sim_command {
    uint32_t client, kind;
    uint64_t op; /* its place in the history: rises with each of a client's commands */
    uint64_t key, value;
};

struct sim_machine {
    uint64_t applied;
    uint64_t hash; /* of all that was applied, in order */
    uint64_t keys[SIM_KEYS_COUNT];
    uint64_t last_op[SIM_CLIENTS_COUNT]; /* + 1; an older one, or the same again, is not done */
    uint64_t members, removed;           /* bits by id */
};

/* --- node.c --- */

enum sim_life {
    SIM_ABSENT,
    SIM_UP,
    SIM_DOWN, /* starts again */
    SIM_DEAD, /* its disk was wiped: never again under this id */
    SIM_GONE, /* removed from the group, and knows it */
};

/* The append thread's next things to do: what the core asked, or a snapshot of our own. */
struct sim_work {
    struct raft_message message;   /* STORAGE_APPEND */
    struct raft_snapshot snapshot; /* index 0: none; else our own, with its image */
};

struct sim_works {
    struct sim_work *items;
    size_t count, capacity;
};

struct sim_node {
    unsigned id;
    enum sim_life life;
    uint64_t incarnation; /* events of an older one are void */
    struct raft *raft;
    struct raft_disk_memory *disk;
    struct raft_disk disk_table;
    struct raft_log *log;
    struct raft_memory_storage storage; /* exactly what is known to be stable; stays after a crash, to be compared */
    struct raft_hard_state stable_hard;
    uint64_t appended_commit; /* of the log, with what waits for a flush */
    struct random_seeded core_seeded, log_seeded;
    struct random log_random;
    uint64_t tick_us, paused_until, stalled_until;
    bool is_disk_full;

    struct sim_works append;
    size_t flushing_count; /* of them are in the flush under way; 0: none */
    size_t appended_count; /* of these are in the log, and wait for its flush */
    struct raft_messages apply;
    bool is_applying;
    bool is_ready_due;
    struct raft_ready *sync_ready; /* synchronous: handed out and not advanced */

    struct sim_machine machine;
    uint64_t snapshot_index; /* the newest that was made or is being made */
    uint64_t conf_index;     /* of the last membership change applied */
    bool is_snapshot_waiting;

    uint64_t unsure_from; /* after a crash: entries from here on were being written; UINT64_MAX: none */
    int fail_countdown;   /* the hook lets so many operations pass, then fails for good; -1: none */
    bool was_flipped;

    /* Reads of clients that wait for an index to be applied. */
    struct sim_read {
        uint64_t context, index;
    } * reads;
    size_t reads_count, reads_capacity;
    /* A snapshot on its way to us. */
    struct sim_incoming {
        uint64_t from, index, term;
        struct buf image;
    } incoming;

    /* invariants.c */
    uint64_t seen_term, seen_commit, seen_applied;
    enum raft_role seen_role;
    uint64_t led_term, led_last; /* as leader of led_term the log that was handed out ended here */
    uint64_t *votes;             /* by term: whom a vote was given */
    size_t votes_capacity;
    uint64_t granted_term, granted; /* pre-votes that came for a term, bits by id */
    uint64_t told_to_take_over;     /* in this term */
};

/* --- clients.c --- */

struct sim_op {
    unsigned client;
    uint64_t key;
    struct linear_op linear;
    bool is_applied, is_unsure; /* is_unsure: some attempt was not refused */
    bool is_refused;            /* given up, and every attempt was refused: it must never be applied */
};

struct sim_client {
    bool is_waiting;
    unsigned target, attempts;
    uint64_t op, attempt; /* attempt: a number that no other has */
};

/* --- world.c --- */

#define SIM_EVENTS(X)                                                                                                                      \
    X(TICK, true)                                                                                                                          \
    X(DELIVER, false)                                                                                                                      \
    X(CHUNK, false)                                                                                                                        \
    X(REPORT, true)                                                                                                                        \
    X(READY, true)                                                                                                                         \
    X(FLUSH, true)                                                                                                                         \
    X(APPLY, true)                                                                                                                         \
    X(START, true)                                                                                                                         \
    X(REMOVED, false)                                                                                                                      \
    X(ROOM, true)                                                                                                                          \
    X(CLIENT, false)                                                                                                                       \
    X(TIMEOUT, false)                                                                                                                      \
    X(REPLY, false)                                                                                                                        \
    X(FAULT, false)                                                                                                                        \
    X(CALM, false)                                                                                                                         \
    X(CALL, false) /* @fn, with @ctx */

enum sim_event_kind {
#define X(name, is_of_incarnation) SIM_EVENT_##name,
    SIM_EVENTS(X)
#undef X
};

struct sim_transfer;
struct sim_event;
typedef void sim_event_fn(struct sim *sim, struct sim_event *event);

struct sim_event {
    uint64_t at_us, order;
    enum sim_event_kind kind;
    unsigned node; /* 0: of nobody */
    uint64_t incarnation, a, b;
    struct raft_message *message; /* owned; NULL: none */
    struct sim_transfer *transfer;
    sim_event_fn *fn;
    void *ctx; /* owned: free(); NULL: none. @fn may take it by leaving NULL */
};

/* --- ledger.c --- */

struct sim_entry_note {
    uint64_t term, previous_term, hash;
};

struct sim_ledger_line {
    bool is_committed, is_applied, is_conf;
    uint64_t term, commit_term; /* commit_term: of the leader that committed it */
    uint64_t hash, machine_hash, conf_hash;
    struct sim_entry_note *notes; /* every entry that any log ever held at this index */
    size_t notes_count;
};

struct sim {
    struct sim_options options;
    struct sim_plan plan;
    struct random_seeded seeded;
    struct random random;
    uint64_t now_us, order, clock; /* clock: of the history */
    struct sim_event *events;      /* a heap */
    size_t events_count, events_capacity;
    struct sim_node nodes[SIM_NODES_COUNT + 1];
    unsigned nodes_count; /* ids given so far */
    bool is_cut[SIM_NODES_COUNT + 1][SIM_NODES_COUNT + 1];
    uint64_t last_us[SIM_NODES_COUNT + 1][SIM_NODES_COUNT + 1]; /* when the last message of each link arrives */
    bool is_calm;                                               /* the faults have ended */
    unsigned storm_percent;
    uint64_t storm_until;
    uint64_t flip_count, wiped;

    struct sim_client clients[SIM_CLIENTS_COUNT];
    struct sim_op *ops;
    size_t ops_count, ops_capacity;
    uint64_t attempts_count;
    unsigned calm_answers[SIM_CLIENTS_COUNT];

    struct sim_ledger_line *ledger; /* by index */
    size_t ledger_capacity;
    uint64_t committed, applied; /* by anyone */
    struct raft_conf_state conf; /* as applied last by anyone */
    uint64_t *leaders;           /* by term */
    size_t leaders_capacity;
    uint64_t stable_term; /* plan.has_stable_leader: no term may be beyond it; 0: not known yet */

    void *user; /* of who stands on the group */
    uint64_t digest, events_done, undecided;
    bool has_failed;
    char violated[64], why[600];
};

/* mutants.c: only the programs for mutants have any */
const char *sim_mutant_names(void);
bool sim_mutant_choose(const char *name);

/* main.c's view. */
void sim_begin(struct sim *sim, const struct sim_options *options);
void sim_run(struct sim *sim);
void sim_end(struct sim *sim);

/* plan.c */
bool sim_plan_is_known(const char *profile);
void sim_plan_make(struct sim *sim);
const char *sim_profiles(void);
void sim_plan_describe(const struct sim_plan *plan, struct buf *out);
extern const char *const sim_fault_names[];

/* world.c */
uint64_t sim_below(struct sim *sim, uint64_t bound);
bool sim_chance(struct sim *sim, unsigned percent);
void sim_push(struct sim *sim, struct sim_event event, uint64_t after_us);
void sim_violated(struct sim *sim, const char *invariant, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));
void sim_say(const struct sim *sim, const struct sim_node *node, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));
bool sim_is_traced(const struct sim *sim);
uint64_t sim_mix(uint64_t x);
uint64_t sim_hash(struct bytes bytes);
unsigned sim_leader(const struct sim *sim); /* the leader of the highest term that is up; 0: none */

/* node.c */
void sim_node_create(struct sim *sim, unsigned id);
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_crash(struct sim *sim, struct sim_node *node, enum raft_crash how, uint64_t down_us);
bool sim_node_stop(struct sim *sim, struct sim_node *node, uint64_t down_us); /* whether in order: the log is closed */
void sim_node_wipe(struct sim *sim, struct sim_node *node);
void sim_node_leave(struct sim *sim, struct sim_node *node);
void sim_node_free(struct sim *sim, struct sim_node *node);
void sim_node_tick(struct sim *sim, struct sim_node *node);
void sim_node_step(struct sim *sim, struct sim_node *node, struct raft_message *message); /* taken */
void sim_node_touched(struct sim *sim, struct sim_node *node); /* after anything was told to its core: checks, and its ready */
void sim_node_ready(struct sim *sim, struct sim_node *node);
void sim_node_advance(struct sim *sim, struct sim_node *node); /* synchronous: what was handed out is stable */

/* threads.c */
void sim_threads_append(struct sim *sim, struct sim_node *node, struct sim_work *work); /* taken */
void sim_threads_apply(struct sim *sim, struct sim_node *node, struct raft_message *message);
void sim_threads_flushed(struct sim *sim, struct sim_node *node);
void sim_threads_applied(struct sim *sim, struct sim_node *node);
void sim_threads_snapshot(struct sim *sim, struct sim_node *node); /* make one, if it is time */
int sim_threads_write(struct sim_node *node, struct error *err);   /* what is in flight, to the log; not flushed */
void sim_threads_clear(struct sim_node *node);
void sim_threads_apply_entries(struct sim *sim, struct sim_node *node, const struct raft_entry *entries, size_t count);

/* machine.c */
struct raft_payload *sim_command_encode(const struct sim_command *command, size_t padding);
bool sim_command_decode(struct bytes bytes, struct sim_command *out);
void sim_machine_forget(struct sim *sim, struct sim_node *node); /* a life begins: node->machine is empty, and so is all beside it */
bool sim_machine_apply(struct sim *sim, struct sim_node *node, const struct raft_entry *entry); /* whether a command was done */
struct raft_payload *sim_machine_save(struct sim *sim, struct sim_node *node);
bool sim_machine_load(struct sim *sim, struct sim_node *node, struct bytes image);
void sim_machine_note_members(struct sim_machine *machine, const struct raft_conf_state *conf);

/* network.c */
void sim_network_send(struct sim *sim, struct sim_node *from, struct raft_message *message); /* taken */
void sim_network_deliver(struct sim *sim, struct sim_event *event);
void sim_network_chunk(struct sim *sim, struct sim_event *event);
void sim_transfer_free(struct sim_transfer *transfer);

/* faults.c */
void sim_faults_next(struct sim *sim);
void sim_faults_end(struct sim *sim);
bool sim_quorum_lives(const struct sim *sim);
int sim_fault_hook(void *ctx, enum raft_disk_op op, const char *path, uint64_t size_bytes);

/* clients.c */
extern const char *const sim_title;      /* for --help */
void sim_clients_plan(struct sim *sim);  /* the last word on the plan */
void sim_clients_begin(struct sim *sim); /* all nodes are made, none has started */
void sim_clients_end(struct sim *sim);
void sim_clients_event(struct sim *sim, struct sim_event *event); /* CLIENT, TIMEOUT, REPLY */
void sim_clients_applied(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, bool was_done);
void sim_clients_up(struct sim *sim, struct sim_node *node);   /* its core runs */
void sim_clients_down(struct sim *sim, struct sim_node *node); /* its life has ended */
void sim_clients_ready(struct sim *sim, struct sim_node *node, const struct raft_ready *ready);
void sim_clients_serve_reads(struct sim *sim, struct sim_node *node);
void sim_clients_calm(struct sim *sim); /* the faults have ended */
bool sim_clients_are_settled(const struct sim *sim, unsigned leader);
void sim_clients_describe(const struct sim *sim, struct buf *out); /* what they still wait for */
void sim_clients_check(struct sim *sim);

/* ledger.c */
struct sim_ledger_line *sim_ledger_line(struct sim *sim, uint64_t index);
void sim_ledger_note(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, uint64_t previous_term);
void sim_ledger_commit(struct sim *sim, struct sim_node *node, uint64_t index, uint64_t term);
void sim_ledger_applied(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, const struct raft_conf_state *conf);
void sim_ledger_check_machine(struct sim *sim, struct sim_node *node); /* after a start or a snapshot */
void sim_ledger_free(struct sim *sim);

/* invariants.c */
void sim_check_node(struct sim *sim, struct sim_node *node);
void sim_check_ready(struct sim *sim, struct sim_node *node, const struct raft_ready *ready);
void sim_check_sent(struct sim *sim, struct sim_node *node, const struct raft_message *message);
void sim_check_received(struct sim *sim, struct sim_node *node, const struct raft_message *message);
void sim_check_recovered(struct sim *sim, struct sim_node *node, const struct raft_log_state *state);
void sim_check_settled(struct sim *sim);

#endif
