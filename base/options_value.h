/* base/options_value.h - one option's value: from a text, and back into a text. Private to base/options*.c. */
#ifndef HQ_BASE_OPTIONS_VALUE_H
#define HQ_BASE_OPTIONS_VALUE_H

#include "base/options.h"

/* Sets the option within settings; a list gets one more text. HQ_EINVAL with a text that begins with the value in
 * quotes and says what the option takes. */
hq_error option_set(const hq_option *option, void *settings, const char *text, hq_reason *reason);
/* Back to zero; frees what it owns. */
void option_clear(const hq_option *option, void *settings);

/* The value as option_set would read it; NULL for a text that is not set, and for lists. The caller frees it. */
char *option_to_text(const hq_option *option, const void *settings);
/* What it takes, as a person reads it: "from 1 to 4096", "one of error, warn, info, debug"; "" if anything goes. The
 * caller frees it. */
char *option_domain(const hq_option *option);

#endif
