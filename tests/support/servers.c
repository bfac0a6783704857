#include "tests/support/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

enum { TRIES = 3, POLL_NS = 5000000, FIRST_PORT = 10000, PORTS = 20000 };

struct hq_testserver {
    hq_testserver_kind kind;
    pid_t pid; /* 0 if it does not run */
    int port;
    char *dir, *address;
};

static const char *const names[] = {"zookeeper", "mongod", "mongo-java"};

static void give_up(const char *what) __attribute__((noreturn));
static void give_up(const char *what)
{
    fprintf(stderr, "test server: %s: %s\n", what, strerror(errno));
    exit(1);
}

void testserver_skip(const char *reason)
{
    fprintf(stderr, "skipped: %s\n", reason);
    exit(77);
}

/* scripts/services with these arguments, its output to the file, or where the test's goes. It dies with this thread. */
static pid_t run_services(const char *const *arguments, const char *log)
{
    const char *all[16] = {HQ_TEST_SOURCE "/scripts/services"};
    size_t count = 1;
    for (; arguments[count - 1]; count++)
        all[count] = arguments[count - 1];
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    } else {
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    setenv("HQ_DEPS", HQ_TEST_DEPS, 1);
    setpgid(0, 0); /* a Ctrl-C for the test is the test's to handle */
    execv(all[0], (char *const *)all);
    _exit(127);
}

/* True, and *status_r, if the process has ended. */
static bool has_ended(pid_t pid, int *status_r)
{
    return waitpid(pid, status_r, WNOHANG) == pid;
}

static void take_a_nap(void)
{
    nanosleep(&(struct timespec){0, POLL_NS}, NULL);
}

bool testserver_is_here(hq_testserver_kind kind)
{
    int status;
    pid_t pid = run_services((const char *[]){"has", names[kind], NULL}, NULL);
    while (!has_ended(pid, &status))
        take_a_nap();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Not one of those that the system hands out: a connection of anybody's could have it before the server has. */
static int free_port(void)
{
    for (int tries = 0; tries < PORTS; tries++) {
        uint16_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            give_up("random number");
        int port = FIRST_PORT + random % PORTS, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
        bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    give_up("no free port");
}

/* False if the server ended before it served: somebody else may have taken the port. */
static bool launch(hq_testserver *server)
{
    char port[8], log[4096];
    int status;
    snprintf(port, sizeof port, "%d", server->port);
    snprintf(log, sizeof log, "%s/log", server->dir);
    server->pid = run_services((const char *[]){"run", names[server->kind], "--dir", server->dir, "--port", port, NULL},
                               log);
    pid_t waiting =
        run_services((const char *[]){"wait", names[server->kind], "--port", port, "--seconds", "120", NULL}, NULL);
    while (!has_ended(waiting, &status)) {
        int ended;
        if (has_ended(server->pid, &ended)) {
            kill(waiting, SIGKILL);
            waitpid(waiting, &status, 0);
            server->pid = 0;
            return false;
        }
        take_a_nap();
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "test server: %s does not serve; see %s\n", names[server->kind], log);
        exit(1);
    }
    return true;
}

hq_testserver *testserver_start(hq_testserver_kind kind)
{
    char dir[4096], here[4000];
    if (!getcwd(here, sizeof here))
        give_up("current directory");
    snprintf(dir, sizeof dir, "%s/server-XXXXXX", here);
    if (!mkdtemp(dir))
        give_up(dir);
    hq_testserver *server = hq_calloc(1, sizeof *server);
    server->kind = kind;
    server->dir = hq_strdup(dir);
    for (int try = 0; try < TRIES; try++) {
        server->port = free_port();
        if (launch(server)) {
            server->address = hq_format("127.0.0.1:%d", server->port);
            return server;
        }
    }
    fprintf(stderr, "test server: %s ended while it started; see %s/log\n", names[kind], dir);
    exit(1);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat, (void)type, (void)where;
    return remove(path);
}

void testserver_stop(hq_testserver **server_p)
{
    hq_testserver *server = *server_p;
    if (!server)
        return;
    *server_p = NULL;
    testserver_kill(server);
    nftw(server->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(server->dir);
    free(server->address);
    free(server);
}

const char *testserver_address(const hq_testserver *server)
{
    return server->address;
}

bool testserver_keeps_data(const hq_testserver *server)
{
    return server->kind != TESTSERVER_MONGO_JAVA; /* it is in memory */
}

static void signal_server(hq_testserver *server, int number)
{
    if (server->pid && kill(server->pid, number) < 0)
        give_up("signal");
}

void testserver_pause(hq_testserver *server)
{
    siginfo_t state;
    signal_server(server, SIGSTOP);
    if (waitid(P_PID, (id_t)server->pid, &state, WSTOPPED) < 0)
        give_up("pause");
}

void testserver_resume(hq_testserver *server)
{
    signal_server(server, SIGCONT);
}

void testserver_kill(hq_testserver *server)
{
    signal_server(server, SIGKILL);
    if (server->pid)
        waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void testserver_restart(hq_testserver *server)
{
    testserver_kill(server);
    if (!launch(server)) {
        fprintf(stderr, "test server: %s does not start again; see %s/log\n", names[server->kind], server->dir);
        exit(1);
    }
}
