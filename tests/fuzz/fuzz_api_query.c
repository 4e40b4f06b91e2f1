/* tests/fuzz/fuzz_api_query.c – a request's path, query and filters as text. */
#include "api/filters.h"
#include "api/http_text.h"
#include "api/router.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const known[] = {"label", "name", "status", NULL};
    static const char *const patterns[] = {"/containers/{id}/json", "/images/{name*}/json", "/{a}/{b}"};
    cleanup_arena struct arena arena = {0};
    cleanup_free char *text = mem_string_n((const char *)data, size);
    struct http_query query;
    struct filters filters;
    struct error err;
    const char *rest, *params[ROUTER_PARAMS_COUNT];
    int minor;
    if (router_version(text, 24, 50, &minor, &rest, &err) == 0)
        for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
            router_match(patterns[i], rest, &arena, params);
    if (http_query_parse(&arena, text, &query, &err) == 0)
        filters_parse(http_query_get(&query, "filters", NULL), known, &arena, &filters, &err);
    if (filters_parse(text, known, &arena, &filters, &err) == 0 && filters.count > 0) {
        filters_match_name(filters.items[0].value, text);
        filters_match_glob(filters.items[0].value, text);
    }
    return 0;
}
