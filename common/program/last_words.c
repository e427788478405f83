#include "common/program/last_words.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Runs in whatever thread failed, in whatever state: async-signal-safe calls only. SA_RESETHAND: abort() raises the signal once more when this returns, and then it ends the process. */
static void speak(int signo)
{
    static const char words[] =
        "aborted by a library, which says why in the line before; mostly it got no memory or no thread. Nothing is lost: what was not finished is done again at the next start. Check "
        "MemoryMax= and TasksMax= of the unit, the memory of the container, ulimit -v and ulimit -u\n";
    (void)signo;
    (void)!write(STDERR_FILENO, words, sizeof words - 1); /* nothing else can be done */
}

enum rc last_words_prepare(struct err *e)
{
    struct sigaction action = {.sa_handler = speak, .sa_flags = (int)SA_RESETHAND};
    if (sigemptyset(&action.sa_mask) == 0 && sigaction(SIGABRT, &action, NULL) == 0)
        return RC_OK;
    err_set(e, "SIGABRT cannot be handled");
    return RC_FATAL;
}
