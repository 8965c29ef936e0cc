package compare

// Codes of what is found about strategies, in the order in which it stands. The
// sentences are report's.
const (
	// What is fastest.
	NothingDelivered = "nothing-delivered" // no strategy delivered the workload
	NoLoadTime       = "no-load-time"      // no trial had an answer to every query
	FixedTimes       = "fixed-times"       // it is fixed when each query is asked
	QueryTimes       = "query-times"       // what a single query takes, least and most
	Unopposed        = "unopposed"         // no other strategy has a time
	KeepAlive        = "keep-alive"        // what it alone saves; the cause says
	Fastest          = "fastest"           // against its rival; the cause says which
	NoDifference     = "no-difference"     // that the trials can show, to the rival
	NoWinner         = "no-winner"         // the trials are too few to tell
	LostTrials       = "lost-trials"       // of the fastest strategy, or of its rival
	// What keeping comes to.
	HandshakeTime = "handshake-time"         // of the baseline, one after the other
	HandshakeWait = "handshake-wait"         // of the baseline, several at once
	ConnectionCPU = "connection-cpu"         // what each connection more costs
	KeptSame      = "keeping-same"           // the baseline and its counterpart
	KeptCosts     = "keeping-costs"          //
	KeptSaves     = "keeping-saves"          //
	ManySame      = "parallel-keeping-same"  // another pair, with several connections at once
	ManyCosts     = "parallel-keeping-costs" //
	ManySaves     = "parallel-keeping-saves" //
	MoreCosts     = "more-connections-cost"  // several kept connections lose to one
	Why           = "why"                    // what makes a strategy slower that should not be; the cause says
	Serialized    = "serialized"             // one kept connection loses to several that close
	// What makes set-up cheaper; the cause says which.
	OptionSaves     = "option-saves"
	OptionCosts     = "option-costs"
	OptionSame      = "option-same"
	OptionUndecided = "option-undecided"
	// Versions of HTTP.
	VersionFaster = "version-faster"
	VersionSlower = "version-slower"
	VersionSame   = "version-same"
	LossFaster    = "loss-faster" // HTTP/3 and HTTP/2 where packets are lost
	LossSlower    = "loss-slower"
	LossSame      = "loss-same"
	LossUndecided = "loss-undecided"
	// FewestConnections is what opens the fewest of those that tie for fastest.
	FewestConnections = "fewest-connections"
	// Names that are looked up.
	FurtherQuery    = "further-query"              // on a kept connection
	Encryption      = "encryption"                 // what it takes in bytes
	FewerBytes      = "fewer-bytes-than-udp"       // from how many queries on
	NeverFewerBytes = "never-fewer-bytes-than-udp" //
	AskedAgain      = "asked-again"                // what lost datagrams cost
	Truncated       = "truncated"                  // answers that did not fit
	OneAtATime      = "one-at-a-time"              // what it costs to ask so
	IdleLimit       = "idle-limit"                 // up to which gap there is something to keep
	// A single trial.
	Took = "took"
)

// Causes of findings.
const (
	// KeepAlive: what it does to all pairs; or why there is none: no strategy with it, or
	// without, has a time, or no two differ in nothing else.
	CauseMixed       = "mixed"
	CauseNoneWith    = "none-with"
	CauseNoneWithout = "none-without"
	CauseUntried     = "untried"
	// Fastest, NoDifference, NoWinner: the rival is the fastest strategy without keep-alive or
	// with it, or the slowest of all.
	CauseWithout = "fastest-without"
	CauseWith    = "fastest-with"
	CauseSlowest = "slowest"
	// Why.
	CauseQueue     = "queue-drops"           // a queue was full, and the sender waited for timers
	CauseStalls    = "loss-stalls"           // packets were lost, and it did
	CauseBlocking  = "head-of-line"          // a lost packet holds up all streams
	CauseIdle      = "slow-start-after-idle" // the window begins anew
	CauseUnseen    = "unseen"                // the traces do not show it
	CauseTruncated = "truncated"             // FewerBytes: over UDP answers are asked for again
	CauseShared    = "shared-packets"        // FewerBytes: several messages share a packet

	CauseResumption = "resumption"
	CauseEarlyData  = "early-data"
	CauseFastOpen   = "fast-open"
)

