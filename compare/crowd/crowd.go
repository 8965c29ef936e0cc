// Package crowd says what the runs of a crowd come to: how long pages took over all clients, what
// both sides held for it, how a link and several servers were shared, and whether keeping
// connections, closing them, or keeping them for a time serves most. It reads records (trace.Crowd)
// and knows no engine; its findings are codes and figures, no sentences.
package crowd

import (
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/policy"
	"linger/trace"
)

// Format names the document that a Result is in JSON, and the version of its form.
const Format = "linger crowd-comparison 1"

// An Experiment is the runs of a crowd under several strategies.
type Experiment struct {
	Engine     string
	Provenance trace.Provenance
	Workload   linger.Workload
	Network    linger.Network
	Crowd      linger.Crowd
	Server     policy.ServerPolicy
	Capacity   policy.Capacity
	// Own says that the server is not ours: Server and Capacity are what the user says of it.
	Own     bool
	Seed    uint64
	Trials  int
	Began   time.Time
	Machine trace.Machine
	// Strategies are what was compared; of a mix there is one, whose Name is the mix's.
	Strategies []linger.Strategy
	// Runs are the records, by strategy and trial; a trial that failed is nil, and why stands in
	// Failed.
	Runs   [][]*trace.Crowd
	Failed [][]string
	// Foreseen are predictions of the same crowd with a server's idle timeout of so long, for
	// the strategies that keep connections; the verdict looks for the best of them.
	Foreseen []Foreseen
}

// Unsaid reports whether it is not known what the server has for its connections, nor for how long
// and for what it keeps them.
func (e *Experiment) Unsaid() bool {
	s := e.Server
	return e.Own && e.Capacity == policy.Capacity{} && s.IdleTimeout == 0 && s.MaxRequests == 0 && s.MaxAge == 0
}

// A Foreseen is a predicted run: not measured, and said so.
type Foreseen struct {
	Strategy    int // of Strategies
	IdleTimeout time.Duration
	Run         *trace.Crowd
}

// A Result is what they come to.
type Result struct {
	Experiment *Experiment // without its runs
	Rows       []Row
	// Foreseen are the predicted alternatives, as rows.
	Foreseen []ForeseenRow
	Verdict  Verdict
	Caveats  []finding.Caveat
	// Asserted is what became of assertions.
	Asserted []assert.Result
}

// A ForeseenRow is what a predicted idle timeout comes to; 0 is none.
type ForeseenRow struct {
	Strategy    string
	IdleTimeout time.Duration
	Row         Row
}

// A Row is what one strategy comes to, over all trials. What is of a trial is the mean of those
// that know it.
type Row struct {
	Strategy   string
	Persistent bool
	Trials     int
	Lost       int // trials without a record
	// Overrun are the trials in which clients came faster than they were served, up to a bound.
	Overrun int
	Clients Clients
	Pages   Pages
	// Rate is pages a second, from the first client until the last page.
	Rate linger.Opt[float64]
	// Waits is how long connections waited in the accept queue: from when the client's last
	// packet of the handshake reached the server, half a round trip after the handshake was
	// done at the client, until the server took the connection. Those that were never taken
	// count as longer than any.
	Waits   Spread
	Refused int // connections that got no answer to their SYN, or were closed untaken or at once
	// Opened is connections in all, PerPage for each page that was loaded.
	Opened  int
	PerPage linger.Opt[float64]
	// Each is how many connections a client has at most at once, the mean over clients.
	Each   linger.Opt[float64]
	Client Side
	Server Side
	// Workers are connections that the server has taken, over time.
	Workers Level
	// Queue is the accept queue, over time.
	Queue Level
	// Jain is Jain's index (Jain, Chiu and Hawe 1984) of the bytes a client got a second while
	// it loaded pages: 1 is all alike, 1/n is one has all. Of a mix, Shares has the parts.
	Jain    linger.Opt[float64]
	Shares  []Part
	Balance Balance
	Little  Little
	// Series is what was held over time, of the first trial, thinned for drawing.
	Series []trace.CrowdSample

	// What choices are ordered by: what a page takes of the slowest clients, of 95 of 100 pages, and
	// in the median; here of each trial, infinite where it is not known, and the standard error of
	// that of all.
	trials [3][]float64
	errors [3]float64
}

// Clients are those of a trial: who came, who loaded a page at all, and who waited in the accept
// queue for longer than a page takes those who do not.
type Clients struct {
	Came, Served, Waited linger.Opt[float64]
	// Wait is the longest wait of a client that waited, in ms: the median over those.
	Wait linger.Opt[float64]
	// Slow is the mean time of a client's pages, in ms, that 95 of 100 clients do not exceed: it
	// shows who waits, where few of all pages do. A client has none whose pages were not all
	// loaded, and counts as slower than any.
	Slow linger.Opt[float64]
}

// Pages is how long pages took, from wanting the first object to the last byte, in
// milliseconds. What had failed or not ended counts as longer than any.
type Pages struct {
	Wanted, Loaded, Failed, Unfinished int
	Quantiles
	// AtLeast is what each of those is at least that falls on a page that had failed or not
	// ended, and so is not known.
	AtLeast Quantiles
	// Interval is that of the median over trials, where there are several.
	Interval linger.Opt[finding.Interval]
}

// Quantiles are by nearest rank; Worst is the largest.
type Quantiles struct{ Median, P95, P99, Worst linger.Opt[float64] }

