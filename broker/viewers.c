/* broker/viewers.c - who listens to which queries, and when each client is told how far they are.
 *
 * A client (viewer) may follow many queries, and hears of all of them together ten times a second. Those of its queries
 * that have something new stand in a line: the first one that can be shown is, and goes to the end of it when it has
 * something new again. So none starves, whatever the others do. What is new while a query waits for its turn is in what
 * it shows then. Nobody is looked for: an answer that is counted touches only those listeners that were caught up, and
 * who is due next stands on top of a heap.
 *
 * To show a query costs a while (broker/merge.c), so it is done for all who follow it alone at once, and not more often
 * than query_show_due_ms says. What is made for a viewer that has just been told of another query is held until it may
 * be told again; likewise what is made for others of the query that is first in its line: else one that those are told
 * of again and again shortly before it is this viewer's turn would never be shown to it.
 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "broker/internal.h"

struct hq_viewer {
    hq_peer peer;
    size_t listening;          /* to so many queries */
    hq_listener *first, *last; /* that have something new */
    int64_t free_ms;           /* when it may be told again */
    int64_t due_ms;            /* when to look at it; INT64_MAX: something must happen before */
    size_t place;              /* in the heap */
};

/* ---- the heap: who is due first ---- */

static void put(hq_broker *broker, size_t place, hq_viewer *viewer)
{
    broker->viewers[place] = viewer;
    viewer->place = place;
}

/* To where it belongs from where it is. */
static void settle(hq_broker *broker, hq_viewer *viewer)
{
    size_t place = viewer->place;
    for (; place > 0 && viewer->due_ms < broker->viewers[(place - 1) / 2]->due_ms; place = (place - 1) / 2)
        put(broker, place, broker->viewers[(place - 1) / 2]);
    for (size_t child; (child = 2 * place + 1) < broker->viewer_count; place = child) {
        if (child + 1 < broker->viewer_count && broker->viewers[child + 1]->due_ms < broker->viewers[child]->due_ms)
            child++;
        if (broker->viewers[child]->due_ms >= viewer->due_ms)
            break;
        put(broker, place, broker->viewers[child]);
    }
    put(broker, place, viewer);
}

/* ---- lines ---- */

static void join_line(hq_listener *listener, hq_listener **first, hq_listener **last)
{
    listener->next = NULL;
    listener->previous = *last;
    *(*last ? &(*last)->next : first) = listener;
    *last = listener;
}

static void leave_line(hq_listener *listener, hq_listener **first, hq_listener **last)
{
    *(listener->previous ? &listener->previous->next : first) = listener->next;
    *(listener->next ? &listener->next->previous : last) = listener->previous;
}

/* Its query has something new, or it was told all there is. */
static void make_waiting(hq_listener *listener, bool is_waiting)
{
    hq_query *query = listener->query;
    hq_viewer *viewer = listener->viewer;
    if (listener->is_waiting)
        leave_line(listener, &viewer->first, &viewer->last);
    else
        leave_line(listener, &query->caught_up, &query->caught_up_last);
    listener->is_waiting = is_waiting;
    if (is_waiting)
        join_line(listener, &viewer->first, &viewer->last);
    else
        join_line(listener, &query->caught_up, &query->caught_up_last);
}

/* When its query can be shown. */
static int64_t showable_ms(const hq_listener *listener)
{
    return listener->held ? 0 : query_show_due_ms(listener->query);
}

static void look_again(hq_broker *broker, hq_viewer *viewer)
{
    viewer->due_ms = INT64_MAX;
    for (const hq_listener *l = viewer->first; l; l = l->next)
        if (showable_ms(l) < viewer->due_ms)
            viewer->due_ms = showable_ms(l);
    if (viewer->due_ms < viewer->free_ms)
        viewer->due_ms = viewer->free_ms;
    settle(broker, viewer);
}

