/* Members in memory: how messages move between them and how their storage work is done. */
#include "tests/scenarios/group.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/describe.h"
#include "tests/scenarios/languages.h"

struct group *group_new(void)
{
    return mem_alloc(sizeof(struct group));
}

static void member_free(struct member *member)
{
    raft_free(member->raft);
    raft_memory_storage_deinit(&member->storage);
    raft_messages_deinit(&member->append_work);
    raft_messages_deinit(&member->apply_work);
    for (size_t i = 0; i < member->history_count; i++)
        raft_snapshot_deinit(&member->history[i]);
    free(member->history);
    free(member);
}

void group_free(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        member_free(group->members[i]);
    free(group->members);
    raft_messages_deinit(&group->messages);
    free(group);
}

void group_print(struct group *group, const char *format, ...)
{
    va_list args;
    cleanup_free char *text = NULL;

    if (group->is_quiet)
        return;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        buf_append_string(group->out, text);
    va_end(args);
}

void group_print_message(struct group *group, const char *before, const struct raft_message *message)
{
    if (group->is_quiet)
        return;
    buf_append_string(group->out, before);
    raft_describe_message(message, group->out);
}

void group_print_log(struct group *group, struct member *member)
{
    struct raft_storage table = raft_memory_storage_table(&member->storage);
    uint64_t first = table.first_index(table.self), last = table.last_index(table.self);
    struct raft_entries entries = {0};
    struct error err = {0};

    if (last < first) {
        group_print(group, "log is empty: first index=%llu, last index=%llu", (unsigned long long)first, (unsigned long long)last);
        return;
    }
    if (table.entries(table.self, first, last + 1, RAFT_UNLIMITED, &entries, &err) == RAFT_STORED && !group->is_quiet)
        raft_describe_entries(entries.items, entries.count, group->out);
    raft_entries_deinit(&entries);
}

static void remember(struct member *member, const struct raft_snapshot *snapshot) /* taken */
{
    member->history = mem_resize(member->history, (member->history_count + 1) * sizeof *member->history);
    member->history[member->history_count++] = *snapshot;
}

static int newest_snapshot(void *self, struct raft_snapshot *out, struct error *err)
{
    const struct member *member = self;

    (void)err;
    raft_snapshot_copy(out, &member->history[member->history_count - 1]);
    return RAFT_STORED;
}

static int add_member(struct group *group, const struct raft_config *config, const struct raft_snapshot *snapshot, struct error *err)
{
    struct member *member = mem_alloc(sizeof *member);
    struct raft_snapshot first;

    raft_memory_storage_init(&member->storage);
    member->config = *config;
    member->config.id = group->count + 1;
    member->config.storage = raft_memory_storage_table(&member->storage);
    member->config.storage.snapshot = newest_snapshot;
    raft_snapshot_copy(&first, snapshot);
    remember(member, &first);
    if ((snapshot->index != 0 && raft_memory_storage_apply_snapshot(&member->storage, snapshot, err) < 0) ||
        raft_new(&member->raft, &member->config, err) < 0) {
        member_free(member);
        return err->code;
    }
    group->members = mem_resize(group->members, (group->count + 1) * sizeof *group->members);
    group->members[group->count++] = member;
    return 0;
}

int group_add_members(struct group *group, uint64_t count, const struct raft_config *config, const struct raft_snapshot *snapshot,
                      struct error *err)
{
    for (uint64_t i = 0; i < count; i++)
        if (add_member(group, config, snapshot, err) < 0)
            return err->code;
    return 0;
}

struct member *group_member(struct group *group, uint64_t id)
{
    return id >= 1 && id <= group->count ? group->members[id - 1] : NULL;
}

static bool is_thread(uint64_t id)
{
    return id == RAFT_APPEND_THREAD || id == RAFT_APPLY_THREAD;
}

/* What a member says to itself or its threads is never lost. */
static bool is_local(const struct raft_message *message)
{
    return message->from == message->to || is_thread(message->from) || is_thread(message->to);
}

bool group_has_messages(const struct group *group, uint64_t to)
{
    for (size_t i = 0; i < group->messages.count; i++)
        if (group->messages.items[i].to == to)
            return true;
    return false;
}

