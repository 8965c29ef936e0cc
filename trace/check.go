package trace

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"linger"
)

// Bounds of a trace file. They keep foreign bytes from asking for more than a
// machine holds: 100 trials of 7 strategies of a large page have some 200 MB.
const (
	maxLine       = 64 << 20  // bytes of one line
	maxFile       = 512 << 20 // bytes of all lines
	maxHeld       = 384 << 20 // bytes that the traces of all lines take in memory
	maxEntries    = 100_000
	maxStrategies = 1000
	maxItems      = 100_000 // elements of all lists of one line: connections, exchanges, attempts, flows
	longest       = linger.Instant(366 * 24 * time.Hour)
)

// Bounds of a stream, of which one record is held at a time.
const (
	maxRecord   = 1 << 20 // bytes of one line
	maxAttempts = 1000    // of one exchange
	maxNames    = 1000    // of one handshake
)

// maxCount bounds what is counted of one connection, so that sums of it are exact
// in a float64: bytes of a day at 100 Gbit/s.
const maxCount = 1 << 50

// bounds of the records of a trace or a stream.
type bounds struct {
	far  linger.Instant // the farthest that an instant may be from the beginning
	body int64          // the largest body, in bytes
}

var (
	ofTrace  = bounds{longest, linger.MaxBody}
	ofStream = bounds{100 * longest, maxCount} // some logs are of years
)

func (h Header) check() error {
	switch {
	case h.Kind != KindExperiment && h.Kind != KindFetch:
		return fmt.Errorf("kind %q is neither %s nor %s", h.Kind, KindExperiment, KindFetch)
	case len(h.Strategies) == 0 || len(h.Strategies) > maxStrategies:
		return fmt.Errorf("%d strategies; there are 1 to %d", len(h.Strategies), maxStrategies)
	case h.Trials < 1 || h.Trials > maxEntries:
		return fmt.Errorf("%d trials; there are 1 to %d", h.Trials, maxEntries)
	case h.Kind == KindFetch && (len(h.Strategies) != 1 || h.Trials != 1):
		return errors.New("a fetch has one trial of one strategy")
	}
	seen := map[string]bool{}
	for _, s := range h.Strategies {
		if s.Name == "" || seen[s.Name] {
			return fmt.Errorf("strategy %q has no name, or stands twice", s.Name)
		}
		seen[s.Name] = true
		if s.Connections < 0 || s.InFlight < 0 || s.MaxRequests < 0 || s.IdleTimeout < 0 {
			return fmt.Errorf("strategy %q has less than no connections or requests", s.Name)
		}
	}
	if h.Kind == KindExperiment || len(h.Workload.Exchanges) > 0 {
		if err := h.Workload.Validate(); err != nil {
			return err
		}
	}
	return h.Network.Validate()
}

// Items counts the elements of all lists in a text of JSON, up to one more than most.
// A decoder makes each of them before anybody can look: an element of five bytes may take a
// thousand in memory.
func Items(line []byte, most int) int {
	n := 0
	lists := []bool{false} // whether what is open is a list
	for i := 0; i < len(line) && n <= most; i++ {
		switch line[i] {
		case '"':
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' {
					i++
				}
			}
		case '[':
			lists = append(lists, true)
			n++
		case '{':
			lists = append(lists, false)
		case ']', '}':
			lists = lists[:max(1, len(lists)-1)]
		case ',':
			if lists[len(lists)-1] {
				n++
			}
		}
	}
	return n
}

// held is about how many bytes a trace takes in memory that was read from so many.
func (t *Trace) held(read int) int64 {
	n := int64(read) + int64(len(t.Connections))*int64(unsafe.Sizeof(Connection{})) + int64(len(t.Exchanges))*int64(unsafe.Sizeof(Exchange{}))
	l, _ := t.Ledger.Get()
	return n + int64(len(l.Connections))*int64(unsafe.Sizeof(Flows{})) + int64(len(l.Flights))*int64(unsafe.Sizeof(Flight{}))
}

