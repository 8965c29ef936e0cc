package tune

// Codes of findings. They are an open set: whoever reads them must accept others.
const (
	// FoundTimeout is the advice on the idle timeout; its cause is one of the Advice…
	// words. Figures: "timeout", and of the setting today ("today") and the advised one
	// ("advised") "reuse", "connections", "sockets"; "saved_a_day" connections; "break_even",
	// "budget".
	FoundTimeout = "idle-timeout"
	// FoundClients is that clients let go by themselves: "from" and "to" in ms, "reused" share
	// of the gaps of that length that came on the old connection, "longest".
	FoundClients = "clients-let-go"
	// FoundLimit is what a limit on requests costs: "limit", "reuse" with it and without,
	// "skew" with it and without.
	FoundLimit = "max-requests"
	// FoundSingle is what one multiplexed connection for each client would do:
	// "connections", "sockets", against those of HTTP/1.1.
	FoundSingle = "multiplexing"
	// FoundAdaptive compares a timeout for each client with a fixed one: "reuse" of both, at as many
	// "sockets".
	FoundAdaptive = "adaptive-timeout"
	// FoundWindow is the share of gaps that lie between the server's timeout and the
	// clients': requests that meet a connection which has just been closed. "share",
	// "server", "client".
	FoundWindow = "danger-window"
	// FoundBudget is what a limit on connections ("budget") comes to at a "timeout": requests
	// "refused" and "reuse" of a server that refuses new connections ("refusing"), and
	// connections "closed_early" and "reuse" of one that closes idle ones for them ("closing").
	FoundBudget = "connection-limit"
	// FoundCrowded is the share of requests that needed another connection since those that
	// their client had were busy; no timeout helps them. "share".
	FoundCrowded = "concurrency"
)

// Advice is the cause of FoundTimeout.
const (
	AdviceSet   = "set"   // today's is not known
	AdviceRaise = "raise" // more is reused
	AdviceLower = "lower" // as much is reused with fewer sockets
	AdviceKeep  = "keep"  // no change is worth it
	AdviceNone  = "none"  // no timeout helps: nothing is reused
	AdviceFew   = "few"   // the log is too short for any
)

// Codes of caveats.
const (
	// CaveatClock: the log's clock, or that it has no durations, leaves bounds.
	CaveatClock = "clock"
	// CaveatAddress: a client is an address; several may be behind one, and one client may
	// hold several connections.
	CaveatAddress = "address"
	// CaveatBalancer: few addresses send almost everything: it is the hop from a balancer.
	CaveatBalancer = "balancer"
	// CaveatSpan: the log is short against the timeouts.
	CaveatSpan = "span"
	// CaveatBad: lines that are not of the format.
	CaveatBad = "bad-lines"
	// CaveatSampled: not all clients were followed: "share", and the "error" of the reuse, as
	// half of an interval of 95 %.
	CaveatSampled = "sampled"
	// CaveatClosed: connections had been closed by today's timeout, so that what a longer
	// one gives lies between bounds.
	CaveatClosed = "closed"
	// CaveatToday: connections survived longer gaps than today's timeout allows: "longest",
	// "today".
	CaveatToday = "not-todays"
	// CaveatStart: whether times are of the start or of the end is not stated.
	CaveatStart = "start-or-end"
	// CaveatFuture: requests are later than now by "ahead" ms: a clock or a zone is wrong.
	CaveatFuture = "future"
	// CaveatFile: a file could not be read to its end.
	CaveatFile = "file"
)
