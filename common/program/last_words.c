#include "common/program/last_words.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define NOTHING_LOST "Nothing is lost: what was not finished is done again at the next start. "

/* Runs in whatever thread failed, in whatever state: async-signal-safe calls only. SA_RESETHAND: the signal raised once more ends the process when this returns. */
static void speak(int signo, siginfo_t *info, void *context)
{
    static const char sent[] =
        "ended by SIGABRT from outside, as the service manager's watchdog sends it when nothing has moved for its time. " NOTHING_LOST "\n";
    static const char words[] =
        "aborted for what a library could not do, as the line before says; mostly it got no memory or no thread. " NOTHING_LOST
        "Check MemoryMax= and TasksMax= of the unit, the memory of the container, ulimit -v and ulimit -u\n";
    (void)context;
    bool from_outside = info->si_code == SI_USER;
    (void)!write(STDERR_FILENO, from_outside ? sent : words, (from_outside ? sizeof sent : sizeof words) - 1); /* nothing else can be done */
    (void)raise(signo);
}

enum rc last_words_prepare(struct err *e)
{
    struct sigaction action = {.sa_sigaction = speak, .sa_flags = (int)(SA_RESETHAND | SA_SIGINFO)};
    if (sigemptyset(&action.sa_mask) == 0 && sigaction(SIGABRT, &action, NULL) == 0)
        return RC_OK;
    err_set(e, "SIGABRT cannot be handled");
    return RC_FATAL;
}
