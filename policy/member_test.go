package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
)

// member returns the only client of a crowd.
func member(t *testing.T, c linger.Crowd) linger.Member {
	t.Helper()
	c.Clients = 1
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c.Members(1, 0)[0]
}

// TestMember holds what a client does that loads a page of two objects several times against
// transcripts, as TestClient does, and what it tells of each visit.
func TestMember(t *testing.T) {
	limits := Limits{Connect: 3 * time.Second, Stall: 5 * time.Second, Linger: time.Second}
	second := linger.Think{Least: time.Second}
	for _, test := range []struct {
		name     string
		strategy string
		crowd    linger.Crowd
		connect  func(id int) (string, bool)
		respond  func(id, n, e int) reply
		idle     time.Duration // after which the server closes
		client   time.Duration // after which the client does
		want     string
		visits   string
	}{
		{name: "kept between visits", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second}, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
1300 send 0 on 0
1400 send 1 on 0
1500 close 0: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1500, 2 of 2000 bytes, 0 dialled"},
		{name: "not kept", strategy: "close", crowd: linger.Crowd{Visits: 2, Think: second},
			respond: func(int, int, int) reply { return reply{last: true} }, want: `
0 dial 0
100 send 0 on 0, last
200 dial 1
200 close 0: server closed
300 send 1 on 1, last
400 close 1: server closed
1400 dial 2
1500 send 0 on 2, last
1600 dial 3
1600 close 2: server closed
1700 send 1 on 3, last
1800 close 3: server closed`,
			visits: "0: 0 to 400, 2 of 2000 bytes, 2 dialled; 1: 1400 to 1800, 2 of 2000 bytes, 2 dialled"},
		{name: "the server closes between visits", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second}, idle: 500 * time.Millisecond, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
800 close 0: idle
1300 dial 1
1400 send 0 on 1
1500 send 1 on 1
1600 close 1: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1600, 2 of 2000 bytes, 1 dialled"},
		{name: "the client opens another at once", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second, Reconnect: linger.Known(time.Duration(0))}, idle: 800 * time.Millisecond, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
1100 close 0: idle
1101 dial 1
1300 send 0 on 1
1400 send 1 on 1
1500 close 1: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1500, 2 of 2000 bytes, 1 dialled"},
		{name: "the page comes before it does", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second, Reconnect: linger.Known(linger.MaxThink)}, idle: 800 * time.Millisecond, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
1100 close 0: idle
1300 dial 1
1400 send 0 on 1
1500 send 1 on 1
1600 close 1: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1600, 2 of 2000 bytes, 1 dialled"},
		{name: "the client closes between visits", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second}, client: 400 * time.Millisecond, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
700 close 0: idle for 400ms
1300 dial 1
1400 send 0 on 1
1500 send 1 on 1
1600 close 1: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1600, 2 of 2000 bytes, 1 dialled"},
		{name: "at once", strategy: "h2", crowd: linger.Crowd{Visits: 2}, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
300 send 0 on 0
400 send 1 on 0
500 close 0: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 300 to 500, 2 of 2000 bytes, 0 dialled"},
		{name: "as long as there is time", strategy: "keep", crowd: linger.Crowd{Duration: 2 * time.Second, Think: second}, want: `
0 dial 0
100 send 0 on 0
200 send 1 on 0
1300 send 0 on 0
1400 send 1 on 0
1500 close 0: all is fetched`,
			visits: "0: 0 to 300, 2 of 2000 bytes, 1 dialled; 1: 1300 to 1500, 2 of 2000 bytes, 0 dialled"},
		{name: "a page that fails is followed by another", strategy: "keep", crowd: linger.Crowd{Visits: 2, Think: second},
			connect: func(id int) (string, bool) { return map[int]string{0: "refused"}[id], false }, want: `
0 dial 0
100 fail 0: refused
100 fail 1: not known: the exchange that names it failed
1100 dial 1
1200 send 0 on 1
1300 send 1 on 1
1400 close 1: all is fetched`,
			visits: "0: 0 to 100, 0 of 0 bytes, 1 dialled, 2 failed: refused; 1: 1100 to 1400, 2 of 2000 bytes, 1 dialled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := strategy(t, test.strategy)
			s.IdleTimeout = test.client
			w := newWorld(t, objects(1), s, limits)
			w.client = NewMember(objects(1), s, limits, member(t, test.crowd))
			if test.connect != nil {
				w.connect = test.connect
			}
			w.respond = func(id, n, e int) reply {
				if e == 1 && test.idle > 0 { // the last object: the connection idles then
					w.on(id, rtt+test.idle, func() { w.client.HandleClosed(w.now, id, ClosedByPeer, "idle") })
				}
				if test.respond != nil {
					return test.respond(id, n, e)
				}
				return reply{}
			}
			if got, want := w.run(), strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := visits(w.client); got != test.visits {
				t.Errorf("got visits\n%s\nwant\n%s", got, test.visits)
			}
		})
	}
}

