package policy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
)

// rtt is the round trip of the world in which these tests take place.
const rtt = 100 * time.Millisecond

// A world runs a Client in virtual time: a handshake takes one round trip, an
// exchange another, rates have no limit. What the server does otherwise, its
// test says. Every command goes into the transcript.
type world struct {
	t      *testing.T
	client *Client
	now    linger.Instant
	due    []happening
	conns  []*peer
	log    []string
	loaded linger.Instant // when all was settled

	// connect returns why connection id is refused, and whether it is answered at all.
	connect func(id int) (refused string, silent bool)
	// early says that connection id takes early data, half a round trip before it
	// is connected.
	early func(id int) bool
	// streams is how many requests a connection allows; nil is not said.
	streams func(id int) int
	// respond says what becomes of the n-th request, from 1, on connection id.
	respond func(id, n, e int) reply
	// datagrams says that what is not over TCP has no handshake.
	datagrams bool
}

type happening struct {
	at linger.Instant
	do func()
}

// A peer is the server's side of a connection.
type peer struct {
	origin   int
	requests int
	closed   bool // by either side
	stream   bool // of TCP, beside datagrams
}

// A reply is what the server does about a request. The zero value answers it in
// full after a round trip and keeps the connection.
type reply struct {
	closes    bool // the server closes, in place of an answer
	begins    bool // the first byte comes before whatever else
	silent    bool // nothing comes
	refuses   bool // the answer is 408
	unsent    bool // the connection's end is noticed before the request has left
	last      bool // the answer announces the close, which follows
	stays     bool // after such an answer no close follows
	then      bool // the server closes behind the answer, without a word
	rejected  string
	resets    bool          // the stream is reset, after it may have been processed
	unopened  bool          // the stream is refused
	goAway    []int         // the server says GOAWAY before it answers, and refuses these
	delay     time.Duration // of the answer
	truncated bool          // the answer does not fit
}

func newWorld(t *testing.T, w linger.Workload, s linger.Strategy, l Limits) *world {
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	return &world{
		t:       t,
		client:  NewClient(w, s, l),
		connect: func(int) (string, bool) { return "", false },
		early:   func(int) bool { return false },
		respond: func(int, int, int) reply { return reply{} },
	}
}

// run plays until the client has finished, and returns the transcript.
func (w *world) run() string {
	w.client.HandleStart(0)
	w.obey()
	for steps := 0; !w.client.Finished(); steps++ {
		next := w.client.NextTimeout()
		if len(w.due) > 0 && w.due[0].at <= next {
			h := w.due[0]
			w.due = w.due[1:]
			w.now = h.at
			h.do()
		} else if next != linger.Never {
			w.now = next
			w.client.HandleTimeout(next)
		} else {
			w.t.Fatalf("the client waits for nothing:\n%s", w.transcript())
		}
		w.obey()
		if steps > 10_000 {
			w.t.Fatalf("the client never finishes:\n%s", w.transcript())
		}
	}
	return w.transcript()
}

func (w *world) transcript() string { return strings.Join(w.log, "\n") }

func (w *world) after(d time.Duration, do func()) {
	h := happening{w.now.Add(d), do}
	i, _ := slices.BinarySearchFunc(w.due, h, func(a, b happening) int { return cmp.Or(cmp.Compare(a.at, b.at), -1) })
	w.due = slices.Insert(w.due, i, h)
}

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%d ", w.now/1e6)+fmt.Sprintf(format, args...))
}

func (w *world) obey() {
	for cmd, ok := w.client.Poll(); ok; cmd, ok = w.client.Poll() {
		id := cmd.Conn
		switch cmd.Kind {
		case Dial:
			what := ""
			if cmd.Stream {
				what = " over TCP"
			}
			w.say("dial %d%s", id, what)
			if id != len(w.conns) {
				w.t.Fatalf("connection %d follows %d", id, len(w.conns)-1)
			}
			w.conns = append(w.conns, &peer{stream: cmd.Stream, origin: cmd.Origin})
			if w.early(id) {
				w.on(id, 0, func() { w.client.HandleEarly(w.now, id) })
			}
			switch refused, silent := w.connect(id); {
			case silent:
			case refused != "":
				w.on(id, rtt, func() { w.conns[id].closed = true; w.client.HandleDialFailed(w.now, id, refused) })
			default:
				if w.streams != nil {
					w.client.HandleStreams(w.now, id, w.streams(id))
				}
				handshake := rtt
				if w.datagrams && !cmd.Stream {
					handshake = 0
				}
				w.on(id, handshake, func() { w.client.HandleConnected(w.now, id) })
			}
		case Send:
			last := ""
			if cmd.Last {
				last = ", last"
			}
			if cmd.Again {
				last = " again"
			}
			w.say("send %d on %d%s", cmd.Exchange, id, last)
			if of := w.client.page.workload.Exchanges[cmd.Exchange].Origin; of != w.conns[id].origin {
				w.t.Errorf("exchange %d of origin %d is sent to origin %d", cmd.Exchange, of, w.conns[id].origin)
			}
			w.serve(id, cmd.Exchange)
		case Close:
			w.say("close %d: %s", id, cmd.Reason)
			w.conns[id].closed = true
		case Fail:
			w.say("fail %d: %s", cmd.Exchange, cmd.Reason)
		}
	}
	if w.loaded == 0 && w.client.Loaded() {
		w.loaded = w.now
	}
}

// on does something about a connection later, unless it is closed by then.
func (w *world) on(id int, d time.Duration, do func()) {
	w.after(d, func() {
		if !w.conns[id].closed {
			do()
		}
	})
}

