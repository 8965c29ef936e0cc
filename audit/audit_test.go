package audit

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/keepalive"
	"linger/trace"
)

// A script is connections as a table test writes them: instants are in seconds.
type script struct {
	client, server string
	at             string        // "client", "middle" or "server": where packets are seen
	trip           time.Duration // the whole one; 10 ms if none is said
	began          float64
	ended          float64
	list           []*one
}

// one is a connection. Its instants are as the client and server have them, and are moved to
// where they are seen when it becomes a record.
type one struct {
	r  trace.Connection
	xs []trace.Exchange
	s  *script
}

func instant(seconds float64) linger.Instant { return linger.Instant(seconds * 1e9) }

func known(seconds float64) linger.Opt[linger.Instant] { return linger.Known(instant(seconds)) }

// near and far are the round trips from where packets are seen to client and server.
func (s *script) near() float64 {
	t := s.whole()
	switch s.at {
	case "server":
		return t
	case "middle":
		return t / 2
	}
	return 0
}

func (s *script) whole() float64 {
	if s.trip == 0 {
		return 0.010
	}
	return s.trip.Seconds()
}

func (s *script) far() float64 { return s.whole() - s.near() }

// open adds a connection whose SYN leaves the client at an instant.
func (s *script) open(at float64) *one {
	id := int64(len(s.list))
	seen := at + s.near()/2
	c := &one{s: s, r: trace.Connection{
		ID: id, Client: fmt.Sprintf("%s:%d", or(s.client, "192.0.2.7"), 40000+id), Server: or(s.server, "192.0.2.1:80"), Origin: "shop.example", Protocol: "http/1.1",
		Dialled: instant(seen), SYN: known(seen), SYNACK: known(seen + s.far()), Established: known(seen + s.whole()), StillOpen: true,
		Up: linger.Known(trace.Flow{Packets: 4, Header: 160, SYN: 1}), Down: linger.Known(trace.Flow{Packets: 3, Header: 120, SYN: 1}),
		Stream: linger.Known(id), Frames: trace.Frames{First: 10*id + 1, Last: 10*id + 9},
	}}
	s.list = append(s.list, c)
	return c
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ask adds a request that leaves the client at an instant, whose response has come there
// after a while.
func (c *one) ask(at, takes float64) *one {
	x := trace.Exchange{
		Connection: c.r.ID, Number: len(c.xs) + 1, Method: "GET", URL: "http://shop.example/a", Status: 200, Queued: instant(at + c.s.near()/2),
		Sent: known(at + c.s.near()/2), FirstByte: known(at + takes - c.s.near()/2), Done: known(at + takes - c.s.near()/2),
		Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"},
	}
	c.xs = append(c.xs, x)
	return c
}

// encrypted adds a connection of TLS 1.2 whose exchanges nobody can read: bytes pass for half
// a second.
func (s *script) encrypted(at float64, name string, protocol linger.Protocol, certificate ...string) *one {
	c := s.open(at)
	c.r.Origin, c.r.Protocol, c.r.TLS = name, protocol, linger.Known(trace.TLS{ServerName: name, Version: "1.2", ALPN: protocol.ALPN(), Names: certificate})
	c.r.LastByte = known(at + .5)
	c.r.Up, c.r.Down = linger.Known(trace.Flow{Packets: 6, Payload: 900, SYN: 1}), linger.Known(trace.Flow{Packets: 6, Payload: 5000, SYN: 1})
	return c
}

func (c *one) last() *trace.Exchange { return &c.xs[len(c.xs)-1] }

func (c *one) asks(f func(*trace.Exchange)) *one { f(c.last()); return c }

func (c *one) asked(connection string) *one {
	c.last().Asked.Connection = connection
	return c
}

func (c *one) answered(connection string) *one {
	c.last().Answered.Connection = connection
	return c
}

// client and server close it, at their own instants.
func (c *one) client(at float64) *one { return c.close(trace.AtClient, at+c.s.near()/2, trace.FIN) }
func (c *one) server(at float64) *one { return c.close(trace.AtServer, at+c.s.far()/2, trace.FIN) }

func (c *one) close(by trace.Peer, seen float64, with trace.Signal) *one {
	c.r.Closed, c.r.ClosedBy, c.r.ClosedWith, c.r.StillOpen = known(seen), by, with, false
	c.r.Released = known(seen + c.s.whole())
	return c
}

// each plays a connection in each of so many seconds, from the first on.
func each(n int, play func(s *script, at float64)) func(*script) {
	return func(s *script) {
		for i := range n {
			play(s, float64(i+1))
		}
	}
}

// run audits the script, and returns the causes by the connections' numbers.
func (s *script) run(t *testing.T, change ...func(*Config)) (*Result, map[int64]Row) {
	t.Helper()
	rows := map[int64]Row{}
	config := Config{WhatIf: true, Began: instant(s.began), Each: func(r Row) { rows[r.ID] = r }}
	for _, f := range change {
		f(&config)
	}
	a := New(config)
	type record struct {
		at linger.Instant
		trace.Record
	}
	var all []record
	end := instant(s.ended)
	for _, c := range s.list {
		c.r.Requests = len(c.xs)
		over := c.r.Closed.Or(linger.Never)
		for i := range c.xs {
			x := &c.xs[i]
			all = append(all, record{x.Done.Or(c.r.Closed.Or(linger.Never)), trace.Record{Exchange: x}})
			end, over = max(end, x.Done.Or(0)), max(over, x.Done.Or(0))
		}
		all = append(all, record{over, trace.Record{Connection: &c.r}})
		end = max(end, c.r.Closed.Or(0), c.r.Dialled)
	}
	slices.SortStableFunc(all, func(a, b record) int { return int(max(-1, min(1, a.at-b.at))) })
	for _, r := range all {
		if r.Exchange != nil {
			a.WriteExchange(r.Exchange)
		} else {
			a.WriteConnection(r.Connection)
		}
	}
	return a.End(end), rows
}

// everywhere runs a script with its packets seen at each place.
func everywhere(t *testing.T, play func(s *script), want ...Cause) {
	t.Helper()
	for _, at := range []string{"client", "middle", "server"} {
		s := &script{at: at}
		play(s)
		_, rows := s.run(t)
		for i, w := range want {
			if w != "*" && rows[int64(i)].Cause != w {
				t.Errorf("seen at the %s: connection %d is %q (%s), want %q; others that fit: %v", at, i, rows[int64(i)].Cause, rows[int64(i)].Certainty, w, rows[int64(i)].Lost)
			}
		}
	}
}

// Each cause in several plays; the truth is known, for the play is the truth.
func TestCauses(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(s *script)
		want []Cause
	}{
		{"first: one connection", func(s *script) { s.open(1).ask(1.01, .02) }, []Cause{First}},
		{"first: one kept for many requests", func(s *script) { s.open(1).ask(1.01, .02).ask(5, .02).ask(9, .02).client(60) }, []Cause{First}},
		{"first: another client's is no reason", func(s *script) {
			s.open(1).ask(1.01, .02)
			s.client = "192.0.2.8"
			s.open(3).ask(3.01, .02)
		}, []Cause{First, First}},
		{"concurrency: three at once", func(s *script) {
			s.open(1).ask(1.01, 1)
			s.open(1.1).ask(1.11, 1)
			s.open(1.2).ask(1.21, 1)
		}, []Cause{First, Concurrency, Concurrency}},
		{"concurrency: opened while the first is being opened", func(s *script) {
			s.open(1).ask(1.01, .02)
			s.open(1.001).ask(1.02, .02)
		}, []Cause{First, Concurrency}},
		{"concurrency: the idle one is chosen at the same moment", func(s *script) {
			s.open(1).ask(1.01, .02).ask(3.001, .5)
			s.open(3).ask(3.01, .02)
		}, []Cause{First, Concurrency}},
		{"concurrency: the response comes as the SYN leaves", func(s *script) {
			s.open(1).ask(1.01, 1.9901)
			s.open(3).ask(3.01, .02)
		}, []Cause{First, Concurrency}},
		{"idle-unused: no pool, nothing is closed", func(s *script) {
			s.open(1).ask(1.01, .02).client(50)
			s.open(2).ask(2.01, .02).client(50)
			s.open(3).ask(3.01, .02).client(50)
		}, []Cause{First, IdleUnused, IdleUnused}},
		{"idle-unused: two pools, each reuses its own", func(s *script) {
			s.open(1).ask(1.01, .02).ask(2, .02).ask(3, .02)
			s.open(1.5).ask(1.51, .02).ask(2.5, .02).ask(3.5, .02)
		}, []Cause{First, IdleUnused}},
		{"idle-unused: before the place of an ended one", func(s *script) {
			s.open(1).ask(1.01, .02).ask(1.5, .02).ask(6, .02)
			s.open(1.02).ask(1.031, .02).client(3)
			s.open(5).ask(5.01, .02)
		}, []Cause{First, Concurrency, IdleUnused}},
		{"client-says-close: each request", each(4, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asked("close").answered("close").server(at + .026)
		}), []Cause{First, ClientSaysClose, ClientSaysClose, ClientSaysClose}},
		{"client-says-close: the client sends the FIN", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asked("Close").client(at + .04)
		}), []Cause{First, ClientSaysClose, ClientSaysClose}},
		{"client-says-close: HTTP/1.0 without keep-alive", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) { x.Asked.Version = "1.0" }).server(at + .026)
		}), []Cause{First, ClientSaysClose, ClientSaysClose}},
		{"client-closes-at-once: a process a request", each(4, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).client(at + .035)
		}), []Cause{First, ClientClosesAtOnce, ClientClosesAtOnce, ClientClosesAtOnce}},
		{"client-closes-at-once: a process a request, three at a time", func(s *script) {
			for i := range 9 {
				at := 1 + float64(i/3) + float64(i%3)*.001
				s.open(at).ask(at+.011, .1).client(at + .12)
			}
		}, []Cause{First, Concurrency, Concurrency, ClientClosesAtOnce, ClientClosesAtOnce, ClientClosesAtOnce, ClientClosesAtOnce}},
		{"client-closes-at-once: by RST", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).close(trace.AtClient, at+.035+s.near()/2, trace.RST)
		}), []Cause{First, ClientClosesAtOnce, ClientClosesAtOnce}},
		{"client-pool-full: two are kept of four", func(s *script) {
			for i := range 4 {
				c := s.open(1+.001*float64(i)).ask(1.02, .1)
				if i < 2 {
					c.ask(3.000, .1).ask(5, .1).ask(7, .1)
				} else {
					c.client(1.125)
				}
			}
			for i := range 6 {
				at := 3 + 2*float64(i/2) + .001*float64(i%2)
				s.open(at).ask(at+.02, .1).client(at + .125)
			}
		}, []Cause{First, Concurrency, Concurrency, Concurrency, ClientPoolFull, ClientPoolFull, ClientPoolFull, ClientPoolFull, ClientPoolFull, ClientPoolFull}},
		{"client-aborts: the body is not read", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) { x.Done = linger.Opt[linger.Instant]{} }).close(trace.AtClient, at+.1+s.near()/2, trace.RST)
		}), []Cause{First, ClientAborts, ClientAborts}},
		{"client-aborts: cancelled before the response began", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) {
				x.Done, x.FirstByte = linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}
			}).client(at + .5)
		}), []Cause{First, ClientAborts, ClientAborts}},
		{"client-aborts: the rest of the body passes behind the close", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .3).asks(func(x *trace.Exchange) { x.FirstByte = known(at + .05) }).client(at + .1)
		}), []Cause{First, ClientAborts, ClientAborts}},
		{"client-idle: after four seconds", func(s *script) {
			for i := range 3 {
				at := float64(1 + 10*i)
				s.open(at).ask(at+.01, .02).client(at + 4.03)
			}
		}, []Cause{First, ClientIdle, ClientIdle}},
		{"client-idle: the pool looks when it needs one", func(s *script) {
			for i := range 3 {
				at := float64(1 + 10*i)
				s.open(at).ask(at+.01, .02).client(at + 10.001)
			}
		}, []Cause{First, ClientIdle, ClientIdle}},
		{"client-idle: two kept, one needed again", func(s *script) {
			s.open(1).ask(1.01, .2).client(5.2)
			s.open(1.1).ask(1.11, .2).client(5.3)
			s.open(20).ask(20.01, .2)
		}, []Cause{First, Concurrency, ClientIdle}},
		{"server-says-close: each response", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).answered("close").server(at + .026)
		}), []Cause{First, ServerSaysClose, ServerSaysClose}},
		{"server-says-close: the client sends the FIN", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).answered("keep-alive, close").client(at + .031)
		}), []Cause{First, ServerSaysClose, ServerSaysClose}},
		{"server-says-close: a response of HTTP/1.0", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) { x.Answered.Version = "1.0" }).server(at + .026)
		}), []Cause{First, ServerSaysClose, ServerSaysClose}},
		{"server-closes-at-once: unannounced", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).server(at + .026)
		}), []Cause{First, ServerClosesAtOnce, ServerClosesAtOnce}},
		{"server-closes-at-once: by RST", each(3, func(s *script, at float64) {
			s.open(at).ask(at+.01, .02).close(trace.AtServer, at+.026+s.far()/2, trace.RST)
		}), []Cause{First, ServerClosesAtOnce, ServerClosesAtOnce}},
		{"server-idle: after five seconds", func(s *script) {
			for i := range 3 {
				at := float64(1 + 20*i)
				s.open(at).ask(at+.01, .02).server(at + 5.025)
			}
		}, []Cause{First, ServerIdle, ServerIdle}},
		{"server-idle: one that was never used counts from its handshake", func(s *script) {
			s.open(1).ask(1.01, .02).ask(2, .02).server(7.015)
			s.open(30).ask(30.01, .02)
		}, []Cause{First, ServerIdle}},
		{"server-idle: by RST is the same", func(s *script) {
			s.open(1).ask(1.01, .02).close(trace.AtServer, 6.025, trace.RST)
			s.open(30).ask(30.01, .02)
		}, []Cause{First, ServerIdle}},
		{"request-limit: three, announced", func(s *script) {
			for i := range 4 {
				at := float64(1 + 5*i)
				s.open(at).ask(at+.01, .02).ask(at+1, .02).ask(at+2, .02).answered("close").server(at + 2.015)
			}
		}, []Cause{First, RequestLimit, RequestLimit, RequestLimit}},
		{"request-limit: two, unannounced", func(s *script) {
			for i := range 4 {
				at := float64(1 + 5*i)
				s.open(at).ask(at+.01, .02).ask(at+1, .02).server(at + 1.016)
			}
		}, []Cause{First, RequestLimit, RequestLimit, RequestLimit}},
		{"request-limit: announced by Keep-Alive, seen once", func(s *script) {
			s.open(1).ask(1.01, .02).asks(func(x *trace.Exchange) { x.Answered.KeepAlive = "timeout=5, max=2" }).ask(2, .02).asks(func(x *trace.Exchange) { x.Answered.KeepAlive = "timeout=5, max=1" }).
				ask(3, .02).answered("close").server(3.016)
			s.open(4).ask(4.01, .02)
		}, []Cause{First, RequestLimit}},
		{"max-age: a response after ten seconds is the last", func(s *script) {
			for i := range 4 {
				at := float64(1 + 30*i)
				c := s.open(at).ask(at+.01, .02)
				for k := range 3 + i {
					c.ask(at+9*float64(k+1)/float64(3+i)+.1, .02)
				}
				c.ask(at+10.2+.3*float64(i), .02).answered("close").server(at + 10.216 + .3*float64(i))
			}
		}, []Cause{First, MaxAge, MaxAge, MaxAge}},
		{"max-age: jittered by a tenth, unannounced", func(s *script) {
			for i := range 5 {
				at := float64(1 + 30*i)
				c := s.open(at).ask(at+.01, .02)
				end := []float64{9.2, 10.7, 9.9, 10.2, 9.5}[i]
				step := []float64{.5, .7, .3, .4, .6}[i]
				for k := step; k < end; k += step {
					c.ask(at+k, .02)
				}
				c.ask(at+end, .02).server(at + end + .016)
			}
		}, []Cause{First, MaxAge, MaxAge, MaxAge, MaxAge}},
		{"max-age: by a timer, while idle", func(s *script) {
			for i := range 4 {
				at := float64(1 + 40*i)
				s.open(at).ask(at+.01, .02).ask(at+float64(1+2*i), .02).server(at + 20.005)
			}
		}, []Cause{First, MaxAge, MaxAge, MaxAge}},
		{"restart: three at once, and their successors", func(s *script) {
			for i := range 3 {
				at := float64(1 + i)
				s.client = fmt.Sprintf("192.0.2.%d", 10+i)
				s.open(at).ask(at+.01, .02).ask(6+1.3*float64(i), .02).server(10 + .01*float64(i))
			}
			for i := range 3 {
				s.client = fmt.Sprintf("192.0.2.%d", 10+i)
				s.open(12).ask(12.01, .02)
			}
		}, []Cause{First, First, First, Restart, Restart, Restart}},
		{"restart: not where idle times are the same", func(s *script) {
			for i := range 3 {
				at := float64(1 + i)
				s.client = fmt.Sprintf("192.0.2.%d", 10+i)
				s.open(at).ask(at+.01, .02).ask(5+.02*float64(i), .02).server(10.015 + .02*float64(i))
			}
			for i := range 3 {
				s.client = fmt.Sprintf("192.0.2.%d", 10+i)
				s.open(12).ask(12.01, .02)
			}
		}, []Cause{First, First, First, ServerIdle, ServerIdle, ServerIdle}},
		{"restart: not where one is opened after the other has ended", func(s *script) {
			s.open(1).ask(1.01, .01).server(1.07)
			s.open(1.1).ask(1.11, .01).server(1.32)
			s.open(1.35).ask(1.36, .01).server(1.72)
			s.open(1.8).ask(1.81, .01)
		}, []Cause{First, ServerIdle, ServerIdle, ServerIdle}},
		{"restart: two are none", func(s *script) {
			for i := range 2 {
				at := float64(1 + i)
				s.client = fmt.Sprintf("192.0.2.%d", 10+i)
				s.open(at).ask(at+.01, .02).ask(5+1.5*float64(i), .02).server(10 + .01*float64(i))
			}
			s.client = "192.0.2.10"
			s.open(12).ask(12.01, .02)
		}, []Cause{First, First, ServerIdle}},
		{"race: request and FIN cross", func(s *script) {
			s.open(1).ask(1.01, .02).ask(6.02, .02).asks(unanswered).server(6.021)
			s.open(6.04).ask(6.05, .02)
		}, []Cause{First, Race}},
		{"stale-reuse: the FIN had come long before", func(s *script) {
			s.open(1).ask(1.01, .02).ask(8, .02).asks(unanswered).server(6.02)
			s.open(8.02).ask(8.03, .02)
		}, []Cause{First, StaleReuse}},
		{"silent-drop: retransmitted after idling, then a new one", func(s *script) {
			c := s.open(1).ask(1.01, .02).ask(100, .02).asks(unanswered)
			c.r.Unanswered = linger.Known(trace.Unanswered{By: trace.AtClient, Sent: 5, Since: instant(100 + s.near()/2)})
			s.open(106).ask(106.01, .02)
		}, []Cause{First, SilentDrop}},
		{"silent-drop: the client gives up with a FIN", func(s *script) {
			c := s.open(1).ask(1.01, .02).ask(100, .02).asks(unanswered).client(106)
			c.r.Unanswered = linger.Known(trace.Unanswered{By: trace.AtClient, Sent: 5, Since: instant(100 + s.near()/2)})
			s.open(106.1).ask(106.11, .02)
		}, []Cause{First, SilentDrop}},
		{"error: the server closes instead of a response", func(s *script) {
			s.open(1).ask(1.01, .02).ask(2, .02).asks(unanswered).server(2.4)
			s.open(3).ask(3.01, .02)
		}, []Cause{First, Failure}},
		{"error: a response cut short", func(s *script) {
			s.open(1).ask(1.01, .02).ask(2, .02).asks(func(x *trace.Exchange) { x.Done = linger.Opt[linger.Instant]{} }).close(trace.AtServer, 2.4, trace.RST)
			s.open(3).ask(3.01, .02)
		}, []Cause{First, Failure}},
		{"error: the first request is never answered", func(s *script) {
			s.open(1).ask(1.01, .02).asks(unanswered).server(1.5)
			s.open(3).ask(3.01, .02)
		}, []Cause{First, Failure}},
		{"no-exchange: a port scan", func(s *script) {
			s.open(1).client(1.02)
			s.open(2).ask(2.01, .02)
		}, []Cause{NoExchange, First}},
		{"no-exchange: preconnected, and closed when idle", func(s *script) {
			s.open(1).ask(1.01, 3)
			s.open(1.1).server(61.1)
		}, []Cause{First, NoExchange}},
		{"no-exchange: refused", func(s *script) {
			c := s.open(1)
			c.r.Established, c.r.SYNACK = linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}
			c.close(trace.AtServer, 1.01, trace.RST)
			s.open(2).ask(2.01, .02)
		}, []Cause{NoExchange, First}},
		{"other-address: of the same name", func(s *script) {
			s.open(1).ask(1.01, .02)
			s.server = "192.0.2.2:80"
			s.open(2).ask(2.01, .02)
		}, []Cause{First, OtherAddress}},
		{"identity: other names to the same address", func(s *script) {
			s.open(1).ask(1.01, .02)
			c := s.open(2).ask(2.01, .02).asks(func(x *trace.Exchange) { x.URL = "http://other.example/" })
			c.r.Origin = "other.example"
		}, []Cause{First, Identity}},
		{"identity: not where the client mixes Hosts", func(s *script) {
			s.open(1).ask(1.01, .02).ask(1.5, .02).asks(func(x *trace.Exchange) { x.URL = "http://other.example/" })
			s.open(2).ask(2.01, .02).asks(func(x *trace.Exchange) { x.URL = "http://third.example/" })
		}, []Cause{First, IdleUnused}},
		{"idle-unused: a client with one thing to do at a time takes connections by turns", func(s *script) {
			s.trip = 50 * time.Microsecond
			s.open(1).ask(1.0002, .0005).ask(1.0235, .001)
			s.open(1.02).ask(1.0201, .0005).ask(1.03, .001)
		}, []Cause{First, IdleUnused}},
		{"concurrency: it had been chosen when the other one was opened", func(s *script) {
			s.trip = 50 * time.Microsecond
			s.open(1).ask(1.0002, .0005).ask(1.0205, .004)
			s.open(1.02).ask(1.0201, .001)
		}, []Cause{First, Concurrency}},
		{"concurrency: opened ahead, and needed when it was used first", func(s *script) {
			s.open(1).ask(1.1, .02).ask(1.5, .2)
			s.open(1.2).ask(1.55, .02)
		}, []Cause{First, Concurrency}},
		{"idle-unused: opened ahead, and used when another one was idle", func(s *script) {
			s.open(1).ask(1.1, .02).ask(1.7, .2)
			s.open(1.2).ask(1.55, .02)
		}, []Cause{First, IdleUnused}},
		{"not-coalesced: the certificate covers the name", func(s *script) {
			c := s.open(1).ask(1.03, .02)
			c.r.Protocol, c.r.TLS, c.r.Secured = "h2", linger.Known(trace.TLS{ServerName: "a.shop.example", Version: "1.3", Names: []string{"*.shop.example"}}), known(1.02+s.near()/2)
			c = s.open(2).ask(2.03, .02)
			c.r.Protocol, c.r.TLS, c.r.Secured = "h2", linger.Known(trace.TLS{ServerName: "b.shop.example", Version: "1.3"}), known(2.02+s.near()/2)
		}, []Cause{First, NotCoalesced}},
		{"not-coalesced: without keys, as TLS 1.2 shows it", func(s *script) {
			s.encrypted(1, "a.example", "h2", "a.example", "b.example")
			s.encrypted(2, "b.example", "h2")
		}, []Cause{First, NotCoalesced}},
		{"no such thing: that server speaks HTTP/1.1 for the name", func(s *script) {
			s.encrypted(1, "a.example", "h2", "a.example", "b.example")
			s.encrypted(2, "b.example", "http/1.1")
		}, []Cause{First, Identity}},
		{"no such thing: the certificate is for another name", func(s *script) {
			s.encrypted(1, "a.example", "h2", "a.example")
			s.encrypted(2, "b.example", "h2")
		}, []Cause{First, Identity}},
		{"idle-unused: an encrypted connection without keys had been idle", func(s *script) {
			s.encrypted(1, "a.example", "http/1.1").client(9)
			s.encrypted(5, "a.example", "http/1.1")
		}, []Cause{First, IdleUnused}},
		{"unknown: what an encrypted connection did then is not known", func(s *script) {
			c := s.encrypted(1, "a.example", "http/1.1")
			c.r.LastByte = known(8)
			s.encrypted(5, "a.example", "http/1.1")
		}, []Cause{First, Undecided}},
		{"unknown: it was open before, and what it did is not known", func(s *script) {
			c := s.open(1)
			c.r.BeganBefore, c.r.SYN, c.r.SYNACK, c.r.Established = true, linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}
			c.ask(8, .02)
			s.open(5).ask(5.01, .02)
		}, []Cause{"", Undecided}},
		{"began before, idle since: as if it had been opened here", func(s *script) {
			c := s.open(1)
			c.r.BeganBefore, c.r.SYN, c.r.SYNACK, c.r.Established = true, linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}
			c.ask(2, .02).ask(8, .02)
			s.open(5).ask(5.01, .02)
		}, []Cause{"", IdleUnused}},
		{"unknown: its requests were not recorded", func(s *script) {
			s.open(1).ask(1.01, .02).ask(2, .02)
			c := s.open(5).client(5.1)
			c.r.Missing = linger.Known(int64(300))
		}, []Cause{First, Undecided}},
		{"unknown: one direction alone was recorded", each(3, func(s *script, at float64) {
			c := s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) { x.Sent, x.Asked = linger.Opt[linger.Instant]{}, trace.Said{} }).answered("close").server(at + .026)
			c.r.Up = linger.Known(trace.Flow{})
			c.r.Down = linger.Known(trace.Flow{Packets: 5, Header: 200, SYN: 1, FIN: 1})
		}), []Cause{First, Undecided, Undecided}},
		{"an end explains one successor", func(s *script) {
			s.open(1).ask(1.01, .02).server(6.02)
			s.open(10).ask(10.01, 2)
			s.open(11).ask(11.01, .02)
		}, []Cause{First, ServerIdle, Concurrency}},
		{"the youngest end is taken", func(s *script) {
			s.open(1).ask(1.01, 1).server(7)
			s.open(1.1).ask(1.11, 1).client(8)
			s.open(20).ask(20.01, 1)
			s.open(20.1).ask(20.11, 1)
		}, []Cause{First, Concurrency, ClientIdle, ServerIdle}},
	} {
		t.Run(test.name, func(t *testing.T) { everywhere(t, test.play, test.want...) })
	}
}

