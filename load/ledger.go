package load

import (
	"sync"
	"time"

	"linger"
	"linger/tally"
)

// A ledger counts what becomes of the requests and connections of one worker. Who counts holds
// its lock, for as long as it likes: others take it to look now and then.
type ledger struct {
	sync.Mutex
	requests    tally.Requests
	connections tally.Connections
	latency     *tally.Latency
	seconds     []tally.Second
	statuses    [1000]int64
	closed      map[tally.Close]int64

	// resets says that the client answers each FIN with a RST, which takes the socket out of TIME_WAIT
	// or FIN-WAIT-2 (RFC 9293, 3.10.7.4).
	resets        bool
	counting      bool
	last          linger.Instant
	open, pending int64
	// late and lateFor are requests of an open loop that were dispatched, and how much later
	// than planned that was in all, which is the generator's own doing.
	late    int64
	lateFor time.Duration
}

func newLedger(ends linger.Instant) *ledger {
	l := &ledger{last: ends}
	l.clear()
	return l
}

// clear forgets what was counted.
func (l *ledger) clear() {
	l.requests = tally.Requests{Failed: map[tally.Failure]int64{}, Unsent: map[tally.Failure]int64{}}
	l.connections = tally.Connections{Failed: map[tally.Failure]int64{}}
	l.latency = &tally.Latency{}
	l.seconds, l.statuses, l.closed = nil, [1000]int64{}, map[tally.Close]int64{}
	l.late, l.lateFor = 0, 0
}

// begin has everything counted from now on. What is open and under way stays so.
func (l *ledger) begin() {
	l.clear()
	l.counting = true
	c := &l.connections
	c.Before, c.Attempted, c.Most = l.open, l.pending, l.open
}

// A request is one under way.
type request struct {
	intended, sent, first linger.Instant // sent and first are 0 until then
	target                int32
	counted               bool
	tries                 uint8 // how often it was retried
	opened                bool  // a connection was opened for it
	last                  bool  // it asks for the connection to be closed
}

// intend counts a request that the plan has sent.
func (l *ledger) intend(r *request) {
	if r.counted = l.counting; r.counted {
		l.requests.Intended++
	}
}

// sentOne counts a request whose first byte is sent, for the first time or again.
func (l *ledger) sentOne(r *request, now linger.Instant, size int) {
	if !r.counted {
		r.sent = now
		return
	}
	l.requests.Up += int64(size)
	if r.tries > 0 {
		l.requests.Retried++
		if r.sent != 0 {
			return // its time goes from when it was sent first
		}
	}
	r.sent = now
	l.requests.Sent++
}

// answered counts a whole response.
func (l *ledger) answered(r *request, now linger.Instant, status int, right, saidClose bool) {
	if !r.counted {
		return
	}
	l.requests.Answered++
	l.statuses[min(max(status, 0), len(l.statuses)-1)]++
	if !right {
		l.requests.Wrong++
	}
	if saidClose && !r.last {
		l.connections.SaidClose++
	}
	took := int64(now - r.intended)
	l.latency.Intended.Add(took, 1)
	l.latency.Queued.Add(int64(r.sent-r.intended), 1)
	l.latency.Sent.Add(int64(now-r.sent), 1)
	if r.first != 0 {
		l.latency.First.Add(int64(r.first-r.sent), 1)
	}
	if r.opened {
		l.latency.With.Add(took, 1)
	} else {
		l.latency.Without.Add(took, 1)
	}
	if now > l.last {
		l.requests.After++
		return
	}
	s := l.second(now)
	s.Answered++
	s.Latency.Add(took, 1)
}

// second is the one that an instant is in.
func (l *ledger) second(at linger.Instant) *tally.Second {
	n := int(time.Duration(at) / time.Second)
	if len(l.seconds) == 0 {
		l.seconds = append(l.seconds, tally.Second{Second: n})
	}
	for l.seconds[len(l.seconds)-1].Second < n {
		l.seconds = append(l.seconds, tally.Second{Second: l.seconds[len(l.seconds)-1].Second + 1})
	}
	return &l.seconds[max(n-l.seconds[0].Second, 0)]
}

