/* base/limits.h – every bound of the tree, with its unit in the name and the reason beside it.
 *
 * A room adds its own block here, so that one page answers "how much can it take?". What arrives beyond a limit gets a clear refusal. */
#ifndef SKEP_BASE_LIMITS_H
#define SKEP_BASE_LIMITS_H

#define KIB (1024u)
#define MIB (1024u * KIB)
#define GIB (1024ull * MIB)

/* base */
#define ERROR_MESSAGE_SIZE_BYTES 1024 /* holds a wrapped message with two paths in it; lives on stacks */
#define LOG_LINE_SIZE_BYTES      4096 /* one write() to a pipe is atomic up to this */
#define ARENA_BLOCK_SIZE_BYTES   4096 /* one page: most batches and requests fit in one */
#define JSON_DEPTH_COUNT         64   /* deeper than any document of Docker's, OCI's or HCS's */
#define ID_SIZE_CHARS            25   /* SwarmKit's object ids, swarmkit-wire §2.1 */
#define CONFIG_FILE_SIZE_BYTES   (1 * MIB)
#define METRICS_FAMILIES_COUNT   128 /* a manager tells some sixty */
#define HISTOGRAM_BOUNDS_COUNT   16

/* proto */
#define MESSAGE_DEPTH_COUNT 64 /* SwarmKit's deepest is about 10; protobuf-c recurses */
/* What a message may take unpacked: so many times its packed size, and something for a small one, and never more than the last. A list of
 * removed tasks, each an id in a large struct, takes some 20 times its size; two bytes that open an empty one some 200 times. */
#define MESSAGE_MEMORY_RATIO       32
#define MESSAGE_MEMORY_FLOOR_BYTES (1 * MIB)
#define MESSAGE_MEMORY_MOST_BYTES  (512 * MIB) /* four times GRPC_MESSAGE_LARGE_SIZE_BYTES: at that size most of it is text */

#define TLS_CLOSE_MS 1000 /* for last words to a peer that reads slowly */

/* proto/identity */
#define TOKEN_SIZE_CHARS           128        /* SWMTKN-2-… is 91 */
#define CERTIFICATE_PEM_SIZE_BYTES (64 * KIB) /* a chain or a bundle of roots */
#define CERTIFICATE_CHAIN_COUNT    16         /* a leaf and one cross-signed root per rotation under way: 2; a bundle of roots: 2 */
#define KEYFILE_HEADERS_COUNT      8          /* SwarmKit writes at most four lines */
#define KEYFILE_LINE_SIZE_CHARS    512        /* the longest, a locked raft-dek, is about 130 */

#define SEALED_SECRET_SIZE_BYTES 64  /* keys are 32 */
#define SEALED_TEXT_SIZE_CHARS   128 /* base64 of that with nonce and tag: 124 */

/* proto/grpc */
#define GRPC_ADDRESS_SIZE_CHARS 64        /* an IPv6 address in brackets with zone and port */
#define GRPC_MESSAGE_SIZE_BYTES (4 * MIB) /* grpc-go's default receive limit, swarmkit-wire §1.1 */
#define GRPC_MESSAGE_LARGE_SIZE_BYTES                                                                                                      \
    (128 * MIB) /* Dispatcher messages: dockerd's client takes any size, ours a COMPLETE set of 100,000 tasks */
#define GRPC_HEADER_LIST_SIZE_BYTES   (64 * KIB) /* no peer of ours sends more than a few hundred bytes of metadata */
#define GRPC_STREAM_WINDOW_BYTES      (1 * MIB)  /* per stream: keeps a loopback or LAN link busy at one round trip */
#define GRPC_CONNECTION_WINDOW_BYTES  (8 * MIB)
#define GRPC_SEND_QUEUE_BYTES         (1 * MIB) /* per call: beyond it the writer is told to wait */
#define GRPC_CONNECT_TIMEOUT_MS       5000      /* dockerd's agent dials with 5 s, swarmkit-wire §1.2 */
#define GRPC_HANDSHAKE_TIMEOUT_MS     5000
#define GRPC_BACKOFF_MIN_MS           500
#define GRPC_BACKOFF_MAX_MS           8000
#define GRPC_SERVER_STREAMS_COUNT     20000 /* per connection: 10,000 idle streams on one loop, with room */
#define GRPC_SERVER_CONNECTIONS_COUNT 16384
#define GRPC_SERVER_BACKLOG_COUNT     511        /* connections that the kernel keeps for us */
#define GRPC_KEEPALIVE_MIN_MS         300000     /* grpc-go answers faster idle pings with GOAWAY too_many_pings, swarmkit-wire §1.1 */
#define GRPC_KEEPALIVE_MARGIN_MS      10000      /* its clock is not ours */
#define GRPC_SERVER_KEEPALIVE_MS      7200000    /* how long a server bears a silent client before it pings: grpc-go's */
#define GRPC_KEEPALIVE_ANSWER_MS      20000      /* a peer that does not answer a ping for so long is gone; grpc-go's */
#define GRPC_CONNECTION_BUFFER_BYTES  (64 * MIB) /* received and not delivered, over all calls of one connection, beside two messages */

