/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recording_write.c: a ring of bytes between the collecting thread, which never waits, and a thread that
 * writes to the file. One producer, one consumer: head and tail only grow.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <libdeflate.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/thread.h"
#include "collect/recording.h"

#define BUFFER      (16u << 20)
#define BUFFER_MIN  (1u << 20)
#define RESERVE     (256u << 10)
#define WAKE_BYTES  (1u << 20) /* the writer is woken early */
#define WAKE_MS     100
#define WRITE_BYTES (256u << 10)
#define POLL_MS     50

struct tt_recording_writer {
    int fd;
    uint8_t *ring;
    size_t size;
    _Atomic uint64_t head, tail; /* bytes put, bytes written */
    uint32_t number;
    uint64_t gap; /* records dropped since the last that fitted */
    _Atomic uint64_t records, events, dropped;
    _Atomic int error;
    _Atomic bool stop;
    _Atomic uint64_t deadline; /* CLOCK_MONOTONIC ms by which a stop must be over */
    bool running, stuck;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct timespec timespec_of(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* ---- the writing thread ---- */

/* Waits until a pipe has room; a regular file always has. False: the stop's deadline is over. */
static bool wait_room(const struct tt_recording_writer *writer)
{
    struct pollfd p = {.fd = writer->fd, .events = POLLOUT};

    for (;;) {
        int n = poll(&p, 1, POLL_MS);

        if (n > 0 || (n < 0 && errno != EINTR))
            return true;
        if (atomic_load(&writer->stop) && now_ms() >= atomic_load(&writer->deadline))
            return false;
    }
}

/* Writes what is there, in pieces. 0 or negative errno. */
static int drain(struct tt_recording_writer *writer)
{
    uint64_t head = atomic_load_explicit(&writer->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&writer->tail, memory_order_relaxed);

    while (tail < head) {
        size_t at = tail % writer->size, n = writer->size - at;
        ssize_t done;

        n = n < head - tail ? n : head - tail;
        n = n < WRITE_BYTES ? n : WRITE_BYTES;
        if (!wait_room(writer))
            return -ETIMEDOUT;
        done = write(writer->fd, writer->ring + at, n);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (done > 0)
            tail += (uint64_t)done;
        atomic_store_explicit(&writer->tail, tail, memory_order_release);
        if (atomic_load(&writer->stop) && now_ms() >= atomic_load(&writer->deadline))
            return tail < head ? -ETIMEDOUT : 0;
    }
    return 0;
}

static void *run(void *context)
{
    struct tt_recording_writer *writer = context;

    for (;;) {
        bool stop = atomic_load(&writer->stop);
        int error = drain(writer);

        if (error) {
            atomic_store(&writer->error, error);
            if (error != -ETIMEDOUT)
                tt_error("the recording ends here, tracing goes on: %s", strerror(-error));
            return NULL;
        }
        if (stop)
            return NULL;
        pthread_mutex_lock(&writer->lock);
        if (!atomic_load(&writer->stop)) {
            struct timespec until = timespec_of(now_ms() + WAKE_MS);

            pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
        }
        pthread_mutex_unlock(&writer->lock);
    }
}

static int start_thread(struct tt_recording_writer *writer)
{
    int error = tt_thread_start(&writer->thread, run, writer);

    writer->running = !error;
    return error;
}

/* ---- putting ---- */

static void copy_in(struct tt_recording_writer *writer, uint64_t head, const void *data, size_t size)
{
    size_t at = head % writer->size, first = writer->size - at < size ? writer->size - at : size;

    memcpy(writer->ring + at, data, first);
    memcpy(writer->ring, (const uint8_t *)data + first, size - first);
}

static bool put(struct tt_recording_writer *writer, enum tt_record_type type, const void *data, size_t size)
{
    static const uint8_t zeros[8];
    size_t padding = -size & 7, keep = type == TT_RECORD_EVENT ? RESERVE : 0;
    struct tt_record_header header = {.size = (uint32_t)size, .type = (uint16_t)type};
    uint64_t head = atomic_load_explicit(&writer->head, memory_order_relaxed);
    uint64_t used = head - atomic_load_explicit(&writer->tail, memory_order_acquire);

    if (size > TT_RECORD_MAX || atomic_load(&writer->error) ||
        sizeof(header) + size + padding + keep > writer->size - used)
        return false;
    header.number = ++writer->number;
    header.crc = libdeflate_crc32(0, &header, offsetof(struct tt_record_header, crc));
    header.crc = libdeflate_crc32(header.crc, data, size);
    copy_in(writer, head, &header, sizeof(header));
    copy_in(writer, head + sizeof(header), data, size);
    copy_in(writer, head + sizeof(header) + size, zeros, padding);
    head += sizeof(header) + size + padding;
    atomic_store_explicit(&writer->head, head, memory_order_release);
    atomic_fetch_add_explicit(&writer->records, 1, memory_order_relaxed);
    if (type == TT_RECORD_EVENT)
        atomic_fetch_add_explicit(&writer->events, 1, memory_order_relaxed);
    /* Once, when the mark is crossed. */
    if (used < WAKE_BYTES && used + sizeof(header) + size + padding >= WAKE_BYTES)
        pthread_cond_signal(&writer->wake);
    return true;
}

bool tt_recording_put(struct tt_recording_writer *writer, enum tt_record_type type, const void *data,
                      size_t size)
{
    if (writer->gap && put(writer, TT_RECORD_DROPPED, &writer->gap, sizeof(writer->gap)))
        writer->gap = 0;
    if (!writer->gap && put(writer, type, data, size))
        return true;
    writer->gap++;
    atomic_fetch_add_explicit(&writer->dropped, 1, memory_order_relaxed);
    return false;
}

void tt_recording_writer_stats(struct tt_recording_writer *writer, struct tt_recording_stats *stats)
{
    *stats = (struct tt_recording_stats){
        .records = atomic_load(&writer->records),
        .events = atomic_load(&writer->events),
        .bytes = atomic_load(&writer->head),
        .dropped = atomic_load(&writer->dropped),
        .error = atomic_load(&writer->error),
    };
}

/* ---- life ---- */

/* Is it empty, a recording, or no regular file? */
static bool may_replace(int fd)
{
    char magic[sizeof(TT_RECORDING_MAGIC) - 1];
    struct stat st;

    if (fstat(fd, &st))
        return false;
    return !S_ISREG(st.st_mode) || !st.st_size ||
           (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
            !memcmp(magic, TT_RECORDING_MAGIC, sizeof(magic)));
}

/* Descriptor or negative errno. What is recorded is for its owner. */
static int open_file(const char *path)
{
    struct stat st;
    bool pipe = !stat(path, &st) && S_ISFIFO(st.st_mode);
    int fd = open(path, (pipe ? O_WRONLY | O_NONBLOCK : O_RDWR) | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
                  0600);

    if (fd < 0)
        return -errno;
    if (!may_replace(fd)) {
        close(fd);
        return -EEXIST;
    }
    if (ftruncate(fd, 0) && errno != EINVAL) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static void put_header(struct tt_recording_writer *writer)
{
    struct tt_recording_header header = {.version = TT_RECORDING_VERSION, .size = sizeof(header)};

    memcpy(header.magic, TT_RECORDING_MAGIC, sizeof(header.magic));
    header.crc = libdeflate_crc32(0, &header, offsetof(struct tt_recording_header, crc));
    copy_in(writer, 0, &header, sizeof(header));
    atomic_store(&writer->head, sizeof(header));
}

int tt_recording_create(const char *path, size_t buffer, struct tt_recording_writer **writer, char **error)
{
    struct tt_recording_writer *made = calloc(1, sizeof(*made));
    pthread_condattr_t attr;
    int err;

    *error = NULL;
    if (!made)
        return -ENOMEM;
    made->size = buffer ? buffer : BUFFER;
    made->size = made->size < BUFFER_MIN ? BUFFER_MIN : made->size;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attr);
    pthread_condattr_destroy(&attr);
    made->ring = malloc(made->size);
    made->fd = made->ring ? open_file(path) : -ENOMEM;
    err = made->fd < 0 ? made->fd : 0;
    if (!err) {
        put_header(made);
        err = start_thread(made);
    }
    if (err) {
        *error = tt_format("%s: %s", path,
                           err == -EEXIST  ? "exists and is no recording: remove it, or choose another name"
                           : err == -ELOOP ? "is a symbolic link, which is not followed"
                                           : strerror(-err));
        tt_recording_writer_free(&made);
        return err;
    }
    *writer = made;
    return 0;
}

int tt_recording_close(struct tt_recording_writer *writer, unsigned wait_ms)
{
    struct timespec until;

    if (!writer->running)
        return atomic_load(&writer->error);
    atomic_store(&writer->deadline, now_ms() + wait_ms);
    until = timespec_of(now_ms() + wait_ms + 5 * POLL_MS);
    pthread_mutex_lock(&writer->lock);
    atomic_store(&writer->stop, true);
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    writer->running = false;
    if (pthread_clockjoin_np(writer->thread, NULL, CLOCK_MONOTONIC, &until)) {
        /* It hangs in a write: it, and all it uses, is left alone. */
        writer->stuck = true;
        pthread_detach(writer->thread);
        return -ETIMEDOUT;
    }
    if (close(TAKE_FD(writer->fd)) && !atomic_load(&writer->error))
        atomic_store(&writer->error, -errno);
    return atomic_load(&writer->error);
}

void tt_recording_writer_free(struct tt_recording_writer **writer)
{
    struct tt_recording_writer *w = TAKE_PTR(*writer);

    if (!w)
        return;
    tt_recording_close(w, 0);
    if (w->stuck)
        return;
    tt_cleanup_close(&w->fd);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->ring);
    free(w);
}
