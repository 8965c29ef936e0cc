package audit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linger"
	"linger/audit/predict"
	"linger/trace"
)

// An event is what an Auditor is told, and when.
type event struct {
	at   linger.Instant
	tell func(a *Auditor)
}

// randomTraffic is of a few clients and servers, whose connections carry many requests and
// are opened and closed by chance.
func randomTraffic(seed uint64) []event {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []event
	tell := func(at linger.Instant, f func(a *Auditor)) { out = append(out, event{at, f}) }
	wait := func(most time.Duration) time.Duration { return time.Duration(1 + r.Int64N(int64(most))) }
	for id := range int64(60) {
		client, server := netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + r.IntN(2))}), netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + r.IntN(2))})
		opened := linger.Instant(wait(100 * time.Second))
		turn := func(a *Auditor, at linger.Instant) { a.Turn(id, at, client, server) }
		tell(opened, func(a *Auditor) { turn(a, opened) })
		c := trace.Connection{
			ID: id, Client: fmt.Sprintf("%s:%d", client, 2000+id), Server: fmt.Sprintf("%s:80", server), Protocol: "http/1.1", Dialled: opened,
			SYN: linger.Known(opened), SYNACK: linger.Known(opened.Add(4 * time.Millisecond)), Established: linger.Known(opened.Add(5 * time.Millisecond)),
			Connected: linger.Known(opened.Add(5 * time.Millisecond)),
			Up:        linger.Known(trace.Flow{Packets: 9, SYN: 1, Payload: 99}), Down: linger.Known(trace.Flow{Packets: 9, SYN: 1, Payload: 99}),
		}
		at := opened.Add(5 * time.Millisecond)
		for n := range r.IntN(40) {
			at = at.Add(wait(time.Duration(1+r.IntN(40)*r.IntN(40)) * 5 * time.Millisecond))
			if n == 0 {
				first := at
				tell(at, func(a *Auditor) { turn(a, first) })
			}
			x := trace.Exchange{Connection: id, Number: n + 1, Method: "GET", URL: "http://shop.example/", Status: 200, Queued: at, Sent: linger.Known(at), Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"}}
			x.FirstByte = linger.Known(at.Add(wait(20 * time.Millisecond)))
			at = x.FirstByte.Or(0).Add(wait(time.Duration(r.IntN(1000)+1) * time.Millisecond))
			x.Done = linger.Known(at)
			c.LastByte = x.Done
			c.Requests++
			last := r.IntN(60) == 0
			if last {
				x.Asked.Connection = "close"
			}
			tell(at, func(a *Auditor) { a.WriteExchange(&x) })
			if last {
				break
			}
		}
		closed := at.Add(wait([]time.Duration{time.Millisecond, 50 * time.Millisecond, 10 * time.Second}[r.IntN(3)]))
		c.Closed, c.ClosedBy, c.ClosedWith = linger.Known(closed), []trace.Peer{trace.AtClient, trace.AtServer}[r.IntN(2)], trace.FIN
		c.Released = c.Closed
		tell(closed, func(a *Auditor) { turn(a, closed) })
		tell(closed.Add(time.Minute), func(a *Auditor) { a.WriteConnection(&c) })
	}
	slices.SortStableFunc(out, func(x, y event) int { return int(max(-1, min(1, x.at-y.at))) })
	return out
}

// audited tells events, does something after each of them, and returns what was found.
func audited(events []event, after func(a *Auditor)) (*Result, map[int64]Row) {
	rows := map[int64]Row{}
	a := New(Config{Each: func(r Row) { rows[r.ID] = r }})
	for _, e := range events {
		e.tell(a)
		after(a)
	}
	return a.End(events[len(events)-1].at), rows
}

func asJSON(t *testing.T, r *Result) string {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is summed up where nobody asks changes no answer.
func TestFoldingChangesNothing(t *testing.T) {
	gone := 0
	for seed := range uint64(30) {
		events := randomTraffic(seed)
		want, rows := audited(events, func(*Auditor) {})
		n := 0
		got, folded := audited(events, func(a *Auditor) {
			if n++; n%5 > 0 {
				return
			}
			before := a.weight
			a.fold(false)
			gone += before - a.weight
		})
		for id, r := range rows {
			f := folded[id]
			if r.Cause != f.Cause || r.Certainty != f.Certainty || r.Before != f.Before || r.Gap != f.Gap || r.End != f.End || r.Waiting != f.Waiting || !slices.Equal(r.Lost, f.Lost) {
				t.Errorf("seed %d, connection %d: folded %+v\nwant %+v", seed, id, f, r)
			}
		}
		for _, r := range []*Result{want, got} {
			for i := range r.Limits {
				r.Limits[i].Curve, r.Limits[i].Value = nil, linger.Opt[float64]{} // of samples
			}
			r.Best = linger.Opt[predict.Prediction]{} // needs each request
			for i := range r.Origins {
				r.Origins[i].WithPool = linger.Opt[WhatIf]{} // needs each request
			}
		}
		if d := cmp.Diff(asJSON(t, want), asJSON(t, got)); d != "" {
			t.Errorf("seed %d: %s", seed, d)
		}
	}
	if gone < 10_000 {
		t.Errorf("just %d were folded", gone)
	}
}