/* raft/log */
#define RAFT_ENTRY_SIZE_BYTES           (16 * MIB)  /* SwarmKit's proposals end at 1.5 MiB, a gRPC message at 4 MiB */
#define RAFT_RECORD_SIZE_BYTES          (17 * MIB)  /* one entry with what is around it */
#define RAFT_RECORD_BATCH_BYTES         (1 * MIB)   /* entries share a record up to this: what one bad sector takes with it */
#define RAFT_LOG_QUEUE_BYTES            (128 * MIB) /* appended and not flushed; a core's inflight window is far smaller */
#define RAFT_SEGMENT_SIZE_DEFAULT_BYTES (64 * MIB)
#define RAFT_SEGMENT_SIZE_MIN_BYTES     (16 * KIB) /* tests; a header and a few records */
#define RAFT_SEGMENT_SIZE_MAX_BYTES     (1 * GIB)
#define RAFT_SEGMENTS_COUNT             65536       /* of the smallest useful size this is still a terabyte of default ones */
#define RAFT_SEGMENT_KEYS_COUNT         16          /* keys in one segment: a rotation begins a new segment, so there are 2 at most */
#define RAFT_KEYS_COUNT                 16          /* given to a log: the one in use and those a rotation has not yet outlived */
#define RAFT_CONF_MEMBERS_COUNT         256         /* in each list of a membership; MANAGERS_COUNT is far below */
#define RAFT_RESERVE_SIZE_DEFAULT_BYTES (256 * KIB) /* given back when the disk is full: room for the last hard state, and some entries */
#define RAFT_SNAPSHOT_CHUNK_BYTES       (256 * KIB) /* what is checked, encrypted and read at once */
#define RAFT_SNAPSHOT_SIZE_BYTES        (64 * GIB)
#define RAFT_SNAPSHOTS_COUNT            1024      /* files of that kind in one directory */
#define RAFT_SNAPSHOTS_KEEP_DEFAULT     2         /* the newest, and one to fall back on */
#define RAFT_TAIL_KEEP_DEFAULT_COUNT    5000      /* entries behind a snapshot for members that lag: SwarmKit keeps 500, etcd 5,000 */
#define RAFT_SCAN_SIZE_BYTES            (1 * GIB) /* behind damage: bytes checked for whole records before it is called damage */

/* agent */
#define JOIN_DIAL_MS                5000 /* these four: swarmkit-wire §1.2 */
#define JOIN_CALL_MS                5000
#define JOIN_ROUNDS_COUNT           5
#define JOIN_RETRY_MS               2000
#define JOIN_AWAIT_MS               120000 /* a leader election and its CA's start fit in many times over; what was saved lets a later join go on */
#define JOIN_POLL_BACKOFF_MAX_MS    30000 /* swarmkit-wire §2.4 */
#define RENEWAL_FORCED_MS           500   /* these three: swarmkit-wire §2.5 */
#define RENEWAL_BACKOFF_MIN_MS      5000
#define RENEWAL_BACKOFF_MAX_MS      3600000
#define RENEWAL_CHECK_MS            60000  /* how soon a clock that was set, or a host that slept, is noticed */
#define RENEWAL_AWAIT_MS            120000 /* as JOIN_AWAIT_MS; then the backoff */
#define MANAGERS_COUNT              64     /* SwarmKit advises 7; a list longer than this is not a list of managers */
#define NODE_RETRY_MIN_MS           5000   /* a node with a certificate whose tasks could not be opened tries again, … */
#define NODE_RETRY_MAX_MS           300000 /* … as does one with a join of which the cluster knows */
#define NODE_OPEN_MS                20000  /* as long as `docker swarm join` waits for the node to be in */
#define TASKS_PER_NODE_COUNT        10000
#define DEPENDENCIES_PER_NODE_COUNT 20000 /* secrets and configs held in memory */
#define STATUS_BATCH_COUNT          1024  /* updates in one UpdateTaskStatus; SwarmKit's agent sends as many */
#define LOG_SUBSCRIPTIONS_COUNT     256
#define LOG_SOURCE_QUEUE_BYTES      (256 * KIB) /* per reader: read ahead of a manager that is slow to take it */
#define SESSION_BACKOFF_MIN_MS      100         /* swarmkit-wire §3.1 */
#define SESSION_BACKOFF_MAX_MS      8000
#define SESSION_FIRST_MESSAGE_MS    5000 /* "session initiation timed out", swarmkit-wire §1.2 */
#define HEARTBEAT_TIMEOUT_MS        5000
#define DESCRIPTION_REFRESH_MS      20000 /* swarmkit-wire §3.2 */

/* agent: session */
#define SESSION_CONNECT_MS                 (GRPC_CONNECT_TIMEOUT_MS + GRPC_HANDSHAKE_TIMEOUT_MS)
#define SESSION_ID_SIZE_CHARS              64    /* 25 from every SwarmKit; also bounds the counters of assignments */
#define SESSION_REGISTRATIONS_COUNT        3     /* again without a gap; one more is refused with code 14, swarmkit-wire §3.3 */
#define SESSION_REGISTRATIONS_GAP_MS       8500  /* 8 s at the manager, and something for the way there */
#define SESSION_WAIT_MAX_MS                20000 /* no wait between attempts is longer: the gap above and its jitter, with room */
#define SESSION_ASSIGNMENTS_FIRST_MS       30000 /* the first set is sent at once, even when empty; a busy leader may take seconds */
#define SESSION_ASSIGNMENTS_REOPENED_COUNT 3     /* streams in a row that begin or go on wrongly: then the manager is at fault */
#define HEARTBEAT_PERIOD_DEFAULT_MS        5000  /* where the manager names none */
#define HEARTBEAT_PERIOD_MIN_MS            100   /* below it a manager would make us spin */
#define HEARTBEAT_PERIOD_MAX_MS            86400000
#define ID_ASSIGNED_SIZE_CHARS             128         /* "<secret id>.<task id>" is 51; a file name takes 255 */
#define STATUS_TIMEOUT_MS                  30000       /* an UpdateTaskStatus: the leader batches for 100 ms; a busy one takes seconds */
#define STATUS_SIZE_BYTES                  (64 * KIB)  /* one packed TaskStatus; its err text is cut long before */
#define STATUS_BATCH_BYTES                 (1 * MIB)   /* a quarter of what a manager's gRPC server receives */
#define LOG_BATCH_COUNT                    256         /* entries in one PublishLogsMessage */
#define LOG_ENTRY_SIZE_BYTES               (1 * MIB)   /* one entry: a message stays below a manager's 4 MiB */
#define LOG_BATCH_BYTES                    (128 * KIB) /* and their size: several fit into a call's send queue */
#define LOG_SELECTOR_COUNT                 4096        /* ids in one subscription's selector */
#define LOG_READERS_COUNT                  1024        /* open logs over all subscriptions: bounds descriptors */