/* Refusals in the words that scenarios expect. */
static void print_refusal(struct group *group, int type, const struct error *err)
{
    if (err->code == ERR_NOT_FOUND)
        group_print(group, "raft: cannot step as peer not found\n");
    else if (type == RAFT_MESSAGE_PROPOSE)
        group_print(group, "raft proposal dropped\n");
    else
        group_print(group, "%s\n", err->message);
}

static void deliver(struct group *group, struct raft_message *message, bool is_dropped)
{
    struct member *member = group_member(group, message->to);
    struct error err = {0};
    int type = (int)message->type;

    group_print_message(group, is_dropped ? "dropped: " : "", message);
    group_print(group, "\n");
    if (is_dropped)
        return;
    if (!member)
        group_print(group, "there is no member %llu\n", (unsigned long long)message->to);
    else if (raft_step(member->raft, message, &err) < 0)
        print_refusal(group, type, &err);
}

size_t group_deliver(struct group *group, uint64_t to, int type, bool is_dropped)
{
    struct raft_messages taken = {0}, left = {0};

    for (size_t i = 0; i < group->messages.count; i++) {
        struct raft_message *message = &group->messages.items[i];
        bool is_meant = message->to == to && !(is_dropped && is_local(message)) && (type == GROUP_ANY_TYPE || (int)message->type == type);
        raft_messages_add(is_meant ? &taken : &left, message);
    }
    raft_messages_deinit(&group->messages);
    group->messages = left;
    for (size_t i = 0; i < taken.count; i++)
        deliver(group, &taken.items[i], is_dropped);
    size_t count = taken.count;
    raft_messages_deinit(&taken);
    return count;
}

static int store(struct member *member, const struct raft_hard_state *hard, const struct raft_entry *entries, size_t count,
                 const struct raft_snapshot *snapshot, struct error *err)
{
    if (hard->term != 0 || hard->vote != 0 || hard->commit != 0)
        raft_memory_storage_set_hard_state(&member->storage, hard);
    if (!snapshot || snapshot->index == 0)
        return raft_memory_storage_append(&member->storage, entries, count, err);
    if (count > 0)
        return error_set(err, ERR_INVALID, "can't apply snapshot and entries at the same time");
    return raft_memory_storage_apply_snapshot(&member->storage, snapshot, err);
}

/* The state machine appends what an entry carries to all that came before. */
static struct raft_payload *append_data(const struct raft_payload *before, struct bytes added)
{
    cleanup_buf struct buf all = {0};

    if (before)
        buf_append(&all, before->data, before->size);
    if (added.size > 0)
        buf_append(&all, added.data, added.size);
    return raft_payload_new(buf_bytes(&all));
}

static int apply_entry(struct member *member, const struct raft_entry *entry, struct error *err)
{
    const struct raft_snapshot *last = &member->history[member->history_count - 1];
    struct raft_snapshot next = {.index = entry->index, .term = entry->term};
    struct raft_conf_change change = {0};

    if (entry->type == RAFT_ENTRY_NORMAL) {
        next.data = append_data(last->data, raft_entry_bytes(entry));
        raft_conf_state_copy(&next.conf, &last->conf);
        remember(member, &next);
        return 0;
    }
    if (raft_conf_change_decode(entry, &change, err) < 0)
        return err->code;
    int result = raft_apply_conf_change(member->raft, &change, &next.conf, err);
    if (result == 0) {
        next.data = append_data(last->data, change.context ? bytes_of(change.context->data, change.context->size) : bytes_of(NULL, 0));
        remember(member, &next);
    }
    raft_conf_change_deinit(&change);
    return result;
}

static int apply(struct member *member, const struct raft_entry *entries, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (apply_entry(member, &entries[i], err) < 0)
            return err->code;
    return 0;
}

int group_process_ready(struct group *group, struct member *member, struct error *err)
{
    struct raft_ready *ready;
    bool is_async = member->config.async_storage_writes;

    if (raft_ready(member->raft, &ready, err) < 0)
        return err->code;
    if (!group->is_quiet)
        raft_describe_ready(ready, group->out);
    if (!is_async && (store(member, &ready->hard_state, ready->entries.items, ready->entries.count, &ready->snapshot, err) < 0 ||
                      apply(member, ready->committed.items, ready->committed.count, err) < 0))
        return err->code;
    for (size_t i = 0; i < ready->messages.count; i++) {
        struct raft_message *message = &ready->messages.items[i];
        struct raft_messages *to = &group->messages;
        if (message->to == RAFT_APPEND_THREAD)
            to = &member->append_work;
        else if (message->to == RAFT_APPLY_THREAD)
            to = &member->apply_work;
        raft_messages_add(to, message);
    }
    return is_async ? 0 : raft_advance(member->raft, err);
}

