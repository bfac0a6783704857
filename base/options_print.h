/* base/options_print.h - options as a person reads them. Private to base/options*.c. */
#ifndef HQ_BASE_OPTIONS_PRINT_H
#define HQ_BASE_OPTIONS_PRINT_H

#include "base/options.h"

/* From the weakest to the strongest. */
typedef enum hq_source { HQ_SOURCE_DEFAULT, HQ_SOURCE_FILE, HQ_SOURCE_ENVIRONMENT, HQ_SOURCE_COMMAND } hq_source;

typedef struct option_state {
    hq_source source; /* that the value came from */
} option_state;

/* "HQ_MAX_ATTEMPTS"; the caller frees it. */
char *option_environment_name(const hq_option *option);

/* The configuration as a file of its own: what is at its default is commented out. */
void options_print_config(const hq_cli *program, const void *settings, const option_state *states, FILE *stream);

#endif