/* agent: worker */
#define TASK_PERSIST_MS          60000  /* a disk that takes no record for so long: the swarm places the task elsewhere */
#define TASK_PREPARE_STALL_MS    300000 /* without progress: a slow registry still sends something in five minutes */
#define TASK_RETRY_MIN_MS        1000   /* swarmkit-wire §4.2 */
#define TASK_RETRY_MAX_MS        30000
#define TASK_RETRIES_COUNT       8     /* of a create or start that fails for a passing reason: about two minutes */
#define TASK_STOP_GRACE_MS       10000 /* where the spec has none, swarmkit-wire §8.1 */
#define TASK_STOP_GRACE_MAX_MS   86400000
#define TASK_MESSAGE_SIZE_BYTES  (4 * MIB)    /* one kept Task: what fits in one gRPC message of a manager */
#define TASK_ENVIRONMENT_COUNT   4096         /* as CONTAINER_LIST_COUNT */
#define WORKER_STATUS_WRITE_MS   10000        /* a status that the disk has not taken for so long is told all the same */
#define WORKER_CHECK_MS          30000        /* how long an exit that was never announced goes unseen */
#define WORKER_PULL_FRESH_MS     10000        /* replicas that arrive together share one pull, also when it failed */
#define WORKER_PULLS_COUNT       8            /* at once: more only share the same line */
#define WORKER_LEAVE_MS          120000       /* `swarm leave` then says what is left */
#define WORKER_STORE_BATCH_COUNT 4096         /* records in one transaction */
#define TEMPLATE_SIZE_BYTES      (1000 * KIB) /* a config's payload is the longest template, swarmkit-wire §8.5 */
#define TEMPLATE_OUTPUT_BYTES    (1000 * KIB)
#define TEMPLATE_DEPTH_COUNT     32 /* nested if, parentheses, payloads that name payloads */
#define TEMPLATE_ARGUMENTS_COUNT 64
#define HEALTH_INTERVAL_MS       30000 /* these five: what Docker takes where nothing is given */
#define HEALTH_TIMEOUT_MS        30000
#define HEALTH_START_INTERVAL_MS 5000
#define HEALTH_RETRIES_COUNT     3
#define HEALTH_DURATION_MIN_MS   1    /* shorter is refused, as Docker does */
#define HEALTH_OUTPUT_BYTES      4096 /* Docker keeps as much of a probe's output */
#define WORKER_DATABASE_BUSY_MS  5000

/* raft: core */
#define RAFT_MEMBERS_COUNT          64        /* voters and learners of one group; more than seven voters only make commits slower */
#define RAFT_ELECTION_TICKS_COUNT   100000    /* nobody waits longer for a leader; keeps arithmetic on ticks small */
#define RAFT_STALL_TICKS_COUNT      10000     /* a ring of as many indexes is kept */
#define RAFT_READS_COUNT            65536     /* reads that wait for a quorum at the leader; one more is refused */
#define RAFT_CONF_CHANGE_SIZE_BYTES (1 * MIB) /* one change with its context: SwarmKit puts a RaftMember there, some 200 bytes */

