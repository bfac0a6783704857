#include "wire/daemon.h"

#include <stdio.h>

#include "base/log.h"
#include "base/signals.h"
#include "wire/socket.h"

static int serve(const hq_daemon *daemon)
{
    void *served = NULL;
    hq_reason reason = {{0}};
    hq_error error = daemon->open(daemon->settings, &served, &reason);
    if (!error) {
        hq_signals *signals = signals_start(daemon->stop, served);
        error = daemon->run(served, &reason);
        signals_end(&signals);
    }
    daemon->close(&served);
    if (error)
        fprintf(stderr, "%s: %s\n", daemon->cli->name, reason.text);
    return error == HQ_EINVAL ? 2 : error ? 1 : 0;
}

int daemon_main(const hq_daemon *daemon, int argc, char **argv)
{
    hq_arguments arguments;
    int code = options_start(daemon->cli, argc, argv, daemon->settings, &arguments);
    if (code >= 0)
        return code;
    hq_log_set_level((hq_level)*daemon->log_level);
    signals_block();
    socket_prepare_process();
    code = serve(daemon);
    options_free(daemon->cli, daemon->settings);
    socket_end_process();
    return code;
}
