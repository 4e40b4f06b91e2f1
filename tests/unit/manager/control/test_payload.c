/* Secrets and configs: their names and sizes, that a secret's data stays where it is, labels alone change, and users stand in the way. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

struct wish {
    Docker__Swarmkit__V1__Annotations annotations;
    Docker__Swarmkit__V1__SecretSpec secret;
    Docker__Swarmkit__V1__ConfigSpec config;
    Docker__Swarmkit__V1__CreateSecretRequest create_secret;
    Docker__Swarmkit__V1__CreateConfigRequest create_config;
    Docker__Swarmkit__V1__Version version;
    Docker__Swarmkit__V1__UpdateSecretRequest update_secret;
    Docker__Swarmkit__V1__UpdateConfigRequest update_config;
};

static struct wish wish;

static void set_data(const void *data, size_t size)
{
    wish.secret.data = wish.config.data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
}

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    docker__swarmkit__v1__annotations__init(&wish.annotations);
    docker__swarmkit__v1__secret_spec__init(&wish.secret);
    docker__swarmkit__v1__config_spec__init(&wish.config);
    docker__swarmkit__v1__create_secret_request__init(&wish.create_secret);
    docker__swarmkit__v1__create_config_request__init(&wish.create_config);
    docker__swarmkit__v1__version__init(&wish.version);
    docker__swarmkit__v1__update_secret_request__init(&wish.update_secret);
    docker__swarmkit__v1__update_config_request__init(&wish.update_config);
    wish.annotations.name = CONSTANT("key.pem");
    wish.secret.annotations = wish.config.annotations = &wish.annotations;
    wish.create_secret.spec = wish.update_secret.spec = &wish.secret;
    wish.create_config.spec = wish.update_config.spec = &wish.config;
    wish.update_secret.secret_version = wish.update_config.config_version = &wish.version;
    set_data("hidden", 6);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static const char *create_secret(void)
{
    static char id[STORE_KEY_SIZE_BYTES];
    const Docker__Swarmkit__V1__CreateSecretResponse *response = do_call(&asked, CreateSecret, &wish.create_secret);
    assert_int_equal(response->secret->spec->data.len, 0);
    snprintf(id, sizeof id, "%s", response->secret->id);
    wish.version.index = response->secret->meta->version->index;
    wish.update_secret.secret_id = id;
    return id;
}

static const char *create_config(void)
{
    static char id[STORE_KEY_SIZE_BYTES];
    const Docker__Swarmkit__V1__CreateConfigResponse *response = do_call(&asked, CreateConfig, &wish.create_config);
    assert_int_equal(response->config->spec->data.len, wish.config.data.len);
    snprintf(id, sizeof id, "%s", response->config->id);
    wish.version.index = response->config->meta->version->index;
    wish.update_config.config_id = id;
    return id;
}

static void names_have_a_form(void **state)
{
    (void)state;
    static char longest[66];
    memset(longest, 'x', 65);
    const char *bad[] = {".key", "key.", "-key", "a b", "k\xc3\xa9y", longest};
    const char *good[] = {"k", "a.b-c_D", "0"};
    const char *words = "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wish.annotations.name = CONSTANT(bad[i]);
        assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, words);
        assert_refused(&asked, CreateConfig, &wish.create_config, ERR_INVALID, 3, words);
    }
    wish.annotations.name = CONSTANT("");
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, "name must be provided");
    wish.secret.annotations = wish.config.annotations = NULL;
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, "name must be provided");
    assert_refused(&asked, CreateConfig, &wish.create_config, ERR_INVALID, 3, "name must be provided");
    wish.create_secret.spec = NULL;
    wish.create_config.spec = NULL;
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, "invalid argument");
    assert_refused(&asked, CreateConfig, &wish.create_config, ERR_INVALID, 3, "invalid argument");
    wish.create_secret.spec = &wish.secret;
    wish.create_config.spec = &wish.config;
    wish.secret.annotations = wish.config.annotations = &wish.annotations;
    longest[64] = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        wish.annotations.name = CONSTANT(good[i]);
        create_secret();
        create_config();
    }
    wish.annotations.name = longest;
    create_secret();
}

static void names_are_taken_once(void **state)
{
    (void)state;
    create_secret();
    create_config(); /* a config of a secret's name is another thing */
    wish.annotations.name = CONSTANT("KEY.pem");
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_EXISTS, 6, "secret KEY.pem already exists");
    assert_refused(&asked, CreateConfig, &wish.create_config, ERR_EXISTS, 6, "config KEY.pem already exists");
}