/* raft: node */
#define RAFT_PROPOSAL_SIZE_BYTES     (1536 * KIB) /* SwarmKit's most for a transaction, swarmkit-wire §6.1 */
#define RAFT_PROPOSALS_COUNT         65536        /* waiting at the leader: to be appended or committed; one more is refused */
#define RAFT_PROPOSALS_BYTES         (64 * MIB)
#define RAFT_BATCH_BYTES             (1 * MIB)   /* proposals that one turn of the loop puts into the log; the rest wait for the next */
#define RAFT_MESSAGE_SIZE_BYTES      (4 * MIB)   /* one message on the wire: what gRPC peers receive, swarmkit-wire §1.1 */
#define RAFT_MESSAGE_ENTRIES_BYTES   (1 * MIB)   /* entries in one append, as long as there is more than one */
#define RAFT_MESSAGE_ENTRIES_COUNT   (512 * KIB) /* entries in one received message: empty ones have eight bytes each */
#define RAFT_NUMBER_MOST             (UINT64_C(1) << 62) /* of a term or an index that a peer may say: one more can always be added */
#define RAFT_CONTEXT_SIZE_BYTES      (64 * KIB)          /* of a received message; ours are eight */
#define RAFT_INFLIGHT_COUNT          256                 /* append messages on their way to one follower; SwarmKit's */
#define RAFT_INFLIGHT_BYTES          (16 * MIB)
#define RAFT_PEER_QUEUE_COUNT        4096       /* messages that wait for one peer; SwarmKit's, swarmkit-wire §6.3 */
#define RAFT_PEER_QUEUE_BYTES        (32 * MIB) /* twice what may be in flight */
#define RAFT_NEWS_MS                 5          /* a follower may hear of a commit so much later, where that saves a message */
#define RAFT_FRAME_BYTES             (1 * MIB)  /* messages to a Skep peer share a write up to this */
#define RAFT_PEER_CALL_MS            2000       /* one message to a Docker peer, swarmkit-wire §1.2 */
#define RAFT_PEER_BACKOFF_MAX_MS     2000       /* between two attempts to connect: a peer that is back is met soon */
#define RAFT_PEER_LINGER_MS          8000       /* a removed peer is told so for as long; SwarmKit's */
#define RAFT_REMOVED_COUNT           1024       /* ids that are told so when they call; the oldest is forgotten */
#define RAFT_RESOLVE_MS              1000       /* between two questions for the address of an unknown member */
#define RAFT_SNAPSHOT_STALL_MS       10000      /* a transfer that does not move for so long is given up, and tried anew */
#define RAFT_SNAPSHOT_PARTS_COUNT    8          /* pieces of RAFT_SNAPSHOT_CHUNK_BYTES in memory on either side of a transfer */
#define RAFT_SNAPSHOT_RECEIPTS_COUNT 1          /* at once: a member has one leader */
#define RAFT_SNAPSHOT_INTERVAL_COUNT 10000      /* entries between two snapshots; SwarmKit's */
#define RAFT_SNAPSHOT_RETRY_TICKS    100 /* after a snapshot that could not be made: ten seconds as a rule, and nothing is lost by waiting */
#define RAFT_NO_SPACE_RETRY_MS       200 /* a full disk is asked again */
#define RAFT_TICK_MS                 100
#define RAFT_ADDRESS_SIZE_CHARS      256 /* host and port of a member */

/* manager: scheduler */
#define CONSTRAINTS_COUNT             1024     /* of one service; people write two or three */
#define CONSTRAINT_SIZE_CHARS         4096     /* a label's value is rarely longer than a line */
#define SCHEDULER_ID_SIZE_CHARS       31       /* of a task; SwarmKit's have 25: they lie inside the task's 96 bytes */
#define SCHEDULER_NODES_COUNT         1000000  /* a hundred times what anyone runs */
#define SCHEDULER_TASKS_COUNT         16000000 /* some 2 GB of memory */
#define SCHEDULER_IMAGES_COUNT        65536    /* images with known platforms; what is learnt beyond it is refused: they go by placement */
#define SCHEDULER_FAILURES_MANY_COUNT 5        /* of one service version on one node, within the next: the node comes last; SwarmKit's */
#define SCHEDULER_FAILURES_WINDOW_MS  300000
#define SCHEDULER_FAILURES_KEPT_COUNT 16         /* more of them make a node no worse */
#define SCHEDULER_EXPLAIN_MS          10000      /* a refusal whose reason changes is told anew at most so often: each costs a commit */
#define SCHEDULER_REFUSALS_COUNT      16         /* reasons told apart in one explanation; the rest are counted */
#define SCHEDULER_REFUSAL_NODES_COUNT 4          /* nodes named for one reason */
#define SCHEDULER_REFUSAL_SIZE_BYTES  256        /* one text of it */
#define SCHEDULER_EXPLANATION_BYTES   (8 * KIB)  /* the whole as text */
#define SCHEDULER_VERDICTS_BYTES      (64 * MIB) /* answers kept, a byte for each node and kind of task; forgotten all at once beyond it */
#define SCHEDULER_PREFERENCES_COUNT   32         /* levels of a spread tree that are followed; people write one or two */
#define SCHEDULER_COLLECT_MS          10         /* quiet for so long: what comes together is placed together. SwarmKit's rounds cost */
#define SCHEDULER_COLLECT_MOST_MS     100        /* more than ours: it waits 50 ms, and 1 s at most */
#define SCHEDULER_RUN_COUNT           2000 /* decisions in one step: some 10 ms of the loop; ten transactions, and one entry of the log */
#define SCHEDULER_WRITES_COUNT        50   /* transactions on their way: 10,000 decisions, ahead of any disk */
#define SCHEDULER_WRITE_BYTES         (1 * MIB)   /* of tasks in one, with room below STORE_ENTRY_SIZE_BYTES */
#define SCHEDULER_RETRY_MS            1000        /* after the store refused */
#define IMAGE_FACTS_SIZE_BYTES        (256 * KIB) /* of IMAGE_INDEX_ENTRIES_COUNT entries, each of some 100 bytes, and no more */
#define IMAGE_FACTS_REFERENCE_CHARS   512         /* an image as a service names it: registry, repository, tag and digest */
#define IMAGE_FACTS_WORD_CHARS        64          /* "windows", "amd64", "10.0.20348.2113" */
#define IMAGE_ASKS_COUNT              2           /* registries asked at once for facts: the tool does no more at once */
#define IMAGE_ASK_TIMEOUT_MS          30000       /* one such question, with the tool's own tries; then another time is as good */
#define IMAGE_ASK_HOLD_MS             3000        /* tasks wait so long for the first answer about their image, where builds decide */
#define IMAGE_ASK_RETRY_MS            60000       /* after a first failure, doubled with each up to the next: an hour */
#define IMAGE_ASK_RETRY_MOST_MS       3600000

