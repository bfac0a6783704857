/* hq-submit: asks a question of a dataset and draws the answer. */
#include <bson/bson.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/signals.h"
#include "client/draw.h"
#include "client/explain.h"
#include "client/find.h"
#include "client/local.h"
#include "client/progress.h"
#include "client/session.h"
#include "client/shorthand.h"
#include "data/dataset.h"
#include "query/uhi.h"
#include "wire/daemon.h"
#include "wire/socket.h"

enum {
    CANCEL_MS = 5000,   /* how long a cancel may take before it is left to the broker */
    PROBE_MS = 3000,    /* of silence, after which the broker is asked for a sign of life */
    SILENCE_MS = 30000, /* after which it is taken for dead */
    WAIT_MS = 1000
};

typedef enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_WRONG = 2,
    EXIT_NOBODY = 3,
    EXIT_CANCELLED = 130
} exit_code;

typedef struct settings {
    bool is_local, is_fresh, is_quiet, skips_bad;
    int explanation;
    hq_texts expressions, bins;
    char *where, *weight;
    char *broker, *coordinator, *user, *json, *attach, *store, *datasets;
    int64_t priority, partition_entries, timeout_ms, threads, memory, limit_ms;
    hq_remote_settings remote;
    int log_level;
} settings;

#define AT(field) offsetof(settings, field)

enum { EXPLAIN_NO, EXPLAIN_COLUMNS, EXPLAIN_TEXT, EXPLAIN_IR, EXPLAIN_ASSEMBLY };

static const char *const explanations[] = {"no", "columns", "text", "ir", "assembly", NULL};

static const hq_option options[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Whom to ask"},
    {.name = "broker",
     .letter = 'b',
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker),
     .argument = "ENDPOINT",
     .help = "The front of a broker, instead of one that the coordinator names."},
    {.name = "coordinator",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(coordinator),
     .fallback = "zk:127.0.0.1:2181/hq",
     .argument = "zk:HOSTS/CHROOT",
     .help = "Where brokers are found."},
    {.name = "timeout",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(timeout_ms),
     .fallback = "5s",
     .min = 1,
     .max = 86400000,
     .help = "How long to wait for somebody to be there. Once there, an answer is waited for as long as it takes."},
    {.name = "local",
     .letter = 'l',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(is_local),
     .help = "Ask this machine alone: threads instead of servers."},
    {.kind = HQ_OPTION_GROUP, .help = "What to ask"},
    {.name = "priority",
     .letter = 'p',
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(priority),
     .fallback = "500",
     .max = 999,
     .help = "0 goes first."},
    {.name = "user",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(user),
     .argument = "NAME",
     .help = "Who asks. Unset: the login name."},
    {.name = "fresh",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(is_fresh),
     .is_command_only = true,
     .help = "Compute it even if the store has the result, and open every file anew."},
    {.name = "skip-bad-files",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(skips_bad),
     .help = "Leave out files that cannot be read, and tell which, instead of failing."},
    {.name = "partition-entries",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(partition_entries),
     .fallback = "0",
     .help = "How many entries a partition should have, about; 0 leaves it to the broker."},
    {.name = "expression",
     .letter = 'e',
     .kind = HQ_OPTION_LIST,
     .offset = AT(expressions),
     .argument = "EXPRESSION",
     .is_command_only = true,
     .help = "Instead of QUERY: fill this, as 'Muon.pt' or 'sqrt(MET_pt)'. Twice for two axes."},
    {.name = "bins",
     .kind = HQ_OPTION_LIST,
     .offset = AT(bins),
     .argument = "N,LOW,HIGH",
     .is_command_only = true,
     .help = "With -e: its axis; one for each."},
    {.name = "where",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(where),
     .argument = "CONDITION",
     .is_command_only = true,
     .help = "With -e: only where this holds, as 'len(Muon) >= 2'."},
    {.name = "weight",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(weight),
     .argument = "EXPRESSION",
     .is_command_only = true,
     .help = "With -e: the weight of each fill."},
    {.name = "explain",
     .kind = HQ_OPTION_CHOICE,
     .offset = AT(explanation),
     .fallback = "no",
     .choices = explanations,
     .is_command_only = true,
     .help =
         "Run nothing: open the files here and tell what columns the query reads and of what types, or show its text, "
         "LLVM's intermediate form of it, or the machine's assembly."},
    {.name = "attach",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(attach),
     .argument = "ID",
     .is_command_only = true,
     .help = "Watch a query that is under way, instead of asking a new one."},
    {.kind = HQ_OPTION_GROUP, .help = "What to do with the answer"},
    {.name = "json",
     .letter = 'j',
     .kind = HQ_OPTION_TEXT,
     .offset = AT(json),
     .argument = "FILE",
     .is_command_only = true,
     .help = "Write the histograms as one document of the UHI schema; - for stdout, and then nothing is drawn."},
    {.name = "quiet",
     .letter = 'q',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(is_quiet),
     .help = "Draw nothing, show no progress."},
    HQ_OPTION_LOG_LEVEL(AT(log_level), "error"),
    {.kind = HQ_OPTION_GROUP, .help = "With --local"},
    {.name = "threads",
     .letter = 't',
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(threads),
     .fallback = "0",
     .max = 4096,
     .help = "Executor threads; 0 for one a core."},
    {.name = "memory",
     .kind = HQ_OPTION_SIZE,
     .offset = AT(memory),
     .fallback = "1G",
     .help = "Bytes of the column cache."},
    HQ_REMOTE_OPTIONS(AT(remote)),
    {.name = "store",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(store),
     .argument = "ADDRESS",
     .help =
         "Where results are kept: sqlite:FILE, mongodb://..., or none. Unset: a file in the user's cache directory."},
    {.name = "datasets",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(datasets),
     .argument = "FILE",
     .help = "A file of named datasets, as conf/datasets.conf shows."},
    {.name = "subtask-limit",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(limit_ms),
     .fallback = "10m",
     .help = "How long one subtask may compute; 0 for no limit."},
};

