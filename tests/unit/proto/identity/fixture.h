/* tests/unit/proto/identity/fixture.h – what a real dockerd 20.10.24 wrote, see tests/fixtures/swarm/README.md. */
#ifndef SKEP_TESTS_UNIT_PROTO_IDENTITY_FIXTURE_H
#define SKEP_TESTS_UNIT_PROTO_IDENTITY_FIXTURE_H

#include "base/buf.h"
#include "base/file.h"
#include "base/time.h"
#include "tests/unit/test.h"

/* Appended to @out, which the caller releases. The tests run in the top directory. */
static inline struct bytes fixture(struct buf *out, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/fixtures/swarm/%s", name);
    assert_ok(file_read(path, MIB, out, err));
    return buf_bytes(out);
}

static inline int64_t instant(const char *text)
{
    int64_t wall_ns = 0;
    assert_ok(time_parse(text, &wall_ns, err));
    return wall_ns;
}

/* A moment at which all fixtures are valid. */
#define FIXTURE_TIME "2026-12-01T00:00:00Z"

#endif