/* runtime */
#define CONTAINER_ID_SIZE_CHARS         64 /* as Docker's: 32 random bytes in hex */
#define CONTAINER_DOCUMENT_SIZE_BYTES   (1 * MIB)
#define CONTAINER_MOUNTS_COUNT          256
#define CONTAINER_LOG_FILE_SIZE_BYTES   (64 * MIB) /* one file; older ones are kept up to CONTAINER_LOG_FILES_COUNT */
#define CONTAINER_LOG_FILES_COUNT       2
#define CONTAINER_STARTS_PARALLEL_COUNT 8            /* bounded so that heartbeats keep their time on a small host */
#define CONTAINERS_COUNT                10000        /* as TASKS_PER_NODE_COUNT: one for each task */
#define SECCOMP_FILTERS_COUNT           8            /* compiled ones kept: one per set of capabilities that is in use */
#define SEALED_PROGRAM_SIZE_BYTES       (32 * MIB)   /* crun has half a MiB */
#define CONTAINER_PROCESSES_COUNT       64           /* beside the first: a health check and a few people with exec */
#define CONTAINER_PROCESS_OUTPUT_BYTES  (64 * KIB)   /* Docker keeps 4 KiB of a health check's output */
#define CONTAINER_FILES_COUNT           512          /* secrets and configs of one task */
#define CONTAINER_FILE_SIZE_BYTES       (1000 * KIB) /* SwarmKit: secrets up to 500 KiB, configs up to 1000 KiB */
#define CREDENTIAL_SPEC_SIZE_BYTES      (64 * KIB)   /* of a group managed service account; Microsoft's own have some hundred bytes */
#define CONTAINER_LAYERS_COUNT          128          /* as IMAGE_LAYERS_COUNT */
#define CONTAINER_PORTS_COUNT           1024
#define CONTAINER_LIST_COUNT            4096       /* any other list of a document: arguments, environment, labels */
#define CONTAINER_LOG_ENTRY_SIZE_BYTES  (64 * KIB) /* conmon writes at most 8 KiB at a time; Docker's lines have 16 KiB */
#define CONTAINER_ACCOUNTS_SIZE_BYTES   (1 * MIB)  /* /etc/passwd or /etc/group of an image */

#define CONTAINER_LOG_LINE_BYTES   (16 * KIB) /* pieces are joined up to this, as dockerd cuts lines */
#define CONTAINER_LOG_RECORD_BYTES (64 * KIB) /* conmon's are about 8 KiB */
#define CONTAINER_LOG_BLOCK_BYTES  (64 * KIB) /* read at once when looking backwards */
#define NETWORK_PORTS_COUNT        64         /* published ports of one container */
#define COMMAND_OUTPUT_BYTES       (64 * KIB) /* of a program of the host: more than any error of theirs */
#define COMMAND_TIMEOUT_MS         30000

/* images */
#define IMAGE_MANIFEST_SIZE_BYTES    (4 * MIB) /* what registries accept for a manifest or index */
#define IMAGE_CONFIG_SIZE_BYTES      (8 * MIB)
#define IMAGE_LAYERS_COUNT           128        /* overlayfs takes 500 lower layers; Docker makes at most 127 */
#define IMAGE_LAYER_UNPACKED_BYTES   (64 * GIB) /* one layer unpacked: a Windows base layer is about 10 GB */
#define IMAGE_LAYER_ENTRIES_COUNT    2000000
#define IMAGE_LAYER_RATIO            200         /* unpacked : packed, beyond the first 256 MiB: a bomb */
#define IMAGE_LAYER_RATIO_FROM_BYTES (256 * MIB) /* a small layer of zeros is no bomb */
#define IMAGE_NAME_SIZE_CHARS        512
#define IMAGE_INDEX_ENTRIES_COUNT    1000        /* the largest public indexes have a few dozen */
#define IMAGE_STORE_INDEX_SIZE_BYTES (16 * MIB)  /* the list of images: some 30,000 names */
#define IMAGE_JOBS_COUNT             1024        /* asked for and not yet over: a node that is given 1,000 tasks with 1,000 images */
#define IMAGE_JOBS_PARALLEL_COUNT    4           /* tools at work at once: each unpacks on a core and keeps up to three downloads going */
#define IMAGE_RESOLVES_COUNT         2           /* questions to registries at once, beside those: short, and none waits behind a pull */
#define IMAGE_JOB_SILENCE_MS         900000      /* a tool that says nothing for so long hangs: its own waits are far shorter */
#define IMAGE_LINE_SIZE_BYTES        (1 * MIB)   /* one line of the tool's output: the result of removing many images is the longest */
#define IMAGE_TASK_SIZE_BYTES        (4 * MIB)   /* one job for the tool: gc names every image in use */
#define IMAGE_BLOB_SIZE_BYTES        (64 * GIB)  /* one packed layer */
#define IMAGE_ARCHIVE_SIZE_BYTES     (256 * GIB) /* one archive of images, unpacked */
#define IMAGE_ARCHIVE_ENTRIES_COUNT  20000       /* old archives have three members per layer */
#define PAX_HEADER_SIZE_BYTES        (1 * MIB)   /* one extended header of a layer: what libarchive takes */
#define WINDOWS_EA_NAME_SIZE_BYTES   255         /* of an extended attribute: its length is one byte */
#define WINDOWS_EAS_SIZE_BYTES       (64 * KIB)  /* of one file, as they are kept: NTFS takes no more */
#define WINDOWS_DESCRIPTOR_BYTES     (64 * KIB)  /* an access list counts its bytes in 16 bits */
#define WINDOWS_LAYER_LIST_BYTES     (64 * MIB)  /* the whiteouts, or the hard links, of one layer: some 500,000 long names */
#define IMAGE_LAYERS_PARALLEL_COUNT  3           /* downloads of one pull at once, as Docker's default */
#define IMAGE_TRIES_COUNT            6           /* of one request that keeps failing, over some 16 s; any progress starts the count anew */
#define IMAGE_CONNECT_TIMEOUT_MS     15000       /* a name to resolve and a handshake over a bad line */
#define IMAGE_STALL_TIMEOUT_MS       60000       /* not a byte for so long: the connection is dead; there is no limit on the whole */
#define IMAGE_PROBLEM_SIZE_BYTES     (16 * KIB)  /* of a registry's error answer */
#define IMAGE_TOKEN_SIZE_BYTES       (256 * KIB) /* of a token service's answer; tokens with many grants reach tens of KiB */
#define IMAGE_PROGRESS_INTERVAL_MS   100         /* per layer: as often as a terminal is worth drawing */
#define CONFIG_IMAGE_GC_INTERVAL_S   3600        /* the default: superseded images cost disk only, and a collection reads the whole list */
#define IMAGE_PARTIAL_AGE_S          (7 * 86400) /* a download nobody resumed for a week is given up */
#define IMAGE_AUTH_SIZE_BYTES        (16 * KIB)  /* registry credentials as sent in X-Registry-Auth: identity tokens take a few KiB */
#define IMAGE_LOAD_QUEUE_BYTES       (1 * MIB)   /* of an archive on its way into the tool: beyond it the API stops reading */