static const hq_cli cli = {
    .name = "hq-submit",
    .summary = "Asks a question of a dataset and draws the answer.",
    .arguments = "QUERY FILE[:TREE]... | QUERY DATASET | -e EXPRESSION --bins N,LOW,HIGH FILE[:TREE]...",
    .max_arguments = SIZE_MAX,
    .epilogue = "QUERY is a file with the event loop, - for stdin. A dataset is files, globs in quotes, @LIST for "
                "the names in a file, one a line\n"
                "(@- for stdin), the name of one that the broker knows, or empty:N, N subtasks without entries, to "
                "measure a cluster.\n"
                "Ctrl-C cancels the query on the cluster too.\n\n"
                "Exit codes: 0 done, 1 failed, 2 wrong use or wrong query, 3 nobody there, 130 cancelled.\n\n"
                "  hq-submit --local zpeak.py '/data/cms/*.root:Events'\n"
                "  hq-submit --local -e 'Muon.pt' --bins 100,0,200 --where 'len(Muon) >= 2' nano.root:Events\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
};

/* ---- what goes in ---- */

static hq_error read_all(FILE *stream, const char *name, hq_buffer *text, hq_reason *reason)
{
    char block[65536];
    while (!feof(stream) && !ferror(stream)) {
        size_t size = fread(block, 1, sizeof block, stream);
        buffer_append(text, block, size);
        if (text->size > HQ_MAX_TEXT)
            return hq_fail(reason, HQ_EINVAL, "%s: a query's text may have %d bytes at most", name, HQ_MAX_TEXT);
    }
    if (ferror(stream))
        return hq_fail(reason, HQ_EINVAL, "%s: %s", name, strerror(errno));
    if (text->size && memchr(text->bytes, 0, text->size))
        return hq_fail(reason, HQ_EINVAL, "%s: there is a zero byte in it: this is no text", name);
    buffer_u8(text, 0);
    return HQ_OK;
}

