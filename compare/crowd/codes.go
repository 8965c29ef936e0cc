package crowd

// Codes of what a verdict advises, which are those of its first finding, too.
const (
	Keep     = "keep"
	Close    = "close"
	KeepFor  = "keep-for" // with an idle timeout
	Either   = "either"   // pages take the same
	NotKnown = "not-known"
)

// Causes of the advice: what decides.
const (
	CauseWorkers    = "workers"    // kept connections hold workers, or all that may be open
	CauseServers    = "servers"    // kept connections stay with the servers that they have
	CauseShares     = "shares"     // clients with more connections get more of the link
	CauseHandshakes = "handshakes" // opening connections takes time
	CauseMemory     = "memory"     // of Either: kept connections hold more of it
	CauseTimes      = "times"      // pages take longer, and the records do not show why
	CauseSingle     = "single"     // nothing else was tried
	// Of NotKnown.
	CauseParallel = "parallel"  // what closes serves more, and has more requests under way at once
	CauseFew      = "few-pages" // under 20 of a strategy
	CauseNothing  = "nothing"   // no page was loaded by any strategy
	CauseOverrun  = "overrun"   // no strategy loads half of the pages
)

// Codes of what else is found.
const (
	Waiting   = "waiting"    // of a strategy: clients wait for room; CauseWorkers, CauseLimit
	AllServed = "all-served" // of a strategy: no client does
	Unserved  = "unserved"   // of a strategy: clients that never loaded a page
	Turned    = "refused"    // of a strategy: connections that were refused
	BreakEven = "break-even" // by Little's law; the cause says whether there is one
	Predicted = "predicted"  // the idle timeout that does best by prediction
	Differ    = "differ"     // the two differ; the cause says why
	Holds     = "holds"      // what keeping holds at the server, and closing
	Opens     = "opens"      // what closing opens, and keeping
	TimeWaits = "time-wait"  // of a strategy: where its sockets are left in TIME_WAIT
	Parts     = "parts"      // of a mix: what a part gets of the link, against another
	Unequal   = "unequal"    // of a strategy: Jain's index is low
	Uneven    = "uneven"     // of a strategy: requests a server, largest over mean
	Added     = "added"      // of a strategy: the share of the added server
	Restarted = "restarted"  // of a strategy: what the restart did
	Law       = "little"     // of a strategy: Little's law; the cause says where it is not applied
)

// Causes of those.
const (
	CauseLimit = "limit" // Waiting: as many connections are open as may be
	CauseQueue = "queue" // Waiting, AllServed: by the accept queue; when each was taken is not known
	// BreakEven.
	CauseLongest = "longest" // there is a longest idle timeout that fits
	CauseAny     = "any"     // any fits, and none at all
	CauseNone    = "none"    // not even closing at once does
	// Differ: the law is of means, and what comes at random is above them half of the time;
	// connections that wait or fail are no load; the longer ones are reused no more.
	CauseBursts   = "bursts"
	CauseSaturate = "saturated"
	CauseFlat     = "flat"
	// Added.
	CauseEven  = "even"
	CauseNever = "never"
	// Restarted.
	CauseCalm     = "calm"
	CauseRestless = "restless"
	// CaveatModel: of the predicted idle timeouts alone.
	CauseTimed = "idle-timeouts"
	// CaveatServer: what its limits are is said by the user, or not known.
	CauseSaid   = "said"
	CauseUnsaid = "unsaid"
)

// Why Little's law is not applied, or does not hold.
const (
	LittleNone    = "none"    // no connection was opened
	LittleShort   = "short"   // under 20 connections come in the steady part, or there is none
	LittleKept    = "kept"    // connections stay open to the end, so that how long is not known
	LittleGrowing = "growing" // more and more are held
	LittleFalling = "falling" // fewer and fewer are held
	LittleWaves   = "waves"   // connections come together, as many in a part of the run as it happens to hold
)

// Codes of caveats, in the order in which they are listed.
const (
	CaveatLost        = "lost-trials"  // of a strategy: trials without a record
	CaveatInterrupted = "run-stopped"  // before its end
	CaveatOverrun     = "overrun"      // of a strategy: clients came faster than they were served
	CaveatUnfinished  = "unfinished"   // of a strategy: pages that had not ended
	CaveatFailed      = "failed-pages" // of a strategy: pages of which a request failed
	CaveatFew         = "few-pages"    // of a strategy: too few for its quantiles
	CaveatLate        = "late-path"    // the emulated path was late
	CaveatCensus      = "census"       // of a strategy: the kernel counted other sockets than are recorded
	CaveatWarm        = "warm-up"      // of a strategy: many pages are the first of their clients
	CaveatEvent       = "no-event"     // of a strategy: it ended before a server was added or restarted
	CaveatTrial       = "one-trial"    // how much runs differ is not known
	CaveatModel       = "model"        // predicted: what is not modelled; CauseTimed
	CaveatServer      = "own-server"   // the server is not ours; CauseSaid, CauseUnsaid
)