func (w *world) serve(id, e int) {
	k := w.conns[id]
	k.requests++
	r := w.respond(id, k.requests, e)
	if !r.unsent {
		w.client.HandleSent(w.now, id, e)
	}
	if r.begins {
		w.on(id, rtt, func() { w.client.HandleBody(w.now, id, e, 0) })
	}
	closes := func(reason string) {
		w.on(id, rtt, func() { w.client.HandleClosed(w.now, id, ClosedByPeer, reason) })
	}
	if r.goAway != nil {
		w.on(id, rtt, func() { w.client.HandleGoAway(w.now, id, r.goAway, "goodbye") })
	}
	switch {
	case r.silent:
	case r.truncated:
		w.on(id, rtt, func() { w.client.HandleTruncated(w.now, id, e) })
	case r.resets || r.unopened:
		w.on(id, rtt, func() { w.client.HandleReset(w.now, id, e, r.unopened, "reset") })
	case r.closes:
		closes("server closed")
	case r.refuses:
		w.on(id, rtt, func() { w.client.HandleRefused(w.now, id) })
	default:
		w.on(id, rtt+r.delay, func() {
			if r.rejected != "" {
				w.client.HandleRejected(w.now, id, e, !r.last, r.rejected)
			} else {
				w.client.HandleResponse(w.now, id, e, !r.last)
			}
		})
		if r.then || r.last && !r.stays {
			closes("server closed")
		}
	}
}