// failed counts a request that got no answer. One that was never sent is Unsent.
func (l *ledger) failed(r *request, now linger.Instant, kind tally.Failure) {
	if !r.counted {
		return
	}
	if r.sent == 0 {
		l.requests.Unsent[kind]++
	} else {
		l.requests.Failed[kind]++
	}
	if now <= l.last {
		l.second(now).Failed++
	}
}

// cut counts a request that is under way, or waits, at the end.
func (l *ledger) cut(r *request) {
	switch {
	case !r.counted:
	case r.sent == 0:
		l.requests.Waiting++
	default:
		l.requests.Cut++
	}
}

// attempted counts a connection that is begun.
func (l *ledger) attempted() {
	l.pending++
	l.connections.Attempted++
}

// established counts a connection whose handshakes are done.
func (l *ledger) established(now linger.Instant, took time.Duration) {
	l.pending--
	l.open++
	l.connections.Established++
	l.connections.Most = max(l.connections.Most, l.open)
	l.latency.Connecting.Add(int64(took), 1)
	if now <= l.last {
		l.second(now).Established++
	}
}

// notOpened counts a connection that failed before it was established.
func (l *ledger) notOpened(kind tally.Failure) {
	l.pending--
	l.connections.Failed[kind]++
}

// ended counts the end of a connection that had carried a number of answers.
func (l *ledger) ended(c tally.Close, carried int) {
	l.open--
	l.closed[c]++
	l.connections.Carried.Add(int64(carried), 1)
	l.waits(c)
}

// waits counts whose socket is in TIME_WAIT: that of who sent the first FIN, unless a RST came.
func (l *ledger) waits(c tally.Close) {
	switch {
	case c.With != withFIN || l.resets:
	case c.By == tally.ByClient:
		l.connections.TimeWait.Client++
	default:
		l.connections.TimeWait.Server++
	}
}

// remains counts a connection that is open at the end, and ended then.
func (l *ledger) remains(with string, carried int) {
	l.connections.Left++
	l.connections.Carried.Add(int64(carried), 1)
	l.waits(tally.Close{By: tally.ByClient, With: with})
}

// Ways in which a connection ends.
const (
	withFIN     = "fin"
	withRST     = "rst"
	withGoAway  = "goaway"
	withSilence = "silence"
)

// into adds what was counted to a run; of seconds, those from one on.
func (l *ledger) into(run *tally.Run, from int) {
	l.Lock()
	defer l.Unlock()
	r, o := &run.Requests, &l.requests
	r.Intended += o.Intended
	r.Sent += o.Sent
	r.Answered += o.Answered
	r.After += o.After
	r.Cut += o.Cut
	r.Waiting += o.Waiting
	r.Retried += o.Retried
	r.Wrong += o.Wrong
	r.Up += o.Up
	r.Down += o.Down
	r.Failed = merge(r.Failed, o.Failed)
	r.Unsent = merge(r.Unsent, o.Unsent)
	for status, n := range l.statuses {
		if n > 0 {
			r.Statuses = merge(r.Statuses, map[int]int64{status: n})
		}
	}
	c, p := &run.Connections, &l.connections
	c.Before += p.Before
	c.Attempted += p.Attempted
	c.Established += p.Established
	c.Pending += l.pending
	c.Most += p.Most
	c.Left += p.Left
	c.Full += p.Full
	c.Resumed += p.Resumed
	c.Early += p.Early
	c.SaidClose += p.SaidClose
	c.TimeWait.Client += p.TimeWait.Client
	c.TimeWait.Server += p.TimeWait.Server
	c.Failed = merge(c.Failed, p.Failed)
	c.Closed = merge(c.Closed, l.closed)
	c.Carried.Merge(&p.Carried)
	run.Latency.Merge(l.latency)
	run.Seconds = tally.MergeSeconds(run.Seconds, l.seconds, from)
}

// merge adds the counts of one map to another, which is made where there is none.
func merge[K comparable](to, from map[K]int64) map[K]int64 {
	for k, n := range from {
		if to == nil {
			to = map[K]int64{}
		}
		to[k] += n
	}
	return to
}