func unanswered(x *trace.Exchange) {
	x.Done, x.FirstByte, x.Status = linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}, 0
}

// Lines of configuration are of causes that there are.
func TestRemediesAreOfCauses(t *testing.T) {
	for _, l := range keepalive.Lines() {
		for _, c := range l.Causes {
			if !Cause(c).Of().Avoidable && c != ResumptionUnused && c != ResumptionRefused {
				t.Errorf("%s: %s is no cause that a setting ends", l.Software, c)
			}
		}
	}
}

// A GOAWAY at random is no limit, nor are two servers behind one address.
func TestNoLimitIsClaimedWhereThereIsNone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := &script{}
	at := 1.0
	for range 40 {
		c := s.open(at)
		for n := 0; ; n++ {
			c.ask(at+.02+float64(n)*.1, .02)
			if random.IntN(10) == 0 {
				c.answered("close").server(at + .02 + float64(n)*.1 + .016)
				at += .02 + float64(n)*.1 + .5
				break
			}
		}
	}
	r, rows := s.run(t)
	for _, l := range r.Limits {
		if l.Claimed {
			t.Errorf("claims %+v of ends at random", l)
		}
	}
	for id, row := range rows {
		if id > 0 && row.Cause != ServerSaysClose {
			t.Errorf("connection %d is %s", id, row.Cause)
		}
	}
	// Two servers: 2 s and 5 s, 10 and 30 requests.
	s = &script{}
	for i := range 20 {
		at := float64(1 + 40*i)
		c := s.open(at).ask(at+.02, .02)
		if i%2 == 0 {
			c.server(at + 2.035)
		} else {
			c.ask(at+4, .02).server(at + 9.015)
		}
	}
	for i := range 20 {
		at := float64(1001 + 40*i)
		c := s.open(at)
		for n := range []int{10, 30}[i%2] {
			c.ask(at+.02+float64(n)*.1, .02)
		}
		c.answered("close").server(at + 9)
	}
	r, _ = s.run(t)
	for _, l := range r.Limits {
		if l.Claimed {
			t.Errorf("claims %+v of a mix", l)
		}
	}
	if len(r.Limits) == 0 {
		t.Error("and shows no distribution")
	}
	// A process that exits closes all it has.
	s = &script{}
	for i := range 4 {
		s.open(1+.1*float64(i)).ask(2, 1).client(3.7)
	}
	r, _ = s.run(t)
	for _, l := range r.Limits {
		if l.Claimed {
			t.Errorf("claims %+v of an exit", l)
		}
	}
}

