/* cli/log_demux.h – takes Docker's log frames apart: {stream, 0, 0, 0, size} and the text, in pieces as they arrive. Pure. */
#ifndef SKEP_CLI_LOG_DEMUX_H
#define SKEP_CLI_LOG_DEMUX_H

#include "base/buf.h"

struct log_demux {
    uint8_t header[8];
    size_t header_size, left;                                  /* of the present frame's text */
    void (*on_text)(void *ctx, int stream, struct bytes text); /* 1: stdout, 2: stderr, 3: the daemon's own words about what went wrong */
    void *ctx;
};

/* ERR_PEER for a stream that does not exist. */
int log_demux_add(struct log_demux *demux, struct bytes data, struct error *err);

#endif