static hq_error read_text(const char *path, hq_buffer *text, hq_reason *reason)
{
    if (strcmp(path, "-") == 0)
        return read_all(stdin, "stdin", text, reason);
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return hq_fail(reason, HQ_EINVAL, "%s: %s", path, strerror(errno));
    hq_error error = read_all(stream, path, text, reason);
    fclose(stream);
    return error;
}

static char *login_name(const settings *s)
{
    if (s->user && *s->user)
        return hq_strdup(s->user);
    const struct passwd *entry = getpwuid(getuid());
    return entry ? hq_strdup(entry->pw_name) : hq_format("uid%ld", (long)getuid());
}

/* The number of the first line that is not UTF-8; 0 if all are. What goes out is UTF-8, so that no broker could tell.
 */
static size_t line_of_other_bytes(const char *text)
{
    size_t line = 1;
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (!bson_utf8_validate(text, length, false))
            return line;
        text += length + (text[length] != 0);
        line++;
    }
    return 0;
}

static hq_error submit(hq_session *session, const settings *s, const char *name, const char *text,
                       const hq_arguments *arguments, bool wants_progress, hq_reason *reason)
{
    size_t count = arguments->count, line = line_of_other_bytes(text);
    if (line)
        return hq_fail(reason, HQ_EINVAL, "%s:%zu: the text is not UTF-8 here: save the query as plain UTF-8 text",
                       name, line);
    for (size_t i = 0; i < count; i++)
        if (!bson_utf8_validate(arguments->texts[i], strlen(arguments->texts[i]), false))
            return hq_fail(reason, HQ_EINVAL, "the name of file %zu is not UTF-8", i + 1);
    char **specs = hq_calloc(count, sizeof *specs);
    for (size_t i = 0; i < count; i++)
        specs[i] = find_spec(arguments->texts[i]);
    char *user = login_name(s);
    const hq_submission submission = {.name = name,
                                      .text = text,
                                      .specs = (const char *const *)specs,
                                      .spec_count = count,
                                      .user = user,
                                      .priority = (int)s->priority,
                                      .is_fresh = s->is_fresh,
                                      .skips_bad = s->skips_bad,
                                      .wants_progress = wants_progress,
                                      .partition_entries = s->partition_entries};
    hq_error error = session_submit(session, &submission, reason);
    for (size_t i = 0; i < count; i++)
        free(specs[i]);
    free(specs);
    free(user);
    return error;
}

/* ---- what comes out ---- */

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static json_t *metadata_of(const hq_event *event, double seconds)
{
    json_t *left_out = json_array();
    for (size_t i = 0; i < event->left_out_told; i++)
        json_array_append_new(
            left_out, json_pack("{s:s, s:s}", "file", event->left_out[i].path, "reason", event->left_out[i].text));
    char *left_out_text = json_dumps(left_out, JSON_COMPACT); /* the schema's metadata holds no lists */
    json_t *metadata = json_pack(
        "{s:s, s:I, s:I, s:f, s:f, s:f, s:b, s:s, s:I, s:s}", "hq_query", event->query, "hq_entries",
        (json_int_t)event->entries, "hq_subtasks", (json_int_t)event->subtasks, "hq_seconds", seconds,
        "hq_cached_share", share(event->cached_bytes, event->cached_bytes + event->read_bytes), "hq_stored_share",
        share(event->stored, event->subtasks), "hq_from_store", event->is_from_store, "hq_version", HQ_VERSION,
        "hq_left_out_count", (json_int_t)event->left_out_count, "hq_left_out", left_out_text ? left_out_text : "[]");
    free(left_out_text);
    json_decref(left_out);
    return metadata;
}