// An idle limit is claimed within 0.1 s or 2 %, a request limit exactly.
func TestLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, set := range []float64{.7, 2, 5, 15, 65, 300} {
		s := &script{at: "middle"}
		at := 1.0
		for range 30 {
			c := s.open(at).ask(at+.02, .02)
			gone := at + .04
			for random.IntN(3) > 0 {
				gone += random.Float64() * set * .95
				c.ask(gone, .02)
				gone += .02
			}
			c.server(gone + set - .005 + random.Float64()*.02)
			at = gone + 2*set + 1
		}
		r, _ := s.run(t)
		found := false
		for _, l := range r.Limits {
			if l.Kind != "idle" || l.Side != "server" {
				continue
			}
			found = true
			if v, _ := l.Value.Get(); !l.Claimed || v < set-max(.1, .02*set) || v > set+max(.1, .02*set) {
				t.Errorf("a limit of %v s is %+v", set, l)
			}
		}
		if !found {
			t.Errorf("no limit of %v s", set)
		}
	}
	// requests has connections end after so many, at a pace that changes from one to the next.
	requests := func(set int, slower float64) *Result {
		s := &script{}
		at := 1.0
		for i := range 5 {
			c := s.open(at)
			n, pace := set, .03+slower*float64(i)
			if i == 4 {
				n = set/2 + 1
			}
			for k := range n {
				c.ask(at+.02+pace*float64(k), .02)
			}
			at += pace*float64(n) + 1
			if i < 4 {
				c.answered("close").server(at - .9)
			}
		}
		r, _ := s.run(t)
		return r
	}
	for _, set := range []int{2, 7, 100, 1000} {
		r := requests(set, .002)
		i := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Kind == "requests" })
		if i < 0 || r.Limits[i].Value != linger.Known(float64(set)) {
			t.Errorf("a limit of %d requests is %+v", set, r.Limits)
		}
	}
	// At an even pace, an age does the same.
	if r := requests(100, 0); slices.ContainsFunc(r.Limits, func(l Limit) bool { return l.Kind == "requests" }) {
		t.Errorf("100 requests of 30 ms each are %+v", r.Limits)
	}
}

