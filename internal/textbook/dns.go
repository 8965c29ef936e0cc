package textbook

import (
	"fmt"
	"time"

	"linger"
	"linger/trace"
)

// What look-ups take here, bytes and packets both ways: a query with its answer, what
// TCP adds to it, and what a connection takes beside its queries.
const (
	Datagrams, PerDatagrams  = 170, 2
	OnStream, PerStream      = 230, 2
	TCPSetUp, TCPSetUpPieces = 430, 8
)

// LookUps is what an engine might have measured of chains of n names over udp, and TCP
// new, kept and pipelined: a query takes a round trip of 70 ms, and a connection one
// more. From the given number of queries on, every datagram is lost once.
func LookUps(n, trials, lost int) trace.Experiment {
	in := trace.Experiment{Setup: trace.Setup{
		Workload: linger.Workload{Name: linger.Names().Name, Scheme: linger.SchemeDNS}, Strategies: Strategies("udp,tcp,tcp+keep,tcp+pipeline"),
		Network: Network("lte"), Seed: 1, Trials: trials, Engine: "lab", Provenance: trace.Measured,
	}}
	for i := range n {
		in.Workload.Exchanges = append(in.Workload.Exchanges, linger.Exchange{
			Query: linger.Query{Name: fmt.Sprintf("host%d.example", i), Type: "A"}, Parent: i - 1})
	}
	for _, s := range in.Strategies {
		var all []*trace.Trace
		for trial := range trials {
			all = append(all, lookUp(in, s, trial, lost))
		}
		in.Traces, in.ZeroRTT = append(in.Traces, all), append(in.ZeroRTT, nil)
		in.Failures, in.ZeroRTTFailures = append(in.Failures, nil), append(in.ZeroRTTFailures, nil)
	}
	return in
}

func lookUp(in trace.Experiment, s linger.Strategy, trial, lost int) *trace.Trace {
	const rtt = 70 * time.Millisecond
	t := &trace.Trace{Provenance: in.Provenance, Engine: in.Engine, Workload: in.Workload.Name, Strategy: s.Name, Network: in.Network, Trial: trial}
	var led trace.Ledger
	now := linger.Instant(0).Add(time.Duration(trial) * 100 * time.Microsecond)
	for i, e := range in.Workload.Exchanges {
		x := trace.Exchange{ID: i, Method: e.Query.Type, URL: "dns://origin/" + e.Query.Name + "?type=A", Attempts: 1,
			Rcode: "NOERROR", Queued: now, RequestBody: 42, ResponseBody: 58}
		if len(t.Connections) == 0 || !s.Persistent {
			k := trace.Connection{ID: int64(i), Protocol: s.Protocol(), Dialled: now}
			f := trace.Flows{Protocol: linger.TransportUDP, Up: trace.Flow{Packets: 1, Header: 28, Payload: 42}, Down: trace.Flow{Packets: 1, Header: 28, Payload: Datagrams - 28 - 42 - 28}}
			if s.DNS == linger.OverTCP {
				now = now.Add(rtt)
				k.Established = linger.Known(now)
				f = trace.Flows{Protocol: linger.TransportTCP, Up: trace.Flow{SYN: 1, FIN: 1, Packets: TCPSetUpPieces / 2, Header: TCPSetUp / 2}, Down: trace.Flow{SYN: 1, FIN: 1, Packets: TCPSetUpPieces / 2, Header: TCPSetUp / 2}}
			}
			k.Connected = linger.Known(now)
			t.Connections, led.Connections = append(t.Connections, k), append(led.Connections, f)
		}
		k, f := &t.Connections[len(t.Connections)-1], &led.Connections[len(led.Connections)-1]
		x.Connection = k.ID
		k.Requests++
		if s.DNS == linger.OverTCP {
			f.Up.Packets, f.Up.Header, f.Up.Payload = f.Up.Packets+1, f.Up.Header+52, f.Up.Payload+44
			f.Down.Packets, f.Down.Header, f.Down.Payload = f.Down.Packets+1, f.Down.Header+52, f.Down.Payload+OnStream-52-44-52
		} else if i >= lost {
			x.Attempts = 2
			now = now.Add(time.Second)
			f.Up.Packets, f.Up.Header, f.Up.Payload = f.Up.Packets+1, f.Up.Header+28, f.Up.Payload+42
		}
		x.Sent = linger.Known(now)
		now = now.Add(rtt)
		x.FirstByte, x.Done = linger.Known(now), linger.Known(now)
		k.Closed, k.ClosedBy = linger.Known(now), trace.AtClient
		t.Exchanges = append(t.Exchanges, x)
	}
	t.Ended = now
	t.Ledger = linger.Known(led)
	return t
}