static void data_has_a_least_and_a_most(void **state)
{
    (void)state;
    static uint8_t data[1000 * 1024];
    set_data(NULL, 0);
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3,
                   "secret data must be larger than 0 and less than 512000 bytes");
    assert_refused(&asked, CreateConfig, &wish.create_config, ERR_INVALID, 3,
                   "config data must be larger than 0 and less than 1024000 bytes");
    set_data(data, 512000);
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, "secret data must be larger than 0");
    create_config();
    set_data(data, 1024000);
    assert_refused(&asked, CreateConfig, &wish.create_config, ERR_INVALID, 3, "config data must be larger than 0");
    set_data(data, 511999);
    create_secret();
    set_data(data, 1023999);
    wish.annotations.name = CONSTANT("other");
    create_config();
}

static void drivers_of_secrets_are_not_there(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Driver driver = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    wish.secret.driver = &driver;
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_INVALID, 3, "secret driver must have a name");
    driver.name = CONSTANT("vault");
    assert_refused(&asked, CreateSecret, &wish.create_secret, ERR_UNSUPPORTED, 12, "secret driver vault: this cluster has no drivers");
}

static void nobody_is_told_a_secret(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetSecretRequest get = DOCKER__SWARMKIT__V1__GET_SECRET_REQUEST__INIT;
    Docker__Swarmkit__V1__ListSecretsRequest list = DOCKER__SWARMKIT__V1__LIST_SECRETS_REQUEST__INIT;
    get.secret_id = CONSTANT(create_secret());
    assert_int_equal(do_call(&asked, GetSecret, &get)->secret->spec->data.len, 0);
    const Docker__Swarmkit__V1__ListSecretsResponse *response = do_call(&asked, ListSecrets, &list);
    assert_int_equal(response->n_secrets, 1);
    assert_int_equal(response->secrets[0]->spec->data.len, 0);
    assert_string_equal(response->secrets[0]->spec->annotations->name, "key.pem");
    (void)do_call(&asked, UpdateSecret, &wish.update_secret);
    assert_int_equal(((const Docker__Swarmkit__V1__UpdateSecretResponse *)(const void *)asked.response)->secret->spec->data.len, 0);
    const Docker__Swarmkit__V1__Secret *stored = store_secret(asked.world.store, get.secret_id);
    assert_memory_equal(stored->spec->data.data, "hidden", 6);
    get.secret_id = CONSTANT("");
    assert_refused(&asked, GetSecret, &get, ERR_INVALID, 3, "secret ID must be provided");
    get.secret_id = CONSTANT("s9");
    assert_refused(&asked, GetSecret, &get, ERR_NOT_FOUND, 5, "secret s9 not found");
}

static void config_is_told(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetConfigRequest get = DOCKER__SWARMKIT__V1__GET_CONFIG_REQUEST__INIT;
    assert_refused(&asked, GetConfig, &get, ERR_INVALID, 3, "config ID must be provided");
    get.config_id = CONSTANT("c9");
    assert_refused(&asked, GetConfig, &get, ERR_NOT_FOUND, 5, "config c9 not found");
    get.config_id = CONSTANT(create_config());
    assert_memory_equal(do_call(&asked, GetConfig, &get)->config->spec->data.data, "hidden", 6);
}

