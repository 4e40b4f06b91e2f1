/* daemon/daemon.c – see daemon.h. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

#include "agent/node.h"
#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/collector.h"
#include "daemon/emulated_host.h"
#include "daemon/emulated_images.h"
#include "daemon/host.h"
#include "daemon/image_asker.h"
#include "daemon/managing.h"
#include "daemon/telemetry.h"
#include "daemon/vault.h"
#include "runtime/emulated/hcs_emulated.h"
#include "runtime/hcs.h"
#include "runtime/image/image.h"

struct daemon {
    const struct config *config;
    uv_loop_t *loop;
    struct clock clock;
    struct hcs *hcs;
    struct image_store *images;
    struct vault vault;
    struct emulated_images *emulated_images; /* NULL: none, or such as are for every host */
    struct node *node;
    struct managing *managing;
    struct telemetry telemetry;
    struct collector *collector;
    struct api *api;
};

static bool is_emulated(const struct daemon *daemon)
{
    return strcmp(daemon->config->runtime, "emulated") == 0;
}

/* A node that can run nothing is let in all the same: its API works, and each task says why it is refused. */
static int open_real_runtime(struct daemon *daemon, struct error *err)
{
    struct hcs_host host;
    if (daemon_open_runtime(daemon->config, &daemon->clock, daemon->loop, &daemon->hcs, err) < 0)
        return err->code;
    hcs_probe(daemon->hcs, &host);
    if (!host.offers_process)
        log_warn("skepd", "no container can run here: %s", host.process_missing);
    return 0;
}

static int open_emulated_runtime(struct daemon *daemon, struct error *err)
{
    const char *described = daemon->config->emulated_host;
    cleanup_free char *memory = mem_format("%s/emulated.json", daemon->config->state_dir);
    struct hcs_emulated_options options = {.random = random_system(), .memory_path = memory};
    struct emulated_host host;
    if (described && emulated_host_parse(described, &host, err) < 0)
        return err->code;
    if (described) {
        options.os = host.os;
        options.architecture = host.architecture;
        options.os_version = host.os_version;
        options.offers_hyperv = host.offers_hyperv;
        options.lacks_process = !host.offers_process;
    }
    if (hcs_emulated_new(&options, clock_monotonic_ns(&daemon->clock), clock_wall_ns(&daemon->clock), &daemon->hcs, err) < 0)
        return err->code;
    hcs_emulated_run_on(daemon->hcs, daemon->loop);
    if (described)
        log_warn("skepd", "the runtime is emulated, and so is its host (%s): containers are pretended, nothing runs", described);
    else
        log_warn("skepd", "the runtime is emulated: containers are pretended, nothing runs");
    return 0;
}

static int open_runtime(struct daemon *daemon, struct error *err)
{
    return is_emulated(daemon) ? open_emulated_runtime(daemon, err) : open_real_runtime(daemon, err);
}

static int open_images(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    cleanup_free char *dir = mem_format("%s/images", config->state_dir);
    struct image_store_options options = {
        .loop = daemon->loop,
        .dir = dir,
        .insecure_registries = (const char *const *)config->insecure_registries.values,
        .insecure_registry_count = config->insecure_registries.count,
    };
    if (image_store_open(&options, &daemon->images, err) < 0)
        return err->code;
    daemon->collector = collector_new(daemon->loop, daemon->images, (uint64_t)config->image_gc_interval / NS_PER_MS);
    return 0;
}

/* Of a host that is described in full, also what an image is for matters: registries are asked. */
static struct image_source images_of(struct daemon *daemon)
{
    struct image_asker registries = image_asker_of_store(daemon->images);
    struct hcs_host host;
    if (!is_emulated(daemon))
        return image_source_of_store(daemon->images);
    if (!daemon->config->emulated_host)
        return image_source_emulated();
    hcs_probe(daemon->hcs, &host);
    daemon->emulated_images = emulated_images_new(
        &registries, &(struct image_platform){.os = host.os, .architecture = host.architecture, .os_version = host.os_version});
    return emulated_images_source(daemon->emulated_images);
}

static void on_identity(void *ctx)
{
    struct daemon *daemon = ctx;
    if (daemon->managing)
        managing_look(daemon->managing);
}

static void on_commit(void *ctx, const struct store_commit *commit)
{
    struct daemon *daemon = ctx;
    if (daemon->api)
        api_publish_commit(daemon->api, commit);
}

static int open_node(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    vault_init(&daemon->vault, config->state_dir);
    struct node_options options = {
        .loop = daemon->loop,
        .clock = daemon->clock,
        .random = random_system(),
        .state_dir = config->state_dir,
        .run_dir = config->run_dir,
        .hostname = config->hostname,
        .labels = (const char *const *)config->labels.values,
        .label_count = config->labels.count,
        .default_isolation = config->default_isolation,
        .hcs = daemon->hcs,
        .images = images_of(daemon),
        .can_manage = true,
        .is_locked = vault_is_locked(&daemon->vault),
        .on_identity = on_identity,
        .ctx = daemon,
    };
    if (node_new(&options, &daemon->node, err) < 0)
        return err->code;
    daemon->managing = managing_new(&(struct managing_options){.loop = daemon->loop,
                                                               .clock = daemon->clock,
                                                               .state_dir = config->state_dir,
                                                               .node = daemon->node,
                                                               .vault = &daemon->vault,
                                                               .images = image_asker_of_store(daemon->images),
                                                               .on_commit = on_commit,
                                                               .ctx = daemon});
    return 0;
}

