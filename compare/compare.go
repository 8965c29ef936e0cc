// Package compare turns the traces of an experiment into findings: what each
// strategy costs, which to use, what that saves, and what there is to doubt.
// It reads traces only and knows no engine; the same input gives the same
// findings, in the same order.
package compare

import (
	"cmp"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// Formats name the documents of comparisons, and the version of their form. Those of
// the time before had none, and are of version 1. Version 1 called caveats doubts, and its
// verdict had no savings like for like.
const (
	Format           = "linger comparison 2" // Findings
	DifferenceFormat = "linger difference 2" // Change
	SweepFormat      = "linger sweep 1"      // Sweep, its cells and its Survey
)

// Findings is what the traces show: the JSON of linger compare, but for the
// version of linger. A figure that was not measured is unknown, and absent.
type Findings struct {
	Workload   Workload         `json:"workload"`
	Network    Network          `json:"network"`
	Engine     string           `json:"engine"`
	Provenance trace.Provenance `json:"provenance"`
	Seed       uint64           `json:"seed"`
	Trials     int              `json:"trials"` // planned, of each strategy
	// Began is when the first trial began, by the wall clock, and Machine what measured
	// it; each is empty where it is not known, or nothing was measured.
	Began   time.Time     `json:"began,omitzero"`
	Machine trace.Machine `json:"machine,omitzero"`
	Rows    []Row         `json:"rows"` // in the order of trace.Setup.Strategies
	Verdict Verdict       `json:"verdict"`
	// Caveats are the reasons not to believe a figure or the verdict.
	Caveats  []finding.Caveat `json:"caveats"`
	Asserted []assert.Result  `json:"assertions,omitempty"`
}

// Workload is what was fetched.
type Workload struct {
	Name      string `json:"name"`
	Scheme    string `json:"scheme"` // "http", "https" or "dns"
	Exchanges int    `json:"exchanges"`
	Bytes     int64  `json:"bytes"` // of all response bodies
	Origins   int    `json:"origins"`
}

// Network is the path. All but its name is unknown where the path was not ours
// to set, and a rate is unknown where it was unlimited.
type Network struct {
	Name string              `json:"name"`
	RTT  linger.Opt[float64] `json:"rtt_ms,omitzero"`
	Down linger.Opt[float64] `json:"down_kbps,omitzero"`
	Up   linger.Opt[float64] `json:"up_kbps,omitzero"`
	Loss linger.Opt[float64] `json:"loss,omitzero"` // share of packets, each way
	// Queue is the room to wait in before each bottleneck: the time that it takes to
	// empty when it is full, and what it holds. None builds where the rate is unlimited.
	Queue      Room `json:"queue_ms,omitzero"`
	QueueBytes Room `json:"queue_bytes,omitzero"`
}

// Room is a size for each direction, unknown where there is no bottleneck.
type Room struct {
	Up   linger.Opt[float64] `json:"up,omitzero"`
	Down linger.Opt[float64] `json:"down,omitzero"`
}

// Row is what one strategy costs. Each figure is the median over the trials
// that delivered the whole workload, but for the time, in which the others count as
// longer than any.
type Row struct {
	Strategy   string `json:"strategy"`
	Persistent bool   `json:"persistent"`
	// NotHonoured says that the other side did not do what the strategy stands for; a
	// caveat tells what it did.
	NotHonoured bool `json:"not_honoured,omitempty"`
	// Agent names the program that fetched, where it was not linger.
	Agent string `json:"agent,omitempty"`
	// Trials is how many were run to their end, Failed how many of them did not
	// deliver the whole workload. Where all failed, the counts are those of the
	// failed ones, and there is no time.
	Trials int `json:"trials"`
	Failed int `json:"failed"`
	// Time is from wanting the first exchange to the end of the last.
	Time linger.Opt[Time] `json:"time_ms,omitzero"`
	// AtLeast is what the median of the time is at least, in ms, where so many trials
	// failed that it is not known: each would have taken longer than until it failed.
	AtLeast linger.Opt[float64] `json:"time_at_least_ms,omitzero"`
	// Samples are the trials one by one.
	Samples Samples `json:"samples,omitzero"`
	// Protocol is what was spoken: "http/1.1", "h2", "h3", "dot"; TLSVersion the version
	// of TLS, "1.3". Where it was several, the most frequent comes first: "h2, http/1.1".
	Protocol   string `json:"protocol,omitempty"`
	TLSVersion string `json:"tls_version,omitempty"`
	// Connections counts those of TCP and QUIC that the client opened; Handshakes
	// those of them that the server answered. From the ledger where there is one.
	Connections linger.Opt[float64] `json:"connections,omitzero"`
	Handshakes  linger.Opt[float64] `json:"handshakes,omitzero"`
	Handshake   Handshake           `json:"handshake,omitzero"`
	// Resumed is the share of the TLS handshakes that continued an earlier session.
	Resumed linger.Opt[float64] `json:"resumed,omitzero"` // 0 to 1
	// EarlyData counts the connections whose early data the server took, FastOpen
	// those whose data in the SYN it took; both where it was asked for.
	EarlyData linger.Opt[float64] `json:"early_data,omitzero"`
	FastOpen  linger.Opt[float64] `json:"fast_open,omitzero"`
	// SetupRoundTrips is the time from dialling until the first request may be sent
	// on a new connection, less the least with the delay taken out, divided by the
	// round-trip time. It is unknown where that least is over 0.3 of the latter.
	SetupRoundTrips linger.Opt[float64] `json:"setup_round_trips,omitzero"`
	// HandshakeBytes are those of all TLS handshakes of the load, records over TCP
	// and CRYPTO frames in QUIC; CertificateBytes the size of the server's chain.
	HandshakeBytes   linger.Opt[Ways]    `json:"handshake_bytes,omitzero"`
	CertificateBytes linger.Opt[float64] `json:"certificate_bytes,omitzero"`
	// RoundTrips is the time at this round-trip time, less the time with the delay
	// taken out, divided by the round-trip time. It is unknown where the trials
	// scatter by as much as it is. TripsDoubt is how far off it may be, as the intervals of
	// the two times reach; it is unknown where one of those has none, and of predictions
	// that are the same in each trial.
	RoundTrips linger.Opt[float64] `json:"round_trips,omitzero"`
	TripsDoubt linger.Opt[float64] `json:"round_trips_doubt,omitzero"`
	// RequestsPerConnection counts the requests that were answered, RequestsInVain
	// those that were sent on a connection and were not answered on it.
	RequestsPerConnection linger.Opt[float64] `json:"requests_per_connection,omitzero"`
	RequestsInVain        linger.Opt[float64] `json:"requests_in_vain,omitzero"`
	// Reuse is the share of the requests, of those that were answered, that were not the
	// first on their connection; it is for assertions.
	Reuse   linger.Opt[float64] `json:"-"`
	Packets linger.Opt[Ways]    `json:"packets,omitzero"`
	// WireBytes are those of IP packets with their headers, PayloadBytes what TCP
	// or UDP carried in them. Both count what was sent again.
	WireBytes    linger.Opt[Ways] `json:"wire_bytes,omitzero"`
	PayloadBytes linger.Opt[Ways] `json:"payload_bytes,omitzero"`
	// Overhead is the share of the wire's bytes, both ways, that is no content of a
	// request or response: heads, handshakes, headers, acknowledgements, and what
	// was sent again.
	Overhead      linger.Opt[float64] `json:"overhead,omitzero"`
	Retransmitted linger.Opt[float64] `json:"retransmitted,omitzero"` // packets, both ways
	// DroppedQueue and DroppedLoss are packets that the link dropped, both ways: for want
	// of room, and at random. Stalls counts the retransmissions that a sender of TCP had
	// waited for a timer for, Stalled is how long it had, in ms (trace.Flow).
	DroppedQueue linger.Opt[float64] `json:"dropped_queue,omitzero"`
	DroppedLoss  linger.Opt[float64] `json:"dropped_loss,omitzero"`
	Stalls       linger.Opt[float64] `json:"stalls,omitzero"`
	Stalled      linger.Opt[float64] `json:"stalled_ms,omitzero"`
	// Retries counts requests sent again because a kept connection was closed.
	Retries      linger.Opt[float64] `json:"retries,omitzero"`
	Sockets      Sockets             `json:"sockets,omitzero"`
	SocketMemory Memory              `json:"socket_memory_bytes,omitzero"`
	CPU          CPU                 `json:"cpu_ms,omitzero"`
	// DNS is what look-ups come to; unknown where objects are fetched.
	DNS linger.Opt[DNS] `json:"dns,omitzero"`
	// RatioToBest is the time divided by that of the row with the least.
	RatioToBest linger.Opt[float64] `json:"ratio_to_best,omitzero"`
}

// Samples are the figures of each trial that ended, in their order, and behind them those that left no trace: unknown of a trial that did not
// deliver everything, or where nobody counted.
type Samples struct {
	Time        []linger.Opt[float64] `json:"time_ms"`
	Connections []linger.Opt[float64] `json:"connections,omitempty"`
	Handshakes  []linger.Opt[float64] `json:"handshakes,omitempty"`
	Packets     []linger.Opt[float64] `json:"packets,omitempty"`    // both ways
	WireBytes   []linger.Opt[float64] `json:"wire_bytes,omitempty"` // both ways
}

// IsZero reports whether there are none.
func (s Samples) IsZero() bool { return len(s.Time) == 0 }

// Time is a median in milliseconds, with the interval that holds the true one
// with the given confidence, unknown where one trial is all there is. High is unknown,
// and Low is not, where failed trials leave the interval open above.
type Time struct {
	Median     float64             `json:"median"`
	Low        linger.Opt[float64] `json:"low,omitzero"`
	High       linger.Opt[float64] `json:"high,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"` // 0 to 1
}

// Figure is the time as findings have it. Of a single trial that was not predicted,
// the interval has no bounds.
func (t Time) Figure(p trace.Provenance) finding.Figure {
	f := finding.Number("time", t.Median, "ms")
	if !t.Low.IsZero() {
		f.Interval = linger.Known(finding.Interval{Low: t.Low, High: t.High, Confidence: t.Confidence})
	} else if p != trace.Predicted {
		f.Interval = linger.Known(finding.Interval{N: 1})
	}
	return f
}

// Blur returns what decides how many digits of the time may be shown: its doubt.
// A single trial has none to go by, and two digits are enough for it, unless it is
// a prediction.
func (t Time) Blur(p trace.Provenance) float64 { return t.Figure(p).Doubt() }

// Doubt returns how far the interval reaches from the median, in milliseconds.
func (t Time) Doubt() linger.Opt[float64] {
	low, ok := t.Low.Get()
	high, ok2 := t.High.Get()
	if !ok || !ok2 {
		return linger.Opt[float64]{}
	}
	return linger.Known(max(t.Median-low, high-t.Median))
}

// Handshake parts the handshakes. Those of the transports, TCP and QUIC, add up to
// Row.Handshakes. Those of TLS, full or resumed, are made over TCP or as a part of
// QUIC's (RFC 9001, 4), which is counted as both.
type Handshake struct {
	TCP        linger.Opt[float64] `json:"tcp,omitzero"`
	TLSFull    linger.Opt[float64] `json:"tls_full,omitzero"`
	TLSResumed linger.Opt[float64] `json:"tls_resumed,omitzero"`
	QUIC       linger.Opt[float64] `json:"quic,omitzero"`
}

// Ways is a figure for each direction: towards the origin and back.
type Ways struct {
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
}

// Sum returns both directions together.
func (w Ways) Sum() float64 { return w.Up + w.Down }

// Sockets counts TCP sockets: the most at once on each side, unknown where the load
// was too short to count them, and how many TIME_WAIT both sides were left with.
// Nothing is known where QUIC has others.
type Sockets struct {
	ClientPeak linger.Opt[float64] `json:"client_peak,omitzero"`
	ServerPeak linger.Opt[float64] `json:"server_peak,omitzero"`
	TimeWait   linger.Opt[float64] `json:"time_wait,omitzero"`
}

// Memory is the most kernel memory that each side's sockets held, in bytes.
type Memory struct {
	ClientPeak linger.Opt[float64] `json:"client_peak,omitzero"`
	ServerPeak linger.Opt[float64] `json:"server_peak,omitzero"`
}

// CPU is user and system time of each side, in milliseconds.
type CPU struct {
	Client linger.Opt[float64] `json:"client,omitzero"`
	Server linger.Opt[float64] `json:"server,omitzero"`
}

// Verdict says which strategy is fastest, and what keep-alive saves. Where the time of the
// load tells nothing, as when each query's instant is fixed, all but the findings is empty.
type Verdict struct {
	// Best is the strategy with the least time. It is empty where nothing can be
	// told: fewer than two strategies have a time, or the best one's cannot be told
	// from its rival's.
	Best string `json:"best,omitempty"`
	// Fastest is the strategy with the least median, whether it can be told from others or
	// not. Those of Tied cannot, and of Untested the trials are too few to tell; both in the
	// order of their times.
	Fastest  string   `json:"fastest,omitempty"`
	Tied     []string `json:"tied,omitempty"`
	Untested []string `json:"untested,omitempty"`
	// With and Without are the fastest strategies with and without keep-alive. Without is the
	// baseline: Apart is what With takes less, by keeping and by all else in which they differ.
	With    string             `json:"fastest_with,omitempty"`
	Without string             `json:"fastest_without,omitempty"`
	Apart   linger.Opt[Saving] `json:"with_against_without,omitzero"`
	// KeepAlive is what keep-alive alone saves: of each pair of strategies that differ in
	// nothing but keeping.
	KeepAlive []Saving `json:"keep_alive,omitempty"`
	// OneByOne is what the time is of strategies of DNS that keep a connection and send one
	// query at a time, against those that have all under way, on as many connections: their
	// savings are no like for like.
	OneByOne []Saving `json:"one_at_a_time,omitempty"`
	// Steps tell where the time goes: from the slowest strategy to the fastest.
	Steps []Step `json:"steps,omitempty"`
	// Saves is what Best costs less than the baseline; less than nothing is more.
	Saves Savings `json:"saves,omitzero"`
	// Findings are what there is to say of that, the lead first, and then what else
	// there is to know.
	Findings []finding.Finding `json:"findings"`
}

// Savings is the baseline's figures less the best strategy's.
type Savings struct {
	Time        linger.Opt[float64] `json:"time_ms,omitzero"`
	Packets     linger.Opt[float64] `json:"packets,omitzero"`    // both ways
	WireBytes   linger.Opt[float64] `json:"wire_bytes,omitzero"` // both ways
	Connections linger.Opt[float64] `json:"connections,omitzero"`
}

// began is when the first trial began; nothing where none says.
func began(in trace.Experiment) (first time.Time) {
	for _, list := range in.Traces {
		for _, t := range list {
			if !t.Began.IsZero() && (first.IsZero() || t.Began.Before(first)) {
				first = t.Began
			}
		}
	}
	return first
}

// Compare returns what the traces show.
func Compare(in trace.Experiment) Findings {
	f := Findings{
		Workload: Workload{
			Name: in.Workload.Name, Scheme: in.Workload.Scheme, Exchanges: len(in.Workload.Exchanges), Bytes: in.Workload.Bytes(),
			Origins: in.Workload.OriginCount(),
		},
		Network: path(in.Network), Engine: in.Engine, Provenance: in.Provenance, Seed: in.Seed, Trials: in.Trials,
		Began: began(in), Machine: in.Machine, Caveats: []finding.Caveat{},
	}
	cases := make([]*tried, len(in.Strategies))
	for i, s := range in.Strategies {
		failed := make([]time.Duration, len(trace.At(in.Failures, i)))
		copy(failed, trace.At(in.GivenUp, i))
		cases[i] = measure(in, s, trace.At(in.Traces, i), trace.At(in.Still, i), failed)
	}
	share(cases)
	keepings(cases)
	best := fastest(cases)
	for _, c := range cases {
		if c.timed && best.time.Value > 0 {
			c.row.RatioToBest = linger.Known(round(c.time.Value/best.time.Value, 1e-3))
		}
		f.Rows = append(f.Rows, c.row)
	}
	f.Verdict = judge(in, cases, best)
	f.Caveats = append(f.Caveats, caveats(in, cases, best)...)
	for i, c := range cases {
		f.Rows[i].NotHonoured = c.row.NotHonoured
	}
	return f
}

// share has the cases share the chance of a false difference: p of each comparison is
// multiplied by half the number of those that were run (docs/statistics.md).
func share(cases []*tried) {
	run := len(filter(cases, func(c *tried) bool { return c.times.N() > 0 }))
	for _, c := range cases {
		c.family = stats.Family(run)
	}
}

// fastest returns the case with the least time, the first of equals, or nil.
func fastest(cases []*tried) *tried {
	var best *tried
	for _, c := range cases {
		if c.timed && (best == nil || cmp.Less(c.time.Value, best.time.Value)) {
			best = c
		}
	}
	return best
}

func path(n linger.Network) Network {
	if n == (linger.Network{Name: n.Name}) {
		return Network{Name: n.Name}
	}
	kbps := func(r linger.Rate) (o linger.Opt[float64]) {
		if r > 0 {
			o = linger.Known(float64(r) / float64(linger.Kbps))
		}
		return o
	}
	out := Network{
		Name: n.Name, RTT: linger.Known(milliseconds(n.RTT)), Down: kbps(n.Down), Up: kbps(n.Up), Loss: linger.Known(n.Loss),
	}
	out.Queue.Up, out.QueueBytes.Up = room(n, n.Up)
	out.Queue.Down, out.QueueBytes.Down = room(n, n.Down)
	return out
}

// room is what may wait at a rate, in ms and in bytes.
func room(n linger.Network, r linger.Rate) (ms, bytes linger.Opt[float64]) {
	if r == 0 {
		return ms, bytes
	}
	b := n.QueueBytes(r)
	return linger.Known(round(milliseconds(r.Time(b)), 1e-3)), linger.Known(float64(b))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
