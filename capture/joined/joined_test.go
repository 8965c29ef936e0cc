package joined

import (
	"testing"
	"time"

	"linger"
	"linger/trace"
)

const ms = linger.Instant(time.Millisecond)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// shown is one connection as both ends have it, 10 ms each way, answered in order. The server's
// clock is as far ahead.
func shown(n int64, ahead linger.Instant) (near, far trace.Connection) {
	at := linger.Instant(n) * 100 * ms
	of := func(syn, ack linger.Instant) trace.Connection {
		return trace.Connection{
			ID: n, Client: "192.0.2.1:4000", Server: "198.51.100.1:80", Dialled: syn, SYN: linger.Known(syn), SYNACK: linger.Known(ack),
			Established: linger.Known(ack), LastByte: linger.Known(syn + 50*ms), SequenceUp: linger.Known(n + 1), SequenceDown: linger.Known(n + 1000),
			Up:   linger.Known(trace.Flow{Packets: 5, Payload: 100, SYN: 1}),
			Down: linger.Known(trace.Flow{Packets: 4, Payload: 500, SYN: 1}), Missing: linger.Known(int64(0)),
		}
	}
	return of(at, at+20*ms), of(at+10*ms+ahead, at+10*ms+ahead)
}

// ends closes a record.
func ends(c *trace.Connection, at linger.Instant, by trace.Peer, with trace.Signal) {
	c.Closed, c.ClosedBy, c.ClosedWith = linger.Known(at), by, with
}

func count(f *linger.Opt[trace.Flow], change func(*trace.Flow)) {
	one := f.Or(trace.Flow{})
	change(&one)
	*f = linger.Known(one)
}

func TestWhatWasDoneInBetween(t *testing.T) {
	reset := func(f *trace.Flow) { f.RST++ }
	finished := func(f *trace.Flow) { f.FIN++ }
	sends := func(f *trace.Flow) { f.Payload += 100; f.Packets++ }
	for _, test := range []struct {
		what      string
		happens   func(near, far *trace.Connection)
		act       trace.Act
		to        trace.Peer
		at        linger.Instant
		nearEnded linger.Instant
	}{
		{what: "nothing", happens: func(near, far *trace.Connection) {}},
		{what: "the server's own RST", happens: func(near, far *trace.Connection) {
			ends(near, 90*ms, trace.AtServer, trace.RST)
			ends(far, 80*ms, trace.AtServer, trace.RST)
			count(&near.Down, reset)
			count(&far.Down, reset)
		}},
		{what: "the server's FIN, lost", happens: func(near, far *trace.Connection) {
			ends(far, 80*ms, trace.AtServer, trace.FIN)
			count(&far.Down, finished)
		}},
		{what: "an RST to the client alone", happens: func(near, far *trace.Connection) {
			ends(near, 90*ms, trace.AtServer, trace.RST)
			count(&near.Down, reset)
		}, act: trace.ActReset, to: trace.AtClient, at: 90 * ms},
		{what: "an RST to both", happens: func(near, far *trace.Connection) {
			ends(near, 90*ms, trace.AtServer, trace.RST)
			ends(far, 90*ms, trace.AtClient, trace.RST)
			count(&near.Down, reset)
			count(&far.Up, reset)
		}, act: trace.ActReset, at: 90 * ms},
		{what: "an RST to the server alone, and the server's to what the client then sends", happens: func(near, far *trace.Connection) {
			ends(near, 900*ms, trace.AtServer, trace.RST)
			ends(far, 90*ms, trace.AtClient, trace.RST)
			count(&near.Down, reset)
			count(&far.Down, reset)
			count(&far.Up, reset)
		}, act: trace.ActReset, to: trace.AtServer, at: 90 * ms},
		{what: "a NAT that forgot, and says nothing", happens: func(near, far *trace.Connection) {
			near.Unanswered = linger.Known(trace.Unanswered{By: trace.AtClient, Sent: 3, Since: 800 * ms})
			count(&near.Up, sends)
		}, act: trace.ActForgot, at: 800 * ms},
		{what: "a NAT that forgot, and answers by an RST", happens: func(near, far *trace.Connection) {
			near.LastByte = linger.Known(800 * ms)
			ends(near, 810*ms, trace.AtServer, trace.RST)
			count(&near.Up, sends)
			count(&near.Down, reset)
		}, act: trace.ActForgot, to: trace.AtClient, at: 800 * ms},
		{what: "a FIN that the server never sent", happens: func(near, far *trace.Connection) {
			ends(near, 90*ms, trace.AtServer, trace.FIN)
			count(&near.Down, finished)
		}, act: trace.ActClosed, to: trace.AtClient, at: 90 * ms},
	} {
		for _, ahead := range []linger.Instant{0, 3600 * 1000 * ms, -7 * ms} {
			near, far := shown(0, ahead)
			test.happens(&near, &far)
			if at, ok := far.Closed.Get(); ok { // its own clock
				far.Closed = linger.Known(at + ahead)
			}
			j := New(0)
			j.Far(&far, began)
			j.FarEnds(began.Add(time.Duration(ahead)), began.Add(time.Duration(ahead+10_000*ms)))
			j.Near(&near, began)
			j.NearEnds(began, began.Add(time.Duration(10_000*ms)))
			b := near.Between.Or(trace.Between{})
			if b.Act != test.act || b.To != test.to || b.At != test.at {
				t.Errorf("%s, clocks %v apart: %+v, want %s to %q at %v", test.what, time.Duration(ahead), b, test.act, test.to, test.at)
			}
			s := j.Sum()
			clock, ok := s.Clock.Get()
			if want := inMs(time.Duration(ahead)); !ok || clock.Offset != want || clock.Error != 10 || s.Matched != 1 || s.Sure != 1 {
				t.Errorf("%s: %+v, %+v, and the server's clock is %v ms ahead", test.what, s, clock, want)
			}
		}
	}
}

