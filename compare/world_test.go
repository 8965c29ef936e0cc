package compare

import (
	"fmt"
	"math/rand/v2"
	"time"

	"linger"
	"linger/trace"
)

// gallery is a page of 42 KB that names 40 images.
func gallery() linger.Workload {
	w := linger.Workload{Name: "gallery", Scheme: "http", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ResponseBody: 43_008, Parent: linger.NoParent}}}
	for i := range 40 {
		w.Exchanges = append(w.Exchanges, linger.Exchange{
			Method: "GET", Path: fmt.Sprintf("/%d.jpg", i), Status: 200, ResponseBody: int64(3000 + i*7919%23_000), Parent: 0, At: 43_008})
	}
	return w
}

func strategies(list string) []linger.Strategy {
	s, err := linger.ParseStrategies(list)
	if err != nil {
		panic(err)
	}
	return s
}

func network(name string) linger.Network {
	n, err := linger.ParseNetwork(name)
	if err != nil {
		panic(err)
	}
	return n
}

// experiment is what an engine might have measured, from a textbook in memory:
// windows that double each round, one link that carries one burst at a time,
// and a little noise that the trial's number fixes.
func experiment(list string, trials int) Input {
	in := Input{
		Workload: gallery(), Strategies: strategies(list), Network: network("lte"), Seed: 1, Trials: trials,
		Engine: "lab", Provenance: trace.Measured,
	}
	for i, s := range in.Strategies {
		in.Traces, in.Still = append(in.Traces, nil), append(in.Still, nil)
		in.Failures, in.StillFailures = append(in.Failures, nil), append(in.StillFailures, nil)
		for trial := range trials {
			in.Traces[i] = append(in.Traces[i], textbook(in, s, in.Network.RTT, trial))
		}
		for trial := range 3 {
			in.Still[i] = append(in.Still[i], textbook(in, s, 0, trial))
		}
	}
	return in
}

const segment = 1448

// lane is one connection of the textbook.
type lane struct {
	conn   trace.Connection
	flow   trace.Flows
	free   linger.Instant // when it can take another request
	window int64          // segments
	open   bool
}

func textbook(in Input, s linger.Strategy, rtt time.Duration, trial int) *trace.Trace {
	r := rand.New(rand.NewPCG(uint64(trial), uint64(len(s.Name))<<8|uint64(s.Connections)))
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
			l.conn = trace.Connection{ID: len(t.Connections) + 1000*s.Connections + r.IntN(1<<20), Dialled: start}
			l.flow = trace.Flows{Protocol: "tcp", Up: trace.Flow{SYN: 1, Packets: 2, Header: 112}, Down: trace.Flow{SYN: 1, Packets: 1, Header: 60}}
			l.window, l.open = 10, true
			start = start.Add(rtt + noise())
			l.conn.Connected = linger.Known(start)
		} else if s.InFlight != 1 {
			start = max(start, l.conn.Connected.Or(0))
		}
		l.conn.Requests++
		x := trace.Exchange{ID: id, Method: e.Method, URL: "http://origin" + e.Path, Connection: l.conn.ID, Attempts: 1, Status: 200,
			Queued: known, Sent: linger.Known(start), RequestHead: 120, ResponseHead: 180, ResponseBody: e.ResponseBody}
		at, left := max(start.Add(rtt+noise()), l.free), e.ResponseBody+180
		x.FirstByte = linger.Known(at)
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
		l.flow.Up.Packets += 1 + segments/2
		l.flow.Up.Header += 52 * (1 + segments/2)
		l.flow.Up.Payload += 120
		l.flow.Down.Packets += segments
		l.flow.Down.Header += 52 * segments
		l.flow.Down.Payload += e.ResponseBody + 180
		t.Exchanges = append(t.Exchanges, x)
		t.Ended = max(t.Ended, link)
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
	host := trace.Host{CPU: time.Duration(left)*300*time.Microsecond + 12*time.Millisecond + 10*noise(), SocketsPeak: s.Connections, SocketMemory: int64(s.Connections) * 48 << 10, Samples: 40}
	t.Client = linger.Known(host)
	host.SocketMemory *= 3
	host.TimeWait = left
	t.Server = linger.Known(host)
	return t
}
