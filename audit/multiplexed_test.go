package audit

import (
	"testing"
	"time"

	"linger"
	"linger/audit/handshake"
	"linger/finding"
	"linger/trace"
)

// h2 adds a connection of HTTP/2 over TLS 1.3 that was decrypted: its handshakes take two round
// trips, and the server allows so many requests at once.
func (s *script) h2(at float64, name string, streams int64) *one {
	c := s.open(at)
	c.r.Origin, c.r.Protocol = name, linger.H2
	c.r.Known = trace.Basis{Protocol: trace.Decrypted, Requests: trace.Decrypted}
	c.r.TLS = linger.Known(trace.TLS{ServerName: name, Version: "1.3", ALPN: "h2", Names: []string{name}, Keys: trace.AllKeys, Asked: linger.Known(false), Tickets: linger.Known(int64(0)), Up: 400, Down: 2600, Certificates: 1800})
	c.r.Secured = known(at + 2*s.whole() + s.near()/2)
	if streams > 0 {
		c.r.Streams = linger.Known(streams)
	}
	c.r.Up, c.r.Down = linger.Known(trace.Flow{Packets: 6, Payload: 900, SYN: 1}), linger.Known(trace.Flow{Packets: 6, Payload: 5000, SYN: 1})
	return c
}

// streams asks on as many streams at once.
func (c *one) streams(n int, at, takes float64) *one {
	for i := range n {
		c.ask(at+.0001*float64(i), takes).asks(func(x *trace.Exchange) {
			x.URL, x.Known, x.Asked, x.Answered = "https://"+c.r.Origin+"/a", trace.Decrypted, trace.Said{}, trace.Said{}
			x.Stream = linger.Known(int64(2*len(c.xs) - 1))
		})
	}
	return c
}

// goaway has the server take leave at its own instant.
func (c *one) goaway(at float64, code string) *one {
	c.r.GoAway = linger.Known(trace.GoAway{By: trace.AtServer, At: instant(at + c.s.far()/2), Code: code})
	c.r.Announced, c.r.AnnouncedBy, c.r.AnnouncedWith = known(at+c.s.far()/2), trace.AtServer, trace.GOAWAY
	return c
}

