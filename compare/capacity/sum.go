package capacity

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"linger"
	"linger/stats"
	"linger/tally"
)

// merged puts the turns of a strategy together. What is a maximum stays one.
func merged(runs []tally.Run) tally.Run {
	var all tally.Run
	var cpu, served time.Duration
	clients, servers := 0, 0
	for _, r := range runs {
		all.Strategy, all.Engine, all.Wanted = r.Strategy, r.Engine, r.Wanted
		all.Ended += linger.Instant(r.Ended.Sub(r.Began))
		addRequests(&all.Requests, r.Requests)
		addConnections(&all.Connections, r.Connections)
		addLatency(&all.Latency, &r.Latency)
		if v, ok := r.Client.CPU.Get(); ok {
			cpu += v
			clients++
		}
		if v, ok := r.Server.CPU.Get(); ok {
			served += v
			servers++
		}
		all.Client.Memory = most(all.Client.Memory, r.Client.Memory)
		all.Server.Memory = most(all.Server.Memory, r.Server.Memory)
		all.Server.Sockets = most(all.Server.Sockets, r.Server.Sockets)
		all.Limited = cmp.Or(all.Limited, r.Limited)
		all.Interrupted = all.Interrupted || r.Interrupted
	}
	// A turn of which it is not known makes the whole unknown.
	if clients == len(runs) && clients > 0 {
		all.Client.CPU = linger.Known(cpu)
	}
	if servers == len(runs) && servers > 0 {
		all.Server.CPU = linger.Known(served)
	}
	return all
}

func most(a, b linger.Opt[int64]) linger.Opt[int64] {
	if v, ok := b.Get(); ok && v >= a.Or(0) {
		return b
	}
	return a
}

func addRequests(to *tally.Requests, r tally.Requests) {
	to.Intended += r.Intended
	to.Sent += r.Sent
	to.Answered += r.Answered
	to.After += r.After
	to.Cut += r.Cut
	to.Waiting += r.Waiting
	to.Retried += r.Retried
	to.Wrong += r.Wrong
	to.Up += r.Up
	to.Down += r.Down
	to.Failed = added(to.Failed, r.Failed)
	to.Unsent = added(to.Unsent, r.Unsent)
	to.Statuses = added(to.Statuses, r.Statuses)
}

func addConnections(to *tally.Connections, c tally.Connections) {
	to.Before += c.Before
	to.Attempted += c.Attempted
	to.Established += c.Established
	to.Pending += c.Pending
	to.Most = max(to.Most, c.Most)
	to.Left += c.Left
	to.Full += c.Full
	to.Resumed += c.Resumed
	to.Early += c.Early
	to.TimeWait.Client += c.TimeWait.Client
	to.TimeWait.Server += c.TimeWait.Server
	to.SaidClose += c.SaidClose
	to.Failed = added(to.Failed, c.Failed)
	to.Closed = added(to.Closed, c.Closed)
	to.Carried.Merge(&c.Carried)
}

func addLatency(to, l *tally.Latency) {
	for _, pair := range [][2]*stats.Histogram{
		{&to.Intended, &l.Intended}, {&to.Queued, &l.Queued}, {&to.Sent, &l.Sent}, {&to.First, &l.First},
		{&to.Connecting, &l.Connecting}, {&to.With, &l.With}, {&to.Without, &l.Without},
	} {
		pair[0].Merge(pair[1])
	}
}

// added returns a with what b counts, too; a is the caller's own.
func added[K comparable](a, b map[K]int64) map[K]int64 {
	if a == nil && len(b) > 0 {
		a = map[K]int64{}
	}
	for k, n := range b {
		a[k] += n
	}
	return a
}

// total sums a count by kind.
func total[K comparable](m map[K]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// mostOf returns the kind that was counted most often, the first by name of several.
func mostOf[K cmp.Ordered](m map[K]int64) (kind K, n int64) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] > n {
			kind, n = k, m[k]
		}
	}
	return kind, n
}