// A Spread is a distribution in milliseconds. Mean is known where all have come to an end.
type Spread struct {
	N, Unfinished int
	Quantiles
	AtLeast Quantiles
	Mean    linger.Opt[float64]
}

// A Side is what one side held and spent. Sockets are from the records of connections, as the kernel
// counts them: from the first SYN until the last FIN, TIME_WAIT apart; the server's are half a round
// trip before or behind what the client saw. TimeWait and Memory are sampled: a shorter peak is
// missed.
type Side struct {
	Sockets  Level
	TimeWait Level
	Memory   Level               // bytes of the kernel's
	CPU      linger.Opt[float64] // ms, of a trial
	// Resident is the most that all its processes had in RAM at once, in bytes: of a server of
	// the user's own.
	Resident linger.Opt[float64]
}

// A Level is a quantity over time: its mean, what it does not exceed for 99 % of the time, and
// its peak.
type Level struct{ Mean, P99, Peak linger.Opt[float64] }

// A Part is what the clients of one share of a mix got.
type Part struct {
	Strategy string
	Clients  int // of a trial
	Pages    Pages
	// Rate is the bytes a second that a client got while it loaded pages, the mean over its
	// clients; Ratio is that over the mean of all.
	Rate  linger.Opt[float64]
	Ratio linger.Opt[float64]
}

// A Balance is how requests came to lie on several servers.
type Balance struct {
	Requests []int // by server, over all trials
	// Uneven is the largest over the mean, of the servers that were there from the beginning.
	Uneven linger.Opt[float64]
	// Added is the share of requests of the added server since then, over its fair share, Last
	// the same in the last window, and Even is how long after it was added a window ended in
	// which it first had nine tenths of that. A window is 10 s, or as long as it takes for 100
	// requests a server where that is longer.
	Added, Last linger.Opt[float64]
	Even        linger.Opt[time.Duration]
	Restart     Restart
}

// A Restart is what the restart of a server does.
type Restart struct {
	// Handshakes are the most in any second after it, Before the most in any second of the second
	// half of the time before it.
	Handshakes, Before linger.Opt[float64]
	// Queue is the accept queue's peak after it.
	Queue linger.Opt[float64]
	// Calm is how long until pages took again what they took before: until the end of the last
	// second (or longer, for 5 pages) in whose median they took longer than 95 of 100 did in the
	// second half of the time before the restart; unknown where that is the last of the run.
	Calm linger.Opt[time.Duration]
}

// Little holds the connections that the servers held against Little's law (Little 1961): L = λ W.
type Little struct {
	Rate linger.Opt[float64] // λ, connections a second, in the steady part of the run
	// Time is W, ms that a connection was held: the mean of the product-limit estimate (Kaplan
	// and Meier 1958) over all that were open in the steady part, of which the first may have
	// been open before it and the last may be open still.
	Time      linger.Opt[float64]
	Predicted linger.Opt[float64] // λ W
	Held      linger.Opt[float64] // the mean of what was held
	// From and To are the steady part: from when the first connection was opened and three times
	// the longer of the mean think time and the mean time held has passed, but not more than half
	// of the time, until the last was.
	From, To linger.Instant
	// Why is the code of why the law is not applied, or does not hold: LittleShort and so on.
	Why string
}

// A Verdict says what to do with connections.
type Verdict struct {
	// Best is the strategy that serves most: "" where it cannot be told.
	Best string
	// Advice is Keep, Close, KeepFor (with IdleTimeout), Either or NotKnown; Cause is what
	// decides.
	Advice, Cause string
	IdleTimeout   linger.Opt[time.Duration]
	// BreakEven is the longest idle timeout for which the connections held, by Little's law,
	// stay within what the servers have room for; unknown where they have no limit, or where
	// any timeout or none does. Foreseen is the one that does best by prediction.
	BreakEven linger.Opt[time.Duration]
	Foreseen  linger.Opt[time.Duration]
	Findings  []finding.Finding
}

// Compare says what the runs come to. It changes none of them.
func Compare(e *Experiment) *Result {
	without := *e
	without.Runs, without.Foreseen = nil, nil
	out := &Result{Experiment: &without}
	quick := quickest(e)
	for i, s := range e.Strategies {
		row := rowOf(e, s, e.Runs[i], quick)
		if i < len(e.Failed) {
			row.Lost = max(row.Lost, len(e.Failed[i])) // those that were not begun have no place
		}
		out.Rows = append(out.Rows, row)
	}
	for _, f := range e.Foreseen {
		s := e.Strategies[f.Strategy]
		out.Foreseen = append(out.Foreseen, ForeseenRow{s.Name, f.IdleTimeout, rowOf(e, s, []*trace.Crowd{f.Run}, quick)})
	}
	j := judgeOf(out, e, quick)
	out.Verdict = j.verdict()
	out.Caveats = caveats(e, out, j.near(out.Verdict))
	return out
}

// quickest is how long a page takes where nothing waits, in ms: the least median of any strategy,
// of the pages that were loaded; 0 where none was.
func quickest(e *Experiment) float64 {
	least := 0.0
	consider := func(records []*trace.Crowd) {
		var t tally
		for _, r := range runsOf(records) {
			for _, v := range r.Visits {
				if loaded(v) {
					t.add(r.loading(v), true)
				}
			}
		}
		q, _ := t.quantiles()
		if v, ok := q.Median.Get(); ok && (least == 0 || v < least) {
			least = v
		}
	}
	for _, records := range e.Runs {
		consider(records)
	}
	for _, f := range e.Foreseen {
		consider([]*trace.Crowd{f.Run})
	}
	return least
}