static int write_json(const hq_event *event, const char *path, double seconds)
{
    json_t *metadata = metadata_of(event, seconds);
    hq_buffer text = {0};
    histset_to_uhi(event->hists, metadata, &text);
    json_decref(metadata);
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *stream = is_stdout ? stdout : fopen(path, "wb");
    bool is_good = stream && fwrite(text.bytes, 1, text.size, stream) == text.size;
    if (stream && !is_stdout)
        is_good &= fclose(stream) == 0;
    else if (stream)
        is_good &= fflush(stream) == 0;
    buffer_clear(&text);
    if (!is_good)
        fprintf(stderr, "hq-submit: %s: %s\n", path, strerror(errno));
    return is_good ? EXIT_DONE : EXIT_FAILED;
}

static int draw(const settings *s, const hq_event *event, double seconds)
{
    hq_draw_options look = draw_options_for(stdout);
    draw_histset(stdout, event->hists, &look);
    int64_t bytes = event->cached_bytes + event->read_bytes;
    printf("%lld entries in %.3g s", (long long)event->entries, seconds);
    if (event->is_from_store)
        printf(", from the store");
    else if (event->stored)
        printf(", %.0f%% of the subtasks from the store", 100 * share(event->stored, event->subtasks));
    if (bytes)
        printf(", %.0f%% of the columns from cache", 100 * share(event->cached_bytes, bytes));
    if (!event->is_kept && !(s->is_local && s->store && strcmp(s->store, "none") == 0))
        printf(", not kept in the store");
    printf("\n");
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    fprintf(stderr, "hq-submit: stdout: %s\n", strerror(errno));
    return EXIT_FAILED;
}

/* A result that is not of all that was asked for never comes without a word. */
static void tell_left_out(const hq_event *event)
{
    if (event->left_out_count == 0)
        return;
    fprintf(stderr, "hq-submit: %lld of the files could not be read and %s left out:\n",
            (long long)event->left_out_count, event->left_out_count == 1 ? "is" : "are");
    for (size_t i = 0; i < event->left_out_told; i++)
        fprintf(stderr, "  %s\n", event->left_out[i].text);
    if ((int64_t)event->left_out_told < event->left_out_count)
        fprintf(stderr, "  and %lld more\n", (long long)event->left_out_count - (long long)event->left_out_told);
}

static int finish(const settings *s, const hq_event *event, double seconds)
{
    tell_left_out(event);
    bool is_drawn = !s->is_quiet && !(s->json && strcmp(s->json, "-") == 0);
    int drawn = is_drawn ? draw(s, event, seconds) : EXIT_DONE;
    int written = s->json ? write_json(event, s->json, seconds) : EXIT_DONE;
    return drawn ? drawn : written;
}

