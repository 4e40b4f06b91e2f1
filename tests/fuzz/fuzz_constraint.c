/* tests/fuzz/fuzz_constraint.c – whatever a person may write as a placement constraint: read, written back, read again, asked of a node. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "manager/scheduler/constraint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct constraint_label labels[] = {{"zone", "east"}, {"", "x"}};
    static const struct constraint_node node = {"id", "host", "10.0.0.5", "linux", "x86_64", true, labels, labels, 2, 2};
    cleanup_arena struct arena arena = {0};
    cleanup_free char *text = mem_string_n((const char *)data, size);
    struct constraints read, again;
    struct error err;

    if (constraints_parse(&text, 1, &arena, &read, &err) < 0)
        return 0;
    bool holds = constraints_hold(&read, &node, NULL);
    char *written = arena_string(&arena, read.items[0].text);
    int result = constraints_parse(&written, 1, &arena, &again, &err);
    assert(result == 0 && again.items[0].key == read.items[0].key && strcmp(again.items[0].value, read.items[0].value) == 0);
    assert(again.items[0].is_negated == read.items[0].is_negated && constraints_hold(&again, &node, NULL) == holds);
    (void)result;
    (void)holds;
    return 0;
}
