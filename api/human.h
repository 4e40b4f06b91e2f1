/* api/human.h – durations and sizes in the words that docker uses. Pure; shared by the API and the command. */
#ifndef SKEP_API_HUMAN_H
#define SKEP_API_HUMAN_H

#include <stdint.h>

#define HUMAN_SIZE 48

/* "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks". Negative counts as zero. */
void human_duration(int64_t ns, char out[HUMAN_SIZE]);

/* Decimal units with three or four digits: "1.24MB", "742kB". */
void human_size(double bytes, char out[HUMAN_SIZE]);

/* Binary units with four digits: "7.629GiB". */
void human_size_binary(double bytes, char out[HUMAN_SIZE]);

#endif