func strategy(t testing.TB, name string) linger.Strategy {
	s, err := linger.ParseStrategy(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// objects is a page that names n objects with its last byte.
func objects(n int) linger.Workload {
	w := linger.Workload{Name: "objects", Exchanges: []linger.Exchange{get(linger.NoParent)}}
	for range n {
		w.Exchanges = append(w.Exchanges, get(0))
	}
	return number(w)
}

// flat is n exchanges that are all known from the start.
func flat(n int) linger.Workload {
	w := linger.Workload{Name: "flat"}
	for range n {
		w.Exchanges = append(w.Exchanges, get(linger.NoParent))
	}
	return number(w)
}

func get(parent int) linger.Exchange {
	e := linger.Exchange{Method: "GET", Status: 200, ResponseBody: 1000, Parent: parent}
	if parent != linger.NoParent {
		e.At = 1000
	}
	return e
}

func number(w linger.Workload) linger.Workload {
	for i := range w.Exchanges {
		w.Exchanges[i].Path = fmt.Sprintf("/%d", i)
	}
	return w
}

// TestClient holds what the client does against transcripts: each command with
// the millisecond in which it comes.
func TestClient(t *testing.T) {
	limits := Limits{Connect: 3 * time.Second, Stall: 5 * time.Second, Linger: time.Second}
	post := func(w linger.Workload, i int) linger.Workload {
		w.Exchanges[i].Method = "POST"
		return w
	}
	later := func(w linger.Workload, i int, think time.Duration) linger.Workload {
		w.Exchanges[i].Think = think
		return w
	}
	for _, test := range []struct {
		name     string
		workload linger.Workload
		strategy string
		change   func(*linger.Strategy)
		connect  func(id int) (string, bool)
		early    func(id int) bool
		streams  func(id int) int
		respond  func(id, n, e int) reply
		retries  int
		want     string
	}{
		{name: "close", workload: objects(2), strategy: "close",
			respond: func(int, int, int) reply { return reply{last: true} }, want: `
0 dial 0
100 send 0 on 0, last
200 dial 1
200 close 0: server closed
300 send 1 on 1, last
400 dial 2
400 close 1: server closed
500 send 2 on 2, last
600 close 2: server closed`},
		{name: "close, three at once", workload: objects(4), strategy: "close:3",
			respond: func(int, int, int) reply { return reply{last: true} }, want: `
0 dial 0
100 send 0 on 0, last
200 dial 1
200 dial 2
200 dial 3
200 close 0: server closed
300 send 1 on 1, last
300 send 2 on 2, last
300 send 3 on 3, last
400 dial 4
400 close 1: server closed
400 close 2: server closed
400 close 3: server closed
500 send 4 on 4, last
600 close 4: server closed`},
		{name: "close, HTTP/1.0", workload: flat(2), strategy: "close+1.0",
			respond: func(int, int, int) reply { return reply{last: true} }, want: `
0 dial 0
100 send 0 on 0, last
200 dial 1
200 close 0: server closed
300 send 1 on 1, last
400 close 1: server closed`},
		{name: "keep", workload: objects(2), strategy: "keep", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 send 2 on 0
400 close 0: all is fetched`},
		{name: "keep, HTTP/1.0", workload: flat(2), strategy: "keep+1.0", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: all is fetched`},
		{name: "keep six: no more connections than requests", workload: objects(3), strategy: "keep:6", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
200 dial 1
200 dial 2
300 send 2 on 0
300 send 3 on 1
400 close 0: all is fetched
400 close 1: all is fetched
400 close 2: all is fetched`},
		{name: "pipeline", workload: objects(3), strategy: "pipeline", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
200 send 2 on 0
200 send 3 on 0
300 close 0: all is fetched`},
		{name: "pipeline on two: each takes its share", workload: objects(4), strategy: "pipeline:2", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
200 send 2 on 0
200 dial 1
300 send 3 on 0
300 send 4 on 1
400 close 0: all is fetched
400 close 1: all is fetched`},
		{name: "discovery by bytes", workload: func() linger.Workload {
			w := objects(2)
			w.Exchanges[1].At = 0
			return w
		}(), strategy: "keep:2", respond: func(_, _, e int) reply { return reply{begins: e == 0, silent: e == 0} }, want: `
0 dial 0
100 send 0 on 0
200 dial 1
300 send 1 on 1
5200 close 0: no byte of the response for 5s
5200 fail 0: no byte of the response for 5s
5200 fail 2: not known: the exchange that names it failed
5200 close 1: all is fetched`},
		{name: "think time", workload: later(flat(2), 0, time.Second), strategy: "keep", want: `
0 dial 0
100 send 1 on 0
1000 send 0 on 0
1100 close 0: all is fetched`},
		{name: "requests per connection", workload: flat(3), strategy: "pipeline",
			change: func(s *linger.Strategy) { s.MaxRequests = 2 }, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0, last
200 dial 1
300 send 2 on 1
400 close 1: all is fetched
1200 close 0: server did not close within 1s of the last response`},
		{name: "idle limit of the client", workload: later(flat(2), 1, time.Second), strategy: "keep", change: func(s *linger.Strategy) { s.IdleTimeout = 300 * time.Millisecond }, want: `
0 dial 0
100 send 0 on 0
500 close 0: idle for 300ms
1000 dial 1
1100 send 1 on 1
1200 close 1: all is fetched`},
		{name: "the idle race: asked again on a new connection", workload: flat(2), strategy: "keep",
			respond: func(id, n, _ int) reply { return reply{closes: id == 0 && n == 2} }, retries: 1, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server closed
300 dial 1
400 send 1 on 1
500 close 1: all is fetched`},
		{name: "asked again once", workload: flat(3), strategy: "keep",
			respond: func(_, _, e int) reply { return reply{closes: e == 1} }, retries: 1, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server closed
300 dial 1
400 send 1 on 1
500 close 1: server closed
500 fail 1: server closed
500 dial 2
600 send 2 on 2
700 close 2: all is fetched`},
		{name: "asked again on a new connection, though another is kept", workload: later(flat(3), 2, 250*time.Millisecond), strategy: "keep:2", respond: func(id, n, _ int) reply { return reply{closes: id < 2 && n == 2} }, retries: 1, want: `
0 dial 0
0 dial 1
100 send 0 on 0
100 send 1 on 1
250 send 2 on 0
350 close 0: server closed
350 dial 2
450 send 2 on 2
550 close 1: all is fetched
550 close 2: all is fetched`},
		{name: "a first request is not asked again", workload: flat(2), strategy: "keep",
			respond: func(_, _, e int) reply { return reply{closes: e == 0} }, want: `
0 dial 0
100 send 0 on 0
200 close 0: server closed
200 fail 0: server closed
200 dial 1
300 send 1 on 1
400 close 1: all is fetched`},
		{name: "POST is not asked again", workload: post(flat(2), 1), strategy: "keep",
			respond: func(_, n, _ int) reply { return reply{closes: n == 2} }, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server closed
300 fail 1: server closed`},
		{name: "POST that has not left is asked elsewhere, which is no retry", workload: post(flat(2), 1), strategy: "keep",
			respond: func(id, n, _ int) reply { return reply{closes: n == 2, unsent: n == 2} }, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server closed
300 dial 1
400 send 1 on 1
500 close 1: all is fetched`},
		{name: "POST is not pipelined, nor anything behind it", workload: post(flat(4), 1), strategy: "pipeline", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 send 2 on 0
300 send 3 on 0
400 close 0: all is fetched`},
		{name: "what has begun is not asked again", workload: flat(2), strategy: "keep",
			respond: func(_, n, _ int) reply { return reply{begins: n == 2, closes: n == 2} }, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server closed
300 fail 1: server closed`},
		{name: "408 came before the request did", workload: flat(2), strategy: "keep",
			respond: func(id, n, _ int) reply { return reply{refuses: id == 0 && n == 2, begins: true} }, retries: 1, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 close 0: server answered 408: it gave up waiting for a request
300 dial 1
400 send 1 on 1
500 close 1: all is fetched`},
		{name: "after a pipeline that failed, one request first", workload: flat(5), strategy: "pipeline",
			respond: func(id, n, _ int) reply { return reply{closes: id == 0 && n == 3, silent: id == 0 && n > 3} }, retries: 3, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
100 send 3 on 0
100 send 4 on 0
200 close 0: server closed
200 dial 1
300 send 2 on 1
400 send 3 on 1
400 send 4 on 1
500 close 1: all is fetched`},
		{name: "what was announced not to be answered is no retry", workload: flat(4), strategy: "pipeline",
			respond: func(id, n, _ int) reply { return reply{last: id == 0 && n == 2, silent: id == 0 && n > 2} }, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
100 send 3 on 0
200 dial 1
200 close 0: server closed
300 send 2 on 1
300 send 3 on 1
400 close 1: all is fetched`},
		{name: "the server closes what it had not announced to close", workload: later(flat(2), 1, time.Second), strategy: "keep", respond: func(_, n, _ int) reply { return reply{then: true} }, want: `
0 dial 0
100 send 0 on 0
200 close 0: server closed
1000 dial 1
1100 send 1 on 1
1200 close 1: all is fetched`},
		{name: "the server does not close what it has announced to", workload: flat(1), strategy: "close",
			respond: func(int, int, int) reply { return reply{last: true, stays: true} }, want: `
0 dial 0
100 send 0 on 0, last
1200 close 0: server did not close within 1s of the last response`},
		{name: "a wrong response leaves its connection", workload: objects(1), strategy: "keep",
			respond: func(_, _, e int) reply { return reply{rejected: "status 404, not 200"} }, want: `
0 dial 0
100 send 0 on 0
200 fail 0: status 404, not 200
200 fail 1: not known: the exchange that names it failed
200 close 0: all is fetched`},
		{name: "children of children fail", workload: func() linger.Workload {
			w := objects(2)
			w.Exchanges[2].Parent = 1
			return w
		}(), strategy: "keep", respond: func(_, _, e int) reply { return reply{closes: true} }, want: `
0 dial 0
100 send 0 on 0
200 close 0: server closed
200 fail 0: server closed
200 fail 1: not known: the exchange that names it failed
200 fail 2: not known: the exchange that names it failed`},
		{name: "nobody there", workload: flat(2), strategy: "keep",
			connect: func(int) (string, bool) { return "refused", false }, want: `
0 dial 0
100 fail 0: refused
100 dial 1
200 fail 1: refused`},
		{name: "fewer connections than allowed", workload: objects(3), strategy: "keep:3",
			connect: func(id int) (string, bool) { return []string{"", "refused", "refused"}[id], false }, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
200 dial 1
200 dial 2
300 send 2 on 0
400 send 3 on 0
500 close 0: all is fetched`},
		{name: "no answer to two SYNs at once", workload: flat(2), strategy: "keep:2",
			connect: func(int) (string, bool) { return "", true }, want: `
0 dial 0
0 dial 1
3000 close 0: no answer to SYN
3000 fail 0: connect timed out after 3s
3000 close 1: no answer to SYN
3000 fail 1: connect timed out after 3s`},
		{name: "multiplexed: all at once, answers in any order", workload: objects(3), strategy: "h2",
			respond: func(_, _, e int) reply { return reply{delay: time.Duration(5-e) * 10 * time.Millisecond} }, want: `
0 dial 0
100 send 0 on 0
250 send 1 on 0
250 send 2 on 0
250 send 3 on 0
390 close 0: all is fetched`},
		{name: "multiplexed on two: each takes its share", workload: objects(4), strategy: "h2:2", want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
200 send 2 on 0
200 dial 1
300 send 3 on 0
300 send 4 on 1
400 close 0: all is fetched
400 close 1: all is fetched`},
		{name: "multiplexed: POST goes along with the others", workload: post(flat(3), 1), strategy: "h2", want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
200 close 0: all is fetched`},
		{name: "stream limit of one", workload: flat(3), strategy: "h2", streams: func(int) int { return 1 }, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 send 2 on 0
400 close 0: all is fetched`},
		{name: "stream limit of two, and a connection more", workload: flat(5), strategy: "h2:2", streams: func(int) int { return 2 }, want: `
0 dial 0
0 dial 1
100 send 0 on 0
100 send 1 on 0
100 send 2 on 1
100 send 3 on 1
200 send 4 on 0
300 close 0: all is fetched
300 close 1: all is fetched`},
		{name: "stream limit of none", workload: flat(2), strategy: "h2", streams: func(int) int { return 0 }, want: `
0 dial 0
5100 close 0: server allows no request
5100 fail 0: the server allowed no request for 5s
5100 dial 1
10200 close 1: server allows no request
10200 fail 1: the server allowed no request for 5s`},
		{name: "stream limit of none on one of two", workload: flat(2), strategy: "h2:2", streams: func(id int) int { return 10 * id }, want: `
0 dial 0
0 dial 1
100 send 0 on 1
200 send 1 on 1
300 close 0: all is fetched
300 close 1: all is fetched`},
		{name: "GOAWAY at once, always", workload: flat(2), strategy: "h2",
			respond: func(int, int, int) reply { return reply{silent: true, goAway: []int{0, 1}} }, retries: 2, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
200 close 0: goodbye
200 dial 1
300 send 0 on 1
300 send 1 on 1
400 fail 0: goodbye
400 fail 1: goodbye
400 close 1: goodbye`},
		{name: "GOAWAY midway: what it leaves out is asked elsewhere, in order", workload: post(flat(4), 3), strategy: "h2",
			respond: func(id, _, e int) reply {
				r := reply{silent: id == 0 && e > 1, delay: time.Duration(e) * 10 * time.Millisecond}
				if id == 0 && e == 1 {
					r.goAway = []int{2, 3}
				}
				return r
			}, retries: 2, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
100 send 3 on 0
200 dial 1
210 close 0: server had said goodbye, and the last response is there
300 send 2 on 1
300 send 3 on 1
430 close 1: all is fetched`},
		{name: "GOAWAY on an idle connection", workload: later(flat(2), 1, time.Second), strategy: "h2", respond: func(id, _, e int) reply {
			if id == 0 {
				return reply{goAway: []int{}, delay: time.Millisecond}
			}
			return reply{}
		}, want: `
0 dial 0
100 send 0 on 0
201 close 0: server had said goodbye, and the last response is there
1000 dial 1
1100 send 1 on 1
1200 close 1: all is fetched`},
		{name: "refused streams are asked again, once", workload: flat(3), strategy: "h2",
			respond: func(_, n, e int) reply { return reply{unopened: e == 1 || n == 3} }, retries: 2, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
200 send 1 on 0
200 send 2 on 0
300 fail 1: reset
300 close 0: all is fetched`},
		{name: "a refused POST is asked again too", workload: post(flat(1), 0), strategy: "h2",
			respond: func(_, n, _ int) reply { return reply{unopened: n == 1} }, retries: 1, want: `
0 dial 0
100 send 0 on 0
200 send 0 on 0
300 close 0: all is fetched`},
		{name: "each stream reset: each fails, its connection goes on", workload: flat(3), strategy: "h2",
			respond: func(_, _, e int) reply { return reply{resets: true} }, streams: func(int) int { return 2 }, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
200 fail 0: reset
200 send 2 on 0
200 fail 1: reset
300 fail 2: reset
300 close 0: all is fetched`},
		{name: "multiplexed requests per connection", workload: flat(3), strategy: "h2",
			change:  func(s *linger.Strategy) { s.MaxRequests = 2 },
			respond: func(_, _, e int) reply { return reply{resets: e == 1, delay: time.Duration(e)} }, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0, last
200 fail 1: reset
200 close 0: it has carried all the requests that it may
200 dial 1
300 send 2 on 1
400 close 1: all is fetched`},
		{name: "the end of a connection that has answered: all are asked again, but POST and what has begun", workload: post(flat(5), 3), strategy: "h2",
			respond: func(id, _, e int) reply {
				r := reply{silent: id == 0 && e > 0, begins: e == 2}
				if id == 0 && e == 4 {
					return reply{closes: true}
				}
				return r
			}, retries: 2, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
100 send 3 on 0
100 send 4 on 0
200 close 0: server closed
200 fail 2: server closed
200 fail 3: server closed
200 dial 1
300 send 1 on 1
300 send 4 on 1
400 close 1: all is fetched`},
		{name: "silence fails all streams", workload: flat(3), strategy: "h2",
			respond: func(_, n, _ int) reply { return reply{silent: n > 1} }, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
5200 close 0: no byte of the response for 5s
5200 fail 1: no byte of the response for 5s
5200 fail 2: no byte of the response for 5s`},
		{name: "early data: safe requests at once, others after the handshake", workload: post(flat(3), 1), strategy: "h3+0rtt",
			early: func(int) bool { return true }, want: `
0 dial 0
0 send 0 on 0
100 send 1 on 0
100 send 2 on 0
200 close 0: all is fetched`},
		{name: "early data, and no end of the handshake", workload: flat(2), strategy: "h3+0rtt",
			early:   func(int) bool { return true },
			connect: func(int) (string, bool) { return "", true },
			respond: func(int, int, int) reply { return reply{silent: true} }, want: `
0 dial 0
0 send 0 on 0
0 send 1 on 0
3000 close 0: no answer over UDP within 3s; it may be blocked, or the server has no HTTP/3
3000 fail 0: no answer over UDP within 3s; it may be blocked, or the server has no HTTP/3
3000 fail 1: no answer over UDP within 3s; it may be blocked, or the server has no HTTP/3`},
		{name: "early data, then no connection", workload: post(flat(2), 1), strategy: "h3+0rtt",
			early:   func(int) bool { return true },
			connect: func(id int) (string, bool) { return []string{"refused", ""}[id], false },
			respond: func(id, _, _ int) reply { return reply{silent: id == 0} }, want: `
0 dial 0
0 send 0 on 0
100 close 0: refused
100 fail 0: refused
100 dial 1
200 send 1 on 1
300 close 1: all is fetched`},
		{name: "silence fails one, and the rest goes elsewhere", workload: flat(3), strategy: "pipeline",
			respond: func(id, n, _ int) reply { return reply{silent: id == 0 && n > 1} }, retries: 1, want: `
0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
5200 close 0: no byte of the response for 5s
5200 fail 1: no byte of the response for 5s
5200 dial 1
5300 send 2 on 1
5400 close 1: all is fetched`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := strategy(t, test.strategy)
			if test.change != nil {
				test.change(&s)
			}
			w := newWorld(t, test.workload, s, limits)
			if test.connect != nil {
				w.connect = test.connect
			}
			if test.respond != nil {
				w.respond = test.respond
			}
			if test.early != nil {
				w.early = test.early
			}
			w.streams = test.streams
			if got := w.run(); got != strings.TrimPrefix(test.want, "\n") {
				t.Errorf("got\n%s\nwant%s", got, test.want)
			}
			if got := w.client.Retries(); got != test.retries {
				t.Errorf("%d retries, want %d", got, test.retries)
			}
		})
	}
}

func TestAdd(t *testing.T) {
	given := flat(1)
	w := newWorld(t, given, strategy(t, "keep"), Limits{})
	w.respond = func(_, _, e int) reply {
		if e == 0 {
			w.on(0, rtt, func() {
				if i := w.client.Add(w.now, linger.Exchange{Method: "GET", Path: "/found", Think: rtt}); i != 1 {
					t.Errorf("index %d, want 1", i)
				}
			})
		}
		return reply{}
	}
	const want = "0 dial 0\n100 send 0 on 0\n300 send 1 on 0\n400 close 0: all is fetched"
	if got := w.run(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if at, ok := w.client.Wanted(1).Get(); !ok || at.Milliseconds() != 300 {
		t.Errorf("wanted since %d, %v", at, ok)
	}
	if len(given.Exchanges) != 1 {
		t.Error("the caller's workload has changed")
	}
}

func TestWanted(t *testing.T) {
	w := newWorld(t, objects(1), strategy(t, "keep"), Limits{})
	w.respond = func(int, int, int) reply { return reply{closes: true} }
	w.run()
	if at, ok := w.client.Wanted(0).Get(); at != 0 || !ok {
		t.Errorf("the page is wanted since %d, %v", at, ok)
	}
	if at, ok := w.client.Wanted(1).Get(); ok {
		t.Errorf("what never became known is wanted since %d", at)
	}
}

// TestUpload says that a request may leave for longer than a response may stall.
func TestUpload(t *testing.T) {
	c := NewClient(flat(1), strategy(t, "keep"), Limits{Stall: time.Second})
	c.HandleStart(0)
	c.HandleConnected(0, 0)
	for now := linger.Instant(0); now < linger.Instant(time.Minute); now = now.Add(900 * time.Millisecond) {
		c.HandleSent(now, 0, 0)
		if got := c.NextTimeout(); got != now.Add(time.Second) {
			t.Fatalf("time limit at %d, %d after the last byte", got, got.Sub(now))
		}
	}
}

// TestTextbook has the closed forms of the classic exercise, "Computer Networking:
// A Top-Down Approach", chapter 2, problem 8: a page of negligible size that names
// objects of negligible size, time in round trips, without that of DNS. The
// answers for 3 objects are those of published solutions; the others are the same
// arithmetic, which the comment at each form gives.
func TestTextbook(t *testing.T) {
	for _, test := range []struct {
		objects  int
		strategy string
		want     int
	}{
		{3, "close", 8},    // 2 + 2n
		{3, "close:5", 4},  // 2 + 2⌈n/5⌉
		{3, "pipeline", 3}, // 2 + 1
		{8, "close", 18},
		{8, "close:6", 6},
		{8, "pipeline", 3},
		{8, "keep", 10}, // 2 + n
		{10, "close", 22},
		{10, "close:4", 8},
		{10, "keep", 12},
		{10, "pipeline", 3},
	} {
		w := newWorld(t, objects(test.objects), strategy(t, test.strategy), DefaultLimits)
		if !strings.HasPrefix(test.strategy, "close") {
			w.respond = func(int, int, int) reply { return reply{} }
		} else {
			w.respond = func(int, int, int) reply { return reply{last: true} }
		}
		w.run()
		if got := w.now; got != linger.Instant(test.want)*linger.Instant(rtt) {
			t.Errorf("%d objects, %s: %.2f round trips, want %d", test.objects, test.strategy, float64(got)/float64(rtt), test.want)
		}
	}
}

func TestPersists(t *testing.T) {
	for _, test := range []struct {
		version    string
		connection []string
		want       bool
	}{
		{"1.1", nil, true},
		{"1.1", []string{"close"}, false},
		{"1.1", []string{"keep-alive, Close"}, false},
		{"1.1", []string{"Upgrade", "x,\tCLOSE ,y"}, false},
		{"1.1", []string{"closed"}, true},
		{"1.0", nil, false},
		{"1.0", []string{"Keep-Alive"}, true},
		{"1.0", []string{"keep-alive", "close"}, false},
		{"1.0", []string{"keep-alive=1"}, false},
	} {
		if got := Persists(test.version, test.connection); got != test.want {
			t.Errorf("HTTP/%s with Connection %q persists: %v", test.version, test.connection, got)
		}
	}
}

// FuzzClient lets anything happen in any order, also what cannot, and then has
// the world behave until the client is done. No exchange of any visit is lost or settled
// twice, no command is about a connection that is not there, and there are never
// more connections than allowed.
func FuzzClient(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), uint8(0), uint8(0))
	f.Add([]byte("\x00\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0"), uint8(4), uint8(3))
	f.Add([]byte("\x00\x01\x0e\x02\x0b\x03\x0c\x04\x0d\x05\x03\x06\x0a\x07\x0c\x08\x04\x09\x0d\x0a"), uint8(7), uint8(2))
	f.Fuzz(walk)
}

