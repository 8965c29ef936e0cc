// Package textbook holds what engines might have measured, made up in memory from a
// textbook: the experiments on which the tests of compare and report stand. The same
// arguments give the same traces.
package textbook

import (
	"fmt"
	"math/rand/v2"
	"time"

	"linger"
	"linger/trace"
)

// Gallery is a page of 42 KB that names 40 images.
func Gallery() linger.Workload {
	w := linger.Workload{Name: "gallery", Scheme: "http", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ResponseBody: 43_008, Parent: linger.NoParent}}}
	for i := range 40 {
		w.Exchanges = append(w.Exchanges, linger.Exchange{
			Method: "GET", Path: fmt.Sprintf("/%d.jpg", i), Status: 200, ResponseBody: int64(3000 + i*7919%23_000), Parent: 0, At: 43_008})
	}
	return w
}

// Strategies parses a list, which must be one.
func Strategies(list string) []linger.Strategy {
	s, err := linger.ParseStrategies(list)
	if err != nil {
		panic(err)
	}
	return s
}

// Network parses a name, which must be one.
func Network(name string) linger.Network {
	n, err := linger.ParseNetwork(name)
	if err != nil {
		panic(err)
	}
	return n
}

// Experiment is what an engine might have measured, from a textbook in memory:
// windows that double each round, one link that carries one burst at a time,
// and a little noise that the trial's number fixes.
func Experiment(list string, trials int) trace.Experiment {
	in := trace.Experiment{Setup: trace.Setup{
		Workload: Gallery(), Strategies: Strategies(list), Network: Network("lte"), Seed: 1, Trials: trials,
		Engine: "lab", Provenance: trace.Measured,
	}}
	Fill(&in)
	return in
}

// Fill carries the experiment out.
func Fill(in *trace.Experiment) {
	for i, s := range in.Strategies {
		in.Traces, in.Still = append(in.Traces, nil), append(in.Still, nil)
		in.Failures, in.StillFailures = append(in.Failures, nil), append(in.StillFailures, nil)
		for trial := range in.Trials {
			in.Traces[i] = append(in.Traces[i], textbook(*in, s, in.Network.RTT, trial))
		}
		for trial := range 3 {
			in.Still[i] = append(in.Still[i], textbook(*in, s, 0, trial))
		}
	}
}

// Over is an experiment into one over https, on a path that loses packets.
func Over(list string, trials int, loss float64) trace.Experiment {
	in := Experiment("keep", 0)
	in.Workload.Scheme, in.Network.Loss, in.Trials = "https", loss, trials
	in.Strategies, in.Traces, in.Still, in.Failures, in.StillFailures = Strategies(list), nil, nil, nil, nil
	Fill(&in)
	return in
}

const segment = 1448

// What TLS costs: bytes of a full handshake and a resumed one each way, the size
// of the chain, and what both sides compute.
const (
	FullUp, FullDown       = 410, 3120
	ResumedUp, ResumedDown = 680, 260

	chain                 = 2310
	fullWork, resumedWork = 1500 * time.Microsecond, 500 * time.Microsecond
)

// setUp is how a new connection of that strategy comes about: when each part is
// done after dialling, and what it is then.
func (l *lane) setUp(in trace.Experiment, s linger.Strategy, rtt time.Duration, ticket bool) (ready time.Duration) {
	k, f := &l.conn, &l.flow
	at := func(d time.Duration) linger.Opt[linger.Instant] { return linger.Known(k.Dialled.Add(d)) }
	k.Protocol = map[string]string{"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2", "3": "h3"}[s.Version]
	if s.Version == "3" {
		k.QUIC = linger.Known(trace.QUIC{Version: "1", RTT: rtt})
		f.Protocol, f.Up, f.Down = "udp", trace.Flow{Initial: 2, Packets: 2, Header: 56, Payload: 2400}, trace.Flow{Initial: 1, Packets: 1, Header: 28, Payload: 1200}
	} else {
		k.Established = at(rtt)
		if ready = rtt; s.FastOpen {
			ready, k.FastOpen = 0, linger.Known(true)
		}
	}
	if in.Workload.Scheme != "https" {
		return ready
	}
	alpn := k.Protocol
	tls := trace.TLS{Version: "1.3", ALPN: alpn, Cipher: "TLS_AES_128_GCM_SHA256", Up: FullUp, Down: FullDown, Certificates: chain}
	ready += rtt + fullWork
	if s.Resume && ticket || s.EarlyData {
		tls.Resumed, tls.Up, tls.Down, tls.Certificates = true, ResumedUp, ResumedDown, 0
		ready += resumedWork - fullWork
	}
	f.Up.Payload += tls.Up
	f.Down.Payload += tls.Down
	f.Down.Packets += tls.Down / segment
	f.Down.Header += 52 * (tls.Down / segment)
	k.Secured = at(ready)
	if s.EarlyData {
		tls.EarlyData, ready = linger.Known(true), resumedWork
	}
	k.TLS = linger.Known(tls)
	return ready
}

// work is what the handshakes of a trial cost each side in CPU.
func work(t *trace.Trace) (d time.Duration) {
	for _, k := range t.Connections {
		switch s, ok := k.TLS.Get(); {
		case ok && s.Resumed:
			d += resumedWork
		case ok:
			d += fullWork
		}
	}
	return d
}

// lane is one connection of the textbook.
type lane struct {
	conn   trace.Connection
	flow   trace.Flows
	free   linger.Instant // when it can take another request
	window int64          // segments
	open   bool
}

