/* proto/identity/unlock_key.h – the text that opens a locked manager: SWMKEY-1- and 32 random bytes in base64 without padding.
 *
 * The bytes are the key that the managers' key files are encrypted with. Source: swarmkit-wire §2.7. */
#ifndef SKEP_PROTO_IDENTITY_UNLOCK_KEY_H
#define SKEP_PROTO_IDENTITY_UNLOCK_KEY_H

#include "base/buf.h"

#define UNLOCK_KEY_SIZE_BYTES 32
#define UNLOCK_KEY_SIZE_CHARS 52 /* the prefix has 9, the base64 of 32 bytes 43 */

/* The caller wipes @out. */
void unlock_key_format(const uint8_t key[UNLOCK_KEY_SIZE_BYTES], char out[UNLOCK_KEY_SIZE_CHARS + 1]);

/* White space around it is forgiven, as it comes from copying. On failure @key is wiped, and the message says what is wrong without
 * repeating it: ERR_INVALID. */
int unlock_key_parse(const char *text, uint8_t key[UNLOCK_KEY_SIZE_BYTES], struct error *err);

#endif