// A client's idling begins when the response has come to it, and ends when its FIN leaves.
// That is a round trip to the client less than what is seen from elsewhere.
func TestClientsIdleAtTheClient(t *testing.T) {
	for _, at := range []string{"client", "middle", "server"} {
		s := &script{at: at, trip: 300 * time.Millisecond}
		for i := range 4 {
			opened := 1 + 10*float64(i)
			s.open(opened).ask(opened+.3, .32).client(opened + .62 + 2)
		}
		r, _ := s.run(t)
		i := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Kind == "idle" && l.Side == "client" })
		if i < 0 || !r.Limits[i].Claimed || math.Abs(r.Limits[i].Value.Or(0)-2) > .001 {
			t.Errorf("at the %s, 2 s are %+v", at, r.Limits)
		}
	}
}

// For how long a server waits for the first request is not for how long it lets idle.
func TestFirstRequestsHaveALimitOfTheirOwn(t *testing.T) {
	s := &script{}
	for i := range 4 {
		s.open(1 + 10*float64(i)).server(2 + 10*float64(i))
		s.open(6+10*float64(i)).ask(6.1+10*float64(i), .02)
	}
	r, _ := s.run(t)
	if i := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Kind == "idle" }); i >= 0 {
		t.Errorf("%+v", r.Limits[i])
	}
}

