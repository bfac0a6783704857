/* tests/broker/stage.h - a broker in a thread, and what plays clients and workers in front of and behind it.
 *
 * The broker is real, with a coordinator and a store of its own within the process. The others are bare sockets that
 * speak docs/protocol.md, so that a test decides what they say and when.
 */
#ifndef HQ_TESTS_BROKER_STAGE_H
#define HQ_TESTS_BROKER_STAGE_H

#include <pthread.h>

#include "broker/broker.h"
#include "query/hist.h"
#include "tests/wire/talk.h"
#include "wire/records.h"

typedef struct stage {
    hq_broker *broker;
    pthread_t thread;
    hq_error error;   /* of broker_run */
    zsock_t *watcher; /* a client that asks STATUS */
} stage;

/* Settings that suit a test, to be changed before stage_start. The texts belong to the program. */
hq_broker_settings stage_settings(void);
stage *stage_start(const hq_broker_settings *settings);
/* The same; prepare, if not NULL, is called with the broker before its loop runs. */
stage *stage_start_with(const hq_broker_settings *settings, void (*prepare)(hq_broker *broker, void *context),
                        void *context);
/* Ends the broker; it must have lived until now. */
void stage_end(stage **stage_p);
/* broker_stop and the end of broker_run, but not yet broker_free. */
void stage_stop_broker(stage *s);

zsock_t *stage_client(const stage *s);
/* One of STATE's counters. */
int64_t stage_counter(stage *s, const char *key);
/* Waits until it has that value. */
void stage_wait_counter(stage *s, const char *key, int64_t value);
/* Waits until no query is under way. */
void stage_wait_idle(stage *s);

/* ---- clients ---- */

/* One histogram "h" of ten bins from 0 to 10, and a loop that needs no columns. */
extern const char stage_text[];

/* A whole SUBMIT: no progress, not fresh, priority 500, partitions as the broker wants. */
hq_message *submit_of(int request, const char *text, const char *spec);
/* Takes a field out of a message. */
hq_message *without(hq_message *message, const char *key);
/* A DONE's or PROGRESS' result. The caller frees it. */
hq_histset *result_of(const hq_message *message);
/* How often h's bin for that value was filled. */
int64_t result_count(const hq_message *message, double value);

/* ---- workers ---- */

enum { FAKE_MAX = 1000 };

typedef struct fake_worker {
    zsock_t *socket;
    hq_hash id;
    int credit;
    hq_order orders[FAKE_MAX]; /* got and not answered */
    size_t count;
    uint32_t handles[64]; /* of the queries it was told */
    size_t handle_count, drops, subtask_drops;
    bool is_forgetful; /* it says that it does not know its queries: it may be told of one more than once */
} fake_worker;

/* Says HELLO as one of 2 slots and waits for WELCOME. */
fake_worker *fake_join(const stage *s, int number, int credit);
/* Only says it. */
void fake_hello(fake_worker *w);
/* Closes its socket without a word. */
void fake_free(fake_worker **w_p);

/* Receives until it has that many orders. Each must come after the QUERY that it belongs to. */
void fake_collect(fake_worker *w, size_t count);
/* Receives whatever is there or comes within wait_ms. */
void fake_drain(fake_worker *w, int wait_ms);
/* Receives until it has been told to drop that many queries. */
void fake_collect_drops(fake_worker *w, size_t drops);
/* True if nothing comes while the broker goes twice through its loop. */
bool fake_hears_nothing(fake_worker *w, stage *s);

/* Answers the order with a fill of value, and forgets it. entries are those of the order. */
void fake_answer(fake_worker *w, hq_order order, double value);
/* Answers everything it has. */
void fake_answer_all(fake_worker *w, double value);
void fake_fail(fake_worker *w, hq_order order, hq_error error, const char *text);
void fake_fail_as(fake_worker *w, hq_order order, const hq_failure *failure);
/* Any answer. */
void fake_say(fake_worker *w, const hq_answer *answer);
void fake_say_credit(fake_worker *w, int credit);
void fake_forget(fake_worker *w, const hq_order *order);

#endif