/* manager/membership: swarmkit-wire §1.2 */
#define MEMBERSHIP_HEALTH_MS 5000  /* a prospective member answers within it */
#define MEMBERSHIP_JOIN_MS   25000 /* for the leader to call back, and for the quorum to agree */

/* manager */
#define MEMBER_FILE_SIZE_BYTES (64 * KIB) /* a number, an address and a few keys */
#define VAULT_FILE_SIZE_BYTES  (4 * KIB)  /* a number and one sealed key */
#define MANAGER_UNLOCK_MS      5000       /* the answer to an unlocking waits so long for a leader: an election takes a second */
#define MANAGER_LOCK_RETRY_MS  5000       /* a change of the managers' lock that the disk refused is tried again */
#define MANAGER_CONTROL_MS     20000 /* a follower waits so long for the leader: a change takes a few milliseconds, an external CA 5 s */
#define MANAGER_HAND_OVER_MS   2000  /* two elections: a leader that closes does not wait longer for the next one */

/* manager/metrics */
#define MANAGER_READY_LAG_COUNT 1000  /* entries not applied yet: a moment's work; more, and what this manager answers is old */
#define METRICS_SERVICES_COUNT  2000u /* told of one by one; the numbers of the others are added up */

/* manager/logs */
#define LOG_BROKER_SUBSCRIPTIONS_COUNT 256        /* people who read logs at once */
#define LOG_BROKER_MISSING_BYTES       (16 * KIB) /* of what could not be had, told at the end: a line for each node or task */

/* manager/store */
#define STORE_KEY_SIZE_BYTES    256        /* ids are 25 long, names 64; what is longer is not found by what is behind */
#define STORE_OBJECT_SIZE_BYTES (16 * MIB) /* packed: as large as an entry can be; a secret is 500 KiB, a service's spec far less */
#define STORE_ACTIONS_COUNT     200u       /* changes in one transaction: SwarmKit's */
/* Changes in one entry, which several transactions share: with tasks of the usual size some 1 MiB, and 20 ms of the loop to apply. What an
 * entry costs beside its changes, a disk's flush and a round trip, is then small. */
#define STORE_ENTRY_ACTIONS_COUNT 2000u
#define STORE_ENTRY_SIZE_BYTES    (1536 * KIB) /* SwarmKit's 1.5 MiB */
#define STORE_ENTRY_ACTIONS_MOST  100000u      /* in an entry that another manager wrote: more changes than any version ever put there */
#define STORE_TURNS_COUNT         1000u        /* writers heard for one entry: those that change nothing cost time only */
#define STORE_HISTORY_COUNT       10000        /* commits a watcher may be behind: seconds of a busy cluster */
#define STORE_HISTORY_BYTES       (64 * MIB)   /* of objects in them, if nobody else held them */

/* manager/ca */
#define CA_REQUEST_SIZE_BYTES      (16 * KIB) /* a certificate request; Docker's is 326 bytes, one of RSA 8192 some 3 KiB */
#define CA_KEY_BITS_COUNT          8192       /* of RSA: a larger one only costs whoever verifies */
#define CA_EXTERNAL_COUNT          64         /* external CAs of one cluster */
#define CA_EXTERNAL_URL_SIZE_CHARS 2048
#define CA_EXTERNAL_RESPONSE_BYTES (256 * KIB) /* these five: SwarmKit's, swarmkit-wire §2.4 and §2.6 */
#define CA_EXTERNAL_TIMEOUT_MS     5000
#define CA_SIGN_RETRY_MS           10000 /* nodes that could not be signed for a passing reason are tried again */
#define CA_ROTATION_INTERVAL_MS    3000  /* between two looks at a root rotation */
#define CA_ROTATION_BATCH_COUNT    30    /* nodes told to renew at one look: a leader signs as many in well under a second */
#define CA_EXTERNAL_SLACK_MS       2000  /* for skep-external-ca to start and to end */
#define CA_EXTERNAL_JOB_BYTES                                                                                                              \
    (1 * MIB) /* a question: roots, chain, key and body; or an answer, a certificate whose JSON takes six times its size */