static int refuse(const hq_event *event, const char *name)
{
    if (event->is_cancelled)
        return EXIT_CANCELLED;
    if (event->complaint.message[0]) {
        char *text = complaint_render(&event->complaint, name);
        fprintf(stderr, "%s%s", text, text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n");
        free(text);
        return EXIT_WRONG;
    }
    fprintf(stderr, "hq-submit: %s\n", event->text.text);
    return event->kind == HQ_EVENT_REJECTED && event->error == HQ_EQUERY ? EXIT_WRONG : EXIT_FAILED;
}

static void show(hq_progress *progress, const hq_event *event, double seconds)
{
    int64_t computed = event->done - event->stored;
    double left = (double)(event->subtasks - event->done);
    double entries = event->done > 0 ? (double)event->entries * (double)computed / (double)event->done : 0;
    hq_progress_state state = {.subtasks_done = (uint64_t)event->done,
                               .subtasks = (uint64_t)event->subtasks,
                               .events_per_s = seconds > 0 ? entries / seconds : -1,
                               .cached_share = event->cached_bytes + event->read_bytes > 0
                                                   ? share(event->cached_bytes, event->cached_bytes + event->read_bytes)
                                                   : -1,
                               .stored_share = share(event->stored, event->subtasks),
                               .seconds_left = computed > 0 ? seconds * left / (double)computed : -1};
    progress_update(progress, &state, event->hists);
}

/* ---- the conversation ---- */

typedef struct talk {
    const settings *settings;
    hq_session *session;
    hq_progress *progress;
    const char *name; /* the query's, for messages */
    int64_t begun_ms, heard_ms, probed_ms, cancelled_ms;
    bool was_accepted;
    char broker[HQ_HASH_TEXT], query[HQ_HASH_TEXT]; /* "" until they are known */
} talk;

static double seconds_of(const talk *t)
{
    return (double)(hq_now_ms() - t->begun_ms) / 1e3;
}

/* The broker is there. Another one at the same address knows only what it has adopted. */
static int take_state(talk *t, const hq_event *event)
{
    bool is_first = !t->broker[0], is_another = !is_first && strcmp(t->broker, event->broker) != 0;
    memcpy(t->broker, event->broker, sizeof t->broker);
    if (is_first && event->workers == 0 && !t->settings->is_local && !t->settings->is_quiet)
        fprintf(stderr, "hq-submit: no workers are there yet; the query waits for them\n");
    if (!is_another)
        return -1;
    hq_hash id;
    hq_reason reason = {{0}};
    if (t->was_accepted && hash_from_text(t->query, &id) == 0 &&
        session_attach(t->session, &id, t->progress != NULL, &reason) == HQ_OK)
        return -1;
    fprintf(stderr, "hq-submit: the broker was restarted before it had accepted the query; ask again\n");
    return EXIT_FAILED;
}

/* Gives back an exit code, or -1 to go on. */
static int take_event(talk *t, const hq_event *event)
{
    t->heard_ms = hq_now_ms();
    switch (event->kind) {
    case HQ_EVENT_STATE:
        return take_state(t, event);
    case HQ_EVENT_ACCEPTED:
        t->was_accepted = true;
        memcpy(t->query, event->query, sizeof t->query);
        if (t->cancelled_ms)
            session_cancel(t->session);
        return -1;
    case HQ_EVENT_PROGRESS:
        if (t->progress)
            show(t->progress, event, seconds_of(t));
        return -1;
    case HQ_EVENT_DONE:
        progress_end(&t->progress);
        return finish(t->settings, event, seconds_of(t));
    default:
        progress_end(&t->progress);
        if (event->is_cancelled && !t->cancelled_ms) /* somebody else wanted it */
            fprintf(stderr, "hq-submit: %s\n", event->text.text);
        return refuse(event, t->name);
    }
}

static int interrupted(talk *t)
{
    if (t->cancelled_ms)
        return EXIT_CANCELLED; /* a second Ctrl-C does not wait for the cluster */
    t->cancelled_ms = hq_now_ms();
    session_cancel(t->session);
    return t->heard_ms ? -1 : EXIT_CANCELLED;
}

static int nothing_came(talk *t)
{
    int64_t now_ms = hq_now_ms();
    if (t->cancelled_ms && now_ms - t->cancelled_ms > CANCEL_MS)
        return EXIT_CANCELLED;
    if (t->heard_ms && now_ms - t->heard_ms > SILENCE_MS) {
        fprintf(stderr, "hq-submit: the broker answers no more; its queries go on when it is back%s%s\n",
                t->was_accepted ? ": hq-submit --attach " : "", t->query);
        return EXIT_NOBODY;
    }
    if (t->heard_ms && now_ms - t->heard_ms > PROBE_MS && now_ms - t->probed_ms > PROBE_MS) {
        t->probed_ms = now_ms;
        session_probe(t->session);
    }
    if (t->heard_ms || now_ms - t->begun_ms < t->settings->timeout_ms)
        return -1;
    fprintf(stderr, "hq-submit: no broker answers at %s\n",
            t->settings->broker ? t->settings->broker : "the address the coordinator gave");
    return EXIT_NOBODY;
}

static int converse(talk *t)
{
    int code = -1;
    while (code < 0) {
        hq_event event;
        hq_reason reason = {{0}};
        int64_t left_ms = t->begun_ms + t->settings->timeout_ms - hq_now_ms();
        int64_t wait_ms = t->heard_ms || left_ms > WAIT_MS ? WAIT_MS : left_ms > 0 ? left_ms : 1;
        hq_error error = session_next(t->session, (int)wait_ms, &event, &reason);
        if (!error) {
            code = take_event(t, &event);
            event_clear(&event);
        } else if (error == HQ_ECANCELLED) {
            code = interrupted(t);
        } else if (error == HQ_ETIMEOUT) {
            code = nothing_came(t);
        } else {
            fprintf(stderr, "hq-submit: %s\n", reason.text);
            code = EXIT_FAILED;
        }
    }
    progress_end(&t->progress);
    return code;
}

static void interrupt(void *session)
{
    session_interrupt(session);
}

static int ask(const settings *s, const char *endpoint, const char *name, const char *text,
               const hq_arguments *arguments)
{
    hq_reason reason = {{0}};
    talk t = {.settings = s, .name = name, .begun_ms = hq_now_ms()};
    bool wants_progress = !s->is_quiet && isatty(STDERR_FILENO);
    hq_hash id;
    hq_error error = session_open(endpoint, &t.session, &reason);
    if (!error && s->attach)
        error = hash_from_text(s->attach, &id)
                    ? hq_fail(&reason, HQ_EINVAL, "%s is no query's id: 32 hexadecimal digits", s->attach)
                    : session_attach(t.session, &id, wants_progress, &reason);
    else if (!error)
        error = submit(t.session, s, t.name, text, arguments, wants_progress, &reason);
    int code = error == HQ_EINVAL ? EXIT_WRONG : EXIT_FAILED;
    if (error) {
        fprintf(stderr, "hq-submit: %s\n", reason.text);
    } else {
        hq_signals *signals = signals_start(interrupt, t.session);
        t.progress = wants_progress ? progress_new(stderr, false) : NULL;
        code = converse(&t);
        signals_end(&signals);
    }
    session_close(&t.session);
    return code;
}

static int ask_local(const settings *s, const char *name, const char *text, const hq_arguments *arguments)
{
    char *store = s->store ? hq_strdup(s->store) : find_local_store();
    const hq_local_settings local_settings = {.store = store,
                                              .datasets = s->datasets,
                                              .threads = s->threads,
                                              .memory = s->memory,
                                              .limit_ms = s->limit_ms,
                                              .remote = &s->remote};
    hq_local *local = NULL;
    hq_reason reason = {{0}};
    hq_error error = local_start(&local_settings, &local, &reason);
    int code = error == HQ_EINVAL ? EXIT_WRONG : EXIT_FAILED;
    if (error)
        fprintf(stderr, "hq-submit: %s\n", reason.text);
    else
        code = ask(s, local_endpoint(local), name, text, arguments);
    if (code == EXIT_CANCELLED) {
        /* Whoever presses Ctrl-C does not wait for files that are still being opened; the store takes no harm. */
        fflush(NULL);
        _exit(code);
    }
    local_stop(&local);
    free(store);
    return code;
}

static int ask_cluster(const settings *s, const char *name, const char *text, const hq_arguments *arguments)
{
    char *endpoint = NULL;
    hq_reason reason = {{0}};
    hq_error error = s->broker ? HQ_OK : find_broker(s->coordinator, (int)s->timeout_ms, &endpoint, &reason);
    if (error) {
        fprintf(stderr, "hq-submit: %s\n", reason.text);
        return error == HQ_EINVAL ? EXIT_WRONG : EXIT_NOBODY;
    }
    int code = ask(s, s->broker ? s->broker : endpoint, name, text, arguments);
    free(endpoint);
    return code;
}

/* Before anything is computed for it. */
static hq_error check_writable(const char *path, hq_reason *reason)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return hq_fail(reason, HQ_EIO, "%s: %s", path, strerror(errno));
    close(fd);
    return HQ_OK;
}

