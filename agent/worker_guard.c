/* Services of which there must never be two copies of a slot: WORKER_STOP_AFTER_LABEL. */
#include "agent/worker_inside.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/text.h"
#include "base/time.h"

/* What cannot be read is as if it were not there: whoever takes in a service refuses it. */
uint64_t worker_read_stop_after(const Task *proto)
{
    const Docker__Swarmkit__V1__Annotations *annotations = proto->service_annotations;
    int64_t ns;
    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (text_equal(annotations->labels[i]->key, WORKER_STOP_AFTER_LABEL) &&
            time_parse_duration(annotations->labels[i]->value, &ns, NULL) == 0 && ns > 0)
            return (uint64_t)ns;
    return 0;
}

/* When it is to be shut down if no manager is heard until then. */
uint64_t worker_stop_ns(const struct entry *entry)
{
    uint64_t lost_ns = entry->worker->lost_ns;
    bool may_stop = entry->stop_after_ns > 0 && entry->task.desired < TASK_NUMBER_SHUTDOWN && !entry->task.is_leaving;
    return may_stop && lost_ns != NEVER_NS && entry->stop_after_ns < NEVER_NS - lost_ns ? lost_ns + entry->stop_after_ns : NEVER_NS;
}

void worker_set_contact(struct worker *worker, bool is_in_contact)
{
    struct entry *entry = NULL, *next = NULL;
    if (is_in_contact == (worker->lost_ns == NEVER_NS))
        return;
    worker->lost_ns = is_in_contact ? NEVER_NS : worker_now(worker);
    HASH_ITER (hh, worker->entries, entry, next)
        worker_mark(entry);
    worker_schedule(worker);
}

/* On disk too: it does not come back with a restart. */
void worker_stop_if_lost(struct entry *entry, uint64_t now_ns)
{
    char duration[TIME_DURATION_SIZE];
    if (now_ns < worker_stop_ns(entry) || CLUSTER_MUTANT(NO_STOP_AFTER))
        return;
    time_format_duration((int64_t)entry->stop_after_ns, duration);
    log_with(LOG_WARN, ROOM, LOG_FIELDS({"task", entry->proto->id}), "shut down: no manager was heard for %s (" WORKER_STOP_AFTER_LABEL ")",
             duration);
    task_desire(&entry->task, TASK_NUMBER_SHUTDOWN);
    entry->proto->desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN;
    worker_write_task(entry);
}

/* Could its container be running? What was found when the node came back is looked at first. */
static bool may_run(const struct entry *entry)
{
    enum task_state state = task_state(&entry->task);
    if (!entry->container_id[0])
        return false;
    return entry->task.container == TASK_CONTAINER_RUNNING ||
           (entry->task.container == TASK_CONTAINER_UNKNOWN && (state == TASK_STARTING || state == TASK_RUNNING));
}

/* Of a service with WORKER_STOP_AFTER_LABEL: the copy of its slot that is to go and has not gone. A node that was away may find one still
 * running, and its successor assigned already. */
const struct entry *worker_copy_before(const struct entry *entry)
{
    const Task *proto = entry->proto;
    if (entry->stop_after_ns == 0 || proto->slot == 0)
        return NULL;
    for (const struct entry *other = entry->worker->entries; other; other = other->hh.next) {
        bool is_to_go = other->task.is_leaving || other->task.desired >= TASK_NUMBER_SHUTDOWN;
        if (other != entry && is_to_go && other->proto->slot == proto->slot && text_equal(other->proto->service_id, proto->service_id) &&
            may_run(other))
            return other;
    }
    return NULL;
}