// Causes where requests share connections.
func TestMultiplexedCauses(t *testing.T) {
	const name = "shop.example"
	dropped := func(at float64) func(*trace.Exchange) {
		return func(x *trace.Exchange) { unanswered(x); x.Dropped, x.Failed = known(at), "CANCEL" }
	}
	for _, test := range []struct {
		name string
		play func(s *script)
		want []Cause
	}{
		{"first: all requests at once on one", func(s *script) { s.h2(1, name, 100).streams(40, 1.03, .5) }, []Cause{First}},
		{"idle-unused: there was room for more", func(s *script) {
			s.h2(1, name, 100).streams(40, 1.03, 3)
			s.h2(2, name, 100).streams(1, 2.03, .02)
		}, []Cause{First, IdleUnused}},
		{"idle-unused: also where the limit is not known, below the least that is recommended", func(s *script) {
			s.h2(1, name, 0).streams(99, 1.03, 3)
			s.h2(2, name, 0).streams(1, 2.03, .02)
		}, []Cause{First, IdleUnused}},
		{"unknown: the limit is not known, and a hundred are under way", func(s *script) {
			s.h2(1, name, 0).streams(100, 1.03, 3)
			s.h2(2, name, 0).streams(1, 2.03, .02)
		}, []Cause{First, Undecided}},
		{"concurrency: as many as the server allows", func(s *script) {
			s.h2(1, name, 3).streams(3, 1.03, 3)
			s.h2(2, name, 3).streams(1, 2.03, .02)
		}, []Cause{First, Concurrency}},
		{"idle-unused: one of them had ended a while ago", func(s *script) {
			s.h2(1, name, 3).streams(2, 1.03, 3).streams(1, 1.04, .5)
			s.h2(2, name, 3).streams(1, 2.03, .02)
		}, []Cause{First, IdleUnused}},
		{"idle-unused: one of them had been given up", func(s *script) {
			c := s.h2(1, name, 3).streams(2, 1.03, 3).streams(1, 1.04, .5)
			c.asks(dropped(1.2))
			s.h2(2, name, 3).streams(1, 2.03, .02)
		}, []Cause{First, IdleUnused}},
		{"concurrency: it was being opened", func(s *script) {
			s.h2(1, name, 100).streams(1, 1.03, .02)
			s.h2(1.005, name, 100).streams(1, 1.04, .02)
		}, []Cause{First, Concurrency}},
		{"server-idle: GOAWAY after idling", func(s *script) {
			for i := range 3 {
				at := float64(1 + 20*i)
				s.h2(at, name, 100).streams(5, at+.03, .1).goaway(at+5.13, "NO_ERROR").server(at + 5.131)
			}
		}, []Cause{First, ServerIdle, ServerIdle}},
		{"server-idle: PING does not end idling", func(s *script) {
			for i := range 3 {
				at := float64(1 + 20*i)
				c := s.h2(at, name, 100).streams(5, at+.03, .1).goaway(at+5.13, "NO_ERROR").server(at + 5.131)
				c.r.Probes = linger.Known(trace.Probes{Sent: 4, Answered: 4, Alive: known(at + 4)})
			}
		}, []Cause{First, ServerIdle, ServerIdle}},
		{"server-idle: without a GOAWAY", func(s *script) {
			for i := range 2 {
				at := float64(1 + 20*i)
				s.h2(at, name, 100).streams(5, at+.03, .1).server(at + 5.13)
			}
		}, []Cause{First, ServerIdle}},
		{"request-limit: GOAWAY after ten", func(s *script) {
			for i := range 4 {
				at := float64(1 + 20*i)
				c := s.h2(at, name, 100)
				for n := range 10 {
					c.streams(1, at+.03+(.2+.03*float64(i))*float64(n), .02)
				}
				end := at + .05 + (.2+.03*float64(i))*9
				c.goaway(end-.006, "NO_ERROR").client(end + .01)
			}
		}, []Cause{First, RequestLimit, RequestLimit, RequestLimit}},
		{"server-says-close: GOAWAY while others are under way", func(s *script) {
			s.h2(1, name, 100).streams(5, 1.03, 2).goaway(2, "NO_ERROR").client(3.1)
			s.h2(2.5, name, 100).streams(5, 2.53, .1)
		}, []Cause{First, ServerSaysClose}},
		{"race: a request crossed the GOAWAY", func(s *script) {
			c := s.h2(1, name, 100).streams(1, 1.03, .02).goaway(6.05, "NO_ERROR")
			c.streams(1, 6.051, .02).asks(dropped(6.07)).server(6.2)
			s.h2(6.08, name, 100).streams(1, 6.11, .02)
		}, []Cause{First, Race}},
		{"error: the server wants its calm", func(s *script) {
			s.h2(1, name, 100).streams(5, 1.03, .1).goaway(4, "ENHANCE_YOUR_CALM").server(4.01)
			s.h2(6, name, 100).streams(1, 6.03, .02)
		}, []Cause{First, Failure}},
		{"client-closes-at-once: a process a request, which says GOAWAY as it ends", func(s *script) {
			for i := range 3 {
				at := float64(1 + i)
				c := s.h2(at, name, 100).streams(1, at+.03, .02)
				c.r.GoAway = linger.Known(trace.GoAway{By: trace.AtClient, At: instant(at + .052 + s.near()/2)})
				c.client(at + .053)
			}
		}, []Cause{First, ClientClosesAtOnce, ClientClosesAtOnce}},
		{"client-idle: the client lets go", func(s *script) {
			for i := range 2 {
				at := float64(1 + 20*i)
				s.h2(at, name, 100).streams(3, at+.03, .02).client(at + 9)
			}
		}, []Cause{First, ClientIdle}},
		{"client-aborts: closed within responses", func(s *script) {
			c := s.h2(1, name, 100).streams(3, 1.03, .02)
			c.asks(func(x *trace.Exchange) { x.Done = linger.Opt[linger.Instant]{} }).client(1.5)
			s.h2(2, name, 100).streams(3, 2.03, .02)
		}, []Cause{First, ClientAborts}},
		{"server-idle: QUIC's idle timeout, the server's", func(s *script) {
			for i := range 2 {
				at := float64(1 + 60*i)
				c := s.h2(at, name, 100).streams(3, at+.03, .02)
				c.close(trace.Nobody, at+30.05, trace.IdleTimeout)
				c.r.Protocol, c.r.IdleLimit = linger.H3, linger.Known(30*time.Second)
			}
		}, []Cause{First, ServerIdle}},
		{"client-idle: QUIC's idle timeout, the client's", func(s *script) {
			for i := range 2 {
				at := float64(1 + 60*i)
				c := s.h2(at, name, 100).streams(3, at+.03, .02)
				c.close(trace.Nobody, at+30.05, trace.IdleTimeout)
				c.r.Protocol = linger.H3
			}
		}, []Cause{First, ClientIdle}},
		{"error: QUIC is closed by an error", func(s *script) {
			c := s.h2(1, name, 100).streams(3, 1.03, .02)
			c.close(trace.AtServer, 9, trace.ConnectionClose)
			c.r.Protocol, c.r.Reason = linger.H3, "FLOW_CONTROL_ERROR: too much"
			s.h2(20, name, 100).streams(3, 20.03, .02).r.Protocol = linger.H3
		}, []Cause{First, Failure}},
		{"server-idle: QUIC is closed in order", func(s *script) {
			c := s.h2(1, name, 100).streams(3, 1.03, .02)
			c.close(trace.AtServer, 9, trace.ConnectionClose)
			c.r.Protocol, c.r.Reason = linger.H3, "H3_NO_ERROR"
			s.h2(20, name, 100).streams(3, 20.03, .02).r.Protocol = linger.H3
		}, []Cause{First, ServerIdle}},
		{"identity: HTTP/3 beside HTTP/2", func(s *script) {
			s.h2(1, name, 100).streams(3, 1.03, .02)
			s.h2(2, name, 100).streams(3, 2.03, .02).r.Protocol = linger.H3
		}, []Cause{First, Identity}},
		{"error: an alert of TLS", func(s *script) {
			c := s.h2(1, name, 100).streams(1, 1.03, .02).server(3)
			tls := c.r.TLS.Or(trace.TLS{})
			tls.Alert, tls.AlertBy = "bad_record_mac", trace.AtServer
			c.r.TLS = linger.Known(tls)
			s.h2(6, name, 100).streams(1, 6.03, .02)
		}, []Cause{First, Failure}},
	} {
		t.Run(test.name, func(t *testing.T) { everywhere(t, test.play, test.want...) })
	}
}