/* The query's text: from its file, which then is no argument any more, or from the options of the shorthand. */
static hq_error get_text(const settings *s, hq_arguments *arguments, const char **name_r, hq_buffer *text,
                         hq_reason *reason)
{
    if (s->expressions.count == 0) {
        if (s->where || s->weight || s->bins.count)
            return hq_fail(reason, HQ_EINVAL, "--bins, --where and --weight go with -e");
        if (arguments->count < 2)
            return hq_fail(reason, HQ_EINVAL, "a query and a dataset are wanted; see --help");
        *name_r = strcmp(arguments->texts[0], "-") == 0 ? "stdin" : arguments->texts[0];
        hq_error error = read_text(arguments->texts[0], text, reason);
        arguments->texts++;
        arguments->count--;
        return error;
    }
    if (s->expressions.count != s->bins.count)
        return hq_fail(reason, HQ_EINVAL, "each -e takes one --bins: there are %zu and %zu", s->expressions.count,
                       s->bins.count);
    if (arguments->count < 1)
        return hq_fail(reason, HQ_EINVAL, "a dataset is wanted; see --help");
    const hq_shorthand shorthand = {.expressions = (const char *const *)s->expressions.texts,
                                    .bins = (const char *const *)s->bins.texts,
                                    .axis_count = s->expressions.count,
                                    .where = s->where,
                                    .weight = s->weight};
    char *written = NULL;
    hq_error error = shorthand_text(&shorthand, &written, reason);
    if (!error)
        buffer_append(text, written, strlen(written) + 1);
    free(written);
    *name_r = "-e";
    return error;
}

