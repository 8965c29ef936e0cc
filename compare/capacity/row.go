package capacity

import (
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/stats"
	"linger/tally"
)

// A Row is what one strategy came to, over its turns.
type Row struct {
	Strategy   string       `json:"strategy"`
	Persistent bool         `json:"persistent"`
	Engine     tally.Engine `json:"engine"`
	Turns      int          `json:"turns"`
	// Seconds is for how long was counted.
	Seconds float64 `json:"seconds"`
	// Rate is requests a second that were answered within their turn: the median of the
	// turns and its interval. Rates are those of each turn.
	Rate  Estimate  `json:"rate"`
	Rates []float64 `json:"rates"`
	// Requests and Connections are counted over all turns; Asked is how many connections
	// were to be held at once, Opened how many were opened; where they are kept, with those that
	// were open when the warm-up ended.
	Requests    tally.Requests    `json:"requests"`
	Connections tally.Connections `json:"connections"`
	Asked       int               `json:"connections_asked"`
	InFlight    int               `json:"in_flight"`
	Opened      int64             `json:"connections_opened"`
	// Ideal is how many connections would have been opened if the server had ended none that
	// was to be kept; unknown where that hangs on times.
	Ideal linger.Opt[int64] `json:"connections_ideal,omitzero"`
	// PerConnection is answered requests by opened connections.
	PerConnection linger.Opt[float64] `json:"requests_per_connection,omitzero"`
	// Latency, in ms: from the intended moment, from sending, waiting before it, to the first
	// byte, connecting, and as the first of those of requests with which a connection was opened, and of the others.
	Latency    Quantiles `json:"latency_ms"`
	Sent       Quantiles `json:"sent_ms"`
	Queued     Quantiles `json:"queued_ms"`
	First      Quantiles `json:"first_byte_ms"`
	Connecting Quantiles `json:"connecting_ms"`
	With       Quantiles `json:"with_connecting_ms"`
	Without    Quantiles `json:"without_connecting_ms"`
	// CPU is what the load generator took for an answered request, ServerCPU the server, in ms; both are
	// the median of the turns. What of the server is not its own to see is unknown.
	CPU          linger.Opt[Estimate] `json:"cpu_ms,omitzero"`
	ServerCPU    linger.Opt[Estimate] `json:"server_cpu_ms,omitzero"`
	ServerMemory linger.Opt[int64]    `json:"server_memory_bytes,omitzero"`
	// Limited is why the load generator was the limit in one of the turns.
	Limited tally.Limit `json:"limited,omitempty"`

	latency stats.Histogram
	cpus    [2][]float64 // of the client, of the server, of each turn; nil where one is not known
}

// An Estimate is a median with its interval. Where there are too few turns for one, it has none.
type Estimate struct {
	Value      float64             `json:"value"`
	Low        linger.Opt[float64] `json:"low,omitzero"`
	High       linger.Opt[float64] `json:"high,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"`
}

// Figure is the estimate as a finding has it.
func (e Estimate) Figure(name, unit string) finding.Figure {
	f := finding.Number(name, e.Value, unit)
	if !e.Low.IsZero() {
		f.Interval = linger.Known(finding.Interval{Low: e.Low, High: e.High, Confidence: e.Confidence})
	}
	return f
}

func estimateOf(e stats.Estimate) Estimate {
	out := Estimate{Value: e.Value}
	if e.Confidence > 0 {
		out.Low, out.High, out.Confidence = linger.Known(e.Low), linger.Known(e.High), linger.Known(e.Confidence)
	}
	return out
}

// Quantiles are of durations, in ms; one that the sample is too small for is absent.
type Quantiles struct {
	N     int64               `json:"n"`
	P50   linger.Opt[float64] `json:"p50,omitzero"`
	P75   linger.Opt[float64] `json:"p75,omitzero"`
	P90   linger.Opt[float64] `json:"p90,omitzero"`
	P95   linger.Opt[float64] `json:"p95,omitzero"`
	P99   linger.Opt[float64] `json:"p99,omitzero"`
	P999  linger.Opt[float64] `json:"p99.9,omitzero"`
	P9999 linger.Opt[float64] `json:"p99.99,omitzero"`
	Max   linger.Opt[float64] `json:"max,omitzero"`
}

// QuantilesOf reads a histogram of nanoseconds. A quantile needs so many values that one of them is
// expected to exceed it.
func QuantilesOf(h *stats.Histogram) Quantiles {
	at := func(q float64) linger.Opt[float64] {
		v, ok := h.Quantile(q)
		if !ok || h.N() < int64(assert.Least(q)) {
			return linger.Opt[float64]{}
		}
		return linger.Known(float64(v) / 1e6)
	}
	out := Quantiles{N: h.N(), P50: at(0.5), P75: at(0.75), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999), P9999: at(0.9999)}
	if v, ok := h.Max(); ok {
		out.Max = linger.Known(float64(v) / 1e6)
	}
	return out
}

