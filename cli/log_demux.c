/* cli/log_demux.c – see log_demux.h. */
#include "cli/log_demux.h"

static int take_header(struct log_demux *demux, struct error *err)
{
    const uint8_t *h = demux->header;
    demux->left = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
    if (h[0] > 3)
        return error_set(err, ERR_PEER, "the daemon's log has a frame of stream %d", h[0]);
    return 0;
}

int log_demux_add(struct log_demux *demux, struct bytes data, struct error *err)
{
    while (data.size > 0) {
        if (demux->left == 0) {
            demux->header[demux->header_size++] = *data.data;
            data = bytes_of(data.data + 1, data.size - 1);
            if (demux->header_size < sizeof demux->header)
                continue;
            demux->header_size = 0;
            if (take_header(demux, err) < 0)
                return err->code;
            continue;
        }
        size_t size = data.size < demux->left ? data.size : demux->left;
        demux->on_text(demux->ctx, demux->header[0] > 1 ? demux->header[0] : 1, bytes_of(data.data, size));
        demux->left -= size;
        data = bytes_of(data.data + size, data.size - size);
    }
    return 0;
}
