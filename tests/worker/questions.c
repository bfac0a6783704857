#include "tests/worker/questions.h"

#include <string.h>

#include "base/memory.h"

const char mass_text[] = "from hist import Hist, axis\n"
                         "h = Hist(axis.Regular(60, 60, 120, name=\"m\"))\n"
                         "for event in events:\n"
                         "    h.fill(event.M)\n";

const char endless_text[] = "from hist import Hist, axis\n"
                            "h = Hist(axis.Regular(60, 60, 120, name=\"m\"))\n"
                            "for event in events:\n"
                            "    s = 0.0\n"
                            "    for i in range(100000):\n"
                            "        for k in range(100000):\n"
                            "            s = s * 0.5 + i - k\n"
                            "    h.fill(s)\n";

char *sample_path(const char *name)
{
    const char *samples = getenv("HQ_SAMPLES");
    assert_non_null(samples);
    return hq_format("%s/%s", samples, name);
}

hq_dataset *dataset_of(const char *sample)
{
    char *path = strncmp(sample, "empty:", 6) == 0 ? hq_strdup(sample) : sample_path(sample);
    hq_dataset *dataset = NULL;
    hq_reason reason = {{0}};
    if (dataset_plan((const char *const *)&path, 1, 1000, &dataset, &reason))
        fail_msg("%s", reason.text);
    free(path);
    return dataset;
}

hq_message *query_of(uint32_t handle, const char *text, const hq_dataset *dataset)
{
    hq_message *message = message_new(HQ_QUERY);
    hq_hash id = hash_random();
    message_put_int(message, "handle", handle);
    message_put_hash(message, "query", &id);
    message_put_text(message, "name", "q.py");
    message_put_text(message, "text", text);
    message_put_int(message, "limit_ms", 0);
    hq_buffer schema = {0}, table = {0};
    schema_encode(dataset->schema, &schema);
    hq_file_entry *files = hq_calloc(dataset->file_count, sizeof *files);
    for (size_t i = 0; i < dataset->file_count; i++)
        files[i] = (hq_file_entry){dataset->files[i].path, dataset->files[i].tree, dataset->files[i].identity};
    file_table_encode(files, dataset->file_count, &table);
    free(files);
    message_add_payload(message, &schema);
    message_add_payload(message, &table);
    return message;
}

hq_order order_of(uint32_t handle, const hq_dataset *dataset, uint32_t index)
{
    const hq_partition *partition = &dataset->partitions[index];
    return (hq_order){handle, index, partition->file, partition->first, partition->last};
}

hq_histset *hists_of(const char *text, const hq_dataset *dataset, const void *contents, size_t size)
{
    hq_program *program = NULL;
    hq_complaint complaint;
    hq_reason reason = {{0}};
    if (program_parse(text, strlen(text), dataset->schema, &program, &complaint))
        fail_msg("%s", complaint.message);
    hq_histset *hists = program_new_hists(program);
    program_free(&program);
    if (size && histset_decode_into(hists, contents, size, &reason))
        fail_msg("%s", reason.text);
    return hists;
}
