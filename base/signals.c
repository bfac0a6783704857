#include "base/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/memory.h"

struct hq_signals {
    pthread_t thread;
    int signal_fd, end_fd;
    hq_signal_came *came;
    void *context;
};

static sigset_t the_three(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

void signals_block(void)
{
    sigset_t set = the_three();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *watch(void *context)
{
    const hq_signals *signals = context;
    struct pollfd fds[] = {{signals->signal_fd, POLLIN, 0}, {signals->end_fd, POLLIN, 0}};
    while (!fds[1].revents) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) > 0 && fds[0].revents && read(signals->signal_fd, &info, sizeof info) == sizeof info)
            signals->came(signals->context);
    }
    return NULL;
}

hq_signals *signals_start(hq_signal_came *came, void *context)
{
    hq_signals *signals = hq_alloc(sizeof *signals);
    sigset_t set = the_three();
    *signals = (hq_signals){.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                            .end_fd = eventfd(0, EFD_CLOEXEC),
                            .came = came,
                            .context = context};
    if (signals->signal_fd < 0 || signals->end_fd < 0 || pthread_create(&signals->thread, NULL, watch, signals) != 0)
        abort(); /* no descriptors or threads at start-up: there is nothing to run with */
    return signals;
}

void signals_end(hq_signals **signals_p)
{
    hq_signals *signals = *signals_p;
    if (!signals)
        return;
    eventfd_write(signals->end_fd, 1);
    pthread_join(signals->thread, NULL);
    close(signals->signal_fd);
    close(signals->end_fd);
    free(signals);
    *signals_p = NULL;
}
