/* SPDX-License-Identifier: GPL-2.0-only */
/* run.c: `tangotrace run`: the agent in the foreground, and `run -- COMMAND`, the strace mode. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/notify.h"
#include "options/options.h"
#include "control/control.h"

/* What the agent changes for itself and COMMAND gets as it was. */
struct inherited {
    sigset_t mask;
    struct rlimit files; /* src/host raises the limit of open files */
};

/* COMMAND of the strace mode; it waits for `go` before it runs. */
struct command {
    pid_t pid;
    int go;
    bool ended;
    int status; /* exit code for the shell: its own, or 128 + signal */
};

/* ---- COMMAND ---- */

/* Under sudo the command runs as the user who called it. */
static int become_invoker(void)
{
    const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
    struct passwd *user;
    uid_t uid;
    gid_t gid;

    if (geteuid() != 0 || !uid_text || !gid_text)
        return 0;
    uid = (uid_t)strtoul(uid_text, NULL, 10);
    gid = (gid_t)strtoul(gid_text, NULL, 10);
    user = getpwuid(uid);
    if (user && initgroups(user->pw_name, gid))
        return -errno;
    if (user)
        setenv("HOME", user->pw_dir, 1);
    if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return -errno;
    return 0;
}

static void child(char **argv, int go, const struct inherited *inherited)
{
    char word;
    int error;

    if (read(go, &word, 1) != 1)
        _exit(127); /* the agent did not come up */
    sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (setrlimit(RLIMIT_NOFILE, &inherited->files))
        tt_debug("open files of %s: %s", argv[0], strerror(errno));
    error = become_invoker();
    if (error) {
        tt_error("cannot run %s as the invoking user: %s", argv[0], strerror(-error));
        _exit(126);
    }
    execvp(argv[0], argv);
    error = errno;
    tt_error("cannot run %s: %s", argv[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static int start_command(struct command *command, char **argv, const struct inherited *inherited)
{
    int go[2];

    if (pipe2(go, O_CLOEXEC))
        return -errno;
    command->pid = fork();
    if (command->pid == 0) {
        close(go[1]);
        child(argv, go[0], inherited);
    }
    close(go[0]);
    command->go = go[1];
    return command->pid < 0 ? -errno : 0;
}

/* Other children are waited for by those who started them; but everybody's, whose parents are gone, are those
 * of the first process of a container. */
static void reap(struct command *command)
{
    pid_t which = getpid() == 1 ? -1 : command->pid, pid;
    int status;

    while (which && (pid = waitpid(which, &status, WNOHANG)) > 0) {
        if (pid != command->pid)
            continue;
        command->ended = true;
        command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

/* ---- the loop ---- */

struct wanted {
    bool stop, dump, reload;
};

/* Whoever closes a terminal wants the programs on it to end; from elsewhere SIGHUP is the wish to read the
 * configuration again. */
static bool terminal_is_gone(bool had_terminal)
{
    _cleanup_close_ int fd = had_terminal ? open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;

    return had_terminal && fd < 0;
}

static void read_signals(int signals, struct command *command, bool had_terminal, struct wanted *wanted)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(command);
        else if (info.ssi_signo == SIGUSR2)
            wanted->dump = true;
        else if (command->pid > 0 && !command->ended)
            kill(command->pid, (int)info.ssi_signo); /* it decides when to end; the agent ends with it */
        else if (info.ssi_signo == SIGHUP && !terminal_is_gone(had_terminal))
            wanted->reload = true;
        else
            wanted->stop = true;
    }
    wanted->stop |= command->pid > 0 && command->ended;
}

static struct tt_control_server *start_control(struct tt_agent *agent, const struct tt_options *options)
{
    struct tt_control_handlers handlers = {.handle = tt_agent_answer,
                                           .stream = tt_agent_stream,
                                           .end_stream = tt_agent_end_stream,
                                           .context = agent};
    struct tt_control_server *server = NULL;
    _cleanup_free_ char *why = NULL;
    int error = tt_control_server_new(options->control, options->control_group, &handlers, &server, &why);

    if (error)
        tt_warn("no control socket: %s; tracing goes on", why ? why : strerror(-error));
    return server;
}

struct running {
    struct tt_agent *agent;
    struct tt_control_server *control;
};

/* SIGHUP. */
static void reload(struct running *running)
{
    struct tt_agent *agent = running->agent;
    const struct tt_options *old = agent->options;
    _cleanup_(tt_options_free) struct tt_options fresh = {0};
    _cleanup_free_ char *why = NULL;
    bool control = false;
    int error;

    tt_notify_reloading();
    error = tt_options_reload(old, &fresh, &why);
    if (!error && old->record)
        error = tt_options_record(&fresh, old->record);
    if (!error) {
        control = tt_options_affected(old, &fresh) & TT_AFFECTS_CONTROL;
        error = tt_agent_reload(agent, &fresh);
    }
    if (error) {
        tt_error("the configuration is refused, all stays as it was: %s",
                 why                ? why
                 : error == -EBUSY  ? "what was changed before is not over yet; try again in a few seconds"
                 : error == -EINVAL ? "see above"
                                    : strerror(-error));
    } else {
        tt_log_set_level(agent->options->log_level);
        if (control) {
            tt_control_server_free(&running->control);
            running->control = start_control(agent, agent->options);
        }
        tt_say("configuration read again");
    }
    tt_notify("READY=1");
}

/* 0, or -EPIPE: there are no probes any more. */
static int loop(struct running *running, int signals, struct command *command)
{
    struct tt_agent *agent = running->agent;
    struct tt_watchdog watchdog = tt_watchdog();
    bool had_terminal = !terminal_is_gone(true);
    struct pollfd fds[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = tt_follow_fd(agent->follow), .events = POLLIN},
        {.fd = agent->wake, .events = POLLIN},
        {.fd = tt_host_keeper(agent->host)},
    };
    time_t last = time(NULL);

    for (;;) {
        int n = poll(fds, TT_ARRAY_SIZE(fds), 1000);
        uint64_t word;

        if (n < 0 && errno != EINTR)
            return 0;
        pthread_mutex_lock(&agent->lock);
        if (fds[1].revents)
            tt_follow_read(agent->follow);
        if (fds[2].revents && read(agent->wake, &word, sizeof(word)) < 0)
            tt_debug("wake: %s", strerror(errno));
        if (time(NULL) != last) {
            last = time(NULL);
            tt_follow_tick(agent->follow);
        }
        pthread_mutex_unlock(&agent->lock);
        tt_notify_alive(&watchdog, agent);
        if (tt_agent_is_deaf(agent)) /* `run | head`: nobody reads any more */
            return 0;
        if (fds[0].revents) {
            struct wanted wanted = {0};

            read_signals(signals, command, had_terminal, &wanted);
            if (wanted.dump)
                tt_info("the flight recorder exports %llu spans", (unsigned long long)tt_agent_dump(agent));
            if (wanted.stop)
                return 0;
            if (wanted.reload)
                reload(running);
        }
        if (fds[3].revents)
            return tt_err(
                -EPIPE,
                "tt-keeper, the child process that holds the probes, was ended, and nothing is traced any "
                "more. If that was while it attached, breakpoints may be left in the traced programs, "
                "which run on; starting and stopping tangotrace again takes them out");
    }
}

/* A record lock tells who holds it, and goes with its process however that ends. */
#define LOCK_PATH "/run/tangotrace.lock"

/* Another agent on this host doubles the cost for the targets and nothing else: said, not refused. The lock
 * is held until this process ends. */
static bool take_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || !fcntl(fd, F_SETLK, &lock) || fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
        return true;
    tt_warn(
        "another agent runs on this host (pid %d): both trace, and calls cost twice as much; stop one of them",
        lock.l_pid);
    return false;
}

static int trace(const struct tt_options *options, char **argv, struct tt_agent *agent, int signals,
                 const struct inherited *inherited)
{
    struct command command = {.go = -1};
    struct running running = {.agent = agent};
    bool whole;
    int error;

    if (argv) {
        agent->tree = tt_tree_new();
        agent->all = options->all;
        error = agent->tree ? start_command(&command, argv, inherited) : -ENOMEM;
        if (error)
            return tt_err(error, "cannot start %s: %s", argv[0], strerror(-error));
        tt_tree_add(agent->tree, (uint32_t)command.pid);
    }
    error = tt_agent_start(agent);
    if (error) {
        if (command.pid > 0)
            kill(command.pid, SIGKILL);
        return error;
    }
    running.control = start_control(agent, options);
    tt_say("ready");
    tt_notify("READY=1");
    if (argv && write(command.go, "g", 1) != 1)
        tt_warn("cannot let %s go: %s", argv[0], strerror(errno));
    tt_cleanup_close(&command.go);
    error = loop(&running, signals, &command);
    tt_notify("STOPPING=1");
    tt_control_server_free(&running.control);
    tt_agent_stop(agent);
    tt_agent_report(agent, &whole);
    if (error)
        return error;
    if (!whole && (!argv || !command.status))
        return TT_EXIT_FAILURE;
    return argv ? command.status : 0;
}

static int exit_code(int error)
{
    switch (error) {
    case -EINVAL: /* an --export that makes no sense */
    case -E2BIG:
        return TT_EXIT_USAGE;
    case -EPERM:
    case -EACCES:
    case -ENOSYS:
        return TT_EXIT_MISSING;
    default:
        return TT_EXIT_FAILURE;
    }
}

int tt_cmd_run(const struct tt_options *options, char **command)
{
    struct tt_agent *agent = NULL;
    _cleanup_close_ int signals = -1;
    struct inherited inherited;
    sigset_t set;
    bool alone;
    int result;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    /* Before any thread starts, so that all inherit it and only the descriptor gets them. */
    sigprocmask(SIG_BLOCK, &set, &inherited.mask);
    if (getrlimit(RLIMIT_NOFILE, &inherited.files))
        return tt_err(TT_EXIT_FAILURE, "getrlimit: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return tt_err(TT_EXIT_FAILURE, "signalfd: %s", strerror(errno));
    alone = take_lock();
    result = tt_agent_new(options, &agent);
    if (result)
        return exit_code(result);
    if (!alone)
        tt_attach_expect_others(agent->attach);
    result = trace(options, command, agent, signals, &inherited);
    tt_agent_free(&agent);
    return result < 0 ? TT_EXIT_FAILURE : result;
}

int tt_cmd_record(const struct tt_options *options)
{
    struct tt_options own = *options; /* not freed: it shares everything */

    if (!options->arguments[0] || options->record)
        return tt_err(TT_EXIT_USAGE, "which file to record to? usage: tangotrace record FILE [OPTION...]");
    own.record = options->arguments[0];
    if (!tt_options_given(options, "export"))
        own.exports.count = 0;
    return tt_cmd_run(&own, options->command);
}