// visits writes what a client tells of its visits, with instants in milliseconds.
func visits(c *Client) string {
	var out []string
	for v, ok := c.PollVisit(); ok; v, ok = c.PollVisit() {
		s := fmt.Sprintf("%d: %d to %d, %d of %d bytes, %d dialled", v.Number, v.Wanted/1e6, v.Done/1e6, v.Requests, v.Bytes, v.Dialled)
		if v.Failed > 0 {
			s += fmt.Sprintf(", %d failed: %s", v.Failed, v.Why)
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// TestMemberArrives has a client that comes later, and is woken late: the page counts from when
// it was wanted.
func TestMemberArrives(t *testing.T) {
	m := linger.Alone()
	m.Arrives = linger.Instant(time.Second)
	c := NewMember(objects(0), strategy(t, "keep"), DefaultLimits, m)
	c.HandleStart(0)
	if cmd, ok := c.Poll(); ok || c.NextTimeout() != m.Arrives || c.Loaded() {
		t.Fatalf("before it comes: %+v, next at %v, loaded %v", cmd, c.NextTimeout(), c.Loaded())
	}
	if _, underWay := c.Visit(); underWay {
		t.Error("a page is under way before the client comes")
	}
	late := m.Arrives.Add(20 * time.Millisecond)
	c.HandleTimeout(late)
	if cmd, ok := c.Poll(); !ok || cmd.Kind != Dial {
		t.Fatalf("it comes, and %+v", cmd)
	}
	if v, underWay := c.Visit(); !underWay || v.Wanted != m.Arrives || v.Dialled != 1 || c.Wanted(0) != linger.Known(m.Arrives) {
		t.Errorf("under way %v: %+v, its object since %v; want %v", underWay, v, c.Wanted(0), m.Arrives)
	}
}

// TestMemberTriesAgain has a server that takes only one of six connections at first: on its next
// visit a client tries again to have as many as it may.
func TestMemberTriesAgain(t *testing.T) {
	s := strategy(t, "keep:3")
	w := newWorld(t, flat(6), s, DefaultLimits)
	w.client = NewMember(flat(6), s, DefaultLimits, member(t, linger.Crowd{Visits: 2, Think: linger.Think{Least: time.Second}}))
	w.connect = func(id int) (string, bool) {
		if id == 1 || id == 2 {
			return "refused", false
		}
		return "", false
	}
	w.run()
	if len(w.conns) != 5 {
		t.Errorf("%d connections, want 1, 2 that are refused, and 2 more on the next visit:\n%s", len(w.conns), w.transcript())
	}
}

// TestMemberMemory holds what a client has after many visits against what it has after few.
func TestMemberMemory(t *testing.T) {
	sizes := func(visits int) string {
		s := strategy(t, "close")
		c := NewMember(objects(3), s, DefaultLimits, member(t, linger.Crowd{Visits: visits, Think: linger.Think{Least: time.Second}}))
		m := &model{t: t, c: c, s: s, visits: visits, settled: make([]string, 4)}
		m.c.HandleStart(0)
		m.obey()
		for !c.Finished() {
			m.behave()
			m.obey()
		}
		return fmt.Sprint(len(c.conns), cap(c.commands.all), cap(c.visits.all), len(c.pool.conns.all), len(c.pool.pools.all), cap(c.pool.requests), cap(c.page.exchanges))
	}
	if few, many := sizes(4), sizes(200); few != many {
		t.Errorf("after 4 visits it holds %s, after 200 %s", few, many)
	}
}