#define CA_EXTERNAL_CALLS_COUNT  4u  /* nodes whose certificates are asked of external CAs at once: each takes a process */
#define CA_SIGN_BATCH_COUNT      50u /* nodes signed in one transaction: some 30 ms, in which this manager does nothing else */
#define CA_ISSUES_COUNT          10000u /* requests for a certificate on their way into the store: every node of a cluster that comes at once */
#define CA_HELD_CALLS_COUNT      20000u /* calls held until a node has its certificate: two for each of those */
#define CA_HELD_CALLS_NODE_COUNT 4u     /* for one node: one in use, others of connections that broke unseen; the oldest is let go */

/* manager/dispatcher. Numbers without another reason are SwarmKit's, swarmkit-wire §3 */
#define DISPATCHER_HEARTBEAT_JITTER_MS    500u      /* either way; a tenth of a shorter period */
#define DISPATCHER_HEARTBEATS_PER_S_COUNT 1000u     /* of all nodes: a few per cent of one core; beyond 5,000 nodes their period grows */
#define DISPATCHER_MISSED_COUNT           3u        /* periods without a heartbeat until a node is down */
#define DISPATCHER_UNKNOWN_COUNT          6u        /* as above, for nodes that a new leader awaits */
#define DISPATCHER_LATE_MS                1000u     /* a leader that notices so late was itself asleep, and hears the nodes out first */
#define DISPATCHER_LATE_COUNT             3u        /* but not for ever */
#define DISPATCHER_DOWN_MS                86400000u /* then the tasks of a node are orphaned */
#define DISPATCHER_REGISTRATIONS_COUNT    3u        /* again, each within the next of the one before; one more is refused */
#define DISPATCHER_REGISTRATIONS_MS       8000u
#define DISPATCHER_WRITES_MS              100u        /* what nodes say is collected for so long, … */
#define DISPATCHER_WRITES_COUNT           10000u      /* … or until there is so much of it */
#define DISPATCHER_WRITES_BYTES           (1 * MIB)   /* of what nodes say, in one transaction */
#define DISPATCHER_BATCHES_COUNT          10u         /* transactions at once: they share an entry of the log */
#define DISPATCHER_RETRY_MS               1000u       /* after the store took no write */
#define DISPATCHER_CHANGES_MS             100u        /* changes of assignments are collected for so long, … */
#define DISPATCHER_CHANGES_COUNT          100u        /* … or until there are so many: what goes into one message */
#define DISPATCHER_MESSAGE_SIZE_BYTES     (4 * MIB)   /* an incremental message ends behind the task that exceeds it */
#define DISPATCHER_STALL_MS               60000u      /* a stream that takes nothing for so long is ended; the agent begins anew */
#define DISPATCHER_WAITING_COUNT          20000u      /* changes that wait for such a stream: more than a node has tasks */
#define DISPATCHER_STREAMS_PER_NODE_COUNT 4u          /* of a kind: one in use, others of connections that broke unseen; the oldest goes */
#define DISPATCHER_DESCRIPTION_SIZE_BYTES (512 * KIB) /* dockerd's has one or two KiB; it must fit into an entry of the log */
#define DISPATCHER_UPDATES_COUNT          16384u      /* statuses in one call: all of a node's tasks; agents send up to 1,024 */
#define DISPATCHER_STATUS_SIZE_BYTES      (64 * KIB)  /* as STATUS_SIZE_BYTES */
#define DISPATCHER_STATUS_TEXT_BYTES      (16 * KIB)  /* of a status' message and error each; what is longer is cut */
#define DISPATCHER_TWINS_COUNT            16u         /* stale entries of one host that are looked after: a person has long noticed */
#define DISPATCHER_NAMESAKES_COUNT        256u        /* nodes of one hostname among which they are looked for: a cluster of "localhost"s */
#define DISPATCHER_STEP_STREAMS_COUNT     500u        /* streams of a kind served at once: some 20 ms, then the loop has its turn */

/* manager/control */
#define CONTROL_NAME_SIZE_CHARS              63             /* a DNS label: services and networks */
#define CONTROL_PAYLOAD_NAME_SIZE_CHARS      64             /* secrets and configs; these two are SwarmKit's */
#define CONTROL_SECRET_SIZE_BYTES            (500u * 1024u) /* these two are too large by one byte; SwarmKit's */
#define CONTROL_CONFIG_SIZE_BYTES            (1000u * 1024u)
#define CONTROL_STATUSES_COUNT               65536   /* services in one question for their statuses: more than any cluster has */
#define SERVICE_TASKS_COUNT                  1000000 /* replicas of one service: ten times what a cluster is planned for */
#define NODE_REMOVAL_TASKS_BYTES             (512 * KIB) /* tasks orphaned in one transaction: with the cluster's object it stays below its most */
#define RESTART_DELAY_DEFAULT_S              5           /* this and the next: swarmkit-wire §7.4, §7.5 */
#define UPDATE_MONITOR_DEFAULT_S             5
#define CLUSTER_BLACKLIST_GRACE_S            (7 * 86400) /* beyond a removed node's certificate; SwarmKit's, as all of these: swarmkit-wire §6.9 */
#define CLUSTER_CERTIFICATE_DEFAULT_S        7776000
#define CLUSTER_CERTIFICATE_MIN_S            3600
#define CLUSTER_TASK_HISTORY_DEFAULT_COUNT   5
#define CLUSTER_RAFT_TAIL_DEFAULT_COUNT      500
#define CLUSTER_RAFT_HEARTBEAT_DEFAULT_TICKS 1
#define CLUSTER_RAFT_ELECTION_DEFAULT_TICKS  10
#define CLUSTER_SUBNET_DEFAULT_BITS          24
#define CLUSTER_VXLAN_DEFAULT_PORT           4789

