/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state.h: the assembler's own state: threads, their frames, and what can be done to a frame.
 *
 * A frame is *open* (on the stack as far as is known), or *suspended*: an event showed the stack pointer
 * above it although its exit was not seen. A suspended frame is nobody's parent; its own exit revives it, a
 * new entry at the same address, the end of its thread or time buries it as "end unknown" (hazards.md 13).
 *
 * A frame is *doubtful* when events of its thread were lost while it was open: its exit may be among them, so
 * it proves nothing about what comes later.
 *
 * Threads whose stacks switch (greenlet, fibers; told by switching(), by a revived frame, or by a stack
 * pointer far away) have frames of several stacks at the same addresses, and neither "deeper" nor "inside in
 * time" tells whose frame a new one is: A parked in a method, B calling deeper and returning, A returning
 * looks exactly like a nested call, even after all three have ended. What is sure is that nothing switches
 * while only C++ code runs: inside a client function that runs no code of others (not row.foreign; it *holds*
 * the thread), from an upcall to its method, from a method to the method it hands over to. So there
 *   - nesting in a function that holds the thread is a parent as anywhere; any other frame that has one above
 * it is a root with TT_INCOMPLETE_PARENT, and a span of its own;
 *   - a new entry at an old frame's address buries nothing, since both may live; an exit that fits several
 * frames closes the newest, and its end and those of the others are marked uncertain; that holds for a minute
 * for frames which were buried by time (ghosts);
 *   - a catch ends, as failed, the functions that hold the thread, from the top down to the first frame that
 * does not; if that is a `calls: one` function whose entry or request was the last thing that happened, it
 * too, marked TT_INCOMPLETE_END; others below the catch are suspended with the exception noted, which counts
 * if no exit comes soon;
 *   - a method (role METHOD) runs code of others, so it holds nothing; what calls it is C++ code, so it is a
 * child of the innermost frame if that was entered, or called another method that has just left, as the last
 * thing that happened on the thread;
 *   - the next upcall at the same address proves that the methods of the former one are over: the ORB's loop,
 * which called both, does not run on a greenlet.
 *
 * An *asynchronous call* (struct call) begins in a function that sends (role ASYNCH), goes on in a thread of
 * omniORB's pool (role WORKER) and ends there. Both know the call descriptor. Its span belongs to the frame
 * that sends while that is open, then to the call. It ends when the worker has done; it is kept until its
 * reply is handed over (role REPLY), which may tell what the failure was, or TT_REPLY_WAIT_NS.
 */
#pragma once

#define HASH_NONFATAL_OOM 1 /* out of memory is counted, not fatal */
#include <uthash.h>

#include "assemble/assemble.h"
#include "assemble/fields.h"

#define TT_FRAMES_MAX    64             /* open frames of one thread; as many may be suspended */
#define TT_THREADS_MAX   16384          /* threads known; the one that was silent for longest makes room */
#define TT_SUSPENDED_NS  60000000000ull /* a suspended frame is buried after this time .. */
#define TT_NOTED_NS      2000000000ull  /* .. or this, when an exception probably ended it */
#define TT_STACK_SPAN    (64ull << 20)  /* stack pointers of one stack do not lie further apart */
#define TT_GHOSTS_MAX    16
#define TT_OPERATION_MAX 64
#define TT_BARE_MAX      256
#define TT_BARE_NS       1000000000ull /* a request whose method does not begin in this time has none */
#define TT_CALLS_MAX     16384         /* asynchronous calls known; the oldest makes room */
#define TT_REPLY_WAIT_NS                                                                                     \
    10000000000ull /* a call that has ended waits so long for being asked for its reply */
#define TT_CALL_WAIT_NS 300000000000ull /* a call whose worker was never seen to end */

/* Names an asynchronous call within its process: omniORB's call descriptor, cppTango's number. */
struct call_key {
    uint32_t tgid, pad;
    uint64_t value;
};