// TestClientWalks does it for members of a crowd, a thousand times at random.
func TestClientWalks(t *testing.T) {
	r := rand.New(rand.NewPCG(18, 0))
	for i := range 1000 {
		events := make([]byte, r.IntN(400))
		for i := range events {
			events[i] = byte(r.Uint32())
		}
		walk(t, events, uint8(i), uint8(r.Uint32()))
	}
}

// walk has a client load a page with so many events happening, by one of the strategies, and
// with limits and a number of visits that the seed says.
func walk(t *testing.T, events []byte, which, seed uint8) {
	names := []string{"close", "close:3", "keep", "keep:6", "pipeline", "pipeline:2", "keep:2", "h2", "h2:2", "h3:3+0rtt",
		"udp:3", "tcp:2", "tcp+keep", "tcp+pipeline", "doq:2+keep+0rtt"}
	w := objects(5)
	w.Exchanges = append(w.Exchanges, flat(4).Exchanges...)
	w.Exchanges[3].Parent = 1
	w.Exchanges[4].At = 10
	w.Exchanges[5].Think = 150 * time.Millisecond
	w.Exchanges[int(seed)%len(w.Exchanges)].Method = "POST"
	w = number(w)
	s := strategy(t, names[int(which)%len(names)])
	if s.DNS != "" {
		q := queries(len(w.Exchanges))
		for i, e := range w.Exchanges {
			q.Exchanges[i].Parent, q.Exchanges[i].Think = e.Parent, e.Think
		}
		w = q
	}
	s.MaxRequests = int(seed) % 4
	s.IdleTimeout = time.Duration(seed%3) * time.Second
	m := &model{t: t, visits: int(seed)/32%4 + 1, s: s, settled: make([]string, len(w.Exchanges))}
	crowd := linger.Crowd{Visits: m.visits, Think: linger.Think{Most: time.Duration(seed%4) * time.Second, Random: false}}
	m.c = NewMember(w, s, Limits{Connect: time.Second, Stall: time.Second, Linger: time.Second,
		Repeat: 300 * time.Millisecond, Sends: 3, Pace: time.Duration(seed%2) * 10 * time.Millisecond}, member(t, crowd))
	m.c.HandleStart(0)
	m.obey()
	for i := 0; i+1 < len(events) && !m.c.Finished(); i += 2 {
		m.now = m.now.Add(time.Duration(events[i+1]) * time.Millisecond)
		m.happen(int(events[i])%happenings, int(events[i])/happenings%(len(m.conns)+1), int64(events[i+1])*5)
		m.obey()
	}
	for steps := 0; !m.c.Finished(); steps++ {
		if steps > 2000 {
			t.Fatalf("never ends: %d conns, settled %q", len(m.conns), m.settled)
		}
		m.behave()
		m.obey()
	}
	if m.visit != m.visits {
		t.Errorf("%d visits, want %d", m.visit, m.visits)
	}
	if len(m.c.conns) > 0 {
		t.Errorf("%d handles of connections that are gone", len(m.c.conns))
	}
}

