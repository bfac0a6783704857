/* hq-ctl: looks after brokers, workers, the coordinator and the store. */
#include "client/ctl.h"

#include <bson/bson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "wire/daemon.h"
#include "wire/socket.h"

#define AT(field) offsetof(hq_ctl, field)

static const hq_option options[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Whom to ask"},
    {.name = "broker",
     .letter = 'b',
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker),
     .argument = "ENDPOINT",
     .help = "The front of one broker, instead of all that the coordinator names."},
    {.name = "coordinator",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(coordinator),
     .fallback = "zk:127.0.0.1:2181/hq",
     .argument = "zk:HOSTS/CHROOT",
     .help = "Where brokers are found, and what init makes."},
    {.name = "timeout",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(timeout_ms),
     .fallback = "5s",
     .min = 1,
     .max = 86400000,
     .help = "How long to wait for an answer."},
    {.name = "user",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(user),
     .argument = "NAME",
     .help = "Who asks. Unset: the login name."},
    {.name = "store",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(store),
     .fallback = "mongodb://127.0.0.1:27017/hq",
     .argument = "ADDRESS",
     .help = "Where results are kept, as the brokers have it: mongodb://... or sqlite:FILE."},
    {.name = "store-timeout",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(store_timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 600000,
     .help = "How long one call to the store may take."},
    {.name = "local",
     .letter = 'l',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(is_local),
     .is_command_only = true,
     .help = "The store of hq-submit --local, and no brokers."},
    {.kind = HQ_OPTION_GROUP, .help = "How to tell"},
    {.name = "json",
     .letter = 'j',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wants_json),
     .is_command_only = true,
     .help = "As JSON instead of tables."},
    {.name = "watch",
     .letter = 'w',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(watches),
     .is_command_only = true,
     .help = "With status: again and again, until Ctrl-C; with --json one line each time."},
    {.name = "interval",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(interval_ms),
     .fallback = "2s",
     .min = 100,
     .max = 86400000,
     .help = "With --watch: how often."},
    {.name = "limit",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(limit),
     .fallback = "20",
     .help = "How many lines of what is stored or finished, the newest first; 0 for all."},
    {.name = "all",
     .letter = 'a',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wants_all),
     .is_command_only = true,
     .help = "As --limit 0."},
    HQ_OPTION_LOG_LEVEL(AT(log_level), "error"),
    {.kind = HQ_OPTION_GROUP, .help = "What to do"},
    {.name = "yes",
     .letter = 'y',
     .kind = HQ_OPTION_FLAG,
     .offset = AT(says_yes),
     .is_command_only = true,
     .help = "Do not ask before something is removed."},
    {.name = "wait",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(waits),
     .is_command_only = true,
     .help = "With drain: until the worker has left."},
    {.name = "wipe",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wipes),
     .is_command_only = true,
     .help = "With init: remove all znodes of hq instead of making them."},
    {.name = "force",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(is_forced),
     .is_command_only = true,
     .help =
         "With init --wipe: though brokers or workers are alive. With datasets add: instead of the one of that name."},
    {.name = "results",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wants_results),
     .is_command_only = true,
     .help = "With flush: results. With none of these three: all of them."},
    {.name = "partials",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wants_partials),
     .is_command_only = true,
     .help = "With flush: partials."},
    {.name = "plans",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(wants_plans),
     .is_command_only = true,
     .help = "With flush: what is known of files, which are then opened anew."},
    {.name = "dataset",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(dataset),
     .argument = "TEXT",
     .is_command_only = true,
     .help = "With stored and flush: only what was asked of this dataset, whose name or first file it is."},
    {.name = "tree",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(tree),
     .argument = "TREE",
     .is_command_only = true,
     .help = "With datasets add: the tree in each of its files."},
};

static const hq_cli cli = {
    .name = "hq-ctl",
    .summary = "Looks after a cluster of hq: how it stands, who leaves, what ends.",
    .arguments = "COMMAND [ARGUMENT]...",
    .max_arguments = SIZE_MAX,
    .epilogue =
        "Commands:\n"
        "  status             brokers, workers and queries, with --json and --watch\n"
        "  queries            the queries that are under way, and those that are done\n"
        "  cancel ID          ends a query, whoever asked it\n"
        "  drain WORKER       a worker finishes what it has and leaves\n"
        "  init               makes the znodes; --wipe removes them\n"
        "  stored             the results in the store, and how much else is there\n"
        "  flush [ID]...      drops all that is stored, or these results and their partials\n"
        "  datasets           the named datasets\n"
        "  datasets add NAME FILE[:TREE]...\n"
        "                     from now on NAME stands for these files, or globs in quotes; @LIST for those named "
        "in a file, one a line\n"
        "  datasets show NAME, datasets remove NAME\n"
        "\n"
        "A query is named by its id or what that begins with, a worker also by its host, a result also by the "
        "query that\n"
        "computed it.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong use, 3 nobody there.\n\n"
        "  hq-ctl status --watch\n"
        "  hq-ctl drain node17 --wait\n"
        "  hq-ctl datasets add zmumu '/data/cms/zmumu-*.root:events'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
};

