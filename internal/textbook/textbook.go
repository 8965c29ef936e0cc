// Package textbook holds what engines might have measured, made up in memory from a
// textbook: the experiments on which the tests of compare and report stand. The same
// arguments give the same traces.
package textbook

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// Gallery is a page of 42 KB that names 40 images.
func Gallery() linger.Workload {
	w := linger.Workload{Name: "gallery", Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{
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
		in.Traces, in.ZeroRTT = append(in.Traces, nil), append(in.ZeroRTT, nil)
		in.Failures, in.ZeroRTTFailures = append(in.Failures, nil), append(in.ZeroRTTFailures, nil)
		for trial := range in.Trials {
			in.Traces[i] = append(in.Traces[i], textbook(*in, s, in.Network.RTT, trial))
		}
		for trial := range 3 {
			in.ZeroRTT[i] = append(in.ZeroRTT[i], textbook(*in, s, 0, trial))
		}
	}
}

// Over is an experiment into one over https, on a path that loses packets.
func Over(list string, trials int, loss float64) trace.Experiment {
	in := Experiment("keep", 0)
	in.Workload.Scheme, in.Network.Loss, in.Trials = linger.SchemeHTTPS, loss, trials
	in.Strategies, in.Traces, in.ZeroRTT, in.Failures, in.ZeroRTTFailures = Strategies(list), nil, nil, nil, nil
	Fill(&in)
	return in
}

const segment = 1448

// What TLS costs: bytes of a full handshake and a resumed one in each direction, the size
// of the chain, and what both sides compute.
const (
	FullUp, FullDown       = 410, 3120
	ResumedUp, ResumedDown = 680, 260

	chain                 = 2310
	fullWork, resumedWork = 1500 * time.Microsecond, 500 * time.Microsecond
)

// setUp is how a new connection of that strategy comes about: when each part is
// done after dialling, and what it is then.
func (l *connection) setUp(in trace.Experiment, s linger.Strategy, rtt time.Duration, ticket bool) (ready time.Duration) {
	k, f := &l.conn, &l.flow
	at := func(d time.Duration) linger.Opt[linger.Instant] { return linger.Known(k.Dialled.Add(d)) }
	k.Protocol = s.Protocol()
	if s.QUIC() {
		k.QUIC = linger.Known(trace.QUIC{Version: "1", RTT: rtt})
		f.Protocol, f.Up, f.Down = linger.TransportUDP, trace.Flow{Initial: 2, Packets: 2, Header: 56, Payload: 2400}, trace.Flow{Initial: 1, Packets: 1, Header: 28, Payload: 1200}
	} else {
		k.Established = at(rtt)
		if ready = rtt; s.FastOpen {
			ready, k.FastOpen = 0, linger.Known(true)
		}
	}
	if in.Workload.Scheme != linger.SchemeHTTPS {
		return ready
	}
	alpn := k.Protocol.ALPN()
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

// A connection is one of the textbook.
type connection struct {
	conn   trace.Connection
	flow   trace.Flows
	free   linger.Instant // when it can take another request
	window int64          // segments
	open   bool
}

// A load is one trial that is made up: a pool of connections, and a link that they share.
type load struct {
	in       trace.Experiment
	strategy linger.Strategy
	rtt      time.Duration
	trace    *trace.Trace
	ledger   trace.Ledger
	pool     []*connection
	link     linger.Instant // is busy until then
	known    linger.Instant // when what the page refers to is known
	scatter  *rand.Rand     // of times
	losses   *rand.Rand
}

// textbook makes up one trial of a strategy.
func textbook(in trace.Experiment, s linger.Strategy, rtt time.Duration, trial int) *trace.Trace {
	seed := uint64(len(s.Name))<<8 | uint64(s.Connections)
	l := &load{in: in, strategy: s, rtt: rtt,
		trace:   &trace.Trace{Provenance: in.Provenance, Engine: in.Engine, Workload: in.Workload.Name, Strategy: s.Name, Network: in.Network, Seed: in.Seed, Trial: trial},
		scatter: rand.New(rand.NewPCG(uint64(trial), seed)), losses: rand.New(rand.NewPCG(uint64(trial), 1<<32|seed)),
	}
	l.trace.Network.RTT = rtt
	for range s.Connections {
		l.pool = append(l.pool, &connection{})
	}
	for id, e := range in.Workload.Exchanges {
		c, start := l.connect(id)
		l.fetch(c, id, e, start)
		if id == 0 {
			l.known = l.link
		}
		if !s.Persistent {
			l.close(c, trace.AtServer, l.link)
		}
	}
	for _, c := range l.pool {
		if c.open {
			l.close(c, trace.AtClient, l.trace.Ended)
		}
	}
	l.end()
	return l.trace
}

func (l *load) noise() time.Duration { return time.Duration(l.scatter.IntN(600)) * time.Microsecond }

// connect is on which connection a request goes, and when it is sent.
func (l *load) connect(id int) (*connection, linger.Instant) {
	c := slices.MinFunc(l.pool, func(a, b *connection) int { return cmp.Compare(a.free, b.free) })
	start := max(c.free, l.known)
	if l.strategy.InFlight != 1 {
		c = l.pool[id%len(l.pool)]
		start = l.known.Add(time.Duration(id) * 20 * time.Microsecond)
	}
	switch {
	case !c.open:
		opened := len(l.trace.Connections)
		c.conn = trace.Connection{ID: int64(opened + 1000*l.strategy.Connections + l.scatter.IntN(1<<20)), Dialled: start}
		c.flow = trace.Flows{Protocol: linger.TransportTCP, Up: trace.Flow{SYN: 1, Packets: 2, Header: 112}, Down: trace.Flow{SYN: 1, Packets: 1, Header: 60}}
		c.window, c.open = 10, true
		start = start.Add(c.setUp(l.in, l.strategy, l.rtt, id > 0 && l.known > 0 && opened > 0) + l.noise())
		c.conn.Connected = linger.Known(start)
	case l.strategy.InFlight != 1:
		start = max(start, c.conn.Connected.Or(0))
	}
	return c, start
}

// fetch has a response come that is asked for at an instant: by slow start, over the link.
func (l *load) fetch(c *connection, id int, e linger.Exchange, start linger.Instant) {
	c.conn.Requests++
	x := trace.Exchange{ID: id, Method: e.Method, URL: "http://origin" + e.Path, Connection: c.conn.ID, Attempts: 1, Status: 200,
		Queued: l.known, Sent: linger.Known(start), RequestHead: 120, ResponseHead: 180, ResponseBody: e.ResponseBody}
	at, left := max(start.Add(l.rtt+l.noise()), c.free), e.ResponseBody+180
	x.FirstByte = linger.Known(at)
	if l.strategy.Multiplexed {
		x.FirstByte = linger.Known(start.Add(l.rtt + time.Duration(id)*time.Microsecond))
	}
	for left > 0 {
		burst := min(left, c.window*segment)
		l.link = max(at, l.link).Add(l.in.Network.Down.Time(int(burst * 1500 / segment)))
		left -= burst
		c.window = min(2*c.window, 120)
		at = max(at.Add(l.rtt), l.link)
	}
	x.Done = linger.Known(l.link)
	segments := (e.ResponseBody + 180 + segment - 1) / segment
	l.lose(c, &x, segments)
	c.flow.Up.Packets += 1 + segments/2
	c.flow.Up.Header += 52 * (1 + segments/2)
	c.flow.Up.Payload += 120
	c.flow.Down.Packets += segments
	c.flow.Down.Header += 52 * segments
	c.flow.Down.Payload += e.ResponseBody + 180
	l.trace.Exchanges = append(l.trace.Exchanges, x)
	l.trace.Ended = max(l.trace.Ended, x.Done.Or(l.link))
	c.free = l.link
}

// lose loses some segments of a response. Each takes a round trip to be retransmitted, which
// holds up what is behind it on its connection: with QUIC only what is on its stream.
func (l *load) lose(c *connection, x *trace.Exchange, segments int64) {
	for range segments {
		if l.losses.Float64() >= l.in.Network.Loss {
			continue
		}
		c.flow.Down.DroppedLoss++
		if l.strategy.QUIC() {
			x.Done = linger.Known(l.link.Add(l.rtt * 9 / 8))
			continue
		}
		c.flow.Down.Retransmitted++
		c.flow.Down.Packets++
		l.link = l.link.Add(l.rtt * 9 / 8)
		x.Done = linger.Known(l.link)
	}
}

// close ends a connection.
func (l *load) close(c *connection, by trace.Peer, at linger.Instant) {
	c.conn.Closed, c.conn.ClosedBy = linger.Known(at), by
	c.flow.ClosedBy = by
	if !c.flow.IsQUIC() {
		for _, f := range []*trace.Flow{&c.flow.Up, &c.flow.Down} {
			f.FIN, f.Packets, f.Header = 1, f.Packets+2, f.Header+2*52
		}
	}
	l.trace.Connections = append(l.trace.Connections, c.conn)
	l.ledger.Connections = append(l.ledger.Connections, c.flow)
	c.open = false
}

// end completes the trace by what the hosts and the emulator note.
func (l *load) end() {
	t := l.trace
	t.Ended = t.Ended.Add(time.Duration(float64(t.Ended) * 0.006 * l.scatter.Float64()))
	l.ledger.Lateness = trace.Lateness{Packets: 1500, Median: 40 * time.Microsecond, P99: 310 * time.Microsecond, Max: time.Millisecond}
	t.Ledger = linger.Known(l.ledger)
	sockets := l.strategy.Connections
	host := trace.Host{CPU: time.Duration(len(t.Connections))*300*time.Microsecond + 12*time.Millisecond + 10*l.noise() + work(t), SocketsPeak: sockets, SocketMemory: int64(sockets) * 48 << 10, Samples: 40}
	t.Client = linger.Known(host)
	host.SocketMemory *= 3
	host.CPU += work(t)
	if !l.strategy.QUIC() {
		host.TimeWait = len(t.Connections)
	}
	t.Server = linger.Known(host)
}

// Networks is an experiment on each of some networks.
func Networks(list string, trials int, names ...string) (all []trace.Experiment) {
	for _, name := range names {
		in := trace.Experiment{Setup: Experiment("keep", 0).Setup}
		in.Network, in.Strategies, in.Trials = Network(name), Strategies(list), trials
		Fill(&in)
		all = append(all, in)
	}
	return all
}