// with changes what is known of the handshake.
func (c *one) with(f func(*trace.TLS)) *one {
	t := c.r.TLS.Or(trace.TLS{})
	f(&t)
	c.r.TLS = linger.Known(t)
	return c
}

// Whether requests for another name may share a connection.
func TestCoalescing(t *testing.T) {
	const a, b = "a.example", "b.example"
	both := func(t *trace.TLS) { t.Names = []string{a, b} }
	none := func(t *trace.TLS) { t.Names = nil }
	credentials := func(x *trace.Exchange) { x.Credentials = true }
	for _, test := range []struct {
		name string
		play func(s *script)
		want Cause
		sure Certainty
		lost []Cause
	}{
		{"the certificate covers it", func(s *script) {
			s.h2(1, a, 100).with(both).streams(1, 1.03, .02).streams(1, 9, .02)
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02)
		}, NotCoalesced, Proven, nil},
		{"requests are under way, and there is room", func(s *script) {
			s.h2(1, a, 100).with(both).streams(9, 1.03, 5)
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02)
		}, NotCoalesced, Proven, nil},
		{"the server takes no more", func(s *script) {
			s.h2(1, a, 9).with(both).streams(9, 1.03, 5)
			s.h2(2, b, 9).with(both).streams(1, 2.03, .02)
		}, First, Likely, nil},
		{"the certificate lacks it", func(s *script) {
			s.h2(1, a, 100).streams(1, 1.03, .02)
			s.h2(2, b, 100).streams(1, 2.03, .02)
		}, Identity, Certain, nil},
		{"421", func(s *script) {
			s.h2(1, a, 100).with(both).streams(1, 1.03, .02).streams(1, 1.5, .02).asks(func(x *trace.Exchange) { x.URL, x.Status = "https://"+b+"/", 421 })
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02)
		}, Identity, Certain, []Cause{NotCoalesced}},
		{"credentials on one", func(s *script) {
			s.h2(1, a, 100).with(both).streams(1, 1.03, .02).asks(credentials)
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02)
		}, Identity, Certain, []Cause{NotCoalesced}},
		{"credentials on both", func(s *script) {
			s.h2(1, a, 100).with(both).streams(1, 1.03, .02).asks(credentials)
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02).asks(credentials)
		}, NotCoalesced, Likely, nil},
		{"the certificate is not known", func(s *script) {
			s.h2(1, a, 100).with(none).streams(1, 1.03, .02)
			s.h2(2, b, 100).with(none).streams(1, 2.03, .02)
		}, Undecided, "", []Cause{NotCoalesced, Identity}},
		{"the certificate is not known, and it served the name", func(s *script) {
			s.h2(1, a, 100).with(none).streams(1, 1.03, .02).streams(1, 1.5, .02).asks(func(x *trace.Exchange) { x.URL = "https://" + b + "/" })
			s.h2(2, b, 100).with(none).streams(1, 2.03, .02)
		}, NotCoalesced, Likely, nil},
		{"it has taken leave", func(s *script) {
			s.h2(1, a, 100).with(both).streams(1, 1.03, .02).goaway(1.5, "NO_ERROR").server(30)
			s.h2(2, b, 100).with(both).streams(1, 2.03, .02)
		}, First, Likely, nil},
		{"HTTP/1.1 shares nothing", func(s *script) {
			s.h2(1, a, 100).with(none).streams(1, 1.03, .02).r.Protocol = linger.HTTP11
			s.h2(2, b, 100).with(none).streams(1, 2.03, .02).r.Protocol = linger.HTTP11
		}, Identity, Certain, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{}
			test.play(s)
			_, rows := s.run(t)
			if r := rows[1]; r.Cause != test.want || r.Certainty != test.sure || len(r.Lost) != len(test.lost) {
				t.Errorf("it is %s, %s, %v; want %s, %s, %v", r.Cause, r.Certainty, r.Lost, test.want, test.sure, test.lost)
			}
		})
	}
	// A session that is resumed shows no certificate; the one before had.
	s := &script{}
	s.h2(1, a, 100).with(both).streams(1, 1.03, .02).client(2)
	s.h2(3, a, 100).with(none).with(func(t *trace.TLS) { t.Resumed = true }).streams(1, 3.03, .02)
	s.h2(4, b, 100).with(both).streams(1, 4.03, .02)
	if _, rows := s.run(t); rows[2].Cause != NotCoalesced {
		t.Errorf("behind a session that was resumed it is %s", rows[2].Cause)
	}
	// What is shared is counted.
	s = &script{}
	s.h2(1, a, 100).with(both).streams(2, 1.03, .02).streams(1, 1.5, .02).asks(func(x *trace.Exchange) { x.URL = "https://" + b + "/" })
	if r, _ := s.run(t); r.Coalesced != (Coalesced{1, 1, 1}) {
		t.Errorf("%+v", r.Coalesced)
	}
}

