/* tests/helpers/api_fixture.c – serves the fixture's API at the address given until it is asked to stop: what the docker commands are
 * pointed at to see that they understand us.
 *
 *     api_fixture unix:///tmp/x/api.sock [DIRECTORY SKEP-IMAGE]      with a directory, its images are a real store there */
#include <signal.h>

#include "tests/unit/api/fixture.h"

static struct api_fixture fixture;

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static int serve(const char *address, const char *image_dir, const char *image_tool, struct error *err)
{
    struct api_images images;
    fixture_prepare(&fixture);
    images = fixture_images(&fixture);
    if (image_dir) {
        const struct image_store_options options = {.loop = &fixture.loop, .dir = image_dir, .tool_path = image_tool};
        if (image_store_open(&options, &fixture.real_store, err) < 0)
            return err->code;
        images = api_images_wire(fixture.real_store);
    }
    fixture_serve(&fixture, &images);
    return api_listen(fixture.api, address, NULL, err);
}

int main(int argc, char **argv)
{
    static uv_signal_t term;
    struct error err;
    if (argc != 2 && argc != 4)
        return 64;
    signal(SIGPIPE, SIG_IGN);
    if (serve(argv[1], argc > 2 ? argv[2] : NULL, argc > 2 ? argv[3] : NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return error_exit_code(err.code);
    }
    uv_signal_init(&fixture.loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    puts("ready");
    fflush(stdout);
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&term, NULL);
    fixture_stop(&fixture);
    return 0;
}
