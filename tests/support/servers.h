/* tests/support/servers.h - real servers for tests: a ZooKeeper, a mongod, a mongo-java-server, each on a free loopback
 * port with a directory of its own below the current one. They end with the test, however that ends. How a server is
 * started stands in scripts/services.
 *
 * What goes wrong here ends the test program with a line on stderr: nothing can be tested then.
 */
#ifndef HQ_TESTS_SUPPORT_SERVERS_H
#define HQ_TESTS_SUPPORT_SERVERS_H

#include <stdbool.h>

typedef struct hq_testserver hq_testserver;

typedef enum hq_testserver_kind { TESTSERVER_ZOOKEEPER, TESTSERVER_MONGOD, TESTSERVER_MONGO_JAVA } hq_testserver_kind;

/* Whether that server is on this machine; if not, says why on stderr. */
bool testserver_is_here(hq_testserver_kind kind);
/* Exit code 77, which CTest counts as skipped. */
void testserver_skip(const char *reason) __attribute__((noreturn));

/* Starts one and waits until it serves. */
hq_testserver *testserver_start(hq_testserver_kind kind);
/* Ends it and removes its directory. */
void testserver_stop(hq_testserver **server_p);

/* "127.0.0.1:port", the same after a restart. */
const char *testserver_address(const hq_testserver *server);
bool testserver_keeps_data(const hq_testserver *server);

/* SIGSTOP and SIGCONT: a server that has hung, or a network that has gone. */
void testserver_pause(hq_testserver *server);
void testserver_resume(hq_testserver *server);
/* SIGKILL; and a new process on the same port and the same data, waited for until it serves. */
void testserver_kill(hq_testserver *server);
void testserver_restart(hq_testserver *server);

#endif