/* Something can be shown from then on, when the viewer is free. */
static void look_by(hq_broker *broker, hq_viewer *viewer, int64_t due_ms)
{
    if (due_ms < viewer->free_ms)
        due_ms = viewer->free_ms;
    if (due_ms >= viewer->due_ms)
        return;
    viewer->due_ms = due_ms;
    settle(broker, viewer);
}

/* The first in the line whose query can be shown, not further than end; end if there is none. */
static hq_listener *first_showable(const hq_viewer *viewer, hq_listener *end, int64_t now_ms)
{
    hq_listener *listener = viewer->first;
    while (listener != end && showable_ms(listener) > now_ms)
        listener = listener->next;
    return listener;
}

/* ---- who listens ---- */

static hq_viewer *viewer_of(hq_broker *broker, const hq_peer *peer)
{
    hq_viewer *viewer = zhashx_lookup(broker->viewer_by_peer, peer);
    if (viewer)
        return viewer;
    viewer = hq_calloc(1, sizeof *viewer);
    *viewer = (hq_viewer){.peer = *peer, .due_ms = INT64_MAX, .place = broker->viewer_count};
    HQ_GROW(broker->viewers, broker->viewer_count, broker->viewer_capacity);
    broker->viewers[broker->viewer_count++] = viewer;
    zhashx_insert(broker->viewer_by_peer, &viewer->peer, viewer);
    return viewer;
}

static void viewer_free(hq_broker *broker, hq_viewer *viewer)
{
    hq_viewer *last = broker->viewers[--broker->viewer_count];
    if (last != viewer) {
        put(broker, viewer->place, last);
        settle(broker, last);
    }
    zhashx_delete(broker->viewer_by_peer, &viewer->peer);
    free(viewer);
}

const hq_peer *viewers_peer(const hq_listener *listener)
{
    return &listener->viewer->peer;
}

size_t viewers_listening(const hq_broker *broker, const hq_peer *peer)
{
    const hq_viewer *viewer = zhashx_lookup(broker->viewer_by_peer, peer);
    return viewer ? viewer->listening : 0;
}

hq_listener *viewers_find(const hq_query *query, const hq_peer *peer)
{
    for (size_t i = 0; i < query->listener_count; i++)
        if (peer_is_equal(&query->listeners[i]->viewer->peer, peer))
            return query->listeners[i];
    return NULL;
}

hq_listener *viewers_add(hq_query *query, const hq_peer *peer, int32_t request, bool wants_progress)
{
    hq_broker *broker = query->broker;
    hq_listener *listener = hq_calloc(1, sizeof *listener);
    *listener = (hq_listener){.query = query,
                              .viewer = viewer_of(broker, peer),
                              .place = query->listener_count,
                              .request = request,
                              .wants_progress = wants_progress};
    listener->viewer->listening++;
    HQ_GROW(query->listeners, query->listener_count, query->listener_capacity);
    query->listeners[query->listener_count++] = listener;
    if (!wants_progress)
        return listener;
    join_line(listener, &query->caught_up, &query->caught_up_last);
    if (query->sink && !query_is_over(query)) {
        merge_watch(query);
        if (sink_done(query->sink) > 0) /* for one that comes later it is news */
            viewers_news(query);
    }
    return listener;
}

void viewers_remove(hq_listener **listener_p)
{
    hq_listener *listener = *listener_p;
    hq_query *query = listener->query;
    hq_viewer *viewer = listener->viewer;
    *listener_p = NULL;
    if (listener->wants_progress && listener->is_waiting)
        leave_line(listener, &viewer->first, &viewer->last);
    else if (listener->wants_progress)
        leave_line(listener, &query->caught_up, &query->caught_up_last);
    hq_listener *last = query->listeners[--query->listener_count];
    query->listeners[listener->place] = last;
    last->place = listener->place;
    message_free(&listener->held);
    free(listener);
    if (--viewer->listening == 0)
        viewer_free(query->broker, viewer);
}