// check holds a trial against the header and its own bounds.
func (r *Reader) check(e Entry) error {
	if e.Strategy < 0 || e.Strategy >= len(r.count) {
		return fmt.Errorf("strategy %d of %d", e.Strategy+1, len(r.count))
	}
	if (e.Trace == nil) == (e.Failure == "") {
		return errors.New("a trial has either a trace or a failure")
	}
	still := 0
	if e.ZeroRTT {
		still = 1
	}
	n := &r.count[e.Strategy][still]
	if *n++; still == 0 && *n > r.Header.Trials || r.passed >= maxEntries {
		return fmt.Errorf("more than %d trials of %s", *n-1, r.Header.Strategies[e.Strategy].Name)
	}
	if e.GivenUp < 0 || linger.Instant(e.GivenUp) > longest || e.GivenUp > 0 && e.Trace != nil {
		return errors.New("it says after how long the trial was given up, which cannot be")
	}
	if e.Trace == nil {
		return nil
	}
	return e.Trace.check()
}

// check reports what no trace can hold.
func (t *Trace) check() error {
	if t.Trial < 0 || t.Retries < 0 || t.Ended < 0 {
		return errors.New("a trial, its end or its retries are less than nothing")
	}
	if err := t.Network.Validate(); err != nil {
		return err
	}
	if !within(longest, linger.Known(t.Ended)) {
		return fmt.Errorf("it lasts longer than %v", time.Duration(longest))
	}
	ids := map[int64]bool{}
	for i := range t.Connections {
		c := &t.Connections[i]
		if ids[c.ID] {
			return fmt.Errorf("connection %d stands twice", c.ID)
		}
		ids[c.ID] = true
		if err := c.check(ofTrace); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	for i := range t.Exchanges {
		if err := t.Exchanges[i].check(ofTrace); err != nil {
			return fmt.Errorf("exchange %d: %w", i+1, err)
		}
	}
	for _, side := range []linger.Opt[Host]{t.Client, t.Server} {
		h := side.Or(Host{})
		if h.CPU < 0 || h.SocketsPeak < 0 || h.SocketsLeft < 0 || h.TimeWait < 0 || h.SocketMemory < 0 || h.ResidentPeak < 0 || h.ResidentLeft < 0 || h.Samples < 0 {
			return errors.New("a host has less than no sockets, memory or CPU")
		}
	}
	l, _ := t.Ledger.Get()
	if l.Overflow < 0 || l.Unflown < 0 {
		return errors.New("a ledger has less than no connections, or packets")
	}
	if len(l.Flights) > MostFlights {
		return fmt.Errorf("a ledger has %d flights; there are at most %d", len(l.Flights), MostFlights)
	}
	for i := range l.Flights {
		if err := l.Flights[i].check(len(l.Connections)); err != nil {
			return fmt.Errorf("flight %d: %w", i+1, err)
		}
	}
	for i, f := range l.Connections {
		if !f.Up.counts() || !f.Down.counts() {
			return fmt.Errorf("a count of connection %d in the ledger is out of bounds", i+1)
		}
	}
	return nil
}

// check reports what no connection can be.
func (c *Connection) check(b bounds) error {
	s, q, p := c.TLS.Or(TLS{}), c.QUIC.Or(QUIC{}), c.Probes.Or(Probes{})
	o, u, g := c.Outstanding.Or(Outstanding{}), c.Unanswered.Or(Unanswered{}), c.GoAway.Or(GoAway{})
	switch {
	case c.ID < 0 || c.ID > MaxID:
		return fmt.Errorf("its number %d is none from 0 to %d", c.ID, int64(MaxID))
	case !within(b.far, linger.Known(c.Dialled), c.Resolving, c.SYN, c.SYNACK, c.Established, c.Connected, c.Secured,
		c.FirstByte, c.LastByte, c.Announced, c.Closed, c.Released, p.Alive, linger.Known(u.Since), linger.Known(g.At), linger.Known(c.Between.Or(Between{}).At)):
		return errors.New("an instant is out of bounds")
	case c.Requests < 0 || s.Up < 0 || s.Down < 0 || s.Certificates < 0 || q.Lost < 0 || q.RTT < 0 || c.IdleLimit.Or(0) < 0 || c.Streams.Or(0) < 0 ||
		c.Missing.Or(0) < 0 || p.Sent < 0 || p.Answered < 0 || !c.Frames.counts() || c.ClosedFrame < 0 || c.ClosedFrame > MaxID ||
		o.Up < 0 || o.Down < 0 || u.Sent < 0 || c.Stream.Or(0) < 0 || c.Stream.Or(0) > MaxID ||
		c.SequenceUp.Or(0) < 0 || c.SequenceDown.Or(0) < 0 || c.SequenceUp.Or(0) > math.MaxUint32 || c.SequenceDown.Or(0) > math.MaxUint32 ||
		g.Last < 0 || c.Turns.Or(0) < 0 || s.Tickets.Or(0) < 0 || s.Lifetime.Or(0) < 0 || q.Migrations < 0:
		return errors.New("a count is less than nothing")
	case c.Within.Or(0) < 0 || c.Within.Or(0) > MaxID:
		return fmt.Errorf("no connection has the number %d", c.Within.Or(0))
	case !c.Up.Or(Flow{}).counts() || !c.Down.Or(Flow{}).counts():
		return errors.New("a count of packets is out of bounds")
	case len(s.Offered) > maxNames || len(s.Names) > maxNames || len(s.Notified) > maxNames:
		return fmt.Errorf("it has more than %d names", maxNames)
	}
	return nil
}

// check reports what no exchange can be.
func (e *Exchange) check(b bounds) error {
	if !within(b.far, linger.Known(e.Queued), e.Sent, e.FirstByte, e.Done, e.DoneBy, e.Dropped) {
		return errors.New("an instant is out of bounds")
	}
	for _, n := range []int64{e.RequestHead, e.RequestBody, e.ResponseHead, e.ResponseBody} {
		if n < 0 || n > b.body {
			return fmt.Errorf("it has %d bytes", n)
		}
	}
	switch {
	case e.ID < 0 || int64(e.ID) > MaxID || e.Number < 0 || e.Attempts < 0 || e.Status < 0 || e.Stream.Or(0) < 0 || e.Blocked.Or(0) < 0 || !e.Frames.counts() || !e.AnswerFrames.counts():
		return errors.New("a number is less than nothing")
	case e.Connection < -1 || e.Connection > MaxID:
		return fmt.Errorf("no connection has the number %d", e.Connection)
	case len(e.Earlier) > maxAttempts:
		return fmt.Errorf("%d attempts; there are at most %d", len(e.Earlier)+1, maxAttempts)
	}
	for _, a := range e.Earlier {
		if a.Connection < -1 || a.Connection > MaxID || a.Number < 0 || !within(b.far, a.Sent) {
			return errors.New("an attempt is out of bounds")
		}
	}
	return nil
}

// check reports what no end of a stream can be.
func (e StreamEnd) check() error {
	if e.Lost < 0 || !within(ofStream.far, linger.Known(e.Ended)) {
		return errors.New("a stream that ends there, or lost so many, is none")
	}
	return nil
}

// check reports what no flight can be, of so many connections.
func (f *Flight) check(connections int) error {
	switch {
	case f.Connection < 0 || f.Connection >= connections:
		return fmt.Errorf("it is of connection %d of %d", f.Connection+1, connections)
	case f.By != AtClient && f.By != AtServer:
		return fmt.Errorf("%q sent it, which is neither client nor server", f.By)
	}
	for _, at := range []linger.Micros{f.Sent, f.SentLast, f.Arrived, f.ArrivedLast} {
		if !within(longest, linger.Known(linger.Instant(at))) {
			return errors.New("an instant is out of bounds")
		}
	}
	for _, n := range []int64{f.Packets, f.Payload, f.SYN, f.FIN, f.RST, f.Again, f.Lost} {
		if n < 0 || n > maxCount {
			return errors.New("a count is out of bounds")
		}
	}
	return nil
}

// counts reports whether each count is one.
func (f Flow) counts() bool {
	for _, n := range []int64{f.Packets, f.Header, f.Payload, f.SYN, f.FIN, f.RST, f.Initial, f.Retransmitted, f.RetransmittedBytes, f.Stalls, int64(f.Stalled.Or(0) / time.Microsecond), f.DroppedQueue, f.DroppedLoss} {
		if n < 0 || n > maxCount {
			return false
		}
	}
	return true
}

// counts reports whether each number is one.
func (f Frames) counts() bool {
	return f.First >= 0 && f.First <= MaxID && f.Last >= 0 && f.Last <= MaxID && f.FirstFile >= 0 && f.LastFile >= 0
}

// within reports whether all instants that are known are near enough.
func within(far linger.Instant, instants ...linger.Opt[linger.Instant]) bool {
	for _, at := range instants {
		if v, ok := at.Get(); ok && (v < -far || v > far) {
			return false
		}
	}
	return true
}

// Check reports why no file of records would take the connection.
func (c *Connection) Check() error { return c.check(ofStream) }

// Check reports why no file of records would take the exchange.
func (e *Exchange) Check() error { return e.check(ofStream) }