// A client that ends closes all that it has at once: that is one event, and no limit.
func TestEndsAtOnceAreOne(t *testing.T) {
	for _, apart := range []float64{.001, .4} {
		s := &script{}
		for i := range 3 {
			s.open(1+.01*float64(i)).ask(1.1, .02).client(1.5 + apart*float64(i))
			s.open(3+.01*float64(i)).ask(3.1, .02)
		}
		r, _ := s.run(t)
		i := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Kind == "idle" && l.Side == "client" })
		if i >= 0 && r.Limits[i].Claimed {
			t.Errorf("%v s apart: %+v", apart, r.Limits[i])
		}
	}
}

// The bracket of an age holds what was set, wherever it is seen from.
func TestAgesAreOfTheServer(t *testing.T) {
	for _, at := range []string{"client", "middle", "server"} {
		s := &script{at: at, trip: 100 * time.Millisecond}
		for i := range 5 {
			opened := 1 + 10*float64(i)
			c := s.open(opened)
			// It was accepted a round trip and a half after its SYN had left.
			accepted := opened + 1.5*s.whole()
			pace := .05 + .017*float64(i)
			for t := accepted; ; t += pace {
				c.ask(t, s.whole()+.001)
				if t+s.whole()/2-accepted > 2 {
					c.answered("close").server(t + s.whole())
					break
				}
			}
		}
		r, _ := s.run(t)
		i := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Kind == "age" })
		if i < 0 || r.Limits[i].Low.Or(9) > 2 || r.Limits[i].High.Or(0) < 2 {
			t.Errorf("at the %s, 2 s are %+v", at, r.Limits)
		}
	}
}

