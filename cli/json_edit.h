/* cli/json_edit.h – changing a document that a daemon gave us, so that it can be sent back. Pure. */
#ifndef SKEP_CLI_JSON_EDIT_H
#define SKEP_CLI_JSON_EDIT_H

#include "base/json.h"
#include "cli/options.h"

/* The object or list @key of @object, made where it is missing, null or something else. */
cJSON *edit_object(cJSON *object, const char *key);
cJSON *edit_list(cJSON *object, const char *key);

/* Set a member, in the place of the old one. */
void edit_set(cJSON *object, const char *key, cJSON *value); /* taken */
void edit_set_string(cJSON *object, const char *key, const char *value);
void edit_set_int(cJSON *object, const char *key, int64_t value);
void edit_set_bool(cJSON *object, const char *key, bool value);

/* "k=v" into an object of texts; "k" alone is "". ERR_INVALID, naming @flag. */
int edit_set_pairs(cJSON *object, const struct option_values *pairs, const char *flag, struct error *err);
void edit_remove_keys(cJSON *object, const struct option_values *keys);

/* Options as numbers; not given: nothing is set. */
int edit_set_duration_of(cJSON *object, const char *key, const struct options *options, const char *option, struct error *err);
int edit_set_int_of(cJSON *object, const char *key, const struct options *options, const char *option, int64_t min, struct error *err);
void edit_set_string_of(cJSON *object, const char *key, const struct options *options, const char *option);

/* "a=b,c=d" one after the other: the fields of a CSV without quotes. @text is cut up. False: the last one was had. */
struct field {
    char *key, *value; /* "" where there is no '=' */
    bool has_value;
};
bool edit_next_field(char **text, struct field *out);

#endif
