/* cli/progress.c – see progress.h. */
#include "cli/progress.h"

#include <stdlib.h>

#include "api/human.h"
#include "base/mem.h"
#include "base/text.h"

enum { BAR_WIDTH = 40 };

void progress_bar(int64_t current, int64_t total, char *out, size_t size)
{
    char done[HUMAN_SIZE], all[HUMAN_SIZE], bar[BAR_WIDTH + 1];
    human_size((double)current, done);
    human_size((double)total, all);
    if (total <= 0) {
        snprintf(out, size, "%s", done);
        return;
    }
    int64_t filled = current >= total ? BAR_WIDTH : current < 0 ? 0 : (int64_t)((double)current / (double)total * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    snprintf(out, size, "[%s] %s/%s", bar, done, all);
}

static void print_harmless(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t' ? '?' : *text, out);
}

/* The item's line, a new one when it was not shown yet; PROGRESS_ITEMS_COUNT when there are too many. */
static size_t item_of(struct progress *p, const char *id)
{
    size_t i = 0;
    while (i < p->count && strcmp(p->ids[i], id) != 0)
        i++;
    if (i == p->count && i < PROGRESS_ITEMS_COUNT) {
        p->ids[p->count++] = mem_string(id);
        if (p->is_tty)
            fputc('\n', p->out);
    }
    return i;
}

static void show_item(struct progress *p, const char *id, const char *status, const cJSON *detail)
{
    char bar[160] = "";
    size_t i = item_of(p, id);
    if (i == PROGRESS_ITEMS_COUNT)
        return;
    bool is_new_step = strncmp(p->last_status[i], status, sizeof p->last_status[i] - 1) != 0;
    snprintf(p->last_status[i], sizeof p->last_status[i], "%s", status);
    if (!p->is_tty && !is_new_step)
        return;
    if (p->is_tty && json_int(detail, "current", 0) > 0)
        progress_bar(json_int(detail, "current", 0), json_int(detail, "total", 0), bar, sizeof bar);
    if (p->is_tty)
        fprintf(p->out, "\033[%zuA\r\033[2K", p->count - i);
    print_harmless(p->out, id);
    fputs(": ", p->out);
    print_harmless(p->out, status);
    if (*bar)
        fprintf(p->out, " %s", bar);
    if (p->is_tty)
        fprintf(p->out, "\r\033[%zuB", p->count - i);
    else
        fputc('\n', p->out);
    fflush(p->out);
}

int progress_line(void *progress, const cJSON *line, struct error *err)
{
    struct progress *p = progress;
    const char *error = json_string(line, "error", json_string(json_object(line, "errorDetail"), "message", NULL));
    const char *status = json_string(line, "status", NULL), *id = json_string(line, "id", NULL),
               *stream = json_string(line, "stream", NULL);
    const cJSON *detail = json_object(line, "progressDetail");
    if (error) {
        int code = error_from_name(json_string(json_object(line, "errorDetail"), "kind", NULL));
        return error_set(err, code ? code : ERR_PEER, "%s", error);
    }
    if (stream) {
        print_harmless(p->out, stream);
    } else if (status && !p->is_quiet && id && detail) {
        show_item(p, id, status, detail);
    } else if (status && !p->is_quiet) {
        print_harmless(p->out, id ? id : "");
        fputs(id ? ": " : "", p->out);
        print_harmless(p->out, status);
        fputc('\n', p->out);
    }
    return 0;
}

void progress_deinit(struct progress *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->ids[i]);
    p->count = 0;
}
