/* manager/store/history.c – the newest commits, for those who follow them at their own pace. A watcher is a place in one shared list: a
 * slow one costs nothing until it is left behind. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/inside.h"

struct commit_kept {
    struct commit_kept *next;
    struct store_commit commit;
    struct changes changes;
    size_t size_bytes;
};

struct store_watcher {
    struct store *store;
    struct store_watcher *next, **at;
    uint64_t seen;             /* the version of the last commit that was read, or that was there when it began */
    uint64_t reset;            /* history.resets when it last looked */
    struct commit_kept *place; /* the last commit that was read; NULL: begin at the first one behind @seen */
    bool is_idle;              /* read to the end: to be told of the next one */
    uint64_t told;             /* history.tells when it was told last: it may read when it is told, and is idle again then */
    void (*on_ready)(void *ctx);
    void *ctx;
};

static void drop_first(struct history *history)
{
    struct commit_kept *kept = history->first;

    for (struct store_watcher *watcher = history->watchers; watcher; watcher = watcher->next)
        if (watcher->place == kept)
            watcher->place = NULL;
    history->first = kept->next;
    if (history->first == NULL)
        history->last = NULL;
    history->lost_version = kept->commit.version;
    history->count--;
    history->size_bytes -= kept->size_bytes;
    changes_free(&kept->changes);
    free(kept);
}

static struct store_watcher *next_idle(const struct history *history)
{
    struct store_watcher *watcher = history->watchers;

    while (watcher && (!watcher->is_idle || watcher->told == history->tells))
        watcher = watcher->next;
    return watcher;
}

/* Watchers may come and go while they are told: the walk begins anew after each, and each is told once. */
static void tell_watchers(struct history *history)
{
    struct store_watcher *watcher;

    history->tells++;
    while ((watcher = next_idle(history)) != NULL) {
        watcher->is_idle = false;
        watcher->told = history->tells;
        if (watcher->on_ready)
            watcher->on_ready(watcher->ctx);
    }
}

void history_add(struct store *store, uint64_t version, struct changes *changes)
{
    struct history *history = &store->history;
    struct commit_kept *kept = mem_alloc(sizeof *kept);

    kept->changes = *changes;
    *changes = (struct changes){0};
    kept->commit = (struct store_commit){version, kept->changes.items, kept->changes.count};
    kept->size_bytes = sizeof *kept;
    for (size_t i = 0; i < kept->changes.count; i++) /* counted as if nobody else held them: the bound is a bound */
        kept->size_bytes += sizeof kept->changes.items[i] + kept->changes.items[i].object->size_bytes +
                            (kept->changes.items[i].old ? kept->changes.items[i].old->size_bytes : 0);
    *(history->last ? &history->last->next : &history->first) = kept;
    history->last = kept;
    history->count++;
    history->size_bytes += kept->size_bytes;
    while (history->count > 1 && (history->count > history->most_count || history->size_bytes > history->most_bytes))
        drop_first(history);
    tell_watchers(history);
}

void history_forget(struct store *store)
{
    struct history *history = &store->history;

    while (history->first)
        drop_first(history);
    history->lost_version = store->version;
    history->resets++;
    tell_watchers(history);
}

void history_deinit(struct store *store)
{
    assert(store->history.watchers == NULL); /* store_unwatch() */
    while (store->history.first)
        drop_first(&store->history);
}

static struct store_watcher *add_watcher(struct store *store, uint64_t seen, void (*on_ready)(void *ctx), void *ctx)
{
    struct store_watcher *watcher = mem_alloc(sizeof *watcher);

    *watcher = (struct store_watcher){
        .store = store, .seen = seen, .reset = store->history.resets, .told = store->history.tells, .on_ready = on_ready, .ctx = ctx};
    watcher->next = store->history.watchers;
    if (watcher->next)
        watcher->next->at = &watcher->next;
    watcher->at = &store->history.watchers;
    store->history.watchers = watcher;
    return watcher;
}

struct store_watcher *store_watch(struct store *store, void (*on_ready)(void *ctx), void *ctx)
{
    struct store_watcher *watcher = add_watcher(store, store->version, on_ready, ctx);

    watcher->place = store->history.last;
    watcher->is_idle = true;
    return watcher;
}

int store_watch_from(struct store *store, uint64_t version, void (*on_ready)(void *ctx), void *ctx, struct store_watcher **out,
                     struct error *err)
{
    if (version < store->history.lost_version)
        return error_set(err, ERR_LIMIT, "store: changes since version %llu are not kept any more, only those since %llu: list anew",
                         (unsigned long long)version, (unsigned long long)store->history.lost_version);
    if (version > store->version)
        return error_set(err, ERR_INVALID, "store: version %llu is not reached yet: this is version %llu", (unsigned long long)version,
                         (unsigned long long)store->version);
    *out = add_watcher(store, version, on_ready, ctx);
    return 0;
}

int store_watch_next(struct store_watcher *watcher, const struct store_commit **out, struct error *err)
{
    struct history *history = &watcher->store->history;
    struct commit_kept *next;

    if (watcher->reset != history->resets || (!watcher->place && watcher->seen < history->lost_version)) {
        watcher->reset = history->resets;
        watcher->place = history->last;
        watcher->seen = watcher->store->version;
        return error_set(err, ERR_LIMIT, "store: this watcher was left behind: list anew");
    }
    next = watcher->place ? watcher->place->next : history->first;
    while (next && next->commit.version <= watcher->seen)
        next = next->next;
    if (next == NULL) {
        watcher->is_idle = true;
        return error_set(err, ERR_NOT_FOUND, "store: nothing new");
    }
    watcher->place = next;
    watcher->seen = next->commit.version;
    *out = &next->commit;
    return 0;
}

void store_unwatch(struct store_watcher *watcher)
{
    if (watcher == NULL)
        return;
    *watcher->at = watcher->next;
    if (watcher->next)
        watcher->next->at = watcher->at;
    free(watcher);
}
