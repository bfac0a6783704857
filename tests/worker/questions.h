/* tests/worker/questions.h - what a broker would send a worker: QUERY messages over real files, and orders of them. */
#ifndef HQ_TESTS_WORKER_QUESTIONS_H
#define HQ_TESTS_WORKER_QUESTIONS_H

#include "data/dataset.h"
#include "query/program.h"
#include "tests/wire/talk.h"
#include "wire/records.h"

/* The path of a sample, "uproot-Zmumu.root". The caller frees it. */
char *sample_path(const char *name);

/* A dataset of one sample, or "empty:N". The caller frees it. */
hq_dataset *dataset_of(const char *sample);
/* The QUERY that a broker sends for that text over that dataset. */
hq_message *query_of(uint32_t handle, const char *text, const hq_dataset *dataset);
/* The order of one of its partitions. */
hq_order order_of(uint32_t handle, const hq_dataset *dataset, uint32_t index);
/* The histograms of that text, filled with the contents of an answer. The caller frees them. */
hq_histset *hists_of(const char *text, const hq_dataset *dataset, const void *contents, size_t size);

/* "h" is filled with M of every event of Zmumu, 2,304 in all. */
extern const char mass_text[];
/* No columns, no end in reasonable time. */
extern const char endless_text[];

#endif