func TestTheServersCaptureEndedBefore(t *testing.T) {
	near, far := shown(0, 0)
	ends(&near, 5000*ms, trace.AtServer, trace.RST)
	count(&near.Down, func(f *trace.Flow) { f.RST++ })
	j := New(0)
	j.Far(&far, began)
	j.FarEnds(began, began.Add(time.Second))
	j.Near(&near, began)
	if !near.Between.IsZero() {
		t.Errorf("%+v, and nobody saw what the server sent then", near.Between)
	}
}

func TestWhoIsWho(t *testing.T) {
	j := New(0)
	for n := range int64(20) {
		near, far := shown(n, 0)
		switch {
		case n < 10: // a NAT
			far.Client = "203.0.113.1:1"
		case n < 12: // its SYN was not captured
			near.SequenceUp, near.SequenceDown, near.SYN = linger.Opt[int64]{}, linger.Opt[int64]{}, linger.Opt[linger.Instant]{}
			near.Client, far.Client = "192.0.2.1:5000", "192.0.2.1:5000"
		case n < 15:
			far.SequenceUp, far.Client = linger.Known(n+7777), "192.0.2.9:1"
		}
		j.Far(&far, began)
		if n == 0 {
			j.FarEnds(began, began.Add(time.Minute))
		}
		j.Near(&near, began)
	}
	j.NearEnds(began, began.Add(time.Minute))
	if s := j.Sum(); s.Matched != 17 || s.Sure != 15 || s.Translated != 10 || s.OnlyClient != 3 || s.OnlyServer != 3 {
		t.Errorf("%+v", s)
	}
	if j.Reversed() {
		t.Error("the client's is the client's")
	}
	turned := New(0)
	near, far := shown(0, 0)
	turned.Far(&near, began)
	turned.FarEnds(began, began.Add(time.Minute))
	turned.Near(&far, began)
	if !turned.Reversed() {
		t.Error("the server's capture was taken for the client's")
	}
}

func TestOneCaptureTwice(t *testing.T) {
	for copies, want := range map[int]bool{0: false, 1: false, 3: true} {
		j := New(0)
		var all []trace.Connection
		for n := range int64(3) {
			near, far := shown(n, 0)
			if int(n) < copies {
				far = near
			}
			j.Far(&far, began)
			all = append(all, near)
		}
		j.FarEnds(began, began.Add(time.Minute))
		for i := range all {
			j.Near(&all[i], began)
		}
		j.NearEnds(began, began.Add(time.Minute))
		if got := j.Same(); got != want || j.Reversed() {
			t.Errorf("%d of 3 handshakes at the same times: same %v, want %v; reversed %v", copies, got, want, j.Reversed())
		}
	}
}

func TestAClockThatDriftsAndIsSet(t *testing.T) {
	var f fit
	for i := range 300 {
		at := began.Add(time.Duration(i) * time.Second)
		ahead := 5*time.Millisecond + time.Duration(i)*50*time.Microsecond // 50 ppm
		if i >= 200 {
			ahead += time.Second
		}
		queue := time.Duration(i%7) * 3 * time.Millisecond
		f.add(pair{at, at.Add(20*time.Millisecond + queue), true}, pair{at.Add(10*time.Millisecond + ahead), at.Add(10*time.Millisecond + ahead), true})
	}
	c, rtt := f.result()
	clock := c.Or(trace.Clock{})
	if clock.Offset != 5 || clock.Error != 10 || clock.Jumps != 1 || clock.Handshakes != 300 || rtt.Or(0) != 20 {
		t.Errorf("%+v, %v", clock, rtt)
	}
	if d := clock.Drift.Or(0); d < 49 || d > 51 {
		t.Errorf("a drift of %v ppm, want 50", d)
	}
}
