package sim

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/sim/tcp"
)

// A backend is one server: who waits in its kernel, whom it has taken, and its cores.
type backend struct {
	world  *world
	number int
	timer  alarm.Alarm
	gate   *policy.Gate
	cores  *policy.Cores
	queue  fifo[*conn]     // the accept queue
	half   int             // handshakes under way that the kernel keeps something of
	taken  map[int64]*conn // by serial
	tally  tally
}

// addBackend begins a server that is like the others.
func (w *world) addBackend() {
	b := &backend{world: w, number: len(w.backends), gate: policy.NewGate(w.config.Capacity), cores: policy.NewCores(w.config.Capacity), taken: map[int64]*conn{}}
	b.timer = alarm.New(b.number-linger.MaxBackends-2, b) // before all ends of connections
	w.backends = append(w.backends, b)
}

// backlog is what listen(2) was told. One more than that may wait, in the accept queue
// (sk_acceptq_is_full) and in handshakes (inet_csk_reqsk_queue_is_full).
func (b *backend) backlog() int {
	return cmp.Or(b.world.config.Capacity.Backlog, policy.DefaultBacklog)
}

// ignores reports whether the kernel ignores a segment that comes to the server's end of a
// connection, since its accept queue is full: a SYN (tcp_conn_request), or what would end the
// handshake (tcp_v4_syn_recv_sock). Both are retransmitted by and by. A cookie is known again
// only by what follows the SYN (__cookie_v4_check).
func (b *backend) ignores(e *end, s *tcp.Segment) bool {
	full := b.queue.len() > b.backlog()
	switch e.tcp.State() {
	case tcp.Closed:
		return s.Flags&tcp.SYN != 0 && full
	case tcp.SynReceived:
		return s.Flags&(tcp.SYN|tcp.RST) == 0 && (full || e.cookie && s.Seq != 1)
	}
	return false
}

// shake notes that the kernel has answered the SYN of a connection: with a cookie, where as
// many handshakes are under way as may be (tcp_conn_request; tcp_syncookies is 1).
func (b *backend) shake(e *end) {
	if b.half > b.backlog() {
		e.cookie = true
		e.tcp.Cookie()
	}
}

// knock puts a connection whose handshake is done into the accept queue.
func (b *backend) knock(c *conn) {
	if l := &b.world.config.Capacity; b.world.crowd == nil && l.Workers == 0 && l.MaxConnections == 0 {
		c.host().accept(false) // nobody waits, and nobody is counted
		return
	}
	c.waiting = true
	b.queue.push(c)
	b.admit(c)
}

// admit takes connections out of the queue as far as there is room for them. That of here is
// the one whose arrival is being handled.
func (b *backend) admit(here *conn) {
	for b.queue.len() > 0 && b.gate.Room() {
		c := b.queue.pop()
		c.waiting = false
		c.accepted = linger.Known(b.world.now)
		if refused := b.gate.HandleAccept(int64(c.serial)); !refused {
			c.taken = true
			b.taken[int64(c.serial)] = c
		}
		c.host().accept(!c.taken)
		if c != here {
			c.host().awake()
		}
	}
	for id, ok := b.gate.Poll(b.queue.len()); ok; id, ok = b.gate.Poll(b.queue.len()) {
		b.taken[id].host().giveWay()
	}
}

// Wake looks for whom there is room now.
func (b *backend) Wake() {
	b.world.queues[timers].Set(&b.timer, linger.Never)
	b.admit(nil)
}

// look has the server look at its queue, once what happens now is done.
func (b *backend) look() {
	if b.queue.len() > 0 {
		b.world.queues[timers].Set(&b.timer, b.world.now)
	}
}

// leave says that the server has let go of a connection.
func (b *backend) leave(c *conn) {
	if c.taken {
		c.taken = false
		delete(b.taken, int64(c.serial))
		b.gate.HandleClosed(int64(c.serial))
		b.look()
	}
}

// restart ends all connections that the server has taken, whatever is under way on them, as a
// process does that dies, in whose place another listens on the same sockets. Those in the accept
// queue are the new one's.
func (b *backend) restart() {
	former := b.taken
	b.taken, b.gate, b.cores = map[int64]*conn{}, policy.NewGate(b.world.config.Capacity), policy.NewCores(b.world.config.Capacity)
	for _, id := range slices.Sorted(maps.Keys(former)) {
		c := former[id]
		c.taken = false
		c.host().die()
	}
	b.look()
}

// due is when the response to an exchange begins that is whole at the server now.
func (c *conn) due(exchange int) linger.Instant {
	_, end := c.backend.cores.Serve(c.party.now)
	return end.Add(c.party.scenario.Workload.Exchanges[exchange].Delay)
}

// tell has the server's gate know whether a request is under way.
func (c *conn) tell(p *policy.Server) {
	busy := p.Busy()
	switch {
	case busy == c.busy || !c.taken:
		return
	case busy:
		c.backend.gate.HandleBusy(int64(c.serial))
	default:
		c.backend.gate.HandleIdle(int64(c.serial))
		c.backend.look()
	}
	c.busy = busy
}

// A host is the server's end of a connection.
type host interface {
	// accept has the process take it, or close it at once.
	accept(refused bool)
	// awake has it read what came while it waited.
	awake()
	// giveWay closes it as an idle one, for another.
	giveWay()
	// die is the end of the process.
	die()
}

// host returns the server's end.
func (c *conn) host() host {
	if q := c.quic[server]; q != nil {
		return q
	}
	return c.ends[server]
}

// timeWait is how long a socket is in TIME_WAIT (TCP_TIMEWAIT_LEN).
const timeWait = 60 * time.Second

// A tally counts the sockets of one side.
type tally struct {
	sockets  int
	timeWait fifo[linger.Instant] // when each is over
}

// tally returns that of one side of a connection.
func (w *world) tally(c *conn, side int) *tally {
	if side == server {
		return &c.backend.tally
	}
	return &w.clients
}

// waits returns how many sockets are in TIME_WAIT.
func (t *tally) waits(now linger.Instant) int {
	for t.timeWait.len() > 0 && *t.timeWait.first() <= now {
		t.timeWait.pop()
	}
	return t.timeWait.len()
}

// A fifo is a queue whose memory is used again.
type fifo[T any] struct {
	all  []T
	head int
}

func (q *fifo[T]) len() int  { return len(q.all) - q.head }
func (q *fifo[T]) first() *T { return &q.all[q.head] }

func (q *fifo[T]) push(v T) {
	if q.head > 0 && len(q.all) == cap(q.all) {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, v)
}

func (q *fifo[T]) pop() T {
	var none T
	v := q.all[q.head]
	q.all[q.head] = none
	if q.head++; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	}
	return v
}