static int explain(const settings *s, const char *name, const char *text, const hq_arguments *arguments)
{
    if (s->explanation == EXPLAIN_TEXT) {
        fputs(text ? text : "", stdout);
        return EXIT_DONE;
    }
    static const hq_explanation kinds[] = {
        [EXPLAIN_COLUMNS] = HQ_EXPLAIN_COLUMNS, [EXPLAIN_IR] = HQ_EXPLAIN_IR, [EXPLAIN_ASSEMBLY] = HQ_EXPLAIN_ASSEMBLY};
    hq_event refusal = {.kind = HQ_EVENT_REJECTED};
    refusal.error = explain_query(stdout, text, (const char *const *)arguments->texts, arguments->count, s->datasets,
                                  kinds[s->explanation], &refusal.complaint, &refusal.text);
    return refusal.error ? refuse(&refusal, name) : EXIT_DONE;
}

static int run(const settings *s, hq_arguments *arguments)
{
    hq_reason reason = {{0}};
    hq_buffer text = {0};
    hq_error error = HQ_OK;
    const char *name = "";
    if (s->attach && (arguments->count || s->is_local || s->expressions.count))
        error = hq_fail(&reason, HQ_EINVAL, "--attach goes with no query and not with --local");
    else if (!s->attach)
        error = get_text(s, arguments, &name, &text, &reason);
    char **listed = NULL;
    size_t listed_count = 0;
    if (!error && !s->attach) {
        error = find_listed((const char *const *)arguments->texts, arguments->count, &listed, &listed_count, &reason);
        *arguments = (hq_arguments){.texts = listed, .count = listed_count};
    }
    if (!error && s->json && strcmp(s->json, "-") != 0)
        error = check_writable(s->json, &reason);
    int code = error == HQ_EIO ? EXIT_FAILED : EXIT_WRONG;
    if (error)
        fprintf(stderr, "hq-submit: %s\n", reason.text);
    else if (s->explanation)
        code = explain(s, name, (const char *)text.bytes, arguments);
    else if (s->is_local)
        code = ask_local(s, name, (const char *)text.bytes, arguments);
    else
        code = ask_cluster(s, name, (const char *)text.bytes, arguments);
    dataset_specs_free(&listed, listed_count);
    buffer_clear(&text);
    return code;
}

int main(int argc, char **argv)
{
    settings s = {0};
    hq_arguments arguments;
    int code = options_start(&cli, argc, argv, &s, &arguments);
    if (code >= 0)
        return code;
    hq_log_set_level((hq_level)s.log_level);
    hq_memory_reuse();
    signals_block();
    socket_prepare_process();
    code = run(&s, &arguments);
    options_free(&cli, &s);
    socket_end_process();
    return code;
}