static const struct {
    const char *name;
    size_t least, most; /* arguments */
    const char *usage;
    int (*run)(const hq_ctl *ctl);
} commands[] = {
    {"status", 0, 0, "status [--json] [--watch]", ctl_status},
    {"queries", 0, 0, "queries [--all] [--json]", ctl_queries},
    {"cancel", 1, SIZE_MAX, "cancel ID...", ctl_cancel},
    {"drain", 1, SIZE_MAX, "drain WORKER... [--wait]", ctl_drain},
    {"stored", 0, 0, "stored [--dataset TEXT] [--all] [--json]", ctl_stored},
    {"flush", 0, SIZE_MAX, "flush [ID...] [--results] [--partials] [--plans] [--dataset TEXT] [--yes]", ctl_flush},
    {"datasets", 0, SIZE_MAX, "datasets [list | add NAME FILE... | show NAME | remove NAME...]", ctl_datasets},
    {"init", 0, 0, "init [--wipe [--yes] [--force]]", ctl_init},
};

int ctl_complain(hq_error error, const hq_reason *reason)
{
    fprintf(stderr, "hq-ctl: %s\n", reason->text);
    return error == HQ_EINVAL ? CTL_WRONG : error == HQ_EUNAVAILABLE ? CTL_NOBODY : CTL_FAILED;
}

const char *ctl_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

const char *ctl_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

bool ctl_confirm(const hq_ctl *ctl, const char *question)
{
    char answer[16] = "";
    if (ctl->says_yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "hq-ctl: %s There is no terminal to ask on: say --yes\n", question);
        return false;
    }
    fprintf(stderr, "hq-ctl: %s [y/N] ", question);
    if (!fgets(answer, sizeof answer, stdin))
        fputc('\n', stderr);
    bool is_yes = strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
    if (!is_yes)
        fprintf(stderr, "hq-ctl: nothing was done\n");
    return is_yes;
}

char *ctl_user(const hq_ctl *ctl)
{
    if (ctl->user && *ctl->user)
        return hq_strdup(ctl->user);
    const struct passwd *entry = getpwuid(getuid());
    return entry ? hq_strdup(entry->pw_name) : hq_format("uid%ld", (long)getuid());
}

void ctl_print_json(const hq_ctl *ctl, json_t *document)
{
    json_dumpf(document, stdout, ctl->watches ? JSON_COMPACT : JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

/* Ids, hosts and names go into messages, which hold UTF-8 alone. */
static bool are_texts(const hq_arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (!bson_utf8_validate(arguments->texts[i], strlen(arguments->texts[i]), false))
            return false;
    return true;
}

static int run(hq_ctl *ctl)
{
    if (ctl->arguments.count == 0 || !are_texts(&ctl->arguments)) {
        fprintf(stderr, "hq-ctl: %s\n",
                ctl->arguments.count ? "an argument is not UTF-8" : "a command is wanted; see --help");
        return CTL_WRONG;
    }
    const char *name = ctl->arguments.texts[0];
    ctl->arguments.texts++;
    ctl->arguments.count--;
    if (ctl->watches && strcmp(name, "status") != 0) {
        fprintf(stderr, "hq-ctl: --watch goes with status only\n");
        return CTL_WRONG;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (ctl->arguments.count >= commands[i].least && ctl->arguments.count <= commands[i].most)
            return commands[i].run(ctl);
        fprintf(stderr, "hq-ctl: the command is: hq-ctl %s\n", commands[i].usage);
        return CTL_WRONG;
    }
    fprintf(stderr, "hq-ctl: there is no command \"%s\"; see --help\n", name);
    return CTL_WRONG;
}

int main(int argc, char **argv)
{
    hq_ctl ctl = {0};
    int code = options_start(&cli, argc, argv, &ctl, &ctl.arguments);
    if (code >= 0)
        return code;
    hq_log_set_level((hq_level)ctl.log_level);
    if (ctl.wants_all)
        ctl.limit = 0;
    if (ctl.watches)
        signals_block();
    socket_prepare_process();
    code = run(&ctl);
    options_free(&cli, &ctl);
    socket_end_process();
    return fflush(stdout) == 0 ? code : CTL_FAILED;
}
