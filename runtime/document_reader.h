/* runtime/document_reader.h – reads JSON members one by one with checks, and names the member in what it complains about. */
#ifndef SKEP_RUNTIME_DOCUMENT_READER_H
#define SKEP_RUNTIME_DOCUMENT_READER_H

#include "runtime/document.h"

/* One object being read. A zeroed @object (NULL) stands for one that is not there: every member then has its default. */
struct reader {
    struct arena *arena;
    const char *path; /* "Skep.Process", "" for the document itself */
    const cJSON *object;
    struct error *err;
    bool is_windows; /* whose paths it speaks of */
};

int reader_fail(const struct reader *r, int code, const char *key, const char *format, ...) __attribute__((format(SKEP_PRINTF, 4, 5)));

/* Refuse members that are not in @known (NULL-terminated) and members given twice. */
int reader_only(const struct reader *r, const char *const *known);

int reader_object(const struct reader *r, const char *key, struct reader *out); /* out->object NULL when missing */
int reader_string(const struct reader *r, const char *key, const char *fallback, const char **out);
bool reader_is_path(const struct reader *r, const char *path);              /* absolute on the system it speaks of, and not too long */
int reader_path(const struct reader *r, const char *key, const char *path); /* refuse one that is not */
int reader_int(const struct reader *r, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *out);
int reader_bool(const struct reader *r, const char *key, bool fallback, bool *out);
int reader_strings(const struct reader *r, const char *key, struct document_strings *out);
int reader_pairs(const struct reader *r, const char *key, struct document_pairs *out);
/* One of @words (NULL-terminated); its index. Missing: 0. */
int reader_word(const struct reader *r, const char *key, const char *const *words, unsigned *out);
/* An array of objects: its length, at most @max; *first is its first item or NULL. */
int reader_array(const struct reader *r, const char *key, size_t max, size_t *count, const cJSON **first);
/* The reader for item @index of the array @key. */
int reader_item(const struct reader *r, const char *key, size_t index, const cJSON *item, struct reader *out);

#endif