// A model is what the other side of a Client must believe.
type model struct {
	t       *testing.T
	c       *Client
	s       linger.Strategy
	now     linger.Instant
	conns   []*link
	settled []string // of the visit under way
	visits  int      // that there are to be
	visit   int      // that have ended
	ended   linger.Instant
}

// A link is a connection as the engine knows it.
type link struct {
	state       connState
	outstanding []int
	last        bool // no request may follow
	early       bool // the handshake is not done
	retired     bool // the server takes no further requests
	stream      bool // of TCP, beside datagrams
	streams     int  // that it allows; -1 is any number
}

func (m *model) obey() {
	defer m.leave()
	for cmd, ok := m.c.Poll(); ok; cmd, ok = m.c.Poll() {
		if (cmd.Kind == Fail || cmd.Kind == Send) && cmd.Visit != m.visit {
			m.leave()
		}
		if (cmd.Kind == Fail || cmd.Kind == Send) && cmd.Visit != m.visit {
			m.t.Fatalf("%+v is for visit %d, in visit %d", cmd, cmd.Visit, m.visit)
		}
		if cmd.Kind == Fail {
			m.settle(cmd.Exchange, "failed")
			if cmd.Reason == "" {
				m.t.Fatalf("exchange %d fails for no reason", cmd.Exchange)
			}
			continue
		}
		if cmd.Kind == Dial {
			if cmd.Conn != len(m.conns) {
				m.t.Fatalf("dials %d as number %d", cmd.Conn, len(m.conns))
			}
			if cmd.Stream && !m.s.Datagram {
				m.t.Fatalf("dials %d for what is too long for a datagram, and has none", cmd.Conn)
			}
			m.conns = append(m.conns, &link{streams: -1, stream: cmd.Stream})
			usable := 0
			for _, k := range m.conns {
				if k.stream == cmd.Stream && (k.state == dialing || k.state == open && !k.retired) {
					usable++
				}
			}
			if usable > m.s.Connections {
				m.t.Fatalf("%d connections, allowed are %d", usable, m.s.Connections)
			}
			continue
		}
		if cmd.Conn >= len(m.conns) || m.conns[cmd.Conn].state == gone {
			m.t.Fatalf("%+v is about a connection that is not there", cmd)
		}
		k := m.conns[cmd.Conn]
		if cmd.Kind == Close {
			k.state = gone
			continue
		}
		if cmd.Again {
			if !m.s.Datagram || k.stream || !slices.Equal(k.outstanding, []int{cmd.Exchange}) {
				m.t.Fatalf("sends %d again, which is not waited for on %d", cmd.Exchange, cmd.Conn)
			}
			continue
		}
		if k.early && !m.c.page.workload.Exchanges[cmd.Exchange].Safe() {
			m.t.Fatalf("sends %d as early data, which is not safe", cmd.Exchange)
		}
		if k.retired || k.streams >= 0 && len(k.outstanding) >= k.streams {
			m.t.Fatalf("sends %d on %d, which takes no more: %+v", cmd.Exchange, cmd.Conn, k)
		}
		if k.state != open || k.last || m.settled[cmd.Exchange] != "" {
			m.t.Fatalf("sends %d on %d, which is in state %d; it is %q", cmd.Exchange, cmd.Conn, k.state, m.settled[cmd.Exchange])
		}
		for id, other := range m.conns {
			if other.state == open && slices.Contains(other.outstanding, cmd.Exchange) {
				m.t.Fatalf("sends %d, which is under way on %d", cmd.Exchange, id)
			}
		}
		k.outstanding = append(k.outstanding, cmd.Exchange)
		k.last = cmd.Last
		if m.s.InFlight != linger.Unlimited && len(k.outstanding) > m.s.InFlight {
			m.t.Fatalf("%d requests in flight, allowed are %d", len(k.outstanding), m.s.InFlight)
		}
	}
}