struct call {
    UT_hash_handle hh, by_number;
    struct call_key descriptor, number;
    struct tt_span *span;
    struct frame *sender, *worker; /* while open */
    bool numbered;                 /* is in the table by number */
    bool caught;                   /* the last that is known of it is an exception on the worker's thread */
    bool ended;                    /* the worker has done */
    bool answered;                 /* its reply was handed over */
    uint64_t time;                 /* sent, or ended */
};

struct frame {
    struct frame *next; /* open: towards the caller; suspended: towards the older */
    uint64_t address;
    const struct tt_row *row;
    struct tt_span *span;  /* its own, or NULL: an inner frame */
    struct tt_span *owner; /* the span that stands for it; an inner frame's is valid while it is open */
    uint64_t suspended_at; /* while suspended */
    bool doubtful;
    bool tail; /* shares its address with the next frame, which left by a jump to it: they end together */
    bool requested; /* a request was sent by it */
    bool ambiguous; /* its exit may have been another's */
    uint8_t noted; /* while suspended: exceptions that may have ended it, the first of them at suspended_at */
    uint64_t upcall;         /* address of the upcall whose method it is (part of), or 0 */
    struct call *call;       /* ASYNCH: handed to omniORB; WORKER: carried out; or NULL */
    struct tt_span *further; /* of its latest request, if that is no part of its own span; or NULL */
    struct tt_span *caller;  /* of the code that called, where the call would be a root; or NULL */
    uint64_t answers;        /* REPLY: call descriptor of the call, or 0 */
    struct tt_span *birth;   /* BIRTH: of the device that is being made; begins when that is done */
    bool born;               /* stands for the init_device that follows: see birth.c */
    struct tt_clocks clocks; /* when it was entered; time 0: not known */
};

/* A frame of a switching thread that was buried by time or for room: it may live, and its exit come yet. */
struct ghost {
    uint64_t address, upcall, until;
    const struct tt_row *row; /* NULL: a free place */
};

/* A request was received, its method not yet entered. */
struct marker {
    bool open; /* the stack is still inside the upcall */
    bool used; /* a method took it */
    bool has_key;
    uint32_t sequence;
    uint64_t address, time;
    const struct tt_row *row;
    struct tt_key key;
    char operation[TT_OPERATION_MAX];
};

struct thread {
    UT_hash_handle hh;
    uint32_t tid, tgid, start;
    char name[TT_THREAD_NAME];  /* the kernel's, now; "" = not known */
    uint32_t sequence;          /* of the last event */
    uint64_t last_time, before; /* of the last event, and the one before it */
    uint64_t base;              /* the first stack address seen */
    uint64_t highest;           /* the highest frame entered */
    struct frame *top, *suspended;
    unsigned depth, suspended_count;
    /* The frame whose entry or request, or return of a method that it called, was the last event, exceptions
     * aside; NULL after anything else. */
    struct frame *last;
    uint64_t
        dropped; /* address of the outermost frame that found no room, 0 = none: all below it is unknown */
    uint64_t exit_address; /* of the last exit that closed a frame: a second exit point of the same exit is no
                              error */
    bool switching;
    bool unheld; /* .. even inside functions that should hold it: one came back from a suspension */
    bool doubt;  /* an entry may have been lost that encloses what comes */
    bool served; /* has had an upcall */
    bool gap;    /* events were lost since it last received one of a topic */
    struct marker marker;
    struct ghost *ghosts;    /* TT_GHOSTS_MAX of them, or NULL */
    struct tt_clocks clocks; /* at the last event; time 0: that did not tell */
    struct waiting {         /* for a monitor that somebody holds */
        uint64_t address;    /* of the frame of the function that waits; 0: it does not */
        uint64_t since;
        struct tt_clocks clocks;
    } waiting;
};