void viewers_clear(hq_query *query)
{
    while (query->listener_count > 0) {
        hq_listener *listener = query->listeners[query->listener_count - 1];
        viewers_remove(&listener);
    }
}

void viewers_free(hq_broker *broker)
{
    free(broker->viewers);
    zhashx_destroy(&broker->viewer_by_peer);
}

/* ---- what they are told ---- */

void viewers_news(hq_query *query)
{
    query->news++;
    if (!query->caught_up)
        return;
    int64_t due_ms = query_show_due_ms(query);
    for (hq_listener *listener; (listener = query->caught_up);) {
        make_waiting(listener, true);
        look_by(query->broker, listener->viewer, due_ms);
    }
}

/* One that is gone listens no more, so that the others' cancel is not held up by it. */
static void tell(hq_listener *listener, hq_message **message_p)
{
    hq_broker *broker = listener->query->broker;
    listener->was_shown = true;
    listener->viewer->free_ms = hq_now_ms() + HQ_PROGRESS_MS;
    look_again(broker, listener->viewer);
    if (clients_tell(broker, message_p) == HQ_ENOTFOUND)
        viewers_remove(&listener);
}

static void tell_held(hq_listener *listener)
{
    hq_message *message = listener->held;
    listener->held = NULL;
    make_waiting(listener, listener->query->news != listener->held_news);
    tell(listener, &message);
}

/* What was made of the query goes to the listener now, or when it is its turn. */
static void show_to(hq_listener *listener, hq_shared *shown, int64_t now_ms)
{
    hq_viewer *viewer = listener->viewer;
    bool is_its_own = listener->is_asked || listener->held;
    listener->is_asked = false;
    bool is_free = viewer->free_ms <= now_ms;
    if (is_free && (is_its_own || first_showable(viewer, listener, now_ms) == listener)) {
        hq_message *message = clients_progress(listener, shown);
        message_free(&listener->held);
        make_waiting(listener, false);
        tell(listener, &message);
        return;
    }
    if (is_its_own || viewer->first == listener) {
        message_free(&listener->held);
        listener->held = clients_progress(listener, shown);
        listener->held_news = listener->query->news;
    }
    look_by(listener->query->broker, viewer, showable_ms(listener));
}

void viewers_show(hq_query *query, hq_shared *shown)
{
    int64_t now_ms = hq_now_ms();
    for (size_t i = 0; i < query->listener_count;) {
        hq_listener *listener = query->listeners[i];
        size_t count = query->listener_count;
        if (listener->wants_progress && listener->is_waiting)
            show_to(listener, shown, now_ms);
        i += query->listener_count == count; /* else another one has taken its place */
    }
}

void viewers_show_last(hq_query *query, hq_shared *shown)
{
    for (size_t i = 0; i < query->listener_count;) {
        hq_listener *listener = query->listeners[i];
        size_t count = query->listener_count;
        if (listener->wants_progress && !listener->was_shown) {
            hq_message *message = clients_progress(listener, shown);
            message_free(&listener->held); /* which knows less */
            tell(listener, &message);
        }
        i += query->listener_count == count;
    }
}

int64_t viewers_tick(hq_broker *broker, int64_t now_ms)
{
    while (broker->viewer_count > 0 && broker->viewers[0]->due_ms <= now_ms) {
        hq_viewer *viewer = broker->viewers[0];
        hq_listener *listener = first_showable(viewer, NULL, now_ms);
        if (!listener) {
            look_again(broker, viewer); /* its query was shown to others meanwhile, or is over */
        } else if (listener->held) {
            tell_held(listener);
        } else {
            hq_query *query = listener->query;
            listener->is_asked = true;
            query->is_telling = true;
            look_again(broker, viewer); /* others of its queries may be shown until this one is there */
            merge_show(query);
        }
    }
    return broker->viewer_count > 0 ? broker->viewers[0]->due_ms : INT64_MAX;
}