// leave takes note of a visit that has ended.
func (m *model) leave() {
	v, ok := m.c.PollVisit()
	if !ok {
		return
	}
	delivered, failed := 0, 0
	for e, how := range m.settled {
		switch how {
		case "":
			m.t.Fatalf("exchange %d of visit %d is lost", e, m.visit)
		case "delivered":
			delivered++
		default:
			failed++
		}
		m.settled[e] = ""
	}
	if v.Number != m.visit || v.Requests != delivered || v.Failed != failed || (v.Why == "") != (failed == 0) ||
		v.Wanted < m.ended || v.Done < v.Wanted || v.Done > m.now {
		m.t.Fatalf("visit %d has %d delivered, %d failed, since %v until %v: %+v", m.visit, delivered, failed, m.ended, m.now, v)
	}
	m.ended = v.Done
	m.visit++
}

func (m *model) settle(e int, how string) {
	if m.settled[e] != "" {
		m.t.Fatalf("exchange %d has %s, and now has %s", e, m.settled[e], how)
	}
	m.settled[e] = how
}

// happenings is how many things can happen.
const happenings = 18

// happen does one thing, whether or not it can be in the connection's state; the
// model moves only where it can. n chooses among what it can happen to.
func (m *model) happen(what, id int, n int64) {
	var k *link
	if id < len(m.conns) {
		k = m.conns[id]
	} else {
		k = &link{state: gone}
	}
	can, due := k.state == open && len(k.outstanding) > 0, -1
	if can {
		due = k.outstanding[0]
		if m.s.Multiplexed {
			due = k.outstanding[int(n)%len(k.outstanding)]
		}
	}
	over := func() { // due is no longer outstanding
		k.outstanding = slices.DeleteFunc(k.outstanding, func(e int) bool { return e == due })
	}
	switch what {
	case 0:
		if k.state == dialing {
			k.state = open
		}
		k.early = false
		m.c.HandleConnected(m.now, id)
	case 1:
		if k.state == dialing {
			k.state = gone
		}
		m.c.HandleDialFailed(m.now, id, "refused")
	case 2:
		if can {
			m.c.HandleSent(m.now, id, k.outstanding[len(k.outstanding)-1])
		} else {
			m.c.HandleSent(m.now, id, 0)
		}
	case 3:
		m.c.HandleBody(m.now, id, due, n)
	case 4, 5, 6:
		persists := what != 5
		if can {
			over()
			if what != 6 {
				m.settle(due, "delivered")
			}
			if !m.s.Multiplexed && m.s.DNS == "" && (!persists || k.last && len(k.outstanding) == 0) {
				k.state = lingering
			}
		}
		if what == 6 {
			m.c.HandleRejected(m.now, id, due, persists, "wrong")
		} else {
			m.c.HandleResponse(m.now, id, due, persists)
		}
	case 7:
		m.c.HandleClosed(m.now, id, Cause(n%3), "closed")
		if k.state == dialing {
			k.state = gone
		}
	case 8:
		m.c.HandleRefused(m.now, id)
		if k.state == dialing {
			k.state = gone
		}
	case 9:
		m.c.HandleTimeout(m.now)
	case 10:
		m.c.HandleEstablished(id)
	}
	switch {
	case what == 16 && m.s.Datagram && !k.stream:
		over()
		m.c.HandleTruncated(m.now, id, due)
	case what == 17 && m.s.DNS != "":
		limit := time.Duration(n) * time.Millisecond
		k.retired = k.retired || limit == 0 && k.state == open
		m.c.HandleIdleLimit(m.now, id, limit)
	}
	if !m.s.Multiplexed {
		return
	}
	switch what {
	case 11:
		if k.state == dialing {
			k.state, k.early = open, true
		}
		m.c.HandleEarly(m.now, id)
	case 12:
		k.streams = int(n) % 5
		m.c.HandleStreams(m.now, id, k.streams)
	case 13:
		var refused []int
		if can {
			refused = slices.Clone(k.outstanding[int(n)%(len(k.outstanding)+1):])
			k.outstanding = k.outstanding[:len(k.outstanding)-len(refused)]
		}
		if k.state == open {
			k.retired = true
		}
		m.c.HandleGoAway(m.now, id, refused, "goodbye")
	case 14, 15:
		over()
		k.last = k.last && what == 15 // what was refused may go again
		m.c.HandleReset(m.now, id, due, what == 14, "reset")
	}
}