static const char *health_of(void *self, const char *container_id)
{
    struct daemon *daemon = self;
    return node_container_health(daemon->node, container_id);
}

/* As dockerd: without a group of the default's name, the API is root's alone. */
static const char *group_of_sockets(const struct config *config)
{
    if (config->group || config_defaults()->group == NULL)
        return config->group;
    if (host_has_group(config_defaults()->group))
        return config_defaults()->group;
    log_warn("skepd", "there is no group %s: only root may use the API (give another with --group)", config_defaults()->group);
    return NULL;
}

static int open_metrics(struct daemon *daemon, struct error *err)
{
    const char *address = daemon->config->metrics_addr;
    if (text_empty(address))
        return 0;
    if (api_listen_metrics(daemon->api, address, err) < 0)
        return error_wrap(err, "--metrics-addr");
    log_info("skepd", "metrics and health are answered at %s", address);
    return 0;
}

static int open_api(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    struct api_options options = {
        .loop = daemon->loop,
        .clock = daemon->clock,
        .node = api_node_wire(daemon->node),
        .swarm = managing_swarm(daemon->managing),
        .images = api_images_wire(daemon->images),
        .registries = image_asker_of_store(daemon->images),
        .telemetry = telemetry_wire(&daemon->telemetry),
        .hcs = daemon->hcs,
        .state_dir = config->state_dir,
        .hostname = config->hostname,
        .default_isolation = config->default_isolation,
        .labels = (const char *const *)config->labels.values,
        .label_count = config->labels.count,
        .insecure_registries = (const char *const *)config->insecure_registries.values,
        .insecure_registry_count = config->insecure_registries.count,
        .is_debug = config_log_level(config) == LOG_DEBUG,
        .health = health_of,
        .health_self = daemon,
    };
    daemon->telemetry = (struct telemetry){.node = daemon->node, .managing = daemon->managing};
    daemon->api = api_new(&options);
    const char *group = group_of_sockets(config);
    for (size_t i = 0; i < config->hosts.count; i++) {
        if (api_listen(daemon->api, config->hosts.values[i], group, err) < 0)
            return err->code;
        log_info("skepd", "the API listens at %s", config->hosts.values[i]);
    }
    return open_metrics(daemon, err);
}

/* What stands is closed in the reverse order of its opening, each part when the one on top of it is gone. */
static void close_next(void *ctx)
{
    struct daemon *daemon = ctx;
    if (daemon->api) {
        struct api *api = daemon->api;
        daemon->api = NULL;
        api_free(api, close_next, daemon);
    } else if (daemon->managing) {
        struct managing *managing = daemon->managing;
        daemon->managing = NULL;
        managing_free(managing, close_next, daemon);
    } else if (daemon->node) {
        struct node *node = daemon->node;
        daemon->node = NULL;
        node_free(node, close_next, daemon);
    } else if (daemon->emulated_images) {
        emulated_images_free(daemon->emulated_images);
        daemon->emulated_images = NULL;
        close_next(daemon);
    } else if (daemon->collector) {
        struct collector *collector = daemon->collector;
        daemon->collector = NULL;
        collector_free(collector, close_next, daemon);
    } else if (daemon->images) {
        struct image_store *images = daemon->images;
        daemon->images = NULL;
        image_store_close(images, close_next, daemon);
    } else if (daemon->hcs) {
        struct hcs *hcs = daemon->hcs;
        daemon->hcs = NULL;
        hcs_close(hcs, close_next, daemon);
    } else {
        vault_deinit(&daemon->vault);
        free(daemon);
    }
}

int daemon_start(const struct config *config, uv_loop_t *loop, struct daemon **out, struct error *err)
{
    struct daemon *daemon = mem_alloc(sizeof *daemon);
    daemon->config = config;
    daemon->loop = loop;
    daemon->clock = config->clock_offset != 0 ? clock_system_shifted(&config->clock_offset) : clock_system();
    if (open_runtime(daemon, err) == 0 && open_images(daemon, err) == 0 && open_node(daemon, err) == 0 && open_api(daemon, err) == 0) {
        *out = daemon;
        return 0;
    }
    close_next(daemon);
    return err->code;
}

void daemon_reload(struct daemon *daemon, const struct config *fresh)
{
    const char *const *labels = (const char *const *)fresh->labels.values;
    cleanup_free char *fixed = config_fixed_changes(daemon->config, fresh);
    log_init(config_log_format(daemon->config), config_log_level(fresh), stderr);
    node_set_labels(daemon->node, labels, fresh->labels.count);
    api_set_labels(daemon->api, labels, fresh->labels.count);
    log_info("skepd", "the configuration was read again: labels and the log's level are taken over");
    if (fixed)
        log_warn("skepd", "these options differ from what skepd was started with, and count from its next start on: %s", fixed);
}

void daemon_drain(struct daemon *daemon)
{
    node_drain(daemon->node);
}

bool daemon_is_drained(const struct daemon *daemon, size_t *running)
{
    return node_is_drained(daemon->node, running);
}

void daemon_stop(struct daemon *daemon)
{
    close_next(daemon);
}