// Health checks and streams are outside of reuse, price and findings.
func TestClasses(t *testing.T) {
	s := &script{}
	for i := range 10 {
		at := float64(1 + 2*i)
		s.open(at).ask(at+.01, .02).asks(func(x *trace.Exchange) { x.URL = "http://shop.example/healthz" }).client(at + .04)
	}
	s.open(1.5).ask(1.51, .02).asks(func(x *trace.Exchange) { x.Status = 101 })
	s.open(3.5).ask(3.51, .02).ask(4, .02)
	r, rows := s.run(t)
	if r.HealthChecks.Connections != 10 || r.Streams.Connections != 1 || r.Opened != 1 || r.Reuse != linger.Known(.5) || r.Avoidable != 0 {
		t.Errorf("%+v", r)
	}
	if rows[11].Cause != Concurrency && rows[11].Cause != First {
		t.Errorf("it is %s", rows[11].Cause)
	}
	// Beside other traffic a check need not look like one.
	s = &script{}
	keep := s.open(.5)
	for i := range 12 {
		at := float64(1 + 2*i)
		keep.ask(at+.7, .02).asks(func(x *trace.Exchange) { x.URL = "http://shop.example/buy" })
		s.open(at).ask(at+.01, .02).client(at + .04)
	}
	if r, _ := s.run(t); r.HealthChecks.Connections != 12 || r.Avoidable != 0 {
		t.Errorf("%+v", r)
	}
	// Checks may keep their connection, which is then for nothing else.
	for path, want := range map[string]int{"/healthz": 1, "/buy": 0} {
		s = &script{}
		kept := s.open(.5)
		for i := range 6 {
			kept.ask(float64(1+2*i), .02).asks(func(x *trace.Exchange) { x.URL = "http://shop.example" + path })
		}
		if r, _ := s.run(t); r.HealthChecks.Connections != want || r.Connections != 1-want {
			t.Errorf("%s: %+v", path, r)
		}
	}
	// A program that asks for the same page again and again is no health check.
	s = &script{}
	for i := range 10 {
		at := float64(1 + 2*i)
		s.open(at).ask(at+.01, .02).client(at + .04)
	}
	if r, _ := s.run(t); r.HealthChecks.Connections != 0 || r.Avoidable != 9 {
		t.Errorf("%+v", r)
	}
}

// A recording at the server does not show what happened on the way.
func TestForgottenOnTheWay(t *testing.T) {
	for at, want := range map[string]Cause{"client": IdleUnused, "server": Undecided} {
		s := &script{at: at, trip: 50 * time.Millisecond}
		s.open(1).ask(1.06, .06).ask(5, .06)
		s.open(100).ask(100.06, .06)
		if _, rows := s.run(t); rows[1].Cause != want {
			t.Errorf("at the %s it is %s", at, rows[1].Cause)
		}
	}
}

// Waiting is what requests waited for handshakes; a preconnected connection hides it.
func TestPrice(t *testing.T) {
	s := &script{trip: 100 * time.Millisecond}
	s.open(1).ask(1.1, .1).asked("close").server(1.2)
	s.open(2).ask(2.1, .1).asked("close").server(2.2)
	s.open(3).ask(3.9, .1).asked("close").server(4.2)
	r, rows := s.run(t)
	if w, _ := r.AvoidableWaiting.Get(); w < 99.9 || w > 100.1 {
		t.Errorf("%v ms", w)
	}
	if !rows[2].Hidden || rows[1].Hidden {
		t.Error("what was hidden is not told")
	}
	if share, _ := r.HandshakeShare.Get(); share < .39 || share > .41 {
		t.Errorf("the share is %v", share)
	}
	f := r.Findings[0]
	if f.Code != string(ClientSaysClose) || f.Price.Connections != linger.Known(2.) || len(f.Evidence) == 0 || f.Evidence[0].Text != "tcp.stream in {0, 1, 2}" {
		t.Errorf("%+v", f)
	}
}

