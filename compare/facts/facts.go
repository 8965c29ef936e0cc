// Package facts is what one trace tells by itself: whether everything was delivered, how many
// connections and handshakes there were, how long set-up took, what crossed the link, which
// requests were under way together. It knows neither strategies nor results.
//
// Most functions have the form func(*trace.Trace) (float64, bool), false where the trace does not
// know the figure; [Median] and [Sample] gather such a figure over trials.
package facts

import (
	"slices"
	"time"

	"linger"
	"linger/stats"
	"linger/trace"
)

// Delivered reports whether a trial got the whole workload.
func Delivered(t *trace.Trace, w linger.Workload) bool {
	if len(t.Exchanges) < len(w.Exchanges) {
		return false
	}
	for _, e := range t.Exchanges {
		if e.Failed != "" || e.Done.IsZero() {
			return false
		}
	}
	return true
}

// Time is the time that a trial took, in ms.
func Time(t *trace.Trace) (float64, bool) { return t.Ended.Milliseconds(), true }

// Connections lists the connections of a trial: what is in its trace but for the sockets
// of UDP, which connect nothing.
func Connections(t *trace.Trace) []trace.Connection {
	if !slices.ContainsFunc(t.Connections, Connectionless) {
		return t.Connections
	}
	return slices.DeleteFunc(slices.Clone(t.Connections), Connectionless)
}

// Connectionless reports whether a connection of a trace is but a socket of UDP.
func Connectionless(k trace.Connection) bool { return k.Protocol.Datagram() }

// Answers counts the requests that were answered in full, by connection.
func Answers(t *trace.Trace) map[int64]int {
	on := map[int64]int{}
	for _, e := range t.Exchanges {
		if e.Connection >= 0 && e.Failed == "" && !e.Done.IsZero() {
			on[e.Connection]++
		}
	}
	return on
}

// Sample gathers a figure over trials, leaving out those that do not know it.
func Sample(traces []*trace.Trace, figure func(*trace.Trace) (float64, bool)) stats.Sample {
	var values []float64
	for _, t := range traces {
		if v, ok := figure(t); ok {
			values = append(values, v)
		}
	}
	return stats.New(values...)
}

// Median is the median of a figure over the trials that know it.
func Median(traces []*trace.Trace, figure func(*trace.Trace) (float64, bool)) (o linger.Opt[float64]) {
	if m, ok := Sample(traces, figure).Median(); ok {
		o = linger.Known(m)
	}
	return o
}

// ReusedShare is the share of the answered requests that were not the first on their
// connection.
func ReusedShare(t *trace.Trace) (float64, bool) {
	all, further := 0, 0
	on := Answers(t)
	for _, k := range Connections(t) {
		all += on[k.ID]
		further += max(0, on[k.ID]-1)
	}
	return float64(further) / float64(all), all > 0
}

// Milliseconds is a duration in the unit of all times of results.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
