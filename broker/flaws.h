/* broker/flaws.h - files that failed while a query ran, remembered for a while: who leaves out bad files anyhow is not
 * kept waiting by each of them again and again, as a server that does not answer takes minutes.
 *
 * What failed may be one column of a file: a flaw counts for programs that read all of the columns that were read when
 * it was found, and perhaps more. It is of the file as it was, and where it was: one that has changed has another
 * identity, and a copy elsewhere may be good. A query that computes all anew, and reads the file to its end, proves
 * that it is gone. Any thread may call these.
 */
#ifndef HQ_BROKER_FLAWS_H
#define HQ_BROKER_FLAWS_H

#include <stddef.h>
#include <stdint.h>

#include "data/dataset.h"
#include "query/program.h"

typedef struct hq_flaws hq_flaws;

/* keep_ms: how long each is remembered; 0: not at all. */
hq_flaws *flaws_new(int64_t keep_ms);
void flaws_free(hq_flaws **flaws_p);

/* text is what the worker said. Of very many the one that is known for longest goes. */
void flaws_note(hq_flaws *flaws, const hq_dataset_file *file, const hq_program *program, hq_error error,
                const char *text);
/* Takes the files that are known to fail out of the dataset, and notes them there as left out, with the reason and how
 * long ago it was. The error of one, and the dataset as it was, if no file would be left. */
hq_error flaws_take_out(hq_flaws *flaws, const hq_program *program, hq_dataset *dataset, hq_reason *reason);
/* The program has read all files of the dataset. */
void flaws_disproved(hq_flaws *flaws, const hq_program *program, const hq_dataset *dataset);
/* How many are remembered. */
size_t flaws_count(hq_flaws *flaws);

#endif