// behave does the next thing that a good server and network would.
func (m *model) behave() {
	for id, k := range m.conns {
		switch {
		case k.state == dialing || k.state == open && k.early:
			m.happen(0, id, 0)
		case k.state == open && len(k.outstanding) > 0:
			m.happen(4, id, 0)
		case k.state == open && k.streams == 0 && !k.retired:
			m.happen(12, id, 1)
		case k.state == lingering:
			m.happen(7, id, 0)
		default:
			continue
		}
		return
	}
	m.now = max(m.now, m.c.NextTimeout())
	if m.now == linger.Never {
		m.t.Fatal("waits for nothing")
	}
	m.c.HandleTimeout(m.now)
}

// TestBarren has servers that let no request come about. Each connection that ends
// like that settles an exchange, so that the client comes to an end.
func TestBarren(t *testing.T) {
	for name, end := range map[string]func(c *Client, id int){
		"says goodbye":    func(c *Client, id int) { c.HandleGoAway(0, id, nil, "goodbye") },
		"closes":          func(c *Client, id int) { c.HandleClosed(0, id, ClosedByPeer, "closed") },
		"ends in silence": func(c *Client, _ int) { c.HandleTimeout(c.NextTimeout()) },
	} {
		c := NewClient(flat(3), strategy(t, "h2"), DefaultLimits)
		c.HandleStart(0)
		dials, fails := 0, 0
		for cmd, ok := c.Poll(); ok; cmd, ok = c.Poll() {
			switch cmd.Kind {
			case Dial:
				dials++
				c.HandleStreams(0, cmd.Conn, 0)
				c.HandleConnected(0, cmd.Conn)
				end(c, cmd.Conn)
			case Fail:
				fails++
			case Send:
				t.Fatalf("%s: sends what the server does not allow", name)
			}
		}
		if dials != 3 || fails != 3 || !c.Finished() {
			t.Errorf("a server that %s: %d connections, %d failures, finished %v", name, dials, fails, c.Finished())
		}
	}
}

// TestHandshakeTimeout says which handshake did not end.
func TestHandshakeTimeout(t *testing.T) {
	c := NewClient(flat(1), strategy(t, "keep"), Limits{Connect: time.Second})
	c.HandleStart(0)
	c.HandleEstablished(0)
	c.HandleTimeout(c.NextTimeout())
	var got []string
	for cmd, ok := c.Poll(); ok; cmd, ok = c.Poll() {
		got = append(got, cmd.Reason)
	}
	want := []string{"", "the TLS handshake did not end", "TLS handshake timed out after 1s"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