static struct raft_message take_first(struct raft_messages *work)
{
    struct raft_message first = work->items[0];

    work->count--;
    memmove(work->items, work->items + 1, work->count * sizeof *work->items);
    return first;
}

static void print_work(struct group *group, struct raft_message *work)
{
    size_t responses_count = work->responses_count;

    work->responses_count = 0; /* they have a list of their own, below */
    group_print_message(group, "Processing:\n", work);
    group_print(group, "\n");
    work->responses_count = responses_count;
}

static void send_responses(struct group *group, struct raft_message *work)
{
    group_print(group, "Responses:\n");
    for (size_t i = 0; i < work->responses_count; i++) {
        group_print_message(group, "", &work->responses[i]);
        group_print(group, "\n");
        raft_messages_add(&group->messages, &work->responses[i]);
    }
}

int group_process_append(struct group *group, struct member *member, struct error *err)
{
    if (member->append_work.count == 0) {
        group_print(group, "no append work to perform");
        return 0;
    }
    struct raft_message work = take_first(&member->append_work);
    struct raft_hard_state hard = {work.term, work.vote, work.commit};
    print_work(group, &work);
    int result = store(member, &hard, work.entries, work.entries_count, work.snapshot, err);
    if (result == 0)
        send_responses(group, &work);
    raft_message_deinit(&work);
    return result;
}

int group_process_apply(struct group *group, struct member *member, struct error *err)
{
    if (member->apply_work.count == 0) {
        group_print(group, "no apply work to perform");
        return 0;
    }
    struct raft_message work = take_first(&member->apply_work);
    print_work(group, &work);
    int result = apply(member, work.entries, work.entries_count, err);
    if (result == 0)
        send_responses(group, &work);
    raft_message_deinit(&work);
    return result;
}

int group_indented(struct group *group, const char *heading, group_process_fn *process, struct member *member, struct error *err)
{
    struct buf *outer = group->out, inner = {0};
    int result;

    if (heading)
        group_print(group, "> %llu %s\n", (unsigned long long)member->config.id, heading);
    group->out = &inner;
    result = process(group, member, err);
    group->out = outer;
    for (char *rest = inner.size > 0 ? (char *)inner.data : NULL, *line; rest && *rest && (line = strsep(&rest, "\n")) != NULL;)
        buf_append_format(outer, "  %s\n", line);
    buf_deinit(&inner);
    return result;
}

static int deliver_all(struct group *group, struct member *member, struct error *err)
{
    (void)err;
    group_deliver(group, member->config.id, GROUP_ANY_TYPE, false);
    return 0;
}

/* One round: ready, messages, append work, apply work, each for all members. */
static int stabilize_once(struct group *group, struct member *const *members, size_t count, bool *is_done, struct error *err)
{
    *is_done = true;
    for (size_t i = 0; i < count; i++) {
        if (!raft_has_ready(members[i]->raft))
            continue;
        *is_done = false;
        if (group_indented(group, "handling Ready", group_process_ready, members[i], err) < 0)
            return err->code;
    }
    for (size_t i = 0; i < count; i++) {
        if (!group_has_messages(group, members[i]->config.id))
            continue;
        *is_done = false;
        group_indented(group, "receiving messages", deliver_all, members[i], err);
    }
    for (size_t i = 0; i < count; i++)
        for (bool is_first = true; members[i]->append_work.count > 0; is_first = *is_done = false)
            if (group_indented(group, is_first ? "processing append thread" : NULL, group_process_append, members[i], err) < 0)
                return err->code;
    for (size_t i = 0; i < count; i++)
        for (bool is_first = true; members[i]->apply_work.count > 0; is_first = *is_done = false)
            if (group_indented(group, is_first ? "processing apply thread" : NULL, group_process_apply, members[i], err) < 0)
                return err->code;
    return 0;
}

int group_stabilize(struct group *group, struct member *const *members, size_t count, struct error *err)
{
    bool is_done = false;

    while (!is_done)
        if (stabilize_once(group, members, count, &is_done, err) < 0)
            return err->code;
    return 0;
}