/* manager/orchestrator */
#define ORCHESTRATOR_WRITE_BYTES        (1 * MIB) /* of tasks in one transaction, with room below STORE_ENTRY_SIZE_BYTES */
#define ORCHESTRATOR_STEP_CHANGES_COUNT 20000u    /* new tasks decided in one step: what is more waits until those are written */
#define ORCHESTRATOR_RETRY_MS           1000      /* after the store refused */
#define RESTART_DELAY_DEFAULT_MS        5000      /* these two: swarmkit-wire §7.4 */
#define RESTART_STOP_WAIT_MS            60000
#define LOST_SETTLE_MS                  5000 /* a node that is back tells again how its tasks are, once its session stands */
#define LABEL_DURATION_S                (365 * 86400)
#define UPDATE_MONITOR_DEFAULT_MS       5000  /* swarmkit-wire §7.5 */
#define UPDATE_WRITE_MS                 10000 /* a state that is not written by then is asked for again */
#define SLOT_UPDATE_LOOK_MS             60000 /* a task that does not come up is looked at again */
#define ENFORCER_NODES_COUNT            64u   /* looked at in one go: with a hundred tasks each that is some milliseconds of the loop */
#define ROLES_INTERVAL_MS               5000  /* these two: swarmkit-wire §6.6 */
#define ROLES_CHANGE_MS                 5000
#define REAPER_INTERVAL_MS              250 /* these three: swarmkit-wire §6.9, §7.7 */
#define REAPER_SLOTS_COUNT              1000
#define TASK_HISTORY_DEFAULT_COUNT      5

/* api */
#define API_REQUEST_BODY_BYTES     (4 * MIB) /* JSON bodies; image archives are streamed */
#define API_BODY_SKIP_BYTES        (64 * KIB) /* of a body that nobody wants: read, so that the connection goes on; with more of it, it ends */
#define API_HEADER_SIZE_BYTES      (32 * KIB)
#define API_CONNECTIONS_COUNT      256
#define LOG_DETAILS_COUNT          16  /* of a line that a task has printed: three are ours, the rest a logging option's */
#define API_EVENTS_BACKLOG_COUNT   256 /* per listener; Docker keeps as many for --since */
#define API_HEADERS_COUNT          100 /* docker sends about six */
#define API_LISTENERS_COUNT        8
#define API_PIPELINE_BYTES         (128 * KIB) /* requests sent ahead wait here; then in the socket */
#define API_SEND_HIGH_BYTES        (256 * KIB) /* queued for one client: its writer is told to wait */
#define API_SEND_LOW_BYTES         (64 * KIB)  /* and to go on */
#define API_SEND_MAX_BYTES         (64 * MIB)  /* a list of 10,000 containers is about 20 MiB; a client that lets more pile up is cut off */
#define API_IDLE_TIMEOUT_MS        180000      /* kept alive between requests; the docker command reuses within its own run only */
#define API_HEAD_TIMEOUT_MS        10000       /* first to last byte of a request's head: no slow trickle holds a connection */
#define API_BODY_IDLE_TIMEOUT_MS   60000       /* between two pieces of a body: `docker load` may read from a slow pipe */
#define API_LINGER_TIMEOUT_MS      2000        /* after a refusal: lets the client read it before the socket closes */
#define API_CLOSE_TIMEOUT_MS       30000       /* an answer that ends the connection: no byte of it taken for so long */
#define API_WRITE_STALL_TIMEOUT_MS 3600000     /* a person may keep `docker logs -f` in a pager for an hour */
#define API_JOIN_TIMEOUT_MS        20000       /* dockerd answers a join after as long and goes on in the background */
#define API_SWARM_TIMEOUT_MS       20000       /* all that one request asks of the managers; dockerd's */
#define API_INIT_TIMEOUT_MS        60000       /* a swarm's first manager: its keys, and its first election */
#define API_SERVICE_NETWORKS_COUNT 64          /* of one service: each is looked up */
#define API_REGISTRY_AUTH_BYTES    (16 * KIB)  /* X-Registry-Auth decoded: a token or a password */
#define API_FILTERS_COUNT          64          /* values in one filters= argument */
#define API_EVENTS_WATCHERS_COUNT  64
#define API_STATS_INTERVAL_MS      1000 /* dockerd's */

/* api/swarm */
#define SWARM_JSON_MEMBERS_COUNT  256   /* in one object: Docker's largest, a container's spec, has some 30; each is looked for among all */
#define SWARM_JSON_ITEMS_COUNT    16384 /* in one list or map: labels, environment; keeps "[{},{},…]" from growing into all memory */
#define SWARM_JSON_EXACT_DIGITS   16    /* of a number: with so many a double may skip some, 2^53 is 9007199254740992 */
#define SWARM_ADDRESS_POOLS_COUNT 64    /* of `docker swarm init`: people give one or two */

#endif