static void labels_alone_change(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    Docker__Swarmkit__V1__Driver templating = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    templating.name = CONSTANT("golang");
    wish.secret.templating = wish.config.templating = &templating;
    label.key = CONSTANT("of");
    label.value = CONSTANT("web");
    create_secret();
    wish.secret.templating = NULL;
    wish.annotations.labels = labels;
    wish.annotations.n_labels = 1;
    const Docker__Swarmkit__V1__UpdateSecretResponse *response = do_call(&asked, UpdateSecret, &wish.update_secret);
    assert_string_equal(response->secret->spec->annotations->labels[0]->value, "web");
    const Docker__Swarmkit__V1__Secret *secret = store_secret(asked.world.store, wish.update_secret.secret_id);
    assert_string_equal(secret->spec->annotations->labels[0]->key, "of");
    assert_memory_equal(secret->spec->data.data, "hidden", 6);
    assert_string_equal(secret->spec->templating->name, "golang");
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_PRECONDITION, 2, "update out of sequence");
    wish.version.index = secret->meta->version->index;
    set_data(NULL, 0); /* as clients do that were never told it */
    (void)do_call(&asked, UpdateSecret, &wish.update_secret);
    secret = store_secret(asked.world.store, wish.update_secret.secret_id);
    assert_int_equal(secret->spec->data.len, 6);
    wish.version.index = secret->meta->version->index;
    set_data("others", 6);
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_INVALID, 3, "only updates to Labels are allowed");
    set_data("hidden", 6);
    wish.annotations.name = CONSTANT("other");
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_INVALID, 3, "only updates to Labels are allowed");

    wish.annotations.n_labels = 0;
    create_config();
    wish.annotations.n_labels = 1;
    (void)do_call(&asked, UpdateConfig, &wish.update_config);
    const Docker__Swarmkit__V1__Config *config = store_config(asked.world.store, wish.update_config.config_id);
    assert_string_equal(config->spec->annotations->labels[0]->key, "of");
    wish.version.index = config->meta->version->index;
    set_data("others", 6);
    assert_refused(&asked, UpdateConfig, &wish.update_config, ERR_INVALID, 3, "only updates to Labels are allowed");
}

static void update_names_what_it_is_about(void **state)
{
    (void)state;
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_INVALID, 3, "invalid argument");
    assert_refused(&asked, UpdateConfig, &wish.update_config, ERR_INVALID, 3, "invalid argument");
    wish.update_secret.secret_id = wish.update_config.config_id = CONSTANT("x");
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_NOT_FOUND, 5, "secret x not found");
    assert_refused(&asked, UpdateConfig, &wish.update_config, ERR_NOT_FOUND, 5, "config x not found");
    wish.update_secret.spec = NULL;
    wish.update_config.config_version = NULL;
    assert_refused(&asked, UpdateSecret, &wish.update_secret, ERR_INVALID, 3, "invalid argument");
    assert_refused(&asked, UpdateConfig, &wish.update_config, ERR_INVALID, 3, "invalid argument");
}

static void users_stand_in_the_way_of_removal(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveSecretRequest secret = DOCKER__SWARMKIT__V1__REMOVE_SECRET_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveConfigRequest config = DOCKER__SWARMKIT__V1__REMOVE_CONFIG_REQUEST__INIT;
    Docker__Swarmkit__V1__SecretReference to_secret = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *secrets[] = {&to_secret};
    Docker__Swarmkit__V1__ConfigReference to_config = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__INIT, *configs[] = {&to_config};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    Docker__Swarmkit__V1__RemoveServiceRequest removal = DOCKER__SWARMKIT__V1__REMOVE_SERVICE_REQUEST__INIT;
    struct web web;
    char one[STORE_KEY_SIZE_BYTES], two[STORE_KEY_SIZE_BYTES];
    assert_refused(&asked, RemoveSecret, &secret, ERR_INVALID, 3, "secret ID must be provided");
    assert_refused(&asked, RemoveConfig, &config, ERR_INVALID, 3, "config ID must be provided");
    secret.secret_id = config.config_id = CONSTANT("x");
    assert_refused(&asked, RemoveSecret, &secret, ERR_NOT_FOUND, 5, "could not find secret x");
    assert_refused(&asked, RemoveConfig, &config, ERR_NOT_FOUND, 5, "could not find config x");
    secret.secret_id = to_secret.secret_id = CONSTANT(create_secret());
    config.config_id = to_config.config_id = CONSTANT(create_config());
    to_secret.secret_name = to_config.config_name = CONSTANT("key.pem");
    to_secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    to_config.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE;
    to_secret.file = to_config.file = &file;
    file.name = CONSTANT("key");
    web_init(&web, "web");
    web.container.secrets = secrets;
    web.container.configs = configs;
    web.container.n_secrets = web.container.n_configs = 1;
    web_create(&asked, &web, one);
    assert_refused(&asked, RemoveSecret, &secret, ERR_INVALID, 3, "secret 'key.pem' is in use by the following service: web");
    web.annotations.name = CONSTANT("db");
    web_create(&asked, &web, two);
    assert_refused(&asked, RemoveSecret, &secret, ERR_INVALID, 3, "secret 'key.pem' is in use by the following services: web, db");
    assert_refused(&asked, RemoveConfig, &config, ERR_INVALID, 3, "config 'key.pem' is in use by the following services: web, db");
    removal.service_id = one;
    (void)do_call(&asked, RemoveService, &removal);
    removal.service_id = two;
    (void)do_call(&asked, RemoveService, &removal);
    (void)do_call(&asked, RemoveSecret, &secret);
    (void)do_call(&asked, RemoveConfig, &config);
    assert_int_equal(store_count(asked.world.store, STORE_SECRET, STORE_ALL, NULL), 0);
    assert_int_equal(store_count(asked.world.store, STORE_CONFIG, STORE_ALL, NULL), 0);
}