func textbook(in trace.Experiment, s linger.Strategy, rtt time.Duration, trial int) *trace.Trace {
	r := rand.New(rand.NewPCG(uint64(trial), uint64(len(s.Name))<<8|uint64(s.Connections)))
	luck := rand.New(rand.NewPCG(uint64(trial), 1<<32|uint64(len(s.Name))<<8|uint64(s.Connections)))
	noise := func() time.Duration { return time.Duration(r.IntN(600)) * time.Microsecond }
	t := &trace.Trace{Provenance: in.Provenance, Engine: in.Engine, Workload: in.Workload.Name, Strategy: s.Name, Network: in.Network, Seed: in.Seed, Trial: trial}
	t.Network.RTT = rtt
	lanes := make([]*lane, s.Connections)
	for i := range lanes {
		lanes[i] = &lane{}
	}
	var link, known linger.Instant
	var led trace.Ledger
	finish := func(l *lane, by trace.Peer, at linger.Instant) {
		l.conn.Closed, l.conn.ClosedBy = linger.Known(at), by
		l.flow.ClosedBy = by
		for _, f := range []*trace.Flow{&l.flow.Up, &l.flow.Down} {
			if l.flow.IsQUIC() {
				break
			}
			f.FIN, f.Packets, f.Header = 1, f.Packets+2, f.Header+2*52
		}
		t.Connections = append(t.Connections, l.conn)
		led.Connections = append(led.Connections, l.flow)
		l.open = false
	}
	for id, e := range in.Workload.Exchanges {
		l := lanes[0]
		for _, other := range lanes {
			if other.free < l.free {
				l = other
			}
		}
		start := max(l.free, known)
		if s.InFlight != 1 {
			l = lanes[id%len(lanes)]
			start = known.Add(time.Duration(id) * 20 * time.Microsecond)
		}
		if !l.open {
			l.conn = trace.Connection{ID: int64(len(t.Connections) + 1000*s.Connections + r.IntN(1<<20)), Dialled: start}
			l.flow = trace.Flows{Protocol: "tcp", Up: trace.Flow{SYN: 1, Packets: 2, Header: 112}, Down: trace.Flow{SYN: 1, Packets: 1, Header: 60}}
			l.window, l.open = 10, true
			start = start.Add(l.setUp(in, s, rtt, id > 0 && known > 0 && len(t.Connections) > 0) + noise())
			l.conn.Connected = linger.Known(start)
		} else if s.InFlight != 1 {
			start = max(start, l.conn.Connected.Or(0))
		}
		l.conn.Requests++
		x := trace.Exchange{ID: id, Method: e.Method, URL: "http://origin" + e.Path, Connection: l.conn.ID, Attempts: 1, Status: 200,
			Queued: known, Sent: linger.Known(start), RequestHead: 120, ResponseHead: 180, ResponseBody: e.ResponseBody}
		at, left := max(start.Add(rtt+noise()), l.free), e.ResponseBody+180
		x.FirstByte = linger.Known(at)
		if s.Multiplexed {
			x.FirstByte = linger.Known(start.Add(rtt + time.Duration(id)*time.Microsecond))
		}
		for left > 0 {
			burst := min(left, l.window*segment)
			link = max(at, link).Add(in.Network.Down.Time(int(burst * 1500 / segment)))
			left -= burst
			l.window = min(2*l.window, 120)
			if at = at.Add(rtt); at < link {
				at = link
			}
		}
		x.Done = linger.Known(link)
		segments := (e.ResponseBody + 180 + segment - 1) / segment
		// A lost segment takes a round trip to be sent again, which holds up what is
		// behind it on its connection: with QUIC only what is on its stream.
		for range segments {
			switch lost := luck.Float64() < in.Network.Loss; {
			case lost && s.Version == "3":
				l.flow.Down.DroppedLoss++
				x.Done = linger.Known(link.Add(rtt * 9 / 8))
			case lost:
				l.flow.Down.DroppedLoss++
				l.flow.Down.Retransmitted++
				l.flow.Down.Packets++
				link = link.Add(rtt * 9 / 8)
				x.Done = linger.Known(link)
			}
		}
		l.flow.Up.Packets += 1 + segments/2
		l.flow.Up.Header += 52 * (1 + segments/2)
		l.flow.Up.Payload += 120
		l.flow.Down.Packets += segments
		l.flow.Down.Header += 52 * segments
		l.flow.Down.Payload += e.ResponseBody + 180
		t.Exchanges = append(t.Exchanges, x)
		t.Ended = max(t.Ended, x.Done.Or(link))
		l.free = link
		if id == 0 {
			known = link
		}
		if !s.Persistent {
			finish(l, trace.AtServer, link)
		}
	}
	for _, l := range lanes {
		if l.open {
			finish(l, trace.AtClient, t.Ended)
		}
	}
	t.Ended = t.Ended.Add(time.Duration(float64(t.Ended) * 0.006 * r.Float64()))
	led.Lateness = trace.Lateness{Packets: 1500, Median: 40 * time.Microsecond, P99: 310 * time.Microsecond, Max: time.Millisecond}
	t.Ledger = linger.Known(led)
	left := len(t.Connections)
	if s.Version == "3" {
		left = 0
	}
	host := trace.Host{CPU: time.Duration(len(t.Connections))*300*time.Microsecond + 12*time.Millisecond + 10*noise() + work(t), SocketsPeak: s.Connections, SocketMemory: int64(s.Connections) * 48 << 10, Samples: 40}
	t.Client = linger.Known(host)
	host.SocketMemory *= 3
	host.CPU += work(t)
	host.TimeWait = left
	t.Server = linger.Known(host)
	return t
}
