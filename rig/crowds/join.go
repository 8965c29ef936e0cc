package crowds

import (
	"cmp"
	"slices"
	"sort"

	"linger"
	"linger/lab"
	"linger/rig/host"
	"linger/trace"
)

// join adds to the clients' record what each server has seen, and what the lab has counted on its
// hosts. All of them are on one machine, and have its clock.
func join(r *trace.Crowd, s linger.Scenario, servers []host.OriginSeen, counted lab.Series) {
	accept(r, servers)
	r.Every = counted.Every
	quic := overQUIC(r, s)
	for _, one := range counted.Samples {
		at := linger.Instant(one.At.Sub(r.Began))
		if at < 0 || at > r.Ended {
			continue
		}
		sample := trace.CrowdSample{At: at, Client: one.Held[0], Servers: slices.Clone(one.Held[1:])}
		sample.Client.Waiting = linger.Opt[int]{} // nobody listens there
		for i := range sample.Servers {
			load(&sample.Servers[i], servers[i].Samples, one)
		}
		if len(quic) > 0 { // whose buffers are in their processes
			sample.Client.Memory = linger.Opt[int64]{}
			for i := range sample.Servers {
				sample.Servers[i].Memory = linger.Opt[int64]{}
			}
		}
		for _, c := range quic { // which the kernel does not know as connections
			if c.Dialled <= at && at < c.Closed.Or(linger.Never) {
				sample.Client.Sockets++
				sample.Servers[c.Server].Sockets++
			}
		}
		sample.Server = sample.Servers[0]
		for _, held := range sample.Servers[1:] {
			sample.Server = together(sample.Server, held)
		}
		r.Samples = append(r.Samples, sample)
	}
}

// accept notes when the server took each connection, which it knows by the client's end. That may
// have served several connections one after the other.
func accept(r *trace.Crowd, servers []host.OriginSeen) {
	type end struct {
		server int
		client string
	}
	taken := map[end][]host.OriginConnection{}
	for i, seen := range servers {
		for _, c := range seen.Connections {
			taken[end{i, c.Client}] = append(taken[end{i, c.Client}], c)
		}
	}
	for _, all := range taken {
		slices.SortFunc(all, func(a, b host.OriginConnection) int { return a.Accepted.Compare(b.Accepted) })
	}
	order := make([]int, len(r.Connections))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.Connections[a].Dialled, r.Connections[b].Dialled) })
	for _, i := range order {
		c := &r.Connections[i]
		key := end{c.Server, c.Local}
		for len(taken[key]) > 0 {
			at := linger.Instant(taken[key][0].Accepted.Sub(r.Began))
			taken[key] = taken[key][1:]
			if at >= c.Dialled { // else it is of one before that the client has no record of
				c.Accepted = linger.Known(at)
				break
			}
		}
	}
}

// load adds what a server was at, by its own sample that was next to one of the lab's; nothing
// where it has none.
func load(h *trace.Held, samples []host.OriginSample, s lab.Sample) {
	i := sort.Search(len(samples), func(i int) bool { return samples[i].At.After(s.At) })
	if i == len(samples) || i > 0 && s.At.Sub(samples[i-1].At) < samples[i].At.Sub(s.At) {
		i--
	}
	if i < 0 {
		return
	}
	h.Taken, h.Busy, h.Queued = linger.Known(samples[i].Taken), linger.Known(samples[i].Busy), linger.Known(samples[i].Queued)
}

// overQUIC are the connections of a record that are of QUIC.
func overQUIC(r *trace.Crowd, s linger.Scenario) (out []trace.CrowdConnection) {
	strategies := r.Plan.Strategies(s)
	quic := map[int]bool{} // clients
	for _, m := range r.Plan.Members(r.Seed, r.Trial) {
		quic[m.Client] = strategies[m.Share].QUIC()
	}
	for _, c := range r.Connections {
		if quic[c.Client] {
			out = append(out, c)
		}
	}
	return out
}

// together is what two servers hold; of what is not known of one nothing is known.
func together(a, b trace.Held) trace.Held {
	return trace.Held{
		Sockets: a.Sockets + b.Sockets, TimeWait: a.TimeWait + b.TimeWait, Memory: both(a.Memory, b.Memory),
		Waiting: both(a.Waiting, b.Waiting), Taken: both(a.Taken, b.Taken), Busy: both(a.Busy, b.Busy), Queued: both(a.Queued, b.Queued),
	}
}

// both is the sum of two numbers that are known.
func both[T int | int64](a, b linger.Opt[T]) linger.Opt[T] {
	x, first := a.Get()
	y, second := b.Get()
	if !first || !second {
		return linger.Opt[T]{}
	}
	return linger.Known(x + y)
}