// What was not recorded has no price: a handshake without its SYN, and the one of a tunnel
// within.
func TestPriceOfParts(t *testing.T) {
	s := &script{}
	s.open(1).ask(1.1, .1).r.SYN = linger.Opt[linger.Instant]{}
	if r, rows := s.run(t); !rows[0].Waiting.IsZero() || !r.Waiting.IsZero() || rows[0].Cause != First {
		t.Errorf("%+v", rows[0])
	}
	s = &script{}
	s.encrypted(1, "a.example", "tls")
	r := &s.list[0].r
	r.Within, r.SYN, r.SYNACK, r.FirstByte = linger.Known[int64](7), linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}, known(1.1)
	r.Up, r.Down = linger.Opt[trace.Flow]{}, linger.Opt[trace.Flow]{}
	result, rows := s.run(t)
	if rows[0].Cause != First || !rows[0].Waiting.IsZero() || len(result.Caveats) != 1 || result.Caveats[0].Code != CaveatOpaque {
		t.Errorf("%+v; %+v", rows[0], result.Caveats)
	}
}

// An origin is one row, with what could not be read on connections to it.
func TestOriginsAreOneRow(t *testing.T) {
	s := &script{}
	s.open(1).ask(1.1, .1).client(1.3)
	for i := range 3 {
		c := s.open(float64(2 + i))
		c.r.Origin, c.r.Protocol, c.r.LastByte = "", "other", known(2.1+float64(i))
		c.r.Up = linger.Known(trace.Flow{Packets: 4, Payload: 20, SYN: 1})
		c.server(2.2 + float64(i))
	}
	r, _ := s.run(t)
	if len(r.Origins) != 1 || r.Origins[0].Name != "shop.example" || r.Origins[0].Opened != 4 || r.Origins[0].Exchanges != 1 {
		t.Errorf("%+v", r.Origins)
	}
}

// That first ones are first as far as is known is said where most are, and not else.
func TestYoungRecordings(t *testing.T) {
	for _, c := range []struct {
		clients, more int
		said          bool
	}{{1, 0, false}, {9, 0, false}, {12, 0, true}, {12, 1, false}} {
		s := &script{}
		for i := range c.clients {
			s.client = fmt.Sprintf("192.0.2.%d", 100+i)
			at := 1 + .01*float64(i)
			s.open(at).ask(at+.02, .1).client(at + .2)
			for range c.more {
				s.open(at+1).ask(at+1.02, .1).client(at + 1.2)
			}
		}
		r, _ := s.run(t)
		if said := slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == CaveatYoung }); said != c.said {
			t.Errorf("%d clients with %d more: %v", c.clients, c.more, r.Caveats)
		}
	}
}

// A remedy is for the program that opened most of the connections, not for the first seen.
func TestRemediesAreOfWhoOpensMost(t *testing.T) {
	s := &script{}
	for i, agent := range []string{"curl/8.1", "curl/8.1", "ApacheBench/2.3", "ApacheBench/2.3", "ApacheBench/2.3", "ApacheBench/2.3"} {
		at := float64(1 + i)
		s.open(at).ask(at+.1, .1).asked("close").server(at + .2).r.Agent = agent
	}
	r, _ := s.run(t)
	if len(r.Findings) != 1 || len(r.Findings[0].Remedies) == 0 || r.Findings[0].Remedies[0].Software != "ab" {
		t.Errorf("%+v", r.Findings)
	}
}

// A server that ends connections after several requests keeps them: what turns keep-alive on
// is no remedy, and a limit is one only where the number fits it.
func TestServersThatEndSomeKeepThem(t *testing.T) {
	for _, test := range []struct {
		name        string
		requests    []int // of each connection that is ended
		write       string
		least, most linger.Opt[float64]
	}{
		{"one after four", []int{4}, "keepalive_requests 10000;", linger.Known(4.), linger.Known(4.)},
		{"after different numbers", []int{3, 5}, "", linger.Known(3.), linger.Known(5.)},
		{"each after its first", []int{1, 1}, "keepalive_timeout 75s;", linger.Opt[float64]{}, linger.Opt[float64]{}},
		{"one after its first", []int{3, 1}, "keepalive_timeout 75s;", linger.Opt[float64]{}, linger.Opt[float64]{}},
	} {
		s, at := &script{}, 1.
		for _, n := range test.requests {
			c := s.open(at)
			c.r.Software = "nginx/1.22.1"
			for range n {
				at += .1
				c.ask(at, .02)
			}
			c.answered("close").server(at + .026)
			at += .1
		}
		s.open(at).ask(at+.01, .02).client(at + 70)
		r, _ := s.run(t)
		i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == string(ServerSaysClose) })
		if i < 0 {
			t.Errorf("%s: %+v", test.name, r.Findings)
			continue
		}
		f, write := r.Findings[i], ""
		if len(f.Remedies) > 0 {
			write = f.Remedies[0].Write
		}
		if write != test.write || f.Figures.Value("requests_least") != test.least || f.Figures.Value("requests_most") != test.most {
			t.Errorf("%s: %q, %+v; want %q, %v to %v", test.name, write, f.Figures, test.write, test.least, test.most)
		}
	}
}

// The share of handshakes is what the client waited, wherever packets are recorded.
func TestShareIsTheClients(t *testing.T) {
	for _, at := range []string{"client", "middle", "server"} {
		s := &script{trip: 100 * time.Millisecond, at: at}
		s.open(1).ask(1.1, .2).client(2)
		r, _ := s.run(t)
		if share, _ := r.HandshakeShare.Get(); share < .32 || share > .35 {
			t.Errorf("at the %s it is %v, want a third", at, share)
		}
	}
}

// What handshakes take on one machine says little of a network.
func TestNear(t *testing.T) {
	for trip, want := range map[time.Duration]bool{30 * time.Microsecond: true, 20 * time.Millisecond: false} {
		s := &script{trip: trip}
		s.open(1).ask(1.1, .1).asked("close").server(1.2)
		s.open(2).ask(2.1, .1)
		r, _ := s.run(t)
		if near := slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == CaveatNear }); near != want {
			t.Errorf("%v: %+v", trip, r.Caveats)
		}
	}
}