static const char *listed(const Docker__Swarmkit__V1__ListSecretsRequest *request)
{
    static char names[256];
    const Docker__Swarmkit__V1__ListSecretsResponse *response = do_call(&asked, ListSecrets, request);
    names[0] = 0;
    for (size_t i = 0; i < response->n_secrets; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", response->secrets[i]->spec->annotations->name);
    return names;
}

static void lists_take_any_name_and_all_labels(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListSecretsRequest request = DOCKER__SWARMKIT__V1__LIST_SECRETS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListSecretsRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_SECRETS_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__ListSecretsRequest__Filters__LabelsEntry
        wanted = DOCKER__SWARMKIT__V1__LIST_SECRETS_REQUEST__FILTERS__LABELS_ENTRY__INIT,
        *wanted_list[] = {&wanted};
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    char prefix[8];
    snprintf(prefix, sizeof prefix, "%.6s", create_secret());
    wish.annotations.name = CONSTANT("Cert");
    create_secret();
    wish.annotations.name = CONSTANT("token");
    label.key = CONSTANT("of");
    wish.annotations.labels = labels;
    wish.annotations.n_labels = 1;
    create_secret();
    Docker__Swarmkit__V1__Secret internal = DOCKER__SWARMKIT__V1__SECRET__INIT;
    internal.id = CONSTANT("internal");
    internal.internal = true;
    do_create(&asked.world, &internal);

    assert_string_equal(listed(&request), "key.pem Cert token");
    request.filters = &filters;
    char *names[] = {CONSTANT("cert")}, *prefixes[] = {CONSTANT("TO")}, *ids[] = {prefix};
    filters.names = names;
    filters.n_names = 1;
    assert_string_equal(listed(&request), "Cert");
    filters.name_prefixes = prefixes;
    filters.n_name_prefixes = 1;
    assert_string_equal(listed(&request), "Cert token");
    filters.id_prefixes = ids;
    filters.n_id_prefixes = 1;
    assert_string_equal(listed(&request), "key.pem Cert token");
    wanted.key = CONSTANT("of");
    filters.labels = wanted_list;
    filters.n_labels = 1;
    assert_string_equal(listed(&request), "token");
    filters.n_names = filters.n_name_prefixes = 0;
    assert_string_equal(listed(&request), "");

    Docker__Swarmkit__V1__ListConfigsRequest configs = DOCKER__SWARMKIT__V1__LIST_CONFIGS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListConfigsRequest__Filters config_filters = DOCKER__SWARMKIT__V1__LIST_CONFIGS_REQUEST__FILTERS__INIT;
    create_config();
    wish.annotations.name = CONSTANT("other");
    create_config();
    assert_int_equal(do_call(&asked, ListConfigs, &configs)->n_configs, 2);
    configs.filters = &config_filters;
    config_filters.names = prefixes;
    config_filters.n_names = 1;
    assert_int_equal(do_call(&asked, ListConfigs, &configs)->n_configs, 0);
    config_filters.name_prefixes = prefixes;
    config_filters.n_name_prefixes = 1;
    assert_string_equal(do_call(&asked, ListConfigs, &configs)->configs[0]->spec->annotations->name, "token");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(names_have_a_form),
        test(names_are_taken_once),
        test(data_has_a_least_and_a_most),
        test(drivers_of_secrets_are_not_there),
        test(nobody_is_told_a_secret),
        test(config_is_told),
        test(labels_alone_change),
        test(update_names_what_it_is_about),
        test(users_stand_in_the_way_of_removal),
        test(lists_take_any_name_and_all_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