// Queries are experiments with names that are looked up.
var Queries = map[string]func() trace.Experiment{
	"nothing announced":   func() trace.Experiment { return LookUps(10, 5, 10) },
	"an idle limit":       func() trace.Experiment { return limited(2*time.Second, 2*time.Second) },
	"no idle at all":      func() trace.Experiment { return limited(0, 0) },
	"limits of two kinds": func() trace.Experiment { return limited(2*time.Second, time.Second) },
	"a limit of one":      func() trace.Experiment { return limited(2 * time.Second) },
	"an unknown path": func() trace.Experiment {
		in := limited(2*time.Second, 2*time.Second)
		in.Network = linger.Network{}
		return in
	},
	"cut answers": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		for _, one := range in.Traces[0] { // as if each answer had been asked for again over TCP
			l, _ := one.Ledger.Get()
			for i := range one.Exchanges {
				one.Exchanges[i].Truncated, one.Exchanges[i].Attempts = true, 2
				l.Connections[i].Down.Header += 1000
			}
		}
		return in
	},
	"a query fails in each trial": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		for i := range in.Traces {
			Fail(in.Traces[i], 3, "SERVFAIL")
		}
		return in
	},
	"at a rate": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		for i := range in.Workload.Exchanges {
			e := &in.Workload.Exchanges[i]
			e.Parent, e.Think = linger.NoParent, time.Duration(i)*time.Second
		}
		return in
	},
	"encrypted and not": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		in.Strategies = Strategies("tcp,tcp+keep,dot,dot+keep")
		in.Traces = [][]*trace.Trace{in.Traces[1], in.Traces[2], LookUps(10, 5, 10).Traces[1], LookUps(10, 5, 10).Traces[2]}
		for i, list := range in.Traces[2:] {
			for _, one := range list {
				l, _ := one.Ledger.Get()
				for k := range l.Connections {
					n := int64([]int{1, 10}[i])
					l.Connections[k].Down.Header += 7*TCPSetUp + n*2*OnStream // 8 times the set-up, 3 times a query
				}
			}
		}
		return in
	},
	"sent again": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		in.Traces[2][0].Retries = 2
		return in
	},
	"asked again, cut and failed": func() trace.Experiment {
		in := LookUps(10, 5, 9) // of ten, the last is lost once
		x := &in.Traces[0][0].Exchanges[4]
		x.Failed, x.Done = "server answered SERVFAIL", linger.Opt[linger.Instant]{}
		cut := &in.Traces[0][1].Exchanges[5]
		cut.Truncated, cut.Attempts = true, 2
		return in
	},
	"wanted together, asked one by one": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		for _, one := range in.Traces[3] {
			for i := range one.Exchanges {
				one.Exchanges[i].Queued = 0
			}
		}
		return in
	},
}

// limited has the server announce how long the kept connections may be idle.
func limited(limits ...time.Duration) trace.Experiment {
	in := LookUps(10, 5, 10)
	for i, d := range limits {
		for _, one := range in.Traces[2+i] {
			one.Connections[0].IdleLimit = linger.Known(d)
		}
	}
	return in
}