// Browsers keep connections without credentials apart.
func TestBrowsersKeepCredentialsApart(t *testing.T) {
	for agent, want := range map[string]Cause{"Mozilla/5.0 (X11)": Identity, "curl/8": IdleUnused} {
		s := &script{}
		s.h2(1, "a.example", 100).streams(1, 1.03, .02).asks(func(x *trace.Exchange) { x.Credentials = true }).r.Agent = agent
		s.h2(2, "a.example", 100).streams(1, 2.03, .02).r.Agent = agent
		if _, rows := s.run(t); rows[1].Cause != want {
			t.Errorf("%s: %s", agent, rows[1].Cause)
		}
	}
}

// given adds tickets that are good for so long.
func given(n int64, lifetime time.Duration) func(*trace.TLS) {
	return func(t *trace.TLS) { t.Tickets, t.Lifetime = linger.Known(n), linger.Known(lifetime) }
}

func asks(resumed bool) func(*trace.TLS) {
	return func(t *trace.TLS) {
		t.Asked, t.Resumed = linger.Known(true), resumed
		if resumed {
			t.Down, t.Certificates = 600, 0
		}
	}
}

// Resumption that was possible and not done, or refused, is a finding with its price.
func TestResumption(t *testing.T) {
	const a = "a.example"
	find := func(r *Result, code string) *finding.Finding {
		for i := range r.Findings {
			if r.Findings[i].Code == code {
				return &r.Findings[i]
			}
		}
		return nil
	}
	for _, test := range []struct {
		name            string
		play            func(s *script)
		unused, refused int
	}{
		{"the client does not ask", func(s *script) {
			s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .02).client(2)
			s.h2(5, a, 100).with(given(2, time.Hour)).streams(1, 5.03, .02).client(6)
		}, 1, 0},
		{"it asks, and the server resumes", func(s *script) {
			s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .02).client(2)
			s.h2(5, a, 100).with(asks(true)).streams(1, 5.03, .02).client(6)
		}, 0, 0},
		{"it asks, and the server does not", func(s *script) {
			s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .02).client(2)
			s.h2(5, a, 100).with(asks(false)).streams(1, 5.03, .02).client(6)
		}, 0, 1},
		{"what it was given is too old", func(s *script) {
			s.h2(1, a, 100).with(given(2, 3*time.Second)).streams(1, 1.03, .02).client(2)
			s.h2(5, a, 100).streams(1, 5.03, .02).client(6)
		}, 0, 0},
		{"it was given nothing", func(s *script) {
			s.h2(1, a, 100).streams(1, 1.03, .02).client(2)
			s.h2(5, a, 100).streams(1, 5.03, .02).client(6)
		}, 0, 0},
		{"it was opened before the ticket came", func(s *script) {
			s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .5).client(2)
			s.h2(1.2, a, 100).streams(1, 1.23, .02).client(6)
		}, 0, 0},
		{"a ticket of TLS 1.3 serves once", func(s *script) {
			s.h2(1, a, 100).with(given(1, time.Hour)).streams(1, 1.03, .02).client(2)
			s.h2(3, a, 100).with(asks(true)).streams(1, 3.03, .02).client(4)
			s.h2(5, a, 100).streams(1, 5.03, .02).client(6)
		}, 0, 0},
		{"an ID of TLS 1.2 serves again and again", func(s *script) {
			old := func(t *trace.TLS) { t.Version, t.Session, t.Tickets = "1.2", true, linger.Known(int64(0)) }
			s.h2(1, a, 100).with(old).streams(1, 1.03, .02).client(2)
			s.h2(3, a, 100).with(asks(true)).with(old).streams(1, 3.03, .02).client(4)
			s.h2(5, a, 100).with(old).streams(1, 5.03, .02).client(6)
		}, 1, 0},
		{"another client", func(s *script) {
			s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .02).client(2)
			s.client = "192.0.2.99"
			s.h2(5, a, 100).streams(1, 5.03, .02).client(6)
		}, 0, 0},
		{"with ECH the outer hello may only seem to ask", func(s *script) {
			s.h2(5, a, 100).with(asks(false)).with(func(t *trace.TLS) { t.ECH = true }).streams(1, 5.03, .02).client(6)
		}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{}
			test.play(s)
			r, _ := s.run(t)
			x, _ := r.TLS.Get()
			if x.Unused.Or(0) != test.unused || x.Refused != test.refused {
				t.Errorf("%d unused, %d refused; want %d, %d", x.Unused.Or(0), x.Refused, test.unused, test.refused)
			}
			if (find(r, ResumptionUnused) != nil) != (test.unused > 0) || (find(r, ResumptionRefused) != nil) != (test.refused > 0) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
	// Another address of the name gave it: servers that do not share their keys.
	s := &script{server: "192.0.2.1:443"}
	s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.03, .02).client(2)
	s.server = "192.0.2.2:443"
	s.h2(5, a, 100).with(asks(false)).streams(1, 5.03, .02).client(6)
	r, _ := s.run(t)
	if f := find(r, ResumptionRefused); f == nil || f.Figures.Value("elsewhere") != linger.Known(1.) {
		t.Errorf("%+v", f)
	}
	// Its price is what full handshakes took more than resumed ones on the same pair.
	s = &script{trip: 100 * time.Millisecond}
	s.h2(1, a, 100).with(given(2, time.Hour)).streams(1, 1.3, .12).client(2)
	s.h2(3, a, 100).with(asks(true)).streams(1, 3.3, .12).client(4).r.Secured = known(3.18)
	s.h2(5, a, 100).streams(1, 5.3, .12).client(6)
	r, rows := s.run(t)
	f := find(r, ResumptionUnused)
	if f == nil {
		t.Fatalf("%+v", r.Findings)
	}
	if w := f.Price.Waiting.Or(0); w < 19.9 || w > 20.1 || f.Price.Bytes != linger.Known(2000.) || !f.Price.AtMost {
		t.Errorf("%+v", f.Price)
	}
	if x := r.Origins[0]; x.Resumed.Or(0) < .33 || x.Resumed.Or(0) > .34 {
		t.Errorf("%+v", x)
	}
	if rows[1].Resumed != linger.Known(true) || rows[0].ALPN != "h2" || rows[0].TLS != "1.3" || rows[0].Keys != trace.AllKeys {
		t.Errorf("%+v", rows[1])
	}
	x, _ := r.TLS.Get()
	if x.Connections != 3 || x.Keys != linger.Known(handshake.Keys{With: 3, Decrypted: 3}) {
		t.Errorf("%+v", x)
	}
}

// A FIN without close_notify before is counted where it would have been seen.
func TestCloseNotify(t *testing.T) {
	s := &script{}
	both := func(t *trace.TLS) { t.Notified = []trace.Peer{trace.AtClient, trace.AtServer} }
	s.h2(1, "a.example", 100).with(both).streams(1, 1.03, .02).client(2)
	s.h2(3, "a.example", 100).streams(1, 3.03, .02).client(4)
	s.h2(5, "a.example", 100).with(both).streams(1, 5.03, .02).server(6)
	s.h2(7, "a.example", 100).with(func(t *trace.TLS) { t.Keys = "" }).streams(1, 7.03, .02).server(9)
	s.h2(10, "a.example", 100).streams(1, 10.03, .02).server(15)
	r, _ := s.run(t)
	x, _ := r.TLS.Get()
	if u := x.Unnotified; u.Client != 1 || u.Server != 1 || u.Of != 4 {
		t.Errorf("%+v", u)
	}
}