struct tt_assembler {
    struct tt_assembler_ops ops;
    const struct tt_row *(*point_row)(void *context, uint32_t point);
    void *point_context;
    tt_switching_fn switching;
    void *switching_context;
    tt_method_fn methods;
    void *methods_context;
    tt_caller_fn callers;
    void *callers_context;
    tt_beat_fn beats;
    void *beats_context;
    struct thread *threads, *recent; /* recent: of the last event, a hint */
    struct frame *spare;
    struct call *calls, *numbers; /* by descriptor, by number */
    struct tt_assembler_stats stats;
    struct tt_assembler_bare bare[TT_BARE_MAX + 1];
    size_t bare_count;
};

/* ---- threads.c ---- */

/* The thread of an event, known or new (an old one with the same id is buried); NULL when out of memory. */
struct thread *tt_thread_get(struct tt_assembler *assembler, const struct tt_event *event);
/* Closes what is open as "end unknown" and forgets the thread. */
void tt_thread_remove(struct tt_assembler *assembler, struct thread *thread, uint64_t now);
void tt_thread_bury_all(struct tt_assembler *assembler, struct thread *thread, uint64_t now);
/* Events were lost: what is open has become doubtful. */
void tt_thread_taint(struct thread *thread);
/* A span of that thread, not open yet; NULL when out of memory. */
struct tt_span *tt_thread_span(const struct thread *thread, const struct tt_row *row, enum tt_span_kind kind);
/* Nesting proves nothing on this thread. */
bool tt_thread_switches(struct tt_assembler *assembler, struct thread *thread);
/* The stack pointer left the upcall, or another one came: a request that no method took gets a span whose end
 * is not known; `last`: when the thread was last seen inside it. */
void tt_thread_end_marker(struct tt_assembler *assembler, struct thread *thread, uint64_t last);

/* ---- frames.c ---- */

/* Nothing else runs on the thread while it is the innermost frame: see the top. `sp` on another stack
 * disproves it. */
static inline bool tt_frame_holds(const struct thread *thread, const struct frame *frame, uint64_t sp)
{
    return !thread->unheld && frame->row->role != TT_ROLE_SERVER && frame->row->role != TT_ROLE_METHOD &&
           !frame->row->foreign && sp + TT_STACK_SPAN > frame->address && frame->address + TT_STACK_SPAN > sp;
}

/* The innermost open frame if it is sure that what is seen at `sp` happens inside it, else NULL. */
struct frame *tt_frame_proven(struct tt_assembler *assembler, struct thread *thread, uint64_t sp);
/* A zeroed frame on top of the open ones; NULL when out of memory or at the limit. */
struct frame *tt_frame_push(struct tt_assembler *assembler, struct thread *thread, uint64_t address);
/* Takes the innermost open frame off the stack and suspends it, or buries it where that is certain. */
void tt_frame_park_top(struct tt_assembler *assembler, struct thread *thread, uint64_t now);
/* Suspends all open frames at or below (inclusive) or below `limit`: the stack pointer is seen there. */
void tt_frame_heal(struct tt_assembler *assembler, struct thread *thread, uint64_t limit, bool inclusive,
                   uint64_t now);
struct frame *tt_frame_pop(struct tt_assembler *assembler, struct thread *thread);
/* Takes a frame out of the suspended ones; `at` points at the link to it. */
struct frame *tt_frame_unsuspend(struct thread *thread, struct frame **at);
/* The latest request of the frame is over: with `outcome` if that of a span is its own, at a time that is a
 * bound if not (NULL). */
void tt_frame_end_further(struct tt_assembler *assembler, struct frame *frame, const struct tt_span *outcome,
                          uint64_t end);
/* Closes the span of a frame that is on no list any more, and gives the frame back. */
void tt_frame_finish(struct tt_assembler *assembler, struct thread *thread, struct frame *frame,
                     uint64_t end);
/* The same as "end unknown". */
void tt_frame_bury(struct tt_assembler *assembler, struct thread *thread, struct frame *frame, uint64_t now);
/* Buries suspended frames: those at `address`; the methods of a former upcall at `upcall`, where a new one
 * proves that they are over; those older than time allows. */
