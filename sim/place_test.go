package sim

import (
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// A page at one origin that names an object at another, which is further off by 60 ms a
// round trip: each has a connection of its own, and its own distance.
func TestOriginsHaveTheirOwnDistances(t *testing.T) {
	const rtt, further = 100 * time.Millisecond, 60 * time.Millisecond
	page := linger.Workload{Name: "page", Scheme: "http", Origins: []linger.Origin{
		{Name: "www.example"}, {Name: "img.example:8080", ExtraRTT: linger.Known(further)},
	}, Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ResponseBody: 1000, Parent: linger.NoParent},
		{Method: "GET", Path: "/a", Status: 200, ResponseBody: 1000, Parent: 0, At: 1000, Origin: 1},
		{Method: "GET", Path: "/b", Status: 200, ResponseBody: 1000, Parent: 0, At: 1000, Origin: 0},
	}}
	for _, x := range []struct {
		scheme, strategy string
		near, far        time.Duration // the first exchange, and then /a beside /b
	}{
		{"http", "keep", 2 * rtt, 2 * (rtt + further)}, {"https", "keep", 3 * rtt, 3 * (rtt + further)}, {"https", "h2", 3 * rtt, 3 * (rtt + further)},
		{"https", "h3", 2 * rtt, 2 * (rtt + further)}, {"http", "close", 2 * rtt, 2 * (rtt + further)}, {"https", "h3+0rtt", rtt, rtt + further},
	} {
		tr := predict(t, scenario(t, over(t, page, x.scheme), x.strategy, symmetric(rtt, 0, 0)), plain)
		slack := time.Millisecond
		for i, want := range []time.Duration{x.near, x.near + x.far} {
			if got := time.Duration(tr.Exchanges[i].Done.Or(-1)); got < want || got > want+slack {
				t.Errorf("%s over %s: exchange %d after %v, want %v", x.strategy, x.scheme, i, got, want)
			}
		}
		if n := len(tr.Connections); n < 2 || tr.Connections[0].Origin != "www.example" || tr.Connections[tr.Exchanges[1].Connection].Origin != "img.example:8080" {
			t.Errorf("%s: %d connections: %+v", x.strategy, n, tr.Connections)
		}
		if want := x.scheme + "://img.example:8080/a"; tr.Exchanges[1].URL != want {
			t.Errorf("%s: %s, want %s", x.strategy, tr.Exchanges[1].URL, want)
		}
	}
}

// Tickets are an origin's own.
func TestTicketsAreTheOriginsOwn(t *testing.T) {
	page := linger.Workload{Name: "page", Scheme: "https", Origins: []linger.Origin{{Name: "a.example"}, {Name: "b.example"}}}
	for i := range 4 {
		page.Exchanges = append(page.Exchanges, linger.Exchange{Method: "GET", Path: "/" + string(rune('a'+i)), Status: 200, ResponseBody: 10, Parent: i - 1, At: 10 * int64(min(i, 1)), Origin: i % 2})
	}
	tr := predict(t, scenario(t, page, "close+resume", symmetric(10*time.Millisecond, 0, 0)), plain)
	for i, k := range tr.Connections {
		if resumed := k.TLS.Or(trace.TLS{}).Resumed; resumed != (i > 1) {
			t.Errorf("connection %d, to %s: resumed %v", i, k.Origin, resumed)
		}
	}
}

// Packets from many origins share the link: none arrives in less time than all take.
func TestOriginsShareTheLink(t *testing.T) {
	page := linger.Workload{Name: "page", Scheme: "http"}
	var content int64
	for i := range 8 {
		page.Origins = append(page.Origins, linger.Origin{Name: string(rune('a'+i)) + ".example", ExtraRTT: linger.Known(time.Duration(i%3) * 7 * time.Millisecond)})
		page.Exchanges = append(page.Exchanges, linger.Exchange{Method: "GET", Path: "/", Status: 200, ResponseBody: 40_000, Parent: linger.NoParent, Origin: i})
		content += 40_000
	}
	n := symmetric(40*time.Millisecond, 4*linger.Mbps, 0)
	tr := predict(t, scenario(t, page, "keep", n), plain)
	if least := n.Down.Time(int(content)) + 2*n.RTT; time.Duration(tr.Ended) < least || len(tr.Connections) != 8 {
		t.Errorf("%d connections, over after %v, less than %v", len(tr.Connections), time.Duration(tr.Ended), least)
	}
}
