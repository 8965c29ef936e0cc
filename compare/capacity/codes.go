package capacity

// Codes of findings. They are an open set: whoever reads them must accept others.
const (
	// FoundCost is what is answered first: what a connection for each request costs against kept
	// ones, of the best strategy of either kind. Its subject is the one that keeps none; its cause
	// is one of those below. Figures: "rate" in requests a second, "cpu" and "server_cpu" in ms a
	// request, and "p99" of both; "capacity", "cpu_ratio", "server_cpu_ratio" and "p99_ratio" are those of the one
	// that keeps them, divided by those of the other ("capacity" the other way round: below 1
	// is what is left).
	FoundCost = "non-persistence"
	// FoundFastest is what served most, where all strategies keep connections or none does:
	// "rate" of it and of the next, and "ratio".
	FoundFastest = "fastest"
	// FoundOne is what a single strategy came to: "rate", "p50", "p99", "connections", "asked".
	FoundOne = "served"
	// FoundUnserved: nothing was answered; its cause is the most frequent failure. "n" of those, and
	// "cut" requests that were under way at the end.
	FoundUnserved = "unserved"
	// FoundEnded: the server ended kept connections; CauseLimit, CauseSaid or CauseUnsaid.
	// "closed", "opened", "carried" requests of each, in the median.
	FoundEnded = "server-ends"
	// FoundRefused: connections failed; the cause is the most frequent failure. "failed",
	// "attempted".
	FoundRefused = "connections-failed"
	// FoundTimeWait: sockets were left in TIME_WAIT; CauseServer or CauseClient is where
	// most are. "client", "server", "rate".
	FoundTimeWait = "time-wait"
)

// Causes of FoundCost and FoundFastest.
const (
	CauseLess  = "less"  // fewer requests a second
	CauseMore  = "more"  // more of them
	CauseEqual = "equal" // the turns do not tell them apart
	CauseFew   = "few"   // there are too few turns to tell
	CauseRate  = "rate"  // the rate was given: no capacity
	CauseNone  = "none"  // one of the two served nothing in most turns
)

// Causes of FoundEnded.
const (
	CauseLimit  = "limit"  // after as many requests each
	CauseSaid   = "said"   // and announced it
	CauseUnsaid = "unsaid" // and did not
)

// Causes of FoundTimeWait.
const (
	CauseServer = "server"
	CauseClient = "client"
)

// Codes of caveats, in the order in which they are listed.
const (
	CaveatStopped   = "stopped"        // it was interrupted
	CaveatGenerator = "generator"      // of a strategy: the load generator was the limit; the cause says by what
	CaveatSilent    = "silent-turns"   // of a strategy: turns in which nothing was answered: "silent", "turns"
	CaveatFailed    = "failed"         // of a strategy: requests that failed: "share", "n"; the cause is the most frequent kind
	CaveatWrong     = "wrong-status"   // of a strategy: answers of a status that was not expected: "n", "share", "status"
	CaveatFew       = "few-turns"      // too few turns for an interval of 95 %: "turns", "needed"
	CaveatLoopback  = "loopback"       // the path has no delay: "connecting" ms
	CaveatShared    = "shared-machine" // server and load generator share the processor: "cores"
	CaveatBehind    = "behind"         // of a strategy: fewer requests were sent than planned: "share"
	CaveatPortable  = "portable"       // of strategies: driven by goroutines, others by the event loop
	CaveatParallel  = "parallel"       // strategies had different numbers of requests under way: "n" of each
)