void tt_frame_bury_at(struct tt_assembler *assembler, struct thread *thread, uint64_t address, uint64_t now);
void tt_frame_bury_methods(struct tt_assembler *assembler, struct thread *thread, uint64_t upcall,
                           uint64_t now);
void tt_frame_expire(struct tt_assembler *assembler, struct thread *thread, uint64_t now);

/* ---- calls.c ---- */

/* omniORB was given a call descriptor by the function that is `sender` (owns the span), or by none (NULL). */
void tt_call_submit(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    struct frame *sender);
/* A user exception came as the reply: the call has failed, of the exception only the type is known. */
void tt_call_refused(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);
/* The call with the descriptor or the number that the event tells; NULL if there is none. */
struct call *tt_call_find(struct tt_assembler *assembler, const struct thread *thread,
                          const struct tt_event_view *view);
/* The frame of role ASYNCH or WORKER is over; the call, and with it the span, may be too. */
void tt_call_left(struct tt_assembler *assembler, struct frame *frame, uint64_t end);
/* A frame of role REPLY is over and has ended in a way that is known: its span tells how the call did. */
void tt_call_answered(struct tt_assembler *assembler, const struct thread *thread, uint64_t descriptor,
                      const struct tt_span *reply);
/* The number of the call, as the function that sends it returns it. */
void tt_call_number(struct tt_assembler *assembler, struct call *call, const struct tt_event_view *view);
/* Closes calls of the process (0 = all), and those that waited long enough. */
void tt_call_close_all(struct tt_assembler *assembler, uint32_t tgid, uint64_t now);
void tt_call_expire(struct tt_assembler *assembler, uint64_t now);
void tt_call_free_all(struct tt_assembler *assembler);

/* ---- ghosts.c ---- */

void tt_ghost_add(struct thread *thread, const struct frame *frame, uint64_t now);
bool tt_ghost_fits(const struct thread *thread, uint64_t address, const struct tt_row *row, uint64_t now);
/* An exit that nothing else fits was the ghost's. */
void tt_ghost_lay(struct thread *thread, uint64_t address, const struct tt_row *row);
void tt_ghost_lay_methods(struct thread *thread, uint64_t upcall);

/* ---- enter.c, leave.c: what an event does; the thread's order and gaps are already seen to ---- */

void tt_event_enter(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    const struct tt_row *row);
void tt_event_exit(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row);
void tt_event_catch(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);
void tt_event_request(struct tt_assembler *assembler, struct thread *thread,
                      const struct tt_event_view *view);
void tt_event_upcall(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);

/* ---- events.c ---- */

/* Of the event that the innermost function sends: its topic, as the function that made it returns; its
 * number. */
void tt_event_topic(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);
void tt_event_counter(struct tt_assembler *assembler, struct thread *thread,
                      const struct tt_event_view *view);
void tt_event_beat(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row);

/* ---- birth.c ---- */

void tt_event_birth(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                    const struct tt_row *row);
void tt_event_born(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view,
                   const struct tt_row *row);
/* What the thread does now is no part of the init_device that was the innermost, if that was one. */
void tt_birth_over(struct tt_assembler *assembler, struct thread *thread, uint64_t now);
/* The call of Python code that the event ends had an init_device in it: it has failed if the call has. */
void tt_birth_leave(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);

/* ---- waits.c ---- */

/* What the event tells of its thread's clocks; NULL: it makes no sense. */
void tt_thread_clock(struct thread *thread, const struct tt_event_view *view);
/* The frame, just taken off the stack, ends with the event at hand: what of that its ledgers are told. */
void tt_frame_account(struct thread *thread, struct frame *frame, uint64_t end);
void tt_event_wait(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);
void tt_event_waited(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);

/* ---- log.c ---- */

void tt_event_log(struct tt_assembler *assembler, struct thread *thread, const struct tt_event_view *view);
