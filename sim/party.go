package sim

import (
	"fmt"
	"sync"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/sim/tcp"
	"linger/trace"
)

// A manner is how clients that go by one strategy go about it.
type manner struct {
	scenario linger.Scenario
	app      application
	secure   bool // over TLS
	limits   policy.Limits
	// exchanges are what the trace says of the workload's; the clients of a crowd write to
	// the same ones, and nobody reads them.
	exchanges []trace.Exchange
	// workload is the scenario's as it was given, without what carries its queries.
	workload linger.Workload
}

// newManner completes what a scenario says for its application.
func (w *world) newManner(s linger.Scenario) (*manner, error) {
	m := &manner{scenario: s, workload: s.Workload, app: applicationOf(s.Strategy), limits: w.config.Limits,
		secure:    s.Workload.Scheme == linger.SchemeHTTPS || s.Strategy.Protocol().Secure(),
		exchanges: make([]trace.Exchange, len(s.Workload.Exchanges))}
	if pace := m.limits.Pace; m.limits == (policy.Limits{Pace: pace}) {
		m.limits = m.app.limits()
		m.limits.Pace = pace
	}
	for i, e := range s.Workload.Exchanges {
		m.exchanges[i] = trace.Exchange{ID: i, Method: e.Method, URL: s.Workload.Scheme + "://" + w.places[e.Origin].host + e.Path, Connection: -1}
	}
	return m, m.app.prepare(w, m)
}

// A party is a client, with both ends of its connections.
type party struct {
	*world
	*manner
	number int
	share  int // of the mix
	timer  alarm.Alarm
	policy *policy.Client
	ways   *[2]*way // its access link, or the one that all share; by who sends
	known  []acquaintance
	// conns are its connections by number, from the number first on.
	conns   []*conn
	first   int
	stirred []*conn // with something staged
	loaded  bool
	// underWay says that a page of a crowd's is wanted and not done.
	underWay bool
	received int64          // bytes of bodies that are in the record of the crowd
	done     bool           // the last page is loaded, and every connection closed
	ended    linger.Instant // when it was loaded
}

// join has another client take part.
func (w *world) join(m *manner, member linger.Member, ways *[2]*way) *party {
	p := &party{world: w, manner: m, number: len(w.parties), ways: ways, known: make([]acquaintance, len(w.places)),
		policy: policy.NewMember(m.workload, m.scenario.Strategy, m.limits, member)}
	p.timer = alarm.New(p.number, p)
	w.parties = append(w.parties, p)
	return p
}

// start has the client's time begin.
func (w *party) start() {
	w.policy.HandleStart(w.now)
	w.obey()
	w.plan()
}

// Wake does what is due for the client itself.
func (w *party) Wake() {
	w.policy.HandleTimeout(w.now)
	w.obey()
	w.plan()
}

// plan sets when the client's machine is to be woken, after it was told anything.
func (w *party) plan() {
	if w.done {
		return
	}
	at := linger.Never
	if w.done = w.policy.Finished(); w.done {
		w.left--
	} else {
		at = w.policy.NextTimeout()
	}
	w.queues[wishes].Set(&w.timer, at)
}

// conn returns a connection by its number.
func (w *party) conn(number int) *conn { return w.conns[number-w.first] }

// obey does what the client's machine commands.
func (w *party) obey() {
	for cmd, ok := w.policy.Poll(); ok; cmd, ok = w.policy.Poll() {
		switch cmd.Kind {
		case policy.Dial:
			w.dial(cmd.Conn, cmd.Origin, cmd.Stream)
		case policy.Send:
			c := w.conn(cmd.Conn)
			if x := &w.exchanges[cmd.Exchange]; !cmd.Again {
				*x = trace.Exchange{ID: x.ID, Method: x.Method, URL: x.URL, Connection: int64(c.id), Attempts: x.Attempts, Truncated: x.Truncated}
			}
			if len(c.staged) == 0 {
				w.stirred = append(w.stirred, c)
			}
			c.staged = append(c.staged, staged{cmd.Exchange, cmd.Last, cmd.Again})
		case policy.Close:
			w.hangUp(w.conn(cmd.Conn), cmd.Reason)
		case policy.Fail:
			w.exchanges[cmd.Exchange].Failed = cmd.Reason
		}
	}
	// What is sent may be answered by further commands.
	for len(w.stirred) > 0 {
		c := w.stirred[0]
		w.stirred = w.stirred[:copy(w.stirred, w.stirred[1:])]
		batch := c.staged
		c.staged = nil
		if !c.gone {
			c.speaker.send(batch)
			if e := c.ends[client]; e != nil {
				e.flush()
			}
		}
	}
	if !w.loaded && w.policy.Loaded() {
		w.loaded = true
		w.ended = w.now
	}
	if w.crowd != nil {
		w.crowd.visited(w)
	}
}

// trace returns what became of a client that was by itself.
func (w *party) trace() *trace.Trace {
	s := &w.scenario
	t := &trace.Trace{
		Provenance: trace.Predicted, Engine: "sim",
		Workload: s.Workload.Name, Strategy: s.Strategy.Name, Network: s.Network,
		Seed: s.Seed, Trial: w.config.Trial, Ended: w.ended, Retries: w.policy.Retries(),
		Connections: make([]trace.Connection, len(w.conns)), Exchanges: w.exchanges,
	}
	for i := range t.Exchanges {
		t.Exchanges[i].Queued = w.policy.Wanted(i).Or(t.Ended)
	}
	l := trace.Ledger{Connections: make([]trace.Flows, len(w.conns)), Up: w.pipes[client], Down: w.pipes[server]}
	for i, c := range w.conns {
		c.flows.First, c.flows.Last = moment(c.began), moment(c.spoken)
		t.Connections[i], l.Connections[i] = c.record, c.flows
	}
	l.Flights, l.Unflown = w.flights.List()
	t.Ledger = linger.Known(l)
	return t
}

// spare are ends of connections that are over, of this run or another: half of what a run
// takes in memory is theirs. Reset makes each as new, so that no run knows of another.
var spare = sync.Pool{New: func() any { return new(tcp.Conn) }}

func newTCP(o tcp.Options) *tcp.Conn {
	c := spare.Get().(*tcp.Conn)
	c.Reset(o)
	return c
}

// recycle gives back what other connections can use.
func (c *conn) recycle() {
	for _, e := range c.ends {
		if e == nil {
			continue // QUIC and datagrams have none
		}
		spare.Put(e.tcp)
		e.tcp = nil
	}
}

// recycle gives back what the next run can use.
func (w *world) recycle() {
	for _, p := range w.parties {
		for _, c := range p.conns {
			if c != nil {
				c.recycle()
			}
		}
	}
}

// number is what alarms of one side of a connection go by.
func (c *conn) number(side int) int { return 2*c.serial + side }

// endpoints names both ends of a connection in the records.
func (w *party) endpoints(c *conn, p linger.Protocol) (mine, other string) {
	port := p.Port()
	if port == 0 {
		port = w.scenario.Strategy.Port(w.scenario.Workload.Scheme)
	}
	return fmt.Sprintf("%s:%d", clientAddress, firstPort+c.id%28232), fmt.Sprintf("%s:%d", w.places[c.origin].address, port)
}