// rowOf gathers the turns of a strategy.
func rowOf(s linger.Strategy, set Settings, runs []tally.Run) Row {
	all := merged(runs)
	c := all.Connections
	r := Row{
		Strategy: s.Name, Persistent: s.Persistent, Engine: all.Engine, Turns: len(runs), Seconds: time.Duration(all.Ended).Seconds(),
		Requests: all.Requests, Connections: c, Asked: all.Wanted.Connections, InFlight: all.Wanted.InFlight, Opened: c.Established,
		ServerMemory: all.Server.Memory, Limited: all.Limited, latency: all.Latency.Intended,
	}
	if s.Persistent {
		r.Opened += c.Before
	}
	l := &all.Latency
	r.Latency, r.Sent, r.Queued, r.First = QuantilesOf(&l.Intended), QuantilesOf(&l.Sent), QuantilesOf(&l.Queued), QuantilesOf(&l.First)
	r.Connecting, r.With, r.Without = QuantilesOf(&l.Connecting), QuantilesOf(&l.With), QuantilesOf(&l.Without)
	if r.Opened > 0 {
		r.PerConnection = linger.Known(float64(r.Requests.Answered) / float64(r.Opened))
	}
	switch {
	case !s.Persistent:
		r.Ideal = linger.Known(r.Requests.Sent)
	case set.keepsAll():
		r.Ideal = linger.Known(int64(r.Asked * len(runs)))
	case set.Least == set.Most && set.MaxAge == 0 && set.Idle == 0 && set.Reconnect == 0:
		n := int64(set.Most)
		r.Ideal = linger.Known(max(int64(r.Asked*len(runs)), (r.Requests.Sent+n-1)/n))
	}
	var cpu, server []float64
	for _, run := range runs {
		r.Rates = append(r.Rates, RateOf(run))
		n := float64(run.Requests.Answered)
		if v, ok := run.Client.CPU.Get(); ok && n > 0 {
			cpu = append(cpu, float64(v)/1e6/n)
		}
		if v, ok := run.Server.CPU.Get(); ok && n > 0 {
			server = append(server, float64(v)/1e6/n)
		}
	}
	if e, ok := stats.New(r.Rates...).Interval(); ok {
		r.Rate = estimateOf(e)
	}
	r.CPU, r.ServerCPU = median(stats.New(cpu...), len(runs)), median(stats.New(server...), len(runs))
	if len(cpu) == len(runs) {
		r.cpus[0] = cpu
	}
	if len(server) == len(runs) {
		r.cpus[1] = server
	}
	return r
}

// median is the estimate of a sample that has a value of each turn, and unknown else.
func median(s stats.Sample, turns int) linger.Opt[Estimate] {
	e, ok := s.Interval()
	if !ok || s.N() < turns {
		return linger.Opt[Estimate]{}
	}
	return linger.Known(estimateOf(e))
}

// RateOf is requests a second that were answered within a run.
func RateOf(r tally.Run) float64 {
	took := r.Ended.Sub(r.Began).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(r.Requests.Answered-r.Requests.After) / took
}

// Failed is how many requests got no answer.
func (r Row) Failed() int64 { return total(r.Requests.Failed) + total(r.Requests.Unsent) }

// Counted is a part of a distribution: from more than From to To, in ms, and its share.
type Counted struct {
	From, To float64
	N        int64
	Share    float64
}

// Distribution parts the latencies, from the intended moment, into at most n parts whose ends
// are round numbers (1, 2 or 5 times a power of ten, in ms), narrow where most of them are. What is beyond
// the 99.9th percentile is the last part's.
func (r Row) Distribution(n int) []Counted {
	h := &r.latency
	low, ok := h.Quantile(0)
	high, _ := h.Quantile(0.999)
	if !ok || n < 1 {
		return nil
	}
	var ends []int64
	for decade := int64(1000); decade <= int64(1e15); decade *= 10 {
		for _, k := range []int64{1, 2, 5} {
			if end := k * decade; end > low && (len(ends) == 0 || ends[len(ends)-1] < high) {
				ends = append(ends, end)
			}
		}
	}
	out := make([]Counted, len(ends))
	for i, end := range ends {
		out[i].To = float64(end) / 1e6
		if i > 0 {
			out[i].From = out[i-1].To
		}
	}
	h.Each(func(top, count int64) {
		i := 0
		for i < len(ends)-1 && top > ends[i] {
			i++
		}
		out[i].N += count
	})
	// Where there are too many parts, the two beside each other that hold the least become one.
	for len(out) > n {
		least := 0
		for i := range out[:len(out)-1] {
			if out[i].N+out[i+1].N < out[least].N+out[least+1].N {
				least = i
			}
		}
		out[least+1].From, out[least+1].N = out[least].From, out[least].N+out[least+1].N
		out = slices.Delete(out, least, least+1)
	}
	if most, ok := h.Max(); ok && float64(most)/1e6 > out[len(out)-1].To {
		out[len(out)-1].To = float64(most) / 1e6
	}
	for i := range out {
		out[i].Share = float64(out[i].N) / float64(h.N())
	}
	return out
}