// Codes of caveats, in the order in which they are listed.
const (
	Bytes         = "bytes"         // a trace contradicts the workload or itself
	Changed       = "changed"       // the server's objects differ from those of the first visit
	Failed        = "failed"        // exchanges or whole trials failed
	Interrupted   = "interrupted"   // not every planned trial was run
	Sequential    = "sequential"    // each request follows the answer to the one before it
	NotHonoured   = "not-honoured"  // a strategy did not get what it stands for
	Retries       = "retries"       // requests met a kept connection that was closed
	Ledger        = "ledger"        // packets were not counted, or not all
	Late          = "lateness"      // the link was late by as much as the times differ
	Retransmitted = "retransmitted" // more was retransmitted than the link had dropped
	Trials        = "trials"        // too few to show any difference
	Confidence    = "confidence"    // intervals with less than 90 %
	Overlap       = "overlap"       // the best and the next cannot be told apart
	Stacks        = "stacks"        // the transports compared are of two makes
	Clients       = "clients"       // what is compared was fetched by several programs
	Trips         = "round-trips"   // round trips unknown, or within the noise
)

// NoReason stands among the reasons that others gave where they gave none.
const NoReason = "none-given"

// Causes of caveats, by their codes.
const (
	// Bytes: a trace has an exchange that the workload has not, or has it twice; it
	// delivered more or less of one; it is silent about some; the link carried less
	// than HTTP delivered.
	CauseStray     = "stray-exchange"
	CauseWrongSize = "wrong-size"
	CauseMissing   = "missing-exchanges"
	CauseCarried   = "carried-less"
	// Failed: exchanges; trials without a trace; all of them.
	CauseExchanges = "exchanges"
	CauseTrials    = "trials"
	CauseAll       = "all"
	// Failed trials count as longer than any; so the time has no upper bound, or none at
	// all. Of the trials without delay some failed.
	CauseRanked  = "ranked-last"
	CauseZeroRTT = "zero-rtt-trials"
	// NotHonoured: the server closed, or left open; a connection was used again; bytes
	// that no request had asked for made the client let go;
	// requests were not in flight together; another protocol; and what was refused of
	// that which makes set-up cheaper.
	CauseClosed          = "closed"
	CauseLeftOpen        = "left-open"
	CauseReused          = "reused"
	CauseSurplus         = "surplus"
	CauseSerial          = "serial"
	CauseOneStream       = "one-stream" // because the server allows one request at once
	CauseNoStream        = "no-stream"  // the server allowed none for a time
	CauseProtocol        = "protocol"
	CauseNotResumed      = "not-resumed"
	CauseEarlyRejected   = "early-data-rejected"
	CauseEarlyUnsent     = "early-data-unsent"
	CauseFastOpenRefused = "fast-open-refused"
	CauseFastOpenUnknown = "fast-open-unknown"
	// Retries: also CauseClosed.
	CauseRefused = "refused"
	// Ledger: nobody counted; not in every trial; more than there was room for.
	CauseNobody   = "nobody"
	CausePart     = "part"
	CauseOverflow = "overflow"
	// Late: for the round-trip time; it explains what a strategy took longer.
	CauseLate     = "late"
	CauseExplains = "explains"
	// Trials: too few.
	CauseFew = "few"
	// Confidence and Trips: one trial; an interval of less confidence.
	CauseOne = "one-trial"
	CauseLow = "low"
	// Overlap: the test does not tell them apart; the intervals overlap.
	CauseTest      = "test"
	CauseIntervals = "intervals"
	// Trips: no trial without delay; lost in the noise; within it.
	CauseNoZeroRTT = "no-zero-rtt-trial"
	CauseLost      = "lost"
	CauseNoisy     = "noisy"
)
