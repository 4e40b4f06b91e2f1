/* runtime/image/tool/streams.h – the standard streams carry bytes: no system is to change the ends of lines in them. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_STREAMS_H
#define SKEP_RUNTIME_IMAGE_TOOL_STREAMS_H

void streams_carry_bytes(void); /* before the first one is used */

#endif