// A proxy's two sides are found, and told apart.
func TestHops(t *testing.T) {
	s := &script{client: "198.51.100.9", server: "192.0.2.1:80"}
	front := s.open(1)
	for i := range 10 {
		at := 2 + float64(i)
		front.ask(at, .5)
		s.client, s.server = "192.0.2.1", "192.0.2.50:8080"
		s.open(at+.1).ask(at+.12, .1).asked("close").server(at + .25)
	}
	r, _ := s.run(t)
	if len(r.Hops) != 1 || r.Hops[0].Proxy != "192.0.2.1:80" || r.Hops[0].Clients != linger.Known(.9) || r.Hops[0].Reuse != linger.Known(0.) {
		t.Errorf("%+v", r.Hops)
	}
}

// Memory is bounded: what cannot be kept is decided early, and said.
func TestShedding(t *testing.T) {
	s := &script{}
	for i := range 5000 {
		at := float64(1 + i)
		s.open(at).ask(at+.01, .02).client(at + .035)
	}
	counted := map[Cause]int{}
	r, rows := s.run(t, func(c *Config) { c.Limit = 200 })
	for _, row := range rows {
		counted[row.Cause]++
	}
	if want := map[Cause]int{First: 1, ClientClosesAtOnce: 4999}; !maps.Equal(counted, want) {
		t.Errorf("%v", counted)
	}
	if !slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == CaveatSettled }) {
		t.Error("it does not say so")
	}
}

// A response that nobody asked for is no exchange, where all that the client sent was seen.
func TestResponsesThatNobodyAskedFor(t *testing.T) {
	for _, missing := range []int64{0, 100} {
		s := &script{}
		c := s.open(1).ask(3, .02).asks(func(x *trace.Exchange) { x.Method, x.URL, x.Status, x.Sent = "", "", 408, linger.Opt[linger.Instant]{} })
		c.answered("close").server(3.02)
		c.r.Missing = linger.Known(missing)
		r, rows := s.run(t)
		want, requests := NoExchange, 0
		if missing > 0 {
			want, requests = First, 1
		}
		if rows[0].Cause != want || r.Exchanges != requests {
			t.Errorf("with %d bytes missing it is %s, of %d requests; want %s, %d", missing, rows[0].Cause, r.Exchanges, want, requests)
		}
	}
}

// A client that resets a connection behind a whole response has left it unread. It could not
// use it meanwhile, however late the reset comes, and reading is what ends it.
func TestResetsOfUnreadResponses(t *testing.T) {
	everywhere(t, func(s *script) {
		s.open(1).ask(1.01, .02).close(trace.AtClient, 1.07+s.near()/2, trace.RST)
		s.open(1.04).ask(1.05, .02)
	}, First, ClientClosesAtOnce)
	s := &script{}
	for i := range 3 {
		at := 1 + .1*float64(i)
		c := s.open(at).ask(at+.01, .02)
		c.r.Agent = "Go-http-client/1.1"
		c.close(trace.AtClient, at+.035+s.near()/2, trace.RST)
	}
	r, rows := s.run(t)
	if got := rows[1].Lost; !slices.Equal(got, []Cause{ClientAborts}) {
		t.Errorf("others that fit: %v", got)
	}
	for _, f := range r.Findings {
		if f.Code == string(ClientClosesAtOnce) {
			if f.Figures.Value("resets") != linger.Known(2.) || len(f.Remedies) == 0 || f.Remedies[0].Write != "io.Copy(io.Discard, resp.Body)" {
				t.Errorf("%+v", f)
			}
			return
		}
	}
	t.Error("no finding")
}

// Where a head was captured in part, the close behind it may have been asked for there.
func TestCutHeads(t *testing.T) {
	for name, cut := range map[string]func(*trace.Exchange){
		"request":  func(x *trace.Exchange) { x.Known, x.RequestHead, x.ResponseHead = trace.Inferred, 0, 90 },
		"response": func(x *trace.Exchange) { x.Known, x.RequestHead, x.ResponseHead = trace.Inferred, 90, 0 },
		"neither":  func(x *trace.Exchange) { x.Known, x.RequestHead, x.ResponseHead = trace.Inferred, 90, 90 },
	} {
		s := &script{}
		for i := range 4 {
			at := 1 + float64(i)
			s.open(at).ask(at+.01, .02).asks(cut).server(at + .035)
		}
		_, rows := s.run(t)
		if is := rows[2].Cause; (is == Undecided) != (name != "neither") {
			t.Errorf("%s: %s", name, is)
		}
	}
}

// A proxy that hands on the Server of its upstream is not taken for that software.
func TestServerOfTheUpstream(t *testing.T) {
	for _, test := range []struct {
		front, up string
		close     bool
		named     bool
	}{{"nginx/1.26", "nginx/1.26", false, false}, {"nginx/1.26", "nginx/1.26", true, true}, {"nginx/1.26", "Apache", false, true}} {
		s := &script{client: "198.51.100.9", server: "192.0.2.1:80"}
		front := s.open(1)
		front.r.Software = test.front
		for i := range 10 {
			at := 2 + float64(i)
			front.ask(at, .5)
			s.client, s.server = "192.0.2.1", "192.0.2.50:8080"
			c := s.open(at+.1).ask(at+.12, .1)
			c.r.Software = test.up
			if test.close {
				c.asked("close").server(at + .25)
			} else {
				c.client(at + 60)
			}
		}
		r, _ := s.run(t)
		for _, f := range r.Findings {
			if f.Subject.Of != "192.0.2.50:8080" || f.Code == HopReuse {
				continue
			}
			if proxy := f.Figures.Text("proxy"); (proxy == "192.0.2.1:80") == test.named {
				t.Errorf("%+v: %s: the proxy is %q", test, f.Code, proxy)
			}
			if named := len(f.Remedies) > 0; named != test.named {
				t.Errorf("%+v: %s: %+v", test, f.Code, f.Remedies)
			}
		}
	}
}

// DNS over UDP opens no connection: it has no cause, and takes no connection's place.
func TestDatagramsAreNoConnections(t *testing.T) {
	s := &script{}
	s.open(1).ask(1.01, .02).client(1.04)
	for i := range 3 {
		s.open(1.1+float64(i)).ask(1.11+float64(i), .02).r.Protocol = "udp"
	}
	s.open(9).ask(9.01, .02)
	r, rows := s.run(t)
	if r.Connections != 2 || r.Avoidable != 1 || r.Exchanges != 2 || r.Datagrams != (Aside{3, 3}) || rows[2].Cause != "" || rows[4].Cause != ClientClosesAtOnce {
		t.Errorf("%+v, %+v", r, rows)
	}
}
